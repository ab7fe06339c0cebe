//! The number of each contact in the bitmaps, and back. Numbers are given in the order of the ids as far as these
//! come in order; sixty-four ids share a base, so that each takes two bytes or four, and not eight.

use std::collections::HashMap;
use std::io::{self, Write};

use super::bits::Bits;
use super::block::{View, Words, join, ones};
use super::file::{Source, read_numbers, write_numbers};

const BLOCK: usize = 64;

/// What the ids of a block count from, by how many bits their distances were shortened, and where these are: in which list, and
/// from which place on.
#[derive(Clone, Copy)]
struct Base {
    id: i64,
    from: u32,
    shift: u16,
    list: u16,
}

const NEAR: u16 = 0;
const FAR: u16 = 1;
/// Ids too far apart for either are kept whole.
const WIDE: u16 = 2;

#[derive(Default)]
pub(super) struct Ordinals {
    /// By block: the lowest id a number of its own order stands for; never less than that of the block before.
    starts: Vec<i64>,
    bases: Vec<Base>,
    near: Vec<u16>,
    far: Vec<u32>,
    wide: Vec<i64>,
    /// Ids of the block that is not full yet.
    open: Vec<i64>,
    open_start: i64,
    /// Ids that came after a higher one.
    late: HashMap<i64, u32>,
    highest: Option<i64>,
}

impl Base {
    /// The id so far from it.
    fn far(self, distance: u64) -> i64 {
        self.id.wrapping_add((distance << self.shift) as i64)
    }
}

/// Puts the members of a block at the end; answers where they begin. Not twice as much is set aside for a few more.
fn grown<T>(list: &mut Vec<T>, block: impl Iterator<Item = T>) -> u32 {
    if list.len() == list.capacity() && !list.is_empty() {
        list.reserve_exact(BLOCK * 1_024);
    }
    let from = list.len() as u32;
    list.extend(block);
    from
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
        let short = self.open.iter().map(|id| (id - base) as u64 >> shift);
        let (list, from) = match apart >> shift {
            0..=0xffff => (NEAR, grown(&mut self.near, short.map(|distance| distance as u16))),
            0x1_0000..=0xffff_ffff => (FAR, grown(&mut self.far, short.map(|distance| distance as u32))),
            _ => (WIDE, grown(&mut self.wide, self.open.iter().copied())),
        };
        self.bases.push(Base {
            id: base,
            from,
            shift: shift as u16,
            list,
        });
        self.starts.push(self.open_start);
        self.open.clear();
    }

    pub fn id(&self, ordinal: u32) -> i64 {
        let (block, place) = (ordinal as usize / BLOCK, ordinal as usize % BLOCK);
        let Some(base) = self.bases.get(block) else {
            return self.open[place];
        };
        let at = base.from as usize + place;
        match base.list {
            NEAR => base.far(self.near[at].into()),
            FAR => base.far(self.far[at].into()),
            _ => self.wide[at],
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
            let first = join(key, (place * BLOCK) as u16);
            let lows = ones(*word);
            let Some(base) = self.bases.get(first as usize / BLOCK) else {
                into.extend(lows.map(|low| self.id(first + low)));
                continue;
            };
            let from = base.from as usize;
            match base.list {
                NEAR => {
                    let near = &self.near[from..from + BLOCK];
                    into.extend(lows.map(|low| base.far(near[low as usize].into())));
                }
                FAR => {
                    let far = &self.far[from..from + BLOCK];
                    into.extend(lows.map(|low| base.far(far[low as usize].into())));
                }
                _ => into.extend(lows.map(|low| self.wide[from + low as usize])),
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

    fn are_there(&self, base: &Base) -> bool {
        let held = match base.list {
            NEAR => self.near.len(),
            FAR => self.far.len(),
            _ => self.wide.len(),
        };
        base.from as usize + BLOCK <= held && base.shift < 64
    }

    pub fn save(&self, to: &mut impl Write) -> io::Result<()> {
        write_numbers(to, &self.starts)?;
        let ids: Vec<i64> = self.bases.iter().map(|base| base.id).collect();
        let from: Vec<u32> = self.bases.iter().map(|base| base.from).collect();
        let how: Vec<[u16; 2]> = self.bases.iter().map(|base| [base.shift, base.list]).collect();
        write_numbers(to, &ids)?;
        write_numbers(to, &from)?;
        write_numbers(to, &how)?;
        write_numbers(to, &self.near)?;
        write_numbers(to, &self.far)?;
        write_numbers(to, &self.wide)?;
        write_numbers(to, &self.open)?;
        let (late, ordinals): (Vec<i64>, Vec<u32>) = self.late().unzip();
        write_numbers(to, &late)?;
        write_numbers(to, &ordinals)?;
        write_numbers(to, &[self.open_start, self.highest.unwrap_or(i64::MIN)])
    }

    /// What [`Ordinals::save`] wrote; damage shows afterwards.
    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        let starts = read_numbers(from)?;
        let (ids, begin): (Vec<i64>, Vec<u32>) = (read_numbers(from)?, read_numbers(from)?);
        let how: Vec<[u16; 2]> = read_numbers(from)?;
        let bases = ids.into_iter().zip(begin).zip(how);
        let bases = bases.map(|((id, from), [shift, list])| Base {
            id,
            from,
            shift,
            list,
        });
        let mut ordinals = Self {
            starts,
            bases: bases.collect(),
            near: read_numbers(from)?,
            far: read_numbers(from)?,
            wide: read_numbers(from)?,
            ..Self::default()
        };
        ordinals.open = read_numbers(from)?;
        let late: Vec<i64> = read_numbers(from)?;
        ordinals.late = late.into_iter().zip(read_numbers::<u32>(from)?).collect();
        let [open_start, highest] = read_numbers::<i64>(from)?[..] else {
            return Err(io::Error::other("ids that do not add up"));
        };
        ordinals.open_start = open_start;
        ordinals.highest = (ordinals.len() > 0).then_some(highest);
        let is_whole = ordinals.starts.len() == ordinals.bases.len()
            && ordinals.bases.iter().all(|base| ordinals.are_there(base))
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
        assert!(!ordinals.near.is_empty() && !ordinals.far.is_empty());
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
    fn ids_near_each_other_take_two_bytes() {
        let mut ordinals = Ordinals::default();
        for n in 0..6_400i64 {
            ordinals.give((n * 1_000) << 22);
        }
        assert!(
            ordinals.wide.is_empty() && ordinals.far.is_empty(),
            "a second apart, from one instance"
        );
        assert!(ordinals.late.is_empty());
    }
}
