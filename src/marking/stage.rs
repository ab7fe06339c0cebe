//! Stages change with the days, not by anybody's doing: every night a rule's people are looked for, and marked.

use super::freeze::{self, Audience, Wish};
use super::store::rules as store;
use super::{Kind, TagRule, When};
use crate::app::App;
use crate::directory;
use crate::error::Result;
use crate::ids::CorpId;
use crate::scope::{Actor, Scope};
use crate::segments::{self, Rule};
use crate::tags;

/// Begins a marking for each rule that waits for a stage and finds somebody without its tag.
pub async fn look(app: &App, corp: CorpId) -> Result<()> {
    for rule in store::rules_on(&app.db, corp).await? {
        let by = Actor::Rule(rule.id);
        if let When::Stage(stage) = rule.when
            && !store::is_marking(&app.db, corp, by).await?
        {
            of_rule(app, corp, &rule, Rule::Stage(stage)).await?;
        }
    }
    Ok(())
}

async fn of_rule(app: &App, corp: CorpId, rule: &TagRule, stage: Rule) -> Result<()> {
    let scope = Scope::whole(corp);
    // The tag is gone; the page of rules says so.
    if tags::check(&app.db, corp, &[rule.tag_id], &[]).await.is_err() {
        return Ok(());
    }
    let found = Rule::All(vec![stage, Rule::Not(Box::new(Rule::Tag(rule.tag_id)))]);
    let zone = directory::find_corp(&app.db, corp).await?.zone;
    let act = app.act(Actor::Rule(rule.id));
    if segments::audience(app, &app.db, &scope, &found, zone, act.now)
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let wish = Wish {
        kind: Kind::Rule,
        add: vec![rule.tag_id],
        remove: vec![],
        carrying: None,
    };
    freeze::begin(app, &act, &scope, &Audience::Rule(found), &wish).await?;
    Ok(())
}
