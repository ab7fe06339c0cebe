//! Corp tags and tag groups. path/92117, path/92118 (read 2026-11-22).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Client;
use super::ask::Api;
use super::wire::{self, Accepted};
use crate::error::Result;
use crate::ids::{ExternalUserId, UserId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagGroup {
    pub group_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub group_name: String,
    /// Larger sorts first.
    #[serde(default, deserialize_with = "wire::number")]
    pub order: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub tag: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: String,
    /// Larger sorts first.
    #[serde(default, deserialize_with = "wire::number")]
    pub order: i64,
}

/// Where new tags go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    Existing(String),
    /// At most 30 characters; an existing group of this name is used.
    Named(String),
}

const TAGS: Api = Api::freely("externalcontact/get_corp_tag_list");
/// A repeat would meet its own names (40071).
const ADD_TAGS: Api = Api::once("externalcontact/add_corp_tag");
const RENAME_TAG: Api = Api::freely("externalcontact/edit_corp_tag");
/// A repeat would not find what it deleted (40068).
const DELETE_TAGS: Api = Api::once("externalcontact/del_corp_tag");
/// More than 5 at once in a corp are refused with 45033.
const MARK_TAGS: Api = Api::freely("externalcontact/mark_tag").at_once(5);

#[derive(Deserialize)]
struct Tags {
    #[serde(default, deserialize_with = "wire::or_default")]
    tag_group: Vec<TagGroup>,
}

#[derive(Deserialize)]
struct Added {
    tag_group: TagGroup,
}

impl Client {
    /// All tag groups with their tags; this list has no pages.
    pub async fn tags(&self) -> Result<Vec<TagGroup>> {
        let answer: Tags = self.post(TAGS, &json!({ "tag_id": [], "group_id": [] })).await?;
        Ok(answer.tag_group)
    }

    /// Adds tags (names of at most 30 characters); 40071 when a name is there already.
    pub async fn add_tags(&self, group: &Group, names: &[&str]) -> Result<TagGroup> {
        let tag: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        let body = match group {
            Group::Existing(id) => json!({ "group_id": id, "tag": tag }),
            Group::Named(name) => json!({ "group_name": name, "tag": tag }),
        };
        let answer: Added = self.post(ADD_TAGS, &body).await?;
        Ok(answer.tag_group)
    }

    /// Renames a tag or a group by its platform id.
    pub async fn rename_tag(&self, id: &str, name: &str) -> Result<()> {
        let body = json!({ "id": id, "name": name });
        self.post::<Accepted>(RENAME_TAG, &body).await.map(drop)
    }

    /// Deletes tags and whole groups; a group whose last tag goes, goes too.
    pub async fn delete_tags(&self, tag_ids: &[&str], group_ids: &[&str]) -> Result<()> {
        let body = json!({ "tag_id": tag_ids, "group_id": group_ids });
        self.post::<Accepted>(DELETE_TAGS, &body).await.map(drop)
    }

    /// Sets and takes tags on one pair; repeating it changes nothing more. At most 5 at once in a corp.
    pub async fn mark_tags(
        &self,
        userid: &UserId,
        external_userid: &ExternalUserId,
        add: &[&str],
        remove: &[&str],
    ) -> Result<()> {
        let body = json!({
            "userid": userid,
            "external_userid": external_userid,
            "add_tag": add,
            "remove_tag": remove,
        });
        self.post::<Accepted>(MARK_TAGS, &body).await.map(drop)
    }
}
