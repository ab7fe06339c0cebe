//! The process killed with `kill -9` while callbacks come in: what was answered is stored.

use std::collections::HashSet;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dianyu::db::{self, Db};
use dianyu::wecom::crypto::CallbackCrypto;
use sea_orm::ConnectionTrait;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

const CORPID: &str = "ww1a2b3c4d5e6f7a8b";
const TOKEN: &str = "SimToken2026";
const AES_KEY: &str = "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU";
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ROUNDS: usize = 20;
/// Answers to wait for, at least, before a round ends.
const LEAST: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn r12_an_answered_callback_is_in_the_inbox_after_kill_9() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let url = database(&folder).await;
    let port = free_port();
    connect_corp(&url, port).await;

    let mut acknowledged = HashSet::new();
    for round in 0..ROUNDS {
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
        acknowledged.len() >= ROUNDS * LEAST,
        "only {} callbacks were answered",
        acknowledged.len()
    );
    assert!(
        lost.is_empty(),
        "{} of {} answered callbacks are lost",
        lost.len(),
        acknowledged.len()
    );
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
async fn database(folder: &tempfile::TempDir) -> String {
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

async fn connect_corp(url: &str, port: u16) {
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

#[expect(
    clippy::disallowed_methods,
    reason = "the process is what this story is about"
)]
fn start(url: &str, port: u16, arguments: &[&str]) -> Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dianyu"));
    command
        .args(arguments)
        .env("DIANYU_DATABASE_URL", url)
        .env("DIANYU_LISTEN", format!("127.0.0.1:{port}"))
        .env("DIANYU_MASTER_KEY", MASTER_KEY)
        .env("DIANYU_WECOM_BASE_URL", "http://127.0.0.1:1")
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
