//! One block of a set of contact numbers, those that share their high half: of few the low halves in order, of many a bit
//! each.

/// Bits of a block of many.
pub(super) type Words = [u64; 1_024];

/// A list of more takes more than a bit each.
pub(super) const FEW: usize = 4_096;

#[derive(Debug, Clone)]
pub(super) enum Block {
    Few(Vec<u16>),
    Many(usize, Box<Words>),
}

/// Who is in a block.
#[derive(Clone, Copy)]
pub(super) enum View<'b> {
    Few(&'b [u16]),
    /// And how many.
    Many(&'b Words, usize),
}

impl Block {
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Few(list) => View::Few(list),
            Self::Many(len, words) => View::Many(words, *len),
        }
    }

    pub fn insert(&mut self, low: u16) {
        match self {
            Self::Many(len, words) => *len += usize::from(set(words, low)),
            Self::Few(list) => {
                let place = match list.last() {
                    Some(last) if *last < low => Err(list.len()),
                    _ => list.binary_search(&low),
                };
                let Err(place) = place else { return };
                if list.len() < FEW {
                    list.insert(place, low);
                    return;
                }
                let mut words = View::Few(list).words();
                set(&mut words, low);
                *self = Self::Many(FEW + 1, words);
            }
        }
    }

    pub fn remove(&mut self, low: u16) -> bool {
        match self {
            Self::Many(len, words) => {
                let was_there = unset(words, low);
                *len -= usize::from(was_there);
                was_there
            }
            Self::Few(list) => {
                let place = list.binary_search(&low);
                place.map(|place| list.remove(place)).is_ok()
            }
        }
    }
}

pub(super) fn bit(low: u16) -> (usize, u64) {
    (usize::from(low >> 6), 1 << (low & 63))
}

/// Whether a number is in the bits of a block.
pub(super) fn holds(words: &Words, low: u16) -> bool {
    let (word, bit) = bit(low);
    words[word] & bit != 0
}

/// Whether it was not there.
fn set(words: &mut Words, low: u16) -> bool {
    let (word, bit) = bit(low);
    let is_new = words[word] & bit == 0;
    words[word] |= bit;
    is_new
}

/// Whether it was there.
fn unset(words: &mut Words, low: u16) -> bool {
    let (word, bit) = bit(low);
    let was_there = words[word] & bit != 0;
    words[word] &= !bit;
    was_there
}

pub(super) fn zeros() -> Box<Words> {
    Box::new([0; 1_024])
}

/// The numbers in the bits of a block, in order.
pub(super) fn lows(words: &Words) -> impl Iterator<Item = u16> + '_ {
    words
        .iter()
        .enumerate()
        .flat_map(|(place, word)| ones(*word).map(move |low| (place as u32 * 64 + low) as u16))
}

/// The places of the bits of a word, in order.
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let low = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (low < 64).then_some(low)
    })
}

impl<'b> View<'b> {
    pub fn len(self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(_, len) => len,
        }
    }

    pub fn contains(self, low: u16) -> bool {
        match self {
            Self::Few(list) => list.binary_search(&low).is_ok(),
            Self::Many(words, _) => holds(words, low),
        }
    }

    pub fn iter(self) -> impl Iterator<Item = u16> + 'b {
        let (list, words) = match self {
            Self::Few(list) => (list, None),
            Self::Many(words, _) => (&[][..], Some(words)),
        };
        list.iter().copied().chain(words.into_iter().flat_map(lows))
    }

    fn words(self) -> Box<Words> {
        let mut words = zeros();
        self.copy_to(&mut words);
        words
    }

    pub fn copy_to(self, words: &mut Words) {
        match self {
            Self::Many(from, _) => *words = *from,
            Self::Few(list) => {
                words.fill(0);
                for low in list {
                    set(words, *low);
                }
            }
        }
    }

    pub fn owned(self) -> Block {
        match self {
            Self::Few(list) => Block::Few(list.to_vec()),
            Self::Many(words, len) if len > FEW => Block::Many(len, Box::new(*words)),
            Self::Many(words, _) => Block::Few(lows(words).collect()),
        }
    }
}

pub(super) fn split(number: u32) -> (u16, u16) {
    ((number >> 16) as u16, number as u16)
}

pub(super) fn join(key: u16, low: u16) -> u32 {
    u32::from(key) << 16 | u32::from(low)
}
