//! What a rule finds, now, and how each of its parts narrows it: counted anew each time.

use std::time::{Duration, Instant};

use super::store::{count_people, sample};
use super::{Preview, PreviewStep, Rule};
use crate::db::Db;
use crate::error::Result;
use crate::scope::Scope;
use crate::time::Timestamp;

/// Every step is a count of its own, over a longer rule each time.
const MAX_STEPS: usize = 40;
/// Then no further step is begun, so that there is time left for the count itself.
const STEPS_TIME: Duration = Duration::from_secs(4);

/// Counts with the steps and a sample.
///
/// # Errors
/// [`Error::Busy`](crate::error::Error::Busy) when too many are counting, or when the rule takes too long.
pub async fn preview(
    db: &Db,
    scope: &Scope,
    rule: &Rule,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Preview> {
    let (scope, rule) = (scope.clone(), rule.clone());
    db.at_length(move |db| async move { look(&db, &scope, &rule, zone, now).await })
        .await
}

async fn look(db: &Db, scope: &Scope, rule: &Rule, zone: chrono_tz::Tz, now: Timestamp) -> Result<Preview> {
    let (steps, steps_left_out) = match rule {
        Rule::All(parts) => match narrow(db, scope, parts, zone, now).await? {
            Some(steps) => (steps, false),
            None => (Vec::new(), true),
        },
        _ => (Vec::new(), false),
    };
    let whole = std::slice::from_ref(rule);
    let count = match steps.last() {
        Some(last) => last.remaining,
        None => count_people(db, scope, whole, zone, now).await?,
    };
    Ok(Preview {
        count,
        as_of: now,
        steps,
        steps_left_out,
        in_reach: count_people(db, scope, &[], zone, now).await?,
        sample: sample(db, scope, whole, zone, now).await?,
    })
}

/// How many remain after each part; `None` when that is too much to count.
async fn narrow(
    db: &Db,
    scope: &Scope,
    parts: &[Rule],
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Option<Vec<PreviewStep>>> {
    if parts.len() > MAX_STEPS {
        return Ok(None);
    }
    let began = Instant::now();
    let mut steps: Vec<PreviewStep> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let remaining = match steps.last() {
            // Nobody is left to narrow further.
            Some(PreviewStep { remaining: 0, .. }) => 0,
            _ if began.elapsed() > STEPS_TIME => return Ok(None),
            _ => count_people(db, scope, &parts[..=index], zone, now).await?,
        };
        steps.push(PreviewStep {
            rule: part.clone(),
            remaining,
        });
    }
    Ok(Some(steps))
}
