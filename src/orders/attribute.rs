//! Gathers an order's candidates, writes the decision, and renews the buyer's binding.

use std::collections::HashMap;

use super::attribution::{AttributionRule, Candidate, Decision, Sold, SoldLine, Source, decide};
use super::store::{self, ClickTouch, Sale};
use crate::db::Tx;
use crate::directory;
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, StoreId};
use crate::money::Fen;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// Decides who earned the order and writes it.
pub(super) async fn attribute(
    tx: &Tx,
    corp: CorpId,
    sale: &Sale,
    rule: &AttributionRule,
) -> Result<Decision> {
    let sold = sold(tx, corp, sale).await?;
    let candidates = candidates(tx, corp, sale, rule).await?;
    let decision = decide(&sold, candidates, rule);
    store::insert_decision(tx, corp, sale, &decision, rule.version).await?;
    if let Some(contact) = sale.contact_id {
        renew_binding(tx, corp, contact, sale.paid_at, &decision, rule).await?;
    }
    Ok(decision)
}

async fn sold(tx: &Tx, corp: CorpId, sale: &Sale) -> Result<Sold> {
    let mut stores: HashMap<AssociateId, Option<StoreId>> = HashMap::new();
    let mut lines = Vec::new();
    for line in store::sold_lines(tx, corp, sale.id).await? {
        let by = match line.associate_id {
            None => None,
            Some(associate) => {
                if let std::collections::hash_map::Entry::Vacant(place) = stores.entry(associate) {
                    place.insert(directory::store_at(tx, corp, associate, sale.paid_at).await?);
                }
                Some((associate, stores[&associate]))
            }
        };
        lines.push(SoldLine {
            paid: line.paid_fen,
            by,
        });
    }
    Ok(Sold {
        paid_at: sale.paid_at,
        store: sale.store_id,
        lines,
    })
}

/// Whatever could have earned the order, the near misses too: they explain why somebody did not.
async fn candidates(tx: &Tx, corp: CorpId, sale: &Sale, rule: &AttributionRule) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    if let Some(code) = &sale.link_code {
        found.push(of_link(tx, corp, sale, code).await?);
    }
    let Some(contact) = sale.contact_id else {
        return Ok(found);
    };
    let paid_at = sale.paid_at;
    let until = paid_at.plus_ms(DAY_MS);
    let from = paid_at.plus_ms(-2 * rule.click_days * DAY_MS);
    for click in store::clicks_of(tx, corp, contact, paid_at, from, until).await? {
        found.push(of_click(Source::Click, click));
    }
    let from = paid_at.plus_ms(-2 * rule.delivery_hours * HOUR_MS);
    for delivery in store::deliveries_to(tx, corp, contact, from, until).await? {
        let mut candidate = Candidate::new(Source::Delivery, Some(delivery.sent_at));
        candidate.touch = delivery.batch_id;
        candidate.associate = delivery.associate_id;
        candidate.store = delivery.store_id;
        candidate.campaign = Some(delivery.campaign_id);
        found.push(candidate);
    }
    for binding in store::bindings_before(tx, corp, contact, paid_at).await? {
        // A binding that ends after payment was live, though a later order may have renewed it since.
        let renewed_at = binding.until_at.plus_ms(-rule.binding_days * DAY_MS).min(paid_at);
        let mut candidate = Candidate::new(Source::Binding, Some(renewed_at));
        candidate.associate = Some(binding.associate_id);
        candidate.store = directory::store_at(tx, corp, binding.associate_id, paid_at).await?;
        found.push(candidate);
    }
    let home = store::contact_keys(tx, corp, contact)
        .await?
        .and_then(|keys| keys.home_store_id);
    if let Some(home) = home {
        let mut candidate = Candidate::new(Source::HomeStore, None);
        candidate.store = Some(home);
        found.push(candidate);
    }
    Ok(found)
}

/// The link the checkout came by: the click of this token, or the link of this code.
async fn of_link(tx: &Tx, corp: CorpId, sale: &Sale, code: &str) -> Result<Candidate> {
    if let Some(click) = store::click_by_token(tx, corp, code).await? {
        return Ok(of_click(Source::Link, click));
    }
    let Some(link) = store::link_by_code(tx, corp, code).await? else {
        return Ok(Candidate::new(Source::Link, None));
    };
    let mut candidate = Candidate::new(Source::Link, Some(sale.paid_at));
    candidate.link = Some(link.id);
    candidate.associate = link.associate_id;
    candidate.campaign = link.campaign_id;
    candidate.moment = link.moment_id;
    candidate.store = match link.associate_id {
        Some(associate) => directory::store_at(tx, corp, associate, sale.paid_at).await?,
        None => link.store_id,
    };
    Ok(candidate)
}

fn of_click(source: Source, click: ClickTouch) -> Candidate {
    Candidate {
        source,
        touch: Some(click.id.0),
        associate: click.associate_id,
        store: click.store_id,
        link: Some(click.link_id),
        campaign: click.campaign_id,
        moment: click.moment_id,
        at: Some(click.at),
    }
}

/// A purchase renews the binding to the associate who earned it, or begins one where none is live. A live binding to
/// somebody else stands: it is exclusive until it ends.
async fn renew_binding(
    tx: &Tx,
    corp: CorpId,
    contact: ContactId,
    paid_at: Timestamp,
    decision: &Decision,
    rule: &AttributionRule,
) -> Result<()> {
    let until = paid_at.plus_ms(rule.binding_days * DAY_MS);
    let live = store::bindings_before(tx, corp, contact, paid_at)
        .await?
        .into_iter()
        .find(|binding| binding.until_at > paid_at);
    let earners = earners(decision);
    let (from, associate) = match live {
        Some(live) if earners.contains(&live.associate_id) => (live.from_at, live.associate_id),
        Some(_) => return Ok(()),
        None => match earners.first() {
            Some(associate) => (paid_at, *associate),
            None => return Ok(()),
        },
    };
    if store::followed_at(tx, corp, contact, associate, paid_at).await? {
        store::bind(tx, corp, contact, from, associate, until).await?;
    }
    Ok(())
}

/// Who earned a part, the largest first.
fn earners(decision: &Decision) -> Vec<AssociateId> {
    let mut parts: Vec<(Fen, AssociateId)> = decision
        .credits
        .iter()
        .filter_map(|credit| credit.associate.map(|associate| (credit.paid, associate)))
        .collect();
    parts.sort_by_key(|(paid, associate)| (std::cmp::Reverse(*paid), *associate));
    parts.into_iter().map(|(_, associate)| associate).collect()
}
