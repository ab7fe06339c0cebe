//! `dianyu serve`: the product.

use dianyu::app::App;
use dianyu::server;

#[derive(clap::Args)]
pub struct Args {
    /// Pages, API and callbacks only; another instance runs the jobs.
    #[arg(long, conflicts_with = "only_jobs")]
    no_jobs: bool,
    /// Background jobs only.
    #[arg(long)]
    only_jobs: bool,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = super::settings()?;
    server::log_to_stderr(&config.log);
    let listen = config.listen;
    let (app, node) = App::connect(config).await.map_err(super::sentence)?;
    let stop = app.stopping.clone();
    tokio::spawn(async move {
        super::asked_to_stop().await;
        tracing::info!("stopping: no new work, finishing what runs");
        stop.cancel();
    });
    let jobs = (!args.no_jobs).then(|| tokio::spawn(server::work(app.clone())));
    let lease = tokio::spawn(server::hold_node(app.clone(), node));
    let metrics = server::serve_metrics(&app).await?;
    if args.only_jobs {
        tracing::info!("running background jobs only");
        app.stopping.cancelled().await;
    } else {
        let listener = server::listen(listen).await?;
        tracing::info!(url = app.config.public_url, "serving on {listen}");
        server::serve(app.clone(), listener).await?;
    }
    for task in [jobs, Some(lease), metrics].into_iter().flatten() {
        let _ = task.await;
    }
    Ok(())
}
