//! The job table: enqueue, claim, finish, fail. Knows no job by name; `jobs` runs them.
//!
//! A job is a row written in the transaction of the fact that needs it. A claim is a lease with an epoch: a worker
//! that lost its lease changes nothing any more. Redis only makes a wake-up quicker.

use std::collections::HashSet;

use serde::Serialize;

use crate::args;
use crate::db::{self, Conn, Db, Tx};
use crate::error::Result;
use crate::ids::{CorpId, Ids, JobId};
use crate::time::Timestamp;

/// Which goes first when several wait. Lower runs earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Dies in seconds: welcome messages.
    Urgent = 0,
    /// News from the platform.
    Callback = 10,
    Normal = 20,
    /// Campaign batches and polls.
    Campaign = 30,
    /// Sweeps and recomputation.
    Sweep = 40,
}

/// A job to write.
pub struct NewJob<'a> {
    pub corp: CorpId,
    pub kind: &'a str,
    /// A small struct of ids.
    pub payload: String,
    pub lane: Lane,
    pub run_at: Timestamp,
    /// While a job with this key waits, another is not added. A running one does not count: news may have come
    /// after it looked.
    pub unique_key: Option<String>,
}

/// A claimed job: ours until the lease runs out.
#[derive(Debug, Clone, sea_orm::FromQueryResult)]
pub struct Job {
    pub id: JobId,
    pub corp_id: CorpId,
    pub kind: String,
    pub payload: String,
    pub attempts: i64,
    pub lease_epoch: i64,
    pub run_at: Timestamp,
    pub lane: i64,
}

impl Job {
    /// Long work that nobody waits for.
    pub fn is_sweep(&self) -> bool {
        self.lane >= Lane::Sweep as i64
    }
}

/// How long a worker may hold a job without renewing.
pub const LEASE_MS: i64 = 60_000;
/// After so many failures a job is set aside for a person to look at.
pub const MAX_ATTEMPTS: i64 = 12;

const INSERT: &str =
    "insert into job (id, corp_id, kind, payload, lane, state, run_at, attempts, lease_epoch,
   lease_until, unique_key, created_at)";
const UNLESS_WAITING: &str = "on conflict (corp_id, kind, unique_key) do nothing";

/// Writes a job in the caller's transaction. `false`: one with this key is there already.
pub async fn enqueue(tx: &Tx, ids: &Ids, now: Timestamp, job: NewJob<'_>) -> Result<bool> {
    Ok(enqueue_all(tx, ids, now, [job]).await? == 1)
}

/// Writes jobs in the caller's transaction; answers how many were not there already.
pub async fn enqueue_all<'a>(
    tx: &Tx,
    ids: &Ids,
    now: Timestamp,
    jobs: impl IntoIterator<Item = NewJob<'a>>,
) -> Result<u64> {
    let row = |job: NewJob<'_>| {
        args![
            JobId::new(ids, now),
            job.corp,
            job.kind,
            job.payload,
            job.lane as i64,
            "waiting",
            job.run_at,
            0i64,
            0i64,
            0i64,
            job.unique_key,
            now
        ]
    };
    let rows: Vec<_> = jobs.into_iter().map(row).collect();
    db::insert_many(tx, INSERT, rows, UNLESS_WAITING).await
}

/// A job's payload as text.
pub fn payload(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("a payload is plain data")
}

/// Takes up to `limit` jobs that are due, most urgent first. Leases run on the database's clock.
pub async fn claim(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<Job>> {
    claim_up_to(db, now, limit, Lane::Sweep).await
}

/// The same, leaving lanes after `last` alone.
pub async fn claim_up_to(db: &Db, now: Timestamp, limit: i64, last: Lane) -> Result<Vec<Job>> {
    let tx = db.begin().await?;
    let (clock, skip) = (tx.backend().now_ms(), tx.backend().skip_locked());
    let sql = format!(
        "update job set state = 'running', attempts = attempts + 1, lease_epoch = lease_epoch + 1, unique_key = null,
                lease_until = {clock} + $3
         where id in (select id from job where state = 'waiting' and run_at <= $1 and lane <= $4 order by lane, run_at, id limit $2{skip})
         returning id, corp_id, kind, payload, attempts, lease_epoch, run_at, lane"
    );
    let mut jobs: Vec<Job> = db::all(&tx, &sql, args![now, limit, LEASE_MS, last as i64]).await?;
    tx.commit().await?;
    jobs.sort_by_key(|job| (job.lane, job.run_at, job.id));
    Ok(jobs)
}

/// Holds the lease longer. `false`: it was lost, stop at once.
pub async fn renew(db: &Db, job: &Job) -> Result<bool> {
    let tx = db.begin().await?;
    let sql = format!(
        "update job set lease_until = {} + $3 where id = $1 and lease_epoch = $2 and state = 'running'",
        tx.backend().now_ms()
    );
    let held = db::run(&tx, &sql, args![job.id, job.lease_epoch, LEASE_MS]).await?;
    tx.commit().await?;
    Ok(held == 1)
}

/// Done: the row goes. Nothing happens when the lease was lost.
pub async fn finish(db: &Db, job: &Job) -> Result<()> {
    let tx = db.begin().await?;
    db::run(
        &tx,
        "delete from job where id = $1 and lease_epoch = $2",
        args![job.id, job.lease_epoch],
    )
    .await?;
    tx.commit().await
}

/// Back in line for `run_at`; the error is kept for whoever looks. `counts`: whether it was a failed try
/// (waiting for the platform's limit to pass is not).
pub async fn retry(db: &Db, job: &Job, run_at: Timestamp, error: &str, counts: bool) -> Result<()> {
    let tx = db.begin().await?;
    let state = if counts && job.attempts >= MAX_ATTEMPTS {
        "dead"
    } else {
        "waiting"
    };
    db::run(
        &tx,
        "update job set state = $3, run_at = $4, last_error = $5, attempts = attempts - $6
         where id = $1 and lease_epoch = $2",
        args![
            job.id,
            job.lease_epoch,
            state,
            run_at,
            error,
            if counts { 0i64 } else { 1 }
        ],
    )
    .await?;
    tx.commit().await
}

/// Set aside: no retry can help.
pub async fn give_up(db: &Db, job: &Job, error: &str) -> Result<()> {
    let tx = db.begin().await?;
    db::run(
        &tx,
        "update job set state = 'dead', last_error = $3, unique_key = null where id = $1 and lease_epoch = $2",
        args![job.id, job.lease_epoch, error],
    )
    .await?;
    tx.commit().await
}

/// Puts jobs whose worker vanished back in line; answers how many.
pub async fn reap(db: &Db) -> Result<u64> {
    let tx = db.begin().await?;
    let sql = format!(
        "update job set state = 'waiting' where state = 'running' and lease_until < {}",
        tx.backend().now_ms()
    );
    let returned = db::run(&tx, &sql, args![]).await?;
    tx.commit().await?;
    Ok(returned)
}

/// The payloads of a kind's jobs that wait or run: a job on its second try has no key any more.
pub async fn open_payloads(conn: &impl Conn, corp: CorpId, kind: &str) -> Result<HashSet<String>> {
    let sql = "select payload from job where corp_id = $1 and kind = $2 and state in ('waiting', 'running')";
    let payloads = db::scalars(conn, sql, args![corp, kind]).await?;
    Ok(payloads.into_iter().collect())
}

/// Jobs by state, for the admin page and `/metrics`.
pub async fn depth(conn: &impl Conn) -> Result<Vec<(String, i64)>> {
    let rows = db::rows(
        conn,
        "select state, count(*) from job group by state order by state",
        args![],
    )
    .await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// When the next waiting job of a lane up to `last` is due.
pub async fn next_due(conn: &impl Conn, last: Lane) -> Result<Option<Timestamp>> {
    Ok(db::scalar::<Option<Timestamp>>(
        conn,
        "select min(run_at) from job where state = 'waiting' and lane <= $1",
        args![last as i64],
    )
    .await?
    .flatten())
}
