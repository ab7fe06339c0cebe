//! Statements on rules that tag by themselves. They are headquarters'.

use std::collections::HashMap;

use sea_orm::FromQueryResult;

use crate::args;
use crate::contacts;
use crate::db::{self, Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::{CorpId, TagId, TagRuleId};
use crate::marking::{TagRule, When};
use crate::scope::{Act, Actor, Scope};
use crate::time::{DAY_MS, Timestamp};

/// The days that are told of a rule.
const COUNTED_MS: i64 = 30 * DAY_MS;

#[derive(FromQueryResult)]
struct Row {
    id: TagRuleId,
    version: i64,
    condition: String,
    tag_id: TagId,
    is_on: bool,
    since_at: Timestamp,
    created_by: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<Row> for TagRule {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            version: row.version,
            when: serde_json::from_str(&row.condition)?,
            tag_id: row.tag_id,
            is_on: row.is_on,
            since_at: row.since_at,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            set_30_days: 0,
        })
    }
}

const RULE: &str =
    "select id, version, condition, tag_id, is_on, since_at, created_by, created_at, updated_at
   from tag_rule where corp_id = $1";

/// Every rule, the last made first, with how many tags each has set in the 30 days before `now`.
pub async fn list_rules(conn: &impl Conn, scope: &Scope, now: Timestamp) -> Result<Vec<TagRule>> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let sql = format!("{RULE} and deleted_at is null order by id desc");
    let rows: Vec<Row> = db::all(conn, &sql, args![scope.corp]).await?;
    let rules = rows.into_iter().map(TagRule::try_from).collect::<Result<_>>()?;
    counted(conn, scope, rules, now).await
}

pub async fn find_rule(conn: &impl Conn, scope: &Scope, id: TagRuleId, now: Timestamp) -> Result<TagRule> {
    if !scope.is_whole() {
        return Err(Error::NotFound);
    }
    let sql = format!("{RULE} and id = $2 and deleted_at is null");
    let row: Row = db::find(conn, &sql, args![scope.corp, id]).await?;
    let rules = counted(conn, scope, vec![row.try_into()?], now).await?;
    rules.into_iter().next().ok_or(Error::NotFound)
}

async fn counted(
    conn: &impl Conn,
    scope: &Scope,
    mut rules: Vec<TagRule>,
    now: Timestamp,
) -> Result<Vec<TagRule>> {
    let actors: Vec<Actor> = rules.iter().map(|rule| Actor::Rule(rule.id)).collect();
    let set = contacts::set_by_rules(conn, scope, &actors, now.plus_ms(-COUNTED_MS)).await?;
    for rule in &mut rules {
        rule.set_30_days = set.get(&Actor::Rule(rule.id).to_string()).copied().unwrap_or(0);
    }
    Ok(rules)
}

/// Conditions of rules that the history names, deleted ones too.
pub async fn told_rules(
    conn: &impl Conn,
    scope: &Scope,
    ids: impl IntoIterator<Item = TagRuleId>,
) -> Result<HashMap<TagRuleId, When>> {
    let sql = format!(
        "select id, condition from tag_rule where corp_id = $1 and {}",
        conn.backend().in_ids("id", "$2")
    );
    let ids = db::id_list(ids.into_iter().map(|id| id.0));
    let rows = db::rows(conn, &sql, args![scope.corp, ids]).await?;
    rows.iter()
        .map(|row| {
            let condition: String = db::column(row, 1)?;
            Ok((db::column(row, 0)?, serde_json::from_str(&condition)?))
        })
        .collect()
}

/// Those that are switched on.
pub async fn rules_on(conn: &impl Conn, corp: CorpId) -> Result<Vec<TagRule>> {
    let sql = format!("{RULE} and deleted_at is null and is_on order by id");
    let rows: Vec<Row> = db::all(conn, &sql, args![corp]).await?;
    rows.into_iter().map(TagRule::try_from).collect()
}

pub async fn count_rules(conn: &impl Conn, corp: CorpId) -> Result<i64> {
    let sql = "select count(*) from tag_rule where corp_id = $1 and deleted_at is null";
    db::count(conn, sql, args![corp]).await
}

pub async fn insert(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: TagRuleId,
    when: &When,
    tag: TagId,
) -> Result<()> {
    let sql = "insert into tag_rule (corp_id, id, version, condition, tag_id, is_on, since_at, created_by, created_at,
                 updated_at)
               values ($1, $2, 1, $3, $4, true, $5, $6, $5, $5)";
    let when = serde_json::to_string(when)?;
    db::run(tx, sql, args![corp, id, when, tag, act.now, act.by.to_string()]).await?;
    Ok(())
}

/// Writes a change of a rule that was read in this version; `false`: somebody else changed it.
pub async fn replace(tx: &Tx, corp: CorpId, rule: &TagRule, now: Timestamp) -> Result<bool> {
    let sql =
        "update tag_rule set version = version + 1, condition = $4, tag_id = $5, is_on = $6, since_at = $7,
                 updated_at = $8
               where corp_id = $1 and id = $2 and version = $3 and deleted_at is null";
    let args = args![
        corp,
        rule.id,
        rule.version,
        serde_json::to_string(&rule.when)?,
        rule.tag_id,
        rule.is_on,
        rule.since_at,
        now
    ];
    Ok(db::run(tx, sql, args).await? == 1)
}

pub async fn delete(tx: &Tx, corp: CorpId, id: TagRuleId, now: Timestamp) -> Result<()> {
    let sql = "update tag_rule set deleted_at = $3 where corp_id = $1 and id = $2 and deleted_at is null";
    db::run(tx, sql, args![corp, id, now]).await?;
    Ok(())
}

/// Whether a marking that a rule began has not ended.
pub async fn is_marking(conn: &impl Conn, corp: CorpId, rule: Actor) -> Result<bool> {
    let sql = "select count(*) from marking where corp_id = $1 and created_by = $2 and state in ('running', 'paused')";
    Ok(db::count(conn, sql, args![corp, rule.to_string()]).await? > 0)
}
