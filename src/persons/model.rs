//! Duplicates as found, merges as done.

use sea_orm::FromQueryResult;
use serde::Serialize;

use crate::ids::{ContactId, MergeId};
use crate::time::Timestamp;

/// Contacts with one unionid.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Duplicate {
    pub unionid: String,
    /// The one to keep first: followed by somebody, else added last.
    pub contacts: Vec<Twin>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Twin {
    pub id: ContactId,
    pub external_userid: String,
    pub name: String,
    /// Who follows them now.
    pub associates: Vec<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_added_at: Option<Timestamp>,
    pub orders: i64,
}

impl Twin {
    /// The higher, the better to keep.
    pub(super) fn rank(&self) -> (bool, Option<Timestamp>, ContactId) {
        (!self.associates.is_empty(), self.last_added_at, self.id)
    }
}

/// A merge and what became of it.
#[derive(Debug, Clone, Serialize, FromQueryResult, utoipa::ToSchema)]
#[schema(as = ContactMerge)]
pub struct Merge {
    pub id: MergeId,
    pub kept_id: ContactId,
    pub kept_name: String,
    pub merged_id: ContactId,
    pub merged_name: String,
    pub merged_external_userid: String,
    pub created_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub undone_at: Option<Timestamp>,
    /// A merge of the same person that came later and is to be undone before this one.
    pub undo_first: Option<MergeId>,
}

/// What a contact's row has that the other may lack.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct Traits {
    pub external_userid: String,
    pub unionid: Option<String>,
    pub birthday: Option<String>,
    pub phone_blind: Option<String>,
    pub phone_last4: Option<String>,
    pub phone_sealed: Option<String>,
    pub home_store_id: Option<i64>,
    pub opted_out_at: Option<Timestamp>,
}

const BIRTHDAY: &str = "birthday";
const PHONE: &str = "phone";
const HOME: &str = "home_store";
const OPTED_OUT: &str = "opted_out";

impl Traits {
    /// Takes what is lacking from another contact, whose phone number is given sealed for this one; answers what.
    pub fn take(&mut self, other: &Traits, sealed: Option<String>) -> String {
        let mut gave = Vec::new();
        if self.birthday.is_none() && other.birthday.is_some() {
            self.birthday.clone_from(&other.birthday);
            gave.push(BIRTHDAY);
        }
        if self.phone_blind.is_none() && other.phone_blind.is_some() {
            self.phone_blind.clone_from(&other.phone_blind);
            self.phone_last4.clone_from(&other.phone_last4);
            self.phone_sealed = sealed;
            gave.push(PHONE);
        }
        if self.home_store_id.is_none() && other.home_store_id.is_some() {
            self.home_store_id = other.home_store_id;
            gave.push(HOME);
        }
        if self.opted_out_at.is_none() && other.opted_out_at.is_some() {
            self.opted_out_at = other.opted_out_at;
            gave.push(OPTED_OUT);
        }
        gave.join(" ")
    }

    /// Gives back what was taken from the other and is still as it was.
    pub fn give_back(&mut self, other: &Traits, gave: &str) {
        for what in gave.split_whitespace() {
            match what {
                BIRTHDAY if self.birthday == other.birthday => self.birthday = None,
                PHONE if self.phone_blind == other.phone_blind => {
                    (self.phone_blind, self.phone_last4, self.phone_sealed) = (None, None, None);
                }
                HOME if self.home_store_id == other.home_store_id => self.home_store_id = None,
                OPTED_OUT if self.opted_out_at == other.opted_out_at => self.opted_out_at = None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(birthday: Option<&str>, phone: Option<&str>, opted_out: Option<i64>) -> Traits {
        Traits {
            external_userid: "wm".into(),
            unionid: Some("o".into()),
            birthday: birthday.map(str::to_owned),
            phone_blind: phone.map(str::to_owned),
            phone_last4: phone.map(|_| "1234".into()),
            phone_sealed: phone.map(|_| "sealed".into()),
            home_store_id: None,
            opted_out_at: opted_out.map(Timestamp),
        }
    }

    #[test]
    fn what_was_lacking_is_taken_and_given_back_while_it_is_as_it_was() {
        let other = traits(Some("11-23"), Some("b"), Some(7));
        for (own, gave) in [
            (traits(None, None, None), "birthday phone opted_out"),
            (traits(Some("01-05"), None, None), "phone opted_out"),
            (traits(Some("01-05"), Some("a"), Some(3)), ""),
        ] {
            let mut both = own.clone();
            assert_eq!(both.take(&other, Some("anew".into())), gave);
            let mut changed = both.clone();
            both.give_back(&other, gave);
            assert_eq!(both, own);
            changed.birthday = Some("12-31".into());
            changed.give_back(&other, gave);
            assert_eq!(changed.birthday.as_deref(), Some("12-31"));
        }
    }
}
