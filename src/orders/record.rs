//! Takes orders in: idempotent by their numbers, each row for itself.

use std::collections::HashMap;

use chrono_tz::Tz;

use super::attribution::AttributionRule;
use super::refund::{Applied, settle};
use super::store::{self, CreditedPart, LineToWrite, RefundRow, Sale};
use super::{NewOrder, OrderLine, RowResult, attribute, buyer, check, figures};
use crate::app::App;
use crate::db::Tx;
use crate::directory::{self, Store};
use crate::error::{Error, Problem, Result};
use crate::ids::{AssociateId, CorpId, OrderId, UserId};
use crate::links;
use crate::money::Fen;
use crate::scope::Act;
use crate::seal::fingerprint;
use crate::tally::{self, Tally};
use crate::timeline::{self, Entry, News};

/// Rows a call may carry.
pub const MAX_ROWS: usize = 1_000;

/// How often a row is tried again when another call writes the same number at the same time.
const TRIES: usize = 5;

/// Stores orders, credits them, counts them: one transaction a row. Pointers are `/{index}/…`.
pub async fn record_orders(
    app: &App,
    act: &Act<'_>,
    corp: CorpId,
    orders: &[NewOrder],
) -> Result<Vec<RowResult>> {
    check_rows(orders.len())?;
    let mut till = Till {
        app,
        corp,
        rule: store::rule(&app.db, corp).await?,
        stores: HashMap::new(),
        associates: HashMap::new(),
    };
    let mut results = Vec::with_capacity(orders.len());
    for (index, new) in orders.iter().enumerate() {
        results.push(row_result(index, till.record(act, new).await)?);
    }
    let numbers: Vec<&str> = orders.iter().map(|new| new.order_no.as_str()).collect();
    super::refund::meet(app, act, corp, &numbers).await?;
    Ok(results)
}

pub(super) fn check_rows(rows: usize) -> Result<()> {
    if rows > MAX_ROWS {
        let message = format!("{rows} rows; send at most {MAX_ROWS} in a call");
        return Err(Error::invalid("", message));
    }
    Ok(())
}

/// A refused row is a result, with its place; any other error ends the call.
pub(super) fn row_result(index: usize, result: Result<RowResult>) -> Result<RowResult> {
    match result {
        Err(Error::Invalid(problems)) => {
            let placed =
                |problem: Problem| Problem::new(format!("/{index}{}", problem.pointer), problem.message);
            Ok(RowResult::Refused(problems.into_iter().map(placed).collect()))
        }
        other => other,
    }
}

/// What a call has looked up so far.
struct Till<'a> {
    app: &'a App,
    corp: CorpId,
    rule: AttributionRule,
    stores: HashMap<String, Option<Store>>,
    associates: HashMap<UserId, Option<AssociateId>>,
}

/// An order whose store and associates are known.
struct Checked<'a> {
    new: &'a NewOrder,
    hash: String,
    store: Store,
    associate: Option<AssociateId>,
    /// By line; the order's associate where the line names none.
    by_line: Vec<Option<AssociateId>>,
}

impl Till<'_> {
    async fn record(&mut self, act: &Act<'_>, new: &NewOrder) -> Result<RowResult> {
        let checked = self.check(act, new).await?;
        for _ in 0..TRIES {
            if let Some(result) = self.write(act, &checked).await? {
                return Ok(result);
            }
        }
        Err(Error::conflict(format!(
            "order `{}` is being written by others; send it again",
            new.order_no
        )))
    }

    async fn check<'n>(&mut self, act: &Act<'_>, new: &'n NewOrder) -> Result<Checked<'n>> {
        let mut problems = check::order(new, act.now);
        let store = self.store(&new.store_code).await?;
        if store.is_none() {
            let message = format!("no store has the code `{}`; see `/stores`", new.store_code);
            problems.push(Problem::new("/store_code", message));
        }
        let associate = match &new.associate_userid {
            Some(userid) => self.associate(userid, "/associate_userid", &mut problems).await?,
            None => None,
        };
        let mut by_line = Vec::with_capacity(new.lines.len());
        for (index, line) in new.lines.iter().enumerate() {
            by_line.push(match &line.associate_userid {
                Some(userid) => {
                    let pointer = format!("/lines/{index}/associate_userid");
                    self.associate(userid, &pointer, &mut problems).await?
                }
                None => associate,
            });
        }
        match store {
            Some(store) if problems.is_empty() => Ok(Checked {
                new,
                hash: fingerprint(&serde_json::to_string(new)?),
                store,
                associate,
                by_line,
            }),
            _ => Err(Error::Invalid(problems)),
        }
    }

    async fn store(&mut self, code: &str) -> Result<Option<Store>> {
        if !self.stores.contains_key(code) {
            let found = match directory::find_store_by_code(&self.app.db, self.corp, code).await {
                Ok(store) => Some(store),
                Err(Error::NotFound) => None,
                Err(error) => return Err(error),
            };
            self.stores.insert(code.to_owned(), found);
        }
        Ok(self.stores[code].clone())
    }

    async fn associate(
        &mut self,
        userid: &str,
        pointer: &str,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<AssociateId>> {
        let userid = UserId::from(userid).folded();
        if !self.associates.contains_key(&userid) {
            let found = directory::associate_by_userid(&self.app.db, self.corp, &userid).await?;
            self.associates
                .insert(userid.clone(), found.map(|associate| associate.id));
        }
        let found = self.associates[&userid];
        if found.is_none() {
            let message =
                format!("no associate has the userid `{userid}`; leave it out or see `/associates`");
            problems.push(Problem::new(pointer, message));
        }
        Ok(found)
    }

    /// One try in one transaction; `None` when another call was first and it must be looked at anew.
    async fn write(&self, act: &Act<'_>, checked: &Checked<'_>) -> Result<Option<RowResult>> {
        let (corp, new) = (self.corp, checked.new);
        let tx = self.app.db.begin().await?;
        let old = store::sale_by_no(&tx, corp, &new.order_no).await?;
        if old.as_ref().is_some_and(|old| old.body_hash == checked.hash) {
            return Ok(Some(RowResult::Unchanged));
        }
        let sale = self.sale(act, &tx, checked, old.as_ref()).await?;
        let mut tallies = Vec::new();
        match &old {
            None => {
                if !store::insert_sale(&tx, corp, act.now, &sale).await? {
                    return Ok(None);
                }
            }
            Some(old) => {
                if !store::replace_sale(&tx, corp, &sale, old).await? {
                    return Ok(None);
                }
                tallies = undo(&tx, corp, old, sale.paid_fen).await?;
            }
        }
        store::insert_lines(&tx, corp, sale.id, lines(checked)).await?;
        self.name_click(act, &tx, &sale, checked.store.tz()).await?;
        attribute::attribute(&tx, corp, &sale, &self.rule).await?;
        let credits = store::credited_parts(&tx, corp, sale.id).await?;
        let refunds = store::refunds_of(&tx, corp, &sale.order_no).await?;
        let applied = settle(&tx, corp, checked.store.tz(), &sale, &credits, refunds).await?;
        tallies.extend(figures::of_order(&sale, &credits));
        tallies.extend(
            applied
                .iter()
                .flat_map(|applied| applied.tallies(&sale, &credits)),
        );
        tally::add(&tx, corp, &tallies).await?;
        let is_news = old.as_ref().is_none_or(|old| old.contact_id != sale.contact_id);
        if is_news {
            let applied: Vec<&RefundRow> = applied.iter().map(|applied| &applied.refund).collect();
            announce(
                &tx,
                act,
                corp,
                checked.store.tz(),
                &sale,
                &credits,
                true,
                &applied,
            )
            .await?;
        }
        tx.commit().await?;
        Ok(Some(if old.is_some() {
            RowResult::Updated
        } else {
            RowResult::Created
        }))
    }

    async fn sale(&self, act: &Act<'_>, tx: &Tx, checked: &Checked<'_>, old: Option<&Sale>) -> Result<Sale> {
        let new = checked.new;
        let zone = checked.store.tz();
        let named = buyer::resolve(tx, self.corp, &self.app.sealer, new.buyer.as_ref()).await?;
        Ok(Sale {
            id: old.map_or_else(|| OrderId::new(act.ids, act.now), |old| old.id),
            order_no: new.order_no.clone(),
            store_id: checked.store.id,
            channel: new.channel.clone(),
            paid_at: new.paid_at,
            day: new.paid_at.day(zone),
            hour: i64::from(new.paid_at.hour(zone)),
            contact_id: named.contact,
            buyer_kind: named.kind.map(str::to_owned),
            buyer_key: named.key,
            associate_id: checked.associate,
            link_code: new.link_code.clone(),
            paid_fen: Fen(new.paid_fen),
            list_fen: Fen(new.lines.iter().map(|line| line.list_fen).sum()),
            items: new.lines.iter().map(|line| line.quantity).sum(),
            body_hash: checked.hash.clone(),
        })
    }

    /// The click that the checkout came by was the buyer's.
    async fn name_click(&self, act: &Act<'_>, tx: &Tx, sale: &Sale, zone: Tz) -> Result<()> {
        let (Some(contact), Some(token)) = (sale.contact_id, &sale.link_code) else {
            return Ok(());
        };
        if store::click_by_token(tx, self.corp, token).await?.is_some() {
            links::click::identify(tx, act, self.corp, zone, token, contact).await?;
        }
        Ok(())
    }
}

fn lines(checked: &Checked<'_>) -> Vec<LineToWrite> {
    let line = |(line, associate): (&super::NewLine, &Option<AssociateId>)| LineToWrite {
        line: OrderLine {
            sku: line.sku.clone(),
            name: line.name.clone(),
            category: line.category.clone(),
            quantity: line.quantity,
            paid_fen: Fen(line.paid_fen),
            list_fen: Fen(line.list_fen),
        },
        associate: *associate,
    };
    checked.new.lines.iter().zip(&checked.by_line).map(line).collect()
}

/// Takes back what the old version of an order was credited and counted for.
///
/// # Errors
/// `Invalid` when more was refunded than the order would now be paid.
async fn undo(tx: &Tx, corp: CorpId, old: &Sale, paid: Fen) -> Result<Vec<Tally>> {
    let credits = store::credited_parts(tx, corp, old.id).await?;
    let adjustments = store::adjustments(tx, corp, old.id).await?;
    let refunds = store::refunds_of(tx, corp, &old.order_no).await?;
    let applied: Vec<&RefundRow> = refunds
        .iter()
        .filter(|refund| refund.order_id.is_some())
        .collect();
    let refunded: Fen = applied.iter().map(|refund| refund.refund_fen).sum();
    if refunded > paid {
        let message = format!("`{}` is less than the {} already refunded", paid.0, refunded.0);
        return Err(Error::invalid("/paid_fen", message));
    }
    let mut counted = figures::of_order(old, &credits);
    for refund in applied {
        counted.extend(figures::of_refund(old, &credits, refund, &adjustments));
    }
    store::clear(tx, corp, old.id).await?;
    Ok(figures::undone(counted).collect())
}

impl Applied {
    pub(super) fn tallies(&self, sale: &Sale, credits: &[CreditedPart]) -> Vec<Tally> {
        figures::of_refund(sale, credits, &self.refund, &self.shares)
    }
}

/// Tells the buyer's timeline of the order, if it is new there, and of its refunds.
#[expect(
    clippy::too_many_arguments,
    reason = "an order with everything its story names"
)]
pub(super) async fn announce(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    zone: Tz,
    sale: &Sale,
    credits: &[CreditedPart],
    is_new: bool,
    refunds: &[&RefundRow],
) -> Result<()> {
    let Some(contact) = sale.contact_id else {
        return Ok(());
    };
    let news = |at, entry| News {
        contact,
        associate: credits.iter().find_map(|credit| credit.associate_id),
        store: Some(sale.store_id),
        at,
        entry,
    };
    let mut all = Vec::new();
    if is_new {
        let entry = Entry::Ordered {
            order_id: sale.id,
            order_no: sale.order_no.clone(),
            paid_fen: sale.paid_fen,
            items: sale.items,
            first_item: store::first_item(tx, corp, sale.id).await?,
        };
        all.push(news(sale.paid_at, entry));
    }
    for refund in refunds {
        let entry = Entry::Refunded {
            refund_id: refund.id,
            order_no: sale.order_no.clone(),
            refund_fen: refund.refund_fen,
        };
        all.push(news(refund.refunded_at, entry));
    }
    timeline::append(tx, act, corp, zone, all).await
}
