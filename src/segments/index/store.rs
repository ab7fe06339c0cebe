//! What the index reads: facts of everybody, page by page, facts of some, and single leaves that only SQL can say.

use chrono_tz::Tz;
use sea_orm::QueryResult;

use super::calendar::{Calendar, number};
use super::named::Named;
use crate::args;
use crate::db::{self, Conn, Db, Filter, id_list};
use crate::error::Result;
use crate::ids::{ContactId, CorpId};
use crate::scope::Scope;
use crate::segments::rule::{condition, condition_among};
use crate::segments::{Rule, SamplePerson};
use crate::time::Day;

/// Rows of one page.
pub(super) const PAGE: usize = 20_000;
/// Names of one page: few, for what they are read into is not given back while the process runs.
pub(super) const NAMES: usize = 4_000;
/// Ids of one look.
pub(super) const LOOK: usize = 5_000;

#[derive(Debug)]
pub(super) struct Person {
    pub id: i64,
    pub gender: i64,
    pub birthday: Option<String>,
}

/// A live follow.
#[derive(Debug)]
pub(super) struct Pair {
    pub contact: i64,
    pub associate: i64,
    pub store: Option<i64>,
    pub channel: String,
    pub tags: String,
    pub added_at_ms: i64,
    pub added_day: i32,
    pub alias: String,
}

/// An order or a click, and the day it was on the corp's clock.
#[derive(Debug)]
pub(super) struct Visit {
    pub contact: i64,
    pub at_ms: i64,
    pub day: i32,
}

/// Where visits are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Orders,
    Clicks,
}

const PERSON: &str = "select id, gender, birthday from contact where corp_id = $1";
const PAIR: &str =
    "select contact_id, associate_id, store_id, channel, tags, added_at, added_day, alias from follow
    where corp_id = $1 and state = 'active'";

impl Place {
    fn select(self) -> &'static str {
        match self {
            Self::Orders => {
                "select contact_id, paid_at as at from sale where corp_id = $1 and contact_id is not null"
            }
            Self::Clicks => {
                "select contact_id, at from click where corp_id = $1 and contact_id is not null and kind = 'person'"
            }
        }
    }

    fn at(self) -> &'static str {
        match self {
            Self::Orders => "paid_at",
            Self::Clicks => "at",
        }
    }
}

fn person(row: &QueryResult) -> Result<Person> {
    Ok(Person {
        id: db::column(row, 0)?,
        gender: db::column(row, 1)?,
        birthday: db::column(row, 2)?,
    })
}

fn pair(row: &QueryResult) -> Result<Pair> {
    let added_day: Day = db::column(row, 6)?;
    Ok(Pair {
        contact: db::column(row, 0)?,
        associate: db::column(row, 1)?,
        store: db::column(row, 2)?,
        channel: db::column(row, 3)?,
        tags: db::column(row, 4)?,
        added_at_ms: db::column(row, 5)?,
        added_day: number(added_day),
        alias: db::column(row, 7)?,
    })
}

fn visit(row: &QueryResult, calendar: &Calendar) -> Result<Visit> {
    let at_ms = db::column(row, 1)?;
    Ok(Visit {
        contact: db::column(row, 0)?,
        at_ms,
        day: calendar.day_of(at_ms),
    })
}

/// People in the order of their ids, after this one.
pub(super) async fn people_after(conn: &impl Conn, corp: CorpId, after: i64) -> Result<Vec<Person>> {
    let sql = format!("{PERSON} and id > $2 order by id limit {PAGE}");
    let rows = db::rows(conn, &sql, args![corp, after]).await?;
    rows.iter().map(person).collect()
}

/// Live follows in the order of contact, associate and alias, after this pair.
pub(super) async fn pairs_after(
    conn: &impl Conn,
    corp: CorpId,
    after: &(i64, i64, String),
) -> Result<Vec<Pair>> {
    let sql = format!(
        "{PAIR} and (contact_id, associate_id, alias) > ($2, $3, $4)
         order by contact_id, associate_id, alias limit {PAGE}"
    );
    let rows = db::rows(conn, &sql, args![corp, after.0, after.1, after.2.as_str()]).await?;
    rows.iter().map(pair).collect()
}

/// Visits in the order of contact and instant, after this one; of several at one instant, one may do for all.
pub(super) async fn visits_after(
    conn: &impl Conn,
    corp: CorpId,
    place: Place,
    after: (i64, i64),
    calendar: &Calendar,
) -> Result<Vec<Visit>> {
    let (select, at) = (place.select(), place.at());
    let sql = format!("{select} and (contact_id, {at}) > ($2, $3) order by contact_id, {at} limit {PAGE}");
    let rows = db::rows(conn, &sql, args![corp, after.0, after.1]).await?;
    rows.iter().map(|row| visit(row, calendar)).collect()
}

pub(super) async fn people_of(conn: &impl Conn, corp: CorpId, contacts: &[i64]) -> Result<Vec<Person>> {
    let sql = format!("{PERSON} and {}", conn.backend().in_ids("id", "$2"));
    let rows = db::rows(conn, &sql, args![corp, id_list(contacts.iter().copied())]).await?;
    rows.iter().map(person).collect()
}

pub(super) async fn pairs_of(conn: &impl Conn, corp: CorpId, contacts: &[i64]) -> Result<Vec<Pair>> {
    let sql = format!("{PAIR} and {}", conn.backend().in_ids("contact_id", "$2"));
    let rows = db::rows(conn, &sql, args![corp, id_list(contacts.iter().copied())]).await?;
    rows.iter().map(pair).collect()
}

pub(super) async fn visits_of(
    conn: &impl Conn,
    corp: CorpId,
    place: Place,
    contacts: &[i64],
    calendar: &Calendar,
) -> Result<Vec<Visit>> {
    let sql = format!(
        "{} and {}",
        place.select(),
        conn.backend().in_ids("contact_id", "$2")
    );
    let rows = db::rows(conn, &sql, args![corp, id_list(contacts.iter().copied())]).await?;
    rows.iter().map(|row| visit(row, calendar)).collect()
}

/// Everybody a leaf finds, whoever follows them, as the database says.
pub(super) async fn found(
    db: &Db,
    corp: CorpId,
    leaf: &Rule,
    today: Day,
    zone: Tz,
    mut take: impl FnMut(i64),
) -> Result<()> {
    let mut filter = Filter::new("c.corp_id", corp);
    let condition = condition(leaf, db.backend(), &mut filter, "c.id", today.start(zone), zone);
    filter.and_sql(&condition);
    let sql = format!("select c.id from contact c where {}", filter.sql());
    db::each(db, &sql, filter.args, |row| {
        take(db::column(row, 0)?);
        Ok(())
    })
    .await
}

/// Whom of these a leaf finds.
pub(super) async fn found_among(
    conn: &impl Conn,
    corp: CorpId,
    leaf: &Rule,
    contacts: &[i64],
    today: Day,
    zone: Tz,
) -> Result<Vec<i64>> {
    let mut filter = Filter::new("c.corp_id", corp);
    let list = filter.arg(id_list(contacts.iter().copied()));
    let among = conn.backend().in_ids("{}", &list);
    filter.and_sql(&among.replace("{}", "c.id"));
    let condition = condition_among(leaf, &mut filter, "c.id", &among, today, zone);
    filter.and_sql(&condition);
    let sql = format!("select c.id from contact c where {}", filter.sql());
    db::scalars(conn, &sql, filter.args).await
}

/// People, and what each is called.
pub(super) type Called = Vec<(i64, String)>;

const REMARKED: &str = "from follow where corp_id = $1 and state = 'active' and remark <> ''";

/// A page of people's names in the order of their ids, after this one.
pub(super) async fn names_after(conn: &impl Conn, corp: CorpId, after: i64) -> Result<Called> {
    let page = format!(
        "from (select id, name from contact where corp_id = $1 and id > $2 order by id limit {NAMES}) page"
    );
    let mut called: Called = db::many(conn, "id, name", &page, args![corp, after]).await?;
    called.sort_unstable_by_key(|(id, _)| *id);
    Ok(called)
}

/// What associates call people with ids after the first, up to the last.
pub(super) async fn remarks_between(conn: &impl Conn, corp: CorpId, after: i64, last: i64) -> Result<Called> {
    let from = format!("{REMARKED} and contact_id > $2 and contact_id <= $3");
    db::many(conn, "contact_id, remark", &from, args![corp, after, last]).await
}

pub(super) async fn names_of(conn: &impl Conn, corp: CorpId, people: &[i64]) -> Result<Called> {
    let those = conn.backend().in_ids("id", "$2");
    let from = format!("from contact where corp_id = $1 and {those}");
    let ids = id_list(people.iter().copied());
    db::many(conn, "id, name", &from, args![corp, ids]).await
}

pub(super) async fn remarks_of(conn: &impl Conn, corp: CorpId, people: &[i64]) -> Result<Called> {
    let from = format!("{REMARKED} and {}", conn.backend().in_ids("contact_id", "$2"));
    let ids = id_list(people.iter().copied());
    db::many(conn, "contact_id, remark", &from, args![corp, ids]).await
}

/// What a rule may name.
pub(super) async fn named(conn: &impl Conn, corp: CorpId) -> Result<Named> {
    let tags = "select id from tag where corp_id = $1 and deleted_at is null";
    let stores = "select id, region_id from store where corp_id = $1";
    let regions = "select id from region where corp_id = $1";
    let stores = db::rows(conn, stores, args![corp]).await?;
    let pair = |row| Ok((db::column(row, 0)?, db::column(row, 1)?));
    Ok(Named {
        tags: db::scalars(conn, tags, args![corp]).await?.into_iter().collect(),
        stores: stores.iter().map(pair).collect::<Result<_>>()?,
        regions: db::scalars(conn, regions, args![corp])
            .await?
            .into_iter()
            .collect(),
    })
}

/// What people in scope are called.
pub(super) async fn names(
    conn: &impl Conn,
    scope: &Scope,
    people: &[ContactId],
) -> Result<Vec<SamplePerson>> {
    let mut filter = Filter::new("c.corp_id", scope.corp);
    let list = filter.arg(id_list(people.iter().map(|person| person.0)));
    filter.and_sql(&conn.backend().in_ids("c.id", &list));
    scope.narrow_contacts(&mut filter, conn.backend(), "c.id");
    let sql = format!(
        "select c.id, c.name from contact c where {} order by c.id",
        filter.sql()
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| {
            Ok(SamplePerson {
                id: db::column(row, 0)?,
                name: db::column(row, 1)?,
            })
        })
        .collect()
}
