//! A change of the store rule, and what it does to the people who are here: to be looked at before it is committed.

use super::Corp;
use super::import::{Imported, import_rule};
use super::mark::{Mark, mark_store, mark_todays_stores, unmark_store};
use super::rule::Rule;
use super::store::rule as store;
use crate::db::Tx;
use crate::error::Result;
use crate::scope::Act;

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

/// People who are to change. Only what our mirror tells: it knows the department of a member by their store.
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
    let held = store::held(tx, corp.id).await?;
    let count = match change {
        RuleChange::Begin => mark_todays_stores(tx, corp.id).await? as i64,
        RuleChange::Mark(mark) => mark_store(tx, act, corp, mark).await.map(|()| 1)?,
        RuleChange::Unmark(department) => unmark_store(tx, corp.id, *department).await.map(|()| 1)?,
        RuleChange::Import(text) => match import_rule(tx, act, corp, text).await? {
            Imported::Stores(rows) => rows as i64,
            Imported::Members(rows) => {
                let effect = Effect {
                    leaving: 0,
                    moving: store::to_move(tx, corp.id).await?,
                };
                let count = rows as i64;
                return Ok(Changed { count, effect });
            }
        },
    };
    let rule = Rule::read(tx, corp.id).await?;
    let mut effect = Effect::default();
    // With nothing marked a department decides about its own members, as it did.
    for one in held.iter().filter(|_| rule.is_marked()) {
        match rule.above(one.department_id) {
            None => effect.leaving += one.people,
            Some(store) if store != one.store_id => effect.moving += one.people,
            Some(_) => {}
        }
    }
    Ok(Changed { count, effect })
}
