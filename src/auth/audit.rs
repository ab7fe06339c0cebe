//! The audit chain: who did what, each entry's hash over the one before, no gaps. No free text, no names.
//!
//! Hashes are keyed (HMAC-SHA-256 under a key made from the master key), so whoever can write the database alone cannot
//! write history. The end of the chain, its head, is kept apart and keyed as well: entries cut off the end are missed.
//! What the database alone cannot notice is being put back whole to an earlier state; `audit verify` prints each head
//! to be kept elsewhere. Entries from before chains had a key hold a plain hash; the first keyed one seals them.

use sha2::{Digest, Sha256};

use super::store::{self, AuditHead, AuditRow};
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::CorpId;
use crate::scope::{Act, Actor};
use crate::seal::Sealer;
use crate::time::Timestamp;

/// Appends an entry: `action` such as `campaign.schedule`, `subject` such as `campaign:123`.
///
/// It follows the head, not the last entry there is: what is missing in between stays missing.
pub async fn append(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let mut head = store::audit_head(tx, corp).await?.unwrap_or_default();
    if head.seq > 0 && head.mac.is_empty() {
        head.mac = sealed(tx, act.sealer, corp, &head).await?;
    }
    let mut row = AuditRow {
        seq: head.seq + 1,
        at: act.now,
        actor: act.by.to_string(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail: detail.to_string(),
        hash: String::new(),
    };
    row.hash = keyed(act.sealer, &head.mac, corp, &row);
    head.seq = row.seq;
    head.mac = head_mac(act.sealer, corp, row.seq, &row.hash);
    store::insert_audit(tx, corp, row).await?;
    store::put_audit_head(tx, corp, &head).await
}

/// When somebody did something since then, the first time first.
pub async fn since(
    tx: &Tx,
    corp: CorpId,
    by: Actor,
    action: &str,
    since: Timestamp,
) -> Result<Vec<Timestamp>> {
    store::audit_times(tx, corp, &by.to_string(), action, since).await
}

/// The head of a chain that had no key so far.
async fn sealed(tx: &Tx, sealer: &Sealer, corp: CorpId, head: &AuditHead) -> Result<String> {
    let last = store::audit_after(tx, corp, head.seq - 1, 1)
        .await?
        .into_iter()
        .next();
    let last = last.filter(|row| row.seq == head.seq);
    let last = last.ok_or_else(|| {
        let seq = head.seq;
        Error::internal(format!(
            "audit entry {seq} of corp `{corp}` is missing; see `dianyu audit verify`"
        ))
    })?;
    Ok(head_mac(sealer, corp, last.seq, &last.hash))
}

/// What a walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Whole {
        entries: i64,
        /// To be kept elsewhere; `None` when no keyed entry has sealed the chain yet.
        head: Option<String>,
    },
    /// The first entry that is missing, changed or out of place.
    Broken { seq: i64 },
}

/// Walks a corp's whole chain, and compares its end with the head.
pub async fn verify(conn: &impl Conn, sealer: &Sealer, corp: CorpId) -> Result<Verdict> {
    let end = store::read_audit_head(conn, corp).await?.unwrap_or_default();
    // `previous` is a plain hash among entries without a key, and a head's keyed one from then on.
    let (mut seq, mut previous) = (0, String::new());
    loop {
        let rows = store::audit_after(conn, corp, seq, 1_000).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let is_plain = row.seq <= end.unkeyed_to;
            let expected = match is_plain {
                true => plain(&previous, corp, &row),
                false => keyed(sealer, &previous, corp, &row),
            };
            if row.seq != seq + 1 || row.hash != expected {
                return Ok(Verdict::Broken { seq: seq + 1 });
            }
            seq = row.seq;
            previous = match seq < end.unkeyed_to {
                true => row.hash,
                false => head_mac(sealer, corp, seq, &row.hash),
            };
        }
    }
    let is_unsealed = end.mac.is_empty() && end.seq == end.unkeyed_to;
    if seq != end.seq || !(is_unsealed || end.mac == previous) {
        return Ok(Verdict::Broken {
            seq: seq.min(end.seq) + 1,
        });
    }
    let head = Some(end.mac).filter(|mac| !mac.is_empty());
    Ok(Verdict::Whole { entries: seq, head })
}

fn head_mac(sealer: &Sealer, corp: CorpId, seq: i64, hash: &str) -> String {
    sealer.mac(&["head", &corp.to_string(), &seq.to_string(), hash])
}

/// The hash of an entry: over the head before it and every field.
fn keyed(sealer: &Sealer, previous: &str, corp: CorpId, row: &AuditRow) -> String {
    let fields = fields(previous, corp, row);
    let mut named = vec!["entry"];
    named.extend(fields.iter().map(String::as_str));
    sealer.mac(&named)
}

/// The same before chains had a key: over the hash before it.
fn plain(previous: &str, corp: CorpId, row: &AuditRow) -> String {
    let mut hash = Sha256::new();
    for field in fields(previous, corp, row) {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hex::encode(hash.finalize())
}

fn fields(previous: &str, corp: CorpId, row: &AuditRow) -> [String; 8] {
    [
        previous.to_owned(),
        corp.to_string(),
        row.seq.to_string(),
        row.at.0.to_string(),
        row.actor.clone(),
        row.action.clone(),
        row.subject.clone(),
        row.detail.clone(),
    ]
}
