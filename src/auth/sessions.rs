//! Sign-in and sessions.

use std::time::Duration;

use secrecy::SecretString;

use super::model::{Operator, Role};
use super::operators::fold_login;
use super::{password, store};
use crate::app::App;
use crate::cache::Limit;
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{CorpId, UserId, random_base62};
use crate::scope::{Reach, Scope};
use crate::seal::fingerprint;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp, zone};

/// 43 characters of base62: 256 bits.
const TOKEN_LENGTH: usize = 43;
const LONGEST_MS: i64 = 7 * DAY_MS;
const OAUTH_MS: i64 = 10 * MINUTE_MS;
/// Last seen is written at this grain, to save a write a request.
const SEEN_GRAIN_MS: i64 = MINUTE_MS;

/// Failures of one login or one address before it has to wait.
const TRIES: Limit = Limit {
    times: 5,
    within: Duration::from_secs(15 * 60),
};
/// An address may be a whole store behind one router.
const TRIES_OF_ADDRESS: Limit = Limit {
    times: 50,
    within: Duration::from_secs(15 * 60),
};

/// The cookie's value; only its fingerprint is stored.
pub struct NewSession {
    pub token: SecretString,
}

/// Signs in by login and password. Unknown login and wrong password read and take the same.
///
/// # Errors
/// `SignedOut` when they do not fit; `TooMany` after 5 failures in 15 minutes for the login or the address.
pub async fn sign_in(app: &App, login: &str, password: &SecretString, address: &str) -> Result<NewSession> {
    let login = fold_login(login);
    let by_login = format!("sign-in:login:{}", fingerprint(&login));
    for (key, limit) in [
        (&by_login, TRIES),
        (&format!("sign-in:address:{address}"), TRIES_OF_ADDRESS),
    ] {
        if let Err(wait) = app.cache.pass(key, limit).await {
            tracing::warn!(address, "sign-in refused: too many tries");
            return Err(Error::TooMany {
                retry_after_s: wait.as_secs().max(1),
            });
        }
    }
    let account = store::account_by_login(&app.db, &login).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let fits = password::fits(password.clone(), stored).await?;
    let Some(account) = account.filter(|_| fits) else {
        tracing::warn!(address, "sign-in failed");
        return Err(Error::SignedOut);
    };
    app.cache.clear_limit(&by_login).await;
    begin(app, &account).await
}

/// Signs in a member the platform vouched for. `NotFound` when no operator belongs to the member.
pub async fn sign_in_member(app: &App, corp: CorpId, userid: &UserId) -> Result<NewSession> {
    let account = store::account_by_userid(&app.db, corp, userid.folded().as_str()).await?;
    begin(app, &account.ok_or(Error::NotFound)?).await
}

async fn begin(app: &App, account: &store::Account) -> Result<NewSession> {
    let (token, csrf) = (random_base62(TOKEN_LENGTH), random_base62(32));
    let tx = app.db.begin().await?;
    store::add_session(&tx, &fingerprint(&token), account, &csrf, app.now()).await?;
    tx.commit().await?;
    tracing::info!(corp.id = %account.corp_id, operator.id = %account.id, "signed in");
    Ok(NewSession { token: token.into() })
}

/// Begins a sign-in by the platform: the `state` to send along. `browser` is a cookie value of this browser.
pub async fn begin_oauth(app: &App, corp: CorpId, browser: &str, return_to: &str) -> Result<String> {
    let state = random_base62(TOKEN_LENGTH);
    let tx = app.db.begin().await?;
    let (state_hash, browser_hash) = (fingerprint(&state), fingerprint(browser));
    let attempt = store::Attempt {
        state_hash: &state_hash,
        browser_hash: &browser_hash,
        corp,
        return_to,
        now: app.now(),
    };
    store::add_attempt(&tx, attempt).await?;
    tx.commit().await?;
    Ok(state)
}

/// Ends it: the corp and where to go back to. A state works once, in the browser that began, for 10 minutes.
pub async fn finish_oauth(app: &App, state: &str, browser: &str) -> Result<(CorpId, String)> {
    let tx = app.db.begin().await?;
    let since = app.now().plus_ms(-OAUTH_MS);
    let used = store::use_attempt(&tx, &fingerprint(state), &fingerprint(browser), since, app.now()).await?;
    tx.commit().await?;
    used.ok_or(Error::SignedOut)
}

/// Who a cookie belongs to, with role and scope as they are now.
///
/// # Errors
/// `SignedOut` when it ended, idled too long (30 min admin, 12 h others), is 7 days old, or the person's rights changed.
pub async fn operator(app: &App, token: &str) -> Result<Operator> {
    if token.len() != TOKEN_LENGTH {
        return Err(Error::SignedOut);
    }
    let hash = fingerprint(token);
    let row = store::session(&app.db, &hash).await?.ok_or(Error::SignedOut)?;
    let role = Role::parse(&row.role).ok_or(Error::SignedOut)?;
    let now = app.now();
    if row.has_left
        || row.session_epoch != row.auth_epoch
        || has_run_out(role, row.created_at, row.last_seen_at, now)
    {
        return Err(Error::SignedOut);
    }
    if now.0 - row.last_seen_at.0 > SEEN_GRAIN_MS {
        let tx = app.db.begin().await?;
        store::touch_session(&tx, &hash, now).await?;
        tx.commit().await?;
    }
    let scope = scope_of(app, role, &row).await?;
    Ok(Operator {
        id: row.operator_id,
        corp: row.corp_id,
        corp_name: row.corp_name,
        zone: zone(&row.zone).unwrap_or(chrono_tz::Asia::Shanghai),
        name: row.name,
        role,
        associate: row.associate_id,
        store: row.store_id,
        store_name: row.store_name,
        scope,
        csrf: row.csrf,
        session: hash,
    })
}

fn has_run_out(role: Role, created: Timestamp, seen: Timestamp, now: Timestamp) -> bool {
    let idle = if role == Role::Admin {
        30 * MINUTE_MS
    } else {
        12 * HOUR_MS
    };
    now.0 - seen.0 > idle + SEEN_GRAIN_MS || now.0 - created.0 > LONGEST_MS
}

/// A role that lost its store, region or associate sees nothing.
async fn scope_of(app: &App, role: Role, row: &store::SessionRow) -> Result<Scope> {
    let reach = match role {
        Role::Admin | Role::Marketer => Reach::Whole,
        Role::Regional => match row.region_id {
            Some(region) => Reach::Stores(directory::stores_of_region(&app.db, row.corp_id, region).await?),
            None => Reach::Stores(Vec::new()),
        },
        Role::Manager => Reach::Stores(row.store_id.into_iter().collect()),
        Role::Associate => row.associate_id.map_or(Reach::Stores(Vec::new()), Reach::Own),
    };
    Ok(Scope {
        corp: row.corp_id,
        reach,
    })
}

/// Ends one session.
pub async fn sign_out(app: &App, me: &Operator) -> Result<()> {
    let tx = app.db.begin().await?;
    store::end_session(&tx, &me.session, app.now()).await?;
    tx.commit().await
}
