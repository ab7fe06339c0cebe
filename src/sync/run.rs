//! Starting, carrying on and stopping a run.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::jobs::CarryOn;
use super::model::{Kind, Step};
use super::patience::{NO_PERMISSION, is_one_of};
use super::{groups, pairs, store};
use crate::app::App;
use crate::contacts;
use crate::db::Tx;
use crate::error::{Advice, Error, Result};
use crate::ids::{CorpId, SyncRunId};
use crate::job;
use crate::scope::Act;
use crate::tags;

/// A third of the lease: two renewals may fail before it is lost.
const RENEW: Duration = Duration::from_secs(20);

/// Rows a run has to have seen before the planner is shown the tables anew: among fewer any index will do.
const WORTH_A_LOOK: i64 = 1_000;

/// What became of a run, as far as this caller worked on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Somebody else works on it, or it has ended.
    NotOurs,
    /// It was stopped, or the lease was lost.
    LetGo,
}

/// Starts a run, or answers the one under way: a corp has one at a time.
pub async fn start(tx: &Tx, act: &Act<'_>, corp: CorpId, kind: Kind) -> Result<SyncRunId> {
    let new = SyncRunId::new(act.ids, act.now);
    let id = if store::insert(tx, corp, new, kind, act.now).await? {
        new
    } else {
        let running = store::running(tx, corp).await?;
        running.ok_or_else(|| Error::conflict("a run ended this moment; start another"))?
    };
    job::enqueue(tx, act.ids, act.now, corp, &CarryOn { run: id }, act.now).await?;
    Ok(id)
}

/// Ends a run under way; what was read stays.
///
/// # Errors
/// `Conflict` when it is not under way.
pub async fn stop(tx: &Tx, act: &Act<'_>, corp: CorpId, id: SyncRunId) -> Result<()> {
    if store::end(tx, corp, id, "stopped", act.now).await? {
        Ok(())
    } else {
        Err(Error::conflict("this run has ended already"))
    }
}

/// Ends a run that gets nowhere, with the problem that it kept hitting; what was read stays.
pub(super) async fn give_up(app: &App, corp: CorpId, run: SyncRunId, error: &Error) -> Result<()> {
    let tx = app.db.begin().await?;
    let now = app.now();
    store::fail_step(&tx, corp, run, &error.to_string(), now).await?;
    store::end(&tx, corp, run, "failed", now).await?;
    tx.commit().await
}

/// What a worker on a run holds.
pub(super) struct Work<'a> {
    pub app: &'a App,
    pub corp: CorpId,
    pub run: SyncRunId,
    pub epoch: i64,
    /// Cancelled when the lease is lost, the run is stopped or the program stops.
    pub over: CancellationToken,
}

/// Works on a run until it is done, unless somebody else does.
///
/// # Errors
/// What stopped it. A passing fault leaves the run as it is, to go on later; another one ends it as failed.
pub async fn carry_on(app: &App, corp: CorpId, run: SyncRunId) -> Result<Outcome> {
    let tx = app.db.begin().await?;
    let epoch = store::take(&tx, corp, run).await?;
    tx.commit().await?;
    let Some(epoch) = epoch else {
        return Ok(Outcome::NotOurs);
    };
    let work = Work {
        app,
        corp,
        run,
        epoch,
        over: app.stopping.child_token(),
    };
    let worked = tokio::select! {
        worked = work.every_step() => worked,
        () = work.keep_lease() => Ok(Outcome::LetGo),
    };
    work.over.cancel();
    if let Err(error) = &worked
        && is_final(error)
    {
        let tx = app.db.begin().await?;
        store::end(&tx, corp, run, "failed", app.now()).await?;
        tx.commit().await?;
    }
    work.give_back().await?;
    worked
}

/// Whether trying again without a change elsewhere cannot help.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Platform(fault) => !matches!(fault.advice, Advice::Retry { .. } | Advice::Unknown),
        _ => false,
    }
}

impl Work<'_> {
    async fn every_step(&self) -> Result<Outcome> {
        for step in store::open_steps(&self.app.db, self.corp, self.run).await? {
            let step = Step::ALL.into_iter().find(|one| one.as_str() == step);
            let step = step.ok_or_else(|| Error::internal("a step this version does not know"))?;
            let tx = self.app.db.begin().await?;
            store::begin_step(&tx, self.corp, self.run, step, self.app.now()).await?;
            tx.commit().await?;
            let (state, problem) = match self.step(step).await {
                Ok(problem) => ("done", problem),
                Err(_) if self.over.is_cancelled() => return Ok(Outcome::LetGo),
                // Not every shop gives its app the groups; what else was read stands without them.
                Err(error) if step == Step::Groups && is_one_of(&error, &NO_PERMISSION) => {
                    groups::leave_unread(self).await?;
                    ("failed", Some(error.to_string()))
                }
                Err(error) => {
                    self.failed(step, &error).await?;
                    return Err(error);
                }
            };
            if !self.ended(step, state, problem.as_deref()).await? {
                return Ok(Outcome::LetGo);
            }
        }
        let tx = self.app.db.begin().await?;
        let is_done = store::hold(&tx, self.corp, self.run, self.epoch, 0).await?
            && store::end(&tx, self.corp, self.run, "done", self.app.now()).await?;
        tx.commit().await?;
        if !is_done {
            return Ok(Outcome::LetGo);
        }
        if store::seen(&self.app.db, self.corp, self.run).await? >= WORTH_A_LOOK {
            self.app.db.look_at_tables().await?;
        }
        Ok(Outcome::Done)
    }

    /// Does a step; answers what could not be read, if anything.
    async fn step(&self, step: Step) -> Result<Option<String>> {
        let (seen, refused) = match step {
            Step::People => {
                let read = contacts::sync_people(self.app, self.corp).await?;
                (read.seen, read.refused)
            }
            Step::Tags => (tags::sync_tags(self.app, self.corp).await?.tags, Vec::new()),
            Step::Contacts => return pairs::read_all(self).await,
            Step::Groups => return groups::read_all(self).await,
        };
        let tx = self.app.db.begin().await?;
        let by = store::Progress {
            seen: seen as i64,
            failed: refused.len() as i64,
            ..Default::default()
        };
        for one in &refused {
            store::add_failed(&tx, self.corp, self.run, step, &one.userid, &one.why).await?;
        }
        store::advance(&tx, self.corp, self.run, step, by).await?;
        tx.commit().await?;
        Ok(refused.into_iter().next().map(|one| one.why))
    }

    async fn ended(&self, step: Step, state: &str, problem: Option<&str>) -> Result<bool> {
        let tx = self.app.db.begin().await?;
        let is_ours = store::hold(&tx, self.corp, self.run, self.epoch, store::LEASE_MS).await?;
        if is_ours {
            let now = self.app.now();
            store::end_step(&tx, self.corp, self.run, step, state, problem, now).await?;
        }
        tx.commit().await?;
        Ok(is_ours)
    }

    async fn failed(&self, step: Step, error: &Error) -> Result<()> {
        let tx = self.app.db.begin().await?;
        let why = error.to_string();
        if is_final(error) {
            let now = self.app.now();
            store::end_step(&tx, self.corp, self.run, step, "failed", Some(&why), now).await?;
        } else {
            store::note(&tx, self.corp, self.run, step, Some(&why)).await?;
        }
        tx.commit().await
    }

    /// Returns when the run is not ours any more.
    async fn keep_lease(&self) {
        loop {
            tokio::select! {
                () = self.over.cancelled() => return,
                () = tokio::time::sleep(RENEW) => {}
            }
            match self.renew().await {
                Ok(true) => {}
                Ok(false) => return self.over.cancel(),
                Err(error) => {
                    tracing::warn!(corp.id = %self.corp, %error, "a sync's lease could not be renewed")
                }
            }
        }
    }

    async fn renew(&self) -> Result<bool> {
        let tx = self.app.db.begin().await?;
        let is_ours = store::hold(&tx, self.corp, self.run, self.epoch, store::LEASE_MS).await?;
        tx.commit().await?;
        Ok(is_ours)
    }

    /// A transaction that only the run's owner gets.
    pub async fn begin(&self) -> Result<Tx> {
        let tx = self.app.db.begin().await?;
        if store::hold(&tx, self.corp, self.run, self.epoch, store::LEASE_MS).await? {
            return Ok(tx);
        }
        self.over.cancel();
        Err(Error::internal("the sync was let go of"))
    }

    async fn give_back(&self) -> Result<()> {
        let tx = self.app.db.begin().await?;
        store::hold(&tx, self.corp, self.run, self.epoch, 0).await?;
        tx.commit().await
    }
}
