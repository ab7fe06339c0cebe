//! The gate every platform call passes: path, token, faults, rate, fields; then the area's own rule. Answers have the
//! platform's shape, and each call is written to the ledger.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use rand::RngExt;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::faults::{Fault, Knobs};
use super::world::{Corp, World};
use super::{
    Sandbox, acquisition, album, broadcasts, contact_ways, contacts, conversion, directory, group_welcomes,
    groups, handover, join_ways, login, media, moments, network, statistics, tags, token,
};
use crate::time::Timestamp;

/// A platform call: its path below `/cgi-bin/` and what answers it.
pub struct Api {
    pub method: Method,
    pub path: &'static str,
    pub run: fn(&mut Call<'_>) -> Answer,
    /// Lists that an error answer carries too, empty.
    pub lists: &'static [&'static str],
}

impl Api {
    pub const fn get(path: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Self {
        Self {
            method: Method::GET,
            path,
            run,
            lists: &[],
        }
    }

    pub const fn post(path: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Self {
        Self {
            method: Method::POST,
            path,
            run,
            lists: &[],
        }
    }

    pub const fn listing(mut self, lists: &'static [&'static str]) -> Self {
        self.lists = lists;
        self
    }
}

/// The fields of a success answer, without `errcode` and `errmsg`; or a refusal.
pub type Answer = Result<Value, Refusal>;

/// An errcode with its words.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub code: i64,
    pub words: String,
}

impl Refusal {
    pub fn new(code: i64) -> Self {
        Self {
            code,
            words: words(code).to_owned(),
        }
    }

    pub fn said(code: i64, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
        }
    }

    /// 40058 naming the field.
    pub fn field(field: &str, what: &str) -> Self {
        Self::said(
            40058,
            format!("field `{field}` {what}. invalid Request Parameter"),
        )
    }
}

fn words(code: i64) -> &'static str {
    match code {
        -1 => "system busy",
        40001 => "invalid credential, access_token is invalid or not latest",
        40003 => "invalid userid",
        40007 => "invalid media_id",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40050 => "invalid chatid",
        40066 => "invalid department",
        40068 => "invalid tagid",
        40071 => "tag name already existed",
        40096 => "invalid external userid",
        40097 => "handover user is not resigned",
        40098 => "user is not real-name verified",
        40126 => "corp tag count exceed limit",
        40128 => "customer transferred too often",
        40129 => "customer is being transferred",
        40130 => "handover and takeover user are the same",
        40131 => "handover user is not the customer's follower",
        41001 => "access_token missing",
        41002 => "corpid missing",
        41004 => "corpsecret missing",
        41037 => "contact way type missing",
        41038 => "contact way scene missing",
        41039 => "invalid contact way type",
        41040 => "invalid contact way scene",
        41041 => "contact way user count exceed limit",
        41042 => "invalid contact way style",
        41043 => "contact way config_id missing",
        41044 => "invalid contact way config_id",
        41045 => "contact way count exceed limit",
        41046 => "msgid missing",
        41047 => "invalid msgid",
        41048 => "no customer to send",
        41050 => "invalid welcome code or expired",
        41051 => "customer already chatting or welcome message already sent",
        41054 => "user not activated",
        41055 => "group welcome template count exceed limit",
        41060 => "invalid moment id",
        41061 => "moment not published by the member",
        41063 => "group msg is being dispatched",
        41064 => "attachments count exceed limit",
        41065 => "attachment type not allowed",
        41067 => "moment attachment type error",
        41073 => "product album description not allowed",
        41074 => "product album already deleted",
        41075 => "invalid product_id",
        41085 => "invalid product sn",
        41086 => "invalid product price",
        41087 => "invalid product description",
        41088 => "attachments empty",
        41089 => "text and attachments are both empty",
        41091 => "join way group count exceed limit",
        41093 => "group msg already cancelled",
        41094 => "remind over frequency limit",
        41095 => "acquisition link count exceed limit",
        42001 => "access_token expired",
        42052 => "msgid expired",
        43001 => "require GET method",
        43002 => "require POST method",
        45002 => "content size out of limit",
        45009 => "api freq out of limit",
        45033 => "api concurrent out of limit",
        48002 => "api forbidden",
        50001 => "redirect_url unauthorized",
        50100 => "invalid cursor",
        60003 => "department not found",
        60111 => "userid not found",
        81013 => "user & party & tag all invalid",
        81017 => "request count exceed limit",
        84014 => "user_ticket expired",
        84015 => "invalid user_ticket",
        84061 => "not external contact",
        84074 => "no permission to access external contact",
        84084 => "not follow user",
        90500 => "the owner of this chat is not resigned",
        90502 => "the owner of this chat is resigned",
        90504 => "new owner is the same as the old",
        90511 => "invalid opengid",
        600018 => "invalid start_time or end_time",
        301002 => "not allow operate another agent with this accesstoken",
        _ => "refused",
    }
}

/// A file of a multipart call.
pub struct Upload {
    pub field: String,
    pub filename: String,
    pub bytes: Bytes,
}

/// What an area's rule sees of a call.
pub struct Call<'a> {
    pub corp: &'a mut Corp,
    pub now: Timestamp,
    pub knobs: &'a Knobs,
    pub query: &'a HashMap<String, String>,
    pub body: &'a Value,
    pub upload: Option<&'a Upload>,
}

impl<'a> Call<'a> {
    /// A field that must be a string with something in it.
    pub fn text(&self, field: &str) -> Result<&'a str, Refusal> {
        self.optional_text(field)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::field(field, "is missing or empty"))
    }

    pub fn optional_text(&self, field: &str) -> Result<Option<&'a str>, Refusal> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::field(field, "is not a string")),
        }
    }

    /// A list of strings; empty when absent.
    pub fn texts(&self, field: &str, at_most: usize) -> Result<Vec<&'a str>, Refusal> {
        strings(self.body.get(field), field, at_most)
    }

    pub fn number(&self, field: &str) -> Result<Option<i64>, Refusal> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| Refusal::field(field, "is not an integer")),
        }
    }

    pub fn required_number(&self, field: &str) -> Result<i64, Refusal> {
        self.number(field)?
            .ok_or_else(|| Refusal::field(field, "is missing"))
    }

    pub fn flag(&self, field: &str) -> Result<Option<bool>, Refusal> {
        match self.body.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Refusal::field(field, "is not true or false")),
        }
    }

    /// `limit`, cut to its ceiling as the platform does.
    pub fn limit(&self, default: usize, ceiling: usize) -> Result<usize, Refusal> {
        let asked = self.number("limit")?.unwrap_or(0);
        Ok(if asked <= 0 {
            default
        } else {
            (asked as usize).min(ceiling)
        })
    }

    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A member who may have customers, by his key.
    pub fn member(&self, userid: &str) -> Result<String, Refusal> {
        let key = userid.to_lowercase();
        match self.corp.members.get(&key) {
            None => Err(Refusal::new(40003)),
            Some(member) if member.status == 5 => Err(Refusal::new(40003)),
            Some(member) if member.is_unconfigured => Err(Refusal::new(84074)),
            Some(_) => Ok(key),
        }
    }

    /// Cuts a page out of a list by an opaque cursor.
    pub fn page<T>(
        &self,
        items: impl Iterator<Item = T>,
        default: usize,
        ceiling: usize,
    ) -> Result<(Vec<T>, String), Refusal> {
        let limit = self.limit(default, ceiling)?;
        let start = match self.optional_text("cursor")? {
            None | Some("") => 0,
            Some(cursor) => open_cursor(cursor)?.parse().map_err(|_| Refusal::new(50100))?,
        };
        let take = self.page_size(start, limit);
        let mut items = items.skip(start).peekable();
        let page: Vec<T> = items.by_ref().take(take).collect();
        let next = match items.peek() {
            Some(_) => seal_cursor(&(start + page.len()).to_string()),
            None => String::new(),
        };
        Ok((page, next))
    }

    /// How many items a page really gets.
    pub fn page_size(&self, start: usize, limit: usize) -> usize {
        if self.knobs.short_pages && start.is_multiple_of(2) {
            limit.div_ceil(2)
        } else {
            limit
        }
    }
}

pub fn strings<'a>(value: Option<&'a Value>, field: &str, at_most: usize) -> Result<Vec<&'a str>, Refusal> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Refusal::field(field, "is not a list")),
    };
    if items.len() > at_most {
        return Err(Refusal::field(field, &format!("exceed max length {at_most}")));
    }
    items
        .iter()
        .map(|item| {
            item.as_str()
                .ok_or_else(|| Refusal::field(field, "holds something that is not a string"))
        })
        .collect()
}

pub fn seal_cursor(inside: &str) -> String {
    format!("r9F{}", hex::encode(inside))
}

pub fn open_cursor(cursor: &str) -> Result<String, Refusal> {
    cursor
        .strip_prefix("r9F")
        .and_then(|inside| hex::decode(inside).ok())
        .and_then(|inside| String::from_utf8(inside).ok())
        .ok_or_else(|| Refusal::new(50100))
}

/// One line of the ledger: a call that reached the platform.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerEntry {
    pub at: Timestamp,
    pub corpid: Option<String>,
    /// Path below `/cgi-bin/`.
    pub api: String,
    /// The JSON body, or the query of a GET (without its token).
    pub request: Value,
    pub status: u16,
    /// `None` where no readable answer went out.
    pub errcode: Option<i64>,
    /// Whether the world was changed (or read), whatever was answered.
    pub had_effect: bool,
}

fn apis() -> impl Iterator<Item = &'static Api> {
    [
        directory::APIS,
        contacts::APIS,
        tags::APIS,
        broadcasts::APIS,
        moments::APIS,
        contact_ways::APIS,
        acquisition::APIS,
        groups::APIS,
        join_ways::APIS,
        group_welcomes::APIS,
        handover::APIS,
        statistics::APIS,
        album::APIS,
        conversion::APIS,
        network::APIS,
        media::APIS,
        login::APIS,
    ]
    .into_iter()
    .flatten()
}

/// Answers `/cgi-bin/{path}`.
pub async fn call(
    State(sandbox): State<Sandbox>,
    Path(path): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let fate = sandbox.rules().take(&path);
    if fate.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(fate.delay_ms)).await;
    }
    let mut entry = LedgerEntry {
        at: sandbox.now(),
        corpid: query
            .get("access_token")
            .and_then(|token| sandbox.corp_of_token(token)),
        api: path.clone(),
        request: Value::Null,
        status: 200,
        errcode: None,
        had_effect: false,
    };
    let response = match fate.fault {
        Some(Fault::Status(status)) => bare(status),
        Some(Fault::Html) => html_page(),
        Some(Fault::DropBefore) => broken(),
        fault => answer(&sandbox, &path, &query, request, fault, &mut entry).await,
    };
    entry.status = response.status().as_u16();
    sandbox.write_down(entry);
    response
}

async fn answer(
    sandbox: &Sandbox,
    path: &str,
    query: &HashMap<String, String>,
    request: Request,
    fault: Option<Fault>,
    entry: &mut LedgerEntry,
) -> Response {
    let method = request.method().clone();
    let (body, upload) = match read(request).await {
        Ok(read) => read,
        Err(refusal) => return say(Err(refusal), &[], sandbox.now()),
    };
    entry.request = if upload.is_some() || method == Method::GET {
        asked(query, upload.as_ref())
    } else {
        body.clone()
    };
    if path == "gettoken" {
        entry.corpid = query.get("corpid").cloned();
        let answer =
            sandbox.with_world(|world| refused_by(fault).and_then(|()| token::give(world, sandbox, query)));
        return finish(answer, &[], fault, entry);
    }
    let Some(api) = apis().find(|api| api.path == path) else {
        return bare(404);
    };
    let answer = if method == api.method {
        sandbox.with_world(|world| pass(world, sandbox, api, query, &body, upload.as_ref(), fault))
    } else {
        Err(Refusal::new(if api.method == Method::GET {
            43001
        } else {
            43002
        }))
    };
    finish(answer, api.lists, fault, entry)
}

/// The checks every call shares, in the platform's order; then the area's rule.
fn pass(
    world: &mut World,
    sandbox: &Sandbox,
    api: &'static Api,
    query: &HashMap<String, String>,
    body: &Value,
    upload: Option<&Upload>,
    fault: Option<Fault>,
) -> Answer {
    let now = sandbox.now();
    let corpid = token::check(world, query.get("access_token").map(String::as_str), now)?;
    refused_by(fault)?;
    let knobs = {
        let mut rules = sandbox.rules();
        if !rules.admits(&corpid, api.path, now) {
            return Err(Refusal::new(45009));
        }
        rules.knobs.clone()
    };
    if api.method == Method::POST && upload.is_none() && !body.is_object() {
        return Err(Refusal::said(47001, "data format error"));
    }
    let corp = world.corps.get_mut(&corpid).ok_or_else(|| Refusal::new(40014))?;
    (api.run)(&mut Call {
        corp,
        now,
        knobs: &knobs,
        query,
        body,
        upload,
    })
}

fn refused_by(fault: Option<Fault>) -> Result<(), Refusal> {
    match fault {
        Some(Fault::Errcode(code)) => Err(Refusal::new(code)),
        _ => Ok(()),
    }
}

fn finish(answer: Answer, lists: &[&str], fault: Option<Fault>, entry: &mut LedgerEntry) -> Response {
    entry.had_effect = answer.is_ok();
    let code = answer.as_ref().err().map_or(0, |refusal| refusal.code);
    match fault {
        Some(Fault::EffectThenDrop) => broken(),
        Some(Fault::EffectThenStatus(status)) => bare(status),
        Some(Fault::Truncated) => {
            let text = body_text(answer, lists, entry.at);
            let half = text
                .char_indices()
                .nth(text.chars().count() / 2)
                .map_or(0, |(at, _)| at);
            json_response(text[..half].to_owned())
        }
        _ => {
            entry.errcode = Some(code);
            say(answer, lists, entry.at)
        }
    }
}

async fn read(request: Request) -> Result<(Value, Option<Upload>), Refusal> {
    let is_multipart = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/"));
    let unreadable = |_| Refusal::said(47001, "data format error");
    if !is_multipart {
        let bytes = Bytes::from_request(request, &())
            .await
            .map_err(|_| Refusal::said(40206, "body too large"))?;
        return Ok((serde_json::from_slice(&bytes).unwrap_or(Value::Null), None));
    }
    let mut parts = Multipart::from_request(request, &())
        .await
        .map_err(|_| Refusal::said(47001, "data format error"))?;
    let part = parts.next_field().await.map_err(unreadable)?;
    let part = part.ok_or_else(|| Refusal::said(41005, "media data missing"))?;
    let field = part.name().unwrap_or_default().to_owned();
    let filename = part.file_name().unwrap_or_default().to_owned();
    let bytes = part.bytes().await.map_err(unreadable)?;
    Ok((
        Value::Null,
        Some(Upload {
            field,
            filename,
            bytes,
        }),
    ))
}

fn asked(query: &HashMap<String, String>, upload: Option<&Upload>) -> Value {
    let secret = ["access_token", "corpsecret"];
    let mut asked: Map<String, Value> = query
        .iter()
        .filter(|(name, _)| !secret.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    if let Some(upload) = upload {
        asked.insert("filename".into(), json!(upload.filename));
        asked.insert("bytes".into(), json!(upload.bytes.len()));
    }
    Value::Object(asked)
}

/// The platform's JSON: 200 whatever the errcode.
pub fn say(answer: Answer, lists: &[&str], now: Timestamp) -> Response {
    json_response(body_text(answer, lists, now))
}

fn body_text(answer: Answer, lists: &[&str], now: Timestamp) -> String {
    let mut body = Map::new();
    match answer {
        Ok(fields) => {
            body.insert("errcode".into(), json!(0));
            body.insert("errmsg".into(), json!("ok"));
            if let Value::Object(fields) = fields {
                body.extend(fields);
            }
        }
        Err(refusal) => {
            body.insert("errcode".into(), json!(refusal.code));
            body.insert("errmsg".into(), json!(errmsg(&refusal, now)));
            body.extend(lists.iter().map(|list| ((*list).to_owned(), json!([]))));
        }
    }
    Value::Object(body).to_string()
}

fn errmsg(refusal: &Refusal, now: Timestamp) -> String {
    let hint: u128 = rand::rng().random();
    format!(
        "{}, hint: [{}_{}_{hint:032x}], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e={}",
        refusal.words,
        now.seconds(),
        hint % 1_000,
        refusal.code
    )
}

fn json_response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    response
}

fn bare(status: u16) -> Response {
    StatusCode::from_u16(status)
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        .into_response()
}

fn html_page() -> Response {
    axum::response::Html("<html><body><h1>502 Bad Gateway</h1></body></html>").into_response()
}

/// An answer whose body breaks off at once: the server closes the connection.
fn broken() -> Response {
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(error)])))
}
