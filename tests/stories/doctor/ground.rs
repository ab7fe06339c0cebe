//! What the installation stands on: settings, database, migrations, Redis, clock, master key.

use dianyu::db::{Conn as _, Db, scalar};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_setting_is_named_and_nothing_else_is_looked_at() {
    let patient = Patient::meet(Err("`DIANYU_MASTER_KEY` is not set".into())).await;
    let report = doctor::examine(&patient, None).await;
    names(cause(&report), "settings", &["DIANYU_MASTER_KEY"]);
    assert_eq!(report.count(State::NotChecked), report.lines.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_named_and_the_rest_is_looked_at() {
    let clinic = Clinic::open().await;
    let mut config = clinic.app.config.clone();
    config.database_url = "postgres://dianyu:hidden-word@127.0.0.1:1/dianyu".into();
    let report = doctor::examine(&Patient::meet(Ok(config)).await, None).await;
    names(
        cause(&report),
        "database",
        &[
            "`127.0.0.1:1` refuses the connection: nothing listens there",
            "start the database",
            "DIANYU_DATABASE_URL",
        ],
    );
    assert_eq!(because(&report, "migrations"), Some("database"));
    assert_eq!(because(&report, "credentials"), Some("database"));
    let well: Vec<&str> = lines(&report, State::Ok)
        .iter()
        .map(|line| line.check.as_str())
        .collect();
    assert_eq!(well, ["settings", "clock", "public_address", "platform"]);
    assert!(!format!("{report:?}").contains("hidden-word"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_missing_or_unknown_is_named() {
    let clinic = Clinic::open().await;
    let newer = "insert into migration (name, applied_at) values ('9999_newer', 0)";
    clinic.shop.run(newer).await;
    names(
        worry(&clinic.examine().await),
        "migrations",
        &["9999_newer", "newer version"],
    );
    clinic
        .shop
        .run("delete from migration where name in ('9999_newer', '0008_approval')")
        .await;
    let report = clinic.examine().await;
    names(cause(&report), "migrations", &["0008_approval", "dianyu migrate"]);
    assert_eq!(because(&report, "sweep"), Some("migrations"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_is_named_and_so_is_one_that_is_wanted() {
    let clinic = Clinic::open().await;
    let away = Cache::redis("redis://127.0.0.1:1", "doctor").await;
    let away = away.map_err(|error| error.to_string());
    let report = clinic.examined_with(clinic.app.config.clone(), away).await;
    names(cause(&report), "redis", &["does not answer", "DIANYU_REDIS_URL"]);

    clinic
        .shop
        .run("insert into node (number, token, lease_until, last_ms) values (7, 'a', 9999999999999, 0), (8, 'b', 9999999999999, 0)")
        .await;
    let report = clinic
        .examined_with(clinic.app.config.clone(), Ok(Cache::memory()))
        .await;
    assert!(!report.has_failed(), "{report:#?}");
    names(lines(&report, State::Warning)[0], "redis", &["2 instances"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ten_minutes_off_is_named() {
    let clinic = Clinic::off_by(10 * MINUTE_MS).await;
    let report = clinic.examine().await;
    let line = cause(&report);
    names(line, "clock", &["database's", "platform's", "NTP"]);
    // A slow machine may take a second over it.
    let english = english(line);
    assert!(english.contains("600 s") || english.contains("59"), "{english}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_a_table_is_told_once() {
    let clinic = Clinic::open().await;
    let folder = tempfile::tempdir().unwrap();
    let empty = match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => {
            Db::connect_postgres(&url, Some(&format!("empty_{}", random_base62(8).to_lowercase()))).await
        }
        Err(_) => Db::connect(&format!("sqlite://{}/empty.sqlite", folder.path().display())).await,
    };
    let patient = Patient::put_together(
        clinic.app.config.clone(),
        Ok(empty.unwrap()),
        Ok(Cache::memory()),
        clinic.app.clock.clone(),
    );
    let report = doctor::examine(&patient, None).await;
    names(cause(&report), "migrations", &["`dianyu migrate`"]);
    assert_eq!(because(&report, "redis"), Some("migrations"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_make_or_write_tables_is_told_which_grant_it_lacks() {
    let clinic = Clinic::open().await;
    let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
        // SQLite knows no roles: nothing to lack.
        assert!(clinic.app.db.backend().powers().is_none());
        return;
    };
    let schema = "select cast(current_schema() as text)";
    let schema: String = scalar(&clinic.app.db, schema, vec![]).await.unwrap().unwrap();
    let role = format!("doctor_{}", random_base62(8).to_lowercase());
    let run = async |sql: String| clinic.shop.run(&sql).await;
    run(format!("create role {role} login")).await;
    run(format!("alter role {role} set search_path = {schema}")).await;
    let (_, place) = url.split_once('@').unwrap();
    let db = Db::connect_postgres(&format!("postgres://{role}@{place}"), None)
        .await
        .unwrap();
    let patient = Patient::put_together(
        clinic.app.config.clone(),
        Ok(db),
        Ok(clinic.app.cache.clone()),
        clinic.app.clock.clone(),
    );
    let examined = async || doctor::examine(&patient, None).await;

    let create = format!("`GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}`");
    names(
        cause(&examined().await),
        "database",
        &["may not make tables", &create],
    );
    run(format!("grant usage on schema {schema} to {role}")).await;
    let write = format!("`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}`");
    names(
        cause(&examined().await),
        "database",
        &["may not read and write", &write],
    );
    run(format!("grant all on all tables in schema {schema} to {role}")).await;
    // Every table is there: only the next version wants more.
    names(
        worry(&examined().await),
        "database",
        &["may not make tables", &create],
    );
    run(format!("grant create on schema {schema} to {role}")).await;
    sound(&examined().await);
    drop(patient);
    run(format!("drop owned by {role}")).await;
    run(format!("drop role {role}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_is_the_only_cause() {
    let clinic = Clinic::open().await;
    clinic.callback_came(2 * DAY_MS).await;
    let (url, platform) = (
        clinic.app.config.public_url.clone(),
        clinic.app.config.wecom_base_url.clone(),
    );
    let other = config_under("HxECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &url, &platform);
    let report = clinic.examined_with(other, Ok(clinic.app.cache.clone())).await;
    names(
        cause(&report),
        "master_key",
        &[
            "another master key",
            "DIANYU_MASTER_KEY",
            "--corpid ww1a2b3c4d5e6f7a8b --secret --callback-token --callback-aes-key`",
        ],
    );
    for check in ["public_address", "callback_address", "credentials", "callbacks"] {
        assert_eq!(because(&report, check), Some("master_key"), "{check}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_secret_that_cannot_be_opened_is_named() {
    let clinic = Clinic::open().await;
    clinic
        .shop
        .run("update corp set secret_sealed = callback_key_sealed")
        .await;
    let report = clinic.examine().await;
    names(cause(&report), "master_key", &["ww1a2b3c4d5e6f7a8b"]);
    assert_eq!(because(&report, "credentials"), Some("master_key"));
}
