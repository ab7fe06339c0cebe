//! The rule tree, as JSON and on the page, and saved segments.

use serde::{Deserialize, Serialize};

use crate::ids::{AssociateId, ContactId, FieldId, LinkId, RegionId, SegmentId, StoreId, TagId};
use crate::time::Timestamp;

pub const MAX_DEPTH: usize = 8;
pub const MAX_NODES: usize = 200;

/// A rule: set algebra over people with a live follow in scope. Read it with [`super::rule::read`], which names the
/// place of every mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    Tag(TagId),
    Store(StoreId),
    Region(RegionId),
    Associate(AssociateId),
    Channel(String),
    Added(Within),
    Ordered(Ordered),
    Clicked(Clicked),
    Messaged(Messaged),
    Stage(Stage),
    Rfm(Rfm),
    Gender(Gender),
    Birthday(Within),
    Field(OwnField),
}

impl Rule {
    /// The tags of a rule that asks for nothing but any of some tags.
    pub fn any_of_tags(&self) -> Option<Vec<TagId>> {
        match self {
            Self::Tag(tag) => Some(vec![*tag]),
            Self::Any(parts) => parts
                .iter()
                .map(|part| match part {
                    Self::Tag(tag) => Some(*tag),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// Everything that is asked of people, from left to right.
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            leaf => vec![leaf],
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    pub within_days: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    pub within_days: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_fen_at_least: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clicked {
    pub within_days: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messaged {
    pub within_days: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i64>,
}

/// By the last order or click, else by the day added: new ≤ 30 days since added; active ≤ 30, cooling ≤ 90,
/// dormant ≤ 365, lost beyond, counted in days without either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    New,
    Active,
    Cooling,
    Dormant,
    Lost,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rfm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub r: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub f: Vec<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub m: Vec<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gender {
    Unknown,
    Male,
    Female,
}

/// What is known in a field of the corp's own: one of these values, a number or a day within these limits, or, with
/// none of it, anything. All of it as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnField {
    pub id: FieldId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Segment {
    pub id: SegmentId,
    pub name: String,
    pub rule: Rule,
    pub version: i64,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A live answer.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    pub count: i64,
    pub as_of: Timestamp,
    /// Each top-level rule of an `all`, and how many remain after it.
    pub steps: Vec<PreviewStep>,
    /// There are too many steps to count each, or it took too long: only the count is right.
    pub steps_left_out: bool,
    /// Everybody with a live follow in the caller's scope.
    pub in_reach: i64,
    /// At most five, in the caller's scope.
    pub sample: Vec<SamplePerson>,
}

#[derive(Debug, Clone, Serialize)]
pub struct PreviewStep {
    pub rule: Rule,
    pub remaining: i64,
}

#[derive(Debug, Clone, Serialize)]
pub struct SamplePerson {
    pub id: ContactId,
    pub name: String,
}
