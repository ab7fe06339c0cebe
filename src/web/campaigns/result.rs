//! What a campaign really earned: against those held back, with an interval, and down the funnel.

use askama::Template;
use axum::extract::State;

use super::list::class;
use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::campaigns::{self, Campaign, CampaignState, Lift, Progress};
use crate::error::Error;
use crate::ids::CampaignId;
use crate::money::Fen;
use crate::web::charts::{Funnel, Interval, Kpi, Kpis, at, share};
use crate::web::figures as say;
use crate::web::report::funnel_rate;
use crate::web::{Path, Result, Shell, Show};

/// One side of the comparison.
pub struct Side {
    pub people: String,
    pub rate: String,
    pub width: String,
}

#[derive(Template)]
#[template(path = "campaigns/result.html")]
pub struct ResultPage {
    pub shell: Shell,
    pub id: CampaignId,
    pub name: String,
    pub state_word: String,
    pub state_class: &'static str,
    pub when: String,
    pub answer: String,
    pub lede: String,
    pub kpis: Kpis,
    pub funnel: Funnel,
    /// Treated and held out; `None` without a hold-out.
    pub sides: Option<(Side, Side)>,
    pub points: String,
    pub interval: Option<Interval>,
    pub note: String,
    /// For another like it.
    pub again: Option<String>,
    pub is_final: bool,
}

impl ResultPage {
    pub fn new(shell: Shell, campaign: &Campaign, progress: &Progress, lift: &Lift) -> Self {
        let orders = say::count(progress.orders);
        let points = lift.points.map(signed).unwrap_or_default();
        Self {
            id: campaign.id,
            name: campaign.name.clone(),
            state_word: shell.t(&format!("campaign-{}", campaign.state.as_str())),
            state_class: class(campaign.state),
            when: when(campaign, &shell),
            answer: answer(campaign, progress, lift, &shell),
            lede: lede(progress, lift, &shell),
            kpis: Kpis {
                class: "four",
                tiles: kpis(progress, &shell),
            },
            funnel: funnel(progress, &shell),
            sides: sides(lift),
            interval: interval(lift, &points, &shell),
            points,
            note: shell.with("result-note", &[("orders", &orders)]),
            again: again(campaign, &shell),
            is_final: campaign.state.is_final(),
            shell,
        }
    }
}

fn when(campaign: &Campaign, shell: &Shell) -> String {
    let from = campaign
        .started_at
        .or(campaign.starts_at)
        .map(|at| shell.when(&at));
    let until = campaign.finished_at.map(|at| shell.when(&at));
    let both: Vec<String> = from.into_iter().chain(until).collect();
    match both.is_empty() {
        true => String::new(),
        false => format!("{} · {}", both.join(" – "), shell.t("result-span")),
    }
}

fn rate(buyers: i64, people: i64) -> Option<f64> {
    (people > 0).then(|| buyers as f64 / people as f64)
}

/// Percentage points with their sign: `+1.86`.
fn signed(points: f64) -> String {
    let text = say::decimal(points, 2);
    if points > 0.0 { format!("+{text}") } else { text }
}

fn answer(campaign: &Campaign, progress: &Progress, lift: &Lift, shell: &Shell) -> String {
    let treated = say::percent(rate(lift.treated_buyers, lift.treated));
    let held = say::percent(rate(lift.held_out_buyers, lift.held_out));
    let rates = [("treated", treated.as_str()), ("held", held.as_str())];
    match (lift.points, lift.incremental_fen) {
        _ if campaign.state == CampaignState::Missed => shell.t("result-answer-missed"),
        _ if progress.sent == 0 => shell.t("result-answer-nobody"),
        (Some(points), Some(fen)) if points > 0.0 && fen > 0 => {
            let orders = say::count((points / 100.0 * lift.treated as f64).round() as i64);
            let money = say::short_money(Fen(fen), shell.lang);
            let more = [
                ("orders", orders.as_str()),
                ("money", money.as_str()),
                rates[0],
                rates[1],
            ];
            shell.with("result-answer-more", &more)
        }
        (Some(_), _) => shell.with("result-answer-less", &rates),
        (None, _) => {
            let (sent, buyers) = (say::count(progress.sent), say::count(progress.buyers));
            let money = say::short_money(progress.net_fen, shell.lang);
            shell.with(
                "result-answer-no-holdout",
                &[("sent", &sent), ("buyers", &buyers), ("money", &money)],
            )
        }
    }
}

fn lede(progress: &Progress, lift: &Lift, shell: &Shell) -> String {
    match (lift.points, lift.low, lift.high) {
        _ if progress.sent == 0 => String::new(),
        (Some(points), Some(low), Some(high)) => {
            let is_sure = low > 0.0 || high < 0.0;
            let key = if is_sure {
                "result-lede-sure"
            } else {
                "result-lede-unsure"
            };
            let (points, low, high) = (signed(points), signed(low), signed(high));
            shell.with(key, &[("points", &points), ("low", &low), ("high", &high)])
        }
        _ => shell.t("result-lede-no-holdout"),
    }
}

fn kpis(progress: &Progress, shell: &Shell) -> Vec<Kpi> {
    let ratio = |part: i64, whole: i64| say::percent(rate(part, whole));
    let (money, unit) = say::headline(progress.net_fen, shell.lang);
    let opened = say::count(progress.clickers);
    let open = rate(progress.clickers, progress.sent);
    let tile = |key: &str, value: String, unit: String, change: String, baseline: String| Kpi {
        label: shell.t(key),
        value,
        unit,
        change,
        baseline,
        ..Kpi::default()
    };
    vec![
        tile(
            "result-money",
            money,
            unit.to_owned(),
            String::new(),
            String::new(),
        ),
        tile(
            "result-orders",
            say::count(progress.orders),
            shell.t("unit-orders"),
            ratio(progress.buyers, progress.eligible),
            shell.t("result-orders-share"),
        ),
        tile(
            "result-open",
            open.map_or_else(|| say::NONE.to_owned(), say::hundredths),
            if open.is_some() { "%".into() } else { String::new() },
            String::new(),
            shell.with("result-open-people", &[("count", &opened)]),
        ),
        tile(
            "result-lost",
            say::count(progress.failed),
            shell.t("unit-people"),
            ratio(progress.failed, progress.eligible),
            shell.t("result-lost-share"),
        ),
    ]
}

fn funnel(progress: &Progress, shell: &Shell) -> Funnel {
    let steps = [
        ("result-targeted", progress.targeted),
        ("result-eligible", progress.eligible),
        ("result-delivered", progress.sent),
        ("result-opened", progress.clickers),
        ("result-bought", progress.buyers),
    ];
    let steps = steps
        .into_iter()
        .map(|(key, people)| (shell.t(key), people))
        .collect();
    Funnel::new(steps, say::count, |rate, is_lowest| {
        funnel_rate(rate, is_lowest, shell)
    })
}

fn sides(lift: &Lift) -> Option<(Side, Side)> {
    let (treated, held) = (
        rate(lift.treated_buyers, lift.treated)?,
        rate(lift.held_out_buyers, lift.held_out)?,
    );
    let most = treated.max(held).max(f64::MIN_POSITIVE);
    let side = |people: i64, rate: f64| Side {
        people: say::count(people),
        rate: say::percent(Some(rate)),
        width: at(share((rate / most * 1_000.0).round() as i64, 1_000)),
    };
    Some((side(lift.treated, treated), side(lift.held_out, held)))
}

fn interval(lift: &Lift, points: &str, shell: &Shell) -> Option<Interval> {
    let (mean, low, high) = (lift.points?, lift.low?, lift.high?);
    let (low_word, high_word) = (signed(low), signed(high));
    let title = shell.with(
        "result-interval",
        &[("points", points), ("low", &low_word), ("high", &high_word)],
    );
    let words = [shell.t("result-zero"), low_word, points.to_owned(), high_word];
    Some(Interval::new(low, mean, high, title, words))
}

fn again(campaign: &Campaign, shell: &Shell) -> Option<String> {
    if !shell.may(Permission::CampaignsWrite) {
        return None;
    }
    Some(match campaign.segment_id {
        Some(segment) => format!("/campaigns/new?segment={segment}"),
        None => {
            let rule = serde_json::to_string(&campaign.rule).expect("a rule is plain data");
            format!("/campaigns/new?rule={}", shell.encode(&rule))
        }
    })
}

/// The result so far, also while it runs.
pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
) -> Result<Show<ResultPage>> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    if campaign.state == CampaignState::Draft {
        return Err(Error::NotFound.into());
    }
    Ok(Show(page(&app, shell, &me, campaign).await?))
}

pub(super) async fn page(app: &App, shell: Shell, me: &Operator, campaign: Campaign) -> Result<ResultPage> {
    let progress = campaigns::progress(&app.db, &me.scope, campaign.id).await?;
    let lift = campaigns::lift(&app.db, &me.scope, campaign.id).await?;
    Ok(ResultPage::new(shell, &campaign, &progress, &lift))
}
