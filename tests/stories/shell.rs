//! The frame around the pages, asked over HTTP without a session: where it leads, what it refuses, what it sends along.

use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use dianyu::auth::{self, Policy};
use dianyu::ids::{AssociateId, StoreId};
use dianyu::routes::Entry;
use dianyu::{server, web};
use secrecy::SecretString;
use tower::ServiceExt;

use crate::world::World;

async fn send(shop: &World, request: Request<Body>) -> Response<Body> {
    server::router(&shop.app).0.oneshot(request).await.unwrap()
}

async fn get(shop: &World, path: &str) -> Response<Body> {
    send(shop, Request::get(path).body(Body::empty()).unwrap()).await
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
        .unwrap_or_default()
}

async fn text(response: Response<Body>) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

/// An address of the route, with numbers for its variable parts.
fn address(entry: &Entry) -> String {
    let parts = entry
        .path
        .split('/')
        .map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn is_open(entry: &Entry) -> bool {
    matches!(entry.policy, Policy::Public | Policy::OwnProof)
}

#[tokio::test]
async fn signed_out_every_page_leads_to_the_sign_in_and_back() {
    let shop = World::open().await;
    let (_, table) = web::router(shop.app.clone());
    for entry in table.iter().filter(|entry| !is_open(entry)) {
        let path = address(entry);
        let request = Request::builder().method(entry.method.clone()).uri(&path);
        let response = send(&shop, request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            response.status(),
            StatusCode::SEE_OTHER,
            "{} {path}",
            entry.method
        );
        let back = if entry.method == Method::GET {
            path.as_str()
        } else {
            "/"
        };
        assert_eq!(
            header(&response, "location"),
            format!("/sign-in?return_to={back}")
        );
    }
    let response = get(&shop, "/contacts?q=%E7%8E%8B&lang=en").await;
    assert_eq!(
        header(&response, "location"),
        "/sign-in?return_to=/contacts%3Fq%3D%25E7%258E%258B"
    );
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert!(
        cookies
            .iter()
            .any(|cookie| cookie.to_str().unwrap().starts_with("lang=en; Path=/; HttpOnly"))
    );
}

#[tokio::test]
async fn a_form_without_its_token_or_from_elsewhere_is_refused() {
    let shop = World::open().await;
    let (_, table) = web::router(shop.app.clone());
    for entry in table
        .iter()
        .filter(|entry| entry.method == Method::POST && is_open(entry))
    {
        for (name, value) in [
            ("x-none", ""),
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ] {
            let request = Request::post(address(entry))
                .header("content-type", "application/x-www-form-urlencoded")
                .header(name, value)
                .body(Body::from("csrf=wrong&login=a&password=b"))
                .unwrap();
            assert_eq!(
                send(&shop, request).await.status(),
                StatusCode::FORBIDDEN,
                "{} {name}",
                entry.path
            );
        }
    }
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so_in_the_visitors_language() {
    let shop = World::open().await;
    let zh = get(&shop, "/no-such-page").await;
    assert_eq!(zh.status(), StatusCode::NOT_FOUND);
    assert!(text(zh).await.contains("没找到这个页面"));
    let request = Request::get("/no-such-page")
        .header("accept-language", "en-GB,en")
        .body(Body::empty());
    assert!(
        text(send(&shop, request.unwrap()).await)
            .await
            .contains("This page is not here")
    );
}

#[tokio::test]
async fn every_answer_carries_the_browsers_orders() {
    let shop = World::open().await;
    let style = web::assets::url("app.css");
    for path in [
        "/",
        "/no-such-page",
        "/healthz",
        "/readyz",
        style.as_str(),
        "/assets/old/nothing.css",
    ] {
        let response = get(&shop, path).await;
        let policy = header(&response, "content-security-policy");
        assert!(
            policy.starts_with("default-src 'self'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&response, "referrer-policy"), "same-origin", "{path}");
        let kept = header(&response, "cache-control");
        let expected = if path == style {
            "public, max-age=31536000, immutable"
        } else {
            "no-store"
        };
        assert_eq!(kept, expected, "{path}");
    }
    assert_eq!(text(get(&shop, "/readyz").await).await, "ok\n");
}

/// A browser: keeps cookies, reads the token out of a page before it posts.
struct Visitor<'a> {
    router: axum::Router,
    shop: &'a World,
    cookies: std::collections::BTreeMap<String, String>,
}

impl<'a> Visitor<'a> {
    fn new(shop: &'a World) -> Self {
        let router = web::router(shop.app.clone()).0;
        Self {
            router,
            shop,
            cookies: Default::default(),
        }
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Response<Body> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request
            .header("cookie", cookies.join("; "))
            .body(Body::from(body));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        for kept in response.headers().get_all("set-cookie") {
            let (name, rest) = kept.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.into(), value.into());
        }
        response
    }

    async fn see(&mut self, path: &str) -> String {
        let response = self.send(Request::get(path), String::new()).await;
        let status = response.status();
        let page = text(response).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        page
    }

    /// Posts fields with the token of a page that was seen; answers the status and where it leads.
    async fn post(&mut self, seen: &str, path: &str, fields: &str) -> (StatusCode, String) {
        let csrf = seen.split("name=\"csrf\" value=\"").nth(1).unwrap();
        let csrf = csrf.split('"').next().unwrap();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        let response = self.send(request, format!("csrf={csrf}&{fields}")).await;
        let leads_to = header(&response, "location").to_owned();
        (response.status(), leads_to)
    }

    /// An associate, `li` of store 21, comes in by password.
    async fn li(shop: &'a World) -> Self {
        let tx = shop.begin().await;
        let new = auth::NewOperator {
            login: "li".into(),
            name: "李晓雯".into(),
            role: auth::Role::Associate,
            password: Some(SecretString::from("tide-lantern-47-moss")),
            store: Some(StoreId(21)),
            region: None,
            associate: Some(AssociateId(31)),
        };
        auth::add_operator(&tx, &shop.act(), shop.corp, new)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let mut visitor = Self::new(shop);
        let form = visitor.see("/sign-in?return_to=/contacts").await;
        let fields = "login=li&password=wrong-wrong-wrong&return_to=/contacts";
        assert_eq!(
            visitor.post(&form, "/sign-in", fields).await.0,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        let fields = "login=li&password=tide-lantern-47-moss&return_to=/contacts";
        let came = visitor.post(&form, "/sign-in", fields).await;
        assert_eq!(came, (StatusCode::SEE_OTHER, "/contacts".to_owned()));
        visitor
    }
}

#[tokio::test]
async fn an_associate_signs_in_and_every_page_of_theirs_opens() {
    let shop = World::open().await;
    let mut li = Visitor::li(&shop).await;
    assert!(li.see("/contacts").await.contains("客户104"));
    assert!(!li.see("/contacts").await.contains("客户105"));
    for path in [
        "/",
        "/contacts?q=101&quiet=60&added=7&clicked=1&lang=en",
        "/contacts/101",
        "/moments",
        "/links",
        "/me",
        "/me?period=month",
    ] {
        li.see(path).await;
    }
    for (path, status) in [
        ("/contacts/105", StatusCode::NOT_FOUND),
        ("/contacts/none", StatusCode::NOT_FOUND),
        ("/contacts?tag=x", StatusCode::UNPROCESSABLE_ENTITY),
        ("/tasks/1", StatusCode::NOT_FOUND),
        ("/moments/new", StatusCode::FORBIDDEN),
        ("/segments", StatusCode::FORBIDDEN),
    ] {
        let response = li.send(Request::get(path), String::new()).await;
        assert_eq!(response.status(), status, "{path}");
    }
    let page = li.see("/me").await;
    assert_eq!(li.post(&page, "/sign-out", "").await.1, "/sign-in");
    let response = li.send(Request::get("/contacts"), String::new()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_note_is_kept_and_said_once() {
    let shop = World::open().await;
    let mut li = Visitor::li(&shop).await;
    let page = li.see("/contacts/101?lang=zh").await;
    let done = li
        .post(&page, "/contacts/101/notes", "text=%E8%A6%81%E5%8E%9A%E7%9A%84")
        .await;
    assert_eq!(done, (StatusCode::SEE_OTHER, "/contacts/101".to_owned()));
    let page = li.see("/contacts/101").await;
    assert!(
        page.contains("要厚的") && page.contains("class=\"toast\""),
        "{page}"
    );
    assert!(!li.see("/contacts/101").await.contains("class=\"toast\""));
    let long = format!("text={}", "a".repeat(501));
    assert_eq!(
        li.post(&page, "/contacts/101/notes", &long).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let stale = page.replace("name=\"csrf\" value=\"", "name=\"csrf\" value=\"0");
    assert_eq!(
        li.post(&stale, "/contacts/101/notes", "text=a").await.0,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_link_is_made_followed_and_counted_on_its_page() {
    let shop = World::open().await;
    let mut li = Visitor::li(&shop).await;
    let page = li.see("/links").await;
    let wrong = li
        .post(&page, "/links", "title=Coat&url=https://evil.example/coat")
        .await;
    assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, link) = li
        .post(
            &page,
            "/links",
            "title=Coat&url=https://shop.example.com/coat?a=1",
        )
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let shown = li.see(&link).await;
    let code = shown.split("/l/").nth(1).unwrap().split('"').next().unwrap();

    let mut customer = Visitor::new(li.shop);
    let phone =
        Request::get(format!("/l/{code}")).header("user-agent", "Mozilla/5.0 (iPhone) MicroMessenger/8.0");
    let response = customer.send(phone, String::new()).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert!(header(&response, "location").starts_with("https://shop.example.com/coat?a=1&t="));
    assert_eq!(header(&response, "cache-control"), "no-store");
    let bot = Request::get(format!("/l/{code}")).header("user-agent", "facebookexternalhit/1.1");
    customer.send(bot, String::new()).await;
    let nowhere = customer.send(Request::get("/l/nosuchcode1"), String::new()).await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);

    assert_eq!(
        shop.number("select count(*) from click where kind = 'person'")
            .await,
        1
    );
    assert!(li.see(&link).await.contains("<div class=\"v\">1</div>"));
}

#[tokio::test]
async fn an_old_answer_of_the_platform_leads_nowhere() {
    let shop = World::open().await;
    let response = get(&shop, "/auth/wecom/callback?code=CODE42&state=old").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(header(&response, "location"), "");
    assert!(!text(response).await.contains("CODE42"));
}

#[tokio::test]
async fn an_address_of_ours_never_names_another_host() {
    let shop = World::open().await;
    for path in ["//evil.example/x", "///evil.example/x", "/\\evil.example/x"] {
        let page = text(get(&shop, path).await).await;
        assert!(
            !page.contains("\"//evil") && !page.contains("\"/\\evil"),
            "{path}: {page}"
        );
    }
}

#[tokio::test]
async fn too_many_tries_say_when_to_come_back() {
    let shop = World::open().await;
    let mut stranger = Visitor::new(&shop);
    let form = stranger.see("/sign-in").await;
    let fields = "login=nobody&password=wrong-wrong-wrong";
    for _ in 0..5 {
        let refused = stranger.post(&form, "/sign-in", fields).await;
        assert_eq!(refused.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let csrf = form.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let csrf = csrf.split('"').next().unwrap();
    let request = Request::post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
    let response = stranger.send(request, format!("csrf={csrf}&{fields}")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = header(&response, "retry-after").parse().unwrap();
    assert!((1..=901).contains(&wait), "{wait}");
}

#[tokio::test]
async fn who_signs_in_anew_is_signed_out_as_before_and_asked_before_the_platform_is() {
    let shop = World::open().await;
    let mut li = Visitor::li(&shop).await;
    let before = li.cookies["dianyu"].clone();
    let page = li.see("/contacts").await;
    let fields = "login=li&password=tide-lantern-47-moss&return_to=/contacts";
    assert_eq!(li.post(&page, "/sign-in", fields).await.0, StatusCode::SEE_OTHER);
    assert_ne!(li.cookies["dianyu"], before);
    assert!(matches!(
        auth::operator(&shop.app, &before).await,
        Err(dianyu::error::Error::SignedOut)
    ));
    let asked = li.see("/auth/wecom/start?corp=1&return_to=/contacts").await;
    assert!(asked.contains("action=\"/sign-out\"") && asked.contains("href=\"/contacts\""));
    assert_eq!(shop.number("select count(*) from oauth_attempt").await, 0);
}

/// What this thread logs while it is asked to.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn s68_whoever_is_denied_is_in_the_log_without_their_words() {
    let shop = World::open().await;
    let mut li = Visitor::li(&shop).await;
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // With one listener in the process, a test on another thread that passes a place first would switch it off for all.
    let _beside = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let listening = tracing::subscriber::set_default(lines);
    li.send(Request::get("/segments?q=canary"), String::new()).await;
    let mut stranger = Visitor::new(&shop);
    let form = stranger.see("/sign-in").await;
    stranger
        .post(&form, "/sign-in", "login=nobody-knows&password=wrong-wrong-wrong")
        .await;
    let router = dianyu::api::router(shop.app.clone()).0;
    let request = Request::get("/api/v1/stores/21").body(Body::empty()).unwrap();
    router.oneshot(request).await.unwrap();
    drop(listening);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let has = |parts: &[&str]| {
        text.lines()
            .any(|line| line.contains("WARN") && parts.iter().all(|part| line.contains(part)))
    };
    assert!(has(&["a page was denied", "operator:", "/segments"]), "{text}");
    assert!(has(&["sign-in failed", "login="]), "{text}");
    assert!(
        has(&["a call was denied", "nobody", "/api/v1/stores/{id}", "401"]),
        "{text}"
    );
    assert!(
        !text.contains("nobody-knows") && !text.contains("canary"),
        "{text}"
    );
}
