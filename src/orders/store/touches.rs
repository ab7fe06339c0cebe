//! What other domains know of the buyer: read where an order's candidates are gathered. Bindings are written too.

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, CampaignId, ClickId, ContactId, CorpId, LinkId, MomentId, StoreId};
use crate::time::Timestamp;

#[derive(Debug, FromQueryResult)]
pub struct ClickTouch {
    pub id: ClickId,
    pub link_id: LinkId,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub campaign_id: Option<CampaignId>,
    pub moment_id: Option<MomentId>,
    pub at: Timestamp,
}

const CLICK: &str = "id, link_id, associate_id, store_id, campaign_id, moment_id, at";

pub async fn click_by_token(conn: &impl Conn, corp: CorpId, token: &str) -> Result<Option<ClickTouch>> {
    let sql = format!("select {CLICK} from click where corp_id = $1 and token = $2");
    db::first(conn, &sql, args![corp, token]).await
}

/// The buyer's own clicks between two instants: those before `paid_at` first, the latest first.
pub async fn clicks_of(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
    paid_at: Timestamp,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<ClickTouch>> {
    let sql = format!(
        "select {CLICK} from click
         where corp_id = $1 and contact_id = $2 and at >= $3 and at <= $4 and kind <> 'preview'
         order by case when at <= $5 then 0 else 1 end, at desc, id desc limit 20"
    );
    db::all(conn, &sql, args![corp, contact, from, to, paid_at]).await
}

#[derive(Debug, FromQueryResult)]
pub struct LinkTouch {
    pub id: LinkId,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub campaign_id: Option<CampaignId>,
    pub moment_id: Option<MomentId>,
}

pub async fn link_by_code(conn: &impl Conn, corp: CorpId, code: &str) -> Result<Option<LinkTouch>> {
    db::first(
        conn,
        "select id, associate_id, store_id, campaign_id, moment_id from link where corp_id = $1 and code = $2",
        args![corp, code],
    )
    .await
}

#[derive(Debug, FromQueryResult)]
pub struct DeliveryTouch {
    pub campaign_id: CampaignId,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub batch_id: Option<i64>,
    pub sent_at: Timestamp,
}

pub async fn deliveries_to(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<DeliveryTouch>> {
    db::all(
        conn,
        "select campaign_id, associate_id, store_id, batch_id, sent_at from delivery
         where corp_id = $1 and contact_id = $2 and sent_at >= $3 and sent_at <= $4 and state = 'sent'
         order by sent_at desc limit 20",
        args![corp, contact, from, to],
    )
    .await
}

#[derive(Debug, FromQueryResult)]
pub struct BindingRow {
    pub from_at: Timestamp,
    pub associate_id: AssociateId,
    pub until_at: Timestamp,
}

/// Bindings that began before an instant, the latest first. One that begins with an order cannot earn that order.
pub async fn bindings_before(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
    at: Timestamp,
) -> Result<Vec<BindingRow>> {
    db::all(
        conn,
        "select from_at, associate_id, until_at from binding
         where corp_id = $1 and contact_id = $2 and from_at < $3 order by from_at desc limit 5",
        args![corp, contact, at],
    )
    .await
}

/// Binds, or holds a binding that began then for longer.
pub async fn bind(
    tx: &Tx,
    corp: CorpId,
    contact: ContactId,
    from: Timestamp,
    associate: AssociateId,
    until: Timestamp,
) -> Result<()> {
    db::run(
        tx,
        "insert into binding (corp_id, contact_id, from_at, associate_id, until_at) values ($1, $2, $3, $4, $5)
         on conflict (corp_id, contact_id, from_at) do update set
           until_at = case when binding.until_at < excluded.until_at then excluded.until_at else binding.until_at end",
        args![corp, contact, from, associate, until],
    )
    .await?;
    Ok(())
}

pub async fn followed_at(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
    associate: AssociateId,
    at: Timestamp,
) -> Result<bool> {
    let periods = db::count(
        conn,
        "select count(*) from follow_period where corp_id = $1 and contact_id = $2 and associate_id = $3
           and from_at <= $4 and (until_at is null or until_at > $4)",
        args![corp, contact, associate, at],
    )
    .await?;
    Ok(periods > 0)
}

/// How a contact may be named in an order, and where it belongs.
#[derive(Debug, FromQueryResult)]
pub struct ContactKeys {
    pub external_userid: String,
    pub unionid: Option<String>,
    pub phone_blind: Option<String>,
    pub home_store_id: Option<StoreId>,
}

pub async fn contact_keys(conn: &impl Conn, corp: CorpId, contact: ContactId) -> Result<Option<ContactKeys>> {
    db::first(
        conn,
        "select external_userid, unionid, phone_blind, home_store_id from contact where corp_id = $1 and id = $2",
        args![corp, contact],
    )
    .await
}
