//! Writing contacts to a file: who asks sees as much in it as they saw when they asked, and gets it while they still do.

use std::collections::HashMap;

use futures_util::stream::{self, Stream, StreamExt as _};

use super::cells::csv;
use super::jobs::Write;
use super::store::exports as store;
use super::{FieldColumn, Outcome, State};
use crate::app::App;
use crate::auth::{self, audit};
use crate::contacts::{self, ContactFilter, ContactRow, Facts};
use crate::db::Tx;
use crate::directory;
use crate::error::{Error, Result, said};
use crate::ids::{ContactId, CorpId, ExportId};
use crate::job;
use crate::page::PageOf;
use crate::scope::{Act, Scope};
use crate::time::DAY_MS;
use chrono_tz::Tz;

/// How long a file may be fetched.
const KEPT_MS: i64 = DAY_MS;
/// Contacts of one part.
const PART_ROWS: i64 = 1_000;

/// Begins an export of what the list shows under this filter: `total` contacts, as it counts them.
pub async fn create(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    filter: &ContactFilter,
    total: i64,
) -> Result<ExportId> {
    let corp = directory::find_corp(tx, scope.corp).await?;
    let filter = ContactFilter {
        today: filter.today.or(Some(act.now.day(corp.zone))),
        ..filter.clone()
    };
    let id = ExportId::new(act.ids, act.now);
    let fields = contacts::fields(tx, scope.corp).await?;
    let new = store::New {
        id,
        filter: &filter,
        fields: fields
            .into_iter()
            .map(|field| FieldColumn {
                id: field.id,
                name: field.name,
            })
            .collect(),
        total,
        expires_at: act.now.plus_ms(KEPT_MS),
    };
    let detail = serde_json::json!({ "contacts": new.total });
    store::insert(tx, act, scope, new).await?;
    job::enqueue(tx, act.ids, act.now, scope.corp, &Write { export: id }, act.now).await?;
    note(tx, act, scope.corp, "export.start", id, &detail).await?;
    Ok(id)
}

/// Writes the next part, or ends the export when nothing is left.
pub async fn write_part(app: &App, corp: CorpId, id: ExportId) -> Result<Outcome> {
    let Some(task) = store::task(&app.db, corp, id).await? else {
        return Ok(Outcome::Ended);
    };
    let zone = directory::find_corp(&app.db, corp).await?.zone;
    let page = PageOf::from(PART_ROWS, task.after.clone());
    let rows = contacts::list(&app.db, &task.scope, &task.filter, zone, &page).await?;
    let ids: Vec<ContactId> = rows.items.iter().map(|row| row.id).collect();
    let facts = contacts::facts(&app.db, corp, &ids).await?;
    let mark = mark(app, corp, &task, zone).await?;
    let lines: Vec<Vec<String>> = rows
        .items
        .iter()
        .map(|row| line(row, &facts, &task.fields, &mark, zone))
        .collect();
    let body = csv(lines.iter().map(Vec::as_slice));
    let tx = app.db.begin().await?;
    let is_ours = store::advance(&tx, corp, id, &task, lines.len() as i64, rows.next.as_deref()).await?;
    if !is_ours {
        // It was stopped, or somebody else has written this part.
        return Ok(Outcome::Went);
    }
    if !lines.is_empty() {
        store::put_part(&tx, corp, id, task.part, &body).await?;
    }
    let is_over = rows.next.is_none();
    if is_over {
        store::end(&tx, corp, id, State::Done, None, app.now()).await?;
    }
    tx.commit().await?;
    Ok(if is_over { Outcome::Done } else { Outcome::Went })
}

/// Who asked for a file and when, in each of its rows: wherever a row turns up, it says whose copy it is.
async fn mark(app: &App, corp: CorpId, task: &store::Task, zone: Tz) -> Result<String> {
    let mut names = auth::actor_names(&app.db, corp, &[task.asked_by]).await?;
    let name = names.remove(&task.asked_by).unwrap_or_default();
    let at = task.asked_at.local(zone).format("%Y-%m-%d %H:%M");
    Ok(format!("{name} ({}) {at}", task.asked_by))
}

fn line(
    row: &ContactRow,
    facts: &HashMap<ContactId, Facts>,
    fields: &[FieldColumn],
    mark: &str,
    zone: Tz,
) -> Vec<String> {
    let known = facts.get(&row.id).cloned().unwrap_or_default();
    let day = |at: Option<crate::time::Timestamp>| at.map(|at| at.day(zone).to_string()).unwrap_or_default();
    let tags: Vec<&str> = row.tags.iter().map(|tag| tag.name.as_str()).collect();
    let mut cells = vec![
        row.external_userid.clone(),
        row.name.clone(),
        row.remark.clone(),
        row.associate_name.clone(),
        row.store_name.clone().unwrap_or_default(),
        day(Some(row.added_at)),
        tags.join("|"),
        day(row.last_order_at),
        yuan(row.spent_365_fen.0),
        known.birthday.unwrap_or_default(),
        known.phone_last4.unwrap_or_default(),
        if known.opted_out { "yes" } else { "no" }.to_owned(),
        mark.to_owned(),
    ];
    let value = |field: &FieldColumn| known.values.get(&field.id).cloned().unwrap_or_default();
    cells.extend(fields.iter().map(value));
    cells
}

fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:02}",
        fen.unsigned_abs() / 100,
        fen.unsigned_abs() % 100
    )
}

/// Stops an export under way; what is written is forgotten.
///
/// # Errors
/// `NotFound` for somebody else's, `Conflict` when it has ended.
pub async fn end_export(tx: &Tx, act: &Act<'_>, scope: &Scope, id: ExportId) -> Result<()> {
    store::find_export(tx, scope, act.by, id).await?;
    if !store::end(tx, scope.corp, id, State::Stopped, None, act.now).await? {
        return Err(Error::conflict(said!(
            "conflict-export-ended",
            "this export has ended already"
        )));
    }
    store::forget_parts(tx, scope.corp, id).await?;
    note(tx, act, scope.corp, "export.stop", id, &serde_json::json!({})).await
}

/// Opens a finished file for its asker, and notes that they fetched it; answers its first row: the columns' names, by
/// `named`, with those of the chain's own fields.
///
/// # Errors
/// `NotFound` for anybody else, one who sees less than when they asked, or after its time; `Conflict` before it is done.
pub async fn download(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: ExportId,
    named: impl Fn(&str) -> String,
) -> Result<String> {
    let export = store::find_export(tx, scope, act.by, id).await?;
    if export.expires_at <= act.now {
        return Err(Error::NotFound);
    }
    if export.state != State::Done {
        return Err(Error::conflict(said!(
            "conflict-export-not-done",
            "this export is not finished"
        )));
    }
    let fields = store::fields(tx, scope.corp, id).await?;
    let own = super::EXPORT_COLUMNS.iter().map(|column| named(column));
    let head: Vec<String> = own.chain(fields.into_iter().map(|field| field.name)).collect();
    let detail = serde_json::json!({ "contacts": export.written });
    note(tx, act, scope.corp, "export.download", id, &detail).await?;
    Ok(format!("\u{feff}{}", csv([head.as_slice()])))
}

/// A file that was opened, with its first row, part after part.
pub fn parts(app: App, scope: Scope, id: ExportId, head: String) -> impl Stream<Item = Result<String>> {
    let parts = stream::try_unfold(0, move |part| {
        let (app, corp) = (app.clone(), scope.corp);
        async move {
            let chunk = store::part(&app.db, corp, id, part).await?;
            Ok(chunk.map(|chunk| (chunk, part + 1)))
        }
    });
    stream::once(async { Ok(head) }).chain(parts)
}

async fn note(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    action: &str,
    id: ExportId,
    detail: &serde_json::Value,
) -> Result<()> {
    audit::append(tx, act, corp, action, &format!("export:{id}"), detail).await
}
