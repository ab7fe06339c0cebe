//! What runs by the clock.
//!
//! Each entry always has exactly one waiting row a corp: its next time, under its own key. Every instance writes it
//! and all but the first find it there; when it runs, the next one is written. A time that passed while nothing ran
//! is made up for once.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::args;
use crate::auth;
use crate::contacts::inbox;
use crate::db;
use crate::directory;
use crate::error::Result;
use crate::files;
use crate::ids::CorpId;
use crate::job::Job;
use crate::marking::{self, jobs::Stages};
use crate::moments::jobs::Sweep;
use crate::persons::jobs::Upkeep;
use crate::queue::{self, Lane, NewJob};
use crate::sync::{self, jobs::Nightly};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// When an entry runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At every multiple of so many milliseconds, the same on every instance.
    Every(i64),
    /// Once a day on the corp's clock.
    Daily { hour: i64, minute: i64 },
}

impl When {
    /// The first time after `now`.
    fn next(self, now: Timestamp, zone: Tz) -> Timestamp {
        match self {
            Self::Every(ms) => Timestamp((now.0.div_euclid(ms) + 1) * ms),
            Self::Daily { hour, minute } => {
                let past_midnight = hour * HOUR_MS + minute * MINUTE_MS;
                let today = now.day(zone);
                let at = today.start(zone).plus_ms(past_midnight);
                if at > now {
                    at
                } else {
                    today.plus(1).start(zone).plus_ms(past_midnight)
                }
            }
        }
    }
}

struct Entry {
    kind: &'static str,
    lane: Lane,
    payload: String,
    when: When,
}

fn entry<J: Job>(job: J, when: When) -> Entry {
    Entry {
        kind: J::NAME,
        lane: J::LANE,
        payload: queue::payload(&job),
        when,
    }
}

/// Soon enough for a post that an outage held up.
const SWEEP_MS: i64 = 5 * MINUTE_MS;

/// Everything that runs by the clock.
fn entries() -> Vec<Entry> {
    let daily = |hour, minute| When::Daily { hour, minute };
    vec![
        entry(Nightly {}, daily(3, 30)),
        entry(Stages {}, daily(5, 0)),
        entry(Upkeep {}, daily(5, 30)),
        entry(Sweep {}, When::Every(SWEEP_MS)),
        entry(Tidy {}, When::Every(HOUR_MS)),
    ]
}

/// Writes the next time of every entry for every corp, where it does not wait already.
pub async fn plan(app: &App) -> Result<()> {
    let now = app.now();
    let corps = directory::corps(&app.db).await?;
    let tx = app.db.begin().await?;
    for corp in corps {
        for entry in entries() {
            let job = NewJob {
                corp: corp.id,
                kind: entry.kind,
                payload: entry.payload,
                lane: entry.lane,
                run_at: entry.when.next(now, corp.zone),
                unique_key: Some("by the clock".into()),
            };
            queue::enqueue(&tx, &app.ids, now, job).await?;
        }
    }
    tx.commit().await
}

/// How long a saved answer may be asked for again, and how long a read callback is kept.
const ANSWER_MS: i64 = DAY_MS;
const CALLBACK_MS: i64 = 14 * DAY_MS;
/// How long changes of contacts are kept for whoever has not read them.
const CHANGES_MS: i64 = 2 * DAY_MS;
/// How long a run that ended is told of.
const RUN_MS: i64 = 90 * DAY_MS;

/// Deletes what has had its time.
#[derive(Serialize, Deserialize)]
pub struct Tidy {}

impl Job for Tidy {
    const NAME: &'static str = "jobs.tidy";
    const LANE: Lane = Lane::Sweep;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let now = app.now();
        let tx = app.db.begin().await?;
        let answers = "delete from saved_answer where corp_id = $1 and created_at < $2";
        db::run(&tx, answers, args![corp, now.plus_ms(-ANSWER_MS)]).await?;
        inbox::sweep(&tx, corp, now.plus_ms(-CALLBACK_MS)).await?;
        sync::sweep(&tx, corp, now.plus_ms(-RUN_MS)).await?;
        auth::sweep(&tx, corp, now).await?;
        db::changes::sweep(&tx, corp, CHANGES_MS).await?;
        files::sweep(&tx, corp, now).await?;
        marking::sweep(&tx, corp, now).await?;
        tx.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_after_now_and_the_same_for_everybody() {
        let zone = chrono_tz::Asia::Shanghai;
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let nightly = When::Daily { hour: 3, minute: 30 };
        let cases = [
            (nightly, "2026-11-23T02:00:00+08:00", "2026-11-23T03:30:00+08:00"),
            (nightly, "2026-11-23T03:30:00+08:00", "2026-11-24T03:30:00+08:00"),
            (
                When::Every(HOUR_MS),
                "2026-11-23T02:00:00+08:00",
                "2026-11-23T03:00:00+08:00",
            ),
            (
                When::Every(HOUR_MS),
                "2026-11-23T02:59:59+08:00",
                "2026-11-23T03:00:00+08:00",
            ),
        ];
        for (when, now, expected) in cases {
            assert_eq!(when.next(at(now), zone), at(expected), "{when:?} {now}");
        }
    }
}
