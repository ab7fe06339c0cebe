//! What a message holds: text and attachments, in the platform's own shape. path/92135 (read 2026-11-22).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Client;
use super::ask::Api;
use super::wire::{self, Accepted};
use crate::error::Result;
use crate::ids::UserId;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// At most 4,000 bytes.
    pub content: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "msgtype", rename_all = "lowercase")]
pub enum Attachment {
    Image { image: Image },
    Link { link: Link },
    Miniprogram { miniprogram: MiniProgram },
    Video { video: Media },
    File { file: Media },
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pic_url: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// At most 128 bytes.
    #[serde(default)]
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picurl: Option<String>,
    /// At most 512 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// At most 2,048 bytes.
    pub url: String,
    /// Moments take a picture by media id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiniProgram {
    /// At most 64 bytes.
    #[serde(default)]
    pub title: String,
    /// Missing in some records of the platform.
    #[serde(default)]
    pub pic_media_id: String,
    pub appid: String,
    pub page: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    pub media_id: String,
}

/// What became of a notice to members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    pub msgid: String,
    /// Members it could not reach, folded to lower case.
    pub invalid: Vec<UserId>,
}

/// path/90236 (read 2026-11-22). At most 30 a minute and member; the platform drops the rest without a word.
const SEND: Api = Api::once("message/send");

/// path/94867 (read 2026-11-22).
const RECALL: Api = Api::freely("message/recall");

/// Seconds within which a byte-identical repeat is dropped.
const DUPLICATE_WITHIN: i64 = 1_800;

#[derive(Deserialize)]
struct WireSent {
    #[serde(default, deserialize_with = "wire::or_default")]
    msgid: String,
    /// Joined by `|`.
    #[serde(default, deserialize_with = "wire::or_default")]
    invaliduser: String,
}

impl Client {
    /// Sends a text card to members (at most 1,000). The platform drops a byte-identical repeat within 30 minutes.
    pub async fn send_card(&self, to: &[UserId], title: &str, description: &str, url: &str) -> Result<Sent> {
        let to: Vec<&str> = to.iter().map(UserId::as_str).collect();
        let body = json!({
            "touser": to.join("|"),
            "msgtype": "textcard",
            "agentid": self.agent_id(),
            "textcard": { "title": title, "description": description, "url": url },
            "enable_duplicate_check": 1,
            "duplicate_check_interval": DUPLICATE_WITHIN,
        });
        let sent: WireSent = self.post(SEND, &body).await?;
        let invalid = sent.invaliduser.split('|').filter(|userid| !userid.is_empty());
        Ok(Sent {
            msgid: sent.msgid,
            invalid: invalid.map(|userid| UserId::from(userid).folded()).collect(),
        })
    }

    /// Takes a message back from everybody who got it, within 24 h (42052 after).
    pub async fn recall(&self, msgid: &str) -> Result<()> {
        let body = json!({ "msgid": msgid });
        self.post::<Accepted>(RECALL, &body).await.map(drop)
    }
}
