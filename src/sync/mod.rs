//! Sync 同步: runs that make our mirror equal to the platform, whatever callbacks told or failed to tell.
//!
//! A corp has one run at a time: people, then tags, then contacts, then groups, step after step. A run is a row with a lease, its
//! reading position is stored in the transaction of what was read, so whoever goes on after a crash goes on there.
//! What a nightly run had to correct is the drift: how wrong the mirror was.

pub mod jobs;
pub mod model;
mod groups;
mod pairs;
mod patience;
mod run;
mod store;

pub use model::*;
pub use run::{Outcome, carry_on, start, stop};
pub use store::{Unread, count_unread, find, latest, list, not_taken, sweep, unread};
