//! Statements that write drafts.

use crate::args;
use crate::campaigns::draft::Draft;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::ids::CampaignId;
use crate::scope::{Act, Scope};

/// Writes a new draft down.
pub async fn insert_draft(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: CampaignId,
    draft: &Draft,
) -> Result<()> {
    db::run(
        tx,
        "insert into campaign (corp_id, id, name, state, segment_id, rule, content, send_at, zone, deadline,
           late_after_minutes, holdout_percent, priority, created_by, version, created_at, updated_at)
         values ($1, $2, $3, 'draft', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $14)",
        args![
            scope.corp,
            id,
            draft.name.clone(),
            draft.segment_id,
            serde_json::to_string(&draft.rule)?,
            serde_json::to_string(&draft.content)?,
            draft.send_at.clone(),
            draft.zone.clone(),
            draft.deadline.clone(),
            draft.late_after_minutes,
            draft.holdout_percent,
            draft.priority,
            act.by.to_string(),
            act.now
        ],
    )
    .await?;
    Ok(())
}

/// Writes a draft anew, its approval gone; answers whether it still was the version that was read.
pub async fn change_draft(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: CampaignId,
    version: i64,
    draft: &Draft,
) -> Result<bool> {
    let changed = db::run(
        tx,
        "update campaign set name = $4, segment_id = cast($5 as bigint), rule = $6, content = $7, send_at = $8,
                zone = $9, deadline = $10, late_after_minutes = $11, holdout_percent = $12, priority = $13,
                changed_by = $15, approved_by = null, approved_segment_version = null, approved_eligible = null,
                version = version + 1, updated_at = $14
          where corp_id = $1 and id = $2 and version = $3 and state = 'draft'",
        args![
            scope.corp,
            id,
            version,
            draft.name.clone(),
            draft.segment_id,
            serde_json::to_string(&draft.rule)?,
            serde_json::to_string(&draft.content)?,
            draft.send_at.clone(),
            draft.zone.clone(),
            draft.deadline.clone(),
            draft.late_after_minutes,
            draft.holdout_percent,
            draft.priority,
            act.now,
            act.by.to_string()
        ],
    )
    .await?;
    Ok(changed != 0)
}

/// Removes a draft; answers whether there was one.
pub async fn delete_draft(tx: &Tx, scope: &Scope, id: CampaignId) -> Result<bool> {
    let sql = "delete from campaign where corp_id = $1 and id = $2 and state = 'draft'";
    Ok(db::run(tx, sql, args![scope.corp, id]).await? != 0)
}
