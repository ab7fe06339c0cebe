//! Customers: the list with its filters, and one customer's page.

mod card;
mod channel;
mod list;
mod origin;
mod samples;
mod story;

pub use card::ContactPage;
pub use list::{ContactsPage, filter_of};

/// Invented tags, for samples of the pages beside these.
pub fn sample_tag_groups() -> Vec<crate::tags::TagGroup> {
    samples::tag_groups()
}

use super::session;
use crate::app::App;
use crate::auth::{Permission, Policy};
use crate::routes::Routes;

pub fn routes() -> Routes<App> {
    let read = Policy::Can(Permission::ContactsRead);
    let write = Policy::Can(Permission::ContactsWrite);
    Routes::new(session::guard)
        .get("/contacts", read, list::list)
        .post("/contacts/tags", write, list::tag)
        .get("/contacts/{id}", read, card::show)
        .post("/contacts/{id}/notes", write, card::note)
        .post("/contacts/{id}/remark", write, card::remark)
        .post("/contacts/{id}/tags", write, card::tag)
}
