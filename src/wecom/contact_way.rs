//! Contact ways 联系我: codes with a channel that add a member. path/92577 (read 2026-11-22).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ask::Api;
use super::wire::{self, Accepted};
use super::{Client, Page};
use crate::error::{Error, Result};
use crate::ids::{ExternalUserId, UserId};
use crate::time::Timestamp;

/// What a way does and whom it leads to, to make one or to change it. A code, never a widget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WaySettings {
    /// At most 30 characters; nobody but us sees it.
    pub remark: String,
    /// Customers are added without the member's consent.
    pub skip_verify: bool,
    /// The channel, at most 30 characters: comes back with the customer.
    pub state: String,
    /// At most 100 with those of `party`; each activated, verified and configured (41054, 40098, 84074 name nobody).
    pub user: Vec<UserId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub party: Vec<i64>,
    /// One customer can add only one member of this way.
    pub is_exclusive: bool,
    /// Members see where the customer came from.
    pub mark_source: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ContactWay {
    pub config_id: String,
    /// 1 one member, 2 several.
    #[serde(default, rename = "type", deserialize_with = "wire::number")]
    pub kind: i64,
    /// 1 a widget in a mini-program, 2 a code.
    #[serde(default, deserialize_with = "wire::number")]
    pub scene: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub remark: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub skip_verify: bool,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub state: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub user: Vec<UserId>,
    #[serde(default, deserialize_with = "wire::numbers")]
    pub party: Vec<i64>,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub is_exclusive: bool,
    /// Where the picture of the code is; none for a widget.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub qr_code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NewWay {
    pub config_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub qr_code: String,
}

/// A repeat would make a second way.
const ADD: Api = Api::once("externalcontact/add_contact_way");
const GET: Api = Api::freely("externalcontact/get_contact_way");
const LIST: Api = Api::freely("externalcontact/list_contact_way");
const UPDATE: Api = Api::freely("externalcontact/update_contact_way");
const DELETE: Api = Api::freely("externalcontact/del_contact_way");
const CLOSE: Api = Api::freely("externalcontact/close_temp_chat");

/// The way is not there: for a deletion that is as good as done.
const INVALID_WAY: i64 = 41044;
const SEVERAL: i64 = 2;
const CODE: i64 = 2;

#[derive(Deserialize)]
struct WireWay {
    contact_way: ContactWay,
}

#[derive(Deserialize)]
struct WireWays {
    #[serde(default, deserialize_with = "wire::or_default")]
    contact_way: Vec<WireListed>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireListed {
    config_id: String,
}

impl Client {
    /// Makes a code that leads to one of several members, in turn. At most 500,000 in a corp (41045).
    pub async fn add_contact_way(&self, settings: &WaySettings) -> Result<NewWay> {
        let mut body = serde_json::to_value(settings)?;
        // Several also holds one, and lets the way grow later: the type cannot be changed.
        body["type"] = SEVERAL.into();
        body["scene"] = CODE.into();
        self.post(ADD, &body).await
    }

    /// 41044 comes as a fault with that code.
    pub async fn contact_way(&self, config_id: &str) -> Result<ContactWay> {
        let answer: WireWay = self.post(GET, &json!({ "config_id": config_id })).await?;
        Ok(answer.contact_way)
    }

    /// Ids of ways made in a span through the API, 1,000 a page; temporary ones are not listed.
    pub async fn contact_ways(
        &self,
        from: Timestamp,
        until: Timestamp,
        cursor: Option<&str>,
    ) -> Result<Page<String>> {
        let body = json!({
            "start_time": from.seconds(),
            "end_time": until.seconds(),
            "limit": 1000,
            "cursor": cursor.unwrap_or_default(),
        });
        let page: WireWays = self.post(LIST, &body).await?;
        Ok(Page {
            items: page.contact_way.into_iter().map(|way| way.config_id).collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Sets everything of a way anew.
    pub async fn update_contact_way(&self, config_id: &str, settings: &WaySettings) -> Result<()> {
        let mut body = serde_json::to_value(settings)?;
        body["config_id"] = config_id.into();
        // Absent would leave the departments as they are.
        body["party"] = json!(settings.party);
        self.post::<Accepted>(UPDATE, &body).await.map(drop)
    }

    /// Deletes a way; its code leads nowhere from then on.
    pub async fn delete_contact_way(&self, config_id: &str) -> Result<()> {
        match self
            .post::<Accepted>(DELETE, &json!({ "config_id": config_id }))
            .await
        {
            Err(Error::Platform(fault)) if fault.code == Some(INVALID_WAY) => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Ends a temporary session before its time.
    pub async fn close_temp_chat(&self, userid: &UserId, external_userid: &ExternalUserId) -> Result<()> {
        let body = json!({ "userid": userid, "external_userid": external_userid });
        self.post::<Accepted>(CLOSE, &body).await.map(drop)
    }
}
