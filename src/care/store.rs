//! Every statement on `follow_up`. It reads `follow`, `contact` and `associate`: who may see a follow-up is whoever may
//! see its live pair.

use super::{FollowUp, FollowUpFilter, State};
use crate::args;
use crate::db::{self, Conn, Filter, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, FollowUpId};
use crate::page::{Page, PageOf};
use crate::scope::{Act, Reach, Scope};
use crate::time::Day;

/// What the platform says of a pair that somebody was given.
const GIVEN: i64 = 202;

const FROM: &str = "from follow_up u
     join follow f on f.corp_id = u.corp_id and f.contact_id = u.contact_id and f.associate_id = u.associate_id
       and f.state = 'active'
       and not exists (select 1 from follow twin where twin.corp_id = f.corp_id and twin.contact_id = f.contact_id
         and twin.associate_id = f.associate_id and twin.state = 'active' and twin.id > f.id)";

const SELECT: &str =
    "select u.id, u.contact_id, case when f.remark <> '' then f.remark else c.name end as contact_name,
     u.associate_id, a.name as associate_name, u.what, u.due_day, u.state, u.created_at, u.ended_at";
const NAMES: &str = "join contact c on c.corp_id = u.corp_id and c.id = u.contact_id
     join associate a on a.corp_id = u.corp_id and a.id = u.associate_id";

fn wanted(conn: &impl Conn, scope: &Scope, filter: &FollowUpFilter) -> Filter {
    let mut wanted = Filter::new("u.corp_id", scope.corp);
    // Said as a text of its own: the index of open ones is only for those who ask for `open` by name.
    wanted.and_sql(&format!("u.state = '{}'", filter.state.as_str()));
    // Named of both: the index of the open ones leads, and the pair is looked up.
    if let Reach::Own(associate) = scope.reach {
        wanted.and("u.associate_id = {}", associate);
    }
    scope.narrow(&mut wanted, conn.backend(), "f");
    if let Some(contact) = filter.contact {
        wanted.and("u.contact_id = {}", contact);
    }
    if let Some(associate) = filter.associate {
        wanted.and("u.associate_id = {}", associate);
    }
    if let Some(day) = filter.due_by {
        wanted.and("u.due_day <= {}", day);
    }
    wanted
}

/// Follow-ups in scope, those due first before the others.
pub async fn list(
    conn: &impl Conn,
    scope: &Scope,
    filter: &FollowUpFilter,
    page: &PageOf,
) -> Result<Page<FollowUp>> {
    let mut wanted = wanted(conn, scope, filter);
    if let Some((day, id)) = page.after::<(Day, FollowUpId)>()? {
        let (day, id) = (wanted.arg(day), wanted.arg(id));
        wanted.and_sql(&format!(
            "(u.due_day > {day} or (u.due_day = {day} and u.id > {id}))"
        ));
    }
    let limit = wanted.arg(page.limit() + 1);
    let sql = format!(
        "{SELECT} {FROM} {NAMES} where {} order by u.due_day, u.id limit {limit}",
        wanted.sql()
    );
    let rows: Vec<FollowUp> = db::all(conn, &sql, wanted.args).await?;
    Ok(Page::cut(rows, page, |row| (row.due_day, row.id)))
}

/// How many open ones are due by a day.
pub async fn count_due(conn: &impl Conn, scope: &Scope, by: Day) -> Result<i64> {
    let filter = FollowUpFilter {
        due_by: Some(by),
        ..FollowUpFilter::default()
    };
    let wanted = wanted(conn, scope, &filter);
    let sql = format!("select count(*) {FROM} where {}", wanted.sql());
    db::count(conn, &sql, wanted.args).await
}

/// One in scope.
pub async fn find(conn: &impl Conn, scope: &Scope, id: FollowUpId) -> Result<FollowUp> {
    let mut wanted = Filter::new("u.corp_id", scope.corp);
    wanted.and("u.id = {}", id);
    scope.narrow(&mut wanted, conn.backend(), "f");
    let sql = format!("{SELECT} {FROM} {NAMES} where {}", wanted.sql());
    db::find(conn, &sql, wanted.args).await
}

pub async fn count_open(tx: &Tx, corp: CorpId, contact: ContactId) -> Result<i64> {
    let sql = "select count(*) from follow_up where corp_id = $1 and contact_id = $2 and state = 'open'";
    db::count(tx, sql, args![corp, contact]).await
}

#[expect(clippy::too_many_arguments, reason = "a row")]
pub async fn insert(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: FollowUpId,
    contact: ContactId,
    associate: AssociateId,
    what: &str,
    due: Day,
) -> Result<()> {
    let sql = "insert into follow_up (corp_id, id, contact_id, associate_id, what, due_day, state, created_by, created_at)
               values ($1, $2, $3, $4, $5, $6, 'open', $7, $8)";
    let args = args![
        corp,
        id,
        contact,
        associate,
        what,
        due,
        act.by.to_string(),
        act.now
    ];
    db::run(tx, sql, args).await?;
    Ok(())
}

/// `false`: it is not open.
pub async fn set_due(tx: &Tx, corp: CorpId, id: FollowUpId, due: Day) -> Result<bool> {
    let sql = "update follow_up set due_day = $3 where corp_id = $1 and id = $2 and state = 'open'";
    Ok(db::run(tx, sql, args![corp, id, due]).await? == 1)
}

/// `false`: it does not stand where it was to be turned from.
pub async fn turn(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: FollowUpId,
    (from, next): (State, State),
) -> Result<bool> {
    let by = (next != State::Open).then(|| act.by.to_string());
    let at = (next != State::Open).then_some(act.now);
    let sql = "update follow_up set state = $3, ended_by = $4, ended_at = $5
               where corp_id = $1 and id = $2 and state = $6";
    let args = args![corp, id, next.as_str(), by, at, from.as_str()];
    Ok(db::run(tx, sql, args).await? == 1)
}

/// Open follow-ups whose associate follows the contact no more go to whoever was given the contact last.
pub async fn hand_over(tx: &Tx, corp: CorpId, contact: ContactId) -> Result<u64> {
    let given = "select f.associate_id from follow f where f.corp_id = $1 and f.contact_id = $2 and f.state = 'active'
                   and f.add_way = $3 order by f.added_at desc, f.id desc limit 1";
    let sql = format!(
        "update follow_up set associate_id = ({given})
         where corp_id = $1 and contact_id = $2 and state = 'open' and exists ({given})
           and not exists (select 1 from follow own where own.corp_id = $1 and own.contact_id = $2
             and own.associate_id = follow_up.associate_id and own.state = 'active')"
    );
    db::run(tx, &sql, args![corp, contact, GIVEN]).await
}
