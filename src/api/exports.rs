//! Exports: contacts in scope, written to a file that its asker may fetch for seven days.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::imports::csv_file;
use super::input::{At, NoFields, PageQuery, Query};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::ContactsExport;
use crate::auth::Policy::Can;
use crate::contacts::ContactFilter;
use crate::files::{self, Export};
use crate::ids::{AssociateId, ExportId, ExternalUserId, StoreId, TagId};
use crate::routes::Routes;
use crate::segments::browse;
use crate::time::Day;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/exports", Can(ContactsExport), list)
        .post("/exports", Can(ContactsExport), create)
        .get("/exports/{id}", Can(ContactsExport), show)
        .get("/exports/{id}/file", Can(ContactsExport), file)
        .post("/exports/{id}/cancellation", Can(ContactsExport), cancel)
}

/// Exports that this key asked for, the last first.
#[utoipa::path(get, path = "/exports", params(PageQuery), responses((status = 200, body = List<Export>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Export>>> {
    let page = files::list_exports(&app.db, &me.scope, me.actor(), &query.page()?).await?;
    Ok(Json(page.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExportKind)]
enum Kind {
    Contacts,
}

/// What to write.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportBody {
    #[serde(rename = "kind")]
    _kind: Kind,
    #[serde(default)]
    filter: FilterBody,
}

/// As the list of contacts is narrowed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExportFilter)]
struct FilterBody {
    /// Part of a name or a remark.
    search: Option<String>,
    tag: Option<TagId>,
    store: Option<StoreId>,
    associate: Option<AssociateId>,
    #[schema(value_type = Option<String>, format = Date)]
    added_from: Option<Day>,
    #[schema(value_type = Option<String>, format = Date)]
    added_to: Option<Day>,
    #[schema(value_type = Option<String>, format = Date)]
    ordered_from: Option<Day>,
    #[schema(value_type = Option<String>, format = Date)]
    ordered_to: Option<Day>,
    external_userid: Option<String>,
}

impl From<FilterBody> for ContactFilter {
    fn from(body: FilterBody) -> Self {
        Self {
            search: body.search,
            tag: body.tag,
            store: body.store,
            associate: body.associate,
            added_from: body.added_from,
            added_to: body.added_to,
            ordered_from: body.ordered_from,
            ordered_to: body.ordered_to,
            external_userid: body.external_userid.map(ExternalUserId),
            ..Self::default()
        }
    }
}

/// Begins an export.
#[utoipa::path(post, path = "/exports", request_body = ExportBody, responses((status = 201, body = Export)))]
pub(super) async fn create(State(app): State<App>, me: Caller, posted: Posted<ExportBody>) -> Result<Answer> {
    let filter = posted.body.filter.into();
    let total = browse::of(&app, &me.scope, &filter, me.zone)
        .await?
        .count()
        .await?;
    let work = posted.once.begin(&app, &me).await?;
    let id = files::create(&work.tx, &me.act(&app), &me.scope, &filter, total).await?;
    let export = files::find_export(&work.tx, &me.scope, me.actor(), id).await?;
    let answer = work
        .finish(Answer::created(format!("/exports/{id}"), &export)?)
        .await?;
    app.cache.ring().await;
    Ok(answer)
}

/// One export and how far it is.
#[utoipa::path(get, path = "/exports/{id}", params(("id" = ExportId, Path)),
    responses((status = 200, body = Export)))]
pub(super) async fn show(State(app): State<App>, me: Caller, At(id): At<ExportId>) -> Result<Json<Export>> {
    let export = files::find_export(&app.db, &me.scope, me.actor(), id).await?;
    Ok(Json(export))
}

/// The file, once it is `done`: UTF-8 with a byte order mark. Of phone numbers it has the last four digits. Each fetch is
/// noted.
#[utoipa::path(get, path = "/exports/{id}/file", params(("id" = ExportId, Path)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn file(State(app): State<App>, me: Caller, At(id): At<ExportId>) -> Result<Response> {
    let tx = app.db.begin().await?;
    let head = files::download(&tx, &me.act(&app), &me.scope, id, str::to_owned).await?;
    tx.commit().await?;
    let parts = files::parts(app, me.scope.clone(), id, head);
    Ok(csv_file(&format!("contacts-{id}.csv"), Body::from_stream(parts)))
}

/// Stops an export; what was written is forgotten.
#[utoipa::path(post, path = "/exports/{id}/cancellation", params(("id" = ExportId, Path)),
    responses((status = 200, body = Export)))]
pub(super) async fn cancel(
    State(app): State<App>,
    me: Caller,
    At(id): At<ExportId>,
    posted: Posted<NoFields>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    files::end_export(&work.tx, &me.act(&app), &me.scope, id).await?;
    let export = files::find_export(&work.tx, &me.scope, me.actor(), id).await?;
    work.finish(Answer::ok(&export)?).await
}
