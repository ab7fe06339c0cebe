//! Links 追踪链接: short codes that lead to the mini-store, the clicks on them, and message contents that carry one.
//!
//! A click is stored, then redirected: a 302 is a fact. A click belongs to a person once the mini-store says who it was.

pub mod click;
pub mod content;
pub mod model;
pub mod target;
mod store;

pub use model::*;
pub use store::*;
