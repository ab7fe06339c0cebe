//! `dianyu sync`: pulls everything from the platform, with progress.

use dianyu::{contacts, directory, tags};

#[derive(clap::Args)]
pub struct Args {
    /// Corp id on the platform, `ww…`.
    #[arg(long)]
    corp: String,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (app, node) = super::connect().await?;
    let corp = super::corp_named(&app, &args.corp).await?;
    let members = directory::sync_directory(&app, corp.id)
        .await
        .map_err(super::sentence)?;
    eprintln!("directory: {members} members");
    let tag_count = tags::sync_tags(&app, corp.id).await.map_err(super::sentence)?;
    eprintln!("tags: {tag_count}");
    let started = std::time::Instant::now();
    let count = contacts::sync_contacts(&app, corp.id, |count| {
        let rate = count.pairs as f64 / started.elapsed().as_secs_f64().max(0.001);
        eprint!("\rcontacts: {} pairs, {rate:.0} a second", count.pairs);
    })
    .await
    .map_err(super::sentence)?;
    eprintln!();
    super::done(&app, &node).await;
    println!(
        "{members} members, {tag_count} tags, {} pairs ({} changed, {} ended)",
        count.pairs, count.changed, count.closed
    );
    Ok(())
}
