//! Two contacts become one person.

use serde_json::json;

use super::model::Traits;
use super::store::{self, moves};
use crate::auth::audit;
use crate::contacts;
use crate::db::Tx;
use crate::db::changes::Fact;
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, CorpId, MergeId};
use crate::scope::{Act, Scope};
use crate::seal::Sealer;

/// Puts a contact together with the one that is kept: everything of both is the kept one's from now on.
///
/// # Errors
/// `NotFound` for a contact that is none, or a caller who does not see the whole corp; `Invalid` when the two have no
/// unionid in common; `Conflict` when one of them is merged already.
pub async fn merge(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    sealer: &Sealer,
    kept: ContactId,
    merged: ContactId,
) -> Result<MergeId> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let corp = scope.corp;
    if kept == merged {
        return Err(not_one());
    }
    let id = MergeId::new(act.ids, act.now);
    let detail = json!({ "merge": id, "merged": merged });
    // The entry first: it takes the chain's lock, so that merges are made one after the other.
    audit::append(
        tx,
        act,
        corp,
        "contact.merge",
        &format!("contact:{kept}"),
        &detail,
    )
    .await?;
    let (mut own, other) = (there(tx, corp, kept).await?, there(tx, corp, merged).await?);
    if own.unionid != other.unionid || own.unionid.as_deref().unwrap_or_default().is_empty() {
        return Err(not_one());
    }
    let sealed = match &other.phone_sealed {
        Some(sealed) => Some(contacts::reseal_phone(sealer, corp, merged, kept, sealed)?),
        None => None,
    };
    let gave = own.take(&other, sealed);
    store::insert(tx, act, corp, id, kept, merged, &gave).await?;
    store::put_aside(tx, corp, id, kept, merged).await?;
    store::set_traits(tx, corp, kept, &own).await?;
    let moved = moves::Moved {
        corp,
        merge: id,
        kept,
        merged,
    };
    moved.take_over(tx, &other.external_userid).await?;
    store::settle_duplicate(tx, corp, other.unionid.as_deref().unwrap_or_default()).await?;
    note(tx, corp, kept, merged);
    Ok(id)
}

/// The contact's row.
async fn there(tx: &Tx, corp: CorpId, contact: ContactId) -> Result<Traits> {
    if let Some(traits) = store::traits(tx, corp, contact).await? {
        return Ok(traits);
    }
    match contacts::kept_of(tx, corp, contact).await? {
        None => Err(Error::NotFound),
        Some(now) => Err(Error::conflict(said!(
            "conflict-merge-merged",
            "contact `{contact}` is merged into `{now}` already; undo that merge, or merge `{now}`",
            contact = contact.0,
            now = now.0
        ))),
    }
}

fn not_one() -> Error {
    Error::invalid(
        "/merged_id",
        said!(
            "refused-merge-not-one",
            "these are not two contacts with one unionid; only those can be merged"
        ),
    )
}

/// Everything of both has changed.
pub(super) fn note(tx: &Tx, corp: CorpId, kept: ContactId, merged: ContactId) {
    for fact in Fact::of_contacts() {
        tx.note(corp, fact, [kept.0, merged.0]);
    }
}
