//! Setting follow-ups, putting them off, ending them; and handing them over with the contact.

use super::store;
use super::{FollowUp, NewFollowUp, State};
use crate::contacts;
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, CorpId, FollowUpId};
use crate::scope::{Act, Reach, Scope};
use crate::time::Day;
use crate::timeline::{self, Entry, News};

/// In characters.
const MAX_WHAT: usize = 100;
/// How far ahead a follow-up may be due, in days.
const AHEAD: i64 = 366;
/// Open ones of one contact: a list that somebody still reads.
const MOST_OPEN: i64 = 20;

/// Sets a follow-up for a contact in scope.
///
/// # Errors
/// `NotFound` when nobody in scope follows the contact; `Invalid` naming what is wrong.
pub async fn set(tx: &Tx, act: &Act<'_>, scope: &Scope, new: &NewFollowUp<'_>) -> Result<FollowUpId> {
    let pairs = contacts::pairs(tx, scope, &[new.contact]).await?;
    let last = pairs.last().ok_or(Error::NotFound)?;
    let whose = match new.associate {
        None => last.associate_id,
        Some(wanted) if pairs.iter().any(|pair| pair.associate_id == wanted) => wanted,
        Some(_) => {
            return Err(Error::invalid(
                "/associate_id",
                said!(
                    "refused-follow-up-whose",
                    "this associate does not follow the contact; name one who does"
                ),
            ));
        }
    };
    let what = new.what.trim();
    let length = what.chars().count();
    if !(1..=MAX_WHAT).contains(&length) {
        return Err(Error::invalid(
            "/what",
            said!(
                "refused-follow-up-what",
                "say in 1 to {most} characters what is to be done",
                most = MAX_WHAT
            ),
        ));
    }
    check_due(tx, act, scope.corp, new.due_day).await?;
    if store::count_open(tx, scope.corp, new.contact).await? >= MOST_OPEN {
        return Err(Error::invalid(
            "/what",
            said!(
                "refused-follow-up-many",
                "{most} follow-ups are open for this contact already; end one first",
                most = MOST_OPEN
            ),
        ));
    }
    let id = FollowUpId::new(act.ids, act.now);
    store::insert(tx, act, scope.corp, id, new.contact, whose, what, new.due_day).await?;
    Ok(id)
}

async fn check_due(tx: &Tx, act: &Act<'_>, corp: CorpId, due: Day) -> Result<()> {
    let today = act.now.day(directory::find_corp(tx, corp).await?.zone);
    if (0..=AHEAD).contains(&due.since(today)) {
        return Ok(());
    }
    Err(Error::invalid(
        "/due_day",
        said!(
            "refused-follow-up-day",
            "the day is today or within the {most} days after it",
            most = AHEAD
        ),
    ))
}

/// Puts an open follow-up off to another day.
pub async fn put_off(tx: &Tx, act: &Act<'_>, scope: &Scope, id: FollowUpId, due: Day) -> Result<()> {
    let found = store::find(tx, scope, id).await?;
    check_due(tx, act, scope.corp, due).await?;
    if !store::set_due(tx, scope.corp, found.id, due).await? {
        return Err(ended());
    }
    Ok(())
}

/// Ends a follow-up, or opens one again that was done. That it was done, or is open again, is in the timeline.
///
/// # Errors
/// `NotFound` out of scope, `Conflict` when it stands otherwise by now.
pub async fn turn(tx: &Tx, act: &Act<'_>, scope: &Scope, id: FollowUpId, next: State) -> Result<FollowUp> {
    let found = store::find(tx, scope, id).await?;
    let from = match next {
        State::Open => State::Done,
        State::Done | State::Dropped => State::Open,
    };
    debug_assert!(from.can_become(next));
    if !store::turn(tx, act, scope.corp, id, (from, next)).await? {
        return Err(ended());
    }
    if next != State::Dropped {
        tell(tx, act, scope, &found, next == State::Done).await?;
    }
    Ok(FollowUp {
        state: next.as_str().to_owned(),
        ..found
    })
}

async fn tell(tx: &Tx, act: &Act<'_>, scope: &Scope, found: &FollowUp, is_done: bool) -> Result<()> {
    let pairs = contacts::pairs(tx, scope, &[found.contact_id]).await?;
    let pair = pairs.iter().find(|pair| pair.associate_id == found.associate_id);
    let news = News {
        contact: found.contact_id,
        associate: Some(found.associate_id),
        store: pair.and_then(|pair| pair.store_id),
        at: act.now,
        entry: Entry::FollowedUp {
            follow_up_id: found.id,
            what: found.what.clone(),
            is_done,
        },
    };
    let zone = directory::find_corp(tx, scope.corp).await?.zone;
    timeline::append_by(tx, act, scope.corp, zone, news).await?;
    Ok(())
}

fn ended() -> Error {
    Error::conflict(said!(
        "conflict-follow-up",
        "this follow-up stands otherwise by now; look again"
    ))
}

/// Gives a contact's open follow-ups, of whoever follows them no more, to the associate they were transferred to.
/// Safe to run again; answers how many went over.
pub async fn hand_over(tx: &Tx, corp: CorpId, contact: ContactId) -> Result<u64> {
    store::hand_over(tx, corp, contact).await
}

/// Whether the caller's follow-ups are one associate's own.
pub fn is_own(scope: &Scope) -> bool {
    matches!(scope.reach, Reach::Own(_))
}
