//! Calls: token, limits, deadline, and trying again where that does no harm.

use std::time::Duration;

use futures_util::StreamExt as _;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::ask::{Api, Ask, Repeat};
use super::fault::{Failure, RATE_LIMIT};
use super::limits::Limits;
use super::token::{self, Flights};
use super::wire;
use crate::cache::Cache;
use crate::error::{Advice, Error, PlatformFault, Result};
use crate::ids::CorpId;
use crate::seal::Sealer;

const CONNECT: Duration = Duration::from_secs(3);
/// Of one attempt, from connecting to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer read, in bytes, after decompression.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Attempts after the first, for calls that may be repeated.
const REPEATS: u32 = 2;
/// Pause before a repeat, in milliseconds.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 100..=1_000;

/// What calls of all corps share: the connection pool, the base URL, the token cache.
#[derive(Clone)]
pub struct Platform {
    base_url: String,
    cache: Cache,
    /// The reason when there is none: the program starts without, and each call says why it cannot be made.
    http: Result<Http, String>,
    limits: Limits,
    flights: Flights,
}

#[derive(Clone)]
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
}

impl Platform {
    pub fn new(base_url: &str, cache: Cache) -> Self {
        // Somebody else may have installed it already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base_url = base_url.trim_end_matches('/').to_owned();
        let http = Http::new(&base_url).map_err(|error| described(&error));
        if let Err(why) = &http {
            tracing::error!("the platform cannot be called: {why}");
        }
        Self {
            http,
            limits: Limits::new(cache.clone()),
            flights: Flights::default(),
            base_url,
            cache,
        }
    }

    pub fn client(&self, credentials: Credentials) -> Client {
        Client {
            platform: self.clone(),
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

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        api: Api,
        query: Vec<(&'static str, String)>,
    ) -> Result<T> {
        self.call(api, Ask::Get(query)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, api: Api, body: &serde_json::Value) -> Result<T> {
        self.call(api, Ask::Json(&body.to_string())).await
    }

    /// Makes a call; when the token is refused, once more with another one.
    pub(super) async fn call<T: DeserializeOwned>(&self, api: Api, ask: Ask<'_>) -> Result<T> {
        let corp = self.credentials.corp;
        let turn = self.platform.limits.turn(corp, api).await;
        let _turn = turn.map_err(|failure| failure.into_error(api))?;
        let token = self.token().await?;
        let mut outcome = self.try_through(api, &ask, Some(&token)).await;
        if let Err(failure) = &outcome
            && failure.is_about_token()
        {
            let token = self.renewed(&token).await?;
            outcome = self.try_through(api, &ask, Some(&token)).await;
        }
        outcome.map_err(|failure| failure.into_error(api))
    }

    /// Tries up to three times if the call may be repeated and the failure may pass, else once.
    pub(super) async fn try_through<T: DeserializeOwned>(
        &self,
        api: Api,
        ask: &Ask<'_>,
        token: Option<&SecretString>,
    ) -> Result<T, Failure> {
        let corp = self.credentials.corp;
        let mut left = if api.repeat == Repeat::Freely { REPEATS } else { 0 };
        loop {
            self.platform.limits.pass(corp, api).await?;
            let failure = match self.attempt(api, ask, token).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tracing::debug!(corp.id = %corp, wecom.api = api.path, errcode = failure.code(), "a platform call failed");
            if failure.code() == Some(RATE_LIMIT) {
                self.platform.limits.block(corp, api).await;
            }
            if left == 0 || !failure.is_passing() {
                return Err(failure);
            }
            left -= 1;
            tokio::time::sleep(Duration::from_millis(rand::random_range(PAUSE_MS))).await;
        }
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        api: Api,
        ask: &Ask<'_>,
        token: Option<&SecretString>,
    ) -> Result<T, Failure> {
        let http = self.platform.http.as_ref();
        let http = http.map_err(|why| Failure::NotSent(why.clone()))?;
        let client = match api.repeat {
            Repeat::Freely => &http.pooled,
            Repeat::Never => &http.fresh,
        };
        let request = self.request(client, api, ask, token)?;
        let body = fetch(request).await;
        let read = body.and_then(|body| wire::read(&body));
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
