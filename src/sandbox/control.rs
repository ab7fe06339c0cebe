//! The control API: plays people, moves time, breaks things, reads what happened. JSON in, JSON out.
//!
//! | Call | Does |
//! | --- | --- |
//! | `POST /control/corps` | adds a corp ([`super::CorpSeed`]) |
//! | `POST /control/{corpid}/callback` `{url, token, aes_key, verify}` | sets the callback address; `verify` asks for the echo first |
//! | `POST /control/{corpid}/{act}` | an act of a person: `scan`, `scan_way`, `open_link`, `accept`, `customer_deletes`, `create_group`, `join_group`, `refuse_transfer`, … ([`super::Act`], its fields as the body) |
//! | `GET /control/{corpid}` | counts |
//! | `GET /control/{corpid}/waiting` | broadcasts and moments that wait for a member |
//! | `GET /control/{corpid}/members/{userid}/customers` | a member's pairs |
//! | `GET /control/{corpid}/notices/{userid}` | what the app sent to a member |
//! | `POST /control/clock` `{advance_ms}` | moves a fixed clock; what was due by then happens |
//! | `GET, PUT /control/knobs` | [`super::Knobs`]: how slow, patchy, strict the platform is |
//! | `GET, POST, DELETE /control/faults` | [`super::Plan`]: `{"api":"externalcontact/get","fault":{"errcode":-1},"times":3}`; other faults: `{"status":500}`, `"html"`, `{"delay_ms":900}`, `"drop_before"`, `"effect_then_drop"`, `{"effect_then_status":500}`, `"truncated"` |
//! | `GET, DELETE /control/ledger?api=` | calls that reached the platform |
//! | `GET /control/callbacks` | what became of each callback |

use std::collections::HashMap;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Act, CorpSeed, Delivery, Knobs, LedgerEntry, Plan, Sandbox};

pub fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/control/corps", post(add_corp))
        .route("/control/clock", post(move_clock))
        .route("/control/knobs", get(knobs).put(set_knobs))
        .route("/control/faults", get(faults).post(plan).delete(forget_faults))
        .route("/control/ledger", get(ledger).delete(forget_ledger))
        .route("/control/callbacks", get(callbacks))
        .route("/control/{corpid}", get(counts))
        .route("/control/{corpid}/callback", post(set_callback))
        .route("/control/{corpid}/waiting", get(waiting))
        .route("/control/{corpid}/members/{userid}/customers", get(customers))
        .route("/control/{corpid}/notices/{userid}", get(notices))
        .route("/control/{corpid}/{act}", post(act))
}

/// A refusal: 422 with the reason.
struct Refused(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({"error": format!("{:#}", self.0)})),
        )
            .into_response()
    }
}

type Said = Result<Json<Value>, Refused>;
type Body<T> = Result<Json<T>, JsonRejection>;

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackAt {
    url: String,
    token: String,
    aes_key: String,
    #[serde(default)]
    verify: bool,
}

async fn set_callback(
    State(sandbox): State<Sandbox>,
    Path(corpid): Path<String>,
    body: Body<CallbackAt>,
) -> Said {
    let Json(at) = body?;
    let before = sandbox.with_corp(&corpid, |corp, _| Ok(corp.app.callback.clone()))?;
    sandbox.set_callback(&corpid, &at.url, &at.token, &at.aes_key);
    if at.verify
        && let Err(error) = sandbox.verify_callback(&corpid).await
    {
        sandbox.with_corp(&corpid, |corp, _| {
            corp.app.callback = before;
            Ok(())
        })?;
        return Err(error.into());
    }
    Ok(Json(json!({})))
}

async fn counts(State(sandbox): State<Sandbox>, Path(corpid): Path<String>) -> Said {
    let counts = sandbox.with_corp(&corpid, |corp, now| {
        Ok(json!({"now": now, "name": corp.app.name, "departments": corp.departments.len(),
            "members": corp.members.len(), "customers": corp.customers.len(), "tag_groups": corp.tag_groups.len(),
            "broadcasts": corp.broadcasts.len(), "moments": corp.moments.len(), "groups": corp.groups.len(),
            "contact_ways": corp.contact_ways.len(), "links": corp.links.len(),
            "transfers": corp.transfers.len()}))
    })?;
    Ok(Json(counts))
}

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

async fn customers(State(sandbox): State<Sandbox>, Path((corpid, userid)): Path<(String, String)>) -> Said {
    let list = sandbox.with_corp(&corpid, |corp, _| {
        let list: Vec<_> = corp.customers_of(&userid.to_lowercase(), None).cloned().collect();
        Ok(json!({"customers": list}))
    })?;
    Ok(Json(list))
}

async fn notices(State(sandbox): State<Sandbox>, Path((corpid, userid)): Path<(String, String)>) -> Said {
    let list = sandbox.with_corp(&corpid, |corp, _| {
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_ms: i64,
}

async fn move_clock(State(sandbox): State<Sandbox>, body: Body<Move>) -> Said {
    sandbox.clock().advance(body?.advance_ms);
    sandbox.tick();
    Ok(Json(json!({"now": sandbox.now()})))
}

async fn knobs(State(sandbox): State<Sandbox>) -> Json<Knobs> {
    Json(sandbox.knobs())
}

async fn set_knobs(State(sandbox): State<Sandbox>, body: Body<Knobs>) -> Result<Json<Knobs>, Refused> {
    sandbox.set_knobs(body?.0);
    Ok(Json(sandbox.knobs()))
}

async fn faults(State(sandbox): State<Sandbox>) -> Json<Vec<Plan>> {
    Json(sandbox.rules().plans.clone())
}

async fn plan(State(sandbox): State<Sandbox>, body: Body<Plan>) -> Said {
    sandbox.plan(body?.0);
    Ok(Json(json!({})))
}

async fn forget_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.forget_plans();
    StatusCode::NO_CONTENT
}

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

async fn forget_ledger(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.forget_ledger();
    StatusCode::NO_CONTENT
}

async fn callbacks(State(sandbox): State<Sandbox>) -> Json<Vec<Delivery>> {
    Json(sandbox.callbacks())
}
