//! Many rows in few statements. The texts of the statements come again whatever the number of rows, so the database
//! reads each once and remembers it: there are a few of each, by how many rows go together on SQLite, by what they share
//! on PostgreSQL.

use std::collections::VecDeque;
use std::fmt::{Display, Write as _};

use futures_util::future::join;
use memchr::memchr2;
use sea_orm::Value;

use super::{Backend, Conn as _, Tx, run};
use crate::error::{Error, Result};

/// Rows of one statement. SQLite keeps a place for each of their values as long as it remembers the statement.
const SQLITE_ROWS: usize = 128;
const POSTGRES_ROWS: usize = 1_000;
/// From so many rows on, a column that is the same in all of them is sent once.
const MANY: usize = 500;

/// Rows for one table: `head` is `insert into t (a, b)`. They must all have the same width, and a column one type.
pub struct Insert<'a> {
    head: &'a str,
    rows: Box<dyn ExactSizeIterator<Item = Vec<Value>> + Send + 'a>,
    tail: &'a str,
}

impl<'a> Insert<'a> {
    /// Each row is asked for just before it is written; `tail` follows them: `on conflict do nothing`.
    pub fn new<R>(head: &'a str, rows: R, tail: &'a str) -> Self
    where
        R: IntoIterator<Item = Vec<Value>>,
        R::IntoIter: ExactSizeIterator + Send + 'a,
    {
        Self {
            head,
            rows: Box::new(rows.into_iter()),
            tail,
        }
    }

    /// The next statement; `None`: no row is left.
    fn next(&mut self, backend: Backend) -> Result<Option<(String, Vec<Value>)>> {
        if self.rows.len() == 0 {
            return Ok(None);
        }
        let size = size(backend, self.rows.len());
        let rows = self.rows.by_ref().take(size).collect();
        Ok(Some(match backend {
            Backend::Sqlite => listed(self.head, rows, self.tail),
            Backend::Postgres => columned(self.head, rows, self.tail)?,
        }))
    }
}

/// Rows for several tables, one after the other. The next statement is always written already.
pub struct Inserts<'a> {
    backend: Backend,
    left: VecDeque<Insert<'a>>,
    ready: Option<(String, Vec<Value>)>,
}

impl<'a> Inserts<'a> {
    pub fn new(backend: Backend, inserts: impl IntoIterator<Item = Insert<'a>>) -> Result<Self> {
        let mut inserts = Self {
            backend,
            left: VecDeque::from_iter(inserts),
            ready: None,
        };
        inserts.ready = inserts.next()?;
        Ok(inserts)
    }

    fn next(&mut self) -> Result<Option<(String, Vec<Value>)>> {
        while let Some(insert) = self.left.front_mut() {
            if let Some(statement) = insert.next(self.backend)? {
                return Ok(Some(statement));
            }
            self.left.pop_front();
        }
        Ok(None)
    }

    /// Answers how many rows were touched.
    pub async fn run(mut self, tx: &Tx) -> Result<u64> {
        let mut touched = 0;
        while let Some((sql, values)) = self.ready.take() {
            // While the database is at work on a statement, the next one is written.
            let (done, next) = join(run(tx, &sql, values), async { self.next() }).await;
            touched += done?;
            self.ready = next?;
        }
        Ok(touched)
    }
}

/// Inserts many rows into one table, as [`Insert`] has them. Answers how many were touched.
pub async fn insert_many<R>(tx: &Tx, head: &str, rows: R, tail: &str) -> Result<u64>
where
    R: IntoIterator<Item = Vec<Value>>,
    R::IntoIter: ExactSizeIterator + Send,
{
    let insert = Insert::new(head, rows, tail);
    Inserts::new(tx.backend(), [insert])?.run(tx).await
}

/// How many of the rows left go together: on SQLite the text grows with them, so only few sizes are used.
fn size(backend: Backend, left: usize) -> usize {
    match backend {
        Backend::Sqlite => 1 << left.min(SQLITE_ROWS).ilog2(),
        Backend::Postgres => left.min(POSTGRES_ROWS),
    }
}

/// `insert … values (?,?),(?,?)`: bare places are counted, named ones are looked up one by one.
fn listed(head: &str, rows: Vec<Vec<Value>>, tail: &str) -> (String, Vec<Value>) {
    let width = rows.first().map_or(0, Vec::len);
    let mut row = "(".to_owned();
    row.push_str(&["?"].repeat(width).join(","));
    row.push(')');
    let values = vec![row; rows.len()].join(",");
    let sql = format!("{head} values {values} {tail}");
    (sql, rows.into_iter().flatten().collect())
}

/// What is sent for a column of many rows.
enum Column {
    /// The value that all of them have.
    Same(Value),
    /// The text of a list with the value of each, not closed yet, and the type of them.
    Each(String, &'static str),
}

/// `insert … select u1, $2 from unnest($1) as u (u1)`: one argument a column, whatever the number of rows.
fn columned(head: &str, rows: Vec<Vec<Value>>, tail: &str) -> Result<(String, Vec<Value>)> {
    let mut columns = columns_of(&rows);
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            if let Column::Each(list, kind) = column {
                list.push(if list.is_empty() { '{' } else { ',' });
                *kind = write_element(list, value)?;
            }
        }
    }
    let (mut chosen, mut lists, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut values = Vec::with_capacity(columns.len());
    for (number, column) in (1..).zip(columns) {
        match column {
            Column::Same(value) => {
                chosen.push(format!("cast(${number} as {})", kind_of(&value)?));
                values.push(value);
            }
            Column::Each(list, kind) => {
                chosen.push(format!("u{number}"));
                names.push(format!("u{number}"));
                lists.push(format!("cast(${number} as {kind}[])"));
                values.push((list + "}").into());
            }
        }
    }
    let mut sql = format!("{head} select {}", chosen.join(", "));
    if !lists.is_empty() {
        let (lists, names) = (lists.join(", "), names.join(", "));
        let _ = write!(sql, " from unnest({lists}) as u ({names})");
    }
    let _ = write!(sql, " {tail}");
    Ok((sql, values))
}

/// How each column is sent. Values are compared in a single row and in [`MANY`] and more: in between every combination
/// would be one more statement to remember. Where all columns are the same the last is a list nevertheless: its length
/// is the number of rows.
fn columns_of(rows: &[Vec<Value>]) -> Vec<Column> {
    let [first, rest @ ..] = rows else {
        return Vec::new();
    };
    let is_looked_at = rest.is_empty() || rows.len() >= MANY;
    let is_same = |index: usize| is_looked_at && rest.iter().all(|row| row[index] == first[index]);
    let column = |(index, value): (usize, &Value)| match is_same(index) {
        true => Column::Same(value.clone()),
        false => Column::Each(String::new(), ""),
    };
    let mut columns: Vec<Column> = first.iter().enumerate().map(column).collect();
    let is_told = rest.is_empty() || columns.iter().any(|column| matches!(column, Column::Each(..)));
    if let Some(last) = columns.last_mut().filter(|_| !is_told) {
        *last = Column::Each(String::new(), "");
    }
    columns
}

/// The type of the column that a value goes into.
fn kind_of(value: &Value) -> Result<&'static str> {
    match value {
        Value::Bool(_) => Ok("boolean"),
        Value::Int(_) | Value::BigInt(_) => Ok("bigint"),
        Value::Double(_) => Ok("double precision"),
        Value::String(_) => Ok("text"),
        other => Err(Error::internal(format!(
            "a row holds {other:?}, a kind no table has"
        ))),
    }
}

/// Writes a value as an element of PostgreSQL's array text; answers its type.
fn write_element(text: &mut String, value: Value) -> Result<&'static str> {
    fn plain(text: &mut String, value: Option<impl Display>) {
        match value {
            // A text takes whatever is written to it.
            Some(value) => drop(write!(text, "{value}")),
            None => text.push_str("NULL"),
        }
    }
    let kind = kind_of(&value)?;
    match value {
        Value::Bool(value) => plain(text, value),
        Value::Int(value) => plain(text, value),
        Value::BigInt(value) => plain(text, value),
        Value::Double(value) => plain(text, value),
        Value::String(Some(value)) => quote(text, &value),
        _ => text.push_str("NULL"),
    }
    Ok(kind)
}

fn quote(text: &mut String, mut value: &str) {
    text.push('"');
    while let Some(at) = memchr2(b'"', b'\\', value.as_bytes()) {
        text.push_str(&value[..at]);
        text.push('\\');
        text.push_str(&value[at..=at]);
        value = &value[at + 1..];
    }
    text.push_str(value);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn sqlite_is_asked_in_few_sizes() {
        let mut left = 300;
        let mut sizes = Vec::new();
        while left > 0 {
            sizes.push(size(Backend::Sqlite, left));
            left -= sizes[sizes.len() - 1];
        }
        assert_eq!(sizes, [128, 128, 32, 8, 4]);
        let (sql, values) = listed(
            "insert into t (a, b)",
            vec![args![1i64, "x"], args![2i64, "y"]],
            "",
        );
        assert_eq!(sql.trim(), "insert into t (a, b) values (?,?),(?,?)");
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn postgres_is_handed_a_list_a_column() {
        let rows = vec![
            args![1i64, r#"NULL, "{\}" 张"#, None::<String>, true],
            args![2i64, "", "NULL", false],
        ];
        let (sql, values) = columned("insert into t (a, b, c, d)", rows, "on conflict do nothing").unwrap();
        assert_eq!(
            sql,
            "insert into t (a, b, c, d) select u1, u2, u3, u4 from unnest(cast($1 as bigint[]), cast($2 as text[]), \
             cast($3 as text[]), cast($4 as boolean[])) as u (u1, u2, u3, u4) on conflict do nothing"
        );
        let expected = args![
            "{1,2}",
            r#"{"NULL, \"{\\}\" 张",""}"#,
            r#"{NULL,"NULL"}"#,
            "{true,false}"
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn what_many_rows_share_is_handed_over_once() {
        let rows = |count: i64| -> Vec<Vec<Value>> {
            (0..count)
                .map(|number| args![7i64, number, None::<String>, "x"])
                .collect()
        };
        let (sql, values) = columned("insert into t (a, b, c, d)", rows(500), "").unwrap();
        assert_eq!(
            sql.trim(),
            "insert into t (a, b, c, d) select cast($1 as bigint), u2, cast($3 as text), cast($4 as text) \
             from unnest(cast($2 as bigint[])) as u (u2)"
        );
        let numbers: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        assert_eq!(
            values,
            args![7i64, format!("{{{}}}", numbers.join(",")), None::<String>, "x"]
        );

        let (sql, values) = columned("insert into t (a, b, c, d)", rows(1), "").unwrap();
        assert_eq!(
            sql.trim(),
            "insert into t (a, b, c, d) select cast($1 as bigint), cast($2 as bigint), cast($3 as text), cast($4 as text)"
        );
        assert_eq!(values, args![7i64, 0i64, None::<String>, "x"]);
        // All but the last row are the same.
        let mut same = vec![args![7i64, 0i64, None::<String>, "x"]; 500];
        same.push(args![8i64, 0i64, "", "x"]);
        let (sql, values) = columned("insert into t (a, b, c, d)", same, "").unwrap();
        assert!(
            sql.contains("select u1, cast($2 as bigint), u3, cast($4 as text) from"),
            "{sql}"
        );
        assert!(values[0].to_string().ends_with(",8}'"), "{}", values[0]);
        // Rows that are the same in everything stay so many.
        let same = vec![args![7i64, "x"]; 500];
        let (sql, values) = columned("insert into t (a, b)", same, "").unwrap();
        assert!(
            sql.contains("select cast($1 as bigint), u2 from unnest(cast($2 as text[]))"),
            "{sql}"
        );
        assert_eq!(values[1].to_string().matches('x').count(), 500);
    }
}
