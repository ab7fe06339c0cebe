//! Marking many contacts: frozen, gone through under limits, paused, stopped, gone on with; each person counted once.

mod page;
mod rules;
mod tags;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use dianyu::auth;
use dianyu::contacts::ContactFilter;
use dianyu::directory;
use dianyu::ids::{ApiKeyId, ContactId, MarkingId, TagId};
use dianyu::jobs::runner;
use dianyu::marking::{self, Audience, Kind, Marking, Outcome, State, Wish};
use dianyu::page::PageOf;
use dianyu::sandbox::{Fault, Knobs, Plan};
use dianyu::scope::{Actor, Scope};
use dianyu::segments::Rule;
use dianyu::wecom::contact::FollowUser;
use serde_json::json;

use crate::files::Program;
use crate::street::Street;
use crate::world::CORPID;

const MARK: &str = "externalcontact/mark_tag";
const GOLD: TagId = TagId(51);
const SILVER: TagId = TagId(52);

fn gold() -> Wish {
    Wish {
        kind: Kind::Asked,
        add: vec![GOLD],
        remove: vec![],
        carrying: None,
    }
}

fn everybody() -> Audience {
    Audience::Listed(Box::default())
}

/// (state, changed, unchanged, refused)
fn counts(marking: &Marking) -> (State, i64, i64, i64) {
    (marking.state, marking.changed, marking.unchanged, marking.refused)
}

impl Street {
    async fn begin(&self, scope: &Scope, audience: Audience, wish: Wish) -> MarkingId {
        let marking = marking::begin(&self.shop.app, &self.shop.act(), scope, &audience, &wish)
            .await
            .unwrap();
        assert_eq!(marking.state, State::Running);
        marking.id
    }

    async fn marking(&self, id: MarkingId) -> Marking {
        marking::find(&self.shop.app.db, &self.shop.whole(), Actor::System, id)
            .await
            .unwrap()
    }

    pub fn fail(&self, fault: Fault, times: u32) {
        self.sandbox.plan(Plan {
            api: MARK.into(),
            fault,
            times,
        });
    }

    /// Pairs that the platform has with a tag, by its id there.
    pub async fn tagged_there(&self, tag: &str) -> usize {
        let platform = directory::platform(&self.shop.app, self.shop.corp).await.unwrap();
        let mut tagged = 0;
        for number in 101..=112 {
            // Whom nobody follows any more is not shown.
            let Ok(detail) = platform.contact(&format!("wmSim{number}").as_str().into()).await else {
                continue;
            };
            let has = |follow: &&FollowUser| follow.tag_ids.iter().any(|id| id == tag);
            tagged += detail.follow_users.iter().filter(has).count();
        }
        tagged
    }

    /// Works without reading callbacks: what the platform told of meanwhile is not known yet.
    async fn work_off(&self, id: MarkingId) {
        while marking::work(&self.shop.app, self.shop.corp, id, 0)
            .await
            .unwrap()
            == Outcome::Went
        {}
    }

    async fn tagged_here(&self) -> i64 {
        self.shop
            .number("select count(*) from follow where tags like '% 51 %'")
            .await
    }

    async fn history(&self) -> i64 {
        self.shop.number("select count(*) from tag_change").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_frozen_and_marked_and_each_person_is_counted_once() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.run("update follow set tags = ' 51 ' where contact_id = 110")
        .await;
    street.sandbox.member_deletes(CORPID, "wu", "wmSim105").unwrap();
    let id = street.begin(&shop.whole(), everybody(), gold()).await;
    // Whoever comes later is none of those who were meant.
    shop.run("update follow set state = 'lost' where contact_id = 112")
        .await;
    street.work_off(id).await;
    let marking = street.marking(id).await;
    assert_eq!(marking.total, 12);
    // 105 is refused by the platform, 112 is followed by nobody any more; 101 has two pairs and is one person.
    assert_eq!(counts(&marking), (State::Done, 9, 1, 2));
    assert_eq!(marking.through(), marking.total);
    let refused = marking::refused(&shop.app.db, &shop.whole(), Actor::System, id, &PageOf::first(1))
        .await
        .unwrap();
    assert_eq!(refused.items[0].contact_id, ContactId(105));
    assert_eq!(refused.items[0].associate_name.as_deref(), Some("吴桐"));
    assert!(refused.items[0].reason.text.contains("does not follow"));
    let next = PageOf::new(Some(1), refused.next).unwrap();
    let rest = marking::refused(&shop.app.db, &shop.whole(), Actor::System, id, &next)
        .await
        .unwrap();
    assert_eq!(rest.items[0].contact_id, ContactId(112));
    assert_eq!(rest.next, None);
    assert_eq!(street.tagged_there("etGold").await, 10);
    assert_eq!(street.history().await, 10);
    let of_it = format!("select count(*) from tag_change where marking_id = {id}");
    assert_eq!(shop.number(&of_it).await, 10);
    assert_eq!(shop.number("select count(*) from marking_part").await, 0);

    // The same again finds all of them so already.
    let again = street.begin(&shop.whole(), everybody(), gold()).await;
    let before = street.calls_of(MARK);
    street.work_off(again).await;
    assert_eq!(counts(&street.marking(again).await), (State::Done, 0, 10, 1));
    assert_eq!(
        street.calls_of(MARK),
        before + 1,
        "only whom the platform refuses"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marking_reaches_no_further_than_its_asker() {
    let street = Street::open().await;
    let shop = &street.shop;
    let id = street.begin(&shop.of_associate(33), everybody(), gold()).await;
    runner::settle(&shop.app).await;
    assert_eq!(counts(&street.marking(id).await), (State::Done, 4, 0, 0));
    let whose = "select count(*) from follow where tags like '% 51 %' and associate_id <> 33";
    assert_eq!(shop.number(whose).await, 0);

    // Others see neither it nor who was refused; headquarters does.
    let mine = Actor::Operator(dianyu::ids::OperatorId(1));
    for scope in [shop.of_associate(33), shop.of_store(22)] {
        assert!(marking::find(&shop.app.db, &scope, mine, id).await.is_err());
        let seen = marking::list(&shop.app.db, &scope, mine, &PageOf::first(5))
            .await
            .unwrap();
        assert!(seen.items.is_empty());
        let refused = marking::refused(&shop.app.db, &scope, mine, id, &PageOf::first(5)).await;
        assert!(refused.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_no_longer_see_them_marks_nobody() {
    let street = Street::open().await;
    let shop = &street.shop;
    let tx = shop.begin().await;
    let (key, _) = auth::add_key(
        &tx,
        &shop.act(),
        shop.corp,
        "hq",
        &["contacts:write".to_owned()],
        None,
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let act = shop.app.act(Actor::ApiKey(ApiKeyId(key.0)));
    let begun = marking::begin(&shop.app, &act, &shop.whole(), &everybody(), &gold())
        .await
        .unwrap();
    shop.run("update api_key set revoked_at = 1").await;
    runner::settle(&shop.app).await;
    let marking = street.marking(begun.id).await;
    assert_eq!(counts(&marking), (State::Paused, 0, 0, 0));
    assert_eq!(marking.problem.unwrap().key, "refused-mark-asker");
    assert_eq!(street.calls_of(MARK), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_prompt_and_going_on_marks_only_the_rest() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.sandbox.set_knobs(Knobs {
        answer_ms: 60,
        ..Knobs::default()
    });
    let id = street.begin(&shop.whole(), everybody(), gold()).await;
    let (app, corp) = (shop.app.clone(), shop.corp);
    let working = tokio::spawn(async move { marking::work(&app, corp, id, 0).await });
    while street.history().await < 4 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let tx = shop.begin().await;
    marking::pause(&tx, &shop.act(), &shop.whole(), id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(working.await.unwrap().unwrap(), Outcome::Ended);
    let held = street.history().await;
    assert!((4..13).contains(&held), "{held} pairs before the pause took hold");
    runner::settle(&shop.app).await;
    assert_eq!(street.history().await, held, "nobody is marked while it pauses");

    for _ in 0..2 {
        let tx = shop.begin().await;
        let twice = marking::pause(&tx, &shop.act(), &shop.whole(), id).await;
        assert!(matches!(twice, Err(dianyu::error::Error::Conflict(_))));
    }
    let tx = shop.begin().await;
    marking::go_on(&tx, &shop.act(), &shop.whole(), id).await.unwrap();
    tx.commit().await.unwrap();
    // The job of before the pause does nothing.
    assert_eq!(
        marking::work(&shop.app, corp, id, 0).await.unwrap(),
        Outcome::Ended
    );
    runner::settle(&shop.app).await;
    assert_eq!(counts(&street.marking(id).await), (State::Done, 12, 0, 0));
    assert_eq!(
        (street.history().await, street.tagged_there("etGold").await),
        (13, 13)
    );
    assert_eq!(street.calls_of(MARK), 13, "no pair is marked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_leaves_what_is_marked_and_forgets_the_rest() {
    let street = Street::open().await;
    let shop = &street.shop;
    let id = street.begin(&shop.whole(), everybody(), gold()).await;
    let tx = shop.begin().await;
    marking::stop(&tx, &shop.act(), &shop.whole(), id).await.unwrap();
    tx.commit().await.unwrap();
    runner::settle(&shop.app).await;
    let marking = street.marking(id).await;
    assert_eq!(counts(&marking), (State::Stopped, 0, 0, 0));
    assert!(marking.ended_at.is_some());
    assert_eq!(street.calls_of(MARK), 0);
    assert_eq!(shop.number("select count(*) from marking_part").await, 0);
    let tx = shop.begin().await;
    assert!(marking::go_on(&tx, &shop.act(), &shop.whole(), id).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_off_anywhere_it_goes_on_and_writes_no_history_twice() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.sandbox.set_knobs(Knobs {
        answer_ms: 15,
        ..Knobs::default()
    });
    let id = street.begin(&shop.whole(), everybody(), gold()).await;
    // Dropped in the middle of calls, at another place each time: as when the process is killed.
    for round in 0..6u64 {
        let slice = marking::work(&shop.app, shop.corp, id, 0);
        let patience = std::time::Duration::from_millis(20 + 13 * round);
        let _ = tokio::time::timeout(patience, slice).await;
    }
    // Two at once, as when a worker was only taken for lost.
    let both = tokio::join!(
        marking::work(&shop.app, shop.corp, id, 0),
        marking::work(&shop.app, shop.corp, id, 0)
    );
    both.0.unwrap();
    both.1.unwrap();
    runner::settle(&shop.app).await;
    assert_eq!(counts(&street.marking(id).await), (State::Done, 12, 0, 0));
    assert_eq!(
        (street.history().await, street.tagged_there("etGold").await),
        (13, 13)
    );
    assert_eq!(street.tagged_here().await, 13);
    let twice = "select count(*) from (select contact_id, associate_id from tag_change
                   group by contact_id, associate_id having count(*) > 1) t";
    assert_eq!(shop.number(twice).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_waited_for_and_a_lost_permission_pauses() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.fail(Fault::Errcode(45009), 1);
    let id = street.begin(&shop.whole(), everybody(), gold()).await;
    runner::settle(&shop.app).await;
    let held = street.marking(id).await;
    assert_eq!(held.state, State::Running, "it waits for the platform's minute");
    street.after(2 * dianyu::time::MINUTE_MS);
    runner::settle(&shop.app).await;
    assert_eq!(counts(&street.marking(id).await), (State::Done, 12, 0, 0));

    let mut wish = gold();
    (wish.add, wish.remove) = (vec![SILVER], vec![GOLD]);
    let second = street.begin(&shop.whole(), everybody(), wish).await;
    street.fail(Fault::Errcode(48002), 1);
    runner::settle(&shop.app).await;
    let held = street.marking(second).await;
    assert_eq!(held.state, State::Paused);
    assert_eq!(held.problem.unwrap().key, "refused-mark-permission");
    let tx = shop.begin().await;
    marking::go_on(&tx, &shop.act(), &shop.whole(), second)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    runner::settle(&shop.app).await;
    let done = street.marking(second).await;
    assert_eq!((counts(&done), done.problem), ((State::Done, 12, 0, 0), None));
    assert_eq!(
        (
            street.tagged_there("etGold").await,
            street.tagged_there("etSilver").await
        ),
        (0, 13)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_marks_a_rule_or_a_segment_and_is_told_what_is_wrong() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.run(
        "insert into segment (corp_id, id, name, rule, version, created_by, created_at, updated_at)
         values (1, 801, '北京', '{\"region\":\"12\"}', 1, 'system', 0, 0)",
    )
    .await;
    let program = Program::of(shop, &["contacts:read", "contacts:write"]).await;
    for (body, pointer) in [
        (json!({"add": ["51"]}), "/rule"),
        (
            json!({"rule": {"store": "21"}, "segment_id": "801", "add": ["51"]}),
            "/segment_id",
        ),
        (json!({"rule": {"store": "21"}}), "/add"),
        (json!({"rule": {"store": "21"}, "add": ["51", "9"]}), "/add/1"),
        (
            json!({"rule": {"store": "21"}, "add": ["51"], "remove": ["51"]}),
            "/add/0",
        ),
        (json!({"rule": {"store": "99"}, "add": ["51"]}), "/rule/store"),
        (json!({"segment_id": "999", "add": ["51"]}), "/segment_id"),
        (json!({"rule": {"channel": "nobody"}, "add": ["51"]}), ""),
        (
            json!({"rule": {"store": "21"}, "add": ["51"], "colour": 1}),
            "/colour",
        ),
    ] {
        let refused = program.post("/tags/marks", &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body} {}", refused.text);
        assert_eq!(
            refused.json()["errors"][0]["pointer"],
            pointer,
            "{body} {}",
            refused.text
        );
    }
    assert_eq!(shop.number("select count(*) from marking").await, 0);

    let by_rule = json!({"rule": {"store": "21"}, "add": ["51"]});
    let key = [("content-type", "application/json"), ("idempotency-key", "k1")];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = program
            .ask(
                "POST",
                "/tags/marks",
                &key,
                axum::body::Body::from(by_rule.to_string()),
            )
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert_eq!(made.json()["state"], "running");
        ids.push(made.id());
    }
    assert_eq!(ids[0], ids[1], "a repeat begins nothing");
    let second = program
        .post(
            "/tags/marks",
            &json!({"segment_id": "801", "add": ["51"], "remove": ["52"]}),
        )
        .await;
    assert_eq!(second.json()["segment_id"], "801");
    let paused = program
        .post(&format!("/tags/marks/{}/pause", second.id()), &json!({}))
        .await;
    assert_eq!(paused.json()["state"], "paused", "{}", paused.text);
    runner::settle(&shop.app).await;
    let first = program.get(&format!("/tags/marks/{}", ids[0])).await.json();
    assert_eq!((&first["state"], &first["changed"]), (&json!("done"), &json!(6)));
    assert_eq!(street.tagged_here().await, 7, "one of the six is followed twice");
    let going = program
        .ask(
            "DELETE",
            &format!("/tags/marks/{}/pause", second.id()),
            &[],
            axum::body::Body::empty(),
        )
        .await;
    assert_eq!(going.json()["state"], "running", "{}", going.text);
    let stopped = program
        .post(&format!("/tags/marks/{}/cancellation", second.id()), &json!({}))
        .await;
    assert_eq!(stopped.json()["state"], "stopped");
    let conflict = program
        .post(&format!("/tags/marks/{}/cancellation", second.id()), &json!({}))
        .await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    let list = program.get("/tags/marks?limit=1").await.json();
    assert_eq!(list["items"][0]["id"], json!(second.id()));
    assert!(list["next"].is_string());
    let refused = program
        .get(&format!("/tags/marks/{}/refused", ids[0]))
        .await
        .json();
    assert_eq!(refused["items"], json!([]));
    let reader = Program::of(shop, &["contacts:read"]).await;
    assert_eq!(
        reader.post("/tags/marks", &by_rule).await.status,
        StatusCode::FORBIDDEN
    );
    let queue = "select count(*) from job where kind = 'marking.go_on' and state = 'dead'";
    assert_eq!(shop.number(queue).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_goes_meanwhile_ends_it() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.run("update follow set tags = ' 51 ' where associate_id = 31")
        .await;
    let wish = Wish {
        add: vec![SILVER],
        remove: vec![GOLD],
        ..gold()
    };
    let id = street
        .begin(&shop.whole(), Audience::Rule(Rule::Tag(GOLD)), wish)
        .await;
    shop.run("update tag set deleted_at = 1 where id = 52").await;
    runner::settle(&shop.app).await;
    let marking = street.marking(id).await;
    assert_eq!(counts(&marking), (State::Failed, 0, 0, 0));
    assert_eq!(marking.problem.unwrap().key, "refused-mark-tag-gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_go_part_by_part() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.crowd(450).await;
    let audience = Audience::Listed(Box::new(ContactFilter {
        search: Some("顾客".into()),
        ..ContactFilter::default()
    }));
    let id = street.begin(&shop.whole(), audience, gold()).await;
    assert_eq!(shop.number("select count(*) from marking_part").await, 3);
    runner::settle(&shop.app).await;
    let marking = street.marking(id).await;
    // The platform knows none of them.
    assert_eq!(counts(&marking), (State::Done, 0, 0, 450));
    let mut seen = BTreeMap::new();
    let mut after = None;
    loop {
        let page = PageOf::new(Some(200), after).unwrap();
        let some = marking::refused(&shop.app.db, &shop.whole(), Actor::System, id, &page)
            .await
            .unwrap();
        for one in some.items {
            assert!(one.reason.text.contains("40096"), "{}", one.reason.text);
            assert!(seen.insert(one.contact_id, ()).is_none(), "told twice");
        }
        after = some.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 450);
}
