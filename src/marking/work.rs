//! Going through the parts, in slices: others want the workers too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::merge;
use super::refused::{self, Verdict, verdict};
use super::store::markings::{self as store, Counts, Part, Refusal, Task};
use super::{State, Told};
use crate::app::App;
use crate::auth;
use crate::contacts::{self, Pair};
use crate::error::{Error, Result, Said};
use crate::ids::{AssociateId, ContactId, CorpId, MarkingId, TagId};
use crate::queue::Lane;
use crate::tags::Marker;

/// Calls under way at once; the platform refuses more than 5 in a corp, and somebody may mark by hand meanwhile.
const AT_ONCE: usize = 3;
/// Then others get a turn.
const SLICE: Duration = Duration::from_secs(15);

/// What became of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is more to do.
    Went,
    /// It has ended, pauses, or somebody else goes on with it.
    Ended,
}

/// Goes on with a marking for a while. `turn` is the one it was put in line for.
///
/// # Errors
/// What a later try may get past; what it cannot is told in the marking itself.
pub async fn work(app: &App, corp: CorpId, id: MarkingId, turn: i64) -> Result<Outcome> {
    let Some(task) = store::task(&app.db, corp, id, turn).await? else {
        return Ok(Outcome::Ended);
    };
    let now_seen = auth::scope_now(&app.db, corp, task.by, app.now()).await?;
    if !now_seen.is_some_and(|scope| scope.covers(&task.scope)) {
        return end(app, &task, State::Paused, &refused::asker_sees_less()).await;
    }
    let began = Instant::now();
    while let Some(part) = store::next_part(&app.db, corp, id).await? {
        if !store::is_under_way(&app.db, corp, id, turn).await? {
            return Ok(Outcome::Ended);
        }
        match one_part(app, &task, &part).await? {
            Went::On => {}
            Went::Off(outcome) => return Ok(outcome),
        }
        if began.elapsed() > SLICE || app.stopping.is_cancelled() {
            return Ok(Outcome::Went);
        }
    }
    merge::finish(app, &task).await
}

/// Ends or pauses it, with the reason.
pub(super) async fn end(app: &App, task: &Task, to: State, why: &Said) -> Result<Outcome> {
    let tx = app.db.begin().await?;
    let (told, now) = (Told::from(why), app.now());
    let is_moved = store::move_on(
        &tx,
        task.scope.corp,
        task.id,
        State::Running,
        to,
        Some(&told),
        now,
    )
    .await?;
    if is_moved && to.is_final() {
        store::forget_parts(&tx, task.scope.corp, task.id).await?;
    }
    tx.commit().await?;
    Ok(Outcome::Ended)
}

enum Went {
    On,
    Off(Outcome),
}

/// What became of a pair.
enum Became {
    /// It is as it should be.
    Right,
    Refused(Said),
    /// Nobody asked any more: it pauses, or another pair met something that stops them all.
    Left,
    Halted(Error),
}

async fn one_part(app: &App, task: &Task, part: &Part) -> Result<Went> {
    let corp = task.scope.corp;
    let marker = match Marker::of(app, task.by, corp, &task.add, &task.remove).await {
        Ok(marker) => marker.in_lane(Lane::Campaign).as_part_of(task.id),
        Err(Error::Invalid(_)) => {
            return end(app, task, State::Failed, &refused::tag_gone())
                .await
                .map(Went::Off);
        }
        Err(error) => return Err(error),
    };
    let pairs = contacts::pairs(&app.db, &task.scope, &part.contacts).await?;
    let walk = Walk {
        app,
        task,
        marker: &marker,
        is_halted: AtomicBool::new(false),
    };
    // Made before the stream: a closure over borrowed pairs would keep the whole future from moving between threads.
    let each: Vec<_> = pairs.iter().map(|pair| walk.told(pair)).collect();
    let became: Vec<(ContactId, AssociateId, Became)> = futures_util::stream::iter(each)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut refusals: HashMap<ContactId, Refusal> = HashMap::new();
    for contact in &part.contacts {
        // Who lost the tag that is merged has nothing to gain.
        if task.carrying.is_none() && !pairs.iter().any(|pair| pair.contact_id == *contact) {
            refusals.insert(*contact, Refusal::of(*contact, None, &refused::nobody_follows()));
        }
    }
    let mut is_left = false;
    for (contact, associate, became) in became {
        match became {
            Became::Right => {}
            Became::Left => is_left = true,
            Became::Refused(why) => {
                refusals.insert(contact, Refusal::of(contact, Some(associate), &why));
            }
            Became::Halted(error) => return halted(app, task, error).await,
        }
    }
    if is_left {
        // A program that stops leaves the rest to another; whoever paused it wants none.
        return Ok(Went::Off(match app.stopping.is_cancelled() {
            true => Outcome::Went,
            false => Outcome::Ended,
        }));
    }
    take(app, task, part, refusals).await?;
    Ok(Went::On)
}

async fn halted(app: &App, task: &Task, error: Error) -> Result<Went> {
    let outcome = match verdict(&error) {
        Verdict::Pause(why) => end(app, task, State::Paused, &why).await?,
        Verdict::Fail(why) => end(app, task, State::Failed, &why).await?,
        Verdict::Again | Verdict::Refused(_) => return Err(error),
    };
    Ok(Went::Off(outcome))
}

/// The part's people are through: counted, each once, as the history has it.
async fn take(app: &App, task: &Task, part: &Part, refusals: HashMap<ContactId, Refusal>) -> Result<()> {
    let corp = task.scope.corp;
    let tx = app.db.begin().await?;
    // Another worker, whom we took for lost, may have been quicker.
    if !store::forget_part(&tx, corp, task.id, part.part).await? {
        return Ok(());
    }
    let turned = contacts::turned_in(&tx, corp, task.id, &part.contacts).await?;
    let changed = part
        .contacts
        .iter()
        .filter(|contact| turned.contains(contact) && !refusals.contains_key(contact))
        .count() as i64;
    let counts = Counts {
        changed,
        refused: refusals.len() as i64,
        unchanged: part.contacts.len() as i64 - changed - refusals.len() as i64,
    };
    store::refuse(&tx, corp, task.id, refusals.into_values().collect()).await?;
    store::count(&tx, corp, task.id, counts).await?;
    tx.commit().await
}

struct Walk<'a> {
    app: &'a App,
    task: &'a Task,
    marker: &'a Marker<'a>,
    /// What one pair met concerns them all.
    is_halted: AtomicBool,
}

impl Walk<'_> {
    async fn told(&self, pair: &Pair) -> (ContactId, AssociateId, Became) {
        (pair.contact_id, pair.associate_id, self.pair(pair).await)
    }

    async fn pair(&self, pair: &Pair) -> Became {
        let carries = |tag: TagId| pair.tag_ids().contains(&tag);
        if !self.task.carrying.is_none_or(carries) || !self.marker.is_needed(pair) {
            return Became::Right;
        }
        match self.may_go_on().await {
            Ok(true) => {}
            Ok(false) => return Became::Left,
            Err(error) => return self.halt(error),
        }
        match self.marker.mark(pair).await {
            Ok(_) => Became::Right,
            Err(error) => match verdict(&error) {
                Verdict::Refused(why) => Became::Refused(why),
                _ => self.halt(error),
            },
        }
    }

    /// Looked at before every call, so that a pause is prompt.
    async fn may_go_on(&self) -> Result<bool> {
        if self.is_halted.load(Ordering::Relaxed) || self.app.stopping.is_cancelled() {
            return Ok(false);
        }
        let Task { scope, id, turn, .. } = self.task;
        store::is_under_way(&self.app.db, scope.corp, *id, *turn).await
    }

    fn halt(&self, error: Error) -> Became {
        self.is_halted.store(true, Ordering::Relaxed);
        Became::Halted(error)
    }
}
