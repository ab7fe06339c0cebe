//! What the overview shows, worked out from the figures.

use askama::Template;

use crate::campaigns::{Campaign, Progress};
use crate::metrics::{Lang, Overview, RegionRow, StoreRow};
use crate::money::Fen;
use crate::time::Day;
use crate::web::Shell;
use crate::web::charts::{Columns, Kpi, Kpis, Spark, Tone, at, share};
use crate::web::figures as say;
use crate::web::report::{Days, by_day, kpi, kpi_change};
use crate::web::span::Shown;

/// Stores named on the card; the rest are in the table below.
const CALLS: usize = 3;

#[derive(Template)]
#[template(path = "overview/show.html")]
pub struct OverviewPage {
    pub shell: Shell,
    pub days: Days,
    pub stores: String,
    pub answer: String,
    pub watch: Option<String>,
    pub is_empty: bool,
    pub kpis: Kpis,
    pub regions: Vec<RegionLine>,
    pub total: RegionLine,
    pub now_word: String,
    pub before_word: String,
    pub daily: Option<Columns>,
    pub calls: Vec<CallLine>,
    pub calls_all: Option<String>,
    pub by_store: Vec<StoreLine>,
    pub running: Vec<RunningLine>,
}

/// A region, or all of them.
pub struct RegionLine {
    pub name: String,
    pub stores: String,
    pub sales: String,
    pub change: String,
    pub tone: Tone,
    pub online: String,
    pub tasks: String,
    pub spark: Spark,
}

pub struct CallLine {
    pub name: String,
    pub link: String,
    pub note: String,
    pub change: String,
}

pub struct StoreLine {
    pub name: String,
    pub region: String,
    pub link: String,
    pub sales: String,
    pub change: String,
    pub tone: Tone,
    pub new_contacts: String,
    pub waiting: String,
}

pub struct RunningLine {
    pub name: String,
    pub link: String,
    pub note: String,
    pub width: String,
}

impl OverviewPage {
    pub fn new(
        shell: Shell,
        overview: &Overview,
        before: &[Fen],
        sentences: (String, Option<String>),
        running: &[(Campaign, Progress)],
        shown: &Shown,
        today: Day,
    ) -> Self {
        let words = shell.clone();
        let period = shown.period.as_str();
        let (now_word, before_word) = (
            words.t(&format!("now-{period}")),
            words.t(&format!("before-{period}")),
        );
        let falling: Vec<&StoreRow> = overview
            .by_store
            .iter()
            .filter(|store| is_falling(store))
            .collect();
        Self {
            days: Days::new(words.clone(), "/overview", shown, today),
            stores: words.with("overview-stores", &[("count", &say::count(overview.stores))]),
            answer: sentences.0,
            watch: sentences.1,
            is_empty: overview.stores == 0,
            kpis: Kpis {
                class: "four",
                tiles: kpis(overview, &before_word, &words),
            },
            regions: overview
                .regions
                .iter()
                .map(|region| region_line(region, &words))
                .collect(),
            total: total_line(overview, &words),
            daily: daily(overview, shown, before, (&now_word, &before_word), &words),
            calls: falling
                .iter()
                .take(CALLS)
                .map(|store| call_line(store, &words))
                .collect(),
            calls_all: (falling.len() > CALLS).then(|| {
                words.with(
                    "overview-call-all",
                    &[("count", &say::count(falling.len() as i64))],
                )
            }),
            by_store: overview
                .by_store
                .iter()
                .map(|store| store_line(store, &words))
                .collect(),
            running: running
                .iter()
                .map(|(campaign, progress)| running_line(campaign, progress, &words))
                .collect(),
            now_word,
            before_word,
            shell,
        }
    }
}

fn is_falling(store: &StoreRow) -> bool {
    store.net_sales_fen < store.previous_net_sales_fen
}

fn kpis(overview: &Overview, before: &str, words: &Shell) -> Vec<Kpi> {
    let link = |code: &str| match code {
        "task_done" => "/campaigns",
        "new_contacts" => "/contacts",
        _ => "#stores",
    };
    let tile = |figure: &crate::metrics::Figure| Kpi {
        link: Some(link(&figure.code).to_owned()),
        ..kpi(figure, &overview.days, &overview.previous_days, before, words)
    };
    overview.figures.iter().take(4).map(tile).collect()
}

/// Money as the table's head says: 万元, or thousands of yuan, one decimal.
fn in_unit(amount: Fen, lang: Lang) -> String {
    let unit = match lang {
        Lang::Zh => 1_000_000.0,
        Lang::En => 100_000.0,
    };
    let tenths = (amount.0 as f64 / unit * 10.0).round() as i64;
    let sign = if tenths < 0 { "−" } else { "" };
    format!("{sign}{}.{}", say::count(tenths.abs() / 10), tenths.abs() % 10)
}

fn changed(now: Fen, before: Fen) -> (String, Tone) {
    if before.0 <= 0 {
        return (say::NONE.to_owned(), Tone::Plain);
    }
    let change = now.0 as f64 / before.0 as f64 - 1.0;
    (say::change(change), Tone::of(change))
}

fn region_line(region: &RegionRow, words: &Shell) -> RegionLine {
    let (change, tone) = changed(region.net_sales_fen, region.previous_net_sales_fen);
    RegionLine {
        name: region.name.clone(),
        stores: words.with("overview-stores", &[("count", &say::count(region.stores))]),
        sales: in_unit(region.net_sales_fen, words.lang),
        change,
        tone,
        online: say::percent(region.online_share.value()),
        tasks: say::percent(region.task_done.value()),
        spark: Spark::of_counts(region.name.clone(), &region.days, &region.previous_days),
    }
}

fn total_line(overview: &Overview, words: &Shell) -> RegionLine {
    let find = |code: &str| overview.figures.iter().find(|figure| figure.code == code);
    let net = find("net_sales").and_then(|net| net.numerator).unwrap_or(0);
    let (change, tone) = find("net_sales")
        .map(|net| kpi_change(net, words.lang))
        .unwrap_or_default();
    RegionLine {
        name: words.with("overview-total", &[("count", &say::count(overview.stores))]),
        stores: String::new(),
        sales: in_unit(Fen(net), words.lang),
        change,
        tone,
        online: say::percent(find("online_share").and_then(|figure| figure.value())),
        tasks: say::percent(find("task_done").and_then(|figure| figure.value())),
        spark: Spark::default(),
    }
}

fn daily(
    overview: &Overview,
    shown: &Shown,
    before: &[Fen],
    names: (&str, &str),
    words: &Shell,
) -> Option<Columns> {
    let (labels, now, before) = by_day(shown, &overview.days, before, names, words);
    let lang = words.lang;
    Columns::new(labels, now, before, |fen| say::money_tick(fen, lang))
        .map(|columns| columns.titled(words.t("overview-daily"), words.t("show-numbers")))
}

fn call_line(store: &StoreRow, words: &Shell) -> CallLine {
    let fewer = store.previous_new_contacts - store.new_contacts;
    let note = match store.batches_waiting {
        0 if fewer > 0 => words.with("overview-call-new", &[("count", &say::count(fewer))]),
        0 => store.region_name.clone(),
        waiting => words.with("overview-call-waiting", &[("count", &say::count(waiting))]),
    };
    CallLine {
        name: store.name.clone(),
        link: format!("/stores/{}/report", store.store_id),
        note,
        change: changed(store.net_sales_fen, store.previous_net_sales_fen).0,
    }
}

fn store_line(store: &StoreRow, words: &Shell) -> StoreLine {
    let (change, tone) = changed(store.net_sales_fen, store.previous_net_sales_fen);
    StoreLine {
        name: store.name.clone(),
        region: store.region_name.clone(),
        link: format!("/stores/{}/report", store.store_id),
        sales: in_unit(store.net_sales_fen, words.lang),
        change,
        tone,
        new_contacts: say::count(store.new_contacts),
        waiting: say::count(store.batches_waiting),
    }
}

fn running_line(campaign: &Campaign, progress: &Progress, words: &Shell) -> RunningLine {
    let counts = [
        ("sent", say::count(progress.sent)),
        ("eligible", say::count(progress.eligible)),
    ];
    let counts: Vec<(&str, &str)> = counts
        .iter()
        .map(|(name, count)| (*name, count.as_str()))
        .collect();
    RunningLine {
        name: campaign.name.clone(),
        link: format!("/campaigns/{}", campaign.id),
        note: words.with("overview-running-share", &counts),
        width: at(share(progress.sent, progress.eligible)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_money_has_one_decimal() {
        for (fen, zh, en) in [
            (412_600_000, "412.6", "4,126.0"),
            (0, "0.0", "0.0"),
            (1_099_600_000, "1,099.6", "10,996.0"),
            (199_999_999, "200.0", "2,000.0"),
        ] {
            assert_eq!(in_unit(Fen(fen), Lang::Zh), zh);
            assert_eq!(in_unit(Fen(fen), Lang::En), en);
        }
    }
}
