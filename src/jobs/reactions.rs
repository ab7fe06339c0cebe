//! Who reacts to which news: the one list where a lower domain's outcome leads to a higher domain's verb.

use std::time::Duration;

use crate::app::App;
use crate::auth;
use crate::care;
use crate::contacts::Mirrored;
use crate::contacts::inbox::LOOKS_AGAIN;
use crate::contacts::jobs::{Passed, Recognised, RefreshMember, SyncPeople};
use crate::db::Tx;
use crate::directory;
use crate::error::Result;
use crate::ids::{CorpId, UserId};
use crate::job::{self, Job};
use crate::marking;
use crate::orders;
use crate::queue::Lane;
use crate::scope::Actor;
use crate::tags::jobs::SyncTags;
use crate::timeline::Told;

/// Tags of rule groups never come with the corp's tags, so an unknown one asks for them once in this while.
const TAG_PAUSE: Duration = Duration::from_secs(60);

/// People came, or can now be told by another id: orders they placed before become theirs.
impl Job for Recognised {
    const NAME: &'static str = Recognised::NAME;
    const LANE: Lane = Lane::Normal;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let act = app.act(Actor::Platform);
        for contact in self.contacts {
            let tx = app.db.begin().await?;
            orders::adopt(&tx, &act, corp, contact).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Contacts went to somebody else: what was to be done for them goes along.
impl Job for Passed {
    const NAME: &'static str = Passed::NAME;
    const LANE: Lane = Lane::Normal;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        for contact in self.contacts {
            let tx = app.db.begin().await?;
            care::hand_over(&tx, corp, contact).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Somebody came, opened a link or ordered: rules that wait for it set their tags.
impl Job for Told {
    const NAME: &'static str = Told::NAME;
    const LANE: Lane = Lane::Normal;

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        marking::react(app, corp, &self.entries).await
    }
}

/// A fetch was taken in. `true`: it named things we did not know and now ask for, so it is worth another look.
pub async fn after_fetch(app: &App, corp: CorpId, mirrored: &Mirrored) -> Result<bool> {
    let mut asks = false;
    let tx = app.db.begin().await?;
    let pause = format!("unknown-tags:{corp}");
    if mirrored.has_unknown_tags && app.cache.lock(&pause, TAG_PAUSE).await {
        job::enqueue(&tx, &app.ids, app.now(), corp, &SyncTags::default(), app.now()).await?;
        asks = true;
    }
    for userid in &mirrored.unknown_members {
        member_changed(&tx, app, corp, userid).await?;
        asks = true;
    }
    tx.commit().await?;
    Ok(asks)
}

/// A member came or changed.
pub async fn member_changed(tx: &Tx, app: &App, corp: CorpId, userid: &UserId) -> Result<()> {
    let job = RefreshMember {
        userid: userid.clone(),
    };
    job::enqueue(tx, &app.ids, app.now(), corp, &job, app.now()).await?;
    Ok(())
}

/// A member left: no page answers them from this moment on. The news may be older than their coming back, so they are
/// looked at when reads lag no more.
pub async fn member_left(tx: &Tx, app: &App, corp: CorpId, userid: &UserId) -> Result<()> {
    let act = app.act(Actor::Platform);
    if let Some(associate) = directory::leave(tx, &act, corp, userid).await? {
        auth::end_associate(tx, &act, corp, associate).await?;
        let look = RefreshMember {
            userid: userid.clone(),
        };
        // It must not keep a look that later news asks for from being made at once.
        let run_at = app.now().plus_ms(LOOKS_AGAIN[0]);
        job::enqueue_beside(tx, &app.ids, app.now(), corp, &look, run_at).await?;
    }
    Ok(())
}

/// Departments came, changed or went.
pub async fn departments_changed(tx: &Tx, app: &App, corp: CorpId) -> Result<()> {
    job::enqueue(tx, &app.ids, app.now(), corp, &SyncPeople {}, app.now()).await?;
    Ok(())
}

/// Tags or groups came, changed or went.
pub async fn tags_changed(tx: &Tx, app: &App, corp: CorpId) -> Result<()> {
    job::enqueue(tx, &app.ids, app.now(), corp, &SyncTags::default(), app.now()).await?;
    Ok(())
}
