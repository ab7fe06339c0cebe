//! Campaigns, newest first, by state.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::campaigns::{self, Campaign, CampaignState};
use crate::page::{Page, PageOf};
use crate::web::{Query, Result, Shell, Show};

#[derive(Template)]
#[template(path = "campaigns/list.html")]
pub struct CampaignsPage {
    pub shell: Shell,
    /// Word, address, whether it is the one shown.
    pub states: Vec<(String, String, bool)>,
    pub rows: Vec<CampaignLine>,
    pub next: Option<String>,
    pub is_filtered: bool,
}

pub struct CampaignLine {
    pub name: String,
    pub link: String,
    pub state: String,
    pub class: &'static str,
    pub note: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    after: Option<String>,
}

pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(asked): Query<Asked>,
) -> Result<Show<CampaignsPage>> {
    let state = CampaignState::parse(&asked.state);
    let page = PageOf::new(None, asked.after)?;
    let found = campaigns::list(&app.db, &me.scope, state, &page).await?;
    Ok(Show(CampaignsPage::new(shell, found, state)))
}

/// Colour of a state's chip, beside its word.
pub(super) fn class(state: CampaignState) -> &'static str {
    match state {
        CampaignState::Running => "i0",
        CampaignState::Scheduled => "g",
        CampaignState::Paused => "w",
        CampaignState::Missed => "r",
        CampaignState::Draft => "o",
        CampaignState::Finished | CampaignState::Cancelled => "done",
    }
}

impl CampaignsPage {
    pub fn new(shell: Shell, found: Page<Campaign>, state: Option<CampaignState>) -> Self {
        let all = (shell.t("campaigns-all"), "/campaigns".to_owned(), state.is_none());
        let of_state = |one: CampaignState| {
            let word = shell.t(&format!("campaign-{}", one.as_str()));
            (
                word,
                format!("/campaigns?state={}", one.as_str()),
                state == Some(one),
            )
        };
        let filter = state
            .map(|state| format!("state={}&", state.as_str()))
            .unwrap_or_default();
        Self {
            states: std::iter::once(all)
                .chain(CampaignState::ALL.into_iter().map(of_state))
                .collect(),
            rows: found
                .items
                .iter()
                .map(|campaign| line(campaign, &shell))
                .collect(),
            next: found
                .next
                .map(|after| format!("/campaigns?{filter}after={}", shell.encode(&after))),
            is_filtered: state.is_some(),
            shell,
        }
    }

    fn may_write(&self) -> bool {
        self.shell.may(Permission::CampaignsWrite)
    }
}

fn line(campaign: &Campaign, shell: &Shell) -> CampaignLine {
    let said = |key: &str, at| shell.with(key, &[("when", &shell.when(&at))]);
    CampaignLine {
        name: campaign.name.clone(),
        link: format!("/campaigns/{}", campaign.id),
        state: shell.t(&format!("campaign-{}", campaign.state.as_str())),
        class: class(campaign.state),
        note: match (campaign.state, campaign.starts_at) {
            (CampaignState::Scheduled, Some(at)) => said("campaigns-starts", at),
            _ => said("campaigns-changed", campaign.updated_at),
        },
    }
}
