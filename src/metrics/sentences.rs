//! The sentence a report opens with: how much, against when, mostly why, and what to watch.

use super::overview::fall;
use super::wording::{baseline, count, money_said, percent, period, points};
use super::{Contribution, Lang, Overview, Report, Span};
use crate::money::Fen;
use crate::time::Day;

/// What happened and why, as a person would say it; the second sentence is what to watch, if anything.
pub fn sentences(report: &Report, today: Day, lang: Lang) -> (String, Option<String>) {
    let span = Span {
        from: report.from,
        to: report.to,
        compare_from: report.compare_from,
        compare_to: report.compare_to,
    };
    let net = money_of(report, "net_sales");
    let mut text = amount_sentence(&span, today, net, lang);
    if let (Some(now), Some(before)) = net
        && before != Fen::ZERO
    {
        text.push_str(&reason(&report.why, now - before, lang));
    }
    (text, watch(report, lang))
}

/// The total, and who is falling.
pub fn overview_sentences(overview: &Overview, today: Day, lang: Lang) -> (String, Option<String>) {
    let span = Span {
        from: overview.from,
        to: overview.to,
        compare_from: overview.compare_from,
        compare_to: overview.compare_to,
    };
    let net = overview
        .figures
        .iter()
        .find(|figure| figure.code == "net_sales")
        .map_or((None, None), |figure| {
            (figure.numerator.map(Fen), figure.previous_numerator.map(Fen))
        });
    let mut text = amount_sentence(&span, today, net, lang);
    text.push_str(&falling_regions(overview, lang));
    (text, falling_store(overview, lang))
}

fn money_of(report: &Report, code: &str) -> (Option<Fen>, Option<Fen>) {
    let figure = report.figure(code);
    (
        figure.and_then(|figure| figure.numerator).map(Fen),
        figure.and_then(|figure| figure.previous_numerator).map(Fen),
    )
}

/// 本周卖了 38.6 万，比上周多 4.3 万。
fn amount_sentence(span: &Span, today: Day, net: (Option<Fen>, Option<Fen>), lang: Lang) -> String {
    let (when, base) = (period(span, today, lang), baseline(span, today, lang));
    let (now, before) = (net.0.unwrap_or_default(), net.1.unwrap_or_default());
    let said = money_said(now, lang);
    let change = now - before;
    let apart = money_said(Fen(change.0.abs()), lang);
    match lang {
        Lang::Zh if now == Fen::ZERO && before == Fen::ZERO => format!("{when}还没有成交。"),
        Lang::Zh if now == Fen::ZERO => {
            format!("{when}还没有成交，{base}卖了 {}。", money_said(before, lang))
        }
        Lang::Zh if before == Fen::ZERO => format!("{when}卖了 {said}；{base}没有成交，没法比。"),
        Lang::Zh if change == Fen::ZERO => format!("{when}卖了 {said}，和{base}一样。"),
        Lang::Zh => {
            let word = if change > Fen::ZERO { "多" } else { "少" };
            format!("{when}卖了 {said}，比{base}{word} {apart}。")
        }
        Lang::En if now == Fen::ZERO && before == Fen::ZERO => format!("Nothing was sold {when}."),
        Lang::En if now == Fen::ZERO => {
            format!(
                "Nothing was sold {when}; {base} it was {}.",
                money_said(before, lang)
            )
        }
        Lang::En if before == Fen::ZERO => {
            format!("Sales {when} were {said}; there is nothing to compare with {base}.")
        }
        Lang::En if change == Fen::ZERO => format!("Sales {when} were {said}, the same as {base}."),
        Lang::En => {
            let word = if change > Fen::ZERO { "up" } else { "down" };
            format!("Sales {when} were {said}, {word} {apart} on {base}.")
        }
    }
}

/// 多出来的大半来自小店链接。 Said only where one part stands out.
fn reason(why: &[Contribution], change: Fen, lang: Lang) -> String {
    let towards = |part: &&Contribution| part.change_fen.0.signum() == change.0.signum();
    let largest = why
        .iter()
        .filter(towards)
        .max_by_key(|part| part.change_fen.0.abs());
    let Some(part) = largest.filter(|_| change != Fen::ZERO) else {
        return String::new();
    };
    let is_most = part.change_fen.0.abs() * 2 > change.0.abs();
    if part.change_fen.0.abs() * 4 < change.0.abs() {
        return String::new();
    }
    let what = part_name(&part.code, change > Fen::ZERO, lang);
    match (lang, change > Fen::ZERO) {
        (Lang::Zh, true) if is_most => format!("多出来的大半来自{what}。"),
        (Lang::Zh, true) => format!("多出来的里面，{what}最多。"),
        (Lang::Zh, false) if is_most => format!("少掉的大半是{what}。"),
        (Lang::Zh, false) => format!("少掉的里面，{what}最多。"),
        (Lang::En, true) if is_most => format!(" Most of the gain came from {what}."),
        (Lang::En, true) => format!(" The largest gain came from {what}."),
        (Lang::En, false) if is_most => format!(" Most of the drop came from {what}."),
        (Lang::En, false) => format!(" The largest drop came from {what}."),
    }
}

fn part_name(code: &str, is_gain: bool, lang: Lang) -> &'static str {
    match (lang, code) {
        (Lang::Zh, "store_link") => "小店链接",
        (Lang::Zh, "till_price") => "到店客单价",
        (Lang::Zh, "till_visits") => "到店人数",
        (Lang::Zh, "mini_store_other") => "小店的其他订单",
        (Lang::Zh, _) if is_gain => "退款变少",
        (Lang::Zh, _) => "退款变多",
        (Lang::En, "store_link") => "store links",
        (Lang::En, "till_price") => "the average order in store",
        (Lang::En, "till_visits") => "the number of orders in store",
        (Lang::En, "mini_store_other") => "other mini-store orders",
        (Lang::En, _) if is_gain => "fewer refunds",
        (Lang::En, _) => "more refunds",
    }
}

/// A drop in new contacts by a tenth or more, or in tasks done by five points or more.
fn watch(report: &Report, lang: Lang) -> Option<String> {
    let added = report.figure("new_contacts")?;
    let (now, before) = (
        added.numerator.unwrap_or(0),
        added.previous_numerator.unwrap_or(0),
    );
    let fewer = before - now;
    if fewer >= 3 && fewer * 10 >= before {
        let fewer = count(fewer);
        return Some(match lang {
            Lang::Zh => format!("要留意：新加的客户少了 {fewer} 位。"),
            Lang::En => format!("Watch: {fewer} fewer new contacts."),
        });
    }
    let tasks = report.figure("task_done")?;
    let drop = tasks.previous()? - tasks.value()?;
    let open = tasks.denominator? - tasks.numerator?;
    (drop >= 0.05).then(|| match lang {
        Lang::Zh => format!(
            "要留意：任务完成率低了 {}，还有 {} 件没做。",
            points(drop, lang),
            count(open)
        ),
        Lang::En => format!(
            "Watch: tasks done are down {}, {} still open.",
            points(drop, lang),
            count(open)
        ),
    })
}

/// 只有华北在掉，少了 18 万。
fn falling_regions(overview: &Overview, lang: Lang) -> String {
    let change = |row: &super::RegionRow| row.net_sales_fen - row.previous_net_sales_fen;
    let falling: Vec<_> = overview
        .regions
        .iter()
        .filter(|row| change(row) < Fen::ZERO)
        .collect();
    let is_compared = overview
        .regions
        .iter()
        .any(|row| row.previous_net_sales_fen != Fen::ZERO);
    let less = |row| money_said(-change(row), lang);
    match (lang, falling.as_slice()) {
        _ if !is_compared || overview.regions.len() < 2 => String::new(),
        (Lang::Zh, []) => "没有区域在掉。".to_owned(),
        (Lang::Zh, [one]) => format!("只有{}在掉，少了 {}。", one.name, less(*one)),
        (Lang::En, []) => " No region is down.".to_owned(),
        (Lang::En, [one]) => format!(" Only {} is down, by {}.", one.name, less(*one)),
        (_, all) => {
            let worst = all
                .iter()
                .min_by_key(|row| change(row))
                .expect("there are two or more");
            let regions = count(all.len() as i64);
            match lang {
                Lang::Zh => format!("{regions} 个区域在掉，{}少得最多，{}。", worst.name, less(*worst)),
                Lang::En => format!(
                    " {regions} regions are down, {} most, by {}.",
                    worst.name,
                    less(*worst)
                ),
            }
        }
    }
}

fn falling_store(overview: &Overview, lang: Lang) -> Option<String> {
    let worst = overview.by_store.first()?;
    let share = fall(worst);
    (share <= -0.1).then(|| match lang {
        Lang::Zh => format!("掉得最多的是{}，少了 {}。", worst.name, percent(-share)),
        Lang::En => format!("{} fell most, by {}.", worst.name, percent(-share)),
    })
}

#[cfg(test)]
mod tests;
