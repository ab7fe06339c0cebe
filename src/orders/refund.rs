//! Takes refunds in, and takes back from the credit that the order gave.

use chrono_tz::Tz;

use super::record::{announce, check_rows, row_result};
use super::share::{ReturnedLine, share};
use super::store::{self, AdjustmentRow, CreditedPart, RefundRow, Sale, StoredLine};
use super::{NewRefund, NewRefundLine, RowResult, check, figures};
use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{CorpId, RefundId};
use crate::money::Fen;
use crate::scope::{Act, Scope};
use crate::seal::fingerprint;
use crate::tally::{self, Tally};

/// Stores refunds and takes back the credit; one whose order is not known yet waits for it.
pub async fn record_refunds(
    app: &App,
    act: &Act<'_>,
    corp: CorpId,
    refunds: &[NewRefund],
) -> Result<Vec<RowResult>> {
    check_rows(refunds.len())?;
    let mut results = Vec::with_capacity(refunds.len());
    for (index, new) in refunds.iter().enumerate() {
        results.push(row_result(index, record(app, act, corp, new).await)?);
    }
    let numbers: Vec<&str> = refunds.iter().map(|new| new.order_no.as_str()).collect();
    meet(app, act, corp, &numbers).await?;
    Ok(results)
}

/// A refund that found its order, and what it takes from each part of the credit.
#[derive(Debug)]
pub(super) struct Applied {
    pub refund: RefundRow,
    pub shares: Vec<AdjustmentRow>,
}

async fn record(app: &App, act: &Act<'_>, corp: CorpId, new: &NewRefund) -> Result<RowResult> {
    let problems = check::refund(new, act.now);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    for _ in 0..5 {
        if let Some(result) = write(app, act, corp, new).await? {
            return Ok(result);
        }
    }
    Err(Error::conflict(format!(
        "refund `{}` is being written by others; send it again",
        new.refund_no
    )))
}

/// One try in one transaction; `None` when another call was first and it must be looked at anew.
async fn write(app: &App, act: &Act<'_>, corp: CorpId, new: &NewRefund) -> Result<Option<RowResult>> {
    let hash = fingerprint(&serde_json::to_string(new)?);
    let tx = app.db.begin().await?;
    let sale = store::hold_sale(&tx, corp, &new.order_no).await?;
    let old = store::refund_by_no(&tx, corp, &new.refund_no).await?;
    if old.as_ref().is_some_and(|old| old.body_hash == hash) {
        return Ok(Some(RowResult::Unchanged));
    }
    let mut tallies = match &old {
        Some(old) => undo(&tx, corp, old).await?,
        None => Vec::new(),
    };
    let refund = RefundRow {
        id: old
            .as_ref()
            .map_or_else(|| RefundId::new(act.ids, act.now), |old| old.id),
        order_no: new.order_no.clone(),
        order_id: None,
        refunded_at: new.refunded_at,
        day: None,
        refund_fen: Fen(new.refund_fen),
        lines: serde_json::to_string(&new.lines)?,
        body_hash: hash,
    };
    let is_written = match &old {
        Some(old) => store::replace_refund(&tx, corp, &refund, old).await?,
        None => store::insert_refund(&tx, act, corp, &new.refund_no, &refund).await?,
    };
    if !is_written {
        return Ok(None);
    }
    if let Some(sale) = sale {
        check_fits(&tx, corp, &sale, new).await?;
        tallies.extend(apply_waiting(&tx, act, corp, &sale, vec![refund]).await?);
    }
    tally::add(&tx, corp, &tallies).await?;
    tx.commit().await?;
    Ok(Some(if old.is_some() {
        RowResult::Updated
    } else {
        RowResult::Created
    }))
}

/// Takes back what the old version of a refund was counted for.
async fn undo(tx: &Tx, corp: CorpId, old: &RefundRow) -> Result<Vec<Tally>> {
    if old.order_id.is_none() {
        return Ok(Vec::new());
    }
    let sale = store::hold_sale(tx, corp, &old.order_no)
        .await?
        .ok_or(Error::NotFound)?;
    let credits = store::credited_parts(tx, corp, sale.id).await?;
    let adjustments = store::adjustments(tx, corp, sale.id).await?;
    let counted = figures::of_refund(&sale, &credits, old, &adjustments);
    store::delete_adjustments(tx, corp, old.id).await?;
    Ok(figures::undone(counted).collect())
}

/// # Errors
/// `Invalid` when more would come back than was paid, or an article that was not sold.
async fn check_fits(tx: &Tx, corp: CorpId, sale: &Sale, new: &NewRefund) -> Result<()> {
    let taken: Fen = store::adjustments(tx, corp, sale.id)
        .await?
        .iter()
        .map(|row| row.refund_fen)
        .sum();
    let left = sale.paid_fen - taken;
    if Fen(new.refund_fen) > left {
        let message = format!(
            "`{}` is more than the {} that order `{}` has left of its {}",
            new.refund_fen, left.0, sale.order_no, sale.paid_fen.0
        );
        return Err(Error::invalid("/refund_fen", message));
    }
    let sold = store::sold_lines(tx, corp, sale.id).await?;
    for (index, line) in new.lines.iter().enumerate() {
        if !sold.iter().any(|sold| sold.sku == line.sku) {
            let message = format!("order `{}` has no article `{}`", sale.order_no, line.sku);
            return Err(Error::invalid(format!("/lines/{index}/sku"), message));
        }
    }
    Ok(())
}

/// Applies refunds to an order that is held, tells the timeline, and answers what to count.
async fn apply_waiting(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    sale: &Sale,
    waiting: Vec<RefundRow>,
) -> Result<Vec<Tally>> {
    let place = directory::find_store(tx, &Scope::whole(corp), sale.store_id).await?;
    let credits = store::credited_parts(tx, corp, sale.id).await?;
    let applied = settle(tx, corp, place.tz(), sale, &credits, waiting).await?;
    let rows: Vec<&RefundRow> = applied.iter().map(|applied| &applied.refund).collect();
    announce(tx, act, corp, place.tz(), sale, &credits, false, &rows).await?;
    Ok(applied
        .iter()
        .flat_map(|applied| applied.tallies(sale, &credits))
        .collect())
}

/// Applies these refunds in turn, as far as what was paid covers them; one that it does not goes on waiting.
pub(super) async fn settle(
    tx: &Tx,
    corp: CorpId,
    zone: Tz,
    sale: &Sale,
    credits: &[CreditedPart],
    waiting: Vec<RefundRow>,
) -> Result<Vec<Applied>> {
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let lines = store::sold_lines(tx, corp, sale.id).await?;
    let mut left: Vec<Fen> = credits.iter().map(|credit| credit.paid_fen).collect();
    for taken in store::adjustments(tx, corp, sale.id).await? {
        if let Some(part) = credits.iter().position(|credit| credit.part == taken.part) {
            left[part] -= taken.refund_fen;
        }
    }
    let mut applied = Vec::new();
    for mut refund in waiting {
        if refund.refund_fen > left.iter().copied().sum() {
            continue;
        }
        let returned: Vec<NewRefundLine> = serde_json::from_str(&refund.lines)?;
        let returned = by_part(&returned, &lines, credits);
        let taken = share(refund.refund_fen, &returned, &left);
        let mut shares = Vec::new();
        for (part, taken) in taken
            .into_iter()
            .enumerate()
            .filter(|(_, taken)| *taken != Fen::ZERO)
        {
            left[part] -= taken;
            shares.push(AdjustmentRow {
                refund_id: refund.id,
                part: credits[part].part,
                refund_fen: taken,
            });
        }
        let day = refund.refunded_at.day(zone);
        store::apply_refund(tx, corp, sale.id, refund.id, day, &shares).await?;
        (refund.order_id, refund.day) = (Some(sale.id), Some(day));
        applied.push(Applied { refund, shares });
    }
    Ok(applied)
}

/// What came back, each article under the credit parts it was sold under.
fn by_part(returned: &[NewRefundLine], sold: &[StoredLine], credits: &[CreditedPart]) -> Vec<ReturnedLine> {
    let of_article = |sku: &str| {
        sold.iter()
            .filter(|line| line.sku == sku)
            .map(|line| (part_of(line, credits), line.paid_fen.0))
            .collect::<Vec<_>>()
    };
    returned
        .iter()
        .map(|line| ReturnedLine {
            refund: Fen(line.refund_fen),
            sold: of_article(&line.sku),
        })
        .collect()
}

/// The part that a line was credited in: its associate's own, else the one for everything else.
fn part_of(line: &StoredLine, credits: &[CreditedPart]) -> usize {
    let by_line = |credit: &&CreditedPart| credit.source == "line";
    let place = match line.associate_id {
        Some(associate) => credits
            .iter()
            .position(|credit| by_line(&credit) && credit.associate_id == Some(associate)),
        None => credits.iter().position(|credit| !by_line(&credit)),
    };
    place.unwrap_or(0)
}

/// Brings orders and refunds together that were written side by side, so that neither saw the other. Whichever is
/// committed last finds the other here.
pub(super) async fn meet(app: &App, act: &Act<'_>, corp: CorpId, order_nos: &[&str]) -> Result<()> {
    for order_no in store::orders_with_waiting_refunds(&app.db, corp, order_nos).await? {
        let tx = app.db.begin().await?;
        let Some(sale) = store::hold_sale(&tx, corp, &order_no).await? else {
            continue;
        };
        let mut waiting = store::refunds_of(&tx, corp, &order_no).await?;
        waiting.retain(|refund| refund.order_id.is_none());
        let tallies = apply_waiting(&tx, act, corp, &sale, waiting).await?;
        tally::add(&tx, corp, &tallies).await?;
        tx.commit().await?;
    }
    Ok(())
}
