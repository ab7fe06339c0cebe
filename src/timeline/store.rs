//! Statements on `timeline`.

use std::collections::{HashMap, HashSet};

use sea_orm::{FromQueryResult, Value};

use super::{Entry, News, Recorded, Told};
use crate::args;
use crate::auth;
use crate::db::{self, Conn, Filter, Tx, id_list};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, StoreId, TimelineId};
use crate::page::{Page, PageOf};
use crate::queue::{self, Lane, NewJob};
use crate::scope::{Act, Actor, Reach, Scope};
use crate::time::Timestamp;

const INSERT: &str =
    "insert into timeline (corp_id, id, contact_id, associate_id, store_id, at, day, kind, detail, author)";
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
    let ids: Vec<TimelineId> = news.iter().map(|_| TimelineId::new(act.ids, act.now)).collect();
    let waited_for = news
        .iter()
        .zip(&ids)
        .filter(|(news, _)| wanted.contains(news.entry.kind()));
    let told: Vec<TimelineId> = waited_for.map(|(_, id)| *id).collect();
    let rows = news
        .into_iter()
        .zip(ids)
        .map(|(news, id)| row(corp, id, zone, news, None));
    db::insert_many(tx, INSERT, rows, "").await?;
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

/// Appends what somebody wrote or did here, under their name.
pub async fn append_by(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    zone: chrono_tz::Tz,
    news: News,
) -> Result<TimelineId> {
    let id = TimelineId::new(act.ids, act.now);
    let author = Some(act.by.to_string());
    db::insert_many(tx, INSERT, [row(corp, id, zone, news, author)], "").await?;
    Ok(id)
}

fn row(corp: CorpId, id: TimelineId, zone: chrono_tz::Tz, news: News, author: Option<String>) -> Vec<Value> {
    let detail = serde_json::to_string(&news.entry).expect("an entry is JSON");
    args![
        corp,
        id,
        news.contact,
        news.associate,
        news.store,
        news.at,
        news.at.day(zone),
        news.entry.kind(),
        detail,
        author
    ]
}

/// Puts another entry in the place of one of this kind: when it was and whose it is stay. `false`: it is none.
pub async fn replace(
    tx: &Tx,
    corp: CorpId,
    contact: ContactId,
    id: TimelineId,
    kind: &str,
    entry: &Entry,
) -> Result<bool> {
    let sql = "update timeline set kind = $5, detail = $6
               where corp_id = $1 and contact_id = $2 and id = $3 and kind = $4";
    let detail = serde_json::to_string(entry)?;
    let args = args![corp, contact, id, kind, entry.kind(), detail];
    Ok(db::run(tx, sql, args).await? == 1)
}

async fn wanted(conn: &impl Conn, corp: CorpId) -> Result<HashSet<String>> {
    let sql = "select kind from timeline_wanted where corp_id = $1";
    Ok(db::scalars(conn, sql, args![corp]).await?.into_iter().collect())
}

/// Says which kinds of entries somebody reacts to from now on.
pub async fn want(tx: &Tx, corp: CorpId, kinds: &[&str]) -> Result<()> {
    let sql = "delete from timeline_wanted where corp_id = $1";
    db::run(tx, sql, args![corp]).await?;
    let rows = kinds.iter().map(|kind| args![corp, *kind]);
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
    author: Option<String>,
    detail: String,
}

const SELECT: &str = "select t.id, t.at, t.associate_id, a.name as associate_name, t.author, t.detail
    from timeline t left join associate a on a.corp_id = t.corp_id and a.id = t.associate_id";

/// A contact's entries, newest first, as far as the scope reaches: the contact must be in scope, and what happened
/// between the contact and another associate, or in another store, is not shown (orders are). Who was given the
/// contact sees what their predecessors noted.
pub async fn of_contact(
    conn: &impl Conn,
    scope: &Scope,
    contact: ContactId,
    page: &PageOf,
) -> Result<Page<Recorded>> {
    let after = page.after::<(Timestamp, TimelineId)>()?;
    check(conn, scope, contact).await?;
    let mut filter = visible(conn, scope, contact);
    if let Some((at, id)) = after {
        let (at, id) = (filter.arg(at), filter.arg(id));
        filter.and_sql(&format!("(t.at < {at} or (t.at = {at} and t.id < {id}))"));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "{SELECT} where {} order by t.at desc, t.id desc limit {limit}",
        filter.sql()
    );
    let rows: Vec<Row> = db::all(conn, &sql, filter.args).await?;
    let entries = recorded(conn, scope.corp, rows).await?;
    Ok(Page::cut(entries, page, |entry| (entry.at, entry.id)))
}

/// One entry, as far as the scope reaches, and whose timeline it is in.
pub async fn find(conn: &impl Conn, scope: &Scope, id: TimelineId) -> Result<(ContactId, Recorded)> {
    let whose = "select contact_id from timeline where corp_id = $1 and id = $2";
    let contact: Option<ContactId> = db::scalar(conn, whose, args![scope.corp, id]).await?;
    let contact = contact.ok_or(Error::NotFound)?;
    check(conn, scope, contact).await?;
    let mut filter = visible(conn, scope, contact);
    filter.and("t.id = {}", id);
    let sql = format!("{SELECT} where {}", filter.sql());
    let row: Row = db::find(conn, &sql, filter.args).await?;
    let found = recorded(conn, scope.corp, vec![row]).await?.pop();
    Ok((contact, found.ok_or(Error::NotFound)?))
}

/// Entries of a contact in scope that may be seen.
fn visible(conn: &impl Conn, scope: &Scope, contact: ContactId) -> Filter {
    let mut filter = Filter::new("t.corp_id", scope.corp);
    filter.and("t.contact_id = {}", contact);
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
                    (select own.store_id from associate own where own.corp_id = t.corp_id and own.id = {own})))
                  or (t.kind in ('noted', 'unnoted', 'followed_up') and exists (select 1 from follow given
                    where given.corp_id = t.corp_id and given.contact_id = t.contact_id
                      and given.associate_id = {own} and given.state = 'active' and given.add_way = 202)
                    and exists (select 1 from follow gone where gone.corp_id = t.corp_id
                      and gone.contact_id = t.contact_id and gone.associate_id = t.associate_id
                      and gone.state in ('transferred', 'removed'))))"
            ));
        }
    }
    filter
}

/// Whether the contact is in scope at all.
///
/// # Errors
/// `NotFound` when they are not.
pub async fn check(conn: &impl Conn, scope: &Scope, contact: ContactId) -> Result<()> {
    let mut filter = Filter::new("c.corp_id", scope.corp);
    filter.and("c.id = {}", contact);
    scope.narrow_contacts(&mut filter, conn.backend(), "c.id");
    let sql = format!("select count(*) from contact c where {}", filter.sql());
    match db::count(conn, &sql, filter.args).await? {
        0 => Err(Error::NotFound),
        _ => Ok(()),
    }
}

async fn recorded(conn: &impl Conn, corp: CorpId, rows: Vec<Row>) -> Result<Vec<Recorded>> {
    let names = author_names(conn, corp, &rows).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Recorded {
                id: row.id,
                at: row.at,
                associate_id: row.associate_id,
                associate_name: row.associate_name,
                author_name: row
                    .author
                    .as_deref()
                    .and_then(Actor::parse)
                    .and_then(|by| names.get(&by).cloned()),
                author: row.author,
                entry: serde_json::from_str::<Entry>(&row.detail)?,
            })
        })
        .collect()
}

/// Names of colleagues who wrote without being the associate of the line.
async fn author_names(conn: &impl Conn, corp: CorpId, rows: &[Row]) -> Result<HashMap<Actor, String>> {
    let others = rows.iter().filter(|row| row.associate_id.is_none());
    let actors: Vec<Actor> = others
        .filter_map(|row| Actor::parse(row.author.as_deref()?))
        .collect();
    if actors.is_empty() {
        return Ok(HashMap::new());
    }
    auth::actor_names(conn, corp, &actors).await
}
