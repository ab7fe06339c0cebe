//! Changes an associate makes to a contact from our pages, written through to the platform.

use super::intake::tag_entry;
use super::model::{Pair, tag_list};
use super::store::held;
use super::store::ledger::{self, TagTurn};
use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result, said};
use crate::ids::{AssociateId, ContactId, CorpId, FollowId, MarkingId, TagId};
use crate::scope::{Act, Scope};
use crate::timeline::{self, News};

/// Longest texts, in characters, as the platform counts.
const MAX_REMARK: usize = 20;
const MAX_DESCRIPTION: usize = 150;

/// Sets the remark or the description on the caller's own pair, on the platform first.
pub async fn remark(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    contact: ContactId,
    remark: Option<&str>,
    description: Option<&str>,
) -> Result<()> {
    at_most("/remark", remark, MAX_REMARK)?;
    at_most("/description", description, MAX_DESCRIPTION)?;
    let pair = super::store::own_pair(&app.db, scope, contact).await?;
    if remark.is_none() && description.is_none() {
        return Ok(());
    }
    directory::platform(app, scope.corp)
        .await?
        .remark(&pair.userid, &pair.external_userid, remark, description)
        .await?;
    let tx = app.db.begin().await?;
    ledger::set_remark(&tx, scope.corp, pair.follow_id, remark, description, act.now).await?;
    tx.commit().await
}

pub(super) fn at_most(pointer: &str, text: Option<&str>, limit: usize) -> Result<()> {
    match text.map(|text| text.chars().count()) {
        Some(length) if length > limit => Err(Error::invalid(
            pointer,
            said!(
                "refused-characters",
                "at most {most} characters fit, not {length}",
                most = limit,
                length = length
            ),
        )),
        _ => Ok(()),
    }
}

/// A tag of ours and what it is called, for the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTag {
    pub id: TagId,
    pub name: String,
}

/// What a change of tags comes from, for the history.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// `platform`, `operator`, `api` or `rule`.
    pub source: &'static str,
    /// The marking it is a part of.
    pub marking: Option<MarkingId>,
}

impl From<&'static str> for Cause {
    fn from(source: &'static str) -> Self {
        Self {
            source,
            marking: None,
        }
    }
}

/// Writes tags of a pair after the platform took them: the pair's list, the history, the timeline.
/// `false`: nothing was different.
pub async fn change_tags(
    tx: &Tx,
    act: &Act<'_>,
    corp: &directory::Corp,
    pair: &Pair,
    add: &[NamedTag],
    remove: &[NamedTag],
    cause: Cause,
) -> Result<bool> {
    let Some(kept) = held::pair_with(tx, corp.id, pair.follow_id).await? else {
        return Ok(false);
    };
    let held = super::tag_ids(&kept.tags);
    let added: Vec<&NamedTag> = add.iter().filter(|tag| !held.contains(&tag.id)).collect();
    let removed: Vec<&NamedTag> = remove.iter().filter(|tag| held.contains(&tag.id)).collect();
    let is_removed = |tag: &TagId| removed.iter().any(|gone| gone.id == *tag);
    let now_held = held.iter().copied().filter(|tag| !is_removed(tag));
    let list = tag_list(now_held.chain(added.iter().map(|tag| tag.id)));
    ledger::set_tags(tx, corp.id, &kept, &list, act.now).await?;
    let turned: Vec<(&NamedTag, bool)> = added
        .iter()
        .map(|tag| (*tag, true))
        .chain(removed.iter().map(|tag| (*tag, false)))
        .collect();
    note_turns(
        tx,
        act,
        corp,
        (pair.contact_id, pair.associate_id),
        cause,
        &turned,
    )
    .await?;
    let news = turned
        .iter()
        .map(|(tag, added)| News {
            contact: pair.contact_id,
            associate: Some(pair.associate_id),
            store: kept.store_id,
            at: act.now,
            entry: tag_entry(tag.id, &tag.name, *added),
        })
        .collect();
    timeline::append(tx, act, corp.id, corp.zone, news).await?;
    Ok(!turned.is_empty())
}

async fn note_turns(
    tx: &Tx,
    act: &Act<'_>,
    corp: &directory::Corp,
    (contact, associate): (ContactId, AssociateId),
    cause: Cause,
    turned: &[(&NamedTag, bool)],
) -> Result<()> {
    let turns = turned
        .iter()
        .map(|(tag, added)| TagTurn {
            contact,
            associate,
            tag: tag.id,
            added: *added,
        })
        .collect();
    ledger::note_tags(tx, act, corp.id, cause, turns).await
}

/// Takes a tag that is no more off every pair. Its history stays; the timeline is not told, nobody took it.
pub async fn drop_tag(tx: &Tx, act: &Act<'_>, corp: CorpId, tag: TagId, cause: Cause) -> Result<u64> {
    let (mut last, mut dropped) = (FollowId(0), 0);
    loop {
        let pairs = held::carrying(tx, corp, tag, last).await?;
        dropped += pairs.len() as u64;
        let mut turns = Vec::with_capacity(pairs.len());
        for kept in &pairs {
            let rest = super::tag_ids(&kept.tags).into_iter().filter(|held| *held != tag);
            ledger::set_tags(tx, corp, kept, &tag_list(rest), act.now).await?;
            turns.push(TagTurn {
                contact: kept.contact_id,
                associate: kept.associate_id,
                tag,
                added: false,
            });
        }
        ledger::note_tags(tx, act, corp, cause, turns).await?;
        match pairs.last() {
            Some(kept) if pairs.len() == held::TOGETHER => last = kept.id,
            _ => return Ok(dropped),
        }
    }
}
