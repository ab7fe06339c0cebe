//! Long reads: questions whose cost somebody's rule decides. Few at a time, on connections of their own, and not for
//! ever, so that however many are asked, every other read goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Db;
use crate::error::{Error, Result};

/// Long reads at once in this process.
pub(super) const SEATS: usize = 2;
/// How long one may take; PostgreSQL counts each of its statements anew.
pub const LIMIT: Duration = Duration::from_secs(10);
/// How long a question may take whose answer is kept, and waits for its turn.
pub(super) const ASIDE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_AFTER_S: u64 = 5;

/// The connections for long reads, and who waits for one.
#[derive(Clone)]
pub(super) struct Long {
    free: Arc<Mutex<Vec<Seat>>>,
    turns: Arc<Semaphore>,
}

/// One connection, and until when it may work.
pub(super) struct Seat {
    pub connection: DatabaseConnection,
    pub deadline: Deadline,
}

/// Until when a statement may run: SQLite asks every few thousand steps. PostgreSQL keeps its own time.
#[derive(Clone)]
pub(super) struct Deadline(Arc<AtomicU64>);

/// A seat in use. Belongs to the work, not to who asked for it: a statement goes on after its request is gone.
struct Taken {
    /// `None` only while it is given back.
    seat: Option<Seat>,
    long: Long,
    _turn: OwnedSemaphorePermit,
}

impl Db {
    /// Runs reads that may take long; `work` gets the database to read with.
    ///
    /// # Errors
    /// [`Error::Busy`] when no turn comes, or when it takes longer than [`LIMIT`].
    pub async fn at_length<T, F>(&self, work: impl FnOnce(Db) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.at_length_within(PATIENCE, LIMIT, work).await
    }

    /// The same for a question whose answer is kept, so that it is worth minutes: one at a time, beside the long reads
    /// that somebody waits for.
    pub async fn aside<T, F>(&self, work: impl FnOnce(Db) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.taking(&self.aside, ASIDE_LIMIT, ASIDE_LIMIT, work).await
    }

    async fn at_length_within<T, F>(
        &self,
        patience: Duration,
        limit: Duration,
        work: impl FnOnce(Db) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.taking(&self.long, patience, limit, work).await
    }

    async fn taking<T, F>(
        &self,
        seats: &Long,
        patience: Duration,
        limit: Duration,
        work: impl FnOnce(Db) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let taken = tokio::time::timeout(patience, seats.take())
            .await
            .map_err(|_| busy())??;
        let seat = taken.seat.as_ref().expect("given back only when dropped");
        let deadline = seat.deadline.clone();
        deadline.begin(limit);
        let work = work(Db {
            read: seat.connection.clone(),
            ..self.clone()
        });
        let task = tokio::spawn(async move {
            // Never dropped in the middle: a statement would go on without it, on a seat given to somebody else.
            let outcome = work.await;
            let is_late = !deadline.is_ahead();
            drop(taken);
            match outcome {
                Err(Error::Internal(_)) if is_late => Err(busy()),
                outcome => outcome,
            }
        });
        task.await.map_err(Error::internal)?
    }
}

fn busy() -> Error {
    Error::Busy {
        retry_after_s: RETRY_AFTER_S,
    }
}

impl Long {
    pub(super) fn new(seats: Vec<Seat>) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(seats.len())),
            free: Arc::new(Mutex::new(seats)),
        }
    }

    async fn take(&self) -> Result<Taken> {
        let turn = self
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(Error::internal)?;
        let seat = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Taken {
            seat: Some(seat.ok_or_else(|| Error::internal("a turn without a seat"))?),
            long: self.clone(),
            _turn: turn,
        })
    }

    pub(super) async fn close(self) {
        let seats = std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        for seat in seats {
            let _ = seat.connection.close().await;
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(seat) = self.seat.take() {
            let mut free = self.long.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(seat);
        }
    }
}

/// What deadlines count from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn elapsed_ms() -> u64 {
    START.elapsed().as_millis() as u64
}

impl Deadline {
    pub(super) fn none() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    fn begin(&self, limit: Duration) {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let until = elapsed_ms().saturating_add(limit);
        self.0.store(until, Ordering::Relaxed);
    }

    pub(super) fn is_ahead(&self) -> bool {
        elapsed_ms() <= self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::db::count;

    const ENDLESS: &str =
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";

    async fn database(folder: &tempfile::TempDir) -> Db {
        Db::connect(&format!("sqlite://{}/long.sqlite", folder.path().display()))
            .await
            .unwrap()
    }

    async fn endless(db: Db) -> Result<i64> {
        count(&db, ENDLESS, args![]).await
    }

    async fn quick(db: Db) -> Result<i64> {
        count(&db, "select 7", args![]).await
    }

    #[tokio::test]
    async fn a_read_without_end_is_ended_and_its_seat_is_free_again() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder).await;
        for _ in 0..SEATS + 1 {
            let outcome = db
                .at_length_within(Duration::MAX, Duration::from_millis(20), endless)
                .await;
            assert!(matches!(outcome, Err(Error::Busy { .. })), "{outcome:?}");
        }
        // Were the statements still running, these would wait behind them for ever.
        for _ in 0..SEATS {
            let outcome = db.at_length_within(Duration::MAX, Duration::MAX, quick).await;
            assert_eq!(outcome.unwrap(), 7);
        }
    }

    #[tokio::test]
    async fn who_asks_while_all_seats_are_taken_is_told_to_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder).await;
        let (release, held) = tokio::sync::watch::channel(false);
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..SEATS {
            let (db, mut held) = (db.clone(), held.clone());
            asked.spawn(async move {
                let wait = |_| async move {
                    let _ = held.wait_for(|released| *released).await;
                    Ok(())
                };
                db.at_length_within(Duration::MAX, Duration::MAX, wait).await
            });
        }
        while db.long.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        // Who asked is gone; the work is not, and keeps its seat.
        asked.shutdown().await;
        let refused = db
            .at_length_within(Duration::from_millis(1), Duration::MAX, quick)
            .await;
        assert!(matches!(refused, Err(Error::Busy { .. })));
        assert_eq!(quick(db.clone()).await.unwrap(), 7, "other reads go on");
        release.send(true).unwrap();
        let served = db.at_length_within(Duration::MAX, Duration::MAX, quick).await;
        assert_eq!(served.unwrap(), 7);
    }
}
