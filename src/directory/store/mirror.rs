//! Statements of the mirror: departments as they are read, and the stores, regions and associates made from them.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx, id_list};
use crate::directory::Corp;
use crate::error::Result;
use crate::ids::{AssociateId, CorpId, RegionId, StoreId, UserId};
use crate::scope::Act;
use crate::time::Timestamp;
use crate::wecom::directory::Department;

/// A department as it was mirrored last.
#[derive(FromQueryResult)]
pub struct Kept {
    pub id: i64,
    pub parent_id: i64,
    pub name: String,
}

/// The mirrored departments.
pub async fn departments(tx: &Tx, corp: CorpId) -> Result<HashMap<i64, Kept>> {
    let kept: Vec<Kept> = db::all(
        tx,
        "select id, parent_id, name from department where corp_id = $1",
        args![corp],
    )
    .await?;
    Ok(kept.into_iter().map(|kept| (kept.id, kept)).collect())
}

/// Writes departments as they are now.
pub async fn write_departments(
    tx: &Tx,
    corp: CorpId,
    departments: &[Department],
    now: Timestamp,
) -> Result<()> {
    let rows = departments
        .iter()
        .map(|new| args![corp, new.id, new.parentid, new.name.clone(), new.order, now]);
    db::insert_many(
        tx,
        "insert into department (corp_id, id, parent_id, name, sort, seen_at)",
        rows,
        "on conflict (corp_id, id) do update set parent_id = excluded.parent_id, name = excluded.name,
           sort = excluded.sort, seen_at = excluded.seen_at",
    )
    .await?;
    Ok(())
}

/// Forgets every other department and ends its mark; its store stays, free for another. A corp has a department at
/// least: a reading without any says nothing.
pub async fn keep_only(tx: &Tx, corp: CorpId, departments: &[Department]) -> Result<()> {
    if departments.is_empty() {
        return Ok(());
    }
    for (table, column) in [("department", "id"), ("store_mark", "department_id")] {
        let ids = id_list(departments.iter().map(|department| department.id));
        let still = tx.backend().in_ids(column, "$2");
        let gone = format!("delete from {table} where corp_id = $1 and not ({still})");
        db::run(tx, &gone, args![corp, ids]).await?;
    }
    Ok(())
}

/// The name of a mirrored department.
pub async fn department_name(tx: &Tx, corp: CorpId, department: i64) -> Result<Option<String>> {
    let sql = "select name from department where corp_id = $1 and id = $2";
    db::scalar(tx, sql, args![corp, department]).await
}

/// Gives the store and the region of a department its new name, if they still have its old one.
pub async fn follow_name(tx: &Tx, corp: CorpId, old: &Kept, new: &Department) -> Result<()> {
    for table in ["store", "region"] {
        let sql =
            format!("update {table} set name = $3 where corp_id = $1 and department_id = $2 and name = $4");
        db::run(tx, &sql, args![corp, new.id, new.name.clone(), old.name.clone()]).await?;
    }
    Ok(())
}

/// Moves the store of a department to another region, if it is still in that of its old parent.
pub async fn follow_parent(
    tx: &Tx,
    corp: CorpId,
    old: &Kept,
    new: &Department,
    region: RegionId,
) -> Result<()> {
    let moved = db::run(
        tx,
        "update store set region_id = $3 where corp_id = $1 and department_id = $2
         and region_id in (select id from region where corp_id = $1 and department_id = $4)",
        args![corp, new.id, region, old.parent_id],
    );
    if moved.await? > 0 {
        tx.note_named(corp);
    }
    Ok(())
}

/// The stores of departments.
pub async fn homes(tx: &Tx, corp: CorpId) -> Result<HashMap<i64, StoreId>> {
    let rows = db::rows(
        tx,
        "select department_id, id from store where corp_id = $1 and department_id is not null",
        args![corp],
    )
    .await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Makes the store of a department; one that has its code already becomes it.
#[expect(clippy::too_many_arguments, reason = "the columns of a store")]
pub async fn insert_store(
    tx: &Tx,
    corp: &Corp,
    id: StoreId,
    code: &str,
    name: &str,
    region: RegionId,
    department: i64,
    now: Timestamp,
) -> Result<Option<StoreId>> {
    tx.note_named(corp.id);
    db::scalar(
        tx,
        "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at)
         values ($1, $2, $3, $4, $5, $6, 'open', $7, $8)
         on conflict (corp_id, code) do update set department_id = excluded.department_id
         returning id",
        args![corp.id, id, code, name, region, corp.zone.name(), department, now],
    )
    .await
}

/// The region of a store's department: its parent, or the department itself when it stands at the top.
pub async fn keep_region(tx: &Tx, act: &Act<'_>, corp: CorpId, department: i64) -> Result<RegionId> {
    let parent: Option<Kept> = db::first(
        tx,
        "select p.id, p.parent_id, p.name from department d
         join department p on p.corp_id = d.corp_id and p.id = case when d.parent_id > 0 then d.parent_id else d.id end
         where d.corp_id = $1 and d.id = $2",
        args![corp, department],
    )
    .await?;
    let (id, name) = parent.map_or((department, String::new()), |parent| (parent.id, parent.name));
    let name = if name.is_empty() { format!("D{id}") } else { name };
    let kept = "select id from region where corp_id = $1 and department_id = $2";
    if let Some(region) = db::scalar(tx, kept, args![corp, id]).await? {
        return Ok(region);
    }
    let region = RegionId::new(act.ids, act.now);
    db::run(
        tx,
        "insert into region (corp_id, id, name, department_id) values ($1, $2, $3, $4)",
        args![corp, region, name, id],
    )
    .await?;
    tx.note_named(corp);
    Ok(region)
}

/// Associates whom no reading since `started` showed.
pub async fn not_seen_since(conn: &impl Conn, corp: CorpId, started: Timestamp) -> Result<Vec<UserId>> {
    let sql =
        "select userid from associate where corp_id = $1 and status <> 'left' and seen_at < $2 order by id";
    db::scalars(conn, sql, args![corp, started]).await
}

/// Notes that a reading showed these associates.
pub async fn seen(
    tx: &Tx,
    corp: CorpId,
    associates: impl Iterator<Item = AssociateId>,
    now: Timestamp,
) -> Result<()> {
    let seen = format!(
        "update associate set seen_at = $3 where corp_id = $1 and {}",
        tx.backend().in_ids("id", "$2")
    );
    let ids = id_list(associates.map(|associate| associate.0));
    db::run(tx, &seen, args![corp, ids, now]).await?;
    Ok(())
}

/// An associate to write down.
pub struct NewAssociate {
    pub id: AssociateId,
    pub userid: UserId,
    pub name: String,
    pub store: Option<StoreId>,
    pub departments: Vec<i64>,
    pub status: &'static str,
    pub left_at: Option<Timestamp>,
}

/// Writes a new associate down.
pub async fn insert_associate(tx: &Tx, corp: CorpId, new: NewAssociate, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "insert into associate (corp_id, id, userid, name, store_id, status, created_at, left_at, seen_at, departments)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9)",
        args![
            corp,
            new.id,
            new.userid,
            new.name,
            new.store,
            new.status,
            now,
            new.left_at,
            serde_json::to_string(&new.departments)?
        ],
    )
    .await?;
    Ok(())
}

/// The departments of associates as they were read last; who was not read since they are kept is left out.
pub async fn departments_of(
    tx: &Tx,
    corp: CorpId,
    associates: impl Iterator<Item = AssociateId>,
) -> Result<HashMap<AssociateId, Vec<i64>>> {
    let sql = format!(
        "select id, departments from associate where corp_id = $1 and departments is not null and {}",
        tx.backend().in_ids("id", "$2")
    );
    let rows = db::rows(tx, &sql, args![corp, id_list(associates.map(|one| one.0))]).await?;
    rows.iter()
        .map(|row| {
            let departments: String = db::column(row, 1)?;
            Ok((db::column(row, 0)?, serde_json::from_str(&departments)?))
        })
        .collect()
}

/// Writes which departments an associate is in.
pub async fn set_departments(tx: &Tx, corp: CorpId, id: AssociateId, departments: &[i64]) -> Result<()> {
    let sql = "update associate set departments = $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, serde_json::to_string(departments)?]).await?;
    Ok(())
}

/// Writes what an associate is called and does now.
pub async fn change_associate(
    tx: &Tx,
    corp: CorpId,
    id: AssociateId,
    name: String,
    status: &str,
    store: Option<StoreId>,
    left_at: Option<Timestamp>,
) -> Result<()> {
    db::run(
        tx,
        "update associate set name = $3, status = $4, store_id = $5, left_at = $6 where corp_id = $1 and id = $2",
        args![corp, id, name, status, store, left_at],
    )
    .await?;
    Ok(())
}

/// Marks an associate as left; `None`: unknown, or left already.
pub async fn mark_left(
    tx: &Tx,
    corp: CorpId,
    userid: &UserId,
    now: Timestamp,
) -> Result<Option<AssociateId>> {
    let sql = "update associate set status = 'left', left_at = $3
               where corp_id = $1 and userid = $2 and status <> 'left' returning id";
    db::scalar(tx, sql, args![corp, userid.folded(), now]).await
}

/// Gives an associate another userid.
pub async fn set_userid(tx: &Tx, corp: CorpId, old: &UserId, new: &UserId) -> Result<()> {
    let sql = "update associate set userid = $3 where corp_id = $1 and userid = $2";
    db::run(tx, sql, args![corp, old.folded(), new.folded()]).await?;
    Ok(())
}

/// Closes an associate's open membership.
pub async fn end_membership(tx: &Tx, corp: CorpId, associate: AssociateId, now: Timestamp) -> Result<()> {
    db::run(
        tx,
        "update store_membership set until_at = $3 where corp_id = $1 and associate_id = $2 and until_at is null",
        args![corp, associate, now],
    )
    .await?;
    Ok(())
}

/// Opens a membership.
pub async fn join(
    tx: &Tx,
    corp: CorpId,
    associate: AssociateId,
    store: StoreId,
    from: Timestamp,
) -> Result<()> {
    db::run(
        tx,
        "insert into store_membership (corp_id, associate_id, from_at, store_id, until_at)
         values ($1, $2, $3, $4, null)
         on conflict (corp_id, associate_id, from_at) do update set store_id = excluded.store_id, until_at = null",
        args![corp, associate, from, store],
    )
    .await?;
    Ok(())
}
