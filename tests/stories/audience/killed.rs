//! The index of a process that was killed with `kill -9` after changes it had not written down.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dianyu::app::App;
use dianyu::auth;
use dianyu::cache::Cache;
use dianyu::config::Config;
use dianyu::db::{self, Db};
use dianyu::ids::{CorpId, Ids};
use dianyu::scope::{Actor, Scope};
use dianyu::segments::index::{self, Built};
use dianyu::segments::{Ordered, Rule, Stage};
use dianyu::time::Clock;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::agrees;
use crate::kill::{MASTER_KEY, database};
use crate::world::ZONE;

const ROUNDS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_changes_it_starts_from_an_older_snapshot_and_says_what_the_database_says() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let url = database(&folder).await;
    let seed = [
        "seed",
        "--contacts",
        "400",
        "--associates",
        "6",
        "--stores",
        "3",
        "--days",
        "10",
    ];
    assert!(start(&url, folder.path(), 0, &seed).wait().unwrap().success());
    let app = look(&url, folder.path()).await;
    let corp: i64 = db::scalar(&app.db, "select id from corp", vec![])
        .await
        .unwrap()
        .unwrap();
    let corp = CorpId(corp);
    let code = "select code from store order by id limit 1";
    let code: String = db::scalar(&app.db, code, vec![]).await.unwrap().unwrap();
    let buyers = "select external_userid from contact order by id";
    let buyers: Arc<Vec<String>> = Arc::new(db::scalars(&app.db, buyers, vec![]).await.unwrap());
    let tx = app.db.begin().await.unwrap();
    let scopes = ["orders:write".to_owned()];
    let (_, key) = auth::add_key(&tx, &app.act(Actor::System), corp, "till", &scopes, None)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let snapshot = folder.path().join("audience").join(format!("{corp}.index"));
    let ordered = |at_least| {
        Rule::Ordered(Ordered {
            within_days: 1,
            at_least,
            category: None,
            net_fen_at_least: None,
        })
    };
    let (mut told, mut written) = (0, None);
    for round in 0..ROUNDS {
        let port = free_port();
        let mut product = start(&url, folder.path(), port, &["serve", "--no-jobs"]);
        // It is there once the index is built, and stays as it is for the minutes that follow.
        until(|| snapshot.exists()).await;
        let before = std::fs::metadata(&snapshot).unwrap().modified().unwrap();
        assert_eq!(
            *written.get_or_insert(before),
            before,
            "nothing was written down since"
        );
        let answered = Arc::new(AtomicUsize::new(0));
        let tills: Vec<_> = (0..3)
            .map(|till| {
                let (answered, buyers) = (answered.clone(), buyers.clone());
                let (key, code) = (key.expose_secret().to_owned(), code.clone());
                tokio::spawn(async move {
                    let http = reqwest::Client::builder().no_proxy().build().unwrap();
                    for number in 0..200 {
                        let order = json!([{
                            "order_no": format!("K{round}-{till}-{number}"), "store_code": code, "channel": "till",
                            "paid_at": Clock::System.now(), "paid_fen": 100,
                            "buyer": {"external_userid": buyers[(round * 83 + till * 31 + number * 7) % buyers.len()]},
                            "lines": [{"sku": "D", "name": "D", "category": "dress", "quantity": 1, "paid_fen": 100,
                                       "list_fen": 100}]
                        }]);
                        let sent = http
                            .post(format!("http://127.0.0.1:{port}/api/v1/orders"))
                            .bearer_auth(&key)
                            .json(&order)
                            .send()
                            .await;
                        match sent {
                            Ok(answer) if answer.status().is_success() => answered.fetch_add(1, Ordering::Relaxed),
                            Ok(answer) => panic!("{}", answer.text().await.unwrap()),
                            // It does not listen yet, or no more.
                            Err(_) if answered.load(Ordering::Relaxed) > 0 => break,
                            Err(_) => {
                                tokio::time::sleep(Duration::from_millis(20)).await;
                                0
                            }
                        };
                    }
                })
            })
            .collect();
        until(|| answered.load(Ordering::Relaxed) > 5 + round * 7).await;
        product.kill().unwrap();
        product.wait().unwrap();
        for till in tills {
            till.await.unwrap();
        }
        told += answered.load(Ordering::Relaxed);

        let again = look(&url, folder.path()).await;
        assert_eq!(index::build(&again, corp, ZONE).await.unwrap(), Built::FromDisk);
        let scope = Scope::whole(corp);
        for rule in [
            ordered(None),
            ordered(Some(2)),
            Rule::Not(Box::new(ordered(None))),
            Rule::Stage(Stage::Active),
        ] {
            agrees(&again, &scope, &rule).await;
        }
    }
    let stored = "select count(*) from sale where order_no like 'K%'";
    let stored = db::count(&app.db, stored, vec![]).await.unwrap();
    assert!(
        stored >= told as i64,
        "{stored} of {told} orders that were answered"
    );
}

async fn look(url: &str, folder: &Path) -> App {
    let config = Config::read(None, |name| {
        (name == "DIANYU_MASTER_KEY").then(|| MASTER_KEY.to_owned())
    });
    let mut config = config.unwrap();
    config.data_dir = Some(folder.to_path_buf());
    let db = Db::connect(url).await.unwrap();
    let ids = Ids::new(9, Clock::System.now());
    App::new(config, db, Cache::memory(), Clock::System, ids)
}

async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..2_400 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not within a minute");
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process is what this story is about"
)]
fn start(url: &str, folder: &Path, port: u16, arguments: &[&str]) -> Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dianyu"));
    command
        .args(arguments)
        .env("DIANYU_DATABASE_URL", url)
        .env("DIANYU_DATA_DIR", folder)
        .env("DIANYU_LISTEN", format!("127.0.0.1:{port}"))
        .env("DIANYU_MASTER_KEY", MASTER_KEY)
        .env("DIANYU_WECOM_BASE_URL", "http://127.0.0.1:1")
        .env("DIANYU_LOG", "error")
        .env_remove("DIANYU_REDIS_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
