//! Statements on `timeline`.

use std::collections::HashSet;

use sea_orm::FromQueryResult;

use super::{Entry, News, Recorded, Told};
use crate::args;
use crate::db::{self, Conn, Filter, Tx, id_list};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, StoreId, TimelineId};
use crate::page::{Page, PageOf};
use crate::queue::{self, Lane, NewJob};
use crate::scope::{Act, Reach, Scope};
use crate::time::Timestamp;

/// Entries that one job tells of.
const TOLD_TOGETHER: usize = 200;

/// Appends entries. `zone` decides their day. Of kinds that somebody waits for, whoever reacts is told.
pub async fn append(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    zone: chrono_tz::Tz,
    news: Vec<News>,
) -> Result<()> {
    let wanted = match news.is_empty() {
        true => HashSet::new(),
        false => wanted(tx, corp).await?,
    };
    let mut rows = Vec::with_capacity(news.len());
    let mut told = Vec::new();
    for news in news {
        let detail = serde_json::to_string(&news.entry)?;
        let id = TimelineId::new(act.ids, act.now);
        if wanted.contains(news.entry.kind()) {
            told.push(id);
        }
        rows.push(args![
            corp,
            id,
            news.contact,
            news.associate,
            news.store,
            news.at,
            news.at.day(zone),
            news.entry.kind(),
            detail
        ]);
    }
    let head =
        "insert into timeline (corp_id, id, contact_id, associate_id, store_id, at, day, kind, detail)";
    db::insert_many(tx, head, rows, "").await?;
    let tell = |entries: &[TimelineId]| NewJob {
        corp,
        kind: Told::NAME,
        payload: queue::payload(&Told {
            entries: entries.to_vec(),
        }),
        lane: Lane::Normal,
        run_at: act.now,
        unique_key: None,
    };
    let jobs: Vec<NewJob<'_>> = told.chunks(TOLD_TOGETHER).map(tell).collect();
    if !jobs.is_empty() {
        queue::enqueue_all(tx, act.ids, act.now, jobs).await?;
    }
    Ok(())
}

async fn wanted(conn: &impl Conn, corp: CorpId) -> Result<HashSet<String>> {
    let sql = "select kind from timeline_wanted where corp_id = $1";
    Ok(db::scalars(conn, sql, args![corp]).await?.into_iter().collect())
}

/// Says which kinds of entries somebody reacts to from now on.
pub async fn want(tx: &Tx, corp: CorpId, kinds: &[&str]) -> Result<()> {
    let sql = "delete from timeline_wanted where corp_id = $1";
    db::run(tx, sql, args![corp]).await?;
    let rows = kinds.iter().map(|kind| args![corp, *kind]).collect();
    let head = "insert into timeline_wanted (corp_id, kind)";
    db::insert_many(tx, head, rows, "on conflict do nothing").await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct NewsRow {
    contact_id: ContactId,
    associate_id: Option<AssociateId>,
    store_id: Option<StoreId>,
    at: Timestamp,
    detail: String,
}

/// Entries as they were appended, the whole corp's: for who reacts to them.
pub async fn entries(conn: &impl Conn, corp: CorpId, ids: &[TimelineId]) -> Result<Vec<News>> {
    let sql = format!(
        "select contact_id, associate_id, store_id, at, detail from timeline where corp_id = $1 and {} order by at, id",
        conn.backend().in_ids("id", "$2")
    );
    let rows: Vec<NewsRow> = db::all(conn, &sql, args![corp, id_list(ids.iter().map(|id| id.0))]).await?;
    rows.into_iter()
        .map(|row| {
            Ok(News {
                contact: row.contact_id,
                associate: row.associate_id,
                store: row.store_id,
                at: row.at,
                entry: serde_json::from_str(&row.detail)?,
            })
        })
        .collect()
}

#[derive(FromQueryResult)]
struct Row {
    id: TimelineId,
    at: Timestamp,
    associate_id: Option<AssociateId>,
    associate_name: Option<String>,
    detail: String,
}

/// A contact's entries, newest first, as far as the scope reaches: the contact must be in scope, and what happened
/// between the contact and another associate, or in another store, is not shown (orders are).
pub async fn of_contact(
    conn: &impl Conn,
    scope: &Scope,
    contact: ContactId,
    page: &PageOf,
) -> Result<Page<Recorded>> {
    let after = page.after::<(Timestamp, TimelineId)>()?;
    let mut filter = Filter::new("t.corp_id", scope.corp);
    filter.and("t.contact_id = {}", contact);
    in_scope(conn, scope, contact).await?;
    match &scope.reach {
        Reach::Whole => {}
        Reach::Stores(stores) => {
            let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
            let in_stores = conn.backend().in_ids("t.store_id", &place);
            filter.and_sql(&format!(
                "(t.store_id is null or {in_stores} or t.kind in ('ordered', 'refunded'))"
            ));
        }
        Reach::Own(associate) => {
            let own = filter.arg(*associate);
            filter.and_sql(&format!(
                "(t.associate_id = {own} or t.kind in ('ordered', 'refunded')
                  or (t.associate_id is null and (t.store_id is null or t.store_id =
                    (select own.store_id from associate own where own.corp_id = t.corp_id and own.id = {own}))))"
            ));
        }
    }
    if let Some((at, id)) = after {
        let (at, id) = (filter.arg(at), filter.arg(id));
        filter.and_sql(&format!("(t.at < {at} or (t.at = {at} and t.id < {id}))"));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "select t.id, t.at, t.associate_id, a.name as associate_name, t.detail
         from timeline t left join associate a on a.corp_id = t.corp_id and a.id = t.associate_id
         where {} order by t.at desc, t.id desc limit {limit}",
        filter.sql()
    );
    let rows: Vec<Row> = db::all(conn, &sql, filter.args).await?;
    let entries = rows.into_iter().map(recorded).collect::<Result<Vec<_>>>()?;
    Ok(Page::cut(entries, page, |entry| (entry.at, entry.id)))
}

async fn in_scope(conn: &impl Conn, scope: &Scope, contact: ContactId) -> Result<()> {
    let mut filter = Filter::new("c.corp_id", scope.corp);
    filter.and("c.id = {}", contact);
    scope.narrow_contacts(&mut filter, conn.backend(), "c.id");
    let sql = format!("select count(*) from contact c where {}", filter.sql());
    match db::count(conn, &sql, filter.args).await? {
        0 => Err(Error::NotFound),
        _ => Ok(()),
    }
}

fn recorded(row: Row) -> Result<Recorded> {
    Ok(Recorded {
        id: row.id,
        at: row.at,
        associate_id: row.associate_id,
        associate_name: row.associate_name,
        entry: serde_json::from_str::<Entry>(&row.detail)?,
    })
}
