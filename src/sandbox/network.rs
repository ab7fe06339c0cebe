//! Where the platform's calls arrive and its callbacks come from: this machine.

use serde_json::json;

use super::gate::{Answer, Api, Call};

pub const APIS: &[Api] = &[
    Api::get("get_api_domain_ip", addresses).listing(&["ip_list"]),
    Api::get("getcallbackip", addresses).listing(&["ip_list"]),
];

fn addresses(_: &mut Call<'_>) -> Answer {
    Ok(json!({"ip_list": ["127.0.0.1"]}))
}
