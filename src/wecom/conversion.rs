//! One person's ids turned into one another. A self-built app seldom needs it: unionids come with the customers.

use serde::Deserialize;
use serde_json::json;

use super::Client;
use super::ask::Api;
use super::wire;
use crate::error::Result;
use crate::ids::{ExternalUserId, UserId};

/// Who a unionid stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    Customer(ExternalUserId),
    /// Not a customer yet; the id stands for the person for 90 days.
    Pending(String),
}

const OPENID: Api = Api::freely("externalcontact/convert_to_openid");
const OF_UNIONID: Api = Api::freely("externalcontact/unionid_to_external_userid");
const PERSON_OF: Api = Api::freely("idconvert/unionid_to_external_userid");
const OF_OPEN_USERIDS: Api = Api::freely("batch/openuserid_to_userid");

#[derive(Deserialize)]
struct WireOpenid {
    openid: String,
}

#[derive(Deserialize)]
struct WireCustomer {
    external_userid: ExternalUserId,
}

#[derive(Deserialize)]
struct WirePerson {
    #[serde(default, deserialize_with = "wire::or_default")]
    external_userid: String,
    #[serde(default, deserialize_with = "wire::or_default")]
    pending_id: String,
}

#[derive(Deserialize)]
struct WireUsers {
    #[serde(default, deserialize_with = "wire::or_default")]
    userid_list: Vec<WireUser>,
}

#[derive(Deserialize)]
struct WireUser {
    open_userid: String,
    userid: UserId,
}

impl Client {
    /// A WeChat customer's openid; 40096 for a customer of another kind.
    pub async fn openid(&self, external_userid: &ExternalUserId) -> Result<String> {
        let body = json!({ "external_userid": external_userid });
        let answer: WireOpenid = self.post(OPENID, &body).await?;
        Ok(answer.openid)
    }

    /// The customer of a unionid; both ids must be of a mini-program bound to the corp. 84061 for nobody's customer.
    pub async fn customer_of(&self, unionid: &str, openid: &str) -> Result<ExternalUserId> {
        let body = json!({ "unionid": unionid, "openid": openid });
        let answer: WireCustomer = self.post(OF_UNIONID, &body).await?;
        Ok(answer.external_userid)
    }

    /// The same for somebody who may not be a customer yet.
    pub async fn person_of(&self, unionid: &str, openid: &str) -> Result<Person> {
        let body = json!({ "unionid": unionid, "openid": openid, "subject_type": 0 });
        let answer: WirePerson = self.post(PERSON_OF, &body).await?;
        Ok(if answer.external_userid.is_empty() {
            Person::Pending(answer.pending_id)
        } else {
            Person::Customer(ExternalUserId(answer.external_userid))
        })
    }

    /// Members by the ids a provider's app sees (at most 1,000), with those ids; unknown ones are left out.
    pub async fn members_of_open_userids(
        &self,
        open_userids: &[&str],
        source_agentid: i64,
    ) -> Result<Vec<(String, UserId)>> {
        let body = json!({ "open_userid_list": open_userids, "source_agentid": source_agentid });
        let answer: WireUsers = self.post(OF_OPEN_USERIDS, &body).await?;
        let users = answer.userid_list.into_iter();
        Ok(users.map(|user| (user.open_userid, user.userid)).collect())
    }
}
