//! Statements that read people, pairs and tags as they are held, thousands at a time where a reading needs them.

use std::collections::{HashMap, HashSet};

use sea_orm::{FromQueryResult, Value};
use serde::Deserialize;

use crate::args;
use crate::contacts::Whose;
use crate::db::{self, Conn, Tx, id_list, text_list};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, ExternalUserId, FollowId, StoreId, TagId};
use crate::time::Timestamp;

/// Pairs that are looked through at a time.
pub const TOGETHER: usize = 5_000;
/// Rows that are read while those before them are made into ours.
const PART: usize = 1_000;

/// What the platform says of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: ContactId,
    pub external_userid: ExternalUserId,
    pub unionid: Option<String>,
    pub name: String,
    pub avatar: String,
    pub kind: i64,
    pub gender: i64,
    pub phone_blind: Option<String>,
    pub phone_last4: Option<String>,
    pub phone_sealed: Option<String>,
}

impl Person {
    /// What this id of theirs is in a pair: empty when it is their own.
    pub fn alias(&self, external: &ExternalUserId) -> String {
        if self.external_userid == *external {
            String::new()
        } else {
            external.as_str().to_owned()
        }
    }
}

/// The columns of a [`Person`], in its order.
const PERSON: [&str; 10] = [
    "id",
    "external_userid",
    "unionid",
    "name",
    "avatar",
    "kind",
    "gender",
    "phone_blind",
    "phone_last4",
    "phone_sealed",
];

/// A person, and the id they were found by where it is not their own; else it is empty.
#[derive(Deserialize)]
#[serde(from = "FoundRow")]
struct Found {
    person: Person,
    alias: String,
}
type FoundRow = (
    i64,
    String,
    Option<String>,
    String,
    String,
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
);

impl From<FoundRow> for Found {
    fn from(row: FoundRow) -> Self {
        let (id, external_userid, unionid, name, avatar, kind, gender, ..) = row;
        let (.., phone_blind, phone_last4, phone_sealed, alias) = row;
        let person = Person {
            id: ContactId(id),
            external_userid: ExternalUserId(external_userid),
            unionid,
            name,
            avatar,
            kind,
            gender,
            phone_blind,
            phone_last4,
            phone_sealed,
        };
        Self { person, alias }
    }
}

/// People by the platform's ids; whoever was merged is found by the ids of both.
pub async fn people(
    tx: &Tx,
    corp: CorpId,
    external: &[ExternalUserId],
) -> Result<HashMap<ExternalUserId, Person>> {
    let (own, of_both) = (
        PERSON.join(", "),
        PERSON.map(|column| format!("c.{column}")).join(", "),
    );
    let backend = tx.backend();
    let from = format!(
        "from (select {own}, '' as alias from contact where corp_id = $1 and {}
               union all
               select {of_both}, m.external_userid from merged_contact m
                 join contact c on c.corp_id = m.corp_id and c.id = m.contact_id
                where m.corp_id = $1 and {}) found",
        backend.sought_texts("external_userid", "$2"),
        backend.sought_texts("m.external_userid", "$2")
    );
    let mut parts = Vec::new();
    for part in external.chunks(PART) {
        let whom = text_list(part.iter().map(ExternalUserId::as_str));
        parts.push(args![corp, whom]);
    }
    let found: Vec<Found> = db::many_in_parts(tx, &format!("{own}, alias"), &from, parts).await?;
    let by_id = found.into_iter().map(|Found { person, alias }| {
        let is_own = alias.is_empty();
        let id = if is_own {
            person.external_userid.clone()
        } else {
            ExternalUserId(alias)
        };
        (id, person)
    });
    Ok(by_id.collect())
}

/// A pair as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "KeptRow")]
pub struct Kept {
    pub id: FollowId,
    pub contact_id: ContactId,
    pub associate_id: AssociateId,
    pub store_id: Option<StoreId>,
    pub state: String,
    pub remark: String,
    pub description: String,
    pub add_way: i64,
    pub channel: String,
    pub tags: String,
    pub added_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub seen_at: Timestamp,
    /// The platform's id of the person in this pair, where it is another than the contact's own; else empty.
    pub alias: String,
}

impl Kept {
    pub fn is_live(&self) -> bool {
        self.state == "active"
    }
}

/// The columns of a [`Kept`], in its order.
const KEPT: &str = "id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, tags, \
                    added_at, ended_at, seen_at, alias";
type KeptRow = (
    i64,
    i64,
    i64,
    Option<i64>,
    String,
    String,
    String,
    i64,
    String,
    String,
    i64,
    Option<i64>,
    i64,
    String,
);

impl From<KeptRow> for Kept {
    fn from(row: KeptRow) -> Self {
        let (id, contact, associate, store, state, remark, description, add_way, channel, tags, ..) = row;
        let (.., added_at, ended_at, seen_at, alias) = row;
        Self {
            id: FollowId(id),
            contact_id: ContactId(contact),
            associate_id: AssociateId(associate),
            store_id: store.map(StoreId),
            state,
            remark,
            description,
            add_way,
            channel,
            tags,
            added_at: Timestamp(added_at),
            ended_at: ended_at.map(Timestamp),
            seen_at: Timestamp(seen_at),
            alias,
        }
    }
}

/// Pairs of the corp `$1` of which a condition holds.
async fn kept(conn: &impl Conn, condition: &str, args: Vec<Value>) -> Result<Vec<Kept>> {
    db::many(conn, KEPT, &kept_of(condition), args).await
}

fn kept_of(condition: &str) -> String {
    format!("from follow where corp_id = $1 and {condition}")
}

/// Every pair of these contacts, live or not.
pub async fn pairs_of(
    tx: &Tx,
    corp: CorpId,
    contacts: impl IntoIterator<Item = ContactId>,
) -> Result<Vec<Kept>> {
    let mut contacts: Vec<i64> = contacts.into_iter().map(|contact| contact.0).collect();
    contacts.sort_unstable();
    contacts.dedup();
    let mut parts = Vec::new();
    for part in contacts.chunks(PART) {
        parts.push(args![corp, id_list(part.iter().copied())]);
    }
    let from = kept_of(&tx.backend().sought_ids("contact_id", "$2"));
    db::many_in_parts(tx, KEPT, &from, parts).await
}

pub async fn pair(tx: &Tx, corp: CorpId, whose: &Whose, associate: AssociateId) -> Result<Option<Kept>> {
    let args = args![corp, whose.contact, associate, whose.alias.as_str()];
    let condition = "contact_id = $2 and associate_id = $3 and alias = $4";
    Ok(kept(tx, condition, args).await?.pop())
}

pub async fn pair_with(tx: &Tx, corp: CorpId, id: FollowId) -> Result<Option<Kept>> {
    Ok(kept(tx, "id = $2", args![corp, id]).await?.pop())
}

/// Live pairs of associates that a reading begun at `read_at` should have shown and did not. Pairs younger than
/// `settled` are left alone: the platform's reads lag behind an add.
pub async fn unshown(
    conn: &impl Conn,
    corp: CorpId,
    associates: &[AssociateId],
    read_at: Timestamp,
    settled: Timestamp,
) -> Result<Vec<Kept>> {
    // One associate at a time: with a list of them PostgreSQL may go through the whole table instead.
    let condition = "associate_id = $2 and state = 'active' and seen_at < $3 and added_at <= $4";
    let mut unshown = Vec::new();
    for associate in associates {
        unshown.extend(kept(conn, condition, args![corp, *associate, read_at, settled]).await?);
    }
    Ok(unshown)
}

/// Pairs that carry a tag, live or not: the next thousands after one of them, in the order of their ids.
pub async fn carrying(tx: &Tx, corp: CorpId, tag: TagId, after: FollowId) -> Result<Vec<Kept>> {
    let from = format!(
        "from (select {KEPT} from follow where corp_id = $1 and id > $2 and tags like $3 order by id limit {TOGETHER}) carrying"
    );
    let mut pairs: Vec<Kept> = db::many(tx, KEPT, &from, args![corp, after, format!("% {tag} %")]).await?;
    pairs.sort_unstable_by_key(|kept| kept.id);
    Ok(pairs)
}

/// A tag of ours that the platform has, too.
#[derive(FromQueryResult)]
pub struct MirroredTag {
    pub platform_id: String,
    pub id: TagId,
    pub name: String,
}

/// Our tags by the platform's ids: the crossing of a reading to our words. Deleted ones are none.
pub async fn platform_tags(
    tx: &Tx,
    corp: CorpId,
    platform_ids: impl IntoIterator<Item = &str>,
) -> Result<Vec<MirroredTag>> {
    let sql = format!(
        "select platform_id, id, name from tag where corp_id = $1 and {} and deleted_at is null",
        tx.backend().in_texts("platform_id", "$2")
    );
    db::all(tx, &sql, args![corp, text_list(platform_ids)]).await
}

/// Names of our tags, deleted ones too: for the history.
pub async fn tag_names(
    conn: &impl Conn,
    corp: CorpId,
    tags: impl IntoIterator<Item = TagId>,
) -> Result<HashMap<TagId, String>> {
    let ids: HashSet<i64> = tags.into_iter().map(|tag| tag.0).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "select id, name from tag where corp_id = $1 and {}",
        conn.backend().in_ids("id", "$2")
    );
    let rows = db::rows(conn, &sql, args![corp, id_list(ids)]).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::ledger;
    use super::*;
    use crate::db::{Db, migrate};
    use crate::ids::Ids;

    /// Every field another, with what texts are written with in JSON.
    #[tokio::test]
    async fn people_and_pairs_are_read_as_they_were_written() {
        let db = Db::connect("sqlite::memory:").await.unwrap();
        migrate::up(&db, Timestamp(1)).await.unwrap();
        let (corp, now) = (CorpId(1), Timestamp(1_700_000_000_000));
        let text = |what: &str| format!("{what} \"\\\n\t'张\u{1f600}");
        let person = |id: i64, has: bool| Person {
            id: ContactId(id),
            external_userid: ExternalUserId(format!("wm{id}")),
            unionid: has.then(|| text("unionid")),
            name: text("name"),
            avatar: text("avatar"),
            kind: 2,
            gender: 1,
            phone_blind: has.then(|| text("blind")),
            phone_last4: has.then(|| text("last")),
            phone_sealed: has.then(|| text("sealed")),
        };
        let kept = |id: i64, has: bool| Kept {
            id: FollowId(id + 10),
            contact_id: ContactId(id),
            associate_id: AssociateId(i64::MAX - id),
            store_id: has.then_some(StoreId(7)),
            state: "active".to_owned(),
            remark: text("remark"),
            description: text("description"),
            add_way: 3,
            channel: text("channel"),
            tags: " 4 5 ".to_owned(),
            added_at: Timestamp(11),
            ended_at: None,
            seen_at: Timestamp(12),
            alias: if has { String::new() } else { text("alias") },
        };
        let (people, pairs) = (
            [person(1, true), person(2, false)],
            [kept(1, true), kept(2, false)],
        );
        let tx = db.begin().await.unwrap();
        let day = Timestamp(11).day(chrono_tz::Asia::Shanghai);
        let new = ledger::New {
            people: people.iter().map(|person| (person.clone(), None)).collect(),
            pairs: pairs.iter().map(|pair| (pair.clone(), day)).collect(),
            periods: Vec::new(),
        };
        let ids = Ids::new(1, now);
        let ready = ledger::ready(&tx, &ids, now, corp, new).unwrap();
        ready.run(&tx).await.unwrap();

        let asked: Vec<ExternalUserId> = people.iter().map(|one| one.external_userid.clone()).collect();
        let read = super::people(&tx, corp, &asked).await.unwrap();
        assert!(people.iter().all(|one| read[&one.external_userid] == *one));
        // Whoever was merged is found by both ids, in one question.
        let sql = "insert into merged_contact (corp_id, id, external_userid, name, avatar, kind, gender, created_at,
                     updated_at, contact_id, merge_id) values (1, 9, 'wm9', '', '', 1, 0, 0, 0, 1, 1)";
        db::run(&tx, sql, vec![]).await.unwrap();
        let read = super::people(&tx, corp, &["wm9".into(), "wm1".into()])
            .await
            .unwrap();
        assert_eq!(read.len(), 2);
        assert!(read.values().all(|one| *one == people[0]));
        let mut read = pairs_of(&tx, corp, [ContactId(1), ContactId(2)]).await.unwrap();
        read.sort_by_key(|pair| pair.id);
        assert_eq!(read, pairs);
        let of = |after| carrying(&tx, corp, TagId(5), FollowId(after));
        assert_eq!(of(0).await.unwrap(), pairs);
        assert_eq!(of(11).await.unwrap(), pairs[1..]);
        assert!(of(12).await.unwrap().is_empty());
        assert!(pairs_of(&tx, corp, []).await.unwrap().is_empty());
    }
}
