//! The audit chain: who did what, each entry's hash over the one before, no gaps. No free text, no names.

use sha2::{Digest, Sha256};

use super::store::{self, AuditRow};
use crate::db::{Conn, Tx};
use crate::error::Result;
use crate::ids::CorpId;
use crate::scope::Act;

/// Appends an entry: `action` such as `campaign.schedule`, `subject` such as `campaign:123`.
pub async fn append(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let (seq, previous) = store::audit_head(tx, corp).await?;
    let mut row = AuditRow {
        seq: seq + 1,
        at: act.now,
        actor: act.by.to_string(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail: detail.to_string(),
        hash: String::new(),
    };
    row.hash = link(&previous, corp, &row);
    store::insert_audit(tx, corp, row).await
}

/// What a walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Whole {
        entries: i64,
    },
    /// The first entry that is missing, changed or out of place.
    Broken {
        seq: i64,
    },
}

/// Walks a corp's whole chain.
pub async fn verify(conn: &impl Conn, corp: CorpId) -> Result<Verdict> {
    let (mut seq, mut previous) = (0, String::new());
    loop {
        let rows = store::audit_after(conn, corp, seq, 1_000).await?;
        if rows.is_empty() {
            return Ok(Verdict::Whole { entries: seq });
        }
        for row in rows {
            if row.seq != seq + 1 || row.hash != link(&previous, corp, &row) {
                return Ok(Verdict::Broken { seq: seq + 1 });
            }
            (seq, previous) = (row.seq, row.hash);
        }
    }
}

/// The hash of an entry: over the one before and every field, each with its length so that none runs into the next.
fn link(previous: &str, corp: CorpId, row: &AuditRow) -> String {
    let mut hash = Sha256::new();
    let fields = [
        previous.to_owned(),
        corp.to_string(),
        row.seq.to_string(),
        row.at.0.to_string(),
        row.actor.clone(),
        row.action.clone(),
        row.subject.clone(),
        row.detail.clone(),
    ];
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hex::encode(hash.finalize())
}
