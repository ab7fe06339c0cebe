//! Campaigns and moments all the way: planned here, sent by associates on the simulated platform, counted here.

use dianyu::campaigns::{self, Audience, NewCampaign, Progress};
use dianyu::directory;
use dianyu::ids::{CampaignId, RegionId, StoreId};
use dianyu::links::content::Content;
use dianyu::metrics;
use dianyu::moments::{self, NewMoment, Senders};
use dianyu::sandbox::{Fault, Plan};
use dianyu::scope::Actor;
use dianyu::segments::Rule;
use dianyu::time::{DAY_MS, Day, HOUR_MS, MINUTE_MS, SECOND_MS};

use crate::street::Street;
use crate::world::CORPID;

pub const ADD: &str = "externalcontact/add_msg_template";

fn content() -> Content {
    Content {
        text: "{门店}上新".into(),
        attachments: vec![],
    }
}

/// A campaign to everybody in the east: nine people, three associates.
pub async fn launch(street: &Street) -> CampaignId {
    let shop = &street.shop;
    let corp = directory::find_corp(&shop.app.db, shop.corp).await.unwrap();
    let new = NewCampaign {
        name: "会员日".into(),
        audience: Audience::Rule(Rule::Region(RegionId(11))),
        content: content(),
        send_at: None,
        zone: None,
        deadline: None,
        late_after_minutes: None,
        holdout_percent: None,
        priority: None,
    };
    let tx = shop.begin().await;
    let id = campaigns::create(&tx, &shop.act(), &shop.whole(), &corp, new)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    campaigns::schedule(&shop.app, &shop.act(), &shop.whole(), id)
        .await
        .unwrap();
    street.settle().await;
    id
}

pub async fn later(street: &Street, ms: i64) {
    street.after(ms);
    street.settle().await;
}

pub async fn progress(street: &Street, id: CampaignId) -> Progress {
    let progress = campaigns::progress(&street.shop.app.db, &street.shop.whole(), id)
        .await
        .unwrap();
    nobody_is_missing(&progress);
    progress
}

/// Everybody targeted is left out for one reason or stands in one state, at every moment.
fn nobody_is_missing(progress: &Progress) {
    let because_of = |state: &str| -> i64 {
        let reasons = progress.reasons.iter().filter(|reason| reason.state == state);
        reasons.map(|reason| reason.contacts).sum()
    };
    assert_eq!(progress.targeted, progress.eligible + because_of("excluded"));
    assert_eq!(progress.failed, because_of("failed"));
    let unsent = progress.planned + progress.tasked + progress.expired;
    assert_eq!(
        progress.eligible,
        progress.sent + progress.failed + unsent + progress.cancelled + progress.unknown
    );
}

pub async fn state(street: &Street, id: CampaignId) -> &'static str {
    campaigns::find(&street.shop.app.db, &street.shop.whole(), id)
        .await
        .unwrap()
        .state
        .as_str()
}

/// Everybody who waits presses send.
pub fn confirm_all(street: &Street) {
    for (msgid, member) in street.sandbox.waiting_broadcasts(CORPID) {
        street
            .sandbox
            .member_confirms_broadcast(CORPID, &msgid, &member)
            .unwrap();
    }
}

/// What was counted as it happened is what the rows say.
pub async fn figures_hold(street: &Street) {
    let (from, to) = (
        Day::parse("2026-11-20").unwrap(),
        Day::parse("2026-12-31").unwrap(),
    );
    let snapshot = street.shop.app.db.snapshot().await.unwrap();
    let wrong = metrics::differences(&snapshot, street.shop.corp, from, to)
        .await
        .unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_campaign_goes_out_and_comes_back_counted() {
    let street = Street::open().await;
    let id = launch(&street).await;
    assert_eq!((state(&street, id).await, street.calls_of(ADD)), ("running", 3));
    assert_eq!(progress(&street, id).await.tasked, 9);
    confirm_all(&street);
    later(&street, 20 * SECOND_MS).await;
    let progress = progress(&street, id).await;
    assert_eq!((progress.sent, progress.associates_confirmed), (9, 3));
    assert_eq!((state(&street, id).await, street.calls_of(ADD)), ("finished", 3));
    figures_hold(&street).await;
}

#[tokio::test]
async fn what_was_sent_before_midnight_counts_before_midnight_however_late_it_is_known() {
    let street = Street::open().await;
    launch(&street).await;
    street.after(14 * HOUR_MS - MINUTE_MS);
    street.sandbox.customer_deletes(CORPID, "wmSim105", "wu").unwrap();
    confirm_all(&street);
    later(&street, HOUR_MS).await;
    let counted = async |day: &str, code: &str| {
        let sql = format!(
            "select coalesce(cast(sum(value) as bigint), 0) from store_day where day = '{day}' and code = '{code}'"
        );
        street.shop.number(&sql).await
    };
    for (code, before, after) in [
        ("delivered", 8, 0),
        ("not_delivered", 1, 0),
        ("batches_confirmed", 3, 0),
    ] {
        assert_eq!(
            (
                counted("2026-11-23", code).await,
                counted("2026-11-24", code).await
            ),
            (before, after),
            "{code}"
        );
    }
    figures_hold(&street).await;
}

#[tokio::test]
async fn r01_an_answer_that_was_lost_is_looked_up_not_repeated() {
    let street = Street::open().await;
    for fault in [
        Fault::EffectThenDrop,
        Fault::Truncated,
        Fault::EffectThenStatus(502),
    ] {
        street.sandbox.plan(Plan {
            api: ADD.into(),
            fault,
            times: 1,
        });
    }
    let id = launch(&street).await;
    assert_eq!(progress(&street, id).await.unknown, 9);
    later(&street, 2 * MINUTE_MS).await;
    assert_eq!(progress(&street, id).await.tasked, 9);
    confirm_all(&street);
    later(&street, MINUTE_MS).await;
    assert_eq!((progress(&street, id).await.sent, street.calls_of(ADD)), (9, 3));
    assert_eq!(state(&street, id).await, "finished");
    figures_hold(&street).await;
}

#[tokio::test]
async fn what_never_arrived_is_shown_as_failed_and_not_repeated() {
    let street = Street::open().await;
    street.sandbox.plan(Plan {
        api: ADD.into(),
        fault: Fault::DropBefore,
        times: 3,
    });
    let id = launch(&street).await;
    for _ in 0..40 {
        later(&street, MINUTE_MS).await;
    }
    let progress = progress(&street, id).await;
    assert_eq!((progress.failed, progress.unknown), (9, 0));
    assert_eq!((state(&street, id).await, street.calls_of(ADD)), ("finished", 3));
    figures_hold(&street).await;
}

#[tokio::test]
async fn the_deadline_stops_who_did_not_confirm() {
    let street = Street::open().await;
    let id = launch(&street).await;
    let (msgid, member) = street.sandbox.waiting_broadcasts(CORPID).remove(0);
    street
        .sandbox
        .member_confirms_broadcast(CORPID, &msgid, &member)
        .unwrap();
    for _ in 0..26 {
        later(&street, HOUR_MS).await;
    }
    let progress = progress(&street, id).await;
    assert_eq!(
        (progress.sent + progress.expired, progress.associates_confirmed),
        (9, 1)
    );
    assert!(progress.sent > 0 && progress.expired > 0);
    assert_eq!(state(&street, id).await, "finished");
    assert!(
        street.sandbox.waiting_broadcasts(CORPID).is_empty(),
        "the platform stopped asking"
    );
    figures_hold(&street).await;
}

#[tokio::test]
async fn a_cancelled_campaign_reaches_nobody_more() {
    let street = Street::open().await;
    let id = launch(&street).await;
    let me = street.shop.app.act(Actor::System);
    let reminded = campaigns::remind(&street.shop.app, &me, &street.shop.whole(), id, None)
        .await
        .unwrap();
    street.settle().await;
    assert_eq!(
        (reminded, street.calls_of("externalcontact/remind_groupmsg_send")),
        (3, 3)
    );
    campaigns::cancel(&street.shop.app, &me, &street.shop.whole(), id)
        .await
        .unwrap();
    // The platform cannot be asked about a task within seconds of making it.
    later(&street, 10 * SECOND_MS).await;
    assert_eq!(progress(&street, id).await.cancelled, 9);
    assert!(street.sandbox.waiting_broadcasts(CORPID).is_empty());
    later(&street, DAY_MS).await;
    assert_eq!(
        (state(&street, id).await, progress(&street, id).await.cancelled),
        ("cancelled", 9)
    );
}

#[tokio::test]
async fn a_long_outage_strands_no_batch() {
    let street = Street::open().await;
    street.sandbox.plan(Plan {
        api: ADD.into(),
        fault: Fault::Errcode(45033),
        times: 10_000,
    });
    let id = launch(&street).await;
    // Every job has had its last try.
    street.shop.run("update job set attempts = 12, state = 'dead', unique_key = null where kind = 'campaigns.hand_over'").await;
    street.sandbox.forget_plans();
    street.after(MINUTE_MS);
    dianyu::jobs::settle(&street.shop.app).await;
    assert_eq!(progress(&street, id).await.tasked, 9);
    confirm_all(&street);
    street.after(MINUTE_MS);
    dianyu::jobs::settle(&street.shop.app).await;
    assert_eq!(
        (progress(&street, id).await.sent, state(&street, id).await),
        (9, "finished")
    );
    figures_hold(&street).await;
}

#[tokio::test]
async fn a_moment_goes_out_and_comes_back_counted() {
    let street = Street::open().await;
    let shop = &street.shop;
    let new = NewMoment {
        content: content(),
        audience: None,
        senders: Senders::Stores(vec![StoreId(21)]),
        send_at: None,
    };
    let id = moments::create(&shop.app, &shop.act(), &shop.whole(), new)
        .await
        .unwrap();
    street.settle().await;
    for _ in 0..6 {
        later(&street, 10 * SECOND_MS).await;
    }
    let (moment_id, member) = street.sandbox.waiting_moments(CORPID).remove(0);
    let saw = street
        .sandbox
        .member_publishes_moment(CORPID, &moment_id, &member)
        .unwrap();
    street
        .sandbox
        .customer_likes(CORPID, &moment_id, &member, &saw[0])
        .unwrap();
    street
        .sandbox
        .customer_comments(CORPID, &moment_id, &member, &saw[0])
        .unwrap();
    later(&street, MINUTE_MS).await;
    let moment = moments::find(&shop.app.db, &shop.whole(), id).await.unwrap();
    assert_eq!(
        (moment.state.as_str(), moment.assigned, moment.published),
        ("published", 2, 1)
    );
    assert_eq!(
        (moment.visible, moment.likes, moment.comments),
        (saw.len() as i64, 1, 1)
    );
    figures_hold(&street).await;
    moments::cancel(&shop.app, &shop.act(), &shop.whole(), id)
        .await
        .unwrap();
    street.settle().await;
    assert!(street.sandbox.waiting_moments(CORPID).is_empty());
    figures_hold(&street).await;
    assert_eq!(
        shop.number("select count(*) from link where moment_id is not null")
            .await,
        2
    );
}

#[tokio::test]
async fn a_moment_whose_answer_was_lost_is_looked_up_not_repeated() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.sandbox.plan(Plan {
        api: "externalcontact/add_moment_task".into(),
        fault: Fault::EffectThenDrop,
        times: 1,
    });
    let new = NewMoment {
        content: content(),
        audience: None,
        senders: Senders::Stores(vec![StoreId(22)]),
        send_at: None,
    };
    let id = moments::create(&shop.app, &shop.act(), &shop.whole(), new)
        .await
        .unwrap();
    street.settle().await;
    let part = async || moments::find_part(&shop.app.db, shop.corp, id, 0).await.unwrap();
    assert_eq!(part().await.state, "unknown");
    later(&street, 2 * MINUTE_MS).await;
    assert_eq!(part().await.state, "created");
    assert_eq!(street.calls_of("externalcontact/add_moment_task"), 1);
    assert_eq!(
        moments::find(&shop.app.db, &shop.whole(), id)
            .await
            .unwrap()
            .state,
        "published"
    );
    figures_hold(&street).await;
}

#[tokio::test]
async fn a_refusal_for_one_member_does_not_end_the_following() {
    let street = Street::open().await;
    let shop = &street.shop;
    let new = NewMoment {
        content: content(),
        audience: None,
        senders: Senders::Stores(vec![StoreId(22)]),
        send_at: None,
    };
    let id = moments::create(&shop.app, &shop.act(), &shop.whole(), new)
        .await
        .unwrap();
    street.settle().await;
    for _ in 0..3 {
        later(&street, 10 * SECOND_MS).await;
    }
    let (moment_id, member) = street.sandbox.waiting_moments(CORPID).remove(0);
    let saw = street
        .sandbox
        .member_publishes_moment(CORPID, &moment_id, &member)
        .unwrap();
    street
        .sandbox
        .customer_likes(CORPID, &moment_id, &member, &saw[0])
        .unwrap();
    for api in ["get_moment_task", "get_moment_send_result"] {
        street.sandbox.plan(Plan {
            api: format!("externalcontact/{api}"),
            fault: Fault::Errcode(40003),
            times: 1,
        });
    }
    for _ in 0..4 {
        later(&street, MINUTE_MS).await;
    }
    let moment = moments::find(&shop.app.db, &shop.whole(), id).await.unwrap();
    assert_eq!((moment.published, moment.likes), (1, 1));
    figures_hold(&street).await;
}
