//! Acquisition links 获客链接: an address that adds a member, against a quota that is paid for. path/97297, path/97298
//! (read 2026-11-22). The channel is added to the address as `customer_channel` and comes back as `state`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::Api;
use super::wire::{self, Accepted};
use super::{Client, Page};
use crate::error::Result;
use crate::ids::{ExternalUserId, UserId};
use crate::time::Timestamp;

/// What a link does and whom it leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// At most 30 characters.
    pub name: String,
    /// At most 100.
    pub users: Vec<UserId>,
    pub departments: Vec<i64>,
    /// Customers are added without the member's consent.
    pub skip_verify: bool,
    pub mark_source: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub link_id: String,
    pub url: String,
    pub create_time: Timestamp,
    pub settings: LinkSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatStatus {
    NotSpoken,
    Spoken,
    Unknown,
}

/// A customer whom a link brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    pub external_userid: ExternalUserId,
    pub userid: UserId,
    pub chat_status: ChatStatus,
    /// The channel the address carried.
    pub state: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct AcquisitionQuota {
    #[serde(default, deserialize_with = "wire::number")]
    pub total: i64,
    /// Customers that can still be brought.
    #[serde(default, deserialize_with = "wire::number")]
    pub balance: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub quota_list: Vec<QuotaPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QuotaPart {
    /// Seconds.
    #[serde(default, deserialize_with = "wire::number")]
    pub expire_date: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub balance: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct LinkFigures {
    /// People who opened the link.
    #[serde(
        default,
        rename = "click_link_customer_cnt",
        deserialize_with = "wire::number"
    )]
    pub opened: i64,
    #[serde(default, rename = "new_customer_cnt", deserialize_with = "wire::number")]
    pub added: i64,
}

const LIST: Api = Api::freely("externalcontact/customer_acquisition/list_link");
const GET: Api = Api::freely("externalcontact/customer_acquisition/get");
/// A repeat would make a second link.
const CREATE: Api = Api::once("externalcontact/customer_acquisition/create_link");
const UPDATE: Api = Api::freely("externalcontact/customer_acquisition/update_link");
const DELETE: Api = Api::once("externalcontact/customer_acquisition/delete_link");
const CUSTOMERS: Api = Api::freely("externalcontact/customer_acquisition/customer");
const QUOTA: Api = Api::freely("externalcontact/customer_acquisition_quota");
const STATISTIC: Api = Api::freely("externalcontact/customer_acquisition/statistic");

#[derive(Deserialize)]
struct WireIds {
    #[serde(default, deserialize_with = "wire::or_default")]
    link_id_list: Vec<String>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireDetail {
    link: WireLink,
    #[serde(default, deserialize_with = "wire::or_default")]
    range: WireRange,
}

#[derive(Deserialize)]
struct WireLink {
    /// Some answers leave out what was asked with.
    #[serde(default, deserialize_with = "wire::or_default")]
    link_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    link_name: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    url: String,
    #[serde(default, deserialize_with = "wire::number")]
    create_time: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    skip_verify: bool,
    #[serde(default, deserialize_with = "wire::or_default")]
    mark_source: bool,
}

#[derive(Deserialize, Default)]
struct WireRange {
    #[serde(default, deserialize_with = "wire::or_default")]
    user_list: Vec<UserId>,
    #[serde(default, deserialize_with = "wire::numbers")]
    department_list: Vec<i64>,
}

#[derive(Deserialize)]
struct WireCreated {
    link: WireLink,
}

#[derive(Deserialize)]
struct WireCustomers {
    #[serde(default, deserialize_with = "wire::or_default")]
    customer_list: Vec<WireBrought>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireBrought {
    external_userid: ExternalUserId,
    userid: UserId,
    #[serde(default, deserialize_with = "wire::number")]
    chat_status: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    state: String,
}

impl Client {
    /// Makes a link; answers its id and address.
    pub async fn create_link(&self, settings: &LinkSettings) -> Result<Link> {
        let created: WireCreated = self.post(CREATE, &body_of(settings)).await?;
        Ok(Link {
            link_id: created.link.link_id,
            url: created.link.url,
            create_time: Timestamp::from_seconds(created.link.create_time),
            settings: settings.clone(),
        })
    }

    pub async fn update_link(&self, link_id: &str, settings: &LinkSettings) -> Result<()> {
        let mut body = body_of(settings);
        body["link_id"] = link_id.into();
        self.post::<Accepted>(UPDATE, &body).await.map(drop)
    }

    pub async fn link(&self, link_id: &str) -> Result<Link> {
        let detail: WireDetail = self.post(GET, &json!({ "link_id": link_id })).await?;
        let link = detail.link;
        Ok(Link {
            link_id: if link.link_id.is_empty() {
                link_id.to_owned()
            } else {
                link.link_id
            },
            url: link.url,
            create_time: Timestamp::from_seconds(link.create_time),
            settings: LinkSettings {
                name: link.link_name,
                users: detail.range.user_list,
                departments: detail.range.department_list,
                skip_verify: link.skip_verify,
                mark_source: link.mark_source,
            },
        })
    }

    /// Ids of the links this app made, 100 a page.
    pub async fn links(&self, cursor: Option<&str>) -> Result<Page<String>> {
        let body = json!({ "limit": 100, "cursor": cursor.unwrap_or_default() });
        let page: WireIds = self.post(LIST, &body).await?;
        Ok(Page {
            items: page.link_id_list,
            next: wire::next(page.next_cursor),
        })
    }

    pub async fn delete_link(&self, link_id: &str) -> Result<()> {
        let body = json!({ "link_id": link_id });
        self.post::<Accepted>(DELETE, &body).await.map(drop)
    }

    /// Customers whom a link brought, 1,000 a page.
    pub async fn link_customers(&self, link_id: &str, cursor: Option<&str>) -> Result<Page<Brought>> {
        let body = json!({ "link_id": link_id, "limit": 1000, "cursor": cursor.unwrap_or_default() });
        let page: WireCustomers = self.post(CUSTOMERS, &body).await?;
        let items = page.customer_list.into_iter().map(|one| Brought {
            external_userid: one.external_userid,
            userid: one.userid,
            chat_status: match one.chat_status {
                0 => ChatStatus::NotSpoken,
                1 => ChatStatus::Spoken,
                _ => ChatStatus::Unknown,
            },
            state: one.state,
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// What is left of what was paid for; at 0 links stop working.
    pub async fn acquisition_quota(&self) -> Result<AcquisitionQuota> {
        self.get(QUOTA, vec![]).await
    }

    /// Figures of a link in a span within the last 180 days.
    pub async fn link_figures(
        &self,
        link_id: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<LinkFigures> {
        let body = json!({ "link_id": link_id, "start_time": from.seconds(), "end_time": until.seconds() });
        self.post(STATISTIC, &body).await
    }
}

fn body_of(settings: &LinkSettings) -> Value {
    json!({
        "link_name": settings.name,
        "range": { "user_list": settings.users, "department_list": settings.departments },
        "skip_verify": settings.skip_verify,
        "mark_source": settings.mark_source,
    })
}
