//! Finds out what became of a part whose call or job gave no readable answer, by looking for its link in the
//! platform's list. A part is asked for at most once: what is not found after half an hour is shown as failed.

use super::follow::record_created;
use super::jobs::Reconcile;
use super::post::fail;
use super::store::{self, Part};
use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::{Advice, Error, Result};
use crate::ids::{CorpId, MomentId};
use crate::job::enqueue;
use crate::scope::{Act, Actor};
use crate::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::wecom::Client;
use crate::wecom::moment::{ListedMoment, Made};

/// When the list is read, after the call: the platform makes a moment in a job of its own.
const WAITS_MS: [i64; 3] = [2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS];
/// The last of the looks.
pub(super) const LAST: usize = WAITS_MS.len() - 1;
/// The platform's clock may be behind ours.
const CLOCK_SLACK_MS: i64 = 60 * SECOND_MS;
/// A moment made later than this after the call was not made by it; the list takes 30 days at most.
const MADE_WITHIN_MS: i64 = DAY_MS;

/// Shows a part whose making is not known as such, and has it looked up; `round` says how long it is waited for.
pub(super) async fn mark_unknown(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    part: &Part,
    round: usize,
) -> Result<()> {
    if !store::mark_unknown(tx, corp, part).await? {
        return Ok(());
    }
    look_up_later(tx, act, corp, part, round).await
}

/// Looks a part up; `round` says which of the looks this is.
pub async fn reconcile(app: &App, corp: CorpId, id: MomentId, n: i64, round: usize) -> Result<()> {
    let part = match store::find_part(&app.db, corp, id, n).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    if part.state != "unknown" {
        return Ok(());
    }
    let platform = directory::platform(app, corp).await?;
    let found = match look_up(&platform, &part, app.now()).await {
        // No other look would be answered either.
        Err(Error::Platform(fault)) if !matches!(fault.advice, Advice::Retry { .. }) => {
            tracing::warn!(moment.id = %id, error = fault.message, "a moment could not be looked up");
            None
        }
        found => found?,
    };
    let tx = app.db.begin().await?;
    record_look(&tx, &app.act(Actor::System), corp, &part, round, found).await?;
    tx.commit().await
}

/// The platform's id of the moment that carries the part's link.
async fn look_up(platform: &Client, part: &Part, now: Timestamp) -> Result<Option<String>> {
    let called_at = part.call_started_at.unwrap_or(now);
    let from = called_at.plus_ms(-CLOCK_SLACK_MS);
    let until = now.plus_ms(CLOCK_SLACK_MS).min(called_at.plus_ms(MADE_WITHIN_MS));
    let mut cursor: Option<String> = None;
    loop {
        let page = platform
            .moments(Made::ByCorp, from, until, cursor.as_deref())
            .await?;
        if let Some(listed) = page.items.iter().find(|listed| carries(listed, &part.code)) {
            return Ok(Some(listed.moment_id.clone()));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(None),
        }
    }
}

/// Whether a listed moment shows our link, as its card or at the end of its text.
fn carries(listed: &ListedMoment, code: &str) -> bool {
    let mark = format!("/l/{code}");
    listed.link_url.ends_with(&mark) || listed.text.ends_with(&mark)
}

/// Writes down what a look came to.
pub async fn record_look(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    part: &Part,
    round: usize,
    found: Option<String>,
) -> Result<()> {
    match found {
        // Whom the platform would not take as a sender it said only in its answer; nobody waits for them longer
        // than for who does not publish.
        Some(platform_id) => record_created(tx, act, corp, part, &platform_id, &[]).await,
        None if round < LAST => look_up_later(tx, act, corp, part, round + 1).await,
        None => fail(tx, corp, part, "unknown_outcome").await,
    }
}

/// When a look-up is due, counted from the call.
async fn look_up_later(tx: &Tx, act: &Act<'_>, corp: CorpId, part: &Part, round: usize) -> Result<()> {
    let since = part.call_started_at.unwrap_or(act.now);
    let due = since.plus_ms(WAITS_MS[round.min(LAST)]).max(act.now);
    let job = Reconcile {
        moment: part.moment_id,
        n: part.n,
        round,
    };
    enqueue(tx, act.ids, act.now, corp, &job, due).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_by_its_own_link_alone() {
        let listed = |text: &str, link_url: &str| ListedMoment {
            moment_id: "mom".into(),
            creator: None,
            create_time: Timestamp(0),
            is_personal: false,
            is_public: true,
            text: text.into(),
            link_url: link_url.into(),
        };
        let card = |url: &str| listed("上新", url);
        let text = |text: &str| listed(text, "");
        assert!(carries(&card("https://crm.example.com/l/abcDEF"), "abcDEF"));
        assert!(carries(&text("上新\nhttps://crm.example.com/l/abcDEF"), "abcDEF"));
        assert!(!carries(&card("https://crm.example.com/l/abcDEFG"), "abcDEF"));
        assert!(!carries(&text("上新"), "abcDEF"));
    }
}
