//! The list of contacts without its pages.

use chrono_tz::Tz;

use super::wanted;
use crate::contacts::ContactFilter;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::ids::ContactId;
use crate::scope::Scope;

/// Everybody the filter leaves in scope, in the order of their ids. Days are those of `zone`.
pub async fn everybody(
    conn: &impl Conn,
    scope: &Scope,
    filter: &ContactFilter,
    zone: Tz,
) -> Result<Vec<ContactId>> {
    let wanted = wanted(conn, scope, filter, zone).all;
    let sql = format!(
        "select distinct f.contact_id from follow f
         join contact c on c.corp_id = f.corp_id and c.id = f.contact_id where {} order by f.contact_id",
        wanted.sql()
    );
    db::scalars(conn, &sql, wanted.args).await
}
