//! Live progress of a campaign as server-sent events: every 2 s while it changes, a heartbeat every 15 s.
//!
//! A stream begins with where the campaign stands, so whoever comes back has missed nothing and needs no event ids. It
//! ends when the campaign is final, the key no longer holds, 10 minutes are over or the program stops.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::Caller;
use super::input::At;
use super::problem::{Result, too_many};
use crate::app::App;
use crate::auth::Permission::CampaignsRead;
use crate::campaigns::{self, CampaignState, Progress};
use crate::ids::{ApiKeyId, CampaignId};

const STEP: Duration = Duration::from_secs(2);
const HEARTBEAT: Duration = Duration::from_secs(15);
const LIFE: Duration = Duration::from_secs(600);
/// Streams a key may hold open on one instance.
const PER_KEY: usize = 3;

/// Who holds streams open.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<ApiKeyId, usize>>>);

/// One open stream, until dropped.
struct Seat {
    key: ApiKeyId,
    streams: Streams,
}

impl Streams {
    fn take(&self, key: ApiKeyId) -> Option<Seat> {
        let mut open = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let held = open.entry(key).or_default();
        (*held < PER_KEY).then(|| {
            *held += 1;
            Seat {
                key,
                streams: self.clone(),
            }
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self
            .streams
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(held) = open.get_mut(&self.key) {
            *held -= 1;
            if *held == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// The data of a `progress` event.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct CampaignProgress {
    campaign_id: CampaignId,
    state: CampaignState,
    #[serde(flatten)]
    #[schema(inline)]
    progress: Progress,
}

/// Live progress: `progress` events whose data is the funnel so far, and an `end` event when it is final.
#[utoipa::path(get, path = "/campaigns/{id}/events", params(("id" = CampaignId, Path)),
    responses((status = 200, body = CampaignProgress, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    me: Caller,
    At(id): At<CampaignId>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    campaigns::find(&app.db, &me.scope, id).await?;
    let seat = streams.take(me.key).ok_or_else(|| too_many(STEP.as_secs()))?;
    let watch = Watch {
        app,
        me,
        id,
        said: None,
        until: Instant::now() + LIFE,
        is_over: false,
        _seat: seat,
    };
    let events = unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// One stream.
struct Watch {
    app: App,
    me: Caller,
    id: CampaignId,
    said: Option<CampaignProgress>,
    until: Instant,
    is_over: bool,
    _seat: Seat,
}

impl Watch {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over || Instant::now() >= self.until {
                return None;
            }
            if self.said.is_some() && !self.pause().await {
                return None;
            }
            let now = self.look().await.ok()?;
            if self.said.as_ref() == Some(&now) {
                if now.state.is_final() {
                    self.is_over = true;
                    return Some(Event::default().event("end").data(now.state.as_str()));
                }
                continue;
            }
            let event = Event::default().event("progress").json_data(&now).ok()?;
            self.said = Some(now);
            return Some(event);
        }
    }

    /// `false`: the program stops.
    async fn pause(&self) -> bool {
        tokio::select! {
            () = sleep(STEP) => true,
            () = self.app.stopping.cancelled() => false,
        }
    }

    /// Where it stands, if the key may still know.
    async fn look(&mut self) -> Result<CampaignProgress> {
        self.me = self.me.again(&self.app).await?;
        if !self.me.may(CampaignsRead) {
            return Err(super::problem::signed_out(true));
        }
        let campaign = campaigns::find(&self.app.db, &self.me.scope, self.id).await?;
        Ok(CampaignProgress {
            campaign_id: self.id,
            state: campaign.state,
            progress: campaigns::progress(&self.app.db, &self.me.scope, self.id).await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_holds_three_streams_at_most() {
        let streams = Streams::default();
        let mut seats: Vec<Seat> = (0..3).filter_map(|_| streams.take(ApiKeyId(1))).collect();
        assert_eq!(seats.len(), 3);
        assert!(streams.take(ApiKeyId(1)).is_none());
        assert!(streams.take(ApiKeyId(2)).is_some());
        seats.pop();
        assert!(streams.take(ApiKeyId(1)).is_some());
    }
}
