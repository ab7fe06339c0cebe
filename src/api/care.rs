//! What colleagues note of contacts and mean to do for them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::contacts::TimelineEntry;
use super::idempotency::Posted;
use super::input::{At, Body, NoFields, Query, whole};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{ContactsPhone, ContactsRead, ContactsWrite};
use crate::auth::Policy::Can;
use crate::care::{self, FollowUp, FollowUpFilter, NewFollowUp, State as Stands};
use crate::contacts;
use crate::ids::{AssociateId, ContactId, FollowUpId, TimelineId};
use crate::page::PageOf;
use crate::routes::Routes;
use crate::time::Day;
use crate::timeline;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .post("/contacts/{id}/phone", Can(ContactsPhone), show_phone)
        .post("/contacts/{id}/notes", Can(ContactsWrite), add_note)
        .delete("/notes/{id}", Can(ContactsWrite), remove)
        .post("/contacts/{id}/follow-ups", Can(ContactsWrite), add_follow_up)
        .get("/follow-ups", Can(ContactsRead), list)
        .get("/follow-ups/{id}", Can(ContactsRead), show)
        .patch("/follow-ups/{id}", Can(ContactsWrite), put_off)
        .delete("/follow-ups/{id}", Can(ContactsWrite), drop)
        .post("/follow-ups/{id}/completion", Can(ContactsWrite), complete)
        .delete("/follow-ups/{id}/completion", Can(ContactsWrite), reopen)
}

/// A phone number, whole.
#[derive(Serialize, ToSchema)]
pub(super) struct PhoneAnswer {
    /// Digits alone.
    phone: String,
}

/// Shows a contact's phone number, and notes in the audit chain that this key saw it: at most 30 an hour. The answer
/// is not kept for a repeat.
#[utoipa::path(post, path = "/contacts/{id}/phone", params(("id" = ContactId, Path)), request_body = NoFields,
    responses((status = 200, body = PhoneAnswer)))]
pub(super) async fn show_phone(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    Body(NoFields {}): Body<NoFields>,
) -> Result<Json<PhoneAnswer>> {
    let number = contacts::show_phone(&app, &me.act(&app), &me.scope, id).await?;
    Ok(Json(PhoneAnswer {
        phone: number.expose_secret().to_owned(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteBody {
    /// 1 to 500 characters.
    text: String,
}

/// Notes a sentence about a contact: a line of their timeline, for everybody who may see them.
#[utoipa::path(post, path = "/contacts/{id}/notes", params(("id" = ContactId, Path)), request_body = NoteBody,
    responses((status = 201, body = TimelineEntry)))]
pub(super) async fn add_note(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    posted: Posted<NoteBody>,
) -> Result<Answer> {
    let (inside, caller, text) = (app.clone(), me.clone(), posted.body.text);
    let effect = async move {
        let note = contacts::note(&inside, &caller.act(&inside), &caller.scope, id, &text).await?;
        let (_, recorded) = timeline::find(&inside.db, &caller.scope, note).await?;
        Answer::created(format!("/notes/{note}"), &TimelineEntry(recorded))
    };
    posted.once.run(&app, &me, effect).await
}

/// Takes away a note that this key wrote. The line stays, without its text.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = TimelineId, Path)), responses((status = 204)))]
pub(super) async fn remove(State(app): State<App>, me: Caller, At(id): At<TimelineId>) -> Result<StatusCode> {
    contacts::remove_note(&app, &me.act(&app), &me.scope, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowUpBody {
    /// What is to be done, 1 to 100 characters.
    what: String,
    /// Today or later.
    #[schema(value_type = String, format = Date)]
    due_day: Day,
    /// Whose it is: an associate who follows the contact; absent: whoever added them last.
    associate_id: Option<AssociateId>,
}

/// Sets a follow-up for a contact.
#[utoipa::path(post, path = "/contacts/{id}/follow-ups", params(("id" = ContactId, Path)),
    request_body = FollowUpBody, responses((status = 201, body = FollowUp)))]
pub(super) async fn add_follow_up(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    posted: Posted<FollowUpBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let new = NewFollowUp {
        contact: id,
        associate: posted.body.associate_id,
        what: &posted.body.what,
        due_day: posted.body.due_day,
    };
    let set = care::set(&work.tx, &me.act(&app), &me.scope, &new).await?;
    let follow_up = care::find(&work.tx, &me.scope, set).await?;
    work.finish(Answer::created(format!("/follow-ups/{set}"), &follow_up)?)
        .await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FollowUpQuery {
    /// `open` when absent.
    #[serde(default)]
    state: Stands,
    contact: Option<ContactId>,
    associate: Option<AssociateId>,
    /// Due on this day or before.
    #[param(value_type = Option<String>, format = Date)]
    due_by: Option<Day>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// Follow-ups of live pairs, those due first before the others.
#[utoipa::path(get, path = "/follow-ups", params(FollowUpQuery), responses((status = 200, body = List<FollowUp>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<FollowUpQuery>,
) -> Result<Json<List<FollowUp>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let filter = FollowUpFilter {
        state: query.state,
        contact: query.contact,
        associate: query.associate,
        due_by: query.due_by,
    };
    Ok(Json(care::list(&app.db, &me.scope, &filter, &page).await?.into()))
}

/// One follow-up.
#[utoipa::path(get, path = "/follow-ups/{id}", params(("id" = FollowUpId, Path)),
    responses((status = 200, body = FollowUp)))]
pub(super) async fn show(
    State(app): State<App>,
    me: Caller,
    At(id): At<FollowUpId>,
) -> Result<Json<FollowUp>> {
    Ok(Json(care::find(&app.db, &me.scope, id).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowUpPatch {
    /// Today or later.
    #[schema(value_type = String, format = Date)]
    due_day: Day,
}

/// Puts an open follow-up off.
#[utoipa::path(patch, path = "/follow-ups/{id}", params(("id" = FollowUpId, Path)), request_body = FollowUpPatch,
    responses((status = 200, body = FollowUp)))]
pub(super) async fn put_off(
    State(app): State<App>,
    me: Caller,
    At(id): At<FollowUpId>,
    Body(body): Body<FollowUpPatch>,
) -> Result<Json<FollowUp>> {
    let tx = app.db.begin().await?;
    care::put_off(&tx, &me.act(&app), &me.scope, id, body.due_day).await?;
    let follow_up = care::find(&tx, &me.scope, id).await?;
    tx.commit().await?;
    Ok(Json(follow_up))
}

/// Drops an open follow-up: nothing was done.
#[utoipa::path(delete, path = "/follow-ups/{id}", params(("id" = FollowUpId, Path)), responses((status = 204)))]
pub(super) async fn drop(State(app): State<App>, me: Caller, At(id): At<FollowUpId>) -> Result<StatusCode> {
    turn(&app, &me, id, Stands::Dropped).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says that it was done; the contact's timeline says so too.
#[utoipa::path(post, path = "/follow-ups/{id}/completion", params(("id" = FollowUpId, Path)),
    request_body = NoFields, responses((status = 200, body = FollowUp)))]
pub(super) async fn complete(
    State(app): State<App>,
    me: Caller,
    At(id): At<FollowUpId>,
    posted: Posted<NoFields>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    care::turn(&work.tx, &me.act(&app), &me.scope, id, Stands::Done).await?;
    let follow_up = care::find(&work.tx, &me.scope, id).await?;
    work.finish(Answer::ok(&follow_up)?).await
}

/// Opens one again that was done.
#[utoipa::path(delete, path = "/follow-ups/{id}/completion", params(("id" = FollowUpId, Path)),
    responses((status = 204)))]
pub(super) async fn reopen(State(app): State<App>, me: Caller, At(id): At<FollowUpId>) -> Result<StatusCode> {
    turn(&app, &me, id, Stands::Open).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn turn(app: &App, me: &Caller, id: FollowUpId, next: Stands) -> Result<()> {
    let tx = app.db.begin().await?;
    care::turn(&tx, &me.act(app), &me.scope, id, next).await?;
    tx.commit().await?;
    Ok(())
}
