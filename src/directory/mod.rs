//! Directory 门店与导购: corps, regions, stores, associates, and which store an associate belongs to, from when to when.
//!
//! Departments are mirrored. With no department marked as a store, one that directly holds members becomes a store,
//! its parent the region; with some marked, only those are, for their members and all below (`rule.rs`).

pub mod model;
mod store;
mod corps;
mod rule;
mod mark;
mod table;
mod import;
mod change;
mod sync;

pub use change::{Changed, Effect, RuleChange, change_rule};
pub use corps::*;
pub use import::{Imported, import_rule};
pub use mark::{Mark, mark_store, mark_todays_stores, unmark_store};
pub use model::*;
pub use store::*;
pub use sync::*;
pub use table::{row_and_column, text_of};
