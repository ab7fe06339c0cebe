//! How many calls a second the simulator answers with a full world, asked from the same machine.
//!
//! `cargo bench --bench sandbox -- --contacts 4000000`. The limit beside each figure is bare axum that answers as many
//! bytes, asked by the same client; the two alternate, the middle of three rounds counts. Prints
//! `question | size | calls/s | limit calls/s | ratio | memory`.

#[path = "parts/line.rs"]
mod line;
mod parts;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::routing::any;
use dianyu::sandbox::{CorpSeed, Crowd, Knobs, Sandbox, SandboxOptions};
use dianyu::time::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use line::Line;
use parts::memory_of;

const CORPID: &str = "ww7d1a0c5e93b84f26";
const SECRET: &str = "bench-secret";
const CONNECTIONS: usize = 32;
const ROUNDS: usize = 3;

struct Sizes {
    contacts: usize,
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let sizes = Sizes {
        contacts: parts::number("--contacts", 1_000_000)? as usize,
        seconds: parts::number("--seconds", 5)?,
    };
    parts::two_cores()?.block_on(run(&sizes))
}

async fn run(sizes: &Sizes) -> anyhow::Result<()> {
    let started = Instant::now();
    let sandbox = full(sizes.contacts).await?;
    println!(
        "{} contacts stand after {:.1} s, memory {}",
        sizes.contacts,
        started.elapsed().as_secs_f64(),
        memory_of("self")
    );
    let platform = serve(&sandbox).await?;
    let calls = calls(&platform, sizes.contacts).await?;
    println!("question | size | calls/s | limit calls/s | ratio | memory");
    for (question, requests) in calls {
        let bytes = ask_once(&platform, &requests[0]).await?.len();
        let bare = serve_bare(bytes).await?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let ours = rate(&platform, &requests, sizes.seconds).await?;
            let limit = rate(&bare, &requests, sizes.seconds).await?;
            rounds.push((ours / limit, ours, limit));
        }
        rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, ours, limit) = rounds[ROUNDS / 2];
        println!(
            "{question}, {bytes} bytes | {} | {ours:.0} | {limit:.0} | {ratio:.2} | {}",
            sizes.contacts,
            memory_of("self")
        );
    }
    Ok(())
}

/// A corp as large as asked, 20,000 associates at most, with its limits out of the way.
async fn full(contacts: usize) -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::open(SandboxOptions {
        clock: Clock::System,
        seed: 7,
        data: None,
    })
    .await?;
    sandbox.set_knobs(Knobs {
        calls_per_minute: u32::MAX,
        calls_per_minute_of_address: u32::MAX,
        calls_per_hour_of_address: u32::MAX,
        calls_per_hour: u32::MAX,
        concurrency: [].into(),
        ..Knobs::default()
    });
    sandbox.add_corp(CorpSeed {
        corpid: CORPID.to_owned(),
        secret: SECRET.to_owned(),
        agent_id: 1_000_002,
        ..CorpSeed::default()
    });
    let now = Timestamp::from_seconds(1_793_000_000);
    let crowd = Crowd::before(now, 7, (contacts / 200).clamp(1, 20_000), contacts);
    sandbox.grow_crowd(CORPID, crowd)?;
    Ok(sandbox)
}

async fn serve(sandbox: &Sandbox) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let sandbox = sandbox.clone();
    tokio::spawn(async move { sandbox.serve(listener, CancellationToken::new()).await });
    Ok(address)
}

async fn serve_bare(bytes: usize) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    // It passes the same check as the platform's answers.
    let body = format!("{{\"errcode\":0{}", " ".repeat(bytes.saturating_sub(12)));
    let router = Router::new().fallback(any(move || std::future::ready(body.clone())));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// The questions, each with requests over many members and customers.
async fn calls(platform: &str, contacts: usize) -> anyhow::Result<Vec<(&'static str, Vec<Vec<u8>>)>> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes();
    let post = |path: &str, body: &Value| {
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let given = ask_once(
        platform,
        &get(&format!("/cgi-bin/gettoken?corpid={CORPID}&corpsecret={SECRET}")),
    )
    .await?;
    let token = json_of(&given)?["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = |api: &str, rest: &str| format!("/cgi-bin/externalcontact/{api}?access_token={token}{rest}");
    let members = texts(
        &ask_once(platform, &get(&path("get_follow_user_list", ""))).await?,
        "follow_user",
    )?;
    let tags = json_of(&ask_once(platform, &post(&path("get_corp_tag_list", ""), &json!({}))).await?)?;
    let tag = tags["tag_group"][0]["tag"][0]["id"].clone();
    let step = (members.len() / 200).max(1);
    let asked: Vec<&String> = members.iter().step_by(step).collect();
    let mut pairs = Vec::new();
    for member in &asked {
        let answer = ask_once(platform, &get(&path("list", &format!("&userid={member}")))).await?;
        let ids = texts(&answer, "external_userid").unwrap_or_default();
        pairs.extend(ids.into_iter().map(|id| ((*member).clone(), id)));
    }
    anyhow::ensure!(!pairs.is_empty(), "{contacts} contacts left no pair to ask for");
    let one = |(_, id): &(String, String)| get(&path("get", &format!("&external_userid={id}")));
    let batch = |member: &&String| {
        let body = json!({"userid_list": [member], "limit": 100});
        post(&path("batch/get_by_user", ""), &body)
    };
    let mark = |(member, id): &(String, String)| {
        let body = json!({"userid": member, "external_userid": id, "add_tag": [tag]});
        post(&path("mark_tag", ""), &body)
    };
    Ok(vec![
        ("externalcontact/get", pairs.iter().map(one).collect()),
        (
            "externalcontact/batch/get_by_user",
            asked.iter().map(batch).collect(),
        ),
        (
            "externalcontact/list",
            asked
                .iter()
                .map(|member| get(&path("list", &format!("&userid={member}"))))
                .collect(),
        ),
        ("externalcontact/mark_tag", pairs.iter().map(mark).collect()),
    ])
}

async fn ask_once(address: &str, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut line = Line::open(address).await?;
    line.ask(request).await?;
    Ok(line.body)
}

fn json_of(text: &[u8]) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(text)?)
}

fn texts(answer: &[u8], field: &str) -> anyhow::Result<Vec<String>> {
    let answer = json_of(answer)?;
    let list = answer[field].as_array().context("no list")?;
    Ok(list
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect())
}

/// Calls a second, over all connections, for so long.
async fn rate(address: &str, requests: &[Vec<u8>], seconds: u64) -> anyhow::Result<f64> {
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let shared: std::sync::Arc<[Vec<u8>]> = requests.into();
    let mut askers = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS {
        let (address, requests) = (address.to_owned(), shared.clone());
        askers.spawn(async move {
            let mut line = Line::open(&address).await?;
            let mut asked = 0_usize;
            while Instant::now() < until {
                let request = &requests[(number * 7_919 + asked * 31) % requests.len()];
                line.ask(request).await?;
                anyhow::ensure!(line.body.starts_with(b"{\"errcode\":0"), "{}", line.said());
                asked += 1;
            }
            Ok(asked)
        });
    }
    let mut calls = 0;
    while let Some(asked) = askers.join_next().await {
        calls += asked??;
    }
    Ok(calls as f64 / started.elapsed().as_secs_f64())
}
