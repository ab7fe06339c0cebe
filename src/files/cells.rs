//! Cells as a spreadsheet may open them.

use super::head::TOLD;
use super::{RefusedRow, RefusedRows};

/// A text that a spreadsheet would take for a formula gets an apostrophe before it.
pub fn defused(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Rows as CSV, every cell made harmless.
pub(super) fn csv<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in rows {
        let cells = row.iter().map(|cell| defused(cell));
        writer.write_record(cells).expect("writing to memory cannot fail");
    }
    let bytes = writer.into_inner().expect("writing to memory cannot fail");
    String::from_utf8(bytes).expect("texts make text")
}

/// Refused rows as CSV, each with its line, its column and why, as `said`. The first of the parts of such a file begins
/// with a byte order mark and the columns' names.
pub fn refused_csv(page: &RefusedRows, is_first: bool, said: impl Fn(&RefusedRow) -> String) -> String {
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(page.rows.len() + 1);
    let own: Vec<usize> = (0..page.head.len())
        .filter(|place| !is_told(&page.head[*place]))
        .collect();
    if is_first {
        let names = own.iter().map(|place| page.head[*place].clone());
        rows.push(names.chain(TOLD.map(str::to_owned)).collect());
    }
    for row in &page.rows {
        // One that does not read is in its first cell, whole.
        let cell = |place: &usize| row.cells.get(*place).cloned().unwrap_or_default();
        let mut cells: Vec<String> = own.iter().map(cell).collect();
        cells.extend([row.line.to_string(), row.column.clone(), said(row)]);
        rows.push(cells);
    }
    let mark = if is_first { "\u{feff}" } else { "" };
    format!("{mark}{}", csv(rows.iter().map(Vec::as_slice)))
}

fn is_told(name: &str) -> bool {
    TOLD.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        let row = ["=1+1", "+86", "-2", "@SUM(A1)", "\t=1", "\r=1", "林, 晓雯", ""].map(str::to_owned);
        assert_eq!(
            csv([&row[..]]),
            "'=1+1,'+86,'-2,'@SUM(A1),'\t=1,\"'\r=1\",\"林, 晓雯\",\n"
        );
    }
}
