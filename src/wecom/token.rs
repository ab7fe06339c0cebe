//! What is fetched once and then shared: the access token of an app, and the tickets of its pages. Kept in the cache
//! sealed under the app's own secret, so a new secret makes the old ones unreadable and Redis never holds one in the
//! clear. One fetch at a time, here and across instances; whoever waited for it takes what it came to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
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
/// For `wx.config`; 400 an hour and corp. path/90506 (read 2026-11-22).
const CORP_TICKET: Api = Api::freely("get_jsapi_ticket").an_hour(400);
/// For `wx.agentConfig`; 100 an hour and app. path/90506 (read 2026-11-22).
const APP_TICKET: Api = Api::freely("ticket/get").an_hour(100);

/// The API at this path, where its limits are not those that all have.
pub(super) fn with_own_limits(path: &str) -> Option<Api> {
    [GETTOKEN, CORP_TICKET, APP_TICKET]
        .into_iter()
        .find(|api| api.path == path)
}

/// One is renewed this long before it ends, give or take: instances should not all think of it at once.
const EARLY_MS: std::ops::RangeInclusive<i64> = 300_000..=600_000;
/// No try to fetch one begins later than this; with the deadline of a call it is over before the lock is.
const FETCH_WITHIN: Duration = Duration::from_secs(5);
/// How long the lock across instances holds when its owner dies.
const LOCK_LIFE: Duration = Duration::from_secs(20);
/// How long a refused secret is remembered.
const REFUSAL_LIFE: Duration = Duration::from_secs(30);
/// After a failed early renewal, the next try.
const NEXT_TRY_MS: i64 = 30_000;
/// The document asks to reserve 512 bytes; a ticket is shorter.
const MAX_LENGTH: usize = 2_048;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    Token,
    CorpTicket,
    AppTicket,
}

/// One fetch at a time per app and pass, in this process.
pub(super) type Flights = Arc<Mutex<HashMap<(CorpId, i64, Pass), Flight>>>;

/// The last fetch: when it was over and what it came to.
type Flight = Arc<tokio::sync::Mutex<Option<(Instant, Result<SecretString, PlatformFault>)>>>;

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
    #[serde(alias = "ticket")]
    access_token: String,
    /// Seconds.
    #[serde(deserialize_with = "wire::number")]
    expires_in: i64,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::CorpTicket => "corp_ticket",
            Self::AppTicket => "app_ticket",
        }
    }

    fn api(self) -> Api {
        match self {
            Self::Token => GETTOKEN,
            Self::CorpTicket => CORP_TICKET,
            Self::AppTicket => APP_TICKET,
        }
    }
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
    /// One that should work, at the latest by `by`; fetched when there is none, renewed early by one caller while the
    /// others go on.
    pub(super) async fn pass(&self, pass: Pass, by: Instant) -> Result<SecretString> {
        let kept = self.kept::<Kept>(pass.name()).await;
        let Some(kept) = kept.filter(|kept| kept.ends > now().0) else {
            return self.replaced(pass, None, by).await;
        };
        if kept.fresh_until <= now().0 {
            self.renew_early(pass, &kept).await;
        }
        Ok(kept.token.into())
    }

    /// Another token than `used`, which the platform refused.
    pub(super) async fn renewed(&self, used: &SecretString, by: Instant) -> Result<SecretString> {
        let used = used.expose_secret().to_owned();
        self.replaced(Pass::Token, Some(used), by).await
    }

    /// In a task of its own: a caller that goes away must not leave the lock behind.
    async fn replaced(&self, pass: Pass, used: Option<String>, by: Instant) -> Result<SecretString> {
        let (client, asked_at) = (self.clone(), Instant::now());
        let replacing = tokio::spawn(async move { client.replace(pass, used.as_deref(), asked_at).await });
        let late = || Failure::HeldBack {
            wait: Duration::from_secs(1),
            why: "the wait for it took too long",
        };
        match tokio::time::timeout_at(by.into(), replacing).await {
            Ok(replaced) => replaced.map_err(Error::internal)?,
            Err(_) => Err(late().into_error(pass.api())),
        }
    }

    async fn replace(&self, pass: Pass, used: Option<&str>, asked_at: Instant) -> Result<SecretString> {
        let flight = self.flight(pass);
        let mut last = flight.lock().await;
        // A fetch that ended after this caller had asked answers it too, whatever it came to.
        if let Some((ended, outcome)) = last.as_ref()
            && *ended > asked_at
        {
            return outcome.clone().map_err(Error::Platform);
        }
        let outcome = self.replace_alone(pass, used).await;
        let shared = match &outcome {
            Ok(token) => Ok(token.clone()),
            Err(Error::Platform(fault)) => Err(fault.clone()),
            Err(_) => return outcome,
        };
        *last = Some((Instant::now(), shared));
        outcome
    }

    async fn replace_alone(&self, pass: Pass, used: Option<&str>) -> Result<SecretString> {
        let lock = self.key(pass.name());
        let patience = Instant::now() + LOCK_LIFE;
        loop {
            if let Some(token) = self.other_than(pass, used).await {
                return Ok(token);
            }
            if self.cache().lock(&lock, LOCK_LIFE).await {
                break;
            }
            if Instant::now() > patience {
                let busy = Failure::HeldBack {
                    wait: Duration::from_secs(1),
                    why: "another instance is fetching it",
                };
                return Err(busy.into_error(pass.api()));
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(50..=150))).await;
        }
        // Another instance may have put one between the look and the lock.
        let token = match self.other_than(pass, used).await {
            Some(token) => Ok(token),
            None => self.fetch(pass, used).await,
        };
        self.cache().unlock(&lock).await;
        token
    }

    async fn other_than(&self, pass: Pass, used: Option<&str>) -> Option<SecretString> {
        let kept = self.kept::<Kept>(pass.name()).await?;
        (used != Some(kept.token.as_str()) && kept.ends > now().0).then(|| kept.token.into())
    }

    /// Lets one task renew; the old one serves on meanwhile, and if that fails.
    async fn renew_early(&self, pass: Pass, kept: &Kept) {
        let flight = self.flight(pass);
        let Ok(alone) = flight.try_lock_owned() else {
            return;
        };
        let (client, mut kept) = (self.clone(), kept.clone());
        tokio::spawn(async move {
            let _alone = alone;
            let lock = client.key(pass.name());
            if !client.cache().lock(&lock, LOCK_LIFE).await {
                return;
            }
            if client.fetch(pass, None).await.is_err() {
                kept.fresh_until = now().0 + NEXT_TRY_MS;
                client.keep(pass, &kept).await;
            }
            client.cache().unlock(&lock).await;
        });
    }

    /// Asks for one and keeps it. A token that comes again although it was refused is remembered: it is not asked for
    /// in a circle.
    async fn fetch(&self, pass: Pass, used: Option<&str>) -> Result<SecretString> {
        let stuck = format!("stuck_{}", pass.name());
        if let Some(used) = used
            && self.kept::<String>(&stuck).await.as_deref() == Some(used)
        {
            return Ok(used.to_owned().into());
        }
        let answer = self.ask(pass).await?;
        if used == Some(answer.access_token.as_str()) {
            self.put(&stuck, &answer.access_token, REFUSAL_LIFE).await;
        }
        // The platform may give the same one again with what is left of its life: never renew in a tight loop.
        let life = answer.expires_in.clamp(1, 86_400) * 1_000;
        let early = rand::random_range(EARLY_MS).min(life / 4);
        let kept = Kept {
            token: answer.access_token,
            fresh_until: now().0 + life - early,
            ends: now().0 + life,
        };
        self.keep(pass, &kept).await;
        Ok(kept.token.into())
    }

    async fn ask(&self, pass: Pass) -> Result<Answer> {
        let answer = match pass {
            Pass::Token => self.ask_for_token().await?,
            Pass::CorpTicket => self.ask_for_ticket(CORP_TICKET, vec![]).await?,
            Pass::AppTicket => {
                let query = vec![("type", "agent_config".to_owned())];
                self.ask_for_ticket(APP_TICKET, query).await?
            }
        };
        let given = &answer.access_token;
        if given.is_empty() || given.len() > MAX_LENGTH || !given.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let odd = Failure::Unreadable("the answer holds no usable token".into());
            return Err(odd.into_error(pass.api()));
        }
        Ok(answer)
    }

    /// Asks for a token whatever is kept, and throws it away: whether the platform takes this secret now. Within its
    /// life the platform gives the same one again, so others go on.
    ///
    /// # Errors
    /// What the platform has against corpid or secret, or that it does not answer.
    pub async fn prove_secret(&self) -> Result<()> {
        let asked = self.try_for_token().await;
        asked.map(drop).map_err(|failure| failure.into_error(GETTOKEN))
    }

    async fn try_for_token(&self) -> Result<Answer, Failure> {
        let Credentials { corpid, secret, .. } = self.credentials();
        let ask = Ask::Get(vec![
            ("corpid", corpid.clone()),
            ("corpsecret", secret.expose_secret().to_owned()),
        ]);
        let by = Instant::now() + FETCH_WITHIN;
        self.try_through(GETTOKEN, &ask, None, by).await
    }

    /// A refused secret is remembered, so that it fails once and not once a call.
    async fn ask_for_token(&self) -> Result<Answer> {
        if let Some(refusal) = self.kept::<Refusal>("refused").await {
            return Err(Error::Platform(PlatformFault {
                code: refusal.code,
                message: refusal.message,
                advice: Advice::TellAdmin,
            }));
        }
        let error = match self.try_for_token().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure.into_error(GETTOKEN),
        };
        if let Error::Platform(fault) = &error
            && fault.advice == Advice::TellAdmin
        {
            let refusal = Refusal {
                code: fault.code,
                message: fault.message.clone(),
            };
            self.put("refused", &refusal, REFUSAL_LIFE).await;
        }
        Err(error)
    }

    /// A call that itself needs the token; boxed, for it comes round to this file again.
    fn ask_for_ticket(&self, api: Api, query: Vec<(&'static str, String)>) -> BoxFuture<'_, Result<Answer>> {
        let by = Instant::now() + FETCH_WITHIN;
        Box::pin(async move { self.call_by(api, Ask::Get(query), by).await })
    }

    async fn keep(&self, pass: Pass, kept: &Kept) {
        let left = u64::try_from(kept.ends - now().0).unwrap_or(0);
        self.put(pass.name(), kept, Duration::from_millis(left)).await;
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

    fn flight(&self, pass: Pass) -> Flight {
        let Credentials { corp, agent_id, .. } = self.credentials();
        let mut flights = self.flights().lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry((*corp, *agent_id, pass)).or_default())
    }
}

/// A token's life runs on the platform's clock, so it is measured on the system's, not on the app's.
fn now() -> Timestamp {
    Clock::System.now()
}
