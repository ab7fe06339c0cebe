//! What comes of what was asked for: broadcasts, and customers handed from one member to another.

use std::collections::BTreeMap;

use dianyu::campaigns;
use dianyu::sandbox::QuotaMode;
use dianyu::scope::Actor;
use dianyu::time::DAY_MS;
use dianyu::wecom::handover::{Leaver, TransferStatus};

use super::*;

#[tokio::test]
async fn a_broadcast_ends_in_every_way_and_every_customer_is_accounted_for() {
    let street = Street::open().await;
    let shop = &street.shop;
    // Nobody tells us that one customer is gone: the platform will refuse him when the task is made.
    turn(&street, |knobs| knobs.callbacks_dropped = 100);
    street.sandbox.member_deletes(CORPID, "li", "wmSim102").unwrap();
    turn(&street, |knobs| knobs.callbacks_dropped = 0);
    // Another has had what he may get today, by the member's own hand.
    street.sandbox.set_quota(CORPID, QuotaMode::PerDay(1)).unwrap();
    street
        .sandbox
        .member_broadcasts(CORPID, "li", "早上好", &["wmSim103"])
        .unwrap();
    let id = launch(&street).await;
    let of_li = shop
        .number("select count(*) from delivery where associate_id = 31 and state in ('tasked', 'failed')")
        .await;
    assert!((3..=4).contains(&of_li), "{of_li}");
    // A third leaves before the member presses send; the others of the team never do.
    street.sandbox.customer_deletes(CORPID, "wmSim104", "li").unwrap();
    let waiting = street.sandbox.waiting_broadcasts(CORPID);
    assert_eq!(waiting.len(), 3);
    let (msgid, member) = waiting.iter().find(|(_, member)| member == "li").unwrap();
    let confirmed = street
        .sandbox
        .member_confirms_broadcast(CORPID, msgid, member)
        .unwrap();
    assert_eq!(confirmed.reached.len() as i64, of_li - 3);
    later(&street, MINUTE_MS).await;
    let half = progress(&street, id).await;
    assert_eq!(
        (
            half.eligible,
            half.sent,
            half.failed,
            half.tasked,
            half.associates_confirmed
        ),
        (9, of_li - 3, 3, 9 - of_li, 1)
    );
    let me = shop.app.act(Actor::System);
    campaigns::cancel(&shop.app, &me, &shop.whole(), id)
        .await
        .unwrap();
    later(&street, 10 * SECOND_MS).await;
    later(&street, DAY_MS).await;
    assert!(street.sandbox.waiting_broadcasts(CORPID).is_empty());
    let told = progress(&street, id).await;
    assert_eq!(
        (told.sent, told.failed, told.cancelled),
        (of_li - 3, 3, 9 - of_li)
    );
    let failed = told.reasons.iter().filter(|reason| reason.state == "failed");
    let failed: BTreeMap<&str, i64> = failed
        .map(|reason| (reason.reason.as_str(), reason.contacts))
        .collect();
    assert_eq!(
        failed,
        BTreeMap::from([("not_friend", 1), ("not_reachable", 1), ("quota_used", 1)])
    );
    assert_eq!(state(&street, id).await, "cancelled");
    figures_hold(&street).await;
}

/// Starts transfers of customers; what each was refused with.
async fn hand(client: &Client, leaver: Leaver, from: &str, to: &str, customers: &[&str]) -> Vec<Option<i64>> {
    let customers: Vec<ExternalUserId> = customers.iter().map(|id| (*id).into()).collect();
    let started = client
        .transfer_customers(leaver, &from.into(), &to.into(), &customers, None)
        .await;
    started.unwrap().into_iter().map(|one| one.refused).collect()
}

async fn statuses(client: &Client, leaver: Leaver, from: &str, to: &str) -> Vec<(String, TransferStatus)> {
    let page = client
        .transfer_results(leaver, &from.into(), &to.into(), None)
        .await
        .unwrap();
    page.items
        .into_iter()
        .map(|one| (one.external_userid.0, one.status))
        .collect()
}

#[tokio::test]
async fn customers_handed_over_on_the_job_are_where_the_platform_has_them() {
    let street = Street::open().await;
    let shop = &street.shop;
    let client = client(&street).await;
    corrections(&street).await;
    let before = shop.live_pairs().await;
    let on_job = Leaver::OnJob;
    assert_eq!(
        hand(&client, on_job, "li", "wu", &["wmSim102", "wmSim103"]).await,
        [None, None]
    );
    // A friend of both.
    assert_eq!(hand(&client, on_job, "li", "zhao", &["wmSim101"]).await, [None]);
    street.sandbox.refuse_transfer(CORPID, "wmSim103").unwrap();
    street.after(DAY_MS);
    street.sandbox.tick();
    street.settle().await;
    let (done, refused) = (TransferStatus::Done, TransferStatus::Refused);
    assert_eq!(
        statuses(&client, on_job, "li", "wu").await,
        [("wmSim102".to_owned(), done), ("wmSim103".to_owned(), refused)]
    );
    assert_eq!(
        statuses(&client, on_job, "li", "zhao").await,
        [("wmSim101".to_owned(), done)]
    );
    for (member, customer, is_live) in [
        ("wu", "wmSim102", 1),
        ("li", "wmSim102", 0),
        ("li", "wmSim103", 1),
        ("wu", "wmSim103", 0),
        ("zhao", "wmSim101", 1),
        ("li", "wmSim101", 0),
    ] {
        assert_eq!(
            street.live(member, customer).await,
            is_live,
            "{member} {customer}"
        );
    }
    let ended = "select count(*) from follow_period where until_cause = 'transfer'";
    assert_eq!(shop.number(ended).await, 2);
    assert_eq!(
        shop.number("select count(*) from follow_period where from_cause = 'transfer'")
            .await,
        1
    );
    assert_eq!(shop.live_pairs().await, before - 1, "two friends became one");
    // Back and forth: the third time within ninety days is one too many.
    for (from, to) in [("li", "wu"), ("wu", "li")] {
        assert_eq!(hand(&client, on_job, from, to, &["wmSim104"]).await, [None]);
        street.sandbox.accept_transfer(CORPID, "wmSim104").unwrap();
        street.after(SECOND_MS);
        street.settle().await;
        assert_eq!(
            (
                street.live(to, "wmSim104").await,
                street.live(from, "wmSim104").await
            ),
            (1, 0)
        );
    }
    assert_eq!(
        hand(&client, on_job, "li", "wu", &["wmSim104"]).await,
        [Some(40128)]
    );
    street.after(2 * MINUTE_MS);
    assert_eq!(corrections(&street).await, 0);
}

#[tokio::test]
async fn a_leavers_customers_are_listed_handed_on_or_lost() {
    let street = Street::open().await;
    let shop = &street.shop;
    let client = client(&street).await;
    corrections(&street).await;
    let resigned = Leaver::Resigned;
    let customers = [ExternalUserId::from("wmSim105")];
    let early = client
        .transfer_customers(resigned, &"wu".into(), &"li".into(), &customers, None)
        .await;
    assert_eq!(code(early), Some(40097));
    street.sandbox.resign(CORPID, "wu").unwrap();
    street.settle().await;
    let left = "select count(*) from associate where userid = 'wu' and status = 'left'";
    assert_eq!(shop.number(left).await, 1);
    street.after(MINUTE_MS);
    let listed = client.unassigned(None).await.unwrap().items;
    let listed: Vec<&str> = listed.iter().map(|one| one.external_userid.as_str()).collect();
    assert_eq!(listed, ["wmSim105", "wmSim106"]);
    assert_eq!(
        hand(&client, resigned, "wu", "li", &["wmSim105", "wmSim106"]).await,
        [None, None]
    );
    assert!(client.unassigned(None).await.unwrap().items.is_empty());
    street.sandbox.refuse_transfer(CORPID, "wmSim106").unwrap();
    street.after(DAY_MS);
    street.sandbox.tick();
    street.settle().await;
    assert_eq!(
        statuses(&client, resigned, "wu", "li").await,
        [
            ("wmSim105".to_owned(), TransferStatus::Done),
            ("wmSim106".to_owned(), TransferStatus::Refused)
        ]
    );
    for (member, customer, is_live) in [
        ("li", "wmSim105", 1),
        ("wu", "wmSim105", 0),
        ("li", "wmSim106", 0),
        ("wu", "wmSim106", 0),
    ] {
        assert_eq!(
            street.live(member, customer).await,
            is_live,
            "{member} {customer}"
        );
    }
    assert_eq!(code(client.contact(&"wmSim106".into()).await), Some(84061));
    street.after(2 * MINUTE_MS);
    assert_eq!(corrections(&street).await, 0);
}
