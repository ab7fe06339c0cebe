//! Filters of the list that somebody keeps under a name: links above it.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::list::{self, ContactsPage, Narrowed};
use crate::app::App;
use crate::auth::Operator;
use crate::contacts::{self, NewView, SavedView, Sharing};
use crate::error::Error;
use crate::ids::ViewId;
use crate::web::shell::problems;
use crate::web::{Form, Path, Result, Shell, Show};

/// What is to be kept, and as what.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    pub name: String,
    pub shared: String,
    /// The query of the list's address.
    pub query: String,
}

impl ContactsPage {
    /// The query of the filter in force: what a view keeps.
    pub fn query(&self) -> String {
        let address = self.narrowed.address(None, None);
        address.strip_prefix("/contacts?").unwrap_or_default().to_owned()
    }

    pub fn is_current(&self, view: &SavedView) -> bool {
        view.query == self.query()
    }

    /// The view that is shown, if it may be deleted.
    pub fn current(&self) -> Option<&SavedView> {
        self.saved
            .iter()
            .find(|view| view.is_theirs && self.is_current(view))
    }

    pub fn may_save(&self) -> bool {
        self.is_narrowed() && !self.saved.iter().any(|view| self.is_current(view))
    }

    /// With whom the view may be shared, in words.
    pub fn sharing(&self) -> Option<String> {
        let sharing = Sharing::of(self.shell.me.as_ref()?.role)?;
        Some(self.shell.t(&format!("view-share-{}", sharing.as_str())))
    }

    pub fn has_name_problem(&self) -> bool {
        self.problems.iter().any(|problem| problem.field == "name")
    }
}

/// Keeps the filter. One that is refused comes back as typed, above the list it narrows.
pub async fn save(app: State<App>, shell: Shell, me: Operator, Form(typed): Form<Typed>) -> Result<Response> {
    let narrowed = Narrowed::of(&format!("/contacts?{}", typed.query));
    let narrowed = Narrowed {
        after: String::new(),
        ..narrowed
    };
    let here = narrowed.address(None, None);
    match try_save(&app, &shell, &me, &narrowed, &typed).await {
        Ok(()) => Ok(shell.go_saying(&here, "toast-view-saved", &[("name", typed.name.trim().into())])),
        Err(error) => {
            let problems = problems(&shell, error)?;
            let shell = Shell {
                address: here,
                ..shell
            };
            let mut page = list::page(&app, shell.clone(), &me, narrowed).await?;
            page.problems = problems;
            page.typed = typed;
            Ok(shell.refused(Show(page)))
        }
    }
}

async fn try_save(
    app: &App,
    shell: &Shell,
    me: &Operator,
    narrowed: &Narrowed,
    typed: &Typed,
) -> Result<(), Error> {
    // What does not read now would not read later.
    narrowed.filter(shell.today())?;
    let address = narrowed.address(None, None);
    let new = NewView {
        name: &typed.name,
        query: address.strip_prefix("/contacts?").unwrap_or_default(),
        is_shared: !typed.shared.is_empty(),
    };
    let tx = app.db.begin().await?;
    contacts::save_view(&tx, &app.act(me.actor()), me, &new).await?;
    tx.commit().await
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn delete(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ViewId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    contacts::delete_view(&tx, &me, id).await?;
    tx.commit().await?;
    Ok(shell.go_saying("/contacts", "toast-view-deleted", &[]))
}

/// Invented views for the tests of the list.
pub fn samples() -> Vec<SavedView> {
    let view = |id: i64, name: &str, query: &str, is_shared: bool| SavedView {
        id: ViewId(id),
        name: name.into(),
        query: query.into(),
        is_shared,
        is_theirs: !is_shared,
    };
    vec![
        view(1, "金卡没来的", "tag=901&quiet=90", false),
        view(2, "店里<新客>", "added=30", true),
    ]
}
