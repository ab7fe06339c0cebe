//! Figures of reports in words, beyond what [`super::format`] writes: changes, ticks, weekdays.

use crate::metrics::Lang;
use crate::money::Fen;

pub use super::format::{
    NONE, clock, count, day, money, money_parts as headline, money_short as short_money, percent, range, when,
};

const MINUS: char = '\u{2212}';

/// Whole yuan: for figures that are averages or stand in narrow places.
pub fn yuan(amount: Fen) -> String {
    money(Fen((amount.0 as f64 / 100.0).round() as i64 * 100))
}

/// A change: `+2.95 万`, `−7,392`.
pub fn signed_money(amount: Fen, lang: Lang) -> String {
    let sign = if amount.0 < 0 { MINUS } else { '+' };
    let (figure, unit) = headline(Fen(amount.0.abs()), lang);
    format!(
        "{sign}{}",
        joined((figure.trim_start_matches('¥').to_owned(), unit), lang)
    )
}

/// A tick of an axis in money: `3 万`, `30k`.
pub fn money_tick(fen: i64, lang: Lang) -> String {
    let yuan = fen as f64 / 100.0;
    let (value, unit) = match lang {
        Lang::Zh if yuan.abs() >= 1e8 => (yuan / 1e8, " 亿"),
        Lang::Zh if yuan.abs() >= 1e4 => (yuan / 1e4, " 万"),
        Lang::En if yuan.abs() >= 1e6 => (yuan / 1e6, "M"),
        Lang::En if yuan.abs() >= 1e4 => (yuan / 1e3, "k"),
        _ => (yuan, ""),
    };
    let text = if value.fract() == 0.0 {
        count(value as i64)
    } else {
        trimmed(value)
    };
    format!("{}{unit}", text.replace('-', "\u{2212}"))
}

fn trimmed(value: f64) -> String {
    format!("{value:.2}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

fn joined((figure, unit): (String, &str), lang: Lang) -> String {
    match lang {
        Lang::Zh if !unit.is_empty() => format!("{figure} {unit}"),
        _ => format!("{figure}{unit}"),
    }
}

/// `27.3` for a share of 0.273, without the sign.
pub fn hundredths(share: f64) -> String {
    decimal(share * 100.0, 1)
}

/// A number with `places` decimals and a true minus.
pub fn decimal(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    // -0.04 rounds to "-0.0", which is zero.
    let zero = text
        .trim_start_matches('-')
        .chars()
        .all(|c| matches!(c, '0' | '.'));
    let text = if zero {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    };
    text.replace('-', "\u{2212}")
}

/// `▲ 12.4%`, `▼ 6.4%`, `0.0%`.
pub fn change(change: f64) -> String {
    format!("{}{}%", arrow(change * 100.0), decimal(change.abs() * 100.0, 1))
}

/// The difference of two shares in points: `▲ 5.2 点`, `▲ 5.2 pp`.
pub fn points(difference: f64, lang: Lang) -> String {
    let unit = match lang {
        Lang::Zh => "点",
        Lang::En => "pp",
    };
    format!(
        "{}{} {unit}",
        arrow(difference * 100.0),
        decimal(difference.abs() * 100.0, 1)
    )
}

fn arrow(hundredths: f64) -> &'static str {
    match hundredths {
        _ if hundredths.abs() < 0.05 => "",
        up if up > 0.0 => "▲ ",
        _ => "▼ ",
    }
}

const WEEKDAYS_ZH: [&str; 7] = ["一", "二", "三", "四", "五", "六", "日"];
const WEEKDAYS_EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `一`, `Mon`; 0 is Monday.
pub fn weekday(index: usize, lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => WEEKDAYS_ZH[index % 7],
        Lang::En => WEEKDAYS_EN[index % 7],
    }
}

/// In running text: `周六`, `Sat`.
pub fn weekday_word(index: usize, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!("周{}", weekday(index, lang)),
        Lang::En => weekday(index, lang).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_changes_and_shares() {
        assert_eq!(signed_money(Fen(2_950_000), Lang::Zh), "+2.95 万");
        assert_eq!(signed_money(Fen(-739_200), Lang::En), "\u{2212}7,392");
        assert_eq!(yuan(Fen(83_649)), "¥836");
        assert_eq!(money_tick(3_000_000, Lang::Zh), "3 万");
        assert_eq!(money_tick(3_000_000, Lang::En), "30k");
        assert_eq!(money_tick(-50_000, Lang::Zh), "\u{2212}500");
        assert_eq!(change(0.124), "▲ 12.4%");
        assert_eq!(change(-0.0001), "0.0%");
        assert_eq!(points(-0.009, Lang::Zh), "▼ 0.9 点");
        assert_eq!(decimal(-0.04, 1), "0.0");
        assert_eq!(weekday_word(5, Lang::Zh), "周六");
    }
}
