//! Statements on `saved_answer`: the one table the API has for itself.

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::ids::{ApiKeyId, CorpId};
use crate::time::Timestamp;

/// `status` of an attempt that has no answer yet.
pub(super) const UNDER_WAY: i64 = 0;

/// Whose key it is.
pub(super) struct Owner {
    pub corp: CorpId,
    pub api_key: ApiKeyId,
    pub key: String,
}

#[derive(FromQueryResult)]
pub(super) struct Held {
    pub request_hash: String,
    pub status: i64,
    pub body: String,
    pub created_at: Timestamp,
}

impl Owner {
    /// The first three arguments of a statement, and more.
    fn args(&self, more: Vec<sea_orm::Value>) -> Vec<sea_orm::Value> {
        let mut args = args![self.corp, self.api_key, self.key.clone()];
        args.extend(more);
        args
    }
}

/// Drops the key's row if it is older than `oldest`.
pub(super) async fn forget_expired(tx: &Tx, owner: &Owner, oldest: Timestamp) -> Result<()> {
    db::run(
        tx,
        "delete from saved_answer
         where corp_id = $1 and api_key_id = $2 and idempotency_key = $3 and created_at < $4",
        owner.args(args![oldest]),
    )
    .await?;
    Ok(())
}

/// `false`: there is a row already. Waits for a transaction that is about to make one.
pub(super) async fn reserve(tx: &Tx, owner: &Owner, request_hash: &str, now: Timestamp) -> Result<bool> {
    let taken = db::run(
        tx,
        "insert into saved_answer (corp_id, api_key_id, idempotency_key, request_hash, status, body, created_at)
         values ($1, $2, $3, $4, $5, '', $6)
         on conflict (corp_id, api_key_id, idempotency_key) do nothing",
        owner.args(args![request_hash, UNDER_WAY, now]),
    )
    .await?;
    Ok(taken == 1)
}

pub(super) async fn held(tx: &Tx, owner: &Owner) -> Result<Option<Held>> {
    db::first(
        tx,
        "select request_hash, status, body, created_at from saved_answer
         where corp_id = $1 and api_key_id = $2 and idempotency_key = $3",
        owner.args(vec![]),
    )
    .await
}

/// `false`: somebody else took it since.
pub(super) async fn take_over(tx: &Tx, owner: &Owner, since: Timestamp, now: Timestamp) -> Result<bool> {
    let taken = db::run(
        tx,
        "update saved_answer set created_at = $4
         where corp_id = $1 and api_key_id = $2 and idempotency_key = $3 and status = $5 and created_at = $6",
        owner.args(args![now, UNDER_WAY, since]),
    )
    .await?;
    Ok(taken == 1)
}

pub(super) async fn save(tx: &Tx, owner: &Owner, status: i64, body: String, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "update saved_answer set status = $4, body = $5, created_at = $6
         where corp_id = $1 and api_key_id = $2 and idempotency_key = $3",
        owner.args(args![status, body, now]),
    )
    .await?;
    Ok(())
}

pub(super) async fn free(tx: &Tx, owner: &Owner) -> Result<()> {
    db::run(
        tx,
        "delete from saved_answer where corp_id = $1 and api_key_id = $2 and idempotency_key = $3",
        owner.args(vec![]),
    )
    .await?;
    Ok(())
}

/// Drops every row older than `oldest`.
pub(super) async fn sweep(tx: &Tx, oldest: Timestamp) -> Result<()> {
    db::run(
        tx,
        "delete from saved_answer where created_at < $1",
        args![oldest],
    )
    .await?;
    Ok(())
}
