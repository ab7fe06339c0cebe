//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::store::{exports, imports};
use super::{Outcome, State, export, load};
use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{CorpId, ExportId, ImportId};
use crate::job::Job;
use crate::queue::{self, Lane};

/// One that a stopping program lets go of goes on so soon elsewhere.
const GO_ON_S: u64 = 1;

/// Takes the rows of an import until none is left.
#[derive(Serialize, Deserialize)]
pub struct Load {
    pub import: ImportId,
}

impl Job for Load {
    const NAME: &'static str = "files.load";
    /// Somebody looks at how far it is.
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.import.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, attempt: i64) -> Result<()> {
        let outcome = to_the_end(app, || load::take_part(app, corp, self.import)).await;
        let Err(error) = outcome else { return Ok(()) };
        if is_last(&error, attempt) {
            let tx = app.db.begin().await?;
            let why = error.to_string();
            imports::end(&tx, corp, self.import, State::Failed, Some(&why), app.now()).await?;
            tx.commit().await?;
        }
        Err(error)
    }
}

/// Writes an export until all is written.
#[derive(Serialize, Deserialize)]
pub struct Write {
    pub export: ExportId,
}

impl Job for Write {
    const NAME: &'static str = "files.write";
    const LANE: Lane = Lane::Campaign;

    fn key(&self) -> Option<String> {
        Some(self.export.to_string())
    }

    async fn run(self, app: &App, corp: CorpId, attempt: i64) -> Result<()> {
        let outcome = to_the_end(app, || export::write_part(app, corp, self.export)).await;
        let Err(error) = outcome else { return Ok(()) };
        if is_last(&error, attempt) {
            let tx = app.db.begin().await?;
            let why = error.to_string();
            exports::end(&tx, corp, self.export, State::Failed, Some(&why), app.now()).await?;
            tx.commit().await?;
        }
        Err(error)
    }
}

/// One part after another, in transactions of their own: others write in between.
async fn to_the_end<W: Future<Output = Result<Outcome>>>(app: &App, next: impl Fn() -> W) -> Result<()> {
    while next().await? == Outcome::Went {
        if app.stopping.is_cancelled() {
            return Err(Error::Busy {
                retry_after_s: GO_ON_S,
            });
        }
    }
    Ok(())
}

/// Whether no further try follows: the job is set aside, and whoever waits is told.
fn is_last(error: &Error, attempt: i64) -> bool {
    !matches!(error, Error::Busy { .. }) && attempt >= queue::MAX_ATTEMPTS
}
