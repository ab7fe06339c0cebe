//! Care 跟进: what an associate means to do for a customer, by a day, until it is done, put off or dropped.
//!
//! A follow-up belongs to a pair of associate and contact: who sees that live pair sees it, nobody else. When the
//! contact is transferred, what is open goes along to whoever follows them now.

mod follow_up;
pub mod model;
mod store;

pub use follow_up::*;
pub use model::*;
pub use store::{count_due, find, list};
