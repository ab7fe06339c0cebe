//! A run and its steps.

use std::collections::HashMap;

use crate::ids::SyncRunId;
use crate::time::Timestamp;

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The corp has just been connected.
    First,
    Nightly,
    /// Somebody asked for it.
    Asked,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Nightly => "nightly",
            Self::Asked => "asked",
        }
    }
}

/// What is read, in this order: a pair needs its member and its tags, a group its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    People,
    Tags,
    Contacts,
    Groups,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::People, Self::Tags, Self::Contacts, Self::Groups];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Tags => "tags",
            Self::Contacts => "contacts",
            Self::Groups => "groups",
        }
    }
}

/// One run with its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: SyncRunId,
    /// first, nightly, asked
    pub kind: String,
    /// running, done, failed, stopped
    pub state: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub steps: Vec<StepState>,
}

impl Run {
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// What stopped the run, or else what stood in its way.
    pub fn problem(&self) -> Option<&str> {
        let (failed, others): (Vec<_>, Vec<_>) = self.steps.iter().partition(|step| step.state == "failed");
        failed
            .into_iter()
            .chain(others)
            .find_map(|step| step.problem.as_deref())
    }

    /// How many rows the run had to correct.
    pub fn corrections(&self) -> i64 {
        self.steps.iter().map(|step| step.changed + step.closed).sum()
    }
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, sea_orm::FromQueryResult)]
pub struct StepState {
    pub step: String,
    /// waiting, running, done, failed
    pub state: String,
    /// Members (of the last step, groups) read, of `total`; 0 of 0 while that is not known.
    pub done: i64,
    pub total: i64,
    /// Members, tags, pairs or groups that were shown.
    pub seen: i64,
    /// Of these, how many began or came out different from what we held.
    pub changed: i64,
    /// Rows of ours that the platform no longer shows.
    pub closed: i64,
    /// Members, pairs or groups that could not be read or stored.
    pub failed: i64,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// What stands in the way, or stood.
    pub problem: Option<String>,
}

/// What of a step is missing from the mirror.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missed {
    /// Members (of the last step, groups) the platform did not let us read.
    pub unread: i64,
    /// Rows it showed and the database does not take.
    pub not_taken: i64,
}

impl StepState {
    /// What was missed, by what the database did not take of each step of its run.
    pub fn missed(&self, not_taken: &HashMap<String, i64>) -> Missed {
        let not_taken = not_taken.get(&self.step).copied().unwrap_or_default();
        Missed {
            unread: (self.failed - not_taken).max(0),
            not_taken,
        }
    }

    /// Rows a second since the step began, by `now`.
    pub fn pace(&self, now: Timestamp) -> Option<f64> {
        let began = self.started_at?;
        let spent_ms = self.ended_at.unwrap_or(now).0 - began.0;
        (spent_ms > 0 && self.seen > 0).then(|| self.seen as f64 * 1000.0 / spent_ms as f64)
    }

    /// Milliseconds that are left if it goes on like this.
    pub fn left_ms(&self, now: Timestamp) -> Option<i64> {
        let began = self.started_at?;
        let is_known = self.state == "running" && self.done > 0 && self.total >= self.done;
        is_known.then(|| (now.0 - began.0) * (self.total - self.done) / self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_how_fast_and_how_long() {
        let step = StepState {
            step: "contacts".into(),
            state: "running".into(),
            done: 25,
            total: 100,
            seen: 6_000,
            changed: 0,
            closed: 0,
            failed: 0,
            started_at: Some(Timestamp(1_000)),
            ended_at: None,
            problem: None,
        };
        assert_eq!(step.pace(Timestamp(4_000)), Some(2_000.0));
        assert_eq!(step.left_ms(Timestamp(4_000)), Some(9_000));
        let waiting = StepState {
            started_at: None,
            ..step
        };
        assert_eq!(
            (waiting.pace(Timestamp(9)), waiting.left_ms(Timestamp(9))),
            (None, None)
        );
    }
}
