//! Who follows whom: one live associate of each contact in a column, and beside it all follows of those who have several.
//! Twenty thousand bitmaps would take more, and an associate's own are seldom asked for.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use roaring::RoaringBitmap;

use super::file::{read_i64s, read_u32s, write_i64s, write_u32s};
use super::leaf::OneFollow;
use super::several::{Said, Several, Test};

const NOBODY: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Associates {
    ids: Vec<i64>,
    places: HashMap<i64, u32>,
    /// By contact.
    first: Vec<u32>,
    pub several: Several,
    /// Who was added last, in case somebody else follows them too.
    last: Option<(u32, Said)>,
}

impl Associates {
    /// Adds a live follow. All of a contact come one after the other.
    pub fn add(&mut self, contact: u32, associate: i64, store: Option<i64>, day: i32, tags: Vec<i64>) {
        let place = *self.places.entry(associate).or_insert_with(|| {
            self.ids.push(associate);
            self.ids.len() as u32 - 1
        });
        self.reach(contact);
        let said = Said {
            associate: place,
            store,
            day,
            tags,
        };
        let first = &mut self.first[contact as usize];
        if *first == NOBODY {
            *first = place;
            self.last = Some((contact, said));
            return;
        }
        if let Some((_, first)) = self.last.take_if(|(last, _)| *last == contact) {
            self.several.add(contact, &first);
        }
        self.several.add(contact, &said);
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
        self.several.forget(contact);
        self.last.take_if(|(last, _)| *last == contact);
    }

    pub fn follows(&self, contact: u32, associate: i64) -> bool {
        let Some(place) = self.places.get(&associate) else {
            return false;
        };
        let test = self.several.test(&OneFollow::default(), Some(*place));
        self.first.get(contact as usize) == Some(place)
            || test.is_some_and(|test| self.several.holds(&test, contact))
    }

    pub fn contacts_of(&self, associate: i64) -> RoaringBitmap {
        let Some(place) = self.places.get(&associate) else {
            return RoaringBitmap::new();
        };
        let first = self.first.iter().enumerate();
        let contacts = first
            .filter(|(_, first)| *first == place)
            .map(|(contact, _)| contact as u32);
        let test = self.several.test(&OneFollow::default(), Some(*place));
        let several = test.map(|test| self.several.holding(&test));
        several.unwrap_or_default() | contacts.collect::<RoaringBitmap>()
    }

    /// What is asked of one and the same follow, as it is tested; `None`: it names what no follow says.
    pub fn test(&self, one: &OneFollow) -> Option<Test> {
        let associate = match one.associate {
            Some(associate) => Some(*self.places.get(&associate)?),
            None => None,
        };
        self.several.test(one, associate)
    }

    /// Gives back what was set aside while it grew.
    pub fn settle(&mut self) {
        self.first.shrink_to_fit();
        self.several.settle();
        self.last = None;
    }

    /// What is written down of the contacts with numbers below `most`, taken at once and written at leisure.
    pub fn copy(&self, most: u32) -> Copied {
        Copied {
            ids: self.ids.clone(),
            first: self.first[..self.first.len().min(most as usize)].to_vec(),
        }
    }

    pub fn load(from: &mut impl Read) -> io::Result<Self> {
        let ids = read_i64s(from)?;
        let places = ids.iter().zip(0..).map(|(id, place)| (*id, place));
        Ok(Self {
            places: places.collect(),
            ids,
            first: read_u32s(from)?,
            several: Several::load(from)?,
            last: None,
        })
    }
}

/// A copy to be written down, before those whom several follow.
pub(super) struct Copied {
    ids: Vec<i64>,
    first: Vec<u32>,
}

impl Copied {
    pub fn save(self, to: &mut impl Write) -> io::Result<()> {
        write_i64s(to, &self.ids)?;
        write_u32s(to, &self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segments::index::file::write_u32;

    #[test]
    fn everybody_who_follows_is_found_and_forgotten() {
        let mut associates = Associates::default();
        let add = |associates: &mut Associates, contact, associate| {
            associates.add(contact, associate, None, 0, Vec::new());
        };
        for contact in 0..1_000 {
            add(&mut associates, contact, i64::from(contact % 7));
            if contact % 10 == 0 {
                add(&mut associates, contact, 100);
                add(&mut associates, contact, 101);
                add(&mut associates, contact, 100);
            }
        }
        associates.forget(500);
        assert!(!associates.follows(500, 100) && !associates.follows(500, 3));
        add(&mut associates, 500, 101);
        let mut saved = Vec::new();
        associates.copy(990).save(&mut saved).unwrap();
        write_u32(&mut saved, associates.several.blocks().len() as u32).unwrap();
        for block in associates.several.blocks() {
            associates.several.save_block(&mut saved, block, 990).unwrap();
        }
        associates.several.save_names(&mut saved).unwrap();
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
