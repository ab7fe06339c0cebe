//! A rule as the index reads it, and its answer: set operations from the leaves up. Everything is among people who are
//! followed now, so what a part leaves out is never gathered beyond the scope.

use super::bits::Bits;
use super::block::{Words, holds, join, lows, zeros};
use super::facts::Facts;
use super::leaf::{Leaf, Leaves};
use super::sets::{Room, Set, count};
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::{Reach, Scope};
use crate::segments::{Clicked, Gender, Messaged, Ordered, Rule};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Plan {
    All(Vec<Plan>),
    Any(Vec<Plan>),
    Not(Box<Plan>),
    /// Everybody who is followed.
    Live,
    Tag(i64),
    Store(i64),
    Channel(String),
    Gender(i64),
    Leaf(Leaf),
}

/// Reads a rule. The stores of a region are those it has now.
pub(super) fn of_rule(facts: &Facts, rule: &Rule, today: i32) -> Result<Plan> {
    read(rule, today, &|region| facts.named.stores_of(region.0))
}

fn read(rule: &Rule, today: i32, stores: &impl Fn(crate::ids::RegionId) -> Vec<i64>) -> Result<Plan> {
    let each = |parts: &[Rule]| -> Result<Vec<Plan>> {
        parts.iter().map(|part| read(part, today, stores)).collect()
    };
    let first = |within_days: i64| today.saturating_sub(i32::try_from(within_days - 1).unwrap_or(i32::MAX));
    Ok(match rule {
        Rule::All(parts) => Plan::All(each(parts)?),
        Rule::Any(parts) => Plan::Any(each(parts)?),
        Rule::Not(part) => Plan::Not(Box::new(read(part, today, stores)?)),
        Rule::Tag(tag) => Plan::Tag(tag.0),
        Rule::Store(store) => Plan::Store(store.0),
        Rule::Region(region) => Plan::Leaf(Leaf::Stores(stores(*region))),
        Rule::Associate(associate) => Plan::Leaf(Leaf::Associate(associate.0)),
        Rule::Channel(channel) => Plan::Channel(channel.clone()),
        Rule::Added(within) => Plan::Leaf(Leaf::Added(first(within.within_days), i32::MAX)),
        Rule::Ordered(Ordered {
            within_days,
            at_least: None | Some(1),
            category: None,
            net_fen_at_least: None,
        }) => Plan::Leaf(Leaf::Ordered(first(*within_days), today)),
        Rule::Clicked(Clicked {
            within_days,
            link: None,
        }) => Plan::Leaf(Leaf::Clicked(first(*within_days), today)),
        Rule::Messaged(messaged) => messaged_plan(messaged, today)?,
        Rule::Stage(stage) => Plan::Leaf(Leaf::Stage(*stage, today)),
        Rule::Gender(gender) => Plan::Gender(match gender {
            Gender::Unknown => 0,
            Gender::Male => 1,
            Gender::Female => 2,
        }),
        Rule::Birthday(within) => Plan::Leaf(Leaf::Birthday(within.within_days, today)),
        Rule::Ordered(_) | Rule::Clicked(_) | Rule::Rfm(_) | Rule::Field(_) => asked(rule, today)?,
    })
}

/// Nearly everybody got at most so many: the few who got more are asked for.
fn messaged_plan(messaged: &Messaged, today: i32) -> Result<Plan> {
    let at_least = |least: i64| {
        let rule = Rule::Messaged(Messaged {
            within_days: messaged.within_days,
            at_most: None,
            at_least: Some(least),
        });
        asked(&rule, today)
    };
    let mut parts = Vec::new();
    if let Some(least) = messaged.at_least {
        parts.push(at_least(least)?);
    }
    if let Some(most) = messaged.at_most {
        parts.push(Plan::Not(Box::new(at_least(most + 1)?)));
    }
    Ok(if parts.is_empty() {
        Plan::Live
    } else {
        Plan::All(parts)
    })
}

fn asked(rule: &Rule, today: i32) -> Result<Plan> {
    Ok(Plan::Leaf(Leaf::Asked(serde_json::to_string(rule)?, today)))
}

/// What may be seen.
pub(super) fn of_scope(scope: &Scope) -> Plan {
    match &scope.reach {
        Reach::Whole => Plan::Live,
        Reach::Stores(stores) => Plan::stores(stores.iter().map(|store| store.0).collect()),
        Reach::Own(associate) => Plan::Leaf(Leaf::Associate(associate.0)),
    }
}

impl Plan {
    /// In any of these stores.
    pub fn stores(mut stores: Vec<i64>) -> Self {
        stores.sort_unstable();
        stores.dedup();
        match stores[..] {
            // A bitmap as it is: a thousand managers need no united ones.
            [store] => Self::Store(store),
            _ => Self::Leaf(Leaf::Stores(stores)),
        }
    }

    /// The leaves that have to be worked out for it.
    pub fn leaves<'p>(&'p self, into: &mut Vec<&'p Leaf>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.leaves(into)),
            Self::Not(part) => part.leaves(into),
            Self::Leaf(leaf) => into.push(leaf),
            Self::Live | Self::Tag(_) | Self::Store(_) | Self::Channel(_) | Self::Gender(_) => {}
        }
    }

    /// Who is in it among people who are followed; `None` when a leaf is not worked out.
    pub fn set<'i>(&self, facts: &'i Facts, leaves: &'i Leaves) -> Option<Set<'i>> {
        let kept = |bits: Option<&'i Bits>| bits.map_or(Set::Any(Vec::new()), Set::Bits);
        let each = |parts: &[Self]| -> Option<Vec<Set<'i>>> {
            parts.iter().map(|part| part.set(facts, leaves)).collect()
        };
        Some(match self {
            Self::Live => Set::Everybody,
            Self::Tag(tag) => kept(facts.tags.get(tag)),
            Self::Store(store) => kept(facts.stores.get(store)),
            Self::Channel(channel) => kept(facts.channels.get(channel)),
            Self::Gender(gender) => kept(facts.genders.get(gender)),
            Self::Leaf(leaf) => Set::Bits(leaves.bits(leaf)?),
            Self::Not(part) => Set::Not(Box::new(part.set(facts, leaves)?)),
            Self::Any(parts) => Set::Any(each(parts)?),
            Self::All(parts) => Set::All(each(parts)?),
        })
    }
}

/// What is wanted of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// How many, after each part too, and who comes first.
    Count { first: usize },
    /// Everybody.
    People,
}

#[derive(Debug, Default)]
pub(super) struct Found {
    pub count: i64,
    /// Everybody in scope.
    pub in_reach: i64,
    /// How many remain after each part of an `all`.
    pub steps: Vec<i64>,
    /// In the order of their ids.
    pub people: Vec<ContactId>,
}

/// Answers a rule in scope; `None` when a leaf is not worked out.
pub(super) fn answer(facts: &Facts, leaves: &Leaves, scope: &Plan, rule: &Plan, want: Want) -> Option<Found> {
    let parts = match rule {
        Plan::All(parts) => parts,
        part => std::slice::from_ref(part),
    };
    let scope = scope.set(facts, leaves)?;
    let sets: Vec<Set<'_>> = parts
        .iter()
        .map(|part| part.set(facts, leaves))
        .collect::<Option<_>>()?;
    let mut steps = vec![0; sets.len()];
    let (mut found, mut in_reach) = (0, 0);
    let mut people = People::of(facts, want);
    let (mut words, mut room) = (zeros(), Room::default());
    for (key, block) in facts.live.blocks() {
        block.copy_to(&mut words);
        scope.narrow(key, &mut words, &mut room);
        let mut left = count(&words) as i64;
        in_reach += left;
        for (set, step) in sets.iter().zip(&mut steps) {
            if left > 0 {
                set.narrow(key, &mut words, &mut room);
                left = count(&words) as i64;
                *step += left;
            }
        }
        found += left;
        if left > 0 {
            people.add(key, &words);
        }
    }
    Some(Found {
        count: found,
        in_reach,
        steps: match rule {
            Plan::All(_) => steps,
            _ => Vec::new(),
        },
        people: people.done(),
    })
}

/// Who is wanted of those found, taken block by block.
struct People<'f> {
    facts: &'f Facts,
    want: Want,
    ids: Vec<i64>,
    /// Whose numbers are not in the order of their ids, by number, where only the first are wanted.
    late: Vec<(u32, i64)>,
    late_found: Vec<i64>,
}

impl<'f> People<'f> {
    fn of(facts: &'f Facts, want: Want) -> Self {
        let mut late: Vec<(u32, i64)> = match want {
            Want::People => Vec::new(),
            Want::Count { .. } => facts.ordinals.late().map(|(id, number)| (number, id)).collect(),
        };
        late.sort_unstable();
        Self {
            facts,
            want,
            ids: Vec::new(),
            late,
            late_found: Vec::new(),
        }
    }

    fn add(&mut self, key: u16, words: &Words) {
        let ordinals = &self.facts.ordinals;
        let Want::Count { first } = self.want else {
            return ordinals.ids_of_block(key, words, &mut self.ids);
        };
        if first > self.ids.len() {
            let ids = lows(words).map(|low| ordinals.id(join(key, low)));
            let in_order = ids.filter(|id| !ordinals.is_late(*id));
            self.ids.extend(in_order.take(first - self.ids.len()));
        }
        let begin = self.late.partition_point(|(number, _)| *number < join(key, 0));
        let of_block = self.late[begin..]
            .iter()
            .take_while(|(number, _)| (number >> 16) as u16 == key);
        let found = of_block.filter(|(number, _)| holds(words, *number as u16));
        self.late_found.extend(found.map(|(_, id)| *id));
    }

    fn done(mut self) -> Vec<ContactId> {
        self.ids.append(&mut self.late_found);
        if !self.ids.is_sorted() {
            self.ids.sort_unstable();
        }
        if let Want::Count { first } = self.want {
            self.ids.truncate(first);
        }
        self.ids.into_iter().map(ContactId).collect()
    }
}
