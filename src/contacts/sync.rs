//! Full sync: every member's customers, page by page; pairs that are gone are closed.

use std::collections::HashMap;

use super::mirror::{Mirrored, Reading, Shown};
use crate::app::App;
use crate::directory::{self, Corp};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, CorpId, UserId};
use crate::queue::Lane;
use crate::scope::Actor;
use crate::wecom::contact::ContactOfMember;
use crate::wecom::{Client, Page, Walk};

/// Members whose customers one reading asks for: the platform's limit.
const MEMBERS: usize = 100;
const MAX_LOOKS: usize = 5;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncCount {
    pub pairs: u64,
    pub changed: u64,
    pub closed: u64,
}

/// Pulls all pairs of all members; `progress` hears after each page.
pub async fn sync_contacts(
    app: &App,
    corp: CorpId,
    mut progress: impl FnMut(SyncCount),
) -> Result<SyncCount> {
    super::settle_people(app, corp).await?;
    let client = directory::platform(app, corp).await?.in_lane(Lane::Sweep);
    let corp = directory::find_corp(&app.db, corp).await?;
    let members = client.follow_users().await?;
    let mut count = SyncCount::default();
    for chunk in members.chunks(MEMBERS) {
        read_members(app, &client, &corp, chunk, &mut count, &mut progress).await?;
    }
    Ok(count)
}

async fn read_members(
    app: &App,
    client: &Client,
    corp: &Corp,
    members: &[UserId],
    count: &mut SyncCount,
    progress: &mut impl FnMut(SyncCount),
) -> Result<()> {
    let began = app.now();
    let mut walk = Walk::new();
    loop {
        let read_at = app.now();
        let page = client.contacts_of(members, walk.cursor()).await?;
        let mirrored = keep_page(app, corp, &page, read_at).await?;
        count.pairs += page.items.len() as u64;
        count.changed += mirrored.changed;
        progress(*count);
        if !walk.go_on(page.next)? {
            break;
        }
    }
    // Only a chunk that was read whole says that a pair is gone.
    let known: HashMap<_, _> = directory::associates_by_userid(&app.db, corp.id, members).await?;
    let ids: Vec<AssociateId> = known.values().map(|associate| associate.id).collect();
    let tx = app.db.begin().await?;
    let reading = reading(app, corp, began);
    count.closed += reading.close_unshown(&tx, &ids).await?;
    tx.commit().await?;
    progress(*count);
    Ok(())
}

fn reading<'a>(app: &'a App, corp: &'a Corp, read_at: crate::time::Timestamp) -> Reading<'a> {
    Reading {
        corp,
        sealer: &app.sealer,
        read_at,
    }
}

async fn keep_page(
    app: &App,
    corp: &Corp,
    page: &Page<ContactOfMember>,
    read_at: crate::time::Timestamp,
) -> Result<Mirrored> {
    let shown: Vec<Shown<'_>> = page
        .items
        .iter()
        .map(|item| Shown {
            contact: &item.contact,
            follow: &item.follow,
        })
        .collect();
    // A callback may change one of these pairs meanwhile: then the page is looked at again.
    let mut tries = 0;
    loop {
        tries += 1;
        let tx = app.db.begin().await?;
        let taken = reading(app, corp, read_at)
            .of_pairs(&tx, &app.act(Actor::Platform), &shown)
            .await;
        match taken {
            Ok(mirrored) => {
                tx.commit().await?;
                return Ok(mirrored);
            }
            Err(error) if tries < MAX_LOOKS && is_race(&error) => tx.rollback().await?,
            Err(error) => return Err(error),
        }
    }
}

fn is_race(error: &Error) -> bool {
    matches!(error, Error::Conflict(_)) || error.is_unique_violation()
}
