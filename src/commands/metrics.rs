//! `dianyu metrics recompute`: recounts stored figures from raw rows.

use dianyu::db::Db;
use dianyu::error::Error;
use dianyu::ids::CorpId;
use dianyu::time::Day;
use dianyu::{directory, metrics};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Recount the days and replace what differs; says what differed.
    Recompute(Recompute),
}

#[derive(clap::Args)]
pub struct Recompute {
    #[arg(long, value_parser = day)]
    from: Day,
    #[arg(long, value_parser = day)]
    to: Day,
    /// Only say what differs.
    #[arg(long)]
    check: bool,
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| format!("`{text}` is not a day; write `2026-11-23`"))
}

async fn recompute(db: &Db, corp: CorpId, args: &Recompute) -> Result<Vec<String>, Error> {
    let tx = db.begin().await?;
    let differences = metrics::recompute(&tx, corp, args.from, args.to).await?;
    tx.commit().await?;
    Ok(differences)
}

pub async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Recompute(args) = command;
    anyhow::ensure!(args.from <= args.to, "`--from` is after `--to`");
    let (app, node) = super::connect().await?;
    let mut total = 0;
    for corp in directory::corps(&app.db).await.map_err(super::sentence)? {
        let differences = if args.check {
            let snapshot = app.db.snapshot().await.map_err(super::sentence)?;
            metrics::differences(&snapshot, corp.id, args.from, args.to).await
        } else {
            recompute(&app.db, corp.id, &args).await
        };
        let differences = differences.map_err(super::sentence)?;
        differences
            .iter()
            .for_each(|difference| println!("{}: {difference}", corp.corpid));
        total += differences.len();
    }
    super::done(&app, &node).await;
    println!(
        "{total} figures differed{}",
        if args.check || total == 0 {
            ""
        } else {
            "; replaced"
        }
    );
    anyhow::ensure!(
        !(args.check && total > 0),
        "stored figures differ from the recount"
    );
    Ok(())
}
