//! How true the mirror is: callbacks, the last sweep, jobs, and whether the secrets it needs can be opened.

use super::model::Line;
use super::run::clock_time;
use super::store;
use crate::app::App;
use crate::contacts::inbox;
use crate::directory::{self, Corp};
use crate::error::{Result, said};
use crate::scope::Scope;
use crate::sync::{self, Run};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

const CALLBACK_OLD_MS: i64 = DAY_MS;
/// A night may be missed, two may not.
const SWEEP_OLD_MS: i64 = 2 * DAY_MS;
/// Corrections of all that was read, in thousandths.
const DRIFT: i64 = 10;
const MUCH_DRIFT: i64 = 50;
const JOB_LATE_MS: i64 = 5 * MINUTE_MS;
const JOB_VERY_LATE_MS: i64 = HOUR_MS;
/// Runs looked back at for the last whole one.
const RUNS: i64 = 30;

/// How true the mirror was, by the last whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    pub as_of: Timestamp,
    /// Rows the run had to correct; `None`: it was the first, there was nothing to correct.
    pub corrected: Option<i64>,
    /// Of so many it read.
    pub seen: i64,
    /// Members it could not read.
    pub unread: i64,
}

/// By the runs, newest first; `None`: none was whole yet.
pub fn truth(runs: &[Run]) -> Option<Truth> {
    let mut whole = runs.iter().filter(|run| run.state == "done");
    let last = whole.next()?;
    let sum = |of: fn(&sync::StepState) -> i64| last.steps.iter().map(of).sum::<i64>();
    Some(Truth {
        as_of: last.ended_at.unwrap_or(last.started_at),
        corrected: whole.next().map(|_| last.corrections()),
        seen: sum(|step| step.seen),
        unread: sum(|step| step.failed),
    })
}

pub async fn master_key(app: &App, corp: &Corp) -> Line {
    let opened = async {
        directory::platform(app, corp.id).await?;
        directory::callback_crypto(app, &corp.corpid).await.map(drop)
    };
    match opened.await {
        Ok(()) => Line::ok(
            "master_key",
            said!("doctor-key-ok", "the master key opens the stored secrets"),
        ),
        Err(_) => Line::failed(
            "master_key",
            said!(
                "doctor-key-wrong",
                "the secrets of `{corpid}` were sealed under another master key",
                corpid = corp.corpid.as_str()
            ),
            said!(
                "doctor-key-wrong-way",
                "set `DIANYU_MASTER_KEY` to the one they were entered under; if it is lost, enter them again with `dianyu corp set --corpid {corpid}`",
                corpid = corp.corpid.as_str()
            ),
        ),
    }
}

/// How old the last callback is.
pub async fn callbacks(app: &App, corp: &Corp) -> Result<Line> {
    let last = inbox::last_arrived(&app.db, corp.id).await?;
    let has_contacts = store::has_contacts(&app.db, corp.id).await?;
    let way = || {
        said!(
            "doctor-callbacks-way",
            "console › the app › 接收消息 (receive messages): save `{url}/wecom/{corpid}/callback` and switch customer and directory changes on",
            url = app.config.public_url.as_str(),
            corpid = corp.corpid.as_str()
        )
    };
    let Some(last) = last else {
        return Ok(if has_contacts {
            Line::failed(
                "callbacks",
                said!(
                    "doctor-callbacks-never",
                    "no callback has come in the last 14 days, though there are contacts"
                ),
                way(),
            )
        } else {
            Line::ok(
                "callbacks",
                said!(
                    "doctor-callbacks-none",
                    "no callback has come yet, nor is there a contact"
                ),
            )
        });
    };
    let (at, hours) = (
        clock_time(last, corp.zone),
        (app.now().0 - last.0).max(0) / HOUR_MS,
    );
    let finding = said!(
        "doctor-callbacks-last",
        "the last callback came at {at}, {hours} hours ago",
        at = at,
        hours = hours
    );
    let is_old = has_contacts && app.now().0 - last.0 > CALLBACK_OLD_MS;
    Ok(if is_old {
        Line::warning("callbacks", finding, way())
    } else {
        Line::ok("callbacks", finding)
    })
}

/// What the last whole run had to correct.
pub async fn sweep(app: &App, corp: &Corp) -> Result<Line> {
    let runs = sync::list(&app.db, &Scope::whole(corp.id), RUNS).await?;
    let sync_way = || {
        said!(
            "doctor-sweep-way",
            "run `dianyu sync --corp {corpid}`, or start a sync on the page about the platform; the nightly one runs in `dianyu serve`",
            corpid = corp.corpid.as_str()
        )
    };
    if let Some(run) = runs.first().filter(|run| run.state == "failed") {
        let problem = run.steps.iter().find_map(|step| step.problem.clone());
        return Ok(Line::failed(
            "sweep",
            said!(
                "doctor-sweep-failed",
                "the last sync ended without reaching its end: {why}",
                why = problem.clone().unwrap_or_default()
            ),
            sync_way(),
        ));
    }
    let Some(truth) = truth(&runs) else {
        return Ok(Line::warning(
            "sweep",
            said!("doctor-sweep-never", "no sync has reached its end yet"),
            sync_way(),
        ));
    };
    Ok(of_truth(&truth, corp, app.now()))
}

fn of_truth(truth: &Truth, corp: &Corp, now: Timestamp) -> Line {
    let at = clock_time(truth.as_of, corp.zone);
    let seen = truth.seen;
    let Some(corrected) = truth.corrected else {
        return Line::ok(
            "sweep",
            said!(
                "doctor-sweep-first",
                "the first sync ended at {at} and read {seen}",
                at = at,
                seen = seen
            ),
        );
    };
    let finding = said!(
        "doctor-sweep-last",
        "the mirror was true as of {at}; the last sweep corrected {corrected} of {seen}",
        at = at.as_str(),
        corrected = corrected,
        seen = seen
    );
    let drift = corrected * 1_000 / seen.max(1);
    if drift > DRIFT {
        let way = said!(
            "doctor-sweep-drift-way",
            "callbacks get lost: look at the lines about callbacks above, then sync once more"
        );
        return if drift > MUCH_DRIFT {
            Line::failed("sweep", finding, way)
        } else {
            Line::warning("sweep", finding, way)
        };
    }
    if truth.unread > 0 {
        return Line::warning(
            "sweep",
            said!(
                "doctor-sweep-unread",
                "the last sweep, at {at}, could not read {unread} members",
                at = at,
                unread = truth.unread
            ),
            said!(
                "doctor-sweep-unread-way",
                "the page about the platform names them under the sync, with the permission that is missing"
            ),
        );
    }
    if now.0 - truth.as_of.0 > SWEEP_OLD_MS {
        return Line::warning(
            "sweep",
            finding,
            said!(
                "doctor-sweep-old-way",
                "see that one `dianyu serve` runs jobs: it sweeps every night"
            ),
        );
    }
    Line::ok("sweep", finding)
}

/// Jobs that wait though they are due, and those that were given up.
pub async fn jobs(app: &App, corp: &Corp) -> Result<Line> {
    let now = app.now();
    let (waiting, oldest) = store::overdue(&app.db, corp.id, now).await?;
    let late_ms = oldest.map_or(0, |oldest| now.0 - oldest.0);
    if late_ms > JOB_LATE_MS {
        let finding = said!(
            "doctor-jobs-late",
            "{waiting} jobs are due and wait, the oldest for {minutes} minutes",
            waiting = waiting,
            minutes = late_ms / MINUTE_MS
        );
        let way = said!(
            "doctor-jobs-late-way",
            "see that a `dianyu serve` without `--no-jobs` runs, and read its log for `job`"
        );
        return Ok(if late_ms > JOB_VERY_LATE_MS {
            Line::failed("jobs", finding, way)
        } else {
            Line::warning("jobs", finding, way)
        });
    }
    let dead = store::dead_jobs(&app.db, corp.id).await?;
    if !dead.is_empty() {
        let count: i64 = dead.iter().map(|(_, count)| count).sum();
        let kinds: Vec<String> = dead
            .iter()
            .map(|(kind, count)| format!("{kind} × {count}"))
            .collect();
        return Ok(Line::warning(
            "jobs",
            said!(
                "doctor-jobs-dead",
                "{count} jobs were given up: {kinds}",
                count = count,
                kinds = super::floor::some_of(&kinds)
            ),
            said!(
                "doctor-jobs-dead-way",
                "`last_error` in the table `job` says why; a sync makes up for what they would have read"
            ),
        ));
    }
    Ok(Line::ok(
        "jobs",
        said!(
            "doctor-jobs-ok",
            "{waiting} jobs are due, none is late or given up",
            waiting = waiting
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::ids::SyncRunId;

    fn run(state: &str, changed: i64, closed: i64) -> Run {
        let step = sync::StepState {
            step: "contacts".into(),
            state: "done".into(),
            done: 5,
            total: 5,
            seen: 1_000,
            changed,
            closed,
            failed: 0,
            started_at: Some(Timestamp(0)),
            ended_at: Some(Timestamp(1)),
            problem: None,
        };
        Run {
            id: SyncRunId(1),
            kind: "nightly".into(),
            state: state.into(),
            started_at: Timestamp(0),
            ended_at: Some(Timestamp(1)),
            steps: vec![step],
        }
    }

    #[test]
    fn drift_is_what_a_whole_run_corrected_but_the_first() {
        assert_eq!(truth(&[run("running", 5, 0)]), None);
        assert_eq!(truth(&[run("done", 1_000, 0)]).unwrap().corrected, None);
        let later = truth(&[run("stopped", 0, 0), run("done", 7, 3), run("done", 1_000, 0)]).unwrap();
        assert_eq!((later.corrected, later.seen), (Some(10), 1_000));
    }

    #[test]
    fn drift_from_a_hundredth_is_a_warning_and_from_a_twentieth_a_failure() {
        let corp = Corp {
            id: crate::ids::CorpId(1),
            corpid: "ww1a2b3c4d5e6f7a8b".into(),
            name: "禾与".into(),
            zone: chrono_tz::Asia::Shanghai,
            agent_id: 1,
            quota_mode: directory::QuotaMode::MonthDays,
            approval_over: None,
            link_hosts: Vec::new(),
            mini_store: None,
        };
        for (corrected, expected) in [(10, State::Ok), (11, State::Warning), (51, State::Failed)] {
            let truth = Truth {
                as_of: Timestamp(0),
                corrected: Some(corrected),
                seen: 1_000,
                unread: 0,
            };
            assert_eq!(
                of_truth(&truth, &corp, Timestamp(1)).state,
                expected,
                "{corrected}"
            );
        }
    }
}
