//! Imports and exports as read.

use serde::{Deserialize, Serialize};

use crate::error::Arg;
use crate::ids::{ExportId, FieldId, ImportId};
use crate::time::Timestamp;

/// Where an import or an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The file is still coming in.
    Reading,
    Running,
    Done,
    Failed,
    Stopped,
}

impl State {
    pub const ALL: [State; 5] = [
        Self::Reading,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Stopped,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Running => "running",
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
}

/// A file of what headquarters knows, and what became of its rows.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Import {
    pub id: ImportId,
    /// The file's own name.
    pub name: String,
    pub state: State,
    /// Rows of the file; those taken so far are `loaded`, `unchanged` or `refused`.
    pub total: i64,
    /// Rows that were news.
    pub loaded: i64,
    pub unchanged: i64,
    pub refused: i64,
    pub created_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What ended one that failed.
    pub problem: Option<String>,
}

impl Import {
    pub fn taken(&self) -> i64 {
        self.loaded + self.unchanged + self.refused
    }
}

/// A row that was not loaded.
#[derive(Debug, Clone)]
pub struct RefusedRow {
    pub line: i64,
    /// The column's name; empty when the row as a whole does not read.
    pub column: String,
    /// Why, in English.
    pub reason: String,
    /// The sentence's key and its values, for readers of another language.
    pub key: String,
    pub args: Vec<(String, Arg)>,
    /// The row as it came.
    pub cells: Vec<String>,
}

/// A page of refused rows, with the first row of their file.
#[derive(Debug, Clone)]
pub struct RefusedRows {
    pub head: Vec<String>,
    pub rows: Vec<RefusedRow>,
    /// The line to go on after; `None` at the end.
    pub next: Option<i64>,
}

/// Contacts written to a file.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Export {
    pub id: ExportId,
    pub state: State,
    /// Contacts when it began, and how many are written.
    pub total: i64,
    pub written: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// The file is gone after this.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    pub problem: Option<String>,
}

/// A field of ours with a column in an export: its name is that of when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldColumn {
    pub id: FieldId,
    pub name: String,
}

/// Columns of every export, in order; a chain's own fields follow.
pub const EXPORT_COLUMNS: [&str; 13] = [
    "external_userid",
    "name",
    "remark",
    "associate",
    "store",
    "added",
    "tags",
    "last_order",
    "spent_365_yuan",
    "birthday",
    "phone_last4",
    "opted_out",
    "exported",
];
