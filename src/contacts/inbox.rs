//! The inbox: callbacks as they came, stored before they are answered.

use serde::{Deserialize, Serialize};

use super::store::callbacks;
use crate::cache::Cache;
use crate::db::group::Group;
use crate::db::{Db, Tx};
use crate::directory::{self, Corp, SecretChange};
use crate::error::Result;
use crate::ids::CorpId;
use crate::seal::{Sealer, fingerprint};
use crate::time::{MINUTE_MS, Timestamp};

pub use super::store::callbacks::{
    Unread, body, forget_refused, has_new, last_arrived, last_refused, mark, note_refused, sweep, take_new,
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

/// What became of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// What it asks for is written.
    Read,
    /// It is no event.
    Unreadable,
    /// It is a job of its own, [`ReadEvent`].
    Queued,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Unreadable => "unreadable",
            Self::Queued => "queued",
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

/// The job that reads one callback by itself; what it does with it is written where all domains are at hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadEvent {
    pub body_hash: String,
}

impl ReadEvent {
    pub const NAME: &'static str = "contacts.read_event";
}

/// The writer of the inbox: one commit for whatever waits. Workers are woken without anybody's answer waiting for it.
pub fn writer(db: Db, cache: Cache) -> Group<Arrived> {
    Group::start(move |arrived: Vec<Arrived>| {
        let (db, cache) = (db.clone(), cache.clone());
        async move {
            keep(&db, &arrived).await?;
            tokio::spawn(async move { cache.ring().await });
            Ok(())
        }
    })
}

/// Stores callbacks, all or none; a repeat of a body is dropped.
pub async fn keep(db: &Db, arrived: &[Arrived]) -> Result<()> {
    let keyed = arrived.iter().map(|callback| (key(&callback.body), callback));
    callbacks::insert_all(db, keyed.collect()).await
}

/// What a body is known by: its hash, behind the event's own time. A repeat has the same, and what comes at one time
/// lies together in the index instead of all over it.
fn key(body: &str) -> String {
    let told = body.split_once("<CreateTime>").map_or("", |(_, rest)| rest);
    let digits: String = told.chars().take(10).take_while(char::is_ascii_digit).collect();
    format!("{digits:0>10}-{}", &fingerprint(body)[..40])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_by_its_time_and_its_hash() {
        let at = |time: &str| key(&format!("<xml><CreateTime>{time}</CreateTime></xml>"));
        assert!(at("1719830401").starts_with("1719830401-"));
        assert!(at("17").starts_with("0000000017-"));
        assert!(at("99999999999").starts_with("9999999999-"));
        assert!(at("\u{4e00}").starts_with("0000000000-"));
        let keys = [
            at("1719830401"),
            at("17"),
            at("99999999999"),
            key(""),
            key("<CreateTime>"),
        ];
        assert!(keys.iter().all(|key| key.len() == 51));
        assert_eq!(at("1719830401"), at("1719830401"));
        assert_ne!(key("<xml>a</xml>"), key("<xml>b</xml>"));
    }
}
