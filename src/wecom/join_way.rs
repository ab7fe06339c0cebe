//! Ways into customer groups: a code for up to five groups. path/92229 (read 2026-11-22).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Client;
use super::ask::Api;
use super::wire::{self, Accepted};
use crate::error::{Error, Result};

/// What a way does. Every change gives the whole: what is left out has its default again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JoinSettings {
    /// At most 30 characters.
    pub remark: String,
    /// When all are full, another group is made.
    #[serde(serialize_with = "as_number")]
    pub auto_create_room: bool,
    /// At most 40 characters; the number comes after it.
    pub room_base_name: String,
    pub room_base_id: i64,
    /// 1 to 5 (41091).
    pub chat_id_list: Vec<String>,
    /// The channel, at most 30 characters: comes back with whoever joins.
    pub state: String,
    pub mark_source: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JoinWay {
    pub config_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub remark: String,
    #[serde(default, deserialize_with = "wire::number")]
    pub auto_create_room: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub room_base_name: String,
    #[serde(default, deserialize_with = "wire::number")]
    pub room_base_id: i64,
    /// Those that are full may have gone, and new ones come.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub chat_id_list: Vec<String>,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub qr_code: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub state: String,
}

/// A repeat would make a second way.
const ADD: Api = Api::once("externalcontact/groupchat/add_join_way");
const GET: Api = Api::freely("externalcontact/groupchat/get_join_way");
const UPDATE: Api = Api::freely("externalcontact/groupchat/update_join_way");
const DELETE: Api = Api::freely("externalcontact/groupchat/del_join_way");

const INVALID_WAY: i64 = 41044;
/// A code; 1 would be a widget in a mini-program.
const CODE: i64 = 2;

fn as_number<S: serde::Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(i64::from(*flag))
}

#[derive(Deserialize)]
struct WireAdded {
    config_id: String,
}

#[derive(Deserialize)]
struct WireWay {
    join_way: JoinWay,
}

impl Client {
    /// Makes a code; answers its id. Where its picture is, [`Client::join_way`] says.
    pub async fn add_join_way(&self, settings: &JoinSettings) -> Result<String> {
        let mut body = serde_json::to_value(settings)?;
        body["scene"] = CODE.into();
        let added: WireAdded = self.post(ADD, &body).await?;
        Ok(added.config_id)
    }

    pub async fn join_way(&self, config_id: &str) -> Result<JoinWay> {
        let answer: WireWay = self.post(GET, &json!({ "config_id": config_id })).await?;
        Ok(answer.join_way)
    }

    pub async fn update_join_way(&self, config_id: &str, settings: &JoinSettings) -> Result<()> {
        let mut body = serde_json::to_value(settings)?;
        body["scene"] = CODE.into();
        body["config_id"] = config_id.into();
        self.post::<Accepted>(UPDATE, &body).await.map(drop)
    }

    /// Deletes a way; one that is not there is deleted.
    pub async fn delete_join_way(&self, config_id: &str) -> Result<()> {
        match self
            .post::<Accepted>(DELETE, &json!({ "config_id": config_id }))
            .await
        {
            Err(Error::Platform(fault)) if fault.code == Some(INVALID_WAY) => Ok(()),
            answer => answer.map(drop),
        }
    }
}
