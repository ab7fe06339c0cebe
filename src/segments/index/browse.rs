//! Whom a contact list shows: its filter as set operations, and from the newest on as many as a page may need.

use std::sync::Arc;

use chrono_tz::Tz;
use roaring::RoaringBitmap;

use super::calendar::{day, number};
use super::leaf::Leaf;
use super::names;
use super::plan::{self, Plan};
use super::{Index, fresh};
use crate::app::App;
use crate::contacts::ContactFilter;
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::{Reach, Scope};
use crate::time::Day;

/// Whom a filter leaves in scope.
pub(in crate::segments) struct Narrowed {
    index: Arc<Index>,
    /// Everybody who may be in it.
    bits: RoaringBitmap,
    /// Of these, the ones followed by several, when several things are asked of one and the same follow: the database
    /// knows which of them are in it.
    unsure: RoaringBitmap,
    /// Everybody who is followed.
    live: u64,
}

/// People added on these days and the days after them.
pub(in crate::segments) struct Added {
    pub people: Vec<ContactId>,
    /// The earliest of the days; `None`: there are no earlier ones.
    pub down_to: Option<Day>,
}

/// Whom a filter leaves; `None`: ask the database.
pub(in crate::segments) async fn narrow(
    app: &App,
    scope: &Scope,
    filter: &ContactFilter,
    zone: Tz,
) -> Result<Option<Narrowed>> {
    let asked_of_a_follow = [
        !matches!(scope.reach, Reach::Whole),
        filter.tag.is_some(),
        filter.store.is_some(),
        filter.associate.is_some(),
        filter.added_from.is_some() || filter.added_to.is_some(),
        filter.search.is_some(),
    ];
    if filter.external_userid.is_some() || filter.among.is_some() {
        return Ok(None);
    }
    let part = filter
        .search
        .as_deref()
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let part = match part.map(names::wanted) {
        Some(None) => return Ok(None),
        part => part.flatten(),
    };
    let Some(index) = fresh(app, scope.corp, zone).await? else {
        return Ok(None);
    };
    if part.is_some() && index.read().facts.names.is_none() {
        return Ok(None);
    }
    let mut plans = vec![plan::of_scope(scope), of_filter(filter)];
    if asked_of_a_follow.iter().filter(|is_asked| **is_asked).count() > 1 {
        plans.push(Plan::Leaf(Leaf::Several));
    }
    let found = index
        .with(plans, move |facts, leaves, plans| {
            let mut bits = facts.live.clone();
            plans[0].narrow(&mut bits, facts, leaves)?;
            plans[1].narrow(&mut bits, facts, leaves)?;
            if let Some(part) = &part {
                bits &= facts.names.as_ref()?.find(part);
            }
            let unsure = match plans.get(2) {
                Some(Plan::Leaf(several)) => leaves.bits(several)? & &bits,
                _ => RoaringBitmap::new(),
            };
            Some((bits, unsure, facts.live.len()))
        })
        .await?;
    Ok(found.map(|(bits, unsure, live)| Narrowed {
        index,
        bits,
        unsure,
        live,
    }))
}

fn of_filter(filter: &ContactFilter) -> Plan {
    let mut parts = Vec::new();
    if let Some(tag) = filter.tag {
        parts.push(Plan::Tag(tag.0));
    }
    if let Some(store) = filter.store {
        parts.push(Plan::Store(store.0));
    }
    if let Some(associate) = filter.associate {
        parts.push(Plan::Leaf(Leaf::Associate(associate.0)));
    }
    let from = |day: Option<Day>| day.map_or(i32::MIN, number);
    if filter.added_from.is_some() || filter.added_to.is_some() {
        let until = filter.added_to.map_or(i32::MAX, number);
        parts.push(Plan::Leaf(Leaf::Added(from(filter.added_from), until)));
    }
    let since = |first| Plan::Leaf(Leaf::Ordered(first, i32::MAX));
    let not = |plan| Plan::Not(Box::new(plan));
    if filter.ordered_from.is_some() || filter.ordered_to.is_some() {
        parts.push(since(from(filter.ordered_from)));
    }
    if let Some(last) = filter.ordered_to {
        parts.push(not(since(number(last) + 1)));
    }
    if let Some(first) = filter.quiet_since {
        parts.push(not(since(number(first))));
    }
    if let Some(first) = filter.clicked_from {
        parts.push(Plan::Leaf(Leaf::Clicked(number(first), i32::MAX)));
    }
    Plan::All(parts)
}

impl Narrowed {
    pub fn len(&self) -> u64 {
        self.bits.len()
    }

    /// Of how many who are followed there is one in it.
    pub fn one_in(&self) -> f64 {
        self.live as f64 / self.bits.len().max(1) as f64
    }

    pub fn everybody(&self) -> Vec<ContactId> {
        self.people(&self.bits)
    }

    /// Those who are in it for certain.
    pub fn sure(&self) -> Vec<ContactId> {
        self.people(&(&self.bits - &self.unsure))
    }

    /// Those of whom only the database knows.
    pub fn unsure(&self) -> Vec<ContactId> {
        self.people(&self.unsure)
    }

    fn people(&self, bits: &RoaringBitmap) -> Vec<ContactId> {
        let held = self.index.read();
        let ids = bits
            .iter()
            .map(|number| ContactId(held.facts.ordinals.id(number)));
        ids.collect()
    }

    /// Those of these people who are in it.
    pub fn among(&self, people: impl IntoIterator<Item = ContactId>) -> Vec<ContactId> {
        let held = self.index.read();
        let is_in = |person: &ContactId| {
            let number = held.facts.ordinals.find(person.0);
            number.is_some_and(|number| self.bits.contains(number))
        };
        people.into_iter().filter(is_in).collect()
    }

    /// The last added on this day or before it: whole days, until there are so many.
    pub async fn added(self: &Arc<Self>, until: Option<Day>, at_least: usize) -> Result<Added> {
        let narrowed = self.clone();
        self.index
            .off(move |index| {
                let held = index.read();
                let until = until.map_or(i32::MAX, number);
                let (mut found, mut down_to) = (RoaringBitmap::new(), None);
                for (earliest, bits) in held.facts.added.range(..=until).rev() {
                    found |= bits & &narrowed.bits;
                    if found.len() >= at_least as u64 {
                        down_to = Some(day(*earliest));
                        break;
                    }
                }
                let ids = found
                    .iter()
                    .map(|number| ContactId(held.facts.ordinals.id(number)));
                Added {
                    people: ids.collect(),
                    down_to,
                }
            })
            .await
    }
}
