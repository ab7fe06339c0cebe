//! The first row of a file: which columns it has, and that they are columns we take.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::lines::cells;
use crate::contacts::ContactField;
use crate::error::{Error, Problem, Result, said};
use crate::ids::FieldId;

/// What a column of an import says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Column {
    ExternalUserid,
    Unionid,
    /// Finds the contact where nothing else does; beside something that does, it is their number.
    Phone,
    Birthday,
    OptedOut,
    Field(FieldId),
    /// Written by us into the file of refused rows, which may come back as it is.
    Told,
}

/// What stands beside a refused row: its line, its column, and why.
pub(super) const TOLD: [&str; 3] = ["refused_row", "refused_column", "refused_reason"];

impl Column {
    fn named(name: &str, fields: &[ContactField]) -> Option<Self> {
        let name = name.to_lowercase();
        Some(match name.as_str() {
            "external_userid" => Self::ExternalUserid,
            "unionid" => Self::Unionid,
            "phone" | "手机" | "手机号" => Self::Phone,
            "birthday" | "生日" => Self::Birthday,
            "opted_out" | "免打扰" => Self::OptedOut,
            told if TOLD.contains(&told) => Self::Told,
            _ => {
                let field = fields.iter().find(|field| field.name.to_lowercase() == name)?;
                Self::Field(field.id)
            }
        })
    }

    fn finds(self) -> bool {
        matches!(self, Self::ExternalUserid | Self::Unionid | Self::Phone)
    }
}

/// A first row that was understood.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub names: Vec<String>,
    pub columns: Vec<Column>,
    pub is_tabbed: bool,
}

/// # Errors
/// `Invalid` naming each column we do not take, or what is missing.
pub(super) fn read(line: &str, fields: &[ContactField]) -> Result<Head> {
    // A spreadsheet's own copy has tabs between its cells.
    let is_tabbed = line.contains('\t') && !line.contains(',');
    let names = cells(&[(1, line.to_owned())], is_tabbed).swap_remove(0);
    let names = names.unwrap_or_default();
    let (mut columns, mut problems, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for name in &names {
        match Column::named(name, fields) {
            None => problems.push(unknown(name)),
            Some(column) if column != Column::Told && !seen.insert(column) => problems.push(Problem::new(
                format!("/rows/1/{name}"),
                said!("refused-csv-column-twice", "the column is there twice; leave one"),
            )),
            Some(column) => columns.push(column),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let finders = columns.iter().filter(|column| column.finds()).count();
    let loads = |column: &&Column| match column {
        Column::Phone => finders > 1,
        Column::Birthday | Column::OptedOut | Column::Field(_) => true,
        Column::ExternalUserid | Column::Unionid | Column::Told => false,
    };
    if finders == 0 || !columns.iter().any(|column| loads(&column)) {
        return Err(Error::invalid(
            "/rows/1",
            said!(
                "refused-import-head",
                "a column that finds the contact (`external_userid`, `unionid` or `phone`) is needed, and one to load \
                 (`birthday`, `phone`, `opted_out` or a field of your own)"
            ),
        ));
    }
    Ok(Head {
        names,
        columns,
        is_tabbed,
    })
}

fn unknown(name: &str) -> Problem {
    Problem::new(
        format!("/rows/1/{name}"),
        said!(
            "refused-import-column",
            "`{name}` is no column we take; leave it out, or define a field of that name",
            name = name
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::FieldKind;

    #[test]
    fn columns_are_taken_by_name_and_others_refused_by_name() {
        let fields = [ContactField {
            id: FieldId(7),
            name: "鞋码".into(),
            kind: FieldKind::Number,
            choices: vec![],
        }];
        let head = read("External_Userid, 鞋码 ,phone", &fields).unwrap();
        assert_eq!(
            head.columns,
            [Column::ExternalUserid, Column::Field(FieldId(7)), Column::Phone]
        );
        assert!(read("phone\tbirthday", &fields).unwrap().is_tabbed);
        assert!(
            read(
                "phone,birthday,refused_row,refused_column,refused_reason",
                &fields
            )
            .is_ok()
        );
        for (line, place) in [
            ("external_userid,vip,birthday", "/rows/1/vip"),
            ("phone,birthday,生日", "/rows/1/生日"),
            ("birthday,opted_out", "/rows/1"),
            ("external_userid", "/rows/1"),
            ("phone", "/rows/1"),
            ("external_userid,unionid", "/rows/1"),
        ] {
            let Err(Error::Invalid(problems)) = read(line, &fields) else {
                panic!("{line} was read");
            };
            assert_eq!(problems[0].pointer, place, "{line}");
        }
    }
}
