//! Marks contacts while somebody waits: each of their pairs in scope.

use std::collections::HashMap;

use futures_util::StreamExt as _;

use super::{Marked, Marker};
use crate::app::App;
use crate::contacts::{self, Pair};
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, TagId};
use crate::scope::{Act, Scope};

/// Most contacts one call may mark.
pub const MAX_CONTACTS: usize = 1_000;
/// Calls under way at once; the platform refuses more than 5 in a corp.
const AT_ONCE: usize = 4;

/// Sets and takes tags on each contact's pairs in scope. One refused contact does not stop the others.
///
/// # Errors
/// `Invalid` for too many contacts, an unknown tag, or one that is both set and taken.
pub async fn mark(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    contacts: &[ContactId],
    add: &[TagId],
    remove: &[TagId],
) -> Result<Vec<Marked>> {
    if contacts.len() > MAX_CONTACTS {
        return Err(Error::invalid(
            "/contact_ids",
            said!(
                "refused-contacts",
                "at most {most} contacts fit in one call, not {count}",
                most = MAX_CONTACTS,
                count = contacts.len()
            ),
        ));
    }
    let marker = Marker::of(app, act.by, scope.corp, add, remove).await?;
    let pairs = contacts::pairs(&app.db, scope, contacts).await?;
    // Made before the stream: a closure over borrowed pairs would keep the whole future from moving between threads.
    let each: Vec<_> = pairs.iter().map(|pair| told(&marker, pair)).collect();
    let results: Vec<(ContactId, Result<bool>)> = futures_util::stream::iter(each)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut of_contact: HashMap<ContactId, Vec<Result<bool>>> = HashMap::new();
    for (contact, result) in results {
        of_contact.entry(contact).or_default().push(result);
    }
    let answer = |contact: &ContactId| outcome(*contact, of_contact.get(contact).map(Vec::as_slice));
    Ok(contacts.iter().map(answer).collect())
}

async fn told(marker: &Marker<'_>, pair: &Pair) -> (ContactId, Result<bool>) {
    (pair.contact_id, marker.mark(pair).await)
}

/// A contact stands as its worst pair does.
fn outcome(contact_id: ContactId, pairs: Option<&[Result<bool>]>) -> Marked {
    let pairs = pairs.unwrap_or_default();
    let failure = pairs.iter().find_map(|pair| pair.as_ref().err());
    let is_marked = pairs.iter().any(|pair| matches!(pair, Ok(true)));
    let result = match failure {
        _ if pairs.is_empty() => "not_found",
        Some(_) => "failed",
        None if is_marked => "marked",
        None => "unchanged",
    };
    Marked {
        contact_id,
        result: result.into(),
        reason: failure.map(reason),
    }
}

fn reason(error: &Error) -> String {
    match error {
        Error::Platform(fault) if matches!(fault.code, Some(84061 | 84084)) => {
            "the platform says that the associate does not follow this contact any more".into()
        }
        Error::Platform(_) => error.to_string(),
        _ => {
            tracing::error!(%error, "a marking could not be recorded");
            "something failed here; try again".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_stands_as_its_worst_pair_does() {
        let cases: [(Vec<Result<bool>>, &str); 4] = [
            (vec![], "not_found"),
            (vec![Ok(false), Ok(true)], "marked"),
            (vec![Ok(false)], "unchanged"),
            (vec![Ok(true), Err(Error::NotFound)], "failed"),
        ];
        for (pairs, expected) in cases {
            assert_eq!(outcome(ContactId(1), Some(&pairs)).result, expected);
        }
    }
}
