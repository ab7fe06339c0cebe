//! Contact ways and acquisition links: made by the real client, scanned and opened by customers.

use super::client::{client, code, customer, li, wu};
use super::*;
use crate::wecom::acquisition::{ChatStatus, LinkSettings};
use crate::wecom::contact_way::WaySettings;

fn settings() -> WaySettings {
    WaySettings {
        remark: "一店收银台".into(),
        skip_verify: true,
        state: "s001_cashier".into(),
        user: vec![li(), wu()],
        ..WaySettings::default()
    }
}

#[tokio::test]
async fn a_way_carries_its_channel_and_takes_members_in_turn() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    let made = client.add_contact_way(&settings()).await.unwrap();
    assert!(made.qr_code.starts_with("https://wework.qpic.cn/"));
    let scan = |id: &str| shop.sandbox.scan_way(CORPID, id, &made.config_id).unwrap();
    assert_eq!([scan("wm4"), scan("wm5")], ["Li", "wu"]);
    let detail = client.contact(&customer("wm4")).await.unwrap();
    let follow = &detail.follow_users[0];
    assert_eq!((follow.add_way, follow.state.as_str()), (1, "s001_cashier"));
    shop.sandbox.callbacks_settled().await;
    assert_eq!(field(&app.heard()[0], "State"), Some("s001_cashier"));
    let mut changed = settings();
    changed.user = vec![wu()];
    changed.state = "s001_door".into();
    client
        .update_contact_way(&made.config_id, &changed)
        .await
        .unwrap();
    let read = client.contact_way(&made.config_id).await.unwrap();
    assert_eq!(
        (read.state.as_str(), read.user, read.kind),
        ("s001_door", vec![wu()], 2)
    );
    let now = shop.clock.now();
    let listed = client
        .contact_ways(now.plus_ms(-DAY_MS), now, None)
        .await
        .unwrap();
    assert_eq!(listed.items, std::slice::from_ref(&made.config_id));
    client.delete_contact_way(&made.config_id).await.unwrap();
    client.delete_contact_way(&made.config_id).await.unwrap();
    assert_eq!(code(client.contact_way(&made.config_id).await), 41044);
    assert!(shop.sandbox.scan_way(CORPID, "wm4", &made.config_id).is_err());
}

#[tokio::test]
async fn an_exclusive_way_keeps_the_first_member_and_one_with_approval_waits() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let exclusive = WaySettings {
        is_exclusive: true,
        skip_verify: false,
        ..settings()
    };
    let made = client.add_contact_way(&exclusive).await.unwrap();
    let scan = |id: &str| shop.sandbox.scan_way(CORPID, id, &made.config_id).unwrap();
    assert_eq!([scan("wm4"), scan("wm5"), scan("wm4")], ["Li", "wu", "Li"]);
    assert_eq!(code(client.contact(&customer("wm4")).await), 84061);
    shop.sandbox.accept(CORPID, "li", "wm4").unwrap();
    assert_eq!(
        client.contact(&customer("wm4")).await.unwrap().follow_users[0].state,
        "s001_cashier"
    );
}

#[tokio::test]
async fn a_way_is_refused_without_naming_the_member_at_fault() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let member = |userid: &str, status| Member {
        userid: userid.into(),
        name: userid.into(),
        department: vec![21],
        status,
        ..Member::default()
    };
    let mut unconfigured = member("un", 1);
    unconfigured.is_unconfigured = true;
    let mut unverified = member("uv", 1);
    unverified.is_unverified = true;
    for member in [unconfigured, unverified, member("new", 4)] {
        shop.sandbox.hire(CORPID, member).unwrap();
    }
    let of = |user: &str| WaySettings {
        user: vec![user.into()],
        ..settings()
    };
    for (user, expected) in [("un", 84074), ("uv", 40098), ("new", 41054), ("ghost", 40003)] {
        assert_eq!(code(client.add_contact_way(&of(user)).await), expected, "{user}");
    }
    let long = WaySettings {
        state: "s".repeat(31),
        ..settings()
    };
    assert_eq!(code(client.add_contact_way(&long).await), 40058);
    for number in 0..101 {
        shop.sandbox
            .hire(CORPID, member(&format!("m{number}"), 1))
            .unwrap();
    }
    let everybody = WaySettings {
        party: vec![21],
        ..settings()
    };
    assert_eq!(code(client.add_contact_way(&everybody).await), 41041);
    let mut knobs = shop.sandbox.knobs();
    knobs.ways_ceiling = 0;
    shop.sandbox.set_knobs(knobs);
    assert_eq!(code(client.add_contact_way(&settings()).await), 41045);
}

#[tokio::test]
async fn a_temporary_way_opens_a_session_that_can_be_closed() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let way = json!({"type": 1, "scene": 2, "user": ["li"], "is_temp": true, "expires_in": 3_600,
        "conclusions": {"text": {"content": "再见"}}});
    let made = shop.post("externalcontact/add_contact_way", way.clone()).await;
    let id = made["config_id"].as_str().unwrap();
    shop.sandbox.scan_way(CORPID, "wm4", id).unwrap();
    assert_eq!(code(client.contact(&customer("wm4")).await), 84061);
    client.close_temp_chat(&li(), &customer("wm4")).await.unwrap();
    assert_eq!(code(client.close_temp_chat(&li(), &customer("wm4")).await), 84061);
    let now = shop.clock.now();
    assert_eq!(
        client.contact_ways(now, now, None).await.unwrap().items,
        Vec::<String>::new()
    );
    shop.clock.advance(3_600_000);
    assert_eq!(code(client.contact_way(id).await), 41044);
    let mut several = way;
    several["type"] = json!(2);
    assert_eq!(
        shop.code_of("externalcontact/add_contact_way", several).await,
        40058
    );
}

#[tokio::test]
async fn a_link_brings_customers_with_a_channel_of_sixty_four_bytes() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    let mut settings = LinkSettings {
        name: "小红书".into(),
        users: vec![li()],
        skip_verify: true,
        ..LinkSettings::default()
    };
    let link = client.create_link(&settings).await.unwrap();
    assert!(link.link_id.starts_with("ca") && link.url.ends_with(&link.link_id));
    let channel = "x".repeat(63) + "店";
    shop.sandbox
        .open_link(CORPID, "wm4", &link.link_id, &channel)
        .unwrap();
    shop.sandbox
        .open_link(CORPID, "wm4", &link.link_id, &channel)
        .unwrap();
    let detail = client.contact(&customer("wm4")).await.unwrap();
    assert_eq!(
        (detail.follow_users[0].add_way, detail.follow_users[0].state.len()),
        (16, 63)
    );
    let brought = client.link_customers(&link.link_id, None).await.unwrap().items;
    assert_eq!(
        (brought.len(), brought[0].chat_status),
        (1, ChatStatus::NotSpoken)
    );
    let talk = json!({"act": "talk", "member": "li", "customer": "wm4", "is_asked": true});
    shop.sandbox
        .act(CORPID, serde_json::from_value(talk).unwrap())
        .unwrap();
    let brought = client.link_customers(&link.link_id, None).await.unwrap().items;
    assert_eq!(brought[0].chat_status, ChatStatus::Spoken);
    let now = shop.clock.now();
    let figures = client
        .link_figures(&link.link_id, now.plus_ms(-DAY_MS), now)
        .await
        .unwrap();
    assert_eq!((figures.opened, figures.added), (1, 1));
    let quota = client.acquisition_quota().await.unwrap();
    assert_eq!((quota.total, quota.balance), (10_000, 9_999));
    shop.sandbox.callbacks_settled().await;
    let heard: Vec<_> = app.heard();
    let changes: Vec<_> = heard
        .iter()
        .map(|xml| field(xml, "ChangeType").unwrap())
        .collect();
    assert_eq!(
        changes,
        ["friend_request", "add_external_contact", "customer_start_chat"]
    );
    settings.name = "抖音".into();
    client.update_link(&link.link_id, &settings).await.unwrap();
    let read = client.link(&link.link_id).await.unwrap().settings;
    assert_eq!((read.name.as_str(), read.users[0].folded()), ("抖音", li()));
    client.delete_link(&link.link_id).await.unwrap();
    assert!(client.links(None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn links_stop_when_the_quota_is_used_up() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    let settings = LinkSettings {
        name: "小红书".into(),
        users: vec![wu()],
        skip_verify: true,
        ..LinkSettings::default()
    };
    let link = client.create_link(&settings).await.unwrap();
    let mut knobs = shop.sandbox.knobs();
    knobs.acquisition_quota = 1;
    shop.sandbox.set_knobs(knobs);
    shop.sandbox.open_link(CORPID, "wm4", &link.link_id, "").unwrap();
    assert!(shop.sandbox.open_link(CORPID, "wm5", &link.link_id, "").is_err());
    assert_eq!(client.acquisition_quota().await.unwrap().balance, 0);
    shop.sandbox.callbacks_settled().await;
    assert_eq!(
        field(app.heard().last().unwrap(), "ChangeType"),
        Some("balance_exhausted")
    );
}
