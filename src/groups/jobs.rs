//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::model::Told;
use crate::app::App;
use crate::contacts::inbox::LOOKS_AGAIN;
use crate::error::Result;
use crate::ids::CorpId;
use crate::job::{self, Job};
use crate::queue::Lane;
use crate::time::SECOND_MS;

/// Reads of a group lag behind its events: the first look waits so long.
pub const FIRST_LOOK_MS: i64 = 2 * SECOND_MS;

/// Fetches one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    pub chat_id: String,
    /// What an event told and no fetch can.
    pub told: Option<Told>,
    /// How many looks went before this one.
    pub look: usize,
}

impl Job for Fetch {
    const NAME: &'static str = "groups.fetch";
    const LANE: Lane = Lane::Callback;

    /// One waiting look does for all news of a group; each end that was told must be heard.
    fn key(&self) -> Option<String> {
        let Self { chat_id, look, told } = self;
        let told = told.as_ref().map(Told::key).unwrap_or_default();
        Some(format!("{chat_id}|{look}|{told}"))
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let looked = super::fetch(app, corp, &self.chat_id, self.told.as_ref()).await?;
        let Some(pause) = LOOKS_AGAIN.get(self.look) else {
            return Ok(());
        };
        let again = Self {
            chat_id: self.chat_id,
            told: self.told.filter(|_| looked.is_early),
            look: self.look + 1,
        };
        let (tx, now) = (app.db.begin().await?, app.now());
        job::enqueue(&tx, &app.ids, now, corp, &again, now.plus_ms(*pause)).await?;
        tx.commit().await
    }
}
