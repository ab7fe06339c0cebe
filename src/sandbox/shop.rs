//! The mini-store: pages to look and buy, and how it tells the product of clicks, orders and refunds, as a chain's
//! own systems would: over HTTP, with a key.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Sandbox;
use super::html::{button, encode, escape, page};
use super::world::Corp;
use crate::time::Timestamp;

/// Where the product is and what the store sells.
#[derive(Debug, Clone, Default)]
pub struct MiniStore {
    /// Without a slash at the end.
    pub product_url: String,
    pub api_key: String,
    /// Which store a member's customers buy at: userid to store code.
    pub stores: HashMap<String, String>,
    pub products: Vec<Product>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product {
    pub sku: String,
    pub name: String,
    pub category: String,
    pub price_fen: i64,
}

/// A line of an order: so many of a product, paid for together.
pub struct Line<'a> {
    pub product: &'a Product,
    pub quantity: i64,
    pub paid_fen: i64,
}

/// A sale as the store or the till pushes it.
pub struct Sale<'a> {
    pub order_no: String,
    pub store_code: &'a str,
    /// `mini_store` or `till`.
    pub channel: &'static str,
    pub paid_at: Timestamp,
    /// `{"unionid":…}` or `{"phone":…}`; `Null` for a stranger.
    pub buyer: Value,
    pub associate: Option<&'a str>,
    /// The `t` the store was opened with.
    pub link_code: Option<&'a str>,
    pub lines: Vec<Line<'a>>,
}

impl Sale<'_> {
    pub fn paid_fen(&self) -> i64 {
        self.lines.iter().map(|line| line.paid_fen).sum()
    }

    fn json(&self) -> Value {
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| {
                json!({"sku": line.product.sku, "name": line.product.name, "category": line.product.category,
                    "quantity": line.quantity, "paid_fen": line.paid_fen,
                    "list_fen": line.product.price_fen * line.quantity})
            })
            .collect();
        let mut order = json!({"order_no": self.order_no, "store_code": self.store_code, "channel": self.channel,
            "paid_at": self.paid_at, "lines": lines, "paid_fen": self.paid_fen()});
        let extras = [
            ("buyer", (!self.buyer.is_null()).then(|| self.buyer.clone())),
            ("associate_userid", self.associate.map(Value::from)),
            ("link_code", self.link_code.map(Value::from)),
        ];
        for (field, value) in extras {
            if let Some(value) = value {
                order[field] = value;
            }
        }
        order
    }
}

/// Tells the product. Each message has a key of its own, so telling twice does no harm.
#[derive(Clone)]
pub struct Teller {
    client: reqwest::Client,
    product_url: String,
    api_key: String,
}

impl Teller {
    /// # Errors
    /// When the system gives no client.
    pub fn new(product_url: &str, api_key: &str) -> anyhow::Result<Self> {
        // A second installation fails and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            client,
            product_url: product_url.trim_end_matches('/').to_owned(),
            api_key: api_key.to_owned(),
        })
    }

    /// Opens a tracked link as a phone's browser does; answers the token the store would be opened with.
    ///
    /// # Errors
    /// When the product does not redirect.
    pub async fn open(&self, code: &str) -> anyhow::Result<Option<String>> {
        const BROWSER: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 \
                               (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.54(0x18003630) Language/zh_CN";
        let request = self.client.get(format!("{}/l/{code}", self.product_url));
        let answer = request.header("User-Agent", BROWSER).send().await?;
        anyhow::ensure!(
            answer.status().is_redirection(),
            "the link answered {}",
            answer.status()
        );
        let to = answer
            .headers()
            .get("Location")
            .and_then(|to| to.to_str().ok())
            .unwrap_or_default();
        let to = reqwest::Url::parse(to).context("the link leads nowhere")?;
        let token = to.query_pairs().find(|(name, _)| name == "t");
        Ok(token.map(|(_, token)| token.into_owned()))
    }

    /// Says who came through a link.
    pub async fn click(&self, code: &str, token: &str, unionid: &str) -> anyhow::Result<()> {
        let body = json!({"click": token, "buyer": {"unionid": unionid}});
        self.tell(
            &format!("links/{}/clicks", encode(code)),
            &format!("click-{token}"),
            &body,
        )
        .await
    }

    pub async fn order(&self, sale: &Sale<'_>) -> anyhow::Result<()> {
        self.tell(
            "orders",
            &format!("order-{}", sale.order_no),
            &json!([sale.json()]),
        )
        .await
    }

    /// # Errors
    /// When the product refuses.
    pub async fn refund(&self, order_no: &str, at: Timestamp, refund_fen: i64) -> anyhow::Result<()> {
        let refund = json!({"refund_no": format!("R{order_no}"), "order_no": order_no, "refunded_at": at,
            "refund_fen": refund_fen});
        self.tell("refunds", &format!("refund-{order_no}"), &json!([refund]))
            .await
    }

    /// Three tries: a product that restarts misses nothing.
    async fn tell(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<()> {
        let mut last = anyhow::anyhow!("not tried");
        for pause_ms in [0, 500, 2_000] {
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let request = self.client.post(format!("{}/api/v1/{path}", self.product_url));
            let request = request
                .bearer_auth(&self.api_key)
                .header("Idempotency-Key", key)
                .json(body);
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if answer.status().is_client_error() => {
                    let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
                    anyhow::bail!(
                        "{path} answered {status}: {}",
                        text.chars().take(300).collect::<String>()
                    );
                }
                Ok(answer) => last = anyhow::anyhow!("{path} answered {}", answer.status()),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }
}

pub fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/shop/{corpid}", get(home))
        .route("/shop/{corpid}/orders", post(buy))
        .route("/shop/{corpid}/{*page}", get(home_at))
}

/// The `t` a tracked link adds.
#[derive(Deserialize)]
struct Opened {
    #[serde(default)]
    t: String,
}

async fn home_at(
    state: State<Sandbox>,
    Path((corpid, _)): Path<(String, String)>,
    opened: Query<Opened>,
    jar: CookieJar,
) -> Html<String> {
    home(state, Path(corpid), opened, jar).await
}

/// Shows the shelf; a visitor who came through a link from his phone is named to the product.
async fn home(
    State(sandbox): State<Sandbox>,
    Path(corpid): Path<String>,
    Query(opened): Query<Opened>,
    jar: CookieJar,
) -> Html<String> {
    let Some(store) = sandbox.mini_store(&corpid) else {
        return page(
            "小程序商城 · Mini-store",
            "<section>还没有商品 · Nothing on sale yet</section>",
        );
    };
    let cookie = |name: &str| {
        jar.get(name)
            .map(|cookie| cookie.value().to_owned())
            .unwrap_or_default()
    };
    let (shopper, link) = (cookie("shopper"), cookie("link"));
    let mut note = String::new();
    if !opened.t.is_empty()
        && !link.is_empty()
        && let Some(unionid) = unionid_of(&sandbox, &corpid, &shopper)
        && let Err(error) = told(&store, &link, &opened.t, &unionid).await
    {
        note = format!(
            "<section><small>{}</small></section>",
            escape(&format!("{error:#}"))
        );
    }
    let who = if shopper.is_empty() {
        "访客 · visitor"
    } else {
        shopper.as_str()
    };
    let shelf: String = store
        .products
        .iter()
        .map(|product| shown(&corpid, product, &opened.t))
        .collect();
    let body = format!("<p><small>{}</small></p>{note}{shelf}", escape(who));
    page("小程序商城 · Mini-store", &body)
}

async fn told(store: &MiniStore, link: &str, token: &str, unionid: &str) -> anyhow::Result<()> {
    Teller::new(&store.product_url, &store.api_key)?
        .click(link, token, unionid)
        .await
}

fn unionid_of(sandbox: &Sandbox, corpid: &str, shopper: &str) -> Option<String> {
    sandbox
        .with_corp(corpid, |corp, _| {
            Ok(corp
                .customers
                .get(shopper)
                .map(|customer| customer.unionid.clone()))
        })
        .ok()
        .flatten()
}

fn shown(corpid: &str, product: &Product, token: &str) -> String {
    let action = format!("/shop/{}/orders", encode(corpid));
    format!(
        "<section><h2>{} <small>{}</small></h2><p>¥{}</p>{}</section>",
        escape(&product.name),
        escape(&product.category),
        yuan(product.price_fen),
        button(&action, &[("sku", &product.sku), ("t", token)], "购买 · Buy")
    )
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

#[derive(Deserialize)]
struct Basket {
    sku: String,
    #[serde(default)]
    t: String,
}

async fn buy(
    State(sandbox): State<Sandbox>,
    Path(corpid): Path<String>,
    jar: CookieJar,
    Form(basket): Form<Basket>,
) -> Response {
    let shopper = jar
        .get("shopper")
        .map(|cookie| cookie.value().to_owned())
        .unwrap_or_default();
    let (title, text) = match sell(&sandbox, &corpid, &shopper, &basket).await {
        Ok(order_no) => ("已付款 · Paid", order_no),
        Err(error) => ("没有成功 · It failed", format!("{error:#}")),
    };
    let back = format!("/shop/{}?t={}", encode(&corpid), encode(&basket.t));
    let body = format!(
        "<section><p>{}</p><p><a href=\"{back}\">继续逛 · Back</a></p></section>",
        escape(&text)
    );
    page(title, &body).into_response()
}

async fn sell(sandbox: &Sandbox, corpid: &str, shopper: &str, basket: &Basket) -> anyhow::Result<String> {
    let store = sandbox.mini_store(corpid).context("nothing is on sale")?;
    let product = store
        .products
        .iter()
        .find(|product| product.sku == basket.sku)
        .context("not on sale")?;
    let (order_no, members) = sandbox.with_corp(corpid, |corp, _| {
        let members: Vec<String> = corp
            .followers_of(shopper)
            .map(|relation| relation.userid.clone())
            .collect();
        Ok((corp.new_id("SO", 20), members))
    })?;
    let store_code = members.iter().find_map(|member| store.stores.get(member));
    let sale = Sale {
        order_no: order_no.clone(),
        store_code: store_code
            .or_else(|| store.stores.values().min())
            .context("no store is known")?,
        channel: "mini_store",
        paid_at: sandbox.now(),
        buyer: unionid_of(sandbox, corpid, shopper)
            .map_or(Value::Null, |unionid| json!({"unionid": unionid})),
        associate: None,
        link_code: Some(basket.t.as_str()).filter(|token| !token.is_empty()),
        lines: vec![Line {
            product,
            quantity: 1,
            paid_fen: product.price_fen,
        }],
    };
    Teller::new(&store.product_url, &store.api_key)?
        .order(&sale)
        .await?;
    Ok(order_no)
}

/// The code of the tracked link in a message, if it carries one.
pub fn tracked_code(message: &Value) -> Option<String> {
    super::message::addresses(message)
        .iter()
        .find_map(|address| code_of(address))
}

/// The code in an address `…/l/{code}`.
pub fn code_of(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("/l/")?;
    let code: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    (!code.is_empty()).then_some(code)
}

/// A person's way to be known to the till: the phone a member noted, or the unionid.
pub fn buyer_of(corp: &Corp, member: &str, customer: &str) -> Value {
    let phone = corp
        .relation(member, customer)
        .and_then(|relation| relation.remark_mobiles.first());
    match (phone, corp.customers.get(customer)) {
        (Some(phone), _) => json!({"phone": phone}),
        (None, Some(customer)) if !customer.unionid.is_empty() => json!({"unionid": customer.unionid}),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tracked_link_is_found_wherever_it_stands() {
        let cases = [
            (
                json!({"attachments": [{"msgtype": "link", "link": {"url": "https://c.example/l/aB3?x=1"}}]}),
                Some("aB3"),
            ),
            (
                json!({"text": {"content": "周末会员日 https://c.example/l/Zz9 见"}}),
                Some("Zz9"),
            ),
            (json!({"text": {"content": "周末会员日"}}), None),
            (
                json!({"attachments": [{"msgtype": "link", "link": {"url": "https://c.example/about"}}]}),
                None,
            ),
        ];
        for (message, code) in cases {
            assert_eq!(tracked_code(&message).as_deref(), code, "{message}");
        }
    }
}
