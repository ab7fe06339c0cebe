//! The last look at a corp, kept for its administrators' page.

use super::model::{Kept, Line, Report};
use super::patient::Patient;
use super::run::examine;
use super::store;
use crate::app::App;
use crate::directory::Corp;
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::{MINUTE_MS, Timestamp};

/// A look that has not ended by then never will: its program was stopped.
const LIFE_MS: i64 = MINUTE_MS;

/// Begins a look at a corp, in a task of its own, and answers the task: the look goes on when its caller does not
/// wait. `None`: one is under way.
pub async fn begin(app: &App, corp: &Corp) -> Result<Option<tokio::task::JoinHandle<()>>> {
    let now = app.now();
    let tx = app.db.begin().await?;
    let begun = store::begin(&tx, corp.id, now, now.plus_ms(-LIFE_MS)).await?;
    tx.commit().await?;
    let (app, corp) = (app.clone(), corp.clone());
    Ok(begun.then(|| {
        tokio::spawn(async move {
            let report = examine(&Patient::of(&app), Some(&corp.corpid)).await;
            if let Err(error) = keep(&app, corp.id, &report).await {
                tracing::warn!(corp.id = %corp.id, %error, "what the doctor found could not be kept");
            }
        })
    }))
}

async fn keep(app: &App, corp: CorpId, report: &Report) -> Result<()> {
    let lines = serde_json::to_string(&report.lines)?;
    let tx = app.db.begin().await?;
    store::keep(&tx, corp, report.checked_at, &lines).await?;
    tx.commit().await
}

/// The last look, as it was kept. One of an older version that cannot be read counts as none.
pub async fn kept(app: &App, corp: CorpId) -> Result<Kept> {
    let Some((started_at, checked_at, lines)) = store::kept(&app.db, corp).await? else {
        return Ok(Kept {
            report: None,
            is_under_way: false,
        });
    };
    let is_over = checked_at.is_some_and(|checked_at| checked_at >= started_at);
    let lines: Option<Vec<Line>> = serde_json::from_str(&lines).ok();
    Ok(Kept {
        report: checked_at
            .zip(lines)
            .map(|(checked_at, lines)| Report { checked_at, lines }),
        is_under_way: !is_over && started_at > lately(app.now()),
    })
}

fn lately(now: Timestamp) -> Timestamp {
    now.plus_ms(-LIFE_MS)
}
