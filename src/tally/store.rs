//! Statements on `store_day` and `associate_day`.

use std::collections::BTreeMap;

use super::Tally;
use crate::args;
use crate::db::{self, Conn as _, Tx};
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::Day;

/// Adds to the day's figures; sums per key first, so a batch of facts touches each row once.
pub async fn add(tx: &Tx, corp: CorpId, tallies: &[Tally]) -> Result<()> {
    if tallies.iter().all(|tally| tally.value == 0) {
        return Ok(());
    }
    if let Some(lock) = tx.backend().share_figures() {
        db::rows(tx, lock, args![corp]).await?;
    }
    write(tx, corp, tallies, "value = {table}.value + excluded.value").await
}

/// From here to the end of the transaction nobody adds to the corp's figures, and all that was added is committed:
/// rows and figures agree. Taken before the rows are counted.
pub async fn hold(tx: &Tx, corp: CorpId) -> Result<()> {
    // A recount waits for the others and then reads everything: no limit on a statement fits it.
    tx.take_time().await?;
    if let Some(lock) = tx.backend().hold_figures() {
        db::rows(tx, lock, args![corp]).await?;
    }
    Ok(())
}

/// Sets figures anew from a full recount of these days, made under [`hold`]: what was there for them is gone.
pub async fn replace(tx: &Tx, corp: CorpId, from: Day, to: Day, tallies: &[Tally]) -> Result<()> {
    for table in ["store_day", "associate_day"] {
        let sql = format!("delete from {table} where corp_id = $1 and day >= $2 and day <= $3");
        db::run(tx, &sql, args![corp, from, to]).await?;
    }
    write(tx, corp, tallies, "value = {table}.value + excluded.value").await
}

async fn write(tx: &Tx, corp: CorpId, tallies: &[Tally], change: &str) -> Result<()> {
    let mut stores = BTreeMap::new();
    let mut associates = BTreeMap::new();
    for tally in tallies.iter().filter(|tally| tally.value != 0) {
        let store = tally.store.map_or(0, |store| store.0);
        *stores
            .entry((store, tally.day, tally.code.as_str()))
            .or_insert(0i64) += tally.value;
        if let Some(associate) = tally.associate {
            *associates
                .entry((store, associate.0, tally.day, tally.code.as_str()))
                .or_insert(0i64) += tally.value;
        }
    }
    // Rows go in key order, so two transactions never wait for each other crosswise.
    let rows = stores
        .into_iter()
        .map(|((store, day, code), value)| args![corp, store, day, code, value]);
    let tail = format!(
        "on conflict (corp_id, store_id, day, code) do update set {}",
        change.replace("{table}", "store_day")
    );
    db::insert_many(
        tx,
        "insert into store_day (corp_id, store_id, day, code, value)",
        rows,
        &tail,
    )
    .await?;

    let rows = associates
        .into_iter()
        .map(|((store, associate, day, code), value)| args![corp, store, associate, day, code, value]);
    let tail = format!(
        "on conflict (corp_id, store_id, associate_id, day, code) do update set {}",
        change.replace("{table}", "associate_day")
    );
    db::insert_many(
        tx,
        "insert into associate_day (corp_id, store_id, associate_id, day, code, value)",
        rows,
        &tail,
    )
    .await?;
    Ok(())
}
