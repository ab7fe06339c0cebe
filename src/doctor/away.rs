//! Why nothing answers at an address, and what to do about each.

use super::model::Line;
use crate::error::{Said, said};
use crate::wecom::Away;

/// An address of ours or of the platform, and the setting that holds it.
pub struct Address<'a> {
    pub url: &'a str,
    pub setting: &'static str,
    /// What to do where nothing listens.
    pub start: Said,
}

/// The line of a check that found nothing there.
pub fn away(check: &str, address: Address<'_>, why: &Away) -> Line {
    let Address { url, setting, start } = address;
    let (finding, way) = match why {
        Away::Refused => (
            said!(
                "doctor-away-refused",
                "`{url}` refuses the connection: nothing listens there",
                url = url
            ),
            start,
        ),
        Away::Dropped => (
            said!(
                "doctor-away-dropped",
                "no connection to `{url}` in time: what we send is dropped on the way, as firewalls do",
                url = url
            ),
            said!(
                "doctor-away-dropped-way",
                "let this machine through to it (firewall, security group, routes), or correct `{setting}`",
                setting = setting
            ),
        ),
        Away::Silent => (
            said!(
                "doctor-away-silent",
                "`{url}` takes the connection and does not answer in time",
                url = url
            ),
            said!(
                "doctor-away-silent-way",
                "see what hangs there: the proxy, or what stands behind it; or correct `{setting}`",
                setting = setting
            ),
        ),
        Away::Name => (
            said!("doctor-away-name", "the name in `{url}` is not found", url = url),
            said!(
                "doctor-away-name-way",
                "correct the name in `{setting}`, its DNS record, or the DNS server of this machine",
                setting = setting
            ),
        ),
        Away::Tls(why) => (
            said!(
                "doctor-away-tls",
                "`{url}` makes no secure connection: {why}",
                url = url,
                why = why.as_str()
            ),
            said!(
                "doctor-away-tls-way",
                "what listens there needs TLS and a certificate for this name, in date and with its whole chain; this machine has to know who signed it"
            ),
        ),
        Away::Elsewhere(status) => (
            said!(
                "doctor-away-elsewhere",
                "something else answers at `{url}` (HTTP {status})",
                url = url,
                status = status.to_string()
            ),
            said!(
                "doctor-away-elsewhere-way",
                "correct `{setting}`, or take away the proxy that answers in its place",
                setting = setting
            ),
        ),
        Away::Other(why) => (
            said!(
                "doctor-away-other",
                "`{url}` cannot be reached: {why}",
                url = url,
                why = why.as_str()
            ),
            said!(
                "doctor-away-other-way",
                "let this machine reach it (routes, DNS, proxy), or correct `{setting}`",
                setting = setting
            ),
        ),
    };
    Line::failed(check, finding, way)
}
