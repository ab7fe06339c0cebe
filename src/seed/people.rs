//! Regions, stores, associates, tags, contacts, and who followed whom.

use rand::RngExt;

use super::chain::*;
use super::names;
use crate::ids::*;
use crate::time::{DAY_MS, Timestamp};

/// Tags of a group beside the demo's.
const MORE_TAGS: usize = 20;

pub(super) fn grow(chain: &mut Chain, growing: &mut Growing) {
    places(chain, growing);
    associates(chain, growing);
    tags(chain, growing);
    for _ in 0..chain.options.contacts {
        contact(chain, growing);
    }
    chain.periods.sort_by_key(|period| period.from);
}

fn places(chain: &mut Chain, growing: &mut Growing) {
    for (index, name) in names::REGIONS.iter().enumerate() {
        chain.regions.push(RegionSeed {
            id: RegionId(growing.id()),
            name: (*name).to_owned(),
            department: 2 + index as i64,
        });
    }
    for index in 0..chain.options.stores {
        let region = index * names::REGIONS.len() / chain.options.stores.max(1);
        let nth = index - (region * chain.options.stores).div_ceil(names::REGIONS.len());
        let name = names::STORES[region].get(nth).map_or_else(
            || format!("{}第 {} 店", names::REGIONS[region], nth + 1),
            |name| (*name).to_owned(),
        );
        let department = 100 + index as i64;
        chain.stores.push(StoreSeed {
            id: StoreId(growing.id()),
            code: format!("D{department}"),
            name,
            region: chain.regions[region].id,
            region_department: chain.regions[region].department,
            department,
        });
    }
}

fn associates(chain: &mut Chain, growing: &mut Growing) {
    for index in 0..chain.options.associates {
        let store = index % chain.options.stores;
        chain.associates.push(AssociateSeed {
            id: AssociateId(growing.id()),
            userid: format!("s{:03}_g{:02}", store + 1, index / chain.options.stores + 1),
            name: format!(
                "{}{}",
                growing.pick(&names::SURNAMES),
                growing.pick(&names::GIVEN)
            ),
            store,
        });
    }
}

fn tags(chain: &mut Chain, growing: &mut Growing) {
    for group in &names::TAG_GROUPS {
        let tags = group
            .tags
            .iter()
            .map(|(name, _)| TagGrown {
                id: TagId(growing.id()),
                platform_id: format!("et{}", growing.text(30)),
                name: (*name).to_owned(),
            })
            .collect();
        chain.tag_groups.push(TagGroupGrown {
            id: TagGroupId(growing.id()),
            platform_id: format!("et{}", growing.text(30)),
            name: group.name.to_owned(),
            tags,
        });
    }
    for number in 1..=chain.options.more_tag_groups {
        let tags = (1..=MORE_TAGS).map(|tag| TagGrown {
            id: TagId(growing.id()),
            platform_id: format!("et{}", growing.text(30)),
            name: format!("活动 {number}-{tag}"),
        });
        let tags = tags.collect();
        chain.tag_groups.push(TagGroupGrown {
            id: TagGroupId(growing.id()),
            platform_id: format!("et{}", growing.text(30)),
            name: format!("活动 {number}"),
            tags,
        });
    }
}

fn contact(chain: &mut Chain, growing: &mut Growing) {
    let index = chain.contacts.len();
    let added = added_at(chain, growing);
    // The first associates of a store have worked longest and know most people.
    let rank = growing
        .random
        .random_range(0..chain.associates.len())
        .min(growing.random.random_range(0..chain.associates.len()));
    let associate = rank;
    let tags = tags_of(chain, growing);
    let id = ContactId(growing.id());
    let name = if growing.percent(35) {
        (*growing.pick(&names::NICKS)).to_owned()
    } else {
        format!(
            "{}{}",
            growing.pick(&names::SURNAMES),
            growing.pick(&names::GIVEN)
        )
    };
    chain.contacts.push(ContactSeed {
        id,
        external_userid: format!("wm{}", growing.text(30)),
        unionid: format!("o{}", growing.text(27)),
        name,
        gender: if growing.percent(78) {
            2
        } else {
            i64::from(growing.percent(80))
        },
        birthday: growing.percent(30).then(|| {
            format!(
                "{:02}-{:02}",
                growing.random.random_range(1..=12),
                growing.random.random_range(1..=28)
            )
        }),
        phone: growing
            .percent(45)
            .then(|| format!("13{:09}", growing.random.random_range(0..1_000_000_000u32))),
        created_at: added,
        tags,
        home_store: chain.associates[associate].store,
    });
    follow(chain, growing, index, associate, added);
    if growing.percent(15) {
        let second = growing.random.random_range(0..chain.associates.len());
        if second != associate {
            let room = (chain.options.until.0 - added.0).max(2);
            let later = added.plus_ms(growing.random.random_range(1..room));
            follow(chain, growing, index, second, later);
        }
    }
}

/// A third came in the days of past, a little more each week; the others in the year before.
fn added_at(chain: &Chain, growing: &mut Growing) -> Timestamp {
    let (until, zone) = (chain.options.until, chain.options.zone);
    if growing.percent(32) {
        let days = chain.options.days;
        let back = growing
            .random
            .random_range(0..=days)
            .min(growing.random.random_range(0..=days + days / 4));
        growing.shopping_time(chain.last_day().plus(-back), zone, until)
    } else {
        let back = growing
            .random
            .random_range(chain.options.days + 1..chain.options.days + 360);
        growing.shopping_time(chain.last_day().plus(-back), zone, until)
    }
}

fn tags_of(chain: &Chain, growing: &mut Growing) -> Vec<TagId> {
    let mut carried = Vec::new();
    for (group, seed) in chain.tag_groups.iter().zip(&names::TAG_GROUPS) {
        let mut throw = growing.random.random_range(0..1_000);
        for (tag, (_, of_thousand)) in group.tags.iter().zip(seed.tags) {
            if throw < *of_thousand {
                carried.push(tag.id);
                break;
            }
            throw -= of_thousand;
        }
    }
    for group in &chain.tag_groups[names::TAG_GROUPS.len()..] {
        // The first tags of a group are many times as common as its last.
        let place = growing.random.random_range(0..MORE_TAGS * MORE_TAGS);
        carried.push(group.tags[MORE_TAGS - 1 - place.isqrt()].id);
    }
    carried
}

fn follow(chain: &mut Chain, growing: &mut Growing, contact: usize, associate: usize, from: Timestamp) {
    let follow = FollowId(growing.id());
    let cause = if growing.percent(82) {
        "scan"
    } else if growing.percent(60) {
        "search"
    } else {
        "group"
    };
    let channel = if cause == "scan" {
        format!(
            "{}_{}",
            chain.store_of(associate).code,
            if growing.percent(70) { "cashier" } else { "fitting" }
        )
    } else {
        String::new()
    };
    let until = ending(chain, growing, from);
    let again = until.filter(|(at, by)| {
        *by == "contact" && chain.options.until.0 - at.0 > 10 * DAY_MS && growing.percent(8)
    });
    let remark = if growing.percent(20) {
        format!("{}-VIP", growing.pick(&names::SURNAMES))
    } else {
        String::new()
    };
    let period = |chain: &mut Chain, growing: &mut Growing, from, until, is_last| {
        let id = growing.id();
        chain.periods.push(PeriodSeed {
            id,
            follow,
            contact,
            associate,
            from,
            cause,
            until,
            channel: channel.clone(),
            remark: remark.clone(),
            is_last,
        });
    };
    period(chain, growing, from, until, again.is_none());
    if let Some((lost, _)) = again {
        let back = lost.plus_ms(growing.random.random_range(DAY_MS..9 * DAY_MS));
        period(chain, growing, back, None, true);
    }
}

/// One in twenty leaves within the days of past; now and then the associate deletes somebody.
fn ending(chain: &Chain, growing: &mut Growing, from: Timestamp) -> Option<(Timestamp, &'static str)> {
    let begins = from.0.max(chain.options.until.0 - chain.options.days * DAY_MS);
    let room = chain.options.until.0 - begins;
    if room < 2 * DAY_MS || !growing.percent(6) {
        return None;
    }
    let at = Timestamp(begins + growing.random.random_range(DAY_MS..room));
    Some((
        at,
        if growing.percent(92) {
            "contact"
        } else {
            "associate"
        },
    ))
}
