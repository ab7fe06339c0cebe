//! Campaigns 群发: messages planned for one audience, frozen when scheduled, sent by associates, counted.
//!
//! A campaign is cut into batches, one platform task each: one sender, some contacts, one frozen body. A delivery is
//! one contact of the campaign, whatever becomes of it. Tasked is not sent: the associate has to press send.
//!
//! The platform knows no idempotency key, so a batch is marked `calling` and committed before it is handed over, and
//! is handed over once at most: a call without a readable answer is looked up on the platform, never repeated.

pub mod jobs;
pub mod model;
mod deliver;
mod draft;
mod plan;
mod poll;
mod progress;
mod quota;
mod reconcile;
mod schedule;
mod store;

pub use deliver::*;
pub use draft::*;
pub use model::*;
pub use poll::*;
pub use progress::*;
pub use quota::{QuotaLeft, quota_left, quota_plan};
pub use reconcile::*;
pub use schedule::*;
pub use store::{Batch, batches_of, deliveries, find, find_batch, list, of_segment};
