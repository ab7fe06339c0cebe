//! The contact list among many: whichever way its people are found, it shows what the database says.

use dianyu::contacts::{self, ContactFilter};
use dianyu::ids::{AssociateId, StoreId, TagId};
use dianyu::page::PageOf;
use dianyu::scope::{Reach, Scope};
use dianyu::segments::browse::{self, Ways};
use dianyu::segments::index;
use dianyu::time::Day;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{acts, build, crowd};
use crate::world::{World, ZONE};

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
    if chance.random_ratio(1, 5) {
        filter.associate = Some(AssociateId(chance.random_range(31..36)));
    }
    filter
}

const WAYS: [Ways; 3] = [
    Ways {
        few: u64::MAX,
        walked: 0.0,
    },
    Ways {
        few: 0,
        walked: f64::MAX,
    },
    Ways { few: 0, walked: 0.0 },
];

#[tokio::test]
async fn every_page_and_every_count_is_what_the_database_says() {
    let shop = World::open().await;
    let mut chance = StdRng::seed_from_u64(29);
    crowd(&shop, &mut chance).await;
    build(&shop.app, &shop).await;
    let (app, db) = (&shop.app, &shop.app.db);
    let mut found = 0;
    for turn in 0..60 {
        let filter = match turn {
            0 => ContactFilter::default(),
            _ => any_filter(&mut chance),
        };
        let scope = match chance.random_range(0..3) {
            0 => Scope {
                corp: shop.corp,
                reach: Reach::Stores(vec![StoreId(21), StoreId(23)]),
            },
            _ => shop.whole(),
        };
        let all = contacts::list(db, &scope, &filter, ZONE, &PageOf::from(1_000, None)).await;
        let all: Vec<_> = all
            .unwrap()
            .items
            .iter()
            .map(|row| (row.added_at, row.id))
            .collect();
        let count = browse::count(app, &scope, &filter, ZONE).await.unwrap();
        assert_eq!(count, all.len() as i64, "{scope:?} {filter:?}");
        for ways in WAYS {
            let (mut rows, mut page) = (Vec::new(), PageOf::first(7));
            loop {
                let part = browse::list_by(app, &scope, &filter, ZONE, &page, ways)
                    .await
                    .unwrap();
                rows.extend(part.items.iter().map(|row| (row.added_at, row.id)));
                match part.next {
                    Some(next) => page = PageOf::from(7, Some(next)),
                    None => break,
                }
            }
            assert_eq!(rows, all, "{ways:?} {scope:?} {filter:?}");
        }
        found += all.len();
    }
    assert!(found > 1_000, "{found}: too few filters leave anybody");
    assert!(
        index::is_ready(app, shop.corp, ZONE),
        "it was the index that answered"
    );
}
