//! The overview over regions and stores, for headquarters and regional managers.

mod page;
mod sample;

use axum::extract::State;

use super::span::SpanQuery;
use super::{Query, Result, Shell, Show, session};
use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::campaigns::{self, Campaign, CampaignState, Progress};
use crate::metrics;
use crate::page::PageOf;
use crate::routes::Routes;

pub use page::OverviewPage;

/// Running campaigns named here; the list has them all.
const RUNNING: i64 = 5;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard).get("/overview", Policy::Can(Permission::OverviewRead), show)
}

async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(asked): Query<SpanQuery>,
) -> Result<Show<OverviewPage>> {
    let today = app.now().day(me.zone);
    let shown = asked.read(today)?;
    let overview = metrics::overview(&app.db, &me.scope, shown.span).await?;
    let (from, to) = (shown.span.compare_from, shown.compare_last);
    let before = metrics::net_by_day(&app.db, &me.scope, None, from, to).await?;
    let sentences = metrics::overview_sentences(&overview, today, shell.lang);
    let running = running(&app, &me).await?;
    Ok(Show(OverviewPage::new(
        shell, &overview, &before, sentences, &running, &shown, today,
    )))
}

async fn running(app: &App, me: &Operator) -> Result<Vec<(Campaign, Progress)>> {
    let state = Some(CampaignState::Running);
    let found = campaigns::list(&app.db, &me.scope, state, &PageOf::first(RUNNING)).await?;
    let mut running = Vec::with_capacity(found.items.len());
    for campaign in found.items {
        let progress = campaigns::progress(&app.db, &me.scope, campaign.id).await?;
        running.push((campaign, progress));
    }
    Ok(running)
}
