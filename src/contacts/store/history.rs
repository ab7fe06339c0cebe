//! What is read of the history of tags.

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Conn, Filter, id_list, text_list};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, MarkingId, TagId};
use crate::scope::{Actor, Scope};
use crate::time::Timestamp;

/// How a tag came onto a pair that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagOrigin {
    pub tag: TagId,
    pub associate: AssociateId,
    pub associate_name: String,
    /// `None`: it came with the pair, before anybody could look.
    pub turn: Option<TurnOn>,
}

/// Somebody or something that set a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnOn {
    /// `None`: words of another version.
    pub by: Option<Actor>,
    pub at: Timestamp,
    /// The marking it was a part of.
    pub marking: Option<MarkingId>,
}

#[derive(FromQueryResult)]
struct PairRow {
    associate_id: AssociateId,
    associate_name: String,
    tags: String,
}

#[derive(FromQueryResult)]
struct TurnRow {
    associate_id: AssociateId,
    tag_id: TagId,
    actor: String,
    at: Timestamp,
    marking_id: Option<MarkingId>,
}

/// How each tag on the live pairs of a contact in scope came there, by tag.
pub async fn tag_origins(conn: &impl Conn, scope: &Scope, contact: ContactId) -> Result<Vec<TagOrigin>> {
    let mut filter = Filter::new("f.corp_id", scope.corp);
    filter.and("f.contact_id = {}", contact);
    filter.and_sql("f.state = 'active'");
    scope.narrow(&mut filter, conn.backend(), "f");
    let pairs = format!(
        "select f.associate_id, a.name as associate_name, f.tags from follow f
         join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
         where {} order by f.added_at, f.id",
        filter.sql()
    );
    let pairs: Vec<PairRow> = db::all(conn, &pairs, filter.args).await?;
    let turns = "select associate_id, tag_id, actor, at, marking_id from tag_change
                 where corp_id = $1 and contact_id = $2 and added order by at, id";
    let turns: Vec<TurnRow> = db::all(conn, turns, args![scope.corp, contact]).await?;
    // The last one wins.
    let last: HashMap<(AssociateId, TagId), TurnRow> = turns
        .into_iter()
        .map(|turn| ((turn.associate_id, turn.tag_id), turn))
        .collect();
    let mut origins = Vec::new();
    for pair in &pairs {
        for tag in crate::contacts::tag_ids(&pair.tags) {
            let turn = last.get(&(pair.associate_id, tag)).map(|turn| TurnOn {
                by: Actor::parse(&turn.actor),
                at: turn.at,
                marking: turn.marking_id,
            });
            origins.push(TagOrigin {
                tag,
                associate: pair.associate_id,
                associate_name: pair.associate_name.clone(),
                turn,
            });
        }
    }
    origins.sort_by_key(|origin| origin.tag);
    Ok(origins)
}

/// Of these contacts those whose tags a marking has changed.
pub async fn turned_in(
    conn: &impl Conn,
    corp: CorpId,
    marking: MarkingId,
    contacts: &[ContactId],
) -> Result<HashSet<ContactId>> {
    let sql = format!(
        "select distinct contact_id from tag_change where corp_id = $1 and marking_id = $2 and {}",
        conn.backend().in_ids("contact_id", "$3")
    );
    let ids = id_list(contacts.iter().map(|contact| contact.0));
    let turned = db::scalars(conn, &sql, args![corp, marking, ids]).await?;
    Ok(turned.into_iter().collect())
}

/// Whether somebody has set a tag on a pair at an instant or since.
pub async fn has_set(
    conn: &impl Conn,
    corp: CorpId,
    (contact, associate): (ContactId, AssociateId),
    tag: TagId,
    by: Actor,
    since: Timestamp,
) -> Result<bool> {
    let sql = "select count(*) from tag_change where corp_id = $1 and contact_id = $2 and at >= $3
               and associate_id = $4 and tag_id = $5 and added and actor = $6";
    let args = args![corp, contact, since, associate, tag, by.to_string()];
    Ok(db::count(conn, sql, args).await? > 0)
}

/// How many tags each of these rules has set since an instant.
pub async fn set_by_rules(
    conn: &impl Conn,
    scope: &Scope,
    rules: &[Actor],
    since: Timestamp,
) -> Result<HashMap<String, i64>> {
    let actors: Vec<String> = rules.iter().map(Actor::to_string).collect();
    let mut filter = Filter::new("t.corp_id", scope.corp);
    let wanted = filter.arg(text_list(actors.iter().map(String::as_str)));
    filter.and_sql(&conn.backend().in_texts("t.actor", &wanted));
    filter.and("t.source = 'rule' and t.added and t.at >= {}", since);
    if !scope.is_whole() {
        scope.narrow_contacts(&mut filter, conn.backend(), "t.contact_id");
    }
    let sql = format!(
        "select t.actor, count(*) from tag_change t where {} group by t.actor",
        filter.sql()
    );
    let rows = db::rows(conn, &sql, filter.args).await?;
    rows.iter()
        .map(|row| Ok((db::column(row, 0)?, db::column(row, 1)?)))
        .collect()
}
