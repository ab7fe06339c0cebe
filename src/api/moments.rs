//! Moments: posts associates publish to their customers' feed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::campaigns::AudienceBody;
use super::idempotency::Posted;
use super::input::{At, PageQuery, Query};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{MomentsRead, MomentsWrite};
use crate::auth::Policy::Can;
use crate::campaigns::Audience;
use crate::db::Conn;
use crate::directory;
use crate::error::Error;
use crate::ids::{AssociateId, MomentId, StoreId};
use crate::links::content::{Attachment, Content};
use crate::moments::{self, MomentRow, MomentTask, NewMoment, Senders};
use crate::money::Fen;
use crate::routes::Routes;
use crate::segments;
use crate::time::Timestamp;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/moments", Can(MomentsRead), list)
        .post("/moments", Can(MomentsWrite), create)
        .get("/moments/{id}", Can(MomentsRead), show)
        .delete("/moments/{id}", Can(MomentsWrite), cancel)
}

/// A moment and its counts, within the scope.
#[derive(Serialize, ToSchema)]
pub(super) struct Moment {
    id: MomentId,
    text: String,
    attachments: Vec<Attachment>,
    /// `planned`, `creating`, `published`, `failed` or `cancelled`.
    state: String,
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What the platform said when it failed.
    error: Option<String>,
    /// Associates who are to publish it, and who did.
    assigned: i64,
    published: i64,
    /// Customers it reached.
    visible: i64,
    likes: i64,
    comments: i64,
    clicks: i64,
    orders: i64,
    #[schema(value_type = i64)]
    net_fen: Fen,
}

impl From<MomentRow> for Moment {
    fn from(row: MomentRow) -> Self {
        Self {
            id: row.id,
            text: row.text,
            attachments: row.content.attachments,
            state: row.state,
            starts_at: row.starts_at,
            created_by: row.created_by,
            created_at: row.created_at,
            error: row.error,
            assigned: row.assigned,
            published: row.published,
            visible: row.visible,
            likes: row.likes,
            comments: row.comments,
            clicks: row.clicks,
            orders: row.orders,
            net_fen: row.net_fen,
        }
    }
}

/// One associate's part in a moment.
#[derive(Serialize, ToSchema)]
#[schema(as = MomentTask)]
pub(super) struct TaskAnswer {
    associate_id: AssociateId,
    associate_name: String,
    store_name: Option<String>,
    /// `planned`, `tasked`, `published`, `failed` or `cancelled`.
    state: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    published_at: Option<Timestamp>,
    visible: i64,
    likes: i64,
    comments: i64,
}

impl From<MomentTask> for TaskAnswer {
    fn from(task: MomentTask) -> Self {
        Self {
            associate_id: task.associate_id,
            associate_name: task.associate_name,
            store_name: task.store_name,
            state: task.state,
            published_at: task.published_at,
            visible: task.visible,
            likes: task.likes,
            comments: task.comments,
        }
    }
}

/// A moment with the task of each associate.
#[derive(Serialize, ToSchema)]
pub(super) struct MomentWithTasks {
    #[serde(flatten)]
    #[schema(inline)]
    moment: Moment,
    tasks: Vec<TaskAnswer>,
}

async fn with_tasks(conn: &impl Conn, me: &Caller, id: MomentId) -> Result<MomentWithTasks> {
    let moment = moments::find(conn, &me.scope, id).await?;
    let tasks = moments::tasks(conn, &me.scope, id).await?;
    Ok(MomentWithTasks {
        moment: moment.into(),
        tasks: tasks.into_iter().map(TaskAnswer::from).collect(),
    })
}

/// Moments with a task in scope, newest first.
#[utoipa::path(get, path = "/moments", params(PageQuery), responses((status = 200, body = List<Moment>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Moment>>> {
    let found = moments::list(&app.db, &me.scope, &query.page()?).await?;
    Ok(Json(found.map(Moment::from).into()))
}

/// One moment with the task of each associate.
#[utoipa::path(get, path = "/moments/{id}", params(("id" = MomentId, Path)),
    responses((status = 200, body = MomentWithTasks)))]
pub(super) async fn show(
    State(app): State<App>,
    me: Caller,
    At(id): At<MomentId>,
) -> Result<Json<MomentWithTasks>> {
    Ok(Json(with_tasks(&app.db, &me, id).await?))
}

/// Who publishes: `{"associate_ids":[…]}`, `{"store_ids":[…]}` or `{"everyone":true}`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Senders)]
pub(super) enum SendersBody {
    AssociateIds(Vec<AssociateId>),
    StoreIds(Vec<StoreId>),
    Everyone(bool),
}

/// A moment to plan.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MomentBody {
    #[serde(default)]
    text: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
    /// Only tags can narrow who sees a moment.
    audience: Option<AudienceBody>,
    senders: SendersBody,
    /// Wall-clock time in the corp's zone: `2026-12-01T10:00`. Absent: now.
    send_at: Option<String>,
}

impl MomentBody {
    async fn read(self, conn: &impl Conn, me: &Caller) -> Result<NewMoment> {
        let audience = match &self.audience {
            None => None,
            Some(audience) => match audience.read(conn, me).await? {
                Audience::Rule(rule) => Some(rule),
                Audience::Segment(id) => Some(segments::find(conn, &me.scope, id).await?.rule),
            },
        };
        let senders = match self.senders {
            SendersBody::AssociateIds(ids) => Senders::Associates(ids),
            SendersBody::StoreIds(ids) => Senders::Stores(ids),
            SendersBody::Everyone(true) => Senders::Everyone,
            SendersBody::Everyone(false) => {
                return Err(Error::invalid(
                    "/senders/everyone",
                    "write `true`, or name stores or associates",
                )
                .into());
            }
        };
        Ok(NewMoment {
            content: Content {
                text: self.text,
                attachments: self.attachments,
            },
            audience,
            senders,
            send_at: self.send_at,
        })
    }
}

/// Plans a moment: one task an associate.
#[utoipa::path(post, path = "/moments", request_body = MomentBody,
    responses((status = 201, body = MomentWithTasks)))]
pub(super) async fn create(State(app): State<App>, me: Caller, posted: Posted<MomentBody>) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let new = posted.body.read(&work.tx, &me).await?;
    let corp = directory::find_corp(&work.tx, me.corp).await?;
    let id = moments::plan(&work.tx, &me.act(&app), &me.scope, &corp, new).await?;
    let moment = with_tasks(&work.tx, &me, id).await?;
    let answer = work
        .finish(Answer::created(format!("/moments/{id}"), &moment)?)
        .await?;
    app.cache.ring().await;
    Ok(answer)
}

/// Stops associates who have not published yet.
#[utoipa::path(delete, path = "/moments/{id}", params(("id" = MomentId, Path)), responses((status = 204)))]
pub(super) async fn cancel(State(app): State<App>, me: Caller, At(id): At<MomentId>) -> Result<StatusCode> {
    moments::cancel(&app, &me.act(&app), &me.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
