//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::Result;
use crate::ids::CorpId;
use crate::job::Job;
use crate::queue::Lane;

/// All groups and tags.
#[derive(Serialize, Deserialize)]
pub struct SyncTags {}

impl Job for SyncTags {
    const NAME: &'static str = "tags.sync_tags";
    const LANE: Lane = Lane::Callback;

    fn key(&self) -> Option<String> {
        Some("whole".into())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        super::sync_tags(app, corp).await?;
        Ok(())
    }
}
