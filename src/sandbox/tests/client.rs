//! The real client against the simulator, over loopback: both speak the same language.

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cache::Cache;
use crate::error::Error;
use crate::ids::{CorpId, ExternalUserId, UserId};
use crate::wecom::broadcast::{Broadcast, GroupBroadcast, ResultStatus};
use crate::wecom::callback::{Event, encrypted_part, read_event};
use crate::wecom::login::Identity;
use crate::wecom::message::{Message, Text};
use crate::wecom::moment::{Made, MomentJob};
use crate::wecom::tag::Group;
use crate::wecom::{Client, Credentials, Platform};

pub(super) async fn client(shop: &Shop) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sandbox = shop.sandbox.clone();
    tokio::spawn(async move { sandbox.serve(listener, CancellationToken::new()).await });
    let credentials = Credentials {
        corp: CorpId(1),
        corpid: CORPID.into(),
        agent_id: 1_000_002,
        secret: SecretString::from("sandbox-secret"),
    };
    Platform::new(&url, Cache::memory()).client(credentials)
}

fn message(text: &str) -> Message {
    Message {
        text: Some(Text { content: text.into() }),
        attachments: vec![],
    }
}

/// The errcode a call was refused with.
pub(super) fn code<T: std::fmt::Debug>(outcome: crate::error::Result<T>) -> i64 {
    match outcome {
        Err(Error::Platform(fault)) => fault.code.unwrap_or_default(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn li() -> UserId {
    UserId::from("li")
}

pub(super) fn wu() -> UserId {
    UserId::from("wu")
}

pub(super) fn customer(id: &str) -> ExternalUserId {
    ExternalUserId::from(id)
}

#[tokio::test]
async fn the_client_reads_the_directory_and_the_customers() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    assert_eq!(client.departments().await.unwrap().len(), 2);
    assert_eq!(client.members(21).await.unwrap().len(), 2);
    assert_eq!(client.member(&li()).await.unwrap().main_department, Some(21));
    assert_eq!(client.follow_users().await.unwrap().len(), 2);
    assert_eq!(
        client.contact(&customer("wm3")).await.unwrap().follow_users.len(),
        2
    );
    let page = client
        .contacts_of(&[li(), UserId::from("wu")], None)
        .await
        .unwrap();
    assert_eq!((page.items.len(), page.next), (4, None));
    shop.sandbox.member_deletes(CORPID, "wu", "wm3").unwrap();
    assert_eq!(client.contact_ids(&UserId::from("wu")).await.unwrap(), []);
    client
        .remark(&li(), &customer("wm1"), Some("晴天"), None)
        .await
        .unwrap();
    let code = shop.sandbox.login_code(CORPID, "Li").unwrap();
    assert!(
        matches!(client.identity(&code).await.unwrap(), Identity::Member(userid) if userid.folded() == li())
    );
    let sent = client
        .send_card(
            &[li(), UserId::from("ghost")],
            "今日任务",
            "3 条",
            "https://crm.example.com",
        )
        .await;
    assert_eq!(sent.unwrap().invalid, [UserId::from("ghost")]);
}

#[tokio::test]
async fn the_client_marks_tags() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let made = client
        .add_tags(&Group::Named("门店".into()), &["一店", "二店"])
        .await
        .unwrap();
    let id = made.tag[0].id.clone();
    client.rename_tag(&id, "总店").await.unwrap();
    client
        .mark_tags(&li(), &customer("wm1"), &[&id], &[])
        .await
        .unwrap();
    let detail = client.contact(&customer("wm1")).await.unwrap();
    assert_eq!(detail.follow_users[0].tag_ids, std::slice::from_ref(&id));
    client.delete_tags(&[&id], &[]).await.unwrap();
    assert_eq!(client.tags().await.unwrap().len(), 2);
    assert!(
        client.contact(&customer("wm1")).await.unwrap().follow_users[0]
            .tag_ids
            .is_empty()
    );
}

#[tokio::test]
async fn the_client_hands_over_a_broadcast_and_reads_its_results() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let broadcast = Broadcast {
        chat_type: "single".into(),
        external_userid: vec![customer("wm1"), customer("wm4")],
        sender: li(),
        message: message("周末会员日"),
    };
    let handed = client
        .add_broadcast(&serde_json::to_string(&broadcast).unwrap())
        .await
        .unwrap();
    assert_eq!(handed.fail_list, [customer("wm4")]);
    shop.clock.advance(1_000);
    let now = shop.clock.now();
    let listed = client.broadcasts(now.plus_ms(-60_000), now, None).await.unwrap();
    assert_eq!(listed.items[0].message, message("周末会员日"));
    assert!(!client.broadcast_members(&handed.msgid, None).await.unwrap().items[0].sent);
    shop.sandbox
        .member_confirms_broadcast(CORPID, &handed.msgid, "li")
        .unwrap();
    assert!(client.broadcast_members(&handed.msgid, None).await.unwrap().items[0].sent);
    let results = client
        .broadcast_results(&handed.msgid, &li(), None)
        .await
        .unwrap();
    assert_eq!(results.items[0].status, ResultStatus::Sent);
    client.remind_broadcast(&handed.msgid).await.unwrap();
    client.cancel_broadcast(&handed.msgid).await.unwrap();
}

#[tokio::test]
async fn the_client_posts_a_moment_and_reads_what_came_of_it() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    assert!(
        !client
            .upload_moment_image("a.png", vec![1; 64])
            .await
            .unwrap()
            .is_empty()
    );
    let jobid = client
        .add_moment(&message("夏季上新"), &[li()], &[])
        .await
        .unwrap();
    assert!(matches!(
        client.moment_job(&jobid).await.unwrap(),
        MomentJob::Running
    ));
    shop.clock.advance(1_000);
    let MomentJob::Done { moment_id, .. } = client.moment_job(&jobid).await.unwrap() else {
        panic!("the job is not done");
    };
    shop.sandbox
        .member_publishes_moment(CORPID, &moment_id, "li")
        .unwrap();
    shop.sandbox
        .customer_likes(CORPID, &moment_id, "li", "wm1")
        .unwrap();
    assert!(client.moment_members(&moment_id, None).await.unwrap().items[0].published);
    assert_eq!(
        client
            .moment_visible(&moment_id, &li(), None)
            .await
            .unwrap()
            .items
            .len(),
        3
    );
    let seen = client.moment_interactions(&moment_id, &li()).await.unwrap();
    assert_eq!(seen.likes, [(customer("wm1"), shop.clock.now())]);
    client.cancel_moment(&moment_id).await.unwrap();
}

#[tokio::test]
async fn what_members_make_themselves_is_listed_apart() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let msgid = shop
        .sandbox
        .member_broadcasts(CORPID, "li", "早上好", &["wm1"])
        .unwrap();
    let moment_id = shop.sandbox.member_posts(CORPID, "li", "新品到店").unwrap();
    let now = shop.clock.now();
    assert!(client.broadcasts(now, now, None).await.unwrap().items.is_empty());
    let own = client
        .broadcasts_made(Made::ByMember, now, now, None)
        .await
        .unwrap()
        .items;
    assert_eq!(
        (own[0].msgid.as_str(), own[0].is_personal),
        (msgid.as_str(), true)
    );
    assert_eq!(own[0].creator.as_ref().unwrap().folded(), li());
    assert!(
        client
            .moments(Made::ByCorp, now, now, None)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let own = client
        .moments(Made::ByAnybody, now, now, None)
        .await
        .unwrap()
        .items;
    assert_eq!(
        (own[0].text.as_str(), own[0].is_personal, own[0].is_public),
        ("新品到店", true, true)
    );
    let chosen = client.moment_chosen(&moment_id, &li(), None).await.unwrap().items;
    assert_eq!(chosen.len(), 3);
}

#[tokio::test]
async fn a_group_broadcast_reaches_the_senders_own_groups() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let own = shop.sandbox.create_group(CORPID, "li", "", &["wm1"]).unwrap();
    let other = shop.sandbox.create_group(CORPID, "wu", "", &["wm2"]).unwrap();
    let mut broadcast = GroupBroadcast {
        sender: li(),
        chat_id_list: vec![own.clone(), other.clone()],
        message: message("周末会员日"),
    };
    let handed = client.add_group_broadcast(&broadcast).await.unwrap();
    assert_eq!(handed.fail_list, [customer(&other)]);
    shop.clock.advance(1_000);
    let confirmed = shop
        .sandbox
        .member_confirms_broadcast(CORPID, &handed.msgid, "li")
        .unwrap();
    assert_eq!(confirmed.reached, ["wm1"]);
    let results = client
        .group_broadcast_results(&handed.msgid, &li(), None)
        .await
        .unwrap()
        .items;
    assert_eq!(
        (results[0].chat_id.as_str(), results[0].status),
        (own.as_str(), ResultStatus::Sent)
    );
    broadcast.chat_id_list = vec![other];
    assert_eq!(code(client.add_group_broadcast(&broadcast).await), 41048);
}

#[tokio::test]
async fn the_client_reads_every_event_and_welcomes_in_time() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    let sandbox = &shop.sandbox;
    sandbox.scan(CORPID, "wm4", "li", "s1").unwrap();
    sandbox.member_remarks(CORPID, "li", "wm4", "新客").unwrap();
    sandbox.customer_deletes(CORPID, "wm4", "li").unwrap();
    sandbox.member_deletes(CORPID, "li", "wm4").unwrap();
    sandbox.admin_edits_tag(CORPID, "etGold", "黑金卡").unwrap();
    sandbox.resign(CORPID, "wu").unwrap();
    sandbox.callbacks_settled().await;
    let events: Vec<Event> = app
        .heard()
        .iter()
        .map(|xml| read_event(xml).unwrap().event)
        .collect();
    let Event::ContactAdded {
        welcome_code: Some(code),
        state,
        ..
    } = &events[0]
    else {
        panic!("{:?}", events[0]);
    };
    assert_eq!(state, "s1");
    assert!(matches!(events[1], Event::ContactEdited { .. }));
    assert!(matches!(events[2], Event::ContactLost { .. }));
    assert!(matches!(
        events[3],
        Event::ContactRemoved {
            by_transfer: false,
            ..
        }
    ));
    assert!(matches!(events[4], Event::TagsChanged));
    assert!(matches!(events[5], Event::MemberChanged { left: true, .. }));
    client.send_welcome(code, &message("您好")).await.unwrap();
    assert_eq!(
        encrypted_part("<xml><Encrypt><![CDATA[abc]]></Encrypt></xml>").as_deref(),
        Some("abc")
    );
}

#[tokio::test]
async fn a_killed_token_is_renewed_once_for_fifty_calls_at_a_time() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    client.departments().await.unwrap();
    shop.sandbox.expire_tokens(CORPID);
    shop.sandbox.forget_ledger();
    let calls = (0..50).map(|_| async { client.member(&li()).await.is_ok() });
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.into_iter().all(|answer| answer));
    let renewals = shop
        .sandbox
        .ledger()
        .iter()
        .filter(|entry| entry.api == "gettoken")
        .count();
    assert_eq!(renewals, 1);
}
