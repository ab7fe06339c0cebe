//! Welcomes and what they apply to.

use serde::Serialize;

use crate::ids::{StoreId, WelcomeId};
use crate::links::content::Content;
use crate::time::Timestamp;

/// `corp`, `store:<id>`, `channel:<state>` in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppliesTo {
    Corp,
    Store(StoreId),
    Channel(String),
}

impl AppliesTo {
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "corp" => Some(Self::Corp),
            Some(("store", id)) => id.parse().ok().map(Self::Store),
            Some(("channel", state)) if !state.is_empty() => Some(Self::Channel(state.to_owned())),
            _ => None,
        }
    }

    /// How near it is to a contact who came by `channel` to an associate of `store`; `None`: it does not fit.
    pub fn nearness(&self, channel: &str, store: Option<StoreId>) -> Option<u8> {
        match self {
            Self::Channel(state) => (!channel.is_empty() && state == channel).then_some(3),
            Self::Store(id) => (Some(*id) == store).then_some(2),
            Self::Corp => Some(1),
        }
    }
}

impl std::fmt::Display for AppliesTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Corp => f.write_str("corp"),
            Self::Store(id) => write!(f, "store:{id}"),
            Self::Channel(state) => write!(f, "channel:{state}"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Welcome {
    pub id: WelcomeId,
    pub applies_to: AppliesTo,
    pub content: Content,
    pub updated_at: Timestamp,
}

/// What became of a welcome code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Sent,
    /// No welcome is set.
    NoneSet,
    /// The 20 seconds were over.
    Late,
    Failed {
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_that_fits_is_the_channel_then_the_store_then_the_corp() {
        let all = [
            AppliesTo::Corp,
            AppliesTo::Store(StoreId(21)),
            AppliesTo::Channel("door".into()),
        ];
        let nearest = |channel: &str, store: i64| {
            let fitting = all
                .iter()
                .filter(|one| one.nearness(channel, Some(StoreId(store))).is_some());
            fitting
                .max_by_key(|one| one.nearness(channel, Some(StoreId(store))))
                .cloned()
        };
        assert_eq!(nearest("door", 21), Some(AppliesTo::Channel("door".into())));
        assert_eq!(nearest("till", 21), Some(AppliesTo::Store(StoreId(21))));
        assert_eq!(nearest("", 22), Some(AppliesTo::Corp));
        for one in all {
            assert_eq!(AppliesTo::parse(&one.to_string()), Some(one));
        }
        assert_eq!(AppliesTo::parse("channel:"), None);
    }
}
