//! Every member's customers: a few readers ask the platform, one writer stores what they brought together with where
//! they stand. The platform is the slow side, so readers run ahead of the writer by a few pages.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::mpsc;

use super::model::Step;
use super::patience::{ABOUT_A_CURSOR, ABOUT_A_MEMBER, is_one_of};
use super::run::Work;
use super::store::{self, Part, Progress};
use crate::contacts::{Mirrored, Reading, Shown};
use crate::directory::{self, Corp};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, UserId};
use crate::queue::Lane;
use crate::scope::Actor;
use crate::time::Timestamp;
use crate::wecom::contact::ContactOfMember;
use crate::wecom::{Client, Page, Walk};

/// Members a part holds. More would leave too few parts to read side by side, fewer too many pages half empty.
const MEMBERS: usize = 20;
/// Parts read at once.
const READERS: usize = 6;
/// Pages that wait for the writer, and that one transaction takes.
const AHEAD: usize = 24;
const TOGETHER: usize = 20;
/// A customer ceiling of 20,000 a member makes 200 full pages; short ones are allowed for.
const MAX_PAGES: u64 = MEMBERS as u64 * 200 * 4;
/// Tries of a page that a callback's write got in the way of.
const MAX_LOOKS: usize = 5;

/// A page that was read.
struct Piece {
    part: i64,
    members: Vec<UserId>,
    began_at: Timestamp,
    read_at: Timestamp,
    items: Vec<ContactOfMember>,
    next: Option<String>,
}

/// What a reader tells.
enum Told {
    Page(Piece),
    /// The platform refuses these members together; each must be asked for alone.
    Split(Part),
    /// A member who cannot be read, and why.
    Failed(Part, String),
}

/// Reads what is left; answers why members could not be read, if any.
pub async fn read_all(work: &Work<'_>) -> Result<Option<String>> {
    let client = directory::platform(work.app, work.corp)
        .await?
        .in_lane(Lane::Sweep);
    let corp = directory::find_corp(&work.app.db, work.corp).await?;
    plan(work, &client).await?;
    let mut writer = Writer {
        work,
        corp,
        problem: None,
    };
    loop {
        let parts = store::open_parts(&work.app.db, work.corp, work.run, Step::Contacts).await?;
        if parts.is_empty() {
            return Ok(writer.problem);
        }
        // Parts that were split come with the next round.
        let waiting = Mutex::new(VecDeque::from(parts));
        let (tell, told) = mpsc::channel(AHEAD);
        let readers = (0..READERS).map(|_| Reader {
            work,
            client: &client,
            waiting: &waiting,
            tell: tell.clone(),
        });
        let readers = futures_util::future::try_join_all(readers.map(Reader::read));
        drop(tell);
        tokio::try_join!(readers, writer.write(told))?;
    }
}

async fn plan(work: &Work<'_>, client: &Client) -> Result<()> {
    let (corp, run) = (work.corp, work.run);
    if store::is_planned(&work.app.db, corp, run, Step::Contacts).await? {
        return Ok(());
    }
    let members = client.follow_users().await?;
    let parts: Vec<Vec<UserId>> = members.chunks(MEMBERS).map(<[UserId]>::to_vec).collect();
    let tx = work.app.db.begin().await?;
    store::add_parts(&tx, corp, run, Step::Contacts, &parts).await?;
    store::set_left(&tx, corp, run, Step::Contacts, members.len() as i64).await?;
    tx.commit().await
}

struct Reader<'a> {
    work: &'a Work<'a>,
    client: &'a Client,
    waiting: &'a Mutex<VecDeque<Part>>,
    tell: mpsc::Sender<Told>,
}

impl Reader<'_> {
    async fn read(self) -> Result<()> {
        while let Some(part) = self.next() {
            if let Some(told) = self.part(part).await? {
                self.tell(told).await?;
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<Part> {
        let mut waiting = self
            .waiting
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        waiting.pop_front()
    }

    async fn tell(&self, told: Told) -> Result<()> {
        let sent = self.tell.send(told).await;
        sent.map_err(|_| Error::internal("the writer of this sync stopped"))
    }

    /// Reads a part to its end; answers what is to be told of it as a whole.
    async fn part(&self, part: Part) -> Result<Option<Told>> {
        let mut walk = Walk::from(part.cursor.clone()).at_most(MAX_PAGES);
        let mut began_at = part.began_at.unwrap_or_else(|| self.work.app.now());
        loop {
            let read_at = self.work.app.now();
            let page = match self.page(&part.members, walk.cursor()).await {
                Ok(page) => page,
                Err(error) if walk.cursor().is_some() && is_one_of(&error, &ABOUT_A_CURSOR) => {
                    walk = Walk::new().at_most(MAX_PAGES);
                    began_at = self.work.app.now();
                    continue;
                }
                Err(error) if is_one_of(&error, &ABOUT_A_MEMBER) => {
                    return Ok(Some(match part.members.len() {
                        0 | 1 => Told::Failed(part, error.to_string()),
                        _ => Told::Split(part),
                    }));
                }
                Err(error) => return Err(error),
            };
            let goes_on = walk.go_on(page.next)?;
            self.tell(Told::Page(Piece {
                part: part.part,
                members: part.members.clone(),
                began_at,
                read_at,
                items: page.items,
                next: walk.cursor().map(str::to_owned),
            }))
            .await?;
            if !goes_on {
                return Ok(None);
            }
        }
    }

    async fn page(&self, members: &[UserId], cursor: Option<&str>) -> Result<Page<ContactOfMember>> {
        self.work
            .patiently(|| self.client.contacts_of(members, cursor))
            .await
    }
}

struct Writer<'a> {
    work: &'a Work<'a>,
    corp: Corp,
    problem: Option<String>,
}

impl Writer<'_> {
    async fn write(&mut self, mut told: mpsc::Receiver<Told>) -> Result<()> {
        let mut some = Vec::with_capacity(TOGETHER);
        while told.recv_many(&mut some, TOGETHER).await > 0 {
            self.keep(&some).await?;
            some.clear();
        }
        Ok(())
    }

    /// Stores what was told, in one transaction. A callback may change one of the pairs meanwhile: then once more.
    async fn keep(&mut self, told: &[Told]) -> Result<()> {
        for look in 1.. {
            match self.try_to_keep(told).await {
                Err(error) if look < MAX_LOOKS && is_race(&error) => {}
                kept => return kept,
            }
        }
        Ok(())
    }

    async fn try_to_keep(&mut self, told: &[Told]) -> Result<()> {
        let (work, app) = (self.work, self.work.app);
        let tx = app.db.begin().await?;
        if !store::hold(&tx, work.corp, work.run, work.epoch, store::LEASE_MS).await? {
            work.over.cancel();
            return Err(Error::internal("the sync was let go of"));
        }
        let mut by = Progress::default();
        let shown: Vec<Shown<'_>> = told.iter().flat_map(shown).collect();
        let reading = self.reading(app.now());
        let mirrored: Mirrored = reading.of_pairs(&tx, &app.act(Actor::Platform), &shown).await?;
        by.seen = shown.len() as i64;
        by.changed = mirrored.changed as i64;
        for one in told {
            match one {
                Told::Page(piece) => {
                    let next = piece.next.as_deref();
                    store::move_part(&tx, work.corp, work.run, piece.part, piece.began_at, next).await?;
                    if next.is_none() {
                        by.done += piece.members.len() as i64;
                        by.closed += self.close(&tx, piece).await?;
                    }
                }
                Told::Split(part) => {
                    let singles: Vec<_> = part.members.iter().map(|member| vec![member.clone()]).collect();
                    store::add_parts(&tx, work.corp, work.run, Step::Contacts, &singles).await?;
                    store::drop_part(&tx, work.corp, work.run, part.part).await?;
                }
                Told::Failed(part, why) => {
                    by.done += part.members.len() as i64;
                    by.failed += part.members.len() as i64;
                    store::fail_part(&tx, work.corp, work.run, part.part, why).await?;
                    self.problem = Some(why.clone());
                }
            }
        }
        store::advance(&tx, work.corp, work.run, Step::Contacts, by).await?;
        tx.commit().await
    }

    fn reading(&self, read_at: Timestamp) -> Reading<'_> {
        Reading {
            corp: &self.corp,
            sealer: &self.work.app.sealer,
            read_at,
        }
    }

    /// Only members who were read to the end say that a pair is gone.
    async fn close(&self, tx: &crate::db::Tx, piece: &Piece) -> Result<i64> {
        let known = directory::associates_by_userid(tx, self.work.corp, &piece.members).await?;
        let ids: Vec<AssociateId> = known.values().map(|associate| associate.id).collect();
        let closed = self.reading(piece.began_at).close_unshown(tx, &ids).await?;
        Ok(closed as i64)
    }
}

fn shown(told: &Told) -> impl Iterator<Item = Shown<'_>> {
    let piece = match told {
        Told::Page(piece) => Some(piece),
        _ => None,
    };
    piece.into_iter().flat_map(|piece| {
        piece.items.iter().map(|item| Shown {
            contact: &item.contact,
            follow: &item.follow,
            read_at: piece.read_at,
        })
    })
}

fn is_race(error: &Error) -> bool {
    matches!(error, Error::Conflict(_)) || error.is_unique_violation()
}
