//! The builder's page: rows of the form, the sentence above, the count beside.

use askama::Template;

use super::form::{self, Kind, Reading, Row};
use super::words::{Names, sentence};
use crate::contacts::FieldKind;
use crate::ids::SegmentId;
use crate::links::Titled;
use crate::segments::{Preview, Remark, Rule, remarks};
use crate::web::Shell;
use crate::web::figures as say;
use crate::web::shell::FieldProblem;

/// A choice of a select.
#[derive(Debug, Clone)]
pub struct Choice {
    pub value: String,
    pub word: String,
    pub is_chosen: bool,
}

/// How a row's value is given.
pub enum Value {
    /// What none chosen means, and the choices by groups with a name; an empty name is no group.
    Choices(String, Vec<(String, Vec<Choice>)>),
    /// A word: the label over its field, and the list of those there are.
    Text(String, &'static str),
    /// Three lowest scores: label, field name, choices.
    Scores(Vec<(String, &'static str, Vec<Choice>)>),
    None,
}

/// What is asked of a field of the corp's own.
pub enum Own {
    Choices(Vec<Choice>),
    Text,
    /// From where to where, with the type of both inputs.
    Limits(&'static str),
    /// Another row, or one whose field is not chosen.
    None,
}

pub struct RowView {
    pub place: usize,
    pub row: Row,
    pub kinds: Vec<Choice>,
    pub value: Value,
    pub own: Own,
    pub problem: Option<String>,
}

impl RowView {
    fn is_field(&self) -> bool {
        self.row.kind == Kind::Field
    }

    fn is_scores(&self) -> bool {
        self.row.kind == Kind::Rfm
    }

    fn has_days(&self) -> bool {
        self.row.kind.has_days()
    }

    fn has_times(&self) -> bool {
        self.row.kind.has_times()
    }

    fn has_amount(&self) -> bool {
        self.row.kind == Kind::Ordered
    }
}

pub struct GroupView {
    pub number: usize,
    pub rows: Vec<RowView>,
    /// How many remain after it.
    pub remaining: Option<String>,
}

/// How many the rule finds: also answered alone, for the script that counts while one types.
#[derive(Template)]
#[template(path = "segments/count.html")]
pub struct Count {
    pub shell: Shell,
    /// `None` while there is no rule.
    pub count: Option<String>,
    pub as_of: String,
    pub sample: String,
    /// For each group of the form, by its number: how many remain after it.
    pub left: Vec<(usize, String)>,
    /// What the rule says that may not be meant.
    pub remarks: Vec<String>,
}

impl askama::filters::HtmlSafe for Count {}

impl Count {
    /// `groups`: the numbers of the groups that the rule was read from, in its order.
    pub fn new(shell: &Shell, rule: Option<&Rule>, groups: &[usize], preview: Option<&Preview>) -> Self {
        let left = groups
            .iter()
            .filter_map(|group| Some((*group, remaining(*group, groups, preview, shell)?)));
        let remarked = rule.zip(preview).map(|(rule, preview)| remarks(rule, preview));
        let names = |preview: &Preview| {
            let names: Vec<&str> = preview.sample.iter().map(|person| person.name.as_str()).collect();
            names.join(&shell.t("say-and"))
        };
        Self {
            count: preview.map(|preview| say::count(preview.count)),
            as_of: preview
                .map(|preview| shell.when(&preview.as_of))
                .unwrap_or_default(),
            sample: preview.map(names).unwrap_or_default(),
            left: left.collect(),
            remarks: remarked
                .iter()
                .flatten()
                .map(|remark| said(*remark, shell))
                .collect(),
            shell: shell.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "segments/builder.html")]
pub struct BuilderPage {
    pub shell: Shell,
    pub problems: Vec<FieldProblem>,
    pub id: Option<SegmentId>,
    pub name: String,
    pub answer: String,
    pub groups: Vec<GroupView>,
    /// The rule as JSON, where it is deeper than the form.
    pub deep: Option<String>,
    pub count: Count,
    pub action: String,
    /// The address that holds the rule.
    pub share: String,
    /// Broadcasts that use it, newest first.
    pub uses: Vec<Use>,
    pub known: Known,
}

/// Words that there are, to choose from where one may write what one likes.
#[derive(Debug, Default)]
pub struct Known {
    pub categories: Vec<String>,
    pub channels: Vec<String>,
}

/// A broadcast of a saved segment.
pub struct Use {
    pub name: String,
    pub link: String,
    pub state: String,
}

/// What the builder shows: typed rows, or a rule without rows.
pub enum Asked {
    Rows(Vec<Row>),
    Deep(Rule),
}

impl Asked {
    pub fn has(&self, kind: Kind) -> bool {
        matches!(self, Self::Rows(rows) if rows.iter().any(|row| row.kind == kind))
    }
}

impl BuilderPage {
    pub fn new(
        shell: Shell,
        id: Option<SegmentId>,
        name: String,
        asked: Asked,
        names: &Names,
        preview: Option<&Preview>,
        problems: Vec<FieldProblem>,
    ) -> Self {
        let (rows, deep, reading) = match asked {
            Asked::Rows(rows) => {
                let reading = form::read(&rows);
                (rows, None, reading)
            }
            Asked::Deep(rule) => (Vec::new(), Some(rule), Reading::default()),
        };
        let rule = deep.as_ref().or(reading.rule.as_ref());
        let rule_json = rule.map(|rule| serde_json::to_string(rule).expect("a rule is plain data"));
        let share = rule_json
            .as_deref()
            .map(|json| format!("/segments/new?rule={}", shell.encode(json)));
        Self {
            answer: answer(rule, names, preview, &shell),
            groups: groups(&rows, &reading, names, preview, &shell),
            deep: rule_json.filter(|_| deep.is_some()),
            count: Count::new(&shell, rule, &reading.groups, preview),
            action: id.map_or_else(|| "/segments/new".to_owned(), |id| format!("/segments/{id}")),
            share: share.unwrap_or_default(),
            uses: Vec::new(),
            known: Known::default(),
            problems,
            id,
            name,
            shell,
        }
    }

    fn is_full(&self) -> bool {
        self.groups.iter().map(|group| group.rows.len()).sum::<usize>() >= form::MAX_ROWS
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }
}

fn answer(rule: Option<&Rule>, names: &Names, preview: Option<&Preview>, shell: &Shell) -> String {
    let (Some(rule), Some(preview)) = (rule, preview) else {
        return shell.t("segment-answer-empty");
    };
    let said = sentence(rule, names, shell);
    let key = if preview.count == 0 {
        "segment-answer-nobody"
    } else {
        "segment-answer"
    };
    shell.with(key, &[("rule", &said), ("count", &say::count(preview.count))])
}

fn groups(
    rows: &[Row],
    reading: &Reading,
    names: &Names,
    preview: Option<&Preview>,
    shell: &Shell,
) -> Vec<GroupView> {
    let mut groups: Vec<GroupView> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let view = row_view(place, row, reading, names, shell);
        match groups.iter_mut().find(|group| group.number == row.group) {
            Some(group) => group.rows.push(view),
            None => groups.push(GroupView {
                number: row.group,
                rows: vec![view],
                remaining: remaining(row.group, &reading.groups, preview, shell),
            }),
        }
    }
    groups
}

/// Steps of the preview are the complete groups, in order.
fn remaining(group: usize, groups: &[usize], preview: Option<&Preview>, shell: &Shell) -> Option<String> {
    let step = groups.iter().position(|number| *number == group)?;
    let left = preview?.steps.get(step)?.remaining;
    Some(shell.with("segment-remaining", &[("count", &say::count(left))]))
}

/// A remark, with the places of the rules counted from one.
fn said(remark: Remark, shell: &Shell) -> String {
    let place = |part: usize| (part + 1).to_string();
    match remark {
        Remark::Excluded { part, by } => shell.with(
            "segment-remark-excluded",
            &[("part", &place(part)), ("by", &place(by))],
        ),
        Remark::Idle { part } => shell.with("segment-remark-idle", &[("part", &place(part))]),
        Remark::Nobody { part } => shell.with("segment-remark-nobody", &[("part", &place(part))]),
        Remark::Everybody => shell.t("segment-remark-everybody"),
    }
}

fn row_view(place: usize, row: &Row, reading: &Reading, names: &Names, shell: &Shell) -> RowView {
    let kind = |kind: Kind| Choice {
        value: kind.as_str().to_owned(),
        word: shell.t(&format!("kind-{}", kind.as_str())),
        is_chosen: kind == row.kind,
    };
    let is_offered = |kind: &Kind| *kind != Kind::Field || *kind == row.kind || !names.fields.is_empty();
    let problem = reading.problems.iter().find(|(at, _)| *at == place);
    RowView {
        place,
        kinds: Kind::ALL.into_iter().filter(is_offered).map(kind).collect(),
        value: value(row, names, shell),
        own: own(row, names),
        problem: problem.map(|(_, why)| shell.t(&format!("segment-row-{why}"))),
        row: row.clone(),
    }
}

fn value(row: &Row, names: &Names, shell: &Shell) -> Value {
    let choice = |value: String, word: &str| Choice {
        is_chosen: value == row.value,
        value,
        word: word.to_owned(),
    };
    let grouped = |groups| Value::Choices(shell.t("choose"), groups);
    let flat = |choices: Vec<Choice>| grouped(vec![(String::new(), choices)]);
    let worded = |prefix: &str, words: &[&str]| {
        let choices = words
            .iter()
            .map(|word| choice((*word).to_owned(), &shell.t(&format!("{prefix}-{word}"))));
        flat(choices.collect())
    };
    match row.kind {
        Kind::Tag => grouped(
            names
                .tags
                .iter()
                .map(|group| {
                    let tags = group.tags.iter().map(|tag| choice(tag.id.to_string(), &tag.name));
                    (group.name.clone(), tags.collect())
                })
                .collect(),
        ),
        Kind::Region => flat(
            names
                .regions
                .iter()
                .map(|region| choice(region.id.to_string(), &region.name))
                .collect(),
        ),
        Kind::Store => flat(
            names
                .stores
                .iter()
                .map(|store| choice(store.id.to_string(), &store.name))
                .collect(),
        ),
        Kind::Associate => flat(
            names
                .associates
                .iter()
                .map(|associate| choice(associate.id.to_string(), &associate.name))
                .collect(),
        ),
        Kind::Field => flat(
            names
                .fields
                .iter()
                .map(|field| choice(field.id.to_string(), &field.name))
                .collect(),
        ),
        Kind::Stage => worded("stage", &form::STAGES.map(|(word, _)| word)),
        Kind::Gender => worded("gender", &form::GENDERS.map(|(word, _)| word)),
        Kind::Channel => Value::Text(shell.t("field-channel"), "channels"),
        Kind::Ordered => Value::Text(shell.t("field-category"), "categories"),
        Kind::Clicked => {
            let link = |link: &Titled| choice(link.id.to_string(), &link_label(link, shell));
            let mut links: Vec<Choice> = names.links.iter().map(link).collect();
            if !row.value.is_empty() && !links.iter().any(|link| link.is_chosen) {
                // Chosen still: without it the rule would be of any link.
                links.push(choice(row.value.clone(), &shell.t("link-gone")));
            }
            Value::Choices(shell.t("rules-any-link"), vec![(String::new(), links)])
        }
        Kind::Rfm => Value::Scores(scores(row, shell)),
        Kind::Added | Kind::MessagedAtMost | Kind::MessagedAtLeast | Kind::Birthday => Value::None,
    }
}

/// A link as one tells it from others of its title.
pub fn link_label(link: &Titled, shell: &Shell) -> String {
    let day = shell.when(&link.created_at);
    match &link.associate_name {
        Some(name) => format!("{} · {name} · {day}", link.title),
        None => format!("{} · {day}", link.title),
    }
}

fn own(row: &Row, names: &Names) -> Own {
    let is_asked = row.kind == Kind::Field;
    let field = names
        .fields
        .iter()
        .find(|field| is_asked && field.id.to_string() == row.value);
    let Some(field) = field else { return Own::None };
    match field.kind {
        FieldKind::Text => Own::Text,
        FieldKind::Number => Own::Limits("text"),
        FieldKind::Date => Own::Limits("date"),
        FieldKind::Choice => {
            let choice = |choice: &String| Choice {
                value: choice.clone(),
                word: choice.clone(),
                is_chosen: *choice == row.days,
            };
            Own::Choices(field.choices.iter().map(choice).collect())
        }
    }
}

fn scores(row: &Row, shell: &Shell) -> Vec<(String, &'static str, Vec<Choice>)> {
    let choices = |typed: &str| {
        let score = |score: i64| Choice {
            value: score.to_string(),
            word: score.to_string(),
            is_chosen: typed == score.to_string(),
        };
        (1..=5).map(score).collect::<Vec<_>>()
    };
    vec![
        (shell.t("field-r"), "value", choices(&row.value)),
        (shell.t("field-f"), "times", choices(&row.times)),
        (shell.t("field-m"), "amount", choices(&row.amount)),
    ]
}
