//! Who asks, in which language: read once a request from cookies, put into the [`Shell`], and checked by the guard.

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use futures_util::future::BoxFuture;

use super::shell::{Flash, Theme};
use super::{Fault, Shell, fault, lang};
use crate::address;
use crate::app::App;
use crate::auth::{self, Operator, Policy};
use crate::error::Error;
use crate::metrics::Lang;

const YEAR_S: i64 = 365 * 24 * 3600;
/// As long as a session may last at most.
const WEEK_S: i64 = 7 * 24 * 3600;

/// Cookies that are kept out of reach of other hosts by their name, where the browser allows it.
const SESSION: &str = "dianyu";
const BROWSER: &str = "dianyu-browser";

fn name(base: &str, is_https: bool) -> String {
    match base {
        SESSION | BROWSER if is_https => format!("__Host-{base}"),
        _ => base.to_owned(),
    }
}

/// A cookie of ours as a header; without `seconds` it ends with the browser, with 0 it is taken back.
pub(super) fn cookie(base: &str, value: &str, is_https: bool, seconds: Option<i64>) -> HeaderValue {
    let life = seconds
        .map(|seconds| format!("; Max-Age={seconds}"))
        .unwrap_or_default();
    let secure = if is_https { "; Secure" } else { "" };
    let name = name(base, is_https);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{life}{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The session's cookie for somebody who has just signed in.
pub(super) fn signed_in(token: &str, is_https: bool) -> HeaderValue {
    cookie(SESSION, token, is_https, Some(WEEK_S))
}

pub(super) fn signed_out(is_https: bool) -> HeaderValue {
    cookie(SESSION, "", is_https, Some(0))
}

/// What tells this browser from others before anybody signs in.
#[derive(Debug, Clone)]
pub(super) struct Browser(pub String);

/// From where somebody asks, as limits count it.
#[derive(Debug, Clone)]
pub(super) struct Asker(pub String);

/// Around every page: reads the cookies, shows errors, keeps what was chosen by `?lang=`.
pub async fn dress(app: State<App>, mut request: Request, next: Next) -> Response {
    let jar = CookieJar::from_headers(request.headers());
    let is_https = app.config.is_https();
    let read = |base: &str| {
        jar.get(&name(base, is_https))
            .map(|cookie| cookie.value().to_owned())
    };
    let is_post = !matches!(*request.method(), Method::GET | Method::HEAD);

    let known =
        read(BROWSER).filter(|value| value.len() == 32 && value.bytes().all(|c| c.is_ascii_alphanumeric()));
    let browser = known.clone().unwrap_or_else(|| crate::ids::random_base62(32));
    let me = match read(SESSION) {
        // A part that renews itself shows that the page is open, not that somebody is there.
        Some(token) if is_live(request.extensions()) => auth::onlooker(&app, &token).await.map(Some),
        Some(token) => auth::operator(&app, &token).await.map(Some),
        None => Ok(None),
    };
    let (chosen, address) = split_lang(request.uri());
    // The platform's answer carries a code: no link and no way back may repeat it.
    let address = if address.starts_with("/auth/") {
        "/sign-in".to_owned()
    } else {
        address
    };
    let shell = Shell {
        lang: chosen
            .or_else(|| read("lang").and_then(|code| lang::parse(&code)))
            .or_else(|| lang::accepted(header(request.headers(), ACCEPT_LANGUAGE)?))
            .unwrap_or_default(),
        theme: read("theme").and_then(|theme| Theme::parse(&theme)),
        csrf: match &me {
            Ok(Some(me)) => me.csrf.clone(),
            _ => crate::seal::fingerprint(&format!("csrf {browser}")),
        },
        zone: me
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map_or(chrono_tz::Asia::Shanghai, |me| me.zone),
        me: me.as_ref().ok().cloned().flatten(),
        address,
        flash: read("flash").and_then(|flash| Flash::read(&flash)),
        now: app.now(),
        waiting: 0,
        is_https,
    };
    request.extensions_mut().insert(shell.clone());
    request.extensions_mut().insert(Browser(browser.clone()));
    let asker = address::of(
        request.extensions(),
        request.headers(),
        &app.config.trusted_proxies,
    );
    let asker = asker.map(address::counted).unwrap_or_default();
    request.extensions_mut().insert(Asker(asker.clone()));
    let route = request.extensions().get::<MatchedPath>().cloned();

    let refused = match me {
        Err(error) if !matches!(error, Error::SignedOut) => Some(error),
        _ if is_post && !is_ours(request.headers(), &app.config.public_url) => {
            Some(Error::Forbidden("a form from elsewhere".into()))
        }
        _ => None,
    };
    let mut response = match refused {
        Some(error) => Fault(error).into_response(),
        None => next.run(request).await,
    };
    if response.status() == StatusCode::FORBIDDEN {
        let actor = shell.me.as_ref().map(|me| me.actor().to_string());
        tracing::warn!(
            actor = actor.as_deref().unwrap_or("nobody"),
            route = route.as_ref().map_or("unmatched", MatchedPath::as_str),
            address = asker,
            "a page was denied"
        );
    }
    if let Some(error) = response.extensions_mut().remove::<std::sync::Arc<Error>>() {
        let headers = std::mem::take(response.headers_mut());
        response = fault::show(&shell, &error, is_post);
        let kept = headers.get_all(SET_COOKIE).iter().cloned();
        kept.for_each(|value| {
            response.headers_mut().append(SET_COOKIE, value);
        });
    }
    let is_page = header(response.headers(), CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    let headers = response.headers_mut();
    if let Some(lang) = chosen {
        headers.append(
            SET_COOKIE,
            cookie("lang", lang::code(lang), is_https, Some(YEAR_S)),
        );
    }
    if known.is_none() && shell.me.is_none() {
        headers.append(SET_COOKIE, cookie(BROWSER, &browser, is_https, Some(YEAR_S)));
    }
    if shell.flash.is_some() && is_page {
        headers.append(SET_COOKIE, cookie("flash", "", is_https, Some(0)));
    }
    response
}

/// Whether a route only renews a part of a page.
fn is_live(extensions: &Extensions) -> bool {
    extensions
        .get::<MatchedPath>()
        .is_some_and(|route| route.as_str().ends_with("/live"))
}

fn header(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether a post comes from a page of ours, as far as the browser says. One that says nothing still needs the token.
fn is_ours(headers: &HeaderMap, public_url: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = header(headers, ORIGIN) else {
        return true;
    };
    let host = header(headers, HOST).unwrap_or_default();
    origin == public_url || origin.split_once("://").is_some_and(|(_, rest)| rest == host)
}

/// The language asked for in the address, and the address without it.
fn split_lang(uri: &Uri) -> (Option<Lang>, String) {
    let mut chosen = None;
    let mut rest = Vec::new();
    for pair in uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        match pair.strip_prefix("lang=") {
            Some(code) => chosen = lang::parse(code),
            None => rest.push(pair),
        }
    }
    // Written into a page, two slashes (or what browsers take for one) would lead to another host.
    let path = format!("/{}", uri.path().trim_start_matches(['/', '\\']));
    let address = match rest.is_empty() {
        true => path,
        false => format!("{path}?{}", rest.join("&")),
    };
    (chosen, address)
}

/// Percent-encodes a value for an address.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(byte as char);
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Longest address to go back to, in bytes: it is stored while somebody signs in.
const MAX_RETURN: usize = 512;

/// A path of ours to go back to; anything else is the front page.
pub fn local(return_to: Option<&str>) -> &str {
    let is_local = |address: &&str| {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        address.len() <= MAX_RETURN
            && path.starts_with('/')
            && !path.contains("//")
            && !path.contains("/..")
            && !address.contains('\\')
            && address.bytes().all(|byte| byte.is_ascii_graphic())
            && !path.starts_with("/sign-in")
            && !path.starts_with("/auth/")
    };
    return_to.filter(is_local).unwrap_or("/")
}

/// Lets a page through when its policy is met.
pub fn guard(policy: Policy, request: Request, next: Next) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        let me = request
            .extensions()
            .get::<Shell>()
            .and_then(|shell| shell.me.as_ref());
        match refusal(policy, me) {
            Some(error) => Fault(error).into_response(),
            None => next.run(request).await,
        }
    })
}

fn refusal(policy: Policy, me: Option<&Operator>) -> Option<Error> {
    match (policy, me) {
        (Policy::Public | Policy::OwnProof, _) => None,
        (_, None) => Some(Error::SignedOut),
        (Policy::SignedIn, Some(_)) => None,
        (Policy::Can(permission), Some(me)) if me.may(permission) => None,
        (Policy::Can(_), Some(me)) => Some(Error::Forbidden(format!(
            "the role {} may not do this",
            me.role.as_str()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_gone_back_to() {
        let long = format!("/contacts?q={}", "a".repeat(512));
        for (asked, path) in [
            (Some("/contacts?tag=1"), "/contacts?tag=1"),
            (Some("//evil.example"), "/"),
            (Some("/contacts//evil.example"), "/"),
            (Some("/contacts/..//evil.example"), "/"),
            (Some("/contacts/../auth"), "/"),
            (Some("/contacts?q=http://a/../b"), "/contacts?q=http://a/../b"),
            (Some("/auth/wecom/callback?code=1&state=2"), "/"),
            (Some(long.as_str()), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("/a\r\nset-cookie: x"), "/"),
            (Some("/sign-in?return_to=/"), "/"),
            (None, "/"),
        ] {
            assert_eq!(local(asked), path, "{asked:?}");
        }
    }

    #[test]
    fn the_language_leaves_the_address() {
        let uri: Uri = "/contacts?q=a&lang=en&tag=1".parse().unwrap();
        assert_eq!(split_lang(&uri), (Some(Lang::En), "/contacts?q=a&tag=1".into()));
    }

    #[test]
    fn the_address_is_never_another_host() {
        for (asked, address) in [
            ("//evil.example/x?lang=en", "/evil.example/x"),
            ("///evil.example/x?a=1", "/evil.example/x?a=1"),
            ("/\\evil.example/x", "/evil.example/x"),
        ] {
            let uri: Uri = axum::http::uri::PathAndQuery::try_from(asked).unwrap().into();
            assert_eq!(split_lang(&uri).1, address, "{asked}");
        }
    }

    #[test]
    fn posts_from_elsewhere_are_told_apart() {
        let ours = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_ours(&headers, "https://crm.example.com")
        };
        assert!(ours(&[("sec-fetch-site", "same-origin")]));
        assert!(!ours(&[("sec-fetch-site", "same-site")]));
        assert!(!ours(&[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://crm.example.com")
        ]));
        assert!(ours(&[("origin", "https://crm.example.com")]));
        assert!(ours(&[
            ("origin", "http://localhost:8080"),
            ("host", "localhost:8080")
        ]));
        assert!(!ours(&[("origin", "null"), ("host", "crm.example.com")]));
        assert!(!ours(&[
            ("origin", "https://evil.example"),
            ("host", "crm.example.com")
        ]));
    }

    #[test]
    fn cookies_are_locked_down_on_https() {
        let safe = signed_in("abc", true);
        let safe = safe.to_str().unwrap();
        assert!(
            safe.starts_with("__Host-dianyu=abc; Path=/; HttpOnly; SameSite=Lax"),
            "{safe}"
        );
        assert!(safe.ends_with("Secure"));
        assert!(!signed_in("abc", false).to_str().unwrap().contains("Secure"));
    }
}
