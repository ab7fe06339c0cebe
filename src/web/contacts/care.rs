//! What is to be done for a customer, and what was noted of them, on their page.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::card::{self, ContactPage, Typed};
use super::story;
use crate::app::App;
use crate::auth::{Operator, Role};
use crate::care::{self, NewFollowUp};
use crate::contacts;
use crate::error::{Error, said};
use crate::ids::{AssociateId, ContactId, FollowUpId, TimelineId};
use crate::timeline::{Entry, Recorded};
use crate::web::care::{Line, lines, read_day};
use crate::web::{Form, Path, Result, Shell};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TypedFollowUp {
    pub what: String,
    pub due_day: String,
    pub associate: String,
}

impl ContactPage {
    pub fn here(&self) -> String {
        format!("/contacts/{}", self.card.id)
    }

    pub fn care(&self) -> Vec<Line> {
        lines(&self.shell, &self.follow_ups)
    }

    /// The day in the form: as typed, else tomorrow.
    pub fn care_day(&self) -> String {
        match self.typed.follow_up.due_day.as_str() {
            "" => self.shell.today().plus(1).to_string(),
            typed => typed.to_owned(),
        }
    }

    /// Whose it can be.
    pub fn care_of(&self) -> Vec<(AssociateId, &str)> {
        self.live()
            .into_iter()
            .map(|follow| (follow.associate_id, follow.associate_name.as_str()))
            .collect()
    }

    pub fn is_care_of(&self, id: &AssociateId) -> bool {
        self.typed.follow_up.associate == id.to_string()
    }

    /// Whether the caller may take this note away: they wrote it, or they administer.
    pub fn may_remove(&self, recorded: &Recorded) -> bool {
        let Some(me) = &self.shell.me else { return false };
        let is_note = matches!(recorded.entry, Entry::Noted { .. });
        let wrote = contacts::wrote(me.actor(), &me.scope, recorded);
        is_note && (wrote || me.role == Role::Admin)
    }

    /// The timeline in sentences, each with the note it is, if the caller may take it away.
    pub fn lines(&self) -> Vec<(story::Line, Option<TimelineId>)> {
        let line = |recorded: &Recorded| {
            let note = self.may_remove(recorded).then_some(recorded.id);
            (story::line(&self.shell, recorded, &self.stores), note)
        };
        self.timeline.items.iter().map(line).collect()
    }
}

/// Sets a follow-up. One that is refused comes back as typed.
pub async fn follow_up(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ContactId>,
    Form(form): Form<TypedFollowUp>,
) -> Result<Response> {
    match try_follow_up(&app, &me, id, &form).await {
        Ok(_) => Ok(shell.go_saying(&format!("/contacts/{id}"), "toast-follow-up-set", &[])),
        Err(error) => {
            let typed = Typed {
                follow_up: form,
                ..Typed::default()
            };
            card::refused(&app, shell, &me, id, error, typed).await
        }
    }
}

async fn try_follow_up(
    app: &App,
    me: &Operator,
    contact: ContactId,
    form: &TypedFollowUp,
) -> Result<FollowUpId, Error> {
    let associate = match form.associate.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| nobody())?),
    };
    let new = NewFollowUp {
        contact,
        associate,
        what: &form.what,
        due_day: read_day(&form.due_day)?,
    };
    let tx = app.db.begin().await?;
    let id = care::set(&tx, &app.act(me.actor()), &me.scope, &new).await?;
    tx.commit().await?;
    Ok(id)
}

fn nobody() -> Error {
    Error::invalid(
        "/associate_id",
        said!(
            "refused-follow-up-whose",
            "this associate does not follow the contact; name one who does"
        ),
    )
}

#[derive(Deserialize)]
pub struct Nothing {}

/// Takes a note away.
pub async fn remove_note(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TimelineId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let act = app.act(me.actor());
    let any_author = me.role == Role::Admin;
    let contact = contacts::remove_note(&app, &act, &me.scope, id, any_author).await?;
    Ok(shell.go_saying(&format!("/contacts/{contact}"), "toast-note-removed", &[]))
}
