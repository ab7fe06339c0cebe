//! Sync: a run reads the platform whole, says how far it is, goes on after a break, and names what it cannot read.

mod refused;

use dianyu::auth::Role;
use dianyu::error::Error;
use dianyu::ids::SyncRunId;
use dianyu::jobs;
use dianyu::sandbox::{Customer, Fault, Plan, Relation};
use dianyu::sync::{self, Kind, Outcome, Run};
use dianyu::time::{DAY_MS, MINUTE_MS};
use tokio::task::JoinHandle;

use crate::street::{Street, seed};
use crate::visitor::Visitor;
use crate::world::{CORPID, World, start};

const PAGE: &str = "externalcontact/batch/get_by_user";

impl World {
    /// A run with the job that works on it.
    async fn ask_for_a_run(&self) -> SyncRunId {
        let tx = self.begin().await;
        let run = sync::start(&tx, &self.act(), self.corp, Kind::Asked)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        run
    }

    pub async fn start_run(&self) -> SyncRunId {
        let run = self.ask_for_a_run().await;
        // The story works on it itself.
        self.run("delete from job where kind = 'sync.carry_on'").await;
        run
    }

    pub async fn sync_run(&self, run: SyncRunId) -> Run {
        sync::find(&self.app.db, &self.whole(), run).await.unwrap()
    }

    pub async fn carry_on(&self, run: SyncRunId) -> Result<Outcome, Error> {
        sync::carry_on(&self.app, self.corp, run).await
    }

    /// Works on a run until some of it is stored: pages come slowly, so that a break is in the middle.
    async fn in_the_middle_of(&self, street: &Street, run: SyncRunId) -> JoinHandle<Result<Outcome, Error>> {
        fail(street, Fault::DelayMs(30), 1_000);
        let (app, corp) = (self.app.clone(), self.corp);
        let working = tokio::spawn(async move { sync::carry_on(&app, corp, run).await });
        while self.sync_run(run).await.steps[2].seen == 0 {
            assert!(!working.is_finished(), "it ended before the middle");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        working
    }

    /// Whoever held the run has vanished, and its lease has run out.
    async fn owner_vanished(&self) {
        self.run("update sync_run set lease_until = 0").await;
    }
}

/// The corp with `many` more customers of each of two associates.
pub fn crowded(street: &Street, many: usize) {
    let mut corp = seed();
    for userid in ["li", "wu"] {
        for number in 0..many {
            let external_userid = format!("wmCrowd{userid}{number:05}");
            corp.relations.push(Relation {
                userid: userid.into(),
                external_userid: external_userid.clone(),
                createtime: start().plus_ms(-2 * DAY_MS).seconds(),
                add_way: 1,
                tag_ids: vec!["etGold".into()],
                ..Relation::default()
            });
            corp.customers.push(Customer {
                external_userid,
                name: format!("客{number}"),
                ..Customer::default()
            });
        }
    }
    street.sandbox.add_corp(corp);
}

fn fail(street: &Street, fault: Fault, times: u32) {
    fail_at(street, PAGE, fault, times);
}

fn fail_at(street: &Street, api: &str, fault: Fault, times: u32) {
    street.sandbox.plan(Plan {
        api: api.into(),
        fault,
        times,
    });
}

#[tokio::test]
async fn a_run_reads_everything_and_says_what_it_changed() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 250);
    let run = shop.start_run().await;
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    assert_eq!(told.state, "done");
    let steps: Vec<_> = told
        .steps
        .iter()
        .map(|step| (step.step.as_str(), step.state.as_str(), step.seen))
        .collect();
    assert_eq!(
        steps,
        [
            ("people", "done", 5),
            ("tags", "done", 2),
            ("contacts", "done", 513),
            ("groups", "done", 0)
        ]
    );
    let contacts = &told.steps[2];
    assert_eq!((contacts.done, contacts.total, contacts.changed), (5, 5, 500));
    let carrying = "select count(*) from follow where state = 'active' and tags = ' 51 '";
    assert_eq!(shop.number(carrying).await, 500);
    assert_eq!(
        shop.number("select count(*) from follow_period where until_at is null")
            .await,
        513
    );
    assert_eq!(shop.number("select count(*) from binding").await, 500);
    let added = "select sum(value) from store_day where code = 'new_relations'";
    assert_eq!(
        shop.number(&format!("select cast(({added}) as bigint)")).await,
        500
    );

    let again = shop.start_run().await;
    assert_eq!(shop.carry_on(again).await.unwrap(), Outcome::Done);
    assert_eq!(shop.sync_run(again).await.corrections(), 0);
    assert_eq!(shop.number("select count(*) from tag_change").await, 0);
}

#[tokio::test]
async fn a_run_that_was_broken_off_goes_on_where_it_stood() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 600);
    let run = shop.start_run().await;
    let working = shop.in_the_middle_of(&street, run).await;
    working.abort();
    let _ = working.await;
    street.sandbox.forget_plans();
    let before = shop.sync_run(run).await;
    assert!(before.is_running() && before.steps[2].seen < 1_213, "{before:?}");
    assert_eq!(
        shop.carry_on(run).await.unwrap(),
        Outcome::NotOurs,
        "the lease still runs"
    );

    shop.owner_vanished().await;
    street.sandbox.forget_ledger();
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    assert_eq!((told.steps[2].done, told.steps[2].seen), (5, 1_213));
    assert_eq!(shop.live_pairs().await, 1_213);
    let left = (1_213 - before.steps[2].seen as usize).div_ceil(100);
    assert_eq!(street.calls_of(PAGE), left, "what was stored is not read again");
}

#[tokio::test]
async fn an_owner_that_lost_the_run_changes_nothing() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 600);
    let run = shop.start_run().await;
    let working = shop.in_the_middle_of(&street, run).await;
    shop.run("update sync_run set lease_epoch = lease_epoch + 1")
        .await;
    let seen = shop.sync_run(run).await.steps[2].seen;
    assert_eq!(working.await.unwrap().unwrap(), Outcome::LetGo);
    assert_eq!(shop.sync_run(run).await.steps[2].seen, seen);
    assert!(shop.sync_run(run).await.is_running(), "it is the new owner's");
}

#[tokio::test]
async fn a_run_under_way_is_the_only_one_and_can_be_stopped() {
    let street = Street::open().await;
    let shop = &street.shop;
    let run = shop.start_run().await;
    assert_eq!(shop.start_run().await, run);
    let tx = shop.begin().await;
    sync::stop(&tx, &shop.act(), shop.corp, run).await.unwrap();
    assert!(matches!(
        sync::stop(&tx, &shop.act(), shop.corp, run).await,
        Err(Error::Conflict(_))
    ));
    tx.commit().await.unwrap();
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::NotOurs);
    assert_eq!(shop.sync_run(run).await.state, "stopped");
    assert_ne!(shop.start_run().await, run);
    assert!(sync::latest(&shop.app.db, &shop.of_store(21)).await.is_err());
}

#[tokio::test]
async fn a_member_who_cannot_be_read_is_named_and_the_others_are_read() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 3);
    let run = shop.start_run().await;
    // The part of all five is refused, and one of them alone again.
    fail(&street, Fault::Errcode(84074), 2);
    assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
    let told = shop.sync_run(run).await;
    let contacts = &told.steps[2];
    assert_eq!((contacts.done, contacts.failed), (5, 1));
    assert!(
        contacts.problem.as_ref().unwrap().contains("84074"),
        "{contacts:?}"
    );
    assert_eq!(contacts.closed, 0, "who was not read has lost nobody");
}

#[tokio::test]
async fn a_missing_permission_ends_the_run_and_a_passing_fault_does_not() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 3);
    let run = shop.start_run().await;
    fail_at(&street, "department/list", Fault::Status(502), 5);
    assert!(shop.carry_on(run).await.is_err());
    let told = shop.sync_run(run).await;
    assert!(told.is_running() && told.steps[0].problem.is_some(), "{told:?}");
    street.sandbox.forget_plans();
    fail(&street, Fault::Errcode(48002), 1);
    assert!(shop.carry_on(run).await.is_err());
    let told = shop.sync_run(run).await;
    assert_eq!(
        (told.state.as_str(), told.steps[2].state.as_str()),
        ("failed", "failed")
    );
    assert!(told.steps[2].problem.as_ref().unwrap().contains("48002"));
}

#[tokio::test]
async fn the_nightly_run_counts_what_it_had_to_correct() {
    let street = Street::open().await;
    let shop = &street.shop;
    crowded(&street, 3);
    let run = shop.start_run().await;
    shop.carry_on(run).await.unwrap();
    // Nobody tells us.
    street.sandbox.set_callback(
        CORPID,
        "http://127.0.0.1:1/nowhere",
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
    );
    street
        .sandbox
        .member_deletes(CORPID, "li", "wmCrowdli00001")
        .unwrap();
    street
        .sandbox
        .member_tags(CORPID, "wu", "wmCrowdwu00002", &[], &["etGold"])
        .unwrap();
    street.after(2 * MINUTE_MS);
    let run = shop.start_run().await;
    shop.carry_on(run).await.unwrap();
    let told = shop.sync_run(run).await;
    let contacts = &told.steps[2];
    assert_eq!((contacts.changed, contacts.closed), (1, 1));
    assert_eq!(told.corrections(), 2);
}

#[tokio::test]
async fn a_job_that_finds_the_run_held_comes_back_in_case_the_owner_vanishes() {
    let street = Street::open().await;
    let shop = &street.shop;
    let run = shop.ask_for_a_run().await;
    shop.run("update sync_run set lease_until = 9000000000000").await;
    jobs::settle(&shop.app).await;
    let waiting = "select count(*) from job where kind = 'sync.carry_on' and state = 'waiting'";
    assert_eq!(shop.number(waiting).await, 1);
    assert!(shop.sync_run(run).await.is_running());

    shop.owner_vanished().await;
    street.after(2 * MINUTE_MS);
    jobs::settle(&shop.app).await;
    assert_eq!(shop.sync_run(run).await.state, "done");
    assert_eq!(shop.number(waiting).await, 0);
}

#[tokio::test]
async fn without_the_permission_for_groups_the_rest_is_read_and_the_step_names_it() {
    for code in [48002, 60011] {
        let street = Street::open().await;
        let shop = &street.shop;
        fail_at(
            &street,
            "externalcontact/groupchat/list",
            Fault::Errcode(code),
            1_000,
        );
        let run = shop.start_run().await;
        assert_eq!(shop.carry_on(run).await.unwrap(), Outcome::Done);
        let told = shop.sync_run(run).await;
        let states: Vec<&str> = told.steps.iter().map(|step| step.state.as_str()).collect();
        assert_eq!(told.state, "done");
        assert_eq!(states, ["done", "done", "done", "failed"]);
        let groups = &told.steps[3];
        assert!(groups.failed > 0 && groups.ended_at.is_some(), "{groups:?}");
        let problem = groups.problem.as_ref().unwrap();
        assert!(problem.contains(&code.to_string()), "{problem}");
        assert!(told.steps[2].problem.is_none() && told.steps[2].seen > 0);
        let mut admin = Visitor::of(shop, Role::Admin, None, None).await;
        let page = admin.get("/admin/platform/sync").await;
        assert!(
            page.text.contains(&format!("没有“客户群”权限（{code}）")),
            "{}",
            page.text
        );
    }
}

#[tokio::test]
async fn a_run_that_gets_nowhere_ends_as_failed_and_one_that_gets_on_does_not() {
    let street = Street::open().await;
    let shop = &street.shop;
    let run = shop.ask_for_a_run().await;
    shop.run("alter table customer_group rename to mislaid").await;
    // Three steps are read by the first try: none that failed.
    jobs::settle(&shop.app).await;
    assert_eq!(
        shop.number("select max(attempts) from job where kind = 'sync.carry_on'")
            .await,
        0
    );
    for attempt in 1..=12 {
        assert!(shop.sync_run(run).await.is_running(), "before try {attempt}");
        street.after(10 * MINUTE_MS);
        jobs::settle(&shop.app).await;
    }
    let told = shop.sync_run(run).await;
    let groups = &told.steps[3];
    assert_eq!((told.state.as_str(), groups.state.as_str()), ("failed", "failed"));
    assert!(
        groups.problem.as_ref().unwrap().contains("customer_group"),
        "{groups:?}"
    );
    assert_eq!(told.steps[2].state, "done");
    assert!(told.ended_at.is_some());
    // Room for the next.
    assert_ne!(shop.start_run().await, run);
}
