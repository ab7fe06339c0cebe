//! Headers of every answer: what a browser may load, frame, guess and keep.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;

/// Pictures of people and products come from the platform's hosts; nothing else leaves this one.
const POLICY: &str = "default-src 'self'; img-src 'self' data: https://*.qpic.cn https://*.qlogo.cn; object-src 'none'; \
                      base-uri 'none'; frame-ancestors 'self'; form-action 'self'";

/// Whose pictures a page may show: what the platform answers for an upload, and its people's faces.
const PICTURE_HOSTS: [&str; 2] = [".qpic.cn", ".qlogo.cn"];

/// Whether a browser will load the picture under [`POLICY`].
pub fn may_show(picture_url: &str) -> bool {
    let host = host(picture_url);
    host.is_some_and(|host| PICTURE_HOSTS.iter().any(|end| host.ends_with(end)))
}

/// The host of an `https://` address on the usual port.
pub fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|host| !host.is_empty())
}

pub async fn secure(app: State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, CONTENT_SECURITY_POLICY, POLICY);
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, REFERRER_POLICY, "same-origin");
    set(
        headers,
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(headers, CACHE_CONTROL, "no-store");
    if app.config.is_https() {
        set(
            headers,
            STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        );
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_the_platform_are_shown_and_no_others() {
        for (url, shown) in [
            ("https://wework.qpic.cn/wwpic/1/0", true),
            ("https://wx.qlogo.cn/mmhead/x/0", true),
            ("http://wework.qpic.cn/1", false),
            ("https://qpic.cn.evil.example/1", false),
            ("https://evil.example/.qpic.cn", false),
            ("https://evil.example?.qpic.cn", false),
            ("", false),
        ] {
            assert_eq!(may_show(url), shown, "{url}");
        }
        for end in PICTURE_HOSTS {
            assert!(POLICY.contains(&format!("https://*{end}")), "{end}");
        }
    }
}
