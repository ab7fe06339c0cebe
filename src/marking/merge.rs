//! Making one tag of two: who carries the one gets the other, then the one is deleted on the platform.

use super::freeze::{self, Audience, PART, Wish};
use super::refused;
use super::store::markings::{self as store, Task};
use super::work::Outcome;
use super::{Kind, Marking, State, Told};
use crate::app::App;
use crate::directory;
use crate::error::{Advice, Error, Result, said};
use crate::ids::TagId;
use crate::scope::{Act, Scope};
use crate::segments::{self, Rule};
use crate::tags;

/// Begins to make `from` a part of `into`. A tag that nobody carries is deleted at once.
///
/// # Errors
/// `Forbidden` but for headquarters; `Invalid` for an unknown tag, or twice the same.
pub async fn merge(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    from: TagId,
    into: TagId,
) -> Result<Option<Marking>> {
    if !scope.is_whole() {
        return Err(Error::Forbidden("tags are merged by headquarters".into()));
    }
    if from == into {
        return Err(Error::invalid(
            "/into",
            said!("refused-merge-same", "a tag cannot become itself; choose another"),
        ));
    }
    tags::find(&app.db, scope, from).await?;
    let wish = Wish {
        kind: Kind::Merge,
        add: vec![into],
        remove: vec![from],
        carrying: Some(from),
    };
    tags::check(&app.db, scope.corp, &wish.add, &[])
        .await
        .map_err(at_into)?;
    if left(app, scope, from).await?.is_empty() {
        tags::delete(app, act, scope, from).await?;
        return Ok(None);
    }
    let audience = Audience::Rule(Rule::Tag(from));
    freeze::begin(app, act, scope, &audience, &wish).await.map(Some)
}

fn at_into(error: Error) -> Error {
    match error {
        Error::Invalid(mut problems) => {
            for problem in &mut problems {
                problem.pointer = "/into".to_owned();
            }
            Error::Invalid(problems)
        }
        error => error,
    }
}

/// Who carries a tag now.
async fn left(app: &App, scope: &Scope, tag: TagId) -> Result<Vec<crate::ids::ContactId>> {
    let zone = directory::find_corp(&app.db, scope.corp).await?.zone;
    segments::audience(app, &app.db, scope, &Rule::Tag(tag), zone, app.now()).await
}

/// Nobody waits any more: a marking is done, and a merge looks who got the tag meanwhile.
pub(super) async fn finish(app: &App, task: &Task) -> Result<Outcome> {
    match task.carrying {
        _ if !store::is_under_way(&app.db, task.scope.corp, task.id, task.turn).await? => Ok(Outcome::Ended),
        Some(tag) => finish_merge(app, task, tag).await,
        None => done(app, task, None).await,
    }
}

async fn finish_merge(app: &App, task: &Task, tag: TagId) -> Result<Outcome> {
    let (scope, id) = (&task.scope, task.id);
    // Deleted, and then the process ended; or somebody deleted it.
    match tags::find(&app.db, scope, tag).await {
        Err(Error::NotFound) => return done(app, task, None).await,
        found => found?,
    };
    let refused_before = store::refused_ids(&app.db, scope.corp, id).await?;
    let mut waiting = left(app, scope, tag).await?;
    waiting.retain(|contact| !refused_before.contains(contact));
    if !waiting.is_empty() {
        let tx = app.db.begin().await?;
        if store::is_under_way(&tx, scope.corp, id, task.turn).await? {
            let from = store::parts_so_far(&tx, scope.corp, id).await?;
            store::add_parts(&tx, scope.corp, id, from, &waiting).await?;
            store::grow(&tx, scope.corp, id, waiting.len() as i64).await?;
        }
        tx.commit().await?;
        return Ok(Outcome::Went);
    }
    if store::has_real_refusals(&app.db, scope.corp, id).await? {
        return done(app, task, Some(Told::from(&refused::not_all_merged()))).await;
    }
    match tags::delete(app, &app.act(task.by), scope, tag).await {
        Ok(()) | Err(Error::NotFound) => done(app, task, None).await,
        Err(Error::Platform(fault)) if matches!(fault.advice, Advice::Retry { .. } | Advice::Unknown) => {
            Err(Error::Platform(fault))
        }
        Err(error @ (Error::Platform(_) | Error::Conflict(_))) => {
            done(app, task, Some(Told::from(&refused::not_deleted(&error)))).await
        }
        Err(error) => Err(error),
    }
}

async fn done(app: &App, task: &Task, problem: Option<Told>) -> Result<Outcome> {
    let tx = app.db.begin().await?;
    let corp = task.scope.corp;
    // Somebody may have added people, or paused it, at this moment.
    if store::next_part(&tx, corp, task.id).await?.is_some() {
        return Ok(Outcome::Went);
    }
    store::move_on(
        &tx,
        corp,
        task.id,
        State::Running,
        State::Done,
        problem.as_ref(),
        app.now(),
    )
    .await?;
    tx.commit().await?;
    Ok(Outcome::Ended)
}

/// How many parts a number of people make.
pub(super) fn parts(people: usize) -> usize {
    people.div_ceil(PART)
}
