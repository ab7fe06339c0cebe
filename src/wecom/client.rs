//! Calls: token, limits, deadline, and trying again where that does no harm.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use secrecy::{ExposeSecret, SecretString};

use super::ask::{Api, Ask, Repeat};
use super::fault::{CONCURRENCY, Failure, RATE_LIMIT};
use super::health::Health;
use super::limits::{Limits, Used};
use super::network::Away;
use super::token::{self, Flights, Pass};
use super::turns::{Turn, Turns};
use super::{codes, wire};
use crate::cache::Cache;
use crate::error::{Advice, Error, PlatformFault, Result};
use crate::ids::CorpId;
use crate::queue::Lane;
use crate::seal::Sealer;
use crate::time::{Clock, Timestamp};

const CONNECT: Duration = Duration::from_secs(3);
/// Of one attempt, from connecting to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);
/// No attempt begins later than this after the call; so a call is over within 25 s, whatever it waits for.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// Largest answer read, in bytes, after decompression.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Attempts after the first, for calls that may be repeated.
const REPEATS: u32 = 2;
/// Longest pause before the first repeat; twice as long before the next. The pause is any part of it.
const PAUSE_MS: u64 = 500;
/// Least pause after too many at once. path/90313 (read 2026-11-22).
const LEAST_PAUSE_MS: u64 = 100;

/// What calls of all corps share: the connection pool, the base URL, the token cache.
#[derive(Clone)]
pub struct Platform {
    base_url: String,
    cache: Cache,
    /// Made when it is first needed, for reading the machine's certificates takes its time. The reason when there is none:
    /// the program runs without, and each call says why it cannot be made.
    http: Arc<OnceLock<Result<Http, String>>>,
    limits: Limits,
    turns: Turns,
    health: Health,
    flights: Flights,
}

struct Http {
    pooled: reqwest::Client,
    /// A new connection each time: a kept one may be dead, and its request would be sent a second time.
    fresh: reqwest::Client,
}

/// An app of a corp, as `gettoken` wants it.
#[derive(Clone)]
pub struct Credentials {
    pub corp: CorpId,
    pub corpid: String,
    pub agent_id: i64,
    pub secret: SecretString,
}

/// Calls for one corp's app.
#[derive(Clone)]
pub struct Client {
    platform: Platform,
    credentials: Credentials,
    sealer: Sealer,
    lane: Lane,
}

/// How much of an API's limits a corp has used, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headroom {
    /// Path below `/cgi-bin/`.
    pub api: String,
    pub minute: Used,
    pub hour: Used,
    /// The platform reported its limit; calls pause until then.
    pub blocked_until: Option<Timestamp>,
    /// The platform does not answer us here; calls pause.
    pub is_broken: bool,
}

impl Platform {
    pub fn new(base_url: &str, cache: Cache) -> Self {
        // Somebody else may have installed it already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: Arc::default(),
            limits: Limits::new(cache.clone(), Clock::System),
            turns: Turns::new(cache.clone()),
            health: Health::default(),
            flights: Flights::default(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            cache,
        }
    }

    /// Makes what calls need, before the first of them; what is wrong with it is logged.
    pub fn prepare(&self) {
        let _ = self.http();
    }

    fn http(&self) -> std::result::Result<&Http, &String> {
        let make = || {
            let made = Http::new(&self.base_url).map_err(|error| described(&error));
            made.inspect_err(|why| tracing::error!("the platform cannot be called: {why}"))
        };
        self.http.get_or_init(make).as_ref()
    }

    /// Blocks that the platform reports run on this clock.
    #[must_use]
    pub fn on_clock(mut self, clock: Clock) -> Self {
        self.limits = Limits::new(self.cache.clone(), clock);
        self
    }

    /// A question without a token, past every limit: the platform refuses it, and so shows that it is there.
    pub(super) async fn knock(&self, path: &str) -> Result<reqwest::Response, Away> {
        let http = self.http().map_err(|why| Away::Other(why.clone()))?;
        let url = format!("{}/cgi-bin/{path}", self.base_url);
        http.fresh.get(url).send().await.map_err(|error| Away::of(&error))
    }

    pub fn client(&self, credentials: Credentials) -> Client {
        Client {
            platform: self.clone(),
            lane: Lane::Normal,
            sealer: token::sealer(&credentials),
            credentials,
        }
    }
}

impl Http {
    fn new(base_url: &str) -> reqwest::Result<Self> {
        Ok(Self {
            pooled: Self::builder(base_url)
                .pool_idle_timeout(Duration::from_secs(30))
                .build()?,
            fresh: Self::builder(base_url).pool_max_idle_per_host(0).build()?,
        })
    }

    fn builder(base_url: &str) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("dianyu/", env!("CARGO_PKG_VERSION")));
        if base_url.starts_with("http://") {
            // The sandbox: no proxy in between, and no certificates needed on the machine.
            builder.no_proxy().tls_certs_only([])
        } else {
            builder
        }
    }
}

impl Client {
    pub fn agent_id(&self) -> i64 {
        self.credentials.agent_id
    }

    /// The same client for calls of this urgency: sweeps and campaigns leave room for the others.
    #[must_use]
    pub fn in_lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// What is left of each API's limits, of those this instance has called, or any that shares the cache.
    pub async fn headroom(&self) -> Vec<Headroom> {
        let (corp, limits) = (self.credentials.corp, &self.platform.limits);
        let here = self.platform.health.of(corp);
        let mut paths: BTreeSet<String> = limits.called(corp).await.into_iter().collect();
        paths.extend(here.iter().map(|(api, _)| api.path.to_owned()));
        let mut all = Vec::new();
        for api in paths {
            let [minute, hour] = limits.used(corp, &api).await;
            all.push(Headroom {
                minute,
                hour,
                blocked_until: limits.blocked_until(corp, &api).await,
                is_broken: here.iter().any(|(one, is_broken)| one.path == api && *is_broken),
                api,
            });
        }
        all
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.platform.cache
    }

    pub(super) fn flights(&self) -> &Flights {
        &self.platform.flights
    }

    pub(super) fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    pub(super) async fn get<T: wire::Answer>(
        &self,
        api: Api,
        query: Vec<(&'static str, String)>,
    ) -> Result<T> {
        self.call(api, Ask::Get(query)).await
    }

    pub(super) async fn post<T: wire::Answer>(&self, api: Api, body: &serde_json::Value) -> Result<T> {
        self.call(api, Ask::Json(&body.to_string())).await
    }

    /// Makes a call; when the token is refused, once more with another one. Over within 25 s.
    pub(super) async fn call<T: wire::Answer>(&self, api: Api, ask: Ask<'_>) -> Result<T> {
        self.call_by(api, ask, Instant::now() + BEGIN_WITHIN).await
    }

    /// The same, with the last attempt begun before `by`.
    pub(super) async fn call_by<T: wire::Answer>(&self, api: Api, ask: Ask<'_>, by: Instant) -> Result<T> {
        let token = self.pass(Pass::Token, by).await?;
        let mut outcome = self.try_through(api, &ask, Some(&token), by).await;
        if let Err(failure) = &outcome
            && failure.is_about_token()
        {
            let token = self.renewed(&token, by).await?;
            outcome = self.try_through(api, &ask, Some(&token), by).await;
        }
        outcome.map_err(|failure| failure.into_error(api))
    }

    /// Tries up to three times if the call may be repeated and the failure may pass, else once.
    pub(super) async fn try_through<T: wire::Answer>(
        &self,
        api: Api,
        ask: &Ask<'_>,
        token: Option<&SecretString>,
        by: Instant,
    ) -> Result<T, Failure> {
        let Platform { turns, health, .. } = &self.platform;
        let corp = self.credentials.corp;
        let waiting = Instant::now();
        let turn = match health.look(corp, api) {
            Ok(()) => turns.take(corp, api, self.lane, by).await,
            Err(failure) => Err(failure),
        };
        let mut turn = turn.inspect_err(|failure| count(api, failure.name()))?;
        health.earn(corp, api);
        let mut tries = 0;
        loop {
            let tried = self.try_once(api, ask, token, &mut turn, by).await;
            if tries == 0 {
                let waited = waiting.elapsed().saturating_sub(tried.took);
                metrics::histogram!("dianyu_platform_wait_seconds", "api" => api.path)
                    .record(waited.as_secs_f64());
            }
            let failure = match tried.outcome {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tracing::debug!(corp.id = %corp, wecom.api = api.path, errcode = failure.code(), "a platform call failed");
            let may_repeat = api.repeat == Repeat::Freely && tries < REPEATS && failure.is_passing();
            let pause = pause(tries, &failure);
            if !may_repeat || Instant::now() + pause > by || !health.spend(corp, api) {
                return Err(failure);
            }
            tries += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt, unless something holds it back; the limits learn what came of it.
    async fn try_once<T: wire::Answer>(
        &self,
        api: Api,
        ask: &Ask<'_>,
        token: Option<&SecretString>,
        turn: &mut Turn,
        by: Instant,
    ) -> Tried<T> {
        let Platform { limits, health, .. } = &self.platform;
        let corp = self.credentials.corp;
        let passed = limits.pass(corp, api, self.lane, by).await;
        let passed = match passed.and_then(|passed| health.admit(corp, api).map(|()| passed)) {
            Ok(passed) => passed,
            Err(failure) => {
                count(api, failure.name());
                return Tried::held_back(failure);
            }
        };
        let began = Instant::now();
        let outcome = self.attempt(api, ask, token).await;
        let took = began.elapsed();
        metrics::histogram!("dianyu_platform_call_seconds", "api" => api.path).record(took.as_secs_f64());
        count(api, outcome.as_ref().err().map_or("ok", Failure::name));
        match &outcome {
            Err(failure) if failure.is_outage() => health.failed(corp, api),
            _ => health.worked(corp, api),
        }
        match outcome.as_ref().err().and_then(Failure::code) {
            Some(RATE_LIMIT) => limits.block(corp, api).await,
            Some(CONCURRENCY) => turn.was_too_many(),
            _ if passed.is_first_after_block => limits.unblock(corp, api).await,
            _ => {}
        }
        if let Err(Failure::Refused { code, .. }) = &outcome {
            count_refusal(api, *code);
        }
        Tried { outcome, took }
    }

    async fn attempt<T: wire::Answer>(
        &self,
        api: Api,
        ask: &Ask<'_>,
        token: Option<&SecretString>,
    ) -> Result<T, Failure> {
        let http = self.platform.http();
        let http = http.map_err(|why| Failure::NotSent(why.clone()))?;
        let client = match api.repeat {
            Repeat::Freely => &http.pooled,
            Repeat::Never => &http.fresh,
        };
        let request = self.request(client, api, ask, token)?;
        let body = fetch(request).await;
        let read = body.and_then(|body| T::read(&body));
        let token = token.map_or("", |token| token.expose_secret());
        read.map_err(|failure| {
            failure
                .without(token)
                .without(self.credentials.secret.expose_secret())
        })
    }

    fn request(
        &self,
        client: &reqwest::Client,
        api: Api,
        ask: &Ask<'_>,
        token: Option<&SecretString>,
    ) -> Result<reqwest::RequestBuilder, Failure> {
        let url = format!("{}/cgi-bin/{}", self.platform.base_url, api.path);
        let request = match ask {
            Ask::Get(query) => client.get(url).query(query),
            Ask::Json(body) => client
                .post(url)
                .header(reqwest::header::CONTENT_TYPE, "application/json; charset=utf-8")
                .body((*body).to_owned()),
            Ask::Upload {
                query,
                filename,
                mime,
                bytes,
            } => {
                let part = reqwest::multipart::Part::bytes(bytes.to_vec())
                    .file_name((*filename).to_owned())
                    .mime_str(mime)
                    .map_err(|error| Failure::NotSent(described(&error)))?;
                let form = reqwest::multipart::Form::new().part("media", part);
                client.post(url).query(query).multipart(form)
            }
        };
        Ok(match token {
            Some(token) => request.query(&[("access_token", token.expose_secret())]),
            None => request,
        })
    }
}

/// What came of one attempt, and how long the platform took for it.
struct Tried<T> {
    outcome: Result<T, Failure>,
    took: Duration,
}

impl<T> Tried<T> {
    fn held_back(failure: Failure) -> Self {
        Self {
            outcome: Err(failure),
            took: Duration::ZERO,
        }
    }
}

/// Any part of a time that doubles: callers that failed together do not come back together.
fn pause(tries: u32, failure: &Failure) -> Duration {
    let least = match failure.code() {
        Some(CONCURRENCY) => LEAST_PAUSE_MS,
        _ => 0,
    };
    Duration::from_millis(rand::random_range(least..=(PAUSE_MS << tries)))
}

fn count(api: Api, outcome: &'static str) {
    metrics::counter!("dianyu_platform_calls_total", "api" => api.path, "outcome" => outcome).increment(1);
}

/// Codes that are in no table count together: there must not be a figure for each number the platform may say.
fn count_refusal(api: Api, code: i64) {
    let code = match codes::remedy(code) {
        Some(_) => code.to_string(),
        None => "other".to_owned(),
    };
    metrics::counter!("dianyu_platform_refusals_total", "api" => api.path, "errcode" => code).increment(1);
}

/// Sends and reads the whole answer, within the deadline and the size.
async fn fetch(request: reqwest::RequestBuilder) -> Result<Vec<u8>, Failure> {
    let answer = request.send().await.map_err(|error| {
        if error.is_connect() || error.is_builder() {
            Failure::NotSent(described(&error))
        } else {
            Failure::Unreadable(described(&error))
        }
    })?;
    let status = answer.status();
    if status != reqwest::StatusCode::OK {
        return Err(Failure::Unreadable(format!(
            "answered with HTTP {}",
            status.as_u16()
        )));
    }
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Failure::Unreadable(described(&error)))?;
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Failure::Unreadable("the answer is longer than 16 MiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What went wrong, without the URL: it carries the token.
fn described(error: &reqwest::Error) -> String {
    let what = if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer within 10 s"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else if error.is_builder() {
        "the request could not be built"
    } else {
        "the connection broke"
    };
    // The innermost cause is the system's or TLS's own word and knows no URL.
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    match cause {
        Some(cause) => format!("{what} ({cause})"),
        None => what.to_owned(),
    }
}

/// A fault of an answer that was read well and still cannot be right.
pub(super) fn odd(api: Api, message: &str) -> Error {
    Error::Platform(PlatformFault {
        code: None,
        message: format!("`{}`: {message}", api.path),
        advice: Advice::Bug,
    })
}

#[cfg(test)]
mod tests;
