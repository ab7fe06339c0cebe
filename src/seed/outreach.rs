//! What was sent: a campaign a week, a moment a week, each associate's own link, and the clicks they brought.

use rand::RngExt;

use super::chain::*;
use super::names;
use crate::ids::*;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

const HOLDOUT_PERCENT: u32 = 10;

pub(super) fn grow(chain: &mut Chain, growing: &mut Growing) {
    own_links(chain, growing);
    let weeks = (chain.options.days / 7).min(names::CAMPAIGNS.len() as i64);
    for week in 0..weeks {
        let back = (weeks - week) * 7 - 2;
        campaign(chain, growing, week as usize, back);
        if week % 2 == 0 {
            moment(chain, growing, (week / 2) as usize, back - 2);
        }
    }
    chain.clicks.sort_by_key(|click| click.at);
}

fn own_links(chain: &mut Chain, growing: &mut Growing) {
    let mut followed: Vec<Vec<usize>> = vec![Vec::new(); chain.associates.len()];
    for (index, period) in chain.periods.iter().enumerate() {
        followed[period.associate].push(index);
    }
    for (associate, periods) in followed.iter().enumerate() {
        let product = growing.pick(&names::PRODUCTS);
        let created_at = chain.first_day().start(chain.options.zone).plus_ms(10 * HOUR_MS);
        let link = link(
            chain,
            growing,
            product.name.to_owned(),
            associate,
            None,
            None,
            created_at,
        );
        for _ in 0..growing.random.random_range(2..24) {
            let back = growing.random.random_range(0..chain.options.days);
            let at = growing.shopping_time(
                chain.last_day().plus(-back),
                chain.options.zone,
                chain.options.until,
            );
            let contact = somebody_of(chain, growing, periods, at);
            click(chain, growing, link, contact, at);
        }
    }
}

fn link(
    chain: &mut Chain,
    growing: &mut Growing,
    title: String,
    associate: usize,
    campaign: Option<CampaignId>,
    moment: Option<MomentId>,
    created_at: Timestamp,
) -> usize {
    let (id, code) = (LinkId(growing.id()), growing.text(11));
    let store = chain.associates[associate].store;
    chain.links.push(LinkSeed {
        id,
        code,
        title,
        store,
        associate: Some(associate),
        campaign,
        moment,
        created_at,
    });
    chain.links.len() - 1
}

/// One of the contacts that an associate, whose periods these are, followed then.
fn somebody_of(chain: &Chain, growing: &mut Growing, periods: &[usize], at: Timestamp) -> Option<usize> {
    for _ in 0..periods.len().min(20) {
        let period = &chain.periods[*growing.pick(periods)];
        if period.from <= at && period.until.is_none_or(|(until, _)| until > at) {
            return Some(period.contact);
        }
    }
    None
}

fn click(chain: &mut Chain, growing: &mut Growing, link: usize, contact: Option<usize>, at: Timestamp) {
    let contact = contact.filter(|_| growing.percent(88));
    let kind = if growing.percent(6) { "preview" } else { "person" };
    let contact = contact.filter(|_| kind == "person");
    let (id, token) = (ClickId(growing.id()), growing.text(17));
    chain.clicks.push(ClickSeed {
        id,
        link,
        token,
        contact,
        at,
        kind,
    });
}

fn campaign(chain: &mut Chain, growing: &mut Growing, number: usize, days_back: i64) {
    let (name, text) = names::CAMPAIGNS[number];
    let id = CampaignId(growing.id());
    let tag = chain.tag(["银卡", "金卡", "爱买连衣裙", "通勤风"][number % 4]).id;
    let starts_at = chain
        .last_day()
        .plus(-days_back)
        .start(chain.options.zone)
        .plus_ms(10 * HOUR_MS);
    let ends_at = starts_at.plus_ms(24 * HOUR_MS);
    let mut campaign = CampaignSeed {
        id,
        name: name.to_owned(),
        text: text.to_owned(),
        tag,
        starts_at,
        ends_at,
        batches: Vec::new(),
        deliveries: Vec::new(),
    };
    let mut batch_of: Vec<Option<usize>> = vec![None; chain.associates.len()];
    for (contact, associate) in audience(chain, tag, starts_at) {
        if growing.percent(HOLDOUT_PERCENT) {
            campaign.deliveries.push(left_out(contact, associate, "holdout"));
            continue;
        }
        let batch = match batch_of[associate] {
            Some(batch) => batch,
            None => {
                let batch = new_batch(chain, growing, &mut campaign, associate);
                batch_of[associate] = Some(batch);
                batch
            }
        };
        deliver(chain, growing, &mut campaign, batch, contact, associate);
    }
    chain.campaigns.push(campaign);
}

/// Contacts that carried the tag and were followed at that time, each with the associate who followed longest.
fn audience(chain: &Chain, tag: TagId, at: Timestamp) -> Vec<(usize, usize)> {
    let mut sender: Vec<Option<usize>> = vec![None; chain.contacts.len()];
    for period in &chain.periods {
        let live = period.from < at && period.until.is_none_or(|(until, _)| until > at);
        if live && sender[period.contact].is_none() && chain.contacts[period.contact].tags.contains(&tag) {
            sender[period.contact] = Some(period.associate);
        }
    }
    sender
        .into_iter()
        .enumerate()
        .filter_map(|(contact, sender)| Some((contact, sender?)))
        .collect()
}

fn left_out(contact: usize, associate: usize, reason: &'static str) -> DeliverySeed {
    DeliverySeed {
        contact,
        associate,
        batch: None,
        state: "excluded",
        reason: Some(reason),
        sent_at: None,
    }
}

fn new_batch(
    chain: &mut Chain,
    growing: &mut Growing,
    campaign: &mut CampaignSeed,
    associate: usize,
) -> usize {
    let link = link(
        chain,
        growing,
        campaign.name.clone(),
        associate,
        Some(campaign.id),
        None,
        campaign.starts_at,
    );
    let late = growing.random.random_range(5 * MINUTE_MS..8 * HOUR_MS);
    campaign.batches.push(BatchSeed {
        id: BatchId(growing.id()),
        associate,
        link,
        contacts: 0,
        msgid: format!("msg{}", growing.text(28)),
        confirmed_at: growing.percent(91).then(|| campaign.starts_at.plus_ms(late)),
    });
    campaign.batches.len() - 1
}

fn deliver(
    chain: &mut Chain,
    growing: &mut Growing,
    campaign: &mut CampaignSeed,
    batch: usize,
    contact: usize,
    associate: usize,
) {
    campaign.batches[batch].contacts += 1;
    let (state, reason, sent_at) = match campaign.batches[batch].confirmed_at {
        None => ("expired", None, None),
        Some(_) if growing.percent(2) => ("failed", Some("not_friend"), None),
        Some(at) => ("sent", None, Some(at)),
    };
    campaign.deliveries.push(DeliverySeed {
        contact,
        associate,
        batch: Some(batch),
        state,
        reason,
        sent_at,
    });
    if let Some(at) = sent_at
        && growing.percent(26)
    {
        let link = campaign.batches[batch].link;
        let later = at.plus_ms(growing.random.random_range(MINUTE_MS..30 * HOUR_MS));
        if later < chain.options.until {
            click(chain, growing, link, Some(contact), later);
        }
    }
}

fn moment(chain: &mut Chain, growing: &mut Growing, number: usize, days_back: i64) {
    let text = names::MOMENTS[number % names::MOMENTS.len()];
    let id = MomentId(growing.id());
    let starts_at = chain
        .last_day()
        .plus(-days_back.max(1))
        .start(chain.options.zone)
        .plus_ms(19 * HOUR_MS);
    let mut moment = MomentSeed {
        id,
        text: text.to_owned(),
        starts_at,
        tasks: Vec::new(),
        interactions: Vec::new(),
    };
    let mut friends: Vec<Vec<usize>> = vec![Vec::new(); chain.associates.len()];
    for period in &chain.periods {
        if period.from < starts_at && period.until.is_none_or(|(until, _)| until > starts_at) {
            friends[period.associate].push(period.contact);
        }
    }
    // One link a store: the platform's job carries one text for all of a store's associates.
    let mut store_link: Vec<Option<usize>> = vec![None; chain.stores.len()];
    for (associate, friends) in friends.iter().enumerate() {
        let store = chain.associates[associate].store;
        let link = match store_link[store] {
            Some(link) => link,
            None => {
                let link = link(
                    chain,
                    growing,
                    text.chars().take(12).collect(),
                    associate,
                    None,
                    Some(id),
                    starts_at,
                );
                chain.links[link].associate = None;
                store_link[store] = Some(link);
                link
            }
        };
        let late = growing.random.random_range(MINUTE_MS..4 * HOUR_MS);
        let published_at = growing
            .percent(78)
            .then(|| starts_at.plus_ms(late))
            .filter(|at| *at < chain.options.until);
        let visible = if published_at.is_some() {
            friends.len() as i64
        } else {
            0
        };
        moment.tasks.push(MomentTaskSeed {
            associate,
            link,
            published_at,
            visible,
        });
        let Some(published_at) = published_at else {
            continue;
        };
        interact(
            chain,
            growing,
            &mut moment,
            associate,
            link,
            published_at,
            friends,
        );
    }
    chain.moments.push(moment);
}

fn interact(
    chain: &mut Chain,
    growing: &mut Growing,
    moment: &mut MomentSeed,
    associate: usize,
    link: usize,
    published_at: Timestamp,
    friends: &[usize],
) {
    for contact in friends {
        let at = published_at.plus_ms(growing.random.random_range(MINUTE_MS..DAY_MS));
        if at >= chain.options.until {
            continue;
        }
        if growing.percent(5) {
            moment.interactions.push((associate, *contact, "like", at));
        }
        if growing.random.random_range(0..1_000) < 8 {
            moment.interactions.push((associate, *contact, "comment", at));
        }
        if growing.random.random_range(0..1_000) < 12 {
            click(chain, growing, link, Some(*contact), at);
        }
    }
}
