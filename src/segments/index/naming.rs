//! Reading what people are called, once there is an index: it takes seconds with millions, and nobody waits for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::names::{self, Names};
use super::store::{self, Called, LOOK, NAMES};
use super::{Held, Index};
use crate::db::Conn;
use crate::error::Result;

/// Takes back that names are being read, however it ends.
struct Open<'a>(&'a Index);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.write().named_again = None;
    }
}

impl Index {
    /// Reads everybody's names, unless they are there or somebody is at it.
    pub(super) async fn read_names(self: &Arc<Self>) -> Result<()> {
        {
            let mut held = self.write();
            if held.facts.names.is_some() || held.named_again.is_some() {
                return Ok(());
            }
            held.named_again = Some(BTreeSet::new());
        }
        let (_open, began) = (Open(self), Instant::now());
        let (mut names, mut after) = (Names::default(), i64::MIN);
        loop {
            let called = store::names_after(&self.db, self.corp, after).await?;
            let last = called.last().map(|(id, _)| *id);
            let is_all = called.len() < NAMES;
            if let Some(last) = last {
                let remarks = store::remarks_between(&self.db, self.corp, after, last).await?;
                names = self
                    .off(move |index| {
                        names.put(index.read().lines(called, remarks));
                        names
                    })
                    .await?;
                after = last;
            }
            if is_all {
                break;
            }
        }
        // Nobody takes changes in between the last look and the keeping.
        let _turn = self.turn.lock().await;
        let again: Vec<i64> = self.write().named_again.take().into_iter().flatten().collect();
        for some in again.chunks(LOOK) {
            let called = called(&self.db, self, some).await?;
            names.put(self.read().lines(called.0, called.1));
        }
        let ms = began.elapsed().as_millis() as u64;
        tracing::info!(corp = %self.corp, bytes = names.bytes(), duration_ms = ms, "names are read");
        self.write().facts.names = Some(names);
        Ok(())
    }
}

/// What these are called, and the remarks about them.
pub(super) async fn called(conn: &impl Conn, index: &Index, contacts: &[i64]) -> Result<(Called, Called)> {
    let names = store::names_of(conn, index.corp, contacts).await?;
    Ok((names, store::remarks_of(conn, index.corp, contacts).await?))
}

impl Held {
    /// The lines of people who have a number.
    pub(super) fn lines(&self, names: Called, remarks: Called) -> BTreeMap<u32, String> {
        let mut of: HashMap<i64, Vec<String>> = HashMap::new();
        for (contact, remark) in remarks {
            of.entry(contact).or_default().push(remark);
        }
        let line = |(contact, name): (i64, String)| {
            let remarks = of.get(&contact).map(Vec::as_slice).unwrap_or_default();
            let number = self.facts.ordinals.find(contact)?;
            Some((number, names::line(&name, remarks.iter().map(String::as_str))))
        };
        names.into_iter().filter_map(line).collect()
    }
}
