//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::sync::LAG_MS;
use crate::app::App;
use crate::error::Result;
use crate::ids::CorpId;
use crate::job::{self, Job};
use crate::queue::Lane;

/// All groups and tags.
#[derive(Default, Serialize, Deserialize)]
pub struct SyncTags {
    /// Whether this look follows one that came too early.
    #[serde(default)]
    pub again: bool,
}

impl Job for SyncTags {
    const NAME: &'static str = "tags.sync_tags";
    const LANE: Lane = Lane::Callback;

    fn key(&self) -> Option<String> {
        Some(if self.again { "again" } else { "whole" }.into())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let synced = super::sync_tags(app, corp).await?;
        if !synced.is_early || self.again {
            return Ok(());
        }
        let (tx, now) = (app.db.begin().await?, app.now());
        let again = Self { again: true };
        job::enqueue(&tx, &app.ids, now, corp, &again, now.plus_ms(LAG_MS)).await?;
        tx.commit().await
    }
}
