//! The rule as rows of a form: groups that must all hold, in each group rows of which one is enough.
//!
//! The rows stand in the address and in the form under the same names, so a page can be shared, reloaded and sent
//! back with everything typed. A deeper tree, as a program may write it, has no rows: it is shown, not edited.

use serde::{Deserialize, Serialize};

use crate::segments::Rule;

pub use super::leaf::{CHOOSE, DAYS, GENDERS, LIMIT, NUMBER, STAGES};
use super::leaf::{leaf, rows as rows_of};

/// More rows than this are not taken from a form.
pub const MAX_ROWS: usize = 30;

/// What a row asks. The order is that of the select.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    Tag,
    Region,
    Store,
    Associate,
    Channel,
    Added,
    Ordered,
    Clicked,
    MessagedAtMost,
    MessagedAtLeast,
    Stage,
    Rfm,
    Gender,
    Birthday,
    /// A field of the corp's own.
    Field,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::Tag,
        Self::Region,
        Self::Store,
        Self::Associate,
        Self::Channel,
        Self::Added,
        Self::Ordered,
        Self::Clicked,
        Self::MessagedAtMost,
        Self::MessagedAtLeast,
        Self::Stage,
        Self::Rfm,
        Self::Gender,
        Self::Birthday,
        Self::Field,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Region => "region",
            Self::Store => "store",
            Self::Associate => "associate",
            Self::Channel => "channel",
            Self::Added => "added",
            Self::Ordered => "ordered",
            Self::Clicked => "clicked",
            Self::MessagedAtMost => "messaged-at-most",
            Self::MessagedAtLeast => "messaged-at-least",
            Self::Stage => "stage",
            Self::Rfm => "rfm",
            Self::Gender => "gender",
            Self::Birthday => "birthday",
            Self::Field => "field",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Asks for a number of days.
    pub fn has_days(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Added | Ordered | Clicked | MessagedAtMost | MessagedAtLeast | Birthday
        )
    }

    pub fn has_times(self) -> bool {
        matches!(self, Self::Ordered | Self::MessagedAtMost | Self::MessagedAtLeast)
    }
}

/// One row as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    pub group: usize,
    pub kind: Kind,
    pub is_not: bool,
    /// An id, a word or a category, by kind.
    pub value: String,
    /// Days; of a field of the corp's own its value.
    pub days: String,
    /// Times; for scores the lowest frequency, of a field where it begins.
    pub times: String,
    /// Yuan; for scores the lowest amount, of a field where it ends.
    pub amount: String,
}

impl Row {
    /// What is left of it when it was filled in as another kind.
    fn of_another(self, was: Kind) -> Self {
        let kept = |text: String, is_kept: bool| if is_kept { text } else { String::new() };
        let has_days = was.has_days() && self.kind.has_days();
        let is_of_messages = |kind| matches!(kind, Kind::MessagedAtMost | Kind::MessagedAtLeast);
        let has_times = is_of_messages(was) && is_of_messages(self.kind);
        Self {
            value: String::new(),
            days: kept(self.days, has_days),
            times: kept(self.times, has_times),
            amount: String::new(),
            ..self
        }
    }

    /// What is left of it when it was filled in for another field of the corp's own.
    fn of_another_field(self) -> Self {
        Self {
            days: String::new(),
            times: String::new(),
            amount: String::new(),
            ..self
        }
    }

    /// What it was shown as, for the form: its kind, and the field if it has one.
    pub fn shown(&self) -> String {
        match self.kind {
            Kind::Field => format!("{}:{}", self.kind.as_str(), self.value),
            kind => kind.as_str().to_owned(),
        }
    }
}

/// The form's fields, and the address's: lists side by side, one entry a row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fields {
    /// The button that was pressed.
    #[serde(rename = "do")]
    pub action: String,
    /// A rule as JSON: a shared address, or one deeper than the form.
    pub rule: String,
    pub name: String,
    pub group: Vec<String>,
    pub kind: Vec<String>,
    /// What each row was shown as, see [`Row::shown`]: what was said of another kind means nothing of this one.
    #[serde(skip_serializing)]
    pub was: Vec<String>,
    pub op: Vec<String>,
    pub value: Vec<String>,
    pub days: Vec<String>,
    pub times: Vec<String>,
    pub amount: Vec<String>,
}

impl Fields {
    /// Whether there are more rows than a rule of the form has.
    pub fn are_too_many(&self) -> bool {
        self.kind.len() > MAX_ROWS
    }

    pub fn rows(&self) -> Vec<Row> {
        let text = |list: &[String], index: usize| {
            list.get(index)
                .map(|text| text.trim().to_owned())
                .unwrap_or_default()
        };
        // Counted anew: a row without a group has one of its own, so that nothing is wider than it was meant.
        let mut groups: Vec<Result<usize, usize>> = Vec::new();
        let mut group = |index: usize| {
            let said = text(&self.group, index).parse::<usize>().map_err(|_| index);
            let place = groups.iter().position(|group| *group == said);
            place.unwrap_or_else(|| {
                groups.push(said);
                groups.len() - 1
            })
        };
        let kinds = self.kind.iter().enumerate().take(MAX_ROWS);
        kinds
            .map(|(index, kind)| {
                let row = Row {
                    group: group(index),
                    kind: Kind::parse(kind).unwrap_or_default(),
                    is_not: text(&self.op, index) == "not",
                    value: text(&self.value, index),
                    days: text(&self.days, index),
                    times: text(&self.times, index),
                    amount: text(&self.amount, index),
                };
                let was = self.was.get(index).map(String::as_str).unwrap_or_default();
                let (was, field) = was.split_once(':').unwrap_or((was, ""));
                match Kind::parse(was) {
                    Some(was) if was != row.kind => row.of_another(was),
                    Some(Kind::Field) if field != row.value => row.of_another_field(),
                    _ => row,
                }
            })
            .collect()
    }

    /// Name and value of every field, for an address.
    pub fn pairs(name: &str, rows: &[Row]) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if !name.is_empty() {
            pairs.push(("name", name.to_owned()));
        }
        for row in rows {
            pairs.extend([
                ("group", row.group.to_string()),
                ("kind", row.kind.as_str().to_owned()),
                ("op", if row.is_not { "not" } else { "is" }.to_owned()),
                ("value", row.value.clone()),
                ("days", row.days.clone()),
                ("times", row.times.clone()),
                ("amount", row.amount.clone()),
            ]);
        }
        pairs
    }
}

/// What a button of the builder does to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// A new group with one row: it must hold too.
    Add,
    /// A row in this group: it may hold instead.
    AddTo(usize),
    /// Takes the row at this place away.
    Remove(usize),
}

impl Edit {
    /// `add`, `add-2`, `remove-0`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('-') {
            None if text == "add" => Some(Self::Add),
            Some(("add", group)) => group.parse().ok().map(Self::AddTo),
            Some(("remove", place)) => place.parse().ok().map(Self::Remove),
            _ => None,
        }
    }

    pub fn apply(self, rows: &mut Vec<Row>) {
        let is_full = rows.len() >= MAX_ROWS;
        match self {
            Self::Remove(place) if place < rows.len() => {
                rows.remove(place);
            }
            Self::Add if !is_full => {
                let group = rows.iter().map(|row| row.group + 1).max().unwrap_or(0);
                rows.push(Row {
                    group,
                    ..Row::default()
                });
            }
            Self::AddTo(group) if !is_full => {
                let place = rows
                    .iter()
                    .rposition(|row| row.group == group)
                    .map_or(rows.len(), |at| at + 1);
                rows.insert(
                    place,
                    Row {
                        group,
                        ..Row::default()
                    },
                );
            }
            _ => {}
        }
    }
}

/// What the rows mean so far, and what keeps some from meaning anything.
#[derive(Debug, Default)]
pub struct Reading {
    /// `None` while no row is complete.
    pub rule: Option<Rule>,
    /// For each group of the rule, in order: the group's number in the form.
    pub groups: Vec<usize>,
    /// A row that means nothing yet, and why: [`CHOOSE`], [`DAYS`], [`NUMBER`] or [`LIMIT`].
    pub problems: Vec<(usize, &'static str)>,
}

/// Reads rows; incomplete ones are left out and named.
pub fn read(rows: &[Row]) -> Reading {
    let mut reading = Reading::default();
    let mut groups: Vec<(usize, Vec<Rule>)> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        match leaf(row) {
            Err(why) => reading.problems.push((place, why)),
            Ok(leaf) => {
                let rule = if row.is_not {
                    Rule::Not(Box::new(leaf))
                } else {
                    leaf
                };
                match groups.iter_mut().find(|(group, _)| *group == row.group) {
                    Some((_, rules)) => rules.push(rule),
                    None => groups.push((row.group, vec![rule])),
                }
            }
        }
    }
    reading.groups = groups.iter().map(|(group, _)| *group).collect();
    let all: Vec<Rule> = groups.into_iter().map(|(_, rules)| any(rules)).collect();
    reading.rule = (!all.is_empty()).then_some(Rule::All(all));
    reading
}

/// The row that made a part of the rule: `/rule/all/1/any/0/tag`.
pub fn row_at(rows: &[Row], pointer: &str) -> Option<usize> {
    let mut parts = pointer.strip_prefix("/rule/all/")?.split('/');
    let step: usize = parts.next()?.parse().ok()?;
    let within = match (parts.next(), parts.next()) {
        (Some("any"), Some(index)) => index.parse().ok()?,
        _ => 0,
    };
    let group = *read(rows).groups.get(step)?;
    let complete = rows.iter().enumerate().filter(|(_, row)| leaf(row).is_ok());
    complete
        .filter(|(_, row)| row.group == group)
        .nth(within)
        .map(|(place, _)| place)
}

fn any(mut rules: Vec<Rule>) -> Rule {
    if rules.len() == 1 {
        rules.remove(0)
    } else {
        Rule::Any(rules)
    }
}

/// The rule as rows; `None` when it is deeper than the form.
pub fn rows(rule: &Rule) -> Option<Vec<Row>> {
    let one = std::slice::from_ref(rule);
    let groups = if let Rule::All(groups) = rule {
        groups.as_slice()
    } else {
        one
    };
    let mut rows = Vec::new();
    for (group, rule) in groups.iter().enumerate() {
        let one = std::slice::from_ref(rule);
        let leaves = if let Rule::Any(leaves) = rule {
            leaves.as_slice()
        } else {
            one
        };
        for leaf in leaves {
            let (is_not, leaf) = if let Rule::Not(inner) = leaf {
                (true, &**inner)
            } else {
                (false, leaf)
            };
            let said = rows_of(leaf)?;
            // Rows of a group are alternatives; that it is none of several they do not say.
            if is_not && said.len() > 1 {
                return None;
            }
            rows.extend(said.into_iter().map(|row| Row { group, is_not, ..row }));
        }
    }
    (rows.len() <= MAX_ROWS).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{FieldId, LinkId, StoreId, TagId};
    use crate::segments::{Clicked, Gender, Messaged, Ordered, OwnField, Rfm, Stage, Within};

    fn field(is: &[&str], from: Option<&str>, to: Option<&str>) -> Rule {
        Rule::Field(OwnField {
            id: FieldId(3),
            is: is.iter().map(|value| (*value).to_owned()).collect(),
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        })
    }

    fn every_leaf() -> Vec<Rule> {
        vec![
            Rule::Tag(TagId(7)),
            Rule::Store(StoreId(21)),
            Rule::Channel("till".into()),
            Rule::Added(Within { within_days: 90 }),
            Rule::Ordered(Ordered {
                within_days: 90,
                at_least: Some(2),
                category: Some("连衣裙".into()),
                net_fen_at_least: Some(50_000),
            }),
            Rule::Clicked(Clicked {
                within_days: 7,
                link: Some(LinkId(9)),
            }),
            Rule::Messaged(Messaged {
                within_days: 30,
                at_most: Some(3),
                at_least: None,
            }),
            Rule::Stage(Stage::Cooling),
            Rule::Gender(Gender::Female),
            Rule::Birthday(Within { within_days: 7 }),
            Rule::Rfm(Rfm {
                r: vec![4, 5],
                f: vec![],
                m: vec![5],
            }),
            field(&["金卡"], None, None),
            field(&[], Some("36"), Some("38.5")),
            field(&[], None, Some("2026-11-23")),
            field(&[], None, None),
        ]
    }

    #[test]
    fn rules_come_back_from_their_rows() {
        let rule = Rule::All(vec![
            Rule::Any(every_leaf()),
            Rule::Not(Box::new(Rule::Tag(TagId(8)))),
            Rule::Any(vec![
                Rule::Tag(TagId(1)),
                Rule::Not(Box::new(Rule::Tag(TagId(2)))),
            ]),
        ]);
        let rows = rows(&rule).unwrap();
        let reading = read(&rows);
        assert_eq!(reading.rule, Some(rule));
        assert_eq!((reading.groups, reading.problems), (vec![0, 1, 2], vec![]));
    }

    #[test]
    fn any_of_several_values_are_as_many_rows_and_none_of_them_are_none() {
        let several = field(&["金卡", "银卡"], None, None);
        let one = |value| field(&[value], None, None);
        let either = Rule::Any(vec![one("金卡"), one("银卡")]);
        assert_eq!(read(&rows(&several).unwrap()).rule, Some(Rule::All(vec![either])));
        assert_eq!(rows(&Rule::Not(Box::new(several))), None);
    }

    #[test]
    fn rows_survive_the_address() {
        let rows = rows(&Rule::Any(every_leaf())).unwrap();
        let mut fields = Fields::default();
        for (name, value) in Fields::pairs("gold", &rows) {
            match name {
                "name" => fields.name = value,
                "group" => fields.group.push(value),
                "kind" => fields.kind.push(value),
                "op" => fields.op.push(value),
                "value" => fields.value.push(value),
                "days" => fields.days.push(value),
                "times" => fields.times.push(value),
                _ => fields.amount.push(value),
            }
        }
        assert_eq!((fields.name.as_str(), fields.rows()), ("gold", rows));
    }

    #[test]
    fn groups_are_counted_anew_and_a_row_without_one_is_alone() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let fields = Fields {
            kind: list(&["added"; 5]),
            group: list(&["7", "18446744073709551615", "x", "7"]),
            ..Fields::default()
        };
        let groups: Vec<usize> = fields.rows().iter().map(|row| row.group).collect();
        assert_eq!(groups, [0, 1, 2, 0, 3]);
    }

    #[test]
    fn what_was_said_of_another_kind_means_nothing_of_this_one() {
        let of_kinds = |was: &str, kind: &str| {
            let one = |text: &str| vec![text.to_owned()];
            let fields = Fields {
                was: one(was),
                kind: one(kind),
                value: one("7"),
                days: one("30"),
                times: one("3"),
                amount: one("500"),
                ..Fields::default()
            };
            let row = fields.rows().remove(0);
            [row.value, row.days, row.times, row.amount].map(|text| text.parse::<i64>().unwrap_or(0))
        };
        assert_eq!(of_kinds("ordered", "ordered"), [7, 30, 3, 500]);
        assert_eq!(of_kinds("", "ordered"), [7, 30, 3, 500]);
        assert_eq!(of_kinds("tag", "region"), [0; 4]);
        assert_eq!(of_kinds("ordered", "messaged-at-most"), [0, 30, 0, 0]);
        assert_eq!(of_kinds("messaged-at-least", "messaged-at-most"), [0, 30, 3, 0]);
        assert_eq!(of_kinds("field:7", "field"), [7, 30, 3, 500]);
        assert_eq!(of_kinds("field:8", "field"), [7, 0, 0, 0]);
        assert_eq!(of_kinds("ordered", "added"), [0, 30, 0, 0]);
        assert_eq!(of_kinds("rfm", "ordered"), [0; 4]);
        assert_eq!(of_kinds("field", "added"), [0; 4]);
    }

    #[test]
    fn incomplete_rows_are_named_and_left_out() {
        let rows = [
            Row::default(),
            Row {
                kind: Kind::Added,
                days: "0".into(),
                ..Row::default()
            },
            Row {
                kind: Kind::Ordered,
                days: "9".into(),
                times: "x".into(),
                ..Row::default()
            },
            Row {
                kind: Kind::Field,
                value: "3".into(),
                times: "soon".into(),
                ..Row::default()
            },
            Row {
                kind: Kind::Stage,
                value: "new".into(),
                group: 4,
                ..Row::default()
            },
        ];
        let reading = read(&rows);
        assert_eq!(
            reading.problems,
            [(0, CHOOSE), (1, DAYS), (2, NUMBER), (3, LIMIT)]
        );
        assert_eq!(
            (reading.rule, reading.groups),
            (Some(Rule::All(vec![Rule::Stage(Stage::New)])), vec![4])
        );
        assert_eq!(read(&[]).rule, None);
    }

    #[test]
    fn buttons_add_and_remove_rows() {
        let mut rows = vec![
            Row::default(),
            Row {
                group: 1,
                ..Row::default()
            },
        ];
        Edit::parse("add-0").unwrap().apply(&mut rows);
        Edit::parse("add").unwrap().apply(&mut rows);
        Edit::parse("remove-0").unwrap().apply(&mut rows);
        Edit::Remove(99).apply(&mut rows);
        assert_eq!(rows.iter().map(|row| row.group).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!((Edit::parse("count"), Edit::parse("remove-x")), (None, None));
    }

    #[test]
    fn deeper_trees_have_no_rows() {
        let deep = Rule::All(vec![Rule::Any(vec![Rule::All(vec![Rule::Tag(TagId(1))])])]);
        assert_eq!(rows(&deep), None);
        assert_eq!(
            rows(&Rule::Rfm(Rfm {
                r: vec![1, 5],
                f: vec![],
                m: vec![]
            })),
            None
        );
    }
}
