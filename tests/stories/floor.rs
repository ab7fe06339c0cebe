//! The floor: migrations, jobs, group commit.

use dianyu::db;
use dianyu::db::migrate;
use dianyu::queue;

use crate::world::World;

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let shop = World::open().await;
    assert!(migrate::up(&shop.app.db, shop.now()).await.unwrap().is_empty());
    assert!(migrate::missing(&shop.app.db).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_job_rolls_back_with_its_fact() {
    let shop = World::open().await;
    let job = |key: &str| queue::NewJob {
        corp: shop.corp,
        kind: "test.job",
        payload: "{}".into(),
        lane: queue::Lane::Normal,
        run_at: shop.now(),
        unique_key: Some(key.into()),
    };
    let tx = shop.app.db.begin().await.unwrap();
    assert!(
        queue::enqueue(&tx, &shop.app.ids, shop.now(), job("a"))
            .await
            .unwrap()
    );
    tx.rollback().await.unwrap();
    assert!(
        queue::claim(&shop.app.db, shop.now(), 10)
            .await
            .unwrap()
            .is_empty()
    );

    let tx = shop.app.db.begin().await.unwrap();
    assert!(
        queue::enqueue(&tx, &shop.app.ids, shop.now(), job("a"))
            .await
            .unwrap()
    );
    assert!(
        !queue::enqueue(&tx, &shop.app.ids, shop.now(), job("a"))
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    let claimed = queue::claim(&shop.app.db, shop.now(), 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert!(
        queue::claim(&shop.app.db, shop.now(), 10)
            .await
            .unwrap()
            .is_empty()
    );
    queue::finish(&shop.app.db, &claimed[0]).await.unwrap();
    assert_eq!(
        db::count(&shop.app.db, "select count(*) from job", vec![])
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_stale_owner_changes_nothing() {
    let shop = World::open().await;
    let tx = shop.app.db.begin().await.unwrap();
    let job = queue::NewJob {
        corp: shop.corp,
        kind: "test.job",
        payload: "{}".into(),
        lane: queue::Lane::Normal,
        run_at: shop.now(),
        unique_key: None,
    };
    queue::enqueue(&tx, &shop.app.ids, shop.now(), job).await.unwrap();
    tx.commit().await.unwrap();
    let first = queue::claim(&shop.app.db, shop.now(), 1).await.unwrap().remove(0);
    shop.run("update job set lease_until = 0").await;
    assert_eq!(queue::reap(&shop.app.db).await.unwrap(), 1);
    let second = queue::claim(&shop.app.db, shop.now(), 1).await.unwrap().remove(0);
    queue::finish(&shop.app.db, &first).await.unwrap();
    assert!(!queue::renew(&shop.app.db, &first).await.unwrap());
    assert!(queue::renew(&shop.app.db, &second).await.unwrap());
    queue::finish(&shop.app.db, &second).await.unwrap();
}

#[tokio::test]
async fn the_planner_is_shown_what_the_tables_hold() {
    let shop = World::open().await;
    for number in 0..400 {
        shop.run(&format!(
            "insert into contact (corp_id, id, external_userid, name, avatar, kind, gender, created_at, updated_at)
             values (1, {}, 'wmMany{number}', 'n', '', 1, 0, 0, 0)",
            1_000 + number
        ))
        .await;
    }
    shop.app.db.look_at_tables().await.unwrap();
    // PostgreSQL looks by itself, when it finds the time.
    if std::env::var("TEST_DATABASE_URL").is_err() {
        let known = "select count(*) from sqlite_stat1 where tbl = 'contact'";
        assert!(shop.number(known).await > 0, "SQLite knows what is in the table");
    }
}
