//! Departments and members. path/90208, path/90200, path/92571 (read 2026-11-22).

use serde::{Deserialize, Serialize};

use super::ask::Api;
use super::client::odd;
use super::{Client, wire};
use crate::error::Result;
use crate::ids::UserId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Department {
    #[serde(deserialize_with = "wire::number")]
    pub id: i64,
    /// Absent for some kinds of app.
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "wire::number")]
    pub parentid: i64,
    /// Larger sorts first.
    #[serde(default, deserialize_with = "wire::number")]
    pub order: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub userid: UserId,
    #[serde(default, deserialize_with = "wire::or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "wire::numbers")]
    pub department: Vec<i64>,
    #[serde(default, deserialize_with = "wire::some_number")]
    pub main_department: Option<i64>,
    /// 1 activated, 2 disabled, 4 not activated, 5 left.
    #[serde(default, deserialize_with = "wire::number")]
    pub status: i64,
    /// 1 or 0 for each of `department`.
    #[serde(default, deserialize_with = "wire::numbers")]
    pub is_leader_in_dept: Vec<i64>,
}

const DEPARTMENTS: Api = Api::freely("department/list");
const MEMBERS: Api = Api::freely("user/list");
const MEMBER: Api = Api::freely("user/get");
const FOLLOW_USERS: Api = Api::freely("externalcontact/get_follow_user_list");

#[derive(Deserialize)]
struct Departments {
    #[serde(default, deserialize_with = "wire::or_default")]
    department: Vec<Department>,
}

#[derive(Deserialize)]
struct Members {
    #[serde(default, deserialize_with = "wire::or_default")]
    userlist: Vec<Member>,
}

#[derive(Deserialize)]
struct FollowUsers {
    #[serde(default, deserialize_with = "wire::or_default")]
    follow_user: Vec<UserId>,
}

impl Client {
    /// All departments the app can see.
    pub async fn departments(&self) -> Result<Vec<Department>> {
        let answer: Departments = self.get(DEPARTMENTS, vec![]).await?;
        Ok(answer.department)
    }

    /// Members directly in a department.
    pub async fn members(&self, department: i64) -> Result<Vec<Member>> {
        let query = vec![("department_id", department.to_string())];
        let answer: Members = self.get(MEMBERS, query).await?;
        Ok(answer.userlist)
    }

    pub async fn member(&self, userid: &UserId) -> Result<Member> {
        let member: Member = self.get(MEMBER, vec![("userid", userid.to_string())]).await?;
        if member.userid.folded() != userid.folded() {
            return Err(odd(MEMBER, "the answer is about another member"));
        }
        Ok(member)
    }

    /// Members configured for customer contact.
    pub async fn follow_users(&self) -> Result<Vec<UserId>> {
        let answer: FollowUsers = self.get(FOLLOW_USERS, vec![]).await?;
        Ok(answer.follow_user)
    }
}
