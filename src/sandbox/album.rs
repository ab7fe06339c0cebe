//! The product album 商品图册: what members show customers in a chat.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::gate::{Answer, Api, Call, Refusal};
use super::world::{Corp, Kind};
use crate::time::DAY_MS;

pub const APIS: &[Api] = &[
    Api::post("externalcontact/add_product_album", add),
    Api::post("externalcontact/get_product_album", get),
    Api::post("externalcontact/get_product_album_list", list).listing(&["product_list"]),
    Api::post("externalcontact/update_product_album", update),
    Api::post("externalcontact/delete_product_album", delete),
];

const MAX_DESCRIPTION: usize = 300;
/// In fen.
const MAX_PRICE: i64 = 5_000_000;
const MAX_SN: usize = 128;
const MAX_PICTURES: usize = 9;
const MEDIA_LIFE_MS: i64 = 3 * DAY_MS;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AlbumItem {
    pub product_id: String,
    pub description: String,
    pub price_fen: i64,
    pub product_sn: String,
    pub attachments: Value,
    /// Seconds.
    pub created_at: i64,
    pub is_deleted: bool,
}

fn add(call: &mut Call<'_>) -> Answer {
    let mut item = AlbumItem {
        price_fen: -1,
        attachments: json!([]),
        created_at: call.now.seconds(),
        ..AlbumItem::default()
    };
    fill(call, &mut item)?;
    if item.description.is_empty() {
        return Err(Refusal::new(41087));
    }
    if item.price_fen < 0 {
        return Err(Refusal::new(41086));
    }
    if item.attachments.as_array().is_none_or(Vec::is_empty) {
        return Err(Refusal::new(41088));
    }
    item.product_id = call.corp.new_id("prod", 36);
    let answer = json!({"product_id": item.product_id});
    put(call.corp, item);
    Ok(answer)
}

fn fill(call: &Call<'_>, item: &mut AlbumItem) -> Result<(), Refusal> {
    if let Some(description) = call.optional_text("description")? {
        if description.is_empty() || description.chars().count() > MAX_DESCRIPTION {
            return Err(Refusal::new(41087));
        }
        description.clone_into(&mut item.description);
    }
    if let Some(price) = call.number("price")? {
        if !(0..=MAX_PRICE).contains(&price) {
            return Err(Refusal::new(41086));
        }
        item.price_fen = price;
    }
    if let Some(sn) = call.optional_text("product_sn")? {
        if sn.len() > MAX_SN || !sn.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refusal::new(41085));
        }
        sn.clone_into(&mut item.product_sn);
    }
    if let Some(attachments) = call.body.get("attachments").filter(|given| !given.is_null()) {
        check_pictures(call, attachments)?;
        item.attachments = attachments.clone();
    }
    Ok(())
}

/// Pictures alone, uploaded for the album and still alive.
fn check_pictures(call: &Call<'_>, attachments: &Value) -> Result<(), Refusal> {
    let list = attachments.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| Refusal::new(41088))?;
    if list.len() > MAX_PICTURES {
        return Err(Refusal::new(41064));
    }
    for attachment in list {
        if attachment["msgtype"] != "image" {
            return Err(Refusal::new(41065));
        }
        let id = attachment["image"]["media_id"].as_str().unwrap_or_default();
        let media = call.corp.media.get(id).filter(|media| !media.is_for_moments);
        media
            .filter(|media| call.now.0 - media.created_at <= MEDIA_LIFE_MS)
            .ok_or_else(|| Refusal::new(40007))?;
    }
    Ok(())
}

fn put(corp: &mut Corp, item: AlbumItem) {
    corp.touch(Kind::AlbumItem, &item.product_id);
    corp.album.insert(item.product_id.clone(), item);
}

fn known(call: &Call<'_>) -> Result<AlbumItem, Refusal> {
    let item = call.corp.album.get(call.text("product_id")?);
    let item = item.ok_or_else(|| Refusal::new(41075))?;
    if item.is_deleted {
        return Err(Refusal::new(41074));
    }
    Ok(item.clone())
}

fn item_json(item: &AlbumItem) -> Value {
    json!({"product_id": item.product_id, "description": item.description, "price": item.price_fen,
        "product_sn": item.product_sn, "attachments": item.attachments})
}

fn get(call: &mut Call<'_>) -> Answer {
    let item = known(call)?;
    let mut json = item_json(&item);
    json["create_time"] = json!(item.created_at);
    Ok(json!({"product": json}))
}

fn list(call: &mut Call<'_>) -> Answer {
    let mut items: Vec<&AlbumItem> = call.corp.album.values().filter(|item| !item.is_deleted).collect();
    items.sort_by_key(|item| (item.created_at, &item.product_id));
    let (page, next) = call.page(items.into_iter(), 50, 100)?;
    let list: Vec<Value> = page.into_iter().map(item_json).collect();
    Ok(json!({"product_list": list, "next_cursor": next}))
}

fn update(call: &mut Call<'_>) -> Answer {
    let mut item = known(call)?;
    fill(call, &mut item)?;
    put(call.corp, item);
    Ok(json!({}))
}

fn delete(call: &mut Call<'_>) -> Answer {
    let mut item = known(call)?;
    item.is_deleted = true;
    put(call.corp, item);
    Ok(json!({}))
}
