//! What the store's report shows, worked out from the figures.

use askama::Template;

use crate::ids::StoreId;
use crate::metrics::{self, AssociateRow, DayRow, Lang, Report};
use crate::money::Fen;
use crate::time::Day;
use crate::web::Shell;
use crate::web::charts::{
    Funnel, Heat, Kpi, Kpis, Line, Mark, Part, Rank, RankRow, Series, Stack, Why, WhyRow,
};
use crate::web::figures as say;
use crate::web::span::{Period, Shown};

use super::days::Days;
use super::kpi::kpi;

/// What the leaderboard is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RankBy {
    #[default]
    Sales,
    New,
    Task,
}

impl RankBy {
    pub const ALL: [Self; 3] = [Self::Sales, Self::New, Self::Task];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::New => "new",
            Self::Task => "task",
        }
    }

    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|by| by.as_str() == text)
            .unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "report/show.html")]
pub struct ReportPage {
    pub shell: Shell,
    pub name: String,
    pub days: Days,
    pub answer: String,
    pub watch: Option<String>,
    pub is_empty: bool,
    pub kpis: Kpis,
    pub now_word: String,
    pub before_word: String,
    pub trend: Option<Line>,
    pub why_title: String,
    pub why: Why,
    pub rank_tabs: Vec<(String, String, bool)>,
    pub rank: Rank,
    pub funnel: Option<Funnel>,
    pub split: Option<Stack>,
    pub sources: Vec<(String, String, String)>,
    pub hours: Option<Heat>,
    pub busiest: String,
    pub target: Option<String>,
    pub orders: String,
    pub contacts: String,
    pub csv: String,
}

impl ReportPage {
    pub fn new(
        shell: Shell,
        report: &Report,
        before: &[Fen],
        sentences: (String, Option<String>),
        shown: &Shown,
        by: RankBy,
        today: Day,
    ) -> Self {
        let words = shell.clone();
        let base = format!("/stores/{}/report", report.store_id);
        let span = format!("from={}&to={}", report.from, report.to);
        let orders = format!("/orders?store={}&{span}", report.store_id);
        let contacts = format!(
            "/contacts?store={}&added_from={}&added_to={}",
            report.store_id, report.from, report.to
        );
        let period = shown.period.as_str();
        let (now_word, before_word) = (
            words.t(&format!("now-{period}")),
            words.t(&format!("before-{period}")),
        );
        let hours = heat(report, &words);
        Self {
            name: report.store_name.clone(),
            days: Days::new(words.clone(), &base, shown, today),
            answer: sentences.0,
            watch: sentences.1,
            is_empty: report.days.is_empty(),
            kpis: Kpis {
                class: "six",
                tiles: kpis(report, &before_word, &orders, &contacts, &words),
            },
            trend: trend(report, shown, before, (&now_word, &before_word), &words),
            why_title: why_title(report, &words),
            why: why(report, &words),
            rank_tabs: rank_tabs(&base, shown, by, &words),
            rank: rank(report, by, &words),
            funnel: funnel(report, &words),
            split: split(report, &words),
            sources: sources(report, &words),
            busiest: busiest(&report.hours, &words),
            hours,
            target: target(report, &words),
            csv: format!("{base}.csv?{span}"),
            orders,
            contacts,
            now_word,
            before_word,
            shell,
        }
    }
}

/// Associates on the leaderboard; the file has them all.
const RANKED: usize = 10;

const SIX: [&str; 6] = [
    "net_sales",
    "orders",
    "atv",
    "online_share",
    "new_contacts",
    "task_done",
];

fn kpis(report: &Report, before: &str, orders: &str, contacts: &str, words: &Shell) -> Vec<Kpi> {
    let tile = |code: &&str| {
        let figure = report.figure(code)?;
        let link = match *code {
            "new_contacts" => contacts.to_owned(),
            "task_done" => "/campaigns".to_owned(),
            _ => orders.to_owned(),
        };
        let (days, previous) = (&report.days, &report.previous_days);
        Some(Kpi {
            link: Some(link),
            ..kpi(figure, days, previous, before, words)
        })
    };
    SIX.iter().filter_map(tile).collect()
}

/// Net sales by day: labels of the whole period, this one as far as it has come, the one before whole.
pub fn by_day(
    shown: &Shown,
    days: &[DayRow],
    before: &[Fen],
    names: (&str, &str),
    words: &Shell,
) -> (Vec<String>, Series, Series) {
    let period: Vec<Day> = shown.span.from.through(shown.last).collect();
    // A month before may be longer; its last days have a place too.
    let label = |index: usize| match period.get(index) {
        Some(day) if period.len() <= 7 => say::weekday(day.weekday() as usize, words.lang).to_owned(),
        Some(day) => day.0.format("%-d").to_string(),
        None => (index + 1).to_string(),
    };
    let labels = (0..period.len().max(before.len())).map(label).collect();
    let series = |name: &str, values: Vec<i64>| {
        Series::new(
            name,
            values,
            |fen| say::count((fen as f64 / 100.0).round() as i64),
        )
    };
    let now = days.iter().map(|row| row.net_sales_fen.0).collect();
    let before = before.iter().map(|fen| fen.0).collect();
    (labels, series(names.0, now), series(names.1, before))
}

fn trend(report: &Report, shown: &Shown, before: &[Fen], names: (&str, &str), words: &Shell) -> Option<Line> {
    let lang = words.lang;
    let (labels, now, before) = by_day(shown, &report.days, before, names, words);
    let peak = |index: usize, fen: i64| {
        let day = report.days.get(index).and_then(|row| row.day);
        let day = day.map(|day| match report.days.len() {
            0..=7 => say::weekday_word(day.weekday() as usize, lang),
            _ => say::day(day, report.to, lang),
        });
        let amount = say::short_money(Fen(fen), lang);
        words.with(
            "report-trend-peak",
            &[("day", &day.unwrap_or_default()), ("amount", &amount)],
        )
    };
    let tick = |fen: i64| say::money_tick(fen, lang);
    Line::new(labels, now, Some(before), Mark::Peak, tick, peak)
        .map(|line| line.titled(words.t("report-trend"), words.t("show-numbers")))
}

fn why_title(report: &Report, words: &Shell) -> String {
    let net = report.figure("net_sales");
    let change = net
        .and_then(|net| Some(net.numerator? - net.previous_numerator?))
        .unwrap_or(0);
    let amount = say::short_money(Fen(change.abs()), words.lang);
    let amount = if words.lang == Lang::Zh {
        amount.trim_start_matches('¥')
    } else {
        &amount
    };
    match change {
        0 => words.t("report-why-same"),
        up if up > 0 => words.with("report-why-more", &[("amount", amount)]),
        _ => words.with("report-why-less", &[("amount", amount)]),
    }
}

fn why(report: &Report, words: &Shell) -> Why {
    let mut parts: Vec<_> = report
        .why
        .iter()
        .filter(|part| part.change_fen != Fen::ZERO)
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.change_fen.0.abs()));
    let rows = parts.into_iter().map(|part| {
        let name = words.t(&format!("why-{}", part.code));
        let word = say::signed_money(part.change_fen, words.lang);
        WhyRow::new(name, part.note.clone(), part.change_fen.0, word)
    });
    Why::new(rows.collect())
}

fn rank_tabs(base: &str, shown: &Shown, by: RankBy, words: &Shell) -> Vec<(String, String, bool)> {
    // The period itself, not its days: a running one keeps what it is compared with.
    let days = match shown.period {
        Period::Free => format!("from={}&to={}", shown.span.from, shown.span.to),
        period => format!("period={}&at={}", period.as_str(), shown.span.to),
    };
    let tab = |one: RankBy| {
        let word = words.t(&format!("report-rank-{}", one.as_str()));
        (
            word,
            format!("{base}?{days}&sort={}#rank", one.as_str()),
            one == by,
        )
    };
    RankBy::ALL.into_iter().map(tab).collect()
}

fn rank(report: &Report, by: RankBy, words: &Shell) -> Rank {
    let mut rows: Vec<&AssociateRow> = report.associates.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(Worth::of(row).value(by)));
    let rest = rows.split_off(RANKED.min(rows.len()));
    let rows = rows.into_iter().map(|row| rank_row(row, report.store_id, by));
    Rank::new(rows.collect()).closed_by((!rest.is_empty()).then(|| rest_row(&rest, by, words)))
}

/// What the leaderboard can be sorted by, of one associate or of several together.
#[derive(Debug, Clone, Copy, Default)]
struct Worth {
    net: Fen,
    new: i64,
    done: i64,
    due: i64,
}

impl Worth {
    fn of(row: &AssociateRow) -> Self {
        Self {
            net: row.net_sales_fen,
            new: row.new_contacts,
            done: row.tasks_done,
            due: row.tasks_due,
        }
    }

    fn and(self, row: &AssociateRow) -> Self {
        Self {
            net: Fen(self.net.0 + row.net_sales_fen.0),
            new: self.new + row.new_contacts,
            done: self.done + row.tasks_done,
            due: self.due + row.tasks_due,
        }
    }

    fn value(self, by: RankBy) -> i64 {
        match by {
            RankBy::Sales => self.net.0,
            RankBy::New => self.new,
            RankBy::Task if self.due == 0 => 0,
            RankBy::Task => (self.done as f64 / self.due as f64 * 10_000.0) as i64,
        }
    }

    fn word(self, by: RankBy) -> String {
        match by {
            RankBy::Sales => say::yuan(self.net),
            RankBy::New => say::count(self.new),
            RankBy::Task if self.due == 0 => say::NONE.to_owned(),
            RankBy::Task => format!("{} / {}", self.done, self.due),
        }
    }
}

fn rank_row(row: &AssociateRow, store: StoreId, by: RankBy) -> RankRow {
    let worth = Worth::of(row);
    let before = row.previous_net_sales_fen.0;
    let change =
        (by == RankBy::Sales && before > 0).then(|| row.net_sales_fen.0 as f64 / before as f64 - 1.0);
    RankRow {
        name: row.name.clone(),
        link: Some(format!("/contacts?store={store}&associate={}", row.associate_id)),
        value: worth.value(by),
        word: worth.word(by),
        change: change.map(|change| (say::change(change), change >= 0.0)),
        ..RankRow::default()
    }
}

fn rest_row(rest: &[&AssociateRow], by: RankBy, words: &Shell) -> RankRow {
    let worth = rest.iter().fold(Worth::default(), |sum, row| sum.and(row));
    RankRow {
        name: words.with("report-rank-rest", &[("count", &say::count(rest.len() as i64))]),
        value: worth.value(by),
        word: worth.word(by),
        ..RankRow::default()
    }
}

fn funnel(report: &Report, words: &Shell) -> Option<Funnel> {
    if report.funnel.iter().all(|(_, people)| *people == 0) {
        return None;
    }
    let steps = report
        .funnel
        .iter()
        .map(|(code, people)| (words.t(&format!("funnel-{code}")), *people));
    Some(Funnel::new(steps.collect(), say::count, |rate, is_lowest| {
        funnel_rate(rate, is_lowest, words)
    }))
}

/// The words between two steps of a funnel.
pub fn funnel_rate(rate: Option<f64>, is_lowest: bool, words: &Shell) -> String {
    let key = if is_lowest {
        "funnel-rate-lowest"
    } else {
        "funnel-rate"
    };
    words.with(key, &[("rate", &say::percent(rate))])
}

fn split(report: &Report, words: &Shell) -> Option<Stack> {
    let lang = words.lang;
    let (online, till) = (report.online_fen, report.till_fen);
    let whole = online + till;
    if whole.0 <= 0 {
        return None;
    }
    let share = say::percent(Some(online.0 as f64 / whole.0 as f64));
    let online_word = words.with(
        "report-online",
        &[("amount", &say::short_money(online, lang)), ("share", &share)],
    );
    let till_word = words.with("report-till", &[("amount", &say::short_money(till, lang))]);
    let parts = vec![
        Part::new("c1", online_word, online.0),
        Part::new("c4", till_word, till.0),
    ];
    Some(Stack::new(words.t("report-split"), parts))
}

fn sources(report: &Report, words: &Shell) -> Vec<(String, String, String)> {
    let row = |source: &metrics::SourceRow| {
        let name = words.t(&format!("source-{}", source.source));
        let orders = words.with("source-orders", &[("count", &say::count(source.orders))]);
        (name, orders, say::yuan(source.net_fen))
    };
    report.sources.iter().map(row).collect()
}

fn heat(report: &Report, words: &Shell) -> Option<Heat> {
    let lang = words.lang;
    let days = (0..7).map(|day| say::weekday(day, lang).to_owned()).collect();
    let hour = |hour: usize| words.with("hour-short", &[("hour", &hour.to_string())]);
    let heat = Heat::new(&report.hours, days, hour)?;
    Some(heat.titled(
        words.t("report-hours"),
        &busiest(&report.hours, words),
        words.t("show-numbers"),
    ))
}

/// The busiest hour of the week and the weight of the three busiest.
fn busiest(hours: &[Vec<i64>], words: &Shell) -> String {
    let cells = hours.iter().enumerate().flat_map(|(day, row)| {
        row.iter()
            .enumerate()
            .map(move |(hour, orders)| (*orders, day, hour))
    });
    let mut cells: Vec<_> = cells.filter(|(orders, ..)| *orders > 0).collect();
    cells.sort_by_key(|(orders, day, hour)| (std::cmp::Reverse(*orders), *day, *hour));
    let Some((orders, day, hour)) = cells.first().copied() else {
        return words.t("report-hours-none");
    };
    let total: i64 = cells.iter().map(|(orders, ..)| orders).sum();
    let top: i64 = cells.iter().take(3).map(|(orders, ..)| orders).sum();
    words.with(
        "report-hours-busiest",
        &[
            ("day", &say::weekday_word(day, words.lang)),
            ("hour", &hour.to_string()),
            ("orders", &say::count(orders)),
            ("share", &say::percent(Some(top as f64 / total as f64))),
        ],
    )
}

fn target(report: &Report, words: &Shell) -> Option<String> {
    let target = report.target_fen.filter(|target| target.0 > 0)?;
    let done = report.figure("net_sales")?.numerator?;
    let share = say::percent(Some(done as f64 / target.0 as f64));
    let target = say::short_money(target, words.lang);
    Some(words.with("report-target", &[("target", &target), ("share", &share)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;
    use crate::web::report::sample::crowded;
    use crate::web::samples;

    #[test]
    fn the_leaderboard_adds_up_to_everybody() {
        let report = crowded();
        let words = samples::shell(Role::Manager, Lang::Zh, "/stores/21/report");
        let sum = |value: fn(&AssociateRow) -> i64| report.associates.iter().map(value).sum::<i64>();
        for (by, whole) in [
            (RankBy::Sales, sum(|row| row.net_sales_fen.0)),
            (RankBy::New, sum(|row| row.new_contacts)),
        ] {
            let rank = rank(&report, by, &words);
            let rest = rank.rest.expect("more than are named");
            let named: i64 = rank.rows.iter().map(|row| row.value).sum();
            assert_eq!(named + rest.value, whole, "{by:?}");
            assert_eq!(rest.name, "其余 14 人");
        }
        let few = Report {
            associates: report.associates[..RANKED].to_vec(),
            ..report
        };
        assert!(rank(&few, RankBy::Sales, &words).rest.is_none());
    }
}
