//! What people do: scan, accept, delete, chat, tag, leave. Each act changes the world and emits what the platform would.
//!
//! NONE → scan → FRIEND → the customer deletes → ONEWAY (still readable) → scans again → FRIEND.
//! FRIEND or ONEWAY → the member deletes → NONE. With verification a scan makes PENDING until the member accepts.
//! A customer who adds a member that does not verify but has not taken it up either is HALF: the app hears of it and
//! may welcome, but reads do not show the pair until the member accepts or chats.

use super::callbacks::Event;
use super::world::{Corp, Kind, Relation, Standing, Welcome};
use crate::time::Timestamp;

/// How a customer came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    pub state: &'a str,
    pub add_way: i64,
    /// The member has to accept first.
    pub needs_acceptance: bool,
    /// The member takes it up later.
    pub is_half: bool,
}

/// How many customers there may be.
#[derive(Debug, Clone, Copy)]
pub struct Ceilings {
    pub per_member: usize,
    pub per_corp: usize,
}

/// A customer scans a member's code. Scanning the code of a friend does nothing.
pub fn scan(
    corp: &mut Corp,
    now: Timestamp,
    customer: &str,
    userid: &str,
    arrival: Arrival<'_>,
    ceilings: Ceilings,
) -> anyhow::Result<()> {
    let member = active_member(corp, userid)?;
    anyhow::ensure!(corp.customers.contains_key(customer), "no customer `{customer}`");
    if corp.is_friend(&member, customer) {
        return Ok(());
    }
    let before = corp.relation(&member, customer).cloned();
    if before.is_none() {
        room(corp, &member, ceilings)?;
    }
    // The member has not deleted this customer, so there is nothing to accept.
    let comes_back = before
        .as_ref()
        .is_some_and(|relation| relation.standing == Standing::OneWay);
    let mut relation = before.unwrap_or_else(|| Relation {
        userid: member.clone(),
        external_userid: customer.to_owned(),
        ..Relation::default()
    });
    relation.createtime = now.seconds();
    relation.add_way = arrival.add_way;
    arrival.state.clone_into(&mut relation.state);
    let standing = match arrival {
        _ if comes_back => Standing::Friend,
        Arrival { is_half: true, .. } => Standing::Half,
        Arrival {
            needs_acceptance: true,
            ..
        } => Standing::Pending,
        _ => Standing::Friend,
    };
    relation.standing = standing;
    corp.put_relation(relation);
    match standing {
        Standing::Friend => added(corp, now, "add_external_contact", &member, customer),
        Standing::Half => added(corp, now, "add_half_external_contact", &member, customer),
        Standing::Pending | Standing::OneWay => {}
    }
    Ok(())
}

/// Over a ceiling there is no pair, and nobody is told.
fn room(corp: &Corp, member: &str, ceilings: Ceilings) -> anyhow::Result<()> {
    anyhow::ensure!(
        corp.relations.count_of(member) < ceilings.per_member,
        "`{member}` has as many customers as a member may have"
    );
    anyhow::ensure!(
        corp.relations.len() < ceilings.per_corp,
        "the corp has as many customers as it may have"
    );
    Ok(())
}

/// The member accepts a customer who asked, or takes up one who added him.
pub fn accept(corp: &mut Corp, now: Timestamp, userid: &str, customer: &str) -> anyhow::Result<()> {
    let member = active_member(corp, userid)?;
    let relation = corp
        .relation_mut(&member, customer)
        .filter(|relation| !relation.standing.is_readable())
        .ok_or_else(|| anyhow::anyhow!("`{customer}` has not asked `{userid}`"))?;
    relation.standing = Standing::Friend;
    relation.createtime = now.seconds();
    added(corp, now, "add_external_contact", &member, customer);
    Ok(())
}

/// Tells of the new pair, with a welcome code for a WeChat user who has not chatted with the member before (which a
/// welcome already sent counts as), unless the console welcomes him.
fn added(corp: &mut Corp, now: Timestamp, change: &'static str, member: &str, customer: &str) {
    let Some(relation) = corp.relation(member, customer) else {
        return;
    };
    let state = relation.state.clone();
    let is_welcome = customer.starts_with("wm")
        && relation.chatted_at.is_none()
        && corp
            .members
            .get(member)
            .is_some_and(|member| !member.has_console_welcome);
    let code = is_welcome.then(|| issue_welcome(corp, now, member, customer));
    let mut event = contact_event(corp, change, member, customer);
    if !state.is_empty() {
        event = event.with("State", &state);
    }
    if let Some(code) = code {
        event = event.with("WelcomeCode", &code);
    }
    corp.events.push(event);
}

fn issue_welcome(corp: &mut Corp, now: Timestamp, member: &str, customer: &str) -> String {
    let code = corp.new_id("WC", 44);
    let welcome = Welcome {
        userid: member.to_owned(),
        external_userid: customer.to_owned(),
        issued_at: now,
        used: None,
        was_contested: false,
    };
    corp.welcomes.insert(code.clone(), welcome);
    code
}

fn contact_event(corp: &Corp, change: &'static str, member: &str, customer: &str) -> Event {
    let userid = super::broadcasts::shown(corp, member);
    Event::new("change_external_contact", change)
        .with("UserID", &userid)
        .with("ExternalUserID", customer)
}

/// The customer deletes or blocks the member: the pair can still be read.
pub fn customer_deletes(corp: &mut Corp, customer: &str, userid: &str) -> anyhow::Result<()> {
    let member = userid.to_lowercase();
    let relation = corp
        .relation_mut(&member, customer)
        .filter(|relation| relation.standing == Standing::Friend)
        .ok_or_else(|| anyhow::anyhow!("`{customer}` and `{userid}` are not friends"))?;
    relation.standing = Standing::OneWay;
    let event = contact_event(corp, "del_follow_user", &member, customer);
    corp.events.push(event);
    Ok(())
}

/// The member deletes the customer: the pair is gone.
pub fn member_deletes(corp: &mut Corp, userid: &str, customer: &str) -> anyhow::Result<()> {
    let member = userid.to_lowercase();
    let gone = corp.remove_relation(&member, customer);
    let gone = gone.ok_or_else(|| anyhow::anyhow!("`{userid}` does not follow `{customer}`"))?;
    if gone.standing.is_readable() {
        let event = contact_event(corp, "del_external_contact", &member, customer);
        corp.events.push(event);
    }
    Ok(())
}

/// The two write to each other: no welcome code after that, and an open broadcast goes to the one who wrote last.
/// A member who writes to somebody half added has taken him up.
pub fn chat(corp: &mut Corp, now: Timestamp, userid: &str, customer: &str) -> anyhow::Result<()> {
    let member = userid.to_lowercase();
    let relation = corp
        .relation_mut(&member, customer)
        .ok_or_else(|| anyhow::anyhow!("`{userid}` does not follow `{customer}`"))?;
    relation.chatted_at = Some(now.0);
    if relation.standing == Standing::Half {
        accept(corp, now, &member, customer)?;
    }
    Ok(())
}

/// A member sets and takes corp tags in the client.
pub fn member_tags(
    corp: &mut Corp,
    userid: &str,
    customer: &str,
    add: &[&str],
    take: &[&str],
) -> anyhow::Result<()> {
    let member = userid.to_lowercase();
    anyhow::ensure!(
        corp.relation(&member, customer).is_some(),
        "`{userid}` does not follow `{customer}`"
    );
    if let Some(unknown) = add.iter().find(|id| corp.tag(id).is_none()) {
        anyhow::bail!("no tag `{unknown}`");
    }
    super::tags::set_tags(corp, &member, customer, add, take);
    edited(corp, &member, customer);
    Ok(())
}

/// A member writes a remark in the client.
pub fn member_remarks(corp: &mut Corp, userid: &str, customer: &str, remark: &str) -> anyhow::Result<()> {
    let member = userid.to_lowercase();
    let relation = corp
        .relation_mut(&member, customer)
        .ok_or_else(|| anyhow::anyhow!("`{userid}` does not follow `{customer}`"))?;
    remark.clone_into(&mut relation.remark);
    edited(corp, &member, customer);
    Ok(())
}

fn edited(corp: &mut Corp, member: &str, customer: &str) {
    let event = contact_event(corp, "edit_external_contact", member, customer);
    corp.events.push(event);
}

/// A member leaves the corp; the pairs stay until somebody hands them over.
pub fn resign(corp: &mut Corp, userid: &str) -> anyhow::Result<()> {
    let key = active_member(corp, userid)?;
    corp.touch(Kind::Member, &key);
    if let Some(member) = corp.members.get_mut(&key) {
        member.status = 5;
        let event = Event::new("change_contact", "delete_user").with("UserID", &member.userid);
        corp.events.push(event);
    }
    Ok(())
}

/// An administrator takes a member on.
pub fn hire(corp: &mut Corp, member: super::world::Member) -> anyhow::Result<()> {
    anyhow::ensure!(!member.userid.is_empty(), "a member needs a userid");
    let departments: Vec<String> = member.department.iter().map(ToString::to_string).collect();
    let event = Event::new("change_contact", "create_user")
        .with("UserID", &member.userid)
        .with("Name", &member.name)
        .with("Department", &departments.join(","));
    corp.put_member(member);
    corp.events.push(event);
    Ok(())
}

/// An administrator moves a member to other departments.
pub fn transfer_member(corp: &mut Corp, userid: &str, department: Vec<i64>) -> anyhow::Result<()> {
    let key = active_member(corp, userid)?;
    if let Some(unknown) = department.iter().find(|id| !corp.departments.contains_key(id)) {
        anyhow::bail!("no department `{unknown}`");
    }
    let ids: Vec<String> = department.iter().map(ToString::to_string).collect();
    corp.touch(Kind::Member, &key);
    if let Some(member) = corp.members.get_mut(&key) {
        member.department = department;
        let event = Event::new("change_contact", "update_user")
            .with("UserID", &member.userid)
            .with("Department", &ids.join(","));
        corp.events.push(event);
    }
    Ok(())
}

fn active_member(corp: &Corp, userid: &str) -> anyhow::Result<String> {
    let key = userid.to_lowercase();
    let is_there = corp.members.get(&key).is_some_and(|member| member.status == 1);
    anyhow::ensure!(is_there, "no active member `{userid}`");
    Ok(key)
}
