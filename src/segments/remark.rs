//! What a rule says that its author may not mean: parts that exclude each other, a part that excludes nobody, nobody
//! left, nobody left out. Parts are those of a top-level `all`; a rule that is none has one.

use std::cmp::Ordering;

use super::{Ordered, OwnField, Preview, Rule};
use crate::contacts::field_order;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// These two parts never hold of the same person.
    Excluded { part: usize, by: usize },
    /// This part holds of everybody.
    Idle { part: usize },
    /// Nobody is left after this part.
    Nobody { part: usize },
    /// Everybody in reach is found.
    Everybody,
}

/// What there is to say about a rule and its count.
pub fn remarks(rule: &Rule, preview: &Preview) -> Vec<Remark> {
    let parts = match rule {
        Rule::All(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut remarks = Vec::new();
    for (part, rule) in parts.iter().enumerate() {
        let by = parts[..part].iter().position(|earlier| exclude(rule, earlier));
        if let Some(by) = by {
            remarks.push(Remark::Excluded { part, by });
        }
        if is_always(rule) {
            remarks.push(Remark::Idle { part });
        }
    }
    let is_explained = remarks
        .iter()
        .any(|remark| matches!(remark, Remark::Excluded { .. }));
    if preview.count == 0 && !is_explained {
        let part = preview.steps.iter().position(|step| step.remaining == 0);
        remarks.push(Remark::Nobody {
            part: part.unwrap_or(0),
        });
    } else if preview.count == preview.in_reach && preview.count > 0 {
        remarks.push(Remark::Everybody);
    }
    remarks
}

/// The alternatives of a part.
fn alternatives(rule: &Rule) -> &[Rule] {
    match rule {
        Rule::Any(parts) => parts,
        one => std::slice::from_ref(one),
    }
}

fn exclude(one: &Rule, other: &Rule) -> bool {
    let others = alternatives(other);
    alternatives(one)
        .iter()
        .all(|one| others.iter().all(|other| are_apart(one, other)))
}

/// Whether no person can be both.
fn are_apart(one: &Rule, other: &Rule) -> bool {
    match (one, other) {
        (Rule::Not(inner), said) | (said, Rule::Not(inner)) => implies(said, inner),
        (Rule::Stage(one), Rule::Stage(other)) => one != other,
        (Rule::Gender(one), Rule::Gender(other)) => one != other,
        (Rule::Messaged(one), Rule::Messaged(other)) => {
            let beyond = |least: &super::Messaged, most: &super::Messaged| {
                let (Some(least_times), Some(most_times)) = (least.at_least, most.at_most) else {
                    return false;
                };
                least_times > most_times && least.within_days <= most.within_days
            };
            beyond(one, other) || beyond(other, one)
        }
        (Rule::Field(one), Rule::Field(other)) => fields_are_apart(one, other),
        _ => false,
    }
}

/// Whether an alternative is the opposite of another, so that one of them always holds.
fn is_always(part: &Rule) -> bool {
    let alternatives = alternatives(part);
    alternatives.iter().any(|one| {
        let Rule::Not(inner) = one else { return false };
        alternatives.iter().any(|other| implies(inner, other))
    })
}

/// Whether everybody of `one` is in `other`, as far as their words tell.
fn implies(one: &Rule, other: &Rule) -> bool {
    if one == other {
        return true;
    }
    match (one, other) {
        (Rule::Added(one), Rule::Added(other)) | (Rule::Birthday(one), Rule::Birthday(other)) => {
            one.within_days <= other.within_days
        }
        (Rule::Clicked(one), Rule::Clicked(other)) => {
            one.within_days <= other.within_days && (other.link.is_none() || one.link == other.link)
        }
        (Rule::Ordered(one), Rule::Ordered(other)) => ordered_implies(one, other),
        (Rule::Field(one), Rule::Field(other)) => field_implies(one, other),
        _ => false,
    }
}

fn ordered_implies(one: &Ordered, other: &Ordered) -> bool {
    let is_net = match (one.net_fen_at_least, other.net_fen_at_least) {
        (_, None) => true,
        (Some(one), Some(other)) => one >= other,
        (None, Some(_)) => false,
    };
    one.within_days <= other.within_days
        && (other.category.is_none() || one.category == other.category)
        && one.at_least.unwrap_or(1) >= other.at_least.unwrap_or(1)
        && is_net
}

/// Nobody has two values in one field.
fn fields_are_apart(one: &OwnField, other: &OwnField) -> bool {
    let beyond = |from: &Option<String>, to: &Option<String>| match (from, to) {
        (Some(from), Some(to)) => field_order(from, to).is_gt(),
        _ => false,
    };
    let differ = !one.is.is_empty() && !other.is.is_empty() && !one.is.iter().any(|is| other.is.contains(is));
    one.id == other.id && (differ || beyond(&one.from, &other.to) || beyond(&other.from, &one.to))
}

fn field_implies(one: &OwnField, other: &OwnField) -> bool {
    let within = |one: &Option<String>, other: &Option<String>, is_within: fn(Ordering) -> bool| {
        let Some(limit) = other else { return true };
        one.as_ref().is_some_and(|one| is_within(field_order(one, limit)))
    };
    let is_among =
        other.is.is_empty() || (!one.is.is_empty() && one.is.iter().all(|is| other.is.contains(is)));
    one.id == other.id
        && is_among
        && within(&one.from, &other.from, Ordering::is_ge)
        && within(&one.to, &other.to, Ordering::is_le)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn rule(json: &str) -> Rule {
        crate::segments::rule::read(&serde_json::from_str(json).unwrap(), "/rule").unwrap()
    }

    fn said(json: &str, remaining: &[i64]) -> Vec<Remark> {
        let rule = rule(json);
        let steps = remaining.iter().map(|remaining| crate::segments::PreviewStep {
            rule: rule.clone(),
            remaining: *remaining,
        });
        let preview = Preview {
            count: *remaining.last().unwrap(),
            as_of: Timestamp(0),
            steps: steps.collect(),
            steps_left_out: false,
            in_reach: 100,
            sample: Vec::new(),
        };
        remarks(&rule, &preview)
    }

    #[test]
    fn parts_that_exclude_each_other_are_named_once() {
        for (json, expected) in [
            (r#"{"all":[{"tag":"1"},{"not":{"tag":"1"}}]}"#, vec![(1, 0)]),
            (
                r#"{"all":[{"stage":"new"},{"tag":"1"},{"stage":"lost"}]}"#,
                vec![(2, 0)],
            ),
            (
                r#"{"all":[{"any":[{"gender":"male"},{"gender":"female"}]},{"gender":"unknown"}]}"#,
                vec![(1, 0)],
            ),
            (
                r#"{"all":[{"any":[{"gender":"male"},{"tag":"1"}]},{"gender":"unknown"}]}"#,
                vec![],
            ),
            (
                r#"{"all":[{"not":{"added":{"within_days":90}}},{"added":{"within_days":30}}]}"#,
                vec![(1, 0)],
            ),
            (
                r#"{"all":[{"not":{"added":{"within_days":30}}},{"added":{"within_days":90}}]}"#,
                vec![],
            ),
            (
                r#"{"all":[{"messaged":{"within_days":30,"at_most":3}},{"messaged":{"within_days":7,"at_least":4}}]}"#,
                vec![(1, 0)],
            ),
            (
                r#"{"all":[{"messaged":{"within_days":7,"at_most":3}},{"messaged":{"within_days":30,"at_least":4}}]}"#,
                vec![],
            ),
            (
                r#"{"all":[{"not":{"ordered":{"within_days":90}}},{"ordered":{"within_days":60,"at_least":2,"category":"dress"}}]}"#,
                vec![(1, 0)],
            ),
            (
                r#"{"all":[{"field":{"id":"1","is":["a","b"]}},{"field":{"id":"1","is":["b","c"]}},{"field":{"id":"1","is":["c"]}}]}"#,
                vec![(2, 0)],
            ),
            (
                r#"{"all":[{"field":{"id":"1","is":["a"]}},{"field":{"id":"2","is":["b"]}}]}"#,
                vec![],
            ),
            (
                r#"{"all":[{"field":{"id":"1","from":"9"}},{"field":{"id":"1","to":"9"}},{"field":{"id":"1","from":"10"}}]}"#,
                vec![(2, 1)],
            ),
            (
                r#"{"all":[{"not":{"field":{"id":"1"}}},{"field":{"id":"1","from":"9"}}]}"#,
                vec![(1, 0)],
            ),
            (
                r#"{"all":[{"not":{"field":{"id":"1","from":"9","to":"20"}}},{"field":{"id":"1","from":"10","to":"20"}}]}"#,
                vec![(1, 0)],
            ),
            (
                r#"{"all":[{"not":{"field":{"id":"1","from":"10"}}},{"field":{"id":"1","from":"9"}}]}"#,
                vec![],
            ),
            (
                r#"{"all":[{"not":{"field":{"id":"1","is":["a"]}}},{"field":{"id":"1"}}]}"#,
                vec![],
            ),
        ] {
            let named: Vec<(usize, usize)> = said(json, &[5])
                .into_iter()
                .filter_map(|remark| match remark {
                    Remark::Excluded { part, by } => Some((part, by)),
                    _ => None,
                })
                .collect();
            assert_eq!(named, expected, "{json}");
        }
    }

    #[test]
    fn nobody_everybody_and_a_part_without_effect_are_told() {
        let two = r#"{"all":[{"tag":"1"},{"tag":"2"}]}"#;
        assert_eq!(said(two, &[7, 3]), []);
        assert_eq!(said(two, &[7, 0]), [Remark::Nobody { part: 1 }]);
        assert_eq!(said(two, &[100, 100]), [Remark::Everybody]);
        let idle = r#"{"all":[{"tag":"1"},{"any":[{"tag":"2"},{"not":{"tag":"2"}}]}]}"#;
        assert_eq!(said(idle, &[7, 7]), [Remark::Idle { part: 1 }]);
        let never = r#"{"all":[{"tag":"1"},{"not":{"tag":"1"}}]}"#;
        assert_eq!(said(never, &[7, 0]), [Remark::Excluded { part: 1, by: 0 }]);
    }
}
