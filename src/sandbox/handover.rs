//! Handing customers 客户继承 and groups from one member to another, on the job or after a member left. A call only
//! starts a customer's transfer: the customer is asked, and it takes effect after a day unless refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::broadcasts::shown;
use super::callbacks::Event;
use super::contact_ways::able;
use super::faults::Knobs;
use super::gate::{Answer, Api, Call, Refusal, open_cursor, seal_cursor};
use super::groups::{Group, GroupMember, ZONE, is_left};
use super::world::{Corp, Kind, Pair, Relation, Standing, join};
use crate::time::{DAY_MS, SECOND_MS, Timestamp};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/transfer_customer", transfer).listing(&["customer"]),
    Api::post("externalcontact/transfer_result", |call| results(call, false)).listing(&["customer"]),
    Api::post("externalcontact/resigned/transfer_customer", transfer_resigned).listing(&["customer"]),
    Api::post("externalcontact/resigned/transfer_result", |call| {
        results(call, true)
    })
    .listing(&["customer"]),
    Api::post("externalcontact/get_unassigned_list", unassigned).listing(&["info"]),
    Api::post("externalcontact/groupchat/transfer", |call| {
        transfer_groups(call, true)
    })
    .listing(&["failed_chat_list"]),
    Api::post("externalcontact/groupchat/onjob_transfer", |call| {
        transfer_groups(call, false)
    })
    .listing(&["failed_chat_list"]),
];

const AT_ONCE: usize = 100;
const A_PAGE: usize = 1_000;
const MAX_MESSAGE: usize = 200;
/// A leaver's customers can be handed on for a year.
const LEAVER_MS: i64 = 365 * DAY_MS;
const FEW_DAYS_MS: i64 = 90 * DAY_MS;
/// Times a group may be handed on in 90 days while its owner is on the job.
const GROUP_TIMES: usize = 2;
/// `add_way` of a customer somebody was given.
const GIVEN: i64 = 202;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Waiting,
    Done,
    Refused,
    /// The one to take over had no room.
    Full,
}

/// One customer on the way from one member to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    pub external_userid: String,
    /// Rises, so that a customer's transfers are in their order.
    pub number: String,
    /// Keys of members.
    pub handover: String,
    pub takeover: String,
    pub is_resigned: bool,
    /// When it takes effect by itself, in milliseconds.
    pub due_at: i64,
    pub outcome: Outcome,
    /// Milliseconds.
    pub ended_at: i64,
}

impl Transfer {
    fn pair(&self) -> Pair {
        (self.external_userid.clone(), self.number.clone())
    }
}

impl Corp {
    pub fn put_transfer(&mut self, transfer: Transfer) {
        let pair = transfer.pair();
        let due = (transfer.due_at, pair.clone());
        if transfer.outcome == Outcome::Waiting {
            self.transfers_due.insert(due);
        } else {
            self.transfers_due.remove(&due);
        }
        self.touch(Kind::Transfer, join(&pair));
        self.transfers.insert(pair, transfer);
    }
}

fn transfer(call: &mut Call<'_>) -> Answer {
    let handover = call.member(call.text("handover_userid")?)?;
    let message = call.optional_text("transfer_success_msg")?;
    if message.is_some_and(|message| message.chars().count() > MAX_MESSAGE) {
        return Err(Refusal::field("transfer_success_msg", "exceed max length 200"));
    }
    start(call, &handover, false)
}

fn transfer_resigned(call: &mut Call<'_>) -> Answer {
    let handover = call.text("handover_userid")?.to_lowercase();
    let member = call.corp.members.get(&handover);
    let member = member.ok_or_else(|| Refusal::new(40003))?;
    if member.status != 5 {
        return Err(Refusal::new(40097));
    }
    if member.left_at > 0 && call.now.0 - member.left_at * SECOND_MS > LEAVER_MS {
        return Err(Refusal::new(40003));
    }
    start(call, &handover, true)
}

/// Starts a transfer of each customer that can be handed over, and says of the others why not.
fn start(call: &mut Call<'_>, handover: &str, is_resigned: bool) -> Answer {
    let takeover = able(call, call.text("takeover_userid")?)?;
    if takeover == handover {
        return Err(Refusal::new(40130));
    }
    let customers = call.texts("external_userid", AT_ONCE)?;
    if customers.is_empty() {
        return Err(Refusal::said(41035, "external_userid missing"));
    }
    let mut rows = Vec::with_capacity(customers.len());
    for customer in customers {
        let code = match obstacle(call, handover, &takeover, customer, is_resigned) {
            Some(code) => code,
            None => {
                let transfer = Transfer {
                    external_userid: customer.to_owned(),
                    number: format!("{:06}", transfers_of(call.corp, customer).count()),
                    handover: handover.to_owned(),
                    takeover: takeover.clone(),
                    is_resigned,
                    due_at: call.now.0 + call.knobs.transfer_wait_ms,
                    outcome: Outcome::Waiting,
                    ended_at: 0,
                };
                call.corp.put_transfer(transfer);
                0
            }
        };
        rows.push(json!({"external_userid": customer, "errcode": code}));
    }
    Ok(json!({"customer": rows}))
}

/// Why a customer cannot be handed over now, in the platform's order of looking.
fn obstacle(
    call: &Call<'_>,
    handover: &str,
    takeover: &str,
    customer: &str,
    is_resigned: bool,
) -> Option<i64> {
    let corp = &*call.corp;
    if !corp.customers.contains_key(customer) {
        return Some(40096);
    }
    if !corp.is_friend(handover, customer) {
        return Some(40131);
    }
    if transfers_of(corp, customer).any(|transfer| transfer.outcome == Outcome::Waiting) {
        return Some(40129);
    }
    let since = call.now.0 - FEW_DAYS_MS;
    let done = transfers_of(corp, customer)
        .filter(|transfer| !transfer.is_resigned && transfer.outcome == Outcome::Done)
        .filter(|transfer| transfer.ended_at > since);
    if !is_resigned && done.count() >= call.knobs.transfers_in_90_days {
        return Some(40128);
    }
    if is_full(corp, takeover, customer, call.knobs) {
        return Some(40099);
    }
    let taker = corp.members.get(takeover);
    if taker.is_some_and(|member| member.is_long_away) {
        return Some(40205);
    }
    taker.is_some_and(|member| member.is_banned).then_some(40143)
}

fn is_full(corp: &Corp, takeover: &str, customer: &str, knobs: &Knobs) -> bool {
    corp.relation(takeover, customer).is_none()
        && corp.relations.count_of(takeover) >= knobs.customers_per_member
}

/// A customer's transfers, oldest first.
fn transfers_of<'a>(corp: &'a Corp, customer: &str) -> impl Iterator<Item = &'a Transfer> + use<'a> {
    Corp::tasks_of(&corp.transfers, customer)
}

fn results(call: &mut Call<'_>, is_resigned: bool) -> Answer {
    let handover = call.text("handover_userid")?.to_lowercase();
    let takeover = call.text("takeover_userid")?.to_lowercase();
    if !call.corp.members.contains_key(&handover) || !call.corp.members.contains_key(&takeover) {
        return Err(Refusal::new(40003));
    }
    let asked = |transfer: &&Transfer| {
        transfer.is_resigned == is_resigned && transfer.handover == handover && transfer.takeover == takeover
    };
    // The last one of a customer counts.
    let last: BTreeMap<&str, &Transfer> = call
        .corp
        .transfers
        .values()
        .filter(asked)
        .map(|transfer| (transfer.external_userid.as_str(), transfer))
        .collect();
    let (page, next) = call.page(last.into_values(), A_PAGE, A_PAGE)?;
    let rows: Vec<Value> = page.into_iter().map(result_json).collect();
    Ok(json!({"customer": rows, "next_cursor": next}))
}

fn result_json(transfer: &Transfer) -> Value {
    let (status, at) = match transfer.outcome {
        Outcome::Done => (1, transfer.ended_at),
        Outcome::Waiting => (2, transfer.due_at),
        Outcome::Refused => (3, 0),
        Outcome::Full => (4, 0),
    };
    json!({"external_userid": transfer.external_userid, "status": status,
        "takeover_time": at.div_euclid(SECOND_MS)})
}

/// Customers of members who left, once the platform has noticed, unless they are on their way already.
fn unassigned(call: &mut Call<'_>) -> Answer {
    let size = match call.number("page_size")? {
        Some(size @ 1..=1_000) => size as usize,
        _ => A_PAGE,
    };
    let cursor = call.optional_text("cursor")?.filter(|cursor| !cursor.is_empty());
    let page = call.number("page_id")?.filter(|_| cursor.is_none());
    let start = match (cursor, page) {
        (Some(cursor), _) => open_cursor(cursor)?.parse().map_err(|_| Refusal::new(50100))?,
        (None, page) => page.unwrap_or(0).max(0) as usize * size,
    };
    let noticed = call.now.0 - call.knobs.unassigned_after_ms;
    let corp = &*call.corp;
    let mut pairs = corp
        .members
        .iter()
        .filter(|(key, member)| member.status == 5 && member.left_at * SECOND_MS <= noticed && call.sees(key))
        .flat_map(|(key, member)| {
            corp.customers_of(key, None)
                .map(move |relation| (member, relation))
        })
        .filter(|(_, relation)| relation.standing == Standing::Friend)
        .filter(|(_, relation)| {
            let mut transfers = transfers_of(corp, &relation.external_userid);
            !transfers.any(|transfer| transfer.outcome == Outcome::Waiting)
        })
        .skip(start)
        .peekable();
    let info: Vec<Value> = pairs
        .by_ref()
        .take(size)
        .map(|(member, relation)| {
            json!({"handover_userid": member.userid, "external_userid": relation.external_userid,
                "dimission_time": member.left_at})
        })
        .collect();
    let is_last = pairs.peek().is_none();
    let mut answer = json!({"info": info, "is_last": is_last});
    if page.is_none() {
        let end = (start + size).to_string();
        answer["next_cursor"] = json!(if is_last { String::new() } else { seal_cursor(&end) });
    }
    Ok(answer)
}

fn transfer_groups(call: &mut Call<'_>, is_resigned: bool) -> Answer {
    let ids = call.texts("chat_id_list", AT_ONCE)?;
    if ids.is_empty() {
        return Err(Refusal::field("chat_id_list", "is missing or empty"));
    }
    let new_owner = able(call, call.text("new_owner")?)?;
    let mut failed = Vec::new();
    for id in ids {
        if let Err(refusal) = transfer_group(call, id, &new_owner, is_resigned) {
            failed.push(json!({"chat_id": id, "errcode": refusal.code, "errmsg": refusal.words}));
        }
    }
    Ok(json!({"failed_chat_list": failed}))
}

fn transfer_group(call: &mut Call<'_>, id: &str, new_owner: &str, is_resigned: bool) -> Result<(), Refusal> {
    let group = call.corp.groups.get(id).ok_or_else(|| Refusal::new(40050))?;
    match (is_resigned, is_left(call.corp, &group.owner)) {
        (true, false) => return Err(Refusal::new(90500)),
        (false, true) => return Err(Refusal::new(90502)),
        _ if group.owner == new_owner => return Err(Refusal::new(90504)),
        _ => {}
    }
    let since = call.now.plus_ms(-FEW_DAYS_MS).seconds();
    if !is_resigned && group.handed.iter().filter(|(at, _)| *at > since).count() >= GROUP_TIMES {
        return Err(Refusal::said(40128, "group transferred too often"));
    }
    let today = call.now.day(ZONE).start(ZONE).seconds();
    let given = |group: &Group| {
        let to_him = group
            .handed
            .iter()
            .filter(|(at, owner)| *at >= today && owner == new_owner);
        to_him.count()
    };
    if call.corp.groups.values().map(given).sum::<usize>() >= call.knobs.groups_handed_a_day {
        return Err(Refusal::new(45009));
    }
    let (now, version) = (call.now.seconds(), call.corp.new_id("", 32).to_lowercase());
    call.corp.touch(Kind::Group, id);
    let group = call.corp.groups.get_mut(id).ok_or_else(|| Refusal::new(40050))?;
    group.owner = new_owner.to_owned();
    group.is_inherited |= is_resigned;
    group.handed.push((now, new_owner.to_owned()));
    if !group.holds(new_owner) {
        group.version = version;
        group.members.push(GroupMember {
            id: new_owner.to_owned(),
            joined_at: now,
            scene: 1,
            ..GroupMember::default()
        });
    }
    Ok(())
}

/// Whether a transfer waits that should have taken effect by now.
pub fn is_due(corp: &Corp, now: Timestamp) -> bool {
    corp.transfers_due.first().is_some_and(|(at, _)| *at <= now.0)
}

/// Lets every transfer take effect whose day is over.
pub fn settle(corp: &mut Corp, now: Timestamp, knobs: &Knobs) {
    while let Some((at, pair)) = corp.transfers_due.pop_first() {
        if at > now.0 {
            corp.transfers_due.insert((at, pair));
            return;
        }
        if let Some(transfer) = corp.transfers.get(&pair).cloned() {
            take_effect(corp, Timestamp(at), transfer, knobs);
        }
    }
}

fn take_effect(corp: &mut Corp, at: Timestamp, mut transfer: Transfer, knobs: &Knobs) {
    transfer.ended_at = at.0;
    let (from, to) = (transfer.handover.clone(), transfer.takeover.clone());
    let customer = transfer.external_userid.clone();
    transfer.outcome = if !corp.is_friend(&from, &customer) {
        // The two parted while the customer was asked: nothing is left to hand over.
        Outcome::Refused
    } else if is_left(corp, &to) || is_full(corp, &to, &customer, knobs) {
        tell_failure(corp, &transfer, "customer_limit_exceed", knobs);
        Outcome::Full
    } else {
        move_pair(corp, at, &transfer);
        Outcome::Done
    };
    corp.put_transfer(transfer);
}

/// The pair goes over with its tags and its remark. Somebody who has or had the customer is told nothing.
fn move_pair(corp: &mut Corp, at: Timestamp, transfer: &Transfer) {
    let (from, to, customer) = (&transfer.handover, &transfer.takeover, &transfer.external_userid);
    let had_him = transfers_of(corp, customer)
        .any(|earlier| earlier.outcome == Outcome::Done && earlier.handover == *to);
    let Some(pair) = corp.remove_relation(from, customer) else {
        return;
    };
    if !corp.is_friend(to, customer) {
        corp.put_relation(Relation {
            userid: to.clone(),
            createtime: at.seconds(),
            add_way: GIVEN,
            state: String::new(),
            chatted_at: None,
            welcome: None,
            ..pair
        });
        if !had_him {
            let event = told(corp, "add_external_contact", to, customer);
            corp.events.push(event);
        }
    }
    if !transfer.is_resigned {
        let event = told(corp, "del_external_contact", from, customer).with("Source", "DELETE_BY_TRANSFER");
        corp.events.push(event);
    }
}

fn told(corp: &Corp, change: &'static str, member: &str, customer: &str) -> Event {
    Event::new("change_external_contact", change)
        .with("UserID", &shown(corp, member))
        .with("ExternalUserID", customer)
}

fn tell_failure(corp: &mut Corp, transfer: &Transfer, reason: &str, knobs: &Knobs) {
    if !knobs.transfer_fail_untold {
        let event = told(
            corp,
            "transfer_fail",
            &transfer.takeover,
            &transfer.external_userid,
        );
        corp.events.push(event.with("FailReason", reason));
    }
}

/// The transfer a customer is asked about.
pub fn asked_about<'a>(corp: &'a Corp, customer: &str) -> Option<&'a Transfer> {
    transfers_of(corp, customer).find(|transfer| transfer.outcome == Outcome::Waiting)
}

fn waiting(corp: &Corp, customer: &str) -> anyhow::Result<Transfer> {
    asked_about(corp, customer)
        .cloned()
        .ok_or_else(|| anyhow::anyhow!("nobody hands `{customer}` over"))
}

/// The customer agrees before the day is over.
pub fn accept(corp: &mut Corp, now: Timestamp, customer: &str, knobs: &Knobs) -> anyhow::Result<()> {
    let transfer = waiting(corp, customer)?;
    take_effect(corp, now, transfer, knobs);
    Ok(())
}

/// The customer refuses: he stays with the member, or, when that one left, is lost to both.
pub fn refuse(corp: &mut Corp, now: Timestamp, customer: &str, knobs: &Knobs) -> anyhow::Result<()> {
    let mut transfer = waiting(corp, customer)?;
    transfer.outcome = Outcome::Refused;
    transfer.ended_at = now.0;
    tell_failure(corp, &transfer, "customer_refused", knobs);
    if transfer.is_resigned {
        corp.remove_relation(&transfer.handover, customer);
        let event = told(corp, "del_external_contact", &transfer.handover, customer);
        corp.events.push(event);
    }
    corp.put_transfer(transfer);
    Ok(())
}

/// Remembers when a member left: the customers are listed some time after that.
pub fn note_leaver(corp: &mut Corp, now: Timestamp, userid: &str) {
    let key = userid.to_lowercase();
    corp.touch(Kind::Member, &key);
    if let Some(member) = corp.members.get_mut(&key) {
        member.left_at = now.seconds();
    }
}
