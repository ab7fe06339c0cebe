//! The platform's addresses, for firewalls: where our calls go and where callbacks come from; and why nothing answers.

use serde::Deserialize;

use super::ask::Api;
use super::wire;
use super::{Client, Platform};
use crate::error::Result;
use crate::time::Timestamp;

/// Of a stranger's answer no more is looked at.
const MAX_LOOK: usize = 64 * 1024;

const API_ADDRESSES: Api = Api::freely("get_api_domain_ip");
const CALLBACK_ADDRESSES: Api = Api::freely("getcallbackip");

#[derive(Deserialize)]
struct WireAddresses {
    #[serde(default, deserialize_with = "wire::or_default")]
    ip_list: Vec<String>,
}

impl Client {
    /// Addresses or CIDR ranges of the API's servers.
    pub async fn api_addresses(&self) -> Result<Vec<String>> {
        let answer: WireAddresses = self.get(API_ADDRESSES, vec![]).await?;
        Ok(answer.ip_list)
    }

    /// Addresses or CIDR ranges callbacks come from.
    pub async fn callback_addresses(&self) -> Result<Vec<String>> {
        let answer: WireAddresses = self.get(CALLBACK_ADDRESSES, vec![]).await?;
        Ok(answer.ip_list)
    }
}

impl Platform {
    /// Whether the platform answers at all, and what time it is there by its `Date` header.
    ///
    /// # Errors
    /// Why it cannot be reached, or that something else answers there.
    pub async fn look(&self) -> Result<Option<Timestamp>, Away> {
        let answer = self.knock(API_ADDRESSES.path).await?;
        let date = answer.headers().get(reqwest::header::DATE);
        let date = date
            .and_then(|date| date.to_str().ok())
            .and_then(Timestamp::of_header);
        let status = answer.status().as_u16();
        // Its refusal of a call without a token: JSON with a code.
        let body = beginning_of(answer, MAX_LOOK).await?;
        let refusal: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        match refusal.is_some_and(|body| body.get("errcode").is_some()) {
            true => Ok(date),
            false => Err(Away::Elsewhere(status)),
        }
    }
}

/// Why what we look for does not answer at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Away {
    /// Nothing listens there.
    Refused,
    /// No connection came about: what we send is dropped on the way.
    Dropped,
    /// It takes the connection and says nothing.
    Silent,
    /// Nobody knows the host's name.
    Name,
    /// No secure connection: why.
    Tls(String),
    /// Something else answers, with this status.
    Elsewhere(u16),
    Other(String),
}

impl Away {
    /// By what is behind the error; never the URL, which may hold a secret.
    pub fn of(error: &reqwest::Error) -> Self {
        let mut cause = std::error::Error::source(error);
        let mut last = None;
        while let Some(one) = cause {
            let text = one.to_string();
            if let Some(found) = Self::of_cause(one, &text) {
                return found;
            }
            last = Some(text);
            cause = one.source();
        }
        match (error.is_timeout(), error.is_connect()) {
            (true, true) => Self::Dropped,
            (true, false) => Self::Silent,
            _ => Self::Other(last.unwrap_or_else(|| "the request could not be made".to_owned())),
        }
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static), text: &str) -> Option<Self> {
        if text.starts_with("dns error") || text.starts_with("failed to lookup address") {
            return Some(Self::Name);
        }
        if cause.is::<rustls::Error>() {
            return Some(Self::Tls(text.to_owned()));
        }
        let io = cause.downcast_ref::<std::io::Error>()?;
        // What such an error wraps is not among its sources: only what that comes from is.
        if let Some(inner) = io.get_ref() {
            return Self::of_cause(inner, &inner.to_string());
        }
        match io.kind() {
            std::io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            _ => None,
        }
    }

    /// Of a connection that was tried by itself.
    pub fn of_connection(error: &std::io::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            std::io::ErrorKind::TimedOut => Self::Dropped,
            _ => Self::of_cause(error, &text).unwrap_or(Self::Other(text)),
        }
    }
}

/// The first `most` bytes of an answer, whatever its length.
///
/// # Errors
/// Why it broke off.
pub async fn beginning_of(mut answer: reqwest::Response, most: usize) -> Result<Vec<u8>, Away> {
    let mut body = Vec::new();
    while body.len() < most {
        let Some(chunk) = answer.chunk().await.map_err(|error| Away::of(&error))? else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    body.truncate(most);
    Ok(body)
}
