//! Reacting: news of the timeline, and the rules that wait for it.

use std::collections::{HashMap, HashSet};

use super::refused::{Verdict, verdict};
use super::store::rules as store;
use super::{OfOrder, OnLink, TagRule, When};
use crate::app::App;
use crate::contacts::{self, Pair};
use crate::error::{Error, Result};
use crate::ids::{CorpId, OrderId, TimelineId};
use crate::orders;
use crate::scope::{Actor, Scope};
use crate::tags::Marker;
use crate::timeline::{self, Entry, News};

/// Sets the tags of the rules that these entries fulfil. Run again it sets none twice, nor one that somebody took off
/// meanwhile.
pub async fn react(app: &App, corp: CorpId, entries: &[TimelineId]) -> Result<()> {
    let rules = store::rules_on(&app.db, corp).await?;
    if rules.is_empty() {
        return Ok(());
    }
    let news = timeline::entries(&app.db, corp, entries).await?;
    let ordered: Vec<OrderId> = news.iter().filter_map(order_of).collect();
    let categories = match ordered.is_empty() {
        true => HashMap::new(),
        false => orders::categories(&app.db, corp, &ordered).await?,
    };
    let none = HashSet::new();
    for rule in &rules {
        for one in &news {
            let bought = order_of(one)
                .and_then(|order| categories.get(&order))
                .unwrap_or(&none);
            if one.at >= rule.since_at && fits(&rule.when, one, bought) {
                set(app, corp, rule, one).await?;
            }
        }
    }
    Ok(())
}

fn order_of(news: &News) -> Option<OrderId> {
    match &news.entry {
        Entry::Ordered { order_id, .. } => Some(*order_id),
        _ => None,
    }
}

/// Whether this is what the rule waits for; `bought`: categories of the order's lines.
fn fits(when: &When, news: &News, bought: &HashSet<String>) -> bool {
    match (when, &news.entry) {
        (When::Channel(wanted), Entry::Added { channel, .. }) => wanted == channel,
        (When::Clicked(OnLink { link }), Entry::Clicked { link_id, .. }) => {
            link.is_none_or(|link| link == *link_id)
        }
        (
            When::Ordered(OfOrder {
                category,
                paid_fen_at_least,
            }),
            Entry::Ordered { paid_fen, .. },
        ) => {
            category.as_ref().is_none_or(|category| bought.contains(category))
                && paid_fen_at_least.is_none_or(|least| paid_fen.0 >= least)
        }
        _ => false,
    }
}

/// Puts the rule's tag on the pair that began, or on each pair of the contact who did something.
async fn set(app: &App, corp: CorpId, rule: &TagRule, news: &News) -> Result<()> {
    let by = Actor::Rule(rule.id);
    let marker = match Marker::of(app, by, corp, &[rule.tag_id], &[]).await {
        Ok(marker) => marker,
        // The tag is gone; the page of rules says so.
        Err(Error::Invalid(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_its = |pair: &&Pair| match rule.when {
        When::Channel(_) => news.associate == Some(pair.associate_id),
        _ => true,
    };
    let pairs = contacts::pairs(&app.db, &Scope::whole(corp), &[news.contact]).await?;
    for pair in pairs.iter().filter(is_its) {
        let whose = (pair.contact_id, pair.associate_id);
        let is_done = contacts::has_set(&app.db, corp, whose, rule.tag_id, by, news.at);
        if !marker.is_needed(pair) || is_done.await? {
            continue;
        }
        match marker.mark(pair).await {
            Ok(_) => {}
            Err(error) => match verdict(&error) {
                Verdict::Refused(why) => {
                    tracing::warn!(corp.id = %corp, tag_rule.id = %rule.id, %why, "a rule could not tag somebody")
                }
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClickId, ContactId, LinkId};
    use crate::money::Fen;
    use crate::segments::Stage;
    use crate::time::Timestamp;

    #[test]
    fn each_rule_waits_for_its_own_news() {
        let added = Entry::Added {
            cause: "scan".into(),
            channel: "S1".into(),
        };
        let clicked = Entry::Clicked {
            click_id: ClickId(1),
            link_id: LinkId(7),
            title: String::new(),
        };
        let ordered = Entry::Ordered {
            order_id: OrderId(1),
            order_no: "A".into(),
            paid_fen: Fen(50_000),
            items: 1,
            first_item: String::new(),
        };
        let of = |category: Option<&str>, least: Option<i64>| {
            When::Ordered(OfOrder {
                category: category.map(str::to_owned),
                paid_fen_at_least: least,
            })
        };
        let on = |link: Option<i64>| {
            When::Clicked(OnLink {
                link: link.map(LinkId),
            })
        };
        let bought = HashSet::from(["dress".to_owned()]);
        for (when, entry, expected) in [
            (When::Channel("S1".into()), &added, true),
            (When::Channel("S".into()), &added, false),
            (When::Channel("S1".into()), &clicked, false),
            (on(None), &clicked, true),
            (on(Some(7)), &clicked, true),
            (on(Some(8)), &clicked, false),
            (of(None, None), &ordered, true),
            (of(Some("dress"), Some(50_000)), &ordered, true),
            (of(Some("shoe"), None), &ordered, false),
            (of(Some("dress"), Some(50_001)), &ordered, false),
            (of(None, None), &added, false),
            (When::Stage(Stage::New), &added, false),
        ] {
            let news = News {
                contact: ContactId(1),
                associate: None,
                store: None,
                at: Timestamp(0),
                entry: entry.clone(),
            };
            assert_eq!(fits(&when, &news, &bought), expected, "{when:?} {entry:?}");
        }
    }
}
