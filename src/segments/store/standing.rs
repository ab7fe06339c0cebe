//! Statements on how one contact stands.

use chrono_tz::Tz;

use crate::db::{self, Conn, Filter};
use crate::error::Result;
use crate::ids::{ContactId, CorpId};
use crate::segments::rule::{buyers, condition_among, fifths, year};
use crate::segments::standing::{Bought, Ends};
use crate::segments::{Rule, Stage};
use crate::time::Day;

const STAGES: [(Stage, &str); 5] = [
    (Stage::New, "new"),
    (Stage::Active, "active"),
    (Stage::Cooling, "cooling"),
    (Stage::Dormant, "dormant"),
    (Stage::Lost, "lost"),
];

/// The stage whose rule finds the contact.
pub async fn stage_of(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
    today: Day,
    zone: Tz,
) -> Result<Option<Stage>> {
    let mut filter = Filter::new("c.corp_id", corp);
    let place = filter.arg(contact);
    let among = format!("{{}} = {place}");
    let cases: Vec<String> = STAGES
        .iter()
        .map(|(stage, name)| {
            let rule = Rule::Stage(*stage);
            let holds = condition_among(&rule, &mut filter, "c.id", &among, today, zone);
            format!("when {holds} then '{name}'")
        })
        .collect();
    let sql = format!(
        "select case {} else '' end from contact c where {} and c.id = {place}",
        cases.join(" "),
        filter.sql()
    );
    let found: Option<String> = db::scalar(conn, &sql, filter.args).await?;
    let found = found.unwrap_or_default();
    let stage = STAGES.into_iter().find(|(_, name)| *name == found);
    Ok(stage.map(|(stage, _)| stage))
}

/// What the contact bought in the year that RFM looks back on; `None`: nothing.
pub async fn bought(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
    today: Day,
    zone: Tz,
) -> Result<Option<Bought>> {
    let mut filter = Filter::new("s.corp_id", corp);
    let (from, until) = year(today, zone);
    let (from, until) = (filter.arg(from), filter.arg(until));
    let among = format!(" and s.contact_id = {}", filter.arg(contact));
    let sql = format!(
        "select t.last_at, t.days, t.net from ({}) t",
        buyers(&from, &until, &among)
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.first()
        .map(|row| {
            Ok(Bought {
                last_at: db::column(row, 0)?,
                days: db::column(row, 1)?,
                net: db::column(row, 2)?,
            })
        })
        .transpose()
}

/// Where each fifth of everybody who bought in the year ends.
pub async fn ends(conn: &impl Conn, corp: CorpId, today: Day, zone: Tz) -> Result<Ends> {
    let mut filter = Filter::new("s.corp_id", corp);
    let (from, until) = year(today, zone);
    let (from, until) = (filter.arg(from), filter.arg(until));
    let last_of = |score: &str, value: &str| {
        format!(
            "select cast('{score}' as text) as score, cast(x.fifth as bigint) as fifth, x.value, x.contact_id
               from (select {score} as fifth, {value} as value, contact_id,
                       row_number() over (partition by {score} order by {value} desc, contact_id desc) as place
                     from fifths) x
              where x.place = 1"
        )
    };
    let sql = format!(
        "with fifths as ({}) {} union all {} union all {} order by 1, 2",
        fifths(&buyers(&from, &until, "")),
        last_of("r", "last_at"),
        last_of("f", "days"),
        last_of("m", "net")
    );
    let mut ends = Ends::default();
    for row in &db::rows(conn, &sql, filter.args).await? {
        let end = (db::column(row, 2)?, db::column(row, 3)?);
        match db::column::<String>(row, 0)?.as_str() {
            "r" => ends.r.push(end),
            "f" => ends.f.push(end),
            _ => ends.m.push(end),
        }
    }
    Ok(ends)
}
