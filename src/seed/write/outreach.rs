//! Links, clicks, broadcasts and moments.

use super::{Rows, Writer};
use crate::args;
use crate::error::Result;
use crate::seal::fingerprint;
use crate::seed::chain::*;
use crate::time::Timestamp;

impl Writer<'_> {
    pub(super) async fn links(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let target = serde_json::to_string(&chain.options.mini_store)?;
        let rows = chain.links.iter().map(|link| {
            let associate = link.associate.map(|associate| chain.associates[associate].id);
            args![
                corp,
                link.id,
                link.code.clone(),
                link.title.clone(),
                target.clone(),
                chain.stores[link.store].id,
                associate,
                link.campaign,
                link.moment,
                "system",
                link.created_at
            ]
        });
        let columns = "corp_id, id, code, title, target, store_id, associate_id, campaign_id, moment_id, created_by, created_at";
        self.insert("link", columns, rows).await
    }

    pub(super) async fn clicks(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let rows = chain.clicks.iter().map(|click| {
            let link = &chain.links[click.link];
            let contact = click.contact.map(|contact| chain.contacts[contact].id);
            args![
                corp,
                click.id,
                link.id,
                click.token.clone(),
                fingerprint(&click.token),
                contact,
                link.campaign,
                link.moment,
                link.associate.map(|associate| chain.associates[associate].id),
                chain.stores[link.store].id,
                click.at,
                self.day(click.at),
                click.kind,
                contact.map(|_| click.at)
            ]
        });
        let columns = "corp_id, id, link_id, token, visitor, contact_id, campaign_id, moment_id, associate_id, store_id, \
                       at, day, kind, identified_at";
        self.insert("click", columns, rows).await
    }

    pub(super) async fn campaigns(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let mut campaigns = self.sheet(
            "campaign",
            "corp_id, id, name, state, rule, content, send_at, zone, deadline, late_after_minutes, holdout_percent, \
             priority, created_by, starts_at, ends_at, frozen_at, started_at, finished_at, version, created_at, \
             updated_at",
        );
        let mut batches = self.sheet(
            "batch",
            "corp_id, id, campaign_id, associate_id, store_id, link_id, state, contacts, body, marker, lease_epoch, \
             call_started_at, msgid, confirmed_at, handed_at, polled_at, polls, reminded",
        );
        let mut deliveries = self.sheet(
            "delivery",
            "corp_id, campaign_id, contact_id, associate_id, store_id, batch_id, state, reason, sent_at, sent_day, \
             updated_at",
        );
        for campaign in &chain.campaigns {
            let content = serde_json::json!({
                "text": campaign.text,
                "attachments": [{ "kind": "store_link", "title": campaign.name, "target": chain.options.mini_store }],
            });
            let rule = serde_json::json!({ "tag": campaign.tag });
            let local = |at: Timestamp| at.local(chain.options.zone).format("%Y-%m-%dT%H:%M").to_string();
            campaigns
                .push(args![
                    corp,
                    campaign.id,
                    campaign.name.clone(),
                    "finished",
                    rule.to_string(),
                    content.to_string(),
                    local(campaign.starts_at),
                    chain.options.zone.name(),
                    local(campaign.ends_at),
                    30i64,
                    10i64,
                    0i64,
                    "system",
                    campaign.starts_at,
                    campaign.ends_at,
                    campaign.starts_at,
                    campaign.starts_at,
                    campaign.ends_at,
                    1i64,
                    campaign.starts_at,
                    campaign.ends_at
                ])
                .await?;
            for batch in &campaign.batches {
                let link = &chain.links[batch.link];
                let associate = &chain.associates[batch.associate];
                batches
                    .push(args![
                        corp,
                        batch.id,
                        campaign.id,
                        associate.id,
                        chain.stores[associate.store].id,
                        link.id,
                        "handed",
                        batch.contacts,
                        "",
                        link.code.clone(),
                        1i64,
                        campaign.starts_at,
                        batch.msgid.clone(),
                        batch.confirmed_at,
                        campaign.starts_at,
                        campaign.ends_at,
                        0i64,
                        0i64
                    ])
                    .await?;
            }
            for delivery in &campaign.deliveries {
                let store = chain.store_of(delivery.associate).id;
                deliveries
                    .push(args![
                        corp,
                        campaign.id,
                        chain.contacts[delivery.contact].id,
                        chain.associates[delivery.associate].id,
                        store,
                        delivery.batch.map(|batch| campaign.batches[batch].id),
                        delivery.state,
                        delivery.reason,
                        delivery.sent_at,
                        delivery.sent_at.map(|at| self.day(at)),
                        known_at(campaign, delivery)
                    ])
                    .await?;
            }
        }
        campaigns.end().await?;
        batches.end().await?;
        deliveries.end().await?;
        self.quota().await
    }

    pub(super) async fn quota(&self) -> Result<()> {
        let month = &self.chain.last_day().to_string()[..7];
        let mut used = vec![0i64; self.chain.contacts.len()];
        for delivery in self
            .chain
            .campaigns
            .iter()
            .flat_map(|campaign| &campaign.deliveries)
        {
            if delivery.sent_at.is_some_and(|at| self.day(at).starts_with(month)) {
                used[delivery.contact] += 1;
            }
        }
        let rows = used
            .iter()
            .enumerate()
            .filter(|(_, used)| **used > 0)
            .map(|(contact, used)| args![self.corp, self.chain.contacts[contact].id, month, *used]);
        self.insert("quota_use", "corp_id, contact_id, window_key, used", rows)
            .await
    }

    pub(super) async fn moments(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let (mut moments, mut parts) = (Rows::new(), Rows::new());
        let mut tasks = self.sheet(
            "moment_task",
            "corp_id, moment_id, associate_id, part, store_id, due_day, state, published_at, published_day, visible",
        );
        let mut interactions = self.sheet(
            "moment_interaction",
            "corp_id, moment_id, associate_id, contact_id, kind, at",
        );
        for moment in &chain.moments {
            let mut part_of: Vec<usize> = Vec::new();
            let target = serde_json::to_string(&chain.options.mini_store)?;
            moments.push(args![
                corp,
                moment.id,
                moment.text.clone(),
                "[]",
                target,
                "published",
                moment.starts_at,
                "system",
                moment.starts_at
            ]);
            for task in &moment.tasks {
                let associate = &chain.associates[task.associate];
                let state = if task.published_at.is_some() {
                    "published"
                } else {
                    "tasked"
                };
                let store = chain.stores[associate.store].id;
                // A part a store, in the order its first associate comes.
                let part = part_of
                    .iter()
                    .position(|link| *link == task.link)
                    .unwrap_or_else(|| {
                        part_of.push(task.link);
                        let (link, n) = (chain.links[task.link].id, part_of.len() as i64 - 1);
                        parts.push(args![
                            corp,
                            moment.id,
                            n,
                            store,
                            link,
                            "created",
                            moment.starts_at
                        ]);
                        part_of.len() - 1
                    });
                tasks
                    .push(args![
                        corp,
                        moment.id,
                        associate.id,
                        part as i64,
                        store,
                        self.day(moment.starts_at),
                        state,
                        task.published_at,
                        task.published_at.map(|at| self.day(at)),
                        task.visible
                    ])
                    .await?;
            }
            for (associate, contact, kind, at) in &moment.interactions {
                let (associate, contact) = (chain.associates[*associate].id, chain.contacts[*contact].id);
                interactions
                    .push(args![corp, moment.id, associate, contact, *kind, *at])
                    .await?;
            }
        }
        let columns = "corp_id, id, text, attachments, target, state, starts_at, created_by, created_at";
        self.insert("moment", columns, moments).await?;
        let columns = "corp_id, moment_id, n, store_id, link_id, state, created_at";
        self.insert("moment_part", columns, parts).await?;
        tasks.end().await?;
        interactions.end().await
    }
}

/// When a delivery took its last state: as its associate confirmed, else when the campaign ended.
fn known_at(campaign: &CampaignSeed, delivery: &DeliverySeed) -> Timestamp {
    let confirmed_at = delivery
        .batch
        .and_then(|batch| campaign.batches[batch].confirmed_at);
    confirmed_at.unwrap_or(campaign.ends_at)
}
