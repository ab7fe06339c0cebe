//! Group commit: many callers, one writer, one commit for whatever waits. A caller is answered after the commit that
//! holds its row, so an answer is a fact; nobody waits on a timer.

use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// Rows that one commit may carry.
const MAX_GROUP: usize = 500;
/// Rows that may wait; beyond that callers are told to come back.
const MAX_WAITING: usize = 8_192;

type Done = oneshot::Sender<Result<(), String>>;

/// The door to one writer task. Clones share it; the task ends when the last clone is gone.
pub struct Group<T> {
    waiting: mpsc::Sender<(T, Done)>,
}

impl<T> Clone for Group<T> {
    fn clone(&self) -> Self {
        Self {
            waiting: self.waiting.clone(),
        }
    }
}

impl<T: Send + 'static> Group<T> {
    /// Starts the writer; `write` stores a group of rows, all or none.
    pub fn start<W, F>(write: W) -> Self
    where
        W: Fn(Vec<T>) -> F + Send + 'static,
        F: Future<Output = Result<()>> + Send,
    {
        let (waiting, mut arrivals) = mpsc::channel::<(T, Done)>(MAX_WAITING);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(MAX_GROUP);
            while arrivals.recv_many(&mut group, MAX_GROUP).await > 0 {
                let (rows, callers): (Vec<T>, Vec<Done>) = group.drain(..).unzip();
                let outcome = write(rows).await.map_err(|error| error.to_string());
                for caller in callers {
                    let _ = caller.send(outcome.clone());
                }
            }
        });
        Self { waiting }
    }

    /// Answers once the row is durable.
    ///
    /// # Errors
    /// [`Error::TooMany`] when too much waits; otherwise what the database said. The row is then not acknowledged.
    pub async fn store(&self, row: T) -> Result<()> {
        let (done, outcome) = oneshot::channel();
        self.waiting
            .try_send((row, done))
            .map_err(|_| Error::TooMany { retry_after_s: 1 })?;
        match outcome.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(Error::internal(message)),
            Err(_) => Err(Error::internal("the writer stopped")),
        }
    }
}
