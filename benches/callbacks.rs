//! How many callbacks a second are stored before they are answered, over HTTP with 128 connections.
//!
//! `cargo bench --bench callbacks -- --callbacks 20000`, on a SQLite file of its own, or on what `BENCH_DATABASE_URL` and
//! `BENCH_REDIS_URL` name. The limit: bare axum that stores each body with up to 100 others in one commit of the same
//! database, without signature, decryption or repeats. The two alternate, the middle of three rounds counts.
//! A lone callback is compared with one commit of one row. Prints
//! `question | size | database | product | limit | ratio | goal`.

#[path = "parts/line.rs"]
mod line;
mod parts;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use dianyu::app::App;
use dianyu::cache::Cache;
use dianyu::config::{Config, MasterKey};
use dianyu::db::{self, Db};
use dianyu::directory::{self, NewCorp};
use dianyu::ids::Ids;
use dianyu::scope::Actor;
use dianyu::time::Clock;
use dianyu::wecom::crypto::CallbackCrypto;
use sea_orm::sqlx::{self, PgPool, SqlitePool};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use line::Line;

const CORPID: &str = "ww7d1a0c5e93b84f26";
const TOKEN: &str = "BenchToken2026";
const AES_KEY: &str = "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU";
const CONNECTIONS: usize = 128;
const TOGETHER: usize = 100;
const ROUNDS: usize = 3;
/// Callbacks one after another, for the time of a single one.
const LONE: usize = 200;

fn main() -> anyhow::Result<()> {
    let callbacks = parts::number("--callbacks", 20_000)? as usize;
    parts::two_cores()?.block_on(run(callbacks))
}

async fn run(callbacks: usize) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let product = Product::start(&folder).await?;
    let limit = Limit::start(&folder).await?;
    let database = limit.store.name();
    println!("question | size | database | product | limit | ratio | goal");

    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let requests = requests(round, callbacks)?;
        let ours = rate(&product.address, &requests).await?;
        let bare = rate(&limit.address, &requests).await?;
        let stored = (product.stored().await?, limit.store.stored().await?);
        let sent = (round + 1) * callbacks;
        anyhow::ensure!(
            stored == (sent, sent),
            "of {sent} callbacks {stored:?} are stored"
        );
        rounds.push((ours / bare, ours, bare));
    }
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, ours, bare) = rounds[ROUNDS / 2];
    println!(
        "callbacks a second, {CONNECTIONS} connections | {callbacks} | {database} | {ours:.0}/s | {bare:.0}/s | {ratio:.2} | >= 0.5"
    );

    let requests = requests(ROUNDS, LONE)?;
    let mut line = Line::open(&product.address).await?;
    let mut ours = Vec::with_capacity(LONE);
    let mut bare = Vec::with_capacity(LONE);
    for request in requests.iter() {
        let began = Instant::now();
        line.ask(request).await?;
        ours.push(began.elapsed());
        anyhow::ensure!(line.status == 200, "answered {}", line.status);
        let began = Instant::now();
        limit.store.keep(std::slice::from_ref(request)).await?;
        bare.push(began.elapsed());
    }
    let (ours, bare) = (middle(&mut ours), middle(&mut bare));
    println!(
        "a lone callback, middle | {LONE} | {database} | {ours:.2?} | {bare:.2?} | {:.2} | <= 2",
        ours.as_secs_f64() / bare.as_secs_f64()
    );
    println!(
        "memory of the process with client, product and limit: {}",
        parts::memory_of("self")
    );
    Ok(())
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Whole HTTP requests, each with an event of its own.
fn requests(round: usize, count: usize) -> anyhow::Result<Arc<[Vec<u8>]>> {
    let crypto = CallbackCrypto::new(TOKEN, AES_KEY, CORPID).map_err(|error| anyhow::anyhow!("{error}"))?;
    let timestamp = (Clock::System.now().0 / 1_000).to_string();
    let request = |number: usize| {
        let event = format!(
            "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
             <CreateTime>{timestamp}</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[edit_external_contact]]></ChangeType>\
             <UserID><![CDATA[member{}]]></UserID><ExternalUserID><![CDATA[wm{round}x{number}]]></ExternalUserID></xml>",
            number % 1_000
        );
        let encrypted = crypto.encrypt(*b"0123456789abcdef", &event);
        let signature = crypto.signature(&timestamp, "n", &encrypted);
        let envelope = format!(
            "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID>\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        );
        format!(
            "POST /wecom/{CORPID}/callback?msg_signature={signature}&timestamp={timestamp}&nonce=n HTTP/1.1\r\n\
             Host: bench\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{envelope}",
            envelope.len()
        )
        .into_bytes()
    };
    Ok((0..count).map(request).collect())
}

/// Answers a second until every request is answered.
async fn rate(address: &str, requests: &Arc<[Vec<u8>]>) -> anyhow::Result<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (address, requests, next) = (address.to_owned(), requests.clone(), next.clone());
        askers.spawn(async move {
            let mut line = Line::open(&address).await?;
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                line.ask(request).await?;
                anyhow::ensure!(line.status == 200, "answered {}: {}", line.status, line.said());
            }
            Ok(())
        });
    }
    while let Some(asked) = askers.join_next().await {
        asked??;
    }
    Ok(requests.len() as f64 / started.elapsed().as_secs_f64())
}

/// The product as `dianyu serve --no-jobs` runs it.
struct Product {
    app: App,
    address: String,
}

impl Product {
    async fn start(folder: &tempfile::TempDir) -> anyhow::Result<Self> {
        let key = MasterKey::generate().to_base64();
        let config = Config::read(None, |name| (name == "DIANYU_MASTER_KEY").then(|| key.clone()));
        let mut config = config.map_err(anyhow::Error::msg)?;
        config.max_connections_per_address = CONNECTIONS * 2;
        let db = match std::env::var("BENCH_DATABASE_URL") {
            Ok(url) => Db::connect_postgres(&url, Some(&schema())).await,
            Err(_) => Db::connect(&format!("sqlite://{}/product.sqlite", folder.path().display())).await,
        };
        let db = db.map_err(|error| anyhow::anyhow!("{error}"))?;
        let cache = match std::env::var("BENCH_REDIS_URL") {
            Ok(url) => Cache::redis(&url, "bench").await?,
            Err(_) => Cache::memory(),
        };
        db::migrate::up(&db, Clock::System.now()).await?;
        let ids = Ids::new(1, Clock::System.now());
        let app = App::new(config, db, cache, Clock::System, ids);
        connect_corp(&app).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(dianyu::server::serve(app.clone(), listener));
        Ok(Self { app, address })
    }

    async fn stored(&self) -> anyhow::Result<usize> {
        let callbacks = db::count(&self.app.db, "select count(*) from inbox", vec![]).await?;
        Ok(callbacks as usize)
    }
}

/// A schema for this run alone.
fn schema() -> String {
    format!("bench_{}", dianyu::ids::random_base62(8).to_lowercase())
}

async fn connect_corp(app: &App) -> anyhow::Result<()> {
    let tx = app.db.begin().await?;
    let corp = NewCorp {
        corpid: CORPID.to_owned(),
        name: "bench".to_owned(),
        zone: chrono_tz::Asia::Shanghai,
        agent_id: 1_000_002,
        secret: "bench-secret".into(),
        callback_token: TOKEN.into(),
        callback_aes_key: AES_KEY.into(),
        link_hosts: vec!["shop.example.com".to_owned()],
        mini_store: None,
    };
    directory::add_corp(&tx, &app.act(Actor::Platform), &app.sealer, corp).await?;
    tx.commit().await?;
    Ok(())
}

/// Bodies as they came, in one table.
#[derive(Clone)]
enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool, String),
}

impl Store {
    async fn open(folder: &tempfile::TempDir) -> anyhow::Result<Self> {
        match std::env::var("BENCH_DATABASE_URL") {
            Ok(url) => {
                let pool = PgPool::connect(&url).await.context("BENCH_DATABASE_URL")?;
                let table = format!("limit_{}", dianyu::ids::random_base62(8).to_lowercase());
                let create = format!("create table {table} (id bigserial primary key, body text not null)");
                sqlx::query(sqlx::AssertSqlSafe(create)).execute(&pool).await?;
                Ok(Self::Postgres(pool, table))
            }
            Err(_) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(folder.path().join("limit.sqlite"))
                    .create_if_missing(true)
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "FULL");
                let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
                let pool = pool.connect_with(options).await?;
                let create = "create table limit_inbox (id integer primary key, body text not null)";
                sqlx::query(create).execute(&pool).await?;
                Ok(Self::Sqlite(pool))
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(..) => "PostgreSQL",
        }
    }

    /// One commit.
    async fn keep(&self, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(pool) => {
                let mut tx = pool.begin().await?;
                for body in bodies {
                    sqlx::query("insert into limit_inbox (body) values (?)")
                        .bind(std::str::from_utf8(body)?)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
            }
            Self::Postgres(pool, table) => {
                let texts: Vec<&str> = bodies
                    .iter()
                    .map(|body| std::str::from_utf8(body))
                    .collect::<Result<_, _>>()?;
                let insert = format!("insert into {table} (body) select unnest($1::text[])");
                sqlx::query(sqlx::AssertSqlSafe(insert))
                    .bind(texts)
                    .execute(pool)
                    .await?;
            }
        }
        Ok(())
    }

    async fn stored(&self) -> anyhow::Result<usize> {
        let count: i64 = match self {
            Self::Sqlite(pool) => {
                sqlx::query_scalar("select count(*) from limit_inbox")
                    .fetch_one(pool)
                    .await?
            }
            Self::Postgres(pool, table) => {
                let count = format!("select count(*) from {table}");
                sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                    .fetch_one(pool)
                    .await?
            }
        };
        Ok(count as usize)
    }
}

type Waiting = (Bytes, oneshot::Sender<bool>);

/// Bare axum with a writer behind it.
struct Limit {
    store: Store,
    address: String,
}

impl Limit {
    async fn start(folder: &tempfile::TempDir) -> anyhow::Result<Self> {
        let store = Store::open(folder).await?;
        let (tell, mut told) = mpsc::channel::<Waiting>(8_192);
        let writer = store.clone();
        tokio::spawn(async move {
            let mut some = Vec::with_capacity(TOGETHER);
            while told.recv_many(&mut some, TOGETHER).await > 0 {
                let (bodies, callers): (Vec<Vec<u8>>, Vec<_>) = some
                    .drain(..)
                    .map(|(body, caller)| (body.to_vec(), caller))
                    .unzip();
                let is_kept = writer.keep(&bodies).await.is_ok();
                for caller in callers {
                    let _ = caller.send(is_kept);
                }
            }
        });
        let router = Router::new()
            .route("/wecom/{corp}/callback", post(keep))
            .with_state(tell);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { store, address })
    }
}

async fn keep(State(tell): State<mpsc::Sender<Waiting>>, body: Bytes) -> StatusCode {
    let (done, outcome) = oneshot::channel();
    if tell.send((body, done)).await.is_ok() && outcome.await == Ok(true) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}
