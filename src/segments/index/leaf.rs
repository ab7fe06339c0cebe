//! Leaves that are no bitmap of their own: united from several, read from what each of several follows says, or said by
//! the database. Each is worked out once, kept
//! while it is asked for, and kept true as contacts change.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use super::bits::Bits;
use super::calendar::{day, number};
use super::facts::{Facts, Family};
use super::plan::Plan;
use super::sets::Set;
use crate::db::changes::Fact;
use crate::segments::rule::{ACTIVE_DAYS, COOLING_DAYS, DORMANT_DAYS, birthday_span};
use crate::segments::{Rule, Stage};

/// Days are numbers; what depends on the day it is, names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Leaf {
    /// In any of these stores.
    Stores(Vec<i64>),
    Associate(i64),
    /// Added from the first day to the last.
    Added(i32, i32),
    /// Any order from the first day to the last.
    Ordered(i32, i32),
    Clicked(i32, i32),
    Stage(Stage, i32),
    /// Within so many days from this one.
    Birthday(i64, i32),
    /// Followed by several, one of whom has all of this to say.
    OneFollow(OneFollow),
    /// What the database says of this rule, as JSON, on this day.
    Asked(String, i32),
}

/// What is asked of one and the same follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct OneFollow {
    /// In any of these stores.
    pub within: Option<Vec<i64>>,
    pub store: Option<i64>,
    pub associate: Option<i64>,
    pub tag: Option<i64>,
    /// The first day and the last.
    pub added: Option<(i32, i32)>,
}

impl OneFollow {
    /// Each of it for itself.
    pub fn parts(&self) -> Vec<Plan> {
        let parts = [
            self.within.as_ref().map(|stores| Plan::stores(stores.clone())),
            self.store.map(Plan::Store),
            self.associate
                .map(|associate| Plan::Leaf(Leaf::Associate(associate))),
            self.tag.map(Plan::Tag),
            self.added
                .map(|(first, last)| Plan::Leaf(Leaf::Added(first, last))),
        ];
        parts.into_iter().flatten().collect()
    }
}

impl Leaf {
    /// The day without which the leaf means nothing.
    fn today(&self) -> Option<i32> {
        match self {
            Self::Stage(_, today) | Self::Birthday(_, today) | Self::Asked(_, today) => Some(*today),
            _ => None,
        }
    }

    /// Whether a change of such facts can change who is in it.
    pub fn hangs_on(&self, fact: Fact) -> bool {
        match self {
            Self::Stores(_) | Self::Associate(_) | Self::Added(..) | Self::OneFollow(_) => {
                fact == Fact::Follow
            }
            Self::Ordered(..) => fact == Fact::Order,
            Self::Clicked(..) => fact == Fact::Click,
            Self::Stage(..) => matches!(fact, Fact::Follow | Fact::Order | Fact::Click),
            Self::Birthday(..) => fact == Fact::Person,
            Self::Asked(..) => match self.rule() {
                Some(Rule::Ordered(_) | Rule::Rfm(_)) => fact == Fact::Order,
                Some(Rule::Clicked(_)) => fact == Fact::Click,
                Some(Rule::Messaged(_)) => fact == Fact::Message,
                Some(Rule::Field(_)) => fact == Fact::Person,
                _ => true,
            },
        }
    }

    /// Whether only the database knows.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(..))
    }

    /// The rule that the database is asked.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            Self::Asked(rule, _) => serde_json::from_str(rule).ok(),
            _ => None,
        }
    }

    /// Whether one person's change may change who else is in it.
    pub fn is_of_everybody(&self) -> bool {
        matches!(self.rule(), Some(Rule::Rfm(_)))
    }

    /// Who is in it; `None`: only the database knows.
    pub fn work_out(&self, facts: &Facts) -> Option<Bits> {
        Some(match self {
            Self::Stores(stores) => Bits::union(stores.iter().filter_map(|store| facts.stores.get(store))),
            Self::Associate(associate) => facts.associates.contacts_of(*associate),
            Self::OneFollow(one) => {
                let test = facts.associates.test(one);
                test.map_or_else(Bits::new, |test| facts.associates.several.holding(&test))
            }
            Self::Added(first, last) => Bits::union(days(&facts.added, *first, *last)),
            Self::Ordered(first, last) => Bits::union(days(&facts.ordered, *first, *last)),
            Self::Clicked(first, last) => Bits::union(days(&facts.clicked, *first, *last)),
            Self::Stage(stage, today) => by_stage(facts, *stage, *today).of(&facts.live),
            Self::Birthday(within_days, today) => Bits::union(births(facts, *within_days, *today)),
            Self::Asked(..) => return None,
        })
    }

    /// Whether it holds a contact: made once for many.
    fn tester<'f>(&'f self, facts: &'f Facts) -> Box<dyn Fn(u32) -> bool + 'f> {
        match self {
            Self::OneFollow(one) => {
                let (test, several) = (facts.associates.test(one), &facts.associates.several);
                Box::new(move |contact| test.as_ref().is_some_and(|test| several.holds(test, contact)))
            }
            _ => Box::new(move |contact| self.holds(facts, contact)),
        }
    }

    /// [`Self::work_out`] for one contact.
    pub fn holds(&self, facts: &Facts, contact: u32) -> bool {
        match self {
            Self::Stores(stores) => stores
                .iter()
                .filter_map(|store| facts.stores.get(store))
                .any(|bits| bits.contains(contact)),
            Self::Associate(associate) => facts.associates.follows(contact, *associate),
            Self::OneFollow(_) => self.tester(facts)(contact),
            Self::Added(first, last) => is_within(&facts.added, *first, *last, contact),
            Self::Ordered(first, last) => is_within(&facts.ordered, *first, *last, contact),
            Self::Clicked(first, last) => is_within(&facts.clicked, *first, *last, contact),
            Self::Stage(stage, today) => {
                let stirred_since = |first| {
                    is_within(&facts.ordered, first, i32::MAX, contact)
                        || is_within(&facts.clicked, first, i32::MAX, contact)
                };
                let stirred = |days: i64| stirred_since(since(*today, days));
                let added = |days: i64| is_within(&facts.added, since(*today, days), i32::MAX, contact);
                let ever = stirred_since(i32::MIN);
                let quiet_between = |over: i64, up_to: i64| {
                    !stirred(over) && (stirred(up_to) || (!ever && added(up_to) && !added(over)))
                };
                match stage {
                    Stage::New => !ever && added(ACTIVE_DAYS),
                    Stage::Active => stirred(ACTIVE_DAYS),
                    Stage::Cooling => quiet_between(ACTIVE_DAYS, COOLING_DAYS),
                    Stage::Dormant => quiet_between(COOLING_DAYS, DORMANT_DAYS),
                    Stage::Lost => !stirred(DORMANT_DAYS) && (ever || !added(DORMANT_DAYS)),
                }
            }
            Self::Birthday(within_days, today) => {
                births(facts, *within_days, *today).any(|bits| bits.contains(contact))
            }
            Self::Asked(..) => false,
        }
    }
}

fn since(today: i32, days_ago: i64) -> i32 {
    today.saturating_sub(i32::try_from(days_ago).unwrap_or(i32::MAX))
}

/// From the first day to the last; of days the wrong way round nobody.
fn days(family: &Family<i32>, first: i32, last: i32) -> impl Iterator<Item = &Bits> {
    let are_in_order = first <= last;
    let found = are_in_order.then(|| family.range(first..=last));
    found.into_iter().flatten().map(|(_, bits)| bits)
}

fn is_within(family: &Family<i32>, first: i32, last: i32, contact: u32) -> bool {
    days(family, first, last).any(|bits| bits.contains(contact))
}

/// Of people who are followed now; nobody else is ever asked about.
fn by_stage(facts: &Facts, stage: Stage, today: i32) -> Set<'_> {
    let stirred_since = |first: i32| {
        let ordered = days(&facts.ordered, first, i32::MAX);
        Set::Any(
            ordered
                .chain(days(&facts.clicked, first, i32::MAX))
                .map(Set::Bits)
                .collect(),
        )
    };
    let stirred = |days_ago: i64| stirred_since(since(today, days_ago));
    let added = |days_ago: i64| {
        let added = days(&facts.added, since(today, days_ago), i32::MAX);
        Set::Any(added.map(Set::Bits).collect())
    };
    let ever = || stirred_since(i32::MIN);
    let not = |set| Set::Not(Box::new(set));
    let quiet_between = |over: i64, up_to: i64| {
        let quiet = Set::All(vec![added(up_to), not(added(over)), not(ever())]);
        Set::All(vec![Set::Any(vec![stirred(up_to), quiet]), not(stirred(over))])
    };
    match stage {
        Stage::New => Set::All(vec![added(ACTIVE_DAYS), not(ever())]),
        Stage::Active => stirred(ACTIVE_DAYS),
        Stage::Cooling => quiet_between(ACTIVE_DAYS, COOLING_DAYS),
        Stage::Dormant => quiet_between(COOLING_DAYS, DORMANT_DAYS),
        Stage::Lost => {
            let long_there = Set::Any(vec![not(added(DORMANT_DAYS)), ever()]);
            Set::All(vec![long_there, not(stirred(DORMANT_DAYS))])
        }
    }
}

fn births(facts: &Facts, within_days: i64, today: i32) -> Box<dyn Iterator<Item = &Bits> + '_> {
    if within_days > 365 {
        return Box::new(facts.birthdays.values());
    }
    let (first, last) = birthday_span(day(today), within_days);
    if first <= last {
        return Box::new(facts.birthdays.range(first..=last).map(|(_, bits)| bits));
    }
    // Over the end of the year.
    let (before, after) = (facts.birthdays.range(..=last), facts.birthdays.range(first..));
    Box::new(before.chain(after).map(|(_, bits)| bits))
}

/// How many are kept, and of how many bytes: one of four million people may take half a million.
const KEPT: (usize, usize) = (64, 8 << 20);
/// The same of those the database said, which takes seconds.
const KEPT_ASKED: (usize, usize) = (64, 32 << 20);
/// Nor are those let go of that were used so lately: somebody may be about to answer from them.
const IN_USE: u64 = 64;
/// So many contacts are tested one by one; with more the leaf is worked out again when it is asked for. A stage walks over
/// all days of a contact.
const TESTED: usize = 200;
const TESTED_STAGE: usize = 20;

struct KeptLeaf {
    bits: Bits,
    used: AtomicU64,
}

/// Leaves that were asked for.
#[derive(Default)]
pub(super) struct Leaves {
    kept: HashMap<Leaf, KeptLeaf>,
    clock: AtomicU64,
    /// The database is being asked; whose facts changed since it began.
    pending: HashMap<Leaf, BTreeSet<i64>>,
}

impl Leaves {
    /// Who is in a leaf; `None`: nobody has asked lately.
    pub fn bits(&self, leaf: &Leaf) -> Option<&Bits> {
        let kept = self.kept.get(leaf)?;
        kept.used
            .store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(&kept.bits)
    }

    pub fn keep(&mut self, leaf: Leaf, bits: Bits) {
        if let Some(today) = leaf.today() {
            // Yesterday's are asked for no more.
            self.kept
                .retain(|kept, _| kept.today().is_none_or(|day| day == today));
        }
        let used = AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed));
        self.kept.insert(leaf, KeptLeaf { bits, used });
    }

    /// Works out what these plans need, as far as the database need not say it.
    pub fn unite(&mut self, facts: &Facts, plans: &[Plan]) {
        let mut wanted = Vec::new();
        plans.iter().for_each(|plan| plan.leaves(&mut wanted));
        for leaf in wanted {
            if self.bits(leaf).is_none()
                && let Some(bits) = leaf.work_out(facts)
            {
                self.keep(leaf.clone(), bits);
            }
        }
    }

    /// Lets go of those asked for least lately, down to as many as are kept. What the database said does not make room for
    /// what is quickly united.
    pub fn thin(&mut self) {
        for is_asked in [false, true] {
            while let Some(leaf) = self.too_many(is_asked) {
                self.kept.remove(&leaf);
            }
        }
    }

    pub fn is_full(&self) -> bool {
        self.too_many(false).is_some() || self.too_many(true).is_some()
    }

    /// Which is let go of next, if too many are kept.
    fn too_many(&self, is_asked: bool) -> Option<Leaf> {
        let kept = || self.kept.iter().filter(|(leaf, _)| leaf.is_asked() == is_asked);
        let bytes: usize = kept().map(|(_, kept)| kept.bits.bytes()).sum();
        let (most, most_bytes) = if is_asked { KEPT_ASKED } else { KEPT };
        if kept().count() <= most && bytes <= most_bytes {
            return None;
        }
        let used = |kept: &KeptLeaf| kept.used.load(Ordering::Relaxed);
        let (leaf, oldest) = kept().min_by_key(|(_, kept)| used(kept))?;
        let is_idle = used(oldest) + IN_USE < self.clock.load(Ordering::Relaxed);
        is_idle.then(|| leaf.clone())
    }

    /// Those the database has to be asked again about contacts whose facts of this kind changed.
    pub fn to_ask(&self, fact: Fact) -> Vec<Leaf> {
        let asked = self.kept.keys().filter(|leaf| leaf.is_asked());
        asked
            .filter(|leaf| leaf.hangs_on(fact) && !leaf.is_of_everybody())
            .cloned()
            .collect()
    }

    /// Puts right whom the database found among those it was asked about.
    pub fn correct(&mut self, leaf: &Leaf, asked: &Bits, found: &Bits) {
        if let Some(kept) = self.kept.get_mut(leaf) {
            kept.bits.remove_all(asked);
            kept.bits.add_all(found);
        }
    }

    /// Facts changed: what is worked out here is put right, what is of everybody is let go.
    pub fn follow(&mut self, facts: &Facts, fact: Fact, contacts: &[i64]) {
        for (leaf, touched) in &mut self.pending {
            if leaf.hangs_on(fact) {
                touched.extend(contacts);
            }
        }
        let numbers = facts.numbers(contacts);
        self.kept.retain(|leaf, kept| {
            if !leaf.hangs_on(fact) {
                return true;
            }
            if leaf.is_asked() {
                return !leaf.is_of_everybody();
            }
            let most = if matches!(leaf, Leaf::Stage(..)) {
                TESTED_STAGE
            } else {
                TESTED
            };
            if contacts.len() > most {
                return false;
            }
            let holds = leaf.tester(facts);
            for contact in numbers.iter() {
                if holds(contact) {
                    kept.bits.insert(contact);
                } else {
                    kept.bits.remove(contact);
                }
            }
            true
        });
    }

    pub fn begin_to_ask(&mut self, leaf: &Leaf) {
        self.pending.insert(leaf.clone(), BTreeSet::new());
    }

    /// Ends the asking; answers whose facts changed meanwhile.
    pub fn end_asking(&mut self, leaf: &Leaf) -> BTreeSet<i64> {
        self.pending.remove(leaf).unwrap_or_default()
    }
}

/// Today as leaves count.
pub(super) fn today(now: crate::time::Timestamp, zone: chrono_tz::Tz) -> i32 {
    number(now.day(zone))
}
