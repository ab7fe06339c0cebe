//! Convergence: whatever people and apps do, and however callbacks are lost, doubled and out of order and reads are
//! stale, the mirror equals the platform's world after a sweep, and holds nothing impossible on the way there.
//!
//! Each history is a corp of its own, made of one number. Histories of a batch share a clock and how far reads lag;
//! which acts are played and what becomes of their callbacks is chance of the history's own, so that one that fails
//! can be run alone: `DIANYU_HISTORY=<number>` (and `DIANYU_HISTORIES=<how many>` runs more of them than the suite).

mod acts;
mod equal;
mod town;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use town::{History, Town};

/// Histories that the suite runs.
const HISTORIES: u64 = 300;
/// On PostgreSQL, where each takes three times as long.
const HISTORIES_THERE: u64 = 100;
/// Histories of one batch.
const BATCH: u64 = 25;
/// Towns at once, a database each.
const TOWNS: u64 = 2;

/// What the histories of a batch share.
struct Plan {
    /// How far reads of pairs and of groups are behind.
    lag_ms: i64,
    /// Pauses between acts.
    pauses_ms: Vec<i64>,
    /// The looks of the first minute come before the sweep: what events told is placed then.
    looks_first: bool,
    /// Later looks that wait when the sweep comes run after it, too: nothing may change any more.
    looks_on: bool,
}

impl Plan {
    fn of(batch: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(batch ^ 0x0ba7_c400);
        let lag_ms = [0, 5_000, 15_000, 30_000, 30_000][chance.random_range(0..5)];
        let steps = chance.random_range(8..=12);
        let pause = |chance: &mut StdRng| match chance.random_range(0..10) {
            0..6 => chance.random_range(1_000..6_000),
            6..9 => chance.random_range(6_000..45_000),
            _ => chance.random_range(61_000..200_000),
        };
        Self {
            lag_ms,
            pauses_ms: (0..steps).map(|_| pause(&mut chance)).collect(),
            looks_first: batch.is_multiple_of(2),
            looks_on: batch.is_multiple_of(4),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_history_ends_with_a_mirror_equal_to_the_platforms_world() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let batches: Vec<(u64, Vec<u64>)> = match number("DIANYU_HISTORY") {
        Some(seed) => vec![(seed / BATCH, vec![seed])],
        None => {
            let histories = match std::env::var("TEST_DATABASE_URL") {
                Ok(_) => HISTORIES_THERE,
                Err(_) => HISTORIES,
            };
            let many = number("DIANYU_HISTORIES").unwrap_or(histories);
            (0..many.div_ceil(BATCH))
                .map(|batch| (batch, (batch * BATCH..(batch + 1) * BATCH).collect()))
                .collect()
        }
    };
    let towns = (0..TOWNS).map(|town| {
        let mine: Vec<_> = batches
            .iter()
            .filter(|(batch, _)| batch % TOWNS == town)
            .cloned()
            .collect();
        tokio::spawn(async move {
            let mut wrong = Vec::new();
            if mine.is_empty() {
                return wrong;
            }
            let town = Town::open().await;
            for (batch, seeds) in mine {
                wrong.extend(live(&town, batch, &seeds).await);
            }
            wrong
        })
    });
    let mut wrong = Vec::new();
    for town in futures_util::future::join_all(towns).await {
        wrong.extend(town.unwrap());
    }
    let shown: Vec<&str> = wrong.iter().take(3).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} histories went wrong:\n{}",
        wrong.len(),
        shown.join("\n\n")
    );
}

/// Lives through a batch; answers what went wrong in which histories.
async fn live(town: &Town, batch: u64, seeds: &[u64]) -> Vec<String> {
    let plan = Plan::of(batch);
    town.begin(batch, plan.lag_ms);
    let mut histories = town.found(seeds).await;
    for (step, pause_ms) in plan.pauses_ms.iter().enumerate() {
        for history in &mut histories {
            history.act(town).await;
        }
        town.deliver(&mut histories, step).await;
        town.settle().await;
        if step.is_multiple_of(3) {
            town.impossible(&mut histories, false).await;
        }
        town.after(*pause_ms);
    }
    // Nothing is on its way any more, and the time of stale reads is over.
    town.deliver(&mut histories, usize::MAX).await;
    town.settle().await;
    if plan.looks_first {
        town.after(3_000);
        town.settle().await;
        town.after(62_000);
        town.settle().await;
    } else {
        town.forget_looks().await;
        town.after(65_000);
    }
    town.sweep(&histories).await;
    town.settle().await;
    town.compare(&mut histories, plan.looks_first, "after the sweep")
        .await;
    if plan.looks_on {
        for _ in 0..2 {
            town.after(61 * 60_000);
            town.settle().await;
        }
        town.compare(&mut histories, true, "after all later looks").await;
    }
    town.impossible(&mut histories, true).await;
    town.forget_looks().await;
    histories.iter().filter_map(History::wrong).collect()
}
