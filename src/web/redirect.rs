//! `/l/{code}`: stores the click, then leads on. No session; the code is the key.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::CookieJar;
use moka::future::Cache;
use tokio::sync::OnceCell;

use super::session::cookie;
use super::{Path, session};
use crate::app::App;
use crate::auth::Policy;
use crate::db::group::Group;
use crate::error::{Error, Result};
use crate::ids::{ClickId, random_base62};
use crate::links::click::{self, Visit};
use crate::links::{self, Resolved};
use crate::routes::Routes;

const VISITOR: &str = "visitor";
const TWO_YEARS_S: i64 = 2 * 365 * 24 * 3600;
/// A link changed or closed is noticed after this long.
const KEPT: Duration = Duration::from_secs(60);

pub fn routes() -> Routes<App> {
    Routes::new(session::guard).get("/l/{code}", Policy::OwnProof, follow)
}

/// What the redirects of one server share: links known for a minute, and the writer of clicks.
#[derive(Clone)]
pub struct Redirects(Arc<Parts>);

struct Parts {
    known: Cache<String, Arc<Resolved>>,
    clicks: OnceCell<Group<Visit>>,
}

impl Redirects {
    pub fn new() -> Self {
        let known = Cache::builder().max_capacity(100_000).time_to_live(KEPT).build();
        Self(Arc::new(Parts {
            known,
            clicks: OnceCell::new(),
        }))
    }

    async fn resolve(&self, app: &App, code: &str) -> Result<Arc<Resolved>> {
        if let Some(link) = self.0.known.get(code).await {
            return Ok(link);
        }
        let link = Arc::new(links::resolve(&app.db, code).await?);
        self.0.known.insert(code.to_owned(), link.clone()).await;
        Ok(link)
    }

    async fn store(&self, app: &App, visit: Visit) -> Result<()> {
        let start = || async { click::writer(app.db.clone()) };
        self.0.clicks.get_or_init(start).await.store(visit).await
    }
}

impl Default for Redirects {
    fn default() -> Self {
        Self::new()
    }
}

async fn follow(
    app: State<App>,
    Extension(redirects): Extension<Redirects>,
    method: Method,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Response {
    match visit(&app, &redirects, &method, &headers, &code).await {
        Ok(response) => response,
        Err(Error::NotFound) => (StatusCode::NOT_FOUND, Html(NOWHERE.as_str())).into_response(),
        Err(error) => {
            tracing::error!(%error, "a click could not be stored");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [("retry-after", "1")],
                Html(LATER.as_str()),
            )
                .into_response()
        }
    }
}

async fn visit(
    app: &App,
    redirects: &Redirects,
    method: &Method,
    headers: &HeaderMap,
    code: &str,
) -> Result<Response> {
    if code.len() > 32 || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Error::NotFound);
    }
    let link = redirects.resolve(app, code).await?;
    let jar = CookieJar::from_headers(headers);
    let known = jar
        .get(VISITOR)
        .map(|cookie| cookie.value().to_owned())
        .filter(|value| value.len() == 22);
    let visitor = known.clone().unwrap_or_else(|| random_base62(22));
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let agent = text(USER_AGENT.as_str()).unwrap_or_default();
    let purpose = text("sec-purpose").or_else(|| text("purpose"));
    let now = app.now();
    let token = random_base62(17);
    let target = with_token(link.target.url(), &token);
    let visit = Visit {
        id: ClickId::new(&app.ids, now),
        link: Resolved::clone(&link),
        token,
        visitor: crate::seal::fingerprint(&visitor),
        at: now,
        is_preview: click::is_preview(agent, purpose, *method == Method::HEAD),
    };
    redirects.store(app, visit).await?;
    // A redirect that is kept somewhere is a click that nobody counts.
    let headers = [(LOCATION, target), (CACHE_CONTROL, "no-store".to_owned())];
    let mut response = (StatusCode::FOUND, headers).into_response();
    if known.is_none() {
        let kept = cookie(VISITOR, &visitor, app.config.is_https(), Some(TWO_YEARS_S));
        response.headers_mut().append(SET_COOKIE, kept);
    }
    Ok(response)
}

/// The target with `t=<token>` in its query, before a fragment.
fn with_token(url: &str, token: &str) -> String {
    let (address, fragment) = match url.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let join = match address.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{address}{join}t={token}{fragment}")
}

/// Customers see these two: both languages at once, nothing to load but the style.
static NOWHERE: LazyLock<String> = LazyLock::new(|| {
    small_page(
        "链接打不开了",
        "它可能已经下架，问问发给你的店员吧。",
        "This link has ended.",
    )
});
static LATER: LazyLock<String> = LazyLock::new(|| {
    small_page(
        "请稍等再点一次",
        "现在有点忙，马上就好。",
        "Please try again in a moment.",
    )
});

fn small_page(title: &str, advice: &str, english: &str) -> String {
    let (style, dark) = (super::assets::url("app.css"), super::assets::url("dark.css"));
    format!(
        r#"<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="{style}">
<link rel="stylesheet" href="{dark}" media="(prefers-color-scheme:dark)"></head>
<body><main class="auth"><div class="box stack"><h1>{title}</h1><p class="mute">{advice}</p><p class="small faint" lang="en">{english}</p></div></main></body></html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_joins_the_query() {
        for (url, expected) in [
            ("https://shop.example.com/a", "https://shop.example.com/a?t=T"),
            (
                "https://shop.example.com/a?b=1",
                "https://shop.example.com/a?b=1&t=T",
            ),
            (
                "https://shop.example.com/a?b=1#c",
                "https://shop.example.com/a?b=1&t=T#c",
            ),
            ("https://shop.example.com/a?", "https://shop.example.com/a?t=T"),
        ] {
            assert_eq!(with_token(url, "T"), expected);
        }
    }
}
