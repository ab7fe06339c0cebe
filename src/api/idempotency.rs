//! Idempotency-Key: a repeat of a POST is answered with what the first one said. See
//! `docs/decisions/0003-idempotency-keys.md`.
//!
//! Always true: a saved answer and its effect are in the same transaction, or the effect may safely be run again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method};
use sha2::{Digest as _, Sha256};

use super::Caller;
use super::answer::Answer;
use super::input::{FromJson, read_bytes};
use super::problem::{Kind, Refusal, Result};
use super::store::{self, Owner};
use crate::app::App;
use crate::db::Tx;
use crate::error::Error;
use crate::time::{HOUR_MS, MINUTE_MS, Timestamp};

/// How long an answer is kept.
pub const KEPT_MS: i64 = 24 * HOUR_MS;
/// After this long an attempt without an answer counts as broken off.
pub const ATTEMPT_MS: i64 = MINUTE_MS;
const MAX_KEY: usize = 128;

/// A POST: its body, and what makes it repeatable.
pub struct Posted<T> {
    pub body: T,
    pub once: Once,
}

/// The key of a POST, if it came with one.
pub struct Once {
    key: Option<String>,
    /// Of method, address and body: what "the same request" means.
    request_hash: String,
    flights: Flights,
}

/// Keys under way in this process: a second request is told at once, not made to wait for a lock.
#[derive(Clone, Default)]
pub struct Flights(Arc<Mutex<HashSet<String>>>);

/// One key under way, until dropped.
struct Flight {
    name: String,
    flights: Flights,
}

impl<T, S> FromRequest<S> for Posted<T>
where
    T: FromJson,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let key = read_key(request.headers())?;
        let flights = request.extensions().get::<Flights>().cloned().unwrap_or_default();
        let (method, address) = (request.method().clone(), request.uri().path().to_owned());
        let bytes = read_bytes(request, state).await?;
        Ok(Self {
            body: T::from_json(&bytes)?,
            once: Once {
                key,
                request_hash: hash(&method, &address, &bytes),
                flights,
            },
        })
    }
}

/// A POST whose body is not held whole: what makes it repeatable is known when the last of it has been seen.
pub(super) struct Unread {
    key: Option<String>,
    seen: Sha256,
    flights: Flights,
}

impl Unread {
    pub fn of(request: &Request) -> Result<Self> {
        Ok(Self {
            key: read_key(request.headers())?,
            seen: begin_hash(request.method(), request.uri().path()),
            flights: request.extensions().get::<Flights>().cloned().unwrap_or_default(),
        })
    }

    pub fn see(&mut self, bytes: &[u8]) {
        self.seen.update(bytes);
    }

    pub fn read(self) -> Once {
        Once {
            key: self.key,
            request_hash: hex::encode(self.seen.finalize()),
            flights: self.flights,
        }
    }
}

fn read_key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let fits = (1..=MAX_KEY).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
    if !fits || keys.next().is_some() {
        return Err(Error::invalid(
            "",
            format!("`Idempotency-Key` is one value of 1 to {MAX_KEY} visible ASCII characters"),
        )
        .into());
    }
    Ok(key.to_str().ok().map(str::to_owned))
}

fn hash(method: &Method, address: &str, body: &[u8]) -> String {
    let mut hash = begin_hash(method, address);
    hash.update(body);
    hex::encode(hash.finalize())
}

fn begin_hash(method: &Method, address: &str) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(method.as_str());
    hash.update([0]);
    hash.update(address);
    hash.update([0]);
    hash
}

/// A transaction whose effect is kept together with its answer.
pub struct Work {
    pub tx: Tx,
    slot: Option<Slot>,
    now: Timestamp,
    _flight: Option<Flight>,
}

impl Work {
    /// Saves the answer and commits both.
    pub async fn finish(self, answer: Answer) -> Result<Answer> {
        if let Some(slot) = &self.slot {
            slot.save(&self.tx, self.now, &answer).await?;
        }
        self.tx.commit().await?;
        Ok(answer)
    }
}

impl Once {
    /// Opens a transaction for an effect that fits into one. Ends the handler with the saved answer when there is
    /// one.
    pub async fn begin(self, app: &App, me: &Caller) -> Result<Work> {
        let (slot, flight) = self.take_off(app, me).await?;
        let now = app.now();
        let tx = app.db.begin().await?;
        if let Some(slot) = &slot {
            slot.reserve(&tx, now).await?;
        }
        Ok(Work {
            tx,
            slot,
            now,
            _flight: flight,
        })
    }

    /// Runs an effect that has transactions or platform calls of its own, and finds out what is done already when it
    /// is run again. It goes on when the caller hangs up, so that the answer can be fetched by a repeat.
    pub async fn run<F>(self, app: &App, me: &Caller, effect: F) -> Result<Answer>
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let (slot, flight) = self.take_off(app, me).await?;
        if let Some(slot) = &slot {
            let tx = app.db.begin().await?;
            slot.reserve(&tx, app.now()).await?;
            tx.commit().await?;
        }
        let app = app.clone();
        let running = tokio::spawn(async move {
            let answer = effect.await;
            if let Some(slot) = &slot {
                let said = answer.as_ref().ok().cloned();
                slot.settle(&app, said.as_ref()).await;
            }
            drop(flight);
            answer
        });
        running
            .await
            .unwrap_or_else(|error| Err(Error::internal(format!("a request broke off: {error}")).into()))
    }

    async fn take_off(self, app: &App, me: &Caller) -> Result<(Option<Slot>, Option<Flight>)> {
        let Some(key) = self.key else {
            return Ok((None, None));
        };
        sweep_now_and_then(app).await?;
        let name = format!("{}:{}:{key}", me.corp, me.key);
        let flight = self.flights.enter(name).ok_or_else(in_flight)?;
        let slot = Slot {
            owner: Owner {
                corp: me.corp,
                api_key: me.key,
                key,
            },
            request_hash: self.request_hash,
        };
        Ok((Some(slot), Some(flight)))
    }
}

impl Flights {
    fn enter(&self, name: String) -> Option<Flight> {
        let mut names = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        names.insert(name.clone()).then(|| Flight {
            name,
            flights: self.clone(),
        })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut names = self
            .flights
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        names.remove(&self.name);
    }
}

fn in_flight() -> Refusal {
    Kind::InFlight
        .says("the first request with this `Idempotency-Key` is still running; ask again in a moment")
}

/// One key's row, as its request sees it.
struct Slot {
    owner: Owner,
    request_hash: String,
}

impl Slot {
    /// Takes the row, or ends the handler: with the saved answer, or with why not.
    async fn reserve(&self, tx: &Tx, now: Timestamp) -> Result<()> {
        store::forget_expired(tx, &self.owner, now.plus_ms(-KEPT_MS)).await?;
        if store::reserve(tx, &self.owner, &self.request_hash, now).await? {
            return Ok(());
        }
        let held = store::held(tx, &self.owner).await?.ok_or_else(in_flight)?;
        if held.request_hash != self.request_hash {
            return Err(Kind::KeyReused.says(
                "this `Idempotency-Key` came with another address or body within 24 h; take a new key",
            ));
        }
        if held.status != store::UNDER_WAY {
            return Err(Refusal::with(Answer::replay(held.status, &held.body)?));
        }
        self.take_over(tx, now, held.created_at).await
    }

    /// Goes on with an attempt that broke off. Of several that find it, one does.
    async fn take_over(&self, tx: &Tx, now: Timestamp, since: Timestamp) -> Result<()> {
        if since.plus_ms(ATTEMPT_MS) > now {
            return Err(in_flight());
        }
        if store::take_over(tx, &self.owner, since, now).await? {
            Ok(())
        } else {
            Err(in_flight())
        }
    }

    async fn save(&self, tx: &Tx, now: Timestamp, answer: &Answer) -> Result<(), Error> {
        store::save(tx, &self.owner, answer.status(), answer.saved()?, now).await
    }

    /// Saves what an effect of its own said, or frees the key when nothing happened.
    async fn settle(&self, app: &App, answer: Option<&Answer>) {
        let settled = async {
            let tx = app.db.begin().await?;
            match answer {
                Some(answer) => self.save(&tx, app.now(), answer).await?,
                None => store::free(&tx, &self.owner).await?,
            }
            tx.commit().await
        };
        if let Err(error) = settled.await {
            tracing::error!("an answer could not be saved under its Idempotency-Key: {error}");
        }
    }
}

/// Removes answers past their time, from any instance, once in ten minutes.
async fn sweep_now_and_then(app: &App) -> Result<(), Error> {
    const PAUSE: Duration = Duration::from_secs(600);
    if !app.cache.lock("api:saved-answer-sweep", PAUSE).await {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    store::sweep(&tx, app.now().plus_ms(-KEPT_MS)).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_short_and_visible() {
        for (key, fits) in [
            ("a", true),
            ("2b7e-151628aed2a6", true),
            ("", false),
            ("two words", false),
            ("钥匙", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                "idempotency-key",
                axum::http::HeaderValue::from_bytes(key.as_bytes()).unwrap(),
            );
            assert_eq!(read_key(&headers).is_ok(), fits, "{key}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(read_key(&headers).unwrap(), None);
        headers.insert("idempotency-key", "x".repeat(129).parse().unwrap());
        assert!(read_key(&headers).is_err());
    }

    #[test]
    fn another_address_or_body_is_another_request() {
        let one = hash(&Method::POST, "/stores", b"{}");
        assert_eq!(one, hash(&Method::POST, "/stores", b"{}"));
        assert_ne!(one, hash(&Method::POST, "/regions", b"{}"));
        assert_ne!(one, hash(&Method::POST, "/stores", b"{ }"));
    }

    #[test]
    fn a_key_flies_once_at_a_time() {
        let flights = Flights::default();
        let first = flights.enter("k".into());
        assert!(first.is_some() && flights.enter("k".into()).is_none());
        drop(first);
        assert!(flights.enter("k".into()).is_some());
    }
}
