//! The client's floor against the simulator: one token whoever asks, limits respected, nothing lost.

use std::time::Duration;

use dianyu::cache::Cache;
use dianyu::error::{Advice, Error};
use dianyu::ids::CorpId;
use dianyu::sandbox::{CorpSeed, Department, Knobs, Sandbox, SandboxOptions};
use dianyu::time::{Clock, MINUTE_MS, SECOND_MS, Timestamp};
use dianyu::wecom::ticket::Ticket;
use dianyu::wecom::{Client, Credentials, Platform};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::street::Street;
use crate::world::CORPID;

const SECRET: &str = "sandbox-secret";

/// A simulator with one corp, and where it answers.
async fn sandbox() -> (Sandbox, String) {
    let options = SandboxOptions {
        clock: Clock::System,
        seed: 7,
        data: None,
    };
    let sandbox = Sandbox::open(options).await.unwrap();
    sandbox.add_corp(CorpSeed {
        corpid: CORPID.into(),
        name: "禾与".into(),
        secret: SECRET.into(),
        agent_id: 1_000_002,
        departments: vec![Department {
            id: 1,
            name: "总部".into(),
            ..Department::default()
        }],
        ..CorpSeed::default()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = sandbox.clone();
    tokio::spawn(async move { serving.serve(listener, CancellationToken::new()).await });
    (sandbox, url)
}

fn client(url: &str, cache: Cache, secret: &str) -> Client {
    Platform::new(url, cache).client(Credentials {
        corp: CorpId(1),
        corpid: CORPID.into(),
        agent_id: 1_000_002,
        secret: secret.into(),
    })
}

/// Two instances each: without a shared cache there is one, asked twice.
async fn instances(url: &str) -> Vec<[Client; 2]> {
    let alone = client(url, Cache::memory(), SECRET);
    let mut all = vec![[alone.clone(), alone]];
    if let Ok(redis) = std::env::var("TEST_REDIS_URL") {
        let prefix = format!("platform_{}", dianyu::ids::random_base62(12));
        let mut pair = Vec::new();
        for _ in 0..2 {
            let cache = Cache::redis(&redis, &prefix).await.unwrap();
            pair.push(client(url, cache, SECRET));
        }
        all.push(pair.try_into().unwrap_or_else(|_| panic!("two are two")));
    }
    all
}

fn asked(sandbox: &Sandbox, api: &str) -> usize {
    sandbox.ledger().iter().filter(|entry| entry.api == api).count()
}

/// One of five reads; asked again where that may help, as a job does.
async fn patiently(client: &Client, n: usize) {
    loop {
        let outcome = match n % 5 {
            0 => client.departments().await.map(drop),
            1 => client.members(1).await.map(drop),
            2 => client.follow_users().await.map(drop),
            3 => client.tags().await.map(drop),
            _ => client
                .broadcasts(Timestamp(0), Timestamp(1), None)
                .await
                .map(drop),
        };
        match outcome {
            Ok(()) => return,
            Err(Error::Platform(fault)) if matches!(fault.advice, Advice::Retry { .. }) => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_thousand_calls_at_expiry_make_one_gettoken() {
    let (sandbox, url) = sandbox().await;
    // All at once in process. What thousands at once keep waiting on the way to Redis is served from each instance's
    // own store, which is another story.
    for (clients, at_once) in instances(&url).await.into_iter().zip([4_000, 50]) {
        clients[0].departments().await.unwrap();
        sandbox.expire_tokens(CORPID);
        sandbox.forget_ledger();
        stream::iter(0..4_000)
            .for_each_concurrent(at_once, |n| patiently(&clients[n % 2], n))
            .await;
        assert_eq!(asked(&sandbox, "gettoken"), 1);
    }
}

#[tokio::test]
async fn a_token_killed_under_fifty_calls_is_refreshed_once_and_all_succeed() {
    let (sandbox, url) = sandbox().await;
    for clients in instances(&url).await {
        clients[0].departments().await.unwrap();
        sandbox.reset_secret(CORPID, SECRET).unwrap();
        sandbox.forget_ledger();
        let calls = (0..50).map(|n| clients[n % 2].departments());
        for outcome in join_all(calls).await {
            outcome.unwrap();
        }
        assert_eq!(asked(&sandbox, "gettoken"), 1);
    }
}

#[tokio::test]
async fn a_wrong_secret_fails_once_without_a_loop() {
    let (sandbox, url) = sandbox().await;
    let client = client(&url, Cache::memory(), "not-the-secret");
    for outcome in join_all((0..50).map(|_| client.departments())).await {
        let Err(Error::Platform(fault)) = outcome else {
            panic!("a wrong secret works");
        };
        assert_eq!((fault.code, fault.advice), (Some(40001), Advice::TellAdmin));
        assert!(!fault.message.contains("not-the-secret"));
    }
    assert_eq!((asked(&sandbox, "gettoken"), sandbox.ledger().len()), (1, 1));
}

#[tokio::test]
async fn pages_are_signed_with_tickets_of_their_own() {
    let (sandbox, url) = sandbox().await;
    let client = client(&url, Cache::memory(), SECRET);
    for ticket in [Ticket::Config, Ticket::AgentConfig, Ticket::Config] {
        let signed = client
            .sign_page(ticket, "https://crm.example.com/", Timestamp(0))
            .await;
        assert_eq!(signed.unwrap().signature.len(), 40);
    }
    for api in ["get_jsapi_ticket", "ticket/get", "gettoken"] {
        assert_eq!(asked(&sandbox, api), 1, "{api}");
    }
}

#[tokio::test]
async fn a_minute_of_refusals_loses_no_job_and_is_not_chased() {
    const PEOPLE: i64 = 10;
    let street = Street::open().await;
    street.sandbox.set_knobs(Knobs {
        calls_per_minute: 3,
        ..street.sandbox.knobs()
    });
    let before = street.shop.live_pairs().await;
    for n in 0..PEOPLE {
        let customer = format!("wmNew{n}");
        street.passer_by(&customer);
        street.sandbox.scan(CORPID, &customer, "li", "").unwrap();
    }
    street.settle().await;
    let api = "externalcontact/get";
    let asked_at_first = asked(&street.sandbox, api);
    assert!(asked_at_first < 10, "{asked_at_first}");
    // The block lasts 60 s: nobody asks meanwhile.
    for _ in 0..4 {
        street.after(10 * SECOND_MS);
        street.settle().await;
    }
    assert_eq!(asked(&street.sandbox, api), asked_at_first);
    let mut minutes = 1;
    while street.shop.live_pairs().await < before + PEOPLE {
        minutes += 1;
        assert!(minutes < 20, "jobs were lost");
        street.after(MINUTE_MS + 20 * SECOND_MS);
        street.settle().await;
    }
    // Three pass each minute, and what was under way beside them is refused.
    let asked = asked(&street.sandbox, api);
    assert!(asked <= 8 * minutes, "{asked} calls in {minutes} minutes");
}
