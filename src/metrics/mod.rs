//! Metrics 指标: what each figure means, the store's report, the overview, any figure by day, and the recount.
//!
//! Reports are this domain's trade: it may read any table. It writes none but the tallies, when it recounts them.

pub mod definitions;
pub mod wording;
pub mod model;
mod figures;
mod overview;
mod own;
mod recount;
mod report;
mod sentences;
mod store;

pub use figures::{figures, figures_by_day, net_by_day};
pub use model::*;
pub use overview::*;
pub use own::*;
pub use recount::*;
pub use report::*;
pub use sentences::*;
