//! The control API's OpenAPI 3.1 document, made from the handlers and from [`Act`]: an act a route.

use axum::Json;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

use super::{ACTS, Reason};
use crate::sandbox::Act;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dianyu sandbox control",
        description = "Plays the people the platform stands between, moves its clock, breaks it, reads what happened. \
            No key: it listens where the simulator does. A refusal is 422 with the reason."
    ),
    paths(
        document,
        super::add_corp,
        super::move_clock,
        super::knobs,
        super::set_knobs,
        super::faults,
        super::plan,
        super::forget_faults,
        super::ledger,
        super::forget_ledger,
        super::callbacks,
        super::counts,
        super::apps,
        super::set_app,
        super::grow,
        super::secrets,
        super::set_callback,
        super::waiting,
        super::customers,
        super::notices,
    ),
    components(schemas(Act, Reason))
)]
struct Document;

/// This document.
#[utoipa::path(get, path = "/control/openapi.json", responses((status = 200)))]
pub(super) async fn document() -> Json<Value> {
    Json(build())
}

pub(super) fn build() -> Value {
    let mut document = serde_json::to_value(Document::openapi()).expect("a document is JSON");
    let acts: Vec<Value> = document["components"]["schemas"]["Act"]["oneOf"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (name, operation) in acts.into_iter().filter_map(act) {
            paths.insert(ACTS.replace("{act}", &name), json!({"post": operation}));
        }
        paths
            .values_mut()
            .filter_map(Value::as_object_mut)
            .for_each(complete);
    }
    document
}

/// An act's name and its route; what the enum calls `act` stands in the path.
fn act(mut variant: Value) -> Option<(String, Value)> {
    let description = variant["description"].take();
    let (name, body) = match variant["allOf"].take() {
        Value::Array(parts) => {
            let name = parts.iter().find_map(name_in)?;
            let fields = parts.into_iter().find(|part| name_in(part).is_none())?;
            (name, fields)
        }
        _ => {
            let name = name_in(&variant)?;
            let fields = variant.as_object_mut()?;
            fields.remove("allOf");
            fields.remove("description");
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                properties.remove("act");
            }
            if let Some(Value::Array(required)) = fields.get_mut("required") {
                required.retain(|field| field != "act");
            }
            (name, variant)
        }
    };
    let operation = json!({
        "operationId": name,
        "tags": ["acts"],
        "summary": description.as_str().unwrap_or_default(),
        "parameters": [{"name": "corpid", "in": "path", "required": true, "schema": {"type": "string"}}],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "done: ids that were made, people who were reached"}}
    });
    Some((name, operation))
}

fn name_in(schema: &Value) -> Option<String> {
    let act = &schema["properties"]["act"];
    let name = act["enum"][0].as_str().or_else(|| act["const"].as_str())?;
    Some(name.to_owned())
}

/// What all operations share: a tag, and what a refusal looks like.
fn complete(path: &mut Map<String, Value>) {
    for operation in path.values_mut().filter_map(Value::as_object_mut) {
        operation.entry("tags").or_insert_with(|| json!(["control"]));
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            responses.insert(
                "422".into(),
                json!({"description": "refused", "content": {"application/json":
                    {"schema": {"$ref": "#/components/schemas/Reason"}}}}),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::control::table;

    #[test]
    fn every_route_is_in_the_document() {
        let document = build();
        let paths = document["paths"].as_object().unwrap();
        for (method, path, _) in table() {
            let method = method.as_str().to_lowercase();
            let is_there = match path {
                ACTS => paths.contains_key("/control/{corpid}/scan"),
                _ => paths.get(path).is_some_and(|path| path.get(&method).is_some()),
            };
            assert!(is_there, "{method} {path} is not described");
        }
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn every_act_is_a_route_with_its_fields() {
        let document = build();
        let acts = document["components"]["schemas"]["Act"]["oneOf"]
            .as_array()
            .unwrap();
        let tagged = document["paths"].as_object().unwrap().values();
        let routes = tagged.filter(|path| path["post"]["tags"][0] == "acts").count();
        assert_eq!(routes, acts.len());
        let scan = &document["paths"]["/control/{corpid}/scan"]["post"];
        let schema = &scan["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["required"], json!(["customer", "member"]));
        assert!(schema["properties"].get("act").is_none());
        assert_eq!(
            document["paths"]["/control/{corpid}/hire"]["post"]["requestBody"]["content"]["application/json"]
                ["schema"],
            json!({"$ref": "#/components/schemas/Member"})
        );
    }
}
