//! The control API: plays people, moves time, breaks things, reads what happened. JSON in, JSON out.
//!
//! `GET /control/openapi.json` describes every route; acts of people are `POST /control/{corpid}/{act}`, an [`Act`] each,
//! its fields as the body. A refusal is 422 with the reason.

mod openapi;

use std::collections::HashMap;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::callbacks::new_secrets;
use super::world::Relation;
use super::{Act, App, AppChange, Callback, CorpSeed, Crowd, Delivery, Knobs, LedgerEntry, Plan, Sandbox};

/// Every route, once. The document is tested against this list.
fn table() -> Vec<(Method, &'static str, MethodRouter<Sandbox>)> {
    vec![
        (Method::GET, "/control/openapi.json", get(openapi::document)),
        (Method::POST, "/control/corps", post(add_corp)),
        (Method::POST, "/control/clock", post(move_clock)),
        (Method::GET, "/control/knobs", get(knobs)),
        (Method::PUT, "/control/knobs", put(set_knobs)),
        (Method::GET, "/control/faults", get(faults)),
        (Method::POST, "/control/faults", post(plan)),
        (Method::DELETE, "/control/faults", delete(forget_faults)),
        (Method::GET, "/control/ledger", get(ledger)),
        (Method::DELETE, "/control/ledger", delete(forget_ledger)),
        (Method::GET, "/control/callbacks", get(callbacks)),
        (Method::GET, "/control/{corpid}", get(counts)),
        (Method::GET, "/control/{corpid}/apps", get(apps)),
        (Method::PUT, "/control/{corpid}/apps/{agent_id}", put(set_app)),
        (Method::POST, "/control/{corpid}/crowd", post(grow)),
        (Method::POST, "/control/{corpid}/secrets", post(secrets)),
        (Method::POST, "/control/{corpid}/callback", post(set_callback)),
        (Method::GET, "/control/{corpid}/waiting", get(waiting)),
        (
            Method::GET,
            "/control/{corpid}/members/{userid}/customers",
            get(customers),
        ),
        (Method::GET, "/control/{corpid}/notices/{userid}", get(notices)),
        (Method::POST, ACTS, post(act)),
    ]
}

/// Stands for a route an act: the document names each.
const ACTS: &str = "/control/{corpid}/{act}";

pub fn routes() -> Router<Sandbox> {
    table()
        .into_iter()
        .fold(Router::new(), |router, (_, path, handler)| {
            router.route(path, handler)
        })
}

/// A refusal: 422 with the reason.
struct Refused(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// What a refusal says.
#[derive(Serialize, ToSchema)]
struct Reason {
    error: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let error = format!("{:#}", self.0);
        (StatusCode::UNPROCESSABLE_ENTITY, Json(Reason { error })).into_response()
    }
}

type Said<T = Value> = Result<Json<T>, Refused>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// Adds a corp with its first app and everybody in it.
#[utoipa::path(post, path = "/control/corps", request_body = CorpSeed, responses((status = 200)))]
async fn add_corp(State(sandbox): State<Sandbox>, seed: Body<CorpSeed>) -> Said {
    sandbox.add_corp(seed?.0);
    Ok(Json(json!({})))
}

async fn act(
    State(sandbox): State<Sandbox>,
    Path((corpid, act)): Path<(String, String)>,
    body: Option<Json<Value>>,
) -> Said {
    let mut fields = body.map_or_else(|| json!({}), |body| body.0);
    if !fields.is_object() {
        return Err(anyhow::anyhow!("the body is not a JSON object").into());
    }
    fields["act"] = json!(act);
    let act: Act = serde_json::from_value(fields)?;
    Ok(Json(sandbox.act(&corpid, act)?))
}

/// Every app of a corp, the first one first.
#[utoipa::path(get, path = "/control/{corpid}/apps", params(("corpid" = String, Path)),
    responses((status = 200, body = Vec<App>)))]
async fn apps(State(sandbox): State<Sandbox>, Path(corpid): Path<String>) -> Said<Vec<App>> {
    Ok(Json(sandbox.apps(&corpid)?))
}

/// Sets what is given about an app; an agent id nobody has yet makes a new app, which needs a secret.
#[utoipa::path(put, path = "/control/{corpid}/apps/{agent_id}", params(("corpid" = String, Path), ("agent_id" = i64, Path)),
    request_body = AppChange, responses((status = 200)))]
async fn set_app(
    State(sandbox): State<Sandbox>,
    Path((corpid, agent_id)): Path<(String, i64)>,
    body: Body<AppChange>,
) -> Said {
    sandbox.set_app(&corpid, agent_id, body?.0)?;
    Ok(Json(json!({})))
}

/// Grows a crowd of associates and customers in a corp that has nobody yet.
#[utoipa::path(post, path = "/control/{corpid}/crowd", params(("corpid" = String, Path)), request_body = Crowd,
    responses((status = 200)))]
async fn grow(State(sandbox): State<Sandbox>, Path(corpid): Path<String>, body: Body<Crowd>) -> Said {
    let Json(crowd) = body?;
    tokio::task::spawn_blocking(move || sandbox.grow_crowd(&corpid, crowd)).await??;
    Ok(Json(json!({})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecretsAsked {
    /// The last letter of the key carries bits that mean nothing, as the console's keys often do.
    #[serde(default)]
    has_spare_bits: bool,
}

#[derive(Serialize, ToSchema)]
struct Secrets {
    token: String,
    aes_key: String,
}

/// Makes a token and a key for a callback, as the console's button does; nothing is set.
#[utoipa::path(post, path = "/control/{corpid}/secrets", params(("corpid" = String, Path)), request_body = SecretsAsked,
    responses((status = 200, body = Secrets)))]
async fn secrets(
    State(sandbox): State<Sandbox>,
    Path(corpid): Path<String>,
    body: Body<SecretsAsked>,
) -> Said<Secrets> {
    let Json(asked) = body?;
    let (token, aes_key) = sandbox.with_corp(&corpid, |corp, _| {
        Ok(new_secrets(&mut corp.rng, asked.has_spare_bits))
    })?;
    Ok(Json(Secrets { token, aes_key }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallbackAt {
    url: String,
    token: String,
    aes_key: String,
    /// Asks the address for its echo, and saves it only if that is right.
    #[serde(default)]
    verify: bool,
    /// The first app's when absent.
    #[serde(default)]
    agent_id: Option<i64>,
}

/// Sets where an app hears of what people do.
#[utoipa::path(post, path = "/control/{corpid}/callback", params(("corpid" = String, Path)), request_body = CallbackAt,
    responses((status = 200)))]
async fn set_callback(
    State(sandbox): State<Sandbox>,
    Path(corpid): Path<String>,
    body: Body<CallbackAt>,
) -> Said {
    let Json(at) = body?;
    let callback = Callback {
        url: at.url,
        token: at.token,
        aes_key: at.aes_key,
    };
    if at.verify {
        sandbox.verify_address(&corpid, &callback).await?;
    }
    let first = sandbox.look_at(&corpid, |corp, _| Ok(corp.app.agent_id))?;
    let change = AppChange {
        callback: Some(callback),
        ..AppChange::default()
    };
    sandbox.set_app(&corpid, at.agent_id.unwrap_or(first), change)?;
    Ok(Json(json!({})))
}

/// How many of each kind a corp has.
#[utoipa::path(get, path = "/control/{corpid}", params(("corpid" = String, Path)), responses((status = 200)))]
async fn counts(State(sandbox): State<Sandbox>, Path(corpid): Path<String>) -> Said {
    let counts = sandbox.look_at(&corpid, |corp, now| {
        Ok(
            json!({"now": now, "name": corp.app.name, "departments": corp.departments.len(),
            "members": corp.members.len(), "customers": corp.customers.len(), "pairs": corp.relations.len(),
            "tag_groups": corp.tag_groups.len(), "broadcasts": corp.broadcasts.len(), "moments": corp.moments.len(),
            "groups": corp.groups.len(), "contact_ways": corp.contact_ways.len(), "links": corp.links.len(),
            "transfers": corp.transfers.len()}),
        )
    })?;
    Ok(Json(counts))
}

/// Broadcasts and moments that wait for a member.
#[utoipa::path(get, path = "/control/{corpid}/waiting", params(("corpid" = String, Path)), responses((status = 200)))]
async fn waiting(State(sandbox): State<Sandbox>, Path(corpid): Path<String>) -> Said {
    let pairs = |pairs: Vec<(String, String)>, id: &str| -> Vec<Value> {
        pairs
            .into_iter()
            .map(|(task, member)| json!({id: task, "member": member}))
            .collect()
    };
    Ok(Json(json!({
        "broadcasts": pairs(sandbox.waiting_broadcasts(&corpid), "msgid"),
        "moments": pairs(sandbox.waiting_moments(&corpid), "moment_id"),
    })))
}

/// A member's pairs, in the order of ids.
#[derive(Serialize, ToSchema)]
struct Customers {
    customers: Vec<Relation>,
}

/// A member's pairs.
#[utoipa::path(get, path = "/control/{corpid}/members/{userid}/customers",
    params(("corpid" = String, Path), ("userid" = String, Path)), responses((status = 200, body = Customers)))]
async fn customers(
    State(sandbox): State<Sandbox>,
    Path((corpid, userid)): Path<(String, String)>,
) -> Said<Customers> {
    let list = sandbox.look_at(&corpid, |corp, _| {
        let customers = corp.customers_of(&userid.to_lowercase(), None).cloned().collect();
        Ok(Customers { customers })
    })?;
    Ok(Json(list))
}

/// What the apps sent to a member, oldest first.
#[utoipa::path(get, path = "/control/{corpid}/notices/{userid}",
    params(("corpid" = String, Path), ("userid" = String, Path)), responses((status = 200)))]
async fn notices(State(sandbox): State<Sandbox>, Path((corpid, userid)): Path<(String, String)>) -> Said {
    let list = sandbox.look_at(&corpid, |corp, _| {
        let list: Vec<_> = corp
            .notices
            .get(&userid.to_lowercase())
            .into_iter()
            .flatten()
            .collect();
        Ok(json!({"notices": list}))
    })?;
    Ok(Json(list))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_ms: i64,
}

/// Moves a fixed clock, and what was due by then happens; the system's stays as it is.
#[utoipa::path(post, path = "/control/clock", request_body = Move, responses((status = 200)))]
async fn move_clock(State(sandbox): State<Sandbox>, body: Body<Move>) -> Said {
    sandbox.clock().advance(body?.advance_ms);
    sandbox.tick();
    Ok(Json(json!({"now": sandbox.now()})))
}

/// How slow, patchy and strict the platform is.
#[utoipa::path(get, path = "/control/knobs", responses((status = 200, body = Knobs)))]
async fn knobs(State(sandbox): State<Sandbox>) -> Json<Knobs> {
    Json(sandbox.knobs())
}

/// Sets every knob: those left out go back to what they are at first.
#[utoipa::path(put, path = "/control/knobs", request_body = Knobs, responses((status = 200, body = Knobs)))]
async fn set_knobs(State(sandbox): State<Sandbox>, body: Body<Knobs>) -> Said<Knobs> {
    sandbox.set_knobs(body?.0);
    Ok(Json(sandbox.knobs()))
}

/// Faults that are planned and not used up.
#[utoipa::path(get, path = "/control/faults", responses((status = 200, body = Vec<Plan>)))]
async fn faults(State(sandbox): State<Sandbox>) -> Json<Vec<Plan>> {
    Json(sandbox.rules().plans.clone())
}

/// Makes the next calls of an API go wrong: `{"api":"externalcontact/get","fault":{"errcode":-1},"times":3}`.
#[utoipa::path(post, path = "/control/faults", request_body = Plan, responses((status = 200)))]
async fn plan(State(sandbox): State<Sandbox>, body: Body<Plan>) -> Said {
    sandbox.plan(body?.0);
    Ok(Json(json!({})))
}

/// Forgets what was planned.
#[utoipa::path(delete, path = "/control/faults", responses((status = 204)))]
async fn forget_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.forget_plans();
    StatusCode::NO_CONTENT
}

/// Calls that reached the platform, oldest first: the last 50,000.
#[utoipa::path(get, path = "/control/ledger", params(("api" = Option<String>, Query, description = "only this API's")),
    responses((status = 200, body = Vec<LedgerEntry>)))]
async fn ledger(
    State(sandbox): State<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Vec<LedgerEntry>> {
    let mut entries = sandbox.ledger();
    if let Some(api) = query.get("api") {
        entries.retain(|entry| entry.api == *api);
    }
    Json(entries)
}

/// Empties the ledger.
#[utoipa::path(delete, path = "/control/ledger", responses((status = 204)))]
async fn forget_ledger(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.forget_ledger();
    StatusCode::NO_CONTENT
}

/// What became of each callback: the last 20,000.
#[utoipa::path(get, path = "/control/callbacks", responses((status = 200, body = Vec<Delivery>)))]
async fn callbacks(State(sandbox): State<Sandbox>) -> Json<Vec<Delivery>> {
    Json(sandbox.callbacks())
}
