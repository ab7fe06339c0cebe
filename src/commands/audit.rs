//! `dianyu audit verify`: walks the audit chains.

use dianyu::auth::audit::{self, Verdict};
use dianyu::directory;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Check that no entry is missing, changed or out of place.
    Verify,
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Verify = command;
    let (app, node) = super::connect().await?;
    let mut broken = Vec::new();
    for corp in directory::corps(&app.db).await.map_err(super::sentence)? {
        match audit::verify(&app.db, &app.sealer, corp.id)
            .await
            .map_err(super::sentence)?
        {
            Verdict::Whole {
                entries,
                head: Some(head),
            } => println!("{}: {entries} entries, chain whole, head {head}", corp.corpid),
            Verdict::Whole { entries, head: None } => println!(
                "{}: {entries} entries, chain whole; the next entry seals it with a key",
                corp.corpid
            ),
            Verdict::Broken { seq } => {
                broken.push(format!("{}: entry {seq} is missing or changed", corp.corpid))
            }
        }
    }
    super::done(&app, &node).await;
    anyhow::ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}
