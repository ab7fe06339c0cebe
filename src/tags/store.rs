//! Statements on tag groups and tags.

use std::collections::{BTreeSet, HashMap, HashSet};

use sea_orm::FromQueryResult;

use super::{Tag, TagGroup};
use crate::args;
use crate::contacts::tag_ids;
use crate::db::{self, Conn, Filter, Tx, id_list};
use crate::error::{Error, Result};
use crate::ids::{CorpId, TagGroupId, TagId};
use crate::scope::{Act, Scope};
use crate::time::Timestamp;
use crate::wecom::tag as platform;

#[derive(FromQueryResult)]
struct GroupRow {
    id: TagGroupId,
    name: String,
    sort: i64,
}

/// A tag with what the platform calls it.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Row {
    pub id: TagId,
    pub group_id: TagGroupId,
    pub platform_id: String,
    pub name: String,
    pub sort: i64,
    pub created_at: Timestamp,
}

/// A live group with what the platform calls it.
#[derive(FromQueryResult)]
pub(super) struct LiveGroup {
    pub id: TagGroupId,
    pub platform_id: String,
    pub created_at: Timestamp,
}

/// Groups with their tags, as the platform sorts them.
pub async fn groups(conn: &impl Conn, scope: &Scope) -> Result<Vec<TagGroup>> {
    let groups: Vec<GroupRow> = db::all(
        conn,
        "select id, name, sort from tag_group where corp_id = $1 and deleted_at is null order by sort desc, created_at, id",
        args![scope.corp],
    )
    .await?;
    let tags: Vec<Row> = db::all(
        conn,
        "select id, group_id, platform_id, name, sort, created_at from tag where corp_id = $1 and deleted_at is null
         order by sort desc, created_at, id",
        args![scope.corp],
    )
    .await?;
    let mut of_group: HashMap<TagGroupId, Vec<Tag>> = HashMap::new();
    for tag in tags {
        of_group.entry(tag.group_id).or_default().push(shown(tag, None));
    }
    Ok(groups
        .into_iter()
        .map(|group| TagGroup {
            tags: of_group.remove(&group.id).unwrap_or_default(),
            id: group.id,
            name: group.name,
            sort: group.sort,
        })
        .collect())
}

/// Groups with how many pairs in scope carry each of their tags: goes through all pairs in scope.
pub async fn counted_groups(conn: &impl Conn, scope: &Scope) -> Result<Vec<TagGroup>> {
    let mut groups = groups(conn, scope).await?;
    let carried = carried(conn, scope).await?;
    for tag in groups.iter_mut().flat_map(|group| &mut group.tags) {
        tag.contacts = Some(carried.get(&tag.id).copied().unwrap_or(0));
    }
    Ok(groups)
}

fn shown(row: Row, contacts: Option<i64>) -> Tag {
    Tag {
        id: row.id,
        group_id: row.group_id,
        name: row.name,
        sort: row.sort,
        contacts,
    }
}

/// Live pairs in scope by tag. Lists are counted whole first: there are far fewer of them than pairs.
async fn carried(conn: &impl Conn, scope: &Scope) -> Result<HashMap<TagId, i64>> {
    let mut filter = Filter::new("f.corp_id", scope.corp);
    filter.and_sql("f.state = 'active' and f.tags <> ' '");
    scope.narrow(&mut filter, conn.backend(), "f");
    let sql = format!(
        "select f.tags, count(*) from follow f where {} group by f.tags",
        filter.sql()
    );
    let mut carried = HashMap::new();
    for row in &db::rows(conn, &sql, filter.args).await? {
        let (list, pairs): (String, i64) = (db::column(row, 0)?, db::column(row, 1)?);
        for tag in tag_ids(&list) {
            *carried.entry(tag).or_insert(0) += pairs;
        }
    }
    Ok(carried)
}

/// What tags are called, deleted ones too: for what is told of them afterwards.
pub async fn names(
    conn: &impl Conn,
    scope: &Scope,
    ids: impl IntoIterator<Item = TagId>,
) -> Result<HashMap<TagId, String>> {
    let ids: BTreeSet<i64> = ids.into_iter().map(|id| id.0).collect();
    let sql = format!(
        "select id, name from tag where corp_id = $1 and {}",
        conn.backend().in_ids("id", "$2")
    );
    let rows = db::rows(conn, &sql, args![scope.corp, id_list(ids)]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

pub async fn find(conn: &impl Conn, scope: &Scope, id: TagId) -> Result<Tag> {
    let row = row(conn, scope.corp, id).await?;
    let mut filter = Filter::new("f.corp_id", scope.corp);
    filter.and("f.state = 'active' and f.tags like {}", format!("% {id} %"));
    scope.narrow(&mut filter, conn.backend(), "f");
    let sql = format!("select count(*) from follow f where {}", filter.sql());
    let contacts = db::count(conn, &sql, filter.args).await?;
    Ok(shown(row, Some(contacts)))
}

pub(super) async fn row(conn: &impl Conn, corp: CorpId, id: TagId) -> Result<Row> {
    rows(conn, corp, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Live tags among these ids.
pub(super) async fn rows(conn: &impl Conn, corp: CorpId, ids: &[TagId]) -> Result<Vec<Row>> {
    let wanted = conn.backend().in_ids("id", "$2");
    let sql = format!(
        "select id, group_id, platform_id, name, sort, created_at from tag
         where corp_id = $1 and deleted_at is null and {wanted} order by id"
    );
    db::all(conn, &sql, args![corp, id_list(ids.iter().map(|id| id.0))]).await
}

pub(super) async fn rows_of_group(conn: &impl Conn, corp: CorpId, group: TagGroupId) -> Result<Vec<Row>> {
    let sql = "select id, group_id, platform_id, name, sort, created_at from tag
               where corp_id = $1 and group_id = $2 and deleted_at is null order by id";
    db::all(conn, sql, args![corp, group]).await
}

/// What the platform calls a group.
pub(super) async fn group_platform_id(conn: &impl Conn, corp: CorpId, id: TagGroupId) -> Result<String> {
    let sql = "select platform_id from tag_group where corp_id = $1 and id = $2 and deleted_at is null";
    db::scalar(conn, sql, args![corp, id])
        .await?
        .ok_or(Error::NotFound)
}

pub(super) async fn group_named(conn: &impl Conn, corp: CorpId, name: &str) -> Result<Option<TagGroupId>> {
    let sql = "select id from tag_group where corp_id = $1 and name = $2 and deleted_at is null";
    db::scalar(conn, sql, args![corp, name]).await
}

/// Keeps a group and its tags as the platform has them; a deleted one that is back lives again.
pub(super) async fn keep_group(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    group: &platform::TagGroup,
) -> Result<TagGroupId> {
    let id: Option<TagGroupId> = db::scalar(
        tx,
        "insert into tag_group (corp_id, id, platform_id, name, sort, created_at, deleted_at)
         values ($1, $2, $3, $4, $5, $6, null)
         on conflict (corp_id, platform_id) do update set name = excluded.name, sort = excluded.sort, deleted_at = null
         returning id",
        args![
            corp,
            TagGroupId::new(act.ids, act.now),
            group.group_id.clone(),
            group.group_name.clone(),
            group.order,
            act.now
        ],
    )
    .await?;
    let id = id.ok_or_else(|| Error::internal("an upsert answered no row"))?;
    let rows = group.tag.iter().map(|tag| {
        args![
            corp,
            TagId::new(act.ids, act.now),
            id,
            tag.id.clone(),
            tag.name.clone(),
            tag.order,
            act.now
        ]
    });
    let kept = db::insert_many(
        tx,
        "insert into tag (corp_id, id, group_id, platform_id, name, sort, created_at)",
        rows,
        "on conflict (corp_id, platform_id) do update set group_id = excluded.group_id, name = excluded.name,
           sort = excluded.sort, deleted_at = null
         where tag.group_id <> excluded.group_id or tag.name <> excluded.name or tag.sort <> excluded.sort
           or tag.deleted_at is not null",
    );
    if kept.await? > 0 {
        tx.note_named(corp);
    }
    Ok(id)
}

/// Every live tag and group with the platform's id.
pub(super) async fn live(conn: &impl Conn, corp: CorpId) -> Result<(Vec<Row>, Vec<LiveGroup>)> {
    let tags = db::all(
        conn,
        "select id, group_id, platform_id, name, sort, created_at from tag
         where corp_id = $1 and deleted_at is null",
        args![corp],
    )
    .await?;
    let groups = db::all(
        conn,
        "select id, platform_id, created_at from tag_group where corp_id = $1 and deleted_at is null",
        args![corp],
    )
    .await?;
    Ok((tags, groups))
}

/// What the platform calls tags and groups that were deleted here after an instant.
pub(super) async fn deleted_since(
    conn: &impl Conn,
    corp: CorpId,
    since: Timestamp,
) -> Result<HashSet<String>> {
    let sql = "select platform_id from tag where corp_id = $1 and deleted_at > $2
               union all select platform_id from tag_group where corp_id = $1 and deleted_at > $2";
    Ok(db::scalars(conn, sql, args![corp, since])
        .await?
        .into_iter()
        .collect())
}

/// The live group that the platform calls so.
pub(super) async fn group_called(conn: &impl Conn, corp: CorpId, platform_id: &str) -> Result<TagGroupId> {
    let sql = "select id from tag_group where corp_id = $1 and platform_id = $2 and deleted_at is null";
    db::scalar(conn, sql, args![corp, platform_id])
        .await?
        .ok_or(Error::NotFound)
}

pub(super) async fn set_name(tx: &Tx, corp: CorpId, id: TagId, name: &str) -> Result<()> {
    let sql = "update tag set name = $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, name]).await?;
    Ok(())
}

pub(super) async fn set_group_name(tx: &Tx, corp: CorpId, id: TagGroupId, name: &str) -> Result<()> {
    let sql = "update tag_group set name = $3 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, id, name]).await?;
    Ok(())
}

pub(super) async fn mark_deleted(tx: &Tx, act: &Act<'_>, corp: CorpId, id: TagId) -> Result<()> {
    let sql = "update tag set deleted_at = $3 where corp_id = $1 and id = $2 and deleted_at is null";
    if db::run(tx, sql, args![corp, id, act.now]).await? > 0 {
        tx.note_named(corp);
    }
    Ok(())
}

pub(super) async fn mark_group_deleted(tx: &Tx, act: &Act<'_>, corp: CorpId, id: TagGroupId) -> Result<()> {
    let sql = "update tag_group set deleted_at = $3 where corp_id = $1 and id = $2 and deleted_at is null";
    db::run(tx, sql, args![corp, id, act.now]).await?;
    Ok(())
}
