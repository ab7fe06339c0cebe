//! Phones: what a customer or a member sees, and what they can press. Plain forms; every press is an act.
//!
//! A customer scans, asks, chats, opens links, shops, likes, comments, deletes; a member accepts, sends, publishes, chats,
//! remarks, deletes.

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
use super::world::{Corp, Member, Relation, Standing};
use super::{Act, Sandbox, broadcasts, message, moments, phone_groups};
use crate::time::Timestamp;

/// People a page lists at most.
const LISTED: usize = 50;
/// Members offered for a scan; others can be typed in.
const MEMBERS_LISTED: usize = 1_000;

pub fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/phone/{corpid}", get(people))
        .route("/phone/{corpid}/{person}", get(phone))
        .route("/phone/{corpid}/{person}/acts", post(press))
        .route("/phone/{corpid}/{person}/open", get(open))
        .route("/phone/{corpid}/{person}/shop", get(go_shopping))
}

/// Whose phones there are: the first, or those whose id or name holds `q`.
async fn people(
    State(sandbox): State<Sandbox>,
    Path(corpid): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let wanted = query.get("q").map(|q| q.trim().to_owned()).unwrap_or_default();
    show(&sandbox, &corpid, |corp, _| {
        let fits = |id: &str, name: &str| wanted.is_empty() || id.contains(&wanted) || name.contains(&wanted);
        let members: String = corp
            .members
            .values()
            .filter(|member| fits(&member.userid, &member.name))
            .take(LISTED)
            .map(|member| person_link(corp, &member.userid, &member.name))
            .collect();
        let customers: String = corp
            .customers
            .values()
            .filter(|customer| fits(&customer.external_userid, &customer.name))
            .take(LISTED)
            .map(|customer| person_link(corp, &customer.external_userid, &customer.name))
            .collect();
        let body = format!(
            "<section><form><label>姓名或 ID · Name or id <input name=\"q\" value=\"{}\"></label> <button>查找 · Find</button></form></section>\
             <section><h2>导购 · Members</h2>{members}</section><section><h2>客户 · Customers</h2>{customers}</section>",
            escape(&wanted)
        );
        Some((corp.app.name.clone(), body))
    })
}

fn person_link(corp: &Corp, id: &str, name: &str) -> String {
    format!(
        "<p><a href=\"{}\">{}</a> <small>{}</small></p>",
        phone_address(corp, id),
        escape(name),
        escape(id)
    )
}

pub(super) fn phone_address(corp: &Corp, person: &str) -> String {
    format!("/phone/{}/{}", encode(&corp.app.corpid), encode(person))
}

async fn phone(State(sandbox): State<Sandbox>, Path((corpid, person)): Path<(String, String)>) -> Response {
    show(&sandbox, &corpid, |corp, _| {
        if let Some(member) = corp.members.get(&person.to_lowercase()) {
            let name = format!("{}(导购 · associate)", member.name);
            return Some((name, member_page(corp, member, &person.to_lowercase())));
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
    match sandbox.look_at(corpid, |corp, now| Ok(draw(corp, now))) {
        Ok(Some((title, body))) => page(&title, &body).into_response(),
        _ => (StatusCode::NOT_FOUND, page("没有这个人 · Nobody here", "")).into_response(),
    }
}

/// A button that is an act of this phone's owner.
pub(super) fn act_button(
    corp: &Corp,
    person: &str,
    act: &str,
    fields: &[(&str, &str)],
    label: &str,
) -> String {
    let fields: Vec<(&str, &str)> = [("act", act)].into_iter().chain(fields.iter().copied()).collect();
    button(&acts_address(corp, person), &fields, label)
}

pub(super) fn acts_address(corp: &Corp, person: &str) -> String {
    format!("{}/acts", phone_address(corp, person))
}

fn member_page(corp: &Corp, person: &Member, member: &str) -> String {
    let mut html = String::new();
    if person.status != 1 {
        html.push_str("<section>不在职或未激活 · Not an active member</section>");
    }
    html.push_str(&requests_html(corp, member));
    html.push_str("<section><h2>待发送的群发 · Broadcasts to send</h2>");
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
        html.push_str(&notice_html(corp, member, &notice.body));
    }
    html.push_str("</section>");
    html.push_str(&phone_groups::own_groups(corp, member));
    html + &customers_html(corp, member)
}

/// Customers who asked, or who added the member without being taken up.
fn requests_html(corp: &Corp, member: &str) -> String {
    let mut html = String::from("<section><h2>新的客户 · Requests</h2>");
    let asking = corp
        .relations
        .of_member(member, None)
        .filter(|relation| !relation.standing.is_readable());
    for relation in asking.take(LISTED) {
        let fields = pair_fields(relation);
        html.push_str(&format!(
            "<p>{} {}</p>",
            customer_link(corp, &relation.external_userid),
            act_button(corp, member, "accept", &fields, "通过 · Accept")
        ));
    }
    html + "</section>"
}

fn pair_fields(relation: &Relation) -> [(&str, &str); 2] {
    [
        ("member", relation.userid.as_str()),
        ("customer", relation.external_userid.as_str()),
    ]
}

fn customer_link(corp: &Corp, id: &str) -> String {
    let name = corp
        .customers
        .get(id)
        .map_or(id, |customer| customer.name.as_str());
    format!(
        "<a href=\"{}\">{}</a>",
        phone_address(corp, id),
        escape(if name.is_empty() { id } else { name })
    )
}

/// Texts and cards in full with their address to open; other kinds as they were sent.
fn notice_html(corp: &Corp, member: &str, body: &Value) -> String {
    let kind = body["msgtype"].as_str().unwrap_or_default();
    let part = &body[kind];
    let texts: Vec<&str> = ["title", "description", "content"]
        .iter()
        .filter_map(|field| part[*field].as_str())
        .collect();
    let text = if texts.is_empty() {
        part.to_string()
    } else {
        texts.join(" · ")
    };
    let link = part["url"]
        .as_str()
        .map(|url| open_link(corp, member, url))
        .unwrap_or_default();
    format!("<p>{}</p>{link}", escape(&text))
}

fn customers_html(corp: &Corp, member: &str) -> String {
    let mut html = String::from("<section><h2>客户 · Customers</h2>");
    for relation in corp.customers_of(member, None).take(LISTED) {
        let fields = pair_fields(relation);
        let left = match relation.standing {
            Standing::OneWay => "<small>已被对方删除 · has left</small> ",
            _ => "",
        };
        html.push_str(&format!(
            "<p>{} {left}{}{}{}</p>",
            customer_link(corp, &relation.external_userid),
            remark_form(corp, relation),
            act_button(corp, member, "chat", &fields, "聊天 · Chat"),
            act_button(corp, member, "member_deletes", &fields, "删除 · Delete"),
        ));
    }
    html + "</section>"
}

fn remark_form(corp: &Corp, relation: &Relation) -> String {
    let [member, customer] = pair_fields(relation);
    format!(
        "<form method=\"post\" action=\"{}\">{}{}{}<label>备注 · Remark <input name=\"remark\" maxlength=\"20\" value=\"{}\"></label> \
         <button>保存 · Save</button></form> ",
        acts_address(corp, member.1),
        hidden("act", "member_remarks"),
        hidden(member.0, member.1),
        hidden(customer.0, customer.1),
        escape(&relation.remark)
    )
}

fn customer_page(corp: &Corp, customer: &str) -> String {
    let mut html = scan_form(corp, customer);
    html.push_str(&format!(
        "<section><a href=\"{}/shop\">逛商城 · Go shopping</a></section>",
        phone_address(corp, customer)
    ));
    html.push_str(&phone_groups::transfer_question(corp, customer));
    for relation in corp.relations.of_customer(customer) {
        html.push_str(&follower_html(corp, relation));
    }
    html + &phone_groups::groups_of_customer(corp, customer)
}

/// One member as the customer has him in the phone: what arrived, and what can be done.
fn follower_html(corp: &Corp, relation: &Relation) -> String {
    let (member, customer) = (relation.userid.as_str(), relation.external_userid.as_str());
    let name = corp
        .members
        .get(member)
        .map_or(member, |member| member.name.as_str());
    let standing = match relation.standing {
        Standing::Friend => "",
        Standing::OneWay => "已删除 · deleted",
        Standing::Pending => "等待对方通过 · waits to be accepted",
        Standing::Half => "已添加,对方未理会 · added, not taken up",
    };
    let mut html = format!("<section><h2>{} <small>{standing}</small></h2>", escape(name));
    if let Some(welcome) = &relation.welcome {
        html.push_str(&message_html(corp, customer, welcome));
    }
    for message in broadcasts_to(corp, member, customer) {
        html.push_str(&message_html(corp, customer, message));
    }
    html.push_str(&moments_html(corp, member, customer));
    if relation.standing == Standing::Friend {
        let fields = pair_fields(relation);
        html.push_str(&act_button(corp, customer, "chat", &fields, "发消息 · Chat"));
        html.push_str(&act_button(
            corp,
            customer,
            "customer_deletes",
            &fields,
            "删除导购 · Delete",
        ));
    }
    html + "</section>"
}

fn scan_form(corp: &Corp, customer: &str) -> String {
    let members: String = corp
        .members
        .values()
        .filter(|member| member.status == 1)
        .take(MEMBERS_LISTED)
        .map(|member| {
            format!(
                "<option value=\"{}\">{}</option>",
                escape(&member.userid),
                escape(&member.name)
            )
        })
        .collect();
    format!(
        "<section><form method=\"post\" action=\"{}\">{}{}<label>扫导购的码 · Scan \
         <input name=\"member\" list=\"members\" required><datalist id=\"members\">{members}</datalist></label> \
         <label>渠道 · Channel <input name=\"state\" maxlength=\"30\"></label> <button>添加 · Add</button> \
         <button name=\"needs_acceptance\" value=\"true\">申请添加 · Ask</button> \
         <button name=\"is_half\" value=\"true\">添加,对方未理会 · Add, not taken up</button></form></section>",
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
        html.push_str(&open_link(corp, person, address));
    }
    html
}

fn open_link(corp: &Corp, person: &str, address: &str) -> String {
    format!(
        "<p><a href=\"{}/open?to={}\">{}</a></p>",
        phone_address(corp, person),
        encode(address),
        escape(address)
    )
}

/// A form's fields as an act's: what asks a question is a yes or a no, people are typed in one after the other.
fn act_of(fields: HashMap<String, String>) -> Result<Act, serde_json::Error> {
    let value = |name: &str, value: String| match name {
        "is_half" | "needs_acceptance" => json!(value == "true"),
        "people" => {
            let people = value.split([' ', ',', ',', '、', '\n']).map(str::trim);
            json!(people.filter(|person| !person.is_empty()).collect::<Vec<_>>())
        }
        _ => json!(value),
    };
    let fields: serde_json::Map<String, Value> = fields
        .into_iter()
        .map(|(name, text)| (name.clone(), value(&name, text)))
        .collect();
    serde_json::from_value(Value::Object(fields))
}

/// A press: the form's fields are the act.
async fn press(
    State(sandbox): State<Sandbox>,
    Path((corpid, person)): Path<(String, String)>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let done = act_of(fields)
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

/// Opens the store without any link: it knows by the cookie whose phone it is.
async fn go_shopping(Path((corpid, person)): Path<(String, String)>, jar: CookieJar) -> Response {
    let cookie = |name: &'static str, value: String| Cookie::build((name, value)).path("/shop").build();
    let jar = jar
        .add(cookie("shopper", person))
        .add(cookie("link", String::new()));
    let to = format!("/shop/{}", encode(&corpid));
    (StatusCode::FOUND, jar, [(header::LOCATION, to)]).into_response()
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
