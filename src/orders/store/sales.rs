//! Orders and their lines.

use sea_orm::FromQueryResult;

use crate::args;
use crate::db::changes::Fact;
use crate::db::{self, Conn, Tx};
use crate::error::Result;
use crate::ids::{AssociateId, ContactId, CorpId, OrderId, StoreId};
use crate::money::Fen;
use crate::orders::OrderLine;
use crate::time::{Day, Timestamp};

/// A row of `sale`.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Sale {
    pub id: OrderId,
    pub order_no: String,
    pub store_id: StoreId,
    pub channel: String,
    pub paid_at: Timestamp,
    pub day: Day,
    pub hour: i64,
    pub contact_id: Option<ContactId>,
    pub buyer_kind: Option<String>,
    pub buyer_key: Option<String>,
    pub associate_id: Option<AssociateId>,
    pub link_code: Option<String>,
    pub paid_fen: Fen,
    pub list_fen: Fen,
    pub items: i64,
    pub body_hash: String,
}

impl Sale {
    pub fn is_mini_store(&self) -> bool {
        self.channel == "mini_store"
    }
}

const SALE: &str = "id, order_no, store_id, channel, paid_at, day, hour, contact_id, buyer_kind, buyer_key,
    associate_id, link_code, paid_fen, list_fen, items, body_hash";

/// A line as sold: whose it was, the order's associate where the line names none.
#[derive(Debug, Clone, FromQueryResult)]
pub struct StoredLine {
    pub sku: String,
    pub paid_fen: Fen,
    pub associate_id: Option<AssociateId>,
}

/// A line to write: as read back, and whose it was.
pub struct LineToWrite {
    pub line: OrderLine,
    pub associate: Option<AssociateId>,
}

pub async fn sale_by_no(conn: &impl Conn, corp: CorpId, order_no: &str) -> Result<Option<Sale>> {
    let sql = format!("select {SALE} from sale where corp_id = $1 and order_no = $2");
    db::first(conn, &sql, args![corp, order_no]).await
}

/// Reads an order and holds it until the transaction ends: whoever changes its credits does this first.
pub async fn hold_sale(tx: &Tx, corp: CorpId, order_no: &str) -> Result<Option<Sale>> {
    let sql =
        format!("update sale set order_no = order_no where corp_id = $1 and order_no = $2 returning {SALE}");
    db::first(tx, &sql, args![corp, order_no]).await
}

/// `false`: an order of this number came in between.
pub async fn insert_sale(tx: &Tx, corp: CorpId, now: Timestamp, sale: &Sale) -> Result<bool> {
    let sql = format!(
        "insert into sale (corp_id, {SALE}, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         on conflict (corp_id, order_no) do nothing"
    );
    let sale = sale.clone();
    let values = args![
        corp,
        sale.id,
        sale.order_no,
        sale.store_id,
        sale.channel,
        sale.paid_at,
        sale.day,
        sale.hour,
        sale.contact_id,
        sale.buyer_kind,
        sale.buyer_key,
        sale.associate_id,
        sale.link_code,
        sale.paid_fen,
        sale.list_fen,
        sale.items,
        sale.body_hash,
        now,
    ];
    tx.note(corp, Fact::Order, sale.contact_id.map(|contact| contact.0));
    Ok(db::run(tx, &sql, values).await? == 1)
}

/// Puts other values in place of `old`. `false`: somebody else did so in between.
pub async fn replace_sale(tx: &Tx, corp: CorpId, sale: &Sale, old: &Sale) -> Result<bool> {
    let buyers = [old.contact_id, sale.contact_id].into_iter().flatten();
    tx.note(corp, Fact::Order, buyers.map(|contact| contact.0));
    let sale = sale.clone();
    let values = args![
        corp,
        sale.id,
        old.body_hash.clone(),
        sale.store_id,
        sale.channel,
        sale.paid_at,
        sale.day,
        sale.hour,
        sale.contact_id,
        sale.buyer_kind,
        sale.buyer_key,
        sale.associate_id,
        sale.link_code,
        sale.paid_fen,
        sale.list_fen,
        sale.items,
        sale.body_hash,
    ];
    let changed = db::run(
        tx,
        "update sale set store_id = $4, channel = $5, paid_at = $6, day = $7, hour = $8, contact_id = $9,
           buyer_kind = $10, buyer_key = $11, associate_id = $12, link_code = $13, paid_fen = $14, list_fen = $15,
           items = $16, body_hash = $17
         where corp_id = $1 and id = $2 and body_hash = $3",
        values,
    )
    .await?;
    Ok(changed == 1)
}

pub async fn insert_lines(tx: &Tx, corp: CorpId, order: OrderId, lines: Vec<LineToWrite>) -> Result<()> {
    let rows = lines
        .into_iter()
        .enumerate()
        .map(|(number, LineToWrite { line, associate })| {
            args![
                corp,
                order,
                number as i64,
                line.sku,
                line.name,
                line.category,
                line.quantity,
                line.paid_fen,
                line.list_fen,
                associate,
            ]
        });
    db::insert_many(
        tx,
        "insert into sale_line (corp_id, order_id, line_no, sku, name, category, quantity, paid_fen, list_fen, associate_id)",
        rows,
        "",
    )
    .await?;
    Ok(())
}

pub async fn sold_lines(conn: &impl Conn, corp: CorpId, order: OrderId) -> Result<Vec<StoredLine>> {
    db::all(
        conn,
        "select sku, paid_fen, associate_id from sale_line where corp_id = $1 and order_id = $2 order by line_no",
        args![corp, order],
    )
    .await
}

/// Name of the first article, for a sentence.
pub async fn first_item(conn: &impl Conn, corp: CorpId, order: OrderId) -> Result<String> {
    let name = db::scalar(
        conn,
        "select name from sale_line where corp_id = $1 and order_id = $2 order by line_no limit 1",
        args![corp, order],
    )
    .await?;
    Ok(name.unwrap_or_default())
}

/// Forgets lines, credits, candidates and adjustments, which are about to be written anew; its refunds wait again.
pub async fn clear(tx: &Tx, corp: CorpId, order: OrderId) -> Result<()> {
    for table in ["sale_line", "credit", "candidate", "adjustment"] {
        let sql = format!("delete from {table} where corp_id = $1 and order_id = $2");
        db::run(tx, &sql, args![corp, order]).await?;
    }
    db::run(
        tx,
        "update refund set order_id = null, day = null where corp_id = $1 and order_id = $2",
        args![corp, order],
    )
    .await?;
    Ok(())
}

/// Orders of a buyer who was not a contact yet.
pub async fn unclaimed_sales(tx: &Tx, corp: CorpId, kind: &str, key: &str) -> Result<Vec<Sale>> {
    let sql = format!(
        "select {SALE} from sale where corp_id = $1 and buyer_kind = $2 and buyer_key = $3 and contact_id is null
         order by paid_at, id"
    );
    db::all(tx, &sql, args![corp, kind, key]).await
}

/// `false`: it has its buyer by now.
pub async fn claim_sale(tx: &Tx, corp: CorpId, order: OrderId, contact: ContactId) -> Result<bool> {
    tx.note(corp, Fact::Order, [contact.0]);
    let claimed = db::run(
        tx,
        "update sale set contact_id = $3 where corp_id = $1 and id = $2 and contact_id is null",
        args![corp, order, contact],
    )
    .await?;
    db::run(
        tx,
        "update credit set contact_id = $3 where corp_id = $1 and order_id = $2 and contact_id is null",
        args![corp, order, contact],
    )
    .await?;
    Ok(claimed == 1)
}
