//! What is asked of the platform: an API with its limits, and the query or body of one call.

/// Of what the platform allows, in percent, that we use: other apps of the corp draw on the same limits.
const SHARE: u64 = 70;
/// Calls of one API by a corp: 10,000 a minute and 150,000 an hour. path/90454 (read 2026-11-22).
pub(super) const PER_MINUTE: u64 = 10_000 * SHARE / 100;
pub(super) const PER_HOUR: u64 = 150_000 * SHARE / 100;
/// Calls of one API from one address, of all corps: 20,000 a minute and 600,000 an hour. path/90454 (read 2026-11-22).
pub(super) const PER_MINUTE_OF_ALL: u64 = 20_000 * SHARE / 100;
pub(super) const PER_HOUR_OF_ALL: u64 = 600_000 * SHARE / 100;
/// The platform's hour allows 15 times its minute.
const MINUTES_IN_AN_HOUR: u64 = 15;
/// The platform's number is not published.
const AT_ONCE: usize = 32;

/// Whether a call whose outcome is not known may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It reads, or sets what is set already.
    Freely,
    /// Somebody would be bothered twice.
    Never,
}

/// One API: its path below `/cgi-bin/`, which also names it in limits and logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Api {
    pub(super) path: &'static str,
    pub(super) repeat: Repeat,
    pub(super) at_once: usize,
    pub(super) per_minute: u64,
    pub(super) per_hour: u64,
}

impl Api {
    pub(super) const fn freely(path: &'static str) -> Self {
        Self {
            path,
            repeat: Repeat::Freely,
            at_once: AT_ONCE,
            per_minute: PER_MINUTE,
            per_hour: PER_HOUR,
        }
    }

    pub(super) const fn once(path: &'static str) -> Self {
        let mut api = Self::freely(path);
        api.repeat = Repeat::Never;
        api
    }

    pub(super) const fn at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once;
        self
    }

    pub(super) const fn a_minute(mut self, times: u64) -> Self {
        self.per_minute = times;
        self.per_hour = times * MINUTES_IN_AN_HOUR;
        self
    }

    /// For an API whose own limit, `times` an hour, is below what all have.
    pub(super) const fn an_hour(mut self, times: u64) -> Self {
        self.per_hour = times * SHARE / 100;
        if self.per_minute > self.per_hour {
            self.per_minute = self.per_hour;
        }
        self
    }
}

/// What is asked of an API, apart from the token.
pub(super) enum Ask<'a> {
    Get(Vec<(&'static str, String)>),
    Json(&'a str),
    Upload {
        query: &'static [(&'static str, &'static str)],
        filename: &'a str,
        mime: &'static str,
        bytes: &'a [u8],
    },
}
