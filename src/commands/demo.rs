//! `dianyu demo`: a chain with a past and a present, in one process. The product speaks to the simulator only over HTTP.

pub mod files;
mod marketer;
pub mod world;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::config::Config;
use dianyu::sandbox::{Sandbox, SandboxOptions, live};
use dianyu::server;
use dianyu::time::Clock;
use tokio::net::TcpListener;

use files::{Files, Printed};

#[derive(clap::Args)]
pub struct Args {
    /// Where the demo keeps its data.
    #[arg(long, default_value = "dianyu-demo")]
    data: PathBuf,
    /// Start over: forget the data of an earlier demo.
    #[arg(long)]
    fresh: bool,
    /// Address and port of the product; the simulator takes a port beside it.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: std::net::SocketAddr,
}

/// How long a stop waits for everything: longer than the product's own drain, which drops what does not end.
const PATIENCE: Duration = Duration::from_secs(25);

pub async fn run(args: Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let files = Files::open(&args.data, args.fresh)?;
    server::log_to_stderr(&std::env::var("DIANYU_LOG").unwrap_or_else(|_| "warn,dianyu=warn".to_owned()));
    let product = server::listen(args.listen, "--listen").await?;
    let known = files.printed()?;
    let (platform, sandbox_url) = sandbox_address(args.listen, known.as_ref()).await?;
    let url = format!("http://{}", product.local_addr()?);

    let config = config(&files, &url, &sandbox_url)?;
    let (app, node) = App::connect(config).await.map_err(super::sentence)?;
    let signalled = app.clone();
    tokio::spawn(async move {
        super::asked_to_stop().await;
        server::stop(&signalled, Duration::ZERO).await;
    });
    let doors = Doors {
        product,
        platform,
        url,
        sandbox_url,
    };
    let outcome = tokio::select! {
        outcome = play(&app, &files, doors, known, started) => outcome,
        never = server::hold_node(&app, &node) => match never {},
    };
    super::done(&app, &node).await;
    outcome
}

/// What the demo listens on, and how it is reached there.
struct Doors {
    product: TcpListener,
    platform: TcpListener,
    url: String,
    sandbox_url: String,
}

/// Furnishes the chain where it is new and lets it live until the app stops.
async fn play(
    app: &App,
    files: &Files,
    doors: Doors,
    known: Option<Printed>,
    started: Instant,
) -> anyhow::Result<()> {
    let Doors {
        product,
        platform,
        url,
        sandbox_url,
    } = doors;
    let stop = app.stopping.clone();
    let options = SandboxOptions {
        clock: Clock::System,
        seed: world::SEED,
        data: Some(files.journal()),
    };
    let sandbox = Sandbox::open(options).await.context("opening the simulator")?;
    let serving = tokio::spawn({
        let (sandbox, stop) = (sandbox.clone(), stop.clone());
        async move { sandbox.serve(platform, stop).await }
    });

    let printed = match known.filter(|_| !sandbox.is_fresh()) {
        Some(printed) => Printed {
            url,
            sandbox_url,
            ..printed
        },
        None => world::furnish(app, &sandbox, &url, &sandbox_url).await?,
    };
    world::connect(&sandbox, &printed);
    sandbox.flush().await;
    files.print(&printed)?;

    let life = world::life(app, &printed, stop.clone()).await?;
    let life = tokio::spawn(live(sandbox.clone(), life));
    let jobs = tokio::spawn(server::work(app.clone()));
    let web = tokio::spawn(server::serve(app.clone(), product));
    let marketer = tokio::spawn(marketer::work(printed.clone(), stop.clone()));
    welcome(&printed, files, started.elapsed());

    stop.cancelled().await;
    eprintln!("stopping; the same command goes on with this data");
    let _ = tokio::time::timeout(PATIENCE, async {
        let _ = tokio::join!(web, jobs, life, marketer, serving);
    })
    .await;
    Ok(())
}

/// The address the simulator had before, for links and callbacks point to it; else the next port, else any free one.
async fn sandbox_address(
    listen: std::net::SocketAddr,
    known: Option<&Printed>,
) -> anyhow::Result<(TcpListener, String)> {
    let listener = match known {
        Some(printed) => {
            let address = printed.sandbox_url.trim_start_matches("http://").parse()?;
            server::listen(address, "--listen")
                .await
                .context("the simulator needs the port it had before; `--fresh` starts over on another")?
        }
        None => {
            let next = listen.port().checked_add(1).unwrap_or(0);
            match TcpListener::bind((listen.ip(), next)).await {
                Ok(listener) => listener,
                Err(_) => TcpListener::bind((listen.ip(), 0)).await?,
            }
        }
    };
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// The demo's own settings; `DIANYU_DATABASE_URL` and `DIANYU_REDIS_URL` may put it on PostgreSQL and Redis.
fn config(files: &Files, url: &str, sandbox_url: &str) -> anyhow::Result<Config> {
    let key = files.master_key()?;
    let listen = url.trim_start_matches("http://").to_owned();
    Config::read(None, |name| match name {
        "DIANYU_DATABASE_URL" => Some(std::env::var(name).unwrap_or_else(|_| files.database_url())),
        "DIANYU_MASTER_KEY" => Some(key.clone()),
        "DIANYU_LISTEN" => Some(listen.clone()),
        "DIANYU_PUBLIC_URL" => Some(url.to_owned()),
        // Made-up people on an address that somebody chose by hand.
        "DIANYU_PLAIN_HTTP" => Some("true".to_owned()),
        "DIANYU_WECOM_BASE_URL" | "DIANYU_WECOM_OAUTH_URL" | "DIANYU_WECOM_LOGIN_URL" => {
            Some(sandbox_url.to_owned())
        }
        _ => std::env::var(name).ok().filter(|value| !value.is_empty()),
    })
    .map_err(anyhow::Error::msg)
}

fn welcome(printed: &Printed, files: &Files, took: Duration) {
    println!("店语 Dianyu demo, ready after {:.1} s", took.as_secs_f64());
    println!();
    println!("  open      {}/sign-in", printed.url);
    println!(
        "  platform  {}  (the simulated WeCom; its pages show anybody's phone)",
        printed.sandbox_url
    );
    println!(
        "  API       {}/api/docs  (key in {})",
        printed.url,
        files.printed_path().display()
    );
    println!();
    println!("  {:<10} {:<12} {:<24} password", "role", "login", "name");
    for persona in &printed.personas {
        println!(
            "  {:<10} {:<12} {:<24} {}",
            persona.role, persona.login, persona.name, persona.password
        );
    }
    println!();
    println!(
        "Life goes on by itself: shoppers scan, associates confirm, customers click and buy. Ctrl-C stops."
    );
}
