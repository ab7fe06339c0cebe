//! A grown chain into the tables, in bulk: one transaction, so a chain is there whole or not at all.

mod outreach;
mod sales;
mod story;

use sea_orm::Value;

use super::chain::*;
use crate::args;
use crate::contacts::Phone;
use crate::db::{self, Aside, Tx};
use crate::error::Result;
use crate::ids::*;
use crate::metrics;
use crate::seal::Sealer;
use crate::time::{DAY_MS, Timestamp};
use crate::timeline::Entry;

type Rows = Vec<Vec<Value>>;

/// Rows handed to the database at once: a large chain's tables do not fit into memory twice.
const TOGETHER: usize = 4_000;
/// When, which contact, whose and where, what.
type News = (Timestamp, usize, Option<AssociateId>, Option<StoreId>, Entry);

/// Tables that become long.
const LONG: [&str; 16] = [
    "contact",
    "follow",
    "follow_period",
    "binding",
    "tag_change",
    "link",
    "click",
    "batch",
    "delivery",
    "quota_use",
    "moment_task",
    "moment_interaction",
    "sale",
    "sale_line",
    "credit",
    "timeline",
];

/// One tag in so many has a history.
const TOLD_OF: i64 = 8;

/// Writes the chain for a corp that has nothing yet.
pub async fn write(tx: &Tx, sealer: &Sealer, corp: CorpId, chain: &Chain) -> Result<()> {
    let writer = Writer { tx, corp, chain };
    let aside = Aside::of(tx, &LONG).await?;
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
    aside.build(tx).await?;
    // Follows begin long before the days of past; stored figures cover every day there is anything on.
    let first = chain.first_day().plus(-400);
    metrics::recompute(tx, corp, first, chain.last_day()).await?;
    tx.note_all(corp);
    Ok(())
}

struct Writer<'a> {
    tx: &'a Tx,
    corp: CorpId,
    chain: &'a Chain,
}

impl Writer<'_> {
    async fn insert(
        &self,
        table: &str,
        columns: &str,
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<()> {
        let mut sheet = self.sheet(table, columns);
        for row in rows {
            sheet.push(row).await?;
        }
        sheet.end().await
    }

    fn sheet(&self, table: &str, columns: &str) -> Sheet<'_> {
        Sheet {
            tx: self.tx,
            head: format!("insert into {table} ({columns})"),
            rows: Rows::new(),
        }
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
            .map(|r| args![corp, r.id, r.name.clone(), r.department]);
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
        self.insert("store", columns, stores).await?;
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
        self.insert("associate", columns, associates).await?;
        let memberships = chain
            .associates
            .iter()
            .map(|a| args![corp, a.id, opening, chain.stores[a.store].id]);
        self.insert(
            "store_membership",
            "corp_id, associate_id, from_at, store_id",
            memberships,
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
        self.insert("target", "corp_id, store_id, month, net_sales_fen", targets)
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
                group.name.clone(),
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
                    tag.name.clone(),
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
            let sealed = c.phone.as_ref().and_then(|phone| {
                let phone = Phone::of(sealer, corp, phone)?;
                Some(phone.sealed(sealer, corp, c.id))
            });
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
                sealed,
                chain.stores[c.home_store].id,
                c.created_at,
                c.created_at
            ]
        });
        let columns = "corp_id, id, external_userid, unionid, name, avatar, kind, gender, birthday, phone_blind, \
                       phone_last4, phone_sealed, home_store_id, created_at, updated_at";
        self.insert("contact", columns, rows).await
    }

    async fn follows(&self) -> Result<()> {
        let (corp, chain) = (self.corp, self.chain);
        let mut periods = self.sheet(
            "follow_period",
            "corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause, until_at, until_day, \
             until_cause",
        );
        let mut follows = self.sheet(
            "follow",
            "corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, tags, \
             added_at, added_day, ended_at, seen_at",
        );
        let mut bindings = self.sheet("binding", "corp_id, contact_id, from_at, associate_id, until_at");
        let mut tag_changes = self.sheet(
            "tag_change",
            "corp_id, id, contact_id, associate_id, tag_id, added, source, actor, at",
        );
        let mut change_id = chain.periods.iter().map(|period| period.id).max().unwrap_or(0);
        let mut bound = vec![false; chain.contacts.len()];
        for period in &chain.periods {
            let (contact, associate) = (
                &chain.contacts[period.contact],
                &chain.associates[period.associate],
            );
            let store = chain.stores[associate.store].id;
            periods
                .push(args![
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
                ])
                .await?;
            if !std::mem::replace(&mut bound[period.contact], true) {
                let until = period.from.plus_ms(chain.rule.binding_days * DAY_MS);
                bindings
                    .push(args![corp, contact.id, period.from, associate.id, until])
                    .await?;
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
            follows
                .push(args![
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
                ])
                .await?;
            // Most tags came with the pair; a few were set while somebody looked.
            for tag in contact
                .tags
                .iter()
                .filter(|tag| (tag.0 ^ contact.id.0) % TOLD_OF == 0)
            {
                change_id += 1;
                let id = TimelineId(change_id);
                tag_changes
                    .push(args![
                        corp,
                        id,
                        contact.id,
                        associate.id,
                        *tag,
                        true,
                        "platform",
                        "platform",
                        period.from
                    ])
                    .await?;
            }
        }
        periods.end().await?;
        follows.end().await?;
        bindings.end().await?;
        tag_changes.end().await
    }
}

/// Rows of one table on their way.
struct Sheet<'a> {
    tx: &'a Tx,
    head: String,
    rows: Rows,
}

impl Sheet<'_> {
    async fn push(&mut self, row: Vec<Value>) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() >= TOGETHER {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        db::insert_many(self.tx, &self.head, std::mem::take(&mut self.rows), "").await?;
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        self.send().await
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
