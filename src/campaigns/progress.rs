//! Where a campaign stands and what it earned, counted within the scope.

use super::store::{self, ArmRow};
use super::{DeliveryState, Lift, Progress, Reason, SpeedPoint, StoreProgress};
use crate::db::Conn;
use crate::error::Result;
use crate::ids::CampaignId;
use crate::scope::Scope;
use crate::time::{DAY_MS, HOUR_MS};

/// How long orders after the freeze count for the comparison with the hold-out.
const LIFT_DAYS: i64 = 7;
const MAX_SPEED_POINTS: i64 = 48;

/// Where it stands, counted within the scope.
pub async fn progress(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Progress> {
    store::find(conn, scope, id).await?;
    let mut progress = states(conn, scope, id).await?;
    store::count_associates(conn, scope, id, &mut progress).await?;
    store::count_clicks(conn, scope, id, &mut progress).await?;
    store::count_orders(conn, scope, id, &mut progress).await?;
    Ok(progress)
}

async fn states(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Progress> {
    let mut progress = Progress::default();
    for row in store::states(conn, scope, id).await? {
        let Some(state) = DeliveryState::parse(&row.state) else {
            continue;
        };
        progress.targeted += row.contacts;
        *match state {
            DeliveryState::Planned => &mut progress.planned,
            DeliveryState::Tasked => &mut progress.tasked,
            DeliveryState::Sent => &mut progress.sent,
            DeliveryState::Failed => &mut progress.failed,
            DeliveryState::Expired => &mut progress.expired,
            DeliveryState::Excluded => &mut progress.excluded,
            DeliveryState::Cancelled => &mut progress.cancelled,
            DeliveryState::Unknown => &mut progress.unknown,
        } += row.contacts;
        if let (DeliveryState::Excluded | DeliveryState::Failed, Some(reason)) = (state, row.reason) {
            progress.reasons.push(Reason {
                state: row.state,
                reason,
                contacts: row.contacts,
            });
        }
    }
    progress.eligible = progress.targeted - progress.excluded;
    progress.reasons.sort_by(|one, two| {
        let key = |reason: &Reason| (-reason.contacts, reason.state.clone(), reason.reason.clone());
        key(one).cmp(&key(two))
    });
    Ok(progress)
}

/// By store, furthest behind first.
pub async fn by_store(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Vec<StoreProgress>> {
    store::find(conn, scope, id).await?;
    let mut stores: Vec<StoreProgress> = store::store_rows(conn, scope, id)
        .await?
        .into_iter()
        .map(|row| StoreProgress {
            store_id: row.store_id,
            store_name: row.store_name,
            eligible: row.eligible,
            sent: row.sent,
            associates: row.associates,
            associates_confirmed: row.associates_confirmed,
        })
        .collect();
    // Shares compared without dividing.
    stores.sort_by(|one, two| {
        (one.sent * two.eligible)
            .cmp(&(two.sent * one.eligible))
            .then(two.eligible.cmp(&one.eligible))
            .then(one.store_id.cmp(&two.store_id))
    });
    Ok(stores)
}

/// Cumulative sent by hour since the start (at most 48 points).
pub async fn speed(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Vec<SpeedPoint>> {
    let campaign = store::find(conn, scope, id).await?;
    let Some(start) = campaign.started_at else {
        return Ok(Vec::new());
    };
    let rows = store::sent_by_hour(conn, scope, id, start).await?;
    let last = rows.last().map_or(-1, |row| row.hours.min(MAX_SPEED_POINTS - 1));
    let points = (0..=last).map(|hour| SpeedPoint {
        at: start.plus_ms((hour + 1) * HOUR_MS),
        // What came later than the last point is in it.
        sent: rows
            .iter()
            .filter(|row| row.hours <= hour || hour == MAX_SPEED_POINTS - 1)
            .map(|row| row.sent)
            .sum(),
    });
    Ok(points.collect())
}

/// Orders within 7 days of the freeze: treated beside held out, intent to treat.
pub async fn lift(conn: &impl Conn, scope: &Scope, id: CampaignId) -> Result<Lift> {
    let campaign = store::find(conn, scope, id).await?;
    let Some(frozen_at) = campaign.frozen_at else {
        return Ok(Lift::default());
    };
    let until = frozen_at.plus_ms(LIFT_DAYS * DAY_MS);
    let rows = store::arms(conn, scope, id, frozen_at, until).await?;
    let arm = |treated: i64| rows.iter().find(|row| row.treated == treated);
    Ok(compare(arm(1), arm(0)))
}

/// The difference in percentage points, with the 95 % interval by normal approximation, and in money.
fn compare(treated: Option<&ArmRow>, held_out: Option<&ArmRow>) -> Lift {
    let size = |arm: Option<&ArmRow>| arm.map_or((0, 0), |arm| (arm.people, arm.buyers));
    let mut lift = Lift::default();
    (lift.treated, lift.treated_buyers) = size(treated);
    (lift.held_out, lift.held_out_buyers) = size(held_out);
    let (Some(treated), Some(held_out)) = (treated, held_out) else {
        return lift;
    };
    let (n_t, n_h) = (treated.people as f64, held_out.people as f64);
    let (p_t, p_h) = (treated.buyers as f64 / n_t, held_out.buyers as f64 / n_h);
    let error = (p_t * (1.0 - p_t) / n_t + p_h * (1.0 - p_h) / n_h).sqrt();
    let points = (p_t - p_h) * 100.0;
    lift.points = Some(points);
    lift.low = Some(points - 196.0 * error);
    lift.high = Some(points + 196.0 * error);
    // N_t × (g_t ÷ N_t − g_h ÷ N_h), in whole fen.
    let expected = i128::from(held_out.net_fen) * i128::from(treated.people) / i128::from(held_out.people);
    lift.incremental_fen = Some((i128::from(treated.net_fen) - expected) as i64);
    lift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(people: i64, buyers: i64, net_fen: i64) -> ArmRow {
        ArmRow {
            treated: 0,
            people,
            buyers,
            net_fen,
        }
    }

    #[test]
    fn lift_is_the_difference_to_the_hold_out() {
        let lift = compare(Some(&arm(9_000, 450, 9_000_000)), Some(&arm(1_000, 30, 500_000)));
        let near = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < 0.01;
        assert!(near(lift.points, 2.0));
        assert!(near(lift.low, 2.0 - 1.15), "{:?}", lift.low);
        assert!(near(lift.high, 2.0 + 1.15), "{:?}", lift.high);
        assert_eq!(lift.incremental_fen, Some(4_500_000));
    }

    #[test]
    fn without_a_hold_out_there_is_nothing_to_compare() {
        let lift = compare(Some(&arm(10, 2, 100)), None);
        assert_eq!((lift.treated, lift.treated_buyers, lift.held_out), (10, 2, 0));
        assert_eq!((lift.points, lift.low, lift.incremental_fen), (None, None, None));
    }
}
