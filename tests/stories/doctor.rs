//! Doctor: a sound installation has nothing to say; of a broken one the right cause is named, and only that.

mod door;
mod ground;
mod mirror;
mod page;
mod platform;

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

const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn config(public_url: &str, platform: &str) -> Config {
    config_under(MASTER_KEY, public_url, platform)
}

fn config_under(master_key: &str, public_url: &str, platform: &str) -> Config {
    let (public_url, platform) = (public_url.to_owned(), platform.to_owned());
    Config::read(None, |name| match name {
        "DIANYU_MASTER_KEY" => Some(master_key.into()),
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

    /// The report of another program with these settings.
    async fn examined_with(&self, config: Config, cache: Result<Cache, String>) -> Report {
        doctor::examine(&self.with(config, cache), None).await
    }

    /// The platform sends a callback signed and sealed with these.
    async fn sends_callback(&self, token: &str, key: &str) -> u16 {
        self.somebody_sends(token, key, CORPID, 0).await
    }

    /// Somebody sends what looks like a callback to `to`, of so many seconds ago.
    async fn somebody_sends(&self, token: &str, key: &str, to: &str, ago_s: i64) -> u16 {
        let event = format!(
            "<xml><Event>change_external_contact</Event><At>{}</At></xml>",
            random_base62(8)
        );
        let (query, encrypted) = self.signed(token, key, &event, ago_s);
        let body = format!(
            "<xml><ToUserName><![CDATA[{to}]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        );
        let asked = reqwest::Client::new()
            .post(self.callback_address())
            .query(&query)
            .body(body);
        asked.send().await.unwrap().status().as_u16()
    }

    /// The platform asks whether the address is ours, as it does when it is saved in the console.
    async fn asks_whose_address(&self, token: &str, key: &str) -> u16 {
        let (mut query, encrypted) = self.signed(token, key, "5927782489442352469", 0);
        query.push(("echostr", encrypted));
        let asked = reqwest::Client::new().get(self.callback_address()).query(&query);
        asked.send().await.unwrap().status().as_u16()
    }

    fn callback_address(&self) -> String {
        format!("{}/wecom/{CORPID}/callback", self.app.config.public_url)
    }

    fn signed(
        &self,
        token: &str,
        key: &str,
        plain: &str,
        ago_s: i64,
    ) -> (Vec<(&'static str, String)>, String) {
        let crypto = CallbackCrypto::new(token, key, CORPID).unwrap();
        let encrypted = crypto.encrypt([7; 16], plain);
        let timestamp = (self.app.now().seconds() - ago_s).to_string();
        let query = vec![
            ("msg_signature", crypto.signature(&timestamp, "nonce", &encrypted)),
            ("timestamp", timestamp),
            ("nonce", "nonce".to_owned()),
        ];
        (query, encrypted)
    }

    /// Waits until so many refused callbacks are noted: no answer waits for that.
    async fn refusals_noted(&self, expected: i64) {
        for _ in 0..200 {
            if self.shop.number("select count(*) from callback_refusal").await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("refused callbacks noted are not {expected}");
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

/// The only warning, where nothing failed.
fn worry(report: &Report) -> &Line {
    assert!(!report.has_failed(), "{report:#?}");
    let warned = lines(report, State::Warning);
    assert_eq!(warned.len(), 1, "{warned:#?}");
    tells_no_secret(report);
    warned[0]
}

/// Nothing failed and there is no warning.
fn sound(report: &Report) {
    assert!(!report.has_failed(), "{report:#?}");
    let warned = lines(report, State::Warning);
    assert!(warned.is_empty(), "{warned:#?}");
    tells_no_secret(report);
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
    sound(&report);
    assert!(lines(&report, State::NotChecked).is_empty(), "{report:#?}");
    assert_eq!(report.lines.len(), 28);
    let nothing_moved = clinic
        .sandbox
        .ledger()
        .iter()
        .all(|entry| entry.errcode == Some(0) || entry.errcode == Some(41001));
    assert!(nothing_moved, "{:?}", clinic.sandbox.ledger());
}
