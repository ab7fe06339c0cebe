//! Rules that tag by themselves.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Body};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{TagsRead, TagsWrite};
use crate::auth::Policy::Can;
use crate::ids::{TagId, TagRuleId};
use crate::marking::{self, RuleChange, TagRule, When};
use crate::routes::Routes;
use crate::time::Timestamp;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/tag-rules", Can(TagsRead), list)
        .post("/tag-rules", Can(TagsWrite), create)
        .get("/tag-rules/{id}", Can(TagsRead), show)
        .patch("/tag-rules/{id}", Can(TagsWrite), change)
        .delete("/tag-rules/{id}", Can(TagsWrite), delete)
}

/// What has to happen, as sent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct WhenJson(When);

impl PartialSchema for WhenJson {
    fn schema() -> RefOr<Schema> {
        let text = || Object::with_type(Type::String);
        let object = || ObjectBuilder::new().schema_type(SchemaType::new(Type::Object));
        object()
            .description(Some(
                "Exactly one key. `channel`: somebody is added by it. `clicked`: a link is opened, any or one. `ordered`: \
                 an order, of a category or an amount. `stage`: looked at every night.",
            ))
            .property("channel", text())
            .property("clicked", object().property("link", text()))
            .property(
                "ordered",
                object()
                    .property("category", text())
                    .property("paid_fen_at_least", Object::with_type(Type::Integer)),
            )
            .property(
                "stage",
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(["new", "active", "cooling", "dormant", "lost"])),
            )
            .examples([serde_json::json!({"ordered": {"category": "dress", "paid_fen_at_least": 50000}})])
            .into()
    }
}

impl ToSchema for WhenJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "TagRuleWhen".into()
    }
}

/// A rule: when something happens from `since_at` on, the tag is set.
#[derive(Serialize, ToSchema)]
#[schema(as = TagRule)]
pub(super) struct RuleAnswer {
    id: TagRuleId,
    /// Rises with every change.
    version: i64,
    when: WhenJson,
    tag_id: TagId,
    on: bool,
    #[schema(value_type = String, format = DateTime)]
    since_at: Timestamp,
    /// Tags it has set in the last 30 days.
    set_30_days: i64,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<TagRule> for RuleAnswer {
    fn from(rule: TagRule) -> Self {
        Self {
            id: rule.id,
            version: rule.version,
            when: WhenJson(rule.when),
            tag_id: rule.tag_id,
            on: rule.is_on,
            since_at: rule.since_at,
            set_30_days: rule.set_30_days,
            created_by: rule.created_by,
            created_at: rule.created_at,
            updated_at: rule.updated_at,
        }
    }
}

/// Every rule, the last made first.
#[utoipa::path(get, path = "/tag-rules", responses((status = 200, body = List<RuleAnswer>)))]
pub(super) async fn list(State(app): State<App>, me: Caller) -> Result<Json<List<RuleAnswer>>> {
    let rules = marking::list_rules(&app.db, &me.scope, app.now()).await?;
    Ok(Json(List::whole(
        rules.into_iter().map(RuleAnswer::from).collect(),
    )))
}

/// One rule.
#[utoipa::path(get, path = "/tag-rules/{id}", params(("id" = TagRuleId, Path)),
    responses((status = 200, body = RuleAnswer)))]
pub(super) async fn show(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagRuleId>,
) -> Result<Json<RuleAnswer>> {
    let rule = marking::find_rule(&app.db, &me.scope, id, app.now()).await?;
    Ok(Json(rule.into()))
}

/// A rule to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagRuleBody {
    when: WhenJson,
    tag_id: TagId,
}

/// Makes a rule, switched on. What happened before does not count: mark those with `/tags/marks`.
#[utoipa::path(post, path = "/tag-rules", request_body = TagRuleBody,
    responses((status = 201, body = RuleAnswer)))]
pub(super) async fn create(
    State(app): State<App>,
    me: Caller,
    posted: Posted<TagRuleBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let act = me.act(&app);
    let TagRuleBody { when, tag_id } = posted.body;
    let id = marking::create_rule(&work.tx, &act, &me.scope, when.0, tag_id).await?;
    let rule: RuleAnswer = marking::find_rule(&work.tx, &me.scope, id, act.now).await?.into();
    work.finish(Answer::created(format!("/tag-rules/{id}"), &rule)?)
        .await
}

/// What may change of a rule; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagRulePatch {
    when: Option<WhenJson>,
    tag_id: Option<TagId>,
    on: Option<bool>,
}

/// Changes a rule or switches it. Switched on, or with another condition, it counts what happens from now on.
#[utoipa::path(patch, path = "/tag-rules/{id}", params(("id" = TagRuleId, Path)), request_body = TagRulePatch,
    responses((status = 200, body = RuleAnswer)))]
pub(super) async fn change(
    State(app): State<App>,
    me: Caller,
    At(id): At<TagRuleId>,
    Body(body): Body<TagRulePatch>,
) -> Result<Json<RuleAnswer>> {
    let (tx, act) = (app.db.begin().await?, me.act(&app));
    let change = RuleChange {
        when: body.when.map(|when| when.0),
        tag: body.tag_id,
        is_on: body.on,
    };
    marking::change_rule(&tx, &act, &me.scope, id, change).await?;
    let rule = marking::find_rule(&tx, &me.scope, id, act.now).await?;
    tx.commit().await?;
    Ok(Json(rule.into()))
}

/// Deletes a rule; the tags it has set stay.
#[utoipa::path(delete, path = "/tag-rules/{id}", params(("id" = TagRuleId, Path)), responses((status = 204)))]
pub(super) async fn delete(State(app): State<App>, me: Caller, At(id): At<TagRuleId>) -> Result<StatusCode> {
    let tx = app.db.begin().await?;
    marking::delete_rule(&tx, &me.act(&app), &me.scope, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
