//! A store's report: what was sold, against when, by whom, through what, and why it changed.

use std::collections::BTreeMap;

use super::figures::{Facts, Needs, facts, figure};
use super::store::{self, Flow, Owner, Places, Sums};
use super::{AssociateRow, Contribution, DayRow, Report, SourceRow, Span};
use crate::db::Conn;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{AssociateId, CorpId, RegionId, StoreId};
use crate::money::Fen;
use crate::scope::{Reach, Scope};
use crate::tally::Code;
use crate::time::Day;

/// Whose figures: what `scope=` of the API names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Corp,
    Region(RegionId),
    Store(StoreId),
    /// One associate, in whichever store.
    Associate(AssociateId),
}

/// The figures of the report, those of the head first.
const SHOWN: [&str; 26] = [
    "net_sales",
    "orders",
    "atv",
    "online_share",
    "new_contacts",
    "task_done",
    "gmv",
    "refunds",
    "items",
    "buyers",
    "aov_buyer",
    "upt",
    "aur",
    "disc",
    "pd_share",
    "credited_net_sales",
    "credited_orders",
    "link_net_sales",
    "goal",
    "lost_contacts",
    "end_contacts",
    "churn_rate",
    "delivered",
    "deliver_rate",
    "clicks",
    "clickers",
];

/// Everything about one store over a span. An associate's scope may not read it.
pub async fn store_report(conn: &impl Conn, scope: &Scope, store: StoreId, span: Span) -> Result<Report> {
    if matches!(scope.reach, Reach::Own(_)) || !scope.sees_store(store) {
        return Err(Error::NotFound);
    }
    let corp = scope.corp;
    let place = directory::find_store(conn, scope, store).await?;
    let places = Places::store(store);
    let needs = Needs::of(SHOWN);
    let now = facts(conn, corp, &places, needs, span.from, span.to).await?;
    let before = facts(conn, corp, &places, needs, span.compare_from, span.compare_to).await?;
    let (reached, opened, bought) = store::funnel(conn, corp, store, span.from, span.to).await?;
    Ok(Report {
        store_id: store,
        store_code: place.code,
        store_name: place.name,
        from: span.from,
        to: span.to,
        compare_from: span.compare_from,
        compare_to: span.compare_to,
        figures: SHOWN
            .iter()
            .map(|code| figure(code, &now, Some(&before)))
            .collect(),
        days: days(conn, corp, &places, span.from, span.to).await?,
        previous_days: days(conn, corp, &places, span.compare_from, span.compare_to).await?,
        associates: associates(conn, corp, store, span).await?,
        why: why(conn, corp, store, span, &now, &before).await?,
        sources: sources(conn, corp, &places, span).await?,
        funnel: vec![
            ("contacted".to_owned(), reached),
            ("opened".to_owned(), opened),
            ("bought".to_owned(), bought),
        ],
        hours: hours(conn, corp, store, span).await?,
        online_fen: Fen(now.sums.online_net()),
        till_fen: Fen(now.sums.net() - now.sums.online_net()),
        target_fen: now.goal.map(|goal| goal.wanted),
    })
}

/// A row for every day of the span, whether or not anything happened.
pub(super) async fn days(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<Vec<DayRow>> {
    let mut sums = store::sums_by_day(conn, corp, places, from, to).await?;
    let added = store::added_by_day(conn, corp, places, from, to).await?;
    let is_own = matches!(places, Places::Associate(_));
    let row = |day: Day| {
        let sums = sums.remove(&day).unwrap_or_default();
        // An associate's money is what they earned; a store's is what it sold.
        let (net, orders, online) = if is_own {
            (sums.credited_net(), Code::CreditedOrders, sums.link_net())
        } else {
            (sums.net(), Code::Orders, sums.online_net())
        };
        DayRow {
            day: Some(day),
            net_sales_fen: Fen(net),
            orders: sums.get(orders),
            new_contacts: added.get(&day).copied().unwrap_or(0),
            online_fen: Fen(online),
            tasks_due: sums.tasks_due(),
            tasks_done: sums.tasks_done(),
        }
    };
    Ok(from.through(to).map(row).collect())
}

/// The leaderboard: who is in the store, and whoever earned there in either span; the most earned first.
async fn associates(conn: &impl Conn, corp: CorpId, store: StoreId, span: Span) -> Result<Vec<AssociateRow>> {
    let now = store::sums_by_associate(conn, corp, store, span.from, span.to).await?;
    let before = store::sums_by_associate(conn, corp, store, span.compare_from, span.compare_to).await?;
    let places = Places::store(store);
    let flows: BTreeMap<i64, Flow> = store::flows(conn, corp, &places, Owner::Associate, span.from, span.to)
        .await?
        .into_iter()
        .map(|flow| (flow.owner, flow))
        .collect();
    let also: Vec<AssociateId> = now.keys().chain(before.keys()).copied().collect();
    let names = store::associate_names(conn, corp, store, &also).await?;
    let row = |(id, name): (AssociateId, String)| {
        let sums = now.get(&id).cloned().unwrap_or_default();
        let flow = flows.get(&id.0).copied().unwrap_or_default();
        AssociateRow {
            associate_id: id,
            name,
            net_sales_fen: Fen(sums.credited_net()),
            previous_net_sales_fen: Fen(before.get(&id).map_or(0, Sums::credited_net)),
            orders: sums.get(Code::CreditedOrders),
            new_contacts: flow.added,
            lost_contacts: flow.lost,
            tasks_due: sums.tasks_due(),
            tasks_done: sums.tasks_done(),
            delivered: sums.get(Code::Delivered),
            clicks: sums.get(Code::Clicks),
        }
    };
    let mut rows: Vec<AssociateRow> = names.into_iter().map(row).collect();
    // Names are sorted already, and the sort is stable.
    rows.sort_by_key(|row| std::cmp::Reverse(row.net_sales_fen));
    Ok(rows)
}

/// The change in net sales, cut into parts that add up to it exactly: what links sold in the store's own
/// mini-store orders, what the mini-store sold otherwise, how many came to the till at the old average, how
/// much more each of them paid, and refunds.
async fn why(
    conn: &impl Conn,
    corp: CorpId,
    store: StoreId,
    span: Span,
    now: &Facts,
    before: &Facts,
) -> Result<Vec<Contribution>> {
    let links = store::link_sales(conn, corp, store, span.from, span.to).await?;
    let links_before = store::link_sales(conn, corp, store, span.compare_from, span.compare_to).await?;
    let sold = |links: &[(String, i64)]| links.iter().map(|(_, paid)| *paid).sum::<i64>();
    let change = |code| now.sums.get(code) - before.sums.get(code);
    let by_link = sold(&links) - sold(&links_before);
    let visits = store::till_orders(conn, corp, store, span.from, span.to).await?;
    let visits_before = store::till_orders(conn, corp, store, span.compare_from, span.compare_to).await?;
    let till = change(Code::Gmv) - change(Code::GmvMiniStore);
    let till_before = before.sums.get(Code::Gmv) - before.sums.get(Code::GmvMiniStore);
    let by_visits = visits_effect(visits, visits_before, till, till_before);
    let part = |code: &str, fen: i64, note: Option<String>| Contribution {
        code: code.to_owned(),
        change_fen: Fen(fen),
        note,
    };
    let best = links
        .into_iter()
        .map(|(title, _)| title)
        .find(|title| !title.is_empty());
    Ok(vec![
        part("store_link", by_link, best),
        part("till_price", till - by_visits, None),
        part("till_visits", by_visits, None),
        part("mini_store_other", change(Code::GmvMiniStore) - by_link, None),
        part("refunds", -change(Code::Refund), None),
    ])
}

/// More or fewer orders at the average of before. Where there were none before, everything is their coming.
fn visits_effect(visits: i64, visits_before: i64, till_change: i64, till_before: i64) -> i64 {
    if visits_before == 0 {
        return till_change;
    }
    let effect = i128::from(visits - visits_before) * i128::from(till_before) / i128::from(visits_before);
    i64::try_from(effect).unwrap_or(till_change)
}

async fn sources(conn: &impl Conn, corp: CorpId, places: &Places, span: Span) -> Result<Vec<SourceRow>> {
    let earned = store::credits_by_source(conn, corp, places, span.from, span.to).await?;
    let mut taken = store::refunds_by_source(conn, corp, places, span.from, span.to).await?;
    let mut rows: Vec<SourceRow> = earned
        .into_iter()
        .map(|row| SourceRow {
            net_fen: Fen(row.paid_fen - taken.remove(&row.source).unwrap_or(0)),
            source: row.source,
            orders: row.orders,
        })
        .collect();
    // Refunds of earlier spans' orders may stand alone.
    rows.extend(taken.into_iter().map(|(source, fen)| SourceRow {
        source,
        net_fen: Fen(-fen),
        orders: 0,
    }));
    rows.sort_by_key(|row| std::cmp::Reverse(row.net_fen));
    Ok(rows)
}

/// 7 rows from Monday, 24 hours each.
async fn hours(conn: &impl Conn, corp: CorpId, store: StoreId, span: Span) -> Result<Vec<Vec<i64>>> {
    let mut hours = vec![vec![0; 24]; 7];
    for (day, hour, orders) in store::orders_by_hour(conn, corp, store, span.from, span.to).await? {
        hours[day.weekday() as usize][hour.rem_euclid(24) as usize] += orders;
    }
    Ok(hours)
}
