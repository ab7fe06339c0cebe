//! Statements on `inbox`.

use std::collections::{BTreeMap, BTreeSet};

use crate::args;
use crate::contacts::inbox::Arrived;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::Timestamp;

/// Whose callback, and the hash of its body.
pub type Key = (CorpId, String);

/// Keeps callbacks; answers which are new.
pub async fn insert_all(tx: &Tx, callbacks: &[(Key, &Arrived)]) -> Result<BTreeSet<Key>> {
    // In one order everywhere: two instances that get the same events do not lock each other out.
    let sorted: BTreeMap<&Key, &Arrived> = callbacks.iter().map(|(key, callback)| (key, *callback)).collect();
    let rows = sorted.into_iter().map(|((corp, body_hash), callback)| {
        args![
            *corp,
            body_hash.clone(),
            callback.body.clone(),
            callback.received_at,
            "new"
        ]
    });
    let inserted = db::insert_many_returning(
        tx,
        "insert into inbox (corp_id, body_hash, body, received_at, state)",
        rows.collect(),
        "on conflict (corp_id, body_hash) do nothing returning corp_id, body_hash",
    )
    .await?;
    inserted
        .iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// The body of a callback; `None`: swept since.
pub async fn body(conn: &impl Conn, corp: CorpId, body_hash: &str) -> Result<Option<String>> {
    let sql = "select body from inbox where corp_id = $1 and body_hash = $2";
    db::scalar(conn, sql, args![corp, body_hash]).await
}

/// `read`, or `unreadable` when it is no event.
pub async fn mark(tx: &Tx, corp: CorpId, body_hash: &str, state: &str) -> Result<()> {
    let sql = "update inbox set state = $3 where corp_id = $1 and body_hash = $2";
    db::run(tx, sql, args![corp, body_hash, state]).await?;
    Ok(())
}

/// Callbacks read before `until` go; a repeat comes within seconds, not weeks.
pub async fn sweep(tx: &Tx, corp: CorpId, until: Timestamp) -> Result<u64> {
    let sql = "delete from inbox where corp_id = $1 and state <> 'new' and received_at < $2";
    db::run(tx, sql, args![corp, until]).await
}
