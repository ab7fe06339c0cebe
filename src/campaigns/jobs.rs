//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::{deliver, poll, reconcile};
use crate::app::App;
use crate::error::Result;
use crate::ids::{BatchId, CampaignId, CorpId};
use crate::job::Job;
use crate::queue::Lane;
use crate::time::Timestamp;

/// Starts a campaign at its time. `frozen_at` tells this schedule from one that was called off.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    pub campaign: CampaignId,
    pub frozen_at: Timestamp,
}

impl Job for Start {
    const NAME: &'static str = "campaigns.start";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.campaign, self.frozen_at.0))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        deliver::start(app, corp, self.campaign, self.frozen_at).await
    }
}

/// Hands a batch over.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandOver {
    pub batch: BatchId,
}

impl Job for HandOver {
    const NAME: &'static str = "campaigns.hand_over";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.batch.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        deliver::hand_over(app, corp, self.batch).await
    }
}

/// Looks up what became of a call without an answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconcile {
    pub batch: BatchId,
    pub round: usize,
}

impl Job for Reconcile {
    const NAME: &'static str = "campaigns.reconcile";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.batch, self.round))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        reconcile::reconcile(app, corp, self.batch, self.round).await
    }
}

/// Asks who confirmed and who got it, and comes back while anything is open.
#[derive(Debug, Serialize, Deserialize)]
pub struct Poll {
    pub campaign: CampaignId,
}

impl Job for Poll {
    const NAME: &'static str = "campaigns.poll";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.campaign.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        poll::poll(app, corp, self.campaign).await
    }
}

/// Ends a handed batch, past the deadline or when its campaign is cancelled.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stop {
    pub batch: BatchId,
}

impl Job for Stop {
    const NAME: &'static str = "campaigns.stop";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.batch.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        poll::stop(app, corp, self.batch).await
    }
}

/// Pings the associate of a batch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Remind {
    pub batch: BatchId,
}

impl Job for Remind {
    const NAME: &'static str = "campaigns.remind";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.batch.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        poll::remind_sender(app, corp, self.batch).await
    }
}
