//! Who bought: found by whatever the mini-store or the till knows, or later, when the buyer becomes a contact.

use super::Buyer;
use super::check::kinds;
use super::record::announce;
use super::store;
use crate::contacts::{self, phone_digits};
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{ContactId, CorpId, ExternalUserId};
use crate::scope::{Act, Scope};
use crate::seal::Sealer;

/// How an order names its buyer: the kind and the key kept, and the contact if it is one by now.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub kind: Option<&'static str>,
    pub key: Option<String>,
    pub contact: Option<ContactId>,
}

/// # Errors
/// `Invalid` when a `contact_id` is not one of ours; any other buyer may still be a stranger.
pub(super) async fn resolve(tx: &Tx, corp: CorpId, sealer: &Sealer, buyer: Option<&Buyer>) -> Result<Named> {
    let Some((kind, value)) = buyer.and_then(|buyer| kinds(buyer).next()) else {
        return Ok(Named::default());
    };
    let mut key = value.clone();
    let contact = match kind {
        "contact_id" => Some(own_contact(tx, corp, value).await?),
        "external_userid" => {
            let external = ExternalUserId(key.clone());
            contacts::ids_of(tx, corp, std::slice::from_ref(&external))
                .await?
                .remove(&external)
        }
        "unionid" => contacts::find_by_unionid(tx, corp, value).await?,
        "phone" => {
            // The number itself is not kept.
            key = sealer.blind(corp, &phone_digits(value).unwrap_or_default());
            contacts::find_by_phone(tx, corp, &key).await?
        }
        _ => None,
    };
    Ok(Named {
        kind: Some(kind),
        key: Some(key),
        contact,
    })
}

/// The contact a buyer is by now, for news that is no order; `None` for a stranger.
///
/// # Errors
/// `Invalid` unless exactly one way of telling the buyer is given.
pub async fn contact_of(tx: &Tx, corp: CorpId, sealer: &Sealer, buyer: &Buyer) -> Result<Option<ContactId>> {
    let problems = super::check::buyer(buyer);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    Ok(resolve(tx, corp, sealer, Some(buyer)).await?.contact)
}

async fn own_contact(tx: &Tx, corp: CorpId, id: &str) -> Result<ContactId> {
    let unknown = || {
        Error::invalid(
            "/buyer/contact_id",
            format!("no contact `{id}`; take the id from `/contacts`, or name the buyer by unionid or phone"),
        )
    };
    let named: ContactId = id.parse().map_err(|_| unknown())?;
    let contact = contacts::kept_of(tx, corp, named).await?.unwrap_or(named);
    let keys = store::contact_keys(tx, corp, contact).await?;
    keys.map(|_| contact).ok_or_else(unknown)
}

/// Gives a new contact the orders they placed before anybody knew them, and tells the timeline. What the orders
/// earned stays where it was credited: history does not move. Answers how many orders; again changes nothing.
pub async fn adopt(tx: &Tx, act: &Act<'_>, corp: CorpId, contact: ContactId) -> Result<u64> {
    let Some(keys) = store::contact_keys(tx, corp, contact).await? else {
        return Ok(0);
    };
    let named = [
        ("external_userid", Some(keys.external_userid)),
        ("unionid", keys.unionid),
        ("phone", keys.phone_blind),
    ];
    let mut adopted = 0;
    for (kind, key) in named {
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            continue;
        };
        for mut sale in store::unclaimed_sales(tx, corp, kind, &key).await? {
            if !store::claim_sale(tx, corp, sale.id, contact).await? {
                continue;
            }
            sale.contact_id = Some(contact);
            let place = directory::find_store(tx, &Scope::whole(corp), sale.store_id).await?;
            let credits = store::credited_parts(tx, corp, sale.id).await?;
            let refunds = store::refunds_of(tx, corp, &sale.order_no).await?;
            let applied: Vec<_> = refunds
                .iter()
                .filter(|refund| refund.order_id.is_some())
                .collect();
            announce(tx, act, corp, place.tz(), &sale, &credits, true, &applied).await?;
            adopted += 1;
        }
    }
    Ok(adopted)
}
