//! Segments: the list, and the builder of rules.

mod builder;
pub mod form;
mod leaf;
mod list;
mod sample;
pub mod words;

use axum::extract::State;
use axum::response::Response;

use super::shell::{FieldProblem, problems};
use super::{Form, Path, Query, Result, Shell, Show, session};
use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::error::{Error, said};
use crate::ids::SegmentId;
use crate::links::Titled;
use crate::page::PageOf;
use crate::routes::Routes;
use crate::segments::{self, Clicked, Preview, Rule, rule};
use crate::{campaigns, contacts, directory, links, orders, tags};

pub(super) use builder::link_label;
pub use builder::{Asked, BuilderPage, Count, Known, Use};
use form::{Edit, Fields, Kind, Reading, Row};
pub use list::SegmentsPage;
pub(super) use sample::{names as sample_names, rule as sample_rule};
use words::Names;

/// Broadcasts of a segment that its page shows.
const USES: i64 = 10;

/// Associates in the select; a chain's thousands are found by store instead.
const ASSOCIATES: i64 = 200;
/// Links in the select, the newest.
const LINKS: i64 = 100;
/// Words of a list to choose from.
const WORDS: i64 = 200;
/// Categories that are named where another was asked for.
const NAMED: usize = 8;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard)
        .get("/segments", Policy::Can(Permission::SegmentsRead), list::show)
        .get("/segments/new", Policy::Can(Permission::SegmentsRead), begin)
        .post("/segments/new", Policy::Can(Permission::SegmentsWrite), create)
        .post("/segments/preview", Policy::Can(Permission::SegmentsRead), count)
        .get("/segments/{id}", Policy::Can(Permission::SegmentsRead), show)
        .post("/segments/{id}", Policy::Can(Permission::SegmentsWrite), change)
}

async fn begin(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(fields): Query<Fields>,
) -> Result<Show<BuilderPage>> {
    let asked = if !fields.rule.is_empty() {
        asked(parse(&fields.rule)?)
    } else if fields.kind.is_empty() {
        Asked::Rows(vec![Row::default()])
    } else {
        Asked::Rows(fields.rows())
    };
    builder(&app, shell, &me, None, fields.name, asked, Vec::new()).await
}

async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<SegmentId>,
    Query(fields): Query<Fields>,
) -> Result<Show<BuilderPage>> {
    let segment = segments::find(&app.db, &me.scope, id).await?;
    let (name, asked) = if !fields.rule.is_empty() {
        (fields.name.clone(), asked(parse(&fields.rule)?))
    } else if fields.kind.is_empty() {
        (segment.name, asked(segment.rule))
    } else {
        (fields.name.clone(), Asked::Rows(fields.rows()))
    };
    builder(&app, shell, &me, Some(id), name, asked, Vec::new()).await
}

async fn create(app: State<App>, shell: Shell, me: Operator, Form(fields): Form<Fields>) -> Result<Response> {
    press(&app, shell, &me, None, fields).await
}

async fn change(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<SegmentId>,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    if fields.action == "delete" {
        let tx = app.db.begin().await?;
        segments::delete(&tx, &app.act(me.actor()), &me.scope, id).await?;
        tx.commit().await?;
        return Ok(shell.go_saying("/segments", "toast-segment-deleted", &[]));
    }
    press(&app, shell, &me, Some(id), fields).await
}

/// Counts what the form says now, for the script; the same markup as on the page.
async fn count(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Form(fields): Form<Fields>,
) -> Result<Show<Count>> {
    let (deep, reading) = match fields.rule.as_str() {
        "" => (None, form::read(&fields.rows())),
        json => (Some(parse(json)?), Reading::default()),
    };
    let rule = deep.as_ref().or(reading.rule.as_ref());
    let preview = match preview(&app, &me, rule).await {
        Err(Error::Invalid(_)) => None,
        counted => counted?,
    };
    let mut count = Count::new(&shell, rule, &reading.groups, preview.as_ref());
    let strange = strange(&app, &shell, &me, rule, preview.as_ref()).await?;
    count.remarks.splice(0..0, strange);
    Ok(Show(count))
}

/// A button of the form: a change of the rows comes back as an address; saving saves.
async fn press(
    app: &App,
    shell: Shell,
    me: &Operator,
    id: Option<SegmentId>,
    fields: Fields,
) -> Result<Response> {
    let mut rows = fields.rows();
    let path = id.map_or_else(|| "/segments/new".to_owned(), |id| format!("/segments/{id}"));
    let is_saving = matches!(fields.action.as_str(), "save" | "use");
    if !is_saving {
        if !fields.rule.is_empty() {
            // Nothing of it is a row that could be changed.
            let (rule, name) = (shell.encode(&fields.rule), shell.encode(&fields.name));
            return Ok(shell.go(&format!("{path}?rule={rule}&name={name}")));
        }
        if let Some(edit) = Edit::parse(&fields.action) {
            edit.apply(&mut rows);
        }
        if rows.is_empty() {
            rows.push(Row::default());
        }
        return Ok(shell.go(&address(&shell, &path, &fields.name, &rows)));
    }
    let asked = if fields.rule.is_empty() {
        Asked::Rows(rows)
    } else {
        asked(parse(&fields.rule)?)
    };
    let saved = if fields.are_too_many() {
        Err(vec![FieldProblem {
            field: String::new(),
            message: shell.t("segment-full"),
        }])
    } else {
        save(app, &shell, me, id, fields.name.trim(), &asked).await?
    };
    match saved {
        Ok(saved) if fields.action == "use" => Ok(shell.go(&format!("/campaigns/new?segment={saved}"))),
        Ok(saved) => {
            let name = fields.name.trim().to_owned();
            Ok(shell.go_saying(
                &format!("/segments/{saved}"),
                "toast-segment-saved",
                &[("name", name.into())],
            ))
        }
        Err(problems) => {
            let page = builder(app, shell.clone(), me, id, fields.name, asked, problems).await?;
            Ok(shell.refused(page))
        }
    }
}

/// Saves a new segment or a change; what is wrong with it otherwise.
async fn save(
    app: &App,
    shell: &Shell,
    me: &Operator,
    id: Option<SegmentId>,
    name: &str,
    asked: &Asked,
) -> Result<Result<SegmentId, Vec<FieldProblem>>> {
    let (rule, mut wrong) = match asked {
        Asked::Deep(rule) => (Some(rule.clone()), Vec::new()),
        Asked::Rows(rows) => {
            let reading = form::read(rows);
            let said = reading.problems.iter().map(|(place, why)| FieldProblem {
                field: format!("rows-{place}"),
                message: shell.t(&format!("segment-row-{why}")),
            });
            (reading.rule.clone(), said.collect())
        }
    };
    let lacks = |field: &str, key: &str| FieldProblem {
        field: field.into(),
        message: shell.t(key),
    };
    if name.is_empty() {
        wrong.push(lacks("name", "segment-no-name"));
    }
    let Some(rule) = rule.filter(|_| wrong.is_empty()) else {
        if wrong.is_empty() {
            wrong.push(lacks("rows-0", "segment-no-rule"));
        }
        return Ok(Err(wrong));
    };
    match write(app, me, id, name, &rule).await {
        Ok(id) => Ok(Ok(id)),
        Err(error) => Ok(Err(refused(shell, asked, error)?)),
    }
}

/// What is wrong, at the row or the field where it was typed.
fn refused(shell: &Shell, asked: &Asked, error: Error) -> crate::error::Result<Vec<FieldProblem>> {
    let Error::Invalid(mut found) = error else {
        return problems(shell, error);
    };
    for problem in found
        .iter_mut()
        .filter(|problem| problem.pointer.starts_with("/rule"))
    {
        let row = match asked {
            Asked::Rows(rows) => form::row_at(rows, &problem.pointer),
            Asked::Deep(_) => None,
        };
        problem.pointer = row.map(|place| format!("/rows/{place}")).unwrap_or_default();
    }
    problems(shell, Error::Invalid(found))
}

async fn write(
    app: &App,
    me: &Operator,
    id: Option<SegmentId>,
    name: &str,
    rule: &Rule,
) -> crate::error::Result<SegmentId> {
    bounded(rule)?;
    rule::check(&app.db, &me.scope, rule, "/rule").await?;
    let tx = app.db.begin().await?;
    let act = app.act(me.actor());
    let id = match id {
        None => segments::create(&tx, &act, &me.scope, name, rule).await?,
        Some(id) => {
            segments::change(&tx, &act, &me.scope, id, Some(name), Some(rule)).await?;
            id
        }
    };
    tx.commit().await?;
    Ok(id)
}

async fn builder(
    app: &App,
    shell: Shell,
    me: &Operator,
    id: Option<SegmentId>,
    name: String,
    asked: Asked,
    mut problems: Vec<FieldProblem>,
) -> Result<Show<BuilderPage>> {
    let rule = match &asked {
        Asked::Rows(rows) => form::read(rows).rule,
        Asked::Deep(rule) => Some(rule.clone()),
    };
    let linked = linked(&asked);
    let mut names = names(app, me, rule.iter().chain(&linked)).await?;
    let known = known(app, me, |kind| asked.has(kind)).await?;
    if asked.has(Kind::Clicked) {
        names.links = offered_links(app, me, names.links).await?;
    }
    // What a rule names may be gone since: the page is where that is mended.
    let preview = match preview(app, me, rule.as_ref()).await {
        Err(error @ Error::Invalid(_)) if problems.is_empty() => {
            problems = refused(&shell, &asked, error)?;
            None
        }
        Err(Error::Invalid(_)) => None,
        counted => counted?,
    };
    let uses = match id {
        Some(id) => uses(app, &shell, me, id).await?,
        None => Vec::new(),
    };
    let strange = strange(app, &shell, me, rule.as_ref(), preview.as_ref()).await?;
    let mut page = BuilderPage::new(shell, id, name, asked, &names, preview.as_ref(), problems);
    page.count.remarks.splice(0..0, strange);
    Ok(Show(BuilderPage { uses, known, ..page }))
}

/// Broadcasts of a segment, newest first.
async fn uses(app: &App, shell: &Shell, me: &Operator, id: SegmentId) -> Result<Vec<Use>> {
    let campaigns = campaigns::of_segment(&app.db, &me.scope, id, USES).await?;
    let used = campaigns.into_iter().map(|campaign| Use {
        link: format!("/campaigns/{}", campaign.id),
        state: shell.t(&format!("campaign-{}", campaign.state.as_str())),
        name: campaign.name,
    });
    Ok(used.collect())
}

/// What the form can say and no rule may: times that are none, texts that are too long.
fn bounded(rule: &Rule) -> crate::error::Result<()> {
    let written = serde_json::to_value(rule).map_err(Error::internal)?;
    rule::read(&written, "/rule").map(drop)
}

async fn preview(app: &App, me: &Operator, rule: Option<&Rule>) -> crate::error::Result<Option<Preview>> {
    let Some(rule) = rule else { return Ok(None) };
    bounded(rule)?;
    let preview = segments::checked_preview(app, &me.scope, rule, "/rule", me.zone, app.now()).await?;
    Ok(Some(preview))
}

/// The words there are for the kinds of conditions that a page asks for.
pub(super) async fn known(
    app: &App,
    me: &Operator,
    has: impl Fn(Kind) -> bool,
) -> crate::error::Result<Known> {
    let mut known = Known::default();
    if has(Kind::Ordered) {
        known.categories = orders::product_categories(&app.db, &me.scope, WORDS).await?;
    }
    if has(Kind::Channel) {
        known.channels = segments::index::channels(app, &me.scope, me.zone, WORDS as usize).await?;
    }
    Ok(known)
}

/// The links of rows, of those too that say no days yet.
fn linked(asked: &Asked) -> Vec<Rule> {
    let link = |row: &Row| {
        let is_link = row.kind == Kind::Clicked;
        let link = is_link.then(|| row.value.parse().ok()).flatten()?;
        Some(Rule::Clicked(Clicked {
            within_days: 1,
            link: Some(link),
        }))
    };
    match asked {
        Asked::Rows(rows) => rows.iter().filter_map(link).collect(),
        Asked::Deep(_) => Vec::new(),
    }
}

/// The newest links to choose from, and behind them those that are named already.
pub(super) async fn offered_links(
    app: &App,
    me: &Operator,
    mut named: Vec<Titled>,
) -> crate::error::Result<Vec<Titled>> {
    let mut offered = links::newest_titled(&app.db, &me.scope, LINKS).await?;
    named.retain(|link| offered.iter().all(|new| new.id != link.id));
    offered.append(&mut named);
    Ok(offered)
}

/// Where nobody is found: remarks on categories that the rule asks for and no product has.
async fn strange(
    app: &App,
    shell: &Shell,
    me: &Operator,
    rule: Option<&Rule>,
    preview: Option<&Preview>,
) -> crate::error::Result<Vec<String>> {
    if preview.is_none_or(|preview| preview.count > 0) {
        return Ok(Vec::new());
    }
    let category = |leaf: &Rule| match leaf {
        Rule::Ordered(ordered) => ordered.category.clone(),
        _ => None,
    };
    let mut asked: Vec<String> = rule
        .iter()
        .flat_map(|rule| rule.leaves())
        .filter_map(category)
        .collect();
    asked.sort_unstable();
    asked.dedup();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let known = orders::product_categories(&app.db, &me.scope, i64::MAX).await?;
    asked.retain(|category| !known.is_empty() && !known.contains(category));
    let mut named = known[..known.len().min(NAMED)].join(&shell.t("say-and"));
    if known.len() > NAMED {
        named.push('…');
    }
    let remark = |category: &String| {
        shell.with(
            "segment-remark-category",
            &[("name", category), ("known", &named)],
        )
    };
    Ok(asked.iter().map(remark).collect())
}

/// Everything that rules can point at in this person's scope, and whatever else these do.
pub(super) async fn names<'r>(
    app: &App,
    me: &Operator,
    rules: impl IntoIterator<Item = &'r Rule>,
) -> Result<Names> {
    let (mut named, mut links) = (Vec::new(), Vec::new());
    for leaf in rules.into_iter().flat_map(Rule::leaves) {
        match leaf {
            Rule::Associate(id) => named.push(*id),
            Rule::Clicked(clicked) => links.extend(clicked.link),
            _ => {}
        }
    }
    let mut associates = directory::associates(&app.db, &me.scope, None, &PageOf::first(ASSOCIATES)).await?;
    named.retain(|id| associates.items.iter().all(|associate| associate.id != *id));
    if !named.is_empty() {
        let others = directory::associates_by_id(&app.db, &me.scope, &named).await?;
        associates.items.extend(others);
    }
    Ok(Names {
        links: links::titled_by_id(&app.db, &me.scope, &links).await?,
        tags: tags::groups(&app.db, &me.scope).await?,
        regions: directory::regions(&app.db, &me.scope).await?,
        stores: directory::all_stores(&app.db, &me.scope).await?,
        associates: associates.items,
        fields: contacts::fields(&app.db, me.corp).await?,
    })
}

/// A rule as rows, or as it is when it has none.
fn asked(rule: Rule) -> Asked {
    match form::rows(&rule) {
        Some(rows) => Asked::Rows(rows),
        None => Asked::Deep(rule),
    }
}

/// Reads a rule written as JSON.
pub(super) fn parse(json: &str) -> Result<Rule> {
    let value = serde_json::from_str(json)
        .map_err(|_| Error::invalid("/rule", said!("refused-rule", "the rule is not JSON")))?;
    Ok(rule::read(&value, "/rule")?)
}

fn address(shell: &Shell, path: &str, name: &str, rows: &[Row]) -> String {
    let pairs = Fields::pairs(name, rows);
    let written: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", shell.encode(value)))
        .collect();
    format!("{path}?{}", written.join("&"))
}
