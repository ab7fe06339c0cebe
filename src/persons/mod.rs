//! Persons 同一个人: contacts that are one person to the platform's unionid, put together by headquarters, and taken
//! apart again.
//!
//! One contact is kept; the rows of the other become the kept one's, in every table, so that no other domain has to know.
//! This is the one module that writes tables of others, and it writes only whose a row is. What was moved is remembered
//! and goes back exactly when the merge is undone. Who an external_userid means after a merge, `contacts` says.

pub mod jobs;
mod merge;
pub mod model;
mod store;
mod undo;

pub use merge::merge;
pub use model::*;
pub use store::{done, duplicates, find};
pub use undo::undo;
