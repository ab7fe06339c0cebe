//! Welcome messages: the channel's, else the store's, else the corp's; none set, none sent.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Body};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{WelcomesRead, WelcomesWrite};
use crate::auth::Policy::Can;
use crate::ids::{StoreId, WelcomeId};
use crate::links::content::{Attachment, Content};
use crate::routes::Routes;
use crate::time::Timestamp;
use crate::welcomes::{self, AppliesTo, Welcome};

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/welcomes", Can(WelcomesRead), list)
        .post("/welcomes", Can(WelcomesWrite), create)
        .get("/welcomes/{id}", Can(WelcomesRead), show)
        .patch("/welcomes/{id}", Can(WelcomesWrite), change)
        .delete("/welcomes/{id}", Can(WelcomesWrite), delete)
}

/// Whom it greets: `"corp"`, `{"store_id":"…"}` or `{"channel":"…"}`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AppliesTo)]
pub(super) enum AppliesToJson {
    Corp,
    StoreId(StoreId),
    Channel(String),
}

impl From<AppliesToJson> for AppliesTo {
    fn from(json: AppliesToJson) -> Self {
        match json {
            AppliesToJson::Corp => Self::Corp,
            AppliesToJson::StoreId(store) => Self::Store(store),
            AppliesToJson::Channel(channel) => Self::Channel(channel),
        }
    }
}

impl From<AppliesTo> for AppliesToJson {
    fn from(applies_to: AppliesTo) -> Self {
        match applies_to {
            AppliesTo::Corp => Self::Corp,
            AppliesTo::Store(store) => Self::StoreId(store),
            AppliesTo::Channel(channel) => Self::Channel(channel),
        }
    }
}

/// A welcome message 欢迎语.
#[derive(Serialize, ToSchema)]
#[schema(as = Welcome)]
pub(super) struct WelcomeAnswer {
    id: WelcomeId,
    applies_to: AppliesToJson,
    text: String,
    attachments: Vec<Attachment>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Welcome> for WelcomeAnswer {
    fn from(welcome: Welcome) -> Self {
        Self {
            id: welcome.id,
            applies_to: welcome.applies_to.into(),
            text: welcome.content.text,
            attachments: welcome.content.attachments,
            updated_at: welcome.updated_at,
        }
    }
}

/// Every welcome.
#[utoipa::path(get, path = "/welcomes", responses((status = 200, body = List<WelcomeAnswer>)))]
pub(super) async fn list(State(app): State<App>, me: Caller) -> Result<Json<List<WelcomeAnswer>>> {
    let found = welcomes::list(&app.db, &me.scope).await?;
    Ok(Json(List::whole(
        found.into_iter().map(WelcomeAnswer::from).collect(),
    )))
}

/// One welcome.
#[utoipa::path(get, path = "/welcomes/{id}", params(("id" = WelcomeId, Path)),
    responses((status = 200, body = WelcomeAnswer)))]
pub(super) async fn show(
    State(app): State<App>,
    me: Caller,
    At(id): At<WelcomeId>,
) -> Result<Json<WelcomeAnswer>> {
    Ok(Json(welcomes::find(&app.db, &me.scope, id).await?.into()))
}

/// A welcome to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WelcomeBody {
    applies_to: AppliesToJson,
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// Sets a welcome.
#[utoipa::path(post, path = "/welcomes", request_body = WelcomeBody,
    responses((status = 201, body = WelcomeAnswer)))]
pub(super) async fn create(
    State(app): State<App>,
    me: Caller,
    posted: Posted<WelcomeBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let body = posted.body;
    let content = Content {
        text: body.text,
        attachments: body.attachments,
    };
    let applies_to = body.applies_to.into();
    let id = welcomes::create(&work.tx, &me.act(&app), &me.scope, applies_to, &content).await?;
    let welcome = WelcomeAnswer::from(welcomes::find(&work.tx, &me.scope, id).await?);
    work.finish(Answer::created(format!("/welcomes/{id}"), &welcome)?)
        .await
}

/// What may change of a welcome; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WelcomePatch {
    text: Option<String>,
    attachments: Option<Vec<Attachment>>,
}

/// Changes a welcome.
#[utoipa::path(patch, path = "/welcomes/{id}", params(("id" = WelcomeId, Path)), request_body = WelcomePatch,
    responses((status = 200, body = WelcomeAnswer)))]
pub(super) async fn change(
    State(app): State<App>,
    me: Caller,
    At(id): At<WelcomeId>,
    Body(body): Body<WelcomePatch>,
) -> Result<Json<WelcomeAnswer>> {
    let tx = app.db.begin().await?;
    let was = welcomes::find(&tx, &me.scope, id).await?.content;
    let content = Content {
        text: body.text.unwrap_or(was.text),
        attachments: body.attachments.unwrap_or(was.attachments),
    };
    welcomes::change(&tx, &me.act(&app), &me.scope, id, &content).await?;
    let welcome = welcomes::find(&tx, &me.scope, id).await?;
    tx.commit().await?;
    Ok(Json(welcome.into()))
}

/// Removes a welcome.
#[utoipa::path(delete, path = "/welcomes/{id}", params(("id" = WelcomeId, Path)), responses((status = 204)))]
pub(super) async fn delete(State(app): State<App>, me: Caller, At(id): At<WelcomeId>) -> Result<StatusCode> {
    let tx = app.db.begin().await?;
    welcomes::delete(&tx, &me.scope, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
