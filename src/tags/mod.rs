//! Tags 标签: the corp's tag groups and tags, both ways with the platform.
//!
//! A tag sits on a pair, not on a person. Our own writes cause no callback, so each verb updates our rows too.

pub mod jobs;
pub mod model;
mod apply;
mod marker;
mod store;
mod sync;

pub use apply::{MAX_CONTACTS, mark};
use marker::source;
pub use marker::{Marker, check};
pub use model::*;
pub use store::{counted_groups, find, groups, names};
pub use sync::*;
