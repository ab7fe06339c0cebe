//! Products.

use crate::args;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::ids::{CorpId, ProductId};
use crate::orders::NewProduct;
use crate::scope::Act;

/// Writes a product unless it is there with these values. Answers whether it was there, and whether a row changed.
pub async fn put_product(tx: &Tx, act: &Act<'_>, corp: CorpId, product: &NewProduct) -> Result<(bool, bool)> {
    let known = db::count(
        tx,
        "select count(*) from product where corp_id = $1 and sku = $2",
        args![corp, product.sku.as_str()],
    )
    .await?;
    let changed = db::run(
        tx,
        "insert into product (corp_id, id, sku, name, category, price_fen, page, status, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (corp_id, sku) do update set name = excluded.name, category = excluded.category,
           price_fen = excluded.price_fen, page = excluded.page, status = excluded.status,
           updated_at = excluded.updated_at
         where product.name <> excluded.name or product.category <> excluded.category
           or product.price_fen <> excluded.price_fen or product.page <> excluded.page
           or product.status <> excluded.status",
        args![
            corp,
            ProductId::new(act.ids, act.now),
            product.sku.as_str(),
            product.name.as_str(),
            product.category.as_str(),
            product.price_fen,
            product.page.as_str(),
            product.status.as_deref().unwrap_or("on"),
            act.now,
        ],
    )
    .await?;
    Ok((known > 0, changed > 0))
}
