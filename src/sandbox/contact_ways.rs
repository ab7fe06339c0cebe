//! Contact ways 联系我: codes that carry a channel, and whom a customer who scans one is added by.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::broadcasts::shown;
use super::gate::{Answer, Api, Call, Refusal};
use super::moments::members_below;
use super::relations::{self, Arrival, Ceilings};
use super::world::{Corp, Kind};
use super::{message, statistics};
use crate::time::{DAY_MS, Timestamp};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/add_contact_way", add),
    Api::post("externalcontact/get_contact_way", get),
    Api::post("externalcontact/list_contact_way", list).listing(&["contact_way"]),
    Api::post("externalcontact/update_contact_way", update),
    Api::post("externalcontact/del_contact_way", delete),
    Api::post("externalcontact/close_temp_chat", close_temp_chat),
];

const MAX_MEMBERS: usize = 100;
/// Of a remark and of a state, in characters.
const MAX_TEXT: usize = 30;
const LISTED_DAYS: i64 = 90;
const DAY_S: i64 = 86_400;
const LONGEST_LIFE_S: i64 = 14 * DAY_S;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactWay {
    pub config_id: String,
    /// 1 one member, 2 several.
    pub kind: i64,
    /// 1 a widget in a mini-program, 2 a code.
    pub scene: i64,
    pub style: i64,
    pub remark: String,
    pub skip_verify: bool,
    pub state: String,
    /// Keys of members.
    pub users: Vec<String>,
    pub parties: Vec<i64>,
    pub is_exclusive: bool,
    pub mark_source: bool,
    pub qr_code: String,
    /// Seconds.
    pub created_at: i64,
    pub temporary: Option<Temporary>,
    /// When each member was picked last, counted in scans: the least recent is next.
    pub picked: BTreeMap<String, u64>,
    /// Whom a customer added first, for an exclusive way.
    pub kept: BTreeMap<String, String>,
}

/// A way that opens a session instead of a friendship.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Temporary {
    /// Seconds.
    pub expires_in: i64,
    pub chat_expires_in: i64,
    /// The only person who may use it; empty: anybody.
    pub unionid: String,
    pub conclusions: Value,
    /// Customers in a session, and until when in seconds.
    pub sessions: BTreeMap<String, i64>,
}

fn add(call: &mut Call<'_>) -> Answer {
    let kind = one_or_two(call, "type", 41037, 41039)?;
    let scene = one_or_two(call, "scene", 41038, 41040)?;
    if call.corp.contact_ways.len() + call.corp.join_ways.len() >= call.knobs.ways_ceiling {
        return Err(Refusal::new(41045));
    }
    let mut way = ContactWay {
        kind,
        scene,
        skip_verify: true,
        created_at: call.now.seconds(),
        is_exclusive: call.flag("is_exclusive")?.unwrap_or(false),
        mark_source: call.flag("mark_source")?.unwrap_or(false),
        ..ContactWay::default()
    };
    if call.flag("is_temp")?.unwrap_or(false) {
        way.temporary = Some(Temporary {
            expires_in: 7 * DAY_S,
            chat_expires_in: DAY_S,
            ..Temporary::default()
        });
    }
    fill(call, &mut way)?;
    way.config_id = call.corp.new_id("", 32).to_lowercase();
    if scene == 2 {
        way.qr_code = format!("https://wework.qpic.cn/wwpic/{}/0", way.config_id);
    }
    let mut answer = json!({"config_id": way.config_id});
    if !way.qr_code.is_empty() {
        answer["qr_code"] = json!(way.qr_code);
    }
    put(call.corp, way);
    Ok(answer)
}

/// Sets what a call gives of the fields that can be changed, and checks the whole.
fn fill(call: &Call<'_>, way: &mut ContactWay) -> Result<(), Refusal> {
    if let Some(style) = call.number("style")? {
        if style < 0 || (way.scene == 1 && style == 0) {
            return Err(Refusal::new(41042));
        }
        way.style = style;
    }
    for (place, field) in [(&mut way.remark, "remark"), (&mut way.state, "state")] {
        if let Some(text) = short(call, field)? {
            text.clone_into(place);
        }
    }
    if let Some(skip) = call.flag("skip_verify")? {
        way.skip_verify = skip;
    }
    let gives = |field: &str| call.body.get(field).is_some_and(|value| !value.is_null());
    if gives("user") {
        way.users = call
            .texts("user", usize::MAX)?
            .iter()
            .map(|user| user.to_lowercase())
            .collect();
    }
    if gives("party") {
        way.parties = numbers(call.body.get("party"), "party")?;
    }
    if way.kind == 1 && (way.users.len() != 1 || !way.parties.is_empty()) {
        return Err(Refusal::field(
            "user",
            "must hold exactly one member when `type` is 1",
        ));
    }
    let users: Vec<&str> = way.users.iter().map(String::as_str).collect();
    if members(call, &users, &way.parties)?.is_empty() {
        return Err(Refusal::field("user", "is empty"));
    }
    if way.temporary.is_some() && way.kind != 1 {
        return Err(Refusal::field("is_temp", "needs a `type` of 1"));
    }
    match &mut way.temporary {
        Some(temporary) => fill_temporary(call, temporary),
        None => Ok(()),
    }
}

fn fill_temporary(call: &Call<'_>, temporary: &mut Temporary) -> Result<(), Refusal> {
    for (place, field) in [
        (&mut temporary.expires_in, "expires_in"),
        (&mut temporary.chat_expires_in, "chat_expires_in"),
    ] {
        if let Some(seconds) = call.number(field)? {
            if !(1..=LONGEST_LIFE_S).contains(&seconds) {
                return Err(Refusal::field(field, "is not within 14 days"));
            }
            *place = seconds;
        }
    }
    if let Some(unionid) = call.optional_text("unionid")? {
        unionid.clone_into(&mut temporary.unionid);
    }
    if let Some(conclusions) = call.body.get("conclusions").filter(|given| given.is_object()) {
        message::check_one(call.corp, call.now, conclusions, 4_000)?;
        temporary.conclusions = conclusions.clone();
    }
    Ok(())
}

fn one_or_two(call: &Call<'_>, field: &str, missing: i64, invalid: i64) -> Result<i64, Refusal> {
    match call.number(field)? {
        None => Err(Refusal::new(missing)),
        Some(number @ 1..=2) => Ok(number),
        Some(_) => Err(Refusal::new(invalid)),
    }
}

/// A remark or a state.
pub fn short<'a>(call: &Call<'a>, field: &str) -> Result<Option<&'a str>, Refusal> {
    let text = call.optional_text(field)?;
    if text.is_some_and(|text| text.chars().count() > MAX_TEXT) {
        return Err(Refusal::field(field, &format!("exceed max length {MAX_TEXT}")));
    }
    Ok(text)
}

pub fn numbers(value: Option<&Value>, field: &str) -> Result<Vec<i64>, Refusal> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(Refusal::field(field, "is not a list")),
    };
    items
        .iter()
        .map(|item| {
            item.as_i64()
                .ok_or_else(|| Refusal::field(field, "holds something that is not an integer"))
        })
        .collect()
}

/// Members by name and by department. The named ones must all be able to have customers; which one is not, nobody says.
pub fn members(call: &Call<'_>, users: &[&str], parties: &[i64]) -> Result<BTreeSet<String>, Refusal> {
    let mut members = BTreeSet::new();
    for user in users {
        members.insert(able(call, user)?);
    }
    for party in parties {
        if !call.corp.departments.contains_key(party) {
            return Err(Refusal::new(40066));
        }
        members.extend(members_below(call.corp, *party));
    }
    if members.len() > MAX_MEMBERS {
        return Err(Refusal::new(41041));
    }
    Ok(members)
}

/// A member who is configured, activated and verified, by key.
pub fn able(call: &Call<'_>, userid: &str) -> Result<String, Refusal> {
    let key = call.member(userid)?;
    let member = &call.corp.members[&key];
    match member {
        member if member.status != 1 => Err(Refusal::new(41054)),
        member if member.is_unverified => Err(Refusal::new(40098)),
        _ => Ok(key),
    }
}

fn put(corp: &mut Corp, way: ContactWay) {
    corp.touch(Kind::ContactWay, &way.config_id);
    corp.contact_ways.insert(way.config_id.clone(), way);
}

fn known(call: &Call<'_>) -> Result<ContactWay, Refusal> {
    let id = call.optional_text("config_id")?.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::new(41043))?;
    alive(call.corp, call.now, id)
        .cloned()
        .ok_or_else(|| Refusal::new(41044))
}

fn alive<'a>(corp: &'a Corp, now: Timestamp, config_id: &str) -> Option<&'a ContactWay> {
    corp.contact_ways.get(config_id).filter(|way| {
        let life = way.temporary.as_ref().map(|temporary| temporary.expires_in);
        life.is_none_or(|life| now.seconds() < way.created_at + life)
    })
}

fn get(call: &mut Call<'_>) -> Answer {
    let way = known(call)?;
    Ok(json!({"contact_way": way_json(call.corp, &way)}))
}

fn way_json(corp: &Corp, way: &ContactWay) -> Value {
    let users: Vec<String> = way.users.iter().map(|key| shown(corp, key)).collect();
    let mut json = json!({"config_id": way.config_id, "type": way.kind, "scene": way.scene, "style": way.style,
        "remark": way.remark, "skip_verify": way.skip_verify, "state": way.state, "user": users,
        "party": way.parties, "is_temp": way.temporary.is_some(), "is_exclusive": way.is_exclusive,
        "mark_source": way.mark_source});
    if !way.qr_code.is_empty() {
        json["qr_code"] = json!(way.qr_code);
    }
    if let Some(temporary) = &way.temporary {
        json["expires_in"] = json!(temporary.expires_in);
        json["chat_expires_in"] = json!(temporary.chat_expires_in);
        json["unionid"] = json!(temporary.unionid);
        json["conclusions"] = temporary.conclusions.clone();
    }
    json
}

fn list(call: &mut Call<'_>) -> Answer {
    let until = call.number("end_time")?.unwrap_or(call.now.seconds());
    let from = call
        .number("start_time")?
        .unwrap_or(call.now.plus_ms(-LISTED_DAYS * DAY_MS).seconds());
    let mut found: Vec<&ContactWay> = call
        .corp
        .contact_ways
        .values()
        .filter(|way| way.temporary.is_none() && (from..=until).contains(&way.created_at))
        .collect();
    found.sort_by_key(|way| (way.created_at, &way.config_id));
    let (page, next) = call.page(found.into_iter(), 100, 1_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|way| json!({"config_id": way.config_id}))
        .collect();
    Ok(json!({"contact_way": list, "next_cursor": next}))
}

fn update(call: &mut Call<'_>) -> Answer {
    let mut way = known(call)?;
    fill(call, &mut way)?;
    put(call.corp, way);
    Ok(json!({}))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let way = known(call)?;
    call.corp.touch(Kind::ContactWay, &way.config_id);
    call.corp.contact_ways.remove(&way.config_id);
    Ok(json!({}))
}

fn close_temp_chat(call: &mut Call<'_>) -> Answer {
    let member = call.member(call.text("userid")?)?;
    let customer = call.text("external_userid")?;
    let id = call
        .corp
        .contact_ways
        .values()
        .filter(|way| way.users.contains(&member))
        .find(|way| {
            let sessions = way.temporary.as_ref().map(|temporary| &temporary.sessions);
            sessions.is_some_and(|sessions| sessions.contains_key(customer))
        })
        .map(|way| way.config_id.clone())
        .ok_or_else(|| Refusal::new(84061))?;
    call.corp.touch(Kind::ContactWay, &id);
    let way = call.corp.contact_ways.get_mut(&id);
    if let Some(temporary) = way.and_then(|way| way.temporary.as_mut()) {
        temporary.sessions.remove(customer);
    }
    Ok(json!({}))
}

/// A customer scans a way's code; answers the member it led to.
pub fn scan(
    corp: &mut Corp,
    now: Timestamp,
    customer: &str,
    config_id: &str,
    ceilings: Ceilings,
) -> anyhow::Result<String> {
    let way = alive(corp, now, config_id);
    let mut way = way
        .cloned()
        .ok_or_else(|| anyhow::anyhow!("no contact way `{config_id}`"))?;
    let member = pick(corp, &way, customer)
        .ok_or_else(|| anyhow::anyhow!("nobody of contact way `{config_id}` can be added"))?;
    if let Some(temporary) = &mut way.temporary {
        let person = corp.customers.get(customer);
        let is_meant =
            person.is_some_and(|person| temporary.unionid.is_empty() || person.unionid == temporary.unionid);
        anyhow::ensure!(is_meant, "contact way `{config_id}` is not for `{customer}`");
        let until = now.seconds() + temporary.chat_expires_in;
        temporary.sessions.insert(customer.to_owned(), until);
    } else {
        let arrival = Arrival {
            state: &way.state,
            add_way: 1,
            needs_acceptance: !way.skip_verify,
            is_half: false,
        };
        statistics::counted(corp, now, &member, customer, |corp| {
            relations::scan(corp, now, customer, &member, arrival, ceilings)
        })?;
    }
    let turn = way.picked.values().max().copied().unwrap_or(0) + 1;
    way.picked.insert(member.clone(), turn);
    if way.is_exclusive {
        way.kept
            .entry(customer.to_owned())
            .or_insert_with(|| member.clone());
    }
    put(corp, way);
    Ok(shown(corp, &member))
}

/// The one the customer has, if the way is exclusive; else the one whose turn is longest ago.
fn pick(corp: &Corp, way: &ContactWay, customer: &str) -> Option<String> {
    let is_able = |key: &String| {
        let member = corp.members.get(key);
        member.is_some_and(|member| member.status == 1 && !member.is_unconfigured)
    };
    let first = way.kept.get(customer).filter(|_| way.is_exclusive);
    if let Some(first) = first.filter(|key| is_able(key)) {
        return Some(first.clone());
    }
    let named = way.users.iter().cloned();
    let below = way.parties.iter().flat_map(|party| members_below(corp, *party));
    named
        .chain(below)
        .filter(is_able)
        .min_by_key(|key| (way.picked.get(key).copied().unwrap_or(0), key.clone()))
}
