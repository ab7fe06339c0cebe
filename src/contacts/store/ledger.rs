//! Statements that write contacts, pairs, periods, bindings and the history of tags.

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use crate::args;
use crate::contacts::{Cause, Whose};
use crate::db::changes::Fact;
use crate::db::{self, Conn, Filter, Tx, id_list, text_list};
use crate::error::{Error, Result, said};
use crate::ids::{AssociateId, ContactId, CorpId, FollowId, Ids, StoreId, TagId};
use crate::scope::Act;
use crate::time::{Day, Timestamp};

use super::held::{Kept, Person};

/// One stretch of a pair.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Period {
    pub id: i64,
    pub store_id: Option<StoreId>,
    pub from_at: Timestamp,
    pub until_at: Option<Timestamp>,
    pub until_cause: Option<String>,
}

const PERIOD: &str = "select id, store_id, from_at, until_at, until_cause from follow_period
                      where corp_id = $1 and contact_id = $2 and associate_id = $3 and alias = $4";

/// What is new to us.
#[derive(Default)]
pub struct New {
    /// Each with the store they first came to.
    pub people: Vec<(Person, Option<StoreId>)>,
    /// Each with the day it began.
    pub pairs: Vec<(Kept, Day)>,
    pub periods: Vec<Opening>,
}

/// What is new, made ready to be written. Which unionids of the people others have, too, is for [`note_duplicates`].
pub fn ready<'a>(tx: &Tx, ids: &'a Ids, now: Timestamp, corp: CorpId, new: New) -> Result<db::Inserts<'a>> {
    tx.note(
        corp,
        Fact::Person,
        new.people.iter().map(|(person, _)| person.id.0),
    );
    tx.note(
        corp,
        Fact::Follow,
        new.pairs.iter().map(|(kept, _)| kept.contact_id.0),
    );
    let inserts = [
        people_rows(corp, now, new.people),
        pair_rows(corp, new.pairs),
        period_rows(ids, now, corp, new.periods),
    ];
    db::Inserts::new(tx.backend(), inserts)
}

fn people_rows(corp: CorpId, now: Timestamp, people: Vec<(Person, Option<StoreId>)>) -> db::Insert<'static> {
    let rows = people.into_iter().map(move |(person, home)| {
        args![
            corp,
            person.id,
            person.external_userid,
            person.unionid,
            person.name,
            person.avatar,
            person.kind,
            person.gender,
            person.phone_blind,
            person.phone_last4,
            person.phone_sealed,
            home,
            now,
            now
        ]
    });
    let head =
        "insert into contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, phone_blind,
           phone_last4, phone_sealed, home_store_id, created_at, updated_at)";
    db::Insert::new(head, rows, "")
}

/// Remembers which of these unionids several contacts have.
pub async fn note_duplicates(tx: &Tx, corp: CorpId, unionids: &[String]) -> Result<()> {
    if unionids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "insert into contact_duplicate (corp_id, unionid)
         select corp_id, unionid from contact where corp_id = $1 and unionid is not null and {}
         group by corp_id, unionid having count(*) > 1 order by unionid
         on conflict do nothing",
        tx.backend().sought_texts("unionid", "$2")
    );
    db::run(
        tx,
        &sql,
        args![corp, text_list(unionids.iter().map(String::as_str))],
    )
    .await?;
    Ok(())
}

pub async fn change_person(tx: &Tx, corp: CorpId, now: Timestamp, person: &Person) -> Result<()> {
    tx.note(corp, Fact::Person, [person.id.0]);
    db::run(
        tx,
        "update contact set unionid = $3, name = $4, avatar = $5, kind = $6, gender = $7, phone_blind = $8,
           phone_last4 = $9, phone_sealed = $10, updated_at = $11
         where corp_id = $1 and id = $2",
        args![
            corp,
            person.id,
            person.unionid.clone(),
            person.name.clone(),
            person.avatar.clone(),
            person.kind,
            person.gender,
            person.phone_blind.clone(),
            person.phone_last4.clone(),
            person.phone_sealed.clone(),
            now
        ],
    )
    .await?;
    Ok(())
}

fn pair_rows(corp: CorpId, pairs: Vec<(Kept, Day)>) -> db::Insert<'static> {
    let rows = pairs.into_iter().map(move |(kept, added_day)| {
        args![
            corp,
            kept.id,
            kept.contact_id,
            kept.associate_id,
            kept.store_id,
            kept.state,
            kept.remark,
            kept.description,
            kept.add_way,
            kept.channel,
            kept.tags,
            kept.added_at,
            added_day,
            kept.seen_at,
            kept.alias
        ]
    });
    let head = "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way,
           channel, tags, added_at, added_day, seen_at, alias)";
    db::Insert::new(head, rows, "")
}

/// What the platform says of a pair, without its beginning and end.
pub async fn change_pair(tx: &Tx, corp: CorpId, kept: &Kept, old_tags: &str) -> Result<()> {
    tx.note(corp, Fact::Follow, [kept.contact_id.0]);
    let changed = db::run(
        tx,
        "update follow set remark = $3, description = $4, add_way = $5, channel = $6, tags = $7
         where corp_id = $1 and id = $2 and tags = $8",
        args![
            corp,
            kept.id,
            kept.remark.clone(),
            kept.description.clone(),
            kept.add_way,
            kept.channel.clone(),
            kept.tags.clone(),
            old_tags
        ],
    )
    .await?;
    settled(changed)
}

/// The pair is live from `added_at`, in this store; it stood since `was_added_at`.
pub async fn revive_pair(
    tx: &Tx,
    corp: CorpId,
    id: FollowId,
    was_added_at: Timestamp,
    store: Option<StoreId>,
    added_at: Timestamp,
    added_day: Day,
) -> Result<()> {
    let revived: Vec<i64> = db::scalars(
        tx,
        "update follow set state = 'active', store_id = $3, added_at = $4, added_day = $5, ended_at = null
         where corp_id = $1 and id = $2 and added_at = $6 returning contact_id",
        args![corp, id, store, added_at, added_day, was_added_at],
    )
    .await?;
    let count = revived.len() as u64;
    tx.note(corp, Fact::Follow, revived);
    settled(count)
}

pub async fn end_pair(tx: &Tx, corp: CorpId, id: FollowId, state: &str, at: Timestamp) -> Result<()> {
    let ended: Vec<i64> = db::scalars(
        tx,
        "update follow set state = $3, ended_at = $4 where corp_id = $1 and id = $2 returning contact_id",
        args![corp, id, state, at],
    )
    .await?;
    tx.note(corp, Fact::Follow, ended);
    Ok(())
}

/// Notes that a reading begun at `read_at` showed these pairs.
pub async fn seen(tx: &Tx, corp: CorpId, pairs: &[FollowId], read_at: Timestamp) -> Result<()> {
    let ids = id_list(pairs.iter().map(|pair| pair.0));
    let sql = format!(
        "update follow set seen_at = $3 where corp_id = $1 and {} and seen_at < $3",
        tx.backend().sought_ids("id", "$2")
    );
    db::run(tx, &sql, args![corp, ids, read_at]).await?;
    Ok(())
}

/// A period to open.
pub struct Opening {
    pub contact: ContactId,
    pub associate: AssociateId,
    pub store: Option<StoreId>,
    pub from_at: Timestamp,
    pub from_day: Day,
    pub cause: &'static str,
    /// As the pair's.
    pub alias: String,
}

pub async fn open_periods(
    tx: &Tx,
    ids: &Ids,
    now: Timestamp,
    corp: CorpId,
    openings: Vec<Opening>,
) -> Result<()> {
    let openings = [period_rows(ids, now, corp, openings)];
    db::Inserts::new(tx.backend(), openings)?.run(tx).await?;
    Ok(())
}

fn period_rows(ids: &Ids, now: Timestamp, corp: CorpId, openings: Vec<Opening>) -> db::Insert<'_> {
    let rows = openings.into_iter().map(move |opening| {
        args![
            corp,
            FollowId::new(ids, now),
            opening.contact,
            opening.associate,
            opening.store,
            opening.from_at,
            opening.from_day,
            opening.cause,
            opening.alias
        ]
    });
    let head = "insert into follow_period (corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause,
           alias)";
    db::Insert::new(head, rows, "")
}

/// Ends a period, or says anew when and why it ended, if it still stands as it was read.
///
/// # Errors
/// `Conflict` when somebody else ended it meanwhile: reading anew tells how.
pub async fn close_period(
    tx: &Tx,
    corp: CorpId,
    period: &Period,
    at: Timestamp,
    day: Day,
    cause: &str,
) -> Result<()> {
    let closed = db::run(
        tx,
        "update follow_period set until_at = $3, until_day = $4, until_cause = $5
         where corp_id = $1 and id = $2 and coalesce(until_cause, '') = $6",
        args![
            corp,
            period.id,
            at,
            day,
            cause,
            period.until_cause.clone().unwrap_or_default()
        ],
    )
    .await?;
    settled(closed)
}

/// A pair that changed between our look and our write is looked at again, by trying the job again.
fn settled(changed: u64) -> Result<()> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::conflict(said!(
            "conflict-pair-changed",
            "the pair changed meanwhile; look again"
        )))
    }
}

/// Takes the end of a period back.
pub async fn reopen_period(tx: &Tx, corp: CorpId, period: i64) -> Result<()> {
    let reopened = db::run(
        tx,
        "update follow_period set until_at = null, until_day = null, until_cause = null
         where corp_id = $1 and id = $2 and until_cause = 'system'",
        args![corp, period],
    )
    .await?;
    settled(reopened)
}

pub async fn last_period(tx: &Tx, corp: CorpId, pair: &Kept) -> Result<Option<Period>> {
    let sql = format!("{PERIOD} order by from_at desc, id desc limit 1");
    let args = args![corp, pair.contact_id, pair.associate_id, pair.alias.as_str()];
    db::first(tx, &sql, args).await
}

/// The stretch an instant belongs to: the last that began by then.
pub async fn period_at(tx: &Tx, corp: CorpId, pair: &Kept, at: Timestamp) -> Result<Option<Period>> {
    let sql = format!("{PERIOD} and from_at <= $5 order by from_at desc, id desc limit 1");
    let args = args![corp, pair.contact_id, pair.associate_id, pair.alias.as_str(), at];
    db::first(tx, &sql, args).await
}

/// A contact and the associate they belong to, for a time.
pub struct Binding {
    pub contact: ContactId,
    pub associate: AssociateId,
    pub from_at: Timestamp,
    pub until_at: Timestamp,
}

/// When contacts belonged to somebody: from, and until.
async fn bound(
    tx: &Tx,
    corp: CorpId,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Vec<(Timestamp, Timestamp)>>> {
    let mut bound: HashMap<ContactId, Vec<(Timestamp, Timestamp)>> = HashMap::new();
    if contacts.is_empty() {
        return Ok(bound);
    }
    let sql = format!(
        "select contact_id, from_at, until_at from binding where corp_id = $1 and {}",
        tx.backend().in_ids("contact_id", "$2")
    );
    let whom = id_list(contacts.iter().map(|contact| contact.0));
    for row in &db::rows(tx, &sql, args![corp, whom]).await? {
        let span = (db::column(row, 1)?, db::column(row, 2)?);
        bound.entry(db::column(row, 0)?).or_default().push(span);
    }
    Ok(bound)
}

/// Binds contacts who belong to nobody in that time; of several at once the earliest holds. Those who are `new` belonged
/// to nobody before.
pub async fn bind(tx: &Tx, corp: CorpId, mut bindings: Vec<Binding>, new: &HashSet<ContactId>) -> Result<()> {
    let whom = bindings.iter().map(|binding| binding.contact);
    let whom: Vec<ContactId> = whom.filter(|contact| !new.contains(contact)).collect();
    let mut bound = bound(tx, corp, &whom).await?;
    bindings.sort_by_key(|binding| binding.from_at);
    bindings.retain(|binding| {
        let spans = bound.entry(binding.contact).or_default();
        let is_free = spans
            .iter()
            .all(|(from, until)| *until <= binding.from_at || binding.until_at <= *from);
        if is_free {
            spans.push((binding.from_at, binding.until_at));
        }
        is_free
    });
    let rows = bindings.into_iter().map(|binding| {
        args![
            corp,
            binding.contact,
            binding.from_at,
            binding.associate,
            binding.until_at
        ]
    });
    let head = "insert into binding (corp_id, contact_id, from_at, associate_id, until_at)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// A tag set or taken.
pub struct TagTurn {
    pub contact: ContactId,
    pub associate: AssociateId,
    pub tag: TagId,
    pub added: bool,
}

/// Appends to the history of tags.
pub async fn note_tags(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    cause: Cause,
    turns: Vec<TagTurn>,
) -> Result<()> {
    let rows = turns.into_iter().map(|turn| {
        args![
            corp,
            FollowId::new(act.ids, act.now),
            turn.contact,
            turn.associate,
            turn.tag,
            turn.added,
            cause.source,
            act.by.to_string(),
            act.now,
            cause.marking
        ]
    });
    let head = "insert into tag_change (corp_id, id, contact_id, associate_id, tag_id, added, source, actor, at, marking_id)";
    db::insert_many(tx, head, rows, "").await?;
    Ok(())
}

/// Seen now, too: a reading begun before this change does not undo it.
pub async fn set_tags(tx: &Tx, corp: CorpId, kept: &Kept, list: &str, now: Timestamp) -> Result<()> {
    tx.note(corp, Fact::Follow, [kept.contact_id.0]);
    let sql = "update follow set tags = $3, seen_at = $4 where corp_id = $1 and id = $2 and tags = $5";
    let changed = db::run(tx, sql, args![corp, kept.id, list, now, kept.tags.clone()]).await?;
    settled(changed)
}

/// Pairs of an associate that are not in their store.
#[derive(FromQueryResult)]
pub struct Misplaced {
    pub associate_id: AssociateId,
    pub from_store: Option<StoreId>,
    pub to_store: StoreId,
}

/// Which associates' live pairs stand in another store than theirs, of associates `a` that `whom` leaves.
pub async fn misplaced(conn: &impl Conn, whom: Filter) -> Result<Vec<Misplaced>> {
    let sql = format!(
        "select distinct f.associate_id, f.store_id as from_store, a.store_id as to_store
         from associate a join follow f on f.corp_id = a.corp_id and f.associate_id = a.id and f.state = 'active'
         where {} and a.store_id is not null and (f.store_id is null or f.store_id <> a.store_id)",
        whom.sql()
    );
    db::all(conn, &sql, whom.args).await
}

/// Closes the open periods of an associate's live pairs in a store; answers whose they were.
pub async fn close_moved(
    tx: &Tx,
    corp: CorpId,
    associate: AssociateId,
    from: Option<StoreId>,
    at: Timestamp,
    day: Day,
) -> Result<Vec<Whose>> {
    let closed = db::rows(
        tx,
        "update follow_period set until_at = $4, until_day = $5, until_cause = 'moved'
         where corp_id = $1 and associate_id = $2 and until_at is null
           and contact_id in (select contact_id from follow where corp_id = $1 and associate_id = $2
             and state = 'active' and coalesce(store_id, 0) = coalesce(cast($3 as bigint), 0))
         returning contact_id, alias",
        args![corp, associate, from, at, day],
    )
    .await?;
    closed
        .iter()
        .map(|row| {
            Ok(Whose {
                contact: db::column(row, 0)?,
                alias: db::column(row, 1)?,
            })
        })
        .collect()
}

/// Puts an associate's live pairs with these contacts into a store.
pub async fn move_pairs(
    tx: &Tx,
    corp: CorpId,
    associate: AssociateId,
    contacts: &[ContactId],
    to: StoreId,
) -> Result<u64> {
    tx.note(corp, Fact::Follow, contacts.iter().map(|contact| contact.0));
    let wanted = tx.backend().in_ids("contact_id", "$3");
    let moved = format!(
        "update follow set store_id = $4 where corp_id = $1 and associate_id = $2 and {wanted} and state = 'active'"
    );
    let ids = id_list(contacts.iter().map(|contact| contact.0));
    db::run(tx, &moved, args![corp, associate, ids, to]).await
}

/// Puts a pair into a store.
pub async fn set_store(tx: &Tx, corp: CorpId, pair: FollowId, to: StoreId) -> Result<()> {
    let sql = "update follow set store_id = $3 where corp_id = $1 and id = $2 returning contact_id";
    let moved: Vec<i64> = db::scalars(tx, sql, args![corp, pair, to]).await?;
    tx.note(corp, Fact::Follow, moved);
    Ok(())
}

/// Writes the remark, the description, or both. Seen now, too.
pub async fn set_remark(
    tx: &Tx,
    corp: CorpId,
    pair: FollowId,
    remark: Option<&str>,
    description: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let noted: Vec<i64> = db::scalars(
        tx,
        "update follow set remark = coalesce(cast($3 as text), remark),
           description = coalesce(cast($4 as text), description), seen_at = $5
         where corp_id = $1 and id = $2 returning contact_id",
        args![
            corp,
            pair,
            remark.map(str::to_owned),
            description.map(str::to_owned),
            now
        ],
    )
    .await?;
    tx.note(corp, Fact::Follow, noted);
    Ok(())
}
