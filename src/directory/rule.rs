//! Which store a member belongs to: by name, else by the nearest marked department above them; with nothing marked,
//! by the department they are in.

use std::collections::HashMap;

use super::store::{mirror, rule as store};
use crate::db::Tx;
use crate::error::Result;
use crate::ids::{CorpId, StoreId, UserId};
use crate::wecom::directory::Member;

/// Deeper than any chain of command; a ring ends here too.
const DEEPEST: usize = 32;

/// The rule as it stands.
pub struct Rule {
    marks: HashMap<i64, StoreId>,
    parents: HashMap<i64, i64>,
    members: HashMap<UserId, StoreId>,
}

/// What the rule says of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Store(StoreId),
    /// In none: headquarters, where stores are marked.
    Nowhere,
    /// Not told: the store they had stays theirs.
    Unknown,
}

impl Rule {
    pub async fn read(tx: &Tx, corp: CorpId) -> Result<Self> {
        let marks = store::marks(tx, corp).await?;
        // Who is above whom matters only where something is marked.
        let parents = match marks.is_empty() {
            true => HashMap::new(),
            false => mirror::departments(tx, corp)
                .await?
                .into_values()
                .map(|kept| (kept.id, kept.parent_id))
                .collect(),
        };
        Ok(Self {
            marks,
            parents,
            members: store::members(tx, corp).await?,
        })
    }

    /// Whether stores are marked, so that no department becomes one by itself.
    pub fn is_marked(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Where a member belongs; `None`: no rule is about them, their department decides.
    pub fn place(&self, member: &Member) -> Option<Place> {
        self.place_of(&member.userid.folded(), &departments_of(member))
    }

    /// The same of a folded userid and departments, the main one first.
    pub fn place_of(&self, userid: &UserId, departments: &[i64]) -> Option<Place> {
        if let Some(store) = self.members.get(userid) {
            return Some(Place::Store(*store));
        }
        if !self.is_marked() {
            return None;
        }
        // A leaver's departments are gone.
        let mut place = Place::Unknown;
        for department in departments {
            if let Some(store) = self.above(*department) {
                return Some(Place::Store(store));
            }
            // One newer than our mirror may be below any mark: what comes after it decides nothing.
            if !self.parents.contains_key(department) {
                return Some(Place::Unknown);
            }
            place = Place::Nowhere;
        }
        Some(place)
    }

    /// Whether our mirror knows every department of a member.
    pub fn knows(&self, member: &Member) -> bool {
        let departments = departments_of(member);
        !self.is_marked()
            || departments
                .iter()
                .all(|department| self.parents.contains_key(department))
    }

    /// The store of the nearest mark at or above a department.
    fn above(&self, mut department: i64) -> Option<StoreId> {
        for _ in 0..DEEPEST {
            if let Some(store) = self.marks.get(&department) {
                return Some(*store);
            }
            department = *self.parents.get(&department)?;
        }
        None
    }
}

/// The departments of a member, the main one first.
pub fn departments_of(member: &Member) -> Vec<i64> {
    let main = member.main_department.filter(|department| *department > 0);
    let others = member.department.iter().copied();
    let others = others.filter(|department| Some(*department) != main);
    main.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(userid: &str, main: Option<i64>, departments: &[i64]) -> Member {
        Member {
            userid: UserId(userid.into()),
            name: userid.into(),
            department: departments.to_vec(),
            main_department: main,
            status: 1,
            is_leader_in_dept: Vec::new(),
        }
    }

    #[test]
    fn the_nearest_mark_above_decides_and_a_name_decides_before_it() {
        // 1 总部 > 2 华东 > 21 静安店 (marked) > 211 女装组; 2 > 22 湖滨店 (marked); 1 > 3 财务; a ring 8 > 9 > 8.
        let rule = Rule {
            marks: HashMap::from([(21, StoreId(21)), (22, StoreId(22))]),
            parents: HashMap::from([
                (1, 0),
                (2, 1),
                (21, 2),
                (22, 2),
                (211, 21),
                (3, 1),
                (8, 9),
                (9, 8),
            ]),
            members: HashMap::from([(UserId("guest".into()), StoreId(22))]),
        };
        for (member, expected) in [
            (member("a", Some(21), &[21]), Place::Store(StoreId(21))),
            (member("b", Some(211), &[211]), Place::Store(StoreId(21))),
            (member("c", Some(3), &[3]), Place::Nowhere),
            (member("d", Some(3), &[3, 22]), Place::Store(StoreId(22))),
            (member("e", None, &[]), Place::Unknown),
            (member("f", Some(8), &[8]), Place::Nowhere),
            (member("Guest", Some(21), &[21]), Place::Store(StoreId(22))),
            (member("n", Some(99), &[99]), Place::Unknown),
            (member("o", Some(99), &[99, 21]), Place::Unknown),
            (member("p", Some(3), &[3, 99]), Place::Unknown),
            (member("q", Some(21), &[21, 99]), Place::Store(StoreId(21))),
        ] {
            assert_eq!(rule.place(&member), Some(expected), "{}", member.userid);
        }
        assert!(!rule.knows(&member("n", Some(99), &[99])));
        let unmarked = Rule {
            marks: HashMap::new(),
            ..rule
        };
        assert_eq!(unmarked.place(&member("a", Some(21), &[21])), None);
    }
}
