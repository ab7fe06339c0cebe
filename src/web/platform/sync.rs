//! The sync under way and the last ones: how far, how fast, how long, what could not be read and why.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Nothing, RUNS, truth};
use crate::app::App;
use crate::auth::{Operator, audit};
use crate::doctor;
use crate::ids::SyncRunId;
use crate::sync::{self, Kind, Run, StepState, Unread};
use crate::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::web::{Form, Result, Shell, Show, format};

/// Parts that could not be read, on the page.
const UNREAD: i64 = 20;
/// Steps that have a name; another shows as it is stored.
const STEPS: [&str; 4] = ["people", "tags", "contacts", "groups"];

pub struct StepLine {
    pub name: String,
    pub class: &'static str,
    pub state: String,
    pub seen: String,
    /// Of the members, in hundredths; empty where their number is not known.
    pub width: String,
    pub progress: String,
    pub pace: String,
    pub left: String,
    pub corrected: String,
    pub failed: i64,
    pub problem: Option<String>,
}

pub struct RunLine {
    pub when: String,
    pub kind: String,
    pub class: &'static str,
    pub state: String,
    pub drift: String,
    pub failed: String,
}

/// Members who could not be read, and why.
pub struct UnreadLine {
    pub members: String,
    pub why: String,
}

/// The part that renews itself.
#[derive(Template)]
#[template(path = "platform/sync_part.html")]
pub struct SyncPart {
    pub shell: Shell,
    pub answer: Safe<String>,
    /// The run shown: the one under way or the last.
    pub id: Option<SyncRunId>,
    pub is_running: bool,
    pub class: &'static str,
    pub state: String,
    pub begun: String,
    pub steps: Vec<StepLine>,
    pub unread: Vec<UnreadLine>,
    pub more_unread: i64,
    pub runs: Vec<RunLine>,
}

impl askama::filters::HtmlSafe for SyncPart {}

#[derive(Template)]
#[template(path = "platform/sync.html")]
pub struct SyncPage {
    pub shell: Shell,
    pub is_moving: bool,
    pub part: SyncPart,
}

impl SyncPage {
    pub fn new(shell: Shell, runs: &[Run], unread: &[Unread], all_unread: i64) -> Self {
        let part = SyncPart::new(shell.clone(), runs, unread, all_unread);
        Self {
            is_moving: part.is_running,
            part,
            shell,
        }
    }
}

impl SyncPart {
    /// `runs` are the last ones, newest first.
    pub fn new(shell: Shell, runs: &[Run], unread: &[Unread], all_unread: i64) -> Self {
        let shown = runs.first();
        let steps = shown.map_or(&[][..], |run| &run.steps);
        let is_first = is_first_whole(runs);
        Self {
            answer: headline(runs, &shell),
            id: shown.map(|run| run.id),
            is_running: shown.is_some_and(Run::is_running),
            class: shown.map_or("", |run| class(&run.state)),
            state: shown.map(|run| state(&run.state, &shell)).unwrap_or_default(),
            begun: shown.map(|run| begun(run, &shell)).unwrap_or_default(),
            steps: steps
                .iter()
                .map(|step| step_line(step, is_first, &shell))
                .collect(),
            unread: unread.iter().map(|part| unread_line(part, &shell)).collect(),
            more_unread: all_unread - unread.len() as i64,
            runs: (0..runs.len())
                .map(|place| run_line(&runs[place], is_first_whole(&runs[place..]), &shell))
                .collect(),
            shell,
        }
    }
}

/// Whether the newest of these runs has no whole one before it: all it reads is new to us, and nothing is corrected.
fn is_first_whole(runs: &[Run]) -> bool {
    let before = runs.get(1..).unwrap_or_default();
    runs.len() < RUNS as usize && !before.iter().any(|run| run.state == "done")
}

fn headline(runs: &[Run], shell: &Shell) -> Safe<String> {
    let running = runs.first().filter(|run| run.is_running());
    let step = running.and_then(|run| run.steps.iter().find(|step| step.state == "running"));
    if let Some(failed) = runs.first().filter(|run| run.state == "failed") {
        let problem = failed.problem();
        return shell.rich(
            "sync-failed",
            &[
                ("when", shell.when(&failed.started_at).into()),
                ("why", why(problem.unwrap_or_default(), shell).into()),
            ],
        );
    }
    let Some(step) = step else {
        return match runs.is_empty() {
            true => shell.rich("sync-none", &[]),
            false => truth(doctor::truth(runs), shell),
        };
    };
    let left = step.left_ms(shell.now);
    let left = left.map(|ms| shell.t1("sync-left", "left", span(ms, shell)));
    shell.rich(
        "sync-running",
        &[
            ("step", step_name(step, shell).into()),
            ("seen", step.seen.into()),
            ("left", left.unwrap_or_default().into()),
        ],
    )
}

fn class(state: &str) -> &'static str {
    match state {
        "done" => "g",
        "failed" => "r",
        "stopped" => "w",
        "running" => "i0",
        _ => "",
    }
}

/// States of runs and steps are ours; one of a newer version shows as it is.
fn state(state: &str, shell: &Shell) -> String {
    match state {
        "running" | "done" | "failed" | "stopped" | "waiting" => shell.t(&format!("sync-state-{state}")),
        other => other.to_owned(),
    }
}

fn kind(run: &Run, shell: &Shell) -> String {
    match run.kind.as_str() {
        "first" | "nightly" | "asked" => shell.t(&format!("sync-kind-{}", run.kind)),
        other => other.to_owned(),
    }
}

fn begun(run: &Run, shell: &Shell) -> String {
    let kind = kind(run, shell);
    shell.with(
        "sync-begun",
        &[("kind", &kind), ("when", &shell.when(&run.started_at))],
    )
}

fn step_name(step: &StepState, shell: &Shell) -> String {
    if STEPS.contains(&step.step.as_str()) {
        shell.t(&format!("sync-step-{}", step.step))
    } else {
        step.step.clone()
    }
}

fn step_line(step: &StepState, is_first: bool, shell: &Shell) -> StepLine {
    let is_known = step.total > 0;
    let (done, total) = (format::count(step.done), format::count(step.total));
    let pace = step
        .pace(shell.now)
        .map(|pace| format::count(pace.round() as i64));
    let left = step.left_ms(shell.now).map(|ms| span(ms, shell));
    StepLine {
        name: step_name(step, shell),
        class: class(&step.state),
        state: state(&step.state, shell),
        seen: format::count(step.seen),
        width: if is_known {
            (step.done.min(step.total) * 100 / step.total).to_string()
        } else {
            String::new()
        },
        progress: if is_known {
            shell.with("sync-progress", &[("done", &done), ("total", &total)])
        } else {
            format::NONE.to_owned()
        },
        pace: pace.unwrap_or_else(|| format::NONE.to_owned()),
        left: left.unwrap_or_else(|| format::NONE.to_owned()),
        corrected: if is_first {
            format::NONE.to_owned()
        } else {
            format::count(step.changed + step.closed)
        },
        failed: step.failed,
        problem: step
            .problem
            .as_deref()
            .map(|problem| step_problem(step, problem, shell)),
    }
}

/// `40 秒`, `12 分钟`, `3 小时 20 分钟`.
fn span(ms: i64, shell: &Shell) -> String {
    match ms.max(0) {
        ms if ms < 90 * SECOND_MS => shell.t1("sync-seconds", "count", ms / SECOND_MS + 1),
        ms if ms < 90 * MINUTE_MS => shell.t1("sync-minutes", "count", ms / MINUTE_MS + 1),
        ms => shell.t2(
            "sync-hours",
            "hours",
            ms / HOUR_MS,
            "minutes",
            ms % HOUR_MS / MINUTE_MS,
        ),
    }
}

/// A step that failed as a whole for want of a permission names that one.
fn step_problem(step: &StepState, problem: &str, shell: &Shell) -> String {
    let is_whole = step.step == "groups" && step.state == "failed";
    match doctor::code_in(problem) {
        Some(code) if is_whole && doctor::is_permission(code) => {
            shell.t1("sync-why-groups", "code", code.to_string())
        }
        _ => why(problem, shell),
    }
}

/// The platform's refusal as a run keeps it, in words and with what is missing; another problem as it is.
fn why(problem: &str, shell: &Shell) -> String {
    let Some(code) = doctor::code_in(problem) else {
        return shell.t1("sync-why-other", "why", problem);
    };
    let key = match code {
        60011 | 60021 | 50002 => "sync-why-range",
        84074 | 48001 | 48002 | 84083 => "sync-why-permission",
        40003 | 46004 | 60111 => "sync-why-gone",
        _ => return shell.t1("sync-why-other", "why", problem),
    };
    shell.t1(key, "code", code.to_string())
}

fn unread_line(part: &Unread, shell: &Shell) -> UnreadLine {
    let members: Vec<&str> = part.members.iter().map(|userid| userid.0.as_str()).collect();
    UnreadLine {
        members: members.join("、"),
        why: why(&part.problem, shell),
    }
}

fn run_line(run: &Run, is_first: bool, shell: &Shell) -> RunLine {
    let sum = |of: fn(&StepState) -> i64| run.steps.iter().map(of).sum::<i64>();
    let (seen, corrected) = (
        format::count(sum(|step| step.seen)),
        format::count(run.corrections()),
    );
    RunLine {
        when: shell.when(&run.started_at),
        kind: kind(run, shell),
        class: class(&run.state),
        state: state(&run.state, shell),
        drift: if is_first {
            shell.with("sync-drift-first", &[("seen", &seen)])
        } else {
            shell.with("sync-drift", &[("seen", &seen), ("corrected", &corrected)])
        },
        failed: format::count(sum(|step| step.failed)),
    }
}

async fn look(app: &App, me: &Operator) -> Result<(Vec<Run>, Vec<Unread>, i64)> {
    let runs = sync::list(&app.db, &me.scope, RUNS).await?;
    let Some(run) = runs.first() else {
        return Ok((runs, Vec::new(), 0));
    };
    let unread = sync::unread(&app.db, &me.scope, run.id, UNREAD).await?;
    let all = sync::count_unread(&app.db, &me.scope, run.id).await?;
    Ok((runs, unread, all))
}

pub(super) async fn show(app: State<App>, shell: Shell, me: Operator) -> Result<Show<SyncPage>> {
    let (runs, unread, all) = look(&app, &me).await?;
    Ok(Show(SyncPage::new(shell, &runs, &unread, all)))
}

/// The renewing part alone, for the script.
pub(super) async fn part(app: State<App>, shell: Shell, me: Operator) -> Result<Show<SyncPart>> {
    let (runs, unread, all) = look(&app, &me).await?;
    Ok(Show(SyncPart::new(shell, &runs, &unread, all)))
}

/// Starts a run, or goes on with the one under way.
pub(super) async fn start(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let tx = app.db.begin().await?;
    let run = sync::start(&tx, &act, me.corp, Kind::Asked).await?;
    note(&tx, &act, &me, "sync.start", run).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(shell.go_saying("/admin/platform/sync", "toast-sync-started", &[]))
}

#[derive(Deserialize)]
pub(super) struct Which {
    run: SyncRunId,
}

pub(super) async fn stop(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(Which { run }): Form<Which>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let tx = app.db.begin().await?;
    sync::stop(&tx, &act, me.corp, run).await?;
    note(&tx, &act, &me, "sync.stop", run).await?;
    tx.commit().await?;
    Ok(shell.go_saying("/admin/platform/sync", "toast-sync-stopped", &[]))
}

async fn note(
    tx: &crate::db::Tx,
    act: &crate::scope::Act<'_>,
    me: &Operator,
    action: &str,
    run: SyncRunId,
) -> Result<(), crate::error::Error> {
    let nothing = serde_json::json!({});
    audit::append(tx, act, me.corp, action, &format!("sync:{run}"), &nothing).await
}
