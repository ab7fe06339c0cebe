//! Tags: groups and tags, markings of many customers and what became of them, and rules that tag by themselves.

mod begin;
mod groups;
mod marks;
mod rules;
mod samples;
mod tag;

pub use begin::BeginPage;
pub use groups::{GroupPage, TagsPage};
pub use marks::{MarkPage, MarksPage};
pub use rules::{RulesPage, waits_for};
pub use tag::TagPage;

use super::session;
use crate::app::App;
use crate::auth::{Permission, Policy};
use crate::routes::Routes;
use crate::web::Shell;

pub fn routes() -> Routes<App> {
    let mark = Policy::Can(Permission::ContactsWrite);
    let define = Policy::Can(Permission::TagsWrite);
    Routes::new(session::guard)
        .get("/tags", define, groups::list)
        .post("/tags/groups", define, groups::add)
        .get("/tags/groups/{id}", define, groups::show)
        .post("/tags/groups/{id}/name", define, groups::rename)
        .post("/tags/groups/{id}/tags", define, groups::add_tag)
        .post("/tags/groups/{id}/end", define, groups::delete)
        .get("/tags/{id}", define, tag::show)
        .post("/tags/{id}/name", define, tag::rename)
        .post("/tags/{id}/merger", define, tag::merge)
        .post("/tags/{id}/end", define, tag::delete)
        .get("/tags/marks", mark, marks::list)
        .post("/tags/marks", mark, begin::begin)
        .get("/tags/marks/new", mark, begin::ask)
        .get("/tags/marks/{id}", mark, marks::show)
        .post("/tags/marks/{id}/pause", mark, marks::pause)
        .post("/tags/marks/{id}/going", mark, marks::go_on)
        .post("/tags/marks/{id}/end", mark, marks::stop)
        .get("/tags/rules", define, rules::list)
        .post("/tags/rules", define, rules::add)
        .post("/tags/rules/{id}/switch", define, rules::switch)
        .post("/tags/rules/{id}/end", define, rules::delete)
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
        ("/contacts", "tags-view-contacts", Permission::ContactsRead),
        ("/tags", "tags-view-tags", Permission::TagsWrite),
        ("/tags/marks", "tags-view-marks", Permission::ContactsWrite),
        ("/tags/rules", "tags-view-rules", Permission::TagsWrite),
    ];
    all.into_iter()
        .filter(|(.., permission)| shell.may(*permission))
        .map(|(href, label, _)| View {
            href,
            label: shell.t(label),
            is_current: is_at(shell.path(), href),
        })
        .collect()
}

/// A tag's and a group's page are of the tags; the others have addresses of their own.
fn is_at(path: &str, href: &str) -> bool {
    let is_below = path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
    match href {
        "/tags" => {
            path == href
                || (is_below
                    && !["/tags/marks", "/tags/rules"]
                        .iter()
                        .any(|other| path.starts_with(other)))
        }
        _ => path == href || is_below,
    }
}
