//! Distinct people, counted within the places asked for.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use super::{Places, within};
use crate::args;
use crate::db::{self, Conn, Filter};
use crate::error::Result;
use crate::ids::{CorpId, StoreId};
use crate::time::Day;

/// How contacts came and went in some places over a span. A contact is in by the end of a day when one of its
/// periods there has begun and not ended by then; `start` is the end of the day before.
/// `end = start + new + moved_in + returned − lost − moved_out`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct Flow {
    /// The associate or store, where flows are told apart by one; else 0.
    pub owner: i64,
    pub at_start: i64,
    pub at_end: i64,
    /// In for the first time ever, and not by a transfer or a move.
    pub added: i64,
    pub moved_in: i64,
    pub returned: i64,
    pub lost: i64,
    /// Gone by a transfer or a move.
    pub moved_out: i64,
}

/// What flows are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    Associate,
    Store,
}

pub async fn flow(conn: &impl Conn, corp: CorpId, places: &Places, from: Day, to: Day) -> Result<Flow> {
    let flows = flows(conn, corp, places, Owner::Nobody, from, to).await?;
    Ok(flows.first().copied().unwrap_or_default())
}

pub async fn flows(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    owner: Owner,
    from: Day,
    to: Day,
) -> Result<Vec<Flow>> {
    let (key, group) = match owner {
        Owner::Nobody => ("cast(0 as bigint)", "p.contact_id"),
        Owner::Associate => ("p.associate_id", "p.associate_id, p.contact_id"),
        Owner::Store => ("p.store_id", "p.store_id, p.contact_id"),
    };
    let mut filter = Filter::new("p.corp_id", corp);
    places.narrow(&mut filter, conn.backend(), "p");
    if owner == Owner::Store {
        filter.and_sql("p.store_id is not null");
    }
    let (first, last) = (filter.arg(from), filter.arg(to));
    let sql = format!(
        "select owner,
           cast(sum(at_start) as bigint) as at_start,
           cast(sum(at_end) as bigint) as at_end,
           cast(sum(case when at_start = 0 and at_end = 1 and first_day >= {first}
             and (first_moved is null or first_moved > first_at) then 1 else 0 end) as bigint) as added,
           cast(sum(case when at_start = 0 and at_end = 1 and first_day >= {first}
             and first_moved = first_at then 1 else 0 end) as bigint) as moved_in,
           cast(sum(case when at_start = 0 and at_end = 1 and first_day < {first} then 1 else 0 end) as bigint)
             as returned,
           cast(sum(case when at_start = 1 and at_end = 0 and (last_moved is null or last_moved < last_at)
             then 1 else 0 end) as bigint) as lost,
           cast(sum(case when at_start = 1 and at_end = 0 and last_moved = last_at then 1 else 0 end) as bigint)
             as moved_out
         from (
           select {key} as owner, p.contact_id,
             max(case when p.from_day < {first} and (p.until_day is null or p.until_day >= {first})
               then 1 else 0 end) as at_start,
             max(case when p.until_day is null or p.until_day > {last} then 1 else 0 end) as at_end,
             min(p.from_day) as first_day,
             min(p.from_at) as first_at,
             min(case when p.from_cause in ('transfer', 'moved') then p.from_at end) as first_moved,
             max(case when p.until_day <= {last} then p.until_at end) as last_at,
             max(case when p.until_day <= {last} and p.until_cause in ('transfer', 'moved') then p.until_at end)
               as last_moved
           from follow_period p where {} and p.from_day <= {last} group by {group}
         ) whole group by owner",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// Contacts that were in for the first time on each day and still were when it ended, by day; not by a move.
pub async fn added_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<Day, i64>> {
    let mut filter = Filter::new("p.corp_id", corp);
    places.narrow(&mut filter, conn.backend(), "p");
    let inner = filter.sql().to_owned();
    let (first, last) = (filter.arg(from), filter.arg(to));
    let sql = format!(
        "select came.day, count(*) from (
           select p.contact_id, min(p.from_day) as day, min(p.from_at) as first_at,
             min(case when p.from_cause in ('transfer', 'moved') then p.from_at end) as first_moved
           from follow_period p where {inner} group by p.contact_id
           having min(p.from_day) >= {first} and min(p.from_day) <= {last}
         ) came
         where (came.first_moved is null or came.first_moved > came.first_at)
           and exists (select 1 from follow_period p where {inner} and p.contact_id = came.contact_id
             and p.from_day <= came.day and (p.until_day is null or p.until_day > came.day))
         group by came.day"
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Distinct people who bought in these places. A buyer nobody can tell apart is not counted.
pub async fn buyers(conn: &impl Conn, corp: CorpId, places: &Places, from: Day, to: Day) -> Result<i64> {
    let filter = bought(conn, corp, places, from, to);
    let sql = format!(
        "select count(distinct {}) from sale s where {}",
        person("s"),
        filter.sql()
    );
    db::count(conn, &sql, filter.args).await
}

/// Who bought, as one text: a contact, or else whatever tells the buyer.
pub(super) fn person(sale: &str) -> String {
    format!(
        "coalesce('contact:' || cast({sale}.contact_id as text), {sale}.buyer_kind || ':' || {sale}.buyer_key)"
    )
}

/// Sales `s` in these places; an associate's are those they are credited for.
pub(super) fn bought(conn: &impl Conn, corp: CorpId, places: &Places, from: Day, to: Day) -> Filter {
    let mut filter = Filter::new("s.corp_id", corp);
    within(&mut filter, "s.day", from, to);
    match places {
        Places::Associate(associate) => filter.and(
            "exists (select 1 from credit c
               where c.corp_id = s.corp_id and c.order_id = s.id and c.associate_id = {})",
            *associate,
        ),
        _ => {
            places.narrow(&mut filter, conn.backend(), "s");
            &mut filter
        }
    };
    filter
}

/// Distinct people whose counted clicks we know to be theirs.
pub async fn clickers(conn: &impl Conn, corp: CorpId, places: &Places, from: Day, to: Day) -> Result<i64> {
    let mut filter = Filter::new("k.corp_id", corp);
    within(&mut filter, "k.day", from, to);
    places.narrow(&mut filter, conn.backend(), "k");
    let sql = format!(
        "select count(distinct k.contact_id) from click k where {} and k.kind = 'person'",
        filter.sql()
    );
    db::count(conn, &sql, filter.args).await
}

/// Distinct people of a store: delivered to in the span; of them, those who clicked; of those, those who bought.
pub async fn funnel(
    conn: &impl Conn,
    corp: CorpId,
    store: StoreId,
    from: Day,
    to: Day,
) -> Result<(i64, i64, i64)> {
    let reached = "select distinct d.contact_id from delivery d
        where d.corp_id = $1 and d.store_id = $2 and d.sent_day >= $3 and d.sent_day <= $4 and d.state = 'sent'";
    let opened = "exists (select 1 from click k where k.corp_id = $1 and k.contact_id = reached.contact_id
        and k.day >= $3 and k.day <= $4 and k.kind = 'person')";
    let bought = "exists (select 1 from sale s join credit c on c.corp_id = s.corp_id and c.order_id = s.id
        where s.corp_id = $1 and s.contact_id = reached.contact_id and c.store_id = $2
          and s.day >= $3 and s.day <= $4)";
    let sql = format!(
        "select count(*), cast(coalesce(sum(case when {opened} then 1 else 0 end), 0) as bigint),
           cast(coalesce(sum(case when {opened} and {bought} then 1 else 0 end), 0) as bigint)
         from ({reached}) reached"
    );
    let rows = db::rows(conn, &sql, args![corp, store, from, to]).await?;
    match rows.first() {
        Some(row) => Ok((db::column(row, 0)?, db::column(row, 1)?, db::column(row, 2)?)),
        None => Ok((0, 0, 0)),
    }
}
