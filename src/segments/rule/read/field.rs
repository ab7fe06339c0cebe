//! The leaf on a field of the corp's own. Whether it fits the field is checked where the field is known.

use serde_json::Value;

use super::Reader;
use crate::contacts::{MAX_VALUE, MOST_CHOICES, field_limit};
use crate::error::said;
use crate::segments::OwnField;

impl Reader {
    pub(super) fn own_field(&mut self, value: &Value, at: &str) -> Option<OwnField> {
        let fields = self.fields(value, at, &["id", "is", "from", "to"])?;
        let id = match fields.get("id") {
            Some(id) => self.id(id, &format!("{at}/id")),
            None => self.refuse(
                &format!("{at}/id"),
                said!(
                    "refused-rule-id",
                    "`id` is missing: a field's, a string of digits"
                ),
            ),
        };
        let is = self.optional(fields, at, "is", Self::values);
        let from = self.optional(fields, at, "from", Self::limit);
        let to = self.optional(fields, at, "to", Self::limit);
        let (id, is, from, to) = (id?, is?, from?, to?);
        if is.is_some() && (from.is_some() || to.is_some()) {
            return self.refuse(
                at,
                said!(
                    "refused-rule-field",
                    "`is` asks for values, `from` and `to` for a number or a day between them; leave one of the two out"
                ),
            );
        }
        Some(OwnField {
            id,
            is: is.unwrap_or_default(),
            from,
            to,
        })
    }

    fn values(&mut self, value: &Value, at: &str) -> Option<Vec<String>> {
        let list = value.as_array();
        let Some(list) = list.filter(|list| (1..=MOST_CHOICES).contains(&list.len())) else {
            return self.refuse(
                at,
                said!(
                    "refused-rule-values",
                    "a list of 1 to {most} values",
                    most = MOST_CHOICES
                ),
            );
        };
        let read: Vec<Option<String>> = list
            .iter()
            .enumerate()
            .map(|(index, value)| self.value(value, &format!("{at}/{index}")))
            .collect();
        read.into_iter().collect()
    }

    /// Without spaces around it, as values are kept.
    fn value(&mut self, value: &Value, at: &str) -> Option<String> {
        let text = value.as_str().map(str::trim);
        match text.filter(|text| (1..=MAX_VALUE).contains(&text.chars().count())) {
            Some(text) => Some(text.to_owned()),
            None => self.refuse(
                at,
                said!(
                    "refused-rule-word",
                    "a text of 1 to {most} characters",
                    most = MAX_VALUE
                ),
            ),
        }
    }

    fn limit(&mut self, value: &Value, at: &str) -> Option<String> {
        match value.as_str().and_then(field_limit) {
            Some(limit) => Some(limit),
            None => self.refuse(
                at,
                said!(
                    "refused-rule-limit",
                    "a number or a day as a text, such as `\"1234.5\"` or `\"2026-11-23\"`"
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read;
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_field_reads_as_it_is_written_and_limits_as_they_are_kept() {
        for value in [
            json!({"field": {"id": "9"}}),
            json!({"field": {"id": "9", "is": ["金卡", "银卡"]}}),
            json!({"field": {"id": "9", "from": "36", "to": "38.5"}}),
            json!({"not": {"field": {"id": "9", "to": "2026-11-23"}}}),
        ] {
            let rule = read(&value, "/rule").unwrap();
            assert_eq!(serde_json::to_value(&rule).unwrap(), value);
        }
        for (written, kept) in [
            (
                json!({"field": {"id": "9", "from": "1,200.50", "to": "2,000"}}),
                json!({"field": {"id": "9", "from": "1200.5", "to": "2000"}}),
            ),
            (
                json!({"field": {"id": "9", "from": "2026年3月8日"}}),
                json!({"field": {"id": "9", "from": "2026-03-08"}}),
            ),
            (
                json!({"field": {"id": "9", "is": [" 火锅 "]}}),
                json!({"field": {"id": "9", "is": ["火锅"]}}),
            ),
        ] {
            let rule = read(&written, "/rule").unwrap();
            assert_eq!(serde_json::to_value(&rule).unwrap(), kept);
        }
    }

    #[test]
    fn every_mistake_in_a_field_names_its_place() {
        let many = vec!["x"; MOST_CHOICES + 1];
        for (field, pointers) in [
            (json!("9"), vec!["/rule/all/0/field"]),
            (json!({}), vec!["/rule/all/0/field/id"]),
            (json!({"is": ["x"]}), vec!["/rule/all/0/field/id"]),
            (json!({"id": 9}), vec!["/rule/all/0/field/id"]),
            (json!({"id": "9", "in": []}), vec!["/rule/all/0/field/in"]),
            (json!({"id": "9", "is": []}), vec!["/rule/all/0/field/is"]),
            (json!({"id": "9", "is": "x"}), vec!["/rule/all/0/field/is"]),
            (json!({"id": "9", "is": many}), vec!["/rule/all/0/field/is"]),
            (
                json!({"id": "9", "is": ["x", 1, " ", "x".repeat(MAX_VALUE + 1)]}),
                vec![
                    "/rule/all/0/field/is/1",
                    "/rule/all/0/field/is/2",
                    "/rule/all/0/field/is/3",
                ],
            ),
            (
                json!({"id": "9", "from": 36, "to": "soon"}),
                vec!["/rule/all/0/field/from", "/rule/all/0/field/to"],
            ),
            (
                json!({"id": "9", "is": ["x"], "to": "1"}),
                vec!["/rule/all/0/field"],
            ),
        ] {
            let rule = json!({"all": [{"field": field}]});
            let Err(Error::Invalid(problems)) = read(&rule, "/rule") else {
                panic!("{rule} was read");
            };
            let named: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(named, pointers, "{rule}");
        }
    }
}
