//! Statements on what headquarters knows of contacts: fields, values, and the columns of `contact` that are ours.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::contacts::{ContactField, FieldKind, FindBy, OwnValue};
use crate::db::changes::Fact;
use crate::db::{self, Conn, Tx, id_list, text_list};
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, CorpId, FieldId};
use crate::time::Timestamp;

pub async fn fields(conn: &impl Conn, corp: CorpId) -> Result<Vec<ContactField>> {
    let sql = "select id, name, kind, choices from contact_field where corp_id = $1 and deleted_at is null order by id";
    let rows = db::rows(conn, sql, args![corp]).await?;
    rows.iter()
        .map(|row| {
            let kind: String = db::column(row, 2)?;
            let unknown = || Error::internal("a field of a kind this version does not know");
            Ok(ContactField {
                id: db::column(row, 0)?,
                name: db::column(row, 1)?,
                kind: FieldKind::parse(&kind).ok_or_else(unknown)?,
                choices: serde_json::from_str(&db::column::<String>(row, 3)?)?,
            })
        })
        .collect()
}

pub async fn insert_field(tx: &Tx, corp: CorpId, field: &ContactField, now: Timestamp) -> Result<()> {
    let sql = "insert into contact_field (corp_id, id, name, kind, choices, created_at)
               values ($1, $2, $3, $4, $5, $6)";
    let choices = serde_json::to_string(&field.choices)?;
    let args = args![
        corp,
        field.id,
        field.name.clone(),
        field.kind.as_str(),
        choices,
        now
    ];
    let taken = || {
        said!(
            "refused-field-name-taken",
            "there is a field of this name already"
        )
    };
    db::run(tx, sql, args)
        .await
        .map_err(|error| error.on_conflict("/name", taken()))?;
    Ok(())
}

pub async fn delete_field(tx: &Tx, corp: CorpId, id: FieldId, now: Timestamp) -> Result<()> {
    let sql =
        "update contact_field set deleted_at = $3 where corp_id = $1 and id = $2 and deleted_at is null";
    if db::run(tx, sql, args![corp, id, now]).await? == 0 {
        return Err(Error::NotFound);
    }
    tx.take_time().await?;
    let sql = "delete from contact_value where corp_id = $1 and field_id = $2 returning contact_id";
    // There may be a value of everybody.
    db::each(tx, sql, args![corp, id], |row| {
        tx.note(corp, Fact::Person, [db::column(row, 0)?]);
        Ok(())
    })
    .await
}

/// What is ours of a contact's row.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Known {
    pub id: ContactId,
    pub birthday: Option<String>,
    pub phone_blind: Option<String>,
    pub phone_last4: Option<String>,
    pub phone_sealed: Option<String>,
    pub opted_out_at: Option<Timestamp>,
}

pub async fn of_contacts(
    conn: &impl Conn,
    corp: CorpId,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Known>> {
    let sql = format!(
        "select id, birthday, phone_blind, phone_last4, phone_sealed, opted_out_at from contact
         where corp_id = $1 and {}",
        conn.backend().in_ids("id", "$2")
    );
    let ids = id_list(contacts.iter().map(|contact| contact.0));
    let rows: Vec<Known> = db::all(conn, &sql, args![corp, ids]).await?;
    Ok(rows.into_iter().map(|known| (known.id, known)).collect())
}

/// The last four digits of a contact's number, and the number sealed.
pub async fn phone_of(
    conn: &impl Conn,
    corp: CorpId,
    contact: ContactId,
) -> Result<(Option<String>, Option<String>)> {
    let sql = "select phone_last4, phone_sealed from contact where corp_id = $1 and id = $2";
    let row = db::rows(conn, sql, args![corp, contact]).await?;
    let row = row.first().ok_or(Error::NotFound)?;
    Ok((db::column(row, 0)?, db::column(row, 1)?))
}

/// Values by contact and field, of fields there still are.
pub async fn values(
    conn: &impl Conn,
    corp: CorpId,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, HashMap<FieldId, String>>> {
    let sql = format!(
        "select contact_id, field_id, value from contact_value where corp_id = $1 and {}",
        conn.backend().in_ids("contact_id", "$2")
    );
    let ids = id_list(contacts.iter().map(|contact| contact.0));
    let mut values: HashMap<ContactId, HashMap<FieldId, String>> = HashMap::new();
    for row in &db::rows(conn, &sql, args![corp, ids]).await? {
        let of_contact = values.entry(db::column(row, 0)?).or_default();
        of_contact.insert(db::column(row, 1)?, db::column(row, 2)?);
    }
    Ok(values)
}

/// What one contact has in fields there still are, the first defined first.
pub async fn own_values(conn: &impl Conn, corp: CorpId, contact: ContactId) -> Result<Vec<OwnValue>> {
    let sql = "select v.field_id, f.name, v.value from contact_value v
               join contact_field f on f.corp_id = v.corp_id and f.id = v.field_id and f.deleted_at is null
               where v.corp_id = $1 and v.contact_id = $2 order by f.id";
    db::all(conn, sql, args![corp, contact]).await
}

pub async fn clear_values(tx: &Tx, corp: CorpId, contact: ContactId, fields: &[FieldId]) -> Result<()> {
    if fields.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "delete from contact_value where corp_id = $1 and contact_id = $2 and {}",
        tx.backend().in_ids("field_id", "$3")
    );
    let ids = id_list(fields.iter().map(|field| field.0));
    db::run(tx, &sql, args![corp, contact, ids]).await?;
    tx.note(corp, Fact::Person, [contact.0]);
    Ok(())
}

/// Writes what is ours of these contacts, in one statement.
pub async fn change(tx: &Tx, corp: CorpId, now: Timestamp, people: &[Known]) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = people
        .iter()
        .map(|one| {
            let opted_out_at = one.opted_out_at.map(|at| at.0);
            (
                one.id.0,
                &one.birthday,
                &one.phone_blind,
                &one.phone_last4,
                opted_out_at,
                &one.phone_sealed,
            )
        })
        .collect();
    let sql = format!(
        "update contact set birthday = n.birthday, phone_blind = n.phone_blind, phone_last4 = n.phone_last4,
           opted_out_at = n.opted_out_at, phone_sealed = n.phone_sealed, updated_at = $2
         from (select cast(value ->> 0 as bigint) as id, value ->> 1 as birthday, value ->> 2 as phone_blind,
             value ->> 3 as phone_last4, cast(value ->> 4 as bigint) as opted_out_at,
             value ->> 5 as phone_sealed from {}) n
         where contact.corp_id = $1 and contact.id = n.id",
        tx.backend().each("$3")
    );
    let list = serde_json::to_string(&rows)?;
    db::run(tx, &sql, args![corp, now, list]).await?;
    tx.note(corp, Fact::Person, people.iter().map(|one| one.id.0));
    Ok(())
}

pub async fn put_values(
    tx: &Tx,
    corp: CorpId,
    now: Timestamp,
    values: Vec<(ContactId, FieldId, String)>,
) -> Result<()> {
    tx.note(corp, Fact::Person, values.iter().map(|(contact, ..)| contact.0));
    let rows = values
        .into_iter()
        .map(|(contact, field, value)| args![corp, contact, field, value, now]);
    let head = "insert into contact_value (corp_id, contact_id, field_id, value, updated_at)";
    let tail = "on conflict (corp_id, contact_id, field_id)
                do update set value = excluded.value, updated_at = excluded.updated_at";
    db::insert_many(tx, head, rows, tail).await?;
    Ok(())
}

pub async fn by_texts(
    conn: &impl Conn,
    corp: CorpId,
    by: FindBy,
    texts: &[&str],
) -> Result<HashMap<String, Vec<ContactId>>> {
    let mut found: HashMap<String, Vec<ContactId>> = HashMap::new();
    if texts.is_empty() {
        return Ok(found);
    }
    let is_one = |column| conn.backend().in_texts(column, "$2");
    let sql = match by {
        FindBy::ExternalUserId => format!(
            "select external_userid, contact_id from known_contact where corp_id = $1 and {}",
            is_one("external_userid")
        ),
        FindBy::Unionid => format!(
            "select unionid, id from contact where corp_id = $1 and {} order by id",
            is_one("unionid")
        ),
        FindBy::Phone => format!(
            "select phone_blind, id from contact where corp_id = $1 and {one}
             union
             select phone_blind, contact_id from merged_contact where corp_id = $1 and {one} order by id",
            one = is_one("phone_blind")
        ),
    };
    for row in &db::rows(conn, &sql, args![corp, text_list(texts.iter().copied())]).await? {
        found
            .entry(db::column(row, 0)?)
            .or_default()
            .push(db::column(row, 1)?);
    }
    Ok(found)
}
