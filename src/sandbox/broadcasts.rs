//! Broadcasts: a call makes a task for members; customers get the message when a member confirms. No callback tells.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use super::gate::{Answer, Api, Call, Refusal, strings};
use super::groups::Group;
use super::message;
use super::world::{
    Broadcast, BroadcastTask, Corp, Kind, Pair, QuotaMode, Recipient, Relation, Standing, join,
};
use crate::time::{DAY_MS, Timestamp};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/add_msg_template", add).listing(&["fail_list"]),
    Api::post("externalcontact/get_groupmsg_list_v2", list).listing(&["group_msg_list"]),
    Api::post("externalcontact/get_groupmsg_task", tasks).listing(&["task_list"]),
    Api::post("externalcontact/get_groupmsg_send_result", results).listing(&["send_list"]),
    Api::post("externalcontact/remind_groupmsg_send", remind),
    Api::post("externalcontact/cancel_groupmsg_send", cancel),
];

const MAX_RECIPIENTS: usize = 10_000;
const MAX_GROUPS: usize = 2_000;
const MAX_SPAN_MS: i64 = 31 * DAY_MS;
const REMINDERS_A_DAY: usize = 3;
/// A day of the platform's clock, which stands in Shanghai.
const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;
/// Older receptions weigh on no quota.
const RECEIVED_KEPT_MS: i64 = 40 * DAY_MS;

fn add(call: &mut Call<'_>) -> Answer {
    let is_single = matches!(call.optional_text("chat_type")?, None | Some("" | "single"));
    let customers = call.texts("external_userid", MAX_RECIPIENTS)?;
    let sender = call.optional_text("sender")?.filter(|sender| !sender.is_empty());
    if sender.is_none() && (customers.is_empty() || !is_single) {
        return Err(Refusal::field("sender", "is missing"));
    }
    message::check(call.corp, call.now, call.body)?;
    let sender = sender.map(|sender| call.member(sender)).transpose()?;
    let (parts, fail_list) = match sender {
        Some(owner) if !is_single => own_groups(call, &owner)?,
        Some(member) if customers.is_empty() => (whole_list(call, &member)?, Vec::new()),
        sender => allot(call.corp, sender.as_deref(), &customers),
    };
    if parts.values().all(Vec::is_empty) {
        return Err(Refusal::new(41048));
    }
    let content = Broadcast {
        message: message::content(call.body),
        is_to_groups: !is_single,
        may_choose: is_single && call.flag("allow_select")? == Some(true),
        ..blank(call.corp, call.now)
    };
    let msgid = keep(call.corp, content, parts);
    Ok(json!({"fail_list": fail_list, "msgid": msgid}))
}

/// Whom each member is to send to.
type Parts = BTreeMap<String, Vec<String>>;

/// The groups of a sender that are asked for, or all of them; and those that are not the sender's.
fn own_groups(call: &Call<'_>, owner: &str) -> Result<(Parts, Vec<String>), Refusal> {
    let asked = call.texts("chat_id_list", MAX_GROUPS)?;
    let own = |group: &&Group| group.owner == owner;
    let is_own = |id: &str| call.corp.groups.get(id).filter(own).is_some();
    let (own, fail_list) = match asked.is_empty() {
        true => (
            call.corp
                .groups
                .values()
                .filter(own)
                .map(|group| group.chat_id.clone())
                .collect(),
            vec![],
        ),
        false => asked.into_iter().map(str::to_owned).partition(|id| is_own(id)),
    };
    Ok((BTreeMap::from([(owner.to_owned(), own)]), fail_list))
}

/// Every friend of the sender whom the tag filter lets through: any tag of a list, and that in every list.
fn whole_list(call: &Call<'_>, member: &str) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
    let lists = call.body["tag_filter"]["group_list"].as_array();
    let lists: Vec<Vec<&str>> = lists
        .into_iter()
        .flatten()
        .map(|list| strings(list.get("tag_list"), "tag_list", 100))
        .collect::<Result<_, _>>()?;
    let passes = |relation: &&Relation| {
        let carries = |id: &&str| relation.tag_ids.iter().any(|held| held == id);
        relation.standing == Standing::Friend && lists.iter().all(|list| list.iter().any(carries))
    };
    let customers = call.corp.customers_of(member, None).filter(passes);
    let customers = customers
        .map(|relation| relation.external_userid.clone())
        .collect();
    Ok(BTreeMap::from([(member.to_owned(), customers)]))
}

/// Who sends to whom, and who cannot be reached.
fn allot(
    corp: &Corp,
    sender: Option<&str>,
    customers: &[&str],
) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut fail_list = Vec::new();
    let mut seen = HashSet::new();
    for customer in customers.iter().filter(|customer| seen.insert(**customer)) {
        let member = match sender {
            Some(member) => corp.relation(member, customer).map(|_| member.to_owned()),
            None => last_chatted(corp, customer),
        };
        match member {
            // A customer who left the member stays in the task and ends in status 2.
            Some(member) => parts.entry(member).or_default().push((*customer).to_owned()),
            None => fail_list.push((*customer).to_owned()),
        }
    }
    (parts, fail_list)
}

fn last_chatted(corp: &Corp, customer: &str) -> Option<String> {
    corp.followers_of(customer)
        .filter(|relation| relation.standing == Standing::Friend)
        .max_by_key(|relation| (relation.chatted_at, relation.createtime))
        .map(|relation| relation.userid.clone())
}

fn blank(corp: &mut Corp, now: Timestamp) -> Broadcast {
    Broadcast {
        msgid: corp.new_id("msg", 34),
        created_at: now.0,
        message: json!({}),
        is_cancelled: false,
        reminded_at: Vec::new(),
        may_choose: false,
        is_to_groups: false,
        creator: String::new(),
    }
}

fn keep(corp: &mut Corp, broadcast: Broadcast, parts: BTreeMap<String, Vec<String>>) -> String {
    let msgid = broadcast.msgid.clone();
    corp.touch(Kind::Broadcast, &msgid);
    corp.broadcasts.insert(msgid.clone(), broadcast);
    for (userid, customers) in parts {
        let recipients = customers.into_iter().map(|external_userid| Recipient {
            external_userid,
            status: 0,
        });
        let task = BroadcastTask {
            msgid: msgid.clone(),
            userid,
            sent_at: None,
            recipients: recipients.collect(),
        };
        put_task(corp, task);
    }
    msgid
}

fn put_task(corp: &mut Corp, task: BroadcastTask) {
    let pair = (task.msgid.clone(), task.userid.clone());
    corp.touch(Kind::BroadcastTask, join(&pair));
    corp.broadcast_tasks.insert(pair, task);
}

fn list(call: &mut Call<'_>) -> Answer {
    let from = call
        .number("start_time")?
        .ok_or_else(|| Refusal::field("start_time", "is missing"))?;
    let until = call
        .number("end_time")?
        .ok_or_else(|| Refusal::field("end_time", "is missing"))?;
    if until < from || (until - from) * 1_000 > MAX_SPAN_MS {
        return Err(Refusal::field(
            "end_time",
            "is before `start_time` or more than a month after it",
        ));
    }
    let is_to_groups = match call.text("chat_type")? {
        "single" => false,
        "group" => true,
        _ => return Err(Refusal::field("chat_type", "is neither `single` nor `group`")),
    };
    let made = call.number("filter_type")?.unwrap_or(2);
    let creator = call.optional_text("creator")?.unwrap_or_default().to_lowercase();
    let mut found: Vec<&Broadcast> = call
        .corp
        .broadcasts
        .values()
        .filter(|broadcast| broadcast.is_to_groups == is_to_groups && is_by(made, &broadcast.creator))
        .filter(|broadcast| creator.is_empty() || broadcast.creator == creator)
        .filter(|broadcast| (from..=until).contains(&broadcast.created_at.div_euclid(1_000)))
        .collect();
    found.sort_by_key(|broadcast| (broadcast.created_at, broadcast.msgid.clone()));
    let (page, next) = call.page(found.into_iter(), 50, 100)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|broadcast| listed(call.corp, broadcast))
        .collect();
    Ok(json!({"group_msg_list": list, "next_cursor": next}))
}

/// Whether a `filter_type` lets through what this creator made: 0 the corp's, 1 members' own, 2 both.
pub fn is_by(filter_type: i64, creator: &str) -> bool {
    match filter_type {
        0 => creator.is_empty(),
        1 => !creator.is_empty(),
        _ => true,
    }
}

/// The creation time is a string here, as the platform's sample has it; what the app made has no creator.
fn listed(corp: &Corp, broadcast: &Broadcast) -> Value {
    let mut json = broadcast.message.clone();
    json["msgid"] = json!(broadcast.msgid);
    json["create_time"] = json!(broadcast.created_at.div_euclid(1_000).to_string());
    json["create_type"] = json!(i64::from(!broadcast.creator.is_empty()));
    if !broadcast.creator.is_empty() {
        json["creator"] = json!(shown(corp, &broadcast.creator));
    }
    json
}

/// The broadcast, once its dispatching is over.
fn dispatched(call: &Call<'_>) -> Result<String, Refusal> {
    let msgid = call
        .optional_text("msgid")?
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Refusal::new(41046))?;
    let broadcast = call
        .corp
        .broadcasts
        .get(msgid)
        .ok_or_else(|| Refusal::new(41047))?;
    if call.now.0 - broadcast.created_at < call.knobs.dispatch_ms {
        return Err(Refusal::new(41063));
    }
    Ok(msgid.to_owned())
}

fn tasks(call: &mut Call<'_>) -> Answer {
    let msgid = dispatched(call)?;
    let (page, next) = call.page(Corp::tasks_of(&call.corp.broadcast_tasks, &msgid), 500, 1_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|task| {
            let userid = shown(call.corp, &task.userid);
            match task.sent_at {
                Some(at) => json!({"userid": userid, "status": 2, "send_time": at}),
                None => json!({"userid": userid, "status": 0}),
            }
        })
        .collect();
    Ok(json!({"task_list": list, "next_cursor": next}))
}

fn results(call: &mut Call<'_>) -> Answer {
    let msgid = dispatched(call)?;
    let key = call.text("userid")?.to_lowercase();
    let pair: Pair = (msgid, key);
    let task = call
        .corp
        .broadcast_tasks
        .get(&pair)
        .ok_or_else(|| Refusal::new(40003))?;
    let broadcast = call.corp.broadcasts.get(&task.msgid);
    let is_to_groups = broadcast.is_some_and(|broadcast| broadcast.is_to_groups);
    let (page, next) = call.page(task.recipients.iter(), 500, 1_000)?;
    let userid = shown(call.corp, &task.userid);
    let list: Vec<Value> = page
        .into_iter()
        .map(|recipient| {
            let mut row = json!({"userid": userid, "status": recipient.status});
            row[if is_to_groups {
                "chat_id"
            } else {
                "external_userid"
            }] = json!(recipient.external_userid);
            if recipient.status == 1 {
                row["send_time"] = json!(task.sent_at);
            }
            row
        })
        .collect();
    Ok(json!({"send_list": list, "next_cursor": next}))
}

/// A userid as the member writes it.
pub fn shown(corp: &Corp, key: &str) -> String {
    corp.members
        .get(key)
        .map_or_else(|| key.to_owned(), |member| member.userid.clone())
}

fn live<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Broadcast, Refusal> {
    let msgid = dispatched(call)?;
    call.corp.touch(Kind::Broadcast, &msgid);
    let broadcast = call
        .corp
        .broadcasts
        .get_mut(&msgid)
        .ok_or_else(|| Refusal::new(41047))?;
    if broadcast.is_cancelled {
        Err(Refusal::new(41093))
    } else {
        Ok(broadcast)
    }
}

fn remind(call: &mut Call<'_>) -> Answer {
    let now = call.now.0;
    let broadcast = live(call)?;
    broadcast.reminded_at.retain(|at| now - at < DAY_MS);
    if broadcast.reminded_at.len() >= REMINDERS_A_DAY {
        return Err(Refusal::new(41094));
    }
    broadcast.reminded_at.push(now);
    Ok(json!({}))
}

fn cancel(call: &mut Call<'_>) -> Answer {
    live(call)?.is_cancelled = true;
    Ok(json!({}))
}

/// What a member's confirmation did.
pub struct Confirmed {
    pub message: Value,
    /// Customers the message reached.
    pub reached: Vec<String>,
}

/// A member presses send: each customer still a friend and within the quota gets the message.
///
/// Where the broadcast lets them choose, some customers may be left `without`: nothing is sent to those.
pub fn confirm(
    corp: &mut Corp,
    now: Timestamp,
    msgid: &str,
    userid: &str,
    without: &[&str],
) -> anyhow::Result<Confirmed> {
    let pair: Pair = (msgid.to_owned(), userid.to_lowercase());
    let broadcast = corp
        .broadcasts
        .get(msgid)
        .ok_or_else(|| anyhow::anyhow!("no broadcast `{msgid}`"))?;
    anyhow::ensure!(!broadcast.is_cancelled, "broadcast `{msgid}` is cancelled");
    anyhow::ensure!(
        without.is_empty() || broadcast.may_choose,
        "broadcast `{msgid}` lets nobody choose"
    );
    let (message, is_to_groups) = (broadcast.message.clone(), broadcast.is_to_groups);
    let task = corp.broadcast_tasks.get(&pair);
    let mut task = task
        .cloned()
        .ok_or_else(|| anyhow::anyhow!("`{userid}` has no part in broadcast `{msgid}`"))?;
    anyhow::ensure!(
        task.sent_at.is_none(),
        "`{userid}` has sent broadcast `{msgid}` already"
    );
    let mut reached = Vec::new();
    for recipient in &mut task.recipients {
        let id = &recipient.external_userid;
        if without.contains(&id.as_str()) {
            continue;
        }
        if is_to_groups {
            recipient.status = deliver_to_group(corp, now, &pair.1, id, &mut reached);
            continue;
        }
        recipient.status = deliver(corp, now, &pair.1, id);
        if recipient.status == 1 {
            reached.push(id.clone());
        }
    }
    task.sent_at = Some(now.seconds());
    put_task(corp, task);
    Ok(Confirmed { message, reached })
}

fn deliver(corp: &mut Corp, now: Timestamp, member: &str, customer: &str) -> i64 {
    if !corp.is_friend(member, customer) {
        return 2;
    }
    let quota = corp.app.quota;
    let Some(person) = corp.customers.get_mut(customer) else {
        return 2;
    };
    person.received.retain(|at| now.0 - at * 1_000 < RECEIVED_KEPT_MS);
    if is_quota_used(quota, &person.received, now) {
        return 3;
    }
    person.received.push(now.seconds());
    corp.touch(Kind::Customer, customer);
    1
}

/// A group has a quota of its own; the message reaches the customers in it.
fn deliver_to_group(
    corp: &mut Corp,
    now: Timestamp,
    owner: &str,
    chat_id: &str,
    reached: &mut Vec<String>,
) -> i64 {
    let quota = corp.app.quota;
    let Some(group) = corp.groups.get_mut(chat_id).filter(|group| group.owner == owner) else {
        return 2;
    };
    group.received.retain(|at| now.0 - at * 1_000 < RECEIVED_KEPT_MS);
    if is_quota_used(quota, &group.received, now) {
        return 3;
    }
    group.received.push(now.seconds());
    let people = group.members.iter().filter(|member| member.is_external);
    reached.extend(people.map(|member| member.id.clone()));
    corp.touch(Kind::Group, chat_id);
    1
}

/// A member makes a broadcast in the client and sends it at once, to some customers or to every friend; answers its
/// msgid.
pub fn send_own(
    corp: &mut Corp,
    now: Timestamp,
    userid: &str,
    text: &str,
    customers: &[&str],
) -> anyhow::Result<String> {
    let member = userid.to_lowercase();
    anyhow::ensure!(corp.members.contains_key(&member), "no member `{userid}`");
    let customers: Vec<String> = match customers.is_empty() {
        true => corp
            .customers_of(&member, None)
            .map(|relation| relation.external_userid.clone())
            .collect(),
        false => customers.iter().map(|id| (*id).to_owned()).collect(),
    };
    let broadcast = Broadcast {
        message: json!({"text": {"content": text}}),
        creator: member.clone(),
        ..blank(corp, now)
    };
    let msgid = keep(corp, broadcast, BTreeMap::from([(member.clone(), customers)]));
    confirm(corp, now, &msgid, &member, &[])?;
    Ok(msgid)
}

fn is_quota_used(mode: QuotaMode, received: &[i64], now: Timestamp) -> bool {
    let today = now.day(ZONE);
    let since = |day: crate::time::Day| {
        let start = day.start(ZONE).seconds();
        received.iter().filter(|at| **at >= start).count()
    };
    match mode {
        QuotaMode::MonthDays => since(today.first_of_month()) >= today.days_in_month() as usize,
        QuotaMode::PerWeek(most) => since(today.plus(-6)) >= most,
        QuotaMode::PerDay(most) => since(today) >= most,
        QuotaMode::Legacy => since(today.first_of_month()) >= 4,
    }
}

/// Parts that wait for their member, oldest broadcast first.
pub fn waiting(corp: &Corp) -> Vec<Pair> {
    let mut waiting: Vec<(i64, Pair)> = corp
        .broadcast_tasks
        .iter()
        .filter(|(_, task)| task.sent_at.is_none())
        .filter_map(|(pair, _)| {
            let broadcast = corp
                .broadcasts
                .get(&pair.0)
                .filter(|broadcast| !broadcast.is_cancelled)?;
            Some((broadcast.created_at, pair.clone()))
        })
        .collect();
    waiting.sort();
    waiting.into_iter().map(|(_, pair)| pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_count_by_the_modes_of_the_platform() {
        let now = Timestamp::parse("2026-11-23T10:00:00+08:00").unwrap();
        let days_ago = |days: i64| now.seconds() - days * 86_400;
        let cases = [
            (QuotaMode::MonthDays, vec![days_ago(0); 29], false),
            (QuotaMode::MonthDays, vec![days_ago(0); 30], true),
            (QuotaMode::MonthDays, vec![days_ago(23); 30], false),
            (QuotaMode::PerDay(1), vec![days_ago(1)], false),
            (QuotaMode::PerDay(1), vec![days_ago(0)], true),
            (QuotaMode::PerWeek(2), vec![days_ago(6), days_ago(1)], true),
            (QuotaMode::PerWeek(2), vec![days_ago(7), days_ago(1)], false),
            (QuotaMode::Legacy, vec![days_ago(2); 4], true),
        ];
        for (mode, received, is_used) in cases {
            assert_eq!(
                is_quota_used(mode, &received, now),
                is_used,
                "{mode:?} {received:?}"
            );
        }
    }
}
