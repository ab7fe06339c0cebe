//! Marking many contacts at once, and merging a tag into another: a job with progress.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, NoFields, PageQuery, Query};
use super::problem::Result;
use super::segments::RuleJson;
use crate::app::App;
use crate::auth::Permission::{ContactsWrite, TagsRead, TagsWrite};
use crate::auth::Policy::Can;
use crate::db::Conn;
use crate::error::Error;
use crate::ids::{MarkingId, SegmentId, TagId};
use crate::marking::{self, Audience, Kind, Marking, RefusedMark, Wish};
use crate::routes::Routes;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/tags/marks", Can(TagsRead), list)
        .post("/tags/marks", Can(ContactsWrite), create)
        .get("/tags/marks/{id}", Can(TagsRead), show)
        .get("/tags/marks/{id}/refused", Can(TagsRead), refused)
        .post("/tags/marks/{id}/pause", Can(ContactsWrite), pause)
        .delete("/tags/marks/{id}/pause", Can(ContactsWrite), resume)
        .post("/tags/marks/{id}/cancellation", Can(ContactsWrite), cancel)
        .post("/tags/{id}/merger", Can(TagsWrite), merge)
}

/// Markings, the last first.
#[utoipa::path(get, path = "/tags/marks", params(PageQuery), responses((status = 200, body = List<Marking>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Marking>>> {
    let page = marking::list(&app.db, &me.scope, me.actor(), &query.page()?).await?;
    Ok(Json(page.into()))
}

/// Who is to be marked, by a `rule` or a `segment_id`, and with which tags.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkingBody {
    rule: Option<RuleJson>,
    segment_id: Option<SegmentId>,
    /// Tags to set, at most 20.
    #[serde(default)]
    add: Vec<TagId>,
    /// Tags to take away, at most 20.
    #[serde(default)]
    remove: Vec<TagId>,
}

impl MarkingBody {
    async fn audience(&self, conn: &impl Conn, me: &Caller) -> Result<Audience> {
        match (&self.rule, self.segment_id) {
            (Some(rule), None) => Ok(Audience::Rule(rule.read(conn, me, "/rule").await?)),
            (None, Some(id)) => Ok(Audience::Segment(id)),
            (Some(_), Some(_)) => {
                Err(Error::invalid("/segment_id", "give `rule` or `segment_id`, not both").into())
            }
            (None, None) => Err(Error::invalid("/rule", "say who: `rule` or `segment_id`").into()),
        }
    }
}

/// Freezes who is found now and begins to mark them, on every live follow, under the platform's limits. Progress is in
/// the answer of `/tags/marks/{id}`.
#[utoipa::path(post, path = "/tags/marks", request_body = MarkingBody,
    responses((status = 201, body = Marking)))]
pub(super) async fn create(
    State(app): State<App>,
    me: Caller,
    posted: Posted<MarkingBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let body = posted.body;
    let audience = body.audience(&work.tx, &me).await?;
    let wish = Wish {
        kind: Kind::Asked,
        add: body.add,
        remove: body.remove,
        carrying: None,
    };
    let id = marking::freeze(&app, &work.tx, &me.act(&app), &me.scope, &audience, &wish).await?;
    let marking = marking::find(&work.tx, &me.scope, me.actor(), id).await?;
    let answer = work
        .finish(Answer::created(format!("/tags/marks/{id}"), &marking)?)
        .await?;
    app.cache.ring().await;
    Ok(answer)
}

/// One marking and how far it is.
#[utoipa::path(get, path = "/tags/marks/{id}", params(("id" = MarkingId, Path)),
    responses((status = 200, body = Marking)))]
pub(super) async fn show(State(app): State<App>, me: Caller, At(id): At<MarkingId>) -> Result<Json<Marking>> {
    Ok(Json(marking::find(&app.db, &me.scope, me.actor(), id).await?))
}

/// Contacts that were not marked, each with the reason.
#[utoipa::path(get, path = "/tags/marks/{id}/refused", params(("id" = MarkingId, Path), PageQuery),
    responses((status = 200, body = List<RefusedMark>)))]
pub(super) async fn refused(
    State(app): State<App>,
    me: Caller,
    At(id): At<MarkingId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<RefusedMark>>> {
    let page = marking::refused(&app.db, &me.scope, me.actor(), id, &query.page()?).await?;
    Ok(Json(page.into()))
}

/// Marks nobody further until it goes on.
#[utoipa::path(post, path = "/tags/marks/{id}/pause", params(("id" = MarkingId, Path)),
    responses((status = 200, body = Marking)))]
pub(super) async fn pause(
    State(app): State<App>,
    me: Caller,
    At(id): At<MarkingId>,
    posted: Posted<NoFields>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    marking::pause(&work.tx, &me.act(&app), &me.scope, id).await?;
    let marking = marking::find(&work.tx, &me.scope, me.actor(), id).await?;
    work.finish(Answer::ok(&marking)?).await
}

/// Goes on with those who are left.
#[utoipa::path(delete, path = "/tags/marks/{id}/pause", params(("id" = MarkingId, Path)),
    responses((status = 200, body = Marking)))]
pub(super) async fn resume(
    State(app): State<App>,
    me: Caller,
    At(id): At<MarkingId>,
) -> Result<Json<Marking>> {
    let tx = app.db.begin().await?;
    marking::go_on(&tx, &me.act(&app), &me.scope, id).await?;
    let marking = marking::find(&tx, &me.scope, me.actor(), id).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(Json(marking))
}

/// Stops a marking; who is marked stays marked.
#[utoipa::path(post, path = "/tags/marks/{id}/cancellation", params(("id" = MarkingId, Path)),
    responses((status = 200, body = Marking)))]
pub(super) async fn cancel(
    State(app): State<App>,
    me: Caller,
    At(id): At<MarkingId>,
    posted: Posted<NoFields>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    marking::stop(&work.tx, &me.act(&app), &me.scope, id).await?;
    let marking = marking::find(&work.tx, &me.scope, me.actor(), id).await?;
    work.finish(Answer::ok(&marking)?).await
}

/// The tag that it becomes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MergerBody {
    into: TagId,
}

/// What became of a merger.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct MergerAnswer {
    /// The marking that gives everybody the other tag; `null`: nobody carried it, and it is deleted.
    marking: Option<Marking>,
}

/// Makes a tag another one: everybody who carries it gets the other, then it is deleted on the platform. If somebody is
/// refused, it stays.
#[utoipa::path(post, path = "/tags/{id}/merger", params(("id" = TagId, Path)), request_body = MergerBody,
    responses((status = 200, body = MergerAnswer)))]
pub(super) async fn merge(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagId>,
    posted: Posted<MergerBody>,
) -> Result<Answer> {
    let into = posted.body.into;
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let act = caller.act(&inside);
        let marking = marking::merge(&inside, &act, &caller.scope, id, into).await?;
        Answer::ok(&MergerAnswer { marking })
    };
    posted.once.run(&app, &me, effect).await
}
