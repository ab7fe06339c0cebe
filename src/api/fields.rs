//! Fields of its own that a chain keeps of its contacts. Values come with imports and go with exports.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::At;
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{ContactsRead, FieldsWrite};
use crate::auth::Policy::Can;
use crate::auth::audit;
use crate::contacts::{self, ContactField, FieldKind};
use crate::db::Tx;
use crate::error::Error;
use crate::ids::FieldId;
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/contact-fields", Can(ContactsRead), list)
        .post("/contact-fields", Can(FieldsWrite), create)
        .delete("/contact-fields/{id}", Can(FieldsWrite), delete)
}

/// The fields there are, the first defined first.
#[utoipa::path(get, path = "/contact-fields", responses((status = 200, body = List<ContactField>)))]
pub(super) async fn list(State(app): State<App>, me: Caller) -> Result<Json<List<ContactField>>> {
    Ok(Json(List::whole(contacts::fields(&app.db, me.corp).await?)))
}

/// A field to define.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContactFieldBody)]
pub(super) struct FieldBody {
    name: String,
    kind: FieldKind,
    /// What a `choice` chooses from.
    #[serde(default)]
    choices: Vec<String>,
}

/// Defines a field.
#[utoipa::path(post, path = "/contact-fields", request_body = FieldBody,
    responses((status = 201, body = ContactField)))]
pub(super) async fn create(State(app): State<App>, me: Caller, posted: Posted<FieldBody>) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let FieldBody { name, kind, choices } = posted.body;
    let id = contacts::add_field(&work.tx, &me.act(&app), me.corp, &name, kind, &choices).await?;
    let detail = serde_json::json!({ "kind": kind });
    note(&work.tx, &app, &me, "field.add", id, &detail).await?;
    let fields = contacts::fields(&work.tx, me.corp).await?;
    let field = fields.into_iter().find(|field| field.id == id);
    let field = field.ok_or(Error::NotFound)?;
    work.finish(Answer::created(format!("/contact-fields/{id}"), &field)?)
        .await
}

/// Deletes a field and what is kept in it.
#[utoipa::path(delete, path = "/contact-fields/{id}", params(("id" = FieldId, Path)), responses((status = 204)))]
pub(super) async fn delete(State(app): State<App>, me: Caller, At(id): At<FieldId>) -> Result<StatusCode> {
    let tx = app.db.begin().await?;
    contacts::delete_field(&tx, &me.act(&app), me.corp, id).await?;
    note(&tx, &app, &me, "field.delete", id, &serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn note(
    tx: &Tx,
    app: &App,
    me: &Caller,
    action: &str,
    id: FieldId,
    detail: &serde_json::Value,
) -> Result<(), Error> {
    audit::append(tx, &me.act(app), me.corp, action, &format!("field:{id}"), detail).await
}
