//! What is known of every contact, as bitmaps over their numbers: one a tag, a store, a channel, a day.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::associates::Associates;
use super::bits::Bits;
use super::file::{Source, read_i64, read_text, read_u32};
use super::named::Named;
use super::names::Names;
use super::ordinals::Ordinals;
use super::several::Several;
use super::store::{Pair, Person, Place, Visit};
use crate::time::DAY_MS;

pub(super) type Family<K> = BTreeMap<K, Bits>;

#[derive(Default)]
pub(super) struct Facts {
    pub ordinals: Ordinals,
    /// Followed by somebody now; the families of follows hold only what live follows say.
    pub live: Bits,
    pub tags: Family<i64>,
    pub stores: Family<i64>,
    pub channels: Family<String>,
    /// By the day added, as a number.
    pub added: Family<i32>,
    pub associates: Associates,
    pub genders: Family<i64>,
    /// By `MM-DD`.
    pub birthdays: Family<String>,
    /// By the day of any order, and of any click, on the corp's clock.
    pub ordered: Family<i32>,
    pub clicked: Family<i32>,
    /// Never on disk: it is small.
    pub named: Named,
    /// What people are called, once it was read; never on disk.
    pub names: Option<Names>,
}

fn set<K: Ord>(family: &mut Family<K>, key: K, contact: u32) {
    family.entry(key).or_default().insert(contact);
}

/// Takes contacts out of every bitmap of a family.
fn take<K: Ord>(family: &mut Family<K>, contacts: &Bits) {
    family.retain(|_, bits| {
        bits.remove_all(contacts);
        !bits.is_empty()
    });
}

impl Facts {
    /// The numbers of these contacts, of those that have one.
    pub fn numbers(&self, contacts: &[i64]) -> Bits {
        let numbers = contacts.iter().filter_map(|id| self.ordinals.find(*id));
        numbers.collect()
    }

    /// Puts what is now known of these people in place of what was. Who is not there any more is in nothing.
    pub fn put_people(&mut self, asked: &[i64], people: &[Person]) {
        let there: BTreeSet<i64> = people.iter().map(|person| person.id).collect();
        let gone: Vec<i64> = asked.iter().copied().filter(|id| !there.contains(id)).collect();
        let gone = self.numbers(&gone);
        if !gone.is_empty() {
            self.take_follows(&gone);
            self.take_visits(&gone);
        }
        let known = self.numbers(asked);
        take(&mut self.genders, &known);
        take(&mut self.birthdays, &known);
        for person in people {
            self.add_person(person);
        }
    }

    pub fn add_person(&mut self, person: &Person) {
        let contact = self.ordinals.give(person.id);
        set(&mut self.genders, person.gender, contact);
        if let Some(birthday) = &person.birthday {
            match self.birthdays.get_mut(birthday) {
                Some(bits) => {
                    bits.insert(contact);
                }
                None => set(&mut self.birthdays, birthday.clone(), contact),
            }
        }
    }

    /// The same for the live follows of contacts; of contacts without a number nothing is kept.
    pub fn put_pairs(&mut self, asked: &[i64], pairs: &[Pair]) {
        let known = self.numbers(asked);
        self.take_follows(&known);
        let mut pairs: Vec<&Pair> = pairs.iter().collect();
        pairs.sort_by_key(|pair| pair.contact);
        for pair in pairs {
            self.add_pair(pair);
        }
    }

    fn take_follows(&mut self, contacts: &Bits) {
        self.live.remove_all(contacts);
        take(&mut self.tags, contacts);
        take(&mut self.stores, contacts);
        take(&mut self.channels, contacts);
        take(&mut self.added, contacts);
        for contact in contacts.iter() {
            self.associates.forget(contact);
        }
    }

    /// A live follow; all of a contact come one after the other.
    pub fn add_pair(&mut self, pair: &Pair) {
        let Some(contact) = self.ordinals.find(pair.contact) else {
            return;
        };
        self.live.insert(contact);
        if let Some(store) = pair.store {
            set(&mut self.stores, store, contact);
        }
        if !pair.channel.is_empty() {
            set(&mut self.channels, pair.channel.clone(), contact);
        }
        let tags = pair.tags.split(' ').filter_map(|tag| tag.parse().ok());
        let tags: Vec<i64> = tags.collect();
        for tag in &tags {
            set(&mut self.tags, *tag, contact);
        }
        // A day that the instant does not reach in any zone does not count: see the condition of `added`.
        let reached = pair.added_at_ms.div_euclid(DAY_MS) as i32 + 1;
        let day = pair.added_day.min(reached);
        set(&mut self.added, day, contact);
        self.associates
            .add(contact, pair.associate, pair.store, day, tags);
    }

    /// The same for the days of orders and clicks.
    pub fn put_visits(&mut self, asked: &[i64], orders: &[Visit], clicks: &[Visit]) {
        let known = self.numbers(asked);
        self.take_visits(&known);
        for (family, visits) in [(&mut self.ordered, orders), (&mut self.clicked, clicks)] {
            for visit in visits {
                if let Some(contact) = self.ordinals.find(visit.contact) {
                    set(family, visit.day, contact);
                }
            }
        }
    }

    /// While an index is built: an order or a click.
    pub fn add_visit(&mut self, place: Place, visit: &Visit) {
        let Some(contact) = self.ordinals.find(visit.contact) else {
            return;
        };
        let family = match place {
            Place::Orders => &mut self.ordered,
            Place::Clicks => &mut self.clicked,
        };
        set(family, visit.day, contact);
    }

    fn take_visits(&mut self, contacts: &Bits) {
        take(&mut self.ordered, contacts);
        take(&mut self.clicked, contacts);
    }

    /// Gives back what was set aside while everything grew.
    pub fn settle(&mut self) {
        fn tight<K: Ord>(family: &mut Family<K>) {
            family.values_mut().for_each(Bits::settle);
        }
        self.live.settle();
        tight(&mut self.tags);
        tight(&mut self.stores);
        tight(&mut self.channels);
        tight(&mut self.added);
        tight(&mut self.genders);
        tight(&mut self.birthdays);
        tight(&mut self.ordered);
        tight(&mut self.clicked);
        self.associates.settle();
    }
}

/// Part of a snapshot, read: it is put into the facts when all parts are.
pub(super) type Loaded = Box<dyn FnOnce(&mut Facts) + Send>;

/// Parts of a snapshot; each can be read for itself.
pub(super) const PARTS: usize = 7;

/// Reads a part, which may turn out damaged: its sum is compared afterwards.
pub(super) fn load(part: usize, from: &mut impl Source) -> io::Result<Loaded> {
    let day = |from: &mut _| read_i64(from).map(|day| day as i32);
    Ok(match part {
        0 => {
            let (ordinals, live) = (Ordinals::load(from)?, Bits::load(from)?);
            Box::new(|facts| (facts.ordinals, facts.live) = (ordinals, live))
        }
        1 => {
            let tags = load_family(from, read_i64)?;
            Box::new(|facts| facts.tags = tags)
        }
        2 => {
            let stores = load_family(from, read_i64)?;
            Box::new(|facts| facts.stores = stores)
        }
        3 => {
            let (channels, added) = (load_family(from, read_text)?, load_family(from, day)?);
            let (genders, birthdays) = (load_family(from, read_i64)?, load_family(from, read_text)?);
            Box::new(|facts| {
                (facts.channels, facts.added) = (channels, added);
                (facts.genders, facts.birthdays) = (genders, birthdays);
            })
        }
        4 => {
            let mut associates = Associates::load(from)?;
            Box::new(|facts| {
                std::mem::swap(&mut associates.several, &mut facts.associates.several);
                facts.associates = associates;
            })
        }
        5 => {
            let several = Several::load(from)?;
            Box::new(|facts| facts.associates.several = several)
        }
        _ => {
            let (ordered, clicked) = (load_family(from, day)?, load_family(from, day)?);
            Box::new(|facts| (facts.ordered, facts.clicked) = (ordered, clicked))
        }
    })
}

fn load_family<K: Ord, R: Source>(
    from: &mut R,
    key: impl Fn(&mut R) -> io::Result<K>,
) -> io::Result<Family<K>> {
    let len = read_u32(from)?;
    (0..len).map(|_| Ok((key(from)?, Bits::load(from)?))).collect()
}
