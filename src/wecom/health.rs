//! How well an API answers a corp, in this process: a breaker that spares a platform that does not answer, and a
//! budget that keeps repeats at a tenth of the calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ask::Api;
use super::fault::Failure;
use crate::ids::CorpId;

/// Outcomes looked back at, and how many of them may be outages.
const OUTCOMES: u32 = 20;
const BEARABLE: u32 = 10;
/// First and longest time calls are held back, before one of them tries.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// A try that never tells what became of it is given up.
const TRY: Duration = Duration::from_secs(30);
/// A call earns a tenth of a repeat; so many tenths are kept.
const A_REPEAT: u32 = 10;
const MOST_TENTHS: u32 = 10 * A_REPEAT;

#[derive(Clone, Default)]
pub(super) struct Health(Arc<Mutex<HashMap<(CorpId, &'static str), Condition>>>);

struct Condition {
    api: Api,
    /// One bit an outcome, the newest lowest; 1 is an outage.
    outcomes: u32,
    breaker: Breaker,
    /// Times it opened since it last worked.
    openings: u32,
    tenths: u32,
}

enum Breaker {
    Closed,
    Open {
        until: Instant,
    },
    /// One call tries.
    HalfOpen {
        since: Instant,
    },
}

impl Health {
    /// Lets a call through, unless the API does not answer; then one at a time finds out whether it does again.
    pub(super) fn admit(&self, corp: CorpId, api: Api) -> Result<(), Failure> {
        self.with(corp, api, |condition| condition.admit(Instant::now()))
    }

    /// The same without being the one that finds out.
    pub(super) fn look(&self, corp: CorpId, api: Api) -> Result<(), Failure> {
        self.with(corp, api, |condition| condition.look(Instant::now()))
    }

    pub(super) fn worked(&self, corp: CorpId, api: Api) {
        self.with(corp, api, Condition::worked);
    }

    pub(super) fn failed(&self, corp: CorpId, api: Api) {
        let has_opened = self.with(corp, api, |condition| condition.failed(Instant::now()));
        if has_opened {
            metrics::counter!("dianyu_platform_breaks_total", "api" => api.path).increment(1);
            tracing::warn!(corp.id = %corp, wecom.api = api.path, "the platform does not answer; calls pause");
        }
    }

    /// A call that is not a repeat.
    pub(super) fn earn(&self, corp: CorpId, api: Api) {
        self.with(corp, api, |condition| {
            condition.tenths = (condition.tenths + 1).min(MOST_TENTHS);
        });
    }

    /// Whether there is a repeat left; takes it.
    pub(super) fn spend(&self, corp: CorpId, api: Api) -> bool {
        self.with(corp, api, |condition| {
            let left = condition.tenths.checked_sub(A_REPEAT);
            condition.tenths = left.unwrap_or(condition.tenths);
            left.is_some()
        })
    }

    /// APIs a corp has called, with whether calls of them are held back.
    pub(super) fn of(&self, corp: CorpId) -> Vec<(Api, bool)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_corp = all.iter().filter(|((of, _), _)| *of == corp);
        let mut apis: Vec<(Api, bool)> = of_corp
            .map(|(_, condition)| (condition.api, !matches!(condition.breaker, Breaker::Closed)))
            .collect();
        apis.sort_by_key(|(api, _)| api.path);
        apis
    }

    fn with<T>(&self, corp: CorpId, api: Api, look: impl FnOnce(&mut Condition) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(all.entry((corp, api.path)).or_insert_with(|| Condition::new(api)))
    }
}

impl Condition {
    fn new(api: Api) -> Self {
        Self {
            api,
            outcomes: 0,
            breaker: Breaker::Closed,
            openings: 0,
            tenths: MOST_TENTHS,
        }
    }

    fn admit(&mut self, now: Instant) -> Result<(), Failure> {
        self.look(now)?;
        if !matches!(self.breaker, Breaker::Closed) {
            self.breaker = Breaker::HalfOpen { since: now };
        }
        Ok(())
    }

    fn look(&self, now: Instant) -> Result<(), Failure> {
        let wait = match self.breaker {
            Breaker::Closed => return Ok(()),
            Breaker::Open { until } => until.saturating_duration_since(now),
            Breaker::HalfOpen { since } if now.duration_since(since) < TRY => FIRST_REST,
            Breaker::HalfOpen { .. } => Duration::ZERO,
        };
        if wait.is_zero() {
            return Ok(());
        }
        Err(Failure::HeldBack {
            wait,
            why: "the platform does not answer; held back until it may again",
        })
    }

    fn worked(&mut self) {
        self.outcomes <<= 1;
        // Late news of a call that began before the breaker opened.
        if !matches!(self.breaker, Breaker::Open { .. }) {
            if !matches!(self.breaker, Breaker::Closed) {
                self.outcomes = 0;
            }
            self.breaker = Breaker::Closed;
            self.openings = 0;
        }
    }

    /// Whether this opened the breaker.
    fn failed(&mut self, now: Instant) -> bool {
        self.outcomes = (self.outcomes << 1) | 1;
        let recent = self.outcomes & ((1 << OUTCOMES) - 1);
        let opens = match self.breaker {
            Breaker::Closed => recent.count_ones() >= BEARABLE,
            Breaker::Open { .. } => false,
            Breaker::HalfOpen { .. } => true,
        };
        if opens {
            let until = now + rest(self.openings);
            self.openings += 1;
            self.breaker = Breaker::Open { until };
        }
        opens
    }
}

/// Longer each time, half of it by chance, so that corps and instances do not try together.
fn rest(openings: u32) -> Duration {
    let longest = FIRST_REST * 2u32.saturating_pow(openings.min(10));
    let longest = longest.min(LONGEST_REST).as_millis() as u64;
    Duration::from_millis(rand::random_range(longest / 2..=longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api::freely("department/list");

    fn broken(now: Instant) -> Condition {
        let mut condition = Condition::new(API);
        let opened: Vec<bool> = (0..BEARABLE).map(|_| condition.failed(now)).collect();
        assert_eq!(opened.iter().filter(|opened| **opened).count(), 1);
        assert_eq!(opened.last(), Some(&true));
        condition
    }

    #[test]
    fn a_few_outages_among_answers_are_borne() {
        let now = Instant::now();
        let mut condition = Condition::new(API);
        for _ in 0..100 {
            condition.failed(now);
            condition.worked();
            condition.worked();
            assert!(condition.admit(now).is_ok());
        }
    }

    #[test]
    fn an_open_breaker_lets_one_try_and_closes_when_it_works() {
        let now = Instant::now();
        let mut condition = broken(now);
        assert!(condition.admit(now).is_err());
        let later = now + FIRST_REST;
        assert!(condition.admit(later).is_ok());
        assert!(condition.admit(later).is_err());
        condition.worked();
        assert!(condition.admit(later).is_ok() && condition.admit(later).is_ok());
    }

    #[test]
    fn a_failed_try_rests_longer_and_a_lost_one_is_given_up() {
        let mut now = Instant::now();
        let mut condition = broken(now);
        for opening in 1..10 {
            now += LONGEST_REST;
            assert!(condition.admit(now).is_ok());
            assert!(condition.failed(now));
            let least = rest(0).min(FIRST_REST / 2) * 2u32.pow(opening).min(60);
            assert!(condition.admit(now + least - Duration::from_millis(1)).is_err());
        }
        now += LONGEST_REST;
        assert!(condition.admit(now).is_ok());
        assert!(condition.admit(now + TRY / 2).is_err());
        assert!(condition.admit(now + TRY).is_ok());
    }

    #[test]
    fn repeats_are_a_tenth_of_the_calls() {
        let health = Health::default();
        let mut repeats = 0;
        for _ in 0..1_000 {
            health.earn(CorpId(1), API);
            repeats += u32::from(health.spend(CorpId(1), API));
        }
        assert!(repeats <= 100 + MOST_TENTHS / A_REPEAT, "{repeats}");
        assert!(repeats >= 100);
    }
}
