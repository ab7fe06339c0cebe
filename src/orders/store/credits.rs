//! Rules, credits, candidates and adjustments.

use sea_orm::FromQueryResult;

use super::Sale;
use crate::args;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, CorpId, OrderId, RefundId, StoreId};
use crate::money::Fen;
use crate::orders::attribution::{AttributionRule, Decision};
use crate::time::Day;

/// A row of `credit`, as figures and refunds need it.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct CreditedPart {
    pub part: i64,
    pub associate_id: Option<AssociateId>,
    pub store_id: StoreId,
    pub source: String,
    pub paid_fen: Fen,
    pub day: Day,
}

#[derive(Debug, Clone, FromQueryResult)]
pub struct AdjustmentRow {
    pub refund_id: RefundId,
    pub part: i64,
    pub refund_fen: Fen,
}

/// The newest version of the corp's rule; the default where none was written.
pub async fn rule(conn: &impl Conn, corp: CorpId) -> Result<AttributionRule> {
    let row = db::rows(
        conn,
        "select version, click_days, delivery_hours, delivery_earns, binding_days from attribution_rule
         where corp_id = $1 order by version desc limit 1",
        args![corp],
    )
    .await?;
    let Some(row) = row.first() else {
        return Ok(AttributionRule::default());
    };
    Ok(AttributionRule {
        version: db::column(row, 0)?,
        click_days: db::column(row, 1)?,
        delivery_hours: db::column(row, 2)?,
        delivery_earns: db::column(row, 3)?,
        binding_days: db::column(row, 4)?,
    })
}

/// Writes who earned the order, and every candidate with its verdict.
pub async fn insert_decision(
    tx: &Tx,
    corp: CorpId,
    sale: &Sale,
    decision: &Decision,
    rule_version: i64,
) -> Result<()> {
    let credits = decision.credits.iter().enumerate().map(|(part, credit)| {
        args![
            corp,
            sale.id,
            part as i64,
            credit.associate,
            credit.store,
            credit.source.as_str(),
            credit.touch,
            credit.link,
            credit.campaign,
            credit.moment,
            sale.contact_id,
            credit.paid,
            sale.day,
            rule_version,
        ]
    });
    db::insert_many(
        tx,
        "insert into credit (corp_id, order_id, part, associate_id, store_id, source, touch_id, link_id, campaign_id,
           moment_id, contact_id, paid_fen, day, rule_version)",
        credits,
        "",
    )
    .await?;
    let candidates = decision
        .candidates
        .iter()
        .enumerate()
        .map(|(place, (candidate, verdict))| {
            args![
                corp,
                sale.id,
                place as i64,
                candidate.source.as_str(),
                candidate.touch,
                candidate.associate,
                candidate.store,
                candidate.at,
                *verdict,
            ]
        });
    db::insert_many(
        tx,
        "insert into candidate (corp_id, order_id, place, source, touch_id, associate_id, store_id, at, verdict)",
        candidates,
        "",
    )
    .await?;
    Ok(())
}

pub async fn credited_parts(conn: &impl Conn, corp: CorpId, order: OrderId) -> Result<Vec<CreditedPart>> {
    db::all(
        conn,
        "select part, associate_id, store_id, source, paid_fen, day from credit
         where corp_id = $1 and order_id = $2 order by part",
        args![corp, order],
    )
    .await
}

pub async fn adjustments(conn: &impl Conn, corp: CorpId, order: OrderId) -> Result<Vec<AdjustmentRow>> {
    db::all(
        conn,
        "select refund_id, part, refund_fen from adjustment where corp_id = $1 and order_id = $2",
        args![corp, order],
    )
    .await
}

pub async fn delete_adjustments(tx: &Tx, corp: CorpId, refund: RefundId) -> Result<()> {
    db::run(
        tx,
        "delete from adjustment where corp_id = $1 and refund_id = $2",
        args![corp, refund],
    )
    .await?;
    Ok(())
}
