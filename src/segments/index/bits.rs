//! A set of contact numbers. Numbers that share their high half are a block: of few the low halves in order, of many a bit
//! each. What an index holds it holds in one piece, as the snapshot does; a block that grew lies beside it until it is
//! put in.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::block::{Block, View, Words, join, lows, split, zeros};
use super::file::Source;
use super::sets::{Set, count, or};
use super::settled::{Removed, Settled};

/// So many blocks may lie beside the others, or a quarter of them.
const BESIDE: usize = 2;
/// So many numbers are put in or taken out one by one; with more the set is made anew.
const ONE_BY_ONE: usize = 4_096;

#[derive(Debug, Clone, Default)]
pub(super) struct Bits {
    settled: Settled,
    /// Blocks in place of settled ones. Some are of nobody.
    beside: BTreeMap<u16, Block>,
}

impl Bits {
    pub fn new() -> Self {
        Self::default()
    }

    /// The block with this number.
    pub fn block(&self, key: u16) -> Option<View<'_>> {
        if let Some(block) = self.beside.get(&key) {
            let view = block.view();
            return (view.len() > 0).then_some(view);
        }
        self.settled.block(key)
    }

    /// All blocks in order.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = (u16, View<'_>)> {
        let mut keys: Vec<u16> = self.settled.keys().collect();
        if !self.beside.is_empty() {
            keys.extend(self.beside.keys());
            keys.sort_unstable();
            keys.dedup();
        }
        keys.into_iter().filter_map(|key| Some((key, self.block(key)?)))
    }

    pub fn len(&self) -> u64 {
        self.blocks().map(|(_, block)| block.len() as u64).sum()
    }

    pub fn is_empty(&self) -> bool {
        // A settled block holds somebody, unless another lies in its place.
        if self.beside.is_empty() {
            return self.settled.is_empty();
        }
        self.beside.values().all(|block| block.view().len() == 0) && self.blocks().next().is_none()
    }

    pub fn contains(&self, number: u32) -> bool {
        let (key, low) = split(number);
        self.block(key).is_some_and(|block| block.contains(low))
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.blocks()
            .flat_map(|(key, block)| block.iter().map(move |low| join(key, low)))
    }

    fn most_blocks(&self) -> usize {
        self.settled.blocks() + self.beside.len()
    }

    fn last(&self) -> Option<u32> {
        let (key, block) = self.blocks().next_back()?;
        block.iter().last().map(|low| join(key, low))
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let beside = self.beside.values().map(|block| match block {
            Block::Few(list) => 64 + 2 * list.capacity(),
            Block::Many(..) => 64 + size_of::<Words>(),
        });
        self.settled.bytes() + beside.sum::<usize>()
    }

    pub fn insert(&mut self, number: u32) {
        let (key, low) = split(number);
        if let Some(block) = self.beside.get_mut(&key) {
            return block.insert(low);
        }
        if let Some(grown) = self.settled.insert(key, low) {
            self.put_beside(key, grown);
        }
    }

    /// Whether it was there.
    pub fn remove(&mut self, number: u32) -> bool {
        let (key, low) = split(number);
        if let Some(block) = self.beside.get_mut(&key) {
            return block.remove(low);
        }
        let removed = self.settled.remove(key, low);
        if removed == Removed::Last {
            self.put_beside(key, Block::Few(Vec::new()));
        }
        removed != Removed::Nobody
    }

    fn put_beside(&mut self, key: u16, block: Block) {
        self.beside.insert(key, block);
        if self.beside.len() > BESIDE.max(self.settled.blocks() / 4) {
            self.settle();
        }
    }

    /// Puts in what lies beside.
    pub fn settle(&mut self) {
        if !self.beside.is_empty() {
            *self = Self::of(&self.blocks().collect::<Vec<_>>());
        }
    }

    /// Of blocks in order, none of which is of nobody.
    fn of(blocks: &[(u16, View<'_>)]) -> Self {
        Self {
            settled: Settled::of(blocks),
            beside: BTreeMap::new(),
        }
    }

    pub fn union<'b>(of: impl IntoIterator<Item = &'b Self>) -> Self {
        let of: Vec<&Self> = of.into_iter().collect();
        if let [one] = of[..] {
            return one.clone();
        }
        let mut keys: Vec<u16> = of
            .iter()
            .flat_map(|bits| bits.blocks().map(|(key, _)| key))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let (mut all, mut words) = (Growing::default(), zeros());
        for key in keys {
            let mut blocks = of.iter().filter_map(|bits| bits.block(key));
            if let Some(first) = blocks.next() {
                first.copy_to(&mut words);
            }
            for block in blocks {
                or(&mut words, block);
            }
            all.push(key, &words);
        }
        all.done()
    }

    pub fn add_all(&mut self, others: &Self) {
        if others.len() > ONE_BY_ONE as u64 {
            *self = Self::union([&*self, others]);
        } else {
            others.iter().for_each(|number| self.insert(number));
        }
    }

    pub fn remove_all(&mut self, others: &Self) {
        let gone = self.common(others);
        if gone.len() > ONE_BY_ONE {
            *self = Set::Not(Box::new(Set::Bits(others))).of(self);
        } else {
            for number in gone {
                self.remove(number);
            }
        }
    }

    /// Numbers that are in both, in order.
    pub fn common(&self, other: &Self) -> Vec<u32> {
        let mut common = Vec::new();
        // A few are looked for in many, not the other way round.
        let (one, other) = match self.most_blocks() <= other.most_blocks() {
            true => (self, other),
            false => (other, self),
        };
        for (key, block) in one.blocks() {
            let Some(other) = other.block(key) else {
                continue;
            };
            let (small, large) = if block.len() <= other.len() {
                (block, other)
            } else {
                (other, block)
            };
            match (small, large) {
                (View::Many(one, _), View::Many(two, _)) => {
                    let both: Words = std::array::from_fn(|place| one[place] & two[place]);
                    common.extend(lows(&both).map(|low| join(key, low)));
                }
                _ => common.extend(
                    small
                        .iter()
                        .filter(|low| large.contains(*low))
                        .map(|low| join(key, low)),
                ),
            }
        }
        common
    }

    /// Numbers below `most` only.
    pub fn save(&self, to: &mut impl Write, most: u32) -> io::Result<()> {
        if self.last().is_some_and(|last| last >= most) {
            let below = self.iter().take_while(|number| *number < most);
            return below.collect::<Self>().save(to, most);
        }
        if !self.beside.is_empty() {
            return Self::of(&self.blocks().collect::<Vec<_>>()).save(to, most);
        }
        self.settled.save(to)
    }

    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        Ok(Self {
            settled: Settled::load(from)?,
            beside: BTreeMap::new(),
        })
    }
}

/// Blocks as they are worked out, in order.
#[derive(Default)]
pub(super) struct Growing(Vec<(u16, Block)>);

impl Growing {
    pub fn push(&mut self, key: u16, words: &Words) {
        let len = count(words);
        if len > 0 {
            self.0.push((key, View::Many(words, len).owned()));
        }
    }

    pub fn done(self) -> Bits {
        Bits::of(
            &self
                .0
                .iter()
                .map(|(key, block)| (*key, block.view()))
                .collect::<Vec<_>>(),
        )
    }
}

impl FromIterator<u32> for Bits {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut numbers: Vec<u32> = numbers.into_iter().collect();
        if !numbers.is_sorted() {
            numbers.sort_unstable();
        }
        numbers.dedup();
        let blocks = numbers.chunk_by(|one, next| one >> 16 == next >> 16);
        let lists = blocks.map(|block| {
            let lows: Vec<u16> = block.iter().map(|number| *number as u16).collect();
            ((block[0] >> 16) as u16, lows)
        });
        let lists: Vec<(u16, Vec<u16>)> = lists.collect();
        Self::of(
            &lists
                .iter()
                .map(|(key, list)| (*key, View::Few(list)))
                .collect::<Vec<_>>(),
        )
    }
}

impl<const N: usize> From<[u32; N]> for Bits {
    fn from(numbers: [u32; N]) -> Self {
        numbers.into_iter().collect()
    }
}

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// Numbers put in and taken out again: blocks of few, of many, of nobody, and such as became another kind.
    fn any(chance: &mut StdRng) -> (Bits, BTreeSet<u32>, u32) {
        let (mut bits, mut plain) = (Bits::new(), BTreeSet::new());
        let most = [900, 70_000, 300_000, 5_000_000][chance.random_range(0..4)];
        for step in 0..chance.random_range(1..12_000) {
            let near = if chance.random_bool(0.5) { 1 } else { 40 };
            let number = chance.random_range(0..most) / near;
            if chance.random_ratio(2, 3) {
                bits.insert(number);
                plain.insert(number);
            } else {
                assert_eq!(bits.remove(number), plain.remove(&number));
            }
            if step % 5_000 == 0 {
                bits.settle();
            }
        }
        // A whole block, and most of it taken out again where it lies.
        if chance.random_bool(0.3) {
            let whole = 65_536..131_072;
            bits.add_all(&whole.clone().collect());
            plain.extend(whole.clone());
            for gone in whole.filter(|number| number % 50 > 0) {
                assert_eq!(bits.remove(gone), plain.remove(&gone));
            }
        }
        (bits, plain, most)
    }

    #[test]
    fn numbers_are_held_as_a_set_of_them_whatever_was_put_in_and_taken_out() {
        let mut chance = StdRng::seed_from_u64(3);
        for _ in 0..12 {
            let ((one, in_one, most), (two, in_two, _)) = (any(&mut chance), any(&mut chance));
            assert!(one.iter().eq(in_one.iter().copied()));
            assert_eq!(
                (one.len(), one.is_empty()),
                (in_one.len() as u64, in_one.is_empty())
            );
            assert!((0..200).all(|number| one.contains(number) == in_one.contains(&number)));
            let both = in_one.intersection(&in_two).copied();
            assert!(one.common(&two).into_iter().eq(both));
            let (mut either, mut only) = (one.clone(), one.clone());
            either.add_all(&two);
            only.remove_all(&two);
            assert!(either.iter().eq(in_one.union(&in_two).copied()));
            assert!(only.iter().eq(in_one.difference(&in_two).copied()));
            assert!(one == in_one.iter().rev().copied().collect());

            let (mut saved, most) = (Vec::new(), chance.random_range(0..most));
            one.save(&mut saved, most).unwrap();
            let loaded = Bits::load(&mut saved.as_slice()).unwrap();
            assert!(
                loaded
                    .iter()
                    .eq(in_one.iter().copied().take_while(|number| *number < most))
            );
        }
    }

    #[test]
    fn what_cannot_be_bits_is_not_read_as_such() {
        let numbers: Bits = (0..70_000).chain(200_000..200_050).collect();
        let mut saved = Vec::new();
        numbers.save(&mut saved, u32::MAX).unwrap();
        assert!(Bits::load(&mut &saved[..saved.len() - 1]).is_err(), "cut");
        let mut chance = StdRng::seed_from_u64(8);
        for _ in 0..300 {
            let mut damaged = saved.clone();
            // The length, how many blocks there are, and where they lie.
            damaged[chance.random_range(0..36)] ^= 1 << chance.random_range(0..8);
            if let Ok(bits) = Bits::load(&mut damaged.as_slice()) {
                let _ = (bits.iter().count(), bits.len(), bits.contains(65_540));
            }
        }
    }
}
