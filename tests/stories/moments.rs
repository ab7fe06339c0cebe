//! Moments: asked for once, published by associates, liked and commented by customers.

use dianyu::error::{Advice, Error, PlatformFault};
use dianyu::ids::{AssociateId, ExternalUserId, MomentId, StoreId, TagId, UserId};
use dianyu::links::content::{Attachment, Content};
use dianyu::moments::{self, MomentRow, NewMoment, Part, Senders, Task};
use dianyu::page::PageOf;
use dianyu::scope::Scope;
use dianyu::segments::Rule;
use dianyu::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use dianyu::wecom::moment::{Interactions, MomentJob};

use crate::world::World;

fn new(senders: Senders) -> NewMoment {
    NewMoment {
        content: Content {
            text: "{门店}上新".into(),
            attachments: vec![],
        },
        audience: None,
        senders,
        send_at: None,
    }
}

fn of_store(store: i64) -> Senders {
    Senders::Stores(vec![StoreId(store)])
}

async fn plan(shop: &World, scope: &Scope, new: NewMoment) -> Result<MomentId, Error> {
    moments::create(&shop.app, &shop.act(), scope, new).await
}

/// Planned for now, and started.
async fn started(shop: &World, senders: Senders) -> MomentId {
    let id = plan(shop, &shop.whole(), new(senders)).await.unwrap();
    moments::start(&shop.app, shop.corp, id).await.unwrap();
    id
}

async fn find(shop: &World, scope: &Scope, id: MomentId) -> MomentRow {
    moments::find(&shop.app.db, scope, id).await.unwrap()
}

async fn part(shop: &World, id: MomentId, n: i64) -> Part {
    moments::find_part(&shop.app.db, shop.corp, id, n).await.unwrap()
}

async fn claim(shop: &World, id: MomentId, n: i64) -> Option<moments::Asked> {
    let corp = dianyu::directory::find_corp(&shop.app.db, shop.corp)
        .await
        .unwrap();
    let tx = shop.begin().await;
    let asked = moments::claim(&tx, &shop.act(), &corp, "https://crm.example.com", id, n)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    asked
}

async fn record(shop: &World, id: MomentId, n: i64, outcome: Result<String, Error>) -> Option<Error> {
    let tx = shop.begin().await;
    let again = moments::record_asked(&tx, &shop.act(), shop.corp, id, n, outcome)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    again
}

async fn job(shop: &World, id: MomentId, n: i64, job: MomentJob) {
    let part = part(shop, id, n).await;
    let tx = shop.begin().await;
    moments::record_job(&tx, &shop.act(), shop.corp, &part, job)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn look(shop: &World, id: MomentId, n: i64, round: usize, found: Option<&str>) {
    let part = part(shop, id, n).await;
    let tx = shop.begin().await;
    moments::record_look(
        &tx,
        &shop.act(),
        shop.corp,
        &part,
        round,
        found.map(str::to_owned),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn sweep(shop: &World) {
    let tx = shop.begin().await;
    moments::sweep(&tx, &shop.act(), shop.corp).await.unwrap();
    tx.commit().await.unwrap();
}

/// Asked for, and made a task by the platform.
async fn out(shop: &World, id: MomentId, n: i64, invalid: &[&str]) {
    claim(shop, id, n).await.unwrap();
    record(shop, id, n, Ok(format!("job{n}"))).await;
    let done = MomentJob::Done {
        moment_id: format!("mom{n}"),
        invalid_senders: invalid.iter().map(|userid| UserId::from(*userid)).collect(),
    };
    job(shop, id, n, done).await;
}

async fn published(shop: &World, id: MomentId, n: i64, who: &[&str]) {
    let part = part(shop, id, n).await;
    let who: Vec<UserId> = who.iter().map(|userid| UserId::from(*userid)).collect();
    let tx = shop.begin().await;
    moments::record_published(&tx, &shop.act(), shop.corp, &part, &who)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

fn fault(advice: Advice) -> Result<String, Error> {
    Err(Error::Platform(PlatformFault {
        code: None,
        message: "no".into(),
        advice,
    }))
}

fn refused_at(outcome: Result<MomentId, Error>) -> String {
    match outcome {
        Err(Error::Invalid(problems)) => problems[0].pointer.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_moment_names_each_of_its_mistakes() {
    let shop = World::open().await;
    let whole = shop.whole();
    let mut past = new(of_store(21));
    past.send_at = Some("2026-11-22T10:00".into());
    let mut rule = new(of_store(21));
    rule.audience = Some(Rule::Store(StoreId(21)));
    let mut tag = new(of_store(21));
    tag.audience = Some(Rule::Any(vec![Rule::Tag(TagId(7))]));
    let mut empty = new(of_store(21));
    empty.content.text = String::new();
    let mut picture = new(of_store(21));
    picture.content.attachments = vec![Attachment::Image {
        media_id: None,
        picture_url: Some("https://wework.qpic.cn/a".into()),
    }];
    for (new, pointer) in [
        (past, "/send_at"),
        (rule, "/audience"),
        (tag, "/audience/any/0/tag"),
        (empty, "/text"),
        (picture, "/attachments/0/media_id"),
        (new(of_store(99)), "/senders/store_ids/0"),
        (
            new(Senders::Associates(vec![AssociateId(31), AssociateId(99)])),
            "/senders/associate_ids/1",
        ),
        (new(Senders::Associates(vec![])), "/senders"),
    ] {
        assert_eq!(refused_at(plan(&shop, &whole, new).await), pointer);
    }
    let manager = shop.of_store(22);
    assert_eq!(
        refused_at(plan(&shop, &manager, new(of_store(21))).await),
        "/senders/store_ids/0"
    );
    assert_eq!(shop.number("select count(*) from moment").await, 0);
}

#[tokio::test]
async fn few_senders_each_have_a_link_of_their_own() {
    let shop = World::open().await;
    let id = started(&shop, Senders::Everyone).await;
    assert_eq!(shop.number("select count(*) from moment_part").await, 5);
    assert_eq!(
        shop.number("select count(*) from link where associate_id is not null")
            .await,
        5
    );
    assert_eq!(
        shop.number("select count(*) from job where kind = 'moments.post'")
            .await,
        5
    );
    let asked = claim(&shop, id, 2).await.unwrap();
    assert_eq!(asked.senders, [UserId::from("zhao")]);
    assert_eq!(asked.message.text.unwrap().content, "杭州湖滨店上新");
    assert!(claim(&shop, id, 2).await.is_none());
}

#[tokio::test]
async fn many_senders_share_their_stores_link() {
    let shop = World::open().await;
    for number in 40..60 {
        shop.run(&format!(
            "insert into associate (corp_id, id, userid, name, store_id, status, created_at, seen_at) values (1, {number}, 'u{number}', '店员', 23, 'active', 0, 0)"
        ))
        .await;
    }
    let mut named = new(Senders::Everyone);
    named.content.text = "我是{导购}".into();
    assert_eq!(refused_at(plan(&shop, &shop.whole(), named).await), "/text");
    let id = started(&shop, Senders::Everyone).await;
    assert_eq!(shop.number("select count(*) from moment_part").await, 3);
    assert_eq!(shop.number("select count(*) from moment_task").await, 25);
    assert_eq!(claim(&shop, id, 2).await.unwrap().senders.len(), 22);
}

#[tokio::test]
async fn a_moment_is_published_liked_and_commented() {
    let shop = World::open().await;
    let id = started(&shop, of_store(21)).await;
    out(&shop, id, 0, &[]).await;
    assert_eq!(
        find(&shop, &shop.whole(), id).await.state,
        "creating",
        "the other part is not out yet"
    );
    out(&shop, id, 1, &[]).await;
    assert_eq!(find(&shop, &shop.whole(), id).await.state, "published");
    for _ in 0..2 {
        published(&shop, id, 0, &["li"]).await;
        let interactions = Interactions {
            likes: vec![
                (ExternalUserId::from("wmSim101"), shop.now()),
                (ExternalUserId::from("wmStranger"), shop.now()),
            ],
            comments: vec![(ExternalUserId::from("wmSim102"), shop.now())],
        };
        let part = part(&shop, id, 0).await;
        let task = Task {
            associate_id: AssociateId(31),
            store_id: Some(StoreId(21)),
            userid: UserId::from("li"),
        };
        let tx = shop.begin().await;
        moments::record_read(&tx, &shop.act(), shop.corp, &part, &task, 4, &interactions)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let moment = find(&shop, &shop.whole(), id).await;
    assert_eq!(
        (
            moment.assigned,
            moment.published,
            moment.visible,
            moment.likes,
            moment.comments
        ),
        (2, 1, 4, 1, 1)
    );
    assert_eq!(
        shop.number("select count(*) from timeline where kind in ('liked', 'commented')")
            .await,
        2
    );
    for (code, value) in [("moments_due", 2), ("moments_published", 1)] {
        let sql = format!("select value from store_day where store_id = 21 and code = '{code}'");
        assert_eq!(shop.number(&sql).await, value, "{code}");
    }
    let wu = find(&shop, &shop.of_associate(32), id).await;
    assert_eq!((wu.assigned, wu.published, wu.likes), (1, 0, 0));
    let tasks = moments::tasks(&shop.app.db, &shop.whole(), id).await.unwrap();
    let states: Vec<(&str, &str)> = tasks
        .iter()
        .map(|task| (task.associate_name.as_str(), task.state.as_str()))
        .collect();
    assert_eq!(states, [("吴桐", "tasked"), ("李晓雯", "published")]);
}

#[tokio::test]
async fn who_cannot_post_fails_alone() {
    let shop = World::open().await;
    let id = started(&shop, of_store(21)).await;
    out(&shop, id, 0, &["LI"]).await;
    out(&shop, id, 1, &[]).await;
    let tasks = moments::tasks(&shop.app.db, &shop.whole(), id).await.unwrap();
    let states: Vec<(&str, &str)> = tasks
        .iter()
        .map(|task| (task.associate_name.as_str(), task.state.as_str()))
        .collect();
    assert_eq!(states, [("吴桐", "tasked"), ("李晓雯", "failed")]);
    assert_eq!(
        shop.number("select value from store_day where code = 'moments_due'")
            .await,
        1
    );
}

#[tokio::test]
async fn an_unknown_outcome_is_never_asked_for_again() {
    let shop = World::open().await;
    let id = started(&shop, of_store(21)).await;
    claim(&shop, id, 0).await.unwrap();
    record(&shop, id, 0, fault(Advice::Unknown)).await;
    assert!(claim(&shop, id, 0).await.is_none());
    // The other one's worker vanished.
    claim(&shop, id, 1).await.unwrap();
    shop.app.clock.advance(MINUTE_MS);
    assert!(claim(&shop, id, 1).await.is_none());
    for n in [0, 1] {
        assert_eq!(part(&shop, id, n).await.state, "unknown");
        for round in 0..3 {
            assert_eq!(find(&shop, &shop.whole(), id).await.state, "creating");
            let waits = format!(
                "select count(*) from job where kind = 'moments.reconcile' and unique_key = '{id}:{n}:{round}'"
            );
            assert_eq!(shop.number(&waits).await, 1);
            look(&shop, id, n, round, None).await;
        }
    }
    assert!(claim(&shop, id, 0).await.is_none());
    let moment = find(&shop, &shop.whole(), id).await;
    assert_eq!(
        (moment.state.as_str(), moment.error.as_deref()),
        ("failed", Some("unknown_outcome"))
    );
    assert_eq!(
        shop.number("select count(*) from moment_task where state = 'failed'")
            .await,
        2
    );
}

#[tokio::test]
async fn a_part_that_is_found_was_made() {
    let shop = World::open().await;
    let id = started(&shop, of_store(22)).await;
    claim(&shop, id, 0).await.unwrap();
    record(&shop, id, 0, fault(Advice::Unknown)).await;
    look(&shop, id, 0, 0, Some("momFound")).await;
    let found = part(&shop, id, 0).await;
    assert_eq!(
        (found.state.as_str(), found.platform_id.as_deref()),
        ("created", Some("momFound"))
    );
    assert_eq!(find(&shop, &shop.whole(), id).await.state, "published");
    assert_eq!(
        shop.number("select value from store_day where code = 'moments_due'")
            .await,
        1
    );
    // The held-up caller comes back with an answer: it changes nothing any more.
    record(&shop, id, 0, Ok("job".into())).await;
    assert_eq!(part(&shop, id, 0).await.state, "created");
}

#[tokio::test]
async fn a_job_the_platform_does_not_know_any_more_is_looked_up() {
    let shop = World::open().await;
    let answer = async |id: MomentId, advice: Advice| {
        let part = part(&shop, id, 0).await;
        let tx = shop.begin().await;
        let Err(fault) = fault(advice) else {
            panic!("a fault is one");
        };
        let again = moments::record_answer(&tx, &shop.act(), shop.corp, &part, Err(fault))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        again.is_some()
    };
    let retry = Advice::Retry { after_ms: 500 };
    for (wait_ms, advice, state) in [
        (0, Advice::Drop, "unknown"),
        (0, retry, "creating"),
        (DAY_MS + 1, retry, "unknown"),
    ] {
        let id = started(&shop, of_store(22)).await;
        claim(&shop, id, 0).await.unwrap();
        record(&shop, id, 0, Ok("job".into())).await;
        shop.app.clock.advance(wait_ms);
        assert_eq!(answer(id, advice).await, state == "creating");
        assert_eq!(part(&shop, id, 0).await.state, state);
        if state == "unknown" {
            look(&shop, id, 0, 2, None).await;
            assert_eq!(find(&shop, &shop.whole(), id).await.state, "failed");
        }
    }
}

#[tokio::test]
async fn what_an_outage_set_aside_is_put_back_in_line() {
    let shop = World::open().await;
    let waiting = async |kind: &str| {
        sweep(&shop).await;
        sweep(&shop).await;
        shop.number(&format!(
            "select count(*) from job where kind = 'moments.{kind}' and state = 'waiting'"
        ))
        .await
    };
    let id = plan(&shop, &shop.whole(), new(of_store(21))).await.unwrap();
    shop.run("delete from job").await;
    assert_eq!(waiting("start").await, 1);
    moments::start(&shop.app, shop.corp, id).await.unwrap();
    // One has had its last try, one waits for its next.
    shop.run(&format!(
        "update job set state = 'dead', unique_key = null where unique_key = '{id}:0'"
    ))
    .await;
    shop.run(&format!(
        "update job set unique_key = null where unique_key = '{id}:1'"
    ))
    .await;
    assert_eq!(waiting("post").await, 2);
    claim(&shop, id, 0).await.unwrap();
    record(&shop, id, 0, Ok("job".into())).await;
    shop.run("delete from job").await;
    assert_eq!((waiting("follow").await, waiting("post").await), (1, 1));
    out(&shop, id, 1, &[]).await;
    shop.run("delete from job").await;
    assert_eq!(waiting("follow").await, 2);

    let late = started(&shop, of_store(22)).await;
    shop.run("delete from job").await;
    shop.app.clock.advance(DAY_MS + 1);
    assert_eq!(waiting("post").await, 0);
    let moment = find(&shop, &shop.whole(), late).await;
    assert_eq!(
        (moment.state.as_str(), moment.error.as_deref()),
        ("failed", Some("missed"))
    );
}

#[tokio::test]
async fn a_moment_whose_tags_are_gone_is_shown_to_nobody() {
    let shop = World::open().await;
    shop.tags().await;
    let tagged = async |tags: &[i64]| {
        let mut new = new(of_store(22));
        let tags = tags.iter().map(|tag| Rule::Tag(TagId(*tag)));
        new.audience = Some(Rule::Any(tags.collect()));
        let id = plan(&shop, &shop.whole(), new).await.unwrap();
        moments::start(&shop.app, shop.corp, id).await.unwrap();
        id
    };
    let (gold, either) = (tagged(&[51]).await, tagged(&[51, 52]).await);
    shop.run("update tag set deleted_at = 1 where id = 51").await;
    assert_eq!(claim(&shop, either, 0).await.unwrap().tags, ["etSilver"]);
    assert!(claim(&shop, gold, 0).await.is_none());
    let moment = find(&shop, &shop.whole(), gold).await;
    assert_eq!(
        (moment.state.as_str(), moment.error.as_deref()),
        ("failed", Some("audience_gone"))
    );
}

#[tokio::test]
async fn what_certainly_did_not_leave_is_asked_for_again() {
    let shop = World::open().await;
    let id = started(&shop, of_store(22)).await;
    claim(&shop, id, 0).await.unwrap();
    assert!(
        record(&shop, id, 0, fault(Advice::Retry { after_ms: 500 }))
            .await
            .is_some()
    );
    out(&shop, id, 0, &[]).await;
    assert_eq!(find(&shop, &shop.whole(), id).await.state, "published");
}

#[tokio::test]
async fn a_job_that_fails_fails_its_moment() {
    let shop = World::open().await;
    let id = started(&shop, of_store(22)).await;
    claim(&shop, id, 0).await.unwrap();
    record(&shop, id, 0, Ok("job".into())).await;
    job(&shop, id, 0, MomentJob::Running).await;
    let failed = MomentJob::Failed {
        code: 40007,
        message: "invalid media_id".into(),
    };
    job(&shop, id, 0, failed).await;
    let moment = find(&shop, &shop.whole(), id).await;
    assert_eq!(
        (moment.state.as_str(), moment.error.as_deref()),
        ("failed", Some("40007: invalid media_id"))
    );
}

#[tokio::test]
async fn cancelling_stops_who_has_not_published() {
    let shop = World::open().await;
    let id = started(&shop, of_store(21)).await;
    out(&shop, id, 0, &[]).await;
    out(&shop, id, 1, &[]).await;
    published(&shop, id, 0, &["li"]).await;
    let manager = shop.of_store(21);
    let refused = moments::cancel(&shop.app, &shop.act(), &manager, id).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))));
    moments::cancel(&shop.app, &shop.act(), &shop.whole(), id)
        .await
        .unwrap();
    let moment = find(&shop, &shop.whole(), id).await;
    assert_eq!((moment.state.as_str(), moment.published), ("cancelled", 1));
    assert_eq!(
        shop.number("select count(*) from moment_task where state = 'cancelled'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from job where kind = 'moments.stop'")
            .await,
        2
    );
    let again = moments::cancel(&shop.app, &shop.act(), &shop.whole(), id).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn a_moment_too_late_is_not_posted() {
    let shop = World::open().await;
    let mut new = new(of_store(21));
    new.send_at = Some("2026-11-23T11:00".into());
    let id = plan(&shop, &shop.whole(), new).await.unwrap();
    shop.app.clock.advance(2 * HOUR_MS);
    moments::start(&shop.app, shop.corp, id).await.unwrap();
    let moment = find(&shop, &shop.whole(), id).await;
    assert_eq!(
        (moment.state.as_str(), moment.error.as_deref()),
        ("failed", Some("missed"))
    );
    assert_eq!(
        shop.number("select count(*) from job where kind = 'moments.post'")
            .await,
        0
    );
}

#[tokio::test]
async fn after_three_days_nobody_is_waited_for() {
    let shop = World::open().await;
    let id = started(&shop, of_store(22)).await;
    out(&shop, id, 0, &[]).await;
    let come_back = async || {
        shop.run("delete from job").await;
        let part = part(&shop, id, 0).await;
        let tx = shop.begin().await;
        moments::come_back(&tx, &shop.act(), shop.corp, &part)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        shop.number("select count(*) from job where kind = 'moments.follow'")
            .await
    };
    assert_eq!(come_back().await, 1);
    shop.app.clock.advance(3 * DAY_MS);
    assert_eq!(come_back().await, 0);
    assert_eq!(
        shop.number("select count(*) from job where kind = 'moments.stop'")
            .await,
        1
    );
    assert_eq!(
        shop.number("select count(*) from moment_task where state = 'cancelled'")
            .await,
        1
    );
}

#[tokio::test]
async fn moments_out_of_scope_are_not_there() {
    let shop = World::open().await;
    let id = started(&shop, of_store(22)).await;
    let count = async |scope: Scope| {
        moments::list(&shop.app.db, &scope, &PageOf::first(10))
            .await
            .unwrap()
            .items
            .len()
    };
    assert_eq!(count(shop.whole()).await, 1);
    assert_eq!(count(shop.of_store(22)).await, 1);
    assert_eq!(count(shop.of_associate(33)).await, 1);
    assert_eq!(count(shop.of_store(21)).await, 0);
    let elsewhere = shop.of_associate(31);
    assert!(matches!(
        moments::find(&shop.app.db, &elsewhere, id).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        moments::tasks(&shop.app.db, &elsewhere, id).await,
        Err(Error::NotFound)
    ));
}
