//! What a rule finds, now, and how each of its parts narrows it: counted anew each time.

use super::store::{count_people, sample};
use super::{Preview, PreviewStep, Rule};
use crate::db::Conn;
use crate::error::Result;
use crate::scope::Scope;
use crate::time::Timestamp;

/// Counts with the steps and a sample.
pub async fn preview(
    conn: &impl Conn,
    scope: &Scope,
    rule: &Rule,
    zone: chrono_tz::Tz,
    now: Timestamp,
) -> Result<Preview> {
    let mut steps = Vec::new();
    let mut count = None;
    if let Rule::All(parts) = rule {
        for (index, part) in parts.iter().enumerate() {
            let remaining = match count {
                // Nobody is left to narrow further.
                Some(0) => 0,
                _ => count_people(conn, scope, &parts[..=index], zone, now).await?,
            };
            count = Some(remaining);
            steps.push(PreviewStep {
                rule: part.clone(),
                remaining,
            });
        }
    }
    let whole = std::slice::from_ref(rule);
    let count = match count {
        Some(count) => count,
        None => count_people(conn, scope, whole, zone, now).await?,
    };
    Ok(Preview {
        count,
        as_of: now,
        steps,
        sample: sample(conn, scope, whole, zone, now).await?,
    })
}
