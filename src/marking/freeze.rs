//! Beginning: who is to be marked is frozen as it is found now, in the asker's scope.

use serde_json::json;

use super::jobs::GoOn;
use super::store::markings as store;
use super::{Kind, Marking};
use crate::app::App;
use crate::auth::audit;
use crate::contacts::ContactFilter;
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, MarkingId, SegmentId, TagId};
use crate::job;
use crate::scope::{Act, Scope};
use crate::segments::{self, Rule, browse};
use crate::tags;

/// People that go together: the state is looked at between them all the same.
pub(super) const PART: usize = 200;
/// Tags one marking may set or take.
const MAX_TAGS: usize = 20;

/// Who is to be marked.
#[derive(Debug, Clone)]
pub enum Audience {
    Rule(Rule),
    Segment(SegmentId),
    /// As the list of contacts is narrowed.
    Listed(Box<ContactFilter>),
}

impl Audience {
    fn segment(&self) -> Option<SegmentId> {
        match self {
            Self::Segment(id) => Some(*id),
            _ => None,
        }
    }
}

/// What is to become of them.
#[derive(Debug, Clone)]
pub struct Wish {
    pub kind: Kind,
    pub add: Vec<TagId>,
    pub remove: Vec<TagId>,
    /// Only pairs with this tag.
    pub carrying: Option<TagId>,
}

/// Freezes who the audience is and begins to mark them.
///
/// # Errors
/// `Invalid` for no tag or an unknown one, a rule that names what is not there, and an audience of nobody.
pub async fn freeze(
    app: &App,
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    audience: &Audience,
    wish: &Wish,
) -> Result<MarkingId> {
    check(tx, scope, wish).await?;
    let people = people(app, tx, act, scope, audience).await?;
    if people.is_empty() {
        return Err(Error::invalid(
            "",
            said!(
                "refused-mark-nobody-found",
                "nobody in your reach is found by this; there is nobody to mark"
            ),
        ));
    }
    let id = MarkingId::new(act.ids, act.now);
    let new = store::New {
        id,
        wish,
        segment: audience.segment(),
        total: people.len() as i64,
    };
    store::insert(tx, act, scope, &new).await?;
    store::add_parts(tx, scope.corp, id, 0, &people).await?;
    job::enqueue(
        tx,
        act.ids,
        act.now,
        scope.corp,
        &GoOn { marking: id, turn: 0 },
        act.now,
    )
    .await?;
    let detail = json!({ "contacts": people.len(), "kind": wish.kind.as_str() });
    audit::append(
        tx,
        act,
        scope.corp,
        "marking.start",
        &format!("marking:{id}"),
        &detail,
    )
    .await?;
    Ok(id)
}

async fn check(tx: &Tx, scope: &Scope, wish: &Wish) -> Result<()> {
    if wish.add.is_empty() && wish.remove.is_empty() {
        return Err(Error::invalid(
            "/add",
            said!("refused-mark-no-tag", "name a tag to `add` or to `remove`"),
        ));
    }
    for (pointer, tags) in [("/add", &wish.add), ("/remove", &wish.remove)] {
        if tags.len() > MAX_TAGS {
            return Err(Error::invalid(
                pointer,
                said!(
                    "refused-mark-tags",
                    "at most {most} tags fit, not {count}",
                    most = MAX_TAGS,
                    count = tags.len()
                ),
            ));
        }
    }
    tags::check(tx, scope.corp, &wish.add, &wish.remove).await
}

async fn people(
    app: &App,
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    audience: &Audience,
) -> Result<Vec<ContactId>> {
    let zone = directory::find_corp(tx, scope.corp).await?.zone;
    let rule = match audience {
        Audience::Listed(filter) => return browse::of(app, scope, filter, zone).await?.people().await,
        Audience::Rule(rule) => {
            segments::rule::check(tx, scope, rule, "/rule").await?;
            rule.clone()
        }
        Audience::Segment(id) => segments::rule::segment(tx, scope, *id, "/segment_id").await?.rule,
    };
    segments::audience(app, tx, scope, &rule, zone, act.now).await
}

/// Has the index work out what an audience needs, so that others do not wait for the transaction that freezes it.
pub async fn prepare(app: &App, scope: &Scope, audience: &Audience) -> Result<()> {
    let rule = match audience {
        Audience::Listed(_) => return Ok(()),
        Audience::Rule(rule) => rule.clone(),
        Audience::Segment(id) => match segments::find(&app.db, scope, *id).await {
            Ok(segment) => segment.rule,
            // What is wrong with it is said as it is frozen.
            Err(_) => return Ok(()),
        },
    };
    if segments::rule::check(&app.db, scope, &rule, "/rule")
        .await
        .is_err()
    {
        return Ok(());
    }
    let zone = directory::find_corp(&app.db, scope.corp).await?.zone;
    segments::index::prepare(app, scope, &rule, zone, app.now()).await
}

/// The same in a transaction of its own.
pub async fn begin(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    audience: &Audience,
    wish: &Wish,
) -> Result<Marking> {
    prepare(app, scope, audience).await?;
    let tx = app.db.begin().await?;
    let id = freeze(app, &tx, act, scope, audience, wish).await?;
    let marking = store::find(&tx, scope, act.by, id).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(marking)
}
