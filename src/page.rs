//! Lists by key: `?limit=&after=` in, rows and the next cursor out. A deeper page costs what the first does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, said};

pub const DEFAULT_LIMIT: i64 = 50;
pub const MAX_LIMIT: i64 = 200;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageOf {
    limit: i64,
    after: Option<String>,
}

impl PageOf {
    /// # Errors
    /// When the limit is not 1–200.
    pub fn new(limit: Option<i64>, after: Option<String>) -> Result<Self> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::invalid(
                "/limit",
                said!(
                    "refused-not-between",
                    "`{value}` is not between {least} and {most}",
                    value = limit,
                    least = 1i64,
                    most = MAX_LIMIT
                ),
            ));
        }
        Ok(Self {
            limit,
            after: after.filter(|after| !after.is_empty()),
        })
    }

    pub fn first(limit: i64) -> Self {
        Self { limit, after: None }
    }

    /// Work that reads a list to its end, so many rows at a time.
    pub fn from(limit: i64, after: Option<String>) -> Self {
        Self { limit, after }
    }

    pub fn limit(&self) -> i64 {
        self.limit
    }

    /// The sort key to go on after: what [`Page::cut`] put into the cursor.
    ///
    /// # Errors
    /// When the cursor was not made by us, or by another list.
    pub fn after<K: for<'de> Deserialize<'de>>(&self) -> Result<Option<K>> {
        let Some(cursor) = &self.after else {
            return Ok(None);
        };
        let key = BASE64
            .decode(cursor)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|key| !holds_nul(key))
            .and_then(|key| serde_json::from_value(key).ok());
        key.map(Some).ok_or_else(|| {
            Error::invalid(
                "/after",
                said!(
                    "refused-cursor",
                    "this cursor is not of this list; start from the first page"
                ),
            )
        })
    }
}

/// No key of ours does, and no database text can.
fn holds_nul(key: &serde_json::Value) -> bool {
    match key {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(parts) => parts.iter().any(holds_nul),
        serde_json::Value::Object(fields) => fields.values().any(holds_nul),
        _ => false,
    }
}

#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// From rows read with `limit + 1`: the extra one only tells that there is more.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, page: &PageOf, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() as i64 > page.limit;
        rows.truncate(page.limit as usize);
        let next = rows
            .last()
            .filter(|_| more)
            .map(|row| BASE64.encode(serde_json::to_vec(&key(row)).expect("a sort key is plain data")));
        Self { items: rows, next }
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_the_next_row() {
        let page = PageOf::new(Some(2), None).unwrap();
        let cut = Page::cut(vec![1i64, 2, 3], &page, |row| *row);
        assert_eq!(cut.items, [1, 2]);
        let next = PageOf::new(Some(2), cut.next).unwrap();
        assert_eq!(next.after::<i64>().unwrap(), Some(2));
        assert!(next.after::<(String, i64)>().is_err());
        assert!(PageOf::new(Some(0), None).is_err());
        let forged = BASE64.encode(br#"["a\u0000",1]"#);
        let forged = PageOf::new(None, Some(forged)).unwrap();
        assert!(forged.after::<(String, i64)>().is_err());
    }
}
