//! Customer groups: people make and fill them, the real client reads them, events carry what changed.

use super::client::{client, code, li, wu};
use super::*;
use crate::wecom::callback::{Event, GroupChange, read_event};
use crate::wecom::group::GroupStatus;
use crate::wecom::group_welcome::GroupWelcome;
use crate::wecom::join_way::JoinSettings;
use crate::wecom::message::{Attachment, Link};

/// A group of `Li`, `wu` and a customer.
fn group(shop: &Shop) -> String {
    shop.sandbox
        .create_group(CORPID, "li", "一店VIP群", &["wu", "wm1"])
        .unwrap()
}

#[tokio::test]
async fn a_group_is_read_with_everybody_in_it_even_with_nobodys_friend() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let id = group(&shop);
    shop.sandbox.join_group(CORPID, &id, "wm5", Some("wu")).unwrap();
    let listed = client.groups(&[li()], None).await.unwrap().items;
    assert_eq!((listed.len(), listed[0].status), (1, GroupStatus::Normal));
    let read = client.group(&id).await.unwrap();
    assert_eq!((read.name.as_str(), read.owner.folded()), ("一店VIP群", li()));
    assert_eq!(read.members.len(), 4);
    let stranger = read.members.iter().find(|member| member.userid == "wm5").unwrap();
    assert!(stranger.is_external() && stranger.invitor() == Some(&wu()));
    assert_eq!((stranger.name.as_str(), stranger.join_scene), ("客户5", 1));
    assert_eq!(
        shop.get("externalcontact/get?external_userid=wm5").await["errcode"],
        84061
    );
    assert_eq!(code(client.chat_id("nothing").await), 90511);
    let opengid = shop
        .sandbox
        .with_corp(CORPID, |corp, _| Ok(corp.groups[&id].opengid.clone()));
    assert_eq!(client.chat_id(&opengid.unwrap()).await.unwrap(), id);
    shop.sandbox.resign(CORPID, "li").unwrap();
    let listed = client.groups(&[li()], None).await.unwrap().items;
    assert_eq!(listed[0].status, GroupStatus::OwnerLeft);
    shop.sandbox.dismiss_group(CORPID, &id).unwrap();
    assert_eq!(code(client.group(&id).await), 40050);
    assert!(client.groups(&[], None).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn every_change_of_a_group_is_told_with_its_versions() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    let sandbox = &shop.sandbox;
    let id = group(&shop);
    let first = client.group(&id).await.unwrap().member_version;
    sandbox.join_group(CORPID, &id, "wm2", None).unwrap();
    sandbox.leave_group(CORPID, &id, "wm2", false).unwrap();
    for act in [
        json!({"act": "rename_group", "chat_id": id, "name": "新名"}),
        json!({"act": "change_group_notice", "chat_id": id, "notice": "公告"}),
        json!({"act": "change_group_owner", "chat_id": id, "member": "WU"}),
        json!({"act": "dismiss_group", "chat_id": id}),
    ] {
        sandbox.act(CORPID, serde_json::from_value(act).unwrap()).unwrap();
    }
    sandbox.callbacks_settled().await;
    let events: Vec<Event> = app
        .heard()
        .iter()
        .map(|xml| read_event(xml).unwrap().event)
        .collect();
    assert!(matches!(&events[0], Event::GroupCreated { chat_id } if *chat_id == id));
    let change = |at: usize| match &events[at] {
        Event::GroupChanged { change, .. } => change.clone(),
        other => panic!("{other:?}"),
    };
    let (GroupChange::Joined(joined), GroupChange::Left { members: left, .. }) = (change(1), change(2))
    else {
        panic!("{events:?}");
    };
    assert_eq!((joined.ids, joined.last), (vec!["wm2".to_owned()], first));
    assert_eq!((left.ids, left.last), (vec!["wm2".to_owned()], joined.current));
    assert_eq!(
        [change(3), change(4), change(5)],
        [GroupChange::Name, GroupChange::Notice, GroupChange::Owner]
    );
    assert!(matches!(events[6], Event::GroupDismissed { .. }));
    let heard = app.heard();
    assert_eq!(
        [field(&heard[1], "JoinScene"), field(&heard[2], "QuitScene")],
        [Some("3"), Some("0")]
    );
}

#[tokio::test]
async fn reads_of_a_group_lag_behind_its_events() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let id = group(&shop);
    let mut knobs = shop.sandbox.knobs();
    knobs.group_lag_ms = 2_000;
    shop.sandbox.set_knobs(knobs);
    shop.sandbox.join_group(CORPID, &id, "wm2", None).unwrap();
    assert_eq!(client.group(&id).await.unwrap().members.len(), 3);
    shop.clock.advance(2_000);
    assert_eq!(client.group(&id).await.unwrap().members.len(), 4);
}

#[tokio::test]
async fn a_join_way_goes_on_with_a_new_group_when_its_groups_are_full() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let id = group(&shop);
    let settings = JoinSettings {
        auto_create_room: true,
        room_base_name: "一店福利群".into(),
        room_base_id: 7,
        chat_id_list: vec![id.clone()],
        state: "grp_s001".into(),
        ..JoinSettings::default()
    };
    let way = client.add_join_way(&settings).await.unwrap();
    let mut knobs = shop.sandbox.knobs();
    (knobs.group_code_ceiling, knobs.group_ceiling) = (4, 5);
    shop.sandbox.set_knobs(knobs);
    let scan = |who: &str| shop.sandbox.scan_join_way(CORPID, who, &way).unwrap();
    assert_eq!(scan("wm2"), id);
    let next = scan("wm3");
    assert_ne!(next, id);
    let read = client.group(&next).await.unwrap();
    assert_eq!((read.name.as_str(), read.owner.folded()), ("一店福利群7", li()));
    let newcomer = read.members.iter().find(|member| member.userid == "wm3").unwrap();
    assert_eq!((newcomer.state.as_str(), newcomer.join_scene), ("grp_s001", 3));
    // By invitation there is still room for one.
    shop.sandbox.join_group(CORPID, &id, "wm3", Some("li")).unwrap();
    assert!(shop.sandbox.join_group(CORPID, &id, "wm4", Some("li")).is_err());
    let read = client.join_way(&way).await.unwrap();
    assert_eq!((read.chat_id_list.len(), read.room_base_id), (2, 8));
    let closed = JoinSettings {
        auto_create_room: false,
        chat_id_list: vec![id.clone()],
        ..settings.clone()
    };
    client.update_join_way(&way, &closed).await.unwrap();
    assert!(shop.sandbox.scan_join_way(CORPID, "wm4", &way).is_err());
    let six = JoinSettings {
        chat_id_list: vec![id; 6],
        ..settings
    };
    assert_eq!(code(client.add_join_way(&six).await), 41091);
    client.delete_join_way(&way).await.unwrap();
    assert_eq!(code(client.join_way(&way).await), 41044);
}

#[tokio::test]
async fn groups_of_many_members_need_an_owner_filter() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    for number in 0..1_000 {
        let member = Member {
            userid: format!("m{number}"),
            name: "店员".into(),
            department: vec![21],
            ..Member::default()
        };
        shop.sandbox.hire(CORPID, member).unwrap();
    }
    assert_eq!(code(client.groups(&[], None).await), 81017);
    assert!(client.groups(&[li()], None).await.is_ok());
}

#[tokio::test]
async fn a_welcome_template_is_kept_changed_and_deleted() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let link = Link {
        title: "会员日".into(),
        url: "https://shop.example.com/a".into(),
        ..Link::default()
    };
    let mut welcome = GroupWelcome {
        text: "欢迎%NICKNAME%".into(),
        attachment: Some(Attachment::Link { link }),
    };
    let id = client.add_group_welcome(&welcome, true).await.unwrap();
    assert_eq!(client.group_welcome(&id).await.unwrap(), welcome);
    welcome.attachment = None;
    client.edit_group_welcome(&id, &welcome).await.unwrap();
    assert_eq!(client.group_welcome(&id).await.unwrap(), welcome);
    client.delete_group_welcome(&id).await.unwrap();
    assert_eq!(code(client.group_welcome(&id).await), 40058);
    welcome.text.clear();
    assert_eq!(code(client.add_group_welcome(&welcome, false).await), 40058);
    welcome.text = "欢".repeat(1_001);
    assert_eq!(code(client.add_group_welcome(&welcome, false).await), 45002);
}
