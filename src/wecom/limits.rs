//! What holds a call back before the platform would: calls a minute and an hour, calls at once, a block that is
//! running. Per corp and API. path/90454 (read 2026-11-22): 10,000 a minute and 150,000 an hour; we stay at 70 %.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ask::Api;
use super::fault::Failure;
use crate::cache::{Cache, Limit};
use crate::ids::CorpId;
use crate::time::Clock;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The platform's hour allows 15 times its minute.
const MINUTES_IN_AN_HOUR: u64 = 15;
/// Longest wait for a turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Turns are per process: the platform's number is not published, only that `mark_tag` bears 5 at once.
type Turns = HashMap<(CorpId, &'static str), Arc<Semaphore>>;

#[derive(Clone)]
pub(super) struct Limits {
    cache: Cache,
    turns: Arc<Mutex<Turns>>,
}

impl Limits {
    pub(super) fn new(cache: Cache) -> Self {
        Self {
            cache,
            turns: Arc::default(),
        }
    }

    /// Waits until one more call may run at the same time.
    pub(super) async fn turn(&self, corp: CorpId, api: Api) -> Result<OwnedSemaphorePermit, Failure> {
        let turns = {
            let mut all = self.turns.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let turns = all
                .entry((corp, api.path))
                .or_insert_with(|| Arc::new(Semaphore::new(api.at_once)));
            Arc::clone(turns)
        };
        match tokio::time::timeout(PATIENCE, turns.acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Failure::HeldBack {
                wait: Duration::from_secs(1),
                why: "too many calls at once; waited 10 s for a turn",
            }),
        }
    }

    /// Counts one attempt; refuses while a block runs or when the share is used up.
    pub(super) async fn pass(&self, corp: CorpId, api: Api) -> Result<(), Failure> {
        if let Some(wait) = self.blocked(corp, api).await {
            return Err(Failure::HeldBack {
                wait,
                why: "the platform reported its rate limit; held back until the block ends",
            });
        }
        let spans = [
            ("minute", MINUTE, api.per_minute),
            ("hour", HOUR, api.per_minute * MINUTES_IN_AN_HOUR),
        ];
        for (name, within, times) in spans {
            let key = format!("wecom:{name}:{corp}:{}", api.path);
            let passed = self.cache.pass(&key, Limit { times, within }).await;
            passed.map_err(|wait| Failure::HeldBack {
                wait,
                why: "our share of the platform's rate limit is used up",
            })?;
        }
        Ok(())
    }

    /// Remembers for a minute that the platform blocks this API.
    pub(super) async fn block(&self, corp: CorpId, api: Api) {
        let until = Clock::System.now().plus_ms(MINUTE.as_millis() as i64);
        self.cache
            .put(&block_key(corp, api), &until.0.to_string(), MINUTE)
            .await;
        tracing::warn!(corp.id = %corp, wecom.api = api.path, "the platform's rate limit is reached; calls pause for 60 s");
    }

    async fn blocked(&self, corp: CorpId, api: Api) -> Option<Duration> {
        let until: i64 = self.cache.get(&block_key(corp, api)).await?.parse().ok()?;
        let left = until - Clock::System.now().0;
        (left > 0).then(|| Duration::from_millis(left as u64))
    }
}

fn block_key(corp: CorpId, api: Api) -> String {
    format!("wecom:blocked:{corp}:{}", api.path)
}
