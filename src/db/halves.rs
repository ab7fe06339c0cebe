//! A batch that the database refuses, taken apart until the rows it does not take stand alone: the others pass by them.

use super::dialect::refusal;
use crate::error::{Error, Result};

const NOT_TAKEN: &str = "the database does not take ";

/// What is kept of a row that stands alone: `what` it is, and why the database does not take it.
pub fn not_taken(what: &str, why: &str) -> String {
    format!("{NOT_TAKEN}{what}: {why}")
}

/// Whether a problem that was kept is about a row the database does not take, as SQL on `column`.
pub fn is_not_taken(column: &str) -> String {
    format!("{column} like '{NOT_TAKEN}%'")
}

/// What of a batch is still to be stored.
pub struct Halves<'a, T> {
    waiting: Vec<&'a [T]>,
}

impl<'a, T> Halves<'a, T> {
    pub fn of(batch: &'a [T]) -> Self {
        Self {
            waiting: if batch.is_empty() { Vec::new() } else { vec![batch] },
        }
    }

    /// The next rows to store, in the batch's order.
    pub fn take(&mut self) -> Option<&'a [T]> {
        self.waiting.pop()
    }

    /// Rows that were refused come again as halves; a single one is answered.
    pub fn divide(&mut self, refused: &'a [T]) -> Option<&'a T> {
        if let [one] = refused {
            return Some(one);
        }
        let (first, second) = refused.split_at(refused.len() / 2);
        self.waiting.extend([second, first]);
        None
    }

    /// The same by what the database said; answers a row that stands alone with why it is not taken.
    ///
    /// # Errors
    /// `error` itself when it is about no row.
    pub fn divide_by(&mut self, refused: &'a [T], error: Error) -> Result<Option<(&'a T, String)>> {
        match refusal(&error) {
            Some(why) => Ok(self.divide(refused).map(|alone| (alone, why))),
            None => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_stored_in_order_but_those_that_are_refused() {
        let rows: Vec<u32> = (0..100).collect();
        let is_refused = |row: &u32| [0, 41, 42, 99].contains(row);
        let (mut stored, mut refused, mut tries) = (Vec::new(), Vec::new(), 0);
        let mut halves = Halves::of(&rows);
        while let Some(some) = halves.take() {
            tries += 1;
            if some.iter().any(is_refused) {
                refused.extend(halves.divide(some).copied());
            } else {
                stored.extend_from_slice(some);
            }
        }
        assert_eq!(refused, [0, 41, 42, 99]);
        assert_eq!(stored.len(), 96);
        assert!(stored.is_sorted());
        assert!(tries < 60, "{tries}");
        assert!(Halves::<u32>::of(&[]).take().is_none());
    }
}
