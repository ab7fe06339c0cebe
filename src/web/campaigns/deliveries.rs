//! The rows behind a campaign's numbers: every contact and what became of it.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::live::reason_word;
use crate::app::App;
use crate::auth::Operator;
use crate::campaigns::{self, Delivery, DeliveryState};
use crate::ids::CampaignId;
use crate::page::{Page, PageOf};
use crate::web::figures as say;
use crate::web::{Path, Query, Result, Shell, Show};

#[derive(Template)]
#[template(path = "campaigns/deliveries.html")]
pub struct DeliveriesPage {
    pub shell: Shell,
    pub id: CampaignId,
    pub name: String,
    pub states: Vec<(String, String, bool)>,
    pub rows: Vec<DeliveryLine>,
    pub next: Option<String>,
}

pub struct DeliveryLine {
    pub contact: String,
    pub link: String,
    pub state: String,
    pub reason: String,
    pub at: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    state: String,
    after: Option<String>,
}

pub(super) async fn list(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Query(asked): Query<Asked>,
) -> Result<Show<DeliveriesPage>> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    let state = DeliveryState::parse(&asked.state);
    let page = PageOf::new(None, asked.after)?;
    let found = campaigns::deliveries(&app.db, &me.scope, id, state, &page).await?;
    Ok(Show(DeliveriesPage::new(shell, id, campaign.name, found, state)))
}

impl DeliveriesPage {
    pub fn new(
        shell: Shell,
        id: CampaignId,
        name: String,
        found: Page<Delivery>,
        state: Option<DeliveryState>,
    ) -> Self {
        let base = format!("/campaigns/{id}/deliveries");
        let all = (shell.t("deliveries-all"), base.clone(), state.is_none());
        let of_state = |one: DeliveryState| {
            let word = shell.t(&format!("delivery-{}", one.as_str()));
            (word, format!("{base}?state={}", one.as_str()), state == Some(one))
        };
        let filter = state
            .map(|state| format!("state={}&", state.as_str()))
            .unwrap_or_default();
        Self {
            states: std::iter::once(all)
                .chain(DeliveryState::ALL.into_iter().map(of_state))
                .collect(),
            rows: found
                .items
                .iter()
                .map(|delivery| line(delivery, &shell))
                .collect(),
            next: found
                .next
                .map(|after| format!("{base}?{filter}after={}", shell.encode(&after))),
            id,
            name,
            shell,
        }
    }
}

fn line(delivery: &Delivery, shell: &Shell) -> DeliveryLine {
    let reason = delivery
        .reason
        .as_deref()
        .map(|reason| reason_word(reason, shell));
    DeliveryLine {
        contact: delivery.contact_name.clone(),
        link: format!("/contacts/{}", delivery.contact_id),
        state: shell.t(&format!("delivery-{}", delivery.state.as_str())),
        reason: reason.unwrap_or_else(|| say::NONE.into()),
        at: delivery
            .sent_at
            .map_or_else(|| say::NONE.to_owned(), |at| shell.when(&at)),
    }
}
