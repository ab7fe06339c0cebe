//! Statements on campaigns, batches and deliveries: reads of one or many, and the moves of their states.

mod drafts;
mod figures;
mod moves;
mod people;

pub(super) use drafts::*;
pub(super) use figures::*;
pub(super) use moves::*;
pub(super) use people::*;

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use super::*;
use crate::args;
use crate::db::{self, Backend, Conn, Filter, Tx};
use crate::directory::QuotaMode;
use crate::error::{Error, Result, said};
use crate::ids::{
    AssociateId, BatchId, CampaignId, ContactId, CorpId, ExternalUserId, SegmentId, StoreId, UserId,
};
use crate::page::{Page, PageOf};
use crate::scope::{Reach, Scope};
use crate::time::Timestamp;
use crate::wecom::broadcast::Broadcast;

const CAMPAIGN: &str = "select m.id, m.name, m.state, m.segment_id, m.rule, m.content, m.send_at, m.zone, m.deadline,
       m.late_after_minutes, m.holdout_percent, m.priority, m.created_by, m.changed_by, m.approved_by,
       m.approved_segment_version, m.approved_eligible, m.starts_at, m.ends_at, m.frozen_at, m.started_at, m.finished_at, m.version, m.created_at, m.updated_at from campaign m";

/// Campaigns, newest first. A store's or an associate's scope lists those with a batch in it.
pub async fn list(
    conn: &impl Conn,
    scope: &Scope,
    state: Option<CampaignState>,
    page: &PageOf,
) -> Result<Page<Campaign>> {
    let mut filter = in_scope(scope, conn.backend());
    if let Some(state) = state {
        filter.and("m.state = {}", state.as_str());
    }
    if let Some((at, id)) = page.after::<(i64, i64)>()? {
        let (at, id) = (filter.arg(at), filter.arg(id));
        filter.and_sql(&format!(
            "(m.created_at < {at} or (m.created_at = {at} and m.id < {id}))"
        ));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "{CAMPAIGN} where {} order by m.created_at desc, m.id desc limit {limit}",
        filter.sql()
    );
    let rows = db::all::<CampaignRow>(conn, &sql, filter.args).await?;
    let campaigns = rows.into_iter().map(Campaign::try_from).collect::<Result<_>>()?;
    Ok(Page::cut(campaigns, page, |campaign: &Campaign| {
        (campaign.created_at.0, campaign.id.0)
    }))
}

pub async fn find(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Campaign> {
    let mut filter = in_scope(scope, conn.backend());
    filter.and("m.id = {}", id);
    let sql = format!("{CAMPAIGN} where {}", filter.sql());
    db::find::<CampaignRow>(conn, &sql, filter.args).await?.try_into()
}

/// Campaigns to a segment, newest first.
pub async fn of_segment(
    conn: &impl Conn,
    scope: &Scope,
    segment: SegmentId,
    limit: i64,
) -> Result<Vec<Campaign>> {
    let mut filter = in_scope(scope, conn.backend());
    filter.and("m.segment_id = {}", segment);
    let limit = filter.arg(limit);
    let sql = format!(
        "{CAMPAIGN} where {} order by m.created_at desc, m.id desc limit {limit}",
        filter.sql()
    );
    let rows = db::all::<CampaignRow>(conn, &sql, filter.args).await?;
    rows.into_iter().map(Campaign::try_from).collect()
}

fn in_scope(scope: &Scope, backend: Backend) -> Filter {
    let mut filter = Filter::new("m.corp_id", scope.corp);
    let own = match &scope.reach {
        Reach::Whole => return filter,
        Reach::Stores(stores) => {
            let place = filter.arg(db::id_list(stores.iter().map(|store| store.0)));
            backend.in_ids("b.store_id", &place)
        }
        Reach::Own(associate) => format!("b.associate_id = {}", filter.arg(*associate)),
    };
    filter.and_sql(&format!(
        "exists (select 1 from batch b where b.corp_id = $1 and b.campaign_id = m.id and {own})"
    ));
    filter
}

pub async fn deliveries(
    conn: &impl Conn,
    scope: &Scope,
    id: CampaignId,
    state: Option<DeliveryState>,
    page: &PageOf,
) -> Result<Page<Delivery>> {
    find(conn, scope, id).await?;
    let mut filter = Filter::new("d.corp_id", scope.corp);
    filter.and("d.campaign_id = {}", id);
    scope.narrow(&mut filter, conn.backend(), "d");
    if let Some(state) = state {
        filter.and("d.state = {}", state.as_str());
    }
    if let Some(after) = page.after::<i64>()? {
        filter.and("d.contact_id > {}", after);
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "select d.contact_id, coalesce(c.name, '') as contact_name, d.associate_id, d.store_id, d.batch_id, d.state,
                d.reason, d.sent_at
           from delivery d left join contact c on c.corp_id = d.corp_id and c.id = coalesce(
             (select m.contact_id from merged_contact m where m.corp_id = d.corp_id and m.id = d.contact_id), d.contact_id)
          where {} order by d.contact_id limit {limit}",
        filter.sql()
    );
    let rows = db::all::<DeliveryRow>(conn, &sql, filter.args).await?;
    let deliveries = rows.into_iter().map(Delivery::try_from).collect::<Result<_>>()?;
    Ok(Page::cut(deliveries, page, |delivery: &Delivery| {
        delivery.contact_id.0
    }))
}

/// Batches of an associate: waiting first by deadline, then those confirmed since `since`.
pub async fn batches_of(
    conn: &impl Conn,
    scope: &Scope,
    associate: AssociateId,
    since: Timestamp,
) -> Result<Vec<WaitingBatch>> {
    let mut filter = Filter::new("b.corp_id", scope.corp);
    filter.and("b.associate_id = {}", associate);
    scope.narrow(&mut filter, conn.backend(), "b");
    filter.and(
        "b.state = 'handed' and (b.confirmed_at >= {} or (b.confirmed_at is null and b.next_poll_at is not null))",
        since,
    );
    let sql = format!(
        "select b.id as batch_id, b.campaign_id, m.name as campaign_name, b.body, b.contacts, m.ends_at, b.handed_at,
                b.confirmed_at
           from batch b join campaign m on m.corp_id = b.corp_id and m.id = b.campaign_id
          where {} order by case when b.confirmed_at is null then 0 else 1 end, m.ends_at, b.id",
        filter.sql()
    );
    let rows = db::all::<WaitingRow>(conn, &sql, filter.args).await?;
    let mut names = first_names(conn, scope.corp, rows.iter().map(|row| row.batch_id)).await?;
    Ok(rows
        .into_iter()
        .map(|row| WaitingBatch {
            batch_id: row.batch_id,
            campaign_id: row.campaign_id,
            campaign_name: row.campaign_name,
            text: said(row.body.as_deref()),
            contacts: row.contacts,
            names: names.remove(&row.batch_id).unwrap_or_default(),
            ends_at: row.ends_at,
            handed_at: row.handed_at,
            confirmed_at: row.confirmed_at,
        })
        .collect())
}

/// The text of a frozen body.
fn said(body: Option<&str>) -> String {
    let body = body.and_then(|body| serde_json::from_str::<Broadcast>(body).ok());
    body.and_then(|body| body.message.text)
        .map(|text| text.content)
        .unwrap_or_default()
}

async fn first_names(
    conn: &impl Conn,
    corp: CorpId,
    batches: impl Iterator<Item = BatchId>,
) -> Result<HashMap<BatchId, Vec<String>>> {
    let sql = format!(
        "select t.batch_id, t.name from (
           select d.batch_id, c.name, row_number() over (partition by d.batch_id order by d.contact_id) as place
             from delivery d join contact c on c.corp_id = d.corp_id and c.id = d.contact_id
            where d.corp_id = $1 and {} and d.state <> 'excluded') t
          where t.place <= 3 order by t.batch_id, t.place",
        conn.backend().in_ids("d.batch_id", "$2")
    );
    let ids = db::id_list(batches.map(|batch| batch.0));
    let mut names: HashMap<BatchId, Vec<String>> = Default::default();
    for row in db::rows(conn, &sql, args![corp, ids]).await? {
        names
            .entry(db::column(&row, 0)?)
            .or_default()
            .push(db::column(&row, 1)?);
    }
    Ok(names)
}

/// Moves a campaign on; no row means that it was not in the state it was thought to be in.
///
/// # Errors
/// `Conflict`, naming the state it is in.
pub(super) async fn move_on(
    tx: &Tx,
    corp: CorpId,
    id: CampaignId,
    from: CampaignState,
    to: CampaignState,
    now: Timestamp,
) -> Result<()> {
    debug_assert!(from.may_become(to), "{from:?} to {to:?}");
    let sql = "update campaign set state = $4, updated_at = $5, version = version + 1
                where corp_id = $1 and id = $2 and state = $3";
    let moved = db::run(tx, sql, args![corp, id, from.as_str(), to.as_str(), now]).await?;
    if moved == 0 {
        return Err(Error::conflict(said!(
            "conflict-campaign-moved-on",
            "campaign `{id}` is not {state} any more; look again",
            id = id.to_string(),
            state = from.as_str()
        )));
    }
    Ok(())
}

/// Moves the deliveries that a filter of [`deliveries_in`] leaves, and answers whose they are.
pub(super) async fn move_deliveries(
    tx: &Tx,
    mut filter: Filter,
    to: DeliveryState,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Vec<ContactId>> {
    let (state, reason, now) = (filter.arg(to.as_str()), filter.arg(reason), filter.arg(now));
    let sql = format!(
        "update delivery set state = {state}, reason = cast({reason} as text), updated_at = {now} where {} returning contact_id",
        filter.sql()
    );
    db::scalars(tx, &sql, filter.args).await
}

/// Deliveries of a campaign in one of these states.
pub(super) fn deliveries_in(corp: CorpId, campaign: CampaignId, states: &[DeliveryState]) -> Filter {
    let mut filter = Filter::new("corp_id", corp);
    filter.and("campaign_id = {}", campaign);
    let names: Vec<String> = states
        .iter()
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    filter.and_sql(&format!("state in ({})", names.join(",")));
    filter
}

/// Deliveries of a batch in one of these states.
pub(super) fn deliveries_of(corp: CorpId, batch: &Batch, states: &[DeliveryState]) -> Filter {
    let mut filter = deliveries_in(corp, batch.campaign_id, states);
    filter.and("batch_id = {}", batch.id);
    filter
}

/// A batch with everything its handing over and its results need.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Batch {
    pub id: BatchId,
    pub campaign_id: CampaignId,
    pub associate_id: AssociateId,
    pub store_id: Option<StoreId>,
    pub state: String,
    pub marker: String,
    pub msgid: Option<String>,
    pub call_started_at: Option<Timestamp>,
    pub handed_at: Option<Timestamp>,
    pub confirmed_at: Option<Timestamp>,
    pub next_poll_at: Option<Timestamp>,
    pub userid: UserId,
    pub associate_name: String,
    pub associate_status: String,
    pub store_name: Option<String>,
    /// Of the store, else of the corp: whose midnight begins a day.
    zone: String,
    quota_mode: String,
    campaign_state: String,
    pub campaign_name: String,
    pub content: String,
    pub quota_window: Option<String>,
    pub ends_at: Option<Timestamp>,
}

impl Batch {
    pub fn tz(&self) -> chrono_tz::Tz {
        crate::time::zone(&self.zone).unwrap_or(chrono_tz::Asia::Shanghai)
    }

    pub fn quota_mode(&self) -> QuotaMode {
        QuotaMode::parse(&self.quota_mode).unwrap_or(QuotaMode::MonthDays)
    }

    pub fn campaign_is(&self, state: CampaignState) -> bool {
        self.campaign_state == state.as_str()
    }

    pub fn is_campaign_over(&self) -> bool {
        CampaignState::parse(&self.campaign_state).is_some_and(CampaignState::is_final)
    }
}

const BATCH: &str = "select b.id, b.campaign_id, b.associate_id, b.store_id, b.state, b.marker, b.msgid,
       b.call_started_at, b.handed_at, b.confirmed_at, b.next_poll_at, a.userid, a.name as associate_name,
       a.status as associate_status, s.name as store_name, coalesce(s.zone, c.zone) as zone, c.quota_mode,
       m.state as campaign_state, m.name as campaign_name, m.content, m.quota_window, m.ends_at
  from batch b
  join campaign m on m.corp_id = b.corp_id and m.id = b.campaign_id
  join corp c on c.id = b.corp_id
  join associate a on a.corp_id = b.corp_id and a.id = b.associate_id
  left join store s on s.corp_id = b.corp_id and s.id = b.store_id";

pub async fn find_batch(conn: &impl Conn, corp: CorpId, id: BatchId) -> Result<Batch> {
    let sql = format!("{BATCH} where b.corp_id = $1 and b.id = $2");
    db::find(conn, &sql, args![corp, id]).await
}

/// Handed batches whose next look is due, longest waiting first.
pub(super) async fn batches_to_poll(
    conn: &impl Conn,
    corp: CorpId,
    campaign: CampaignId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Batch>> {
    let sql = format!(
        "{BATCH} where b.corp_id = $1 and b.campaign_id = $2 and b.state = 'handed' and b.next_poll_at <= $3
          order by b.next_poll_at, b.id limit $4"
    );
    db::all(conn, &sql, args![corp, campaign, now, limit]).await
}

/// Ids of a campaign's batches in a state.
pub(super) async fn batches_in(
    conn: &impl Conn,
    corp: CorpId,
    campaign: CampaignId,
    condition: &str,
) -> Result<Vec<BatchId>> {
    let sql =
        format!("select id from batch where corp_id = $1 and campaign_id = $2 and {condition} order by id");
    db::scalars(conn, &sql, args![corp, campaign]).await
}

/// Moves a batch on, if it is still in one of `from`. `false`: somebody else was first.
pub(super) async fn move_batch(
    tx: &Tx,
    corp: CorpId,
    id: BatchId,
    from: &[&str],
    change: Change<'_>,
) -> Result<bool> {
    let mut filter = Filter::new("corp_id", corp);
    filter.and("id = {}", id);
    let names: Vec<String> = from.iter().map(|state| format!("'{state}'")).collect();
    filter.and_sql(&format!("state in ({})", names.join(",")));
    let mut sets = vec![format!("state = {}", filter.arg(change.state))];
    for (column, value) in change.columns {
        let place = filter.arg(value);
        sets.push(format!("{column} = {place}"));
    }
    let sql = format!("update batch set {} where {}", sets.join(", "), filter.sql());
    Ok(db::run(tx, &sql, filter.args).await? == 1)
}

/// A batch's new state and what else is written with it.
pub(super) struct Change<'a> {
    pub state: &'a str,
    pub columns: Vec<(&'a str, sea_orm::Value)>,
}

/// Customers of a batch that are still to get it, each by the id in their last added live pair with the associate.
pub(super) async fn recipients(
    conn: &impl Conn,
    corp: CorpId,
    batch: &Batch,
) -> Result<Vec<(ContactId, ExternalUserId)>> {
    let rows = db::rows(
        conn,
        "select d.contact_id, coalesce((select case when f.alias = '' then c.external_userid else f.alias end
             from follow f where f.corp_id = d.corp_id and f.contact_id = d.contact_id
              and f.associate_id = d.associate_id and f.state = 'active'
             order by f.added_at desc, f.id desc limit 1), c.external_userid)
           from delivery d
           join contact c on c.corp_id = d.corp_id and c.id = d.contact_id
          where d.corp_id = $1 and d.batch_id = $2 and d.state = 'planned' order by d.contact_id",
        args![corp, batch.id],
    )
    .await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Customers of a batch who wait to be told of, by every id the platform may call them. One who was merged while a
/// message of each was under way is in the batch twice: each by their own.
pub(super) async fn tasked(
    conn: &impl Conn,
    corp: CorpId,
    batch: &Batch,
) -> Result<HashMap<ExternalUserId, ContactId>> {
    let those = "from delivery d where d.corp_id = $1 and d.batch_id = $2 and d.state = 'tasked'";
    let of = |join: &str| those.replace("where", &format!("{join} where"));
    let sql = format!(
        "select m.external_userid, d.contact_id, 1 as place {}
         union all
         select c.external_userid, d.contact_id, 2 as place {}
         union all
         select m.external_userid, d.contact_id, 3 as place {} order by place",
        of("join merged_contact m on m.corp_id = d.corp_id and m.contact_id = d.contact_id"),
        of("join contact c on c.corp_id = d.corp_id and c.id = d.contact_id"),
        of("join merged_contact m on m.corp_id = d.corp_id and m.id = d.contact_id")
    );
    let rows = db::rows(conn, &sql, args![corp, batch.id]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

/// Sets when a batch is looked at next; `None`: nothing is left to learn.
pub(super) async fn poll_next(
    tx: &Tx,
    corp: CorpId,
    batch: BatchId,
    now: Timestamp,
    next: Option<Timestamp>,
) -> Result<()> {
    let sql = "update batch set polls = polls + 1, polled_at = $3, next_poll_at = cast($4 as bigint)
                where corp_id = $1 and id = $2 and state = 'handed'";
    db::run(tx, sql, args![corp, batch, now, next]).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct CampaignRow {
    id: CampaignId,
    name: String,
    state: String,
    segment_id: Option<SegmentId>,
    rule: String,
    content: String,
    send_at: Option<String>,
    zone: String,
    deadline: Option<String>,
    late_after_minutes: i64,
    holdout_percent: i64,
    priority: i64,
    created_by: String,
    changed_by: Option<String>,
    approved_by: Option<String>,
    approved_segment_version: Option<i64>,
    approved_eligible: Option<i64>,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    frozen_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = Error;
    fn try_from(row: CampaignRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            state: CampaignState::parse(&row.state).ok_or_else(|| unknown_state(&row.state))?,
            segment_id: row.segment_id,
            rule: serde_json::from_str(&row.rule)?,
            content: serde_json::from_str(&row.content)?,
            send_at: row.send_at,
            zone: row.zone,
            deadline: row.deadline,
            late_after_minutes: row.late_after_minutes,
            holdout_percent: row.holdout_percent,
            priority: row.priority,
            created_by: row.created_by,
            changed_by: row.changed_by,
            approved_by: row.approved_by,
            approved_as: ApprovedAs {
                segment_version: row.approved_segment_version,
                eligible: row.approved_eligible,
            },
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            frozen_at: row.frozen_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

#[derive(FromQueryResult)]
struct DeliveryRow {
    contact_id: ContactId,
    contact_name: String,
    associate_id: Option<AssociateId>,
    store_id: Option<StoreId>,
    batch_id: Option<BatchId>,
    state: String,
    reason: Option<String>,
    sent_at: Option<Timestamp>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = Error;
    fn try_from(row: DeliveryRow) -> Result<Self> {
        Ok(Self {
            contact_id: row.contact_id,
            contact_name: row.contact_name,
            associate_id: row.associate_id,
            store_id: row.store_id,
            batch_id: row.batch_id,
            state: DeliveryState::parse(&row.state).ok_or_else(|| unknown_state(&row.state))?,
            reason: row.reason,
            sent_at: row.sent_at,
        })
    }
}

fn unknown_state(state: &str) -> Error {
    Error::internal(format!("`{state}` is not a state"))
}

#[derive(FromQueryResult)]
struct WaitingRow {
    batch_id: BatchId,
    campaign_id: CampaignId,
    campaign_name: String,
    body: Option<String>,
    contacts: i64,
    ends_at: Option<Timestamp>,
    handed_at: Option<Timestamp>,
    confirmed_at: Option<Timestamp>,
}
