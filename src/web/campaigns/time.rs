//! Third page of the composer: when, until when, and what else goes out that day.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{NaiveDateTime, NaiveTime};
use serde::Deserialize;

use super::steps::{Steps, refused};
use super::{draft, instant};
use crate::app::App;
use crate::auth::Operator;
use crate::campaigns::{self, Campaign, CampaignChange, CampaignState};
use crate::directory;
use crate::error::{Error, said};
use crate::ids::CampaignId;
use crate::page::PageOf;
use crate::web::figures as say;
use crate::web::shell::FieldProblem;
use crate::web::{Form, Path, Result, Shell, Show};

/// Scheduled campaigns looked through for the same day.
const LOOKED_THROUGH: i64 = 100;
const WALL_CLOCK: &str = "%Y-%m-%dT%H:%M";
const DEADLINES: [&str; 4] = ["none", "same", "24", "48"];

/// As typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    #[serde(rename = "do")]
    pub action: String,
    /// `now` or `at`.
    pub when: String,
    pub date: String,
    pub clock: String,
    /// One of [`DEADLINES`], or a wall-clock time that was set before.
    pub deadline: String,
}

impl Fields {
    pub fn of(campaign: &Campaign) -> Self {
        let (date, clock) = match campaign.send_at.as_deref().and_then(|at| at.split_once('T')) {
            Some((date, clock)) => (date.to_owned(), clock.to_owned()),
            None => (String::new(), String::new()),
        };
        Self {
            action: String::new(),
            when: if campaign.send_at.is_some() { "at" } else { "now" }.into(),
            date,
            clock,
            deadline: campaign.deadline.clone().unwrap_or_else(|| "none".into()),
        }
    }

    /// The start as wall-clock text; `None`: now.
    fn send_at(&self) -> crate::error::Result<Option<String>> {
        if self.when != "at" {
            return Ok(None);
        }
        let typed = format!("{}T{}", self.date, self.clock.get(..5).unwrap_or_default());
        match NaiveDateTime::parse_from_str(&typed, WALL_CLOCK) {
            Ok(at) => Ok(Some(at.format(WALL_CLOCK).to_string())),
            Err(_) => Err(Error::invalid(
                "/send_at",
                said!(
                    "refused-date",
                    "`{typed}` is not a date and a time",
                    typed = typed
                ),
            )),
        }
    }

    /// The deadline as wall-clock text, counted from the start; `now` is the wall clock now.
    fn deadline(&self, send_at: Option<&str>, now: NaiveDateTime) -> Option<String> {
        let start = send_at
            .and_then(|at| NaiveDateTime::parse_from_str(at, WALL_CLOCK).ok())
            .unwrap_or(now);
        let end = match self.deadline.as_str() {
            "none" | "" => return None,
            "same" => start
                .date()
                .and_time(NaiveTime::from_hms_opt(18, 0, 0).expect("18:00 is a time")),
            "24" => start + chrono::Duration::hours(24),
            "48" => start + chrono::Duration::hours(48),
            kept => return Some(kept.to_owned()),
        };
        Some(end.format(WALL_CLOCK).to_string())
    }
}

/// Another campaign of that day.
pub struct Neighbour {
    pub clock: String,
    pub name: String,
    pub link: String,
}

#[derive(Template)]
#[template(path = "campaigns/time.html")]
pub struct TimePage {
    pub shell: Shell,
    pub steps: Steps,
    pub problems: Vec<FieldProblem>,
    pub id: CampaignId,
    pub fields: Fields,
    pub clock_label: String,
    /// Value, words, whether it is the one.
    pub deadlines: Vec<(String, String, bool)>,
    /// `None` while no day is set.
    pub same_day: Option<Vec<Neighbour>>,
}

impl TimePage {
    pub fn new(
        shell: Shell,
        id: CampaignId,
        fields: Fields,
        zone: &str,
        scheduled: &[Campaign],
        problems: Vec<FieldProblem>,
    ) -> Self {
        let place = if zone == "Asia/Shanghai" {
            shell.t("compose-zone-shanghai")
        } else {
            zone.to_owned()
        };
        Self {
            steps: Steps::new(&shell, Some(id), 2),
            clock_label: shell.with("compose-clock", &[("zone", &place)]),
            deadlines: deadlines(&fields, &shell, zone),
            same_day: (!fields.date.is_empty()).then(|| same_day(id, &fields.date, scheduled)),
            problems,
            id,
            fields,
            shell,
        }
    }

    fn has_problem(&self, field: &str) -> bool {
        self.problems.iter().any(|problem| problem.field == field)
    }
}

fn deadlines(fields: &Fields, shell: &Shell, zone: &str) -> Vec<(String, String, bool)> {
    let choice = |value: &str| {
        let word = shell.t(&format!("compose-deadline-{value}"));
        (value.to_owned(), word, value == fields.deadline)
    };
    let mut choices: Vec<_> = DEADLINES.into_iter().map(choice).collect();
    if !DEADLINES.contains(&fields.deadline.as_str()) && !fields.deadline.is_empty() {
        let when = spoken(&fields.deadline, zone, shell);
        let word = shell.with("compose-deadline-keep", &[("when", &when)]);
        choices.push((fields.deadline.clone(), word, true));
    }
    choices
}

/// A wall-clock time as people say it: `11 月 22 日（周日）10:00`.
pub(super) fn spoken(text: &str, zone_name: &str, shell: &Shell) -> String {
    let Some(at) = instant(text, zone_name) else {
        return text.to_owned();
    };
    let zone = crate::time::zone(zone_name).unwrap_or(shell.zone);
    let day = at.day(zone);
    let (date, weekday) = (
        say::day(day, shell.today(), shell.lang),
        say::weekday_word(day.weekday() as usize, shell.lang),
    );
    shell.with(
        "spoken-time",
        &[
            ("date", &date),
            ("weekday", &weekday),
            ("clock", &say::clock(at, zone)),
        ],
    )
}

fn same_day(id: CampaignId, date: &str, scheduled: &[Campaign]) -> Vec<Neighbour> {
    let of_day = |campaign: &&Campaign| {
        campaign.id != id && campaign.send_at.as_deref().is_some_and(|at| at.starts_with(date))
    };
    let neighbour = |campaign: &Campaign| Neighbour {
        clock: campaign
            .send_at
            .as_deref()
            .and_then(|at| at.get(11..16))
            .unwrap_or_default()
            .to_owned(),
        name: campaign.name.clone(),
        link: format!("/campaigns/{}", campaign.id),
    };
    let mut found: Vec<Neighbour> = scheduled.iter().filter(of_day).map(neighbour).collect();
    found.sort_by(|one, other| one.clock.cmp(&other.clock));
    found
}

pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
) -> Result<Show<TimePage>> {
    let campaign = draft(&app, &me, id).await?;
    page(&app, shell, &me, &campaign, Fields::of(&campaign), Vec::new()).await
}

pub(super) async fn change(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Form(fields): Form<Fields>,
) -> Result<Response> {
    let campaign = draft(&app, &me, id).await?;
    match save(&app, &me, &campaign, &fields).await {
        Ok(()) if fields.action == "draft" => {
            Ok(shell.go_saying("/campaigns", "toast-compose-draft-saved", &[]))
        }
        Ok(()) => Ok(shell.go(&format!("/campaigns/{id}/review"))),
        Err(error) => {
            let wrong = refused(&shell, error)?;
            let page = page(&app, shell.clone(), &me, &campaign, fields, wrong).await?;
            Ok(shell.refused(page))
        }
    }
}

async fn save(app: &App, me: &Operator, campaign: &Campaign, fields: &Fields) -> crate::error::Result<()> {
    let send_at = fields.send_at()?;
    let zone = crate::time::zone(&campaign.zone).unwrap_or(me.zone);
    let deadline = fields.deadline(send_at.as_deref(), app.now().local(zone).naive_local());
    let change = CampaignChange {
        send_at: Some(send_at),
        deadline: Some(deadline),
        ..CampaignChange::default()
    };
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let tx = app.db.begin().await?;
    campaigns::change(&tx, &app.act(me.actor()), &me.scope, &corp, campaign.id, change).await?;
    tx.commit().await
}

async fn page(
    app: &App,
    shell: Shell,
    me: &Operator,
    campaign: &Campaign,
    fields: Fields,
    problems: Vec<FieldProblem>,
) -> Result<Show<TimePage>> {
    let state = Some(CampaignState::Scheduled);
    let scheduled = campaigns::list(&app.db, &me.scope, state, &PageOf::first(LOOKED_THROUGH)).await?;
    Ok(Show(TimePage::new(
        shell,
        campaign.id,
        fields,
        &campaign.zone,
        &scheduled.items,
        problems,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_on_the_wall_clock() {
        let now = NaiveDateTime::parse_from_str("2026-11-23T10:30", WALL_CLOCK).unwrap();
        let fields = |when: &str, date: &str, clock: &str, deadline: &str| Fields {
            when: when.into(),
            date: date.into(),
            clock: clock.into(),
            deadline: deadline.into(),
            ..Fields::default()
        };
        let at = fields("at", "2026-11-29", "10:00:00", "same");
        let start = at.send_at().unwrap();
        assert_eq!(start.as_deref(), Some("2026-11-29T10:00"));
        assert_eq!(
            at.deadline(start.as_deref(), now).as_deref(),
            Some("2026-11-29T18:00")
        );
        let soon = fields("now", "", "", "24");
        assert_eq!(soon.send_at().unwrap(), None);
        assert_eq!(soon.deadline(None, now).as_deref(), Some("2026-11-24T10:30"));
        assert_eq!(
            fields("now", "", "", "2026-11-30T09:00")
                .deadline(None, now)
                .as_deref(),
            Some("2026-11-30T09:00")
        );
        for (date, clock) in [
            ("", "10:00"),
            ("2026-02-30", "10:00"),
            ("2026-11-29", ""),
            ("2026-11-29", "25:00"),
        ] {
            assert!(
                fields("at", date, clock, "none").send_at().is_err(),
                "{date} {clock}"
            );
        }
    }
}
