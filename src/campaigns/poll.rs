//! Asks the platform who confirmed and who got it: nobody tells us. Ends what is over.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use super::deliver::fail;
use super::jobs::{HandOver, Poll, Reconcile};
use super::plan::QUOTA_USED;
use super::quota::Window;
use super::schedule::{line_up, release, stop_handed};
use super::store::{self, Batch};
use super::{Campaign, CampaignState, DeliveryState, reconcile};
use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::{Advice, Error, Result};
use crate::ids::{BatchId, CampaignId, ContactId, CorpId};
use crate::job::{Open, enqueue};
use crate::queue::Lane;
use crate::scope::{Act, Actor, Scope};
use crate::tally::{self, Code, Tally};
use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::timeline::{self, Entry, News};
use crate::wecom::broadcast::{CustomerResult, MemberStatus, ResultStatus};
use crate::wecom::{Client, Walk};

/// How long after handing over, and how often a batch is then looked at. Most associates answer at once or tonight.
const PACE: [(i64, i64); 4] = [
    (5 * MINUTE_MS, 15 * SECOND_MS),
    (30 * MINUTE_MS, MINUTE_MS),
    (2 * HOUR_MS, 5 * MINUTE_MS),
    (8 * HOUR_MS, 15 * MINUTE_MS),
];
const SLOWEST_MS: i64 = HOUR_MS;
/// Batches that one run looks at, and at once.
const PER_RUN: i64 = 200;
const AT_ONCE: usize = 8;
/// A call that took longer than this has no worker any more.
const STALE_CALL_MS: i64 = 2 * MINUTE_MS;
/// A look-up that did not come to an end in this time is started anew.
const STALE_UNKNOWN_MS: i64 = HOUR_MS;

/// When a batch is looked at next.
pub fn next_look(handed_at: Timestamp, now: Timestamp) -> Timestamp {
    let age = now.0 - handed_at.0;
    let pause = PACE
        .iter()
        .find(|(until, _)| age < *until)
        .map_or(SLOWEST_MS, |(_, pause)| *pause);
    now.plus_ms(pause)
}

/// Looks at the batches of a campaign that are due, ends what is past its deadline, and comes back.
pub async fn poll(app: &App, corp: CorpId, id: CampaignId) -> Result<()> {
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    let due = store::batches_to_poll(&app.db, corp, id, app.now(), PER_RUN).await?;
    futures_util::stream::iter(due)
        .for_each_concurrent(AT_ONCE, |batch| {
            let platform = &platform;
            async move {
                // One batch's trouble is its own; it is looked at again later.
                if let Err(error) = look(app, platform, corp, &batch).await {
                    tracing::warn!(batch.id = %batch.id, %error, "a batch could not be looked at");
                    postpone(app, corp, &batch).await;
                }
            }
        })
        .await;
    let tx = app.db.begin().await?;
    sweep(&tx, &app.act(Actor::System), corp, id).await?;
    tx.commit().await
}

async fn look(app: &App, platform: &Client, corp: CorpId, batch: &Batch) -> Result<()> {
    let seen = read(platform, batch).await?;
    let tx = app.db.begin().await?;
    record_seen(&tx, &app.act(Actor::System), corp, batch, &seen).await?;
    tx.commit().await
}

async fn postpone(app: &App, corp: CorpId, batch: &Batch) {
    let later = async {
        let tx = app.db.begin().await?;
        let now = app.now();
        let next = next_look(batch.handed_at.unwrap_or(now), now).max(now.plus_ms(MINUTE_MS));
        store::poll_next(&tx, corp, batch.id, now, Some(next)).await?;
        tx.commit().await
    };
    if let Err(error) = later.await {
        tracing::error!(batch.id = %batch.id, %error, "a batch could not be put off");
    }
}

/// What the platform shows of a batch.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When the associate pressed send; `None`: not yet.
    pub confirmed_at: Option<Timestamp>,
    pub results: Vec<CustomerResult>,
}

/// Of one sender's results, 1,000 to a page if the platform fills them: a sender has at most 20,000 customers.
const MOST_PAGES: u64 = 1_000;

async fn read(platform: &Client, batch: &Batch) -> Result<Seen> {
    let Some(msgid) = batch.msgid.as_deref() else {
        return Ok(Seen::default());
    };
    let Some(member) = member(platform, msgid, batch).await?.filter(|member| member.sent) else {
        return Ok(Seen::default());
    };
    let mut seen = Seen {
        confirmed_at: member.send_time.or(batch.confirmed_at).or(batch.handed_at),
        results: Vec::new(),
    };
    let mut walk = Walk::new().at_most(MOST_PAGES);
    loop {
        let page = platform
            .broadcast_results(msgid, &batch.userid, walk.cursor())
            .await?;
        seen.results.extend(page.items);
        if !walk.go_on(page.next)? {
            return Ok(seen);
        }
    }
}

async fn member(platform: &Client, msgid: &str, batch: &Batch) -> Result<Option<MemberStatus>> {
    let mut walk = Walk::new();
    loop {
        let page = platform.broadcast_members(msgid, walk.cursor()).await?;
        let mut members = page.items.into_iter();
        if let Some(member) = members.find(|member| member.userid.folded() == batch.userid.folded()) {
            return Ok(Some(member));
        }
        if !walk.go_on(page.next)? {
            return Ok(None);
        }
    }
}

/// Writes down what was seen of a batch. Seeing the same again changes nothing.
pub async fn record_seen(tx: &Tx, act: &Act<'_>, corp: CorpId, batch: &Batch, seen: &Seen) -> Result<()> {
    if let Some(confirmed_at) = seen.confirmed_at {
        confirm(tx, corp, batch, confirmed_at).await?;
        let mut confirmed = batch.clone();
        confirmed.confirmed_at.get_or_insert(confirmed_at);
        record_results(tx, act, corp, &confirmed, &seen.results).await?;
    }
    watch(tx, act, corp, batch).await?;
    store::settle(tx, act, corp, batch.campaign_id).await
}

/// Sets when a batch is looked at next, if anybody in it still waits.
pub(super) async fn watch(tx: &Tx, act: &Act<'_>, corp: CorpId, batch: &Batch) -> Result<()> {
    let waits = store::is_anybody_tasked(tx, corp, batch.id).await?;
    let next = waits.then(|| next_look(batch.handed_at.unwrap_or(act.now), act.now));
    store::poll_next(tx, corp, batch.id, act.now, next).await
}

async fn confirm(tx: &Tx, corp: CorpId, batch: &Batch, at: Timestamp) -> Result<()> {
    if !store::confirm(tx, corp, batch.id, at).await? {
        return Ok(());
    }
    let confirmed = Tally {
        store: batch.store_id,
        associate: Some(batch.associate_id),
        day: batch.handed_at.unwrap_or(at).day(batch.tz()),
        code: Code::BatchesConfirmed,
        value: 1,
    };
    tally::add(tx, corp, &[confirmed]).await
}

async fn record_results(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    results: &[CustomerResult],
) -> Result<()> {
    let waiting = store::tasked(tx, corp, batch).await?;
    let mut sent: BTreeMap<Timestamp, Vec<ContactId>> = BTreeMap::new();
    let mut failed: BTreeMap<&str, Vec<ContactId>> = BTreeMap::new();
    for result in results {
        let Some(contact) = waiting.get(&result.external_userid) else {
            continue;
        };
        match result.status {
            ResultStatus::Sent => sent
                .entry(result.send_time.unwrap_or(act.now))
                .or_default()
                .push(*contact),
            ResultStatus::NotFriend => failed.entry("not_friend").or_default().push(*contact),
            ResultStatus::QuotaUsed => failed.entry(QUOTA_USED).or_default().push(*contact),
            ResultStatus::NotSent | ResultStatus::Unknown(_) => {}
        }
    }
    for (at, contacts) in sent {
        record_sent(tx, act, corp, batch, at, &contacts).await?;
    }
    for (reason, contacts) in failed {
        fail(tx, act, corp, batch, &[DeliveryState::Tasked], &contacts, reason).await?;
        if reason == QUOTA_USED {
            // The platform counts what associates send on their own; now we know as well.
            store::use_up(tx, corp, &Window::at(batch.quota_mode(), act.now), &contacts).await?;
        }
    }
    Ok(())
}

async fn record_sent(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    batch: &Batch,
    at: Timestamp,
    contacts: &[ContactId],
) -> Result<()> {
    let reached = store::set_sent(tx, corp, batch, contacts, at, act.now).await?;
    let delivered = Tally {
        store: batch.store_id,
        associate: Some(batch.associate_id),
        day: at.day(batch.tz()),
        code: Code::Delivered,
        value: reached.len() as i64,
    };
    tally::add(tx, corp, &[delivered]).await?;
    let news = reached.into_iter().map(|contact| News {
        contact,
        associate: Some(batch.associate_id),
        store: batch.store_id,
        at,
        entry: Entry::Sent {
            campaign_id: batch.campaign_id,
            name: batch.campaign_name.clone(),
        },
    });
    timeline::append(tx, act, corp, batch.tz(), news.collect()).await
}

/// Moves what time alone moves: calls whose worker is gone, plans and tasks past the deadline. Then comes back.
pub async fn sweep(tx: &Tx, act: &Act<'_>, corp: CorpId, id: CampaignId) -> Result<()> {
    // Nobody claims a batch while it is judged whose time is over.
    store::hold(tx, corp, id, &CampaignState::ALL).await?;
    let campaign = match store::find(tx, &Scope::whole(corp), id).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    for batch in store::stale(tx, corp, id, "calling", act.now.plus_ms(-STALE_CALL_MS)).await? {
        let batch = store::find_batch(tx, corp, batch).await?;
        reconcile::mark_unknown(tx, act, corp, &batch).await?;
    }
    for batch in store::stale(tx, corp, id, "unknown", act.now.plus_ms(-STALE_UNKNOWN_MS)).await? {
        let last = Reconcile {
            batch,
            round: reconcile::WAITS_MS.len() - 1,
        };
        enqueue(tx, act.ids, act.now, corp, &last, act.now).await?;
    }
    let is_live = matches!(campaign.state, CampaignState::Running | CampaignState::Paused);
    let is_over = is_live && campaign.ends_at.is_some_and(|end| end <= act.now);
    if is_over {
        release(tx, act, corp, id, DeliveryState::Expired, "not_handed").await?;
    }
    if campaign.state == CampaignState::Running && !is_over {
        put_back(tx, act, corp, &campaign).await?;
    }
    if is_over || campaign.state == CampaignState::Cancelled {
        stop_handed(tx, act, corp, id).await?;
    }
    store::settle(tx, act, corp, id).await?;
    come_back(tx, act, corp, id, if is_over { None } else { campaign.ends_at }).await
}

/// Batches whose job was set aside, after a longer outage, get another.
async fn put_back(tx: &Tx, act: &Act<'_>, corp: CorpId, campaign: &Campaign) -> Result<()> {
    let planned = store::batches_in(tx, corp, campaign.id, "state = 'planned'").await?;
    if planned.is_empty() {
        return Ok(());
    }
    let open: Open<HandOver> = Open::read(tx, corp).await?;
    for batch in planned {
        if !open.has(&HandOver { batch }) {
            line_up(tx, act, corp, campaign.priority, batch).await?;
        }
    }
    Ok(())
}

async fn come_back(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: CampaignId,
    deadline: Option<Timestamp>,
) -> Result<()> {
    let Some(open) = store::open_batches(tx, corp, id).await? else {
        return Ok(());
    };
    // What is under way has no look of its own; a minute is soon enough to find it stuck.
    let mut due = open.next_look.unwrap_or(act.now.plus_ms(MINUTE_MS));
    if open.is_any_under_way {
        due = due.min(act.now.plus_ms(MINUTE_MS));
    }
    due = due.min(deadline.unwrap_or(due)).max(act.now.plus_ms(SECOND_MS));
    enqueue(tx, act.ids, act.now, corp, &Poll { campaign: id }, due).await?;
    Ok(())
}

/// Ends a handed batch: stops the platform's task, takes in what was sent until then, and closes the rest.
pub async fn stop(app: &App, corp: CorpId, id: BatchId) -> Result<()> {
    let batch = match store::find_batch(&app.db, corp, id).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    if batch.state != "handed" || batch.next_poll_at.is_none() {
        return Ok(());
    }
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    if let Some(msgid) = &batch.msgid {
        tolerate(&batch, platform.cancel_broadcast(msgid).await)?;
    }
    let seen = tolerate(&batch, read(&platform, &batch).await)?.unwrap_or_default();
    let tx = app.db.begin().await?;
    let act = app.act(Actor::System);
    record_seen(&tx, &act, corp, &batch, &seen).await?;
    close(&tx, &act, corp, &batch).await?;
    tx.commit().await
}

/// What a call on a task that ends came to; a refusal no other try would change is as good as nothing.
fn tolerate<T>(batch: &Batch, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Err(Error::Platform(fault)) if !matches!(fault.advice, Advice::Retry { .. }) => {
            tracing::warn!(batch.id = %batch.id, error = fault.message, "a task could not be stopped or read");
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

/// Who did not get it by now will not.
pub async fn close(tx: &Tx, act: &Act<'_>, corp: CorpId, batch: &Batch) -> Result<()> {
    let (state, reason) = if batch.campaign_is(CampaignState::Cancelled) {
        (DeliveryState::Cancelled, "cancelled")
    } else {
        (DeliveryState::Expired, "not_confirmed")
    };
    let tasked = store::deliveries_of(corp, batch, &[DeliveryState::Tasked]);
    let freed = store::move_deliveries(tx, tasked, state, Some(reason), act.now).await?;
    store::give_back(tx, corp, batch.quota_window.as_deref(), &freed).await?;
    store::poll_next(tx, corp, batch.id, act.now, None).await?;
    store::settle(tx, act, corp, batch.campaign_id).await
}

/// Pings an associate who has not confirmed.
pub async fn remind_sender(app: &App, corp: CorpId, id: BatchId) -> Result<()> {
    let batch = match store::find_batch(&app.db, corp, id).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    let waits = batch.state == "handed" && batch.confirmed_at.is_none() && batch.next_poll_at.is_some();
    let (Some(msgid), true) = (&batch.msgid, waits) else {
        return Ok(());
    };
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    match platform.remind_broadcast(msgid).await {
        // A reminder more or less is not worth another try.
        Err(Error::Platform(fault)) => {
            tracing::info!(batch.id = %batch.id, error = fault.message, "an associate was not reminded");
            Ok(())
        }
        reminded => reminded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rarer() {
        let handed = Timestamp(0);
        for (age, pause) in [
            (0, 15 * SECOND_MS),
            (5 * MINUTE_MS - 1, 15 * SECOND_MS),
            (5 * MINUTE_MS, MINUTE_MS),
            (HOUR_MS, 5 * MINUTE_MS),
            (3 * HOUR_MS, 15 * MINUTE_MS),
            (30 * HOUR_MS, HOUR_MS),
        ] {
            assert_eq!(next_look(handed, Timestamp(age)), Timestamp(age + pause), "{age}");
        }
    }
}
