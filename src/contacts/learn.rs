//! What headquarters knows of contacts and the platform does not: birthdays, phone numbers, who wants no messages, and
//! the chain's own fields.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::jobs::Recognised;
use super::phone::Phone;
use super::store::known::{self, Known};
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::{ContactId, CorpId, FieldId};
use crate::queue::{self, Lane, NewJob};
use crate::scope::Act;
use crate::time::Day;

/// What somebody says of one contact; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    pub contact: ContactId,
    /// `MM-DD`, from [`birthday`].
    pub birthday: Option<String>,
    pub phone: Option<Phone>,
    pub opted_out: Option<bool>,
    /// As [`super::ContactField::read`] gives them.
    pub values: Vec<(FieldId, String)>,
}

/// `03-08`, `1990/3/8` and `3月8日` as `MM-DD`.
pub fn birthday(text: &str) -> Option<String> {
    let parts = super::fields::date_parts(text)?;
    // Of a day without a year it is enough that some year has it.
    let (year, month, day) = match parts.as_slice() {
        [month, day] => (2_000, *month, *day),
        [year, month, day] if *year >= 1_000 => (*year, *month, *day),
        _ => return None,
    };
    Day::parse(&format!("{year:04}-{month:02}-{day:02}"))?;
    Some(format!("{month:02}-{day:02}"))
}

/// Takes in what is said of contacts, each once; answers of whom it was news.
pub async fn learn(tx: &Tx, act: &Act<'_>, corp: CorpId, learned: &[Learned]) -> Result<HashSet<ContactId>> {
    let ids: Vec<ContactId> = learned.iter().map(|one| one.contact).collect();
    let people = known::of_contacts(tx, corp, &ids).await?;
    let kept = known::values(tx, corp, &ids).await?;
    let (mut changed, mut values, mut recognised) = (Vec::new(), Vec::new(), Vec::new());
    let mut news = HashSet::new();
    for one in learned {
        let Some(before) = people.get(&one.contact) else {
            continue;
        };
        let after = one.on(before, act, corp);
        if after != *before {
            if after.phone_blind != before.phone_blind {
                recognised.push(one.contact);
            }
            changed.push(after);
            news.insert(one.contact);
        }
        let held = kept.get(&one.contact);
        for (field, value) in &one.values {
            if held.and_then(|held| held.get(field)) != Some(value) {
                values.push((one.contact, *field, value.clone()));
                news.insert(one.contact);
            }
        }
    }
    // In one order everywhere: two who change the same people do not lock each other out.
    changed.sort_by_key(|known| known.id);
    known::change(tx, corp, act.now, &changed).await?;
    known::put_values(tx, corp, act.now, values).await?;
    tell(tx, act, corp, recognised).await?;
    Ok(news)
}

impl Learned {
    fn on(&self, before: &Known, act: &Act<'_>, corp: CorpId) -> Known {
        let opted_out_at = match self.opted_out {
            None => before.opted_out_at,
            Some(false) => None,
            Some(true) => before.opted_out_at.or(Some(act.now)),
        };
        let phone = self.phone.as_ref();
        Known {
            id: before.id,
            birthday: self.birthday.clone().or_else(|| before.birthday.clone()),
            phone_blind: phone
                .map(|phone| phone.blind.clone())
                .or_else(|| before.phone_blind.clone()),
            phone_last4: phone
                .map(|phone| phone.last4.clone())
                .or_else(|| before.phone_last4.clone()),
            phone_sealed: match phone {
                // Sealed anew it would look like another number.
                Some(phone) if Some(&phone.blind) != before.phone_blind.as_ref() => {
                    Some(phone.sealed(act.sealer, corp, before.id))
                }
                Some(phone) => before
                    .phone_sealed
                    .clone()
                    .or_else(|| Some(phone.sealed(act.sealer, corp, before.id))),
                None => before.phone_sealed.clone(),
            },
            opted_out_at,
        }
    }
}

/// News: they can be told by another phone number now.
async fn tell(tx: &Tx, act: &Act<'_>, corp: CorpId, contacts: Vec<ContactId>) -> Result<()> {
    if contacts.is_empty() {
        return Ok(());
    }
    let news = NewJob {
        corp,
        kind: Recognised::NAME,
        payload: queue::payload(&Recognised { contacts }),
        lane: Lane::Normal,
        run_at: act.now,
        unique_key: None,
    };
    queue::enqueue(tx, act.ids, act.now, news).await?;
    Ok(())
}

/// What a text is looked for as, whole corp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindBy {
    ExternalUserId,
    Unionid,
    /// By the number's fingerprint.
    Phone,
}

/// Contacts by texts that name them; of one text there may be several.
pub async fn find_by(
    conn: &impl Conn,
    corp: CorpId,
    by: FindBy,
    texts: &[&str],
) -> Result<HashMap<String, Vec<ContactId>>> {
    known::by_texts(conn, corp, by, texts).await
}

/// What an export tells of a contact beside the list's row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub birthday: Option<String>,
    pub phone_last4: Option<String>,
    pub opted_out: bool,
    pub values: BTreeMap<FieldId, String>,
}

/// What headquarters knows of contacts that the caller may see.
pub async fn facts(
    conn: &impl Conn,
    corp: CorpId,
    contacts: &[ContactId],
) -> Result<HashMap<ContactId, Facts>> {
    let mut values = known::values(conn, corp, contacts).await?;
    let people = known::of_contacts(conn, corp, contacts).await?;
    let facts = people.into_iter().map(|(id, known)| {
        let facts = Facts {
            birthday: known.birthday,
            phone_last4: known.phone_last4,
            opted_out: known.opted_out_at.is_some(),
            values: values.remove(&id).unwrap_or_default().into_iter().collect(),
        };
        (id, facts)
    });
    Ok(facts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_birthday_is_a_month_and_a_day_however_it_is_written() {
        for (text, kept) in [
            ("03-08", Some("03-08")),
            ("3/8", Some("03-08")),
            ("1990-3-8", Some("03-08")),
            ("1990年3月8日", Some("03-08")),
            ("3月8日", Some("03-08")),
            ("02-29", Some("02-29")),
            ("1990-02-29", None),
            ("13-01", None),
            ("90-3-8", None),
            ("soon", None),
            ("3", None),
        ] {
            assert_eq!(birthday(text).as_deref(), kept, "{text}");
        }
    }
}
