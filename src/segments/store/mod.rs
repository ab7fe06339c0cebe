//! Statements on `segment`. Segments are headquarters': a scope that is not the whole corp has none.

pub(super) mod standing;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::FromQueryResult;

use super::rule::Kind;
use super::{Rule, SamplePerson, Segment};
use crate::args;
use crate::db::{self, Conn, Filter, Tx};
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, SegmentId};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Scope};
use crate::time::Timestamp;

const MAX_NAME: usize = 60;
const SAMPLE: i64 = 5;
const SEGMENT: &str = "select id, name, rule, version, created_by, created_at, updated_at from segment";

/// Segments, last changed first. Whole-corp scopes only; others get an empty list.
pub async fn list(conn: &impl Conn, scope: &Scope, page: &PageOf) -> Result<Page<Segment>> {
    let mut filter = Filter::new("corp_id", scope.corp);
    filter.and_sql("deleted_at is null");
    if !scope.is_whole() {
        filter.and_sql("1 = 0");
    }
    if let Some((at, id)) = page.after::<(i64, i64)>()? {
        let (at, id) = (filter.arg(at), filter.arg(id));
        filter.and_sql(&format!(
            "(updated_at < {at} or (updated_at = {at} and id < {id}))"
        ));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "{SEGMENT} where {} order by updated_at desc, id desc limit {limit}",
        filter.sql()
    );
    let rows = db::all::<SegmentRow>(conn, &sql, filter.args).await?;
    let segments = rows.into_iter().map(Segment::try_from).collect::<Result<_>>()?;
    Ok(Page::cut(segments, page, |segment: &Segment| {
        (segment.updated_at.0, segment.id.0)
    }))
}

pub async fn find(conn: &impl Conn, scope: &Scope, id: SegmentId) -> Result<Segment> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let sql = format!("{SEGMENT} where corp_id = $1 and id = $2 and deleted_at is null");
    db::find::<SegmentRow>(conn, &sql, args![scope.corp, id])
        .await?
        .try_into()
}

pub async fn create(tx: &Tx, act: &Act<'_>, scope: &Scope, name: &str, rule: &Rule) -> Result<SegmentId> {
    if !scope.is_whole() {
        return Err(Error::Forbidden("segments are made by headquarters".into()));
    }
    let name = checked(name)?;
    super::rule::check(tx, scope, rule, "/rule").await?;
    let id = SegmentId::new(act.ids, act.now);
    db::run(
        tx,
        "insert into segment (corp_id, id, name, rule, version, created_by, created_at, updated_at)
         values ($1, $2, $3, $4, 1, $5, $6, $6)",
        args![
            scope.corp,
            id,
            name,
            serde_json::to_string(rule)?,
            act.by.to_string(),
            act.now
        ],
    )
    .await
    .map_err(|error| name_taken(error, name))?;
    Ok(id)
}

pub async fn change(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: SegmentId,
    name: Option<&str>,
    rule: Option<&Rule>,
) -> Result<()> {
    let old = find(tx, scope, id).await?;
    let name = match name {
        Some(name) => checked(name)?,
        None => &old.name,
    };
    if let Some(rule) = rule {
        super::rule::check(tx, scope, rule, "/rule").await?;
    }
    let changed = db::run(
        tx,
        "update segment set name = $4, rule = $5, version = version + 1, updated_at = $6
          where corp_id = $1 and id = $2 and version = $3 and deleted_at is null",
        args![
            scope.corp,
            id,
            old.version,
            name,
            serde_json::to_string(rule.unwrap_or(&old.rule))?,
            act.now
        ],
    )
    .await
    .map_err(|error| name_taken(error, name))?;
    if changed == 0 {
        return Err(Error::conflict(said!(
            "conflict-segment-changed",
            "segment `{id}` was changed just now; look again",
            id = id.to_string()
        )));
    }
    Ok(())
}

/// # Errors
/// `Conflict` while a scheduled campaign uses it. A campaign keeps its own copy of the rule, so others do not mind.
pub async fn delete(tx: &Tx, act: &Act<'_>, scope: &Scope, id: SegmentId) -> Result<()> {
    find(tx, scope, id).await?;
    let deleted = db::run(
        tx,
        "update segment set deleted_at = $3 where corp_id = $1 and id = $2 and deleted_at is null
            and not exists (select 1 from campaign c where c.corp_id = $1 and c.segment_id = $2 and c.state = 'scheduled')",
        args![scope.corp, id, act.now],
    )
    .await?;
    if deleted == 0 {
        return Err(Error::conflict(said!(
            "conflict-segment-used",
            "a scheduled campaign uses segment `{id}`; call the campaign off first",
            id = id.to_string()
        )));
    }
    Ok(())
}

fn checked(name: &str) -> Result<&str> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME {
        return Err(Error::invalid(
            "/name",
            said!(
                "refused-name-length",
                "a name has 1 to {most} characters, this one {length}",
                most = MAX_NAME,
                length = length
            ),
        ));
    }
    Ok(name)
}

fn name_taken(error: Error, name: &str) -> Error {
    error.on_conflict(
        "/name",
        said!(
            "refused-segment-name",
            "there is a segment `{name}` already; choose another name",
            name = name
        ),
    )
}

#[derive(FromQueryResult)]
struct SegmentRow {
    id: SegmentId,
    name: String,
    rule: String,
    version: i64,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<SegmentRow> for Segment {
    type Error = Error;
    fn try_from(row: SegmentRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            rule: serde_json::from_str(&row.rule)?,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

// Who a rule finds: people with a live follow in scope.

/// Everybody the rule finds in scope, as the database answers it.
pub async fn people(
    conn: &impl Conn,
    scope: &Scope,
    rule: &Rule,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Vec<ContactId>> {
    let filter = found(conn, scope, std::slice::from_ref(rule), zone, now);
    let sql = format!("select c.id from contact c where {} order by c.id", filter.sql());
    db::scalars(conn, &sql, filter.args).await
}

/// How many people all the rules find in scope, as the database answers it.
pub async fn count_people(
    conn: &impl Conn,
    scope: &Scope,
    rules: &[Rule],
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<i64> {
    let filter = found(conn, scope, rules, zone, now);
    let sql = format!("select count(*) from contact c where {}", filter.sql());
    db::count(conn, &sql, filter.args).await
}

/// The first of them, to look at.
pub(super) async fn sample(
    conn: &impl Conn,
    scope: &Scope,
    rules: &[Rule],
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Vec<SamplePerson>> {
    let mut filter = found(conn, scope, rules, zone, now);
    let limit = filter.arg(SAMPLE);
    let sql = format!(
        "select c.id, c.name from contact c where {} order by c.id limit {limit}",
        filter.sql()
    );
    let people = db::all::<PersonRow>(conn, &sql, filter.args).await?;
    Ok(people
        .into_iter()
        .map(|person| SamplePerson {
            id: person.id,
            name: person.name,
        })
        .collect())
}

/// Contacts `c` with a live follow in scope that all the rules find.
fn found(conn: &impl Conn, scope: &Scope, rules: &[Rule], zone: chrono_tz::Tz, now: Timestamp) -> Filter {
    let backend = conn.backend();
    let mut filter = Filter::new("c.corp_id", scope.corp);
    scope.narrow_contacts(&mut filter, backend, "c.id");
    for part in rules {
        let condition = super::rule::condition(part, backend, &mut filter, "c.id", now, zone);
        filter.and_sql(&condition);
    }
    filter
}

#[derive(FromQueryResult)]
struct PersonRow {
    id: ContactId,
    name: String,
}

/// Which of these rows the scope may name.
pub(super) async fn known(
    conn: &impl Conn,
    scope: &Scope,
    named: &BTreeMap<Kind, BTreeSet<i64>>,
) -> Result<HashSet<(Kind, i64)>> {
    let backend = conn.backend();
    let mut filter = Filter::new("t.corp_id", scope.corp);
    let mut parts = Vec::new();
    for (place, (kind, ids)) in named.iter().enumerate() {
        filter.begin_again();
        let ids = filter.arg(db::id_list(ids.iter().copied()));
        filter.and_sql(&backend.in_ids("t.id", &ids));
        kind.narrow(&mut filter, backend, scope);
        parts.push(format!(
            "select {place} as kind, t.id from {} t where {}",
            kind.word(),
            filter.sql()
        ));
    }
    if parts.is_empty() {
        return Ok(HashSet::new());
    }
    let kinds: Vec<Kind> = named.keys().copied().collect();
    let rows = db::rows(conn, &parts.join(" union all "), filter.args).await?;
    rows.iter()
        .map(|row| {
            let place: i32 = db::column(row, 0)?;
            Ok((kinds[place as usize], db::column(row, 1)?))
        })
        .collect()
}
