//! Corps, regions, stores, associates.

use chrono_tz::Tz;
use sea_orm::FromQueryResult;
use secrecy::SecretString;
use serde::Serialize;

use crate::ids::{AssociateId, CorpId, RegionId, StoreId, UserId};
use crate::time::{Timestamp, zone};

/// One brand on this installation. Its secrets stay sealed in the database.
#[derive(Debug, Clone)]
pub struct Corp {
    pub id: CorpId,
    pub corpid: String,
    pub name: String,
    pub zone: Tz,
    pub agent_id: i64,
    pub quota_mode: QuotaMode,
    /// A campaign to more people than this wants a second person.
    pub approval_over: Option<i64>,
    /// Hosts that links may lead to.
    pub link_hosts: Vec<String>,
    /// Where a message's store link leads when it names no target: `LinkTarget` as JSON.
    pub mini_store: Option<String>,
}

/// How many broadcasts a customer may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaMode {
    /// As many a month as the month has days.
    MonthDays,
    /// So many in 7 days from Monday.
    PerWeek(i64),
    /// So many a day.
    PerDay(i64),
}

impl QuotaMode {
    /// `month_days`, `per_week:7`, `per_day:1`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "month_days" => Some(Self::MonthDays),
            Some(("per_week", times)) => times.parse().ok().map(Self::PerWeek),
            Some(("per_day", times)) => times.parse().ok().map(Self::PerDay),
            _ => None,
        }
    }
}

impl std::fmt::Display for QuotaMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MonthDays => f.write_str("month_days"),
            Self::PerWeek(times) => write!(f, "per_week:{times}"),
            Self::PerDay(times) => write!(f, "per_day:{times}"),
        }
    }
}

/// What it takes to connect a corp.
pub struct NewCorp {
    pub corpid: String,
    pub name: String,
    pub zone: Tz,
    pub agent_id: i64,
    pub secret: SecretString,
    pub callback_token: SecretString,
    pub callback_aes_key: SecretString,
    pub link_hosts: Vec<String>,
    pub mini_store: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult, utoipa::ToSchema)]
pub struct Region {
    pub id: RegionId,
    pub name: String,
    pub stores: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromQueryResult, utoipa::ToSchema)]
pub struct Store {
    pub id: StoreId,
    pub code: String,
    pub name: String,
    pub region_id: RegionId,
    pub region_name: String,
    /// IANA zone whose midnight begins a business day.
    pub zone: String,
    /// `open` or `closed`.
    pub status: String,
}

impl Store {
    pub fn tz(&self) -> Tz {
        zone(&self.zone).unwrap_or(chrono_tz::Asia::Shanghai)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Associate {
    pub id: AssociateId,
    pub userid: UserId,
    pub name: String,
    pub store_id: Option<StoreId>,
    pub store_name: Option<String>,
    /// `active`, `disabled`, `not_activated`, `left`.
    pub status: String,
    pub left_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
pub struct StoreChange {
    pub code: Option<String>,
    pub name: Option<String>,
    pub zone: Option<String>,
    pub status: Option<String>,
    pub region_id: Option<RegionId>,
}

pub struct NewStore {
    pub code: String,
    pub name: String,
    pub region_id: RegionId,
    pub zone: String,
}

/// A department, and the store it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DepartmentLine {
    pub id: i64,
    pub parent_id: i64,
    pub name: String,
    pub store_id: Option<StoreId>,
    pub code: Option<String>,
    pub store_name: Option<String>,
    pub region_name: Option<String>,
    /// An administrator said that it is one.
    pub is_marked: bool,
    /// Present associates of its store.
    pub people: i64,
}

/// Secrets of a corp to replace; what is absent stays.
#[derive(Default)]
pub struct SecretChange {
    pub secret: Option<SecretString>,
    pub callback_token: Option<SecretString>,
    pub callback_aes_key: Option<SecretString>,
}
