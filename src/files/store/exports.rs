//! Statements on exports and their parts.

use sea_orm::FromQueryResult;

use crate::args;
use crate::contacts::ContactFilter;
use crate::db::{self, Conn, Tx};
use crate::error::{Error, Result};
use crate::files::{Export, FieldColumn, State};
use crate::ids::{CorpId, ExportId};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Actor, Reach, Scope};
use crate::time::Timestamp;

#[derive(FromQueryResult)]
struct Row {
    id: ExportId,
    state: String,
    reach: String,
    total: i64,
    written: i64,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    expires_at: Timestamp,
    problem: Option<String>,
}

impl Row {
    fn told(self) -> Export {
        Export {
            id: self.id,
            // A state of a newer version is none that has ended.
            state: State::parse(&self.state).unwrap_or(State::Running),
            total: self.total,
            written: self.written,
            created_at: self.created_at,
            ended_at: self.ended_at,
            expires_at: self.expires_at,
            problem: self.problem,
        }
    }
}

const EXPORT: &str = "select id, state, reach, total, written, created_at, ended_at, expires_at, problem
   from contact_export where corp_id = $1 and created_by = $2";

/// The caller's own exports, the last first.
pub async fn list_exports(conn: &impl Conn, scope: &Scope, by: Actor, page: &PageOf) -> Result<Page<Export>> {
    let after = page.after::<ExportId>()?.unwrap_or(ExportId(i64::MAX));
    let sql = format!("{EXPORT} and id < $3 order by id desc limit $4");
    let args = args![scope.corp, by.to_string(), after, page.limit() + 1];
    let rows: Vec<Row> = db::all(conn, &sql, args).await?;
    Ok(Page::cut(rows, page, |row| row.id).map(Row::told))
}

/// An export of the caller's that shows nothing they may not see now.
pub async fn find_export(conn: &impl Conn, scope: &Scope, by: Actor, id: ExportId) -> Result<Export> {
    let sql = format!("{EXPORT} and id = $3");
    let row: Row = db::find(conn, &sql, args![scope.corp, by.to_string(), id]).await?;
    let asked_in = Scope {
        corp: scope.corp,
        reach: serde_json::from_str(&row.reach)?,
    };
    if scope.covers(&asked_in) {
        Ok(row.told())
    } else {
        Err(Error::NotFound)
    }
}

pub struct New<'a> {
    pub id: ExportId,
    pub filter: &'a ContactFilter,
    pub fields: Vec<FieldColumn>,
    pub total: i64,
    pub expires_at: Timestamp,
}

pub async fn insert(tx: &Tx, act: &Act<'_>, scope: &Scope, new: New<'_>) -> Result<()> {
    let sql = "insert into contact_export (corp_id, id, state, filter, reach, fields, total, written, part, created_by,
                 created_at, expires_at)
               values ($1, $2, 'running', $3, $4, $5, $6, 0, 0, $7, $8, $9)";
    let args = args![
        scope.corp,
        new.id,
        serde_json::to_string(new.filter)?,
        serde_json::to_string(&scope.reach)?,
        serde_json::to_string(&new.fields)?,
        new.total,
        act.by.to_string(),
        act.now,
        new.expires_at
    ];
    db::run(tx, sql, args).await?;
    Ok(())
}

/// What is left to do of an export.
pub struct Task {
    pub scope: Scope,
    pub filter: ContactFilter,
    pub fields: Vec<FieldColumn>,
    pub part: i64,
    pub after: Option<String>,
    pub asked_by: Actor,
    pub asked_at: Timestamp,
}

/// One that is under way.
pub async fn task(conn: &impl Conn, corp: CorpId, id: ExportId) -> Result<Option<Task>> {
    let sql = "select filter, reach, fields, part, after_row, created_by, created_at from contact_export
               where corp_id = $1 and id = $2 and state = 'running'";
    let rows = db::rows(conn, sql, args![corp, id]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let reach: Reach = serde_json::from_str(&db::column::<String>(row, 1)?)?;
    let asked_by: String = db::column(row, 5)?;
    Ok(Some(Task {
        scope: Scope { corp, reach },
        filter: serde_json::from_str(&db::column::<String>(row, 0)?)?,
        fields: serde_json::from_str(&db::column::<String>(row, 2)?)?,
        part: db::column(row, 3)?,
        after: db::column(row, 4)?,
        asked_by: Actor::parse(&asked_by).ok_or_else(|| Error::internal("an export of nobody"))?,
        asked_at: db::column(row, 6)?,
    }))
}

/// Goes on behind a part; `false`: it is not under way, or somebody else has written this part.
pub async fn advance(
    tx: &Tx,
    corp: CorpId,
    id: ExportId,
    task: &Task,
    written: i64,
    after: Option<&str>,
) -> Result<bool> {
    let sql =
        "update contact_export set written = written + $4, part = part + 1, after_row = cast($5 as text)
               where corp_id = $1 and id = $2 and state = 'running' and part = $3";
    let args = args![corp, id, task.part, written, after.map(str::to_owned)];
    Ok(db::run(tx, sql, args).await? == 1)
}

pub async fn put_part(tx: &Tx, corp: CorpId, id: ExportId, part: i64, body: &str) -> Result<()> {
    let sql = "insert into export_part (corp_id, export_id, part, body) values ($1, $2, $3, $4)";
    db::run(tx, sql, args![corp, id, part, body]).await?;
    Ok(())
}

pub async fn part(conn: &impl Conn, corp: CorpId, id: ExportId, part: i64) -> Result<Option<String>> {
    let sql = "select body from export_part where corp_id = $1 and export_id = $2 and part = $3";
    db::scalar(conn, sql, args![corp, id, part]).await
}

pub async fn fields(conn: &impl Conn, corp: CorpId, id: ExportId) -> Result<Vec<FieldColumn>> {
    let sql = "select fields from contact_export where corp_id = $1 and id = $2";
    let fields: String = db::scalar(conn, sql, args![corp, id])
        .await?
        .ok_or(Error::NotFound)?;
    Ok(serde_json::from_str(&fields)?)
}

/// Ends one that is under way; `false`: it is not.
pub async fn end(
    tx: &Tx,
    corp: CorpId,
    id: ExportId,
    state: State,
    problem: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "update contact_export set state = $3, ended_at = $4, problem = cast($5 as text)
               where corp_id = $1 and id = $2 and state = 'running'";
    let args = args![corp, id, state.as_str(), now, problem.map(str::to_owned)];
    Ok(db::run(tx, sql, args).await? == 1)
}

pub async fn forget_parts(tx: &Tx, corp: CorpId, id: ExportId) -> Result<()> {
    let sql = "delete from export_part where corp_id = $1 and export_id = $2";
    db::run(tx, sql, args![corp, id]).await?;
    Ok(())
}

pub async fn forget(tx: &Tx, corp: CorpId, id: ExportId) -> Result<()> {
    forget_parts(tx, corp, id).await?;
    let sql = "delete from contact_export where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id]).await?;
    Ok(())
}
