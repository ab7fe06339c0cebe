//! Phone numbers: four digits for whoever sees the customer, the whole one for a right, once, and noted.

use axum::http::StatusCode;
use dianyu::auth::{Role, audit};
use dianyu::contacts::{self, Learned, Phone, Reading};
use dianyu::directory;
use dianyu::scope::Actor;
use dianyu::time::HOUR_MS;
use dianyu::wecom::contact::{ContactDetail, ExternalContact, FollowUser};
use serde_json::json;

use crate::files::Program;
use crate::visitor::Visitor;
use crate::world::{World, contact};

impl World {
    async fn phone(&self, number: i64, text: &str) {
        let tx = self.begin().await;
        let learned = Learned {
            contact: contact(number),
            birthday: None,
            phone: Phone::of(&self.app.sealer, self.corp, text),
            opted_out: None,
            values: Vec::new(),
        };
        contacts::learn(&tx, &self.act(), self.corp, &[learned])
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn shown_phones(&self) -> i64 {
        self.number("select count(*) from audit_entry where action = 'contact.phone'")
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_shown_once_to_whoever_may_see_it_and_each_time_is_noted() {
    let shop = World::open().await;
    shop.phone(102, "+86 138-0000-6027").await;
    let path = "/contacts/102/phone";
    for (role, store, associate, sees) in [
        (Role::Associate, None, Some(31), Some(true)),
        (Role::Manager, Some(21), None, Some(true)),
        (Role::Admin, None, None, Some(true)),
        (Role::Marketer, None, None, Some(false)),
        (Role::Associate, None, Some(32), None),
        (Role::Manager, Some(22), None, None),
    ] {
        let before = shop.shown_phones().await;
        let mut visitor = Visitor::of(&shop, role, store, associate).await;
        let page = visitor.get("/contacts/102").await;
        let shown = visitor.post(path, &[]).await;
        let noted = shop.shown_phones().await - before;
        match sees {
            Some(true) => {
                assert!(
                    page.text.contains("手机尾号 6027") && page.text.contains("查看号码"),
                    "{role:?}"
                );
                assert!(!page.text.contains("0000"), "{role:?}: {}", page.text);
                assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
                assert!(shown.text.contains("138 0000 6027"), "{}", shown.text);
                assert!(shown.text.contains("href=\"tel:13800006027\""));
                assert_eq!(noted, 1);
                let again = visitor.get("/contacts/102").await.text;
                assert!(!again.contains("0000 6027"), "only that once");
            }
            Some(false) => {
                assert!(
                    page.text.contains("手机尾号 6027") && !page.text.contains("查看号码"),
                    "{role:?}"
                );
                assert_eq!((shown.status, noted), (StatusCode::FORBIDDEN, 0));
            }
            None => {
                assert_eq!(page.status, StatusCode::NOT_FOUND);
                assert_eq!((shown.status, noted), (StatusCode::NOT_FOUND, 0));
            }
        }
    }
    let whom = "select count(*) from audit_entry where subject = 'contact:102' and actor like 'operator:%' and at > 0";
    assert_eq!(shop.number(whom).await, 3);
    let plain = "select count(*) from audit_entry where detail like '%6027%'";
    assert_eq!(shop.number(plain).await, 0);
    let verdict = audit::verify(&shop.app.db, &shop.app.sealer, shop.corp)
        .await
        .unwrap();
    assert!(matches!(verdict, audit::Verdict::Whole { .. }), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shown_more_than_so_many_in_an_hour() {
    let shop = World::open().await;
    shop.phone(102, "13800006027").await;
    let program = Program::of(&shop, &["contacts:read", "contacts:phone"]).await;
    for _ in 0..30 {
        let shown = program.post("/contacts/102/phone", &json!({})).await;
        assert_eq!(
            (shown.status, shown.text.as_str()),
            (StatusCode::OK, r#"{"phone":"13800006027"}"#)
        );
        shop.app.clock.advance(1_000);
    }
    let refused = program.post("/contacts/102/phone", &json!({})).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    assert!(!refused.text.contains("6027"));
    assert_eq!(shop.shown_phones().await, 30, "what was not shown is not noted");
    // Each counts for itself.
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    assert_eq!(li.post("/contacts/102/phone", &[]).await.status, StatusCode::OK);
    shop.app.clock.advance(HOUR_MS - 30_000);
    let again = program.post("/contacts/102/phone", &json!({})).await;
    assert_eq!(
        again.status,
        StatusCode::OK,
        "the first is an hour old: {}",
        again.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_kept_says_so_and_a_key_needs_the_scope() {
    let shop = World::open().await;
    let program = Program::of(&shop, &["contacts:read", "contacts:write"]).await;
    let refused = program.post("/contacts/102/phone", &json!({})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("contacts:phone"), "{}", refused.text);
    let mut li = Visitor::of(&shop, Role::Associate, None, Some(31)).await;
    let none = li.post("/contacts/102/phone", &[]).await;
    assert_eq!(none.said(), ["没有这位客户的手机号"]);
    shop.run("update contact set phone_last4 = '6027', phone_blind = 'x' where id = 102")
        .await;
    let old = li.post("/contacts/102/phone", &[]).await;
    assert!(old.said().join("").contains("只留了后四位"), "{:?}", old.said());
    assert_eq!(shop.shown_phones().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_the_platform_shows_is_kept_sealed_and_sealed_once() {
    let shop = World::open().await;
    let corp = directory::find_corp(&shop.app.db, shop.corp).await.unwrap();
    let sealed = || async {
        let sql = "select phone_sealed from contact where id = 102";
        dianyu::db::scalar::<Option<String>>(&shop.app.db, sql, vec![])
            .await
            .unwrap()
            .flatten()
    };
    let mut kept = Vec::new();
    for mobile in ["13800006027", "+86 138 0000 6027", "13900001111"] {
        let detail = ContactDetail {
            contact: ExternalContact {
                external_userid: "wmSim102".into(),
                name: "客户102".into(),
                avatar: String::new(),
                kind: 1,
                gender: 2,
                unionid: None,
            },
            follow_users: vec![FollowUser {
                userid: "li".into(),
                remark: String::new(),
                description: String::new(),
                createtime: shop.now().plus_ms(-30 * dianyu::time::DAY_MS).seconds(),
                tag_ids: vec![],
                remark_mobiles: vec![mobile.into()],
                add_way: 1,
                state: String::new(),
                oper_userid: "li".into(),
            }],
        };
        let reading = Reading {
            corp: &corp,
            sealer: &shop.app.sealer,
            read_at: shop.now(),
        };
        let tx = shop.begin().await;
        let act = shop.app.act(Actor::Platform);
        reading
            .of_contact(&tx, &act, &"wmSim102".into(), Some(&detail), None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        shop.app.clock.advance(1_000);
        kept.push(sealed().await.unwrap());
    }
    assert_eq!(kept[0], kept[1], "the same number is not another");
    assert_ne!(kept[1], kept[2]);
    assert!(
        kept.iter()
            .all(|sealed| sealed.starts_with("k1.") && !sealed.contains("6027"))
    );
    let act = shop.act();
    let number = contacts::show_phone(&shop.app, &act, &shop.whole(), contact(102))
        .await
        .unwrap();
    assert_eq!(contacts::spaced(&number), "139 0000 1111");
}
