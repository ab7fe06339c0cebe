//! Handing customers and groups to another member, on the job or after one left. path/94096, path/94100, path/92273,
//! path/93242, path/95703 (read 2026-11-22).
//!
//! A call only starts a customer's transfer: he is asked, and it takes effect after 24 h unless he refuses.

use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::Api;
use super::wire;
use super::{Client, Page};
use crate::error::Result;
use crate::ids::{ExternalUserId, UserId};
use crate::time::Timestamp;

/// Whether the member who hands over still works here. The platform has separate calls for the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaver {
    OnJob,
    Resigned,
}

/// What became of starting one customer's transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub external_userid: ExternalUserId,
    /// Why it was not started: 40096, 40131, 40129, 40100, 40128, 40099, …; `None`: it was.
    pub refused: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferStatus {
    Done,
    Waiting,
    Refused,
    /// The one to take over has as many customers as a member may have.
    Full,
    NoRecord,
    Unknown(i64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    pub external_userid: ExternalUserId,
    pub status: TransferStatus,
    /// When it took effect; while it waits, when it will.
    pub at: Option<Timestamp>,
}

/// A customer of a member who left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unassigned {
    pub handover_userid: UserId,
    pub external_userid: ExternalUserId,
    pub left_at: Timestamp,
}

/// A group that was not handed over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRefusal {
    pub chat_id: String,
    pub code: i64,
    pub message: String,
}

/// A repeat would meet what it started (40129) and look refused.
const TRANSFER: Api = Api::once("externalcontact/transfer_customer");
const TRANSFER_RESIGNED: Api = Api::once("externalcontact/resigned/transfer_customer");
const RESULT: Api = Api::freely("externalcontact/transfer_result");
const RESULT_RESIGNED: Api = Api::freely("externalcontact/resigned/transfer_result");
const UNASSIGNED: Api = Api::freely("externalcontact/get_unassigned_list");
/// A repeat would find the new owner on the job (90500), or the old one the same as the new (90504).
const GROUPS: Api = Api::once("externalcontact/groupchat/onjob_transfer");
const GROUPS_RESIGNED: Api = Api::once("externalcontact/groupchat/transfer");

#[derive(Deserialize)]
struct WireStarted {
    #[serde(default, deserialize_with = "wire::or_default")]
    customer: Vec<WireStart>,
}

#[derive(Deserialize)]
struct WireStart {
    external_userid: ExternalUserId,
    #[serde(default, deserialize_with = "wire::number")]
    errcode: i64,
}

#[derive(Deserialize)]
struct WireResults {
    #[serde(default, deserialize_with = "wire::or_default")]
    customer: Vec<WireResult>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireResult {
    external_userid: ExternalUserId,
    #[serde(default, deserialize_with = "wire::number")]
    status: i64,
    #[serde(default, deserialize_with = "wire::number")]
    takeover_time: i64,
}

#[derive(Deserialize)]
struct WireUnassigned {
    #[serde(default, deserialize_with = "wire::or_default")]
    info: Vec<WireLeft>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireLeft {
    handover_userid: UserId,
    external_userid: ExternalUserId,
    #[serde(default, deserialize_with = "wire::number")]
    dimission_time: i64,
}

#[derive(Deserialize)]
struct WireGroups {
    #[serde(default, deserialize_with = "wire::or_default")]
    failed_chat_list: Vec<WireFailed>,
}

#[derive(Deserialize)]
struct WireFailed {
    chat_id: String,
    #[serde(default, deserialize_with = "wire::number")]
    errcode: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    errmsg: String,
}

impl TransferStatus {
    fn of(status: i64) -> Self {
        match status {
            1 => Self::Done,
            2 => Self::Waiting,
            3 => Self::Refused,
            4 => Self::Full,
            5 => Self::NoRecord,
            other => Self::Unknown(other),
        }
    }
}

impl Client {
    /// Starts transfers of up to 100 customers. `message` (at most 200 characters) is what they are told; a customer of
    /// somebody who left is always told the platform's own words.
    pub async fn transfer_customers(
        &self,
        leaver: Leaver,
        from: &UserId,
        to: &UserId,
        customers: &[ExternalUserId],
        message: Option<&str>,
    ) -> Result<Vec<Started>> {
        let mut body = pair(from, to);
        body["external_userid"] = json!(customers);
        let api = match leaver {
            Leaver::OnJob => TRANSFER,
            Leaver::Resigned => TRANSFER_RESIGNED,
        };
        if let Some(message) = message.filter(|_| leaver == Leaver::OnJob) {
            body["transfer_success_msg"] = message.into();
        }
        let started: WireStarted = self.post(api, &body).await?;
        let customers = started.customer.into_iter().map(|one| Started {
            external_userid: one.external_userid,
            refused: Some(one.errcode).filter(|code| *code != 0),
        });
        Ok(customers.collect())
    }

    /// How transfers between two members stand, 1,000 a page.
    pub async fn transfer_results(
        &self,
        leaver: Leaver,
        from: &UserId,
        to: &UserId,
        cursor: Option<&str>,
    ) -> Result<Page<Transferred>> {
        let mut body = pair(from, to);
        body["cursor"] = cursor.unwrap_or_default().into();
        let api = match leaver {
            Leaver::OnJob => RESULT,
            Leaver::Resigned => RESULT_RESIGNED,
        };
        let page: WireResults = self.post(api, &body).await?;
        let items = page.customer.into_iter().map(|one| Transferred {
            external_userid: one.external_userid,
            status: TransferStatus::of(one.status),
            at: wire::instant(one.takeover_time),
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Customers of members who left, 1,000 a page; somebody who only owned groups is not among them.
    pub async fn unassigned(&self, cursor: Option<&str>) -> Result<Page<Unassigned>> {
        let body = json!({ "page_size": 1000, "cursor": cursor.unwrap_or_default() });
        let page: WireUnassigned = self.post(UNASSIGNED, &body).await?;
        let items = page.info.into_iter().map(|one| Unassigned {
            handover_userid: one.handover_userid,
            external_userid: one.external_userid,
            left_at: Timestamp::from_seconds(one.dimission_time),
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Gives up to 100 groups to another owner, at once; answers those that were not. At most 300 a day a new owner.
    pub async fn transfer_groups(
        &self,
        leaver: Leaver,
        chat_ids: &[&str],
        new_owner: &UserId,
    ) -> Result<Vec<GroupRefusal>> {
        let body = json!({ "chat_id_list": chat_ids, "new_owner": new_owner });
        let api = match leaver {
            Leaver::OnJob => GROUPS,
            Leaver::Resigned => GROUPS_RESIGNED,
        };
        let answer: WireGroups = self.post(api, &body).await?;
        let refused = answer.failed_chat_list.into_iter().map(|one| GroupRefusal {
            chat_id: one.chat_id,
            code: one.errcode,
            message: super::fault::clean(&one.errmsg),
        });
        Ok(refused.collect())
    }
}

fn pair(from: &UserId, to: &UserId) -> Value {
    json!({ "handover_userid": from, "takeover_userid": to })
}
