//! Statements that move campaigns, batches and deliveries on: frozen, handed, seen, over.

use super::{Batch, deliveries_in};
use crate::args;
use crate::campaigns::{ApprovedAs, Campaign, CampaignState, DeliveryState};
use crate::db::changes::Fact;
use crate::db::{self, Conn as _, Filter, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, BatchId, CampaignId, ContactId, CorpId, LinkId};
use crate::links::content::Content;
use crate::scope::{Act, Scope};
use crate::segments::Rule;
use crate::time::{DAY_MS, Timestamp};

/// The platform reminds about one task so often in a day. path/97610 (read 2026-11-22).
const MAX_REMINDERS: i64 = 3;

/// Holds a campaign until the transaction ends, if it is in one of `states`: whoever cancels, pauses or releases it
/// waits, and what they did before is seen from here on. An update that changes nothing, the same on both databases.
pub async fn hold(tx: &Tx, corp: CorpId, id: CampaignId, states: &[CampaignState]) -> Result<bool> {
    let names: Vec<String> = states
        .iter()
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    let sql = format!(
        "update campaign set state = state where corp_id = $1 and id = $2 and state in ({})",
        names.join(",")
    );
    Ok(db::run(tx, &sql, args![corp, id]).await? != 0)
}

/// What a campaign is frozen as.
pub struct FrozenAs<'a> {
    pub rule: &'a Rule,
    pub content: &'a Content,
    pub window: &'a str,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub frozen_at: Timestamp,
}

/// Writes what a campaign is frozen as; answers whether nobody changed it meanwhile.
pub async fn set_frozen(tx: &Tx, corp: CorpId, campaign: &Campaign, frozen: &FrozenAs<'_>) -> Result<bool> {
    let written = db::run(
        tx,
        "update campaign set rule = $3, content = $4, quota_window = $5, starts_at = $6, ends_at = $7, frozen_at = $8
          where corp_id = $1 and id = $2 and version = $9",
        args![
            corp,
            campaign.id,
            serde_json::to_string(frozen.rule)?,
            serde_json::to_string(frozen.content)?,
            frozen.window,
            frozen.starts_at,
            frozen.ends_at,
            frozen.frozen_at,
            // Becoming scheduled was one change; any other came from somebody else.
            campaign.version + 1
        ],
    )
    .await?;
    Ok(written != 0)
}

/// The links of a campaign's batches.
pub async fn links_of(tx: &Tx, corp: CorpId, id: CampaignId) -> Result<Vec<LinkId>> {
    db::scalars(
        tx,
        "select link_id from batch where corp_id = $1 and campaign_id = $2 and link_id is not null",
        args![corp, id],
    )
    .await
}

/// Takes back what freezing wrote; whoever approved it approved that one start.
pub async fn unfreeze(tx: &Tx, corp: CorpId, id: CampaignId) -> Result<()> {
    for table in ["delivery", "batch"] {
        let sql = format!("delete from {table} where corp_id = $1 and campaign_id = $2");
        db::run(tx, &sql, args![corp, id]).await?;
    }
    db::run(
        tx,
        "update campaign set starts_at = null, ends_at = null, frozen_at = null, quota_window = null,
                approved_by = null, approved_segment_version = null, approved_eligible = null
          where corp_id = $1 and id = $2",
        args![corp, id],
    )
    .await?;
    Ok(())
}

/// Deliveries that are only planned.
pub fn planned_deliveries(corp: CorpId, id: CampaignId) -> Filter {
    let mut planned = deliveries_in(corp, id, &[DeliveryState::Planned]);
    // What is being handed over right now is not only planned.
    planned.and_sql(
        "batch_id in (select b.id from batch b where b.corp_id = $1 and b.campaign_id = $2 and b.state = 'planned')",
    );
    planned
}

/// The window in which a campaign's quota was claimed.
pub async fn quota_window(tx: &Tx, corp: CorpId, id: CampaignId) -> Result<Option<String>> {
    let key: Option<String> = db::scalar::<Option<String>>(
        tx,
        "select quota_window from campaign where corp_id = $1 and id = $2",
        args![corp, id],
    )
    .await?
    .flatten();
    Ok(key)
}

/// Cancels the batches that are only planned.
pub async fn cancel_planned_batches(tx: &Tx, corp: CorpId, id: CampaignId, reason: &str) -> Result<()> {
    db::run(
        tx,
        "update batch set state = 'cancelled', error = $3 where corp_id = $1 and campaign_id = $2 and state = 'planned'",
        args![corp, id, reason],
    )
    .await?;
    Ok(())
}

/// Writes who approved a draft, or that nobody does; answers whether it is the draft that was read.
pub async fn set_approval(
    tx: &Tx,
    corp: CorpId,
    campaign: &Campaign,
    by: Option<&str>,
    seen: ApprovedAs,
    now: Timestamp,
) -> Result<bool> {
    let set = db::run(
        tx,
        "update campaign set approved_by = cast($4 as text), approved_segment_version = cast($5 as bigint),
                approved_eligible = cast($6 as bigint), updated_at = $7
          where corp_id = $1 and id = $2 and version = $3 and state = 'draft'",
        args![
            corp,
            campaign.id,
            campaign.version,
            by,
            seen.segment_version,
            seen.eligible,
            now
        ],
    )
    .await?;
    Ok(set != 0)
}

/// Writes when a campaign started.
pub async fn set_started(tx: &Tx, corp: CorpId, id: CampaignId, now: Timestamp) -> Result<()> {
    let sql = "update campaign set started_at = $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, now]).await?;
    Ok(())
}

/// Writes when a campaign ended.
pub async fn set_finished(tx: &Tx, corp: CorpId, id: CampaignId, now: Timestamp) -> Result<()> {
    let sql = "update campaign set finished_at = $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, now]).await?;
    Ok(())
}

/// Counts a reminder for each batch in scope that waits and may be reminded; answers which.
pub async fn mark_reminded(
    tx: &Tx,
    scope: &Scope,
    id: CampaignId,
    only: Option<AssociateId>,
    now: Timestamp,
) -> Result<Vec<BatchId>> {
    let mut filter = Filter::new("batch.corp_id", scope.corp);
    filter.and("batch.campaign_id = {}", id);
    filter
        .and_sql("batch.state = 'handed' and batch.confirmed_at is null and batch.next_poll_at is not null");
    if let Some(associate) = only {
        filter.and("batch.associate_id = {}", associate);
    }
    scope.narrow(&mut filter, tx.backend(), "batch");
    let (now, yesterday) = (filter.arg(now), filter.arg(now.plus_ms(-DAY_MS)));
    let is_new_day = format!("coalesce(reminded_at, 0) <= {yesterday}");
    let sql = format!(
        "update batch set reminded = case when {is_new_day} then 1 else reminded + 1 end,
                reminded_at = case when {is_new_day} then {now} else reminded_at end
          where {} and ({is_new_day} or reminded < {MAX_REMINDERS}) returning id",
        filter.sql()
    );
    db::scalars(tx, &sql, filter.args).await
}

/// Whether anybody in a batch waits for its associate.
pub async fn is_anybody_tasked(tx: &Tx, corp: CorpId, batch: BatchId) -> Result<bool> {
    let sql = "select 1 from delivery where corp_id = $1 and batch_id = $2 and state = 'tasked' limit 1";
    Ok(!db::rows(tx, sql, args![corp, batch]).await?.is_empty())
}

/// Writes when a batch was confirmed; answers whether that is new.
pub async fn confirm(tx: &Tx, corp: CorpId, batch: BatchId, at: Timestamp) -> Result<bool> {
    let sql = "update batch set confirmed_at = $3 where corp_id = $1 and id = $2 and confirmed_at is null";
    Ok(db::run(tx, sql, args![corp, batch, at]).await? != 0)
}

/// Writes that contacts of a batch got it; answers for whom that is new.
pub async fn set_sent(
    tx: &Tx,
    corp: CorpId,
    batch: &Batch,
    contacts: &[ContactId],
    at: Timestamp,
    now: Timestamp,
) -> Result<Vec<ContactId>> {
    let sql = format!(
        "update delivery set state = 'sent', sent_at = $4, sent_day = $5, updated_at = $6
          where corp_id = $1 and batch_id = $2 and state = 'tasked' and {} returning contact_id",
        tx.backend().in_ids("contact_id", "$3")
    );
    let ids = db::id_list(contacts.iter().map(|contact| contact.0));
    let values = args![corp, batch.id, ids, at, at.day(batch.tz()), now];
    let sent: Vec<ContactId> = db::scalars(tx, &sql, values).await?;
    tx.note(corp, Fact::Message, sent.iter().map(|contact| contact.0));
    Ok(sent)
}

/// Batches in a state whose call began before an instant.
pub async fn stale(
    tx: &Tx,
    corp: CorpId,
    id: CampaignId,
    state: &str,
    before: Timestamp,
) -> Result<Vec<BatchId>> {
    let sql = "select id from batch where corp_id = $1 and campaign_id = $2 and state = $3 and call_started_at < $4";
    db::scalars(tx, sql, args![corp, id, state, before]).await
}

/// Whether a batch may still change: planned, on its way, or waiting for its associate.
const OPEN: &str =
    "(state in ('planned', 'calling', 'unknown') or (state = 'handed' and next_poll_at is not null))";

/// The batches of a campaign that may still change, together.
pub struct OpenBatches {
    pub next_look: Option<Timestamp>,
    pub is_any_under_way: bool,
}

/// What may still change in a campaign; `None`: nothing.
pub async fn open_batches(tx: &Tx, corp: CorpId, id: CampaignId) -> Result<Option<OpenBatches>> {
    let sql = format!(
        "select count(*), min(next_poll_at), sum(case when state = 'handed' then 0 else 1 end)
           from batch where corp_id = $1 and campaign_id = $2 and {OPEN}"
    );
    let Some(row) = db::rows(tx, &sql, args![corp, id]).await?.into_iter().next() else {
        return Ok(None);
    };
    let open: i64 = db::column(&row, 0)?;
    if open == 0 {
        return Ok(None);
    }
    let under_way: Option<i64> = db::column(&row, 2)?;
    Ok(Some(OpenBatches {
        next_look: db::column(&row, 1)?,
        is_any_under_way: under_way.unwrap_or(0) > 0,
    }))
}

/// Ends a campaign in which nothing is left to happen. A paused one that time has emptied ends as well.
pub async fn settle(tx: &Tx, act: &Act<'_>, corp: CorpId, id: CampaignId) -> Result<()> {
    let sql = format!("select 1 from batch where corp_id = $1 and campaign_id = $2 and {OPEN} limit 1");
    if !db::rows(tx, &sql, args![corp, id]).await?.is_empty() {
        return Ok(());
    }
    db::run(
        tx,
        "update campaign set state = 'finished', finished_at = $3, updated_at = $3, version = version + 1
          where corp_id = $1 and id = $2 and state in ('running', 'paused')
            and not exists (select 1 from delivery d where d.corp_id = $1 and d.campaign_id = $2
                             and d.state in ('planned', 'tasked', 'unknown'))",
        args![corp, id, act.now],
    )
    .await?;
    Ok(())
}
