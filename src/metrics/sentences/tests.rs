//! Sentences from figures, as they would be said.

use super::*;
use crate::ids::{RegionId, StoreId};
use crate::metrics::{Figure, RegionRow, StoreRow};

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn figure(code: &str, now: i64, before: i64) -> Figure {
    Figure {
        code: code.into(),
        numerator: Some(now),
        denominator: None,
        previous_numerator: Some(before),
        previous_denominator: None,
    }
}

fn report(now: i64, before: i64, added: (i64, i64), why: &[(&str, i64)]) -> Report {
    Report {
        store_id: StoreId(21),
        store_code: "S1".into(),
        store_name: "静安嘉里店".into(),
        from: day("2026-11-16"),
        to: day("2026-11-22"),
        compare_from: day("2026-11-09"),
        compare_to: day("2026-11-15"),
        figures: vec![
            figure("net_sales", now, before),
            figure("new_contacts", added.0, added.1),
            Figure {
                denominator: Some(100),
                previous_denominator: Some(100),
                ..figure("task_done", 84, 91)
            },
        ],
        days: vec![],
        previous_days: vec![],
        associates: vec![],
        why: why
            .iter()
            .map(|(code, fen)| Contribution {
                code: (*code).into(),
                change_fen: Fen(*fen),
                note: None,
            })
            .collect(),
        sources: vec![],
        funnel: vec![],
        hours: vec![],
        online_fen: Fen::ZERO,
        till_fen: Fen::ZERO,
        target_fen: None,
    }
}

#[test]
fn a_report_says_how_much_and_mostly_why() {
    let today = day("2026-11-22");
    let gain = [
        ("store_link", 2_951_200),
        ("till_price", 2_051_000),
        ("till_visits", -739_200),
    ];
    let loss = [
        ("store_link", 100),
        ("refunds", -3_000_000),
        ("till_visits", -900_000),
    ];
    let cases = [
        (
            report(38_642_000, 34_379_000, (96, 118), &gain),
            "本周卖了 38.6 万，比上周多 4.3 万。多出来的大半来自小店链接。",
            Some("要留意：新加的客户少了 22 位。"),
            "Sales this week were ¥386,420, up ¥42,630 on last week. Most of the gain came from store links.",
        ),
        (
            report(30_479_100, 34_379_000, (118, 118), &loss),
            "本周卖了 30.5 万，比上周少 3.9 万。少掉的大半是退款变多。",
            Some("要留意：任务完成率低了 7.0 点，还有 16 件没做。"),
            "Sales this week were ¥304,791, down ¥38,999 on last week. Most of the drop came from more refunds.",
        ),
        (
            report(0, 0, (0, 0), &[]),
            "本周还没有成交。",
            Some("要留意：任务完成率低了 7.0 点，还有 16 件没做。"),
            "Nothing was sold this week.",
        ),
        (
            report(120_000, 0, (0, 2), &[("till_visits", 120_000)]),
            "本周卖了 1,200 元；上周没有成交，没法比。",
            Some("要留意：任务完成率低了 7.0 点，还有 16 件没做。"),
            "Sales this week were ¥1,200; there is nothing to compare with last week.",
        ),
    ];
    for (report, zh, watch, en) in cases {
        let (text, note) = sentences(&report, today, Lang::Zh);
        assert_eq!((text.as_str(), note.as_deref()), (zh, watch));
        assert_eq!(sentences(&report, today, Lang::En).0, en);
    }
}

#[test]
fn an_overview_says_who_is_falling() {
    let region = |name: &str, now: i64, before: i64| RegionRow {
        region_id: RegionId(1),
        name: name.into(),
        stores: 1,
        net_sales_fen: Fen(now),
        previous_net_sales_fen: Fen(before),
        online_share: figure("online_share", 0, 0),
        task_done: figure("task_done", 0, 0),
        days: vec![],
        previous_days: vec![],
    };
    let overview = |regions: Vec<RegionRow>| Overview {
        from: day("2026-11-16"),
        to: day("2026-11-22"),
        compare_from: day("2026-11-09"),
        compare_to: day("2026-11-15"),
        stores: 3,
        figures: vec![figure("net_sales", 1_075_000_000, 1_027_600_000)],
        days: vec![],
        previous_days: vec![],
        regions,
        by_store: vec![StoreRow {
            store_id: StoreId(23),
            name: "北京三里屯店".into(),
            region_name: "华北".into(),
            net_sales_fen: Fen(62),
            previous_net_sales_fen: Fen(100),
            batches_waiting: 0,
            new_contacts: 0,
            previous_new_contacts: 0,
        }],
    };
    let today = day("2026-11-22");
    let one = overview(vec![
        region("华东", 2, 1),
        region("华北", 223_900_000, 241_900_000),
    ]);
    let (text, note) = overview_sentences(&one, today, Lang::Zh);
    assert_eq!(
        text,
        "本周卖了 1,075 万，比上周多 47.4 万。只有华北在掉，少了 18.0 万。"
    );
    assert_eq!(note.as_deref(), Some("掉得最多的是北京三里屯店，少了 38.0%。"));
    let none = overview(vec![region("华东", 2, 1), region("华北", 2, 2)]);
    let (text, _) = overview_sentences(&none, today, Lang::En);
    assert_eq!(
        text,
        "Sales this week were ¥10.75M, up ¥474,000 on last week. No region is down."
    );
    let two = overview(vec![region("华东", 100, 500), region("华北", 100, 900)]);
    let (text, _) = overview_sentences(&two, today, Lang::Zh);
    assert!(text.ends_with("2 个区域在掉，华北少得最多，8 元。"), "{text}");
}
