//! What the composer's pages share: the stepper, how many can be reached, and problems in the reader's language.

use askama::Template;

use crate::campaigns::QuotaPlan;
use crate::error::Error;
use crate::ids::CampaignId;
use crate::web::charts::{Part, Stack};
use crate::web::figures as say;
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Result, Shell};

const NAMES: [&str; 4] = ["audience", "content", "time", "review"];

pub struct Step {
    pub word: String,
    pub link: Option<String>,
    pub is_current: bool,
}

/// Which of the four pages this is; earlier ones are links.
#[derive(Template)]
#[template(path = "campaigns/steps.html")]
pub struct Steps {
    pub label: String,
    pub steps: Vec<Step>,
}

impl askama::filters::HtmlSafe for Steps {}

impl Steps {
    pub fn new(shell: &Shell, id: Option<CampaignId>, current: usize) -> Self {
        let step = |(place, name): (usize, &&str)| Step {
            word: shell.t(&format!("compose-{name}")),
            link: id
                .filter(|_| place < current)
                .map(|id| format!("/campaigns/{id}/{name}")),
            is_current: place == current,
        };
        Self {
            label: shell.t("compose-steps"),
            steps: NAMES.iter().enumerate().map(step).collect(),
        }
    }
}

/// Whom the audience reaches now.
#[derive(Template)]
#[template(path = "campaigns/reach.html")]
pub struct Reach {
    pub shell: Shell,
    pub eligible: String,
    pub stack: Stack,
    pub spread: String,
    pub holdout: Option<String>,
}

impl askama::filters::HtmlSafe for Reach {}

impl Reach {
    pub fn new(shell: &Shell, plan: &QuotaPlan) -> Self {
        let counted = |key: &str, count: i64| shell.with(key, &[("count", &say::count(count))]);
        let mut parts = vec![Part::new(
            "c1",
            counted("compose-reach-eligible", plan.eligible),
            plan.eligible,
        )];
        if plan.holdout > 0 {
            parts.push(Part::new(
                "c3",
                counted("compose-blocked-holdout", plan.holdout),
                plan.holdout,
            ));
        }
        for blocked in &plan.blocked {
            let (class, key) = match blocked.reason.as_str() {
                "quota_used" => ("c2", "compose-blocked-quota_used"),
                "opted_out" => ("c4", "compose-blocked-opted_out"),
                "no_associate" => ("c4", "compose-blocked-no_associate"),
                _ => ("c4", "compose-blocked-other"),
            };
            parts.push(Part::new(class, counted(key, blocked.contacts), blocked.contacts));
        }
        let (targeted, eligible) = (say::count(plan.targeted), say::count(plan.eligible));
        let title = shell.with(
            "compose-reach-bar",
            &[("targeted", &targeted), ("eligible", &eligible)],
        );
        let (stores, associates) = (say::count(plan.stores), say::count(plan.associates));
        Self {
            stack: Stack::new(title, parts),
            spread: shell.with(
                "compose-spread-value",
                &[("stores", &stores), ("associates", &associates)],
            ),
            holdout: (plan.holdout > 0).then(|| counted("compose-people", plan.holdout)),
            eligible,
            shell: shell.clone(),
        }
    }
}

/// What a domain refused, at the field where it was typed.
pub fn refused(shell: &Shell, error: Error) -> Result<Vec<FieldProblem>> {
    Ok(problems(shell, error)?.into_iter().map(placed).collect())
}

fn placed(problem: FieldProblem) -> FieldProblem {
    let pointer = problem.field.as_str();
    let field = match pointer {
        "content-text" | "content" => "text",
        _ if pointer.starts_with("content-attachments") && pointer.ends_with("title") => "link_title",
        _ if pointer.starts_with("content-attachments") && pointer.contains("picture") => "picture_url",
        _ if pointer.starts_with("content-attachments") => "link_url",
        _ if pointer.starts_with("audience") || pointer.starts_with("rule") => "audience",
        "holdout_percent" => "holdout",
        "send_at" | "zone" => "date",
        _ => pointer,
    };
    FieldProblem {
        field: field.to_owned(),
        ..problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;
    use crate::metrics::Lang;
    use crate::web::samples;

    #[test]
    fn problems_stand_at_the_field_where_they_were_typed() {
        let shell = samples::shell(Role::Marketer, Lang::En, "/campaigns/1/content");
        for (pointer, field) in [
            ("/content/text", "text"),
            ("/content/attachments/0/title", "link_title"),
            ("/content/attachments/0/target/url", "link_url"),
            ("/content/attachments", "link_url"),
            ("/send_at", "date"),
            ("/audience/rule/all/0", "audience"),
            ("/deadline", "deadline"),
        ] {
            let found = refused(&shell, Error::invalid(pointer, "no")).unwrap();
            assert_eq!(found[0].field, field, "{pointer}");
        }
    }
}
