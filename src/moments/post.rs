//! Asks the platform to post: mark, commit, call, record. A part is asked for at most once.

use super::jobs::{Follow, Post};
use super::reconcile;
use super::store::{self, Part};
use crate::app::App;
use crate::campaigns;
use crate::db::Tx;
use crate::directory::{self, Corp};
use crate::error::{Advice, Error, Result};
use crate::ids::{CorpId, MomentId, UserId};
use crate::job::enqueue;
use crate::links::content::{Attachment, Content};
use crate::queue::Lane;
use crate::scope::{Act, Actor};
use crate::segments::Rule;
use crate::time::{MINUTE_MS, SECOND_MS};
use crate::wecom::message::{Message, Text};

/// A moment that could not start within this time of its plan is not posted any more.
const LATE_MS: i64 = 30 * MINUTE_MS;
/// How long the platform takes to make a task of a job.
pub(super) const JOB_PAUSE_MS: i64 = 5 * SECOND_MS;

/// Has each part of a planned moment asked for.
pub async fn start(app: &App, corp: CorpId, id: MomentId) -> Result<()> {
    let act = app.act(Actor::System);
    let tx = app.db.begin().await?;
    if store::begin(&tx, corp, id, act.now.plus_ms(-LATE_MS)).await? {
        for n in store::parts_in(&tx, corp, id, "planned").await? {
            enqueue(&tx, act.ids, act.now, corp, &Post { moment: id, n }, act.now).await?;
        }
    } else if store::miss(&tx, corp, id).await? {
        store::close_tasks(&tx, corp, id, None, "failed").await?;
    }
    tx.commit().await?;
    app.cache.ring().await;
    Ok(())
}

/// What the platform is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub message: Message,
    pub senders: Vec<UserId>,
    pub tags: Vec<String>,
}

/// Asks for one part.
pub async fn post(app: &App, corp: CorpId, id: MomentId, n: i64) -> Result<()> {
    let platform = directory::platform(app, corp).await?.in_lane(Lane::Campaign);
    let tx = app.db.begin().await?;
    let corp = directory::find_corp(&tx, corp).await?;
    let asked = claim(&tx, &app.act(Actor::System), &corp, &app.config.public_url, id, n).await?;
    tx.commit().await?;
    let Some(asked) = asked else { return Ok(()) };
    let tags: Vec<&str> = asked.tags.iter().map(String::as_str).collect();
    let outcome = platform.add_moment(&asked.message, &asked.senders, &tags).await;
    let tx = app.db.begin().await?;
    let again = record_asked(&tx, &app.act(Actor::System), corp.id, id, n, outcome).await?;
    tx.commit().await?;
    again.map_or(Ok(()), Err)
}

/// Marks a planned part `calling` and answers what to ask for; `None` when there is nothing to ask.
pub async fn claim(
    tx: &Tx,
    act: &Act<'_>,
    corp: &Corp,
    public_url: &str,
    id: MomentId,
    n: i64,
) -> Result<Option<Asked>> {
    let part = match store::find_part(tx, corp.id, id, n).await {
        Err(Error::NotFound) => return Ok(None),
        found => found?,
    };
    if part.state == "calling" {
        if part
            .call_started_at
            .is_some_and(|at| act.now.0 - at.0 < campaigns::CALL_MS)
        {
            return Ok(None);
        }
        // Whoever called is gone.
        reconcile::mark_unknown(tx, act, corp.id, &part, 0).await?;
        return Ok(None);
    }
    if part.state != "planned" || part.moment_state != "creating" {
        return Ok(None);
    }
    if !store::mark_calling(tx, corp.id, id, n, act.now).await? {
        return Ok(None);
    }
    let rule = part.rule()?;
    let tags = store::platform_tags(tx, corp.id, rule.as_ref().and_then(Rule::any_of_tags)).await?;
    if rule.is_some() && tags.is_empty() {
        // Without a tag the platform would show it to everybody.
        fail(tx, corp.id, &part, "audience_gone").await?;
        return Ok(None);
    }
    let senders = store::senders_of(tx, corp.id, &part).await?;
    let associate = senders.first().map_or("", |sender| sender.name.as_str());
    let store = part.store_name.as_deref().unwrap_or(&corp.name);
    let link = format!("{public_url}/l/{}", part.code);
    Ok(Some(Asked {
        message: message(&part.content()?, associate, store, &link),
        tags,
        senders: senders.into_iter().map(|sender| sender.userid).collect(),
    }))
}

/// A moment shows pictures or one link: beside anything else the tracked link stands in the text.
fn message(content: &Content, associate: &str, store: &str, link: &str) -> Message {
    let mut message = content.message(associate, store, link);
    if content.attachments.iter().all(Attachment::is_store_link) {
        return message;
    }
    let mut others = content.clone();
    others
        .attachments
        .retain(|attachment| !attachment.is_store_link());
    message.attachments = others.message(associate, store, link).attachments;
    let text = message.text.take().map(|text| text.content).unwrap_or_default();
    message.text = Some(Text {
        content: format!("{text}\n{link}").trim_start().to_owned(),
    });
    message
}

/// Writes down what asking came to: the platform's job, or why there is none. Answers the error that asks for
/// another try, when certainly nothing was done.
pub async fn record_asked(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    id: MomentId,
    n: i64,
    outcome: Result<String>,
) -> Result<Option<Error>> {
    let part = store::find_part(tx, corp, id, n).await?;
    match outcome {
        Ok(jobid) => {
            store::set_job(tx, corp, id, n, &jobid).await?;
            let due = act.now.plus_ms(JOB_PAUSE_MS);
            enqueue(tx, act.ids, act.now, corp, &Follow { moment: id, n }, due).await?;
            Ok(None)
        }
        Err(Error::Platform(fault)) if matches!(fault.advice, Advice::Retry { .. }) => {
            store::plan_again(tx, corp, id, n, &fault.message).await?;
            Ok(Some(Error::Platform(fault)))
        }
        Err(Error::Platform(fault)) if fault.advice != Advice::Unknown => {
            fail(tx, corp, &part, &fault.message).await.map(|()| None)
        }
        Err(_) => reconcile::mark_unknown(tx, act, corp, &part, 0)
            .await
            .map(|()| None),
    }
}

/// Nobody posts this part.
pub(super) async fn fail(tx: &Tx, corp: CorpId, part: &Part, error: &str) -> Result<()> {
    if store::fail_part(tx, corp, part, error).await? {
        store::close_tasks(tx, corp, part.moment_id, Some(part.n), "failed").await?;
        store::settle(tx, corp, part.moment_id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::LinkTarget;
    use crate::wecom::message;

    #[test]
    fn beside_pictures_the_link_stands_in_the_text() {
        let target = LinkTarget::Web {
            url: "https://shop.example.com/".into(),
        };
        let content = Content {
            text: "{门店}上新".into(),
            attachments: vec![],
        }
        .with_store_link(Some(&target));
        let alone = message(&content, "小李", "静安店", "https://c/l/x");
        assert_eq!(alone.text.unwrap().content, "静安店上新");
        assert!(
            matches!(&alone.attachments[..], [message::Attachment::Link { link }] if link.url == "https://c/l/x")
        );

        let mut pictured = content;
        pictured.attachments.push(Attachment::Image {
            media_id: Some("M".into()),
            picture_url: None,
        });
        let beside = message(&pictured, "小李", "静安店", "https://c/l/x");
        assert_eq!(beside.text.unwrap().content, "静安店上新\nhttps://c/l/x");
        assert!(matches!(
            &beside.attachments[..],
            [message::Attachment::Image { .. }]
        ));
    }
}
