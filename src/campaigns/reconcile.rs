//! Finds out what became of a call that gave no readable answer, by looking for the batch in the platform's list.
//!
//! Marketing is sent at most once: what is not found after half an hour is shown as failed, never called for again.

use super::deliver::{look_up_later, record_handed, reject};
use super::store::{self, Batch, Change};
use super::{DeliveryState, deliver};
use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{BatchId, CorpId};
use crate::queue::Lane;
use crate::scope::{Act, Actor};
use crate::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::wecom::broadcast::{Handed, Listed};
use crate::wecom::message::Attachment;
use crate::wecom::{Client, Walk};

/// When the list is read, after the call: it may show a new task late.
pub const WAITS_MS: [i64; 3] = [2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS];
/// The platform's clock may be behind ours.
const CLOCK_SLACK_MS: i64 = 60 * SECOND_MS;
pub(super) const UNKNOWN_OUTCOME: &str = "unknown_outcome";

/// Shows a batch whose call has no known outcome as such, and has it looked up.
pub async fn mark_unknown(tx: &Tx, act: &Act<'_>, corp: CorpId, batch: &Batch) -> Result<()> {
    let change = Change {
        state: "unknown",
        columns: vec![],
    };
    if !store::move_batch(tx, corp, batch.id, &["calling"], change).await? {
        return Ok(());
    }
    let planned = store::deliveries_of(corp, batch, &[DeliveryState::Planned]);
    store::move_deliveries(tx, planned, DeliveryState::Unknown, None, act.now).await?;
    look_up_later(tx, act, corp, batch, 0).await
}

/// Looks a batch up; `round` says which of the looks this is.
pub async fn reconcile(app: &App, corp: CorpId, id: BatchId, round: usize) -> Result<()> {
    let batch = match store::find_batch(&app.db, corp, id).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    if batch.state != "unknown" {
        return Ok(());
    }
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    let since = batch
        .call_started_at
        .unwrap_or(app.now())
        .plus_ms(-CLOCK_SLACK_MS);
    let found = look_up(&platform, &batch, since, app.now().plus_ms(CLOCK_SLACK_MS)).await?;
    let tx = app.db.begin().await?;
    record_look(&tx, &app.act(Actor::System), corp, &batch, round, found).await?;
    tx.commit().await
}

/// The message id of the task that carries the batch's marker.
async fn look_up(
    platform: &Client,
    batch: &Batch,
    from: Timestamp,
    until: Timestamp,
) -> Result<Option<String>> {
    let mut walk = Walk::new();
    loop {
        let page = platform.broadcasts(from, until, walk.cursor()).await?;
        if let Some(listed) = page.items.iter().find(|listed| carries(listed, &batch.marker)) {
            return Ok(Some(listed.msgid.clone()));
        }
        if !walk.go_on(page.next)? {
            return Ok(None);
        }
    }
}

/// Whether a listed task holds our link.
fn carries(listed: &Listed, marker: &str) -> bool {
    let mark = format!("/l/{marker}");
    listed
        .message
        .attachments
        .iter()
        .any(|attachment| match attachment {
            Attachment::Link { link } => link.url.ends_with(&mark),
            _ => false,
        })
}

/// Writes down what a look came to.
pub async fn record_look(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    round: usize,
    found: Option<String>,
) -> Result<()> {
    match found {
        Some(msgid) => {
            // Whom the platform would not reach it said only once; the results will show it.
            let handed = Handed {
                msgid,
                fail_list: Vec::new(),
            };
            record_handed(tx, act, corp, batch, &handed).await
        }
        None if round + 1 < WAITS_MS.len() => deliver::look_up_later(tx, act, corp, batch, round + 1).await,
        None => {
            reject(
                tx,
                act,
                corp,
                batch,
                "unknown",
                UNKNOWN_OUTCOME,
                "not_found_on_platform",
            )
            .await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wecom::message::{Link, Message};

    #[test]
    fn a_batch_is_told_by_its_own_link_alone() {
        let listed = |url: &str| Listed {
            msgid: "m".into(),
            create_time: Timestamp(0),
            creator: None,
            is_personal: false,
            message: Message {
                text: None,
                attachments: vec![Attachment::Link {
                    link: Link {
                        url: url.into(),
                        ..Link::default()
                    },
                }],
            },
        };
        assert!(carries(
            &listed("https://crm.example.com/l/abcDEF12345"),
            "abcDEF12345"
        ));
        assert!(!carries(
            &listed("https://crm.example.com/l/abcDEF123456"),
            "abcDEF12345"
        ));
        assert!(!carries(
            &listed("https://crm.example.com/l/other"),
            "abcDEF12345"
        ));
    }
}
