//! A call of a sync: it waits as long as the platform's limits ask, and a little for what may pass.

use std::time::Duration;

use super::run::Work;
use crate::error::{Advice, Error, PlatformFault, Result};

/// Tries of a call that may work later; rate limits are waited for without counting.
const MAX_TRIES: u32 = 6;

/// The member is gone, not visible, or not configured for customer contact.
pub(super) const ABOUT_A_MEMBER: [i64; 6] = [40003, 46004, 60011, 60021, 60111, 84074];
/// The app may not use this API, or may see nobody there: only an administrator can mend it.
pub(super) const NO_PERMISSION: [i64; 11] = [
    48001, 48002, 48004, 48005, 48006, 48009, 50002, 60011, 60021, 60031, 84074,
];
/// The cursor has aged.
pub(super) const ABOUT_A_CURSOR: [i64; 3] = [40035, 40058, 50100];
/// How often a list may send its reader back to the first page.
pub(super) const MAX_RESTARTS: u32 = 3;
/// Calls are counted: waiting is no failure.
const RATE_LIMIT: i64 = 45009;

impl Work<'_> {
    /// Asks until there is an answer, or a refusal that waiting does not change.
    pub(super) async fn patiently<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Result<T> {
        let mut tries = 0;
        loop {
            let answer = ask().await;
            let Err(Error::Platform(PlatformFault {
                code,
                advice: Advice::Retry { after_ms },
                ..
            })) = &answer
            else {
                return answer;
            };
            let is_wait = *code == Some(RATE_LIMIT);
            tries += u32::from(!is_wait);
            let is_about_cursor = code.is_some_and(|code| ABOUT_A_CURSOR.contains(&code));
            if tries > MAX_TRIES || is_about_cursor {
                return answer;
            }
            self.pause(*after_ms).await?;
        }
    }

    async fn pause(&self, ms: i64) -> Result<()> {
        let pause = Duration::from_millis(u64::try_from(ms).unwrap_or(1_000).clamp(10, 60_000));
        tokio::select! {
            () = self.over.cancelled() => Err(Error::internal("the sync was let go of")),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }
}

pub(super) fn is_one_of(error: &Error, codes: &[i64]) -> bool {
    matches!(error, Error::Platform(fault) if fault.code.is_some_and(|code| codes.contains(&code)))
}
