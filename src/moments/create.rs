//! Plans a moment: what it says, who posts it, with which link; and stops it.

use std::collections::BTreeMap;

use serde_json::json;

use super::jobs::{Start, Stop};
use super::store::{self, PlannedPart, Sender, Written};
use super::{NewMoment, Senders};
use crate::app::App;
use crate::auth::audit;
use crate::campaigns;
use crate::db::Tx;
use crate::directory::{self, Corp};
use crate::error::{Error, Problem, Result, said};
use crate::ids::{AssociateId, LinkId, MomentId, StoreId};
use crate::job::enqueue;
use crate::links::content::{Attachment, Content};
use crate::links::{self, LinkTarget, NewLink};
use crate::scope::{Act, Scope};
use crate::segments::{self, Rule};
use crate::time::{MINUTE_MS, Timestamp, resolve_local};

/// Up to so many senders each have a link of their own; the platform runs only so many jobs at a time (41078).
const OWN_LINKS: usize = 20;
/// path/95094 (read 2026-11-22).
const MAX_TEXT: usize = 2_000;
const MAX_LINK_TITLE_BYTES: usize = 64;
/// Room in the text for the link, when the attachments are pictures.
const LINK_ROOM: usize = 200;

/// Plans a moment: one task an associate.
///
/// # Errors
/// `Invalid` for senders out of scope, an empty set of senders, a time in the past, content the platform refuses.
pub async fn create(app: &App, act: &Act<'_>, scope: &Scope, new: NewMoment) -> Result<MomentId> {
    let tx = app.db.begin().await?;
    let corp = directory::find_corp(&tx, scope.corp).await?;
    let id = plan(&tx, act, scope, &corp, new).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(id)
}

/// The same within a transaction.
pub async fn plan(tx: &Tx, act: &Act<'_>, scope: &Scope, corp: &Corp, new: NewMoment) -> Result<MomentId> {
    let mut problems = problems(&new.content, corp);
    let starts_at = match start(new.send_at.as_deref(), corp.zone, act.now) {
        Ok(starts_at) => starts_at,
        Err(problem) => {
            problems.push(problem);
            act.now
        }
    };
    if let Some(rule) = &new.audience {
        problems.extend(audience_problems(tx, scope, rule).await?);
    }
    let (senders, sender_problems) = senders(tx, scope, &new.senders).await?;
    problems.extend(sender_problems);
    let is_shared = senders.len() > OWN_LINKS;
    if is_shared && new.content.names_associate() {
        problems.push(Problem::new(
            "/text",
            said!(
                "refused-moment-associate",
                "with more than {most} senders a moment has one text a store; leave `{{associate}}` out",
                most = OWN_LINKS
            ),
        ));
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let (content, target) = new.content.linked(corp, "")?;
    let id = MomentId::new(act.ids, act.now);
    let written = Written {
        content: &content,
        target: &target,
        audience: new.audience.as_ref(),
        send_at: new.send_at.as_deref(),
        starts_at,
    };
    store::insert(tx, act, scope, id, &written).await?;
    write_parts(
        tx,
        act,
        scope,
        id,
        &title(&content),
        &target,
        &parts(senders, is_shared),
    )
    .await?;
    enqueue(tx, act.ids, act.now, scope.corp, &Start { moment: id }, starts_at).await?;
    note(tx, act, scope, "moment.create", id).await?;
    Ok(id)
}

async fn note(tx: &Tx, act: &Act<'_>, scope: &Scope, action: &str, id: MomentId) -> Result<()> {
    audit::append(tx, act, scope.corp, action, &format!("moment:{id}"), &json!({})).await
}

/// What a message may hold, and what a moment may not: pictures, or one link, never both.
fn problems(content: &Content, corp: &Corp) -> Vec<Problem> {
    let mut found = content.problems("");
    found.extend(content.target_problems(&corp.link_hosts, ""));
    let others: Vec<(usize, &Attachment)> = content
        .attachments
        .iter()
        .enumerate()
        .filter(|(_, attachment)| !attachment.is_store_link())
        .collect();
    let links = others
        .iter()
        .filter(|(_, other)| matches!(other, Attachment::Link { .. }))
        .count();
    if links > 1 || (links == 1 && others.len() > 1) {
        found.push(Problem::new(
            "/attachments",
            said!(
                "refused-moment-mixed",
                "a moment shows pictures or one link, not both"
            ),
        ));
    }
    for (index, attachment) in content.attachments.iter().enumerate() {
        found.extend(attachment_problem(
            attachment,
            others.is_empty(),
            &format!("/attachments/{index}"),
        ));
    }
    let length = content.text.chars().count() + if others.is_empty() { 0 } else { LINK_ROOM };
    if length > MAX_TEXT {
        found.push(Problem::new(
            "/text",
            said!(
                "refused-moment-text",
                "{length} characters, the link included, are too many; at most {most}",
                length = length,
                most = MAX_TEXT
            ),
        ));
    }
    found
}

fn attachment_problem(attachment: &Attachment, is_card: bool, at: &str) -> Option<Problem> {
    match attachment {
        Attachment::Image { media_id: None, .. } => Some(Problem::new(
            format!("{at}/media_id"),
            said!(
                "refused-moment-picture",
                "a moment takes pictures by `media_id` only; upload it first"
            ),
        )),
        Attachment::Link { title, .. } => title_problem(title, at),
        Attachment::StoreLink { title, .. } if is_card => title_problem(title, at),
        Attachment::Image { .. } | Attachment::StoreLink { .. } => None,
    }
}

fn title_problem(title: &str, at: &str) -> Option<Problem> {
    (title.len() > MAX_LINK_TITLE_BYTES).then(|| {
        Problem::new(
            format!("{at}/title"),
            said!(
                "refused-moment-title",
                "{bytes} bytes are too many in a moment; at most {most}",
                bytes = title.len(),
                most = MAX_LINK_TITLE_BYTES
            ),
        )
    })
}

fn start(send_at: Option<&str>, zone: chrono_tz::Tz, now: Timestamp) -> Result<Timestamp, Problem> {
    let Some(text) = send_at else { return Ok(now) };
    let Some(local) = campaigns::wall_clock(text) else {
        return Err(Problem::new("/send_at", campaigns::not_a_time(text)));
    };
    let at = resolve_local(local, zone);
    // The minute that runs is not past yet.
    if at.plus_ms(MINUTE_MS) <= now {
        return Err(Problem::new(
            "/send_at",
            said!(
                "refused-moment-past",
                "`{text}` is past; choose a later time, or none for now",
                text = text
            ),
        ));
    }
    Ok(at)
}

/// Only tags, any of which will do: the platform knows nothing else.
async fn audience_problems(tx: &Tx, scope: &Scope, rule: &Rule) -> Result<Vec<Problem>> {
    if rule.any_of_tags().is_none() {
        return Ok(vec![Problem::new(
            "/audience",
            said!(
                "refused-moment-audience",
                "only tags narrow who sees a moment: one, or `any` of several"
            ),
        )]);
    }
    match segments::rule::check(tx, scope, rule, "/audience").await {
        Err(Error::Invalid(problems)) => Ok(problems),
        checked => checked.map(|()| Vec::new()),
    }
}

/// Everybody who is to post, each once; ids that name nobody are refused where they stand.
async fn senders(tx: &Tx, scope: &Scope, wanted: &Senders) -> Result<(Vec<Sender>, Vec<Problem>)> {
    let all = store::senders(tx, scope).await?;
    let mut problems = Vec::new();
    let mut refuse = |at: String, id: i64| {
        problems.push(Problem::new(
            at,
            said!(
                "refused-moment-sender",
                "there is no `{id}` in your reach that can post",
                id = id.to_string()
            ),
        ));
    };
    let chosen: Vec<Sender> = match wanted {
        Senders::Everyone => all,
        Senders::Associates(ids) => {
            for (index, id) in ids.iter().enumerate() {
                if !all.iter().any(|sender| sender.associate_id == *id) {
                    refuse(format!("/senders/associate_ids/{index}"), id.0);
                }
            }
            all.into_iter()
                .filter(|sender| ids.contains(&sender.associate_id))
                .collect()
        }
        Senders::Stores(ids) => {
            for (index, id) in ids.iter().enumerate() {
                if !all.iter().any(|sender| sender.store_id == Some(*id)) {
                    refuse(format!("/senders/store_ids/{index}"), id.0);
                }
            }
            all.into_iter()
                .filter(|sender| sender.store_id.is_some_and(|store| ids.contains(&store)))
                .collect()
        }
    };
    if chosen.is_empty() && problems.is_empty() {
        problems.push(Problem::new(
            "/senders",
            said!(
                "refused-moment-senders",
                "there is nobody to post it; choose associates or stores"
            ),
        ));
    }
    Ok((chosen, problems))
}

/// What one platform job will be asked for.
struct Part {
    store: Option<StoreId>,
    /// Whose link it is; a store's part has nobody's.
    associate: Option<AssociateId>,
    senders: Vec<Sender>,
}

fn parts(senders: Vec<Sender>, is_shared: bool) -> Vec<Part> {
    if !is_shared {
        let own = senders.into_iter().map(|sender| Part {
            store: sender.store_id,
            associate: Some(sender.associate_id),
            senders: vec![sender],
        });
        return own.collect();
    }
    let mut by_store: BTreeMap<Option<StoreId>, Vec<Sender>> = BTreeMap::new();
    for sender in senders {
        by_store.entry(sender.store_id).or_default().push(sender);
    }
    by_store
        .into_iter()
        .map(|(store, senders)| Part {
            store,
            associate: None,
            senders,
        })
        .collect()
}

/// A link is called what the moment says first.
fn title(content: &Content) -> String {
    let first: String = content.text.trim().chars().take(30).collect();
    match first.is_empty() {
        true => content
            .store_link()
            .map(|(title, _)| title.to_owned())
            .unwrap_or_default(),
        false => first,
    }
}

async fn write_parts(
    tx: &Tx,
    act: &Act<'_>,
    scope: &Scope,
    id: MomentId,
    title: &str,
    target: &LinkTarget,
    parts: &[Part],
) -> Result<()> {
    let wanted = parts.iter().map(|part| NewLink {
        title: title.to_owned(),
        target: target.clone(),
        store: part.store,
        associate: part.associate,
        campaign: None,
        moment: Some(id),
        contact: None,
    });
    let links: Vec<(LinkId, String)> = links::issue(tx, act, scope.corp, wanted.collect()).await?;
    let planned = parts.iter().zip(links).map(|(part, (link, _))| PlannedPart {
        store: part.store,
        link,
        senders: &part.senders,
    });
    store::insert_parts(tx, scope.corp, id, planned).await
}

/// Stops associates who have not published yet.
pub async fn cancel(app: &App, act: &Act<'_>, scope: &Scope, id: MomentId) -> Result<()> {
    if !scope.is_whole() {
        return Err(Error::Forbidden("moments are stopped by headquarters".into()));
    }
    let tx = app.db.begin().await?;
    store::find(&tx, scope, id).await?;
    if !store::cancel(&tx, scope.corp, id).await? {
        return Err(Error::conflict(said!(
            "conflict-moment-over",
            "moment `{id}` is over already",
            id = id.to_string()
        )));
    }
    store::close_tasks(&tx, scope.corp, id, None, "cancelled").await?;
    store::cancel_planned_parts(&tx, scope.corp, id).await?;
    for n in store::parts_in(&tx, scope.corp, id, "created").await? {
        enqueue(
            &tx,
            act.ids,
            act.now,
            scope.corp,
            &Stop { moment: id, n },
            act.now,
        )
        .await?;
    }
    note(&tx, act, scope, "moment.cancel", id).await?;
    tx.commit().await?;
    app.cache.ring().await;
    Ok(())
}
