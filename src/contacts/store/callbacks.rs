//! Statements on `inbox`.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::contacts::inbox::{Arrived, Refused, State};
use crate::db::{self, Conn, Db, Tx, text_list};
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::Timestamp;

/// Keeps callbacks, each by its key; those that are kept already are left.
pub async fn insert_all(db: &Db, mut callbacks: Vec<(String, &Arrived)>) -> Result<()> {
    // In one order everywhere: two instances that get the same events do not lock each other out.
    callbacks.sort_by(|(key, one), (other_key, other)| (one.corp, key).cmp(&(other.corp, other_key)));
    let rows: Vec<_> = callbacks
        .iter()
        .map(|(key, callback)| (callback.corp.0, key, &callback.body, callback.received_at.0))
        .collect();
    let list = serde_json::to_string(&rows).expect("numbers and texts are JSON");
    let sql = format!(
        "insert into inbox (corp_id, body_hash, body, received_at, state)
         select cast(value ->> 0 as bigint), value ->> 1, value ->> 2, cast(value ->> 3 as bigint), 'new' from {}
         where true on conflict (corp_id, body_hash) do nothing",
        db.backend().each("$1")
    );
    db::run_alone(db, &sql, args![list]).await?;
    Ok(())
}

/// A callback nobody has read.
#[derive(Debug, FromQueryResult)]
pub struct Unread {
    pub corp_id: CorpId,
    pub body_hash: String,
    pub body: String,
}

pub async fn has_new(conn: &impl Conn) -> Result<bool> {
    let sql = "select 1 from inbox where state = 'new' limit 1";
    Ok(!db::rows(conn, sql, args![]).await?.is_empty())
}

/// Callbacks nobody has read and nobody else is reading, those that came first.
pub async fn take_new(tx: &Tx, at_most: i64) -> Result<Vec<Unread>> {
    let sql = format!(
        "select corp_id, body_hash, body from inbox where state = 'new' order by received_at limit $1{}",
        tx.backend().skip_locked()
    );
    db::all(tx, &sql, args![at_most]).await
}

/// The body of a callback; `None`: swept since.
pub async fn body(conn: &impl Conn, corp: CorpId, body_hash: &str) -> Result<Option<String>> {
    let sql = "select body from inbox where corp_id = $1 and body_hash = $2";
    db::scalar(conn, sql, args![corp, body_hash]).await
}

/// What became of callbacks.
pub async fn mark(tx: &Tx, became: &[(CorpId, State, &str)]) -> Result<()> {
    let mut alike: BTreeMap<(CorpId, State), Vec<&str>> = BTreeMap::new();
    for (corp, state, body_hash) in became {
        alike.entry((*corp, *state)).or_default().push(body_hash);
    }
    for ((corp, state), hashes) in alike {
        let sql = format!(
            "update inbox set state = $3 where corp_id = $1 and {}",
            tx.backend().in_texts("body_hash", "$2")
        );
        db::run(tx, &sql, args![corp, text_list(hashes), state.as_str()]).await?;
    }
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
