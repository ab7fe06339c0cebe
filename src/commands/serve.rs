//! `dianyu serve`: the product.

use std::time::Duration;

use dianyu::app::App;
use dianyu::config::Config;
use dianyu::segments::index::{self, Audiences};
use dianyu::server;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

#[derive(clap::Args)]
pub struct Args {
    /// Pages, API and callbacks only; another instance runs the jobs.
    #[arg(long, conflicts_with = "only_jobs")]
    no_jobs: bool,
    /// Background jobs only.
    #[arg(long)]
    only_jobs: bool,
}

/// How long balancers get to see that this instance is leaving.
const NOTICE: Duration = Duration::from_secs(5);

/// What this process listens on. Opened before anything else: a second instance on a taken port claims nothing.
struct Doors {
    product: Option<TcpListener>,
    metrics: Option<TcpListener>,
}

impl Doors {
    async fn open(config: &Config, only_jobs: bool) -> anyhow::Result<Self> {
        let product = match only_jobs {
            true => None,
            false => Some(server::listen(config.listen, "DIANYU_LISTEN").await?),
        };
        let metrics = match config.metrics_listen {
            Some(address) => Some(server::listen(address, "DIANYU_METRICS_LISTEN").await?),
            None => None,
        };
        Ok(Self { product, metrics })
    }
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = super::settings()?;
    server::log_to_stderr(&config.log);
    let doors = Doors::open(&config, args.only_jobs).await?;
    let ahead = doors.product.as_ref().map(|_| index::read_ahead(&config));
    let (app, node) = App::connect(config).await.map_err(super::sentence)?;
    app.shelf.of::<Audiences>().begin_with(ahead.unwrap_or_default());
    let stopper = tokio::spawn(stop_when_asked(app.clone()));
    // The number is held until the last id is made, and given back whatever happens.
    let outcome = tokio::select! {
        outcome = work(&app, args, doors) => outcome,
        never = server::hold_node(&app, &node) => match never {},
    };
    stopper.abort();
    super::done(&app, &node).await;
    outcome
}

async fn stop_when_asked(app: App) {
    let notice = match super::asked_to_stop().await {
        super::Asked::ByTerminal => Duration::ZERO,
        super::Asked::BySystem => NOTICE,
    };
    tracing::info!("stopping: no new work, finishing what runs");
    server::stop(&app, notice).await;
}

/// Everything there is to run, until all of it has ended.
async fn work(app: &App, args: Args, doors: Doors) -> anyhow::Result<()> {
    let figures = doors
        .metrics
        .map(|listener| server::serve_metrics(app, listener))
        .transpose()?;
    let mut running = JoinSet::new();
    if let Some(figures) = figures {
        running.spawn(figures);
    }
    if !args.no_jobs {
        running.spawn(server::work(app.clone()));
    }
    match doors.product {
        Some(listener) => {
            tracing::info!(url = app.config.public_url, "serving on {}", app.config.listen);
            running.spawn(server::serve(app.clone(), listener));
        }
        None => tracing::info!("running background jobs only"),
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            // Half an instance is worse than none: whoever watches it starts another.
            app.stopping.cancel();
            tracing::error!(%error, "a part of this instance broke off; stopping");
        }
    }
    Ok(())
}
