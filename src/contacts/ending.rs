//! The end of a pair, as an event told it: by whom, and when. A fetch cannot say either.

use chrono_tz::Tz;

use super::Whose;
use super::jobs::Passed;
use super::model::{EndCause, Ending};
use super::store::{held, ledger};
use crate::db::Tx;
use crate::directory::{self, Corp};
use crate::error::Result;
use crate::ids::StoreId;
use crate::scope::Act;
use crate::tally::{self, Code, Tally};
use crate::timeline::{self, Entry, News};

/// What the news of an end came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Ended,
    /// The event is old, or heard before.
    Nothing,
    /// We do not know the pair, or not this stretch of it. The platform's reads may not show it yet, and show it for
    /// good once they do: told again after a later reading, the end is not lost.
    TooEarly,
}

/// Ends a pair as an event told.
pub async fn end(tx: &Tx, act: &Act<'_>, corp: &Corp, whose: &Whose, ending: &Ending) -> Result<Heard> {
    let Some(associate) = directory::associate_by_userid(tx, corp.id, &ending.userid).await? else {
        return Ok(Heard::TooEarly);
    };
    let Some(kept) = held::pair(tx, corp.id, whose, associate.id).await? else {
        return Ok(Heard::TooEarly);
    };
    let Some(mut period) = ledger::period_at(tx, corp.id, &kept, ending.at).await? else {
        return Ok(Heard::TooEarly);
    };
    // The associate changed store after the end, before we heard of it: the stretch after the move takes the end.
    if period.until_cause.as_deref() == Some("moved") {
        let last = ledger::last_period(tx, corp.id, &kept).await?;
        period = last.unwrap_or(period);
    }
    let is_open = period.until_at.is_none() && kept.is_live();
    let is_guess = period.until_cause.as_deref() == Some("system");
    if !is_open && !is_guess {
        // Later than the end we know: it is of a stretch that no reading has shown yet, or of none.
        let is_later = period.until_at.is_some_and(|until| ending.at > until);
        return Ok(if is_later { Heard::TooEarly } else { Heard::Nothing });
    }
    let at = ending.at.max(period.from_at);
    let zone = zone_of(tx, corp, period.store_id).await?;
    ledger::close_period(tx, corp.id, &period, at, at.day(zone), ending.cause.as_str()).await?;
    // A guessed end of an earlier stretch leaves the pair as it is now.
    if is_open || (!kept.is_live() && kept.ended_at == period.until_at) {
        ledger::end_pair(tx, corp.id, kept.id, ending.cause.state(), at).await?;
    }
    let (code, entry) = match ending.cause {
        EndCause::Contact => (Some(Code::LostRelations), Entry::Lost),
        EndCause::Associate => (Some(Code::StaffRemoved), Entry::Removed),
        EndCause::Transfer => (None, Entry::Transferred { to: None }),
    };
    Passed::tell(tx, act, corp.id, vec![whose.contact]).await?;
    let tally = code.map(|code| Tally {
        store: period.store_id,
        associate: Some(associate.id),
        day: at.day(zone),
        code,
        value: 1,
    });
    tally::add(tx, corp.id, tally.as_slice()).await?;
    let news = News {
        contact: whose.contact,
        associate: Some(associate.id),
        store: period.store_id,
        at,
        entry,
    };
    timeline::append(tx, act, corp.id, zone, vec![news]).await?;
    Ok(Heard::Ended)
}

pub(super) async fn zone_of(tx: &Tx, corp: &Corp, store: Option<StoreId>) -> Result<Tz> {
    let Some(store) = store else { return Ok(corp.zone) };
    let zones = directory::zones_of(tx, corp.id, &[store]).await?;
    Ok(zones.get(&store).copied().unwrap_or(corp.zone))
}
