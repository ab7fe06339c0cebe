//! `dianyu`: reads the command line and runs one command.

#![forbid(unsafe_code)]

mod commands;

use clap::{Parser, Subcommand};

use commands::{
    api_key, audit, corp, demo, doctor, metrics, migrate, operator, sandbox, seed, serve, stores, sync,
};

/// 店语: customer engagement for retail chains on WeCom.
#[derive(Parser)]
#[command(name = "dianyu", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a chain with a past and a present: simulator, seeded world, live activity.
    Demo(demo::Args),
    /// Serve pages, API, callbacks, redirects and background jobs.
    Serve(serve::Args),
    /// Apply migrations and stop.
    Migrate,
    /// Start the simulator of the platform alone.
    Sandbox(sandbox::Args),
    /// Fill the database with a synthetic chain, for benches and trials.
    Seed(seed::Args),
    /// Check everything an installation needs; say what to fix and where.
    Doctor(doctor::Args),
    /// Connect a corp of the platform, or change how it is run.
    #[command(subcommand)]
    Corp(corp::Command),
    /// Add somebody who signs in.
    #[command(subcommand)]
    Operator(operator::Command),
    /// Add a key for the API.
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Pull directory, tags and contacts from the platform, now.
    Sync(sync::Args),
    /// Say which departments are stores, and who belongs to which.
    #[command(subcommand)]
    Stores(stores::Command),
    /// Check the audit chain.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Recount stored figures from raw rows.
    #[command(subcommand)]
    Metrics(metrics::Command),
}

/// Whoever reads our output may stop reading (`dianyu stores list | head`), which is no fault of ours.
fn end_quietly_when_nobody_reads() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to std") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        tell(panic);
    }));
}

fn main() -> std::process::ExitCode {
    end_quietly_when_nobody_reads();
    let cli = Cli::parse();
    // The only failure is a provider that is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("dianyu: the runtime does not start: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dianyu: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Migrate => migrate::run().await,
        Command::Seed(args) => seed::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Corp(command) => corp::run(command).await,
        Command::Stores(command) => stores::run(command).await,
        Command::Operator(command) => operator::run(command).await,
        Command::ApiKey(command) => api_key::run(command).await,
        Command::Sync(args) => sync::run(args).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Metrics(command) => metrics::run(command).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the doctor tells somebody to run, as they would paste it.
    fn told(locale: &str) -> Vec<String> {
        let lines = locale.lines().filter(|line| line.starts_with("doctor-"));
        let commands = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
        let commands = commands.filter(|command| command.starts_with("dianyu"));
        commands
            .map(|command| command.replace("{ $corpid }", "ww1a2b3c4d5e6f7a8b"))
            .collect()
    }

    #[test]
    fn what_the_doctor_tells_to_run_can_be_pasted() {
        for locale in [
            include_str!("../locales/zh-CN.ftl"),
            include_str!("../locales/en.ftl"),
        ] {
            let commands = told(locale);
            assert!(commands.len() > 10, "{commands:?}");
            for command in commands {
                assert!(!command.contains(['…', '{', '<']), "{command}");
                let read = Cli::try_parse_from(command.split_whitespace());
                let is_well = match &read {
                    Ok(_) => true,
                    Err(error) => error.kind() == clap::error::ErrorKind::DisplayHelp,
                };
                assert!(
                    is_well,
                    "`{command}`: {:?}",
                    read.err().map(|error| error.to_string())
                );
            }
        }
    }
}
