//! Customer groups: who is in them since when, why they went, and what happens when nobody told us.

use dianyu::auth::Role;
use dianyu::db;
use dianyu::error::Error;
use dianyu::groups::{self, Looked, Reading, Told};
use dianyu::jobs;
use dianyu::sandbox::{Act, Fault, Knobs, Plan};
use dianyu::scope::Actor;
use dianyu::sync::{self, Outcome, Run};
use dianyu::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use dianyu::wecom::group::Group;
use serde_json::json;

use crate::street::Street;
use crate::visitor::Visitor;
use crate::world::{CORPID, World, contact};

impl Street {
    fn plays(&self, act: serde_json::Value) -> serde_json::Value {
        let act: Act = serde_json::from_value(act).unwrap();
        self.sandbox.act(CORPID, act).unwrap()
    }

    /// Li makes a group with these people.
    fn group(&self, name: &str, people: &[&str]) -> String {
        let made = self.plays(json!({"act": "create_group", "owner": "li", "name": name, "people": people}));
        made["chat_id"].as_str().unwrap().to_owned()
    }

    /// Lets what was told arrive, and the looks that follow at once.
    async fn look(&self) {
        self.settle().await;
        self.after(3 * SECOND_MS);
        self.settle().await;
    }

    /// Nobody tells us any more.
    fn is_deaf(&self) {
        self.sandbox.set_knobs(Knobs {
            callbacks_dropped: 100,
            ..self.sandbox.knobs()
        });
    }

    async fn sync(&self) -> Run {
        let run = self.shop.start_run().await;
        assert_eq!(self.shop.carry_on(run).await.unwrap(), Outcome::Done);
        self.shop.sync_run(run).await
    }
}

impl World {
    /// Every stretch there ever was: who, and how it ended and after how many seconds.
    async fn stretches(&self) -> Vec<String> {
        let sql = "select member || ' ' || coalesce(left_cause, '-') || ' '
                     || coalesce(cast((left_at - joined_at) / 1000 as text), '-')
                   from group_member order by member, joined_at, id";
        db::scalars(&self.app.db, sql, vec![]).await.unwrap()
    }

    async fn groups(&self) -> Vec<String> {
        let sql = "select name || ' ' || owner_userid || ' ' || coalesce(ended_cause, '-')
                   from customer_group order by chat_id";
        db::scalars(&self.app.db, sql, vec![]).await.unwrap()
    }

    async fn reads_group(&self, read_at: Timestamp, shown: Option<&Group>, told: Option<&Told>) -> Looked {
        let reading = Reading {
            corp: self.corp,
            read_at,
        };
        let tx = self.begin().await;
        let act = self.app.act(Actor::Platform);
        let looked = reading.of_group(&tx, &act, "wrOne", shown, told).await.unwrap();
        tx.commit().await.unwrap();
        looked
    }
}

#[tokio::test]
async fn a_group_is_known_with_everybody_in_it_and_those_who_went_with_when_and_why() {
    let street = Street::open().await;
    let shop = &street.shop;
    let id = street.group("新品先看", &["wu", "wmSim101", "wmSim102"]);
    street.passer_by("wmNobody1");
    street.look().await;
    street.after(MINUTE_MS);
    street.plays(json!({"act": "join_group", "chat_id": id, "person": "wmNobody1"}));
    street.plays(json!({"act": "leave_group", "chat_id": id, "person": "wmSim101"}));
    street.plays(json!({"act": "remove_from_group", "chat_id": id, "person": "WU"}));
    street.look().await;
    assert_eq!(shop.groups().await, ["新品先看 li -"]);
    let stretches = [
        "li - -",
        "wmNobody1 - -",
        "wmSim101 left 63",
        "wmSim102 - -",
        "wu removed 63",
    ];
    assert_eq!(shop.stretches().await, stretches);
    let by_code =
        "select count(*) from group_member where member = 'wmNobody1' and join_scene = 3 and kind = 2";
    assert_eq!(shop.number(by_code).await, 1);
    let invited = "select count(*) from group_member where invitor = 'li' and join_scene = 1";
    assert_eq!(shop.number(invited).await, 3);

    // Somebody who comes back begins another stretch.
    street.after(HOUR_MS);
    street.plays(json!({"act": "join_group", "chat_id": id, "person": "wmSim101", "invitor": "li"}));
    street.look().await;
    let theirs: Vec<String> = shop
        .stretches()
        .await
        .into_iter()
        .filter(|one| one.starts_with("wmSim101"))
        .collect();
    assert_eq!(theirs, ["wmSim101 left 63", "wmSim101 - -"]);
}

#[tokio::test]
async fn a_name_a_notice_and_an_owner_follow_the_platform() {
    let street = Street::open().await;
    let id = street.group("一群", &["wu"]);
    street.plays(json!({"act": "rename_group", "chat_id": id, "name": "二群"}));
    street.plays(json!({"act": "change_group_notice", "chat_id": id, "notice": "周六上新"}));
    street.plays(json!({"act": "change_group_owner", "chat_id": id, "member": "WU"}));
    street.look().await;
    assert_eq!(street.shop.groups().await, ["二群 wu -"]);
    assert_eq!(
        street.calls_of("externalcontact/groupchat/get"),
        1,
        "four events are one look"
    );
    assert_eq!(
        street
            .shop
            .number("select count(*) from customer_group where notice = '周六上新'")
            .await,
        1
    );
    street.after(HOUR_MS);
    street.settle().await;
    street.after(HOUR_MS);
    street.settle().await;
    assert_eq!(
        street.calls_of("externalcontact/groupchat/get"),
        4,
        "and three later ones"
    );
}

#[tokio::test]
async fn a_dismissed_group_is_over_with_everybodys_stretch_and_is_not_shown() {
    let street = Street::open().await;
    let shop = &street.shop;
    let id = street.group("一群", &["wmSim101"]);
    let other = street.group("二群", &["wmSim101", "wmSim102"]);
    street.look().await;
    let shown = groups::of_contact(&shop.app.db, &shop.whole(), contact(101))
        .await
        .unwrap();
    assert_eq!(
        shown.items.iter().map(|group| group.members).collect::<Vec<_>>(),
        [3, 2]
    );
    assert_eq!(shown.items[0].owner_name.as_deref(), Some("李晓雯"));
    street.after(MINUTE_MS);
    street.plays(json!({"act": "dismiss_group", "chat_id": id}));
    street.plays(json!({"act": "leave_group", "chat_id": other, "person": "wmSim102"}));
    street.look().await;
    let ended =
        "select count(*) from group_member where left_cause = 'ended' and left_at - joined_at = 63000";
    assert_eq!(shop.number(ended).await, 2);
    assert_eq!(
        shop.number("select count(*) from customer_group where ended_cause = 'dismissed'")
            .await,
        1
    );
    let shown = groups::of_contact(&shop.app.db, &shop.whole(), contact(101))
        .await
        .unwrap();
    assert_eq!(
        shown
            .items
            .iter()
            .map(|group| group.name.as_str())
            .collect::<Vec<_>>(),
        ["二群"]
    );
    let shown = groups::of_contact(&shop.app.db, &shop.whole(), contact(102))
        .await
        .unwrap();
    assert_eq!(shown.items, []);
}

#[tokio::test]
async fn events_that_come_late_twice_and_out_of_order_end_the_same() {
    let mut ends = Vec::new();
    for (shuffled, doubled) in [(0, 0), (100, 0), (60, 100)] {
        let street = Street::open().await;
        street.sandbox.set_knobs(Knobs {
            callbacks_shuffled: shuffled,
            callbacks_doubled: doubled,
            group_lag_ms: 10 * SECOND_MS,
            ..street.sandbox.knobs()
        });
        let id = street.group("一群", &["wmSim101", "wmSim102"]);
        street.after(HOUR_MS);
        street.plays(json!({"act": "leave_group", "chat_id": id, "person": "wmSim101"}));
        street.after(SECOND_MS);
        street.plays(json!({"act": "join_group", "chat_id": id, "person": "wmSim101"}));
        street.after(SECOND_MS);
        street.plays(json!({"act": "remove_from_group", "chat_id": id, "person": "wmSim102"}));
        street.look().await;
        street.after(2 * MINUTE_MS);
        street.settle().await;
        assert_eq!(street.shop.groups().await, ["一群 li -"]);
        ends.push(street.shop.stretches().await);
    }
    assert!(ends.windows(2).all(|two| two[0] == two[1]), "{ends:#?}");
    let last = [
        "li - -",
        "wmSim101 left 3600",
        "wmSim101 - -",
        "wmSim102 removed 3602",
    ];
    assert_eq!(ends[0], last);
}

fn one(shop: &World, people: &[(&str, i64)]) -> Group {
    let members = people
        .iter()
        .map(|(id, joined)| json!({"userid": id, "type": 2, "join_time": joined, "join_scene": 3}));
    Group {
        chat_id: "wrOne".into(),
        name: "一群".into(),
        owner: "li".into(),
        create_time: shop.now().plus_ms(-DAY_MS),
        notice: String::new(),
        members: serde_json::from_value(members.collect()).unwrap(),
        admins: vec![],
        member_version: String::new(),
    }
}

#[tokio::test]
async fn a_look_begun_earlier_changes_nothing_and_a_young_stretch_is_not_ended_by_a_stale_one() {
    let shop = World::open().await;
    let (now, day_ago) = (shop.now(), shop.now().plus_ms(-DAY_MS).seconds());
    let full = one(&shop, &[("wmA", day_ago), ("wmB", now.seconds())]);
    assert!(shop.reads_group(now, Some(&full), None).await.is_changed);
    let earlier = now.plus_ms(-1);
    let bare = one(&shop, &[]);
    assert_eq!(
        shop.reads_group(earlier, Some(&bare), None).await,
        Looked::default()
    );
    assert_eq!(shop.reads_group(earlier, None, None).await, Looked::default());
    assert_eq!(shop.stretches().await, ["wmA - -", "wmB - -"]);
    // B came this moment: reads may not show it yet.
    shop.reads_group(now, Some(&bare), None).await;
    assert_eq!(shop.stretches().await, ["wmA unseen 86400", "wmB - -"]);
    // A was only missing.
    shop.reads_group(now.plus_ms(9), Some(&full), None).await;
    assert_eq!(shop.stretches().await, ["wmA - -", "wmB - -"]);
    let looked = shop.reads_group(now.plus_ms(10), Some(&full), None).await;
    assert!(!looked.is_changed);
}

#[tokio::test]
async fn an_end_that_was_told_takes_the_place_of_one_that_was_noticed() {
    let shop = World::open().await;
    let (now, hour_ago) = (shop.now(), shop.now().plus_ms(-HOUR_MS));
    let full = one(&shop, &[("wmA", hour_ago.seconds())]);
    shop.reads_group(now.plus_ms(-30 * MINUTE_MS), Some(&full), None)
        .await;
    let left = Told::Left {
        ids: vec!["wmA".into()],
        is_removed: false,
        at: hour_ago.plus_ms(40 * MINUTE_MS),
    };
    // The platform still shows A: what was told is told again after another look.
    assert!(
        shop.reads_group(now.plus_ms(-2), Some(&full), Some(&left))
            .await
            .is_early
    );
    assert_eq!(shop.stretches().await, ["wmA - -"]);
    let bare = one(&shop, &[]);
    shop.reads_group(now.plus_ms(-1), Some(&bare), None).await;
    assert_eq!(shop.stretches().await, ["wmA unseen 3599"]);
    assert!(!shop.reads_group(now, Some(&bare), Some(&left)).await.is_early);
    assert_eq!(shop.stretches().await, ["wmA left 2400"]);

    let dismissed = Told::Dismissed {
        at: hour_ago.plus_ms(50 * MINUTE_MS),
    };
    assert!(shop.reads_group(now, None, None).await.is_closed);
    shop.reads_group(now, None, Some(&dismissed)).await;
    assert_eq!(shop.groups().await, ["一群 li dismissed"]);
    assert!(!shop.reads_group(now, None, None).await.is_closed, "once");
    // Shown again long after: it was out of sight, not gone.
    let again = now.plus_ms(DAY_MS);
    assert!(shop.reads_group(again, Some(&full), None).await.is_changed);
    assert_eq!(shop.groups().await, ["一群 li -"]);
    assert_eq!(shop.stretches().await, ["wmA - -"]);
}

#[tokio::test]
async fn what_no_event_told_is_found_by_the_sync_and_counted() {
    let street = Street::open().await;
    let shop = &street.shop;
    let (kept, gone) = (
        street.group("留", &["wmSim101"]),
        street.group("散", &["wmSim102"]),
    );
    street.look().await;
    street.is_deaf();
    street.after(2 * MINUTE_MS);
    street.plays(json!({"act": "rename_group", "chat_id": kept, "name": "留下"}));
    street.plays(json!({"act": "leave_group", "chat_id": kept, "person": "wmSim101"}));
    street.plays(json!({"act": "dismiss_group", "chat_id": gone}));
    street.group("新", &["wmSim103"]);
    let told = street.sync().await;
    let step = &told.steps[3];
    let figures = (step.done, step.total, step.seen, step.changed, step.closed);
    assert_eq!(figures, (3, 3, 2, 2, 1), "{step:?}");
    let mut groups = shop.groups().await;
    groups.sort();
    assert_eq!(groups, ["散 li unseen", "新 li -", "留下 li -"]);
    assert!(shop.stretches().await.contains(&"wmSim101 unseen 123".to_owned()));

    street.after(MINUTE_MS);
    let told = street.sync().await;
    assert_eq!((told.steps[3].total, told.corrections()), (2, 0));
}

#[tokio::test]
async fn a_group_whose_owner_left_keeps_its_people_and_says_so() {
    let street = Street::open().await;
    street.group("一群", &["wmSim101"]);
    street.look().await;
    street.plays(json!({"act": "resign", "member": "li"}));
    street.settle().await;
    street.sync().await;
    let status = "select count(*) from customer_group where status = 'owner_left' and ended_at is null";
    assert_eq!(street.shop.number(status).await, 1);
    assert_eq!(street.shop.stretches().await, ["li - -", "wmSim101 - -"]);
}

#[tokio::test]
async fn a_corp_too_large_for_one_list_is_listed_by_its_owners() {
    let street = Street::open().await;
    street.group("一群", &["wmSim101"]);
    street.is_deaf();
    street.sandbox.plan(Plan {
        api: "externalcontact/groupchat/list".into(),
        fault: Fault::Errcode(81017),
        times: 1,
    });
    let told = street.sync().await;
    assert_eq!((told.steps[3].done, told.steps[3].failed), (1, 0));
    let mut asked = street
        .sandbox
        .ledger()
        .into_iter()
        .filter(|entry| entry.api.ends_with("groupchat/list"));
    let owners = asked.next_back().unwrap().request["owner_filter"]["userid_list"].clone();
    assert_eq!(owners.as_array().map(Vec::len), Some(5));
}

#[tokio::test]
async fn a_sync_that_was_broken_off_looks_only_at_the_groups_that_are_left() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.is_deaf();
    for number in 0..100 {
        street.group(&format!("{number}群"), &["wmSim101"]);
    }
    let run = shop.start_run().await;
    street.sandbox.plan(Plan {
        api: "externalcontact/groupchat/get".into(),
        fault: Fault::DelayMs(20),
        times: 200,
    });
    let (app, corp) = (shop.app.clone(), shop.corp);
    let working = tokio::spawn(async move { sync::carry_on(&app, corp, run).await });
    while shop.sync_run(run).await.steps[3].done == 0 {
        assert!(!working.is_finished(), "it ended before the middle");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    working.abort();
    let _ = working.await;
    street.sandbox.forget_plans();
    let before = shop.sync_run(run).await;
    assert!(before.is_running() && before.steps[3].done < 100, "{before:?}");
    assert_eq!(before.steps[3].total, 100);
    shop.run("update sync_run set lease_until = 0").await;
    street.sandbox.forget_ledger();
    street.after(SECOND_MS);
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    assert_eq!((told.steps[3].done, told.steps[3].total), (100, 100));
    let left = 100 - before.steps[3].done as usize;
    assert_eq!(street.calls_of("externalcontact/groupchat/get"), left);
    assert_eq!(
        shop.number("select count(*) from group_member where left_at is null")
            .await,
        200
    );
}

#[tokio::test]
async fn only_those_who_may_see_the_contact_see_the_groups() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.group("静安 <新品>", &["wmSim102"]);
    street.look().await;
    jobs::settle(&shop.app).await;
    for scope in [shop.of_associate(34), shop.of_store(23)] {
        let refused = groups::of_contact(&shop.app.db, &scope, contact(102)).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    }
    let mut li = Visitor::of(shop, Role::Associate, None, Some(31)).await;
    let page = li.get("/contacts/102").await;
    let is_shown = page.text.contains("静安 &#60;新品&#62;") && page.text.contains("2 人");
    assert!(is_shown, "{}", page.text);
    let mut qian = Visitor::of(shop, Role::Associate, None, Some(34)).await;
    assert_eq!(qian.get("/contacts/102").await.status, 404);
}

#[tokio::test]
async fn a_group_of_another_store_is_counted_and_not_named() {
    let street = Street::open().await;
    let shop = &street.shop;
    // Li of one store and Zhao of another both know 101; a third group is of Li's colleague.
    street.group("静安新品", &["wmSim101"]);
    for (owner, name) in [("zhao", "湖滨会员"), ("wu", "静安老客")] {
        street.plays(json!({"act": "create_group", "owner": owner, "name": name, "people": ["wmSim101"]}));
    }
    street.look().await;
    jobs::settle(&shop.app).await;
    for (scope, named, others) in [
        (shop.whole(), vec!["湖滨会员", "静安新品", "静安老客"], 0),
        (shop.of_store(21), vec!["静安新品", "静安老客"], 1),
        (shop.of_store(22), vec!["湖滨会员"], 2),
        (shop.of_associate(31), vec!["静安新品"], 2),
    ] {
        let groups = groups::of_contact(&shop.app.db, &scope, contact(101))
            .await
            .unwrap();
        let mut names: Vec<&str> = groups.items.iter().map(|group| group.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!((names, groups.others), (named, others), "{scope:?}");
    }
    let mut li = Visitor::of(shop, Role::Associate, None, Some(31)).await;
    let page = li.get("/contacts/101").await.text;
    assert!(
        page.contains("静安新品") && page.contains("另外还在 2 个群里"),
        "{page}"
    );
    assert!(!page.contains("湖滨会员") && !page.contains("静安老客"), "{page}");
    let mut manager = Visitor::of(shop, Role::Manager, Some(21), None).await;
    let page = manager.get("/contacts/101").await.text;
    assert!(
        page.contains("静安老客") && page.contains("另外还在 1 个群里"),
        "{page}"
    );
    assert!(!page.contains("湖滨会员"), "{page}");
    let mut admin = Visitor::of(shop, Role::Admin, None, None).await;
    let page = admin.get("/contacts/101").await.text;
    assert!(page.contains("湖滨会员") && !page.contains("另外还在"), "{page}");
}
