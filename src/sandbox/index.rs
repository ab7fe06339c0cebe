//! Where things stand in a list, found by name. The name is kept once, with the thing; whoever asks compares it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

/// Places by the number of a name; two names may share a number.
#[derive(Default)]
pub struct Index {
    places: HashMap<u64, Places, BuildHasherDefault<AsGiven>>,
}

/// Most names have one place: millions of them must not own a heap block each.
enum Places {
    One(u32),
    Many(Box<[u32]>),
}

impl Index {
    pub fn reserve(&mut self, more: usize) {
        self.places.reserve(more);
    }

    /// Where things of this name may stand.
    pub fn at(&self, name: &str) -> &[u32] {
        match self.places.get(&fold(name)) {
            None => &[],
            Some(Places::One(place)) => std::slice::from_ref(place),
            Some(Places::Many(places)) => places,
        }
    }

    pub fn add(&mut self, name: &str, place: u32) {
        match self.places.entry(fold(name)) {
            Entry::Vacant(empty) => {
                empty.insert(Places::One(place));
            }
            Entry::Occupied(mut held) => {
                let places = match held.get() {
                    Places::One(first) => [*first, place].into(),
                    Places::Many(places) => places.iter().copied().chain([place]).collect(),
                };
                held.insert(Places::Many(places));
            }
        }
    }

    pub fn remove(&mut self, name: &str, place: u32) {
        let left: Vec<u32> = self
            .at(name)
            .iter()
            .copied()
            .filter(|held| *held != place)
            .collect();
        let number = fold(name);
        match left[..] {
            [] => drop(self.places.remove(&number)),
            [one] => drop(self.places.insert(number, Places::One(one))),
            _ => drop(self.places.insert(number, Places::Many(left.into()))),
        }
    }
}

/// A number for a name (FNV-1a).
pub fn fold(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The keys are hashes already.
#[derive(Default)]
struct AsGiven(u64);

impl Hasher for AsGiven {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |sum, byte| sum << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_as_many_places_as_were_added_and_not_removed() {
        let mut index = Index::default();
        for place in [3, 5, 9] {
            index.add("wm1", place);
        }
        index.add("wm2", 4);
        index.remove("wm1", 5);
        assert_eq!((index.at("wm1"), index.at("wm2")), (&[3, 9][..], &[4][..]));
        index.remove("wm1", 3);
        index.remove("wm2", 4);
        assert_eq!((index.at("wm1"), index.at("wm2")), (&[9][..], &[][..]));
    }
}
