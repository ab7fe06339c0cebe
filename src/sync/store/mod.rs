//! Every statement on `sync_run`, `sync_step` and `sync_part`.

mod parts;

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::{CorpId, SyncRunId};
use crate::scope::Scope;
use crate::sync::model::{Kind, Run, Step, StepState};
use crate::time::Timestamp;

pub use parts::*;

/// How long an owner may be silent before another goes on, in milliseconds.
pub const LEASE_MS: i64 = 60_000;

#[derive(FromQueryResult)]
struct RunRow {
    id: SyncRunId,
    kind: String,
    state: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

const RUN: &str = "select id, kind, state, started_at, ended_at from sync_run where corp_id = $1";

/// The run under way, if there is one.
pub async fn running(conn: &impl Conn, corp: CorpId) -> Result<Option<SyncRunId>> {
    db::scalar(
        conn,
        "select id from sync_run where corp_id = $1 and state = 'running'",
        args![corp],
    )
    .await
}

/// Adds a run with its steps; `false`: another is under way.
pub async fn insert(tx: &Tx, corp: CorpId, id: SyncRunId, kind: Kind, now: Timestamp) -> Result<bool> {
    let inserted = db::run(
        tx,
        "insert into sync_run (corp_id, id, kind, state, started_at, ended_at, lease_epoch, lease_until)
         values ($1, $2, $3, 'running', $4, null, 0, 0)
         on conflict do nothing",
        args![corp, id, kind.as_str(), now],
    )
    .await?;
    if inserted == 0 {
        return Ok(false);
    }
    let rows = Step::ALL.iter().enumerate().map(|(sort, step)| {
        args![
            corp,
            id,
            step.as_str(),
            sort as i64,
            "waiting",
            0i64,
            0i64,
            0i64,
            0i64,
            0i64,
            0i64
        ]
    });
    let head = "insert into sync_step (corp_id, run_id, step, sort, state, done, total, seen, changed, closed, failed)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(true)
}

/// Ends a run that is under way; `false`: it is not.
pub async fn end(tx: &Tx, corp: CorpId, id: SyncRunId, state: &str, now: Timestamp) -> Result<bool> {
    let ended = db::run(
        tx,
        "update sync_run set state = $3, ended_at = $4 where corp_id = $1 and id = $2 and state = 'running'",
        args![corp, id, state, now],
    )
    .await?;
    Ok(ended == 1)
}

/// Takes a run nobody works on; answers the epoch of the lease.
pub async fn take(tx: &Tx, corp: CorpId, id: SyncRunId) -> Result<Option<i64>> {
    let now = tx.backend().now_ms();
    let sql = format!(
        "update sync_run set lease_epoch = lease_epoch + 1, lease_until = {now} + {LEASE_MS}
         where corp_id = $1 and id = $2 and state = 'running' and lease_until < {now}
         returning lease_epoch"
    );
    db::scalar(tx, &sql, args![corp, id]).await
}

/// Renews the lease, or (`until_ms` 0) gives it back. `false`: it is not ours any more, or the run has ended.
pub async fn hold(tx: &Tx, corp: CorpId, id: SyncRunId, epoch: i64, until_ms: i64) -> Result<bool> {
    let sql = format!(
        "update sync_run set lease_until = {} + {until_ms}
         where corp_id = $1 and id = $2 and state = 'running' and lease_epoch = $3",
        tx.backend().now_ms()
    );
    Ok(db::run(tx, &sql, args![corp, id, epoch]).await? == 1)
}

/// The steps that have not ended, in order.
pub async fn open_steps(conn: &impl Conn, corp: CorpId, id: SyncRunId) -> Result<Vec<String>> {
    db::scalars(
        conn,
        "select step from sync_step where corp_id = $1 and run_id = $2 and state not in ('done', 'failed') order by sort",
        args![corp, id],
    )
    .await
}

pub async fn begin_step(tx: &Tx, corp: CorpId, id: SyncRunId, step: Step, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "update sync_step set state = 'running', started_at = coalesce(started_at, $4)
         where corp_id = $1 and run_id = $2 and step = $3 and state <> 'running'",
        args![corp, id, step.as_str(), now],
    )
    .await?;
    Ok(())
}

/// `problem` of a step that ended well is what could not be read.
pub async fn end_step(
    tx: &Tx,
    corp: CorpId,
    id: SyncRunId,
    step: Step,
    state: &str,
    problem: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    db::run(
        tx,
        "update sync_step set state = $4, ended_at = $5, problem = cast($6 as text)
         where corp_id = $1 and run_id = $2 and step = $3",
        args![corp, id, step.as_str(), state, now, problem.map(str::to_owned)],
    )
    .await?;
    Ok(())
}

/// Says what a step waits for, or (`None`) that it goes on.
pub async fn note(tx: &Tx, corp: CorpId, id: SyncRunId, step: Step, problem: Option<&str>) -> Result<()> {
    db::run(
        tx,
        "update sync_step set problem = $4 where corp_id = $1 and run_id = $2 and step = $3",
        args![corp, id, step.as_str(), problem.map(str::to_owned)],
    )
    .await?;
    Ok(())
}

/// What a few readings brought.
#[derive(Debug, Default, Clone, Copy)]
pub struct Progress {
    pub done: i64,
    pub seen: i64,
    pub changed: i64,
    pub closed: i64,
    pub failed: i64,
}

pub async fn advance(tx: &Tx, corp: CorpId, id: SyncRunId, step: Step, by: Progress) -> Result<()> {
    db::run(
        tx,
        "update sync_step set done = done + $4, seen = seen + $5, changed = changed + $6, closed = closed + $7,
           failed = failed + $8
         where corp_id = $1 and run_id = $2 and step = $3",
        args![
            corp,
            id,
            step.as_str(),
            by.done,
            by.seen,
            by.changed,
            by.closed,
            by.failed
        ],
    )
    .await?;
    Ok(())
}

/// Rows that a run has seen, in all its steps.
pub async fn seen(conn: &impl Conn, corp: CorpId, id: SyncRunId) -> Result<i64> {
    let sql =
        "select cast(coalesce(sum(seen), 0) as bigint) from sync_step where corp_id = $1 and run_id = $2";
    db::count(conn, sql, args![corp, id]).await
}

/// Says how much of a step is left to do.
pub async fn set_left(tx: &Tx, corp: CorpId, id: SyncRunId, step: Step, left: i64) -> Result<()> {
    db::run(
        tx,
        "update sync_step set total = done + $4 where corp_id = $1 and run_id = $2 and step = $3",
        args![corp, id, step.as_str(), left],
    )
    .await?;
    Ok(())
}

/// When a step began: what was looked at since need not be again.
pub async fn step_began(conn: &impl Conn, corp: CorpId, id: SyncRunId, step: Step) -> Result<Timestamp> {
    let sql = "select started_at from sync_step where corp_id = $1 and run_id = $2 and step = $3";
    let began: Option<Option<Timestamp>> = db::scalar(conn, sql, args![corp, id, step.as_str()]).await?;
    began
        .flatten()
        .ok_or_else(|| Error::internal("a step that has not begun"))
}

/// Where a run stands: as long as this stays the same, it gets nowhere. Rows that are only read again do not count.
#[derive(Debug, PartialEq, Eq)]
pub struct Standing {
    ended: i64,
    done: i64,
    cursors: Vec<String>,
}

pub async fn standing(conn: &impl Conn, corp: CorpId, id: SyncRunId) -> Result<Standing> {
    let ended =
        "select (select count(*) from sync_step where corp_id = $1 and run_id = $2 and ended_at is not null)
                   + (select count(*) from sync_part where corp_id = $1 and run_id = $2 and state <> 'open')";
    let done =
        "select cast(coalesce(sum(done), 0) as bigint) from sync_step where corp_id = $1 and run_id = $2";
    let cursors = "select cursor from sync_part
                   where corp_id = $1 and run_id = $2 and state = 'open' and cursor is not null order by part";
    Ok(Standing {
        ended: db::count(conn, ended, args![corp, id]).await?,
        done: db::count(conn, done, args![corp, id]).await?,
        cursors: db::scalars(conn, cursors, args![corp, id]).await?,
    })
}

/// Ends the step under way as failed.
pub async fn fail_step(tx: &Tx, corp: CorpId, id: SyncRunId, problem: &str, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "update sync_step set state = 'failed', ended_at = $3, problem = $4
         where corp_id = $1 and run_id = $2 and state = 'running'",
        args![corp, id, now, problem],
    )
    .await?;
    Ok(())
}

/// Deletes runs that ended before `before`, but the last of each kind of end.
pub async fn sweep(tx: &Tx, corp: CorpId, before: Timestamp) -> Result<()> {
    for table in ["sync_part", "sync_step"] {
        let sql = format!(
            "delete from {table} where corp_id = $1 and run_id in
               (select id from sync_run where corp_id = $1 and ended_at < $2)"
        );
        db::run(tx, &sql, args![corp, before]).await?;
    }
    let sql = "delete from sync_run where corp_id = $1 and ended_at < $2";
    db::run(tx, sql, args![corp, before]).await?;
    Ok(())
}

/// One run.
///
/// # Errors
/// `NotFound` where there is none, or the scope is not the whole corp.
pub async fn find(conn: &impl Conn, scope: &Scope, id: SyncRunId) -> Result<Run> {
    whole(scope)?;
    let row: RunRow = db::find(conn, &format!("{RUN} and id = $2"), args![scope.corp, id]).await?;
    with_steps(conn, scope.corp, row).await
}

/// The run that was started last.
pub async fn latest(conn: &impl Conn, scope: &Scope) -> Result<Option<Run>> {
    Ok(list(conn, scope, 1).await?.pop())
}

/// The last runs, newest first.
pub async fn list(conn: &impl Conn, scope: &Scope, limit: i64) -> Result<Vec<Run>> {
    whole(scope)?;
    let sql = format!("{RUN} order by started_at desc, id desc limit $2");
    let rows: Vec<RunRow> = db::all(conn, &sql, args![scope.corp, limit]).await?;
    let mut runs = Vec::with_capacity(rows.len());
    for row in rows {
        runs.push(with_steps(conn, scope.corp, row).await?);
    }
    Ok(runs)
}

fn whole(scope: &Scope) -> Result<()> {
    if scope.is_whole() {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

async fn with_steps(conn: &impl Conn, corp: CorpId, row: RunRow) -> Result<Run> {
    let steps: Vec<StepState> = db::all(
        conn,
        "select step, state, done, total, seen, changed, closed, failed, started_at, ended_at, problem
         from sync_step where corp_id = $1 and run_id = $2 order by sort",
        args![corp, row.id],
    )
    .await?;
    Ok(Run {
        id: row.id,
        kind: row.kind,
        state: row.state,
        started_at: row.started_at,
        ended_at: row.ended_at,
        steps,
    })
}
