//! Statements on the people of a campaign: who may get it and from whom, the quota claimed for them, and the batches
//! and deliveries planned.

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use crate::args;
use crate::campaigns::quota::Window;
use crate::db::{self, Conn, Filter, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, StoreId};
use crate::scope::Scope;
use crate::time::Timestamp;

/// Contacts that one statement claims or gives back.
const CHUNK: usize = 50_000;

/// Whether each contact opted out, and how much of the window is used.
pub async fn standing(
    conn: &impl Conn,
    corp: CorpId,
    ids: &str,
    window: &Window,
) -> Result<HashMap<ContactId, (bool, i64)>> {
    let sql = format!(
        "select c.id, c.opted_out_at, coalesce(q.used, 0) from contact c
           left join quota_use q on q.corp_id = c.corp_id and q.contact_id = c.id and q.window_key = $3
          where c.corp_id = $1 and {}",
        conn.backend().in_ids("c.id", "$2")
    );
    let rows = db::rows(conn, &sql, args![corp, ids, window.key.as_str()]).await?;
    rows.iter()
        .map(|row| {
            let opted_out: Option<Timestamp> = db::column(row, 1)?;
            Ok((db::column(row, 0)?, (opted_out.is_some(), db::column(row, 2)?)))
        })
        .collect()
}

/// When the last broadcast reached a contact.
pub async fn last_sent(conn: &impl Conn, corp: CorpId, contact: ContactId) -> Result<Option<Timestamp>> {
    let sql = "select max(sent_at) from delivery where corp_id = $1 and contact_id = $2 and state = 'sent'";
    let at: Option<Option<Timestamp>> = db::scalar(conn, sql, args![corp, contact]).await?;
    Ok(at.flatten())
}

/// Somebody who could send to a contact.
#[derive(FromQueryResult)]
pub struct Sender {
    pub contact_id: ContactId,
    pub associate_id: AssociateId,
    pub store_id: Option<StoreId>,
    pub added_at: Timestamp,
    pub bound_until: Option<Timestamp>,
}

/// The live follows of these contacts in scope whose associate can send at all.
pub async fn possible_senders(
    conn: &impl Conn,
    scope: &Scope,
    ids: &str,
    now: Timestamp,
) -> Result<Vec<Sender>> {
    let backend = conn.backend();
    let mut filter = Filter::new("f.corp_id", scope.corp);
    let place = filter.arg(ids);
    filter.and_sql(&backend.in_ids("f.contact_id", &place));
    filter.and_sql("f.state = 'active' and a.status = 'active'");
    scope.narrow(&mut filter, backend, "f");
    let now = filter.arg(now);
    let sql = format!(
        "select f.contact_id, f.associate_id, a.store_id, f.added_at, b.until_at as bound_until from follow f
           join associate a on a.corp_id = f.corp_id and a.id = f.associate_id
           left join binding b on b.corp_id = f.corp_id and b.contact_id = f.contact_id
            and b.associate_id = f.associate_id and b.from_at <= {now} and b.until_at > {now}
          where {}",
        filter.sql()
    );
    db::all(conn, &sql, filter.args).await
}

/// Claims one broadcast for each contact that has one left, and answers who they are. Planners that race see each
/// other's claims: the limit is judged by the statement that counts.
pub async fn claim_quota(
    tx: &Tx,
    corp: CorpId,
    window: &Window,
    contacts: &[ContactId],
) -> Result<HashSet<ContactId>> {
    let mut claimed = HashSet::with_capacity(contacts.len());
    if window.limit < 1 {
        return Ok(claimed);
    }
    let sql = format!(
        "insert into quota_use (corp_id, contact_id, window_key, used)
         select c.corp_id, c.id, $2, 1 from contact c where c.corp_id = $1 and {} order by c.id
         on conflict (corp_id, contact_id, window_key) do update set used = quota_use.used + 1
           where quota_use.used < $4
         returning contact_id",
        tx.backend().in_ids("c.id", "$3")
    );
    for chunk in contacts.chunks(CHUNK) {
        let ids = db::id_list(chunk.iter().map(|contact| contact.0));
        let won: Vec<ContactId> =
            db::scalars(tx, &sql, args![corp, window.key.as_str(), ids, window.limit]).await?;
        claimed.extend(won);
    }
    Ok(claimed)
}

/// Gives back what was claimed for contacts that got nothing.
pub async fn give_back(tx: &Tx, corp: CorpId, key: Option<&str>, contacts: &[ContactId]) -> Result<()> {
    let Some(key) = key else { return Ok(()) };
    // What was claimed for a contact that is merged by now is counted with the one that was kept.
    let sql = format!(
        "update quota_use set used = used - 1 where corp_id = $1 and window_key = $2 and used > 0 and ({} or contact_id in
           (select m.contact_id from merged_contact m where m.corp_id = $1 and {}))",
        tx.backend().in_ids("contact_id", "$3"),
        tx.backend().in_ids("m.id", "$3")
    );
    for chunk in contacts.chunks(CHUNK) {
        let ids = db::id_list(chunk.iter().map(|contact| contact.0));
        db::run(tx, &sql, args![corp, key, ids]).await?;
    }
    Ok(())
}

/// Writes down that contacts have nothing left in a window.
pub async fn use_up(tx: &Tx, corp: CorpId, window: &Window, contacts: &[ContactId]) -> Result<()> {
    let sql = format!(
        "insert into quota_use (corp_id, contact_id, window_key, used)
         select c.corp_id, c.id, $2, $4 from contact c where c.corp_id = $1 and {} order by c.id
         on conflict (corp_id, contact_id, window_key) do update set used = excluded.used
           where quota_use.used < excluded.used",
        tx.backend().in_ids("c.id", "$3")
    );
    for chunk in contacts.chunks(CHUNK) {
        let ids = db::id_list(chunk.iter().map(|contact| contact.0));
        db::run(tx, &sql, args![corp, window.key.as_str(), ids, window.limit]).await?;
    }
    Ok(())
}

/// Writes batches down, none handed over yet.
pub async fn insert_batches(tx: &Tx, rows: Vec<Vec<sea_orm::Value>>) -> Result<()> {
    db::insert_many(
        tx,
        "insert into batch (corp_id, id, campaign_id, associate_id, store_id, link_id, state, contacts, marker,
           lease_epoch, polls, reminded)",
        rows,
        "",
    )
    .await?;
    Ok(())
}

/// Writes deliveries down, planned or excluded.
pub async fn insert_deliveries(tx: &Tx, rows: Vec<Vec<sea_orm::Value>>) -> Result<()> {
    db::insert_many(
        tx,
        "insert into delivery (corp_id, campaign_id, contact_id, associate_id, store_id, batch_id, state, reason, updated_at)",
        rows,
        "",
    )
    .await?;
    Ok(())
}
