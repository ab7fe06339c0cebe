//! Acquisition links 获客链接: an address that adds a member, with a channel, against a quota that is paid for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::broadcasts::shown;
use super::callbacks::Event;
use super::contact_ways::{able, members, numbers};
use super::gate::{Answer, Api, Call, Refusal, strings};
use super::moments::members_below;
use super::relations::{self, Arrival, Ceilings};
use super::statistics;
use super::world::{Corp, Kind};
use crate::time::{DAY_MS, Timestamp};

pub const APIS: &[Api] = &[
    Api::post("externalcontact/customer_acquisition/list_link", list).listing(&["link_id_list"]),
    Api::post("externalcontact/customer_acquisition/get", get),
    Api::post("externalcontact/customer_acquisition/create_link", create),
    Api::post("externalcontact/customer_acquisition/update_link", update),
    Api::post("externalcontact/customer_acquisition/delete_link", delete),
    Api::post("externalcontact/customer_acquisition/customer", customers).listing(&["customer_list"]),
    Api::get("externalcontact/customer_acquisition_quota", quota),
    Api::post("externalcontact/customer_acquisition/statistic", statistic),
];

/// `add_way` of a customer who came by a link.
const BY_LINK: i64 = 16;
/// Bytes of `customer_channel` that are kept.
const MAX_CHANNEL: usize = 64;
/// Links of a corp; the platform's number is not published.
const MAX_LINKS: usize = 10_000;
/// What is left when `balance_low` is told.
const LOW_BALANCE: usize = 20;
const COUNTED_DAYS: i64 = 180;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub link_id: String,
    pub link_name: String,
    /// The app that made it; no other sees it.
    pub made_by: i64,
    pub url: String,
    /// Seconds.
    pub created_at: i64,
    pub skip_verify: bool,
    pub mark_source: bool,
    /// Keys of members.
    pub users: Vec<String>,
    pub departments: Vec<i64>,
    /// As it was given.
    pub priority: Value,
    pub customers: Vec<Brought>,
    /// Who opened the link, and when in seconds.
    pub clicks: Vec<(String, i64)>,
}

/// A customer whom a link brought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Brought {
    pub external_userid: String,
    /// The member's key.
    pub userid: String,
    pub has_spoken: bool,
    pub state: String,
    /// Seconds.
    pub at: i64,
}

fn put(corp: &mut Corp, link: Link) {
    corp.touch(Kind::AcquisitionLink, &link.link_id);
    corp.links.insert(link.link_id.clone(), link);
}

fn known(call: &Call<'_>) -> Result<Link, Refusal> {
    let link = call.corp.links.get(call.text("link_id")?);
    link.filter(|link| link.made_by == call.agent_id)
        .cloned()
        .ok_or_else(|| Refusal::field("link_id", "is not known"))
}

fn list(call: &mut Call<'_>) -> Answer {
    let own = |link: &&Link| link.made_by == call.agent_id;
    let mut links: Vec<&Link> = call.corp.links.values().filter(own).collect();
    links.sort_by_key(|link| (link.created_at, &link.link_id));
    let (page, next) = call.page(links.into_iter(), 100, 100)?;
    let ids: Vec<&str> = page.iter().map(|link| link.link_id.as_str()).collect();
    Ok(json!({"link_id_list": ids, "next_cursor": next}))
}

fn get(call: &mut Call<'_>) -> Answer {
    let link = known(call)?;
    let users: Vec<String> = link.users.iter().map(|key| shown(call.corp, key)).collect();
    Ok(json!({
        "link": {"link_id": link.link_id, "link_name": link.link_name, "url": link.url,
            "create_time": link.created_at, "skip_verify": link.skip_verify, "mark_source": link.mark_source},
        "range": {"user_list": users, "department_list": link.departments},
        "priority_option": link.priority}))
}

fn create(call: &mut Call<'_>) -> Answer {
    if call.corp.links.len() >= MAX_LINKS {
        return Err(Refusal::new(41095));
    }
    let mut link = Link {
        link_name: call.text("link_name")?.to_owned(),
        made_by: call.agent_id,
        created_at: call.now.seconds(),
        skip_verify: true,
        ..Link::default()
    };
    fill(call, &mut link)?;
    if link.users.is_empty() && link.departments.is_empty() {
        return Err(Refusal::field("range", "is missing or empty"));
    }
    link.link_id = call.corp.new_id("cawc", 24);
    link.url = format!("https://work.weixin.qq.com/ca/{}", link.link_id);
    let answer = json!({"link": {"link_id": link.link_id, "link_name": link.link_name, "url": link.url,
        "create_time": link.created_at}});
    put(call.corp, link);
    Ok(answer)
}

fn fill(call: &Call<'_>, link: &mut Link) -> Result<(), Refusal> {
    if let Some(name) = call.optional_text("link_name")? {
        if name.is_empty() || name.chars().count() > 30 {
            return Err(Refusal::field("link_name", "is empty or longer than 30"));
        }
        name.clone_into(&mut link.link_name);
    }
    if let Some(range) = call.body.get("range").filter(|range| range.is_object()) {
        let users = strings(range.get("user_list"), "user_list", 100)?;
        let departments = numbers(range.get("department_list"), "department_list")?;
        members(call, &users, &departments)?;
        link.users = users.iter().map(|user| user.to_lowercase()).collect();
        link.departments = departments;
    }
    if let Some(skip) = call.flag("skip_verify")? {
        link.skip_verify = skip;
    }
    if let Some(mark) = call.flag("mark_source")? {
        link.mark_source = mark;
    }
    if let Some(priority) = call.body.get("priority_option").filter(|given| given.is_object()) {
        let first = strings(priority.get("priority_userid_list"), "priority_userid_list", 100)?;
        first.iter().try_for_each(|user| able(call, user).map(drop))?;
        link.priority = priority.clone();
    }
    Ok(())
}

fn update(call: &mut Call<'_>) -> Answer {
    let mut link = known(call)?;
    fill(call, &mut link)?;
    put(call.corp, link);
    Ok(json!({}))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let link = known(call)?;
    call.corp.touch(Kind::AcquisitionLink, &link.link_id);
    call.corp.links.remove(&link.link_id);
    Ok(json!({}))
}

fn customers(call: &mut Call<'_>) -> Answer {
    let link = known(call)?;
    let (page, next) = call.page(link.customers.iter(), 1_000, 1_000)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|one| {
            json!({"external_userid": one.external_userid, "userid": shown(call.corp, &one.userid),
                "chat_status": i64::from(one.has_spoken), "state": one.state})
        })
        .collect();
    Ok(json!({"customer_list": list, "next_cursor": next}))
}

fn balance(corp: &Corp, total: usize) -> usize {
    let used: usize = corp.links.values().map(|link| link.customers.len()).sum();
    total.saturating_sub(used)
}

fn quota(call: &mut Call<'_>) -> Answer {
    let total = call.knobs.acquisition_quota;
    let balance = balance(call.corp, total);
    // What was bought never runs out here: its last day is always a year ahead.
    let expires = call.now.plus_ms(365 * DAY_MS).seconds();
    Ok(
        json!({"total": total, "balance": balance, "quota_list": [{"expire_date": expires, "balance": balance}]}),
    )
}

fn statistic(call: &mut Call<'_>) -> Answer {
    let link = known(call)?;
    let (from, until) = (
        call.required_number("start_time")?,
        call.required_number("end_time")?,
    );
    let oldest = call.now.plus_ms(-COUNTED_DAYS * DAY_MS).seconds();
    if until < from || from < oldest {
        return Err(Refusal::field(
            "start_time",
            "is after `end_time` or more than 180 days ago",
        ));
    }
    let clicked: BTreeSet<&str> = link
        .clicks
        .iter()
        .filter(|(_, at)| (from..=until).contains(at))
        .map(|(who, _)| who.as_str())
        .collect();
    let brought = link
        .customers
        .iter()
        .filter(|one| (from..=until).contains(&one.at));
    Ok(json!({"click_link_customer_cnt": clicked.len(), "new_customer_cnt": brought.count()}))
}

/// What bounds an opened link.
pub struct Bounds {
    pub ceilings: Ceilings,
    pub quota: usize,
}

/// A customer opens a link and asks to be added; answers the member it led to.
pub fn open(
    corp: &mut Corp,
    now: Timestamp,
    customer: &str,
    link_id: &str,
    channel: &str,
    bounds: &Bounds,
) -> anyhow::Result<String> {
    let link = corp.links.get(link_id).cloned();
    let mut link = link.ok_or_else(|| anyhow::anyhow!("no acquisition link `{link_id}`"))?;
    let before = balance(corp, bounds.quota);
    anyhow::ensure!(before > 0, "the quota of acquisition links is used up");
    let state = &channel[..channel.floor_char_boundary(MAX_CHANNEL)];
    let Some(member) = pick(corp, &link, customer) else {
        corp.events.push(told("link_unavailable").with("LinkId", link_id));
        anyhow::bail!("nobody of acquisition link `{link_id}` can be added");
    };
    link.clicks.push((customer.to_owned(), now.seconds()));
    let is_new = corp.relation(&member, customer).is_none();
    if is_new {
        corp.events.push(
            told("friend_request")
                .with("LinkId", link_id)
                .with("State", state),
        );
    }
    let arrival = Arrival {
        state,
        add_way: BY_LINK,
        needs_acceptance: !link.skip_verify,
        is_half: false,
    };
    statistics::counted(corp, now, &member, customer, |corp| {
        relations::scan(corp, now, customer, &member, arrival, bounds.ceilings)
    })?;
    if is_new {
        link.customers.push(Brought {
            external_userid: customer.to_owned(),
            userid: member.clone(),
            has_spoken: false,
            state: state.to_owned(),
            at: now.seconds(),
        });
        match before - 1 {
            0 => corp.events.push(told("balance_exhausted")),
            left if left + 1 == LOW_BALANCE => corp.events.push(told("balance_low")),
            _ => {}
        }
    }
    put(corp, link);
    Ok(shown(corp, &member))
}

fn told(change: &'static str) -> Event {
    Event::new("customer_acquisition", change)
}

/// The member the customer has already, else the one with the fewest customers of this link.
fn pick(corp: &Corp, link: &Link, customer: &str) -> Option<String> {
    let below = link.departments.iter().flat_map(|id| members_below(corp, *id));
    let able: BTreeSet<String> = link
        .users
        .iter()
        .cloned()
        .chain(below)
        .filter(|key| {
            let member = corp.members.get(key);
            member.is_some_and(|member| member.status == 1 && !member.is_unconfigured)
        })
        .collect();
    let brought = |key: &String| link.customers.iter().filter(|one| one.userid == *key).count();
    let known = able.iter().find(|key| corp.relation(key, customer).is_some());
    known
        .or_else(|| able.iter().min_by_key(|key| brought(key)))
        .cloned()
}

/// A customer whom a link brought writes for the first time.
pub fn spoken(corp: &mut Corp, member: &str, customer: &str) {
    let is_first = |one: &Brought| one.userid == member && one.external_userid == customer && !one.has_spoken;
    let link = corp
        .links
        .values_mut()
        .find(|link| link.customers.iter().any(is_first));
    let Some(link) = link else {
        return;
    };
    for one in link.customers.iter_mut().filter(|one| is_first(one)) {
        one.has_spoken = true;
    }
    let id = link.link_id.clone();
    corp.touch(Kind::AcquisitionLink, id);
    let event = told("customer_start_chat")
        .with("UserID", &shown(corp, member))
        .with("ExternalUserID", customer);
    corp.events.push(event);
}
