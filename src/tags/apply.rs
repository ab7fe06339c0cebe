//! Marks contacts: platform first, pair by pair, then our rows and their history.

use std::collections::HashMap;

use futures_util::StreamExt as _;

use super::Marked;
use super::store::{self, Row};
use crate::app::App;
use crate::contacts::{self, NamedTag, Pair};
use crate::directory::{self, Corp};
use crate::error::{Error, Problem, Result, said};
use crate::ids::{ContactId, CorpId, TagId};
use crate::scope::{Act, Actor, Scope};
use crate::wecom::Client;

/// Most contacts one call may mark.
pub const MAX_CONTACTS: usize = 1_000;
/// Calls under way at once; the platform refuses more than 5 in a corp.
const AT_ONCE: usize = 4;
/// Looks at a pair that others change too.
const MAX_LOOKS: usize = 5;

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
    let marking = Marking {
        app,
        act,
        corp: directory::find_corp(&app.db, scope.corp).await?,
        client: directory::platform(app, scope.corp).await?,
        add: known(app, scope.corp, "/add", add).await?,
        remove: known(app, scope.corp, "/remove", remove).await?,
    };
    if let Some(both) = add.iter().position(|tag| remove.contains(tag)) {
        let message = said!(
            "refused-tag-both",
            "tag `{tag}` is both set and taken; leave one out",
            tag = add[both].to_string()
        );
        return Err(Error::invalid(format!("/add/{both}"), message));
    }
    let pairs = contacts::pairs(&app.db, scope, contacts).await?;
    // Made before the stream: a closure over borrowed pairs would keep the whole future from moving between threads.
    let each: Vec<_> = pairs.iter().map(|pair| marking.told(pair)).collect();
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

/// The tags behind these ids, in their order.
async fn known(app: &App, corp: CorpId, pointer: &str, ids: &[TagId]) -> Result<Vec<Row>> {
    let rows = store::rows(&app.db, corp, ids).await?;
    let mut found = Vec::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        match rows.iter().find(|row| row.id == *id) {
            Some(row) => found.push(row.clone()),
            None => problems.push(Problem::new(
                format!("{pointer}/{index}"),
                said!("refused-no-tag", "there is no tag `{id}`", id = id.to_string()),
            )),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(Error::Invalid(problems))
    }
}

struct Marking<'a> {
    app: &'a App,
    act: &'a Act<'a>,
    corp: Corp,
    client: Client,
    add: Vec<Row>,
    remove: Vec<Row>,
}

impl Marking<'_> {
    async fn told(&self, pair: &Pair) -> (ContactId, Result<bool>) {
        (pair.contact_id, self.pair(pair).await)
    }

    /// `false`: the pair is so already, and nobody is called.
    async fn pair(&self, pair: &Pair) -> Result<bool> {
        let held = pair.tag_ids();
        let add: Vec<&Row> = self.add.iter().filter(|tag| !held.contains(&tag.id)).collect();
        let remove: Vec<&Row> = self.remove.iter().filter(|tag| held.contains(&tag.id)).collect();
        if add.is_empty() && remove.is_empty() {
            return Ok(false);
        }
        let ids = |tags: &[&Row]| -> Vec<String> { tags.iter().map(|tag| tag.platform_id.clone()).collect() };
        let (set, taken) = (ids(&add), ids(&remove));
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        self.client
            .mark_tags(&pair.userid, &pair.external_userid, &set, &taken)
            .await?;
        self.record(pair, &named(&add), &named(&remove)).await?;
        Ok(true)
    }

    /// The platform has it; a fetch of the same pair that came between only means to look again.
    async fn record(&self, pair: &Pair, add: &[NamedTag], remove: &[NamedTag]) -> Result<()> {
        let source = super::source(self.act);
        let mut tries = 0;
        loop {
            tries += 1;
            let tx = self.app.db.begin().await?;
            match contacts::change_tags(&tx, self.act, &self.corp, pair, add, remove, source).await {
                Ok(_) => return tx.commit().await,
                Err(Error::Conflict(_)) if tries < MAX_LOOKS => tx.rollback().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

fn named(tags: &[&Row]) -> Vec<NamedTag> {
    tags.iter()
        .map(|tag| NamedTag {
            id: tag.id,
            name: tag.name.clone(),
        })
        .collect()
}

/// Who changes tags, as the history names it.
pub(super) fn source(act: &Act<'_>) -> &'static str {
    match act.by {
        Actor::Operator(_) => "operator",
        Actor::ApiKey(_) => "api",
        Actor::Platform => "platform",
        Actor::System => "rule",
    }
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
