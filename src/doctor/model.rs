//! Lines of a report.

use serde::{Deserialize, Serialize};

use crate::error::{Arg, Said};
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    Warning,
    Failed,
    NotChecked,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }
}

/// What a check says, ready to be kept: English, and the key under which every language has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    pub english: String,
    pub key: String,
    pub args: Vec<(String, Arg)>,
}

impl From<Said> for Sentence {
    fn from(said: Said) -> Self {
        let args = said.args().iter();
        Self {
            english: said.to_string(),
            key: said.key().unwrap_or_default().to_owned(),
            args: args
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `database`, `permission.tags`
    pub check: String,
    /// The corp it is about; `None`: the installation.
    pub corpid: Option<String>,
    pub state: State,
    pub finding: Option<Sentence>,
    /// What to open and change.
    pub way_out: Option<Sentence>,
    /// The check that has to be well first.
    pub because: Option<String>,
}

impl Line {
    fn new(check: &str, state: State, finding: Option<Said>, way_out: Option<Said>) -> Self {
        Self {
            check: check.to_owned(),
            corpid: None,
            state,
            finding: finding.map(Sentence::from),
            way_out: way_out.map(Sentence::from),
            because: None,
        }
    }

    pub fn ok(check: &str, finding: Said) -> Self {
        Self::new(check, State::Ok, Some(finding), None)
    }

    pub fn warning(check: &str, finding: Said, way_out: Said) -> Self {
        Self::new(check, State::Warning, Some(finding), Some(way_out))
    }

    pub fn failed(check: &str, finding: Said, way_out: Said) -> Self {
        Self::new(check, State::Failed, Some(finding), Some(way_out))
    }

    pub fn skipped(check: &str, because: &str) -> Self {
        Self {
            because: Some(because.to_owned()),
            ..Self::new(check, State::NotChecked, None, None)
        }
    }

    /// Cannot be known from here.
    pub fn unknown(check: &str, finding: Said) -> Self {
        Self::new(check, State::NotChecked, Some(finding), None)
    }

    /// Whether what stands on this check can be looked at.
    pub fn holds(&self) -> bool {
        matches!(self.state, State::Ok | State::Warning)
    }

    #[must_use]
    pub fn of_corp(mut self, corpid: &str) -> Self {
        self.corpid = Some(corpid.to_owned());
        self
    }
}

/// Everything one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub checked_at: Timestamp,
    pub lines: Vec<Line>,
}

impl Report {
    pub fn count(&self, state: State) -> usize {
        self.lines.iter().filter(|line| line.state == state).count()
    }

    pub fn has_failed(&self) -> bool {
        self.count(State::Failed) > 0
    }
}

/// The last look at a corp, and whether another is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub report: Option<Report>,
    pub is_under_way: bool,
}
