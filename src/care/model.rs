//! Follow-ups as read and as asked for.

use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};

use crate::ids::{AssociateId, ContactId, FollowUpId};
use crate::time::{Day, Timestamp};

/// Something to be done for a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult, utoipa::ToSchema)]
pub struct FollowUp {
    pub id: FollowUpId,
    pub contact_id: ContactId,
    /// The associate's remark, else the customer's own name.
    pub contact_name: String,
    pub associate_id: AssociateId,
    pub associate_name: String,
    pub what: String,
    #[schema(value_type = String, format = Date)]
    pub due_day: Day,
    /// `open`, `done` or `dropped`.
    pub state: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

impl FollowUp {
    pub fn is_open(&self) -> bool {
        self.state == State::Open.as_str()
    }
}

/// Where a follow-up stands. It is done, or dropped, and what is done can be opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FollowUpState)]
pub enum State {
    #[default]
    Open,
    Done,
    Dropped,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }

    pub fn can_become(self, next: State) -> bool {
        matches!(
            (self, next),
            (Self::Open, Self::Done | Self::Dropped) | (Self::Done, Self::Open)
        )
    }
}

/// What is to be done, for whom, by when.
#[derive(Debug, Clone)]
pub struct NewFollowUp<'a> {
    pub contact: ContactId,
    /// Whose it is; `None`: the caller's own, or whoever in scope was added last.
    pub associate: Option<AssociateId>,
    pub what: &'a str,
    pub due_day: Day,
}

/// Which follow-ups are meant; those due first come first.
#[derive(Debug, Clone, Copy, Default)]
pub struct FollowUpFilter {
    pub state: State,
    pub contact: Option<ContactId>,
    pub associate: Option<AssociateId>,
    /// Due on this day or before.
    pub due_by: Option<Day>,
}

#[cfg(test)]
mod tests {
    use super::State::{Done, Dropped, Open};

    #[test]
    fn what_is_dropped_stays_dropped() {
        for (from, next) in [
            (Open, &[Done, Dropped][..]),
            (Done, &[Open][..]),
            (Dropped, &[][..]),
        ] {
            for to in [Open, Done, Dropped] {
                assert_eq!(from.can_become(to), next.contains(&to), "{from:?} {to:?}");
            }
        }
    }
}
