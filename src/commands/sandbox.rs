//! `dianyu sandbox`: the simulator alone, for developing against.

use std::path::PathBuf;

use anyhow::Context as _;
use dianyu::ids::random_base62;
use dianyu::sandbox::{CorpSeed, Crowd, Sandbox, SandboxOptions};
use dianyu::server;
use dianyu::time::Clock;
use tokio_util::sync::CancellationToken;

use super::demo::files::{Callback, Files, Printed};
use super::demo::world;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: std::net::SocketAddr,
    /// Where the simulator keeps its world and writes `demo.json`.
    #[arg(long, default_value = "dianyu-sandbox")]
    data: PathBuf,
    /// Start over: forget the world of an earlier run.
    #[arg(long)]
    fresh: bool,
    /// The same number gives the same people, tags and pairs; their past ends with the day before the first start.
    #[arg(long, default_value_t = world::SEED)]
    seed: u64,
    #[arg(long, default_value_t = 120)]
    associates: usize,
    #[arg(long, default_value_t = 20_000)]
    contacts: usize,
    /// Where callbacks go, once there is something that answers them: `http://…/wecom/{corpid}/callback`.
    #[arg(long)]
    callback_url: Option<String>,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(args.associates > 0, "`--associates` must be at least 1");
    server::log_to_stderr(&std::env::var("DIANYU_LOG").unwrap_or_else(|_| "info".to_owned()));
    let files = Files::open(&args.data, args.fresh)?;
    let listener = server::listen(args.listen, "--listen").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let options = SandboxOptions {
        clock: Clock::System,
        seed: args.seed,
        data: Some(files.journal()),
    };
    let sandbox = Sandbox::open(options).await.context("opening the simulator")?;
    let known = files.printed()?.filter(|_| !sandbox.is_fresh());
    let printed = match known {
        Some(printed) => Printed {
            sandbox_url: url.clone(),
            ..printed
        },
        None => furnish(&sandbox, &args, &url).await?,
    };
    if let Some(address) = &args.callback_url {
        sandbox.set_callback(
            &printed.corpid,
            address,
            &printed.callback.token,
            &printed.callback.aes_key,
        );
    }
    sandbox.flush().await;
    files.print(&printed)?;

    println!("simulated platform on {url}, corp {}", printed.corpid);
    println!(
        "secret and callback keys are in {}",
        files.printed_path().display()
    );
    println!(
        "control API {url}/control, anybody's phone {url}/phone/{}/<id>; Ctrl-C stops",
        printed.corpid
    );
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        super::asked_to_stop().await;
        stopping.cancel();
    });
    sandbox.serve(listener, stop).await;
    Ok(())
}

async fn furnish(sandbox: &Sandbox, args: &Args, url: &str) -> anyhow::Result<Printed> {
    let secret = random_base62(43);
    sandbox.add_corp(CorpSeed {
        corpid: world::CORPID.to_owned(),
        name: world::NAME.to_owned(),
        secret: secret.clone(),
        agent_id: world::AGENT_ID,
        ..CorpSeed::default()
    });
    let crowd = Crowd::before(Clock::System.now(), args.seed, args.associates, args.contacts);
    let growing = sandbox.clone();
    tokio::task::spawn_blocking(move || growing.grow_crowd(world::CORPID, crowd)).await??;
    Ok(Printed {
        url: String::new(),
        sandbox_url: url.to_owned(),
        corpid: world::CORPID.to_owned(),
        secret: Some(secret),
        agent_id: Some(world::AGENT_ID),
        api_key: String::new(),
        callback: Callback {
            token: random_base62(24),
            aes_key: world::aes_key(),
        },
        personas: Vec::new(),
    })
}
