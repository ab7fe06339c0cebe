//! The process killed with `kill -9`: while callbacks come in, what was answered is stored; in the middle of a sync, the
//! next one goes on and ends equal.

use std::collections::{BTreeSet, HashSet};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dianyu::db::{self, Conn as _, Db};
use dianyu::sandbox::{CorpSeed, Customer, Knobs, Member, Relation, Sandbox, SandboxOptions};
use dianyu::time::{Clock, DAY_MS};
use dianyu::wecom::crypto::CallbackCrypto;
use sea_orm::ConnectionTrait;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::street::seed;
use crate::world::start as start_of_story;

const CORPID: &str = "ww1a2b3c4d5e6f7a8b";
const TOKEN: &str = "SimToken2026";
const AES_KEY: &str = "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU";
pub const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Kills, unless `KILL_ROUNDS` says another number.
const ROUNDS: usize = 20;
/// Times a sync is killed.
const KILLS: usize = 10;
/// Answers to wait for, at least, before a round ends.
const LEAST: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn r12_an_answered_callback_is_in_the_inbox_after_kill_9() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let url = database(&folder).await;
    let port = free_port();
    connect_corp(&url, port).await;

    let rounds = std::env::var("KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let mut acknowledged = HashSet::new();
    for round in 0..rounds {
        let mut product = start(&url, port, &["serve"]);
        wait_until_ready(port).await;
        let answered = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..8)
            .map(|sender| tokio::spawn(send_until_refused(port, round, sender, answered.clone())))
            .collect();
        // In the middle of the load, never at the same place, however slow the machine is.
        let enough = LEAST + (round * 7) % 41;
        while answered.load(Ordering::Relaxed) < enough && !senders.iter().any(JoinHandle::is_finished) {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        product.kill().unwrap();
        product.wait().unwrap();
        for sender in senders {
            acknowledged.extend(sender.await.unwrap());
        }
    }

    let db = Db::connect(&url).await.unwrap();
    let stored: Vec<String> = db::scalars(&db, "select body from inbox", vec![]).await.unwrap();
    let stored: HashSet<String> = stored.into_iter().collect();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|body| !stored.contains(*body))
        .collect();
    assert!(
        acknowledged.len() >= rounds * LEAST,
        "only {} callbacks were answered",
        acknowledged.len()
    );
    println!(
        "{rounds} kills, {} callbacks answered, {} of them lost",
        acknowledged.len(),
        lost.len()
    );
    assert!(
        lost.is_empty(),
        "{} of {} answered callbacks are lost",
        lost.len(),
        acknowledged.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_killed_ten_times_goes_on_and_ends_equal_to_the_platform() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let url = database(&folder).await;
    let sandbox = Sandbox::open(SandboxOptions {
        clock: Clock::System,
        seed: 7,
        data: None,
    })
    .await
    .unwrap();
    let corp = crowded();
    let expected: BTreeSet<(String, String, String)> = corp
        .relations
        .iter()
        .map(|pair| {
            (
                pair.userid.clone(),
                pair.external_userid.clone(),
                pair.remark.clone(),
            )
        })
        .collect();
    sandbox.add_corp(corp);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let platform = format!("http://{}", listener.local_addr().unwrap());
    let until = CancellationToken::new();
    let _stop = until.clone().drop_guard();
    let served = sandbox.clone();
    tokio::spawn(async move { served.serve(listener, until).await });
    connect_corp(&url, free_port()).await;
    // Slow enough that every kill finds it at work.
    sandbox.set_knobs(Knobs {
        answer_ms: 20,
        ..Knobs::default()
    });

    let sync = ["sync", "--corp", CORPID];
    let db = Db::connect(&url).await.unwrap();
    let mut killed_at = Vec::new();
    while killed_at.len() < KILLS {
        let kill = killed_at.len();
        let mut running = start_at(&url, &platform, 0, &sync);
        // Some kills hit the first calls, some what follows a commit.
        let (calls_before, read_before) = (calls(&sandbox), read(&db).await);
        while calls(&sandbox) < calls_before + 2 + kill || (kill % 3 > 0 && read(&db).await == read_before) {
            assert!(
                running.try_wait().unwrap().is_none(),
                "it ended before it was killed"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        running.kill().unwrap();
        running.wait().unwrap();
        killed_at.push(read(&db).await);
        // Its lease runs out.
        let tx = db.begin().await.unwrap();
        let forget = "update sync_run set lease_until = 0";
        tx.raw().execute_unprepared(forget).await.unwrap();
        tx.commit().await.unwrap();
    }
    sandbox.set_knobs(Knobs::default());
    assert!(start_at(&url, &platform, 0, &sync).wait().unwrap().success());

    let places: BTreeSet<_> = killed_at.iter().filter(|read| **read > 0).collect();
    assert!(places.len() >= 5, "killed after {killed_at:?} pairs");
    let rows = db::rows(
        &db,
        "select a.userid, c.external_userid, f.remark from follow f
         join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
         join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
         where f.state = 'active'",
        vec![],
    )
    .await
    .unwrap();
    let text = |row, index| db::column::<String>(row, index).unwrap();
    let held: BTreeSet<_> = rows
        .iter()
        .map(|row| (text(row, 0), text(row, 1), text(row, 2)))
        .collect();
    assert_eq!(held, expected);
    let once = [
        "select count(*) from follow",
        "select count(*) from follow_period where until_at is null",
        "select count(*) from timeline where kind = 'added'",
        "select cast(sum(value) as bigint) from store_day where code = 'new_relations'",
    ];
    for sql in once {
        let count = db::count(&db, sql, vec![]).await.unwrap();
        assert_eq!(count as usize, expected.len(), "{sql}");
    }
}

/// Calls for pages of pairs so far.
fn calls(sandbox: &Sandbox) -> usize {
    let is_page = |api: &str| api == "externalcontact/batch/get_by_user";
    sandbox
        .ledger()
        .iter()
        .filter(|entry| is_page(&entry.api))
        .count()
}

/// Pairs that are stored so far.
async fn read(db: &Db) -> i64 {
    let sql = "select cast(coalesce(sum(seen), 0) as bigint) from sync_step where step = 'contacts'";
    db::count(db, sql, vec![]).await.unwrap()
}

/// The usual corp with so many members more that no kill comes too late, of 150 customers each.
fn crowded() -> CorpSeed {
    let mut corp = seed();
    for member in 0..120 {
        let userid = format!("crowd{member:03}");
        corp.members.push(Member {
            userid: userid.clone(),
            name: userid.clone(),
            department: vec![21],
            ..Member::default()
        });
        for number in 0..150 {
            let external_userid = format!("wmKill{member:03}x{number:03}");
            corp.relations.push(Relation {
                userid: userid.clone(),
                external_userid: external_userid.clone(),
                createtime: start_of_story().plus_ms(-2 * DAY_MS).seconds(),
                remark: format!("第 {number} 位"),
                add_way: 1,
                ..Relation::default()
            });
            corp.customers.push(Customer {
                external_userid,
                name: format!("客{number}"),
                ..Customer::default()
            });
        }
    }
    corp
}

/// Sends distinct events of one second one after another until the process is gone; answers those acknowledged.
async fn send_until_refused(
    port: u16,
    round: usize,
    sender: usize,
    answered: Arc<AtomicUsize>,
) -> Vec<String> {
    let crypto = CallbackCrypto::new(TOKEN, AES_KEY, CORPID).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let body = format!(
            "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
             <CreateTime>1719830401</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[enter_agent]]></Event>\
             <EventKey><![CDATA[{round}-{sender}-{number}]]></EventKey></xml>"
        );
        let encrypted = crypto.encrypt(*b"0123456789abcdef", &body);
        let timestamp = (dianyu::time::Clock::System.now().0 / 1000).to_string();
        let signature = crypto.signature(&timestamp, "n", &encrypted);
        let envelope = format!(
            "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID>\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        );
        let address = format!(
            "http://127.0.0.1:{port}/wecom/{CORPID}/callback?msg_signature={signature}&timestamp={timestamp}&nonce=n"
        );
        match http.post(&address).body(envelope).send().await {
            Ok(answer) if answer.status().is_success() => {
                acknowledged.push(body);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => panic!("a sound callback was answered {}", answer.status()),
            Err(_) => break,
        }
    }
    acknowledged
}

/// A database of its own: a file, or a fresh one on the PostgreSQL the suite runs on.
pub async fn database(folder: &tempfile::TempDir) -> String {
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => {
            let name = format!("kill_{}", dianyu::ids::random_base62(10).to_lowercase());
            let server = sea_orm::Database::connect(&url).await.unwrap();
            server
                .execute_unprepared(&format!("create database {name}"))
                .await
                .unwrap();
            let (server, _) = url.rsplit_once('/').unwrap();
            format!("{server}/{name}")
        }
        Err(_) => format!("sqlite://{}/kill.sqlite", folder.path().display()),
    }
}

pub async fn connect_corp(url: &str, port: u16) {
    let arguments = [
        "corp",
        "add",
        "--corpid",
        CORPID,
        "--name",
        "禾与",
        "--agent-id",
        "1000002",
        "--secret",
        "sandbox-secret",
        "--callback-token",
        TOKEN,
        "--callback-aes-key",
        AES_KEY,
        "--link-host",
        "shop.example.com",
    ];
    let mut command = start(url, port, &arguments);
    assert!(command.wait().unwrap().success(), "the corp is connected");
}

/// The program, with no platform to speak to.
fn start(url: &str, port: u16, arguments: &[&str]) -> Child {
    start_at(url, "http://127.0.0.1:1", port, arguments)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process is what this story is about"
)]
fn start_at(url: &str, platform: &str, port: u16, arguments: &[&str]) -> Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dianyu"));
    command
        .args(arguments)
        .env("DIANYU_DATABASE_URL", url)
        .env("DIANYU_LISTEN", format!("127.0.0.1:{port}"))
        .env("DIANYU_MASTER_KEY", MASTER_KEY)
        .env("DIANYU_WECOM_BASE_URL", platform)
        .env("DIANYU_LOG", "error")
        .env_remove("DIANYU_REDIS_URL")
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

async fn wait_until_ready(port: u16) {
    for _ in 0..400 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            let _ = stream.shutdown().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the product does not answer");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
