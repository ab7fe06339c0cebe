//! Figures: the dictionary, a store's report, any figure by day.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use super::answer::List;
use super::input::{At, Query};
use super::problem::Result;
use crate::app::App;
use crate::auth::Permission::ReportsRead;
use crate::auth::Policy::Can;
use crate::directory;
use crate::error::Error;
use crate::ids::StoreId;
use crate::metrics::definitions::{self, MetricDefinition};
use crate::metrics::{
    self, AssociateRow, Contribution, DayRow, Figure, Lang, Report, SourceRow, Span, Subject,
};
use crate::money::Fen;
use crate::routes::Routes;
use crate::time::Day;

/// Longest span of a report, in days.
const MAX_DAYS: i64 = 366;
const DEFAULT_DAYS: i64 = 7;

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/metrics/definitions", Can(ReportsRead), list_definitions)
        .get("/metrics", Can(ReportsRead), figures)
        .get("/stores/{id}/report", Can(ReportsRead), report)
}

/// Every figure there is: code, names, unit, formula.
#[utoipa::path(get, path = "/metrics/definitions", responses((status = 200, body = List<MetricDefinition>)))]
pub(super) async fn list_definitions(_: Caller) -> Json<List<MetricDefinition>> {
    Json(List::whole(definitions::all().to_vec()))
}

/// A figure with its parts.
#[derive(Serialize, ToSchema)]
#[schema(as = Figure)]
pub(super) struct FigureAnswer {
    /// A whole number for amounts and counts, a share of 1 for ratios; `null` when there is nothing to divide by.
    #[schema(value_type = Option<f64>)]
    value: Value,
    numerator: Option<i64>,
    /// `null` for figures that are no ratio.
    denominator: Option<i64>,
    /// The value of the span it is compared with.
    #[schema(value_type = Option<f64>)]
    previous: Value,
    previous_numerator: Option<i64>,
    previous_denominator: Option<i64>,
    /// 0.124 is +12.4 %; `null` when there is nothing to compare with.
    change: Option<f64>,
}

/// A number that stays whole when it is.
#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Whole(i64),
    Share(f64),
    Nothing,
}

impl Value {
    fn of(numerator: Option<i64>, denominator: Option<i64>, share: Option<f64>) -> Self {
        match (numerator, denominator, share) {
            (Some(whole), None, _) => Self::Whole(whole),
            (_, _, Some(share)) => Self::Share(share),
            _ => Self::Nothing,
        }
    }
}

fn by_code(figures: Vec<Figure>) -> BTreeMap<String, FigureAnswer> {
    let answers = figures.into_iter().map(|figure| {
        let answer = FigureAnswer {
            value: Value::of(figure.numerator, figure.denominator, figure.value()),
            previous: Value::of(
                figure.previous_numerator,
                figure.previous_denominator,
                figure.previous(),
            ),
            change: figure.change(),
            numerator: figure.numerator,
            denominator: figure.denominator,
            previous_numerator: figure.previous_numerator,
            previous_denominator: figure.previous_denominator,
        };
        (figure.code, answer)
    });
    answers.collect()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// First day; six days before `to` when absent.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Day>,
    /// Last day, included; today in the store's zone when absent.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Day>,
    /// `previous`: as many days right before. The only one there is.
    compare: Option<String>,
}

/// A store over a span of days 门店日报.
#[derive(Serialize, ToSchema)]
pub(super) struct StoreReport {
    store_id: StoreId,
    store_code: String,
    store_name: String,
    #[schema(value_type = String, format = Date)]
    from: Day,
    #[schema(value_type = String, format = Date)]
    to: Day,
    #[schema(value_type = String, format = Date)]
    compare_from: Day,
    #[schema(value_type = String, format = Date)]
    compare_to: Day,
    /// What happened and why, in Chinese and in English; `watch` is what to look at next, if anything.
    sentence: String,
    sentence_en: String,
    watch: Option<String>,
    watch_en: Option<String>,
    /// By metric code.
    figures: BTreeMap<String, FigureAnswer>,
    by_day: Vec<DayRow>,
    by_day_previous: Vec<DayRow>,
    by_associate: Vec<AssociateRow>,
    by_source: Vec<SourceRow>,
    /// Parts of the change in net sales; they add up to it.
    why: Vec<Contribution>,
    /// Distinct people, step by step.
    funnel: Vec<FunnelStep>,
    /// Orders by weekday (Monday first) and hour (0–23).
    hours: Vec<Vec<i64>>,
    #[schema(value_type = i64)]
    online_fen: Fen,
    #[schema(value_type = i64)]
    till_fen: Fen,
    #[schema(value_type = Option<i64>)]
    target_fen: Option<Fen>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct FunnelStep {
    step: String,
    people: i64,
}

/// A store's report: figures, by day, by associate, by source, and the sentence that explains the change.
#[utoipa::path(get, path = "/stores/{id}/report", params(("id" = StoreId, Path), ReportQuery),
    responses((status = 200, body = StoreReport)))]
pub(super) async fn report(
    State(app): State<App>,
    me: Caller,
    At(id): At<StoreId>,
    Query(query): Query<ReportQuery>,
) -> Result<Json<StoreReport>> {
    let store = directory::find_store(&app.db, &me.scope, id).await?;
    if let Some(compare) = query.compare.filter(|compare| compare != "previous") {
        let message = format!("`{compare}` is not a comparison; write `previous` or leave it out");
        return Err(Error::invalid("/compare", message).into());
    }
    let today = app.now().day(store.tz());
    let span = span(query.from, query.to, today)?;
    let report = metrics::store_report(&app.db, &me.scope, id, span).await?;
    Ok(Json(report_answer(report, today)))
}

fn report_answer(report: Report, today: Day) -> StoreReport {
    let (sentence, watch) = metrics::sentences(&report, today, Lang::Zh);
    let (sentence_en, watch_en) = metrics::sentences(&report, today, Lang::En);
    let funnel = report
        .funnel
        .into_iter()
        .map(|(step, people)| FunnelStep { step, people });
    StoreReport {
        store_id: report.store_id,
        store_code: report.store_code,
        store_name: report.store_name,
        from: report.from,
        to: report.to,
        compare_from: report.compare_from,
        compare_to: report.compare_to,
        sentence,
        sentence_en,
        watch,
        watch_en,
        figures: by_code(report.figures),
        by_day: report.days,
        by_day_previous: report.previous_days,
        by_associate: report.associates,
        by_source: report.sources,
        why: report.why,
        funnel: funnel.collect(),
        hours: report.hours,
        online_fen: report.online_fen,
        till_fen: report.till_fen,
        target_fen: report.target_fen,
    }
}

/// Both ends included; the last week when nothing is said.
fn span(from: Option<Day>, to: Option<Day>, today: Day) -> Result<Span, Error> {
    let to = to.unwrap_or(today);
    let from = from.unwrap_or_else(|| to.plus(1 - DEFAULT_DAYS));
    if from > to {
        return Err(Error::invalid(
            "/from",
            format!("`{from}` is after `{to}`; turn them round"),
        ));
    }
    if to.since(from) >= MAX_DAYS {
        return Err(Error::invalid(
            "/from",
            format!("a span has at most {MAX_DAYS} days"),
        ));
    }
    Ok(Span::previous(from, to))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsQuery {
    /// Codes of the dictionary, separated by commas.
    codes: String,
    /// `corp`, `region:<id>`, `store:<id>` or `associate:<id>`; `corp` when absent.
    scope: Option<String>,
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Day>,
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Day>,
    /// `day` for the figures of each day as well.
    by: Option<String>,
}

/// Figures of a subject.
#[derive(Serialize, ToSchema)]
pub(super) struct MetricsAnswer {
    scope: String,
    #[schema(value_type = String, format = Date)]
    from: Day,
    #[schema(value_type = String, format = Date)]
    to: Day,
    #[schema(value_type = String, format = Date)]
    compare_from: Day,
    #[schema(value_type = String, format = Date)]
    compare_to: Day,
    /// By metric code, over the whole span.
    figures: BTreeMap<String, FigureAnswer>,
    /// With `by=day` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    by_day: Option<Vec<DayFigures>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct DayFigures {
    #[schema(value_type = String, format = Date)]
    day: Day,
    figures: BTreeMap<String, FigureAnswer>,
}

/// Any figures of the dictionary, for the corp, a region, a store or an associate.
#[utoipa::path(get, path = "/metrics", params(MetricsQuery), responses((status = 200, body = MetricsAnswer)))]
pub(super) async fn figures(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<MetricsQuery>,
) -> Result<Json<MetricsAnswer>> {
    let codes = read_codes(&query.codes)?;
    let is_by_day = read_by(query.by.as_deref())?;
    let scope = query.scope.unwrap_or_else(|| "corp".to_owned());
    let subject = read_subject(&scope)?;
    let zone = zone_of(&app, &me, subject).await?;
    let span = span(query.from, query.to, app.now().day(zone))?;
    let over_span = metrics::figures(&app.db, &me.scope, subject, &codes, span).await?;
    let by_day = if is_by_day {
        let days = metrics::figures_by_day(&app.db, &me.scope, subject, &codes, span.from, span.to).await?;
        let rows = days.into_iter().map(|(day, figures)| DayFigures {
            day,
            figures: by_code(figures),
        });
        Some(rows.collect())
    } else {
        None
    };
    Ok(Json(MetricsAnswer {
        scope,
        from: span.from,
        to: span.to,
        compare_from: span.compare_from,
        compare_to: span.compare_to,
        figures: by_code(over_span),
        by_day,
    }))
}

async fn zone_of(app: &App, me: &Caller, subject: Subject) -> Result<Tz> {
    match subject {
        Subject::Store(store) => Ok(directory::find_store(&app.db, &me.scope, store).await?.tz()),
        Subject::Associate(associate) => {
            let associate = directory::find_associate(&app.db, &me.scope, associate).await?;
            match associate.store_id {
                Some(store) => Ok(directory::find_store(&app.db, &me.scope, store).await?.tz()),
                None => Ok(me.zone),
            }
        }
        Subject::Corp | Subject::Region(_) => Ok(me.zone),
    }
}

fn read_codes(text: &str) -> Result<Vec<String>, Error> {
    let mut codes: Vec<String> = Vec::new();
    for code in text.split(',').map(str::trim).filter(|code| !code.is_empty()) {
        if definitions::find(code).is_none() {
            let message = format!("`{code}` is not a figure; see `/api/v1/metrics/definitions`");
            return Err(Error::invalid("/codes", message));
        }
        if !codes.iter().any(|known| known == code) {
            codes.push(code.to_owned());
        }
    }
    if codes.is_empty() {
        return Err(Error::invalid("/codes", "name at least one figure"));
    }
    Ok(codes)
}

fn read_by(by: Option<&str>) -> Result<bool, Error> {
    match by {
        None => Ok(false),
        Some("day") => Ok(true),
        Some(other) => Err(Error::invalid(
            "/by",
            format!("`{other}` is not a step; write `day`"),
        )),
    }
}

fn read_subject(scope: &str) -> Result<Subject, Error> {
    let unknown = || {
        Error::invalid(
            "/scope",
            format!(
                "`{scope}` is not a scope; write `corp`, `region:<id>`, `store:<id>` or `associate:<id>`"
            ),
        )
    };
    match scope.split_once(':') {
        None if scope == "corp" => Ok(Subject::Corp),
        Some(("region", id)) => id.parse().map(Subject::Region).map_err(|_| unknown()),
        Some(("store", id)) => id.parse().map(Subject::Store).map_err(|_| unknown()),
        Some(("associate", id)) => id.parse().map(Subject::Associate).map_err(|_| unknown()),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AssociateId, RegionId};

    #[test]
    fn a_subject_is_the_corp_a_region_a_store_or_an_associate() {
        assert_eq!(read_subject("corp").unwrap(), Subject::Corp);
        assert_eq!(read_subject("region:11").unwrap(), Subject::Region(RegionId(11)));
        assert_eq!(read_subject("store:21").unwrap(), Subject::Store(StoreId(21)));
        assert_eq!(
            read_subject("associate:31").unwrap(),
            Subject::Associate(AssociateId(31))
        );
        for text in ["", "store", "store:", "store:x", "associate:li", "corp:1"] {
            assert!(read_subject(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_span_is_a_week_unless_said_otherwise() {
        let day = |text: &str| Day::parse(text).unwrap();
        let today = day("2026-11-23");
        let week = span(None, None, today).unwrap();
        assert_eq!(
            (week.from, week.compare_from),
            (day("2026-11-17"), day("2026-11-10"))
        );
        assert!(span(Some(today), Some(day("2026-11-22")), today).is_err());
        assert!(span(Some(day("2025-11-23")), Some(today), today).is_ok());
        assert!(span(Some(day("2025-11-22")), Some(today), today).is_err());
    }

    #[test]
    fn whole_figures_stay_whole_and_shares_are_divided() {
        let figure = |numerator, denominator| Figure {
            code: "x".into(),
            numerator,
            denominator,
            previous_numerator: None,
            previous_denominator: None,
        };
        let json = serde_json::to_value(by_code(vec![figure(Some(39800), None)])).unwrap();
        assert_eq!(json["x"]["value"].to_string(), "39800");
        let json = serde_json::to_value(by_code(vec![figure(Some(1), Some(4))])).unwrap();
        assert_eq!(json["x"]["value"].to_string(), "0.25");
        let json = serde_json::to_value(by_code(vec![figure(Some(1), Some(0))])).unwrap();
        assert!(json["x"]["value"].is_null() && json["x"]["previous"].is_null());
    }
}
