//! `dianyu doctor`: looks at everything an installation needs, says what is wrong, and what to open and change.

use dianyu::config::Config;
use dianyu::doctor::{self, Line, Patient, Report, State};
use dianyu::metrics::Lang;
use dianyu::web::lang;

#[derive(clap::Args)]
pub struct Args {
    /// Only this corp, `ww…`; without it every one.
    #[arg(long)]
    corp: Option<String>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    /// Language of the lines.
    #[arg(long, default_value = "en", value_parser = language)]
    lang: Lang,
}

fn language(text: &str) -> Result<Lang, String> {
    lang::parse(text).ok_or_else(|| format!("`{text}` is neither `zh` nor `en`"))
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    // What a check finds is its line; a log beside it would say the same twice.
    dianyu::server::log_to_stderr("off");
    let patient = Patient::meet(Config::load()).await;
    let report = doctor::examine(&patient, args.corp.as_deref()).await;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&json(&report, args.lang))?);
    } else {
        print(&report, args.lang);
    }
    let failed = report.count(State::Failed);
    anyhow::ensure!(failed == 0, "checks that failed: {failed}");
    Ok(())
}

fn json(report: &Report, language: Lang) -> serde_json::Value {
    let lines = report.lines.iter().map(|line| {
        serde_json::json!({
            "check": line.check,
            "name": lang::check(language, &line.check),
            "corp": line.corpid,
            "state": line.state,
            "finding": lang::finding(language, line),
            "way_out": lang::way_out(language, line),
            "because": line.because,
        })
    });
    serde_json::json!({
        "checked_at": report.checked_at,
        "has_failed": report.has_failed(),
        "lines": lines.collect::<Vec<_>>(),
    })
}

fn print(report: &Report, language: Lang) {
    let mut corp: Option<&str> = None;
    for line in &report.lines {
        if line.corpid.as_deref() != corp {
            corp = line.corpid.as_deref();
            println!("\n{}", corp.unwrap_or_default());
        }
        println!("{}", written(line, language));
    }
    let count = |state| report.count(state).to_string();
    let sum = lang::text(
        language,
        "doctor-sum",
        &[
            ("failed", count(State::Failed).into()),
            ("warnings", count(State::Warning).into()),
            ("ok", count(State::Ok).into()),
            ("skipped", count(State::NotChecked).into()),
        ],
    );
    println!("\n{sum}");
}

fn written(line: &Line, language: Lang) -> String {
    let mark = match line.state {
        State::Ok => "  ok   ",
        State::Warning => "  !    ",
        State::Failed => "  FAIL ",
        State::NotChecked => "  –    ",
    };
    let name = lang::check(language, &line.check);
    let mut said = format!("{mark}{name}: {}", lang::finding(language, line));
    if let Some(way) = lang::way_out(language, line) {
        said += &format!("\n         → {way}");
    }
    said
}
