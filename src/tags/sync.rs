//! Mirrors the platform's tags, and writes ours through: the platform first, then our rows, for our own writes
//! cause no callback.

use std::collections::HashSet;

use super::store::{self, Row};
use super::{Into, Tag};
use crate::app::App;
use crate::contacts;
use crate::db::Tx;
use crate::directory::platform;
use crate::error::{Error, Result};
use crate::ids::{CorpId, TagGroupId, TagId};
use crate::queue::Lane;
use crate::scope::{Act, Actor, Scope};
use crate::wecom::tag::{Group, TagGroup};

const MAX_NAME: usize = 30;
/// Not ours to change, or not there any more.
const NOT_OURS: i64 = 40068;
const NAME_TAKEN: i64 = 40071;

/// Pulls groups and tags; what is gone there is marked deleted here and leaves every pair.
pub async fn sync_tags(app: &App, corp: CorpId) -> Result<usize> {
    let client = platform(app, corp).await?.in_lane(Lane::Sweep);
    let groups = client.tags().await?;
    let tx = app.db.begin().await?;
    let count = mirror_tags(&tx, &app.act(Actor::Platform), corp, &groups).await?;
    tx.commit().await?;
    Ok(count)
}

/// Makes our rows equal to a full reading; answers how many tags there are.
pub async fn mirror_tags(tx: &Tx, act: &Act<'_>, corp: CorpId, groups: &[TagGroup]) -> Result<usize> {
    for group in groups {
        store::keep_group(tx, act, corp, group).await?;
    }
    let shown: HashSet<&str> = groups
        .iter()
        .flat_map(|group| group.tag.iter().map(|tag| tag.id.as_str()))
        .collect();
    let shown_groups: HashSet<&str> = groups.iter().map(|group| group.group_id.as_str()).collect();
    let (tags, kept_groups) = store::live(tx, corp).await?;
    for tag in tags
        .iter()
        .filter(|tag| !shown.contains(tag.platform_id.as_str()))
    {
        forget(tx, act, corp, tag, "platform").await?;
    }
    for (id, platform_id) in &kept_groups {
        if !shown_groups.contains(platform_id.as_str()) {
            store::mark_group_deleted(tx, act, corp, *id).await?;
        }
    }
    Ok(shown.len())
}

async fn forget(tx: &Tx, act: &Act<'_>, corp: CorpId, tag: &Row, source: &str) -> Result<()> {
    store::mark_deleted(tx, act, corp, tag.id).await?;
    contacts::drop_tag(tx, act, corp, tag.id, source).await?;
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
    let made = platform(app, scope.corp)
        .await?
        .add_tags(&group, &[&name])
        .await
        .map_err(|error| refused(error, &name))?;
    let tx = app.db.begin().await?;
    let id = store::keep_group(&tx, act, scope.corp, &made).await?;
    let row = store::rows_of_group(&tx, scope.corp, id)
        .await?
        .into_iter()
        .find(|row| row.name == name)
        .ok_or_else(|| Error::internal("the platform answered another tag than was asked for"))?;
    let tag = store::find(&tx, scope, row.id).await?;
    tx.commit().await?;
    Ok(tag)
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
    platform(app, scope.corp)
        .await?
        .delete_tags(&[&row.platform_id], &[])
        .await
        .map_err(|error| refused(error, &row.name))?;
    let tx = app.db.begin().await?;
    forget(&tx, act, scope.corp, &row, super::source(act)).await?;
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
    platform(app, scope.corp)
        .await?
        .delete_tags(&[], &[&platform_id])
        .await
        .map_err(|error| refused(error, &platform_id))?;
    let tx = app.db.begin().await?;
    for row in store::rows_of_group(&tx, scope.corp, id).await? {
        forget(&tx, act, scope.corp, &row, super::source(act)).await?;
    }
    store::mark_group_deleted(&tx, act, scope.corp, id).await?;
    tx.commit().await
}

fn checked(pointer: &str, name: &str) -> Result<String> {
    let name = name.trim();
    match name.chars().count() {
        1..=MAX_NAME => Ok(name.to_owned()),
        length => Err(Error::invalid(
            pointer,
            format!("a name has 1 to {MAX_NAME} characters, not {length}"),
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
    Error::invalid("/name", format!("`{name}` is there already; choose another name"))
}

/// The platform's no, in our words where we know them.
fn refused(error: Error, name: &str) -> Error {
    match &error {
        Error::Platform(fault) if fault.code == Some(NAME_TAKEN) => taken(name),
        Error::Platform(fault) if fault.code == Some(NOT_OURS) => Error::conflict(format!(
            "the platform does not let this app change `{name}`; whoever made it can, in the admin console"
        )),
        _ => error,
    }
}
