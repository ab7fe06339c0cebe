//! The store rule from a CSV: `department,code,name,region` marks stores, `userid,store_code` names a member's store.
//! Every row is looked at before anything is changed; a wrong one is named by row and column.

use std::collections::{HashMap, HashSet};

use super::rule::{Mark, mark_store};
use super::store::rule as store;
use super::{Corp, DepartmentLine, associates_by_userid, find_store_by_code};
use crate::db::Tx;
use crate::error::{Error, Problem, Result, Said, said};
use crate::ids::{StoreId, UserId};
use crate::scope::Act;

/// Rows of a file, and problems told of one.
const MOST_ROWS: usize = 50_000;
const MOST_PROBLEMS: usize = 20;

/// What a file did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    Stores(usize),
    Members(usize),
}

/// A row with its place in the file.
struct Row {
    line: u64,
    fields: HashMap<String, String>,
}

impl Row {
    fn field(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }

    fn problem(&self, column: &str, why: Said) -> Problem {
        Problem::new(format!("/rows/{}/{column}", self.line), why)
    }

    fn missing(&self, column: &'static str) -> Problem {
        let why = said!(
            "refused-csv-empty",
            "row {row}, column `{column}`: it is empty",
            row = self.line as i64,
            column = column
        );
        self.problem(column, why)
    }

    fn wrong(&self, column: &'static str, value: &str) -> Problem {
        let why = said!(
            "refused-csv-unknown",
            "row {row}, column `{column}`: there is no `{value}`",
            row = self.line as i64,
            column = column,
            value = value
        );
        self.problem(column, why)
    }
}

/// Reads a file and does what it says, all of it or nothing.
///
/// # Errors
/// `Invalid` with a problem a wrong row, at most twenty.
pub async fn import_rule(tx: &Tx, act: &Act<'_>, corp: &Corp, text: &str) -> Result<Imported> {
    let (columns, rows) = read(text)?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    if has("department") {
        return stores(tx, act, corp, &rows).await.map(Imported::Stores);
    }
    if has("userid") && has("store_code") {
        return members(tx, corp, &rows).await.map(Imported::Members);
    }
    Err(Error::invalid(
        "/rows/1",
        said!(
            "refused-csv-head",
            "row 1 names no columns we know: write `department,code,name,region` or `userid,store_code`"
        ),
    ))
}

fn read(text: &str) -> Result<(Vec<String>, Vec<Row>)> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        Error::invalid(
            format!("/rows/{line}"),
            said!(
                "refused-csv-row",
                "row {row} cannot be read: it has more or fewer columns than the first, or an open quote",
                row = line as i64
            ),
        )
    };
    let head = reader.headers().map_err(unreadable)?;
    let columns: Vec<String> = head.iter().map(|name| name.trim().to_lowercase()).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields = columns.iter().cloned().zip(record.iter().map(str::to_owned));
        rows.push(Row {
            line,
            fields: fields.collect(),
        });
        if rows.len() > MOST_ROWS {
            return Err(Error::invalid(
                "/rows",
                said!(
                    "refused-csv-long",
                    "a file has at most {most} rows",
                    most = MOST_ROWS
                ),
            ));
        }
    }
    Ok((columns, rows))
}

async fn stores(tx: &Tx, act: &Act<'_>, corp: &Corp, rows: &[Row]) -> Result<usize> {
    let departments = store::departments_with_stores(tx, corp.id).await?;
    let paths = paths(&departments);
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    for row in rows {
        let Some(named) = row.field("department") else {
            problems.push(row.missing("department"));
            continue;
        };
        let Some(department) = paths.get(named).copied() else {
            problems.push(row.wrong("department", named));
            continue;
        };
        if !seen.insert(department) {
            problems.push(row.problem(
                "department",
                said!(
                    "refused-csv-twice",
                    "row {row}, column `department`: `{value}` is there twice",
                    row = row.line as i64,
                    value = named
                ),
            ));
            continue;
        }
        let owned = |name: &str| row.field(name).map(str::to_owned);
        let mark = Mark {
            department,
            code: owned("code"),
            name: owned("name"),
            region: owned("region"),
        };
        // Nothing of this stays when another row is wrong: the caller's transaction goes with it.
        match mark_store(tx, act, corp, &mark).await {
            Ok(_) => {}
            Err(Error::Invalid(refused)) => {
                problems.extend(refused.into_iter().map(|problem| in_row(row, problem)));
            }
            Err(error) => return Err(error),
        }
    }
    refuse(problems)?;
    Ok(rows.len())
}

async fn members(tx: &Tx, corp: &Corp, rows: &[Row]) -> Result<usize> {
    let userids: Vec<UserId> = rows
        .iter()
        .filter_map(|row| row.field("userid"))
        .map(|userid| UserId(userid.to_owned()).folded())
        .collect();
    let mut known = HashSet::new();
    for some in userids.chunks(500) {
        known.extend(associates_by_userid(tx, corp.id, some).await?.into_keys());
    }
    let mut codes: HashMap<String, Option<StoreId>> = HashMap::new();
    let mut problems = Vec::new();
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(userid) = row.field("userid") else {
            problems.push(row.missing("userid"));
            continue;
        };
        let folded = UserId(userid.to_owned()).folded();
        if !known.contains(&folded) {
            problems.push(row.wrong("userid", userid));
            continue;
        }
        let Some(code) = row.field("store_code") else {
            places.push((folded, None));
            continue;
        };
        if !codes.contains_key(code) {
            let found = find_store_by_code(tx, corp.id, code).await.ok();
            codes.insert(code.to_owned(), found.map(|store| store.id));
        }
        match codes.get(code).copied().flatten() {
            Some(store) => places.push((folded, Some(store))),
            None => problems.push(row.wrong("store_code", code)),
        }
    }
    refuse(problems)?;
    for (userid, place) in &places {
        match place {
            Some(place) => store::place_member(tx, corp.id, userid, *place).await?,
            None => store::free_member(tx, corp.id, userid).await?,
        }
    }
    Ok(places.len())
}

/// What a mark refused, in its row.
fn in_row(row: &Row, problem: Problem) -> Problem {
    let column = problem.pointer.trim_start_matches('/').to_owned();
    let why = said!(
        "refused-csv-value",
        "row {row}, column `{column}`: {why}",
        row = row.line as i64,
        column = column.as_str(),
        why = problem.message.to_string()
    );
    row.problem(&column, why)
}

fn refuse(mut problems: Vec<Problem>) -> Result<()> {
    problems.truncate(MOST_PROBLEMS);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

/// Departments by id and by path (`总部/华东/静安店`, or without the first); a path that two have finds none.
fn paths(departments: &[DepartmentLine]) -> HashMap<String, i64> {
    let by_id: HashMap<i64, &DepartmentLine> = departments.iter().map(|one| (one.id, one)).collect();
    let mut found: HashMap<String, Option<i64>> = HashMap::new();
    let mut note = |path: String, id: i64| {
        let held = found.entry(path).or_insert(Some(id));
        if *held != Some(id) {
            *held = None;
        }
    };
    for one in departments {
        let mut names = vec![one.name.as_str()];
        let mut above = by_id.get(&one.parent_id);
        while let Some(parent) = above
            && names.len() < 32
        {
            names.push(&parent.name);
            above = by_id.get(&parent.parent_id);
        }
        names.reverse();
        note(one.id.to_string(), one.id);
        note(names.join("/"), one.id);
        if names.len() > 1 {
            note(names[1..].join("/"), one.id);
        }
    }
    found
        .into_iter()
        .filter_map(|(path, id)| Some((path, id?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: i64, parent_id: i64, name: &str) -> DepartmentLine {
        DepartmentLine {
            id,
            parent_id,
            name: name.into(),
            store_id: None,
            code: None,
            store_name: None,
            region_name: None,
            is_marked: false,
            people: 0,
        }
    }

    #[test]
    fn a_department_is_named_by_id_or_by_its_path() {
        let found = paths(&[
            line(1, 0, "总部"),
            line(2, 1, "华东"),
            line(3, 1, "华北"),
            line(21, 2, "一店"),
            line(31, 3, "一店"),
        ]);
        for (named, id) in [("21", 21), ("总部/华东/一店", 21), ("华北/一店", 31), ("总部", 1)] {
            assert_eq!(found.get(named), Some(&id), "{named}");
        }
        assert_eq!(found.get("一店"), None, "a name alone is no path");
    }
}
