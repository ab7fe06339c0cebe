//! Rules: read with the place of every mistake, checked against the corp, turned into one SQL condition, said aloud.

mod check;
mod condition;
mod read;

pub(super) use check::Kind;
pub use check::check;
pub use condition::condition;
pub use read::read;
