//! An associate's own tracked links: what each earned, and how to share it.

mod samples;

use askama::Template;
use askama::filters::Safe;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::auth::{Operator, Permission, Policy};
use crate::directory;
use crate::error::{Error, said};
use crate::ids::LinkId;
use crate::links::{self, Link, LinkFilter, LinkTarget, NewLink};
use crate::page::{Page, PageOf};
use crate::routes::Routes;
use crate::time::Day;
use crate::web::charts::{Funnel, Line, Mark, Series};
use crate::web::shell::{FieldProblem, problems};
use crate::web::{Form, Path, Query, Result, Shell, Show, format, session};

const ROWS: i64 = 20;

pub fn routes() -> Routes<App> {
    let read = Policy::Can(Permission::LinksRead);
    let write = Policy::Can(Permission::LinksWrite);
    Routes::new(session::guard)
        .get("/links", read, list)
        .post("/links", write, create)
        .get("/links/{id}", read, show)
        .post("/links/{id}/closure", write, close)
}

/// A link as typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Draft {
    pub title: String,
    pub url: String,
}

#[derive(Template)]
#[template(path = "links/list.html")]
pub struct LinksPage {
    pub shell: Shell,
    pub page: Page<Link>,
    pub draft: Draft,
    pub problems: Vec<FieldProblem>,
}

#[derive(Deserialize)]
struct After {
    after: Option<String>,
}

async fn list(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(query): Query<After>,
) -> Result<Show<LinksPage>> {
    Ok(Show(page(&app, shell, &me, query.after).await?))
}

async fn page(app: &App, shell: Shell, me: &Operator, after: Option<String>) -> Result<LinksPage> {
    let filter = LinkFilter {
        own_only: me.associate.is_some(),
        ..LinkFilter::default()
    };
    let page = links::list(&app.db, &me.scope, &filter, &PageOf::new(Some(ROWS), after)?).await?;
    Ok(LinksPage {
        shell,
        page,
        draft: Draft::default(),
        problems: Vec::new(),
    })
}

impl LinksPage {
    fn answer(&self) -> Safe<String> {
        let best = self.page.items.iter().max_by_key(|link| link.net_fen);
        match best {
            Some(link) if link.net_fen.0 > 0 => {
                let amount = ("amount", self.shell.money_short(&link.net_fen).into());
                self.shell
                    .rich("links-best", &[("title", link.title.as_str().into()), amount])
            }
            Some(_) => self.shell.rich("links-no-sales", &[]),
            None => self.shell.rich("links-none", &[]),
        }
    }

    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }

    fn may_write(&self) -> bool {
        self.shell.may(Permission::LinksWrite)
    }
}

/// Makes a link of the caller's own; their store and name go with it.
async fn create(app: State<App>, shell: Shell, me: Operator, Form(draft): Form<Draft>) -> Result<Response> {
    match make(&app, &me, &draft).await {
        Ok(id) => Ok(shell.go_saying(&format!("/links/{id}"), "toast-link-made", &[])),
        Err(error) => {
            let problems = problems(&shell, error)?.into_iter().map(on_this_form).collect();
            let page = page(&app, shell.clone(), &me, None).await?;
            Ok(shell
                .refused(Show(LinksPage {
                    draft,
                    problems,
                    ..page
                }))
                .into_response())
        }
    }
}

async fn make(app: &App, me: &Operator, draft: &Draft) -> Result<LinkId, Error> {
    let title = draft.title.trim();
    if title.is_empty() {
        return Err(Error::invalid(
            "/title",
            said!("links-form-no-title", "the link needs a title"),
        ));
    }
    let corp = directory::find_corp(&app.db, me.corp).await?;
    let new = NewLink {
        title: title.into(),
        target: LinkTarget::Web {
            url: draft.url.trim().into(),
        },
        store: me.store,
        associate: me.associate,
        campaign: None,
        moment: None,
        contact: None,
    };
    let act = app.act(me.actor());
    let tx = app.db.begin().await?;
    let made = links::create(&tx, &act, &me.scope, &corp, vec![new]).await?;
    tx.commit().await?;
    made.first()
        .map(|(id, _)| *id)
        .ok_or_else(|| Error::internal("no link was made"))
}

fn on_this_form(problem: FieldProblem) -> FieldProblem {
    let field = match problem.field.as_str() {
        "" => "",
        field if field.contains("title") => "title",
        _ => "url",
    };
    FieldProblem {
        field: field.into(),
        ..problem
    }
}

#[derive(Template)]
#[template(path = "links/show.html")]
pub struct LinkPage {
    pub shell: Shell,
    pub link: Link,
    /// Where it can be reached, in full.
    pub url: String,
    /// Days shown, and as many before them.
    pub days: Vec<(Day, i64)>,
    pub previous: Vec<i64>,
    pub span: i64,
}

#[derive(Deserialize)]
struct Days {
    days: Option<String>,
}

async fn show(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<LinkId>,
    Query(query): Query<Days>,
) -> Result<Show<LinkPage>> {
    let span = match query.days.as_deref() {
        Some("30") => 30,
        Some("90") => 90,
        _ => 7,
    };
    let link = links::find(&app.db, &me.scope, id).await?;
    let today = shell.today();
    let days = links::clicks_by_day(&app.db, &me.scope, id, today.plus(1 - 2 * span), today).await?;
    let (previous, days) = days.split_at(days.len() - span as usize);
    let url = format!("{}/l/{}", app.config.public_url, link.code);
    let previous = previous.iter().map(|(_, clicks)| *clicks).collect();
    Ok(Show(LinkPage {
        shell,
        link,
        url,
        days: days.to_vec(),
        previous,
        span,
    }))
}

impl LinkPage {
    fn answer(&self) -> Safe<String> {
        let amount = ("amount", self.shell.money_short(&self.link.net_fen).into());
        match (self.link.clicks, self.link.orders) {
            (0, _) => self.shell.rich("link-no-clicks", &[]),
            (clicks, 0) => self.shell.rich("link-no-orders", &[("clicks", clicks.into())]),
            (clicks, orders) => {
                let rate = format::percent(Some(orders as f64 / clicks as f64));
                self.shell.rich(
                    "link-earned",
                    &[amount, ("rate", rate.into()), ("orders", orders.into())],
                )
            }
        }
    }

    fn rate(&self) -> String {
        let rate = self.link.orders as f64 / self.link.clicks as f64;
        format::percent((self.link.clicks > 0).then_some(rate))
    }

    fn chart(&self) -> Option<Line> {
        let shell = &self.shell;
        let values: Vec<i64> = self.days.iter().map(|(_, clicks)| *clicks).collect();
        let word = |value: i64| format::count(value);
        let x = self
            .days
            .iter()
            .map(|(day, _)| day.0.format("%-m/%-d").to_string())
            .collect();
        let now = Series::new(shell.t1("link-days", "days", self.span), values, word);
        let before = Series::new(
            shell.t1("link-days-before", "days", self.span),
            self.previous.clone(),
            word,
        );
        let label = |_, value| format::count(value);
        let line = Line::new(x, now, Some(before), Mark::Last, word, label)?;
        Some(line.titled(shell.t("link-daily"), shell.t("show-numbers")))
    }

    fn funnel(&self) -> Funnel {
        let shell = &self.shell;
        let steps = vec![
            (shell.t("link-step-clicks"), self.link.clicks),
            (shell.t("link-step-people"), self.link.people),
            (shell.t("link-step-orders"), self.link.orders),
        ];
        let rate = |share: Option<f64>, is_lowest: bool| {
            let rate = format::percent(share);
            shell.t1(
                if is_lowest {
                    "funnel-rate-lowest"
                } else {
                    "funnel-rate"
                },
                "rate",
                rate,
            )
        };
        Funnel::new(steps, format::count, rate)
    }

    fn qr(&self) -> Safe<String> {
        qr(&self.url, &self.shell.t("link-qr"))
    }

    fn may_close(&self) -> bool {
        let is_own = self.link.campaign_id.is_none() && self.link.moment_id.is_none();
        is_own && self.link.closed_at.is_none() && self.shell.may(Permission::LinksWrite)
    }
}

/// A code to scan, as one path on a white ground. An address too long for a code gives nothing.
pub fn qr(text: &str, label: &str) -> Safe<String> {
    let Ok(code) = qrcode::QrCode::new(text.as_bytes()) else {
        return Safe(String::new());
    };
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", index % width, index / width));
        }
    }
    let label = crate::web::shell::escape(label);
    Safe(format!(
        r#"<svg class="qr" viewBox="0 0 {width} {width}" role="img" aria-label="{label}" shape-rendering="crispEdges"><path d="{path}"/></svg>"#
    ))
}

#[derive(Deserialize)]
struct Empty {}

async fn close(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Path(id): Path<LinkId>,
    _: Form<Empty>,
) -> Result<Response> {
    let tx = app.db.begin().await?;
    links::change(&tx, &app.act(me.actor()), &me.scope, id, None, true).await?;
    tx.commit().await?;
    Ok(shell.go_saying("/links", "toast-link-closed", &[]))
}
