//! Directory 门店与导购: corps, regions, stores, associates, and which store an associate belongs to, from when to when.
//!
//! Departments are mirrored; a department that directly holds members becomes a store, its parent the region.

pub mod model;
mod store;
mod corps;
mod sync;

pub use corps::*;
pub use model::*;
pub use store::*;
pub use sync::*;
