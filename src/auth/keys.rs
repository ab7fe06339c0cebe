//! API keys: made once, shown once, stored as a fingerprint.

use secrecy::SecretString;

use super::model::{ApiCaller, key_scopes};
use super::store;
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::{ApiKeyId, CorpId, random_base62};
use crate::scope::{Act, Scope};
use crate::seal::fingerprint;
use crate::time::{MINUTE_MS, Timestamp, zone};

/// Begins every key, so that scanners know one when they see it.
const PREFIX: &str = "dianyu_";
const RANDOM_LENGTH: usize = 43;

/// `dianyu_` and 43 random characters.
///
/// # Errors
/// `Invalid` for a name of 0 or more than 60 characters, no scope, or a scope that does not exist.
pub async fn add_key(
    tx: &Tx,
    act: &Act<'_>,
    corp: CorpId,
    name: &str,
    scopes: &[String],
    expires_at: Option<Timestamp>,
) -> Result<(ApiKeyId, SecretString)> {
    check(name, scopes)?;
    let id = ApiKeyId::new(act.ids, act.now);
    let key = format!("{PREFIX}{}", random_base62(RANDOM_LENGTH));
    let (key_hash, scopes) = (fingerprint(&key), scopes.join(" "));
    let row = store::KeyToAdd {
        corp,
        id,
        name,
        key_hash: &key_hash,
        scopes: &scopes,
        expires_at,
        now: act.now,
    };
    store::insert_key(tx, row).await?;
    super::audit::append(
        tx,
        act,
        corp,
        "api_key.add",
        &format!("api_key:{id}"),
        &serde_json::json!({ "scopes": scopes }),
    )
    .await?;
    Ok((id, key.into()))
}

fn check(name: &str, scopes: &[String]) -> Result<()> {
    if name.is_empty() || name.chars().count() > 60 {
        return Err(Error::invalid("/name", "a name has 1 to 60 characters"));
    }
    if scopes.is_empty() {
        return Err(Error::invalid(
            "/scopes",
            format!("name at least one of {}", key_scopes().join(", ")),
        ));
    }
    for (index, scope) in scopes.iter().enumerate() {
        if !key_scopes().contains(&scope.as_str()) {
            let message = format!("`{scope}` is not a scope; there are {}", key_scopes().join(", "));
            return Err(Error::invalid(format!("/scopes/{index}"), message));
        }
    }
    Ok(())
}

/// Asks for a key as callers do, for one that nobody has.
pub async fn rehearse(app: &App) -> Result<()> {
    store::key(&app.db, "").await.map(drop)
}

/// Who a key belongs to. `SignedOut` for an unknown, expired or revoked one.
pub async fn caller(app: &App, key: &str) -> Result<ApiCaller> {
    if !key.starts_with(PREFIX) || key.len() != PREFIX.len() + RANDOM_LENGTH {
        return Err(Error::SignedOut);
    }
    let row = store::key(&app.db, &fingerprint(key))
        .await?
        .ok_or(Error::SignedOut)?;
    let now = app.now();
    if row.expires_at.is_some_and(|at| at <= now) {
        return Err(Error::SignedOut);
    }
    // Last use is for people who tidy up: a minute's grain saves a write a call.
    if row.last_used_at.is_none_or(|at| now.0 - at.0 > MINUTE_MS) {
        let tx = app.db.begin().await?;
        store::touch_key(&tx, row.corp_id, row.id, now).await?;
        tx.commit().await?;
    }
    Ok(ApiCaller {
        key: row.id,
        corp: row.corp_id,
        zone: zone(&row.zone).unwrap_or(chrono_tz::Asia::Shanghai),
        scopes: row.scopes.split(' ').map(str::to_owned).collect(),
        scope: Scope::whole(row.corp_id),
    })
}
