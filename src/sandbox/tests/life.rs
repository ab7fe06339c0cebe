//! Life against a product that only listens, and the server on a real socket.

use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;

/// What the product was told, by path.
type Told = Arc<Mutex<Vec<(String, Value)>>>;

async fn product(told: Told) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route(
            "/l/{code}",
            get(|| async { Redirect::temporary("https://shop.example.com/home?t=tok1") }),
        )
        .route("/api/v1/{*path}", post(tell))
        .with_state(told);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn tell(
    State(told): State<Told>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Json<Value>,
) -> StatusCode {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer dianyu_key");
    assert!(headers.contains_key("Idempotency-Key"));
    told.lock().unwrap().push((path, body.0));
    StatusCode::OK
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never {what}");
}

#[tokio::test]
async fn people_come_confirm_click_buy_and_send_back() {
    let shop = Shop::open().await;
    let told = Told::default();
    let product_url = product(told.clone()).await;
    let body = json!({"sender": "li", "attachments": [{"msgtype": "link",
        "link": {"title": "会员日", "url": "https://crm.example.com/l/aB3"}}]});
    assert_eq!(shop.code_of("externalcontact/add_msg_template", body).await, 0);
    let stop = CancellationToken::new();
    let life = live(
        shop.sandbox.clone(),
        LifeOptions {
            product_url,
            api_key: "dianyu_key".into(),
            corpid: CORPID.into(),
            stores: HashMap::from([("Li".into(), "S1".into()), ("wu".into(), "S1".into())]),
            products: vec![Product {
                sku: "D1".into(),
                name: "连衣裙".into(),
                category: "dress".into(),
                price_fen: 59_900,
            }],
            pace: 400.0,
            seed: 1,
            stop: stop.clone(),
        },
    );
    let life = tokio::spawn(life);
    let was_told = |what: fn(&(String, Value)) -> bool| told.lock().unwrap().iter().any(what);
    eventually("a click", || {
        was_told(|(path, body)| {
            path == "links/aB3/clicks" && body["click"] == "tok1" && body["buyer"]["unionid"].is_string()
        })
    })
    .await;
    eventually("an order by the link", || {
        was_told(|(path, body)| {
            path == "orders" && body[0]["link_code"] == "tok1" && body[0]["store_code"] == "S1"
        })
    })
    .await;
    eventually("a till order", || {
        was_told(|(path, body)| path == "orders" && body[0]["channel"] == "till")
    })
    .await;
    eventually("a refund", || was_told(|(path, _)| path == "refunds")).await;
    let added = || {
        shop.sandbox
            .callbacks()
            .iter()
            .any(|it| it.xml.contains("add_external_contact"))
    };
    eventually("a new contact", added).await;
    stop.cancel();
    life.await.unwrap();
    assert!(shop.sandbox.waiting_broadcasts(CORPID).is_empty());
    for (_, order) in told.lock().unwrap().iter().filter(|(path, _)| path == "orders") {
        let lines = order[0]["lines"].as_array().unwrap();
        let sum: i64 = lines.iter().map(|line| line["paid_fen"].as_i64().unwrap()).sum();
        assert_eq!(order[0]["paid_fen"], sum);
    }
}

#[tokio::test]
async fn a_dropped_call_looks_like_one_and_stopping_writes_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.jsonl");
    let shop = Shop::at(Some(path.clone())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/cgi-bin/department/list?access_token={}",
        listener.local_addr().unwrap(),
        shop.token
    );
    let stop = CancellationToken::new();
    let served = tokio::spawn({
        let (sandbox, stop) = (shop.sandbox.clone(), stop.clone());
        async move { sandbox.serve(listener, stop).await }
    });
    shop.sandbox.plan(Plan {
        api: "*".into(),
        fault: Fault::DropBefore,
        times: 1,
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let broken = async { client.get(&url).send().await?.bytes().await };
    assert!(broken.await.is_err());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    stop.cancel();
    served.await.unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("静安嘉里店"));
}

#[tokio::test]
async fn twenty_thousand_customers_are_no_burden() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox.jsonl");
    let options = |path: &std::path::Path| SandboxOptions {
        clock: Clock::System,
        seed: 1,
        data: Some(path.to_owned()),
    };
    let mut corp = seed();
    corp.members = (0..120)
        .map(|number| Member {
            userid: format!("m{number}"),
            department: vec![21],
            ..Member::default()
        })
        .collect();
    corp.customers = (0..20_000)
        .map(|number| Customer {
            external_userid: format!("wm{number}"),
            ..Customer::default()
        })
        .collect();
    corp.relations = (0..20_000)
        .map(|number| Relation {
            userid: format!("m{}", number % 120),
            external_userid: format!("wm{number}"),
            createtime: 1_760_000_000,
            ..Relation::default()
        })
        .collect();
    let sandbox = Sandbox::open(options(&path)).await.unwrap();
    sandbox.add_corp(corp);
    sandbox.flush().await;
    let again = Sandbox::open(options(&path)).await.unwrap();
    let count = again
        .with_corp(CORPID, |corp, _| Ok(corp.customers_of("m7", None).count()))
        .unwrap();
    assert_eq!(count, 167);
}
