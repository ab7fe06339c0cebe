//! Whether every id in a rule is the corp's, and in the caller's reach, and fits what it is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::contacts::{self, ContactField, FieldKind, field_order};
use crate::db::{self, Backend, Conn, Filter};
use crate::error::{Error, Problem, Result, said};
use crate::ids::{CorpId, SegmentId};
use crate::scope::{Reach, Scope};
use crate::segments::store::known;
use crate::segments::{OwnField, Rule, Segment};

/// A segment whose rule still names only what is there; `at` is where it is named.
pub async fn segment(conn: &impl Conn, scope: &Scope, id: SegmentId, at: &str) -> Result<Segment> {
    let segment = match crate::segments::find(conn, scope, id).await {
        Err(Error::NotFound) => {
            return Err(Error::invalid(
                at,
                said!(
                    "refused-no-segment",
                    "there is no segment `{id}` in your reach",
                    id = id.to_string()
                ),
            ));
        }
        found => found?,
    };
    match check(conn, scope, &segment.rule, at).await {
        // The rule is not in the request: all of it is the segment's.
        Err(Error::Invalid(problems)) => {
            let gone = problems.into_iter().map(|problem| {
                let message = said!(
                    "refused-segment-broken",
                    "segment `{name}`: {why}; change the segment",
                    name = &segment.name,
                    why = problem.message.to_string()
                );
                Problem::new(at, message)
            });
            Err(Error::Invalid(gone.collect()))
        }
        checked => checked.map(|()| segment),
    }
}

/// Checks that every id in the rule is the corp's and in scope, and that what is asked of fields fits them.
pub async fn check(conn: &impl Conn, scope: &Scope, rule: &Rule, at: &str) -> Result<()> {
    check_with(conn, scope, rule, at, |_, _| None).await
}

/// The same, asking the database only for what `may_name` does not know.
pub(in crate::segments) async fn check_with(
    conn: &impl Conn,
    scope: &Scope,
    rule: &Rule,
    at: &str,
    may_name: impl Fn(Kind, i64) -> Option<bool>,
) -> Result<()> {
    let (mut named, mut fields) = (Vec::new(), Vec::new());
    collect(rule, at, &mut named, &mut fields);
    named.retain(|(kind, id, _)| may_name(*kind, *id) != Some(true));
    let mut by_kind: BTreeMap<Kind, BTreeSet<i64>> = BTreeMap::new();
    for (kind, id, _) in named
        .iter()
        .filter(|(kind, id, _)| may_name(*kind, *id).is_none())
    {
        by_kind.entry(*kind).or_default().insert(*id);
    }
    let known = known(conn, scope, &by_kind).await?;
    named.retain(|(kind, id, _)| !known.contains(&(*kind, *id)));
    // As they are told: tags first.
    named.sort_by_key(|(kind, ..)| *kind);
    let mut problems: Vec<Problem> = named
        .into_iter()
        .map(|(kind, id, at)| gone(at, kind.word(), id))
        .collect();
    problems.extend(wrong_fields(conn, scope.corp, &fields).await?);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

fn gone(at: String, kind: &str, id: i64) -> Problem {
    let message = said!(
        "refused-rule-reach",
        "there is no {kind} `{id}` in your reach",
        kind = kind,
        id = id.to_string()
    );
    Problem::new(at, message)
}

async fn wrong_fields(conn: &impl Conn, corp: CorpId, asked: &[(&OwnField, String)]) -> Result<Vec<Problem>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let fields = contacts::fields(conn, corp).await?;
    let wrong = asked.iter().flat_map(
        |(asked, at)| match fields.iter().find(|field| field.id == asked.id) {
            Some(field) => misfits(field, asked, at),
            None => vec![gone(format!("{at}/id"), "field", asked.id.0)],
        },
    );
    Ok(wrong.collect())
}

/// What is asked of a field that it cannot hold.
fn misfits(field: &ContactField, asked: &OwnField, at: &str) -> Vec<Problem> {
    let is_measured = matches!(field.kind, FieldKind::Number | FieldKind::Date);
    let values = asked.is.iter().enumerate();
    let values = values.map(|(index, value)| (format!("{at}/is/{index}"), value, false));
    let limits = [("from", &asked.from), ("to", &asked.to)].into_iter();
    let limits =
        limits.filter_map(|(name, limit)| limit.as_ref().map(|limit| (format!("{at}/{name}"), limit, true)));
    let mut problems = Vec::new();
    for (at, value, is_limit) in values.chain(limits) {
        let why = match (is_measured, is_limit) {
            (true, false) => said!(
                "refused-rule-measured",
                "it is a number or a day; ask for it with `from` and `to`"
            ),
            (false, true) => said!(
                "refused-rule-unmeasured",
                "it is neither a number nor a day; ask for its values with `is`"
            ),
            _ => match field.read(value) {
                Ok(_) => continue,
                Err(why) => why,
            },
        };
        problems.push(Problem::new(at, why.about(&field.name)));
    }
    if let (Some(from), Some(to), true) = (&asked.from, &asked.to, problems.is_empty())
        && field_order(from, to).is_gt()
    {
        let why = said!(
            "refused-rule-span",
            "nothing lies from {from} to {to}; `from` is the lower one",
            from = from,
            to = to
        );
        problems.push(Problem::new(format!("{at}/from"), why.about(&field.name)));
    }
    problems
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::segments) enum Kind {
    Tag,
    Store,
    Region,
    Associate,
    Link,
}

impl Kind {
    /// What it is called, here and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Store => "store",
            Self::Region => "region",
            Self::Associate => "associate",
            Self::Link => "link",
        }
    }

    /// Leaves those that the scope may name, of rows `t`.
    pub fn narrow(self, filter: &mut Filter, backend: Backend, scope: &Scope) {
        match (self, &scope.reach) {
            (Self::Tag, _) => {
                filter.and_sql("t.deleted_at is null");
            }
            (_, Reach::Whole) => {}
            (Self::Link, _) => scope.narrow(filter, backend, "t"),
            (Self::Store, Reach::Stores(stores)) => {
                let place = filter.arg(db::id_list(stores.iter().map(|store| store.0)));
                filter.and_sql(&backend.in_ids("t.id", &place));
            }
            (Self::Region, Reach::Stores(stores)) => {
                let place = filter.arg(db::id_list(stores.iter().map(|store| store.0)));
                let own = backend.in_ids("s.id", &place);
                filter.and_sql(&format!(
                    "exists (select 1 from store s where s.corp_id = $1 and s.region_id = t.id and {own})"
                ));
            }
            (Self::Associate, Reach::Stores(stores)) => {
                let place = filter.arg(db::id_list(stores.iter().map(|store| store.0)));
                filter.and_sql(&backend.in_ids("t.store_id", &place));
            }
            (Self::Associate, Reach::Own(associate)) => {
                filter.and("t.id = {}", *associate);
            }
            (Self::Store | Self::Region, Reach::Own(_)) => {
                filter.and_sql("1 = 0");
            }
        }
    }
}

type Named = Vec<(Kind, i64, String)>;
type Asked<'r> = Vec<(&'r OwnField, String)>;

fn collect<'r>(rule: &'r Rule, at: &str, named: &mut Named, fields: &mut Asked<'r>) {
    match rule {
        Rule::All(parts) => each(parts, &format!("{at}/all"), named, fields),
        Rule::Any(parts) => each(parts, &format!("{at}/any"), named, fields),
        Rule::Not(part) => collect(part, &format!("{at}/not"), named, fields),
        Rule::Field(asked) => fields.push((asked, format!("{at}/field"))),
        Rule::Tag(id) => named.push((Kind::Tag, id.0, format!("{at}/tag"))),
        Rule::Store(id) => named.push((Kind::Store, id.0, format!("{at}/store"))),
        Rule::Region(id) => named.push((Kind::Region, id.0, format!("{at}/region"))),
        Rule::Associate(id) => named.push((Kind::Associate, id.0, format!("{at}/associate"))),
        Rule::Clicked(clicked) => {
            named.extend(
                clicked
                    .link
                    .map(|link| (Kind::Link, link.0, format!("{at}/clicked/link"))),
            );
        }
        Rule::Channel(_)
        | Rule::Added(_)
        | Rule::Ordered(_)
        | Rule::Messaged(_)
        | Rule::Stage(_)
        | Rule::Rfm(_)
        | Rule::Gender(_)
        | Rule::Birthday(_) => {}
    }
}

fn each<'r>(parts: &'r [Rule], at: &str, named: &mut Named, fields: &mut Asked<'r>) {
    for (index, part) in parts.iter().enumerate() {
        collect(part, &format!("{at}/{index}"), named, fields);
    }
}
