//! Statements of the store rule: `store_mark`, `store_member`, and what a mark does to stores and regions.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx};
use crate::directory::DepartmentLine;
use crate::error::Result;
use crate::ids::{CorpId, RegionId, StoreId, UserId};
use crate::scope::Act;

/// The stores of marked departments.
pub async fn marks(tx: &Tx, corp: CorpId) -> Result<HashMap<i64, StoreId>> {
    let sql = "select department_id, store_id from store_mark where corp_id = $1";
    let rows = db::rows(tx, sql, args![corp]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Members whose store is named.
pub async fn members(tx: &Tx, corp: CorpId) -> Result<HashMap<UserId, StoreId>> {
    let sql = "select userid, store_id from store_member where corp_id = $1";
    let rows = db::rows(tx, sql, args![corp]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Marks a department.
pub async fn mark(tx: &Tx, corp: CorpId, department: i64, store: StoreId) -> Result<()> {
    db::run(
        tx,
        "insert into store_mark (corp_id, department_id, store_id) values ($1, $2, $3)
         on conflict (corp_id, department_id) do update set store_id = excluded.store_id",
        args![corp, department, store],
    )
    .await?;
    Ok(())
}

/// Marks every department whose store has present associates; answers how many.
pub async fn mark_held(tx: &Tx, corp: CorpId) -> Result<u64> {
    db::run(
        tx,
        "insert into store_mark (corp_id, department_id, store_id)
         select s.corp_id, s.department_id, s.id from store s
         where s.corp_id = $1 and s.department_id is not null and exists
           (select 1 from associate a where a.corp_id = s.corp_id and a.store_id = s.id and a.status <> 'left')
         on conflict (corp_id, department_id) do nothing",
        args![corp],
    )
    .await
}

/// Takes a mark back; `false`: there was none.
pub async fn unmark(tx: &Tx, corp: CorpId, department: i64) -> Result<bool> {
    let sql = "delete from store_mark where corp_id = $1 and department_id = $2";
    Ok(db::run(tx, sql, args![corp, department]).await? == 1)
}

/// The store that a department is.
pub async fn home(tx: &Tx, corp: CorpId, department: i64) -> Result<Option<StoreId>> {
    let sql = "select id from store where corp_id = $1 and department_id = $2";
    db::scalar(tx, sql, args![corp, department]).await
}

/// Makes a store that no department is yet this department's; `false`: it is another's.
pub async fn adopt(tx: &Tx, corp: CorpId, store: StoreId, department: i64) -> Result<bool> {
    let sql = "update store set department_id = $3 where corp_id = $1 and id = $2 and department_id is null";
    Ok(db::run(tx, sql, args![corp, store, department]).await? == 1)
}

/// The region of a name, made where there is none.
pub async fn region_named(tx: &Tx, act: &Act<'_>, corp: CorpId, name: &str) -> Result<RegionId> {
    let kept = "select id from region where corp_id = $1 and name = $2 order by id limit 1";
    if let Some(region) = db::scalar(tx, kept, args![corp, name]).await? {
        return Ok(region);
    }
    let region = RegionId::new(act.ids, act.now);
    db::run(
        tx,
        "insert into region (corp_id, id, name, department_id) values ($1, $2, $3, null)",
        args![corp, region, name],
    )
    .await?;
    Ok(region)
}

/// Names a member's store.
pub async fn place_member(tx: &Tx, corp: CorpId, userid: &UserId, store: StoreId) -> Result<()> {
    db::run(
        tx,
        "insert into store_member (corp_id, userid, store_id) values ($1, $2, $3)
         on conflict (corp_id, userid) do update set store_id = excluded.store_id",
        args![corp, userid.folded(), store],
    )
    .await?;
    Ok(())
}

/// Lets the departments decide about a member again.
pub async fn free_member(tx: &Tx, corp: CorpId, userid: &UserId) -> Result<()> {
    let sql = "delete from store_member where corp_id = $1 and userid = $2";
    db::run(tx, sql, args![corp, userid.folded()]).await?;
    Ok(())
}

/// How many members are named one by one.
pub async fn members_named(conn: &impl Conn, corp: CorpId) -> Result<i64> {
    let sql = "select count(*) from store_member where corp_id = $1";
    db::count(conn, sql, args![corp]).await
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    parent_id: i64,
    name: String,
    store_id: Option<StoreId>,
    code: Option<String>,
    store_name: Option<String>,
    region_name: Option<String>,
    is_marked: i64,
    people: i64,
}

/// Every department with its store, if it is one, and how many present associates that store has.
pub async fn departments_with_stores(conn: &impl Conn, corp: CorpId) -> Result<Vec<DepartmentLine>> {
    let rows: Vec<Row> = db::all(
        conn,
        "select d.id, d.parent_id, d.name, s.id as store_id, s.code, s.name as store_name, r.name as region_name,
           cast(case when m.store_id is null then 0 else 1 end as bigint) as is_marked, coalesce(p.people, 0) as people
         from department d
         left join store s on s.corp_id = d.corp_id and s.department_id = d.id
         left join region r on r.corp_id = s.corp_id and r.id = s.region_id
         left join store_mark m on m.corp_id = d.corp_id and m.department_id = d.id
         left join (select store_id, count(*) as people from associate
                    where corp_id = $1 and status <> 'left' and store_id is not null group by store_id) p
           on p.store_id = s.id
         where d.corp_id = $1 order by d.sort desc, d.id",
        args![corp],
    )
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DepartmentLine {
            id: row.id,
            parent_id: row.parent_id,
            name: row.name,
            store_id: row.store_id,
            code: row.code,
            store_name: row.store_name,
            region_name: row.region_name,
            is_marked: row.is_marked > 0,
            people: row.people,
        })
        .collect())
}
