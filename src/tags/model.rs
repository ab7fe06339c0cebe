//! Tag groups and tags.

use serde::Serialize;

use crate::ids::{ContactId, TagGroupId, TagId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TagGroup {
    pub id: TagGroupId,
    pub name: String,
    pub sort: i64,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Tag {
    pub id: TagId,
    pub group_id: TagGroupId,
    pub name: String,
    pub sort: i64,
    /// Live pairs that carry it.
    // `None` where nobody counted them; the API always does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = i64, required = true)]
    pub contacts: Option<i64>,
}

/// What a reading of all tags came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synced {
    pub tags: usize,
    /// A tag made a moment ago was not shown: too early to say that it is gone.
    pub is_early: bool,
}

/// Where a new tag goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Into {
    Group(TagGroupId),
    NewGroup(String),
}

/// What became of one contact in a marking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Marked {
    pub contact_id: ContactId,
    /// `marked`, `unchanged`, `not_found` or `failed`.
    pub result: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
