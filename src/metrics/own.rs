//! An associate's own figures and whom to greet.

use super::figures::{Facts, Needs, facts, figure};
use super::report::days;
use super::store::{self, Greeted, GreetingDays, Places};
use super::{Greeting, OwnResults, Span};
use crate::db::Conn;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::AssociateId;
use crate::money::Fen;
use crate::scope::{Reach, Scope};
use crate::tally::Code;
use crate::time::Day;

/// What an associate earned and did over a span. Readable by themselves and whoever sees their store.
pub async fn own_results(
    conn: &impl Conn,
    scope: &Scope,
    associate: AssociateId,
    span: Span,
) -> Result<OwnResults> {
    check(conn, scope, associate).await?;
    let corp = scope.corp;
    let places = Places::Associate(associate);
    let needs = Needs::of(["new_contacts"]);
    let now = facts(conn, corp, &places, needs, span.from, span.to).await?;
    let before = facts(conn, corp, &places, needs, span.compare_from, span.compare_to).await?;
    let shown = |code: &str| figure(code, &now, Some(&before));
    let (rank, of) = rank(conn, scope, associate, span, &now).await?;
    Ok(OwnResults {
        net_sales: shown("credited_net_sales"),
        orders: shown("credited_orders"),
        days: days(conn, corp, &places, span.from, span.to).await?,
        previous_days: days(conn, corp, &places, span.compare_from, span.compare_to).await?,
        rank,
        of,
        new_contacts: shown("new_contacts"),
        lost_contacts: shown("lost_contacts"),
        delivered: shown("delivered"),
        clicks: shown("clicks"),
        contacts: now.flow.at_end,
    })
}

pub(super) async fn check(conn: &impl Conn, scope: &Scope, associate: AssociateId) -> Result<()> {
    match scope.reach {
        Reach::Own(own) if own == associate => Ok(()),
        Reach::Own(_) => Err(Error::NotFound),
        _ => directory::find_associate(conn, scope, associate).await.map(drop),
    }
}

/// Place among the store's associates by what each earned there. Somebody without a store has none.
async fn rank(
    conn: &impl Conn,
    scope: &Scope,
    associate: AssociateId,
    span: Span,
    own: &Facts,
) -> Result<(Option<i64>, i64)> {
    let Some((store, colleagues)) = store::colleagues(conn, scope.corp, associate).await? else {
        return Ok((None, 0));
    };
    let earned = store::sums_by_associate(conn, scope.corp, store, span.from, span.to).await?;
    let net = |id: &AssociateId| earned.get(id).map_or(0, |sums| sums.credited_net());
    let mine = net(&associate);
    let better = colleagues.iter().filter(|id| net(id) > mine).count() as i64;
    // Nothing earned anywhere is no place in a ranking.
    let has_earned = own.sums.get(Code::CreditedOrders) > 0 || Fen(mine) != Fen::ZERO;
    Ok((has_earned.then_some(better + 1), colleagues.len() as i64))
}

/// How far ahead a birthday is greeted, and how far back the rest is looked for, in days.
const BIRTHDAY_AHEAD: i64 = 3;
const CLICKED_WITHIN: i64 = 3;
const QUIET_AFTER: i64 = 60;
const NEW_WITHIN: i64 = 2;

/// At most `limit` contacts to greet today: birthdays, clicked without buying, long quiet, new.
pub async fn greetings(
    conn: &impl Conn,
    scope: &Scope,
    associate: AssociateId,
    today: Day,
    limit: i64,
) -> Result<Vec<Greeting>> {
    check(conn, scope, associate).await?;
    let birthdays: Vec<String> = (0..=BIRTHDAY_AHEAD)
        .map(|ahead| month_and_day(today.plus(ahead)))
        .collect();
    let days = GreetingDays {
        birthdays: &birthdays,
        clicked_since: today.plus(1 - CLICKED_WITHIN),
        quiet_since: today.plus(-QUIET_AFTER),
        new_since: today.plus(1 - NEW_WITHIN),
    };
    let mut greetings = Vec::new();
    for contact in store::greeted(conn, scope.corp, associate, days, limit).await? {
        let (reason, number) = reason(&contact, &birthdays, today);
        let about = if reason == "clicked_not_bought" {
            store::last_clicked_title(conn, scope.corp, associate, contact.contact_id).await?
        } else {
            None
        };
        greetings.push(Greeting {
            contact_id: contact.contact_id,
            name: contact.name,
            reason: reason.to_owned(),
            number,
            about,
        });
    }
    Ok(greetings)
}

fn month_and_day(day: Day) -> String {
    day.to_string()[5..].to_owned()
}

/// The first reason that fits, with its number: days ahead, clicks, days without an order, days since added.
fn reason(contact: &Greeted, birthdays: &[String], today: Day) -> (&'static str, i64) {
    let ahead = contact
        .birthday
        .as_ref()
        .and_then(|birthday| birthdays.iter().position(|day| day == birthday));
    if let Some(ahead) = ahead {
        return ("birthday", ahead as i64);
    }
    let is_bought_since = match (contact.last_order_at, contact.last_click_at) {
        (Some(order), Some(click)) => order >= click,
        _ => false,
    };
    if contact.clicks > 0 && !is_bought_since {
        return ("clicked_not_bought", contact.clicks);
    }
    match contact.last_order_day {
        Some(day) if contact.orders >= 2 => ("quiet", today.since(day)),
        _ => ("new", today.since(contact.added_day)),
    }
}
