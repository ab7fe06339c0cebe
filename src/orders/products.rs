//! Takes products in: idempotent by sku.

use super::record::{check_rows, row_result};
use super::{NewProduct, RowResult, check, store};
use crate::app::App;
use crate::error::{Error, Result};
use crate::scope::{Act, Scope};

/// Stores products; what was there under the same sku is replaced. Pointers are `/{index}/…`.
pub async fn record_products(
    app: &App,
    act: &Act<'_>,
    scope: &Scope,
    products: &[NewProduct],
) -> Result<Vec<RowResult>> {
    check_rows(products.len())?;
    if !scope.is_whole() {
        let message = "products are the whole corp's; only headquarters writes them";
        return Err(Error::Forbidden(message.into()));
    }
    let tx = app.db.begin().await?;
    let mut results = Vec::with_capacity(products.len());
    for (index, product) in products.iter().enumerate() {
        let problems = check::product(product);
        let result = if problems.is_empty() {
            let (was_there, is_changed) = store::put_product(&tx, act, scope.corp, product).await?;
            Ok(match (was_there, is_changed) {
                (false, _) => RowResult::Created,
                (true, true) => RowResult::Updated,
                (true, false) => RowResult::Unchanged,
            })
        } else {
            Err(Error::Invalid(problems))
        };
        results.push(row_result(index, result)?);
    }
    tx.commit().await?;
    Ok(results)
}
