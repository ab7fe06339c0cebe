//! The process as a whole: how it starts beside another, how it leaves.

use std::process::Command;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use dianyu::db::node;
use dianyu::server;
use tower::ServiceExt as _;

use crate::world::World;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

async fn status(shop: &World, path: &str) -> StatusCode {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (router, _) = server::router(&shop.app);
    router.oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn an_instance_that_leaves_says_so_and_goes_on_serving() {
    let shop = World::open().await;
    assert_eq!(status(&shop, "/readyz").await, StatusCode::OK);
    // The notice never ends here.
    let stopping = server::stop(&shop.app, std::time::Duration::MAX);
    tokio::select! {
        biased;
        () = stopping => panic!("it stopped without notice"),
        seen = async { (status(&shop, "/readyz").await, status(&shop, "/sign-in").await) } => {
            assert_eq!(seen, (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK));
        }
    }
    assert!(!shop.app.stopping.is_cancelled());
    server::stop(&shop.app, std::time::Duration::ZERO).await;
    assert!(shop.app.stopping.is_cancelled());
}

#[tokio::test]
async fn the_node_number_is_held_while_jobs_still_end() {
    let shop = World::open().await;
    let (held, _) = node::lease(&shop.app.db, shop.now()).await.unwrap();
    shop.app.stopping.cancel();
    let still = "select count(*) from node where lease_until > 0";
    tokio::select! {
        biased;
        never = server::hold_node(&shop.app, &held) => match never {},
        leased = async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            shop.number(still).await
        } => assert_eq!(leased, 1),
    }
    node::release(&shop.app.db, &held, shop.now()).await.unwrap();
    assert_eq!(shop.number(still).await, 0);
}

#[tokio::test]
async fn an_instance_that_was_killed_counts_no_more_after_90_s_and_its_number_is_nobodys_yet() {
    let shop = World::open().await;
    let db = &shop.app.db;
    let (killed, _) = node::lease(db, shop.now()).await.unwrap();
    let no_beat_for = async |seconds: i64| {
        let older = format!("update node set lease_until = lease_until - {}", seconds * 1_000);
        shop.run(&older).await;
    };
    no_beat_for(80).await;
    assert_eq!(node::living(db).await.unwrap(), 1);
    no_beat_for(11).await;
    assert_eq!(node::living(db).await.unwrap(), 0);
    let (other, _) = node::lease(db, shop.now()).await.unwrap();
    assert_ne!(other.number, killed.number);
    assert_eq!(node::living(db).await.unwrap(), 1);
    // It only hung, and is heard of again.
    assert!(node::renew(db, &killed, shop.now()).await.unwrap());
    assert_eq!(node::living(db).await.unwrap(), 2);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the product is started as its users start it"
)]
#[tokio::test]
async fn a_second_instance_on_a_taken_port_touches_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("second.sqlite");
    for variable in ["DIANYU_LISTEN", "DIANYU_METRICS_LISTEN"] {
        let ended = Command::new(env!("CARGO_BIN_EXE_dianyu"))
            .arg("serve")
            .current_dir(folder.path())
            .env("DIANYU_MASTER_KEY", KEY)
            .env("DIANYU_DATABASE_URL", format!("sqlite://{}", data.display()))
            .env("DIANYU_LISTEN", "127.0.0.1:0")
            .env(variable, taken.local_addr().unwrap().to_string())
            .output()
            .unwrap();
        assert!(!ended.status.success());
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(said.contains(variable), "{said}");
        assert!(
            !data.exists(),
            "it opened the database before it knew that it can serve"
        );
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_a_browser_safe() {
    let shop = World::open().await;
    let (router, table) = server::router(&shop.app);
    let mut asked: Vec<(Method, String)> = table
        .iter()
        .map(|entry| (entry.method.clone(), entry.path.replace(['{', '}', '*'], "")))
        .collect();
    let lost = [
        "/no-such-page",
        "/api/v1/none",
        "/wecom/none/callback",
        "/assets/a/b",
    ];
    asked.extend(lost.map(|path| (Method::GET, path.to_owned())));
    let wrong = ["/sign-in", "/healthz", "/api/v1/stores", "/wecom/ww1/callback"];
    asked.extend(wrong.map(|path| (Method::DELETE, path.to_owned())));
    for (method, path) in asked {
        let request = Request::builder().method(&method).uri(&path);
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let headers = answer.unwrap().headers().clone();
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(said("x-content-type-options"), Some("nosniff"), "{method} {path}");
        assert_eq!(
            said("cross-origin-opener-policy"),
            Some("same-origin"),
            "{method} {path}"
        );
        assert!(said("content-security-policy").is_some(), "{method} {path}");
        assert!(said("referrer-policy").is_some(), "{method} {path}");
        assert!(said("cache-control").is_some(), "{method} {path}");
    }
}

#[tokio::test]
async fn a_nul_in_an_address_is_refused_and_no_failure_of_ours() {
    let shop = World::open().await;
    for (path, expected) in [
        ("/sign-in?return_to=%00", StatusCode::UNPROCESSABLE_ENTITY),
        ("/l/a%00", StatusCode::NOT_FOUND),
        ("/assets/a/%00", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(status(&shop, path).await, expected, "{path}");
    }
}
