//! An answer: the leaves it needs are worked out first, here or by the database, then it is a few set operations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bits::Bits;
use super::facts::Facts;
use super::leaf::{Leaf, Leaves};
use super::plan::{self, Found, Plan, Want};
use super::{Index, calendar, leaf, store};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::scope::Scope;
use crate::segments::Rule;
use crate::time::Timestamp;

/// How long an asker waits for the database to say who is in leaves.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often an answer is begun anew when its leaves were let go of in between.
const TRIES: usize = 4;

impl Index {
    /// `None`: a leaf takes too long, or changes too fast.
    pub(super) async fn find(self: &Arc<Self>, scope: Plan, rule: Plan, want: Want) -> Result<Option<Found>> {
        if let Want::Count { .. } = want {
            // Where every leaf is there, it takes less than to have it done elsewhere.
            let held = self.read();
            if let Some(found) = plan::answer(&held.facts, &held.leaves, &scope, &rule, want) {
                return Ok(Some(found));
            }
        }
        self.with(vec![scope, rule], move |facts, leaves, plans| {
            plan::answer(facts, leaves, &plans[0], &plans[1], want)
        })
        .await
    }

    pub(super) async fn find_rule(
        self: &Arc<Self>,
        scope: &Scope,
        rule: &Rule,
        now: Timestamp,
        want: Want,
    ) -> Result<Option<Found>> {
        let rule = plan::of_rule(&self.read().facts, rule, leaf::today(now, self.zone))?;
        self.find(plan::of_scope(scope), rule, want).await
    }

    /// Asks for something that needs the leaves of these plans; it answers `None` when one is not there.
    pub(super) async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        plans: Vec<Plan>,
        answer: impl Fn(&Facts, &Leaves, &[Plan]) -> Option<T> + Send + Sync + 'static,
    ) -> Result<Option<T>> {
        let asked = Arc::new((plans, answer));
        let until = Instant::now() + PATIENCE;
        for tried in 1..=TRIES {
            let mut wanted = Vec::new();
            asked.0.iter().for_each(|plan| plan.leaves(&mut wanted));
            if !self.work_out(self.missing(&wanted), until).await? {
                return Ok(None);
            }
            let asked = asked.clone();
            let found = self
                .off(move |index| {
                    if tried < TRIES {
                        let held = index.read();
                        return (asked.1)(&held.facts, &held.leaves, &asked.0);
                    }
                    // Nobody lets go of a leaf meanwhile.
                    let held = &mut *index.write();
                    held.leaves.unite(&held.facts, &asked.0);
                    (asked.1)(&held.facts, &held.leaves, &asked.0)
                })
                .await?;
            if found.is_some() {
                if self.read().leaves.is_full() {
                    self.write().leaves.thin();
                }
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn missing(&self, wanted: &[&Leaf]) -> Vec<Leaf> {
        let held = self.read();
        let mut missing: Vec<Leaf> = Vec::new();
        for leaf in wanted {
            if held.leaves.bits(leaf).is_none() && !missing.contains(leaf) {
                missing.push((*leaf).clone());
            }
        }
        missing
    }

    /// Works leaves out and keeps them; `false`: one takes too long, or changes too fast.
    async fn work_out(self: &Arc<Self>, leaves: Vec<Leaf>, until: Instant) -> Result<bool> {
        let (asked, united): (Vec<Leaf>, Vec<Leaf>) = leaves.into_iter().partition(Leaf::is_asked);
        // They are kept even if nobody waits for them any more.
        let asking: Vec<_> = asked
            .into_iter()
            .map(|leaf| tokio::spawn(self.clone().ask_database(leaf)))
            .collect();
        if !united.is_empty() {
            self.off(move |index| {
                united.into_iter().for_each(|leaf| index.unite(leaf));
            })
            .await?;
        }
        for asked in asking {
            match tokio::time::timeout_at(until.into(), asked).await {
                Ok(asked) => {
                    if !asked.map_err(Error::internal)?? {
                        return Ok(false);
                    }
                }
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Lets the database say who is in a leaf. Whose facts change while it does is asked again at the end.
    async fn ask_database(self: Arc<Self>, leaf: Leaf) -> Result<bool> {
        let only = {
            let mut asking = self.asking.lock().await;
            asking.retain(|_, only| Arc::strong_count(only) > 1);
            asking.entry(leaf.clone()).or_default().clone()
        };
        let _one = only.lock().await;
        if self.read().leaves.bits(&leaf).is_some() {
            return Ok(true);
        }
        let open = Asking::begin(&self, &leaf);
        let ids = self.found(&leaf).await?;
        let mut bits = self.off(move |index| index.numbers(&ids)).await?;
        // Nobody takes changes in between the end of the asking and the keeping.
        let _turn = self.turn.lock().await;
        let touched = open.end();
        if !touched.is_empty() && leaf.is_of_everybody() {
            return Ok(false);
        }
        let again = self.found_among(&self.db, &leaf, &touched).await?;
        let mut held = self.write();
        bits.remove_all(&held.facts.numbers(&touched));
        bits.add_all(&held.facts.numbers(&again));
        held.leaves.keep(leaf, bits);
        Ok(true)
    }

    /// Works a leaf out and keeps it, unless somebody did. Others read on meanwhile, as long as nothing changes.
    fn unite(&self, leaf: Leaf) {
        for _ in 0..TRIES {
            let (bits, version) = {
                let held = self.read();
                if held.leaves.bits(&leaf).is_some() {
                    return;
                }
                (leaf.work_out(&held.facts), held.version)
            };
            let mut held = self.write();
            if let Some(bits) = bits.filter(|_| held.version == version) {
                held.leaves.keep(leaf, bits);
                return;
            }
        }
        let mut held = self.write();
        if let Some(bits) = leaf.work_out(&held.facts) {
            held.leaves.keep(leaf, bits);
        }
    }

    /// The numbers of many contacts, so that nobody waits for all of it.
    fn numbers(&self, contacts: &[i64]) -> Bits {
        let chunks = contacts.chunks(store::PAGE);
        let numbers: Vec<Bits> = chunks.map(|chunk| self.read().facts.numbers(chunk)).collect();
        Bits::union(&numbers)
    }

    /// Everybody in a leaf, as the database says.
    async fn found(self: &Arc<Self>, leaf: &Leaf) -> Result<Vec<i64>> {
        let (Leaf::Asked(_, today), Some(rule)) = (leaf, leaf.rule()) else {
            return Ok(Vec::new());
        };
        let (index, today) = (self.clone(), calendar::day(*today));
        let said = self.db.aside(move |db| async move {
            let mut ids: Vec<i64> = Vec::new();
            store::found(&db, index.corp, &rule, today, index.zone, |id| ids.push(id)).await?;
            Ok(ids)
        });
        said.await
    }

    /// Whom of these contacts a leaf holds, as the database says.
    pub(super) async fn found_among(
        &self,
        conn: &impl Conn,
        leaf: &Leaf,
        contacts: &[i64],
    ) -> Result<Vec<i64>> {
        let (Leaf::Asked(_, today), Some(rule)) = (leaf, leaf.rule()) else {
            return Ok(Vec::new());
        };
        let (mut found, today) = (Vec::new(), calendar::day(*today));
        for chunk in contacts.chunks(store::LOOK) {
            found.extend(store::found_among(conn, self.corp, &rule, chunk, today, self.zone).await?);
        }
        Ok(found)
    }
}

/// A question to the database about a leaf, open until it is dropped.
struct Asking<'a> {
    index: &'a Index,
    leaf: &'a Leaf,
}

impl<'a> Asking<'a> {
    fn begin(index: &'a Index, leaf: &'a Leaf) -> Self {
        index.write().leaves.begin_to_ask(leaf);
        Self { index, leaf }
    }

    /// Whose facts changed since it began.
    fn end(self) -> Vec<i64> {
        self.index
            .write()
            .leaves
            .end_asking(self.leaf)
            .into_iter()
            .collect()
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.index.write().leaves.end_asking(self.leaf);
    }
}
