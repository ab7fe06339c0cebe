//! Whether the process lives, and whether it can serve.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::session;
use crate::app::App;
use crate::auth::Policy;
use crate::routes::Routes;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard)
        .get("/healthz", Policy::Public, alive)
        .get("/readyz", Policy::Public, ready)
}

async fn alive() -> &'static str {
    "ok\n"
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
