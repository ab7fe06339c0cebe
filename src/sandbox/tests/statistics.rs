//! Statistics, album, ids and addresses, by the real client.

use super::client::{client, code, customer, li, wu};
use super::*;
use crate::ids::UserId;
use crate::wecom::album::Product;
use crate::wecom::conversion::Person;
use crate::wecom::media::MediaKind;

fn act(shop: &Shop, act: Value) {
    shop.sandbox
        .act(CORPID, serde_json::from_value(act).unwrap())
        .unwrap();
}

#[tokio::test]
async fn a_members_day_is_counted_from_what_people_did() {
    let mut shop = Shop::open().await;
    let client = client(&shop).await;
    shop.sandbox.scan(CORPID, "wm4", "li", "").unwrap();
    shop.sandbox.customer_deletes(CORPID, "wm4", "li").unwrap();
    act(
        &shop,
        json!({"act": "member_applies", "member": "Li", "customer": "wm5", "is_accepted": true}),
    );
    let talk = |customer: &str, answered: Option<i64>| {
        json!({"act": "talk", "member": "li", "customer": customer, "messages": 2, "is_asked": true,
            "answered_after_minutes": answered})
    };
    act(&shop, talk("wm1", Some(3)));
    act(&shop, talk("wm2", Some(4)));
    act(&shop, talk("wm3", None));
    shop.sandbox.chat(CORPID, "li", "wm1").unwrap();
    let day = shop.clock.now();
    assert!(
        client.behaviour(&li(), day, day).await.unwrap().is_empty(),
        "today is not over"
    );
    shop.clock.advance(DAY_MS - HOUR_MS);
    assert!(
        client.behaviour(&li(), day, day).await.unwrap().is_empty(),
        "it is 9:00"
    );
    shop.clock.advance(HOUR_MS);
    let row = client.behaviour(&li(), day, day).await.unwrap().remove(0);
    assert_eq!(
        (row.new_apply_cnt, row.new_contact_cnt, row.negative_feedback_cnt),
        (1, 2, 1)
    );
    assert_eq!((row.chat_cnt, row.message_cnt), (3, 7));
    assert_eq!((row.reply_percentage, row.avg_reply_time), (Some(66.66), Some(3)));
    let quiet = client.behaviour(&wu(), day.plus_ms(-DAY_MS), day).await.unwrap();
    assert_eq!(
        (quiet.len(), quiet[1].reply_percentage, quiet[1].chat_cnt),
        (2, None, 0)
    );
    let both = json!({"userid": ["li", "wu"], "start_time": day.seconds(), "end_time": day.seconds()});
    shop.renew_token().await;
    let both = shop.post("externalcontact/get_user_behavior_data", both).await;
    assert_eq!(both["behavior_data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_span_that_is_not_to_be_had_is_refused() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let now = shop.clock.now();
    let ago = |days: i64| now.plus_ms(-days * DAY_MS);
    assert_eq!(code(client.behaviour(&li(), ago(32), ago(1)).await), 600018);
    assert_eq!(code(client.behaviour(&li(), ago(181), ago(170)).await), 600018);
    assert_eq!(code(client.behaviour(&li(), ago(1), ago(-1)).await), 600018);
    assert_eq!(code(client.group_figures(&[li()], ago(1), ago(2)).await), 600018);
    assert_eq!(client.behaviour(&li(), ago(31), ago(1)).await.unwrap().len(), 31);
}

#[tokio::test]
async fn groups_are_counted_by_owner_and_by_day() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let first = shop.clock.now();
    let id = shop
        .sandbox
        .create_group(CORPID, "li", "", &["wm1", "wm2"])
        .unwrap();
    shop.sandbox.create_group(CORPID, "wu", "", &["wm3"]).unwrap();
    shop.clock.advance(DAY_MS);
    let second = shop.clock.now();
    shop.sandbox.join_group(CORPID, &id, "wm4", None).unwrap();
    for who in ["wm1", "LI", "wm1"] {
        shop.sandbox.write_in_group(CORPID, &id, who).unwrap();
    }
    shop.clock.advance(DAY_MS);
    let by_owner = client.group_figures(&[li(), wu()], first, second).await.unwrap();
    let of_li = by_owner
        .iter()
        .find(|figures| figures.owner.folded() == li())
        .unwrap()
        .data;
    assert_eq!(
        (of_li.new_chat_cnt, of_li.chat_total, of_li.chat_has_msg),
        (1, 1, 1)
    );
    assert_eq!((of_li.new_member_cnt, of_li.member_total), (4, 4));
    assert_eq!((of_li.member_has_msg, of_li.msg_total), (2, 3));
    let by_day = client.group_figures_by_day(&[], first, second).await.unwrap();
    let days: Vec<_> = by_day
        .iter()
        .map(|day| {
            (
                day.data.new_chat_cnt,
                day.data.chat_total,
                day.data.member_total,
                day.data.msg_total,
            )
        })
        .collect();
    assert_eq!(days, [(2, 2, 5, 0), (0, 2, 6, 3)]);
}

#[tokio::test]
async fn the_album_takes_pictures_uploaded_for_it() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let picture = client.upload_album_picture("a.png", &[1; 64]).await.unwrap();
    let mut product = Product {
        description: "真丝连衣裙".into(),
        price_fen: 59_900,
        product_sn: "HY0001".into(),
        pictures: vec![picture],
    };
    let id = client.add_product(&product).await.unwrap();
    assert_eq!(client.product(&id).await.unwrap().product, product);
    product.price_fen = 49_900;
    client.update_product(&id, &product).await.unwrap();
    assert_eq!(client.products(None).await.unwrap().items[0].product, product);
    client.delete_product(&id).await.unwrap();
    assert_eq!(code(client.product(&id).await), 41074);
    assert_eq!(code(client.product("none").await), 41075);
    for (wrong, expected) in [
        (
            Product {
                price_fen: 5_000_001,
                ..product.clone()
            },
            41086,
        ),
        (
            Product {
                description: String::new(),
                ..product.clone()
            },
            41087,
        ),
        (
            Product {
                product_sn: "一".into(),
                ..product.clone()
            },
            41085,
        ),
        (
            Product {
                pictures: vec![],
                ..product.clone()
            },
            41088,
        ),
        (
            Product {
                pictures: vec!["none".into()],
                ..product
            },
            40007,
        ),
    ] {
        assert_eq!(code(client.add_product(&wrong).await), expected);
    }
}

#[tokio::test]
async fn ids_are_turned_into_one_another() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let openid = client.openid(&customer("wm1")).await.unwrap();
    assert_eq!(
        client.customer_of("union1", &openid).await.unwrap(),
        customer("wm1")
    );
    assert_eq!(code(client.openid(&customer("wo1")).await), 40096);
    assert_eq!(code(client.openid(&customer("wm5")).await), 84061);
    let known = client.person_of("union1", &openid).await.unwrap();
    assert_eq!(known, Person::Customer(customer("wm1")));
    let stranger = client.person_of("union5", &openid).await.unwrap();
    assert!(matches!(stranger, Person::Pending(_)));
    let open = shop
        .post("batch/userid_to_openuserid", json!({"userid_list": ["Li"]}))
        .await;
    let open = open["open_userid_list"][0]["open_userid"]
        .as_str()
        .unwrap()
        .to_owned();
    let members = client
        .members_of_open_userids(&[&open, "none"], 1_000_002)
        .await
        .unwrap();
    assert_eq!(members, [(open, UserId::from("Li"))]);
}

#[tokio::test]
async fn uploads_recalls_and_addresses_answer() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    assert!(
        !client
            .upload_media(MediaKind::Image, "a.jpg", &[1; 64])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        client
            .upload_picture("a.jpg", &[1; 64])
            .await
            .unwrap()
            .starts_with("https://")
    );
    assert_eq!(client.api_addresses().await.unwrap(), ["127.0.0.1"]);
    assert_eq!(client.callback_addresses().await.unwrap(), ["127.0.0.1"]);
    let card = async || {
        client
            .send_card(&[li()], "任务", "3 条", "https://crm.example.com")
            .await
            .unwrap()
    };
    let sent = card().await;
    client.recall(&sent.msgid).await.unwrap();
    let held = shop
        .sandbox
        .with_corp(CORPID, |corp, _| Ok(corp.notices["li"].len()));
    assert_eq!(held.unwrap(), 0);
    let sent = card().await;
    shop.clock.advance(DAY_MS + 1);
    assert_eq!(code(client.recall(&sent.msgid).await), 42052);
}
