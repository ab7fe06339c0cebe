//! What the database does not take is passed by, counted, and told as what it is.

use dianyu::auth::Role;
use dianyu::doctor::{self, Patient};
use dianyu::sandbox::Member;
use dianyu::sync::{self, Outcome};
use dianyu::time::MINUTE_MS;

use super::crowded;
use crate::street::{Street, seed};
use crate::visitor::Visitor;
use crate::world::{CORPID, World};

/// A rule of a table that the last of some rows breaks, on either database.
async fn refuse_the_second(shop: &World, table: &str, column: &str, like: &str) {
    shop.run(&format!(
        "create unique index only_one on {table} (corp_id) where {column} like '{like}'"
    ))
    .await;
}

#[tokio::test]
async fn a_customer_whom_the_database_does_not_take_is_passed_by_and_named() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 60);
    // The eighth of li and of wu: of the two one is taken.
    refuse_the_second(shop, "contact", "external_userid", "wmCrowd%00007").await;
    let run = shop.start_run().await;
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    let contacts = &told.steps[2];
    assert_eq!((told.state.as_str(), contacts.state.as_str()), ("done", "done"));
    assert_eq!((contacts.done, contacts.total, contacts.failed), (5, 5, 1));
    assert_eq!((contacts.seen, contacts.changed), (132, 119), "every other pair");
    let problem = contacts.problem.as_ref().unwrap();
    assert!(problem.contains("00007`"), "{problem}");
    let unread = sync::unread(&shop.app.db, &shop.whole(), run, 9).await.unwrap();
    assert_eq!(unread.len(), 1);
    assert_eq!(&unread[0].problem, problem);

    // One that we hold and cannot change goes on as it was: it was shown.
    shop.run("drop index only_one").await;
    let again = shop.start_run().await;
    shop.carry_on(again).await.unwrap();
    assert_eq!(shop.live_pairs().await, 133);
    refuse_the_second(shop, "follow", "remark", "vip%").await;
    for (userid, external_userid) in [("li", "wmCrowdli00001"), ("wu", "wmCrowdwu00002")] {
        street
            .sandbox
            .member_remarks(CORPID, userid, external_userid, "vip")
            .unwrap();
    }
    street.after(2 * MINUTE_MS);
    let run = shop.start_run().await;
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let contacts = shop.sync_run(run).await.steps[2].clone();
    assert_eq!((contacts.failed, contacts.changed, contacts.closed), (1, 1, 0));
    assert_eq!(shop.live_pairs().await, 133);
}

#[tokio::test]
async fn a_member_or_a_group_that_the_database_does_not_take_is_passed_by() {
    let street = Street::open().await;
    let shop = &street.shop;
    for userid in ["xu1", "xu2"] {
        let member = Member {
            userid: userid.into(),
            name: "徐".into(),
            department: vec![21],
            ..seed().members[0].clone()
        };
        street.sandbox.hire(CORPID, member).unwrap();
    }
    refuse_the_second(shop, "associate", "userid", "xu%").await;
    for name in ["重名群一", "重名群二", "三群"] {
        street
            .sandbox
            .create_group(CORPID, "li", name, &["wmSim101"])
            .unwrap();
    }
    shop.run("create unique index one_of_name on customer_group (corp_id) where name like '重名%'")
        .await;
    let run = shop.start_run().await;
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    assert_eq!(told.state, "done");
    let failed: Vec<i64> = told.steps.iter().map(|step| step.failed).collect();
    assert_eq!(failed, [1, 0, 0, 1]);
    assert_eq!((told.steps[3].done, told.steps[3].total), (3, 3));
    assert!(told.steps[0].problem.as_ref().unwrap().contains("`xu"));
    let live = "select count(*) from customer_group where name <> ''";
    assert_eq!(shop.number(live).await, 2);
    let here = "select count(*) from associate where userid like 'xu%'";
    assert_eq!(shop.number(here).await, 1);
    let unread = sync::unread(&shop.app.db, &shop.whole(), run, 9).await.unwrap();
    assert_eq!(unread.len(), 2, "{unread:?}");
}

#[tokio::test]
async fn a_listed_group_that_the_database_does_not_take_is_passed_by_and_told_as_that() {
    let street = Street::open().await;
    let shop = &street.shop;
    for name in ["一群", "二群", "三群"] {
        street
            .sandbox
            .create_group(CORPID, "li", name, &["wmSim101"])
            .unwrap();
    }
    // Of the groups that are listed and not looked at yet, one is taken.
    shop.run("create unique index one_new on customer_group (corp_id) where seen_at = 0")
        .await;
    let run = shop.start_run().await;
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    let groups = &told.steps[3];
    assert_eq!((told.state.as_str(), groups.state.as_str()), ("done", "done"));
    assert_eq!(
        (groups.done, groups.total, groups.seen, groups.failed),
        (3, 3, 1, 2)
    );
    let not_taken = sync::not_taken(&shop.app.db, &shop.whole(), run).await.unwrap();
    let missed = groups.missed(&not_taken);
    assert_eq!((missed.unread, missed.not_taken), (0, 2));
    let unread = sync::unread(&shop.app.db, &shop.whole(), run, 9).await.unwrap();
    assert_eq!(unread.len(), 2, "each by its name: {unread:?}");
    // The administrator is told what it is, not that a permission is missing.
    let report = doctor::examine(&Patient::of(&shop.app), None).await;
    let sweep = report.lines.iter().find(|line| line.check == "sweep").unwrap();
    let said = format!("{:?}", (&sweep.finding, &sweep.way_out));
    assert!(said.contains("doctor-sweep-not-taken"), "{said}");
    let mut admin = Visitor::of(shop, Role::Admin, None, None).await;
    let page = admin.get("/admin/platform/sync").await;
    let chat_id = &unread[0].members[0].0;
    assert!(page.text.contains(chat_id), "{}", page.text);

    shop.run("drop index one_new").await;
    street.after(2 * MINUTE_MS);
    let run = shop.start_run().await;
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let groups = shop.sync_run(run).await.steps[3].clone();
    assert_eq!((groups.seen, groups.failed), (3, 0));
}
