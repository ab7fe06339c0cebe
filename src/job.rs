//! What a job is: a small struct of ids, a name, and a `run` that calls one verb. Safe to run twice.

use std::collections::HashSet;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{CorpId, Ids};
use crate::queue::{self, Lane, NewJob};
use crate::time::Timestamp;

/// A kind of job. Written in the transaction of the fact that needs it, with [`enqueue`].
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// `contacts.fetch`: the domain and a verb; never changed once shipped.
    const NAME: &'static str;
    const LANE: Lane;

    /// While a job with this key waits, another is not added.
    fn key(&self) -> Option<String> {
        None
    }

    /// `Ok` when done. A platform fault says by its advice whether it is tried again; other errors are, with
    /// growing pauses, until the queue sets the job aside. `attempt` counts from 1.
    fn run(self, app: &App, corp: CorpId, attempt: i64) -> impl Future<Output = Result<()>> + Send;
}

/// Writes a job, due at `run_at`. `false`: one with its key waits already.
pub async fn enqueue<J: Job>(
    tx: &Tx,
    ids: &Ids,
    now: Timestamp,
    corp: CorpId,
    job: &J,
    run_at: Timestamp,
) -> Result<bool> {
    queue::enqueue(tx, ids, now, new_job(corp, job, run_at, job.key())).await
}

/// Writes a job beside those that wait, without its key: it keeps no later one from being added.
pub async fn enqueue_beside<J: Job>(
    tx: &Tx,
    ids: &Ids,
    now: Timestamp,
    corp: CorpId,
    job: &J,
    run_at: Timestamp,
) -> Result<()> {
    queue::enqueue(tx, ids, now, new_job(corp, job, run_at, None)).await?;
    Ok(())
}

fn new_job<J: Job>(corp: CorpId, job: &J, run_at: Timestamp, unique_key: Option<String>) -> NewJob<'_> {
    NewJob {
        corp,
        kind: J::NAME,
        payload: queue::payload(job),
        lane: J::LANE,
        run_at,
        unique_key,
    }
}

/// The jobs of a kind that wait or run: what a sweep need not put back in line.
pub struct Open<J> {
    payloads: HashSet<String>,
    kind: PhantomData<J>,
}

impl<J: Job> Open<J> {
    pub async fn read(conn: &impl Conn, corp: CorpId) -> Result<Self> {
        Ok(Self {
            payloads: queue::open_payloads(conn, corp, J::NAME).await?,
            kind: PhantomData,
        })
    }

    pub fn has(&self, job: &J) -> bool {
        self.payloads.contains(&queue::payload(job))
    }
}
