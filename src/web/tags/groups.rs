//! Groups and their tags: how many carry each, new ones, other names, and a group taken away with its tags.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{View, views};
use crate::app::App;
use crate::auth::Operator;
use crate::error::Error;
use crate::ids::TagGroupId;
use crate::tags::{self, Into as Place, TagGroup};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Result, Shell, Show, format};

pub(super) const HERE: &str = "/tags";

#[derive(Template)]
#[template(path = "tags/list.html")]
pub struct TagsPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub groups: Vec<TagGroup>,
    pub typed: NewGroup,
    pub problems: Vec<FieldProblem>,
}

/// A group to make, with its first tags: one a line.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct NewGroup {
    pub name: String,
    pub tags: String,
}

impl NewGroup {
    fn tags(&self) -> Vec<String> {
        let lines = self.tags.lines().map(str::trim);
        lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

impl TagsPage {
    pub fn new(shell: Shell, groups: Vec<TagGroup>) -> Self {
        let all: Vec<_> = groups.iter().flat_map(|group| &group.tags).collect();
        let idle = all.iter().filter(|tag| tag.contacts == Some(0)).count();
        let counts = [
            ("tags", all.len().into()),
            ("groups", groups.len().into()),
            ("idle", idle.into()),
        ];
        Self {
            views: views(&shell),
            answer: match (all.len(), idle) {
                (0, _) => shell.rich("tags-none", &[]),
                (_, 0) => shell.rich("tags-answer", &counts),
                _ => shell.rich("tags-answer-idle", &counts),
            },
            groups,
            typed: NewGroup::default(),
            problems: Vec::new(),
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    fn carried(&self, contacts: &Option<i64>) -> String {
        format::count(contacts.unwrap_or(0))
    }
}

pub async fn list(app: State<App>, shell: Shell, me: Operator) -> Result<Show<TagsPage>> {
    let groups = tags::counted_groups(&app.db, &me.scope).await?;
    Ok(Show(TagsPage::new(shell, groups)))
}

pub async fn add(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(typed): Form<NewGroup>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let names = typed.tags();
    let problems = if names.is_empty() {
        vec![FieldProblem {
            field: "tags".into(),
            message: shell.t("tags-no-first"),
        }]
    } else {
        match tags::create_group(&app, &act, &me.scope, &typed.name, &names).await {
            Ok(_) => return Ok(shell.go_saying(HERE, "toast-tag-group-made", &[])),
            Err(error) => refused(&shell, error)?,
        }
    };
    let groups = tags::counted_groups(&app.db, &me.scope).await?;
    let page = TagsPage::new(shell.clone(), groups);
    Ok(shell.refused(Show(TagsPage {
        problems,
        typed,
        ..page
    })))
}

/// A list of names has one field.
fn refused(shell: &Shell, error: Error) -> Result<Vec<FieldProblem>> {
    let mut found = problems(shell, error)?;
    for problem in &mut found {
        if problem.field.starts_with("tags-") {
            problem.field = "tags".into();
        }
    }
    Ok(found)
}

#[derive(Template)]
#[template(path = "tags/group.html")]
pub struct GroupPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub group: TagGroup,
    /// What was typed as the group's name, and as a new tag's.
    pub name: String,
    pub tag: String,
    pub problems: Vec<FieldProblem>,
}

impl GroupPage {
    pub fn new(shell: Shell, group: TagGroup) -> Self {
        let carried: i64 = group.tags.iter().filter_map(|tag| tag.contacts).sum();
        let args = [
            ("name", group.name.as_str().into()),
            ("tags", group.tags.len().into()),
            ("count", carried.into()),
        ];
        Self {
            views: views(&shell),
            answer: shell.rich("tag-group-answer", &args),
            name: group.name.clone(),
            tag: String::new(),
            problems: Vec::new(),
            group,
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }

    fn carried(&self, contacts: &Option<i64>) -> String {
        format::count(contacts.unwrap_or(0))
    }

    /// Pairs that lose a tag when the group goes.
    fn concerned(&self) -> i64 {
        self.group.tags.iter().filter_map(|tag| tag.contacts).sum()
    }
}

async fn found(app: &App, me: &Operator, id: TagGroupId) -> Result<TagGroup> {
    let groups = tags::counted_groups(&app.db, &me.scope).await?;
    let found = groups.into_iter().find(|group| group.id == id);
    Ok(found.ok_or(Error::NotFound)?)
}

pub async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagGroupId>,
) -> Result<Show<GroupPage>> {
    Ok(Show(GroupPage::new(shell, found(&app, &me, id).await?)))
}

#[derive(Deserialize)]
pub struct Named {
    #[serde(default)]
    pub name: String,
}

pub async fn rename(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagGroupId>,
    Form(named): Form<Named>,
) -> Result<Response> {
    let act = app.act(me.actor());
    match tags::rename_group(&app, &act, &me.scope, id, &named.name).await {
        Ok(()) => Ok(shell.go_saying(&format!("{HERE}/groups/{id}"), "toast-tag-renamed", &[])),
        Err(error) => {
            let problems = problems(&shell, error)?;
            let page = GroupPage::new(shell.clone(), found(&app, &me, id).await?);
            Ok(shell.refused(Show(GroupPage {
                problems,
                name: named.name,
                ..page
            })))
        }
    }
}

pub async fn add_tag(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagGroupId>,
    Form(named): Form<Named>,
) -> Result<Response> {
    let act = app.act(me.actor());
    match tags::create(&app, &act, &me.scope, Place::Group(id), &named.name).await {
        Ok(_) => Ok(shell.go_saying(&format!("{HERE}/groups/{id}"), "toast-tag-made", &[])),
        Err(error) => {
            let mut problems = problems(&shell, error)?;
            for problem in &mut problems {
                if problem.field == "name" {
                    problem.field = "tag".into();
                }
            }
            let page = GroupPage::new(shell.clone(), found(&app, &me, id).await?);
            Ok(shell.refused(Show(GroupPage {
                problems,
                tag: named.name,
                ..page
            })))
        }
    }
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn delete(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagGroupId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    match tags::delete_group(&app, &app.act(me.actor()), &me.scope, id).await {
        Ok(()) => Ok(shell.go_saying(HERE, "toast-tag-deleted", &[])),
        Err(error) => {
            let problems = problems(&shell, error)?;
            let page = GroupPage::new(shell.clone(), found(&app, &me, id).await?);
            Ok(shell.refused(Show(GroupPage { problems, ..page })))
        }
    }
}
