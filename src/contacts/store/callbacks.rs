//! Statements on `inbox`.

use std::collections::{BTreeMap, BTreeSet};

use crate::args;
use crate::contacts::inbox::{Arrived, Refused};
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

/// When the last callback came; `None`: none within the time they are kept.
pub async fn last_arrived(conn: &impl Conn, corp: CorpId) -> Result<Option<Timestamp>> {
    let sql = "select max(received_at) from inbox where corp_id = $1";
    Ok(db::scalar::<Option<Timestamp>>(conn, sql, args![corp])
        .await?
        .flatten())
}

/// Remembers the last callback that was refused.
pub async fn note_refused(tx: &Tx, corp: CorpId, why: Refused, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "insert into callback_refusal (corp_id, refused_at, reason) values ($1, $2, $3)
         on conflict (corp_id) do update set refused_at = excluded.refused_at, reason = excluded.reason",
        args![corp, now, why.as_str()],
    )
    .await?;
    Ok(())
}

/// Forgets it.
pub async fn forget_refused(tx: &Tx, corp: CorpId) -> Result<()> {
    db::run(tx, "delete from callback_refusal where corp_id = $1", args![corp]).await?;
    Ok(())
}

/// When the last callback was refused, and why.
pub async fn last_refused(conn: &impl Conn, corp: CorpId) -> Result<Option<(Timestamp, Refused)>> {
    let sql = "select refused_at, reason from callback_refusal where corp_id = $1";
    let rows = db::rows(conn, sql, args![corp]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let why = match db::column::<String>(row, 1)?.as_str() {
        "signature" => Refused::Signature,
        _ => Refused::Body,
    };
    Ok(Some((db::column(row, 0)?, why)))
}
