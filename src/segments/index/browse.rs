//! Whom a contact list shows: its filter as set operations, and from the newest on as many as a page may need.

use std::sync::Arc;

use chrono_tz::Tz;
use tokio::sync::OnceCell;

use super::bits::Bits;
use super::calendar::{day, number};
use super::facts::Facts;
use super::kept::Kept;
use super::leaf::{Leaf, Leaves, OneFollow};
use super::names;
use super::plan::Plan;
use super::sets::Set;
use super::{Index, fresh};
use crate::app::App;
use crate::contacts::ContactFilter;
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::{Reach, Scope};
use crate::time::Day;

/// Whom a filter leaves in scope.
pub(in crate::segments) struct Narrowed {
    index: Arc<Index>,
    look: Arc<Look>,
}

/// What a page asks for several times: itself, its count, and its views with each of them.
pub(super) type Looks = Kept<Asking, Arc<Look>, 16>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asking {
    /// The first of everybody, then what one of several follows has to say.
    plans: Vec<Plan>,
    part: Option<String>,
    /// Something is asked of the follow that the part may be in the remark of.
    is_of_follow: bool,
}

pub(super) struct Look {
    /// Everybody who may be in it.
    bits: Bits,
    /// Of these, the ones followed by several and called so by a remark, when something else is asked of the same follow:
    /// the database knows which of them are in it.
    unsure: Bits,
    /// How many of these it says are.
    counted: OnceCell<i64>,
}

/// People added on these days and the days after them.
pub(in crate::segments) struct Added {
    pub people: Vec<ContactId>,
    /// Of how many who were added then there is one in it.
    pub one_in: f64,
    /// The earliest of the days; `None`: there are no earlier ones.
    pub down_to: Option<Day>,
}

/// Whom a filter leaves; `None`: ask the database.
pub(in crate::segments) async fn narrow(
    app: &App,
    scope: &Scope,
    filter: &ContactFilter,
    zone: Tz,
) -> Result<Option<Narrowed>> {
    let is_by_database = matches!(scope.reach, Reach::Own(_));
    if is_by_database || filter.external_userid.is_some() || filter.among.is_some() {
        return Ok(None);
    }
    let part = match filter.part().map(names::wanted) {
        Some(None) => return Ok(None),
        part => part.flatten(),
    };
    let Some(index) = fresh(app, scope.corp, zone).await? else {
        return Ok(None);
    };
    if part.is_some() && index.read().facts.names.is_none() {
        return Ok(None);
    }
    let one = of_follow(scope, filter);
    let parts = one.parts();
    let (is_of_follow, are_together) = (!parts.is_empty(), parts.len() > 1);
    let people = Plan::All(parts.into_iter().chain(of_person(filter)).collect());
    let mut plans = vec![people];
    plans.extend(are_together.then_some(Plan::Leaf(Leaf::OneFollow(one))));
    let asking = Asking {
        plans,
        part,
        is_of_follow,
    };
    let look = index.shown(&asking).await?;
    Ok(look.map(|look| Narrowed { index, look }))
}

impl Index {
    /// Whom plans leave.
    async fn shown(self: &Arc<Self>, asking: &Asking) -> Result<Option<Arc<Look>>> {
        let version = self.read().version;
        if let Some(look) = self.looks.get(asking, version) {
            return Ok(Some(look));
        }
        let (part, is_of_follow) = (asking.part.clone(), asking.is_of_follow);
        let look = move |facts: &Facts, leaves: &Leaves, plans: &[Plan]| {
            let several = facts.associates.several.who();
            let mut sets = vec![plans[0].set(facts, leaves)?];
            let called = match &part {
                Some(part) => Some(facts.names.as_ref()?.find(part)),
                None => None,
            };
            if let Some((found, _)) = &called {
                sets.push(Set::Bits(found));
            }
            if let Some(one) = plans.get(1) {
                // Of people whom several follow, only those of whom one of them says all of it.
                let others = vec![Set::Bits(several), Set::Not(Box::new(one.set(facts, leaves)?))];
                sets.push(Set::Not(Box::new(Set::All(others))));
            }
            let bits = Set::All(sets).of(&facts.live);
            let unsure = match &called {
                Some((_, by_remark)) if is_of_follow => {
                    Set::All(vec![Set::Bits(by_remark), Set::Bits(several)]).of(&bits)
                }
                _ => Bits::new(),
            };
            Some(Arc::new(Look {
                bits,
                unsure,
                counted: OnceCell::new(),
            }))
        };
        let found = self.with(asking.plans.clone(), look).await?;
        if let Some(look) = &found
            && self.read().version == version
        {
            self.looks.put(asking.clone(), version, look.clone());
        }
        Ok(found)
    }
}

/// What a list asks of a follow.
fn of_follow(scope: &Scope, filter: &ContactFilter) -> OneFollow {
    let day = |day: Option<Day>, else_: i32| day.map_or(else_, number);
    let is_by_day = filter.added_from.is_some() || filter.added_to.is_some();
    OneFollow {
        within: match &scope.reach {
            Reach::Stores(stores) => Some(stores.iter().map(|store| store.0).collect()),
            _ => None,
        },
        store: filter.store.map(|store| store.0),
        associate: filter.associate.map(|associate| associate.0),
        tag: filter.tag.map(|tag| tag.0),
        added: is_by_day.then(|| (day(filter.added_from, i32::MIN), day(filter.added_to, i32::MAX))),
    }
}

/// What it asks of a person, whoever follows them.
fn of_person(filter: &ContactFilter) -> Vec<Plan> {
    let mut parts = Vec::new();
    let from = |day: Option<Day>| day.map_or(i32::MIN, number);
    let since = |first| Plan::Leaf(Leaf::Ordered(first, i32::MAX));
    let not = |plan| Plan::Not(Box::new(plan));
    if filter.ordered_from.is_some() || filter.ordered_to.is_some() {
        parts.push(since(from(filter.ordered_from)));
    }
    if let Some(last) = filter.ordered_to {
        parts.push(not(since(number(last) + 1)));
    }
    if let Some(first) = filter.quiet_since {
        parts.push(not(since(number(first))));
    }
    if let Some(first) = filter.clicked_from {
        parts.push(Plan::Leaf(Leaf::Clicked(number(first), i32::MAX)));
    }
    parts
}

impl Narrowed {
    pub fn len(&self) -> u64 {
        self.look.bits.len()
    }

    /// How many there are, where the database counts whom only it knows.
    pub async fn count(&self, unsure: impl AsyncFnOnce(Vec<ContactId>) -> Result<i64>) -> Result<i64> {
        let look = &self.look;
        let counted = look
            .counted
            .get_or_try_init(async || unsure(self.unsure()).await)
            .await?;
        Ok((look.bits.len() - look.unsure.len()) as i64 + counted)
    }

    pub fn everybody(&self) -> Vec<ContactId> {
        self.people(&self.look.bits)
    }

    /// Those who are in it for certain.
    pub fn sure(&self) -> Vec<ContactId> {
        let mut sure = self.look.bits.clone();
        sure.remove_all(&self.look.unsure);
        self.people(&sure)
    }

    /// Those of whom only the database knows.
    pub fn unsure(&self) -> Vec<ContactId> {
        self.people(&self.look.unsure)
    }

    fn people(&self, bits: &Bits) -> Vec<ContactId> {
        let held = self.index.read();
        let ids = held.facts.ordinals.ids(bits);
        ids.into_iter().map(ContactId).collect()
    }

    /// Those of these people who are in it.
    pub fn among(&self, people: impl IntoIterator<Item = ContactId>) -> Vec<ContactId> {
        let held = self.index.read();
        let is_in = |person: &ContactId| {
            let number = held.facts.ordinals.find(person.0);
            number.is_some_and(|number| self.look.bits.contains(number))
        };
        people.into_iter().filter(is_in).collect()
    }

    /// The last added on this day or before it: whole days, until so many are later than the last of these days and
    /// earlier than this one and the one before: of these three some may not belong to the page.
    pub async fn added(self: &Arc<Self>, until: Option<Day>, at_least: usize) -> Result<Added> {
        let narrowed = self.clone();
        self.index
            .off(move |index| {
                let held = index.read();
                let until = until.map_or(i32::MAX, number);
                let (mut found, mut of, mut down_to) = (Vec::new(), 0, None);
                let mut at_first = 0;
                for (earliest, bits) in held.facts.added.range(..=until).rev() {
                    let later = found.len() - at_first;
                    found.extend(bits.common(&narrowed.look.bits));
                    of += bits.len();
                    if later >= at_least {
                        down_to = Some(day(*earliest));
                        break;
                    }
                    if *earliest >= until.saturating_sub(1) {
                        at_first = found.len();
                    }
                }
                // Of several follows each has its day.
                found.sort_unstable();
                found.dedup();
                let ids = found.iter().map(|number| held.facts.ordinals.id(*number));
                Added {
                    people: ids.map(ContactId).collect(),
                    one_in: of as f64 / found.len().max(1) as f64,
                    down_to,
                }
            })
            .await
    }
}
