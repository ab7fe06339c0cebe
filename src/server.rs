//! The product put together: one router of pages, API and callbacks, and what runs beside it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::db::node::{self, Node};
use crate::routes::Entry;
use crate::{api, jobs, web};

/// Every route there is, and the table of what each demands.
pub fn router(app: &App) -> (Router, Vec<Entry>) {
    let (pages, mut table) = web::router(app.clone());
    let (json, json_table) = api::router(app.clone());
    let (callbacks, callback_table) = api::callback::router(app.clone());
    table.extend(json_table);
    table.extend(callback_table);
    let router = pages
        .merge(json)
        .merge(callbacks)
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(from_fn(observe));
    (router, table)
}

/// Counts and times each request by its route, never by its path: paths hold ids and codes.
async fn observe(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().as_str().to_owned();
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let labels = [
        ("route", route.clone()),
        ("method", method.clone()),
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

/// Opens the address, or says who may be in the way.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on `{address}`; is another instance running? `DIANYU_LISTEN` names another")
    })
}

/// Serves until the app stops; requests under way are finished.
pub async fn serve(app: App, listener: TcpListener) -> anyhow::Result<()> {
    let (router, _) = router(&app);
    let stop = app.stopping.clone();
    axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async move { stop.cancelled().await })
    .await
    .context("serving")
}

/// Runs background jobs until the app stops.
pub async fn work(app: App) {
    let stop = app.stopping.clone();
    jobs::run(app, stop).await;
}

/// Keeps the node number; an instance that lost it stops, for its ids could collide.
pub async fn hold_node(app: App, node: Node) {
    let mut every = tokio::time::interval(Duration::from_secs(60));
    every.tick().await;
    loop {
        tokio::select! {
            _ = app.stopping.cancelled() => break,
            _ = every.tick() => match node::renew(&app.db, &node, app.now()).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::error!(node = node.number, "this instance lost its node number; stopping");
                    app.stopping.cancel();
                    return;
                }
                Err(error) => tracing::warn!(%error, "the node number could not be renewed"),
            },
        }
    }
    if let Err(error) = node::release(&app.db, &node, app.now()).await {
        tracing::warn!(%error, "the node number stays leased until it runs out");
    }
}

/// Serves Prometheus figures on their own address, where one is set.
pub async fn serve_metrics(app: &App) -> anyhow::Result<Option<JoinHandle<()>>> {
    let Some(address) = app.config.metrics_listen else {
        return Ok(None);
    };
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new()
        .install_recorder()
        .context("starting the figures")?;
    let listener = listen(address).await?;
    let (stop, figures) = (app.stopping.clone(), app.clone());
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
    Ok(Some(tokio::spawn(async move {
        let served =
            axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "the figures' address stopped answering");
        }
    })))
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
