//! Recounts tallies from the raw rows: the proof that what was added in passing is right.
//!
//! A fact counts on the business day of its store's zone that its row says, for the store and the associate that
//! its row names: no row is judged by where somebody is now.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;

use super::store;
use crate::db::{Conn, Snapshot, Tx};
use crate::error::Result;
use crate::ids::CorpId;
use crate::tally::{self, Tally};
use crate::time::{DAY_MS, Day};

/// Every tally of these days, counted from raw rows.
pub async fn recount(conn: &impl Conn, corp: CorpId, from: Day, to: Day) -> Result<Vec<Tally>> {
    let mut tallies = Vec::new();
    for (code, rows) in store::counted_by_day(conn, corp, from, to).await? {
        tallies.extend(rows.into_iter().map(|row| Tally {
            store: row.store_id,
            associate: row.associate_id,
            day: row.day,
            code,
            value: row.value,
        }));
    }
    let (own_zone, zones) = store::zones(conn, corp).await?;
    let zones: BTreeMap<_, _> = zones.into_iter().collect();
    // Wide enough for every zone; the day itself decides.
    let first = from.start(Tz::UTC).plus_ms(-DAY_MS);
    let last = to.end(Tz::UTC).plus_ms(DAY_MS);
    for (code, rows) in store::instants(conn, corp, first, last).await? {
        let mut counts = BTreeMap::new();
        for row in rows {
            let zone = row
                .store_id
                .and_then(|store| zones.get(&store))
                .unwrap_or(&own_zone);
            let day = row.at.day(*zone);
            if (from..=to).contains(&day) {
                *counts.entry((row.store_id, row.associate_id, day)).or_insert(0) += 1;
            }
        }
        tallies.extend(counts.into_iter().map(|((store, associate, day), value)| Tally {
            store,
            associate,
            day,
            code,
            value,
        }));
    }
    Ok(tallies)
}

/// Store, associate (0: the store's own row), day, code.
type Place = (i64, i64, Day, String);

/// Where stored figures differ from the recount: store, associate, day, code, stored, counted. In one snapshot, or
/// an order taken between the two readings would seem a fault.
pub async fn differences(snapshot: &Snapshot, corp: CorpId, from: Day, to: Day) -> Result<Vec<String>> {
    let counted = recount(snapshot, corp, from, to).await?;
    compare(snapshot, corp, from, to, &counted).await
}

async fn compare(
    conn: &impl Conn,
    corp: CorpId,
    from: Day,
    to: Day,
    tallies: &[Tally],
) -> Result<Vec<String>> {
    let stored: BTreeMap<Place, i64> = store::stored(conn, corp, from, to)
        .await?
        .into_iter()
        .map(|row| ((row.store_id, row.associate_id, row.day, row.code), row.value))
        .collect();
    let mut counted: BTreeMap<Place, i64> = BTreeMap::new();
    for tally in tallies {
        let store = tally.store.map_or(0, |store| store.0);
        let code = tally.code.as_str().to_owned();
        *counted.entry((store, 0, tally.day, code.clone())).or_insert(0) += tally.value;
        if let Some(associate) = tally.associate {
            *counted.entry((store, associate.0, tally.day, code)).or_insert(0) += tally.value;
        }
    }
    let places: BTreeSet<&Place> = stored.keys().chain(counted.keys()).collect();
    let value = |figures: &BTreeMap<Place, i64>, place| figures.get(place).copied().unwrap_or(0);
    Ok(places
        .into_iter()
        .filter(|place| value(&stored, place) != value(&counted, place))
        .map(|place| {
            let (store, associate, day, code) = place;
            let whose = match associate {
                0 => format!("store {store}"),
                _ => format!("store {store}, associate {associate}"),
            };
            let (stored, counted) = (value(&stored, place), value(&counted, place));
            format!("{whose}, {day}, {code}: stored {stored}, counted {counted}")
        })
        .collect())
}

/// Replaces the stored figures by the recount where they differ; answers how they did. Whoever would add to them
/// waits until the transaction ends.
pub async fn recompute(tx: &Tx, corp: CorpId, from: Day, to: Day) -> Result<Vec<String>> {
    tally::hold(tx, corp).await?;
    let counted = recount(tx, corp, from, to).await?;
    let differences = compare(tx, corp, from, to, &counted).await?;
    if !differences.is_empty() {
        tally::replace(tx, corp, from, to, &counted).await?;
    }
    Ok(differences)
}
