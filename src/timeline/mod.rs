//! Timeline 客户动态: what happened to a contact, in our words. Append-only.

pub mod model;
mod store;

pub use model::*;
pub use store::*;
