//! A store's report, its file, and the orders behind its figures.

mod days;
mod file;
mod kpi;
mod orders;
mod page;
mod sample;

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::span::SpanQuery;
use super::{Path, Query, Result, Shell, Show, session};
use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::directory;
use crate::ids::StoreId;
use crate::metrics;
use crate::routes::Routes;

pub use days::Days;
pub use kpi::{change as kpi_change, kpi};
pub use orders::OrdersPage;
pub use page::{RankBy, ReportPage, by_day, funnel_rate};

pub fn routes() -> Routes<App> {
    Routes::new(session::guard)
        .get("/stores/{id}/report", Policy::Can(Permission::ReportsRead), show)
        .get(
            "/stores/{id}/report.csv",
            Policy::Can(Permission::ReportsRead),
            download,
        )
        .get("/orders", Policy::Can(Permission::OrdersRead), orders::list)
}

/// How the page's own lists are sorted.
#[derive(Deserialize)]
struct Sorted {
    #[serde(default)]
    sort: String,
}

async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<StoreId>,
    Query(asked): Query<SpanQuery>,
    Query(sorted): Query<Sorted>,
) -> Result<Show<ReportPage>> {
    let store = directory::find_store(&app.db, &me.scope, id).await?;
    let today = app.now().day(store.tz());
    let shown = asked.read(today)?;
    let report = metrics::store_report(&app.db, &me.scope, id, shown.span).await?;
    let (from, to) = (shown.span.compare_from, shown.compare_last);
    let before = metrics::net_by_day(&app.db, &me.scope, Some(id), from, to).await?;
    let sentences = metrics::sentences(&report, today, shell.lang);
    let by = RankBy::parse(&sorted.sort);
    Ok(Show(ReportPage::new(
        shell, &report, &before, sentences, &shown, by, today,
    )))
}

async fn download(
    app: State<App>,
    me: Operator,
    Path(id): Path<StoreId>,
    Query(asked): Query<SpanQuery>,
) -> Result<Response> {
    let store = directory::find_store(&app.db, &me.scope, id).await?;
    let shown = asked.read(app.now().day(store.tz()))?;
    let report = metrics::store_report(&app.db, &me.scope, id, shown.span).await?;
    let name = format!(
        "attachment; filename=\"report-{id}-{}-{}.csv\"",
        report.from, report.to
    );
    let kind = "text/csv; charset=utf-8".to_owned();
    Ok((
        [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, name)],
        file::csv(&report),
    )
        .into_response())
}
