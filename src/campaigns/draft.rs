//! A draft: written, changed, removed. What it says is checked here, whom it finds when it is scheduled.

use chrono::NaiveDateTime;

use super::store;
use super::{Audience, Campaign, CampaignChange, CampaignState, NewCampaign};
use crate::auth::audit;
use crate::db::{Conn, Tx};
use crate::directory::Corp;
use crate::error::{Error, Problem, Result, Said, said};
use crate::ids::{CampaignId, SegmentId};
use crate::links::content::Content;
use crate::scope::{Act, Scope};
use crate::segments::{self, Rule};
use crate::time::zone;

const MAX_NAME: usize = 60;
const DEFAULT_LATE_AFTER_MINUTES: i64 = 30;
const MAX_LATE_AFTER_MINUTES: i64 = 1_440;
const MAX_HOLDOUT_PERCENT: i64 = 50;
const MAX_PRIORITY: i64 = 100;

pub async fn create(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    corp: &Corp,
    new: NewCampaign,
) -> Result<CampaignId> {
    headquarters(scope)?;
    let (segment_id, rule, audience_problems) = audience(tx, scope, new.audience).await?;
    let draft = Draft {
        name: new.name.trim().to_owned(),
        segment_id,
        rule,
        content: new.content,
        send_at: new.send_at,
        zone: new.zone.unwrap_or_else(|| corp.zone.name().to_owned()),
        deadline: new.deadline,
        late_after_minutes: new.late_after_minutes.unwrap_or(DEFAULT_LATE_AFTER_MINUTES),
        holdout_percent: new.holdout_percent.unwrap_or(0),
        priority: new.priority.unwrap_or(0),
    };
    refuse_if(draft.problems(corp), audience_problems)?;
    let id = CampaignId::new(act.ids, act.now);
    store::insert_draft(tx, act, scope, id, &draft).await?;
    note(tx, act, scope, "campaign.create", id, serde_json::json!({})).await?;
    Ok(id)
}

/// An approval was for what the draft said before, so it goes.
///
/// # Errors
/// `Conflict` unless it is a draft.
pub async fn change(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    corp: &Corp,
    id: CampaignId,
    change: CampaignChange,
) -> Result<()> {
    headquarters(scope)?;
    let old = store::find(tx, scope, id).await?;
    editable(&old)?;
    let (segment_id, rule, audience_problems) = match change.audience {
        Some(new) => audience(tx, scope, new).await?,
        None => (old.segment_id, old.rule, Vec::new()),
    };
    let draft = Draft {
        name: change.name.map_or(old.name, |name| name.trim().to_owned()),
        segment_id,
        rule,
        content: change.content.unwrap_or(old.content),
        send_at: change.send_at.unwrap_or(old.send_at),
        zone: change.zone.unwrap_or(old.zone),
        deadline: change.deadline.unwrap_or(old.deadline),
        late_after_minutes: change.late_after_minutes.unwrap_or(old.late_after_minutes),
        holdout_percent: change.holdout_percent.unwrap_or(old.holdout_percent),
        priority: change.priority.unwrap_or(old.priority),
    };
    refuse_if(draft.problems(corp), audience_problems)?;
    if !store::change_draft(tx, act, scope, id, old.version, &draft).await? {
        return Err(Error::conflict(said!(
            "conflict-campaign-changed",
            "campaign `{id}` was changed just now; look again",
            id = id.to_string()
        )));
    }
    let detail = serde_json::json!({ "version": old.version + 1 });
    note(tx, act, scope, "campaign.change", id, detail).await
}

/// Removes a draft.
pub async fn delete(tx: &Tx, act: &Act<'_>, scope: &Scope, id: CampaignId) -> Result<()> {
    headquarters(scope)?;
    editable(&store::find(tx, scope, id).await?)?;
    if !store::delete_draft(tx, scope, id).await? {
        return Err(Error::conflict(said!(
            "conflict-campaign-not-draft",
            "campaign `{id}` is not a draft any more",
            id = id.to_string()
        )));
    }
    note(tx, act, scope, "campaign.delete", id, serde_json::json!({})).await
}

/// Campaigns are headquarters': who sees a store may look and remind, not change.
pub(super) fn headquarters(scope: &Scope) -> Result<()> {
    if scope.is_whole() {
        return Ok(());
    }
    Err(Error::Forbidden("campaigns are run by headquarters".into()))
}

pub(super) async fn note(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    action: &str,
    id: CampaignId,
    detail: serde_json::Value,
) -> Result<()> {
    audit::append(tx, act, scope.corp, action, &format!("campaign:{id}"), &detail).await
}

fn editable(campaign: &Campaign) -> Result<()> {
    if campaign.state.can_edit() {
        return Ok(());
    }
    Err(Error::conflict(match campaign.state {
        CampaignState::Scheduled => said!(
            "conflict-campaign-scheduled",
            "campaign `{name}` is scheduled; call it off first",
            name = &campaign.name
        ),
        state => said!(
            "conflict-campaign-over",
            "campaign `{name}` is {state}; copy it to send again",
            name = &campaign.name,
            state = state.as_str()
        ),
    }))
}

/// The rule to find people by, and the segment it was taken from.
async fn audience(
    conn: &impl Conn,
    scope: &Scope,
    audience: Audience,
) -> Result<(Option<SegmentId>, Rule, Vec<Problem>)> {
    match rule_of(conn, scope, &audience).await {
        Ok(rule) => Ok((segment_id(&audience), rule, Vec::new())),
        // Told together with what else is wrong.
        Err(Error::Invalid(problems)) => Ok((None, Rule::All(Vec::new()), problems)),
        Err(other) => Err(other),
    }
}

fn segment_id(audience: &Audience) -> Option<SegmentId> {
    match audience {
        Audience::Segment(id) => Some(*id),
        Audience::Rule(_) => None,
    }
}

/// The rule of an audience, checked: what a saved rule names may be gone since, and `not` of nothing is everybody.
pub(super) async fn rule_of(conn: &impl Conn, scope: &Scope, audience: &Audience) -> Result<Rule> {
    Ok(asked(conn, scope, audience).await?.0)
}

/// The same with the version of the segment it was read from.
pub(super) async fn asked(
    conn: &impl Conn,
    scope: &Scope,
    audience: &Audience,
) -> Result<(Rule, Option<i64>)> {
    match audience {
        Audience::Segment(id) => {
            let segment = segments::rule::segment(conn, scope, *id, "/audience/segment_id").await?;
            Ok((segment.rule, Some(segment.version)))
        }
        Audience::Rule(rule) => {
            segments::rule::check(conn, scope, rule, "/audience/rule").await?;
            Ok((rule.clone(), None))
        }
    }
}

fn refuse_if(mut problems: Vec<Problem>, more: Vec<Problem>) -> Result<()> {
    problems.extend(more);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Invalid(problems))
}

/// A campaign as its writer left it.
pub(super) struct Draft {
    pub name: String,
    pub segment_id: Option<SegmentId>,
    pub rule: Rule,
    pub content: Content,
    pub send_at: Option<String>,
    pub zone: String,
    pub deadline: Option<String>,
    pub late_after_minutes: i64,
    pub holdout_percent: i64,
    pub priority: i64,
}

impl Draft {
    fn problems(&self, corp: &Corp) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut refuse = |at: &str, message: Said| found.push(Problem::new(at, message));
        let length = self.name.chars().count();
        if length == 0 || length > MAX_NAME {
            refuse(
                "/name",
                said!(
                    "refused-name-length",
                    "a name has 1 to {most} characters, this one {length}",
                    most = MAX_NAME,
                    length = length
                ),
            );
        }
        if zone(&self.zone).is_none() {
            refuse(
                "/zone",
                said!(
                    "refused-zone",
                    "`{zone}` is not a zone such as `Asia/Shanghai`",
                    zone = &self.zone
                ),
            );
        }
        let start = self.send_at.as_deref().map(wall_clock);
        let end = self.deadline.as_deref().map(wall_clock);
        for (at, text, time) in [
            ("/send_at", &self.send_at, &start),
            ("/deadline", &self.deadline, &end),
        ] {
            if let (Some(text), Some(None)) = (text, time) {
                refuse(at, not_a_time(text));
            }
        }
        if let (Some(Some(start)), Some(Some(end))) = (start, end)
            && end <= start
        {
            refuse(
                "/deadline",
                said!("refused-deadline", "the deadline is not after the start"),
            );
        }
        for (at, value, least, most) in [
            (
                "/late_after_minutes",
                self.late_after_minutes,
                1,
                MAX_LATE_AFTER_MINUTES,
            ),
            ("/holdout_percent", self.holdout_percent, 0, MAX_HOLDOUT_PERCENT),
            ("/priority", self.priority, 0, MAX_PRIORITY),
        ] {
            if !(least..=most).contains(&value) {
                refuse(
                    at,
                    said!(
                        "refused-not-between",
                        "`{value}` is not between {least} and {most}",
                        value = value,
                        least = least,
                        most = most
                    ),
                );
            }
        }
        found.extend(self.content.problems("/content"));
        found.extend(self.content.target_problems(&corp.link_hosts, "/content"));
        found
    }
}

/// What is told to whoever writes a time that [`wall_clock`] does not read.
pub fn not_a_time(text: &str) -> Said {
    said!(
        "refused-time",
        "`{text}` is not a time; write `2026-12-01T10:00`",
        text = text
    )
}

/// Reads `2026-12-01T10:00`.
pub fn wall_clock(text: &str) -> Option<NaiveDateTime> {
    // chrono also reads one-digit months; the contract is sixteen characters.
    if text.len() != 16 {
        return None;
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok()
}
