//! How long a rule over millions of contacts takes: how many, and who.
//!
//! `cargo bench --bench audience -- --contacts 1000000`, on a chain of `dianyu seed` in a SQLite file of its own (kept
//! with `--keep FOLDER`), or in what `BENCH_DATABASE_URL` names, which is seeded where it is empty. The limit: the
//! database itself, by the product's own condition. Both must find the same people. Over HTTP eight callers ask
//! `dianyu serve`, whose memory and start are measured. Prints
//! `question | size | database | product | limit | ratio | goal`.

#[path = "parts/chain.rs"]
mod chain;
#[path = "parts/line.rs"]
mod line;
mod parts;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::auth;
use dianyu::cache::Cache;
use dianyu::db;
use dianyu::ids::{ContactId, Ids, RegionId, StoreId, TagId};
use dianyu::scope::{Actor, Scope};
use dianyu::segments::index::{self, Built};
use dianyu::segments::{self, Messaged, Ordered, Rule, Within};
use dianyu::time::{Clock, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use chain::{Chain, Served, ZONE};
use line::Line;

const ASKS: usize = 400;
const CALLERS: usize = 8;
/// What a caller asks in a row; a key may ask 600 times a minute.
const ASKS_EACH: usize = 250;
const ROUNDS: usize = 3;
const PREVIEW: &str = "/api/v1/segments/preview";

fn main() -> anyhow::Result<()> {
    let contacts = parts::number("--contacts", 1_000_000)?;
    parts::two_cores()?.block_on(run(contacts))
}

async fn run(contacts: u64) -> anyhow::Result<()> {
    let chain = Chain::open(contacts).await?;
    let (app, size, database) = (&chain.app, chain.contacts, chain.database());
    println!("question | size | database | product | limit | ratio | goal");
    let began = Instant::now();
    let built = index::build(app, chain.corp, ZONE).await?;
    println!(
        "{} | {size} | {database} | {:.1?} | | |",
        match built {
            Built::FromDisk => "load of the snapshot",
            _ => "build, and snapshot",
        },
        began.elapsed()
    );
    let held = index::size(app, chain.corp, ZONE).context("no index")?;
    println!(
        "bytes a tag link | {} | {database} | {:.2} | | | <= 2",
        held.tag_links,
        held.tag_bytes as f64 / held.tag_links as f64
    );
    let rules = rules(&chain).await?;
    let mut counts = Vec::new();
    for (name, rule) in &rules {
        counts.push(compare(&chain, name, rule).await?);
    }
    change(&chain).await?;

    let served = chain.serve()?;
    start(&chain, &served).await?;
    let stores = "select id from store where corp_id = $1 order by id";
    let stores: Vec<i64> = db::scalars(&app.db, stores, dianyu::args![chain.corp]).await?;
    for ((name, rule), count) in rules.iter().zip(counts) {
        for (what, rules, count) in [
            ("asked again", vec![rule.clone()], Some(count)),
            ("never asked before", others(rule, &stores), None),
        ] {
            let keys = keys(&chain, CALLERS).await?;
            let times = asked_by_many(&served, &keys, &rules, count).await?;
            println!(
                "over HTTP, {CALLERS} callers, {what}, middle and p99: {name} | {size} | {database} | {} | | | <= 10 ms",
                middle_and_p99(times)
            );
        }
    }
    println!(
        "memory of the process | {size} | {database} | {} | | | <= 200 MB",
        served.memory()
    );
    Ok(())
}

/// The rule that is talked about, and two that find many.
async fn rules(chain: &Chain) -> anyhow::Result<Vec<(&'static str, Rule)>> {
    let db = &chain.app.db;
    let tag = async |name: &str| -> anyhow::Result<Rule> {
        let sql = "select id from tag where corp_id = $1 and name = $2";
        let id = db::scalar(db, sql, dianyu::args![chain.corp, name]).await?;
        Ok(Rule::Tag(TagId(id.with_context(|| format!("no tag `{name}`"))?)))
    };
    let region = "select min(id) from region where corp_id = $1";
    let region = db::scalar(db, region, dianyu::args![chain.corp]).await?;
    let region = Rule::Region(RegionId(region.context("no region")?));
    let not = |rule| Rule::Not(Box::new(rule));
    let (gold, dresses, coats) = (
        tag("银卡").await?,
        tag("爱买连衣裙").await?,
        tag("爱买大衣").await?,
    );
    let (medium, none) = (tag("M 码").await?, tag("不要打扰").await?);
    Ok(vec![
        (
            "t1 & (t21|t22) & !t41 & region & added <= 90 d & messaged < 4",
            Rule::All(vec![
                gold.clone(),
                Rule::Any(vec![dresses.clone(), coats]),
                not(none.clone()),
                region,
                Rule::Added(Within { within_days: 90 }),
                Rule::Messaged(Messaged {
                    within_days: 30,
                    at_most: Some(3),
                    at_least: None,
                }),
            ]),
        ),
        ("t1 & !t41", Rule::All(vec![gold.clone(), not(none)])),
        (
            "(t1|t21|t61) & ordered <= 365 d",
            Rule::All(vec![
                Rule::Any(vec![gold, dresses, medium]),
                Rule::Ordered(Ordered {
                    within_days: 365,
                    at_least: None,
                    category: None,
                    net_fen_at_least: None,
                }),
            ]),
        ),
    ])
}

/// The rule without two stores: others each time, so that no answer is kept of it.
fn others(rule: &Rule, stores: &[i64]) -> Vec<Rule> {
    let Rule::All(parts) = rule else {
        return Vec::new();
    };
    let store = |place: usize| Rule::Store(StoreId(stores[place % stores.len()]));
    let without = |ask: usize| {
        let two = Rule::Any(vec![store(ask), store(ask + 1 + ask / stores.len())]);
        let parts = parts.iter().cloned();
        Rule::All(parts.chain([Rule::Not(Box::new(two))]).collect())
    };
    (0..CALLERS * ASKS_EACH).map(without).collect()
}

fn middle_and_p99(mut times: Vec<Duration>) -> String {
    times.sort();
    format!(
        "{:.2?}, {:.2?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    )
}

/// The index beside the database; answers how many there are. No answer is one that was kept: each asks for another rule,
/// about the same in size.
async fn compare(chain: &Chain, name: &str, rule: &Rule) -> anyhow::Result<i64> {
    let (app, scope) = (&chain.app, Scope::whole(chain.corp));
    let (size, database) = (chain.contacts, chain.database());
    let now = app.now();
    let began = Instant::now();
    let people = indexed(app, &scope, rule, now).await?;
    let first = began.elapsed();
    let stores = "select id from store where corp_id = $1 order by id";
    let stores: Vec<i64> = db::scalars(&app.db, stores, dianyu::args![chain.corp]).await?;
    let mut others = others(rule, &stores).into_iter().cycle();
    // The database may take as long as it needs, which it may not where somebody waits for it.
    let unhurried = app.db.begin().await?;
    unhurried.take_time().await?;
    // Which of the two goes first changes from round to round.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut counted = 0;
    for round in 0..ROUNDS {
        for side in [round % 2, (round + 1) % 2] {
            let began = Instant::now();
            if side == 0 {
                for rule in others.by_ref().take(ASKS / ROUNDS) {
                    segments::preview(app, &scope, &rule, ZONE, now).await?;
                }
                ours.push(began.elapsed() / (ASKS / ROUNDS) as u32);
            } else {
                counted =
                    segments::count_people(&unhurried, &scope, std::slice::from_ref(rule), ZONE, now).await?;
                theirs.push(began.elapsed());
            }
        }
    }
    anyhow::ensure!(counted == people.len() as i64, "{counted} and {}", people.len());
    let expected = segments::people(&unhurried, &scope, rule, ZONE, now).await?;
    drop(unhurried);
    anyhow::ensure!(people == expected, "other people");
    let (one, sql) = (middle(&mut ours), middle(&mut theirs));
    println!(
        "preview: {name}: {} people | {size} | {database} | {one:.2?} (first {first:.2?}) | {sql:.0?} | {:.0} | >= 50",
        people.len(),
        sql.as_secs_f64() / one.as_secs_f64()
    );

    let began = Instant::now();
    indexed(app, &scope, rule, now).await?;
    println!(
        "ids: {name} | {size} | {database} | {:.2?} | | | <= 20 ms",
        began.elapsed()
    );

    Ok(counted)
}

/// How long the first answers of a started product take, counted from the start of its process.
async fn start(chain: &Chain, served: &Served) -> anyhow::Result<()> {
    let key = keys(chain, 1).await?;
    let request = post(
        PREVIEW,
        &key[0],
        &serde_json::json!({ "rule": { "gender": "female" } }),
    );
    let mut line = served.line().await?;
    line.ask(&request).await?;
    let first = served.began.elapsed();
    let answer: serde_json::Value = serde_json::from_slice(&line.body)?;
    anyhow::ensure!(
        answer["count"].as_i64() > Some(0),
        "{}: {}",
        line.status,
        line.said()
    );
    println!(
        "from the start to the first answer | {} | {} | {first:.0?} | | | <= 200 ms",
        chain.contacts,
        chain.database()
    );
    // What only the database can say is asked for as it starts; an asker would wait for it once.
    served.is_warm().await
}

/// Keys to everything: each may ask only so often a minute.
async fn keys(chain: &Chain, count: usize) -> anyhow::Result<Vec<SecretString>> {
    let scopes: Vec<String> = auth::key_scopes().into_iter().map(str::to_owned).collect();
    let tx = chain.app.db.begin().await?;
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        let act = chain.app.act(Actor::System);
        let (_, key) = auth::add_key(&tx, &act, chain.corp, "bench", &scopes, None).await?;
        keys.push(key);
    }
    tx.commit().await?;
    Ok(keys)
}

fn post(path: &str, key: &SecretString, body: &serde_json::Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        key.expose_secret(),
        body.len()
    )
    .into_bytes()
}

/// How long each of many previews took that several asked for at once: of one rule, or of another each time.
async fn asked_by_many(
    served: &Served,
    keys: &[SecretString],
    rules: &[Rule],
    count: Option<i64>,
) -> anyhow::Result<Vec<Duration>> {
    let mut callers = tokio::task::JoinSet::new();
    for (caller, key) in keys.iter().enumerate() {
        let asked = (0..ASKS_EACH).map(|ask| {
            let rule = &rules[(caller * ASKS_EACH + ask) % rules.len()];
            post(PREVIEW, key, &serde_json::json!({ "rule": rule }))
        });
        let (asked, address) = (asked.collect::<Vec<_>>(), served.address.clone());
        callers.spawn(async move {
            let mut line = Line::open(&address).await?;
            let mut times = Vec::with_capacity(ASKS_EACH);
            for request in &asked {
                let began = Instant::now();
                line.ask(request).await?;
                times.push(began.elapsed());
                let answer: serde_json::Value = serde_json::from_slice(&line.body)?;
                let is_right = answer["count"]
                    .as_i64()
                    .is_some_and(|got| count.is_none_or(|count| got == count));
                anyhow::ensure!(is_right, "{}: {}", line.status, line.said());
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

async fn indexed(app: &App, scope: &Scope, rule: &Rule, now: Timestamp) -> anyhow::Result<Vec<ContactId>> {
    // The first question about a leaf that only the database can say may take longer than an asker waits.
    for _ in 0..600 {
        if let Some(people) = index::people(app, scope, rule, ZONE, now).await? {
            return Ok(people);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("the index does not answer")
}

/// An instance of its own that starts with the snapshot, and a change that another makes.
async fn change(chain: &Chain) -> anyhow::Result<()> {
    let (app, size, database) = (&chain.app, chain.contacts, chain.database());
    let again = App::new(
        app.config.clone(),
        app.db.clone(),
        Cache::memory(),
        Clock::System,
        Ids::new(2, Clock::System.now()),
    );
    let began = Instant::now();
    anyhow::ensure!(
        index::build(&again, chain.corp, ZONE).await? == Built::FromDisk,
        "from the snapshot"
    );
    println!(
        "load of the snapshot | {size} | {database} | {:.0?} | | |",
        began.elapsed()
    );
    let one = "select min(id) from contact where corp_id = $1";
    let one: i64 = db::scalar(&app.db, one, dianyu::args![chain.corp])
        .await?
        .context("nobody")?;
    let tx = app.db.begin().await?;
    tx.note(chain.corp, db::changes::Fact::Follow, [one]);
    tx.commit().await?;
    let (scope, rule) = (Scope::whole(chain.corp), Rule::Store(StoreId(0)));
    let began = Instant::now();
    indexed(&again, &scope, &rule, again.now()).await?;
    println!(
        "an answer just after a change | {size} | {database} | {:.2?} | | | <= 20 ms",
        began.elapsed()
    );
    let began = Instant::now();
    index::save_all(&again).await;
    println!(
        "writing the snapshot | {size} | {database} | {:.0?} | | |",
        began.elapsed()
    );
    Ok(())
}

fn middle(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
