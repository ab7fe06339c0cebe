//! Distinct people and credited money of each day of a span, each day counted anew: a statement for all days.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::FromQueryResult;

use super::{Flow, Places, person, within};
use crate::db::{self, Conn, Filter};
use crate::error::Result;
use crate::ids::{ContactId, CorpId};
use crate::money::Fen;
use crate::time::{Day, Timestamp};

/// Counts by day; days without any are left out.
async fn counted(conn: &impl Conn, sql: &str, filter: Filter) -> Result<BTreeMap<Day, i64>> {
    let rows = db::rows(conn, sql, filter.args).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Distinct people who bought in these places, by day.
pub async fn buyers_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<Day, i64>> {
    let filter = super::bought(conn, corp, places, from, to);
    let sql = format!(
        "select s.day, count(distinct {}) from sale s where {} group by s.day",
        person("s"),
        filter.sql()
    );
    counted(conn, &sql, filter).await
}

/// Distinct people whose counted clicks we know to be theirs, by day.
pub async fn clickers_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<Day, i64>> {
    let mut filter = Filter::new("k.corp_id", corp);
    within(&mut filter, "k.day", from, to);
    places.narrow(&mut filter, conn.backend(), "k");
    let sql = format!(
        "select k.day, count(distinct k.contact_id) from click k where {} and k.kind = 'person' group by k.day",
        filter.sql()
    );
    counted(conn, &sql, filter).await
}

/// Net amount credited to these places by day and by what earned it: refunds count on their own day.
pub async fn credited_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<Vec<(Day, String, Fen)>> {
    let mut filter = Filter::new("c.corp_id", corp);
    places.narrow(&mut filter, conn.backend(), "c");
    let inner = filter.sql().to_owned();
    let (first, last) = (filter.arg(from), filter.arg(to));
    let sql = format!(
        "select c.day, c.source, cast(sum(c.paid_fen) as bigint) from credit c
         where {inner} and c.day >= {first} and c.day <= {last} group by c.day, c.source
         union all
         select a.day, c.source, -cast(sum(a.refund_fen) as bigint)
         from adjustment a join credit c on c.corp_id = a.corp_id and c.order_id = a.order_id and c.part = a.part
         where {inner} and a.corp_id = $1 and a.day >= {first} and a.day <= {last} group by a.day, c.source"
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| {
            let fen = Fen(db::column(row, 2)?);
            Ok((db::column(row, 0)?, db::column(row, 1)?, fen))
        })
        .collect()
}

/// Goals of these places by month (`2026-11`), together.
pub async fn goals(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: &str,
    to: &str,
) -> Result<BTreeMap<String, Fen>> {
    if matches!(places, Places::Associate(_)) {
        return Ok(BTreeMap::new());
    }
    let mut filter = Filter::new("g.corp_id", corp);
    filter.and("g.month >= {}", from);
    filter.and("g.month <= {}", to);
    places.narrow(&mut filter, conn.backend(), "g");
    let sql = format!(
        "select g.month, cast(sum(g.net_sales_fen) as bigint) from target g where {} group by g.month",
        filter.sql()
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, Fen(db::column(row, 1)?))))
        .collect()
}

/// A stretch in which contacts were in.
#[derive(Debug, Clone, Copy, FromQueryResult)]
struct Stay {
    contact_id: ContactId,
    from_at: Timestamp,
    from_day: Day,
    /// 1: it began by a transfer or a move.
    from_moved: i64,
    until_at: Option<Timestamp>,
    until_day: Option<Day>,
    until_moved: i64,
    /// How many contacts had one like it, and no other.
    people: i64,
}

/// How contacts came and went on each day; every day of the span is there.
///
/// Most contacts came once and perhaps left: they are counted together. The rest are walked one by one.
pub async fn flow_by_day(
    conn: &impl Conn,
    corp: CorpId,
    places: &Places,
    from: Day,
    to: Day,
) -> Result<BTreeMap<Day, Flow>> {
    let mut walk = Walk::through(from, to);
    for stay in once(conn, corp, places, from, to).await? {
        walk.take(&[stay], stay.people);
    }
    let stays = more_than_once(conn, corp, places, to).await?;
    for of_contact in stays.chunk_by(|one, next| one.contact_id == next.contact_id) {
        walk.take(of_contact, 1);
    }
    Ok(walk.finish())
}

const MOVED: &str = "in ('transfer', 'moved')";

async fn once(conn: &impl Conn, corp: CorpId, places: &Places, from: Day, to: Day) -> Result<Vec<Stay>> {
    let mut filter = Filter::new("p.corp_id", corp);
    places.narrow(&mut filter, conn.backend(), "p");
    let inner = filter.sql().to_owned();
    // What lies outside the span need not be told apart.
    let (before, first, last) = (filter.arg(from.plus(-1)), filter.arg(from), filter.arg(to));
    let sql = format!(
        "select cast(0 as bigint) as contact_id, cast(0 as bigint) as from_at, from_day,
           cast(from_moved as bigint) as from_moved, cast(null as bigint) as until_at, until_day,
           cast(until_moved as bigint) as until_moved, count(*) as people
         from (
           select case when min(p.from_day) < {first} then {before} else min(p.from_day) end as from_day,
             max(case when p.from_cause {MOVED} then 1 else 0 end) as from_moved,
             max(case when p.until_day <= {last} then p.until_day end) as until_day,
             max(case when p.until_day <= {last} and p.until_cause {MOVED} then 1 else 0 end) as until_moved
           from follow_period p where {inner} and p.from_day <= {last} group by p.contact_id
           having count(*) = 1 and (max(p.until_day) is null or max(p.until_day) >= {first})
         ) whole group by from_day, from_moved, until_day, until_moved"
    );
    db::all(conn, &sql, filter.args).await
}

async fn more_than_once(conn: &impl Conn, corp: CorpId, places: &Places, to: Day) -> Result<Vec<Stay>> {
    let mut filter = Filter::new("p.corp_id", corp);
    places.narrow(&mut filter, conn.backend(), "p");
    filter.and("p.from_day <= {}", to);
    let sql = format!(
        "select p.contact_id, p.from_at, p.from_day,
           cast(case when p.from_cause {MOVED} then 1 else 0 end as bigint) as from_moved, p.until_at, p.until_day,
           cast(case when p.until_cause {MOVED} then 1 else 0 end as bigint) as until_moved,
           cast(1 as bigint) as people
         from follow_period p where {} and p.contact_id in (
           select p.contact_id from follow_period p where {} group by p.contact_id having count(*) > 1)
         order by p.contact_id",
        filter.sql(),
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// Goes through the days with one contact after the other, in the words of [`super::flows`].
struct Walk {
    from: Day,
    days: BTreeMap<Day, Flow>,
    at_start: i64,
}

impl Walk {
    fn through(from: Day, to: Day) -> Self {
        Self {
            from,
            days: from.through(to).map(|day| (day, Flow::default())).collect(),
            at_start: 0,
        }
    }

    fn take(&mut self, stays: &[Stay], people: i64) {
        let is_in = |day: Day| {
            let covers = |stay: &Stay| stay.from_day <= day && stay.until_day.is_none_or(|until| until > day);
            stays.iter().any(covers)
        };
        if is_in(self.from.plus(-1)) {
            self.at_start += people;
        }
        let turns: BTreeSet<Day> = stays
            .iter()
            .flat_map(|stay| [Some(stay.from_day), stay.until_day])
            .flatten()
            .collect();
        for day in turns {
            let Some(flow) = self.days.get_mut(&day) else {
                continue;
            };
            let counter = match (is_in(day.plus(-1)), is_in(day)) {
                (false, true) if stays.iter().any(|stay| stay.from_day < day) => &mut flow.returned,
                (false, true) if is_brought(stays) => &mut flow.moved_in,
                (false, true) => &mut flow.added,
                (true, false) if is_taken(stays, day) => &mut flow.moved_out,
                (true, false) => &mut flow.lost,
                _ => continue,
            };
            *counter += people;
        }
    }

    fn finish(mut self) -> BTreeMap<Day, Flow> {
        let mut people = self.at_start;
        for flow in self.days.values_mut() {
            flow.at_start = people;
            people += flow.added + flow.moved_in + flow.returned - flow.lost - flow.moved_out;
            flow.at_end = people;
        }
        self.days
    }
}

/// Whether the first stay began by a transfer or a move.
fn is_brought(stays: &[Stay]) -> bool {
    let first = stays.iter().map(|stay| stay.from_at).min();
    stays
        .iter()
        .any(|stay| stay.from_moved == 1 && Some(stay.from_at) == first)
}

/// Whether the last end until a day was a transfer or a move.
fn is_taken(stays: &[Stay], day: Day) -> bool {
    let ended = || {
        stays
            .iter()
            .filter(|stay| stay.until_day.is_some_and(|until| until <= day))
    };
    let last = ended().map(|stay| stay.until_at).max();
    ended().any(|stay| stay.until_moved == 1 && Some(stay.until_at) == last)
}
