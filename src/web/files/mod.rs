//! Files: what headquarters knows of customers from a table, customers into one, and the fields of its own.

mod export;
mod fields;
mod import;
mod samples;

pub use export::ExportsPage;
pub use fields::FieldsPage;
pub use import::{ImportPage, ImportsPage};

use super::session;
use crate::app::App;
use crate::auth::{Permission, Policy};
use crate::files::State;
use crate::routes::Routes;
use crate::web::Shell;

pub fn routes() -> Routes<App> {
    let bring = Policy::Can(Permission::ContactsImport);
    let take = Policy::Can(Permission::ContactsExport);
    let define = Policy::Can(Permission::FieldsWrite);
    Routes::new(session::guard)
        .get("/contacts/import", bring, import::list)
        .post("/contacts/import", bring, import::begin)
        .get("/contacts/import/{id}", bring, import::show)
        .post("/contacts/import/{id}/end", bring, import::stop)
        .get("/contacts/import/{id}/refused", bring, import::refused)
        .get("/contacts/exports", take, export::list)
        .post("/contacts/exports", take, export::begin)
        .post("/contacts/exports/{id}/end", take, export::stop)
        .get("/contacts/exports/{id}/file", take, export::file)
        .get("/admin/fields", define, fields::list)
        .post("/admin/fields", define, fields::add)
        .post("/admin/fields/{id}/end", define, fields::delete)
}

/// One of the pages beside each other.
pub struct View {
    pub href: &'static str,
    pub label: String,
    pub is_current: bool,
}

/// Those that somebody may open.
fn views(shell: &Shell) -> Vec<View> {
    let all = [
        ("/contacts", "files-view-list", Permission::ContactsRead),
        (
            "/contacts/import",
            "files-view-import",
            Permission::ContactsImport,
        ),
        (
            "/contacts/exports",
            "files-view-exports",
            Permission::ContactsExport,
        ),
        ("/admin/fields", "files-view-fields", Permission::FieldsWrite),
    ];
    all.into_iter()
        .filter(|(.., permission)| shell.may(*permission))
        .map(|(href, label, _)| View {
            href,
            label: shell.t(label),
            is_current: href != "/contacts" && shell.path().starts_with(href),
        })
        .collect()
}

fn class(state: State) -> &'static str {
    match state {
        State::Done => "g",
        State::Failed => "r",
        State::Stopped => "w",
        State::Running | State::Reading => "i0",
    }
}

fn state(state: State, shell: &Shell) -> String {
    shell.t(&format!("files-state-{}", state.as_str()))
}

/// Hundredths of the whole.
fn width(done: i64, total: i64) -> i64 {
    done.min(total) * 100 / total.max(1)
}
