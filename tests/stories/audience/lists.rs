//! The contact list among many: whichever way its people are found, it shows what the database says.

use std::time::Duration;

use dianyu::auth::Role;
use dianyu::contacts::{self, ContactFilter, ContactRow};
use dianyu::ids::{AssociateId, ContactId, StoreId, TagId};
use dianyu::page::{Page, PageOf};
use dianyu::scope::{Reach, Scope};
use dianyu::segments::browse::{self, Ways};
use dianyu::segments::index;
use dianyu::time::{Day, HOUR_MS, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::acts::{self, Stage};
use super::{build, crowd};
use crate::street::Street;
use crate::visitor::Visitor;
use crate::world::{CORPID, World, ZONE};

fn any_filter(chance: &mut StdRng) -> ContactFilter {
    let mut day = |times: u32| -> Option<Day> {
        chance
            .random_ratio(1, times)
            .then(|| acts::some_time(chance).day(ZONE))
    };
    let mut filter = ContactFilter {
        added_from: day(4),
        added_to: day(4),
        ordered_from: day(6),
        ordered_to: day(6),
        quiet_since: day(6),
        clicked_from: day(6),
        ..ContactFilter::default()
    };
    if chance.random_ratio(1, 2) {
        filter.tag = Some(TagId(chance.random_range(40..48)));
    }
    if chance.random_ratio(1, 3) {
        filter.store = Some(StoreId(chance.random_range(21..24)));
    }
    if chance.random_ratio(1, 3) {
        // Names hold the number, remarks another one.
        filter.search = Some(format!("{}", chance.random_range(0..40)));
    }
    if chance.random_ratio(1, 5) {
        filter.associate = Some(AssociateId(chance.random_range(31..36)));
    }
    filter
}

fn any_stores(chance: &mut StdRng, shop: &World) -> Scope {
    match chance.random_range(0..4) {
        0 => Scope {
            corp: shop.corp,
            reach: Reach::Stores(vec![StoreId(21), StoreId(23)]),
        },
        1 => shop.of_store(22),
        _ => shop.whole(),
    }
}

/// Looked up whole, walked over, by days, or whichever is nearer.
const WAYS: [Ways; 4] = [
    Ways {
        few: u64::MAX,
        dense: 0,
        near: 0,
        far: i64::MAX,
    },
    Ways {
        few: 0,
        dense: 0,
        near: 0,
        far: i64::MAX,
    },
    Ways {
        few: 0,
        dense: usize::MAX,
        near: 0,
        far: 0,
    },
    Ways {
        few: 0,
        dense: 3,
        near: 30,
        far: 60,
    },
];

#[tokio::test]
async fn every_page_and_every_count_is_what_the_database_says() {
    let shop = World::open().await;
    let mut chance = StdRng::seed_from_u64(29);
    crowd(&shop, &mut chance).await;
    shop.run("update follow set remark = 'VIP' || (id % 97) where id % 3 = 0")
        .await;
    build(&shop.app, &shop).await;
    index::read_names(&shop.app, shop.corp, ZONE).await.unwrap();
    let (app, db) = (&shop.app, &shop.app.db);
    let stage = Stage::set(&shop).await;
    let (mut found, mut before): (_, Vec<(Scope, ContactFilter)>) = (0, Vec::new());
    for turn in 0..60 {
        let asked = match turn {
            0 => (shop.whole(), ContactFilter::default()),
            // What was kept of it must be true of what happened since.
            _ if turn % 3 == 0 => before[chance.random_range(0..before.len())].clone(),
            _ => (any_stores(&mut chance, &shop), any_filter(&mut chance)),
        };
        before.push(asked.clone());
        let (scope, filter) = asked;
        let all = contacts::list(db, &scope, &filter, ZONE, &PageOf::from(1_000, None)).await;
        let all: Vec<_> = all
            .unwrap()
            .items
            .iter()
            .map(|row| (row.added_at, row.id))
            .collect();
        let mut ids: Vec<_> = all.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        for ways in WAYS {
            let browsed = browse::by(app, &scope, &filter, ZONE, ways).await.unwrap();
            let count = browsed.count().await.unwrap();
            assert_eq!(count, all.len() as i64, "{ways:?} {scope:?} {filter:?}");
            assert_eq!(
                browsed.people().await.unwrap(),
                ids,
                "{ways:?} {scope:?} {filter:?}"
            );
            let (mut rows, mut page) = (Vec::new(), PageOf::first(7));
            loop {
                let part = browsed.page(&page).await.unwrap();
                rows.extend(part.items.iter().map(|row| (row.added_at, row.id)));
                match part.next {
                    Some(next) => page = PageOf::from(7, Some(next)),
                    None => break,
                }
            }
            assert_eq!(rows, all, "{ways:?} {scope:?} {filter:?}");
        }
        stage.act(&mut chance).await;
        found += all.len();
    }
    assert!(found > 1_000, "{found}: too few filters leave anybody");
    assert!(
        index::is_ready(app, shop.corp, ZONE),
        "it was the index that answered"
    );
}

/// Where nobody was added so early, so late, or at all, a page ends as the database's does.
#[tokio::test]
async fn a_page_after_anybody_and_after_nobody_is_the_databases() {
    let shop = World::open().await;
    let mut chance = StdRng::seed_from_u64(31);
    crowd(&shop, &mut chance).await;
    build(&shop.app, &shop).await;
    let (app, db, scope) = (&shop.app, &shop.app.db, shop.whole());
    let last = contacts::list(
        db,
        &scope,
        &ContactFilter::default(),
        ZONE,
        &PageOf::from(1_000, None),
    )
    .await
    .unwrap();
    let last = last.items.last().unwrap();
    let of_a_tag = ContactFilter {
        tag: Some(TagId(51)),
        ..ContactFilter::default()
    };
    for (at, id) in [
        (0, 1),
        (-1, 1),
        (i64::MAX, 1),
        (i64::MIN, 1),
        (4_102_444_800_000, 1),
        (last.added_at.0, last.id.0),
        (last.added_at.0, last.id.0 + 1),
        (last.added_at.0 + 1, 1),
    ] {
        let key = (Timestamp(at), ContactId(id));
        let after = Page::cut(vec![key; 2], &PageOf::from(1, None), |key| *key)
            .next
            .unwrap();
        for filter in [ContactFilter::default(), of_a_tag.clone()] {
            let page = PageOf::from(7, Some(after.clone()));
            let by_database = contacts::list(db, &scope, &filter, ZONE, &page).await;
            for ways in WAYS {
                let browsed = browse::by(app, &scope, &filter, ZONE, ways).await.unwrap();
                let shown = tokio::time::timeout(Duration::from_secs(20), browsed.page(&page)).await;
                let ids = |rows: &Page<ContactRow>| rows.items.iter().map(|row| row.id).collect::<Vec<_>>();
                match (shown.expect("it ends"), &by_database) {
                    (Ok(shown), Ok(expected)) => {
                        assert_eq!(ids(&shown), ids(expected), "{at} {ways:?} {filter:?}");
                        assert_eq!(shown.next.is_some(), expected.next.is_some());
                    }
                    (shown, expected) => assert_eq!(shown.is_err(), expected.is_err(), "{at} {ways:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn people_are_found_by_a_name_as_soon_as_they_are_called_so_and_no_longer() {
    let street = Street::open().await;
    let shop = &street.shop;
    build(&shop.app, shop).await;
    index::read_names(&shop.app, shop.corp, ZONE).await.unwrap();
    let called = async |part: &str| {
        let filter = ContactFilter {
            search: Some(part.to_owned()),
            ..ContactFilter::default()
        };
        let scope = shop.whole();
        let found = browse::of(&shop.app, &scope, &filter, ZONE).await.unwrap();
        let by_database = contacts::count(&shop.app.db, &scope, &filter, ZONE).await;
        assert_eq!(found.count().await.unwrap(), by_database.unwrap(), "{part}");
        found.page(&PageOf::first(50)).await.unwrap().items.len()
    };
    assert_eq!(called("周小姐").await, 0);
    street.passer_by("wmZhou");
    street.sandbox.scan(CORPID, "wmZhou", "li", "door").unwrap();
    street.settle().await;
    street
        .sandbox
        .member_remarks(CORPID, "li", "wmZhou", "VIP周小姐")
        .unwrap();
    street.settle().await;
    assert_eq!(called("周小").await, 1, "by what the platform tells");
    assert_eq!(called("vip").await, 1, "large and small letters are one");
    assert_eq!(called("周%").await, 0, "a part, no pattern");

    let mut li = Visitor::of(shop, Role::Associate, None, Some(31)).await;
    let typed = [("remark", "王姐"), ("description", "")];
    assert!(
        li.post("/contacts/101/remark", &typed)
            .await
            .status
            .is_redirection()
    );
    assert_eq!(called("王姐").await, 1, "by what an associate writes");
    let typed = [("remark", "一位老顾客"), ("description", "")];
    li.post("/contacts/101/remark", &typed).await;
    assert_eq!(called("王姐").await, 0);
    street.after(HOUR_MS);
    street.sandbox.customer_deletes(CORPID, "wmZhou", "li").unwrap();
    street.settle().await;
    assert_eq!(called("周小姐").await, 0, "who left is not found");
    assert!(
        index::is_ready(&shop.app, shop.corp, ZONE),
        "it was the index that answered"
    );
}
