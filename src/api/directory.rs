//! Regions, stores and associates.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Body, PageQuery, Query, whole};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{DirectoryRead, DirectoryWrite};
use crate::auth::Policy::Can;
use crate::db::Conn;
use crate::directory::{self, Associate, NewStore, Region, Store, StoreChange};
use crate::error::Error;
use crate::ids::{AssociateId, RegionId, StoreId};
use crate::page::PageOf;
use crate::routes::Routes;
use crate::time::Timestamp;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/regions", Can(DirectoryRead), list_regions)
        .post("/regions", Can(DirectoryWrite), create_region)
        .get("/regions/{id}", Can(DirectoryRead), show_region)
        .patch("/regions/{id}", Can(DirectoryWrite), rename_region)
        .get("/stores", Can(DirectoryRead), list_stores)
        .post("/stores", Can(DirectoryWrite), create_store)
        .get("/stores/{id}", Can(DirectoryRead), show_store)
        .patch("/stores/{id}", Can(DirectoryWrite), change_store)
        .get("/associates", Can(DirectoryRead), list_associates)
        .get("/associates/{id}", Can(DirectoryRead), show_associate)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionBody {
    name: String,
}

/// Regions in scope.
#[utoipa::path(get, path = "/regions", responses((status = 200, body = List<Region>)))]
pub(super) async fn list_regions(State(app): State<App>, me: Caller) -> Result<Json<List<Region>>> {
    Ok(Json(List::whole(directory::regions(&app.db, &me.scope).await?)))
}

/// Adds a region.
#[utoipa::path(post, path = "/regions", request_body = RegionBody, responses((status = 201, body = Region)))]
pub(super) async fn create_region(
    State(app): State<App>,
    me: Caller,
    posted: Posted<RegionBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let id = directory::create_region(&work.tx, &me.act(&app), &me.scope, &posted.body.name).await?;
    let region = region(&work.tx, &me, id).await?;
    work.finish(Answer::created(format!("/regions/{id}"), &region)?)
        .await
}

/// One region.
#[utoipa::path(get, path = "/regions/{id}", params(("id" = RegionId, Path)), responses((status = 200, body = Region)))]
pub(super) async fn show_region(
    State(app): State<App>,
    me: Caller,
    At(id): At<RegionId>,
) -> Result<Json<Region>> {
    Ok(Json(region(&app.db, &me, id).await?))
}

/// Renames a region.
#[utoipa::path(patch, path = "/regions/{id}", params(("id" = RegionId, Path)), request_body = RegionBody,
    responses((status = 200, body = Region)))]
pub(super) async fn rename_region(
    State(app): State<App>,
    me: Caller,
    At(id): At<RegionId>,
    Body(body): Body<RegionBody>,
) -> Result<Json<Region>> {
    let tx = app.db.begin().await?;
    directory::rename_region(&tx, &me.scope, id, &body.name).await?;
    let region = region(&tx, &me, id).await?;
    tx.commit().await?;
    Ok(Json(region))
}

async fn region(conn: &impl Conn, me: &Caller, id: RegionId) -> Result<Region> {
    let regions = directory::regions(conn, &me.scope).await?;
    let found = regions.into_iter().find(|region| region.id == id);
    Ok(found.ok_or(Error::NotFound)?)
}

/// Stores in scope, by code.
#[utoipa::path(get, path = "/stores", params(PageQuery), responses((status = 200, body = List<Store>)))]
pub(super) async fn list_stores(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Store>>> {
    let stores = directory::stores(&app.db, &me.scope, &query.page()?).await?;
    Ok(Json(stores.into()))
}

/// One store.
#[utoipa::path(get, path = "/stores/{id}", params(("id" = StoreId, Path)), responses((status = 200, body = Store)))]
pub(super) async fn show_store(
    State(app): State<App>,
    me: Caller,
    At(id): At<StoreId>,
) -> Result<Json<Store>> {
    Ok(Json(directory::find_store(&app.db, &me.scope, id).await?))
}

/// A store to add. `zone` is an IANA name, the corp's when absent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreBody {
    code: String,
    name: String,
    region_id: RegionId,
    zone: Option<String>,
}

/// Adds a store.
#[utoipa::path(post, path = "/stores", request_body = StoreBody, responses((status = 201, body = Store)))]
pub(super) async fn create_store(
    State(app): State<App>,
    me: Caller,
    posted: Posted<StoreBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let body = posted.body;
    let new = NewStore {
        code: body.code,
        name: body.name,
        region_id: body.region_id,
        zone: body.zone.unwrap_or_else(|| me.zone.name().to_owned()),
    };
    let id = directory::create_store(&work.tx, &me.act(&app), &me.scope, new).await?;
    let store = directory::find_store(&work.tx, &me.scope, id).await?;
    work.finish(Answer::created(format!("/stores/{id}"), &store)?)
        .await
}

/// What may change of a store; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StorePatch {
    code: Option<String>,
    name: Option<String>,
    zone: Option<String>,
    /// `open` or `closed`.
    status: Option<String>,
    region_id: Option<RegionId>,
}

/// Changes a store.
#[utoipa::path(patch, path = "/stores/{id}", params(("id" = StoreId, Path)), request_body = StorePatch,
    responses((status = 200, body = Store)))]
pub(super) async fn change_store(
    State(app): State<App>,
    me: Caller,
    At(id): At<StoreId>,
    Body(body): Body<StorePatch>,
) -> Result<Json<Store>> {
    let change = StoreChange {
        code: body.code,
        name: body.name,
        zone: body.zone,
        status: body.status,
        region_id: body.region_id,
    };
    let tx = app.db.begin().await?;
    directory::change_store(&tx, &me.scope, id, change).await?;
    let store = directory::find_store(&tx, &me.scope, id).await?;
    tx.commit().await?;
    Ok(Json(store))
}

/// An associate 导购.
#[derive(Serialize, ToSchema)]
#[schema(as = Associate)]
pub(super) struct AssociateAnswer {
    id: AssociateId,
    /// The platform's member id.
    userid: String,
    name: String,
    store_id: Option<StoreId>,
    store_name: Option<String>,
    /// `active`, `disabled`, `not_activated` or `left`.
    status: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    left_at: Option<Timestamp>,
}

impl From<Associate> for AssociateAnswer {
    fn from(associate: Associate) -> Self {
        Self {
            id: associate.id,
            userid: associate.userid.0,
            name: associate.name,
            store_id: associate.store_id,
            store_name: associate.store_name,
            status: associate.status,
            left_at: associate.left_at,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AssociateQuery {
    /// Only those of this store.
    store: Option<StoreId>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// Associates in scope, by name.
#[utoipa::path(get, path = "/associates", params(AssociateQuery),
    responses((status = 200, body = List<AssociateAnswer>)))]
pub(super) async fn list_associates(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<AssociateQuery>,
) -> Result<Json<List<AssociateAnswer>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let found = directory::associates(&app.db, &me.scope, query.store, &page).await?;
    Ok(Json(found.map(AssociateAnswer::from).into()))
}

/// One associate.
#[utoipa::path(get, path = "/associates/{id}", params(("id" = AssociateId, Path)),
    responses((status = 200, body = AssociateAnswer)))]
pub(super) async fn show_associate(
    State(app): State<App>,
    me: Caller,
    At(id): At<AssociateId>,
) -> Result<Json<AssociateAnswer>> {
    let associate = directory::find_associate(&app.db, &me.scope, id).await?;
    Ok(Json(associate.into()))
}
