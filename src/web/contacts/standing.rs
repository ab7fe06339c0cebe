//! How a customer stands today, on their page: figures, stage, scores, quota.

use askama::filters::Safe;

use super::card::ContactPage;
use crate::app::App;
use crate::auth::Operator;
use crate::campaigns::{self, QuotaLeft};
use crate::directory::{self, QuotaMode};
use crate::ids::ContactId;
use crate::segments::{self, Scored, Stage, Standing};
use crate::time::Timestamp;
use crate::web::{Result, Shell, format};

#[derive(Debug, Clone)]
pub struct Shown {
    pub standing: Standing,
    pub quota: QuotaLeft,
    pub mode: QuotaMode,
}

pub async fn shown(app: &App, shell: &Shell, me: &Operator, id: ContactId) -> Result<Shown> {
    let corp = directory::find_corp(&app.db, me.corp).await?;
    Ok(Shown {
        standing: segments::standing(app, &me.scope, id, corp.zone, shell.now).await?,
        quota: campaigns::quota_left(&app.db, &me.scope, &corp, id, shell.now).await?,
        mode: corp.quota_mode,
    })
}

/// A figure that is a day, as so many days ago.
pub struct Since {
    pub label: String,
    pub ago: String,
}

impl ContactPage {
    /// When they were added, ordered, and got a broadcast last.
    pub fn since(&self) -> Vec<Since> {
        let added = self.live().iter().map(|follow| follow.added_at).min();
        let since = |key: &str, at: Option<Timestamp>| Since {
            label: self.shell.t(key),
            ago: at.map_or_else(|| format::NONE.into(), |at| self.shell.ago(&at)),
        };
        vec![
            since("contacts-col-added", added),
            since("contacts-col-bought", self.card.last_order_at),
            since("contact-last-sent", self.shown.quota.last_sent_at),
        ]
    }

    pub fn stage(&self) -> Option<(String, &'static str)> {
        let stage = self.shown.standing.stage?;
        let (key, class) = match stage {
            Stage::New => ("stage-new", "i0"),
            Stage::Active => ("stage-active", "g"),
            Stage::Cooling => ("stage-cooling", "w"),
            Stage::Dormant => ("stage-dormant", ""),
            Stage::Lost => ("stage-lost", "r"),
        };
        Some((self.shell.t(key), class))
    }

    pub fn scores(&self) -> String {
        match self.shown.standing.rfm {
            Scored::Scores(scores) => self.shell.with(
                "contact-rfm",
                &[
                    ("r", &scores.r.to_string()),
                    ("f", &scores.f.to_string()),
                    ("m", &scores.m.to_string()),
                ],
            ),
            Scored::NoOrders => self.shell.t("contact-rfm-none"),
            Scored::Counting => self.shell.t("contact-rfm-counting"),
        }
    }

    /// What the scores are by.
    pub fn scored_at(&self) -> Option<String> {
        match self.shown.standing.rfm {
            Scored::Scores(scores) => {
                let when = self.shell.when(&scores.as_of);
                Some(self.shell.t1("contact-rfm-as-of", "when", when))
            }
            Scored::NoOrders | Scored::Counting => None,
        }
    }

    pub fn quota(&self) -> Safe<String> {
        let key = match self.shown.mode {
            QuotaMode::MonthDays => "contact-quota-month",
            QuotaMode::PerWeek(_) => "contact-quota-week",
            QuotaMode::PerDay(_) => "contact-quota-day",
        };
        let QuotaLeft { left, limit, .. } = self.shown.quota;
        self.shell
            .rich(key, &[("left", left.into()), ("limit", limit.into())])
    }

    pub fn is_quota_used(&self) -> bool {
        self.shown.quota.left == 0
    }

    pub fn renews(&self) -> String {
        let when = self.shell.when(&self.shown.quota.renews_at);
        self.shell.t1("contact-quota-renews", "when", when)
    }
}
