//! Follow-ups: set, due, done, put off; seen by whoever sees the pair; and handed over with the customer.

use axum::body::Body;
use axum::http::StatusCode;
use dianyu::auth::Role;
use dianyu::care::{self, FollowUpFilter, NewFollowUp};
use dianyu::contacts::{EndCause, Ending, Reading};
use dianyu::directory;
use dianyu::error::Error;
use dianyu::ids::FollowUpId;
use dianyu::jobs::runner;
use dianyu::page::PageOf;
use dianyu::scope::{Actor, Scope};
use dianyu::time::{DAY_MS, Day};
use dianyu::wecom::contact::{ContactDetail, ExternalContact, FollowUser};
use serde_json::json;

use crate::files::Program;
use crate::visitor::Visitor;
use crate::world::{World, contact};

impl World {
    async fn to_do(&self, scope: &Scope, number: i64, what: &str, day: &str) -> FollowUpId {
        let tx = self.begin().await;
        let new = NewFollowUp {
            contact: contact(number),
            associate: None,
            what,
            due_day: Day::parse(day).unwrap(),
        };
        let id = care::set(&tx, &self.act(), scope, &new).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn open_for(&self, scope: Scope) -> Vec<String> {
        let all = FollowUpFilter::default();
        let found = care::list(&self.app.db, &scope, &all, &PageOf::first(50))
            .await
            .unwrap();
        found.items.into_iter().map(|one| one.what).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_stands_on_the_workbench_until_it_is_done_or_put_off() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    for (what, day) in [("问尺码", "2026-11-23"), ("叫她来试", "2026-11-25")] {
        let form = [("what", what), ("due_day", day)];
        let set = li.post("/contacts/102/follow-ups", &form).await;
        assert_eq!(set.location, "/contacts/102", "{}", set.text);
    }
    let page = li.get("/contacts/102").await.text;
    assert!(page.contains("问尺码") && page.contains("叫她来试"), "{page}");
    let today = li.get("/").await.text;
    assert!(today.contains("先跟进 <b class=\"long\">客户102</b>"), "{today}");
    assert!(
        today.contains("问尺码") && !today.contains("叫她来试"),
        "only what is due"
    );

    let first = shop
        .number("select id from follow_up where what = '问尺码'")
        .await;
    let later = format!("/follow-ups/{first}/day");
    let refused = li.post(&later, &[("due_day", "2026-11-22")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.said().join("").contains("今天或之后 366 天以内"),
        "{:?}",
        refused.said()
    );
    let nonsense = li.post(&later, &[("due_day", "soon")]).await;
    assert_eq!(nonsense.said(), ["选一个日子"]);
    let off = li
        .post(&later, &[("due_day", "2026-11-24"), ("return_to", "/")])
        .await;
    assert_eq!(off.location, "/", "{}", off.text);
    assert!(!li.get("/").await.text.contains("问尺码"));
    shop.run("update follow_up set due_day = '2026-11-21' where what = '问尺码'")
        .await;
    shop.run("update follow_up set due_day = '2026-11-23' where what = '叫她来试'")
        .await;
    let today = li.get("/").await.text;
    let (late, on_time) = (today.find("问尺码").unwrap(), today.find("叫她来试").unwrap());
    assert!(late < on_time && today.contains("逾期 2 天"), "{today}");

    let done = li
        .post(&format!("/follow-ups/{first}/completion"), &[("return_to", "/")])
        .await;
    assert_eq!(done.location, "/");
    assert!(li.get("/contacts/102").await.text.contains("完成跟进"));
    let twice = li.post(&format!("/follow-ups/{first}/completion"), &[]).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    assert!(twice.text.contains("已经被改过了"), "{}", twice.text);
    assert!(li.get("/follow-ups?state=done").await.text.contains("问尺码"));
    let again = li.post(&format!("/follow-ups/{first}/reopening"), &[]).await;
    assert_eq!(again.location, "/follow-ups");
    let dropped = li.post(&format!("/follow-ups/{first}/end"), &[]).await;
    assert_eq!(dropped.location, "/follow-ups");
    assert_eq!(shop.open_for(shop.of_associate(31)).await, ["叫她来试"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_refused_comes_back_as_typed() {
    let shop = World::open().await;
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    for (what, day, said) in [
        ("", "2026-11-24", "用 1 到 100 个字写下要做什么"),
        ("问尺码", "", "选一个日子"),
        ("问尺码", "2028-01-01", "日子要在今天或之后 366 天以内"),
    ] {
        let refused = li
            .post("/contacts/102/follow-ups", &[("what", what), ("due_day", day)])
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.said(), [said]);
        assert!(
            refused.text.contains(&format!("value=\"{what}\"")),
            "{}",
            refused.text
        );
    }
    assert_eq!(shop.number("select count(*) from follow_up").await, 0);
    for number in 0..20 {
        shop.to_do(
            &shop.of_associate(31),
            102,
            &format!("第 {number} 件"),
            "2026-11-24",
        )
        .await;
    }
    let many = li
        .post(
            "/contacts/102/follow-ups",
            &[("what", "再一件"), ("due_day", "2026-11-24")],
        )
        .await;
    assert!(many.said().join("").contains("已经有 20 件"), "{:?}", many.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_is_seen_by_whoever_sees_its_pair() {
    let shop = World::open().await;
    shop.to_do(&shop.of_associate(31), 101, "给 li 的", "2026-11-24")
        .await;
    shop.to_do(&shop.of_associate(33), 101, "给 zhao 的", "2026-11-23")
        .await;
    let by_store = shop
        .to_do(&shop.of_store(21), 105, "店长让问的", "2026-11-25")
        .await;
    for (scope, seen) in [
        (shop.of_associate(31), &["给 li 的"][..]),
        (shop.of_associate(32), &["店长让问的"]),
        (shop.of_associate(33), &["给 zhao 的"]),
        (shop.of_store(21), &["给 li 的", "店长让问的"]),
        (shop.of_store(22), &["给 zhao 的"]),
        (shop.of_store(23), &[]),
        (shop.whole(), &["给 zhao 的", "给 li 的", "店长让问的"]),
        (Scope::whole(dianyu::ids::CorpId(2)), &[]),
    ] {
        assert_eq!(shop.open_for(scope.clone()).await, seen, "{scope:?}");
        let found = care::find(&shop.app.db, &scope, by_store).await;
        let is_seen = seen.contains(&"店长让问的");
        assert_eq!(found.is_ok(), is_seen, "{scope:?}");
        if !is_seen {
            assert!(matches!(found, Err(Error::NotFound)));
        }
    }
    // A customer who left, and an associate who did: nobody is told of them through a pair that is no more.
    shop.run("update follow set state = 'lost' where contact_id = 101 and associate_id = 31")
        .await;
    assert_eq!(shop.open_for(shop.of_associate(31)).await, [""; 0]);
    let mut wu = Visitor::of(&shop, Role::Associate, None, Some(32)).await;
    assert!(wu.get("/follow-ups").await.text.contains("店长让问的"));
    let tx = shop.begin().await;
    directory::leave(&tx, &shop.act(), shop.corp, &"wu".into())
        .await
        .unwrap();
    dianyu::auth::end_associate(&tx, &shop.act(), shop.corp, dianyu::ids::AssociateId(32))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let gone = wu.get("/follow-ups").await;
    assert!(
        gone.location.starts_with("/sign-in"),
        "{} {}",
        gone.status,
        gone.location
    );
    let mut manager = Visitor::of(&shop, Role::Manager, Some(21), None).await;
    assert!(
        manager.get("/follow-ups").await.text.contains("店长让问的"),
        "it waits for whoever comes after"
    );
}

fn shown(userids: &[(&str, i64)], at: dianyu::time::Timestamp) -> ContactDetail {
    let follow = |(userid, add_way): &(&str, i64)| FollowUser {
        userid: (*userid).into(),
        remark: String::new(),
        description: String::new(),
        createtime: at.seconds(),
        tag_ids: vec![],
        remark_mobiles: vec![],
        add_way: *add_way,
        state: String::new(),
        oper_userid: "admin".into(),
    };
    ContactDetail {
        contact: ExternalContact {
            external_userid: "wmSim102".into(),
            name: "客户102".into(),
            avatar: String::new(),
            kind: 1,
            gender: 2,
            unionid: Some("union102".into()),
        },
        follow_users: userids.iter().map(follow).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_is_handed_over_brings_what_is_to_be_done_and_what_was_noted() {
    // The end of the old pair is heard before or after the new one is shown.
    for is_end_first in [true, false] {
        let shop = World::open().await;
        shop.to_do(&shop.of_associate(31), 102, "问尺码", "2026-11-24")
            .await;
        let done = shop
            .to_do(&shop.of_associate(31), 102, "做完的", "2026-11-24")
            .await;
        let tx = shop.begin().await;
        care::turn(&tx, &shop.act(), &shop.of_associate(31), done, care::State::Done)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        dianyu::contacts::note(
            &shop.app,
            &shop.act(),
            &shop.of_associate(31),
            contact(102),
            "怕冷",
        )
        .await
        .unwrap();
        shop.app.clock.advance(DAY_MS);
        let corp = directory::find_corp(&shop.app.db, shop.corp).await.unwrap();
        let ending = Ending {
            userid: "li".into(),
            cause: EndCause::Transfer,
            at: shop.now(),
        };
        let given = shown(&[("wu", 202)], shop.now());
        let li = shown(&[("li", 1)], shop.now().plus_ms(-31 * DAY_MS));
        let both = ContactDetail {
            follow_users: given
                .follow_users
                .iter()
                .chain(&li.follow_users)
                .cloned()
                .collect(),
            ..given.clone()
        };
        let readings = match is_end_first {
            true => [(&li, Some(&ending)), (&given, None)],
            false => [(&both, None), (&given, Some(&ending))],
        };
        for (detail, ending) in readings {
            let reading = Reading {
                corp: &corp,
                sealer: &shop.app.sealer,
                read_at: shop.now(),
            };
            let tx = shop.begin().await;
            let act = shop.app.act(Actor::Platform);
            reading
                .of_contact(&tx, &act, &"wmSim102".into(), Some(detail), ending)
                .await
                .unwrap();
            tx.commit().await.unwrap();
            runner::settle(&shop.app).await;
            shop.app.clock.advance(120_000);
        }
        assert_eq!(
            shop.open_for(shop.of_associate(32)).await,
            ["问尺码"],
            "{is_end_first}"
        );
        assert_eq!(shop.open_for(shop.of_associate(31)).await, [""; 0]);
        let whose = "select associate_id from follow_up where what = '做完的'";
        assert_eq!(
            shop.number(whose).await,
            31,
            "what was done stays with whoever did it"
        );
        let mut wu = Visitor::of(&shop, Role::Associate, None, Some(32)).await;
        let page = wu.get("/contacts/102").await.text;
        assert!(
            page.contains("怕冷") && page.contains("问尺码") && page.contains("李晓雯"),
            "{page}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sets_lists_and_ends_follow_ups() {
    let shop = World::open().await;
    let program = Program::of(&shop, &["contacts:read", "contacts:write"]).await;
    let body = json!({"what": "送小样", "due_day": "2026-11-24", "associate_id": "33"});
    let set = program.post("/contacts/101/follow-ups", &body).await;
    assert_eq!(set.status, StatusCode::CREATED, "{}", set.text);
    let (id, json) = (set.id(), set.json());
    assert_eq!(
        (json["associate_id"].as_str(), json["state"].as_str()),
        (Some("33"), Some("open"))
    );
    let of_nobody = json!({"what": "x", "due_day": "2026-11-24", "associate_id": "32"});
    let refused = program.post("/contacts/101/follow-ups", &of_nobody).await;
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/associate_id",
        "{}",
        refused.text
    );
    let past = json!({"what": "x", "due_day": "2026-11-22"});
    let refused = program.post("/contacts/101/follow-ups", &past).await;
    assert_eq!(
        refused.json()["errors"][0]["pointer"],
        "/due_day",
        "{}",
        refused.text
    );

    let listed = async |query: &str| {
        let list = program.get(&format!("/follow-ups{query}")).await;
        list.json()["items"].as_array().map(Vec::len)
    };
    assert_eq!(listed("?contact=101&due_by=2026-11-24").await, Some(1));
    assert_eq!(listed("?due_by=2026-11-23").await, Some(0));
    assert_eq!(listed("?associate=31").await, Some(0));
    let json_type = [("content-type", "application/json")];
    let day = Body::from(r#"{"due_day":"2026-12-01"}"#);
    let off = program
        .ask("PATCH", &format!("/follow-ups/{id}"), &json_type, day)
        .await;
    assert_eq!(off.json()["due_day"], "2026-12-01", "{}", off.text);
    let done = program
        .post(&format!("/follow-ups/{id}/completion"), &json!({}))
        .await;
    assert_eq!(done.json()["state"], "done", "{}", done.text);
    assert_eq!(listed("?state=done").await, Some(1));
    let again = program
        .post(&format!("/follow-ups/{id}/completion"), &json!({}))
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    for (path, status) in [
        (format!("/follow-ups/{id}/completion"), StatusCode::NO_CONTENT),
        (format!("/follow-ups/{id}"), StatusCode::NO_CONTENT),
        (format!("/follow-ups/{id}"), StatusCode::CONFLICT),
    ] {
        let answer = program.ask("DELETE", &path, &[], Body::empty()).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
    }
    let told = program.get("/contacts/101/timeline").await;
    let kinds: Vec<bool> = told.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["is_done"].as_bool().unwrap())
        .collect();
    assert_eq!(kinds, [false, true], "done, and open again");
    let reading = Program::of(&shop, &["contacts:read"]).await;
    let refused = reading.post("/contacts/101/follow-ups", &body).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
