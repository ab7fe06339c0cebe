//! The entries there are.

use serde::{Deserialize, Serialize};

use crate::ids::{
    AssociateId, CampaignId, ClickId, ContactId, FollowUpId, LinkId, MomentId, OrderId, RefundId, StoreId,
    TagId, TimelineId,
};
use crate::money::Fen;
use crate::time::Timestamp;

/// What happened. The name in the database is the variant's in snake case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    Added {
        cause: String,
        channel: String,
    },
    Lost,
    Removed,
    Transferred {
        to: Option<AssociateId>,
    },
    Welcomed,
    Tagged {
        tag_id: TagId,
        name: String,
    },
    Untagged {
        tag_id: TagId,
        name: String,
    },
    Sent {
        campaign_id: CampaignId,
        name: String,
    },
    NotSent {
        campaign_id: CampaignId,
        name: String,
        reason: String,
    },
    Liked {
        moment_id: MomentId,
    },
    Commented {
        moment_id: MomentId,
    },
    Clicked {
        click_id: ClickId,
        link_id: LinkId,
        title: String,
    },
    Ordered {
        order_id: OrderId,
        order_no: String,
        paid_fen: Fen,
        items: i64,
        first_item: String,
    },
    Refunded {
        refund_id: RefundId,
        order_no: String,
        refund_fen: Fen,
    },
    Noted {
        text: String,
    },
    /// A note that was taken away: its text is gone, that there was one is not.
    Unnoted {
        removed_at: Timestamp,
    },
    /// A follow-up was done, or is open again after all.
    FollowedUp {
        follow_up_id: FollowUpId,
        what: String,
        is_done: bool,
    },
}

impl Entry {
    /// Its name in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::Lost => "lost",
            Self::Removed => "removed",
            Self::Transferred { .. } => "transferred",
            Self::Welcomed => "welcomed",
            Self::Tagged { .. } => "tagged",
            Self::Untagged { .. } => "untagged",
            Self::Sent { .. } => "sent",
            Self::NotSent { .. } => "not_sent",
            Self::Liked { .. } => "liked",
            Self::Commented { .. } => "commented",
            Self::Clicked { .. } => "clicked",
            Self::Ordered { .. } => "ordered",
            Self::Refunded { .. } => "refunded",
            Self::Noted { .. } => "noted",
            Self::Unnoted { .. } => "unnoted",
            Self::FollowedUp { .. } => "followed_up",
        }
    }
}

/// An entry to append.
#[derive(Debug, Clone)]
pub struct News {
    pub contact: ContactId,
    pub associate: Option<AssociateId>,
    pub store: Option<StoreId>,
    pub at: Timestamp,
    pub entry: Entry,
}

/// An entry as read back.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    pub id: TimelineId,
    pub at: Timestamp,
    pub associate_id: Option<AssociateId>,
    pub associate_name: Option<String>,
    /// Who wrote it, for what somebody wrote: `operator:12`.
    #[serde(skip)]
    pub author: Option<String>,
    /// Their name, where they are a colleague without customers of their own.
    pub author_name: Option<String>,
    #[serde(flatten)]
    pub entry: Entry,
}

/// News: these entries of kinds that somebody waits for were appended. Who reacts is written where all domains are at
/// hand.
#[derive(Serialize, Deserialize)]
pub struct Told {
    pub entries: Vec<TimelineId>,
}

impl Told {
    pub const NAME: &'static str = "timeline.told";
}
