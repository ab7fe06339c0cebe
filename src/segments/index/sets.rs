//! Set operations, a block of sixty-five thousand at a time, a bit each: whatever is asked, a block stays in the
//! processor's nearest memory until it is answered, and no set is made on the way.

use fearless_simd::{Level, Simd, dispatch};

use super::bits::{Bits, Growing};
use super::block::{View, Words, zeros};

/// Who is wanted.
pub(super) enum Set<'b> {
    /// Everybody who is asked about.
    Everybody,
    Bits(&'b Bits),
    All(Vec<Set<'b>>),
    Any(Vec<Set<'b>>),
    Not(Box<Set<'b>>),
}

/// Blocks to work in.
#[derive(Default)]
pub(super) struct Room(Vec<Box<Words>>);

impl Room {
    fn take(&mut self, like: &Words) -> Box<Words> {
        let mut words = self.0.pop().unwrap_or_else(zeros);
        *words = *like;
        words
    }

    fn give(&mut self, words: Box<Words>) {
        self.0.push(words);
    }
}

impl Set<'_> {
    /// Leaves those of a block that are in it.
    pub fn narrow(&self, key: u16, words: &mut Words, room: &mut Room) {
        match self {
            Self::Everybody => {}
            Self::Bits(bits) => match bits.block(key) {
                Some(block) => and(words, block),
                None => words.fill(0),
            },
            Self::All(parts) => parts.iter().for_each(|part| part.narrow(key, words, room)),
            Self::Any(parts) => {
                let mut any = room.take(&[0; 1_024]);
                for part in parts {
                    match part {
                        Self::Bits(bits) => {
                            if let Some(block) = bits.block(key) {
                                or(&mut any, block);
                            }
                        }
                        _ => {
                            let mut some = room.take(words);
                            part.narrow(key, &mut some, room);
                            each_word(&mut any, &some, |one, other| one | other);
                            room.give(some);
                        }
                    }
                }
                each_word(words, &any, |one, any| one & any);
                room.give(any);
            }
            Self::Not(part) => part.take_out(key, words, room),
        }
    }

    /// Leaves those of a block that are not in it.
    fn take_out(&self, key: u16, words: &mut Words, room: &mut Room) {
        match self {
            Self::Bits(bits) => {
                if let Some(block) = bits.block(key) {
                    minus(words, block);
                }
            }
            Self::Any(parts) => parts.iter().for_each(|part| part.take_out(key, words, room)),
            Self::Not(part) => part.narrow(key, words, room),
            Self::Everybody | Self::All(_) => {
                let mut some = room.take(words);
                self.narrow(key, &mut some, room);
                each_word(words, &some, |one, other| one & !other);
                room.give(some);
            }
        }
    }

    /// Those of these people who are in it.
    pub fn of(&self, people: &Bits) -> Bits {
        let (mut found, mut room, mut words) = (Growing::default(), Room::default(), zeros());
        for (key, block) in people.blocks() {
            block.copy_to(&mut words);
            self.narrow(key, &mut words, &mut room);
            found.push(key, &words);
        }
        found.done()
    }
}

fn and(words: &mut Words, block: View<'_>) {
    match block {
        View::Many(others, _) => each_word(words, others, |one, other| one & other),
        View::Few(list) => {
            let mut left = list.iter().peekable();
            for (word, place) in words.iter_mut().zip(0u16..) {
                let mut those = 0;
                while let Some(low) = left.next_if(|low| **low >> 6 == place) {
                    those |= 1 << (low & 63);
                }
                *word &= those;
            }
        }
    }
}

pub(super) fn or(words: &mut Words, block: View<'_>) {
    match block {
        View::Many(others, _) => each_word(words, others, |one, other| one | other),
        View::Few(list) => list
            .iter()
            .for_each(|low| words[usize::from(low >> 6)] |= 1 << (low & 63)),
    }
}

fn minus(words: &mut Words, block: View<'_>) {
    match block {
        View::Many(others, _) => each_word(words, others, |one, other| one & !other),
        View::Few(list) => list
            .iter()
            .for_each(|low| words[usize::from(low >> 6)] &= !(1 << (low & 63))),
    }
}

fn each_word(words: &mut Words, others: &Words, op: impl Fn(u64, u64) -> u64 + Copy) {
    dispatch!(Level::new(), simd => simd.vectorize(#[inline(always)] || {
        words.iter_mut().zip(others).for_each(|(word, other)| *word = op(*word, *other));
    }));
}

/// How many are in a block.
pub(super) fn count(words: &Words) -> usize {
    dispatch!(Level::new(), simd => simd.vectorize(#[inline(always)] || {
        words.iter().map(|word| u64::from(word.count_ones())).sum::<u64>() as usize
    }))
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    const MOST: u32 = 200_000;

    fn any_bits(chance: &mut StdRng) -> Bits {
        let (one_in, from) = (
            [2, 7, 40, 3_000][chance.random_range(0..4)],
            chance.random_range(0..MOST),
        );
        (from..MOST).filter(|_| chance.random_ratio(1, one_in)).collect()
    }

    fn any_set<'b>(chance: &mut StdRng, bits: &'b [Bits], depth: u32) -> Set<'b> {
        let parts = |chance: &mut StdRng| {
            (0..chance.random_range(0..4))
                .map(|_| any_set(chance, bits, depth - 1))
                .collect()
        };
        match chance.random_range(0..if depth == 0 { 3 } else { 6 }) {
            0 => Set::Everybody,
            1 | 2 => Set::Bits(&bits[chance.random_range(0..bits.len())]),
            3 => Set::All(parts(chance)),
            4 => Set::Any(parts(chance)),
            _ => Set::Not(Box::new(any_set(chance, bits, depth - 1))),
        }
    }

    fn holds(set: &Set<'_>, number: u32) -> bool {
        match set {
            Set::Everybody => true,
            Set::Bits(bits) => bits.contains(number),
            Set::All(parts) => parts.iter().all(|part| holds(part, number)),
            Set::Any(parts) => parts.iter().any(|part| holds(part, number)),
            Set::Not(part) => !holds(part, number),
        }
    }

    #[test]
    fn whoever_is_in_a_set_is_found_by_blocks_as_one_by_one() {
        let mut chance = StdRng::seed_from_u64(11);
        let mut found_any = 0;
        for _ in 0..6 {
            let bits: Vec<Bits> = (0..5).map(|_| any_bits(&mut chance)).collect();
            let people = any_bits(&mut chance);
            for _ in 0..5 {
                let set = any_set(&mut chance, &bits, 3);
                let found = set.of(&people);
                let expected = people.iter().filter(|number| holds(&set, *number));
                assert!(found.iter().eq(expected));
                found_any += found.len();
            }
            let each: std::collections::BTreeSet<u32> = bits.iter().flat_map(Bits::iter).collect();
            assert!(Bits::union(&bits).iter().eq(each));
        }
        assert!(found_any > 50_000, "{found_any}");
    }
}
