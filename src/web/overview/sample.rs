//! Invented regions for the tests of the page.

use super::OverviewPage;
use crate::campaigns::{Campaign, CampaignState, Progress};
use crate::ids::{CampaignId, RegionId, StoreId};
use crate::links::content::Content;
use crate::metrics::{DayRow, Figure, Lang, Overview, RegionRow, StoreRow};
use crate::money::Fen;
use crate::segments::{Rule, Stage};
use crate::time::Day;
use crate::web::Shell;
use crate::web::span::SpanQuery;

fn day(text: &str) -> Day {
    Day::parse(text).expect("a day written here")
}

fn figure(code: &str, now: (i64, Option<i64>), before: (i64, Option<i64>)) -> Figure {
    Figure {
        code: code.into(),
        numerator: Some(now.0),
        denominator: now.1,
        previous_numerator: Some(before.0),
        previous_denominator: before.1,
    }
}

const SHAPE: [i64; 7] = [118, 124, 122, 132, 153, 224, 202];

fn rows(from: Day, factor: i64) -> Vec<DayRow> {
    let row = |(offset, value): (i64, i64)| DayRow {
        day: Some(from.plus(offset)),
        net_sales_fen: Fen::yuan(value * factor),
        orders: value,
        new_contacts: value * 9,
        online_fen: Fen::yuan(value * factor * (24 + offset) / 100),
        tasks_due: 300,
        tasks_done: 270 - offset,
    };
    (0..).zip(SHAPE).map(row).collect()
}

fn region(id: i64, name: &str, stores: i64, now: i64, before: i64, online: i64) -> RegionRow {
    let series = |total: i64| {
        SHAPE
            .iter()
            .map(|share| total * share / 1_075)
            .collect::<Vec<_>>()
    };
    RegionRow {
        region_id: RegionId(id),
        name: name.into(),
        stores,
        net_sales_fen: Fen::yuan(now),
        previous_net_sales_fen: Fen::yuan(before),
        online_share: figure("online_share", (online, Some(1_000)), (online - 20, Some(1_000))),
        task_done: figure("task_done", (88, Some(100)), (0, Some(0))),
        days: series(now),
        previous_days: series(before),
    }
}

fn store(id: i64, name: &str, region: &str, now: i64, before: i64, waiting: i64) -> StoreRow {
    StoreRow {
        store_id: StoreId(id),
        name: name.into(),
        region_name: region.into(),
        net_sales_fen: Fen::yuan(now),
        previous_net_sales_fen: Fen::yuan(before),
        batches_waiting: waiting,
        new_contacts: 40,
        previous_new_contacts: 62,
    }
}

fn typical() -> Overview {
    let net = |rows: &[DayRow]| rows.iter().map(|row| row.net_sales_fen.0).sum::<i64>();
    let (days, previous_days) = (rows(day("2026-11-16"), 10_002), rows(day("2026-11-09"), 9_559));
    Overview {
        from: day("2026-11-16"),
        to: day("2026-11-22"),
        compare_from: day("2026-11-09"),
        compare_to: day("2026-11-15"),
        stores: 116,
        figures: vec![
            figure("net_sales", (net(&days), None), (net(&previous_days), None)),
            figure("online_share", (267, Some(1_000)), (244, Some(1_000))),
            figure("new_contacts", (11_284, None), (10_955, None)),
            figure("task_done", (886, Some(1_000)), (895, Some(1_000))),
        ],
        days,
        previous_days,
        regions: vec![
            region(11, "华东", 42, 4_126_000, 3_680_000, 284),
            region(12, "华南", 31, 2_873_000, 2_811_000, 312),
            region(13, "华北", 27, 2_419_000, 2_598_000, 196),
            region(14, "西南", 16, 1_334_000, 1_187_000, 249),
        ],
        by_store: vec![
            store(23, "北京三里屯店", "华北", 62_000, 100_000, 0),
            store(24, "宁波天一店", "华东", 79_000, 100_000, 3),
            store(25, "深圳万象城店", "华南", 83_000, 100_000, 0),
            store(26, "苏州中心店", "华东", 98_000, 100_000, 1),
            store(21, "静安嘉里店", "华东", 386_420, 343_790, 0),
        ],
    }
}

fn campaign(id: i64, name: &str) -> Campaign {
    let now = crate::web::samples::NOW;
    Campaign {
        id: CampaignId(id),
        name: name.into(),
        state: CampaignState::Running,
        segment_id: None,
        rule: Rule::Stage(Stage::Active),
        content: Content::default(),
        send_at: None,
        zone: "Asia/Shanghai".into(),
        deadline: None,
        late_after_minutes: 0,
        holdout_percent: 10,
        priority: 0,
        created_by: "operator:1".into(),
        approved_by: None,
        starts_at: Some(now),
        ends_at: None,
        frozen_at: Some(now),
        started_at: Some(now),
        finished_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

impl OverviewPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |overview: Overview, running: &[(Campaign, Progress)]| {
            let (answer, watch) = match shell.lang {
                Lang::Zh => (
                    "全国卖了 1,075 万，比上周多 4.6%。只有华北在掉，少了 18 万。",
                    "华北 27 家店里 6 家在掉。",
                ),
                Lang::En => (
                    "¥10.75M in all, 4.6% more than last week. Only 华北 falls, by ¥179,000.",
                    "6 of its 27 stores fall.",
                ),
            };
            let query = SpanQuery {
                at: "2026-11-22".into(),
                ..SpanQuery::default()
            };
            let today = day("2026-11-23");
            let shown = query.read(today).expect("a span written here");
            let sentences = (answer.to_owned(), Some(watch.to_owned()));
            let before: Vec<_> = overview
                .previous_days
                .iter()
                .map(|row| row.net_sales_fen)
                .collect();
            Self::new(
                shell.clone(),
                &overview,
                &before,
                sentences,
                running,
                &shown,
                today,
            )
        };
        let progress = Progress {
            eligible: 2_954,
            sent: 1_846,
            ..Progress::default()
        };
        let running = [
            (campaign(1, "冬日连衣裙 · 金卡会员先享"), progress),
            (campaign(2, "会员日提醒"), Progress::default()),
        ];
        let empty = Overview {
            stores: 0,
            figures: Vec::new(),
            days: Vec::new(),
            previous_days: Vec::new(),
            regions: Vec::new(),
            by_store: Vec::new(),
            ..typical()
        };
        let many = (0..20).map(|id| {
            store(
                100 + id,
                "上海静安嘉里中心北区二层旗舰店",
                "长三角及周边",
                40_000 - id,
                90_000,
                id,
            )
        });
        let crowded = Overview {
            by_store: many.collect(),
            ..typical()
        };
        vec![
            ("typical", page(typical(), &running)),
            ("empty", page(empty, &[])),
            ("crowded", page(crowded, &[])),
        ]
    }
}
