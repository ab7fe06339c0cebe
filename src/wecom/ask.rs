//! What is asked of the platform: an API with its limits, and the query or body of one call.

/// Calls of one API a corp makes in a minute at most. The platform's limit is 10,000: path/90454 (read 2026-11-22).
const PER_MINUTE: u64 = 7_000;
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
}

impl Api {
    pub(super) const fn freely(path: &'static str) -> Self {
        Self {
            path,
            repeat: Repeat::Freely,
            at_once: AT_ONCE,
            per_minute: PER_MINUTE,
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
