//! Contacts and follows as read.

use std::fmt::Write as _;

use sea_orm::FromQueryResult;
use serde::Serialize;

use crate::ids::{AssociateId, ContactId, ExternalUserId, FieldId, FollowId, StoreId, TagId};
use crate::money::Fen;
use crate::time::{Day, Timestamp};

/// A row of the contact list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ContactRow {
    pub id: ContactId,
    pub external_userid: String,
    pub name: String,
    pub avatar: String,
    /// 0 unknown, 1 male, 2 female.
    pub gender: i64,
    /// The remark of the follower in scope that was added last.
    pub remark: String,
    pub associate_id: AssociateId,
    pub associate_name: String,
    pub store_id: Option<StoreId>,
    pub store_name: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
    /// Tags of the live follows in scope.
    pub tags: Vec<TagName>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_order_at: Option<Timestamp>,
    /// Net sales of the last 365 days, in fen.
    #[schema(value_type = i64)]
    pub spent_365_fen: Fen,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TagName {
    pub id: TagId,
    pub name: String,
    pub group_name: String,
}

/// A contact with everything its page shows.
#[derive(Debug, Clone, Serialize)]
pub struct ContactCard {
    pub id: ContactId,
    pub external_userid: String,
    pub name: String,
    pub avatar: String,
    pub gender: i64,
    pub birthday: Option<String>,
    /// `138****1234`-like: only the last four digits are kept.
    pub phone_last4: Option<String>,
    pub opted_out: bool,
    /// What is known in the chain's own fields, the first defined first.
    pub own_fields: Vec<OwnValue>,
    pub follows: Vec<FollowRow>,
    pub orders_365: i64,
    pub spent_365_fen: Fen,
    pub last_order_at: Option<Timestamp>,
}

/// What is known of somebody in one of the chain's own fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult, utoipa::ToSchema)]
pub struct OwnValue {
    pub field_id: FieldId,
    pub name: String,
    pub value: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct FollowRow {
    pub id: FollowId,
    pub associate_id: AssociateId,
    pub associate_name: String,
    pub store_id: Option<StoreId>,
    pub store_name: Option<String>,
    /// `active`, `lost`, `removed`, `transferred`.
    pub state: String,
    pub remark: String,
    pub description: String,
    pub add_way: i64,
    pub channel: String,
    pub added_at: Timestamp,
    pub tags: Vec<TagName>,
}

/// What the list may be narrowed by. All in the URL.
#[derive(Debug, Clone, Default, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ContactFilter {
    /// Part of a name or a remark.
    pub search: Option<String>,
    pub tag: Option<TagId>,
    pub store: Option<StoreId>,
    pub associate: Option<AssociateId>,
    pub added_from: Option<Day>,
    pub added_to: Option<Day>,
    /// Their last order was on or after this day.
    pub ordered_from: Option<Day>,
    /// Their last order was on or before this day.
    pub ordered_to: Option<Day>,
    /// No order since this day, or never.
    pub quiet_since: Option<Day>,
    /// Clicked a link on or after this day.
    pub clicked_from: Option<Day>,
    pub external_userid: Option<ExternalUserId>,
    /// Nobody but some of these.
    #[serde(skip)]
    pub among: Option<Vec<ContactId>>,
    /// The day that the last 365 days end on; absent: today by the system's clock.
    pub today: Option<Day>,
}

impl ContactFilter {
    /// The part of a name or a remark that is asked for, if any is.
    pub fn part(&self) -> Option<&str> {
        let part = self.search.as_deref().map(str::trim);
        part.filter(|part| !part.is_empty())
    }
}

/// Live pairs of a contact, with what the platform calls them: for tagging and sending.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Pair {
    pub follow_id: FollowId,
    pub contact_id: ContactId,
    pub external_userid: ExternalUserId,
    pub associate_id: AssociateId,
    pub userid: crate::ids::UserId,
    pub store_id: Option<StoreId>,
    pub tags: String,
}

impl Pair {
    pub fn tag_ids(&self) -> Vec<TagId> {
        tag_ids(&self.tags)
    }
}

/// The ids in a tag list as the database keeps it: ` 12 34 `.
pub fn tag_ids(list: &str) -> Vec<TagId> {
    list.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// A tag list as the database keeps it: sorted, a space before and after each id.
pub fn tag_list(ids: impl IntoIterator<Item = TagId>) -> String {
    let mut ids: Vec<TagId> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut list = String::from(" ");
    for id in ids {
        let _ = write!(list, "{id} ");
    }
    list
}

/// The digits of a phone number, the country's own 86 left out, so that every spelling is one number; `None` when it
/// is none. What [`crate::seal::Sealer::blind`] is given, everywhere.
pub fn phone_digits(text: &str) -> Option<String> {
    let is_written_so =
        |character: char| character.is_ascii_digit() || matches!(character, '+' | '-' | ' ' | '(' | ')');
    if !text.chars().all(is_written_so) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let own = match digits.strip_prefix("0086").or_else(|| digits.strip_prefix("86")) {
        Some(own) if own.len() == 11 => own.to_owned(),
        _ => digits,
    };
    (5..=15).contains(&own.len()).then_some(own)
}

/// Why a pair ended, as an event tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The customer left.
    Contact,
    /// The associate deleted the customer.
    Associate,
    Transfer,
}

impl EndCause {
    /// As a period's `until_cause`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Associate => "associate",
            Self::Transfer => "transfer",
        }
    }

    /// The state the pair is in afterwards.
    pub fn state(self) -> &'static str {
        match self {
            Self::Contact => "lost",
            Self::Associate => "removed",
            Self::Transfer => "transferred",
        }
    }
}

/// The end of a pair: what an event says and no fetch can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Ending {
    pub userid: crate::ids::UserId,
    pub cause: EndCause,
    pub at: Timestamp,
}

/// Why a follow began.
pub fn cause_of(add_way: i64, is_transfer: bool) -> &'static str {
    match add_way {
        _ if is_transfer => "transfer",
        1 => "scan",
        2 | 9 => "search",
        3 => "card",
        4 => "group",
        16 => "link",
        201 => "shared",
        202 => "transfer",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_list_comes_back_sorted_and_once() {
        let list = tag_list([TagId(34), TagId(12), TagId(34)]);
        assert_eq!(list, " 12 34 ");
        assert_eq!(tag_ids(&list), [TagId(12), TagId(34)]);
        assert_eq!(tag_list([]), " ");
    }

    #[test]
    fn a_phone_number_is_one_however_it_is_written() {
        for text in [
            "13812345678",
            "+86 138-1234-5678",
            "8613812345678",
            "86 13812345678",
            "0086 13812345678",
        ] {
            assert_eq!(phone_digits(text).as_deref(), Some("13812345678"), "{text}");
        }
        for text in ["", "12", "1234", "138x2345678", "１３８１２３４５６７８"] {
            assert_eq!(phone_digits(text), None, "{text}");
        }
        assert_eq!(phone_digits("8612345").as_deref(), Some("8612345"));
    }
}
