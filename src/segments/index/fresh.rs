//! Catching up: what was committed since the index last looked is read, and those contacts are looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::leaf::Leaf;
use super::named::Named;
use super::naming;
use super::store::{self, Called, LOOK, Pair, Person, Place, Visit};
use super::{Held, Index};
use crate::db::Conn;
use crate::db::changes::{self, Change, Changes, Fact};
use crate::error::Result;

/// Contacts that an asker waits for; more are looked at in the background.
const IN_PASSING: usize = 5_000;
/// More changes than a fifth of all contacts, and than this, and building anew is quicker.
const MANY: usize = 20_000;

/// What came of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everything committed before is in.
    Fresh,
    /// It is being caught up in the background.
    Behind,
    /// It has to be built anew.
    Stale,
}

/// Whose facts of each kind changed.
#[derive(Default)]
struct Touched(BTreeMap<Fact, BTreeSet<i64>>);

impl Touched {
    fn of(&self, fact: Fact) -> Vec<i64> {
        self.0.get(&fact).into_iter().flatten().copied().collect()
    }

    fn count(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}

/// Facts of one kind of some contacts as they are now, to be put in place of what is held.
struct Looked {
    fact: Fact,
    contacts: Vec<i64>,
    people: Option<Vec<Person>>,
    pairs: Option<Vec<Pair>>,
    /// Orders and clicks.
    visits: Option<(Vec<Visit>, Vec<Visit>)>,
    named: Option<Named>,
    /// Names and remarks, where the index holds them.
    called: Option<(Called, Called)>,
    /// Whom the database finds of these contacts in leaves that only it can say.
    leaves: Vec<(Leaf, Vec<i64>)>,
}

impl Index {
    /// Makes sure that everything committed by now is in. Whoever waits while somebody reads changes shares a reading
    /// that began after it came.
    pub(super) async fn freshen(self: &Arc<Self>) -> Result<State> {
        if self.is_behind.load(Ordering::Acquire) {
            return Ok(State::Behind);
        }
        let begun = self.begun.load(Ordering::Acquire);
        let _turn = self.turn.lock().await;
        if self.fresh.load(Ordering::Acquire) > begun {
            return Ok(State::Fresh);
        }
        let reading = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let state = self.read_changes(IN_PASSING).await?;
        match state {
            State::Fresh => self.fresh.store(reading, Ordering::Release),
            State::Behind => {
                self.is_behind.store(true, Ordering::Release);
                let index = self.clone();
                tokio::spawn(async move { index.catch_up().await });
            }
            State::Stale => {}
        }
        Ok(state)
    }

    /// Reads changes until few are left. The database answers meanwhile.
    async fn catch_up(self: Arc<Self>) {
        loop {
            let _turn = self.turn.lock().await;
            match self.read_changes(usize::MAX).await {
                Ok(State::Behind) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(corp = %self.corp, %error, "the audience index could not catch up; it will try again");
                    break;
                }
            }
        }
        self.is_behind.store(false, Ordering::Release);
    }

    /// Takes in what changed, if it is about at most so many contacts. For whoever has the turn.
    pub(super) async fn read_changes(self: &Arc<Self>, most: usize) -> Result<State> {
        let (mark, contacts) = {
            let held = self.read();
            (held.mark, held.facts.ordinals.len() as usize)
        };
        let read = changes::since(&self.db, self.corp, mark).await?;
        let Some(touched) = self.touched(&read, mark) else {
            return Ok(State::Stale);
        };
        if touched.0.is_empty() {
            self.write().pass(&read);
            return Ok(State::Fresh);
        }
        if touched.count() > MANY.max(contacts / 5) {
            return Ok(State::Stale);
        }
        if touched.count() > most {
            return Ok(State::Behind);
        }
        if touched.count() > IN_PASSING {
            // Nobody is answered from it now, so it need not show one moment.
            self.take_in(&self.db, touched, read).await?;
            return Ok(State::Behind);
        }
        let moment = self.db.snapshot().await?;
        let read = changes::since(&moment, self.corp, mark).await?;
        let Some(touched) = self.touched(&read, mark) else {
            return Ok(State::Stale);
        };
        self.take_in(&moment, touched, read).await?;
        Ok(State::Fresh)
    }

    /// Whose facts changed; `None` when nobody can say.
    fn touched(&self, read: &Changes, mark: i64) -> Option<Touched> {
        if read.floor > mark || read.until < mark {
            return None;
        }
        let held = self.read();
        let mut touched = Touched::default();
        for change in &read.list {
            if held.ahead.contains(&change.key()) {
                continue;
            }
            let (fact, contacts) = change.what.as_ref()?;
            touched.0.entry(*fact).or_default().extend(contacts);
        }
        Some(touched)
    }

    async fn take_in(self: &Arc<Self>, conn: &impl Conn, touched: Touched, read: Changes) -> Result<()> {
        // With many nobody is answered meanwhile, and they need not be held all at once.
        let at_once = touched.count() <= IN_PASSING;
        let mut looks = Vec::new();
        for fact in Fact::ALL {
            for chunk in touched.of(fact).chunks(LOOK) {
                let looked = self.look(conn, fact, chunk).await?;
                if at_once {
                    looks.push(looked);
                } else {
                    self.off(move |index| index.write().put(looked)).await?;
                }
            }
        }
        self.off(move |index| {
            let mut held = index.write();
            looks.into_iter().for_each(|looked| held.put(looked));
            held.pass(&read);
            held.unsaved += 1;
        })
        .await
    }

    async fn look(&self, conn: &impl Conn, fact: Fact, contacts: &[i64]) -> Result<Looked> {
        let mut looked = Looked {
            fact,
            contacts: contacts.to_vec(),
            people: None,
            pairs: None,
            visits: None,
            named: None,
            called: None,
            leaves: Vec::new(),
        };
        match fact {
            Fact::Person => looked.people = Some(store::people_of(conn, self.corp, contacts).await?),
            Fact::Follow => looked.pairs = Some(store::pairs_of(conn, self.corp, contacts).await?),
            // What is put in place of one is put in place of both.
            Fact::Order | Fact::Click => {
                let visits = |place| store::visits_of(conn, self.corp, place, contacts, &self.calendar);
                looked.visits = Some((visits(Place::Orders).await?, visits(Place::Clicks).await?));
            }
            Fact::Message => {}
            Fact::Named => looked.named = Some(store::named(conn, self.corp).await?),
        }
        if matches!(fact, Fact::Person | Fact::Follow) && self.read().facts.names.is_some() {
            looked.called = Some(naming::called(conn, self, contacts).await?);
        }
        let to_ask = self.read().leaves.to_ask(fact);
        for leaf in to_ask {
            let found = self.found_among(conn, &leaf, contacts).await?;
            looked.leaves.push((leaf, found));
        }
        Ok(looked)
    }
}

impl Held {
    /// People come before what is said of them: who is new gets a number first.
    fn put(&mut self, looked: Looked) {
        let contacts = &looked.contacts;
        self.version += 1;
        if let Some(again) = &mut self.named_again
            && matches!(looked.fact, Fact::Person | Fact::Follow)
        {
            again.extend(contacts);
        }
        if let Some(people) = &looked.people {
            self.facts.put_people(contacts, people);
        }
        if let Some(pairs) = &looked.pairs {
            self.facts.put_pairs(contacts, pairs);
        }
        if let Some((orders, clicks)) = &looked.visits {
            self.facts.put_visits(contacts, orders, clicks);
        }
        if let Some(named) = looked.named {
            self.facts.named = named;
        }
        if let Some((names, remarks)) = looked.called {
            let lines = self.lines(names, remarks);
            if let Some(names) = &mut self.facts.names {
                names.put(lines);
            }
        }
        let asked = self.facts.numbers(contacts);
        for (leaf, found) in &looked.leaves {
            let found = self.facts.numbers(found);
            self.leaves.correct(leaf, &asked, &found);
        }
        self.leaves.follow(&self.facts, looked.fact, contacts);
    }

    /// Notes that the changes that were read are in.
    fn pass(&mut self, read: &Changes) {
        self.mark = read.until;
        let mark = self.mark;
        let ahead = read.list.iter().filter(|change| change.mark >= mark);
        self.ahead = ahead.map(Change::key).collect();
        self.last = read.last;
    }
}
