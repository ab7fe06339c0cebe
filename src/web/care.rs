//! Follow-ups: what is to be done for whom by when, as a list of its own, on the workbench and on a customer's page.

mod samples;

pub use samples::sample as sample_follow_ups;

use askama::Template;
use askama::filters::Safe;
use axum::extract::State as With;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::care::{self, FollowUp, FollowUpFilter, State};
use crate::error::{Error, said};
use crate::ids::{ContactId, FollowUpId};
use crate::page::{Page, PageOf};
use crate::routes::Routes;
use crate::time::Day;
use crate::web::session::{self, local};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Query, Result, Shell, Show};

const HERE: &str = "/follow-ups";
/// A page stays small on a phone's connection.
const ROWS: i64 = 12;

pub fn routes() -> Routes<App> {
    let read = Policy::Can(Permission::ContactsRead);
    let write = Policy::Can(Permission::ContactsWrite);
    Routes::new(session::guard)
        .get(HERE, read, list)
        .post("/follow-ups/{id}/completion", write, complete)
        .post("/follow-ups/{id}/reopening", write, reopen)
        .post("/follow-ups/{id}/day", write, put_off)
        .post("/follow-ups/{id}/end", write, drop)
}

/// A follow-up as a line.
pub struct Line {
    pub id: FollowUpId,
    pub contact_id: ContactId,
    pub contact: String,
    pub associate: String,
    pub what: String,
    /// The chip's class, and the day in words.
    pub class: &'static str,
    pub due: String,
    pub due_day: String,
    pub is_open: bool,
}

/// Follow-ups as lines.
pub fn lines(shell: &Shell, follow_ups: &[FollowUp]) -> Vec<Line> {
    let line = |one: &FollowUp| {
        let (class, due) = due(shell, one);
        Line {
            id: one.id,
            contact_id: one.contact_id,
            contact: one.contact_name.clone(),
            associate: one.associate_name.clone(),
            what: one.what.clone(),
            class,
            due,
            due_day: one.due_day.max(shell.today().plus(1)).to_string(),
            is_open: one.is_open(),
        }
    };
    follow_ups.iter().map(line).collect()
}

fn due(shell: &Shell, one: &FollowUp) -> (&'static str, String) {
    if let Some(at) = one.ended_at {
        return ("g", shell.t1("follow-up-done-at", "when", shell.when(&at)));
    }
    match one.due_day.since(shell.today()) {
        0 => ("w", shell.t("follow-up-today")),
        1 => ("", shell.t("follow-up-tomorrow")),
        left if left < 0 => ("r", shell.t1("follow-up-late", "days", -left)),
        _ => ("", shell.day(&one.due_day)),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `done`: those that are done; else the open ones.
    state: String,
    after: Option<String>,
}

impl Asked {
    fn state(&self) -> State {
        match self.state.as_str() {
            "done" => State::Done,
            _ => State::Open,
        }
    }
}

#[derive(Template)]
#[template(path = "care/list.html")]
pub struct FollowUpsPage {
    pub shell: Shell,
    pub answer: Safe<String>,
    pub state: State,
    pub rows: Vec<Line>,
    pub next: Option<String>,
    pub problems: Vec<FieldProblem>,
}

impl FollowUpsPage {
    /// `due`: how many are due today or were before.
    pub fn new(shell: Shell, state: State, due: i64, found: Page<FollowUp>) -> Self {
        let answer = match (state, due, found.items.is_empty()) {
            (State::Open, 0, true) => shell.rich("follow-ups-none", &[]),
            (State::Open, 0, false) => shell.rich("follow-ups-later", &[]),
            (State::Open, due, _) => shell.rich("follow-ups-due", &[("count", due.into())]),
            (_, _, true) => shell.rich("follow-ups-none-done", &[]),
            (_, _, false) => shell.rich("follow-ups-done", &[]),
        };
        let of_state = if state == State::Done { "state=done&" } else { "" };
        Self {
            answer,
            state,
            rows: lines(&shell, &found.items),
            next: found
                .next
                .map(|after| format!("{HERE}?{of_state}after={}", shell.encode(&after))),
            problems: Vec::new(),
            shell,
        }
    }

    fn is_open(&self) -> bool {
        self.state == State::Open
    }
}

async fn page(app: &App, shell: Shell, me: &Operator, asked: Asked) -> Result<FollowUpsPage> {
    let filter = FollowUpFilter {
        state: asked.state(),
        ..FollowUpFilter::default()
    };
    let page = PageOf::new(Some(ROWS), asked.after)?;
    let found = care::list(&app.db, &me.scope, &filter, &page).await?;
    let due = care::count_due(&app.db, &me.scope, shell.today()).await?;
    Ok(FollowUpsPage::new(shell, filter.state, due, found))
}

async fn list(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Query(asked): Query<Asked>,
) -> Result<Show<FollowUpsPage>> {
    Ok(Show(page(&app, shell, &me, asked).await?))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Back {
    return_to: Option<String>,
}

impl Back {
    fn to(&self) -> &str {
        match self.return_to.as_deref() {
            Some(_) => local(self.return_to.as_deref()),
            None => HERE,
        }
    }
}

async fn complete(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<FollowUpId>,
    Form(back): Form<Back>,
) -> Result<Response> {
    turn(&app, &me, id, State::Done).await?;
    Ok(shell.go_saying(back.to(), "toast-follow-up-done", &[]))
}

async fn reopen(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<FollowUpId>,
    Form(back): Form<Back>,
) -> Result<Response> {
    turn(&app, &me, id, State::Open).await?;
    Ok(shell.go_saying(back.to(), "toast-follow-up-open", &[]))
}

async fn drop(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<FollowUpId>,
    Form(back): Form<Back>,
) -> Result<Response> {
    turn(&app, &me, id, State::Dropped).await?;
    Ok(shell.go_saying(back.to(), "toast-follow-up-dropped", &[]))
}

async fn turn(app: &App, me: &Operator, id: FollowUpId, next: State) -> Result<(), Error> {
    let tx = app.db.begin().await?;
    care::turn(&tx, &app.act(me.actor()), &me.scope, id, next).await?;
    tx.commit().await
}

#[derive(Deserialize)]
struct Later {
    #[serde(default)]
    due_day: String,
    return_to: Option<String>,
}

/// Puts one off. A day that cannot be is told above the list.
async fn put_off(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<FollowUpId>,
    Form(later): Form<Later>,
) -> Result<Response> {
    let back = Back {
        return_to: later.return_to,
    };
    match try_put_off(&app, &me, id, &later.due_day).await {
        Ok(day) => {
            let day = shell.day(&day);
            Ok(shell.go_saying(back.to(), "toast-follow-up-later", &[("day", day.into())]))
        }
        Err(error) => {
            let problems = problems(&shell, error)?;
            let problems = problems.into_iter().map(|problem| FieldProblem {
                field: String::new(),
                ..problem
            });
            let shell = Shell {
                address: HERE.to_owned(),
                ..shell
            };
            let mut page = page(&app, shell.clone(), &me, Asked::default()).await?;
            page.problems = problems.collect();
            Ok(shell.refused(Show(page)).into_response())
        }
    }
}

async fn try_put_off(app: &App, me: &Operator, id: FollowUpId, day: &str) -> Result<Day, Error> {
    let day = read_day(day)?;
    let tx = app.db.begin().await?;
    care::put_off(&tx, &app.act(me.actor()), &me.scope, id, day).await?;
    tx.commit().await?;
    Ok(day)
}

/// A day as a form gives it.
pub fn read_day(text: &str) -> Result<Day, Error> {
    Day::parse(text.trim()).ok_or_else(|| {
        Error::invalid(
            "/due_day",
            said!("refused-follow-up-no-day", "choose a day, like `2026-11-23`"),
        )
    })
}
