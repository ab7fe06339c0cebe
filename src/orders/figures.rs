//! What an order and its refunds add to the day's figures. Pure, so undoing is the same with the sign turned.

use super::attribution::Source;
use super::store::{AdjustmentRow, CreditedPart, RefundRow, Sale};
use crate::ids::{AssociateId, StoreId};
use crate::money::Fen;
use crate::tally::{Code, Tally};
use crate::time::Day;

/// Of the order itself and its credits.
pub(super) fn of_order(sale: &Sale, credits: &[CreditedPart]) -> Vec<Tally> {
    let own = |code, value| at(sale.store_id, None, sale.day, code, value);
    let mut tallies = vec![
        own(Code::Gmv, sale.paid_fen.0),
        own(Code::Orders, 1),
        own(Code::Items, sale.items),
        own(Code::ListPrice, sale.list_fen.0),
    ];
    if sale.is_mini_store() {
        tallies.push(own(Code::GmvMiniStore, sale.paid_fen.0));
    }
    let mut counted = std::collections::HashSet::new();
    for credit in credits {
        let earned = |code, value| at(credit.store_id, credit.associate_id, credit.day, code, value);
        tallies.push(earned(Code::CreditedGmv, credit.paid_fen.0));
        if credit.is_by_link() {
            tallies.push(earned(Code::LinkGmv, credit.paid_fen.0));
        }
        // An order counts once for each who earned a part of it.
        if counted.insert((credit.store_id, credit.associate_id)) {
            tallies.push(earned(Code::CreditedOrders, 1));
        }
    }
    tallies
}

/// Of one refund that found its order.
pub(super) fn of_refund(
    sale: &Sale,
    credits: &[CreditedPart],
    refund: &RefundRow,
    adjustments: &[AdjustmentRow],
) -> Vec<Tally> {
    let Some(day) = refund.day else { return Vec::new() };
    let own = |code, value: Fen| at(sale.store_id, None, day, code, value.0);
    let mut tallies = vec![own(Code::Refund, refund.refund_fen)];
    if sale.is_mini_store() {
        tallies.push(own(Code::RefundMiniStore, refund.refund_fen));
    }
    for adjustment in adjustments.iter().filter(|row| row.refund_id == refund.id) {
        let Some(credit) = credits.iter().find(|credit| credit.part == adjustment.part) else {
            continue;
        };
        let earned = |code| {
            at(
                credit.store_id,
                credit.associate_id,
                day,
                code,
                adjustment.refund_fen.0,
            )
        };
        tallies.push(earned(Code::CreditedRefund));
        if credit.is_by_link() {
            tallies.push(earned(Code::LinkRefund));
        }
    }
    tallies
}

/// Takes back what was added.
pub(super) fn undone(tallies: Vec<Tally>) -> impl Iterator<Item = Tally> {
    tallies.into_iter().map(|tally| Tally {
        value: -tally.value,
        ..tally
    })
}

fn at(store: StoreId, associate: Option<AssociateId>, day: Day, code: Code, value: i64) -> Tally {
    Tally {
        store: Some(store),
        associate,
        day,
        code,
        value,
    }
}

impl CreditedPart {
    pub(super) fn is_by_link(&self) -> bool {
        Source::parse(&self.source).is_some_and(Source::is_by_link)
    }
}
