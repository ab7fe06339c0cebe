//! Customers: the list with its filters, and one customer's page.

mod card;
mod care;
mod channel;
mod duplicates;
mod list;
mod origin;
mod own;
mod samples;
mod standing;
mod story;
mod views;

pub use card::ContactPage;
pub use duplicates::DuplicatesPage;
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
    let merge = Policy::Can(Permission::ContactsMerge);
    Routes::new(session::guard)
        .get("/contacts", read, list::list)
        .post("/contacts/tags", write, list::tag)
        .post("/contacts/views", read, views::save)
        .post("/contacts/views/{id}/end", read, views::delete)
        .get("/contacts/duplicates", merge, duplicates::list)
        .post("/contacts/duplicates", merge, duplicates::merge)
        .post("/merges/{id}/undo", merge, duplicates::undo)
        .get("/contacts/{id}", read, card::show)
        .post("/contacts/{id}/fields", write, own::change)
        .post(
            "/contacts/{id}/phone",
            Policy::Can(Permission::ContactsPhone),
            card::phone,
        )
        .post("/contacts/{id}/notes", write, card::note)
        .post("/notes/{id}/removal", write, care::remove_note)
        .post("/contacts/{id}/follow-ups", write, care::follow_up)
        .post("/contacts/{id}/remark", write, card::remark)
        .post("/contacts/{id}/tags", write, card::tag)
}
