//! Doctor: a sound installation has nothing to say; of a broken one the right cause is named, and only that.

use std::time::Duration;

use axum::http::StatusCode;
use dianyu::app::App;
use dianyu::auth::Role;
use dianyu::cache::Cache;
use dianyu::config::Config;
use dianyu::doctor::{self, Line, Patient, Report, State};
use dianyu::ids::{Ids, random_base62};
use dianyu::sandbox::{AppChange, Sandbox, SandboxOptions};
use dianyu::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use dianyu::wecom::crypto::CallbackCrypto;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::street::seed;
use crate::visitor::Visitor;
use crate::world::{CORPID, World};

const AGENT: i64 = 1_000_002;
const TOKEN: &str = "SimToken2026";
const KEY: &str = "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU";
const OTHER_KEY: &str = "AAAAGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU";
/// What no finding may hold.
const SECRETS: [&str; 4] = ["sandbox-secret", TOKEN, KEY, "AAECAwQFBgcI"];

/// The world on the real time, the platform beside it, and our server on its public address.
struct Clinic {
    shop: World,
    sandbox: Sandbox,
    app: App,
    _stop: DropGuard,
}

fn config(public_url: &str, platform: &str) -> Config {
    let (public_url, platform) = (public_url.to_owned(), platform.to_owned());
    Config::read(None, |name| match name {
        "DIANYU_MASTER_KEY" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
        "DIANYU_WECOM_BASE_URL" => Some(platform.clone()),
        "DIANYU_PUBLIC_URL" => Some(public_url.clone()),
        _ => None,
    })
    .unwrap()
}

async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

impl Clinic {
    async fn open() -> Self {
        Self::off_by(0).await
    }

    /// Our clock goes ahead of everybody's by so much.
    async fn off_by(ms: i64) -> Self {
        let stop = CancellationToken::new();
        let options = SandboxOptions {
            clock: Clock::System,
            seed: 7,
            data: None,
        };
        let sandbox = Sandbox::open(options).await.unwrap();
        sandbox.add_corp(seed());
        let (listener, platform) = port().await;
        let (served, until) = (sandbox.clone(), stop.clone());
        tokio::spawn(async move { served.serve(listener, until).await });

        let clock = Clock::fixed(Clock::System.now().plus_ms(ms));
        let shop = World::at_with(&platform, clock.clone()).await;
        let (listener, url) = port().await;
        let app = App::new(
            config(&url, &platform),
            shop.app.db.clone(),
            shop.app.cache.clone(),
            clock,
            Ids::new(2, Timestamp(0)),
        );
        let (router, until) = (dianyu::server::router(&app).0, stop.clone());
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(until.cancelled_owned())
                .await
                .unwrap();
        });
        let clinic = Self {
            shop,
            sandbox,
            app,
            _stop: stop.drop_guard(),
        };
        clinic.callback_came(0).await;
        clinic.swept(2, 500).await;
        clinic.swept(1, 3).await;
        clinic
    }

    /// The last callback is so old.
    async fn callback_came(&self, ago_ms: i64) {
        let at = self.app.now().plus_ms(-ago_ms).0;
        self.shop.run("delete from inbox").await;
        self.shop
            .run(&format!(
                "insert into inbox (corp_id, body_hash, body, received_at, state) values (1, 'h', '<xml/>', {at}, 'read')"
            ))
            .await;
    }

    /// A run that ended so many hours ago corrected so many of a thousand.
    async fn swept(&self, hours: i64, changed: i64) {
        let at = self.app.now().plus_ms(-hours * HOUR_MS).0;
        self.shop
            .run(&format!(
                "insert into sync_run (corp_id, id, kind, state, started_at, ended_at, lease_epoch, lease_until)
                 values (1, {at}, 'nightly', 'done', {at}, {at}, 1, 0)"
            ))
            .await;
        self.shop
            .run(&format!(
                "insert into sync_step (corp_id, run_id, step, sort, state, done, total, seen, changed, closed, failed)
                 values (1, {at}, 'contacts', 2, 'done', 5, 5, 1000, {changed}, 0, 0)"
            ))
            .await;
    }

    fn set_app(&self, change: AppChange) {
        self.sandbox.set_app(CORPID, AGENT, change).unwrap();
    }

    async fn examine(&self) -> Report {
        doctor::examine(&Patient::of(&self.app), None).await
    }

    /// The installation from its parts, the given ones instead of its own.
    fn with(&self, config: Config, cache: Result<Cache, String>) -> Patient {
        Patient::put_together(config, Ok(self.app.db.clone()), cache, self.app.clock.clone())
    }

    /// Somebody sends a callback signed and sealed with these.
    async fn sends_callback(&self, token: &str, key: &str) -> u16 {
        let crypto = CallbackCrypto::new(token, key, CORPID).unwrap();
        let encrypted = crypto.encrypt([7; 16], "<xml><Event>change_external_contact</Event></xml>");
        let timestamp = self.app.now().seconds().to_string();
        let query = [
            ("msg_signature", crypto.signature(&timestamp, "nonce", &encrypted)),
            ("timestamp", timestamp),
            ("nonce", "nonce".to_owned()),
        ];
        let url = format!("{}/wecom/{CORPID}/callback", self.app.config.public_url);
        let body = format!("<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>");
        let answer = reqwest::Client::new()
            .post(url)
            .query(&query)
            .body(body)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    }

    /// Waits until a refused callback is noted: the answer does not wait for that.
    async fn refusal_is_noted(&self) {
        for _ in 0..200 {
            if self.shop.number("select count(*) from callback_refusal").await > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the refused callback was not noted");
    }
}

fn lines(report: &Report, state: State) -> Vec<&Line> {
    report.lines.iter().filter(|line| line.state == state).collect()
}

/// The only check that failed; nothing else is wrong, it says what to do, and no secret.
fn cause(report: &Report) -> &Line {
    let failed = lines(report, State::Failed);
    assert_eq!(failed.len(), 1, "{failed:#?}");
    let warned = lines(report, State::Warning);
    assert!(warned.is_empty(), "{warned:#?}");
    tells_no_secret(report);
    failed[0]
}

fn tells_no_secret(report: &Report) {
    for line in &report.lines {
        let text = format!("{line:?}");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
        let is_wrong = matches!(line.state, State::Warning | State::Failed);
        assert_eq!(line.way_out.is_some(), is_wrong, "{line:?}");
    }
}

fn english(line: &Line) -> String {
    let said = |sentence: &Option<doctor::Sentence>| {
        sentence
            .as_ref()
            .map(|sentence| sentence.english.clone())
            .unwrap_or_default()
    };
    format!("{} → {}", said(&line.finding), said(&line.way_out))
}

fn names(line: &Line, check: &str, words: &[&str]) {
    assert_eq!(line.check, check, "{line:?}");
    let english = english(line);
    for word in words {
        assert!(english.contains(word), "`{word}` is not in: {english}");
    }
}

/// What was not looked at, and why.
fn because<'a>(report: &'a Report, check: &str) -> Option<&'a str> {
    let line = report.lines.iter().find(|line| line.check == check);
    line.and_then(|line| line.because.as_deref())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_installation_has_nothing_wrong() {
    let clinic = Clinic::open().await;
    let report = clinic.examine().await;
    assert!(lines(&report, State::Failed).is_empty(), "{report:#?}");
    assert!(lines(&report, State::Warning).is_empty(), "{report:#?}");
    assert!(lines(&report, State::NotChecked).is_empty(), "{report:#?}");
    assert_eq!(report.lines.len(), 28);
    tells_no_secret(&report);
    let nothing_moved = clinic
        .sandbox
        .ledger()
        .iter()
        .all(|entry| entry.errcode == Some(0) || entry.errcode == Some(41001));
    assert!(nothing_moved, "{:?}", clinic.sandbox.ledger());
}

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
        &["cannot be opened", "DIANYU_DATABASE_URL"],
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
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
    names(
        lines(&report, State::Warning)[0],
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
    let patient = clinic.with(clinic.app.config.clone(), away);
    let report = doctor::examine(&patient, None).await;
    names(cause(&report), "redis", &["does not answer", "DIANYU_REDIS_URL"]);

    clinic
        .shop
        .run("insert into node (number, token, lease_until, last_ms) values (7, 'a', 9999999999999, 0), (8, 'b', 9999999999999, 0)")
        .await;
    let patient = clinic.with(clinic.app.config.clone(), Ok(Cache::memory()));
    let report = doctor::examine(&patient, None).await;
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
async fn a_public_address_that_leads_elsewhere_or_nowhere_is_named() {
    let clinic = Clinic::open().await;
    let (listener, elsewhere) = port().await;
    let other = axum::Router::new().fallback(|| async { "ok\n" });
    tokio::spawn(async move { axum::serve(listener, other).await });
    let platform = clinic.app.config.wecom_base_url.clone();
    for (url, words) in [
        (elsewhere.as_str(), ["not this installation", "DIANYU_PUBLIC_URL"]),
        ("http://127.0.0.1:1", ["cannot be reached", "dianyu serve"]),
    ] {
        let patient = clinic.with(config(url, &platform), Ok(clinic.app.cache.clone()));
        let report = doctor::examine(&patient, None).await;
        names(cause(&report), "public_address", &words);
        assert_eq!(because(&report, "callback_address"), Some("public_address"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_token_that_is_not_the_consoles_is_named() {
    let clinic = Clinic::open().await;
    assert_eq!(clinic.sends_callback("OtherToken2026", KEY).await, 403);
    clinic.refusal_is_noted().await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "callback_address",
        &["another Token", "--callback-token"],
    );
    // One that is accepted shows that all is well again.
    assert_eq!(clinic.sends_callback(TOKEN, KEY).await, 200);
    clinic
        .shop
        .run("update inbox set received_at = received_at + 1")
        .await;
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_key_that_is_not_the_consoles_is_named() {
    let clinic = Clinic::open().await;
    assert_eq!(clinic.sends_callback(TOKEN, OTHER_KEY).await, 403);
    clinic.refusal_is_noted().await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "callback_address",
        &["EncodingAESKey", "--callback-aes-key"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_and_a_wrong_corpid_are_told_apart() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        secret: Some("reset-in-the-console".into()),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(
        cause(&report),
        "credentials",
        &["40001", "secret", "dianyu corp set"],
    );
    assert_eq!(because(&report, "permission.tags"), Some("credentials"));

    let clinic = Clinic::open().await;
    clinic
        .shop
        .run("update corp set corpid = 'wwffffffffffffffff'")
        .await;
    let report = clinic.examine().await;
    names(cause(&report), "credentials", &["40013", "wwffffffffffffffff"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_missing_is_named_by_its_area() {
    let clinic = Clinic::open().await;
    let all_but_moments = [
        "get_api_domain_ip",
        "department/*",
        "user/*",
        "externalcontact/get_follow_user_list",
        "externalcontact/batch/*",
        "externalcontact/get_corp_tag_list",
        "externalcontact/get_groupmsg_list_v2",
        "externalcontact/groupchat/*",
        "externalcontact/list_contact_way",
        "externalcontact/get_unassigned_list",
        "externalcontact/get_user_behavior_data",
        "externalcontact/customer_acquisition_quota",
        "externalcontact/get_product_album_list",
    ];
    clinic.set_app(AppChange {
        apis: Some(all_but_moments.map(str::to_owned).to_vec()),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    let line = cause(&report);
    names(line, "permission.moments", &["48002", "可调用接口的应用"]);
    let zh = dianyu::web::lang::check(dianyu::metrics::Lang::Zh, &line.check);
    assert_eq!(zh, "权限：客户朋友圈");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_visible_range_is_named_and_so_are_members_outside_it() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        members: Some(vec!["nobody".into()]),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(
        cause(&report),
        "visible_range",
        &["sees nobody", "5 members", "可见范围"],
    );
    assert_eq!(because(&report, "permission.contacts"), Some("visible_range"));

    clinic.set_app(AppChange {
        members: Some(vec!["li".into(), "wu".into(), "zhao".into()]),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
    names(
        lines(&report, State::Warning)[0],
        "visible_range",
        &["2 members", "qian, sun"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_trusted_is_named_with_the_one_to_enter() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        trusted_ips: Some(vec!["203.0.113.9".parse().unwrap()]),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(
        cause(&report),
        "trusted_ip",
        &["60020", "enter 127.0.0.1", "企业可信IP"],
    );
    assert_eq!(because(&report, "permission.tags"), Some("trusted_ip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_app_is_named() {
    let clinic = Clinic::open().await;
    clinic.set_app(AppChange {
        is_disabled: Some(true),
        ..AppChange::default()
    });
    let report = clinic.examine().await;
    names(cause(&report), "trusted_ip", &["disabled", "enable it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_is_named() {
    let clinic = Clinic::open().await;
    clinic
        .shop
        .run("update corp set secret_sealed = callback_key_sealed")
        .await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "master_key",
        &["another master key", "DIANYU_MASTER_KEY"],
    );
    assert_eq!(because(&report, "credentials"), Some("master_key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_that_stay_away_are_named() {
    let clinic = Clinic::open().await;
    clinic.callback_came(DAY_MS + HOUR_MS).await;
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
    names(
        lines(&report, State::Warning)[0],
        "callbacks",
        &["25 hours ago", "接收消息"],
    );
    clinic.shop.run("delete from inbox").await;
    let report = clinic.examine().await;
    names(cause(&report), "callbacks", &["no callback has come"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_drifts_and_jobs_that_wait_are_named() {
    let clinic = Clinic::open().await;
    clinic.swept(0, 80).await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "sweep",
        &["corrected 80 of 1000", "callbacks get lost"],
    );

    let clinic = Clinic::open().await;
    let at = clinic.app.now().plus_ms(-2 * HOUR_MS).0;
    clinic
        .shop
        .run(&format!(
            "insert into job (id, corp_id, kind, payload, lane, state, run_at, attempts, lease_epoch, lease_until, created_at)
             values (1, 1, 'sync.nightly', '{{}}', 5, 'waiting', {at}, 0, 0, 0, {at})"
        ))
        .await;
    let report = clinic.examine().await;
    names(cause(&report), "jobs", &["120 minutes", "--no-jobs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_has_the_checks_made_and_reads_them() {
    let clinic = Clinic::open().await;
    let mut admin = Visitor::of(&clinic.shop, Role::Admin, None, None).await;
    let page = admin.get("/admin/platform").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("还没有检查过"), "{}", page.text);
    assert!(
        page.text.contains("上次清查更正了 1,000 条里的 <b>3</b> 条"),
        "{}",
        page.text
    );
    // The visitor's own server is not what its public address leads to: one thing is wrong.
    let made = admin.post("/admin/platform/checks", &[]).await;
    assert_eq!(
        (made.status, made.location.as_str()),
        (StatusCode::SEE_OTHER, "/admin/platform")
    );
    let page = admin.get("/admin/platform").await;
    assert!(
        page.text.contains("要处理") && page.text.contains("DIANYU_PUBLIC_URL"),
        "{}",
        page.text
    );
    assert!(page.text.contains("权限：客户朋友圈"), "{}", page.text);
    for secret in SECRETS {
        assert!(!page.text.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_the_platform_or_starts_a_sync() {
    let shop = World::open().await;
    for (role, store, associate) in [
        (Role::Marketer, None, None),
        (Role::Manager, Some(21), None),
        (Role::Associate, None, Some(31)),
    ] {
        let mut visitor = Visitor::of(&shop, role, store, associate).await;
        for address in ["/admin/platform", "/admin/platform/sync", "/admin/stores"] {
            let page = visitor.get(address).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{role:?} {address}");
        }
        let started = visitor.post("/admin/platform/sync", &[]).await;
        assert_eq!(started.status, StatusCode::FORBIDDEN, "{role:?}");
    }
    assert_eq!(shop.number("select count(*) from sync_run").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_starts_a_sync_watches_it_and_stops_it() {
    let shop = World::open().await;
    let mut admin = Visitor::of(&shop, Role::Admin, None, None).await;
    let page = admin.get("/admin/platform/sync").await;
    assert!(page.text.contains("还没有同步过"), "{}", page.text);
    let started = admin.post("/admin/platform/sync", &[]).await;
    assert_eq!(started.location, "/admin/platform/sync");
    assert_eq!(
        shop.number("select count(*) from sync_run where state = 'running'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from job where kind = 'sync.carry_on'")
            .await,
        1
    );
    // As far as the reader came, with a step that no page has heard of.
    shop.run("update sync_step set state = 'running', done = 2, total = 5, seen = 740, failed = 1, started_at = 0 where step = 'contacts'")
        .await;
    shop.run(
        "insert into sync_step (corp_id, run_id, step, sort, state, done, total, seen, changed, closed, failed)
         select corp_id, id, 'dreams', 9, 'waiting', 0, 0, 0, 0, 0, 0 from sync_run",
    )
    .await;
    shop.run(
        "insert into sync_part (corp_id, run_id, part, members, state, problem)
         select corp_id, id, 4, '[\"qian\"]', 'failed', 'platform refused with 84074: `externalcontact/batch/get_by_user`: no' from sync_run",
    )
    .await;
    let page = admin.get("/admin/platform/sync").await;
    assert!(
        page.text.contains("http-equiv=\"refresh\""),
        "it renews itself without a script"
    );
    let part = admin.get("/admin/platform/sync/part").await;
    for word in ["740", "2 / 5 位成员", "dreams", "qian", "权限配置", "84074"] {
        assert!(
            page.text.contains(word) && part.text.contains(word),
            "{word}: {}",
            part.text
        );
    }
    let run = page.text.split("name=\"run\" value=\"").nth(1).unwrap();
    let run = run.split('"').next().unwrap().to_owned();
    let stopped = admin.post("/admin/platform/sync/end", &[("run", &run)]).await;
    assert_eq!(stopped.location, "/admin/platform/sync");
    assert_eq!(
        shop.number("select count(*) from sync_run where state = 'stopped'")
            .await,
        1
    );
    let again = admin.post("/admin/platform/sync/end", &[("run", &run)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(
        shop.number("select count(*) from audit_entry where action in ('sync.start', 'sync.stop')")
            .await,
        2
    );
    let asked = shop
        .number("select count(*) from job where kind = 'sync.carry_on'")
        .await;
    assert_eq!(asked, 1, "the job finds the run stopped and ends");
}

#[tokio::test]
async fn a_question_to_our_address_is_answered_by_nobody_else() {
    let shop = World::open().await;
    let mut visitor = Visitor::new(&shop);
    let question = random_base62(22);
    let answer = visitor.get(&format!("/healthz/{question}")).await;
    assert_eq!(answer.text.trim(), shop.app.sealer.proof(&question));
    for odd in ["short", "with-a-dash-in-it", &"x".repeat(65)] {
        let answer = visitor.get(&format!("/healthz/{odd}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{odd}");
    }
}
