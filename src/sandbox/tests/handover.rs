//! Handover by the real client: on the job, after a member left, groups; time does what nobody refuses.

use super::client::{client, code, customer, li, wu};
use super::*;
use crate::ids::UserId;
use crate::wecom::Client;
use crate::wecom::handover::{Leaver, TransferStatus};

async fn start(client: &Client, leaver: Leaver, ids: &[&str]) -> Vec<Option<i64>> {
    let ids: Vec<_> = ids.iter().map(|id| customer(id)).collect();
    let started = client
        .transfer_customers(leaver, &li(), &wu(), &ids, Some("您好"))
        .await;
    started.unwrap().into_iter().map(|one| one.refused).collect()
}

async fn statuses(client: &Client, leaver: Leaver) -> Vec<(String, TransferStatus)> {
    let page = client.transfer_results(leaver, &li(), &wu(), None).await.unwrap();
    let items = page.items.into_iter();
    items.map(|one| (one.external_userid.0, one.status)).collect()
}

async fn changes(shop: &Shop, app: &App) -> Vec<String> {
    shop.sandbox.callbacks_settled().await;
    let heard = app.heard();
    let change = |xml: &String| {
        let userid = field(xml, "UserID").unwrap_or_default();
        format!("{} {userid}", field(xml, "ChangeType").unwrap())
    };
    heard.iter().map(change).collect()
}

#[tokio::test]
async fn a_transfer_nobody_refuses_takes_effect_after_a_day() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    client
        .mark_tags(&li(), &customer("wm1"), &["etGold"], &[])
        .await
        .unwrap();
    let ids = ["wm1", "wm3", "wm4", "wx9", "wm1"];
    let started = start(&client, Leaver::OnJob, &ids).await;
    assert_eq!(started, [None, None, Some(40131), Some(40096), Some(40129)]);
    let page = client
        .transfer_results(Leaver::OnJob, &li(), &wu(), None)
        .await
        .unwrap();
    assert_eq!(page.items[0].status, TransferStatus::Waiting);
    assert_eq!(page.items[0].at, Some(shop.clock.now().plus_ms(DAY_MS)));
    shop.clock.advance(DAY_MS - 1_000);
    assert_eq!(
        statuses(&client, Leaver::OnJob).await[0].1,
        TransferStatus::Waiting
    );
    shop.clock.advance(1_000);
    let done = TransferStatus::Done;
    assert_eq!(
        statuses(&client, Leaver::OnJob).await,
        [("wm1".into(), done), ("wm3".into(), done)]
    );
    let follow = client
        .contact(&customer("wm1"))
        .await
        .unwrap()
        .follow_users
        .remove(0);
    assert_eq!(
        (follow.userid, follow.add_way, follow.tag_ids),
        (wu(), 202, vec!["etGold".into()])
    );
    assert_eq!(
        changes(&shop, &app).await,
        // `wm3` was a friend of `wu` before: no word of his coming.
        [
            "add_external_contact wu",
            "del_external_contact Li",
            "del_external_contact Li"
        ]
    );
    assert_eq!(field(&app.heard()[1], "Source"), Some("DELETE_BY_TRANSFER"));
    let same = client
        .transfer_customers(Leaver::OnJob, &li(), &li(), &[customer("wm2")], None)
        .await;
    assert_eq!(code(same), 40130);
}

#[tokio::test]
async fn time_alone_brings_a_transfer_about_and_a_restart_does_not_forget_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("world.jsonl"));
    let shop = Shop::at(data.clone()).await;
    let client = client(&shop).await;
    assert_eq!(start(&client, Leaver::OnJob, &["wm1"]).await, [None]);
    let id = shop
        .sandbox
        .create_group(CORPID, "li", "一店VIP群", &["wm1"])
        .unwrap();
    shop.sandbox.flush().await;
    let again = Shop::at(data).await;
    let app = App::listen(&again, 0).await;
    again.clock.advance(DAY_MS);
    again.sandbox.tick();
    assert_eq!(
        changes(&again, &app).await,
        ["add_external_contact wu", "del_external_contact Li"]
    );
    let version = |shop: &Shop| {
        shop.sandbox
            .with_corp(CORPID, |corp, _| Ok(corp.groups[&id].version.clone()))
    };
    assert_eq!(version(&again).unwrap(), version(&shop).unwrap());
}

#[tokio::test]
async fn a_refusal_on_the_job_changes_nothing_but_the_result() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    start(&client, Leaver::OnJob, &["wm1", "wm2"]).await;
    shop.sandbox.refuse_transfer(CORPID, "wm1").unwrap();
    shop.sandbox.accept_transfer(CORPID, "wm2").unwrap();
    assert!(shop.sandbox.accept_transfer(CORPID, "wm1").is_err());
    assert_eq!(
        statuses(&client, Leaver::OnJob).await,
        [
            ("wm1".into(), TransferStatus::Refused),
            ("wm2".into(), TransferStatus::Done)
        ]
    );
    assert_eq!(
        client.contact(&customer("wm1")).await.unwrap().follow_users[0]
            .userid
            .folded(),
        li()
    );
    assert_eq!(
        changes(&shop, &app).await,
        [
            "transfer_fail wu",
            "add_external_contact wu",
            "del_external_contact Li"
        ]
    );
    assert_eq!(field(&app.heard()[0], "FailReason"), Some("customer_refused"));
    let mut knobs = shop.sandbox.knobs();
    knobs.transfer_fail_untold = true;
    shop.sandbox.set_knobs(knobs);
    start(&client, Leaver::OnJob, &["wm1"]).await;
    shop.sandbox.refuse_transfer(CORPID, "wm1").unwrap();
    assert_eq!(changes(&shop, &app).await.len(), 3);
}

#[tokio::test]
async fn a_customer_is_handed_over_twice_in_ninety_days() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    let hand = async |from: UserId, to: UserId| {
        let ids = [customer("wm1")];
        let started = client
            .transfer_customers(Leaver::OnJob, &from, &to, &ids, None)
            .await;
        let refused = started.unwrap()[0].refused;
        if refused.is_none() {
            shop.sandbox.accept_transfer(CORPID, "wm1").unwrap();
        }
        refused
    };
    assert_eq!(hand(li(), wu()).await, None);
    assert_eq!(hand(wu(), li()).await, None);
    assert_eq!(hand(li(), wu()).await, Some(40128));
    // Handed back to somebody who had him: no word of his coming.
    assert_eq!(
        changes(&shop, &app).await,
        [
            "add_external_contact wu",
            "del_external_contact Li",
            "del_external_contact wu"
        ]
    );
    shop.clock.advance(90 * DAY_MS);
    assert_eq!(hand(li(), wu()).await, None);
}

#[tokio::test]
async fn a_member_without_room_is_told_at_once_or_in_the_end() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let app = App::listen(&shop, 0).await;
    start(&client, Leaver::OnJob, &["wm1"]).await;
    let mut knobs = shop.sandbox.knobs();
    knobs.customers_per_member = 1;
    shop.sandbox.set_knobs(knobs);
    assert_eq!(start(&client, Leaver::OnJob, &["wm2"]).await, [Some(40099)]);
    shop.clock.advance(DAY_MS);
    assert_eq!(statuses(&client, Leaver::OnJob).await[0].1, TransferStatus::Full);
    assert_eq!(changes(&shop, &app).await, ["transfer_fail wu"]);
    assert_eq!(
        field(&app.heard()[0], "FailReason"),
        Some("customer_limit_exceed")
    );
}

#[tokio::test]
async fn a_leavers_customers_are_listed_after_a_while_and_handed_on_or_lost() {
    let mut shop = Shop::open().await;
    let client = client(&shop).await;
    let early = client
        .transfer_customers(Leaver::Resigned, &li(), &wu(), &[customer("wm1")], None)
        .await;
    assert_eq!(code(early), 40097);
    shop.sandbox.resign(CORPID, "li").unwrap();
    let app = App::listen(&shop, 0).await;
    assert!(client.unassigned(None).await.unwrap().items.is_empty());
    shop.clock.advance(60_000);
    let listed = client.unassigned(None).await.unwrap();
    assert_eq!((listed.items.len(), listed.next), (3, None));
    assert_eq!(listed.items[0].left_at, shop.clock.now().plus_ms(-60_000));
    let on_job = client
        .transfer_customers(Leaver::OnJob, &li(), &wu(), &[customer("wm1")], None)
        .await;
    assert_eq!(code(on_job), 40003);
    assert_eq!(
        start(&client, Leaver::Resigned, &["wm1", "wm2"]).await,
        [None, None]
    );
    assert_eq!(client.unassigned(None).await.unwrap().items.len(), 1);
    shop.sandbox.refuse_transfer(CORPID, "wm2").unwrap();
    shop.clock.advance(DAY_MS);
    assert_eq!(
        statuses(&client, Leaver::Resigned).await,
        [
            ("wm1".into(), TransferStatus::Done),
            ("wm2".into(), TransferStatus::Refused)
        ]
    );
    assert_eq!(code(client.contact(&customer("wm2")).await), 84061);
    assert_eq!(
        client.unassigned(None).await.unwrap().items[0].external_userid,
        customer("wm3")
    );
    assert_eq!(
        changes(&shop, &app).await,
        [
            "transfer_fail wu",
            "del_external_contact Li",
            "add_external_contact wu"
        ]
    );
    let page = json!({"page_id": 0, "page_size": 1});
    shop.renew_token().await;
    let page = shop.post("externalcontact/get_unassigned_list", page).await;
    assert_eq!(
        (page["is_last"].clone(), page.get("next_cursor")),
        (json!(true), None)
    );
}

#[tokio::test]
async fn groups_go_to_another_owner_by_the_call_for_their_owner() {
    let shop = Shop::open().await;
    let client = client(&shop).await;
    let mut knobs = shop.sandbox.knobs();
    knobs.groups_handed_a_day = 3;
    shop.sandbox.set_knobs(knobs);
    let made: Vec<String> = (0..5)
        .map(|_| shop.sandbox.create_group(CORPID, "li", "", &["wm1"]).unwrap())
        .collect();
    let hand = async |leaver: Leaver, ids: &[&str], to: UserId| -> Vec<i64> {
        let failed = client.transfer_groups(leaver, ids, &to).await.unwrap();
        failed.into_iter().map(|one| one.code).collect()
    };
    let ids: Vec<&str> = made.iter().map(String::as_str).collect();
    assert_eq!(hand(Leaver::Resigned, &ids[..1], wu()).await, [90500]);
    assert_eq!(hand(Leaver::OnJob, &ids[..1], li()).await, [90504]);
    assert_eq!(hand(Leaver::OnJob, &[ids[0], "wrNone"], wu()).await, [40050]);
    assert_eq!(client.group(ids[0]).await.unwrap().owner, wu());
    assert!(hand(Leaver::OnJob, &ids[..1], li()).await.is_empty());
    assert_eq!(hand(Leaver::OnJob, &ids[..1], wu()).await, [40128]);
    shop.sandbox.resign(CORPID, "li").unwrap();
    assert_eq!(hand(Leaver::OnJob, &ids[1..2], wu()).await, [90502]);
    // One of the three of the day was given on the job.
    assert_eq!(hand(Leaver::Resigned, &ids[1..], wu()).await, [45009, 45009]);
    assert!(
        client
            .group(ids[1])
            .await
            .unwrap()
            .members
            .iter()
            .any(|member| member.userid == "wu")
    );
}
