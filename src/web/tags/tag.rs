//! One tag: how many people carry it, another name, another tag that it becomes, and its end.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::groups::{HERE, Named, Nothing};
use super::{View, marks, views};
use crate::app::App;
use crate::auth::Operator;
use crate::directory;
use crate::error::Error;
use crate::ids::TagId;
use crate::marking;
use crate::segments::{self, Rule};
use crate::tags::{self, Tag, TagGroup};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Result, Shell, Show};

#[derive(Template)]
#[template(path = "tags/tag.html")]
pub struct TagPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub tag: Tag,
    /// People who carry it.
    pub people: i64,
    pub tag_groups: Vec<TagGroup>,
    pub name: String,
    pub into: Option<TagId>,
    pub problems: Vec<FieldProblem>,
}

impl TagPage {
    pub fn new(shell: Shell, tag: Tag, people: i64, tag_groups: Vec<TagGroup>) -> Self {
        let args = [("name", tag.name.as_str().into()), ("count", people.into())];
        Self {
            views: views(&shell),
            answer: match people {
                0 => shell.rich("tag-answer-nobody", &args),
                _ => shell.rich("tag-answer", &args),
            },
            name: tag.name.clone(),
            into: None,
            problems: Vec::new(),
            tag,
            people,
            tag_groups,
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    fn is_other(&self, id: &TagId) -> bool {
        self.tag.id != *id
    }

    fn is_into(&self, id: &TagId) -> bool {
        self.into == Some(*id)
    }

    fn group_name(&self) -> &str {
        let group = self.tag_groups.iter().find(|group| group.id == self.tag.group_id);
        group.map_or("", |group| group.name.as_str())
    }
}

async fn page(app: &App, shell: Shell, me: &Operator, id: TagId) -> Result<TagPage> {
    let tag = tags::find(&app.db, &me.scope, id).await?;
    let zone = directory::find_corp(&app.db, me.corp).await?.zone;
    let preview = segments::preview(app, &me.scope, &Rule::Tag(id), zone, app.now()).await?;
    let tag_groups = tags::groups(&app.db, &me.scope).await?;
    Ok(TagPage::new(shell, tag, preview.count, tag_groups))
}

pub async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagId>,
) -> Result<Show<TagPage>> {
    Ok(Show(page(&app, shell, &me, id).await?))
}

async fn refused(app: &App, shell: Shell, me: &Operator, id: TagId, error: Error) -> Result<TagPage> {
    let problems = problems(&shell, error)?;
    let page = page(app, shell, me, id).await?;
    Ok(TagPage { problems, ..page })
}

pub async fn rename(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagId>,
    Form(named): Form<Named>,
) -> Result<Response> {
    match tags::rename(&app, &app.act(me.actor()), &me.scope, id, &named.name).await {
        Ok(()) => Ok(shell.go_saying(&format!("{HERE}/{id}"), "toast-tag-renamed", &[])),
        Err(error) => {
            let page = refused(&app, shell.clone(), &me, id, error).await?;
            Ok(shell.refused(Show(TagPage {
                name: named.name,
                ..page
            })))
        }
    }
}

#[derive(Deserialize)]
pub struct Merger {
    #[serde(default)]
    into: String,
}

/// Everybody who carries it gets the other; then it goes.
pub async fn merge(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagId>,
    Form(merger): Form<Merger>,
) -> Result<Response> {
    let Ok(into) = merger.into.parse::<TagId>() else {
        let page = page(&app, shell.clone(), &me, id).await?;
        let problems = vec![FieldProblem {
            field: "into".into(),
            message: shell.t("tag-no-into"),
        }];
        return Ok(shell.refused(Show(TagPage { problems, ..page })));
    };
    match marking::merge(&app, &app.act(me.actor()), &me.scope, id, into).await {
        Ok(Some(begun)) => Ok(shell.go_saying(
            &format!("{}/{}", marks::HERE, begun.id),
            "toast-mark-started",
            &[("count", begun.total.into())],
        )),
        Ok(None) => Ok(shell.go_saying(HERE, "toast-tag-deleted", &[])),
        Err(error) => {
            let page = refused(&app, shell.clone(), &me, id, error).await?;
            Ok(shell.refused(Show(TagPage {
                into: Some(into),
                ..page
            })))
        }
    }
}

pub async fn delete(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    match tags::delete(&app, &app.act(me.actor()), &me.scope, id).await {
        Ok(()) => Ok(shell.go_saying(HERE, "toast-tag-deleted", &[])),
        Err(error) => {
            let page = refused(&app, shell.clone(), &me, id, error).await?;
            Ok(shell.refused(Show(page)))
        }
    }
}
