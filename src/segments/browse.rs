//! The contact list. Among millions the audience index says who is in it and the database shows the few of a page;
//! where there is no index, and of an associate's own contacts, the database says all.

use std::sync::Arc;

use chrono_tz::Tz;

use super::index::{self, Narrowed};
use crate::app::App;
use crate::contacts::{self, ContactFilter, ContactRow};
use crate::error::Result;
use crate::ids::ContactId;
use crate::page::{Page, PageOf};
use crate::scope::Scope;
use crate::time::{HOUR_MS, Timestamp};

/// Ids of one look.
const LOOK: usize = 5_000;

/// How the people of a page are found: by how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// So few are looked up whole.
    pub few: u64,
    /// Of more than so many who were added on the last days of a page, follows are walked over in order first.
    pub dense: usize,
    /// So are they where so many are likely to hold a page.
    pub near: i64,
    /// No more than so many are walked over, or as many as are likely to hold a page; then those of the days are looked up.
    pub far: i64,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            few: 1_000,
            dense: 1_000,
            near: 5_000,
            far: 40_000,
        }
    }
}

/// The contacts with a live follow in scope that a filter leaves.
pub struct Browsed<'a> {
    app: &'a App,
    scope: &'a Scope,
    filter: ContactFilter,
    zone: Tz,
    ways: Ways,
    narrowed: Option<Arc<Narrowed>>,
}

/// Whom a filter leaves. Days are those of `zone`.
pub async fn of<'a>(app: &'a App, scope: &'a Scope, filter: &ContactFilter, zone: Tz) -> Result<Browsed<'a>> {
    by(app, scope, filter, zone, Ways::default()).await
}

/// The same, found in ways that are said: all of them find the same.
pub async fn by<'a>(
    app: &'a App,
    scope: &'a Scope,
    filter: &ContactFilter,
    zone: Tz,
    ways: Ways,
) -> Result<Browsed<'a>> {
    let filter = ContactFilter {
        today: filter.today.or(Some(app.now().day(zone))),
        ..filter.clone()
    };
    let narrowed = index::narrow(app, scope, &filter, zone).await?;
    Ok(Browsed {
        app,
        scope,
        filter,
        zone,
        ways,
        narrowed: narrowed.map(Arc::new),
    })
}

impl Browsed<'_> {
    pub async fn count(&self) -> Result<i64> {
        let db = &self.app.db;
        let Some(narrowed) = &self.narrowed else {
            return contacts::count(db, self.scope, &self.filter, self.zone).await;
        };
        let counted = narrowed.count(async |unsure| {
            let mut count = 0;
            for some in unsure.chunks(LOOK) {
                count += contacts::count(db, self.scope, &self.these(some.to_vec()), self.zone).await?;
            }
            Ok(count)
        });
        counted.await
    }

    /// Everybody, in the order of their ids.
    pub async fn people(&self) -> Result<Vec<ContactId>> {
        let db = &self.app.db;
        let Some(narrowed) = &self.narrowed else {
            return contacts::everybody(db, self.scope, &self.filter, self.zone).await;
        };
        let mut people = narrowed.sure();
        for some in narrowed.unsure().chunks(LOOK) {
            people.extend(contacts::everybody(db, self.scope, &self.these(some.to_vec()), self.zone).await?);
        }
        people.sort_unstable();
        Ok(people)
    }

    /// Last added first.
    ///
    /// # Errors
    /// `Invalid` when the cursor is of another list.
    pub async fn page(&self, page: &PageOf) -> Result<Page<ContactRow>> {
        match &self.narrowed {
            None => contacts::list(&self.app.db, self.scope, &self.filter, self.zone, page).await,
            Some(narrowed) if narrowed.len() <= self.ways.few => self.shown(page, narrowed.everybody()).await,
            Some(narrowed) => self.by_days(page, narrowed).await,
        }
    }

    /// Of these people the index knows what they ordered and clicked; of which follow the rest is true the database says.
    fn these(&self, people: Vec<ContactId>) -> ContactFilter {
        ContactFilter {
            among: Some(people),
            ordered_from: None,
            ordered_to: None,
            quiet_since: None,
            clicked_from: None,
            ..self.filter.clone()
        }
    }

    /// A page of these people alone.
    async fn shown(&self, page: &PageOf, people: Vec<ContactId>) -> Result<Page<ContactRow>> {
        contacts::list(&self.app.db, self.scope, &self.these(people), self.zone, page).await
    }

    /// Looks up whom the index knows to be added on the last days.
    async fn by_days(&self, page: &PageOf, narrowed: &Arc<Narrowed>) -> Result<Page<ContactRow>> {
        let after = page.after::<(Timestamp, ContactId)>()?;
        // Wherever a store is, its day begins and ends within a day of this instant's.
        let until = after.map(|(at, _)| at.day(Tz::UTC).plus(1));
        let (mut at_least, mut may_walk) = (page.limit() as usize + 1, true);
        loop {
            let added = narrowed.added(until, at_least).await?;
            let are_many = added.people.len() > self.ways.dense;
            // Where no earlier day is left, these are all who can be on the page.
            let are_near = added.down_to.is_some() && steps(page, added.one_in) <= self.ways.near;
            if may_walk && (are_many || are_near) {
                if let Some(page) = self.walked(page, narrowed, added.one_in).await? {
                    return Ok(page);
                }
                may_walk = false;
            }
            let rows = self.shown(page, added.people).await?;
            let reached = match added.down_to {
                // Before this day had begun everywhere, people of the day before it were still added.
                Some(day) => cut(
                    rows,
                    (day.start(Tz::UTC).plus_ms(12 * HOUR_MS), ContactId(i64::MIN)),
                ),
                None => Some(rows),
            };
            if let Some(page) = reached {
                return Ok(page);
            }
            at_least *= 2;
        }
    }

    /// Walks over everybody's follows in order and picks those in it: where there are many of them. `None`: it leads too
    /// far.
    async fn walked(
        &self,
        page: &PageOf,
        narrowed: &Narrowed,
        one_in: f64,
    ) -> Result<Option<Page<ContactRow>>> {
        let mut steps = steps(page, one_in);
        let (mut after, mut people) = (page.after::<(Timestamp, ContactId)>()?, Vec::new());
        let mut left = self.ways.far.max(steps);
        while steps <= left {
            left -= steps;
            let follows = contacts::last_added(&self.app.db, self.scope.corp, after, steps).await?;
            people.extend(narrowed.among(follows.iter().map(|(_, contact)| *contact)));
            people.sort_unstable();
            people.dedup();
            let is_all = (follows.len() as i64) < steps;
            after = follows.last().copied().or(after);
            let rows = self.shown(page, people.clone()).await?;
            let reached = match after {
                Some(last) if !is_all => cut(rows, last),
                _ => Some(rows),
            };
            if reached.is_some() {
                return Ok(reached);
            }
            steps *= 2;
        }
        Ok(None)
    }
}

/// How many follows are likely to hold twice a page, where one in so many is in it.
fn steps(page: &PageOf, one_in: f64) -> i64 {
    (2.0 * (page.limit() + 1) as f64 * one_in.max(1.0)).ceil() as i64
}

/// The page, if whoever is last on it was added no earlier than so: of those before, not all were looked up.
fn cut(rows: Page<ContactRow>, since: (Timestamp, ContactId)) -> Option<Page<ContactRow>> {
    let is_full = rows.next.is_some();
    let is_late = |last: &ContactRow| (last.added_at, last.id) >= since;
    (is_full && rows.items.last().is_some_and(is_late)).then_some(rows)
}
