//! The inbox: callbacks as they came, stored before they are answered.

use serde::{Deserialize, Serialize};

use super::store::callbacks;
use crate::db::group::Group;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{CorpId, Ids};
use crate::queue::{self, Lane, NewJob};
use crate::seal::fingerprint;
use crate::time::{MINUTE_MS, Timestamp};

pub use super::store::callbacks::{body, mark, sweep};

/// The platform's reads may be stale: what an event told of is looked at again after these pauses.
pub const LOOKS_AGAIN: [i64; 3] = [MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS];

/// A callback to keep.
pub struct Arrived {
    pub corp: CorpId,
    /// Decrypted XML.
    pub body: String,
    pub received_at: Timestamp,
}

/// The job that reads one callback; what it does with it is written where all domains are at hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadEvent {
    pub body_hash: String,
}

impl ReadEvent {
    pub const NAME: &'static str = "contacts.read_event";
}

/// The writer of the inbox: one commit for whatever waits. A repeat of a body is dropped; a new one brings its job.
pub fn writer(db: Db, ids: Ids) -> Group<Arrived> {
    Group::start(db, move |tx, arrived| {
        let ids = ids.clone();
        Box::pin(async move { store(tx, &ids, arrived).await })
    })
}

/// Stores a group of callbacks and the jobs that will read them.
pub async fn store(tx: &Tx, ids: &Ids, arrived: Vec<Arrived>) -> Result<()> {
    for callback in arrived {
        let body_hash = fingerprint(&callback.body);
        if !callbacks::insert(tx, &callback, &body_hash).await? {
            continue;
        }
        let job = NewJob {
            corp: callback.corp,
            kind: ReadEvent::NAME,
            payload: queue::payload(&ReadEvent { body_hash }),
            lane: lane(&callback.body),
            run_at: callback.received_at,
            unique_key: None,
        };
        queue::enqueue(tx, ids, callback.received_at, job).await?;
    }
    Ok(())
}

/// A welcome code dies in 20 seconds. A look for its name is enough here: nothing is read before it is stored.
fn lane(body: &str) -> Lane {
    if body.contains("<WelcomeCode>") {
        Lane::Urgent
    } else {
        Lane::Callback
    }
}
