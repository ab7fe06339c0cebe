//! Reports as read by pages and the API.

use serde::Serialize;

use crate::ids::{AssociateId, RegionId, StoreId};
use crate::money::Fen;
use crate::time::Day;

/// Languages texts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    #[default]
    Zh,
    En,
}

/// A span of days, both in, and the one it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Day,
    pub to: Day,
    pub compare_from: Day,
    pub compare_to: Day,
}

impl Span {
    /// Compared with as many days right before.
    pub fn previous(from: Day, to: Day) -> Self {
        let days = to.since(from) + 1;
        Self {
            from,
            to,
            compare_from: from.plus(-days),
            compare_to: from.plus(-1),
        }
    }
}

/// A figure with its parts: a ratio is numerator over denominator; a plain figure has denominator `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Figure {
    pub code: String,
    /// `null` when there is nothing to divide by.
    pub numerator: Option<i64>,
    pub denominator: Option<i64>,
    pub previous_numerator: Option<i64>,
    pub previous_denominator: Option<i64>,
}

impl Figure {
    /// The value as a number, for the API and for shares.
    pub fn value(&self) -> Option<f64> {
        divide(self.numerator, self.denominator)
    }

    pub fn previous(&self) -> Option<f64> {
        divide(self.previous_numerator, self.previous_denominator)
    }

    /// Change against the comparison: 0.124 is +12.4 %.
    pub fn change(&self) -> Option<f64> {
        let (now, before) = (self.value()?, self.previous()?);
        (before != 0.0).then(|| now / before - 1.0)
    }
}

fn divide(numerator: Option<i64>, denominator: Option<i64>) -> Option<f64> {
    match (numerator, denominator) {
        (Some(_), Some(0)) | (None, _) => None,
        (Some(numerator), Some(denominator)) => Some(numerator as f64 / denominator as f64),
        (Some(numerator), None) => Some(numerator as f64),
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DayRow {
    #[schema(value_type = String, format = Date)]
    pub day: Option<Day>,
    #[schema(value_type = i64)]
    pub net_sales_fen: Fen,
    pub orders: i64,
    pub new_contacts: i64,
    #[schema(value_type = i64)]
    pub online_fen: Fen,
    pub tasks_due: i64,
    pub tasks_done: i64,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct AssociateRow {
    pub associate_id: AssociateId,
    pub name: String,
    /// Credited net sales.
    #[schema(value_type = i64)]
    pub net_sales_fen: Fen,
    #[schema(value_type = i64)]
    pub previous_net_sales_fen: Fen,
    pub orders: i64,
    pub new_contacts: i64,
    pub lost_contacts: i64,
    pub tasks_due: i64,
    pub tasks_done: i64,
    pub delivered: i64,
    pub clicks: i64,
}

/// A part of the change in net sales; the parts add up to the whole change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Contribution {
    /// `store_link`, `till_price` (average order value at the till), `till_visits` (orders at the till),
    /// `mini_store_other`, `refunds`.
    pub code: String,
    #[schema(value_type = i64)]
    pub change_fen: Fen,
    /// What stands out in it, such as the link's title.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SourceRow {
    /// `link`, `click`, `line`, `delivery`, `binding`, `home_store`, `default_store`.
    pub source: String,
    #[schema(value_type = i64)]
    pub net_fen: Fen,
    pub orders: i64,
}

/// A store over a span: everything its report shows, API and page alike.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub store_id: StoreId,
    pub store_code: String,
    pub store_name: String,
    pub from: Day,
    pub to: Day,
    pub compare_from: Day,
    pub compare_to: Day,
    /// net_sales, orders, atv, online_share, new_contacts, task_done first; then every other figure of the store.
    pub figures: Vec<Figure>,
    pub days: Vec<DayRow>,
    pub previous_days: Vec<DayRow>,
    pub associates: Vec<AssociateRow>,
    pub why: Vec<Contribution>,
    pub sources: Vec<SourceRow>,
    /// Contacted (delivered to), opened a link, bought: distinct people.
    pub funnel: Vec<(String, i64)>,
    /// Orders by weekday (Monday first) and hour.
    pub hours: Vec<Vec<i64>>,
    pub online_fen: Fen,
    pub till_fen: Fen,
    pub target_fen: Option<Fen>,
}

impl Report {
    pub fn figure(&self, code: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.code == code)
    }
}

/// One region's line of the overview.
#[derive(Debug, Clone, Serialize)]
pub struct RegionRow {
    pub region_id: RegionId,
    pub name: String,
    pub stores: i64,
    pub net_sales_fen: Fen,
    pub previous_net_sales_fen: Fen,
    pub online_share: Figure,
    pub task_done: Figure,
    pub days: Vec<i64>,
    pub previous_days: Vec<i64>,
}

/// A store that needs a call, worst first.
#[derive(Debug, Clone, Serialize)]
pub struct StoreRow {
    pub store_id: StoreId,
    pub name: String,
    pub region_name: String,
    pub net_sales_fen: Fen,
    pub previous_net_sales_fen: Fen,
    pub batches_waiting: i64,
    pub new_contacts: i64,
    pub previous_new_contacts: i64,
}

/// What headquarters or a regional manager sees first.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    pub from: Day,
    pub to: Day,
    pub compare_from: Day,
    pub compare_to: Day,
    pub stores: i64,
    /// net_sales, online_share, new_contacts, task_done.
    pub figures: Vec<Figure>,
    pub days: Vec<DayRow>,
    pub previous_days: Vec<DayRow>,
    pub regions: Vec<RegionRow>,
    /// Every store in scope, furthest down first.
    pub by_store: Vec<StoreRow>,
}

/// An associate's own figures: the workbench and "me".
#[derive(Debug, Clone, Serialize)]
pub struct OwnResults {
    pub net_sales: Figure,
    pub orders: Figure,
    pub days: Vec<DayRow>,
    pub previous_days: Vec<DayRow>,
    /// 1 is first, among the store's associates by credited net sales; `None` without a store.
    pub rank: Option<i64>,
    pub of: i64,
    pub new_contacts: Figure,
    pub lost_contacts: Figure,
    pub delivered: Figure,
    pub clicks: Figure,
    pub contacts: i64,
}

/// Somebody worth a word today, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Greeting {
    pub contact_id: crate::ids::ContactId,
    pub name: String,
    /// `clicked_not_bought`, `quiet`, `birthday`, `new`.
    pub reason: String,
    /// The number in the sentence: clicks, days without an order, days to the birthday.
    pub number: i64,
    /// The link's title, where there is one.
    pub about: Option<String>,
}
