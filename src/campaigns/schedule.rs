//! Schedule, call off, approve, pause, resume, cancel, remind.

use chrono_tz::Tz;
use serde_json::json;

use super::draft::{self, headquarters, note};
use super::jobs::{HandOver, Poll, Remind, Start, Stop};
use super::plan::{self, Letter, Wish};
use super::quota::Window;
use super::store;
use super::{ApprovedAs, Campaign, CampaignState, DeliveryState};
use crate::app::App;
use crate::db::Tx;
use crate::directory::{self, Corp};
use crate::error::{Error, Result, said};
use crate::ids::{AssociateId, BatchId, CampaignId, CorpId};
use crate::job::enqueue;
use crate::links;
use crate::scope::{Act, Scope};
use crate::segments;
use crate::time::{DAY_MS, MINUTE_MS, Timestamp, resolve_local, zone};

/// How long associates have when no deadline is written.
const DEFAULT_OPEN_MS: i64 = DAY_MS;
/// Freezes the audience and sets the start: one delivery a contact, hold-out and exclusions with their reasons,
/// quota claimed, batches cut by sender. All in one transaction.
///
/// # Errors
/// `Invalid` for a time in the past, a deadline before the start, an empty audience; `Conflict` when approval is
/// missing or it is not a draft.
pub async fn schedule(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    prepare(app, act, scope, id).await?;
    let tx = app.db.begin().await?;
    let corp = directory::find_corp(&tx, scope.corp).await?;
    let campaign = store::find(&tx, scope, id).await?;
    let (starts_at, ends_at) = times(&campaign, act.now)?;
    store::move_on(
        &tx,
        scope.corp,
        id,
        CampaignState::Draft,
        CampaignState::Scheduled,
        act.now,
    )
    .await?;
    let (frozen, segment_version) =
        freeze(app, &tx, act, scope, &corp, &campaign, (starts_at, ends_at)).await?;
    check_approval(&corp, &campaign, segment_version, frozen.eligible)?;
    let start = Start {
        campaign: id,
        frozen_at: act.now,
    };
    enqueue(&tx, act.ids, act.now, scope.corp, &start, starts_at).await?;
    let detail = json!({ "targeted": frozen.targeted, "eligible": frozen.eligible });
    note(&tx, act, scope, "campaign.schedule", id, detail).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(())
}

/// Has the index work out what the audience needs before others wait for the transaction. What is wrong with the
/// campaign is said there.
async fn prepare(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    let campaign = store::find(&app.db, scope, id).await?;
    let zone = directory::find_corp(&app.db, scope.corp).await?.zone;
    match draft::asked(&app.db, scope, &campaign.audience()).await {
        Ok((rule, _)) => segments::index::prepare(app, scope, &rule, zone, act.now).await,
        Err(_) => Ok(()),
    }
}

/// When it starts and ends; text typed in a zone becomes an instant as late as here.
fn times(campaign: &Campaign, now: Timestamp) -> Result<(Timestamp, Timestamp)> {
    let zone = zone(&campaign.zone).unwrap_or(chrono_tz::Asia::Shanghai);
    let starts_at = match &campaign.send_at {
        Some(text) => instant(text, zone, "/send_at")?,
        None => now,
    };
    // The minute that runs is not past yet.
    if starts_at.plus_ms(MINUTE_MS) <= now {
        return Err(Error::invalid(
            "/send_at",
            said!(
                "refused-start-past",
                "`{at}` is past; choose a later time, or none to start now",
                at = starts_at.rfc3339(zone)
            ),
        ));
    }
    let ends_at = match &campaign.deadline {
        Some(text) => instant(text, zone, "/deadline")?,
        None => starts_at.plus_ms(DEFAULT_OPEN_MS),
    };
    if ends_at <= starts_at.max(now) {
        return Err(Error::invalid(
            "/deadline",
            said!(
                "refused-deadline",
                "`{at}` is not after the start",
                at = ends_at.rfc3339(zone)
            ),
        ));
    }
    Ok((starts_at, ends_at))
}

fn instant(text: &str, zone: Tz, at: &str) -> Result<Timestamp> {
    draft::wall_clock(text)
        .map(|local| resolve_local(local, zone))
        .ok_or_else(|| Error::invalid(at, draft::not_a_time(text)))
}

/// Answers what was frozen, and the version of the segment it was found by.
async fn freeze(
    app: &App,
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    corp: &Corp,
    campaign: &Campaign,
    (starts_at, ends_at): (Timestamp, Timestamp),
) -> Result<(plan::Frozen, Option<i64>)> {
    // A segment is a question: it is asked as it reads now.
    let (rule, segment_version) = draft::asked(tx, scope, &campaign.audience()).await?;
    let (content, target) = campaign.content.clone().linked(corp, "/content")?;
    let window = Window::at(corp.quota_mode, starts_at);
    let wish = Wish {
        app,
        corp,
        rule: &rule,
        salt: campaign.id.0,
        holdout_percent: campaign.holdout_percent,
        window: &window,
        now: act.now,
    };
    let letter = Letter {
        campaign: campaign.id,
        name: &campaign.name,
        target: &target,
    };
    let frozen = plan::freeze(tx, act, scope, &wish, &letter).await?;
    refuse_empty(&frozen)?;
    let written = store::set_frozen(
        tx,
        scope.corp,
        campaign,
        &store::FrozenAs {
            rule: &rule,
            content: &content,
            window: &window.key,
            starts_at,
            ends_at,
            frozen_at: act.now,
        },
    )
    .await?;
    if !written {
        return Err(Error::conflict(said!(
            "conflict-campaign-changed",
            "campaign `{name}` was changed just now; look again",
            name = &campaign.name
        )));
    }
    Ok((frozen, segment_version))
}

fn refuse_empty(frozen: &plan::Frozen) -> Result<()> {
    match (frozen.targeted, frozen.eligible) {
        (0, _) => Err(Error::invalid(
            "/audience",
            said!("refused-audience-empty", "the audience is empty; widen its rule"),
        )),
        (targeted, 0) => Err(Error::invalid(
            "/audience",
            said!(
                "refused-audience-nobody",
                "none of the {targeted} people may get it: opted out, quota used, or held out",
                targeted = targeted
            ),
        )),
        _ => Ok(()),
    }
}

fn check_approval(
    corp: &Corp,
    campaign: &Campaign,
    segment_version: Option<i64>,
    eligible: i64,
) -> Result<()> {
    let Some(most) = corp.approval_over.filter(|most| eligible > *most) else {
        return Ok(());
    };
    let (name, seen) = (&campaign.name, campaign.approved_as);
    let refusal = match seen.eligible.filter(|_| campaign.approved_by.is_some()) {
        None => said!(
            "conflict-campaign-approval",
            "campaign `{name}` goes to {eligible} people, more than {most}: another person has to approve it first",
            name = name,
            eligible = eligible,
            most = most
        ),
        Some(_) if seen.segment_version != segment_version => said!(
            "conflict-campaign-segment-changed",
            "the segment of campaign `{name}` was changed after it was approved; have it approved again",
            name = name
        ),
        Some(then) if eligible > then => said!(
            "conflict-campaign-grew",
            "campaign `{name}` was approved for {then} people and would go to {eligible}; have it approved again",
            name = name,
            then = then,
            eligible = eligible
        ),
        Some(_) => return Ok(()),
    };
    Err(Error::conflict(refusal))
}

/// Back to draft, before it started: deliveries go, quota is given back.
pub async fn call_off(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    let tx = app.db.begin().await?;
    store::find(&tx, scope, id).await?;
    store::move_on(
        &tx,
        scope.corp,
        id,
        CampaignState::Scheduled,
        CampaignState::Draft,
        act.now,
    )
    .await?;
    release(&tx, act, scope.corp, id, DeliveryState::Cancelled, "called_off").await?;
    let links = store::links_of(&tx, scope.corp, id).await?;
    links::withdraw(&tx, scope.corp, &links).await?;
    store::unfreeze(&tx, scope.corp, id).await?;
    note(&tx, act, scope, "campaign.call_off", id, json!({})).await?;
    tx.commit().await
}

/// Takes what is only planned out of the way and gives its quota back.
pub(super) async fn release(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: CampaignId,
    to: DeliveryState,
    reason: &str,
) -> Result<()> {
    let planned = store::planned_deliveries(corp, id);
    let freed = store::move_deliveries(tx, planned, to, Some(reason), act.now).await?;
    let key = store::quota_window(tx, corp, id).await?;
    store::give_back(tx, corp, key.as_deref(), &freed).await?;
    store::cancel_planned_batches(tx, corp, id, reason).await
}

/// By another person or key than those who wrote it. What is approved is the draft, its segment and its reach as
/// they are now.
pub async fn approve(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    prepare(app, act, scope, id).await?;
    let tx = app.db.begin().await?;
    let campaign = store::find(&tx, scope, id).await?;
    let by = act.by.to_string();
    if campaign.is_written_by(&by) {
        return Err(Error::Forbidden(
            "whoever made or changed a campaign cannot approve it; ask somebody else".into(),
        ));
    }
    let seen = reach(app, &tx, act, scope, &campaign).await?;
    set_approval(&tx, act, scope, &campaign, Some(&by), seen).await?;
    let detail = json!({
        "version": campaign.version,
        "segment_version": seen.segment_version,
        "eligible": seen.eligible,
    });
    note(&tx, act, scope, "campaign.approve", id, detail).await?;
    tx.commit().await
}

/// Whom a draft would go to, drawn as freezing it would.
async fn reach(app: &App, tx: &Tx, act: &Act<'_>, scope: &Scope, campaign: &Campaign) -> Result<ApprovedAs> {
    let corp = directory::find_corp(tx, scope.corp).await?;
    let (rule, segment_version) = draft::asked(tx, scope, &campaign.audience()).await?;
    let zone = zone(&campaign.zone).unwrap_or(chrono_tz::Asia::Shanghai);
    let starts_at = match &campaign.send_at {
        Some(text) => instant(text, zone, "/send_at")?,
        None => act.now,
    };
    let window = Window::at(corp.quota_mode, starts_at);
    let wish = Wish {
        app,
        corp: &corp,
        rule: &rule,
        salt: campaign.id.0,
        holdout_percent: campaign.holdout_percent,
        window: &window,
        now: act.now,
    };
    let drawn = plan::draw(tx, scope, &wish).await?;
    Ok(ApprovedAs {
        segment_version,
        eligible: Some(plan::eligible(&drawn).count() as i64),
    })
}

pub async fn withdraw_approval(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    let tx = app.db.begin().await?;
    let campaign = store::find(&tx, scope, id).await?;
    set_approval(&tx, act, scope, &campaign, None, ApprovedAs::default()).await?;
    note(&tx, act, scope, "campaign.withdraw_approval", id, json!({})).await?;
    tx.commit().await
}

/// The version makes sure that what is approved is what was looked at.
async fn set_approval(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    campaign: &Campaign,
    by: Option<&str>,
    seen: ApprovedAs,
) -> Result<()> {
    if !store::set_approval(tx, scope.corp, campaign, by, seen, act.now).await? {
        return Err(Error::conflict(said!(
            "conflict-campaign-not-draft",
            "campaign `{name}` is {state}, not a draft",
            name = &campaign.name,
            state = campaign.state.as_str()
        )));
    }
    Ok(())
}

pub async fn pause(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    let tx = app.db.begin().await?;
    store::find(&tx, scope, id).await?;
    store::move_on(
        &tx,
        scope.corp,
        id,
        CampaignState::Running,
        CampaignState::Paused,
        act.now,
    )
    .await?;
    note(&tx, act, scope, "campaign.pause", id, json!({})).await?;
    tx.commit().await
}

/// Hands over only what was not handed over before.
pub async fn resume(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    let tx = app.db.begin().await?;
    let campaign = store::find(&tx, scope, id).await?;
    store::move_on(
        &tx,
        scope.corp,
        id,
        CampaignState::Paused,
        CampaignState::Running,
        act.now,
    )
    .await?;
    hand_out(&tx, act, scope.corp, &campaign).await?;
    note(&tx, act, scope, "campaign.resume", id, json!({})).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(())
}

/// A job for each batch that is only planned, and one that watches.
pub(super) async fn hand_out(tx: &Tx, act: &Act<'_>, corp: CorpId, campaign: &Campaign) -> Result<()> {
    for batch in store::batches_in(tx, corp, campaign.id, "state = 'planned'").await? {
        line_up(tx, act, corp, campaign.priority, batch).await?;
    }
    let watch = Poll {
        campaign: campaign.id,
    };
    enqueue(tx, act.ids, act.now, corp, &watch, act.now).await?;
    Ok(())
}

/// Has a batch handed over. The line goes by time, and each point of priority counts as a minute waited.
pub(super) async fn line_up(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    priority: i64,
    batch: BatchId,
) -> Result<()> {
    let turn = act.now.plus_ms(-priority * MINUTE_MS);
    enqueue(tx, act.ids, act.now, corp, &HandOver { batch }, turn).await?;
    Ok(())
}

/// Stops what is not yet sent; what is sent cannot be called back.
pub async fn cancel(app: &App, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    let tx = app.db.begin().await?;
    let campaign = store::find(&tx, scope, id).await?;
    if !campaign.state.may_become(CampaignState::Cancelled) {
        return Err(Error::conflict(said!(
            "conflict-campaign-ended",
            "campaign `{name}` is {state} already",
            name = &campaign.name,
            state = campaign.state.as_str()
        )));
    }
    store::move_on(
        &tx,
        scope.corp,
        id,
        campaign.state,
        CampaignState::Cancelled,
        act.now,
    )
    .await?;
    store::set_finished(&tx, scope.corp, id, act.now).await?;
    release(&tx, act, scope.corp, id, DeliveryState::Cancelled, "cancelled").await?;
    stop_handed(&tx, act, scope.corp, id).await?;
    note(
        &tx,
        act,
        scope,
        "campaign.cancel",
        id,
        json!({ "was": campaign.state.as_str() }),
    )
    .await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(())
}

/// A job for each batch that associates still have to answer.
pub(super) async fn stop_handed(tx: &Tx, act: &Act<'_>, corp: CorpId, id: CampaignId) -> Result<()> {
    for batch in store::batches_in(tx, corp, id, "state = 'handed' and next_poll_at is not null").await? {
        enqueue(tx, act.ids, act.now, corp, &Stop { batch }, act.now).await?;
    }
    Ok(())
}

/// Reminds associates who have not confirmed (all, or one); at most 3 times in 24 h a batch. Answers how many.
/// The platform is asked by jobs: there may be thousands of them.
pub async fn remind(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    id: CampaignId,
    only: Option<AssociateId>,
) -> Result<usize> {
    let tx = app.db.begin().await?;
    let campaign = store::find(&tx, scope, id).await?;
    if campaign.state != CampaignState::Running {
        return Err(Error::conflict(said!(
            "conflict-campaign-not-running",
            "campaign `{name}` is {state}; only a running one waits for associates",
            name = &campaign.name,
            state = campaign.state.as_str()
        )));
    }
    let batches = store::mark_reminded(&tx, scope, id, only, act.now).await?;
    for batch in &batches {
        enqueue(
            &tx,
            act.ids,
            act.now,
            scope.corp,
            &Remind { batch: *batch },
            act.now,
        )
        .await?;
    }
    note(
        &tx,
        act,
        scope,
        "campaign.remind",
        id,
        json!({ "batches": batches.len() }),
    )
    .await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(batches.len())
}
