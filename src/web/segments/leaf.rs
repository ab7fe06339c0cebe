//! One row and one leaf of a rule: each turned into the other.

use super::form::{Kind, Row};
use crate::contacts::field_limit;
use crate::segments::{Clicked, Gender, Messaged, Ordered, OwnField, Rfm, Rule, Stage, Within};

/// Why a row means nothing yet; the page has words for each.
pub const CHOOSE: &str = "choose";
pub const DAYS: &str = "days";
pub const NUMBER: &str = "number";
pub const LIMIT: &str = "limit";

/// What a row means.
///
/// # Errors
/// One of the words above.
pub fn leaf(row: &Row) -> Result<Rule, &'static str> {
    Ok(match row.kind {
        Kind::Tag => Rule::Tag(id(&row.value)?),
        Kind::Region => Rule::Region(id(&row.value)?),
        Kind::Store => Rule::Store(id(&row.value)?),
        Kind::Associate => Rule::Associate(id(&row.value)?),
        Kind::Channel if row.value.is_empty() => return Err(CHOOSE),
        Kind::Channel => Rule::Channel(row.value.clone()),
        Kind::Added => Rule::Added(Within {
            within_days: days(row)?,
        }),
        Kind::Birthday => Rule::Birthday(Within {
            within_days: days(row)?,
        }),
        Kind::Ordered => Rule::Ordered(Ordered {
            within_days: days(row)?,
            at_least: number(&row.times)?,
            category: Some(row.value.clone()).filter(|category| !category.is_empty()),
            net_fen_at_least: number(&row.amount)?.map(|yuan| yuan * 100),
        }),
        Kind::Clicked => Rule::Clicked(Clicked {
            within_days: days(row)?,
            link: if row.value.is_empty() {
                None
            } else {
                Some(id(&row.value)?)
            },
        }),
        Kind::MessagedAtMost => Rule::Messaged(Messaged {
            within_days: days(row)?,
            at_most: Some(number(&row.times)?.ok_or(NUMBER)?),
            at_least: None,
        }),
        Kind::MessagedAtLeast => Rule::Messaged(Messaged {
            within_days: days(row)?,
            at_most: None,
            at_least: Some(number(&row.times)?.ok_or(NUMBER)?),
        }),
        Kind::Stage => Rule::Stage(stage(&row.value).ok_or(CHOOSE)?),
        Kind::Gender => Rule::Gender(gender(&row.value).ok_or(CHOOSE)?),
        Kind::Rfm => rfm(row)?,
        Kind::Field => Rule::Field(OwnField {
            id: id(&row.value)?,
            is: Vec::from_iter(Some(row.days.clone()).filter(|value| !value.is_empty())),
            from: limit(&row.times)?,
            to: limit(&row.amount)?,
        }),
    })
}

fn id<T: std::str::FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| CHOOSE)
}

fn days(row: &Row) -> Result<i64, &'static str> {
    row.days
        .parse()
        .ok()
        .filter(|days| (1..=3_650).contains(days))
        .ok_or(DAYS)
}

fn number(text: &str) -> Result<Option<i64>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text
        .parse()
        .ok()
        .filter(|number| (0..=1_000_000_000).contains(number));
    number.map(Some).ok_or(NUMBER)
}

fn limit(text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    field_limit(text).map(Some).ok_or(LIMIT)
}

pub const STAGES: [(&str, Stage); 5] = [
    ("new", Stage::New),
    ("active", Stage::Active),
    ("cooling", Stage::Cooling),
    ("dormant", Stage::Dormant),
    ("lost", Stage::Lost),
];

pub const GENDERS: [(&str, Gender); 3] = [
    ("female", Gender::Female),
    ("male", Gender::Male),
    ("unknown", Gender::Unknown),
];

fn stage(text: &str) -> Option<Stage> {
    STAGES
        .into_iter()
        .find(|(word, _)| *word == text)
        .map(|(_, stage)| stage)
}

fn gender(text: &str) -> Option<Gender> {
    GENDERS
        .into_iter()
        .find(|(word, _)| *word == text)
        .map(|(_, gender)| gender)
}

/// Scores from a lowest one up to 5: recency in `value`, frequency in `times`, amount in `amount`.
fn rfm(row: &Row) -> Result<Rule, &'static str> {
    let from = |text: &str| match text {
        "" => Ok(Vec::new()),
        _ => match text.parse::<i64>() {
            Ok(lowest @ 1..=5) => Ok((lowest..=5).collect()),
            _ => Err(NUMBER),
        },
    };
    let rfm = Rfm {
        r: from(&row.value)?,
        f: from(&row.times)?,
        m: from(&row.amount)?,
    };
    if rfm == Rfm::default() {
        Err(CHOOSE)
    } else {
        Ok(Rule::Rfm(rfm))
    }
}

/// The rows of a leaf, any of which is enough; `None` when no row says it.
pub fn rows(leaf: &Rule) -> Option<Vec<Row>> {
    match leaf {
        Rule::Field(own) if own.is.len() > 1 => {
            let of_value = |value: &String| {
                row(&Rule::Field(OwnField {
                    is: vec![value.clone()],
                    ..own.clone()
                }))
            };
            own.is.iter().map(of_value).collect()
        }
        _ => row(leaf).map(|row| vec![row]),
    }
}

fn row(leaf: &Rule) -> Option<Row> {
    let valued = |kind, value: String| Row {
        kind,
        value,
        ..Row::default()
    };
    let within = |kind, days: i64| Row {
        kind,
        days: days.to_string(),
        ..Row::default()
    };
    let text = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    Some(match leaf {
        Rule::All(_) | Rule::Any(_) | Rule::Not(_) => return None,
        Rule::Tag(id) => valued(Kind::Tag, id.to_string()),
        Rule::Store(id) => valued(Kind::Store, id.to_string()),
        Rule::Region(id) => valued(Kind::Region, id.to_string()),
        Rule::Associate(id) => valued(Kind::Associate, id.to_string()),
        Rule::Channel(channel) => valued(Kind::Channel, channel.clone()),
        Rule::Added(added) => within(Kind::Added, added.within_days),
        Rule::Birthday(birthday) => within(Kind::Birthday, birthday.within_days),
        Rule::Ordered(ordered) => Row {
            value: ordered.category.clone().unwrap_or_default(),
            times: text(ordered.at_least),
            // Fen that are no whole yuan have no field.
            amount: match ordered.net_fen_at_least {
                Some(fen) if fen % 100 != 0 => return None,
                fen => text(fen.map(|fen| fen / 100)),
            },
            ..within(Kind::Ordered, ordered.within_days)
        },
        Rule::Clicked(clicked) => Row {
            value: clicked.link.map(|link| link.to_string()).unwrap_or_default(),
            ..within(Kind::Clicked, clicked.within_days)
        },
        Rule::Messaged(Messaged {
            within_days,
            at_most: Some(times),
            at_least: None,
        }) => Row {
            times: times.to_string(),
            ..within(Kind::MessagedAtMost, *within_days)
        },
        Rule::Messaged(Messaged {
            within_days,
            at_most: None,
            at_least: Some(times),
        }) => Row {
            times: times.to_string(),
            ..within(Kind::MessagedAtLeast, *within_days)
        },
        Rule::Messaged(_) => return None,
        Rule::Stage(stage) => valued(
            Kind::Stage,
            STAGES.iter().find(|(_, one)| one == stage)?.0.to_owned(),
        ),
        Rule::Gender(gender) => valued(
            Kind::Gender,
            GENDERS.iter().find(|(_, one)| one == gender)?.0.to_owned(),
        ),
        Rule::Rfm(rfm) => Row {
            times: lowest(&rfm.f)?,
            amount: lowest(&rfm.m)?,
            ..valued(Kind::Rfm, lowest(&rfm.r)?)
        },
        Rule::Field(own) => Row {
            days: own.is.first().cloned().unwrap_or_default(),
            times: own.from.clone().unwrap_or_default(),
            amount: own.to.clone().unwrap_or_default(),
            ..valued(Kind::Field, own.id.to_string())
        },
    })
}

/// The lowest of scores that run up to 5 without a gap; empty for any score.
fn lowest(scores: &[i64]) -> Option<String> {
    let Some(first) = scores.iter().min() else {
        return Some(String::new());
    };
    let mut sorted = scores.to_vec();
    sorted.sort_unstable();
    sorted
        .eq(&(*first..=5).collect::<Vec<_>>())
        .then(|| first.to_string())
}
