//! Orders, refunds, products, credits.

use serde::{Deserialize, Serialize};

use crate::ids::{
    AssociateId, CampaignId, ContactId, LinkId, MomentId, OrderId, ProductId, RefundId, StoreId,
};
use crate::money::Fen;
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    pub order_no: String,
    pub store_code: String,
    /// `mini_store` or `till`.
    pub channel: String,
    #[schema(value_type = String, format = DateTime)]
    pub paid_at: Timestamp,
    #[serde(default)]
    pub buyer: Option<Buyer>,
    #[serde(default)]
    pub associate_userid: Option<String>,
    /// A link's code, or the `t` parameter the mini-store was opened with.
    #[serde(default)]
    pub link_code: Option<String>,
    pub lines: Vec<NewLine>,
    pub paid_fen: i64,
}

/// Exactly one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Buyer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_userid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    pub sku: String,
    pub name: String,
    pub category: String,
    pub quantity: i64,
    pub paid_fen: i64,
    pub list_fen: i64,
    #[serde(default)]
    pub associate_userid: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefund {
    pub refund_no: String,
    pub order_no: String,
    #[schema(value_type = String, format = DateTime)]
    pub refunded_at: Timestamp,
    pub refund_fen: i64,
    #[serde(default)]
    pub lines: Vec<NewRefundLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRefundLine {
    pub sku: String,
    pub quantity: i64,
    pub refund_fen: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    pub sku: String,
    pub name: String,
    pub category: String,
    pub price_fen: i64,
    #[serde(default)]
    pub page: String,
    /// `on` or `off` the shelf; `on` when absent.
    #[serde(default)]
    pub status: Option<String>,
}

/// What became of one row of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum RowResult {
    Created,
    /// The same row was there.
    Unchanged,
    /// The row was there with other values, which were replaced.
    Updated,
    Refused(Vec<crate::error::Problem>),
}

#[derive(Debug, Clone, Serialize)]
pub struct Order {
    pub id: OrderId,
    pub order_no: String,
    pub store_id: StoreId,
    pub store_name: String,
    pub channel: String,
    pub paid_at: Timestamp,
    pub contact_id: Option<ContactId>,
    pub paid_fen: Fen,
    pub refund_fen: Fen,
    pub items: i64,
    pub lines: Vec<OrderLine>,
}

#[derive(Debug, Clone, Serialize, sea_orm::FromQueryResult)]
pub struct OrderLine {
    pub sku: String,
    pub name: String,
    pub category: String,
    pub quantity: i64,
    pub paid_fen: Fen,
    pub list_fen: Fen,
}

#[derive(Debug, Clone, Serialize)]
pub struct Refund {
    pub id: RefundId,
    pub refund_no: String,
    pub order_no: String,
    pub refunded_at: Timestamp,
    pub refund_fen: Fen,
    /// `false` while the order is not known yet.
    pub applied: bool,
}

#[derive(Debug, Clone, Serialize, sea_orm::FromQueryResult, utoipa::ToSchema)]
pub struct Product {
    pub id: ProductId,
    pub sku: String,
    pub name: String,
    pub category: String,
    #[schema(value_type = i64)]
    pub price_fen: Fen,
    pub page: String,
    pub status: String,
}

/// How an order was earned, with every candidate.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Attribution {
    pub order_no: String,
    pub rule_version: i64,
    pub credits: Vec<CreditRow>,
    pub candidates: Vec<CandidateRow>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CreditRow {
    pub associate_id: Option<AssociateId>,
    pub associate_name: Option<String>,
    pub store_id: StoreId,
    pub store_name: String,
    /// `line`, `link`, `click`, `delivery`, `binding`, `home_store` or `default_store`.
    pub source: String,
    pub link_id: Option<LinkId>,
    pub campaign_id: Option<CampaignId>,
    pub moment_id: Option<MomentId>,
    #[schema(value_type = i64)]
    pub paid_fen: Fen,
    #[schema(value_type = i64)]
    pub refund_fen: Fen,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CandidateRow {
    pub source: String,
    pub touch_id: Option<String>,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// `won`, or why it did not.
    pub verdict: String,
}
