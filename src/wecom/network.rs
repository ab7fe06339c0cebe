//! The platform's addresses, for firewalls: where our calls go and where callbacks come from.

use serde::Deserialize;

use super::ask::Api;
use super::wire;
use super::{Client, Platform};
use crate::error::Result;
use crate::time::Timestamp;

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
    pub async fn look(&self) -> Result<Option<Timestamp>, String> {
        let answer = self.knock(API_ADDRESSES.path).await?;
        let date = answer.headers().get(reqwest::header::DATE);
        let date = date
            .and_then(|date| date.to_str().ok())
            .and_then(Timestamp::of_header);
        let status = answer.status().as_u16();
        // Its refusal of a call without a token: JSON with a code.
        let refusal: Option<serde_json::Value> = answer.json().await.ok();
        match refusal.is_some_and(|body| body.get("errcode").is_some()) {
            true => Ok(date),
            false => Err(format!("something else answers there (HTTP {status})")),
        }
    }
}
