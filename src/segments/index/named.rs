//! What a rule may name: the tags, stores and regions there are.

use std::collections::{BTreeMap, HashSet};

use crate::ids::StoreId;
use crate::scope::{Reach, Scope};
use crate::segments::rule::Kind;

#[derive(Debug, Default)]
pub(super) struct Named {
    pub tags: HashSet<i64>,
    /// Each with its region.
    pub stores: BTreeMap<i64, i64>,
    pub regions: HashSet<i64>,
}

impl Named {
    /// In the order of their ids.
    pub fn stores_of(&self, region: i64) -> Vec<i64> {
        let of_region = self.stores.iter().filter(|(_, of)| **of == region);
        of_region.map(|(store, _)| *store).collect()
    }

    /// Whether somebody may name it in a rule, as [`Kind::narrow`] says it of rows; `None`: only the database knows.
    pub fn may_name(&self, scope: &Scope, kind: Kind, id: i64) -> Option<bool> {
        let is_there = match kind {
            Kind::Tag => return Some(self.tags.contains(&id)),
            Kind::Store => self.stores.contains_key(&id),
            Kind::Region => self.regions.contains(&id),
            Kind::Associate | Kind::Link => return None,
        };
        let is_in_reach = match (&scope.reach, kind) {
            (Reach::Whole, _) => true,
            (Reach::Own(_), _) => false,
            (Reach::Stores(stores), Kind::Store) => stores.contains(&StoreId(id)),
            (Reach::Stores(stores), _) => stores.iter().any(|store| self.stores.get(&store.0) == Some(&id)),
        };
        Some(is_there && is_in_reach)
    }
}
