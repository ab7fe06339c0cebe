//! The page of tags: made, renamed, deleted with the number of people, and merged into another tag.

use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::jobs::runner;
use dianyu::marking::{self, State};
use dianyu::sandbox::Fault;
use serde_json::json;

use super::{GOLD, SILVER, counts};
use crate::files::Program;
use crate::street::Street;
use crate::visitor::Visitor;
use crate::world::CORPID;

impl Street {
    /// These contacts carry the gold tag, here and there.
    async fn gild(&self, pairs: &[(&str, i64)]) {
        for (member, number) in pairs {
            let customer = format!("wmSim{number}");
            self.sandbox
                .member_tags(CORPID, member, &customer, &["etGold"], &[])
                .unwrap();
        }
        self.settle().await;
    }

    async fn is_there(&self, platform_id: &str) -> bool {
        let platform = dianyu::directory::platform(&self.shop.app, self.shop.corp)
            .await
            .unwrap();
        let groups = platform.tags().await.unwrap();
        groups
            .iter()
            .flat_map(|group| &group.tag)
            .any(|tag| tag.id == platform_id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_becomes_another_and_goes_when_everybody_has_that() {
    let street = Street::open().await;
    let shop = &street.shop;
    street
        .gild(&[("li", 101), ("zhao", 101), ("li", 102), ("wu", 105)])
        .await;
    shop.run("update follow set tags = ' 51 52 ' where contact_id = 102")
        .await;
    let begun = marking::merge(&shop.app, &shop.act(), &shop.whole(), GOLD, SILVER)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(begun.total, 3);
    // Somebody gets the old tag while it goes on.
    shop.run("update follow set tags = ' 51 ' where contact_id = 110")
        .await;
    street
        .sandbox
        .member_tags(CORPID, "qian", "wmSim110", &["etGold"], &[])
        .unwrap();
    runner::settle(&shop.app).await;
    let done = street.marking(begun.id).await;
    assert_eq!((counts(&done), done.problem), ((State::Done, 4, 0, 0), None));
    assert!(!street.is_there("etGold").await);
    // 102 had it here already, so nobody was asked to set it there.
    assert_eq!(street.tagged_there("etSilver").await, 4);
    let here = "select count(*) from follow where tags = ' 52 '";
    assert_eq!(shop.number(here).await, 5);
    assert_eq!(
        shop.number("select count(*) from tag where id = 51 and deleted_at is null")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_stays_when_somebody_did_not_get_the_other() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.gild(&[("li", 101), ("li", 102)]).await;
    street.fail(Fault::Errcode(84074), 1);
    let begun = marking::merge(&shop.app, &shop.act(), &shop.whole(), GOLD, SILVER)
        .await
        .unwrap()
        .unwrap();
    runner::settle(&shop.app).await;
    let done = street.marking(begun.id).await;
    assert_eq!(counts(&done), (State::Done, 1, 0, 1));
    assert_eq!(done.problem.unwrap().key, "refused-merge-left");
    assert!(street.is_there("etGold").await);

    // Who only left does not keep it.
    street.fail(Fault::Errcode(84061), 1);
    let again = marking::merge(&shop.app, &shop.act(), &shop.whole(), GOLD, SILVER)
        .await
        .unwrap()
        .unwrap();
    runner::settle(&shop.app).await;
    let done = street.marking(again.id).await;
    assert_eq!((counts(&done), done.problem), ((State::Done, 0, 0, 1), None));
    assert!(!street.is_there("etGold").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_merges_and_a_tag_of_nobody_goes_at_once() {
    let street = Street::open().await;
    let shop = &street.shop;
    let program = Program::of(shop, &["contacts:read", "contacts:write"]).await;
    for (tag, into, pointer) in [("51", "51", "/into"), ("51", "9", "/into")] {
        let refused = program
            .post(&format!("/tags/{tag}/merger"), &json!({"into": into}))
            .await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    let unknown = program.post("/tags/9/merger", &json!({"into": "51"})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let gone = program.post("/tags/51/merger", &json!({"into": "52"})).await;
    assert_eq!(gone.json(), json!({"marking": null}), "{}", gone.text);
    assert!(!street.is_there("etGold").await);
    shop.run("update follow set tags = ' 52 ' where contact_id = 101")
        .await;
    let scope = shop.of_store(21);
    let tried = marking::merge(&shop.app, &shop.act(), &scope, SILVER, GOLD).await;
    assert!(matches!(tried, Err(dianyu::error::Error::Forbidden(_))));
    assert!(street.is_there("etSilver").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_tags_makes_renames_merges_and_deletes() {
    let street = Street::open().await;
    let shop = &street.shop;
    let mut chen = Visitor::of(shop, Role::Marketer, None, None).await;
    let list = chen.get("/tags").await.text;
    assert!(
        list.contains("<b>2 个标签</b>分在 1 组里，其中 <b>2 个</b>没人用"),
        "{list}"
    );
    for (fields, word) in [
        (vec![("name", "活动"), ("tags", " \r\n")], "至少写一个标签"),
        (vec![("name", ""), ("tags", "春季")], "30"),
        (vec![("name", "会员等级"), ("tags", "春季")], "已经有了"),
        (vec![("name", "活动"), ("tags", "春季\r\n春季")], "写了两遍"),
    ] {
        let refused = chen.post("/tags/groups", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        let said = refused.said().join("");
        assert!(said.contains(word), "{fields:?}: {said}");
    }
    let made = chen
        .post("/tags/groups", &[("name", "活动"), ("tags", "春季\r\n夏季")])
        .await;
    assert_eq!(made.location, "/tags", "{}", made.text);
    let list = chen.get("/tags").await.text;
    let group = list
        .split("/tags/groups/")
        .nth(2)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let group = format!("/tags/groups/{group}");
    let shown = chen.get(&group).await.text;
    assert!(shown.contains("活动") && shown.contains("春季"), "{shown}");
    let taken = chen.post(&format!("{group}/tags"), &[("name", "春季")]).await;
    assert!(taken.said().join("").contains("已经有了"), "{}", taken.text);
    chen.post(&format!("{group}/tags"), &[("name", "秋季")]).await;
    chen.post(&format!("{group}/name"), &[("name", "门店活动")]).await;
    assert!(chen.get(&group).await.text.contains("门店活动"));

    street.gild(&[("li", 101), ("zhao", 101), ("li", 102)]).await;
    let gold = chen.get("/tags/51").await.text;
    for word in ["<b>2 位客户</b>有“金卡”", "并入（2 位）", "删除标签（2 位）"] {
        assert!(gold.contains(word), "`{word}`: {gold}");
    }
    for (address, fields, word) in [
        ("/tags/51/name", vec![("name", "银卡")], "已经有了"),
        ("/tags/51/merger", vec![("into", "")], "选一个要并入的标签"),
        ("/tags/51/merger", vec![("into", "51")], "不能并入自己"),
        ("/tags/51/merger", vec![("into", "9")], "标签不在了"),
    ] {
        let refused = chen.post(address, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{address}");
        let said = refused.said().join("");
        assert!(said.contains(word), "{address} {fields:?}: {said}");
    }
    let begun = chen.post("/tags/51/merger", &[("into", "52")]).await;
    assert!(begun.location.starts_with("/tags/marks/"), "{}", begun.text);
    runner::settle(&shop.app).await;
    let told = chen.get(&begun.location).await.text;
    assert!(
        told.contains("把“金卡”并入“银卡”") && told.contains("<b>2 位客户</b>都打好了"),
        "{told}"
    );
    assert_eq!(chen.get("/tags/51").await.status, StatusCode::NOT_FOUND);
    let page = chen.get("/contacts/101").await.text;
    assert!(page.contains("marketer-0 合并标签时换的"), "{page}");

    let deleted = chen.post("/tags/52/end", &[]).await;
    assert_eq!(deleted.location, "/tags", "{}", deleted.text);
    assert_eq!(
        shop.number("select count(*) from follow where tags <> ' '").await,
        0
    );
    let gone = chen.post(&format!("{group}/end"), &[]).await;
    assert_eq!(gone.location, "/tags", "{}", gone.text);
    assert!(chen.get("/tags").await.text.contains("还没有标签"));

    // The console's own tags are not ours to change: said so, and nothing is lost.
    let console = street.sandbox.admin_adds_tag(CORPID, "后台", "总部").unwrap();
    street.settle().await;
    let sql = "select id from tag where name = '总部' and deleted_at is null";
    let id = shop.number(sql).await;
    let refused = chen.post(&format!("/tags/{id}/end"), &[]).await;
    assert!(
        refused.said().join("").contains("不是店语建的"),
        "{}",
        refused.text
    );
    assert!(street.is_there(&console).await);
    let mut manager = Visitor::of(shop, Role::Manager, Some(21), None).await;
    for address in ["/tags", "/tags/52", "/tags/groups/50"] {
        assert_eq!(
            manager.get(address).await.status,
            StatusCode::FORBIDDEN,
            "{address}"
        );
    }
}
