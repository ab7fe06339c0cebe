//! Orders, refunds, products and credits as lists and pages show them, within a scope.

use std::collections::{HashMap, HashSet};

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::{self, Backend, Conn, Filter, id_list, like_escape};
use crate::error::{Error, Result};
use crate::ids::{AssociateId, CampaignId, ContactId, CorpId, LinkId, MomentId, OrderId, RefundId, StoreId};
use crate::money::Fen;
use crate::orders::{Attribution, CandidateRow, CreditRow, Order, OrderLine, Product, Refund};
use crate::page::{Page, PageOf};
use crate::scope::{Reach, Scope};
use crate::time::{Day, Timestamp};

#[derive(Debug, Clone, Default)]
pub struct OrderFilter {
    pub store: Option<StoreId>,
    pub contact: Option<ContactId>,
    pub from: Option<Day>,
    pub to: Option<Day>,
}

/// Narrows orders (`s`) to the scope's stores; for an associate to what they earned and what their contacts bought.
fn narrow(filter: &mut Filter, backend: Backend, scope: &Scope) {
    match &scope.reach {
        Reach::Whole => {}
        Reach::Stores(stores) => {
            let place = filter.arg(id_list(stores.iter().map(|store| store.0)));
            filter.and_sql(&backend.in_ids("s.store_id", &place));
        }
        Reach::Own(associate) => {
            let place = filter.arg(*associate);
            filter.and_sql(&format!(
                "(exists (select 1 from credit own where own.corp_id = s.corp_id and own.order_id = s.id
                    and own.associate_id = {place})
                  or exists (select 1 from follow own where own.corp_id = s.corp_id
                    and own.contact_id = s.contact_id and own.associate_id = {place} and own.state = 'active'))"
            ));
        }
    }
}

impl OrderFilter {
    /// `day` is the column that the span is about.
    fn narrow(&self, filter: &mut Filter, day: &str) {
        if let Some(store) = self.store {
            filter.and("s.store_id = {}", store);
        }
        if let Some(contact) = self.contact {
            filter.and("s.contact_id = {}", contact);
        }
        if let Some(from) = self.from {
            filter.and(&format!("{day} >= {{}}"), from);
        }
        if let Some(to) = self.to {
            filter.and(&format!("{day} <= {{}}"), to);
        }
    }
}

#[derive(FromQueryResult)]
struct OrderRow {
    id: OrderId,
    order_no: String,
    store_id: StoreId,
    store_name: String,
    channel: String,
    paid_at: Timestamp,
    contact_id: Option<ContactId>,
    paid_fen: Fen,
    refund_fen: Fen,
    items: i64,
}

/// Orders in scope, last paid first: of the scope's stores; for an associate those credited to them and those of
/// their contacts.
pub async fn list(
    conn: &impl Conn,
    scope: &Scope,
    filter: &OrderFilter,
    page: &PageOf,
) -> Result<Page<Order>> {
    let mut wanted = Filter::new("s.corp_id", scope.corp);
    narrow(&mut wanted, conn.backend(), scope);
    filter.narrow(&mut wanted, "s.day");
    if let Some((paid_at, id)) = page.after::<(i64, i64)>()? {
        let (paid_at, id) = (wanted.arg(paid_at), wanted.arg(id));
        wanted.and_sql(&format!(
            "(s.paid_at < {paid_at} or (s.paid_at = {paid_at} and s.id < {id}))"
        ));
    }
    let limit = wanted.arg(page.limit() + 1);
    let sql = format!(
        "select s.id, s.order_no, s.store_id, st.name as store_name, s.channel, s.paid_at, s.contact_id, s.paid_fen,
           (select coalesce(cast(sum(a.refund_fen) as bigint), 0) from adjustment a
             where a.corp_id = s.corp_id and a.order_id = s.id) as refund_fen,
           s.items
         from sale s join store st on st.corp_id = s.corp_id and st.id = s.store_id
         where {} order by s.paid_at desc, s.id desc limit {limit}",
        wanted.sql()
    );
    let rows: Vec<OrderRow> = db::all(conn, &sql, wanted.args).await?;
    let rows = Page::cut(rows, page, |row| (row.paid_at.0, row.id.0));
    let mut lines = lines_of(conn, scope, rows.items.iter().map(|row| row.id.0)).await?;
    Ok(rows.map(|row| Order {
        lines: lines.remove(&row.id).unwrap_or_default(),
        id: row.id,
        order_no: row.order_no,
        store_id: row.store_id,
        store_name: row.store_name,
        channel: row.channel,
        paid_at: row.paid_at,
        contact_id: row.contact_id,
        paid_fen: row.paid_fen,
        refund_fen: row.refund_fen,
        items: row.items,
    }))
}

/// Categories that orders hold, the whole corp's: for who reacts to them.
pub async fn categories(
    conn: &impl Conn,
    corp: CorpId,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, HashSet<String>>> {
    let sql = format!(
        "select distinct order_id, category from sale_line where corp_id = $1 and {}",
        conn.backend().in_ids("order_id", "$2")
    );
    let mut held: HashMap<OrderId, HashSet<String>> = HashMap::new();
    for row in db::rows(
        conn,
        &sql,
        args![corp, id_list(orders.iter().map(|order| order.0))],
    )
    .await?
    {
        held.entry(db::column(&row, 0)?)
            .or_default()
            .insert(db::column(&row, 1)?);
    }
    Ok(held)
}

async fn lines_of(
    conn: &impl Conn,
    scope: &Scope,
    orders: impl Iterator<Item = i64>,
) -> Result<HashMap<OrderId, Vec<OrderLine>>> {
    let sql = format!(
        "select order_id, sku, name, category, quantity, paid_fen, list_fen from sale_line
         where corp_id = $1 and {} order by order_id, line_no",
        conn.backend().in_ids("order_id", "$2")
    );
    let mut lines: HashMap<OrderId, Vec<OrderLine>> = HashMap::new();
    for row in db::rows(conn, &sql, args![scope.corp, id_list(orders)]).await? {
        let order = OrderId(db::column(&row, 0)?);
        lines
            .entry(order)
            .or_default()
            .push(OrderLine::from_query_result(&row, "")?);
    }
    Ok(lines)
}

#[derive(FromQueryResult)]
struct RefundListRow {
    id: RefundId,
    refund_no: String,
    order_no: String,
    order_id: Option<OrderId>,
    refunded_at: Timestamp,
    refund_fen: Fen,
}

/// Refunds in scope, the last first. Those that wait for their order have no store yet: only a whole scope sees them.
pub async fn refunds(
    conn: &impl Conn,
    scope: &Scope,
    filter: &OrderFilter,
    page: &PageOf,
) -> Result<Page<Refund>> {
    let mut wanted = Filter::new("r.corp_id", scope.corp);
    narrow(&mut wanted, conn.backend(), scope);
    filter.narrow(&mut wanted, "r.day");
    if let Some((refunded_at, id)) = page.after::<(i64, i64)>()? {
        let (refunded_at, id) = (wanted.arg(refunded_at), wanted.arg(id));
        wanted.and_sql(&format!(
            "(r.refunded_at < {refunded_at} or (r.refunded_at = {refunded_at} and r.id < {id}))"
        ));
    }
    let limit = wanted.arg(page.limit() + 1);
    let sql = format!(
        "select r.id, r.refund_no, r.order_no, r.order_id, r.refunded_at, r.refund_fen
         from refund r left join sale s on s.corp_id = r.corp_id and s.id = r.order_id
         where {} order by r.refunded_at desc, r.id desc limit {limit}",
        wanted.sql()
    );
    let rows: Vec<RefundListRow> = db::all(conn, &sql, wanted.args).await?;
    Ok(
        Page::cut(rows, page, |row| (row.refunded_at.0, row.id.0)).map(|row| Refund {
            id: row.id,
            refund_no: row.refund_no,
            order_no: row.order_no,
            refunded_at: row.refunded_at,
            refund_fen: row.refund_fen,
            applied: row.order_id.is_some(),
        }),
    )
}

/// Products by sku; everybody in the corp sees them all. `search` is a part of the sku or the name.
pub async fn products(
    conn: &impl Conn,
    scope: &Scope,
    search: Option<&str>,
    page: &PageOf,
) -> Result<Page<Product>> {
    let mut wanted = Filter::new("corp_id", scope.corp);
    if let Some(search) = search.map(str::trim).filter(|search| !search.is_empty()) {
        let place = wanted.arg(format!("%{}%", like_escape(&search.to_lowercase())));
        wanted.and_sql(&format!(
            "(lower(name) like {place} escape '\\' or lower(sku) like {place} escape '\\')"
        ));
    }
    if let Some(sku) = page.after::<String>()? {
        wanted.and("sku > {}", sku);
    }
    let limit = wanted.arg(page.limit() + 1);
    let sql = format!(
        "select id, sku, name, category, price_fen, page, status from product where {} order by sku limit {limit}",
        wanted.sql()
    );
    let rows: Vec<Product> = db::all(conn, &sql, wanted.args).await?;
    Ok(Page::cut(rows, page, |row| row.sku.clone()))
}

/// What the corp's products are sorted into, by name; everybody in the corp sees it.
pub async fn product_categories(conn: &impl Conn, scope: &Scope, most: i64) -> Result<Vec<String>> {
    let sql = "select distinct category from product where corp_id = $1 and category <> '' order by category limit $2";
    let mut categories: Vec<String> = db::scalars(conn, sql, args![scope.corp, most]).await?;
    // A database has an order of its own for text.
    categories.sort_unstable();
    Ok(categories)
}

#[derive(FromQueryResult)]
struct CreditListRow {
    associate_id: Option<AssociateId>,
    associate_name: Option<String>,
    store_id: StoreId,
    store_name: String,
    source: String,
    link_id: Option<LinkId>,
    campaign_id: Option<CampaignId>,
    moment_id: Option<MomentId>,
    paid_fen: Fen,
    refund_fen: Fen,
    rule_version: i64,
}

#[derive(FromQueryResult)]
struct CandidateListRow {
    source: String,
    touch_id: Option<i64>,
    associate_id: Option<AssociateId>,
    store_id: Option<StoreId>,
    at: Option<Timestamp>,
    verdict: String,
}

/// How an order was earned.
pub async fn attribution(conn: &impl Conn, scope: &Scope, order_no: &str) -> Result<Attribution> {
    let mut wanted = Filter::new("s.corp_id", scope.corp);
    narrow(&mut wanted, conn.backend(), scope);
    wanted.and("s.order_no = {}", order_no);
    let sql = format!("select s.id from sale s where {}", wanted.sql());
    let order: i64 = db::scalar(conn, &sql, wanted.args)
        .await?
        .ok_or(Error::NotFound)?;
    let credits = credits_of(conn, scope, order).await?;
    let candidates: Vec<CandidateListRow> = db::all(
        conn,
        "select source, touch_id, associate_id, store_id, at, verdict from candidate
         where corp_id = $1 and order_id = $2 order by place",
        args![scope.corp, order],
    )
    .await?;
    Ok(Attribution {
        order_no: order_no.to_owned(),
        rule_version: credits.first().map_or(0, |credit| credit.rule_version),
        credits: credits.into_iter().map(CreditRow::from).collect(),
        candidates: candidates.into_iter().map(CandidateRow::from).collect(),
    })
}

async fn credits_of(conn: &impl Conn, scope: &Scope, order: i64) -> Result<Vec<CreditListRow>> {
    db::all(
        conn,
        "select c.associate_id, a.name as associate_name, c.store_id, st.name as store_name, c.source, c.link_id,
           c.campaign_id, c.moment_id, c.paid_fen,
           (select coalesce(cast(sum(j.refund_fen) as bigint), 0) from adjustment j
             where j.corp_id = c.corp_id and j.order_id = c.order_id and j.part = c.part) as refund_fen,
           c.rule_version
         from credit c join store st on st.corp_id = c.corp_id and st.id = c.store_id
         left join associate a on a.corp_id = c.corp_id and a.id = c.associate_id
         where c.corp_id = $1 and c.order_id = $2 order by c.part",
        args![scope.corp, order],
    )
    .await
}

impl From<CreditListRow> for CreditRow {
    fn from(row: CreditListRow) -> Self {
        Self {
            associate_id: row.associate_id,
            associate_name: row.associate_name,
            store_id: row.store_id,
            store_name: row.store_name,
            source: row.source,
            link_id: row.link_id,
            campaign_id: row.campaign_id,
            moment_id: row.moment_id,
            paid_fen: row.paid_fen,
            refund_fen: row.refund_fen,
        }
    }
}

impl From<CandidateListRow> for CandidateRow {
    fn from(row: CandidateListRow) -> Self {
        Self {
            source: row.source,
            touch_id: row.touch_id.map(|id| id.to_string()),
            associate_id: row.associate_id,
            store_id: row.store_id,
            at: row.at,
            verdict: row.verdict,
        }
    }
}
