//! A number for this instance, leased from the database, so that ids made side by side differ.

use std::time::Duration;

use super::{Conn, Db, run, scalar};
use crate::args;
use crate::error::{Error, Result};
use crate::ids::{Ids, NODES, random_base62};
use crate::time::{MINUTE_MS, SECOND_MS, Timestamp};

/// A number stays ours so long without a sign of life: whoever hung meanwhile must not find another making its ids.
const LEASE_MS: i64 = 10 * MINUTE_MS;
/// How often an instance gives a sign of life.
pub const BEAT: Duration = Duration::from_secs(30);
/// Without one for so long it is gone, though its number stays taken for a while.
const LIFE_MS: i64 = 90 * SECOND_MS;

/// A node number that is ours until the lease runs out; renew it well before.
pub struct Node {
    pub number: i64,
    token: String,
}

/// Takes the lowest free node number and makes the id source that uses it.
pub async fn lease(db: &Db, now: Timestamp) -> Result<(Node, Ids)> {
    let token = random_base62(22);
    for number in 0..NODES {
        let tx = db.begin().await?;
        let clock = tx.backend().now_ms();
        let sql = format!(
            "insert into node (number, token, lease_until, last_ms) values ($1, $2, {clock} + $3, $4)
             on conflict (number) do update set token = excluded.token, lease_until = excluded.lease_until
             where node.lease_until < {clock}"
        );
        let won = run(&tx, &sql, args![number, token.clone(), LEASE_MS, now]).await?;
        let floor: Option<i64> =
            scalar(&tx, "select last_ms from node where number = $1", args![number]).await?;
        tx.commit().await?;
        if won == 1 {
            return Ok((
                Node { number, token },
                Ids::new(number, Timestamp(floor.unwrap_or(0))),
            ));
        }
    }
    Err(Error::internal(format!(
        "all {NODES} node numbers are taken; stop instances that no longer serve"
    )))
}

/// Holds the lease longer and notes how far the ids have come. `false`: the lease was lost.
pub async fn renew(db: &Db, node: &Node, now: Timestamp) -> Result<bool> {
    let tx = db.begin().await?;
    let clock = tx.backend().now_ms();
    let sql = format!(
        "update node set lease_until = {clock} + $3, last_ms = case when last_ms < $4 then $4 else last_ms end
         where number = $1 and token = $2"
    );
    let held = run(&tx, &sql, args![node.number, node.token.clone(), LEASE_MS, now]).await?;
    tx.commit().await?;
    Ok(held == 1)
}

/// Gives the number back at a clean stop.
pub async fn release(db: &Db, node: &Node, now: Timestamp) -> Result<()> {
    let tx = db.begin().await?;
    run(
        &tx,
        "update node set lease_until = 0, last_ms = case when last_ms < $3 then $3 else last_ms end
         where number = $1 and token = $2",
        args![node.number, node.token.clone(), now],
    )
    .await?;
    tx.commit().await
}

/// How many instances live: held their number longer within the last beats.
pub async fn living(db: &Db) -> Result<i64> {
    let sql = format!(
        "select count(*) from node where lease_until > {} + {}",
        db.backend().now_ms(),
        LEASE_MS - LIFE_MS
    );
    super::count(db, &sql, args![]).await
}
