//! The inbox: callbacks as they came, stored before they are answered.

use serde::{Deserialize, Serialize};

use super::store::callbacks::{self, Key};
use crate::cache::Cache;
use crate::db::group::Group;
use crate::db::{Db, Tx};
use crate::directory::{self, Corp, SecretChange};
use crate::error::Result;
use crate::ids::{CorpId, Ids};
use crate::queue::{self, Lane, NewJob};
use crate::seal::{Sealer, fingerprint};
use crate::time::{MINUTE_MS, Timestamp};

pub use super::store::callbacks::{
    body, forget_refused, last_arrived, last_refused, mark, note_refused, sweep,
};

/// Why a callback for a corp of ours was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The signature is by another token than ours.
    Signature,
    /// Signed with our token, but our key does not open it, or it names another corp.
    Body,
}

impl Refused {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Body => "body",
        }
    }
}

/// Replaces a corp's secrets. What was refused under the old ones says nothing about the new ones.
///
/// # Errors
/// `Invalid` for one that cannot be right.
pub async fn replace_secrets(tx: &Tx, sealer: &Sealer, corp: &Corp, change: &SecretChange) -> Result<()> {
    directory::change_secrets(tx, sealer, corp, change).await?;
    if change.callback_token.is_some() || change.callback_aes_key.is_some() {
        callbacks::forget_refused(tx, corp.id).await?;
    }
    Ok(())
}

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

/// The writer of the inbox: one commit for whatever waits. A repeat of a body is dropped; a new one brings its job,
/// and workers are woken without anybody's answer waiting for it.
pub fn writer(db: Db, ids: Ids, cache: Cache) -> Group<Arrived> {
    let wake = move || {
        let cache = cache.clone();
        tokio::spawn(async move { cache.ring().await });
    };
    Group::start(
        db,
        move |tx, arrived| {
            let ids = ids.clone();
            Box::pin(async move { store(tx, &ids, arrived).await })
        },
        wake,
    )
}

/// Stores a group of callbacks and the jobs that will read them.
pub async fn store(tx: &Tx, ids: &Ids, arrived: Vec<Arrived>) -> Result<()> {
    let Some(now) = arrived.last().map(|callback| callback.received_at) else {
        return Ok(());
    };
    let key = |callback: &Arrived| (callback.corp, fingerprint(&callback.body));
    let keyed: Vec<(Key, &Arrived)> = arrived.iter().map(|callback| (key(callback), callback)).collect();
    let mut new = callbacks::insert_all(tx, &keyed).await?;
    let new = keyed.into_iter().filter(|(key, _)| new.remove(key));
    let jobs = new.map(|((corp, body_hash), callback)| NewJob {
        corp,
        kind: ReadEvent::NAME,
        payload: queue::payload(&ReadEvent { body_hash }),
        lane: lane(&callback.body),
        run_at: callback.received_at,
        unique_key: None,
    });
    queue::enqueue_all(tx, ids, now, jobs).await?;
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
