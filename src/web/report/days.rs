//! The row above a report: which days, against which, and the way to others.

use askama::Template;

use crate::time::Day;
use crate::web::Shell;
use crate::web::figures as say;
use crate::web::span::{Period, Shown};

/// Ready to show above a board.
#[derive(Debug, Clone, Template)]
#[template(path = "report/days.html")]
pub struct Days {
    pub shell: Shell,
    pub range: String,
    pub versus: String,
    pub previous: String,
    pub next: Option<String>,
    /// Word, address, whether it is the one shown.
    pub periods: Vec<(String, String, bool)>,
}

impl askama::filters::HtmlSafe for Days {}

impl Days {
    /// `base` is the address of the page.
    pub fn new(shell: Shell, base: &str, shown: &Shown, today: Day) -> Self {
        let address = |period: Period, at: Day| format!("{base}?period={}&at={at}", period.as_str());
        let arrow = |at: Day| match shown.period {
            Period::Free => {
                let length = shown.span.to.since(shown.span.from);
                format!("{base}?from={at}&to={}", at.plus(length))
            }
            period => address(period, at),
        };
        let periods = Period::SHOWN.into_iter().map(|period| {
            let word = shell.t(&format!("{}-word", period.as_str()));
            (word, address(period, shown.span.to), period == shown.period)
        });
        Self {
            range: say::range(shown.span.from, shown.span.to, today, shell.lang),
            versus: shell.t(&format!("versus-{}", shown.period.as_str())),
            previous: arrow(shown.previous),
            next: shown.next.map(arrow),
            periods: periods.collect(),
            shell,
        }
    }
}
