//! Campaigns, batches, deliveries, and the moves their states may make.

use serde::Serialize;

use crate::ids::{AssociateId, BatchId, CampaignId, ContactId, SegmentId, StoreId};
use crate::links::content::Content;
use crate::money::Fen;
use crate::segments::Rule;
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    Draft,
    Scheduled,
    Running,
    Paused,
    Finished,
    Cancelled,
    /// Its time passed while nobody could start it; nothing was sent.
    Missed,
}

impl CampaignState {
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::Scheduled,
        Self::Running,
        Self::Paused,
        Self::Finished,
        Self::Cancelled,
        Self::Missed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn can_edit(self) -> bool {
        self == Self::Draft
    }

    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Missed)
    }

    /// The legal moves; a test draws the table.
    pub fn may_become(self, next: Self) -> bool {
        use CampaignState::*;
        matches!(
            (self, next),
            (Draft, Scheduled | Cancelled)
                | (Scheduled, Draft | Running | Cancelled | Missed)
                | (Running, Paused | Finished | Cancelled)
                | (Paused, Running | Finished | Cancelled)
        )
    }
}

/// States of a delivery, as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Planned,
    Tasked,
    Sent,
    Failed,
    Expired,
    Excluded,
    Cancelled,
    Unknown,
}

impl DeliveryState {
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Tasked,
        Self::Sent,
        Self::Failed,
        Self::Expired,
        Self::Excluded,
        Self::Cancelled,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Tasked => "tasked",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Excluded => "excluded",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(Debug, Clone)]
pub struct Campaign {
    pub id: CampaignId,
    pub name: String,
    pub state: CampaignState,
    pub segment_id: Option<SegmentId>,
    pub rule: Rule,
    pub content: Content,
    /// Wall-clock time as typed (`2026-12-01T10:00`) in `zone`; `None`: now.
    pub send_at: Option<String>,
    pub zone: String,
    pub deadline: Option<String>,
    pub late_after_minutes: i64,
    pub holdout_percent: i64,
    /// Of batches that wait, those of a higher priority go first: each point, 0 to 100, counts as a minute waited.
    pub priority: i64,
    pub created_by: String,
    /// Who changed it last.
    pub changed_by: Option<String>,
    pub approved_by: Option<String>,
    pub approved_as: ApprovedAs,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub frozen_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What somebody approved. More than that is not approved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApprovedAs {
    /// The segment's version; `None` for a rule of its own.
    pub segment_version: Option<i64>,
    /// How many would have got it then.
    pub eligible: Option<i64>,
}

impl Campaign {
    /// Whether this person or key wrote it, or wrote on it last: they cannot be the second one to look.
    pub fn is_written_by(&self, who: &str) -> bool {
        self.created_by == who || self.changed_by.as_deref() == Some(who)
    }

    pub fn audience(&self) -> Audience {
        match self.segment_id {
            Some(segment) => Audience::Segment(segment),
            None => Audience::Rule(self.rule.clone()),
        }
    }
}

/// Who a campaign is for: a saved segment or a rule of its own.
#[derive(Debug, Clone)]
pub enum Audience {
    Segment(SegmentId),
    Rule(Rule),
}

/// A draft as written; times are wall-clock text, checked when read.
#[derive(Debug, Clone)]
pub struct NewCampaign {
    pub name: String,
    pub audience: Audience,
    pub content: Content,
    pub send_at: Option<String>,
    pub zone: Option<String>,
    pub deadline: Option<String>,
    pub late_after_minutes: Option<i64>,
    pub holdout_percent: Option<i64>,
    pub priority: Option<i64>,
}

/// Changes to a draft; `None` leaves a field, `Some(None)` clears it.
#[derive(Debug, Clone, Default)]
pub struct CampaignChange {
    pub name: Option<String>,
    pub audience: Option<Audience>,
    pub content: Option<Content>,
    pub send_at: Option<Option<String>>,
    pub zone: Option<String>,
    pub deadline: Option<Option<String>>,
    pub late_after_minutes: Option<i64>,
    pub holdout_percent: Option<i64>,
    pub priority: Option<i64>,
}

/// Where a campaign stands: counts of contacts by state, of batches, money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Progress {
    pub targeted: i64,
    /// Targeted less excluded (hold-out included).
    pub eligible: i64,
    pub planned: i64,
    pub tasked: i64,
    pub sent: i64,
    pub failed: i64,
    pub expired: i64,
    pub excluded: i64,
    pub cancelled: i64,
    pub unknown: i64,
    /// Excluded and failed contacts by reason, most first.
    pub reasons: Vec<Reason>,
    pub associates: i64,
    pub associates_confirmed: i64,
    /// Distinct identified people who clicked; counted clicks.
    pub clickers: i64,
    pub clicks: i64,
    /// Credited orders, distinct buyers, and the credited net amount in fen.
    pub orders: i64,
    pub buyers: i64,
    #[schema(value_type = i64)]
    pub net_fen: Fen,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Reason {
    /// `excluded` or `failed`.
    pub state: String,
    pub reason: String,
    pub contacts: i64,
}

/// One store's part of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct StoreProgress {
    pub store_id: Option<StoreId>,
    pub store_name: String,
    pub eligible: i64,
    pub sent: i64,
    pub associates: i64,
    pub associates_confirmed: i64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub contact_id: ContactId,
    pub contact_name: String,
    pub associate_id: Option<AssociateId>,
    pub store_id: Option<StoreId>,
    pub batch_id: Option<BatchId>,
    pub state: DeliveryState,
    pub reason: Option<String>,
    pub sent_at: Option<Timestamp>,
}

/// What a campaign would cost in quota, before it is scheduled.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct QuotaPlan {
    pub targeted: i64,
    pub eligible: i64,
    pub holdout: i64,
    pub blocked: Vec<Blocked>,
    pub associates: i64,
    pub stores: i64,
    /// How many of the eligible may still get 1, 2, 3 … more after this one, in the window of the corp's mode.
    pub left_after: Vec<LeftAfter>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Blocked {
    /// `opted_out`, `quota_used` or `no_associate`.
    pub reason: String,
    pub contacts: i64,
    /// When they may be written to again, for `quota_used`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub frees_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LeftAfter {
    pub left: i64,
    pub contacts: i64,
}

/// A batch waiting for its associate: what the workbench shows.
#[derive(Debug, Clone, Serialize)]
pub struct WaitingBatch {
    pub batch_id: BatchId,
    pub campaign_id: CampaignId,
    pub campaign_name: String,
    pub text: String,
    pub contacts: i64,
    /// Names of the first few.
    pub names: Vec<String>,
    pub ends_at: Option<Timestamp>,
    pub handed_at: Option<Timestamp>,
    pub confirmed_at: Option<Timestamp>,
}

/// Sent over time, for the live chart: cumulative.
#[derive(Debug, Clone, Serialize)]
pub struct SpeedPoint {
    pub at: Timestamp,
    pub sent: i64,
}

/// Effect against the hold-out; `None` where there is nothing to compare with.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Lift {
    pub treated: i64,
    pub treated_buyers: i64,
    pub held_out: i64,
    pub held_out_buyers: i64,
    /// Percentage points, with the 95 % interval by normal approximation.
    pub points: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Incremental net sales in fen: N_t × (per head treated − per head held out).
    pub incremental_fen: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_moves_only_this_way() {
        let drawn: Vec<String> = CampaignState::ALL
            .into_iter()
            .map(|from| {
                let next = CampaignState::ALL
                    .into_iter()
                    .filter(|next| from.may_become(*next));
                let names: Vec<&str> = next.map(CampaignState::as_str).collect();
                format!("{} -> {}", from.as_str(), names.join(" "))
            })
            .collect();
        assert_eq!(
            drawn,
            [
                "draft -> scheduled cancelled",
                "scheduled -> draft running cancelled missed",
                "running -> paused finished cancelled",
                "paused -> running finished cancelled",
                "finished -> ",
                "cancelled -> ",
                "missed -> ",
            ]
        );
        for state in CampaignState::ALL {
            let stays = CampaignState::ALL.into_iter().all(|next| !state.may_become(next));
            assert_eq!(state.is_final(), stays, "{state:?}");
        }
    }
}
