//! Lines, columns and sparks: figures along time.

use askama::Template;

use super::{Axis, at};

/// One row of figures and how they read.
#[derive(Debug, Clone, Default)]
pub struct Series {
    pub name: String,
    pub values: Vec<i64>,
    /// The figures as written in the table, one a value.
    pub words: Vec<String>,
}

impl Series {
    pub fn new(name: impl Into<String>, values: Vec<i64>, word: impl Fn(i64) -> String) -> Self {
        let words = values.iter().map(|value| word(*value)).collect();
        Self {
            name: name.into(),
            values,
            words,
        }
    }
}

/// Which point carries a label: at most one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Peak,
    Last,
}

#[derive(Debug, Clone)]
pub struct Point {
    pub x: String,
    pub y: String,
    /// `start`, `middle` or `end`, so that a label at an end stays inside.
    pub anchor: &'static str,
    pub label: String,
}

#[derive(Debug, Clone)]
pub struct Grid {
    pub y: String,
    pub word: String,
}

/// This period as a solid line over a tint, the one before dashed; one point labelled; the figures in a table.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/line.html")]
pub struct Line {
    pub title: String,
    pub description: String,
    pub show_numbers: String,
    /// Top to bottom.
    pub grid: Vec<Grid>,
    pub x: Vec<String>,
    /// Labels along the axis; some left out when there are many.
    pub x_shown: Vec<String>,
    pub area: String,
    pub now: Drawn,
    pub before: Drawn,
    pub point: Option<Point>,
    pub rows: Vec<Series>,
}

impl Line {
    /// `None` when there is nothing to draw. The axis is as long as `x`: a period that still runs has a shorter line.
    /// `label` says the marked point (its place in the series and its value).
    pub fn new(
        x: Vec<String>,
        now: Series,
        before: Option<Series>,
        mark: Mark,
        tick: impl Fn(i64) -> String,
        label: impl Fn(usize, i64) -> String,
    ) -> Option<Self> {
        let before = before.filter(|series| !series.values.is_empty());
        let others = before.iter().flat_map(|series| series.values.iter());
        let axis = Axis::over(now.values.iter().chain(others).copied());
        let marked = marked(&now.values, mark)?;
        let count = x.len().max(now.values.len());
        let path = path(&now.values, count, &axis);
        let last = at(along(now.values.len() - 1, count));
        let base = at(axis.y(0.0));
        let point = Point {
            x: at(along(marked, count)),
            y: at(axis.y(now.values[marked] as f64)),
            anchor: anchor(marked, count),
            label: label(marked, now.values[marked]),
        };
        Some(Self {
            title: String::new(),
            description: point.label.clone(),
            show_numbers: String::new(),
            grid: grid(&axis, tick),
            x_shown: thinned(&x, 13),
            x,
            area: if now.values.len() > 1 {
                format!("{}L{last} {base}L0 {base}Z", path.line)
            } else {
                String::new()
            },
            now: path,
            before: before
                .as_ref()
                .map(|series| self::path(&series.values, count, &axis))
                .unwrap_or_default(),
            point: Some(point),
            rows: std::iter::once(now).chain(before).collect(),
        })
    }

    /// What a screen reader hears, and the words on the table's summary.
    pub fn titled(mut self, title: impl Into<String>, show_numbers: impl Into<String>) -> Self {
        self.title = title.into();
        self.show_numbers = show_numbers.into();
        self
    }
}

#[derive(Debug, Clone)]
pub struct Column {
    pub class: &'static str,
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
}

/// Pairs of columns, before and now, on one axis as long as `x`; days to come have only the one before.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/columns.html")]
pub struct Columns {
    pub title: String,
    pub show_numbers: String,
    pub grid: Vec<Grid>,
    pub x: Vec<String>,
    pub x_shown: Vec<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Series>,
}

impl Columns {
    /// `None` when there is nothing to draw.
    pub fn new(x: Vec<String>, now: Series, before: Series, tick: impl Fn(i64) -> String) -> Option<Self> {
        if now.values.is_empty() {
            return None;
        }
        let axis = Axis::over(now.values.iter().chain(&before.values).copied());
        let slots = x.len().max(now.values.len());
        let slot = 100.0 / slots as f64;
        let column = |class, index: usize, offset: f64, share: f64, value: i64| {
            let (top, zero) = (axis.y(value.max(0) as f64), axis.y(value.min(0) as f64));
            Column {
                class,
                x: at(slot * (index as f64 + offset)),
                y: at(top),
                width: at(slot * share),
                height: at(zero - top),
            }
        };
        let mut columns = Vec::with_capacity(slots * 2);
        for index in 0..slots {
            let (old, new) = (before.values.get(index), now.values.get(index));
            columns.extend(old.map(|value| column("b2", index, 0.18, 0.28, *value)));
            columns.extend(new.map(|value| column("b1", index, 0.5, 0.32, *value)));
        }
        Some(Self {
            title: String::new(),
            show_numbers: String::new(),
            grid: grid(&axis, tick),
            x_shown: blanked(&x, 10),
            x,
            columns,
            rows: vec![now, before],
        })
    }

    pub fn titled(mut self, title: impl Into<String>, show_numbers: impl Into<String>) -> Self {
        self.title = title.into();
        self.show_numbers = show_numbers.into();
        self
    }
}

/// A line without words, 100 × 26, from its own lowest to its own highest value.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "charts/spark.html")]
pub struct Spark {
    pub title: String,
    pub now: Drawn,
    pub before: Drawn,
}

/// A line as far as there is one, and the points that stand alone.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    pub line: String,
    pub dots: String,
}

impl Drawn {
    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && self.dots.is_empty()
    }
}

impl Spark {
    /// `None` in a series is a day without a value: the line breaks there.
    pub fn new(title: impl Into<String>, now: &[Option<f64>], before: &[Option<f64>]) -> Self {
        let known = || now.iter().chain(before).flatten().copied();
        let low = known().fold(f64::INFINITY, f64::min);
        let high = known().fold(f64::NEG_INFINITY, f64::max);
        let span = high - low;
        // A flat line is drawn in the middle: neither high nor low.
        let y = |value: f64| {
            if span > 0.0 {
                (high - value) / span * 26.0
            } else {
                13.0
            }
        };
        Self {
            title: title.into(),
            now: broken_path(now, now.len(), y),
            before: broken_path(before, before.len(), y),
        }
    }

    pub fn of_counts(title: impl Into<String>, now: &[i64], before: &[i64]) -> Self {
        let some = |values: &[i64]| values.iter().map(|value| Some(*value as f64)).collect::<Vec<_>>();
        Self::new(title, &some(now), &some(before))
    }
}

fn marked(values: &[i64], mark: Mark) -> Option<usize> {
    let last = values.len().checked_sub(1)?;
    match mark {
        Mark::Last => Some(last),
        // The first of equal peaks.
        Mark::Peak => (0..=last).max_by_key(|index| (values[*index], std::cmp::Reverse(*index))),
    }
}

/// Place along the axis: ends at 0 and 100, one point alone in the middle.
fn along(index: usize, count: usize) -> f64 {
    if count > 1 {
        index as f64 * 100.0 / (count - 1) as f64
    } else {
        50.0
    }
}

fn anchor(index: usize, count: usize) -> &'static str {
    match along(index, count) {
        x if x < 12.0 => "start",
        x if x > 88.0 => "end",
        _ => "middle",
    }
}

fn path(values: &[i64], count: usize, axis: &Axis) -> Drawn {
    let values: Vec<Option<f64>> = values.iter().map(|value| Some(*value as f64)).collect();
    broken_path(&values, count, |value| axis.y(value))
}

/// Along `count` places. The line breaks where a value is missing; a point alone is a line of no length, which its
/// round ends make a dot.
fn broken_path(values: &[Option<f64>], count: usize, y: impl Fn(f64) -> f64) -> Drawn {
    let mut drawn = Drawn::default();
    let known = |index: Option<usize>| index.and_then(|index| *values.get(index)?).is_some();
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let place = format!("{} {}", at(along(index, count)), at(y(*value)));
        match (known(index.checked_sub(1)), known(Some(index + 1))) {
            (false, false) => drawn.dots += &format!("M{place}h0"),
            (false, true) => drawn.line += &format!("M{place}"),
            (true, _) => drawn.line += &format!("L{place}"),
        }
    }
    drawn
}

fn grid(axis: &Axis, tick: impl Fn(i64) -> String) -> Vec<Grid> {
    let lines = axis.ticks.iter().rev();
    lines
        .map(|value| Grid {
            y: at(axis.y(*value as f64)),
            word: tick(*value),
        })
        .collect()
}

/// At most `most` labels. Where the days divide evenly both ends are kept, and what is left out leaves no gap; else each
/// label keeps its place among empty ones.
fn thinned(labels: &[String], most: usize) -> Vec<String> {
    let gaps = labels.len().saturating_sub(1);
    let even = labels.len().div_ceil(most).max(1);
    // A few days more between labels are worth it for the last one; many are not.
    match (even..=even * 2).find(|step| gaps.is_multiple_of(*step)) {
        Some(step) => labels.iter().step_by(step).cloned().collect(),
        None => every(labels, even),
    }
}

/// As many labels as there are, those left out empty, for columns that each have a slot.
fn blanked(labels: &[String], most: usize) -> Vec<String> {
    every(labels, labels.len().div_ceil(most).max(1))
}

fn every(labels: &[String], step: usize) -> Vec<String> {
    let shown = labels.iter().enumerate();
    shown
        .map(|(index, label)| {
            if index % step == 0 {
                label.clone()
            } else {
                String::new()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[i64]) -> Series {
        Series::new("now", values.to_vec(), |value| value.to_string())
    }

    fn drawn(now: &[i64], before: Option<&[i64]>) -> Option<Line> {
        let x = (0..now.len()).map(|index| index.to_string()).collect();
        Line::new(
            x,
            series(now),
            before.map(series),
            Mark::Peak,
            |tick| tick.to_string(),
            |index, value| format!("{index}: {value}"),
        )
    }

    #[test]
    fn no_figures_no_line() {
        assert!(drawn(&[], Some(&[1])).is_none());
        assert!(Columns::new(vec![], series(&[]), series(&[]), |tick| tick.to_string()).is_none());
        let spark = Spark::of_counts("", &[], &[]);
        assert_eq!((spark.now.is_empty(), spark.before.is_empty()), (true, true));
    }

    #[test]
    fn one_figure_is_a_point_in_the_middle() {
        let line = drawn(&[6], None).unwrap();
        assert_eq!((line.now.line.as_str(), line.now.dots.as_str()), ("", "M50 0h0"));
        assert_eq!(line.area, "");
        assert_eq!(line.point.unwrap().x, "50");
    }

    #[test]
    fn a_week_that_has_begun_keeps_its_whole_axis() {
        let week = |days: usize| {
            ["一", "二", "三", "四", "五", "六", "日"][..days]
                .iter()
                .map(|day| (*day).to_owned())
        };
        let line = |now: &[i64]| {
            Line::new(
                week(7).collect(),
                series(now),
                Some(series(&[1, 2, 3, 4, 5, 6, 9])),
                Mark::Last,
                |tick| tick.to_string(),
                |index, value| format!("{index}: {value}"),
            )
            .unwrap()
        };
        let monday = line(&[3]);
        assert_eq!(
            (monday.now.dots.as_str(), monday.area.as_str()),
            ("M0 66.7h0", ""),
            "a dot where the week begins"
        );
        assert_eq!(
            monday.before.line.matches('L').count(),
            6,
            "the week before, whole: {}",
            monday.before.line
        );
        assert!(monday.before.line.ends_with("L100 0"), "{}", monday.before.line);
        assert_eq!(monday.x_shown.len(), 7);
        let point = monday.point.unwrap();
        assert_eq!((point.x.as_str(), point.anchor), ("0", "start"));
        let thursday = line(&[3, 0, 6, 9]);
        assert_eq!(thursday.now.line, "M0 66.7L16.7 100L33.3 33.3L50 0");
        assert!(thursday.area.ends_with("L50 100L0 100Z"), "{}", thursday.area);
        let columns = Columns::new(week(7).collect(), series(&[3]), series(&[1; 7]), |tick| {
            tick.to_string()
        })
        .unwrap();
        assert_eq!(columns.columns.len(), 8, "seven before, one now");
        assert_eq!(columns.columns[1].x, "7.1", "half a day into a week of seven");
    }

    #[test]
    fn zeros_lie_on_the_bottom_line() {
        let line = drawn(&[0, 0, 0], Some(&[0, 0, 0])).unwrap();
        assert_eq!(line.now.line, "M0 100L50 100L100 100");
        assert_eq!(line.grid.len(), 1);
    }

    #[test]
    fn negative_figures_stay_inside_and_the_tint_ends_at_zero() {
        let line = drawn(&[-50, 100], None).unwrap();
        assert_eq!(line.now.line, "M0 100L100 0");
        assert!(line.area.ends_with("L100 66.7L0 66.7Z"), "{}", line.area);
        let columns = Columns::new(vec!["a".into()], series(&[-50]), series(&[100]), |t| {
            t.to_string()
        })
        .unwrap();
        assert_eq!(
            (columns.columns[1].y.as_str(), columns.columns[1].height.as_str()),
            ("66.7", "33.3")
        );
    }

    #[test]
    fn the_first_of_equal_peaks_is_labelled() {
        let point = drawn(&[1, 9, 9], None).unwrap().point.unwrap();
        assert_eq!((point.label.as_str(), point.x.as_str()), ("1: 9", "50"));
    }

    #[test]
    fn a_spark_breaks_where_a_day_has_no_value_and_is_flat_in_the_middle() {
        let alone = Spark::new("", &[Some(1.0), None, Some(1.0)], &[]);
        assert_eq!(alone.now.dots, "M0 13h0M100 13h0", "days alone are dots");
        assert_eq!(Spark::of_counts("", &[0, 10], &[5]).before.dots, "M50 13h0");
    }

    #[test]
    fn labels_are_left_out_evenly() {
        let labels: Vec<String> = (1..=31).map(|day| day.to_string()).collect();
        let shown = |days: usize| {
            let labels = thinned(&labels[..days], 13);
            labels
                .into_iter()
                .filter(|label| !label.is_empty())
                .collect::<Vec<_>>()
        };
        assert_eq!(thinned(&labels[..30], 13).len(), 30, "each keeps its place");
        assert_eq!(
            shown(31),
            ["1", "4", "7", "10", "13", "16", "19", "22", "25", "28", "31"]
        );
        assert_eq!(shown(7).len(), 7);
        assert_eq!(
            shown(30),
            ["1", "4", "7", "10", "13", "16", "19", "22", "25", "28"]
        );
        assert_eq!(shown(29), ["1", "5", "9", "13", "17", "21", "25", "29"]);
        assert_eq!(
            blanked(&labels, 10)
                .iter()
                .filter(|label| !label.is_empty())
                .count(),
            8
        );
    }
}
