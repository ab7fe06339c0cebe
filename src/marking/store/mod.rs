//! Every statement on the tables of markings and rules.

pub mod markings;
pub mod rules;
