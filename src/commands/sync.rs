//! `dianyu sync`: pulls everything from the platform, with progress. A run that was broken off goes on.

use std::io::IsTerminal as _;
use std::time::Duration;

use dianyu::app::App;
use dianyu::ids::{CorpId, SyncRunId};
use dianyu::scope::{Actor, Scope};
use dianyu::sync::{self, Kind, Missed, StepState};

#[derive(clap::Args)]
pub struct Args {
    /// Corp id on the platform, `ww…`.
    #[arg(long)]
    corp: String,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let (app, node) = super::connect().await?;
    let corp = super::corp_named(&app, &args.corp).await?.id;
    let run = start(&app, corp).await.map_err(super::sentence)?;
    let outcome = tokio::select! {
        outcome = work(&app, corp, run) => outcome,
        failed = show(&app, corp, run) => failed,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped; `dianyu sync` again goes on from here")),
    };
    eprintln!();
    let state = sync::find(&app.db, &Scope::whole(corp), run).await;
    super::done(&app, &node).await;
    outcome?;
    let state = state.map_err(super::sentence)?;
    for step in &state.steps {
        println!("{}", sentence(&app, corp, run, step).await);
    }
    anyhow::ensure!(state.state == "done", "the run is {}", state.state);
    Ok(())
}

async fn start(app: &App, corp: CorpId) -> dianyu::error::Result<SyncRunId> {
    let tx = app.db.begin().await?;
    let run = sync::start(&tx, &app.act(Actor::System), corp, Kind::Asked).await?;
    tx.commit().await?;
    Ok(run)
}

/// Works on the run, or waits for whoever does.
async fn work(app: &App, corp: CorpId, run: SyncRunId) -> anyhow::Result<()> {
    loop {
        sync::carry_on(app, corp, run).await.map_err(super::sentence)?;
        let state = sync::find(&app.db, &Scope::whole(corp), run).await;
        if !state.map_err(super::sentence)?.is_running() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Writes how far it is, once a second on a terminal, else every ten.
async fn show(app: &App, corp: CorpId, run: SyncRunId) -> anyhow::Result<()> {
    let is_terminal = std::io::stderr().is_terminal();
    let every = Duration::from_secs(if is_terminal { 1 } else { 10 });
    loop {
        tokio::time::sleep(every).await;
        let state = sync::find(&app.db, &Scope::whole(corp), run).await;
        let state = state.map_err(super::sentence)?;
        if let Some(step) = state.steps.iter().find(|step| step.state == "running") {
            let line = sentence(app, corp, run, step).await;
            if is_terminal {
                eprint!("\r\x1b[2K{line}");
            } else {
                eprintln!("{line}");
            }
        }
    }
}

async fn sentence(app: &App, corp: CorpId, run: SyncRunId, step: &StepState) -> String {
    let not_taken = sync::not_taken(&app.db, &Scope::whole(corp), run).await;
    let mut said = format!("{}: {} read", step.step, step.seen);
    let (what, stored) = words(&step.step);
    if step.total > 0 {
        said += &format!(", {} of {} {what}", step.done, step.total);
    }
    if let Some(pace) = step.pace(app.now()) {
        said += &format!(", {pace:.0} a second");
    }
    if let Some(left) = step.left_ms(app.now()) {
        said += &format!(", about {} s left", left / 1000 + 1);
    }
    if step.changed + step.closed > 0 {
        said += &format!(", {} changed, {} ended", step.changed, step.closed);
    }
    said += &missed(step.missed(&not_taken.unwrap_or_default()), what, stored);
    if let Some(problem) = &step.problem {
        said += &format!(" ({problem})");
    }
    said
}

/// What a step reads by, and what it stores.
fn words(step: &str) -> (&'static str, &'static str) {
    match step {
        "groups" => ("groups", "groups"),
        "contacts" => ("members", "customers"),
        _ => ("members", "members"),
    }
}

fn missed(missed: Missed, what: &str, stored: &str) -> String {
    let mut said = String::new();
    if missed.unread > 0 {
        said += &format!(", {} {what} could not be read", missed.unread);
    }
    if missed.not_taken > 0 {
        said += &format!(", {} {stored} the database does not take", missed.not_taken);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_told_apart_from_what_could_not_be_stored() {
        let told = |step: &str, unread: i64, not_taken: i64| {
            let (what, stored) = words(step);
            missed(Missed { unread, not_taken }, what, stored)
        };
        for (told, expected) in [
            (told("people", 0, 1), ", 1 members the database does not take"),
            (
                told("contacts", 2, 3),
                ", 2 members could not be read, 3 customers the database does not take",
            ),
            (told("groups", 4, 0), ", 4 groups could not be read"),
            (told("groups", 0, 0), ""),
        ] {
            assert_eq!(told, expected);
        }
    }
}
