//! Reading customers and who follows them; remarks; the welcome message.

use serde_json::{Value, json};

use super::gate::{Answer, Api, Call, Refusal, open_cursor, seal_cursor};
use super::message;
use super::world::{Corp, Customer, Relation};
use crate::time::SECOND_MS;

pub const APIS: &[Api] = &[
    Api::get("externalcontact/list", list).listing(&["external_userid"]),
    Api::get("externalcontact/get", get).listing(&["follow_user"]),
    Api::post("externalcontact/batch/get_by_user", batch).listing(&["external_contact_list"]),
    Api::post("externalcontact/remark", remark),
    Api::post("externalcontact/send_welcome_msg", send_welcome),
];

/// Followers a `get` shows at once.
const FOLLOWERS_A_PAGE: usize = 500;
const WELCOME_LIFE_MS: i64 = 20 * SECOND_MS;

fn list(call: &mut Call<'_>) -> Answer {
    let userid = call
        .parameter("userid")
        .ok_or_else(|| Refusal::said(41009, "userid missing"))?;
    let key = call.member(userid)?;
    let ids: Vec<&str> = call
        .corp
        .customers_of(&key, None)
        .map(|relation| relation.external_userid.as_str())
        .collect();
    // A member without customers is no error to us, but it is to the platform.
    if ids.is_empty() {
        Err(Refusal::new(84061))
    } else {
        Ok(json!({"external_userid": ids}))
    }
}

fn get(call: &mut Call<'_>) -> Answer {
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
    let readable_until = call.now.0 - call.knobs.read_lag_ms;
    let followers: Vec<&Relation> = call
        .corp
        .followers_of(id)
        .filter(|relation| relation.createtime * SECOND_MS <= readable_until)
        .collect();
    if followers.is_empty() {
        return Err(Refusal::new(84061));
    }
    let page: Vec<Value> = followers
        .iter()
        .skip(start)
        .take(FOLLOWERS_A_PAGE)
        .map(|relation| follow_user(call.corp, relation))
        .collect();
    let end = start + page.len();
    let next = if end < followers.len() {
        seal_cursor(&end.to_string())
    } else {
        String::new()
    };
    Ok(json!({"external_contact": customer_json(customer), "follow_user": page, "next_cursor": next}))
}

pub fn customer_json(customer: &Customer) -> Value {
    let is_wechat = customer.external_userid.starts_with("wm");
    let mut json = json!({"external_userid": customer.external_userid, "name": customer.name,
        "avatar": customer.avatar, "type": if is_wechat { 1 } else { 2 }, "gender": customer.gender});
    if is_wechat && !customer.unionid.is_empty() {
        json["unionid"] = json!(customer.unionid);
    }
    json
}

/// The member's part as `get` shows it, tags in full.
fn follow_user(corp: &Corp, relation: &Relation) -> Value {
    let tags: Vec<Value> = relation
        .tag_ids
        .iter()
        .filter_map(|id| corp.tag(id))
        .map(|(group, tag)| json!({"group_name": group.group_name, "tag_name": tag.name, "tag_id": tag.id, "type": 1}))
        .collect();
    let mut json = follow_json(corp, relation);
    json["tags"] = json!(tags);
    json
}

fn follow_json(corp: &Corp, relation: &Relation) -> Value {
    let userid = corp
        .members
        .get(&relation.userid)
        .map_or(relation.userid.as_str(), |member| member.userid.as_str());
    let mut json = json!({"userid": userid, "remark": relation.remark, "description": relation.description,
        "createtime": relation.createtime, "remark_corp_name": relation.remark_company,
        "remark_mobiles": relation.remark_mobiles, "oper_userid": relation.external_userid,
        "add_way": relation.add_way});
    if !relation.state.is_empty() {
        json["state"] = json!(relation.state);
    }
    json
}

fn batch(call: &mut Call<'_>) -> Answer {
    let userids = call.texts("userid_list", 100)?;
    if userids.is_empty() {
        return Err(Refusal::field("userid_list", "is missing or empty"));
    }
    let members: Vec<String> = userids
        .iter()
        .map(|userid| call.member(userid))
        .collect::<Result<_, _>>()?;
    let limit = call.limit(50, 100)?;
    let (mut at, mut after) = place(call, members.len())?;
    let take = call.page_size(at + after.as_ref().map_or(0, String::len), limit);
    let mut pairs: Vec<&Relation> = Vec::with_capacity(take);
    while at < members.len() {
        let room = take - pairs.len();
        pairs.extend(call.corp.customers_of(&members[at], after.as_deref()).take(room));
        if pairs.len() == take {
            break;
        }
        at += 1;
        after = None;
    }
    let next = match pairs.last() {
        Some(last) if at < members.len() => seal_cursor(&format!("{at} {}", last.external_userid)),
        _ => String::new(),
    };
    let list: Vec<Value> = pairs
        .iter()
        .map(|relation| pair_json(call.corp, relation))
        .collect();
    Ok(json!({"external_contact_list": list, "next_cursor": next}))
}

/// Where a batch goes on: which member, after which customer.
fn place(call: &Call<'_>, members: usize) -> Result<(usize, Option<String>), Refusal> {
    let Some(cursor) = call.optional_text("cursor")?.filter(|cursor| !cursor.is_empty()) else {
        return Ok((0, None));
    };
    let inside = open_cursor(cursor)?;
    let (at, after) = inside.split_once(' ').ok_or_else(|| Refusal::new(50100))?;
    let at = at
        .parse()
        .ok()
        .filter(|at| *at < members)
        .ok_or_else(|| Refusal::new(50100))?;
    Ok((at, Some(after.to_owned())))
}

fn pair_json(corp: &Corp, relation: &Relation) -> Value {
    let contact = corp
        .customers
        .get(&relation.external_userid)
        .map_or(Value::Null, customer_json);
    let mut follow = follow_json(corp, relation);
    follow["tag_id"] = json!(relation.tag_ids);
    json!({"external_contact": contact, "follow_info": follow})
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
    let (corp, now) = (&mut *call.corp, call.now);
    corp.welcomes
        .retain(|_, welcome| now.0 - welcome.issued_at.0 <= 10 * WELCOME_LIFE_MS);
    let welcome = corp.welcomes.get(code).ok_or_else(|| Refusal::new(41050))?;
    if welcome.is_used {
        return Err(Refusal::new(41051));
    }
    if now.0 - welcome.issued_at.0 > WELCOME_LIFE_MS {
        return Err(Refusal::new(41050));
    }
    message::check(corp, now, call.body)?;
    let welcome = corp.welcomes.get_mut(code).ok_or_else(|| Refusal::new(41050))?;
    welcome.is_used = true;
    let (userid, external_userid) = (welcome.userid.clone(), welcome.external_userid.clone());
    if let Some(relation) = corp.relation_mut(&userid, &external_userid) {
        relation.welcome = Some(message::content(call.body));
        relation.chatted_at = Some(now.0);
    }
    Ok(json!({}))
}
