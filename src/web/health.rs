//! Whether the process lives, and whether it can serve.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::session;
use crate::app::App;
use crate::auth::Policy;
use crate::routes::Routes;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard)
        .get("/healthz", Policy::Public, alive)
        .get("/healthz/{code}", Policy::Public, ours)
        .get("/readyz", Policy::Public, ready)
}

async fn alive() -> &'static str {
    "ok\n"
}

/// Longest question answered.
const MAX_QUESTION: usize = 64;

/// Shows whoever knows the master key that this address is ours: a look at the installation asks it.
async fn ours(app: State<App>, Path(question): Path<String>) -> Response {
    let is_question = (8..=MAX_QUESTION).contains(&question.len())
        && question.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_question {
        return (StatusCode::NOT_FOUND, "no question\n").into_response();
    }
    format!("{}\n", app.sealer.proof(&question)).into_response()
}

/// Names what does not answer; why is in the log.
async fn ready(app: State<App>) -> Response {
    if app.leaving.is_cancelled() || app.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if let Err(error) = app.db.ping().await {
        tracing::error!(%error, "the database does not answer");
        return (StatusCode::SERVICE_UNAVAILABLE, "database\n").into_response();
    }
    if let Err(error) = app.cache.ping().await {
        tracing::error!(%error, "the cache does not answer");
        return (StatusCode::SERVICE_UNAVAILABLE, "cache\n").into_response();
    }
    "ok\n".into_response()
}
