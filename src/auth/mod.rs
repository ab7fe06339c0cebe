//! Auth 权限: who signs in, with which role, over which part of the chain; API keys; the audit chain.
//!
//! A role gives permissions, a scope says where. Roles and scopes are read anew with every request, so a change
//! bites at once. Tokens and keys are stored as fingerprints only.

pub mod audit;
pub mod model;
mod keys;
mod operators;
mod password;
mod sessions;
mod store;

pub use keys::*;
pub use model::*;
pub use operators::*;
pub use sessions::*;
pub use store::actor_names;
