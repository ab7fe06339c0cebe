//! Statements on moments, their parts, tasks and interactions; `click`, `credit` and `adjustment` are only read.

mod states;

pub(super) use states::*;

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use super::{MomentRow, MomentTask};
use crate::args;
use crate::db::{self, Backend, Conn, Filter, Tx};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, ExternalUserId, MomentId, StoreId, TagId, UserId};
use crate::links::content::Content;
use crate::money::Fen;
use crate::page::{Page, PageOf};
use crate::scope::{Reach, Scope};
use crate::segments::Rule;
use crate::time::Timestamp;

/// Moments with a task in scope, newest first; counts are of the scope.
pub async fn list(conn: &impl Conn, scope: &Scope, page: &PageOf) -> Result<Page<MomentRow>> {
    let mut filter = Filter::new("m.corp_id", scope.corp);
    let columns = in_scope(scope, conn.backend(), &mut filter);
    if let Some((at, id)) = page.after::<(i64, i64)>()? {
        let (at, id) = (filter.arg(at), filter.arg(id));
        filter.and_sql(&format!(
            "(m.created_at < {at} or (m.created_at = {at} and m.id < {id}))"
        ));
    }
    let limit = filter.arg(page.limit() + 1);
    let sql = format!(
        "{columns} where {} order by m.created_at desc, m.id desc limit {limit}",
        filter.sql()
    );
    let rows = db::all::<Row>(conn, &sql, filter.args).await?;
    let moments = rows.into_iter().map(MomentRow::try_from).collect::<Result<_>>()?;
    Ok(Page::cut(moments, page, |moment: &MomentRow| {
        (moment.created_at.0, moment.id.0)
    }))
}

pub async fn find(conn: &impl Conn, scope: &Scope, id: MomentId) -> Result<MomentRow> {
    let mut filter = Filter::new("m.corp_id", scope.corp);
    let columns = in_scope(scope, conn.backend(), &mut filter);
    filter.and("m.id = {}", id);
    let sql = format!("{columns} where {}", filter.sql());
    db::find::<Row>(conn, &sql, filter.args).await?.try_into()
}

/// Narrows to moments with a task in scope, and answers a select whose counts are of the scope.
fn in_scope(scope: &Scope, backend: Backend, filter: &mut Filter) -> String {
    let place = match &scope.reach {
        Reach::Whole => String::new(),
        Reach::Stores(stores) => filter.arg(db::id_list(stores.iter().map(|store| store.0))),
        Reach::Own(associate) => filter.arg(*associate),
    };
    let own = |alias: &str| match &scope.reach {
        Reach::Whole => "1 = 1".to_owned(),
        Reach::Stores(_) => backend.in_ids(&format!("{alias}.store_id"), &place),
        Reach::Own(_) => format!("{alias}.associate_id = {place}"),
    };
    let of = |table: &str, alias: &str| {
        format!(
            "from {table} {alias} where {alias}.corp_id = m.corp_id and {alias}.moment_id = m.id and {}",
            own(alias)
        )
    };
    let tasks = of("moment_task", "t");
    filter.and_sql(&format!("exists (select 1 {tasks})"));
    let reactions = format!(
        "from moment_interaction i join moment_task t on t.corp_id = i.corp_id and t.moment_id = i.moment_id
           and t.associate_id = i.associate_id
          where i.corp_id = m.corp_id and i.moment_id = m.id and {}",
        own("t")
    );
    let credits = of("credit", "c");
    let refunds = format!(
        "from credit c join adjustment j on j.corp_id = c.corp_id and j.order_id = c.order_id and j.part = c.part
          where c.corp_id = m.corp_id and c.moment_id = m.id and {}",
        own("c")
    );
    format!(
        "select m.id, m.text, m.attachments, m.state, m.starts_at, m.created_by, m.created_at, m.error,
           (select count(*) {tasks}) as assigned,
           (select count(*) {tasks} and t.state = 'published') as published,
           coalesce((select cast(sum(t.visible) as bigint) {tasks}), 0) as visible,
           (select count(*) {reactions} and i.kind = 'like') as likes,
           (select count(*) {reactions} and i.kind = 'comment') as comments,
           (select count(*) {} and k.kind = 'person') as clicks,
           (select count(distinct c.order_id) {credits}) as orders,
           coalesce((select cast(sum(c.paid_fen) as bigint) {credits}), 0)
             - coalesce((select cast(sum(j.refund_fen) as bigint) {refunds}), 0) as net_fen
           from moment m",
        of("click", "k")
    )
}

/// Tasks in scope, those that wait first.
pub async fn tasks(conn: &impl Conn, scope: &Scope, id: MomentId) -> Result<Vec<MomentTask>> {
    find(conn, scope, id).await?;
    let mut filter = Filter::new("t.corp_id", scope.corp);
    filter.and("t.moment_id = {}", id);
    scope.narrow(&mut filter, conn.backend(), "t");
    let reactions = "from moment_interaction i where i.corp_id = t.corp_id and i.moment_id = t.moment_id
       and i.associate_id = t.associate_id";
    let sql = format!(
        "select t.associate_id, a.name as associate_name, s.name as store_name, t.state, t.published_at, t.visible,
                (select count(*) {reactions} and i.kind = 'like') as likes,
                (select count(*) {reactions} and i.kind = 'comment') as comments
           from moment_task t
           join associate a on a.corp_id = t.corp_id and a.id = t.associate_id
           left join store s on s.corp_id = t.corp_id and s.id = t.store_id
          where {} order by case when t.state = 'published' then 1 else 0 end, s.name, a.name, t.associate_id",
        filter.sql()
    );
    let rows = db::all::<TaskRow>(conn, &sql, filter.args).await?;
    Ok(rows
        .into_iter()
        .map(|row| MomentTask {
            associate_id: row.associate_id,
            associate_name: row.associate_name,
            store_name: row.store_name,
            state: row.state,
            published_at: row.published_at,
            visible: row.visible,
            likes: row.likes,
            comments: row.comments,
        })
        .collect())
}

/// Somebody who can post.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Sender {
    pub associate_id: AssociateId,
    pub store_id: Option<StoreId>,
    pub userid: UserId,
    pub name: String,
}

/// Everybody in scope who can post.
pub(super) async fn senders(conn: &impl Conn, scope: &Scope) -> Result<Vec<Sender>> {
    let mut filter = Filter::new("a.corp_id", scope.corp);
    scope.narrow(&mut filter, conn.backend(), "a");
    let sql = format!(
        "select a.associate_id, a.store_id, a.userid, a.name
           from (select corp_id, id as associate_id, store_id, userid, name, status from associate) a
          where {} and a.status = 'active' order by a.associate_id",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// Who posts a part.
pub(super) async fn senders_of(conn: &impl Conn, corp: CorpId, part: &Part) -> Result<Vec<Sender>> {
    let sql = "select t.associate_id, t.store_id, a.userid, a.name from moment_task t
                 join associate a on a.corp_id = t.corp_id and a.id = t.associate_id
                where t.corp_id = $1 and t.moment_id = $2 and t.part = $3 order by t.associate_id";
    db::all(conn, sql, args![corp, part.moment_id, part.n]).await
}

/// What the platform is asked for once, with what it takes to ask.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Part {
    pub moment_id: MomentId,
    pub n: i64,
    pub state: String,
    pub code: String,
    pub store_name: Option<String>,
    pub call_started_at: Option<Timestamp>,
    pub jobid: Option<String>,
    pub platform_id: Option<String>,
    pub created_at: Option<Timestamp>,
    pub moment_state: String,
    text: String,
    attachments: String,
    rule: Option<String>,
    zone: String,
}

impl Part {
    pub fn tz(&self) -> chrono_tz::Tz {
        crate::time::zone(&self.zone).unwrap_or(chrono_tz::Asia::Shanghai)
    }

    pub fn content(&self) -> Result<Content> {
        read_content(&self.text, &self.attachments)
    }

    pub fn rule(&self) -> Result<Option<Rule>> {
        let rule = self.rule.as_deref().map(serde_json::from_str).transpose()?;
        Ok(rule)
    }
}

fn read_content(text: &str, attachments: &str) -> Result<Content> {
    Ok(Content {
        text: text.to_owned(),
        attachments: serde_json::from_str(attachments)?,
    })
}

pub async fn find_part(conn: &impl Conn, corp: CorpId, moment: MomentId, n: i64) -> Result<Part> {
    let sql = "select p.moment_id, p.n, p.state, l.code, s.name as store_name, p.call_started_at, p.jobid,
                      p.platform_id, p.created_at, m.state as moment_state, m.text, m.attachments, m.rule,
                      coalesce(s.zone, c.zone) as zone
                 from moment_part p
                 join moment m on m.corp_id = p.corp_id and m.id = p.moment_id
                 join corp c on c.id = p.corp_id
                 join link l on l.corp_id = p.corp_id and l.id = p.link_id
                 left join store s on s.corp_id = p.corp_id and s.id = p.store_id
                where p.corp_id = $1 and p.moment_id = $2 and p.n = $3";
    db::find(conn, sql, args![corp, moment, n]).await
}

pub(super) async fn parts_in(
    conn: &impl Conn,
    corp: CorpId,
    moment: MomentId,
    state: &str,
) -> Result<Vec<i64>> {
    let sql = "select n from moment_part where corp_id = $1 and moment_id = $2 and state = $3 order by n";
    db::scalars(conn, sql, args![corp, moment, state]).await
}

/// A part in which something is still to happen.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct OpenPart {
    pub moment_id: MomentId,
    pub n: i64,
    pub state: String,
    pub call_started_at: Option<Timestamp>,
    pub starts_at: Timestamp,
}

/// Parts that are on their way, and those that are out and were made since `followed_since` or still wait for
/// somebody.
pub(super) async fn open_parts(
    conn: &impl Conn,
    corp: CorpId,
    followed_since: Timestamp,
) -> Result<Vec<OpenPart>> {
    let sql = "select p.moment_id, p.n, p.state, p.call_started_at, m.starts_at
                 from moment_part p join moment m on m.corp_id = p.corp_id and m.id = p.moment_id
                where p.corp_id = $1 and (
                  (m.state = 'creating' and p.state = 'planned')
                  or p.state in ('calling', 'creating', 'unknown')
                  or (p.state = 'created' and (p.created_at > $2 or exists (
                    select 1 from moment_task t where t.corp_id = p.corp_id and t.moment_id = p.moment_id
                       and t.part = p.n and t.state = 'tasked'))))
                order by p.moment_id, p.n";
    db::all(conn, sql, args![corp, followed_since]).await
}

/// Planned moments whose time has come.
pub(super) async fn due(conn: &impl Conn, corp: CorpId, now: Timestamp) -> Result<Vec<MomentId>> {
    let sql =
        "select id from moment where corp_id = $1 and state = 'planned' and starts_at <= $2 order by id";
    db::scalars(conn, sql, args![corp, now]).await
}

/// Tags as the platform calls them.
pub(super) async fn platform_tags(
    conn: &impl Conn,
    corp: CorpId,
    tags: Option<Vec<TagId>>,
) -> Result<Vec<String>> {
    let sql = format!(
        "select platform_id from tag where corp_id = $1 and deleted_at is null and {} order by id",
        conn.backend().in_ids("id", "$2")
    );
    let ids = db::id_list(tags.unwrap_or_default().into_iter().map(|tag| tag.0));
    db::scalars(conn, &sql, args![corp, ids]).await
}

/// A sender's part in a moment.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Task {
    pub associate_id: AssociateId,
    pub store_id: Option<StoreId>,
    pub userid: UserId,
}

/// Moves a part's tasks on, all or those of some associates; answers which moved.
pub(super) async fn move_tasks(
    tx: &Tx,
    corp: CorpId,
    part: &Part,
    from: &str,
    to: &str,
    only: Option<&[AssociateId]>,
) -> Result<Vec<Task>> {
    if only.is_some_and(<[_]>::is_empty) {
        return Ok(Vec::new());
    }
    let mut filter = Filter::new("corp_id", corp);
    filter.and("moment_id = {}", part.moment_id);
    filter.and("part = {}", part.n);
    filter.and("state = {}", from);
    if let Some(only) = only {
        let place = filter.arg(db::id_list(only.iter().map(|associate| associate.0)));
        filter.and_sql(&tx.backend().in_ids("associate_id", &place));
    }
    let to = filter.arg(to);
    let sql = format!(
        "update moment_task set state = {to} where {} returning associate_id, store_id,
           (select a.userid from associate a where a.corp_id = moment_task.corp_id and a.id = moment_task.associate_id) as userid",
        filter.sql()
    );
    db::all(tx, &sql, filter.args).await
}

/// Ends tasks that nobody has done: all of a moment, or those of a part.
pub(super) async fn close_tasks(
    tx: &Tx,
    corp: CorpId,
    moment: MomentId,
    part: Option<i64>,
    to: &str,
) -> Result<u64> {
    let mut filter = Filter::new("corp_id", corp);
    filter.and("moment_id = {}", moment);
    filter.and_sql("state in ('planned', 'tasked')");
    if let Some(part) = part {
        filter.and("part = {}", part);
    }
    let to = filter.arg(to);
    let sql = format!("update moment_task set state = {to} where {}", filter.sql());
    db::run(tx, &sql, filter.args).await
}

/// Those of the associates who were given the task before it was stopped.
pub(super) async fn stopped(
    conn: &impl Conn,
    corp: CorpId,
    part: &Part,
    associates: &[AssociateId],
) -> Result<Vec<AssociateId>> {
    let sql = format!(
        "select associate_id from moment_task where corp_id = $1 and moment_id = $2 and state = 'cancelled'
            and due_day is not null and {}",
        conn.backend().in_ids("associate_id", "$3")
    );
    let ids = db::id_list(associates.iter().map(|associate| associate.0));
    db::scalars(conn, &sql, args![corp, part.moment_id, ids]).await
}

pub(super) async fn set_due(
    tx: &Tx,
    corp: CorpId,
    part: &Part,
    associates: &[AssociateId],
    at: Timestamp,
) -> Result<()> {
    let sql = format!(
        "update moment_task set due_day = $4 where corp_id = $1 and moment_id = $2 and {}",
        tx.backend().in_ids("associate_id", "$3")
    );
    let ids = db::id_list(associates.iter().map(|associate| associate.0));
    db::run(tx, &sql, args![corp, part.moment_id, ids, at.day(part.tz())]).await?;
    Ok(())
}

pub(super) async fn set_published(
    tx: &Tx,
    corp: CorpId,
    part: &Part,
    associates: &[AssociateId],
    at: Timestamp,
) -> Result<()> {
    let sql = format!(
        "update moment_task set published_at = $4, published_day = $5 where corp_id = $1 and moment_id = $2 and {}",
        tx.backend().in_ids("associate_id", "$3")
    );
    let ids = db::id_list(associates.iter().map(|associate| associate.0));
    db::run(tx, &sql, args![corp, part.moment_id, ids, at, at.day(part.tz())]).await?;
    Ok(())
}

/// Published posts of a part that were not read since `before`, longest ago first.
pub(super) async fn tasks_to_read(
    conn: &impl Conn,
    corp: CorpId,
    part: &Part,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Task>> {
    let sql = "select t.associate_id, t.store_id, a.userid from moment_task t
                 join associate a on a.corp_id = t.corp_id and a.id = t.associate_id
                where t.corp_id = $1 and t.moment_id = $2 and t.part = $3 and t.state = 'published'
                  and coalesce(t.seen_at, 0) <= $4
                order by coalesce(t.seen_at, 0), t.associate_id limit $5";
    db::all(conn, sql, args![corp, part.moment_id, part.n, before, limit]).await
}

pub(super) async fn set_read(
    tx: &Tx,
    corp: CorpId,
    moment: MomentId,
    associate: AssociateId,
    visible: i64,
    at: Timestamp,
) -> Result<()> {
    let sql = "update moment_task set visible = $4, seen_at = $5
                where corp_id = $1 and moment_id = $2 and associate_id = $3";
    db::run(tx, sql, args![corp, moment, associate, visible, at]).await?;
    Ok(())
}

/// Puts a post that could not be read behind the others.
pub(super) async fn pass_over(
    tx: &Tx,
    corp: CorpId,
    moment: MomentId,
    associate: AssociateId,
    at: Timestamp,
) -> Result<()> {
    let sql =
        "update moment_task set seen_at = $4 where corp_id = $1 and moment_id = $2 and associate_id = $3";
    db::run(tx, sql, args![corp, moment, associate, at]).await?;
    Ok(())
}

pub(super) async fn interactions(
    conn: &impl Conn,
    corp: CorpId,
    moment: MomentId,
    associate: AssociateId,
) -> Result<HashSet<(ContactId, String, Timestamp)>> {
    let sql = "select contact_id, kind, at from moment_interaction
                where corp_id = $1 and moment_id = $2 and associate_id = $3";
    let rows = db::rows(conn, sql, args![corp, moment, associate]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?, db::column(row, 2)?)))
        .collect()
}

pub(super) async fn add_interactions(
    tx: &Tx,
    corp: CorpId,
    moment: MomentId,
    associate: AssociateId,
    fresh: &[(ContactId, &str, Timestamp)],
) -> Result<()> {
    let rows = fresh
        .iter()
        .map(|(contact, kind, at)| args![corp, moment, associate, *contact, *kind, *at]);
    let head = "insert into moment_interaction (corp_id, moment_id, associate_id, contact_id, kind, at)";
    db::insert_many(tx, head, rows, "on conflict do nothing").await?;
    Ok(())
}

/// Customers by the platform's ids; those we do not know are left out.
pub(super) async fn contacts_named(
    conn: &impl Conn,
    corp: CorpId,
    named: impl Iterator<Item = &ExternalUserId>,
) -> Result<HashMap<ExternalUserId, ContactId>> {
    let named: HashSet<&ExternalUserId> = named.collect();
    let mut found = HashMap::with_capacity(named.len());
    let named: Vec<&ExternalUserId> = named.into_iter().collect();
    for chunk in named.chunks(1_000) {
        let mut filter = Filter::new("corp_id", corp);
        let places: Vec<String> = chunk
            .iter()
            .map(|external| filter.arg(external.as_str()))
            .collect();
        filter.and_sql(&format!("external_userid in ({})", places.join(",")));
        let sql = format!(
            "select external_userid, contact_id from known_contact where {}",
            filter.sql()
        );
        for row in db::rows(conn, &sql, filter.args).await? {
            found.insert(db::column(&row, 0)?, db::column(&row, 1)?);
        }
    }
    Ok(found)
}

#[derive(FromQueryResult)]
struct Row {
    id: MomentId,
    text: String,
    attachments: String,
    state: String,
    starts_at: Timestamp,
    created_by: String,
    created_at: Timestamp,
    error: Option<String>,
    assigned: i64,
    published: i64,
    visible: i64,
    likes: i64,
    comments: i64,
    clicks: i64,
    orders: i64,
    net_fen: Fen,
}

impl TryFrom<Row> for MomentRow {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            content: read_content(&row.text, &row.attachments)?,
            text: row.text,
            state: row.state,
            starts_at: row.starts_at,
            created_by: row.created_by,
            created_at: row.created_at,
            error: row.error,
            assigned: row.assigned,
            published: row.published,
            visible: row.visible,
            likes: row.likes,
            comments: row.comments,
            clicks: row.clicks,
            orders: row.orders,
            net_fen: row.net_fen,
        })
    }
}

#[derive(FromQueryResult)]
struct TaskRow {
    associate_id: AssociateId,
    associate_name: String,
    store_name: Option<String>,
    state: String,
    published_at: Option<Timestamp>,
    visible: i64,
    likes: i64,
    comments: i64,
}
