//! Statements on `sync_part`: what a step is divided into, and what of it could not be read.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use super::whole;
use crate::args;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::{CorpId, SyncRunId, UserId};
use crate::scope::Scope;
use crate::sync::model::Step;
use crate::time::Timestamp;

/// A few members (none: all of them), and where their reading stands.
#[derive(Debug, Clone)]
pub struct Part {
    pub part: i64,
    pub members: Vec<UserId>,
    pub began_at: Option<Timestamp>,
    pub cursor: Option<String>,
}

#[derive(FromQueryResult)]
struct PartRow {
    part: i64,
    members: String,
    began_at: Option<Timestamp>,
    cursor: Option<String>,
}

/// Adds parts of a step.
pub async fn add_parts(
    tx: &Tx,
    corp: CorpId,
    id: SyncRunId,
    step: Step,
    parts: &[Vec<UserId>],
) -> Result<()> {
    let next: i64 = db::count(
        tx,
        "select coalesce(max(part), -1) + 1 from sync_part where corp_id = $1 and run_id = $2",
        args![corp, id],
    )
    .await?;
    let mut rows = Vec::with_capacity(parts.len());
    for (part, members) in (next..).zip(parts) {
        let members = serde_json::to_string(members)?;
        rows.push(args![corp, id, part, step.as_str(), members, "open"]);
    }
    let head = "insert into sync_part (corp_id, run_id, part, step, members, state)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// Takes away a part that others stand in for.
pub async fn drop_part(tx: &Tx, corp: CorpId, id: SyncRunId, part: i64) -> Result<()> {
    let sql = "delete from sync_part where corp_id = $1 and run_id = $2 and part = $3";
    db::run(tx, sql, args![corp, id, part]).await?;
    Ok(())
}

pub async fn is_planned(conn: &impl Conn, corp: CorpId, id: SyncRunId, step: Step) -> Result<bool> {
    let sql = "select count(*) from
                 (select 1 from sync_part where corp_id = $1 and run_id = $2 and step = $3 limit 1) p";
    Ok(db::count(conn, sql, args![corp, id, step.as_str()]).await? > 0)
}

pub async fn open_parts(conn: &impl Conn, corp: CorpId, id: SyncRunId, step: Step) -> Result<Vec<Part>> {
    let rows: Vec<PartRow> = db::all(
        conn,
        "select part, members, began_at, cursor from sync_part
         where corp_id = $1 and run_id = $2 and step = $3 and state = 'open' order by part",
        args![corp, id, step.as_str()],
    )
    .await?;
    let read = |row: PartRow| {
        Ok(Part {
            part: row.part,
            members: serde_json::from_str(&row.members)?,
            began_at: row.began_at,
            cursor: row.cursor,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Notes where a part's reading stands; without a cursor it is done.
pub async fn move_part(
    tx: &Tx,
    corp: CorpId,
    id: SyncRunId,
    part: i64,
    began_at: Timestamp,
    cursor: Option<&str>,
) -> Result<()> {
    db::run(
        tx,
        "update sync_part set began_at = $4, cursor = $5, state = $6
         where corp_id = $1 and run_id = $2 and part = $3",
        args![
            corp,
            id,
            part,
            began_at,
            cursor.map(str::to_owned),
            if cursor.is_some() { "open" } else { "done" }
        ],
    )
    .await?;
    Ok(())
}

pub async fn fail_part(tx: &Tx, corp: CorpId, id: SyncRunId, part: i64, problem: &str) -> Result<()> {
    db::run(
        tx,
        "update sync_part set state = 'failed', problem = $4 where corp_id = $1 and run_id = $2 and part = $3",
        args![corp, id, part, problem],
    )
    .await?;
    Ok(())
}

/// What of a step could not be read or stored, listed with why: no part of its own was planned for it.
pub async fn add_failed(
    tx: &Tx,
    corp: CorpId,
    id: SyncRunId,
    step: Step,
    member: &UserId,
    problem: &str,
) -> Result<()> {
    db::run(
        tx,
        "insert into sync_part (corp_id, run_id, part, step, members, state, problem)
         select $1, $2, coalesce(max(part), -1) + 1, $3, $4, 'failed', $5 from sync_part
         where corp_id = $1 and run_id = $2",
        args![
            corp,
            id,
            step.as_str(),
            serde_json::to_string(&[member])?,
            problem
        ],
    )
    .await?;
    Ok(())
}

/// Members of a run who could not be read, and what the platform said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub members: Vec<UserId>,
    pub problem: String,
}

/// Parts of a run that could not be read, in the order they were planned.
pub async fn unread(conn: &impl Conn, scope: &Scope, id: SyncRunId, limit: i64) -> Result<Vec<Unread>> {
    whole(scope)?;
    let rows = db::rows(
        conn,
        "select members, coalesce(problem, '') from sync_part
         where corp_id = $1 and run_id = $2 and state = 'failed' order by part limit $3",
        args![scope.corp, id, limit],
    )
    .await?;
    let read = |row| {
        Ok(Unread {
            members: serde_json::from_str(&db::column::<String>(row, 0)?)?,
            problem: db::column(row, 1)?,
        })
    };
    rows.iter().map(read).collect()
}

/// How many rows of each step of a run the database did not take; what else failed could not be read.
pub async fn not_taken(conn: &impl Conn, scope: &Scope, id: SyncRunId) -> Result<HashMap<String, i64>> {
    whole(scope)?;
    let sql = format!(
        "select step, count(*) from sync_part
         where corp_id = $1 and run_id = $2 and state = 'failed' and {} group by step",
        db::is_not_taken("problem")
    );
    let rows = db::rows(conn, &sql, args![scope.corp, id]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// How many parts of a run could not be read.
pub async fn count_unread(conn: &impl Conn, scope: &Scope, id: SyncRunId) -> Result<i64> {
    whole(scope)?;
    let sql = "select count(*) from sync_part where corp_id = $1 and run_id = $2 and state = 'failed'";
    db::count(conn, sql, args![scope.corp, id]).await
}
