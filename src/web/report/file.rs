//! The report as a CSV file that a spreadsheet opens without running anything in it.

use crate::files;
use crate::metrics::{Figure, Report};

/// UTF-8 with the mark that spreadsheets need to see it. Money in yuan with two decimals.
pub fn csv(report: &Report) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .from_writer(b"\xef\xbb\xbf".to_vec());
    let mut row = |cells: &[String]| {
        writer.write_record(cells).expect("writing to memory cannot fail");
    };
    row(&texts(&[
        "store",
        "name",
        "from",
        "to",
        "compare_from",
        "compare_to",
    ]));
    row(&[
        text(&report.store_code),
        text(&report.store_name),
        report.from.to_string(),
        report.to.to_string(),
        report.compare_from.to_string(),
        report.compare_to.to_string(),
    ]);
    row(&[String::new()]);
    row(&texts(&[
        "metric",
        "numerator",
        "denominator",
        "previous_numerator",
        "previous_denominator",
    ]));
    for figure in &report.figures {
        row(&figure_cells(figure));
    }
    row(&[String::new()]);
    row(&texts(&[
        "day",
        "net_sales_yuan",
        "orders",
        "new_contacts",
        "online_yuan",
        "tasks_due",
        "tasks_done",
    ]));
    for day in &report.days {
        row(&[
            day.day.map(|day| day.to_string()).unwrap_or_default(),
            yuan(day.net_sales_fen.0),
            day.orders.to_string(),
            day.new_contacts.to_string(),
            yuan(day.online_fen.0),
            day.tasks_due.to_string(),
            day.tasks_done.to_string(),
        ]);
    }
    row(&[String::new()]);
    row(&texts(&[
        "associate",
        "net_sales_yuan",
        "previous_net_sales_yuan",
        "orders",
        "new_contacts",
        "lost_contacts",
        "tasks_due",
        "tasks_done",
        "delivered",
        "clicks",
    ]));
    for associate in &report.associates {
        row(&[
            text(&associate.name),
            yuan(associate.net_sales_fen.0),
            yuan(associate.previous_net_sales_fen.0),
            associate.orders.to_string(),
            associate.new_contacts.to_string(),
            associate.lost_contacts.to_string(),
            associate.tasks_due.to_string(),
            associate.tasks_done.to_string(),
            associate.delivered.to_string(),
            associate.clicks.to_string(),
        ]);
    }
    writer.into_inner().expect("writing to memory cannot fail")
}

fn figure_cells(figure: &Figure) -> [String; 5] {
    let cell = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    [
        text(&figure.code),
        cell(figure.numerator),
        cell(figure.denominator),
        cell(figure.previous_numerator),
        cell(figure.previous_denominator),
    ]
}

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| text(cell)).collect()
}

fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:02}",
        fen.unsigned_abs() / 100,
        fen.unsigned_abs() % 100
    )
}

/// A text that a spreadsheet would take for a formula gets an apostrophe before it.
pub fn text(cell: &str) -> String {
    files::defused(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_look_like_formulas_are_defused() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("+86", "'+86"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2", "'-2"),
            ("\t=1", "'\t=1"),
            ("林晓雯", "林晓雯"),
            ("", ""),
        ] {
            assert_eq!(text(cell), written);
        }
        assert_eq!(
            (yuan(-5), yuan(12_345)),
            ("-0.05".to_owned(), "123.45".to_owned())
        );
    }
}
