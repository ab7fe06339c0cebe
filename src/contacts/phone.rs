//! Phone numbers: found by their fingerprint, told by their last four digits, kept sealed; and shown whole to whoever
//! may see them, one at a time, with an entry in the audit chain.

use secrecy::{ExposeSecret as _, SecretString};

use super::phone_digits;
use super::store::known;
use crate::app::App;
use crate::auth::audit;
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, CorpId};
use crate::scope::{Act, Scope};
use crate::seal::Sealer;
use crate::time::HOUR_MS;
use crate::timeline;

/// Numbers that one person, or one key, is shown in an hour: enough for a day of calls, too few for a list.
const MOST_AN_HOUR: i64 = 30;
const ACTION: &str = "contact.phone";

/// A phone number as it comes in. It prints as its last four digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone {
    pub blind: String,
    pub last4: String,
    digits: String,
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phone(…{})", self.last4)
    }
}

impl Phone {
    /// `None` when it is none.
    pub fn of(sealer: &Sealer, corp: CorpId, text: &str) -> Option<Self> {
        let digits = phone_digits(text)?;
        Some(Self {
            blind: sealer.blind(corp, &digits),
            last4: digits[digits.len() - 4..].to_owned(),
            digits,
        })
    }

    /// As it is kept of this contact, and of nobody else.
    pub fn sealed(&self, sealer: &Sealer, corp: CorpId, contact: ContactId) -> String {
        sealer.seal(&place(corp, contact), &self.digits)
    }
}

/// A number that is sealed for one contact, sealed for another.
///
/// # Errors
/// When it does not open: the master key is another.
pub fn reseal_phone(
    sealer: &Sealer,
    corp: CorpId,
    from: ContactId,
    to: ContactId,
    sealed: &str,
) -> Result<String> {
    let digits = sealer.open(&place(corp, from), sealed)?;
    Ok(sealer.seal(&place(corp, to), digits.expose_secret()))
}

fn place(corp: CorpId, contact: ContactId) -> String {
    format!("{corp}|contact|phone_sealed|{contact}")
}

/// Opens a contact's number for the caller, who has the right to see it. That they saw it is in the audit chain.
///
/// # Errors
/// `NotFound` out of scope, `Conflict` when no number is kept, `TooMany` when they were shown as many as there are for
/// an hour.
pub async fn show_phone(app: &App, act: &Act<'_>, scope: &Scope, contact: ContactId) -> Result<SecretString> {
    let tx = app.db.begin().await?;
    timeline::check(&tx, scope, contact).await?;
    let kept = known::phone_of(&tx, scope.corp, contact).await?;
    let (Some(_), sealed) = kept else {
        return Err(Error::conflict(said!(
            "conflict-phone-none",
            "there is no phone number of this contact"
        )));
    };
    let Some(sealed) = sealed else {
        return Err(Error::conflict(said!(
            "conflict-phone-last4",
            "only the last four digits are kept of this number; it is whole again once it is synced or imported anew"
        )));
    };
    let subject = format!("contact:{contact}");
    // The entry first: it takes the chain's lock, so that two who ask at once are counted one after the other.
    audit::append(&tx, act, scope.corp, ACTION, &subject, &serde_json::json!({})).await?;
    let since = act.now.plus_ms(-HOUR_MS);
    let shown = audit::since(&tx, scope.corp, act.by, ACTION, since).await?;
    if shown.len() as i64 > MOST_AN_HOUR {
        let first = shown.first().copied().unwrap_or(act.now);
        let wait_ms = first.plus_ms(HOUR_MS).0 - act.now.0;
        tracing::warn!(actor = %act.by, "somebody asked for more phone numbers than are shown in an hour");
        return Err(Error::TooMany {
            retry_after_s: (wait_ms.max(0) / 1_000 + 1) as u64,
        });
    }
    let number = app.sealer.open(&place(scope.corp, contact), &sealed)?;
    tx.commit().await?;
    Ok(number)
}

/// A number as people read it: `138 0000 0001`.
pub fn spaced(number: &SecretString) -> String {
    let digits = number.expose_secret();
    match digits.len() {
        11 => format!("{} {} {}", &digits[..3], &digits[3..7], &digits[7..]),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MasterKey;

    #[test]
    fn a_number_opens_for_its_contact_alone_and_does_not_print() {
        let sealer = Sealer::new(&MasterKey([7; 32]));
        let phone = Phone::of(&sealer, CorpId(1), "+86 138-0000-0001").unwrap();
        let sealed = phone.sealed(&sealer, CorpId(1), ContactId(5));
        assert!(!format!("{phone:?}{sealed}").contains("13800000001"));
        let opened = sealer.open(&place(CorpId(1), ContactId(5)), &sealed).unwrap();
        assert_eq!(spaced(&opened), "138 0000 0001");
        assert!(sealer.open(&place(CorpId(1), ContactId(6)), &sealed).is_err());
        assert!(sealer.open(&place(CorpId(2), ContactId(5)), &sealed).is_err());
        assert_eq!(spaced(&SecretString::from("02188886666")), "021 8888 6666");
        assert_eq!(spaced(&SecretString::from("12345")), "12345");
    }
}
