//! Corp tags, and tags on pairs. Calls emit nothing; a person's edits in the console do.

use serde::Deserialize;
use serde_json::{Value, json};

use super::callbacks::Event;
use super::gate::{Answer, Api, Call, Refusal};
use super::word::Word;
use super::world::{Corp, Tag, TagGroup};
use crate::time::Timestamp;

pub const APIS: &[Api] = &[
    Api::post("externalcontact/get_corp_tag_list", list).listing(&["tag_group"]),
    Api::post("externalcontact/add_corp_tag", add),
    Api::post("externalcontact/edit_corp_tag", edit),
    Api::post("externalcontact/del_corp_tag", delete),
    Api::post("externalcontact/mark_tag", mark),
];

const MAX_NAME: usize = 30;

fn list(call: &mut Call<'_>) -> Answer {
    let tag_ids = call.texts("tag_id", 3_000)?;
    let group_ids = call.texts("group_id", 3_000)?;
    let wants_tag =
        |tag: &Tag| !group_ids.is_empty() || tag_ids.is_empty() || tag_ids.contains(&tag.id.as_str());
    let groups: Vec<Value> = call
        .corp
        .tag_groups
        .values()
        .filter(|group| group_ids.is_empty() || group_ids.contains(&group.group_id.as_str()))
        .filter(|group| group.tags.iter().any(wants_tag))
        .map(|group| group_json(group, wants_tag))
        .collect();
    Ok(json!({"tag_group": groups}))
}

fn group_json(group: &TagGroup, wants: impl Fn(&Tag) -> bool) -> Value {
    let tags: Vec<Value> = group
        .tags
        .iter()
        .filter(|tag| wants(tag))
        .map(|tag| {
            json!({"id": tag.id, "name": tag.name, "create_time": tag.create_time, "order": tag.order, "deleted": false})
        })
        .collect();
    json!({"group_id": group.group_id, "group_name": group.group_name, "create_time": group.create_time,
        "order": group.order, "deleted": false, "tag": tags})
}

#[derive(Deserialize)]
struct NewTag {
    name: String,
    #[serde(default)]
    order: i64,
}

fn add(call: &mut Call<'_>) -> Answer {
    let mut tags: Vec<NewTag> = serde_json::from_value(call.body["tag"].clone())
        .map_err(|_| Refusal::field("tag", "is not a list of tags"))?;
    let mut seen = std::collections::HashSet::new();
    tags.retain(|tag| seen.insert(tag.name.clone()));
    if tags.is_empty() || tags.iter().any(|tag| !is_name(&tag.name)) {
        return Err(Refusal::field("tag", "is empty or holds a bad name"));
    }
    let held: usize = call.corp.tag_groups.values().map(|group| group.tags.len()).sum();
    if held + tags.len() > call.knobs.corp_tag_ceiling {
        return Err(Refusal::new(40126));
    }
    let mut group = wanted_group(call)?;
    if tags
        .iter()
        .any(|new| group.tags.iter().any(|tag| tag.name == new.name))
    {
        return Err(Refusal::new(40071));
    }
    let made = put_tags(call.corp, call.now, &mut group, tags, Maker::App(call.agent_id));
    let answer = group_json(&group, |tag| made.contains(&tag.id));
    call.corp.put_group(group);
    Ok(json!({"tag_group": answer}))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME
}

/// The group new tags go to: by id, by name, or a new one.
fn wanted_group(call: &mut Call<'_>) -> Result<TagGroup, Refusal> {
    if let Some(id) = call.optional_text("group_id")?.filter(|id| !id.is_empty()) {
        return call
            .corp
            .tag_groups
            .get(id)
            .cloned()
            .ok_or_else(|| Refusal::new(40068));
    }
    let name = call.text("group_name")?;
    if !is_name(name) {
        return Err(Refusal::field(
            "group_name",
            &format!("exceed max length {MAX_NAME}"),
        ));
    }
    if let Some(group) = call
        .corp
        .tag_groups
        .values()
        .find(|group| group.group_name == name)
    {
        return Ok(group.clone());
    }
    Ok(TagGroup {
        group_id: call.corp.new_id("et", 32),
        group_name: name.to_owned(),
        create_time: call.now.seconds(),
        order: call.number("order")?.unwrap_or(0),
        made_by: Some(call.agent_id),
        ..TagGroup::default()
    })
}

/// Who makes a tag: only its app may edit it, and of the console's none may.
#[derive(Clone, Copy)]
enum Maker {
    App(i64),
    Console,
}

fn put_tags(
    corp: &mut Corp,
    now: Timestamp,
    group: &mut TagGroup,
    tags: Vec<NewTag>,
    maker: Maker,
) -> Vec<String> {
    let (is_console_made, made_by) = match maker {
        Maker::App(agent_id) => (false, Some(agent_id)),
        Maker::Console => (true, None),
    };
    let mut made = Vec::with_capacity(tags.len());
    for tag in tags {
        let id = corp.new_id("et", 32);
        made.push(id.clone());
        group.tags.push(Tag {
            id,
            name: tag.name,
            create_time: now.seconds(),
            order: tag.order,
            is_console_made,
            made_by,
        });
    }
    made
}

fn edit(call: &mut Call<'_>) -> Answer {
    let id = call.text("id")?;
    let name = call.optional_text("name")?;
    if name.is_some_and(|name| !is_name(name)) {
        return Err(Refusal::field("name", "is empty or too long"));
    }
    let order = call.number("order")?;
    let mut group = group_with(call.corp, id)?;
    owned(&group, id, call.agent_id)?;
    rename(&mut group, id, name, order)?;
    call.corp.put_group(group);
    Ok(json!({}))
}

/// The group of this id, or the group that holds the tag of this id.
fn group_with(corp: &Corp, id: &str) -> Result<TagGroup, Refusal> {
    let group = corp
        .tag_groups
        .get(id)
        .or_else(|| corp.tag(id).map(|(group, _)| group));
    group.cloned().ok_or_else(|| Refusal::new(40068))
}

/// Whether the app may edit and delete the group, or the tag in it, of this id.
fn owned(group: &TagGroup, id: &str, agent_id: i64) -> Result<(), Refusal> {
    let tag = group.tags.iter().find(|tag| tag.id == id);
    let (is_console_made, made_by) = match tag {
        Some(tag) => (tag.is_console_made || group.is_console_made, tag.made_by),
        None => (group.is_console_made, group.made_by),
    };
    if is_console_made || made_by.is_some_and(|maker| maker != agent_id) {
        return Err(Refusal::new(40068));
    }
    Ok(())
}

fn rename(group: &mut TagGroup, id: &str, name: Option<&str>, order: Option<i64>) -> Result<(), Refusal> {
    if group.group_id == id {
        name.inspect(|name| (*name).clone_into(&mut group.group_name));
        group.order = order.unwrap_or(group.order);
        return Ok(());
    }
    if name.is_some_and(|name| group.tags.iter().any(|tag| tag.id != id && tag.name == name)) {
        return Err(Refusal::new(40071));
    }
    for tag in group.tags.iter_mut().filter(|tag| tag.id == id) {
        name.inspect(|name| (*name).clone_into(&mut tag.name));
        tag.order = order.unwrap_or(tag.order);
    }
    Ok(())
}

fn delete(call: &mut Call<'_>) -> Answer {
    let ids: Vec<&str> = [call.texts("tag_id", 3_000)?, call.texts("group_id", 3_000)?].concat();
    if ids.is_empty() {
        return Err(Refusal::field("tag_id", "and `group_id` are both empty"));
    }
    for id in &ids {
        owned(&group_with(call.corp, id)?, id, call.agent_id)?;
    }
    ids.iter().for_each(|id| remove(call.corp, id));
    Ok(json!({}))
}

/// Removes a tag or a whole group, from pairs too; a group without tags goes with its last one.
fn remove(corp: &mut Corp, id: &str) {
    let Ok(mut group) = group_with(corp, id) else {
        return;
    };
    let gone: Vec<String> = if group.group_id == id {
        group.tags.drain(..).map(|tag| tag.id).collect()
    } else {
        group.tags.retain(|tag| tag.id != id);
        vec![id.to_owned()]
    };
    corp.untag_everybody(&gone);
    if group.tags.is_empty() {
        corp.remove_group(&group.group_id);
    } else {
        corp.put_group(group);
    }
}

fn mark(call: &mut Call<'_>) -> Answer {
    let key = call.member(call.text("userid")?)?;
    let customer = call.text("external_userid")?;
    let add = call.texts("add_tag", 3_000)?;
    let take = call.texts("remove_tag", 3_000)?;
    if add.is_empty() && take.is_empty() {
        return Err(Refusal::field("add_tag", "and `remove_tag` are both empty"));
    }
    if !call.corp.customers.contains_key(customer) {
        return Err(Refusal::new(40096));
    }
    if call.corp.relation(&key, customer).is_none() {
        return Err(Refusal::new(84084));
    }
    if add.iter().chain(&take).any(|id| call.corp.tag(id).is_none()) {
        return Err(Refusal::new(40068));
    }
    set_tags(call.corp, &key, customer, &add, &take);
    Ok(json!({}))
}

pub fn set_tags(corp: &mut Corp, member: &str, customer: &str, add: &[&str], take: &[&str]) {
    let add: Vec<Word> = add.iter().map(|id| corp.word(id)).collect();
    let Some(relation) = corp.relation_mut(member, customer) else {
        return;
    };
    relation.tag_ids.retain(|id| !take.contains(&id.as_str()));
    for id in add {
        if !relation.tag_ids.contains(&id) {
            relation.tag_ids.push(id);
        }
    }
}

/// An administrator makes a tag in the console; no app may edit it later.
pub fn console_adds(corp: &mut Corp, now: Timestamp, group_name: &str, name: &str) -> anyhow::Result<String> {
    anyhow::ensure!(
        is_name(group_name) && is_name(name),
        "a name has 1 to {MAX_NAME} characters"
    );
    let known = corp
        .tag_groups
        .values()
        .find(|group| group.group_name == group_name);
    let is_new = known.is_none();
    let mut group = known.cloned().unwrap_or_default();
    if is_new {
        group.group_id = corp.new_id("et", 32);
        group_name.clone_into(&mut group.group_name);
        group.create_time = now.seconds();
        group.is_console_made = true;
        corp.events
            .push(Event::tag("create", &group.group_id, "tag_group"));
    }
    anyhow::ensure!(
        group.tags.iter().all(|tag| tag.name != name),
        "tag `{name}` is in `{group_name}` already"
    );
    let id = put_tags(
        corp,
        now,
        &mut group,
        vec![NewTag {
            name: name.to_owned(),
            order: 0,
        }],
        Maker::Console,
    )
    .remove(0);
    corp.events.push(Event::tag("create", &id, "tag"));
    corp.put_group(group);
    Ok(id)
}

/// An administrator renames a tag or a group in the console.
pub fn console_renames(corp: &mut Corp, id: &str, name: &str) -> anyhow::Result<()> {
    let refused = |refusal: Refusal| anyhow::anyhow!("{}", refusal.words);
    let mut group = group_with(corp, id).map_err(refused)?;
    rename(&mut group, id, Some(name), None).map_err(refused)?;
    let kind = if group.group_id == id { "tag_group" } else { "tag" };
    corp.events.push(Event::tag("update", id, kind));
    corp.put_group(group);
    Ok(())
}

/// An administrator deletes a tag or a group in the console.
pub fn console_deletes(corp: &mut Corp, id: &str) -> anyhow::Result<()> {
    let group = group_with(corp, id).map_err(|refusal| anyhow::anyhow!("{}", refusal.words))?;
    let kind = if group.group_id == id { "tag_group" } else { "tag" };
    remove(corp, id);
    corp.events.push(Event::tag("delete", id, kind));
    Ok(())
}
