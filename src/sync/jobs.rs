//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::model::Kind;
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{CorpId, SyncRunId};
use crate::job::Job;
use crate::queue::Lane;
use crate::scope::Actor;

/// As long as a lease lasts.
const LOOK_AGAIN_S: u64 = store::LEASE_MS as u64 / 1_000;

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
        // Somebody else holds it, or it was let go of: should they vanish, this job is who goes on.
        if store::running(&app.db, corp).await? == Some(self.run) {
            return Err(Error::TooMany {
                retry_after_s: LOOK_AGAIN_S,
            });
        }
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
