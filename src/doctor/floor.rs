//! What the program itself stands on: database, migrations, Redis, clock.

use std::time::Instant;

use super::away::{Address, away};
use super::model::Line;
use super::patient::{NoDatabase, Patient};
use super::store::{self, Powers};
use crate::app::App;
use crate::db::{Conn as _, migrate, node};
use crate::error::{Result, said};
use crate::time::{SECOND_MS, Timestamp};
use crate::wecom::Away;

/// Off by more is worth a word; by more than the second, callbacks and sign-ins are refused as too old.
const OFF_MS: i64 = 30 * SECOND_MS;
const FAR_OFF_MS: i64 = 300 * SECOND_MS;

pub fn settings(problem: Option<&str>) -> Line {
    match problem {
        None => Line::ok(
            "settings",
            said!("doctor-settings-ok", "every setting can be read"),
        ),
        Some(why) => Line::failed(
            "settings",
            said!("doctor-settings-wrong", "{why}", why = why),
            said!(
                "doctor-settings-way",
                "correct it in the environment or in `config.toml`; docs/operating.md lists every setting"
            ),
        ),
    }
}

pub fn no_database(why: &NoDatabase) -> Line {
    let start = said!(
        "doctor-database-away-way",
        "start the database or correct `DIANYU_DATABASE_URL`; a new database is made by `dianyu migrate`"
    );
    match why {
        NoDatabase::Closed(closed) => away(
            "database",
            Address {
                url: &closed.address,
                setting: "DIANYU_DATABASE_URL",
                start,
            },
            &Away::of_connection(&closed.why),
        ),
        NoDatabase::Told(why) => Line::failed(
            "database",
            said!(
                "doctor-database-away",
                "the database cannot be opened: {why}",
                why = why.as_str()
            ),
            start,
        ),
    }
}

pub async fn database(app: &App) -> Line {
    let started = Instant::now();
    let version = match store::version(&app.db).await {
        Ok(version) => version,
        Err(error) => return no_database(&NoDatabase::Told(error.to_string())),
    };
    let ms = started.elapsed().as_millis() as i64;
    let kind = app.db.backend().name();
    if let Ok(Some(powers)) = store::powers(&app.db).await {
        let is_migrated = migrate::missing(&app.db)
            .await
            .is_ok_and(|missing| missing.is_empty());
        if let Some(line) = lacking(&powers, is_migrated) {
            return line;
        }
    }
    match store::try_to_write(&app.db).await {
        Ok(()) => Line::ok(
            "database",
            said!(
                "doctor-database-ok",
                "{kind} {version} answers in {ms} ms and takes writes",
                kind = kind,
                version = version,
                ms = ms
            ),
        ),
        Err(error) => Line::failed(
            "database",
            said!(
                "doctor-database-read-only",
                "{kind} {version} answers but takes no writes: {why}",
                kind = kind,
                version = version,
                why = error.to_string()
            ),
            said!(
                "doctor-database-read-only-way",
                "let the user in `DIANYU_DATABASE_URL` write and make tables, and see that the disk is not full"
            ),
        ),
    }
}

/// What our role may not do, and the grant that lets it; `None`: it may all.
fn lacking(powers: &Powers, is_migrated: bool) -> Option<Line> {
    let (role, schema) = (powers.role.as_str(), powers.schema.as_str());
    if powers.is_read_only {
        return Some(Line::failed(
            "database",
            said!(
                "doctor-database-standby",
                "the database takes no writes: it is a standby, or role {role} is set to read only",
                role = role
            ),
            said!(
                "doctor-database-standby-way",
                "lead `DIANYU_DATABASE_URL` to the primary; or run there `ALTER ROLE {role} RESET default_transaction_read_only`",
                role = role
            ),
        ));
    }
    if powers.closed_tables > 0 {
        return Some(Line::failed(
            "database",
            said!(
                "doctor-database-tables",
                "role {role} may not read and write all our tables in schema {schema}",
                role = role,
                schema = schema
            ),
            said!(
                "doctor-database-tables-way",
                "run as their owner: `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}`",
                role = role,
                schema = schema
            ),
        ));
    }
    if powers.may_create {
        return None;
    }
    let finding = said!(
        "doctor-database-create",
        "role {role} may not make tables in schema {schema}, which migrations do",
        role = role,
        schema = schema
    );
    let way = said!(
        "doctor-database-create-way",
        "run as the owner of the schema: `GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}`",
        role = role,
        schema = schema
    );
    // Where every table is made, only the next version wants it.
    Some(if is_migrated {
        Line::warning("database", finding, way)
    } else {
        Line::failed("database", finding, way)
    })
}

pub async fn migrations(app: &App) -> Line {
    let missing = migrate::missing(&app.db).await.unwrap_or_default();
    if !missing.is_empty() {
        return Line::failed(
            "migrations",
            said!(
                "doctor-migrations-missing",
                "{count} of {all} migrations are not applied: {names}",
                count = missing.len(),
                all = migrate::known(),
                names = some_of(&missing)
            ),
            said!(
                "doctor-migrations-missing-way",
                "run `dianyu migrate`, or start `dianyu serve`, which does the same"
            ),
        );
    }
    match migrate::unknown(&app.db).await {
        Ok(unknown) if !unknown.is_empty() => Line::warning(
            "migrations",
            said!(
                "doctor-migrations-unknown",
                "the database holds migrations this version does not know: {names}",
                names = some_of(&unknown)
            ),
            said!(
                "doctor-migrations-unknown-way",
                "a newer version was here: run that one on every machine"
            ),
        ),
        _ => Line::ok(
            "migrations",
            said!(
                "doctor-migrations-ok",
                "all {all} migrations are applied",
                all = migrate::known()
            ),
        ),
    }
}

/// The first few names, and that there are more.
pub(super) fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    const SOME: usize = 5;
    let mut said: Vec<&str> = names.iter().take(SOME).map(AsRef::as_ref).collect();
    if names.len() > SOME {
        said.push("…");
    }
    said.join(", ")
}

/// `app` is absent where there is no database; `lacks` is the check of it that failed: how many instances there are is
/// not known then.
pub async fn redis(patient: &Patient, app: Option<&App>, lacks: Option<&str>) -> Result<Line> {
    let away = |why: &str| {
        Line::failed(
            "redis",
            said!("doctor-redis-away", "Redis does not answer: {why}", why = why),
            said!(
                "doctor-redis-away-way",
                "start Redis or correct `DIANYU_REDIS_URL`; until then every instance limits and wakes for itself"
            ),
        )
    };
    if let Some(why) = &patient.redis {
        return Ok(away(why));
    }
    let Some(app) = app else {
        return Ok(Line::skipped("redis", "database"));
    };
    if app.cache.is_shared() {
        let started = Instant::now();
        let answered = app.cache.ping().await;
        let ms = started.elapsed().as_millis() as i64;
        return Ok(match answered {
            Ok(()) => Line::ok(
                "redis",
                said!("doctor-redis-ok", "Redis answers in {ms} ms", ms = ms),
            ),
            Err(error) => away(&error.to_string()),
        });
    }
    if let Some(lacks) = lacks {
        return Ok(Line::skipped("redis", lacks));
    }
    let nodes = node::living(&app.db).await?;
    if nodes > 1 {
        return Ok(Line::warning(
            "redis",
            said!(
                "doctor-redis-wanted",
                "no Redis is set, and {nodes} instances share this database",
                nodes = nodes
            ),
            said!(
                "doctor-redis-wanted-way",
                "set the same `DIANYU_REDIS_URL` for all: without it each counts the platform's limits for itself"
            ),
        ));
    }
    Ok(Line::ok(
        "redis",
        said!(
            "doctor-redis-none",
            "no Redis is set; one instance does without it"
        ),
    ))
}

/// Our clock beside the database's and the platform's, as far as they were asked.
pub fn clock(of_database: Option<i64>, of_platform: Option<i64>) -> Line {
    if of_database.is_none() && of_platform.is_none() {
        return Line::skipped("clock", "database");
    }
    let seconds = |off: Option<i64>| off.map_or(0, |off| off.abs() / SECOND_MS);
    let worst = of_database
        .unwrap_or_default()
        .abs()
        .max(of_platform.unwrap_or_default().abs());
    let way = || {
        said!(
            "doctor-clock-way",
            "let NTP set the clock of this machine (`timedatectl set-ntp true`), or of the one that is off"
        )
    };
    let finding = match (of_database, of_platform) {
        (Some(database), Some(platform)) => said!(
            "doctor-clock-both",
            "our clock is {database} s off the database's and {platform} s off the platform's",
            database = seconds(Some(database)),
            platform = seconds(Some(platform))
        ),
        (database, None) => said!(
            "doctor-clock-database",
            "our clock is {database} s off the database's; the platform told no time",
            database = seconds(database)
        ),
        (None, platform) => said!(
            "doctor-clock-platform",
            "our clock is {platform} s off the platform's",
            platform = seconds(platform)
        ),
    };
    match worst {
        off if off > FAR_OFF_MS => Line::failed("clock", finding, way()),
        off if off > OFF_MS => Line::warning("clock", finding, way()),
        _ => Line::ok("clock", finding),
    }
}

/// How far our clock is ahead of the database's, in milliseconds.
pub async fn off_database(app: &App) -> Result<i64> {
    let before = app.now();
    let theirs = store::clock(&app.db).await?;
    // Somewhere between asking and hearing: the middle.
    let ours = Timestamp(before.0.midpoint(app.now().0));
    Ok(ours.0 - theirs.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn what_a_role_lacks_is_granted_by_name() {
        let all = Powers {
            role: "dianyu".into(),
            schema: "public".into(),
            may_create: true,
            is_read_only: false,
            closed_tables: 0,
        };
        assert_eq!(lacking(&all, false), None);
        let powers = Powers {
            may_create: false,
            ..all
        };
        let state = |is_migrated| lacking(&powers, is_migrated).map(|line| line.state);
        assert_eq!(
            (state(false), state(true)),
            (Some(State::Failed), Some(State::Warning))
        );
        let way = lacking(&powers, false).and_then(|line| line.way_out);
        let way = way.map(|way| way.english).unwrap_or_default();
        assert!(
            way.contains("`GRANT USAGE, CREATE ON SCHEMA public TO dianyu`"),
            "{way}"
        );
    }

    #[test]
    fn a_clock_is_off_from_thirty_seconds_and_far_off_from_five_minutes() {
        for (database, platform, expected) in [
            (Some(0), Some(0), State::Ok),
            (Some(-30_000), None, State::Ok),
            (Some(0), Some(31_000), State::Warning),
            (Some(-600_000), Some(0), State::Failed),
            (None, Some(300_001), State::Failed),
            (None, None, State::NotChecked),
        ] {
            assert_eq!(
                clock(database, platform).state,
                expected,
                "{database:?} {platform:?}"
            );
        }
    }
}
