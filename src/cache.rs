//! What instances share and may lose: cached values, short locks, rate limits, wake-ups. In process, or in Redis
//! when `DIANYU_REDIS_URL` is set. Never the truth: with Redis gone everything is slower and nothing is lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::AsyncTypedCommands;
use tokio::sync::Notify;

use crate::error::{Error, Result};

mod pace;

pub use pace::{Place, Rate};

/// How often a limit may be passed.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub times: u64,
    pub within: Duration,
}

#[derive(Clone)]
pub struct Cache {
    kind: Kind,
    wake: Arc<Notify>,
}

#[derive(Clone)]
enum Kind {
    Memory(Arc<Mutex<Memory>>),
    /// The local store serves while Redis does not answer.
    Redis {
        client: redis::aio::ConnectionManager,
        prefix: Arc<str>,
        local: Arc<Mutex<Memory>>,
    },
}

#[derive(Default)]
struct Memory {
    values: HashMap<String, (String, Instant)>,
    windows: HashMap<String, (u64, Instant)>,
    paces: HashMap<String, pace::Pace>,
}

/// Entries kept before expired ones are swept.
const SWEEP_AT: usize = 10_000;

impl Cache {
    pub fn memory() -> Self {
        Self {
            kind: Kind::Memory(Arc::default()),
            wake: Arc::default(),
        }
    }

    /// `prefix` keeps installations on one Redis apart.
    pub async fn redis(url: &str, prefix: &str) -> Result<Self> {
        let unreachable = |error: redis::RedisError| {
            Error::internal(format!(
                "Redis does not answer ({error}); check `DIANYU_REDIS_URL` and that the server runs"
            ))
        };
        let client = redis::Client::open(url).map_err(unreachable)?;
        // The defaults wait 6 s for each command while Redis is away; everything here has a local answer.
        let impatient = redis::aio::ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(10))
            .set_max_delay(Duration::from_millis(50))
            .set_connection_timeout(Some(Duration::from_millis(300)))
            .set_response_timeout(Some(Duration::from_millis(300)));
        let manager = client.get_connection_manager_with_config(impatient);
        let manager = manager.await.map_err(unreachable)?;
        let cache = Self {
            kind: Kind::Redis {
                client: manager,
                prefix: prefix.into(),
                local: Arc::default(),
            },
            wake: Arc::default(),
        };
        cache.listen(client, format!("{prefix}:wake"));
        Ok(cache)
    }

    /// Whether instances share it.
    pub fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Redis { .. })
    }

    /// Whether the shared store answers; in process it always does.
    pub async fn ping(&self) -> Result<()> {
        if let Kind::Redis { client, .. } = &self.kind {
            let mut client = client.clone();
            redis::cmd("PING")
                .query_async::<String>(&mut client)
                .await
                .map_err(Error::internal)?;
        }
        Ok(())
    }

    pub async fn get(&self, key: &str) -> Option<String> {
        if let Kind::Redis { client, prefix, .. } = &self.kind
            && let Ok(found) = client.clone().get(format!("{prefix}:{key}")).await
        {
            return found;
        }
        let memory = self.local();
        let memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        memory
            .values
            .get(key)
            .filter(|(_, until)| *until > Instant::now())
            .map(|(value, _)| value.clone())
    }

    pub async fn put(&self, key: &str, value: &str, life: Duration) {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let stored = client
                .clone()
                .set_ex(format!("{prefix}:{key}"), value, life.as_secs().max(1))
                .await;
            if stored.is_ok() {
                return;
            }
        }
        let memory = self.local();
        let mut memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        memory.sweep();
        memory
            .values
            .insert(key.to_owned(), (value.to_owned(), Instant::now() + life));
    }

    pub async fn forget(&self, key: &str) {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let _ = client.clone().del(format!("{prefix}:{key}")).await;
        }
        let memory = self.local();
        memory
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .values
            .remove(key);
    }

    /// Takes a short lock across instances; `false`: somebody holds it. It frees itself after `life`.
    pub async fn lock(&self, key: &str, life: Duration) -> bool {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let mut client = client.clone();
            let taken = redis::cmd("SET")
                .arg(format!("{prefix}:lock:{key}"))
                .arg("1")
                .arg("NX")
                .arg("PX")
                .arg(life.as_millis() as u64)
                .query_async::<Option<String>>(&mut client)
                .await;
            if let Ok(taken) = taken {
                return taken.is_some();
            }
        }
        let memory = self.local();
        let mut memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        memory.sweep();
        let key = format!("lock:{key}");
        let held = memory
            .values
            .get(&key)
            .is_some_and(|(_, until)| *until > Instant::now());
        if !held {
            memory.values.insert(key, ("1".into(), Instant::now() + life));
        }
        !held
    }

    pub async fn unlock(&self, key: &str) {
        self.forget(&format!("lock:{key}")).await;
    }

    /// Counts one pass through a limit; answers how long to wait when it is used up. With Redis away each
    /// instance counts for itself.
    pub async fn pass(&self, key: &str, limit: Limit) -> Result<(), Duration> {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let script = redis::Script::new(
                "local n = redis.call('INCR', KEYS[1])
                 if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
                 return {n, redis.call('PTTL', KEYS[1])}",
            );
            let mut client = client.clone();
            let counted = script
                .key(format!("{prefix}:limit:{key}"))
                .arg(limit.within.as_millis() as u64)
                .invoke_async::<(u64, i64)>(&mut client)
                .await;
            if let Ok((count, left_ms)) = counted {
                let wait = Duration::from_millis(left_ms.max(1) as u64);
                return if count <= limit.times { Ok(()) } else { Err(wait) };
            }
        }
        let memory = self.local();
        let mut memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        memory.sweep();
        let now = Instant::now();
        let window = memory
            .windows
            .entry(key.to_owned())
            .or_insert((0, now + limit.within));
        if window.1 <= now {
            *window = (0, now + limit.within);
        }
        window.0 += 1;
        if window.0 <= limit.times {
            Ok(())
        } else {
            Err(window.1 - now)
        }
    }

    /// Takes one pass back: it turned out not to be what the limit counts.
    pub async fn give_back(&self, key: &str) {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let script = redis::Script::new(
                "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('DECR', KEYS[1]) end return 0",
            );
            let mut client = client.clone();
            let taken = script
                .key(format!("{prefix}:limit:{key}"))
                .invoke_async::<i64>(&mut client)
                .await;
            if taken.is_ok() {
                return;
            }
        }
        let memory = self.local();
        let mut memory = memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(window) = memory.windows.get_mut(key) {
            window.0 = window.0.saturating_sub(1);
        }
    }

    /// Starts a limit's count anew.
    pub async fn clear_limit(&self, key: &str) {
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let _ = client.clone().del(format!("{prefix}:limit:{key}")).await;
        }
        self.local()
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .windows
            .remove(key);
    }

    /// Tells workers here and elsewhere that something waits.
    pub async fn ring(&self) {
        self.wake.notify_waiters();
        if let Kind::Redis { client, prefix, .. } = &self.kind {
            let _ = client.clone().publish(format!("{prefix}:wake"), "1").await;
        }
    }

    /// Waits for a ring after this call, or for `at_most` from when it is awaited.
    pub fn wait(&self, at_most: Duration) -> impl Future<Output = ()> {
        let rung = self.wake.notified();
        async move {
            let _ = tokio::time::timeout(at_most, rung).await;
        }
    }

    fn local(&self) -> &Arc<Mutex<Memory>> {
        match &self.kind {
            Kind::Memory(memory) => memory,
            Kind::Redis { local, .. } => local,
        }
    }

    /// Passes rings of other instances on; comes back by itself when Redis does.
    fn listen(&self, client: redis::Client, channel: String) {
        let wake = Arc::downgrade(&self.wake);
        tokio::spawn(async move {
            while wake.strong_count() > 0 {
                if let Ok(mut subscription) = client.get_async_pubsub().await
                    && subscription.subscribe(&channel).await.is_ok()
                {
                    use futures_util::StreamExt as _;
                    let mut rings = subscription.on_message();
                    while rings.next().await.is_some() {
                        let Some(wake) = wake.upgrade() else { return };
                        wake.notify_waiters();
                    }
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        });
    }
}

impl Memory {
    fn sweep(&mut self) {
        if self.values.len() + self.windows.len() + self.paces.len() < SWEEP_AT {
            return;
        }
        let now = Instant::now();
        self.values.retain(|_, (_, until)| *until > now);
        self.windows.retain(|_, (_, until)| *until > now);
        self.paces.retain(|_, pace| pace.matters(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_limit_lets_so_many_through() {
        let cache = Cache::memory();
        let limit = Limit {
            times: 3,
            within: Duration::from_secs(60),
        };
        for _ in 0..3 {
            assert!(cache.pass("sign-in", limit).await.is_ok());
        }
        assert!(cache.pass("sign-in", limit).await.is_err());
        assert!(cache.pass("other", limit).await.is_ok());
        for _ in 0..3 {
            cache.pass("back", limit).await.unwrap();
            cache.give_back("back").await;
        }
        assert!(cache.pass("back", limit).await.is_ok());
    }

    #[tokio::test]
    async fn a_lock_is_held_by_one() {
        let cache = Cache::memory();
        assert!(cache.lock("token", Duration::from_secs(5)).await);
        assert!(!cache.lock("token", Duration::from_secs(5)).await);
        cache.unlock("token").await;
        assert!(cache.lock("token", Duration::from_secs(5)).await);
    }
}
