//! How many calls of one API a corp makes at once: here, and together with other instances when the cache is shared.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ask::Api;
use super::fault::Failure;
use crate::cache::{Cache, Place};
use crate::ids::CorpId;
use crate::queue::Lane;

/// Longest wait for a turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// A turn whose owner died is free again after this: longer than any call lasts.
const LIFE: Duration = Duration::from_secs(45);
/// After the platform found it too much, one more at once is tried each time this has passed.
const WIDEN_AFTER: Duration = Duration::from_secs(10);
/// A look for a place that other instances hold, in milliseconds.
const LOOK_MS: std::ops::RangeInclusive<u64> = 20..=60;

type Gates = HashMap<(CorpId, &'static str), Arc<Gate>>;

#[derive(Clone)]
pub(super) struct Turns {
    cache: Cache,
    gates: Arc<Mutex<Gates>>,
}

struct Gate {
    all: Arc<Semaphore>,
    /// Campaigns and sweeps pass this one first, so that a few turns are left for what cannot wait.
    background: Arc<Semaphore>,
    width: Mutex<Width>,
}

struct Width {
    at_once: usize,
    changed: Instant,
}

/// One call under way; the next one's turn comes when it is dropped.
pub(super) struct Turn {
    gate: Arc<Gate>,
    permit: Option<OwnedSemaphorePermit>,
    was_too_many: bool,
    _background: Option<OwnedSemaphorePermit>,
    _place: Place,
}

impl Turns {
    pub(super) fn new(cache: Cache) -> Self {
        Self {
            cache,
            gates: Arc::default(),
        }
    }

    /// Waits until one more call may run at the same time, at the latest until `by`.
    pub(super) async fn take(
        &self,
        corp: CorpId,
        api: Api,
        lane: Lane,
        by: Instant,
    ) -> Result<Turn, Failure> {
        let by = by.min(Instant::now() + PATIENCE);
        let turn = tokio::time::timeout_at(by.into(), self.wait(corp, api, lane)).await;
        turn.map_err(|_| Failure::HeldBack {
            wait: Duration::from_secs(1),
            why: "too many calls at once; no turn came",
        })
    }

    async fn wait(&self, corp: CorpId, api: Api, lane: Lane) -> Turn {
        let gate = self.gate(corp, api);
        let at_once = gate.widen(api);
        let background = if is_background(lane) {
            Some(acquire(&gate.background).await)
        } else {
            None
        };
        let permit = acquire(&gate.all).await;
        let places = if background.is_some() {
            most(at_once)
        } else {
            at_once
        };
        let key = format!("wecom:turns:{corp}:{}", api.path);
        let place = loop {
            if let Some(place) = self.cache.take_place(&key, places, LIFE).await {
                break place;
            }
            tokio::time::sleep(Duration::from_millis(rand::random_range(LOOK_MS))).await;
        };
        Turn {
            gate,
            permit: Some(permit),
            was_too_many: false,
            _background: background,
            _place: place,
        }
    }

    fn gate(&self, corp: CorpId, api: Api) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates
            .entry((corp, api.path))
            .or_insert_with(|| Arc::new(Gate::new(api.at_once)));
        Arc::clone(gate)
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.expect("a gate is never closed")
}

fn is_background(lane: Lane) -> bool {
    matches!(lane, Lane::Campaign | Lane::Sweep)
}

/// Three of four, at least one.
fn most(at_once: usize) -> usize {
    (at_once * 3 / 4).max(1)
}

impl Gate {
    fn new(at_once: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(at_once)),
            background: Arc::new(Semaphore::new(most(at_once))),
            width: Mutex::new(Width {
                at_once,
                changed: Instant::now(),
            }),
        }
    }

    fn width(&self) -> MutexGuard<'_, Width> {
        self.width.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many may run at once; one more than before when the platform has borne them for a while.
    fn widen(&self, api: Api) -> usize {
        let mut width = self.width();
        if width.at_once < api.at_once && width.changed.elapsed() >= WIDEN_AFTER {
            width.at_once += 1;
            width.changed = Instant::now();
            self.all.add_permits(1);
        }
        width.at_once
    }
}

impl Turn {
    /// The platform found one call too many at once (45033): when this one ends, no other takes its turn.
    pub(super) fn was_too_many(&mut self) {
        self.was_too_many = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.was_too_many {
            return;
        }
        let mut width = self.gate.width();
        if width.at_once > 1
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            width.at_once -= 1;
            width.changed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api::freely("externalcontact/mark_tag").at_once(4);

    async fn take(turns: &Turns, lane: Lane) -> Option<Turn> {
        let by = Instant::now() + Duration::from_millis(30);
        turns.take(CorpId(1), API, lane, by).await.ok()
    }

    #[tokio::test]
    async fn sweeps_leave_a_turn_for_what_is_urgent() {
        let turns = Turns::new(Cache::memory());
        let mut sweeps = Vec::new();
        while let Some(turn) = take(&turns, Lane::Sweep).await {
            sweeps.push(turn);
        }
        assert_eq!(sweeps.len(), 3);
        let urgent = take(&turns, Lane::Urgent).await;
        assert!(urgent.is_some() && take(&turns, Lane::Urgent).await.is_none());
        sweeps.pop();
        assert!(take(&turns, Lane::Sweep).await.is_some());
    }

    #[tokio::test]
    async fn each_call_too_many_narrows_the_gate_by_one() {
        let turns = Turns::new(Cache::memory());
        for left in [3, 2, 1, 1] {
            take(&turns, Lane::Normal).await.unwrap().was_too_many();
            let mut held = Vec::new();
            while let Some(turn) = take(&turns, Lane::Normal).await {
                held.push(turn);
            }
            assert_eq!(held.len(), left);
        }
        let gate = turns.gate(CorpId(1), API);
        gate.width().changed = Instant::now() - WIDEN_AFTER;
        let held = (take(&turns, Lane::Normal).await, take(&turns, Lane::Normal).await);
        assert!(held.0.is_some() && held.1.is_some());
    }
}
