//! The examination: what stands on nothing first, side by side; then each corp.

use std::time::Duration;

use chrono_tz::Tz;

use super::model::{Line, Report, State};
use super::patient::{Ground, NoDatabase, Patient};
use super::{background, door, floor, mirror, platform};
use crate::app::App;
use crate::cache::Cache;
use crate::config::Config;
use crate::directory::{self, Corp};
use crate::error::{Result, said};
use crate::time::{Clock, Timestamp};
use crate::wecom::{Away, Platform};

/// Of one check.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes every check, of every corp or of the one named.
pub async fn examine(patient: &Patient, only: Option<&str>) -> Report {
    match &patient.ground {
        Ground::NoSettings(why) => {
            let mut lines = vec![floor::settings(Some(why))];
            lines.extend(installation_skipped("settings"));
            report(Clock::System.now(), lines)
        }
        Ground::NoDatabase { config, why } => without_database(patient, config, why).await,
        Ground::Whole(app) => {
            let mut found = of_installation(patient, app).await;
            let lines = match found.stops {
                Some(because) => of_no_corp(because),
                None => of_corps(app, only, &found).await,
            };
            found.lines.extend(lines);
            report(app.now(), found.lines)
        }
    }
}

fn report(checked_at: Timestamp, lines: Vec<Line>) -> Report {
    Report { checked_at, lines }
}

fn installation_skipped(because: &str) -> Vec<Line> {
    let floor = [
        "database",
        "migrations",
        "redis",
        "clock",
        "public_address",
        "platform",
    ];
    let skipped = floor.into_iter().map(|check| Line::skipped(check, because));
    skipped.chain(of_no_corp(because)).collect()
}

/// What is said of corps that could not be looked at.
fn of_no_corp(because: &str) -> Vec<Line> {
    let own = ["master_key", "callback_address"].map(|check| Line::skipped(check, because));
    let mirror = ["callbacks", "sweep", "jobs"].map(|check| Line::skipped(check, because));
    let mut lines = Vec::from(own);
    lines.extend(platform::skipped(&[], because));
    lines.extend(mirror);
    lines
}

async fn without_database(patient: &Patient, config: &Config, why: &NoDatabase) -> Report {
    let clock = Clock::System;
    let platform = Platform::new(&config.wecom_base_url, Cache::memory());
    let (looked, public) = tokio::join!(
        look(&platform),
        in_time("public_address", async { Ok(door::public_address(config).await) })
    );
    let off = looked.as_ref().ok().copied().flatten();
    let off = off.map(|theirs| clock.now().0 - theirs.0);
    let redis = in_time("redis", floor::redis(patient, None, Some("database"))).await;
    let mut lines = vec![
        floor::settings(None),
        floor::no_database(why),
        Line::skipped("migrations", "database"),
        redis,
        floor::clock(None, off),
        public,
        platform::reach(config, &looked),
    ];
    lines.extend(of_no_corp("database"));
    report(clock.now(), lines)
}

/// What was found of the installation, and what of it stands in the way of looking at corps.
struct Found {
    lines: Vec<Line>,
    stops: Option<&'static str>,
    is_public: bool,
    is_platform: bool,
    is_server: bool,
}

/// Everything that is about no corp.
async fn of_installation(patient: &Patient, app: &App) -> Found {
    let asked = app.now();
    let (database, looked) = tokio::join!(
        in_time("database", async { Ok(floor::database(app).await) }),
        look(&app.wecom)
    );
    let reach = platform::reach(&app.config, &looked);
    // Whole seconds, as the header has it.
    let of_platform = looked.ok().flatten().map(|theirs| asked.0 - theirs.0);
    let (migrations, of_database) = if database.holds() {
        tokio::join!(
            in_time("migrations", async { Ok(floor::migrations(app).await) }),
            async { floor::off_database(app).await.ok() }
        )
    } else {
        (Line::skipped("migrations", "database"), None)
    };
    let lacks = [&database, &migrations].into_iter().find(|line| !line.holds());
    let lacks = lacks.map(|line| line.check.as_str());
    let redis = in_time("redis", floor::redis(patient, Some(app), lacks)).await;
    let needed = [&database, &migrations];
    let stops = needed.into_iter().find(|line| !line.holds());
    let stops = stops.map(|line| {
        if line.check == "database" {
            "database"
        } else {
            "migrations"
        }
    });
    // Our address is known by what only our master key can say: a wrong key would be told as a wrong address.
    let has_key = stops.is_some() || mirror::opens_any(app).await != Some(false);
    let public = if has_key {
        let asked = async { Ok(door::public_address(&app.config).await) };
        in_time("public_address", asked).await
    } else {
        Line::skipped("public_address", "master_key")
    };
    Found {
        stops,
        is_public: public.holds(),
        is_platform: reach.holds(),
        is_server: patient.is_server,
        lines: vec![
            floor::settings(None),
            database,
            migrations,
            redis,
            floor::clock(of_database, of_platform),
            public,
            reach,
        ],
    }
}

async fn look(platform: &Platform) -> Result<Option<Timestamp>, Away> {
    // A connection that does not come about is told sooner.
    let looked = tokio::time::timeout(PATIENCE, platform.look()).await;
    looked.unwrap_or(Err(Away::Silent))
}

async fn of_corps(app: &App, only: Option<&str>, found: &Found) -> Vec<Line> {
    let corps = match directory::corps(&app.db).await {
        Ok(corps) => corps,
        Err(_) => return of_no_corp("database"),
    };
    let corps: Vec<Corp> = corps
        .into_iter()
        .filter(|corp| only.is_none_or(|corpid| corp.corpid == corpid))
        .collect();
    if corps.is_empty() {
        return vec![no_corp(only)];
    }
    let mut lines = Vec::new();
    for corp in corps {
        let of_corp = of_corp(app, &corp, found).await;
        lines.extend(of_corp.into_iter().map(|line| line.of_corp(&corp.corpid)));
    }
    lines
}

fn no_corp(only: Option<&str>) -> Line {
    let way = said!(
        "doctor-corp-none-way",
        "`dianyu corp add --help` says how to connect one; docs/operating.md says what it needs"
    );
    match only {
        Some(corpid) => Line::failed(
            "corp",
            said!(
                "doctor-corp-unknown",
                "corp `{corpid}` is not connected",
                corpid = corpid
            ),
            way,
        ),
        None => Line::warning("corp", said!("doctor-corp-none", "no corp is connected yet"), way),
    }
}

async fn of_corp(app: &App, corp: &Corp, found: &Found) -> Vec<Line> {
    let key = in_time("master_key", async { Ok(mirror::master_key(app, corp).await) }).await;
    let unlocked = key.holds();
    let callback = async {
        if !unlocked {
            Line::skipped("callback_address", "master_key")
        } else if !found.is_public {
            Line::skipped("callback_address", "public_address")
        } else {
            in_time("callback_address", door::callback_address(app, corp)).await
        }
    };
    let of_app = async {
        if !unlocked {
            platform::skipped(&[], "master_key")
        } else if !found.is_platform {
            platform::skipped(&[], "platform")
        } else {
            platform::of_app(app, corp, found.is_server).await
        }
    };
    let (callback, of_app, callbacks, sweep, jobs) = tokio::join!(
        callback,
        of_app,
        in_time("callbacks", mirror::callbacks(app, corp)),
        in_time("sweep", background::sweep(app, corp)),
        in_time("jobs", background::jobs(app, corp))
    );
    // Where nobody works on any job, nobody works on the sync.
    let sweep = if background::is_alone(&sweep) && jobs.state == State::Failed {
        Line::skipped("sweep", "jobs")
    } else {
        sweep
    };
    let rest = [callbacks, sweep, jobs];
    let rest = rest.map(|line| told_already(line, unlocked, &callback));
    let mut lines = vec![key, callback];
    lines.extend(of_app);
    lines.extend(rest);
    lines
}

/// What comes of a wrong key, or of a closed way in, is told there alone.
fn told_already(line: Line, unlocked: bool, callback: &Line) -> Line {
    let is_well = |line: &Line| line.state == State::Ok;
    if is_well(&line) {
        line
    } else if !unlocked {
        Line::skipped(&line.check, "master_key")
    } else if line.check == "callbacks" && !is_well(callback) {
        let because = callback.because.as_deref().unwrap_or("callback_address");
        Line::skipped("callbacks", because)
    } else {
        line
    }
}

/// A check within its time; an error of ours is told as what it is.
pub(super) async fn in_time(check: &str, made: impl Future<Output = Result<Line>>) -> Line {
    let way = || {
        said!(
            "doctor-late-way",
            "look again; should it last, the log of `dianyu serve` says more"
        )
    };
    match tokio::time::timeout(PATIENCE, made).await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => Line::failed(
            check,
            said!(
                "doctor-broken",
                "this could not be looked at: {why}",
                why = error.to_string()
            ),
            way(),
        ),
        Err(_) => Line::failed(check, said!("doctor-late", "no answer within 5 s"), way()),
    }
}

/// `2026-11-23 10:21` on the corp's clock.
pub(super) fn clock_time(at: Timestamp, zone: Tz) -> String {
    at.local(zone).format("%Y-%m-%d %H:%M").to_string()
}
