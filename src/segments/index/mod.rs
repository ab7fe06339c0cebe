//! The audience index: who carries a tag, follows a store, ordered on a day, as bitmaps in the process, so that a
//! rule over millions of contacts is a few set operations. One a corp and instance.
//!
//! It is a cache of the database, never the truth. Every transaction that changes a fact about contacts says so
//! ([`crate::db::changes`]); before it answers, the index reads what was said since it last looked, and looks at those
//! contacts again. So an answer holds everything that was committed before it was asked for, on every instance. While
//! there is no index, or it is far behind, the database answers itself, by the rule as SQL.

mod associates;
mod bits;
mod block;
mod browse;
mod build;
mod calendar;
mod column;
mod count;
mod facts;
mod file;
mod find;
mod fresh;
mod keep;
mod kept;
mod leaf;
mod named;
mod names;
mod naming;
mod ordinals;
mod plan;
mod sets;
mod settled;
mod several;
mod snapshot;
mod store;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono_tz::Tz;
use tokio::sync::Notify;

use self::browse::Looks;
use self::calendar::Calendar;
use self::count::{Counts, Samples};
use self::facts::Facts;
use self::fresh::State;
use self::leaf::{Leaf, Leaves};
use self::plan::Want;
use super::Rule;
use super::rule::Kind;
use crate::app::App;
use crate::db::Db;
use crate::db::changes::{self, Fact};
use crate::error::{Error, Result};
use crate::ids::{ContactId, CorpId};
use crate::scope::Scope;
use crate::time::Timestamp;

pub(super) use self::browse::{Narrowed, narrow};
pub use self::build::{Built, build};
pub use self::keep::{keep, save_all};
pub use self::snapshot::{Ahead, read_ahead};

/// The index of one corp.
pub struct Index {
    corp: CorpId,
    zone: Tz,
    db: Db,
    calendar: Calendar,
    held: RwLock<Held>,
    /// Whoever reads changes.
    turn: tokio::sync::Mutex<()>,
    /// Readings of changes that were begun, and the last of them after which nothing was left to read.
    begun: AtomicU64,
    fresh: AtomicU64,
    /// So much changed that it is read in the background; the database answers meanwhile.
    is_behind: AtomicBool,
    /// One question to the database about a leaf at a time.
    asking: tokio::sync::Mutex<HashMap<Leaf, Arc<tokio::sync::Mutex<()>>>>,
    counts: Counts,
    samples: Samples,
    looks: Looks,
}

struct Held {
    facts: Facts,
    leaves: Leaves,
    /// Changes below this mark are in.
    mark: i64,
    /// Of those from it on, the ones that are in as well.
    ahead: BTreeSet<(i64, Option<Fact>)>,
    /// The last change that is in.
    last: i64,
    /// Rises with every change of the facts.
    version: u64,
    /// Changes since it was last written to disk.
    unsaved: u64,
    /// Names are being read; who may be called otherwise since.
    named_again: Option<BTreeSet<i64>>,
}

/// Which changes are in.
#[derive(Default)]
struct Known {
    mark: i64,
    ahead: BTreeSet<(i64, Option<Fact>)>,
    last: i64,
}

/// The indexes of this process.
#[derive(Default)]
pub struct Audiences {
    slots: Mutex<HashMap<CorpId, Slot>>,
    ahead: Mutex<Ahead>,
    /// Rung when a slot becomes another.
    changed: Notify,
}

#[derive(Clone)]
enum Slot {
    /// From its snapshot: a moment, for which whoever asks waits.
    Loading,
    Building,
    Ready(Arc<Index>),
}

/// How long whoever asks waits for a snapshot to be loaded.
const LOADING: Duration = Duration::from_secs(3);

impl Audiences {
    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<CorpId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is being read of the disk already.
    pub fn begin_with(&self, ahead: Ahead) {
        *self.ahead() = ahead;
    }

    /// The index of a corp whose days are those of `zone`.
    fn ready(&self, corp: CorpId, zone: Tz) -> Option<Arc<Index>> {
        match self.slots().get(&corp) {
            Some(Slot::Ready(index)) if index.zone == zone => Some(index.clone()),
            _ => None,
        }
    }

    /// Whether it is on this caller to build: nobody else does.
    fn claim(&self, corp: CorpId) -> bool {
        let mut slots = self.slots();
        if matches!(slots.get(&corp), Some(Slot::Loading | Slot::Building)) {
            return false;
        }
        slots.insert(corp, Slot::Loading);
        true
    }

    /// There is no snapshot that helps: it takes longer.
    fn is_building(&self, corp: CorpId) {
        self.slots().insert(corp, Slot::Building);
        self.changed.notify_waiters();
    }

    fn put(&self, index: Arc<Index>) {
        self.slots().insert(index.corp, Slot::Ready(index));
        self.changed.notify_waiters();
    }

    fn give_up(&self, corp: CorpId) {
        self.slots().remove(&corp);
        self.changed.notify_waiters();
    }

    fn is_loading(&self, corp: CorpId) -> bool {
        matches!(self.slots().get(&corp), Some(Slot::Loading))
    }

    /// Waits while a snapshot is being loaded.
    async fn loaded(&self, corp: CorpId) {
        let until = tokio::time::Instant::now() + LOADING;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.is_loading(corp) || tokio::time::timeout_at(until, changed).await.is_err() {
                return;
            }
        }
    }

    fn all(&self) -> Vec<Arc<Index>> {
        let slots = self.slots();
        let ready = slots.values().filter_map(|slot| match slot {
            Slot::Ready(index) => Some(index.clone()),
            Slot::Loading | Slot::Building => None,
        });
        ready.collect()
    }
}

/// Whether the corp's index would answer now.
pub fn is_ready(app: &App, corp: CorpId, zone: Tz) -> bool {
    app.shelf.of::<Audiences>().ready(corp, zone).is_some()
}

/// What an index holds of tags, and what that takes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub contacts: u32,
    /// Contacts of each tag, together.
    pub tag_links: u64,
    pub tag_bytes: u64,
    /// Of what people are called; 0 while it is not read yet.
    pub name_bytes: u64,
}

/// Reads what people are called into the corp's index, if there is one: until then the database is asked for names.
pub async fn read_names(app: &App, corp: CorpId, zone: Tz) -> Result<()> {
    match app.shelf.of::<Audiences>().ready(corp, zone) {
        Some(index) => index.read_names().await,
        None => Ok(()),
    }
}

/// Reads changes as whoever asks for an answer does, and leaves them for them.
pub async fn rehearse(app: &App) -> Result<()> {
    for index in app.shelf.of::<Audiences>().all() {
        let mark = index.read().mark;
        changes::since(&index.db, index.corp, mark).await?;
    }
    Ok(())
}

/// How large the corp's index is, if there is one.
pub fn size(app: &App, corp: CorpId, zone: Tz) -> Option<Size> {
    let index = app.shelf.of::<Audiences>().ready(corp, zone)?;
    let held = index.read();
    let tags = held.facts.tags.values();
    Some(Size {
        contacts: held.facts.ordinals.len(),
        tag_links: tags.clone().map(bits::Bits::len).sum(),
        tag_bytes: tags.map(|bits| bits.bytes() as u64).sum(),
        name_bytes: held.facts.names.as_ref().map_or(0, names::Names::bytes),
    })
}

/// Works out what a rule needs, so that whoever asks for it in a transaction does not wait there.
pub async fn prepare(app: &App, scope: &Scope, rule: &Rule, zone: Tz, now: Timestamp) -> Result<()> {
    let want = Want::Count { first: 0 };
    if let Some(index) = fresh(app, scope.corp, zone).await? {
        index.find_rule(scope, rule, now, want).await?;
    }
    Ok(())
}

/// Everybody a rule finds in scope; `None`: ask the database.
pub async fn people(
    app: &App,
    scope: &Scope,
    rule: &Rule,
    zone: Tz,
    now: Timestamp,
) -> Result<Option<Vec<ContactId>>> {
    let Some(index) = fresh(app, scope.corp, zone).await? else {
        return Ok(None);
    };
    let found = index.find_rule(scope, rule, now, Want::People).await?;
    Ok(found.map(|found| found.people))
}

/// The channels by which people came, `most` of them, those of the most people first: to choose from, so none of them
/// while there is no index, and none for whoever sees a part of the corp.
pub async fn channels(app: &App, scope: &Scope, zone: Tz, most: usize) -> Result<Vec<String>> {
    if !scope.is_whole() {
        return Ok(Vec::new());
    }
    let index = fresh(app, scope.corp, zone).await?;
    Ok(index.map_or_else(Vec::new, |index| index.channels(most)))
}

/// The corp's index with everything in it that was committed by now; `None`: ask the database.
pub(super) async fn fresh(app: &App, corp: CorpId, zone: Tz) -> Result<Option<Arc<Index>>> {
    let audiences = app.shelf.of::<Audiences>();
    if audiences.ready(corp, zone).is_none() {
        build::begin(app, corp, zone);
        audiences.loaded(corp).await;
    }
    let Some(index) = audiences.ready(corp, zone) else {
        return Ok(None);
    };
    Ok(match index.freshen().await? {
        State::Fresh => Some(index),
        State::Behind => None,
        State::Stale => {
            build::begin(app, corp, zone);
            None
        }
    })
}

impl Index {
    /// What `facts` holds was read after the changes below `mark`, and `ahead`, were committed.
    fn new(corp: CorpId, zone: Tz, db: Db, facts: Facts, known: Known) -> Self {
        Self {
            corp,
            zone,
            db,
            calendar: Calendar::of(zone),
            held: RwLock::new(Held {
                facts,
                leaves: Leaves::default(),
                mark: known.mark,
                ahead: known.ahead,
                last: known.last,
                version: 0,
                unsaved: 0,
                named_again: None,
            }),
            turn: tokio::sync::Mutex::default(),
            begun: AtomicU64::new(0),
            fresh: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
            asking: tokio::sync::Mutex::default(),
            counts: Counts::default(),
            samples: Samples::default(),
            looks: Looks::default(),
        }
    }

    /// Whether somebody may name it in a rule; `None`: only the database knows.
    pub(super) fn may_name(&self, scope: &Scope, kind: Kind, id: i64) -> Option<bool> {
        self.read().facts.named.may_name(scope, kind, id)
    }

    fn channels(&self, most: usize) -> Vec<String> {
        let held = self.read();
        let mut by_people: Vec<(u64, &String)> = held
            .facts
            .channels
            .iter()
            .map(|(channel, people)| (people.len(), channel))
            .filter(|(people, _)| *people > 0)
            .collect();
        by_people.sort_by_key(|(people, channel)| (Reverse(*people), *channel));
        by_people.truncate(most);
        by_people
            .into_iter()
            .map(|(_, channel)| channel.clone())
            .collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Off the threads that serve: a wide rule takes milliseconds.
    async fn off<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Index) -> T + Send + 'static,
    ) -> Result<T> {
        let index = self.clone();
        tokio::task::spawn_blocking(move || work(&index))
            .await
            .map_err(Error::internal)
    }
}
