//! What people are called, by anybody: the text a name is searched in, a line a contact.

use std::collections::BTreeMap;

use memchr::memmem::Finder;
use memchr::{Memchr, memchr};
use roaring::RoaringBitmap;

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

impl Names {
    pub fn put(&mut self, lines: BTreeMap<u32, String>) {
        let mut lines = lines.into_iter().peekable();
        while let Some((contact, _)) = lines.peek() {
            let block = contact / TOGETHER;
            let mut there: Vec<String> = match self.blocks.get(block as usize) {
                Some(held) => texts(held),
                None => Vec::new(),
            };
            while let Some((contact, text)) = lines.next_if(|(contact, _)| contact / TOGETHER == block) {
                let place = (contact % TOGETHER) as usize;
                if there.len() <= place {
                    there.resize(place + 1, String::new());
                }
                there[place] = text;
            }
            let mut held = Vec::with_capacity(there.iter().map(|text| text.len() + 1).sum());
            for text in there {
                held.extend_from_slice(text.as_bytes());
                held.push(END);
            }
            if self.blocks.len() <= block as usize {
                self.blocks.resize_with(block as usize + 1, Box::default);
            }
            self.blocks[block as usize] = held.into();
        }
    }

    /// Contacts whose name or remark holds this part; and of these the ones of whom only a remark does.
    pub fn find(&self, part: &str) -> (RoaringBitmap, RoaringBitmap) {
        let finder = Finder::new(part.as_bytes());
        let (mut found, mut by_remark) = (Vec::new(), Vec::new());
        for (block, held) in self.blocks.iter().enumerate() {
            // The line with which the search goes on, and whose it is.
            let (mut line, mut number) = (0, block as u32 * TOGETHER);
            while let Some(at) = finder.find(&held[line..]).map(|at| line + at) {
                let from = line;
                for end in Memchr::new(END, &held[from..at]) {
                    line = from + end + 1;
                    number += 1;
                }
                found.push(number);
                if memchr(NEXT as u8, &held[line..at]).is_some() {
                    by_remark.push(number);
                }
                // One place in a line is enough.
                let Some(end) = memchr(END, &held[at..]) else {
                    break;
                };
                line = at + end + 1;
                number += 1;
            }
        }
        (found.into_iter().collect(), by_remark.into_iter().collect())
    }

    pub fn bytes(&self) -> u64 {
        self.blocks.iter().map(|held| held.len() as u64).sum()
    }
}

fn texts(held: &[u8]) -> Vec<String> {
    let lines = held.split_inclusive(|byte| *byte == END);
    lines
        .map(|line| String::from_utf8_lossy(&line[..line.len() - 1]).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
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
        let of = |rest: u32| (0..5_000).filter(|n| n % 3 == rest).collect::<RoaringBitmap>();
        assert_eq!(find(&names, "莉 l"), of(0));
        assert_eq!(find(&names, "姐"), of(0));
        assert_eq!(find(&names, "li na"), of(1));
        assert_eq!(find(&names, "li"), of(0) | of(1));
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
}
