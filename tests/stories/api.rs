//! The API's door, its problems, its document, and repeats under an Idempotency-Key.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use dianyu::api;
use dianyu::auth::{self, Policy};
use dianyu::ids::StoreId;
use dianyu::segments::{self, Rule};
use dianyu::time::{DAY_MS, HOUR_MS, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::World;

/// A program with a key to a world.
struct Client {
    router: Router,
    key: String,
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The kind of problem, once the shape around it holds.
    fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("x-content-type-options"), "nosniff");
        assert_eq!(self.body["status"], self.status.as_u16());
        for field in ["title", "detail"] {
            assert!(
                self.body[field].as_str().is_some_and(|text| !text.is_empty()),
                "{}",
                self.body
            );
        }
        self.body["type"].as_str().unwrap()
    }

    fn pointer(&self) -> &str {
        self.body["errors"][0]["pointer"].as_str().unwrap_or("none")
    }
}

impl Client {
    async fn of(shop: &World, scopes: &[&str]) -> Self {
        let expires_at = shop.now().plus_ms(DAY_MS);
        Self::until(shop, scopes, expires_at).await
    }

    async fn until(shop: &World, scopes: &[&str], expires_at: Timestamp) -> Self {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let tx = shop.begin().await;
        let (_, key) = auth::add_key(&tx, &shop.act(), shop.corp, "till", &scopes, Some(expires_at))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            router: api::router(shop.app.clone()).0,
            key: key.expose_secret().to_owned(),
        }
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 16 << 20).await.unwrap();
        Answered {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&str>, headers: &[(&str, &str)]) -> Answered {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.key));
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_owned()));
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answered {
        self.ask("GET", path, None, &[]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answered {
        self.ask("POST", path, Some(&body.to_string()), &[]).await
    }

    async fn post_once(&self, path: &str, body: &Value, key: &str) -> Answered {
        self.ask("POST", path, Some(&body.to_string()), &[("idempotency-key", key)])
            .await
    }
}

#[tokio::test]
async fn no_key_a_wrong_key_and_an_old_key_are_turned_away() {
    let shop = World::open().await;
    let client = Client::until(&shop, &["directory:read"], shop.now().plus_ms(HOUR_MS)).await;
    let bare = Request::get("/api/v1/stores").body(Body::empty()).unwrap();
    let answered = client.send(bare).await;
    assert_eq!(answered.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answered.problem(), "/problems/signed-out");
    assert_eq!(answered.header("www-authenticate"), r#"Bearer realm="dianyu""#);

    let unknown = Client {
        router: client.router.clone(),
        key: format!("dianyu_{}", "x".repeat(43)),
    };
    let answered = unknown.get("/api/v1/stores").await;
    assert_eq!(
        (answered.status, answered.problem()),
        (StatusCode::UNAUTHORIZED, "/problems/signed-out")
    );
    assert!(answered.header("www-authenticate").contains("invalid_token"));

    shop.app.clock.advance(2 * HOUR_MS);
    assert_eq!(
        client.get("/api/v1/stores").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_signed_in_person_is_nobody_here() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read"]).await;
    let request = Request::get("/api/v1/stores")
        .header("cookie", "__Host-session=abc")
        .body(Body::empty())
        .unwrap();
    assert_eq!(client.send(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_one() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["contacts:read"]).await;
    let answered = client.post("/api/v1/orders", &json!([])).await;
    assert_eq!(
        (answered.status, answered.problem()),
        (StatusCode::FORBIDDEN, "/problems/forbidden")
    );
    assert!(
        answered.body["detail"]
            .as_str()
            .unwrap()
            .contains("`orders:write`")
    );
}

/// S58
#[tokio::test]
async fn s58_a_key_in_the_address_is_refused() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read"]).await;
    let address = format!("/api/v1/stores?access_token={}", client.key);
    let answered = client.get(&address).await;
    assert_eq!(
        (answered.status, answered.problem()),
        (StatusCode::BAD_REQUEST, "/problems/invalid")
    );
}

#[tokio::test]
async fn a_key_that_asks_too_often_has_to_wait() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["contacts:read"]).await;
    for _ in 0..600 {
        assert_eq!(client.get("/api/v1/orders").await.status, StatusCode::FORBIDDEN);
    }
    let answered = client.get("/api/v1/orders").await;
    assert_eq!(
        (answered.status, answered.problem()),
        (StatusCode::TOO_MANY_REQUESTS, "/problems/too-many-requests")
    );
    let wait: u64 = answered.header("retry-after").parse().unwrap();
    assert!((1..=61).contains(&wait));
}

#[tokio::test]
async fn unknown_places_and_methods_are_problems_too() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read"]).await;
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/stores/21/nothing",
        "/api/v1/stores/abc",
    ] {
        let answered = client.get(path).await;
        assert_eq!(
            (answered.status, answered.problem()),
            (StatusCode::NOT_FOUND, "/problems/not-found"),
            "{path}"
        );
    }
    let answered = client.ask("DELETE", "/api/v1/stores", None, &[]).await;
    assert_eq!(answered.problem(), "/problems/method-not-allowed");
    assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answered.header("allow").contains("GET"), "{:?}", answered.headers);
    let answered = client.ask("POST", "/api/openapi.json", None, &[]).await;
    assert_eq!(answered.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// S3, S54
#[tokio::test]
async fn s54_bad_input_names_its_place() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["campaigns:write", "directory:read", "orders:write"]).await;
    let campaigns = "/api/v1/campaigns";
    let cases = [
        (campaigns, json!({"name": "spring"}), "/audience"),
        (
            campaigns,
            json!({"name": "spring", "audience": {"rule": {}}, "content": {}, "corp_id": "2"}),
            "/corp_id",
        ),
        (
            campaigns,
            json!({"name": "spring", "audience": {"everyone": true}}),
            "/audience",
        ),
        (
            campaigns,
            json!({"name": "s", "audience": {"segment_id": "1"}, "content": {}, "variants": [{}]}),
            "/variants",
        ),
        (
            campaigns,
            json!({"name": "s", "audience": {"segment_id": "1"}, "content": {"text": "a", "attachments": [{"kind": "page"}]}}),
            "/content/attachments/0/kind",
        ),
        (
            campaigns,
            json!({"name": "s", "audience": {"segment_id": "1"}, "content": {}, "holdout_percent": "ten"}),
            "/holdout_percent",
        ),
        ("/api/v1/orders", json!([]), ""),
        ("/api/v1/orders", json!({"items": 3}), "/items"),
    ];
    for (path, body, place) in cases {
        let answered = client.post(path, &body).await;
        assert_eq!(
            (answered.status, answered.problem()),
            (StatusCode::BAD_REQUEST, "/problems/invalid"),
            "{body}"
        );
        assert_eq!(answered.pointer(), place, "{body}: {}", answered.body);
    }
    let broken = client.ask("POST", campaigns, Some("{\"name\":"), &[]).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    let twice = client
        .ask("POST", campaigns, Some(r#"{"name":"a","name":"b"}"#), &[])
        .await;
    assert_eq!(twice.pointer(), "/name");
    for (query, place) in [
        ("limit=0", "/limit"),
        ("limit=1&limit=2", "/limit"),
        ("colour=red", "/colour"),
    ] {
        let answered = client.get(&format!("/api/v1/stores?{query}")).await;
        assert_eq!(
            (answered.status, answered.pointer()),
            (StatusCode::BAD_REQUEST, place),
            "{query}"
        );
    }
}

/// S52
#[tokio::test]
async fn s52_bodies_are_json_and_not_too_large() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["orders:write"]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answered = client.ask("POST", "/api/v1/orders", Some("a=b"), &form).await;
    assert_eq!(answered.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(answered.problem(), "/problems/unsupported-media-type");
    let huge = format!("[\"{}\"]", "x".repeat(2 << 20));
    let answered = client.ask("POST", "/api/v1/orders", Some(&huge), &[]).await;
    assert_eq!(answered.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answered.problem(), "/problems/too-large");
}

/// S2, S60
#[tokio::test]
async fn s60_every_route_is_in_the_document_with_its_scope_and_no_other() {
    let shop = World::open().await;
    let (router, table) = api::router(shop.app.clone());
    let client = Client {
        router,
        key: String::new(),
    };
    let document = client.get("/api/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut told = 0;
    for methods in document["paths"].as_object().unwrap().values() {
        told += methods.as_object().unwrap().len();
    }
    let mut routed = 0;
    for entry in table.iter().filter(|entry| entry.path.starts_with("/api/v1")) {
        let operation = &document["paths"][&entry.path][entry.method.as_str().to_lowercase()];
        let Policy::Can(permission) = entry.policy else {
            panic!("{} {} has no permission", entry.method, entry.path);
        };
        assert_eq!(
            operation["security"][0]["key"][0],
            permission.scope_name(),
            "{} {}",
            entry.method,
            entry.path
        );
        routed += 1;
    }
    assert_eq!(told, routed);
    insta::assert_json_snapshot!("openapi", document);
}

#[tokio::test]
async fn the_page_of_the_api_stands_alone() {
    let shop = World::open().await;
    let router = api::router(shop.app.clone()).0;
    let request = Request::get("/api/docs").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(
        response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self'")
    );
    let bytes = to_bytes(response.into_body(), 16 << 20).await.unwrap();
    let page = String::from_utf8(bytes.to_vec()).unwrap();
    for sign in ["http:", "https:", "<script", "<style", "style=", "//"] {
        assert!(!page.contains(sign), "{sign}");
    }
    assert!(page.contains("/api/v1/campaigns/{id}/deliveries"));
    let request = Request::get("/api/docs.css").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/css; charset=utf-8");
}

/// S59
#[tokio::test]
async fn s59_a_repeat_is_answered_the_same_and_done_once() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read", "directory:write"]).await;
    let body = json!({"name": "华南"});
    let first = client.post_once("/api/v1/regions", &body, "k-1").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let id = first.body["id"].as_str().unwrap();
    assert_eq!(first.header("location"), format!("/api/v1/regions/{id}"));
    assert_eq!(first.header("idempotency-replayed"), "");

    let second = client.post_once("/api/v1/regions", &body, "k-1").await;
    assert_eq!((second.status, &second.body), (StatusCode::CREATED, &first.body));
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!(
        shop.number("select count(*) from region where name = '华南'")
            .await,
        1
    );

    let other = client
        .post_once("/api/v1/regions", &json!({"name": "西南"}), "k-1")
        .await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.problem(), "/problems/idempotency-key-reused");

    shop.app.clock.advance(DAY_MS - HOUR_MS);
    assert_eq!(
        client
            .post_once("/api/v1/regions", &body, "k-1")
            .await
            .header("idempotency-replayed"),
        "true"
    );
}

/// S59
#[tokio::test]
async fn s59_one_of_two_at_once_is_done() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:write"]).await;
    let body = json!({"name": "西南"});
    let (one, two) = tokio::join!(
        client.post_once("/api/v1/regions", &body, "k-2"),
        client.post_once("/api/v1/regions", &body, "k-2"),
    );
    let statuses = [one.status, two.status];
    assert!(statuses.contains(&StatusCode::CREATED), "{statuses:?}");
    assert_eq!(
        shop.number("select count(*) from region where name = '西南'")
            .await,
        1
    );
    for answered in [one, two] {
        if answered.status != StatusCode::CREATED {
            assert_eq!(
                (answered.status, answered.problem()),
                (StatusCode::CONFLICT, "/problems/in-flight")
            );
        }
    }
}

/// S59
#[tokio::test]
async fn s59_a_refused_request_leaves_its_key_free() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:write"]).await;
    let refused = client
        .post_once(
            "/api/v1/stores",
            &json!({"code": "S1", "name": "又一家", "region_id": "11"}),
            "k-3",
        )
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
    assert_eq!(shop.number("select count(*) from saved_answer").await, 0);
    let fixed = client
        .post_once(
            "/api/v1/stores",
            &json!({"code": "S9", "name": "又一家", "region_id": "11"}),
            "k-3",
        )
        .await;
    assert_eq!(fixed.status, StatusCode::CREATED, "{}", fixed.body);
}

/// S59
#[tokio::test]
async fn s59_an_attempt_that_broke_off_is_taken_up_after_a_minute() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:write"]).await;
    let body = json!({"name": "东北"});
    client.post_once("/api/v1/regions", &body, "k-4").await;
    shop.run("delete from region where name = '东北'").await;
    shop.run("update saved_answer set status = 0, body = ''").await;
    let early = client.post_once("/api/v1/regions", &body, "k-4").await;
    assert_eq!(
        (early.status, early.problem()),
        (StatusCode::CONFLICT, "/problems/in-flight")
    );
    shop.app.clock.advance(61_000);
    let late = client.post_once("/api/v1/regions", &body, "k-4").await;
    assert_eq!(late.status, StatusCode::CREATED, "{}", late.body);
}

/// S59
#[tokio::test]
async fn s59_a_moment_and_the_answer_about_it_stand_or_fall_together() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["moments:write"]).await;
    let body = json!({"text": "上新", "senders": {"store_ids": ["21"]}});
    let first = client.post_once("/api/v1/moments", &body, "k-5").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let again = client.post_once("/api/v1/moments", &body, "k-5").await;
    assert_eq!(again.body["id"], first.body["id"]);
    // An attempt that broke off left neither, so it is simply made.
    shop.run("delete from moment").await;
    shop.run("update saved_answer set status = 0, body = ''").await;
    shop.app.clock.advance(61_000);
    let late = client.post_once("/api/v1/moments", &body, "k-5").await;
    assert_eq!(late.status, StatusCode::CREATED, "{}", late.body);
    assert_eq!(shop.number("select count(*) from moment").await, 1);
}

#[tokio::test]
async fn bad_idempotency_keys_are_refused() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:write"]).await;
    for key in ["", "two words", &"x".repeat(129)] {
        let answered = client
            .post_once("/api/v1/regions", &json!({"name": "华中"}), key)
            .await;
        assert_eq!(answered.status, StatusCode::BAD_REQUEST, "{key}");
    }
}

#[tokio::test]
async fn what_was_added_is_where_the_answer_says() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read", "directory:write", "contacts:read"]).await;
    let added = client.post("/api/v1/regions", &json!({"name": "华南"})).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    assert_eq!(client.get(added.header("location")).await.body, added.body);
    shop.run("insert into tag_group (corp_id, id, platform_id, name, sort, created_at) values (1, 401, 'etg', '组', 1, 0)")
        .await;
    let group = client.get("/api/v1/tag-groups/401").await;
    assert_eq!(
        (group.status, &group.body["name"]),
        (StatusCode::OK, &json!("组"))
    );
    for nowhere in ["/api/v1/regions/9", "/api/v1/tag-groups/9"] {
        assert_eq!(
            client.get(nowhere).await.status,
            StatusCode::NOT_FOUND,
            "{nowhere}"
        );
    }
}

#[tokio::test]
async fn a_store_is_added_changed_and_read_in_pages() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read", "directory:write"]).await;
    let new = json!({"code": "S4", "name": "苏州中心店", "region_id": "11"});
    let added = client.post("/api/v1/stores", &new).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    assert_eq!(
        (&added.body["zone"], &added.body["status"]),
        (&json!("Asia/Shanghai"), &json!("open"))
    );
    let place = added.header("location").to_owned();
    let closed = client
        .ask("PATCH", &place, Some(r#"{"status":"closed"}"#), &[])
        .await;
    assert_eq!(
        (closed.status, &closed.body["status"]),
        (StatusCode::OK, &json!("closed"))
    );
    assert_eq!(client.get(&place).await.body, closed.body);

    let mut codes = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("/api/v1/stores?limit=3&after={after}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        for store in page.body["items"].as_array().unwrap() {
            codes.push(store["code"].as_str().unwrap().to_owned());
        }
        match page.body["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(codes, ["S1", "S2", "S3", "S4"]);
}

#[tokio::test]
async fn a_nul_is_refused_by_name_on_both_databases() {
    let shop = World::open().await;
    let scopes = ["orders:read", "orders:write", "contacts:read", "contacts:write"];
    let client = Client::of(&shop, &scopes).await;
    let rows = json!([order("A1", 100), order("A\0", 100), order("A3", 100)]);
    let told = client.post("/api/v1/orders", &rows).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let results: Vec<&str> = told.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["created", "error", "created"]);
    assert_eq!(told.body["items"][1]["errors"][0]["pointer"], "/1/order_no");

    let named = json!({"name": "a\0b", "rule": {"store": "21"}});
    let told = client.post("/api/v1/segments", &named).await;
    assert_eq!((told.problem(), told.pointer()), ("/problems/invalid", "/name"));
    let told = client.get("/api/v1/products?search=%00").await;
    assert_eq!((told.problem(), told.pointer()), ("/problems/invalid", "/search"));
    let told = client.get("/api/v1/orders/a%00/attribution").await;
    assert_eq!(told.problem(), "/problems/not-found");
}

#[tokio::test]
async fn a_rule_of_many_parts_is_counted_once() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["contacts:read"]).await;
    let preview = async |parts: usize| {
        let rule = json!({"rule": {"all": vec![json!({"store": "21"}); parts]}});
        let told = client.post("/api/v1/segments/preview", &rule).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        told.body
    };
    let few = preview(40).await;
    let many = preview(41).await;
    assert_eq!(few["steps"].as_array().unwrap().len(), 40);
    assert_eq!(few["steps_left_out"], false);
    assert_eq!(many["count"], few["count"]);
    // The database leaves the steps out; the index, if it is there by now, does not.
    let steps = many["steps"].as_array().unwrap().len();
    assert_eq!(steps, if many["steps_left_out"] == true { 0 } else { 41 });

    let rule = Rule::All(vec![Rule::Store(StoreId(21)); 41]);
    let (zone, now) = (chrono_tz::Asia::Shanghai, shop.now());
    let by_sql = segments::preview_by_sql(&shop.app.db, &shop.whole(), &rule, zone, now).await;
    let by_sql = by_sql.unwrap();
    assert_eq!((by_sql.steps.len(), by_sql.steps_left_out), (0, true));
    assert_eq!(by_sql.count, few["count"]);
}

fn order(number: &str, fen: i64) -> Value {
    json!({
        "order_no": number, "store_code": "S1", "channel": "mini_store", "paid_at": "2026-11-23T09:30:00+08:00",
        "buyer": {"external_userid": "wmSim102"}, "paid_fen": fen,
        "lines": [{"sku": "D1", "name": "连衣裙", "category": "dress", "quantity": 1, "paid_fen": fen, "list_fen": fen}]
    })
}

#[tokio::test]
async fn a_bad_order_does_not_stop_the_others() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["orders:read", "orders:write"]).await;
    let mut unknown = order("A2", 100);
    unknown["corp_id"] = json!("2");
    let mut wrong = order("A3", 100);
    wrong["lines"][0]["paid_fen"] = json!(99);
    let rows = json!([order("A1", 39_800), unknown, wrong, order("A4", 5_000)]);
    let told = |answered: &Answered| -> Vec<String> {
        let rows = answered.body["items"].as_array().unwrap().iter();
        rows.map(|row| {
            let pointer = row["errors"][0]["pointer"].as_str().unwrap_or("");
            format!(
                "{} {} {pointer}",
                row["order_no"].as_str().unwrap(),
                row["result"].as_str().unwrap()
            )
        })
        .collect()
    };
    let first = client.post("/api/v1/orders", &rows).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let results = told(&first);
    assert_eq!(
        (results[0].as_str(), results[1].as_str()),
        ("A1 created ", "A2 error /1/corp_id")
    );
    assert!(results[2].starts_with("A3 error /2/"), "{results:?}");
    assert_eq!(results[3], "A4 created ");

    let again = client
        .post(
            "/api/v1/orders",
            &json!({"items": [order("A1", 39_800), order("A4", 6_000)]}),
        )
        .await;
    assert_eq!(told(&again), ["A1 unchanged ", "A4 updated "]);

    let orders = client.get("/api/v1/orders?store=21").await;
    assert_eq!(
        orders.body["items"].as_array().unwrap().len(),
        2,
        "{}",
        orders.body
    );
    assert!(orders.body["items"][0]["paid_fen"].is_i64());
    let attribution = client.get("/api/v1/orders/A1/attribution").await;
    assert_eq!(attribution.status, StatusCode::OK, "{}", attribution.body);
    assert_eq!(attribution.body["credits"][0]["paid_fen"], 39_800);
    assert_eq!(
        client.get("/api/v1/orders/A9/attribution").await.status,
        StatusCode::NOT_FOUND
    );

    let refund = json!({"refund_no": "R1", "order_no": "A1", "refunded_at": "2026-11-23T09:50:00+08:00", "refund_fen": 9_800});
    let refunded = client.post("/api/v1/refunds", &refund).await;
    assert_eq!(
        refunded.body["items"][0],
        json!({"refund_no": "R1", "result": "created", "errors": []})
    );
    assert_eq!(
        client.get("/api/v1/refunds").await.body["items"][0]["refund_fen"],
        9_800
    );
    assert_eq!(
        client.get("/api/v1/orders/A1/attribution").await.body["credits"][0]["refund_fen"],
        9_800
    );

    let product = json!([{"sku": "D1", "name": "连衣裙", "category": "dress", "price_fen": 39_800}]);
    let kept = client.post("/api/v1/products", &product).await;
    assert_eq!(kept.body["items"][0]["result"], "created", "{}", kept.body);
    let found = client.get("/api/v1/products?search=%E8%BF%9E%E8%A1%A3").await;
    assert_eq!(found.body["items"][0]["sku"], "D1");
}

/// S59
#[tokio::test]
async fn s59_orders_are_answered_the_same_under_one_key() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["orders:write"]).await;
    let rows = json!([order("B1", 10_000)]);
    let first = client.post_once("/api/v1/orders", &rows, "till-7").await;
    let second = client.post_once("/api/v1/orders", &rows, "till-7").await;
    assert_eq!(first.body["items"][0]["result"], "created");
    assert_eq!((second.status, &second.body), (StatusCode::OK, &first.body));
    assert_eq!(second.header("idempotency-replayed"), "true");
    let other = client
        .post_once("/api/v1/orders", &json!([order("B2", 1)]), "till-7")
        .await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    shop.app.clock.advance(25 * HOUR_MS);
    let client = Client::of(&shop, &["orders:write"]).await;
    assert_eq!(
        client.post_once("/api/v1/orders", &rows, "till-7").await.body["items"][0]["result"],
        "unchanged"
    );
}

#[tokio::test]
async fn a_link_without_a_title_is_called_by_the_beginning_of_its_address() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["links:read", "links:write"]).await;
    let url = format!("https://shop.example.com/products/{}", "包".repeat(50));
    let body = json!({"target": {"kind": "web", "url": url}, "associate_id": "31"});
    let link = client.post("/api/v1/links", &body).await;
    assert_eq!(link.status, StatusCode::CREATED, "{}", link.body);
    let title: String = url.chars().take(60).collect();
    assert_eq!(link.body["title"], title);
}

#[tokio::test]
async fn a_year_by_day_is_answered_and_more_is_refused() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["metrics:read"]).await;
    let codes = "net_sales,buyers,clickers,pd_share,goal,new_contacts,end_contacts";
    let of = async |from: &str| {
        let path = format!("/api/v1/metrics?codes={codes}&by=day&from={from}&to=2026-11-23");
        client.get(&path).await
    };
    let year = of("2025-11-23").await;
    assert_eq!(year.status, StatusCode::OK, "{}", year.body);
    let days = year.body["by_day"].as_array().unwrap();
    assert_eq!(days.len(), 366);
    assert_eq!(days[365]["figures"]["end_contacts"]["value"], 12);
    assert_eq!(days[0]["figures"]["end_contacts"]["value"], 0);
    let more = of("2025-11-22").await;
    assert_eq!((more.status, more.pointer()), (StatusCode::BAD_REQUEST, "/from"));
}

#[tokio::test]
async fn a_link_is_made_and_its_click_gets_a_person() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["links:read", "links:write"]).await;
    let body = json!({"title": "双肩包", "target": {"kind": "web", "url": "https://shop.example.com/bag"}, "associate_id": "31"});
    let link = client.post("/api/v1/links", &body).await;
    assert_eq!(link.status, StatusCode::CREATED, "{}", link.body);
    let (id, code) = (
        link.body["id"].as_str().unwrap(),
        link.body["code"].as_str().unwrap(),
    );
    assert_eq!(link.body["url"], format!("http://127.0.0.1:8080/l/{code}"));

    let by_code = format!("/api/v1/links/{code}/clicks");
    shop.run(
        "insert into click (corp_id, id, link_id, token, visitor, at, day, kind)
         values (1, 5, 4, 'of-another-link', 'a', 0, '2026-11-22', 'person')",
    )
    .await;
    let click = client
        .post(&by_code, &json!({"buyer": {"unionid": "union102"}}))
        .await;
    assert_eq!(
        (click.status, &click.body["contact_id"]),
        (StatusCode::CREATED, &json!("102")),
        "{}",
        click.body
    );
    let stranger = client.post(&by_code, &json!({"buyer": {"openid": "o-1"}})).await;
    assert_eq!(
        (stranger.status, &stranger.body["result"]),
        (StatusCode::OK, &json!("unknown_buyer"))
    );
    for (body, place) in [
        (json!({"buyer": {}}), "/buyer"),
        (json!({"buyer": {"unionid": "a", "openid": "b"}}), "/buyer"),
        (json!({"buyer": {"contact_id": "999"}}), "/buyer/contact_id"),
        (
            json!({"buyer": {"unionid": "union102"}, "click": "nope"}),
            "/click",
        ),
        (
            json!({"buyer": {"unionid": "union102"}, "at": "2027-01-01T00:00:00+08:00"}),
            "/at",
        ),
        (
            json!({"buyer": {"unionid": "union102"}, "at": "yesterday"}),
            "/at",
        ),
        (
            json!({"buyer": {"unionid": "union102"}, "at": "2014-12-31T00:00:00+08:00"}),
            "/at",
        ),
        (
            json!({"buyer": {"unionid": "union103"}, "click": "of-another-link"}),
            "/click",
        ),
    ] {
        let answered = client.post(&by_code, &body).await;
        assert_eq!(
            (answered.status, answered.pointer()),
            (StatusCode::BAD_REQUEST, place),
            "{body}"
        );
    }
    let clicks = client.get(&format!("/api/v1/links/{id}/clicks")).await;
    assert_eq!(
        clicks.body["items"].as_array().unwrap().len(),
        1,
        "{}",
        clicks.body
    );
    assert_eq!(
        client.get("/api/v1/links/nothing/clicks").await.status,
        StatusCode::NOT_FOUND
    );

    let place = format!("/api/v1/links/{id}");
    let closed = client.ask("PATCH", &place, Some(r#"{"closed":true}"#), &[]).await;
    assert!(closed.body["closed_at"].is_string(), "{}", closed.body);
    let outside = json!({"target": {"kind": "web", "url": "https://evil.example.net/"}});
    assert_eq!(
        client.post("/api/v1/links", &outside).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn contacts_are_found_by_what_is_known() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["contacts:read", "directory:read"]).await;
    let ids = async |query: &str| -> Vec<String> {
        let page = client.get(&format!("/api/v1/contacts?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let rows = page.body["items"].as_array().unwrap().iter();
        let mut ids: Vec<String> = rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids("").await.len(), 12);
    assert_eq!(ids("store=23").await, ["110", "111", "112"]);
    assert_eq!(ids("associate=32").await, ["105", "106"]);
    assert_eq!(ids("search=107").await, ["107"]);
    assert_eq!(ids("name=107").await, ["107"]);
    assert_eq!(ids("external_userid=wmSim103").await, ["103"]);
    assert!(ids("added_from=2026-11-01").await.is_empty());
    let one = client.get("/api/v1/contacts/101").await;
    assert_eq!(one.body["follows"].as_array().unwrap().len(), 2, "{}", one.body);
    assert_eq!(
        client.get("/api/v1/contacts/999").await.problem(),
        "/problems/not-found"
    );
    assert_eq!(
        client.get("/api/v1/contacts/101/tags").await.body["items"],
        json!([])
    );
    assert_eq!(
        client.get("/api/v1/contacts/101/timeline").await.status,
        StatusCode::OK
    );
    let associates = client.get("/api/v1/associates?store=21").await;
    assert_eq!(associates.body["items"].as_array().unwrap().len(), 2);
    assert_eq!(client.get("/api/v1/associates/31").await.body["userid"], "li");
}

#[tokio::test]
async fn a_segment_is_saved_counted_changed_and_deleted() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["contacts:read", "contacts:write"]).await;
    let rule = json!({"any": [{"store": "23"}, {"associate": "32"}]});
    let preview = client
        .post("/api/v1/segments/preview", &json!({"rule": rule}))
        .await;
    assert_eq!(
        (preview.status, &preview.body["count"]),
        (StatusCode::OK, &json!(5)),
        "{}",
        preview.body
    );
    let saved = client
        .post_once("/api/v1/segments", &json!({"name": "北方", "rule": rule}), "s-1")
        .await;
    assert_eq!(
        (saved.status, &saved.body["rule"]),
        (StatusCode::CREATED, &rule),
        "{}",
        saved.body
    );
    let place = saved.header("location").to_owned();
    let changed = client
        .ask("PATCH", &place, Some(r#"{"name":"三里屯"}"#), &[])
        .await;
    assert_eq!(
        (&changed.body["name"], &changed.body["rule"]),
        (&json!("三里屯"), &rule)
    );
    assert_eq!(
        client.get("/api/v1/segments").await.body["items"][0]["id"],
        saved.body["id"]
    );
    for (rule, pointer) in [
        (json!({"store": "99"}), "/rule/store"),
        (
            json!({"all": [{"tag": "1"}, {"colour": "red"}]}),
            "/rule/all/1/colour",
        ),
        (json!("everyone"), "/rule"),
    ] {
        let refused = client
            .post("/api/v1/segments", &json!({"name": "x", "rule": rule}))
            .await;
        assert_eq!(
            (refused.status, refused.pointer()),
            (StatusCode::BAD_REQUEST, pointer),
            "{}",
            refused.body
        );
    }
    assert_eq!(
        client.ask("DELETE", &place, None, &[]).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(client.get(&place).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_welcome_is_set_for_a_store_and_taken_back() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["welcomes:read", "welcomes:write"]).await;
    let body = json!({"applies_to": {"store_id": "21"}, "text": "欢迎光临"});
    let set = client.post("/api/v1/welcomes", &body).await;
    assert_eq!(set.status, StatusCode::CREATED, "{}", set.body);
    assert_eq!(set.body["applies_to"], json!({"store_id": "21"}));
    let place = set.header("location").to_owned();
    let changed = client.ask("PATCH", &place, Some(r#"{"text":"你好"}"#), &[]).await;
    assert_eq!(
        (&changed.body["text"], &changed.body["attachments"]),
        (&json!("你好"), &json!([]))
    );
    let corp = client
        .post("/api/v1/welcomes", &json!({"applies_to": "corp", "text": "欢迎"}))
        .await;
    assert_eq!(
        (corp.status, &corp.body["applies_to"]),
        (StatusCode::CREATED, &json!("corp"))
    );
    assert_eq!(
        client.get("/api/v1/welcomes").await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        client.ask("DELETE", &place, None, &[]).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(client.get(&place).await.status, StatusCode::NOT_FOUND);
}

/// S38
#[tokio::test]
async fn s38_no_other_origin_is_let_in() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["directory:read"]).await;
    for method in ["OPTIONS", "GET"] {
        let answered = client
            .ask(
                method,
                "/api/v1/stores",
                None,
                &[("origin", "https://evil.example.net")],
            )
            .await;
        let names = answered.headers.keys();
        assert!(
            !names
                .into_iter()
                .any(|name| name.as_str().starts_with("access-control"))
        );
    }
}

#[tokio::test]
async fn a_report_and_the_figures_tell_the_same() {
    let shop = World::open().await;
    let client = Client::of(&shop, &["metrics:read", "orders:write"]).await;
    client.post("/api/v1/orders", &json!([order("C1", 39_800)])).await;
    let report = client
        .get("/api/v1/stores/21/report?from=2026-11-17&to=2026-11-23&compare=previous")
        .await;
    assert_eq!(report.status, StatusCode::OK, "{}", report.body);
    assert_eq!(report.body["figures"]["net_sales"]["value"].to_string(), "39800");
    assert_eq!(report.body["compare_from"], "2026-11-10");
    assert_eq!(report.body["by_day"].as_array().unwrap().len(), 7);
    assert!(!report.body["sentence"].as_str().unwrap().is_empty());
    let figures = client
        .get("/api/v1/metrics?codes=net_sales,orders&scope=store:21&from=2026-11-23&to=2026-11-23&by=day")
        .await;
    assert_eq!(figures.status, StatusCode::OK, "{}", figures.body);
    assert_eq!(figures.body["figures"]["orders"]["value"], 1);
    assert_eq!(figures.body["by_day"][0]["figures"]["net_sales"]["value"], 39_800);
    let of_li = "/api/v1/metrics?codes=clicks,buyers,new_contacts,goal&scope=associate:31";
    let figures = client.get(of_li).await;
    assert_eq!(figures.status, StatusCode::OK, "{}", figures.body);
    assert_eq!(figures.body["scope"], "associate:31");
    let definitions = client.get("/api/v1/metrics/definitions").await;
    assert!(
        definitions.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|metric| metric["code"] == "net_sales")
    );
    for (path, place) in [
        ("/api/v1/metrics?codes=wealth", "/codes"),
        ("/api/v1/metrics", "/codes"),
        ("/api/v1/metrics?codes=orders&scope=planet", "/scope"),
        ("/api/v1/metrics?codes=orders&by=hour", "/by"),
        ("/api/v1/stores/21/report?from=2026-11-24&to=2026-11-23", "/from"),
        ("/api/v1/stores/21/report?from=2026-13-01", "/from"),
        ("/api/v1/stores/21/report?compare=next", "/compare"),
    ] {
        let refused = client.get(path).await;
        assert_eq!(
            (refused.status, refused.pointer()),
            (StatusCode::BAD_REQUEST, place),
            "{path}"
        );
    }
    assert_eq!(
        client.get("/api/v1/stores/99/report").await.status,
        StatusCode::NOT_FOUND
    );
    for scope in ["store:99", "associate:99"] {
        let nowhere = format!("/api/v1/metrics?codes=orders&scope={scope}");
        assert_eq!(
            client.get(&nowhere).await.status,
            StatusCode::NOT_FOUND,
            "{scope}"
        );
    }
}
