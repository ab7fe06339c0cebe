//! Building an index from the database, page by page, and everything that changed since it began.

use std::sync::Arc;
use std::time::Instant;

use chrono_tz::Tz;

use super::calendar::Calendar;
use super::facts::Facts;
use super::fresh::State;
use super::store::{self, PAGE, Place};
use super::{Audiences, Index, Known, snapshot};
use crate::app::App;
use crate::db::{Db, changes};
use crate::error::{Error, Result};
use crate::ids::CorpId;

/// How often it is begun anew because so much changed meanwhile.
const TRIES: usize = 5;
/// Rows between two words in the log.
const WORD: u64 = 1_000_000;

/// Builds the corp's index in the background, unless somebody does already.
pub(super) fn begin(app: &App, corp: CorpId, zone: Tz) {
    let audiences = app.shelf.of::<Audiences>();
    if app.stopping.is_cancelled() || !audiences.claim(corp) {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        tokio::select! {
            built = built(&app, corp, zone) => settle(&app, corp, built),
            () = app.stopping.cancelled() => audiences.give_up(corp),
        }
    });
}

/// Where an index came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    FromDisk,
    FromDatabase,
    /// Somebody else is building it.
    Elsewhere,
}

/// Builds the corp's index now, from its snapshot where there is one.
pub async fn build(app: &App, corp: CorpId, zone: Tz) -> Result<Built> {
    if !app.shelf.of::<Audiences>().claim(corp) {
        return Ok(Built::Elsewhere);
    }
    match built(app, corp, zone).await {
        Ok((index, origin)) => {
            app.shelf.of::<Audiences>().put(index);
            Ok(origin)
        }
        Err(error) => {
            app.shelf.of::<Audiences>().give_up(corp);
            Err(error)
        }
    }
}

fn settle(app: &App, corp: CorpId, built: Result<(Arc<Index>, Built)>) {
    let audiences = app.shelf.of::<Audiences>();
    match built {
        Ok((index, _)) => audiences.put(index),
        Err(error) => {
            tracing::warn!(%corp, %error, "the audience index could not be built; the database answers");
            audiences.give_up(corp);
        }
    }
}

async fn built(app: &App, corp: CorpId, zone: Tz) -> Result<(Arc<Index>, Built)> {
    if let Some(index) = snapshot::load(app, corp, zone).await {
        let index = Arc::new(index);
        if index.is_caught_up().await? {
            return Ok((index, Built::FromDisk));
        }
        tracing::info!(%corp, "the snapshot of the audience index is too old; building anew");
    }
    app.shelf.of::<Audiences>().is_building(corp);
    for _ in 0..TRIES {
        let index = Arc::new(from_database(&app.db, corp, zone).await?);
        if index.is_caught_up().await? {
            snapshot::save(app, &index).await;
            return Ok((index, Built::FromDatabase));
        }
    }
    Err(Error::internal("so much changes that no index can be built"))
}

impl Index {
    /// Takes in everything there is; `false` when it has to be built anew.
    async fn is_caught_up(self: &Arc<Self>) -> Result<bool> {
        let _turn = self.turn.lock().await;
        loop {
            match self.read_changes(usize::MAX).await? {
                State::Fresh => return Ok(true),
                State::Behind => {}
                State::Stale => return Ok(false),
            }
        }
    }
}

/// Rows taken in, said aloud now and then.
struct Progress {
    corp: CorpId,
    began: Instant,
    rows: u64,
    said: u64,
}

impl Progress {
    fn add(&mut self, rows: usize, what: &str) {
        self.rows += rows as u64;
        if self.rows - self.said >= WORD {
            self.said = self.rows;
            let seconds = self.began.elapsed().as_secs();
            tracing::info!(corp = %self.corp, rows = self.rows, seconds, "building the audience index: {what}");
        }
    }
}

async fn from_database(db: &Db, corp: CorpId, zone: Tz) -> Result<Index> {
    let mut progress = Progress {
        corp,
        began: Instant::now(),
        rows: 0,
        said: 0,
    };
    // What is committed from here on is told of by changes with this mark or higher ones, and read again.
    let mark = changes::since(db, corp, i64::MAX).await?.until;
    let read = changes::since(db, corp, mark).await?;
    let known = Known {
        mark,
        ahead: read.list.iter().map(|change| change.key()).collect(),
        last: read.last,
    };
    let calendar = Calendar::of(zone);
    let mut facts = Facts {
        named: store::named(db, corp).await?,
        ..Facts::default()
    };
    let mut after = i64::MIN;
    loop {
        let page = store::people_after(db, corp, after).await?;
        page.iter().for_each(|person| facts.add_person(person));
        progress.add(page.len(), "people");
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.id,
            _ => break,
        }
    }
    let mut after = (i64::MIN, i64::MIN, String::new());
    loop {
        let page = store::pairs_after(db, corp, &after).await?;
        page.iter().for_each(|pair| facts.add_pair(pair));
        progress.add(page.len(), "follows");
        match page.last() {
            Some(last) if page.len() == PAGE => after = (last.contact, last.associate, last.alias.clone()),
            _ => break,
        }
    }
    add_visits(db, corp, &calendar, &mut facts, &mut progress).await?;
    facts.settle();
    let seconds = progress.began.elapsed().as_secs_f64();
    let contacts = facts.ordinals.len();
    tracing::info!(%corp, contacts, rows = progress.rows, seconds, "the audience index is built");
    Ok(Index::new(corp, zone, db.clone(), facts, known))
}

async fn add_visits(
    db: &Db,
    corp: CorpId,
    calendar: &Calendar,
    facts: &mut Facts,
    progress: &mut Progress,
) -> Result<()> {
    for place in [Place::Orders, Place::Clicks] {
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let page = store::visits_after(db, corp, place, after, calendar).await?;
            for visit in &page {
                facts.add_visit(place, visit);
            }
            progress.add(page.len(), "orders and clicks");
            match page.last() {
                Some(last) if page.len() == PAGE => after = (last.contact, last.at_ms),
                _ => break,
            }
        }
    }
    Ok(())
}
