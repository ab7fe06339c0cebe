//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::{follow, post, reconcile, sweep};
use crate::app::App;
use crate::error::Result;
use crate::ids::{CorpId, MomentId};
use crate::job::Job;
use crate::queue::Lane;
use crate::scope::Actor;

/// Starts a moment at its time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    pub moment: MomentId,
}

impl Job for Start {
    const NAME: &'static str = "moments.start";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.moment.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        post::start(app, corp, self.moment).await
    }
}

/// Asks the platform for one part of a moment.
#[derive(Debug, Serialize, Deserialize)]
pub struct Post {
    pub moment: MomentId,
    pub n: i64,
}

impl Job for Post {
    const NAME: &'static str = "moments.post";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.moment, self.n))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        post::post(app, corp, self.moment, self.n).await
    }
}

/// Looks what became of one part, and comes back for three days.
#[derive(Debug, Serialize, Deserialize)]
pub struct Follow {
    pub moment: MomentId,
    pub n: i64,
}

impl Job for Follow {
    const NAME: &'static str = "moments.follow";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.moment, self.n))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        follow::follow(app, corp, self.moment, self.n).await
    }
}

/// Looks up what became of one part whose making is not known.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reconcile {
    pub moment: MomentId,
    pub n: i64,
    pub round: usize,
}

impl Job for Reconcile {
    const NAME: &'static str = "moments.reconcile";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}:{}", self.moment, self.n, self.round))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        reconcile::reconcile(app, corp, self.moment, self.n, self.round).await
    }
}

/// Puts what has no job any more back in line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sweep {}

impl Job for Sweep {
    const NAME: &'static str = "moments.sweep";
    const LANE: Lane = Lane::Sweep;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let tx = app.db.begin().await?;
        sweep::sweep(&tx, &app.act(Actor::System), corp).await?;
        tx.commit().await
    }
}

/// Stops the members of one part who have not published.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stop {
    pub moment: MomentId,
    pub n: i64,
}

impl Job for Stop {
    const NAME: &'static str = "moments.stop";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.moment, self.n))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        follow::stop(app, corp, self.moment, self.n).await
    }
}
