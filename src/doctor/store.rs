//! Statements of the checks: they read what other domains keep and write only `doctor_report`.

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Db, Tx};
use crate::error::Result;
use crate::ids::{CorpId, UserId};
use crate::time::{MINUTE_MS, Timestamp};

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

/// What the role we come with may do.
#[derive(Debug, PartialEq, Eq, FromQueryResult)]
pub struct Powers {
    /// Role and schema are written as a statement wants them.
    pub role: String,
    pub schema: String,
    pub may_create: bool,
    pub is_read_only: bool,
    /// Tables of ours that it may not read, or not write.
    pub closed_tables: i64,
}

/// Asks the database what we may do; `None`: it knows no roles.
pub async fn powers(db: &Db) -> Result<Option<Powers>> {
    match db.backend().powers() {
        Some(sql) => Ok(db::all(db, sql, args![]).await?.pop()),
        None => Ok(None),
    }
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

/// Jobs of a corp that are due and callbacks that nobody has read: how many wait, and since when the oldest.
pub async fn overdue(conn: &impl Conn, corp: CorpId, now: Timestamp) -> Result<(i64, Option<Timestamp>)> {
    let sql = "select count(*), min(at) from (
           select run_at as at from job where corp_id = $1 and state = 'waiting' and run_at <= $2
           union all
           select received_at from inbox where corp_id = $1 and state = 'new'
         ) waits";
    let rows = db::rows(conn, sql, args![corp, now]).await?;
    let row = rows.first();
    let count = row.map(|row| db::column(row, 0)).transpose()?;
    let oldest = row.map(|row| db::column(row, 1)).transpose()?;
    Ok((count.unwrap_or_default(), oldest.flatten()))
}

/// Jobs of a corp that were begun and whose lease is over: how many, and for how long, in milliseconds, at the longest.
pub async fn lost_jobs(conn: &impl Conn, corp: CorpId) -> Result<(i64, i64)> {
    let now = conn.backend().now_ms();
    let sql = format!(
        "select count(*), coalesce(max({now} - lease_until), 0) from job
         where corp_id = $1 and state = 'running' and lease_until < {now}"
    );
    let rows = db::rows(conn, &sql, args![corp]).await?;
    let Some(row) = rows.first() else {
        return Ok((0, 0));
    };
    Ok((db::column(row, 0)?, db::column(row, 1)?))
}

/// A sync that has not ended.
pub struct UnderWay {
    pub started_at: Timestamp,
    /// When it was last seen to begin or end something.
    pub moved_at: Timestamp,
    /// Rows it has read.
    pub seen: i64,
    /// What it waits for.
    pub problem: Option<String>,
    /// For so long nobody has worked on it; negative while somebody does.
    pub alone_ms: i64,
    /// A job that goes on with it is under way, or comes.
    pub will_be_carried_on: bool,
}

/// The sync of a corp that has not ended; `job` is the kind of job that carries one on.
pub async fn under_way(conn: &impl Conn, corp: CorpId, job: &str) -> Result<Option<UnderWay>> {
    let now = conn.backend().now_ms();
    let of_steps = |what: &str| {
        format!("(select {what} from sync_step s where s.corp_id = r.corp_id and s.run_id = r.id)")
    };
    // A lease that was never taken, or was given back, stands at 0 or at when it was.
    let sql = format!(
        "select r.started_at, coalesce({}, 0), coalesce({}, 0),
           coalesce((select max(began_at) from sync_part p where p.corp_id = r.corp_id and p.run_id = r.id), 0),
           cast(coalesce({}, 0) as bigint), {}, {now} - r.lease_until,
           (select count(*) from job j where j.corp_id = r.corp_id and j.kind = $2
              and ((j.state = 'waiting' and j.run_at > {now} - $3) or (j.state = 'running' and j.lease_until > {now})))
         from sync_run r where r.corp_id = $1 and r.state = 'running'",
        of_steps("max(started_at)"),
        of_steps("max(ended_at)"),
        of_steps("sum(seen)"),
        of_steps("max(case when state = 'running' then problem end)"),
    );
    let rows = db::rows(conn, &sql, args![corp, job, MINUTE_MS]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let started_at: Timestamp = db::column(row, 0)?;
    let mut moved_at = started_at;
    for column in 1..=3 {
        moved_at = moved_at.max(db::column(row, column)?);
    }
    let seen = db::column(row, 4)?;
    let problem = db::column(row, 5)?;
    Ok(Some(UnderWay {
        started_at,
        moved_at,
        seen,
        problem,
        alone_ms: db::column(row, 6)?,
        will_be_carried_on: db::column::<i64>(row, 7)? > 0,
    }))
}

/// When a corp was connected.
pub async fn connected_at(conn: &impl Conn, corp: CorpId) -> Result<Timestamp> {
    let sql = "select created_at from corp where id = $1";
    Ok(db::scalar(conn, sql, args![corp]).await?.unwrap_or(Timestamp(0)))
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
