//! The orders behind a figure, as rows.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::app::App;
use crate::auth::Operator;
use crate::directory;
use crate::ids::StoreId;
use crate::orders::{self, Order, OrderFilter};
use crate::page::{Page, PageOf};
use crate::time::Day;
use crate::web::figures as say;
use crate::web::span::SpanQuery;
use crate::web::{Query, Result, Shell, Show};

#[derive(Template)]
#[template(path = "report/orders.html")]
pub struct OrdersPage {
    pub shell: Shell,
    pub range: String,
    pub rows: Vec<OrderLine>,
    pub next: Option<String>,
}

pub struct OrderLine {
    pub no: String,
    pub at: String,
    pub store: String,
    pub channel: String,
    pub items: String,
    pub paid: String,
    pub refund: String,
    pub contact: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    store: Option<StoreId>,
    after: Option<String>,
}

pub(super) async fn list(
    app: State<App>,
    shell: Shell,
    me: Operator,
    Query(asked): Query<Asked>,
    Query(span): Query<SpanQuery>,
) -> Result<Show<OrdersPage>> {
    let span = span.read(app.now().day(me.zone))?.span;
    let store = match asked.store {
        Some(id) => Some(directory::find_store(&app.db, &me.scope, id).await?),
        None => None,
    };
    let filter = OrderFilter {
        store: asked.store,
        contact: None,
        from: Some(span.from),
        to: Some(span.to),
    };
    let page = PageOf::new(None, asked.after)?;
    let found = orders::list(&app.db, &me.scope, &filter, &page).await?;
    let name = store.map(|store| store.name);
    Ok(Show(OrdersPage::new(
        shell,
        found,
        asked.store.zip(name),
        span.from,
        span.to,
    )))
}

impl OrdersPage {
    pub fn new(
        shell: Shell,
        found: Page<Order>,
        store: Option<(StoreId, String)>,
        from: Day,
        to: Day,
    ) -> Self {
        let days = say::range(from, to, shell.today(), shell.lang);
        let range = match &store {
            Some((_, name)) => shell.with("orders-range", &[("store", name), ("days", &days)]),
            None => days,
        };
        let store = store.map(|(id, _)| format!("store={id}&")).unwrap_or_default();
        let next = found.next.map(|after| {
            format!(
                "/orders?{store}from={from}&to={to}&after={}",
                shell.encode(&after)
            )
        });
        let rows = found
            .items
            .iter()
            .map(|order| OrderLine::new(order, &shell))
            .collect();
        Self {
            range,
            rows,
            next,
            shell,
        }
    }
}

impl OrderLine {
    fn new(order: &Order, shell: &Shell) -> Self {
        Self {
            no: order.order_no.clone(),
            at: say::when(order.paid_at, shell.now, shell.zone, shell.lang),
            store: order.store_name.clone(),
            channel: shell.t(&format!("channel-{}", order.channel)),
            items: say::count(order.items),
            paid: say::money(order.paid_fen),
            refund: if order.refund_fen.0 == 0 {
                say::NONE.into()
            } else {
                say::money(order.refund_fen)
            },
            contact: order.contact_id.map(|id| format!("/contacts/{id}")),
        }
    }
}
