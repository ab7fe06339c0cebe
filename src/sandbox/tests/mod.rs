//! The simulator through its own doors: calls as the client makes them, callbacks as the product gets them.

mod apps;
mod calls;
mod client;
mod groups;
mod handover;
mod life;
mod limits;
mod patchy;
mod people;
mod phones;
mod statistics;
mod ways;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::{Request, Response, StatusCode, header};
use axum::routing::post;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::time::{Clock, DAY_MS, HOUR_MS, Timestamp};
use crate::wecom::crypto::CallbackCrypto;

const CORPID: &str = "ww1a2b3c4d5e6f7a8b";
const TOKEN: &str = "SimToken2026";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

struct Shop {
    sandbox: Sandbox,
    clock: Clock,
    token: String,
}

impl Shop {
    /// Two members in one store; `Li` follows wm1–wm3, `wu` follows wm3; a group of two tags.
    async fn open() -> Self {
        Self::at(None).await
    }

    async fn at(data: Option<std::path::PathBuf>) -> Self {
        let clock = Clock::fixed(Timestamp::parse("2026-11-23T10:00:00+08:00").unwrap());
        let options = SandboxOptions {
            clock: clock.clone(),
            seed: 7,
            data,
        };
        let sandbox = Sandbox::open(options).await.unwrap();
        if sandbox.is_fresh() {
            sandbox.add_corp(seed());
        }
        let mut shop = Self {
            sandbox,
            clock,
            token: String::new(),
        };
        shop.token = shop.fetch_token().await["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        shop
    }

    async fn fetch_token(&self) -> Value {
        let path = format!("/cgi-bin/gettoken?corpid={CORPID}&corpsecret=sandbox-secret");
        json_of(self.send(Request::get(path).body(Body::empty()).unwrap()).await).await
    }

    /// The clock has moved past the token's life.
    async fn renew_token(&mut self) {
        let token = self.fetch_token().await;
        self.token = token["access_token"].as_str().unwrap().to_owned();
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.sandbox.router().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("/cgi-bin/{path}{mark}access_token={}", self.token);
        json_of(self.send(Request::get(path).body(Body::empty()).unwrap()).await).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        json_of(self.post_raw(path, body).await).await
    }

    async fn post_raw(&self, path: &str, body: Value) -> Response<Body> {
        let path = format!("/cgi-bin/{path}?access_token={}", self.token);
        self.send(Request::post(path).body(Body::from(body.to_string())).unwrap())
            .await
    }

    async fn code_of(&self, path: &str, body: Value) -> i64 {
        self.post(path, body).await["errcode"].as_i64().unwrap()
    }

    async fn broadcast(&self, sender: &str, customers: &[&str]) -> Value {
        let body = json!({"chat_type": "single", "sender": sender, "external_userid": customers,
            "text": {"content": "周末会员日"}});
        self.post("externalcontact/add_msg_template", body).await
    }

    /// Status by customer of one member's part.
    async fn results(&self, msgid: &str, userid: &str) -> HashMap<String, i64> {
        let body = json!({"msgid": msgid, "userid": userid});
        let answer = self.post("externalcontact/get_groupmsg_send_result", body).await;
        let rows = answer["send_list"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                (
                    row["external_userid"].as_str().unwrap().to_owned(),
                    row["status"].as_i64().unwrap(),
                )
            })
            .collect()
    }
}

fn seed() -> CorpSeed {
    let member = |userid: &str| Member {
        userid: userid.into(),
        name: userid.into(),
        department: vec![21],
        ..Member::default()
    };
    let customer = |number: i64| Customer {
        external_userid: format!("wm{number}"),
        name: format!("客户{number}"),
        unionid: format!("union{number}"),
        ..Customer::default()
    };
    let relation = |userid: &str, number: i64| Relation {
        userid: userid.into(),
        external_userid: format!("wm{number}"),
        createtime: 1_760_000_000 + number,
        ..Relation::default()
    };
    let department = |id, name: &str, parentid| Department {
        id,
        name: name.into(),
        parentid,
        order: 0,
    };
    let tag = |id: &str, name: &str| Tag {
        id: id.into(),
        name: name.into(),
        ..Tag::default()
    };
    CorpSeed {
        corpid: CORPID.into(),
        name: "禾与 HEYU".into(),
        secret: "sandbox-secret".into(),
        agent_id: 1_000_002,
        departments: vec![department(1, "禾与", 0), department(21, "静安嘉里店", 1)],
        members: vec![member("Li"), member("wu")],
        customers: (1..=5).map(customer).collect(),
        relations: vec![
            relation("li", 1),
            relation("li", 2),
            relation("li", 3),
            relation("wu", 3),
        ],
        tag_groups: vec![TagGroup {
            group_id: "etLevel".into(),
            group_name: "会员等级".into(),
            tags: vec![tag("etGold", "金卡"), tag("etSilver", "银卡")],
            ..TagGroup::default()
        }],
    }
}

async fn text_of(response: Response<Body>) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    assert_eq!(response.status(), 200);
    serde_json::from_str(&text_of(response).await).unwrap()
}

/// What an app got: decrypted, in order.
#[derive(Clone, Default)]
struct App {
    heard: Arc<Mutex<Vec<String>>>,
    refusals: Arc<Mutex<u32>>,
}

impl App {
    /// Listens on loopback, refusing the first deliveries with a 500.
    async fn listen(shop: &Shop, refusals: u32) -> Self {
        let app = Self::default();
        *app.refusals.lock().unwrap() = refusals;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/wecom/{CORPID}/callback",
            listener.local_addr().unwrap()
        );
        let router = Router::new()
            .route("/wecom/{corp}/callback", post(hear).get(echo))
            .with_state(app.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        shop.sandbox.set_callback(CORPID, &url, TOKEN, KEY);
        app
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn crypto() -> CallbackCrypto {
    CallbackCrypto::new(TOKEN, KEY, CORPID).unwrap()
}

async fn hear(
    State(app): State<App>,
    Query(query): Query<HashMap<String, String>>,
    body: String,
) -> StatusCode {
    let (_, rest) = body.split_once("<Encrypt><![CDATA[").unwrap();
    let (encrypted, _) = rest.split_once("]]>").unwrap();
    let xml = crypto()
        .open(
            &query["msg_signature"],
            &query["timestamp"],
            &query["nonce"],
            encrypted,
        )
        .unwrap();
    let mut refusals = app.refusals.lock().unwrap();
    if *refusals > 0 {
        *refusals -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    app.heard.lock().unwrap().push(xml);
    StatusCode::OK
}

async fn echo(Query(query): Query<HashMap<String, String>>) -> String {
    crypto()
        .open(
            &query["msg_signature"],
            &query["timestamp"],
            &query["nonce"],
            &query["echostr"],
        )
        .unwrap()
}

fn field<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}><![CDATA["))?;
    Some(rest.split_once("]]>")?.0)
}
