//! Seed: a synthetic chain with a past, the same for the same number, straight into the database.
//!
//! [`chain::Chain`] is grown in memory, so that the simulator can be given the same world; [`write::write`] puts it into
//! the tables in bulk. Credits come from the product's own rule and stored figures from its own recount, so totals add up.

pub mod chain;
pub mod names;
mod people;
mod sales;
mod outreach;
pub mod write;

pub use chain::{Chain, ChainOptions};
