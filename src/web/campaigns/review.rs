//! Last page of the composer: what it costs in quota, everything once more, approval, and the start.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::audience::plan_of;
use super::content::phone_of;
use super::phone::Phone;
use super::steps::{Steps, refused};
use super::time::spoken;
use super::{Nothing, draft};
use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::campaigns::{self, Campaign, QuotaPlan};
use crate::directory::{self, Corp, QuotaMode};
use crate::error::Error;
use crate::ids::CampaignId;
use crate::segments;
use crate::web::figures as say;
use crate::web::segments::names;
use crate::web::segments::words::sentence;
use crate::web::shell::FieldProblem;
use crate::web::{Form, Path, Result, Shell, Show};

/// What stands between this draft and its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// The reader may approve it.
    MayApprove,
    /// Somebody else has to approve it.
    Waiting,
    /// Nobody can be reached.
    Nobody,
}

pub struct Review<'a> {
    pub campaign: &'a Campaign,
    pub plan: &'a QuotaPlan,
    pub corp: &'a Corp,
    /// The segment's name, or the rule said.
    pub audience: String,
}

#[derive(Template)]
#[template(path = "campaigns/review.html")]
pub struct ReviewPage {
    pub shell: Shell,
    pub steps: Steps,
    pub problems: Vec<FieldProblem>,
    pub id: CampaignId,
    pub answer: String,
    pub lede: String,
    pub mode: String,
    /// Words, people, share, whether it is the last.
    pub left: Vec<(String, String, String, bool)>,
    pub total: String,
    pub frees: Option<String>,
    pub audience: String,
    pub holdout: String,
    pub content: String,
    pub time: String,
    pub senders: String,
    pub approval: String,
    pub is_approved: bool,
    pub gate: Gate,
    pub button: String,
    pub approve_button: String,
    pub phone: Phone,
}

impl ReviewPage {
    pub fn new(
        shell: Shell,
        me: &Operator,
        review: &Review,
        phone: Phone,
        problems: Vec<FieldProblem>,
    ) -> Self {
        let Review {
            campaign,
            plan,
            corp,
            audience,
        } = review;
        let gate = gate(me, review);
        let people = say::count(plan.eligible);
        let counted = |key: &str| shell.with(key, &[("count", &people)]);
        let is_now = campaign.send_at.is_none();
        Self {
            steps: Steps::new(&shell, Some(campaign.id), 3),
            answer: answer(review, &shell),
            lede: shell.t(if gate == Gate::Nobody {
                "review-lede-nobody"
            } else {
                "review-lede"
            }),
            mode: mode(corp.quota_mode, &shell),
            left: left(plan, &shell),
            total: counted("review-quota-times"),
            frees: frees(plan, &shell),
            audience: audience.clone(),
            holdout: holdout(review, &shell),
            content: content(campaign, &shell),
            time: time(campaign, &shell),
            senders: senders(plan, &shell),
            approval: approval(me, review, &shell),
            is_approved: campaign.approved_by.is_some(),
            gate,
            button: counted(if is_now {
                "review-schedule-now"
            } else {
                "review-schedule-at"
            }),
            approve_button: counted("review-approve"),
            id: campaign.id,
            phone,
            problems,
            shell,
        }
    }

    fn may_withdraw(&self) -> bool {
        self.is_approved && self.shell.may(Permission::CampaignsApprove)
    }
}

fn needs_approval(review: &Review) -> Option<i64> {
    review
        .corp
        .approval_over
        .filter(|limit| review.plan.eligible > *limit)
}

fn gate(me: &Operator, review: &Review) -> Gate {
    let is_mine = review.campaign.is_written_by(&me.actor().to_string());
    match needs_approval(review) {
        _ if review.plan.eligible == 0 => Gate::Nobody,
        Some(_) if review.campaign.approved_by.is_none() => {
            if !is_mine && me.may(Permission::CampaignsApprove) {
                Gate::MayApprove
            } else {
                Gate::Waiting
            }
        }
        _ => Gate::Open,
    }
}

fn answer(review: &Review, shell: &Shell) -> String {
    let (associates, count) = (
        say::count(review.plan.associates),
        say::count(review.plan.eligible),
    );
    let who = [("associates", associates.as_str()), ("count", count.as_str())];
    match &review.campaign.send_at {
        _ if review.plan.eligible == 0 => shell.t("review-answer-nobody"),
        None => shell.with("review-answer-now", &who),
        Some(at) => {
            let when = spoken(at, &review.campaign.zone, shell);
            shell.with("review-answer-at", &[("when", when.as_str()), who[0], who[1]])
        }
    }
}

fn mode(mode: QuotaMode, shell: &Shell) -> String {
    match mode {
        QuotaMode::MonthDays => shell.t("review-quota-mode-month"),
        QuotaMode::PerWeek(times) => shell.with("review-quota-mode-week", &[("times", &say::count(times))]),
        QuotaMode::PerDay(times) => shell.with("review-quota-mode-day", &[("times", &say::count(times))]),
    }
}

fn left(plan: &QuotaPlan, shell: &Shell) -> Vec<(String, String, String, bool)> {
    let mut rows: Vec<_> = plan.left_after.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.left));
    let row = |row: &&campaigns::LeftAfter| {
        let word = match row.left {
            ..=0 => shell.t("review-quota-used"),
            1 => shell.t("review-quota-last"),
            left => shell.with("review-quota-left", &[("left", &say::count(left))]),
        };
        let share = (plan.eligible > 0).then(|| row.contacts as f64 / plan.eligible as f64);
        (word, say::count(row.contacts), say::percent(share), row.left <= 0)
    };
    rows.iter().map(row).collect()
}

fn frees(plan: &QuotaPlan, shell: &Shell) -> Option<String> {
    let used = plan
        .blocked
        .iter()
        .find(|blocked| blocked.reason == "quota_used" && blocked.contacts > 0)?;
    let when = shell.when(&used.frees_at?);
    Some(shell.with(
        "review-quota-frees",
        &[("count", &say::count(used.contacts)), ("when", &when)],
    ))
}

fn holdout(review: &Review, shell: &Shell) -> String {
    match review.campaign.holdout_percent {
        0 => shell.t("review-holdout-none"),
        percent => {
            let (share, count) = (format!("{percent}%"), say::count(review.plan.holdout));
            shell.with("review-holdout-value", &[("share", &share), ("count", &count)])
        }
    }
}

fn content(campaign: &Campaign, shell: &Shell) -> String {
    let size = say::count(campaign.content.text.chars().count() as i64);
    let count = say::count(campaign.content.attachments.len() as i64);
    shell.with("review-content-value", &[("size", &size), ("count", &count)])
}

fn time(campaign: &Campaign, shell: &Shell) -> String {
    let start = match &campaign.send_at {
        Some(at) => spoken(at, &campaign.zone, shell),
        None => shell.t("compose-now"),
    };
    match &campaign.deadline {
        Some(deadline) => {
            let when = spoken(deadline, &campaign.zone, shell);
            format!("{start} · {}", shell.with("review-deadline", &[("when", &when)]))
        }
        None => start,
    }
}

fn senders(plan: &QuotaPlan, shell: &Shell) -> String {
    let each = if plan.associates > 0 {
        (plan.eligible as f64 / plan.associates as f64).round() as i64
    } else {
        0
    };
    let (associates, each) = (say::count(plan.associates), say::count(each));
    shell.with(
        "review-senders-value",
        &[("associates", &associates), ("each", &each)],
    )
}

fn approval(me: &Operator, review: &Review, shell: &Shell) -> String {
    match (&review.campaign.approved_by, needs_approval(review)) {
        (Some(by), _) => {
            let name = if *by == me.actor().to_string() {
                me.name.clone()
            } else {
                shell.t("review-someone")
            };
            shell.with("review-approval-done", &[("name", &name)])
        }
        (None, Some(limit)) => shell.with("review-approval-needed", &[("limit", &say::count(limit))]),
        (None, None) => shell.t("review-approval-unneeded"),
    }
}

pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
) -> Result<Show<ReviewPage>> {
    page(&app, shell, &me, id, Vec::new()).await
}

async fn page(
    app: &App,
    shell: Shell,
    me: &Operator,
    id: CampaignId,
    problems: Vec<FieldProblem>,
) -> Result<Show<ReviewPage>> {
    let campaign = draft(app, me, id).await?;
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let (plan, problems) = match plan_of(app, me, &corp, &campaign).await {
        // Something its rule names is gone: nobody can be found until it is changed.
        Err(Error::Invalid(gone)) => (QuotaPlan::default(), refused(&shell, Error::Invalid(gone))?),
        plan => (plan?, problems),
    };
    let audience = match campaign.segment_id {
        Some(segment) => match segments::find(&app.db, &me.scope, segment).await {
            Err(Error::NotFound) => String::new(),
            found => found?.name,
        },
        None => sentence(&campaign.rule, &names(app, me, [&campaign.rule]).await?, &shell),
    };
    let time = campaign
        .send_at
        .as_deref()
        .map(|at| spoken(at, &campaign.zone, &shell));
    let phone = phone_of(&shell, me, &campaign.content, time.unwrap_or_default());
    let review = Review {
        campaign: &campaign,
        plan: &plan,
        corp: &corp,
        audience,
    };
    Ok(Show(ReviewPage::new(shell, me, &review, phone, problems)))
}

pub(super) async fn schedule(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let done = campaigns::schedule(&app, &app.act(me.actor()), &me.scope, id).await;
    match done {
        Ok(()) => Ok(shell.go_saying(&format!("/campaigns/{id}"), "toast-review-scheduled", &[])),
        Err(error @ (Error::Invalid(_) | Error::Conflict(_))) => {
            let wrong = refused(&shell, error)?.into_iter().map(shown_here).collect();
            let shell = Shell {
                address: format!("/campaigns/{id}/review"),
                ..shell
            };
            let page = page(&app, shell.clone(), &me, id, wrong).await?;
            Ok(shell.refused(page))
        }
        Err(error) => Err(error.into()),
    }
}

/// The page shows the content as one line, under the text's name.
fn shown_here(problem: FieldProblem) -> FieldProblem {
    match problem.field.as_str() {
        "audience" | "text" | "date" | "deadline" | "" => problem,
        _ => FieldProblem {
            field: "text".into(),
            ..problem
        },
    }
}

pub(super) async fn approve(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    campaigns::approve(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/campaigns/{id}/review"), "toast-review-approved", &[]))
}

pub(super) async fn withdraw(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    campaigns::withdraw_approval(&app, &app.act(me.actor()), &me.scope, id).await?;
    Ok(shell.go_saying(&format!("/campaigns/{id}/review"), "toast-review-withdrawn", &[]))
}

pub(super) async fn delete(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    campaigns::delete(&tx, &app.act(me.actor()), &me.scope, id).await?;
    tx.commit().await?;
    Ok(shell.go_saying("/campaigns", "toast-review-deleted", &[]))
}
