//! The platform's addresses, for firewalls: where our calls go and where callbacks come from.

use serde::Deserialize;

use super::Client;
use super::ask::Api;
use super::wire;
use crate::error::Result;

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
