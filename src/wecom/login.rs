//! Sign-in by the platform: OAuth inside WeCom, web login outside. path/91022, path/98151 (read 2026-11-22).

use serde::Deserialize;

use super::Client;
use super::ask::Api;
use super::wire;
use crate::error::Result;
use crate::ids::{ExternalUserId, UserId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    Member(UserId),
    /// Somebody from outside the corp.
    Stranger {
        external_userid: Option<ExternalUserId>,
    },
}

const IDENTITY: Api = Api::freely("auth/getuserinfo");

/// The older address of the same call writes its fields with capitals.
#[derive(Deserialize)]
struct WireIdentity {
    #[serde(default, alias = "UserId", deserialize_with = "wire::or_default")]
    userid: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    external_userid: String,
}

impl Client {
    /// Who a code stands for; a code works once, for 5 minutes (40029 after).
    pub async fn identity(&self, code: &str) -> Result<Identity> {
        let who: WireIdentity = self.get(IDENTITY, vec![("code", code.to_owned())]).await?;
        if !who.userid.is_empty() {
            return Ok(Identity::Member(UserId(who.userid)));
        }
        let external_userid = Some(who.external_userid).filter(|id| !id.is_empty());
        Ok(Identity::Stranger {
            external_userid: external_userid.map(ExternalUserId),
        })
    }

    /// The page that signs a member in silently inside WeCom. `state` is 1–128 of `[a-zA-Z0-9]`.
    pub fn oauth_url(&self, oauth_base: &str, redirect_uri: &str, state: &str) -> String {
        format!(
            "{}/connect/oauth2/authorize?appid={}&redirect_uri={}&response_type=code&scope=snsapi_base&state={}&agentid={}#wechat_redirect",
            oauth_base.trim_end_matches('/'),
            encoded(&self.credentials().corpid),
            encoded(redirect_uri),
            encoded(state),
            self.agent_id(),
        )
    }

    /// The page with a code to scan, for browsers outside WeCom.
    pub fn web_login_url(&self, login_base: &str, redirect_uri: &str, state: &str, lang: &str) -> String {
        format!(
            "{}/wwlogin/sso/login?login_type=CorpApp&appid={}&agentid={}&redirect_uri={}&state={}&lang={}",
            login_base.trim_end_matches('/'),
            encoded(&self.credentials().corpid),
            self.agent_id(),
            encoded(redirect_uri),
            encoded(state),
            encoded(lang),
        )
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use crate::cache::Cache;
    use crate::ids::CorpId;
    use crate::wecom::{Credentials, Platform};

    #[test]
    fn sign_in_pages_carry_everything_encoded() {
        let client = Platform::new("http://127.0.0.1:1", Cache::memory()).client(Credentials {
            corp: CorpId(1),
            corpid: "ww1a2b".into(),
            agent_id: 1000002,
            secret: "s".into(),
        });
        let back = "https://crm.example.com/login/back?to=/我";
        assert_eq!(
            client.oauth_url("https://open.weixin.qq.com/", back, "abc123"),
            "https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww1a2b&redirect_uri=https%3A%2F%2Fcrm.example.com%2Flogin%2Fback%3Fto%3D%2F%E6%88%91&response_type=code&scope=snsapi_base&state=abc123&agentid=1000002#wechat_redirect"
        );
        assert_eq!(
            client.web_login_url("http://127.0.0.1:9", "http://a/b", "x", "zh"),
            "http://127.0.0.1:9/wwlogin/sso/login?login_type=CorpApp&appid=ww1a2b&agentid=1000002&redirect_uri=http%3A%2F%2Fa%2Fb&state=x&lang=zh"
        );
    }
}
