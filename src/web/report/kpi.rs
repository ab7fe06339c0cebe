//! A figure as a tile: value, change against the comparison, and the days behind it as a spark.

use crate::metrics::{DayRow, Figure, Lang};
use crate::money::Fen;
use crate::web::Shell;
use crate::web::charts::{Kpi, Spark, Tone};
use crate::web::figures as say;

/// One figure as a tile; `before` names what it is compared with.
pub fn kpi(figure: &Figure, days: &[DayRow], previous: &[DayRow], before: &str, words: &Shell) -> Kpi {
    let label = words.t(&format!("report-{}", figure.code));
    let (value, unit) = valued(figure, figure.value(), words);
    let (change, tone) = change(figure, words.lang);
    let series = |rows: &[DayRow]| {
        rows.iter()
            .map(|row| of_day(&figure.code, row))
            .collect::<Vec<_>>()
    };
    let baseline = match figure.previous() {
        None => words.t("no-baseline"),
        before_value => {
            let was = one_piece(figure, before_value, words);
            words.with("baseline", &[("period", before), ("value", &was)])
        }
    };
    Kpi {
        spark: Spark::new(label.clone(), &series(days), &series(previous)),
        label,
        value,
        unit,
        change,
        tone,
        baseline,
        link: None,
    }
}

/// A figure's value and unit as a headline.
fn valued(figure: &Figure, value: Option<f64>, words: &Shell) -> (String, String) {
    let Some(value) = value else {
        return (say::NONE.to_owned(), String::new());
    };
    match figure.code.as_str() {
        "net_sales" | "gmv" => {
            let (text, unit) = say::headline(Fen(value as i64), words.lang);
            (text, unit.to_owned())
        }
        "atv" => (say::yuan(Fen(value.round() as i64)), String::new()),
        "orders" => (say::count(value as i64), words.t("unit-orders")),
        "new_contacts" => (say::count(value as i64), words.t("unit-people")),
        _ if figure.denominator.is_some() => (say::hundredths(value), "%".to_owned()),
        _ => (say::count(value as i64), String::new()),
    }
}

/// The same in running text, without 单 or 位.
fn one_piece(figure: &Figure, value: Option<f64>, words: &Shell) -> String {
    match (figure.code.as_str(), value) {
        ("net_sales" | "gmv", Some(value)) => say::short_money(Fen(value as i64), words.lang),
        (_, Some(value)) if is_share(figure) => say::percent(Some(value)),
        _ => valued(figure, value, words).0,
    }
}

fn is_share(figure: &Figure) -> bool {
    figure.denominator.is_some() && figure.code != "atv"
}

/// Shares differ by points, everything else by a share of what it was.
pub fn change(figure: &Figure, lang: Lang) -> (String, Tone) {
    let difference = match (is_share(figure), figure.value(), figure.previous()) {
        (true, Some(now), Some(before)) => Some(now - before),
        (false, ..) => figure.change(),
        _ => None,
    };
    let Some(difference) = difference else {
        return (String::new(), Tone::Plain);
    };
    let text = if is_share(figure) {
        say::points(difference, lang)
    } else {
        say::change(difference)
    };
    (text, Tone::of(difference))
}

fn of_day(code: &str, row: &DayRow) -> Option<f64> {
    let share = |part: i64, whole: i64| (whole != 0).then(|| part as f64 / whole as f64);
    match code {
        "net_sales" => Some(row.net_sales_fen.0 as f64),
        "orders" => Some(row.orders as f64),
        "atv" => share(row.net_sales_fen.0, row.orders),
        "online_share" => share(row.online_fen.0, row.net_sales_fen.0),
        "new_contacts" => Some(row.new_contacts as f64),
        "task_done" => share(row.tasks_done, row.tasks_due),
        _ => None,
    }
}
