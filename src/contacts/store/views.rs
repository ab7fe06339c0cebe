//! Statements on `contact_view`.

use sea_orm::FromQueryResult;

use crate::args;
use crate::auth::Operator;
use crate::contacts::views::{Place, Sharing};
use crate::db::{self, Conn, Tx};
use crate::error::{Result, said};
use crate::ids::{CorpId, OperatorId, StoreId, ViewId};
use crate::time::Timestamp;

#[derive(FromQueryResult)]
pub struct Row {
    pub id: ViewId,
    pub operator_id: OperatorId,
    pub name: String,
    pub query: String,
    pub shared: String,
    pub place_id: i64,
}

pub async fn list(conn: &impl Conn, corp: CorpId, me: OperatorId, place: &Place) -> Result<Vec<Row>> {
    let sql = "select id, operator_id, name, query, shared, place_id from contact_view
               where corp_id = $1 and (operator_id = $2 or shared = 'corp' or (shared = 'store' and place_id = $3)
                 or (shared = 'region' and place_id = $4))
               order by id limit 100";
    db::all(conn, sql, args![corp, me, place.store, place.region]).await
}

/// The operator's own region, else their store's; 0: none.
pub async fn region_of(
    conn: &impl Conn,
    corp: CorpId,
    me: OperatorId,
    store: Option<StoreId>,
) -> Result<i64> {
    let sql = "select coalesce(o.region_id, s.region_id, 0) from operator o
               left join store s on s.corp_id = o.corp_id and s.id = $3
               where o.corp_id = $1 and o.id = $2";
    Ok(db::scalar(conn, sql, args![corp, me, store]).await?.unwrap_or(0))
}

pub async fn count(tx: &Tx, corp: CorpId, me: OperatorId) -> Result<i64> {
    let sql = "select count(*) from contact_view where corp_id = $1 and operator_id = $2";
    db::count(tx, sql, args![corp, me]).await
}

pub async fn insert(
    tx: &Tx,
    now: Timestamp,
    me: &Operator,
    id: ViewId,
    name: &str,
    query: &str,
    (sharing, place): (Sharing, i64),
) -> Result<()> {
    let sql = "insert into contact_view (corp_id, id, operator_id, name, query, shared, place_id, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let args = args![me.corp, id, me.id, name, query, sharing.as_str(), place, now];
    let taken = || {
        said!(
            "refused-view-taken",
            "there is a view of yours with this name already"
        )
    };
    db::run(tx, sql, args)
        .await
        .map_err(|error| error.on_conflict("/name", taken()))?;
    Ok(())
}

pub async fn delete(tx: &Tx, corp: CorpId, id: ViewId) -> Result<()> {
    let sql = "delete from contact_view where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id]).await?;
    Ok(())
}
