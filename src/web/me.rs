//! "Me": an associate's own figures, and how the pages look to this person.

use askama::Template;
use axum::extract::State;

use super::charts::{Kpi, Kpis, Spark, Tone};
use super::lang;
use super::span::{Period, SpanQuery};
use super::{Query, Result, Shell, Show, figures, format, session};
use crate::app::App;
use crate::auth::{Operator, Policy};
use crate::metrics::{self, Figure, Lang, OwnResults, Span};
use crate::money::Fen;
use crate::routes::Routes;
use crate::web::shell::Theme;

pub fn routes() -> Routes<App> {
    Routes::new(session::guard).get("/me", Policy::SignedIn, show)
}

#[derive(Template)]
#[template(path = "me.html")]
pub struct MePage {
    pub shell: Shell,
    pub period: Period,
    pub span: Span,
    /// Figures of an associate; others have reports.
    pub results: Option<OwnResults>,
}

async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(query): Query<SpanQuery>,
) -> Result<Show<MePage>> {
    let shown = query.read(shell.today())?;
    let results = match me.associate {
        Some(associate) => Some(metrics::own_results(&app.db, &me.scope, associate, shown.span).await?),
        None => None,
    };
    Ok(Show(MePage {
        shell,
        period: shown.period,
        span: shown.span,
        results,
    }))
}

impl MePage {
    fn name(&self) -> String {
        self.shell
            .me
            .as_ref()
            .map(|me| me.name.clone())
            .unwrap_or_default()
    }

    fn place(&self) -> String {
        let Some(me) = &self.shell.me else {
            return String::new();
        };
        let role = self.shell.role_name(me.role);
        match &me.store_name {
            Some(store) => format!("{store} · {role}"),
            None => role,
        }
    }

    fn periods(&self) -> Vec<(&'static str, String, bool)> {
        let shown = [Period::Week, Period::Month];
        let one = |period: Period| {
            (
                period.as_str(),
                self.shell.t(&format!("{}-word", period.as_str())),
                period == self.period,
            )
        };
        shown.into_iter().map(one).collect()
    }

    fn days(&self) -> String {
        format::range(self.span.from, self.span.to, self.shell.today(), self.shell.lang)
    }

    fn kpis(&self, results: &OwnResults) -> Kpis {
        let count = |value: i64| (format::count(value), "");
        let money = |value: i64| format::money_parts(Fen(value), self.shell.lang);
        let sums: Vec<i64> = results.days.iter().map(|day| day.net_sales_fen.0).collect();
        let before: Vec<i64> = results
            .previous_days
            .iter()
            .map(|day| day.net_sales_fen.0)
            .collect();
        let mut sales = self.kpi("me-net-sales", &results.net_sales, &money, true);
        sales.spark = Spark::of_counts(self.shell.t("desk-week-spark"), &sums, &before);
        Kpis {
            class: "",
            tiles: vec![
                sales,
                self.kpi("me-orders", &results.orders, &count, true),
                self.kpi("me-new", &results.new_contacts, &count, true),
                self.kpi("me-lost", &results.lost_contacts, &count, false),
                self.kpi("me-delivered", &results.delivered, &count, true),
                self.kpi("me-clicks", &results.clicks, &count, true),
            ],
        }
    }

    fn kpi(
        &self,
        key: &str,
        figure: &Figure,
        write: &dyn Fn(i64) -> (String, &'static str),
        is_more_better: bool,
    ) -> Kpi {
        let (value, unit) = match figure.numerator {
            Some(value) => write(value),
            None => (format::NONE.into(), ""),
        };
        let before = figure
            .previous_numerator
            .map(write)
            .map(|(number, unit)| match unit {
                "" => number,
                unit => format!("{number} {unit}"),
            });
        let change = figure.change();
        Kpi {
            label: self.shell.t(key),
            value,
            unit: unit.into(),
            change: change.map(figures::change).unwrap_or_default(),
            tone: Tone::of(change.unwrap_or(0.0) * if is_more_better { 1.0 } else { -1.0 }),
            baseline: before
                .map(|before| self.shell.t1("me-before", "value", before))
                .unwrap_or_default(),
            ..Kpi::default()
        }
    }

    /// Choices of colours: value, text, whether it is the one in force.
    fn themes(&self) -> Vec<(&'static str, String, bool)> {
        let now = self.shell.theme.map_or("auto", Theme::as_str);
        let one = |name: &'static str| (name, self.shell.t(&format!("theme-{name}")), name == now);
        ["auto", "light", "dark"].into_iter().map(one).collect()
    }

    fn langs(&self) -> Vec<(&'static str, &'static str, bool)> {
        let one = |of: Lang, name: &'static str| (lang::code(of), name, of == self.shell.lang);
        vec![one(Lang::Zh, "中文"), one(Lang::En, "English")]
    }

    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let today = shell.today();
        let span = Span::previous(today.plus(-6), today);
        let shell = Shell {
            address: "/me".into(),
            ..shell.clone()
        };
        let page = |results: Option<OwnResults>| Self {
            shell: shell.clone(),
            period: Period::Week,
            span,
            results,
        };
        if !shell.is_associate() {
            return vec![("typical", page(None))];
        }
        let (week, empty) = (
            super::workbench::sample_week(),
            super::workbench::sample_empty_week(),
        );
        vec![("typical", page(Some(week))), ("empty", page(Some(empty)))]
    }
}
