//! Importing: the files so far, one file and what became of its rows.

use askama::Template;
use askama::filters::Safe;
use axum::body::Body;
use axum::extract::State as With;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde::Deserialize;

use super::{View, class, state, views, width};
use crate::app::App;
use crate::auth::Operator;
use crate::contacts;
use crate::directory;
use crate::error::{Arg, Error, Problem, said};
use crate::files::{self, Import, RefusedRow, RefusedRows, State};
use crate::ids::ImportId;
use crate::page::PageOf;
use crate::web::extract::Upload;
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Result, Shell, Show, format};

/// Imports on the page, and refused rows of one.
const SHOWN: i64 = 20;
/// Refused rows read at a time for the file.
const ROWS: i64 = 500;
const HERE: &str = "/contacts/import";

pub struct Line {
    pub id: ImportId,
    pub name: String,
    pub when: String,
    pub class: &'static str,
    pub state: String,
    pub total: String,
    pub loaded: String,
    pub unchanged: String,
    pub refused: String,
    pub has_refused: bool,
}

#[derive(Template)]
#[template(path = "files/imports.html")]
pub struct ImportsPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub lines: Vec<Line>,
    /// Names of the chain's own fields, each with a comma before it.
    pub fields: String,
    pub is_moving: bool,
    pub problems: Vec<FieldProblem>,
}

impl ImportsPage {
    /// `imports` are the last ones, the newest first.
    pub fn new(shell: Shell, imports: &[Import], fields: &[&str]) -> Self {
        let comma = if shell.html_lang() == "en" { ", " } else { "、" };
        Self {
            views: views(&shell),
            answer: match imports.first() {
                None => shell.rich("import-none", &[]),
                Some(last) => answer(last, &shell),
            },
            is_moving: imports.iter().any(|import| !import.state.is_final()),
            lines: imports.iter().map(|import| line(import, &shell)).collect(),
            fields: fields.iter().map(|name| format!("{comma}{name}")).collect(),
            problems: Vec::new(),
            shell,
        }
    }
}

/// What became of an import, as one would say it.
fn answer(import: &Import, shell: &Shell) -> Safe<String> {
    let number = |name: &'static str, value: i64| (name, Arg::from(value));
    let good = import.loaded + import.unchanged;
    let loaded = number("loaded", import.loaded);
    match import.state {
        State::Running | State::Reading => shell.rich(
            "import-answer-running",
            &[number("total", import.total), number("taken", import.taken())],
        ),
        State::Done if import.refused == 0 => {
            shell.rich("import-answer-done", &[number("good", good), loaded])
        }
        State::Done => shell.rich(
            "import-answer-partly",
            &[
                number("total", import.total),
                number("good", good),
                number("refused", import.refused),
            ],
        ),
        State::Stopped => shell.rich("import-answer-stopped", &[loaded]),
        State::Failed => shell.rich("import-answer-failed", &[loaded]),
    }
}

fn line(import: &Import, shell: &Shell) -> Line {
    Line {
        id: import.id,
        name: called(import, shell),
        when: shell.when(&import.created_at),
        class: class(import.state),
        state: state(import.state, shell),
        total: format::count(import.total),
        loaded: format::count(import.loaded),
        unchanged: format::count(import.unchanged),
        refused: format::count(import.refused),
        has_refused: import.refused > 0,
    }
}

fn called(import: &Import, shell: &Shell) -> String {
    if import.name.is_empty() {
        shell.t("files-col-file")
    } else {
        import.name.clone()
    }
}

/// A row that was not loaded.
pub struct RefusedLine {
    pub line: String,
    pub column: String,
    pub why: String,
}

#[derive(Template)]
#[template(path = "files/import.html")]
pub struct ImportPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub line: Line,
    pub is_moving: bool,
    pub width: i64,
    pub progress: String,
    pub refused: Vec<RefusedLine>,
    pub more_refused: i64,
    pub all_refused: i64,
}

impl ImportPage {
    pub fn new(shell: Shell, import: &Import, refused: &RefusedRows) -> Self {
        let (taken, total) = (format::count(import.taken()), format::count(import.total));
        Self {
            views: views(&shell),
            answer: answer(import, &shell),
            line: line(import, &shell),
            is_moving: !import.state.is_final(),
            width: width(import.taken(), import.total),
            progress: shell.with("files-progress", &[("done", &taken), ("total", &total)]),
            refused: refused
                .rows
                .iter()
                .map(|row| RefusedLine {
                    line: format::count(row.line),
                    column: row.column.clone(),
                    why: why(row, &shell),
                })
                .collect(),
            more_refused: import.refused - refused.rows.len() as i64,
            all_refused: import.refused,
            shell,
        }
    }
}

/// In the reader's language, where there is a sentence for it.
fn why(row: &RefusedRow, shell: &Shell) -> String {
    if row.key.is_empty() {
        return row.reason.clone();
    }
    let args: Vec<(&str, Arg)> = row
        .args
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    shell.tell(&row.key, &args)
}

pub async fn list(app: With<App>, shell: Shell, me: Operator) -> Result<Show<ImportsPage>> {
    Ok(Show(page(&app, shell, &me).await?))
}

async fn page(app: &App, shell: Shell, me: &Operator) -> Result<ImportsPage> {
    let imports = files::list_imports(&app.db, &me.scope, &PageOf::first(SHOWN)).await?;
    let fields = contacts::fields(&app.db, me.corp).await?;
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    Ok(ImportsPage::new(shell, &imports.items, &names))
}

/// Takes a file in and begins with it.
pub async fn begin(app: With<App>, shell: Shell, me: Operator, mut upload: Upload) -> Result<Response> {
    match received(&app, &me, &mut upload).await {
        Ok(id) => {
            app.cache.ring().await;
            Ok(shell.go_saying(&format!("{HERE}/{id}"), "toast-import-started", &[]))
        }
        Err(error) => {
            let problems = match error {
                Error::Invalid(refused) => refused.iter().map(|problem| in_file(problem, &shell)).collect(),
                error => problems(&shell, error)?,
            };
            let page = page(&app, shell.clone(), &me).await?;
            Ok(shell.refused(Show(ImportsPage { problems, ..page })))
        }
    }
}

async fn received(app: &App, me: &Operator, upload: &mut Upload) -> Result<ImportId, Error> {
    let act = app.act(me.actor());
    let file = upload.file().await?.filter(|file| !file.name.is_empty());
    let mut file = file.ok_or_else(|| Error::invalid("/file", said!("refused-no-file", "choose a file")))?;
    let name = file.name.clone();
    let received = files::receive(app, &act, me.corp, &name, &mut file.pieces).await;
    if received.is_err() {
        // A browser that is cut off while it sends shows no answer.
        while let Some(Ok(_)) = file.pieces.next().await {}
    }
    let id = received?;
    let tx = app.db.begin().await?;
    files::start(&tx, &act, me.corp, id).await?;
    tx.commit().await?;
    Ok(id)
}

fn in_file(problem: &Problem, shell: &Shell) -> FieldProblem {
    let why = shell.say(&problem.message);
    let message = match directory::row_and_column(&problem.pointer) {
        // The first row's sentences name their column themselves.
        None | Some((1, _)) => why,
        Some((row, _)) => shell.tell("csv-row", &[("row", row.into()), ("why", why.into())]),
    };
    FieldProblem {
        field: "file".to_owned(),
        message,
    }
}

pub async fn show(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ImportId>,
) -> Result<Show<ImportPage>> {
    let import = files::find_import(&app.db, &me.scope, id).await?;
    let refused = files::refused_rows(&app, &me.scope, id, 0, SHOWN).await?;
    Ok(Show(ImportPage::new(shell, &import, &refused)))
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn stop(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ImportId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    files::find_import(&tx, &me.scope, id).await?;
    files::end_import(&tx, &app.act(me.actor()), me.corp, id).await?;
    tx.commit().await?;
    Ok(shell.go_saying(&format!("{HERE}/{id}"), "toast-import-stopped", &[]))
}

/// The refused rows as a file, with reasons in the reader's language; mended, it may be imported as it is.
pub async fn refused(
    app: With<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<ImportId>,
) -> Result<Response> {
    let first = files::refused_rows(&app, &me.scope, id, 0, ROWS).await?;
    let begun = files::refused_csv(&first, true, |row| why(row, &shell));
    let (app, scope) = (app.0, me.scope);
    let rest = stream::try_unfold(first.next, move |after| {
        let (app, scope, shell) = (app.clone(), scope.clone(), shell.clone());
        async move {
            let Some(after) = after else {
                return Ok::<_, Error>(None);
            };
            let page = files::refused_rows(&app, &scope, id, after, ROWS).await?;
            let text = files::refused_csv(&page, false, |row| why(row, &shell));
            Ok(Some((text, page.next)))
        }
    });
    let all = stream::once(async { Ok(begun) }).chain(rest);
    Ok(csv_file(&format!("refused-{id}.csv"), Body::from_stream(all)))
}

/// A CSV to keep.
pub(super) fn csv_file(name: &str, body: Body) -> Response {
    let kind = "text/csv; charset=utf-8".to_owned();
    let name = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)], body).into_response()
}
