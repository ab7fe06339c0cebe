//! Marking 打标: tags set and taken on many contacts at once, by somebody or by a rule.
//!
//! Who is marked is frozen in parts as it begins, in the asker's scope; a job goes through them under the platform's
//! limits, and can pause, go on and stop. A part is gone once its people are through, and what changed of a pair is in
//! the history of tags with the marking it was a part of, in one transaction with the pair: so whoever goes on after a
//! crash finds what is done, counts each person once, and writes no pair's history twice. A person stands as their
//! worst pair does.
//!
//! A rule sets a tag by itself when something happens from the day on that it was switched on.

pub mod jobs;
pub mod model;
mod act;
mod freeze;
mod merge;
mod react;
mod refused;
mod rule;
mod stage;
mod work;
mod store;

pub use act::{go_on, pause, stop};
pub use freeze::{Audience, Wish, begin, freeze, prepare};
pub use merge::merge;
pub use model::*;
pub use react::react;
pub use rule::*;
pub use store::markings::{find, kinds, list, refused, sweep};
pub use store::rules::{find_rule, list_rules, told_rules};
pub use work::{Outcome, work};
