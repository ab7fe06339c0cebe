//! Jobs: the runner, the list of every job, what runs by the clock, and who reacts to which news.
//!
//! A job is a row; whoever runs it holds a lease and renews it. What a job does is its domain's affair: here is only
//! when, how many at once, and what becomes of an error.

pub mod inbox;
pub mod reactions;
pub mod registry;
pub mod runner;
pub mod schedule;

pub use runner::{run, settle, settle_corps};
