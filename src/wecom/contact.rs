//! Customers and who follows them. path/92114, path/92994, path/92115, path/92599 (read 2026-11-22).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ask::Api;
use super::client::odd;
use super::fault::NOT_EXTERNAL_CONTACT;
use super::message::Message;
use super::wire::{self, Accepted};
use super::{Client, Page};
use crate::error::{Error, Result};
use crate::ids::{ExternalUserId, UserId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalContact {
    pub external_userid: ExternalUserId,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub avatar: String,
    /// 1 a WeChat user, 2 a WeCom user of another corp.
    #[serde(default, rename = "type", deserialize_with = "wire::number")]
    pub kind: i64,
    /// 0 unknown, 1 male, 2 female.
    #[serde(default, deserialize_with = "wire::number")]
    pub gender: i64,
    /// Only of WeChat users, and only when the corp has bound a developer account.
    #[serde(default)]
    pub unionid: Option<String>,
}

/// One follower of a customer. `get` names tags in full, `batch/get_by_user` by id: both end in `tag_ids`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUser {
    pub userid: UserId,
    pub remark: String,
    pub description: String,
    /// Seconds.
    pub createtime: i64,
    /// Corp and rule-group tags; personal tags have no id.
    pub tag_ids: Vec<String>,
    pub remark_mobiles: Vec<String>,
    pub add_way: i64,
    pub state: String,
    pub oper_userid: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactDetail {
    pub contact: ExternalContact,
    pub follow_users: Vec<FollowUser>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactOfMember {
    pub contact: ExternalContact,
    pub follow: FollowUser,
}

const CONTACT: Api = Api::freely("externalcontact/get");
const CONTACTS_OF: Api = Api::freely("externalcontact/batch/get_by_user");
const CONTACT_IDS: Api = Api::freely("externalcontact/list");
const REMARK: Api = Api::freely("externalcontact/remark");
const SEND_WELCOME: Api = Api::once("externalcontact/send_welcome_msg");

/// Followers come 500 a page; a customer with more pages than this is an answer that goes in a circle.
const MAX_PAGES: usize = 40;

/// A follow relationship on the wire, in either of its two shapes.
#[derive(Deserialize)]
struct WireFollow {
    userid: UserId,
    #[serde(default, deserialize_with = "wire::or_default")]
    remark: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    description: String,
    #[serde(default, deserialize_with = "wire::number")]
    createtime: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    tags: Vec<WireTag>,
    #[serde(default, deserialize_with = "wire::or_default")]
    tag_id: Vec<String>,
    #[serde(default, deserialize_with = "wire::or_default")]
    remark_mobiles: Vec<String>,
    #[serde(default, deserialize_with = "wire::number")]
    add_way: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    state: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    oper_userid: String,
}

#[derive(Deserialize)]
struct WireTag {
    #[serde(default, deserialize_with = "wire::or_default")]
    tag_id: String,
}

impl From<WireFollow> for FollowUser {
    fn from(wire: WireFollow) -> Self {
        let named = wire.tags.into_iter().map(|tag| tag.tag_id);
        let mut tag_ids: Vec<String> = named.chain(wire.tag_id).filter(|id| !id.is_empty()).collect();
        tag_ids.sort_unstable();
        tag_ids.dedup();
        Self {
            userid: wire.userid,
            remark: wire.remark,
            description: wire.description,
            createtime: wire.createtime,
            tag_ids,
            remark_mobiles: wire.remark_mobiles,
            add_way: wire.add_way,
            state: wire.state,
            oper_userid: wire.oper_userid,
        }
    }
}

#[derive(Deserialize)]
struct WireDetail {
    external_contact: ExternalContact,
    #[serde(default, deserialize_with = "wire::or_default")]
    follow_user: Vec<WireFollow>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireContacts {
    #[serde(default, deserialize_with = "wire::or_default")]
    external_contact_list: Vec<WireContact>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireContact {
    external_contact: ExternalContact,
    follow_info: WireFollow,
}

#[derive(Deserialize)]
struct ContactIds {
    #[serde(default, deserialize_with = "wire::or_default")]
    external_userid: Vec<ExternalUserId>,
}

impl Client {
    /// One customer with every follower the app can see. 84061 comes as a fault with that code.
    pub async fn contact(&self, external_userid: &ExternalUserId) -> Result<ContactDetail> {
        let mut follow_users = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MAX_PAGES {
            let mut query = vec![("external_userid", external_userid.to_string())];
            if !cursor.is_empty() {
                query.push(("cursor", cursor));
            }
            let page: WireDetail = self.get(CONTACT, query).await?;
            if page.external_contact.external_userid != *external_userid {
                return Err(odd(CONTACT, "the answer is about another customer"));
            }
            follow_users.extend(page.follow_user.into_iter().map(FollowUser::from));
            cursor = page.next_cursor;
            if cursor.is_empty() {
                return Ok(ContactDetail {
                    contact: page.external_contact,
                    follow_users,
                });
            }
        }
        Err(odd(CONTACT, "the list of followers does not end"))
    }

    /// Customers of up to 100 members, one item a pair, at most 100 a page.
    pub async fn contacts_of(
        &self,
        userids: &[UserId],
        cursor: Option<&str>,
    ) -> Result<Page<ContactOfMember>> {
        let body = json!({ "userid_list": userids, "cursor": cursor.unwrap_or_default(), "limit": 100 });
        let Some(page) = some_contacts(self.post::<WireContacts>(CONTACTS_OF, &body).await)? else {
            return Ok(Page {
                items: vec![],
                next: None,
            });
        };
        let is_asked = |follow: &WireFollow| {
            let folded = follow.userid.folded();
            userids.iter().any(|userid| userid.folded() == folded)
        };
        if !page
            .external_contact_list
            .iter()
            .all(|pair| is_asked(&pair.follow_info))
        {
            return Err(odd(CONTACTS_OF, "the answer is about other members"));
        }
        let items = page.external_contact_list.into_iter();
        Ok(Page {
            items: items
                .map(|pair| ContactOfMember {
                    contact: pair.external_contact,
                    follow: pair.follow_info.into(),
                })
                .collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Ids of a member's customers; none for a member without any (the platform says 84061).
    pub async fn contact_ids(&self, userid: &UserId) -> Result<Vec<ExternalUserId>> {
        let query = vec![("userid", userid.to_string())];
        let ids = some_contacts(self.get::<ContactIds>(CONTACT_IDS, query).await)?;
        Ok(ids.map(|ids| ids.external_userid).unwrap_or_default())
    }

    /// Sets the remark (at most 20 characters) and the description (at most 150); `None` leaves it.
    pub async fn remark(
        &self,
        userid: &UserId,
        external_userid: &ExternalUserId,
        remark: Option<&str>,
        description: Option<&str>,
    ) -> Result<()> {
        let mut body = json!({ "userid": userid, "external_userid": external_userid });
        // What is absent is left alone, what is null might not be.
        for (name, value) in [("remark", remark), ("description", description)] {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        self.post::<Accepted>(REMARK, &body).await.map(drop)
    }

    /// Sends the welcome message: once, within 20 s of the event. Never repeated.
    pub async fn send_welcome(&self, welcome_code: &str, message: &Message) -> Result<()> {
        let mut body = serde_json::to_value(message)?;
        body["welcome_code"] = welcome_code.into();
        self.post::<Accepted>(SEND_WELCOME, &body).await.map(drop)
    }
}

/// `None` for a member without customers: the platform refuses the list with 84061.
fn some_contacts<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::Platform(fault)) if fault.code == Some(NOT_EXTERNAL_CONTACT) => Ok(None),
        Err(error) => Err(error),
    }
}
