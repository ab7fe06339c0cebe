//! Who asks and what they may see: an argument of every read, and of every change.
//!
//! Below the domains, because the first of them already needs it.

use crate::db::{Backend, Filter, id_list};
use crate::ids::{ApiKeyId, AssociateId, CorpId, Ids, OperatorId, StoreId, TagRuleId};
use crate::seal::Sealer;
use crate::time::Timestamp;

/// One corp, and what within it the caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub corp: CorpId,
    pub reach: Reach,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Reach {
    /// Headquarters, keys and background work.
    Whole,
    /// A manager's store, or all stores of a regional manager's region as they are now.
    Stores(Vec<StoreId>),
    /// An associate: own contacts, own results.
    Own(AssociateId),
}

impl Scope {
    /// Everything in the corp. Background work says this aloud.
    pub fn whole(corp: CorpId) -> Self {
        Self {
            corp,
            reach: Reach::Whole,
        }
    }

    pub fn is_whole(&self) -> bool {
        self.reach == Reach::Whole
    }

    /// Whether all that can be seen in `other` can be seen in this one.
    pub fn covers(&self, other: &Scope) -> bool {
        let is_within = match (&self.reach, &other.reach) {
            (Reach::Whole, _) => true,
            (Reach::Stores(mine), Reach::Stores(theirs)) => theirs.iter().all(|store| mine.contains(store)),
            (Reach::Own(mine), Reach::Own(theirs)) => mine == theirs,
            _ => false,
        };
        self.corp == other.corp && is_within
    }

    /// Whether figures of the whole store may be shown.
    pub fn sees_store(&self, store: StoreId) -> bool {
        match &self.reach {
            Reach::Whole => true,
            Reach::Stores(stores) => stores.contains(&store),
            Reach::Own(_) => false,
        }
    }

    /// Narrows rows that carry an associate and a store (`f.associate_id`, `f.store_id`) to what may be seen.
    pub fn narrow(&self, filter: &mut Filter, backend: Backend, alias: &str) {
        match &self.reach {
            Reach::Whole => {}
            Reach::Stores(stores) => {
                let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
                filter.and_sql(&backend.in_ids(&format!("{alias}.store_id"), &place));
            }
            Reach::Own(associate) => {
                filter.and(&format!("{alias}.associate_id = {{}}"), *associate);
            }
        }
    }

    /// Narrows contacts to those with a live follow in scope. `contact_id` is the column to test, `corp_id` is
    /// the filter's first argument.
    pub fn narrow_contacts(&self, filter: &mut Filter, backend: Backend, contact_id: &str) {
        let condition = match &self.reach {
            Reach::Whole => String::new(),
            Reach::Stores(stores) => {
                let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
                format!(" and {}", backend.in_ids("seen.store_id", &place))
            }
            Reach::Own(associate) => format!(" and seen.associate_id = {}", filter.arg(*associate)),
        };
        filter.and_sql(&format!(
            "exists (select 1 from follow seen where seen.corp_id = $1 and seen.contact_id = {contact_id}
              and seen.state = 'active'{condition})"
        ));
    }
}

/// Who makes a change; `operator:123` in history and audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    Operator(OperatorId),
    ApiKey(ApiKeyId),
    /// The platform told us.
    Platform,
    /// A job or a command.
    System,
    /// A rule that tags by itself.
    Rule(TagRuleId),
}

impl Actor {
    /// Reads what history keeps; `None` for words of another version.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("operator", id)) => id.parse().ok().map(Self::Operator),
            Some(("api_key", id)) => id.parse().ok().map(Self::ApiKey),
            Some(("rule", id)) => id.parse().ok().map(Self::Rule),
            _ if text == "platform" => Some(Self::Platform),
            _ if text == "system" => Some(Self::System),
            _ => None,
        }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "operator:{id}"),
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::Platform => f.write_str("platform"),
            Self::System => f.write_str("system"),
            Self::Rule(id) => write!(f, "rule:{id}"),
        }
    }
}

/// When a change is made, by whom, and where its ids come from.
#[derive(Clone, Copy)]
pub struct Act<'a> {
    pub now: Timestamp,
    pub ids: &'a Ids,
    pub by: Actor,
    /// Under whose key the audit chain goes on.
    pub sealer: &'a Sealer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_reads_back_as_it_was_written() {
        for actor in [
            Actor::Operator(OperatorId(7)),
            Actor::ApiKey(ApiKeyId(8)),
            Actor::Rule(TagRuleId(9)),
            Actor::Platform,
            Actor::System,
        ] {
            assert_eq!(Actor::parse(&actor.to_string()), Some(actor));
        }
        assert_eq!(Actor::parse("operator:x"), None);
        assert_eq!(Actor::parse("somebody"), None);
    }
}
