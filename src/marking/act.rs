//! Pausing, going on and stopping: by whoever asked for it, or headquarters.

use serde_json::json;

use super::State;
use super::jobs::GoOn;
use super::store::markings as store;
use crate::auth::audit;
use crate::db::Tx;
use crate::error::{Error, Result, said};
use crate::ids::MarkingId;
use crate::job;
use crate::scope::{Act, Scope};

/// Marks nobody further until it goes on; the calls under way end.
///
/// # Errors
/// `NotFound` for somebody else's, `Conflict` when it is not under way.
pub async fn pause(tx: &Tx, act: &Act<'_>, scope: &Scope, id: MarkingId) -> Result<()> {
    moved(tx, act, scope, id, State::Paused).await?;
    note(tx, act, scope, "marking.pause", id).await
}

/// Goes on with those who are left.
///
/// # Errors
/// `NotFound` for somebody else's, `Conflict` when it does not pause.
pub async fn go_on(tx: &Tx, act: &Act<'_>, scope: &Scope, id: MarkingId) -> Result<()> {
    moved(tx, act, scope, id, State::Running).await?;
    let turn = store::next_turn(tx, scope.corp, id).await?;
    job::enqueue(
        tx,
        act.ids,
        act.now,
        scope.corp,
        &GoOn { marking: id, turn },
        act.now,
    )
    .await?;
    note(tx, act, scope, "marking.resume", id).await
}

/// Ends it; who is marked stays marked.
///
/// # Errors
/// `NotFound` for somebody else's, `Conflict` when it has ended.
pub async fn stop(tx: &Tx, act: &Act<'_>, scope: &Scope, id: MarkingId) -> Result<()> {
    moved(tx, act, scope, id, State::Stopped).await?;
    store::forget_parts(tx, scope.corp, id).await?;
    note(tx, act, scope, "marking.stop", id).await
}

async fn moved(tx: &Tx, act: &Act<'_>, scope: &Scope, id: MarkingId, to: State) -> Result<()> {
    let marking = store::find(tx, scope, act.by, id).await?;
    let is_moved = marking.state.may_become(to)
        && store::move_on(tx, scope.corp, id, marking.state, to, None, act.now).await?;
    if is_moved {
        return Ok(());
    }
    Err(Error::conflict(said!(
        "conflict-marking-moved-on",
        "this marking is `{state}` and cannot be `{next}`; look again",
        state = marking.state.as_str(),
        next = to.as_str()
    )))
}

async fn note(tx: &Tx, act: &Act<'_>, scope: &Scope, action: &str, id: MarkingId) -> Result<()> {
    audit::append(tx, act, scope.corp, action, &format!("marking:{id}"), &json!({})).await
}
