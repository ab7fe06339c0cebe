//! How a customer stands: the very stage and scores that rules find them by, and the quota that is left.

use dianyu::auth::Role;
use dianyu::ids::ContactId;
use dianyu::segments::{self, Rfm, Rule, Scored, Stage};
use dianyu::time::Day;
use serde_json::json;

use crate::files::Program;
use crate::visitor::Visitor;
use crate::world::{World, contact};

const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

impl World {
    async fn sold(&self, id: i64, number: i64, day: &str, paid: i64) {
        let at = Day::parse(day).unwrap().start(ZONE).0 + 3_600_000;
        self.run(&format!(
            "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen, items, body_hash, created_at)
             values (1, {id}, 'o{id}', 21, 'till', {at}, '{day}', 1, {number}, {paid}, {paid}, 1, '', 0)"
        ))
        .await;
    }

    async fn found_by(&self, rule: &Rule) -> Vec<ContactId> {
        segments::people(&self.app.db, &self.whole(), rule, ZONE, self.now())
            .await
            .unwrap()
    }
}

/// Orders of nine contacts over a year and more, refunds, clicks, and people added at other times.
async fn furnish(shop: &World) {
    let days = [
        "2026-11-23",
        "2026-10-24",
        "2026-10-23",
        "2026-08-25",
        "2026-08-24",
        "2025-11-24",
        "2025-11-23",
        "2024-01-01",
    ];
    let mut id = 0;
    for number in 101..=109_i64 {
        for (place, day) in days.iter().enumerate() {
            if (number * 7 + place as i64 * 5) % 4 == 0 || place as i64 == number - 102 {
                id += 1;
                shop.sold(id, number, day, (number % 5 + 1) * 10_000 + id).await;
            }
        }
    }
    shop.run(
        "insert into refund (corp_id, id, refund_no, order_no, order_id, refunded_at, day, refund_fen, lines, body_hash, created_at)
         values (1, 1, 'r1', 'o3', 3, 0, '2026-11-05', 9800, '[]', '', 0)",
    )
    .await;
    for (number, day) in [(110, "2026-10-24"), (111, "2026-10-23"), (112, "2025-11-22")] {
        let at = Day::parse(day).unwrap().start(ZONE).0;
        shop.run(&format!(
            "update follow set added_at = {at}, added_day = '{day}' where contact_id = {number}"
        ))
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_stands_where_rules_find_them() {
    let shop = World::open().await;
    furnish(&shop).await;
    let (mut stages, mut scored) = (std::collections::BTreeSet::new(), 0);
    for number in 101..=112 {
        let id = contact(number);
        let standing = segments::standing(&shop.app, &shop.whole(), id, ZONE, shop.now())
            .await
            .unwrap();
        for stage in [
            Stage::New,
            Stage::Active,
            Stage::Cooling,
            Stage::Dormant,
            Stage::Lost,
        ] {
            let is_found = shop.found_by(&Rule::Stage(stage)).await.contains(&id);
            assert_eq!(
                standing.stage == Some(stage),
                is_found,
                "{number} {stage:?}: {standing:?}"
            );
            if is_found {
                stages.insert(format!("{stage:?}"));
            }
        }
        let scores = match standing.rfm {
            Scored::Scores(scores) => {
                scored += 1;
                [scores.r, scores.f, scores.m]
            }
            Scored::NoOrders => [0; 3],
            Scored::Counting => panic!("a dozen are counted at once"),
        };
        for score in 1..=5 {
            let one = |place: usize| {
                let mut rfm = Rfm::default();
                [&mut rfm.r, &mut rfm.f, &mut rfm.m][place].push(score);
                Rule::Rfm(rfm)
            };
            for (place, held) in scores.into_iter().enumerate() {
                let is_found = shop.found_by(&one(place)).await.contains(&id);
                assert_eq!(
                    held == score,
                    is_found,
                    "{number}: {scores:?}, score {score} of {place}"
                );
            }
        }
    }
    assert!(stages.len() >= 4, "{stages:?}");
    assert!(scored >= 6, "{scored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_api_tell_figures_stage_scores_and_quota() {
    let shop = World::open().await;
    shop.sold(1, 102, "2026-11-21", 39_800).await;
    let sent = shop.now().plus_ms(-3 * dianyu::time::DAY_MS).0;
    shop.run(&format!(
        "insert into delivery (corp_id, campaign_id, contact_id, associate_id, store_id, batch_id, state, sent_at, updated_at)
         values (1, 501, 102, 31, 21, 511, 'sent', {sent}, 0)"
    ))
    .await;
    shop.run("insert into quota_use (corp_id, contact_id, window_key, used) values (1, 102, '2026-11', 3)")
        .await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let page = li.get("/contacts/102").await.text;
    for word in [
        "30 天前",
        "2 天前",
        "3 天前",
        "活跃",
        "近 1 · 频 1 · 额 1",
        "本月还剩 <b>27</b> 次，共 30 次",
    ] {
        assert!(page.contains(word), "`{word}`: {page}");
    }
    let page = li.get("/contacts/103").await.text;
    assert!(
        page.contains("新客户") && page.contains("近 12 月没有下单") && page.contains("<b>30</b> 次"),
        "{page}"
    );

    let program = Program::of(&shop, &["contacts:read"]).await;
    let told = program.get("/contacts/102/standing").await.json();
    assert_eq!(told["stage"], "active");
    assert_eq!(
        (&told["rfm_state"], &told["rfm"]["m"]),
        (&json!("scored"), &json!(1))
    );
    assert_eq!(told["quota"]["left"], 27);
    assert_eq!(told["quota"]["renews_at"], "2026-11-30T16:00:00Z");
    let nothing = program.get("/contacts/103/standing").await.json();
    assert_eq!(
        (&nothing["rfm_state"], &nothing["rfm"]),
        (&json!("no_orders"), &json!(null))
    );

    shop.run("update quota_use set used = 30 where contact_id = 102")
        .await;
    let page = li.get("/contacts/102").await.text;
    assert!(
        page.contains("<b>0</b> 次") && page.contains("起重新计"),
        "{page}"
    );
}
