//! Statements on `click`: written when somebody visits, given their person later.

use std::collections::{BTreeSet, HashMap};

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::changes::Fact;
use crate::db::{self, Conn as _, Filter, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, ClickId, ContactId, CorpId, LinkId, StoreId};
use crate::links::Resolved;
use crate::time::Timestamp;

/// When the last counted click since `since` of each of these visitors on each link was.
pub async fn last_counted(
    tx: &Tx,
    corp: CorpId,
    since: Timestamp,
    visitors: BTreeSet<&str>,
) -> Result<HashMap<(LinkId, String), Timestamp>> {
    let mut filter = Filter::new("k.corp_id", corp);
    filter.and("k.at > {}", since);
    let places: Vec<String> = visitors.into_iter().map(|visitor| filter.arg(visitor)).collect();
    filter.and_sql(&format!("k.visitor in ({})", places.join(",")));
    let sql = format!(
        "select k.link_id, k.visitor, max(k.at) as at from click k where {} and k.kind = 'person'
         group by k.link_id, k.visitor",
        filter.sql()
    );
    let rows = db::all::<Counted>(tx, &sql, filter.args).await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.link_id, row.visitor), row.at))
        .collect())
}

const INSERT: &str =
    "insert into click (corp_id, id, link_id, token, visitor, contact_id, campaign_id, moment_id,
   associate_id, store_id, at, day, kind, identified_at)";

/// A click as [`insert`] and [`insert_new`] write it.
pub fn row(
    link: &Resolved,
    id: ClickId,
    token: String,
    visitor: String,
    contact: Option<ContactId>,
    at: Timestamp,
    kind: &str,
) -> Vec<sea_orm::Value> {
    args![
        link.corp,
        id,
        link.link,
        token,
        visitor,
        contact,
        link.campaign,
        link.moment,
        link.associate,
        link.store,
        at,
        at.day(link.zone),
        kind,
        contact.map(|_| at)
    ]
}

/// Writes clicks down of which nobody knows yet whose they are.
pub async fn insert(tx: &Tx, rows: Vec<Vec<sea_orm::Value>>) -> Result<()> {
    db::insert_many(tx, INSERT, rows, "").await?;
    Ok(())
}

/// Writes a person's click down unless its token is there already; answers whether it was new.
pub async fn insert_new(tx: &Tx, corp: CorpId, contact: ContactId, row: Vec<sea_orm::Value>) -> Result<bool> {
    tx.note(corp, Fact::Click, [contact.0]);
    let added = db::insert_many(tx, INSERT, vec![row], "on conflict (corp_id, token) do nothing").await?;
    Ok(added != 0)
}

/// The click of a token.
pub async fn by_token(tx: &Tx, corp: CorpId, token: &str) -> Result<Found> {
    let sql = "select id, link_id, visitor, contact_id from click where corp_id = $1 and token = $2";
    db::find(tx, sql, args![corp, token]).await
}

/// Gives a click its person, and with it the same visitor's unnamed clicks since `since`.
pub async fn give(
    tx: &Tx,
    corp: CorpId,
    click: &Found,
    contact: ContactId,
    now: Timestamp,
    since: Timestamp,
) -> Result<Vec<Named>> {
    tx.note(corp, Fact::Click, [contact.0]);
    db::all(
        tx,
        "update click set contact_id = $3, identified_at = $4
          where corp_id = $1 and contact_id is null and (id = $2 or (visitor = $5 and at >= $6))
         returning id, link_id, associate_id, store_id, at, kind",
        args![corp, click.id, contact, now, click.visitor.as_str(), since],
    )
    .await
}

/// What links are called.
pub async fn titles(
    tx: &Tx,
    corp: CorpId,
    links: impl IntoIterator<Item = LinkId>,
) -> Result<HashMap<LinkId, String>> {
    let sql = format!(
        "select id, title from link where corp_id = $1 and {}",
        tx.backend().in_ids("id", "$2")
    );
    let links = db::id_list(links.into_iter().map(|link| link.0));
    let rows = db::all::<Titled>(tx, &sql, args![corp, links]).await?;
    Ok(rows.into_iter().map(|link| (link.id, link.title)).collect())
}

#[derive(FromQueryResult)]
struct Counted {
    link_id: LinkId,
    visitor: String,
    at: Timestamp,
}

/// A click that may have a person.
#[derive(FromQueryResult)]
pub struct Found {
    pub id: ClickId,
    pub link_id: LinkId,
    pub visitor: String,
    pub contact_id: Option<ContactId>,
}

/// A click whose person is known now.
#[derive(FromQueryResult)]
pub struct Named {
    pub id: ClickId,
    pub link_id: LinkId,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub at: Timestamp,
    pub kind: String,
}

#[derive(FromQueryResult)]
struct Titled {
    id: LinkId,
    title: String,
}
