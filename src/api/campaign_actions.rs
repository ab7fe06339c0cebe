//! What is done with a campaign. An action is a noun: POST does it, DELETE calls it off where that can be.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDateTime;

use super::Caller;
use super::answer::Answer;
use super::campaigns::{CampaignAnswer, answer};
use super::idempotency::Posted;
use super::input::{At, Body, NoFields};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{CampaignsApprove, CampaignsRead, CampaignsWrite};
use crate::auth::Policy::Can;
use crate::campaigns::{self, Audience, Campaign, QuotaPlan};
use crate::directory;
use crate::ids::CampaignId;
use crate::routes::Routes;
use crate::time::{Timestamp, resolve_local, zone};

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .post("/campaigns/{id}/quota", Can(CampaignsRead), quota)
        .post("/campaigns/{id}/approval", Can(CampaignsApprove), approve)
        .delete(
            "/campaigns/{id}/approval",
            Can(CampaignsApprove),
            withdraw_approval,
        )
        .post("/campaigns/{id}/schedule", Can(CampaignsWrite), schedule)
        .delete("/campaigns/{id}/schedule", Can(CampaignsWrite), call_off)
        .post("/campaigns/{id}/pause", Can(CampaignsWrite), pause)
        .delete("/campaigns/{id}/pause", Can(CampaignsWrite), resume)
        .post("/campaigns/{id}/cancellation", Can(CampaignsWrite), cancel)
}

/// Who is eligible, who is blocked, by what, and when each frees up. Changes nothing.
#[utoipa::path(post, path = "/campaigns/{id}/quota", params(("id" = CampaignId, Path)),
    responses((status = 200, body = QuotaPlan)))]
pub(super) async fn quota(
    State(app): State<App>,
    me: Caller,
    At(id): At<CampaignId>,
    Body(NoFields {}): Body<NoFields>,
) -> Result<Json<QuotaPlan>> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let (start, now) = (start(&campaign, app.now()), app.now());
    let audience = match campaign.segment_id {
        Some(segment) => Audience::Segment(segment),
        None => Audience::Rule(campaign.rule),
    };
    let holdout = campaign.holdout_percent;
    let scope = me.scope.clone();
    let held = app.clone();
    let plan = app.db.at_length(move |db| async move {
        campaigns::quota_plan(&held, &db, &scope, &corp, &audience, holdout, start, now).await
    });
    Ok(Json(plan.await?))
}

/// When it would start: as scheduled, as written, or now.
fn start(campaign: &Campaign, now: Timestamp) -> Timestamp {
    let written = || {
        let text = campaign.send_at.as_deref()?;
        let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
        Some(resolve_local(local, zone(&campaign.zone)?))
    };
    campaign.starts_at.or_else(written).unwrap_or(now)
}

/// Defines an action: its route's documentation, and the verb it calls.
macro_rules! action {
    ($(#[doc = $doc:literal])* post $path:literal $name:ident) => {
        $(#[doc = $doc])*
        #[utoipa::path(post, path = $path, params(("id" = CampaignId, Path)),
            responses((status = 200, body = CampaignAnswer)))]
        pub(super) async fn $name(
            State(app): State<App>,
            me: Caller,
            At(id): At<CampaignId>,
            posted: Posted<NoFields>,
        ) -> Result<Answer> {
            let (inside, caller) = (app.clone(), me.clone());
            let effect = async move {
                campaigns::$name(&inside, &caller.act(&inside), &caller.scope, id).await?;
                Answer::ok(&answer(campaigns::find(&inside.db, &caller.scope, id).await?)?)
            };
            posted.once.run(&app, &me, effect).await
        }
    };
    ($(#[doc = $doc:literal])* delete $path:literal $name:ident) => {
        $(#[doc = $doc])*
        #[utoipa::path(delete, path = $path, params(("id" = CampaignId, Path)),
            responses((status = 200, body = CampaignAnswer)))]
        pub(super) async fn $name(
            State(app): State<App>,
            me: Caller,
            At(id): At<CampaignId>,
        ) -> Result<Json<CampaignAnswer>> {
            campaigns::$name(&app, &me.act(&app), &me.scope, id).await?;
            Ok(Json(answer(campaigns::find(&app.db, &me.scope, id).await?)?))
        }
    };
}

action! {
    /// Approves a campaign: by another key or person than the one who wrote it.
    post "/campaigns/{id}/approval" approve
}
action! {
    /// Takes an approval back, before it is scheduled.
    delete "/campaigns/{id}/approval" withdraw_approval
}
action! {
    /// Freezes the audience and sets the start.
    post "/campaigns/{id}/schedule" schedule
}
action! {
    /// Makes it a draft again, before it started.
    delete "/campaigns/{id}/schedule" call_off
}
action! {
    /// Starts no further batch until it is resumed.
    post "/campaigns/{id}/pause" pause
}
action! {
    /// Goes on with what is not handed over yet.
    delete "/campaigns/{id}/pause" resume
}
action! {
    /// Stops what is not yet sent; what is sent cannot be called back.
    post "/campaigns/{id}/cancellation" cancel
}
