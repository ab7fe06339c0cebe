//! Statements of the checks: they read what other domains keep and write only `doctor_report`.

use crate::args;
use crate::db::{self, Conn, Db, Tx};
use crate::error::Result;
use crate::ids::{CorpId, UserId};
use crate::time::Timestamp;

/// Asks the database which version it is.
pub async fn version(db: &Db) -> Result<String> {
    let version: Option<String> = db::scalar(db, db.backend().version(), args![]).await?;
    Ok(version.unwrap_or_default())
}

/// Writes and takes it back: a database that may only be read refuses.
pub async fn try_to_write(db: &Db) -> Result<()> {
    let tx = db.begin().await?;
    db::run(&tx, "create table dianyu_doctor_probe (n BIGINT)", args![]).await?;
    tx.rollback().await
}

/// What time it is by the database.
pub async fn clock(db: &Db) -> Result<Timestamp> {
    let sql = format!("select {}", db.backend().now_ms());
    Ok(Timestamp(
        db::scalar::<i64>(db, &sql, args![]).await?.unwrap_or_default(),
    ))
}

/// Whether a corp has any contact.
pub async fn has_contacts(conn: &impl Conn, corp: CorpId) -> Result<bool> {
    let sql = "select count(*) from (select 1 from contact where corp_id = $1 limit 1) c";
    Ok(db::count(conn, sql, args![corp]).await? > 0)
}

/// Present associates with a live follow.
pub async fn members_with_customers(conn: &impl Conn, corp: CorpId) -> Result<Vec<UserId>> {
    let sql = "select a.userid from associate a where a.corp_id = $1 and a.status <> 'left'
               and exists (select 1 from follow f where f.corp_id = a.corp_id and f.associate_id = a.id
                 and f.state = 'active') order by a.userid";
    db::scalars(conn, sql, args![corp]).await
}

/// How many associates are present.
pub async fn members(conn: &impl Conn, corp: CorpId) -> Result<i64> {
    let sql = "select count(*) from associate where corp_id = $1 and status <> 'left'";
    db::count(conn, sql, args![corp]).await
}

/// Jobs of a corp that are due and wait: how many, and since when the oldest.
pub async fn overdue(conn: &impl Conn, corp: CorpId, now: Timestamp) -> Result<(i64, Option<Timestamp>)> {
    let sql =
        "select count(*), min(run_at) from job where corp_id = $1 and state = 'waiting' and run_at <= $2";
    let rows = db::rows(conn, sql, args![corp, now]).await?;
    let row = rows.first();
    let count = row.map(|row| db::column(row, 0)).transpose()?;
    let oldest = row.map(|row| db::column(row, 1)).transpose()?;
    Ok((count.unwrap_or_default(), oldest.flatten()))
}

/// Jobs of a corp that were given up, by kind, the most first.
pub async fn dead_jobs(conn: &impl Conn, corp: CorpId) -> Result<Vec<(String, i64)>> {
    let sql = "select kind, count(*) from job where corp_id = $1 and state = 'dead'
               group by kind order by count(*) desc, kind";
    let rows = db::rows(conn, sql, args![corp]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Notes that a look begins; `false`: one began after `lately` and has not ended.
pub async fn begin(tx: &Tx, corp: CorpId, now: Timestamp, lately: Timestamp) -> Result<bool> {
    let begun = db::run(
        tx,
        "insert into doctor_report (corp_id, started_at, checked_at, lines) values ($1, $2, null, '[]')
         on conflict (corp_id) do update set started_at = excluded.started_at
         where doctor_report.started_at < $3 or doctor_report.checked_at >= doctor_report.started_at",
        args![corp, now, lately],
    )
    .await?;
    Ok(begun == 1)
}

/// Keeps what a look found.
pub async fn keep(tx: &Tx, corp: CorpId, now: Timestamp, lines: &str) -> Result<()> {
    db::run(
        tx,
        "update doctor_report set checked_at = $2, lines = $3 where corp_id = $1",
        args![corp, now, lines],
    )
    .await?;
    Ok(())
}

/// When the last look began, when it ended, and its lines.
pub async fn kept(conn: &impl Conn, corp: CorpId) -> Result<Option<(Timestamp, Option<Timestamp>, String)>> {
    let sql = "select started_at, checked_at, lines from doctor_report where corp_id = $1";
    let rows = db::rows(conn, sql, args![corp]).await?;
    let read = |row| Ok((db::column(row, 0)?, db::column(row, 1)?, db::column(row, 2)?));
    rows.first().map(read).transpose()
}
