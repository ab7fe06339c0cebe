//! One person's ids turned into one another. The simulator's other ids are made of the ids it has, so nothing is kept.

use serde_json::{Value, json};

use super::gate::{Answer, Api, Call, Refusal, open_cursor, seal_cursor};
use super::world::Customer;

pub const APIS: &[Api] = &[
    Api::post("externalcontact/convert_to_openid", to_openid),
    Api::post("externalcontact/unionid_to_external_userid", of_unionid),
    Api::post("idconvert/unionid_to_external_userid", of_unionid_or_pending),
    Api::post("idconvert/batch/external_userid_to_pending_id", to_pending).listing(&["result"]),
    Api::post("batch/userid_to_openuserid", to_open_userids).listing(&["open_userid_list"]),
    Api::post("batch/openuserid_to_userid", of_open_userids).listing(&["userid_list"]),
];

const OPEN_USERID: &str = "wo";

fn openid(external_userid: &str) -> String {
    format!("oSim{}", external_userid.trim_start_matches("wm"))
}

fn pending_id(unionid: &str) -> String {
    format!("pd{}", hex::encode(unionid))
}

/// Only a WeChat user has one.
fn to_openid(call: &mut Call<'_>) -> Answer {
    let id = call.optional_text("external_userid")?.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refusal::said(41035, "external_userid missing"))?;
    if !id.starts_with("wm") {
        return Err(Refusal::new(40096));
    }
    if call.corp.followers_of(id).next().is_none() {
        return Err(Refusal::new(84061));
    }
    Ok(json!({"openid": openid(id)}))
}

fn by_unionid<'a>(call: &'a Call<'_>) -> Result<Option<&'a Customer>, Refusal> {
    let (unionid, _openid) = (call.text("unionid")?, call.text("openid")?);
    Ok(call
        .corp
        .customers
        .values()
        .find(|customer| customer.unionid == unionid)
        .filter(|customer| call.corp.followers_of(&customer.external_userid).next().is_some()))
}

fn of_unionid(call: &mut Call<'_>) -> Answer {
    let customer = by_unionid(call)?.ok_or_else(|| Refusal::new(84061))?;
    Ok(json!({"external_userid": customer.external_userid}))
}

fn of_unionid_or_pending(call: &mut Call<'_>) -> Answer {
    let unionid = call.text("unionid")?;
    Ok(match by_unionid(call)? {
        Some(customer) => json!({"external_userid": customer.external_userid}),
        None => json!({"pending_id": pending_id(unionid)}),
    })
}

/// Ids nobody knows are left out.
fn to_pending(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("external_userid", 100)?;
    let rows: Vec<Value> = ids
        .into_iter()
        .filter_map(|id| call.corp.customers.get(id))
        .map(|customer| {
            json!({"external_userid": customer.external_userid, "pending_id": pending_id(&customer.unionid)})
        })
        .collect();
    Ok(json!({"result": rows}))
}

fn to_open_userids(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("userid_list", 1_000)?;
    let is_known = |id: &&str| call.corp.members.contains_key(&id.to_lowercase());
    let (known, invalid): (Vec<&str>, Vec<&str>) = ids.into_iter().partition(is_known);
    let rows: Vec<Value> = known
        .into_iter()
        .map(|id| json!({"userid": id, "open_userid": format!("{OPEN_USERID}{}", seal_cursor(id))}))
        .collect();
    Ok(json!({"open_userid_list": rows, "invalid_userid_list": invalid}))
}

fn of_open_userids(call: &mut Call<'_>) -> Answer {
    let (mut rows, mut invalid) = (Vec::new(), Vec::new());
    for id in call.texts("open_userid_list", 1_000)? {
        let inside = id
            .strip_prefix(OPEN_USERID)
            .and_then(|sealed| open_cursor(sealed).ok());
        match inside.filter(|userid| call.corp.members.contains_key(&userid.to_lowercase())) {
            Some(userid) => rows.push(json!({"open_userid": id, "userid": userid})),
            None => invalid.push(id),
        }
    }
    Ok(json!({"userid_list": rows, "invalid_open_userid_list": invalid}))
}
