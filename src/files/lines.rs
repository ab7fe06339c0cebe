//! Text that comes bit by bit as lines with their numbers, and lines as cells.

use super::cells::defused;
use crate::error::{Error, Result, said};

/// Bytes of one line.
const MAX_LINE: usize = 64 * 1024;

/// The lines of a text, counted from 1.
#[derive(Default)]
pub(super) struct Lines {
    rest: String,
    /// Where in `rest` the next line begins.
    start: usize,
    number: i64,
}

impl Lines {
    pub fn push(&mut self, text: &str) {
        self.rest.drain(..self.start);
        self.start = 0;
        self.rest.push_str(text);
    }

    /// The next whole line, without its end.
    ///
    /// # Errors
    /// `Invalid` for a line that is too long to be one.
    pub fn next(&mut self) -> Result<Option<(i64, String)>> {
        let left = &self.rest[self.start..];
        let Some(length) = left.find('\n') else {
            return if left.len() > MAX_LINE {
                Err(too_long(self.number + 1))
            } else {
                Ok(None)
            };
        };
        if length > MAX_LINE {
            return Err(too_long(self.number + 1));
        }
        let line = left[..length].trim_end_matches('\r').to_owned();
        self.start += length + 1;
        self.number += 1;
        Ok(Some((self.number, line)))
    }

    /// What is left when no more text comes.
    pub fn last(self) -> Option<(i64, String)> {
        let line = self.rest[self.start..].trim_end_matches('\r');
        (!line.is_empty()).then(|| (self.number + 1, line.to_owned()))
    }
}

fn too_long(line: i64) -> Error {
    Error::invalid(
        format!("/rows/{line}"),
        said!(
            "refused-import-line",
            "it is longer than {most} KB",
            most = MAX_LINE / 1024
        ),
    )
}

/// The cells of each line; `None` for one with an open quote, which would swallow the lines after it.
pub(super) fn cells(lines: &[(i64, String)], is_tabbed: bool) -> Vec<Option<Vec<String>>> {
    let joined: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
    let together = records(&joined.join("\n"), is_tabbed);
    let is_even = together.len() == lines.len() && !together.iter().flatten().any(|cell| cell.contains('\n'));
    if is_even {
        return together.into_iter().map(Some).collect();
    }
    let alone = |line: &str| {
        // An open quote takes the mark behind it in.
        let mut read = records(&format!("{line}\n{MARK}"), is_tabbed);
        (read.len() == 2 && read[1] == [MARK]).then(|| read.swap_remove(0))
    };
    joined.into_iter().map(alone).collect()
}

const MARK: &str = "end";

fn records(text: &str, is_tabbed: bool) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if is_tabbed { b'\t' } else { b',' })
        .from_reader(text.as_bytes());
    // A text in memory that is UTF-8 and may have rows of any width cannot fail to read.
    let records = reader.records().filter_map(Result::ok);
    records.map(|record| record.iter().map(bare).collect()).collect()
}

/// A cell without the blanks around it, and without the apostrophe that our own files have before what looks like a
/// formula.
fn bare(cell: &str) -> String {
    let cell = cell.trim();
    let inner = cell.strip_prefix('\'').filter(|inner| defused(inner) == cell);
    inner.unwrap_or(cell).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<(i64, String)> {
        let mut lines = Lines::default();
        let mut read = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next().unwrap() {
                read.push(line);
            }
        }
        read.extend(lines.last());
        read
    }

    #[test]
    fn lines_are_counted_however_they_come() {
        let expected = [(1, "a,b"), (2, ""), (3, "c,d")].map(|(number, line)| (number, line.to_owned()));
        assert_eq!(lines(&["a,b\r\n\r\nc,d"]), expected);
        assert_eq!(lines(&["a", ",b\r", "\n\r\nc,", "d\r\n"]), expected);
        let mut long = Lines::default();
        long.push(&"x".repeat(MAX_LINE + 1));
        assert!(long.next().is_err());
    }

    #[test]
    fn an_open_quote_swallows_no_line() {
        let rows = lines(&["a,\"b, c\"\nd,\"e\nf, g\nh,5\" nail\n"]);
        let read = cells(&rows, false);
        let expected: [Option<&[&str]>; 4] = [
            Some(&["a", "b, c"]),
            None,
            Some(&["f", "g"]),
            Some(&["h", "5\" nail"]),
        ];
        for (read, expected) in read.iter().zip(expected) {
            let read = read
                .as_ref()
                .map(|cells| cells.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(read.as_deref(), expected);
        }
        let ours = [(1, "'+8613812345678,'name".to_owned())];
        let read = cells(&ours, false).swap_remove(0).unwrap();
        assert_eq!(read, ["+8613812345678", "'name"]);
        assert_eq!(cells(&rows[2..3], true), [Some(vec!["f, g".to_owned()])]);
    }
}
