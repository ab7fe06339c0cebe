//! Jobs of this domain: the sweeps over people and pairs, and the news that others react to.

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::db::Tx;
use crate::directory;
use crate::error::Result;
use crate::ids::{ContactId, CorpId, UserId};
use crate::job::{self, Job};
use crate::queue::{self, Lane, NewJob};
use crate::scope::Act;

/// News: these people came, or can now be told by another id. Who reacts is written where all domains are at hand.
#[derive(Serialize, Deserialize)]
pub struct Recognised {
    pub contacts: Vec<ContactId>,
}

impl Recognised {
    pub const NAME: &'static str = "contacts.recognised";
}

/// News: these contacts were given to somebody, or are followed by somebody no more.
#[derive(Serialize, Deserialize)]
pub struct Passed {
    pub contacts: Vec<ContactId>,
}

impl Passed {
    pub const NAME: &'static str = "contacts.passed";

    /// Tells it, in the transaction that made it so.
    pub(super) async fn tell(tx: &Tx, act: &Act<'_>, corp: CorpId, contacts: Vec<ContactId>) -> Result<()> {
        if contacts.is_empty() {
            return Ok(());
        }
        let news = NewJob {
            corp,
            kind: Self::NAME,
            payload: queue::payload(&Self { contacts }),
            lane: Lane::Normal,
            run_at: act.now,
            unique_key: None,
        };
        queue::enqueue(tx, act.ids, act.now, news).await?;
        Ok(())
    }
}

/// Departments and members, whole.
#[derive(Serialize, Deserialize)]
pub struct SyncPeople {}

impl Job for SyncPeople {
    const NAME: &'static str = "contacts.sync_people";
    const LANE: Lane = Lane::Sweep;

    fn key(&self) -> Option<String> {
        Some("whole".into())
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        super::sync_people(app, corp).await?;
        Ok(())
    }
}

/// One member, after news of them.
#[derive(Serialize, Deserialize)]
pub struct RefreshMember {
    pub userid: UserId,
}

impl Job for RefreshMember {
    const NAME: &'static str = "contacts.refresh_member";
    const LANE: Lane = Lane::Callback;

    fn key(&self) -> Option<String> {
        Some(self.userid.folded().0)
    }

    async fn run(self, app: &App, corp: CorpId, _attempt: i64) -> Result<()> {
        let is_placed = directory::refresh_member(app, corp, &self.userid).await?;
        super::settle_member(app, corp, &self.userid).await?;
        let now_here = directory::associate_by_userid(&app.db, corp, &self.userid).await?;
        // Placed nowhere: the department is newer than our mirror.
        if !is_placed && now_here.is_some_and(|associate| associate.status != "left") {
            let tx = app.db.begin().await?;
            job::enqueue(&tx, &app.ids, app.now(), corp, &SyncPeople {}, app.now()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
