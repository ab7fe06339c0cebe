//! Statements on markings, their people who wait and those who were refused.

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Filter, Tx};
use crate::error::{Error, Result, Said};
use crate::ids::{AssociateId, ContactId, CorpId, MarkingId, SegmentId, TagId};
use crate::marking::freeze::{PART, Wish};
use crate::marking::merge::parts;
use crate::marking::{Kind, Marking, RefusedMark, State, Told, refused as reasons};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Actor, Reach, Scope};
use crate::time::{DAY_MS, Timestamp};

/// How long it is told who was refused.
const REFUSALS_MS: i64 = 90 * DAY_MS;

#[derive(FromQueryResult)]
struct Row {
    id: MarkingId,
    kind: String,
    state: String,
    set_tags: String,
    take_tags: String,
    segment_id: Option<SegmentId>,
    total: i64,
    changed: i64,
    unchanged: i64,
    refused: i64,
    turn: i64,
    created_by: String,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    problem: Option<String>,
}

impl Row {
    fn told(self) -> Result<Marking> {
        Ok(Marking {
            id: self.id,
            // A kind or a state of a newer version: somebody asked for it, and it has not ended.
            kind: Kind::parse(&self.kind).unwrap_or(Kind::Asked),
            state: State::parse(&self.state).unwrap_or(State::Running),
            add: serde_json::from_str(&self.set_tags)?,
            remove: serde_json::from_str(&self.take_tags)?,
            segment_id: self.segment_id,
            total: self.total,
            changed: self.changed,
            unchanged: self.unchanged,
            refused: self.refused,
            turn: self.turn,
            created_by: self.created_by,
            created_at: self.created_at,
            ended_at: self.ended_at,
            problem: self.problem.as_deref().map(Told::read).transpose()?,
        })
    }
}

const MARKING: &str =
    "select m.id, m.kind, m.state, m.set_tags, m.take_tags, m.segment_id, m.total, m.changed,
   m.unchanged, m.refused, m.turn, m.created_by, m.created_at, m.ended_at, m.problem from marking m";

/// What somebody sees of markings: headquarters all, others those they asked for.
fn seen(scope: &Scope, by: Actor) -> Filter {
    let mut filter = Filter::new("m.corp_id", scope.corp);
    if !scope.is_whole() {
        filter.and("m.created_by = {}", by.to_string());
    }
    filter
}

/// Markings, the last first.
pub async fn list(conn: &impl Conn, scope: &Scope, by: Actor, page: &PageOf) -> Result<Page<Marking>> {
    let mut filter = seen(scope, by);
    if let Some(after) = page.after::<MarkingId>()? {
        filter.and("m.id < {}", after);
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "{MARKING} where {} order by m.id desc limit {limit}",
        filter.sql()
    );
    let rows: Vec<Row> = db::all(conn, &sql, filter.args).await?;
    let page = Page::cut(rows, page, |row| row.id);
    Ok(Page {
        items: page.items.into_iter().map(Row::told).collect::<Result<_>>()?,
        next: page.next,
    })
}

pub async fn find(conn: &impl Conn, scope: &Scope, by: Actor, id: MarkingId) -> Result<Marking> {
    let mut filter = seen(scope, by);
    filter.and("m.id = {}", id);
    let sql = format!("{MARKING} where {}", filter.sql());
    db::find::<Row>(conn, &sql, filter.args).await?.told()
}

/// What kinds of markings these are: for who reads the history of tags.
pub async fn kinds(
    conn: &impl Conn,
    scope: &Scope,
    ids: impl IntoIterator<Item = MarkingId>,
) -> Result<HashMap<MarkingId, Kind>> {
    let sql = format!(
        "select id, kind from marking where corp_id = $1 and {}",
        conn.backend().in_ids("id", "$2")
    );
    let ids = db::id_list(ids.into_iter().map(|id| id.0));
    let rows = db::rows(conn, &sql, args![scope.corp, ids]).await?;
    rows.iter()
        .map(|row| {
            let kind: String = db::column(row, 1)?;
            Ok((db::column(row, 0)?, Kind::parse(&kind).unwrap_or(Kind::Asked)))
        })
        .collect()
}

#[derive(FromQueryResult)]
struct RefusedRow {
    contact_id: ContactId,
    contact_name: String,
    associate_name: Option<String>,
    why: String,
}

/// Who was refused, by contact; of those whom nobody in the caller's reach follows only headquarters is told.
pub async fn refused(
    conn: &impl Conn,
    scope: &Scope,
    by: Actor,
    id: MarkingId,
    page: &PageOf,
) -> Result<Page<RefusedMark>> {
    find(conn, scope, by, id).await?;
    let mut filter = Filter::new("r.corp_id", scope.corp);
    filter.and("r.marking_id = {}", id);
    if !scope.is_whole() {
        scope.narrow_contacts(&mut filter, conn.backend(), "r.contact_id");
    }
    if let Some(after) = page.after::<ContactId>()? {
        filter.and("r.contact_id > {}", after);
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "select r.contact_id, c.name as contact_name, a.name as associate_name, r.why from marking_refusal r
         join contact c on c.corp_id = r.corp_id and c.id = coalesce(
           (select m.contact_id from merged_contact m where m.corp_id = r.corp_id and m.id = r.contact_id), r.contact_id)
         left join associate a on a.corp_id = r.corp_id and a.id = r.associate_id
         where {} order by r.contact_id limit {limit}",
        filter.sql()
    );
    let rows: Vec<RefusedRow> = db::all(conn, &sql, filter.args).await?;
    let page = Page::cut(rows, page, |row| row.contact_id);
    let told = |row: RefusedRow| {
        Ok(RefusedMark {
            contact_id: row.contact_id,
            contact_name: row.contact_name,
            associate_name: row.associate_name,
            reason: Told::read(&row.why)?,
        })
    };
    Ok(Page {
        items: page.items.into_iter().map(told).collect::<Result<_>>()?,
        next: page.next,
    })
}

pub struct New<'a> {
    pub id: MarkingId,
    pub wish: &'a Wish,
    pub segment: Option<SegmentId>,
    pub total: i64,
}

pub async fn insert(tx: &Tx, act: &Act<'_>, scope: &Scope, new: &New<'_>) -> Result<()> {
    let sql = "insert into marking (corp_id, id, kind, state, set_tags, take_tags, carrying, segment_id, reach, total,
                 changed, unchanged, refused, turn, created_by, created_at)
               values ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $9, 0, 0, 0, 0, $10, $11)";
    let args = args![
        scope.corp,
        new.id,
        new.wish.kind.as_str(),
        serde_json::to_string(&new.wish.add)?,
        serde_json::to_string(&new.wish.remove)?,
        new.wish.carrying,
        new.segment,
        serde_json::to_string(&scope.reach)?,
        new.total,
        act.by.to_string(),
        act.now
    ];
    db::run(tx, sql, args).await?;
    Ok(())
}

/// People who wait, in parts numbered from `first`.
pub async fn add_parts(tx: &Tx, corp: CorpId, id: MarkingId, first: i64, people: &[ContactId]) -> Result<()> {
    let mut rows = Vec::with_capacity(parts(people.len()));
    for (part, some) in (first..).zip(people.chunks(PART)) {
        rows.push(args![corp, id, part, db::id_list(some.iter().map(|one| one.0))]);
    }
    let head = "insert into marking_part (corp_id, marking_id, part, contacts)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// What is left to do of a marking.
pub struct Task {
    pub id: MarkingId,
    pub turn: i64,
    pub by: Actor,
    /// What the asker could see.
    pub scope: Scope,
    pub add: Vec<TagId>,
    pub remove: Vec<TagId>,
    pub carrying: Option<TagId>,
}

/// One that is under way in this turn.
pub async fn task(conn: &impl Conn, corp: CorpId, id: MarkingId, turn: i64) -> Result<Option<Task>> {
    let sql = "select created_by, reach, set_tags, take_tags, carrying from marking
               where corp_id = $1 and id = $2 and turn = $3 and state = 'running'";
    let rows = db::rows(conn, sql, args![corp, id, turn]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let by: String = db::column(row, 0)?;
    let by = Actor::parse(&by).ok_or_else(|| Error::internal("an actor this version does not know"))?;
    let reach: Reach = serde_json::from_str(&db::column::<String>(row, 1)?)?;
    Ok(Some(Task {
        id,
        turn,
        by,
        scope: Scope { corp, reach },
        add: serde_json::from_str(&db::column::<String>(row, 2)?)?,
        remove: serde_json::from_str(&db::column::<String>(row, 3)?)?,
        carrying: db::column(row, 4)?,
    }))
}

pub async fn is_under_way(conn: &impl Conn, corp: CorpId, id: MarkingId, turn: i64) -> Result<bool> {
    let sql =
        "select count(*) from marking where corp_id = $1 and id = $2 and turn = $3 and state = 'running'";
    Ok(db::count(conn, sql, args![corp, id, turn]).await? > 0)
}

/// Some who wait.
pub struct Part {
    pub part: i64,
    pub contacts: Vec<ContactId>,
}

pub async fn next_part(conn: &impl Conn, corp: CorpId, id: MarkingId) -> Result<Option<Part>> {
    let sql = "select part, contacts from marking_part where corp_id = $1 and marking_id = $2 order by part limit 1";
    let rows = db::rows(conn, sql, args![corp, id]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let ids: Vec<i64> = serde_json::from_str(&db::column::<String>(row, 1)?)?;
    Ok(Some(Part {
        part: db::column(row, 0)?,
        contacts: ids.into_iter().map(ContactId).collect(),
    }))
}

pub async fn parts_left(conn: &impl Conn, corp: CorpId, id: MarkingId) -> Result<i64> {
    let sql = "select count(*) from marking_part where corp_id = $1 and marking_id = $2";
    db::count(conn, sql, args![corp, id]).await
}

/// A number that no part has had: people who are through, and parts are never larger than people.
pub async fn parts_so_far(conn: &impl Conn, corp: CorpId, id: MarkingId) -> Result<i64> {
    let sql = "select total from marking where corp_id = $1 and id = $2";
    db::count(conn, sql, args![corp, id]).await
}

/// A part is through; `false`: it was already.
pub async fn forget_part(tx: &Tx, corp: CorpId, id: MarkingId, part: i64) -> Result<bool> {
    let sql = "delete from marking_part where corp_id = $1 and marking_id = $2 and part = $3";
    Ok(db::run(tx, sql, args![corp, id, part]).await? == 1)
}

pub async fn forget_parts(tx: &Tx, corp: CorpId, id: MarkingId) -> Result<()> {
    let sql = "delete from marking_part where corp_id = $1 and marking_id = $2";
    db::run(tx, sql, args![corp, id]).await?;
    Ok(())
}

/// What became of some people.
pub struct Counts {
    pub changed: i64,
    pub unchanged: i64,
    pub refused: i64,
}

pub async fn count(tx: &Tx, corp: CorpId, id: MarkingId, counts: Counts) -> Result<()> {
    let sql = "update marking set changed = changed + $3, unchanged = unchanged + $4, refused = refused + $5
               where corp_id = $1 and id = $2";
    let Counts {
        changed,
        unchanged,
        refused,
    } = counts;
    db::run(tx, sql, args![corp, id, changed, unchanged, refused]).await?;
    Ok(())
}

/// More people are to be marked.
pub async fn grow(tx: &Tx, corp: CorpId, id: MarkingId, by: i64) -> Result<()> {
    let sql = "update marking set total = total + $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, by]).await?;
    Ok(())
}

/// Somebody who was not marked.
pub struct Refusal {
    contact: ContactId,
    associate: Option<AssociateId>,
    why: String,
}

impl Refusal {
    pub fn of(contact: ContactId, associate: Option<AssociateId>, why: &Said) -> Self {
        Self {
            contact,
            associate,
            why: Told::from(why).kept(),
        }
    }
}

pub async fn refuse(tx: &Tx, corp: CorpId, id: MarkingId, refused: Vec<Refusal>) -> Result<()> {
    let rows = refused
        .into_iter()
        .map(|one| args![corp, id, one.contact, one.associate, one.why]);
    let head = "insert into marking_refusal (corp_id, marking_id, contact_id, associate_id, why)";
    db::insert_many(tx, head, rows, "on conflict do nothing").await?;
    Ok(())
}

pub async fn refused_ids(conn: &impl Conn, corp: CorpId, id: MarkingId) -> Result<HashSet<ContactId>> {
    let sql = "select contact_id from marking_refusal where corp_id = $1 and marking_id = $2";
    Ok(db::scalars(conn, sql, args![corp, id])
        .await?
        .into_iter()
        .collect())
}

/// Whether somebody was refused whom the associate still follows, as far as the platform says.
pub async fn has_real_refusals(conn: &impl Conn, corp: CorpId, id: MarkingId) -> Result<bool> {
    let gone = Told::from(&reasons::not_followed()).kept();
    let sql = "select count(*) from marking_refusal where corp_id = $1 and marking_id = $2 and why <> $3";
    Ok(db::count(conn, sql, args![corp, id, gone]).await? > 0)
}

/// Moves it from one state to another; `false`: it is not in the first.
pub async fn move_on(
    tx: &Tx,
    corp: CorpId,
    id: MarkingId,
    from: State,
    to: State,
    problem: Option<&Told>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "update marking set state = $4, problem = cast($5 as text), ended_at = cast($6 as bigint)
               where corp_id = $1 and id = $2 and state = $3";
    let ended_at = to.is_final().then_some(now);
    let problem = problem.map(Told::kept);
    let args = args![corp, id, from.as_str(), to.as_str(), problem, ended_at];
    Ok(db::run(tx, sql, args).await? == 1)
}

/// Begins another turn: jobs of those before do nothing more.
pub async fn next_turn(tx: &Tx, corp: CorpId, id: MarkingId) -> Result<i64> {
    let sql = "update marking set turn = turn + 1 where corp_id = $1 and id = $2 returning turn";
    db::scalar(tx, sql, args![corp, id]).await?.ok_or(Error::NotFound)
}

/// Forgets who was refused long ago; what the markings came to stays.
pub async fn sweep(tx: &Tx, corp: CorpId, now: Timestamp) -> Result<()> {
    let sql = "delete from marking_refusal where corp_id = $1 and marking_id in
                 (select id from marking where corp_id = $1 and ended_at < $2)";
    db::run(tx, sql, args![corp, now.plus_ms(-REFUSALS_MS)]).await?;
    Ok(())
}
