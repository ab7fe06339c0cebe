//! One file a command. Each reads its arguments, calls what does the work, says what to do next.

pub mod api_key;
pub mod audit;
pub mod corp;
pub mod demo;
pub mod doctor;
pub mod metrics;
pub mod migrate;
pub mod operator;
pub mod sandbox;
pub mod seed;
pub mod serve;
pub mod stores;
pub mod sync;

use std::io::Read as _;

use anyhow::Context as _;
use dianyu::app::App;
use dianyu::config::Config;
use dianyu::db::node::{self, Node};
use dianyu::directory::{self, Corp};
use secrecy::SecretString;

/// Settings, or the sentence that says which one is wrong.
fn settings() -> anyhow::Result<Config> {
    Config::load().map_err(anyhow::Error::msg)
}

/// The program connected, for a command that does one thing and stops.
async fn connect() -> anyhow::Result<(App, Node)> {
    let config = settings()?;
    dianyu::server::log_to_stderr(&config.log);
    App::connect(config)
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// Gives the node number back.
async fn done(app: &App, node: &Node) {
    if let Err(error) = node::release(&app.db, node, app.now()).await {
        tracing::warn!(%error, "the node number stays leased until it runs out");
    }
}

async fn corp_named(app: &App, corpid: &str) -> anyhow::Result<Corp> {
    directory::find_corp_by_corpid(&app.db, corpid)
        .await
        .map_err(|_| {
            anyhow::anyhow!(
                "corp `{corpid}` is not connected; `dianyu corp add --corpid {corpid} …` connects it"
            )
        })
}

/// A secret from a flag, else from the environment, else a line of standard input.
fn secret(flag: Option<String>, variable: &str, prompt: &str) -> anyhow::Result<SecretString> {
    if let Some(value) = flag
        .or_else(|| std::env::var(variable).ok())
        .filter(|value| !value.is_empty())
    {
        return Ok(value.into());
    }
    eprint!("{prompt}: ");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .with_context(|| format!("reading {prompt}"))?;
    let line = line.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(
        !line.is_empty(),
        "no {prompt}: give it as a flag, in `{variable}`, or on standard input"
    );
    Ok(line.to_owned().into())
}

/// Everything on standard input, as one password.
fn password_from_stdin() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("reading the password")?;
    let text = text.trim_end_matches(['\r', '\n']);
    anyhow::ensure!(!text.is_empty(), "standard input held no password");
    Ok(text.to_owned().into())
}

/// `90d`, `12h`: how long from now, in milliseconds.
fn duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a duration such as `90d` or `12h`");
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "d" => dianyu::time::DAY_MS,
        "h" => dianyu::time::HOUR_MS,
        "m" => dianyu::time::MINUTE_MS,
        _ => return Err(wrong()),
    };
    if number <= 0 {
        Err(wrong())
    } else {
        number.checked_mul(unit).ok_or_else(wrong)
    }
}

/// A domain's error as a sentence: fields by name.
fn sentence(error: dianyu::error::Error) -> anyhow::Error {
    match error {
        dianyu::error::Error::Invalid(problems) => {
            let parts: Vec<String> = problems
                .iter()
                .map(|problem| format!("{}: {}", problem.pointer.trim_start_matches('/'), problem.message))
                .collect();
            anyhow::anyhow!("{}", parts.join("; "))
        }
        other => anyhow::anyhow!("{other}"),
    }
}

/// Who asked the process to stop: somebody who waits for it at a terminal, or the system.
enum Asked {
    ByTerminal,
    BySystem,
}

/// Resolves when the process is asked to stop.
async fn asked_to_stop() -> Asked {
    let interrupt = tokio::signal::ctrl_c();
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => {
            let _ = interrupt.await;
            return Asked::ByTerminal;
        }
    };
    tokio::select! {
        _ = interrupt => Asked::ByTerminal,
        _ = terminate.recv() => Asked::BySystem,
    }
}
