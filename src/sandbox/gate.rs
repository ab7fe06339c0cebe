//! The gate every platform call passes: path, token, address, app, permission, rate, fields; then the area's own rule.
//! Answers have the platform's shape, and each call is written to the ledger.
//!
//! Reads of customers, millions of them, pass side by side and write their JSON themselves; every other call has the
//! world to itself and answers a value.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::faults::{Fault, Knobs};
pub use super::refusal::Refusal;
use super::world::{Corp, Token, World};
use super::{
    Sandbox, acquisition, album, broadcasts, contact_ways, contacts, conversion, directory, group_welcomes,
    groups, handover, join_ways, login, media, moments, network, oddities, statistics, tags, token,
};
use crate::time::Timestamp;

/// A platform call: its path below `/cgi-bin/` and what answers it.
pub struct Api {
    pub method: Method,
    pub path: &'static str,
    pub run: Run,
    /// Lists that an error answer carries too, empty.
    pub lists: &'static [&'static str],
}

pub enum Run {
    /// Has the world to itself.
    Change(fn(&mut Call<'_>) -> Answer),
    /// Passes side by side with other reads.
    Read(fn(&Look<'_>) -> Written),
    /// The same, answering a file.
    File(fn(&Look<'_>) -> Filed),
}

impl Api {
    pub const fn get(path: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Self {
        Self::new(Method::GET, path, Run::Change(run))
    }

    pub const fn post(path: &'static str, run: fn(&mut Call<'_>) -> Answer) -> Self {
        Self::new(Method::POST, path, Run::Change(run))
    }

    /// A read that many ask for at once.
    pub const fn read(method: Method, path: &'static str, run: fn(&Look<'_>) -> Written) -> Self {
        Self::new(method, path, Run::Read(run))
    }

    pub const fn file(path: &'static str, run: fn(&Look<'_>) -> Filed) -> Self {
        Self::new(Method::GET, path, Run::File(run))
    }

    const fn new(method: Method, path: &'static str, run: Run) -> Self {
        Self {
            method,
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

/// The same as the text of a JSON object.
pub type Written = Result<String, Refusal>;

/// A file that was asked for.
pub struct File {
    pub name: String,
    pub bytes: Bytes,
}

pub type Filed = Result<File, Refusal>;

/// An answer on its way out.
enum Said {
    Value(Value),
    Text(String),
    File(File),
}

/// A file of a multipart call.
pub struct Upload {
    pub field: String,
    pub filename: String,
    pub bytes: Bytes,
}

/// What an area's rule sees of a call.
pub struct Call<'a, C = &'a mut Corp> {
    pub corp: C,
    /// The calling app's.
    pub agent_id: i64,
    pub now: Timestamp,
    pub knobs: &'a Knobs,
    pub query: &'a HashMap<String, String>,
    pub body: &'a Value,
    pub upload: Option<&'a Upload>,
    /// This page's cursor leads back to it.
    pub repeats: bool,
}

/// The same for a rule that only reads.
pub type Look<'a> = Call<'a, &'a Corp>;

impl<'a, C: Deref<Target = Corp>> Call<'a, C> {
    /// Whether a member, by his key, is in the calling app's visible range.
    pub fn sees(&self, key: &str) -> bool {
        self.corp.sees(self.agent_id, key)
    }

    /// What time it is for reads that lag.
    pub fn read_at(&self) -> Timestamp {
        self.now.plus_ms(-self.knobs.read_lag_ms)
    }

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
            Some(_) if !self.sees(&key) => Err(Refusal::new(60011)),
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
            Some(cursor) => {
                let inside = open_cursor(cursor)?;
                if let Some(inside) = after_gap(&inside) {
                    return Ok((Vec::new(), seal_cursor(inside)));
                }
                inside.parse().map_err(|_| Refusal::new(50100))?
            }
        };
        let take = self.page_size(start, limit);
        let mut items = items.skip(start).peekable();
        let page: Vec<T> = items.by_ref().take(take).collect();
        let next = match items.peek() {
            Some(_) if self.repeats => seal_cursor(&start.to_string()),
            Some(_) => self.going_on(&(start + page.len()).to_string()),
            None => String::new(),
        };
        Ok((page, next))
    }

    /// The cursor of what comes next: at once, or after a page with nothing in it.
    pub fn going_on(&self, inside: &str) -> String {
        if self.knobs.empty_pages {
            seal_cursor(&format!("{GAP}{inside}"))
        } else {
            seal_cursor(inside)
        }
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

/// Before what is inside a cursor: an empty page comes first.
const GAP: char = '-';

/// Where a cursor goes on after the empty page it leads to.
pub fn after_gap(inside: &str) -> Option<&str> {
    inside.strip_prefix(GAP)
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
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LedgerEntry {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub corpid: Option<String>,
    /// The app's, when the token was known.
    pub agent_id: Option<i64>,
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

static BY_PATH: LazyLock<HashMap<&str, &Api>> = LazyLock::new(|| apis().map(|api| (api.path, api)).collect());

/// Answers `/cgi-bin/{path}`.
pub async fn call(
    State(sandbox): State<Sandbox>,
    Path(path): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let from = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.0.ip());
    let (fate, knobs) = {
        let mut rules = sandbox.rules();
        (rules.take(&path), rules.knobs.clone())
    };
    let owner = query
        .get("access_token")
        .and_then(|token| sandbox.owner_of(token));
    let way = UnderWay::enter(&sandbox, owner.as_ref(), &path);
    let pause_ms = fate.delay_ms + knobs.answer_ms;
    if pause_ms > 0 {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    let mut entry = LedgerEntry {
        at: sandbox.now(),
        agent_id: owner.as_ref().map(|owner| owner.1),
        corpid: owner.map(|owner| owner.0),
        api: path,
        request: Value::Null,
        status: 200,
        errcode: None,
        had_effect: false,
    };
    let response = match fate.fault {
        Some(Fault::Status(status)) => bare(status),
        Some(Fault::Html) => html_page(),
        Some(Fault::DropBefore) => broken(),
        fault => {
            let arrival = Arrival {
                sandbox: &sandbox,
                query: &query,
                from,
                fault,
                knobs,
                is_crowded: way.is_crowded,
            };
            arrival.answer(request, &mut entry).await
        }
    };
    drop(way);
    entry.status = response.status().as_u16();
    sandbox.write_down(entry);
    response
}

/// A call among those of its API that are limited in number; it leaves when it is dropped.
struct UnderWay<'a> {
    sandbox: &'a Sandbox,
    /// Corp and API, where there is a limit.
    place: Option<(String, String)>,
    is_crowded: bool,
}

impl<'a> UnderWay<'a> {
    fn enter(sandbox: &'a Sandbox, owner: Option<&(String, i64)>, api: &str) -> Self {
        let mut way = Self {
            sandbox,
            place: None,
            is_crowded: false,
        };
        if let Some((corpid, _)) = owner
            && let Some(is_crowded) = sandbox.rules().enter(corpid, api)
        {
            way.place = Some((corpid.clone(), api.to_owned()));
            way.is_crowded = is_crowded;
        }
        way
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some((corpid, api)) = &self.place {
            self.sandbox.rules().leave(corpid, api);
        }
    }
}

/// A call at the gate.
struct Arrival<'a> {
    sandbox: &'a Sandbox,
    query: &'a HashMap<String, String>,
    from: IpAddr,
    fault: Option<Fault>,
    knobs: Arc<Knobs>,
    is_crowded: bool,
}

impl Arrival<'_> {
    async fn answer(&self, request: Request, entry: &mut LedgerEntry) -> Response {
        let method = request.method().clone();
        let (body, upload) = match read(request).await {
            Ok(read) => read,
            Err(refusal) => return self.finish(Err(refusal), &[], entry),
        };
        let (answer, lists) = if entry.api == "gettoken" {
            entry.corpid = self.query.get("corpid").cloned();
            (self.give_token(), &[][..])
        } else {
            let Some(api) = BY_PATH.get(entry.api.as_str()) else {
                return bare(404);
            };
            let answer = if method == api.method {
                self.pass(api, &body, upload.as_ref())
            } else if api.method == Method::GET {
                Err(Refusal::new(43001))
            } else {
                Err(Refusal::new(43002))
            };
            (answer, api.lists)
        };
        entry.request = if upload.is_some() || method == Method::GET {
            asked(self.query, upload.as_ref())
        } else {
            body
        };
        self.finish(answer, lists, entry)
    }

    fn give_token(&self) -> Result<Said, Refusal> {
        refused_by(self.fault)?;
        let given = self
            .sandbox
            .with_world(|world| token::give(world, self.sandbox, self.query));
        given.map(Said::Value)
    }

    /// From the token to the area's rule.
    fn pass(&self, api: &'static Api, body: &Value, upload: Option<&Upload>) -> Result<Said, Refusal> {
        let now = self.sandbox.now();
        match api.run {
            Run::Read(run) => self.sandbox.look(|world| {
                let owner = self.owner(world, now)?;
                let corp = world.corps.get(&owner.corpid);
                let corp = corp.ok_or_else(|| Refusal::new(40014))?;
                self.check(corp, owner, api, now, body, upload)?;
                run(&self.call(corp, owner.agent_id, now, body, upload)).map(Said::Text)
            }),
            Run::File(run) => self.sandbox.look(|world| {
                let owner = self.owner(world, now)?;
                let corp = world.corps.get(&owner.corpid);
                let corp = corp.ok_or_else(|| Refusal::new(40014))?;
                self.check(corp, owner, api, now, body, upload)?;
                run(&self.call(corp, owner.agent_id, now, body, upload)).map(Said::File)
            }),
            Run::Change(run) => self.sandbox.with_world(|world| {
                let owner = self.owner(world, now)?.clone();
                let corp = world.corps.get_mut(&owner.corpid);
                let corp = corp.ok_or_else(|| Refusal::new(40014))?;
                self.check(corp, &owner, api, now, body, upload)?;
                corp.past.begin(now, self.knobs.read_lag_ms);
                run(&mut self.call(corp, owner.agent_id, now, body, upload)).map(Said::Value)
            }),
        }
    }

    /// Steps 2 to 4: the token.
    fn owner<'w>(&self, world: &'w World, now: Timestamp) -> Result<&'w Token, Refusal> {
        let token = self.query.get("access_token").map(String::as_str);
        let owner = token::check(world, token, now)?;
        refused_by(self.fault)?;
        Ok(owner)
    }

    /// Steps 5 to 9: address, state and permission of the app; rate; something to read.
    fn check(
        &self,
        corp: &Corp,
        owner: &Token,
        api: &'static Api,
        now: Timestamp,
        body: &Value,
        upload: Option<&Upload>,
    ) -> Result<(), Refusal> {
        let app = corp.app_of(owner.agent_id).ok_or_else(|| Refusal::new(40014))?;
        app.admits(self.from, api.path)?;
        if !self
            .sandbox
            .rules()
            .admits(&owner.corpid, self.from, api.path, now)
        {
            return Err(Refusal::new(45009));
        }
        if self.is_crowded {
            return Err(Refusal::new(45033));
        }
        if api.method == Method::POST && upload.is_none() && !body.is_object() {
            return Err(Refusal::said(47001, "data format error"));
        }
        Ok(())
    }

    fn call<'a, C>(
        &'a self,
        corp: C,
        agent_id: i64,
        now: Timestamp,
        body: &'a Value,
        upload: Option<&'a Upload>,
    ) -> Call<'a, C> {
        Call {
            corp,
            agent_id,
            now,
            knobs: &self.knobs,
            query: self.query,
            body,
            upload,
            repeats: self.fault == Some(Fault::RepeatedCursor)
                || self.sandbox.chance(self.knobs.repeated_cursors),
        }
    }

    fn finish(&self, answer: Result<Said, Refusal>, lists: &[&str], entry: &mut LedgerEntry) -> Response {
        entry.had_effect = answer.is_ok();
        let code = answer.as_ref().err().map_or(0, |refusal| refusal.code);
        let answer = match answer {
            Ok(Said::File(file)) if self.fault.is_none() => {
                entry.errcode = Some(code);
                return file_response(file);
            }
            // What is half a file is no answer at all.
            Ok(Said::File(_)) => return broken(),
            answer => answer,
        };
        match self.fault {
            Some(Fault::EffectThenDrop) => broken(),
            Some(Fault::EffectThenStatus(status)) => bare(status),
            Some(Fault::Truncated) => {
                let text = self.text(answer, lists);
                let half = text
                    .char_indices()
                    .nth(text.chars().count() / 2)
                    .map_or(0, |(at, _)| at);
                json_response(text[..half].to_owned())
            }
            _ => {
                entry.errcode = Some(code);
                json_response(self.text(answer, lists))
            }
        }
    }

    /// The platform's JSON: 200 whatever the errcode.
    fn text(&self, answer: Result<Said, Refusal>, lists: &[&str]) -> String {
        oddities::dress(self.plain_text(answer, lists), &self.knobs)
    }

    fn plain_text(&self, answer: Result<Said, Refusal>, lists: &[&str]) -> String {
        let mut body = Map::new();
        match answer {
            Ok(Said::Text(fields)) => {
                return match fields.strip_prefix('{') {
                    Some(fields) => format!("{{\"errcode\":0,\"errmsg\":\"ok\",{fields}"),
                    None => fields,
                };
            }
            Ok(Said::File(_)) => {}
            Ok(Said::Value(fields)) => {
                body.insert("errcode".into(), json!(0));
                body.insert("errmsg".into(), json!("ok"));
                if let Value::Object(fields) = fields {
                    body.extend(fields);
                }
            }
            Err(refusal) => {
                body.insert("errcode".into(), json!(refusal.code));
                body.insert("errmsg".into(), json!(self.errmsg(&refusal)));
                body.extend(lists.iter().map(|list| ((*list).to_owned(), json!([]))));
            }
        }
        Value::Object(body).to_string()
    }

    fn errmsg(&self, refusal: &Refusal) -> String {
        let hint = self.sandbox.hint();
        format!(
            "{}, hint: [{}_{}_{hint:032x}], from ip: {}, more info at https://open.work.weixin.qq.com/devtool/query?e={}",
            refusal.words,
            self.sandbox.now().seconds(),
            hint % 1_000,
            self.from,
            refusal.code
        )
    }
}

fn refused_by(fault: Option<Fault>) -> Result<(), Refusal> {
    match fault {
        Some(Fault::Errcode(code)) => Err(Refusal::new(code)),
        _ => Ok(()),
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

fn json_response(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    response
}

fn file_response(file: File) -> Response {
    let name: String = file
        .name
        .chars()
        .filter(|letter| letter.is_ascii_graphic() && *letter != '"')
        .collect();
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
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
