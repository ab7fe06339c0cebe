//! Phones: what a customer or a member sees, and what they can press. Plain forms; every press is an act.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;
use serde_json::{Value, json};

use super::html::{button, encode, escape, hidden, page};
use super::shop::code_of;
use super::world::{Corp, Standing};
use super::{Act, Sandbox, broadcasts, message, moments};
use crate::time::Timestamp;

/// People a page lists at most.
const LISTED: usize = 50;

pub fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/phone/{corpid}", get(people))
        .route("/phone/{corpid}/{person}", get(phone))
        .route("/phone/{corpid}/{person}/acts", post(press))
        .route("/phone/{corpid}/{person}/open", get(open))
}

/// Whose phones there are: every member, and the first customers.
async fn people(State(sandbox): State<Sandbox>, Path(corpid): Path<String>) -> Response {
    show(&sandbox, &corpid, |corp, _| {
        let link = |id: &str, name: &str| {
            let (corp, person) = (encode(&corp.app.corpid), encode(id));
            format!("<p><a href=\"/phone/{corp}/{person}\">{}</a></p>", escape(name))
        };
        let members: String = corp
            .members
            .values()
            .map(|member| link(&member.userid, &member.name))
            .collect();
        let mut customers: Vec<_> = corp.customers.values().collect();
        customers.sort_by_key(|customer| &customer.external_userid);
        let customers: String = customers
            .iter()
            .take(LISTED)
            .map(|customer| link(&customer.external_userid, &customer.name))
            .collect();
        let body = format!(
            "<section><h2>导购 · Members</h2>{members}</section><section><h2>客户 · Customers</h2>{customers}</section>"
        );
        Some((corp.app.name.clone(), body))
    })
}

async fn phone(State(sandbox): State<Sandbox>, Path((corpid, person)): Path<(String, String)>) -> Response {
    show(&sandbox, &corpid, |corp, _| {
        if let Some(member) = corp.members.get(&person.to_lowercase()) {
            let name = format!("{}(导购 · associate)", member.name);
            return Some((name, member_page(corp, &person.to_lowercase())));
        }
        let customer = corp.customers.get(&person)?;
        let name = format!("{}(客户 · customer)", customer.name);
        Some((name, customer_page(corp, &person)))
    })
}

fn show(
    sandbox: &Sandbox,
    corpid: &str,
    draw: impl FnOnce(&Corp, Timestamp) -> Option<(String, String)>,
) -> Response {
    match sandbox.with_corp(corpid, |corp, now| Ok(draw(corp, now))) {
        Ok(Some((title, body))) => page(&title, &body).into_response(),
        _ => (StatusCode::NOT_FOUND, page("没有这个人 · Nobody here", "")).into_response(),
    }
}

/// A button that is an act of this phone's owner.
fn act_button(corp: &Corp, person: &str, act: &str, fields: &[(&str, &str)], label: &str) -> String {
    let fields: Vec<(&str, &str)> = [("act", act)].into_iter().chain(fields.iter().copied()).collect();
    button(&acts_address(corp, person), &fields, label)
}

fn acts_address(corp: &Corp, person: &str) -> String {
    format!("/phone/{}/{}/acts", encode(&corp.app.corpid), encode(person))
}

fn member_page(corp: &Corp, member: &str) -> String {
    let mut html = String::from("<section><h2>待发送的群发 · Broadcasts to send</h2>");
    for (msgid, _) in broadcasts::waiting(corp)
        .iter()
        .filter(|(_, userid)| userid == member)
    {
        let Some(broadcast) = corp.broadcasts.get(msgid) else {
            continue;
        };
        html.push_str(&message_html(corp, member, &broadcast.message));
        let fields = [("msgid", msgid.as_str()), ("member", member)];
        html.push_str(&act_button(
            corp,
            member,
            "member_confirms_broadcast",
            &fields,
            "发送 · Send",
        ));
    }
    html.push_str("</section><section><h2>待发表的朋友圈 · Moments to publish</h2>");
    for (moment_id, _) in moments::waiting(corp)
        .iter()
        .filter(|(_, userid)| userid == member)
    {
        let Some(moment) = corp.moments.get(moment_id) else {
            continue;
        };
        html.push_str(&message_html(corp, member, &moment.message));
        let fields = [("moment_id", moment_id.as_str()), ("member", member)];
        html.push_str(&act_button(
            corp,
            member,
            "member_publishes_moment",
            &fields,
            "发表 · Publish",
        ));
    }
    html.push_str("</section><section><h2>应用消息 · Notices</h2>");
    for notice in corp.notices.get(member).into_iter().flatten().rev().take(10) {
        let kind = notice.body["msgtype"].as_str().unwrap_or_default();
        html.push_str(&format!("<p>{}</p>", escape(&notice.body[kind].to_string())));
    }
    html.push_str("</section>");
    html + &customers_html(corp, member)
}

fn customers_html(corp: &Corp, member: &str) -> String {
    let mut html = String::from("<section><h2>客户 · Customers</h2>");
    for relation in corp.customers_of(member, None).take(LISTED) {
        let customer = relation.external_userid.as_str();
        let name = corp
            .customers
            .get(customer)
            .map_or("", |customer| customer.name.as_str());
        html.push_str(&format!(
            "<p><a href=\"/phone/{}/{}\">{}</a> <small>{}</small> {}</p>",
            encode(&corp.app.corpid),
            encode(customer),
            escape(name),
            escape(&relation.remark),
            act_button(
                corp,
                member,
                "member_deletes",
                &[("member", member), ("customer", customer)],
                "删除 · Delete"
            )
        ));
    }
    html + "</section>"
}

fn customer_page(corp: &Corp, customer: &str) -> String {
    let mut html = scan_form(corp, customer);
    for relation in corp.followers_of(customer) {
        let member = relation.userid.as_str();
        let name = corp
            .members
            .get(member)
            .map_or(member, |member| member.name.as_str());
        html.push_str(&format!("<section><h2>{}</h2>", escape(name)));
        if let Some(welcome) = &relation.welcome {
            html.push_str(&message_html(corp, customer, welcome));
        }
        for message in broadcasts_to(corp, member, customer) {
            html.push_str(&message_html(corp, customer, message));
        }
        html.push_str(&moments_html(corp, member, customer));
        if relation.standing == Standing::Friend {
            let fields = [("customer", customer), ("member", member)];
            html.push_str(&act_button(
                corp,
                customer,
                "customer_deletes",
                &fields,
                "删除导购 · Delete",
            ));
        }
        html.push_str("</section>");
    }
    html
}

fn scan_form(corp: &Corp, customer: &str) -> String {
    let members: String = corp
        .members
        .values()
        .filter(|member| member.status == 1)
        .map(|member| {
            format!(
                "<option value=\"{}\">{}</option>",
                escape(&member.userid),
                escape(&member.name)
            )
        })
        .collect();
    format!(
        "<section><form method=\"post\" action=\"{}\">{}{}<label>扫导购的码 · Scan <select name=\"member\">{members}</select></label> \
         <label>渠道 · Channel <input name=\"state\" maxlength=\"30\"></label> <button>添加 · Add</button></form></section>",
        acts_address(corp, customer),
        hidden("act", "scan"),
        hidden("customer", customer),
    )
}

fn broadcasts_to<'a>(corp: &'a Corp, member: &str, customer: &str) -> impl Iterator<Item = &'a Value> {
    let arrived = move |task: &&super::world::BroadcastTask| {
        task.recipients
            .iter()
            .any(|recipient| recipient.status == 1 && recipient.external_userid == customer)
    };
    let tasks = corp
        .broadcast_tasks
        .values()
        .filter(|task| task.userid == member)
        .filter(arrived);
    let ids: Vec<&str> = tasks.map(|task| task.msgid.as_str()).collect();
    ids.into_iter()
        .filter_map(|id| corp.broadcasts.get(id))
        .map(|broadcast| &broadcast.message)
}

fn moments_html(corp: &Corp, member: &str, customer: &str) -> String {
    let mut html = String::new();
    for task in corp.moment_tasks.values().filter(|task| task.userid == member) {
        let is_seen = task.published_at.is_some() && task.customers.iter().any(|id| id == customer);
        let Some(moment) = corp.moments.get(&task.moment_id).filter(|_| is_seen) else {
            continue;
        };
        html.push_str("<h2>朋友圈 · Moment</h2>");
        html.push_str(&message_html(corp, customer, &moment.message));
        let fields = [
            ("moment_id", task.moment_id.as_str()),
            ("member", member),
            ("customer", customer),
        ];
        html.push_str(&act_button(
            corp,
            customer,
            "customer_likes",
            &fields,
            "赞 · Like",
        ));
        html.push_str(&act_button(
            corp,
            customer,
            "customer_comments",
            &fields,
            "评论 · Comment",
        ));
    }
    html
}

fn message_html(corp: &Corp, person: &str, message: &Value) -> String {
    let text = message["text"]["content"].as_str().unwrap_or_default();
    let mut html = format!("<p>{}</p>", escape(text));
    for address in message::addresses(message)
        .iter()
        .filter(|address| address.starts_with("http"))
    {
        let corpid = encode(&corp.app.corpid);
        let (person, to) = (encode(person), encode(address));
        html.push_str(&format!(
            "<p><a href=\"/phone/{corpid}/{person}/open?to={to}\">{}</a></p>",
            escape(address)
        ));
    }
    html
}

/// A press: the form's fields are the act.
async fn press(
    State(sandbox): State<Sandbox>,
    Path((corpid, person)): Path<(String, String)>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let done = serde_json::from_value::<Act>(json!(fields))
        .map_err(anyhow::Error::from)
        .and_then(|act| sandbox.act(&corpid, act));
    match done {
        Ok(_) => Redirect::to(&format!("/phone/{}/{}", encode(&corpid), encode(&person))).into_response(),
        Err(error) => {
            let body = format!("<section>{}</section>", escape(&format!("{error:#}")));
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                page("做不到 · Not possible", &body),
            )
                .into_response()
        }
    }
}

/// Opens an address from a message: the store will know by the cookies whose phone it is and which link led there.
async fn open(
    Path((_, person)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    jar: CookieJar,
) -> Response {
    let to = query.get("to").cloned().unwrap_or_default();
    if !to.starts_with("http://") && !to.starts_with("https://") {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let cookie = |name: &'static str, value: String| Cookie::build((name, value)).path("/shop").build();
    let jar = jar
        .add(cookie("shopper", person))
        .add(cookie("link", code_of(&to).unwrap_or_default()));
    (StatusCode::FOUND, jar, [(header::LOCATION, to)]).into_response()
}
