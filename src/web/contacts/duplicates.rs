//! Customers that are one person: those found, to be merged, and merges done, to be undone.

use std::collections::HashMap;

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::views::Nothing;
use crate::app::App;
use crate::auth::{self, Operator};
use crate::error::{Error, Result as Outcome};
use crate::ids::{ContactId, MergeId};
use crate::page::{Page, PageOf};
use crate::persons::{self, Duplicate, Merge, Twin};
use crate::scope::Actor;
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Query, Result, Shell, Show, format};

const HERE: &str = "/contacts/duplicates";
/// Persons on the page, and merges.
const SHOWN: i64 = 20;
/// Of an external_userid: enough to tell two apart.
const TAIL: usize = 6;

/// One of the customers that are one person.
pub struct Side {
    pub id: ContactId,
    pub name: String,
    pub tail: String,
    pub associates: String,
    pub added: String,
    pub orders: String,
    pub is_first: bool,
}

/// Customers that are one person.
pub struct Group {
    pub sides: Vec<Side>,
    /// Their ids, for the form.
    pub ids: String,
}

pub struct Done {
    pub id: MergeId,
    pub kept: ContactId,
    pub kept_name: String,
    pub merged_name: String,
    pub tail: String,
    pub who: String,
    pub when: String,
    pub is_undone: bool,
    pub is_last: bool,
}

#[derive(Template)]
#[template(path = "contacts/duplicates.html")]
pub struct DuplicatesPage {
    pub shell: Shell,
    pub answer: Safe<String>,
    pub groups: Vec<Group>,
    pub next: Option<String>,
    pub done: Vec<Done>,
    pub next_done: Option<String>,
    pub problems: Vec<FieldProblem>,
}

impl DuplicatesPage {
    pub fn new(
        shell: Shell,
        found: &Page<Duplicate>,
        done: &Page<Merge>,
        names: &HashMap<Actor, String>,
    ) -> Self {
        let link = |name: &str, after: &Option<String>| {
            let after = after.as_deref()?;
            Some(format!("{HERE}?{name}={}", shell.encode(after)))
        };
        Self {
            answer: match (found.items.len(), &found.next) {
                (0, None) => shell.rich("duplicates-none", &[]),
                (count, None) => shell.rich("duplicates-answer", &[("count", count.into())]),
                (_, Some(_)) => shell.rich("duplicates-answer-more", &[]),
            },
            groups: found.items.iter().map(|one| group(one, &shell)).collect(),
            next: link("after", &found.next),
            done: done.items.iter().map(|one| line(one, names, &shell)).collect(),
            next_done: link("done", &done.next),
            problems: Vec::new(),
            shell,
        }
    }
}

fn tail(external: &str) -> String {
    let from = external.char_indices().rev().nth(TAIL - 1);
    format!("…{}", from.map_or(external, |(place, _)| &external[place..]))
}

fn group(found: &Duplicate, shell: &Shell) -> Group {
    let side = |(place, twin): (usize, &Twin)| Side {
        id: twin.id,
        name: twin.name.clone(),
        tail: tail(&twin.external_userid),
        associates: match twin.associates.is_empty() {
            true => shell.t("duplicates-nobody"),
            false => twin.associates.join(&shell.t("say-and")),
        },
        added: twin
            .last_added_at
            .map_or_else(|| format::NONE.into(), |at| shell.when(&at)),
        orders: format::count(twin.orders),
        is_first: place == 0,
    };
    let ids: Vec<String> = found.contacts.iter().map(|twin| twin.id.to_string()).collect();
    Group {
        sides: found.contacts.iter().enumerate().map(side).collect(),
        ids: ids.join(" "),
    }
}

fn line(merge: &Merge, names: &HashMap<Actor, String>, shell: &Shell) -> Done {
    let who = Actor::parse(&merge.created_by).and_then(|by| names.get(&by).cloned());
    Done {
        id: merge.id,
        kept: merge.kept_id,
        kept_name: merge.kept_name.clone(),
        merged_name: merge.merged_name.clone(),
        tail: tail(&merge.merged_external_userid),
        who: who.unwrap_or_else(|| shell.t("mark-by-system")),
        when: shell.when(&merge.created_at),
        is_undone: merge.undone_at.is_some(),
        is_last: merge.undo_first.is_none(),
    }
}

#[derive(Default, Deserialize)]
pub struct Since {
    after: Option<String>,
    done: Option<String>,
}

async fn page(app: &App, shell: Shell, me: &Operator, since: Since) -> Result<DuplicatesPage> {
    let found = PageOf::new(Some(SHOWN), since.after)?;
    let found = persons::duplicates(&app.db, &me.scope, &found).await?;
    let done = PageOf::new(Some(SHOWN), since.done)?;
    let done = persons::done(&app.db, &me.scope, &done).await?;
    let actors: Vec<Actor> = done
        .items
        .iter()
        .filter_map(|merge| Actor::parse(&merge.created_by))
        .collect();
    let names = auth::actor_names(&app.db, me.corp, &actors).await?;
    Ok(DuplicatesPage::new(shell, &found, &done, &names))
}

pub async fn list(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(since): Query<Since>,
) -> Result<Show<DuplicatesPage>> {
    Ok(Show(page(&app, shell, &me, since).await?))
}

async fn refused(app: &App, shell: &Shell, me: &Operator, error: Error) -> Result<Response> {
    let problems = problems(shell, error)?;
    let page = page(app, shell.clone(), me, Since::default()).await?;
    Ok(shell.refused(Show(DuplicatesPage { problems, ..page })))
}

#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    keep: String,
    /// Everybody who was shown beside the one to keep.
    #[serde(default)]
    ids: String,
}

/// The others become the one that is kept, all of them or none.
pub async fn merge(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(chosen): Form<Chosen>,
) -> Result<Response> {
    match try_merge(&app, &me, &chosen).await {
        Ok(()) => Ok(shell.go_saying(HERE, "toast-merged", &[])),
        Err(error) => refused(&app, &shell, &me, error).await,
    }
}

async fn try_merge(app: &App, me: &Operator, chosen: &Chosen) -> Outcome<()> {
    let keep: ContactId = chosen.keep.parse().map_err(|_| Error::NotFound)?;
    let act = app.act(me.actor());
    let tx = app.db.begin().await?;
    for id in chosen.ids.split_whitespace() {
        let other: ContactId = id.parse().map_err(|_| Error::NotFound)?;
        if other != keep {
            persons::merge(&tx, &act, &me.scope, &app.sealer, keep, other).await?;
        }
    }
    tx.commit().await
}

pub async fn undo(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<MergeId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    match persons::undo(&tx, &app.act(me.actor()), &me.scope, id).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(shell.go_saying(HERE, "toast-unmerged", &[]))
        }
        Err(error) => {
            tx.rollback().await?;
            refused(&app, &shell, &me, error).await
        }
    }
}
