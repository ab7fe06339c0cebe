//! What happened to each contact.

use super::{News, Writer};
use crate::args;
use crate::error::Result;
use crate::ids::*;
use crate::seed::names;
use crate::timeline::Entry;

impl Writer<'_> {
    /// The same history as the product would have appended, in the order it happened.
    pub(super) async fn timeline(&self) -> Result<()> {
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
        let mut sheet = self.sheet(
            "timeline",
            "corp_id, id, contact_id, associate_id, store_id, at, day, kind, detail",
        );
        for (at, contact, associate, store, entry) in news {
            id += 1;
            let detail = serde_json::to_string(&entry)?;
            let contact = self.chain.contacts[contact].id;
            let (id, day) = (TimelineId(id), self.day(at));
            let row = args![
                self.corp,
                id,
                contact,
                associate,
                store,
                at,
                day,
                entry.kind(),
                detail
            ];
            sheet.push(row).await?;
        }
        sheet.end().await
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
