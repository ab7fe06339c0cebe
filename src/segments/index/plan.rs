//! A rule as the index reads it, and its answer: set operations from the leaves up. Everything is among people who are
//! followed now, so what a part leaves out is never gathered beyond the scope.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use super::facts::Facts;
use super::leaf::{Leaf, Leaves};
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

    /// The people in it, perhaps with some who are not followed; `None` when a leaf is not worked out.
    fn bits<'i>(&self, facts: &'i Facts, leaves: &'i Leaves) -> Option<Cow<'i, RoaringBitmap>> {
        let kept =
            |bits: Option<&'i RoaringBitmap>| bits.map_or(Cow::Owned(RoaringBitmap::new()), Cow::Borrowed);
        Some(match self {
            Self::Live => Cow::Borrowed(&facts.live),
            Self::Tag(tag) => kept(facts.tags.get(tag)),
            Self::Store(store) => kept(facts.stores.get(store)),
            Self::Channel(channel) => kept(facts.channels.get(channel)),
            Self::Gender(gender) => kept(facts.genders.get(gender)),
            Self::Leaf(leaf) => Cow::Borrowed(leaves.bits(leaf)?),
            Self::Not(part) => Cow::Owned(&facts.live - part.bits(facts, leaves)?.as_ref()),
            Self::Any(parts) => {
                let mut any = RoaringBitmap::new();
                for part in parts {
                    any |= part.bits(facts, leaves)?.as_ref();
                }
                Cow::Owned(any)
            }
            Self::All(parts) => {
                let mut all = facts.live.clone();
                for part in parts {
                    part.narrow(&mut all, facts, leaves)?;
                }
                Cow::Owned(all)
            }
        })
    }

    /// Leaves those of `bits`, people who are followed, that are in it.
    pub fn narrow(&self, bits: &mut RoaringBitmap, facts: &Facts, leaves: &Leaves) -> Option<()> {
        match self {
            Self::Live => {}
            Self::All(parts) => parts
                .iter()
                .try_for_each(|part| part.narrow(bits, facts, leaves))?,
            Self::Not(part) => *bits -= part.bits(facts, leaves)?.as_ref(),
            _ => *bits &= self.bits(facts, leaves)?.as_ref(),
        }
        Some(())
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
    let mut bits = facts.live.clone();
    scope.narrow(&mut bits, facts, leaves)?;
    let in_reach = bits.len() as i64;
    let mut steps = Vec::new();
    match rule {
        Plan::All(parts) => {
            for part in parts {
                part.narrow(&mut bits, facts, leaves)?;
                steps.push(bits.len() as i64);
            }
        }
        _ => rule.narrow(&mut bits, facts, leaves)?,
    }
    Some(Found {
        count: bits.len() as i64,
        in_reach,
        steps,
        people: match want {
            Want::People => everybody(facts, &bits),
            Want::Count { first } => first_of(facts, &bits, first),
        },
    })
}

fn everybody(facts: &Facts, bits: &RoaringBitmap) -> Vec<ContactId> {
    let mut people = facts.ordinals.ids(bits);
    if !people.is_sorted() {
        people.sort_unstable();
    }
    people.into_iter().map(ContactId).collect()
}

fn first_of(facts: &Facts, bits: &RoaringBitmap, first: usize) -> Vec<ContactId> {
    let in_order = bits.iter().map(|number| facts.ordinals.id(number));
    let mut people: Vec<i64> = in_order
        .filter(|id| !facts.ordinals.is_late(*id))
        .take(first)
        .collect();
    let late = facts.ordinals.late().filter(|(_, number)| bits.contains(*number));
    people.extend(late.map(|(id, _)| id));
    people.sort_unstable();
    people.into_iter().take(first).map(ContactId).collect()
}
