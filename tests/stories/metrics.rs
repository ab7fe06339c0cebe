//! Figures: they add up, equal their recount after any history, and the past does not move.

use dianyu::db::{self, Backend, Conn as _, Tx};
use dianyu::error::Error;
use dianyu::ids::{AssociateId, RegionId, StoreId};
use dianyu::metrics::{self, Figure, Lang, Report, Span, Subject};
use dianyu::money::Fen;
use dianyu::orders::{NewOrder, NewRefundLine};
use dianyu::scope::{Reach, Scope};
use dianyu::tally::{self, Code, Tally};
use dianyu::time::{DAY_MS, Day, HOUR_MS, Timestamp};

use crate::orders::{by, click, line, order, refund, sell, take_back};
use crate::world::World;

const SHANGHAI: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// 17 to 23 November against the seven days before.
fn week() -> Span {
    Span::previous(day("2026-11-17"), day("2026-11-23"))
}

async fn report(shop: &World, store: i64) -> Report {
    metrics::store_report(&shop.app.db, &shop.whole(), StoreId(store), week())
        .await
        .unwrap()
}

fn numbers(figure: &Figure) -> (Option<i64>, Option<i64>, Option<i64>, Option<i64>) {
    (
        figure.numerator,
        figure.denominator,
        figure.previous_numerator,
        figure.previous_denominator,
    )
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

async fn count_one(shop: &World, store: i64, associate: i64, day: Day, code: Code, value: i64) {
    let tx = shop.begin().await;
    let tally = Tally {
        store: Some(StoreId(store)),
        associate: Some(AssociateId(associate)),
        day,
        code,
        value,
    };
    tally::add(&tx, shop.corp, &[tally]).await.unwrap();
    tx.commit().await.unwrap();
}

/// A contact leaves an associate, or is removed: what the mirror does, in its words.
async fn end_follow(shop: &World, contact: i64, associate: i64, cause: &str) {
    let (now, today) = (shop.now(), shop.now().day(SHANGHAI));
    let open = format!(
        "from follow_period where contact_id = {contact} and associate_id = {associate} and until_at is null"
    );
    let store = shop
        .number(&format!("select coalesce(max(store_id), 0) {open}"))
        .await;
    if store == 0 {
        return;
    }
    shop.run(&format!(
        "update follow_period set until_at = {}, until_day = '{today}', until_cause = '{cause}'
         where contact_id = {contact} and associate_id = {associate} and until_at is null",
        now.0
    ))
    .await;
    shop.run(&format!(
        "update follow set state = 'lost' where contact_id = {contact} and associate_id = {associate}"
    ))
    .await;
    let code = match cause {
        "contact" => Code::LostRelations,
        "associate" => Code::StaffRemoved,
        _ => return,
    };
    count_one(shop, store, associate, today, code, 1).await;
}

async fn begin_follow(shop: &World, contact: i64, associate: i64, cause: &str) {
    let store = shop
        .number(&format!("select store_id from associate where id = {associate}"))
        .await;
    let open = shop
        .number(&format!(
            "select count(*) from follow_period where contact_id = {contact} and associate_id = {associate} and until_at is null"
        ))
        .await;
    if open > 0 {
        return;
    }
    let (now, today) = (shop.now(), shop.now().day(SHANGHAI));
    shop.run(&format!(
        "insert into contact (corp_id, id, external_userid, name, avatar, kind, gender, created_at, updated_at)
         values (1, {contact}, 'wmSim{contact}', '客户{contact}', '', 1, 2, 0, 0) on conflict do nothing"
    ))
    .await;
    shop.run(&format!(
        "insert into follow_period (corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause)
         values (1, {}, {contact}, {associate}, {store}, {}, '{today}', '{cause}')",
        shop.app.ids.next(now),
        now.0
    ))
    .await;
    shop.run(&format!(
        "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, tags, added_at, added_day, seen_at)
         values (1, {}, {contact}, {associate}, {store}, 'active', '', '', 1, '', ' ', {}, '{today}', 0)
         on conflict (corp_id, contact_id, associate_id, alias) do update set state = 'active', store_id = excluded.store_id",
        shop.app.ids.next(now),
        now.0
    ))
    .await;
    if cause != "moved" {
        count_one(shop, store, associate, today, Code::NewRelations, 1).await;
    }
}

/// An associate goes to another store, with the people who follow them.
async fn move_associate(shop: &World, associate: i64, store: i64) {
    let now = shop.now();
    let here = shop
        .number(&format!("select store_id from associate where id = {associate}"))
        .await;
    if here == store {
        return;
    }
    let contacts: Vec<i64> = db::scalars(
        &shop.app.db,
        "select contact_id from follow_period where associate_id = $1 and until_at is null",
        vec![associate.into()],
    )
    .await
    .unwrap();
    for contact in &contacts {
        end_follow(shop, *contact, associate, "moved").await;
    }
    shop.run(&format!(
        "update store_membership set until_at = {} where associate_id = {associate} and until_at is null",
        now.0
    ))
    .await;
    shop.run(&format!(
        "insert into store_membership (corp_id, associate_id, from_at, store_id) values (1, {associate}, {}, {store})",
        now.0
    ))
    .await;
    shop.run(&format!(
        "update associate set store_id = {store} where id = {associate}"
    ))
    .await;
    for contact in contacts {
        begin_follow(shop, contact, associate, "moved").await;
    }
}

async fn deliver(shop: &World, campaign: i64, contact: i64, associate: i64, store: i64) {
    let (now, today) = (shop.now(), shop.now().day(SHANGHAI));
    shop.run(&format!(
        "insert into delivery (corp_id, campaign_id, contact_id, associate_id, store_id, state, sent_at, sent_day, updated_at)
         values (1, {campaign}, {contact}, {associate}, {store}, 'sent', {}, '{today}', {})",
        now.0, now.0
    ))
    .await;
    count_one(shop, store, associate, today, Code::Delivered, 1).await;
}

#[tokio::test]
async fn a_report_holds_what_was_sold_and_why_it_changed() {
    let shop = World::open().await;
    // The week before: 2 orders at the till of 1,000 each, one of 500 in the mini-store.
    let before = at("2026-11-12T12:00:00+08:00");
    for number in ["P1", "P2"] {
        let sold = NewOrder {
            paid_at: before,
            channel: "till".into(),
            associate_userid: Some("wu".into()),
            ..order(number, 100_000)
        };
        sell(&shop, &sold).await;
    }
    sell(
        &shop,
        &NewOrder {
            paid_at: before,
            ..order("P3", 50_000)
        },
    )
    .await;
    // This week: 3 at the till of 1,200, one of 800 by a link, and one of 300 without; 100 comes back.
    let paid_at = at("2026-11-21T19:30:00+08:00");
    for number in ["N1", "N2", "N3"] {
        let sold = NewOrder {
            paid_at,
            channel: "till".into(),
            ..order(number, 120_000)
        };
        sell(&shop, &sold).await;
    }
    deliver(&shop, 500, 101, 31, 21).await;
    deliver(&shop, 500, 102, 31, 21).await;
    deliver(&shop, 500, 105, 32, 21).await;
    click(&shop, "t1", 101, 31, 21, at("2026-11-21T09:00:00+08:00")).await;
    click(&shop, "t2", 102, 31, 21, at("2026-11-21T09:00:00+08:00")).await;
    sell(
        &shop,
        &NewOrder {
            paid_at,
            ..by(order("N4", 80_000), 101)
        },
    )
    .await;
    sell(
        &shop,
        &NewOrder {
            paid_at,
            ..order("N5", 30_000)
        },
    )
    .await;
    take_back(&shop, &refund("R1", "N4", 10_000)).await;
    shop.run(
        "insert into target (corp_id, store_id, month, net_sales_fen) values (1, 21, '2026-11', 1420000)",
    )
    .await;

    let report = report(&shop, 21).await;
    let shown = |code: &str| numbers(report.figure(code).unwrap());
    assert_eq!(shown("net_sales"), (Some(460_000), None, Some(250_000), None));
    assert_eq!(shown("atv"), (Some(460_000), Some(5), Some(250_000), Some(3)));
    assert_eq!(
        shown("online_share"),
        (Some(100_000), Some(460_000), Some(50_000), Some(250_000))
    );
    assert_eq!(shown("pd_share").0, Some(70_000));
    assert_eq!(shown("link_net_sales").0, Some(70_000));
    assert_eq!(shown("buyers").0, Some(1));
    assert_eq!(
        shown("goal"),
        (Some(710_000), Some(1_420_000), Some(250_000), Some(1_420_000))
    );
    assert_eq!(shown("end_contacts").0, Some(6));
    assert_eq!(shown("task_done").1, Some(0));
    assert_eq!(report.figure("task_done").unwrap().value(), None);
    let why: Vec<(&str, i64)> = report
        .why
        .iter()
        .map(|part| (part.code.as_str(), part.change_fen.0))
        .collect();
    assert_eq!(
        why,
        [
            ("store_link", 80_000),
            ("till_price", 60_000),
            ("till_visits", 100_000),
            ("mini_store_other", -20_000),
            ("refunds", -10_000)
        ]
    );
    assert_eq!(report.why[0].note.as_deref(), Some("冬日连衣裙"));
    assert_eq!(why.iter().map(|(_, fen)| fen).sum::<i64>(), 460_000 - 250_000);
    let funnel: Vec<i64> = report.funnel.iter().map(|(_, people)| *people).collect();
    assert_eq!(funnel, [3, 2, 1]);
    assert_eq!(report.hours[5][19], 5);
    assert_eq!(report.days.len(), 7);
    assert_eq!(report.days[4].net_sales_fen, Fen(470_000));
    assert_eq!(report.days[6].net_sales_fen, Fen(-10_000));
    let board: Vec<(&str, i64, i64)> = report
        .associates
        .iter()
        .map(|row| {
            (
                row.name.as_str(),
                row.net_sales_fen.0,
                row.previous_net_sales_fen.0,
            )
        })
        .collect();
    assert_eq!(board, [("李晓雯", 70_000, 0), ("吴桐", 0, 200_000)]);
    assert_eq!((report.online_fen, report.till_fen), (Fen(100_000), Fen(360_000)));
    let (text, _) = metrics::sentences(&report, day("2026-11-23"), Lang::Zh);
    assert!(
        text.starts_with("11 月 17 日 – 23 日卖了 4,600 元，比前 7 天多 2,100 元。"),
        "{text}"
    );
}

#[tokio::test]
async fn each_role_reads_the_figures_of_its_scope() {
    let shop = World::open().await;
    sell(&shop, &by(order("A1", 100), 101)).await;
    let db = &shop.app.db;
    for scope in [shop.of_associate(31), shop.of_store(22)] {
        let refused = metrics::store_report(db, &scope, StoreId(21), week()).await;
        assert!(matches!(refused, Err(Error::NotFound)));
        let codes = ["net_sales".to_owned()];
        for subject in [
            Subject::Corp,
            Subject::Region(RegionId(11)),
            Subject::Store(StoreId(21)),
        ] {
            let refused = metrics::figures(db, &scope, subject, &codes, week()).await;
            assert!(matches!(refused, Err(Error::NotFound)), "{scope:?} {subject:?}");
        }
    }
    assert!(matches!(
        metrics::overview(db, &shop.of_associate(31), week()).await,
        Err(Error::NotFound)
    ));
    assert!(
        metrics::own_results(db, &shop.of_associate(31), AssociateId(31), week())
            .await
            .is_ok()
    );
    assert!(
        metrics::own_results(db, &shop.of_store(21), AssociateId(31), week())
            .await
            .is_ok()
    );
    assert!(
        metrics::own_results(db, &shop.of_associate(31), AssociateId(32), week())
            .await
            .is_err()
    );
    assert!(
        metrics::own_results(db, &shop.of_store(22), AssociateId(31), week())
            .await
            .is_err()
    );
    let east = Scope {
        corp: shop.corp,
        reach: Reach::Stores(vec![StoreId(21), StoreId(22)]),
    };
    let seen = metrics::overview(db, &east, week()).await.unwrap();
    assert_eq!((seen.stores, seen.regions.len(), seen.by_store.len()), (2, 1, 2));
    assert_eq!(seen.figures[0].numerator, Some(100));
    let unknown = metrics::figures(db, &shop.whole(), Subject::Corp, &["beauty".to_owned()], week()).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn an_associate_sees_their_place_and_whom_to_greet() {
    let shop = World::open().await;
    for (number, associate, fen) in [("A1", "li", 300), ("A2", "wu", 500), ("A3", "wu", 100)] {
        let sold = NewOrder {
            associate_userid: Some(associate.into()),
            ..order(number, fen)
        };
        sell(&shop, &sold).await;
    }
    let own = metrics::own_results(&shop.app.db, &shop.of_associate(31), AssociateId(31), week())
        .await
        .unwrap();
    assert_eq!((own.rank, own.of, own.contacts), (Some(2), 2, 4));
    assert_eq!(
        (own.net_sales.numerator, own.orders.numerator),
        (Some(300), Some(1))
    );
    assert_eq!(own.days[6].net_sales_fen, Fen(300));

    shop.run("update contact set birthday = '11-25' where id = 104")
        .await;
    click(&shop, "t1", 102, 31, 21, shop.now().plus_ms(-HOUR_MS)).await;
    // What somebody opened of a colleague's is the colleague's to speak of.
    click(&shop, "t2", 101, 33, 22, shop.now().plus_ms(-HOUR_MS)).await;
    for (number, days) in [("Q1", 100), ("Q2", 90)] {
        let sold = NewOrder {
            paid_at: shop.now().plus_ms(-days * DAY_MS),
            ..by(order(number, 100), 103)
        };
        sell(&shop, &sold).await;
    }
    begin_follow(&shop, 130, 31, "scan").await;
    let greetings = metrics::greetings(
        &shop.app.db,
        &shop.of_associate(31),
        AssociateId(31),
        day("2026-11-23"),
        10,
    )
    .await
    .unwrap();
    let said: Vec<(i64, &str, i64, Option<&str>)> = greetings
        .iter()
        .map(|one| {
            (
                one.contact_id.0,
                one.reason.as_str(),
                one.number,
                one.about.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (104, "birthday", 2, None),
            (102, "clicked_not_bought", 1, Some("冬日连衣裙")),
            (103, "quiet", 90, None),
            (130, "new", 0, None)
        ]
    );
}

#[tokio::test]
async fn an_empty_store_says_so() {
    let shop = World::open().await;
    let report = report(&shop, 23).await;
    assert_eq!(report.figure("atv").unwrap().value(), None);
    assert_eq!(report.figure("net_sales").unwrap().value(), Some(0.0));
    let (text, watch) = metrics::sentences(&report, day("2026-11-23"), Lang::Zh);
    assert_eq!((text.as_str(), watch), ("11 月 17 日 – 23 日还没有成交。", None));
    let overview = metrics::overview(&shop.app.db, &shop.whole(), week())
        .await
        .unwrap();
    let (text, watch) = metrics::overview_sentences(&overview, day("2026-11-23"), Lang::En);
    assert_eq!((text.as_str(), watch), ("Nothing was sold on 17–23 Nov.", None));
}

/// The same numbers for the same seed, wherever it runs.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides as u64) as i64
    }
}

/// One thing that may happen in a chain, and rows that come late, twice or changed.
async fn happen(shop: &World, dice: &mut Dice, step: i64) {
    shop.app.clock.advance(dice.roll(7 * HOUR_MS));
    let contact = 101 + dice.roll(16);
    let associate = 31 + dice.roll(5);
    let paid_at = shop.now().plus_ms(-dice.roll(4 * DAY_MS));
    match dice.roll(12) {
        0..=3 => {
            let number = format!("A{}", dice.roll(9));
            let fen = dice.roll(5) * 3_333;
            let mut sold = NewOrder {
                paid_at,
                store_code: format!("S{}", 1 + dice.roll(3)),
                channel: ["mini_store", "till"][dice.roll(2) as usize].into(),
                lines: vec![line("DRESS", fen), line("COAT", 7_001), line("DRESS", 11)],
                paid_fen: fen + 7_012,
                ..order(&number, 0)
            };
            if contact <= 112 {
                sold = by(sold, contact);
            }
            if dice.roll(3) == 0 {
                sold.lines[1].associate_userid = Some("li".into());
                sold.lines[2].associate_userid = Some("qian".into());
            }
            sell(shop, &sold).await;
            if dice.roll(3) == 0 {
                sell(shop, &sold).await;
            }
        }
        4..=6 => {
            let mut back = refund(
                &format!("R{}", dice.roll(8)),
                &format!("A{}", dice.roll(9)),
                1 + dice.roll(4_000),
            );
            back.refunded_at = paid_at;
            if dice.roll(2) == 0 {
                back.lines = vec![NewRefundLine {
                    sku: "DRESS".into(),
                    quantity: 1,
                    refund_fen: back.refund_fen,
                }];
            }
            take_back(shop, &back).await;
        }
        7 => {
            let store = shop
                .number(&format!("select store_id from associate where id = {associate}"))
                .await;
            click(shop, &format!("t{step}"), contact, associate, store, shop.now()).await;
        }
        8 => {
            end_follow(
                shop,
                contact,
                associate,
                ["contact", "associate"][dice.roll(2) as usize],
            )
            .await
        }
        // Only somebody known can be handed over.
        9 if contact <= 112 => {
            begin_follow(
                shop,
                contact,
                associate,
                ["scan", "transfer"][dice.roll(2) as usize],
            )
            .await;
        }
        9 => begin_follow(shop, contact, associate, "scan").await,
        10 => {
            let store = shop
                .number(&format!("select store_id from associate where id = {associate}"))
                .await;
            deliver(shop, 1_000 + step, contact, associate, store).await;
        }
        _ => move_associate(shop, associate, 21 + dice.roll(3)).await,
    }
}

async fn history(seed: u64, steps: i64) -> World {
    let shop = World::open().await;
    let mut dice = Dice(seed);
    for step in 0..steps {
        happen(&shop, &mut dice, step).await;
    }
    shop
}

/// Fails unless every stored figure equals its recount; any story may end with it.
pub async fn agree(shop: &World) {
    let (from, to) = far();
    let differences = differences(shop, from, to).await;
    assert!(differences.is_empty(), "{differences:#?}");
}

async fn differences(shop: &World, from: Day, to: Day) -> Vec<String> {
    let snapshot = shop.app.db.snapshot().await.unwrap();
    metrics::differences(&snapshot, shop.corp, from, to)
        .await
        .unwrap()
}

/// From after the world was furnished: its first follows are rows without figures.
fn far() -> (Day, Day) {
    (day("2026-11-01"), day("2026-12-31"))
}

#[tokio::test]
async fn figures_equal_their_recount_after_any_history() {
    let (from, to) = far();
    for seed in 0..32 {
        let shop = history(seed, 40).await;
        let differences = differences(&shop, from, to).await;
        assert!(differences.is_empty(), "seed {seed}: {differences:#?}");
        // Every order's credits are what was paid, every refund's shares what came back, no part below nothing.
        for (what, sql) in [
            (
                "credits",
                "select count(*) from sale s where s.paid_fen <> (select coalesce(cast(sum(c.paid_fen) as bigint), -1)
                   from credit c where c.corp_id = s.corp_id and c.order_id = s.id)",
            ),
            (
                "shares",
                "select count(*) from refund r where r.order_id is not null and r.refund_fen <>
                   (select coalesce(cast(sum(a.refund_fen) as bigint), -1) from adjustment a
                    where a.corp_id = r.corp_id and a.refund_id = r.id)",
            ),
            (
                "parts",
                "select count(*) from credit c where c.paid_fen < (select coalesce(cast(sum(a.refund_fen) as bigint), 0)
                   from adjustment a where a.corp_id = c.corp_id and a.order_id = c.order_id and a.part = c.part)",
            ),
        ] {
            assert_eq!(shop.number(sql).await, 0, "seed {seed}: {what}");
        }
    }
}

#[tokio::test]
async fn a_recompute_mends_what_was_spoilt() {
    let shop = history(7, 60).await;
    let (from, to) = far();
    shop.run("update store_day set value = value + 1 where code = 'gmv'")
        .await;
    shop.run("delete from associate_day").await;
    let spoilt = differences(&shop, from, to).await;
    assert!(!spoilt.is_empty());
    let tx = shop.begin().await;
    assert_eq!(
        metrics::recompute(&tx, shop.corp, from, to).await.unwrap(),
        spoilt
    );
    tx.commit().await.unwrap();
    agree(&shop).await;
}

/// Waits until somebody waits for what a transaction holds. SQLite's second writer waits at its first step.
async fn somebody_waits_for(shop: &World, tx: &Tx) {
    if shop.app.db.backend() == Backend::Sqlite {
        return;
    }
    let pid: i64 = db::scalar(tx, "select cast(pg_backend_pid() as bigint)", vec![])
        .await
        .unwrap()
        .unwrap();
    let waiting = format!("select count(*) from pg_stat_activity where {pid} = any(pg_blocking_pids(pid))");
    while shop.number(&waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_order_taken_while_figures_are_recounted_is_not_lost() {
    let shop = World::open().await;
    sell(&shop, &order("A1", 100)).await;
    shop.run("update store_day set value = value + 1 where code = 'gmv'")
        .await;
    let (from, to) = far();
    let selling = shop.begin().await;
    let today = shop.now().day(SHANGHAI);
    let sold = format!(
        "insert into sale (corp_id, id, order_no, store_id, channel, paid_at, day, hour, paid_fen, list_fen, items,
           body_hash, created_at)
         select corp_id, id + 1, 'A2', store_id, 'till', paid_at, '{today}', hour, 300, 300, 0, '', created_at from sale"
    );
    db::run(&selling, &sold, vec![]).await.unwrap();
    let tally = |(code, value)| Tally {
        store: Some(StoreId(21)),
        associate: None,
        day: today,
        code,
        value,
    };
    let tallies = [(Code::Gmv, 300), (Code::Orders, 1)].map(tally);
    tally::add(&selling, shop.corp, &tallies).await.unwrap();
    let (db, corp) = (shop.app.db.clone(), shop.corp);
    let recount = tokio::spawn(async move {
        let tx = db.begin().await.unwrap();
        metrics::recompute(&tx, corp, from, to).await.unwrap();
        tx.commit().await.unwrap();
    });
    somebody_waits_for(&shop, &selling).await;
    selling.commit().await.unwrap();
    recount.await.unwrap();
    agree(&shop).await;
    assert_eq!(
        shop.number("select value from store_day where store_id = 21 and code = 'gmv'")
            .await,
        400
    );
}

#[tokio::test]
async fn a_check_reads_one_moment_whatever_is_sold_meanwhile() {
    let shop = World::open().await;
    sell(&shop, &order("A1", 100)).await;
    let (from, to) = far();
    let snapshot = shop.app.db.snapshot().await.unwrap();
    let sales = async || {
        db::count(&snapshot, "select count(*) from sale", vec![])
            .await
            .unwrap()
    };
    assert_eq!(sales().await, 1);
    sell(&shop, &order("A2", 300)).await;
    assert_eq!(sales().await, 1);
    assert!(
        metrics::differences(&snapshot, shop.corp, from, to)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_day_of_many_is_the_day_alone_for_every_figure_and_scope() {
    let codes: Vec<String> = metrics::definitions::all()
        .iter()
        .map(|definition| definition.code.to_owned())
        .collect();
    for seed in 200..204 {
        let shop = history(seed, 60).await;
        shop.run(
            "insert into target (corp_id, store_id, month, net_sales_fen) values
             (1, 21, '2026-11', 1420000), (1, 22, '2026-11', 10), (1, 23, '2026-12', 70)",
        )
        .await;
        let (from, to) = (day("2026-11-18"), shop.now().day(SHANGHAI).plus(1));
        for subject in SUBJECTS {
            let days = metrics::figures_by_day(&shop.app.db, &shop.whole(), subject, &codes, from, to)
                .await
                .unwrap();
            assert_eq!(days.len() as i64, to.since(from) + 1);
            for (day, by_day) in days {
                let span = Span::previous(day, day);
                let alone = metrics::figures(&shop.app.db, &shop.whole(), subject, &codes, span)
                    .await
                    .unwrap();
                for (of_many, alone) in by_day.iter().zip(&alone) {
                    assert_eq!(
                        (of_many.numerator, of_many.denominator),
                        (alone.numerator, alone.denominator),
                        "seed {seed}: {subject:?} {day} {}",
                        alone.code
                    );
                }
            }
        }
    }
}

const SUBJECTS: [Subject; 6] = [
    Subject::Corp,
    Subject::Region(RegionId(11)),
    Subject::Region(RegionId(12)),
    Subject::Store(StoreId(21)),
    Subject::Store(StoreId(22)),
    Subject::Store(StoreId(23)),
];

const PEOPLE: [&str; 7] = [
    "start_contacts",
    "new_contacts",
    "moved_in",
    "returned",
    "lost_contacts",
    "moved_out",
    "end_contacts",
];

#[tokio::test]
async fn contacts_come_and_go_without_a_gap_in_every_scope_on_every_day() {
    let codes: Vec<String> = PEOPLE.iter().map(|code| (*code).to_owned()).collect();
    for seed in 100..108 {
        let shop = history(seed, 60).await;
        let (from, to) = (day("2026-11-22"), shop.now().day(SHANGHAI));
        for subject in SUBJECTS {
            let days = metrics::figures_by_day(&shop.app.db, &shop.whole(), subject, &codes, from, to)
                .await
                .unwrap();
            let span = Span::previous(from, to);
            let whole = metrics::figures(&shop.app.db, &shop.whole(), subject, &codes, span)
                .await
                .unwrap();
            let mut end_before = None;
            for (day, figures) in days
                .iter()
                .map(|(day, figures)| (Some(*day), figures))
                .chain([(None, &whole)])
            {
                let count = |index: usize| figures[index].numerator.unwrap();
                let [start, new, moved_in, returned, lost, moved_out, end] = [0, 1, 2, 3, 4, 5, 6].map(count);
                assert_eq!(
                    end,
                    start + new + moved_in + returned - lost - moved_out,
                    "{seed} {subject:?} {day:?}"
                );
                if day.is_some() {
                    assert!(
                        end_before.is_none_or(|before| before == start),
                        "{seed} {subject:?} {day:?}"
                    );
                    end_before = Some(end);
                }
                if subject == Subject::Corp {
                    assert_eq!(
                        moved_in, 0,
                        "{seed} {day:?}: a move within the corp brings nobody"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn associates_add_up_to_stores_stores_to_regions_and_regions_to_the_corp() {
    for seed in [9, 19, 29, 39] {
        adds_up(&history(seed, 80).await).await;
    }
}

async fn adds_up(shop: &World) {
    // What is always somebody's: the store has no part of it that none of its associates has.
    let owned =
        "('new_relations', 'lost_relations', 'staff_removed', 'delivered', 'not_delivered', 'batches_due',
        'batches_confirmed', 'moments_due', 'moments_published', 'clicks')";
    let apart = format!(
        "select count(*) from store_day s where s.code in {owned} and s.value <>
           (select coalesce(cast(sum(a.value) as bigint), 0) from associate_day a
            where a.corp_id = s.corp_id and a.store_id = s.store_id and a.day = s.day and a.code = s.code)"
    );
    assert_eq!(shop.number(&apart).await, 0);
    // Credits are net sales, day by day: each order's to somebody, each refund's from whom it was.
    let net = |sold: &str, back: &str| {
        format!("sum(case code when '{sold}' then value when '{back}' then -value else 0 end)")
    };
    let apart = format!(
        "select count(*) from (select day from store_day group by day having {} <> {}) apart",
        net("gmv", "refund"),
        net("credited_gmv", "credited_refund")
    );
    assert_eq!(shop.number(&apart).await, 0);
    let (from, to) = (day("2026-11-10"), shop.now().day(SHANGHAI));
    let codes: Vec<String> = metrics::definitions::all()
        .iter()
        .filter(|definition| definition.adds_up)
        .map(|definition| definition.code.to_owned())
        .collect();
    let figures = async |subject| {
        let span = Span::previous(from, to);
        let figures = metrics::figures(&shop.app.db, &shop.whole(), subject, &codes, span)
            .await
            .unwrap();
        figures
            .iter()
            .map(|figure| figure.numerator.unwrap())
            .collect::<Vec<i64>>()
    };
    let sum = |all: &[Vec<i64>]| {
        (0..codes.len())
            .map(|at| all.iter().map(|one| one[at]).sum())
            .collect::<Vec<i64>>()
    };
    let mut stores = Vec::new();
    for store in [21, 22, 23] {
        stores.push(figures(Subject::Store(StoreId(store))).await);
    }
    let east = figures(Subject::Region(RegionId(11))).await;
    assert_eq!(sum(&stores[..2]), east);
    let corp = figures(Subject::Corp).await;
    assert_eq!(sum(&[east, stores[2].clone()]), corp);
    let days = metrics::figures_by_day(&shop.app.db, &shop.whole(), Subject::Corp, &codes, from, to)
        .await
        .unwrap();
    let by_day: Vec<Vec<i64>> = days
        .iter()
        .map(|(_, figures)| figures.iter().map(|figure| figure.numerator.unwrap()).collect())
        .collect();
    assert_eq!(sum(&by_day), corp);
    assert!(
        corp.iter().any(|figure| *figure != 0),
        "the history sold something"
    );
    // The parts of why are the whole change, whatever was sold.
    for store in [21, 22, 23] {
        for back in [1, 3, 7] {
            let span = Span::previous(to.plus(-back), to);
            let report = metrics::store_report(&shop.app.db, &shop.whole(), StoreId(store), span)
                .await
                .unwrap();
            let net = report.figure("net_sales").unwrap();
            let parts: i64 = report.why.iter().map(|part| part.change_fen.0).sum();
            assert_eq!(parts, net.numerator.unwrap() - net.previous_numerator.unwrap());
        }
    }
}

#[tokio::test]
async fn moving_an_associate_changes_no_figure_of_the_past() {
    for seed in [11, 12, 13] {
        the_past_stands(&history(seed, 60).await).await;
    }
}

async fn the_past_stands(shop: &World) {
    shop.app.clock.advance(2 * DAY_MS);
    let (from, to) = (day("2026-11-15"), shop.now().day(SHANGHAI).plus(-1));
    let codes: Vec<String> = metrics::definitions::all()
        .iter()
        .map(|definition| definition.code.to_owned())
        .collect();
    let past = async || {
        let mut all = Vec::new();
        for subject in SUBJECTS {
            all.push(
                metrics::figures_by_day(&shop.app.db, &shop.whole(), subject, &codes, from, to)
                    .await
                    .unwrap(),
            );
        }
        all
    };
    let before = past().await;
    for (associate, store) in [(31, 23), (33, 21), (35, 22)] {
        move_associate(shop, associate, store).await;
    }
    assert_eq!(past().await, before);
    agree(shop).await;
}
