//! Associates: who is in a store, what waits for them, whom they may greet.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Filter, id_list};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, StoreId};
use crate::time::Day;

/// Associates to show for a store: those who are there, and those of these ids who were.
pub async fn associate_names(
    conn: &impl Conn,
    corp: CorpId,
    store: StoreId,
    also: &[AssociateId],
) -> Result<Vec<(AssociateId, String)>> {
    let sql = format!(
        "select id, name from associate where corp_id = $1
           and ((store_id = $2 and status = 'active') or {}) order by name, id",
        conn.backend().in_ids("id", "$3")
    );
    let also = id_list(also.iter().map(|associate| associate.0));
    let rows = db::rows(conn, &sql, args![corp, store, also]).await?;
    rows.iter()
        .map(|row| Ok((AssociateId(db::column(row, 0)?), db::column(row, 1)?)))
        .collect()
}

/// The store an associate belongs to now, and the active associates there.
pub async fn colleagues(
    conn: &impl Conn,
    corp: CorpId,
    associate: AssociateId,
) -> Result<Option<(StoreId, Vec<AssociateId>)>> {
    let store: Option<Option<i64>> = db::scalar(
        conn,
        "select store_id from associate where corp_id = $1 and id = $2",
        args![corp, associate],
    )
    .await?;
    let Some(store) = store.flatten() else {
        return Ok(None);
    };
    let ids: Vec<i64> = db::scalars(
        conn,
        "select id from associate where corp_id = $1 and store_id = $2 and (status = 'active' or id = $3)",
        args![corp, store, associate],
    )
    .await?;
    Ok(Some((StoreId(store), ids.into_iter().map(AssociateId).collect())))
}

/// Batches handed to a store's associates that nobody confirmed yet, by store.
pub async fn batches_waiting(conn: &impl Conn, corp: CorpId) -> Result<BTreeMap<StoreId, i64>> {
    let rows = db::rows(
        conn,
        "select b.store_id, count(*) from campaign c join batch b on b.corp_id = c.corp_id and b.campaign_id = c.id
         where c.corp_id = $1 and c.state = 'running' and b.state = 'handed' and b.confirmed_at is null
           and b.store_id is not null
         group by b.store_id",
        args![corp],
    )
    .await?;
    rows.iter()
        .map(|row| Ok((StoreId(db::column(row, 0)?), db::column(row, 1)?)))
        .collect()
}

/// Contacts of an associate, and when they last did what a greeting may speak of.
#[derive(Debug, FromQueryResult)]
pub struct Greeted {
    pub contact_id: ContactId,
    pub name: String,
    pub birthday: Option<String>,
    pub added_day: Day,
    pub clicks: i64,
    pub last_click_at: Option<i64>,
    pub orders: i64,
    pub last_order_at: Option<i64>,
    pub last_order_day: Option<Day>,
}

/// What makes one worth greeting, by the statement's own words.
#[derive(Debug, Clone, Copy)]
pub struct GreetingDays<'a> {
    /// `MM-DD`s, the nearest first.
    pub birthdays: &'a [String],
    pub clicked_since: Day,
    pub quiet_since: Day,
    pub new_since: Day,
}

/// Candidates for a greeting; whoever fits none of the reasons is left out. What they clicked of another associate's
/// is not for this one to speak of.
pub async fn greeted(
    conn: &impl Conn,
    corp: CorpId,
    associate: AssociateId,
    days: GreetingDays<'_>,
    limit: i64,
) -> Result<Vec<Greeted>> {
    let mut filter = Filter::new("f.corp_id", corp);
    filter.and("f.associate_id = {}", associate);
    let clicked = filter.arg(days.clicked_since);
    let quiet = filter.arg(days.quiet_since);
    let new = filter.arg(days.new_since);
    let birthdays: Vec<String> = days
        .birthdays
        .iter()
        .map(|day| filter.arg(day.as_str()))
        .collect();
    let limit = filter.arg(limit);
    let sql = format!(
        "select * from (
           select c.id as contact_id, c.name, c.birthday, f.added_day,
             (select count(*) from click k where k.corp_id = f.corp_id and k.contact_id = f.contact_id
               and k.day >= {clicked} and k.kind = 'person'
               and (k.associate_id is null or k.associate_id = f.associate_id)) as clicks,
             (select max(k.at) from click k where k.corp_id = f.corp_id and k.contact_id = f.contact_id
               and k.day >= {clicked} and k.kind = 'person'
               and (k.associate_id is null or k.associate_id = f.associate_id)) as last_click_at,
             (select count(*) from sale s where s.corp_id = f.corp_id and s.contact_id = f.contact_id) as orders,
             (select max(s.paid_at) from sale s where s.corp_id = f.corp_id and s.contact_id = f.contact_id)
               as last_order_at,
             (select max(s.day) from sale s where s.corp_id = f.corp_id and s.contact_id = f.contact_id)
               as last_order_day
           from follow f join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
           where {} and f.state = 'active' and not exists (select 1 from follow twin
             where twin.corp_id = f.corp_id and twin.contact_id = f.contact_id
               and twin.associate_id = f.associate_id and twin.state = 'active' and twin.id > f.id)
         ) g
         where g.birthday in ({})
           or (g.clicks > 0 and (g.last_order_at is null or g.last_order_at < g.last_click_at))
           or (g.orders >= 2 and g.last_order_day <= {quiet})
           or (g.added_day >= {new} and g.orders = 0)
         order by case when g.birthday in ({}) then 0 when g.clicks > 0 then 1 when g.orders >= 2 then 2 else 3 end,
           g.clicks desc, g.last_order_at desc, g.contact_id desc
         limit {limit}",
        filter.sql(),
        birthdays.join(","),
        birthdays.join(","),
    );
    db::all(conn, &sql, filter.args).await
}

/// Title of the link a contact clicked last, of the associate's own links and those of nobody.
pub async fn last_clicked_title(
    conn: &impl Conn,
    corp: CorpId,
    associate: AssociateId,
    contact: ContactId,
) -> Result<Option<String>> {
    db::scalar(
        conn,
        "select l.title from click k join link l on l.corp_id = k.corp_id and l.id = k.link_id
         where k.corp_id = $1 and k.contact_id = $2 and k.kind = 'person'
           and (l.associate_id is null or l.associate_id = $3)
         order by k.at desc, k.id desc limit 1",
        args![corp, contact, associate],
    )
    .await
}
