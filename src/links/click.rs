//! Clicks: stored in groups before the redirect, told apart from previews, given their person later.

use std::collections::BTreeMap;

use super::Resolved;
use super::store::clicks::{self, Named};
use crate::db::group::Group;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::ids::{ClickId, ContactId, CorpId};
use crate::scope::Act;
use crate::tally::{self, Code, Tally};
use crate::time::{DAY_MS, SECOND_MS, Timestamp};
use crate::timeline::{self, Entry, News};

/// The same visitor on the same link within this time is one visit.
const REPEAT_MS: i64 = 10 * SECOND_MS;
/// Unnamed clicks this old still become a visitor's when we learn who it is.
const LOOK_BACK_MS: i64 = 30 * DAY_MS;

/// A visit to a link.
pub struct Visit {
    pub id: ClickId,
    pub link: Resolved,
    /// What the mini-store gets as `t`.
    pub token: String,
    /// Fingerprint of the visitor's cookie.
    pub visitor: String,
    pub at: Timestamp,
    pub is_preview: bool,
}

/// The writer of clicks: one commit for whatever waits.
pub fn writer(db: Db) -> Group<Visit> {
    Group::start(move |visits| {
        let db = db.clone();
        async move {
            let tx = db.begin().await?;
            store(&tx, visits).await?;
            tx.commit().await
        }
    })
}

/// Whether a user agent or a prefetch header is a machine looking, not a person.
pub fn is_preview(user_agent: &str, purpose: Option<&str>, is_head: bool) -> bool {
    const MACHINES: [&str; 9] = [
        "bot",
        "crawl",
        "spider",
        "slurp",
        "preview",
        "facebookexternalhit",
        "embedly",
        "headless",
        "scan",
    ];
    let agent = user_agent.to_ascii_lowercase();
    let purpose = purpose.unwrap_or_default().to_ascii_lowercase();
    is_head
        || MACHINES.iter().any(|machine| agent.contains(machine))
        || ["prefetch", "preview", "prerender"]
            .iter()
            .any(|early| purpose.contains(early))
}

/// Stores visits in the order they came, deciding for each whether it counts.
pub async fn store(tx: &Tx, mut visits: Vec<Visit>) -> Result<()> {
    visits.sort_by_key(|visit| (visit.at, visit.id));
    let mut by_corp: BTreeMap<i64, Vec<Visit>> = BTreeMap::new();
    for visit in visits {
        by_corp.entry(visit.link.corp.0).or_default().push(visit);
    }
    for (corp, visits) in by_corp {
        store_of_corp(tx, CorpId(corp), visits).await?;
    }
    Ok(())
}

async fn store_of_corp(tx: &Tx, corp: CorpId, visits: Vec<Visit>) -> Result<()> {
    let Some(first) = visits.first() else {
        return Ok(());
    };
    let since = first.at.plus_ms(-REPEAT_MS);
    let visitors = visits.iter().map(|visit| visit.visitor.as_str()).collect();
    let mut counted = clicks::last_counted(tx, corp, since, visitors).await?;
    let mut rows = Vec::with_capacity(visits.len());
    let mut tallies = Vec::new();
    for visit in visits {
        let key = (visit.link.link, visit.visitor.clone());
        let repeats = counted
            .get(&key)
            .is_some_and(|last| visit.at.0 - last.0 < REPEAT_MS);
        let kind = match (visit.is_preview, repeats) {
            (true, _) => "preview",
            (false, true) => "repeat",
            (false, false) => "person",
        };
        if kind == "person" {
            counted.insert(key, visit.at);
            tallies.push(counted_click(&visit.link, visit.at));
        }
        rows.push(clicks::row(
            &visit.link,
            visit.id,
            visit.token,
            visit.visitor,
            None,
            visit.at,
            kind,
        ));
    }
    clicks::insert(tx, rows).await?;
    tally::add(tx, corp, &tallies).await
}

fn counted_click(link: &Resolved, at: Timestamp) -> Tally {
    Tally {
        store: link.store,
        associate: link.associate,
        day: at.day(link.zone),
        code: Code::Clicks,
        value: 1,
    }
}

/// Says whose click it was, and the same visitor's unnamed clicks of the last 30 days. Answers the click.
/// Repeating it changes nothing; a click that has a person keeps them. `NotFound` for an unknown token.
pub async fn identify(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    zone: chrono_tz::Tz,
    token: &str,
    contact: ContactId,
) -> Result<ClickId> {
    let click = clicks::by_token(tx, corp, token).await?;
    if click.contact_id.is_some() {
        return Ok(click.id);
    }
    let since = act.now.plus_ms(-LOOK_BACK_MS);
    let named = clicks::give(tx, corp, &click, contact, act.now, since).await?;
    tell(tx, act, corp, zone, contact, named).await?;
    Ok(click.id)
}

/// The same for a click that must be on this link; `NotFound` for a token of another.
pub async fn identify_on(
    tx: &Tx,
    act: &Act<'_>,
    link: &Resolved,
    token: &str,
    contact: ContactId,
) -> Result<ClickId> {
    if clicks::by_token(tx, link.corp, token).await?.link_id != link.link {
        return Err(Error::NotFound);
    }
    identify(tx, act, link.corp, link.zone, token, contact).await
}

/// Records that a person opened a link inside the mini-program, told by the mini-store. Idempotent by `token`; a
/// token that came through `/l/` gives that click its person.
pub async fn opened(
    tx: &Tx,
    act: &Act<'_>,
    link: &Resolved,
    token: &str,
    contact: ContactId,
    at: Timestamp,
) -> Result<ClickId> {
    match identify(tx, act, link.corp, link.zone, token, contact).await {
        Err(Error::NotFound) => {}
        other => return other,
    }
    let id = ClickId::new(act.ids, act.now);
    // Inside the mini-program there is no cookie: the person is the visitor.
    let visitor = format!("contact:{contact}");
    let visitors = [visitor.as_str()].into();
    let counted = clicks::last_counted(tx, link.corp, at.plus_ms(-REPEAT_MS), visitors).await?;
    let repeats = counted
        .get(&(link.link, visitor.clone()))
        .is_some_and(|last| (at.0 - last.0).abs() < REPEAT_MS);
    let kind = if repeats { "repeat" } else { "person" };
    let row = clicks::row(link, id, token.to_owned(), visitor, Some(contact), at, kind);
    if !clicks::insert_new(tx, link.corp, contact, row).await? {
        // Somebody told us the same just now.
        return identify(tx, act, link.corp, link.zone, token, contact).await;
    }
    if !repeats {
        tally::add(tx, link.corp, &[counted_click(link, at)]).await?;
        let named = Named {
            id,
            link_id: link.link,
            associate_id: link.associate,
            store_id: link.store,
            at,
            kind: kind.to_owned(),
        };
        tell(tx, act, link.corp, link.zone, contact, vec![named]).await?;
    }
    Ok(id)
}

/// Puts counted clicks into the person's timeline.
async fn tell(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    zone: chrono_tz::Tz,
    contact: ContactId,
    clicks: Vec<Named>,
) -> Result<()> {
    let counted: Vec<Named> = clicks
        .into_iter()
        .filter(|click| click.kind == "person")
        .collect();
    if counted.is_empty() {
        return Ok(());
    }
    let titles = clicks::titles(tx, corp, counted.iter().map(|click| click.link_id)).await?;
    let news = counted
        .into_iter()
        .map(|click| News {
            contact,
            associate: click.associate_id,
            store: click.store_id,
            at: click.at,
            entry: Entry::Clicked {
                click_id: click.id,
                link_id: click.link_id,
                title: titles.get(&click.link_id).cloned().unwrap_or_default(),
            },
        })
        .collect();
    timeline::append(tx, act, corp, zone, news).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_told_from_people() {
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) MicroMessenger/8.0.50";
        for (agent, purpose, is_head, machine) in [
            (phone, None, false, false),
            (phone, None, true, true),
            (phone, Some("prefetch"), false, true),
            (phone, Some("prefetch;prerender"), false, true),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", None, false, true),
            ("WeChatLinkPreview/1.0", None, false, true),
            ("facebookexternalhit/1.1", None, false, true),
            ("curl/8.5.0", None, false, false),
        ] {
            assert_eq!(
                is_preview(agent, purpose, is_head),
                machine,
                "{agent} {purpose:?}"
            );
        }
    }
}
