//! Numbers, money, days and times as pages write them.

use chrono::{Datelike, Timelike};
use chrono_tz::Tz;

use crate::metrics::Lang;
use crate::money::Fen;
use crate::time::{Day, Timestamp};

/// What stands where there is no value.
pub const NONE: &str = "—";

/// `3,282`; negative with a true minus sign.
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("−{text}") } else { text }
}

/// Tables and details: `¥12,860`, with fen only when there are some.
pub fn money(amount: Fen) -> String {
    let sign = if amount.0 < 0 { "−" } else { "" };
    let (yuan, fen) = (amount.0.unsigned_abs() / 100, amount.0.unsigned_abs() % 100);
    let yuan = count(yuan as i64);
    match fen {
        0 => format!("{sign}¥{yuan}"),
        _ => format!("{sign}¥{yuan}.{fen:02}"),
    }
}

/// Headlines, in two parts: the number and its unit. `¥38.64` `万` from ten thousand yuan; `¥10.75` `M` from a million.
pub fn money_parts(amount: Fen, lang: Lang) -> (String, &'static str) {
    let sign = if amount.0 < 0 { "−" } else { "" };
    let yuan = amount.0.unsigned_abs() as f64 / 100.0;
    let (unit, name) = match lang {
        Lang::Zh if yuan >= 1e8 => (1e8, "亿"),
        Lang::Zh if yuan >= 1e4 => (1e4, "万"),
        Lang::En if yuan >= 1e6 => (1e6, "M"),
        _ => return (format!("{sign}¥{}", count(yuan.round() as i64)), ""),
    };
    let number = yuan / unit;
    if number >= 1_000.0 {
        let tenths = (number * 10.0).round() as i64;
        return (format!("{sign}¥{}.{}", count(tenths / 10), tenths % 10), name);
    }
    (format!("{sign}¥{number:.2}"), name)
}

/// Headlines in one piece: `¥38.64 万`, `¥10.75M`.
pub fn money_short(amount: Fen, lang: Lang) -> String {
    let (number, unit) = money_parts(amount, lang);
    match (unit, lang) {
        ("", _) => number,
        (_, Lang::Zh) => format!("{number} {unit}"),
        (_, Lang::En) => format!("{number}{unit}"),
    }
}

/// A share of 1 as `27.3%`; nothing to divide by: a dash.
pub fn percent(ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) if ratio < 0.0 => format!("−{:.1}%", -ratio * 100.0),
        Some(ratio) => format!("{:.1}%", ratio * 100.0),
        None => NONE.into(),
    }
}

/// A difference of two shares: `+5.2 点`, `+5.2 pp`.
pub fn points(difference: f64, lang: Lang) -> String {
    let sign = if difference < 0.0 { "−" } else { "+" };
    let unit = match lang {
        Lang::Zh => "点",
        Lang::En => "pp",
    };
    format!("{sign}{:.1} {unit}", difference.abs() * 100.0)
}

/// A change with its arrow: `▲ 12.4%`. Colour is the page's to choose, by meaning.
pub fn delta(change: f64) -> String {
    let arrow = if change < 0.0 { "▼" } else { "▲" };
    format!("{arrow} {:.1}%", change.abs() * 100.0)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `11 月 19 日`, `19 Nov`; of another year with the year.
pub fn day(day: Day, today: Day, lang: Lang) -> String {
    let date = day.0;
    let month = MONTHS[date.month0() as usize];
    match (lang, date.year() == today.0.year()) {
        (Lang::Zh, true) => format!("{} 月 {} 日", date.month(), date.day()),
        (Lang::Zh, false) => day.to_string(),
        (Lang::En, true) => format!("{} {month}", date.day()),
        (Lang::En, false) => format!("{} {month} {}", date.day(), date.year()),
    }
}

/// `11 月 16 日 – 22 日`, `16–22 Nov`.
pub fn range(from: Day, to: Day, today: Day, lang: Lang) -> String {
    if from == to {
        return day(from, today, lang);
    }
    let is_same_month = (from.0.year(), from.0.month()) == (to.0.year(), to.0.month());
    match (lang, is_same_month) {
        (Lang::Zh, true) => format!("{} – {} 日", day(from, to, lang), to.0.day()),
        (Lang::En, true) => format!("{}–{}", from.0.day(), day(to, today, lang)),
        (_, false) => format!("{} – {}", day(from, today, lang), day(to, today, lang)),
    }
}

/// `今天 10:21`, `昨天 21:10`, `11 月 19 日`.
pub fn when(at: Timestamp, now: Timestamp, zone: Tz, lang: Lang) -> String {
    let (then, today) = (at.day(zone), now.day(zone));
    match (today.since(then), lang) {
        (0, Lang::Zh) => format!("今天 {}", clock(at, zone)),
        (0, Lang::En) => format!("Today {}", clock(at, zone)),
        (1, Lang::Zh) => format!("昨天 {}", clock(at, zone)),
        (1, Lang::En) => format!("Yesterday {}", clock(at, zone)),
        (-1, Lang::Zh) => format!("明天 {}", clock(at, zone)),
        (-1, Lang::En) => format!("Tomorrow {}", clock(at, zone)),
        (ago, _) if ago < 0 => format!("{} {}", day(then, today, lang), clock(at, zone)),
        _ => day(then, today, lang),
    }
}

/// `10:21`.
pub fn clock(at: Timestamp, zone: Tz) -> String {
    let local = at.local(zone);
    format!("{:02}:{:02}", local.hour(), local.minute())
}

/// `今天`, `3 天前`, `yesterday`, for a table.
pub fn ago(at: Timestamp, now: Timestamp, zone: Tz, lang: Lang) -> String {
    match (now.day(zone).since(at.day(zone)), lang) {
        (..=0, Lang::Zh) => "今天".into(),
        (..=0, Lang::En) => "today".into(),
        (1, Lang::Zh) => "昨天".into(),
        (1, Lang::En) => "yesterday".into(),
        (days, Lang::Zh) => format!("{} 天前", count(days)),
        (days, Lang::En) => format!("{} days ago", count(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_as_people_read_it() {
        for (fen, table, zh, en) in [
            (1_286_000, "¥12,860", "¥1.29 万", "¥12,860"),
            (1_286_050, "¥12,860.50", "¥1.29 万", "¥12,861"),
            (38_642_000, "¥386,420", "¥38.64 万", "¥386,420"),
            (1_075_000_000, "¥10,750,000", "¥1,075.0 万", "¥10.75M"),
            (10_700_000_000, "¥107,000,000", "¥1.07 亿", "¥107.00M"),
            (-74_000, "−¥740", "−¥740", "−¥740"),
            (0, "¥0", "¥0", "¥0"),
        ] {
            assert_eq!(money(Fen(fen)), table);
            assert_eq!(money_short(Fen(fen), Lang::Zh), zh);
            assert_eq!(money_short(Fen(fen), Lang::En), en);
        }
    }

    #[test]
    fn days_are_said_from_today() {
        let zone = chrono_tz::Asia::Shanghai;
        let now = Timestamp::parse("2026-11-23T10:00:00+08:00").unwrap();
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for (then, zh, en) in [
            ("2026-11-23T09:42:00+08:00", "今天 09:42", "Today 09:42"),
            ("2026-11-22T21:10:00+08:00", "昨天 21:10", "Yesterday 21:10"),
            ("2026-11-24T18:00:00+08:00", "明天 18:00", "Tomorrow 18:00"),
            ("2026-11-19T12:00:00+08:00", "11 月 19 日", "19 Nov"),
            ("2025-03-08T12:00:00+08:00", "2025-03-08", "8 Mar 2025"),
        ] {
            assert_eq!(when(at(then), now, zone, Lang::Zh), zh);
            assert_eq!(when(at(then), now, zone, Lang::En), en);
        }
        let day = |text: &str| Day::parse(text).unwrap();
        let (from, to) = (day("2026-11-16"), day("2026-11-22"));
        assert_eq!(range(from, to, to, Lang::Zh), "11 月 16 日 – 22 日");
        assert_eq!(range(from, to, to, Lang::En), "16–22 Nov");
    }

    #[test]
    fn shares_and_changes() {
        assert_eq!(percent(Some(0.273)), "27.3%");
        assert_eq!(percent(None), "—");
        assert_eq!(points(0.052, Lang::Zh), "+5.2 点");
        assert_eq!(points(-0.052, Lang::En), "−5.2 pp");
        assert_eq!(delta(-0.186), "▼ 18.6%");
        assert_eq!(count(-1234567), "−1,234,567");
    }
}
