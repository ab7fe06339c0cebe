//! Welcomes: the nearest goes out once, in time, in the associate's name.

use dianyu::contacts;
use dianyu::error::Error;
use dianyu::ids::StoreId;
use dianyu::links::content::{Attachment, Content};
use dianyu::page::PageOf;
use dianyu::sandbox::{Fault, Plan};
use dianyu::timeline;
use dianyu::welcomes::{self, AppliesTo};

use crate::street::Street;
use crate::world::{CORPID, World};

pub fn text(text: &str) -> Content {
    Content {
        text: text.into(),
        attachments: vec![],
    }
}

impl World {
    pub async fn welcome(&self, applies_to: AppliesTo, content: Content) {
        let tx = self.begin().await;
        welcomes::create(&tx, &self.act(), &self.whole(), applies_to, &content)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn sent(&self, state: &str) -> i64 {
        self.number(&format!(
            "select count(*) from welcome_sent where state = '{state}'"
        ))
        .await
    }
}

#[tokio::test]
async fn the_nearest_welcome_goes_out_once_and_is_told() {
    let street = Street::open().await;
    let shop = &street.shop;
    shop.welcome(AppliesTo::Corp, text("欢迎")).await;
    shop.welcome(AppliesTo::Store(StoreId(21)), text("欢迎来{门店},我是{导购}"))
        .await;
    let zhou = street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "door").unwrap();
    street.settle().await;
    assert_eq!(shop.sent("sent").await, 1);
    let sent = street
        .sandbox
        .ledger()
        .into_iter()
        .find(|entry| entry.api == "externalcontact/send_welcome_msg")
        .unwrap();
    assert_eq!(sent.request["text"]["content"], "欢迎来静安嘉里店,我是李晓雯");
    // The contact is put to its welcome once it has been fetched.
    shop.app.clock.advance(5_000);
    street.settle().await;
    let known = contacts::ids_of(&shop.app.db, shop.corp, std::slice::from_ref(&zhou))
        .await
        .unwrap();
    let told = timeline::of_contact(&shop.app.db, &shop.whole(), known[&zhou], &PageOf::first(9))
        .await
        .unwrap();
    let kinds: Vec<&str> = told.items.iter().map(|one| one.entry.kind()).collect();
    assert_eq!(kinds, ["welcomed", "added"]);
    assert_eq!(
        shop.number("select count(*) from welcome_sent where contact_id is null")
            .await,
        0
    );
}

#[tokio::test]
async fn none_set_none_sent_and_a_late_one_is_recorded_only() {
    let street = Street::open().await;
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
    street.settle().await;
    assert_eq!(street.calls_of("externalcontact/send_welcome_msg"), 0);

    street.shop.welcome(AppliesTo::Corp, text("欢迎")).await;
    street.passer_by("wmWei");
    street.sandbox.scan(CORPID, "wmWei", "li", "").unwrap();
    street.sandbox.callbacks_settled().await;
    street.after(21_000);
    street.settle().await;
    assert_eq!(street.calls_of("externalcontact/send_welcome_msg"), 0);
    assert_eq!(street.shop.sent("late").await, 1);
}

#[tokio::test]
async fn a_refused_attachment_leaves_the_text() {
    let street = Street::open().await;
    let picture = Attachment::Link {
        title: "新人礼".into(),
        url: "https://shop.example.com/gift".into(),
        description: None,
        picture_url: None,
    };
    let content = Content {
        text: "欢迎".into(),
        attachments: vec![picture],
    };
    street
        .shop
        .welcome(AppliesTo::Channel("door".into()), content)
        .await;
    street.passer_by("wmZhou");
    street.sandbox.plan(Plan {
        api: "externalcontact/send_welcome_msg".into(),
        fault: Fault::Errcode(40058),
        times: 1,
    });
    street.sandbox.scan(CORPID, "wmZhou", "li", "door").unwrap();
    street.settle().await;
    assert_eq!(street.calls_of("externalcontact/send_welcome_msg"), 2);
    assert_eq!(street.shop.sent("sent").await, 1);
}

#[tokio::test]
async fn a_passing_refusal_costs_a_welcome_nothing() {
    let street = Street::open().await;
    let gift = Attachment::Link {
        title: "新人礼".into(),
        url: "https://shop.example.com/gift".into(),
        description: None,
        picture_url: None,
    };
    let content = Content {
        text: "欢迎".into(),
        attachments: vec![gift],
    };
    street.shop.welcome(AppliesTo::Corp, content).await;
    street.passer_by("wmZhou");
    for code in [45033, 6000] {
        street.sandbox.plan(Plan {
            api: "externalcontact/send_welcome_msg".into(),
            fault: Fault::Errcode(code),
            times: 1,
        });
    }
    street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
    street.settle().await;
    assert_eq!(street.shop.sent("sent").await, 1);
    let asked = street.sandbox.ledger();
    let asked: Vec<_> = asked
        .iter()
        .filter(|entry| entry.api == "externalcontact/send_welcome_msg")
        .collect();
    assert_eq!(asked.len(), 3);
    for entry in asked {
        assert_eq!(entry.request["attachments"][0]["link"]["title"], "新人礼");
    }
}

#[tokio::test]
async fn a_target_has_one_welcome() {
    let shop = World::open().await;
    shop.welcome(AppliesTo::Corp, text("欢迎")).await;
    let tx = shop.begin().await;
    let again = welcomes::create(&tx, &shop.act(), &shop.whole(), AppliesTo::Corp, &text("你好")).await;
    assert!(matches!(again, Err(Error::Invalid(problems)) if problems[0].pointer == "/applies_to"));
    tx.rollback().await.unwrap();
    let tx = shop.begin().await;
    let empty = welcomes::create(
        &tx,
        &shop.act(),
        &shop.whole(),
        AppliesTo::Store(StoreId(22)),
        &text(" "),
    )
    .await;
    assert!(matches!(empty, Err(Error::Invalid(_))));
    let nowhere = AppliesTo::Store(StoreId(9));
    let unknown = welcomes::create(&tx, &shop.act(), &shop.whole(), nowhere, &text("你好")).await;
    assert!(
        matches!(unknown, Err(Error::Invalid(problems)) if problems[0].pointer == "/applies_to/store_id")
    );
    tx.rollback().await.unwrap();

    let all = welcomes::list(&shop.app.db, &shop.whole()).await.unwrap();
    let tx = shop.begin().await;
    welcomes::change(&tx, &shop.act(), &shop.whole(), all[0].id, &text("您好"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        welcomes::find(&shop.app.db, &shop.whole(), all[0].id)
            .await
            .unwrap()
            .content
            .text,
        "您好"
    );
    let tx = shop.begin().await;
    welcomes::delete(&tx, &shop.whole(), all[0].id).await.unwrap();
    assert!(matches!(
        welcomes::delete(&tx, &shop.whole(), all[0].id).await,
        Err(Error::NotFound)
    ));
}
