//! What is known of one contact in the chain's own fields, as people write it: all of what they give, or nothing.

use std::collections::BTreeMap;

use super::store::known;
use crate::db::Tx;
use crate::error::{Error, Problem, Result, said};
use crate::ids::{ContactId, FieldId};
use crate::scope::{Act, Scope};
use crate::timeline;

/// Writes values of a contact in scope; an empty one, or none, takes away what is there. Fields that are not named
/// stay as they are.
///
/// # Errors
/// `NotFound` out of scope; `Invalid` with every field that is refused, at `/fields/<id>`: then nothing is changed.
pub async fn set_values(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    contact: ContactId,
    given: &BTreeMap<FieldId, Option<String>>,
) -> Result<()> {
    timeline::check(tx, scope, contact).await?;
    let fields = known::fields(tx, scope.corp).await?;
    let (mut kept, mut cleared, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (id, text) in given {
        let at = format!("/fields/{id}");
        let Some(field) = fields.iter().find(|field| field.id == *id) else {
            let gone = said!(
                "refused-field-unknown",
                "there is no such field; it may be deleted"
            );
            problems.push(Problem::new(at, gone));
            continue;
        };
        match text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => cleared.push(*id),
            Some(text) => match field.read(text) {
                Ok(value) => kept.push((contact, *id, value)),
                Err(why) => problems.push(Problem::new(at, why.about(&field.name))),
            },
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    known::clear_values(tx, scope.corp, contact, &cleared).await?;
    known::put_values(tx, scope.corp, act.now, kept).await
}
