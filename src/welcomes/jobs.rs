//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{Error, Result};
use crate::ids::{CorpId, ExternalUserId};
use crate::job::Job;
use crate::queue::Lane;

/// Tries to find the contact of a welcome; somebody who left at once is never known.
const MAX_TRIES: i64 = 6;

/// A welcome goes out before its contact is fetched; this puts the two together afterwards.
#[derive(Serialize, Deserialize)]
pub struct NameContact {
    pub code_hash: String,
    pub external_userid: ExternalUserId,
}

impl Job for NameContact {
    const NAME: &'static str = "welcomes.name_contact";
    const LANE: Lane = Lane::Normal;

    fn key(&self) -> Option<String> {
        Some(self.code_hash.clone())
    }

    async fn run(self, app: &App, corp: CorpId, attempt: i64) -> Result<()> {
        let is_known = super::name_contact(app, corp, &self.code_hash, &self.external_userid).await?;
        if is_known || attempt >= MAX_TRIES {
            return Ok(());
        }
        // Tried again after the runner's growing pause.
        Err(Error::NotFound)
    }
}
