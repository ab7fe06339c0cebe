//! Reading customers and who follows them; remarks; the welcome message.

use axum::http::Method;
use serde::Serialize;
use serde_json::json;

use super::gate::{Answer, Api, Call, Look, Refusal, Written, after_gap, open_cursor, seal_cursor};
use super::message;
use super::word::Word;
use super::world::{Corp, Customer, Relation};
use crate::time::SECOND_MS;

pub const APIS: &[Api] = &[
    Api::read(Method::GET, "externalcontact/list", list).listing(&["external_userid"]),
    Api::read(Method::GET, "externalcontact/get", get).listing(&["follow_user"]),
    Api::read(Method::POST, "externalcontact/batch/get_by_user", batch).listing(&["external_contact_list"]),
    Api::post("externalcontact/remark", remark),
    Api::post("externalcontact/send_welcome_msg", send_welcome),
];

/// Followers a `get` shows at once.
const FOLLOWERS_A_PAGE: usize = 500;
const WELCOME_LIFE_MS: i64 = 20 * SECOND_MS;

fn written(answer: &impl Serialize) -> Written {
    serde_json::to_string(answer).map_err(|_| Refusal::new(-1))
}

#[derive(Serialize)]
struct Ids<'a> {
    external_userid: Vec<&'a str>,
}

fn list(call: &Look<'_>) -> Written {
    let userid = call
        .parameter("userid")
        .ok_or_else(|| Refusal::said(41009, "userid missing"))?;
    let key = call.member(userid)?;
    let pairs = call.corp.customers_at(&key, None, call.read_at());
    let ids: Vec<&str> = pairs.map(|relation| relation.external_userid.as_str()).collect();
    // A member without customers is no error to us, but it is to the platform.
    if ids.is_empty() {
        Err(Refusal::new(84061))
    } else {
        written(&Ids { external_userid: ids })
    }
}

#[derive(Serialize)]
struct Contact<'a> {
    external_contact: CustomerShown<'a>,
    follow_user: Vec<FollowUser<'a>>,
    next_cursor: String,
}

fn get(call: &Look<'_>) -> Written {
    let id = call
        .parameter("external_userid")
        .ok_or_else(|| Refusal::said(41035, "external_userid missing"))?;
    let Some(customer) = call.corp.customers.get(id) else {
        let is_well_formed = id.starts_with("wm") || id.starts_with("wo");
        return Err(Refusal::new(if is_well_formed { 84061 } else { 40096 }));
    };
    let start: usize = match call.parameter("cursor") {
        None => 0,
        Some(cursor) => open_cursor(cursor)?.parse().map_err(|_| Refusal::new(50100))?,
    };
    let mut followers = call.corp.followers_at(id, call.read_at());
    followers.retain(|relation| call.sees(&relation.userid));
    if followers.is_empty() {
        return Err(Refusal::new(84061));
    }
    let page = followers.iter().skip(start).take(FOLLOWERS_A_PAGE);
    let page: Vec<FollowUser<'_>> = page.map(|relation| follow_user(call.corp, relation)).collect();
    let end = start + page.len();
    let next = if end >= followers.len() {
        String::new()
    } else if call.repeats {
        seal_cursor(&start.to_string())
    } else {
        seal_cursor(&end.to_string())
    };
    written(&Contact {
        external_contact: CustomerShown::of(customer),
        follow_user: page,
        next_cursor: next,
    })
}

#[derive(Serialize)]
struct CustomerShown<'a> {
    external_userid: &'a str,
    name: &'a str,
    avatar: &'a str,
    #[serde(rename = "type")]
    kind: i64,
    gender: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<&'a str>,
}

impl<'a> CustomerShown<'a> {
    fn of(customer: &'a Customer) -> Self {
        let is_wechat = customer.external_userid.starts_with("wm");
        Self {
            external_userid: &customer.external_userid,
            name: &customer.name,
            avatar: &customer.avatar,
            kind: if is_wechat { 1 } else { 2 },
            gender: customer.gender,
            unionid: Some(customer.unionid.as_str()).filter(|unionid| is_wechat && !unionid.is_empty()),
        }
    }
}

/// The member's part as every read shows it.
#[derive(Serialize)]
struct Follow<'a> {
    userid: &'a str,
    remark: &'a str,
    description: &'a str,
    createtime: i64,
    remark_corp_name: &'a str,
    remark_mobiles: &'a [String],
    oper_userid: &'a str,
    add_way: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    state: &'a str,
}

impl<'a> Follow<'a> {
    fn of(corp: &'a Corp, relation: &'a Relation) -> Self {
        let member = corp.members.get(&relation.userid);
        Self {
            userid: member.map_or(&relation.userid, |member| &member.userid),
            remark: &relation.remark,
            description: &relation.description,
            createtime: relation.createtime,
            remark_corp_name: &relation.remark_company,
            remark_mobiles: &relation.remark_mobiles,
            oper_userid: &relation.external_userid,
            add_way: relation.add_way,
            state: &relation.state,
        }
    }
}

/// As `get` shows it: tags in full.
#[derive(Serialize)]
struct FollowUser<'a> {
    #[serde(flatten)]
    follow: Follow<'a>,
    tags: Vec<TagShown<'a>>,
}

#[derive(Serialize)]
struct TagShown<'a> {
    group_name: &'a str,
    tag_name: &'a str,
    tag_id: &'a str,
    #[serde(rename = "type")]
    kind: i64,
}

fn follow_user<'a>(corp: &'a Corp, relation: &'a Relation) -> FollowUser<'a> {
    let tags = relation.tag_ids.iter().filter_map(|id| corp.tag(id));
    FollowUser {
        follow: Follow::of(corp, relation),
        tags: tags
            .map(|(group, tag)| TagShown {
                group_name: &group.group_name,
                tag_name: &tag.name,
                tag_id: &tag.id,
                kind: 1,
            })
            .collect(),
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    external_contact_list: Vec<PairShown<'a>>,
    next_cursor: String,
}

/// As a batch shows a pair: one follower, tags by id.
#[derive(Serialize)]
struct PairShown<'a> {
    external_contact: Option<CustomerShown<'a>>,
    follow_info: FollowInfo<'a>,
}

#[derive(Serialize)]
struct FollowInfo<'a> {
    #[serde(flatten)]
    follow: Follow<'a>,
    tag_id: &'a [Word],
}

fn batch(call: &Look<'_>) -> Written {
    let userids = call.texts("userid_list", 100)?;
    if userids.is_empty() {
        return Err(Refusal::field("userid_list", "is missing or empty"));
    }
    let members: Vec<String> = userids
        .iter()
        .map(|userid| call.member(userid))
        .collect::<Result<_, _>>()?;
    let limit = call.limit(50, 100)?;
    let cursor = call.optional_text("cursor")?.filter(|cursor| !cursor.is_empty());
    let inside = cursor.map(open_cursor).transpose()?;
    if let Some(inside) = inside.as_deref().and_then(after_gap) {
        return written(&Batch {
            external_contact_list: Vec::new(),
            next_cursor: seal_cursor(inside),
        });
    }
    let start = place(inside.as_deref(), members.len())?;
    let (mut at, mut after) = start.clone();
    let take = call.page_size(at + after.as_ref().map_or(0, String::len), limit);
    let mut pairs: Vec<&Relation> = Vec::with_capacity(take);
    while at < members.len() {
        let room = take - pairs.len();
        let more = call
            .corp
            .customers_at(&members[at], after.as_deref(), call.read_at());
        pairs.extend(more.take(room));
        if pairs.len() == take {
            break;
        }
        at += 1;
        after = None;
    }
    let next = match pairs.last() {
        Some(_) if at < members.len() && call.repeats => {
            seal_cursor(&format!("{} {}", start.0, start.1.unwrap_or_default()))
        }
        Some(last) if at < members.len() => call.going_on(&format!("{at} {}", last.external_userid)),
        _ => String::new(),
    };
    let list = pairs.iter().map(|relation| pair_shown(call.corp, relation));
    written(&Batch {
        external_contact_list: list.collect(),
        next_cursor: next,
    })
}

/// Where a batch goes on: which member, after which customer.
fn place(cursor: Option<&str>, members: usize) -> Result<(usize, Option<String>), Refusal> {
    let Some(inside) = cursor else {
        return Ok((0, None));
    };
    let (at, after) = inside.split_once(' ').ok_or_else(|| Refusal::new(50100))?;
    let at = at
        .parse()
        .ok()
        .filter(|at| *at < members)
        .ok_or_else(|| Refusal::new(50100))?;
    Ok((at, Some(after.to_owned())))
}

fn pair_shown<'a>(corp: &'a Corp, relation: &'a Relation) -> PairShown<'a> {
    PairShown {
        external_contact: corp
            .customers
            .get(&relation.external_userid)
            .map(CustomerShown::of),
        follow_info: FollowInfo {
            follow: Follow::of(corp, relation),
            tag_id: &relation.tag_ids,
        },
    }
}

fn remark(call: &mut Call<'_>) -> Answer {
    let key = call.member(call.text("userid")?)?;
    let customer = call.text("external_userid")?;
    let remark = short_text(call, "remark", 20)?;
    let description = short_text(call, "description", 150)?;
    let company = short_text(call, "remark_company", 20)?;
    let mobiles = match call.body.get("remark_mobiles") {
        None => None,
        Some(_) => Some(call.texts("remark_mobiles", 20)?),
    };
    if remark.is_none() && description.is_none() && company.is_none() && mobiles.is_none() {
        return Err(Refusal::field(
            "remark",
            "and every other field to set are missing",
        ));
    }
    let relation = call
        .corp
        .relation_mut(&key, customer)
        .ok_or_else(|| Refusal::new(84084))?;
    set(&mut relation.remark, remark);
    set(&mut relation.description, description);
    set(&mut relation.remark_company, company);
    if let Some(mobiles) = mobiles {
        relation.remark_mobiles = mobiles
            .into_iter()
            .filter(|mobile| !mobile.is_empty())
            .map(str::to_owned)
            .collect();
    }
    Ok(json!({}))
}

fn short_text<'a>(call: &Call<'a>, field: &str, at_most: usize) -> Result<Option<&'a str>, Refusal> {
    let text = call.optional_text(field)?;
    if text.is_some_and(|text| text.chars().count() > at_most) {
        return Err(Refusal::field(field, &format!("exceed max length {at_most}")));
    }
    Ok(text)
}

fn set(place: &mut String, text: Option<&str>) {
    if let Some(text) = text {
        text.clone_into(place);
    }
}

fn send_welcome(call: &mut Call<'_>) -> Answer {
    let code = call
        .optional_text("welcome_code")?
        .filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| Refusal::said(41049, "welcome_code missing"))?;
    let (corp, now, agent_id) = (&mut *call.corp, call.now, call.agent_id);
    corp.welcomes
        .retain(|_, welcome| now.0 - welcome.issued_at.0 <= 10 * WELCOME_LIFE_MS);
    let welcome = corp.welcomes.get_mut(code).ok_or_else(|| Refusal::new(41050))?;
    if let Some((at, by)) = welcome.used {
        // Two apps at the same instant: the slower may try again, and hears then that it was too late.
        let is_contest = at == now && by != agent_id && !welcome.was_contested;
        welcome.was_contested |= is_contest;
        return Err(Refusal::new(if is_contest { 41096 } else { 41051 }));
    }
    if now.0 - welcome.issued_at.0 > WELCOME_LIFE_MS {
        return Err(Refusal::new(41050));
    }
    message::check(corp, now, call.body)?;
    let welcome = corp.welcomes.get_mut(code).ok_or_else(|| Refusal::new(41050))?;
    welcome.used = Some((now, agent_id));
    let (userid, external_userid) = (welcome.userid.clone(), welcome.external_userid.clone());
    if let Some(relation) = corp.relation_mut(&userid, &external_userid) {
        relation.welcome = Some(Box::new(message::content(call.body)));
        relation.chatted_at = Some(now.0);
    }
    Ok(json!({}))
}
