//! JSON for the chain's systems, under `/api/v1`: the router, the door, problems, then a file per domain.
//!
//! Every route has a policy and stands in the OpenAPI document; a test compares the two. Names in bodies are the
//! contract of clients outside: they never change.

mod answer;
pub mod callback;
mod guard;
mod idempotency;
mod input;
mod openapi;
mod problem;
mod store;

mod campaign_actions;
mod campaign_events;
mod campaigns;
mod care;
mod contacts;
mod directory;
mod exports;
mod fields;
mod imports;
mod links;
mod marks;
mod merges;
mod metrics;
mod moments;
mod orders;
mod rows;
mod segments;
mod tag_rules;
mod tags;
mod welcomes;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::routing::any;
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::auth::Policy;
use crate::error::Error;
use crate::routes::{Entry, Routes};

use guard::Caller;
use problem::{Kind, Refusal};

/// Where the API lives.
const BASE: &str = "/api/v1";

/// The API's routes, and what each demands. Paths in the table are whole.
pub fn router(app: App) -> (Router, Vec<Entry>) {
    let (v1, mut table) = v1().into_parts();
    for entry in &mut table {
        entry.path.insert_str(0, BASE);
    }
    let (docs, docs_table) = Routes::new(guard::guard)
        .get("/api/openapi.json", Policy::Public, openapi::document)
        .get("/api/docs", Policy::Public, openapi::page)
        .get("/api/docs.css", Policy::Public, openapi::style)
        .into_parts();
    table.extend(docs_table);
    let router = Router::new()
        .nest(BASE, v1.method_not_allowed_fallback(not_allowed))
        .merge(docs.method_not_allowed_fallback(not_allowed))
        .route("/api", any(not_found))
        .route("/api/{*rest}", any(not_found))
        .layer(DefaultBodyLimit::max(input::MAX_BODY))
        .layer(from_fn(guard::in_time))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(from_fn(guard::seal))
        .layer(Extension(idempotency::Flights::default()))
        .layer(Extension(campaign_events::Streams::default()))
        .layer(Extension(app.clone()))
        .with_state(app);
    (router, table)
}

fn v1() -> Routes<App> {
    [
        directory::routes(),
        contacts::routes(),
        merges::routes(),
        care::routes(),
        fields::routes(),
        imports::routes(),
        exports::routes(),
        tags::routes(),
        marks::routes(),
        tag_rules::routes(),
        segments::routes(),
        campaigns::routes(),
        campaign_actions::routes(),
        moments::routes(),
        links::routes(),
        welcomes::routes(),
        orders::routes(),
        metrics::routes(),
    ]
    .into_iter()
    .fold(Routes::new(guard::guard), Routes::merge)
}

/// Begins a domain's routes.
fn routes() -> Routes<App> {
    Routes::new(guard::guard)
}

async fn not_found() -> Refusal {
    Error::NotFound.into()
}

async fn not_allowed() -> Refusal {
    Kind::MethodNotAllowed.says("see `/api/docs` for the methods of this address")
}
