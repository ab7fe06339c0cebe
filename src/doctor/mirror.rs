//! How true the mirror is: by the last sweep, by callbacks, and whether the secrets it needs can be opened.

use super::model::Line;
use super::run::clock_time;
use super::store;
use crate::app::App;
use crate::contacts::inbox;
use crate::directory::{self, Corp};
use crate::error::{Result, said};
use crate::ids::SyncRunId;
use crate::sync::{self, Run};
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// Where there are contacts, something happens every day.
pub(super) const CALLBACK_OLD_MS: i64 = DAY_MS;
/// How long callbacks are kept.
const CALLBACKS_KEPT_MS: i64 = 14 * DAY_MS;

/// How true the mirror was, by the last whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    pub run: SyncRunId,
    pub as_of: Timestamp,
    /// Rows the run had to correct; `None`: it was the first, there was nothing to correct.
    pub corrected: Option<i64>,
    /// Of so many it read.
    pub seen: i64,
    /// Of what it should have, it read or stored so many not.
    pub failed: i64,
}

/// By the runs, newest first; `None`: none was whole yet.
pub fn truth(runs: &[Run]) -> Option<Truth> {
    let mut whole = runs.iter().filter(|run| run.state == "done");
    let last = whole.next()?;
    let sum = |of: fn(&sync::StepState) -> i64| last.steps.iter().map(of).sum::<i64>();
    Some(Truth {
        run: last.id,
        as_of: last.ended_at.unwrap_or(last.started_at),
        corrected: whole.next().map(|_| last.corrections()),
        seen: sum(|step| step.seen),
        failed: sum(|step| step.failed),
    })
}

/// Whether our master key opens the secrets of any corp; `None`: there is none.
pub async fn opens_any(app: &App) -> Option<bool> {
    let corps = directory::corps(&app.db).await.ok()?;
    for corp in &corps {
        if open(app, corp).await.is_ok() {
            return Some(true);
        }
    }
    (!corps.is_empty()).then_some(false)
}

async fn open(app: &App, corp: &Corp) -> Result<()> {
    directory::forget_secrets(app, corp).await;
    directory::platform(app, corp.id).await?;
    directory::callback_crypto(app, &corp.corpid).await.map(drop)
}

pub async fn master_key(app: &App, corp: &Corp) -> Line {
    match open(app, corp).await {
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
                "set `DIANYU_MASTER_KEY` to the one they were entered under; if it is lost, enter them again: `dianyu corp set --corpid {corpid} --secret --callback-token --callback-aes-key`",
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
        let connected = store::connected_at(&app.db, corp.id).await?;
        let is_new = app.now().0 - connected.0 < CALLBACKS_KEPT_MS;
        return Ok(if is_new || !has_contacts {
            let none = said!("doctor-callbacks-none", "no callback has come yet");
            Line::warning("callbacks", none, way())
        } else {
            let never = said!(
                "doctor-callbacks-never",
                "no callback has come in the last 14 days, though there are contacts"
            );
            Line::failed("callbacks", never, way())
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
