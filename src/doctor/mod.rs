//! Doctor 体检: one list of checks, for the command line and the administrator's page: what an installation needs to be
//! well, a finding with its figures for each, and what to open and change where it is not.
//!
//! A check that needs another which failed is not made: what is wrong is told once, where it is wrong. No finding holds
//! a secret, a token or a name. Nothing is changed anywhere: writes are rolled back, the platform is only read.

mod away;
mod background;
mod door;
mod floor;
mod mirror;
pub mod model;
mod patient;
mod permission;
mod platform;
mod refusal;
mod report;
mod run;
mod store;

pub use mirror::{Truth, truth};
pub use model::*;
pub use patient::Patient;
pub use refusal::{code_in, is_permission};
pub use report::{begin, kept};
pub use run::examine;
