//! Figures that add up, from the tallies; and goals.

use std::collections::BTreeMap;

use super::{Places, within};
use crate::args;
use crate::db::{self, Conn, Filter};
use crate::error::Result;
use crate::ids::{AssociateId, CorpId, RegionId, StoreId};
use crate::money::Fen;
use crate::tally::Code;
use crate::time::Day;

/// Sums of tallies by code; what was never counted is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, i64>);

impl Sums {
    pub fn get(&self, code: Code) -> i64 {
        self.0.get(code.as_str()).copied().unwrap_or(0)
    }

    fn add(&mut self, code: String, value: i64) {
        *self.0.entry(code).or_insert(0) += value;
    }

    pub fn merge(&mut self, other: &Sums) {
        for (code, value) in &other.0 {
            self.add(code.clone(), *value);
        }
    }
}

/// Sums over the whole span.
pub async fn sums(conn: &impl Conn, corp: CorpId, places: &Places, from: Day, to: Day) -> Result<Sums> {
    let mut filter = Filter::new("t.corp_id", corp);
    within(&mut filter, "t.day", from, to);
    places.narrow(&mut filter, conn.backend(), "t");
    let sql = format!(
        "select t.code, cast(sum(t.value) as bigint) from {} t where {} group by t.code",
        places.tally_table(),
        filter.sql()
    );
    let mut sums = Sums::default();
    for row in db::rows(conn, &sql, filter.args).await? {
        sums.add(db::column(&row, 0)?, db::column(&row, 1)?);
    }
    Ok(sums)
}

/// Sums of each day; days without figures are left out.
pub async fn sums_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<Day, Sums>> {
    let mut filter = Filter::new("t.corp_id", corp);
    within(&mut filter, "t.day", from, to);
    places.narrow(&mut filter, conn.backend(), "t");
    let sql = format!(
        "select t.day, t.code, cast(sum(t.value) as bigint) from {} t where {} group by t.day, t.code",
        places.tally_table(),
        filter.sql()
    );
    let mut days: BTreeMap<Day, Sums> = BTreeMap::new();
    for row in db::rows(conn, &sql, filter.args).await? {
        let day = db::column(&row, 0)?;
        days.entry(day)
            .or_default()
            .add(db::column(&row, 1)?, db::column(&row, 2)?);
    }
    Ok(days)
}

/// Sums of each store.
pub async fn sums_by_store(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<StoreId, Sums>> {
    let mut filter = Filter::new("t.corp_id", corp);
    within(&mut filter, "t.day", from, to);
    places.narrow(&mut filter, conn.backend(), "t");
    let sql = format!(
        "select t.store_id, t.code, cast(sum(t.value) as bigint) from store_day t where {} group by t.store_id, t.code",
        filter.sql()
    );
    let mut stores: BTreeMap<StoreId, Sums> = BTreeMap::new();
    for row in db::rows(conn, &sql, filter.args).await? {
        let store = StoreId(db::column(&row, 0)?);
        stores
            .entry(store)
            .or_default()
            .add(db::column(&row, 1)?, db::column(&row, 2)?);
    }
    Ok(stores)
}

/// Sums of each associate for what they did in one store.
pub async fn sums_by_associate(
    conn: &impl Conn,
    corp: CorpId,
    store: StoreId,
    from: Day,
    to: Day,
) -> Result<BTreeMap<AssociateId, Sums>> {
    let rows = db::rows(
        conn,
        "select associate_id, code, cast(sum(value) as bigint) from associate_day
         where corp_id = $1 and store_id = $2 and day >= $3 and day <= $4 group by associate_id, code",
        args![corp, store, from, to],
    )
    .await?;
    let mut associates: BTreeMap<AssociateId, Sums> = BTreeMap::new();
    for row in rows {
        let associate = AssociateId(db::column(&row, 0)?);
        associates
            .entry(associate)
            .or_default()
            .add(db::column(&row, 1)?, db::column(&row, 2)?);
    }
    Ok(associates)
}

/// Net sales of each region and day, stores counted where they belong now.
pub async fn net_by_region_and_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<(RegionId, Day), i64>> {
    let mut filter = Filter::new("t.corp_id", corp);
    within(&mut filter, "t.day", from, to);
    places.narrow(&mut filter, conn.backend(), "t");
    let sql = format!(
        "select s.region_id, t.day, cast(sum(case when t.code = 'gmv' then t.value else -t.value end) as bigint)
         from store_day t join store s on s.corp_id = t.corp_id and s.id = t.store_id
         where {} and t.code in ('gmv', 'refund') group by s.region_id, t.day",
        filter.sql()
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| {
            let region = RegionId(db::column(row, 0)?);
            Ok(((region, db::column(row, 1)?), db::column(row, 2)?))
        })
        .collect()
}

/// Goals of these places for a month, together; `None` where no store has one.
pub async fn goal(conn: &impl Conn, corp: CorpId, places: &Places, month: &str) -> Result<Option<Fen>> {
    if matches!(places, Places::Associate(_)) {
        return Ok(None);
    }
    let mut filter = Filter::new("g.corp_id", corp);
    filter.and("g.month = {}", month);
    places.narrow(&mut filter, conn.backend(), "g");
    let sql = format!(
        "select cast(sum(g.net_sales_fen) as bigint) from target g where {}",
        filter.sql()
    );
    let sum: Option<Option<i64>> = db::scalar(conn, &sql, filter.args).await?;
    Ok(sum.flatten().map(Fen))
}
