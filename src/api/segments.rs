//! Segments: saved rules, and who a rule finds now.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AllOfBuilder, ArrayBuilder, Object, ObjectBuilder, Ref, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Body, PageQuery, Query};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::{SegmentsRead, SegmentsWrite};
use crate::auth::Policy::Can;
use crate::db::Conn;
use crate::ids::{ContactId, SegmentId};
use crate::routes::Routes;
use crate::segments::{self, Preview, Rule, Segment, rule};
use crate::time::Timestamp;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/segments", Can(SegmentsRead), list)
        .post("/segments", Can(SegmentsWrite), create)
        .post("/segments/preview", Can(SegmentsRead), preview)
        .get("/segments/{id}", Can(SegmentsRead), show)
        .patch("/segments/{id}", Can(SegmentsWrite), change)
        .delete("/segments/{id}", Can(SegmentsWrite), delete)
}

/// A rule as sent: read by [`rule::read`], which names the place of every mistake.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RuleJson(Value);

impl RuleJson {
    /// Reads the rule and checks its ids against the corp; `at` is its pointer.
    pub(super) async fn read(&self, conn: &impl Conn, me: &Caller, at: &str) -> Result<Rule> {
        let rule = rule::read(&self.0, at)?;
        rule::check(conn, &me.scope, &rule, at).await?;
        Ok(rule)
    }

    pub(super) fn of(rule: &Rule) -> Result<Self> {
        Ok(Self(
            serde_json::to_value(rule).map_err(crate::error::Error::from)?,
        ))
    }
}

impl PartialSchema for RuleJson {
    fn schema() -> RefOr<Schema> {
        let text = || Object::with_type(Type::String);
        let rules = || ArrayBuilder::new().items(Ref::from_schema_name("Rule"));
        let days = || whole_fields(&["within_days"]);
        let scores = ["r", "f", "m"]
            .into_iter()
            .fold(ObjectBuilder::new(), |object, name| {
                object.property(name, ArrayBuilder::new().items(Object::with_type(Type::Integer)))
            });
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .description(Some(
                "Exactly one key: `all`, `any`, `not` over rules, or a leaf. At most 8 deep, 200 nodes.",
            ))
            .property("all", rules())
            .property("any", rules())
            .property("not", AllOfBuilder::new().item(Ref::from_schema_name("Rule")))
            .property("tag", text())
            .property("store", text())
            .property("region", text())
            .property("associate", text())
            .property("channel", text())
            .property("added", days())
            .property(
                "ordered",
                whole_fields(&["within_days", "at_least", "net_fen_at_least"]).property("category", text()),
            )
            .property("clicked", days().property("link", text()))
            .property("messaged", whole_fields(&["within_days", "at_most", "at_least"]))
            .property("stage", one_of(&["new", "active", "cooling", "dormant", "lost"]))
            .property("rfm", scores)
            .property("gender", one_of(&["unknown", "male", "female"]))
            .property("birthday", days())
            .property(
                "field",
                ObjectBuilder::new()
                    .description(Some(
                        "What is known in a field of your own: `is` any of these values (a text, a choice), `from` and `to` \
                         with both (a number, a date), or, with neither, anything.",
                    ))
                    .property("id", text())
                    .property("is", ArrayBuilder::new().items(text()))
                    .property("from", text())
                    .property("to", text()),
            )
            .examples([
                serde_json::json!({"all": [{"tag": "31"}, {"ordered": {"within_days": 90, "at_least": 1}}]}),
            ])
            .into()
    }
}

impl ToSchema for RuleJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "Rule".into()
    }
}

fn whole_fields(names: &[&str]) -> ObjectBuilder {
    names.iter().fold(ObjectBuilder::new(), |object, name| {
        object.property(*name, Object::with_type(Type::Integer))
    })
}

fn one_of(names: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names.iter().copied()))
}

/// A saved segment.
#[derive(Serialize, ToSchema)]
#[schema(as = Segment)]
pub(super) struct SegmentAnswer {
    id: SegmentId,
    name: String,
    rule: RuleJson,
    /// Rises with every change of the rule.
    version: i64,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

fn answer(segment: Segment) -> Result<SegmentAnswer> {
    Ok(SegmentAnswer {
        id: segment.id,
        name: segment.name,
        rule: RuleJson::of(&segment.rule)?,
        version: segment.version,
        created_by: segment.created_by,
        created_at: segment.created_at,
        updated_at: segment.updated_at,
    })
}

/// Segments, last changed first.
#[utoipa::path(get, path = "/segments", params(PageQuery), responses((status = 200, body = List<SegmentAnswer>)))]
pub(super) async fn list(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<SegmentAnswer>>> {
    let page = segments::list(&app.db, &me.scope, &query.page()?).await?;
    let items = page.items.into_iter().map(answer).collect::<Result<Vec<_>>>()?;
    Ok(Json(List {
        items,
        next: page.next,
    }))
}

/// One segment.
#[utoipa::path(get, path = "/segments/{id}", params(("id" = SegmentId, Path)),
    responses((status = 200, body = SegmentAnswer)))]
pub(super) async fn show(
    State(app): State<App>,
    me: Caller,
    At(id): At<SegmentId>,
) -> Result<Json<SegmentAnswer>> {
    Ok(Json(answer(segments::find(&app.db, &me.scope, id).await?)?))
}

/// A segment to save.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentBody {
    name: String,
    rule: RuleJson,
}

/// Saves a segment.
#[utoipa::path(post, path = "/segments", request_body = SegmentBody,
    responses((status = 201, body = SegmentAnswer)))]
pub(super) async fn create(
    State(app): State<App>,
    me: Caller,
    posted: Posted<SegmentBody>,
) -> Result<Answer> {
    let work = posted.once.begin(&app, &me).await?;
    let SegmentBody { name, rule } = posted.body;
    let rule = rule.read(&work.tx, &me, "/rule").await?;
    let id = segments::create(&work.tx, &me.act(&app), &me.scope, &name, &rule).await?;
    let segment = answer(segments::find(&work.tx, &me.scope, id).await?)?;
    work.finish(Answer::created(format!("/segments/{id}"), &segment)?)
        .await
}

/// What may change of a segment; absent fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentPatch {
    name: Option<String>,
    rule: Option<RuleJson>,
}

/// Changes a segment. Campaigns already scheduled keep the audience they froze.
#[utoipa::path(patch, path = "/segments/{id}", params(("id" = SegmentId, Path)), request_body = SegmentPatch,
    responses((status = 200, body = SegmentAnswer)))]
pub(super) async fn change(
    State(app): State<App>,
    me: Caller,
    At(id): At<SegmentId>,
    Body(body): Body<SegmentPatch>,
) -> Result<Json<SegmentAnswer>> {
    let tx = app.db.begin().await?;
    let rule = match &body.rule {
        Some(rule) => Some(rule.read(&tx, &me, "/rule").await?),
        None => None,
    };
    let name = body.name.as_deref();
    segments::change(&tx, &me.act(&app), &me.scope, id, name, rule.as_ref()).await?;
    let segment = answer(segments::find(&tx, &me.scope, id).await?)?;
    tx.commit().await?;
    Ok(Json(segment))
}

/// Deletes a segment; refused while a scheduled campaign uses it.
#[utoipa::path(delete, path = "/segments/{id}", params(("id" = SegmentId, Path)), responses((status = 204)))]
pub(super) async fn delete(State(app): State<App>, me: Caller, At(id): At<SegmentId>) -> Result<StatusCode> {
    let tx = app.db.begin().await?;
    segments::delete(&tx, &me.act(&app), &me.scope, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewBody {
    rule: RuleJson,
}

/// Who a rule finds now.
#[derive(Serialize, ToSchema)]
#[schema(as = SegmentPreview)]
pub(super) struct PreviewAnswer {
    count: i64,
    #[schema(value_type = String, format = DateTime)]
    as_of: Timestamp,
    /// Each rule of a top-level `all`, and how many remain after it.
    steps: Vec<Step>,
    /// `steps` is empty because there are too many to count each; `count` is right all the same.
    steps_left_out: bool,
    /// A few of the people.
    sample: Vec<Person>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SegmentStep)]
pub(super) struct Step {
    rule: RuleJson,
    remaining: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Person {
    id: ContactId,
    name: String,
}

/// Counts a rule without saving it.
#[utoipa::path(post, path = "/segments/preview", request_body = PreviewBody,
    responses((status = 200, body = PreviewAnswer)))]
pub(super) async fn preview(
    State(app): State<App>,
    me: Caller,
    Body(body): Body<PreviewBody>,
) -> Result<Json<PreviewAnswer>> {
    let (at, now) = ("/rule", app.now());
    let rule = rule::read(&body.rule.0, at)?;
    let preview = segments::checked_preview(&app, &me.scope, &rule, at, me.zone, now).await?;
    Ok(Json(preview_answer(preview)?))
}

fn preview_answer(preview: Preview) -> Result<PreviewAnswer> {
    let steps = preview.steps.iter().map(|step| {
        Ok(Step {
            rule: RuleJson::of(&step.rule)?,
            remaining: step.remaining,
        })
    });
    let sample = preview.sample.into_iter().map(|person| Person {
        id: person.id,
        name: person.name,
    });
    Ok(PreviewAnswer {
        count: preview.count,
        as_of: preview.as_of,
        steps: steps.collect::<Result<_>>()?,
        steps_left_out: preview.steps_left_out,
        sample: sample.collect(),
    })
}
