//! Statements on `inbox`.

use crate::args;
use crate::contacts::inbox::Arrived;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::Timestamp;

/// Keeps a callback; answers whether it is new.
pub async fn insert(tx: &Tx, callback: &Arrived, body_hash: &str) -> Result<bool> {
    let kept = db::run(
        tx,
        "insert into inbox (corp_id, body_hash, body, received_at, state) values ($1, $2, $3, $4, 'new')
         on conflict (corp_id, body_hash) do nothing",
        args![
            callback.corp,
            body_hash,
            callback.body.clone(),
            callback.received_at
        ],
    )
    .await?;
    Ok(kept == 1)
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
