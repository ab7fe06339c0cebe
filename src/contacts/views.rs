//! Views: filters of the contact list that somebody keeps under a name, for themselves or for whoever works where they do.

use super::store::views as store;
use crate::auth::{Operator, Role};
use crate::db::{Conn, Tx};
use crate::error::{Error, Result, said};
use crate::ids::{OperatorId, ViewId};
use crate::scope::Act;

const MAX_NAME: usize = 20;
const MAX_QUERY: usize = 500;
/// Views of one operator: a row of links that is still read.
const MOST: i64 = 20;

/// Who sees a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Own,
    Store,
    Region,
    Corp,
}

impl Sharing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Store => "store",
            Self::Region => "region",
            Self::Corp => "corp",
        }
    }

    /// With whom somebody of this role may share: a manager with the store, a regional manager with the region,
    /// headquarters with everybody.
    pub fn of(role: Role) -> Option<Self> {
        match role {
            Role::Associate => None,
            Role::Manager => Some(Self::Store),
            Role::Regional => Some(Self::Region),
            Role::Marketer | Role::Admin => Some(Self::Corp),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    pub id: ViewId,
    pub name: String,
    /// The query of the list's address.
    pub query: String,
    pub is_shared: bool,
    /// Whether the asker may delete it: it is theirs, or shared where they share.
    pub is_theirs: bool,
}

/// What a view is kept as.
pub struct NewView<'a> {
    pub name: &'a str,
    pub query: &'a str,
    pub is_shared: bool,
}

/// An operator's own views, then those shared with them.
pub async fn views(conn: &impl Conn, me: &Operator) -> Result<Vec<SavedView>> {
    let place = place_of(conn, me).await?;
    let own_place = Sharing::of(me.role).map(|sharing| (sharing, place.of(sharing)));
    let mut views: Vec<SavedView> = store::list(conn, me.corp, me.id, &place)
        .await?
        .into_iter()
        .map(|row| SavedView {
            is_theirs: is_theirs(me.id, own_place, &row),
            is_shared: row.shared != Sharing::Own.as_str(),
            id: row.id,
            name: row.name,
            query: row.query,
        })
        .collect();
    views.sort_by_key(|view| view.is_shared);
    Ok(views)
}

fn is_theirs(me: OperatorId, own_place: Option<(Sharing, i64)>, row: &store::Row) -> bool {
    row.operator_id == me
        || own_place.is_some_and(|(sharing, id)| row.shared == sharing.as_str() && row.place_id == id)
}

/// Where somebody works: 0 for nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub store: i64,
    pub region: i64,
}

impl Place {
    fn of(self, sharing: Sharing) -> i64 {
        match sharing {
            Sharing::Store => self.store,
            Sharing::Region => self.region,
            Sharing::Own | Sharing::Corp => 0,
        }
    }
}

async fn place_of(conn: &impl Conn, me: &Operator) -> Result<Place> {
    Ok(Place {
        store: me.store.map_or(0, |store| store.0),
        region: store::region_of(conn, me.corp, me.id, me.store).await?,
    })
}

/// Keeps a filter under a name.
///
/// # Errors
/// `Invalid` naming what is wrong: the name, that it is taken, that there are too many, or whom it cannot be shared with.
pub async fn save_view(tx: &Tx, act: &Act<'_>, me: &Operator, new: &NewView<'_>) -> Result<ViewId> {
    let name = new.name.trim();
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        return Err(Error::invalid(
            "/name",
            said!(
                "refused-view-name",
                "a view's name has 1 to {most} characters",
                most = MAX_NAME
            ),
        ));
    }
    if new.query.is_empty() || new.query.len() > MAX_QUERY {
        return Err(Error::invalid(
            "/name",
            said!("refused-view-filter", "narrow the list first, by a filter or two"),
        ));
    }
    let place = place_of(tx, me).await?;
    let sharing = match Sharing::of(me.role).filter(|_| new.is_shared) {
        Some(sharing) => sharing,
        None if !new.is_shared => Sharing::Own,
        None => {
            return Err(Error::invalid(
                "/shared",
                said!(
                    "refused-view-shared",
                    "views are shared by managers and headquarters"
                ),
            ));
        }
    };
    if store::count(tx, me.corp, me.id).await? >= MOST {
        return Err(Error::invalid(
            "/name",
            said!(
                "refused-view-many",
                "there are {most} views of yours; delete one first",
                most = MOST
            ),
        ));
    }
    let id = ViewId::new(act.ids, act.now);
    store::insert(tx, act.now, me, id, name, new.query, (sharing, place.of(sharing))).await?;
    Ok(id)
}

/// Deletes a view of one's own, or one shared where the caller shares.
pub async fn delete_view(tx: &Tx, me: &Operator, id: ViewId) -> Result<()> {
    let found = views(tx, me).await?.into_iter().find(|view| view.id == id);
    let view = found.filter(|view| view.is_theirs).ok_or(Error::NotFound)?;
    store::delete(tx, me.corp, view.id).await
}
