//! Statements on regions, stores, associates and memberships.

pub(super) mod corps;
pub(super) mod mirror;
pub(super) mod rule;

pub use corps::{corps, find_corp, find_corp_by_corpid, set_approval_over};
pub use rule::{departments_with_stores, members_named};

use std::collections::HashMap;

use chrono_tz::Tz;
use sea_orm::FromQueryResult;

use super::*;
use crate::args;
use crate::db::{self, Conn, Filter, Tx, id_list};
use crate::error::{Error, Problem, Result, said};
use crate::ids::{AssociateId, CorpId, RegionId, StoreId, UserId};
use crate::money::Fen;
use crate::page::{Page, PageOf};
use crate::scope::{Act, Reach, Scope};
use crate::time::{Timestamp, zone};

/// Narrows rows with a store in `column` to the stores whose name may be seen: an associate sees their own.
fn narrow_stores(scope: &Scope, filter: &mut Filter, conn: &impl Conn, column: &str) {
    match &scope.reach {
        Reach::Whole => {}
        Reach::Stores(stores) => {
            let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
            filter.and_sql(&conn.backend().in_ids(column, &place));
        }
        Reach::Own(associate) => {
            filter.and(
                &format!("{column} = (select own.store_id from associate own where own.corp_id = $1 and own.id = {{}})"),
                *associate,
            );
        }
    }
}

/// Regions that hold a store in scope; headquarters also sees empty ones.
pub async fn regions(conn: &impl Conn, scope: &Scope) -> Result<Vec<Region>> {
    let mut filter = Filter::new("s.corp_id", scope.corp);
    filter.and_sql("s.region_id = r.id");
    narrow_stores(scope, &mut filter, conn, "s.id");
    let counted = format!("(select count(*) from store s where {})", filter.sql());
    let only_with_stores = if scope.is_whole() {
        String::new()
    } else {
        format!(" and {counted} > 0")
    };
    let sql = format!(
        "select r.id, r.name, {counted} as stores from region r where r.corp_id = $1{only_with_stores} order by r.name, r.id"
    );
    db::all(conn, &sql, filter.args).await
}

pub async fn create_region(tx: &Tx, act: &Act<'_>, scope: &Scope, name: &str) -> Result<RegionId> {
    headquarters_only(scope)?;
    let id = RegionId::new(act.ids, act.now);
    db::run(
        tx,
        "insert into region (corp_id, id, name, department_id) values ($1, $2, $3, null)",
        args![scope.corp, id, checked_name(name)?],
    )
    .await?;
    tx.note_named(scope.corp);
    Ok(id)
}

pub async fn rename_region(tx: &Tx, scope: &Scope, id: RegionId, name: &str) -> Result<()> {
    headquarters_only(scope)?;
    let renamed = db::run(
        tx,
        "update region set name = $3 where corp_id = $1 and id = $2",
        args![scope.corp, id, checked_name(name)?],
    )
    .await?;
    found(renamed)
}

fn headquarters_only(scope: &Scope) -> Result<()> {
    if scope.is_whole() {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

fn found(changed: u64) -> Result<()> {
    if changed == 0 {
        Err(Error::NotFound)
    } else {
        Ok(())
    }
}

pub(super) fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    match name.chars().count() {
        1..=60 => Ok(name.to_owned()),
        length => Err(Problem::new(
            "/name",
            said!(
                "refused-place-name",
                "a name has 1 to 60 characters, not {length}",
                length = length
            ),
        )),
    }
}

pub(super) fn checked_code(code: &str) -> Result<String, Problem> {
    let code = code.trim();
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if (1..=32).contains(&code.len()) && code.chars().all(is_plain) {
        Ok(code.to_owned())
    } else {
        Err(Problem::new(
            "/code",
            said!(
                "refused-store-code",
                "`{code}` is not a store code; use 1 to 32 letters, digits, `-`, `_` or `.`",
                code = code
            ),
        ))
    }
}

fn checked_zone(name: &str) -> Result<String> {
    zone(name).map(|zone| zone.name().to_owned()).ok_or_else(|| {
        Error::invalid(
            "/zone",
            format!("`{name}` is not a time zone such as `Asia/Shanghai`"),
        )
    })
}

const STORE: &str =
    "select s.id, s.code, s.name, s.region_id, coalesce(r.name, '') as region_name, s.zone, s.status
     from store s left join region r on r.corp_id = s.corp_id and r.id = s.region_id";

/// Stores in scope by code; an associate sees none but their own (name and code).
pub async fn stores(conn: &impl Conn, scope: &Scope, page: &PageOf) -> Result<Page<Store>> {
    let mut filter = Filter::new("s.corp_id", scope.corp);
    narrow_stores(scope, &mut filter, conn, "s.id");
    if let Some(code) = page.after::<String>()? {
        filter.and("s.code > {}", code);
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!("{STORE} where {} order by s.code limit {limit}", filter.sql());
    let rows = db::all(conn, &sql, filter.args).await?;
    Ok(Page::cut(rows, page, |store: &Store| store.code.clone()))
}

/// Every store in scope, for pickers and overviews.
pub async fn all_stores(conn: &impl Conn, scope: &Scope) -> Result<Vec<Store>> {
    let mut filter = Filter::new("s.corp_id", scope.corp);
    narrow_stores(scope, &mut filter, conn, "s.id");
    let sql = format!("{STORE} where {} order by s.code", filter.sql());
    db::all(conn, &sql, filter.args).await
}

pub async fn find_store(conn: &impl Conn, scope: &Scope, id: StoreId) -> Result<Store> {
    let mut filter = Filter::new("s.corp_id", scope.corp);
    filter.and("s.id = {}", id);
    narrow_stores(scope, &mut filter, conn, "s.id");
    db::find(conn, &format!("{STORE} where {}", filter.sql()), filter.args).await
}

/// By code, whole corp: for orders and operators.
pub async fn find_store_by_code(conn: &impl Conn, corp: CorpId, code: &str) -> Result<Store> {
    let sql = format!("{STORE} where s.corp_id = $1 and s.code = $2");
    db::find(conn, &sql, args![corp, code]).await
}

pub async fn create_store(tx: &Tx, act: &Act<'_>, scope: &Scope, new: NewStore) -> Result<StoreId> {
    headquarters_only(scope)?;
    region_exists(tx, scope.corp, new.region_id).await?;
    let id = StoreId::new(act.ids, act.now);
    let code = checked_code(&new.code)?;
    db::run(
        tx,
        "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at)
         values ($1, $2, $3, $4, $5, $6, 'open', null, $7)",
        args![
            scope.corp,
            id,
            code.clone(),
            checked_name(&new.name)?,
            new.region_id,
            checked_zone(&new.zone)?,
            act.now
        ],
    )
    .await
    .map_err(|error| error.on_conflict("/code", format!("store code `{code}` is taken; choose another")))?;
    tx.note_named(scope.corp);
    Ok(id)
}

async fn region_exists(tx: &Tx, corp: CorpId, region: RegionId) -> Result<()> {
    let sql = "select count(*) from region where corp_id = $1 and id = $2";
    if db::count(tx, sql, args![corp, region]).await? == 1 {
        return Ok(());
    }
    Err(Error::invalid(
        "/region_id",
        format!("there is no region `{region}`"),
    ))
}

/// Changes what is given; a closed store stays in every report of the past.
pub async fn change_store(tx: &Tx, scope: &Scope, id: StoreId, change: StoreChange) -> Result<()> {
    headquarters_only(scope)?;
    let store = find_store(tx, scope, id).await?;
    if let Some(region) = change.region_id {
        region_exists(tx, scope.corp, region).await?;
    }
    if let Some(status) = &change.status
        && !["open", "closed"].contains(&status.as_str())
    {
        return Err(Error::invalid(
            "/status",
            format!("`{status}` is neither `open` nor `closed`"),
        ));
    }
    let code = change.code.map_or(Ok(store.code), |code| checked_code(&code))?;
    let name = change.name.map_or(Ok(store.name), |name| checked_name(&name))?;
    let zone = change.zone.map_or(Ok(store.zone), |zone| checked_zone(&zone))?;
    db::run(
        tx,
        "update store set code = $3, name = $4, zone = $5, status = $6, region_id = $7 where corp_id = $1 and id = $2",
        args![
            scope.corp,
            id,
            code.clone(),
            name,
            zone,
            change.status.unwrap_or(store.status),
            change.region_id.unwrap_or(store.region_id)
        ],
    )
    .await
    .map_err(|error| error.on_conflict("/code", format!("store code `{code}` is taken; choose another")))?;
    tx.note_named(scope.corp);
    Ok(())
}

/// Stores of a region as they are now, for a regional manager's scope.
pub async fn stores_of_region(conn: &impl Conn, corp: CorpId, region: RegionId) -> Result<Vec<StoreId>> {
    let sql = "select id from store where corp_id = $1 and region_id = $2 order by code";
    db::scalars(conn, sql, args![corp, region]).await
}

/// The zones of these stores.
pub async fn zones_of(conn: &impl Conn, corp: CorpId, stores: &[StoreId]) -> Result<HashMap<StoreId, Tz>> {
    let ids = id_list(stores.iter().map(|store| store.0));
    let wanted = conn.backend().in_ids("id", "$2");
    let sql = format!("select id, zone from store where corp_id = $1 and {wanted}");
    let rows = db::rows(conn, &sql, args![corp, ids]).await?;
    rows.iter()
        .map(|row| {
            let name: String = db::column(row, 1)?;
            Ok((
                db::column(row, 0)?,
                zone(&name).unwrap_or(chrono_tz::Asia::Shanghai),
            ))
        })
        .collect()
}

const ASSOCIATE: &str = "select a.id, a.userid, a.name, a.store_id, s.name as store_name, a.status, a.left_at
     from associate a left join store s on s.corp_id = a.corp_id and s.id = a.store_id";

fn narrow_associates(scope: &Scope, filter: &mut Filter, conn: &impl Conn) {
    match &scope.reach {
        Reach::Own(associate) => {
            filter.and("a.id = {}", *associate);
        }
        _ => narrow_stores(scope, filter, conn, "a.store_id"),
    }
}

/// Associates in scope by name; an associate sees only themselves.
pub async fn associates(
    conn: &impl Conn,
    scope: &Scope,
    store: Option<StoreId>,
    page: &PageOf,
) -> Result<Page<Associate>> {
    let mut filter = Filter::new("a.corp_id", scope.corp);
    narrow_associates(scope, &mut filter, conn);
    if let Some(store) = store {
        filter.and("a.store_id = {}", store);
    }
    if let Some((name, id)) = page.after::<(String, AssociateId)>()? {
        let (name, id) = (filter.arg(name), filter.arg(id));
        filter.and_sql(&format!("(a.name > {name} or (a.name = {name} and a.id > {id}))"));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "{ASSOCIATE} where {} order by a.name, a.id limit {limit}",
        filter.sql()
    );
    let rows = db::all(conn, &sql, filter.args).await?;
    Ok(Page::cut(rows, page, |associate: &Associate| {
        (associate.name.clone(), associate.id)
    }))
}

/// Those of some associates that are in scope.
pub async fn associates_by_id(
    conn: &impl Conn,
    scope: &Scope,
    ids: &[AssociateId],
) -> Result<Vec<Associate>> {
    let mut filter = Filter::new("a.corp_id", scope.corp);
    narrow_associates(scope, &mut filter, conn);
    let place = filter.arg(db::id_list(ids.iter().map(|id| id.0)));
    filter.and_sql(&conn.backend().in_ids("a.id", &place));
    db::all(conn, &format!("{ASSOCIATE} where {}", filter.sql()), filter.args).await
}

pub async fn find_associate(conn: &impl Conn, scope: &Scope, id: AssociateId) -> Result<Associate> {
    let mut filter = Filter::new("a.corp_id", scope.corp);
    filter.and("a.id = {}", id);
    narrow_associates(scope, &mut filter, conn);
    db::find(conn, &format!("{ASSOCIATE} where {}", filter.sql()), filter.args).await
}

/// By platform id, any letter case.
pub async fn associate_by_userid(
    conn: &impl Conn,
    corp: CorpId,
    userid: &UserId,
) -> Result<Option<Associate>> {
    let sql = format!("{ASSOCIATE} where a.corp_id = $1 and a.userid = $2");
    db::first(conn, &sql, args![corp, userid.folded()]).await
}

/// Associates by platform id, folded, at most a few hundred at once; unknown ones are left out.
pub async fn associates_by_userid(
    conn: &impl Conn,
    corp: CorpId,
    userids: &[UserId],
) -> Result<HashMap<UserId, Associate>> {
    if userids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut filter = Filter::new("a.corp_id", corp);
    let places: Vec<String> = userids.iter().map(|userid| filter.arg(userid.folded())).collect();
    filter.and_sql(&format!("a.userid in ({})", places.join(", ")));
    let rows: Vec<Associate> =
        db::all(conn, &format!("{ASSOCIATE} where {}", filter.sql()), filter.args).await?;
    Ok(rows
        .into_iter()
        .map(|associate| (associate.userid.clone(), associate))
        .collect())
}

/// The userids of everybody who has not left, in pages by id: for the sweep.
pub async fn present_userids(conn: &impl Conn, corp: CorpId) -> Result<Vec<UserId>> {
    let sql = "select userid from associate where corp_id = $1 and status <> 'left' order by id";
    db::scalars(conn, sql, args![corp]).await
}

/// The same with those who left: they may still own groups.
pub async fn every_userid(conn: &impl Conn, corp: CorpId) -> Result<Vec<UserId>> {
    let sql = "select userid from associate where corp_id = $1 order by id";
    db::scalars(conn, sql, args![corp]).await
}

/// Who left since an instant.
pub async fn left_since(conn: &impl Conn, corp: CorpId, since: Timestamp) -> Result<Vec<AssociateId>> {
    let sql = "select id from associate where corp_id = $1 and status = 'left' and left_at >= $2 order by id";
    db::scalars(conn, sql, args![corp, since]).await
}

/// One stretch of an associate in a store.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Membership {
    pub associate_id: AssociateId,
    pub store_id: StoreId,
    pub from_at: Timestamp,
    pub until_at: Option<Timestamp>,
}

/// Memberships of these associates, oldest first.
pub async fn memberships(
    conn: &impl Conn,
    corp: CorpId,
    associates: &[AssociateId],
) -> Result<Vec<Membership>> {
    let ids = id_list(associates.iter().map(|associate| associate.0));
    let wanted = conn.backend().in_ids("associate_id", "$2");
    let sql = format!(
        "select associate_id, store_id, from_at, until_at from store_membership
         where corp_id = $1 and {wanted} order by associate_id, from_at"
    );
    db::all(conn, &sql, args![corp, ids]).await
}

/// The store an associate belonged to at an instant.
pub async fn store_at(
    conn: &impl Conn,
    corp: CorpId,
    associate: AssociateId,
    at: Timestamp,
) -> Result<Option<StoreId>> {
    db::scalar(
        conn,
        "select store_id from store_membership
         where corp_id = $1 and associate_id = $2 and from_at <= $3 and (until_at is null or until_at > $3)
         order by from_at desc limit 1",
        args![corp, associate, at],
    )
    .await
}

/// A store's goal for a month (`YYYY-MM`), net sales.
pub async fn target(conn: &impl Conn, scope: &Scope, store: StoreId, month: &str) -> Result<Option<Fen>> {
    find_store(conn, scope, store).await?;
    let sql = "select net_sales_fen from target where corp_id = $1 and store_id = $2 and month = $3";
    db::scalar(conn, sql, args![scope.corp, store, month]).await
}
