//! Tag groups and tags, written through to the platform.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Body};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{TagsRead, TagsWrite};
use crate::auth::Policy::Can;
use crate::error::Error;
use crate::ids::{TagGroupId, TagId};
use crate::routes::Routes;
use crate::tags::{self, Into as Place, Tag, TagGroup};

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/tag-groups", Can(TagsRead), list_groups)
        .post("/tag-groups", Can(TagsWrite), create_group)
        .get("/tag-groups/{id}", Can(TagsRead), show_group)
        .patch("/tag-groups/{id}", Can(TagsWrite), rename_group)
        .delete("/tag-groups/{id}", Can(TagsWrite), delete_group)
        .get("/tags", Can(TagsRead), list_tags)
        .post("/tags", Can(TagsWrite), create_tag)
        .get("/tags/{id}", Can(TagsRead), show_tag)
        .patch("/tags/{id}", Can(TagsWrite), rename_tag)
        .delete("/tags/{id}", Can(TagsWrite), delete_tag)
}

/// A tag with the name of its group.
#[derive(Serialize, ToSchema)]
#[schema(as = TagInGroup)]
pub(super) struct TagAnswer {
    id: TagId,
    name: String,
    group_id: TagGroupId,
    group_name: String,
    sort: i64,
    /// Live follows that carry it.
    contacts: i64,
}

fn in_group(tag: Tag, group_name: &str) -> TagAnswer {
    TagAnswer {
        id: tag.id,
        name: tag.name,
        group_id: tag.group_id,
        group_name: group_name.to_owned(),
        sort: tag.sort,
        contacts: tag.contacts.unwrap_or(0),
    }
}

/// Tag groups with their tags.
#[utoipa::path(get, path = "/tag-groups", responses((status = 200, body = List<TagGroup>)))]
pub(super) async fn list_groups(State(app): State<App>, me: Caller) -> Result<Json<List<TagGroup>>> {
    Ok(Json(List::whole(tags::counted_groups(&app.db, &me.scope).await?)))
}

/// A group to add. The platform has no empty groups, so it begins with at least one tag.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupBody {
    name: String,
    tags: Vec<String>,
}

/// Adds a tag group with its first tags.
#[utoipa::path(post, path = "/tag-groups", request_body = GroupBody, responses((status = 201, body = TagGroup)))]
pub(super) async fn create_group(
    State(app): State<App>,
    me: Caller,
    posted: Posted<GroupBody>,
) -> Result<Answer> {
    let GroupBody { name, tags: names } = posted.body;
    if names.is_empty() {
        return Err(Error::invalid("/tags", "a group begins with at least one tag; name it").into());
    }
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let group = add_group(&inside, &caller, &name, &names).await?;
        Answer::created(format!("/tag-groups/{}", group.id), &group)
    };
    posted.once.run(&app, &me, effect).await
}

async fn add_group(app: &App, me: &Caller, name: &str, names: &[String]) -> Result<TagGroup> {
    let id = tags::create_group(app, &me.act(app), &me.scope, name, names).await?;
    group(app, me, id).await
}

async fn group(app: &App, me: &Caller, id: TagGroupId) -> Result<TagGroup> {
    let groups = tags::counted_groups(&app.db, &me.scope).await?;
    let found = groups.into_iter().find(|group| group.id == id);
    Ok(found.ok_or(Error::NotFound)?)
}

/// One tag group with its tags.
#[utoipa::path(get, path = "/tag-groups/{id}", params(("id" = TagGroupId, Path)),
    responses((status = 200, body = TagGroup)))]
pub(super) async fn show_group(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagGroupId>,
) -> Result<Json<TagGroup>> {
    Ok(Json(group(&app, &me, id).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameBody {
    name: String,
}

/// Renames a tag group.
#[utoipa::path(patch, path = "/tag-groups/{id}", params(("id" = TagGroupId, Path)), request_body = NameBody,
    responses((status = 200, body = TagGroup)))]
pub(super) async fn rename_group(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagGroupId>,
    Body(body): Body<NameBody>,
) -> Result<Json<TagGroup>> {
    tags::rename_group(&app, &me.act(&app), &me.scope, id, &body.name).await?;
    Ok(Json(group(&app, &me, id).await?))
}

/// Deletes a tag group with its tags; they leave every contact.
#[utoipa::path(delete, path = "/tag-groups/{id}", params(("id" = TagGroupId, Path)), responses((status = 204)))]
pub(super) async fn delete_group(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagGroupId>,
) -> Result<StatusCode> {
    tags::delete_group(&app, &me.act(&app), &me.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every tag with its group.
#[utoipa::path(get, path = "/tags", responses((status = 200, body = List<TagAnswer>)))]
pub(super) async fn list_tags(State(app): State<App>, me: Caller) -> Result<Json<List<TagAnswer>>> {
    let groups = tags::counted_groups(&app.db, &me.scope).await?;
    let tags = groups.into_iter().flat_map(|group| {
        let TagGroup { name, tags, .. } = group;
        tags.into_iter()
            .map(move |tag| in_group(tag, &name))
            .collect::<Vec<_>>()
    });
    Ok(Json(List::whole(tags.collect())))
}

/// A tag to add: into a group there is (`group_id`), or one found or made by name (`group_name`).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagBody {
    name: String,
    group_id: Option<TagGroupId>,
    group_name: Option<String>,
}

/// Adds a tag.
#[utoipa::path(post, path = "/tags", request_body = TagBody, responses((status = 201, body = TagAnswer)))]
pub(super) async fn create_tag(
    State(app): State<App>,
    me: Caller,
    posted: Posted<TagBody>,
) -> Result<Answer> {
    let body = posted.body;
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let place = place(&inside, &caller, body.group_id, body.group_name).await?;
        let tag = tags::create(&inside, &caller.act(&inside), &caller.scope, place, &body.name).await?;
        let group = group(&inside, &caller, tag.group_id).await?;
        Answer::created(format!("/tags/{}", tag.id), &in_group(tag, &group.name))
    };
    posted.once.run(&app, &me, effect).await
}

async fn place(app: &App, me: &Caller, id: Option<TagGroupId>, name: Option<String>) -> Result<Place> {
    match (id, name) {
        (Some(id), None) => Ok(Place::Group(id)),
        (None, Some(name)) => {
            let groups = tags::counted_groups(&app.db, &me.scope).await?;
            let known = groups
                .iter()
                .find(|group| group.name == name)
                .map(|group| group.id);
            Ok(known.map_or(Place::NewGroup(name), Place::Group))
        }
        (Some(_), Some(_)) => {
            Err(Error::invalid("/group_name", "give `group_id` or `group_name`, not both").into())
        }
        (None, None) => Err(Error::invalid("/group_id", "say where: `group_id` or `group_name`").into()),
    }
}

/// One tag.
#[utoipa::path(get, path = "/tags/{id}", params(("id" = TagId, Path)), responses((status = 200, body = TagAnswer)))]
pub(super) async fn show_tag(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagId>,
) -> Result<Json<TagAnswer>> {
    Ok(Json(tag(&app, &me, id).await?))
}

async fn tag(app: &App, me: &Caller, id: TagId) -> Result<TagAnswer> {
    let tag = tags::find(&app.db, &me.scope, id).await?;
    let group = group(app, me, tag.group_id).await?;
    Ok(in_group(tag, &group.name))
}

/// Renames a tag.
#[utoipa::path(patch, path = "/tags/{id}", params(("id" = TagId, Path)), request_body = NameBody,
    responses((status = 200, body = TagAnswer)))]
pub(super) async fn rename_tag(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagId>,
    Body(body): Body<NameBody>,
) -> Result<Json<TagAnswer>> {
    tags::rename(&app, &me.act(&app), &me.scope, id, &body.name).await?;
    Ok(Json(tag(&app, &me, id).await?))
}

/// Deletes a tag; it leaves every contact.
#[utoipa::path(delete, path = "/tags/{id}", params(("id" = TagId, Path)), responses((status = 204)))]
pub(super) async fn delete_tag(State(app): State<App>, me: Caller, At(id): At<TagId>) -> Result<StatusCode> {
    tags::delete(&app, &me.act(&app), &me.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
