//! Broadcast tasks and their results. path/92135, path/93338 (read 2026-11-22).
//!
//! The platform only makes a task: nothing reaches a customer until the member presses send, and nobody tells us.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ask::{Api, Ask};
use super::fault::ALREADY_CANCELLED;
use super::message::{Attachment, Message, Text};
use super::moment::Made;
use super::wire::{self, Accepted};
use super::{Client, Page};
use crate::error::{Error, Result};
use crate::ids::{ExternalUserId, UserId};
use crate::time::Timestamp;

/// A task for one sender. Its JSON is frozen before the first call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broadcast {
    pub chat_type: String,
    /// At most 10,000.
    pub external_userid: Vec<ExternalUserId>,
    pub sender: UserId,
    #[serde(flatten)]
    pub message: Message,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    pub msgid: String,
    /// Customers the platform will not reach.
    pub fail_list: Vec<ExternalUserId>,
}

/// A task as the platform lists it, enough to tell our own again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub msgid: String,
    pub create_time: Timestamp,
    /// Absent for a task made through the API.
    pub creator: Option<UserId>,
    /// A member's own, or else the corp's.
    pub is_personal: bool,
    pub message: Message,
}

/// A task for the customer groups of one owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupBroadcast {
    pub sender: UserId,
    /// At most 2,000 of the sender's own; none: the sender chooses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chat_id_list: Vec<String>,
    #[serde(flatten)]
    pub message: Message,
}

/// What became of a task in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupResult {
    pub chat_id: String,
    pub status: ResultStatus,
    pub send_time: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    pub userid: UserId,
    pub sent: bool,
    pub send_time: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultStatus {
    NotSent,
    Sent,
    NotFriend,
    QuotaUsed,
    Unknown(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerResult {
    pub external_userid: ExternalUserId,
    pub status: ResultStatus,
    pub send_time: Option<Timestamp>,
}

impl ResultStatus {
    fn of(status: i64) -> Self {
        match status {
            0 => Self::NotSent,
            1 => Self::Sent,
            2 => Self::NotFriend,
            3 => Self::QuotaUsed,
            other => Self::Unknown(other),
        }
    }
}

const ADD: Api = Api::once("externalcontact/add_msg_template");
const LIST: Api = Api::freely("externalcontact/get_groupmsg_list_v2");
const MEMBERS: Api = Api::freely("externalcontact/get_groupmsg_task");
const RESULTS: Api = Api::freely("externalcontact/get_groupmsg_send_result");
/// path/97610 (read 2026-11-22). A repeat would use up one of three.
const REMIND: Api = Api::once("externalcontact/remind_groupmsg_send");
/// path/97611 (read 2026-11-22).
const CANCEL: Api = Api::freely("externalcontact/cancel_groupmsg_send");

#[derive(Deserialize)]
struct WireHanded {
    msgid: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    fail_list: Vec<ExternalUserId>,
}

#[derive(Deserialize)]
struct WireList {
    #[serde(default, deserialize_with = "wire::or_default")]
    group_msg_list: Vec<WireListed>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireListed {
    msgid: String,
    #[serde(default, deserialize_with = "wire::number")]
    create_time: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    creator: String,
    #[serde(default, deserialize_with = "wire::number")]
    create_type: i64,
    #[serde(default)]
    text: Option<Text>,
    #[serde(default, deserialize_with = "wire::or_default")]
    attachments: Vec<serde_json::Value>,
}

impl From<WireListed> for Listed {
    /// Leaves out attachments of kinds we never send.
    fn from(wire: WireListed) -> Self {
        let attachments = wire.attachments.into_iter();
        Self {
            msgid: wire.msgid,
            create_time: Timestamp::from_seconds(wire.create_time),
            creator: Some(UserId(wire.creator)).filter(|creator| !creator.0.is_empty()),
            is_personal: wire.create_type == 1,
            message: Message {
                text: wire.text,
                attachments: attachments
                    .filter_map(|kind| serde_json::from_value::<Attachment>(kind).ok())
                    .collect(),
            },
        }
    }
}

#[derive(Deserialize)]
struct WireMembers {
    #[serde(default, deserialize_with = "wire::or_default")]
    task_list: Vec<WireMember>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireMember {
    userid: UserId,
    /// 0 not sent, 2 sent; the document's own sample says 1.
    #[serde(default, deserialize_with = "wire::number")]
    status: i64,
    #[serde(default, deserialize_with = "wire::number")]
    send_time: i64,
}

#[derive(Deserialize)]
struct WireResults {
    #[serde(default, deserialize_with = "wire::or_default")]
    send_list: Vec<WireResult>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireResult {
    #[serde(default)]
    external_userid: Option<ExternalUserId>,
    #[serde(default)]
    chat_id: Option<String>,
    #[serde(default, deserialize_with = "wire::number")]
    status: i64,
    #[serde(default, deserialize_with = "wire::number")]
    send_time: i64,
}

impl Client {
    /// Creates the task from its frozen JSON. One try on a fresh connection, never repeated here: an answer that
    /// does not come is [`crate::error::Advice::Unknown`].
    pub async fn add_broadcast(&self, body: &str) -> Result<Handed> {
        let handed: WireHanded = self.call(ADD, Ask::Json(body)).await?;
        Ok(Handed {
            msgid: handed.msgid,
            fail_list: handed.fail_list,
        })
    }

    /// The same for customer groups; what it cannot reach stands in `fail_list` by chat_id.
    pub async fn add_group_broadcast(&self, broadcast: &GroupBroadcast) -> Result<Handed> {
        let mut body = serde_json::to_value(broadcast)?;
        body["chat_type"] = "group".into();
        self.add_broadcast(&body.to_string()).await
    }

    /// Tasks made through the API in a span of at most a month.
    pub async fn broadcasts(
        &self,
        from: Timestamp,
        until: Timestamp,
        cursor: Option<&str>,
    ) -> Result<Page<Listed>> {
        self.broadcasts_made(Made::ByCorp, from, until, cursor).await
    }

    /// Tasks to customers in a span of at most a month, 100 a page: members' own count against the quota too.
    pub async fn broadcasts_made(
        &self,
        made: Made,
        from: Timestamp,
        until: Timestamp,
        cursor: Option<&str>,
    ) -> Result<Page<Listed>> {
        let body = json!({
            "chat_type": "single",
            "start_time": from.seconds(),
            "end_time": until.seconds(),
            "filter_type": made.filter(),
            "limit": 100,
            "cursor": cursor.unwrap_or_default(),
        });
        let page: WireList = self.post(LIST, &body).await?;
        Ok(Page {
            items: page.group_msg_list.into_iter().map(Listed::from).collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Who of the senders has confirmed, 1,000 a page. 41063 within seconds of creation.
    pub async fn broadcast_members(&self, msgid: &str, cursor: Option<&str>) -> Result<Page<MemberStatus>> {
        let body = json!({ "msgid": msgid, "limit": 1000, "cursor": cursor.unwrap_or_default() });
        let page: WireMembers = self.post(MEMBERS, &body).await?;
        let items = page.task_list.into_iter().map(|member| MemberStatus {
            userid: member.userid,
            sent: matches!(member.status, 1 | 2),
            send_time: wire::instant(member.send_time),
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// What became of each customer under one sender, 1,000 a page.
    pub async fn broadcast_results(
        &self,
        msgid: &str,
        userid: &UserId,
        cursor: Option<&str>,
    ) -> Result<Page<CustomerResult>> {
        let page = self.results(msgid, userid, cursor).await?;
        let items = page.send_list.into_iter().filter_map(|result| {
            Some(CustomerResult {
                external_userid: result.external_userid?,
                status: ResultStatus::of(result.status),
                send_time: wire::instant(result.send_time),
            })
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// What became of each group under one sender, 1,000 a page.
    pub async fn group_broadcast_results(
        &self,
        msgid: &str,
        userid: &UserId,
        cursor: Option<&str>,
    ) -> Result<Page<GroupResult>> {
        let page = self.results(msgid, userid, cursor).await?;
        let items = page.send_list.into_iter().filter_map(|result| {
            Some(GroupResult {
                chat_id: result.chat_id?,
                status: ResultStatus::of(result.status),
                send_time: wire::instant(result.send_time),
            })
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    async fn results(&self, msgid: &str, userid: &UserId, cursor: Option<&str>) -> Result<WireResults> {
        let body = json!({
            "msgid": msgid,
            "userid": userid,
            "limit": 1000,
            "cursor": cursor.unwrap_or_default(),
        });
        self.post(RESULTS, &body).await
    }

    /// Reminds members who have not confirmed; at most 3 in 24 h a task (41094).
    pub async fn remind_broadcast(&self, msgid: &str) -> Result<()> {
        let body = json!({ "msgid": msgid });
        self.post::<Accepted>(REMIND, &body).await.map(drop)
    }

    /// Stops what is not yet sent; a task that was stopped before is stopped.
    pub async fn cancel_broadcast(&self, msgid: &str) -> Result<()> {
        let body = json!({ "msgid": msgid });
        match self.post::<Accepted>(CANCEL, &body).await {
            Err(Error::Platform(fault)) if fault.code == Some(ALREADY_CANCELLED) => Ok(()),
            answer => answer.map(drop),
        }
    }
}
