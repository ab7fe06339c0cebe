//! Tickets for pages inside WeCom, and the signature a page shows with one. path/90506 (read 2026-11-22).

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};

use super::Client;
use super::token::Pass;
use crate::error::Result;
use crate::ids::random_base62;
use crate::time::Timestamp;

/// A page waits for it: longest until a ticket is there.
const WITHIN: Duration = Duration::from_secs(5);

/// What a ticket is for; one kind does not serve for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticket {
    /// `wx.config`: the corp's.
    Config,
    /// `wx.agentConfig`: the app's.
    AgentConfig,
}

/// What a page hands to `wx.config` or `wx.agentConfig`, beside the ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Seconds.
    pub timestamp: i64,
    pub nonce: String,
    /// Lower-case hex.
    pub signature: String,
}

impl Client {
    /// Signs a page by its address as the browser shows it; what follows `#` does not count.
    pub async fn sign_page(&self, ticket: Ticket, url: &str, now: Timestamp) -> Result<Signature> {
        let pass = match ticket {
            Ticket::Config => Pass::CorpTicket,
            Ticket::AgentConfig => Pass::AppTicket,
        };
        let ticket = self.pass(pass, Instant::now() + WITHIN).await?;
        let (nonce, timestamp) = (random_base62(16), now.seconds());
        Ok(Signature {
            signature: signed(&ticket, &nonce, timestamp, url),
            timestamp,
            nonce,
        })
    }
}

/// Values as they are, in the alphabet's order of their names.
fn signed(ticket: &SecretString, nonce: &str, timestamp: i64, url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let ticket = ticket.expose_secret();
    let text = format!("jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}");
    hex::encode(Sha1::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_sample_is_signed_as_published() {
        let ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg";
        let sign = |url| signed(&ticket.into(), "Wm3WZYTPz0wzccnW", 1_414_587_457, url);
        let expected = "0f9de62fce790f9a083d5c99e95740ceb90c27ed";
        assert_eq!(sign("http://mp.weixin.qq.com?params=value"), expected);
        assert_eq!(sign("http://mp.weixin.qq.com?params=value#top"), expected);
        assert_ne!(sign("http://mp.weixin.qq.com?params=other"), expected);
    }
}
