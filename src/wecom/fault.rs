//! Why a call failed, and what the caller should do about it. path/90313 (read 2026-11-22).

use std::time::Duration;

use super::ask::{Api, Repeat};
use super::codes::{self, Remedy};
use crate::error::{Advice, Error, PlatformFault};

pub(super) const BUSY: i64 = -1;
pub(super) const RATE_LIMIT: i64 = 45009;
pub(super) const CONCURRENCY: i64 = 45033;
pub(super) const NOT_EXTERNAL_CONTACT: i64 = 84061;
pub(super) const ALREADY_CANCELLED: i64 = 41093;
const BAD_CREDENTIAL: i64 = 40001;
const CONFLICTING_WRITE: i64 = 6000;
const UNTRUSTED_IP: i64 = 60020;

/// Longest message passed on, in characters.
const MAX_MESSAGE: usize = 300;

/// One failed attempt.
#[derive(Debug)]
pub(super) enum Failure {
    /// The platform's own refusal: it did nothing.
    Refused { code: i64, message: String },
    /// We did not ask: a limit is used up, or the platform is known not to answer. Reads as 45009 to callers: a wait,
    /// not a failed try.
    HeldBack { wait: Duration, why: &'static str },
    /// The request never left.
    NotSent(String),
    /// The request may have arrived; nothing readable came back.
    Unreadable(String),
    /// Accepted, but the answer does not hold what it must.
    Misshapen(String),
}

impl Failure {
    pub(super) fn refused(code: i64, errmsg: &str) -> Self {
        let mut message = clean(errmsg);
        if message.is_empty() {
            message = codes::meaning(code).unwrap_or("no reason given").to_owned();
        }
        if code == UNTRUSTED_IP
            && let Some(ip) = between(errmsg, "from ip: ", ",")
        {
            // The administrator has to enter this address.
            message = format!("{message} (from ip {ip})");
        }
        if let Some(hint) = between(errmsg, "hint: [", "]") {
            tracing::info!(errcode = code, hint, "the platform refused a call");
        }
        Self::Refused { code, message }
    }

    pub(super) fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::HeldBack { .. } => Some(RATE_LIMIT),
            _ => None,
        }
    }

    /// Whether a fresh token may mend it.
    pub(super) fn is_about_token(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if codes::remedy(*code) == Some(Remedy::Refresh))
    }

    /// Whether the same call may work a moment later. Only asked of calls that may be repeated.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(*code, BUSY | CONCURRENCY | CONFLICTING_WRITE),
            Self::NotSent(_) | Self::Unreadable(_) => true,
            Self::HeldBack { .. } | Self::Misshapen(_) => false,
        }
    }

    /// Whether it says that the platform is not well, rather than that it minds this call.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Refused { code, .. } => *code == BUSY,
            Self::NotSent(_) | Self::Unreadable(_) => true,
            Self::HeldBack { .. } | Self::Misshapen(_) => false,
        }
    }

    /// Its name among the figures.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::HeldBack { .. } => "held_back",
            Self::NotSent(_) => "not_sent",
            Self::Unreadable(_) => "unreadable",
            Self::Misshapen(_) => "misshapen",
        }
    }

    /// Takes every occurrence of a secret out of the message.
    pub(super) fn without(mut self, secret: &str) -> Self {
        if let Self::Refused { message, .. } | Self::NotSent(message) | Self::Unreadable(message) = &mut self
            && !secret.is_empty()
            && message.contains(secret)
        {
            *message = message.replace(secret, "…");
        }
        self
    }

    pub(super) fn into_error(self, api: Api) -> Error {
        let code = self.code();
        let once = api.repeat == Repeat::Never;
        let doubtful = |otherwise| if once { Advice::Unknown } else { otherwise };
        let (advice, message) = match self {
            Self::Refused { code, message } => (advice(code, api.repeat), message),
            Self::HeldBack { wait, why } => {
                let after_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).max(1);
                (Advice::Retry { after_ms }, why.to_owned())
            }
            Self::NotSent(message) => (soon(2_000), message),
            Self::Unreadable(message) => (doubtful(soon(5_000)), message),
            Self::Misshapen(message) => (doubtful(Advice::Bug), message),
        };
        Error::Platform(PlatformFault {
            code,
            message: format!("`{}`: {message}", api.path),
            advice,
        })
    }
}

/// The text before the parts that change with every call, bounded, on one line.
pub(super) fn clean(errmsg: &str) -> String {
    let said = [", hint:", ", from ip:", ", more info"]
        .iter()
        .filter_map(|mark| errmsg.find(mark))
        .min()
        .map_or(errmsg, |end| &errmsg[..end]);
    said.chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(MAX_MESSAGE)
        .collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split(end).next().unwrap_or(rest)).filter(|found| found.len() <= 100)
}

/// Around this many milliseconds from now: a third less to a third more, so that callers do not come back together.
fn soon(ms: i64) -> Advice {
    Advice::Retry {
        after_ms: rand::random_range(ms * 2 / 3..=ms * 4 / 3),
    }
}

/// What the caller should do about a refusal, after what was done here.
pub(super) fn advice(code: i64, repeat: Repeat) -> Advice {
    match codes::remedy(code) {
        // Of a call that must not happen twice we do not even know that it did not happen.
        None if repeat == Repeat::Never => Advice::Unknown,
        Some(Remedy::Again(_)) if code == BUSY && repeat == Repeat::Never => Advice::Unknown,
        None | Some(Remedy::Bug) => Advice::Bug,
        Some(Remedy::Refresh) if code == BAD_CREDENTIAL => Advice::TellAdmin,
        // A fresh token was refused as well: the platform may need a moment.
        Some(Remedy::Refresh) => soon(60_000),
        Some(Remedy::SlowDown(after_ms)) if code == RATE_LIMIT => Advice::Retry { after_ms },
        Some(Remedy::Again(after_ms) | Remedy::SlowDown(after_ms)) => soon(after_ms),
        Some(Remedy::Drop) => Advice::Drop,
        Some(Remedy::TellAdmin) => Advice::TellAdmin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_becomes_advice() {
        let table = [
            (40001, Advice::TellAdmin),
            (40096, Advice::Drop),
            (41048, Advice::Drop),
            (41050, Advice::Drop),
            (84061, Advice::Drop),
            (84074, Advice::TellAdmin),
            (60020, Advice::TellAdmin),
            (48002, Advice::TellAdmin),
            (40058, Advice::Bug),
            (123456, Advice::Bug),
            (45009, Advice::Retry { after_ms: 60_000 }),
        ];
        for (code, expected) in table {
            assert_eq!(advice(code, Repeat::Freely), expected, "{code}");
        }
        for code in [-1, 123456] {
            assert_eq!(advice(code, Repeat::Never), Advice::Unknown, "{code}");
        }
        for code in [-1, 41063, 45033, 6000, 40014, 42001] {
            assert!(
                matches!(advice(code, Repeat::Freely), Advice::Retry { .. }),
                "{code}"
            );
        }
    }

    #[test]
    fn messages_keep_what_helps_and_nothing_secret() {
        let errmsg = "not allow to access from your ip, hint: [1719830400_100_0a1b], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020";
        let Failure::Refused { message, .. } = Failure::refused(60020, errmsg) else {
            panic!("a refusal stays one");
        };
        assert_eq!(message, "not allow to access from your ip (from ip 203.0.113.7)");
        let Failure::Refused { message, .. } =
            Failure::refused(42001, "access_token tok_1 expired").without("tok_1")
        else {
            panic!("a refusal stays one");
        };
        assert_eq!(message, "access_token … expired");
    }
}
