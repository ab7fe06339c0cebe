//! Ways into customer groups: a code for up to five groups, and a new group when they are full.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contact_ways::short;
use super::faults::Knobs;
use super::gate::{Answer, Api, Call, Refusal};
use super::groups::{self, Joining, has_room};
use super::world::{Corp, Kind};
use crate::time::Timestamp;

pub const APIS: &[Api] = &[
    Api::post("externalcontact/groupchat/add_join_way", add),
    Api::post("externalcontact/groupchat/get_join_way", get),
    Api::post("externalcontact/groupchat/update_join_way", update),
    Api::post("externalcontact/groupchat/del_join_way", delete),
];

const MAX_GROUPS: usize = 5;
const MAX_BASE_NAME: usize = 40;
const BY_CODE: i64 = 3;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JoinWay {
    pub config_id: String,
    /// 1 a widget in a mini-program, 2 a code.
    pub scene: i64,
    pub remark: String,
    pub creates_groups: bool,
    pub base_name: String,
    /// The number of the next group that is made.
    pub base_id: i64,
    pub chat_ids: Vec<String>,
    pub state: String,
    pub mark_source: bool,
    pub qr_code: String,
}

fn add(call: &mut Call<'_>) -> Answer {
    if call.corp.contact_ways.len() + call.corp.join_ways.len() >= call.knobs.ways_ceiling {
        return Err(Refusal::new(41045));
    }
    let mut way = described(call)?;
    way.config_id = call.corp.new_id("", 32).to_lowercase();
    way.qr_code = format!("https://wework.qpic.cn/wwpic/{}/0", way.config_id);
    let answer = json!({"config_id": way.config_id});
    put(call.corp, way);
    Ok(answer)
}

/// The way as a call describes it; what is not given has its default, for a change as for a new one.
fn described(call: &Call<'_>) -> Result<JoinWay, Refusal> {
    let scene = match call.number("scene")? {
        None => return Err(Refusal::new(41038)),
        Some(scene @ 1..=2) => scene,
        Some(_) => return Err(Refusal::new(41040)),
    };
    let chat_ids = call.texts("chat_id_list", usize::MAX)?;
    if chat_ids.is_empty() {
        return Err(Refusal::field("chat_id_list", "is missing or empty"));
    }
    if chat_ids.len() > MAX_GROUPS {
        return Err(Refusal::new(41091));
    }
    if chat_ids.iter().any(|id| !call.corp.groups.contains_key(*id)) {
        return Err(Refusal::new(40050));
    }
    let base_name = call.optional_text("room_base_name")?.unwrap_or_default();
    if base_name.chars().count() > MAX_BASE_NAME {
        return Err(Refusal::field("room_base_name", "exceed max length 40"));
    }
    Ok(JoinWay {
        scene,
        remark: short(call, "remark")?.unwrap_or_default().to_owned(),
        creates_groups: call.number("auto_create_room")? != Some(0),
        base_name: base_name.to_owned(),
        base_id: call.number("room_base_id")?.unwrap_or(1),
        chat_ids: chat_ids.iter().map(|id| (*id).to_owned()).collect(),
        state: short(call, "state")?.unwrap_or_default().to_owned(),
        mark_source: call.flag("mark_source")?.unwrap_or(false),
        ..JoinWay::default()
    })
}

fn put(corp: &mut Corp, way: JoinWay) {
    corp.touch(Kind::JoinWay, &way.config_id);
    corp.join_ways.insert(way.config_id.clone(), way);
}

fn known<'a>(call: &'a Call<'_>) -> Result<&'a JoinWay, Refusal> {
    let id = call.optional_text("config_id")?.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::new(41043))?;
    call.corp.join_ways.get(id).ok_or_else(|| Refusal::new(41044))
}

fn get(call: &mut Call<'_>) -> Answer {
    let way = known(call)?;
    Ok(json!({"join_way": way_json(way)}))
}

fn way_json(way: &JoinWay) -> Value {
    json!({"config_id": way.config_id, "scene": way.scene, "remark": way.remark,
        "auto_create_room": i64::from(way.creates_groups), "room_base_name": way.base_name,
        "room_base_id": way.base_id, "chat_id_list": way.chat_ids, "qr_code": way.qr_code, "state": way.state,
        "mark_source": way.mark_source})
}

fn update(call: &mut Call<'_>) -> Answer {
    let before = known(call)?;
    let (config_id, qr_code) = (before.config_id.clone(), before.qr_code.clone());
    let way = JoinWay {
        config_id,
        qr_code,
        ..described(call)?
    };
    put(call.corp, way);
    Ok(json!({}))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let id = known(call)?.config_id.clone();
    call.corp.touch(Kind::JoinWay, &id);
    call.corp.join_ways.remove(&id);
    Ok(json!({}))
}

/// A person scans the code of a way; answers the group it led to.
pub fn scan(
    corp: &mut Corp,
    now: Timestamp,
    customer: &str,
    config_id: &str,
    knobs: &Knobs,
) -> anyhow::Result<String> {
    let way = corp.join_ways.get(config_id).cloned();
    let mut way = way.ok_or_else(|| anyhow::anyhow!("no join way `{config_id}`"))?;
    way.chat_ids.retain(|id| corp.groups.contains_key(id));
    let open = way
        .chat_ids
        .iter()
        .find(|id| has_room(&corp.groups[*id], BY_CODE, knobs));
    let chat_id = match open.cloned() {
        Some(id) => id,
        None => next_group(corp, now, &mut way)?,
    };
    let state = way.state.clone();
    put(corp, way);
    let joining = Joining {
        scene: BY_CODE,
        state: &state,
        invitor: None,
    };
    groups::join(corp, now, &chat_id, customer, joining, knobs)?;
    Ok(chat_id)
}

/// Makes the next group with the owner of the last one; a full group makes room for it in the way.
fn next_group(corp: &mut Corp, now: Timestamp, way: &mut JoinWay) -> anyhow::Result<String> {
    let last = way.chat_ids.last().and_then(|id| corp.groups.get(id));
    let owner = last
        .map(|group| group.owner.clone())
        .filter(|_| way.creates_groups);
    let owner = owner.ok_or_else(|| anyhow::anyhow!("no group of join way `{}` has room", way.config_id))?;
    let name = format!("{}{}", way.base_name, way.base_id);
    let id = groups::create(corp, now, &owner, &name, &[])?;
    way.base_id += 1;
    if way.chat_ids.len() == MAX_GROUPS {
        way.chat_ids.remove(0);
    }
    way.chat_ids.push(id.clone());
    Ok(id)
}
