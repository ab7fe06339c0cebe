//! Every member's customers: a few readers ask the platform, one writer stores what they brought together with where
//! they stand. The platform is the slow side, so readers run ahead of the writer by a few pages.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::mpsc;

use super::model::Step;
use super::patience::{ABOUT_A_CURSOR, ABOUT_A_MEMBER, MAX_RESTARTS, is_one_of};
use super::run::Work;
use super::store::{self, Part, Progress};
use crate::contacts::{Mirrored, Reading, Shown};
use crate::db::{self, Halves, Tx};
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
/// Pages that wait for the writer, and that one transaction takes at most. Rows land all over the indexes: the more of
/// them come together, the fewer times a part of an index is written. More would keep others waiting too long.
const AHEAD: usize = 60;
const TOGETHER: usize = 50;
/// A customer ceiling of 20,000 a member makes 200 full pages; short ones are allowed for.
const MAX_PAGES: u64 = MEMBERS as u64 * 200 * 4;
/// Tries of a page that a callback's write got in the way of.
const MAX_LOOKS: usize = 5;

/// A page that was read.
#[derive(Clone)]
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
    let tx = work.begin().await?;
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
        let mut restarts = 0;
        loop {
            let read_at = self.work.app.now();
            let page = match self.page(&part.members, walk.cursor()).await {
                Ok(page) => page,
                Err(error)
                    if walk.cursor().is_some()
                        && restarts < MAX_RESTARTS
                        && is_one_of(&error, &ABOUT_A_CURSOR) =>
                {
                    restarts += 1;
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

    /// Stores what was told; what the database refuses is looked for, counted, and passed by.
    async fn keep(&mut self, told: &[Told]) -> Result<()> {
        let mut halves = Halves::of(told);
        while let Some(some) = halves.take() {
            let Err(error) = self.keep_together(some, true).await else {
                continue;
            };
            if db::refusal(&error).is_none() {
                return Err(error);
            }
            match halves.divide(some) {
                None => {}
                Some(Told::Page(piece)) => self.keep_apart(piece).await?,
                Some(_) => return Err(error),
            }
        }
        Ok(())
    }

    /// Stores the pairs of a page that the database takes, then that the page was read.
    async fn keep_apart(&mut self, piece: &Piece) -> Result<()> {
        let items: Vec<Told> = piece
            .items
            .iter()
            .map(|item| Told::Page(piece.only(item)))
            .collect();
        let mut halves = Halves::of(&items);
        while let Some(some) = halves.take() {
            let Err(error) = self.keep_together(some, false).await else {
                continue;
            };
            let Some(why) = db::refusal(&error) else {
                return Err(error);
            };
            if let Some(Told::Page(alone)) = halves.divide(some) {
                self.pass_by(alone, &why).await?;
            }
        }
        let read = Piece {
            items: Vec::new(),
            ..piece.clone()
        };
        self.keep_together(&[Told::Page(read)], true).await
    }

    /// Notes a pair that cannot be stored. It was shown all the same: what we hold of it does not end by that.
    async fn pass_by(&mut self, alone: &Piece, why: &str) -> Result<()> {
        let work = self.work;
        let Some(item) = alone.items.first() else {
            return Ok(());
        };
        let customer = &item.contact.external_userid;
        let why = db::not_taken(&format!("customer `{customer}`"), why);
        tracing::warn!(corp.id = %work.corp, contact.external_userid = %customer, error = %why, "a pair was passed by");
        let tx = self.work.begin().await?;
        let shown: Vec<Shown<'_>> = alone.shown().collect();
        self.reading(alone.read_at).note_seen(&tx, &shown).await?;
        let member = &item.follow.userid;
        store::add_failed(&tx, work.corp, work.run, Step::Contacts, member, &why).await?;
        let by = Progress {
            failed: 1,
            ..Progress::default()
        };
        store::advance(&tx, work.corp, work.run, Step::Contacts, by).await?;
        tx.commit().await?;
        self.problem = Some(why);
        Ok(())
    }

    /// One transaction. A callback may change one of the pairs meanwhile: then once more.
    async fn keep_together(&mut self, told: &[Told], moves: bool) -> Result<()> {
        for look in 1.. {
            match self.try_to_keep(told, moves).await {
                Err(error) if look < MAX_LOOKS && is_race(&error) => {}
                kept => return kept,
            }
        }
        Ok(())
    }

    /// `moves`: whether the parts stand after these pages then.
    async fn try_to_keep(&mut self, told: &[Told], moves: bool) -> Result<()> {
        let (work, app) = (self.work, self.work.app);
        let tx = self.work.begin().await?;
        let shown: Vec<Shown<'_>> = told.iter().filter_map(page).flat_map(Piece::shown).collect();
        let reading = self.reading(app.now());
        let mirrored: Mirrored = reading.of_pairs(&tx, &app.act(Actor::Platform), &shown).await?;
        let mut by = Progress {
            seen: shown.len() as i64,
            changed: mirrored.changed as i64,
            ..Progress::default()
        };
        for one in told.iter().filter(|_| moves) {
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
    async fn close(&self, tx: &Tx, piece: &Piece) -> Result<i64> {
        let known = directory::associates_by_userid(tx, self.work.corp, &piece.members).await?;
        let ids: Vec<AssociateId> = known.values().map(|associate| associate.id).collect();
        let act = self.work.app.act(Actor::Platform);
        let closed = self.reading(piece.began_at).close_unshown(tx, &act, &ids).await?;
        Ok(closed as i64)
    }
}

fn page(told: &Told) -> Option<&Piece> {
    match told {
        Told::Page(piece) => Some(piece),
        _ => None,
    }
}

impl Piece {
    fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        self.items.iter().map(|item| Shown {
            contact: &item.contact,
            follow: &item.follow,
            read_at: self.read_at,
        })
    }

    /// The page with one of its pairs.
    fn only(&self, item: &ContactOfMember) -> Self {
        Self {
            part: self.part,
            members: Vec::new(),
            began_at: self.began_at,
            read_at: self.read_at,
            items: vec![item.clone()],
            next: None,
        }
    }
}

fn is_race(error: &Error) -> bool {
    matches!(error, Error::Conflict(_)) || error.is_unique_violation()
}
