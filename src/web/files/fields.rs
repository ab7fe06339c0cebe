//! The fields of its own that a chain keeps of its customers.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State as With;
use axum::response::Response;
use serde::Deserialize;

use super::import::Nothing;
use super::{View, views};
use crate::app::App;
use crate::auth::{Operator, audit};
use crate::contacts::{self, ContactField, FieldKind};
use crate::error::{Error, said};
use crate::ids::FieldId;
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Result, Shell, Show};

const HERE: &str = "/admin/fields";

pub struct Line {
    pub id: FieldId,
    pub name: String,
    pub kind: String,
    pub choices: String,
}

/// A kind to choose from.
pub struct KindOption {
    pub value: &'static str,
    pub label: String,
    pub is_chosen: bool,
}

/// What was typed into a form that came back.
#[derive(Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub choices: String,
}

#[derive(Template)]
#[template(path = "files/fields.html")]
pub struct FieldsPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub lines: Vec<Line>,
    pub kinds: Vec<KindOption>,
    pub typed: Typed,
    pub problems: Vec<FieldProblem>,
}

impl FieldsPage {
    pub fn new(shell: Shell, fields: &[ContactField], typed: Typed) -> Self {
        let kind_name = |kind: FieldKind| shell.t(&format!("fields-kind-{}", kind.as_str()));
        Self {
            views: views(&shell),
            answer: match fields.len() {
                0 => shell.rich("fields-none", &[]),
                count => shell.rich("fields-answer", &[("count", count.into())]),
            },
            lines: fields
                .iter()
                .map(|field| Line {
                    id: field.id,
                    name: field.name.clone(),
                    kind: kind_name(field.kind),
                    choices: field.choices.join(" · "),
                })
                .collect(),
            kinds: FieldKind::ALL
                .into_iter()
                .map(|kind| KindOption {
                    value: kind.as_str(),
                    label: kind_name(kind),
                    is_chosen: kind.as_str() == typed.kind,
                })
                .collect(),
            typed,
            problems: Vec::new(),
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }
}

pub async fn list(app: With<App>, shell: Shell, me: Operator) -> Result<Show<FieldsPage>> {
    let fields = contacts::fields(&app.db, me.corp).await?;
    Ok(Show(FieldsPage::new(shell, &fields, Typed::default())))
}

pub async fn add(app: With<App>, shell: Shell, me: Operator, Form(typed): Form<Typed>) -> Result<Response> {
    match try_add(&app, &me, &typed).await {
        Ok(()) => Ok(shell.go_saying(HERE, "toast-field-added", &[])),
        Err(error) => {
            let problems = problems(&shell, error)?;
            let fields = contacts::fields(&app.db, me.corp).await?;
            let page = FieldsPage::new(shell.clone(), &fields, typed);
            Ok(shell.refused(Show(FieldsPage { problems, ..page })))
        }
    }
}

async fn try_add(app: &App, me: &Operator, typed: &Typed) -> Result<(), Error> {
    let kind = FieldKind::parse(&typed.kind)
        .ok_or_else(|| Error::invalid("/kind", said!("refused-field-kind", "choose a kind")))?;
    let choices: Vec<String> = typed.choices.lines().map(str::to_owned).collect();
    let act = app.act(me.actor());
    let tx = app.db.begin().await?;
    let id = contacts::add_field(&tx, &act, me.corp, &typed.name, kind, &choices).await?;
    let detail = serde_json::json!({ "kind": kind });
    audit::append(&tx, &act, me.corp, "field.add", &format!("field:{id}"), &detail).await?;
    tx.commit().await
}

pub async fn delete(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<FieldId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let tx = app.db.begin().await?;
    contacts::delete_field(&tx, &act, me.corp, id).await?;
    let nothing = serde_json::json!({});
    audit::append(
        &tx,
        &act,
        me.corp,
        "field.delete",
        &format!("field:{id}"),
        &nothing,
    )
    .await?;
    tx.commit().await?;
    Ok(shell.go_saying(HERE, "toast-field-deleted", &[]))
}
