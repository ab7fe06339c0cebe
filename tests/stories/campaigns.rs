//! Campaigns: frozen once, handed over at most once, every contact accounted for.

mod approval;
mod events;
mod races;

use dianyu::campaigns::{
    self, Audience, Batch, CampaignChange, CampaignState, DeliveryState, NewCampaign, Progress, Seen,
};
use dianyu::contacts;
use dianyu::directory::{self, Corp};
use dianyu::error::{Advice, Error, PlatformFault};
use dianyu::ids::{
    ApiKeyId, AssociateId, BatchId, CampaignId, ContactId, ExternalUserId, OperatorId, RegionId, StoreId,
    TagId,
};
use dianyu::links::content::Content;
use dianyu::page::PageOf;
use dianyu::queue;
use dianyu::scope::{Act, Actor, Scope};
use dianyu::segments::{self, OwnField, Rule};
use dianyu::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use dianyu::wecom::broadcast::{CustomerResult, Handed, ResultStatus};

use crate::world::World;

fn east() -> Rule {
    Rule::Region(RegionId(11))
}

/// Three people whom only `zhao` follows.
fn of_zhao() -> Rule {
    Rule::All(vec![
        Rule::Store(StoreId(22)),
        Rule::Not(Box::new(Rule::Store(StoreId(21)))),
    ])
}

fn everyone() -> Rule {
    Rule::Any(vec![east(), Rule::Region(RegionId(12))])
}

fn draft(rule: Rule) -> NewCampaign {
    NewCampaign {
        name: "会员日".into(),
        audience: Audience::Rule(rule),
        content: Content {
            text: "{门店}的{导购}邀请你".into(),
            attachments: vec![],
        },
        send_at: None,
        zone: None,
        deadline: None,
        late_after_minutes: None,
        holdout_percent: None,
        priority: None,
    }
}

async fn corp(shop: &World) -> Corp {
    directory::find_corp(&shop.app.db, shop.corp).await.unwrap()
}

fn by(shop: &World, number: i64) -> Act<'_> {
    shop.app.act(Actor::Operator(OperatorId(number)))
}

async fn write(shop: &World, new: NewCampaign) -> CampaignId {
    try_write(shop, new).await.unwrap()
}

async fn try_write(shop: &World, new: NewCampaign) -> Result<CampaignId, Error> {
    let corp = corp(shop).await;
    let tx = shop.begin().await;
    let id = campaigns::create(&tx, &by(shop, 1), &shop.whole(), &corp, new).await?;
    tx.commit().await.unwrap();
    Ok(id)
}

async fn schedule(shop: &World, id: CampaignId) -> Result<(), Error> {
    campaigns::schedule(&shop.app, &by(shop, 1), &shop.whole(), id).await
}

/// Scheduled for now, and started.
async fn running(shop: &World, rule: Rule) -> CampaignId {
    let id = write(shop, draft(rule)).await;
    schedule(shop, id).await.unwrap();
    campaigns::start(&shop.app, shop.corp, id, shop.now())
        .await
        .unwrap();
    id
}

async fn state(shop: &World, id: CampaignId) -> CampaignState {
    campaigns::find(&shop.app.db, &shop.whole(), id)
        .await
        .unwrap()
        .state
}

async fn progress(shop: &World, id: CampaignId) -> Progress {
    let progress = campaigns::progress(&shop.app.db, &shop.whole(), id)
        .await
        .unwrap();
    let apart = progress.planned
        + progress.tasked
        + progress.sent
        + progress.failed
        + progress.expired
        + progress.cancelled
        + progress.unknown;
    assert_eq!(
        progress.targeted,
        apart + progress.excluded,
        "everybody is somewhere"
    );
    assert_eq!(progress.eligible, apart);
    progress
}

/// The batch of an associate.
async fn batch_of(shop: &World, id: CampaignId, associate: i64) -> Batch {
    let number = shop
        .number(&format!(
            "select id from batch where campaign_id = {id} and associate_id = {associate}"
        ))
        .await;
    campaigns::find_batch(&shop.app.db, shop.corp, BatchId(number))
        .await
        .unwrap()
}

async fn claim(shop: &World, batch: &Batch) -> Option<String> {
    let corp = corp(shop).await;
    let tx = shop.begin().await;
    let body = campaigns::claim(&tx, &shop.act(), &corp, "https://crm.example.com", batch.id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    body
}

async fn record(shop: &World, batch: &Batch, outcome: Result<Handed, Error>) -> Option<Error> {
    let corp = corp(shop).await;
    let tx = shop.begin().await;
    let again = campaigns::record(&tx, &shop.act(), &corp, batch.id, outcome)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    again
}

fn handed(fail_list: &[i64]) -> Result<Handed, Error> {
    Ok(Handed {
        msgid: "msgSim1".into(),
        fail_list: fail_list.iter().map(|contact| external(*contact)).collect(),
    })
}

fn fault(code: Option<i64>, advice: Advice) -> Result<Handed, Error> {
    Err(Error::Platform(PlatformFault {
        code,
        message: "no".into(),
        advice,
    }))
}

fn external(contact: i64) -> ExternalUserId {
    ExternalUserId(format!("wmSim{contact}"))
}

/// Claims a batch and has the platform take it.
async fn hand(shop: &World, id: CampaignId, associate: i64) -> Batch {
    let batch = batch_of(shop, id, associate).await;
    claim(shop, &batch).await.unwrap();
    assert!(record(shop, &batch, handed(&[])).await.is_none());
    batch_of(shop, id, associate).await
}

async fn see(shop: &World, batch: &Batch, results: &[(i64, ResultStatus)]) {
    let seen = Seen {
        confirmed_at: Some(shop.now()),
        results: results
            .iter()
            .map(|(contact, status)| CustomerResult {
                external_userid: external(*contact),
                status: *status,
                send_time: Some(shop.now()),
            })
            .collect(),
    };
    let tx = shop.begin().await;
    campaigns::record_seen(&tx, &shop.act(), shop.corp, batch, &seen)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn sweep(shop: &World, id: CampaignId) {
    let tx = shop.begin().await;
    campaigns::sweep(&tx, &shop.act(), shop.corp, id).await.unwrap();
    tx.commit().await.unwrap();
}

async fn quota(shop: &World) -> i64 {
    shop.number("select coalesce(cast(sum(used) as bigint), 0) from quota_use")
        .await
}

fn later(shop: &World, ms: i64) {
    shop.app.clock.advance(ms);
}

fn refused_at(outcome: Result<(), Error>) -> String {
    match outcome {
        Err(Error::Invalid(problems)) => problems[0].pointer.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_draft_names_each_of_its_mistakes() {
    let shop = World::open().await;
    let mut wrong = draft(Rule::Store(StoreId(99)));
    wrong.name = " ".into();
    wrong.content.text = "{customer}".into();
    wrong.send_at = Some("2026-12-01 10:00".into());
    wrong.deadline = Some("2026-12-32T10:00".into());
    wrong.zone = Some("Asia/Nowhere".into());
    wrong.late_after_minutes = Some(0);
    wrong.holdout_percent = Some(51);
    let Err(Error::Invalid(problems)) = try_write(&shop, wrong).await else {
        panic!("it was taken");
    };
    let mut places: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "/audience/rule/store",
            "/content/text",
            "/deadline",
            "/holdout_percent",
            "/late_after_minutes",
            "/name",
            "/send_at",
            "/zone"
        ]
    );
}

#[tokio::test]
async fn freezing_accounts_for_everybody_once() {
    let shop = World::open().await;
    shop.run("update contact set opted_out_at = 1 where id in (102, 112)")
        .await;
    shop.run("update associate set status = 'left' where id = 34")
        .await;
    shop.run("insert into quota_use (corp_id, contact_id, window_key, used) values (1, 103, '2026-11', 30), (1, 104, '2026-11', 29)")
        .await;
    let id = write(&shop, draft(everyone())).await;
    schedule(&shop, id).await.unwrap();
    let progress = progress(&shop, id).await;
    assert_eq!(
        (progress.targeted, progress.eligible, progress.planned),
        (12, 7, 7)
    );
    let reasons: Vec<(&str, i64)> = progress
        .reasons
        .iter()
        .map(|reason| (reason.reason.as_str(), reason.contacts))
        .collect();
    assert_eq!(
        reasons,
        [("no_associate", 2), ("opted_out", 2), ("quota_used", 1)]
    );
    // 59 were used before; 7 people got one more.
    assert_eq!(quota(&shop).await, 66);
    assert_eq!(shop.number("select count(*) from batch").await, 3);
    assert_eq!(
        shop.number("select count(*) from link l join batch b on b.link_id = l.id and b.marker = l.code and b.associate_id = l.associate_id").await,
        3
    );
    let counted = "select cast(sum(contacts) as bigint) from batch";
    assert_eq!(shop.number(counted).await, 7);
    assert_eq!(
        shop.number("select count(*) from audit_entry where action = 'campaign.schedule'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_hold_out_is_left_out_and_costs_no_quota() {
    let shop = World::open().await;
    let mut new = draft(everyone());
    new.holdout_percent = Some(50);
    let id = write(&shop, new).await;
    schedule(&shop, id).await.unwrap();
    let held = shop
        .number("select count(*) from delivery where reason = 'holdout' and batch_id is null")
        .await;
    assert_eq!(quota(&shop).await, 12 - held);
    let lift = campaigns::lift(&shop.app.db, &shop.whole(), id).await.unwrap();
    assert_eq!((lift.treated, lift.held_out), (12 - held, held));
}

#[tokio::test]
async fn lift_compares_buyers_of_both_arms() {
    let shop = World::open().await;
    let id = running(&shop, everyone()).await;
    shop.run(
        "update delivery set state = 'excluded', reason = 'holdout', batch_id = null where contact_id > 106",
    )
    .await;
    for (order, contact, paid) in [
        (1, 101, 30_000),
        (2, 101, 10_000),
        (3, 102, 20_000),
        (4, 107, 6_000),
    ] {
        shop.run(&format!(
            "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen, items, body_hash, created_at)
             values (1, {order}, 'N{order}', 21, 'till', {}, '2026-11-24', 9, {contact}, {paid}, 0, 1, '', 0)",
            shop.now().0 + HOUR_MS
        ))
        .await;
    }
    shop.run("insert into refund (corp_id, id, refund_no, order_no, order_id, refunded_at, refund_fen, lines, body_hash, created_at) values (1, 1, 'R1', 'N2', 2, 0, 4000, '[]', '', 0)").await;
    let lift = campaigns::lift(&shop.app.db, &shop.whole(), id).await.unwrap();
    assert_eq!(
        (
            lift.treated,
            lift.treated_buyers,
            lift.held_out,
            lift.held_out_buyers
        ),
        (6, 2, 6, 1)
    );
    assert_eq!(lift.incremental_fen, Some(56_000 - 6_000));
    assert!(lift.low.unwrap() < 0.0 && lift.high.unwrap() > lift.points.unwrap());
}

#[tokio::test]
async fn the_bound_associate_sends_else_the_one_of_longest_standing() {
    let shop = World::open().await;
    let sender = async |id: CampaignId| {
        shop.number(&format!(
            "select associate_id from delivery where campaign_id = {id} and contact_id = 101"
        ))
        .await
    };
    let id = write(&shop, draft(east())).await;
    schedule(&shop, id).await.unwrap();
    assert_eq!(sender(id).await, 31);

    shop.run("update follow set added_at = added_at - 1 where contact_id = 101 and associate_id = 33")
        .await;
    let id = write(&shop, draft(east())).await;
    schedule(&shop, id).await.unwrap();
    assert_eq!(sender(id).await, 33);

    let (from, until) = (shop.now().0 - DAY_MS, shop.now().0 + DAY_MS);
    shop.run(&format!(
        "insert into binding (corp_id, contact_id, from_at, associate_id, until_at) values (1, 101, {from}, 31, {until})"
    ))
    .await;
    let id = write(&shop, draft(east())).await;
    schedule(&shop, id).await.unwrap();
    assert_eq!(sender(id).await, 31);
}

#[tokio::test]
async fn what_cannot_be_scheduled_leaves_nothing_behind() {
    let shop = World::open().await;
    let mut cases = vec![(draft(Rule::Channel("nowhere".into())), "/audience")];
    let mut past = draft(everyone());
    past.send_at = Some("2026-11-23T09:58".into());
    cases.push((past, "/send_at"));
    let mut over = draft(everyone());
    over.deadline = Some("2026-11-23T10:00".into());
    cases.push((over, "/deadline"));
    for (new, pointer) in cases {
        let id = write(&shop, new).await;
        assert_eq!(refused_at(schedule(&shop, id).await), pointer);
        assert_eq!(state(&shop, id).await, CampaignState::Draft);
    }
    shop.run("update contact set opted_out_at = 1").await;
    let id = write(&shop, draft(everyone())).await;
    assert_eq!(refused_at(schedule(&shop, id).await), "/audience");
    shop.run("update contact set opted_out_at = null").await;
    shop.run("update corp set mini_store = null").await;
    assert_eq!(refused_at(schedule(&shop, id).await), "/content/attachments");
    for table in ["delivery", "batch", "link", "quota_use", "job"] {
        assert_eq!(
            shop.number(&format!("select count(*) from {table}")).await,
            0,
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_tag_that_is_gone_does_not_widen_the_audience() {
    let shop = World::open().await;
    shop.tags().await;
    let tag = TagId(shop.number("select min(id) from tag").await);
    let without = Rule::All(vec![
        Rule::Region(RegionId(11)),
        Rule::Not(Box::new(Rule::Tag(tag))),
    ]);
    let own = write(&shop, draft(without.clone())).await;
    let tx = shop.begin().await;
    let segment = segments::create(&tx, &shop.act(), &shop.whole(), "非金卡", &without)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut new = draft(without);
    new.audience = Audience::Segment(segment);
    let of_segment = write(&shop, new.clone()).await;

    shop.run(&format!("update tag set deleted_at = 1 where id = {tag}"))
        .await;
    assert_eq!(
        refused_at(schedule(&shop, own).await),
        "/audience/rule/all/1/not/tag"
    );
    assert_eq!(
        refused_at(schedule(&shop, of_segment).await),
        "/audience/segment_id"
    );
    assert_eq!(
        refused_at(try_write(&shop, new.clone()).await.map(drop)),
        "/audience/segment_id"
    );
    let corp = corp(&shop).await;
    let asked = campaigns::quota_plan(
        &shop.app,
        &shop.app.db,
        &shop.whole(),
        &corp,
        &new.audience,
        0,
        shop.now(),
        shop.now(),
    )
    .await;
    assert_eq!(refused_at(asked.map(drop)), "/audience/segment_id");
    assert_eq!(shop.number("select count(*) from delivery").await, 0);
}

#[tokio::test]
async fn a_field_that_is_gone_does_not_widen_the_audience() {
    let shop = World::open().await;
    let tx = shop.begin().await;
    let kind = contacts::FieldKind::Text;
    let field = contacts::add_field(&tx, &shop.act(), shop.corp, "忌讳", kind, &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let named = Rule::Field(OwnField {
        id: field,
        is: Vec::new(),
        from: None,
        to: None,
    });
    let without = Rule::All(vec![Rule::Region(RegionId(11)), Rule::Not(Box::new(named))]);
    let id = write(&shop, draft(without.clone())).await;
    let tx = shop.begin().await;
    contacts::delete_field(&tx, &shop.act(), shop.corp, field)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let place = "/audience/rule/all/1/not/field/id";
    assert_eq!(refused_at(schedule(&shop, id).await), place);
    assert_eq!(
        refused_at(try_write(&shop, draft(without)).await.map(drop)),
        place
    );
    assert_eq!(shop.number("select count(*) from delivery").await, 0);
}

#[tokio::test]
async fn a_large_campaign_wants_another_person() {
    let shop = World::open().await;
    shop.run("update corp set approval_over = 5").await;
    let id = write(&shop, draft(everyone())).await;
    assert!(matches!(schedule(&shop, id).await, Err(Error::Conflict(_))));
    let whole = shop.whole();
    let own = campaigns::approve(&shop.app, &by(&shop, 1), &whole, id).await;
    assert!(matches!(own, Err(Error::Forbidden(_))));
    campaigns::approve(&shop.app, &by(&shop, 2), &whole, id)
        .await
        .unwrap();

    // An approval is for what was read.
    let corp = corp(&shop).await;
    let tx = shop.begin().await;
    let change = CampaignChange {
        name: Some("另一个".into()),
        ..CampaignChange::default()
    };
    campaigns::change(&tx, &by(&shop, 1), &whole, &corp, id, change)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(schedule(&shop, id).await, Err(Error::Conflict(_))));

    let key = shop.app.act(Actor::ApiKey(ApiKeyId(1)));
    campaigns::approve(&shop.app, &key, &whole, id).await.unwrap();
    schedule(&shop, id).await.unwrap();
    let again = campaigns::approve(&shop.app, &key, &whole, id).await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    let small = write(&shop, draft(Rule::Store(StoreId(22)))).await;
    schedule(&shop, small).await.unwrap();
}

#[tokio::test]
async fn r10_planners_that_race_do_not_overspend() {
    let shop = World::open().await;
    shop.run("update corp set quota_mode = 'per_day:2'").await;
    let mut drafts = Vec::new();
    for _ in 0..4 {
        drafts.push(write(&shop, draft(everyone())).await);
    }
    let outcomes = futures_util::future::join_all(drafts.iter().map(|id| schedule(&shop, *id))).await;
    let planned = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(planned >= 2, "{outcomes:?}");
    assert_eq!(shop.number("select max(used) from quota_use").await, 2);
    assert_eq!(
        shop.number("select count(*) from delivery where state = 'planned'")
            .await,
        quota(&shop).await
    );
    let most = "select count(*) as n from delivery where state = 'planned' group by contact_id order by n desc limit 1";
    assert_eq!(shop.number(most).await, 2);
}

#[tokio::test]
async fn quota_can_be_asked_before() {
    let shop = World::open().await;
    shop.run("update corp set quota_mode = 'per_week:1'").await;
    shop.run("update contact set opted_out_at = 1 where id = 102")
        .await;
    let store = write(&shop, draft(Rule::Store(StoreId(22)))).await;
    schedule(&shop, store).await.unwrap();
    let corp = corp(&shop).await;
    let plan = campaigns::quota_plan(
        &shop.app,
        &shop.app.db,
        &shop.whole(),
        &corp,
        &Audience::Rule(everyone()),
        0,
        shop.now(),
        shop.now(),
    )
    .await
    .unwrap();
    assert_eq!(
        (plan.targeted, plan.eligible, plan.associates, plan.stores),
        (12, 7, 4, 2)
    );
    let blocked: Vec<(&str, i64, Option<Timestamp>)> = plan
        .blocked
        .iter()
        .map(|blocked| (blocked.reason.as_str(), blocked.contacts, blocked.frees_at))
        .collect();
    let monday = Timestamp::parse("2026-11-30T00:00:00+08:00");
    assert_eq!(blocked, [("opted_out", 1, None), ("quota_used", 4, monday)]);
    assert_eq!((plan.left_after[0].left, plan.left_after[0].contacts), (0, 7));
}

#[tokio::test]
async fn calling_off_gives_everything_back() {
    let shop = World::open().await;
    let id = write(&shop, draft(everyone())).await;
    schedule(&shop, id).await.unwrap();
    let frozen_at = shop.now();
    campaigns::call_off(&shop.app, &by(&shop, 1), &shop.whole(), id)
        .await
        .unwrap();
    assert_eq!(state(&shop, id).await, CampaignState::Draft);
    assert_eq!(quota(&shop).await, 0);
    for table in ["delivery", "batch", "link"] {
        assert_eq!(
            shop.number(&format!("select count(*) from {table}")).await,
            0,
            "{table}"
        );
    }
    // The job of the first schedule starts nothing of the second.
    later(&shop, MINUTE_MS);
    schedule(&shop, id).await.unwrap();
    campaigns::start(&shop.app, shop.corp, id, frozen_at)
        .await
        .unwrap();
    assert_eq!(state(&shop, id).await, CampaignState::Scheduled);
    campaigns::start(&shop.app, shop.corp, id, shop.now())
        .await
        .unwrap();
    assert_eq!(state(&shop, id).await, CampaignState::Running);
    let off = campaigns::call_off(&shop.app, &by(&shop, 1), &shop.whole(), id).await;
    assert!(matches!(off, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn r08_late_is_not_silently_now() {
    let shop = World::open().await;
    let mut new = draft(everyone());
    new.send_at = Some("2026-11-23T11:00".into());
    let id = write(&shop, new).await;
    schedule(&shop, id).await.unwrap();
    let frozen_at = shop.now();
    later(&shop, HOUR_MS + 30 * MINUTE_MS + 1);
    campaigns::start(&shop.app, shop.corp, id, frozen_at)
        .await
        .unwrap();
    assert_eq!(state(&shop, id).await, CampaignState::Missed);
    assert_eq!((progress(&shop, id).await.cancelled, quota(&shop).await), (12, 0));
    assert_eq!(
        shop.number("select count(*) from job where kind = 'campaigns.hand_over'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_batch_is_handed_over_with_its_senders_words_and_link() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    let batch = batch_of(&shop, id, 31).await;
    let body: serde_json::Value = serde_json::from_str(&claim(&shop, &batch).await.unwrap()).unwrap();
    assert_eq!(body["sender"], "li");
    assert_eq!(body["chat_type"], "single");
    assert_eq!(body["text"]["content"], "静安嘉里店的李晓雯邀请你");
    assert_eq!(
        body["attachments"][0]["link"]["url"],
        format!("https://crm.example.com/l/{}", batch.marker)
    );
    let to: Vec<&str> = body["external_userid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(to, ["wmSim101", "wmSim102", "wmSim103", "wmSim104"]);
    assert!(claim(&shop, &batch).await.is_none(), "nobody claims it twice");
}

#[tokio::test]
async fn r03_who_left_or_opted_out_since_is_left_out() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    shop.run("update contact set opted_out_at = 1 where id = 101")
        .await;
    shop.run("update follow set state = 'lost' where contact_id = 102")
        .await;
    shop.run("update follow set state = 'transferred' where contact_id in (105, 106)")
        .await;
    shop.run("update associate set status = 'left' where id = 33")
        .await;
    let body = claim(&shop, &batch_of(&shop, id, 31).await).await.unwrap();
    assert!(!body.contains("wmSim101") && !body.contains("wmSim102") && body.contains("wmSim103"));
    for nobody_left in [32, 33] {
        assert!(
            claim(&shop, &batch_of(&shop, id, nobody_left).await)
                .await
                .is_none()
        );
        assert_eq!(batch_of(&shop, id, nobody_left).await.state, "cancelled");
    }
    let progress = progress(&shop, id).await;
    let reasons: Vec<(&str, i64)> = progress
        .reasons
        .iter()
        .map(|reason| (reason.reason.as_str(), reason.contacts))
        .collect();
    assert_eq!(
        reasons,
        [("associate_left", 3), ("lost_follow", 3), ("opted_out", 1)]
    );
    assert_eq!(quota(&shop).await, 2);
}

#[tokio::test]
async fn r06_a_bad_recipient_harms_only_itself() {
    let shop = World::open().await;
    let id = running(&shop, Rule::Store(StoreId(21))).await;
    let batch = batch_of(&shop, id, 31).await;
    claim(&shop, &batch).await.unwrap();
    record(&shop, &batch, handed(&[102, 999])).await;
    let all_bad = batch_of(&shop, id, 32).await;
    claim(&shop, &all_bad).await.unwrap();
    record(&shop, &all_bad, fault(Some(41048), Advice::Drop)).await;
    let progress = progress(&shop, id).await;
    assert_eq!((progress.tasked, progress.failed), (3, 3));
    assert_eq!(
        (progress.reasons[0].reason.as_str(), progress.reasons[0].contacts),
        ("not_reachable", 3)
    );
    assert_eq!(batch_of(&shop, id, 32).await.state, "rejected");
    assert_eq!(quota(&shop).await, 3);
    let due = "select value from associate_day where associate_id = 31 and code = 'batches_due'";
    assert_eq!(shop.number(due).await, 1);
    assert_eq!(
        shop.number("select value from store_day where store_id = 21 and code = 'not_delivered'")
            .await,
        3
    );
}

#[tokio::test]
async fn what_certainly_did_not_leave_is_tried_again() {
    let shop = World::open().await;
    let id = running(&shop, of_zhao()).await;
    let batch = batch_of(&shop, id, 33).await;
    claim(&shop, &batch).await.unwrap();
    let again = record(&shop, &batch, fault(None, Advice::Retry { after_ms: 500 })).await;
    assert!(matches!(again, Some(Error::Platform(_))));
    assert_eq!(batch_of(&shop, id, 33).await.state, "planned");
    hand(&shop, id, 33).await;
    assert_eq!(progress(&shop, id).await.tasked, 3);
}

#[tokio::test]
async fn r01_an_unknown_outcome_is_never_sent_again() {
    let shop = World::open().await;
    let id = running(&shop, of_zhao()).await;
    let batch = batch_of(&shop, id, 33).await;
    claim(&shop, &batch).await.unwrap();
    record(&shop, &batch, fault(None, Advice::Unknown)).await;
    assert_eq!(progress(&shop, id).await.unknown, 3);
    for round in 0..3 {
        assert!(claim(&shop, &batch).await.is_none());
        assert_eq!(state(&shop, id).await, CampaignState::Running);
        let now = batch_of(&shop, id, 33).await;
        assert_eq!(now.state, "unknown");
        let waits = format!(
            "select count(*) from job where kind = 'campaigns.reconcile' and unique_key = '{}:{round}'",
            batch.id
        );
        assert_eq!(shop.number(&waits).await, 1);
        let tx = shop.begin().await;
        campaigns::record_look(&tx, &shop.act(), shop.corp, &now, round, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let progress = progress(&shop, id).await;
    assert_eq!(
        (progress.failed, progress.reasons[0].reason.as_str()),
        (3, "unknown_outcome")
    );
    // They may have got it all the same.
    assert_eq!(quota(&shop).await, 3);
    assert!(claim(&shop, &batch).await.is_none());
    assert_eq!(state(&shop, id).await, CampaignState::Finished);
}

#[tokio::test]
async fn an_unknown_batch_that_is_found_was_handed_over() {
    let shop = World::open().await;
    let id = running(&shop, of_zhao()).await;
    let batch = batch_of(&shop, id, 33).await;
    claim(&shop, &batch).await.unwrap();
    record(&shop, &batch, Err(Error::internal("the worker stopped"))).await;
    let batch = batch_of(&shop, id, 33).await;
    let tx = shop.begin().await;
    campaigns::record_look(&tx, &shop.act(), shop.corp, &batch, 1, Some("msgFound".into()))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = batch_of(&shop, id, 33).await;
    assert_eq!(
        (found.state.as_str(), found.msgid.as_deref()),
        ("handed", Some("msgFound"))
    );
    assert_eq!(progress(&shop, id).await.tasked, 3);
    // The held-up caller comes back with an answer: it changes nothing any more.
    record(&shop, &found, handed(&[])).await;
    assert_eq!(batch_of(&shop, id, 33).await.msgid.as_deref(), Some("msgFound"));
    assert_eq!(
        shop.number("select value from store_day where code = 'batches_due'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_call_whose_worker_vanished_is_unknown() {
    let shop = World::open().await;
    let id = running(
        &shop,
        Rule::Any(vec![Rule::Store(StoreId(22)), Rule::Store(StoreId(23))]),
    )
    .await;
    for associate in [33, 34] {
        claim(&shop, &batch_of(&shop, id, associate).await).await.unwrap();
    }
    assert!(claim(&shop, &batch_of(&shop, id, 33).await).await.is_none());
    assert_eq!(
        batch_of(&shop, id, 33).await.state,
        "calling",
        "it may still be under way"
    );
    // One is found by its own job, run again; the other by the watch.
    later(&shop, MINUTE_MS);
    assert!(claim(&shop, &batch_of(&shop, id, 33).await).await.is_none());
    assert_eq!(batch_of(&shop, id, 33).await.state, "unknown");
    later(&shop, 3 * MINUTE_MS);
    sweep(&shop, id).await;
    assert_eq!(batch_of(&shop, id, 34).await.state, "unknown");
}

#[tokio::test]
async fn batches_of_a_higher_priority_go_first() {
    let shop = World::open().await;
    let start = async |priority: i64| {
        let mut new = draft(of_zhao());
        new.priority = Some(priority);
        let id = write(&shop, new).await;
        schedule(&shop, id).await.unwrap();
        campaigns::start(&shop.app, shop.corp, id, shop.now())
            .await
            .unwrap();
        batch_of(&shop, id, 33).await.id
    };
    let (usual, urgent) = (start(0).await, start(5).await);
    let due = queue::claim(&shop.app.db, shop.now(), 50).await.unwrap();
    let line: Vec<String> = due
        .iter()
        .filter(|job| job.kind == "campaigns.hand_over")
        .map(|job| job.payload.clone())
        .collect();
    let job = |batch: BatchId| format!("{{\"batch\":\"{batch}\"}}");
    assert_eq!(line, [job(urgent), job(usual)]);
}

#[tokio::test]
async fn a_batch_whose_job_was_set_aside_is_put_back_in_line() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    let open =
        "select count(*) from job where kind = 'campaigns.hand_over' and state in ('waiting', 'running')";
    assert_eq!(shop.number(open).await, 3);
    // One waits for its next try, its key spent; one runs; one has had its last try.
    for (associate, state) in [(31, "waiting"), (32, "running"), (33, "dead")] {
        let batch = batch_of(&shop, id, associate).await.id;
        shop.run(&format!(
            "update job set state = '{state}', unique_key = null where kind = 'campaigns.hand_over' and unique_key = '{batch}'"
        ))
        .await;
    }
    assert_eq!(shop.number(open).await, 2);
    for _ in 0..2 {
        sweep(&shop, id).await;
        assert_eq!(shop.number(open).await, 3);
    }
    campaigns::pause(&shop.app, &by(&shop, 1), &shop.whole(), id)
        .await
        .unwrap();
    shop.run("delete from job where kind = 'campaigns.hand_over'")
        .await;
    sweep(&shop, id).await;
    assert_eq!(shop.number(open).await, 0, "a pause is kept");
}

#[tokio::test]
async fn results_are_counted_once_and_end_the_campaign() {
    let shop = World::open().await;
    let id = running(&shop, Rule::Store(StoreId(21))).await;
    let (li, wu) = (hand(&shop, id, 31).await, hand(&shop, id, 32).await);
    use ResultStatus::{NotFriend, NotSent, QuotaUsed, Sent};
    for _ in 0..2 {
        see(
            &shop,
            &li,
            &[(101, Sent), (102, NotFriend), (103, NotSent), (999, Sent)],
        )
        .await;
    }
    assert_eq!(state(&shop, id).await, CampaignState::Running);
    see(
        &shop,
        &li,
        &[(101, Sent), (102, NotFriend), (103, Sent), (104, QuotaUsed)],
    )
    .await;
    see(&shop, &wu, &[(105, Sent), (106, Sent)]).await;
    let progress = progress(&shop, id).await;
    assert_eq!((progress.sent, progress.failed, progress.tasked), (4, 2, 0));
    assert_eq!((progress.associates, progress.associates_confirmed), (2, 2));
    assert_eq!(state(&shop, id).await, CampaignState::Finished);
    for (code, value) in [
        ("delivered", 4),
        ("not_delivered", 2),
        ("batches_due", 2),
        ("batches_confirmed", 2),
    ] {
        let sql = format!(
            "select value from store_day where store_id = 21 and day = '2026-11-23' and code = '{code}'"
        );
        assert_eq!(shop.number(&sql).await, value, "{code}");
    }
    assert_eq!(
        shop.number("select count(*) from timeline where kind = 'sent'")
            .await,
        4
    );
    assert_eq!(
        shop.number("select count(*) from timeline where kind = 'not_sent'")
            .await,
        2
    );
    let used = async |contact: i64| {
        shop.number(&format!(
            "select used from quota_use where contact_id = {contact}"
        ))
        .await
    };
    assert_eq!(used(102).await, 0, "who got nothing has their quota back");
    assert_eq!(
        used(104).await,
        30,
        "who has none left on the platform has none here"
    );
    assert_eq!(quota(&shop).await, 4 + 30);
    let speed = campaigns::speed(&shop.app.db, &shop.whole(), id).await.unwrap();
    assert_eq!(speed.iter().map(|point| point.sent).collect::<Vec<_>>(), [4]);
}

#[tokio::test]
async fn the_deadline_ends_what_nobody_confirmed() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    let li = hand(&shop, id, 31).await;
    see(&shop, &li, &[(101, ResultStatus::Sent)]).await;
    hand(&shop, id, 32).await;
    later(&shop, DAY_MS);
    sweep(&shop, id).await;
    assert!(
        claim(&shop, &batch_of(&shop, id, 33).await).await.is_none(),
        "too late to hand over"
    );
    let stops = "select count(*) from job where kind = 'campaigns.stop'";
    assert_eq!(shop.number(stops).await, 2);
    for associate in [31, 32] {
        let batch = batch_of(&shop, id, associate).await;
        let tx = shop.begin().await;
        campaigns::close(&tx, &shop.act(), shop.corp, &batch)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let progress = progress(&shop, id).await;
    assert_eq!((progress.sent, progress.expired), (1, 8));
    assert_eq!(
        (state(&shop, id).await, quota(&shop).await),
        (CampaignState::Finished, 1)
    );
    sweep(&shop, id).await;
}

#[tokio::test]
async fn r07_pause_resume_and_cancel_keep_their_word() {
    let shop = World::open().await;
    let (me, whole) = (by(&shop, 1), shop.whole());
    let id = running(&shop, east()).await;
    hand(&shop, id, 31).await;
    campaigns::pause(&shop.app, &me, &whole, id).await.unwrap();
    assert!(claim(&shop, &batch_of(&shop, id, 32).await).await.is_none());
    assert!(matches!(
        campaigns::pause(&shop.app, &me, &whole, id).await,
        Err(Error::Conflict(_))
    ));
    campaigns::resume(&shop.app, &me, &whole, id).await.unwrap();
    let calling = batch_of(&shop, id, 32).await;
    claim(&shop, &calling).await.unwrap();
    campaigns::cancel(&shop.app, &me, &whole, id).await.unwrap();
    assert!(claim(&shop, &batch_of(&shop, id, 33).await).await.is_none());
    // The call that was under way ends well, and is stopped like the one before it.
    record(&shop, &calling, handed(&[])).await;
    assert_eq!(
        shop.number("select count(*) from job where kind = 'campaigns.stop'")
            .await,
        2
    );
    for associate in [31, 32] {
        let batch = batch_of(&shop, id, associate).await;
        let tx = shop.begin().await;
        campaigns::close(&tx, &shop.act(), shop.corp, &batch)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!((progress(&shop, id).await.cancelled, quota(&shop).await), (9, 0));
    assert_eq!(state(&shop, id).await, CampaignState::Cancelled);
    assert!(matches!(
        campaigns::cancel(&shop.app, &me, &whole, id).await,
        Err(Error::Conflict(_))
    ));
}

#[tokio::test]
async fn an_associate_is_reminded_three_times_a_day() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    hand(&shop, id, 31).await;
    hand(&shop, id, 33).await;
    let remind = async |scope: Scope, only: Option<i64>| {
        campaigns::remind(&shop.app, &by(&shop, 1), &scope, id, only.map(AssociateId))
            .await
            .unwrap()
    };
    assert_eq!(remind(shop.whole(), None).await, 2);
    assert_eq!(remind(shop.of_store(22), None).await, 1);
    assert_eq!(remind(shop.whole(), Some(33)).await, 1);
    assert_eq!(remind(shop.whole(), None).await, 1, "the other has had three");
    later(&shop, DAY_MS);
    assert_eq!(remind(shop.whole(), None).await, 2);
}

#[tokio::test]
async fn everybody_sees_their_own_part() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    let li = hand(&shop, id, 31).await;
    see(&shop, &li, &[(101, ResultStatus::Sent)]).await;
    let count = async |scope: Scope| {
        let page = campaigns::deliveries(&shop.app.db, &scope, id, None, &PageOf::first(50)).await?;
        Ok::<usize, Error>(page.items.len())
    };
    assert_eq!(count(shop.whole()).await.unwrap(), 9);
    assert_eq!(count(shop.of_store(21)).await.unwrap(), 6);
    assert_eq!(count(shop.of_associate(32)).await.unwrap(), 2);
    assert!(matches!(count(shop.of_store(23)).await, Err(Error::NotFound)));
    assert!(matches!(count(shop.of_associate(35)).await, Err(Error::NotFound)));
    let sent = campaigns::deliveries(
        &shop.app.db,
        &shop.whole(),
        id,
        Some(DeliveryState::Sent),
        &PageOf::first(50),
    )
    .await
    .unwrap();
    assert_eq!(sent.items[0].contact_id, ContactId(101));

    let manager = shop.of_store(22);
    let listed = campaigns::list(
        &shop.app.db,
        &manager,
        Some(CampaignState::Running),
        &PageOf::first(10),
    )
    .await;
    assert_eq!(listed.unwrap().items.len(), 1);
    let elsewhere = campaigns::list(&shop.app.db, &shop.of_store(23), None, &PageOf::first(10)).await;
    assert!(elsewhere.unwrap().items.is_empty());
    let of_store = campaigns::progress(&shop.app.db, &manager, id).await.unwrap();
    assert_eq!((of_store.targeted, of_store.sent), (3, 0));
    let stores = campaigns::by_store(&shop.app.db, &shop.whole(), id)
        .await
        .unwrap();
    let names: Vec<(&str, i64, i64)> = stores
        .iter()
        .map(|store| (store.store_name.as_str(), store.sent, store.eligible))
        .collect();
    assert_eq!(names, [("杭州湖滨店", 0, 3), ("静安嘉里店", 1, 6)]);
    let forbidden = campaigns::pause(&shop.app, &shop.act(), &manager, id).await;
    assert!(matches!(forbidden, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn an_associate_finds_what_waits_for_them() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    hand(&shop, id, 31).await;
    let waiting = campaigns::batches_of(&shop.app.db, &shop.of_associate(31), AssociateId(31), shop.now())
        .await
        .unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].text, "静安嘉里店的李晓雯邀请你");
    assert_eq!(
        (
            waiting[0].contacts,
            waiting[0].names.len(),
            waiting[0].confirmed_at
        ),
        (4, 3, None)
    );
    let others = campaigns::batches_of(&shop.app.db, &shop.of_associate(32), AssociateId(31), shop.now())
        .await
        .unwrap();
    assert!(others.is_empty());
}

#[tokio::test]
async fn only_a_draft_is_changed_or_removed() {
    let shop = World::open().await;
    let id = write(&shop, draft(east())).await;
    schedule(&shop, id).await.unwrap();
    let corp = corp(&shop).await;
    let tx = shop.begin().await;
    let changed = campaigns::change(
        &tx,
        &shop.act(),
        &shop.whole(),
        &corp,
        id,
        CampaignChange::default(),
    )
    .await;
    assert!(matches!(changed, Err(Error::Conflict(_))));
    let deleted = campaigns::delete(&tx, &shop.act(), &shop.whole(), id).await;
    assert!(matches!(deleted, Err(Error::Conflict(_))));
    drop(tx);
    let id = write(&shop, draft(east())).await;
    let tx = shop.begin().await;
    campaigns::delete(&tx, &shop.act(), &shop.whole(), id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(
        campaigns::find(&shop.app.db, &shop.whole(), id).await,
        Err(Error::NotFound)
    ));
}
