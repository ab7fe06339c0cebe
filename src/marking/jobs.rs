//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::refused::{self, Verdict, verdict};
use super::store::markings as store;
use super::work::{Outcome, end};
use super::{State, work};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{CorpId, MarkingId};
use crate::job::{self, Job};
use crate::queue::{self, Lane};

/// After a try that got somewhere, the next one comes so soon.
const GO_ON_S: u64 = 10;

/// Goes on with a marking until nobody is left, a slice at a time.
#[derive(Serialize, Deserialize)]
pub struct GoOn {
    pub marking: MarkingId,
    /// Of an earlier turn it does nothing: a later one goes on.
    pub turn: i64,
}

impl Job for GoOn {
    const NAME: &'static str = "marking.go_on";
    /// Somebody looks at how far it is.
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(format!("{}|{}", self.marking, self.turn))
    }

    async fn run(self, app: &App, corp: CorpId, attempt: i64) -> Result<()> {
        let before = store::parts_left(&app.db, corp, self.marking).await?;
        match work::work(app, corp, self.marking, self.turn).await {
            Ok(Outcome::Ended) => Ok(()),
            Ok(Outcome::Went) => {
                let (tx, now) = (app.db.begin().await?, app.now());
                job::enqueue(&tx, &app.ids, now, corp, &self, now).await?;
                tx.commit().await
            }
            Err(error) => self.after(error, before, app, corp, attempt).await,
        }
    }
}

impl GoOn {
    /// A try that got somewhere is none that failed; after the last one that got nowhere it pauses and says why.
    async fn after(&self, error: Error, before: i64, app: &App, corp: CorpId, attempt: i64) -> Result<()> {
        let is_again = matches!(verdict(&error), Verdict::Again);
        if is_again && store::parts_left(&app.db, corp, self.marking).await? != before {
            tracing::warn!(corp.id = %corp, marking.id = %self.marking, %error, "a marking was interrupted; it goes on shortly");
            return Err(Error::Busy {
                retry_after_s: GO_ON_S,
            });
        }
        if attempt >= queue::MAX_ATTEMPTS
            && let Some(task) = store::task(&app.db, corp, self.marking, self.turn).await?
        {
            end(app, &task, State::Paused, &refused::silent()).await?;
        }
        Err(error)
    }
}

/// Looks which contacts came into a stage that a rule waits for.
#[derive(Serialize, Deserialize)]
pub struct Stages {}

impl Job for Stages {
    const NAME: &'static str = "marking.stages";
    const LANE: Lane = Lane::Sweep;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        super::stage::look(app, corp).await
    }
}
