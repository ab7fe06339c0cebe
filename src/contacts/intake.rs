//! Takes a reading's pairs in: what each one asks of us, and what follows from it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono_tz::Tz;
use futures_util::future::join;

use super::Whose;
use super::ground::Ground;
use super::jobs::{Passed, Recognised};
use super::mirror::{Mirrored, Reading, Shown};
use super::model::{cause_of, tag_ids, tag_list};
use super::phone::Phone;
use super::rehome::move_pair;
use super::store::held::{Kept, Person};
use super::store::ledger::{self, Binding, New, Opening, TagTurn};
use crate::db::{Inserts, Tx};
use crate::directory::Associate;
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, ExternalUserId, FollowId, StoreId, TagId};
use crate::queue::{self, Lane, NewJob};
use crate::scope::Act;
use crate::tally::{self, Code, Tally};
use crate::time::{DAY_MS, Timestamp};
use crate::timeline::{self, Entry, News};

/// A contact belongs to the associate who was first, for so long.
const BINDING_MS: i64 = 30 * DAY_MS;

/// Pairs that are taken in while what the ones before them asked for is written.
const PART: usize = 1_000;

/// A reading being taken in.
pub(super) struct Work<'a> {
    reading: &'a Reading<'a>,
    ground: &'a Ground,
    shown: &'a [Shown<'a>],
    phones: HashMap<&'a ExternalUserId, Phone>,
    /// Who was met so far, and each by whom: a cursor may repeat an item.
    people: HashMap<&'a ExternalUserId, ContactId>,
    taken: BTreeSet<(&'a ExternalUserId, AssociateId)>,
    mirrored: Mirrored,
    tallies: Vec<Tally>,
    news: Vec<(Tz, News)>,
    turns: Vec<TagTurn>,
    /// Pairs by when the reading that showed them began.
    seen: BTreeMap<Timestamp, Vec<FollowId>>,
    /// To be written while the next part is taken in.
    new: New,
    bindings: Vec<Binding>,
    /// Pairs that began in a store their associate has left since.
    left_behind: Vec<(Kept, &'a Associate)>,
    new_people: HashSet<ContactId>,
    /// Of people who are new or have another one now: others may have it, too.
    unionids: Vec<String>,
    /// People who came, or can now be told by another id.
    recognised: Vec<ContactId>,
    /// People whom somebody was given.
    given: Vec<ContactId>,
}

/// What a pair that is shown asks of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It began, for us, now.
    Begin,
    /// It ended and began again while we did not look.
    Restart,
    /// It ended, and began again later.
    Again,
    /// It ended for us; whether by mistake, its last period knows.
    Ended,
    Keep,
    /// A later reading has spoken already.
    Stale,
}

fn step(kept: Option<&Kept>, created: Timestamp, read_at: Timestamp) -> Step {
    let Some(kept) = kept else { return Step::Begin };
    if kept.seen_at > read_at {
        return Step::Stale;
    }
    let is_newer = created > kept.added_at;
    match (kept.is_live(), is_newer) {
        (true, true) => Step::Restart,
        (true, false) => Step::Keep,
        (false, true) if kept.ended_at.is_none_or(|ended| created >= ended) => Step::Again,
        (false, _) => Step::Ended,
    }
}

impl<'a> Work<'a> {
    pub fn on(reading: &'a Reading<'a>, ground: &'a Ground, shown: &'a [Shown<'a>]) -> Self {
        Self {
            reading,
            ground,
            shown,
            phones: phones(reading, shown),
            people: HashMap::new(),
            taken: BTreeSet::new(),
            mirrored: Mirrored::default(),
            tallies: Vec::new(),
            news: Vec::new(),
            turns: Vec::new(),
            seen: BTreeMap::new(),
            new: New::default(),
            bindings: Vec::new(),
            left_behind: Vec::new(),
            new_people: HashSet::new(),
            unionids: Vec::new(),
            recognised: Vec::new(),
            given: Vec::new(),
        }
    }

    pub async fn take_in(&mut self, tx: &Tx, act: &Act<'_>) -> Result<()> {
        let corp = self.reading.corp.id;
        let mut ready = None;
        for part in self.shown.chunks(PART) {
            let write = write(tx, ready);
            let take = async {
                self.take_part(tx, act, part).await?;
                ledger::ready(tx, act.ids, act.now, corp, std::mem::take(&mut self.new))
            };
            // Both end, and of two errors the writing's is told: after it the other may only be that nothing goes on.
            let (written, taken) = join(write, take).await;
            written?;
            ready = Some(taken?);
        }
        write(tx, ready).await
    }

    /// Nothing here looks at rows that are new: they may be on their way only now.
    async fn take_part(&mut self, tx: &Tx, act: &Act<'_>, shown: &[Shown<'a>]) -> Result<()> {
        for pair in shown {
            let userid = pair.follow.userid.folded();
            let Some(associate) = self.ground.associates.get(&userid) else {
                self.mirrored.unknown_members.insert(userid);
                continue;
            };
            let external = &pair.contact.external_userid;
            let contact = match self.people.get(external) {
                Some(contact) => *contact,
                None => {
                    let contact = self.person(tx, act, associate, pair).await?;
                    self.people.insert(external, contact);
                    contact
                }
            };
            if self.taken.insert((external, associate.id)) {
                let whose = Whose {
                    contact,
                    alias: self
                        .ground
                        .people
                        .get(external)
                        .map_or_else(String::new, |kept| kept.alias(external)),
                };
                self.pair(tx, act, &whose, associate, pair).await?;
            }
        }
        Ok(())
    }

    /// Keeps the person; answers our id.
    async fn person(
        &mut self,
        tx: &Tx,
        act: &Act<'_>,
        associate: &Associate,
        pair: &Shown<'_>,
    ) -> Result<ContactId> {
        let corp = self.reading.corp.id;
        let phone = self.phones.get(&pair.contact.external_userid);
        let kept = self.ground.people.get(&pair.contact.external_userid);
        let alias = kept.map_or_else(String::new, |kept| kept.alias(&pair.contact.external_userid));
        let id = kept.map_or_else(|| ContactId::new(act.ids, act.now), |kept| kept.id);
        let person = Person {
            id,
            external_userid: kept
                .map_or(&pair.contact.external_userid, |kept| &kept.external_userid)
                .clone(),
            unionid: pair
                .contact
                .unionid
                .clone()
                .filter(|unionid| !unionid.is_empty())
                .or_else(|| kept.and_then(|kept| kept.unionid.clone())),
            name: pair.contact.name.clone(),
            avatar: pair.contact.avatar.clone(),
            kind: pair.contact.kind,
            gender: pair.contact.gender,
            phone_blind: phone
                .map(|phone| phone.blind.clone())
                .or_else(|| kept.and_then(|kept| kept.phone_blind.clone())),
            phone_last4: phone
                .map(|phone| phone.last4.clone())
                .or_else(|| kept.and_then(|kept| kept.phone_last4.clone())),
            phone_sealed: match phone {
                // Sealed anew it would look like another number.
                Some(phone) => kept
                    .filter(|kept| kept.phone_blind.as_ref() == Some(&phone.blind))
                    .and_then(|kept| kept.phone_sealed.clone())
                    .or_else(|| Some(phone.sealed(self.reading.sealer, corp, id))),
                None => kept.and_then(|kept| kept.phone_sealed.clone()),
            },
        };
        match kept {
            None => {
                self.recognised.push(person.id);
                let home = self
                    .ground
                    .store_at(associate, Timestamp::from_seconds(pair.follow.createtime));
                self.new_people.insert(id);
                self.unionids.extend(person.unionid.clone());
                self.new.people.push((person, home));
                return Ok(id);
            }
            Some(kept) if *kept != person && self.ground.speaks(id, &alias) => {
                if (&kept.unionid, &kept.phone_blind) != (&person.unionid, &person.phone_blind) {
                    self.recognised.push(person.id);
                }
                ledger::change_person(tx, corp, act.now, &person).await?;
                if kept.unionid != person.unionid {
                    self.unionids.extend(person.unionid.clone());
                }
            }
            Some(_) => {}
        }
        Ok(person.id)
    }

    async fn pair(
        &mut self,
        tx: &Tx,
        act: &Act<'_>,
        whose: &Whose,
        associate: &'a Associate,
        shown: &Shown<'_>,
    ) -> Result<()> {
        let corp = self.reading.corp.id;
        let follow = shown.follow;
        let key = (whose.contact, associate.id, whose.alias.clone());
        let kept = self.ground.pairs.get(&key);
        let created = Timestamp::from_seconds(follow.createtime);
        let step = step(kept, created, shown.read_at);
        if step == Step::Stale {
            return Ok(());
        }
        let fresh = self.fresh(act, whose, associate, shown, kept);
        if let Some(kept) = kept {
            self.seen.entry(shown.read_at).or_default().push(kept.id);
            if said(kept) != said(&fresh) {
                ledger::change_pair(tx, corp, &fresh, &kept.tags).await?;
                self.mirrored.changed += 1;
            }
        }
        self.turn_tags(kept, &fresh);
        match step {
            Step::Begin | Step::Again => self.begin(tx, associate, &fresh, kept).await,
            Step::Restart => {
                if let Some(period) = ledger::last_period(tx, corp, &fresh).await? {
                    let at = created.max(period.from_at);
                    let day = at.day(self.ground.zone(period.store_id));
                    ledger::close_period(tx, corp, &period, at, day, "system").await?;
                }
                self.begin(tx, associate, &fresh, kept).await
            }
            Step::Ended => self.revive_if_only_absent(tx, &fresh).await,
            Step::Keep | Step::Stale => Ok(()),
        }
    }

    /// The pair as the platform has it now.
    fn fresh(
        &mut self,
        act: &Act<'_>,
        whose: &Whose,
        associate: &Associate,
        shown: &Shown<'_>,
        kept: Option<&Kept>,
    ) -> Kept {
        let follow = shown.follow;
        let created = Timestamp::from_seconds(follow.createtime);
        let known = follow.tag_ids.iter().filter_map(|id| self.ground.tags.get(id));
        let tags: Vec<TagId> = known.copied().collect();
        self.mirrored.has_unknown_tags |= tags.len() < follow.tag_ids.len();
        Kept {
            id: kept.map_or_else(|| FollowId::new(act.ids, act.now), |kept| kept.id),
            contact_id: whose.contact,
            associate_id: associate.id,
            store_id: self.ground.store_at(associate, created),
            state: "active".into(),
            remark: follow.remark.clone(),
            description: follow.description.clone(),
            add_way: follow.add_way,
            channel: follow.state.clone(),
            tags: tag_list(tags),
            added_at: created,
            ended_at: None,
            seen_at: shown.read_at,
            alias: whose.alias.clone(),
        }
    }

    /// Opens a stretch in the store of that time.
    async fn begin(
        &mut self,
        tx: &Tx,
        associate: &'a Associate,
        fresh: &Kept,
        kept: Option<&Kept>,
    ) -> Result<()> {
        let corp = self.reading.corp.id;
        let zone = self.ground.zone(fresh.store_id);
        let day = fresh.added_at.day(zone);
        let cause = cause_of(fresh.add_way, false);
        if cause == "transfer" {
            self.given.push(fresh.contact_id);
        }
        match kept {
            None => self.new.pairs.push((fresh.clone(), day)),
            Some(kept) => {
                let (store, from) = (fresh.store_id, fresh.added_at);
                ledger::revive_pair(tx, corp, kept.id, kept.added_at, store, from, day).await?;
            }
        }
        self.new.periods.push(Opening {
            contact: fresh.contact_id,
            associate: associate.id,
            store: fresh.store_id,
            from_at: fresh.added_at,
            from_day: day,
            cause,
            alias: fresh.alias.clone(),
        });
        self.bindings.push(Binding {
            contact: fresh.contact_id,
            associate: associate.id,
            from_at: fresh.added_at,
            until_at: fresh.added_at.plus_ms(BINDING_MS),
        });
        self.tallies.push(Tally {
            store: fresh.store_id,
            associate: Some(associate.id),
            day,
            code: Code::NewRelations,
            value: 1,
        });
        self.tell(fresh, fresh.store_id, fresh.added_at, added(cause, fresh));
        if self
            .ground
            .moves_after(associate, fresh.added_at)
            .next()
            .is_some()
        {
            self.left_behind.push((fresh.clone(), associate));
        }
        self.mirrored.changed += 1;
        Ok(())
    }

    /// A pair that we closed because a reading did not show it is back, and never ended.
    async fn revive_if_only_absent(&mut self, tx: &Tx, fresh: &Kept) -> Result<()> {
        let corp = self.reading.corp.id;
        let last = ledger::last_period(tx, corp, fresh).await?;
        let Some(last) = last.filter(|last| last.until_cause.as_deref() == Some("system")) else {
            return Ok(());
        };
        let kept = &self.ground.pairs[&(fresh.contact_id, fresh.associate_id, fresh.alias.clone())];
        let day = kept.added_at.day(self.ground.zone(last.store_id));
        ledger::reopen_period(tx, corp, last.id).await?;
        ledger::revive_pair(
            tx,
            corp,
            kept.id,
            kept.added_at,
            last.store_id,
            kept.added_at,
            day,
        )
        .await?;
        self.mirrored.changed += 1;
        Ok(())
    }

    /// Tags a pair came with are its state, not its story: nobody set them while we looked.
    fn turn_tags(&mut self, kept: Option<&Kept>, fresh: &Kept) {
        let Some(kept) = kept.filter(|kept| kept.tags != fresh.tags) else {
            return;
        };
        let old: BTreeSet<TagId> = tag_ids(&kept.tags).into_iter().collect();
        let new: BTreeSet<TagId> = tag_ids(&fresh.tags).into_iter().collect();
        let set = new.difference(&old).map(|tag| (*tag, true));
        for (tag, added) in set.chain(old.difference(&new).map(|tag| (*tag, false))) {
            self.turns.push(TagTurn {
                contact: fresh.contact_id,
                associate: fresh.associate_id,
                tag,
                added,
            });
            if let Some(name) = self.ground.tag_names.get(&tag) {
                let entry = tag_entry(tag, name, added);
                self.tell(fresh, kept.store_id, fresh.seen_at, entry);
            }
        }
    }

    fn tell(&mut self, pair: &Kept, store: Option<StoreId>, at: Timestamp, entry: Entry) {
        let news = News {
            contact: pair.contact_id,
            associate: Some(pair.associate_id),
            store,
            at,
            entry,
        };
        self.news.push((self.ground.zone(store), news));
    }

    pub async fn finish(self, tx: &Tx, act: &Act<'_>) -> Result<Mirrored> {
        let corp = self.reading.corp.id;
        ledger::note_duplicates(tx, corp, &self.unionids).await?;
        ledger::bind(tx, corp, self.bindings, &self.new_people).await?;
        for (pair, associate) in &self.left_behind {
            carry_along(tx, act, corp, self.ground, pair, associate).await?;
        }
        for (read_at, pairs) in self.seen {
            ledger::seen(tx, corp, &pairs, read_at).await?;
        }
        ledger::note_tags(tx, act, corp, "platform".into(), self.turns).await?;
        tally::add(tx, corp, &self.tallies).await?;
        let mut by_zone: HashMap<Tz, Vec<News>> = HashMap::new();
        for (zone, news) in self.news {
            by_zone.entry(zone).or_default().push(news);
        }
        for (zone, news) in by_zone {
            timeline::append(tx, act, corp, zone, news).await?;
        }
        Passed::tell(tx, act, corp, self.given).await?;
        if !self.recognised.is_empty() {
            let payload = queue::payload(&Recognised {
                contacts: self.recognised,
            });
            let news = NewJob {
                corp,
                kind: Recognised::NAME,
                payload,
                lane: Lane::Normal,
                run_at: act.now,
                unique_key: None,
            };
            queue::enqueue(tx, act.ids, act.now, news).await?;
        }
        Ok(self.mirrored)
    }
}

async fn write(tx: &Tx, ready: Option<Inserts<'_>>) -> Result<()> {
    if let Some(ready) = ready {
        ready.run(tx).await?;
    }
    Ok(())
}

/// Carries a pair along wherever its associate has moved since it began.
async fn carry_along(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    ground: &Ground,
    pair: &Kept,
    associate: &Associate,
) -> Result<()> {
    let mut zone = ground.zone(pair.store_id);
    for moved in ground.moves_after(associate, pair.added_at) {
        let zone_there = ground.zone(Some(moved.store_id));
        let zones = (zone, zone_there);
        move_pair(tx, act, corp, pair, moved.store_id, moved.from_at, zones).await?;
        zone = zone_there;
    }
    Ok(())
}

/// A phone number of each person, as the first follower who noted one has it.
fn phones<'s>(reading: &Reading<'_>, shown: &[Shown<'s>]) -> HashMap<&'s ExternalUserId, Phone> {
    let mut phones = HashMap::new();
    for pair in shown {
        let mut noted = pair.follow.remark_mobiles.iter();
        let corp = reading.corp.id;
        if let Some(phone) = noted.find_map(|mobile| Phone::of(reading.sealer, corp, mobile)) {
            phones.entry(&pair.contact.external_userid).or_insert(phone);
        }
    }
    phones
}

fn said(pair: &Kept) -> (&str, &str, i64, &str, &str) {
    (
        &pair.remark,
        &pair.description,
        pair.add_way,
        &pair.channel,
        &pair.tags,
    )
}

fn added(cause: &str, pair: &Kept) -> Entry {
    Entry::Added {
        cause: cause.to_owned(),
        channel: pair.channel.clone(),
    }
}

pub(super) fn tag_entry(tag_id: TagId, name: &str, added: bool) -> Entry {
    let name = name.to_owned();
    if added {
        Entry::Tagged { tag_id, name }
    } else {
        Entry::Untagged { tag_id, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(state: &str, added: i64, ended: Option<i64>, seen: i64) -> Kept {
        Kept {
            id: FollowId(1),
            contact_id: ContactId(1),
            associate_id: AssociateId(1),
            store_id: None,
            state: state.into(),
            remark: String::new(),
            description: String::new(),
            add_way: 1,
            channel: String::new(),
            tags: " ".into(),
            added_at: Timestamp(added),
            ended_at: ended.map(Timestamp),
            seen_at: Timestamp(seen),
            alias: String::new(),
        }
    }

    #[test]
    fn a_shown_pair_begins_again_only_when_it_is_newer_than_its_end() {
        let cases = [
            (None, 10, Step::Begin),
            (Some(kept("active", 10, None, 50)), 10, Step::Keep),
            (Some(kept("active", 10, None, 50)), 9, Step::Keep),
            (Some(kept("active", 10, None, 50)), 20, Step::Restart),
            (Some(kept("lost", 10, Some(30), 50)), 10, Step::Ended),
            (Some(kept("lost", 10, Some(30), 50)), 20, Step::Ended),
            (Some(kept("lost", 10, Some(30), 50)), 30, Step::Again),
            (Some(kept("removed", 10, Some(10), 50)), 10, Step::Ended),
            (Some(kept("active", 10, None, 101)), 20, Step::Stale),
        ];
        for (kept, created, expected) in cases {
            assert_eq!(
                step(kept.as_ref(), Timestamp(created), Timestamp(100)),
                expected,
                "{kept:?} {created}"
            );
        }
    }
}
