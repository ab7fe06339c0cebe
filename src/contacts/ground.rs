//! What the pairs of a reading stand on: who the members are and where they belonged, our tags, what we hold.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono_tz::Tz;

use super::mirror::Shown;
use super::model::tag_ids;
use super::store::held::{self, Kept, Person};
use crate::db::Tx;
use crate::directory::{self, Associate, Corp, Membership};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, ExternalUserId, StoreId, TagId, UserId};
use crate::time::Timestamp;

/// What the pairs of a reading stand on.
pub(super) struct Ground {
    pub associates: HashMap<UserId, Associate>,
    pub memberships: HashMap<AssociateId, Vec<Membership>>,
    pub zones: HashMap<StoreId, Tz>,
    pub zone: Tz,
    pub tags: HashMap<String, TagId>,
    pub tag_names: HashMap<TagId, String>,
    pub people: HashMap<ExternalUserId, Person>,
    /// By contact, associate and alias.
    pub pairs: BTreeMap<(ContactId, AssociateId, String), Kept>,
}

impl Ground {
    pub async fn of(tx: &Tx, corp: &Corp, shown: &[Shown<'_>]) -> Result<Self> {
        let (people, pairs) = people_and_pairs(tx, corp, shown).await?;
        let members = Members::of(tx, corp, shown).await?;
        let shown_tags: HashSet<&str> = shown
            .iter()
            .flat_map(|pair| pair.follow.tag_ids.iter().map(String::as_str))
            .collect();
        let tags = held::platform_tags(tx, corp.id, shown_tags).await?;
        let mut tag_names: HashMap<TagId, String> =
            tags.iter().map(|tag| (tag.id, tag.name.clone())).collect();
        let held_tags = pairs.iter().flat_map(|kept| tag_ids(&kept.tags));
        let others: HashSet<TagId> = held_tags.filter(|tag| !tag_names.contains_key(tag)).collect();
        tag_names.extend(held::tag_names(tx, corp.id, others).await?);
        Ok(Self {
            zone: corp.zone,
            tags: tags.into_iter().map(|tag| (tag.platform_id, tag.id)).collect(),
            tag_names,
            pairs: pairs
                .into_iter()
                .map(|kept| ((kept.contact_id, kept.associate_id, kept.alias.clone()), kept))
                .collect(),
            associates: members.associates,
            memberships: members.memberships,
            zones: members.zones,
            people,
        })
    }

    /// Whether a reading of this alias says what the person is called: their own id does while somebody follows them by
    /// it, else the first by which somebody does. So two ids never change a name to and fro.
    pub fn speaks(&self, contact: ContactId, alias: &str) -> bool {
        let all = (contact, AssociateId(i64::MIN), String::new());
        let whose = self.pairs.range(all..).map(|(_, kept)| kept);
        let whose = whose.take_while(|kept| kept.contact_id == contact);
        let live = whose.filter(|kept| kept.is_live());
        let first = live.map(|kept| kept.alias.as_str()).min();
        first.unwrap_or_default() == alias
    }

    pub fn zone(&self, store: Option<StoreId>) -> Tz {
        store
            .and_then(|store| self.zones.get(&store).copied())
            .unwrap_or(self.zone)
    }

    /// The store at an instant; before the first membership, the first.
    pub fn store_at(&self, associate: &Associate, at: Timestamp) -> Option<StoreId> {
        let memberships = self.memberships.get(&associate.id).map_or(&[][..], Vec::as_slice);
        let then = memberships.iter().rev().find(|one| one.from_at <= at);
        then.or(memberships.first())
            .map(|one| one.store_id)
            .or(associate.store_id)
    }

    /// Moves after an instant, oldest first.
    pub fn moves_after(&self, associate: &Associate, at: Timestamp) -> impl Iterator<Item = &Membership> {
        let memberships = self.memberships.get(&associate.id).map_or(&[][..], Vec::as_slice);
        memberships.iter().filter(move |one| one.from_at > at)
    }
}

async fn people_and_pairs(
    tx: &Tx,
    corp: &Corp,
    shown: &[Shown<'_>],
) -> Result<(HashMap<ExternalUserId, Person>, Vec<Kept>)> {
    let external: BTreeSet<&ExternalUserId> =
        shown.iter().map(|pair| &pair.contact.external_userid).collect();
    let external: Vec<ExternalUserId> = external.into_iter().cloned().collect();
    let people = held::people(tx, corp.id, &external).await?;
    let pairs = held::pairs_of(tx, corp.id, people.values().map(|person| person.id)).await?;
    Ok((people, pairs))
}

/// Members who are shown, and where they belonged.
struct Members {
    associates: HashMap<UserId, Associate>,
    memberships: HashMap<AssociateId, Vec<Membership>>,
    zones: HashMap<StoreId, Tz>,
}

impl Members {
    async fn of(tx: &Tx, corp: &Corp, shown: &[Shown<'_>]) -> Result<Self> {
        let userids: BTreeSet<UserId> = shown.iter().map(|pair| pair.follow.userid.folded()).collect();
        let userids: Vec<UserId> = userids.into_iter().collect();
        let associates = directory::associates_by_userid(tx, corp.id, &userids).await?;
        let ids: Vec<AssociateId> = associates.values().map(|associate| associate.id).collect();
        let mut memberships: HashMap<AssociateId, Vec<Membership>> = HashMap::new();
        for membership in directory::memberships(tx, corp.id, &ids).await? {
            memberships
                .entry(membership.associate_id)
                .or_default()
                .push(membership);
        }
        let stores: BTreeSet<StoreId> = memberships.values().flatten().map(|one| one.store_id).collect();
        let stores: Vec<StoreId> = stores.into_iter().collect();
        Ok(Self {
            zones: directory::zones_of(tx, corp.id, &stores).await?,
            associates,
            memberships,
        })
    }
}
