//! Sales by what earned them, by link, by hour.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use super::{Places, within};
use crate::args;
use crate::db::{self, Conn, Filter};
use crate::error::Result;
use crate::ids::{CorpId, StoreId};
use crate::time::Day;

/// What one kind of touch earned.
#[derive(Debug, FromQueryResult)]
pub struct SourceSums {
    pub source: String,
    pub paid_fen: i64,
    pub orders: i64,
}

/// Credits of these places by what earned them; refunds are in [`refunds_by_source`].
pub async fn credits_by_source(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<Vec<SourceSums>> {
    let mut filter = Filter::new("c.corp_id", corp);
    within(&mut filter, "c.day", from, to);
    places.narrow(&mut filter, conn.backend(), "c");
    let sql = format!(
        "select c.source, cast(sum(c.paid_fen) as bigint) as paid_fen, count(distinct c.order_id) as orders
         from credit c where {} group by c.source order by c.source",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// What was taken back in the span from credits of these places, by what had earned them.
pub async fn refunds_by_source(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<String, i64>> {
    let mut filter = Filter::new("a.corp_id", corp);
    within(&mut filter, "a.day", from, to);
    places.narrow(&mut filter, conn.backend(), "c");
    let sql = format!(
        "select c.source, cast(sum(a.refund_fen) as bigint)
         from refund r join adjustment a on a.corp_id = r.corp_id and a.refund_id = r.id
         join credit c on c.corp_id = a.corp_id and c.order_id = a.order_id and c.part = a.part
         where {} and r.corp_id = a.corp_id and r.day >= $2 and r.day <= $3 group by c.source",
        filter.sql()
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// What a link earned in a store's own mini-store orders, by the link's title, the most first.
pub async fn link_sales(
    conn: &impl Conn,
    corp: CorpId,
    store: StoreId,
    from: Day,
    to: Day,
) -> Result<Vec<(String, i64)>> {
    let rows = db::rows(
        conn,
        "select coalesce(l.title, ''), cast(sum(c.paid_fen) as bigint) as paid_fen
         from sale s join credit c on c.corp_id = s.corp_id and c.order_id = s.id
         left join link l on l.corp_id = c.corp_id and l.id = c.link_id
         where s.corp_id = $1 and s.store_id = $2 and s.day >= $3 and s.day <= $4
           and s.channel = 'mini_store' and c.source in ('link', 'click')
         group by coalesce(l.title, '') order by 2 desc, 1",
        args![corp, store, from, to],
    )
    .await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Orders at a store's till.
pub async fn till_orders(conn: &impl Conn, corp: CorpId, store: StoreId, from: Day, to: Day) -> Result<i64> {
    db::count(
        conn,
        "select count(*) from sale where corp_id = $1 and store_id = $2 and day >= $3 and day <= $4
           and channel = 'till'",
        args![corp, store, from, to],
    )
    .await
}

/// Orders of a store by day and hour.
pub async fn orders_by_hour(
    conn: &impl Conn,
    corp: CorpId,
    store: StoreId,
    from: Day,
    to: Day,
) -> Result<Vec<(Day, i64, i64)>> {
    let rows = db::rows(
        conn,
        "select day, hour, count(*) from sale where corp_id = $1 and store_id = $2 and day >= $3 and day <= $4
         group by day, hour",
        args![corp, store, from, to],
    )
    .await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?, db::column(row, 2)?)))
        .collect()
}
