//! Many rows in few statements. The texts of the statements come again whatever the number of rows, so the database
//! reads each once and remembers it.

use std::fmt::{Display, Write as _};

use futures_util::future::join;
use memchr::memchr2;
use sea_orm::Value;

use super::{Backend, Conn as _, Tx, run};
use crate::error::{Error, Result};

/// Rows of one statement. SQLite keeps a place for each of their values as long as it remembers the statement.
const SQLITE_ROWS: usize = 128;
const POSTGRES_ROWS: usize = 1_000;

/// Inserts many rows: `head` is `insert into t (a, b)`, `tail` what follows the values (`on conflict do nothing`).
/// Answers how many rows were touched. Rows must all have the same width, and a column one type.
pub async fn insert_many(tx: &Tx, head: &str, rows: Vec<Vec<Value>>, tail: &str) -> Result<u64> {
    let (backend, mut rows, mut touched) = (tx.backend(), rows.into_iter(), 0);
    let mut next = move || -> Result<Option<(String, Vec<Value>)>> {
        if rows.len() == 0 {
            return Ok(None);
        }
        let size = size(backend, rows.len());
        let chunk = rows.by_ref().take(size).collect();
        Ok(Some(match backend {
            Backend::Sqlite => listed(head, chunk, tail),
            Backend::Postgres => columned(head, chunk, tail)?,
        }))
    };
    let mut ready = next()?;
    while let Some((sql, values)) = ready {
        // While the database is at work on a statement, the next one is written.
        let (done, following) = join(run(tx, &sql, values), async { next() }).await;
        touched += done?;
        ready = following?;
    }
    Ok(touched)
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

/// `insert … select * from unnest($1, $2)`: one argument a column, whatever the number of rows.
fn columned(head: &str, rows: Vec<Vec<Value>>, tail: &str) -> Result<(String, Vec<Value>)> {
    let width = rows.first().map_or(0, Vec::len);
    let mut columns = vec![String::from("{"); width];
    let mut types = vec![""; width];
    for (index, row) in rows.into_iter().enumerate() {
        for ((column, kind), value) in columns.iter_mut().zip(&mut types).zip(row) {
            if index > 0 {
                column.push(',');
            }
            *kind = write_element(column, value)?;
        }
    }
    let places: Vec<String> = types
        .iter()
        .enumerate()
        .map(|(index, kind)| format!("cast(${} as {kind}[])", index + 1))
        .collect();
    let sql = format!("{head} select * from unnest({}) {tail}", places.join(", "));
    let values = columns.into_iter().map(|column| (column + "}").into());
    Ok((sql, values.collect()))
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
    Ok(match value {
        Value::Bool(value) => {
            plain(text, value);
            "boolean"
        }
        Value::Int(value) => {
            plain(text, value);
            "bigint"
        }
        Value::BigInt(value) => {
            plain(text, value);
            "bigint"
        }
        Value::Double(value) => {
            plain(text, value);
            "double precision"
        }
        Value::String(Some(value)) => {
            quote(text, &value);
            "text"
        }
        Value::String(None) => {
            text.push_str("NULL");
            "text"
        }
        other => {
            return Err(Error::internal(format!(
                "a row holds {other:?}, a kind no table has"
            )));
        }
    })
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
            "insert into t (a, b, c, d) select * from unnest(cast($1 as bigint[]), cast($2 as text[]), \
             cast($3 as text[]), cast($4 as boolean[])) on conflict do nothing"
        );
        let expected = args![
            "{1,2}",
            r#"{"NULL, \"{\\}\" 张",""}"#,
            r#"{NULL,"NULL"}"#,
            "{true,false}"
        ];
        assert_eq!(values, expected);
    }
}
