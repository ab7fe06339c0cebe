//! A merge is taken back: what was the other contact's is theirs again.

use serde_json::json;

use super::merge::note;
use super::store::{self, moves};
use crate::auth::audit;
use crate::contacts;
use crate::db::Tx;
use crate::error::{Error, Result, said};
use crate::ids::MergeId;
use crate::scope::{Act, Scope};

/// Takes a merge back. What came since by an id of the contact that was merged goes along; orders, clicks and history
/// that came since stay with the one that was kept.
///
/// # Errors
/// `NotFound` for a merge that is none, or a caller who does not see the whole corp; `Conflict` when it is undone
/// already, or another of the same person came later.
pub async fn undo(tx: &Tx, act: &Act<'_>, scope: &Scope, id: MergeId) -> Result<()> {
    let corp = scope.corp;
    let found = store::find(tx, scope, id).await?;
    let (kept, merged) = (found.kept_id, found.merged_id);
    let detail = json!({ "merge": id, "merged": merged });
    audit::append(
        tx,
        act,
        corp,
        "contact.unmerge",
        &format!("contact:{kept}"),
        &detail,
    )
    .await?;
    // Read again under the chain's lock.
    let found = store::find(tx, scope, id).await?;
    if let Some(later) = found.undo_first {
        return Err(Error::conflict(said!(
            "conflict-merge-later",
            "merge `{later}` of the same person came later; undo it first",
            later = later.0
        )));
    }
    let gave = store::end(tx, act, corp, id)
        .await?
        .ok_or_else(|| Error::conflict(said!("conflict-merge-undone", "this merge is undone already")))?;
    let moved = moves::Moved {
        corp,
        merge: id,
        kept,
        merged,
    };
    moved.give_back(tx, &found.merged_external_userid).await?;
    store::put_back(tx, corp, merged).await?;
    let both = (
        store::traits(tx, corp, kept).await?,
        store::traits(tx, corp, merged).await?,
    );
    let (Some(mut own), Some(mut other)) = both else {
        return Err(Error::internal("a merge without its contacts"));
    };
    own.give_back(&other, &gave);
    store::set_traits(tx, corp, kept, &own).await?;
    // Whoever asked to be left alone while they were one meant both.
    if other.opted_out_at.is_none() && own.opted_out_at.is_some_and(|at| at > found.created_at) {
        other.opted_out_at = own.opted_out_at;
        store::set_traits(tx, corp, merged, &other).await?;
    }
    let unionids = other.unionid.into_iter().collect::<Vec<_>>();
    contacts::note_duplicates(tx, corp, &unionids).await?;
    note(tx, corp, kept, merged);
    Ok(())
}
