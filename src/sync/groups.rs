//! Every customer group: first the lists, page after page, then each group that is listed or that we hold as live and
//! nobody has looked at since the step began. A list's omission ends nothing by itself: the group is asked for.
//!
//! Where the lists stand is stored with what they brought, and whether a group has been looked at is in its own row,
//! so a run that was broken off goes on with what is left.

use futures_util::StreamExt as _;

use super::model::Step;
use super::patience::{ABOUT_A_CURSOR, ABOUT_A_MEMBER, MAX_RESTARTS, is_one_of};
use super::run::Work;
use super::store::{self, Part, Progress};
use crate::db::{self, Halves};
use crate::directory;
use crate::error::Result;
use crate::groups::{self, Reading};
use crate::ids::{GroupId, UserId};
use crate::queue::Lane;
use crate::scope::Actor;
use crate::time::Timestamp;
use crate::wecom::group::{Group, ListedGroup};
use crate::wecom::{Client, Page, Walk};

/// Owners one list may name.
const OWNERS: usize = 100;
/// Visible members up to which a list may name none.
const FEW: usize = 1_000;
/// Full pages of a list hold 1,000 groups; short ones are allowed for.
const MAX_PAGES: u64 = 10_000;
/// Groups asked for at once, and those that one transaction takes: 500 people each at most.
const AT_ONCE: usize = 6;
const TOGETHER: i64 = 40;
/// The list must name owners.
const TOO_MANY: i64 = 81017;

/// Reads what is left; answers why something could not be read, if anything.
pub async fn read_all(work: &Work<'_>) -> Result<Option<String>> {
    let client = directory::platform(work.app, work.corp)
        .await?
        .in_lane(Lane::Sweep);
    let began_at = store::step_began(&work.app.db, work.corp, work.run, Step::Groups).await?;
    let mut reader = Reader {
        work,
        client,
        began_at,
        problem: None,
    };
    reader.list().await?;
    reader.look_at_each().await?;
    Ok(reader.problem)
}

/// The app may not read groups: those that we hold as live stay as they are, and the list counts as one at least.
pub async fn leave_unread(work: &Work<'_>) -> Result<()> {
    let (db, corp) = (&work.app.db, work.corp);
    let began_at = store::step_began(db, corp, work.run, Step::Groups).await?;
    let by = Progress {
        failed: groups::unread_count(db, corp, began_at).await?.max(1),
        ..Progress::default()
    };
    let tx = db.begin().await?;
    store::advance(&tx, corp, work.run, Step::Groups, by).await?;
    tx.commit().await
}

struct Reader<'a> {
    work: &'a Work<'a>,
    client: Client,
    began_at: Timestamp,
    problem: Option<String>,
}

/// One group asked for.
struct Look {
    chat_id: String,
    read_at: Timestamp,
    shown: Result<Option<Group>>,
}

/// One that was answered; without a group the platform shows none.
struct Seen {
    chat_id: String,
    read_at: Timestamp,
    group: Option<Group>,
}

impl Reader<'_> {
    async fn list(&mut self) -> Result<()> {
        let work = self.work;
        if !store::is_planned(&work.app.db, work.corp, work.run, Step::Groups).await? {
            let present = directory::present_userids(&work.app.db, work.corp).await?;
            let owners = if present.len() > FEW {
                self.owners().await?
            } else {
                vec![Vec::new()]
            };
            let tx = self.work.begin().await?;
            store::add_parts(&tx, work.corp, work.run, Step::Groups, &owners).await?;
            tx.commit().await?;
        }
        loop {
            let parts = store::open_parts(&work.app.db, work.corp, work.run, Step::Groups).await?;
            if parts.is_empty() {
                return Ok(());
            }
            // Parts that were divided come with the next round.
            for part in parts {
                self.part(part).await?;
            }
        }
    }

    /// Everybody who may own a group, those who left too, as lists may name them.
    async fn owners(&self) -> Result<Vec<Vec<UserId>>> {
        let everybody = directory::every_userid(&self.work.app.db, self.work.corp).await?;
        Ok(everybody.chunks(OWNERS).map(<[UserId]>::to_vec).collect())
    }

    async fn part(&mut self, part: Part) -> Result<()> {
        let mut walk = Walk::from(part.cursor.clone()).at_most(MAX_PAGES);
        let mut restarts = 0;
        loop {
            let asked = || self.client.groups(&part.members, walk.cursor());
            let page = match self.work.patiently(asked).await {
                Ok(page) => page,
                Err(error)
                    if walk.cursor().is_some()
                        && restarts < MAX_RESTARTS
                        && is_one_of(&error, &ABOUT_A_CURSOR) =>
                {
                    restarts += 1;
                    walk = Walk::new().at_most(MAX_PAGES);
                    continue;
                }
                Err(error) if part.members.is_empty() && is_one_of(&error, &[TOO_MANY]) => {
                    let owners = self.owners().await?;
                    return self.divide(&part, &owners).await;
                }
                Err(error) if !part.members.is_empty() && is_one_of(&error, &ABOUT_A_MEMBER) => {
                    if part.members.len() == 1 {
                        return self.give_up(&part, error.to_string()).await;
                    }
                    let singles: Vec<_> = part.members.iter().map(|owner| vec![owner.clone()]).collect();
                    return self.divide(&part, &singles).await;
                }
                Err(error) => return Err(error),
            };
            let Page { items, next } = page;
            let goes_on = walk.go_on(next)?;
            self.keep_page(&part, &items, walk.cursor()).await?;
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn divide(&self, part: &Part, into: &[Vec<UserId>]) -> Result<()> {
        let (corp, run) = (self.work.corp, self.work.run);
        let tx = self.work.begin().await?;
        store::add_parts(&tx, corp, run, Step::Groups, into).await?;
        store::drop_part(&tx, corp, run, part.part).await?;
        tx.commit().await
    }

    async fn give_up(&mut self, part: &Part, why: String) -> Result<()> {
        let (corp, run) = (self.work.corp, self.work.run);
        let tx = self.work.begin().await?;
        store::fail_part(&tx, corp, run, part.part, &why).await?;
        let by = Progress {
            failed: 1,
            ..Progress::default()
        };
        store::advance(&tx, corp, run, Step::Groups, by).await?;
        tx.commit().await?;
        self.problem = Some(why);
        Ok(())
    }

    /// Notes that the groups of a page are there; one that the database refuses is counted and passed by.
    async fn keep_page(&mut self, part: &Part, items: &[ListedGroup], cursor: Option<&str>) -> Result<()> {
        let mut halves = Halves::of(items);
        while let Some(some) = halves.take() {
            if let Err(error) = self.keep_listed(some).await
                && let Some((alone, why)) = halves.divide_by(some, error)?
            {
                self.pass_by(&alone.chat_id, &why).await?;
            }
        }
        let (corp, run) = (self.work.corp, self.work.run);
        let tx = self.work.begin().await?;
        store::move_part(&tx, corp, run, part.part, self.began_at, cursor).await?;
        tx.commit().await
    }

    async fn keep_listed(&self, items: &[ListedGroup]) -> Result<()> {
        let act = self.work.app.act(Actor::Platform);
        let tx = self.work.begin().await?;
        groups::listed(&tx, &act, self.work.corp, items, self.began_at).await?;
        tx.commit().await
    }

    async fn pass_by(&mut self, chat_id: &str, why: &str) -> Result<()> {
        let why = db::not_taken(&format!("group `{chat_id}`"), why);
        tracing::warn!(corp.id = %self.work.corp, error = %why, "a group was passed by");
        self.fail(1, why, Some(chat_id)).await
    }

    async fn look_at_each(&mut self) -> Result<()> {
        let (work, db) = (self.work, &self.work.app.db);
        let left = groups::unread_count(db, work.corp, self.began_at).await?;
        let tx = self.work.begin().await?;
        store::set_left(&tx, work.corp, work.run, Step::Groups, left).await?;
        tx.commit().await?;
        let mut after = GroupId(0);
        loop {
            let some = groups::unread(db, work.corp, self.began_at, after, TOGETHER).await?;
            let Some((last, _)) = some.last() else {
                return Ok(());
            };
            after = *last;
            // Made before the stream: a closure over the reader would keep the whole future from moving between threads.
            let each: Vec<_> = some.into_iter().map(|(_, chat_id)| self.look(chat_id)).collect();
            let looks: Vec<Look> = futures_util::stream::iter(each)
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            self.keep(looks).await?;
        }
    }

    async fn look(&self, chat_id: String) -> Look {
        let read_at = self.work.app.now();
        let shown = self.work.patiently(|| groups::ask(&self.client, &chat_id)).await;
        Look {
            read_at,
            shown,
            chat_id,
        }
    }

    /// Stores what the looks showed; a group that the database refuses is counted and passed by.
    async fn keep(&mut self, looks: Vec<Look>) -> Result<()> {
        let (mut shown, mut unread) = (Vec::new(), Vec::new());
        for look in looks {
            match look.shown {
                Ok(group) => shown.push(Seen {
                    chat_id: look.chat_id,
                    read_at: look.read_at,
                    group,
                }),
                Err(error) if is_one_of(&error, &ABOUT_A_MEMBER) => unread.push(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(error) = unread.last() {
            self.fail(unread.len() as i64, error.to_string(), None).await?;
        }
        let mut halves = Halves::of(&shown);
        while let Some(some) = halves.take() {
            if let Err(error) = self.keep_together(some).await
                && let Some((alone, why)) = halves.divide_by(some, error)?
            {
                self.pass_by(&alone.chat_id, &why).await?;
            }
        }
        Ok(())
    }

    /// Counts groups that could not be read, or (named) one that could not be stored.
    async fn fail(&mut self, count: i64, why: String, named: Option<&str>) -> Result<()> {
        let (corp, run) = (self.work.corp, self.work.run);
        let tx = self.work.begin().await?;
        if let Some(chat_id) = named {
            let name = UserId(chat_id.to_owned());
            store::add_failed(&tx, corp, run, Step::Groups, &name, &why).await?;
        }
        let by = Progress {
            done: count,
            failed: count,
            ..Progress::default()
        };
        store::advance(&tx, corp, run, Step::Groups, by).await?;
        tx.commit().await?;
        self.problem = Some(why);
        Ok(())
    }

    async fn keep_together(&self, looks: &[Seen]) -> Result<()> {
        let (work, act) = (self.work, self.work.app.act(Actor::Platform));
        let mut by = Progress::default();
        let tx = self.work.begin().await?;
        for look in looks {
            let reading = Reading {
                corp: work.corp,
                read_at: look.read_at,
            };
            let looked = reading
                .of_group(&tx, &act, &look.chat_id, look.group.as_ref(), None)
                .await?;
            by.done += 1;
            by.seen += i64::from(look.group.is_some());
            by.changed += i64::from(looked.is_changed);
            by.closed += i64::from(looked.is_closed);
        }
        store::advance(&tx, work.corp, work.run, Step::Groups, by).await?;
        tx.commit().await
    }
}
