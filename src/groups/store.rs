//! Every statement on `customer_group` and `group_member`.

use sea_orm::FromQueryResult;

use super::model::{GroupOfContact, GroupsOfContact, status_of};
use crate::args;
use crate::contacts;
use crate::db::{self, Conn, Filter, Tx, id_list, text_list};
use crate::error::Result;
use crate::ids::{ContactId, CorpId, GroupId};
use crate::scope::{Act, Reach, Scope};
use crate::time::Timestamp;
use crate::wecom::group::ListedGroup;

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Kept {
    pub id: GroupId,
    pub name: String,
    pub notice: String,
    pub owner_userid: String,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_cause: Option<String>,
}

/// One stretch of somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Stretch {
    pub id: i64,
    pub member: String,
    pub kind: i64,
    pub unionid: Option<String>,
    pub joined_at: Timestamp,
    pub join_scene: i64,
    pub channel: String,
    pub invitor: Option<String>,
    pub left_at: Option<Timestamp>,
    pub left_cause: Option<String>,
}

const STRETCH: &str =
    "select id, member, kind, unionid, joined_at, join_scene, channel, invitor, left_at, left_cause
                       from group_member where corp_id = $1 and group_id = $2";

/// Notes that a reading begun at `read_at` looked at a group, and answers how the group stood. `None`: we do not know
/// it, or a later reading has spoken. Whoever comes second with the same group waits here.
pub async fn look(tx: &Tx, corp: CorpId, chat_id: &str, read_at: Timestamp) -> Result<Option<Kept>> {
    let sql = "update customer_group set seen_at = $3 where corp_id = $1 and chat_id = $2 and seen_at <= $3
               returning id, name, notice, owner_userid, created_at, ended_at, ended_cause";
    db::first(tx, sql, args![corp, chat_id, read_at]).await
}

/// Makes room for a group that we do not know yet.
pub async fn add(tx: &Tx, act: &Act<'_>, corp: CorpId, chat_id: &str) -> Result<()> {
    let row = vec![stub(act, corp, chat_id, "normal", Timestamp(0))];
    db::insert_many(tx, STUB, row, "on conflict (corp_id, chat_id) do nothing").await?;
    Ok(())
}

const STUB: &str =
    "insert into customer_group (corp_id, id, chat_id, name, notice, owner_userid, status, created_at,
   seen_at, listed_at)";

fn stub(
    act: &Act<'_>,
    corp: CorpId,
    chat_id: &str,
    status: &str,
    listed_at: Timestamp,
) -> Vec<sea_orm::Value> {
    args![
        corp,
        GroupId::new(act.ids, act.now),
        chat_id,
        "",
        "",
        "",
        status,
        0i64,
        0i64,
        listed_at
    ]
}

/// Takes in a page of the list that a sync begun at `began_at` read: groups to look at, and who has them.
pub async fn listed(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    groups: &[ListedGroup],
    began_at: Timestamp,
) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    let once = groups.iter().filter(|group| seen.insert(&group.chat_id));
    let rows: Vec<_> = once
        .map(|group| stub(act, corp, &group.chat_id, status_of(group.status), began_at))
        .collect();
    let tail = "on conflict (corp_id, chat_id) do update set status = excluded.status, listed_at = excluded.listed_at";
    db::insert_many(tx, STUB, rows, tail).await?;
    Ok(())
}

/// What a sync begun at `$2` has still to look at: listed, or live for us, and not looked at since.
const UNREAD: &str =
    "corp_id = $1 and seen_at < $2 and (listed_at >= $2 or (ended_at is null and seen_at > 0))";

/// Groups to look at, after one of them.
pub async fn unread(
    conn: &impl Conn,
    corp: CorpId,
    began_at: Timestamp,
    after: GroupId,
    limit: i64,
) -> Result<Vec<(GroupId, String)>> {
    let sql = format!(
        "select id, chat_id from customer_group where {UNREAD} and id > $3 order by id limit {limit}"
    );
    let rows = db::rows(conn, &sql, args![corp, began_at, after]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

pub async fn unread_count(conn: &impl Conn, corp: CorpId, began_at: Timestamp) -> Result<i64> {
    let sql = format!("select count(*) from customer_group where {UNREAD}");
    db::count(conn, &sql, args![corp, began_at]).await
}

/// Writes a group as it is now; one that had ended lives again.
pub async fn change(tx: &Tx, corp: CorpId, kept: &Kept) -> Result<()> {
    db::run(
        tx,
        "update customer_group set name = $3, notice = $4, owner_userid = $5, created_at = $6, ended_at = null,
           ended_cause = null
         where corp_id = $1 and id = $2",
        args![
            corp,
            kept.id,
            kept.name.clone(),
            kept.notice.clone(),
            kept.owner_userid.clone(),
            kept.created_at
        ],
    )
    .await?;
    Ok(())
}

/// Ends a group with everybody's stretch in it, or says anew when it ended.
pub async fn end(tx: &Tx, corp: CorpId, kept: &Kept, at: Timestamp, cause: &str) -> Result<()> {
    db::run(
        tx,
        "update customer_group set ended_at = $3, ended_cause = $4 where corp_id = $1 and id = $2",
        args![corp, kept.id, at, cause],
    )
    .await?;
    // Nobody leaves before they came.
    db::run(
        tx,
        "update group_member set left_at = case when joined_at > $3 then joined_at else $3 end, left_cause = 'ended'
         where corp_id = $1 and group_id = $2 and (left_at is null or (left_cause = 'ended' and left_at = $4))",
        args![corp, kept.id, at, kept.ended_at],
    )
    .await?;
    Ok(())
}

/// Who is in a group.
pub async fn present(tx: &Tx, corp: CorpId, group: GroupId) -> Result<Vec<Stretch>> {
    let sql = format!("{STRETCH} and left_at is null");
    db::all(tx, &sql, args![corp, group]).await
}

/// Former stretches of these in a group, the last first.
pub async fn former(tx: &Tx, corp: CorpId, group: GroupId, members: &[&str]) -> Result<Vec<Stretch>> {
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = tx.backend().in_texts("member", "$3");
    let sql = format!("{STRETCH} and left_at is not null and {wanted} order by joined_at desc, id desc");
    db::all(tx, &sql, args![corp, group, text_list(members.iter().copied())]).await
}

/// Adds stretches that began; each has its id already.
pub async fn join(tx: &Tx, corp: CorpId, group: GroupId, stretches: Vec<Stretch>) -> Result<()> {
    let rows = stretches.into_iter().map(|new| {
        args![
            corp,
            new.id,
            group,
            new.member,
            new.kind,
            new.unionid,
            new.joined_at,
            new.join_scene,
            new.channel,
            new.invitor
        ]
    });
    let head = "insert into group_member (corp_id, id, group_id, member, kind, unionid, joined_at, join_scene, channel,
       invitor)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// What the platform says of a stretch, without its beginning and end.
pub async fn change_stretch(tx: &Tx, corp: CorpId, stretch: &Stretch) -> Result<()> {
    db::run(
        tx,
        "update group_member set kind = $3, unionid = $4, join_scene = $5, channel = $6, invitor = $7
         where corp_id = $1 and id = $2",
        args![
            corp,
            stretch.id,
            stretch.kind,
            stretch.unionid.clone(),
            stretch.join_scene,
            stretch.channel.clone(),
            stretch.invitor.clone()
        ],
    )
    .await?;
    Ok(())
}

/// Ends a stretch, says anew when and why it ended, or (`None`) takes its end back.
pub async fn leave(tx: &Tx, corp: CorpId, stretch: i64, end: Option<(Timestamp, &str)>) -> Result<()> {
    let (at, cause) = (end.map(|end| end.0), end.map(|end| end.1.to_owned()));
    let sql = "update group_member set left_at = $3, left_cause = $4 where corp_id = $1 and id = $2";
    db::run(tx, sql, args![corp, stretch, at, cause]).await?;
    Ok(())
}

/// Groups that a contact is in now, the last joined first: those whose owner is in scope, the others only counted.
///
/// # Errors
/// `NotFound` for a contact out of scope.
pub async fn of_contact(conn: &impl Conn, scope: &Scope, contact: ContactId) -> Result<GroupsOfContact> {
    let mut filter = Filter::new("c.corp_id", scope.corp);
    filter.and("c.id = {}", contact);
    scope.narrow_contacts(&mut filter, conn.backend(), "c.id");
    let sql = format!("select c.id from contact c where {}", filter.sql());
    let found: Option<ContactId> = db::scalar(conn, &sql, filter.args).await?;
    found.ok_or(crate::error::Error::NotFound)?;
    let members = contacts::external_ids(conn, scope.corp, contact).await?;
    let mut filter = Filter::new("m.corp_id", scope.corp);
    let place = filter.arg(text_list(members.iter().map(String::as_str)));
    let is_one = |column| conn.backend().in_texts(column, &place);
    filter.and_sql(&is_one("m.member"));
    filter.and_sql("m.left_at is null");
    // Who is in by two ids is in once.
    filter.and_sql(&format!(
        "not exists (select 1 from group_member twin where twin.corp_id = m.corp_id and twin.group_id = m.group_id
           and twin.left_at is null and twin.id > m.id and {})",
        is_one("twin.member")
    ));
    let all = db::count(
        conn,
        &format!("select count(*) {IN_GROUPS} where {}", filter.sql()),
        filter.args.clone(),
    )
    .await?;
    narrow_owners(scope, &mut filter, conn);
    let sql = format!(
        "select g.id, g.name, g.owner_userid, a.name as owner_name, m.joined_at, m.join_scene,
           (select count(*) from group_member others where others.corp_id = $1 and others.group_id = g.id
              and others.left_at is null) as members
         {IN_GROUPS} where {} order by m.joined_at desc, m.id desc",
        filter.sql()
    );
    let items: Vec<GroupOfContact> = db::all(conn, &sql, filter.args).await?;
    Ok(GroupsOfContact {
        others: all - items.len() as i64,
        items,
    })
}

const IN_GROUPS: &str = "from group_member m
         join customer_group g on g.corp_id = m.corp_id and g.id = m.group_id and g.ended_at is null
         left join associate a on a.corp_id = g.corp_id and a.userid = g.owner_userid";

/// Narrows groups to those of owners in scope: an associate's own, those of a manager's stores.
fn narrow_owners(scope: &Scope, filter: &mut Filter, conn: &impl Conn) {
    match &scope.reach {
        Reach::Whole => {}
        Reach::Stores(stores) => {
            let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
            filter.and_sql(&conn.backend().in_ids("a.store_id", &place));
        }
        Reach::Own(associate) => {
            filter.and("a.id = {}", *associate);
        }
    }
}
