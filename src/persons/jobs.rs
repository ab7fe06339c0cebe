//! Jobs of this domain.

use serde::{Deserialize, Serialize};

use super::store::{self, moves};
use crate::app::App;
use crate::contacts;
use crate::error::Result;
use crate::ids::CorpId;
use crate::job::Job;
use crate::queue::Lane;
use crate::time::DAY_MS;

/// For so long after a merge something may still be written for the merged contact: the last is what becomes of a
/// message that was under way.
const OPEN_MS: i64 = 14 * DAY_MS;

/// Every night: what was written for a merged contact by somebody who had looked them up just before becomes the kept
/// one's, and duplicates that came in two transactions at once are found.
#[derive(Serialize, Deserialize)]
pub struct Upkeep {}

impl Job for Upkeep {
    const NAME: &'static str = "persons.upkeep";
    const LANE: Lane = Lane::Sweep;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        for (merge, kept, merged, external) in
            store::in_force_since(&app.db, corp, app.now().plus_ms(-OPEN_MS)).await?
        {
            let tx = app.db.begin().await?;
            // Somebody may have undone it since it was found; from here on nobody can.
            if !store::hold(&tx, corp, merge).await?
                || contacts::kept_of(&tx, corp, merged).await? != Some(kept)
            {
                continue;
            }
            let moved = moves::Moved {
                corp,
                merge,
                kept,
                merged,
            };
            let rows = moved.leave_known(&tx, &external).await? + moved.take_over(&tx, &external).await?;
            if rows > 0 {
                super::merge::note(&tx, corp, kept, merged);
                tx.commit().await?;
            }
        }
        let found = store::unionids_of_several(&app.db, corp).await?;
        let tx = app.db.begin().await?;
        store::replace_duplicates(&tx, corp, &found).await?;
        tx.commit().await
    }
}
