//! The access token: one per app, kept in the cache sealed under the app's own secret, so a new secret makes the
//! old token unreadable and Redis never holds one in the clear. One fetch at a time, here and across instances.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ask::{Api, Ask};
use super::client::{Client, Credentials};
use super::fault::Failure;
use super::wire;
use crate::config::MasterKey;
use crate::error::{Advice, Error, PlatformFault, Result};
use crate::ids::CorpId;
use crate::seal::Sealer;
use crate::time::{Clock, Timestamp};

/// path/91039 (read 2026-11-22). Frequent calls are intercepted; 2,000 failing ones in an hour block it for an hour.
const GETTOKEN: Api = Api::freely("gettoken").a_minute(30);

/// A token is renewed this long before it ends, give or take: instances should not all think of it at once.
const EARLY_MS: std::ops::RangeInclusive<i64> = 300_000..=600_000;
/// How long the lock across instances holds when its owner dies.
const LOCK_LIFE: Duration = Duration::from_secs(15);
/// How long a refused secret is remembered.
const REFUSAL_LIFE: Duration = Duration::from_secs(30);
/// After a failed early renewal, the next try.
const NEXT_TRY_MS: i64 = 30_000;

/// One fetch at a time per app, in this process.
pub(super) type Flights = Arc<Mutex<HashMap<(CorpId, i64), Arc<tokio::sync::Mutex<()>>>>>;

#[derive(Serialize, Deserialize, Clone)]
struct Kept {
    token: String,
    /// UTC milliseconds.
    fresh_until: i64,
    ends: i64,
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    code: Option<i64>,
    message: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds.
    #[serde(deserialize_with = "wire::number")]
    expires_in: i64,
}

/// Seals what the cache keeps for one app.
pub(super) fn sealer(credentials: &Credentials) -> Sealer {
    let key: [u8; 32] = Sha256::new_with_prefix(b"dianyu platform token|")
        .chain_update(credentials.corpid.as_bytes())
        .chain_update(b"|")
        .chain_update(credentials.secret.expose_secret().as_bytes())
        .finalize()
        .into();
    Sealer::new(&MasterKey(key))
}

impl Client {
    /// A token that should work; fetched when there is none, renewed early by one caller while the others go on.
    pub(super) async fn token(&self) -> Result<SecretString> {
        let Some(kept) = self.kept::<Kept>("token").await else {
            return self.replaced(None).await;
        };
        if kept.fresh_until <= now().0 {
            self.renew_early(&kept).await;
        }
        Ok(kept.token.into())
    }

    /// Another token than `used`, which the platform refused.
    pub(super) async fn renewed(&self, used: &SecretString) -> Result<SecretString> {
        self.replaced(Some(used.expose_secret().to_owned())).await
    }

    /// In a task of its own: a caller that goes away must not leave the lock behind.
    async fn replaced(&self, used: Option<String>) -> Result<SecretString> {
        let client = self.clone();
        let fetched = tokio::spawn(async move { client.replace(used.as_deref()).await });
        fetched.await.map_err(Error::internal)?
    }

    async fn replace(&self, used: Option<&str>) -> Result<SecretString> {
        let flight = self.flight();
        let _alone = flight.lock().await;
        let lock = self.key("token");
        let patience = Instant::now() + LOCK_LIFE;
        loop {
            if let Some(token) = self.other_than(used).await {
                return Ok(token);
            }
            if self.cache().lock(&lock, LOCK_LIFE).await || Instant::now() > patience {
                break;
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(50..=150))).await;
        }
        // Another instance may have put one between the look and the lock.
        let token = match self.other_than(used).await {
            Some(token) => Ok(token),
            None => self.fetch().await,
        };
        self.cache().unlock(&lock).await;
        token
    }

    async fn other_than(&self, used: Option<&str>) -> Option<SecretString> {
        let kept = self.kept::<Kept>("token").await?;
        (used != Some(kept.token.as_str()) && kept.ends > now().0).then(|| kept.token.into())
    }

    /// Lets one task renew; the old token serves on meanwhile, and if that fails.
    async fn renew_early(&self, kept: &Kept) {
        let flight = self.flight();
        let Ok(alone) = flight.try_lock_owned() else {
            return;
        };
        let (client, mut kept) = (self.clone(), kept.clone());
        tokio::spawn(async move {
            let _alone = alone;
            let lock = client.key("token");
            if !client.cache().lock(&lock, LOCK_LIFE).await {
                return;
            }
            if client.fetch().await.is_err() {
                kept.fresh_until = now().0 + NEXT_TRY_MS;
                client.keep_token(&kept).await;
            }
            client.cache().unlock(&lock).await;
        });
    }

    /// Asks for a token and keeps it. A refused secret is remembered, so that it fails once and not once a call.
    async fn fetch(&self) -> Result<SecretString> {
        if let Some(refusal) = self.kept::<Refusal>("refused").await {
            return Err(Error::Platform(PlatformFault {
                code: refusal.code,
                message: refusal.message,
                advice: Advice::TellAdmin,
            }));
        }
        let Credentials { corpid, secret, .. } = self.credentials();
        let ask = Ask::Get(vec![
            ("corpid", corpid.clone()),
            ("corpsecret", secret.expose_secret().to_owned()),
        ]);
        match self.try_through::<Answer>(GETTOKEN, &ask, None).await {
            Ok(answer) => Ok(self.keep(answer).await),
            Err(failure) => Err(self.refused(failure).await),
        }
    }

    async fn keep(&self, answer: Answer) -> SecretString {
        let life = answer.expires_in.clamp(1, 86_400) * 1_000;
        // The platform may give the same token again with what is left of its life: never renew in a tight loop.
        let early = rand::random_range(EARLY_MS).min(life / 4);
        let kept = Kept {
            token: answer.access_token,
            fresh_until: now().0 + life - early,
            ends: now().0 + life,
        };
        self.keep_token(&kept).await;
        kept.token.into()
    }

    async fn keep_token(&self, kept: &Kept) {
        let left = u64::try_from(kept.ends - now().0).unwrap_or(0);
        self.put("token", kept, Duration::from_millis(left)).await;
    }

    async fn refused(&self, failure: Failure) -> Error {
        let error = failure.into_error(GETTOKEN);
        if let Error::Platform(fault) = &error
            && fault.advice == Advice::TellAdmin
        {
            let refusal = Refusal {
                code: fault.code,
                message: fault.message.clone(),
            };
            self.put("refused", &refusal, REFUSAL_LIFE).await;
        }
        error
    }

    /// What the cache holds for this app; `None` also when it was sealed under another secret.
    async fn kept<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        let key = self.key(name);
        let sealed = self.cache().get(&key).await?;
        let opened = self.sealer().open(&key, &sealed).ok()?;
        serde_json::from_str(opened.expose_secret()).ok()
    }

    async fn put<T: Serialize>(&self, name: &str, value: &T, life: Duration) {
        let key = self.key(name);
        let text = serde_json::to_string(value).expect("plain data");
        self.cache()
            .put(&key, &self.sealer().seal(&key, &text), life)
            .await;
    }

    fn key(&self, name: &str) -> String {
        let Credentials { corp, agent_id, .. } = self.credentials();
        format!("wecom:{name}:{corp}:{agent_id}")
    }

    fn flight(&self) -> Arc<tokio::sync::Mutex<()>> {
        let Credentials { corp, agent_id, .. } = self.credentials();
        let mut flights = self
            .flights()
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        Arc::clone(flights.entry((*corp, *agent_id)).or_default())
    }
}

/// A token's life runs on the platform's clock, so it is measured on the system's, not on the app's.
fn now() -> Timestamp {
    Clock::System.now()
}
