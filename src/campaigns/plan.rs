//! Who gets it, from whom, in which batch; who is left out and why.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use super::quota::Window;
use super::store::{self, Sender};
use crate::app::App;
use crate::args;
use crate::db::{self, Conn, Tx};
use crate::directory::Corp;
use crate::error::Result;
use crate::ids::{AssociateId, BatchId, CampaignId, ContactId, CorpId, LinkId, StoreId};
use crate::links::{self, LinkTarget, NewLink};
use crate::scope::{Act, Scope};
use crate::segments::{self, Rule};
use crate::time::Timestamp;

pub(super) const OPTED_OUT: &str = "opted_out";
pub(super) const NO_ASSOCIATE: &str = "no_associate";
pub(super) const QUOTA_USED: &str = "quota_used";
pub(super) const HOLDOUT: &str = "holdout";

/// The platform's limit for one task.
const MAX_BATCH: usize = 10_000;
/// Contacts that one read looks up.
const CHUNK: usize = 50_000;

/// Whom to look for.
pub(super) struct Wish<'a> {
    pub app: &'a App,
    pub corp: &'a Corp,
    pub rule: &'a Rule,
    /// The campaign: what makes its hold-out differ from another's.
    pub salt: i64,
    pub holdout_percent: i64,
    pub window: &'a Window,
    pub now: Timestamp,
}

/// A person of the audience; with a reason, left out.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub contact: ContactId,
    pub associate: Option<AssociateId>,
    pub store: Option<StoreId>,
    pub reason: Option<&'static str>,
    /// Broadcasts already claimed in the window.
    pub used: i64,
}

/// Everybody the rule finds in scope, each with their sender and why they are left out, if they are.
pub(super) async fn draw(conn: &impl Conn, scope: &Scope, wish: &Wish<'_>) -> Result<Vec<Drawn>> {
    let people = segments::audience(wish.app, conn, scope, wish.rule, wish.corp.zone, wish.now).await?;
    let mut drawn = Vec::with_capacity(people.len());
    for chunk in people.chunks(CHUNK) {
        let ids = db::id_list(chunk.iter().map(|contact| contact.0));
        let standing = store::standing(conn, scope.corp, &ids, wish.window).await?;
        let senders = senders(conn, scope, &ids, wish.now).await?;
        for contact in chunk {
            let (opted_out, used) = standing.get(contact).copied().unwrap_or((true, 0));
            let sender = senders.get(contact);
            let reason = match sender {
                _ if opted_out => Some(OPTED_OUT),
                None => Some(NO_ASSOCIATE),
                Some(_) if used >= wish.window.limit => Some(QUOTA_USED),
                Some(_) => is_held_out(wish.salt, *contact, wish.holdout_percent).then_some(HOLDOUT),
            };
            drawn.push(Drawn {
                contact: *contact,
                associate: sender.map(|sender| sender.associate_id),
                store: sender.and_then(|sender| sender.store_id),
                reason,
                used,
            });
        }
    }
    Ok(drawn)
}

/// Who sends to each contact: the associate they are bound to, else who has followed them longest; of those in scope
/// who can send at all.
async fn senders(
    conn: &impl Conn,
    scope: &Scope,
    ids: &str,
    now: Timestamp,
) -> Result<HashMap<ContactId, Sender>> {
    let mut best: HashMap<ContactId, Sender> = HashMap::new();
    for sender in store::possible_senders(conn, scope, ids, now).await? {
        let rank = |sender: &Sender| (sender.bound_until.is_none(), sender.added_at, sender.associate_id);
        match best.get(&sender.contact_id) {
            Some(known) if rank(known) <= rank(&sender) => {}
            _ => {
                best.insert(sender.contact_id, sender);
            }
        }
    }
    Ok(best)
}

/// Whether a contact is held out: by a hash, so that asking again gives the same answer.
fn is_held_out(salt: i64, contact: ContactId, percent: i64) -> bool {
    let digest = Sha256::digest(format!("holdout:{salt}:{contact}"));
    let word = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    i64::from(word % 10_000) < percent * 100
}

/// What freezing left.
pub(super) struct Frozen {
    pub targeted: i64,
    pub eligible: i64,
}

/// The message as it will be sent.
pub(super) struct Letter<'a> {
    pub campaign: CampaignId,
    pub name: &'a str,
    pub target: &'a LinkTarget,
}

/// Writes the audience down: claims the quota, cuts batches by sender, one delivery a contact.
pub(super) async fn freeze(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    wish: &Wish<'_>,
    letter: &Letter<'_>,
) -> Result<Frozen> {
    let mut drawn = draw(tx, scope, wish).await?;
    let wanted: Vec<ContactId> = eligible(&drawn).map(|person| person.contact).collect();
    let claimed = store::claim_quota(tx, scope.corp, wish.window, &wanted).await?;
    for person in &mut drawn {
        // Another campaign was quicker.
        if person.reason.is_none() && !claimed.contains(&person.contact) {
            person.reason = Some(QUOTA_USED);
        }
    }
    let batches = cut(act, &drawn);
    write_batches(tx, act, scope.corp, letter, &batches).await?;
    write_deliveries(tx, act, scope.corp, letter.campaign, &drawn, &batches).await?;
    Ok(Frozen {
        targeted: drawn.len() as i64,
        eligible: eligible(&drawn).count() as i64,
    })
}

pub(super) fn eligible(drawn: &[Drawn]) -> impl Iterator<Item = &Drawn> {
    drawn.iter().filter(|person| person.reason.is_none())
}

/// One platform task to be.
struct Cut {
    id: BatchId,
    associate: AssociateId,
    store: Option<StoreId>,
    contacts: Vec<ContactId>,
}

fn cut(act: &Act<'_>, drawn: &[Drawn]) -> Vec<Cut> {
    let mut by_sender: BTreeMap<AssociateId, (Option<StoreId>, Vec<ContactId>)> = BTreeMap::new();
    for person in eligible(drawn) {
        if let Some(associate) = person.associate {
            let (_, contacts) = by_sender.entry(associate).or_insert((person.store, Vec::new()));
            contacts.push(person.contact);
        }
    }
    by_sender
        .into_iter()
        .flat_map(|(associate, (store, contacts))| {
            let chunks: Vec<Vec<ContactId>> = contacts.chunks(MAX_BATCH).map(<[_]>::to_vec).collect();
            chunks
                .into_iter()
                .map(move |contacts| (associate, store, contacts))
        })
        .map(|(associate, store, contacts)| Cut {
            id: BatchId::new(act.ids, act.now),
            associate,
            store,
            contacts,
        })
        .collect()
}

/// Each batch has a link of its own; its code is how the batch is told again on the platform.
async fn write_batches(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    letter: &Letter<'_>,
    batches: &[Cut],
) -> Result<()> {
    let wanted = batches.iter().map(|batch| NewLink {
        title: letter.name.to_owned(),
        target: letter.target.clone(),
        store: batch.store,
        associate: Some(batch.associate),
        campaign: Some(letter.campaign),
        moment: None,
        contact: None,
    });
    let links: Vec<(LinkId, String)> = links::issue(tx, act, corp, wanted.collect()).await?;
    let rows = batches.iter().zip(links).map(|(batch, (link, code))| {
        args![
            corp,
            batch.id,
            letter.campaign,
            batch.associate,
            batch.store,
            link,
            "planned",
            batch.contacts.len() as i64,
            code,
            0i64,
            0i64,
            0i64
        ]
    });
    store::insert_batches(tx, rows.collect()).await
}

async fn write_deliveries(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    campaign: CampaignId,
    drawn: &[Drawn],
    batches: &[Cut],
) -> Result<()> {
    let batch_of: HashMap<ContactId, BatchId> = batches
        .iter()
        .flat_map(|batch| batch.contacts.iter().map(|contact| (*contact, batch.id)))
        .collect();
    let rows = drawn.iter().map(|person| {
        let state = if person.reason.is_some() {
            "excluded"
        } else {
            "planned"
        };
        args![
            corp,
            campaign,
            person.contact,
            person.associate,
            person.store,
            batch_of.get(&person.contact).copied(),
            state,
            person.reason,
            act.now
        ]
    });
    store::insert_deliveries(tx, rows.collect()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_out_is_about_the_share_asked_for_and_stays_the_same() {
        let held = |salt: i64, percent: i64| -> Vec<i64> {
            (0..10_000)
                .filter(|contact| is_held_out(salt, ContactId(*contact), percent))
                .collect()
        };
        assert!(held(1, 0).is_empty());
        let ten = held(1, 10);
        assert!((900..1_100).contains(&ten.len()), "{}", ten.len());
        assert_eq!(held(1, 10), ten);
        assert_ne!(held(2, 10), ten);
        let twenty = held(1, 20);
        assert!(ten.iter().all(|contact| twenty.contains(contact)));
    }
}
