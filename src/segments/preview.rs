//! What a rule finds, now, and how each of its parts narrows it. The audience index answers; while there is none, the
//! database does, which takes longer.

use std::time::{Duration, Instant};

use super::store::{count_people, sample};
use super::{Preview, PreviewStep, Rule, index};
use crate::app::App;
use crate::db::{Conn, Db};
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::Scope;
use crate::time::Timestamp;

/// Every step is a count of its own, over a longer rule each time.
const MAX_STEPS: usize = 40;
/// Then no further step is begun, so that there is time left for the count itself.
const STEPS_TIME: Duration = Duration::from_secs(4);

/// Counts with the steps and a sample.
///
/// # Errors
/// [`Error::Busy`](crate::error::Error::Busy) when the database has to answer and too many are counting, or when the
/// rule takes too long.
pub async fn preview(
    app: &App,
    scope: &Scope,
    rule: &Rule,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Preview> {
    let Some(counted) = index::count(app, scope, rule, zone, now).await? else {
        return preview_by_sql(&app.db, scope, rule, zone, now).await;
    };
    let parts: &[Rule] = match rule {
        Rule::All(parts) => parts,
        _ => &[],
    };
    let steps = parts
        .iter()
        .zip(counted.steps)
        .map(|(part, remaining)| PreviewStep {
            rule: part.clone(),
            remaining,
        });
    Ok(Preview {
        count: counted.count,
        as_of: now,
        steps: steps.collect(),
        steps_left_out: false,
        in_reach: counted.in_reach,
        sample: counted.sample,
    })
}

/// Everybody the rule finds in scope, in the order of their ids. Where the index cannot say, `conn` is asked.
pub async fn audience(
    app: &App,
    conn: &impl Conn,
    scope: &Scope,
    rule: &Rule,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Vec<ContactId>> {
    match index::people(app, scope, rule, zone, now).await? {
        Some(people) => Ok(people),
        None => super::people(conn, scope, rule, zone, now).await,
    }
}

/// The preview as the database answers it.
///
/// # Errors
/// As [`preview`].
pub async fn preview_by_sql(
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
