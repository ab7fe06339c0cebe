//! Who follows whom: one live associate of each contact in a column, and beside it all follows of those who have several.
//! Twenty thousand bitmaps would take more, and an associate's own are seldom asked for.

use std::collections::HashMap;
use std::io::{self, Write};

use super::bits::Bits;
use super::column::Column;
use super::file::{Source, read_numbers, write_numbers};
use super::leaf::OneFollow;
use super::several::{Said, Several, Test};

#[derive(Default)]
pub(super) struct Associates {
    ids: Vec<i64>,
    places: HashMap<i64, u32>,
    /// By contact.
    first: Column,
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
        let said = Said {
            associate: place,
            store,
            day,
            tags,
        };
        if self.first.get(contact).is_none() {
            self.first.set(contact, Some(place));
            self.last = Some((contact, said));
            return;
        }
        if let Some((_, first)) = self.last.take_if(|(last, _)| *last == contact) {
            self.several.add(contact, &first);
        }
        self.several.add(contact, &said);
    }

    pub fn forget(&mut self, contact: u32) {
        self.first.set(contact, None);
        self.several.forget(contact);
        self.last.take_if(|(last, _)| *last == contact);
    }

    pub fn follows(&self, contact: u32, associate: i64) -> bool {
        let Some(place) = self.places.get(&associate) else {
            return false;
        };
        let test = self.several.test(&OneFollow::default(), Some(*place));
        self.first.get(contact) == Some(*place) || test.is_some_and(|test| self.several.holds(&test, contact))
    }

    pub fn contacts_of(&self, associate: i64) -> Bits {
        let Some(place) = self.places.get(&associate) else {
            return Bits::new();
        };
        let mut contacts: Bits = self.first.whose(*place).into_iter().collect();
        if let Some(test) = self.several.test(&OneFollow::default(), Some(*place)) {
            contacts.add_all(&self.several.holding(&test));
        }
        contacts
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
        self.first.settle();
        self.several.settle();
        self.last = None;
    }

    /// What is written down of the contacts with numbers below `most`, taken at once and written at leisure.
    pub fn copy(&self, most: u32) -> Copied {
        Copied {
            ids: self.ids.clone(),
            first: self.first.below(most),
        }
    }

    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        let ids: Vec<i64> = read_numbers(from)?;
        let places = ids.iter().zip(0..).map(|(id, place)| (*id, place));
        Ok(Self {
            places: places.collect(),
            ids,
            first: Column::load(from)?,
            several: Several::default(),
            last: None,
        })
    }
}

/// A copy to be written down; those whom several follow are written for themselves.
pub(super) struct Copied {
    ids: Vec<i64>,
    first: Column,
}

impl Copied {
    pub fn save(self, to: &mut impl Write) -> io::Result<()> {
        write_numbers(to, &self.ids)?;
        self.first.save(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut loaded = Associates::load(&mut saved.as_slice()).unwrap();
        let several = associates.several.saved(990);
        loaded.several = Several::load(&mut several.as_slice()).unwrap();
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
