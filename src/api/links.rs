//! Tracked links, and who clicked them.

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
use crate::auth::Permission::{LinksRead, LinksWrite};
use crate::auth::Policy::Can;
use crate::db::Conn;
use crate::directory;
use crate::error::Error;
use crate::ids::{AssociateId, CampaignId, ClickId, ContactId, LinkId, MomentId, StoreId, random_base62};
use crate::links::{self, Click, Link, LinkFilter, LinkTarget, NewLink, Resolved, click};
use crate::money::Fen;
use crate::orders::{self, Buyer};
use crate::page::PageOf;
use crate::routes::Routes;
use crate::time::{MINUTE_MS, Timestamp};

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/links", Can(LinksRead), list)
        .post("/links", Can(LinksWrite), create)
        .get("/links/{id}", Can(LinksRead), show)
        .patch("/links/{id}", Can(LinksWrite), change)
        .get("/links/{id}/clicks", Can(LinksRead), clicks)
        .post("/links/{id}/clicks", Can(LinksWrite), record_click)
}

/// A tracked link 追踪链接 and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
pub(super) struct LinkAnswer {
    id: LinkId,
    code: String,
    /// What to give to people.
    url: String,
    title: String,
    target: LinkTarget,
    store_id: Option<StoreId>,
    associate_id: Option<AssociateId>,
    associate_name: Option<String>,
    campaign_id: Option<CampaignId>,
    moment_id: Option<MomentId>,
    contact_id: Option<ContactId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// Counted clicks, distinct identified people, credited orders and their net amount.
    clicks: i64,
    people: i64,
    orders: i64,
    #[schema(value_type = i64)]
    net_fen: Fen,
}

fn answer(app: &App, link: Link) -> LinkAnswer {
    LinkAnswer {
        id: link.id,
        url: format!("{}/l/{}", app.config.public_url, link.code),
        code: link.code,
        title: link.title,
        target: link.target,
        store_id: link.store_id,
        associate_id: link.associate_id,
        associate_name: link.associate_name,
        campaign_id: link.campaign_id,
        moment_id: link.moment_id,
        contact_id: link.contact_id,
        created_at: link.created_at,
        closed_at: link.closed_at,
        clicks: link.clicks,
        people: link.people,
        orders: link.orders,
        net_fen: link.net_fen,
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LinkQuery {
    store: Option<StoreId>,
    associate: Option<AssociateId>,
    campaign: Option<CampaignId>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// Links in scope, newest first.
#[utoipa::path(get, path = "/links", params(LinkQuery), responses((status = 200, body = List<LinkAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<LinkQuery>,
) -> Result<Json<List<LinkAnswer>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let filter = LinkFilter {
        store: query.store,
        associate: query.associate,
        campaign: query.campaign,
        own_only: false,
    };
    let found = links::list(&app.db, &me.scope, &filter, &page).await?;
    Ok(Json(found.map(|link| answer(&app, link)).into()))
}

/// A link to make. `title` is for our own pages (at most 60 characters); the beginning of the target's address when
/// absent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkBody {
    title: Option<String>,
    target: LinkTarget,
    store_id: Option<StoreId>,
    associate_id: Option<AssociateId>,
    campaign_id: Option<CampaignId>,
}

/// Makes a link.
#[utoipa::path(post, path = "/links", request_body = LinkBody, responses((status = 201, body = LinkAnswer)))]
pub(super) async fn create(State(app): State<App>, me: Caller, posted: Posted<LinkBody>) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let body = posted.body;
    let new = NewLink {
        title: body.title.unwrap_or_else(|| untitled(&body.target)),
        target: body.target,
        store: body.store_id,
        associate: body.associate_id,
        campaign: body.campaign_id,
        moment: None,
        contact: None,
    };
    let corp = directory::find_corp(&work.tx, me.corp).await?;
    let made = links::create(&work.tx, &me.act(&app), &me.scope, &corp, vec![new]).await?;
    let (id, _) = made.into_iter().next().ok_or(Error::NotFound)?;
    let link = answer(&app, links::find(&work.tx, &me.scope, id).await?);
    work.finish(Answer::created(format!("/links/{id}"), &link)?).await
}

fn untitled(target: &LinkTarget) -> String {
    target.url().chars().take(links::MAX_TITLE).collect()
}

/// One link.
#[utoipa::path(get, path = "/links/{id}", params(("id" = LinkId, Path)), responses((status = 200, body = LinkAnswer)))]
pub(super) async fn show(State(app): State<App>, me: Caller, At(id): At<LinkId>) -> Result<Json<LinkAnswer>> {
    Ok(Json(answer(&app, links::find(&app.db, &me.scope, id).await?)))
}

/// What may change of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkPatch {
    title: Option<String>,
    /// `true` closes it for good: it then answers as if it were not there.
    #[serde(default)]
    closed: bool,
}

/// Renames or closes a link.
#[utoipa::path(patch, path = "/links/{id}", params(("id" = LinkId, Path)), request_body = LinkPatch,
    responses((status = 200, body = LinkAnswer)))]
pub(super) async fn change(
    State(app): State<App>,
    me: Caller,
    At(id): At<LinkId>,
    Body(body): Body<LinkPatch>,
) -> Result<Json<LinkAnswer>> {
    let tx = app.db.begin().await?;
    let title = body.title.as_deref();
    links::change(&tx, &me.act(&app), &me.scope, id, title, body.closed).await?;
    let link = links::find(&tx, &me.scope, id).await?;
    tx.commit().await?;
    Ok(Json(answer(&app, link)))
}

/// One visit.
#[derive(Serialize, ToSchema)]
#[schema(as = Click)]
pub(super) struct ClickAnswer {
    id: ClickId,
    link_id: LinkId,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Known once the mini-store said who it was.
    contact_id: Option<ContactId>,
    /// `person`, `preview` or `repeat`; only the first counts.
    kind: String,
}

impl From<Click> for ClickAnswer {
    fn from(click: Click) -> Self {
        Self {
            id: click.id,
            link_id: click.link_id,
            at: click.at,
            contact_id: click.contact_id,
            kind: click.kind,
        }
    }
}

/// Clicks on a link, last first.
#[utoipa::path(get, path = "/links/{id}/clicks",
    params(("id" = String, Path, description = "The link's id or its code"), PageQuery),
    responses((status = 200, body = List<ClickAnswer>)))]
pub(super) async fn clicks(
    State(app): State<App>,
    me: Caller,
    At(place): At<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<ClickAnswer>>> {
    let page = query.page()?;
    let link = resolve(&app.db, &me, &place).await?;
    let found = links::clicks(&app.db, &me.scope, link.link, &page).await?;
    Ok(Json(found.map(ClickAnswer::from).into()))
}

/// By id or by code, within the caller's scope.
async fn resolve(conn: &impl Conn, me: &Caller, place: &str) -> Result<Resolved, Error> {
    if let Ok(id) = place.parse::<LinkId>() {
        match links::find(conn, &me.scope, id).await {
            Ok(link) => return links::resolve(conn, &link.code).await,
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    let link = links::resolve(conn, place).await?;
    if link.corp != me.corp {
        return Err(Error::NotFound);
    }
    links::find(conn, &me.scope, link.link).await?;
    Ok(link)
}

/// Who opened a link, told by the mini-store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClickBody {
    /// The `t` the mini-store was opened with, when the visit came through `/l/`. Without it the visit is a new
    /// click.
    click: Option<String>,
    buyer: Buyer,
    /// Now when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ClickRecorded {
    /// `identified`, or `unknown_buyer`: nobody known to us, nothing was recorded.
    result: &'static str,
    click_id: Option<ClickId>,
    contact_id: Option<ContactId>,
}

/// Records who opened a link.
#[utoipa::path(post, path = "/links/{id}/clicks",
    params(("id" = String, Path, description = "The link's id or its code")), request_body = ClickBody,
    responses((status = 201, body = ClickRecorded), (status = 200, body = ClickRecorded, description = "Nobody we know")))]
pub(super) async fn record_click(
    State(app): State<App>,
    me: Caller,
    At(place): At<String>,
    posted: Posted<ClickBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let body = posted.body;
    let at = body.at.unwrap_or_else(|| app.now());
    if at > app.now().plus_ms(5 * MINUTE_MS) {
        return Err(Error::invalid("/at", "this time is still to come").into());
    }
    if at < orders::EARLIEST {
        return Err(Error::invalid("/at", "lies before 2015; check the year").into());
    }
    let link = resolve(&work.tx, &me, &place).await?;
    let Some(contact) = orders::contact_of(&work.tx, me.corp, &app.sealer, &body.buyer).await? else {
        let nobody = ClickRecorded {
            result: "unknown_buyer",
            click_id: None,
            contact_id: None,
        };
        return work.finish(Answer::ok(&nobody)?).await;
    };
    let act = me.act(&app);
    let click_id = match &body.click {
        Some(token) => click::identify_on(&work.tx, &act, &link, token, contact)
            .await
            .map_err(|error| unknown_token(error, token))?,
        None => click::opened(&work.tx, &act, &link, &random_base62(22), contact, at).await?,
    };
    let recorded = ClickRecorded {
        result: "identified",
        click_id: Some(click_id),
        contact_id: Some(contact),
    };
    let place = format!("/links/{}/clicks", link.link);
    work.finish(Answer::created(place, &recorded)?).await
}

fn unknown_token(error: Error, token: &str) -> Error {
    match error {
        Error::NotFound => Error::invalid(
            "/click",
            format!(
                "no click on this link has the token `{token}`; leave `click` out if the visit did not come through `/l/`"
            ),
        ),
        other => other,
    }
}
