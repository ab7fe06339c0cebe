//! What goes on in the background: the sync under way or the last one, and jobs.

use std::collections::HashMap;

use super::mirror::{Truth, truth};
use super::model::Line;
use super::run::clock_time;
use super::store::{self, UnderWay};
use crate::app::App;
use crate::directory::Corp;
use crate::error::{Result, Said, said};
use crate::job::Job as _;
use crate::scope::Scope;
use crate::sync;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// A night may be missed, two may not.
const SWEEP_OLD_MS: i64 = 2 * DAY_MS;
/// Corrections of all that was read, in thousandths.
const DRIFT: i64 = 10;
const MUCH_DRIFT: i64 = 50;
const JOB_LATE_MS: i64 = 5 * MINUTE_MS;
const JOB_VERY_LATE_MS: i64 = HOUR_MS;
/// A run or a job that somebody works on shows signs of life this often; a worker that vanished is stood in for.
const ALONE_MS: i64 = 2 * MINUTE_MS;
const STILL_MS: i64 = 30 * MINUTE_MS;
/// Runs looked back at for the last whole one.
const RUNS: i64 = 30;

/// Whether the run under way comes on, and what the last whole one had to correct.
pub async fn sweep(app: &App, corp: &Corp) -> Result<Line> {
    let runs = sync::list(&app.db, &Scope::whole(corp.id), RUNS).await?;
    if let Some(run) = runs.first().filter(|run| run.state == "failed") {
        let problem = run.problem();
        return Ok(Line::failed(
            "sweep",
            said!(
                "doctor-sweep-failed",
                "the last sync ended without reaching its end: {why}",
                why = problem.unwrap_or_default()
            ),
            sync_way(corp),
        ));
    }
    let under_way = store::under_way(&app.db, corp.id, sync::jobs::CarryOn::NAME).await?;
    if let Some(run) = &under_way
        && let Some(line) = stuck(run, corp, app.now())
    {
        return Ok(line);
    }
    let Some(truth) = truth(&runs) else {
        return Ok(match under_way {
            Some(run) => Line::warning(
                "sweep",
                said!(
                    "doctor-sweep-running",
                    "the first sync is under way since {at} and has read {seen}",
                    at = clock_time(run.started_at, corp.zone),
                    seen = run.seen
                ),
                said!(
                    "doctor-sweep-running-way",
                    "nothing to do but wait: the page about the platform says how long it will take"
                ),
            ),
            None => Line::warning(
                "sweep",
                said!("doctor-sweep-never", "no sync has reached its end yet"),
                sync_way(corp),
            ),
        });
    };
    let missing = if truth.failed > 0 {
        let not_taken = sync::not_taken(&app.db, &Scope::whole(corp.id), truth.run).await?;
        let run = runs.iter().find(|run| run.id == truth.run);
        Missing::of(run.map_or(&[], |run| &run.steps), &not_taken)
    } else {
        Missing::default()
    };
    Ok(of_truth(&truth, &missing, corp, app.now()))
}

/// Whether a line about the sync says that nobody works on it.
pub fn is_alone(line: &Line) -> bool {
    line.finding
        .as_ref()
        .is_some_and(|finding| finding.key == "doctor-sweep-alone")
}

/// A run under way that does not come on. `None`: it does.
fn stuck(run: &UnderWay, corp: &Corp, now: Timestamp) -> Option<Line> {
    let since = clock_time(run.started_at, corp.zone);
    // A lease that was never taken is as old as the run.
    let alone_ms = run.alone_ms.min(now.0 - run.started_at.0);
    if alone_ms > ALONE_MS && !run.will_be_carried_on {
        return Some(Line::failed(
            "sweep",
            said!(
                "doctor-sweep-alone",
                "the sync of {since} has not ended, and nobody works on it since {minutes} minutes",
                since = since,
                minutes = alone_ms / MINUTE_MS
            ),
            said!(
                "doctor-sweep-alone-way",
                "start a `dianyu serve` without `--no-jobs`; or run `dianyu sync --corp {corpid}`: it goes on where the last one stood",
                corpid = corp.corpid.as_str()
            ),
        ));
    }
    let still_ms = now.0 - run.moved_at.0;
    if still_ms <= STILL_MS {
        return None;
    }
    let minutes = still_ms / MINUTE_MS;
    let finding = match &run.problem {
        Some(why) => said!(
            "doctor-sweep-waits",
            "the sync of {since} has read nothing new for {minutes} minutes: {why}",
            since = since,
            minutes = minutes,
            why = why.as_str()
        ),
        None => said!(
            "doctor-sweep-still",
            "the sync of {since} has read nothing new for {minutes} minutes",
            since = since,
            minutes = minutes
        ),
    };
    let way = said!(
        "doctor-sweep-still-way",
        "look at the lines about the platform above; then stop the sync on the page about the platform and run `dianyu sync --corp {corpid}`",
        corpid = corp.corpid.as_str()
    );
    Some(Line::failed("sweep", finding, way))
}

fn sync_way(corp: &Corp) -> Said {
    said!(
        "doctor-sweep-way",
        "run `dianyu sync --corp {corpid}`, or start a sync on the page about the platform; the nightly one runs in `dianyu serve`",
        corpid = corp.corpid.as_str()
    )
}

/// What a run could not read, and what it read and could not store.
#[derive(Debug, Default, PartialEq, Eq)]
struct Missing {
    members: i64,
    groups: i64,
    rows: i64,
}

impl Missing {
    fn of(steps: &[sync::StepState], not_taken: &HashMap<String, i64>) -> Self {
        let mut missing = Self::default();
        for step in steps {
            let missed = step.missed(not_taken);
            missing.rows += missed.not_taken;
            if step.step == sync::Step::Groups.as_str() {
                missing.groups += missed.unread;
            } else {
                missing.members += missed.unread;
            }
        }
        missing
    }

    /// The finding and its way out; `None`: nothing is missing.
    fn told(&self, at: &str) -> Option<(Said, Said)> {
        let Self {
            members,
            groups,
            rows,
        } = *self;
        let of_permission = || {
            said!(
                "doctor-sweep-unread-way",
                "the page about the platform names them under the sync, with the permission that is missing"
            )
        };
        match (members > 0, groups > 0, rows > 0) {
            (false, false, false) => None,
            (false, false, true) => Some((
                said!(
                    "doctor-sweep-not-taken",
                    "the last sweep, at {at}, read {rows} rows that the database does not take",
                    at = at,
                    rows = rows
                ),
                said!(
                    "doctor-sweep-not-taken-way",
                    "the page about the platform names each under the sync, with what the database says about it: tell those who make Dianyu"
                ),
            )),
            (true, false, false) => Some((
                said!(
                    "doctor-sweep-unread",
                    "the last sweep, at {at}, could not read {unread} members",
                    at = at,
                    unread = members
                ),
                of_permission(),
            )),
            (false, true, false) => Some((
                said!(
                    "doctor-sweep-unread-groups",
                    "the last sweep, at {at}, could not read {unread} groups",
                    at = at,
                    unread = groups
                ),
                of_permission(),
            )),
            _ => Some((
                said!(
                    "doctor-sweep-missed",
                    "the last sweep, at {at}, could not read {members} members and {groups} groups, and the database does not take {rows} rows",
                    at = at,
                    members = members,
                    groups = groups,
                    rows = rows
                ),
                said!(
                    "doctor-sweep-missed-way",
                    "the page about the platform names each under the sync, with the permission that is missing or what the database says"
                ),
            )),
        }
    }
}

fn of_truth(truth: &Truth, missing: &Missing, corp: &Corp, now: Timestamp) -> Line {
    let at = clock_time(truth.as_of, corp.zone);
    let seen = truth.seen;
    let finding = match truth.corrected {
        Some(corrected) => said!(
            "doctor-sweep-last",
            "the mirror was true as of {at}; the last sweep corrected {corrected} of {seen}",
            at = at.as_str(),
            corrected = corrected,
            seen = seen
        ),
        None => said!(
            "doctor-sweep-first",
            "the first sync ended at {at} and read {seen}",
            at = at.as_str(),
            seen = seen
        ),
    };
    let drift = truth.corrected.unwrap_or_default() * 1_000 / seen.max(1);
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
    if let Some((finding, way)) = missing.told(&at) {
        return Line::warning("sweep", finding, way);
    }
    if truth.corrected.is_some() && now.0 - truth.as_of.0 > SWEEP_OLD_MS {
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

/// Jobs that wait though they are due, those that nobody works on any more, and those that were given up.
pub async fn jobs(app: &App, corp: &Corp) -> Result<Line> {
    let now = app.now();
    let (lost, lost_ms) = store::lost_jobs(&app.db, corp.id).await?;
    if lost_ms > ALONE_MS {
        return Ok(Line::failed(
            "jobs",
            said!(
                "doctor-jobs-lost",
                "{lost} jobs were begun and nobody works on them any more, since {minutes} minutes",
                lost = lost,
                minutes = lost_ms / MINUTE_MS
            ),
            late_way(),
        ));
    }
    let (waiting, oldest) = store::overdue(&app.db, corp.id, now).await?;
    let late_ms = oldest.map_or(0, |oldest| now.0 - oldest.0);
    if late_ms > JOB_LATE_MS {
        let finding = said!(
            "doctor-jobs-late",
            "{waiting} jobs and callbacks wait, the oldest for {minutes} minutes",
            waiting = waiting,
            minutes = late_ms / MINUTE_MS
        );
        return Ok(if late_ms > JOB_VERY_LATE_MS {
            Line::failed("jobs", finding, late_way())
        } else {
            Line::warning("jobs", finding, late_way())
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
            "{waiting} jobs and callbacks wait, none is late or given up",
            waiting = waiting
        ),
    ))
}

fn late_way() -> Said {
    said!(
        "doctor-jobs-late-way",
        "see that a `dianyu serve` without `--no-jobs` runs, and read its log for `job`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory;
    use crate::doctor::State;

    #[test]
    fn what_is_missing_is_called_what_it_is() {
        for (members, groups, rows, words) in [
            (3, 0, 0, "could not read 3 members"),
            (0, 2, 0, "could not read 2 groups"),
            (0, 0, 1, "read 1 rows that the database does not take"),
            (
                3,
                0,
                1,
                "3 members and 0 groups, and the database does not take 1 rows",
            ),
        ] {
            let missing = Missing {
                members,
                groups,
                rows,
            };
            let (finding, way) = missing.told("2026-11-23 10:00").unwrap();
            assert!(finding.to_string().ends_with(words), "{finding}");
            let is_about_a_permission = way.to_string().contains("permission");
            assert_eq!(is_about_a_permission, members + groups > 0, "{way}");
        }
        assert_eq!(Missing::default().told(""), None);
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
                run: crate::ids::SyncRunId(1),
                as_of: Timestamp(0),
                corrected: Some(corrected),
                seen: 1_000,
                failed: 0,
            };
            assert_eq!(
                of_truth(&truth, &Missing::default(), &corp, Timestamp(1)).state,
                expected,
                "{corrected}"
            );
        }
    }
}
