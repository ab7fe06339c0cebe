//! Reads callbacks, and fetches what they hint at. An event only says that something changed; the fetch decides.
//! Taken from the event itself is what no fetch can tell: the welcome code, and who ended a pair, when.
//!
//! Most events only ask for something to be done later, so many are read in one transaction. One that brings a welcome
//! code, which dies in 20 seconds, is a job of its own; so is each of those that could not be read together.

use serde::{Deserialize, Serialize};

use super::reactions;
use super::runner::in_a_task;
use crate::app::App;
use crate::contacts::inbox::{self, LOOKS_AGAIN, ReadEvent, State, Unread};
use crate::contacts::{self, EndCause, Ending};
use crate::db::Tx;
use crate::directory;
use crate::error::{Advice, Error, PlatformFault, Result};
use crate::groups::{self, Told};
use crate::ids::{CorpId, ExternalUserId, UserId};
use crate::job::{self, Job};
use crate::queue::{self, Lane, NewJob};
use crate::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::wecom::callback::{self, Event, GroupChange, Received};
use crate::welcomes;

/// Callbacks that are read together.
pub const TOGETHER: usize = 100;

/// Reads callbacks that came and are not read, at most [`TOGETHER`]; answers how many.
pub async fn read_new(app: &App) -> Result<usize> {
    if !inbox::has_new(&app.db).await? {
        return Ok(0);
    }
    let together = app.clone();
    let read = match in_a_task(async move { take_some(&together, Reading::Together).await }).await {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(%error, "callbacks could not be read together; each is read by itself");
            take_some(app, Reading::Apart).await?
        }
    };
    app.cache.ring().await;
    Ok(read)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Together,
    /// Something stands in the way of one callback, and should not stand in the way of others: each has its own tries
    /// and pauses from here.
    Apart,
}

/// Takes callbacks that are not read, and marks each with what became of it.
async fn take_some(app: &App, reading: Reading) -> Result<usize> {
    let tx = app.db.begin().await?;
    let new = inbox::take_new(&tx, TOGETHER as i64).await?;
    let mut became = Vec::with_capacity(new.len());
    for callback in &new {
        let received = callback::read_event(&callback.body);
        let greets = received
            .as_ref()
            .is_some_and(|received| greeting(received).is_some());
        let state = match received {
            _ if greets => {
                read_alone(app, &tx, callback, Lane::Urgent).await?;
                State::Queued
            }
            _ if reading == Reading::Apart => {
                read_alone(app, &tx, callback, Lane::Callback).await?;
                State::Queued
            }
            None => State::Unreadable,
            Some(received) => {
                follow_up(app, &tx, callback.corp_id, &received).await?;
                State::Read
            }
        };
        became.push((callback.corp_id, state, callback.body_hash.as_str()));
    }
    inbox::mark(&tx, &became).await?;
    tx.commit().await?;
    Ok(new.len())
}

async fn read_alone(app: &App, tx: &Tx, callback: &Unread, lane: Lane) -> Result<()> {
    let job = NewJob {
        corp: callback.corp_id,
        kind: ReadEvent::NAME,
        payload: queue::payload(&ReadEvent {
            body_hash: callback.body_hash.clone(),
        }),
        lane,
        run_at: app.now(),
        unique_key: None,
    };
    queue::enqueue(tx, &app.ids, app.now(), job).await?;
    Ok(())
}

impl Job for ReadEvent {
    const NAME: &'static str = ReadEvent::NAME;
    const LANE: Lane = Lane::Callback;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let Some(body) = inbox::body(&app.db, corp, &self.body_hash).await? else {
            return Ok(());
        };
        let received = callback::read_event(&body);
        let tx = app.db.begin().await?;
        let state = match &received {
            Some(received) => {
                follow_up(app, &tx, corp, received).await?;
                State::Read
            }
            None => State::Unreadable,
        };
        inbox::mark(&tx, &[(corp, state, &self.body_hash)]).await?;
        tx.commit().await?;
        app.cache.ring().await;
        match received {
            Some(received) => welcome(app, corp, &received).await,
            None => Ok(()),
        }
    }
}

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A look at one person.
    Look(Fetch),
    /// A look at one group.
    Group(groups::jobs::Fetch),
    Tags,
    Departments,
    /// A member left.
    Leaver(UserId),
    /// A member came or changed, and may be called otherwise now.
    Member {
        userid: UserId,
        new_userid: Option<UserId>,
    },
    Nothing,
}

/// Tells what an event asks for; knows nothing but the event.
pub fn asked_by(received: &Received) -> Asked {
    let at = Timestamp::from_seconds(received.at);
    let look = |external_userid: &ExternalUserId| Fetch {
        external_userid: external_userid.clone(),
        ending: None,
        added_at: None,
        look: 0,
    };
    let ended = |userid: &UserId, external_userid: &ExternalUserId, cause: EndCause| {
        let userid = userid.folded();
        Asked::Look(Fetch {
            ending: Some(Ending { userid, cause, at }),
            ..look(external_userid)
        })
    };
    match &received.event {
        Event::ContactAdded { external_userid, .. } => Asked::Look(Fetch {
            added_at: Some(at),
            ..look(external_userid)
        }),
        Event::ContactHalfAdded { external_userid, .. } | Event::ContactEdited { external_userid, .. } => {
            Asked::Look(look(external_userid))
        }
        Event::ContactRemoved {
            userid,
            external_userid,
            by_transfer: true,
        } => ended(userid, external_userid, EndCause::Transfer),
        Event::ContactRemoved {
            userid,
            external_userid,
            by_transfer: false,
        } => ended(userid, external_userid, EndCause::Associate),
        Event::ContactLost {
            userid,
            external_userid,
        } => ended(userid, external_userid, EndCause::Contact),
        Event::TagsChanged => Asked::Tags,
        Event::DepartmentsChanged => Asked::Departments,
        Event::MemberChanged {
            userid, left: true, ..
        } => Asked::Leaver(userid.clone()),
        Event::MemberChanged {
            userid, new_userid, ..
        } => Asked::Member {
            userid: userid.clone(),
            new_userid: new_userid.clone(),
        },
        Event::GroupCreated { chat_id } => group(chat_id, None),
        Event::GroupChanged { chat_id, change } => group(chat_id, left(change, at)),
        Event::GroupDismissed { chat_id } => group(chat_id, Some(Told::Dismissed { at })),
        Event::TransferFailed { .. } | Event::Other { .. } => Asked::Nothing,
    }
}

fn group(chat_id: &str, told: Option<Told>) -> Asked {
    Asked::Group(groups::jobs::Fetch {
        chat_id: chat_id.to_owned(),
        told,
        look: 0,
    })
}

/// Who left a group; older servers name nobody.
fn left(change: &GroupChange, at: Timestamp) -> Option<Told> {
    match change {
        GroupChange::Left { members, is_removed } if !members.ids.is_empty() => Some(Told::Left {
            ids: members.ids.clone(),
            is_removed: *is_removed,
            at,
        }),
        _ => None,
    }
}

/// Writes what an event asks for.
async fn follow_up(app: &App, tx: &Tx, corp: CorpId, received: &Received) -> Result<()> {
    match asked_by(received) {
        Asked::Look(job) => {
            job::enqueue(tx, &app.ids, app.now(), corp, &job, app.now()).await?;
            Ok(())
        }
        Asked::Group(job) => {
            let run_at = app.now().plus_ms(groups::jobs::FIRST_LOOK_MS);
            job::enqueue(tx, &app.ids, app.now(), corp, &job, run_at).await?;
            Ok(())
        }
        Asked::Tags => reactions::tags_changed(tx, app, corp).await,
        Asked::Departments => reactions::departments_changed(tx, app, corp).await,
        Asked::Leaver(userid) => reactions::member_left(tx, app, corp, &userid).await,
        Asked::Member { userid, new_userid } => {
            if let Some(new) = &new_userid {
                directory::rename_member(tx, corp, &userid, new).await?;
            }
            let now_called = new_userid.unwrap_or(userid);
            reactions::member_changed(tx, app, corp, &now_called).await
        }
        Asked::Nothing => Ok(()),
    }
}

/// What a welcome needs of the event that brought a code for one.
#[derive(Debug, PartialEq, Eq)]
pub struct Greeting<'a> {
    pub userid: &'a UserId,
    pub external_userid: &'a ExternalUserId,
    pub channel: &'a str,
    pub code: &'a str,
    pub at: Timestamp,
}

pub fn greeting(received: &Received) -> Option<Greeting<'_>> {
    let (Event::ContactAdded {
        userid,
        external_userid,
        state,
        welcome_code,
    }
    | Event::ContactHalfAdded {
        userid,
        external_userid,
        state,
        welcome_code,
    }) = &received.event
    else {
        return None;
    };
    Some(Greeting {
        userid,
        external_userid,
        channel: state,
        code: welcome_code.as_deref()?,
        at: Timestamp::from_seconds(received.at),
    })
}

/// Sends the welcome, if the event brought a code for one.
async fn welcome(app: &App, corp: CorpId, received: &Received) -> Result<()> {
    let Some(Greeting {
        userid,
        external_userid,
        channel,
        code,
        at,
    }) = greeting(received)
    else {
        return Ok(());
    };
    match welcomes::welcome(app, corp, userid, external_userid, channel, code, at).await {
        Ok(outcome) => {
            tracing::info!(corp.id = %corp, ?outcome, "welcome");
            Ok(())
        }
        Err(error) => {
            tracing::error!(corp.id = %corp, %error, "a welcome could not be sent");
            Err(error)
        }
    }
}

/// How long the platform may not yet show somebody it told us of.
const LAG_MS: i64 = MINUTE_MS;

/// Fetches one contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    pub external_userid: ExternalUserId,
    /// The end of a pair that an event told of.
    pub ending: Option<Ending>,
    /// When an event said that the person was added.
    pub added_at: Option<Timestamp>,
    /// How many looks went before this one.
    pub look: usize,
}

impl Job for Fetch {
    const NAME: &'static str = "contacts.fetch";
    const LANE: Lane = Lane::Callback;

    /// One waiting look does for all news of a person; each end of a pair must be heard.
    fn key(&self) -> Option<String> {
        let Self {
            external_userid: person,
            look,
            ending,
            ..
        } = self;
        Some(match ending {
            None => format!("{person}|{look}"),
            Some(ending) => format!(
                "{person}|{look}|{}|{}|{}",
                ending.userid,
                ending.cause.as_str(),
                ending.at.0
            ),
        })
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let fetched = contacts::fetch(app, corp, &self.external_userid, self.ending.as_ref()).await?;
        let now = app.now();
        let is_fresh = self.added_at.is_some_and(|added| now.0 - added.0 < LAG_MS);
        if !fetched.is_shown && is_fresh {
            return Err(not_shown_yet());
        }
        let asks = reactions::after_fetch(app, corp, &fetched.mirrored).await?;
        let pause = match LOOKS_AGAIN.get(self.look) {
            // What was asked for is there in a moment.
            Some(_) if asks && self.look == 0 => 2 * SECOND_MS,
            Some(pause) => *pause,
            None => return Ok(()),
        };
        let again = Self {
            external_userid: self.external_userid,
            ending: self.ending.filter(|_| fetched.is_end_early),
            added_at: None,
            look: self.look + 1,
        };
        let tx = app.db.begin().await?;
        job::enqueue(&tx, &app.ids, now, corp, &again, now.plus_ms(pause)).await?;
        tx.commit().await
    }
}

fn not_shown_yet() -> Error {
    Error::Platform(PlatformFault {
        code: Some(84061),
        message: "the platform does not show the new contact yet".into(),
        advice: Advice::Retry {
            after_ms: 2 * SECOND_MS,
        },
    })
}
