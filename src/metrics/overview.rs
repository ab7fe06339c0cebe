//! The overview over regions and stores: what headquarters or a regional manager sees first.

use std::collections::BTreeMap;

use super::figures::{Facts, Needs, facts, figure};
use super::report::days;
use super::store::{self, Flow, Owner, Places, Sums};
use super::{Overview, RegionRow, Span, StoreRow};
use crate::db::Conn;
use crate::directory::{self, Store};
use crate::error::{Error, Result};
use crate::ids::{RegionId, StoreId};
use crate::money::Fen;
use crate::scope::{Reach, Scope};
use crate::time::Day;

const SHOWN: [&str; 4] = ["net_sales", "online_share", "new_contacts", "task_done"];

/// All that the scope reaches: the corp, or a regional manager's stores. An associate's scope may not read it.
pub async fn overview(conn: &impl Conn, scope: &Scope, span: Span) -> Result<Overview> {
    let places = match &scope.reach {
        Reach::Whole => Places::Everywhere,
        Reach::Stores(stores) => Places::Stores(stores.clone()),
        Reach::Own(_) => return Err(Error::NotFound),
    };
    let corp = scope.corp;
    let stores = directory::all_stores(conn, scope).await?;
    let needs = Needs::of(SHOWN);
    let now = facts(conn, corp, &places, needs, span.from, span.to).await?;
    let before = facts(conn, corp, &places, needs, span.compare_from, span.compare_to).await?;
    let of_stores = OfStores {
        now: store::sums_by_store(conn, corp, &places, span.from, span.to).await?,
        before: store::sums_by_store(conn, corp, &places, span.compare_from, span.compare_to).await?,
    };
    Ok(Overview {
        from: span.from,
        to: span.to,
        compare_from: span.compare_from,
        compare_to: span.compare_to,
        stores: stores.iter().filter(|store| store.status == "open").count() as i64,
        figures: SHOWN
            .iter()
            .map(|code| figure(code, &now, Some(&before)))
            .collect(),
        days: days(conn, corp, &places, span.from, span.to).await?,
        previous_days: days(conn, corp, &places, span.compare_from, span.compare_to).await?,
        regions: regions(conn, scope, &places, span, &stores, &of_stores).await?,
        by_store: by_store(conn, scope, &places, span, &stores, &of_stores).await?,
    })
}

struct OfStores {
    now: BTreeMap<StoreId, Sums>,
    before: BTreeMap<StoreId, Sums>,
}

impl OfStores {
    fn net(sums: &BTreeMap<StoreId, Sums>, store: StoreId) -> i64 {
        sums.get(&store).map_or(0, Sums::net)
    }

    /// Together, for these stores.
    fn together(sums: &BTreeMap<StoreId, Sums>, stores: &[&Store]) -> Facts {
        let mut all = Sums::default();
        for store in stores {
            if let Some(sums) = sums.get(&store.id) {
                all.merge(sums);
            }
        }
        Facts {
            sums: all,
            ..Facts::default()
        }
    }
}

/// Regions with a store in scope, the largest first.
async fn regions(
    conn: &impl Conn,
    scope: &Scope,
    places: &Places,
    span: Span,
    stores: &[Store],
    of_stores: &OfStores,
) -> Result<Vec<RegionRow>> {
    let days = store::net_by_region_and_day(conn, scope.corp, places, span.from, span.to).await?;
    let previous =
        store::net_by_region_and_day(conn, scope.corp, places, span.compare_from, span.compare_to).await?;
    let series = |nets: &BTreeMap<(RegionId, Day), i64>, region, from: Day, to: Day| -> Vec<i64> {
        from.through(to)
            .map(|day| nets.get(&(region, day)).copied().unwrap_or(0))
            .collect()
    };
    let mut members: BTreeMap<RegionId, Vec<&Store>> = BTreeMap::new();
    for store in stores {
        members.entry(store.region_id).or_default().push(store);
    }
    let row = |(region, members): (RegionId, Vec<&Store>)| {
        let now = OfStores::together(&of_stores.now, &members);
        let before = OfStores::together(&of_stores.before, &members);
        RegionRow {
            region_id: region,
            name: members[0].region_name.clone(),
            stores: members.iter().filter(|store| store.status == "open").count() as i64,
            net_sales_fen: Fen(now.sums.net()),
            previous_net_sales_fen: Fen(before.sums.net()),
            online_share: figure("online_share", &now, Some(&before)),
            task_done: figure("task_done", &now, Some(&before)),
            days: series(&days, region, span.from, span.to),
            previous_days: series(&previous, region, span.compare_from, span.compare_to),
        }
    };
    let mut rows: Vec<RegionRow> = members.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.net_sales_fen));
    Ok(rows)
}

/// Every store in scope, the one furthest down first.
async fn by_store(
    conn: &impl Conn,
    scope: &Scope,
    places: &Places,
    span: Span,
    stores: &[Store],
    of_stores: &OfStores,
) -> Result<Vec<StoreRow>> {
    let corp = scope.corp;
    let waiting = store::batches_waiting(conn, corp).await?;
    let added = added(store::flows(conn, corp, places, Owner::Store, span.from, span.to).await?);
    let added_before = added_in(conn, scope, places, span).await?;
    let row = |store: &Store| StoreRow {
        store_id: store.id,
        name: store.name.clone(),
        region_name: store.region_name.clone(),
        net_sales_fen: Fen(OfStores::net(&of_stores.now, store.id)),
        previous_net_sales_fen: Fen(OfStores::net(&of_stores.before, store.id)),
        batches_waiting: waiting.get(&store.id).copied().unwrap_or(0),
        new_contacts: added.get(&store.id.0).copied().unwrap_or(0),
        previous_new_contacts: added_before.get(&store.id.0).copied().unwrap_or(0),
    };
    let mut rows: Vec<StoreRow> = stores.iter().map(row).collect();
    rows.sort_by(|one, other| fall(one).total_cmp(&fall(other)));
    Ok(rows)
}

async fn added_in(
    conn: &impl Conn,
    scope: &Scope,
    places: &Places,
    span: Span,
) -> Result<BTreeMap<i64, i64>> {
    let (from, to) = (span.compare_from, span.compare_to);
    Ok(added(
        store::flows(conn, scope.corp, places, Owner::Store, from, to).await?,
    ))
}

fn added(flows: Vec<Flow>) -> BTreeMap<i64, i64> {
    flows.into_iter().map(|flow| (flow.owner, flow.added)).collect()
}

/// The change as a share; a store with nothing to compare with neither falls nor rises.
pub(super) fn fall(row: &StoreRow) -> f64 {
    if row.previous_net_sales_fen.0 <= 0 {
        return 0.0;
    }
    row.net_sales_fen.0 as f64 / row.previous_net_sales_fen.0 as f64 - 1.0
}
