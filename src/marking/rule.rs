//! Rules that tag by themselves: made, switched on and off, changed and deleted by headquarters.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store::rules as store;
use crate::auth::audit;
use crate::db::Tx;
use crate::error::{Error, Result, said};
use crate::ids::{LinkId, TagId, TagRuleId};
use crate::links;
use crate::scope::{Act, Scope};
use crate::segments::Stage;
use crate::tags;
use crate::time::Timestamp;
use crate::timeline;

/// Longest channel and category, in characters.
const MAX_WORD: usize = 60;
/// Rules a corp may have: each is looked at with every piece of news.
const MAX_RULES: i64 = 200;

/// What has to happen. As JSON: `{"channel":"S1_till"}`, `{"clicked":{"link":"1"}}`, `{"ordered":{"category":"dress"}}`,
/// `{"stage":"dormant"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// A pair begins by this channel: that pair gets the tag.
    Channel(String),
    /// A contact opens a link: each of their pairs does.
    Clicked(OnLink),
    /// A contact orders: each of their pairs does.
    Ordered(OfOrder),
    /// A contact is in this stage, looked at every night.
    Stage(Stage),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnLink {
    /// `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfOrder {
    /// The order holds a line of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Of the whole order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_fen_at_least: Option<i64>,
}

impl When {
    /// The kind of timeline entry that may be it; a stage is nobody's news.
    fn entry_kind(&self) -> Option<&'static str> {
        match self {
            Self::Channel(_) => Some("added"),
            Self::Clicked(_) => Some("clicked"),
            Self::Ordered(_) => Some("ordered"),
            Self::Stage(_) => None,
        }
    }
}

/// When something happens, a tag is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRule {
    pub id: TagRuleId,
    /// Rises with every change.
    pub version: i64,
    pub when: When,
    pub tag_id: TagId,
    pub is_on: bool,
    /// What happened before does not count.
    pub since_at: Timestamp,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// How many tags it has set in the last 30 days.
    pub set_30_days: i64,
}

/// What may change of a rule; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct RuleChange {
    pub when: Option<When>,
    pub tag: Option<TagId>,
    pub is_on: Option<bool>,
}

/// Makes a rule, switched on.
///
/// # Errors
/// `Forbidden` but for headquarters; `Invalid` for a tag or link that is not there, a word too long, an amount below one
/// fen, or too many rules.
pub async fn create_rule(tx: &Tx, act: &Act<'_>, scope: &Scope, when: When, tag: TagId) -> Result<TagRuleId> {
    headquarters(scope)?;
    let when = checked(tx, scope, when).await?;
    tag_is_there(tx, scope, tag).await?;
    if store::count_rules(tx, scope.corp).await? >= MAX_RULES {
        return Err(Error::invalid(
            "",
            said!(
                "refused-rules-many",
                "there are {most} rules already; delete one first",
                most = MAX_RULES
            ),
        ));
    }
    let id = TagRuleId::new(act.ids, act.now);
    store::insert(tx, act, scope.corp, id, &when, tag).await?;
    settled(tx, act, scope, "tag_rule.add", id).await?;
    Ok(id)
}

/// Changes a rule, or switches it on or off. Switched on, or of another condition, it counts what happens from now on.
///
/// # Errors
/// As [`create_rule`]; `Conflict` when somebody else changed it meanwhile.
pub async fn change_rule(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: TagRuleId,
    change: RuleChange,
) -> Result<()> {
    headquarters(scope)?;
    let old = store::find_rule(tx, scope, id, act.now).await?;
    let when = match change.when {
        Some(when) => checked(tx, scope, when).await?,
        None => old.when.clone(),
    };
    if let Some(tag) = change.tag {
        tag_is_there(tx, scope, tag).await?;
    }
    let is_on = change.is_on.unwrap_or(old.is_on);
    let begins_anew = when != old.when || (is_on && !old.is_on);
    let new = TagRule {
        since_at: if begins_anew { act.now } else { old.since_at },
        tag_id: change.tag.unwrap_or(old.tag_id),
        when,
        is_on,
        ..old
    };
    if !store::replace(tx, scope.corp, &new, act.now).await? {
        return Err(Error::conflict(said!(
            "conflict-rule-changed",
            "this rule was changed just now; look again"
        )));
    }
    settled(tx, act, scope, "tag_rule.change", id).await
}

/// Deletes a rule; the tags it has set stay.
pub async fn delete_rule(tx: &Tx, act: &Act<'_>, scope: &Scope, id: TagRuleId) -> Result<()> {
    headquarters(scope)?;
    store::find_rule(tx, scope, id, act.now).await?;
    store::delete(tx, scope.corp, id, act.now).await?;
    settled(tx, act, scope, "tag_rule.delete", id).await
}

/// Whoever appends to the timeline is told what is waited for now.
async fn settled(tx: &Tx, act: &Act<'_>, scope: &Scope, action: &str, id: TagRuleId) -> Result<()> {
    let rules = store::rules_on(tx, scope.corp).await?;
    let mut kinds: Vec<&str> = rules.iter().filter_map(|rule| rule.when.entry_kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    timeline::want(tx, scope.corp, &kinds).await?;
    audit::append(tx, act, scope.corp, action, &format!("tag_rule:{id}"), &json!({})).await
}

fn headquarters(scope: &Scope) -> Result<()> {
    match scope.is_whole() {
        true => Ok(()),
        false => Err(Error::Forbidden("rules are made by headquarters".into())),
    }
}

async fn tag_is_there(tx: &Tx, scope: &Scope, tag: TagId) -> Result<()> {
    match tags::check(tx, scope.corp, &[tag], &[]).await {
        Err(Error::Invalid(problems)) => {
            let message = problems.into_iter().map(|problem| problem.message).next();
            Err(message.map_or(Error::NotFound, |message| Error::invalid("/tag_id", message)))
        }
        checked => checked,
    }
}

async fn checked(tx: &Tx, scope: &Scope, when: When) -> Result<When> {
    match when {
        When::Channel(channel) => Ok(When::Channel(word("/when/channel", &channel)?)),
        When::Clicked(OnLink { link: Some(link) }) => match links::find(tx, scope, link).await {
            Err(Error::NotFound) => Err(Error::invalid(
                "/when/clicked/link",
                said!(
                    "refused-no-link",
                    "there is no link `{id}`",
                    id = link.to_string()
                ),
            )),
            found => found.map(|_| when),
        },
        When::Ordered(ordered) => {
            if ordered.paid_fen_at_least.is_some_and(|fen| fen < 1) {
                return Err(Error::invalid(
                    "/when/ordered/paid_fen_at_least",
                    said!("refused-rule-amount", "an amount is at least one fen"),
                ));
            }
            let category = ordered.category.as_deref();
            let category = category
                .map(|category| word("/when/ordered/category", category))
                .transpose()?;
            Ok(When::Ordered(OfOrder { category, ..ordered }))
        }
        When::Clicked(_) | When::Stage(_) => Ok(when),
    }
}

fn word(pointer: &str, text: &str) -> Result<String> {
    let text = text.trim();
    match text.chars().count() {
        1..=MAX_WORD => Ok(text.to_owned()),
        count => Err(Error::invalid(
            pointer,
            said!(
                "refused-rule-text",
                "it has 1 to {most} characters, not {count}",
                most = MAX_WORD,
                count = count
            ),
        )),
    }
}
