//! Moments 客户朋友圈: posts that associates publish to their customers' feed.
//!
//! The platform makes a task of one text for many senders, and answers by a job. A tracked link has to be the
//! sender's own, so a moment is asked for in parts: one a sender while they are few, else one a store.

pub mod jobs;
pub mod model;
mod create;
mod follow;
mod post;
mod reconcile;
mod sweep;
mod store;

pub use create::*;
pub use follow::*;
pub use model::*;
pub use post::*;
pub use reconcile::*;
pub use store::{Part, Task, find, find_part, list, tasks};
pub use sweep::*;
