//! Where a customer's tags come from: who or what set each, when and why.

use std::collections::HashMap;

use crate::app::App;
use crate::auth;
use crate::contacts::{self, TagName, TagOrigin};
use crate::error::Result;
use crate::ids::{ContactId, MarkingId, TagRuleId};
use crate::marking::{self, Kind, When};
use crate::scope::{Actor, Scope};
use crate::web::Shell;
use crate::web::tags::waits_for;

/// What is told of a contact's tags.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    pub list: Vec<TagOrigin>,
    pub actors: HashMap<Actor, String>,
    pub rules: HashMap<TagRuleId, When>,
    pub markings: HashMap<MarkingId, Kind>,
}

impl Origins {
    pub async fn of(app: &App, scope: &Scope, contact: ContactId) -> Result<Self> {
        let list = contacts::tag_origins(&app.db, scope, contact).await?;
        let turns: Vec<_> = list.iter().filter_map(|origin| origin.turn.as_ref()).collect();
        let actors: Vec<Actor> = turns.iter().filter_map(|turn| turn.by).collect();
        let rules: Vec<TagRuleId> = actors
            .iter()
            .filter_map(|actor| match actor {
                Actor::Rule(id) => Some(*id),
                _ => None,
            })
            .collect();
        let markings: Vec<MarkingId> = turns.iter().filter_map(|turn| turn.marking).collect();
        Ok(Self {
            actors: auth::actor_names(&app.db, scope.corp, &actors).await?,
            rules: marking::told_rules(&app.db, scope, rules).await?,
            markings: marking::kinds(&app.db, scope, markings).await?,
            list,
        })
    }

    /// One line a tag and associate, of the tags that the page shows.
    pub fn lines(&self, tags: &[&TagName], shell: &Shell) -> Vec<OriginLine> {
        let shown = self.list.iter().filter_map(|origin| {
            let tag = tags.iter().find(|tag| tag.id == origin.tag)?;
            Some(OriginLine {
                tag: tag.name.clone(),
                how: self.how(origin, shell),
                when: origin
                    .turn
                    .as_ref()
                    .map(|turn| shell.when(&turn.at))
                    .unwrap_or_default(),
                marking: origin.turn.as_ref().and_then(|turn| turn.marking).filter(|_| {
                    // Others see only what they asked for themselves.
                    shell.me.as_ref().is_some_and(|me| me.scope.is_whole())
                }),
            })
        });
        shown.collect()
    }

    fn how(&self, origin: &TagOrigin, shell: &Shell) -> String {
        let associate = origin.associate_name.as_str();
        let Some(turn) = &origin.turn else {
            return shell.t1("origin-came", "associate", associate);
        };
        let kind = turn.marking.and_then(|id| self.markings.get(&id));
        let name = turn.by.and_then(|by| self.actors.get(&by)).map(String::as_str);
        match (turn.by, kind) {
            (Some(Actor::Platform), _) => shell.t1("origin-platform", "associate", associate),
            (Some(Actor::Rule(id)), _) => match self.rules.get(&id) {
                Some(when) => shell.t1("origin-rule", "rule", waits_for(when, shell)),
                None => shell.t("mark-by-rule"),
            },
            (_, Some(Kind::Merge)) => {
                shell.t1("origin-merge", "name", name.unwrap_or(&shell.t("mark-by-system")))
            }
            (_, Some(_)) => shell.t1("origin-bulk", "name", name.unwrap_or(&shell.t("mark-by-system"))),
            (Some(Actor::ApiKey(_)), None) => shell.t1("origin-api", "name", name.unwrap_or_default()),
            (_, None) => shell.t1("origin-hand", "name", name.unwrap_or(&shell.t("mark-by-system"))),
        }
    }
}

/// A tag and where it comes from, as the page shows it.
pub struct OriginLine {
    pub tag: String,
    pub how: String,
    pub when: String,
    /// The marking it was a part of, for who may look at it.
    pub marking: Option<MarkingId>,
}
