//! The chain's own fields on a customer's page.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;

use super::card::{self, ContactPage, Typed};
use crate::app::App;
use crate::auth::Operator;
use crate::contacts::{self, FieldKind};
use crate::ids::{ContactId, FieldId};
use crate::web::{Form, Path, Result, Shell};

/// One field of the form.
pub struct Input {
    /// Its name in the form, and its id on the page.
    pub name: String,
    pub label: String,
    pub kind: FieldKind,
    pub value: String,
    pub choices: Vec<Choice>,
    pub is_wrong: bool,
}

/// One of what a choice chooses from.
pub struct Choice {
    pub label: String,
    pub is_chosen: bool,
}

impl Input {
    pub fn is_choice(&self) -> bool {
        self.kind == FieldKind::Choice
    }

    /// The input's type, and what a phone's keyboard offers.
    pub fn attributes(&self) -> (&'static str, &'static str) {
        match self.kind {
            FieldKind::Date => ("date", "text"),
            FieldKind::Number => ("text", "decimal"),
            FieldKind::Text | FieldKind::Choice => ("text", "text"),
        }
    }
}

impl ContactPage {
    /// The form of own fields: as typed, else as they are.
    pub fn inputs(&self) -> Vec<Input> {
        self.fields
            .iter()
            .map(|field| {
                let name = format!("fields-{}", field.id);
                let typed = self.typed.fields.iter().find(|(typed, _)| *typed == name);
                let known = self.card.own_fields.iter().find(|own| own.field_id == field.id);
                let value = typed.map_or_else(
                    || known.map(|own| own.value.clone()).unwrap_or_default(),
                    |(_, value)| value.clone(),
                );
                // A value of before the choices were others stays until somebody chooses anew.
                let is_other = field.kind == FieldKind::Choice && !value.is_empty();
                let other = Some(value.clone()).filter(|value| is_other && !field.choices.contains(value));
                let choices = field.choices.iter().cloned().chain(other);
                Input {
                    choices: choices
                        .map(|label| Choice {
                            is_chosen: label == value,
                            label,
                        })
                        .collect(),
                    is_wrong: self.has_problem(&name),
                    label: field.name.clone(),
                    kind: field.kind,
                    value,
                    name,
                }
            })
            .collect()
    }
}

/// Writes what is known of a customer in the chain's own fields. A form with a wrong value comes back as typed.
pub async fn change(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response> {
    match try_change(&app, &me, id, &form).await {
        Ok(()) => Ok(shell.go_saying(&format!("/contacts/{id}"), "toast-fields-changed", &[])),
        Err(error) => {
            let typed = Typed {
                fields: form,
                ..Typed::default()
            };
            card::refused(&app, shell, &me, id, error, typed).await
        }
    }
}

async fn try_change(
    app: &App,
    me: &Operator,
    contact: ContactId,
    form: &[(String, String)],
) -> Result<(), crate::error::Error> {
    let given: BTreeMap<FieldId, Option<String>> = form
        .iter()
        .filter_map(|(name, value)| {
            let id = name.strip_prefix("fields-")?.parse().ok()?;
            Some((id, Some(value.clone())))
        })
        .collect();
    let tx = app.db.begin().await?;
    contacts::set_values(&tx, &app.act(me.actor()), &me.scope, contact, &given).await?;
    tx.commit().await
}
