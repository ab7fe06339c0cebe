//! Welcome messages 欢迎语: sent once, when a contact is added, within 20 seconds. The nearest that fits is sent:
//! the channel's, else the store's, else the corp's; none set, none sent.

pub mod jobs;
pub mod model;
mod send;
mod store;

pub use model::*;
pub use send::*;
pub use store::{change, create, delete, find, list};
