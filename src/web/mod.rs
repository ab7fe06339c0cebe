//! Pages: router, session, then a file per domain.
//!
//! A handler reads, calls one verb, shows. Its page struct sits beside it and holds a [`Shell`]: language, theme,
//! who is signed in, what the frame around every page needs.

pub mod assets;
pub mod charts;
pub mod extract;
pub mod fault;
pub mod figures;
pub mod format;
pub mod headers;
pub mod lang;
pub mod nav;
mod patience;
pub mod session;
pub mod shell;
pub mod span;
pub mod samples;

pub mod contacts;
pub mod health;
pub mod home;
pub mod links;
pub mod me;
pub mod moments;
pub mod redirect;
pub mod sign_in;
pub mod workbench;
pub mod report;
pub mod overview;
pub mod segments;
pub mod campaigns;
pub mod platform;
pub mod stores;
pub mod files;
pub mod care;
pub mod tags;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Router, middleware};

use crate::app::App;
use crate::error::Error;
use crate::routes::{Entry, Routes};

pub use extract::{Form, Path, Query};
pub use fault::{Fault, Result};
pub use shell::Shell;

/// A page to show: its template rendered, or the error page when that fails.
pub struct Show<T>(pub T);

impl<T: Template> IntoResponse for Show<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(text) => Html(text).into_response(),
            Err(error) => Fault(Error::internal(format!("a template failed: {error}"))).into_response(),
        }
    }
}

/// Every page and the table of what each demands. Domains add their own `routes()` here.
pub fn router(app: App) -> (Router, Vec<Entry>) {
    let (pages, mut table) = pages().into_parts();
    let pages = pages
        .fallback(fault::no_such_page)
        .layer(middleware::from_fn(patience::in_time))
        .layer(middleware::from_fn_with_state(app.clone(), session::dress));
    let (bare, more) = bare().into_parts();
    let bare = bare.layer(middleware::from_fn(patience::in_time));
    table.extend(more);
    let router = pages
        .merge(bare)
        .layer(Extension(redirect::Redirects::new()))
        .with_state(app);
    (router, table)
}

/// Pages people open: with a session, a language, an error page.
fn pages() -> Routes<App> {
    Routes::new(session::guard)
        .merge(home::routes())
        .merge(sign_in::routes())
        .merge(workbench::routes())
        .merge(contacts::routes())
        .merge(moments::routes())
        .merge(links::routes())
        .merge(me::routes())
        .merge(report::routes())
        .merge(overview::routes())
        .merge(segments::routes())
        .merge(campaigns::routes())
        .merge(platform::routes())
        .merge(stores::routes())
        .merge(files::routes())
        .merge(care::routes())
        .merge(tags::routes())
}

/// Answers for machines and strangers: no session is looked up.
fn bare() -> Routes<App> {
    Routes::new(session::guard)
        .merge(assets::routes())
        .merge(health::routes())
        .merge(redirect::routes())
}
