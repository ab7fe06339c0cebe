//! Many calls at once, and a platform that is not well: one token, few repeats, pauses.

use super::*;
use crate::wecom::ticket::Ticket;

const STORM: usize = 4_000;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Two instances on one cache: in process, and on Redis when there is one to test with.
async fn pairs_of_instances(fake: &Fake) -> Vec<[Client; 2]> {
    let one = fake.start().await;
    let shared = one.cache.clone();
    let mut caches = vec![[shared.clone(), shared]];
    if let Ok(url) = std::env::var("TEST_REDIS_URL") {
        let prefix = format!("storm_{}", crate::ids::random_base62(12));
        let connect = || Cache::redis(&url, &prefix);
        caches.push([connect().await.unwrap(), connect().await.unwrap()]);
    }
    let client = |cache| Platform::new(&one.base_url, cache).client(credentials("right"));
    caches.into_iter().map(|caches| caches.map(client)).collect()
}

#[tokio::test]
async fn a_storm_at_expiry_fetches_one_token_whoever_asks() {
    let fake = Fake::default();
    for clients in pairs_of_instances(&fake).await {
        let before = fake.asked("gettoken").len();
        let cold = (0..STORM).map(|n| clients[n % 2].pass(Pass::Token, soon()));
        for token in futures_util::future::join_all(cold).await {
            token.unwrap();
        }
        assert_eq!(fake.asked("gettoken").len(), before + 1);

        let old = clients[0].pass(Pass::Token, soon()).await.unwrap();
        fake.kill_token();
        let refused = (0..STORM).map(|n| clients[n % 2].renewed(&old, soon()));
        for token in futures_util::future::join_all(refused).await {
            assert_ne!(token.unwrap().expose_secret(), old.expose_secret());
        }
        assert_eq!(fake.asked("gettoken").len(), before + 2);
    }
}

#[tokio::test]
async fn a_storm_meets_a_failing_gettoken_once() {
    let (fake, client) = fake().await;
    fake.tell("gettoken", &["502"; 100]);
    let calls = (0..STORM).map(|_| client.departments());
    for outcome in futures_util::future::join_all(calls).await {
        assert!(matches!(fault(outcome).advice, Advice::Retry { .. }));
    }
    assert_eq!(fake.asked("gettoken").len(), 3);
    assert_eq!(fake.asked("department/list").len(), 0);
}

#[tokio::test]
async fn a_token_that_comes_again_is_not_fetched_in_a_circle() {
    let (fake, client) = fake().await;
    let refusal = r#"{"errcode":42001,"errmsg":"access_token expired"}"#;
    fake.tell("department/list", &[refusal; 200]);
    let calls = (0..50).map(|_| client.departments());
    futures_util::future::join_all(calls).await;
    for _ in 0..20 {
        assert_eq!(fault(client.departments().await).code, Some(42001));
    }
    let fetched = fake.asked("gettoken").len();
    assert!(fetched <= 3, "{fetched}");
}

#[tokio::test]
async fn a_token_that_cannot_be_one_is_not_kept() {
    for odd in ["", "tok en", "tok\\n0", &"t".repeat(5_000)] {
        let (fake, client) = fake().await;
        let answer = format!(r#"{{"errcode":0,"access_token":"{odd}","expires_in":7200}}"#);
        fake.tell("gettoken", &[&answer]);
        assert_eq!(fault(client.departments().await).code, None, "{odd}");
        client.departments().await.unwrap();
    }
}

#[tokio::test]
async fn each_ticket_is_fetched_once_and_they_are_kept_apart() {
    let (fake, client) = fake().await;
    let ticket = |name: &str| format!(r#"{{"errcode":0,"errmsg":"ok","ticket":"{name}","expires_in":7200}}"#);
    fake.tell("get_jsapi_ticket", &[&ticket("corp")]);
    fake.tell("ticket/get", &[&ticket("app")]);
    let (url, now) = (
        "https://crm.example.com/sidebar?x=1#top",
        Timestamp::from_seconds(5),
    );
    let both = (0..200).map(|n| {
        let kind = if n % 2 == 0 {
            Ticket::Config
        } else {
            Ticket::AgentConfig
        };
        client.sign_page(kind, url, now)
    });
    let mut seen = std::collections::HashSet::new();
    for signature in futures_util::future::join_all(both).await {
        let signature = signature.unwrap();
        assert_eq!((signature.timestamp, signature.signature.len()), (5, 40));
        seen.insert(signature.nonce);
    }
    assert_eq!(seen.len(), 200);
    assert_eq!(fake.asked("get_jsapi_ticket").len(), 1);
    let asked = fake.asked("ticket/get");
    assert!(
        asked.len() == 1 && asked[0].contains("type=agent_config"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_ticket_outlives_a_dead_token() {
    let (fake, client) = fake().await;
    client.departments().await.unwrap();
    fake.kill_token();
    fake.tell("get_jsapi_ticket", &[r#"{"ticket":"corp","expires_in":7200}"#]);
    let url = "https://crm.example.com/";
    for _ in 0..3 {
        client.sign_page(Ticket::Config, url, Timestamp(0)).await.unwrap();
    }
    assert_eq!(
        (fake.asked("gettoken").len(), fake.asked("get_jsapi_ticket").len()),
        (2, 2)
    );
}

#[tokio::test]
async fn a_platform_that_is_down_is_spared_and_tried_again() {
    let (fake, client) = fake().await;
    client.tags().await.unwrap();
    fake.tell("department/list", &["502"; 5_000]);
    let calls = (0..300).map(|_| client.departments());
    for outcome in futures_util::future::join_all(calls).await {
        assert!(matches!(fault(outcome).advice, Advice::Retry { .. }));
    }
    // What was under way when the breaker opened, and at most a few that found out whether it still is.
    let asked = fake.asked("department/list").len();
    assert!(asked <= 10 + 32 + 3, "{asked}");
    let all = client.headroom().await;
    let broken: Vec<_> = all
        .iter()
        .filter(|api| api.is_broken)
        .map(|api| api.api.as_str())
        .collect();
    assert_eq!(broken, ["department/list"]);
    client.tags().await.unwrap();

    fake.0.told.lock().unwrap().clear();
    while client.departments().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.departments().await.unwrap();
}

#[tokio::test]
async fn repeats_stay_a_tenth_of_the_calls() {
    let (fake, client) = fake().await;
    let answers = [
        r#"{"userid":"li"}"#,
        r#"{"errcode":6000,"errmsg":"data version conflict"}"#,
    ]
    .repeat(50);
    fake.tell("user/get", &answers);
    let mut calls = 0;
    while fake.asked("user/get").len() < 60 {
        let _ = client.member(&"li".into()).await;
        calls += 1;
    }
    let repeats = fake.asked("user/get").len() - calls;
    assert!(repeats <= calls / 10 + 10, "{repeats} repeats of {calls} calls");
}

#[tokio::test]
async fn headroom_counts_what_was_asked() {
    let (fake, client) = fake().await;
    for _ in 0..3 {
        client.tags().await.unwrap();
    }
    fake.tell("department/list", &[r#"{"errcode":45009,"errmsg":"limit"}"#]);
    let _ = client.departments().await;
    let all = client.headroom().await;
    let of = |path: &str| all.iter().find(|api| api.api == path).unwrap();
    let tags = of("externalcontact/get_corp_tag_list");
    assert_eq!(
        (tags.minute, tags.hour),
        (
            Used { calls: 3, of: 7_000 },
            Used {
                calls: 3,
                of: 105_000
            }
        )
    );
    assert_eq!(tags.blocked_until, None);
    assert!(of("department/list").blocked_until.is_some());
    assert_eq!(of("gettoken").minute, Used { calls: 1, of: 30 });
}

#[tokio::test]
async fn a_call_that_waits_too_long_says_so_and_was_not_made() {
    let (fake, client) = fake().await;
    client.departments().await.unwrap();
    let api = Api::once("externalcontact/add_msg_template").at_once(1);
    let held = client
        .platform
        .turns
        .take(CorpId(7), api, Lane::Urgent, soon())
        .await;
    let by = Instant::now() + Duration::from_millis(50);
    let late = client.call_by::<wire::Accepted>(api, Ask::Json("{}"), by).await;
    let fault = fault(late.map(|_| ()));
    assert!(matches!(fault.advice, Advice::Retry { .. }), "{fault:?}");
    assert_eq!(fake.asked(api.path).len(), 0);
    drop(held);
}

#[tokio::test]
async fn calls_are_counted_by_api_and_outcome() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    // One thread runs this test and what it spawns.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (fake, client) = fake().await;
    fake.tell("user/get", &["502", r#"{"userid":"li"}"#]);
    client.member(&"li".into()).await.unwrap();
    let refusals = [
        r#"{"errcode":48002,"errmsg":"api forbidden"}"#,
        r#"{"errcode":987654,"errmsg":"new"}"#,
        r#"{"errcode":45009,"errmsg":"limit"}"#,
    ];
    fake.tell("department/list", &refusals);
    for _ in 0..5 {
        client.departments().await.unwrap_err();
    }
    let text = figures.render();
    let figure = |name: &str, labels: [&str; 2]| {
        let mut lines = text.lines().filter(|line| line.starts_with(name));
        let line = lines.find(|line| labels.iter().all(|label| line.contains(label)));
        line.and_then(|line| line.rsplit(' ').next())
            .unwrap_or("none")
            .to_owned()
    };
    let calls = "dianyu_platform_calls_total{";
    let refused = "dianyu_platform_refusals_total{";
    for (name, api, label, expected) in [
        (calls, "user/get", r#"outcome="ok""#, "1"),
        (calls, "user/get", r#"outcome="unreadable""#, "1"),
        (calls, "department/list", r#"outcome="refused""#, "3"),
        (calls, "department/list", r#"outcome="held_back""#, "2"),
        (refused, "department/list", r#"errcode="48002""#, "1"),
        (refused, "department/list", r#"errcode="other""#, "1"),
        ("dianyu_platform_blocks_total{", "department/list", "", "1"),
        ("dianyu_platform_call_seconds_count{", "user/get", "", "2"),
    ] {
        assert_eq!(
            figure(name, [api, label]),
            expected,
            "{name} {api} {label}\n{text}"
        );
    }
}
