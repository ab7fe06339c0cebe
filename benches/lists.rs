//! How long pages take that show or count contacts among millions: the list by every filter it offers, first page and
//! deep ones, a name's part, and the page that builds a segment.
//!
//! `cargo bench --bench lists -- --contacts 1000000`, on a chain as `--bench audience` has it. `dianyu serve` is asked
//! over HTTP, one page after the other, as somebody of headquarters and as a region's manager. The limit is the first
//! page as the database alone finds and counts it, once. Prints
//! `question | size | database | product | limit | ratio | goal`.

#[path = "parts/chain.rs"]
mod chain;
#[path = "parts/line.rs"]
mod line;
mod parts;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use dianyu::auth::{self, NewOperator, Role};
use dianyu::contacts::{self, ContactFilter};
use dianyu::db;
use dianyu::ids::{RegionId, TagId};
use dianyu::page::PageOf;
use dianyu::scope::{Actor, Scope};
use dianyu::segments::index;
use secrecy::{ExposeSecret as _, SecretString};

use chain::{Chain, Served, ZONE};

const ASKS: usize = 201;
/// Pages gone down before a deep one is measured.
const DEEP: usize = 60;
const PASSWORD: &str = "a bench of many words";

fn main() -> anyhow::Result<()> {
    let contacts = parts::number("--contacts", 1_000_000)?;
    parts::two_cores()?.block_on(run(contacts))
}

async fn run(contacts: u64) -> anyhow::Result<()> {
    let chain = Chain::open(contacts).await?;
    let (size, database) = (chain.contacts, chain.database());
    // So that the one that is measured starts with a snapshot.
    index::build(&chain.app, chain.corp, ZONE).await?;
    println!("question | size | database | product | limit | ratio | goal");
    let one = async |sql: &str| -> anyhow::Result<i64> {
        let id: Option<i64> = db::scalar(&chain.app.db, sql, dianyu::args![chain.corp]).await?;
        id.context("the chain is empty")
    };
    let tag = one("select id from tag where corp_id = $1 and name = '银卡'").await?;
    let seldom = one("select id from tag where corp_id = $1 and name = '不要打扰'").await?;
    let store = one("select min(id) from store where corp_id = $1").await?;
    let region = one("select min(id) from region where corp_id = $1").await?;

    let served = chain.serve()?;
    served.is_warm().await?;
    let hq = cookie(&chain, Role::Marketer, None).await?;
    let regional = cookie(&chain, Role::Regional, Some(RegionId(region))).await?;
    let pages = [
        ("all", "/contacts".to_owned(), 50),
        ("a tag of many", format!("/contacts?tag={tag}"), 50),
        ("a tag of few", format!("/contacts?tag={seldom}"), 50),
        ("a store", format!("/contacts?store={store}"), 50),
        ("added in 7 days", "/contacts?added=7".to_owned(), 50),
        ("no order in 60 days", "/contacts?quiet=60".to_owned(), 50),
        ("clicked in 7 days", "/contacts?clicked=7".to_owned(), 50),
        (
            "tag, added, quiet",
            format!("/contacts?tag={tag}&added=90&quiet=30"),
            50,
        ),
        ("part of a name of many", "/contacts?q=%E7%8E%8B".to_owned(), 100),
        (
            "part of a name of few",
            "/contacts?q=%E7%8E%8B%E7%A7%80%E8%8B%B1".to_owned(),
            100,
        ),
        ("part of a name of nobody", "/contacts?q=zqxj".to_owned(), 100),
        ("another part each time", "/contacts?q=".to_owned(), 100),
        ("a segment is built", "/segments/new".to_owned(), 50),
    ];
    for (who, cookie) in [("headquarters", &hq), ("a region", &regional)] {
        for (name, address, goal) in &pages {
            if who == "a region" && address.starts_with("/segments") {
                continue;
            }
            let first = ask(&served, cookie, address, ASKS).await?;
            tell(
                &format!("{who}: {name}, first page"),
                size,
                database,
                &first,
                *goal,
            );
            if address.ends_with("q=") {
                continue;
            }
            if let Some(deep) = deep(&served, cookie, address).await? {
                let times = ask(&served, cookie, &deep, ASKS).await?;
                tell(&format!("{who}: {name}, deep"), size, database, &times, *goal);
            }
        }
    }
    println!(
        "memory of the process, names read | {size} | {database} | {} | | |",
        served.memory()
    );
    limit(&chain, TagId(tag)).await
}

/// One page as the database alone finds it.
async fn limit(chain: &Chain, tag: TagId) -> anyhow::Result<()> {
    let scope = Scope::whole(chain.corp);
    for (name, filter) in [
        ("all", ContactFilter::default()),
        (
            "a tag of many",
            ContactFilter {
                tag: Some(tag),
                ..ContactFilter::default()
            },
        ),
        (
            "part of a name of nobody",
            ContactFilter {
                search: Some("zqxj".to_owned()),
                ..ContactFilter::default()
            },
        ),
    ] {
        let unhurried = chain.app.db.begin().await?;
        unhurried.take_time().await?;
        let began = Instant::now();
        contacts::list(&unhurried, &scope, &filter, ZONE, &PageOf::first(20)).await?;
        contacts::count(&unhurried, &scope, &filter, ZONE).await?;
        println!(
            "by the database alone: {name} | {} | {} | | {:.0?} | |",
            chain.contacts,
            chain.database(),
            began.elapsed()
        );
    }
    Ok(())
}

/// What the first look takes is told apart: what only it has to work out is kept for the others.
fn tell(question: &str, size: u64, database: &str, times: &[Duration], goal: u64) {
    let (first, mut others) = (times[0], times[1..].to_vec());
    others.sort();
    println!(
        "{question}, first, then middle and p99 | {size} | {database} | {first:.1?}, {:.1?}, {:.1?} | | | <= {goal} ms",
        others[others.len() / 2],
        others[others.len() * 99 / 100]
    );
}

/// Somebody who is signed in.
async fn cookie(chain: &Chain, role: Role, region: Option<RegionId>) -> anyhow::Result<SecretString> {
    let (app, login) = (&chain.app, format!("bench-{}", dianyu::ids::random_base62(8)));
    let tx = app.db.begin().await?;
    let new = NewOperator {
        login: login.clone(),
        name: "bench".to_owned(),
        role,
        password: Some(PASSWORD.into()),
        store: None,
        region,
        associate: None,
    };
    auth::add_operator(&tx, &app.act(Actor::System), chain.corp, new).await?;
    tx.commit().await?;
    Ok(auth::sign_in(app, &login, &PASSWORD.into(), "127.0.0.1")
        .await?
        .token)
}

fn get(address: &str, cookie: &SecretString) -> Vec<u8> {
    format!(
        "GET {address} HTTP/1.1\r\nHost: bench\r\nCookie: dianyu={}; lang=zh\r\n\r\n",
        cookie.expose_secret()
    )
    .into_bytes()
}

async fn ask(
    served: &Served,
    cookie: &SecretString,
    address: &str,
    times: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut line = served.line().await?;
    let mut took = Vec::with_capacity(times);
    for time in 0..times {
        // What was found of a part is kept: two letters make another one each time.
        let address = match address.ends_with("q=") {
            true => format!("{address}{}{}", letter(time / 26), letter(time % 26)),
            false => address.to_owned(),
        };
        let request = get(&address, cookie);
        let began = Instant::now();
        line.ask(&request).await?;
        took.push(began.elapsed());
        anyhow::ensure!(line.status == 200, "{address}: {} {}", line.status, line.said());
    }
    Ok(took)
}

fn letter(number: usize) -> char {
    char::from(b'a' + (number % 26) as u8)
}

/// The address of a page far down, if there are so many.
async fn deep(served: &Served, cookie: &SecretString, address: &str) -> anyhow::Result<Option<String>> {
    let (mut line, mut at) = (served.line().await?, address.to_owned());
    for _ in 0..DEEP {
        line.ask(&get(&at, cookie)).await?;
        let page = String::from_utf8_lossy(&line.body);
        let next = page
            .split("href=\"")
            .skip(1)
            .filter_map(|link| link.split('"').next());
        let Some(next) = next.into_iter().find(|link| link.contains("after=")) else {
            return Ok(None);
        };
        at = next.replace("&amp;", "&").replace("&#38;", "&");
    }
    Ok(Some(at))
}
