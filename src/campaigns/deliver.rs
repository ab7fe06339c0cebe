//! Starts a campaign and hands its batches over: mark, commit, call, record.
//!
//! The platform has no idempotency key, so a batch is called for at most once. Whoever finds one marked `calling`
//! does not know what became of it and looks it up (`reconcile`).

use super::jobs::{Reconcile, Stop};
use super::plan::{OPTED_OUT, QUOTA_USED};
use super::schedule::{hand_out, release};
use super::store::{self, Batch, Change};
use super::{CampaignState, DeliveryState, poll, reconcile};
use crate::app::App;
use crate::db::{self, Tx};
use crate::directory::{self, Corp};
use crate::error::{Advice, Error, PlatformFault, Result};
use crate::ids::{BatchId, CampaignId, ContactId, CorpId, ExternalUserId};
use crate::job::enqueue;
use crate::links::content::Content;
use crate::queue::Lane;
use crate::scope::{Act, Actor, Scope};
use crate::tally::{self, Code, Tally};
use crate::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::timeline::{self, Entry, News};
use crate::wecom::broadcast::{Broadcast, Handed};

pub(super) const NOT_REACHABLE: &str = "not_reachable";
const LOST_FOLLOW: &str = "lost_follow";
const ASSOCIATE_LEFT: &str = "associate_left";
/// None of the customers can be reached by this sender. path/90313 (read 2026-11-22).
const ALL_UNREACHABLE: i64 = 41048;
/// A call, however slow, is over by then.
pub const CALL_MS: i64 = 30 * SECOND_MS;

/// Starts a scheduled campaign; one that is too late is missed, and sends nothing.
pub async fn start(app: &App, corp: CorpId, id: CampaignId, frozen_at: Timestamp) -> Result<()> {
    let act = app.act(Actor::System);
    let tx = app.db.begin().await?;
    let campaign = match store::find(&tx, &Scope::whole(corp), id).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    // Called off since, perhaps scheduled anew: that one has a job of its own.
    if campaign.state != CampaignState::Scheduled || campaign.frozen_at != Some(frozen_at) {
        return Ok(());
    }
    let late_after_ms = campaign.late_after_minutes * MINUTE_MS;
    let is_late = campaign
        .starts_at
        .is_some_and(|start| act.now.0 - start.0 > late_after_ms);
    if is_late {
        store::move_on(
            &tx,
            corp,
            id,
            CampaignState::Scheduled,
            CampaignState::Missed,
            act.now,
        )
        .await?;
        store::set_finished(&tx, corp, id, act.now).await?;
        release(&tx, &act, corp, id, DeliveryState::Cancelled, "missed").await?;
    } else {
        store::move_on(
            &tx,
            corp,
            id,
            CampaignState::Scheduled,
            CampaignState::Running,
            act.now,
        )
        .await?;
        store::set_started(&tx, corp, id, act.now).await?;
        hand_out(&tx, &act, corp, &campaign).await?;
    }
    tx.commit().await?;
    app.cache.ring().await;
    Ok(())
}

/// Hands one batch over to its associate.
pub async fn hand_over(app: &App, corp: CorpId, batch: BatchId) -> Result<()> {
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    let tx = app.db.begin().await?;
    let corp = directory::find_corp(&tx, corp).await?;
    let claimed = claim(&tx, &app.act(Actor::System), &corp, &app.config.public_url, batch).await?;
    tx.commit().await?;
    let Some(body) = claimed else { return Ok(()) };
    let outcome = platform.add_broadcast(&body).await;
    let tx = app.db.begin().await?;
    let again = record(&tx, &app.act(Actor::System), &corp, batch, outcome).await?;
    tx.commit().await?;
    again.map_or(Ok(()), Err)
}

/// Marks a planned batch `calling` and answers its frozen body; `None` when there is nothing to call for.
pub async fn claim(
    tx: &Tx,
    act: &Act<'_>,
    corp: &Corp,
    public_url: &str,
    id: BatchId,
) -> Result<Option<String>> {
    let Some((batch, is_running)) = held_batch(tx, corp.id, id, &[CampaignState::Running]).await? else {
        return Ok(None);
    };
    if batch.state == "calling" {
        // Another worker may be in the middle of the call.
        if batch.call_started_at.is_some_and(|at| act.now.0 - at.0 < CALL_MS) {
            return Ok(None);
        }
        reconcile::mark_unknown(tx, act, corp.id, &batch).await?;
        return Ok(None);
    }
    let is_open = batch.ends_at.is_none_or(|end| act.now < end);
    if batch.state != "planned" || !is_running || !is_open {
        return Ok(None);
    }
    leave_out(tx, act, corp.id, &batch).await?;
    let recipients = store::recipients(tx, corp.id, &batch).await?;
    if recipients.is_empty() {
        let change = Change {
            state: "cancelled",
            columns: vec![("error", "nobody_left".into()), ("contacts", 0i64.into())],
        };
        store::move_batch(tx, corp.id, id, &["planned"], change).await?;
        store::settle(tx, act, corp.id, batch.campaign_id).await?;
        return Ok(None);
    }
    let body = body(corp, &batch, public_url, &recipients)?;
    let change = Change {
        state: "calling",
        columns: vec![
            ("body", body.clone().into()),
            ("call_started_at", act.now.into()),
            ("contacts", (recipients.len() as i64).into()),
        ],
    };
    let is_ours = store::move_batch(tx, corp.id, id, &["planned"], change).await?;
    Ok(is_ours.then_some(body))
}

/// A batch as it stands once its campaign is held, and whether the campaign is in one of `states`. Read before, it
/// could be one that somebody cancels at this moment.
async fn held_batch(
    tx: &Tx,
    corp: CorpId,
    id: BatchId,
    states: &[CampaignState],
) -> Result<Option<(Batch, bool)>> {
    let campaign = match store::find_batch(tx, corp, id).await {
        Err(Error::NotFound) => return Ok(None),
        found => found?.campaign_id,
    };
    let is_held = store::hold(tx, corp, campaign, states).await?;
    match store::find_batch(tx, corp, id).await {
        // Called off while we waited.
        Err(Error::NotFound) => Ok(None),
        found => Ok(Some((found?, is_held))),
    }
}

/// What changed since the plan: who opted out or is no longer followed by this associate gets nothing.
async fn leave_out(tx: &Tx, act: &Act<'_>, corp: CorpId, batch: &Batch) -> Result<()> {
    let gone = |condition: &str| {
        let mut filter = store::deliveries_of(corp, batch, &[DeliveryState::Planned]);
        filter.and_sql(condition);
        filter
    };
    let opted_out = gone(
        "exists (select 1 from contact c where c.corp_id = $1 and c.id = delivery.contact_id and c.opted_out_at is not null)",
    );
    let lost = gone(
        "not exists (select 1 from follow f where f.corp_id = $1 and f.contact_id = delivery.contact_id
           and f.associate_id = delivery.associate_id and f.state = 'active')",
    );
    let mut cases = vec![(OPTED_OUT, opted_out), (LOST_FOLLOW, lost)];
    if batch.associate_status != "active" {
        cases = vec![(ASSOCIATE_LEFT, gone("1 = 1"))];
    }
    for (reason, filter) in cases {
        let state = DeliveryState::Excluded;
        let freed = store::move_deliveries(tx, filter, state, Some(reason), act.now).await?;
        store::give_back(tx, corp, batch.quota_window.as_deref(), &freed).await?;
    }
    Ok(())
}

fn body(
    corp: &Corp,
    batch: &Batch,
    public_url: &str,
    recipients: &[(ContactId, ExternalUserId)],
) -> Result<String> {
    let content: Content = serde_json::from_str(&batch.content)?;
    let store = batch.store_name.as_deref().unwrap_or(&corp.name);
    let link = format!("{public_url}/l/{}", batch.marker);
    let broadcast = Broadcast {
        chat_type: "single".to_owned(),
        external_userid: recipients.iter().map(|(_, external)| external.clone()).collect(),
        sender: batch.userid.clone(),
        message: content.message(&batch.associate_name, store, &link),
    };
    Ok(serde_json::to_string(&broadcast)?)
}

/// Writes down what the call came to. Answers the error that asks for another try, when certainly nothing was done.
pub async fn record(
    tx: &Tx,
    act: &Act<'_>,
    corp: &Corp,
    id: BatchId,
    outcome: Result<Handed>,
) -> Result<Option<Error>> {
    let (batch, _) = held_batch(tx, corp.id, id, &CampaignState::ALL)
        .await?
        .ok_or(Error::NotFound)?;
    match outcome {
        Ok(handed) => record_handed(tx, act, corp.id, &batch, &handed)
            .await
            .map(|()| None),
        Err(Error::Platform(fault)) => match fault.advice {
            Advice::Retry { .. } => {
                put_back(tx, corp.id, &batch, &fault.message).await?;
                Ok(Some(Error::Platform(fault)))
            }
            Advice::Unknown => reconcile::mark_unknown(tx, act, corp.id, &batch)
                .await
                .map(|()| None),
            Advice::Drop | Advice::TellAdmin | Advice::Bug => {
                record_refused(tx, act, corp.id, &batch, &fault)
                    .await
                    .map(|()| None)
            }
        },
        // Something of our own broke around the call; whether it left is not known.
        Err(_) => reconcile::mark_unknown(tx, act, corp.id, &batch)
            .await
            .map(|()| None),
    }
}

/// The platform took it: deliveries wait for the associate, those it will not reach have failed.
pub async fn record_handed(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    handed: &Handed,
) -> Result<()> {
    let change = Change {
        state: "handed",
        columns: vec![
            ("msgid", handed.msgid.clone().into()),
            ("handed_at", act.now.into()),
            ("next_poll_at", poll::next_look(act.now, act.now).into()),
        ],
    };
    // A caller that was held up may answer after the batch was taken for unknown: it knows better.
    if !store::move_batch(tx, corp, batch.id, &["calling", "unknown"], change).await? {
        tracing::warn!(batch.id = %batch.id, "a batch was handed over that was settled otherwise before");
        return Ok(());
    }
    let open = [DeliveryState::Planned, DeliveryState::Unknown];
    let all = store::deliveries_of(corp, batch, &open);
    let tasked = store::move_deliveries(tx, all, DeliveryState::Tasked, None, act.now).await?;
    let due = Tally {
        store: batch.store_id,
        associate: Some(batch.associate_id),
        day: act.now.day(batch.tz()),
        code: Code::BatchesDue,
        value: 1,
    };
    tally::add(tx, corp, &[due]).await?;
    let unreachable = known(tx, corp, batch, &handed.fail_list).await?;
    fail(
        tx,
        act,
        corp,
        batch,
        &[DeliveryState::Tasked],
        &unreachable,
        NOT_REACHABLE,
    )
    .await?;
    if tasked.is_empty() || batch.is_campaign_over() {
        // It was being handed over while the campaign ended: the platform must not go on asking for it.
        store::poll_next(tx, corp, batch.id, act.now, Some(act.now)).await?;
        enqueue(tx, act.ids, act.now, corp, &Stop { batch: batch.id }, act.now).await?;
        return Ok(());
    }
    poll::watch(tx, act, corp, batch).await
}

/// Those of the customers that are in the batch.
async fn known(tx: &Tx, corp: CorpId, batch: &Batch, external: &[ExternalUserId]) -> Result<Vec<ContactId>> {
    if external.is_empty() {
        return Ok(Vec::new());
    }
    let named: std::collections::HashSet<&ExternalUserId> = external.iter().collect();
    let tasked = store::tasked(tx, corp, batch).await?;
    Ok(tasked
        .into_iter()
        .filter(|(external, _)| named.contains(external))
        .map(|(_, contact)| contact)
        .collect())
}

/// The platform refused: nothing was sent, and nothing will be by trying again.
async fn record_refused(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    fault: &PlatformFault,
) -> Result<()> {
    let reason = match fault.code {
        Some(ALL_UNREACHABLE) => NOT_REACHABLE,
        _ => "refused",
    };
    reject(tx, act, corp, batch, "calling", reason, &fault.message).await
}

/// Gives a batch up: everybody in it has failed.
pub(super) async fn reject(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    from: &str,
    reason: &str,
    error: &str,
) -> Result<()> {
    let change = Change {
        state: "rejected",
        columns: vec![("error", error.into())],
    };
    if !store::move_batch(tx, corp, batch.id, &[from], change).await? {
        return Ok(());
    }
    let open = [DeliveryState::Planned, DeliveryState::Unknown];
    let filter = store::deliveries_of(corp, batch, &open);
    let state = DeliveryState::Failed;
    let failed = store::move_deliveries(tx, filter, state, Some(reason), act.now).await?;
    // What may have reached people all the same keeps its quota.
    if reason != reconcile::UNKNOWN_OUTCOME {
        store::give_back(tx, corp, batch.quota_window.as_deref(), &failed).await?;
    }
    tell_failed(tx, act, corp, batch, &failed, reason).await?;
    store::settle(tx, act, corp, batch.campaign_id).await
}

/// Certainly nothing left the house: the batch waits to be called for again.
async fn put_back(tx: &Tx, corp: CorpId, batch: &Batch, error: &str) -> Result<()> {
    let change = Change {
        state: "planned",
        columns: vec![("error", error.into())],
    };
    store::move_batch(tx, corp, batch.id, &["calling"], change).await?;
    Ok(())
}

/// Some of a batch's contacts did not get it.
pub(super) async fn fail(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    from: &[DeliveryState],
    contacts: &[ContactId],
    reason: &str,
) -> Result<()> {
    if contacts.is_empty() {
        return Ok(());
    }
    let mut filter = store::deliveries_of(corp, batch, from);
    let place = filter.arg(db::id_list(contacts.iter().map(|contact| contact.0)));
    filter.and_sql(&db::Conn::backend(tx).in_ids("contact_id", &place));
    let state = DeliveryState::Failed;
    let failed = store::move_deliveries(tx, filter, state, Some(reason), act.now).await?;
    // Who has nothing left has nothing to get back.
    if reason != QUOTA_USED {
        store::give_back(tx, corp, batch.quota_window.as_deref(), &failed).await?;
    }
    tell_failed(tx, act, corp, batch, &failed, reason).await
}

/// Counts those who got nothing and puts it into their timelines.
async fn tell_failed(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    failed: &[ContactId],
    reason: &str,
) -> Result<()> {
    // Looked at later, it failed when the associate pressed send.
    let failed_at = batch.confirmed_at.unwrap_or(act.now).min(act.now);
    let not_delivered = Tally {
        store: batch.store_id,
        associate: Some(batch.associate_id),
        day: failed_at.day(batch.tz()),
        code: Code::NotDelivered,
        value: failed.len() as i64,
    };
    tally::add(tx, corp, &[not_delivered]).await?;
    let news = failed.iter().map(|contact| News {
        contact: *contact,
        associate: Some(batch.associate_id),
        store: batch.store_id,
        at: act.now,
        entry: Entry::NotSent {
            campaign_id: batch.campaign_id,
            name: batch.campaign_name.clone(),
            reason: reason.to_owned(),
        },
    });
    timeline::append(tx, act, corp, batch.tz(), news.collect()).await
}

/// When a look-up is due, counted from the call.
pub(super) async fn look_up_later(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    round: usize,
) -> Result<()> {
    let since = batch.call_started_at.unwrap_or(act.now);
    let due = since.plus_ms(reconcile::WAITS_MS[round]).max(act.now);
    let job = Reconcile {
        batch: batch.id,
        round,
    };
    enqueue(tx, act.ids, act.now, corp, &job, due).await?;
    Ok(())
}
