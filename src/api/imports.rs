//! Imports: what headquarters knows of contacts, from a file. A small one as JSON, any as `text/csv`, which streams.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::{Once, Posted, Unread};
use super::input::{At, NoFields, PageQuery, Query};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::ContactsImport;
use crate::auth::Policy::Can;
use crate::error::Error;
use crate::files::{self, Import};
use crate::ids::ImportId;
use crate::routes::Routes;

/// Refused rows read at a time.
const ROWS: i64 = 500;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/imports", Can(ContactsImport), list)
        .post("/imports", Can(ContactsImport), create)
        .get("/imports/{id}", Can(ContactsImport), show)
        .get("/imports/{id}/refused", Can(ContactsImport), refused)
        .post("/imports/{id}/cancellation", Can(ContactsImport), cancel)
}

/// Imports, the last first.
#[utoipa::path(get, path = "/imports", params(PageQuery), responses((status = 200, body = List<Import>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Import>>> {
    let page = files::list_imports(&app.db, &me.scope, &query.page()?).await?;
    Ok(Json(page.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Contacts,
}

/// A file to import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImportBody {
    #[serde(rename = "kind")]
    _kind: Kind,
    /// What the file is called.
    #[serde(default)]
    name: String,
    /// CSV. The first row names the columns: `external_userid`, `unionid` or `phone` to find the contact, and any of
    /// `birthday`, `phone`, `opted_out` and the names of your own fields. An empty cell changes nothing.
    text: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct NameQuery {
    /// What the file is called, when it comes as `text/csv`.
    name: Option<String>,
}

/// Begins an import. A file of more than 2 MB comes as `text/csv` (UTF-8, UTF-16 with a mark, or GB18030; at most 64 MB
/// and 500,000 rows). It is looked at row by row while it is loaded: see `refused` for those that were not.
#[utoipa::path(post, path = "/imports", params(NameQuery),
    request_body(content((ImportBody = "application/json"), (String = "text/csv"))),
    responses((status = 201, body = Import)))]
pub(super) async fn create(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<NameQuery>,
    request: Request,
) -> Result<Answer> {
    let act = me.act(&app);
    let (id, once) = if is_csv(request.headers()) {
        let mut unread = Unread::of(&request)?;
        let name = query.name.unwrap_or_default();
        let pieces = request.into_body().into_data_stream();
        let pieces = pieces.inspect_ok(|piece| unread.see(piece));
        let id = files::receive(&app, &act, me.corp, &name, pieces).await?;
        (id, unread.read())
    } else {
        let Posted { body, once } = Posted::<ImportBody>::from_request(request, &app).await?;
        let whole = stream::iter([Ok::<_, Infallible>(body.text)]);
        let id = files::receive(&app, &act, me.corp, &body.name, whole).await?;
        (id, once)
    };
    match begin(&app, &me, id, once).await {
        Ok(answer) => {
            app.cache.ring().await;
            Ok(answer)
        }
        // A repeat of one that has begun, mostly: its answer is the first one's.
        Err(refusal) => {
            files::let_go(&app, me.corp, id).await?;
            Err(refusal)
        }
    }
}

async fn begin(app: &App, me: &Caller, id: ImportId, once: Once) -> Result<Answer> {
    let work = once.begin(app, me).await?;
    files::start(&work.tx, &me.act(app), me.corp, id).await?;
    let import = files::find_import(&work.tx, &me.scope, id).await?;
    work.finish(Answer::created(format!("/imports/{id}"), &import)?)
        .await
}

fn is_csv(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/csv")
}

/// One import and how far it is.
#[utoipa::path(get, path = "/imports/{id}", params(("id" = ImportId, Path)),
    responses((status = 200, body = Import)))]
pub(super) async fn show(State(app): State<App>, me: Caller, At(id): At<ImportId>) -> Result<Json<Import>> {
    Ok(Json(files::find_import(&app.db, &me.scope, id).await?))
}

/// Rows that were not loaded, as CSV: the file's own columns, then `refused_row` (the line), `refused_column` and
/// `refused_reason`. Mended, it may be imported as it is.
#[utoipa::path(get, path = "/imports/{id}/refused", params(("id" = ImportId, Path)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn refused(State(app): State<App>, me: Caller, At(id): At<ImportId>) -> Result<Response> {
    let first = files::refused_rows(&app, &me.scope, id, 0, ROWS).await?;
    let said = |row: &files::RefusedRow| row.reason.clone();
    let begun = files::refused_csv(&first, true, said);
    let scope = me.scope.clone();
    let rest = stream::try_unfold(first.next, move |after| {
        let (app, scope) = (app.clone(), scope.clone());
        async move {
            let Some(after) = after else {
                return Ok::<_, Error>(None);
            };
            let page = files::refused_rows(&app, &scope, id, after, ROWS).await?;
            Ok(Some((files::refused_csv(&page, false, said), page.next)))
        }
    });
    let all = stream::once(async { Ok(begun) }).chain(rest);
    Ok(csv_file(&format!("refused-{id}.csv"), Body::from_stream(all)))
}

/// A CSV to keep.
pub(super) fn csv_file(name: &str, body: Body) -> Response {
    let kind = "text/csv; charset=utf-8".to_owned();
    let name = format!("attachment; filename=\"{name}\"");
    (
        [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)],
        body,
    )
        .into_response()
}

/// Stops an import. What is loaded stays.
#[utoipa::path(post, path = "/imports/{id}/cancellation", params(("id" = ImportId, Path)),
    responses((status = 200, body = Import)))]
pub(super) async fn cancel(
    State(app): State<App>,
    me: Caller,
    At(id): At<ImportId>,
    posted: Posted<NoFields>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    files::find_import(&work.tx, &me.scope, id).await?;
    files::end_import(&work.tx, &me.act(&app), me.corp, id).await?;
    let import = files::find_import(&work.tx, &me.scope, id).await?;
    work.finish(Answer::ok(&import)?).await
}
