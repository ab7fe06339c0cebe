//! `dianyu seed`: a synthetic chain straight into the database, for benches and trials. Nothing stands behind it: the
//! platform does not know its corp, so it can be looked at and counted, not synced.

use std::time::Instant;

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::auth;
use dianyu::directory::{self, NewCorp};
use dianyu::ids::random_base62;
use dianyu::links::LinkTarget;
use dianyu::scope::Actor;
use dianyu::seed::{Chain, ChainOptions, write};
use secrecy::ExposeSecret as _;

/// Tag groups beside the demo's four: with them a contact carries about ten of 140 tags.
const MORE_TAG_GROUPS: usize = 6;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    contacts: u32,
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    associates: u32,
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    stores: u32,
    /// Days of past with campaigns, clicks and orders.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=730))]
    days: i64,
    /// The same number makes the same chain, up to the hour it ends at.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.stores <= args.associates,
        "every store has somebody: `--associates` must be at least `--stores`"
    );
    let (app, node) = super::connect().await?;
    let outcome = fill(&app, &args).await;
    super::done(&app, &node).await;
    outcome
}

async fn fill(app: &App, args: &Args) -> anyhow::Result<()> {
    let corpid = format!("wwseed{:012}", args.seed);
    anyhow::ensure!(
        directory::find_corp_by_corpid(&app.db, &corpid).await.is_err(),
        "the database holds corp `{corpid}` already; choose another `--seed`, or another database"
    );
    let began = Instant::now();
    let mini_store = LinkTarget::Web {
        url: "https://shop.example.com".to_owned(),
    };
    let options = ChainOptions {
        seed: args.seed,
        stores: args.stores as usize,
        associates: args.associates as usize,
        contacts: args.contacts as usize,
        days: args.days,
        more_tag_groups: MORE_TAG_GROUPS,
        ..ChainOptions::demo(app.now(), mini_store.clone())
    };
    let chain = tokio::task::spawn_blocking(move || Chain::grow(options))
        .await
        .context("growing the chain")?;
    eprintln!(
        "grown in {:.1} s: {} contacts, {} stretches of following, {} clicks, {} orders",
        began.elapsed().as_secs_f64(),
        chain.contacts.len(),
        chain.periods.len(),
        chain.clicks.len(),
        chain.orders.len()
    );
    let stored = tokio::select! {
        stored = store(app, &chain, &corpid, &mini_store) => stored,
        _ = super::asked_to_stop() => anyhow::bail!("stopped; nothing was stored"),
    };
    let key = stored.map_err(super::sentence)?;
    app.db.look_at_tables().await.map_err(super::sentence)?;
    eprintln!("stored in {:.1} s altogether", began.elapsed().as_secs_f64());
    println!("corp {corpid}\napi key {key}");
    Ok(())
}

/// All of it or nothing; answers a key that may do everything.
async fn store(
    app: &App,
    chain: &Chain,
    corpid: &str,
    mini_store: &LinkTarget,
) -> dianyu::error::Result<String> {
    let tx = app.db.begin().await?;
    tx.take_time().await?;
    let act = app.act(Actor::System);
    let new = NewCorp {
        corpid: corpid.to_owned(),
        name: "试算连锁".to_owned(),
        zone: chain.options.zone,
        agent_id: 1_000_002,
        secret: random_base62(43).into(),
        callback_token: random_base62(24).into(),
        callback_aes_key: super::demo::world::aes_key().into(),
        link_hosts: vec!["shop.example.com".to_owned()],
        mini_store: Some(serde_json::to_string(mini_store)?),
    };
    let corp = directory::add_corp(&tx, &act, &app.sealer, new).await?;
    write::write(&tx, &app.sealer, corp, chain).await?;
    let scopes: Vec<String> = auth::key_scopes().into_iter().map(str::to_owned).collect();
    let (_, key) = auth::add_key(&tx, &act, corp, "seed", &scopes, None).await?;
    tx.commit().await?;
    Ok(key.expose_secret().to_owned())
}
