//! Segments 人群: saved rules over contacts. A segment is a question, never a list.

pub mod browse;
pub mod model;
pub mod index;
mod preview;
mod remark;
pub mod rule;
mod standing;
mod store;

pub use model::*;
pub use preview::*;
pub use remark::*;
pub use standing::{Scored, Scores, Standing, standing};
pub use store::*;
