//! Products, orders, refunds: up to 1,000 a call, each row for itself; and how an order was earned.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Caller;
use super::answer::{Answer, List};
use super::idempotency::Posted;
use super::input::{At, Query, whole};
use super::problem::{FieldProblem, Result};
use super::rows::{Rows, Sorted};
use crate::app::App;
use crate::auth::Permission::{OrdersRead, OrdersWrite};
use crate::auth::Policy::Can;
use crate::ids::{ContactId, OrderId, RefundId, StoreId};
use crate::money::Fen;
use crate::orders::{
    self, Attribution, NewOrder, NewProduct, NewRefund, Order, OrderFilter, OrderLine, Product, Refund,
};
use crate::page::PageOf;
use crate::routes::Routes;
use crate::time::{Day, Timestamp};

pub(super) fn routes() -> Routes<App> {
    super::routes()
        .get("/products", Can(OrdersRead), list_products)
        .post("/products", Can(OrdersWrite), record_products)
        .get("/orders", Can(OrdersRead), list_orders)
        .post("/orders", Can(OrdersWrite), record_orders)
        .get("/orders/{order_no}/attribution", Can(OrdersRead), attribution)
        .get("/refunds", Can(OrdersRead), list_refunds)
        .post("/refunds", Can(OrdersWrite), record_refunds)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductQuery {
    /// Part of a name or an SKU.
    search: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

/// Products.
#[utoipa::path(get, path = "/products", params(ProductQuery), responses((status = 200, body = List<Product>)))]
pub(super) async fn list_products(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<ProductQuery>,
) -> Result<Json<List<Product>>> {
    let page = PageOf::new(query.limit, query.after)?;
    let found = orders::products(&app.db, &me.scope, query.search.as_deref(), &page).await?;
    Ok(Json(found.into()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderQuery {
    store: Option<StoreId>,
    contact: Option<ContactId>,
    /// Paid (refunded, for refunds) on or after this day.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Day>,
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Day>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<i64>,
    after: Option<String>,
}

impl OrderQuery {
    fn read(self) -> Result<(OrderFilter, PageOf)> {
        let page = PageOf::new(self.limit, self.after)?;
        let filter = OrderFilter {
            store: self.store,
            contact: self.contact,
            from: self.from,
            to: self.to,
        };
        Ok((filter, page))
    }
}

/// An order as kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderAnswer {
    id: OrderId,
    order_no: String,
    store_id: StoreId,
    store_name: String,
    /// `mini_store` or `till`.
    channel: String,
    #[schema(value_type = String, format = DateTime)]
    paid_at: Timestamp,
    contact_id: Option<ContactId>,
    #[schema(value_type = i64)]
    paid_fen: Fen,
    #[schema(value_type = i64)]
    refund_fen: Fen,
    items: i64,
    lines: Vec<LineAnswer>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OrderLine)]
pub(super) struct LineAnswer {
    sku: String,
    name: String,
    category: String,
    quantity: i64,
    #[schema(value_type = i64)]
    paid_fen: Fen,
    #[schema(value_type = i64)]
    list_fen: Fen,
}

impl From<Order> for OrderAnswer {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            order_no: order.order_no,
            store_id: order.store_id,
            store_name: order.store_name,
            channel: order.channel,
            paid_at: order.paid_at,
            contact_id: order.contact_id,
            paid_fen: order.paid_fen,
            refund_fen: order.refund_fen,
            items: order.items,
            lines: order.lines.into_iter().map(LineAnswer::from).collect(),
        }
    }
}

impl From<OrderLine> for LineAnswer {
    fn from(line: OrderLine) -> Self {
        Self {
            sku: line.sku,
            name: line.name,
            category: line.category,
            quantity: line.quantity,
            paid_fen: line.paid_fen,
            list_fen: line.list_fen,
        }
    }
}

/// Orders in scope, last paid first.
#[utoipa::path(get, path = "/orders", params(OrderQuery), responses((status = 200, body = List<OrderAnswer>)))]
pub(super) async fn list_orders(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<OrderQuery>,
) -> Result<Json<List<OrderAnswer>>> {
    let (filter, page) = query.read()?;
    let found = orders::list(&app.db, &me.scope, &filter, &page).await?;
    Ok(Json(found.map(OrderAnswer::from).into()))
}

/// A refund as kept.
#[derive(Serialize, ToSchema)]
#[schema(as = Refund)]
pub(super) struct RefundAnswer {
    id: RefundId,
    refund_no: String,
    order_no: String,
    #[schema(value_type = String, format = DateTime)]
    refunded_at: Timestamp,
    #[schema(value_type = i64)]
    refund_fen: Fen,
    /// `false` while the order is not known yet.
    applied: bool,
}

impl From<Refund> for RefundAnswer {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            refund_no: refund.refund_no,
            order_no: refund.order_no,
            refunded_at: refund.refunded_at,
            refund_fen: refund.refund_fen,
            applied: refund.applied,
        }
    }
}

/// Refunds in scope, last first.
#[utoipa::path(get, path = "/refunds", params(OrderQuery), responses((status = 200, body = List<RefundAnswer>)))]
pub(super) async fn list_refunds(
    State(app): State<App>,
    me: Caller,
    Query(query): Query<OrderQuery>,
) -> Result<Json<List<RefundAnswer>>> {
    let (filter, page) = query.read()?;
    let found = orders::refunds(&app.db, &me.scope, &filter, &page).await?;
    Ok(Json(found.map(RefundAnswer::from).into()))
}

/// What became of a row. `errors` point into the body that was sent.
#[derive(Serialize, ToSchema)]
pub(super) struct OrderResult {
    order_no: Option<String>,
    /// `created`, `unchanged`, `updated` or `error`.
    result: &'static str,
    errors: Vec<FieldProblem>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RefundResult {
    refund_no: Option<String>,
    /// `created`, `unchanged`, `updated` or `error`.
    result: &'static str,
    errors: Vec<FieldProblem>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ProductResult {
    sku: Option<String>,
    /// `created`, `unchanged`, `updated` or `error`.
    result: &'static str,
    errors: Vec<FieldProblem>,
}

/// Stores orders, credits and counts them. Idempotent by `order_no`.
///
/// The body is an array of orders, `{"items":[…]}`, or one order.
#[utoipa::path(post, path = "/orders", request_body = Vec<NewOrder>,
    responses((status = 200, body = List<OrderResult>)))]
pub(super) async fn record_orders(
    State(app): State<App>,
    me: Caller,
    posted: Posted<Rows>,
) -> Result<Answer> {
    let Sorted { good, mut results } = posted.body.sort::<NewOrder>("order_no")?;
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let recorded = orders::record_orders(&inside, &caller.act(&inside), caller.corp, &good).await?;
        results.fill(recorded);
        let items = results.into_rows().map(|row| OrderResult {
            order_no: row.number,
            result: row.result,
            errors: row.errors,
        });
        Answer::ok(&List::whole(items.collect()))
    };
    posted.once.run(&app, &me, effect).await
}

/// Stores refunds and takes back the credit. Idempotent by `refund_no`; one may come before its order.
///
/// The body is an array of refunds, `{"items":[…]}`, or one refund.
#[utoipa::path(post, path = "/refunds", request_body = Vec<NewRefund>,
    responses((status = 200, body = List<RefundResult>)))]
pub(super) async fn record_refunds(
    State(app): State<App>,
    me: Caller,
    posted: Posted<Rows>,
) -> Result<Answer> {
    let Sorted { good, mut results } = posted.body.sort::<NewRefund>("refund_no")?;
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let recorded = orders::record_refunds(&inside, &caller.act(&inside), caller.corp, &good).await?;
        results.fill(recorded);
        let items = results.into_rows().map(|row| RefundResult {
            refund_no: row.number,
            result: row.result,
            errors: row.errors,
        });
        Answer::ok(&List::whole(items.collect()))
    };
    posted.once.run(&app, &me, effect).await
}

/// Stores products. Idempotent by `sku`.
///
/// The body is an array of products, `{"items":[…]}`, or one product.
#[utoipa::path(post, path = "/products", request_body = Vec<NewProduct>,
    responses((status = 200, body = List<ProductResult>)))]
pub(super) async fn record_products(
    State(app): State<App>,
    me: Caller,
    posted: Posted<Rows>,
) -> Result<Answer> {
    let Sorted { good, mut results } = posted.body.sort::<NewProduct>("sku")?;
    let (inside, caller) = (app.clone(), me.clone());
    let effect = async move {
        let recorded = orders::record_products(&inside, &caller.act(&inside), &caller.scope, &good).await?;
        results.fill(recorded);
        let items = results.into_rows().map(|row| ProductResult {
            sku: row.number,
            result: row.result,
            errors: row.errors,
        });
        Answer::ok(&List::whole(items.collect()))
    };
    posted.once.run(&app, &me, effect).await
}

/// The credited associate, store and touch; the rule version; each rejected touch and why.
#[utoipa::path(get, path = "/orders/{order_no}/attribution", params(("order_no" = String, Path)),
    responses((status = 200, body = Attribution)))]
pub(super) async fn attribution(
    State(app): State<App>,
    me: Caller,
    At(order_no): At<String>,
) -> Result<Json<Attribution>> {
    Ok(Json(orders::attribution(&app.db, &me.scope, &order_no).await?))
}
