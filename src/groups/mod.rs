//! Groups 客户群: the corp's customer groups, who owns them, who is in them, since when and why they went.
//!
//! The platform is the truth and this is its mirror, as with contacts: an event is a hint, a fetch decides, and a
//! reading begun earlier never overwrites a later one. A group is read whole, so one instant (`seen_at`) stands for
//! all of it. Somebody in a group need not be anybody's customer.

pub mod jobs;
pub mod model;
mod store;
mod mirror;

pub use mirror::{Looked, Reading, ask, fetch};
pub use model::*;
pub use store::{listed, of_contact, unread, unread_count};
