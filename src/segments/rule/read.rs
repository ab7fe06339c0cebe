//! A rule from JSON, by hand: serde stops at the first mistake and does not say where it is.

mod field;

use serde_json::{Map, Value};

use crate::error::{Error, Problem, Result, Said, said};
use crate::segments::{Clicked, Gender, MAX_DEPTH, MAX_NODES, Messaged, Ordered, Rfm, Rule, Stage, Within};

const MAX_DAYS: i64 = 3_650;
/// Longest channel or category, in characters.
const MAX_WORD: usize = 128;
const MAX_TIMES: i64 = 100_000;
const MAX_FEN: i64 = 1_000_000_000_000;

const LEAVES: &str = "`all`, `any`, `not`, `tag`, `store`, `region`, `associate`, `channel`, `added`, `ordered`, \
                      `clicked`, `messaged`, `stage`, `rfm`, `gender`, `birthday`, `field`";

/// Reads a rule; `at` is the pointer of the value (`/rule`).
///
/// # Errors
/// Names each unknown leaf, field, type, empty group, and depth or node count beyond the limit.
pub fn read(value: &Value, at: &str) -> Result<Rule> {
    let mut reader = Reader::default();
    let rule = reader.node(value, at, 1);
    match rule {
        Some(rule) if reader.problems.is_empty() => Ok(rule),
        _ => Err(Error::Invalid(reader.problems)),
    }
}

/// Goes through the whole tree and collects what is wrong with it.
#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
    nodes: usize,
}

impl Reader {
    /// `None` always leaves a problem behind.
    fn refuse<T>(&mut self, at: &str, message: Said) -> Option<T> {
        self.problems.push(Problem::new(at, message));
        None
    }

    fn node(&mut self, value: &Value, at: &str, depth: usize) -> Option<Rule> {
        self.nodes += 1;
        if self.nodes == MAX_NODES + 1 {
            return self.refuse(
                at,
                said!(
                    "refused-rule-parts",
                    "a rule has at most {most} parts",
                    most = MAX_NODES
                ),
            );
        }
        if self.nodes > MAX_NODES {
            return None;
        }
        if depth > MAX_DEPTH {
            return self.refuse(
                at,
                said!(
                    "refused-rule-depth",
                    "a rule is at most {most} levels deep",
                    most = MAX_DEPTH
                ),
            );
        }
        let Some((name, inner)) = only_entry(value) else {
            return self.refuse(
                at,
                said!(
                    "refused-rule",
                    "a rule is an object with one entry: {leaves}",
                    leaves = LEAVES
                ),
            );
        };
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        match name.as_str() {
            "all" => self.group(inner, &at, depth).map(Rule::All),
            "any" => self.group(inner, &at, depth).map(Rule::Any),
            "not" => self
                .node(inner, &at, depth + 1)
                .map(|rule| Rule::Not(Box::new(rule))),
            _ => self.leaf(name, inner, &at),
        }
    }

    fn group(&mut self, value: &Value, at: &str, depth: usize) -> Option<Vec<Rule>> {
        let Some(parts) = value.as_array() else {
            return self.refuse(at, said!("refused-rule", "this is a list of rules"));
        };
        if parts.is_empty() {
            return self.refuse(
                at,
                said!(
                    "refused-rule-empty",
                    "an empty list of rules finds nobody or everybody; add a rule"
                ),
            );
        }
        let read: Vec<Option<Rule>> = parts
            .iter()
            .enumerate()
            .map(|(index, part)| self.node(part, &format!("{at}/{index}"), depth + 1))
            .collect();
        read.into_iter().collect()
    }

    fn leaf(&mut self, name: &str, value: &Value, at: &str) -> Option<Rule> {
        match name {
            "tag" => self.id(value, at).map(Rule::Tag),
            "store" => self.id(value, at).map(Rule::Store),
            "region" => self.id(value, at).map(Rule::Region),
            "associate" => self.id(value, at).map(Rule::Associate),
            "channel" => self.word(value, at).map(Rule::Channel),
            "added" => self.within(value, at).map(Rule::Added),
            "birthday" => self.within(value, at).map(Rule::Birthday),
            "ordered" => self.ordered(value, at).map(Rule::Ordered),
            "clicked" => self.clicked(value, at).map(Rule::Clicked),
            "messaged" => self.messaged(value, at).map(Rule::Messaged),
            "rfm" => self.rfm(value, at).map(Rule::Rfm),
            "field" => self.own_field(value, at).map(Rule::Field),
            "stage" => self
                .one_of::<Stage>(value, at, "`new`, `active`, `cooling`, `dormant`, `lost`")
                .map(Rule::Stage),
            "gender" => self
                .one_of::<Gender>(value, at, "`unknown`, `male`, `female`")
                .map(Rule::Gender),
            _ => self.refuse(
                at,
                said!(
                    "refused-rule",
                    "`{name}` is not a rule; there are {leaves}",
                    name = name,
                    leaves = LEAVES
                ),
            ),
        }
    }

    fn within(&mut self, value: &Value, at: &str) -> Option<Within> {
        let fields = self.fields(value, at, &["within_days"])?;
        let within_days = self.days(fields, at)?;
        Some(Within { within_days })
    }

    fn ordered(&mut self, value: &Value, at: &str) -> Option<Ordered> {
        let known = ["within_days", "at_least", "category", "net_fen_at_least"];
        let fields = self.fields(value, at, &known)?;
        let within_days = self.days(fields, at);
        let at_least = self.number(fields, at, "at_least", 1, MAX_TIMES);
        let category = self.optional(fields, at, "category", Self::word);
        let net_fen_at_least = self.number(fields, at, "net_fen_at_least", 1, MAX_FEN);
        Some(Ordered {
            within_days: within_days?,
            at_least: at_least?,
            category: category?,
            net_fen_at_least: net_fen_at_least?,
        })
    }

    fn clicked(&mut self, value: &Value, at: &str) -> Option<Clicked> {
        let fields = self.fields(value, at, &["within_days", "link"])?;
        let within_days = self.days(fields, at);
        let link = self.optional(fields, at, "link", Self::id);
        Some(Clicked {
            within_days: within_days?,
            link: link?,
        })
    }

    fn messaged(&mut self, value: &Value, at: &str) -> Option<Messaged> {
        let fields = self.fields(value, at, &["within_days", "at_most", "at_least"])?;
        let within_days = self.days(fields, at);
        let at_most = self.number(fields, at, "at_most", 0, MAX_TIMES);
        let at_least = self.number(fields, at, "at_least", 1, MAX_TIMES);
        let (at_most, at_least) = (at_most?, at_least?);
        match (at_least, at_most) {
            (Some(least), Some(most)) if least > most => self.refuse(
                &format!("{at}/at_least"),
                said!(
                    "refused-rule-nobody",
                    "nobody has at least {least} and at most {most}",
                    least = least,
                    most = most
                ),
            ),
            (None, None) => self.refuse(
                at,
                said!(
                    "refused-rule-times",
                    "`messaged` needs `at_most`, `at_least` or both"
                ),
            ),
            _ => Some(Messaged {
                within_days: within_days?,
                at_most,
                at_least,
            }),
        }
    }

    fn rfm(&mut self, value: &Value, at: &str) -> Option<Rfm> {
        let fields = self.fields(value, at, &["r", "f", "m"])?;
        if fields.is_empty() {
            return self.refuse(
                at,
                said!(
                    "refused-rule-scores",
                    "`rfm` needs `r`, `f` or `m`, each a list of scores from 1 to 5"
                ),
            );
        }
        let mut scores = |name: &str| match fields.get(name) {
            None => Some(Vec::new()),
            Some(value) => self.scores(value, &format!("{at}/{name}")),
        };
        let (r, f, m) = (scores("r"), scores("f"), scores("m"));
        Some(Rfm { r: r?, f: f?, m: m? })
    }

    fn scores(&mut self, value: &Value, at: &str) -> Option<Vec<i64>> {
        let scores: Option<Vec<i64>> = value.as_array().and_then(|list| {
            list.iter()
                .map(|score| score.as_i64().filter(|score| (1..=5).contains(score)))
                .collect()
        });
        match scores {
            Some(mut scores) if !scores.is_empty() => {
                scores.sort_unstable();
                scores.dedup();
                Some(scores)
            }
            _ => self.refuse(
                at,
                said!(
                    "refused-rule-scores",
                    "a list of scores from 1 to 5, such as `[4,5]`"
                ),
            ),
        }
    }

    /// The entries of an object that has no others than these.
    fn fields<'v>(&mut self, value: &'v Value, at: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Some(fields) = value.as_object() else {
            return self.refuse(
                at,
                said!("refused-rule", "an object with {known}", known = quoted(known)),
            );
        };
        let unknown: Vec<&String> = fields
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        for name in &unknown {
            self.refuse::<()>(
                &format!("{at}/{name}"),
                said!(
                    "refused-rule",
                    "`{name}` is not a field here; there are {known}",
                    name = *name,
                    known = quoted(known)
                ),
            );
        }
        unknown.is_empty().then_some(fields)
    }

    fn days(&mut self, fields: &Map<String, Value>, at: &str) -> Option<i64> {
        match self.number(fields, at, "within_days", 1, MAX_DAYS)? {
            Some(days) => Some(days),
            None => self.refuse(
                &format!("{at}/within_days"),
                said!(
                    "refused-rule-days",
                    "`within_days` is missing: 1 to {most}",
                    most = MAX_DAYS
                ),
            ),
        }
    }

    /// The outer `None` is a mistake, the inner an absent field.
    fn number(
        &mut self,
        fields: &Map<String, Value>,
        at: &str,
        name: &str,
        least: i64,
        most: i64,
    ) -> Option<Option<i64>> {
        let Some(value) = fields.get(name) else {
            return Some(None);
        };
        match value.as_i64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Some(Some(number)),
            None => self.refuse(
                &format!("{at}/{name}"),
                said!(
                    "refused-rule-number",
                    "`{value}` is not a whole number from {least} to {most}",
                    value = value.to_string(),
                    least = least,
                    most = most
                ),
            ),
        }
    }

    fn optional<T>(
        &mut self,
        fields: &Map<String, Value>,
        at: &str,
        name: &str,
        read: impl Fn(&mut Self, &Value, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        match fields.get(name) {
            None => Some(None),
            Some(value) => read(self, value, &format!("{at}/{name}")).map(Some),
        }
    }

    fn id<T: std::str::FromStr>(&mut self, value: &Value, at: &str) -> Option<T> {
        match value.as_str().and_then(|text| text.parse().ok()) {
            Some(id) => Some(id),
            None => self.refuse(
                at,
                said!(
                    "refused-rule-id",
                    "`{value}` is not an id; ids are strings of digits",
                    value = value.to_string()
                ),
            ),
        }
    }

    fn word(&mut self, value: &Value, at: &str) -> Option<String> {
        match value
            .as_str()
            .filter(|word| !word.is_empty() && !word.contains('\0') && word.chars().count() <= MAX_WORD)
        {
            Some(word) => Some(word.to_owned()),
            None => self.refuse(
                at,
                said!(
                    "refused-rule-word",
                    "a text of 1 to {most} characters",
                    most = MAX_WORD
                ),
            ),
        }
    }

    fn one_of<T: serde::de::DeserializeOwned>(&mut self, value: &Value, at: &str, known: &str) -> Option<T> {
        match serde_json::from_value(value.clone()) {
            Ok(found) => Some(found),
            Err(_) => self.refuse(
                at,
                said!(
                    "refused-rule",
                    "`{value}` is not one of {known}",
                    value = value.to_string(),
                    known = known
                ),
            ),
        }
    }
}

fn only_entry(value: &Value) -> Option<(&String, &Value)> {
    let object = value.as_object()?;
    object.iter().next().filter(|_| object.len() == 1)
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_reads_as_it_is_written() {
        for value in [
            json!({"tag": "12"}),
            json!({"all": [{"any": [{"store": "21"}, {"region": "11"}]}, {"not": {"associate": "31"}}]}),
            json!({"channel": "spring"}),
            json!({"added": {"within_days": 90}}),
            json!({"ordered": {"within_days": 90, "at_least": 1, "category": "dress", "net_fen_at_least": 50000}}),
            json!({"clicked": {"within_days": 7, "link": "5"}}),
            json!({"messaged": {"within_days": 30, "at_most": 3}}),
            json!({"stage": "dormant"}),
            json!({"rfm": {"r": [4, 5], "f": [3, 4, 5]}}),
            json!({"gender": "female"}),
            json!({"birthday": {"within_days": 7}}),
        ] {
            let rule = read(&value, "/rule").unwrap();
            assert_eq!(serde_json::to_value(&rule).unwrap(), value);
        }
    }

    #[test]
    fn every_mistake_names_its_place() {
        for (value, pointers) in [
            (json!({"colour": "red"}), vec!["/rule/colour"]),
            (json!({"tag": 12}), vec!["/rule/tag"]),
            (json!({"tag": "gold"}), vec!["/rule/tag"]),
            (json!([]), vec!["/rule"]),
            (json!({}), vec!["/rule"]),
            (json!({"tag": "1", "store": "2"}), vec!["/rule"]),
            (json!({"all": []}), vec!["/rule/all"]),
            (json!({"any": {}}), vec!["/rule/any"]),
            (json!({"not": {"any": []}}), vec!["/rule/not/any"]),
            (
                json!({"all": [{"tag": "1"}, {"tag": true}, {"x": 1}]}),
                vec!["/rule/all/1/tag", "/rule/all/2/x"],
            ),
            (json!({"added": {}}), vec!["/rule/added/within_days"]),
            (
                json!({"added": {"within_days": 0}}),
                vec!["/rule/added/within_days"],
            ),
            (
                json!({"added": {"within_days": 3651}}),
                vec!["/rule/added/within_days"],
            ),
            (
                json!({"added": {"within_days": "7"}}),
                vec!["/rule/added/within_days"],
            ),
            (
                json!({"added": {"within_days": 1.5}}),
                vec!["/rule/added/within_days"],
            ),
            (
                json!({"added": {"within_weeks": 7}}),
                vec!["/rule/added/within_weeks"],
            ),
            (
                json!({"ordered": {"within_days": 7, "at_least": 0, "category": ""}}),
                vec!["/rule/ordered/at_least", "/rule/ordered/category"],
            ),
            (json!({"messaged": {"within_days": 7}}), vec!["/rule/messaged"]),
            (
                json!({"messaged": {"within_days": 7, "at_least": 3, "at_most": 2}}),
                vec!["/rule/messaged/at_least"],
            ),
            (json!({"stage": "asleep"}), vec!["/rule/stage"]),
            (json!({"rfm": {}}), vec!["/rule/rfm"]),
            (json!({"rfm": {"r": [6]}}), vec!["/rule/rfm/r"]),
            (json!({"gender": 1}), vec!["/rule/gender"]),
        ] {
            let Err(Error::Invalid(problems)) = read(&value, "/rule") else {
                panic!("{value} was read");
            };
            let named: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
            assert_eq!(named, pointers, "{value}");
        }
    }

    #[test]
    fn depth_and_size_have_limits() {
        let nested = |levels: usize| (1..levels).fold(json!({"tag": "1"}), |inner, _| json!({"not": inner}));
        assert!(read(&nested(MAX_DEPTH), "").is_ok());
        assert!(read(&nested(MAX_DEPTH + 1), "").is_err());
        let wide = |parts: usize| json!({"any": vec![json!({"tag": "1"}); parts]});
        assert!(read(&wide(MAX_NODES - 1), "").is_ok());
        let Err(Error::Invalid(problems)) = read(&wide(MAX_NODES * 3), "") else {
            panic!("it was read");
        };
        assert_eq!(problems.len(), 1);
    }
}
