//! Following a cursor to the end of a list, and no further: what the platform answers may go in a circle.

use crate::error::{Advice, Error, PlatformFault, Result};

/// Pages of one list at most, unless said otherwise: 100 members with 20,000 customers each are 20,000 pages.
const MOST_PAGES: u64 = 100_000;

/// Where a reader of a list stands.
#[derive(Debug)]
pub struct Walk {
    cursor: Option<String>,
    /// A cursor passed before; one that comes again closes a circle. It moves up at pages 1, 2, 4, 8, …, so that it
    /// is inside any circle in the end.
    mark: Option<String>,
    pages: u64,
    at_most: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

impl Walk {
    /// At the first page.
    pub fn new() -> Self {
        Self::from(None)
    }

    /// One that goes on where another stood.
    pub fn from(cursor: Option<String>) -> Self {
        Self {
            cursor,
            mark: None,
            pages: 0,
            at_most: MOST_PAGES,
        }
    }

    /// For a list that is kept whole in memory.
    #[must_use]
    pub fn at_most(mut self, pages: u64) -> Self {
        self.at_most = pages;
        self
    }

    /// What the next page is asked with.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Goes on to the page that a page names as its next; `false` at the end.
    ///
    /// # Errors
    /// When the list does not end.
    pub fn go_on(&mut self, next: Option<String>) -> Result<bool> {
        let Some(next) = next else {
            self.cursor = None;
            return Ok(false);
        };
        self.pages += 1;
        let is_circle = self.cursor.as_ref() == Some(&next) || self.mark.as_ref() == Some(&next);
        if is_circle || self.pages >= self.at_most {
            return Err(Error::Platform(PlatformFault {
                code: None,
                message: "a list whose pages do not end".into(),
                advice: Advice::Bug,
            }));
        }
        if self.pages.is_power_of_two() {
            self.mark = Some(next.clone());
        }
        self.cursor = Some(next);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages walked through `cursor(page)`, or that it did not end.
    fn walked(cursor: impl Fn(u64) -> Option<String>) -> Result<u64, u64> {
        let mut walk = Walk::new();
        for page in 1.. {
            match walk.go_on(cursor(page)) {
                Ok(true) => {}
                Ok(false) => return Ok(page),
                Err(_) => return Err(page),
            }
        }
        unreachable!("a walk ends")
    }

    #[test]
    fn a_list_is_walked_to_its_end_and_a_circle_is_left() {
        assert_eq!(walked(|_| None), Ok(1));
        assert_eq!(walked(|page| (page < 5_000).then(|| page.to_string())), Ok(5_000));
        for length in [1, 2, 3, 7, 100, 1_000] {
            let pages = walked(|page| Some((page % length).to_string())).unwrap_err();
            assert!(pages <= 3 * length + 3, "a circle of {length} took {pages} pages");
        }
        assert_eq!(walked(|page| Some(page.to_string())), Err(MOST_PAGES));
    }
}
