//! Departments marked as stores, one or a table of them. What is there is read whole, every mark is worked out in
//! memory, and what came of it is written in a few statements however many there are: callbacks wait for the writer.

use std::collections::HashMap;

use super::Corp;
use super::store::mirror::{self, Kept};
use super::store::rule::{self as store, NewRegion, Shelf};
use super::store::{checked_code, checked_name};
use crate::db::Tx;
use crate::error::{Error, Problem, Result, said};
use crate::ids::{CorpId, RegionId, StoreId};
use crate::scope::Act;

/// A department to mark, and what its store is called; what is absent stays or follows the department.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    pub department: i64,
    pub code: Option<String>,
    pub name: Option<String>,
    pub region: Option<String>,
}

/// Makes a department a store; its members and those of the departments below belong to it from the next sync of
/// people on. Marking it again changes code, name and region. The code of a store whose department is gone, or that
/// never had one, makes the department that store.
///
/// # Errors
/// `Invalid` for an unknown department, a code that cannot be one or is another department's store.
pub async fn mark_store(tx: &Tx, act: &Act<'_>, corp: &Corp, mark: &Mark) -> Result<()> {
    let refused = mark_stores(tx, act, corp, std::slice::from_ref(mark)).await?;
    match refused.into_iter().next() {
        None => Ok(()),
        Some((_, problem)) => Err(problem.into()),
    }
}

/// Marks many, or none: answers which of them are refused, and why.
pub(super) async fn mark_stores(
    tx: &Tx,
    act: &Act<'_>,
    corp: &Corp,
    marks: &[Mark],
) -> Result<Vec<(usize, Problem)>> {
    let mut chain = Chain::read(tx, corp.id).await?;
    let mut refused = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        if let Err(problem) = chain.mark(act, mark) {
            refused.push((index, problem));
        }
    }
    if refused.is_empty() {
        chain.write(tx, act, corp).await?;
    }
    Ok(refused)
}

/// Departments, stores and regions as they are to become.
struct Chain {
    departments: HashMap<i64, Kept>,
    stores: Vec<Shelf>,
    by_code: HashMap<String, usize>,
    by_department: HashMap<i64, usize>,
    region_named: HashMap<String, RegionId>,
    region_of: HashMap<i64, RegionId>,
    new_regions: Vec<NewRegion>,
    /// Stores to write, in the order they changed.
    changed: Vec<usize>,
    marks: Vec<(i64, StoreId)>,
}

impl Chain {
    async fn read(tx: &Tx, corp: CorpId) -> Result<Self> {
        let stores = store::shelves(tx, corp).await?;
        let mut chain = Self {
            departments: mirror::departments(tx, corp).await?,
            by_code: HashMap::with_capacity(stores.len()),
            by_department: HashMap::with_capacity(stores.len()),
            stores,
            region_named: HashMap::new(),
            region_of: HashMap::new(),
            new_regions: Vec::new(),
            changed: Vec::new(),
            marks: Vec::new(),
        };
        for (index, shelf) in chain.stores.iter().enumerate() {
            chain.by_code.insert(shelf.code.clone(), index);
            if let Some(department) = shelf.department_id {
                chain.by_department.insert(department, index);
            }
        }
        for region in store::regions(tx, corp).await? {
            chain.region_named.entry(region.name).or_insert(region.id);
            if let Some(department) = region.department_id {
                chain.region_of.insert(department, region.id);
            }
        }
        Ok(chain)
    }

    fn mark(&mut self, act: &Act<'_>, mark: &Mark) -> Result<(), Problem> {
        let department = mark.department;
        if !self.departments.contains_key(&department) {
            return Err(unknown(department));
        }
        let code = filled(&mark.code).map(checked_code).transpose()?;
        let name = filled(&mark.name).map(checked_name).transpose()?;
        let region = filled(&mark.region).map(checked_name).transpose();
        let region = region.map_err(|problem| Problem::new("/region", problem.message))?;
        let index = self.home(act, department, code.as_deref())?;
        let region = region.map(|name| self.region(act, name));
        if let Some(code) = code {
            self.by_code.remove(&self.stores[index].code);
            self.by_code.insert(code.clone(), index);
            self.stores[index].code = code;
        }
        let shelf = &mut self.stores[index];
        shelf.name = name.unwrap_or_else(|| std::mem::take(&mut shelf.name));
        shelf.region_id = region.unwrap_or(shelf.region_id);
        self.changed.retain(|changed| *changed != index);
        self.changed.push(index);
        self.marks.push((department, self.stores[index].id));
        Ok(())
    }

    /// The store that a department is to be: the one of this code if it is free, the one it is, or a new one.
    fn home(&mut self, act: &Act<'_>, department: i64, code: Option<&str>) -> Result<usize, Problem> {
        let held = self.by_department.get(&department).copied();
        let own_code = format!("D{department}");
        let code = match held {
            Some(_) => code,
            None => code.or(Some(&own_code)),
        };
        let named = code.and_then(|code| Some((code, *self.by_code.get(code)?)));
        match (held, named) {
            (Some(held), None) => Ok(held),
            (Some(held), Some((_, named))) if held == named => Ok(held),
            (_, Some((code, named))) if !self.is_free(named) => Err(taken(code)),
            (held, Some((_, named))) => {
                if let Some(held) = held {
                    self.stores[held].department_id = None;
                    self.changed.push(held);
                }
                self.stores[named].department_id = Some(department);
                self.by_department.insert(department, named);
                Ok(named)
            }
            (None, None) => Ok(self.make(act, department, own_code)),
        }
    }

    /// Whether no department is this store (any more): what happened in it stays, and another may go on with it.
    fn is_free(&self, store: usize) -> bool {
        let department = self.stores[store].department_id;
        department.is_none_or(|department| !self.departments.contains_key(&department))
    }

    fn make(&mut self, act: &Act<'_>, department: i64, code: String) -> usize {
        let kept = self.departments.get(&department);
        let parent = kept.map_or(0, |kept| kept.parent_id);
        // At the top a department is its own region.
        let above = if parent > 0 && self.departments.contains_key(&parent) {
            parent
        } else {
            department
        };
        let named = |id: i64| {
            let kept = self.departments.get(&id).filter(|kept| !kept.name.is_empty());
            kept.map_or_else(|| format!("D{id}"), |kept| kept.name.clone())
        };
        let (name, region_name) = (named(department), named(above));
        let region_id = match self.region_of.get(&above) {
            Some(region) => *region,
            None => self.new_region(act, region_name, Some(above)),
        };
        let index = self.stores.len();
        self.by_code.insert(code.clone(), index);
        self.by_department.insert(department, index);
        self.stores.push(Shelf {
            id: StoreId::new(act.ids, act.now),
            code,
            name,
            region_id,
            department_id: Some(department),
        });
        index
    }

    fn region(&mut self, act: &Act<'_>, name: String) -> RegionId {
        match self.region_named.get(&name) {
            Some(region) => *region,
            None => self.new_region(act, name, None),
        }
    }

    fn new_region(&mut self, act: &Act<'_>, name: String, department: Option<i64>) -> RegionId {
        let id = RegionId::new(act.ids, act.now);
        self.region_named.entry(name.clone()).or_insert(id);
        if let Some(department) = department {
            self.region_of.insert(department, id);
        }
        self.new_regions.push(NewRegion {
            id,
            name,
            department_id: department,
        });
        id
    }

    async fn write(self, tx: &Tx, act: &Act<'_>, corp: &Corp) -> Result<()> {
        store::add_regions(tx, corp.id, self.new_regions).await?;
        let changed: Vec<&Shelf> = self.changed.iter().map(|index| &self.stores[*index]).collect();
        store::write_shelves(tx, corp, &changed, act.now).await?;
        store::mark(tx, corp.id, &self.marks).await
    }
}

fn filled(text: &Option<String>) -> Option<&str> {
    let text = text.as_deref().map(str::trim);
    text.filter(|text| !text.is_empty())
}

fn unknown(department: i64) -> Problem {
    Problem::new(
        "/department",
        said!(
            "refused-department-unknown",
            "there is no department `{department}`",
            department = department.to_string()
        ),
    )
}

fn taken(code: &str) -> Problem {
    Problem::new(
        "/code",
        said!(
            "refused-store-code-taken",
            "store code `{code}` is another department's; choose another",
            code = code
        ),
    )
}

/// Marks the departments that are stores with people now: nobody moves, and from here marks are added and taken back.
pub async fn mark_todays_stores(tx: &Tx, corp: CorpId) -> Result<u64> {
    store::mark_held(tx, corp).await
}

/// Takes a mark back; the store stays, with everything that happened in it. With the last one gone, every department
/// that holds members is a store again.
///
/// # Errors
/// `NotFound` when it is not marked.
pub async fn unmark_store(tx: &Tx, corp: CorpId, department: i64) -> Result<()> {
    if store::unmark(tx, corp, department).await? {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}
