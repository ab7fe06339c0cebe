//! Reads callbacks, and fetches what they hint at. An event only says that something changed; the fetch decides.
//! Taken from the event itself is what no fetch can tell: the welcome code, and who ended a pair, when.

use serde::{Deserialize, Serialize};

use super::reactions;
use crate::app::App;
use crate::contacts::inbox::{self, LOOKS_AGAIN, ReadEvent};
use crate::contacts::{self, EndCause, Ending};
use crate::db::Tx;
use crate::directory;
use crate::error::{Advice, Error, PlatformFault, Result};
use crate::groups::{self, Told};
use crate::ids::{CorpId, ExternalUserId};
use crate::job::{self, Job};
use crate::queue::Lane;
use crate::scope::Actor;
use crate::time::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::wecom::callback::{self, Event, GroupChange, Received};
use crate::welcomes;

impl Job for ReadEvent {
    const NAME: &'static str = ReadEvent::NAME;
    /// The inbox itself puts news with a welcome code in [`Lane::Urgent`].
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
                "read"
            }
            None => "unreadable",
        };
        inbox::mark(&tx, corp, &self.body_hash, state).await?;
        tx.commit().await?;
        app.cache.ring().await;
        match received {
            Some(received) => welcome(app, corp, &received).await,
            None => Ok(()),
        }
    }
}

/// Writes the jobs that an event asks for.
async fn follow_up(app: &App, tx: &Tx, corp: CorpId, received: &Received) -> Result<()> {
    let at = Timestamp::from_seconds(received.at);
    let fetch = |external_userid: &ExternalUserId| Fetch {
        external_userid: external_userid.clone(),
        ending: None,
        added_at: None,
        look: 0,
    };
    let job = match &received.event {
        Event::ContactAdded { external_userid, .. } => Fetch {
            added_at: Some(at),
            ..fetch(external_userid)
        },
        Event::ContactHalfAdded { external_userid, .. } | Event::ContactEdited { external_userid, .. } => {
            fetch(external_userid)
        }
        Event::ContactRemoved {
            userid,
            external_userid,
            by_transfer,
        } => {
            let cause = if *by_transfer {
                EndCause::Transfer
            } else {
                EndCause::Associate
            };
            let userid = userid.folded();
            Fetch {
                ending: Some(Ending { userid, cause, at }),
                ..fetch(external_userid)
            }
        }
        Event::ContactLost {
            userid,
            external_userid,
        } => {
            let (userid, cause) = (userid.folded(), EndCause::Contact);
            Fetch {
                ending: Some(Ending { userid, cause, at }),
                ..fetch(external_userid)
            }
        }
        Event::TagsChanged => return reactions::tags_changed(tx, app, corp).await,
        Event::DepartmentsChanged => return reactions::departments_changed(tx, app, corp).await,
        Event::MemberChanged {
            userid, left: true, ..
        } => {
            return reactions::member_left(tx, &app.act(Actor::Platform), corp, userid).await;
        }
        Event::MemberChanged {
            userid, new_userid, ..
        } => {
            if let Some(new) = new_userid {
                directory::rename_member(tx, corp, userid, new).await?;
            }
            let now_called = new_userid.as_ref().unwrap_or(userid);
            return reactions::member_changed(tx, app, corp, now_called).await;
        }
        Event::GroupCreated { chat_id } => return look_at_group(app, tx, corp, chat_id, None).await,
        Event::GroupChanged { chat_id, change } => {
            return look_at_group(app, tx, corp, chat_id, left(change, at)).await;
        }
        Event::GroupDismissed { chat_id } => {
            return look_at_group(app, tx, corp, chat_id, Some(Told::Dismissed { at })).await;
        }
        Event::TransferFailed { .. } | Event::Other { .. } => return Ok(()),
    };
    job::enqueue(tx, &app.ids, app.now(), corp, &job, app.now()).await?;
    Ok(())
}

async fn look_at_group(app: &App, tx: &Tx, corp: CorpId, chat_id: &str, told: Option<Told>) -> Result<()> {
    let look = groups::jobs::Fetch {
        chat_id: chat_id.to_owned(),
        told,
        look: 0,
    };
    let now = app.now();
    let run_at = now.plus_ms(groups::jobs::FIRST_LOOK_MS);
    job::enqueue(tx, &app.ids, now, corp, &look, run_at).await?;
    Ok(())
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

/// Sends the welcome, if the event brought a code for one.
async fn welcome(app: &App, corp: CorpId, received: &Received) -> Result<()> {
    let (Event::ContactAdded {
        userid,
        external_userid,
        state,
        welcome_code: Some(code),
    }
    | Event::ContactHalfAdded {
        userid,
        external_userid,
        state,
        welcome_code: Some(code),
    }) = &received.event
    else {
        return Ok(());
    };
    let at = Timestamp::from_seconds(received.at);
    match welcomes::welcome(app, corp, userid, external_userid, state, code, at).await {
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
#[derive(Serialize, Deserialize)]
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
