//! Figures in a row: value, change, what it is compared with, and the way in.

use askama::Template;

use super::Spark;

/// How a change is to be read; judged by meaning, not by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    Good,
    Bad,
    #[default]
    Plain,
}

impl Tone {
    /// For figures of which more is better.
    pub fn of(change: f64) -> Self {
        match change {
            _ if change.abs() < 0.0005 => Self::Plain,
            up if up > 0.0 => Self::Good,
            _ => Self::Bad,
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Kpi {
    pub label: String,
    pub value: String,
    pub unit: String,
    /// What changed, with its arrow; empty without a comparison.
    pub change: String,
    pub tone: Tone,
    pub baseline: String,
    pub spark: Spark,
    /// The rows behind the figure.
    pub link: Option<String>,
}

/// `four` or `six` beside each other on a desktop, two on a phone.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/kpis.html")]
pub struct Kpis {
    pub class: &'static str,
    pub tiles: Vec<Kpi>,
}
