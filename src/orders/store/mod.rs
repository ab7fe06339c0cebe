//! Statements on products, orders, refunds and credits.

mod sales;
mod credits;
mod refunds;
mod touches;
mod products;
mod read;

pub(super) use credits::*;
pub(super) use products::*;
pub use read::*;
pub(super) use refunds::*;
pub(super) use sales::*;
pub(super) use touches::*;
