//! Where a link may lead: plain addresses on the corp's own hosts, checked when the link is made.

use reqwest::Url;

use super::LinkTarget;
use crate::error::{Problem, Said, said};

/// Longest address, in bytes, as the platform counts.
pub const MAX_URL_BYTES: usize = 2_048;
const MAX_PAGE_BYTES: usize = 1_024;

/// Everything wrong with a target; pointers below `at`. `hosts` are the corp's, with or without a port.
pub fn problems(target: &LinkTarget, hosts: &[String], at: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Err(message) = check_url(target.url(), Some(hosts)) {
        found.push(Problem::new(format!("{at}/url"), message));
    }
    if let LinkTarget::MiniProgram { appid, page, .. } = target {
        if !is_appid(appid) {
            found.push(Problem::new(
                format!("{at}/appid"),
                said!(
                    "refused-appid",
                    "`{appid}` is not a mini-program's id; it looks like `wx1234567890abcdef`",
                    appid = shown(appid)
                ),
            ));
        }
        if !is_page(page) {
            found.push(Problem::new(
                format!("{at}/page"),
                said!(
                    "refused-mini-page",
                    "`{page}` is not a page of a mini-program; it looks like `pages/sale.html`",
                    page = shown(page)
                ),
            ));
        }
    }
    found
}

/// Whether a text is a plain web address: `https`, or `http` on loopback; no user, no tricks. With `hosts`, on one
/// of them.
pub fn check_url(text: &str, hosts: Option<&[String]>) -> Result<(), Said> {
    if text.len() > MAX_URL_BYTES {
        return Err(said!(
            "refused-bytes",
            "{bytes} bytes are too many; at most {most}",
            bytes = text.len(),
            most = MAX_URL_BYTES
        ));
    }
    let shown = shown(text);
    let plain = text
        .bytes()
        .all(|byte| !byte.is_ascii_control() && byte != b' ' && byte != b'\\');
    let Some(url) = Url::parse(text).ok().filter(|_| plain) else {
        return Err(said!(
            "refused-address",
            "`{address}` is not a web address such as `https://shop.example.com/a`",
            address = shown
        ));
    };
    let Some(host) = url
        .host_str()
        .filter(|_| matches!(url.scheme(), "https" | "http"))
    else {
        return Err(not_https(shown));
    };
    if url.scheme() == "http" && !is_loopback(host) {
        return Err(not_https(shown));
    }
    // A second `//` and anything before an `@` can make an address look like another.
    if !url.username().is_empty()
        || url.password().is_some()
        || authority(text).contains('@')
        || url.path().contains("//")
    {
        return Err(said!(
            "refused-address-tricky",
            "`{address}` holds a user name or `//` after the host; write a plain address",
            address = shown
        ));
    }
    match hosts {
        Some(hosts) if !is_allowed(&url, host, hosts) => Err(said!(
            "refused-host",
            "`{host}` is not one of the corp's hosts ({hosts}); an administrator can add it",
            host = host,
            hosts = hosts.join(", ")
        )),
        _ => Ok(()),
    }
}

fn not_https(address: String) -> Said {
    said!(
        "refused-address-https",
        "`{address}` must start with `https://`",
        address = address
    )
}

fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn is_allowed(url: &Url, host: &str, hosts: &[String]) -> bool {
    let with_port = match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    // A host without a port stands for the usual port, and on loopback for any.
    let bare_fits = url.port().is_none() || is_loopback(host);
    hosts.iter().any(|allowed| {
        allowed.eq_ignore_ascii_case(&with_port) || (bare_fits && allowed.eq_ignore_ascii_case(host))
    })
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_appid(text: &str) -> bool {
    (10..=32).contains(&text.len())
        && text.starts_with("wx")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_page(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_PAGE_BYTES
        && !text.contains("//")
        && text
            .chars()
            .all(|letter| !letter.is_control() && letter != '\\' && letter != ' ')
}

/// The start of a value for a message, without control characters.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_on_the_corps_hosts_pass() {
        let hosts = [
            "shop.example.com".to_owned(),
            "127.0.0.1:8090".to_owned(),
            "localhost".to_owned(),
        ];
        for (text, passes) in [
            ("https://shop.example.com/home?a=1", true),
            ("https://SHOP.example.com", true),
            ("https://shop.example.com:443/x", true),
            ("http://127.0.0.1:8090/item", true),
            ("http://localhost:3000/item", true),
            ("http://127.0.0.1:8091/item", false),
            ("http://shop.example.com/home", false),
            ("https://shop.example.com:8443/", false),
            ("https://evil.example.com/", false),
            ("https://shop.example.com.evil.com/", false),
            ("https://shop.example.com@evil.com/", false),
            ("https://evil.com@shop.example.com/", false),
            ("https://@shop.example.com/", false),
            ("//evil.com", false),
            ("https://shop.example.com//evil.com", false),
            ("https:\\\\shop.example.com", false),
            ("https://shop.example.com/\\evil", false),
            ("https://shop.example.com/\r\nSet-Cookie: a=b", false),
            ("https://shop.example.com/\ta", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("", false),
        ] {
            assert_eq!(check_url(text, Some(&hosts)).is_ok(), passes, "{text:?}");
        }
        let long = format!("https://shop.example.com/{}", "a".repeat(2_048));
        assert!(check_url(&long, Some(&hosts)).is_err());
    }

    #[test]
    fn a_mini_program_names_its_page() {
        let hosts = ["shop.example.com".to_owned()];
        let target = |appid: &str, page: &str| LinkTarget::MiniProgram {
            appid: appid.into(),
            page: page.into(),
            url: "https://shop.example.com/".into(),
        };
        assert!(problems(&target("wx1234567890abcdef", "pages/sale.html?a=b"), &hosts, "/t").is_empty());
        let found = problems(&target("abc", "//evil"), &hosts, "/t");
        let pointers: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/t/appid", "/t/page"]);
    }
}
