//! What a look at a group says becomes what we hold: the group and everybody's stretch in it, in one transaction.
//!
//! Looks may come late, twice and in any order; one begun before the one we stand by changes nothing. What the
//! platform's reads do not show yet, or still show, shortly after it happened is left as it is: a later look tells.

use std::collections::{BTreeMap, HashMap};

use super::model::Told;
use super::store::{self, Kept, Stretch};
use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{CorpId, GroupId, UserId};
use crate::queue::Lane;
use crate::scope::{Act, Actor};
use crate::time::{MINUTE_MS, Timestamp};
use crate::wecom::Client;
use crate::wecom::group::{Group, GroupMember};

/// Reads of the platform lag behind by up to this long.
const LAG_MS: i64 = MINUTE_MS;
/// No such group (any more), or its owner is out of the app's sight.
const NO_GROUP: i64 = 40050;

/// What became of one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Something began, ended or came out different.
    pub is_changed: bool,
    /// The group ended with this look.
    pub is_closed: bool,
    /// What the event told cannot be placed yet: told again after a later look, it is not lost.
    pub is_early: bool,
}

/// A look at the platform, begun at `read_at`.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub corp: CorpId,
    pub read_at: Timestamp,
}

/// One group as the platform has it; `None`: it shows no such group.
pub async fn ask(client: &Client, chat_id: &str) -> Result<Option<Group>> {
    match client.group(chat_id).await {
        Ok(group) => Ok(Some(group)),
        Err(Error::Platform(fault)) if fault.code == Some(NO_GROUP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Fetches one group and makes our rows equal to it, with what an event told.
pub async fn fetch(app: &App, corp: CorpId, chat_id: &str, told: Option<&Told>) -> Result<Looked> {
    let client = directory::platform(app, corp).await?.in_lane(Lane::Callback);
    let reading = Reading {
        corp,
        read_at: app.now(),
    };
    let shown = ask(&client, chat_id).await?;
    let act = app.act(Actor::Platform);
    let tx = app.db.begin().await?;
    let looked = reading.of_group(&tx, &act, chat_id, shown.as_ref(), told).await?;
    tx.commit().await?;
    Ok(looked)
}

impl Reading {
    /// Takes a look in.
    pub async fn of_group(
        &self,
        tx: &Tx,
        act: &Act<'_>,
        chat_id: &str,
        shown: Option<&Group>,
        told: Option<&Told>,
    ) -> Result<Looked> {
        if shown.is_some() {
            store::add(tx, act, self.corp, chat_id).await?;
        }
        let Some(kept) = store::look(tx, self.corp, chat_id, self.read_at).await? else {
            // Not known at all, or a later look has spoken: it may have been too early for what was told all the same.
            return Ok(Looked {
                is_early: told.is_some(),
                ..Looked::default()
            });
        };
        match shown {
            None => self.gone(tx, &kept, told).await,
            Some(group) => self.shown(tx, act, &kept, group, told).await,
        }
    }

    fn is_settled(&self, at: Timestamp) -> bool {
        at <= self.read_at.plus_ms(-LAG_MS)
    }

    async fn gone(&self, tx: &Tx, kept: &Kept, told: Option<&Told>) -> Result<Looked> {
        let dismissed = match told {
            Some(Told::Dismissed { at }) => Some((*at).max(kept.created_at)),
            _ => None,
        };
        match (kept.ended_at, dismissed) {
            (None, Some(at)) => store::end(tx, self.corp, kept, at, "dismissed").await?,
            // A new group may not be readable yet.
            (None, None) if !self.is_settled(kept.created_at) => return Ok(Looked::default()),
            (None, None) => store::end(tx, self.corp, kept, self.read_at, "unseen").await?,
            (Some(_), Some(at)) if kept.ended_cause.as_deref() == Some("unseen") => {
                store::end(tx, self.corp, kept, at, "dismissed").await?;
                return Ok(Looked::default());
            }
            (Some(_), _) => return Ok(Looked::default()),
        }
        Ok(Looked {
            is_changed: false,
            is_closed: true,
            is_early: false,
        })
    }

    async fn shown(
        &self,
        tx: &Tx,
        act: &Act<'_>,
        kept: &Kept,
        group: &Group,
        told: Option<&Told>,
    ) -> Result<Looked> {
        // The platform still shows what it has told us is dismissed.
        let is_dismissed = kept.ended_cause.as_deref() == Some("dismissed");
        if is_dismissed && kept.ended_at.is_some_and(|at| !self.is_settled(at)) {
            return Ok(Looked::default());
        }
        let fresh = Kept {
            id: kept.id,
            name: group.name.clone(),
            notice: group.notice.clone(),
            owner_userid: group.owner.folded().0,
            created_at: group.create_time,
            ended_at: None,
            ended_cause: None,
        };
        let is_different = *kept != fresh;
        if is_different {
            store::change(tx, self.corp, &fresh).await?;
        }
        let people = People {
            reading: self,
            group: kept.id,
            told,
        };
        let (moved, is_early) = people.keep(tx, act, &group.members).await?;
        Ok(Looked {
            is_changed: is_different || moved,
            is_closed: false,
            is_early: is_early || matches!(told, Some(Told::Dismissed { .. })),
        })
    }
}

/// Everybody in one group.
struct People<'a> {
    reading: &'a Reading,
    group: GroupId,
    told: Option<&'a Told>,
}

impl People<'_> {
    /// Makes stretches equal to what is shown; answers whether any changed, and whether what was told is yet to be
    /// placed.
    async fn keep(&self, tx: &Tx, act: &Act<'_>, shown: &[GroupMember]) -> Result<(bool, bool)> {
        let corp = self.reading.corp;
        let present: HashMap<String, Stretch> = store::present(tx, corp, self.group)
            .await?
            .into_iter()
            .map(|stretch| (stretch.member.clone(), stretch))
            .collect();
        let shown: BTreeMap<String, Stretch> = shown
            .iter()
            .map(|member| stretch(act, member))
            .map(|stretch| (stretch.member.clone(), stretch))
            .collect();
        let former = self.former(tx, &present, &shown).await?;
        let mut is_changed = false;
        let mut joining = Vec::new();
        for (member, fresh) in &shown {
            match present.get(member) {
                Some(held) if fresh.joined_at > held.joined_at => {
                    // They went and came back while nobody looked.
                    let told = self.end_of(held).filter(|end| end.0 <= fresh.joined_at);
                    let end = told.unwrap_or((fresh.joined_at, "unseen"));
                    store::leave(tx, corp, held.id, Some(end)).await?;
                    joining.push(fresh.clone());
                }
                Some(held) if said(held) != said(fresh) => {
                    let changed = Stretch {
                        id: held.id,
                        ..fresh.clone()
                    };
                    store::change_stretch(tx, corp, &changed).await?;
                }
                Some(_) => continue,
                None => match former.iter().find(|former| former.member == *member) {
                    Some(last) if !self.comes_back(tx, last, fresh, &mut joining).await? => continue,
                    Some(_) => {}
                    None => joining.push(fresh.clone()),
                },
            }
            is_changed = true;
        }
        for held in present.values().filter(|held| !shown.contains_key(&held.member)) {
            let unseen = self
                .reading
                .is_settled(held.joined_at)
                .then_some((self.reading.read_at, "unseen"));
            if let Some(end) = self.end_of(held).or(unseen) {
                store::leave(tx, corp, held.id, Some(end)).await?;
                is_changed = true;
            }
        }
        store::join(tx, corp, self.group, joining).await?;
        let is_early = self.place(tx, &present, &shown, &former).await?;
        Ok((is_changed, is_early))
    }

    /// Former stretches of whoever is new here, or is told of.
    async fn former(
        &self,
        tx: &Tx,
        present: &HashMap<String, Stretch>,
        shown: &BTreeMap<String, Stretch>,
    ) -> Result<Vec<Stretch>> {
        let new = shown.keys().filter(|member| !present.contains_key(*member));
        let mut wanted: Vec<String> = new.cloned().collect();
        if let Some(Told::Left { ids, .. }) = self.told {
            wanted.extend(
                ids.iter()
                    .flat_map(|id| [id.clone(), UserId(id.clone()).folded().0]),
            );
        }
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        store::former(tx, self.reading.corp, self.group, &wanted).await
    }

    /// When and why a stretch ended, if that is what was told.
    fn end_of(&self, held: &Stretch) -> Option<(Timestamp, &'static str)> {
        let end = self.told?.names(&held.member)?;
        (end.0 >= held.joined_at).then_some(end)
    }

    /// Somebody who had left is shown; `false`: that says nothing new.
    async fn comes_back(
        &self,
        tx: &Tx,
        last: &Stretch,
        fresh: &Stretch,
        joining: &mut Vec<Stretch>,
    ) -> Result<bool> {
        let corp = self.reading.corp;
        let left_at = last.left_at.unwrap_or(last.joined_at);
        let is_told = matches!(last.left_cause.as_deref(), Some("left" | "removed"));
        if fresh.joined_at > last.joined_at {
            // We noticed the end after they were back.
            if left_at > fresh.joined_at {
                let cause = last.left_cause.as_deref().unwrap_or("unseen");
                store::leave(tx, corp, last.id, Some((fresh.joined_at, cause))).await?;
            }
            joining.push(fresh.clone());
            return Ok(true);
        }
        // An old stretch, or one whose end the platform told us of a moment ago: its reads lag.
        if fresh.joined_at < last.joined_at || (is_told && !self.reading.is_settled(left_at)) {
            return Ok(false);
        }
        store::leave(tx, corp, last.id, None).await?;
        Ok(true)
    }

    /// Gives ends that we only noticed the time and the reason that were told. `true`: for somebody it is too early.
    async fn place(
        &self,
        tx: &Tx,
        present: &HashMap<String, Stretch>,
        shown: &BTreeMap<String, Stretch>,
        former: &[Stretch],
    ) -> Result<bool> {
        let Some(Told::Left { ids, at, .. }) = self.told else {
            return Ok(false);
        };
        let mut is_early = false;
        for id in ids {
            let named = |member: &str| member == id || member == UserId(id.clone()).folded().0;
            let held = present.values().find(|held| named(&held.member));
            let spoken = shown.values().find(|fresh| named(&fresh.member));
            // Still shown in a stretch that the end may be of.
            is_early |= spoken.is_some_and(|fresh| fresh.joined_at <= *at);
            // Of one who was here until now, this look has spoken.
            if held.is_some_and(|held| held.joined_at <= *at) {
                continue;
            }
            let meant = former
                .iter()
                .find(|former| named(&former.member) && former.joined_at <= *at);
            match meant {
                Some(meant) if meant.left_cause.as_deref() == Some("unseen") => {
                    let cause = self.told.and_then(|told| told.names(&meant.member));
                    store::leave(tx, self.reading.corp, meant.id, cause).await?;
                }
                Some(_) => {}
                None => is_early = true,
            }
        }
        Ok(is_early)
    }
}

fn stretch(act: &Act<'_>, shown: &GroupMember) -> Stretch {
    let member = if shown.is_external() {
        shown.userid.clone()
    } else {
        UserId(shown.userid.clone()).folded().0
    };
    Stretch {
        id: GroupId::new(act.ids, act.now).0,
        member,
        kind: shown.kind,
        unionid: shown.unionid.clone().filter(|unionid| !unionid.is_empty()),
        joined_at: Timestamp::from_seconds(shown.join_time),
        join_scene: shown.join_scene,
        channel: shown.state.clone(),
        invitor: shown.invitor().map(|invitor| invitor.folded().0),
        left_at: None,
        left_cause: None,
    }
}

fn said(stretch: &Stretch) -> (i64, Option<&str>, i64, &str, Option<&str>) {
    (
        stretch.kind,
        stretch.unionid.as_deref(),
        stretch.join_scene,
        &stretch.channel,
        stretch.invitor.as_deref(),
    )
}
