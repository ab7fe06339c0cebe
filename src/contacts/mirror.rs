//! What a fetch says becomes what we hold: contact, follows, periods, history, figures, in one transaction.
//!
//! Readings may come late, twice and in any order. A pair remembers when the reading it stands by began (`seen_at`);
//! an older one changes nothing. A pair the customer left stays readable on the platform, so a reading alone never
//! brings it back: only a beginning later than our end does.

use std::collections::BTreeSet;

use super::Whose;
use super::ending::{Heard, end, zone_of};
use super::ground::Ground;
use super::intake::Work;
use super::jobs::Passed;
use super::model::Ending;
use super::store::held::{self, Kept};
use super::store::ledger;
use crate::app::App;
use crate::db::Tx;
use crate::directory::{self, Corp};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, ContactId, CorpId, ExternalUserId, FollowId, UserId};
use crate::queue::Lane;
use crate::scope::{Act, Actor};
use crate::seal::Sealer;
use crate::time::{MINUTE_MS, Timestamp};
use crate::wecom::contact::{ContactDetail, ExternalContact, FollowUser};

/// Reads of the platform lag behind an add by up to this long.
const LAG_MS: i64 = MINUTE_MS;
/// Nobody the app can see follows this person.
const NOT_A_CONTACT: i64 = 84061;

/// One pair as the platform shows it, in a reading begun at `read_at`.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub contact: &'a ExternalContact,
    pub follow: &'a FollowUser,
    pub read_at: Timestamp,
}

/// What a reading changed, and what it held that we did not know.
#[derive(Debug, Default)]
pub struct Mirrored {
    /// Pairs that began, ended or came out different.
    pub changed: u64,
    /// Tags we do not mirror yet were left out.
    pub has_unknown_tags: bool,
    /// Followers we do not know yet were left out.
    pub unknown_members: BTreeSet<UserId>,
}

/// What became of one fetch.
#[derive(Debug, Default)]
pub struct Refreshed {
    pub contact: Option<ContactId>,
    /// Whether the platform showed the person at all.
    pub is_shown: bool,
    /// Whether the end that the event told of is of a pair we do not know yet.
    pub is_end_early: bool,
    pub mirrored: Mirrored,
}

/// Fetches one contact and makes our rows equal to it; `None` when nobody we see follows the person.
pub async fn refresh(app: &App, corp: CorpId, external_userid: &ExternalUserId) -> Result<Option<ContactId>> {
    let refreshed = fetch(app, corp, external_userid, None).await?;
    Ok(refreshed.contact.filter(|_| refreshed.is_shown))
}

/// The same, with the end of a pair that an event told of.
pub async fn fetch(
    app: &App,
    corp: CorpId,
    external_userid: &ExternalUserId,
    ending: Option<&Ending>,
) -> Result<Refreshed> {
    let client = directory::platform(app, corp).await?.in_lane(Lane::Callback);
    let read_at = app.now();
    let detail = match client.contact(external_userid).await {
        Ok(detail) => Some(detail),
        Err(Error::Platform(fault)) if fault.code == Some(NOT_A_CONTACT) => None,
        Err(error) => return Err(error),
    };
    let corp = directory::find_corp(&app.db, corp).await?;
    let act = app.act(Actor::Platform);
    let tx = app.db.begin().await?;
    let reading = Reading {
        corp: &corp,
        sealer: &app.sealer,
        read_at,
    };
    let refreshed = reading
        .of_contact(&tx, &act, external_userid, detail.as_ref(), ending)
        .await?;
    tx.commit().await?;
    Ok(refreshed)
}

/// A reading of the platform, begun at `read_at`.
pub struct Reading<'a> {
    pub corp: &'a Corp,
    pub sealer: &'a Sealer,
    pub read_at: Timestamp,
}

impl Reading<'_> {
    /// One contact with everybody who follows them; `None`: the platform shows nobody.
    pub async fn of_contact(
        &self,
        tx: &Tx,
        act: &Act<'_>,
        external_userid: &ExternalUserId,
        detail: Option<&ContactDetail>,
        ending: Option<&Ending>,
    ) -> Result<Refreshed> {
        let shown: Vec<Shown<'_>> = detail.map_or_else(Vec::new, |detail| {
            let pair = |follow| Shown {
                contact: &detail.contact,
                follow,
                read_at: self.read_at,
            };
            detail.follow_users.iter().map(pair).collect()
        });
        let mut mirrored = self.of_pairs(tx, act, &shown).await?;
        let whose = super::whose(tx, self.corp.id, std::slice::from_ref(external_userid))
            .await?
            .remove(external_userid);
        let mut is_end_early = whose.is_none() && ending.is_some();
        if let Some(whose) = &whose {
            if let Some(ending) = ending {
                let heard = end(tx, act, self.corp, whose, ending).await?;
                mirrored.changed += u64::from(heard == Heard::Ended);
                is_end_early = heard == Heard::TooEarly;
            }
            mirrored.changed += self.close_the_rest(tx, act, whose, &shown).await?;
        }
        Ok(Refreshed {
            contact: whose.map(|whose| whose.contact),
            is_shown: !shown.is_empty(),
            is_end_early,
            mirrored,
        })
    }

    /// Pairs that the platform shows, of any contacts. Says nothing about pairs that are not among them.
    pub async fn of_pairs(&self, tx: &Tx, act: &Act<'_>, shown: &[Shown<'_>]) -> Result<Mirrored> {
        if shown.is_empty() {
            return Ok(Mirrored::default());
        }
        let ground = Ground::of(tx, self.corp, shown).await?;
        let mut work = Work::on(self, &ground, shown);
        work.take_in(tx, act).await?;
        work.finish(tx, act).await
    }

    /// Notes that pairs were shown and changes nothing of them: of what is not stored no end is to be concluded.
    pub async fn note_seen(&self, tx: &Tx, shown: &[Shown<'_>]) -> Result<()> {
        let ground = Ground::of(tx, self.corp, shown).await?;
        let held = shown.iter().filter_map(|pair| {
            let person = ground.people.get(&pair.contact.external_userid)?;
            let associate = ground.associates.get(&pair.follow.userid.folded())?;
            let alias = person.alias(&pair.contact.external_userid);
            ground.pairs.get(&(person.id, associate.id, alias))
        });
        let ids: Vec<FollowId> = held.map(|kept| kept.id).collect();
        ledger::seen(tx, self.corp.id, &ids, self.read_at).await
    }

    /// Closes live pairs that the reading should have shown: those by the id that was read.
    async fn close_the_rest(
        &self,
        tx: &Tx,
        act: &Act<'_>,
        whose: &Whose,
        shown: &[Shown<'_>],
    ) -> Result<u64> {
        let userids: Vec<UserId> = shown.iter().map(|pair| pair.follow.userid.folded()).collect();
        let known = directory::associates_by_userid(tx, self.corp.id, &userids).await?;
        let still: BTreeSet<AssociateId> = known.values().map(|associate| associate.id).collect();
        let mut closed = 0;
        for kept in held::pairs_of(tx, self.corp.id, [whose.contact]).await? {
            let is_settled = kept.added_at <= self.read_at.plus_ms(-LAG_MS);
            if kept.is_live()
                && kept.alias == whose.alias
                && !still.contains(&kept.associate_id)
                && kept.seen_at <= self.read_at
                && is_settled
            {
                self.close_absent(tx, &kept).await?;
                closed += 1;
            }
        }
        if closed > 0 {
            Passed::tell(tx, act, self.corp.id, vec![whose.contact]).await?;
        }
        Ok(closed)
    }

    /// Closes pairs of members whose customers were read whole. Answers how many.
    pub async fn close_unshown(&self, tx: &Tx, act: &Act<'_>, associates: &[AssociateId]) -> Result<u64> {
        let settled = self.read_at.plus_ms(-LAG_MS);
        let gone = held::unshown(tx, self.corp.id, associates, self.read_at, settled).await?;
        for kept in &gone {
            self.close_absent(tx, kept).await?;
        }
        let contacts = gone.iter().map(|kept| kept.contact_id).collect();
        Passed::tell(tx, act, self.corp.id, contacts).await?;
        Ok(gone.len() as u64)
    }

    /// Nobody told why: `system`, until an event does.
    async fn close_absent(&self, tx: &Tx, kept: &Kept) -> Result<()> {
        let corp = self.corp.id;
        let period = ledger::last_period(tx, corp, kept).await?;
        if let Some(period) = period.filter(|period| period.until_at.is_none()) {
            let zone = zone_of(tx, self.corp, period.store_id).await?;
            let at = self.read_at.max(period.from_at);
            ledger::close_period(tx, corp, &period, at, at.day(zone), "system").await?;
        }
        ledger::end_pair(tx, corp, kept.id, "removed", self.read_at).await
    }
}
