//! Mirrors the platform's tags, and writes ours through: the platform first, then our rows, for our own writes
//! cause no callback.

use std::collections::HashSet;

use super::store::{self, Row};
use super::{Into, Synced, Tag};
use crate::app::App;
use crate::contacts;
use crate::db::Tx;
use crate::directory::platform;
use crate::error::{Advice, Error, Problem, Result, said};
use crate::ids::{CorpId, TagGroupId, TagId};
use crate::queue::Lane;
use crate::scope::{Act, Actor, Scope};
use crate::time::{MINUTE_MS, Timestamp};
use crate::wecom::Client;
use crate::wecom::tag::{Group, TagGroup};

const MAX_NAME: usize = 30;
/// Not ours to change, or not there any more.
const NOT_OURS: i64 = 40068;
const NAME_TAKEN: i64 = 40071;

/// A reading may be on its way, or stale, while we write: what was made or deleted so shortly before it began is as
/// we know it, not as the reading has it.
pub(super) const LAG_MS: i64 = MINUTE_MS;

/// Pulls groups and tags; what is gone there is marked deleted here and leaves every pair.
pub async fn sync_tags(app: &App, corp: CorpId) -> Result<Synced> {
    let client = platform(app, corp).await?.in_lane(Lane::Sweep);
    let (_, synced) = look(app, corp, &client).await?;
    Ok(synced)
}

async fn look(app: &App, corp: CorpId, client: &Client) -> Result<(Vec<TagGroup>, Synced)> {
    let read_at = app.now();
    let groups = client.tags().await?;
    let tx = app.db.begin().await?;
    let synced = mirror_tags(&tx, &app.act(Actor::Platform), corp, &groups, read_at).await?;
    tx.commit().await?;
    Ok((groups, synced))
}

/// Makes our rows equal to a full reading that began at `read_at`.
pub async fn mirror_tags(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    groups: &[TagGroup],
    read_at: Timestamp,
) -> Result<Synced> {
    let settled = read_at.plus_ms(-LAG_MS);
    let gone = store::deleted_since(tx, corp, settled).await?;
    for group in groups.iter().filter(|group| !gone.contains(&group.group_id)) {
        let mut group = group.clone();
        group.tag.retain(|tag| !gone.contains(&tag.id));
        store::keep_group(tx, act, corp, &group).await?;
    }
    let shown: HashSet<&str> = groups
        .iter()
        .flat_map(|group| group.tag.iter().map(|tag| tag.id.as_str()))
        .collect();
    let shown_groups: HashSet<&str> = groups.iter().map(|group| group.group_id.as_str()).collect();
    let (tags, kept_groups) = store::live(tx, corp).await?;
    let mut is_early = false;
    for tag in tags
        .iter()
        .filter(|tag| !shown.contains(tag.platform_id.as_str()))
    {
        if tag.created_at > settled {
            is_early = true;
        } else {
            forget(tx, act, corp, tag, "platform").await?;
        }
    }
    for group in kept_groups {
        if !shown_groups.contains(group.platform_id.as_str()) && group.created_at <= settled {
            store::mark_group_deleted(tx, act, corp, group.id).await?;
        }
    }
    Ok(Synced {
        tags: shown.len(),
        is_early,
    })
}

async fn forget(tx: &Tx, act: &Act<'_>, corp: CorpId, tag: &Row, source: &'static str) -> Result<()> {
    store::mark_deleted(tx, act, corp, tag.id).await?;
    contacts::drop_tag(tx, act, corp, tag.id, source.into()).await?;
    Ok(())
}

/// Creates a tag on the platform, then here.
///
/// # Errors
/// `Invalid` for a name that is empty, over 30 characters or taken in its group; `NotFound` for an unknown group.
pub async fn create(app: &App, act: &Act<'_>, scope: &Scope, into: Into, name: &str) -> Result<Tag> {
    let name = checked("/name", name)?;
    let group = match into {
        Into::Group(id) => {
            let platform_id = store::group_platform_id(&app.db, scope.corp, id).await?;
            is_free(app, scope.corp, id, &name, None).await?;
            Group::Existing(platform_id)
        }
        Into::NewGroup(group) => {
            let group = checked("/group_name", &group)?;
            if let Some(id) = store::group_named(&app.db, scope.corp, &group).await? {
                is_free(app, scope.corp, id, &name, None).await?;
            }
            Group::Named(group)
        }
    };
    let group = match add(app, act, scope.corp, &group, &[&name]).await {
        Ok(group) => group,
        Err(error) => return Err(refused(error, &name)),
    };
    let row = store::rows_of_group(&app.db, scope.corp, group)
        .await?
        .into_iter()
        .find(|row| row.name == name)
        .ok_or_else(|| Error::internal("the platform answered another tag than was asked for"))?;
    store::find(&app.db, scope, row.id).await
}

/// Creates a group with its first tags on the platform, in one call, then here.
///
/// # Errors
/// `Invalid` for a name that is empty, over 30 characters, named twice or taken.
pub async fn create_group(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    name: &str,
    tags: &[String],
) -> Result<TagGroupId> {
    let name = checked("/name", name)?;
    let tags = all_checked(tags)?;
    if store::group_named(&app.db, scope.corp, &name).await?.is_some() {
        return Err(taken(&name));
    }
    let names: Vec<&str> = tags.iter().map(String::as_str).collect();
    let added = add(app, act, scope.corp, &Group::Named(name.clone()), &names).await;
    added.map_err(|error| refused(error, &name))
}

fn all_checked(tags: &[String]) -> Result<Vec<String>> {
    let mut names = Vec::with_capacity(tags.len());
    let mut problems = Vec::new();
    for (index, tag) in tags.iter().enumerate() {
        let pointer = format!("/tags/{index}");
        match checked(&pointer, tag) {
            Ok(name) if names.contains(&name) => {
                let twice = said!(
                    "refused-tag-twice",
                    "`{name}` is named twice; once is enough",
                    name = &name
                );
                problems.push(Problem::new(pointer, twice));
            }
            Ok(name) => names.push(name),
            Err(Error::Invalid(found)) => problems.extend(found),
            Err(error) => return Err(error),
        }
    }
    match problems.is_empty() {
        true => Ok(names),
        false => Err(Error::Invalid(problems)),
    }
}

/// Adds tags there, then here. Where the answer was lost, or the names are there already and we did not know, a look
/// decides: an earlier call may have done its work and told nobody.
async fn add(app: &App, act: &Act<'_>, corp: CorpId, group: &Group, names: &[&str]) -> Result<TagGroupId> {
    let client = platform(app, corp).await?;
    let error = match client.add_tags(group, names).await {
        Ok(made) => {
            let tx = app.db.begin().await?;
            let id = store::keep_group(&tx, act, corp, &made).await?;
            tx.commit().await?;
            return Ok(id);
        }
        Err(error) if is_in_doubt(&error, NAME_TAKEN) => error,
        Err(error) => return Err(error),
    };
    let (groups, _) = look(app, corp, &client).await?;
    let found = groups.iter().find(|shown| match group {
        Group::Existing(id) => shown.group_id == *id,
        Group::Named(name) => shown.group_name == *name,
    });
    let has = |name: &&str| found.is_some_and(|found| found.tag.iter().any(|tag| tag.name == **name));
    match found {
        Some(found) if names.iter().all(has) => store::group_called(&app.db, corp, &found.group_id).await,
        _ => Err(error),
    }
}

/// Whether a call that failed may have had its effect, then or the time before.
fn is_in_doubt(error: &Error, code: i64) -> bool {
    matches!(error, Error::Platform(fault) if fault.code == Some(code) || fault.advice == Advice::Unknown)
}

pub async fn rename(app: &App, _act: &Act<'_>, scope: &Scope, id: TagId, name: &str) -> Result<()> {
    let name = checked("/name", name)?;
    let row = store::row(&app.db, scope.corp, id).await?;
    if row.name == name {
        return Ok(());
    }
    is_free(app, scope.corp, row.group_id, &name, Some(id)).await?;
    rename_there(app, scope, &row.platform_id, &name).await?;
    let tx = app.db.begin().await?;
    store::set_name(&tx, scope.corp, id, &name).await?;
    tx.commit().await
}

pub async fn rename_group(
    app: &App,
    _act: &Act<'_>,
    scope: &Scope,
    id: TagGroupId,
    name: &str,
) -> Result<()> {
    let name = checked("/name", name)?;
    let platform_id = store::group_platform_id(&app.db, scope.corp, id).await?;
    match store::group_named(&app.db, scope.corp, &name).await? {
        Some(other) if other != id => return Err(taken(&name)),
        Some(_) => return Ok(()),
        None => {}
    }
    rename_there(app, scope, &platform_id, &name).await?;
    let tx = app.db.begin().await?;
    store::set_group_name(&tx, scope.corp, id, &name).await?;
    tx.commit().await
}

async fn rename_there(app: &App, scope: &Scope, platform_id: &str, name: &str) -> Result<()> {
    let client = platform(app, scope.corp).await?;
    let renamed = client.rename_tag(platform_id, name).await;
    renamed.map_err(|error| refused(error, name))
}

pub async fn delete(app: &App, act: &Act<'_>, scope: &Scope, id: TagId) -> Result<()> {
    let row = store::row(&app.db, scope.corp, id).await?;
    let client = platform(app, scope.corp).await?;
    let deleted = client.delete_tags(&[&row.platform_id], &[]).await;
    unless_gone(app, scope.corp, deleted, &row.platform_id, &row.name).await?;
    let tx = app.db.begin().await?;
    forget(&tx, act, scope.corp, &row, super::source(act.by)).await?;
    // A group goes with its last tag.
    if store::rows_of_group(&tx, scope.corp, row.group_id)
        .await?
        .is_empty()
    {
        store::mark_group_deleted(&tx, act, scope.corp, row.group_id).await?;
    }
    tx.commit().await
}

pub async fn delete_group(app: &App, act: &Act<'_>, scope: &Scope, id: TagGroupId) -> Result<()> {
    let platform_id = store::group_platform_id(&app.db, scope.corp, id).await?;
    let client = platform(app, scope.corp).await?;
    let deleted = client.delete_tags(&[], &[&platform_id]).await;
    unless_gone(app, scope.corp, deleted, &platform_id, &platform_id).await?;
    let tx = app.db.begin().await?;
    for row in store::rows_of_group(&tx, scope.corp, id).await? {
        forget(&tx, act, scope.corp, &row, super::source(act.by)).await?;
    }
    store::mark_group_deleted(&tx, act, scope.corp, id).await?;
    tx.commit().await
}

/// A deletion that failed is done all the same when a look does not show the tag or group any more.
async fn unless_gone(
    app: &App,
    corp: CorpId,
    deleted: Result<()>,
    platform_id: &str,
    name: &str,
) -> Result<()> {
    match deleted {
        Err(error) if is_in_doubt(&error, NOT_OURS) => {
            let client = platform(app, corp).await?;
            let (groups, _) = look(app, corp, &client).await?;
            let is_shown = groups.iter().any(|group| {
                group.group_id == platform_id || group.tag.iter().any(|tag| tag.id == platform_id)
            });
            if is_shown {
                Err(refused(error, name))
            } else {
                Ok(())
            }
        }
        deleted => deleted.map_err(|error| refused(error, name)),
    }
}

fn checked(pointer: &str, name: &str) -> Result<String> {
    let name = name.trim();
    match name.chars().count() {
        1..=MAX_NAME => Ok(name.to_owned()),
        length => Err(Error::invalid(
            pointer,
            said!(
                "refused-name-length",
                "a name has 1 to {most} characters, not {length}",
                most = MAX_NAME,
                length = length
            ),
        )),
    }
}

async fn is_free(app: &App, corp: CorpId, group: TagGroupId, name: &str, but: Option<TagId>) -> Result<()> {
    let others = store::rows_of_group(&app.db, corp, group).await?;
    if others.iter().any(|row| row.name == name && Some(row.id) != but) {
        return Err(taken(name));
    }
    Ok(())
}

fn taken(name: &str) -> Error {
    let message = said!(
        "refused-tag-taken",
        "`{name}` is there already; choose another name",
        name = name
    );
    Error::invalid("/name", message)
}

/// The platform's no, in our words where we know them.
fn refused(error: Error, name: &str) -> Error {
    match &error {
        Error::Platform(fault) if fault.code == Some(NAME_TAKEN) => taken(name),
        Error::Platform(fault) if fault.code == Some(NOT_OURS) => Error::conflict(said!(
            "conflict-tag-not-ours",
            "the platform does not let this app change `{name}`; whoever made it can, in the admin console",
            name = name
        )),
        _ => error,
    }
}
