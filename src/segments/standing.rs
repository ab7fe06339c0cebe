//! How one contact stands today: the stage and the RFM scores by which rules find them.
//!
//! The stage is looked up anew each time. RFM scores are fifths of everybody who bought within a year: where each fifth
//! ends is worked out once for a while, and one contact is compared with that.

use std::time::Duration;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::Stage;
use super::store::standing as store;
use crate::app::App;
use crate::error::Result;
use crate::ids::{ContactId, CorpId};
use crate::scope::Scope;
use crate::time::{Day, Timestamp};
use crate::timeline;

/// How long the ends of the fifths are taken for true.
const KEPT: Duration = Duration::from_secs(10 * 60);
/// How long a page waits for them; they are worked out to the end all the same.
const PATIENCE: Duration = Duration::from_millis(1_500);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub stage: Option<Stage>,
    pub rfm: Scored,
}

/// RFM scores, 1 to 5: 5 is the most recent, the most often, the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Scores {
    pub r: i64,
    pub f: i64,
    pub m: i64,
    /// When the fifths were worked out that they are by.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scored {
    Scores(Scores),
    /// They bought nothing within a year.
    NoOrders,
    /// The fifths are being worked out.
    Counting,
}

/// What a contact's scores are by: the last order, the days with one, the net amount.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bought {
    pub last_at: i64,
    pub days: i64,
    pub net: i64,
}

/// Who comes last in each fifth, the first fifth first: by their value, then their id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ends {
    pub as_of: Option<Timestamp>,
    pub r: Vec<(i64, ContactId)>,
    pub f: Vec<(i64, ContactId)>,
    pub m: Vec<(i64, ContactId)>,
}

impl Ends {
    fn score(&self, contact: ContactId, bought: Bought) -> Scores {
        let of = |ends: &[(i64, ContactId)], value: i64| {
            let place = ends.iter().position(|end| (value, contact) <= *end);
            // Beyond the last there is nobody yet: they have just become the most.
            place.map_or(ends.len().max(1), |place| place + 1) as i64
        };
        Scores {
            r: of(&self.r, bought.last_at),
            f: of(&self.f, bought.days),
            m: of(&self.m, bought.net),
            as_of: self.as_of.unwrap_or(Timestamp(0)),
        }
    }
}

/// How a contact in scope stands.
pub async fn standing(
    app: &App,
    scope: &Scope,
    contact: ContactId,
    zone: Tz,
    now: Timestamp,
) -> Result<Standing> {
    timeline::check(&app.db, scope, contact).await?;
    let today = now.day(zone);
    let stage = store::stage_of(&app.db, scope.corp, contact, today, zone).await?;
    let rfm = match store::bought(&app.db, scope.corp, contact, today, zone).await? {
        None => Scored::NoOrders,
        Some(bought) => match ends(app, scope.corp, today, zone, now).await? {
            Some(ends) => Scored::Scores(ends.score(contact, bought)),
            None => Scored::Counting,
        },
    };
    Ok(Standing { stage, rfm })
}

/// `None`: they are being worked out, here or elsewhere, and will be there soon.
async fn ends(app: &App, corp: CorpId, today: Day, zone: Tz, now: Timestamp) -> Result<Option<Ends>> {
    let key = format!("rfm:{corp}:{today}");
    if let Some(kept) = app.cache.get(&key).await {
        return Ok(serde_json::from_str(&kept).ok());
    }
    if !app.cache.lock(&key, KEPT).await {
        return Ok(None);
    }
    let app = app.clone();
    let work = tokio::spawn(async move {
        let read = app
            .db
            .aside(move |db| async move { store::ends(&db, corp, today, zone).await });
        let read = read.await.map(|ends| Ends {
            as_of: Some(now),
            ..ends
        });
        match &read {
            Ok(ends) => app.cache.put(&key, &serde_json::to_string(ends)?, KEPT).await,
            Err(error) => {
                tracing::warn!(corp.id = %corp, %error, "the fifths of RFM scores were not worked out")
            }
        }
        app.cache.unlock(&key).await;
        read
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => Ok(done.ok().and_then(Result::ok)),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_the_fifth_that_one_falls_into() {
        let ends = Ends {
            r: (1..=5).map(|end| (end * 10, ContactId(end))).collect(),
            ..Ends::default()
        };
        for (value, contact, score) in [
            (5, 9, 1),
            (10, 1, 1),
            (10, 2, 2),
            (11, 1, 2),
            (50, 5, 5),
            (50, 6, 5),
            (99, 1, 5),
        ] {
            let bought = Bought {
                last_at: value,
                days: 0,
                net: 0,
            };
            assert_eq!(
                ends.score(ContactId(contact), bought).r,
                score,
                "{value} {contact}"
            );
        }
    }
}
