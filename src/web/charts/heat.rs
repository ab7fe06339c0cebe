//! A week by hours, in six steps of one hue.

use askama::Template;

/// All cells of one step, as one path: a page of cells each on its own would be heavy.
#[derive(Debug, Clone)]
pub struct Cells {
    pub class: &'static str,
    pub path: String,
}

/// Seven rows, Monday first, over the hours that have anything.
#[derive(Debug, Clone, Template)]
#[template(path = "charts/heat.html")]
pub struct Heat {
    pub title: String,
    pub description: String,
    pub show_numbers: String,
    pub days: Vec<String>,
    /// Ten units an hour, ten a day.
    pub width: usize,
    pub cells: Vec<Cells>,
    /// Every second hour.
    pub hours: Vec<String>,
    /// Each hour, for the table.
    pub all_hours: Vec<String>,
    pub rows: Vec<(String, Vec<i64>)>,
}

const CLASSES: [&str; 6] = ["h0", "h1", "h2", "h3", "h4", "h5"];

impl Heat {
    /// `counts` by weekday and hour of the day; `None` when all are zero.
    pub fn new(counts: &[Vec<i64>], days: Vec<String>, hour: impl Fn(usize) -> String) -> Option<Self> {
        let busy = |index: &usize| {
            counts
                .iter()
                .any(|row| row.get(*index).is_some_and(|count| *count > 0))
        };
        let length = counts.iter().map(Vec::len).max().unwrap_or(0);
        let first = (0..length).find(busy)?;
        let last = (0..length).rev().find(busy)?;
        let shown: Vec<Vec<i64>> = counts
            .iter()
            .map(|row| {
                (first..=last)
                    .map(|index| row.get(index).copied().unwrap_or(0))
                    .collect()
            })
            .collect();
        let limits = quantiles(&shown);
        let mut paths = [const { String::new() }; CLASSES.len()];
        for (day, row) in shown.iter().enumerate() {
            for (index, count) in row.iter().enumerate() {
                paths[step(*count, &limits)] += &format!("M{index}0 {day}0h9v9h-9z");
            }
        }
        let cells = CLASSES
            .into_iter()
            .zip(paths)
            .filter(|(_, path)| !path.is_empty());
        Some(Self {
            title: String::new(),
            description: String::new(),
            show_numbers: String::new(),
            width: (last - first + 1) * 10,
            cells: cells.map(|(class, path)| Cells { class, path }).collect(),
            hours: (first..=last).step_by(2).map(&hour).collect(),
            all_hours: (first..=last).map(&hour).collect(),
            rows: days.iter().cloned().zip(shown).collect(),
            days,
        })
    }

    pub fn titled(
        mut self,
        title: impl Into<String>,
        description: &str,
        show_numbers: impl Into<String>,
    ) -> Self {
        self.title = title.into();
        self.description = description.to_owned();
        self.show_numbers = show_numbers.into();
        self
    }
}

/// Upper limits of the first four of five equal groups of the counts above zero.
fn quantiles(rows: &[Vec<i64>]) -> Vec<i64> {
    let mut counts: Vec<i64> = rows
        .iter()
        .flatten()
        .copied()
        .filter(|count| *count > 0)
        .collect();
    counts.sort_unstable();
    let limit = |part: usize| {
        counts
            .get((counts.len() * part).div_ceil(5).saturating_sub(1))
            .copied()
    };
    (1..5).filter_map(limit).collect()
}

/// 0 for nothing, 1–5 by group; equal counts are in one group.
fn step(count: i64, limits: &[i64]) -> usize {
    if count <= 0 {
        0
    } else {
        1 + limits.iter().filter(|limit| count > **limit).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(counts: &[Vec<i64>]) -> Option<Heat> {
        Heat::new(counts, vec!["Mon".into(), "Tue".into()], |hour| {
            format!("{hour}:00")
        })
    }

    /// The step of each cell of the first row.
    fn steps(heat: &Heat) -> Vec<&'static str> {
        let cell = |index: usize| {
            let start = format!("M{index}0 00h");
            heat.cells
                .iter()
                .find(|cells| cells.path.contains(&start))
                .unwrap()
                .class
        };
        (0..heat.width / 10).map(cell).collect()
    }

    #[test]
    fn nothing_is_not_drawn() {
        assert!(heat(&[]).is_none());
        assert!(heat(&[vec![0; 24], vec![0; 24]]).is_none());
    }

    #[test]
    fn hours_before_the_first_and_after_the_last_are_left_out() {
        let mut monday = vec![0; 24];
        monday[10] = 3;
        monday[12] = 1;
        let drawn = heat(&[monday, vec![0; 24]]).unwrap();
        assert_eq!(drawn.width, 30);
        assert_eq!(drawn.hours, ["10:00", "12:00"]);
        assert_eq!(drawn.cells[0].path.matches('M').count(), 4);
    }

    #[test]
    fn steps_are_by_quantile_and_equal_counts_look_equal() {
        assert_eq!(
            steps(&heat(&[vec![1, 2, 3, 4, 5]]).unwrap()),
            ["h1", "h2", "h3", "h4", "h5"]
        );
        assert_eq!(
            steps(&heat(&[vec![7, 7, 0, 7]]).unwrap()),
            ["h1", "h1", "h0", "h1"]
        );
        // A refund-heavy hour may count below nothing: it is drawn as nothing.
        assert_eq!(steps(&heat(&[vec![-2, 5]]).unwrap()), ["h1"]);
    }
}
