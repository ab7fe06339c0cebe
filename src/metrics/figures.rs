//! Any figure of the dictionary from its facts: one place that knows the formulas.

use std::collections::BTreeMap;

use super::store::{self, Flow, Places, Sums};
use super::{Figure, Span, Subject, definitions, own};
use crate::db::Conn;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{CorpId, StoreId};
use crate::money::Fen;
use crate::scope::{Reach, Scope};
use crate::tally::Code;
use crate::time::Day;

/// What figures are made of, for one subject over one span. What no figure asked for stays empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub sums: Sums,
    pub flow: Flow,
    pub buyers: i64,
    pub clickers: i64,
    /// Net amount credited to a private-traffic touch.
    pub private_fen: i64,
    pub goal: Option<Goal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Goal {
    pub reached: Fen,
    pub wanted: Fen,
}

impl Sums {
    pub fn net(&self) -> i64 {
        self.get(Code::Gmv) - self.get(Code::Refund)
    }

    pub fn online_net(&self) -> i64 {
        self.get(Code::GmvMiniStore) - self.get(Code::RefundMiniStore)
    }

    pub fn credited_net(&self) -> i64 {
        self.get(Code::CreditedGmv) - self.get(Code::CreditedRefund)
    }

    pub fn link_net(&self) -> i64 {
        self.get(Code::LinkGmv) - self.get(Code::LinkRefund)
    }

    pub fn tasks_due(&self) -> i64 {
        self.get(Code::BatchesDue) + self.get(Code::MomentsDue)
    }

    pub fn tasks_done(&self) -> i64 {
        self.get(Code::BatchesConfirmed) + self.get(Code::MomentsPublished)
    }
}

/// Numerator and denominator of a figure; `None` for a code that is not in the dictionary.
pub(super) fn parts(code: &str, facts: &Facts) -> Option<(Option<i64>, Option<i64>)> {
    let sums = &facts.sums;
    let count = |value: i64| (Some(value), None);
    let ratio = |part: i64, whole: i64| (Some(part), Some(whole));
    Some(match code {
        "net_sales" => count(sums.net()),
        "gmv" => count(sums.get(Code::Gmv)),
        "refunds" => count(sums.get(Code::Refund)),
        "orders" => count(sums.get(Code::Orders)),
        "items" => count(sums.get(Code::Items)),
        "buyers" => count(facts.buyers),
        "atv" => ratio(sums.net(), sums.get(Code::Orders)),
        "aov_buyer" => ratio(sums.net(), facts.buyers),
        "upt" => ratio(sums.get(Code::Items), sums.get(Code::Orders)),
        "aur" => ratio(sums.net(), sums.get(Code::Items)),
        "disc" => ratio(sums.net(), sums.get(Code::ListPrice)),
        "online_share" => ratio(sums.online_net(), sums.net()),
        "pd_share" => ratio(facts.private_fen, sums.credited_net()),
        "credited_net_sales" => count(sums.credited_net()),
        "credited_orders" => count(sums.get(Code::CreditedOrders)),
        "link_net_sales" => count(sums.link_net()),
        "goal" => match facts.goal {
            Some(goal) => ratio(goal.reached.0, goal.wanted.0),
            None => (None, None),
        },
        "new_contacts" => count(facts.flow.added),
        "moved_in" => count(facts.flow.moved_in),
        "returned" => count(facts.flow.returned),
        "lost_contacts" => count(facts.flow.lost),
        "moved_out" => count(facts.flow.moved_out),
        "start_contacts" => count(facts.flow.at_start),
        "end_contacts" => count(facts.flow.at_end),
        "churn_rate" => ratio(facts.flow.lost, facts.flow.at_start),
        "new_relations" => count(sums.get(Code::NewRelations)),
        "lost_relations" => count(sums.get(Code::LostRelations)),
        "staff_removed" => count(sums.get(Code::StaffRemoved)),
        "task_done" => ratio(sums.tasks_done(), sums.tasks_due()),
        "m_pub" => ratio(sums.get(Code::MomentsPublished), sums.get(Code::MomentsDue)),
        "delivered" => count(sums.get(Code::Delivered)),
        "deliver_rate" => ratio(
            sums.get(Code::Delivered),
            sums.get(Code::Delivered) + sums.get(Code::NotDelivered),
        ),
        "clicks" => count(sums.get(Code::Clicks)),
        "clickers" => count(facts.clickers),
        _ => return None,
    })
}

/// A figure now and, where there is something to compare with, before.
pub(super) fn figure(code: &str, now: &Facts, before: Option<&Facts>) -> Figure {
    let (numerator, denominator) = parts(code, now).unwrap_or((None, None));
    let (previous_numerator, previous_denominator) = before
        .and_then(|before| parts(code, before))
        .unwrap_or((None, None));
    Figure {
        code: code.to_owned(),
        numerator,
        denominator,
        previous_numerator,
        previous_denominator,
    }
}

/// Which counts of distinct people a list of figures needs: each is a statement of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needs {
    flow: bool,
    buyers: bool,
    clickers: bool,
    private: bool,
    goal: bool,
}

impl Needs {
    pub fn of<'a>(codes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needs = Self::default();
        for code in codes {
            match code {
                "buyers" | "aov_buyer" => needs.buyers = true,
                "clickers" => needs.clickers = true,
                "pd_share" => needs.private = true,
                "goal" => needs.goal = true,
                "new_contacts" | "moved_in" | "returned" | "lost_contacts" | "moved_out"
                | "start_contacts" | "end_contacts" | "churn_rate" => needs.flow = true,
                _ => {}
            }
        }
        needs
    }
}

/// Sources that are a touch of ours; a line is the till's word, a store is only a place.
const PRIVATE: [&str; 4] = ["link", "click", "delivery", "binding"];

pub(super) async fn facts(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    needs: Needs,
    from: Day,
    to: Day,
) -> Result<Facts> {
    let mut facts = Facts {
        sums: store::sums(conn, corp, places, from, to).await?,
        ..Facts::default()
    };
    if needs.flow {
        facts.flow = store::flow(conn, corp, places, from, to).await?;
    }
    if needs.buyers {
        facts.buyers = store::buyers(conn, corp, places, from, to).await?;
    }
    if needs.clickers {
        facts.clickers = store::clickers(conn, corp, places, from, to).await?;
    }
    if needs.private {
        let earned = store::credits_by_source(conn, corp, places, from, to).await?;
        let taken = store::refunds_by_source(conn, corp, places, from, to).await?;
        let paid: i64 = earned
            .iter()
            .filter(|row| PRIVATE.contains(&row.source.as_str()))
            .map(|row| row.paid_fen)
            .sum();
        let back: i64 = PRIVATE.iter().filter_map(|source| taken.get(*source)).sum();
        facts.private_fen = paid - back;
    }
    if needs.goal {
        facts.goal = goal(conn, corp, places, to).await?;
    }
    Ok(facts)
}

/// The goal of `day`'s month and what was reached of it by then.
async fn goal(conn: &impl Conn, corp: CorpId, places: &Places, day: Day) -> Result<Option<Goal>> {
    let Some(wanted) = store::goal(conn, corp, places, &month_of(day)).await? else {
        return Ok(None);
    };
    let so_far = store::sums(conn, corp, places, day.first_of_month(), day).await?;
    Ok(Some(Goal {
        reached: Fen(so_far.net()),
        wanted,
    }))
}

fn month_of(day: Day) -> String {
    day.to_string()[..7].to_owned()
}

/// The places of a subject, if the scope reaches all of them.
async fn places_of(conn: &impl Conn, scope: &Scope, subject: Subject) -> Result<Places> {
    let seen = |stores: Vec<_>| match stores.iter().all(|store| scope.sees_store(*store)) {
        true if !stores.is_empty() => Ok(Places::Stores(stores)),
        _ => Err(Error::NotFound),
    };
    match subject {
        Subject::Corp if scope.is_whole() => Ok(Places::Everywhere),
        Subject::Corp => Err(Error::NotFound),
        Subject::Region(region) => seen(directory::stores_of_region(conn, scope.corp, region).await?),
        Subject::Store(_) if matches!(scope.reach, Reach::Own(_)) => Err(Error::NotFound),
        Subject::Store(store) => {
            directory::find_store(conn, scope, store).await?;
            seen(vec![store])
        }
        Subject::Associate(associate) => {
            own::check(conn, scope, associate).await?;
            Ok(Places::Associate(associate))
        }
    }
}

fn check(codes: &[String]) -> Result<()> {
    for (index, code) in codes.iter().enumerate() {
        if definitions::find(code).is_none() {
            let message = format!("`{code}` is not a figure; see `/metrics/definitions`");
            return Err(Error::invalid(format!("/codes/{index}"), message));
        }
    }
    Ok(())
}

/// Any figures of the dictionary for a subject, over the span and the one it is compared with.
pub async fn figures(
    conn: &impl Conn,
    scope: &Scope,
    subject: Subject,
    codes: &[String],
    span: Span,
) -> Result<Vec<Figure>> {
    check(codes)?;
    let places = places_of(conn, scope, subject).await?;
    let needs = Needs::of(codes.iter().map(String::as_str));
    let now = facts(conn, scope.corp, &places, needs, span.from, span.to).await?;
    let before = facts(
        conn,
        scope.corp,
        &places,
        needs,
        span.compare_from,
        span.compare_to,
    )
    .await?;
    Ok(codes
        .iter()
        .map(|code| figure(code, &now, Some(&before)))
        .collect())
}

/// The same by day, each day for itself: people are counted anew each day. As many statements for a year as for a day.
pub async fn figures_by_day(
    conn: &impl Conn,
    scope: &Scope,
    subject: Subject,
    codes: &[String],
    from: Day,
    to: Day,
) -> Result<Vec<(Day, Vec<Figure>)>> {
    check(codes)?;
    let places = places_of(conn, scope, subject).await?;
    let needs = Needs::of(codes.iter().map(String::as_str));
    let facts = facts_by_day(conn, scope.corp, &places, needs, from, to).await?;
    let of_day = |(day, facts): (Day, Facts)| {
        let figures = codes.iter().map(|code| figure(code, &facts, None)).collect();
        (day, figures)
    };
    Ok(facts.into_iter().map(of_day).collect())
}

async fn facts_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    needs: Needs,
    from: Day,
    to: Day,
) -> Result<BTreeMap<Day, Facts>> {
    let mut days: BTreeMap<Day, Facts> = from.through(to).map(|day| (day, Facts::default())).collect();
    for (day, sums) in store::sums_by_day(conn, corp, places, from, to).await? {
        days.entry(day).or_default().sums = sums;
    }
    if needs.flow {
        for (day, flow) in store::flow_by_day(conn, corp, places, from, to).await? {
            days.entry(day).or_default().flow = flow;
        }
    }
    if needs.buyers {
        for (day, buyers) in store::buyers_by_day(conn, corp, places, from, to).await? {
            days.entry(day).or_default().buyers = buyers;
        }
    }
    if needs.clickers {
        for (day, clickers) in store::clickers_by_day(conn, corp, places, from, to).await? {
            days.entry(day).or_default().clickers = clickers;
        }
    }
    if needs.private {
        for (day, source, net) in store::credited_by_day(conn, corp, places, from, to).await? {
            if PRIVATE.contains(&source.as_str()) {
                days.entry(day).or_default().private_fen += net.0;
            }
        }
    }
    if needs.goal {
        goals(conn, corp, places, &mut days).await?;
    }
    Ok(days)
}

/// Sets the goal of each day's month and what was reached of it by then.
async fn goals(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    days: &mut BTreeMap<Day, Facts>,
) -> Result<()> {
    let (Some(from), Some(to)) = (days.keys().next().copied(), days.keys().last().copied()) else {
        return Ok(());
    };
    let wanted = store::goals(conn, corp, places, &month_of(from), &month_of(to)).await?;
    let first = from.first_of_month();
    let sums = store::sums_by_day(conn, corp, places, first, to).await?;
    let mut reached = Fen(0);
    for day in first.through(to) {
        if day == day.first_of_month() {
            reached = Fen(0);
        }
        reached.0 += sums.get(&day).map_or(0, Sums::net);
        if let (Some(facts), Some(wanted)) = (days.get_mut(&day), wanted.get(&month_of(day))) {
            let wanted = *wanted;
            facts.goal = Some(Goal { reached, wanted });
        }
    }
    Ok(())
}

/// Net sales of each day: a store's, or of all that the scope reaches.
pub async fn net_by_day(
    conn: &impl Conn,
    scope: &Scope,
    store: Option<StoreId>,
    from: Day,
    to: Day,
) -> Result<Vec<Fen>> {
    let places = match (store, &scope.reach) {
        (_, Reach::Own(_)) => return Err(Error::NotFound),
        (Some(store), _) => Places::store(directory::find_store(conn, scope, store).await?.id),
        (None, Reach::Whole) => Places::Everywhere,
        (None, Reach::Stores(stores)) => Places::Stores(stores.clone()),
    };
    let mut sums = store::sums_by_day(conn, scope.corp, &places, from, to).await?;
    let mut net = |day: Day| Fen(sums.remove(&day).unwrap_or_default().net());
    Ok(from.through(to).map(&mut net).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_has_its_formula() {
        for definition in definitions::all() {
            assert!(
                parts(definition.code, &Facts::default()).is_some(),
                "{}",
                definition.code
            );
        }
        assert_eq!(figure("atv", &Facts::default(), None).value(), None);
    }
}
