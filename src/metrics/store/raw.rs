//! Raw rows by store, associate and day: what every tally is counted from again.

use chrono_tz::Tz;
use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::ids::{AssociateId, CorpId, StoreId};
use crate::tally::Code;
use crate::time::{Day, Timestamp, zone};

/// Figures whose rows carry their day: store, associate, day, value, for the days `$2` to `$3`.
const BY_DAY: [(Code, &str); 19] = [
    (
        Code::NewRelations,
        "select store_id, associate_id, from_day as day, count(*) as value from follow_period
         where corp_id = $1 and from_day >= $2 and from_day <= $3 and from_cause <> 'moved'
         group by store_id, associate_id, from_day",
    ),
    (
        Code::LostRelations,
        "select store_id, associate_id, until_day as day, count(*) as value from follow_period
         where corp_id = $1 and until_day >= $2 and until_day <= $3 and until_cause = 'contact'
         group by store_id, associate_id, until_day",
    ),
    (
        Code::StaffRemoved,
        "select store_id, associate_id, until_day as day, count(*) as value from follow_period
         where corp_id = $1 and until_day >= $2 and until_day <= $3 and until_cause = 'associate'
         group by store_id, associate_id, until_day",
    ),
    (
        Code::Gmv,
        "select store_id, cast(null as bigint) as associate_id, day, cast(sum(paid_fen) as bigint) as value
         from sale where corp_id = $1 and day >= $2 and day <= $3 group by store_id, day",
    ),
    (
        Code::GmvMiniStore,
        "select store_id, cast(null as bigint) as associate_id, day, cast(sum(paid_fen) as bigint) as value
         from sale where corp_id = $1 and day >= $2 and day <= $3 and channel = 'mini_store' group by store_id, day",
    ),
    (
        Code::Orders,
        "select store_id, cast(null as bigint) as associate_id, day, count(*) as value
         from sale where corp_id = $1 and day >= $2 and day <= $3 group by store_id, day",
    ),
    (
        Code::Items,
        "select s.store_id, cast(null as bigint) as associate_id, s.day, cast(sum(l.quantity) as bigint) as value
         from sale s join sale_line l on l.corp_id = s.corp_id and l.order_id = s.id
         where s.corp_id = $1 and s.day >= $2 and s.day <= $3 group by s.store_id, s.day",
    ),
    (
        Code::ListPrice,
        "select s.store_id, cast(null as bigint) as associate_id, s.day, cast(sum(l.list_fen) as bigint) as value
         from sale s join sale_line l on l.corp_id = s.corp_id and l.order_id = s.id
         where s.corp_id = $1 and s.day >= $2 and s.day <= $3 group by s.store_id, s.day",
    ),
    (
        Code::Refund,
        "select s.store_id, cast(null as bigint) as associate_id, r.day, cast(sum(r.refund_fen) as bigint) as value
         from refund r join sale s on s.corp_id = r.corp_id and s.id = r.order_id
         where r.corp_id = $1 and r.day >= $2 and r.day <= $3 group by s.store_id, r.day",
    ),
    (
        Code::RefundMiniStore,
        "select s.store_id, cast(null as bigint) as associate_id, r.day, cast(sum(r.refund_fen) as bigint) as value
         from refund r join sale s on s.corp_id = r.corp_id and s.id = r.order_id
         where r.corp_id = $1 and r.day >= $2 and r.day <= $3 and s.channel = 'mini_store'
         group by s.store_id, r.day",
    ),
    (
        Code::CreditedGmv,
        "select store_id, associate_id, day, cast(sum(paid_fen) as bigint) as value from credit
         where corp_id = $1 and day >= $2 and day <= $3 group by store_id, associate_id, day",
    ),
    (
        Code::CreditedOrders,
        "select store_id, associate_id, day, count(distinct order_id) as value from credit
         where corp_id = $1 and day >= $2 and day <= $3 group by store_id, associate_id, day",
    ),
    (
        Code::LinkGmv,
        "select store_id, associate_id, day, cast(sum(paid_fen) as bigint) as value from credit
         where corp_id = $1 and day >= $2 and day <= $3 and source in ('link', 'click')
         group by store_id, associate_id, day",
    ),
    (
        Code::CreditedRefund,
        "select c.store_id, c.associate_id, a.day, cast(sum(a.refund_fen) as bigint) as value
         from adjustment a join credit c on c.corp_id = a.corp_id and c.order_id = a.order_id and c.part = a.part
         where a.corp_id = $1 and a.day >= $2 and a.day <= $3 group by c.store_id, c.associate_id, a.day",
    ),
    (
        Code::LinkRefund,
        "select c.store_id, c.associate_id, a.day, cast(sum(a.refund_fen) as bigint) as value
         from adjustment a join credit c on c.corp_id = a.corp_id and c.order_id = a.order_id and c.part = a.part
         where a.corp_id = $1 and a.day >= $2 and a.day <= $3 and c.source in ('link', 'click')
         group by c.store_id, c.associate_id, a.day",
    ),
    (
        Code::MomentsPublished,
        "select store_id, associate_id, due_day as day, count(*) as value from moment_task
         where corp_id = $1 and due_day >= $2 and due_day <= $3 and published_at is not null
         group by store_id, associate_id, due_day",
    ),
    (
        Code::MomentsDue,
        "select store_id, associate_id, due_day as day, count(*) as value from moment_task
         where corp_id = $1 and due_day >= $2 and due_day <= $3
         group by store_id, associate_id, due_day",
    ),
    (
        Code::Delivered,
        "select store_id, associate_id, sent_day as day, count(*) as value from delivery
         where corp_id = $1 and sent_day >= $2 and sent_day <= $3 and state = 'sent'
         group by store_id, associate_id, sent_day",
    ),
    (
        Code::Clicks,
        "select store_id, associate_id, day, count(*) as value from click
         where corp_id = $1 and day >= $2 and day <= $3 and kind = 'person'
         group by store_id, associate_id, day",
    ),
];

/// Figures whose rows carry an instant: the day is told on the store's clock. Instants from `$2` to before `$3`.
const BY_INSTANT: [(Code, &str); 3] = [
    (
        Code::BatchesDue,
        "select store_id, associate_id, handed_at as at from batch
         where corp_id = $1 and handed_at >= $2 and handed_at < $3",
    ),
    (
        Code::BatchesConfirmed,
        "select store_id, associate_id, handed_at as at from batch
         where corp_id = $1 and handed_at >= $2 and handed_at < $3 and confirmed_at is not null",
    ),
    // It failed when the associate pressed send, however late that was known; or before that, when it was known.
    (
        Code::NotDelivered,
        "select store_id, associate_id, at from (
           select d.store_id, d.associate_id,
             case when b.confirmed_at < d.updated_at then b.confirmed_at else d.updated_at end as at
           from delivery d left join batch b on b.corp_id = d.corp_id and b.id = d.batch_id
           where d.corp_id = $1 and d.state = 'failed' and d.updated_at >= $2
         ) failed where at >= $2 and at < $3",
    ),
];

#[derive(FromQueryResult)]
pub struct DayCount {
    pub store_id: Option<StoreId>,
    pub associate_id: Option<AssociateId>,
    pub day: Day,
    pub value: i64,
}

#[derive(FromQueryResult)]
pub struct Instant {
    pub store_id: Option<StoreId>,
    pub associate_id: Option<AssociateId>,
    pub at: Timestamp,
}

/// Counts of every figure whose rows carry their day.
pub async fn counted_by_day(
    conn: &impl Conn,
    corp: CorpId,
    from: Day,
    to: Day,
) -> Result<Vec<(Code, Vec<DayCount>)>> {
    let mut counted = Vec::with_capacity(BY_DAY.len());
    for (code, sql) in BY_DAY {
        counted.push((code, db::all(conn, sql, args![corp, from, to]).await?));
    }
    Ok(counted)
}

/// Rows of every figure whose rows carry an instant, from `from` to before `until`.
pub async fn instants(
    conn: &impl Conn,
    corp: CorpId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Code, Vec<Instant>)>> {
    let mut rows = Vec::with_capacity(BY_INSTANT.len());
    for (code, sql) in BY_INSTANT {
        rows.push((code, db::all(conn, sql, args![corp, from, until]).await?));
    }
    Ok(rows)
}

/// The clock of the corp, and of each of its stores.
pub async fn zones(conn: &impl Conn, corp: CorpId) -> Result<(Tz, Vec<(StoreId, Tz)>)> {
    let known = |name: &str| zone(name).unwrap_or(Tz::Asia__Shanghai);
    let own: Option<String> = db::scalar(conn, "select zone from corp where id = $1", args![corp]).await?;
    let mut stores = Vec::new();
    for row in db::rows(conn, "select id, zone from store where corp_id = $1", args![corp]).await? {
        let name: String = db::column(&row, 1)?;
        stores.push((StoreId(db::column(&row, 0)?), known(&name)));
    }
    Ok((known(&own.unwrap_or_default()), stores))
}

/// A stored figure; associate 0 is the store's own row.
#[derive(FromQueryResult)]
pub struct Stored {
    pub store_id: i64,
    pub associate_id: i64,
    pub day: Day,
    pub code: String,
    pub value: i64,
}

/// Every tally as it is kept.
pub async fn stored(conn: &impl Conn, corp: CorpId, from: Day, to: Day) -> Result<Vec<Stored>> {
    db::all(
        conn,
        "select store_id, cast(0 as bigint) as associate_id, day, code, value from store_day
         where corp_id = $1 and day >= $2 and day <= $3
         union all
         select store_id, associate_id, day, code, value from associate_day
         where corp_id = $1 and day >= $2 and day <= $3",
        args![corp, from, to],
    )
    .await
}
