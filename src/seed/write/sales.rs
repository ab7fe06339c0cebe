//! Products, orders and refunds.

use super::{Rows, Writer};
use crate::args;
use crate::db;
use crate::error::Result;
use crate::ids::*;
use crate::seed::names;

impl Writer<'_> {
    pub(super) async fn products(&self) -> Result<()> {
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
        self.insert("product", columns, rows).await?;
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

    pub(super) async fn orders(&self) -> Result<()> {
        let (corp, chain, zone) = (self.corp, self.chain, self.chain.options.zone);
        let mut orders = self.sheet(
            "sale",
            "corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, buyer_kind, buyer_key, \
             associate_id, link_code, paid_fen, list_fen, items, body_hash, created_at",
        );
        let mut lines = self.sheet(
            "sale_line",
            "corp_id, order_id, line_no, sku, name, category, quantity, paid_fen, list_fen, associate_id",
        );
        let mut credits = self.sheet(
            "credit",
            "corp_id, order_id, part, associate_id, store_id, source, touch_id, link_id, campaign_id, moment_id, \
             contact_id, paid_fen, day, rule_version",
        );
        let mut candidates = self.sheet(
            "candidate",
            "corp_id, order_id, place, source, touch_id, associate_id, store_id, at, verdict",
        );
        for order in &chain.orders {
            let contact = order.contact.map(|contact| &chain.contacts[contact]);
            let seller = order.seller.map(|seller| chain.associates[seller].id);
            let items: i64 = order.lines.iter().map(|line| line.quantity).sum();
            let list: i64 = order.lines.iter().map(|line| line.list_fen).sum();
            orders
                .push(args![
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
                ])
                .await?;
            for (place, line) in order.lines.iter().enumerate() {
                let product = &names::PRODUCTS[line.product];
                lines
                    .push(args![
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
                    ])
                    .await?;
            }
            for (part, credit) in order.decision.credits.iter().enumerate() {
                credits
                    .push(args![
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
                    ])
                    .await?;
            }
            for (place, (candidate, verdict)) in order.decision.candidates.iter().enumerate() {
                candidates
                    .push(args![
                        corp,
                        order.id,
                        place as i64,
                        candidate.source.as_str(),
                        candidate.touch,
                        candidate.associate,
                        candidate.store,
                        candidate.at,
                        *verdict
                    ])
                    .await?;
            }
        }
        orders.end().await?;
        lines.end().await?;
        credits.end().await?;
        candidates.end().await
    }

    pub(super) async fn refunds(&self) -> Result<()> {
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
}
