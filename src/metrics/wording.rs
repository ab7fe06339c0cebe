//! How numbers and spans are said in a sentence, in both languages. Tables and charts write theirs in full.

use chrono::Datelike;

use super::{Lang, Span};
use crate::money::Fen;
use crate::time::Day;

const MINUS: char = '\u{2212}';
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `3,282`, never shortened; the minus is a true one.
pub fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    signed(value < 0, text)
}

/// `¥12,860`, with `.50` only where there are fen.
pub fn money(amount: Fen) -> String {
    let (yuan, fen) = (amount.0.unsigned_abs() / 100, amount.0.unsigned_abs() % 100);
    let cents = if fen > 0 {
        format!(".{fen:02}")
    } else {
        String::new()
    };
    signed(amount.0 < 0, format!("¥{}{cents}", count(yuan as i64)))
}

/// A headline: `¥38.64 万`, `¥1.07 亿`; `¥386,420`, `¥10.75M`. Small amounts in whole yuan.
pub fn money_headline(amount: Fen, lang: Lang) -> String {
    let yuan = amount.0.unsigned_abs() as f64 / 100.0;
    let text = match lang {
        Lang::Zh if yuan >= 1e8 => format!("¥{} 亿", decimals(yuan / 1e8, 2)),
        Lang::Zh if yuan >= 1e4 => format!("¥{} 万", decimals(yuan / 1e4, 2)),
        Lang::En if yuan >= 1e6 => format!("¥{}M", decimals(yuan / 1e6, 2)),
        _ => format!("¥{}", count(yuan.round() as i64)),
    };
    signed(amount.0 < 0, text)
}

/// As said aloud: `38.6 万`, `1,075 万`, `1.1 亿`, `9,860 元`; in English as in a headline.
pub fn money_said(amount: Fen, lang: Lang) -> String {
    if lang == Lang::En {
        return money_headline(amount, lang);
    }
    let yuan = amount.0.unsigned_abs() as f64 / 100.0;
    let text = match yuan {
        _ if yuan >= 1e8 => format!("{} 亿", decimals(yuan / 1e8, 1)),
        _ if yuan >= 1e7 => format!("{} 万", count((yuan / 1e4).round() as i64)),
        _ if yuan >= 1e4 => format!("{} 万", decimals(yuan / 1e4, 1)),
        _ => format!("{} 元", count(yuan.round() as i64)),
    };
    signed(amount.0 < 0, text)
}

/// `27.3%`.
pub fn percent(share: f64) -> String {
    let text = decimals(share.abs() * 100.0, 1);
    signed(share < 0.0 && text != "0.0", format!("{text}%"))
}

/// A difference of two shares, without its sign: `5.2 点`, `5.2 pp`.
pub fn points(difference: f64, lang: Lang) -> String {
    let text = decimals(difference.abs() * 100.0, 1);
    match lang {
        Lang::Zh => format!("{text} 点"),
        Lang::En => format!("{text} pp"),
    }
}

/// Rounded to so many places, the whole part in thousands.
fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", count(whole.parse().unwrap_or(0))),
        None => text,
    }
}

fn signed(is_negative: bool, text: String) -> String {
    match is_negative {
        true => format!("{MINUS}{text}"),
        false => text,
    }
}

/// `11 月 19 日`, `19 Nov`; the year only when it is not this one.
pub fn day(day: Day, today: Day, lang: Lang) -> String {
    let (year, month, date) = (day.0.year(), day.0.month(), day.0.day());
    let is_this_year = year == today.0.year();
    match lang {
        Lang::Zh if is_this_year => format!("{month} 月 {date} 日"),
        Lang::Zh => day.to_string(),
        Lang::En if is_this_year => format!("{date} {}", MONTHS[month as usize - 1]),
        Lang::En => format!("{date} {} {year}", MONTHS[month as usize - 1]),
    }
}

/// `11 月 16 日 – 22 日`, `16–22 Nov`.
pub fn range(from: Day, to: Day, today: Day, lang: Lang) -> String {
    let is_one_month = from.first_of_month() == to.first_of_month();
    match lang {
        _ if from == to => day(from, today, lang),
        Lang::Zh if is_one_month && from.0.year() == today.0.year() => {
            format!("{} – {} 日", day(from, today, lang), to.0.day())
        }
        Lang::En if is_one_month => format!("{}–{}", from.0.day(), day(to, today, lang)),
        _ => format!("{} – {}", day(from, today, lang), day(to, today, lang)),
    }
}

/// What a span is called: 今天, 昨天, 本周, 上周, 本月, 上个月, or its days.
pub fn period(span: &Span, today: Day, lang: Lang) -> String {
    let (from, to) = (span.from, span.to);
    let ends_now = to >= today.plus(-1);
    let (zh, en) = match () {
        _ if from == to && to == today => ("今天", "today"),
        _ if from == to && to == today.plus(-1) => ("昨天", "yesterday"),
        _ if from == to => return on(day(from, today, lang), lang),
        _ if from == today.first_of_week() && ends_now => ("本周", "this week"),
        _ if from == today.first_of_week().plus(-7) && to == from.plus(6) => ("上周", "last week"),
        _ if from == today.first_of_month() && ends_now => ("本月", "this month"),
        _ if is_month(from, to) && to.plus(1) == today.first_of_month() => ("上个月", "last month"),
        _ => return on(range(from, to, today, lang), lang),
    };
    said(zh, en, lang)
}

fn on(days: String, lang: Lang) -> String {
    match lang {
        Lang::Zh => days,
        Lang::En => format!("on {days}"),
    }
}

/// What a span is compared with: 上周, 上周同期, 前一天, 前 10 天 …
pub fn baseline(span: &Span, today: Day, lang: Lang) -> String {
    let days = span.to.since(span.from) + 1;
    let compared = span.compare_to.since(span.compare_from) + 1;
    let back = span.from.since(span.compare_from);
    let is_this_week = span.from == today.first_of_week();
    let is_this_month = span.from == today.first_of_month();
    let is_from_first =
        span.from == span.from.first_of_month() && span.compare_from == span.from.plus(-1).first_of_month();
    let (zh, en) = match () {
        _ if days == 1 && back == 1 && span.from == today => ("昨天", "yesterday"),
        _ if days == 1 && back == 1 => ("前一天", "the day before"),
        _ if days == 1 && back == 7 => ("上周同一天", "the same day last week"),
        _ if back == 7 && days == 7 && compared == 7 && is_this_week => ("上周", "last week"),
        _ if back == 7 && days == 7 && compared == 7 && span.from.weekday() == 0 => {
            ("前一周", "the week before")
        }
        _ if back == 7 && days < 7 && compared == days => ("上周同期", "the same days last week"),
        _ if is_from_first && is_month(span.from, span.to) && is_this_month => ("上个月", "last month"),
        _ if is_from_first && is_month(span.from, span.to) => ("前一个月", "the month before"),
        _ if is_from_first => ("上个月同期", "the same days last month"),
        _ if span.compare_to.plus(1) == span.from && compared == days => {
            return match lang {
                Lang::Zh => format!("前 {days} 天"),
                Lang::En => format!("the {days} days before"),
            };
        }
        _ => return range(span.compare_from, span.compare_to, today, lang),
    };
    said(zh, en, lang)
}

fn is_month(from: Day, to: Day) -> bool {
    from == from.first_of_month() && to == from.plus(from.days_in_month() - 1)
}

fn said(zh: &str, en: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => zh.to_owned(),
        Lang::En => en.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_said_as_people_say_it() {
        let cases = [
            (38_642_000, "¥38.64 万", "38.6 万", "¥386,420"),
            (1_075_200_000, "¥1,075.20 万", "1,075 万", "¥10.75M"),
            (10_700_000_000, "¥1.07 亿", "1.1 亿", "¥107.00M"),
            (986_000, "¥9,860", "9,860 元", "¥9,860"),
            (-4_263_000, "−¥4.26 万", "−4.3 万", "−¥42,630"),
            (0, "¥0", "0 元", "¥0"),
        ];
        for (fen, headline, said, english) in cases {
            assert_eq!(money_headline(Fen(fen), Lang::Zh), headline);
            assert_eq!(money_said(Fen(fen), Lang::Zh), said);
            assert_eq!(money_headline(Fen(fen), Lang::En), english);
        }
        assert_eq!(money(Fen(1_286_050)), "¥12,860.50");
        assert_eq!(money(Fen(-1_286_000)), "−¥12,860");
        assert_eq!(
            (percent(0.2731), percent(-0.0001)),
            ("27.3%".into(), "0.0%".into())
        );
        assert_eq!(
            (points(-0.052, Lang::Zh), points(0.052, Lang::En)),
            ("5.2 点".into(), "5.2 pp".into())
        );
    }

    #[test]
    fn spans_have_the_names_people_use() {
        let day = |text: &str| Day::parse(text).unwrap();
        let today = day("2026-11-22");
        let span = |from: &str, to: &str, compare_from: &str, compare_to: &str| Span {
            from: day(from),
            to: day(to),
            compare_from: day(compare_from),
            compare_to: day(compare_to),
        };
        let cases = [
            (
                span("2026-11-22", "2026-11-22", "2026-11-21", "2026-11-21"),
                "今天",
                "昨天",
                "today",
            ),
            (
                span("2026-11-21", "2026-11-21", "2026-11-14", "2026-11-14"),
                "昨天",
                "上周同一天",
                "yesterday",
            ),
            (
                span("2026-11-16", "2026-11-22", "2026-11-09", "2026-11-15"),
                "本周",
                "上周",
                "this week",
            ),
            (
                span("2026-11-09", "2026-11-15", "2026-11-02", "2026-11-08"),
                "上周",
                "前一周",
                "last week",
            ),
            (
                span("2026-11-01", "2026-11-22", "2026-10-01", "2026-10-22"),
                "本月",
                "上个月同期",
                "this month",
            ),
            (
                span("2026-10-01", "2026-10-31", "2026-09-01", "2026-09-30"),
                "上个月",
                "前一个月",
                "last month",
            ),
            (
                span("2026-11-03", "2026-11-12", "2026-10-24", "2026-11-02"),
                "11 月 3 日 – 12 日",
                "前 10 天",
                "on 3–12 Nov",
            ),
        ];
        for (span, zh, base, en) in cases {
            assert_eq!(period(&span, today, Lang::Zh), zh);
            assert_eq!(baseline(&span, today, Lang::Zh), base);
            assert_eq!(period(&span, today, Lang::En), en);
        }
        let running = span("2026-11-16", "2026-11-18", "2026-11-09", "2026-11-11");
        assert_eq!(
            baseline(&running, day("2026-11-18"), Lang::En),
            "the same days last week"
        );
        assert_eq!(
            range(day("2025-12-30"), day("2026-01-02"), today, Lang::Zh),
            "2025-12-30 – 1 月 2 日"
        );
    }
}
