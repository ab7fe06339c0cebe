//! The OpenAPI 3.1 document, made from the handlers, and the page that shows it without any outside host.

use askama::Template;
use axum::Json;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::problem::{Kind, ProblemDocument, Result};
use super::{
    BASE, campaign_actions, campaign_events, campaigns, care, contacts, directory, exports, fields, imports,
    links, marks, merges, metrics, moments, orders, segments, tag_rules, tags, welcomes,
};
use crate::auth::Policy;
use crate::error::Error;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "店语 Dianyu",
        description = "Bearer keys with scopes. Ids are strings, times RFC 3339, days `YYYY-MM-DD`, money integer fen. \
            Lists take `limit` and `after` and answer `items` and `next`. Unknown fields are refused. A POST may carry \
            `Idempotency-Key`: a repeat within 24 h is answered the same. Errors are `application/problem+json`."
    ),
    paths(
        directory::list_regions,
        directory::create_region,
        directory::show_region,
        directory::rename_region,
        directory::list_stores,
        directory::create_store,
        directory::show_store,
        directory::change_store,
        directory::list_associates,
        directory::show_associate,
        contacts::list,
        contacts::mark_many,
        contacts::show,
        contacts::change,
        contacts::stands,
        contacts::timeline,
        contacts::groups_of,
        contacts::tags_of,
        contacts::mark,
        merges::duplicates,
        merges::merge,
        merges::list,
        merges::undo,
        care::show_phone,
        care::add_note,
        care::remove,
        care::add_follow_up,
        care::list,
        care::show,
        care::put_off,
        care::drop,
        care::complete,
        care::reopen,
        fields::list,
        fields::create,
        fields::delete,
        imports::list,
        imports::create,
        imports::show,
        imports::refused,
        imports::cancel,
        exports::list,
        exports::create,
        exports::show,
        exports::file,
        exports::cancel,
        tags::list_groups,
        tags::create_group,
        tags::show_group,
        tags::rename_group,
        tags::delete_group,
        tags::list_tags,
        tags::create_tag,
        tags::show_tag,
        tags::rename_tag,
        tags::delete_tag,
        marks::list,
        marks::create,
        marks::show,
        marks::refused,
        marks::pause,
        marks::resume,
        marks::cancel,
        marks::merge,
        tag_rules::list,
        tag_rules::create,
        tag_rules::show,
        tag_rules::change,
        tag_rules::delete,
        segments::list,
        segments::create,
        segments::preview,
        segments::show,
        segments::change,
        segments::delete,
        campaigns::list,
        campaigns::create,
        campaigns::show,
        campaigns::change,
        campaigns::delete,
        campaigns::deliveries,
        campaigns::report,
        campaign_events::events,
        campaign_actions::quota,
        campaign_actions::approve,
        campaign_actions::withdraw_approval,
        campaign_actions::schedule,
        campaign_actions::call_off,
        campaign_actions::pause,
        campaign_actions::resume,
        campaign_actions::cancel,
        moments::list,
        moments::create,
        moments::show,
        moments::cancel,
        links::list,
        links::create,
        links::show,
        links::change,
        links::clicks,
        links::record_click,
        welcomes::list,
        welcomes::create,
        welcomes::show,
        welcomes::change,
        welcomes::delete,
        orders::list_products,
        orders::record_products,
        orders::list_orders,
        orders::record_orders,
        orders::attribution,
        orders::list_refunds,
        orders::record_refunds,
        metrics::list_definitions,
        metrics::figures,
        metrics::report,
    ),
    components(schemas(ProblemDocument, crate::care::State, crate::ids::TimelineId))
)]
struct Document;

/// The document as served, with what the route table knows: scopes, and the headers and problems all share.
pub(super) fn build() -> Result<Value, Error> {
    let mut document = utoipa::openapi::OpenApi::default().nest(BASE, Document::openapi());
    document.info = Document::openapi().info;
    let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("key", key);
    let mut json = serde_json::to_value(document)?;
    for entry in super::v1().into_parts().1 {
        let place = format!(
            "/paths/{}",
            format!("{BASE}{}", entry.path)
                .replace('~', "~0")
                .replace('/', "~1")
        );
        let method = entry.method.as_str().to_ascii_lowercase();
        let operation = json.pointer_mut(&place).and_then(|path| path.get_mut(&method));
        if let Some(Value::Object(operation)) = operation {
            complete(operation, &entry.path, entry.policy);
            if method == "post" {
                complete_post(operation);
            }
        }
    }
    name_list_items(&mut json);
    Ok(json)
}

/// `List_Store` holds `Store` by name, not another copy of it.
fn name_list_items(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for (name, schema) in schemas.iter_mut() {
        let Some(item) = name.strip_prefix("List_") else {
            continue;
        };
        if names.iter().any(|known| known == item) {
            schema["properties"]["items"]["items"] = reference(item);
        }
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// POSTs that only ask: a repeat does no harm.
const ASKING: [&str; 3] = ["segments.preview", "campaigns.quota", "contacts.show_phone"];

fn complete_post(operation: &mut Map<String, Value>) {
    if !ASKING.iter().any(|name| operation["operationId"] == *name)
        && let Some(parameters) = operation
            .entry("parameters")
            .or_insert_with(|| json!([]))
            .as_array_mut()
    {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "1–128 visible ASCII characters; a repeat with the same body is answered the same for 24 h",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 }
        }));
    }
    // A body of rows is also taken wrapped, or as one row.
    let body = operation
        .get_mut("requestBody")
        .map(|body| &mut body["content"]["application/json"]["schema"]);
    if let Some(schema) = body
        && schema["type"] == "array"
    {
        *schema = one_of_rows(schema.take());
    }
}

fn one_of_rows(mut rows: Value) -> Value {
    rows["minItems"] = 1.into();
    rows["maxItems"] = crate::orders::MAX_ROWS.into();
    let row = rows["items"].clone();
    json!({ "oneOf": [
        rows,
        { "type": "object", "properties": { "items": rows }, "required": ["items"], "additionalProperties": false },
        row,
    ] })
}

fn complete(operation: &mut Map<String, Value>, path: &str, policy: Policy) {
    let tag = path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let name = operation
        .get("operationId")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let id = format!("{}.{name}", tag.replace('-', "_"));
    operation.insert("operationId".into(), id.into());
    operation.insert("tags".into(), json!([tag]));
    if let Policy::Can(permission) = policy {
        operation.insert("security".into(), json!([{ "key": [permission.scope_name()] }]));
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        responses.insert(
            "default".into(),
            json!({
                "description": "A problem",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
            }),
        );
    }
}

/// `/api/openapi.json`
pub(super) async fn document() -> Result<Json<Value>> {
    Ok(Json(build()?))
}

#[derive(Template)]
#[template(path = "api/docs.html")]
struct DocsPage {
    title: String,
    about: String,
    groups: Vec<Group>,
    schemas: Vec<SchemaShown>,
    problems: Vec<(u16, &'static str, &'static str)>,
}

/// Operations under one tag.
struct Group {
    tag: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    scope: String,
    parameters: Vec<Field>,
    body: Option<Shape>,
    answers: Vec<(String, Option<Shape>)>,
}

struct SchemaShown {
    name: String,
    description: String,
    fields: Vec<Field>,
    shape: Shape,
}

struct Field {
    name: String,
    place: String,
    is_required: bool,
    shape: Shape,
    description: String,
}

/// A type in words, and the schema it leads to.
struct Shape {
    words: String,
    link: Option<String>,
}

/// `/api/docs`
pub(super) async fn page() -> Result<Response> {
    let document = build()?;
    let page = DocsPage {
        title: text(&document["info"], "title"),
        about: text(&document["info"], "description"),
        groups: groups(&document),
        schemas: schemas(&document),
        problems: Kind::ALL
            .iter()
            .map(|kind| (kind.status().as_u16(), kind.uri(), kind.title()))
            .collect(),
    };
    let html = page.render().map_err(Error::internal)?;
    let policy = [(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    )];
    Ok((policy, Html(html)).into_response())
}

/// `/api/docs.css`
pub(super) async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("../../templates/api/docs.css"),
    )
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let none = Map::new();
    for (path, methods) in document["paths"].as_object().unwrap_or(&none) {
        for (method, operation) in methods.as_object().unwrap_or(&none) {
            let tag = operation["tags"][0].as_str().unwrap_or_default().to_owned();
            let shown = operation_shown(method, path, operation);
            match groups.iter_mut().find(|group| group.tag == tag) {
                Some(group) => group.operations.push(shown),
                None => groups.push(Group {
                    tag,
                    operations: vec![shown],
                }),
            }
        }
    }
    groups
}

fn operation_shown(method: &str, path: &str, operation: &Value) -> Operation {
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    let none = Map::new();
    let answers = operation["responses"].as_object().unwrap_or(&none).iter();
    Operation {
        id: text(operation, "operationId"),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "summary"),
        description: text(operation, "description"),
        scope: operation["security"][0]["key"][0]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        parameters: operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(parameter)
            .collect(),
        body: (!body.is_null()).then(|| shape(body)),
        answers: answers
            .filter(|(status, _)| *status != "default")
            .map(|(status, response)| {
                let content = response["content"].as_object();
                let schema = content
                    .and_then(|content| content.values().next())
                    .map(|media| &media["schema"]);
                (status.clone(), schema.map(shape))
            })
            .collect(),
    }
}

fn parameter(parameter: &Value) -> Field {
    Field {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        is_required: parameter["required"].as_bool().unwrap_or_default(),
        shape: shape(&parameter["schema"]),
        description: text(parameter, "description"),
    }
}

fn schemas(document: &Value) -> Vec<SchemaShown> {
    let none = Map::new();
    let schemas = document["components"]["schemas"].as_object().unwrap_or(&none);
    schemas
        .iter()
        .map(|(name, schema)| SchemaShown {
            name: name.clone(),
            description: text(schema, "description"),
            fields: fields(schema),
            shape: shape(schema),
        })
        .collect()
}

/// An object's fields; those of each part where a schema is made of several.
fn fields(schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    for part in ["allOf", "oneOf"] {
        found.extend(schema[part].as_array().into_iter().flatten().flat_map(fields));
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        found.push(Field {
            name: name.clone(),
            place: String::new(),
            is_required: required.contains(&name.as_str()),
            shape: shape(property),
            description: text(property, "description"),
        });
    }
    found
}

fn shape(schema: &Value) -> Shape {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or_default().to_owned();
        return Shape {
            words: name.clone(),
            link: Some(name),
        };
    }
    if schema["items"].is_object() {
        let inner = shape(&schema["items"]);
        return Shape {
            words: format!("[{}]", inner.words),
            link: inner.link,
        };
    }
    if schema["additionalProperties"].is_object() {
        let inner = shape(&schema["additionalProperties"]);
        return Shape {
            words: format!("{{…: {}}}", inner.words),
            link: inner.link,
        };
    }
    for part in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[part].as_array() {
            let shapes: Vec<Shape> = parts.iter().map(shape).collect();
            let words: Vec<&str> = shapes.iter().map(|shape| shape.words.as_str()).collect();
            return Shape {
                words: words.join(" | "),
                link: shapes.iter().find_map(|shape| shape.link.clone()),
            };
        }
    }
    Shape {
        words: plain(schema),
        link: None,
    }
}

/// A type without parts: `string (date)`, `integer | null`, the values of an enum.
fn plain(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join(" | ");
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" | ")
        }
        _ => "any".to_owned(),
    };
    match schema["format"].as_str() {
        Some(format) => format!("{kind} ({format})"),
        None => kind,
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_and_the_router_tell_the_same() {
        let document = build().unwrap();
        let told: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(move |method| format!("{method} {path}"))
            })
            .collect();
        let routed: BTreeSet<String> = crate::api::v1()
            .into_parts()
            .1
            .into_iter()
            .map(|entry| {
                format!(
                    "{} {BASE}{}",
                    entry.method.as_str().to_ascii_lowercase(),
                    entry.path
                )
            })
            .collect();
        assert_eq!(told, routed);
    }

    #[test]
    fn operations_have_names_of_their_own_and_a_scope() {
        let document = build().unwrap();
        let mut names = BTreeSet::new();
        for group in groups(&document) {
            for operation in group.operations {
                assert!(
                    !operation.scope.is_empty() && !operation.summary.is_empty(),
                    "{}",
                    operation.path
                );
                assert!(names.insert(operation.id.clone()), "{}", operation.id);
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => {
                    for (name, inner) in fields {
                        match inner {
                            Value::String(target) if name == "$ref" => {
                                found.insert(target.trim_start_matches('#').to_owned());
                            }
                            inner => references(inner, found),
                        }
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = build().unwrap();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for target in found {
            assert!(document.pointer(&target).is_some(), "{target}");
        }
    }
}
