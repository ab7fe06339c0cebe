//! Ids as types, and where they come from: 64-bit numbers made by us, ordered by time, a string in JSON.
//!
//! Layout: 41 bits of milliseconds since 2024-01-01, 10 bits of node, 12 bits of sequence. A node number is
//! leased from the database at start (`db::node`), so two instances never share one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Timestamp;

const EPOCH_MS: i64 = 1_704_067_200_000;
const SEQUENCE_BITS: u64 = 12;
const NODE_BITS: u64 = 10;

/// Nodes that may run side by side on one database.
pub const NODES: i64 = 1 << NODE_BITS;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
        pub struct $name(pub i64);

        impl $name {
            pub fn new(ids: &Ids, now: Timestamp) -> Self {
                Self(ids.next(now))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is not an id")))
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some("^[0-9]{1,19}$"))
                    .examples(["7318349394477056"])
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}
    )*};
}

id! {
    CorpId, RegionId, StoreId, AssociateId, OperatorId, ApiKeyId, ContactId, FollowId, TagGroupId, TagId,
    SegmentId, CampaignId, BatchId, MomentId, LinkId, ClickId, ProductId, OrderId, RefundId, WelcomeId, JobId,
    TimelineId, ChannelId, SyncRunId, GroupId, FieldId, ImportId, ExportId, FollowUpId, ViewId, MarkingId,
    TagRuleId, MergeId,
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, sea_orm::DeriveValueType)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )*};
}

text_id! {
    /// The platform's id of a customer, `wm…` or `wo…`.
    ExternalUserId,
    /// The platform's id of a member. Compared without letter case: store [`UserId::folded`].
    UserId,
}

impl UserId {
    /// The form to store and compare: the platform ignores letter case.
    pub fn folded(&self) -> Self {
        Self(self.0.to_lowercase())
    }
}

/// Where ids come from: given to whoever creates rows, so a test can give its own.
#[derive(Clone)]
pub struct Ids {
    node: u64,
    /// Milliseconds since the epoch above and the sequence, in one word.
    last: Arc<AtomicU64>,
}

impl Ids {
    /// `floor` keeps ids rising when the clock went back while the node was down.
    pub fn new(node: i64, floor: Timestamp) -> Self {
        let start = (floor.0 - EPOCH_MS).max(0) as u64;
        Self {
            node: node.rem_euclid(NODES) as u64,
            last: Arc::new(AtomicU64::new(start << SEQUENCE_BITS)),
        }
    }

    /// The next id: never lower than one given before, whatever the clock does.
    pub fn next(&self, now: Timestamp) -> i64 {
        let wanted = ((now.0 - EPOCH_MS).max(0) as u64) << SEQUENCE_BITS;
        let previous = self
            .last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
                Some(wanted.max(last + 1))
            })
            .expect("the closure always gives a value");
        let word = wanted.max(previous + 1);
        let (ms, sequence) = (word >> SEQUENCE_BITS, word & ((1 << SEQUENCE_BITS) - 1));
        ((ms << (SEQUENCE_BITS + NODE_BITS)) | (self.node << SEQUENCE_BITS) | sequence) as i64
    }
}

/// Random text of `length` characters out of 62, for codes, keys and tokens (5.95 bits a character).
pub fn random_base62(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while text.len() < length {
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
            .expect("the system gives random bytes");
        // 248 = 4 × 62: refusing the rest keeps every character equally likely.
        let fair = bytes
            .iter()
            .filter(|byte| **byte < 248)
            .map(|byte| ALPHABET[(byte % 62) as usize] as char);
        text.extend(fair.take(length - text.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_even_when_the_clock_goes_back() {
        let ids = Ids::new(3, Timestamp(0));
        let now = Timestamp(EPOCH_MS + 1_000_000);
        let mut last = 0;
        for step in 0..10_000 {
            let next = ids.next(Timestamp(now.0 - step));
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn two_nodes_never_give_the_same_id() {
        let (one, two) = (Ids::new(1, Timestamp(0)), Ids::new(2, Timestamp(0)));
        let now = Timestamp(EPOCH_MS + 5);
        let given: std::collections::HashSet<i64> =
            (0..5_000).flat_map(|_| [one.next(now), two.next(now)]).collect();
        assert_eq!(given.len(), 10_000);
    }

    #[test]
    fn random_text_has_the_length_asked_for() {
        assert_eq!(random_base62(17).len(), 17);
        assert_ne!(random_base62(17), random_base62(17));
    }
}
