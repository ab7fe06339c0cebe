//! Axes with round steps, and the interval of an estimate.

use askama::Template;

use super::at;

/// A vertical axis from zero (or from below it, when something is negative) in round steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    /// Bottom to top, both ends in.
    pub ticks: Vec<i64>,
}

impl Axis {
    /// Covers `values` in three or four steps. Nothing but zeros gives one line at the bottom.
    pub fn over(values: impl Iterator<Item = i64> + Clone) -> Self {
        let low = values.clone().min().unwrap_or(0).min(0);
        let high = values.max().unwrap_or(0).max(0);
        if low == 0 && high == 0 {
            return Self {
                low: 0.0,
                high: 1.0,
                ticks: vec![0],
            };
        }
        let step = round_step((high - low) as f64 / 3.0);
        let first = low.div_euclid(step);
        let last = -(-high).div_euclid(step);
        let ticks: Vec<i64> = (first..=last).map(|index| index * step).collect();
        Self {
            low: (first * step) as f64,
            high: (last * step) as f64,
            ticks,
        }
    }

    /// Distance from the top, 0–100.
    pub fn y(&self, value: f64) -> f64 {
        (self.high - value) / (self.high - self.low) * 100.0
    }
}

/// The smallest of 1, 2, 3, 4, 5, 6, 8 times a power of ten that is not below `raw`.
fn round_step(raw: f64) -> i64 {
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| *step >= raw)
        .unwrap_or(raw);
    (step.ceil() as i64).max(1)
}

/// An estimate with its interval on a line that shows zero.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/interval.html")]
pub struct Interval {
    pub title: String,
    pub zero: String,
    pub low: String,
    pub point: String,
    pub width: String,
    pub zero_word: String,
    pub low_word: String,
    pub point_word: String,
    pub high_word: String,
    /// The words above would run into one another at the zero line.
    pub is_zero_inside: bool,
}

impl Interval {
    /// `words` of zero, low, point, high.
    pub fn new(low: f64, point: f64, high: f64, title: String, words: [String; 4]) -> Self {
        let (from, to) = (low.min(0.0), high.max(0.0));
        let span = if to > from { to - from } else { 1.0 };
        // A tenth of room at both ends, so that marks are not cut.
        let place = |value: f64| 10.0 + (value - from) / span * 80.0;
        let [zero_word, low_word, point_word, high_word] = words;
        Self {
            title,
            zero: at(place(0.0)),
            low: at(place(low)),
            point: at(place(point)),
            width: at(place(high) - place(low)),
            zero_word,
            low_word,
            point_word,
            high_word,
            is_zero_inside: low <= 0.0 && high >= 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_cover_what_they_show_in_round_steps() {
        let cases: [(&[i64], &[i64]); 7] = [
            (&[], &[0]),
            (&[0, 0], &[0]),
            (&[1], &[0, 1]),
            (&[8_215_000, 3_820_000], &[0, 3_000_000, 6_000_000, 9_000_000]),
            (&[1_846], &[0, 800, 1_600, 2_400]),
            (&[-50, 100], &[-50, 0, 50, 100]),
            (&[-3], &[-3, -2, -1, 0]),
        ];
        for (values, ticks) in cases {
            let axis = Axis::over(values.iter().copied());
            assert_eq!(axis.ticks, ticks, "{values:?}");
            for value in values {
                let y = axis.y(*value as f64);
                assert!((0.0..=100.0).contains(&y), "{value} of {values:?} is at {y}");
            }
        }
    }

    #[test]
    fn an_interval_keeps_its_order_even_when_it_is_a_point() {
        let words = || ["0", "l", "p", "h"].map(str::to_owned);
        let drawn = Interval::new(0.15, 1.86, 3.58, String::new(), words());
        let number = |text: &str| text.parse::<f64>().unwrap();
        assert!(number(&drawn.zero) < number(&drawn.low));
        assert!(number(&drawn.low) < number(&drawn.point));
        let flat = Interval::new(0.0, 0.0, 0.0, String::new(), words());
        assert_eq!((flat.zero.as_str(), flat.width.as_str()), ("10", "0"));
    }
}
