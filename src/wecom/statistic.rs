//! Statistics of members and of customer groups. path/92275 (read 2026-11-22).
//!
//! Days are the platform's, in Shanghai. Yesterday's figures are complete only later in the morning: ask after about
//! 10:00, and for the last days again.

use serde::Deserialize;
use serde_json::json;

use super::Client;
use super::ask::Api;
use super::wire;
use crate::error::Result;
use crate::ids::UserId;
use crate::time::Timestamp;

/// A member's day, or the sum of several members'.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Behaviour {
    /// Seconds; the day's start.
    #[serde(default, deserialize_with = "wire::number")]
    pub stat_time: i64,
    /// Friend requests the member sent.
    #[serde(default, deserialize_with = "wire::number")]
    pub new_apply_cnt: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub new_contact_cnt: i64,
    /// Single chats with messages.
    #[serde(default, deserialize_with = "wire::number")]
    pub chat_cnt: i64,
    /// Messages the member sent in them.
    #[serde(default, deserialize_with = "wire::number")]
    pub message_cnt: i64,
    /// Of 100 chats that customers opened, how many were answered; absent when none were opened.
    #[serde(default)]
    pub reply_percentage: Option<f64>,
    /// Minutes to the first reply; absent when there was none.
    #[serde(default, deserialize_with = "wire::some_number")]
    pub avg_reply_time: Option<i64>,
    /// Customers who deleted or blocked the member.
    #[serde(default, deserialize_with = "wire::number")]
    pub negative_feedback_cnt: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct GroupFigures {
    #[serde(default, deserialize_with = "wire::number")]
    pub new_chat_cnt: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub chat_total: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub chat_has_msg: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub new_member_cnt: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub member_total: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub member_has_msg: i64,
    #[serde(default, deserialize_with = "wire::number")]
    pub msg_total: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OwnerFigures {
    pub owner: UserId,
    #[serde(default)]
    pub data: GroupFigures,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DayFigures {
    /// Seconds; the day's start.
    #[serde(default, deserialize_with = "wire::number")]
    pub stat_time: i64,
    #[serde(default)]
    pub data: GroupFigures,
}

const BEHAVIOUR: Api = Api::freely("externalcontact/get_user_behavior_data");
const BY_OWNER: Api = Api::freely("externalcontact/groupchat/statistic");
const BY_DAY: Api = Api::freely("externalcontact/groupchat/statistic_group_by_day");

/// Owners a page of [`Client::group_figures`] holds.
const A_PAGE: i64 = 1_000;

#[derive(Deserialize)]
struct WireBehaviour {
    #[serde(default, deserialize_with = "wire::or_default")]
    behavior_data: Vec<Behaviour>,
}

#[derive(Deserialize)]
struct WireOwners {
    #[serde(default, deserialize_with = "wire::number")]
    total: i64,
    #[serde(default, deserialize_with = "wire::number")]
    next_offset: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    items: Vec<OwnerFigures>,
}

#[derive(Deserialize)]
struct WireDays {
    #[serde(default, deserialize_with = "wire::or_default")]
    items: Vec<DayFigures>,
}

impl Client {
    /// A member's days, at most 30 of the last 180 (600018). One member a call: the platform adds several up.
    pub async fn behaviour(
        &self,
        userid: &UserId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Behaviour>> {
        let body = json!({ "userid": [userid], "start_time": from.seconds(), "end_time": until.seconds() });
        let answer: WireBehaviour = self.post(BEHAVIOUR, &body).await?;
        Ok(answer.behavior_data)
    }

    /// Figures of the groups of up to 100 owners, by owner; a span of at most 30 of the last 180 days, up to yesterday.
    pub async fn group_figures(
        &self,
        owners: &[UserId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<OwnerFigures>> {
        let mut figures = Vec::new();
        loop {
            let body = json!({
                "day_begin_time": from.seconds(),
                "day_end_time": until.seconds(),
                "owner_filter": { "userid_list": owners },
                "order_by": 1,
                "order_asc": 0,
                "offset": figures.len(),
                "limit": A_PAGE,
            });
            let page: WireOwners = self.post(BY_OWNER, &body).await?;
            let is_empty = page.items.is_empty();
            figures.extend(page.items);
            // This list goes on by number, not by cursor: an empty page would be asked for again and again.
            if is_empty || page.next_offset >= page.total {
                return Ok(figures);
            }
        }
    }

    /// The same groups added up, a line a day.
    pub async fn group_figures_by_day(
        &self,
        owners: &[UserId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DayFigures>> {
        let body = json!({
            "day_begin_time": from.seconds(),
            "day_end_time": until.seconds(),
            "owner_filter": { "userid_list": owners },
        });
        let answer: WireDays = self.post(BY_DAY, &body).await?;
        Ok(answer.items)
    }
}
