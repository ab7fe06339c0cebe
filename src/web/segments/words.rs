//! A rule said as a person would say it, with the names of what it points at.

use crate::contacts::ContactField;
use crate::directory::{Associate, Region, Store};
use crate::links::Titled;
use crate::money::Fen;
use crate::segments::{Clicked, Messaged, Ordered, OwnField, Rule};
use crate::tags::TagGroup;
use crate::web::Shell;
use crate::web::figures as say;

use super::form;

/// Everything a rule of this scope can point at.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub tags: Vec<TagGroup>,
    pub regions: Vec<Region>,
    pub stores: Vec<Store>,
    pub associates: Vec<Associate>,
    pub fields: Vec<ContactField>,
    pub links: Vec<Titled>,
}

impl Names {
    fn tag(&self, id: crate::ids::TagId) -> Option<&str> {
        let tags = self.tags.iter().flat_map(|group| &group.tags);
        tags.into_iter()
            .find(|tag| tag.id == id)
            .map(|tag| tag.name.as_str())
    }
}

/// The whole rule, as it stands in the sentence above the form.
pub fn sentence(rule: &Rule, names: &Names, shell: &Shell) -> String {
    let joined = |rules: &[Rule], joint: &str| {
        let said: Vec<String> = rules.iter().map(|rule| sentence(rule, names, shell)).collect();
        said.join(&shell.t(joint))
    };
    match rule {
        Rule::All(rules) => joined(rules, "say-and"),
        Rule::Any(rules) => joined(rules, "say-or"),
        Rule::Not(inner) => shell.with("say-not", &[("rule", &sentence(inner, names, shell))]),
        leaf => say_leaf(leaf, names, shell),
    }
}

fn say_leaf(leaf: &Rule, names: &Names, shell: &Shell) -> String {
    let named = |key: &str, name: Option<&str>| match name {
        Some(name) => shell.with(key, &[("name", name)]),
        None => shell.t("say-unknown"),
    };
    let within = |key: &str, days: i64| shell.with(key, &[("days", &say::count(days))]);
    match leaf {
        Rule::Tag(id) => named("say-tag", names.tag(*id)),
        Rule::Region(id) => {
            let region = names.regions.iter().find(|region| region.id == *id);
            named("say-region", region.map(|region| region.name.as_str()))
        }
        Rule::Store(id) => {
            let store = names.stores.iter().find(|store| store.id == *id);
            named("say-store", store.map(|store| store.name.as_str()))
        }
        Rule::Associate(id) => {
            let associate = names.associates.iter().find(|associate| associate.id == *id);
            named(
                "say-associate",
                associate.map(|associate| associate.name.as_str()),
            )
        }
        Rule::Channel(channel) => named("say-channel", Some(channel)),
        Rule::Added(added) => within("say-added", added.within_days),
        Rule::Birthday(birthday) => within("say-birthday", birthday.within_days),
        Rule::Clicked(Clicked {
            within_days,
            link: None,
        }) => within("say-clicked", *within_days),
        Rule::Clicked(Clicked {
            within_days,
            link: Some(id),
        }) => match names.links.iter().find(|link| link.id == *id) {
            Some(link) => {
                let days = say::count(*within_days);
                shell.with("say-clicked-link", &[("days", &days), ("name", &link.title)])
            }
            None => shell.t("say-unknown"),
        },
        Rule::Ordered(ordered) => say_ordered(ordered, shell),
        Rule::Messaged(messaged) => say_messaged(messaged, shell),
        Rule::Stage(stage) => {
            let stage = form::STAGES.iter().find(|(_, one)| one == stage);
            named(
                "say-stage",
                stage
                    .map(|(word, _)| shell.t(&format!("stage-{word}")))
                    .as_deref(),
            )
        }
        Rule::Gender(gender) => {
            let gender = form::GENDERS.iter().find(|(_, one)| one == gender);
            named(
                "say-gender",
                gender
                    .map(|(word, _)| shell.t(&format!("gender-{word}")))
                    .as_deref(),
            )
        }
        Rule::Rfm(rfm) => {
            let scores = [("R", &rfm.r), ("F", &rfm.f), ("M", &rfm.m)];
            let said: Vec<String> = scores
                .iter()
                .filter(|(_, scores)| !scores.is_empty())
                .map(|(letter, scores)| format!("{letter} {}", list(scores)))
                .collect();
            shell.with("say-rfm", &[("scores", &said.join(" · "))])
        }
        Rule::Field(own) => {
            let field = names.fields.iter().find(|field| field.id == own.id);
            field.map_or_else(
                || shell.t("say-unknown"),
                |field| say_field(&field.name, own, shell),
            )
        }
        Rule::All(_) | Rule::Any(_) | Rule::Not(_) => sentence(leaf, names, shell),
    }
}

fn list(scores: &[i64]) -> String {
    let words: Vec<String> = scores.iter().map(i64::to_string).collect();
    words.join("/")
}

fn say_ordered(ordered: &Ordered, shell: &Shell) -> String {
    let mut what = String::new();
    if let Some(times) = ordered.at_least {
        what += &shell.with("say-ordered-times", &[("times", &say::count(times))]);
    }
    if let Some(category) = &ordered.category {
        what += &shell.with("say-ordered-category", &[("name", category)]);
    }
    if let Some(fen) = ordered.net_fen_at_least {
        what += &shell.with("say-ordered-amount", &[("amount", &say::money(Fen(fen)))]);
    }
    let days = say::count(ordered.within_days);
    shell.with("say-ordered", &[("days", &days), ("what", &what)])
}

fn say_field(name: &str, own: &OwnField, shell: &Shell) -> String {
    let values = own.is.join(&shell.t("say-or"));
    match (&own.from, &own.to) {
        (None, None) if own.is.is_empty() => shell.with("say-field", &[("name", name)]),
        (None, None) => shell.with("say-field-is", &[("name", name), ("value", &values)]),
        (Some(from), None) => shell.with("say-field-from", &[("name", name), ("from", from)]),
        (None, Some(to)) => shell.with("say-field-to", &[("name", name), ("to", to)]),
        (Some(from), Some(to)) => shell.with("say-field-span", &[("name", name), ("from", from), ("to", to)]),
    }
}

fn say_messaged(messaged: &Messaged, shell: &Shell) -> String {
    let days = say::count(messaged.within_days);
    let said = |key: &str, times: i64| shell.with(key, &[("days", &days), ("times", &say::count(times))]);
    let most = messaged.at_most.map(|times| said("say-messaged-most", times));
    let least = messaged.at_least.map(|times| said("say-messaged-least", times));
    let both: Vec<String> = most.into_iter().chain(least).collect();
    both.join(&shell.t("say-and"))
}
