//! Mirrors departments and members: stores and regions by the default rule, memberships dated.
//!
//! Where stores are marked, `rule.rs` says who belongs to which. Else a department that directly holds members is a
//! store, its parent the region. What an operator renamed or gave
//! another code keeps that: the mirror follows a name only while it is still the department's.

use std::collections::{BTreeSet, HashMap};

use super::rule::{Place, Rule, departments_of};
use super::store::mirror;
use super::{Associate, Corp, associate_by_userid, associates_by_userid, find_corp, memberships, platform};
use crate::app::App;
use crate::db::{self, Halves, Tx};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, CorpId, StoreId, UserId};
use crate::queue::Lane;
use crate::scope::{Act, Actor};
use crate::time::Timestamp;
use crate::wecom::directory::{Department, Member};

/// Members that one transaction takes in, so a callback never waits long for the writer.
const CHUNK: usize = 500;
/// The platform does not know this userid: the member is gone.
const UNKNOWN_MEMBER: i64 = 60111;

/// A member whom the database does not take, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub userid: UserId,
    pub why: String,
}

/// What a reading of departments and members brought.
#[derive(Debug)]
pub struct PeopleRead {
    pub seen: usize,
    pub refused: Vec<Refused>,
}

/// Pulls departments and members. Safe to run again.
pub async fn sync_directory(app: &App, corp: CorpId) -> Result<PeopleRead> {
    let client = platform(app, corp).await?.in_lane(Lane::Sweep);
    let mut departments = client.departments().await?;
    let mut members: HashMap<UserId, Member> = HashMap::new();
    let mut unread: Vec<i64> = departments.iter().map(|one| one.id).collect();
    // The second time for departments that were made while the first were read.
    for _ in 0..2 {
        for department in &unread {
            for member in client.members(*department).await? {
                members.insert(member.userid.folded(), member);
            }
        }
        let known: BTreeSet<i64> = departments.iter().map(|one| one.id).collect();
        let mut named = members.values().flat_map(|member| &member.department);
        if named.all(|department| known.contains(department)) {
            break;
        }
        departments = client.departments().await?;
        let ids = departments.iter().map(|one| one.id);
        unread = ids.filter(|id| !known.contains(id)).collect();
    }
    let members: Vec<Member> = members.into_values().collect();
    let started = app.now();
    let refused = mirror_directory(app, corp, &departments, &members).await?;
    for userid in unseen(app, corp, started).await? {
        if refused.iter().all(|one| one.userid != userid) {
            refresh_member(app, corp, &userid).await?;
        }
    }
    Ok(PeopleRead {
        seen: members.len(),
        refused,
    })
}

/// Makes our rows equal to a full reading, in several short transactions; answers whom the database does not take.
pub async fn mirror_directory(
    app: &App,
    corp: CorpId,
    departments: &[Department],
    members: &[Member],
) -> Result<Vec<Refused>> {
    let corp = find_corp(&app.db, corp).await?;
    let act = app.act(Actor::Platform);
    let tx = app.db.begin().await?;
    keep_departments(&tx, &act, corp.id, departments).await?;
    let homes = Homes::keep(&tx, &act, &corp, members).await?;
    tx.commit().await?;
    let mut refused = Vec::new();
    for chunk in members.chunks(CHUNK) {
        let mut halves = Halves::of(chunk);
        while let Some(some) = halves.take() {
            let Err(error) = keep_some(app, &act, corp.id, some, &homes).await else {
                continue;
            };
            let Some(why) = db::refusal(&error) else {
                return Err(error);
            };
            if let Some(alone) = halves.divide(some) {
                tracing::warn!(corp.id = %corp.id, member.userid = %alone.userid, error = %why, "a member was passed by");
                refused.push(Refused {
                    userid: alone.userid.folded(),
                    why: db::not_taken(&format!("member `{}`", alone.userid), &why),
                });
            }
        }
    }
    Ok(refused)
}

async fn keep_some(app: &App, act: &Act<'_>, corp: CorpId, members: &[Member], homes: &Homes) -> Result<()> {
    let tx = app.db.begin().await?;
    keep_members(&tx, act, corp, members, homes).await?;
    tx.commit().await
}

/// Associates whom a full reading did not show: gone, or out of the app's sight; each is asked for.
async fn unseen(app: &App, corp: CorpId, started: Timestamp) -> Result<Vec<UserId>> {
    mirror::not_seen_since(&app.db, corp, started).await
}

/// Reads one member anew; `false` when the member has left, or stands in a department we do not know yet.
pub async fn refresh_member(app: &App, corp: CorpId, userid: &UserId) -> Result<bool> {
    let answer = platform(app, corp).await?.member(userid).await;
    let corp = find_corp(&app.db, corp).await?;
    let act = app.act(Actor::Platform);
    let member = match answer {
        Ok(member) => member,
        Err(Error::Platform(fault)) if fault.code == Some(UNKNOWN_MEMBER) => {
            let tx = app.db.begin().await?;
            leave(&tx, &act, corp.id, userid).await?;
            tx.commit().await?;
            return Ok(false);
        }
        // Out of the app's visible range is not gone: only a plain "unknown" is.
        Err(Error::Platform(fault)) if fault.code.is_some() => {
            tracing::warn!(corp.id = %corp.id, code = fault.code, "a member could not be read; kept as it is");
            return Ok(true);
        }
        Err(error) => return Err(error),
    };
    let member = [member];
    let tx = app.db.begin().await?;
    let homes = Homes::keep(&tx, &act, &corp, &member).await?;
    keep_members(&tx, &act, corp.id, &member, &homes).await?;
    tx.commit().await?;
    Ok(member[0].status != LEFT && homes.knows(&member[0]))
}

/// Marks a member as left. `None`: we never knew them, or knew it already.
pub async fn leave(tx: &Tx, act: &Act<'_>, corp: CorpId, userid: &UserId) -> Result<Option<AssociateId>> {
    mirror::mark_left(tx, corp, userid, act.now).await
}

/// A member's userid changed, which the platform allows once.
pub async fn rename_member(tx: &Tx, corp: CorpId, old: &UserId, new: &UserId) -> Result<()> {
    if associate_by_userid(tx, corp, new).await?.is_none() {
        mirror::set_userid(tx, corp, old, new).await?;
    }
    Ok(())
}

const LEFT: i64 = 5;

fn status(member: &Member) -> &'static str {
    match member.status {
        2 => "disabled",
        4 => "not_activated",
        LEFT => "left",
        // Newer apps are not told a status of some members: whoever is listed works here.
        _ => "active",
    }
}

/// The department that decides the store.
fn home(member: &Member) -> Option<i64> {
    departments_of(member).first().copied()
}

async fn keep_departments(tx: &Tx, act: &Act<'_>, corp: CorpId, departments: &[Department]) -> Result<()> {
    let kept = mirror::departments(tx, corp).await?;
    mirror::write_departments(tx, corp, departments, act.now).await?;
    for new in departments {
        if let Some(old) = kept.get(&new.id) {
            follow_department(tx, act, corp, old, new).await?;
        }
    }
    mirror::keep_only(tx, corp, departments).await
}

/// Carries a department's new name and parent over to the store or region made from it.
async fn follow_department(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    old: &mirror::Kept,
    new: &Department,
) -> Result<()> {
    if old.name != new.name && !new.name.is_empty() {
        mirror::follow_name(tx, corp, old, new).await?;
    }
    if old.parent_id != new.parentid {
        let region = mirror::keep_region(tx, act, corp, new.id).await?;
        mirror::follow_parent(tx, corp, old, new, region).await?;
    }
    Ok(())
}

/// Where members belong: by the rule, and where it says nothing by their department.
struct Homes {
    rule: Rule,
    by_department: HashMap<i64, StoreId>,
}

impl Homes {
    /// The stores of the members' departments, made where they are missing; none is made where stores are marked.
    async fn keep(tx: &Tx, act: &Act<'_>, corp: &Corp, members: &[Member]) -> Result<Self> {
        let rule = Rule::read(tx, corp.id).await?;
        let mut by_department = mirror::homes(tx, corp.id).await?;
        let unruled = members.iter().filter(|member| rule.place(member).is_none());
        let wanted: BTreeSet<i64> = unruled.filter_map(home).collect();
        for department in wanted {
            if !by_department.contains_key(&department)
                && let Some(store) = make_store(tx, act, corp, department).await?
            {
                by_department.insert(department, store);
            }
        }
        Ok(Self { rule, by_department })
    }

    fn of(&self, member: &Member) -> Place {
        self.rule.place(member).unwrap_or_else(|| {
            let store = home(member).and_then(|department| self.by_department.get(&department));
            store.map_or(Place::Unknown, |store| Place::Store(*store))
        })
    }

    /// Whether the mirror knows enough to place a member.
    fn knows(&self, member: &Member) -> bool {
        match self.rule.place(member) {
            Some(_) => self.rule.knows(member),
            None => home(member).is_none_or(|department| self.by_department.contains_key(&department)),
        }
    }
}

/// `None`: the department is not mirrored yet.
async fn make_store(tx: &Tx, act: &Act<'_>, corp: &Corp, department: i64) -> Result<Option<StoreId>> {
    let Some(name) = mirror::department_name(tx, corp.id, department).await? else {
        return Ok(None);
    };
    let code = format!("D{department}");
    let name = if name.is_empty() { code.clone() } else { name };
    let region = mirror::keep_region(tx, act, corp.id, department).await?;
    let id = StoreId::new(act.ids, act.now);
    mirror::insert_store(tx, corp, id, &code, &name, region, department, act.now).await
}

async fn keep_members(tx: &Tx, act: &Act<'_>, corp: CorpId, members: &[Member], homes: &Homes) -> Result<()> {
    let userids: Vec<UserId> = members.iter().map(|member| member.userid.folded()).collect();
    let kept = associates_by_userid(tx, corp, &userids).await?;
    let known = mirror::departments_of(tx, corp, kept.values().map(|associate| associate.id)).await?;
    for member in members {
        let place = homes.of(member);
        match kept.get(&member.userid.folded()) {
            None => add_associate(tx, act, corp, member, place).await?,
            Some(old) => {
                change_associate(tx, act, corp, old, member, place).await?;
                let departments = departments_of(member);
                if known.get(&old.id) != Some(&departments) {
                    mirror::set_departments(tx, corp, old.id, &departments).await?;
                }
            }
        }
    }
    mirror::seen(tx, corp, kept.values().map(|associate| associate.id), act.now).await
}

async fn add_associate(tx: &Tx, act: &Act<'_>, corp: CorpId, member: &Member, place: Place) -> Result<()> {
    let store = match place {
        Place::Store(store) => Some(store),
        Place::Nowhere | Place::Unknown => None,
    };
    let id = AssociateId::new(act.ids, act.now);
    let left_at = (member.status == LEFT).then_some(act.now);
    let new = mirror::NewAssociate {
        id,
        userid: member.userid.folded(),
        name: shown_name(member),
        store,
        departments: departments_of(member),
        status: status(member),
        left_at,
    };
    mirror::insert_associate(tx, corp, new, act.now).await?;
    // Since when they work there is not told; what they did before we looked belongs to this store all the same.
    match store {
        Some(store) => mirror::join(tx, corp, id, store, Timestamp(0)).await,
        None => Ok(()),
    }
}

fn shown_name(member: &Member) -> String {
    if member.name.is_empty() {
        member.userid.0.clone()
    } else {
        member.name.clone()
    }
}

async fn change_associate(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    old: &Associate,
    member: &Member,
    place: Place,
) -> Result<()> {
    let store = match place {
        Place::Store(store) => Some(store),
        Place::Nowhere if member.status != LEFT => None,
        // A leaver's departments are gone; the store they left stays theirs.
        Place::Nowhere | Place::Unknown => old.store_id,
    };
    let status = status(member);
    let name = if member.name.is_empty() {
        old.name.clone()
    } else {
        member.name.clone()
    };
    if (status, &name, store) == (old.status.as_str(), &old.name, old.store_id) {
        return Ok(());
    }
    let left_at = (status == "left").then(|| old.left_at.unwrap_or(act.now));
    mirror::change_associate(tx, corp, old.id, name, status, store, left_at).await?;
    match store {
        None => mirror::end_membership(tx, corp, old.id, act.now).await,
        same if same == old.store_id => Ok(()),
        Some(store) => move_to(tx, act, corp, old, store).await,
    }
}

async fn move_to(tx: &Tx, act: &Act<'_>, corp: CorpId, old: &Associate, store: StoreId) -> Result<()> {
    mirror::end_membership(tx, corp, old.id, act.now).await?;
    // Only a first store reaches back: whoever was in one before, and then in none, comes to this one now.
    let is_first = memberships(tx, corp, &[old.id]).await?.is_empty();
    let from = if is_first { Timestamp(0) } else { act.now };
    mirror::join(tx, corp, old.id, store, from).await
}
