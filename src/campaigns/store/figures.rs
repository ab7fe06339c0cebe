//! Figures of a campaign in scope. `click`, `credit`, `adjustment`, `sale` and `refund` are only read.

use sea_orm::FromQueryResult;

use crate::campaigns::Progress;
use crate::db::{self, Conn, Filter};
use crate::error::Result;
use crate::ids::{CampaignId, StoreId};
use crate::money::Fen;
use crate::scope::Scope;
use crate::time::{HOUR_MS, Timestamp};

/// Rows of one campaign in scope; `alias` is the table's.
fn of_campaign(conn: &impl Conn, scope: &Scope, id: CampaignId, alias: &str) -> Filter {
    let mut filter = Filter::new(&format!("{alias}.corp_id"), scope.corp);
    filter.and(&format!("{alias}.campaign_id = {{}}"), id);
    scope.narrow(&mut filter, conn.backend(), alias);
    filter
}

/// Deliveries by state and reason.
pub async fn states(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Vec<StateRow>> {
    let filter = of_campaign(conn, scope, id, "d");
    let sql = format!(
        "select d.state, d.reason, count(*) as contacts from delivery d where {} group by d.state, d.reason",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// Associates with somebody to send to, and those who confirmed.
pub async fn count_associates(
    conn: &impl Conn,
    scope: &Scope,
    id: CampaignId,
    progress: &mut Progress,
) -> Result<()> {
    let filter = of_campaign(conn, scope, id, "b");
    let sql = format!(
        "select count(distinct b.associate_id), count(distinct case when b.confirmed_at is not null then b.associate_id end)
           from batch b where {} and b.contacts > 0",
        filter.sql()
    );
    if let Some(row) = db::rows(conn, &sql, filter.args).await?.first() {
        progress.associates = db::column(row, 0)?;
        progress.associates_confirmed = db::column(row, 1)?;
    }
    Ok(())
}

/// Clicks, and the people who clicked.
pub async fn count_clicks(
    conn: &impl Conn,
    scope: &Scope,
    id: CampaignId,
    progress: &mut Progress,
) -> Result<()> {
    let filter = of_campaign(conn, scope, id, "k");
    let sql = format!(
        "select count(distinct k.contact_id), count(*) from click k where {} and k.kind = 'person'",
        filter.sql()
    );
    if let Some(row) = db::rows(conn, &sql, filter.args).await?.first() {
        progress.clickers = db::column(row, 0)?;
        progress.clicks = db::column(row, 1)?;
    }
    Ok(())
}

/// Orders credited to the campaign, and what they brought.
pub async fn count_orders(
    conn: &impl Conn,
    scope: &Scope,
    id: CampaignId,
    progress: &mut Progress,
) -> Result<()> {
    let filter = of_campaign(conn, scope, id, "c");
    let sql = format!(
        "select count(distinct c.order_id), count(distinct c.contact_id), coalesce(cast(sum(c.paid_fen) as bigint), 0)
           from credit c where {}",
        filter.sql()
    );
    if let Some(row) = db::rows(conn, &sql, filter.args).await?.first() {
        progress.orders = db::column(row, 0)?;
        progress.buyers = db::column(row, 1)?;
        progress.net_fen = db::column(row, 2)?;
    }
    let filter = of_campaign(conn, scope, id, "c");
    let sql = format!(
        "select coalesce(cast(sum(j.refund_fen) as bigint), 0) from credit c
           join adjustment j on j.corp_id = c.corp_id and j.order_id = c.order_id and j.part = c.part where {}",
        filter.sql()
    );
    progress.net_fen -= Fen(db::count(conn, &sql, filter.args).await?);
    Ok(())
}

/// Deliveries by store, with what the store is called.
pub async fn store_rows(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Vec<StoreRow>> {
    let filter = of_campaign(conn, scope, id, "d");
    let sql = format!(
        "select d.store_id, coalesce(s.name, '') as store_name, count(*) as eligible,
                count(case when d.state = 'sent' then 1 end) as sent,
                count(distinct d.associate_id) as associates,
                count(distinct case when b.confirmed_at is not null then d.associate_id end) as associates_confirmed
           from delivery d
           left join store s on s.corp_id = d.corp_id and s.id = d.store_id
           left join batch b on b.corp_id = d.corp_id and b.id = d.batch_id
          where {} and d.state <> 'excluded'
          group by d.store_id, s.name",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// What was sent in each hour after the start.
pub async fn sent_by_hour(
    conn: &impl Conn,
    scope: &Scope,
    id: CampaignId,
    start: Timestamp,
) -> Result<Vec<HourRow>> {
    let mut filter = of_campaign(conn, scope, id, "d");
    let from = filter.arg(start);
    let sql = format!(
        "select (d.sent_at - {from}) / {HOUR_MS} as hours, count(*) as sent from delivery d
          where {} and d.state = 'sent' and d.sent_at is not null group by 1 order by 1",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// The treated and the held out, with what they bought between two instants.
pub async fn arms(
    conn: &impl Conn,
    scope: &Scope,
    id: CampaignId,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<ArmRow>> {
    let mut filter = of_campaign(conn, scope, id, "d");
    let from = filter.arg(from);
    let until = filter.arg(until);
    // Whoever was given a sender was meant to get it, whatever became of that.
    let sql = format!(
        "select cast(case when d.batch_id is null then 0 else 1 end as bigint) as treated, count(*) as people,
                count(p.contact_id) as buyers, coalesce(cast(sum(p.net) as bigint), 0) as net_fen
           from delivery d
           left join (select s.contact_id, cast(sum(s.paid_fen - coalesce((select sum(r.refund_fen) from refund r
                               where r.corp_id = $1 and r.order_id = s.id), 0)) as bigint) as net
                        from sale s where s.corp_id = $1 and s.contact_id is not null
                         and s.paid_at >= {from} and s.paid_at < {until}
                       group by s.contact_id) p on p.contact_id = d.contact_id
          where {} and (d.batch_id is not null or d.reason = 'holdout')
          group by 1",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

#[derive(FromQueryResult)]
pub struct StateRow {
    pub state: String,
    pub reason: Option<String>,
    pub contacts: i64,
}

#[derive(FromQueryResult)]
pub struct StoreRow {
    pub store_id: Option<StoreId>,
    pub store_name: String,
    pub eligible: i64,
    pub sent: i64,
    pub associates: i64,
    pub associates_confirmed: i64,
}

#[derive(FromQueryResult)]
pub struct HourRow {
    pub hours: i64,
    pub sent: i64,
}

#[derive(FromQueryResult)]
pub struct ArmRow {
    pub treated: i64,
    pub people: i64,
    pub buyers: i64,
    pub net_fen: i64,
}
