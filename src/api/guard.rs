//! The door of the API: a Bearer key, its limits and its scopes, and what holds for every answer.

use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use super::problem::{Kind, Result, signed_out, too_many, unavailable};
use crate::address;
use crate::app::App;
use crate::auth::{self, ApiCaller, Policy};
use crate::cache::Limit;
use crate::scope::Act;

/// Requests a key may make.
const PER_KEY: Limit = Limit {
    times: 600,
    within: Duration::from_secs(60),
};
const PATIENCE: Duration = Duration::from_secs(10);
/// For calls that carry up to 1,000 rows or speak with the platform row by row.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// The program that asks, as of this request.
#[derive(Clone)]
pub struct Caller {
    who: ApiCaller,
    /// To ask again, while a long answer goes on, whether the key still holds.
    presented: SecretString,
}

impl Deref for Caller {
    type Target = ApiCaller;
    fn deref(&self) -> &ApiCaller {
        &self.who
    }
}

impl Caller {
    pub fn act<'a>(&self, app: &'a App) -> Act<'a> {
        app.act(self.actor())
    }

    /// The same caller, read anew: scopes, expiry and revocation as they are now.
    pub async fn again(&self, app: &App) -> Result<Caller> {
        let who = auth::caller(app, self.presented.expose_secret()).await?;
        Ok(Self { who, ..self.clone() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = super::problem::Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts
            .extensions
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| signed_out(false))
    }
}

/// Lets a request to a route through, or answers for it.
pub fn guard(policy: Policy, request: Request, next: Next) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let mut asked = Asked::of(&request);
        let answer = match admit(policy, request, &mut asked).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        };
        asked.note(answer.status());
        answer
    })
}

/// What the log says of a call that was denied.
struct Asked {
    actor: Option<String>,
    route: Option<MatchedPath>,
    address: Option<IpAddr>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        let app = extensions.get::<App>();
        let trusted = app.map_or(&[][..], |app| app.config.trusted_proxies.as_slice());
        Self {
            actor: None,
            route: extensions.get::<MatchedPath>().cloned(),
            address: address::of(extensions, request.headers(), trusted),
        }
    }

    fn note(&self, status: StatusCode) {
        let is_denied = matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if is_denied {
            tracing::warn!(
                actor = self.actor.as_deref().unwrap_or("nobody"),
                route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str),
                address = self.address.map(address::counted),
                status = status.as_u16(),
                "a call was denied"
            );
        }
    }
}

async fn admit(policy: Policy, mut request: Request, asked: &mut Asked) -> Result<Request> {
    let needed = match policy {
        Policy::Public | Policy::OwnProof => return Ok(request),
        Policy::SignedIn => None,
        Policy::Can(permission) => Some(permission),
    };
    refuse_key_in_address(request.uri())?;
    let presented = bearer(request.headers())?;
    let app = request
        .extensions()
        .get::<App>()
        .cloned()
        .expect("the router lays the app into every request");
    let who = auth::caller(&app, presented.expose_secret()).await?;
    asked.actor = Some(who.actor().to_string());
    pass_limit(&app, &who).await?;
    if let Some(permission) = needed
        && !who.may(permission)
    {
        let scope = permission.scope_name();
        return Err(Kind::Forbidden.says(format!("this needs a key with the scope `{scope}`")));
    }
    request.extensions_mut().insert(Caller { who, presented });
    Ok(request)
}

/// Addresses end up in logs and histories; a key does not belong there.
fn refuse_key_in_address(uri: &Uri) -> Result<()> {
    const NAMES: [&str; 5] = ["access_token", "api_key", "apikey", "authorization", "key"];
    let Some(query) = uri.query() else { return Ok(()) };
    let holds_key = query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        NAMES.contains(&name.to_ascii_lowercase().as_str()) || value.starts_with("dianyu_")
    });
    if holds_key {
        tracing::warn!("a request carried a key in its address; the key should be revoked");
        return Err(Kind::Invalid.says(
            "a key came in the address, where logs keep it: revoke it, make a new one, send it as \
             `Authorization: Bearer dianyu_…`",
        ));
    }
    Ok(())
}

fn bearer(headers: &HeaderMap) -> Result<SecretString> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| signed_out(false))?;
    if values.next().is_some() {
        return Err(signed_out(true));
    }
    let text = value.to_str().map_err(|_| signed_out(true))?;
    let (scheme, key) = text.split_once(' ').ok_or_else(|| signed_out(true))?;
    let key = key.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || !key.starts_with("dianyu_") || key.len() > 128 {
        return Err(signed_out(true));
    }
    Ok(SecretString::from(key))
}

async fn pass_limit(app: &App, who: &ApiCaller) -> Result<()> {
    let name = format!("api:{}:{}", who.corp, who.key);
    app.cache
        .pass(&name, PER_KEY)
        .await
        .map_err(|wait| too_many(wait.as_secs() + 1))
}

/// Cuts off what takes too long.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    let patience = patience(&request);
    match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => unavailable(
            "this took too long; a repeat with the same `Idempotency-Key` finds out what became of it",
            5,
        )
        .into_response(),
    }
}

fn patience(request: &Request) -> Duration {
    const LONG: [&str; 6] = [
        "/orders",
        "/refunds",
        "/products",
        "/contacts/tags",
        "/schedule",
        "/imports",
    ];
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let is_long = request.method() == Method::POST && LONG.iter().any(|end| path.ends_with(end));
    if is_long { LONG_PATIENCE } else { PATIENCE }
}

/// What holds for every answer: kept by nobody, taken for nothing else.
pub(super) async fn seal(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_address_is_refused() {
        for (address, is_fine) in [
            ("/api/v1/stores?limit=5", true),
            ("/api/v1/stores?api_key=abc", false),
            ("/api/v1/stores?x=dianyu_abc", false),
            ("/api/v1/stores?limit=5&Access_Token=1", false),
        ] {
            assert_eq!(
                refuse_key_in_address(&address.parse().unwrap()).is_ok(),
                is_fine,
                "{address}"
            );
        }
    }

    #[test]
    fn only_one_bearer_key_is_read() {
        for (value, is_fine) in [
            ("Bearer dianyu_abc", true),
            ("bearer dianyu_abc", true),
            ("Basic dianyu_abc", false),
            ("Bearer abc", false),
            ("dianyu_abc", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers).is_ok(), is_fine, "{value}");
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
            assert!(bearer(&headers).is_err());
        }
    }
}
