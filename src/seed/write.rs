//! A grown chain into the tables, in bulk: one transaction, so a chain is there whole or not at all.

use sea_orm::Value;

use super::chain::*;
use super::names;
use crate::args;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::ids::*;
use crate::metrics;
use crate::seal::{Sealer, fingerprint};
use crate::time::{DAY_MS, Timestamp};
use crate::timeline::Entry;

type Rows = Vec<Vec<Value>>;
/// When, which contact, whose and where, what.
type News = (Timestamp, usize, Option<AssociateId>, Option<StoreId>, Entry);

/// Writes the chain for a corp that has nothing yet.
pub async fn write(tx: &Tx, sealer: &Sealer, corp: CorpId, chain: &Chain) -> Result<()> {
    let writer = Writer { tx, corp, chain };
    writer.directory().await?;
    writer.tags().await?;
    writer.contacts(sealer).await?;
    writer.follows().await?;
    writer.links().await?;
    writer.campaigns().await?;
    writer.moments().await?;
    writer.clicks().await?;
    writer.products().await?;
    writer.orders().await?;
    writer.refunds().await?;
    writer.timeline().await?;
    // Follows begin long before the days of past; stored figures cover every day there is anything on.
    let first = chain.first_day().plus(-400);
    metrics::recompute(tx, corp, first, chain.last_day()).await?;
    Ok(())
}

struct Writer<'a> {
    tx: &'a Tx,
    corp: CorpId,
    chain: &'a Chain,
}

impl Writer<'_> {
    async fn insert(&self, table: &str, columns: &str, rows: Rows) -> Result<()> {
        db::insert_many(self.tx, &format!("insert into {table} ({columns})"), rows, "").await?;
        Ok(())
    }

    fn day(&self, at: Timestamp) -> String {
        at.day(self.chain.options.zone).to_string()
    }

    /// Long before the first thing that happened.
    fn opening(&self) -> Timestamp {
        self.chain
            .options
            .until
            .plus_ms(-(self.chain.options.days + 400) * DAY_MS)
    }

    async fn directory(&self) -> Result<()> {
        let (corp, chain, opening) = (self.corp, self.chain, self.opening());
        let mut departments: Rows = vec![args![corp, 1i64, 0i64, "总部", 0i64, opening]];
        departments.extend(
            chain
                .regions
                .iter()
                .map(|r| args![corp, r.department, 1i64, r.name.clone(), 0i64, opening]),
        );
        departments.extend(chain.stores.iter().map(|s| {
            args![
                corp,
                s.department,
                s.region_department,
                s.name.clone(),
                0i64,
                opening
            ]
        }));
        self.insert(
            "department",
            "corp_id, id, parent_id, name, sort, seen_at",
            departments,
        )
        .await?;
        let regions = chain
            .regions
            .iter()
            .map(|r| args![corp, r.id, r.name.clone(), r.department])
            .collect();
        self.insert("region", "corp_id, id, name, department_id", regions)
            .await?;
        let zone = chain.options.zone.name();
        let stores = chain.stores.iter().map(|s| {
            args![
                corp,
                s.id,
                s.code.clone(),
                s.name.clone(),
                s.region,
                zone,
                "open",
                s.department,
                opening
            ]
        });
        let columns = "corp_id, id, code, name, region_id, zone, status, department_id, created_at";
        self.insert("store", columns, stores.collect()).await?;
        let associates = chain.associates.iter().map(|a| {
            let store = chain.stores[a.store].id;
            args![
                corp,
                a.id,
                a.userid.clone(),
                a.name.clone(),
                store,
                "active",
                opening,
                chain.options.until
            ]
        });
        let columns = "corp_id, id, userid, name, store_id, status, created_at, seen_at";
        self.insert("associate", columns, associates.collect()).await?;
        let memberships = chain
            .associates
            .iter()
            .map(|a| args![corp, a.id, opening, chain.stores[a.store].id]);
        self.insert(
            "store_membership",
            "corp_id, associate_id, from_at, store_id",
            memberships.collect(),
        )
        .await?;
        let month = &chain.last_day().to_string()[..7];
        let targets = chain.stores.iter().enumerate().map(|(index, store)| {
            args![
                corp,
                store.id,
                month,
                42_000_000i64 + (index as i64 * 7 % 12) * 2_500_000
            ]
        });
        self.insert(
            "target",
            "corp_id, store_id, month, net_sales_fen",
            targets.collect(),
        )
        .await
    }

    async fn tags(&self) -> Result<()> {
        let (corp, opening) = (self.corp, self.opening());
        let (mut groups, mut tags) = (Rows::new(), Rows::new());
        for (place, group) in self.chain.tag_groups.iter().enumerate() {
            let sort = 100 - place as i64;
            groups.push(args![
                corp,
                group.id,
                group.platform_id.clone(),
                group.name,
                sort,
                opening
            ]);
            for (place, tag) in group.tags.iter().enumerate() {
                let sort = 100 - place as i64;
                tags.push(args![
                    corp,
                    tag.id,
                    group.id,
                    tag.platform_id.clone(),
                    tag.name,
                    sort,
                    opening
                ]);
            }
        }
        self.insert(
            "tag_group",
            "corp_id, id, platform_id, name, sort, created_at",
            groups,
        )
        .await?;
        self.insert(
            "tag",
            "corp_id, id, group_id, platform_id, name, sort, created_at",
            tags,
        )
        .await
    }

    async fn contacts(&self, sealer: &Sealer) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let rows = chain.contacts.iter().map(|c| {
            let blind = c.phone.as_ref().map(|phone| sealer.blind(corp, phone));
            let last4 = c.phone.as_ref().map(|phone| phone[phone.len() - 4..].to_owned());
            args![
                corp,
                c.id,
                c.external_userid.clone(),
                c.unionid.clone(),
                c.name.clone(),
                "",
                1i64,
                c.gender,
                c.birthday.clone(),
                blind,
                last4,
                chain.stores[c.home_store].id,
                c.created_at,
                c.created_at
            ]
        });
        let columns = "corp_id, id, external_userid, unionid, name, avatar, kind, gender, birthday, phone_blind, \
                       phone_last4, home_store_id, created_at, updated_at";
        self.insert("contact", columns, rows.collect()).await
    }

    async fn follows(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let (mut follows, mut periods, mut bindings, mut tag_changes) =
            (Rows::new(), Rows::new(), Rows::new(), Rows::new());
        let mut change_id = chain.periods.iter().map(|period| period.id).max().unwrap_or(0);
        let mut bound = vec![false; chain.contacts.len()];
        for period in &chain.periods {
            let (contact, associate) = (
                &chain.contacts[period.contact],
                &chain.associates[period.associate],
            );
            let store = chain.stores[associate.store].id;
            periods.push(args![
                corp,
                period.id,
                contact.id,
                associate.id,
                store,
                period.from,
                self.day(period.from),
                period.cause,
                period.until.map(|(at, _)| at),
                period.until.map(|(at, _)| self.day(at)),
                period.until.map(|(_, by)| by)
            ]);
            if !std::mem::replace(&mut bound[period.contact], true) {
                let until = period.from.plus_ms(chain.rule.binding_days * DAY_MS);
                bindings.push(args![corp, contact.id, period.from, associate.id, until]);
            }
            if !period.is_last {
                continue;
            }
            let state = match period.until {
                None => "active",
                Some((_, "associate")) => "removed",
                Some(_) => "lost",
            };
            let add_way = match period.cause {
                "scan" => 1i64,
                "search" => 2,
                _ => 4,
            };
            follows.push(args![
                corp,
                period.follow,
                contact.id,
                associate.id,
                store,
                state,
                period.remark.clone(),
                "",
                add_way,
                period.channel.clone(),
                tag_list(&contact.tags),
                period.from,
                self.day(period.from),
                period.until.map(|(at, _)| at),
                chain.options.until
            ]);
            for tag in &contact.tags {
                change_id += 1;
                let id = TimelineId(change_id);
                tag_changes.push(args![
                    corp,
                    id,
                    contact.id,
                    associate.id,
                    *tag,
                    true,
                    "platform",
                    "platform",
                    period.from
                ]);
            }
        }
        let columns = "corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause, until_at, \
                       until_day, until_cause";
        self.insert("follow_period", columns, periods).await?;
        let columns = "corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, \
                       tags, added_at, added_day, ended_at, seen_at";
        self.insert("follow", columns, follows).await?;
        self.insert(
            "binding",
            "corp_id, contact_id, from_at, associate_id, until_at",
            bindings,
        )
        .await?;
        let columns = "corp_id, id, contact_id, associate_id, tag_id, added, source, actor, at";
        self.insert("tag_change", columns, tag_changes).await
    }

    async fn links(&self) -> Result<()> {
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
        self.insert("link", columns, rows.collect()).await
    }

    async fn clicks(&self) -> Result<()> {
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
        self.insert("click", columns, rows.collect()).await
    }

    async fn campaigns(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let (mut campaigns, mut batches, mut deliveries) = (Rows::new(), Rows::new(), Rows::new());
        for campaign in &chain.campaigns {
            let content = serde_json::json!({
                "text": campaign.text,
                "attachments": [{ "kind": "store_link", "title": campaign.name, "target": chain.options.mini_store }],
            });
            let rule = serde_json::json!({ "tag": campaign.tag });
            let local = |at: Timestamp| at.local(chain.options.zone).format("%Y-%m-%dT%H:%M").to_string();
            campaigns.push(args![
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
            ]);
            for batch in &campaign.batches {
                let link = &chain.links[batch.link];
                let associate = &chain.associates[batch.associate];
                batches.push(args![
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
                ]);
            }
            for delivery in &campaign.deliveries {
                let store = chain.store_of(delivery.associate).id;
                deliveries.push(args![
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
                ]);
            }
        }
        let columns = "corp_id, id, name, state, rule, content, send_at, zone, deadline, late_after_minutes, \
                       holdout_percent, priority, created_by, starts_at, ends_at, frozen_at, started_at, finished_at, \
                       version, created_at, updated_at";
        self.insert("campaign", columns, campaigns).await?;
        let columns = "corp_id, id, campaign_id, associate_id, store_id, link_id, state, contacts, body, marker, \
                       lease_epoch, call_started_at, msgid, confirmed_at, handed_at, polled_at, polls, reminded";
        self.insert("batch", columns, batches).await?;
        let columns = "corp_id, campaign_id, contact_id, associate_id, store_id, batch_id, state, reason, sent_at, \
                       sent_day, updated_at";
        self.insert("delivery", columns, deliveries).await?;
        self.quota().await
    }

    async fn quota(&self) -> Result<()> {
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
            .map(|(contact, used)| args![self.corp, self.chain.contacts[contact].id, month, *used])
            .collect();
        self.insert("quota_use", "corp_id, contact_id, window_key, used", rows)
            .await
    }

    async fn moments(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let (mut moments, mut parts) = (Rows::new(), Rows::new());
        let (mut tasks, mut interactions) = (Rows::new(), Rows::new());
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
                tasks.push(args![
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
                ]);
            }
            for (associate, contact, kind, at) in &moment.interactions {
                let (associate, contact) = (chain.associates[*associate].id, chain.contacts[*contact].id);
                interactions.push(args![corp, moment.id, associate, contact, *kind, *at]);
            }
        }
        let columns = "corp_id, id, text, attachments, target, state, starts_at, created_by, created_at";
        self.insert("moment", columns, moments).await?;
        let columns = "corp_id, moment_id, n, store_id, link_id, state, created_at";
        self.insert("moment_part", columns, parts).await?;
        let columns = "corp_id, moment_id, associate_id, part, store_id, due_day, state, published_at, published_day, visible";
        self.insert("moment_task", columns, tasks).await?;
        self.insert(
            "moment_interaction",
            "corp_id, moment_id, associate_id, contact_id, kind, at",
            interactions,
        )
        .await
    }

    async fn products(&self) -> Result<()> {
        let rows = names::PRODUCTS.iter().enumerate().map(|(place, product)| {
            let id = ProductId(place as i64 + 1);
            args![
                self.corp,
                id,
                product.sku,
                product.name,
                product.category,
                product.price_fen,
                format!("/goods/{}", product.sku),
                "on",
                self.opening()
            ]
        });
        let columns = "corp_id, id, sku, name, category, price_fen, page, status, updated_at";
        self.insert("product", columns, rows.collect()).await?;
        let rule = &self.chain.rule;
        let row = args![
            self.corp,
            rule.version,
            rule.click_days,
            rule.delivery_hours,
            rule.delivery_earns,
            rule.binding_days,
            self.opening()
        ];
        let columns =
            "corp_id, version, click_days, delivery_hours, delivery_earns, binding_days, created_at";
        db::insert_many(
            self.tx,
            &format!("insert into attribution_rule ({columns})"),
            vec![row],
            "on conflict (corp_id, version) do nothing",
        )
        .await?;
        Ok(())
    }

    async fn orders(&self) -> Result<()> {
        let (corp, chain, zone) = (self.corp, self.chain, self.chain.options.zone);
        let (mut orders, mut lines, mut credits, mut candidates) =
            (Rows::new(), Rows::new(), Rows::new(), Rows::new());
        for order in &chain.orders {
            let contact = order.contact.map(|contact| &chain.contacts[contact]);
            let seller = order.seller.map(|seller| chain.associates[seller].id);
            let items: i64 = order.lines.iter().map(|line| line.quantity).sum();
            let list: i64 = order.lines.iter().map(|line| line.list_fen).sum();
            orders.push(args![
                corp,
                order.id,
                order.order_no.clone(),
                chain.stores[order.store].id,
                if order.is_online { "mini_store" } else { "till" },
                order.paid_at,
                self.day(order.paid_at),
                i64::from(order.paid_at.hour(zone)),
                contact.map(|contact| contact.id),
                contact.map(|_| "unionid"),
                contact.map(|contact| contact.unionid.clone()),
                seller,
                order.click.map(|click| chain.clicks[click].token.clone()),
                order.paid_fen(),
                list,
                items,
                "seeded",
                order.paid_at
            ]);
            for (place, line) in order.lines.iter().enumerate() {
                let product = &names::PRODUCTS[line.product];
                lines.push(args![
                    corp,
                    order.id,
                    place as i64,
                    product.sku,
                    product.name,
                    product.category,
                    line.quantity,
                    line.paid_fen,
                    line.list_fen,
                    seller
                ]);
            }
            for (part, credit) in order.decision.credits.iter().enumerate() {
                credits.push(args![
                    corp,
                    order.id,
                    part as i64,
                    credit.associate,
                    credit.store,
                    credit.source.as_str(),
                    credit.touch,
                    credit.link,
                    credit.campaign,
                    credit.moment,
                    contact.map(|contact| contact.id),
                    credit.paid,
                    self.day(order.paid_at),
                    chain.rule.version
                ]);
            }
            for (place, (candidate, verdict)) in order.decision.candidates.iter().enumerate() {
                candidates.push(args![
                    corp,
                    order.id,
                    place as i64,
                    candidate.source.as_str(),
                    candidate.touch,
                    candidate.associate,
                    candidate.store,
                    candidate.at,
                    *verdict
                ]);
            }
        }
        let columns = "corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, buyer_kind, buyer_key, \
                       associate_id, link_code, paid_fen, list_fen, items, body_hash, created_at";
        self.insert("sale", columns, orders).await?;
        let columns =
            "corp_id, order_id, line_no, sku, name, category, quantity, paid_fen, list_fen, associate_id";
        self.insert("sale_line", columns, lines).await?;
        let columns = "corp_id, order_id, part, associate_id, store_id, source, touch_id, link_id, campaign_id, moment_id, \
                       contact_id, paid_fen, day, rule_version";
        self.insert("credit", columns, credits).await?;
        let columns = "corp_id, order_id, place, source, touch_id, associate_id, store_id, at, verdict";
        self.insert("candidate", columns, candidates).await
    }

    async fn refunds(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let (mut refunds, mut adjustments) = (Rows::new(), Rows::new());
        for refund in &chain.refunds {
            let order = &chain.orders[refund.order];
            let day = self.day(refund.refunded_at);
            refunds.push(args![
                corp,
                refund.id,
                refund.refund_no.clone(),
                order.order_no.clone(),
                order.id,
                refund.refunded_at,
                day.clone(),
                refund.refund_fen,
                "[]",
                "seeded",
                refund.refunded_at
            ]);
            let weights: Vec<i64> = order
                .decision
                .credits
                .iter()
                .map(|credit| credit.paid.0)
                .collect();
            for (part, share) in crate::money::Fen(refund.refund_fen)
                .split(&weights)
                .into_iter()
                .enumerate()
            {
                adjustments.push(args![corp, refund.id, order.id, part as i64, share, day.clone()]);
            }
        }
        let columns = "corp_id, id, refund_no, order_no, order_id, refunded_at, day, refund_fen, lines, body_hash, created_at";
        self.insert("refund", columns, refunds).await?;
        self.insert(
            "adjustment",
            "corp_id, refund_id, order_id, part, refund_fen, day",
            adjustments,
        )
        .await
    }

    /// The same history as the product would have appended, in the order it happened.
    async fn timeline(&self) -> Result<()> {
        let mut news = self.news();
        news.sort_by_key(|(at, ..)| *at);
        let mut id = self
            .chain
            .periods
            .iter()
            .map(|period| period.id)
            .max()
            .unwrap_or(0)
            + 10_000_000;
        let mut rows = Rows::with_capacity(news.len());
        for (at, contact, associate, store, entry) in news {
            id += 1;
            let detail = serde_json::to_value(&entry)?;
            let kind = detail["kind"].as_str().unwrap_or_default().to_owned();
            let contact = self.chain.contacts[contact].id;
            rows.push(args![
                self.corp,
                TimelineId(id),
                contact,
                associate,
                store,
                at,
                self.day(at),
                kind,
                detail.to_string()
            ]);
        }
        let columns = "corp_id, id, contact_id, associate_id, store_id, at, day, kind, detail";
        self.insert("timeline", columns, rows).await
    }

    fn news(&self) -> Vec<News> {
        let chain = self.chain;
        let mut news = Vec::new();
        for period in &chain.periods {
            let associate = Some(chain.associates[period.associate].id);
            let store = Some(chain.store_of(period.associate).id);
            let added = Entry::Added {
                cause: period.cause.to_owned(),
                channel: period.channel.clone(),
            };
            news.push((period.from, period.contact, associate, store, added));
            if let Some((at, by)) = period.until {
                let entry = if by == "associate" {
                    Entry::Removed
                } else {
                    Entry::Lost
                };
                news.push((at, period.contact, associate, store, entry));
            }
        }
        for campaign in &chain.campaigns {
            for delivery in &campaign.deliveries {
                let Some(at) = delivery.sent_at else { continue };
                let associate = Some(chain.associates[delivery.associate].id);
                let store = Some(chain.store_of(delivery.associate).id);
                let sent = Entry::Sent {
                    campaign_id: campaign.id,
                    name: campaign.name.clone(),
                };
                news.push((at, delivery.contact, associate, store, sent));
            }
        }
        for click in &chain.clicks {
            let (Some(contact), link) = (click.contact, &chain.links[click.link]) else {
                continue;
            };
            let associate = link.associate.map(|associate| chain.associates[associate].id);
            let clicked = Entry::Clicked {
                click_id: click.id,
                link_id: link.id,
                title: link.title.clone(),
            };
            news.push((
                click.at,
                contact,
                associate,
                Some(chain.stores[link.store].id),
                clicked,
            ));
        }
        for order in &chain.orders {
            let Some(contact) = order.contact else { continue };
            let first = &names::PRODUCTS[order.lines[0].product];
            let ordered = Entry::Ordered {
                order_id: order.id,
                order_no: order.order_no.clone(),
                paid_fen: crate::money::Fen(order.paid_fen()),
                items: order.lines.iter().map(|line| line.quantity).sum(),
                first_item: first.name.to_owned(),
            };
            news.push((
                order.paid_at,
                contact,
                None,
                Some(chain.stores[order.store].id),
                ordered,
            ));
        }
        for refund in &chain.refunds {
            let order = &chain.orders[refund.order];
            let Some(contact) = order.contact else { continue };
            let refunded = Entry::Refunded {
                refund_id: refund.id,
                order_no: order.order_no.clone(),
                refund_fen: crate::money::Fen(refund.refund_fen),
            };
            news.push((
                refund.refunded_at,
                contact,
                None,
                Some(chain.stores[order.store].id),
                refunded,
            ));
        }
        news
    }
}

/// ` 12 34 `, as a follow keeps its tags.
fn tag_list(tags: &[TagId]) -> String {
    let mut text = String::from(" ");
    for tag in tags {
        text.push_str(&tag.to_string());
        text.push(' ');
    }
    text
}

/// When a delivery took its last state: as its associate confirmed, else when the campaign ended.
fn known_at(campaign: &CampaignSeed, delivery: &DeliverySeed) -> Timestamp {
    let confirmed_at = delivery
        .batch
        .and_then(|batch| campaign.batches[batch].confirmed_at);
    confirmed_at.unwrap_or(campaign.ends_at)
}
