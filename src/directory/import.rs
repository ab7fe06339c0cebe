//! The store rule from a CSV: `department,code,name,region` marks stores, `userid,store_code` names a member's store.
//! Every row is looked at before anything is changed; a wrong one is named by row and column.

use std::collections::{HashMap, HashSet};

use super::mark::{Mark, mark_stores};
use super::store::rule as store;
use super::table::{Row, read};
use super::{Corp, DepartmentLine, every_userid};
use crate::db::Tx;
use crate::error::{Error, Problem, Result, said};
use crate::ids::{StoreId, UserId};
use crate::scope::Act;

/// Problems told of one file.
const MOST_PROBLEMS: usize = 20;

/// What a file did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    Stores(usize),
    Members(usize),
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
            "it names no columns we know: write `department,code,name,region` or `userid,store_code`"
        ),
    ))
}

async fn stores(tx: &Tx, act: &Act<'_>, corp: &Corp, rows: &[Row]) -> Result<usize> {
    let departments = store::departments_with_stores(tx, corp.id).await?;
    let paths = paths(&departments);
    let mut problems = Vec::new();
    let mut seen: HashMap<i64, u64> = HashMap::new();
    let mut marks: Vec<(&Row, Mark)> = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(named) = row.field("department") else {
            problems.push((row.line, row.missing("department")));
            continue;
        };
        let Some(department) = paths.get(named).copied() else {
            problems.push((row.line, row.wrong("department", named)));
            continue;
        };
        if let Some(first) = seen.get(&department) {
            problems.push((row.line, row.twice("department", named, *first)));
            continue;
        }
        seen.insert(department, row.line);
        let owned = |name: &str| row.field(name).map(str::to_owned);
        let mark = Mark {
            department,
            code: owned("code"),
            name: owned("name"),
            region: owned("region"),
        };
        marks.push((row, mark));
    }
    let (of_rows, marks): (Vec<&Row>, Vec<Mark>) = marks.into_iter().unzip();
    // Nothing of this stays when a row is wrong: the caller's transaction goes with it.
    for (index, problem) in mark_stores(tx, act, corp, &marks).await? {
        let row = of_rows[index];
        let column = problem.pointer.trim_start_matches('/').to_owned();
        problems.push((row.line, row.problem(&column, problem.message)));
    }
    problems.sort_by_key(|(line, _)| *line);
    refuse(problems.into_iter().map(|(_, problem)| problem).collect())?;
    Ok(rows.len())
}

async fn members(tx: &Tx, corp: &Corp, rows: &[Row]) -> Result<usize> {
    let known: HashSet<UserId> = every_userid(tx, corp.id).await?.into_iter().collect();
    let stores = store::shelves(tx, corp.id).await?;
    let codes: HashMap<&str, StoreId> = stores.iter().map(|one| (one.code.as_str(), one.id)).collect();
    let mut problems = Vec::new();
    let mut seen: HashMap<UserId, u64> = HashMap::new();
    let (mut placed, mut freed) = (Vec::new(), Vec::new());
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
        if let Some(first) = seen.get(&folded) {
            problems.push(row.twice("userid", userid, *first));
            continue;
        }
        seen.insert(folded.clone(), row.line);
        match row.field("store_code") {
            None => freed.push(folded),
            Some(code) => match codes.get(code) {
                Some(store) => placed.push((folded, *store)),
                None => problems.push(row.wrong("store_code", code)),
            },
        }
    }
    refuse(problems)?;
    store::place_members(tx, corp.id, placed).await?;
    store::free_members(tx, corp.id, &freed).await?;
    Ok(rows.len())
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
            ..DepartmentLine::default()
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
