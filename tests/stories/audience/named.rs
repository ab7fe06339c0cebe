//! What a rule may name: the index knows the tags, stores and regions there are, and the database agrees.

use dianyu::app::App;
use dianyu::directory::{self, NewStore, StoreChange};
use dianyu::error::{Error, Result};
use dianyu::ids::{AssociateId, RegionId, StoreId, TagId};
use dianyu::scope::Scope;
use dianyu::segments::{self, Rule, index, rule};
use dianyu::tags;
use dianyu::time::MINUTE_MS;
use dianyu::wecom::tag::{Tag, TagGroup};

use super::{SHANGHAI, agrees, another, build};
use crate::world::World;

fn said(checked: Result<()>) -> Vec<String> {
    match checked {
        Ok(()) => Vec::new(),
        Err(Error::Invalid(problems)) => problems
            .into_iter()
            .map(|problem| format!("{} {}", problem.pointer, problem.message))
            .collect(),
        Err(error) => panic!("{error}"),
    }
}

/// The index and the database let the same be named, and find the same.
async fn all_agree(app: &App, shop: &World, places: &[Rule]) -> Vec<usize> {
    let mut refused = Vec::new();
    for scope in [
        shop.whole(),
        shop.of_store(21),
        shop.of_store(23),
        shop.of_associate(31),
    ] {
        let mut refusals = 0;
        for place in places {
            let asked = Rule::Any(vec![place.clone(), Rule::Associate(AssociateId(31))]);
            let by_database = said(rule::check(&app.db, &scope, &asked, "/rule").await);
            let by_index = checked(app, &scope, &asked).await;
            assert_eq!(said(by_index), by_database, "{scope:?} {asked:?}");
            refusals += usize::from(!by_database.is_empty());
            agrees(app, &scope, place).await;
        }
        refused.push(refusals);
    }
    refused
}

async fn checked(app: &App, scope: &Scope, asked: &Rule) -> Result<()> {
    segments::checked_preview(app, scope, asked, "/rule", SHANGHAI, app.now())
        .await
        .map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_rule_may_name_is_what_there_is() {
    let shop = World::open().await;
    shop.tags().await;
    shop.run("update follow set tags = ' 51 52 ' where associate_id in (31, 33)")
        .await;
    let other = another(&shop, 2);
    build(&shop.app, &shop).await;
    build(&other, &shop).await;
    let mut places = vec![
        Rule::Tag(TagId(51)),
        Rule::Tag(TagId(52)),
        Rule::Store(StoreId(21)),
        Rule::Store(StoreId(22)),
        Rule::Region(RegionId(11)),
        Rule::Region(RegionId(12)),
    ];
    let at_first = all_agree(&shop.app, &shop, &places).await;
    assert_eq!(at_first[0], 0, "headquarters may name all of it");
    assert!(at_first[1..].iter().all(|refused| *refused > 0), "{at_first:?}");

    // A region and a store come; a store moves there.
    let tx = shop.begin().await;
    let (act, whole) = (shop.act(), shop.whole());
    let region = directory::create_region(&tx, &act, &whole, "华南").await.unwrap();
    let new = NewStore {
        code: "S9".into(),
        name: "新店".into(),
        region_id: region,
        zone: "Asia/Shanghai".into(),
    };
    let store = directory::create_store(&tx, &act, &whole, new).await.unwrap();
    places.extend([Rule::Region(region), Rule::Store(store)]);
    assert!(
        !said(checked(&shop.app, &whole, &places[6]).await).is_empty(),
        "not yet"
    );
    let change = StoreChange {
        region_id: Some(region),
        ..StoreChange::default()
    };
    directory::change_store(&tx, &whole, StoreId(21), change)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for app in [&shop.app, &other] {
        assert_eq!(all_agree(app, &shop, &places).await[0], 0);
    }

    // A tag is gone from the platform.
    shop.app.clock.advance(5 * MINUTE_MS);
    let reading = TagGroup {
        group_id: "etLevel".into(),
        group_name: "会员等级".into(),
        order: 1,
        tag: vec![Tag {
            id: "etSilver".into(),
            name: "银卡".into(),
            order: 0,
        }],
    };
    let tx = shop.begin().await;
    tags::mirror_tags(&tx, &shop.act(), shop.corp, &[reading], shop.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for app in [&other, &shop.app] {
        assert_eq!(all_agree(app, &shop, &places).await[0], 1);
        assert!(index::is_ready(app, shop.corp, SHANGHAI));
    }
}
