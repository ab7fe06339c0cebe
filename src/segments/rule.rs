//! Rules: read with the place of every mistake, checked against the corp, turned into one SQL condition, said aloud.

mod check;
mod condition;
mod read;

pub(super) use check::Kind;
pub(super) use check::check_with;
pub use check::{check, segment};
pub use condition::condition;
pub(super) use condition::{
    ACTIVE_DAYS, COOLING_DAYS, DORMANT_DAYS, birthday_span, buyers, condition_among, fifths, year,
};
pub use read::read;
