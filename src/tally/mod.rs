//! Tally 日汇总: figures that add up, by store and day and by associate and day.
//!
//! Written in the transaction of the fact they count, so they never lag and a crash changes nothing. First of the
//! domains, because every other adds to it; what the figures mean is said in `metrics`. Counts of distinct people
//! do not add up and are not kept here.

mod store;

use crate::ids::{AssociateId, StoreId};
use crate::time::Day;

pub use store::{add, hold, replace};

/// A figure that adds up over days, associates and stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    NewRelations,
    LostRelations,
    StaffRemoved,
    /// Paid amount by paid day, of the order's own store, fen.
    Gmv,
    GmvMiniStore,
    /// Refunds by refund day, fen, positive.
    Refund,
    RefundMiniStore,
    Orders,
    Items,
    ListPrice,
    /// Paid amount credited to this store and associate by the attribution rule, fen.
    CreditedGmv,
    CreditedRefund,
    CreditedOrders,
    /// Part of the credit that came by a tracked link or an identified click.
    LinkGmv,
    LinkRefund,
    /// Broadcast batches handed to associates, and those confirmed (by the day handed).
    BatchesDue,
    BatchesConfirmed,
    MomentsDue,
    MomentsPublished,
    /// Contacts delivered to, by the day it was sent; and not, by the day the associate confirmed, or else it was
    /// known.
    Delivered,
    NotDelivered,
    /// Counted clicks: people, once a link and 10 seconds.
    Clicks,
}

impl Code {
    pub const ALL: [Code; 22] = [
        Code::NewRelations,
        Code::LostRelations,
        Code::StaffRemoved,
        Code::Gmv,
        Code::GmvMiniStore,
        Code::Refund,
        Code::RefundMiniStore,
        Code::Orders,
        Code::Items,
        Code::ListPrice,
        Code::CreditedGmv,
        Code::CreditedRefund,
        Code::CreditedOrders,
        Code::LinkGmv,
        Code::LinkRefund,
        Code::BatchesDue,
        Code::BatchesConfirmed,
        Code::MomentsDue,
        Code::MomentsPublished,
        Code::Delivered,
        Code::NotDelivered,
        Code::Clicks,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Code::NewRelations => "new_relations",
            Code::LostRelations => "lost_relations",
            Code::StaffRemoved => "staff_removed",
            Code::Gmv => "gmv",
            Code::GmvMiniStore => "gmv_mini_store",
            Code::Refund => "refund",
            Code::RefundMiniStore => "refund_mini_store",
            Code::Orders => "orders",
            Code::Items => "items",
            Code::ListPrice => "list_price",
            Code::CreditedGmv => "credited_gmv",
            Code::CreditedRefund => "credited_refund",
            Code::CreditedOrders => "credited_orders",
            Code::LinkGmv => "link_gmv",
            Code::LinkRefund => "link_refund",
            Code::BatchesDue => "batches_due",
            Code::BatchesConfirmed => "batches_confirmed",
            Code::MomentsDue => "moments_due",
            Code::MomentsPublished => "moments_published",
            Code::Delivered => "delivered",
            Code::NotDelivered => "not_delivered",
            Code::Clicks => "clicks",
        }
    }
}

/// One thing to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// `None`: headquarters, kept under store 0.
    pub store: Option<StoreId>,
    /// `None`: the store's alone.
    pub associate: Option<AssociateId>,
    pub day: Day,
    pub code: Code,
    pub value: i64,
}
