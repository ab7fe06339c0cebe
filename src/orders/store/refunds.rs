//! Refunds, and what they take from each part of a credit.

use sea_orm::FromQueryResult;

use super::AdjustmentRow;
use crate::args;
use crate::db::changes::Fact;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::{CorpId, OrderId, RefundId};
use crate::money::Fen;
use crate::scope::Act;
use crate::time::{Day, Timestamp};

#[derive(Debug, Clone, FromQueryResult)]
pub struct RefundRow {
    pub id: RefundId,
    pub order_no: String,
    pub order_id: Option<OrderId>,
    pub refunded_at: Timestamp,
    pub day: Option<Day>,
    pub refund_fen: Fen,
    /// `NewRefundLine`s as JSON.
    pub lines: String,
    pub body_hash: String,
}

const REFUND: &str = "id, order_no, order_id, refunded_at, day, refund_fen, lines, body_hash";

pub async fn refund_by_no(conn: &impl Conn, corp: CorpId, refund_no: &str) -> Result<Option<RefundRow>> {
    let sql = format!("select {REFUND} from refund where corp_id = $1 and refund_no = $2");
    db::first(conn, &sql, args![corp, refund_no]).await
}

/// Every refund of an order number, waiting or applied, in the order they count.
pub async fn refunds_of(conn: &impl Conn, corp: CorpId, order_no: &str) -> Result<Vec<RefundRow>> {
    let sql = format!(
        "select {REFUND} from refund where corp_id = $1 and order_no = $2 order by refunded_at, refund_no"
    );
    db::all(conn, &sql, args![corp, order_no]).await
}

/// `false`: a refund of this number came in between.
pub async fn insert_refund(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    refund_no: &str,
    refund: &RefundRow,
) -> Result<bool> {
    let refund = refund.clone();
    let inserted = db::run(
        tx,
        "insert into refund (corp_id, id, refund_no, order_no, order_id, refunded_at, day, refund_fen, lines, body_hash, created_at)
         values ($1, $2, $3, $4, null, $5, null, $6, $7, $8, $9) on conflict (corp_id, refund_no) do nothing",
        args![
            corp, refund.id, refund_no, refund.order_no, refund.refunded_at, refund.refund_fen, refund.lines,
            refund.body_hash, act.now,
        ],
    )
    .await?;
    Ok(inserted == 1)
}

/// Puts other values in place of `old`, waiting for its order. `false`: changed in between.
pub async fn replace_refund(tx: &Tx, corp: CorpId, refund: &RefundRow, old: &RefundRow) -> Result<bool> {
    if let Some(order) = old.order_id {
        note_buyer(tx, corp, order).await?;
    }
    let refund = refund.clone();
    let changed = db::run(
        tx,
        "update refund set order_no = $4, order_id = null, refunded_at = $5, day = null, refund_fen = $6, lines = $7,
           body_hash = $8
         where corp_id = $1 and id = $2 and body_hash = $3",
        args![
            corp, refund.id, old.body_hash.clone(), refund.order_no, refund.refunded_at, refund.refund_fen, refund.lines,
            refund.body_hash,
        ],
    )
    .await?;
    Ok(changed == 1)
}

/// Notes that a refund found its order, and what it takes from each part.
pub async fn apply_refund(
    tx: &Tx,
    corp: CorpId,
    order: OrderId,
    refund: RefundId,
    day: Day,
    shares: &[AdjustmentRow],
) -> Result<()> {
    note_buyer(tx, corp, order).await?;
    db::run(
        tx,
        "update refund set order_id = $3, day = $4 where corp_id = $1 and id = $2",
        args![corp, refund, order, day],
    )
    .await?;
    let rows = shares
        .iter()
        .map(|share| args![corp, refund, order, share.part, share.refund_fen, day]);
    db::insert_many(
        tx,
        "insert into adjustment (corp_id, refund_id, order_id, part, refund_fen, day)",
        rows,
        "",
    )
    .await?;
    Ok(())
}

/// What a buyer spent is different by a refund.
async fn note_buyer(tx: &Tx, corp: CorpId, order: OrderId) -> Result<()> {
    let sql = "select contact_id from sale where corp_id = $1 and id = $2 and contact_id is not null";
    let buyer: Option<i64> = db::scalar(tx, sql, args![corp, order]).await?;
    tx.note(corp, Fact::Order, buyer);
    Ok(())
}

/// Of these order numbers, those that are known while a refund of theirs still waits.
pub async fn orders_with_waiting_refunds(
    conn: &impl Conn,
    corp: CorpId,
    order_nos: &[&str],
) -> Result<Vec<String>> {
    if order_nos.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (2..order_nos.len() + 2)
        .map(|place| format!("${place}"))
        .collect();
    let sql = format!(
        "select distinct s.order_no from refund r join sale s on s.corp_id = r.corp_id and s.order_no = r.order_no
         where r.corp_id = $1 and r.order_id is null and r.order_no in ({})",
        places.join(",")
    );
    let mut values = args![corp];
    values.extend(order_nos.iter().map(|order_no| sea_orm::Value::from(*order_no)));
    db::scalars(conn, &sql, values).await
}
