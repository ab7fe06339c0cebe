//! Posts to the customers' feed. path/95094, path/93333, path/93506 (read 2026-11-22).

use serde::Deserialize;
use serde_json::json;

use super::ask::{Api, Ask};
use super::message::{Message, Text};
use super::wire::{self, Accepted};
use super::{Client, Page};
use crate::error::Result;
use crate::ids::{ExternalUserId, UserId};
use crate::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MomentJob {
    Running,
    Done {
        moment_id: String,
        invalid_senders: Vec<UserId>,
    },
    Failed {
        code: i64,
        message: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentMember {
    pub userid: UserId,
    pub published: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interactions {
    pub likes: Vec<(ExternalUserId, Timestamp)>,
    pub comments: Vec<(ExternalUserId, Timestamp)>,
}

/// A post as the platform lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMoment {
    pub moment_id: String,
    /// Absent for a post made through the API.
    pub creator: Option<UserId>,
    pub create_time: Timestamp,
    /// A member's own, or else the corp's.
    pub is_personal: bool,
    /// Everybody may see it, or only some customers.
    pub is_public: bool,
    pub text: String,
}

/// Whose posts or broadcasts a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    ByCorp,
    ByMember,
    ByAnybody,
}

impl Made {
    /// `filter_type`.
    pub(super) fn filter(self) -> i64 {
        match self {
            Self::ByCorp => 0,
            Self::ByMember => 1,
            Self::ByAnybody => 2,
        }
    }
}

const ADD: Api = Api::once("externalcontact/add_moment_task");
const LIST: Api = Api::freely("externalcontact/get_moment_list");
const CHOSEN: Api = Api::freely("externalcontact/get_moment_customer_list");
const JOB: Api = Api::freely("externalcontact/get_moment_task_result");
const MEMBERS: Api = Api::freely("externalcontact/get_moment_task");
const VISIBLE: Api = Api::freely("externalcontact/get_moment_send_result");
const COMMENTS: Api = Api::freely("externalcontact/get_moment_comments");
const CANCEL: Api = Api::freely("externalcontact/cancel_moment_task");
const UPLOAD: Api = Api::freely("media/upload_attachment");

/// `status` of a job that is over: look at its result.
const FINISHED: i64 = 3;

#[derive(Deserialize)]
struct WireAdded {
    jobid: String,
}

#[derive(Deserialize)]
struct WireJob {
    #[serde(default, deserialize_with = "wire::number")]
    status: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    result: WireOutcome,
}

#[derive(Deserialize, Default)]
struct WireOutcome {
    #[serde(default, deserialize_with = "wire::number")]
    errcode: i64,
    #[serde(default, deserialize_with = "wire::or_default")]
    errmsg: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    moment_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    invalid_sender_list: WireSenders,
}

#[derive(Deserialize, Default)]
struct WireSenders {
    #[serde(default, deserialize_with = "wire::or_default")]
    user_list: Vec<UserId>,
}

#[derive(Deserialize)]
struct WireList {
    #[serde(default, deserialize_with = "wire::or_default")]
    moment_list: Vec<WireListed>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireListed {
    moment_id: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    creator: String,
    #[serde(default, deserialize_with = "wire::number")]
    create_time: i64,
    #[serde(default, deserialize_with = "wire::number")]
    create_type: i64,
    #[serde(default, deserialize_with = "wire::number")]
    visible_type: i64,
    #[serde(default)]
    text: Option<Text>,
}

#[derive(Deserialize)]
struct WireMembers {
    #[serde(default, deserialize_with = "wire::or_default")]
    task_list: Vec<WireMember>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireMember {
    userid: UserId,
    #[serde(default, deserialize_with = "wire::number")]
    publish_status: i64,
}

#[derive(Deserialize)]
struct WireVisible {
    #[serde(default, deserialize_with = "wire::or_default")]
    customer_list: Vec<WireCustomer>,
    #[serde(default, deserialize_with = "wire::or_default")]
    next_cursor: String,
}

#[derive(Deserialize)]
struct WireCustomer {
    external_userid: ExternalUserId,
}

#[derive(Deserialize)]
struct WireComments {
    #[serde(default, deserialize_with = "wire::or_default")]
    comment_list: Vec<WireInteraction>,
    #[serde(default, deserialize_with = "wire::or_default")]
    like_list: Vec<WireInteraction>,
}

/// By a customer, or by a colleague who has `userid` instead.
#[derive(Deserialize)]
struct WireInteraction {
    #[serde(default)]
    external_userid: Option<ExternalUserId>,
    #[serde(default, deserialize_with = "wire::number")]
    create_time: i64,
}

#[derive(Deserialize)]
struct WireUploaded {
    media_id: String,
}

impl Client {
    /// Starts the post for these members (and, when given, only customers with one of these tags); answers a job id.
    pub async fn add_moment(
        &self,
        message: &Message,
        senders: &[UserId],
        tag_ids: &[&str],
    ) -> Result<String> {
        let mut range = json!({});
        // An empty list must be absent: absent means no restriction.
        if !senders.is_empty() {
            range["sender_list"] = json!({ "user_list": senders });
        }
        if !tag_ids.is_empty() {
            range["external_contact_list"] = json!({ "tag_list": tag_ids });
        }
        let mut body = serde_json::to_value(message)?;
        body["visible_range"] = range;
        let added: WireAdded = self.post(ADD, &body).await?;
        Ok(added.jobid)
    }

    /// How far a job is; its id can be asked for 24 h.
    pub async fn moment_job(&self, jobid: &str) -> Result<MomentJob> {
        let job: WireJob = self.get(JOB, vec![("jobid", jobid.to_owned())]).await?;
        Ok(match job {
            WireJob { status, .. } if status != FINISHED => MomentJob::Running,
            WireJob { result, .. } if result.errcode == 0 => MomentJob::Done {
                moment_id: result.moment_id,
                invalid_senders: result.invalid_sender_list.user_list,
            },
            WireJob { result, .. } => MomentJob::Failed {
                code: result.errcode,
                message: super::fault::clean(&result.errmsg),
            },
        })
    }

    /// Who has published, 1,000 a page. 41079 within seconds of creation.
    pub async fn moment_members(&self, moment_id: &str, cursor: Option<&str>) -> Result<Page<MomentMember>> {
        let body = json!({ "moment_id": moment_id, "limit": 1000, "cursor": cursor.unwrap_or_default() });
        let page: WireMembers = self.post(MEMBERS, &body).await?;
        let items = page.task_list.into_iter().map(|member| MomentMember {
            userid: member.userid,
            published: member.publish_status == 1,
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Posts made in a span of at most 30 days, 20 a page.
    pub async fn moments(
        &self,
        made: Made,
        from: Timestamp,
        until: Timestamp,
        cursor: Option<&str>,
    ) -> Result<Page<ListedMoment>> {
        let body = json!({
            "start_time": from.seconds(),
            "end_time": until.seconds(),
            "filter_type": made.filter(),
            "limit": 20,
            "cursor": cursor.unwrap_or_default(),
        });
        let page: WireList = self.post(LIST, &body).await?;
        let items = page.moment_list.into_iter().map(|listed| ListedMoment {
            moment_id: listed.moment_id,
            creator: Some(UserId(listed.creator)).filter(|creator| !creator.0.is_empty()),
            create_time: Timestamp::from_seconds(listed.create_time),
            is_personal: listed.create_type == 1,
            is_public: listed.visible_type == 1,
            text: listed.text.map(|text| text.content).unwrap_or_default(),
        });
        Ok(Page {
            items: items.collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Customers chosen to see a member's post, 1,000 a page; whether they can, [`Client::moment_visible`] says.
    pub async fn moment_chosen(
        &self,
        moment_id: &str,
        userid: &UserId,
        cursor: Option<&str>,
    ) -> Result<Page<ExternalUserId>> {
        let body = json!({
            "moment_id": moment_id,
            "userid": userid,
            "limit": 1000,
            "cursor": cursor.unwrap_or_default(),
        });
        let page: WireVisible = self.post(CHOSEN, &body).await?;
        let customers = page.customer_list.into_iter();
        Ok(Page {
            items: customers.map(|customer| customer.external_userid).collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Customers who can really see a member's published post, 5,000 a page.
    pub async fn moment_visible(
        &self,
        moment_id: &str,
        userid: &UserId,
        cursor: Option<&str>,
    ) -> Result<Page<ExternalUserId>> {
        let body = json!({
            "moment_id": moment_id,
            "userid": userid,
            "limit": 5000,
            "cursor": cursor.unwrap_or_default(),
        });
        let page: WireVisible = self.post(VISIBLE, &body).await?;
        let customers = page.customer_list.into_iter();
        Ok(Page {
            items: customers.map(|customer| customer.external_userid).collect(),
            next: wire::next(page.next_cursor),
        })
    }

    /// Likes and comments of customers; those of colleagues are left out.
    pub async fn moment_interactions(&self, moment_id: &str, userid: &UserId) -> Result<Interactions> {
        let body = json!({ "moment_id": moment_id, "userid": userid });
        let answer: WireComments = self.post(COMMENTS, &body).await?;
        Ok(Interactions {
            likes: of_customers(answer.like_list),
            comments: of_customers(answer.comment_list),
        })
    }

    /// Stops members who have not published yet.
    pub async fn cancel_moment(&self, moment_id: &str) -> Result<()> {
        let body = json!({ "moment_id": moment_id });
        self.post::<Accepted>(CANCEL, &body).await.map(drop)
    }

    /// Uploads a picture for a moment (at most 10 MB and 1,555,200 pixels); the id lives 3 days.
    pub async fn upload_moment_image(&self, filename: &str, bytes: Vec<u8>) -> Result<String> {
        let is_png = bytes.starts_with(b"\x89PNG");
        let ask = Ask::Upload {
            query: &[("media_type", "image"), ("attachment_type", "1")],
            filename,
            mime: if is_png { "image/png" } else { "image/jpeg" },
            bytes: &bytes,
        };
        let uploaded: WireUploaded = self.call(UPLOAD, ask).await?;
        Ok(uploaded.media_id)
    }
}

fn of_customers(interactions: Vec<WireInteraction>) -> Vec<(ExternalUserId, Timestamp)> {
    let of_customer = |one: WireInteraction| {
        let at = Timestamp::from_seconds(one.create_time);
        one.external_userid.map(|customer| (customer, at))
    };
    interactions.into_iter().filter_map(of_customer).collect()
}
