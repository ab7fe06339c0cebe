//! The contract with the platform: what a client of it must stand, each against the simulator, most of it by the whole
//! product.
//!
//! | Number | What must hold | Story |
//! | --- | --- | --- |
//! | 1 | a token killed under 50 calls is refreshed once | `platform::a_token_killed_under_fifty_calls_is_refreshed_once_and_all_succeed` |
//! | 2 | a wrong secret fails once | `platform::a_wrong_secret_fails_once_without_a_loop` |
//! | 3 | 45009 for a minute loses nothing | `platform::a_minute_of_refusals_loses_no_job_and_is_not_chased` |
//! | 4 | short and empty pages with a cursor | `contract::short_and_empty_pages_lose_nobody` |
//! | 5 | 84061 on an empty member | `contract::a_member_without_customers_is_an_empty_list_and_no_failure` |
//! | 6 | an add told twice, two adds in a second | `contract::an_add_told_twice_is_one_and_two_in_a_second_are_two` |
//! | 7 | an event lost, the nightly run repairs it | `contract::what_no_event_told_is_repaired_at_night` |
//! | 8 | a welcome at 19 s works, at 21 s not | `contract::a_welcome_goes_out_at_nineteen_seconds_and_not_at_twenty_one` |
//! | 9 | a broadcast that ends in every way | `contract::outcomes::a_broadcast_ends_in_every_way_and_every_customer_is_accounted_for` |
//! | 10 | transfers on the job | `contract::outcomes::customers_handed_over_on_the_job_are_where_the_platform_has_them` |
//! | 11 | transfers after a member left | `contract::outcomes::a_leavers_customers_are_listed_handed_on_or_lost` |
//! | 12 | the test vectors of the callback's crypto | `contract::vectors::the_vectors_open_and_their_secrets_work_at_our_door` |
//! | 13 | a userid in another letter case | `contract::a_member_is_one_whatever_the_letter_case` |
//! | 14 | a userid that is changed | `contract::a_member_with_a_new_userid_stays_the_same_person` |
//! | 15 | fields, ways and states nobody knows | `contract::what_nobody_knows_yet_is_kept_and_breaks_nothing` |
//! | 16 | times written as text | `contract::times_are_read_however_they_are_written` |

use std::collections::BTreeSet;

use dianyu::directory;
use dianyu::error::{Error, Result};
use dianyu::ids::{ExternalUserId, UserId};
use dianyu::job;
use dianyu::sandbox::{Act, Fault, Knobs, Member, Plan};
use dianyu::sync::{self, Outcome};
use dianyu::time::{MINUTE_MS, SECOND_MS};
use dianyu::wecom::Client;
use dianyu::wecom::callback::{Event, read_event};
use dianyu::wecom::message::{Message, Text};
use dianyu::welcomes::AppliesTo;

use crate::sending::{ADD, confirm_all, figures_hold, later, launch, progress, state};
use crate::street::Street;
use crate::sync::crowded;
use crate::welcomes::text;
use crate::world::CORPID;

mod outcomes;
mod vectors;

async fn client(street: &Street) -> Client {
    directory::platform(&street.shop.app, street.shop.corp)
        .await
        .unwrap()
}

fn turn(street: &Street, change: impl FnOnce(&mut Knobs)) {
    let mut knobs = street.sandbox.knobs();
    change(&mut knobs);
    street.sandbox.set_knobs(knobs);
}

/// The errcode a call was refused with.
fn code<T: std::fmt::Debug>(outcome: Result<T>) -> Option<i64> {
    match outcome {
        Err(Error::Platform(fault)) => fault.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// A run to its end; how much the mirror was wrong.
async fn corrections(street: &Street) -> i64 {
    let run = street.shop.start_run().await;
    assert_eq!(street.shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = street.shop.sync_run(run).await;
    assert!(told.steps.iter().all(|step| step.failed == 0), "{told:?}");
    told.corrections()
}

impl Street {
    /// How many live pairs the mirror has of a member and a customer.
    async fn live(&self, userid: &str, customer: &str) -> i64 {
        self.shop
            .number(&format!(
                "select count(*) from follow f
                 join contact c on c.corp_id = f.corp_id and c.id = f.contact_id
                 join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
                 where a.userid = '{userid}' and c.external_userid = '{customer}' and f.state = 'active'"
            ))
            .await
    }

    /// A customer nobody knows yet scans a member's code.
    fn comes(&self, customer: &str, member: &str) {
        self.passer_by(customer);
        self.sandbox.scan(CORPID, customer, member, "").unwrap();
    }
}

#[tokio::test]
async fn short_and_empty_pages_lose_nobody() {
    let street = Street::open().await;
    crowded(&street, 250);
    turn(&street, |knobs| {
        knobs.short_pages = true;
        knobs.empty_pages = true;
    });
    let client = client(&street).await;
    let members = ["li", "wu", "zhao", "qian", "sun"].map(UserId::from);
    let (mut pairs, mut sizes, mut cursor) = (BTreeSet::new(), Vec::new(), None);
    loop {
        let page = client.contacts_of(&members, cursor.as_deref()).await.unwrap();
        sizes.push(page.items.len());
        let read = page.items.into_iter();
        pairs.extend(read.map(|one| (one.follow.userid.0, one.contact.external_userid.0)));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!((pairs.len(), sizes.iter().sum::<usize>()), (513, 513));
    let (_, before) = sizes.split_last().unwrap();
    assert!(
        before.contains(&0) && before.iter().any(|size| (1..100).contains(size)),
        "{sizes:?}"
    );
    corrections(&street).await;
    assert_eq!(street.shop.live_pairs().await, 513);
}

#[tokio::test]
async fn a_member_without_customers_is_an_empty_list_and_no_failure() {
    let street = Street::open().await;
    let zhou = Member {
        userid: "zhou".into(),
        name: "周宁".into(),
        department: vec![21],
        ..Member::default()
    };
    street.sandbox.hire(CORPID, zhou).unwrap();
    street.settle().await;
    let client = client(&street).await;
    assert_eq!(client.contact_ids(&"zhou".into()).await.unwrap(), []);
    let refused = street.sandbox.ledger().into_iter();
    let refused = refused.filter(|entry| entry.errcode == Some(84061)).count();
    assert_eq!(refused, 1, "the platform calls it an error");
    let page = client.contacts_of(&["zhou".into()], None).await.unwrap();
    assert_eq!((page.items.len(), page.next), (0, None));
    let run = street.shop.start_run().await;
    assert_eq!(street.shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = street.shop.sync_run(run).await;
    assert_eq!((told.steps[2].done, told.steps[2].failed), (6, 0));
}

#[tokio::test]
async fn an_add_told_twice_is_one_and_two_in_a_second_are_two() {
    let street = Street::open().await;
    street.shop.welcome(AppliesTo::Corp, text("欢迎")).await;
    turn(&street, |knobs| knobs.callbacks_doubled = 100);
    let before = street.shop.live_pairs().await;
    street.comes("wmAn", "li");
    street.comes("wmBai", "li");
    street.settle().await;
    let told = street.sandbox.callbacks();
    let doubled = told.iter().filter(|one| one.note == "doubled").count();
    assert_eq!((told.len(), doubled), (4, 2));
    assert_eq!(street.shop.number("select count(*) from inbox").await, 2);
    assert_eq!(street.shop.live_pairs().await, before + 2);
    assert_eq!(street.calls_of("externalcontact/send_welcome_msg"), 2);
    assert_eq!(street.shop.sent("sent").await, 2);
    let added = "select coalesce(cast(sum(value) as bigint), 0) from store_day where code = 'new_relations'";
    assert_eq!(street.shop.number(added).await, 2);
}

#[tokio::test]
async fn what_no_event_told_is_repaired_at_night() {
    let street = Street::open().await;
    let shop = &street.shop;
    corrections(&street).await;
    turn(&street, |knobs| knobs.callbacks_dropped = 100);
    street.comes("wmAn", "li");
    street.sandbox.member_deletes(CORPID, "li", "wmSim102").unwrap();
    street.settle().await;
    assert_eq!(
        (
            street.live("li", "wmAn").await,
            street.live("li", "wmSim102").await
        ),
        (0, 1)
    );
    street.after(2 * MINUTE_MS);
    let tx = shop.begin().await;
    let nightly = sync::jobs::Nightly {};
    job::enqueue(&tx, &shop.app.ids, shop.now(), shop.corp, &nightly, shop.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    street.settle().await;
    assert_eq!(
        (
            street.live("li", "wmAn").await,
            street.live("li", "wmSim102").await
        ),
        (1, 0)
    );
    let told = sync::latest(&shop.app.db, &shop.whole()).await.unwrap().unwrap();
    assert_eq!((told.state.as_str(), told.corrections()), ("done", 2));
}

#[tokio::test]
async fn a_welcome_goes_out_at_nineteen_seconds_and_not_at_twenty_one() {
    let street = Street::open().await;
    let client = client(&street).await;
    let message = Message {
        text: Some(Text {
            content: "您好".into(),
        }),
        attachments: vec![],
    };
    for (customer, wait_s, expected) in [("wmAn", 19, None), ("wmBai", 21, Some(41050))] {
        street.comes(customer, "li");
        street.sandbox.callbacks_settled().await;
        let told = read_event(&street.sandbox.callbacks().last().unwrap().xml).unwrap();
        let Event::ContactAdded {
            welcome_code: Some(welcome_code),
            ..
        } = told.event
        else {
            panic!("{told:?}");
        };
        street.after(wait_s * SECOND_MS);
        let sent = client.send_welcome(&welcome_code, &message).await;
        match expected {
            None => sent.unwrap(),
            Some(_) => assert_eq!(code(sent), expected),
        }
    }
    // And by the product, whose queue may stand for so long.
    street.settle().await;
    street.shop.welcome(AppliesTo::Corp, text("欢迎")).await;
    for (customer, wait_s, sent, late) in [("wmChu", 19, 1, 0), ("wmDing", 21, 1, 1)] {
        street.comes(customer, "li");
        street.sandbox.callbacks_settled().await;
        street.after(wait_s * SECOND_MS);
        street.settle().await;
        assert_eq!(
            (street.shop.sent("sent").await, street.shop.sent("late").await),
            (sent, late)
        );
    }
}

#[tokio::test]
async fn a_member_is_one_whatever_the_letter_case() {
    let street = Street::open().await;
    let member = Member {
        userid: "ChenLu".into(),
        name: "陈露".into(),
        department: vec![21],
        ..Member::default()
    };
    street.sandbox.hire(CORPID, member).unwrap();
    street.settle().await;
    street.comes("wmAn", "CHENLU");
    street.settle().await;
    assert_eq!(street.live("chenlu", "wmAn").await, 1);
    let client = client(&street).await;
    for userid in ["ChenLu", "chenlu", "CHENLU"].map(UserId::from) {
        assert_eq!(client.member(&userid).await.unwrap().userid, "ChenLu".into());
        assert_eq!(
            client.contact_ids(&userid).await.unwrap(),
            [ExternalUserId::from("wmAn")]
        );
    }
    // The member deletes the customer; the event spells the userid as the corp does.
    street.sandbox.member_deletes(CORPID, "cHENlU", "wmAn").unwrap();
    street.settle().await;
    assert_eq!(street.live("chenlu", "wmAn").await, 0);
    street.after(2 * MINUTE_MS);
    corrections(&street).await;
    assert_eq!(street.shop.number("select count(*) from associate").await, 6);
}

#[tokio::test]
async fn a_member_with_a_new_userid_stays_the_same_person() {
    let street = Street::open().await;
    let shop = &street.shop;
    corrections(&street).await;
    let before = shop.live_pairs().await;
    street.sandbox.rename_member(CORPID, "li", "Li_Xiaowen").unwrap();
    assert!(
        street.sandbox.rename_member(CORPID, "Li_Xiaowen", "li").is_err(),
        "once only"
    );
    street.settle().await;
    street.comes("wmAn", "li_xiaowen");
    street.settle().await;
    let named =
        "select count(*) from associate where id = 31 and userid = 'li_xiaowen' and status = 'active'";
    assert_eq!(shop.number(named).await, 1);
    assert_eq!(street.live("li_xiaowen", "wmAn").await, 1);
    assert_eq!(street.live("li_xiaowen", "wmSim102").await, 1);
    assert_eq!(shop.number("select count(*) from associate").await, 5);
    assert_eq!(shop.live_pairs().await, before + 1);
    let client = client(&street).await;
    assert_eq!(client.contact_ids(&"li_xiaowen".into()).await.unwrap().len(), 5);
    assert_eq!(code(client.member(&"li".into()).await), Some(60111));
    street.after(2 * MINUTE_MS);
    assert_eq!(corrections(&street).await, 0);
    assert_eq!(shop.live_pairs().await, before + 1);
}

#[tokio::test]
async fn what_nobody_knows_yet_is_kept_and_breaks_nothing() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.passer_by("wmAn");
    let scan = Act::Scan {
        customer: "wmAn".into(),
        member: "li".into(),
        state: String::new(),
        add_way: 24,
        needs_acceptance: false,
        is_half: false,
    };
    street.sandbox.act(CORPID, scan).unwrap();
    street.settle().await;
    let kept = "select count(*) from follow where state = 'active' and add_way";
    assert_eq!(shop.number(&format!("{kept} = 24")).await, 1);

    turn(&street, |knobs| knobs.from_the_future = true);
    let before = shop.live_pairs().await;
    street.comes("wmBai", "li");
    street.settle().await;
    assert_eq!(street.live("li", "wmBai").await, 1);
    street.after(2 * MINUTE_MS);
    corrections(&street).await;
    assert_eq!(shop.live_pairs().await, before + 1);
    assert_eq!(shop.number(&format!("{kept} = 9001")).await, before + 1);
    assert_eq!(
        shop.number("select count(*) from associate where status = 'active'")
            .await,
        5
    );

    // States that say nothing are waited out: nobody counts as sent, and nobody as failed.
    let id = launch(&street).await;
    confirm_all(&street);
    later(&street, MINUTE_MS).await;
    let told = progress(&street, id).await;
    assert_eq!((told.sent, told.failed, told.tasked), (0, 0, told.eligible));
    turn(&street, |knobs| knobs.from_the_future = false);
    for _ in 0..3 {
        later(&street, 20 * MINUTE_MS).await;
    }
    let told = progress(&street, id).await;
    assert_eq!((told.sent, state(&street, id).await), (told.eligible, "finished"));
    figures_hold(&street).await;
}

#[tokio::test]
async fn times_are_read_however_they_are_written() {
    let street = Street::open().await;
    turn(&street, |knobs| knobs.times_as_text = true);
    street.comes("wmAn", "li");
    street.settle().await;
    let at = street.shop.now().0;
    let added = format!("select count(*) from follow where state = 'active' and added_at = {at}");
    assert_eq!(street.shop.number(&added).await, 1);
    // A lost answer is found again by its time, and a sending told by its.
    street.sandbox.plan(Plan {
        api: ADD.into(),
        fault: Fault::EffectThenDrop,
        times: 3,
    });
    let id = launch(&street).await;
    assert!(progress(&street, id).await.unknown > 0);
    later(&street, 2 * MINUTE_MS).await;
    let told = progress(&street, id).await;
    assert_eq!((told.unknown, told.tasked), (0, told.eligible));
    confirm_all(&street);
    later(&street, MINUTE_MS).await;
    let told = progress(&street, id).await;
    assert_eq!((told.sent, state(&street, id).await), (told.eligible, "finished"));
    assert_eq!(street.calls_of(ADD), 3);
    figures_hold(&street).await;
}

#[test]
fn each_number_of_the_contract_names_a_story_that_is_there() {
    let index = std::fs::read_to_string("tests/stories/contract.rs").unwrap();
    let rows = index.lines().filter_map(|line| line.strip_prefix("//! | "));
    let mut numbers = Vec::new();
    for row in rows {
        let columns: Vec<&str> = row.split(" | ").collect();
        let Ok(number) = columns[0].parse::<u32>() else {
            continue;
        };
        let story = columns[2].trim_end_matches(" |").trim_matches('`');
        let (file, name) = story.rsplit_once("::").unwrap();
        let text = std::fs::read_to_string(format!("tests/stories/{}.rs", file.replace("::", "/"))).unwrap();
        assert!(
            text.contains(&format!("\nasync fn {name}()")),
            "{number}: {story}"
        );
        numbers.push(number);
    }
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
}
