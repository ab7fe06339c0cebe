//! Segments: rules find the people they say, whatever the rule.

mod own_fields;

use std::collections::{HashMap, HashSet};

use dianyu::error::Error;
use dianyu::ids::{AssociateId, ContactId, FieldId, LinkId, RegionId, StoreId, TagId};
use dianyu::page::PageOf;
use dianyu::scope::Scope;
use dianyu::segments::{self, Clicked, Gender, Messaged, Ordered, OwnField, Rfm, Rule, Stage, Within};
use dianyu::time::{DAY_MS, Day, HOUR_MS, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use crate::world::{World, start};

const SHANGHAI: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

/// Associate, store, tag, channel, day added.
type Followed = (i64, i64, i64, String, Day);

/// What a story knows of a contact, beside what the database holds.
#[derive(Default)]
struct Person {
    id: i64,
    follows: Vec<Followed>,
    gender: i64,
    birthday: Option<String>,
    /// When, net of refunds, category.
    sales: Vec<(Timestamp, i64, &'static str)>,
    /// When, link.
    clicks: Vec<(Timestamp, i64)>,
    sent: Vec<Timestamp>,
    /// By field.
    known: HashMap<i64, &'static str>,
}

const STORES: [(i64, i64, i64); 13] = [
    (101, 31, 21),
    (102, 31, 21),
    (103, 31, 21),
    (104, 31, 21),
    (105, 32, 21),
    (106, 32, 21),
    (107, 33, 22),
    (108, 33, 22),
    (109, 33, 22),
    (110, 34, 23),
    (111, 34, 23),
    (112, 35, 23),
    (101, 33, 22),
];
const BIRTHDAYS: [Option<&str>; 6] = [
    Some("11-23"),
    Some("11-22"),
    Some("12-31"),
    Some("01-05"),
    None,
    Some("11-30"),
];
/// A number, a choice, a text and a day.
const FIELDS: [(i64, &str, &[&str]); 4] = [
    (61, "number", &["36", "9", "38.5", "-2", "100000000000000"]),
    (62, "choice", &["金卡", "银卡"]),
    (63, "text", &["火锅", "10", "it's"]),
    (64, "date", &["2025-12-31", "2026-01-01", "2026-03-08"]),
];
const DAYS_AGO: [i64; 9] = [0, 1, 6, 7, 29, 30, 31, 89, 400];

/// Gives the world's contacts a varied past, in the database and in memory alike.
async fn past(shop: &World) -> Vec<Person> {
    let mut people: Vec<Person> = (101..=112)
        .map(|id| Person {
            id,
            gender: id % 3,
            birthday: BIRTHDAYS[(id % 6) as usize].map(str::to_owned),
            ..Person::default()
        })
        .collect();
    for person in &people {
        let birthday = person
            .birthday
            .as_ref()
            .map_or("null".into(), |day| format!("'{day}'"));
        shop.run(&format!(
            "update contact set gender = {}, birthday = {birthday} where id = {}",
            person.gender, person.id
        ))
        .await;
    }
    for (index, (contact, associate, store)) in STORES.into_iter().enumerate() {
        let place = index as i64;
        let tag = 40 + place % 3;
        let channel = if place % 4 == 0 { "spring" } else { "" };
        let added = start().plus_ms(-DAYS_AGO[index % 9] * DAY_MS);
        shop.run(&format!(
            "update follow set tags = ' {tag} 99 ', channel = '{channel}', added_at = {}, added_day = '{}'
              where contact_id = {contact} and associate_id = {associate}",
            added.0,
            added.day(SHANGHAI)
        ))
        .await;
        people[(contact - 101) as usize].follows.push((
            associate,
            store,
            tag,
            channel.into(),
            added.day(SHANGHAI),
        ));
    }
    for number in 0..40i64 {
        buy(shop, &mut people, number).await;
    }
    for number in 0..30i64 {
        click(shop, &mut people, number).await;
    }
    for number in 0..20i64 {
        send(shop, &mut people, number).await;
    }
    for (field, kind, values) in FIELDS {
        know(shop, &mut people, field, kind, values).await;
    }
    people
}

/// Of one in three nothing is known.
async fn know(shop: &World, people: &mut [Person], field: i64, kind: &str, values: &'static [&'static str]) {
    shop.run(&format!(
        "insert into contact_field (corp_id, id, name, kind, choices, created_at)
         values (1, {field}, 'F{field}', '{kind}', '[]', 0)"
    ))
    .await;
    for person in people.iter_mut().filter(|person| (person.id + field) % 3 != 0) {
        let value = values[(person.id * 7 + field) as usize % values.len()];
        shop.run(&format!(
            "insert into contact_value (corp_id, contact_id, field_id, value, updated_at)
             values (1, {}, {field}, '{}', 0)",
            person.id,
            value.replace('\'', "''")
        ))
        .await;
        person.known.insert(field, value);
    }
}

/// Some instant on one of the days above; never in the future.
fn at(number: i64) -> Timestamp {
    start().plus_ms(-DAYS_AGO[(number * 5 % 9) as usize] * DAY_MS - (number % 10) * HOUR_MS)
}

async fn buy(shop: &World, people: &mut [Person], number: i64) {
    let (contact, at) = (101 + number * 7 % 11, at(number));
    let (paid, category) = (
        10_000 + number * 3_700,
        if number % 3 == 0 { "dress" } else { "shoes" },
    );
    let refund = if number % 5 == 0 { paid / 2 } else { 0 };
    shop.run(&format!(
        "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, contact_id, paid_fen, list_fen, items, body_hash, created_at)
         values (1, {number}, 'N{number}', 21, 'till', {}, '{}', 9, {contact}, {paid}, {paid}, 1, '', 0)",
        at.0,
        at.day(SHANGHAI)
    ))
    .await;
    shop.run(&format!(
        "insert into sale_line (corp_id, order_id, line_no, sku, name, category, quantity, paid_fen, list_fen)
         values (1, {number}, 1, 'S', 'S', '{category}', 1, {paid}, {paid})"
    ))
    .await;
    if refund > 0 {
        shop.run(&format!(
            "insert into refund (corp_id, id, refund_no, order_no, order_id, refunded_at, refund_fen, lines, body_hash, created_at)
             values (1, {number}, 'R{number}', 'N{number}', {number}, {}, {refund}, '[]', '', 0)",
            at.0
        ))
        .await;
    }
    people[(contact - 101) as usize]
        .sales
        .push((at, paid - refund, category));
}

async fn click(shop: &World, people: &mut [Person], number: i64) {
    let (contact, link, at) = (101 + number * 5 % 12, 5 + number % 2, at(number + 3));
    let kind = if number % 6 == 5 { "preview" } else { "person" };
    shop.run(&format!(
        "insert into click (corp_id, id, link_id, token, visitor, contact_id, at, day, kind)
         values (1, {number}, {link}, 't{number}', 'v', {contact}, {}, '{}', '{kind}')",
        at.0,
        at.day(SHANGHAI)
    ))
    .await;
    if kind == "person" {
        people[(contact - 101) as usize].clicks.push((at, link));
    }
}

async fn send(shop: &World, people: &mut [Person], number: i64) {
    let (contact, at) = (101 + number * 3 % 12, at(number + 1));
    let state = if number % 7 == 6 { "failed" } else { "sent" };
    shop.run(&format!(
        "insert into delivery (corp_id, campaign_id, contact_id, state, sent_at, updated_at) values (1, {number}, {contact}, '{state}', {}, 0)",
        at.0
    ))
    .await;
    if state == "sent" {
        people[(contact - 101) as usize].sent.push(at);
    }
}

/// The rule said in Rust: what the SQL has to agree with.
fn holds(rule: &Rule, person: &Person, fifths: &[(i64, [i64; 3])]) -> bool {
    let today = start().day(SHANGHAI);
    let ago = |at: Timestamp| today.since(at.day(SHANGHAI));
    let followed = |test: &dyn Fn(&Followed) -> bool| person.follows.iter().any(test);
    match rule {
        Rule::All(parts) => parts.iter().all(|part| holds(part, person, fifths)),
        Rule::Any(parts) => parts.iter().any(|part| holds(part, person, fifths)),
        Rule::Not(part) => !holds(part, person, fifths),
        Rule::Tag(tag) => followed(&|follow| follow.2 == tag.0 || tag.0 == 99),
        Rule::Store(store) => followed(&|follow| follow.1 == store.0),
        Rule::Region(region) => followed(&|follow| (if follow.1 == 23 { 12 } else { 11 }) == region.0),
        Rule::Associate(associate) => followed(&|follow| follow.0 == associate.0),
        Rule::Channel(channel) => followed(&|follow| follow.3 == *channel),
        Rule::Added(within) => followed(&|follow| today.since(follow.4) < within.within_days),
        Rule::Ordered(ordered) => {
            let nets: Vec<i64> = person
                .sales
                .iter()
                .filter(|(at, _, category)| {
                    ago(*at) < ordered.within_days
                        && ordered
                            .category
                            .as_deref()
                            .is_none_or(|wanted| wanted == *category)
                })
                .map(|(_, net, _)| *net)
                .collect();
            nets.len() as i64 >= ordered.at_least.unwrap_or(1)
                && ordered
                    .net_fen_at_least
                    .is_none_or(|least| nets.iter().sum::<i64>() >= least)
        }
        Rule::Clicked(clicked) => person.clicks.iter().any(|(at, link)| {
            ago(*at) < clicked.within_days && clicked.link.is_none_or(|wanted| wanted.0 == *link)
        }),
        Rule::Messaged(messaged) => {
            let count = person
                .sent
                .iter()
                .filter(|at| ago(**at) < messaged.within_days)
                .count() as i64;
            messaged.at_least.is_none_or(|least| count >= least)
                && messaged.at_most.is_none_or(|most| count <= most)
        }
        Rule::Stage(stage) => stage_of(person, today) == *stage,
        Rule::Rfm(rfm) => fifths
            .iter()
            .find(|(id, _)| *id == person.id)
            .is_some_and(|(_, scores)| {
                [(&rfm.r, scores[0]), (&rfm.f, scores[1]), (&rfm.m, scores[2])]
                    .iter()
                    .all(|(wanted, score)| wanted.is_empty() || wanted.contains(score))
            }),
        Rule::Gender(gender) => person.gender == *gender as i64,
        Rule::Birthday(within) => person.birthday.as_ref().is_some_and(|birthday| {
            (0..within.within_days.min(366)).any(|days| today.plus(days).to_string()[5..] == **birthday)
        }),
        Rule::Field(asked) => person.known.get(&asked.id.0).is_some_and(|value| {
            let is_at_most = |low: &str, high: &str| match (low.parse::<f64>(), high.parse::<f64>()) {
                (Ok(low), Ok(high)) => low <= high,
                _ => low <= high,
            };
            (asked.is.is_empty() || asked.is.iter().any(|wanted| wanted == value))
                && asked.from.as_ref().is_none_or(|from| is_at_most(from, value))
                && asked.to.as_ref().is_none_or(|to| is_at_most(value, to))
        }),
    }
}

fn stage_of(person: &Person, today: Day) -> Stage {
    let stirred = person
        .sales
        .iter()
        .map(|(at, ..)| *at)
        .chain(person.clicks.iter().map(|(at, _)| *at))
        .map(|at| today.since(at.day(SHANGHAI)))
        .min();
    let added = person
        .follows
        .iter()
        .map(|follow| today.since(follow.4))
        .min()
        .unwrap();
    match (stirred, stirred.unwrap_or(added)) {
        (None, 0..=30) => Stage::New,
        (Some(_), 0..=30) => Stage::Active,
        (_, 31..=90) => Stage::Cooling,
        (_, 91..=365) => Stage::Dormant,
        _ => Stage::Lost,
    }
}

/// Scores of everybody who bought within the year.
fn fifths(people: &[Person]) -> Vec<(i64, [i64; 3])> {
    let today = start().day(SHANGHAI);
    let year = |person: &Person| -> Vec<(Timestamp, i64)> {
        let sales = person
            .sales
            .iter()
            .filter(|(at, ..)| today.since(at.day(SHANGHAI)) < 365);
        sales.map(|(at, net, _)| (*at, *net)).collect()
    };
    let buyers: Vec<&Person> = people.iter().filter(|person| !year(person).is_empty()).collect();
    let score = |value: &dyn Fn(&Person) -> i64, person: &Person| {
        let mut sorted: Vec<(i64, i64)> = buyers.iter().map(|buyer| (value(buyer), buyer.id)).collect();
        sorted.sort_unstable();
        let place = sorted.iter().position(|(_, id)| *id == person.id).unwrap() as i64;
        let (size, larger) = (sorted.len() as i64 / 5, sorted.len() as i64 % 5);
        // The first so many fifths hold one more.
        let edge = larger * (size + 1);
        if place < edge {
            place / (size + 1) + 1
        } else {
            larger + (place - edge) / size + 1
        }
    };
    buyers
        .iter()
        .map(|person| {
            let recent = |person: &Person| year(person).iter().map(|(at, _)| at.0).max().unwrap();
            let often = |person: &Person| {
                let days: HashSet<Day> = year(person).iter().map(|(at, _)| at.day(SHANGHAI)).collect();
                days.len() as i64
            };
            let much = |person: &Person| year(person).iter().map(|(_, net)| *net).sum();
            (
                person.id,
                [
                    score(&recent, person),
                    score(&often, person),
                    score(&much, person),
                ],
            )
        })
        .collect()
}

fn within() -> impl Strategy<Value = Within> {
    prop_oneof![
        Just(1i64),
        Just(7),
        Just(8),
        Just(30),
        Just(31),
        Just(90),
        Just(400)
    ]
    .prop_map(|within_days| Within { within_days })
}

fn leaf() -> impl Strategy<Value = Rule> {
    let ordered = (
        within(),
        prop::option::of(1i64..4),
        prop::option::of(prop_oneof![Just("dress".to_owned()), Just("shoes".to_owned())]),
        prop::option::of(1i64..400_000),
    );
    let scores = || prop::collection::vec(1i64..=5, 0..3);
    prop_oneof![
        prop_oneof![40i64..44, Just(99), Just(9)].prop_map(|id| Rule::Tag(TagId(id))),
        (21i64..24).prop_map(|id| Rule::Store(StoreId(id))),
        (11i64..13).prop_map(|id| Rule::Region(RegionId(id))),
        (31i64..36).prop_map(|id| Rule::Associate(AssociateId(id))),
        Just(Rule::Channel("spring".into())),
        within().prop_map(Rule::Added),
        within().prop_map(Rule::Birthday),
        ordered.prop_map(
            |(within, at_least, category, net_fen_at_least)| Rule::Ordered(Ordered {
                within_days: within.within_days,
                at_least,
                category,
                net_fen_at_least,
            })
        ),
        (within(), prop::option::of(5i64..8)).prop_map(|(within, link)| Rule::Clicked(Clicked {
            within_days: within.within_days,
            link: link.map(LinkId),
        })),
        (within(), prop::option::of(1i64..3), 0i64..4).prop_map(|(within, at_least, most)| Rule::Messaged(
            Messaged {
                within_days: within.within_days,
                at_least,
                at_most: (at_least.is_none() || most > 2).then_some(most),
            }
        )),
        prop_oneof![
            Just(Stage::New),
            Just(Stage::Active),
            Just(Stage::Cooling),
            Just(Stage::Dormant),
            Just(Stage::Lost)
        ]
        .prop_map(Rule::Stage),
        (scores(), scores(), prop::collection::vec(1i64..=5, 1..3)).prop_map(|(r, f, m)| Rule::Rfm(Rfm {
            r,
            f,
            m
        })),
        prop_oneof![Just(Gender::Unknown), Just(Gender::Male), Just(Gender::Female)].prop_map(Rule::Gender),
        own_field(),
    ]
}

fn own_field() -> impl Strategy<Value = Rule> {
    let picked = (
        prop::sample::select(&FIELDS[..]),
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    );
    (picked, any::<bool>(), any::<bool>()).prop_map(|((field, picked), from, to)| {
        let (id, kind, values) = field;
        let picked: Vec<String> = picked
            .iter()
            .map(|index| (*index.get(values)).to_owned())
            .collect();
        let is_measured = ["number", "date"].contains(&kind);
        let first = picked.first().filter(|_| is_measured);
        Rule::Field(OwnField {
            id: FieldId(id),
            from: first.filter(|_| from).cloned(),
            to: picked.last().filter(|_| is_measured && to).cloned(),
            is: if is_measured { Vec::new() } else { picked },
        })
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Rule::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Rule::Any),
            inner.prop_map(|rule| Rule::Not(Box::new(rule))),
        ]
    })
}

#[test]
fn any_rule_finds_whom_it_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (shop, people) = runtime.block_on(async {
        let shop = World::open().await;
        let people = past(&shop).await;
        (shop, people)
    });
    let fifths = fifths(&people);
    let mut runner = TestRunner::new(Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&any_rule(), |rule| {
        let rule = segments::rule::read(&serde_json::to_value(&rule).unwrap(), "").map_err(fail)?;
        let found: Vec<ContactId> = runtime
            .block_on(segments::people(
                &shop.app.db,
                &shop.whole(),
                &rule,
                SHANGHAI,
                shop.now(),
            ))
            .map_err(fail)?;
        let expected: Vec<ContactId> = people
            .iter()
            .filter(|person| holds(&rule, person, &fifths))
            .map(|person| ContactId(person.id))
            .collect();
        prop_assert_eq!(found, expected);
        Ok(())
    });
    outcome.unwrap();
}

fn fail(error: Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

#[tokio::test]
async fn every_stage_is_somebodys_and_nobody_has_two() {
    let shop = World::open().await;
    past(&shop).await;
    let mut seen = Vec::new();
    for stage in [
        Stage::New,
        Stage::Active,
        Stage::Cooling,
        Stage::Dormant,
        Stage::Lost,
    ] {
        let found = segments::people(
            &shop.app.db,
            &shop.whole(),
            &Rule::Stage(stage),
            SHANGHAI,
            shop.now(),
        )
        .await;
        seen.extend(found.unwrap());
    }
    let distinct: HashSet<ContactId> = seen.iter().copied().collect();
    assert_eq!((seen.len(), distinct.len()), (12, 12));
}

#[tokio::test]
async fn a_preview_says_how_many_remain_after_each_rule() {
    let shop = World::open().await;
    let rule = segments::rule::read(
        &json!({"all": [{"region": "11"}, {"store": "21"}, {"not": {"associate": "32"}}]}),
        "/rule",
    )
    .unwrap();
    let preview = async |scope: &Scope| {
        segments::preview(&shop.app, scope, &rule, SHANGHAI, shop.now())
            .await
            .unwrap()
    };
    let whole = preview(&shop.whole()).await;
    let steps: Vec<i64> = whole.steps.iter().map(|step| step.remaining).collect();
    assert_eq!((whole.count, steps), (4, vec![9, 6, 4]));
    let sample: Vec<i64> = whole.sample.iter().map(|person| person.id.0).collect();
    assert_eq!(sample, [101, 102, 103, 104]);

    let south = preview(&shop.of_store(22)).await;
    assert_eq!(south.count, 1, "only 101 is followed in both stores");
    assert_eq!(preview(&shop.of_associate(35)).await.count, 0);
}

#[tokio::test]
async fn who_is_no_longer_followed_is_in_no_segment() {
    let shop = World::open().await;
    shop.run("update follow set state = 'lost' where contact_id = 102")
        .await;
    let everyone = Rule::Not(Box::new(Rule::Store(StoreId(99))));
    let found = segments::people(&shop.app.db, &shop.whole(), &everyone, SHANGHAI, shop.now())
        .await
        .unwrap();
    assert_eq!(found.len(), 11);
    assert!(!found.contains(&ContactId(102)));
}

#[tokio::test]
async fn an_id_that_is_not_ours_names_its_place() {
    let shop = World::open().await;
    let rule = segments::rule::read(
        &json!({"all": [{"store": "21"}, {"any": [{"store": "99"}, {"tag": "7"}, {"associate": "35"}]}]}),
        "/rule",
    )
    .unwrap();
    let places = async |scope: &Scope| match segments::rule::check(&shop.app.db, scope, &rule, "/rule").await
    {
        Err(Error::Invalid(problems)) => {
            let mut places: Vec<String> = problems.into_iter().map(|problem| problem.pointer).collect();
            places.sort();
            places
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(
        places(&shop.whole()).await,
        ["/rule/all/1/any/0/store", "/rule/all/1/any/1/tag"]
    );
    assert_eq!(
        places(&shop.of_store(21)).await,
        [
            "/rule/all/1/any/0/store",
            "/rule/all/1/any/1/tag",
            "/rule/all/1/any/2/associate"
        ]
    );
}

#[tokio::test]
async fn segments_are_headquarters_and_have_names_of_their_own() {
    let shop = World::open().await;
    let rule = Rule::Store(StoreId(21));
    let tx = shop.begin().await;
    let id = segments::create(&tx, &shop.act(), &shop.whole(), " 会员 ", &rule)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let tx = shop.begin().await;
    let again = segments::create(&tx, &shop.act(), &shop.whole(), "会员", &rule).await;
    assert!(matches!(again, Err(Error::Invalid(problems)) if problems[0].pointer == "/name"));
    drop(tx);

    let tx = shop.begin().await;
    segments::change(&tx, &shop.act(), &shop.whole(), id, Some("老会员"), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let found = segments::find(&shop.app.db, &shop.whole(), id).await.unwrap();
    assert_eq!(
        (found.name.as_str(), found.version, found.rule),
        ("老会员", 2, rule)
    );

    let store = shop.of_store(21);
    assert!(matches!(
        segments::find(&shop.app.db, &store, id).await,
        Err(Error::NotFound)
    ));
    assert!(
        segments::list(&shop.app.db, &store, &PageOf::first(10))
            .await
            .unwrap()
            .items
            .is_empty()
    );

    let tx = shop.begin().await;
    segments::delete(&tx, &shop.act(), &shop.whole(), id)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(
        segments::list(&shop.app.db, &shop.whole(), &PageOf::first(10))
            .await
            .unwrap()
            .items
            .is_empty()
    );
}
