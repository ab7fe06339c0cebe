//! A scheduled or running campaign: how many are out, who is late, and what can be done about it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::list::class;
use super::result;
use super::result::ResultPage;
use crate::app::App;
use crate::auth::{Operator, Permission};
use crate::campaigns::{self, Campaign, CampaignState, Progress, SpeedPoint, StoreProgress};
use crate::error::Error;
use crate::ids::{CampaignId, StoreId};
use crate::web::charts::{Kpi, Kpis, Line, Mark, Part, Series, Stack, at, share};
use crate::web::figures as say;
use crate::web::{Path, Query, Result, Shell, Show};

/// Stores in the table; the ones behind come first.
const STORES: usize = 30;

/// Everything one look at a running campaign needs.
pub struct Live {
    pub campaign: Campaign,
    pub progress: Progress,
    pub stores: Vec<StoreProgress>,
    pub speed: Vec<SpeedPoint>,
}

pub struct StoreLine {
    pub id: Option<StoreId>,
    pub name: String,
    pub width: String,
    pub is_behind: bool,
    pub is_done: bool,
    pub sent: String,
    pub confirmed: String,
    pub share: String,
}

/// The part that renews itself.
#[derive(Template)]
#[template(path = "campaigns/live_part.html")]
pub struct LivePart {
    pub shell: Shell,
    pub id: CampaignId,
    pub state: CampaignState,
    pub state_word: String,
    pub state_class: &'static str,
    pub when: String,
    pub answer: String,
    pub lede: String,
    pub share: String,
    pub of: String,
    pub bar: Stack,
    pub waiting: i64,
    pub remind: String,
    pub kpis: Kpis,
    pub speed: Option<Line>,
    pub failed_title: String,
    pub failed: Vec<(String, String)>,
    pub excluded_title: String,
    pub excluded: Vec<(String, String)>,
    pub stores: Vec<StoreLine>,
    pub more_stores: Option<String>,
    pub is_by_name: bool,
}

impl askama::filters::HtmlSafe for LivePart {}

#[derive(Template)]
#[template(path = "campaigns/live.html")]
pub struct LivePage {
    pub shell: Shell,
    pub id: CampaignId,
    pub name: String,
    pub is_moving: bool,
    pub poll: String,
    pub part: LivePart,
}

impl LivePage {
    pub fn new(shell: Shell, live: &Live, is_by_name: bool) -> Self {
        let sort = if is_by_name { "?sort=name" } else { "" };
        Self {
            id: live.campaign.id,
            name: live.campaign.name.clone(),
            is_moving: live.campaign.state != CampaignState::Paused,
            poll: format!("/campaigns/{}/live{sort}", live.campaign.id),
            part: LivePart::new(shell.clone(), live, is_by_name),
            shell,
        }
    }
}

impl LivePart {
    pub fn new(shell: Shell, live: &Live, is_by_name: bool) -> Self {
        let Live {
            campaign,
            progress,
            stores,
            speed,
        } = live;
        let waiting = progress.associates - progress.associates_confirmed;
        let counted = |key: &str, count: i64| shell.with(key, &[("count", &say::count(count))]);
        let (sent, eligible) = (say::count(progress.sent), say::count(progress.eligible));
        let done = (progress.eligible > 0).then(|| progress.sent as f64 / progress.eligible as f64);
        Self {
            id: campaign.id,
            state: campaign.state,
            state_word: shell.t(&format!("campaign-{}", campaign.state.as_str())),
            state_class: class(campaign.state),
            when: when(campaign, &shell),
            answer: answer(live, waiting, &shell),
            lede: lede(live, &shell),
            share: say::percent(done),
            of: shell.with("live-of", &[("sent", &sent), ("eligible", &eligible)]),
            bar: bar(progress, &shell),
            waiting,
            remind: counted("live-remind", waiting),
            kpis: Kpis {
                class: "four",
                tiles: kpis(progress, &shell),
            },
            speed: speed_chart(speed, &shell),
            failed_title: counted("live-reasons", progress.failed),
            failed: reasons(progress, "failed", &shell),
            excluded_title: counted("live-excluded-title", progress.excluded),
            excluded: reasons(progress, "excluded", &shell),
            stores: store_lines(stores, is_by_name, &shell),
            more_stores: (stores.len() > STORES)
                .then(|| counted("live-stores-more", (stores.len() - STORES) as i64)),
            is_by_name,
            shell,
        }
    }

    fn may_write(&self) -> bool {
        self.shell.may(Permission::CampaignsWrite)
    }

    fn may_remind(&self) -> bool {
        self.waiting > 0
            && self.state == CampaignState::Running
            && self.shell.may(Permission::CampaignsRemind)
    }

    fn is_scheduled(&self) -> bool {
        self.state == CampaignState::Scheduled
    }

    fn is_running(&self) -> bool {
        self.state == CampaignState::Running
    }

    fn is_paused(&self) -> bool {
        self.state == CampaignState::Paused
    }
}

fn when(campaign: &Campaign, shell: &Shell) -> String {
    let mut parts = Vec::new();
    if let Some(from) = campaign.started_at.or(campaign.starts_at) {
        parts.push(shell.with("live-started", &[("from", &shell.when(&from))]));
    }
    if let Some(until) = campaign.ends_at {
        parts.push(shell.with("live-ends", &[("until", &shell.when(&until))]));
    }
    if campaign.state == CampaignState::Running {
        parts.push(shell.t("live-refresh"));
    }
    parts.join(" · ")
}

fn answer(live: &Live, waiting: i64, shell: &Shell) -> String {
    let Live {
        campaign, progress, ..
    } = live;
    let (sent, late) = (say::count(progress.sent), say::count(waiting));
    match campaign.state {
        CampaignState::Scheduled => {
            let when = campaign.starts_at.map(|at| shell.when(&at)).unwrap_or_default();
            let count = say::count(progress.eligible);
            shell.with("live-answer-scheduled", &[("when", &when), ("count", &count)])
        }
        CampaignState::Paused => shell.with("live-answer-paused", &[("sent", &sent)]),
        _ if progress.sent == 0 && progress.tasked == 0 && progress.planned > 0 => shell.with(
            "live-answer-planned",
            &[("planned", &say::count(progress.planned))],
        ),
        _ if waiting > 0 => shell.with("live-answer", &[("sent", &sent), ("waiting", &late)]),
        _ => shell.with("live-answer-all", &[("sent", &sent)]),
    }
}

fn lede(live: &Live, shell: &Shell) -> String {
    if live.campaign.state == CampaignState::Scheduled {
        return shell.t("live-lede-scheduled");
    }
    // Furthest behind first: the one to call is the first that has anything left.
    let behind = live
        .stores
        .iter()
        .find(|store| store.associates_confirmed < store.associates);
    match behind {
        Some(store) => {
            let left = say::count(store.eligible - store.sent);
            shell.with(
                "live-lede-behind",
                &[("store", &store.store_name), ("left", &left)],
            )
        }
        None => shell.t("live-lede-even"),
    }
}

/// Every state on its own: made into a task is not sent.
fn bar(progress: &Progress, shell: &Shell) -> Stack {
    let part = |class: &'static str, key: &str, count: i64| {
        Part::new(class, shell.with(key, &[("count", &say::count(count))]), count)
    };
    let rare = [
        part("c3", "live-unknown", progress.unknown),
        part("c4", "live-expired", progress.expired),
        part("c4", "live-cancelled", progress.cancelled),
        part("e", "live-planned", progress.planned),
    ];
    let mut parts = vec![
        part("c1", "live-sent", progress.sent),
        part("c2", "live-failed", progress.failed),
        part("e", "live-tasked", progress.tasked),
    ];
    parts.extend(rare.into_iter().filter(|part| part.value > 0));
    let (sent, eligible) = (say::count(progress.sent), say::count(progress.eligible));
    Stack::new(
        shell.with("live-bar", &[("sent", &sent), ("eligible", &eligible)]),
        parts,
    )
}

fn ratio(part: i64, whole: i64) -> String {
    say::percent((whole > 0).then(|| part as f64 / whole as f64))
}

fn kpis(progress: &Progress, shell: &Shell) -> Vec<Kpi> {
    let tile = |key: &str, value: i64, unit: String, change: String, baseline: String| Kpi {
        label: shell.t(key),
        value: say::count(value),
        unit,
        change,
        baseline,
        ..Kpi::default()
    };
    let average = match progress.orders {
        0 => shell.t("live-orders-none"),
        orders => {
            let amount = say::yuan(crate::money::Fen(progress.net_fen.0 / orders));
            shell.with("live-orders-average", &[("amount", &amount)])
        }
    };
    let all = say::count(progress.associates);
    vec![
        tile(
            "live-confirmed",
            progress.associates_confirmed,
            shell.with("live-confirmed-of", &[("all", &all)]),
            ratio(progress.associates_confirmed, progress.associates),
            String::new(),
        ),
        tile(
            "live-clickers",
            progress.clickers,
            shell.t("unit-persons"),
            ratio(progress.clickers, progress.sent),
            shell.t("live-clickers-share"),
        ),
        tile(
            "live-orders",
            progress.orders,
            shell.t("unit-orders"),
            say::short_money(progress.net_fen, shell.lang),
            average,
        ),
        tile(
            "live-excluded",
            progress.excluded,
            shell.t("unit-people"),
            ratio(progress.excluded, progress.targeted),
            shell.t("live-excluded-share"),
        ),
    ]
}

fn speed_chart(speed: &[SpeedPoint], shell: &Shell) -> Option<Line> {
    if speed.iter().all(|point| point.sent == 0) {
        return None;
    }
    let labels = speed
        .iter()
        .map(|point| say::clock(point.at, shell.zone))
        .collect();
    let sent = speed.iter().map(|point| point.sent).collect();
    let series = Series::new(shell.t("live-store-sent"), sent, say::count);
    Line::new(labels, series, None, Mark::Last, say::count, |_, sent| {
        say::count(sent)
    })
    .map(|line| line.titled(shell.t("live-speed"), shell.t("show-numbers")))
}

const REASONS: [&str; 8] = [
    "opted_out",
    "holdout",
    "quota_used",
    "no_associate",
    "not_friend",
    "not_handed",
    "not_confirmed",
    "cancelled",
];

/// Why a contact got nothing, in words.
pub(super) fn reason_word(reason: &str, shell: &Shell) -> String {
    if REASONS.contains(&reason) {
        shell.t(&format!("reason-{reason}"))
    } else {
        shell.with("reason-other", &[("reason", reason)])
    }
}

fn reasons(progress: &Progress, state: &str, shell: &Shell) -> Vec<(String, String)> {
    let of_state = progress.reasons.iter().filter(|reason| reason.state == state);
    of_state
        .map(|reason| (reason_word(&reason.reason, shell), say::count(reason.contacts)))
        .collect()
}

fn store_lines(stores: &[StoreProgress], is_by_name: bool, shell: &Shell) -> Vec<StoreLine> {
    let mut stores: Vec<&StoreProgress> = stores.iter().collect();
    if is_by_name {
        stores.sort_by(|one, other| one.store_name.cmp(&other.store_name));
    }
    let line = |store: &&StoreProgress| StoreLine {
        id: store.store_id,
        name: match store.store_id {
            Some(_) => store.store_name.clone(),
            None => shell.t("live-store-none"),
        },
        width: at(share(store.sent, store.eligible)),
        is_behind: store.sent * 2 < store.eligible,
        is_done: store.associates_confirmed >= store.associates,
        sent: format!("{} / {}", say::count(store.sent), say::count(store.eligible)),
        confirmed: format!("{} / {}", store.associates_confirmed, store.associates),
        share: ratio(store.sent, store.eligible),
    };
    stores.iter().take(STORES).map(line).collect()
}

#[derive(Deserialize)]
pub(super) struct Sorted {
    #[serde(default)]
    sort: String,
}

/// A campaign as it is now: the composer for a draft, progress, or the result.
pub(super) async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Query(sorted): Query<Sorted>,
) -> Result<Response> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    match campaign.state {
        CampaignState::Draft if me.may(Permission::CampaignsWrite) => {
            Ok(shell.go(&format!("/campaigns/{id}/audience")))
        }
        CampaignState::Draft => Err(Error::NotFound.into()),
        state if state.is_final() => {
            let page: ResultPage = result::page(&app, shell, &me, campaign).await?;
            Ok(Show(page).into_response())
        }
        _ => {
            let live = look(&app, &me, campaign).await?;
            Ok(Show(LivePage::new(shell, &live, sorted.sort == "name")).into_response())
        }
    }
}

/// The renewing part alone, for the script.
pub(super) async fn part(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<CampaignId>,
    Query(sorted): Query<Sorted>,
) -> Result<Response> {
    let campaign = campaigns::find(&app.db, &me.scope, id).await?;
    if campaign.state == CampaignState::Draft {
        return Err(Error::NotFound.into());
    }
    let live = look(&app, &me, campaign).await?;
    Ok(Show(LivePart::new(shell, &live, sorted.sort == "name")).into_response())
}

async fn look(app: &App, me: &Operator, campaign: Campaign) -> Result<Live> {
    let id = campaign.id;
    Ok(Live {
        progress: campaigns::progress(&app.db, &me.scope, id).await?,
        stores: campaigns::by_store(&app.db, &me.scope, id).await?,
        speed: so_far(campaigns::speed(&app.db, &me.scope, id).await?, app.now()),
        campaign,
    })
}

/// The running hour ends now, not at its end.
fn so_far(mut speed: Vec<SpeedPoint>, now: crate::time::Timestamp) -> Vec<SpeedPoint> {
    for point in &mut speed {
        point.at = point.at.min(now);
    }
    speed
}
