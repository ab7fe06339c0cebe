//! Customer groups 客户群. Calls only read them: people make groups, come, go, write and dismiss them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::broadcasts::shown;
use super::callbacks::Event;
use super::faults::Knobs;
use super::gate::{Answer, Api, Call, Refusal, strings};
use super::world::{Corp, Kind, Member};
use crate::time::Timestamp;

pub const APIS: &[Api] = &[
    Api::post("externalcontact/groupchat/list", list).listing(&["group_chat_list"]),
    Api::post("externalcontact/groupchat/get", get),
    Api::post("externalcontact/opengid_to_chatid", chat_of),
];

/// Members whose groups a call may ask for without naming them.
const MAX_UNNAMED: usize = 1_000;
const MAX_OWNERS: usize = 100;
/// A day of the platform's clock, which stands in Shanghai.
pub const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub chat_id: String,
    #[serde(default)]
    pub name: String,
    /// Key of a member.
    pub owner: String,
    #[serde(default)]
    pub admins: Vec<String>,
    #[serde(default)]
    pub notice: String,
    /// Seconds.
    pub created_at: i64,
    pub opengid: String,
    pub members: Vec<GroupMember>,
    /// Another one after every coming and going.
    pub version: String,
    /// Handed on after its owner left (3).
    #[serde(default)]
    pub is_inherited: bool,
    /// Handed on by a call, when (in seconds) and to whom.
    #[serde(default)]
    pub handed: Vec<(i64, String)>,
    /// When broadcasts reached the group, in seconds; the last month or so.
    #[serde(default)]
    pub received: Vec<i64>,
    /// What happened, by day.
    #[serde(default)]
    pub days: BTreeMap<String, GroupDay>,
    /// As it was before the last change, for reads until then (in milliseconds).
    #[serde(skip)]
    pub before: Option<Box<(i64, Group)>>,
}

/// Somebody in a group: a member by key, or a person outside by external_userid, whether anybody's customer or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupMember {
    pub id: String,
    #[serde(default)]
    pub is_external: bool,
    /// Seconds.
    pub joined_at: i64,
    /// 1 invited, 2 by an invitation's link, 3 by a code.
    pub scene: i64,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub invitor: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupDay {
    pub joined: usize,
    pub messages: usize,
    pub speakers: BTreeSet<String>,
}

impl Group {
    pub fn holds(&self, id: &str) -> bool {
        self.members.iter().any(|member| member.id == id)
    }

    /// Today's line.
    pub fn day(&mut self, now: Timestamp) -> &mut GroupDay {
        self.days.entry(now.day(ZONE).to_string()).or_default()
    }
}

/// Owners a call names, by key; `None`: everybody's.
pub fn owners(call: &Call<'_>) -> Result<Option<BTreeSet<String>>, Refusal> {
    let named = strings(
        call.body["owner_filter"].get("userid_list"),
        "userid_list",
        MAX_OWNERS,
    )?;
    if !named.is_empty() {
        let keys: Result<_, _> = named.iter().map(|userid| known_member(call, userid)).collect();
        return keys.map(Some);
    }
    let is_visible = |(key, member): &(&String, &Member)| member.status != 5 && call.sees(key);
    let visible = call.corp.members.iter().filter(is_visible).count();
    if visible > MAX_UNNAMED {
        return Err(Refusal::new(81017));
    }
    Ok(None)
}

/// Somebody who has left may still own groups.
fn known_member(call: &Call<'_>, userid: &str) -> Result<String, Refusal> {
    let key = userid.to_lowercase();
    if call.corp.members.contains_key(&key) {
        Ok(key)
    } else {
        Err(Refusal::new(40003))
    }
}

fn list(call: &mut Call<'_>) -> Answer {
    match call.number("limit")? {
        Some(1..=1_000) => {}
        _ => return Err(Refusal::field("limit", "is missing or not within 1 and 1000")),
    }
    let owners = owners(call)?;
    let wanted = call.number("status_filter")?.unwrap_or(0);
    let mut groups: Vec<&Group> = call
        .corp
        .groups
        .values()
        .filter(|group| owners.as_ref().is_none_or(|owners| owners.contains(&group.owner)))
        .filter(|group| call.sees(&group.owner))
        .filter(|group| wanted == 0 || status(call.corp, group) == wanted)
        .collect();
    groups.sort_by_key(|group| (group.created_at, &group.chat_id));
    let (page, next) = call.page(groups.into_iter(), 1_000, 1_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|group| json!({"chat_id": group.chat_id, "status": status(call.corp, group)}))
        .collect();
    Ok(json!({"group_chat_list": list, "next_cursor": next}))
}

/// 0 as usual, 1 its owner left and nobody has it yet, 3 handed on after that.
fn status(corp: &Corp, group: &Group) -> i64 {
    match is_left(corp, &group.owner) {
        true => 1,
        false if group.is_inherited => 3,
        false => 0,
    }
}

pub fn is_left(corp: &Corp, key: &str) -> bool {
    corp.members.get(key).is_none_or(|member| member.status == 5)
}

fn get(call: &mut Call<'_>) -> Answer {
    let group = call.corp.groups.get(call.text("chat_id")?);
    let group = group.filter(|group| call.sees(&group.owner));
    let group = group.ok_or_else(|| Refusal::new(40050))?;
    let read = match &group.before {
        Some(before) if call.now.0 < before.0 => &before.1,
        _ => group,
    };
    let with_names = call.number("need_name")? == Some(1);
    Ok(json!({"group_chat": group_json(call.corp, read, with_names)}))
}

fn group_json(corp: &Corp, group: &Group, with_names: bool) -> Value {
    let members: Vec<Value> = group
        .members
        .iter()
        .map(|member| member_json(corp, member, with_names))
        .collect();
    let admins: Vec<Value> = group
        .admins
        .iter()
        .map(|key| json!({"userid": shown(corp, key)}))
        .collect();
    json!({"chat_id": group.chat_id, "name": group.name, "owner": shown(corp, &group.owner),
        "create_time": group.created_at, "notice": group.notice, "member_list": members, "admin_list": admins,
        "member_version": group.version})
}

fn member_json(corp: &Corp, member: &GroupMember, with_names: bool) -> Value {
    let mut json = json!({"userid": shown(corp, &member.id), "type": if member.is_external { 2 } else { 1 },
        "join_time": member.joined_at, "join_scene": member.scene, "group_nickname": ""});
    let person = corp.customers.get(&member.id).filter(|_| member.is_external);
    if let Some(person) = person.filter(|person| !person.unionid.is_empty()) {
        json["unionid"] = json!(person.unionid);
    }
    if !member.state.is_empty() {
        json["state"] = json!(member.state);
    }
    if let Some(invitor) = &member.invitor {
        json["invitor"] = json!({"userid": shown(corp, invitor)});
    }
    if with_names {
        let colleague = corp.members.get(&member.id).map(|colleague| &colleague.name);
        json["name"] = json!(person.map(|person| &person.name).or(colleague));
    }
    json
}

fn chat_of(call: &mut Call<'_>) -> Answer {
    let opengid = call.text("opengid")?;
    let group = call.corp.groups.values().find(|group| group.opengid == opengid);
    let group = group.ok_or_else(|| Refusal::new(90511))?;
    Ok(json!({"chat_id": group.chat_id}))
}

/// How somebody comes in.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    /// 1 invited, 2 by an invitation's link, 3 by a code.
    pub scene: i64,
    pub state: &'a str,
    pub invitor: Option<&'a str>,
}

fn told(change: &'static str, chat_id: &str) -> Event {
    Event::new("change_external_chat", change).with("ChatId", chat_id)
}

fn put(corp: &mut Corp, group: Group) {
    corp.touch(Kind::Group, &group.chat_id);
    corp.groups.insert(group.chat_id.clone(), group);
}

fn new_version(corp: &mut Corp) -> String {
    corp.new_id("", 32).to_lowercase()
}

/// A member makes a group of himself and others; answers its chat_id.
pub fn create(
    corp: &mut Corp,
    now: Timestamp,
    owner: &str,
    name: &str,
    people: &[&str],
) -> anyhow::Result<String> {
    let owner = owner.to_lowercase();
    anyhow::ensure!(!is_left(corp, &owner), "no active member `{owner}`");
    let first = GroupMember {
        id: owner.clone(),
        joined_at: now.seconds(),
        scene: 1,
        ..GroupMember::default()
    };
    let mut group = Group {
        chat_id: corp.new_id("wr", 32),
        name: name.to_owned(),
        owner: owner.clone(),
        created_at: now.seconds(),
        opengid: corp.new_id("oG", 28),
        members: vec![first],
        version: new_version(corp),
        ..Group::default()
    };
    let joining = Joining {
        scene: 1,
        state: "",
        invitor: Some(&owner),
    };
    for person in people {
        let newcomer = newcomer(corp, now, person, joining)?;
        if !group.holds(&newcomer.id) {
            group.members.push(newcomer);
        }
    }
    group.day(now).joined = group.members.len();
    let id = group.chat_id.clone();
    corp.events.push(told("create", &id));
    put(corp, group);
    Ok(id)
}

fn newcomer(corp: &Corp, now: Timestamp, person: &str, joining: Joining<'_>) -> anyhow::Result<GroupMember> {
    let key = person.to_lowercase();
    let is_colleague = !is_left(corp, &key);
    anyhow::ensure!(
        is_colleague || corp.customers.contains_key(person),
        "nobody is called `{person}`"
    );
    Ok(GroupMember {
        id: if is_colleague { key } else { person.to_owned() },
        is_external: !is_colleague,
        joined_at: now.seconds(),
        scene: joining.scene,
        state: joining.state.to_owned(),
        invitor: joining.invitor.map(str::to_lowercase),
    })
}

/// Somebody comes into a group, if there is room.
pub fn join(
    corp: &mut Corp,
    now: Timestamp,
    chat_id: &str,
    person: &str,
    joining: Joining<'_>,
    knobs: &Knobs,
) -> anyhow::Result<()> {
    let newcomer = newcomer(corp, now, person, joining)?;
    let group = known(corp, chat_id)?;
    anyhow::ensure!(
        !group.holds(&newcomer.id),
        "`{person}` is in group `{chat_id}` already"
    );
    anyhow::ensure!(has_room(group, joining.scene, knobs), "group `{chat_id}` is full");
    let id = newcomer.id.clone();
    let (last, current) = change_members(corp, now, chat_id, knobs, |group| {
        group.members.push(newcomer);
        group.day(now).joined += 1;
    })?;
    let id = shown(corp, &id);
    let event = told("update", chat_id)
        .with("UpdateDetail", "add_member")
        .with("JoinScene", if joining.scene == 3 { "3" } else { "0" });
    corp.events.push(counted(event, id, &last, &current));
    Ok(())
}

pub fn has_room(group: &Group, scene: i64, knobs: &Knobs) -> bool {
    let ceiling = if scene == 3 {
        knobs.group_code_ceiling
    } else {
        knobs.group_ceiling
    };
    group.members.len() < ceiling.min(knobs.group_ceiling)
}

/// Somebody leaves a group, or is removed from it. The owner cannot: a group needs one.
pub fn leave(
    corp: &mut Corp,
    now: Timestamp,
    chat_id: &str,
    person: &str,
    is_removed: bool,
    knobs: &Knobs,
) -> anyhow::Result<()> {
    let group = known(corp, chat_id)?;
    let found = group
        .members
        .iter()
        .find(|member| member.id == person || (!member.is_external && member.id == person.to_lowercase()));
    let id = found.map(|member| member.id.clone());
    let id = id.ok_or_else(|| anyhow::anyhow!("`{person}` is not in group `{chat_id}`"))?;
    anyhow::ensure!(id != group.owner, "`{person}` owns group `{chat_id}`");
    let (last, current) = change_members(corp, now, chat_id, knobs, |group| {
        group.members.retain(|member| member.id != id);
        group.admins.retain(|admin| *admin != id);
    })?;
    let id = shown(corp, &id);
    let event = told("update", chat_id)
        .with("UpdateDetail", "del_member")
        .with("QuitScene", if is_removed { "1" } else { "0" });
    corp.events.push(counted(event, id, &last, &current));
    Ok(())
}

fn counted(event: Event, id: String, last: &str, current: &str) -> Event {
    event
        .with("MemChangeCnt", "1")
        .with("LastMemVer", last)
        .with("CurMemVer", current)
        .listing("MemChangeList", vec![id])
}

/// Changes who is in a group; answers the version before and the one after.
fn change_members(
    corp: &mut Corp,
    now: Timestamp,
    chat_id: &str,
    knobs: &Knobs,
    change: impl FnOnce(&mut Group),
) -> anyhow::Result<(String, String)> {
    let version = new_version(corp);
    let group = known_mut(corp, chat_id)?;
    keep_before(group, now, knobs);
    let last = std::mem::replace(&mut group.version, version.clone());
    change(group);
    Ok((last, version))
}

/// Reads lag behind: what was there is shown until the lag is over, whatever else changes meanwhile.
fn keep_before(group: &mut Group, now: Timestamp, knobs: &Knobs) {
    let is_lagging = group.before.as_ref().is_some_and(|before| now.0 < before.0);
    if is_lagging || knobs.group_lag_ms <= 0 {
        return;
    }
    group.before = None;
    group.before = Some(Box::new((now.0 + knobs.group_lag_ms, group.clone())));
}

/// What the owner may change of a group besides its people.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    Name(&'a str),
    Notice(&'a str),
    Owner(&'a str),
}

pub fn change(
    corp: &mut Corp,
    now: Timestamp,
    chat_id: &str,
    change: Change<'_>,
    knobs: &Knobs,
) -> anyhow::Result<()> {
    if let Change::Owner(userid) = change {
        let key = userid.to_lowercase();
        let is_able = !is_left(corp, &key) && known(corp, chat_id)?.holds(&key);
        anyhow::ensure!(is_able, "`{userid}` is no active member of group `{chat_id}`");
    }
    let group = known_mut(corp, chat_id)?;
    keep_before(group, now, knobs);
    let detail = match change {
        Change::Name(name) => {
            name.clone_into(&mut group.name);
            "change_name"
        }
        Change::Notice(notice) => {
            notice.clone_into(&mut group.notice);
            "change_notice"
        }
        Change::Owner(userid) => {
            group.owner = userid.to_lowercase();
            "change_owner"
        }
    };
    corp.events
        .push(told("update", chat_id).with("UpdateDetail", detail));
    Ok(())
}

/// The owner ends a group: from now on nobody can read it.
pub fn dismiss(corp: &mut Corp, chat_id: &str) -> anyhow::Result<()> {
    known_mut(corp, chat_id)?;
    corp.groups.remove(chat_id);
    corp.events.push(told("dismiss", chat_id));
    Ok(())
}

/// Somebody writes in a group.
pub fn write(corp: &mut Corp, now: Timestamp, chat_id: &str, person: &str) -> anyhow::Result<()> {
    let group = known_mut(corp, chat_id)?;
    let key = person.to_lowercase();
    let speaker = group
        .members
        .iter()
        .find(|member| member.id == person || member.id == key)
        .map(|member| member.id.clone());
    let speaker = speaker.ok_or_else(|| anyhow::anyhow!("`{person}` is not in group `{chat_id}`"))?;
    let today = group.day(now);
    today.messages += 1;
    today.speakers.insert(speaker);
    Ok(())
}

pub fn known<'a>(corp: &'a Corp, chat_id: &str) -> anyhow::Result<&'a Group> {
    corp.groups
        .get(chat_id)
        .ok_or_else(|| anyhow::anyhow!("no customer group `{chat_id}`"))
}

/// The same, to be changed: it is written to the journal afterwards.
pub fn known_mut<'a>(corp: &'a mut Corp, chat_id: &str) -> anyhow::Result<&'a mut Group> {
    corp.touch(Kind::Group, chat_id);
    corp.groups
        .get_mut(chat_id)
        .ok_or_else(|| anyhow::anyhow!("no customer group `{chat_id}`"))
}
