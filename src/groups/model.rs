//! Groups and stretches in them as read.

use serde::{Deserialize, Serialize};

use crate::ids::{GroupId, UserId};
use crate::seal::fingerprint;
use crate::time::Timestamp;
use crate::wecom::group::GroupStatus;

/// A group that a contact is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema, sea_orm::FromQueryResult)]
pub struct GroupOfContact {
    pub id: GroupId,
    /// May be empty: people see the members' names then.
    pub name: String,
    pub owner_userid: String,
    /// Absent for an owner we do not know.
    pub owner_name: Option<String>,
    /// How many are in it.
    pub members: i64,
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: Timestamp,
    /// 1 invited, 2 by an invitation's link, 3 by a code.
    pub join_scene: i64,
}

/// Groups that a contact is in, as far as the caller may know them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct GroupsOfContact {
    /// Those whose owner is in the caller's scope, the last joined first.
    pub items: Vec<GroupOfContact>,
    /// How many more there are: other stores' and other people's.
    pub others: i64,
}

/// A group's status as the database keeps it.
pub fn status_of(status: GroupStatus) -> &'static str {
    match status {
        GroupStatus::Normal => "normal",
        GroupStatus::OwnerLeft => "owner_left",
        GroupStatus::Inheriting => "inheriting",
        GroupStatus::Inherited => "inherited",
        GroupStatus::Unknown(_) => "unknown",
    }
}

/// What an event tells and no fetch can: when a group or a stretch in it ended, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// These went, of themselves or not.
    Left {
        ids: Vec<String>,
        is_removed: bool,
        at: Timestamp,
    },
    Dismissed {
        at: Timestamp,
    },
}

impl Told {
    /// Names the news, so that each is heard however many wait.
    pub(super) fn key(&self) -> String {
        match self {
            // Many can leave at once, and a key is short.
            Self::Left { ids, is_removed, at } => {
                format!("left|{is_removed}|{}|{}", at.0, fingerprint(&ids.join(",")))
            }
            Self::Dismissed { at } => format!("dismissed|{}", at.0),
        }
    }

    /// Whether this is how somebody left.
    pub(super) fn names(&self, member: &str) -> Option<(Timestamp, &'static str)> {
        match self {
            Self::Left { ids, is_removed, at } => {
                let cause = if *is_removed { "removed" } else { "left" };
                let is_named = ids.iter().any(|id| id == member || folded(id) == member);
                is_named.then_some((*at, cause))
            }
            Self::Dismissed { .. } => None,
        }
    }
}

fn folded(id: &str) -> String {
    UserId(id.to_owned()).folded().0
}
