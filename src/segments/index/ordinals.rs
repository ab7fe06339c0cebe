//! The number of each contact in the bitmaps, and back. Numbers are given in the order of the ids as far as these
//! come in order; sixty-four ids share a base, so that each takes four bytes and not eight.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use super::bits::{Bits, View, Words, join};
use super::file::{Source, read_numbers, write_numbers};

const BLOCK: usize = 64;

#[derive(Default)]
pub(super) struct Ordinals {
    /// By block: the lowest id a number of its own order stands for; never less than that of the block before.
    starts: Vec<i64>,
    /// By block: the id that the distances count from, and by how many bits they were shortened.
    bases: Vec<(i64, u8)>,
    distances: Vec<u32>,
    /// Blocks whose ids lie too far apart.
    wide: BTreeMap<u32, Box<[i64; BLOCK]>>,
    /// Ids of the block that is not full yet.
    open: Vec<i64>,
    open_start: i64,
    /// Ids that came after a higher one.
    late: HashMap<i64, u32>,
    highest: Option<i64>,
}

impl Ordinals {
    pub fn len(&self) -> u32 {
        (self.bases.len() * BLOCK + self.open.len()) as u32
    }

    /// The number of an id, given now if it has none.
    pub fn give(&mut self, id: i64) -> u32 {
        if let Some(ordinal) = self.find(id) {
            return ordinal;
        }
        let ordinal = self.len();
        let is_late = self.highest.is_some_and(|highest| id < highest);
        if is_late {
            self.late.insert(id, ordinal);
        }
        let reached = self.highest.map_or(id, |highest| highest.max(id));
        if self.open.is_empty() {
            self.open_start = reached;
        }
        self.open.push(id);
        self.highest = Some(reached);
        if self.open.len() == BLOCK {
            self.close_block();
        }
        ordinal
    }

    fn close_block(&mut self) {
        let base = self.open.iter().copied().min().unwrap_or(0);
        let apart = self.open.iter().fold(0, |bits, id| bits | (id - base) as u64);
        let shift = if apart == 0 { 0 } else { apart.trailing_zeros() };
        let block = self.bases.len() as u32;
        if self.distances.len() == self.distances.capacity() && !self.distances.is_empty() {
            // Not twice as much for a few more.
            self.distances.reserve_exact(BLOCK * 1_024);
        }
        if apart >> shift <= u64::from(u32::MAX) {
            let short = self.open.iter().map(|id| ((id - base) as u64 >> shift) as u32);
            self.distances.extend(short);
        } else {
            let ids: [i64; BLOCK] = std::array::from_fn(|place| self.open[place]);
            self.wide.insert(block, Box::new(ids));
            self.distances.extend([0; BLOCK]);
        }
        self.bases.push((base, shift as u8));
        self.starts.push(self.open_start);
        self.open.clear();
    }

    pub fn id(&self, ordinal: u32) -> i64 {
        let (block, place) = (ordinal as usize / BLOCK, ordinal as usize % BLOCK);
        match self.bases.get(block) {
            None => self.open[place],
            Some((base, shift)) => match self.wide.get(&(block as u32)) {
                Some(ids) => ids[place],
                None => base + ((u64::from(self.distances[ordinal as usize]) << shift) as i64),
            },
        }
    }

    /// The ids of many, in the order of their numbers.
    pub fn ids(&self, numbers: &Bits) -> Vec<i64> {
        let mut ids = Vec::with_capacity(numbers.len() as usize);
        for (key, block) in numbers.blocks() {
            match block {
                View::Few(list) => ids.extend(list.iter().map(|low| self.id(join(key, *low)))),
                View::Many(words, _) => self.ids_of_block(key, words, &mut ids),
            }
        }
        ids
    }

    /// The same of a block: what a word stands for shares a base.
    pub fn ids_of_block(&self, key: u16, words: &Words, into: &mut Vec<i64>) {
        for (place, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
            let first = join(key, (place * BLOCK) as u16) as usize;
            let shared = (
                self.bases.get(first / BLOCK),
                self.distances.get(first..first + BLOCK),
            );
            let mut left = *word;
            let lows = std::iter::from_fn(|| {
                let low = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (low < 64).then_some(low as usize)
            });
            match shared {
                (Some((base, shift)), Some(distances)) if self.wide.is_empty() => {
                    into.extend(lows.map(|low| base + ((u64::from(distances[low]) << shift) as i64)));
                }
                _ => into.extend(lows.map(|low| self.id((first + low) as u32))),
            }
        }
    }

    pub fn find(&self, id: i64) -> Option<u32> {
        if let Some(ordinal) = self.late.get(&id) {
            return Some(*ordinal);
        }
        if self.highest.is_none_or(|highest| id > highest) {
            return None;
        }
        if id >= self.open_start
            && let Some(place) = self.open.iter().position(|open| *open == id)
        {
            return Some((self.bases.len() * BLOCK + place) as u32);
        }
        let block = self.starts.partition_point(|start| *start <= id).checked_sub(1)?;
        // A block that begins with a late id starts where the one before it ended.
        let first = self.starts.partition_point(|start| *start < self.starts[block]);
        let first = first.saturating_sub(1);
        (first..=block)
            .flat_map(|block| block * BLOCK..(block + 1) * BLOCK)
            .map(|ordinal| ordinal as u32)
            .find(|ordinal| self.id(*ordinal) == id)
    }

    /// Whether an id came after a higher one, so that its number is not in the order of the ids.
    pub fn is_late(&self, id: i64) -> bool {
        !self.late.is_empty() && self.late.contains_key(&id)
    }

    pub fn late(&self) -> impl Iterator<Item = (i64, u32)> + '_ {
        self.late.iter().map(|(id, ordinal)| (*id, *ordinal))
    }

    pub fn save(&self, to: &mut impl Write) -> io::Result<()> {
        write_numbers(to, &self.starts)?;
        let (bases, shifts): (Vec<i64>, Vec<u32>) = self
            .bases
            .iter()
            .map(|(base, shift)| (*base, u32::from(*shift)))
            .unzip();
        write_numbers(to, &bases)?;
        write_numbers(to, &shifts)?;
        write_numbers(to, &self.distances)?;
        let wide: Vec<u32> = self.wide.keys().copied().collect();
        write_numbers(to, &wide)?;
        for ids in self.wide.values() {
            write_numbers(to, ids.as_slice())?;
        }
        write_numbers(to, &self.open)?;
        let (late, ordinals): (Vec<i64>, Vec<u32>) = self.late().unzip();
        write_numbers(to, &late)?;
        write_numbers(to, &ordinals)?;
        write_numbers(to, &[self.open_start, self.highest.unwrap_or(i64::MIN)])
    }

    /// What [`Ordinals::save`] wrote, and nothing else: the file was checked before.
    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        let starts = read_numbers(from)?;
        let (bases, shifts): (Vec<i64>, Vec<u32>) = (read_numbers(from)?, read_numbers(from)?);
        let mut ordinals = Self {
            bases: bases
                .into_iter()
                .zip(shifts.into_iter().map(|shift| shift as u8))
                .collect(),
            starts,
            distances: read_numbers(from)?,
            ..Self::default()
        };
        for block in read_numbers::<u32>(from)? {
            let ids: [i64; BLOCK] = read_numbers(from)?
                .try_into()
                .map_err(|_| io::Error::other("a block that is not whole"))?;
            ordinals.wide.insert(block, Box::new(ids));
        }
        ordinals.open = read_numbers(from)?;
        let late: Vec<i64> = read_numbers(from)?;
        ordinals.late = late.into_iter().zip(read_numbers::<u32>(from)?).collect();
        let [open_start, highest] = read_numbers::<i64>(from)?[..] else {
            return Err(io::Error::other("ids that do not add up"));
        };
        ordinals.open_start = open_start;
        ordinals.highest = (ordinals.len() > 0).then_some(highest);
        let is_whole = ordinals.starts.len() == ordinals.bases.len()
            && ordinals.distances.len() == ordinals.bases.len() * BLOCK
            && ordinals.open.len() < BLOCK;
        is_whole
            .then_some(ordinals)
            .ok_or_else(|| io::Error::other("ids that do not add up"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids as they come: near each other, far apart, some late, some that one more instance gave.
    fn many() -> Vec<i64> {
        let mut ids: Vec<i64> = (0..1_000).map(|n| (1_000_000 << 22) + (n << 12)).collect();
        ids.extend((0..1_000).map(|n| (2_000_000 + n * 7_919) << 22));
        ids.extend((0..300).map(|n| (1_500_000 << 22) + n * 3));
        ids.extend((0..200).map(|n| (n * n * 90_000_000_000 + n) | (1 << 60)));
        ids.extend((0..70).map(|n| (3_000_000 << 22) - n * 5));
        ids.extend((0..100).map(|n| (1 << 62) + n));
        ids
    }

    #[test]
    fn every_id_has_a_number_and_every_number_its_id() {
        let ids = many();
        let mut ordinals = Ordinals::default();
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(ordinals.find(*id), None, "{id}");
            assert_eq!(ordinals.give(*id), place as u32);
            assert_eq!(ordinals.give(*id), place as u32, "given once");
        }
        assert!(!ordinals.wide.is_empty() && !ordinals.late.is_empty());
        let mut saved = Vec::new();
        ordinals.save(&mut saved).unwrap();
        let loaded = Ordinals::load(&mut saved.as_slice()).unwrap();
        for kept in [&ordinals, &loaded] {
            assert_eq!(kept.len() as usize, ids.len());
            assert_eq!(kept.ids(&(0..kept.len()).collect()), ids);
            for (place, id) in ids.iter().enumerate() {
                assert_eq!(kept.find(*id), Some(place as u32), "{id}");
                assert_eq!(kept.id(place as u32), *id);
                assert_eq!(kept.ids(&[place as u32].into()), [*id]);
                assert_eq!(
                    kept.find(id + 1),
                    ids.iter().position(|other| *other == id + 1).map(|n| n as u32)
                );
            }
        }
    }

    #[test]
    fn ids_near_each_other_take_four_bytes() {
        let mut ordinals = Ordinals::default();
        for n in 0..6_400i64 {
            ordinals.give((n * 60_000) << 22);
        }
        assert!(ordinals.wide.is_empty(), "a minute apart, from one instance");
        assert!(ordinals.late.is_empty());
    }
}
