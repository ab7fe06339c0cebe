//! What a rule finds, now, and how each of its parts narrows it. The audience index answers; while there is none, the
//! database does, which takes longer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::index::{self, Index};
use super::rule::check_with;
use super::store::{count_people, sample};
use super::{Preview, PreviewStep, Rule};
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
    let index = index::fresh(app, scope.corp, zone).await?;
    preview_from(app, index, scope, rule, zone, now).await
}

/// The same of a rule that was sent: what it names must be there, in the caller's reach; `at` is its pointer.
///
/// # Errors
/// As [`preview`], and [`Error::Invalid`](crate::error::Error::Invalid) at what is not there.
pub async fn checked_preview(
    app: &App,
    scope: &Scope,
    rule: &Rule,
    at: &str,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Preview> {
    let index = index::fresh(app, scope.corp, zone).await?;
    let may_name = |kind, id| index.as_ref()?.may_name(scope, kind, id);
    check_with(&app.db, scope, rule, at, may_name).await?;
    preview_from(app, index, scope, rule, zone, now).await
}

async fn preview_from(
    app: &App,
    index: Option<Arc<Index>>,
    scope: &Scope,
    rule: &Rule,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Preview> {
    let counted = match index {
        Some(index) => index.count(scope, rule, now).await?,
        None => None,
    };
    let Some(counted) = counted else {
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
