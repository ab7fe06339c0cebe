//! Statistics: what members and groups did, a line a day, counted from what people do here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::acquisition;
use super::broadcasts::shown;
use super::contact_ways::numbers;
use super::gate::{Answer, Api, Call, Refusal};
use super::groups::{Group, ZONE, owners};
use super::moments::members_below;
use super::world::{Corp, Kind, Pair, Standing, join};
use crate::time::{Day, Timestamp};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/get_user_behavior_data", behaviour).listing(&["behavior_data"]),
    Api::post("externalcontact/groupchat/statistic", by_owner).listing(&["items"]),
    Api::post("externalcontact/groupchat/statistic_group_by_day", by_day).listing(&["items"]),
];

const MAX_NAMED: usize = 100;
const MAX_SPAN_DAYS: i64 = 30;
const KEPT_DAYS: i64 = 180;

/// One member's day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    pub applied: i64,
    pub added: i64,
    pub chats: BTreeSet<String>,
    pub messages: i64,
    /// Chats that customers opened, and those of them that were answered.
    pub asked: i64,
    pub answered: i64,
    pub reply_minutes: i64,
    /// Customers who deleted or blocked the member.
    pub deleted_by: i64,
}

/// Counts something for a member today.
pub fn count(corp: &mut Corp, now: Timestamp, userid: &str, what: impl FnOnce(&mut Behaviour)) {
    let pair: Pair = (userid.to_lowercase(), now.day(ZONE).to_string());
    corp.touch(Kind::Behaviour, join(&pair));
    what(corp.behaviour.entry(pair).or_default());
}

/// Does something to a pair and counts it when the two become friends or the customer ends it.
pub fn counted<T>(
    corp: &mut Corp,
    now: Timestamp,
    userid: &str,
    customer: &str,
    act: impl FnOnce(&mut Corp) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let key = userid.to_lowercase();
    let standing = |corp: &Corp| corp.relation(&key, customer).map(|relation| relation.standing);
    let before = standing(corp);
    let done = act(corp)?;
    match (before, standing(corp)) {
        (before, Some(Standing::Friend)) if before != Some(Standing::Friend) => {
            count(corp, now, &key, |day| day.added += 1);
        }
        (Some(Standing::Friend), Some(Standing::OneWay)) => {
            count(corp, now, &key, |day| day.deleted_by += 1);
        }
        _ => {}
    }
    Ok(done)
}

/// A talk of a member and a customer.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// Messages of the member.
    pub messages: i64,
    /// The customer wrote first.
    pub is_asked: bool,
    pub answered_after_minutes: Option<i64>,
}

pub fn count_talk(corp: &mut Corp, now: Timestamp, userid: &str, customer: &str, talk: Talk) {
    count(corp, now, userid, |day| {
        day.chats.insert(customer.to_owned());
        day.messages += talk.messages;
        day.asked += i64::from(talk.is_asked);
        if let Some(minutes) = talk.answered_after_minutes.filter(|_| talk.is_asked) {
            day.answered += 1;
            day.reply_minutes += minutes;
        }
    });
    if talk.is_asked {
        acquisition::spoken(corp, &userid.to_lowercase(), customer);
    }
}

/// The days asked for, both ends in; 600018 when they are not to be had.
fn days(call: &Call<'_>, from: &str, until: &str) -> Result<(Day, Day), Refusal> {
    let today = call.now.day(ZONE);
    let day = |seconds: i64| Timestamp::from_seconds(seconds).day(ZONE);
    let first = day(call.required_number(from)?);
    let last = call.number(until)?.map_or(first, day);
    let is_span = (0..=MAX_SPAN_DAYS).contains(&last.since(first));
    if !is_span || today.since(first) > KEPT_DAYS || last > today {
        return Err(Refusal::new(600018));
    }
    Ok((first, last))
}

/// The last day whose figures are there: yesterday, from the hour they are ready.
fn ready(call: &Call<'_>) -> Day {
    let is_early = call.now.hour(ZONE) < call.knobs.statistics_ready_hour;
    call.now.day(ZONE).plus(if is_early { -2 } else { -1 })
}

/// All members asked for are added up, as the platform does.
fn behaviour(call: &mut Call<'_>) -> Answer {
    let users = call.texts("userid", MAX_NAMED)?;
    let parties = numbers(call.body.get("partyid"), "partyid")?;
    if (users.is_empty() && parties.is_empty()) || parties.len() > MAX_NAMED {
        return Err(Refusal::field(
            "userid",
            "and `partyid` are both empty or too long",
        ));
    }
    let mut members: BTreeSet<String> = BTreeSet::new();
    for user in users {
        members.insert(call.member(user)?);
    }
    for party in parties {
        members.extend(members_below(call.corp, party));
    }
    let (first, last) = days(call, "start_time", "end_time")?;
    let rows: Vec<Value> = first
        .through(last.min(ready(call)))
        .map(|day| behaviour_json(call.corp, &members, day))
        .collect();
    Ok(json!({"behavior_data": rows}))
}

fn behaviour_json(corp: &Corp, members: &BTreeSet<String>, day: Day) -> Value {
    let date = day.to_string();
    let (mut sum, mut chats) = (Behaviour::default(), 0);
    for one in members
        .iter()
        .filter_map(|key| corp.behaviour.get(&(key.clone(), date.clone())))
    {
        sum.applied += one.applied;
        sum.added += one.added;
        sum.messages += one.messages;
        sum.asked += one.asked;
        sum.answered += one.answered;
        sum.reply_minutes += one.reply_minutes;
        sum.deleted_by += one.deleted_by;
        chats += one.chats.len();
    }
    let mut json = json!({"stat_time": day.start(ZONE).seconds(), "new_apply_cnt": sum.applied,
        "new_contact_cnt": sum.added, "chat_cnt": chats, "message_cnt": sum.messages,
        "negative_feedback_cnt": sum.deleted_by});
    if sum.asked > 0 {
        json["reply_percentage"] = json!((sum.answered * 10_000 / sum.asked) as f64 / 100.0);
    }
    if sum.answered > 0 {
        json["avg_reply_time"] = json!(sum.reply_minutes / sum.answered);
    }
    json
}

#[derive(Default)]
struct GroupSum {
    new_chats: usize,
    chats: usize,
    talking_chats: usize,
    new_members: usize,
    members: usize,
    speakers: BTreeSet<String>,
    messages: usize,
}

impl GroupSum {
    fn add(&mut self, group: &Group, first: Day, last: Day) {
        let day = |seconds: i64| Timestamp::from_seconds(seconds).day(ZONE);
        if day(group.created_at) > last {
            return;
        }
        self.chats += 1;
        self.new_chats += usize::from(day(group.created_at) >= first);
        self.members += group
            .members
            .iter()
            .filter(|member| day(member.joined_at) <= last)
            .count();
        let mut messages = 0;
        // Days as text sort as days do.
        for (_, day) in group.days.range(first.to_string()..=last.to_string()) {
            messages += day.messages;
            self.new_members += day.joined;
            self.speakers.extend(day.speakers.iter().cloned());
        }
        self.messages += messages;
        self.talking_chats += usize::from(messages > 0);
    }

    fn json(&self) -> Value {
        json!({"new_chat_cnt": self.new_chats, "chat_total": self.chats, "chat_has_msg": self.talking_chats,
            "new_member_cnt": self.new_members, "member_total": self.members,
            "member_has_msg": self.speakers.len(), "msg_total": self.messages, "migrate_trainee_chat_cnt": 0})
    }
}

fn by_owner(call: &mut Call<'_>) -> Answer {
    let (first, last) = days(call, "day_begin_time", "day_end_time")?;
    let last = last.min(ready(call));
    let wanted = owners(call)?;
    let mut sums: BTreeMap<&str, GroupSum> = BTreeMap::new();
    for group in call
        .corp
        .groups
        .values()
        .filter(|group| is_wanted(&wanted, group))
    {
        sums.entry(&group.owner).or_default().add(group, first, last);
    }
    let mut rows: Vec<(&str, GroupSum)> = sums.into_iter().collect();
    let by = call.number("order_by")?.unwrap_or(1);
    rows.sort_by_key(|(_, sum)| match by {
        2 => sum.chats,
        3 => sum.new_members,
        4 => sum.members,
        _ => sum.new_chats,
    });
    if call.number("order_asc")? != Some(1) {
        rows.reverse();
    }
    let offset = call.number("offset")?.unwrap_or(0).max(0) as usize;
    let items: Vec<Value> = rows
        .iter()
        .skip(offset)
        .take(call.limit(500, 1_000)?)
        .map(|(owner, sum)| json!({"owner": shown(call.corp, owner), "data": sum.json()}))
        .collect();
    Ok(json!({"total": rows.len(), "next_offset": offset + items.len(), "items": items}))
}

fn is_wanted(owners: &Option<BTreeSet<String>>, group: &Group) -> bool {
    owners.as_ref().is_none_or(|owners| owners.contains(&group.owner))
}

fn by_day(call: &mut Call<'_>) -> Answer {
    let (first, last) = days(call, "day_begin_time", "day_end_time")?;
    let wanted = owners(call)?;
    let groups: Vec<&Group> = call
        .corp
        .groups
        .values()
        .filter(|group| is_wanted(&wanted, group))
        .collect();
    let items: Vec<Value> = first
        .through(last.min(ready(call)))
        .map(|day| {
            let mut sum = GroupSum::default();
            groups.iter().for_each(|group| sum.add(group, day, day));
            json!({"stat_time": day.start(ZONE).seconds(), "data": sum.json()})
        })
        .collect();
    Ok(json!({"items": items}))
}
