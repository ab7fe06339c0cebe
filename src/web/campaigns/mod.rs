//! Campaigns: the list, the four pages of the composer, live progress, the result.

mod acts;
mod audience;
mod content;
mod deliveries;
mod list;
mod live;
mod phone;
mod result;
mod review;
mod sample;
mod steps;
mod time;

use super::{Result, session};
use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::campaigns::{self, Audience, Campaign};
use crate::error::{Error, said};
use crate::ids::CampaignId;
use crate::routes::Routes;
use crate::time::{Timestamp, resolve_local, zone};

pub use audience::AudiencePage;
pub use content::ContentPage;
pub use deliveries::DeliveriesPage;
pub use list::CampaignsPage;
pub use live::LivePage;
pub use result::ResultPage;
pub use review::ReviewPage;
pub use time::TimePage;

pub fn routes() -> Routes<App> {
    let read = Policy::Can(Permission::CampaignsRead);
    let write = Policy::Can(Permission::CampaignsWrite);
    let approve = Policy::Can(Permission::CampaignsApprove);
    Routes::new(session::guard)
        .get("/campaigns", read, list::show)
        .get("/campaigns/new", write, audience::begin)
        .post("/campaigns/new", write, audience::create)
        .get("/campaigns/{id}", read, live::show)
        .get("/campaigns/{id}/live", read, live::part)
        .get("/campaigns/{id}/result", read, result::show)
        .get("/campaigns/{id}/deliveries", read, deliveries::list)
        .get("/campaigns/{id}/audience", write, audience::show)
        .post("/campaigns/{id}/audience", write, audience::change)
        .get("/campaigns/{id}/content", write, content::show)
        .post("/campaigns/{id}/content", write, content::change)
        .get("/campaigns/{id}/time", write, time::show)
        .post("/campaigns/{id}/time", write, time::change)
        .get("/campaigns/{id}/review", write, review::show)
        .post("/campaigns/{id}/schedule", write, review::schedule)
        .post("/campaigns/{id}/approve", approve, review::approve)
        .post("/campaigns/{id}/withdraw", approve, review::withdraw)
        .post("/campaigns/{id}/delete", write, review::delete)
        .post(
            "/campaigns/{id}/remind",
            Policy::Can(Permission::CampaignsRemind),
            acts::remind,
        )
        .post("/campaigns/{id}/pause", write, acts::pause)
        .post("/campaigns/{id}/resume", write, acts::resume)
        .post("/campaigns/{id}/cancel", write, acts::cancel)
        .post("/campaigns/{id}/call-off", write, acts::call_off)
}

/// A form that holds nothing but its proof.
#[derive(serde::Deserialize)]
struct Nothing {}

/// A draft for the composer.
async fn draft(app: &App, me: &Operator, id: CampaignId) -> Result<Campaign> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    if !campaign.state.can_edit() {
        return Err(Error::conflict(said!(
            "conflict-campaign-not-draft",
            "campaign `{name}` is {state}, not a draft",
            name = &campaign.name,
            state = campaign.state.as_str()
        ))
        .into());
    }
    Ok(campaign)
}

fn audience_of(campaign: &Campaign) -> Audience {
    match campaign.segment_id {
        Some(segment) => Audience::Segment(segment),
        None => Audience::Rule(campaign.rule.clone()),
    }
}

/// When it starts as written in the draft; `None`: as soon as it is scheduled.
fn start_of(campaign: &Campaign) -> Option<Timestamp> {
    instant(campaign.send_at.as_deref()?, &campaign.zone)
}

/// The instant that wall-clock text means.
fn instant(text: &str, zone_name: &str) -> Option<Timestamp> {
    let local = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok()?;
    Some(resolve_local(local, zone(zone_name)?))
}
