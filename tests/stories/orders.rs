//! Orders: taken once, credited exactly, taken back from where they were credited.

use dianyu::error::Problem;
use dianyu::orders::{self, Buyer, NewLine, NewOrder, NewRefund, NewRefundLine, OrderFilter, RowResult};
use dianyu::page::PageOf;
use dianyu::time::{DAY_MS, HOUR_MS, Timestamp};

use crate::street::Street;
use crate::world::{CORPID, World, contact};

/// An order of one line, paid an hour ago in store 21 by nobody known.
pub fn order(order_no: &str, paid_fen: i64) -> NewOrder {
    NewOrder {
        order_no: order_no.into(),
        store_code: "S1".into(),
        channel: "mini_store".into(),
        paid_at: crate::world::start().plus_ms(-HOUR_MS),
        buyer: None,
        associate_userid: None,
        link_code: None,
        lines: vec![line("DRESS", paid_fen)],
        paid_fen,
    }
}

pub fn line(sku: &str, paid_fen: i64) -> NewLine {
    NewLine {
        sku: sku.into(),
        name: format!("货品 {sku}"),
        category: "dress".into(),
        quantity: 1,
        paid_fen,
        list_fen: paid_fen,
        associate_userid: None,
    }
}

pub fn by(order: NewOrder, contact: i64) -> NewOrder {
    NewOrder {
        buyer: Some(Buyer {
            contact_id: Some(contact.to_string()),
            ..Buyer::default()
        }),
        ..order
    }
}

pub fn refund(refund_no: &str, order_no: &str, refund_fen: i64) -> NewRefund {
    NewRefund {
        refund_no: refund_no.into(),
        order_no: order_no.into(),
        refunded_at: crate::world::start(),
        refund_fen,
        lines: vec![],
    }
}

pub async fn sell(shop: &World, order: &NewOrder) -> RowResult {
    orders::record_orders(&shop.app, &shop.act(), shop.corp, std::slice::from_ref(order))
        .await
        .unwrap()
        .remove(0)
}

pub async fn take_back(shop: &World, refund: &NewRefund) -> RowResult {
    orders::record_refunds(&shop.app, &shop.act(), shop.corp, std::slice::from_ref(refund))
        .await
        .unwrap()
        .remove(0)
}

/// A counted click of `contact` on link 900 of associate `associate` in `store`.
pub async fn click(shop: &World, token: &str, contact: i64, associate: i64, store: i64, at: Timestamp) {
    let day = at.day(chrono_tz::Asia::Shanghai);
    shop.run(
        "insert into link (corp_id, id, code, title, target, store_id, associate_id, created_by, created_at)
         values (1, 900, 'dress', '冬日连衣裙', '{}', 21, 31, 'system', 0) on conflict do nothing",
    )
    .await;
    shop.run(&format!(
        "insert into click (corp_id, id, link_id, token, visitor, contact_id, associate_id, store_id, at, day, kind)
         values (1, {}, 900, '{token}', 'v{contact}', {contact}, {associate}, {store}, {}, '{day}', 'person')",
        shop.app.ids.next(at),
        at.0
    ))
    .await;
    count_click(shop, store, associate, day).await;
}

async fn count_click(shop: &World, store: i64, associate: i64, day: dianyu::time::Day) {
    let tx = shop.begin().await;
    let click = dianyu::tally::Tally {
        store: Some(dianyu::ids::StoreId(store)),
        associate: Some(dianyu::ids::AssociateId(associate)),
        day,
        code: dianyu::tally::Code::Clicks,
        value: 1,
    };
    dianyu::tally::add(&tx, shop.corp, &[click]).await.unwrap();
    tx.commit().await.unwrap();
}

/// `source associate store paid refunded` of each credit.
async fn earned(shop: &World, order_no: &str) -> Vec<String> {
    let attribution = orders::attribution(&shop.app.db, &shop.whole(), order_no)
        .await
        .unwrap();
    attribution
        .credits
        .iter()
        .map(|credit| {
            let associate = credit.associate_id.map_or(0, |associate| associate.0);
            format!(
                "{} {associate} {} {} {}",
                credit.source, credit.store_id, credit.paid_fen.0, credit.refund_fen.0
            )
        })
        .collect()
}

async fn tallied(shop: &World, store: i64, code: &str) -> i64 {
    shop.number(&format!(
        "select coalesce(cast(sum(value) as bigint), 0) from store_day where store_id = {store} and code = '{code}'"
    ))
    .await
}

#[tokio::test]
async fn a_click_inside_the_window_earns_its_associate_the_order() {
    let shop = World::open().await;
    let paid_at = shop.now().plus_ms(-HOUR_MS);
    click(&shop, "t1", 101, 33, 22, paid_at.plus_ms(-DAY_MS)).await;
    assert_eq!(
        sell(&shop, &by(order("A1", 39_800), 101)).await,
        RowResult::Created
    );
    assert_eq!(earned(&shop, "A1").await, ["click 33 22 39800 0"]);
    assert_eq!(tallied(&shop, 21, "gmv").await, 39_800);
    assert_eq!(tallied(&shop, 21, "credited_gmv").await, 0);
    assert_eq!(tallied(&shop, 22, "credited_gmv").await, 39_800);
    assert_eq!(tallied(&shop, 22, "link_gmv").await, 39_800);
    let candidates = orders::attribution(&shop.app.db, &shop.whole(), "A1")
        .await
        .unwrap()
        .candidates;
    let verdicts: Vec<(&str, &str)> = candidates
        .iter()
        .map(|candidate| (candidate.source.as_str(), candidate.verdict.as_str()))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("click", "won"),
            ("home_store", "lower_rule"),
            ("default_store", "lower_rule")
        ]
    );
}

#[tokio::test]
async fn whoever_adds_a_customer_after_their_binding_ran_out_has_them_next() {
    let street = Street::open().await;
    let shop = &street.shop;
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "").unwrap();
    street.settle().await;
    street.after(150 * DAY_MS);
    street.sandbox.scan(CORPID, "wmZhou", "zhao", "").unwrap();
    street.settle().await;
    street.after(2 * DAY_MS);
    let contact = shop
        .number("select id from contact where external_userid = 'wmZhou'")
        .await;
    let sold = NewOrder {
        paid_at: shop.now(),
        ..by(order("A1", 100), contact)
    };
    sell(shop, &sold).await;
    assert_eq!(earned(shop, "A1").await, ["binding 33 22 100 0"]);
}

#[tokio::test]
async fn a_purchase_binds_the_buyer_to_who_earned_it() {
    let shop = World::open().await;
    let earlier = shop.now().plus_ms(-9 * DAY_MS);
    click(&shop, "t1", 101, 33, 22, earlier.plus_ms(-HOUR_MS)).await;
    let first = NewOrder {
        paid_at: earlier,
        ..by(order("A1", 100), 101)
    };
    sell(&shop, &first).await;
    sell(&shop, &by(order("A2", 200), 101)).await;
    assert_eq!(earned(&shop, "A2").await, ["binding 33 22 200 0"]);
    // Contact 105 does not follow zhao: nothing to bind.
    click(&shop, "t2", 105, 33, 22, earlier.plus_ms(-HOUR_MS)).await;
    sell(
        &shop,
        &NewOrder {
            paid_at: earlier,
            ..by(order("B1", 100), 105)
        },
    )
    .await;
    sell(&shop, &by(order("B2", 200), 105)).await;
    assert_eq!(earned(&shop, "B2").await, ["home_store 0 21 200 0"]);
}

#[tokio::test]
async fn the_checkouts_token_names_its_click() {
    let shop = World::open().await;
    let at = shop.now().plus_ms(-2 * HOUR_MS);
    click(&shop, "tok", 101, 31, 21, at).await;
    shop.run("update click set contact_id = null where token = 'tok'")
        .await;
    let sold = NewOrder {
        link_code: Some("tok".into()),
        ..by(order("A1", 100), 102)
    };
    sell(&shop, &sold).await;
    assert_eq!(earned(&shop, "A1").await, ["link 31 21 100 0"]);
    assert_eq!(
        shop.number("select contact_id from click where token = 'tok'")
            .await,
        102
    );
    // A code earns as well, and one that nobody knows stops nothing.
    let by_code = NewOrder {
        link_code: Some("dress".into()),
        ..order("A2", 100)
    };
    sell(&shop, &by_code).await;
    assert_eq!(earned(&shop, "A2").await, ["link 31 21 100 0"]);
    let unknown = NewOrder {
        link_code: Some("nobody".into()),
        ..order("A3", 100)
    };
    sell(&shop, &unknown).await;
    assert_eq!(earned(&shop, "A3").await, ["default_store 0 21 100 0"]);
}

#[tokio::test]
async fn a_refund_reverses_the_original_credit() {
    let shop = World::open().await;
    let mut sold = by(order("A1", 100), 101);
    sold.lines = vec![line("COAT", 60_000), line("SCARF", 20_000)];
    sold.paid_fen = 80_000;
    sold.lines[0].associate_userid = Some("LI".into());
    click(&shop, "t1", 101, 33, 22, shop.now().plus_ms(-DAY_MS)).await;
    sell(&shop, &sold).await;
    assert_eq!(
        earned(&shop, "A1").await,
        ["line 31 21 60000 0", "click 33 22 20000 0"]
    );

    let mut coat = refund("R1", "A1", 30_000);
    coat.lines = vec![NewRefundLine {
        sku: "COAT".into(),
        quantity: 1,
        refund_fen: 30_000,
    }];
    assert_eq!(take_back(&shop, &coat).await, RowResult::Created);
    assert_eq!(take_back(&shop, &coat).await, RowResult::Unchanged);
    assert_eq!(
        earned(&shop, "A1").await,
        ["line 31 21 60000 30000", "click 33 22 20000 0"]
    );
    // Not by line: pro rata to what is left, 30,000 and 20,000.
    take_back(&shop, &refund("R2", "A1", 5_001)).await;
    assert_eq!(
        earned(&shop, "A1").await,
        ["line 31 21 60000 33001", "click 33 22 20000 2000"]
    );
    assert_eq!(tallied(&shop, 21, "refund").await, 35_001);
    assert_eq!(tallied(&shop, 21, "credited_refund").await, 33_001);
    assert_eq!(tallied(&shop, 22, "link_refund").await, 2_000);
    // Smaller after all: the first version is taken back, then the second taken.
    assert_eq!(
        take_back(&shop, &refund("R2", "A1", 1_000)).await,
        RowResult::Updated
    );
    assert_eq!(tallied(&shop, 21, "refund").await, 31_000);
}

#[tokio::test]
async fn no_more_comes_back_than_was_paid() {
    let shop = World::open().await;
    sell(&shop, &order("A1", 100)).await;
    take_back(&shop, &refund("R1", "A1", 60)).await;
    let RowResult::Refused(problems) = take_back(&shop, &refund("R2", "A1", 41)).await else {
        panic!("it was taken");
    };
    assert_eq!(problems[0].pointer, "/0/refund_fen");
    let mut stranger = refund("R3", "A1", 10);
    stranger.lines = vec![NewRefundLine {
        sku: "HAT".into(),
        quantity: 1,
        refund_fen: 10,
    }];
    let RowResult::Refused(problems) = take_back(&shop, &stranger).await else {
        panic!("it was taken");
    };
    assert_eq!(problems[0].pointer, "/0/lines/0/sku");
    let RowResult::Refused(problems) = sell(&shop, &order("A1", 59)).await else {
        panic!("it was taken");
    };
    assert_eq!(problems[0].pointer, "/0/paid_fen");
    assert_eq!(tallied(&shop, 21, "gmv").await, 100);
    assert_eq!(tallied(&shop, 21, "refund").await, 60);
}

#[tokio::test]
async fn a_refund_waits_for_its_order() {
    let shop = World::open().await;
    assert_eq!(
        take_back(&shop, &refund("R1", "A1", 40)).await,
        RowResult::Created
    );
    assert_eq!(
        take_back(&shop, &refund("R2", "A1", 70)).await,
        RowResult::Created
    );
    assert_eq!(tallied(&shop, 21, "refund").await, 0);
    sell(&shop, &by(order("A1", 100), 101)).await;
    // R2 would take back more than is left; it goes on waiting.
    assert_eq!(tallied(&shop, 21, "refund").await, 40);
    let page = orders::refunds(
        &shop.app.db,
        &shop.whole(),
        &OrderFilter::default(),
        &PageOf::first(10),
    )
    .await
    .unwrap();
    let waiting: Vec<(&str, bool)> = page
        .items
        .iter()
        .map(|refund| (refund.refund_no.as_str(), refund.applied))
        .collect();
    assert_eq!(waiting, [("R2", false), ("R1", true)]);
    assert_eq!(
        shop.number("select count(*) from timeline where kind = 'refunded'")
            .await,
        1
    );
    // The order grows: now both fit.
    sell(&shop, &by(order("A1", 200), 101)).await;
    assert_eq!(tallied(&shop, 21, "refund").await, 110);
}

#[tokio::test]
async fn an_order_is_taken_once_and_replaced_whole() {
    let shop = World::open().await;
    let first = by(order("A1", 100), 101);
    assert_eq!(sell(&shop, &first).await, RowResult::Created);
    assert_eq!(sell(&shop, &first).await, RowResult::Unchanged);
    take_back(&shop, &refund("R1", "A1", 30)).await;
    let moved = NewOrder {
        store_code: "S2".into(),
        channel: "till".into(),
        ..by(order("A1", 250), 107)
    };
    assert_eq!(sell(&shop, &moved).await, RowResult::Updated);
    for code in [
        "gmv",
        "orders",
        "items",
        "list_price",
        "refund",
        "gmv_mini_store",
        "credited_orders",
    ] {
        assert_eq!(tallied(&shop, 21, code).await, 0, "{code}");
    }
    assert_eq!(tallied(&shop, 22, "gmv").await, 250);
    assert_eq!(tallied(&shop, 22, "refund").await, 30);
    assert_eq!(tallied(&shop, 22, "refund_mini_store").await, 0);
    assert_eq!(shop.number("select count(*) from sale").await, 1);
    assert_eq!(
        shop.number(
            "select count(*) from timeline where contact_id = 107 and kind in ('ordered', 'refunded')"
        )
        .await,
        2
    );
}

#[tokio::test]
async fn one_bad_row_stops_no_other() {
    let shop = World::open().await;
    let mut bad = order("", 100);
    bad.store_code = "S9".into();
    bad.channel = "web".into();
    bad.associate_userid = Some("nobody".into());
    bad.paid_at = shop.now().plus_ms(2 * DAY_MS);
    bad.buyer = Some(Buyer::default());
    let mut uneven = order("A2", 100);
    uneven.lines = vec![line("X", 60), line("Y", 30)];
    let mut negative = order("A3", 100);
    negative.lines.push(line("Y", -1));
    negative.lines[0].quantity = 0;
    let stranger = by(order("A4", 100), 999);
    let rows = vec![bad, uneven, negative, stranger, order("A5", 100)];
    let results = orders::record_orders(&shop.app, &shop.act(), shop.corp, &rows)
        .await
        .unwrap();
    let pointers: Vec<Vec<&str>> = results
        .iter()
        .map(|result| match result {
            RowResult::Refused(problems) => problems
                .iter()
                .map(|Problem { pointer, .. }| pointer.as_str())
                .collect(),
            _ => vec![],
        })
        .collect();
    assert_eq!(
        pointers,
        [
            vec![
                "/0/order_no",
                "/0/channel",
                "/0/paid_at",
                "/0/buyer",
                "/0/store_code",
                "/0/associate_userid"
            ],
            vec!["/1/paid_fen"],
            vec![
                "/2/lines/0/quantity",
                "/2/lines/1/paid_fen",
                "/2/lines/1/list_fen"
            ],
            vec!["/3/buyer/contact_id"],
            vec![],
        ]
    );
    assert_eq!(results[4], RowResult::Created);
    assert_eq!(shop.number("select count(*) from sale").await, 1);
    let too_many = vec![order("A", 1); orders::MAX_ROWS + 1];
    assert!(
        orders::record_orders(&shop.app, &shop.act(), shop.corp, &too_many)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_buyer_becomes_known_later_and_history_stays() {
    let shop = World::open().await;
    let bought = |order_no: &str, buyer: Buyer| NewOrder {
        buyer: Some(buyer),
        ..order(order_no, 100)
    };
    let unionid = Buyer {
        unionid: Some("union-new".into()),
        ..Buyer::default()
    };
    let phone = Buyer {
        phone: Some("+86 138 1234 5678".into()),
        ..Buyer::default()
    };
    sell(&shop, &bought("A1", unionid)).await;
    sell(&shop, &bought("A2", phone)).await;
    take_back(&shop, &refund("R1", "A1", 10)).await;
    assert_eq!(
        shop.number("select count(*) from sale where buyer_key like '%138%'")
            .await,
        0
    );
    let blind = shop.app.sealer.blind(shop.corp, "13812345678");
    shop.run(&format!(
        "insert into contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, phone_blind, created_at, updated_at)
         values (1, 120, 'wmNew', 'union-new', '新客', '', 1, 0, '{blind}', 0, 0)"
    ))
    .await;
    for adopted in [2, 0] {
        let tx = shop.begin().await;
        assert_eq!(
            orders::adopt(&tx, &shop.act(), shop.corp, contact(120))
                .await
                .unwrap(),
            adopted
        );
        tx.commit().await.unwrap();
    }
    assert_eq!(earned(&shop, "A1").await, ["default_store 0 21 100 10"]);
    assert_eq!(
        shop.number("select count(*) from credit where contact_id = 120")
            .await,
        2
    );
    assert_eq!(
        shop.number("select count(*) from timeline where contact_id = 120")
            .await,
        3
    );
}

#[tokio::test]
async fn each_sees_the_orders_of_their_scope() {
    let shop = World::open().await;
    click(&shop, "t1", 110, 31, 21, shop.now().plus_ms(-DAY_MS)).await;
    sell(&shop, &by(order("EARNED", 100), 110)).await;
    sell(&shop, &by(order("FOLLOWED", 200), 102)).await;
    let elsewhere = NewOrder {
        store_code: "S3".into(),
        ..by(order("ELSEWHERE", 300), 112)
    };
    sell(&shop, &elsewhere).await;
    take_back(&shop, &refund("R1", "FOLLOWED", 50)).await;
    let cases = [
        (shop.whole(), vec!["ELSEWHERE", "FOLLOWED", "EARNED"]),
        (shop.of_store(21), vec!["FOLLOWED", "EARNED"]),
        (shop.of_store(23), vec!["ELSEWHERE"]),
        (shop.of_associate(31), vec!["FOLLOWED", "EARNED"]),
        (shop.of_associate(35), vec!["ELSEWHERE"]),
        (shop.of_associate(32), vec![]),
    ];
    for (scope, expected) in cases {
        let mut seen = Vec::new();
        let mut page = PageOf::first(2);
        loop {
            let part = orders::list(&shop.app.db, &scope, &OrderFilter::default(), &page)
                .await
                .unwrap();
            seen.extend(
                part.items
                    .into_iter()
                    .map(|order| (order.order_no, order.lines.len())),
            );
            match part.next {
                Some(next) => page = PageOf::new(Some(2), Some(next)).unwrap(),
                None => break,
            }
        }
        let numbers: Vec<&str> = seen.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(numbers, expected, "{scope:?}");
        assert!(seen.iter().all(|(_, lines)| *lines == 1));
        for order_no in ["EARNED", "FOLLOWED", "ELSEWHERE"] {
            let found = orders::attribution(&shop.app.db, &scope, order_no).await.is_ok();
            assert_eq!(found, expected.contains(&order_no), "{order_no} for {scope:?}");
        }
    }
    let filter = OrderFilter {
        contact: Some(contact(102)),
        from: Some(shop.now().day(chrono_tz::Asia::Shanghai)),
        ..OrderFilter::default()
    };
    let found = orders::list(&shop.app.db, &shop.whole(), &filter, &PageOf::first(5))
        .await
        .unwrap();
    assert_eq!(found.items[0].refund_fen.0, 50);
    assert!(
        orders::refunds(&shop.app.db, &shop.of_store(23), &filter, &PageOf::first(5))
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn products_are_kept_by_sku() {
    let shop = World::open().await;
    let product = |sku: &str, price_fen: i64| orders::NewProduct {
        sku: sku.into(),
        name: "羊绒 Coat".into(),
        category: "coat".into(),
        price_fen,
        page: String::new(),
        status: None,
    };
    let put = async |rows: &[orders::NewProduct]| {
        orders::record_products(&shop.app, &shop.act(), &shop.whole(), rows)
            .await
            .unwrap()
    };
    assert_eq!(
        put(&[product("C1", 1), product("C1", 1), product("C1", 2)]).await,
        [RowResult::Created, RowResult::Unchanged, RowResult::Updated]
    );
    assert!(matches!(
        put(&[product("C2", -1)]).await[0],
        RowResult::Refused(_)
    ));
    let found = orders::products(&shop.app.db, &shop.whole(), Some("coat"), &PageOf::first(5))
        .await
        .unwrap();
    assert_eq!((found.items.len(), found.items[0].price_fen.0), (1, 2));
    let refused =
        orders::record_products(&shop.app, &shop.act(), &shop.of_store(21), &[product("C3", 1)]).await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_comes_side_by_side_counts_once() {
    let shop = World::open().await;
    for round in 0..6 {
        let order_no = format!("A{round}");
        let sold = by(order(&order_no, 1_000), 101);
        let changed = by(order(&order_no, 2_000), 102);
        let back = refund(&format!("R{round}"), &order_no, 300);
        let (first, second, third, fourth) = tokio::join!(
            sell(&shop, &sold),
            take_back(&shop, &back),
            sell(&shop, &sold),
            take_back(&shop, &back),
        );
        let mut orders = [first, third];
        orders.sort_by_key(|result| *result != RowResult::Created);
        assert_eq!(orders, [RowResult::Created, RowResult::Unchanged]);
        let mut refunds = [second, fourth];
        refunds.sort_by_key(|result| *result != RowResult::Created);
        assert_eq!(refunds, [RowResult::Created, RowResult::Unchanged]);
        tokio::join!(sell(&shop, &changed), sell(&shop, &sold), take_back(&shop, &back));
    }
    assert_eq!(
        shop.number("select count(*) from refund where order_id is null")
            .await,
        0
    );
    assert_eq!(tallied(&shop, 21, "orders").await, 6);
    assert_eq!(tallied(&shop, 21, "refund").await, 1_800);
    let (from, to) = (
        dianyu::time::Day::parse("2026-11-01"),
        dianyu::time::Day::parse("2026-11-30"),
    );
    let snapshot = shop.app.db.snapshot().await.unwrap();
    let differences = dianyu::metrics::differences(&snapshot, shop.corp, from.unwrap(), to.unwrap()).await;
    assert!(differences.unwrap().is_empty());
}
