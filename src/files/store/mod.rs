//! Every statement on the tables of imports and exports.

pub mod exports;
pub mod imports;

use crate::args;
use crate::db::{self, Tx};
use crate::error::Result;
use crate::ids::CorpId;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// How long it is told what became of an import, and its refused rows can be fetched.
const IMPORT_MS: i64 = 30 * DAY_MS;
/// A file that is still coming in after this broke off.
const COMING_MS: i64 = HOUR_MS;

/// Deletes what has had its time.
pub async fn sweep(tx: &Tx, corp: CorpId, now: Timestamp) -> Result<()> {
    let old = "select id from contact_import where corp_id = $1 and
       ((state = 'reading' and created_at < $2) or (state not in ('reading', 'running') and created_at < $3))";
    let dates = args![corp, now.plus_ms(-COMING_MS), now.plus_ms(-IMPORT_MS)];
    for id in db::scalars(tx, old, dates).await? {
        imports::forget(tx, corp, id).await?;
    }
    let old = "select id from contact_export where corp_id = $1 and expires_at <= $2";
    for id in db::scalars(tx, old, args![corp, now]).await? {
        exports::forget(tx, corp, id).await?;
    }
    Ok(())
}
