//! The directory: corps and their secrets, stores by scope, departments and members mirrored.

use dianyu::directory::{self, NewCorp, NewStore, StoreChange};
use dianyu::error::Error;
use dianyu::ids::{AssociateId, RegionId, StoreId, UserId};
use dianyu::page::PageOf;
use dianyu::time::{DAY_MS, Timestamp};
use dianyu::wecom::directory::{Department, Member};

use crate::world::{CORPID, World};

fn new_corp() -> NewCorp {
    NewCorp {
        corpid: "ww0000000000000002".into(),
        name: "另一家".into(),
        zone: chrono_tz::Asia::Shanghai,
        agent_id: 1_000_003,
        secret: "s3cret".into(),
        callback_token: "Token2026".into(),
        callback_aes_key: "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU".into(),
        link_hosts: vec!["shop.example.com".into()],
        mini_store: None,
    }
}

fn department(id: i64, parentid: i64, name: &str) -> Department {
    Department {
        id,
        name: name.into(),
        parentid,
        order: 0,
    }
}

fn member(userid: &str, department: i64) -> Member {
    Member {
        userid: userid.into(),
        name: format!("导购{userid}"),
        department: vec![department],
        main_department: Some(department),
        status: 1,
        is_leader_in_dept: vec![],
    }
}

#[tokio::test]
async fn a_corp_keeps_its_secrets_sealed_and_opens_its_callbacks() {
    let shop = World::open().await;
    let tx = shop.begin().await;
    let id = directory::add_corp(&tx, &shop.act(), &shop.app.sealer, new_corp())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (opened, _) = directory::callback_crypto(&shop.app, "ww0000000000000002")
        .await
        .unwrap();
    assert_eq!(opened, id);
    assert_eq!(
        directory::platform(&shop.app, id).await.unwrap().agent_id(),
        1_000_003
    );
    assert_eq!(
        shop.number("select count(*) from corp where secret_sealed like '%s3cret%'")
            .await,
        0
    );

    let tx = shop.begin().await;
    let again = directory::add_corp(&tx, &shop.act(), &shop.app.sealer, new_corp()).await;
    assert!(matches!(again, Err(Error::Invalid(problems)) if problems[0].pointer == "/corpid"));
}

#[tokio::test]
async fn a_corp_that_cannot_be_right_is_refused_field_by_field() {
    let shop = World::open().await;
    let wrong = NewCorp {
        corpid: "1234".into(),
        callback_token: "not plain!".into(),
        callback_aes_key: "short".into(),
        link_hosts: vec!["https://shop.example.com".into()],
        ..new_corp()
    };
    let tx = shop.begin().await;
    let Err(Error::Invalid(problems)) = directory::add_corp(&tx, &shop.act(), &shop.app.sealer, wrong).await
    else {
        panic!("it must be refused");
    };
    let pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/corpid", "/callback_token", "/callback_aes_key", "/link_hosts/0"]
    );
}

#[tokio::test]
async fn a_corp_that_is_not_served_is_not_there() {
    let shop = World::open().await;
    shop.run("update corp set status = 'closed'").await;
    assert!(matches!(
        directory::find_corp(&shop.app.db, shop.corp).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        directory::callback_crypto(&shop.app, CORPID).await,
        Err(Error::NotFound)
    ));
    assert!(directory::platform(&shop.app, shop.corp).await.is_err());
}

#[tokio::test]
async fn each_sees_the_stores_and_people_of_their_scope() {
    let shop = World::open().await;
    let db = &shop.app.db;
    let codes = async |scope| -> Vec<String> {
        let stores = directory::all_stores(db, &scope).await.unwrap();
        stores.into_iter().map(|store| store.code).collect()
    };
    assert_eq!(codes(shop.whole()).await, ["S1", "S2", "S3"]);
    assert_eq!(codes(shop.of_store(22)).await, ["S2"]);
    assert_eq!(codes(shop.of_associate(34)).await, ["S3"]);

    let page = PageOf::first(2);
    let first = directory::stores(db, &shop.whole(), &page).await.unwrap();
    let rest = directory::stores(db, &shop.whole(), &PageOf::new(Some(2), first.next).unwrap())
        .await
        .unwrap();
    assert_eq!((first.items.len(), rest.items[0].code.as_str()), (2, "S3"));

    let people = directory::associates(db, &shop.of_store(21), None, &PageOf::first(9))
        .await
        .unwrap();
    assert_eq!(people.items.len(), 2);
    let people = directory::associates(db, &shop.of_associate(31), None, &PageOf::first(9))
        .await
        .unwrap();
    assert_eq!(people.items[0].userid, "li".into());
    assert!(
        directory::find_associate(db, &shop.of_store(21), AssociateId(34))
            .await
            .is_err()
    );

    let regions = directory::regions(db, &shop.whole()).await.unwrap();
    assert_eq!(regions.iter().map(|region| region.stores).sum::<i64>(), 3);
    assert_eq!(directory::regions(db, &shop.of_store(23)).await.unwrap().len(), 1);
    let east = directory::stores_of_region(db, shop.corp, RegionId(11))
        .await
        .unwrap();
    assert_eq!(east, [StoreId(21), StoreId(22)]);
}

#[tokio::test]
async fn a_store_code_is_taken_once() {
    let shop = World::open().await;
    let new = |code: &str| NewStore {
        code: code.into(),
        name: "新店".into(),
        region_id: RegionId(11),
        zone: "Asia/Shanghai".into(),
    };
    let tx = shop.begin().await;
    let id = directory::create_store(&tx, &shop.act(), &shop.whole(), new("S9"))
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let tx = shop.begin().await;
    let taken = directory::create_store(&tx, &shop.act(), &shop.whole(), new("S1")).await;
    assert!(matches!(taken, Err(Error::Invalid(problems)) if problems[0].pointer == "/code"));
    tx.rollback().await.unwrap();

    let tx = shop.begin().await;
    let close = StoreChange {
        status: Some("closed".into()),
        ..StoreChange::default()
    };
    directory::change_store(&tx, &shop.whole(), id, close)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let store = directory::find_store_by_code(&shop.app.db, shop.corp, "S9")
        .await
        .unwrap();
    assert_eq!(store.status, "closed");
}

#[tokio::test]
async fn a_department_with_members_becomes_a_store_and_its_parent_the_region() {
    let shop = World::open().await;
    let departments = [
        department(1, 0, "禾与"),
        department(40, 1, "华南"),
        department(41, 40, "深圳万象店"),
    ];
    for _ in 0..2 {
        directory::mirror_directory(&shop.app, shop.corp, &departments, &[member("Chen", 41)])
            .await
            .unwrap();
    }
    let store = directory::find_store_by_code(&shop.app.db, shop.corp, "D41")
        .await
        .unwrap();
    assert_eq!(
        (store.name.as_str(), store.region_name.as_str()),
        ("深圳万象店", "华南")
    );
    let chen = directory::associate_by_userid(&shop.app.db, shop.corp, &UserId::from("chEN"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chen.store_id, Some(store.id));

    let renamed = [
        department(1, 0, "禾与"),
        department(40, 1, "华南"),
        department(41, 40, "深圳海岸店"),
    ];
    directory::mirror_directory(&shop.app, shop.corp, &renamed, &[])
        .await
        .unwrap();
    let store = directory::find_store_by_code(&shop.app.db, shop.corp, "D41")
        .await
        .unwrap();
    assert_eq!(store.name, "深圳海岸店");
}

#[tokio::test]
async fn a_move_to_another_store_is_dated() {
    let shop = World::open().await;
    shop.app.clock.advance(DAY_MS);
    let departments = [
        department(11, 0, "华东"),
        department(21, 11, "静安嘉里店"),
        department(22, 11, "杭州湖滨店"),
    ];
    directory::mirror_directory(&shop.app, shop.corp, &departments, &[member("li", 22)])
        .await
        .unwrap();
    let at = |when: Timestamp| directory::store_at(&shop.app.db, shop.corp, AssociateId(31), when);
    assert_eq!(at(shop.now().plus_ms(-1)).await.unwrap(), Some(StoreId(21)));
    assert_eq!(at(shop.now()).await.unwrap(), Some(StoreId(22)));

    let tx = shop.begin().await;
    let left = directory::leave(&tx, &shop.act(), shop.corp, &"LI".into())
        .await
        .unwrap();
    assert_eq!(left, Some(AssociateId(31)));
    assert_eq!(
        directory::leave(&tx, &shop.act(), shop.corp, &"li".into())
            .await
            .unwrap(),
        None
    );
    tx.commit().await.unwrap();
}
