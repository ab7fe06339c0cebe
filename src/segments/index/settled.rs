//! Blocks in one piece of memory, laid out as they are in a snapshot.

use std::io::{self, Write};

use super::block::{Block, FEW, View, Words, bit};
use super::file::{Source, read_numbers, write_numbers};

/// How many blocks there are, a word each of where it lies, and what is in them: first those of many. None is of nobody.
#[derive(Debug, Clone, Default)]
pub(super) struct Settled(Box<[u64]>);

/// Where a settled block lies: its number, how many are in it less one, and its place in halves of sixteen bits.
#[derive(Clone, Copy)]
struct Entry {
    key: u16,
    len: usize,
    is_many: bool,
    at: usize,
}

impl Entry {
    const MANY: u64 = 1 << 31;

    fn of(word: u64) -> Self {
        Self {
            key: (word >> 48) as u16,
            len: (word >> 32 & 0xffff) as usize + 1,
            is_many: word & Self::MANY != 0,
            at: (word & (Self::MANY - 1)) as usize,
        }
    }

    fn word(self) -> u64 {
        let many = if self.is_many { Self::MANY } else { 0 };
        u64::from(self.key) << 48 | (self.len as u64 - 1) << 32 | many | self.at as u64
    }

    fn halves(self) -> usize {
        if self.is_many { FEW } else { self.len }
    }
}

/// What became of a number that was to be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    /// It was not there.
    Nobody,
    One,
    /// It is the only one of its block, and still there.
    Last,
}

impl Settled {
    fn entries(&self) -> &[u64] {
        match self.0.split_first() {
            Some((count, rest)) => &rest[..*count as usize],
            None => &[],
        }
    }

    /// Where what is in the blocks begins.
    fn begin(&self) -> usize {
        1 + self.entries().len()
    }

    fn find(&self, key: u16) -> Option<(usize, Entry)> {
        let entries = self.entries();
        let place = entries.partition_point(|entry| Entry::of(*entry).key < key);
        let entry = Entry::of(*entries.get(place)?);
        (entry.key == key).then_some((place, entry))
    }

    fn view(&self, entry: Entry) -> View<'_> {
        let held = &self.0[self.begin()..];
        if entry.is_many {
            let from = entry.at / 4;
            if let Ok(words) = <&Words>::try_from(&held[from..from + 1_024]) {
                return View::Many(words, entry.len);
            }
        }
        View::Few(&bytemuck::cast_slice(held)[entry.at..entry.at + entry.len])
    }

    pub fn block(&self, key: u16) -> Option<View<'_>> {
        self.find(key).map(|(_, entry)| self.view(entry))
    }

    pub fn keys(&self) -> impl Iterator<Item = u16> {
        self.entries().iter().map(|entry| Entry::of(*entry).key)
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.entries().len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bytes(&self) -> usize {
        8 * self.0.len()
    }

    /// Puts a number in where there is room for it, else answers its block with it.
    pub fn insert(&mut self, key: u16, low: u16) -> Option<Block> {
        let Some((place, entry)) = self.find(key) else {
            return Some(Block::Few(vec![low]));
        };
        match self.view(entry) {
            block if block.contains(low) => None,
            View::Many(..) => {
                self.flip(place, entry, low, entry.len + 1);
                None
            }
            block => {
                let mut block = block.owned();
                block.insert(low);
                Some(block)
            }
        }
    }

    pub fn remove(&mut self, key: u16, low: u16) -> Removed {
        let found = self
            .find(key)
            .filter(|(_, entry)| self.view(*entry).contains(low));
        let Some((place, entry)) = found else {
            return Removed::Nobody;
        };
        if entry.len == 1 {
            return Removed::Last;
        }
        if entry.is_many {
            self.flip(place, entry, low, entry.len - 1);
            return Removed::One;
        }
        let begin = self.begin();
        let list: &mut [u16] = bytemuck::cast_slice_mut(&mut self.0[begin..]);
        let list = &mut list[entry.at..entry.at + entry.len];
        if let Ok(gone) = list.binary_search(&low) {
            list.copy_within(gone + 1.., gone);
        }
        let len = entry.len - 1;
        self.0[1 + place] = Entry { len, ..entry }.word();
        Removed::One
    }

    /// Turns the bit of a number in a block of many, in which there are so many then.
    fn flip(&mut self, place: usize, entry: Entry, low: u16, len: usize) {
        let (word, bit) = bit(low);
        let from = self.begin() + entry.at / 4;
        self.0[from + word] ^= bit;
        self.0[1 + place] = Entry { len, ..entry }.word();
    }

    /// Of blocks in order, none of which is of nobody.
    pub fn of(blocks: &[(u16, View<'_>)]) -> Self {
        if blocks.is_empty() {
            return Self::default();
        }
        let is_many = |block: &View<'_>| block.len() > FEW;
        let many = blocks.iter().filter(|(_, block)| is_many(block)).count();
        let few = blocks.iter().filter(|(_, block)| !is_many(block));
        let few: usize = few.map(|(_, block)| block.len()).sum();
        let begin = 1 + blocks.len();
        let mut settled = vec![0; begin + many * 1_024 + few.div_ceil(4)].into_boxed_slice();
        settled[0] = blocks.len() as u64;
        let (mut next_many, mut next_few) = (0, many * FEW);
        for (place, (key, block)) in blocks.iter().enumerate() {
            let is_many = is_many(block);
            let at = if is_many { next_many } else { next_few };
            let (key, len) = (*key, block.len());
            let entry = Entry {
                key,
                len,
                is_many,
                at,
            };
            settled[1 + place] = entry.word();
            let held = &mut settled[begin..];
            if is_many {
                if let Ok(words) = <&mut Words>::try_from(&mut held[at / 4..at / 4 + 1_024]) {
                    block.copy_to(words);
                }
                next_many += FEW;
            } else {
                let list: &mut [u16] = bytemuck::cast_slice_mut(held);
                list[at..at + len]
                    .iter_mut()
                    .zip(block.iter())
                    .for_each(|(to, low)| *to = low);
                next_few += len;
            }
        }
        Self(settled)
    }

    pub fn save(&self, to: &mut impl Write) -> io::Result<()> {
        write_numbers(to, &self.0)
    }

    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        let settled = Self(read_numbers(from)?.into_boxed_slice());
        settled
            .is_whole()
            .then_some(settled)
            .ok_or_else(|| io::Error::other("bits that do not add up"))
    }

    /// Whether every block lies where it is said to.
    fn is_whole(&self) -> bool {
        let Some((count, rest)) = self.0.split_first() else {
            return true;
        };
        let Some((entries, held)) = usize::try_from(*count)
            .ok()
            .and_then(|count| rest.split_at_checked(count))
        else {
            return false;
        };
        let lies_within = |entry: Entry| {
            entry.at + entry.halves() <= held.len() * 4 && (!entry.is_many || entry.at.is_multiple_of(4))
        };
        entries.iter().all(|entry| lies_within(Entry::of(*entry)))
            && entries.is_sorted_by(|one, next| Entry::of(*one).key < Entry::of(*next).key)
    }
}
