//! The runner: claims what is due, works on a few at once, renews leases, decides after an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{inbox, registry, schedule};
use crate::app::App;
use crate::error::{Advice, Error, Result};
use crate::ids::CorpId;
use crate::queue::{self, Job, Lane};
use crate::time::{SECOND_MS, Timestamp};

/// Jobs under way at once in this process.
const AT_ONCE: usize = 4;
/// Of them sweeps.
const SWEEPS: usize = 1;
/// A third of the lease: two renewals may fail before it is lost.
const RENEW: Duration = Duration::from_secs(20);
/// How often jobs of vanished workers are looked for, and the clock's jobs written.
const TICK: Duration = Duration::from_secs(30);
/// How long a stop waits for what is under way; the rest goes on elsewhere when its lease ends.
const DRAIN: Duration = Duration::from_secs(15);
/// Longest sleep: a bell may be lost, a job may not.
const NAP: Duration = Duration::from_secs(1);
const SHORT_NAP: Duration = Duration::from_millis(100);
const MAX_PAUSE_S: i64 = 300;
/// Waits that the platform asks for; they are no failed tries.
const WAITS: [i64; 3] = [45009, 45033, 84061];

/// Reads callbacks and runs jobs until `stop` is cancelled, then lets those under way end.
pub async fn run(app: App, stop: CancellationToken) {
    tokio::join!(read_callbacks(&app, &stop), run_jobs(&app, &stop));
}

/// Beside the jobs, so that no long one is waited for: an associate who left is to be shut out now.
async fn read_callbacks(app: &App, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        // A bell that rings while we look is not missed.
        let rung = app.cache.wait(NAP);
        let is_more = match inbox::read_new(app).await {
            Ok(read) => read == inbox::TOGETHER,
            Err(error) => {
                tracing::error!(%error, "callbacks could not be read");
                false
            }
        };
        if !is_more {
            tokio::select! {
                () = stop.cancelled() => {}
                () = rung => {}
            }
        }
    }
}

async fn run_jobs(app: &App, stop: &CancellationToken) {
    let mut working: JoinSet<()> = JoinSet::new();
    let sweeping = Arc::new(Semaphore::new(SWEEPS));
    let mut looked: Option<Instant> = None;
    while !stop.is_cancelled() {
        if looked.is_none_or(|at| at.elapsed() >= TICK) {
            look_after(app).await;
            looked = Some(Instant::now());
        }
        // A claim is never broken off: what it took would lie until its lease runs out.
        let wait = fill(app, &mut working, &sweeping).await;
        tokio::select! {
            () = stop.cancelled() => {}
            () = rest(app, wait, &mut working) => {}
        }
    }
    let drained = tokio::time::timeout(DRAIN, async { while working.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(
            jobs = working.len(),
            "stopped with jobs under way; their leases run out"
        );
    }
}

async fn look_after(app: &App) {
    match queue::reap(&app.db).await {
        Ok(0) => {}
        Ok(returned) => tracing::warn!(jobs = returned, "put jobs of a vanished worker back in line"),
        Err(error) => tracing::error!(%error, "jobs of vanished workers could not be put back"),
    }
    if let Err(error) = schedule::plan(app).await {
        tracing::error!(%error, "the clock's jobs could not be written");
    }
}

/// What to wait for before the next claim.
enum Wait {
    No,
    ForRoom,
    ForWork(Duration),
}

/// Claims as many as there is room for. The last place is kept for what the platform and its customers wait for, and
/// of the others sweeps get one: they take long, and several would leave nothing to campaigns.
async fn fill(app: &App, working: &mut JoinSet<()>, sweeping: &Arc<Semaphore>) -> Wait {
    while working.try_join_next().is_some() {}
    let room = AT_ONCE.saturating_sub(working.len());
    let (places, last) = match room {
        0 => return Wait::ForRoom,
        1 => (1, Lane::Callback),
        _ => (room - 1, Lane::Campaign),
    };
    let claimed = match claim(app, places, last, sweeping).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::error!(%error, "no jobs could be claimed");
            return Wait::ForWork(NAP);
        }
    };
    if claimed.is_empty() {
        let last = match sweeping.available_permits() {
            0 => Lane::Campaign,
            _ => Lane::Sweep,
        };
        return Wait::ForWork(if room == 1 {
            SHORT_NAP
        } else {
            nap(app, last).await
        });
    }
    for (job, turn) in claimed {
        let app = app.clone();
        working.spawn(async move {
            hold(&app, job).await;
            drop(turn);
        });
    }
    Wait::No
}

/// A sweep's turn; other jobs need none.
type Turn = Option<OwnedSemaphorePermit>;

/// Jobs of lanes up to `last`; where that is [`Lane::Campaign`] and places are left, one more of any lane if no sweep
/// is under way.
async fn claim(app: &App, places: usize, last: Lane, sweeping: &Arc<Semaphore>) -> Result<Vec<(Job, Turn)>> {
    let claimed = queue::claim_up_to(&app.db, app.now(), places as i64, last).await?;
    let mut jobs: Vec<(Job, Turn)> = claimed.into_iter().map(|job| (job, None)).collect();
    if last == Lane::Campaign
        && jobs.len() < places
        && let Ok(turn) = sweeping.clone().try_acquire_owned()
    {
        let more = queue::claim_up_to(&app.db, app.now(), 1, Lane::Sweep).await;
        let more = more.unwrap_or_else(|error| {
            // What is claimed already is worked on all the same.
            tracing::error!(%error, "no sweep could be claimed");
            Vec::new()
        });
        jobs.extend(more.into_iter().next().map(|job| {
            let turn = job.is_sweep().then_some(turn);
            (job, turn)
        }));
    }
    Ok(jobs)
}

async fn rest(app: &App, wait: Wait, working: &mut JoinSet<()>) {
    match wait {
        Wait::No => {}
        Wait::ForRoom => {
            working.join_next().await;
        }
        Wait::ForWork(at_most) if working.is_empty() => app.cache.wait(at_most).await,
        Wait::ForWork(at_most) => tokio::select! {
            () = app.cache.wait(at_most) => {}
            _ = working.join_next() => {}
        },
    }
}

async fn nap(app: &App, last: Lane) -> Duration {
    match queue::next_due(&app.db, last).await {
        Ok(Some(due)) => {
            Duration::from_millis((due.0 - app.now().0).clamp(10, NAP.as_millis() as i64) as u64)
        }
        _ => NAP,
    }
}

/// Works on a job and renews its lease; a lost lease ends the work.
async fn hold(app: &App, job: Job) {
    let work = work(app, &job);
    tokio::pin!(work);
    let mut renew = tokio::time::interval(RENEW);
    renew.tick().await;
    loop {
        tokio::select! {
            () = &mut work => return,
            _ = renew.tick() => match queue::renew(&app.db, &job).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(job.id = %job.id, job.kind, "the lease was lost; somebody else goes on");
                    return;
                }
                Err(error) => tracing::error!(%error, job.id = %job.id, "the lease could not be renewed"),
            },
        }
    }
}

async fn work(app: &App, job: &Job) {
    let began = Instant::now();
    let outcome = attempt(app, job).await;
    let duration_ms = began.elapsed().as_millis() as u64;
    match &outcome {
        Ok(()) => tracing::debug!(job.id = %job.id, job.kind, duration_ms, "job done"),
        Err(error) => tracing::warn!(
            job.id = %job.id, job.kind, job.attempts, duration_ms, %error, "job failed"
        ),
    }
    if let Err(error) = record(app, job, outcome).await {
        tracing::error!(%error, job.id = %job.id, job.kind, "the outcome of a job could not be recorded");
    }
}

async fn attempt(app: &App, job: &Job) -> Result<()> {
    let (app, job) = (app.clone(), job.clone());
    in_a_task(async move { registry::run(&app, &job).await }).await
}

/// In a task of its own, so that a panic is a failure like any other; it ends with the caller.
pub(super) async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => Err(Error::internal(format!("the work broke off: {error}"))),
        None => Err(Error::internal("the work was not started")),
    }
}

async fn record(app: &App, job: &Job, outcome: Result<()>) -> Result<()> {
    let Err(error) = outcome else {
        return queue::finish(&app.db, job).await;
    };
    match verdict(&error, job.attempts) {
        Verdict::GiveUp => queue::give_up(&app.db, job, &error.to_string()).await,
        Verdict::Retry { after_ms, counts } => {
            let run_at = app.now().plus_ms(after_ms + jitter(after_ms));
            queue::retry(&app.db, job, run_at, &error.to_string(), counts).await
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Retry { after_ms: i64, counts: bool },
    GiveUp,
}

/// What becomes of a job after an error: the platform's advice where there is one, else growing pauses.
fn verdict(error: &Error, attempt: i64) -> Verdict {
    match error {
        Error::Platform(fault) => match fault.advice {
            Advice::Retry { after_ms } => {
                let is_wait = fault.code.is_some_and(|code| WAITS.contains(&code));
                // A platform that is away gets the longer of its own pause and ours.
                let pause = if is_wait { 0 } else { pause_ms(attempt) };
                Verdict::Retry {
                    after_ms: after_ms.max(pause).max(SECOND_MS),
                    counts: !is_wait,
                }
            }
            Advice::Unknown => Verdict::Retry {
                after_ms: pause_ms(attempt),
                counts: true,
            },
            Advice::Drop | Advice::TellAdmin | Advice::Bug => Verdict::GiveUp,
        },
        Error::TooMany { retry_after_s } | Error::Busy { retry_after_s } => Verdict::Retry {
            after_ms: (*retry_after_s as i64).max(1) * SECOND_MS,
            counts: false,
        },
        _ => Verdict::Retry {
            after_ms: pause_ms(attempt),
            counts: true,
        },
    }
}

fn pause_ms(attempt: i64) -> i64 {
    let doubled = 1i64 << attempt.clamp(0, 16);
    doubled.min(MAX_PAUSE_S) * SECOND_MS
}

/// Up to a fifth more, so that what failed together does not come back together.
fn jitter(pause_ms: i64) -> i64 {
    rand::random_range(0..=pause_ms / 5)
}

/// Reads what came and runs everything that is due, one after another, until nothing is; answers how many. The clock
/// stands meanwhile as far as it concerns what is due, so a job that asks to come back later stays.
pub async fn settle(app: &App) -> usize {
    let until: Timestamp = app.now();
    let mut done = 0;
    loop {
        done += read_all(app).await;
        let claimed = match queue::claim(&app.db, until, 1).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, "no jobs could be claimed");
                return done;
            }
        };
        let Some(job) = claimed.into_iter().next() else {
            return done;
        };
        work(app, &job).await;
        done += 1;
    }
}

/// Reads callbacks until none is left.
async fn read_all(app: &App) -> usize {
    let mut read = 0;
    loop {
        match inbox::read_new(app).await {
            Ok(0) => return read,
            Ok(more) => read += more,
            Err(error) => {
                tracing::error!(%error, "callbacks could not be read");
                return read;
            }
        }
    }
}

/// Jobs that one round of [`settle_corps`] takes.
const A_ROUND: i64 = 1_000;

/// The same with corps side by side, the jobs of each one after another: for many small corps.
pub async fn settle_corps(app: &App) -> usize {
    let until = app.now();
    let mut done = 0;
    loop {
        done += read_all(app).await;
        let claimed = match queue::claim(&app.db, until, A_ROUND).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, "no jobs could be claimed");
                return done;
            }
        };
        if claimed.is_empty() {
            return done;
        }
        done += claimed.len();
        let mut corps: BTreeMap<CorpId, Vec<Job>> = BTreeMap::new();
        for job in claimed {
            corps.entry(job.corp_id).or_default().push(job);
        }
        let each = corps.into_values().map(|jobs| async move {
            for job in jobs {
                work(app, &job).await;
            }
        });
        futures_util::future::join_all(each).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::PlatformFault;

    fn fault(code: Option<i64>, advice: Advice) -> Error {
        Error::Platform(PlatformFault {
            code,
            message: String::new(),
            advice,
        })
    }

    async fn due(app: &App, lane: Lane) {
        let tx = app.db.begin().await.unwrap();
        let job = queue::NewJob {
            corp: crate::ids::CorpId(1),
            kind: "test.job",
            payload: "{}".into(),
            lane,
            run_at: app.now(),
            unique_key: None,
        };
        queue::enqueue(&tx, &app.ids, app.now(), job).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn sweeps_leave_places_to_everything_else() {
        let app = App::in_memory().await;
        let sweeping = Arc::new(Semaphore::new(SWEEPS));
        for lane in [Lane::Sweep, Lane::Sweep, Lane::Sweep, Lane::Campaign] {
            due(&app, lane).await;
        }
        let claimed = async || claim(&app, AT_ONCE - 1, Lane::Campaign, &sweeping).await.unwrap();
        let first = claimed().await;
        let lanes: Vec<i64> = first.iter().map(|(job, _)| job.lane).collect();
        assert_eq!(lanes, [Lane::Campaign as i64, Lane::Sweep as i64]);
        assert!(claimed().await.is_empty(), "a sweep is under way");
        due(&app, Lane::Normal).await;
        assert_eq!(claimed().await.len(), 1, "other work goes on");
        drop(first);
        assert!(claimed().await.iter().all(|(job, _)| job.is_sweep()));
    }

    #[test]
    fn an_error_says_what_becomes_of_its_job() {
        let retry = |after_ms, counts| Verdict::Retry { after_ms, counts };
        let cases = [
            (
                fault(Some(45009), Advice::Retry { after_ms: 60_000 }),
                3,
                retry(60_000, false),
            ),
            (
                fault(Some(-1), Advice::Retry { after_ms: 500 }),
                1,
                retry(2_000, true),
            ),
            (
                fault(Some(-1), Advice::Retry { after_ms: 500 }),
                12,
                retry(300_000, true),
            ),
            (fault(None, Advice::Unknown), 2, retry(4_000, true)),
            (fault(Some(40096), Advice::Drop), 1, Verdict::GiveUp),
            (fault(Some(48002), Advice::TellAdmin), 1, Verdict::GiveUp),
            (fault(Some(40058), Advice::Bug), 1, Verdict::GiveUp),
            (Error::TooMany { retry_after_s: 7 }, 1, retry(7_000, false)),
            (Error::Busy { retry_after_s: 5 }, 1, retry(5_000, false)),
            (Error::conflict("later"), 1, retry(2_000, true)),
            (Error::internal("broken"), 40, retry(300_000, true)),
        ];
        for (error, attempt, expected) in cases {
            assert_eq!(verdict(&error, attempt), expected, "{error}");
        }
    }
}
