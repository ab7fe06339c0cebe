//! Statements that read for reports.
//!
//! Figures that add up come from `store_day` and `associate_day`; counts of distinct people are counted from raw
//! rows within the places asked for, never summed.

mod sums;
mod people;
mod days;
mod sales;
mod staff;
mod raw;

use crate::db::{Backend, Filter, id_list};
use crate::ids::{AssociateId, StoreId};
use crate::time::Day;

pub(super) use days::*;
pub(super) use people::*;
pub(super) use raw::*;
pub(super) use sales::*;
pub(super) use staff::*;
pub(super) use sums::*;

/// Where a figure is looked at. Events count for the store their associate belonged to when they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Places {
    /// The whole corp, headquarters too.
    Everywhere,
    Stores(Vec<StoreId>),
    /// One associate, in whichever store.
    Associate(AssociateId),
}

impl Places {
    pub fn store(store: StoreId) -> Self {
        Self::Stores(vec![store])
    }

    fn narrow(&self, filter: &mut Filter, backend: Backend, alias: &str) {
        match self {
            Self::Everywhere => {}
            Self::Stores(stores) => {
                let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
                filter.and_sql(&backend.in_ids(&format!("{alias}.store_id"), &place));
            }
            Self::Associate(associate) => {
                filter.and(&format!("{alias}.associate_id = {{}}"), *associate);
            }
        }
    }

    fn tally_table(&self) -> &'static str {
        match self {
            Self::Associate(_) => "associate_day",
            _ => "store_day",
        }
    }
}

fn within(filter: &mut Filter, column: &str, from: Day, to: Day) {
    filter.and(&format!("{column} >= {{}}"), from);
    filter.and(&format!("{column} <= {{}}"), to);
}
