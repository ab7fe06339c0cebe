//! Which departments are stores: every department as the platform has it, marks, and a table to import.

mod samples;

use std::collections::{HashMap, HashSet};

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::contacts;
use crate::directory::{self, DepartmentLine, Effect, Mark, RuleChange};
use crate::error::{Error, Problem, said};
use crate::routes::Routes;
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Query, Result, Shell, Show, session};

/// Departments on a page.
const ROWS: usize = 30;
const HERE: &str = "/admin/stores";

pub fn routes() -> Routes<App> {
    let administer = Policy::Can(Permission::Administer);
    Routes::new(session::guard)
        .get("/admin/stores", administer, show)
        .post("/admin/stores/rule", administer, begin_marking)
        .post("/admin/stores/marks", administer, mark)
        .post("/admin/stores/marks/end", administer, unmark)
        .post("/admin/stores/import", administer, import)
}

/// A department in its place below the others.
pub struct Row {
    pub id: i64,
    pub name: String,
    /// Names of the departments above, from the top.
    pub above: String,
    pub store: Option<String>,
    pub region: String,
    pub people: String,
    pub is_marked: bool,
}

/// A change that does something to people.
pub struct Asked {
    pub about: About,
    pub effect: Effect,
}

pub enum About {
    Table,
    Mark(Department),
    Unmark(Department),
}

pub struct Department {
    pub id: i64,
    pub name: String,
}

impl Asked {
    fn is_table(&self) -> bool {
        matches!(self.about, About::Table)
    }
}

#[derive(Template)]
#[template(path = "stores/show.html")]
pub struct StoresPage {
    pub shell: Shell,
    pub marked: i64,
    pub named: i64,
    pub rows: Vec<Row>,
    /// Pages before and after this one, by number from 0.
    pub previous: Option<usize>,
    pub next: Option<usize>,
    pub csv: String,
    /// What is asked about before it is done.
    pub asked: Option<Asked>,
    pub problems: Vec<FieldProblem>,
}

impl StoresPage {
    pub fn new(shell: Shell, departments: &[DepartmentLine], named: i64, page: usize) -> Self {
        let ordered = in_order(departments);
        let marked = departments.iter().filter(|one| one.is_marked).count() as i64;
        let last = ordered.len().saturating_sub(1) / ROWS;
        let page = page.min(last);
        let shown = ordered.iter().skip(page * ROWS).take(ROWS);
        Self {
            marked,
            named,
            rows: shown.map(|(above, one)| row(above, one, &shell)).collect(),
            previous: page.checked_sub(1),
            next: (page < last).then_some(page + 1),
            csv: String::new(),
            asked: None,
            problems: Vec::new(),
            shell,
        }
    }

    fn answer(&self) -> Safe<String> {
        match self.marked {
            0 => self.shell.rich("stores-rule-default", &[]),
            count => self.shell.rich("stores-rule-marked", &[("count", count.into())]),
        }
    }
}

impl StoresPage {
    fn asks_about_table(&self) -> bool {
        self.asked.as_ref().is_some_and(Asked::is_table)
    }

    fn question(&self, effect: &Effect) -> Safe<String> {
        let (leaving, moving) = (effect.leaving.into(), effect.moving.into());
        self.shell
            .rich("stores-ask", &[("leaving", leaving), ("moving", moving)])
    }
}

/// What somebody agreed to: another effect is asked about anew.
fn agreed(effect: &Effect) -> String {
    format!("{}.{}", effect.leaving, effect.moving)
}

/// Parents before children; each with the names above it. A department whose parent is out of sight stands at the top.
fn in_order(departments: &[DepartmentLine]) -> Vec<(String, &DepartmentLine)> {
    let known: HashSet<i64> = departments.iter().map(|one| one.id).collect();
    let mut children: HashMap<i64, Vec<&DepartmentLine>> = HashMap::new();
    for one in departments.iter().rev() {
        children.entry(one.parent_id).or_default().push(one);
    }
    let mut waiting: Vec<(String, &DepartmentLine)> = departments
        .iter()
        .filter(|one| !known.contains(&one.parent_id) || one.parent_id == one.id)
        .map(|one| (String::new(), one))
        .rev()
        .collect();
    let mut ordered = Vec::with_capacity(departments.len());
    while let Some((above, one)) = waiting.pop() {
        if ordered.len() == departments.len() {
            break;
        }
        let below = if above.is_empty() {
            one.name.clone()
        } else {
            format!("{above} / {}", one.name)
        };
        let next = children.remove(&one.id).unwrap_or_default();
        let next = next.into_iter().filter(|child| child.id != one.id);
        waiting.extend(next.map(|child| (below.clone(), child)));
        ordered.push((above, one));
    }
    ordered
}

fn row(above: &str, one: &DepartmentLine, shell: &Shell) -> Row {
    let store = one.code.as_ref().zip(one.store_name.as_ref());
    Row {
        id: one.id,
        name: name_of(one),
        above: above.to_owned(),
        people: store.map(|_| shell.count(&one.people)).unwrap_or_default(),
        store: store.map(|(code, name)| format!("{code} {name}")),
        region: one.region_name.clone().unwrap_or_default(),
        is_marked: one.is_marked,
    }
}

fn name_of(one: &DepartmentLine) -> String {
    if one.name.is_empty() {
        format!("D{}", one.id)
    } else {
        one.name.clone()
    }
}

#[derive(Deserialize)]
struct At {
    #[serde(default)]
    page: usize,
}

async fn show(app: State<App>, shell: Shell, me: Operator, Query(at): Query<At>) -> Result<Show<StoresPage>> {
    Ok(Show(page(&app, shell, &me, at.page).await?))
}

async fn page(app: &App, shell: Shell, me: &Operator, page: usize) -> Result<StoresPage> {
    let departments = directory::departments_with_stores(&app.db, me.corp).await?;
    let named = directory::members_named(&app.db, me.corp).await?;
    Ok(StoresPage::new(shell, &departments, named, page))
}

#[derive(Deserialize)]
struct Nothing {}

/// The first mark takes the others their stores, so marking begins with the stores of today.
async fn begin_marking(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let tx = app.db.begin().await?;
    let begun = contacts::change_rule(&tx, &app.act(me.actor()), &corp, &RuleChange::Begin).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(shell.go_saying(HERE, "toast-stores-begun", &[("count", begun.count.into())]))
}

#[derive(Deserialize)]
struct Which {
    department: i64,
    /// The effect that was asked about and agreed to.
    #[serde(default)]
    agreed: String,
}

async fn mark(app: State<App>, shell: Shell, me: Operator, Form(which): Form<Which>) -> Result<Response> {
    let change = RuleChange::Mark(Mark {
        department: which.department,
        ..Mark::default()
    });
    match try_change(&app, &me, &change, &which.agreed).await? {
        Tried::Done(_) => Ok(shell.go_saying(HERE, "toast-store-marked", &[])),
        // With nothing marked it does not stand by itself: today's stores come first.
        Tried::Asked(effect) if effect.leaving > 0 => {
            again(&app, shell, &me, first_mark(effect.leaving), String::new()).await
        }
        Tried::Asked(effect) => {
            let department = department(&app, &me, which.department).await?;
            ask(&app, shell, &me, About::Mark(department), effect, String::new()).await
        }
        Tried::Refused(error) => again(&app, shell, &me, error, String::new()).await,
    }
}

fn first_mark(leaving: i64) -> Error {
    Error::invalid(
        "/department",
        said!(
            "refused-first-mark",
            "nothing is marked yet: this mark would take {count} members out of their store; begin with today's stores",
            count = leaving
        ),
    )
}

async fn unmark(app: State<App>, shell: Shell, me: Operator, Form(which): Form<Which>) -> Result<Response> {
    let change = RuleChange::Unmark(which.department);
    match try_change(&app, &me, &change, &which.agreed).await? {
        Tried::Done(_) => Ok(shell.go_saying(HERE, "toast-store-unmarked", &[])),
        Tried::Asked(effect) => {
            let department = department(&app, &me, which.department).await?;
            ask(&app, shell, &me, About::Unmark(department), effect, String::new()).await
        }
        Tried::Refused(error) => again(&app, shell, &me, error, String::new()).await,
    }
}

#[derive(Deserialize)]
struct Table {
    csv: String,
    /// The effect that was asked about and agreed to.
    #[serde(default)]
    agreed: String,
}

async fn import(app: State<App>, shell: Shell, me: Operator, Form(table): Form<Table>) -> Result<Response> {
    let change = RuleChange::Import(table.csv.clone());
    match try_change(&app, &me, &change, &table.agreed).await? {
        Tried::Done(count) => {
            let count = count.into();
            Ok(shell.go_saying(HERE, "toast-stores-imported", &[("count", count)]))
        }
        Tried::Asked(effect) => ask(&app, shell, &me, About::Table, effect, table.csv).await,
        Tried::Refused(error) => again(&app, shell, &me, error, table.csv).await,
    }
}

enum Tried {
    /// With so many rows or marks.
    Done(i64),
    /// Nothing is changed: somebody would lose their store or come to another, and nobody agreed to that.
    Asked(Effect),
    Refused(Error),
}

/// Changes the rule if it does nothing to people, or what was agreed to.
async fn try_change(app: &App, me: &Operator, change: &RuleChange, agreed_to: &str) -> Result<Tried> {
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let tx = app.db.begin().await?;
    let changed = match contacts::change_rule(&tx, &app.act(me.actor()), &corp, change).await {
        Ok(changed) => changed,
        Err(error) => {
            tx.rollback().await?;
            return Ok(Tried::Refused(error));
        }
    };
    if !changed.effect.is_nothing() && agreed_to != agreed(&changed.effect) {
        tx.rollback().await?;
        return Ok(Tried::Asked(changed.effect));
    }
    tx.commit().await?;
    app.cache.ring().await;
    Ok(Tried::Done(changed.count))
}

async fn department(app: &App, me: &Operator, id: i64) -> Result<Department> {
    let departments = directory::departments_with_stores(&app.db, me.corp).await?;
    let named = departments.iter().find(|one| one.id == id);
    Ok(Department {
        id,
        name: named.map_or_else(|| format!("D{id}"), name_of),
    })
}

/// The page with the question.
async fn ask(
    app: &App,
    shell: Shell,
    me: &Operator,
    about: About,
    effect: Effect,
    csv: String,
) -> Result<Response> {
    let page = StoresPage {
        csv,
        asked: Some(Asked { about, effect }),
        ..page(app, shell, me, 0).await?
    };
    Ok(Show(page).into_response())
}

/// The page with what was wrong; a row's problem names row and column and leads to the table.
async fn again(app: &App, shell: Shell, me: &Operator, error: Error, csv: String) -> Result<Response> {
    let problems = match error {
        Error::Invalid(refused) => refused.iter().map(|problem| in_table(problem, &shell)).collect(),
        error => problems(&shell, error)?,
    };
    let page = page(app, shell.clone(), me, 0).await?;
    Ok(shell
        .refused(Show(StoresPage {
            csv,
            problems,
            ..page
        }))
        .into_response())
}

fn in_table(problem: &Problem, shell: &Shell) -> FieldProblem {
    let why = shell.say(&problem.message);
    let place = directory::row_and_column(&problem.pointer);
    let message = match place {
        None => why,
        Some((row, None)) => shell.tell("csv-row", &[("row", row.into()), ("why", why.into())]),
        Some((row, Some(column))) => shell.tell(
            "csv-at",
            &[
                ("row", row.into()),
                ("column", column.into()),
                ("why", why.into()),
            ],
        ),
    };
    let is_in_table = problem.pointer.starts_with("/rows");
    FieldProblem {
        field: if is_in_table { "csv" } else { "" }.to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departments_stand_below_their_parents_and_a_ring_ends() {
        let line = |id: i64, parent_id: i64, name: &str| DepartmentLine {
            id,
            parent_id,
            name: name.into(),
            ..DepartmentLine::default()
        };
        let departments = [
            line(21, 2, "一店"),
            line(1, 0, "总部"),
            line(2, 1, "华东"),
            line(3, 1, "华北"),
            line(8, 9, "甲"),
            line(9, 8, "乙"),
        ];
        let ordered = in_order(&departments);
        let names: Vec<(&str, &str)> = ordered
            .iter()
            .map(|(above, one)| (above.as_str(), one.name.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("", "总部"),
                ("总部", "华东"),
                ("总部 / 华东", "一店"),
                ("总部", "华北")
            ]
        );
    }
}
