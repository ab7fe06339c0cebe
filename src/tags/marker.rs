//! Marks pairs alike: the platform first, then our rows and their history.

use super::store::{self, Row};
use crate::app::App;
use crate::contacts::{self, Cause, NamedTag, Pair};
use crate::db::Conn;
use crate::directory::{self, Corp};
use crate::error::{Error, Problem, Result, said};
use crate::ids::{CorpId, MarkingId, TagId};
use crate::queue::Lane;
use crate::scope::Actor;
use crate::wecom::Client;

/// Looks at a pair that others change too.
const MAX_LOOKS: usize = 5;

/// Sets and takes the same tags, on as many pairs as it is given.
pub struct Marker<'a> {
    app: &'a App,
    by: Actor,
    corp: Corp,
    client: Client,
    add: Vec<Row>,
    remove: Vec<Row>,
    cause: Cause,
}

impl<'a> Marker<'a> {
    /// # Errors
    /// `Invalid` for an unknown tag, or one that is both set and taken.
    pub async fn of(
        app: &'a App,
        by: Actor,
        corp: CorpId,
        add: &[TagId],
        remove: &[TagId],
    ) -> Result<Marker<'a>> {
        let (add, remove) = read(&app.db, corp, add, remove).await?;
        Ok(Marker {
            app,
            by,
            corp: directory::find_corp(&app.db, corp).await?,
            client: directory::platform(app, corp).await?,
            add,
            remove,
            cause: source(by).into(),
        })
    }

    /// How urgent its calls are.
    pub fn in_lane(mut self, lane: Lane) -> Self {
        self.client = self.client.in_lane(lane);
        self
    }

    /// What it does is a part of this marking.
    pub fn as_part_of(mut self, marking: MarkingId) -> Self {
        self.cause.marking = Some(marking);
        self
    }

    /// Whether a pair is not so already.
    pub fn is_needed(&self, pair: &Pair) -> bool {
        let (add, remove) = self.missing(pair);
        !(add.is_empty() && remove.is_empty())
    }

    fn missing(&self, pair: &Pair) -> (Vec<&Row>, Vec<&Row>) {
        let held = pair.tag_ids();
        let add = self.add.iter().filter(|tag| !held.contains(&tag.id)).collect();
        let remove = self.remove.iter().filter(|tag| held.contains(&tag.id)).collect();
        (add, remove)
    }

    /// `false`: the pair is so already, and nobody is called.
    pub async fn mark(&self, pair: &Pair) -> Result<bool> {
        let (add, remove) = self.missing(pair);
        if add.is_empty() && remove.is_empty() {
            return Ok(false);
        }
        let ids = |tags: &[&Row]| -> Vec<String> { tags.iter().map(|tag| tag.platform_id.clone()).collect() };
        let (set, taken) = (ids(&add), ids(&remove));
        let set: Vec<&str> = set.iter().map(String::as_str).collect();
        let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
        self.client
            .mark_tags(&pair.userid, &pair.external_userid, &set, &taken)
            .await?;
        self.record(pair, &named(&add), &named(&remove)).await?;
        Ok(true)
    }

    /// The platform has it; a fetch of the same pair that came between only means to look again.
    async fn record(&self, pair: &Pair, add: &[NamedTag], remove: &[NamedTag]) -> Result<()> {
        let act = self.app.act(self.by);
        let mut tries = 0;
        loop {
            tries += 1;
            let tx = self.app.db.begin().await?;
            match contacts::change_tags(&tx, &act, &self.corp, pair, add, remove, self.cause).await {
                Ok(_) => return tx.commit().await,
                Err(Error::Conflict(_)) if tries < MAX_LOOKS => tx.rollback().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether these tags may be set and taken.
///
/// # Errors
/// As [`Marker::of`].
pub async fn check(conn: &impl Conn, corp: CorpId, add: &[TagId], remove: &[TagId]) -> Result<()> {
    read(conn, corp, add, remove).await.map(drop)
}

async fn read(
    conn: &impl Conn,
    corp: CorpId,
    add: &[TagId],
    remove: &[TagId],
) -> Result<(Vec<Row>, Vec<Row>)> {
    let rows = (
        known(conn, corp, "/add", add).await?,
        known(conn, corp, "/remove", remove).await?,
    );
    match add.iter().position(|tag| remove.contains(tag)) {
        None => Ok(rows),
        Some(both) => {
            let message = said!(
                "refused-tag-both",
                "tag `{tag}` is both set and taken; leave one out",
                tag = add[both].to_string()
            );
            Err(Error::invalid(format!("/add/{both}"), message))
        }
    }
}

/// The tags behind these ids, in their order.
async fn known(conn: &impl Conn, corp: CorpId, pointer: &str, ids: &[TagId]) -> Result<Vec<Row>> {
    let rows = store::rows(conn, corp, ids).await?;
    let mut found = Vec::with_capacity(ids.len());
    let mut problems = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        match rows.iter().find(|row| row.id == *id) {
            Some(row) => found.push(row.clone()),
            None => problems.push(Problem::new(
                format!("{pointer}/{index}"),
                said!("refused-no-tag", "there is no tag `{id}`", id = id.to_string()),
            )),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(Error::Invalid(problems))
    }
}

fn named(tags: &[&Row]) -> Vec<NamedTag> {
    tags.iter()
        .map(|tag| NamedTag {
            id: tag.id,
            name: tag.name.clone(),
        })
        .collect()
}

/// Who changes tags, as the history names it.
pub(super) fn source(by: Actor) -> &'static str {
    match by {
        Actor::Operator(_) => "operator",
        Actor::ApiKey(_) => "api",
        Actor::Platform => "platform",
        Actor::System | Actor::Rule(_) => "rule",
    }
}
