//! Tags 标签: the corp's tag groups and tags, both ways with the platform.
//!
//! A tag sits on a pair, not on a person. Our own writes cause no callback, so each verb updates our rows too.

pub mod jobs;
pub mod model;
mod apply;
mod store;
mod sync;

use apply::source;
pub use apply::{MAX_CONTACTS, mark};
pub use model::*;
pub use store::{counted_groups, find, groups};
pub use sync::*;
