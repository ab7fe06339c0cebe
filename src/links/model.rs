//! Links and clicks.

use serde::{Deserialize, Serialize};

use crate::ids::{AssociateId, CampaignId, ClickId, ContactId, LinkId, MomentId, StoreId};
use crate::money::Fen;
use crate::time::Timestamp;

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LinkTarget {
    /// `url` is where browsers outside WeChat go; inside, messages carry `page` itself.
    MiniProgram {
        appid: String,
        page: String,
        url: String,
    },
    Web {
        url: String,
    },
}

impl LinkTarget {
    /// Where the redirect goes, before the click's token is added.
    pub fn url(&self) -> &str {
        match self {
            Self::MiniProgram { url, .. } | Self::Web { url } => url,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Link {
    pub id: LinkId,
    pub code: String,
    pub title: String,
    pub target: LinkTarget,
    pub store_id: Option<StoreId>,
    pub associate_id: Option<AssociateId>,
    pub associate_name: Option<String>,
    pub campaign_id: Option<CampaignId>,
    pub moment_id: Option<MomentId>,
    pub contact_id: Option<ContactId>,
    pub created_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    /// Counted clicks, distinct identified people, credited orders and their net amount.
    pub clicks: i64,
    pub people: i64,
    pub orders: i64,
    pub net_fen: Fen,
}

/// A link to make. `code` is made at random: 11 characters for shared links, 17 for one contact's.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub title: String,
    pub target: LinkTarget,
    pub store: Option<StoreId>,
    pub associate: Option<AssociateId>,
    pub campaign: Option<CampaignId>,
    pub moment: Option<MomentId>,
    pub contact: Option<ContactId>,
}

/// What `/l/{code}` needs to know, kept in process for a minute.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub corp: crate::ids::CorpId,
    pub zone: chrono_tz::Tz,
    pub link: LinkId,
    pub target: LinkTarget,
    pub store: Option<StoreId>,
    pub associate: Option<AssociateId>,
    pub campaign: Option<CampaignId>,
    pub moment: Option<MomentId>,
    pub contact: Option<ContactId>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Click {
    pub id: ClickId,
    pub link_id: LinkId,
    pub at: Timestamp,
    pub contact_id: Option<ContactId>,
    /// `person`, `preview` or `repeat`; only the first counts.
    pub kind: String,
}
