//! Contacts that are one person: found, merged, taken apart again.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, NoFields, PageQuery, Query};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::ContactsMerge;
use crate::auth::Policy::Can;
use crate::ids::{ContactId, MergeId};
use crate::persons::{self, Duplicate, Merge};
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/contacts/duplicates", Can(ContactsMerge), duplicates)
        .post("/contacts/{id}/merge", Can(ContactsMerge), merge)
        .get("/merges", Can(ContactsMerge), list)
        .post("/merges/{id}/undo", Can(ContactsMerge), undo)
}

/// Contacts with one unionid. A page may hold fewer than `limit` before the last one.
#[utoipa::path(get, path = "/contacts/duplicates", params(PageQuery),
    responses((status = 200, body = List<Duplicate>)))]
pub(super) async fn duplicates(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Duplicate>>> {
    let page = persons::duplicates(&app.db, &me.scope, &query.page()?).await?;
    Ok(Json(page.into()))
}

/// The contact that becomes this one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MergeBody {
    merged_id: ContactId,
}

/// Merges another contact of the same unionid into this one. `GET /contacts/{merged_id}` answers the kept one from then on.
#[utoipa::path(post, path = "/contacts/{id}/merge", params(("id" = ContactId, Path)), request_body = MergeBody,
    responses((status = 201, body = Merge)))]
pub(super) async fn merge(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    posted: Posted<MergeBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let act = me.act(&app);
    let merged = posted.body.merged_id;
    let made = persons::merge(&work.tx, &act, &me.scope, &app.sealer, id, merged).await?;
    let merge = persons::find(&work.tx, &me.scope, made).await?;
    work.finish(Answer::created("/merges".into(), &merge)?).await
}

/// Merges, the last first, those undone too.
#[utoipa::path(get, path = "/merges", params(PageQuery), responses((status = 200, body = List<Merge>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Merge>>> {
    let page = persons::done(&app.db, &me.scope, &query.page()?).await?;
    Ok(Json(page.into()))
}

/// Takes a merge back. A later merge of the same person (`undo_first`) is to be undone before it.
#[utoipa::path(post, path = "/merges/{id}/undo", params(("id" = MergeId, Path)),
    responses((status = 200, body = Merge)))]
pub(super) async fn undo(
    State(app): State<App>,
    me: Caller,
    At(id): At<MergeId>,
    posted: Posted<NoFields>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    persons::undo(&work.tx, &me.act(&app), &me.scope, id).await?;
    let merge = persons::find(&work.tx, &me.scope, id).await?;
    work.finish(Answer::ok(&merge)?).await
}
