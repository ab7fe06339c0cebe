//! Statements on merges and on contacts that are merged. Lists read `contact`, `follow` and `sale` to show who is meant.

pub(super) mod moves;

use std::collections::HashMap;

use super::model::{Duplicate, Merge, Traits, Twin};
use crate::args;
use crate::db::{self, Conn, Filter, Tx, id_list, text_list};
use crate::error::{Error, Result};
use crate::ids::{ContactId, CorpId, MergeId};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Scope};
use crate::time::Timestamp;

/// Contacts with one unionid, a page of unionids at a time.
///
/// # Errors
/// `NotFound` for a caller who does not see the whole corp.
pub async fn duplicates(conn: &impl Conn, scope: &Scope, page: &PageOf) -> Result<Page<Duplicate>> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let mut filter = Filter::new("d.corp_id", scope.corp);
    if let Some(after) = page.after::<String>()? {
        filter.and("d.unionid > {}", after);
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "select d.unionid from contact_duplicate d where {} order by d.unionid limit {limit}",
        filter.sql()
    );
    let unionids: Vec<String> = db::scalars(conn, &sql, filter.args).await?;
    let page = Page::cut(unionids, page, String::clone);
    let mut twins = twins(conn, scope.corp, &page.items).await?;
    let mut page = page.map(|unionid| {
        let mut contacts = twins.remove(&unionid).unwrap_or_default();
        contacts.sort_by_key(|twin| std::cmp::Reverse(twin.rank()));
        Duplicate { unionid, contacts }
    });
    // One of them is told otherwise by now.
    page.items.retain(|one| one.contacts.len() > 1);
    Ok(page)
}

async fn twins(conn: &impl Conn, corp: CorpId, unionids: &[String]) -> Result<HashMap<String, Vec<Twin>>> {
    let sql = format!(
        "select id, external_userid, name, unionid from contact where corp_id = $1 and unionid is not null and {}",
        conn.backend().in_texts("unionid", "$2")
    );
    let list = text_list(unionids.iter().map(String::as_str));
    let mut found: HashMap<ContactId, (Twin, String)> = HashMap::new();
    for row in &db::rows(conn, &sql, args![corp, list]).await? {
        let id: ContactId = db::column(row, 0)?;
        let twin = Twin {
            id,
            external_userid: db::column(row, 1)?,
            name: db::column(row, 2)?,
            associates: Vec::new(),
            last_added_at: None,
            orders: 0,
        };
        found.insert(id, (twin, db::column(row, 3)?));
    }
    let ids = id_list(found.keys().map(|contact| contact.0));
    let sql = format!(
        "select f.contact_id, a.name, f.state, f.added_at from follow f
         join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
         where f.corp_id = $1 and {} order by f.added_at, f.id",
        conn.backend().in_ids("f.contact_id", "$2")
    );
    for row in &db::rows(conn, &sql, args![corp, ids.clone()]).await? {
        let Some((twin, _)) = found.get_mut(&db::column::<ContactId>(row, 0)?) else {
            continue;
        };
        let (name, state): (String, String) = (db::column(row, 1)?, db::column(row, 2)?);
        if state == "active" && !twin.associates.contains(&name) {
            twin.associates.push(name);
        }
        twin.last_added_at = db::column(row, 3)?;
    }
    let sql = format!(
        "select contact_id, count(*) from sale where corp_id = $1 and {} group by contact_id",
        conn.backend().in_ids("contact_id", "$2")
    );
    for row in &db::rows(conn, &sql, args![corp, ids]).await? {
        if let Some((twin, _)) = found.get_mut(&db::column::<ContactId>(row, 0)?) {
            twin.orders = db::column(row, 1)?;
        }
    }
    let mut by_unionid: HashMap<String, Vec<Twin>> = HashMap::new();
    for (twin, unionid) in found.into_values() {
        by_unionid.entry(unionid).or_default().push(twin);
    }
    Ok(by_unionid)
}

/// Names are as they are now, whatever has become of the two since.
const MERGE: &str = "select m.id, m.kept_id, coalesce(k.name, km.name, '') as kept_name, m.merged_id,
       coalesce(g.name, gc.name, '') as merged_name,
       coalesce(g.external_userid, gc.external_userid, '') as merged_external_userid,
       m.created_by, m.created_at, m.undone_at,
       (select max(later.id) from contact_merge later where later.corp_id = m.corp_id and later.id > m.id
         and later.undone_at is null and m.undone_at is null
         and (later.kept_id = m.kept_id or later.merged_id = m.kept_id)) as undo_first
     from contact_merge m
     left join contact k on k.corp_id = m.corp_id and k.id = m.kept_id
     left join merged_contact km on km.corp_id = m.corp_id and km.id = m.kept_id
     left join merged_contact g on g.corp_id = m.corp_id and g.id = m.merged_id
     left join contact gc on gc.corp_id = m.corp_id and gc.id = m.merged_id";

/// Merges, the last first.
///
/// # Errors
/// `NotFound` for a caller who does not see the whole corp.
pub async fn done(conn: &impl Conn, scope: &Scope, page: &PageOf) -> Result<Page<Merge>> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let mut filter = Filter::new("m.corp_id", scope.corp);
    if let Some(after) = page.after::<MergeId>()? {
        filter.and("m.id < {}", after);
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!("{MERGE} where {} order by m.id desc limit {limit}", filter.sql());
    let rows: Vec<Merge> = db::all(conn, &sql, filter.args).await?;
    Ok(Page::cut(rows, page, |merge| merge.id))
}

/// One merge.
///
/// # Errors
/// `NotFound` when there is none, or for a caller who does not see the whole corp.
pub async fn find(conn: &impl Conn, scope: &Scope, id: MergeId) -> Result<Merge> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let sql = format!("{MERGE} where m.corp_id = $1 and m.id = $2");
    db::find(conn, &sql, args![scope.corp, id]).await
}

pub(super) async fn traits(tx: &Tx, corp: CorpId, contact: ContactId) -> Result<Option<Traits>> {
    let sql =
        "select external_userid, unionid, birthday, phone_blind, phone_last4, phone_sealed, home_store_id,
                 opted_out_at from contact where corp_id = $1 and id = $2";
    db::first(tx, sql, args![corp, contact]).await
}

pub(super) async fn set_traits(tx: &Tx, corp: CorpId, contact: ContactId, traits: &Traits) -> Result<()> {
    let sql = "update contact set birthday = $3, phone_blind = $4, phone_last4 = $5, phone_sealed = $6,
                 home_store_id = $7, opted_out_at = $8 where corp_id = $1 and id = $2";
    let args = args![
        corp,
        contact,
        traits.birthday.clone(),
        traits.phone_blind.clone(),
        traits.phone_last4.clone(),
        traits.phone_sealed.clone(),
        traits.home_store_id,
        traits.opted_out_at
    ];
    db::run(tx, sql, args).await?;
    Ok(())
}

pub(super) async fn insert(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: MergeId,
    kept: ContactId,
    merged: ContactId,
    gave: &str,
) -> Result<()> {
    let sql = "insert into contact_merge (corp_id, id, kept_id, merged_id, gave, created_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7)";
    let args = args![corp, id, kept, merged, gave, act.by.to_string(), act.now];
    db::run(tx, sql, args).await?;
    Ok(())
}

/// Marks a merge as undone; answers what it gave, `None` when it is undone already.
pub(super) async fn end(tx: &Tx, act: &Act<'_>, corp: CorpId, id: MergeId) -> Result<Option<String>> {
    let sql = "update contact_merge set undone_by = $3, undone_at = $4
               where corp_id = $1 and id = $2 and undone_at is null returning gave";
    let gave: Vec<String> = db::scalars(tx, sql, args![corp, id, act.by.to_string(), act.now]).await?;
    Ok(gave.into_iter().next())
}

/// Holds a merge in force until the transaction ends; `false`: it is undone.
pub(super) async fn hold(tx: &Tx, corp: CorpId, id: MergeId) -> Result<bool> {
    let sql =
        "update contact_merge set undone_at = undone_at where corp_id = $1 and id = $2 and undone_at is null";
    Ok(db::run(tx, sql, args![corp, id]).await? > 0)
}

const ROW: &str =
    "corp_id, id, external_userid, unionid, name, avatar, kind, gender, birthday, phone_blind, phone_last4,
       phone_sealed, home_store_id, opted_out_at, created_at, updated_at";

/// The merged contact's row leaves `contact`.
pub(super) async fn put_aside(
    tx: &Tx,
    corp: CorpId,
    id: MergeId,
    kept: ContactId,
    merged: ContactId,
) -> Result<()> {
    let kept_row = format!(
        "insert into merged_contact ({ROW}, contact_id, merge_id)
         select {ROW}, $3, $4 from contact where corp_id = $1 and id = $2"
    );
    db::run(tx, &kept_row, args![corp, merged, kept, id]).await?;
    let gone = "delete from contact where corp_id = $1 and id = $2";
    db::run(tx, gone, args![corp, merged]).await?;
    Ok(())
}

/// The row comes back as it was.
pub(super) async fn put_back(tx: &Tx, corp: CorpId, merged: ContactId) -> Result<()> {
    let back = format!(
        "insert into contact ({ROW}) select {ROW} from merged_contact where corp_id = $1 and id = $2"
    );
    db::run(tx, &back, args![corp, merged]).await?;
    let gone = "delete from merged_contact where corp_id = $1 and id = $2";
    db::run(tx, gone, args![corp, merged]).await?;
    Ok(())
}

/// A unionid that one contact is left with is none of several.
pub(super) async fn settle_duplicate(tx: &Tx, corp: CorpId, unionid: &str) -> Result<()> {
    let sql = "delete from contact_duplicate where corp_id = $1 and unionid = $2
               and (select count(*) from contact c where c.corp_id = $1 and c.unionid = $2) < 2";
    db::run(tx, sql, args![corp, unionid]).await?;
    Ok(())
}

/// Every unionid that several contacts have, by a look at all of them.
pub(super) async fn unionids_of_several(conn: &impl Conn, corp: CorpId) -> Result<Vec<String>> {
    let sql = "select unionid from contact where corp_id = $1 and unionid is not null and unionid <> ''
               group by unionid having count(*) > 1 order by unionid";
    db::scalars(conn, sql, args![corp]).await
}

pub(super) async fn replace_duplicates(tx: &Tx, corp: CorpId, found: &[String]) -> Result<()> {
    let list = text_list(found.iter().map(String::as_str));
    let gone = format!(
        "delete from contact_duplicate where corp_id = $1 and not ({})",
        tx.backend().in_texts("unionid", "$2")
    );
    db::run(tx, &gone, args![corp, list]).await?;
    let rows = found.iter().map(|unionid| args![corp, unionid.as_str()]);
    let head = "insert into contact_duplicate (corp_id, unionid)";
    db::insert_many(tx, head, rows, "on conflict do nothing").await?;
    Ok(())
}

/// Merges in force that were made since: their id, the kept, the merged, and the merged one's external_userid.
pub(super) async fn in_force_since(
    conn: &impl Conn,
    corp: CorpId,
    since: Timestamp,
) -> Result<Vec<(MergeId, ContactId, ContactId, String)>> {
    let sql = "select m.id, g.contact_id, m.merged_id, g.external_userid from contact_merge m
               join merged_contact g on g.corp_id = m.corp_id and g.id = m.merged_id
               where m.corp_id = $1 and m.undone_at is null and m.created_at >= $2 order by m.id";
    let rows = db::rows(conn, sql, args![corp, since]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                db::column(row, 0)?,
                db::column(row, 1)?,
                db::column(row, 2)?,
                db::column(row, 3)?,
            ))
        })
        .collect()
}
