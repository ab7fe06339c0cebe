//! Sign-in: pages that list the members to sign in as, one-use codes, who a code stands for, tickets for pages.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use serde_json::json;

use super::Sandbox;
use super::broadcasts::shown;
use super::gate::{Answer, Api, Call, Refusal};
use super::html::{encode, escape, hidden, page};
use super::world::{Code, Corp};
use crate::time::{MINUTE_MS, Timestamp};

pub const APIS: &[Api] = &[
    Api::get("auth/getuserinfo", identity),
    Api::get("user/getuserinfo", identity_of_old),
    Api::post("auth/getuserdetail", details),
    Api::get("get_jsapi_ticket", corp_ticket),
    Api::get("ticket/get", app_ticket),
];

const CODE_LIFE_MS: i64 = 5 * MINUTE_MS;
const TICKET_LIFE_MS: i64 = 30 * MINUTE_MS;
/// Of tickets that sign pages.
const PAGE_TICKET_LIFE_MS: i64 = 120 * MINUTE_MS;

pub fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/connect/oauth2/authorize", get(choose))
        .route("/wwlogin/sso/login", get(choose))
        .route("/wwopen/sso/qrConnect", get(choose))
        .route("/login/choice", post(chosen))
}

/// What both sign-in pages are asked.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    appid: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    scope: String,
    /// Who was chosen: a userid, or an external_userid.
    #[serde(default)]
    person: String,
}

async fn choose(State(sandbox): State<Sandbox>, Query(asked): Query<Asked>) -> Response {
    let form = sandbox.with_corp(&asked.appid, |corp, _| {
        Ok(permitted(corp, &asked).map(|()| people(corp)))
    });
    match form {
        Err(_) => refused(&Refusal::new(40013)),
        Ok(Err(refusal)) => refused(&refusal),
        Ok(Ok(people)) => {
            let hidden_fields: String = [
                ("appid", &asked.appid),
                ("redirect_uri", &asked.redirect_uri),
                ("state", &asked.state),
                ("scope", &asked.scope),
            ]
            .iter()
            .map(|(name, value)| hidden(name, value))
            .collect();
            let form =
                format!("<form method=\"post\" action=\"/login/choice\">{hidden_fields}{people}</form>");
            page("模拟企业微信登录 · Simulated WeCom sign-in", &form).into_response()
        }
    }
}

/// Whether the sign-in may return where it wants to.
fn permitted(corp: &Corp, asked: &Asked) -> Result<(), Refusal> {
    let back = reqwest::Url::parse(&asked.redirect_uri).map_err(|_| Refusal::new(50001))?;
    let host = match (back.host_str(), back.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        _ => return Err(Refusal::new(50001)),
    };
    if corp.app.trusted_hosts.is_empty() || corp.app.trusted_hosts.contains(&host) {
        return Ok(());
    }
    Err(Refusal::new(50001))
}

/// Members by department, a button each.
fn people(corp: &Corp) -> String {
    let department_of = |member: &super::world::Member| {
        let id = member.department.first();
        id.and_then(|id| corp.departments.get(id))
            .map_or("", |department| department.name.as_str())
    };
    let mut members: Vec<_> = corp
        .members
        .values()
        .filter(|member| member.status == 1)
        .collect();
    members.sort_by_key(|member| (department_of(member), member.userid.as_str()));
    let mut html = String::new();
    let mut last = None;
    for member in members {
        let department = department_of(member);
        if last != Some(department) {
            html.push_str(&format!("<h2>{}</h2>", escape(department)));
            last = Some(department);
        }
        let (userid, name) = (escape(&member.userid), escape(&member.name));
        html.push_str(&format!(
            "<button name=\"person\" value=\"{userid}\">{name} <small>{userid}</small></button> "
        ));
    }
    format!("<section>{html}</section>")
}

async fn chosen(State(sandbox): State<Sandbox>, Form(asked): Form<Asked>) -> Response {
    let issued = sandbox.with_corp(&asked.appid, |corp, now| {
        Ok(permitted(corp, &asked).map(|()| issue(corp, now, &asked)))
    });
    match issued {
        Err(_) => refused(&Refusal::new(40013)),
        Ok(Err(refusal)) => refused(&refusal),
        Ok(Ok(code)) => {
            let mark = if asked.redirect_uri.contains('?') {
                '&'
            } else {
                '?'
            };
            let to = format!(
                "{}{mark}code={code}&state={}",
                asked.redirect_uri,
                encode(&asked.state)
            );
            (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
    }
}

fn issue(corp: &mut Corp, now: Timestamp, asked: &Asked) -> String {
    let code = corp.new_id("code", 48);
    let issued = Code {
        person: asked.person.clone(),
        issued_at: now,
        is_used: false,
        wants_details: asked.scope == "snsapi_privateinfo",
    };
    corp.codes
        .retain(|_, code| now.0 - code.issued_at.0 <= CODE_LIFE_MS);
    corp.codes.insert(code.clone(), issued);
    code
}

fn refused(refusal: &Refusal) -> Response {
    let body = format!(
        "<section><p>errcode {}</p><p>{}</p></section>",
        refusal.code,
        escape(&refusal.words)
    );
    (StatusCode::BAD_REQUEST, page("无法登录 · Cannot sign in", &body)).into_response()
}

fn take_code(call: &mut Call<'_>) -> Result<Code, Refusal> {
    let code = call
        .parameter("code")
        .ok_or_else(|| Refusal::said(41008, "code missing"))?;
    let now = call.now;
    let issued = call.corp.codes.get_mut(code).ok_or_else(|| Refusal::new(40029))?;
    if issued.is_used || now.0 - issued.issued_at.0 > CODE_LIFE_MS {
        return Err(Refusal::new(40029));
    }
    issued.is_used = true;
    Ok(issued.clone())
}

/// A member's key, when a code stands for one.
fn member_of(call: &Call<'_>, code: &Code) -> Option<String> {
    let key = code.person.to_lowercase();
    call.corp
        .members
        .get(&key)
        .filter(|member| member.status == 1)
        .map(|_| key)
}

fn identity(call: &mut Call<'_>) -> Answer {
    let code = take_code(call)?;
    let Some(key) = member_of(call, &code) else {
        return Ok(stranger(call, &code.person, ["openid", "external_userid"]));
    };
    let mut answer = json!({"userid": shown(call.corp, &key)});
    if code.wants_details {
        let ticket = call.corp.new_id("ticket", 48);
        answer["user_ticket"] = json!(ticket);
        let now = call.now;
        call.corp.tickets.insert(ticket, (key, now));
    }
    Ok(answer)
}

fn identity_of_old(call: &mut Call<'_>) -> Answer {
    let code = take_code(call)?;
    match member_of(call, &code) {
        Some(key) => Ok(json!({"UserId": shown(call.corp, &key), "DeviceId": ""})),
        None => Ok(stranger(call, &code.person, ["OpenId", "external_userid"])),
    }
}

fn stranger(call: &Call<'_>, person: &str, [openid, external]: [&str; 2]) -> serde_json::Value {
    let mut answer = json!({openid: format!("o{}", hex::encode(person))});
    if call.corp.customers.contains_key(person) {
        answer[external] = json!(person);
    }
    answer
}

fn details(call: &mut Call<'_>) -> Answer {
    let ticket = call.text("user_ticket").map_err(|_| Refusal::new(84015))?;
    let (key, issued_at) = call.corp.tickets.get(ticket).ok_or_else(|| Refusal::new(84015))?;
    if call.now.0 - issued_at.0 > TICKET_LIFE_MS {
        return Err(Refusal::new(84014));
    }
    Ok(json!({"userid": shown(call.corp, key), "gender": "0", "avatar": "", "mobile": "", "email": ""}))
}

fn corp_ticket(call: &mut Call<'_>) -> Answer {
    Ok(ticket(call, "jsapi"))
}

fn app_ticket(call: &mut Call<'_>) -> Answer {
    match call.parameter("type") {
        Some("agent_config") => Ok(ticket(call, "agent_config")),
        _ => Err(Refusal::field("type", "is not `agent_config`")),
    }
}

/// The same while it lives. The two kinds do not stand for each other.
fn ticket(call: &Call<'_>, kind: &str) -> serde_json::Value {
    let (span, passed) = (
        call.now.0.div_euclid(PAGE_TICKET_LIFE_MS),
        call.now.0.rem_euclid(PAGE_TICKET_LIFE_MS),
    );
    let ticket = format!("sim-{kind}-{}-{span}", hex::encode(&call.corp.app.corpid));
    json!({"ticket": ticket, "expires_in": (PAGE_TICKET_LIFE_MS - passed) / 1_000})
}

/// Codes for tests: signs somebody in without the page.
impl Sandbox {
    /// A code as the sign-in page issues it for this person.
    ///
    /// # Errors
    /// When the corp is not there.
    pub fn login_code(&self, corpid: &str, person: &str) -> anyhow::Result<String> {
        let asked = Asked {
            appid: corpid.to_owned(),
            redirect_uri: String::new(),
            state: String::new(),
            scope: String::new(),
            person: person.to_owned(),
        };
        self.with_corp(corpid, |corp, now| Ok(issue(corp, now, &asked)))
    }
}
