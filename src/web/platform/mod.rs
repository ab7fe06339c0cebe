//! The platform as an administrator sees it: what is wrong and where to mend it, how true the mirror is, the sync.

mod samples;
mod sync;

use std::time::Duration;

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

pub use sync::{SyncPage, SyncPart};

use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::directory;
use crate::doctor::{self, Kept, Line, Truth};
use crate::error::Error;
use crate::routes::Routes;
use crate::sync::Run;
use crate::web::shell::escape;
use crate::web::{Form, Result, Shell, Show, lang, session};

/// How long a post waits for the checks; those that take longer show on the page when they are made.
const WAIT: Duration = Duration::from_secs(4);
/// Runs looked at for how true the mirror is, and listed.
const RUNS: i64 = 20;

pub fn routes() -> Routes<App> {
    let administer = Policy::Can(Permission::Administer);
    Routes::new(session::guard)
        .get("/admin/platform", administer, show)
        .post("/admin/platform/checks", administer, check)
        .get("/admin/platform/sync", administer, sync::show)
        .get("/admin/platform/sync/part", administer, sync::part)
        .post("/admin/platform/sync", administer, sync::start)
        .post("/admin/platform/sync/end", administer, sync::stop)
}

/// A check as the page shows it.
pub struct CheckLine {
    pub name: String,
    pub class: &'static str,
    pub state: String,
    pub finding: Safe<String>,
    pub way_out: Option<Safe<String>>,
}

#[derive(Template)]
#[template(path = "platform/checks.html")]
pub struct ChecksPage {
    pub shell: Shell,
    /// Whether all is well, and if not, what is not.
    pub answer: Safe<String>,
    pub checked: String,
    /// How true the mirror is.
    pub truth: Safe<String>,
    pub is_under_way: bool,
    /// What is wrong, the worst first.
    pub to_mend: Vec<CheckLine>,
    pub others: Vec<CheckLine>,
    pub others_are: String,
}

impl ChecksPage {
    pub fn new(shell: Shell, kept: &Kept, runs: &[Run]) -> Self {
        let lines = kept.report.as_ref().map_or(&[][..], |report| &report.lines);
        let of = |state: doctor::State| {
            let lines = lines.iter().filter(move |line| line.state == state);
            lines.map(|line| check_line(line, &shell)).collect::<Vec<_>>()
        };
        let mut to_mend = of(doctor::State::Failed);
        to_mend.extend(of(doctor::State::Warning));
        let mut others = of(doctor::State::Ok);
        others.extend(of(doctor::State::NotChecked));
        Self {
            answer: verdict(kept, &shell),
            checked: checked(kept, &shell),
            truth: truth(doctor::truth(runs), &shell),
            others_are: others_are(kept, &shell),
            is_under_way: kept.is_under_way,
            to_mend,
            others,
            shell,
        }
    }
}

/// Checks named in the answer; the others stand below.
const NAMED: usize = 3;

/// Whether all is well.
fn verdict(kept: &Kept, shell: &Shell) -> Safe<String> {
    let Some(report) = &kept.report else {
        let is_made = kept.is_under_way;
        return shell.rich(
            if is_made {
                "platform-answer-first"
            } else {
                "platform-answer-never"
            },
            &[],
        );
    };
    let named = |state: doctor::State| {
        let lines = report.lines.iter().filter(|line| line.state == state);
        let names: Vec<String> = lines.map(|line| lang::check(shell.lang, &line.check)).collect();
        let more = if names.len() > NAMED { "…" } else { "" };
        names[..names.len().min(NAMED)].join(&shell.t("platform-and")) + more
    };
    for (state, key) in [
        (doctor::State::Failed, "platform-answer-failed"),
        (doctor::State::Warning, "platform-answer-watch"),
    ] {
        let count = report.count(state);
        if count > 0 {
            return shell.rich(key, &[("count", count.into()), ("names", named(state).into())]);
        }
    }
    let ok = report.count(doctor::State::Ok);
    shell.rich("platform-answer-well", &[("count", ok.into())])
}

fn others_are(kept: &Kept, shell: &Shell) -> String {
    let count = |state| kept.report.as_ref().map_or(0, |report| report.count(state));
    let (ok, skipped) = (count(doctor::State::Ok), count(doctor::State::NotChecked));
    match skipped {
        0 => shell.t1("platform-others", "ok", ok),
        _ => shell.t2("platform-others-skipped", "ok", ok, "skipped", skipped),
    }
}

/// How true the mirror was.
pub(super) fn truth(truth: Option<Truth>, shell: &Shell) -> Safe<String> {
    let Some(truth) = truth else {
        return shell.rich("platform-truth-none", &[]);
    };
    let at = ("at", shell.when(&truth.as_of).into());
    let seen = ("seen", truth.seen.into());
    match truth.corrected {
        Some(corrected) => shell.rich("platform-truth", &[at, ("corrected", corrected.into()), seen]),
        None => shell.rich("platform-truth-first", &[at, seen]),
    }
}

fn checked(kept: &Kept, shell: &Shell) -> String {
    let Some(report) = &kept.report else {
        return shell.t("platform-never");
    };
    let count = |state| (report.count(state) as i64).into();
    shell.tell(
        "platform-checked",
        &[
            ("when", shell.when(&report.checked_at).into()),
            ("failed", count(doctor::State::Failed)),
            ("warnings", count(doctor::State::Warning)),
            ("ok", count(doctor::State::Ok)),
        ],
    )
}

fn check_line(line: &Line, shell: &Shell) -> CheckLine {
    let (class, word) = match line.state {
        doctor::State::Ok => ("g", "ok"),
        doctor::State::Warning => ("w", "warning"),
        doctor::State::Failed => ("r", "failed"),
        doctor::State::NotChecked => ("", "not-checked"),
    };
    CheckLine {
        name: sentence(&lang::check(shell.lang, &line.check)),
        class,
        state: shell.t(&format!("platform-state-{word}")),
        finding: marked(&sentence(&lang::finding(shell.lang, line))),
        way_out: lang::way_out(shell.lang, line).map(|way| marked(&sentence(&way))),
    }
}

/// A line of a terminal as a sentence of a page: it begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// What stands between backquotes is to be typed or compared: it is set apart.
fn marked(text: &str) -> Safe<String> {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(place, part)| match place % 2 {
        0 => escape(part),
        _ => format!("<code>{}</code>", escape(part)),
    });
    Safe(parts.collect())
}

async fn show(app: State<App>, shell: Shell, me: Operator) -> Result<Show<ChecksPage>> {
    let kept = doctor::kept(&app, me.corp).await?;
    let runs = crate::sync::list(&app.db, &me.scope, RUNS).await?;
    Ok(Show(ChecksPage::new(shell, &kept, &runs)))
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// Makes every check now. Whoever asks waits a little; the checks go on without them.
async fn check(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let is_made = match doctor::begin(&app, &corp).await? {
        Some(look) => match tokio::time::timeout(WAIT, look).await {
            Ok(ended) => {
                ended.map_err(Error::internal)?;
                true
            }
            Err(_) => false,
        },
        None => false,
    };
    let said = if is_made {
        "toast-platform-checked"
    } else {
        "toast-platform-checking"
    };
    Ok(shell.go_saying("/admin/platform", said, &[]))
}
