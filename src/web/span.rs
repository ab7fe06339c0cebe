//! Which days a page shows, from its address: `?period=week&at=2026-11-22`, or `?from=&to=`.

use serde::Deserialize;

use crate::error::{Error, Result, said};
use crate::metrics::Span;
use crate::time::Day;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Period {
    Day,
    #[default]
    Week,
    Month,
    /// `from` and `to` as given.
    Free,
}

impl Period {
    pub const SHOWN: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Free => "free",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::SHOWN.into_iter().find(|period| period.as_str() == text)
    }

    /// The period's first and last day around `day`.
    fn around(self, day: Day) -> (Day, Day) {
        match self {
            Self::Day | Self::Free => (day, day),
            Self::Week => (day.first_of_week(), day.first_of_week().plus(6)),
            Self::Month => (
                day.first_of_month(),
                day.first_of_month().plus(day.days_in_month() - 1),
            ),
        }
    }
}

/// As it stands in the address. Texts, so that a wrong one can be named.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SpanQuery {
    #[serde(default)]
    pub period: String,
    #[serde(default)]
    pub at: String,
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub to: String,
}

/// The days shown, and where the arrows lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub period: Period,
    pub span: Span,
    /// Last day of the period, which may still be to come, and of the whole one before: what a chart's axis covers.
    pub last: Day,
    pub compare_last: Day,
    /// Still going on: it ends today and is compared with as many days of the one before.
    pub is_running: bool,
    pub previous: Day,
    /// `None` while it would lie in the future.
    pub next: Option<Day>,
}

impl SpanQuery {
    /// # Errors
    /// `Invalid` for a text that is no day, an end before its start, more than 366 days.
    pub fn read(&self, today: Day) -> Result<Shown> {
        if !self.from.is_empty() || !self.to.is_empty() {
            return self.free(today);
        }
        let period = match self.period.as_str() {
            "" => Period::default(),
            text => Period::parse(text).ok_or_else(|| {
                let wrong = said!(
                    "refused-period",
                    "`{text}` is not day, week or month",
                    text = text
                );
                Error::invalid("/period", wrong)
            })?,
        };
        let at = if self.at.is_empty() {
            today
        } else {
            day("/at", &self.at)?
        };
        Ok(shown(period, at.min(today), today))
    }

    fn free(&self, today: Day) -> Result<Shown> {
        let to = if self.to.is_empty() {
            today
        } else {
            day("/to", &self.to)?
        };
        let from = if self.from.is_empty() {
            to
        } else {
            day("/from", &self.from)?
        };
        let days = to.since(from) + 1;
        if !(1..=366).contains(&days) {
            return Err(Error::invalid(
                "/to",
                said!(
                    "refused-span",
                    "`{from}` to `{to}` is not between 1 and 366 days",
                    from = from.to_string(),
                    to = to.to_string()
                ),
            ));
        }
        let span = Span::previous(from, to);
        Ok(Shown {
            period: Period::Free,
            last: span.to,
            compare_last: span.compare_to,
            span,
            is_running: false,
            previous: from.plus(-days),
            next: None,
        })
    }
}

fn shown(period: Period, at: Day, today: Day) -> Shown {
    let (from, last) = period.around(at);
    let to = last.min(today);
    let (compare_from, compare_last) = period.around(from.plus(-1));
    Shown {
        period,
        span: Span {
            from,
            to,
            compare_from,
            compare_to: if to < last {
                compare_from.plus(to.since(from)).min(compare_last)
            } else {
                compare_last
            },
        },
        last,
        compare_last,
        is_running: to < last || to == today,
        previous: from.plus(-1),
        next: Some(last.plus(1)).filter(|next| *next <= today),
    }
}

fn day(pointer: &str, text: &str) -> Result<Day> {
    Day::parse(text).ok_or_else(|| {
        let wrong = said!(
            "refused-day",
            "`{text}` is not a day; write `2026-11-23`",
            text = text
        );
        Error::invalid(pointer, wrong)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(period: &str, at: &str) -> String {
        let query = SpanQuery {
            period: period.into(),
            at: at.into(),
            ..SpanQuery::default()
        };
        let Span {
            from,
            to,
            compare_from,
            compare_to,
        } = query.read(Day::parse("2026-11-25").unwrap()).unwrap().span;
        format!("{from}..{to} {compare_from}..{compare_to}")
    }

    #[test]
    fn a_running_period_is_compared_with_as_many_days() {
        let cases = [
            ("", "", "2026-11-23..2026-11-25 2026-11-16..2026-11-18"),
            (
                "week",
                "2026-11-20",
                "2026-11-16..2026-11-22 2026-11-09..2026-11-15",
            ),
            ("day", "", "2026-11-25..2026-11-25 2026-11-24..2026-11-24"),
            (
                "month",
                "2026-11-30",
                "2026-11-01..2026-11-25 2026-10-01..2026-10-25",
            ),
            (
                "month",
                "2026-03-02",
                "2026-03-01..2026-03-31 2026-02-01..2026-02-28",
            ),
        ];
        for (period, at, expected) in cases {
            assert_eq!(read(period, at), expected, "{period} {at}");
        }
    }

    #[test]
    fn a_running_periods_chart_covers_it_whole() {
        let today = Day::parse("2026-11-23").unwrap();
        for (period, covered) in [
            ("day", "2026-11-23 2026-11-22"),
            ("week", "2026-11-29 2026-11-22"),
            ("month", "2026-11-30 2026-10-31"),
        ] {
            let query = SpanQuery {
                period: period.into(),
                ..SpanQuery::default()
            };
            let shown = query.read(today).unwrap();
            assert_eq!(
                format!("{} {}", shown.last, shown.compare_last),
                covered,
                "{period}"
            );
            assert_eq!(shown.span.to, today);
        }
    }

    #[test]
    fn arrows_do_not_lead_into_the_future() {
        let today = Day::parse("2026-11-25").unwrap();
        let now = SpanQuery::default().read(today).unwrap();
        assert_eq!(
            (now.previous.to_string().as_str(), now.next),
            ("2026-11-22", None)
        );
        let query = SpanQuery {
            at: "2026-11-20".into(),
            ..SpanQuery::default()
        };
        assert_eq!(query.read(today).unwrap().next, Day::parse("2026-11-23"));
    }

    #[test]
    fn wrong_days_are_named() {
        let today = Day::parse("2026-11-25").unwrap();
        let free = |from: &str, to: &str| {
            SpanQuery {
                from: from.into(),
                to: to.into(),
                ..SpanQuery::default()
            }
            .read(today)
        };
        assert!(free("2026-02-30", "").is_err());
        assert!(free("2026-11-24", "2026-11-20").is_err());
        assert!(free("2020-01-01", "2026-11-20").is_err());
        let week = free("2026-11-01", "2026-11-10").unwrap().span;
        assert_eq!(week.compare_from.to_string(), "2026-10-22");
        assert!(
            SpanQuery {
                period: "year".into(),
                ..SpanQuery::default()
            }
            .read(today)
            .is_err()
        );
    }
}
