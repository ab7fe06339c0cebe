//! Rules that tag by themselves: from their news on, once each, with their name in the history; and where a tag on a
//! contact's page comes from.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::contacts;
use dianyu::error::Error;
use dianyu::ids::{LinkId, TagId, TagRuleId};
use dianyu::jobs::runner;
use dianyu::links;
use dianyu::marking::{self, OfOrder, OnLink, RuleChange, State, When};
use dianyu::orders::NewOrder;
use dianyu::sandbox::Fault;
use dianyu::scope::{Actor, Scope};
use dianyu::segments::Stage;
use dianyu::tags;
use dianyu::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::json;

use super::{GOLD, SILVER};
use crate::files::Program;
use crate::orders::{by, line, order, sell};
use crate::street::Street;
use crate::visitor::Visitor;
use crate::world::{CORPID, contact};

impl Street {
    async fn rule(&self, when: When, tag: TagId) -> TagRuleId {
        let (shop, tx) = (&self.shop, self.shop.begin().await);
        let id = marking::create_rule(&tx, &shop.act(), &shop.whole(), when, tag)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn switch(&self, rule: TagRuleId, is_on: bool) {
        let (shop, tx) = (&self.shop, self.shop.begin().await);
        let change = RuleChange {
            is_on: Some(is_on),
            ..RuleChange::default()
        };
        marking::change_rule(&tx, &shop.act(), &shop.whole(), rule, change)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Who carries a tag here, as `contact/associate`.
    async fn who_has(&self, tag: TagId) -> Vec<String> {
        let sql = format!(
            "select cast(contact_id as text) || '/' || cast(associate_id as text) from follow
             where tags like '% {tag} %' order by contact_id, associate_id"
        );
        dianyu::db::scalars(&self.shop.app.db, &sql, vec![])
            .await
            .unwrap()
    }

    async fn set_by(&self, rule: TagRuleId) -> i64 {
        let sql = format!("select count(*) from tag_change where source = 'rule' and actor = 'rule:{rule}'");
        self.shop.number(&sql).await
    }
}

/// An order paid now.
fn now(street: &Street, order: NewOrder) -> NewOrder {
    NewOrder {
        paid_at: street.shop.now(),
        ..order
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_tags_the_pair_that_came_by_it() {
    let street = Street::open().await;
    let rule = street.rule(When::Channel("S1_till".into()), GOLD).await;
    street.after(MINUTE_MS);
    for (person, channel) in [("wmNew1", "S1_till"), ("wmNew2", "S1_door")] {
        street.passer_by(person);
        street.sandbox.scan(CORPID, person, "li", channel).unwrap();
    }
    street.settle().await;
    let who = "select count(*) from follow f join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
               where f.tags = ' 51 ' and c.external_userid = 'wmNew1' and f.associate_id = 31";
    assert_eq!(street.shop.number(who).await, 1);
    assert_eq!(
        (street.set_by(rule).await, street.who_has(GOLD).await.len()),
        (1, 1)
    );

    // Looks that come later turn nothing, and what is taken off by hand stays off.
    street.after(HOUR_MS);
    street.settle().await;
    let sql = "select id from contact where external_userid = 'wmNew1'";
    let person = dianyu::ids::ContactId(street.shop.number(sql).await);
    let (app, act, whole) = (&street.shop.app, street.shop.act(), street.shop.whole());
    tags::mark(app, &act, &whole, &[person], &[], &[GOLD])
        .await
        .unwrap();
    let entries: Vec<dianyu::ids::TimelineId> =
        dianyu::db::scalars(&app.db, "select id from timeline where kind = 'added'", vec![])
            .await
            .unwrap();
    marking::react(app, street.shop.corp, &entries).await.unwrap();
    assert_eq!(street.set_by(rule).await, 1);
    assert!(street.who_has(GOLD).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_tags_every_pair_of_its_buyer_from_the_day_the_rule_is_on() {
    let street = Street::open().await;
    let shop = &street.shop;
    let dress = When::Ordered(OfOrder {
        category: Some("dress".into()),
        paid_fen_at_least: Some(30_000),
    });
    let rule = street.rule(dress, GOLD).await;
    street.after(MINUTE_MS);
    let mut shoes = now(&street, by(order("A1", 50_000), 102));
    shoes.lines = vec![dianyu::orders::NewLine {
        category: "shoe".into(),
        ..line("SHOE", 50_000)
    }];
    sell(shop, &shoes).await;
    sell(shop, &now(&street, by(order("A2", 29_999), 103))).await;
    // Paid before the rule was there.
    sell(shop, &by(order("A3", 50_000), 104)).await;
    sell(shop, &now(&street, by(order("A4", 30_000), 101))).await;
    street.settle().await;
    assert_eq!(street.who_has(GOLD).await, ["101/31", "101/33"]);
    assert_eq!(street.set_by(rule).await, 2);
    let there = street.tagged_there("etGold").await;
    assert_eq!(there, 2);

    // The same order again is no news; nor is anything while it is off, nor what happened meanwhile.
    sell(shop, &now(&street, by(order("A4", 30_000), 101))).await;
    street.switch(rule, false).await;
    street.after(MINUTE_MS);
    sell(shop, &now(&street, by(order("A5", 40_000), 105))).await;
    street.settle().await;
    street.after(MINUTE_MS);
    street.switch(rule, true).await;
    street.settle().await;
    assert_eq!(street.set_by(rule).await, 2);
    street.after(MINUTE_MS);
    sell(shop, &now(&street, by(order("A6", 40_000), 106))).await;
    street.settle().await;
    assert_eq!(street.who_has(GOLD).await, ["101/31", "101/33", "106/32"]);
    let told = marking::find_rule(&shop.app.db, &shop.whole(), rule, shop.now())
        .await
        .unwrap();
    assert_eq!((told.version, told.set_30_days), (3, 3));
    let later = shop.now().plus_ms(31 * DAY_MS);
    let told = marking::find_rule(&shop.app.db, &shop.whole(), rule, later)
        .await
        .unwrap();
    assert_eq!(told.set_30_days, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_on_the_link_tags_whoever_it_was_and_a_silent_platform_is_waited_for() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.run(
        "insert into link (corp_id, id, code, title, target, store_id, associate_id, created_by, created_at) values
         (1, 900, 'dress', '冬日连衣裙', '{\"kind\":\"web\",\"url\":\"https://shop.example.com/a\"}', 21, 31, 'system', 0),
         (1, 901, 'shoe', '靴子', '{\"kind\":\"web\",\"url\":\"https://shop.example.com/b\"}', 21, 31, 'system', 0)",
    )
    .await;
    let on = |link: i64| {
        When::Clicked(OnLink {
            link: Some(LinkId(link)),
        })
    };
    let rule = street.rule(on(900), GOLD).await;
    let any = street.rule(When::Clicked(OnLink::default()), SILVER).await;
    street.after(MINUTE_MS);
    street.fail(Fault::Errcode(-1), 4);
    for (code, person) in [("dress", 102), ("shoe", 103)] {
        let link = links::resolve(&shop.app.db, code).await.unwrap();
        let tx = shop.begin().await;
        let token = format!("t{person}");
        links::click::opened(&tx, &shop.act(), &link, &token, contact(person), shop.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    for _ in 0..6 {
        runner::settle(&shop.app).await;
        street.after(10 * MINUTE_MS);
    }
    assert_eq!(street.who_has(GOLD).await, ["102/31"]);
    assert_eq!(street.who_has(SILVER).await, ["102/31", "103/31"]);
    assert_eq!((street.set_by(rule).await, street.set_by(any).await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_is_looked_at_every_night_and_marked_in_bulk() {
    let street = Street::open().await;
    let shop = &street.shop;
    let rule = street.rule(When::Stage(Stage::New), GOLD).await;
    shop.run("update follow set tags = ' 51 ' where contact_id = 102")
        .await;
    for round in 0..2 {
        let tx = shop.begin().await;
        let job = marking::jobs::Stages {};
        dianyu::job::enqueue(&tx, &shop.app.ids, shop.now(), shop.corp, &job, shop.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        runner::settle(&shop.app).await;
        let rounds = shop
            .number("select count(*) from marking where kind = 'rule'")
            .await;
        assert_eq!(rounds, 1, "round {round}: who has it is not marked again");
    }
    assert_eq!(street.who_has(GOLD).await.len(), 13);
    assert_eq!(street.set_by(rule).await, 12);
    let page = marking::list(
        &shop.app.db,
        &shop.whole(),
        Actor::System,
        &dianyu::page::PageOf::first(1),
    )
    .await
    .unwrap();
    let done = &page.items[0];
    assert_eq!((done.state, done.changed), (State::Done, 11));
    assert_eq!(done.created_by, format!("rule:{rule}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_headquarters_and_their_mistakes_are_named() {
    let street = Street::open().await;
    let shop = &street.shop;
    let program = Program::of(shop, &["contacts:read", "contacts:write"]).await;
    for (body, pointer) in [
        (json!({"when": {"channel": " "}, "tag_id": "51"}), "/when/channel"),
        (json!({"when": {"channel": "x"}, "tag_id": "9"}), "/tag_id"),
        (
            json!({"when": {"clicked": {"link": "9"}}, "tag_id": "51"}),
            "/when/clicked/link",
        ),
        (
            json!({"when": {"ordered": {"paid_fen_at_least": 0}}, "tag_id": "51"}),
            "/when/ordered/paid_fen_at_least",
        ),
        (
            json!({"when": {"ordered": {"category": "字".repeat(61)}}, "tag_id": "51"}),
            "/when/ordered/category",
        ),
    ] {
        let refused = program.post("/tag-rules", &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body} {}", refused.text);
        assert_eq!(
            refused.json()["errors"][0]["pointer"],
            pointer,
            "{}",
            refused.text
        );
    }
    for when in [json!({"weather": "rain"}), json!({"stage": "asleep"}), json!({})] {
        let refused = program
            .post("/tag-rules", &json!({"when": when, "tag_id": "51"}))
            .await;
        assert!(refused.status.is_client_error(), "{when} {}", refused.text);
    }
    assert_eq!(shop.number("select count(*) from tag_rule").await, 0);
    let made = program
        .post("/tag-rules", &json!({"when": {"clicked": {}}, "tag_id": "51"}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(
        (&made.json()["on"], &made.json()["version"]),
        (&json!(true), &json!(1))
    );
    let address = format!("/tag-rules/{}", made.id());
    let body = axum::body::Body::from(json!({"on": false}).to_string());
    let json_type = [("content-type", "application/json")];
    let off = program.ask("PATCH", &address, &json_type, body).await;
    assert_eq!(
        (&off.json()["on"], &off.json()["version"]),
        (&json!(false), &json!(2)),
        "{}",
        off.text
    );
    assert_eq!(shop.number("select count(*) from timeline_wanted").await, 0);
    let gone = program
        .ask("DELETE", &address, &[], axum::body::Body::empty())
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(program.get(&address).await.status, StatusCode::NOT_FOUND);
    assert_eq!(program.get("/tag-rules").await.json()["items"], json!([]));

    let tx = shop.begin().await;
    for scope in [shop.of_store(21), shop.of_associate(31)] {
        let tried = marking::create_rule(&tx, &shop.act(), &scope, When::Channel("x".into()), GOLD).await;
        assert!(matches!(tried, Err(Error::Forbidden(_))));
        let seen = marking::list_rules(&tx, &scope, shop.now()).await;
        assert!(matches!(seen, Err(Error::NotFound)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_rules_takes_one_switches_it_and_says_what_is_wrong_in_chinese() {
    let street = Street::open().await;
    let shop = &street.shop;
    let mut chen = Visitor::of(shop, Role::Marketer, None, None).await;
    let here = "/tags/rules";
    assert!(chen.get(here).await.text.contains("让标签自己打上"));
    for (fields, word) in [
        (vec![("kind", "channel"), ("tag", "51")], "渠道名"),
        (
            vec![("kind", "clicked"), ("link", "9"), ("tag", "51")],
            "链接不在了",
        ),
        (vec![("kind", "ordered"), ("amount", "0"), ("tag", "51")], "金额"),
        (vec![("kind", "stage"), ("stage", "x"), ("tag", "51")], "阶段"),
        (vec![("kind", "stage"), ("stage", "new")], "标签"),
        (
            vec![("kind", "stage"), ("stage", "new"), ("tag", "9")],
            "标签不在了",
        ),
        (vec![("tag", "51")], "选一种情况"),
    ] {
        let refused = chen.post(here, &fields).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{fields:?} {}",
            refused.text
        );
        let said = refused.said().join("");
        assert!(said.contains(word), "{fields:?}: {said}");
    }
    let ordered = [
        ("kind", "ordered"),
        ("category", "连衣裙"),
        ("amount", "500"),
        ("tag", "51"),
    ];
    let added = chen.post(here, &ordered).await;
    assert_eq!(added.location, here, "{}", added.text);
    let list = chen.get(here).await.text;
    for word in ["买了“连衣裙”满 ¥500，打上“金卡”", "开着 <b>1 条</b>", "第 1 版"] {
        assert!(list.contains(word), "`{word}`: {list}");
    }
    let id = list
        .split("/tags/rules/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let off = chen.post(&format!("{here}/{id}/switch"), &[("to", "off")]).await;
    assert_eq!(off.location, here, "{}", off.text);
    assert!(chen.get(here).await.text.contains("关着"));
    shop.run("update tag set deleted_at = 1 where id = 51").await;
    assert!(chen.get(here).await.text.contains("标签已经删掉"));
    chen.post(&format!("{here}/{id}/end"), &[]).await;
    assert!(chen.get(here).await.text.contains("让标签自己打上"));
    for (role, store, associate) in [(Role::Manager, Some(21), None), (Role::Associate, None, Some(31))] {
        let mut visitor = Visitor::of(shop, role, store, associate).await;
        assert_eq!(visitor.get(here).await.status, StatusCode::FORBIDDEN, "{role:?}");
        let tried = visitor.post(here, &ordered).await;
        assert_eq!(tried.status, StatusCode::FORBIDDEN, "{role:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tag_says_who_or_what_set_it() {
    let street = Street::open().await;
    let shop = &street.shop;
    let rule = street.rule(When::Ordered(OfOrder::default()), SILVER).await;
    street.after(MINUTE_MS);
    // At zhao's the tag came with the contact.
    shop.run("update follow set tags = ' 51 ' where contact_id = 101 and associate_id = 33")
        .await;
    let mut li = Visitor::of(shop, Role::Associate, None, Some(31)).await;
    li.post("/contacts/101/tags", &[("add", "51")]).await;
    sell(shop, &now(&street, by(order("A1", 100), 101))).await;
    runner::settle(&shop.app).await;
    let origins = contacts::tag_origins(&shop.app.db, &shop.whole(), contact(101))
        .await
        .unwrap();
    let whole: Vec<(i64, i64, bool)> = origins
        .iter()
        .map(|one| (one.tag.0, one.associate.0, one.turn.is_some()))
        .collect();
    assert_eq!(
        whole,
        [(51, 31, true), (51, 33, false), (52, 31, true), (52, 33, true)]
    );
    let by_rule = origins[2].turn.as_ref().unwrap();
    assert_eq!(by_rule.by, Some(Actor::Rule(rule)));

    // Each sees what is theirs.
    let of = async |scope: &Scope| {
        let seen = contacts::tag_origins(&shop.app.db, scope, contact(101))
            .await
            .unwrap();
        seen.iter().map(|one| one.associate.0).collect::<Vec<_>>()
    };
    assert_eq!(of(&shop.of_associate(31)).await, [31, 31]);
    assert_eq!(of(&shop.of_store(22)).await, [33, 33]);
    assert!(of(&shop.of_store(23)).await.is_empty());
    let mine = li.get("/contacts/101").await.text;
    for word in ["标签是怎么来的", "associate-31 打的", "自动规则：买了"] {
        assert!(mine.contains(word), "`{word}`: {mine}");
    }
    assert!(!mine.contains("赵颖"), "{mine}");
    let mut chen = Visitor::of(shop, Role::Marketer, None, None).await;
    let begun = chen
        .post("/tags/marks", &[("list", "/contacts?store=22"), ("add", "52")])
        .await;
    runner::settle(&shop.app).await;
    let seen = chen.get("/contacts/107").await.text;
    assert!(
        seen.contains("marketer-0 批量打的") && seen.contains(&begun.location),
        "{seen}"
    );
    let all = chen.get("/contacts/101").await.text;
    assert!(all.contains("加赵颖好友时就带着"), "{all}");
    let mut zhao = Visitor::of(shop, Role::Associate, None, Some(33)).await;
    let theirs = zhao.get("/contacts/107").await.text;
    assert!(
        theirs.contains("批量打的") && !theirs.contains(&begun.location),
        "{theirs}"
    );
}
