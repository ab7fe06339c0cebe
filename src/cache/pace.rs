//! Pace: rates that run evenly and bear a burst, and places for what runs at once. Shared when the cache is.

use std::time::{Duration, Instant};

use super::{Cache, Kind};

/// So many times within a span, evenly, of which `burst` may run ahead: any such span sees at most `times + burst`.
/// A count per clock minute would let twice the number pass around the turn of the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub times: u64,
    pub within: Duration,
    pub burst: u64,
}

impl Rate {
    /// Time that one pass takes up.
    fn step(&self) -> Duration {
        self.within / u32::try_from(self.times.max(1)).unwrap_or(u32::MAX)
    }

    /// How far passes may run ahead of the even pace; `share` is a percentage of the burst.
    fn room(&self, share: u64) -> Duration {
        let burst = (self.burst * share / 100).max(1);
        self.step() * u32::try_from(burst).unwrap_or(u32::MAX)
    }
}

/// Where a rate stands in this process.
pub(super) struct Pace {
    /// When the passes so far would have ended at the even pace.
    due: Instant,
    counted_until: Instant,
    count: u64,
}

impl Pace {
    fn new(now: Instant, within: Duration) -> Self {
        Self {
            due: now,
            counted_until: now + within,
            count: 0,
        }
    }

    pub(super) fn matters(&self, now: Instant) -> bool {
        self.due > now || self.counted_until > now
    }
}

/// One of the places for work at once; free again when dropped.
pub struct Place {
    _taken: Option<Taken>,
}

struct Taken {
    client: redis::aio::ConnectionManager,
    key: String,
    name: String,
}

/// KEYS: rates. ARGV: span, step and room of each, in milliseconds. Answers how long to wait; 0: passed.
/// Redis' own clock counts, so instances need not agree on theirs.
const ADMIT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local wait, due, count = 0, {}, {}
for i, key in ipairs(KEYS) do
  local span, step, room = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local held = redis.call('HMGET', key, 'due', 'window', 'count')
  due[i] = math.max(tonumber(held[1] or now), now) + step
  wait = math.max(wait, due[i] - now - room)
  local same = held[2] and tonumber(held[2]) == math.floor(now / span)
  count[i] = same and tonumber(held[3]) or 0
end
if wait > 0.001 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  local span, room = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i])
  redis.call('HSET', key, 'due', string.format('%.3f', due[i]), 'window', math.floor(now / span), 'count', count[i] + 1)
  redis.call('PEXPIRE', key, math.ceil(span + room))
end
return 0";

/// KEYS: a rate. ARGV: its span in milliseconds. Answers the passes of the running span.
const USED: &str = r"
local time = redis.call('TIME')
local held = redis.call('HMGET', KEYS[1], 'window', 'count')
local window = math.floor((time[1] * 1000 + time[2] / 1000) / tonumber(ARGV[1]))
if held[1] and tonumber(held[1]) == window then return tonumber(held[2]) end
return 0";

/// KEYS: the places. ARGV: how many, how long one is held in milliseconds, whose. Answers whether one was free.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1";

impl Cache {
    /// Passes through all rates, or through none and answers how long to wait. `share` is the percentage of each
    /// burst the caller may use: who is content with less leaves the rest to those who are not.
    pub async fn admit(&self, rates: &[(String, Rate)], share: u64) -> Result<(), Duration> {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let script = redis::Script::new(ADMIT);
            let mut asked = script.prepare_invoke();
            for (key, rate) in rates {
                asked.key(format!("{prefix}:rate:{key}"));
                for span in [rate.within, rate.step(), rate.room(share)] {
                    asked.arg(span.as_secs_f64() * 1_000.0);
                }
            }
            match asked.invoke_async::<u64>(&mut client.clone()).await {
                Ok(0) => return Ok(()),
                Ok(wait_ms) => return Err(Duration::from_millis(wait_ms)),
                Err(_) => {}
            }
        }
        self.admit_here(rates, share)
    }

    fn admit_here(&self, rates: &[(String, Rate)], share: u64) -> Result<(), Duration> {
        let memory = self.local();
        let mut memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        memory.sweep();
        let now = Instant::now();
        let mut wait = Duration::ZERO;
        for (key, rate) in rates {
            let due = memory.paces.get(key).map_or(now, |pace| pace.due.max(now));
            wait = wait.max((due + rate.step() - now).saturating_sub(rate.room(share)));
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        for (key, rate) in rates {
            let pace = memory
                .paces
                .entry(key.clone())
                .or_insert_with(|| Pace::new(now, rate.within));
            if pace.counted_until <= now {
                *pace = Pace {
                    due: pace.due,
                    ..Pace::new(now, rate.within)
                };
            }
            pace.due = pace.due.max(now) + rate.step();
            pace.count += 1;
        }
        Ok(())
    }

    /// How often a rate was passed in the running span.
    pub async fn used(&self, key: &str, within: Duration) -> u64 {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let script = redis::Script::new(USED);
            let mut asked = script.key(format!("{prefix}:rate:{key}"));
            asked.arg(within.as_secs_f64() * 1_000.0);
            if let Ok(count) = asked.invoke_async::<u64>(&mut client.clone()).await {
                return count;
            }
        }
        let now = Instant::now();
        let memory = self.local();
        let memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        memory
            .paces
            .get(key)
            .filter(|pace| pace.counted_until > now)
            .map_or(0, |pace| pace.count)
    }

    /// What follows `start` in the names of rates that were passed lately.
    pub async fn rates_below(&self, start: &str) -> Vec<String> {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let whole = format!("{prefix}:rate:{start}");
            let found = scan(client.clone(), &whole).await;
            if let Ok(found) = found {
                return found
                    .iter()
                    .filter_map(|key| key.strip_prefix(&whole))
                    .map(str::to_owned)
                    .collect();
            }
        }
        let memory = self.local();
        let memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let names = memory.paces.keys().filter_map(|key| key.strip_prefix(start));
        names.map(str::to_owned).collect()
    }

    /// Takes one of `places` across instances, for at most `life`; `None`: all are taken. In process there is always
    /// one, and so there is while Redis is away: each instance counts its own besides.
    pub async fn take_place(&self, key: &str, places: usize, life: Duration) -> Option<Place> {
        let Kind::Redis { client, prefix, .. } = &self.kind else {
            return Some(Place { _taken: None });
        };
        let taken = Taken {
            client: client.clone(),
            key: format!("{prefix}:places:{key}"),
            name: crate::ids::random_base62(16),
        };
        let script = redis::Script::new(TAKE);
        let mut asked = script.key(&taken.key);
        asked.arg(places).arg(life.as_millis() as u64).arg(&taken.name);
        match asked.invoke_async::<bool>(&mut client.clone()).await {
            Ok(true) => Some(Place { _taken: Some(taken) }),
            Ok(false) => None,
            Err(_) => Some(Place { _taken: None }),
        }
    }
}

/// Every key that begins like this, a few at a time: others are served in between.
async fn scan(mut client: redis::aio::ConnectionManager, start: &str) -> redis::RedisResult<Vec<String>> {
    let mut found = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let mut asked = redis::cmd("SCAN");
        asked
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{start}*"))
            .arg("COUNT")
            .arg(1_000);
        let (next, keys): (u64, Vec<String>) = asked.query_async(&mut client).await?;
        found.extend(keys);
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        use redis::AsyncTypedCommands as _;
        // Without a runtime the program is ending, and the place frees itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (mut client, key, name) = (
            self.client.clone(),
            std::mem::take(&mut self.key),
            std::mem::take(&mut self.name),
        );
        runtime.spawn(async move {
            let _ = client.zrem(key, name).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// In process, and on Redis when there is one to test with.
    async fn caches() -> Vec<Cache> {
        let mut caches = vec![Cache::memory()];
        if let Ok(url) = std::env::var("TEST_REDIS_URL") {
            let prefix = format!("pace_{}", crate::ids::random_base62(12));
            caches.push(Cache::redis(&url, &prefix).await.unwrap());
        }
        caches
    }

    fn rate(times: u64, within: Duration, burst: u64) -> Rate {
        Rate { times, within, burst }
    }

    #[tokio::test]
    async fn a_burst_passes_and_then_the_even_pace() {
        for cache in caches().await {
            let hour = 3_600 * SECOND;
            let rates = [("a".to_owned(), rate(36_000, hour, 4))];
            for _ in 0..4 {
                cache.admit(&rates, 100).await.unwrap();
            }
            let wait = cache.admit(&rates, 100).await.unwrap_err();
            assert!(wait <= SECOND / 10, "{wait:?}");
            tokio::time::sleep(wait).await;
            cache.admit(&rates, 100).await.unwrap();
            assert_eq!(cache.used("a", hour).await, 5);
            assert_eq!(cache.used("b", SECOND).await, 0);
        }
    }

    #[tokio::test]
    async fn who_takes_a_part_leaves_the_rest_and_refusals_cost_nothing() {
        for cache in caches().await {
            let rates = [("a".to_owned(), rate(60, 60 * SECOND, 10))];
            let mut passed = 0;
            while cache.admit(&rates, 50).await.is_ok() {
                passed += 1;
            }
            assert_eq!(passed, 5);
            for _ in 0..100 {
                cache.admit(&rates, 50).await.unwrap_err();
            }
            for _ in 0..5 {
                cache.admit(&rates, 100).await.unwrap();
            }
            cache.admit(&rates, 100).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn all_rates_are_passed_or_none() {
        for cache in caches().await {
            let wide = ("wide".to_owned(), rate(100, SECOND, 100));
            let narrow = ("narrow".to_owned(), rate(1, 3_600 * SECOND, 1));
            let both = [wide, narrow];
            cache.admit(&both, 100).await.unwrap();
            for _ in 0..3 {
                cache.admit(&both, 100).await.unwrap_err();
            }
            assert_eq!(cache.used("narrow", 3_600 * SECOND).await, 1);
        }
    }

    #[tokio::test]
    async fn places_are_shared_by_instances_and_free_themselves() {
        let Ok(url) = std::env::var("TEST_REDIS_URL") else {
            return;
        };
        let prefix = format!("places_{}", crate::ids::random_base62(12));
        let one = Cache::redis(&url, &prefix).await.unwrap();
        let other = Cache::redis(&url, &prefix).await.unwrap();
        let life = Duration::from_millis(300);
        let first = one.take_place("a", 2, life).await;
        let second = other.take_place("a", 2, life).await;
        assert!(first.is_some() && second.is_some());
        assert!(one.take_place("a", 2, life).await.is_none());
        drop(second);
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Its owner never gives it back.
        std::mem::forget(one.take_place("a", 2, life).await);
        assert!(other.take_place("a", 2, life).await.is_none());
        tokio::time::sleep(life).await;
        assert!(other.take_place("a", 2, life).await.is_some());
    }
}
