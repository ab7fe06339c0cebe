//! Two connections at once: a claim, and whoever ends the campaign meanwhile. Each waits for the other's transaction,
//! so every batch is either out and stopped or was never called for.

use dianyu::db::{self, Backend, Conn, Tx};
use dianyu::error::Result;
use sea_orm::ConnectionTrait as _;
use tokio::task::JoinHandle;

use super::*;

/// Waits until `other` stands before what `tx` holds, or is through. SQLite has one writer: there it stands already.
async fn until_it_waits<T>(shop: &World, tx: &Tx, other: &JoinHandle<T>) {
    if tx.backend() == Backend::Sqlite {
        return;
    }
    let pid: i32 = db::scalar(tx, "select pg_backend_pid()", vec![])
        .await
        .unwrap()
        .unwrap();
    let waiting = format!("select count(*) from pg_stat_activity where {pid} = any(pg_blocking_pids(pid))");
    while !other.is_finished() && shop.number(&waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

async fn claim_in(shop: &World, tx: &Tx, corp: &Corp, batch: BatchId) -> Option<String> {
    campaigns::claim(tx, &shop.act(), corp, "https://crm.example.com", batch)
        .await
        .unwrap()
}

/// Planned deliveries of a batch.
async fn planned(shop: &World, batch: &Batch) -> i64 {
    shop.number(&format!(
        "select count(*) from delivery where batch_id = {} and state = 'planned'",
        batch.id
    ))
    .await
}

#[tokio::test]
async fn a_claim_under_way_is_stopped_by_the_cancellation_that_waited_for_it() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    let (corp, batch) = (corp(&shop).await, batch_of(&shop, id, 31).await);
    let tx = shop.begin().await;
    assert!(claim_in(&shop, &tx, &corp, batch.id).await.is_some());
    let (app, whole) = (shop.app.clone(), shop.whole());
    let cancelling: JoinHandle<Result<()>> = tokio::spawn(async move {
        let act = app.act(Actor::Operator(OperatorId(1)));
        campaigns::cancel(&app, &act, &whole, id).await
    });
    until_it_waits(&shop, &tx, &cancelling).await;
    tx.commit().await.unwrap();
    cancelling.await.unwrap().unwrap();

    assert_eq!(
        planned(&shop, &batch).await,
        4,
        "what is being called for is not given back"
    );
    assert_eq!(quota(&shop).await, 4);
    record(&shop, &batch, handed(&[])).await;
    let stops = format!(
        "select count(*) from job where kind = 'campaigns.stop' and unique_key = '{}'",
        batch.id
    );
    assert_eq!(shop.number(&stops).await, 1, "the platform is told to stop");
    let batch = batch_of(&shop, id, 31).await;
    let tx = shop.begin().await;
    campaigns::close(&tx, &shop.act(), shop.corp, &batch)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!((progress(&shop, id).await.cancelled, quota(&shop).await), (9, 0));
}

#[tokio::test]
async fn a_claim_that_waited_for_a_cancellation_or_a_pause_calls_for_nothing() {
    for state in ["cancelled", "paused"] {
        let shop = World::open().await;
        let id = running(&shop, east()).await;
        let (corp, batch) = (corp(&shop).await, batch_of(&shop, id, 31).await);
        let tx = shop.begin().await;
        tx.raw()
            .execute_unprepared(&format!("update campaign set state = '{state}' where id = {id}"))
            .await
            .unwrap();
        let app = shop.app.clone();
        let claiming = tokio::spawn(async move {
            let tx = app.db.begin().await?;
            let act = app.act(Actor::System);
            let body = campaigns::claim(&tx, &act, &corp, "https://crm.example.com", batch.id).await?;
            tx.commit().await?;
            Ok::<_, Error>(body)
        });
        until_it_waits(&shop, &tx, &claiming).await;
        tx.commit().await.unwrap();
        assert_eq!(claiming.await.unwrap().unwrap(), None, "{state}");
        assert_eq!(batch_of(&shop, id, 31).await.state, "planned");
    }
}

#[tokio::test]
async fn a_claim_at_the_last_moment_is_not_released_by_the_deadline() {
    let shop = World::open().await;
    let id = running(&shop, east()).await;
    let (corp, batch) = (corp(&shop).await, batch_of(&shop, id, 31).await);
    let tx = shop.begin().await;
    assert!(claim_in(&shop, &tx, &corp, batch.id).await.is_some());
    later(&shop, DAY_MS);
    let app = shop.app.clone();
    let sweeping = tokio::spawn(async move {
        let tx = app.db.begin().await?;
        campaigns::sweep(&tx, &app.act(Actor::System), corp.id, id).await?;
        tx.commit().await
    });
    until_it_waits(&shop, &tx, &sweeping).await;
    tx.commit().await.unwrap();
    sweeping.await.unwrap().unwrap();
    let progress = progress(&shop, id).await;
    assert_eq!(
        (progress.unknown, progress.expired),
        (4, 5),
        "its call is looked up"
    );
    assert_eq!(
        (batch_of(&shop, id, 31).await.id, quota(&shop).await),
        (batch.id, 4)
    );
}
