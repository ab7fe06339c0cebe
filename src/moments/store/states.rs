//! Statements that plan moments and parts, and move their states.

use super::{Part, Sender};
use crate::args;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::ids::{CorpId, LinkId, MomentId, StoreId};
use crate::links::LinkTarget;
use crate::links::content::Content;
use crate::scope::{Act, Scope};
use crate::segments::Rule;
use crate::time::Timestamp;

/// A moment as it is written down.
pub struct Written<'a> {
    pub content: &'a Content,
    pub target: &'a LinkTarget,
    pub audience: Option<&'a Rule>,
    pub send_at: Option<&'a str>,
    pub starts_at: Timestamp,
}

/// Writes a planned moment down.
pub async fn insert(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: MomentId,
    written: &Written<'_>,
) -> Result<()> {
    let rule = written.audience.map(serde_json::to_string).transpose()?;
    db::run(
        tx,
        "insert into moment (corp_id, id, text, attachments, target, rule, state, send_at, starts_at, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, 'planned', $7, $8, $9, $10)",
        args![
            scope.corp,
            id,
            written.content.text.as_str(),
            serde_json::to_string(&written.content.attachments)?,
            serde_json::to_string(written.target)?,
            rule,
            written.send_at,
            written.starts_at,
            act.by.to_string(),
            act.now
        ],
    )
    .await?;
    Ok(())
}

/// A part to plan: a task for each of its senders.
pub struct PlannedPart<'a> {
    pub store: Option<StoreId>,
    pub link: LinkId,
    pub senders: &'a [Sender],
}

/// Writes the parts of a moment down, numbered from 0, and their tasks.
pub async fn insert_parts(
    tx: &Tx,
    corp: CorpId,
    id: MomentId,
    parts: impl Iterator<Item = PlannedPart<'_>>,
) -> Result<()> {
    let (mut part_rows, mut task_rows) = (Vec::new(), Vec::new());
    for (n, part) in parts.enumerate() {
        part_rows.push(args![corp, id, n as i64, part.store, part.link, "planned"]);
        for sender in part.senders {
            task_rows.push(args![
                corp,
                id,
                sender.associate_id,
                n as i64,
                sender.store_id,
                "planned",
                0i64
            ]);
        }
    }
    let head = "insert into moment_part (corp_id, moment_id, n, store_id, link_id, state)";
    db::insert_many(tx, head, part_rows, "").await?;
    let head = "insert into moment_task (corp_id, moment_id, associate_id, part, store_id, state, visible)";
    db::insert_many(tx, head, task_rows, "").await?;
    Ok(())
}

/// A planned moment whose start is not before `earliest` begins; answers whether it does.
pub async fn begin(tx: &Tx, corp: CorpId, id: MomentId, earliest: Timestamp) -> Result<bool> {
    let sql = "update moment set state = 'creating' where corp_id = $1 and id = $2 and state = 'planned' and starts_at >= $3";
    Ok(db::run(tx, sql, args![corp, id, earliest]).await? == 1)
}

/// A moment that is still planned was missed; answers whether it was.
pub async fn miss(tx: &Tx, corp: CorpId, id: MomentId) -> Result<bool> {
    let sql = "update moment set state = 'failed', error = 'missed' where corp_id = $1 and id = $2 and state = 'planned'";
    Ok(db::run(tx, sql, args![corp, id]).await? == 1)
}

/// Cancels a moment that is not over; answers whether it was not.
pub async fn cancel(tx: &Tx, corp: CorpId, id: MomentId) -> Result<bool> {
    let sql = "update moment set state = 'cancelled' where corp_id = $1 and id = $2
                and state in ('planned', 'creating', 'published')";
    Ok(db::run(tx, sql, args![corp, id]).await? != 0)
}

/// Cancels the parts nobody asked for yet.
pub async fn cancel_planned_parts(tx: &Tx, corp: CorpId, id: MomentId) -> Result<()> {
    let sql = "update moment_part set state = 'cancelled' where corp_id = $1 and moment_id = $2 and state = 'planned'";
    db::run(tx, sql, args![corp, id]).await?;
    Ok(())
}

/// Marks a planned part as being asked for; answers whether it was planned.
pub async fn mark_calling(tx: &Tx, corp: CorpId, id: MomentId, n: i64, now: Timestamp) -> Result<bool> {
    let sql = "update moment_part set state = 'calling', call_started_at = $4
                where corp_id = $1 and moment_id = $2 and n = $3 and state = 'planned'";
    Ok(db::run(tx, sql, args![corp, id, n, now]).await? != 0)
}

/// Shows a part as one whose making is not known; answers whether it was being made.
pub async fn mark_unknown(tx: &Tx, corp: CorpId, part: &Part) -> Result<bool> {
    let sql = "update moment_part set state = 'unknown'
                where corp_id = $1 and moment_id = $2 and n = $3 and state in ('calling', 'creating')";
    Ok(db::run(tx, sql, args![corp, part.moment_id, part.n]).await? != 0)
}

/// Writes the platform's job for a part. A caller that was held up may answer after the part was taken for unknown:
/// it knows better.
pub async fn set_job(tx: &Tx, corp: CorpId, id: MomentId, n: i64, jobid: &str) -> Result<()> {
    let sql = "update moment_part set state = 'creating', jobid = $4
                where corp_id = $1 and moment_id = $2 and n = $3 and state in ('calling', 'unknown')";
    db::run(tx, sql, args![corp, id, n, jobid]).await?;
    Ok(())
}

/// Puts a part back to be asked for again.
pub async fn plan_again(tx: &Tx, corp: CorpId, id: MomentId, n: i64, error: &str) -> Result<()> {
    let sql = "update moment_part set state = 'planned', error = $4
                where corp_id = $1 and moment_id = $2 and n = $3 and state = 'calling'";
    db::run(tx, sql, args![corp, id, n, error]).await?;
    Ok(())
}

/// Writes the platform's task for a part; answers whether it is new to us.
pub async fn set_created(
    tx: &Tx,
    corp: CorpId,
    part: &Part,
    platform_id: &str,
    now: Timestamp,
) -> Result<bool> {
    let sql = "update moment_part set state = 'created', platform_id = $4, created_at = $5
                where corp_id = $1 and moment_id = $2 and n = $3 and state in ('creating', 'unknown')";
    Ok(db::run(tx, sql, args![corp, part.moment_id, part.n, platform_id, now]).await? != 0)
}

/// Fails a part that is not made; answers whether it was not.
pub async fn fail_part(tx: &Tx, corp: CorpId, part: &Part, error: &str) -> Result<bool> {
    let sql = "update moment_part set state = 'failed', error = $4
                where corp_id = $1 and moment_id = $2 and n = $3 and state in ('planned', 'calling', 'creating', 'unknown')";
    Ok(db::run(tx, sql, args![corp, part.moment_id, part.n, error]).await? == 1)
}

/// A moment is out once no part is under way and one of them is; with none it has failed.
pub async fn settle(tx: &Tx, corp: CorpId, id: MomentId) -> Result<()> {
    let parts = "from moment_part p where p.corp_id = $1 and p.moment_id = $2";
    let sql = format!(
        "update moment set
           state = case when exists (select 1 {parts} and p.state = 'created') then 'published' else 'failed' end,
           error = (select max(p.error) {parts} and p.state = 'failed')
         where corp_id = $1 and id = $2 and state = 'creating'
           and not exists (select 1 {parts} and p.state in ('planned', 'calling', 'creating', 'unknown'))"
    );
    db::run(tx, &sql, args![corp, id]).await?;
    Ok(())
}
