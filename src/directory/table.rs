//! A table that somebody made: text in whatever encoding their program wrote, rows with their places in the file.

use std::collections::HashMap;

use encoding_rs::{Encoding, GB18030};

use crate::error::{Error, Problem, Result, Said, said};

/// Rows of a file.
const MOST_ROWS: usize = 50_000;

/// The text of a file. Spreadsheets write UTF-8, UTF-16 with a mark, or (in Chinese) GB18030.
///
/// # Errors
/// `Invalid` for one that is none of these.
pub fn text_of(bytes: &[u8]) -> Result<String> {
    let (text, is_wrong) = match (Encoding::for_bom(bytes), std::str::from_utf8(bytes)) {
        (Some((encoding, _)), _) => encoding.decode_with_bom_removal(bytes),
        (None, Ok(text)) => (text.into(), false),
        (None, Err(_)) => GB18030.decode_without_bom_handling(bytes),
    };
    // UTF-16 without its mark reads as letters with nothing between them.
    if is_wrong || text.contains('\0') {
        return Err(Error::invalid(
            "/rows/1",
            said!(
                "refused-csv-encoding",
                "the file is neither UTF-8 nor GB18030; save it as `CSV UTF-8`"
            ),
        ));
    }
    Ok(text.into_owned())
}

/// The row (from 1) and the column that a problem of a table is about.
pub fn row_and_column(pointer: &str) -> Option<(i64, Option<&str>)> {
    let place = pointer.strip_prefix("/rows/")?;
    let (row, column) = match place.split_once('/') {
        Some((row, column)) => (row, Some(column)),
        None => (place, None),
    };
    Some((row.parse().ok()?, column))
}

/// A row with its place in the file.
pub(super) struct Row {
    pub line: u64,
    fields: HashMap<String, String>,
}

impl Row {
    pub fn field(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }

    pub fn problem(&self, column: &str, why: Said) -> Problem {
        Problem::new(format!("/rows/{}/{column}", self.line), why)
    }

    pub fn missing(&self, column: &str) -> Problem {
        self.problem(column, said!("refused-csv-empty", "it is empty"))
    }

    pub fn wrong(&self, column: &str, value: &str) -> Problem {
        self.problem(
            column,
            said!("refused-csv-unknown", "there is no `{value}`", value = value),
        )
    }

    pub fn twice(&self, column: &str, value: &str, first: u64) -> Problem {
        self.problem(
            column,
            said!(
                "refused-csv-twice",
                "`{value}` is in row {first} already",
                value = value,
                first = first as i64
            ),
        )
    }
}

/// The columns and rows of a table; a spreadsheet's own copy has tabs between its fields.
pub(super) fn read(text: &str) -> Result<(Vec<String>, Vec<Row>)> {
    // The reader counts a line less for each pair of line ends.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let head = text.lines().next().unwrap_or_default();
    let is_tabbed = head.contains('\t') && !head.contains(',');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .delimiter(if is_tabbed { b'\t' } else { b',' })
        .from_reader(text.as_bytes());
    let head = reader.headers().map_err(unreadable)?;
    let columns: Vec<String> = head.iter().map(|name| name.trim().to_lowercase()).collect();
    let again = columns
        .iter()
        .enumerate()
        .find(|(index, name)| columns[..*index].contains(name));
    if let Some((_, name)) = again {
        return Err(Error::invalid(
            format!("/rows/1/{name}"),
            said!("refused-csv-column-twice", "the column is there twice; leave one"),
        ));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        // A quote that is never closed swallows the rows after it.
        if record.iter().any(|field| field.contains(['\n', '\r'])) {
            return Err(unreadable_at(line));
        }
        let fields = columns.iter().cloned().zip(record.iter().map(str::to_owned));
        rows.push(Row {
            line,
            fields: fields.collect(),
        });
        if rows.len() > MOST_ROWS {
            return Err(Error::invalid(
                "/rows",
                said!(
                    "refused-csv-long",
                    "a file has at most {most} rows",
                    most = MOST_ROWS
                ),
            ));
        }
    }
    Ok((columns, rows))
}

fn unreadable(error: csv::Error) -> Error {
    unreadable_at(error.position().map_or(1, csv::Position::line))
}

fn unreadable_at(line: u64) -> Error {
    Error::invalid(
        format!("/rows/{line}"),
        said!(
            "refused-csv-row",
            "it cannot be read: it has more or fewer columns than the first, or an open quote"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_in_the_encodings_that_spreadsheets_write() {
        let text = "userid,store_code\n李,S1\n";
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let (gb, _, _) = GB18030.encode(text);
        let marked = format!("\u{feff}{text}");
        for bytes in [text.as_bytes(), marked.as_bytes(), &utf16, &gb] {
            let (columns, rows) = read(&text_of(bytes).unwrap()).unwrap();
            assert_eq!(columns, ["userid", "store_code"]);
            assert_eq!((rows[0].line, rows[0].field("userid")), (2, Some("李")));
        }
        for bytes in [&utf16[2..], &[b'a', 0xff, 0xff, 0xff][..]] {
            assert!(matches!(text_of(bytes), Err(Error::Invalid(_))));
        }
        let (_, rows) = read("userid\tstore_code\nli\tS1\n").unwrap();
        assert_eq!(rows[0].field("store_code"), Some("S1"));
    }

    #[test]
    fn a_row_is_known_by_its_line_and_an_open_quote_swallows_none() {
        for end in ["\n", "\r\n"] {
            let text = ["userid,store_code", "li,S1", "wang,S2"].join(end);
            let (_, rows) = read(&text).unwrap();
            assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3]);
            let open = ["userid,store_code", "li,S1", "wang,\"S2", "zhou,S3"].join(end);
            let Err(Error::Invalid(problems)) = read(&open) else {
                panic!("it was read");
            };
            assert_eq!(problems[0].pointer, "/rows/3");
        }
    }

    #[test]
    fn a_column_that_is_there_twice_is_refused() {
        let Err(Error::Invalid(problems)) = read("userid,Code,code\n") else {
            panic!("it was read");
        };
        assert_eq!(problems[0].pointer, "/rows/1/code");
        assert_eq!(row_and_column("/rows/1/code"), Some((1, Some("code"))));
        assert_eq!(row_and_column("/rows/7"), Some((7, None)));
        assert_eq!(row_and_column("/code"), None);
    }
}
