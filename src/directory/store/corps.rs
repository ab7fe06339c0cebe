//! Statements on `corp`.

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx};
use crate::directory::{Corp, NewCorp, QuotaMode};
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::{Timestamp, zone};

const COLUMNS: &str = "id, corpid, name, zone, agent_id, quota_mode, approval_over, link_hosts, mini_store";

/// The secrets of a new corp, sealed.
pub struct SealedSecrets {
    pub secret: String,
    pub callback_token: String,
    pub callback_key: String,
}

/// Writes a new corp down.
pub async fn insert_corp(
    tx: &Tx,
    id: CorpId,
    new: &NewCorp,
    sealed: SealedSecrets,
    now: Timestamp,
) -> Result<()> {
    db::run(
        tx,
        "insert into corp (id, corpid, name, zone, agent_id, secret_sealed, callback_token_sealed, callback_key_sealed,
           quota_mode, approval_over, link_hosts, mini_store, status, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, null, $10, $11, 'active', $12)",
        args![
            id,
            new.corpid.clone(),
            new.name.trim(),
            new.zone.name(),
            new.agent_id,
            sealed.secret,
            sealed.callback_token,
            sealed.callback_key,
            QuotaMode::MonthDays.to_string(),
            new.link_hosts.join(" ").to_lowercase(),
            new.mini_store.clone(),
            now
        ],
    )
    .await?;
    Ok(())
}

/// Replaces a sealed secret; `column` is one of the three.
pub async fn set_secret(tx: &Tx, corp: CorpId, column: &str, sealed: String) -> Result<()> {
    let sql = format!("update corp set {column} = $2 where id = $1");
    db::run(tx, &sql, args![corp, sealed]).await?;
    Ok(())
}

/// Sets over how many people a campaign wants a second person; `None`: never. Answers whether the corp is served.
pub async fn set_approval_over(tx: &Tx, corp: CorpId, most: Option<i64>) -> Result<bool> {
    let sql = "update corp set approval_over = cast($2 as bigint) where id = $1 and status = 'active'";
    Ok(db::run(tx, sql, args![corp, most]).await? != 0)
}

pub async fn find_corp(conn: &impl Conn, corp: CorpId) -> Result<Corp> {
    let sql = format!("select {COLUMNS} from corp where id = $1 and status = 'active'");
    db::find::<CorpRow>(conn, &sql, args![corp]).await.map(Corp::from)
}

pub async fn find_corp_by_corpid(conn: &impl Conn, corpid: &str) -> Result<Corp> {
    let sql = format!("select {COLUMNS} from corp where corpid = $1 and status = 'active'");
    db::find::<CorpRow>(conn, &sql, args![corpid])
        .await
        .map(Corp::from)
}

/// Every corp that is served.
pub async fn corps(conn: &impl Conn) -> Result<Vec<Corp>> {
    let sql = format!("select {COLUMNS} from corp where status = 'active' order by id");
    let rows: Vec<CorpRow> = db::all(conn, &sql, args![]).await?;
    Ok(rows.into_iter().map(Corp::from).collect())
}

#[derive(FromQueryResult)]
struct CorpRow {
    id: CorpId,
    corpid: String,
    name: String,
    zone: String,
    agent_id: i64,
    quota_mode: String,
    approval_over: Option<i64>,
    link_hosts: String,
    mini_store: Option<String>,
}

impl From<CorpRow> for Corp {
    fn from(row: CorpRow) -> Self {
        Self {
            id: row.id,
            corpid: row.corpid,
            name: row.name,
            zone: zone(&row.zone).unwrap_or(chrono_tz::Asia::Shanghai),
            agent_id: row.agent_id,
            quota_mode: QuotaMode::parse(&row.quota_mode).unwrap_or(QuotaMode::MonthDays),
            approval_over: row.approval_over,
            link_hosts: row.link_hosts.split_whitespace().map(str::to_owned).collect(),
            mini_store: row.mini_store,
        }
    }
}

/// A corp with its secrets, sealed.
#[derive(FromQueryResult)]
pub struct SealedRow {
    pub id: CorpId,
    pub corpid: String,
    pub agent_id: i64,
    pub secret_sealed: String,
    pub callback_token_sealed: String,
    pub callback_key_sealed: String,
}

const SEALED: &str = "select id, corpid, agent_id, secret_sealed, callback_token_sealed, callback_key_sealed
                      from corp where status = 'active' and";

/// A served corp's sealed secrets, by its id.
pub async fn sealed(conn: &impl Conn, corp: CorpId) -> Result<SealedRow> {
    db::find(conn, &format!("{SEALED} id = $1"), args![corp]).await
}

/// A served corp's sealed secrets, by its corpid.
pub async fn sealed_by_corpid(conn: &impl Conn, corpid: &str) -> Result<SealedRow> {
    db::find(conn, &format!("{SEALED} corpid = $1"), args![corpid]).await
}
