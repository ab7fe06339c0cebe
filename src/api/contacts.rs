//! Contacts, their timeline, and the tags on them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{RefOr, schema::SchemaType};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Body, PageQuery, Query, whole};
use super::problem::{Kind, Result};
use crate::app::App;
use crate::auth::Permission::{ContactsRead, ContactsWrite};
use crate::auth::Policy::Can;
use crate::campaigns::{self, QuotaLeft};
use crate::contacts::{self, ContactCard, ContactFilter, ContactRow, FollowRow, OwnValue, TagName};
use crate::directory;
use crate::error::Error;
use crate::groups::{self, GroupsOfContact};
use crate::ids::{AssociateId, ContactId, ExternalUserId, FieldId, FollowId, StoreId, TagId};
use crate::money::Fen;
use crate::page::PageOf;
use crate::routes::Routes;
use crate::segments::{self, Scored, Scores, Stage, browse};
use crate::tags::{self, Marked};
use crate::time::{Day, Timestamp};
use crate::timeline::{self, Recorded};

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/contacts", Can(ContactsRead), list)
        .post("/contacts/tags", Can(ContactsWrite), mark_many)
        .get("/contacts/{id}", Can(ContactsRead), show)
        .patch("/contacts/{id}", Can(ContactsWrite), change)
        .get("/contacts/{id}/standing", Can(ContactsRead), stands)
        .get("/contacts/{id}/timeline", Can(ContactsRead), timeline)
        .get("/contacts/{id}/groups", Can(ContactsRead), groups_of)
        .get("/contacts/{id}/tags", Can(ContactsRead), tags_of)
        .post("/contacts/{id}/tags", Can(ContactsWrite), mark)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ContactQuery {
    /// Part of a name or a remark. `name` means the same.
    #[serde(alias = "name")]
    search: Option<String>,
    tag: Option<TagId>,
    store: Option<StoreId>,
    associate: Option<AssociateId>,
    #[param(value_type = Option<String>, format = Date)]
    added_from: Option<Day>,
    #[param(value_type = Option<String>, format = Date)]
    added_to: Option<Day>,
    /// Last order on or after this day.
    #[param(value_type = Option<String>, format = Date)]
    ordered_from: Option<Day>,
    /// Last order on or before this day.
    #[param(value_type = Option<String>, format = Date)]
    ordered_to: Option<Day>,
    /// The platform's id of the contact.
    external_userid: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// Contacts with a live follow in scope, last added first.
#[utoipa::path(get, path = "/contacts", params(ContactQuery), responses((status = 200, body = List<ContactRow>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<ContactQuery>,
) -> Result<Json<List<ContactRow>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let filter = ContactFilter {
        search: query.search,
        tag: query.tag,
        store: query.store,
        associate: query.associate,
        added_from: query.added_from,
        added_to: query.added_to,
        ordered_from: query.ordered_from,
        ordered_to: query.ordered_to,
        external_userid: query.external_userid.map(ExternalUserId),
        ..ContactFilter::default()
    };
    let found = browse::of(&app, &me.scope, &filter, me.zone).await?;
    let contacts = found.page(&page).await?;
    Ok(Json(contacts.into()))
}

/// A contact and who follows them.
#[derive(Serialize, ToSchema)]
pub(super) struct Contact {
    id: ContactId,
    external_userid: String,
    name: String,
    avatar: String,
    /// 0 unknown, 1 male, 2 female.
    gender: i64,
    birthday: Option<String>,
    phone_last4: Option<String>,
    opted_out: bool,
    /// What is known in the chain's own fields.
    own_fields: Vec<OwnValue>,
    follows: Vec<Follow>,
    /// Orders of the last 365 days, and their net amount.
    orders_365: i64,
    #[schema(value_type = i64)]
    spent_365_fen: Fen,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_order_at: Option<Timestamp>,
}

/// One associate with one contact.
#[derive(Serialize, ToSchema)]
pub(super) struct Follow {
    id: FollowId,
    associate_id: AssociateId,
    associate_name: String,
    store_id: Option<StoreId>,
    store_name: Option<String>,
    /// `active`, `lost`, `removed` or `transferred`.
    state: String,
    remark: String,
    description: String,
    /// The platform's `add_way`.
    add_way: i64,
    /// The platform's `state`: which QR code brought them.
    channel: String,
    #[schema(value_type = String, format = DateTime)]
    added_at: Timestamp,
    tags: Vec<TagName>,
}

impl From<ContactCard> for Contact {
    fn from(card: ContactCard) -> Self {
        Self {
            id: card.id,
            external_userid: card.external_userid,
            name: card.name,
            avatar: card.avatar,
            gender: card.gender,
            birthday: card.birthday,
            phone_last4: card.phone_last4,
            opted_out: card.opted_out,
            own_fields: card.own_fields,
            follows: card.follows.into_iter().map(Follow::from).collect(),
            orders_365: card.orders_365,
            spent_365_fen: card.spent_365_fen,
            last_order_at: card.last_order_at,
        }
    }
}

impl From<FollowRow> for Follow {
    fn from(row: FollowRow) -> Self {
        Self {
            id: row.id,
            associate_id: row.associate_id,
            associate_name: row.associate_name,
            store_id: row.store_id,
            store_name: row.store_name,
            state: row.state,
            remark: row.remark,
            description: row.description,
            add_way: row.add_way,
            channel: row.channel,
            added_at: row.added_at,
            tags: row.tags,
        }
    }
}

/// One contact; of one that was merged into another, that other.
#[utoipa::path(get, path = "/contacts/{id}", params(("id" = ContactId, Path)),
    responses((status = 200, body = Contact)))]
pub(super) async fn show(State(app): State<App>, me: Caller, At(id): At<ContactId>) -> Result<Json<Contact>> {
    let id = contacts::kept_of(&app.db, me.corp, id).await?.unwrap_or(id);
    let card = contacts::find(&app.db, &me.scope, id).await?;
    Ok(Json(card.into()))
}

/// How a contact stands today.
#[derive(Serialize, ToSchema)]
pub(super) struct ContactStanding {
    /// `new`, `active`, `cooling`, `dormant` or `lost`, as segments find them.
    stage: Option<Stage>,
    /// `scored`, `no_orders` (none within a year) or `counting`: ask again in a moment.
    rfm_state: &'static str,
    rfm: Option<Scores>,
    /// Broadcasts that the platform still lets the contact get.
    quota: QuotaLeft,
}

/// Stage, RFM scores and quota of a contact, as of now.
#[utoipa::path(get, path = "/contacts/{id}/standing", params(("id" = ContactId, Path)),
    responses((status = 200, body = ContactStanding)))]
pub(super) async fn stands(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
) -> Result<Json<ContactStanding>> {
    let now = app.now();
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let standing = segments::standing(&app, &me.scope, id, corp.zone, now).await?;
    let (rfm_state, rfm) = match standing.rfm {
        Scored::Scores(scores) => ("scored", Some(scores)),
        Scored::NoOrders => ("no_orders", None),
        Scored::Counting => ("counting", None),
    };
    Ok(Json(ContactStanding {
        stage: standing.stage,
        rfm_state,
        rfm,
        quota: campaigns::quota_left(&app.db, &me.scope, &corp, id, now).await?,
    }))
}

/// What is to be changed of a contact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactPatch {
    /// Values by the id of the chain's own field; `null` takes one away. Fields that are not named stay as they are.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    fields: BTreeMap<FieldId, Option<String>>,
}

/// Writes values in the chain's own fields: all of them, or none when one is refused.
#[utoipa::path(patch, path = "/contacts/{id}", params(("id" = ContactId, Path)), request_body = ContactPatch,
    responses((status = 200, body = Contact)))]
pub(super) async fn change(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    Body(body): Body<ContactPatch>,
) -> Result<Json<Contact>> {
    let tx = app.db.begin().await?;
    contacts::set_values(&tx, &me.act(&app), &me.scope, id, &body.fields).await?;
    let card = contacts::find(&tx, &me.scope, id).await?;
    tx.commit().await?;
    Ok(Json(card.into()))
}

/// An entry of a timeline: `kind` decides which further fields there are.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct TimelineEntry(pub(super) Recorded);

impl PartialSchema for TimelineEntry {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let maybe = || Object::with_type(SchemaType::from_iter([Type::String, Type::Null]));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("id", text())
            .required("id")
            .property(
                "at",
                text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
            )
            .required("at")
            .property("associate_id", maybe())
            .property("associate_name", maybe())
            .property("author_name", maybe())
            .property(
                "kind",
                text().description(Some(
                    "`added`, `lost`, `removed`, `transferred`, `welcomed`, `tagged`, `untagged`, `sent`, \
                     `not_sent`, `liked`, `commented`, `clicked`, `ordered`, `refunded`, `noted`, \
                     `unnoted` or `followed_up`",
                )),
            )
            .required("kind")
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .into()
    }
}

impl ToSchema for TimelineEntry {}

/// What happened to a contact, newest first.
#[utoipa::path(get, path = "/contacts/{id}/timeline", params(("id" = ContactId, Path), PageQuery),
    responses((status = 200, body = List<TimelineEntry>)))]
pub(super) async fn timeline(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<TimelineEntry>>> {
    let entries = timeline::of_contact(&app.db, &me.scope, id, &query.page()?).await?;
    Ok(Json(entries.map(TimelineEntry).into()))
}

/// Customer groups that a contact is in now, the last joined first: those whose owner the caller may see; of the
/// others only how many there are.
#[utoipa::path(get, path = "/contacts/{id}/groups", params(("id" = ContactId, Path)),
    responses((status = 200, body = GroupsOfContact)))]
pub(super) async fn groups_of(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
) -> Result<Json<GroupsOfContact>> {
    Ok(Json(groups::of_contact(&app.db, &me.scope, id).await?))
}

/// Tags on a contact's live follows in scope, each once.
#[utoipa::path(get, path = "/contacts/{id}/tags", params(("id" = ContactId, Path)),
    responses((status = 200, body = List<TagName>)))]
pub(super) async fn tags_of(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
) -> Result<Json<List<TagName>>> {
    Ok(Json(List::whole(live_tags(&app, &me, id).await?)))
}

async fn live_tags(app: &App, me: &Caller, id: ContactId) -> Result<Vec<TagName>> {
    let card = contacts::find(&app.db, &me.scope, id).await?;
    let live = card.follows.into_iter().filter(|follow| follow.state == "active");
    let mut tags: Vec<TagName> = live.flat_map(|follow| follow.tags).collect();
    tags.sort_by_key(|tag| tag.id);
    tags.dedup_by_key(|tag| tag.id);
    Ok(tags)
}

/// Tags to set and to take away, on every live follow in scope.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkBody {
    #[serde(default)]
    add: Vec<TagId>,
    #[serde(default)]
    remove: Vec<TagId>,
}

/// A marking and the tags after it.
#[derive(Serialize, ToSchema)]
pub(super) struct MarkAnswer {
    contact_id: ContactId,
    /// `marked` or `unchanged`.
    result: String,
    tags: Vec<TagName>,
}

/// Marks one contact, on the platform and here.
#[utoipa::path(post, path = "/contacts/{id}/tags", params(("id" = ContactId, Path)), request_body = MarkBody,
    responses((status = 200, body = MarkAnswer)))]
pub(super) async fn mark(
    State(app): State<App>,
    me: Caller,
    At(id): At<ContactId>,
    posted: Posted<MarkBody>,
) -> Result<Answer> {
    let MarkBody { add, remove } = posted.body;
    check_tags(&add, &remove)?;
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let marked = tags::mark(&inside, &caller.act(&inside), &caller.scope, &[id], &add, &remove).await?;
        let marked = marked.into_iter().next().ok_or(Error::NotFound)?;
        refuse_unmarked(&marked)?;
        Answer::ok(&MarkAnswer {
            contact_id: id,
            result: marked.result,
            tags: live_tags(&inside, &caller, id).await?,
        })
    };
    posted.once.run(&app, &me, effect).await
}

fn refuse_unmarked(marked: &Marked) -> Result<()> {
    let reason = marked.reason.as_deref().unwrap_or("it gave no reason");
    match marked.result.as_str() {
        "not_found" => Err(Error::NotFound.into()),
        "failed" => Err(Kind::Platform.says(format!("the platform did not mark the contact: {reason}"))),
        _ => Ok(()),
    }
}

fn check_tags(add: &[TagId], remove: &[TagId]) -> Result<()> {
    if add.is_empty() && remove.is_empty() {
        return Err(Error::invalid("/add", "name a tag to `add` or to `remove`").into());
    }
    Ok(())
}

/// Contacts to mark alike.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkManyBody {
    /// 1 to 1,000.
    contact_ids: Vec<ContactId>,
    #[serde(default)]
    add: Vec<TagId>,
    #[serde(default)]
    remove: Vec<TagId>,
}

/// Marks up to 1,000 contacts; one that is refused does not stop the others.
#[utoipa::path(post, path = "/contacts/tags", request_body = MarkManyBody,
    responses((status = 200, body = List<Marked>)))]
pub(super) async fn mark_many(
    State(app): State<App>,
    me: Caller,
    posted: Posted<MarkManyBody>,
) -> Result<Answer> {
    let body = posted.body;
    check_tags(&body.add, &body.remove)?;
    if body.contact_ids.is_empty() {
        return Err(Error::invalid("/contact_ids", "name at least one contact").into());
    }
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let act = caller.act(&inside);
        let marked = tags::mark(
            &inside,
            &act,
            &caller.scope,
            &body.contact_ids,
            &body.add,
            &body.remove,
        )
        .await?;
        Answer::ok(&List::whole(marked))
    };
    posted.once.run(&app, &me, effect).await
}
