//! Exporting: one's own exports, how far they are, and the file.

use askama::Template;
use askama::filters::Safe;
use axum::body::Body;
use axum::extract::State as With;
use axum::response::Response;
use serde::Deserialize;

use super::import::{Nothing, csv_file};
use super::{View, class, state, views, width};
use crate::app::App;
use crate::auth::Operator;
use crate::files::{self, Export, State};
use crate::ids::ExportId;
use crate::page::PageOf;
use crate::segments::browse;
use crate::web::contacts::filter_of;
use crate::web::session::local;
use crate::web::{Form, Path, Result, Shell, Show, format};

const SHOWN: i64 = 20;
const HERE: &str = "/contacts/exports";

pub struct Line {
    pub id: ExportId,
    pub when: String,
    pub class: &'static str,
    pub state: String,
    pub width: i64,
    pub progress: String,
    pub until: String,
    pub is_moving: bool,
    /// There is a file, and its time has not passed.
    pub has_file: bool,
}

#[derive(Template)]
#[template(path = "files/exports.html")]
pub struct ExportsPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub is_moving: bool,
    pub lines: Vec<Line>,
}

impl ExportsPage {
    /// `exports` are the last ones, the newest first.
    pub fn new(shell: Shell, exports: &[Export]) -> Self {
        Self {
            views: views(&shell),
            answer: answer(exports.first(), &shell),
            is_moving: exports.iter().any(|export| !export.state.is_final()),
            lines: exports.iter().map(|export| line(export, &shell)).collect(),
            shell,
        }
    }
}

fn answer(last: Option<&Export>, shell: &Shell) -> Safe<String> {
    let Some(last) = last else {
        return shell.rich("exports-none", &[]);
    };
    let done = ("done", last.written.into());
    match last.state {
        State::Running | State::Reading => {
            shell.rich("exports-answer-running", &[("total", last.total.into()), done])
        }
        State::Done => {
            let until = shell.when(&last.expires_at);
            shell.rich("exports-answer-done", &[done, ("until", until.into())])
        }
        State::Failed | State::Stopped => shell.rich("exports-answer-other", &[]),
    }
}

fn line(export: &Export, shell: &Shell) -> Line {
    let (written, total) = (format::count(export.written), format::count(export.total));
    let is_done = export.state == State::Done;
    Line {
        id: export.id,
        when: shell.when(&export.created_at),
        class: class(export.state),
        state: state(export.state, shell),
        width: width(export.written, export.total),
        progress: match is_done {
            true => written,
            false => shell.with("files-progress", &[("done", &written), ("total", &total)]),
        },
        until: shell.when(&export.expires_at),
        is_moving: !export.state.is_final(),
        has_file: is_done && export.expires_at > shell.now,
    }
}

pub async fn list(app: With<App>, shell: Shell, me: Operator) -> Result<Show<ExportsPage>> {
    let exports = files::list_exports(&app.db, &me.scope, me.actor(), &PageOf::first(SHOWN)).await?;
    Ok(Show(ExportsPage::new(shell, &exports.items)))
}

#[derive(Deserialize)]
pub struct Asked {
    /// The list's address: it says how the list is narrowed.
    return_to: Option<String>,
}

pub async fn begin(app: With<App>, shell: Shell, me: Operator, Form(asked): Form<Asked>) -> Result<Response> {
    let filter = filter_of(local(asked.return_to.as_deref()), shell.today())?;
    let found = browse::of(&app, &me.scope, &filter, shell.zone).await?;
    let total = found.count().await?;
    let tx = app.db.begin().await?;
    files::create(&tx, &app.act(me.actor()), &me.scope, &filter, total).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(shell.go_saying(HERE, "toast-export-started", &[]))
}

pub async fn stop(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ExportId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    files::end_export(&tx, &app.act(me.actor()), &me.scope, id).await?;
    tx.commit().await?;
    Ok(shell.go_saying(HERE, "toast-export-stopped", &[]))
}

/// The file, its first row in the reader's language.
pub async fn file(app: With<App>, shell: Shell, me: Operator, Path(id): Path<ExportId>) -> Result<Response> {
    let tx = app.db.begin().await?;
    let named = |column: &str| shell.t(&format!("export-col-{column}"));
    let head = files::download(&tx, &app.act(me.actor()), &me.scope, id, named).await?;
    tx.commit().await?;
    let parts = files::parts(app.0, me.scope, id, head);
    Ok(csv_file(&format!("contacts-{id}.csv"), Body::from_stream(parts)))
}
