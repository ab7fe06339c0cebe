//! The audience index: whatever is asked and whatever happens, it says what the database says.

mod acts;
mod killed;
mod lists;
mod named;
mod rules;

use dianyu::app::App;
use dianyu::cache::Cache;
use dianyu::ids::{AssociateId, ContactId, Ids, StoreId};
use dianyu::scope::{Reach, Scope};
use dianyu::segments::index::{self, Built};
use dianyu::segments::{self, Messaged, Rule};
use dianyu::time::{DAY_MS, SECOND_MS, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::sending::{confirm_all, later};
use crate::street::Street;
use crate::world::{World, start};

const SHANGHAI: chrono_tz::Tz = chrono_tz::Asia::Shanghai;
const PEOPLE: i64 = 300;

/// Another instance on the same database.
fn another(shop: &World, node: i64) -> App {
    App::new(
        shop.app.config.clone(),
        shop.app.db.clone(),
        Cache::memory(),
        shop.app.clock.clone(),
        Ids::new(node, Timestamp(0)),
    )
}

async fn build(app: &App, shop: &World) -> Built {
    loop {
        match index::build(app, shop.corp, SHANGHAI).await.unwrap() {
            Built::Elsewhere => tokio::task::yield_now().await,
            built => return built,
        }
    }
}

/// What the index says, and it must be the index that says it.
async fn indexed(app: &App, scope: &Scope, rule: &Rule) -> Vec<ContactId> {
    // What only the database can say of a leaf may take it longer than an asker waits: it is kept for the next.
    for _ in 0..20 {
        let found = index::people(app, scope, rule, SHANGHAI, app.now())
            .await
            .unwrap();
        if let Some(people) = found {
            return people;
        }
        assert!(index::is_ready(app, scope.corp, SHANGHAI), "the index was let go");
    }
    panic!("the index did not answer {rule:?}")
}

async fn agrees(app: &App, scope: &Scope, rule: &Rule) {
    let Some((found, expected)) = differs(app, scope, rule).await else {
        return;
    };
    // The smallest part that differs says more.
    let mut smallest = (rule, found, expected);
    while let Some(part) = differing_part(app, scope, smallest.0).await {
        smallest = part;
    }
    let (part, found, expected) = smallest;
    let said = |rule| serde_json::to_string(rule).unwrap();
    assert_eq!(found, expected, "{scope:?} {} of {}", said(part), said(rule));
    panic!("{scope:?} {}: its parts agree, it does not", said(rule));
}

type Two = (Vec<ContactId>, Vec<ContactId>);

/// Whom the index finds and whom the database does, if these are not the same.
async fn differs(app: &App, scope: &Scope, rule: &Rule) -> Option<Two> {
    let found = indexed(app, scope, rule).await;
    let expected = segments::people(&app.db, scope, rule, SHANGHAI, app.now())
        .await
        .unwrap();
    if found != expected {
        return Some((found, expected));
    }
    // Previews are kept as long as nothing changes.
    let now = app.now();
    let shown = segments::preview(app, scope, rule, SHANGHAI, now).await;
    let by_database = segments::preview_by_sql(&app.db, scope, rule, SHANGHAI, now).await;
    let said = |preview| serde_json::to_value::<segments::Preview>(preview).unwrap();
    assert_eq!(said(shown.unwrap()), said(by_database.unwrap()), "a kept preview");
    None
}

async fn differing_part<'r>(
    app: &App,
    scope: &Scope,
    rule: &'r Rule,
) -> Option<(&'r Rule, Vec<ContactId>, Vec<ContactId>)> {
    let parts = match rule {
        Rule::All(parts) | Rule::Any(parts) => parts.as_slice(),
        Rule::Not(part) => std::slice::from_ref(part.as_ref()),
        _ => &[],
    };
    for part in parts {
        if let Some((found, expected)) = differs(app, scope, part).await {
            return Some((part, found, expected));
        }
    }
    None
}

fn any_scope(chance: &mut StdRng, shop: &World) -> Scope {
    let reach = match chance.random_range(0..4) {
        0 => Reach::Stores(vec![StoreId(21), StoreId(23)]),
        1 => Reach::Own(AssociateId(chance.random_range(31..36))),
        _ => Reach::Whole,
    };
    Scope {
        corp: shop.corp,
        reach,
    }
}

/// A past for the world's people and many more, made of chance.
async fn crowd(shop: &World, chance: &mut StdRng) {
    let list = |rows: Vec<String>| rows.join(",");
    let births = [
        "'11-23'", "'11-22'", "'12-31'", "'01-05'", "'02-29'", "null", "null",
    ];
    let people = (200..200 + PEOPLE).map(|id| {
        let (gender, birth) = (
            chance.random_range(0..3),
            births[chance.random_range(0..births.len())],
        );
        format!("(1, {id}, 'wmMany{id}', 'many{id}', '客{id}', '', 1, {gender}, {birth}, 0, 0)")
    });
    let rows = list(people.collect());
    shop.run(&format!(
        "insert into contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, birthday, created_at, updated_at)
         values {rows}"
    ))
    .await;
    let (mut follows, mut periods) = (Vec::new(), Vec::new());
    for id in 200..200 + PEOPLE {
        for associate in 31..36i64 {
            if !chance.random_ratio(2, 7) {
                continue;
            }
            let store = [21, 21, 22, 23, 23][(associate - 31) as usize];
            let state = ["active", "active", "active", "lost"][chance.random_range(0..4)];
            let tags: String = (40..48)
                .filter(|_| chance.random_ratio(1, 4))
                .map(|tag| format!("{tag} "))
                .collect();
            let channel = ["", "", "spring", "door"][chance.random_range(0..4)];
            let at = acts::some_time(chance);
            follows.push(format!(
                "(1, {id}{associate}, {id}, {associate}, {store}, '{state}', '', '', 1, '{channel}', ' {tags}', {}, '{}', 0)",
                at.0,
                at.day(SHANGHAI)
            ));
            if state == "active" {
                let day = at.day(SHANGHAI);
                periods.push(format!(
                    "(1, {id}{associate}, {id}, {associate}, {store}, {}, '{day}', 'scan')",
                    at.0
                ));
            }
        }
    }
    let rows = list(periods);
    shop.run(&format!(
        "insert into follow_period (corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause)
         values {rows}"
    ))
    .await;
    let rows = list(follows);
    shop.run(&format!(
        "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel,
           tags, added_at, added_day, seen_at) values {rows}"
    ))
    .await;
    let (mut fields, mut known) = (Vec::new(), Vec::new());
    for (field, kind, values) in rules::FIELDS {
        let choices = serde_json::to_string(if kind == "choice" { &values[..] } else { &[] }).unwrap();
        fields.push(format!("(1, {field}, 'F{field}', '{kind}', '{choices}', 0)"));
        for id in 200..200 + PEOPLE {
            if chance.random_ratio(1, 3) {
                continue;
            }
            let value = values[chance.random_range(0..4)].replace('\'', "''");
            known.push(format!("(1, {id}, {field}, '{value}', 0)"));
        }
    }
    let (mut sales, mut lines, mut refunds, mut clicks, mut sent) = (vec![], vec![], vec![], vec![], vec![]);
    for number in 0..500i64 {
        let (contact, at) = (200 + chance.random_range(0..PEOPLE), acts::some_time(chance));
        let day = at.day(SHANGHAI);
        let paid = chance.random_range(100..90_000);
        let category = ["dress", "shoes"][chance.random_range(0..2)];
        sales.push(format!(
            "(1, {number}, 'N{number}', 21, 'till', {}, '{day}', 9, {contact}, {paid}, {paid}, 1, '', 0)",
            at.0
        ));
        lines.push(format!(
            "(1, {number}, 1, 'S', 'S', '{category}', 1, {paid}, {paid})"
        ));
        if chance.random_ratio(1, 5) {
            refunds.push(format!(
                "(1, {number}, 'R{number}', 'N{number}', {number}, {}, {}, '[]', '', 0)",
                at.0,
                paid / 2
            ));
        }
        let (contact, at) = (200 + chance.random_range(0..PEOPLE), acts::some_time(chance));
        let (link, kind) = (
            5 + number % 2,
            ["person", "person", "repeat"][chance.random_range(0..3)],
        );
        clicks.push(format!(
            "(1, {number}, {link}, 't{number}', 'v', {contact}, {}, '{}', '{kind}')",
            at.0,
            at.day(SHANGHAI)
        ));
        let (contact, at) = (200 + chance.random_range(0..PEOPLE), acts::some_time(chance));
        let state = ["sent", "sent", "failed"][chance.random_range(0..3)];
        sent.push(format!("(1, {number}, {contact}, '{state}', {}, 0)", at.0));
    }
    for (head, rows) in [
        (
            "sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen, items, body_hash, created_at)",
            sales,
        ),
        (
            "sale_line (corp_id, order_id, line_no, sku, name, category, quantity, paid_fen, list_fen)",
            lines,
        ),
        (
            "refund (corp_id, id, refund_no, order_no, order_id, refunded_at, refund_fen, lines, body_hash, created_at)",
            refunds,
        ),
        (
            "click (corp_id, id, link_id, token, visitor, contact_id, at, day, kind)",
            clicks,
        ),
        (
            "delivery (corp_id, campaign_id, contact_id, state, sent_at, updated_at)",
            sent,
        ),
        (
            "contact_field (corp_id, id, name, kind, choices, created_at)",
            fields,
        ),
        (
            "contact_value (corp_id, contact_id, field_id, value, updated_at)",
            known,
        ),
    ] {
        shop.run(&format!("insert into {head} values {}", list(rows)))
            .await;
    }
    shop.app.db.look_at_tables().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_rules_find_whom_the_database_finds() {
    let shop = World::open().await;
    let mut chance = StdRng::seed_from_u64(20_261_123);
    crowd(&shop, &mut chance).await;
    assert_eq!(build(&shop.app, &shop).await, Built::FromDatabase);
    for _ in 0..1_000 {
        let rule = rules::any(&mut chance, 8);
        agrees(&shop.app, &any_scope(&mut chance, &shop), &rule).await;
    }
    // The next day other people are new, cooling, had a birthday.
    shop.app.clock.advance(DAY_MS);
    for _ in 0..100 {
        let rule = rules::any(&mut chance, 4);
        agrees(&shop.app, &any_scope(&mut chance, &shop), &rule).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_by_the_index_is_the_databases() {
    let shop = World::open().await;
    let mut chance = StdRng::seed_from_u64(7);
    crowd(&shop, &mut chance).await;
    build(&shop.app, &shop).await;
    for _ in 0..60 {
        let parts = (0..4).map(|_| rules::any(&mut chance, 3)).collect();
        let (rule, scope) = (Rule::All(parts), any_scope(&mut chance, &shop));
        let shown = segments::preview(&shop.app, &scope, &rule, SHANGHAI, shop.now())
            .await
            .unwrap();
        assert!(index::is_ready(&shop.app, shop.corp, SHANGHAI));
        let counted = segments::preview_by_sql(&shop.app.db, &scope, &rule, SHANGHAI, shop.now())
            .await
            .unwrap();
        let said = |preview| serde_json::to_value::<segments::Preview>(preview).unwrap();
        assert_eq!(said(shown), said(counted));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_every_instance_agrees_with_the_database_at_once() {
    for seed in 0..4 {
        let shop = World::open().await;
        let mut chance = StdRng::seed_from_u64(seed);
        crowd(&shop, &mut chance).await;
        let stage = acts::Stage::set(&shop).await;
        let other = another(&shop, 2);
        build(&shop.app, &shop).await;
        build(&other, &shop).await;
        // Asked before, kept, and put right as things happen.
        let asked: Vec<Rule> = (0..25).map(|_| rules::any(&mut chance, 4)).collect();
        for round in 0..25 {
            for rule in &asked {
                indexed(&shop.app, &shop.whole(), rule).await;
            }
            for _ in 0..chance.random_range(1..5) {
                stage.act(&mut chance).await;
            }
            for rule in asked.iter().skip(round % 5).step_by(5) {
                agrees(&shop.app, &shop.whole(), rule).await;
                agrees(&other, &any_scope(&mut chance, &shop), rule).await;
            }
        }
        for rule in &asked {
            agrees(&shop.app, &shop.whole(), rule).await;
            agrees(&other, &shop.whole(), rule).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_from_an_older_snapshot_holds_what_came_since() {
    let shop = World::open().await;
    let mut chance = StdRng::seed_from_u64(99);
    crowd(&shop, &mut chance).await;
    let stage = acts::Stage::set(&shop).await;
    assert_eq!(build(&shop.app, &shop).await, Built::FromDatabase);
    for _ in 0..40 {
        stage.act(&mut chance).await;
    }
    let restarted = another(&shop, 3);
    assert_eq!(build(&restarted, &shop).await, Built::FromDisk);
    for _ in 0..60 {
        let rule = rules::any(&mut chance, 5);
        agrees(&restarted, &any_scope(&mut chance, &shop), &rule).await;
    }
    // What the running instance writes down later is as good.
    indexed(&shop.app, &shop.whole(), &rules::any(&mut chance, 2)).await;
    index::save_all(&shop.app).await;
    let restarted = another(&shop, 4);
    assert_eq!(build(&restarted, &shop).await, Built::FromDisk);
    for _ in 0..60 {
        let rule = rules::any(&mut chance, 5);
        agrees(&restarted, &any_scope(&mut chance, &shop), &rule).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_trusted_is_passed_by() {
    let shop = World::open().await;
    build(&shop.app, &shop).await;
    let path = shop
        .app
        .config
        .data_dir
        .as_ref()
        .unwrap()
        .join("audience/1.index");
    let whole = std::fs::read(&path).unwrap();
    let rule = Rule::Not(Box::new(Rule::Store(StoreId(22))));
    let mut damaged = Vec::new();
    for place in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        damaged.push(flipped);
        damaged.push(whole[..place].to_vec());
    }
    damaged.push([whole.as_slice(), b"more"].concat());
    for bytes in damaged {
        std::fs::write(&path, &bytes).unwrap();
        let app = another(&shop, 5);
        assert_eq!(build(&app, &shop).await, Built::FromDatabase);
        agrees(&app, &shop.whole(), &rule).await;
    }
    assert_eq!(build(&another(&shop, 6), &shop).await, Built::FromDisk);

    // Changes that nobody keeps any more, and a database put back to before the last change.
    let changed = async || {
        let tx = shop.begin().await;
        tx.note(shop.corp, dianyu::db::changes::Fact::Follow, [101]);
        tx.commit().await.unwrap();
    };
    changed().await;
    build(&another(&shop, 7), &shop).await;
    changed().await;
    changed().await;
    let tx = shop.begin().await;
    dianyu::db::changes::sweep(&tx, shop.corp, -1_000).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(shop.number("select count(*) from contact_change").await, 1);
    let app = another(&shop, 8);
    assert_eq!(build(&app, &shop).await, Built::FromDatabase);
    let tx = shop.begin().await;
    dianyu::db::changes::sweep(&tx, shop.corp, 60_000).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(build(&another(&shop, 9), &shop).await, Built::FromDisk);
    forget_changes(&shop).await;
    let app = another(&shop, 10);
    assert_eq!(build(&app, &shop).await, Built::FromDatabase);
    agrees(&app, &shop.whole(), &rule).await;
}

async fn forget_changes(shop: &World) {
    use dianyu::db::Conn as _;
    use sea_orm::ConnectionTrait as _;
    let tx = shop.begin().await;
    tx.raw()
        .execute_unprepared("delete from contact_change")
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_got_a_message_is_left_out_of_the_next_at_once() {
    let street = Street::open().await;
    let shop = &street.shop;
    build(&shop.app, shop).await;
    let rule = Rule::Messaged(Messaged {
        within_days: 7,
        at_most: Some(0),
        at_least: None,
    });
    let before = indexed(&shop.app, &shop.whole(), &rule).await.len();
    crate::sending::launch(&street).await;
    assert_eq!(
        indexed(&shop.app, &shop.whole(), &rule).await.len(),
        before,
        "tasked is not yet sent"
    );
    confirm_all(&street);
    later(&street, 20 * SECOND_MS).await;
    agrees(&shop.app, &shop.whole(), &rule).await;
    assert_eq!(indexed(&shop.app, &shop.whole(), &rule).await.len(), before - 9);
}

#[tokio::test]
async fn while_there_is_no_index_the_database_answers() {
    let shop = World::open().await;
    let rule = Rule::Store(StoreId(22));
    assert!(!index::is_ready(&shop.app, shop.corp, SHANGHAI));
    let asked = async || {
        segments::audience(
            &shop.app,
            &shop.app.db,
            &shop.whole(),
            &rule,
            SHANGHAI,
            shop.now(),
        )
        .await
        .unwrap()
        .len()
    };
    assert_eq!(asked().await, 4);
    for _ in 0..10_000 {
        if index::is_ready(&shop.app, shop.corp, SHANGHAI) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(
        index::is_ready(&shop.app, shop.corp, SHANGHAI),
        "the first question has it built"
    );
    assert_eq!(asked().await, 4);
    // Somebody wrote past the verbs: nothing that was known counts any more.
    shop.run("update follow set state = 'lost' where contact_id = 107")
        .await;
    assert_eq!(asked().await, 3);
    assert_eq!(start(), shop.now());
}
