//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::model::Kind;
use crate::app::App;
use crate::error::Result;
use crate::ids::{CorpId, SyncRunId};
use crate::job::Job;
use crate::queue::Lane;
use crate::scope::Actor;

/// Works on a run until it ends, or stands in for an owner that vanished.
#[derive(Serialize, Deserialize)]
pub struct CarryOn {
    pub run: SyncRunId,
}

impl Job for CarryOn {
    const NAME: &'static str = "sync.carry_on";
    const LANE: Lane = Lane::Sweep;

    fn key(&self) -> Option<String> {
        Some(self.run.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        super::carry_on(app, corp, self.run).await?;
        Ok(())
    }
}

/// Starts the nightly run.
#[derive(Serialize, Deserialize)]
pub struct Nightly {}

impl Job for Nightly {
    const NAME: &'static str = "sync.nightly";
    const LANE: Lane = Lane::Sweep;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let tx = app.db.begin().await?;
        super::start(&tx, &app.act(Actor::System), corp, Kind::Nightly).await?;
        tx.commit().await?;
        app.cache.ring().await;
        Ok(())
    }
}
