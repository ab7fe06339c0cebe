//! Quota: what the platform lets each customer get, by the corp's mode; asked before, claimed when planned.
//!
//! path/92135 (read 2026-11-22). The platform counts in its own zone, whatever the corp's is.

use std::collections::{BTreeMap, HashSet};

use chrono::Datelike as _;
use chrono_tz::Asia::Shanghai;
use serde::Serialize;

use super::plan::{self, Wish};
use super::{Audience, Blocked, LeftAfter, QuotaPlan, draft, store};
use crate::app::App;
use crate::db::{self, Conn};
use crate::directory::{Corp, QuotaMode};
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::Scope;
use crate::time::Timestamp;
use crate::timeline;

/// A stretch of time in which a contact may get so many broadcasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub key: String,
    pub limit: i64,
    /// When the next one begins.
    pub next: Timestamp,
}

impl Window {
    /// The window an instant falls in.
    pub fn at(mode: QuotaMode, at: Timestamp) -> Self {
        let day = at.day(Shanghai);
        match mode {
            QuotaMode::MonthDays => Self {
                key: day.0.format("%Y-%m").to_string(),
                limit: day.days_in_month(),
                next: day.first_of_month().plus(day.days_in_month()).start(Shanghai),
            },
            QuotaMode::PerWeek(limit) => {
                let week = day.0.iso_week();
                Self {
                    key: format!("{}-W{:02}", week.year(), week.week()),
                    limit,
                    next: day.first_of_week().plus(7).start(Shanghai),
                }
            }
            QuotaMode::PerDay(limit) => Self {
                key: day.to_string(),
                limit,
                next: day.end(Shanghai),
            },
        }
    }
}

/// Who is eligible and who is blocked, for a start at `at`. `now` decides the rule's day windows.
#[expect(
    clippy::too_many_arguments,
    reason = "a campaign to be, and when it is looked at"
)]
pub async fn quota_plan(
    app: &App,
    conn: &impl Conn,
    scope: &Scope,
    corp: &Corp,
    audience: &Audience,
    holdout_percent: i64,
    at: Timestamp,
    now: Timestamp,
) -> Result<QuotaPlan> {
    let rule = draft::rule_of(conn, scope, audience).await?;
    let window = Window::at(corp.quota_mode, at);
    let wish = Wish {
        app,
        corp,
        rule: &rule,
        salt: 0,
        holdout_percent,
        window: &window,
        now,
    };
    let drawn = plan::draw(conn, scope, &wish).await?;
    let mut blocked: BTreeMap<&str, i64> = BTreeMap::new();
    let mut left_after: BTreeMap<i64, i64> = BTreeMap::new();
    let (mut associates, mut stores) = (HashSet::new(), HashSet::new());
    let (mut eligible, mut holdout) = (0, 0);
    for person in &drawn {
        match person.reason {
            None => {
                eligible += 1;
                *left_after.entry(window.limit - person.used - 1).or_default() += 1;
                associates.extend(person.associate);
                stores.extend(person.store);
            }
            Some(plan::HOLDOUT) => holdout += 1,
            Some(reason) => *blocked.entry(reason).or_default() += 1,
        }
    }
    Ok(QuotaPlan {
        targeted: drawn.len() as i64,
        eligible,
        holdout,
        blocked: blocked
            .into_iter()
            .map(|(reason, contacts)| Blocked {
                reason: reason.to_owned(),
                contacts,
                frees_at: (reason == plan::QUOTA_USED).then_some(window.next),
            })
            .collect(),
        associates: associates.len() as i64,
        stores: stores.len() as i64,
        left_after: left_after
            .into_iter()
            .map(|(left, contacts)| LeftAfter { left, contacts })
            .collect(),
    })
}

/// What the platform still lets a contact get, and when they last got something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct QuotaLeft {
    pub left: i64,
    pub limit: i64,
    /// When the count begins anew.
    #[schema(value_type = String, format = DateTime)]
    pub renews_at: Timestamp,
    /// The last broadcast that reached them.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_sent_at: Option<Timestamp>,
}

/// The quota of one contact in scope; it is of the whole corp, whoever sends.
pub async fn quota_left(
    conn: &impl Conn,
    scope: &Scope,
    corp: &Corp,
    contact: ContactId,
    now: Timestamp,
) -> Result<QuotaLeft> {
    timeline::check(conn, scope, contact).await?;
    let window = Window::at(corp.quota_mode, now);
    let ids = db::id_list([contact.0]);
    let standing = store::standing(conn, scope.corp, &ids, &window).await?;
    let (_, used) = standing.get(&contact).copied().unwrap_or_default();
    Ok(QuotaLeft {
        left: (window.limit - used).max(0),
        limit: window.limit,
        renews_at: window.next,
        last_sent_at: store::last_sent(conn, scope.corp, contact).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_turn_at_midnight_in_shanghai() {
        let window = |mode, at: &str| Window::at(mode, Timestamp::parse(at).unwrap());
        for (mode, at, key, limit, next) in [
            (
                QuotaMode::MonthDays,
                "2026-11-30T23:59:59+08:00",
                "2026-11",
                30,
                "2026-12-01T00:00:00+08:00",
            ),
            (
                QuotaMode::MonthDays,
                "2026-11-30T16:00:00Z",
                "2026-12",
                31,
                "2027-01-01T00:00:00+08:00",
            ),
            (
                QuotaMode::PerWeek(2),
                "2026-12-31T12:00:00+08:00",
                "2026-W53",
                2,
                "2027-01-04T00:00:00+08:00",
            ),
            (
                QuotaMode::PerWeek(2),
                "2027-01-03T23:00:00+08:00",
                "2026-W53",
                2,
                "2027-01-04T00:00:00+08:00",
            ),
            (
                QuotaMode::PerDay(1),
                "2026-11-23T23:59:59+08:00",
                "2026-11-23",
                1,
                "2026-11-24T00:00:00+08:00",
            ),
        ] {
            let expected = Window {
                key: key.into(),
                limit,
                next: Timestamp::parse(next).unwrap(),
            };
            assert_eq!(window(mode, at), expected, "{at}");
        }
    }
}
