//! A member's userid is changed, which the console allows once: the person stays, and with the new id everything that
//! was theirs.

use std::collections::BTreeMap;

use super::Sandbox;
use super::callbacks::Event;
use super::world::{Corp, Kind, Pair, join};

/// Gives a member another userid.
pub fn rename(corp: &mut Corp, userid: &str, new_userid: &str) -> anyhow::Result<()> {
    let (old, new) = (userid.to_lowercase(), new_userid.to_lowercase());
    let member = corp.members.get(&old).filter(|member| member.status != 5);
    let member = member.ok_or_else(|| anyhow::anyhow!("no member `{userid}`"))?;
    anyhow::ensure!(!member.is_renamed, "the userid of `{userid}` was changed before");
    anyhow::ensure!(!new.is_empty(), "a member needs a userid");
    anyhow::ensure!(
        new == old || !corp.members.contains_key(&new),
        "there is a member `{new_userid}`"
    );
    let mut member = member.clone();
    let event = Event::new("change_contact", "update_user")
        .with("UserID", &member.userid)
        .with("NewUserID", new_userid);
    new_userid.clone_into(&mut member.userid);
    member.is_renamed = true;
    if new != old {
        corp.members.remove(&old);
        corp.touch(Kind::Member, &old);
        move_pairs(corp, &old, &new);
        move_tasks(corp, &old, &new);
        move_groups(corp, &old, &new);
        move_ways(corp, &old, &new);
        move_rest(corp, &old, &new);
    }
    corp.put_member(member);
    corp.events.push(event);
    Ok(())
}

fn move_pairs(corp: &mut Corp, old: &str, new: &str) {
    let pairs: Vec<_> = corp.relations.of_member(old, None).cloned().collect();
    for mut pair in pairs {
        corp.remove_relation(old, &pair.external_userid);
        new.clone_into(&mut pair.userid);
        corp.put_relation(pair);
    }
    let moved: Vec<_> = corp
        .transfers
        .values()
        .filter(|transfer| transfer.handover == old || transfer.takeover == old)
        .cloned()
        .collect();
    for mut transfer in moved {
        rename_in(&mut transfer.handover, old, new);
        rename_in(&mut transfer.takeover, old, new);
        corp.put_transfer(transfer);
    }
}

fn rename_in(place: &mut String, old: &str, new: &str) {
    if place.as_str() == old {
        new.clone_into(place);
    }
}

/// Parts of broadcasts and moments, and who made them.
fn move_tasks(corp: &mut Corp, old: &str, new: &str) {
    let pairs = rekeyed(&mut corp.broadcast_tasks, new, |pair| pair.1 == old);
    for (before, after) in pairs {
        corp.touch(Kind::BroadcastTask, join(&before));
        corp.touch(Kind::BroadcastTask, join(&after));
        if let Some(task) = corp.broadcast_tasks.get_mut(&after) {
            new.clone_into(&mut task.userid);
        }
    }
    let pairs = rekeyed(&mut corp.moment_tasks, new, |pair| pair.1 == old);
    for (before, after) in pairs {
        corp.touch(Kind::MomentTask, join(&before));
        corp.touch(Kind::MomentTask, join(&after));
        if let Some(task) = corp.moment_tasks.get_mut(&after) {
            new.clone_into(&mut task.userid);
        }
    }
    let made: Vec<String> = corp
        .broadcasts
        .values_mut()
        .filter(|broadcast| broadcast.creator == old)
        .map(|broadcast| {
            new.clone_into(&mut broadcast.creator);
            broadcast.msgid.clone()
        })
        .collect();
    made.into_iter().for_each(|id| corp.touch(Kind::Broadcast, id));
    let made: Vec<String> = corp
        .moments
        .values_mut()
        .filter(|moment| moment.creator == old)
        .map(|moment| {
            new.clone_into(&mut moment.creator);
            moment.moment_id.clone()
        })
        .collect();
    made.into_iter().for_each(|id| corp.touch(Kind::Moment, id));
}

/// Puts what stands under a task and a member under the member's new key; answers the keys before and after.
fn rekeyed<T>(
    tasks: &mut BTreeMap<Pair, T>,
    new: &str,
    is_meant: impl Fn(&Pair) -> bool,
) -> Vec<(Pair, Pair)> {
    let old: Vec<Pair> = tasks.keys().filter(|pair| is_meant(pair)).cloned().collect();
    let mut moved = Vec::new();
    for before in old {
        if let Some(task) = tasks.remove(&before) {
            let after = (before.0.clone(), new.to_owned());
            tasks.insert(after.clone(), task);
            moved.push((before, after));
        }
    }
    moved
}

fn move_groups(corp: &mut Corp, old: &str, new: &str) {
    let mut changed = Vec::new();
    for group in corp.groups.values_mut() {
        let is_in = group.owner == old || group.holds(old);
        if !is_in {
            continue;
        }
        rename_in(&mut group.owner, old, new);
        group
            .admins
            .iter_mut()
            .for_each(|admin| rename_in(admin, old, new));
        for member in &mut group.members {
            if !member.is_external {
                rename_in(&mut member.id, old, new);
            }
            if let Some(invitor) = &mut member.invitor {
                rename_in(invitor, old, new);
            }
        }
        changed.push(group.chat_id.clone());
    }
    changed.into_iter().for_each(|id| corp.touch(Kind::Group, id));
}

/// Contact ways and links that lead to the member, and the visible ranges that name them.
fn move_ways(corp: &mut Corp, old: &str, new: &str) {
    let mut changed = Vec::new();
    for way in corp.contact_ways.values_mut() {
        let picked = way.picked.remove(old);
        let is_in = way.users.iter().any(|user| user == old) || picked.is_some();
        if !is_in {
            continue;
        }
        way.users.iter_mut().for_each(|user| rename_in(user, old, new));
        way.kept.values_mut().for_each(|user| rename_in(user, old, new));
        if let Some(picked) = picked {
            way.picked.insert(new.to_owned(), picked);
        }
        changed.push((Kind::ContactWay, way.config_id.clone()));
    }
    for link in corp.links.values_mut() {
        link.users.iter_mut().for_each(|user| rename_in(user, old, new));
        for brought in &mut link.customers {
            rename_in(&mut brought.userid, old, new);
        }
        changed.push((Kind::AcquisitionLink, link.link_id.clone()));
    }
    for app in std::iter::once(&mut corp.app).chain(&mut corp.more_apps) {
        for member in &mut app.members {
            if member.to_lowercase() == old {
                new.clone_into(member);
            }
        }
    }
    let apps: Vec<i64> = corp.apps().map(|app| app.agent_id).collect();
    apps.into_iter().for_each(|agent_id| corp.touch_app(agent_id));
    changed.into_iter().for_each(|(kind, id)| corp.touch(kind, id));
}

/// Days of statistics, notices, welcome codes, tickets.
fn move_rest(corp: &mut Corp, old: &str, new: &str) {
    let days: Vec<Pair> = corp
        .behaviour
        .keys()
        .filter(|pair| pair.0 == old)
        .cloned()
        .collect();
    for before in days {
        let after = (new.to_owned(), before.1.clone());
        corp.touch(Kind::Behaviour, join(&before));
        corp.touch(Kind::Behaviour, join(&after));
        if let Some(day) = corp.behaviour.remove(&before) {
            corp.behaviour.insert(after, day);
        }
    }
    if let Some(notices) = corp.notices.remove(old) {
        corp.notices.insert(new.to_owned(), notices);
    }
    for welcome in corp.welcomes.values_mut() {
        rename_in(&mut welcome.userid, old, new);
    }
    for (key, _) in corp.tickets.values_mut() {
        rename_in(key, old, new);
    }
}

impl Sandbox {
    /// An administrator gives a member another userid.
    ///
    /// # Errors
    /// When the member is not there, was renamed before, or the userid is taken.
    pub fn rename_member(&self, corpid: &str, member: &str, new_userid: &str) -> anyhow::Result<()> {
        self.with_corp(corpid, |corp, _| rename(corp, member, new_userid))
    }
}
