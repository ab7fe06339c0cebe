//! Contacts 客户: external contacts, who follows them, since when and why it ended.
//!
//! The platform is the truth and this is its mirror: a callback only says that something changed, a fetch decides.
//! A contact is one person; a follow is one associate with that person; a period is one stretch of that follow.

pub mod inbox;
pub mod jobs;
pub mod model;
mod store;
mod mirror;
mod ground;
mod intake;
mod ending;
mod rehome;
mod stores;
mod change;
mod fields;
mod learn;
mod notes;
mod phone;
mod values;
mod views;

pub use change::*;
pub use ending::{Heard, end};
pub use fields::*;
pub use learn::*;
pub use mirror::*;
pub use model::*;
pub use notes::*;
pub use phone::*;
pub use rehome::{rehome, settle_member, settle_people, sync_people};
pub use store::ledger::note_duplicates;
pub use store::*;
pub use stores::change_rule;
pub use values::*;
pub use views::{NewView, SavedView, Sharing, delete_view, save_view, views};
