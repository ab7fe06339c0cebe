//! Moments and their tasks.

use serde::Serialize;

use crate::ids::{AssociateId, MomentId, StoreId};
use crate::links::content::Content;
use crate::money::Fen;
use crate::segments::Rule;
use crate::time::Timestamp;

/// Who publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Senders {
    Associates(Vec<AssociateId>),
    Stores(Vec<StoreId>),
    Everyone,
}

pub struct NewMoment {
    pub content: Content,
    /// Only a rule of company tags can narrow who sees a moment.
    pub audience: Option<Rule>,
    pub senders: Senders,
    /// Wall-clock time in the corp's zone; `None`: now.
    pub send_at: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MomentRow {
    pub id: MomentId,
    pub text: String,
    /// `planned`, `creating`, `published`, `failed`, `cancelled`.
    pub state: String,
    pub starts_at: Timestamp,
    pub created_by: String,
    pub created_at: Timestamp,
    pub error: Option<String>,
    /// Associates in scope: assigned, published.
    pub assigned: i64,
    pub published: i64,
    pub visible: i64,
    pub likes: i64,
    pub comments: i64,
    pub clicks: i64,
    pub orders: i64,
    pub net_fen: Fen,
    #[serde(skip)]
    pub content: Content,
}

#[derive(Debug, Clone, Serialize)]
pub struct MomentTask {
    pub associate_id: AssociateId,
    pub associate_name: String,
    pub store_name: Option<String>,
    /// `planned`, `tasked`, `published`, `failed`, `cancelled`.
    pub state: String,
    pub published_at: Option<Timestamp>,
    pub visible: i64,
    pub likes: i64,
    pub comments: i64,
}
