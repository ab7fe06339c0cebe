//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::model::Kind;
use super::{run, store};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{CorpId, SyncRunId};
use crate::job::Job;
use crate::queue::{self, Lane};
use crate::scope::Actor;

/// As long as a lease lasts.
const LOOK_AGAIN_S: u64 = store::LEASE_MS as u64 / 1_000;

/// A run that was interrupted goes on so soon.
const GO_ON_S: u64 = 10;

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

    async fn run(self, app: &App, corp: CorpId, attempt: i64) -> Result<()> {
        let before = store::standing(&app.db, corp, self.run).await?;
        if let Err(error) = super::carry_on(app, corp, self.run).await {
            return self.after(error, before, app, corp, attempt).await;
        }
        // Somebody else holds it, or it was let go of: should they vanish, this job is who goes on.
        if store::running(&app.db, corp).await? == Some(self.run) {
            return Err(Error::TooMany {
                retry_after_s: LOOK_AGAIN_S,
            });
        }
        Ok(())
    }
}

impl CarryOn {
    /// A try that got somewhere is none that failed; the last one that got nowhere ends the run.
    async fn after(
        &self,
        error: Error,
        before: store::Standing,
        app: &App,
        corp: CorpId,
        attempt: i64,
    ) -> Result<()> {
        if store::running(&app.db, corp).await? != Some(self.run) {
            return Err(error);
        }
        if store::standing(&app.db, corp, self.run).await? != before {
            tracing::warn!(corp.id = %corp, sync_run.id = %self.run, %error, "a sync was interrupted; it goes on shortly");
            return Err(Error::Busy {
                retry_after_s: GO_ON_S,
            });
        }
        if attempt >= queue::MAX_ATTEMPTS {
            run::give_up(app, corp, self.run, &error).await?;
        }
        Err(error)
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
