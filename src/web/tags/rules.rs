//! Rules that tag by themselves: those there are, with what each has set, and a form for another.

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{View, views};
use crate::app::App;
use crate::auth::Operator;
use crate::error::{Error, said};
use crate::ids::{LinkId, TagId, TagRuleId};
use crate::links::{self, Titled};
use crate::marking::{self, OfOrder, OnLink, RuleChange, TagRule, When};
use crate::money::Fen;
use crate::tags::{self, TagGroup};
use crate::web::segments::form::STAGES;
use crate::web::segments::{Known, known, link_label, offered_links};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Result, Shell, Show, figures, format};

pub(super) const HERE: &str = "/tags/rules";
/// What a rule may wait for, as the form names it.
const KINDS: [&str; 4] = ["channel", "clicked", "ordered", "stage"];

/// What a rule waits for, as one would say it. A link is named where the page knows it.
pub fn waits_for(when: &When, shell: &Shell) -> String {
    said_of(when, &[], shell)
}

fn said_of(when: &When, links: &[Titled], shell: &Shell) -> String {
    match when {
        When::Channel(channel) => shell.t1("rule-channel", "name", channel.as_str()),
        When::Clicked(OnLink { link: None }) => shell.t("rule-clicked"),
        When::Clicked(OnLink { link: Some(id) }) => match links.iter().find(|link| link.id == *id) {
            Some(link) => shell.t1("rule-clicked-link", "name", link.title.as_str()),
            None => shell.t("rule-clicked-one"),
        },
        When::Ordered(OfOrder {
            category,
            paid_fen_at_least,
        }) => {
            let mut what = String::new();
            if let Some(category) = category {
                what += &shell.t1("rule-ordered-category", "name", category.as_str());
            }
            if let Some(fen) = paid_fen_at_least {
                what += &shell.t1("rule-ordered-amount", "amount", figures::money(Fen(*fen)));
            }
            shell.t1("rule-ordered", "what", what)
        }
        When::Stage(stage) => {
            let word = STAGES.iter().find(|(_, one)| one == stage).map(|(word, _)| *word);
            let word = word.map(|word| shell.t(&format!("stage-{word}")));
            shell.t1("rule-stage", "name", word.unwrap_or_default())
        }
    }
}

pub struct Line {
    pub id: TagRuleId,
    pub when: String,
    /// `None`: the tag is gone.
    pub tag: Option<String>,
    pub is_on: bool,
    pub set: String,
    pub since: String,
    pub version: i64,
}

/// What was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    pub kind: String,
    pub channel: String,
    pub link: String,
    pub category: String,
    /// Yuan.
    pub amount: String,
    pub stage: String,
    pub tag: String,
}

/// Where something is wrong, and the key of what.
type Wrong = (&'static str, &'static str);

impl Typed {
    fn when(&self) -> Result<When, Wrong> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(match self.kind.as_str() {
            "channel" => When::Channel(text(&self.channel).ok_or(("channel", "rule-no-channel"))?),
            "clicked" => When::Clicked(OnLink {
                link: match self.link.as_str() {
                    "" => None,
                    id => Some(id.parse::<LinkId>().map_err(|_| ("link", "rule-no-link"))?),
                },
            }),
            "ordered" => When::Ordered(OfOrder {
                category: text(&self.category),
                paid_fen_at_least: match self.amount.trim() {
                    "" => None,
                    yuan => {
                        let yuan: i64 = yuan.parse().map_err(|_| ("amount", "rule-no-amount"))?;
                        let is_fit = (1..=10_000_000).contains(&yuan);
                        Some(is_fit.then_some(yuan * 100).ok_or(("amount", "rule-no-amount"))?)
                    }
                },
            }),
            "stage" => {
                let found = STAGES.iter().find(|(word, _)| *word == self.stage);
                When::Stage(found.ok_or(("stage", "rule-no-stage"))?.1)
            }
            _ => return Err(("kind", "rule-no-kind")),
        })
    }
}

#[derive(Template)]
#[template(path = "tags/rules.html")]
pub struct RulesPage {
    pub shell: Shell,
    pub views: Vec<View>,
    pub answer: Safe<String>,
    pub lines: Vec<Line>,
    pub tag_groups: Vec<TagGroup>,
    pub links: Vec<Titled>,
    pub known: Known,
    pub typed: Typed,
    pub problems: Vec<FieldProblem>,
}

impl RulesPage {
    pub fn new(
        shell: Shell,
        rules: &[TagRule],
        tag_groups: Vec<TagGroup>,
        links: Vec<Titled>,
        typed: Typed,
    ) -> Self {
        let name = |id: TagId| {
            let mut tags = tag_groups.iter().flat_map(|group| &group.tags);
            tags.find(|tag| tag.id == id).map(|tag| tag.name.clone())
        };
        let line = |rule: &TagRule| Line {
            id: rule.id,
            when: said_of(&rule.when, &links, &shell),
            tag: name(rule.tag_id),
            is_on: rule.is_on,
            set: format::count(rule.set_30_days),
            since: shell.when(&rule.since_at),
            version: rule.version,
        };
        let on = rules.iter().filter(|rule| rule.is_on).count();
        let set: i64 = rules.iter().map(|rule| rule.set_30_days).sum();
        Self {
            views: views(&shell),
            answer: match rules.is_empty() {
                true => shell.rich("rules-none", &[]),
                false => shell.rich("rules-answer", &[("on", on.into()), ("set", set.into())]),
            },
            lines: rules.iter().map(line).collect(),
            typed,
            problems: Vec::new(),
            known: Known::default(),
            tag_groups,
            links,
            shell,
        }
    }

    fn kinds(&self) -> Vec<(&'static str, String, bool)> {
        let one = |kind: &'static str| {
            let label = self.shell.t(&format!("rule-kind-{kind}"));
            (kind, label, self.typed.kind == kind)
        };
        KINDS.into_iter().map(one).collect()
    }

    fn stages(&self) -> Vec<(&'static str, String, bool)> {
        let one = |word: &'static str| {
            let label = self.shell.t(&format!("stage-{word}"));
            (word, label, self.typed.stage == word)
        };
        STAGES.iter().map(|(word, _)| one(word)).collect()
    }

    fn is_tag(&self, id: &TagId) -> bool {
        self.typed.tag == id.to_string()
    }

    fn label(&self, link: &Titled) -> String {
        link_label(link, &self.shell)
    }

    /// Chosen still: without it the rule would be of any link.
    fn is_link_gone(&self) -> bool {
        !self.typed.link.is_empty() && !self.links.iter().any(|link| self.is_link(&link.id))
    }

    fn is_link(&self, id: &LinkId) -> bool {
        self.typed.link == id.to_string()
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }
}

pub async fn list(app: State<App>, shell: Shell, me: Operator) -> Result<Show<RulesPage>> {
    let first = Typed {
        kind: KINDS[0].to_owned(),
        ..Typed::default()
    };
    Ok(Show(page(&app, shell, &me, first).await?))
}

async fn page(app: &App, shell: Shell, me: &Operator, typed: Typed) -> Result<RulesPage> {
    let rules = marking::list_rules(&app.db, &me.scope, shell.now).await?;
    let tag_groups = tags::groups(&app.db, &me.scope).await?;
    let link = |rule: &TagRule| match rule.when {
        When::Clicked(OnLink { link }) => link,
        _ => None,
    };
    let named: Vec<LinkId> = rules.iter().filter_map(link).chain(typed.link.parse()).collect();
    let named = links::titled_by_id(&app.db, &me.scope, &named).await?;
    let links = offered_links(app, me, named).await?;
    let page = RulesPage::new(shell, &rules, tag_groups, links, typed);
    Ok(RulesPage {
        known: known(app, me, |_| true).await?,
        ..page
    })
}

pub async fn add(app: State<App>, shell: Shell, me: Operator, Form(typed): Form<Typed>) -> Result<Response> {
    let problem = |(field, key): Wrong| {
        vec![FieldProblem {
            field: field.into(),
            message: shell.t(key),
        }]
    };
    let problems = match (typed.when(), typed.tag.parse::<TagId>()) {
        (Err(wrong), _) => problem(wrong),
        (Ok(_), Err(_)) => problem(("tag", "rule-no-tag")),
        (Ok(when), Ok(tag)) => match made(&app, &me, when, tag).await {
            Ok(()) => return Ok(shell.go_saying(HERE, "toast-rule-added", &[])),
            Err(error) => problems(&shell, error)?.into_iter().map(at_its_field).collect(),
        },
    };
    let page = page(&app, shell.clone(), &me, typed).await?;
    Ok(shell.refused(Show(RulesPage { problems, ..page })))
}

/// Pointers of the API's body, at the form's fields.
fn at_its_field(problem: FieldProblem) -> FieldProblem {
    let field = match problem.field.as_str() {
        "tag_id" => "tag",
        "when-channel" => "channel",
        "when-clicked-link" => "link",
        "when-ordered-category" => "category",
        "when-ordered-paid_fen_at_least" => "amount",
        _ => "",
    };
    FieldProblem {
        field: field.to_owned(),
        ..problem
    }
}

async fn made(app: &App, me: &Operator, when: When, tag: TagId) -> Result<(), Error> {
    let tx = app.db.begin().await?;
    marking::create_rule(&tx, &app.act(me.actor()), &me.scope, when, tag).await?;
    tx.commit().await
}

#[derive(Deserialize)]
pub struct Switch {
    #[serde(default)]
    to: String,
}

/// Switches a rule on or off.
pub async fn switch(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagRuleId>,
    Form(switch): Form<Switch>,
) -> Result<Response> {
    let (is_on, toast) = match switch.to.as_str() {
        "on" => (true, "toast-rule-on"),
        "off" => (false, "toast-rule-off"),
        _ => {
            let message = said!("refused-rule-switch", "a rule is switched `on` or `off`");
            return Err(Error::invalid("/to", message).into());
        }
    };
    let change = RuleChange {
        is_on: Some(is_on),
        ..RuleChange::default()
    };
    let tx = app.db.begin().await?;
    marking::change_rule(&tx, &app.act(me.actor()), &me.scope, id, change).await?;
    tx.commit().await?;
    Ok(shell.go_saying(HERE, toast, &[]))
}

#[derive(Deserialize)]
pub struct Nothing {}

pub async fn delete(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<TagRuleId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    marking::delete_rule(&tx, &app.act(me.actor()), &me.scope, id).await?;
    tx.commit().await?;
    Ok(shell.go_saying(HERE, "toast-rule-deleted", &[]))
}
