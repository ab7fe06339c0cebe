//! Calls that carry many rows: each is read for itself, so a bad one does not stop the others.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::input::{FromJson, read_json, read_value};
use super::problem::{FieldProblem, Result};
use crate::error::{Error, Problem};
use crate::orders::{MAX_ROWS, RowResult};

/// A body of rows: an array, `{"items":[…]}`, or one row.
pub(super) struct Rows(Value);

impl FromJson for Rows {
    /// What is wrong inside a row is that row's affair: see [`Rows::sort`].
    fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        read_json(bytes).map(Self)
    }
}

/// Rows that could be read, and a place for the result of every row.
pub(super) struct Sorted<T> {
    pub good: Vec<T>,
    pub results: Results,
}

/// One result a row, in the order they were sent.
pub(super) struct Results {
    rows: Vec<RowAnswer>,
    /// For each readable row: its index among all.
    good: Vec<usize>,
}

pub(super) struct RowAnswer {
    /// What names the row: `order_no`, `refund_no`, `sku`.
    pub number: Option<String>,
    pub result: &'static str,
    pub errors: Vec<FieldProblem>,
    /// Pointer of the row in the body.
    at: String,
}

impl Rows {
    /// Reads each row; `number` is the field that names it.
    ///
    /// # Errors
    /// When the body holds no rows or more than [`MAX_ROWS`].
    pub fn sort<T: DeserializeOwned>(self, number: &str) -> Result<Sorted<T>> {
        let mut good = Vec::new();
        let mut results = Results {
            rows: Vec::new(),
            good: Vec::new(),
        };
        for (at, row) in self.split()? {
            let number = row.get(number).and_then(Value::as_str).map(str::to_owned);
            let errors = match read_value::<T>(row, &at) {
                Ok(row) => {
                    results.good.push(results.rows.len());
                    good.push(row);
                    Vec::new()
                }
                Err(Error::Invalid(problems)) => problems.into_iter().map(FieldProblem::from).collect(),
                Err(other) => return Err(other.into()),
            };
            results.rows.push(RowAnswer {
                number,
                result: "error",
                errors,
                at,
            });
        }
        Ok(Sorted { good, results })
    }

    /// The rows with their pointers.
    fn split(self) -> Result<Vec<(String, Value)>, Error> {
        let (base, rows) = match self.0 {
            Value::Array(rows) => ("", rows),
            Value::Object(mut fields) => match fields.remove("items") {
                Some(Value::Array(rows)) if fields.is_empty() => ("/items", rows),
                Some(_) => {
                    return Err(Error::invalid(
                        "/items",
                        "send `{\"items\":[…]}` and nothing beside it",
                    ));
                }
                None => return Ok(vec![(String::new(), Value::Object(fields))]),
            },
            _ => return Err(Error::invalid("", "send an array of rows")),
        };
        if rows.is_empty() || rows.len() > MAX_ROWS {
            let message = format!("send 1 to {MAX_ROWS} rows a call, not {}", rows.len());
            return Err(Error::invalid(base, message));
        }
        let placed = rows.into_iter().enumerate();
        Ok(placed
            .map(|(index, row)| (format!("{base}/{index}"), row))
            .collect())
    }
}

impl Results {
    /// Enters what became of the readable rows; their pointers `/{index}/…` count readable rows only.
    pub fn fill(&mut self, recorded: Vec<RowResult>) {
        for (index, outcome) in recorded.into_iter().enumerate() {
            let Some(row) = self.good.get(index).and_then(|place| self.rows.get_mut(*place)) else {
                continue;
            };
            row.result = match outcome {
                RowResult::Created => "created",
                RowResult::Unchanged => "unchanged",
                RowResult::Updated => "updated",
                RowResult::Refused(problems) => {
                    let within = format!("/{index}");
                    row.errors = problems
                        .into_iter()
                        .map(|problem| moved(problem, &within, &row.at))
                        .collect();
                    "error"
                }
            };
        }
    }

    pub fn into_rows(self) -> impl Iterator<Item = RowAnswer> {
        self.rows.into_iter()
    }
}

fn moved(problem: Problem, from: &str, to: &str) -> FieldProblem {
    let rest = problem.pointer.strip_prefix(from).unwrap_or(&problem.pointer);
    FieldProblem {
        pointer: format!("{to}{rest}"),
        message: problem.message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only refusals are looked at")]
    struct Row {
        no: String,
        fen: i64,
    }

    #[test]
    fn a_bad_row_keeps_its_place_and_stops_nobody() {
        let rows =
            Rows(json!({"items": [{"no": "a", "fen": 1}, {"no": "b", "fen": "x"}, {"no": "c", "fen": 3}]}));
        let Sorted { good, mut results } = rows.sort::<Row>("no").unwrap();
        assert_eq!(good.len(), 2);
        results.fill(vec![
            RowResult::Created,
            RowResult::Refused(vec![Problem::new("/1/fen", "too much")]),
        ]);
        let rows: Vec<_> = results.into_rows().collect();
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                let pointer = row.errors.first().map(|error| error.pointer.as_str());
                (row.number.as_deref(), row.result, pointer)
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some("a"), "created", None),
                (Some("b"), "error", Some("/items/1/fen")),
                (Some("c"), "error", Some("/items/2/fen")),
            ]
        );
    }

    #[test]
    fn a_nul_in_a_row_is_that_rows_affair() {
        let rows = Rows::from_json(br#"[{"no":"a\u0000","fen":1},{"no":"b","fen":2}]"#).unwrap();
        let Sorted { good, results } = rows.sort::<Row>("no").unwrap();
        assert_eq!(good.len(), 1);
        let rows: Vec<_> = results.into_rows().collect();
        assert_eq!(rows[0].errors[0].pointer, "/0/no");
        assert!(rows[1].errors.is_empty());
    }

    #[test]
    fn arrays_items_and_one_row_are_read() {
        let count = |body: Value| Rows(body).sort::<Row>("no").map(|sorted| sorted.good.len()).ok();
        assert_eq!(count(json!([{"no": "a", "fen": 1}])), Some(1));
        assert_eq!(count(json!({"no": "a", "fen": 1})), Some(1));
        assert_eq!(count(json!({"items": []})), None);
        assert_eq!(count(json!({"items": [{"no": "a", "fen": 1}], "more": 1})), None);
        assert_eq!(count(json!("a")), None);
        assert_eq!(count(Value::Array(vec![json!({}); MAX_ROWS + 1])), None);
    }
}
