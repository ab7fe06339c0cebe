//! Sends a welcome inside its 20 seconds; at most once a code.

use std::time::Duration;

use super::jobs::NameContact;
use super::store::{self, Use};
use super::{Outcome, Welcome};
use crate::app::App;
use crate::contacts;
use crate::db::Tx;
use crate::directory::{self, Associate, Corp};
use crate::error::{Advice, Error, Result};
use crate::ids::{ContactId, CorpId, ExternalUserId, StoreId, UserId};
use crate::job;
use crate::links::content::Attachment;
use crate::links::{self, NewLink};
use crate::queue::Lane;
use crate::scope::{Act, Actor, Scope};
use crate::seal::fingerprint;
use crate::time::{SECOND_MS, Timestamp};
use crate::timeline::{self, Entry, News};
use crate::wecom::message::Message;

/// How long a code lives.
const LIFE_MS: i64 = 20 * SECOND_MS;
/// The code is unknown or older than its life.
const CODE_DEAD: i64 = 41050;
/// Another app was first.
const CODE_USED: i64 = 41051;
/// Two calls at once; the platform allows one more.
const CODE_BUSY: i64 = 41096;
/// More tries than fit into a code's life.
const MAX_TRIES: usize = 60;
/// How long a fetch usually takes: the contact of a welcome is looked for after it.
const FETCH_MS: i64 = 5 * SECOND_MS;

/// Sends the fitting welcome for an add event. `at` is the event's own time.
pub async fn welcome(
    app: &App,
    corp: CorpId,
    userid: &UserId,
    external_userid: &ExternalUserId,
    channel: &str,
    code: &str,
    at: Timestamp,
) -> Result<Outcome> {
    let associate = directory::associate_by_userid(&app.db, corp, userid).await?;
    let store = associate.as_ref().and_then(|associate| associate.store_id);
    let Some(welcome) = store::nearest(&app.db, corp, channel, store).await? else {
        return Ok(Outcome::NoneSet);
    };
    let corp = directory::find_corp(&app.db, corp).await?;
    let code_hash = fingerprint(code);
    let contact = contacts::ids_of(&app.db, corp.id, std::slice::from_ref(external_userid))
        .await?
        .remove(external_userid);
    let act = app.act(Actor::System);
    let intent = Use {
        code_hash: &code_hash,
        contact,
        associate: associate.as_ref().map(|associate| associate.id),
        welcome: welcome.id,
        at: act.now,
    };
    // Written before the call: whatever happens after, this code is not tried again.
    let tx = app.db.begin().await?;
    if !store::intend(&tx, corp.id, &intent).await? {
        tx.rollback().await?;
        return store::outcome(&app.db, corp.id, &code_hash).await;
    }
    let message = message(
        app,
        &tx,
        &act,
        &corp,
        &welcome,
        associate.as_ref(),
        contact,
        userid,
    )
    .await?;
    tx.commit().await?;

    let outcome = send(app, &corp, code, &message, at).await?;
    let act = app.act(Actor::System);
    let tx = app.db.begin().await?;
    store::record(&tx, corp.id, &code_hash, &outcome, act.now).await?;
    if outcome == Outcome::Sent {
        match contact {
            Some(contact) => tell(&tx, &act, &corp, contact, associate.as_ref(), act.now).await?,
            None => {
                let later = NameContact {
                    code_hash,
                    external_userid: external_userid.clone(),
                };
                job::enqueue(&tx, &app.ids, act.now, corp.id, &later, act.now.plus_ms(FETCH_MS)).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(outcome)
}

/// The welcome in this associate's words; a store link in it becomes a tracked one of theirs.
#[expect(clippy::too_many_arguments, reason = "one call, and each is needed once")]
async fn message(
    app: &App,
    tx: &Tx,
    act: &Act<'_>,
    corp: &Corp,
    welcome: &Welcome,
    associate: Option<&Associate>,
    contact: Option<ContactId>,
    userid: &UserId,
) -> Result<Message> {
    let target = welcome
        .content
        .attachments
        .iter()
        .find_map(|attachment| match attachment {
            Attachment::StoreLink { title, target, .. } => Some((title, target)),
            _ => None,
        });
    let url = match target {
        None => String::new(),
        Some((title, target)) => {
            let new = NewLink {
                title: title.clone(),
                target: target.clone(),
                store: associate.and_then(|associate| associate.store_id),
                associate: associate.map(|associate| associate.id),
                campaign: None,
                moment: None,
                contact,
            };
            let made = links::create(tx, act, &Scope::whole(corp.id), corp, vec![new]).await?;
            let (_, code) = made.first().ok_or_else(|| Error::internal("no link was made"))?;
            format!("{}/l/{code}", app.config.public_url)
        }
    };
    let name = associate.map_or(userid.as_str(), |associate| associate.name.as_str());
    let store = associate
        .and_then(|associate| associate.store_name.as_deref())
        .unwrap_or(&corp.name);
    Ok(welcome.content.message(name, store, &url))
}

/// Sends while the code lives. What certainly was not sent and may be in a moment is sent again as it is; one bad
/// attachment and the platform delivers nothing, so then the text goes alone.
async fn send(app: &App, corp: &Corp, code: &str, message: &Message, at: Timestamp) -> Result<Outcome> {
    let left_ms = || at.plus_ms(LIFE_MS).0 - app.now().0;
    if left_ms() < 0 {
        return Ok(Outcome::Late);
    }
    let client = directory::platform(app, corp.id).await?.in_lane(Lane::Urgent);
    let mut message = message.clone();
    let mut busy = 0;
    for _ in 0..MAX_TRIES {
        let fault = match client.send_welcome(code, &message).await {
            Ok(()) => return Ok(Outcome::Sent),
            Err(Error::Platform(fault)) => fault,
            Err(error) => return Err(error),
        };
        let can_try = left_ms() >= 0;
        match (fault.code, fault.advice) {
            (Some(CODE_DEAD), _) => return Ok(Outcome::Late),
            (Some(CODE_BUSY), _) if can_try && busy == 0 => busy += 1,
            (Some(CODE_BUSY | CODE_USED), _) => return Ok(failed(&fault)),
            (_, Advice::Retry { after_ms }) if after_ms <= left_ms() => {
                let pause = u64::try_from(after_ms).unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            (_, Advice::Drop | Advice::Bug)
                if can_try && !message.attachments.is_empty() && message.text.is_some() =>
            {
                message.attachments.clear();
            }
            _ => return Ok(failed(&fault)),
        }
    }
    Ok(Outcome::Failed {
        reason: "the platform was busy all the time".into(),
    })
}

fn failed(fault: &crate::error::PlatformFault) -> Outcome {
    let code = fault
        .code
        .map_or_else(|| "no answer".to_owned(), |code| code.to_string());
    Outcome::Failed {
        reason: format!("{code}: {}", fault.message),
    }
}

async fn tell(
    tx: &Tx,
    act: &Act<'_>,
    corp: &Corp,
    contact: ContactId,
    associate: Option<&Associate>,
    at: Timestamp,
) -> Result<()> {
    let store: Option<StoreId> = associate.and_then(|associate| associate.store_id);
    let news = News {
        contact,
        associate: associate.map(|associate| associate.id),
        store,
        at,
        entry: Entry::Welcomed,
    };
    timeline::append(tx, act, corp.id, corp.zone, vec![news]).await
}

/// Gives a welcome that went out before we knew the contact its contact. `false`: still not known.
pub async fn name_contact(
    app: &App,
    corp: CorpId,
    code_hash: &str,
    external_userid: &ExternalUserId,
) -> Result<bool> {
    let known = contacts::ids_of(&app.db, corp, std::slice::from_ref(external_userid)).await?;
    let Some(contact) = known.get(external_userid).copied() else {
        return Ok(false);
    };
    let corp = directory::find_corp(&app.db, corp).await?;
    let act = app.act(Actor::System);
    let tx = app.db.begin().await?;
    if let Some(sent) = store::name_contact(&tx, corp.id, code_hash, contact).await? {
        let associate = match sent.associate_id {
            Some(id) => directory::find_associate(&tx, &Scope::whole(corp.id), id)
                .await
                .ok(),
            None => None,
        };
        tell(&tx, &act, &corp, contact, associate.as_ref(), sent.at).await?;
    }
    tx.commit().await?;
    Ok(true)
}
