//! What holds a call back before the platform would: calls a minute and an hour, of a corp and of all from here, and a
//! block that is running. path/90454 (read 2026-11-22). Shared by instances when the cache is.

use std::time::{Duration, Instant};

use super::ask::{Api, PER_HOUR, PER_HOUR_OF_ALL, PER_MINUTE, PER_MINUTE_OF_ALL};
use super::fault::Failure;
use super::token;
use crate::cache::{Cache, Rate};
use crate::ids::CorpId;
use crate::queue::Lane;
use crate::time::{Clock, HOUR_MS, MINUTE_MS, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// A rate that may be passed this soon is waited for; else the caller comes back later.
const SHORT: Duration = Duration::from_secs(2);
/// A pause on top of the wait, in milliseconds, so that those who wait do not come together.
const APART_MS: std::ops::RangeInclusive<u64> = 0..=100;
/// A block right after a block is the hour's.
const PERSISTS_MS: i64 = MINUTE_MS;
/// Least calls that may run ahead, where the API's limit has as many.
const LEAST_BURST: u64 = 20;

#[derive(Clone)]
pub(super) struct Limits {
    cache: Cache,
    clock: Clock,
}

/// A call that may be made.
pub(super) struct Passed {
    /// The platform's block has ended; whether it really has, this call tells.
    pub(super) is_first_after_block: bool,
}

/// Calls of one API by a corp in the running span, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    pub calls: u64,
    pub of: u64,
}

/// A block of the platform, as it is remembered.
struct Block {
    until: Timestamp,
}

impl Limits {
    pub(super) fn new(cache: Cache, clock: Clock) -> Self {
        Self { cache, clock }
    }

    /// Counts one attempt; waits a little for room, and answers how long it would take when it is long. `by` is the
    /// latest it may be made.
    pub(super) async fn pass(
        &self,
        corp: CorpId,
        api: Api,
        lane: Lane,
        by: Instant,
    ) -> Result<Passed, Failure> {
        let block = self.block_of(corp, api.path).await;
        if let Some(left) = block.as_ref().and_then(|block| self.left(block)) {
            return Err(Failure::HeldBack {
                wait: left,
                why: "the platform reported its rate limit; held back until the block ends",
            });
        }
        let rates = rates(corp, api);
        while let Err(wait) = self.cache.admit(&rates, share(lane)).await {
            let pause = wait + Duration::from_millis(rand::random_range(APART_MS));
            if wait > SHORT || Instant::now() + pause > by {
                return Err(Failure::HeldBack {
                    wait,
                    why: "our share of the platform's rate limit is used up",
                });
            }
            tokio::time::sleep(pause).await;
        }
        Ok(Passed {
            is_first_after_block: block.is_some(),
        })
    }

    /// Remembers that the platform blocks this API: for a minute, and when it does so again right after, until the
    /// next full hour.
    pub(super) async fn block(&self, corp: CorpId, api: Api) {
        let now = self.clock.now();
        let last = self.block_of(corp, api.path).await;
        // Calls that were under way tell the same news.
        if last.as_ref().and_then(|block| self.left(block)).is_some() {
            return;
        }
        let minute = now.plus_ms(MINUTE_MS);
        let until = match last {
            Some(_) => minute.max(Timestamp((now.0.div_euclid(HOUR_MS) + 1) * HOUR_MS)),
            None => minute,
        };
        let remembered_ms = u64::try_from(until.0 - now.0 + PERSISTS_MS).unwrap_or(0);
        let life = Duration::from_millis(remembered_ms);
        self.cache
            .put(&block_key(corp, api.path), &until.0.to_string(), life)
            .await;
        let pause_s = (until.0 - now.0) / 1_000;
        metrics::counter!("dianyu_platform_blocks_total", "api" => api.path).increment(1);
        tracing::warn!(corp.id = %corp, wecom.api = api.path, pause_s, "the platform's rate limit is reached; calls pause");
    }

    /// The platform takes calls again.
    pub(super) async fn unblock(&self, corp: CorpId, api: Api) {
        self.cache.forget(&block_key(corp, api.path)).await;
    }

    /// Paths a corp has called lately, here or wherever the cache is shared.
    pub(super) async fn called(&self, corp: CorpId) -> Vec<String> {
        self.cache.rates_below(&format!("wecom:hour:{corp}:")).await
    }

    pub(super) async fn used(&self, corp: CorpId, path: &str) -> [Used; 2] {
        let [minute, hour] = keys(corp, path);
        let (per_minute, per_hour) =
            token::with_own_limits(path).map_or((PER_MINUTE, PER_HOUR), |api| (api.per_minute, api.per_hour));
        [
            Used {
                calls: self.cache.used(&minute, MINUTE).await,
                of: per_minute,
            },
            Used {
                calls: self.cache.used(&hour, HOUR).await,
                of: per_hour,
            },
        ]
    }

    /// When the running block ends, if one runs.
    pub(super) async fn blocked_until(&self, corp: CorpId, path: &str) -> Option<Timestamp> {
        let block = self.block_of(corp, path).await?;
        self.left(&block).map(|_| block.until)
    }

    /// The block that runs, or the one that has just ended.
    async fn block_of(&self, corp: CorpId, path: &str) -> Option<Block> {
        let until = self.cache.get(&block_key(corp, path)).await?.parse().ok()?;
        let is_recent = self.clock.now().0 < until + PERSISTS_MS;
        is_recent.then_some(Block {
            until: Timestamp(until),
        })
    }

    fn left(&self, block: &Block) -> Option<Duration> {
        let left = u64::try_from(block.until.0 - self.clock.now().0).ok()?;
        (left > 0).then(|| Duration::from_millis(left))
    }
}

/// How much of what may run ahead a lane may use, in percent: a sweep leaves the rest to what is more urgent, which
/// then passes at once however busy the sweep is.
fn share(lane: Lane) -> u64 {
    match lane {
        Lane::Urgent => 100,
        Lane::Callback => 90,
        Lane::Normal => 80,
        Lane::Campaign => 70,
        Lane::Sweep => 60,
    }
}

fn rates(corp: CorpId, api: Api) -> [(String, Rate); 4] {
    let [minute, hour] = keys(corp, api.path);
    [
        (minute, of_minute(api.per_minute)),
        (hour, of_hour(api.per_hour)),
        (
            format!("wecom:minute:all:{}", api.path),
            of_minute(PER_MINUTE_OF_ALL),
        ),
        (format!("wecom:hour:all:{}", api.path), of_hour(PER_HOUR_OF_ALL)),
    ]
}

fn keys(corp: CorpId, path: &str) -> [String; 2] {
    ["minute", "hour"].map(|span| format!("wecom:{span}:{corp}:{path}"))
}

/// The pace of a busy API. Together with what runs ahead it stays within 8,000 of the platform's 10,000.
fn of_minute(times: u64) -> Rate {
    Rate {
        times,
        within: MINUTE,
        burst: (times / 7).max(LEAST_BURST.min(times)),
    }
}

/// A sync is made in one go and then rests, so much of the hour may run ahead; no hour sees more than `times`.
fn of_hour(times: u64) -> Rate {
    let burst = (times * 3 / 7).max(1);
    Rate {
        times: (times - burst).max(1),
        within: HOUR,
        burst,
    }
}

fn block_key(corp: CorpId, path: &str) -> String {
    format!("wecom:blocked:{corp}:{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api::freely("externalcontact/get");
    const CORP: CorpId = CorpId(1);

    fn by() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    async fn wait_s(limits: &Limits) -> Option<u64> {
        match limits.pass(CORP, API, Lane::Normal, by()).await {
            Err(Failure::HeldBack { wait, .. }) => Some(wait.as_secs()),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_block_lasts_its_minute_and_one_that_persists_until_the_hour() {
        let clock = Clock::fixed(Timestamp(10 * HOUR_MS + 20 * MINUTE_MS));
        let limits = Limits::new(Cache::memory(), clock.clone());
        // The second is the news of a call that was under way.
        limits.block(CORP, API).await;
        limits.block(CORP, API).await;
        assert_eq!(wait_s(&limits).await, Some(60));
        clock.advance(MINUTE_MS);
        assert_eq!(wait_s(&limits).await, None);
        limits.block(CORP, API).await;
        assert_eq!(wait_s(&limits).await, Some(39 * 60));
        clock.advance(39 * MINUTE_MS);
        assert!(
            limits
                .pass(CORP, API, Lane::Normal, by())
                .await
                .unwrap()
                .is_first_after_block
        );
        limits.unblock(CORP, API).await;
        limits.block(CORP, API).await;
        assert_eq!(wait_s(&limits).await, Some(60));
        clock.advance(3 * MINUTE_MS);
        limits.block(CORP, API).await;
        assert_eq!(wait_s(&limits).await, Some(60));
    }

    #[tokio::test]
    async fn a_sweep_that_uses_all_it_may_leaves_welcomes_their_way() {
        let limits = Limits::new(Cache::memory(), Clock::System);
        let api = Api::freely("externalcontact/list").a_minute(60);
        let mut passed = 0;
        while limits.pass(CORP, api, Lane::Sweep, Instant::now()).await.is_ok() {
            passed += 1;
        }
        assert_eq!(passed, 12);
        for _ in 0..8 {
            limits
                .pass(CORP, api, Lane::Urgent, Instant::now())
                .await
                .unwrap();
        }
        assert_eq!(limits.used(CORP, api.path).await[0].calls, 20);
        let other = CorpId(2);
        limits
            .pass(other, api, Lane::Sweep, Instant::now())
            .await
            .unwrap();
    }

    #[test]
    fn no_span_sees_more_than_the_platform_allows() {
        for (api, minute, hour) in [
            (API, 10_000, 150_000),
            (Api::freely("get_jsapi_ticket").an_hour(400), 400, 400),
            (Api::freely("ticket/get").an_hour(100), 100, 100),
        ] {
            let [(_, of_minute), (_, of_hour), ..] = rates(CORP, api);
            assert!(of_minute.times + of_minute.burst <= minute, "{of_minute:?}");
            assert!(of_hour.times + of_hour.burst <= hour * 7 / 10, "{of_hour:?}");
        }
        let [.., (_, minute), (_, hour)] = rates(CORP, API);
        assert!(minute.times + minute.burst <= 16_000 && hour.times + hour.burst <= 420_000);
    }
}
