//! Somebody at a browser: keeps cookies, sends forms with the page's token, reads what comes back.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use dianyu::auth::{self, NewOperator, Role};
use dianyu::ids::{AssociateId, StoreId};
use secrecy::{ExposeSecret, SecretString};
use tower::ServiceExt;

use crate::world::World;

const PASSWORD: &str = "tide-lantern-47-moss";

pub struct Visitor {
    router: Router,
    cookies: BTreeMap<String, String>,
    csrf: String,
    /// What the browser calls itself.
    pub agent: &'static str,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    /// Where it leads, if anywhere.
    pub location: String,
    pub text: String,
}

impl Visitor {
    /// Somebody who reads Chinese and is not signed in.
    pub fn new(shop: &World) -> Self {
        Self {
            router: dianyu::server::router(&shop.app).0,
            cookies: BTreeMap::from([("lang".to_owned(), "zh".to_owned())]),
            csrf: String::new(),
            agent: "Mozilla/5.0",
        }
    }

    /// The same as an operator of this role.
    pub async fn of(shop: &World, role: Role, store: Option<i64>, associate: Option<i64>) -> Self {
        let login = operator(shop, role, store, associate).await;
        let session = auth::sign_in(&shop.app, &login, &SecretString::from(PASSWORD), "127.0.0.1")
            .await
            .unwrap();
        let token = session.token.expose_secret().to_owned();
        let csrf = auth::operator(&shop.app, &token).await.unwrap().csrf;
        let mut visitor = Self::new(shop);
        visitor.cookies.insert("dianyu".into(), token);
        visitor.csrf = csrf;
        visitor
    }

    pub fn is_signed_in(&self) -> bool {
        self.cookies.get("dianyu").is_some_and(|token| !token.is_empty())
    }

    pub async fn get(&mut self, address: &str) -> Answer {
        self.send(Request::get(address), Body::empty()).await
    }

    /// Sends a form; the token goes with it.
    pub async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let all = fields.iter().copied().chain([("csrf", csrf.as_str())]);
        let body: Vec<String> = all
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let request = Request::post(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, "http://127.0.0.1:8080");
        self.send(request, Body::from(body.join("&"))).await
    }

    /// Sends a form with a file; the token goes before it.
    pub async fn upload(&mut self, address: &str, name: &str, file: &[u8]) -> Answer {
        let mut body = Vec::new();
        let csrf = &self.csrf;
        body.extend_from_slice(
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n--x\r\n\
                 Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
                 Content-Type: text/csv\r\n\r\n"
            )
            .as_bytes(),
        );
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let pieces: Vec<_> = body
            .chunks(8_192)
            .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
            .collect();
        let request = Request::post(address)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
            .header(header::ORIGIN, "http://127.0.0.1:8080");
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        self.send(request, body).await
    }

    /// Another page's token, or an old one.
    pub fn forget_token(&mut self) {
        self.csrf = "stale".into();
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = request
            .header(header::HOST, "127.0.0.1:8080")
            .header(header::USER_AGENT, self.agent)
            .header(header::COOKIE, cookies.join("; "))
            .body(body)
            .unwrap();
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 4000));
        request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        for kept in response.headers().get_all(header::SET_COOKIE) {
            let pair = kept.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = response.status();
        let location = response.headers().get(header::LOCATION);
        let location = location
            .map(|to| to.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let body = axum::body::to_bytes(response.into_body(), 4 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        if let Some(csrf) = text.split("name=\"csrf\" value=\"").nth(1) {
            self.csrf = csrf.split('"').next().unwrap().to_owned();
        }
        Answer {
            status,
            location,
            text,
        }
    }
}

impl Answer {
    /// The sentences of the box of problems, or of the page that says why not.
    pub fn said(&self) -> Vec<String> {
        let within = |from: &str, to: &str| -> Vec<String> {
            let parts = self.text.split(from).skip(1);
            parts
                .map(|rest| rest.split(to).next().unwrap_or_default().to_owned())
                .collect()
        };
        let boxes = within("class=\"errs\"", "</div>").join("");
        let mut said: Vec<String> = boxes
            .split("<li>")
            .skip(1)
            .map(|rest| plain(rest.split("</li>").next().unwrap_or_default()))
            .collect();
        if said.is_empty() && !boxes.is_empty() {
            said.push(plain(&format!("<div {boxes}")));
        }
        said.extend(
            within("class=\"note r\"", "</li>")
                .iter()
                .map(|note| plain(&format!("<li {note}"))),
        );
        said
    }
}

/// A text without its markup.
fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            _ if is_tag => {}
            letter => text.push(letter),
        }
    }
    text.trim().to_owned()
}

pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => (byte as char).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// An operator of this role with a password; answers the login.
pub async fn operator(shop: &World, role: Role, store: Option<i64>, associate: Option<i64>) -> String {
    let login = format!("{}-{}", role.as_str(), associate.or(store).unwrap_or_default());
    let tx = shop.begin().await;
    let new = NewOperator {
        login: login.clone(),
        name: login.clone(),
        role,
        password: Some(SecretString::from(PASSWORD)),
        store: store.map(StoreId),
        region: None,
        associate: associate.map(AssociateId),
    };
    auth::add_operator(&tx, &shop.act(), shop.corp, new)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    login
}
