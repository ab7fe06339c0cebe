//! The product put together: one router of pages, API and callbacks, and what runs beside it.

mod connections;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::db::node::{self, Node};
use crate::routes::Entry;
use crate::{api, auth, jobs, segments, web};

use connections::Limits;

/// Samples pile up in the recorder until somebody folds them, and nobody may be asking for the figures.
const UPKEEP: Duration = Duration::from_secs(5);
/// After this long whoever starts has started.
const STARTED: Duration = Duration::from_secs(1);
/// So many often ask at once.
const AT_ONCE: usize = 8;
/// Connections to the figures' own address.
const WATCHERS: usize = 32;

/// Every route there is, and the table of what each demands.
pub fn router(app: &App) -> (Router, Vec<Entry>) {
    let (pages, mut table) = web::router(app.clone());
    let (json, json_table) = api::router(app.clone());
    let (callbacks, callback_table) = api::callback::router(app.clone());
    table.extend(json_table);
    table.extend(callback_table);
    // Nobody gains from a callback's empty answer packed.
    let packed = pages.merge(json).layer(CompressionLayer::new());
    (dressed(app, packed.merge(callbacks)), table)
}

/// What holds for every answer, whoever gives it: counted, with the headers that keep a browser safe, even when a
/// handler panics.
fn dressed(app: &App, router: Router) -> Router {
    router
        .layer(CatchPanicLayer::new())
        .layer(from_fn_with_state(app.clone(), web::headers::secure))
        .layer(from_fn(observe))
}

/// Counts and times each request by its route, never by its path: paths hold ids and codes.
async fn observe(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = known(request.method());
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let labels = [
        ("route", route.clone()),
        ("method", method.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::counter!("dianyu_requests_total", &labels).increment(1);
    metrics::histogram!("dianyu_request_seconds", &labels[..2]).record(elapsed.as_secs_f64());
    tracing::debug!(
        route,
        method,
        status,
        duration_ms = elapsed.as_millis() as u64,
        "answered"
    );
    response
}

/// A method by its name if it is one that we know: anybody can make up others, and each would be kept for ever.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let named = KNOWN.into_iter().find(|name| *name == method.as_str());
    named.unwrap_or("other")
}

/// Opens the address, or says who may be in the way; `setting` is what names another.
pub async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on `{address}`; is another instance running? `{setting}` names another")
    })
}

/// Says "not ready" for as long as `notice`, so that whoever sends requests here sends them elsewhere; then stops.
pub async fn stop(app: &App, notice: Duration) {
    app.leaving.cancel();
    tokio::time::sleep(notice).await;
    app.stopping.cancel();
}

/// Serves until the app stops; requests under way may end, those that do not are dropped.
pub async fn serve(app: App, listener: TcpListener) {
    let (router, _) = router(&app);
    let limits = Limits::new(
        app.config.max_connections,
        app.config.max_connections_per_address,
        app.config.trusted_proxies.clone(),
    );
    tokio::join!(
        connections::serve(listener, router, limits, app.stopping.clone()),
        segments::index::keep(&app),
        app.stopping.run_until_cancelled(prepare(&app)),
    );
}

/// Does soon after the start, but not while everything starts, what whoever asks first would wait for: calls of the
/// platform are made possible, and connections to the database are opened by asking what callers of the API ask, for a
/// connection reads about the tables of a statement when it has it for the first time. What goes wrong here goes wrong
/// again, with a reason, for whoever asks.
async fn prepare(app: &App) {
    tokio::time::sleep(STARTED).await;
    let platform = app.wecom.clone();
    let platform = tokio::task::spawn_blocking(move || platform.prepare());
    let asked = (0..AT_ONCE).map(|_| async {
        let _ = auth::rehearse(app).await;
        let _ = segments::index::rehearse(app).await;
    });
    let _ = tokio::join!(join_all(asked), platform);
}

/// Runs background jobs until the app stops.
pub async fn work(app: App) {
    let stop = app.stopping.clone();
    jobs::run(app, stop).await;
}

/// Keeps the node number for as long as it is polled: until nothing makes ids any more. An instance that lost its
/// number stops, for its ids could collide.
pub async fn hold_node(app: &App, node: &Node) -> Infallible {
    let mut every = tokio::time::interval(node::BEAT);
    every.tick().await;
    loop {
        every.tick().await;
        match node::renew(&app.db, node, app.now()).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(node = node.number, "this instance lost its node number; stopping");
                app.stopping.cancel();
                return std::future::pending().await;
            }
            Err(error) => tracing::warn!(%error, "the node number could not be renewed"),
        }
    }
}

/// Serves Prometheus figures on their own address until the app stops.
///
/// # Errors
/// When figures are served already in this process.
pub fn serve_metrics(app: &App, listener: TcpListener) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new()
        .install_recorder()
        .context("starting the figures")?;
    let (stop, figures) = (app.stopping.clone(), app.clone());
    let upkeep = recorder.clone();
    let router = Router::new().route(
        "/metrics",
        axum::routing::get(move || {
            let (recorder, app) = (recorder.clone(), figures.clone());
            async move {
                for (state, count) in crate::queue::depth(&app.db).await.unwrap_or_default() {
                    metrics::gauge!("dianyu_jobs", "state" => state).set(count as f64);
                }
                recorder.render()
            }
        }),
    );
    Ok(async move {
        let mut every = tokio::time::interval(UPKEEP);
        tokio::select! {
            () = connections::serve(listener, router, Limits::new(WATCHERS, WATCHERS, Vec::new()), stop) => {}
            () = async { loop { every.tick().await; upkeep.run_upkeep(); } } => {}
        }
    })
}

/// Logs to standard error: text on a terminal, JSON elsewhere. Does nothing the second time.
pub fn log_to_stderr(filter: &str) {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let _ = if std::io::stderr().is_terminal() {
        lines.try_init()
    } else {
        lines.json().try_init()
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tower::ServiceExt as _;

    #[test]
    fn a_made_up_method_makes_no_figure_of_its_own() {
        assert_eq!(known(&Method::PATCH), "PATCH");
        let made_up = Method::from_bytes(b"MADEUP").unwrap();
        assert_eq!(known(&made_up), "other");
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_the_same_headers() {
        let app = App::in_memory().await;
        async fn panics() -> &'static str {
            panic!("on purpose")
        }
        let router = dressed(&app, Router::new().route("/", axum::routing::get(panics)));
        let request = Request::get("/").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 500);
        for name in [
            "content-security-policy",
            "x-content-type-options",
            "referrer-policy",
            "cross-origin-opener-policy",
            "strict-transport-security",
        ] {
            assert!(answer.headers().contains_key(name), "{name}");
        }
    }
}
