//! What people are called, by anybody: the text a name is searched in, a line a contact. It is held as GB 18030, in which
//! most of it takes a third less than in UTF-8. Some letters for private use have no bytes of their own there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::GB18030;
use memchr::memmem::Finder;
use memchr::{Memchr, memchr};

use super::bits::Bits;

/// Contacts whose lines lie together: so many are written anew when one changes.
const TOGETHER: u32 = 1_024;
const END: u8 = b'\n';
/// Between a name and the remarks.
const NEXT: char = '\u{1f}';

/// By contact number: name and remarks, folded. As the databases do, only the letters A to Z fold.
#[derive(Default)]
pub(super) struct Names {
    blocks: Vec<Box<[u8]>>,
}

/// A contact's line.
pub(super) fn line<'t>(name: &'t str, remarks: impl IntoIterator<Item = &'t str>) -> String {
    let mut line = one(name);
    for remark in remarks {
        let remark = one(remark);
        if !remark.is_empty() && !line.split(NEXT).any(|said| said.contains(&remark)) {
            line.push(NEXT);
            line.push_str(&remark);
        }
    }
    line
}

fn one(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.map(|c| c.to_ascii_lowercase()).collect()
}

/// A part of a name as it is looked for; `None`: no line can hold it.
pub(super) fn wanted(part: &str) -> Option<String> {
    (!part.contains(char::is_control)).then(|| one(part))
}

fn encoded(text: &str) -> Cow<'_, [u8]> {
    GB18030.encode(text).0
}

/// Whether a character begins at this place of a line: the end of one and the beginning of the next may read like
/// another.
fn is_between(line: &[u8], at: usize) -> bool {
    let mut reached = 0;
    while reached < at {
        reached += match line[reached..] {
            [..=0x80, ..] => 1,
            [_, b'0'..=b'9', ..] => 4,
            _ => 2,
        };
    }
    reached == at
}

impl Names {
    pub fn put(&mut self, lines: BTreeMap<u32, String>) {
        let mut lines = lines.into_iter().peekable();
        while let Some((contact, _)) = lines.peek() {
            let block = contact / TOGETHER;
            let held = self.blocks.get(block as usize).map_or(&[][..], |held| held);
            let ended = held.split_inclusive(|byte| *byte == END);
            let mut there: Vec<Cow<'_, [u8]>> = ended.map(|line| line[..line.len() - 1].into()).collect();
            while let Some((contact, text)) = lines.next_if(|(contact, _)| contact / TOGETHER == block) {
                let place = (contact % TOGETHER) as usize;
                if there.len() <= place {
                    there.resize(place + 1, Cow::default());
                }
                there[place] = encoded(&text).into_owned().into();
            }
            let mut held = Vec::with_capacity(there.iter().map(|text| text.len() + 1).sum());
            for text in &there {
                held.extend_from_slice(text);
                held.push(END);
            }
            if self.blocks.len() <= block as usize {
                self.blocks.resize_with(block as usize + 1, Box::default);
            }
            self.blocks[block as usize] = held.into();
        }
    }

    /// Contacts whose name or remark holds this part; and of these the ones of whom only a remark does.
    pub fn find(&self, part: &str) -> (Bits, Bits) {
        let part = encoded(part);
        let finder = Finder::new(&part);
        let (mut found, mut by_remark) = (Vec::new(), Vec::new());
        for (block, held) in self.blocks.iter().enumerate() {
            // The line that was reached, whose it is, and where the search goes on.
            let (mut line, mut number, mut from) = (0, block as u32 * TOGETHER, 0);
            while let Some(at) = finder.find(&held[from..]).map(|at| from + at) {
                for end in Memchr::new(END, &held[from..at]) {
                    line = from + end + 1;
                    number += 1;
                }
                from = at + 1;
                if !is_between(&held[line..], at - line) {
                    continue;
                }
                found.push(number);
                if memchr(NEXT as u8, &held[line..at]).is_some() {
                    by_remark.push(number);
                }
                // One place in a line is enough.
                let Some(end) = memchr(END, &held[at..]) else {
                    break;
                };
                from = at + end + 1;
                line = from;
                number += 1;
            }
        }
        (found.into_iter().collect(), by_remark.into_iter().collect())
    }

    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|held| held.len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    #[test]
    fn parts_are_found_wherever_they_stand_and_whatever_was_there_before() {
        let mut names = Names::default();
        let called = |n: u32| match n % 3 {
            0 => line("王莉 Lily", ["王姐", "王莉"]),
            1 => line("li\nna", [""]),
            _ => String::new(),
        };
        names.put(
            (0..5_000)
                .filter(|n| n % 2 == 0)
                .map(|n| (n, called(n)))
                .collect(),
        );
        names.put(
            (0..5_000)
                .filter(|n| n % 2 == 1)
                .map(|n| (n, called(n)))
                .collect(),
        );
        let find = |names: &Names, part| names.find(part).0;
        let of = |rest: u32| (0..5_000).filter(|n| n % 3 == rest).collect::<Bits>();
        assert_eq!(find(&names, "莉 l"), of(0));
        assert_eq!(find(&names, "姐"), of(0));
        assert_eq!(find(&names, "li na"), of(1));
        assert_eq!(find(&names, "li"), Bits::union([&of(0), &of(1)]));
        assert_eq!(names.find("姐").1, of(0), "a remark alone");
        assert!(names.find("莉").1.is_empty(), "the name too");
        assert!(find(&names, "莉姐").is_empty(), "not across a name and a remark");
        assert!(find(&names, "莉王").is_empty());
        assert_eq!(wanted("Li"), Some("li".to_owned()));
        assert_eq!(wanted("l\ni"), None);

        names.put(BTreeMap::from([(3, line("赵", [])), (7_000, line("钱莉", []))]));
        let mut now = of(0);
        now.remove(3);
        now.insert(7_000);
        assert_eq!(find(&names, "莉"), now);
        assert_eq!(find(&names, "赵").iter().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn the_halves_of_two_characters_are_not_a_third() {
        // Among them letters that look like the second half of a character, and characters of four bytes.
        let letters: Vec<char> = "丂丄亹狦王莉姐陈晨abyzAZ~@09 é😀𠮷㐀".chars().collect();
        let mut chance = StdRng::seed_from_u64(4);
        let mut any = |most: usize| -> String {
            let length = chance.random_range(1..=most);
            (0..length)
                .map(|_| letters[chance.random_range(0..letters.len())])
                .collect()
        };
        let called: Vec<String> = (0..6_000).map(|_| line(&any(6), [any(3).as_str()])).collect();
        let mut names = Names::default();
        names.put((0..).zip(called.iter().cloned()).collect());
        let mut found_any = 0;
        for _ in 0..500 {
            let part = wanted(&any(2)).unwrap();
            let expected = (0..).zip(&called).filter(|(_, line)| line.contains(&part));
            let expected: Vec<u32> = expected.map(|(number, _)| number).collect();
            assert_eq!(names.find(&part).0.iter().collect::<Vec<_>>(), expected, "{part}");
            found_any += expected.len();
        }
        assert!(found_any > 10_000, "{found_any}");
    }
}
