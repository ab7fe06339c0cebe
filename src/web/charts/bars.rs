//! Bars: parts of a whole, parts of a change, steps of a funnel, a ranking.

use askama::Template;

use super::at;

/// `part` of `whole` as a width, 0–100; nothing of nothing is 0.
pub fn share(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        0.0
    } else {
        (part.max(0) as f64 / whole as f64 * 100.0).min(100.0)
    }
}

#[derive(Debug, Clone)]
pub struct Part {
    /// Colour class: `c1`, `c2`, `c3`, `c4`, or `e` for what is still open.
    pub class: &'static str,
    /// Name and figure, as in the legend.
    pub word: String,
    pub value: i64,
}

impl Part {
    pub fn new(class: &'static str, word: impl Into<String>, value: i64) -> Self {
        Self {
            class,
            word: word.into(),
            value,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Piece {
    pub class: &'static str,
    pub x: String,
    pub width: String,
}

/// One bar cut into its parts, with a legend.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/stack.html")]
pub struct Stack {
    pub title: String,
    pub pieces: Vec<Piece>,
    pub parts: Vec<Part>,
}

impl Stack {
    pub fn new(title: impl Into<String>, parts: Vec<Part>) -> Self {
        let whole = parts.iter().map(|part| part.value.max(0)).sum();
        let mut x = 0.0;
        let mut pieces = Vec::new();
        for part in parts.iter().filter(|part| part.value > 0) {
            let width = share(part.value, whole);
            // The open part is the bar's own ground.
            if part.class != "e" {
                pieces.push(Piece {
                    class: part.class,
                    x: at(x),
                    width: at(width),
                });
            }
            x += width;
        }
        Self {
            title: title.into(),
            pieces,
            parts,
        }
    }
}

#[derive(Debug, Clone)]
pub struct WhyRow {
    pub name: String,
    pub note: Option<String>,
    pub word: String,
    pub change: i64,
    pub x: String,
    pub width: String,
}

impl WhyRow {
    pub fn new(name: impl Into<String>, note: Option<String>, change: i64, word: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            note,
            word: word.into(),
            change,
            x: String::new(),
            width: String::new(),
        }
    }

    pub fn is_negative(&self) -> bool {
        self.change < 0
    }
}

/// What a change is made of: bars to the right and left of a common zero.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/why.html")]
pub struct Why {
    pub zero: String,
    pub rows: Vec<WhyRow>,
}

impl Why {
    /// Rows in the order given.
    pub fn new(mut rows: Vec<WhyRow>) -> Self {
        let most = rows.iter().map(|row| row.change).max().unwrap_or(0).max(0) as f64;
        let least = rows.iter().map(|row| row.change).min().unwrap_or(0).min(0) as f64;
        let span = if most > least { most - least } else { 1.0 };
        let zero = -least / span * 100.0;
        for row in &mut rows {
            let width = row.change.abs() as f64 / span * 100.0;
            row.x = at(if row.change < 0 { zero - width } else { zero });
            row.width = at(width);
        }
        Self { zero: at(zero), rows }
    }
}

#[derive(Debug, Clone)]
pub struct FunnelStep {
    pub name: String,
    pub value: i64,
    pub word: String,
    pub width: String,
    /// Share of the step above, in words; empty for the first.
    pub rate: String,
    pub is_lowest: bool,
}

/// Steps, each with the rate from the one above; the worst says so.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/funnel.html")]
pub struct Funnel {
    pub steps: Vec<FunnelStep>,
}

impl Funnel {
    /// `rate` writes a share (`None`: nobody above) and whether it is the lowest.
    pub fn new(
        steps: Vec<(String, i64)>,
        count: impl Fn(i64) -> String,
        rate: impl Fn(Option<f64>, bool) -> String,
    ) -> Self {
        let first = steps.first().map_or(0, |step| step.1);
        let rates: Vec<Option<f64>> = steps
            .windows(2)
            .map(|pair| (pair[0].1 > 0).then(|| pair[1].1 as f64 / pair[0].1 as f64))
            .collect();
        let known = rates.iter().flatten().copied();
        let lowest = if known.clone().count() > 1 {
            known.fold(f64::INFINITY, f64::min)
        } else {
            -1.0
        };
        let steps = steps.into_iter().enumerate().map(|(index, (name, value))| {
            let above = index.checked_sub(1).map(|above| rates[above]);
            let is_lowest = above.flatten() == Some(lowest);
            FunnelStep {
                name,
                value,
                word: count(value),
                width: at(share(value, first)),
                rate: above.map(|above| rate(above, is_lowest)).unwrap_or_default(),
                is_lowest,
            }
        });
        Self {
            steps: steps.collect(),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct RankRow {
    pub name: String,
    pub link: Option<String>,
    pub value: i64,
    pub word: String,
    /// Change in words with its arrow, and whether it is good; `None` without a comparison.
    pub change: Option<(String, bool)>,
    pub is_marked: bool,
    pub width: String,
}

/// Who leads. Rows in the order given; bars against the largest.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/rank.html")]
pub struct Rank {
    pub rows: Vec<RankRow>,
    /// Everybody not named, together: with it the rows add up.
    pub rest: Option<RankRow>,
}

impl Rank {
    pub fn new(mut rows: Vec<RankRow>) -> Self {
        let most = rows.iter().map(|row| row.value).max().unwrap_or(0);
        for row in &mut rows {
            row.width = at(share(row.value, most));
        }
        Self { rows, rest: None }
    }

    pub fn closed_by(self, rest: Option<RankRow>) -> Self {
        Self { rest, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_bar_and_nothing_draws_nothing() {
        let stack = Stack::new(
            "",
            vec![
                Part::new("c1", "a", 1),
                Part::new("c2", "b", 0),
                Part::new("c4", "c", 3),
            ],
        );
        let drawn: Vec<_> = stack
            .pieces
            .iter()
            .map(|piece| (piece.x.as_str(), piece.width.as_str()))
            .collect();
        assert_eq!(drawn, [("0", "25"), ("25", "75")]);
        assert!(Stack::new("", vec![Part::new("c1", "a", 0)]).pieces.is_empty());
        assert!(Stack::new("", vec![]).pieces.is_empty());
        // A negative part (more refunds than sales) has no width.
        assert_eq!(
            Stack::new("", vec![Part::new("c1", "a", -5), Part::new("c4", "b", 5)])
                .pieces
                .len(),
            1
        );
    }

    #[test]
    fn contributions_share_one_zero() {
        let row = |change| WhyRow::new("", None, change, "");
        let why = Why::new(vec![row(300), row(-100)]);
        assert_eq!(why.zero, "25");
        assert_eq!((why.rows[0].x.as_str(), why.rows[0].width.as_str()), ("25", "75"));
        assert_eq!((why.rows[1].x.as_str(), why.rows[1].width.as_str()), ("0", "25"));
        let flat = Why::new(vec![row(0)]);
        assert_eq!((flat.zero.as_str(), flat.rows[0].width.as_str()), ("0", "0"));
        assert!(Why::new(vec![]).rows.is_empty());
    }

    fn funnel(values: &[i64]) -> Funnel {
        let steps = values.iter().map(|value| (String::new(), *value)).collect();
        Funnel::new(steps, |value| value.to_string(), |rate, _| format!("{rate:?}"))
    }

    #[test]
    fn the_worst_step_of_a_funnel_says_so() {
        let funnel = funnel(&[1_240, 386, 142]);
        let lowest: Vec<bool> = funnel.steps.iter().map(|step| step.is_lowest).collect();
        assert_eq!(lowest, [false, true, false]);
        assert_eq!(funnel.steps[1].width, "31.1");
    }

    #[test]
    fn a_funnel_of_nobody_has_no_rate_and_no_worst() {
        let funnel = funnel(&[0, 0, 0]);
        assert!(
            funnel
                .steps
                .iter()
                .all(|step| !step.is_lowest && step.width == "0")
        );
        assert_eq!(funnel.steps[1].rate, "None");
        assert!(self::funnel(&[]).steps.is_empty());
        // One rate alone is not the lowest of anything.
        assert!(!self::funnel(&[10, 1]).steps[1].is_lowest);
    }

    #[test]
    fn a_ranking_of_zeros_and_losses_stays_inside() {
        let row = |value| RankRow {
            value,
            ..RankRow::default()
        };
        let widths: Vec<String> = Rank::new(vec![row(0), row(-4)])
            .rows
            .into_iter()
            .map(|row| row.width)
            .collect();
        assert_eq!(widths, ["0", "0"]);
    }
}
