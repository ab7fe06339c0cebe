//! Who follows whom: one live associate of each contact in a column, the few further ones beside it. Twenty thousand
//! bitmaps would take more, and an associate's own are seldom asked for.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use roaring::RoaringBitmap;

use super::file::{read_i64s, read_u32s, write_i64s, write_u32s};

const NOBODY: u32 = u32::MAX;
/// Contacts whose further associates are kept together.
const TOGETHER: u32 = 256;

#[derive(Default)]
pub(super) struct Associates {
    ids: Vec<i64>,
    places: HashMap<i64, u32>,
    /// By contact.
    first: Vec<u32>,
    /// By so many contacts: contact and associate.
    more: HashMap<u32, Vec<(u32, u32)>>,
}

impl Associates {
    pub fn add(&mut self, contact: u32, associate: i64) {
        let place = *self.places.entry(associate).or_insert_with(|| {
            self.ids.push(associate);
            self.ids.len() as u32 - 1
        });
        self.reach(contact);
        let first = &mut self.first[contact as usize];
        if *first == NOBODY {
            *first = place;
        } else {
            // One who follows twice, by two ids of one person, is two who may say different things.
            let more = self.more.entry(contact / TOGETHER).or_default();
            if !more.contains(&(contact, place)) {
                more.push((contact, place));
            }
        }
    }

    fn reach(&mut self, contact: u32) {
        let wanted = contact as usize + 1;
        if self.first.capacity() < wanted && !self.first.is_empty() {
            // Not twice as much for a few more.
            self.first.reserve_exact(wanted - self.first.len() + 65_536);
        }
        if self.first.len() < wanted {
            self.first.resize(wanted, NOBODY);
        }
    }

    pub fn forget(&mut self, contact: u32) {
        if let Some(first) = self.first.get_mut(contact as usize) {
            *first = NOBODY;
        }
        if let Some(more) = self.more.get_mut(&(contact / TOGETHER)) {
            more.retain(|(whose, _)| *whose != contact);
        }
    }

    pub fn follows(&self, contact: u32, associate: i64) -> bool {
        let Some(place) = self.places.get(&associate) else {
            return false;
        };
        let is_further = |more: &Vec<(u32, u32)>| more.contains(&(contact, *place));
        self.first.get(contact as usize) == Some(place)
            || self.more.get(&(contact / TOGETHER)).is_some_and(is_further)
    }

    pub fn contacts_of(&self, associate: i64) -> RoaringBitmap {
        let Some(place) = self.places.get(&associate) else {
            return RoaringBitmap::new();
        };
        let first = self.first.iter().enumerate();
        let mut contacts: RoaringBitmap = first
            .filter(|(_, first)| *first == place)
            .map(|(contact, _)| contact as u32)
            .collect();
        let further = self
            .more
            .values()
            .flatten()
            .filter(|(_, further)| further == place);
        contacts.extend(further.map(|(contact, _)| *contact));
        contacts
    }

    /// Contacts with several live associates.
    pub fn several(&self) -> RoaringBitmap {
        let further = self.more.values().flatten();
        further.map(|(contact, _)| *contact).collect()
    }

    pub fn is_several(&self, contact: u32) -> bool {
        let of_contact = |more: &Vec<(u32, u32)>| more.iter().any(|(whose, _)| *whose == contact);
        self.more.get(&(contact / TOGETHER)).is_some_and(of_contact)
    }

    /// Gives back what was set aside while it grew.
    pub fn settle(&mut self) {
        self.first.shrink_to_fit();
        self.more.values_mut().for_each(Vec::shrink_to_fit);
    }

    /// What is written down of the contacts with numbers below `most`, taken at once and written at leisure.
    pub fn copy(&self, most: u32) -> Copied {
        let more = self.more.values().flatten().copied();
        Copied {
            ids: self.ids.clone(),
            first: self.first[..self.first.len().min(most as usize)].to_vec(),
            more: more.filter(|(contact, _)| *contact < most).collect(),
        }
    }

    pub fn load(from: &mut impl Read) -> io::Result<Self> {
        let ids = read_i64s(from)?;
        let mut associates = Self {
            places: ids
                .iter()
                .enumerate()
                .map(|(place, id)| (*id, place as u32))
                .collect(),
            ids,
            first: read_u32s(from)?,
            more: HashMap::new(),
        };
        let contacts = read_u32s(from)?;
        for (contact, further) in contacts.into_iter().zip(read_u32s(from)?) {
            let more = associates.more.entry(contact / TOGETHER).or_default();
            more.push((contact, further));
        }
        associates.settle();
        Ok(associates)
    }
}

/// A copy to be written down.
pub(super) struct Copied {
    ids: Vec<i64>,
    first: Vec<u32>,
    more: Vec<(u32, u32)>,
}

impl Copied {
    pub fn save(mut self, to: &mut impl Write) -> io::Result<()> {
        write_i64s(to, &self.ids)?;
        write_u32s(to, &self.first)?;
        self.more.sort_unstable();
        let (contacts, further): (Vec<u32>, Vec<u32>) = self.more.into_iter().unzip();
        write_u32s(to, &contacts)?;
        write_u32s(to, &further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_follows_is_found_and_forgotten() {
        let mut associates = Associates::default();
        for contact in 0..1_000 {
            associates.add(contact, i64::from(contact % 7));
            if contact % 10 == 0 {
                associates.add(contact, 100);
                associates.add(contact, 101);
                associates.add(contact, 100);
            }
        }
        associates.forget(500);
        assert!(!associates.follows(500, 100) && !associates.follows(500, 3));
        associates.add(500, 101);
        let mut saved = Vec::new();
        associates.copy(990).save(&mut saved).unwrap();
        let loaded = Associates::load(&mut saved.as_slice()).unwrap();
        for (kept, most) in [(&associates, 1_000), (&loaded, 990)] {
            let of = |associate| kept.contacts_of(associate).iter().collect::<Vec<u32>>();
            let tens = (0..most).step_by(10);
            assert_eq!(
                of(100),
                tens.clone().filter(|contact| *contact != 500).collect::<Vec<_>>()
            );
            assert_eq!(of(101), tens.collect::<Vec<_>>());
            let threes = (0..most).filter(|contact| contact % 7 == 3 && *contact != 500);
            assert_eq!(of(3), threes.collect::<Vec<_>>());
            assert!(of(999).is_empty());
            assert!(kept.follows(10, 3) && kept.follows(10, 101) && !kept.follows(11, 101));
        }
    }
}
