//! A change of the store rule, and what it does to the people who are here: to be looked at before it is committed.

use std::collections::{HashMap, HashSet};

use super::Corp;
use super::import::{Imported, import_rule};
use super::mark::{Mark, mark_store, mark_todays_stores, unmark_store};
use super::rule::{Place, Rule};
use super::store::{mirror, rule as store};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{CorpId, StoreId};
use crate::scope::Act;
use store::Person;

/// What an administrator may do to the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// Marking begins with the stores of today, so that nobody moves by the first mark.
    Begin,
    Mark(Mark),
    Unmark(i64),
    /// A table's text.
    Import(String),
}

/// People who are to change, by the departments our mirror has them in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// Would be in no store any more.
    pub leaving: i64,
    /// Would be in another.
    pub moving: i64,
}

impl Effect {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What a change did: rows or marks, and to how many people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    pub count: i64,
    pub effect: Effect,
}

/// Changes the rule. Whoever does not want its effect rolls the transaction back.
///
/// # Errors
/// `Invalid` for what is refused, `NotFound` for a mark that is not there.
pub async fn change_rule(tx: &Tx, act: &Act<'_>, corp: &Corp, change: &RuleChange) -> Result<Changed> {
    let before = Homes::read(tx, corp.id).await?;
    let count = match change {
        RuleChange::Begin => mark_todays_stores(tx, corp.id).await? as i64,
        RuleChange::Mark(mark) => mark_store(tx, act, corp, mark).await.map(|()| 1)?,
        RuleChange::Unmark(department) => unmark_store(tx, corp.id, *department).await.map(|()| 1)?,
        RuleChange::Import(text) => match import_rule(tx, act, corp, text).await? {
            Imported::Stores(rows) | Imported::Members(rows) => rows as i64,
        },
    };
    let after = Homes::read(tx, corp.id).await?;
    let mut effect = Effect::default();
    for person in store::people(tx, corp.id).await? {
        let home = after.of(&person);
        // What changes anyhow with the next sync does not come of this.
        if home == before.of(&person) {
            continue;
        }
        match home {
            Home::Same => {}
            Home::None => effect.leaving += i64::from(person.store.is_some()),
            Home::Store(store) => effect.moving += i64::from(person.store != Some(store)),
            Home::New(_) => effect.moving += 1,
        }
    }
    Ok(Changed { count, effect })
}

/// Where the next sync puts somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// Where they are.
    Same,
    None,
    Store(StoreId),
    /// The store that is made of their department.
    New(i64),
}

/// The rule, and what it leaves to the departments.
struct Homes {
    rule: Rule,
    by_department: HashMap<i64, StoreId>,
    departments: HashSet<i64>,
}

impl Homes {
    async fn read(tx: &Tx, corp: CorpId) -> Result<Self> {
        Ok(Self {
            rule: Rule::read(tx, corp).await?,
            by_department: mirror::homes(tx, corp).await?,
            departments: mirror::departments(tx, corp).await?.into_keys().collect(),
        })
    }

    fn of(&self, person: &Person) -> Home {
        match self.rule.place_of(&person.userid, &person.departments) {
            Some(Place::Store(store)) => Home::Store(store),
            Some(Place::Nowhere) => Home::None,
            Some(Place::Unknown) => Home::Same,
            None => person.departments.first().map_or(Home::Same, |home| {
                match (self.by_department.get(home), self.departments.contains(home)) {
                    (Some(store), _) => Home::Store(*store),
                    (None, true) => Home::New(*home),
                    (None, false) => Home::Same,
                }
            }),
        }
    }
}
