//! Follows a part on the platform: from job to task, who published, who sees it, who liked and commented.

use std::collections::HashSet;

use super::jobs::Follow;
use super::post::{self, JOB_PAUSE_MS};
use super::reconcile;
use super::store::{self, Part, Task};
use crate::app::App;
use crate::campaigns;
use crate::db::Tx;
use crate::directory;
use crate::error::{Advice, Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, MomentId, UserId};
use crate::job::enqueue;
use crate::queue::Lane;
use crate::scope::{Act, Actor};
use crate::tally::{self, Code, Tally};
use crate::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::timeline::{self, Entry, News};
use crate::wecom::moment::{Interactions, MomentJob};
use crate::wecom::{Client, Walk};

/// How long a moment is followed; whoever has not published by then is stopped.
pub(super) const FOLLOW_MS: i64 = 3 * DAY_MS;
/// The platform forgets a job after so long. path/95094 (read 2026-11-22).
const JOB_LIFE_MS: i64 = DAY_MS;
/// Published posts that one run reads, and how often each at most.
const PER_RUN: i64 = 100;
const READ_PAUSE_MS: i64 = MINUTE_MS;

/// Looks at one part, writes down what is new, and comes back.
pub async fn follow(app: &App, corp: CorpId, id: MomentId, n: i64) -> Result<()> {
    let part = match store::find_part(&app.db, corp, id, n).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    match (part.state.as_str(), &part.jobid, &part.platform_id) {
        ("creating", Some(jobid), _) => {
            let job = platform.moment_job(jobid).await;
            let tx = app.db.begin().await?;
            let again = record_answer(&tx, &app.act(Actor::System), corp, &part, job).await?;
            tx.commit().await?;
            again.map_or(Ok(()), Err)
        }
        ("created", _, Some(platform_id)) => {
            // A look that failed does not end the following.
            if let Err(error) = look(app, &platform, corp, &part, platform_id).await {
                tracing::warn!(moment.id = %id, %error, "a moment could not be looked at");
            }
            let tx = app.db.begin().await?;
            come_back(&tx, &app.act(Actor::System), corp, &part).await?;
            tx.commit().await
        }
        _ => Ok(()),
    }
}

/// Writes down what the platform said of its job. Answers the error that asks for another try.
///
/// A job that cannot be asked for any more does not say that nothing was made: the list does.
pub async fn record_answer(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    part: &Part,
    answer: Result<MomentJob>,
) -> Result<Option<Error>> {
    let is_forgotten = part
        .call_started_at
        .is_some_and(|at| act.now.0 - at.0 > JOB_LIFE_MS);
    match answer {
        Ok(job) => record_job(tx, act, corp, part, job).await.map(|()| None),
        Err(Error::Platform(fault)) if is_forgotten || !matches!(fault.advice, Advice::Retry { .. }) => {
            tracing::warn!(moment.id = %part.moment_id, error = fault.message, "a job is not known any more");
            reconcile::mark_unknown(tx, act, corp, part, reconcile::LAST)
                .await
                .map(|()| None)
        }
        Err(error) => Ok(Some(error)),
    }
}

/// Writes down how far the platform's job has come.
pub async fn record_job(tx: &Tx, act: &Act<'_>, corp: CorpId, part: &Part, job: MomentJob) -> Result<()> {
    match job {
        MomentJob::Running => {
            let since = part.call_started_at.unwrap_or(act.now);
            if act.now.0 - since.0 > JOB_LIFE_MS {
                return post::fail(tx, corp, part, "job_unfinished").await;
            }
            let due = act.now.plus_ms(JOB_PAUSE_MS);
            let job = Follow {
                moment: part.moment_id,
                n: part.n,
            };
            enqueue(tx, act.ids, act.now, corp, &job, due).await?;
            Ok(())
        }
        MomentJob::Failed { code, message } => {
            post::fail(tx, corp, part, &format!("{code}: {message}")).await
        }
        MomentJob::Done {
            moment_id,
            invalid_senders,
        } => record_created(tx, act, corp, part, &moment_id, &invalid_senders).await,
    }
}

/// The platform's task is there: its senders have something to do.
pub(super) async fn record_created(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    part: &Part,
    platform_id: &str,
    invalid: &[UserId],
) -> Result<()> {
    if !store::set_created(tx, corp, part, platform_id, act.now).await? {
        return Ok(());
    }
    let invalid: Vec<AssociateId> = store::senders_of(tx, corp, part)
        .await?
        .into_iter()
        .filter(|sender| invalid.iter().any(|userid| userid.folded() == sender.userid))
        .map(|sender| sender.associate_id)
        .collect();
    store::move_tasks(tx, corp, part, "planned", "failed", Some(&invalid)).await?;
    let tasked = store::move_tasks(tx, corp, part, "planned", "tasked", None).await?;
    let ids: Vec<AssociateId> = tasked.iter().map(|task| task.associate_id).collect();
    store::set_due(tx, corp, part, &ids, act.now).await?;
    tally::add(tx, corp, &tallies(part, &tasked, act.now, Code::MomentsDue)).await?;
    store::settle(tx, corp, part.moment_id).await?;
    let next = Follow {
        moment: part.moment_id,
        n: part.n,
    };
    enqueue(tx, act.ids, act.now, corp, &next, act.now.plus_ms(JOB_PAUSE_MS)).await?;
    if part.moment_state == "cancelled" {
        let stop = super::jobs::Stop {
            moment: part.moment_id,
            n: part.n,
        };
        enqueue(tx, act.ids, act.now, corp, &stop, act.now).await?;
    }
    Ok(())
}

fn tallies(part: &Part, tasks: &[Task], at: Timestamp, code: Code) -> Vec<Tally> {
    let day = at.day(part.tz());
    tasks
        .iter()
        .map(|task| Tally {
            store: task.store_id,
            associate: Some(task.associate_id),
            day,
            code,
            value: 1,
        })
        .collect()
}

async fn look(app: &App, platform: &Client, corp: CorpId, part: &Part, platform_id: &str) -> Result<()> {
    let published = members(platform, platform_id).await?;
    let tx = app.db.begin().await?;
    record_published(&tx, &app.act(Actor::System), corp, part, &published).await?;
    tx.commit().await?;
    let before = app.now().plus_ms(-READ_PAUSE_MS);
    for task in store::tasks_to_read(&app.db, corp, part, before, PER_RUN).await? {
        match read(app, platform, corp, part, platform_id, &task).await {
            // The platform is busy; the rest is read next time.
            Err(Error::Platform(fault)) if matches!(fault.advice, Advice::Retry { .. }) => {
                return Err(Error::Platform(fault));
            }
            // One member's trouble is their own.
            Err(error) => {
                tracing::warn!(moment.id = %part.moment_id, associate.id = %task.associate_id, %error, "a post could not be read");
                let tx = app.db.begin().await?;
                store::pass_over(&tx, corp, part.moment_id, task.associate_id, app.now()).await?;
                tx.commit().await?;
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Reads one member's post: who sees it, who liked and commented.
async fn read(
    app: &App,
    platform: &Client,
    corp: CorpId,
    part: &Part,
    platform_id: &str,
    task: &Task,
) -> Result<()> {
    let visible = visible(platform, platform_id, &task.userid).await?;
    let interactions = platform.moment_interactions(platform_id, &task.userid).await?;
    let tx = app.db.begin().await?;
    let act = app.act(Actor::System);
    record_read(&tx, &act, corp, part, task, visible, &interactions).await?;
    tx.commit().await
}

/// Of members who may post one moment.
const MOST_PAGES: u64 = 1_000;

/// Who has published, folded.
async fn members(platform: &Client, platform_id: &str) -> Result<Vec<UserId>> {
    let mut published = Vec::new();
    let mut walk = Walk::new().at_most(MOST_PAGES);
    loop {
        let page = platform.moment_members(platform_id, walk.cursor()).await?;
        let done = page.items.into_iter().filter(|member| member.published);
        published.extend(done.map(|member| member.userid.folded()));
        if !walk.go_on(page.next)? {
            return Ok(published);
        }
    }
}

async fn visible(platform: &Client, platform_id: &str, userid: &UserId) -> Result<i64> {
    let mut count = 0;
    let mut walk = Walk::new();
    loop {
        let page = platform
            .moment_visible(platform_id, userid, walk.cursor())
            .await?;
        count += page.items.len() as i64;
        if !walk.go_on(page.next)? {
            return Ok(count);
        }
    }
}

/// Writes down who has published. The platform does not say when: it is when we saw it.
pub async fn record_published(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    part: &Part,
    published: &[UserId],
) -> Result<()> {
    let done: Vec<AssociateId> = store::senders_of(tx, corp, part)
        .await?
        .into_iter()
        .filter(|sender| published.contains(&sender.userid))
        .map(|sender| sender.associate_id)
        .collect();
    let mut tasks = store::move_tasks(tx, corp, part, "tasked", "published", Some(&done)).await?;
    // Stopped too late: it is out all the same.
    let late = store::stopped(tx, corp, part, &done).await?;
    tasks.extend(store::move_tasks(tx, corp, part, "cancelled", "published", Some(&late)).await?);
    if tasks.is_empty() {
        return Ok(());
    }
    let ids: Vec<AssociateId> = tasks.iter().map(|task| task.associate_id).collect();
    store::set_published(tx, corp, part, &ids, act.now).await?;
    let due_at = part.created_at.unwrap_or(act.now);
    tally::add(tx, corp, &tallies(part, &tasks, due_at, Code::MomentsPublished)).await
}

/// Writes down who sees a published post, and what they did. Reading the same again changes nothing.
pub async fn record_read(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    part: &Part,
    task: &Task,
    visible: i64,
    interactions: &Interactions,
) -> Result<()> {
    store::set_read(tx, corp, part.moment_id, task.associate_id, visible, act.now).await?;
    let known: HashSet<(ContactId, String, Timestamp)> =
        store::interactions(tx, corp, part.moment_id, task.associate_id).await?;
    let likes = interactions.likes.iter().map(|(who, at)| (who, "like", *at));
    let comments = interactions
        .comments
        .iter()
        .map(|(who, at)| (who, "comment", *at));
    let named: Vec<_> = likes.chain(comments).collect();
    let contacts = store::contacts_named(tx, corp, named.iter().map(|(who, ..)| *who)).await?;
    let mut fresh: Vec<(ContactId, &str, Timestamp)> = named
        .into_iter()
        .filter_map(|(who, kind, at)| Some((*contacts.get(who)?, kind, at)))
        .filter(|(contact, kind, at)| !known.contains(&(*contact, (*kind).to_owned(), *at)))
        .collect();
    fresh.sort_unstable();
    fresh.dedup();
    store::add_interactions(tx, corp, part.moment_id, task.associate_id, &fresh).await?;
    let news = fresh.into_iter().map(|(contact, kind, at)| News {
        contact,
        associate: Some(task.associate_id),
        store: task.store_id,
        at,
        entry: match kind {
            "like" => Entry::Liked {
                moment_id: part.moment_id,
            },
            _ => Entry::Commented {
                moment_id: part.moment_id,
            },
        },
    });
    timeline::append(tx, act, corp, part.tz(), news.collect()).await
}

/// Sets the next look; after three days the last one was it.
pub async fn come_back(tx: &Tx, act: &Act<'_>, corp: CorpId, part: &Part) -> Result<()> {
    let since = part.created_at.unwrap_or(act.now);
    let (moment, n) = (part.moment_id, part.n);
    if act.now.0 - since.0 < FOLLOW_MS {
        let due = campaigns::next_look(since, act.now);
        enqueue(tx, act.ids, act.now, corp, &Follow { moment, n }, due).await?;
        return Ok(());
    }
    let closed = store::close_tasks(tx, corp, moment, Some(n), "cancelled").await?;
    if closed > 0 {
        enqueue(
            tx,
            act.ids,
            act.now,
            corp,
            &super::jobs::Stop { moment, n },
            act.now,
        )
        .await?;
    }
    Ok(())
}

/// Stops members who have not published.
pub async fn stop(app: &App, corp: CorpId, id: MomentId, n: i64) -> Result<()> {
    let part = match store::find_part(&app.db, corp, id, n).await {
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    let Some(platform_id) = &part.platform_id else {
        return Ok(());
    };
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    match platform.cancel_moment(platform_id).await {
        Err(Error::Platform(fault)) if !matches!(fault.advice, Advice::Retry { .. }) => {
            tracing::warn!(moment.id = %id, error = fault.message, "a moment could not be stopped");
            Ok(())
        }
        stopped => stopped,
    }
}
