//! Invented stores for the tests of the page: one that sells, one with nothing yet, one with a full month.

use super::OrdersPage;
use super::page::{RankBy, ReportPage};
use crate::ids::{AssociateId, ContactId, OrderId, StoreId};
use crate::metrics::{AssociateRow, Contribution, DayRow, Figure, Lang, Report, SourceRow};
use crate::money::Fen;
use crate::orders::Order;
use crate::page::Page;
use crate::time::Day;
use crate::web::Shell;
use crate::web::span::{Shown, SpanQuery};

fn day(text: &str) -> Day {
    Day::parse(text).expect("a day written here")
}

fn shown(period: &str, at: &str) -> Shown {
    let query = SpanQuery {
        period: period.into(),
        at: at.into(),
        ..SpanQuery::default()
    };
    query.read(day("2026-11-23")).expect("a span written here")
}

/// `NOW` and `BEFORE` add up to the figures of the typical sample.
const NOW: [(i64, i64, i64, i64, i64); 7] = [
    (38_200, 46, 14, 9_300, 10),
    (41_560, 51, 13, 10_200, 12),
    (44_310, 53, 11, 11_100, 13),
    (46_980, 58, 10, 12_300, 13),
    (58_720, 71, 12, 16_400, 14),
    (82_150, 97, 20, 24_200, 14),
    (74_500, 86, 16, 21_990, 15),
];
const BEFORE: [(i64, i64, i64, i64, i64); 7] = [
    (36_900, 45, 16, 7_300, 10),
    (39_800, 49, 15, 8_100, 11),
    (38_200, 45, 17, 8_000, 12),
    (42_600, 52, 16, 9_600, 12),
    (52_700, 64, 17, 11_900, 12),
    (70_500, 95, 19, 16_200, 13),
    (63_090, 81, 18, 14_880, 14),
];

fn rows(from: Day, values: &[(i64, i64, i64, i64, i64)]) -> Vec<DayRow> {
    let row = |(offset, (net, orders, new, online, done)): (i64, &(i64, i64, i64, i64, i64))| DayRow {
        day: Some(from.plus(offset)),
        net_sales_fen: Fen::yuan(*net),
        orders: *orders,
        new_contacts: *new,
        online_fen: Fen::yuan(*online),
        tasks_due: 15,
        tasks_done: *done,
    };
    (0..).zip(values).map(row).collect()
}

fn sum(rows: &[DayRow], value: impl Fn(&DayRow) -> i64) -> Option<i64> {
    Some(rows.iter().map(value).sum())
}

fn figures(days: &[DayRow], previous: &[DayRow]) -> Vec<Figure> {
    let figure = |code: &str, top: fn(&DayRow) -> i64, bottom: Option<fn(&DayRow) -> i64>| Figure {
        code: code.into(),
        numerator: sum(days, top),
        denominator: bottom.and_then(|bottom| sum(days, bottom)),
        previous_numerator: sum(previous, top),
        previous_denominator: bottom.and_then(|bottom| sum(previous, bottom)),
    };
    vec![
        figure("net_sales", |row| row.net_sales_fen.0, None),
        figure("orders", |row| row.orders, None),
        figure("atv", |row| row.net_sales_fen.0, Some(|row| row.orders)),
        figure(
            "online_share",
            |row| row.online_fen.0,
            Some(|row| row.net_sales_fen.0),
        ),
        figure("new_contacts", |row| row.new_contacts, None),
        figure("task_done", |row| row.tasks_done, Some(|row| row.tasks_due)),
    ]
}

fn associate(index: i64, name: &str, now: i64, before: i64) -> AssociateRow {
    AssociateRow {
        associate_id: AssociateId(31 + index),
        name: name.into(),
        net_sales_fen: Fen::yuan(now),
        previous_net_sales_fen: Fen::yuan(before),
        orders: now / 836,
        new_contacts: 24 - index * 3,
        lost_contacts: index,
        tasks_due: 15,
        tasks_done: 15 - index,
        delivered: 200 - index * 12,
        clicks: 60 - index * 7,
    }
}

fn hours() -> Vec<Vec<i64>> {
    let open = [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4, 5, 3, 4, 5, 6, 7, 9, 6, 2, 0, 0,
    ];
    (0..7)
        .map(|day| open.iter().map(|count| count * (4 + day) / 6).collect())
        .collect()
}

fn contribution(code: &str, yuan: i64, note: Option<&str>) -> Contribution {
    Contribution {
        code: code.into(),
        change_fen: Fen::yuan(yuan),
        note: note.map(str::to_owned),
    }
}

fn source(source: &str, yuan: i64, orders: i64) -> SourceRow {
    SourceRow {
        source: source.into(),
        net_fen: Fen::yuan(yuan),
        orders,
    }
}

fn typical() -> Report {
    let (from, before) = (day("2026-11-16"), day("2026-11-09"));
    let (days, previous) = (rows(from, &NOW), rows(before, &BEFORE));
    let people = [
        ("林晓雯", 98_640, 86_375),
        ("徐佳", 84_210, 76_690),
        ("何倩", 71_530, 58_870),
        ("吴桐", 58_960, 57_190),
        ("马莉", 42_380, 45_280),
        ("赵颖", 30_700, 0),
    ];
    let people = (0..)
        .zip(people)
        .map(|(index, (name, now, before))| associate(index, name, now, before));
    Report {
        store_id: StoreId(21),
        store_code: "S1".into(),
        store_name: "静安嘉里店".into(),
        from,
        to: day("2026-11-22"),
        compare_from: before,
        compare_to: day("2026-11-15"),
        figures: figures(&days, &previous),
        associates: people.collect(),
        why: vec![
            contribution("store_link", 29_512, Some("冬日连衣裙")),
            contribution("till_price", 20_510, None),
            contribution("till_visits", -7_392, None),
        ],
        sources: vec![
            source("link", 82_300, 71),
            source("binding", 23_190, 26),
            source("home_store", 280_930, 365),
        ],
        funnel: vec![
            ("contacted".into(), 1_240),
            ("clicked".into(), 386),
            ("bought".into(), 97),
        ],
        hours: hours(),
        online_fen: Fen::yuan(105_490),
        till_fen: Fen::yuan(280_930),
        target_fen: Some(Fen::yuan(1_500_000)),
        days,
        previous_days: previous,
    }
}

fn empty() -> Report {
    Report {
        figures: figures(&[], &[])
            .into_iter()
            .map(|figure| Figure {
                numerator: None,
                previous_numerator: None,
                ..figure
            })
            .collect(),
        days: Vec::new(),
        previous_days: Vec::new(),
        associates: Vec::new(),
        why: Vec::new(),
        sources: Vec::new(),
        funnel: vec![
            ("contacted".into(), 0),
            ("clicked".into(), 0),
            ("bought".into(), 0),
        ],
        hours: vec![vec![0; 24]; 7],
        online_fen: Fen::ZERO,
        till_fen: Fen::ZERO,
        target_fen: None,
        ..typical()
    }
}

/// A month with more refunds than sales on one day, long names, many associates.
pub fn crowded() -> Report {
    let from = day("2026-10-01");
    let many: Vec<_> = (0..31)
        .map(|index| {
            if index == 9 {
                (-12_000, 2, 0, 0, 0)
            } else {
                NOW[index % 7]
            }
        })
        .collect();
    let (days, previous) = (rows(from, &many), rows(day("2026-09-01"), &many[..30]));
    let people =
        (0..24).map(|index| associate(index, "欧阳娜娜·亚历山德拉", 1_098_640 - index * 40_000, 986_375));
    Report {
        store_name: "上海静安嘉里中心北区二层旗舰店".into(),
        from,
        to: day("2026-10-31"),
        compare_from: day("2026-09-01"),
        compare_to: day("2026-09-30"),
        figures: figures(&days, &previous),
        associates: people.collect(),
        why: vec![
            contribution("refunds", -812_300, None),
            contribution("mini_store_other", 3, None),
            contribution("store_link", 0, None),
        ],
        days,
        previous_days: previous,
        ..typical()
    }
}

/// A week on its first day: one day to show, the week before whole.
fn begun() -> Report {
    let from = day("2026-11-23");
    let (days, previous) = (rows(from, &NOW[..1]), rows(from.plus(-7), &BEFORE[..1]));
    Report {
        from,
        to: from,
        compare_from: from.plus(-7),
        compare_to: from.plus(-7),
        figures: figures(&days, &previous),
        days,
        previous_days: previous,
        ..typical()
    }
}

/// Net sales of the whole period before.
fn before(report: &Report) -> Vec<Fen> {
    let days = if report.days.len() == 1 {
        rows(report.compare_from, &BEFORE)
    } else {
        report.previous_days.clone()
    };
    days.iter().map(|row| row.net_sales_fen).collect()
}

impl ReportPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |report: Report, period: &str, at: &str, zh: &str, en: &str, watch: Option<&str>| {
            let answer = match shell.lang {
                Lang::Zh => zh,
                Lang::En => en,
            };
            let sentences = (answer.to_owned(), watch.map(str::to_owned));
            let today = day("2026-11-23");
            Self::new(
                shell.clone(),
                &report,
                &before(&report),
                sentences,
                &shown(period, at),
                RankBy::Sales,
                today,
            )
        };
        vec![
            (
                "begun",
                page(
                    begun(),
                    "week",
                    "2026-11-23",
                    "本周到现在卖了 3.8 万，比上周一多 1,300。",
                    "¥38,200 so far this week, ¥1,300 more than last Monday.",
                    None,
                ),
            ),
            (
                "typical",
                page(
                    typical(),
                    "week",
                    "2026-11-22",
                    "本周卖了 38.6 万，比上周多 4.3 万。多出来的大半来自小店链接。",
                    "¥386,420 this week, ¥42,630 more than last week. Most of it came through store links.",
                    Some("要留意：新加的客户少了 22 位。")
                        .filter(|_| shell.lang == Lang::Zh)
                        .or(Some("Watch: 22 fewer new contacts.")),
                ),
            ),
            (
                "empty",
                page(
                    empty(),
                    "day",
                    "2026-11-23",
                    "今天还没有数字。",
                    "No figures for today yet.",
                    None,
                ),
            ),
            (
                "crowded",
                page(
                    crowded(),
                    "month",
                    "2026-10-31",
                    "十月卖了 167 万。",
                    "¥1.67M in October.",
                    None,
                ),
            ),
        ]
    }
}

impl OrdersPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let order = |index: i64| Order {
            id: OrderId(index),
            order_no: format!("M20261122{index:06}"),
            store_id: StoreId(21),
            store_name: "静安嘉里店".into(),
            channel: if index % 2 == 0 { "till" } else { "mini_store" }.into(),
            paid_at: shell.now.plus_ms(-index * 7_000_000),
            contact_id: (index % 3 == 0).then_some(ContactId(101)),
            paid_fen: Fen(128_600 + index * 50),
            refund_fen: Fen(if index == 4 { 128_600 } else { 0 }),
            items: 1 + index % 3,
            lines: Vec::new(),
        };
        let page = |orders: i64, next: Option<&str>| {
            let items = (0..orders).map(order).collect();
            let found = Page {
                items,
                next: next.map(str::to_owned),
            };
            let store = Some((StoreId(21), "静安嘉里店".to_owned()));
            Self::new(shell.clone(), found, store, day("2026-11-16"), day("2026-11-22"))
        };
        vec![
            ("typical", page(6, None)),
            ("empty", page(0, None)),
            ("crowded", page(20, Some("WzEsMl0"))),
        ]
    }
}
