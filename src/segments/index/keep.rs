//! What a serving instance does for its indexes: has them at the start, keeps them warm, writes them down now and then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fresh::State;
use super::plan::Want;
use super::{Audiences, Index, build, snapshot};
use crate::app::App;
use crate::directory;
use crate::error::Result;
use crate::page::PageOf;
use crate::scope::Scope;
use crate::segments::{self, Messaged, Rule};

/// How often changes are read when nobody asks.
const TICK: Duration = Duration::from_secs(1);
/// A changed index is written down at most so often.
const SAVED_EVERY: Duration = Duration::from_secs(5 * 60);
/// Saved segments whose leaves are worked out before anybody asks.
const WARM: i64 = 20;

/// Keeps an index of every corp until the app stops.
pub async fn keep(app: &App) {
    let audiences = app.shelf.of::<Audiences>();
    match directory::corps(&app.db).await {
        Ok(corps) => {
            let ids: Vec<_> = corps.iter().map(|corp| corp.id).collect();
            audiences.ahead().keep(&ids);
            corps
                .iter()
                .for_each(|corp| build::begin(app, corp.id, corp.zone));
        }
        Err(error) => tracing::warn!(%error, "audience indexes are built when they are asked for"),
    }
    let mut warmed: Vec<Arc<Index>> = Vec::new();
    let mut saved = Instant::now();
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = app.stopping.cancelled() => break,
        }
        let ready = audiences.all();
        for index in &ready {
            tick(app, index).await;
            if !warmed.iter().any(|warm| Arc::ptr_eq(warm, index))
                && let Err(error) = warm(app, index).await
            {
                tracing::debug!(corp = %index.corp, %error, "saved segments are not worked out yet");
            }
            if !warmed.iter().any(|warm| Arc::ptr_eq(warm, index)) {
                tokio::spawn(name(index.clone()));
            }
        }
        warmed = ready;
        if saved.elapsed() > SAVED_EVERY {
            save_all(app).await;
            saved = Instant::now();
        }
    }
    save_all(app).await;
}

async fn tick(app: &App, index: &Arc<Index>) {
    match index.freshen().await {
        Ok(State::Fresh | State::Behind) => {}
        Ok(State::Stale) => build::begin(app, index.corp, index.zone),
        Err(error) => tracing::debug!(corp = %index.corp, %error, "changes could not be read"),
    }
}

async fn name(index: Arc<Index>) {
    if let Err(error) = index.read_names().await {
        tracing::warn!(corp = %index.corp, %error, "names could not be read; the database searches them");
    }
}

/// Writes down the indexes that changed since they last were.
pub async fn save_all(app: &App) {
    for index in app.shelf.of::<Audiences>().all() {
        if index.read().unsaved > 0 {
            snapshot::save(app, &index).await;
        }
    }
}

/// Works out the leaves that will be asked for: those of saved segments, and who got more than three messages in a
/// month, which nearly every audience leaves out.
async fn warm(app: &App, index: &Arc<Index>) -> Result<()> {
    let scope = Scope::whole(index.corp);
    let saved = segments::list(&app.db, &scope, &PageOf::first(WARM)).await?;
    let mut rules: Vec<Rule> = saved.items.into_iter().map(|segment| segment.rule).collect();
    rules.push(Rule::Messaged(Messaged {
        within_days: 30,
        at_most: Some(3),
        at_least: None,
    }));
    for rule in rules {
        let want = Want::Count { first: 0 };
        index.find_rule(&scope, &rule, app.now(), want).await?;
    }
    Ok(())
}
