//! Campaigns: write, read, change, delete; who got it and what came of it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::campaign_events;
use super::idempotency::Posted;
use super::input::{At, Body, Query, given, whole};
use super::problem::Result;
use super::segments::RuleJson;
use crate::app::App;
use crate::auth::Permission::{CampaignsRead, CampaignsWrite};
use crate::auth::Policy::Can;
use crate::campaigns::{
    self, Audience, Campaign, CampaignChange, CampaignState, Delivery, DeliveryState, Lift, NewCampaign,
    Progress, SpeedPoint, StoreProgress,
};
use crate::db::Conn;
use crate::directory;
use crate::error::Error;
use crate::ids::{AssociateId, BatchId, CampaignId, ContactId, SegmentId, StoreId};
use crate::links::content::Content;
use crate::page::PageOf;
use crate::routes::Routes;
use crate::time::Timestamp;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/campaigns", Can(CampaignsRead), list)
        .post("/campaigns", Can(CampaignsWrite), create)
        .get("/campaigns/{id}", Can(CampaignsRead), show)
        .patch("/campaigns/{id}", Can(CampaignsWrite), change)
        .delete("/campaigns/{id}", Can(CampaignsWrite), delete)
        .get("/campaigns/{id}/deliveries", Can(CampaignsRead), deliveries)
        .get("/campaigns/{id}/report", Can(CampaignsRead), report)
        .get(
            "/campaigns/{id}/events",
            Can(CampaignsRead),
            campaign_events::events,
        )
}

/// Who a campaign is for: `{"segment_id":"…"}` or `{"rule":{…}}`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Audience)]
pub(super) enum AudienceBody {
    SegmentId(SegmentId),
    Rule(RuleJson),
}

impl AudienceBody {
    pub(super) async fn read(&self, conn: &impl Conn, me: &Caller) -> Result<Audience> {
        match self {
            Self::SegmentId(id) => Ok(Audience::Segment(*id)),
            Self::Rule(rule) => Ok(Audience::Rule(rule.read(conn, me, "/audience/rule").await?)),
        }
    }
}

/// The frozen or current rule, and the segment it came from, if any.
#[derive(Serialize, ToSchema)]
pub(super) struct AudienceAnswer {
    segment_id: Option<SegmentId>,
    rule: RuleJson,
}

/// A campaign 群发.
#[derive(Serialize, ToSchema)]
#[schema(as = Campaign)]
pub(super) struct CampaignAnswer {
    id: CampaignId,
    name: String,
    state: CampaignState,
    audience: AudienceAnswer,
    content: Content,
    /// Wall-clock time in `zone`; `null`: as soon as it is scheduled.
    send_at: Option<String>,
    zone: String,
    deadline: Option<String>,
    late_after_minutes: i64,
    holdout_percent: i64,
    /// None yet: always empty.
    #[schema(value_type = Vec<Object>)]
    variants: [(); 0],
    priority: i64,
    created_by: String,
    approved_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    frozen_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

pub(super) fn answer(campaign: Campaign) -> Result<CampaignAnswer> {
    Ok(CampaignAnswer {
        id: campaign.id,
        name: campaign.name,
        state: campaign.state,
        audience: AudienceAnswer {
            segment_id: campaign.segment_id,
            rule: RuleJson::of(&campaign.rule)?,
        },
        content: campaign.content,
        send_at: campaign.send_at,
        zone: campaign.zone,
        deadline: campaign.deadline,
        late_after_minutes: campaign.late_after_minutes,
        holdout_percent: campaign.holdout_percent,
        variants: [],
        priority: campaign.priority,
        created_by: campaign.created_by,
        approved_by: campaign.approved_by,
        starts_at: campaign.starts_at,
        ends_at: campaign.ends_at,
        frozen_at: campaign.frozen_at,
        started_at: campaign.started_at,
        finished_at: campaign.finished_at,
        version: campaign.version,
        created_at: campaign.created_at,
        updated_at: campaign.updated_at,
    })
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CampaignQuery {
    /// `draft`, `scheduled`, `running`, `paused`, `finished`, `cancelled` or `missed`.
    state: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// Campaigns in scope, newest first.
#[utoipa::path(get, path = "/campaigns", params(CampaignQuery),
    responses((status = 200, body = List<CampaignAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<CampaignQuery>,
) -> Result<Json<List<CampaignAnswer>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let state = read_state(query.state, CampaignState::parse)?;
    let found = campaigns::list(&app.db, &me.scope, state, &page).await?;
    let items = found.items.into_iter().map(answer).collect::<Result<Vec<_>>>()?;
    Ok(Json(List {
        items,
        next: found.next,
    }))
}

fn read_state<T>(text: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    let Some(text) = text else { return Ok(None) };
    let state = parse(&text).ok_or_else(|| Error::invalid("/state", format!("`{text}` is not a state")))?;
    Ok(Some(state))
}

/// A campaign to write. It stays a draft until `POST …/schedule`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignBody {
    name: String,
    audience: AudienceBody,
    content: Content,
    /// Wall-clock time in `zone`: `2026-12-01T10:00`. Absent: now.
    send_at: Option<String>,
    /// IANA name; the corp's when absent.
    zone: Option<String>,
    /// Wall-clock time in `zone` by which associates have to confirm.
    deadline: Option<String>,
    late_after_minutes: Option<i64>,
    holdout_percent: Option<i64>,
    /// Must be empty or absent.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    variants: Option<Vec<Value>>,
    /// 0 to 100. Of batches that wait, those of a higher priority go first: each point counts as a minute waited.
    priority: Option<i64>,
}

/// Writes a draft.
#[utoipa::path(post, path = "/campaigns", request_body = CampaignBody,
    responses((status = 201, body = CampaignAnswer)))]
pub(super) async fn create(
    State(app): State<App>,
    me: Caller,
    posted: Posted<CampaignBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let body = posted.body;
    refuse_variants(body.variants.as_deref())?;
    let new = NewCampaign {
        audience: body.audience.read(&work.tx, &me).await?,
        name: body.name,
        content: body.content,
        send_at: body.send_at,
        zone: body.zone,
        deadline: body.deadline,
        late_after_minutes: body.late_after_minutes,
        holdout_percent: body.holdout_percent,
        priority: body.priority,
    };
    let corp = directory::find_corp(&work.tx, me.corp).await?;
    let id = campaigns::create(&work.tx, &me.act(&app), &me.scope, &corp, new).await?;
    let campaign = answer(campaigns::find(&work.tx, &me.scope, id).await?)?;
    work.finish(Answer::created(format!("/campaigns/{id}"), &campaign)?)
        .await
}

fn refuse_variants(variants: Option<&[Value]>) -> Result<()> {
    if variants.is_some_and(|variants| !variants.is_empty()) {
        let message = "a campaign has one content; leave `variants` out and write a campaign for each";
        return Err(Error::invalid("/variants", message).into());
    }
    Ok(())
}

/// One campaign.
#[utoipa::path(get, path = "/campaigns/{id}", params(("id" = CampaignId, Path)),
    responses((status = 200, body = CampaignAnswer)))]
pub(super) async fn show(
    State(app): State<App>,
    me: Caller,
    At(id): At<CampaignId>,
) -> Result<Json<CampaignAnswer>> {
    Ok(Json(answer(campaigns::find(&app.db, &me.scope, id).await?)?))
}

/// What may change of a draft; absent fields stay, `null` clears `send_at` and `deadline`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignPatch {
    name: Option<String>,
    audience: Option<AudienceBody>,
    content: Option<Content>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    send_at: Option<Option<String>>,
    zone: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    deadline: Option<Option<String>>,
    late_after_minutes: Option<i64>,
    holdout_percent: Option<i64>,
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    variants: Option<Vec<Value>>,
    /// 0 to 100. Of batches that wait, those of a higher priority go first: each point counts as a minute waited.
    priority: Option<i64>,
}

/// Changes a draft.
#[utoipa::path(patch, path = "/campaigns/{id}", params(("id" = CampaignId, Path)), request_body = CampaignPatch,
    responses((status = 200, body = CampaignAnswer)))]
pub(super) async fn change(
    State(app): State<App>,
    me: Caller,
    At(id): At<CampaignId>,
    Body(body): Body<CampaignPatch>,
) -> Result<Json<CampaignAnswer>> {
    refuse_variants(body.variants.as_deref())?;
    let tx = app.db.begin().await?;
    let audience = match &body.audience {
        Some(audience) => Some(audience.read(&tx, &me).await?),
        None => None,
    };
    let change = CampaignChange {
        name: body.name,
        audience,
        content: body.content,
        send_at: body.send_at,
        zone: body.zone,
        deadline: body.deadline,
        late_after_minutes: body.late_after_minutes,
        holdout_percent: body.holdout_percent,
        priority: body.priority,
    };
    let corp = directory::find_corp(&tx, me.corp).await?;
    campaigns::change(&tx, &me.act(&app), &me.scope, &corp, id, change).await?;
    let campaign = answer(campaigns::find(&tx, &me.scope, id).await?)?;
    tx.commit().await?;
    Ok(Json(campaign))
}

/// Deletes a draft.
#[utoipa::path(delete, path = "/campaigns/{id}", params(("id" = CampaignId, Path)), responses((status = 204)))]
pub(super) async fn delete(State(app): State<App>, me: Caller, At(id): At<CampaignId>) -> Result<StatusCode> {
    let tx = app.db.begin().await?;
    campaigns::delete(&tx, &me.act(&app), &me.scope, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One contact of a campaign 投递.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryAnswer {
    contact_id: ContactId,
    contact_name: String,
    associate_id: Option<AssociateId>,
    store_id: Option<StoreId>,
    batch_id: Option<BatchId>,
    state: DeliveryState,
    /// Why it was excluded or failed.
    reason: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

impl From<Delivery> for DeliveryAnswer {
    fn from(delivery: Delivery) -> Self {
        Self {
            contact_id: delivery.contact_id,
            contact_name: delivery.contact_name,
            associate_id: delivery.associate_id,
            store_id: delivery.store_id,
            batch_id: delivery.batch_id,
            state: delivery.state,
            reason: delivery.reason,
            sent_at: delivery.sent_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// `planned`, `tasked`, `sent`, `failed`, `expired`, `excluded`, `cancelled` or `unknown`.
    state: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// One row per contact and its state.
#[utoipa::path(get, path = "/campaigns/{id}/deliveries", params(("id" = CampaignId, Path), DeliveryQuery),
    responses((status = 200, body = List<DeliveryAnswer>)))]
pub(super) async fn deliveries(
    State(app): State<App>,
    me: Caller,
    At(id): At<CampaignId>,
    Query(query): Query<DeliveryQuery>,
) -> Result<Json<List<DeliveryAnswer>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let state = read_state(query.state, DeliveryState::parse)?;
    campaigns::find(&app.db, &me.scope, id).await?;
    let found = campaigns::deliveries(&app.db, &me.scope, id, state, &page).await?;
    Ok(Json(found.map(DeliveryAnswer::from).into()))
}

/// What a campaign did: the funnel, by store, over time, and against the hold-out.
#[derive(Serialize, ToSchema)]
pub(super) struct CampaignReport {
    campaign_id: CampaignId,
    name: String,
    state: CampaignState,
    funnel: Progress,
    by_store: Vec<StoreProgress>,
    speed: Vec<Speed>,
    lift: Lift,
}

/// Sent until then, all together.
#[derive(Serialize, ToSchema)]
pub(super) struct Speed {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    sent: i64,
}

impl From<SpeedPoint> for Speed {
    fn from(point: SpeedPoint) -> Self {
        Self {
            at: point.at,
            sent: point.sent,
        }
    }
}

/// Funnel and lift.
#[utoipa::path(get, path = "/campaigns/{id}/report", params(("id" = CampaignId, Path)),
    responses((status = 200, body = CampaignReport)))]
pub(super) async fn report(
    State(app): State<App>,
    me: Caller,
    At(id): At<CampaignId>,
) -> Result<Json<CampaignReport>> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    let speed = campaigns::speed(&app.db, &me.scope, id).await?;
    Ok(Json(CampaignReport {
        campaign_id: id,
        name: campaign.name,
        state: campaign.state,
        funnel: campaigns::progress(&app.db, &me.scope, id).await?,
        by_store: campaigns::by_store(&app.db, &me.scope, id).await?,
        speed: speed.into_iter().map(Speed::from).collect(),
        lift: campaigns::lift(&app.db, &me.scope, id).await?,
    }))
}
