//! Orders 订单: what the mini-store and the till sold, what came back, and which touch earned it.
//!
//! An order is credited once, by a pure function of its candidates and a rule version; a refund takes back from the
//! same credit. Every candidate is kept with the reason it won or lost. Credits of an order add up to what was paid,
//! adjustments of a refund to what was refunded, always.
//!
//! Rows come in any order and any number of times: the same row changes nothing, another row under the same number
//! undoes the first and takes its place, and a refund that is here before its order waits for it.

pub mod attribution;
pub mod model;
mod check;
mod share;
mod figures;
mod buyer;
mod attribute;
mod record;
mod refund;
mod products;
mod store;

pub use buyer::{adopt, contact_of};
pub use check::EARLIEST;
pub use model::*;
pub use products::*;
pub use record::*;
pub use refund::*;
pub use store::{OrderFilter, attribution, categories, list, product_categories, products, refunds};
