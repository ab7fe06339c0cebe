//! Customer groups 客户群. path/92707, path/93414, path/94828 (read 2026-11-22). Read only: no call makes a group or
//! brings people into one.

use serde::Deserialize;
use serde_json::json;

use super::ask::Api;
use super::wire;
use super::{Client, Page};
use crate::error::Result;
use crate::ids::UserId;
use crate::time::Timestamp;

/// Who owns a group now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStatus {
    Normal,
    /// The owner left and nobody has it yet.
    OwnerLeft,
    Inheriting,
    Inherited,
    Unknown(i64),
}

impl GroupStatus {
    fn of(status: i64) -> Self {
        match status {
            0 => Self::Normal,
            1 => Self::OwnerLeft,
            2 => Self::Inheriting,
            3 => Self::Inherited,
            other => Self::Unknown(other),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    pub chat_id: String,
    pub status: GroupStatus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub chat_id: String,
    /// May be empty: people see the members' names then.
    pub name: String,
    pub owner: UserId,
    pub create_time: Timestamp,
    pub notice: String,
    pub members: Vec<GroupMember>,
    pub admins: Vec<UserId>,
    /// Another one after every coming and going.
    pub member_version: String,
}

/// Somebody in a group. A person from outside may be nobody's customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GroupMember {
    /// A userid, or an external_userid.
    pub userid: String,
    /// 1 a member, 2 a person from outside.
    #[serde(default, rename = "type", deserialize_with = "wire::number")]
    pub kind: i64,
    #[serde(default)]
    pub unionid: Option<String>,
    /// Seconds.
    #[serde(default, deserialize_with = "wire::number")]
    pub join_time: i64,
    /// 1 invited, 2 by an invitation's link, 3 by a code.
    #[serde(default, deserialize_with = "wire::number")]
    pub join_scene: i64,
    /// The channel of the join way.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub state: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub group_nickname: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    invitor: Option<WireUser>,
}

impl GroupMember {
    pub fn is_external(&self) -> bool {
        self.kind == EXTERNAL
    }

    pub fn invitor(&self) -> Option<&UserId> {
        self.invitor.as_ref().map(|invitor| &invitor.userid)
    }
}

const LIST: Api = Api::freely("externalcontact/groupchat/list");
const GET: Api = Api::freely("externalcontact/groupchat/get");
const CHAT_OF: Api = Api::freely("externalcontact/opengid_to_chatid");

const EXTERNAL: i64 = 2;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct WireUser {
    userid: UserId,
}

#[derive(Deserialize)]
struct WireList {
    #[serde(default, deserialize_with = "wire::or_default")]
    group_chat_list: Vec<WireListed>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireListed {
    chat_id: String,
    #[serde(default, deserialize_with = "wire::number")]
    status: i64,
}

#[derive(Deserialize)]
struct WireDetail {
    group_chat: WireGroup,
}

#[derive(Deserialize)]
struct WireGroup {
    chat_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    name: String,
    owner: UserId,
    #[serde(default, deserialize_with = "wire::number")]
    create_time: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    notice: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    member_list: Vec<GroupMember>,
    #[serde(default, deserialize_with = "wire::or_default")]
    admin_list: Vec<WireUser>,
    #[serde(default, deserialize_with = "wire::or_default")]
    member_version: String,
}

#[derive(Deserialize)]
struct WireChat {
    chat_id: String,
}

impl Client {
    /// Groups of up to 100 owners, 1,000 a page; without owners of everybody visible (81017 above 1,000 members).
    pub async fn groups(&self, owners: &[UserId], cursor: Option<&str>) -> Result<Page<ListedGroup>> {
        let mut body = json!({ "status_filter": 0, "limit": 1000, "cursor": cursor.unwrap_or_default() });
        // An empty filter must be absent.
        if !owners.is_empty() {
            body["owner_filter"] = json!({ "userid_list": owners });
        }
        let page: WireList = self.post(LIST, &body).await?;
        let items = page.group_chat_list.into_iter().map(|group| ListedGroup {
            chat_id: group.chat_id,
            status: GroupStatus::of(group.status),
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// One group with everybody in it. 40050 for one that was dismissed. Wait about 2 s after an event: reads lag.
    pub async fn group(&self, chat_id: &str) -> Result<Group> {
        let body = json!({ "chat_id": chat_id, "need_name": 1 });
        let detail: WireDetail = self.post(GET, &body).await?;
        let group = detail.group_chat;
        Ok(Group {
            chat_id: group.chat_id,
            name: group.name,
            owner: group.owner,
            create_time: Timestamp::from_seconds(group.create_time),
            notice: group.notice,
            members: group.member_list,
            admins: group.admin_list.into_iter().map(|admin| admin.userid).collect(),
            member_version: group.member_version,
        })
    }

    /// The group in which a mini-program was opened. 90511 for an id that means nothing.
    pub async fn chat_id(&self, opengid: &str) -> Result<String> {
        let chat: WireChat = self.post(CHAT_OF, &json!({ "opengid": opengid })).await?;
        Ok(chat.chat_id)
    }
}
