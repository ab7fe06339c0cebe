//! A change of the store rule with what hangs on it: written down, and people follow.

use serde_json::json;

use super::jobs::SyncPeople;
use crate::auth::audit;
use crate::db::Tx;
use crate::directory::{self, Changed, Corp, RuleChange};
use crate::error::Result;
use crate::job;
use crate::scope::Act;

/// Changes the rule, writes down who did, and lets people follow with the next sync of members.
///
/// # Errors
/// As [`directory::change_rule`].
pub async fn change_rule(tx: &Tx, act: &Act<'_>, corp: &Corp, change: &RuleChange) -> Result<Changed> {
    let changed = directory::change_rule(tx, act, corp, change).await?;
    let (action, of) = match change {
        RuleChange::Begin => ("stores.begin_marking", changed.count),
        RuleChange::Mark(mark) => ("stores.mark", mark.department),
        RuleChange::Unmark(department) => ("stores.unmark", *department),
        RuleChange::Import(_) => ("stores.import", changed.count),
    };
    let detail = json!({ "of": of, "leaving": changed.effect.leaving, "moving": changed.effect.moving });
    audit::append(tx, act, corp.id, action, &format!("corp:{}", corp.id), &detail).await?;
    job::enqueue(tx, act.ids, act.now, corp.id, &SyncPeople {}, act.now).await?;
    Ok(changed)
}
