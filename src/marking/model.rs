//! Markings as read, and what is told of them.

use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Arg, Said};
use crate::ids::{ContactId, MarkingId, SegmentId, TagId};
use crate::time::Timestamp;

/// Where a marking comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MarkingKind)]
pub enum Kind {
    /// Somebody asked for it.
    Asked,
    /// A tag becomes another one.
    Merge,
    /// A rule found them.
    Rule,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Asked, Self::Merge, Self::Rule];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Merge => "merge",
            Self::Rule => "rule",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a marking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MarkingState)]
pub enum State {
    Running,
    Paused,
    Done,
    Failed,
    Stopped,
}

impl State {
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Paused,
        Self::Done,
        Self::Failed,
        Self::Stopped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Stopped)
    }

    /// The legal moves.
    pub fn may_become(self, next: Self) -> bool {
        use State::*;
        match self {
            Running => matches!(next, Paused | Done | Failed | Stopped),
            Paused => matches!(next, Running | Stopped),
            Done | Failed | Stopped => false,
        }
    }
}

/// A sentence as it is kept: English, its key, and its values for readers of another language. Programs get the English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub text: String,
    pub key: String,
    pub args: Vec<(String, Arg)>,
}

/// How a sentence lies in the database.
#[derive(Serialize, Deserialize)]
struct Kept {
    text: String,
    key: String,
    args: Vec<(String, Arg)>,
}

impl From<&Said> for Told {
    fn from(said: &Said) -> Self {
        Self {
            text: said.to_string(),
            key: said.key().unwrap_or_default().to_owned(),
            args: said
                .args()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }
}

impl Told {
    pub(super) fn kept(&self) -> String {
        let Self { text, key, args } = self.clone();
        serde_json::to_string(&Kept { text, key, args }).expect("a sentence is plain data")
    }

    pub(super) fn read(kept: &str) -> crate::error::Result<Self> {
        let Kept { text, key, args } = serde_json::from_str(kept)?;
        Ok(Self { text, key, args })
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Tags set and taken on many contacts.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Marking {
    pub id: MarkingId,
    pub kind: Kind,
    pub state: State,
    pub add: Vec<TagId>,
    pub remove: Vec<TagId>,
    /// The segment they were found by, if it was one.
    pub segment_id: Option<SegmentId>,
    /// Contacts when it began; those who are through are `changed`, `unchanged` or `refused`.
    pub total: i64,
    /// Contacts whose tags came out different.
    pub changed: i64,
    /// Contacts that were so already.
    pub unchanged: i64,
    pub refused: i64,
    pub created_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Why it pauses by itself, failed, or left something undone.
    #[schema(value_type = Option<String>)]
    pub problem: Option<Told>,
    /// How often it went on after a pause.
    #[serde(skip)]
    pub turn: i64,
}

impl Marking {
    pub fn through(&self) -> i64 {
        self.changed + self.unchanged + self.refused
    }

    /// Milliseconds that are left if it goes on like this; a pause would tell lies.
    pub fn left_ms(&self, now: Timestamp) -> Option<i64> {
        let (through, spent_ms) = (self.through(), now.0 - self.created_at.0);
        let is_known = self.state == State::Running && self.turn == 0 && through > 0 && spent_ms > 0;
        is_known.then(|| spent_ms * (self.total - through).max(0) / through)
    }
}

/// Somebody who was not marked.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RefusedMark {
    pub contact_id: ContactId,
    pub contact_name: String,
    /// Whose contact, where it was one associate's.
    pub associate_name: Option<String>,
    #[schema(value_type = String)]
    pub reason: Told,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_so_and_a_pause_ends_by_going_on_or_stopping() {
        use State::*;
        let legal = [
            (Running, Paused),
            (Running, Done),
            (Running, Failed),
            (Running, Stopped),
            (Paused, Running),
            (Paused, Stopped),
        ];
        for from in State::ALL {
            for to in State::ALL {
                assert_eq!(
                    from.may_become(to),
                    legal.contains(&(from, to)),
                    "{from:?} {to:?}"
                );
            }
        }
    }

    #[test]
    fn a_sentence_reads_back_with_its_values() {
        let said = crate::error::said!("refused-mark-platform", "refused with {code}", code = 40096i64);
        let told = Told::from(&said);
        assert_eq!(Told::read(&told.kept()).unwrap(), told);
        assert_eq!(told.args, [("code".to_owned(), Arg::Number(40096))]);
    }
}
