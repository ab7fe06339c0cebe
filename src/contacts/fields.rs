//! Fields of its own that a chain keeps of its contacts: what each may hold, and what may be defined.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::store::known;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result, Said, said};
use crate::ids::{CorpId, FieldId};
use crate::scope::Act;
use crate::time::Day;

/// Fields of a corp: each is a column of every export.
const MOST_FIELDS: usize = 30;
const MAX_NAME: usize = 30;
/// Longest value, in characters.
pub const MAX_VALUE: usize = 200;
pub const MOST_CHOICES: usize = 50;
const MAX_CHOICE: usize = 40;
/// Digits of a number that is kept as it is written.
const MAX_DIGITS: usize = 15;

/// Columns that a file of contacts has anyway: no field is called so.
pub const OWN_COLUMNS: [&str; 15] = [
    "external_userid",
    "unionid",
    "phone",
    "phone_last4",
    "birthday",
    "opted_out",
    "name",
    "remark",
    "associate",
    "store",
    "added",
    "tags",
    "last_order",
    "spent_365_yuan",
    "exported",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Number,
    Date,
    Choice,
}

impl FieldKind {
    pub const ALL: [FieldKind; 4] = [Self::Text, Self::Number, Self::Date, Self::Choice];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Date => "date",
            Self::Choice => "choice",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A field and what it may hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContactField {
    pub id: FieldId,
    pub name: String,
    pub kind: FieldKind,
    /// What a `choice` chooses from; empty for the others.
    pub choices: Vec<String>,
}

impl ContactField {
    /// A value as it is kept: one spelling for each.
    ///
    /// # Errors
    /// What is wrong with it, without the value itself.
    pub fn read(&self, text: &str) -> Result<String, Said> {
        match self.kind {
            FieldKind::Text if text.chars().count() > MAX_VALUE => Err(said!(
                "refused-characters",
                "at most {most} characters fit, not {length}",
                most = MAX_VALUE,
                length = text.chars().count()
            )),
            FieldKind::Text => Ok(text.to_owned()),
            FieldKind::Number => number(text).ok_or_else(|| {
                said!(
                    "refused-field-number",
                    "it is not a number; write it like `1234.5`"
                )
            }),
            FieldKind::Date => day(text).ok_or_else(|| {
                said!(
                    "refused-field-date",
                    "it is not a day; write it like `2026-11-23`"
                )
            }),
            FieldKind::Choice if self.choices.iter().any(|choice| choice == text) => Ok(text.to_owned()),
            FieldKind::Choice => Err(said!(
                "refused-field-choice",
                "it is none of {choices}",
                choices = self.choices.join(", ")
            )),
        }
    }
}

/// `1,234.50` → `1234.5`.
fn number(text: &str) -> Option<String> {
    let plain = text.replace(',', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain.as_str()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty() && whole.len() + part.len() <= MAX_DIGITS;
    if !fits || !are_digits(whole) || !are_digits(part) || digits.ends_with('.') {
        return None;
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && part.is_empty() { "" } else { sign };
    match part {
        "" => Some(format!("{sign}{whole}")),
        part => Some(format!("{sign}{whole}.{part}")),
    }
}

/// `2026/3/8`, `2026年3月8日` and `2026-03-08` are one day.
fn day(text: &str) -> Option<String> {
    let parts = date_parts(text)?;
    let [year, month, day] = parts.as_slice() else {
        return None;
    };
    Day::parse(&format!("{year:04}-{month:02}-{day:02}")).map(|day| day.to_string())
}

/// A number or a day as a field keeps it: from or to where a field may be asked. No text is both.
pub fn field_limit(text: &str) -> Option<String> {
    day(text).or_else(|| number(text))
}

/// How two values stand that are both numbers or both days.
pub fn field_order(one: &str, other: &str) -> Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        // It tells apart as many digits as are kept.
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        _ => one.cmp(other),
    }
}

/// The numbers of a date as people and spreadsheets write it.
pub(super) fn date_parts(text: &str) -> Option<Vec<u32>> {
    let plain = text
        .trim_end_matches(['日', '号'])
        .replace(['年', '月', '/', '.'], "-");
    let parts = plain.split('-');
    parts
        .map(|part| {
            let is_number = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        })
        .collect()
}

/// The fields there are, the first defined first.
pub async fn fields(conn: &impl Conn, corp: CorpId) -> Result<Vec<ContactField>> {
    known::fields(conn, corp).await
}

/// Defines a field.
///
/// # Errors
/// `Invalid` naming what is wrong: the name, the kind's choices, or that there are too many.
pub async fn add_field(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    name: &str,
    kind: FieldKind,
    choices: &[String],
) -> Result<FieldId> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || name.contains([',', '\t', '\n', '\r', '"']) {
        return Err(Error::invalid(
            "/name",
            said!(
                "refused-field-name",
                "a name has 1 to {most} characters, and no comma, quote or line break",
                most = MAX_NAME
            ),
        ));
    }
    if OWN_COLUMNS.contains(&name.to_lowercase().as_str()) {
        return Err(Error::invalid(
            "/name",
            said!(
                "refused-field-name-ours",
                "every contact has `{name}` already; choose another name",
                name = name
            ),
        ));
    }
    let choices = read_choices(kind, choices)?;
    if known::fields(tx, corp).await?.len() >= MOST_FIELDS {
        return Err(Error::invalid(
            "/name",
            said!(
                "refused-field-many",
                "there are {most} fields already; delete one first",
                most = MOST_FIELDS
            ),
        ));
    }
    let field = ContactField {
        id: FieldId::new(act.ids, act.now),
        name: name.to_owned(),
        kind,
        choices,
    };
    known::insert_field(tx, corp, &field, act.now).await?;
    Ok(field.id)
}

fn read_choices(kind: FieldKind, choices: &[String]) -> Result<Vec<String>> {
    let choices: Vec<String> = choices
        .iter()
        .map(|choice| choice.trim().to_owned())
        .filter(|choice| !choice.is_empty())
        .collect();
    let distinct: HashSet<&str> = choices.iter().map(String::as_str).collect();
    let fit = choices.iter().all(|choice| choice.chars().count() <= MAX_CHOICE);
    let is_right = match kind {
        FieldKind::Choice => (1..=MOST_CHOICES).contains(&choices.len()),
        _ => choices.is_empty(),
    };
    if is_right && fit && distinct.len() == choices.len() {
        return Ok(choices);
    }
    Err(Error::invalid(
        "/choices",
        said!(
            "refused-field-choices",
            "a choice has 1 to {most} different choices of at most {length} characters; other kinds have none",
            most = MOST_CHOICES,
            length = MAX_CHOICE
        ),
    ))
}

/// Deletes a field and what is kept in it.
pub async fn delete_field(tx: &Tx, act: &Act<'_>, corp: CorpId, id: FieldId) -> Result<()> {
    known::delete_field(tx, corp, id, act.now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_in_one_spelling() {
        for (text, kept) in [
            ("1,234.50", Some("1234.5")),
            ("007", Some("7")),
            ("-0.0", Some("0")),
            ("-12", Some("-12")),
            ("12.", None),
            (".5", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(number(text).as_deref(), kept, "{text}");
        }
        for (text, kept) in [
            ("2026-03-08", Some("2026-03-08")),
            ("2026/3/8", Some("2026-03-08")),
            ("2026年3月8日", Some("2026-03-08")),
            ("2026-02-29", None),
            ("03-08", None),
            ("8 March", None),
        ] {
            assert_eq!(day(text).as_deref(), kept, "{text}");
        }
    }

    #[test]
    fn a_limit_is_a_number_or_a_day_and_never_both() {
        for (text, kept) in [
            ("1,234.50", Some("1234.5")),
            ("2026/3/8", Some("2026-03-08")),
            ("2026.3.8", Some("2026-03-08")),
            ("-3", Some("-3")),
            ("3-8", None),
            ("gold", None),
            ("", None),
        ] {
            assert_eq!(field_limit(text).as_deref(), kept, "{text}");
        }
        for (low, high) in [
            ("9", "10"),
            ("-10", "-9"),
            ("-1", "0"),
            ("38", "38.5"),
            ("999999999999998", "999999999999999"),
            ("9999999999999.98", "9999999999999.99"),
            ("2025-12-31", "2026-01-01"),
        ] {
            assert_eq!(field_order(low, high), Ordering::Less, "{low} {high}");
            assert_eq!(field_order(high, low), Ordering::Greater, "{low} {high}");
        }
        assert_eq!(field_order("38.5", "38.5"), Ordering::Equal);
    }
}
