//! Markings: those so far, and one with its progress and who was refused.

use std::collections::HashMap;

use askama::Template;
use askama::filters::Safe;
use axum::extract::State as With;
use axum::response::Response;
use serde::Deserialize;

use super::{View, views};
use crate::app::App;
use crate::auth::{self, Operator};
use crate::db::Tx;
use crate::error::Arg;
use crate::ids::{ContactId, MarkingId, TagId};
use crate::marking::{self, Kind, Marking, RefusedMark, State, Told};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Actor, Scope};
use crate::tags;
use crate::time::MINUTE_MS;
use crate::web::{Form, Path, Query, Result, Shell, Show, format};

/// Markings on the page, and refused customers of one.
const SHOWN: i64 = 20;
pub(super) const HERE: &str = "/tags/marks";

/// What markings name: tags, and whoever asked.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub tags: HashMap<TagId, String>,
    pub actors: HashMap<Actor, String>,
}

impl Names {
    async fn of(app: &App, scope: &Scope, markings: &[Marking]) -> Result<Self> {
        let tags: Vec<TagId> = markings
            .iter()
            .flat_map(|one| one.add.iter().chain(&one.remove).copied())
            .collect();
        let actors: Vec<Actor> = markings
            .iter()
            .filter_map(|one| Actor::parse(&one.created_by))
            .collect();
        Ok(Self {
            tags: tags::names(&app.db, scope, tags).await?,
            actors: auth::actor_names(&app.db, scope.corp, &actors).await?,
        })
    }

    /// `打上“金卡”，去掉“银卡”`.
    fn what(&self, marking: &Marking, shell: &Shell) -> String {
        let said = |ids: &[TagId]| {
            let names: Vec<&str> = ids
                .iter()
                .map(|id| self.tags.get(id).map_or(format::NONE, String::as_str))
                .collect();
            names.join(&shell.t("say-and"))
        };
        let (add, remove) = (said(&marking.add), said(&marking.remove));
        let key = match (marking.kind, add.is_empty(), remove.is_empty()) {
            (Kind::Merge, ..) => "mark-what-merge",
            (_, false, true) => "mark-what-add",
            (_, true, _) => "mark-what-remove",
            (_, false, false) => "mark-what-both",
        };
        shell.with(key, &[("add", &add), ("remove", &remove)])
    }

    fn who(&self, marking: &Marking, shell: &Shell) -> String {
        match Actor::parse(&marking.created_by) {
            Some(Actor::Rule(_)) => shell.t("mark-by-rule"),
            Some(actor) => match self.actors.get(&actor) {
                Some(name) => name.clone(),
                None => shell.t("mark-by-system"),
            },
            None => shell.t("mark-by-system"),
        }
    }
}

pub struct Line {
    pub id: MarkingId,
    pub what: String,
    pub who: String,
    pub when: String,
    pub class: &'static str,
    pub state: String,
    pub total: String,
    pub changed: String,
    pub unchanged: String,
    pub refused: String,
    pub has_refused: bool,
}

fn line(marking: &Marking, names: &Names, shell: &Shell) -> Line {
    Line {
        id: marking.id,
        what: names.what(marking, shell),
        who: names.who(marking, shell),
        when: shell.when(&marking.created_at),
        class: match marking.state {
            State::Done => "g",
            State::Failed => "r",
            State::Stopped | State::Paused => "w",
            State::Running => "i0",
        },
        state: shell.t(&format!("mark-state-{}", marking.state.as_str())),
        total: format::count(marking.total),
        changed: format::count(marking.changed),
        unchanged: format::count(marking.unchanged),
        refused: format::count(marking.refused),
        has_refused: marking.refused > 0,
    }
}

#[derive(Template)]
#[template(path = "tags/marks.html")]
pub struct MarksPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub lines: Vec<Line>,
    pub is_moving: bool,
    pub next: Option<String>,
}

impl MarksPage {
    pub fn new(shell: Shell, page: &Page<Marking>, names: &Names) -> Self {
        let markings = &page.items;
        Self {
            views: views(&shell),
            answer: match markings.first() {
                None => shell.rich("mark-none", &[]),
                Some(last) => answer(last, &shell),
            },
            is_moving: markings.iter().any(|one| one.state == State::Running),
            lines: markings.iter().map(|one| line(one, names, &shell)).collect(),
            next: page
                .next
                .as_deref()
                .map(|after| format!("{HERE}?after={}", shell.encode(after))),
            shell,
        }
    }
}

/// What became of a marking, as one would say it.
fn answer(marking: &Marking, shell: &Shell) -> Safe<String> {
    let number = |name: &'static str, value: i64| (name, Arg::from(value));
    let right = number("right", marking.changed + marking.unchanged);
    let (total, through) = (
        number("total", marking.total),
        number("through", marking.through()),
    );
    let changed = number("changed", marking.changed);
    match marking.state {
        State::Running => shell.rich("mark-answer-running", &[total, through]),
        State::Paused => shell.rich("mark-answer-paused", &[total, through]),
        State::Done if marking.refused == 0 => shell.rich("mark-answer-done", &[right, changed]),
        State::Done => shell.rich(
            "mark-answer-partly",
            &[total, right, number("refused", marking.refused)],
        ),
        State::Stopped => shell.rich("mark-answer-stopped", &[changed]),
        State::Failed => shell.rich("mark-answer-failed", &[changed]),
    }
}

/// A customer who was not marked.
pub struct RefusedLine {
    pub contact: ContactId,
    pub name: String,
    pub associate: String,
    pub why: String,
}

#[derive(Template)]
#[template(path = "tags/mark.html")]
pub struct MarkPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub line: Line,
    pub problem: Option<String>,
    pub is_moving: bool,
    pub may_pause: bool,
    pub may_go_on: bool,
    pub may_stop: bool,
    pub width: i64,
    pub progress: String,
    pub refused: Vec<RefusedLine>,
    pub next: Option<String>,
    pub first: Option<String>,
}

impl MarkPage {
    pub fn new(
        shell: Shell,
        marking: &Marking,
        names: &Names,
        refused: &Page<RefusedMark>,
        is_later: bool,
    ) -> Self {
        let here = format!("{HERE}/{}", marking.id);
        Self {
            views: views(&shell),
            answer: answer(marking, &shell),
            line: line(marking, names, &shell),
            problem: marking.problem.as_ref().map(|told| why(told, &shell)),
            is_moving: marking.state == State::Running,
            may_pause: marking.state.may_become(State::Paused),
            may_go_on: marking.state.may_become(State::Running),
            may_stop: marking.state.may_become(State::Stopped),
            width: marking.through().min(marking.total) * 100 / marking.total.max(1),
            progress: progress(marking, &shell),
            refused: refused
                .items
                .iter()
                .map(|one| RefusedLine {
                    contact: one.contact_id,
                    name: one.contact_name.clone(),
                    associate: one.associate_name.clone().unwrap_or_default(),
                    why: why(&one.reason, &shell),
                })
                .collect(),
            next: refused
                .next
                .as_deref()
                .map(|after| format!("{here}?after={}", shell.encode(after))),
            first: is_later.then_some(here),
            shell,
        }
    }
}

/// How far it is, and how long it takes if it goes on like this.
fn progress(marking: &Marking, shell: &Shell) -> String {
    let (through, total) = (format::count(marking.through()), format::count(marking.total));
    let far = shell.with("mark-progress", &[("done", &through), ("total", &total)]);
    match marking.left_ms(shell.now) {
        Some(left_ms) => {
            let minutes = (left_ms + MINUTE_MS - 1) / MINUTE_MS;
            format!("{far} · {}", shell.t1("mark-left", "minutes", minutes.max(1)))
        }
        None => far,
    }
}

/// In the reader's language.
fn why(told: &Told, shell: &Shell) -> String {
    if told.key.is_empty() {
        return told.text.clone();
    }
    let args: Vec<(&str, Arg)> = told
        .args
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    shell.tell(&told.key, &args)
}

#[derive(Deserialize)]
pub struct After {
    after: Option<String>,
}

pub async fn list(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Query(asked): Query<After>,
) -> Result<Show<MarksPage>> {
    let page = PageOf::new(Some(SHOWN), asked.after)?;
    let markings = marking::list(&app.db, &me.scope, me.actor(), &page).await?;
    let names = Names::of(&app, &me.scope, &markings.items).await?;
    Ok(Show(MarksPage::new(shell, &markings, &names)))
}

pub async fn show(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MarkingId>,
    Query(asked): Query<After>,
) -> Result<Show<MarkPage>> {
    let is_later = asked.after.as_deref().is_some_and(|after| !after.is_empty());
    let page = PageOf::new(Some(SHOWN), asked.after)?;
    let marking = marking::find(&app.db, &me.scope, me.actor(), id).await?;
    let refused = marking::refused(&app.db, &me.scope, me.actor(), id, &page).await?;
    let names = Names::of(&app, &me.scope, std::slice::from_ref(&marking)).await?;
    Ok(Show(MarkPage::new(shell, &marking, &names, &refused, is_later)))
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn pause(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MarkingId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    marking::pause(&tx, &app.act(me.actor()), &me.scope, id).await?;
    done(&app, tx, &shell, id, "toast-mark-paused").await
}

pub async fn go_on(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MarkingId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    marking::go_on(&tx, &app.act(me.actor()), &me.scope, id).await?;
    done(&app, tx, &shell, id, "toast-mark-resumed").await
}

pub async fn stop(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MarkingId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    let act: Act<'_> = app.act(me.actor());
    marking::stop(&tx, &act, &me.scope, id).await?;
    done(&app, tx, &shell, id, "toast-mark-stopped").await
}

async fn done(app: &App, tx: Tx, shell: &Shell, id: MarkingId, toast: &str) -> Result<Response> {
    tx.commit().await?;
    app.cache.ring().await;
    Ok(shell.go_saying(&format!("{HERE}/{id}"), toast, &[]))
}
