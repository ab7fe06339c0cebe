//! Statements on imports, their rows that wait and those that were refused.

use std::collections::HashMap;

use sea_orm::{FromQueryResult, QueryResult};
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::args;
use crate::db::{self, Conn, Tx, id_list};
use crate::error::{Error, Result};
use crate::files::head::Head;
use crate::files::load::Refusal;
use crate::files::receive::place;
use crate::files::{Import, RefusedRow, RefusedRows, State};
use crate::ids::{ContactId, CorpId, ImportId};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Scope};
use crate::time::Timestamp;

#[derive(FromQueryResult)]
struct Row {
    id: ImportId,
    name: String,
    state: String,
    total: i64,
    loaded: i64,
    unchanged: i64,
    refused: i64,
    created_by: String,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    problem: Option<String>,
}

impl Row {
    fn told(self) -> Import {
        Import {
            id: self.id,
            name: self.name,
            // A state of a newer version is none that has ended.
            state: State::parse(&self.state).unwrap_or(State::Running),
            total: self.total,
            loaded: self.loaded,
            unchanged: self.unchanged,
            refused: self.refused,
            created_by: self.created_by,
            created_at: self.created_at,
            ended_at: self.ended_at,
            problem: self.problem,
        }
    }
}

const IMPORT: &str =
    "select id, name, state, total, loaded, unchanged, refused, created_by, created_at, ended_at, problem
   from contact_import where corp_id = $1 and state <> 'reading'";

/// Imports that began, the last first. Only headquarters sees any.
pub async fn list_imports(conn: &impl Conn, scope: &Scope, page: &PageOf) -> Result<Page<Import>> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let after = page.after::<ImportId>()?.unwrap_or(ImportId(i64::MAX));
    let sql = format!("{IMPORT} and id < $2 order by id desc limit $3");
    let rows: Vec<Row> = db::all(conn, &sql, args![scope.corp, after, page.limit() + 1]).await?;
    Ok(Page::cut(rows, page, |row| row.id).map(Row::told))
}

pub async fn find_import(conn: &impl Conn, scope: &Scope, id: ImportId) -> Result<Import> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let row: Row = db::find(conn, &format!("{IMPORT} and id = $2"), args![scope.corp, id]).await?;
    Ok(row.told())
}

pub async fn insert(tx: &Tx, corp: CorpId, id: ImportId, name: &str, act: &Act<'_>) -> Result<()> {
    let sql = "insert into contact_import (corp_id, id, name, state, head, columns, is_tabbed, total, loaded, unchanged,
                 refused, created_by, created_at)
               values ($1, $2, $3, 'reading', '[]', '[]', false, 0, 0, 0, 0, $4, $5)";
    db::run(tx, sql, args![corp, id, name, act.by.to_string(), act.now]).await?;
    Ok(())
}

pub async fn put_part(tx: &Tx, corp: CorpId, id: ImportId, part: i64, sealed: &str) -> Result<()> {
    let sql = "insert into import_part (corp_id, import_id, part, rows) values ($1, $2, $3, $4)";
    db::run(tx, sql, args![corp, id, part, sealed]).await?;
    Ok(())
}

/// The whole file is here.
pub async fn received(tx: &Tx, corp: CorpId, id: ImportId, head: &Head, total: i64) -> Result<()> {
    let sql = "update contact_import set head = $3, columns = $4, is_tabbed = $5, total = $6
               where corp_id = $1 and id = $2 and state = 'reading'";
    let names = serde_json::to_string(&head.names)?;
    let columns = serde_json::to_string(&head.columns)?;
    db::run(tx, sql, args![corp, id, names, columns, head.is_tabbed, total]).await?;
    Ok(())
}

/// Begins one that was received; answers its rows.
pub async fn start(tx: &Tx, corp: CorpId, id: ImportId) -> Result<Option<i64>> {
    let sql = "update contact_import set state = 'running'
               where corp_id = $1 and id = $2 and state = 'reading' and total > 0 returning total";
    db::scalar(tx, sql, args![corp, id]).await
}

/// Keeps one that is under way from everybody else until the transaction ends.
pub async fn hold(tx: &Tx, corp: CorpId, id: ImportId) -> Result<Option<Head>> {
    let sql =
        "update contact_import set state = 'running' where corp_id = $1 and id = $2 and state = 'running'
               returning head, columns, is_tabbed";
    let rows = db::rows(tx, sql, args![corp, id]).await?;
    let head = |row: &QueryResult| {
        Ok(Head {
            names: serde_json::from_str(&db::column::<String>(row, 0)?)?,
            columns: serde_json::from_str(&db::column::<String>(row, 1)?)?,
            is_tabbed: db::column(row, 2)?,
        })
    };
    rows.first().map(head).transpose()
}

/// The first rows that wait, sealed, with their number.
pub async fn next_part(tx: &Tx, corp: CorpId, id: ImportId) -> Result<Option<(i64, String)>> {
    let sql =
        "select part, rows from import_part where corp_id = $1 and import_id = $2 order by part limit 1";
    let rows = db::rows(tx, sql, args![corp, id]).await?;
    let part = |row: &QueryResult| Ok((db::column(row, 0)?, db::column(row, 1)?));
    rows.first().map(part).transpose()
}

/// What became of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub loaded: i64,
    pub unchanged: i64,
    pub refused: i64,
}

/// Rows wait no more.
pub async fn taken(tx: &Tx, corp: CorpId, id: ImportId, part: i64, counts: Counts) -> Result<()> {
    let sql = "delete from import_part where corp_id = $1 and import_id = $2 and part = $3";
    db::run(tx, sql, args![corp, id, part]).await?;
    let sql =
        "update contact_import set loaded = loaded + $3, unchanged = unchanged + $4, refused = refused + $5
               where corp_id = $1 and id = $2";
    let Counts {
        loaded,
        unchanged,
        refused,
    } = counts;
    db::run(tx, sql, args![corp, id, loaded, unchanged, refused]).await?;
    Ok(())
}

/// Ends one that is under way; `false`: it is not.
pub async fn end(
    tx: &Tx,
    corp: CorpId,
    id: ImportId,
    state: State,
    problem: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "update contact_import set state = $3, ended_at = $4, problem = cast($5 as text)
               where corp_id = $1 and id = $2 and state = 'running'";
    let args = args![corp, id, state.as_str(), now, problem.map(str::to_owned)];
    let is_ended = db::run(tx, sql, args).await? == 1;
    if is_ended {
        forget_rows(tx, corp, id).await?;
    }
    Ok(is_ended)
}

/// What an import needs only while it goes on.
async fn forget_rows(tx: &Tx, corp: CorpId, id: ImportId) -> Result<()> {
    for table in ["import_part", "import_found"] {
        let sql = format!("delete from {table} where corp_id = $1 and import_id = $2");
        db::run(tx, &sql, args![corp, id]).await?;
    }
    Ok(())
}

pub async fn forget(tx: &Tx, corp: CorpId, id: ImportId) -> Result<()> {
    forget_rows(tx, corp, id).await?;
    let sql = "delete from import_refusal where corp_id = $1 and import_id = $2";
    db::run(tx, sql, args![corp, id]).await?;
    let sql = "delete from contact_import where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id]).await?;
    Ok(())
}

/// Of these contacts those that the import has found, each with its line.
pub async fn found(
    tx: &Tx,
    corp: CorpId,
    id: ImportId,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, i64>> {
    let sql = format!(
        "select contact_id, line from import_found where corp_id = $1 and import_id = $2 and {}",
        tx.backend().in_ids("contact_id", "$3")
    );
    let ids = id_list(contacts.iter().map(|contact| contact.0));
    let rows = db::rows(tx, &sql, args![corp, id, ids]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

pub async fn note_found(tx: &Tx, corp: CorpId, id: ImportId, found: Vec<(ContactId, i64)>) -> Result<()> {
    let rows = found
        .into_iter()
        .map(|(contact, line)| args![corp, id, contact, line]);
    let head = "insert into import_found (corp_id, import_id, contact_id, line)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// Keeps rows that were not loaded, sealed as they came.
pub async fn refuse(tx: &Tx, app: &App, corp: CorpId, id: ImportId, refused: Vec<Refusal>) -> Result<()> {
    let place = place(corp, id);
    let mut rows = Vec::with_capacity(refused.len());
    for one in refused {
        let cells = app.sealer.seal(&place, &serde_json::to_string(&one.cells)?);
        let args: Vec<_> = one
            .why
            .args()
            .iter()
            .map(|(name, value)| (*name, value))
            .collect();
        rows.push(args![
            corp,
            id,
            one.line,
            one.column,
            one.why.to_string(),
            one.why.key().unwrap_or_default(),
            serde_json::to_string(&args)?,
            cells
        ]);
    }
    let head =
        "insert into import_refusal (corp_id, import_id, line, field, reason, text_key, text_args, cells)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// Rows that were not loaded, by line, those after `after`.
pub async fn refused_rows(
    app: &App,
    scope: &Scope,
    id: ImportId,
    after: i64,
    limit: i64,
) -> Result<RefusedRows> {
    find_import(&app.db, scope, id).await?;
    let sql = "select head from contact_import where corp_id = $1 and id = $2";
    let head: String = db::scalar(&app.db, sql, args![scope.corp, id])
        .await?
        .ok_or(Error::NotFound)?;
    let sql = "select line, field, reason, text_key, text_args, cells from import_refusal
               where corp_id = $1 and import_id = $2 and line > $3 order by line limit $4";
    let rows = db::rows(&app.db, sql, args![scope.corp, id, after, limit + 1]).await?;
    let place = place(scope.corp, id);
    let told = |row: &QueryResult| -> Result<RefusedRow> {
        let cells = app.sealer.open(&place, &db::column::<String>(row, 5)?)?;
        Ok(RefusedRow {
            line: db::column(row, 0)?,
            column: db::column(row, 1)?,
            reason: db::column(row, 2)?,
            key: db::column(row, 3)?,
            args: serde_json::from_str(&db::column::<String>(row, 4)?)?,
            cells: serde_json::from_str(cells.expose_secret())?,
        })
    };
    let is_more = rows.len() as i64 > limit;
    let rows: Vec<RefusedRow> = rows
        .iter()
        .take(limit as usize)
        .map(told)
        .collect::<Result<_>>()?;
    Ok(RefusedRows {
        head: serde_json::from_str(&head)?,
        next: rows.last().filter(|_| is_more).map(|row| row.line),
        rows,
    })
}
