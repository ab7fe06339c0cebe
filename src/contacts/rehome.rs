//! When an associate changes store, the customers come along: each open stretch is closed in the old store and a new
//! one begins in the new, so what was before stays where it was.

use chrono_tz::Tz;

use super::Whose;
use super::store::held::Kept;
use super::store::ledger::{self, Opening};
use crate::app::App;
use crate::auth;
use crate::db::{Filter, Tx};
use crate::directory::{self, PeopleRead};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, StoreId, UserId};
use crate::scope::{Act, Actor};
use crate::time::{DAY_MS, Timestamp};

/// Leavers are looked at this long after they left: sessions that a lost event left open end then.
const LEAVER_MS: i64 = 7 * DAY_MS;

/// Reads departments and members anew, then lets what hangs on them follow.
pub async fn sync_people(app: &App, corp: CorpId) -> Result<PeopleRead> {
    let read = directory::sync_directory(app, corp).await?;
    settle_people(app, corp).await?;
    Ok(read)
}

/// Lets pairs follow associates who changed store, and ends the sessions of those who left or are disabled. Safe to
/// run again.
pub async fn settle_people(app: &App, corp: CorpId) -> Result<()> {
    let act = app.act(Actor::System);
    settle_stores(app, &act, Filter::new("a.corp_id", corp), corp).await?;
    let since = act.now.plus_ms(-LEAVER_MS);
    for associate in directory::left_since(&app.db, corp, since).await? {
        end_sessions(app, &act, corp, associate).await?;
    }
    end_disabled(app, &act, corp).await
}

/// The same for one member.
pub async fn settle_member(app: &App, corp: CorpId, userid: &UserId) -> Result<()> {
    let act = app.act(Actor::System);
    let Some(associate) = directory::associate_by_userid(&app.db, corp, userid).await? else {
        return Ok(());
    };
    let mut only = Filter::new("a.corp_id", corp);
    only.and("a.id = {}", associate.id);
    settle_stores(app, &act, only, corp).await?;
    if associate.status == "left" {
        end_sessions(app, &act, corp, associate.id).await?;
    }
    if associate.status == "disabled" {
        end_disabled(app, &act, corp).await?;
    }
    Ok(())
}

async fn end_disabled(app: &App, act: &Act<'_>, corp: CorpId) -> Result<()> {
    let tx = app.db.begin().await?;
    auth::end_disabled(&tx, act, corp).await?;
    tx.commit().await
}

async fn end_sessions(app: &App, act: &Act<'_>, corp: CorpId, associate: AssociateId) -> Result<()> {
    let tx = app.db.begin().await?;
    auth::end_associate(&tx, act, corp, associate).await?;
    tx.commit().await
}

async fn settle_stores(app: &App, act: &Act<'_>, whom: Filter, corp: CorpId) -> Result<()> {
    for one in ledger::misplaced(&app.db, whom).await? {
        let tx = app.db.begin().await?;
        let memberships = directory::memberships(&tx, corp, &[one.associate_id]).await?;
        let moved_at = memberships.last().map(|membership| membership.from_at);
        // A first store has no date: whoever had none before came to it now.
        let at = moved_at.filter(|at| *at > Timestamp(0)).unwrap_or(act.now);
        rehome(&tx, act, corp, one.associate_id, one.from_store, one.to_store, at).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Carries an associate's live pairs from one store to another.
pub async fn rehome(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    associate: AssociateId,
    from: Option<StoreId>,
    to: StoreId,
    at: Timestamp,
) -> Result<u64> {
    let zone = directory::find_corp(tx, corp).await?.zone;
    let stores: Vec<StoreId> = from.into_iter().chain([to]).collect();
    let zones = directory::zones_of(tx, corp, &stores).await?;
    let day_in = |store: Option<StoreId>| {
        let zone = store.and_then(|store| zones.get(&store).copied()).unwrap_or(zone);
        at.day(zone)
    };
    // Only pairs whose stretch this closes come along: one that ends meanwhile has ended.
    let closed = ledger::close_moved(tx, corp, associate, from, at, day_in(from)).await?;
    let contacts: Vec<ContactId> = closed.iter().map(|whose| whose.contact).collect();
    let openings = closed
        .into_iter()
        .map(|whose| opening(whose, associate, to, at, day_in(Some(to))))
        .collect();
    ledger::open_periods(tx, act.ids, act.now, corp, openings).await?;
    ledger::move_pairs(tx, corp, associate, &contacts, to).await
}

/// The same for one pair; `zones` are those of the old store and the new.
pub(super) async fn move_pair(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    pair: &Kept,
    to: StoreId,
    at: Timestamp,
    zones: (Tz, Tz),
) -> Result<()> {
    let last = ledger::last_period(tx, corp, pair).await?;
    if let Some(last) = last.filter(|last| last.until_at.is_none() && last.store_id != Some(to)) {
        ledger::close_period(tx, corp, &last, at, at.day(zones.0), "moved").await?;
        let whose = Whose {
            contact: pair.contact_id,
            alias: pair.alias.clone(),
        };
        let opening = opening(whose, pair.associate_id, to, at, at.day(zones.1));
        ledger::open_periods(tx, act.ids, act.now, corp, vec![opening]).await?;
        ledger::set_store(tx, corp, pair.id, to).await?;
    }
    Ok(())
}

fn opening(
    whose: Whose,
    associate: AssociateId,
    store: StoreId,
    at: Timestamp,
    day: crate::time::Day,
) -> Opening {
    Opening {
        contact: whose.contact,
        alias: whose.alias,
        associate,
        store: Some(store),
        from_at: at,
        from_day: day,
        cause: "moved",
    }
}
