//! Puts moments back in line whose job was set aside: in an outage of the platform a job uses up its tries.

use super::follow::FOLLOW_MS;
use super::jobs::{Follow, Post, Reconcile, Start};
use super::post::fail;
use super::reconcile::LAST;
use super::store::{self, OpenPart};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::CorpId;
use crate::job::{Open, enqueue};
use crate::scope::Act;
use crate::time::{DAY_MS, HOUR_MS};

/// A part that nobody could be asked for so long after its start is not posted any more.
const MISSED_MS: i64 = DAY_MS;
/// A look-up that did not come to an end in this time is started anew.
const STALE_UNKNOWN_MS: i64 = HOUR_MS;

/// Gives whatever is not over and has no job another one, or fails it when it is too late.
pub async fn sweep(tx: &Tx, act: &Act<'_>, corp: CorpId) -> Result<()> {
    let starts: Open<Start> = Open::read(tx, corp).await?;
    for moment in store::due(tx, corp, act.now).await? {
        let job = Start { moment };
        if !starts.has(&job) {
            enqueue(tx, act.ids, act.now, corp, &job, act.now).await?;
        }
    }
    let open = store::open_parts(tx, corp, act.now.plus_ms(-FOLLOW_MS)).await?;
    if open.is_empty() {
        return Ok(());
    }
    let jobs = Jobs {
        posts: Open::read(tx, corp).await?,
        follows: Open::read(tx, corp).await?,
    };
    for part in open {
        put_back(tx, act, corp, &jobs, &part).await?;
    }
    Ok(())
}

struct Jobs {
    posts: Open<Post>,
    follows: Open<Follow>,
}

async fn put_back(tx: &Tx, act: &Act<'_>, corp: CorpId, jobs: &Jobs, part: &OpenPart) -> Result<()> {
    let (moment, n) = (part.moment_id, part.n);
    match part.state.as_str() {
        "planned" if act.now.0 - part.starts_at.0 > MISSED_MS => {
            match store::find_part(tx, corp, moment, n).await {
                Err(Error::NotFound) => {}
                part => fail(tx, corp, &part?, "missed").await?,
            }
        }
        "planned" | "calling" => {
            let job = Post { moment, n };
            if !jobs.posts.has(&job) {
                enqueue(tx, act.ids, act.now, corp, &job, act.now).await?;
            }
        }
        "unknown" => {
            let since = part.call_started_at.unwrap_or(act.now);
            if act.now.0 - since.0 > STALE_UNKNOWN_MS {
                let round = LAST;
                enqueue(
                    tx,
                    act.ids,
                    act.now,
                    corp,
                    &Reconcile { moment, n, round },
                    act.now,
                )
                .await?;
            }
        }
        _ => {
            let job = Follow { moment, n };
            if !jobs.follows.has(&job) {
                enqueue(tx, act.ids, act.now, corp, &job, act.now).await?;
            }
        }
    }
    Ok(())
}
