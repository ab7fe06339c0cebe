//! Departments, members, and what the app sends to members.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::gate::{Answer, Api, Call, Refusal};
use super::world::{Corp, Department, Member, Notice};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

pub const APIS: &[Api] = &[
    Api::get("department/list", departments).listing(&["department"]),
    Api::get("user/list", members).listing(&["userlist"]),
    Api::get("user/simplelist", member_names).listing(&["userlist"]),
    Api::get("user/get", member),
    Api::get("externalcontact/get_follow_user_list", follow_users).listing(&["follow_user"]),
    Api::post("message/send", send),
    Api::post("message/recall", recall),
];

/// Notices kept a member.
const NOTICES_KEPT: usize = 50;

fn departments(call: &mut Call<'_>) -> Answer {
    let root = match call.parameter("id") {
        None => None,
        Some(id) => Some(department_id(call.corp, id)?),
    };
    // A range of members alone has no department in it: all there is to see is an empty list.
    if root.is_some_and(|root| !call.corp.sees_department(call.agent_id, root) && !holds_visible(call, root))
    {
        return Err(Refusal::new(60011));
    }
    let departments: Vec<Value> = call
        .corp
        .departments
        .values()
        .filter(|department| root.is_none_or(|root| is_below(call.corp, department.id, root)))
        .filter(|department| call.corp.sees_department(call.agent_id, department.id))
        .map(department_json)
        .collect();
    Ok(json!({"department": departments}))
}

/// Whether the app sees something below a department.
fn holds_visible(call: &Call<'_>, root: i64) -> bool {
    let mut ids = call.corp.departments.keys();
    ids.any(|id| is_below(call.corp, *id, root) && call.corp.sees_department(call.agent_id, *id))
}

fn department_id(corp: &Corp, id: &str) -> Result<i64, Refusal> {
    id.parse()
        .ok()
        .filter(|id| corp.departments.contains_key(id))
        .ok_or_else(|| Refusal::new(60003))
}

/// Whether a department is another one or somewhere under it.
pub fn is_below(corp: &Corp, mut id: i64, root: i64) -> bool {
    // Deep enough for any chain of command, and it ends even where the seed makes a ring.
    for _ in 0..32 {
        if id == root {
            return true;
        }
        match corp.departments.get(&id) {
            Some(department) => id = department.parentid,
            None => return false,
        }
    }
    false
}

fn department_json(department: &Department) -> Value {
    json!({"id": department.id, "name": department.name, "name_en": "", "department_leader": [],
        "parentid": department.parentid, "order": department.order})
}

fn in_department<'a>(call: &Call<'a>, corp: &'a Corp) -> Result<impl Iterator<Item = &'a Member>, Refusal> {
    let id = call
        .parameter("department_id")
        .ok_or_else(|| Refusal::field("department_id", "is missing"))?;
    let id = department_id(corp, id)?;
    let agent_id = call.agent_id;
    let is_there = move |member: &Member| member.status != 5 && member.department.contains(&id);
    let mut found = corp
        .members
        .iter()
        .filter(move |(_, member)| is_there(member))
        .filter(move |(key, _)| corp.sees(agent_id, key))
        .peekable();
    if found.peek().is_none() && !corp.sees_department(agent_id, id) {
        return Err(Refusal::new(60011));
    }
    Ok(found.map(|(_, member)| member))
}

fn members(call: &mut Call<'_>) -> Answer {
    let list: Vec<Value> = in_department(call, &*call.corp)?.map(member_json).collect();
    Ok(json!({"userlist": list}))
}

fn member_names(call: &mut Call<'_>) -> Answer {
    let list: Vec<Value> = in_department(call, &*call.corp)?
        .map(|member| json!({"userid": member.userid, "name": member.name, "department": member.department}))
        .collect();
    Ok(json!({"userlist": list}))
}

fn member(call: &mut Call<'_>) -> Answer {
    let userid = call
        .parameter("userid")
        .ok_or_else(|| Refusal::said(41009, "userid missing"))?;
    let key = userid.to_lowercase();
    let member = call.corp.members.get(&key).filter(|member| member.status != 5);
    let member = member.ok_or_else(|| Refusal::new(60111))?;
    if call.sees(&key) {
        Ok(member_json(member))
    } else {
        Err(Refusal::new(60011))
    }
}

fn member_json(member: &Member) -> Value {
    let leads: Vec<i64> = member
        .department
        .iter()
        .map(|_| i64::from(member.is_leader))
        .collect();
    json!({"userid": member.userid, "name": member.name, "department": member.department,
        "order": vec![0; member.department.len()], "position": member.position, "is_leader_in_dept": leads,
        "direct_leader": [], "telephone": "", "alias": "", "status": member.status,
        "main_department": member.department.first(), "extattr": {"attrs": []}})
}

fn follow_users(call: &mut Call<'_>) -> Answer {
    let list: Vec<&str> = call
        .corp
        .members
        .iter()
        .filter(|(_, member)| member.status != 5 && !member.is_unconfigured)
        .filter(|(key, _)| call.sees(key))
        .map(|(_, member)| member.userid.as_str())
        .collect();
    Ok(json!({"follow_user": list}))
}

fn send(call: &mut Call<'_>) -> Answer {
    if call.number("agentid")? != Some(call.agent_id) {
        return Err(Refusal::new(301002));
    }
    let asked = call.optional_text("touser")?.unwrap_or_default();
    let (known, unknown) = receivers(call, asked);
    if known.is_empty() {
        return Err(Refusal::new(81013));
    }
    let msgid = call.corp.new_id("SimMsg", 32);
    for key in known {
        if !reaches(call, &key) {
            continue;
        }
        let notices = call.corp.notices.entry(key).or_default();
        notices.push_back(Notice {
            at: call.now,
            msgid: msgid.clone(),
            body: call.body.clone(),
        });
        if notices.len() > NOTICES_KEPT {
            notices.pop_front();
        }
    }
    Ok(
        json!({"invaliduser": unknown.join("|"), "invalidparty": "", "invalidtag": "", "unlicenseduser": "", "msgid": msgid}),
    )
}

/// Whether a member is shown one more message of the app; what is too many is dropped without a word.
fn reaches(call: &mut Call<'_>, key: &str) -> bool {
    let (now, knobs) = (call.now.0, call.knobs);
    let reached = call
        .corp
        .noticed
        .entry((call.agent_id, key.to_owned()))
        .or_default();
    reached.retain(|at| now - at < HOUR_MS);
    let of_minute = reached.iter().filter(|at| now - *at < MINUTE_MS).count();
    if of_minute >= knobs.messages_per_minute || reached.len() >= knobs.messages_per_hour {
        return false;
    }
    reached.push_back(now);
    true
}

/// Takes a message back from everybody who got it.
fn recall(call: &mut Call<'_>) -> Answer {
    let msgid = call.text("msgid")?;
    let mut sent = call.corp.notices.values().flatten();
    let sent_at = sent.find(|notice| notice.msgid == msgid).map(|notice| notice.at);
    let sent_at = sent_at.ok_or_else(|| Refusal::field("msgid", "is not known"))?;
    if call.now.0 - sent_at.0 > DAY_MS {
        return Err(Refusal::new(42052));
    }
    for notices in call.corp.notices.values_mut() {
        notices.retain(|notice| notice.msgid != msgid);
    }
    Ok(json!({}))
}

/// Members by key, and those the app does not know, in lower case as the platform answers them.
fn receivers(call: &Call<'_>, asked: &str) -> (HashSet<String>, Vec<String>) {
    let members = &call.corp.members;
    let is_there = |key: &String| members.get(key).is_some_and(|member| member.status == 1) && call.sees(key);
    if asked == "@all" {
        return (
            members.keys().filter(|key| is_there(key)).cloned().collect(),
            Vec::new(),
        );
    }
    let (known, unknown): (Vec<String>, Vec<String>) = asked
        .split('|')
        .filter(|userid| !userid.is_empty())
        .map(str::to_lowercase)
        .partition(is_there);
    (known.into_iter().collect(), unknown)
}
