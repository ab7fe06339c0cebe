//! Invented days for the tests of these pages.

use super::*;
use crate::campaigns::DeliveryState;
use crate::ids::{CampaignId, ContactId, StoreId};
use crate::metrics::{DayRow, Figure};
use crate::time::HOUR_MS;
use crate::web::care::sample_follow_ups;
use crate::web::samples::NOW;

pub fn figure(code: &str, now: i64, before: i64) -> Figure {
    Figure {
        code: code.into(),
        numerator: Some(now),
        denominator: None,
        previous_numerator: Some(before),
        previous_denominator: None,
    }
}

fn days(sums: &[i64]) -> Vec<DayRow> {
    let first = NOW.day(chrono_tz::Asia::Shanghai).plus(-(sums.len() as i64) + 1);
    let day = |(index, sum): (usize, &i64)| DayRow {
        day: Some(first.plus(index as i64)),
        net_sales_fen: Fen(sum * 100),
        orders: sum / 800,
        ..DayRow::default()
    };
    sums.iter().enumerate().map(day).collect()
}

/// Days that add up to the figure.
pub fn week() -> OwnResults {
    let (now, before) = (
        [9_860, 11_200, 10_480, 13_300, 15_900, 20_100, 17_800],
        [9_100, 9_800, 11_000, 10_300, 12_600, 17_400, 16_180],
    );
    OwnResults {
        net_sales: figure(
            "net_sales",
            now.iter().sum::<i64>() * 100,
            before.iter().sum::<i64>() * 100,
        ),
        orders: figure("orders", 118, 104),
        days: days(&now),
        previous_days: days(&before),
        rank: Some(2),
        of: 8,
        new_contacts: figure("new_contacts", 13, 16),
        lost_contacts: figure("lost_contacts", 1, 0),
        delivered: figure("delivered", 214, 180),
        clicks: figure("clicks", 63, 48),
        contacts: 428,
    }
}

pub fn no_week() -> OwnResults {
    OwnResults {
        net_sales: figure("net_sales", 0, 0),
        orders: figure("orders", 0, 0),
        days: days(&[0; 7]),
        previous_days: days(&[0; 7]),
        rank: None,
        of: 0,
        new_contacts: figure("new_contacts", 0, 0),
        lost_contacts: figure("lost_contacts", 0, 0),
        delivered: figure("delivered", 0, 0),
        clicks: figure("clicks", 0, 0),
        contacts: 0,
    }
}

pub fn batch(number: i64, name: &str, names: &[&str], contacts: i64) -> WaitingBatch {
    WaitingBatch {
        batch_id: BatchId(500 + number),
        campaign_id: CampaignId(70 + number),
        campaign_name: name.into(),
        text: "你好，上次你挑的那条连衣裙出了加绒款，金卡会员可以提前两天选，颜色多了一个灰豆绿。\n链接我放在下面，喜欢先帮你留。".into(),
        contacts,
        names: names.iter().map(|name| (*name).into()).collect(),
        ends_at: Some(NOW.plus_ms(number * 15 * HOUR_MS / 2)),
        handed_at: Some(NOW.plus_ms(-HOUR_MS)),
        confirmed_at: None,
    }
}

pub fn done(number: i64, name: &str, contacts: i64) -> WaitingBatch {
    let confirmed_at = Some(NOW.plus_ms(-number * HOUR_MS / 2));
    WaitingBatch {
        confirmed_at,
        ..batch(number, name, &["李静"], contacts)
    }
}

pub fn greeting(number: i64, name: &str, reason: &str, about: Option<&str>) -> Greeting {
    Greeting {
        contact_id: ContactId(100 + number),
        name: name.into(),
        reason: reason.into(),
        number,
        about: about.map(str::to_owned),
    }
}

pub fn delivery(number: i64, name: &str, state: DeliveryState) -> Delivery {
    Delivery {
        contact_id: ContactId(100 + number),
        contact_name: name.into(),
        associate_id: Some(AssociateId(31)),
        store_id: Some(StoreId(21)),
        batch_id: Some(BatchId(501)),
        state,
        reason: None,
        sent_at: None,
    }
}

impl WorkbenchPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |waiting: Vec<WaitingBatch>, done, moments: Vec<MomentRow>, week, greetings| {
            let shell = Shell {
                waiting: (waiting.len() + moments.len()) as i64,
                ..shell.clone()
            };
            let due = match moments.is_empty() {
                true => Vec::new(),
                false => vec![
                    sample_follow_ups(1, "问她羊绒大衣要不要留 M 码", -3),
                    sample_follow_ups(2, "生日送小样", 0),
                ],
            };
            Self {
                due_count: due.len() as i64 * 2,
                due,
                shell,
                waiting,
                done,
                moments,
                week,
                greetings,
            }
        };
        let first = batch(1, "冬日连衣裙 · 金卡会员先享", &["王莉", "赵一诺", "黄珊"], 32);
        let next = batch(5, "回访：到货 7 天还没穿搭反馈", &["孙婷", "何雨桐"], 4);
        let done = || vec![done(1, "生日祝福", 6), done(2, "新客问候", 3)];
        let greetings = || {
            vec![
                greeting(3, "黄珊", "clicked_not_bought", Some("羊绒大衣")),
                greeting(62, "何雨桐", "quiet", None),
                greeting(2, "李静", "birthday", None),
                greeting(0, "阿珊@微信", "new", None),
            ]
        };
        let post = crate::web::moments::sample_row(1, "planned", 1, 0);
        let many = (1..=9).map(|number| {
            batch(
                number,
                "一条名字特别长的群发任务，写满两行也要排得下，不能把旁边的数字挤出去",
                &["王莉"],
                9_876,
            )
        });
        vec![
            (
                "typical",
                page(vec![first, next], done(), vec![post.clone()], week(), greetings()),
            ),
            ("empty", page(vec![], vec![], vec![], no_week(), vec![])),
            ("done", page(vec![], done(), vec![], week(), vec![])),
            (
                "crowded",
                page(many.collect(), done(), vec![post; 3], week(), greetings()),
            ),
        ]
    }
}

impl TaskPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        use crate::campaigns::DeliveryState::{Failed, Sent, Tasked};
        let shell = Shell {
            address: "/tasks/501".into(),
            ..shell.clone()
        };
        let people = |states: &[crate::campaigns::DeliveryState]| {
            let names = ["王莉", "赵一诺", "黄珊"];
            let one = |(number, state)| delivery(number, names[number as usize % 3], state);
            (0..).zip(states.iter().copied()).map(one).collect::<Vec<_>>()
        };
        let batch = batch(1, "冬日连衣裙 · 金卡会员先享", &["王莉", "赵一诺", "黄珊"], 32);
        let sent = done(1, "生日祝福", 3);
        vec![
            (
                "typical",
                Self {
                    shell: shell.clone(),
                    batch,
                    people: people(&[Tasked; 3]),
                },
            ),
            (
                "done",
                Self {
                    shell,
                    batch: sent,
                    people: people(&[Sent, Sent, Failed]),
                },
            ),
        ]
    }
}
