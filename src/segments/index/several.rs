//! What each follow says of people whom several follow. Of everybody else the bitmaps say it; of these they only say that
//! some follow does. A few bytes a follow, packed in blocks of contacts whose numbers are near each other.

use std::collections::HashMap;
use std::io::{self, Write};
use std::ops::Range;

use super::bits::Bits;
use super::file::{Source, read_numbers, read_u32, write_numbers};
use super::leaf::OneFollow;

/// In 2024: days of twenty years before and after it take two bytes.
const NEAR_DAY: i32 = 20_000;
/// Contacts of a block: so many are packed anew when one of them changes.
const TOGETHER: u32 = 256;
/// Blocks that lie in one piece: what lies behind a block that changes is moved.
const BLOCKS: usize = 64;

/// What a follow says; the associate by place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub associate: u32,
    pub store: Option<i64>,
    /// Added on.
    pub day: i32,
    pub tags: Vec<i64>,
}

/// Ids, and the small numbers that stand for them.
#[derive(Default)]
struct Places {
    ids: Vec<i64>,
    places: HashMap<i64, u32>,
}

impl Places {
    fn of(ids: Vec<i64>) -> Self {
        let places = ids.iter().zip(0..).map(|(id, place)| (*id, place));
        Self {
            places: places.collect(),
            ids,
        }
    }

    fn give(&mut self, id: i64) -> u32 {
        *self.places.entry(id).or_insert_with(|| {
            self.ids.push(id);
            self.ids.len() as u32 - 1
        })
    }

    fn find(&self, id: i64) -> Option<u32> {
        self.places.get(&id).copied()
    }
}

#[derive(Default)]
pub(super) struct Several {
    who: Bits,
    stores: Places,
    tags: Places,
    /// One packed follow after the other, all of a block together.
    pieces: Vec<Piece>,
}

/// Blocks in one piece of memory: one each would take longer to load and more to hold.
struct Piece {
    /// Where each block ends.
    ends: [u32; BLOCKS],
    bytes: Vec<u8>,
}

impl Piece {
    fn new() -> Self {
        Self {
            ends: [0; BLOCKS],
            bytes: Vec::new(),
        }
    }

    fn place(&self, block: usize) -> Range<usize> {
        let begin = if block == 0 { 0 } else { self.ends[block - 1] };
        begin as usize..self.ends[block] as usize
    }

    fn block(&self, block: usize) -> &[u8] {
        &self.bytes[self.place(block)]
    }

    /// Puts these bytes in place of some of a block's.
    fn replace(&mut self, block: usize, place: Range<usize>, bytes: &[u8]) {
        let (gone, come) = (place.len() as u32, bytes.len() as u32);
        self.bytes.splice(place, bytes.iter().copied());
        self.ends[block..]
            .iter_mut()
            .for_each(|end| *end = *end - gone + come);
    }

    fn load(from: &mut impl Source) -> io::Result<Self> {
        let (ends, bytes): (Vec<u32>, Vec<u8>) = (read_numbers(from)?, read_numbers(from)?);
        let ends = <[u32; BLOCKS]>::try_from(ends).ok();
        let fits = |ends: &[u32; BLOCKS]| ends.is_sorted() && ends[BLOCKS - 1] as usize == bytes.len();
        match ends.filter(fits) {
            Some(ends) => Ok(Self { ends, bytes }),
            None => Err(io::Error::other("follows that do not add up")),
        }
    }
}

/// In which piece a contact's block lies, and the how manieth there it is.
fn whereabouts(contact: u32) -> (usize, usize) {
    let block = (contact / TOGETHER) as usize;
    (block / BLOCKS, block % BLOCKS)
}

/// A packed follow: the contact's place in its block, how many bytes there are of the rest, and the rest: the store or 0,
/// the associate, the day, the tags. What is asked of most follows stands first.
struct Packed<'b> {
    contact: u32,
    rest: &'b [u8],
    /// All of it.
    bytes: &'b [u8],
}

fn push(to: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn next(from: &mut &[u8]) -> Option<u32> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
}

fn unpack<'b>(block: u32, from: &mut &'b [u8]) -> Option<Packed<'b>> {
    let whole = *from;
    let (place, rest) = from.split_first()?;
    *from = rest;
    let len = next(from)? as usize;
    let (rest, others) = from.split_at_checked(len)?;
    *from = others;
    Some(Packed {
        contact: block * TOGETHER + u32::from(*place),
        rest,
        bytes: &whole[..whole.len() - others.len()],
    })
}

fn follows(block: u32, bytes: &[u8]) -> impl Iterator<Item = Packed<'_>> {
    let mut left = bytes;
    std::iter::from_fn(move || unpack(block, &mut left))
}

impl Several {
    pub fn who(&self) -> &Bits {
        &self.who
    }

    /// Adds a follow of somebody whom several follow.
    pub fn add(&mut self, contact: u32, said: &Said) {
        self.who.insert(contact);
        let mut rest = Vec::with_capacity(12 + said.tags.len());
        push(
            &mut rest,
            said.store.map_or(0, |store| self.stores.give(store) + 1),
        );
        push(&mut rest, said.associate);
        // The sign is the lowest bit, so that days near this one are short on either side of it.
        let day = said.day.wrapping_sub(NEAR_DAY);
        push(&mut rest, (day << 1) as u32 ^ (day >> 31) as u32);
        for tag in &said.tags {
            push(&mut rest, self.tags.give(*tag));
        }
        let mut packed = Vec::with_capacity(3 + rest.len());
        packed.push((contact % TOGETHER) as u8);
        push(&mut packed, rest.len() as u32);
        packed.extend_from_slice(&rest);
        let (piece, block) = whereabouts(contact);
        if self.pieces.len() <= piece {
            self.pieces.resize_with(piece + 1, Piece::new);
        }
        let piece = &mut self.pieces[piece];
        let end = piece.place(block).end;
        piece.replace(block, end..end, &packed);
    }

    pub fn forget(&mut self, contact: u32) {
        if !self.who.remove(contact) {
            return;
        }
        let (piece, block) = whereabouts(contact);
        if let Some(piece) = self.pieces.get_mut(piece) {
            let others = follows(contact / TOGETHER, piece.block(block));
            let others = others.filter(|follow| follow.contact != contact);
            let others: Vec<u8> = others.flat_map(|follow| follow.bytes).copied().collect();
            piece.replace(block, piece.place(block), &others);
        }
    }

    /// All follows, those of a contact together.
    fn follows(&self) -> impl Iterator<Item = Packed<'_>> {
        let blocks = self
            .pieces
            .iter()
            .flat_map(|piece| (0..BLOCKS).map(|block| piece.block(block)));
        (0..)
            .zip(blocks)
            .flat_map(|(number, bytes)| follows(number, bytes))
    }

    /// Whom of them somebody follows who says all that is asked.
    pub fn holding(&self, test: &Test) -> Bits {
        self.follows()
            .filter(|follow| test.passes(follow))
            .map(|follow| follow.contact)
            .collect()
    }

    pub fn holds(&self, test: &Test, contact: u32) -> bool {
        let (piece, block) = whereabouts(contact);
        self.who.contains(contact)
            && self.pieces.get(piece).is_some_and(|piece| {
                let mut follows = follows(contact / TOGETHER, piece.block(block));
                follows.any(|follow| follow.contact == contact && test.passes(&follow))
            })
    }

    /// What is asked, as it is tested: the associate is told by place. `None`: it names what no follow says.
    pub fn test(&self, one: &OneFollow, associate: Option<u32>) -> Option<Test> {
        let named = |places: &Places, id: Option<i64>| match id {
            Some(id) => places.find(id).map(Some),
            None => Some(None),
        };
        let within = one.within.as_ref().map(|stores| {
            let mut within = vec![false; self.stores.ids.len() + 1];
            for store in stores.iter().filter_map(|store| self.stores.find(*store)) {
                within[store as usize + 1] = true;
            }
            within
        });
        Some(Test {
            within,
            store: named(&self.stores, one.store)?.map(|store| store + 1),
            associate,
            tag: named(&self.tags, one.tag)?,
            added: one.added,
        })
    }

    /// Gives back what was set aside while it grew.
    pub fn settle(&mut self) {
        self.who.settle();
        self.pieces
            .iter_mut()
            .for_each(|piece| piece.bytes.shrink_to_fit());
    }

    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Gives back what a piece set aside while it grew.
    pub fn settle_piece(&mut self, piece: usize) {
        self.pieces[piece].bytes.shrink_to_fit();
    }

    /// Writes what a piece says of these people.
    pub fn save_piece(&self, to: &mut impl Write, piece: usize, who: &Bits) -> io::Result<()> {
        let mut kept = Piece::new();
        for block in 0..BLOCKS {
            let number = (piece * BLOCKS + block) as u32;
            for follow in follows(number, self.pieces[piece].block(block)) {
                if who.contains(follow.contact) {
                    kept.bytes.extend_from_slice(follow.bytes);
                }
            }
            kept.ends[block] = kept.bytes.len() as u32;
        }
        write_numbers(to, &kept.ends)?;
        write_numbers(to, &kept.bytes)
    }

    /// Writes what the numbers in the pieces stand for: after the pieces, so that none is missing.
    pub fn save_names(&self, to: &mut impl Write) -> io::Result<()> {
        write_numbers(to, &self.stores.ids)?;
        write_numbers(to, &self.tags.ids)
    }

    pub fn load(from: &mut impl Source) -> io::Result<Self> {
        let mut several = Self {
            who: Bits::load(from)?,
            ..Self::default()
        };
        for _ in 0..read_u32(from)? {
            several.pieces.push(Piece::load(from)?);
        }
        several.stores = Places::of(read_numbers(from)?);
        several.tags = Places::of(read_numbers(from)?);
        Ok(several)
    }
}

/// What is asked of one and the same follow, in the numbers of packed ones.
pub(super) struct Test {
    within: Option<Vec<bool>>,
    store: Option<u32>,
    associate: Option<u32>,
    tag: Option<u32>,
    added: Option<(i32, i32)>,
}

impl Test {
    fn passes(&self, follow: &Packed<'_>) -> bool {
        self.says(follow.rest).unwrap_or(false)
    }

    fn says(&self, mut rest: &[u8]) -> Option<bool> {
        let store = next(&mut rest)?;
        let is_in = |within: &Vec<bool>| within.get(store as usize) == Some(&true);
        if !self.within.as_ref().is_none_or(is_in) || self.store.is_some_and(|asked| asked != store) {
            return Some(false);
        }
        let associate = next(&mut rest)?;
        if self.associate.is_some_and(|asked| asked != associate) {
            return Some(false);
        }
        let day = next(&mut rest)?;
        let day = ((day >> 1) as i32 ^ -((day & 1) as i32)).wrapping_add(NEAR_DAY);
        let is_then = |(first, last): (i32, i32)| (first..=last).contains(&day);
        if !self.added.is_none_or(is_then) {
            return Some(false);
        }
        let mut tags = std::iter::from_fn(|| next(&mut rest));
        Some(self.tag.is_none_or(|asked| tags.any(|tag| tag == asked)))
    }
}

#[cfg(test)]
impl Several {
    /// As a snapshot holds it.
    pub fn saved(&self, most: u32) -> Vec<u8> {
        let mut saved = Vec::new();
        self.who().save(&mut saved, most).unwrap();
        let who = Bits::load(&mut saved.as_slice()).unwrap();
        super::file::write_u32(&mut saved, self.pieces() as u32).unwrap();
        for piece in 0..self.pieces() {
            self.save_piece(&mut saved, piece, &who).unwrap();
        }
        self.save_names(&mut saved).unwrap();
        saved
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    /// So far apart they lie in several pieces.
    const APART: u32 = 61;

    fn any_said(chance: &mut StdRng) -> Said {
        let store = chance.random_range(0..4);
        Said {
            associate: chance.random_range(0..40_000),
            store: (store > 0).then_some(700 + store),
            day: chance.random_range(-3..21_000),
            tags: (0..300).filter(|_| chance.random_ratio(1, 60)).collect(),
        }
    }

    #[test]
    fn whoever_is_asked_for_is_found_whatever_came_before() {
        let mut chance = StdRng::seed_from_u64(5);
        let (mut several, mut plain): (_, BTreeMap<u32, Vec<Said>>) = (Several::default(), BTreeMap::new());
        for _ in 0..3_000 {
            let contact = APART * chance.random_range(0..900);
            several.forget(contact);
            plain.remove(&contact);
            let follows = chance.random_range(0..4);
            for _ in 0..follows {
                let said = any_said(&mut chance);
                several.add(contact, &said);
                plain.entry(contact).or_default().push(said);
            }
        }
        let loaded = Several::load(&mut several.saved(APART * 700).as_slice()).unwrap();
        let mut found_any = 0;
        for turn in 0..60 {
            let like = any_said(&mut chance);
            let days = (like.day - 4_000, like.day + 4_000);
            let asked = OneFollow {
                within: (turn % 3 == 0).then(|| vec![701, 999, 703]),
                store: like.store.filter(|_| turn % 4 == 1),
                associate: None,
                tag: like.tags.first().copied().filter(|_| turn % 2 == 0),
                added: (turn % 5 != 0).then_some(days),
            };
            let passes = |said: &Said| {
                let within = asked.within.as_ref();
                within.is_none_or(|within| said.store.is_some_and(|store| within.contains(&store)))
                    && asked.store.is_none_or(|store| said.store == Some(store))
                    && asked.tag.is_none_or(|tag| said.tags.contains(&tag))
                    && asked
                        .added
                        .is_none_or(|(first, last)| first <= said.day && said.day <= last)
            };
            for (kept, most) in [(&several, APART * 900), (&loaded, APART * 700)] {
                let people = plain.iter().filter(|(contact, _)| **contact < most);
                let expected = people.filter(|(_, follows)| follows.iter().any(passes));
                let expected: Vec<u32> = expected.map(|(contact, _)| *contact).collect();
                let test = kept.test(&asked, None);
                let found = test.as_ref().map_or_else(Bits::new, |test| kept.holding(test));
                assert_eq!(found.iter().collect::<Vec<_>>(), expected);
                let holds = |contact| test.as_ref().is_some_and(|test| kept.holds(test, contact));
                let mut near = (0..900).flat_map(|contact| [APART * contact, APART * contact + 1]);
                assert!(near.all(|contact| holds(contact) == expected.contains(&contact)));
                found_any += expected.len();
            }
        }
        assert!(found_any > 300, "{found_any}");
        let (contact, follows) = plain.first_key_value().unwrap();
        let anything = OneFollow::default();
        let whose = several.test(&anything, Some(follows[0].associate)).unwrap();
        assert!(several.holding(&whose).contains(*contact));
        let of_nobody = OneFollow {
            tag: Some(12_345),
            ..OneFollow::default()
        };
        assert!(several.test(&of_nobody, None).is_none());
        assert_eq!(
            several.who().iter().collect::<Vec<_>>(),
            plain.keys().copied().collect::<Vec<_>>()
        );
    }
}
