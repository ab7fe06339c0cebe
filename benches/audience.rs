//! How long a rule over millions of contacts takes: how many, and who.
//!
//! `cargo bench --bench audience -- --contacts 1000000`, on a SQLite file of its own, or on what `BENCH_DATABASE_URL`
//! names. Every contact carries ten of 200 tags; a fifth is followed twice. The limit: the database itself, by the
//! product's own condition. Both must find the same people. With eight callers it is asked over HTTP. Prints
//! `question | size | database | product | limit | ratio | goal`.

#[path = "parts/line.rs"]
mod line;
mod parts;

use std::time::{Duration, Instant};

use dianyu::app::App;
use dianyu::auth;
use dianyu::cache::Cache;
use dianyu::config::{Config, MasterKey};
use dianyu::db::{self, Conn as _, Db};
use dianyu::ids::{CorpId, Ids, RegionId, TagId};
use dianyu::scope::{Actor, Scope};
use dianyu::segments::index::{self, Built};
use dianyu::segments::{self, Messaged, Ordered, Rule, Within};
use dianyu::time::{Clock, DAY_MS, Timestamp};
use sea_orm::ConnectionTrait as _;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use line::Line;

const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;
const CORP: CorpId = CorpId(1);
/// Days over which contacts came, orders were paid, and links clicked.
const ADDED_DAYS: u64 = 1_500;
const ORDER_DAYS: u64 = 730;
const CLICK_DAYS: u64 = 365;
/// Days with a campaign each, that reached one in twenty.
const CAMPAIGNS: u64 = 30;
const ASKS: usize = 400;
const CALLERS: usize = 8;
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let contacts = parts::number("--contacts", 1_000_000)?;
    parts::two_cores()?.block_on(run(contacts))
}

async fn run(contacts: u64) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let app = open(&folder).await?;
    let began = Instant::now();
    fill(&app, contacts).await?;
    app.db.look_at_tables().await?;
    eprintln!("filled in {:.0?}; {}", began.elapsed(), parts::memory());

    let database = app.db.backend().name();
    println!("question | size | database | product | limit | ratio | goal");
    let began = Instant::now();
    anyhow::ensure!(
        index::build(&app, CORP, ZONE).await? == Built::FromDatabase,
        "built anew"
    );
    println!(
        "build, and snapshot | {contacts} | {database} | {:.1?} | | |",
        began.elapsed()
    );
    let size = index::size(&app, CORP, ZONE).ok_or_else(|| anyhow::anyhow!("no index"))?;
    println!(
        "bytes a tag link | {} | {database} | {:.2} | | | <= 2",
        size.tag_links,
        size.tag_bytes as f64 / size.tag_links as f64
    );
    println!("memory of the process after building: {}", parts::memory());

    let door = Door::open(&app).await?;
    for (name, rule) in rules() {
        compare(&app, &door, name, &rule, contacts).await?;
    }
    println!("memory of the process with cached leaves: {}", parts::memory());
    start_again(&app, contacts).await
}

async fn open(folder: &tempfile::TempDir) -> anyhow::Result<App> {
    let key = MasterKey::generate().to_base64();
    let config = Config::read(None, |name| (name == "DIANYU_MASTER_KEY").then(|| key.clone()));
    let mut config = config.map_err(anyhow::Error::msg)?;
    config.data_dir = Some(folder.path().to_path_buf());
    let db = match std::env::var("BENCH_DATABASE_URL") {
        Ok(url) => {
            let schema = format!("bench_{}", dianyu::ids::random_base62(8).to_lowercase());
            Db::connect_postgres(&url, Some(&schema)).await
        }
        Err(_) => Db::connect(&format!("sqlite://{}/bench.sqlite", folder.path().display())).await,
    };
    let db = db.map_err(|error| anyhow::anyhow!("{error}"))?;
    db::migrate::up(&db, Clock::System.now()).await?;
    Ok(App::new(
        config,
        db,
        Cache::memory(),
        Clock::System,
        Ids::new(1, Clock::System.now()),
    ))
}

/// The rule that is talked about, and two that find many.
fn rules() -> Vec<(&'static str, Rule)> {
    let tag = |id| Rule::Tag(TagId(id));
    let not = |rule| Rule::Not(Box::new(rule));
    vec![
        (
            "t1 & (t21|t22) & !t41 & region & added <= 90 d & messaged < 4",
            Rule::All(vec![
                tag(1),
                Rule::Any(vec![tag(21), tag(22)]),
                not(tag(41)),
                Rule::Region(RegionId(1)),
                Rule::Added(Within { within_days: 90 }),
                Rule::Messaged(Messaged {
                    within_days: 30,
                    at_most: Some(3),
                    at_least: None,
                }),
            ]),
        ),
        ("t1 & !t41", Rule::All(vec![tag(1), not(tag(41))])),
        (
            "(t1|t21|t61) & ordered <= 365 d",
            Rule::All(vec![
                Rule::Any(vec![tag(1), tag(21), tag(61)]),
                Rule::Ordered(Ordered {
                    within_days: 365,
                    at_least: None,
                    category: None,
                    net_fen_at_least: None,
                }),
            ]),
        ),
    ]
}

async fn compare(app: &App, door: &Door, name: &str, rule: &Rule, contacts: u64) -> anyhow::Result<()> {
    let (scope, database) = (Scope::whole(CORP), app.db.backend().name());
    let now = app.now();
    let began = Instant::now();
    let people = indexed(app, rule, now).await?;
    let first = began.elapsed();
    // Which of the two goes first changes from round to round.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut counted = 0;
    for round in 0..ROUNDS {
        for side in [round % 2, (round + 1) % 2] {
            let began = Instant::now();
            if side == 0 {
                for _ in 0..ASKS / ROUNDS {
                    segments::preview(app, &scope, rule, ZONE, now).await?;
                }
                ours.push(began.elapsed() / (ASKS / ROUNDS) as u32);
            } else {
                counted =
                    segments::count_people(&app.db, &scope, std::slice::from_ref(rule), ZONE, now).await?;
                theirs.push(began.elapsed());
            }
        }
    }
    anyhow::ensure!(counted == people.len() as i64, "{counted} and {}", people.len());
    let expected = segments::people(&app.db, &scope, rule, ZONE, now).await?;
    anyhow::ensure!(people == expected, "other people");
    let (one, sql) = (middle(&mut ours), middle(&mut theirs));
    println!(
        "preview: {name}: {} people | {contacts} | {database} | {one:.2?} (first {first:.2?}) | {sql:.0?} | {:.0} | >= 50",
        people.len(),
        sql.as_secs_f64() / one.as_secs_f64()
    );

    let began = Instant::now();
    indexed(app, rule, now).await?;
    println!(
        "ids: {name} | {contacts} | {database} | {:.2?} | | | <= 20 ms",
        began.elapsed()
    );

    let mut times = asked_by_many(door, rule, counted).await?;
    times.sort();
    println!(
        "p99 over HTTP with {CALLERS} callers: {name} | {contacts} | {database} | {:.2?} | | | <= 10 ms",
        times[times.len() * 99 / 100]
    );
    Ok(())
}

/// The product's address, and a key to it.
struct Door {
    address: String,
    key: SecretString,
}

impl Door {
    async fn open(app: &App) -> anyhow::Result<Self> {
        let tx = app.db.begin().await?;
        let scopes = auth::key_scopes()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let (_, key) = auth::add_key(&tx, &app.act(Actor::System), CORP, "bench", &scopes, None).await?;
        tx.commit().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(dianyu::server::serve(app.clone(), listener));
        Ok(Self { address, key })
    }
}

/// How long each of many previews took that several asked for at once.
async fn asked_by_many(door: &Door, rule: &Rule, count: i64) -> anyhow::Result<Vec<Duration>> {
    let body = serde_json::json!({ "rule": rule }).to_string();
    let request = format!(
        "POST /api/v1/segments/preview HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        door.key.expose_secret(),
        body.len()
    );
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (address, request) = (door.address.clone(), request.clone());
        callers.spawn(async move {
            let mut line = Line::open(&address).await?;
            let mut times = Vec::with_capacity(ASKS / CALLERS);
            for _ in 0..ASKS / CALLERS {
                let began = Instant::now();
                line.ask(request.as_bytes()).await?;
                times.push(began.elapsed());
                let answer: serde_json::Value = serde_json::from_slice(&line.body)?;
                anyhow::ensure!(answer["count"] == count, "{}: {}", line.status, line.said());
            }
            Ok::<_, anyhow::Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(asked) = callers.join_next().await {
        times.extend(asked??);
    }
    Ok(times)
}

async fn indexed(app: &App, rule: &Rule, now: Timestamp) -> anyhow::Result<Vec<dianyu::ids::ContactId>> {
    // The first question about a leaf that only the database can say may take longer than an asker waits.
    for _ in 0..600 {
        if let Some(people) = index::people(app, &Scope::whole(CORP), rule, ZONE, now).await? {
            return Ok(people);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("the index does not answer")
}

/// A start with the snapshot there, and how long one more takes to write.
async fn start_again(app: &App, contacts: u64) -> anyhow::Result<()> {
    let database = app.db.backend().name();
    let again = App::new(
        app.config.clone(),
        app.db.clone(),
        Cache::memory(),
        Clock::System,
        Ids::new(2, Clock::System.now()),
    );
    let began = Instant::now();
    anyhow::ensure!(
        index::build(&again, CORP, ZONE).await? == Built::FromDisk,
        "from the snapshot"
    );
    println!(
        "start from the snapshot | {contacts} | {database} | {:.0?} | | | <= 200 ms",
        began.elapsed()
    );
    let tx = app.db.begin().await?;
    tx.note(CORP, db::changes::Fact::Follow, [id_of(0)]);
    tx.commit().await?;
    let rule = Rule::Tag(TagId(1));
    let began = Instant::now();
    indexed(&again, &rule, again.now()).await?;
    println!(
        "an answer just after a change | {contacts} | {database} | {:.2?} | | | <= 20 ms",
        began.elapsed()
    );
    let began = Instant::now();
    index::save_all(&again).await;
    println!(
        "writing the snapshot | {contacts} | {database} | {:.0?} | | |",
        began.elapsed()
    );
    Ok(())
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Ids as a first sync gives them: four a millisecond.
fn id_of(contact: u64) -> i64 {
    (((20_000_000_000 + contact / 4) << 22) | (contact % 4)) as i64
}

/// The contact's id in SQL, by its number `n.i`.
const ID: &str = "((20000000000 + n.i / 4) * 4194304 + n.i % 4)";

/// Chance out of a number, 0–999, another for each salt.
fn chance(salt: u64) -> String {
    format!(
        "(((n.i + {salt}) * {} / 65536 + n.i / 7) % 1000)",
        1_103_515_245u64 + 7_368_787 * salt
    )
}

/// Numbers from `first` below `limit`, every so many.
fn numbers(first: u64, step: u64, limit: u64) -> String {
    format!(
        "with recursive n(i) as (select {first} union all select i + {step} from n where i + {step} < {limit})"
    )
}

async fn fill(app: &App, contacts: u64) -> anyhow::Result<()> {
    let today = app.now().day(ZONE);
    let (stores, associates) = (scaled(contacts, 1_000), scaled(contacts, 20_000));
    let tags: Vec<String> = (0..10)
        .map(|group| {
            // The first tags of a group are carried by many, the last by few.
            let chance = chance(group + 1);
            format!("cast({group} * 20 + 1 + {chance} * {chance} / 50000 as text)")
        })
        .collect();
    let tags = format!("' ' || {} || ' '", tags.join(" || ' ' || "));
    let mut statements = vec![
        "insert into corp (id, corpid, name, zone, agent_id, secret_sealed, callback_token_sealed, callback_key_sealed,
           quota_mode, link_hosts, mini_store, status, created_at)
         values (1, 'wwbench', 'bench', 'Asia/Shanghai', 1, '', '', '', 'month_days', '', null, 'active', 0)"
            .to_owned(),
        format!(
            "insert into store (corp_id, id, code, name, region_id, zone, status, created_at)
             {} select 1, n.i, 'S' || n.i, 'S', 1 + n.i % 5, 'Asia/Shanghai', 'open', 0 from n",
            numbers(1, 1, stores + 1)
        ),
    ];
    statements.push(format!(
        "insert into region (corp_id, id, name) {} select 1, n.i, 'R' || n.i from n",
        numbers(1, 1, 6)
    ));
    statements.push(format!(
        "insert into tag (corp_id, id, group_id, platform_id, name, sort, created_at)
         {} select 1, n.i, 1 + n.i / 20, 't' || n.i, 't' || n.i, 0, 0 from n",
        numbers(1, 1, 201)
    ));
    for ago in 0..ADDED_DAYS.min(contacts) {
        let day = today.plus(-(ago as i64));
        let (at, some) = (day.start(ZONE).0 + DAY_MS / 3, numbers(ago, ADDED_DAYS, contacts));
        statements.push(format!(
            "insert into contact (corp_id, id, external_userid, name, avatar, kind, gender, birthday, created_at, updated_at)
             {some} select 1, {ID}, 'wm' || n.i, 'n' || n.i, '', 1, n.i % 3,
               substr(cast(101 + {} % 12 as text), 2) || '-' || substr(cast(101 + {} % 28 as text), 2), 0, 0
             from n",
            chance(31),
            chance(32)
        ));
        for (second, whom) in [(0, ""), (1, " where n.i % 5 = 0")] {
            let associate = format!("(1 + (n.i * 7919 + {second} * 104729) % {associates})");
            statements.push(format!(
                "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way,
                   channel, tags, added_at, added_day, seen_at)
                 {some} select 1, {ID} + {second} * 100, {ID}, {associate}, 1 + {associate} % {stores}, 'active', '', '', 1,
                   'way' || (n.i % 50), {tags}, {at}, '{day}', 0 from n{whom}"
            ));
        }
    }
    for ago in 0..ORDER_DAYS {
        let day = today.plus(-(ago as i64));
        let some = numbers(ago, ORDER_DAYS, contacts * 3 / 4);
        statements.push(format!(
            "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen,
               items, body_hash, created_at)
             {some} select 1, n.i, 'N' || n.i, 1, 'till', {}, '{day}', 9, {}, 9900, 9900, 1, '', 0 from n",
            day.start(ZONE).0 + DAY_MS / 2,
            ID.replace("n.i", &format!("(n.i * 611953 % {contacts})"))
        ));
    }
    for ago in 0..CLICK_DAYS {
        let day = today.plus(-(ago as i64));
        let some = numbers(ago, CLICK_DAYS, contacts * 5 / 4);
        statements.push(format!(
            "insert into click (corp_id, id, link_id, token, visitor, contact_id, at, day, kind)
             {some} select 1, n.i, n.i % 100, 't' || n.i, 'v', {}, {}, '{day}', 'person' from n",
            ID.replace("n.i", &format!("(n.i * 350377 % {contacts})")),
            day.start(ZONE).0 + DAY_MS / 2
        ));
    }
    for campaign in 0..CAMPAIGNS {
        let at = today.plus(-(campaign as i64)).start(ZONE).0 + DAY_MS / 4;
        statements.push(format!(
            "insert into delivery (corp_id, campaign_id, contact_id, state, sent_at, updated_at)
             {} select 1, {campaign}, {ID}, 'sent', {at}, 0 from n where {} < 50",
            numbers(0, 1, contacts),
            chance(50 + campaign)
        ));
    }
    for statements in statements.chunks(100) {
        let tx = app.db.begin().await?;
        tx.take_time().await?;
        for sql in statements {
            tx.raw().execute_unprepared(sql).await?;
        }
        tx.note_all(CORP);
        tx.commit().await?;
    }
    Ok(())
}

/// Of what a chain of four million contacts has.
fn scaled(contacts: u64, of_reference: u64) -> u64 {
    (of_reference * contacts / 4_000_000).max(5)
}
