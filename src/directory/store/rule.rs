//! Statements of the store rule: `store_mark`, `store_member`, and what a mark does to stores and regions.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx, id_list, text_list};
use crate::directory::{Corp, DepartmentLine};
use crate::error::Result;
use crate::ids::{CorpId, RegionId, StoreId, UserId};
use crate::time::Timestamp;

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

/// A store as the rule sees it.
#[derive(FromQueryResult)]
pub struct Shelf {
    pub id: StoreId,
    pub code: String,
    pub name: String,
    pub region_id: RegionId,
    pub department_id: Option<i64>,
}

/// Every store.
pub async fn shelves(tx: &Tx, corp: CorpId) -> Result<Vec<Shelf>> {
    let sql = "select id, code, name, region_id, department_id from store where corp_id = $1 order by id";
    db::all(tx, sql, args![corp]).await
}

/// Writes stores as they are now, in this order: a code that one gives up may be the next one's.
pub async fn write_shelves(tx: &Tx, corp: &Corp, shelves: &[&Shelf], now: Timestamp) -> Result<()> {
    // A department goes from one store to another: for a moment it is none.
    let ids = id_list(shelves.iter().map(|shelf| shelf.id.0));
    let freed = format!(
        "update store set department_id = null where corp_id = $1 and {}",
        tx.backend().in_ids("id", "$2")
    );
    db::run(tx, &freed, args![corp.id, ids]).await?;
    let row = |shelf: &&Shelf| {
        args![
            corp.id,
            shelf.id,
            shelf.code.clone(),
            shelf.name.clone(),
            shelf.region_id,
            corp.zone.name(),
            "open",
            shelf.department_id,
            now
        ]
    };
    db::insert_many(
        tx,
        "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at)",
        shelves.iter().map(row),
        "on conflict (corp_id, id) do update set code = excluded.code, name = excluded.name,
           region_id = excluded.region_id, department_id = excluded.department_id",
    )
    .await?;
    tx.note_named(corp.id);
    Ok(())
}

/// A region by name, and the department it was made from.
#[derive(FromQueryResult)]
pub struct NewRegion {
    pub id: RegionId,
    pub name: String,
    pub department_id: Option<i64>,
}

/// Every region, the oldest first.
pub async fn regions(tx: &Tx, corp: CorpId) -> Result<Vec<NewRegion>> {
    let sql = "select id, name, department_id from region where corp_id = $1 order by id";
    db::all(tx, sql, args![corp]).await
}

pub async fn add_regions(tx: &Tx, corp: CorpId, regions: Vec<NewRegion>) -> Result<()> {
    let row = |new: NewRegion| args![corp, new.id, new.name, new.department_id];
    let head = "insert into region (corp_id, id, name, department_id)";
    db::insert_many(tx, head, regions.into_iter().map(row), "").await?;
    tx.note_named(corp);
    Ok(())
}

/// Marks departments.
pub async fn mark(tx: &Tx, corp: CorpId, marks: &[(i64, StoreId)]) -> Result<()> {
    let rows = marks
        .iter()
        .map(|(department, store)| args![corp, *department, *store]);
    db::insert_many(
        tx,
        "insert into store_mark (corp_id, department_id, store_id)",
        rows,
        "on conflict (corp_id, department_id) do update set store_id = excluded.store_id",
    )
    .await?;
    Ok(())
}

/// A present associate as the rule sees them.
pub struct Person {
    pub userid: UserId,
    pub store: Option<StoreId>,
    /// The main one first.
    pub departments: Vec<i64>,
}

#[derive(FromQueryResult)]
struct PersonRow {
    userid: UserId,
    store_id: Option<StoreId>,
    departments: Option<String>,
    department_of_store: Option<i64>,
}

/// Present associates. Whose departments were not read yet counts as in that of their store, if it is there.
pub async fn people(tx: &Tx, corp: CorpId) -> Result<Vec<Person>> {
    let rows: Vec<PersonRow> = db::all(
        tx,
        "select a.userid, a.store_id, a.departments, d.id as department_of_store from associate a
         left join store s on s.corp_id = a.corp_id and s.id = a.store_id
         left join department d on d.corp_id = s.corp_id and d.id = s.department_id
         where a.corp_id = $1 and a.status <> 'left'",
        args![corp],
    )
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Person {
                userid: row.userid,
                store: row.store_id,
                departments: match row.departments {
                    Some(departments) => serde_json::from_str(&departments)?,
                    None => row.department_of_store.into_iter().collect(),
                },
            })
        })
        .collect()
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

/// Names members' stores.
pub async fn place_members(tx: &Tx, corp: CorpId, places: Vec<(UserId, StoreId)>) -> Result<()> {
    let rows = places
        .into_iter()
        .map(|(userid, store)| args![corp, userid, store]);
    db::insert_many(
        tx,
        "insert into store_member (corp_id, userid, store_id)",
        rows,
        "on conflict (corp_id, userid) do update set store_id = excluded.store_id",
    )
    .await?;
    Ok(())
}

/// Lets the departments decide about members again.
pub async fn free_members(tx: &Tx, corp: CorpId, userids: &[UserId]) -> Result<()> {
    let whom = text_list(userids.iter().map(|userid| userid.0.as_str()));
    let sql = format!(
        "delete from store_member where corp_id = $1 and {}",
        tx.backend().in_texts("userid", "$2")
    );
    db::run(tx, &sql, args![corp, whom]).await?;
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
