//! The product album 商品图册: pictures and prices that members show customers in a chat.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ask::Api;
use super::message::{Attachment, Image};
use super::wire::{self, Accepted};
use super::{Client, Page};
use crate::error::Result;

/// What the album says of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Product {
    /// At most 300 characters.
    pub description: String,
    /// In fen, at most 5,000,000.
    #[serde(rename = "price")]
    pub price_fen: i64,
    /// Letters and digits, at most 128; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub product_sn: String,
    /// Media ids of pictures uploaded for the album, 1 to 9.
    #[serde(skip)]
    pub pictures: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlbumProduct {
    pub product_id: String,
    pub product: Product,
}

/// A repeat would make a second product.
const ADD: Api = Api::once("externalcontact/add_product_album");
const GET: Api = Api::freely("externalcontact/get_product_album");
const LIST: Api = Api::freely("externalcontact/get_product_album_list");
const UPDATE: Api = Api::freely("externalcontact/update_product_album");
const DELETE: Api = Api::once("externalcontact/delete_product_album");

#[derive(Deserialize)]
struct WireAdded {
    product_id: String,
}

#[derive(Deserialize)]
struct WireDetail {
    product: WireProduct,
}

#[derive(Deserialize)]
struct WireList {
    #[serde(default, deserialize_with = "wire::or_default")]
    product_list: Vec<WireProduct>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireProduct {
    product_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    description: String,
    #[serde(default, deserialize_with = "wire::number")]
    price: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    product_sn: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    attachments: Vec<Value>,
}

impl From<WireProduct> for AlbumProduct {
    /// Leaves out attachments that are no pictures.
    fn from(wire: WireProduct) -> Self {
        let attachments = wire.attachments.into_iter();
        let pictures = attachments.filter_map(|one| match serde_json::from_value(one) {
            Ok(Attachment::Image {
                image: Image { media_id, .. },
            }) => media_id,
            _ => None,
        });
        Self {
            product_id: wire.product_id,
            product: Product {
                description: wire.description,
                price_fen: wire.price,
                product_sn: wire.product_sn,
                pictures: pictures.collect(),
            },
        }
    }
}

impl Client {
    /// Puts a product in the album; answers its id.
    pub async fn add_product(&self, product: &Product) -> Result<String> {
        let added: WireAdded = self.post(ADD, &body_of(product)?).await?;
        Ok(added.product_id)
    }

    /// 41074 for a product that was deleted, 41075 for one that never was.
    pub async fn product(&self, product_id: &str) -> Result<AlbumProduct> {
        let detail: WireDetail = self.post(GET, &json!({ "product_id": product_id })).await?;
        Ok(detail.product.into())
    }

    /// The album, 100 a page.
    pub async fn products(&self, cursor: Option<&str>) -> Result<Page<AlbumProduct>> {
        let body = json!({ "limit": 100, "cursor": cursor.unwrap_or_default() });
        let page: WireList = self.post(LIST, &body).await?;
        Ok(Page {
            items: page.product_list.into_iter().map(AlbumProduct::from).collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Only the app that made a product may change it.
    pub async fn update_product(&self, product_id: &str, product: &Product) -> Result<()> {
        let mut body = body_of(product)?;
        body["product_id"] = product_id.into();
        self.post::<Accepted>(UPDATE, &body).await.map(drop)
    }

    pub async fn delete_product(&self, product_id: &str) -> Result<()> {
        let body = json!({ "product_id": product_id });
        self.post::<Accepted>(DELETE, &body).await.map(drop)
    }
}

fn body_of(product: &Product) -> Result<Value> {
    let mut body = serde_json::to_value(product)?;
    let pictures = product.pictures.iter();
    body["attachments"] = pictures
        .map(|id| json!({ "msgtype": "image", "image": { "media_id": id } }))
        .collect();
    Ok(body)
}
