//! Sign-in and sessions.

use std::time::Duration;

use secrecy::SecretString;

use super::model::{Operator, Role};
use super::operators::fold_login;
use super::{password, store};
use crate::app::App;
use crate::cache::{Cache, Limit};
use crate::db::{Conn, Tx};
use crate::directory;
use crate::error::{Error, Result};
use crate::ids::{CorpId, UserId, random_base62};
use crate::scope::{Actor, Reach, Scope};
use crate::seal::fingerprint;
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp, zone};

/// 43 characters of base62: 256 bits.
const TOKEN_LENGTH: usize = 43;
const LONGEST_MS: i64 = 7 * DAY_MS;
const OAUTH_MS: i64 = 10 * MINUTE_MS;
/// Last seen is written at this grain, to save a write a request.
const SEEN_GRAIN_MS: i64 = MINUTE_MS;

const QUARTER: Duration = Duration::from_secs(15 * 60);
/// Failures of one login from one address before it has to wait: the more there were, the longer.
const TRIES: [Limit; 3] = [
    Limit {
        times: 5,
        within: QUARTER,
    },
    Limit {
        times: 10,
        within: Duration::from_secs(2 * 3600),
    },
    Limit {
        times: 20,
        within: Duration::from_secs(24 * 3600),
    },
];
/// An address may be a whole store behind one router.
const TRIES_OF_ADDRESS: Limit = Limit {
    times: 50,
    within: QUARTER,
};
/// Failures of one login from anywhere before each address has a single try left. Its owner's first try is one of
/// them, so strangers slow down only themselves.
const TRIES_OF_LOGIN: Limit = Limit {
    times: 50,
    within: QUARTER,
};

/// Sign-ins by the platform an address may begin.
const OAUTH_OF_ADDRESS: Limit = Limit {
    times: 60,
    within: Duration::from_secs(10 * 60),
};

/// The cookie's value; only its fingerprint is stored.
pub struct NewSession {
    pub token: SecretString,
}

/// Signs in by login and password. Unknown login and wrong password read and take the same. `address` is what limits
/// go by ([`crate::address::counted`]).
///
/// # Errors
/// `SignedOut` when they do not fit; `TooMany` after 5 failures in 15 minutes of the login from this address (10 in
/// 2 hours, 20 in a day), or 50 of the address.
pub async fn sign_in(app: &App, login: &str, password: &SecretString, address: &str) -> Result<NewSession> {
    let login = fold_login(login);
    // The log shows that tries go for the same login, not for which: people type passwords into that field.
    let whose = app.sealer.blind(CorpId(0), &login);
    let tries = Tries::new(&login, address);
    if let Err(wait) = tries.begin(&app.cache).await {
        tracing::warn!(address, login = whose, "sign-in refused: too many tries");
        return Err(Error::TooMany {
            retry_after_s: wait.as_secs() + 1,
        });
    }
    let account = store::account_by_login(&app.db, &login).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let fits = password::fits(password.clone(), stored).await?;
    let Some(account) = account.filter(|_| fits) else {
        tries.failed(&app.cache).await;
        tracing::warn!(address, login = whose, "sign-in failed");
        return Err(Error::SignedOut);
    };
    tries.succeeded(&app.cache).await;
    begin(app, &account).await
}

/// The counts one try goes into. It is counted before the password is looked at, so that many at once are no way
/// around, and taken back when it fits.
struct Tries {
    of_address: String,
    of_login: String,
    of_both: [String; 3],
}

impl Tries {
    fn new(login: &str, address: &str) -> Self {
        let login = fingerprint(login);
        let of_both = [0, 1, 2].map(|step| format!("sign-in:{step}:{login}:{address}"));
        Self {
            of_address: format!("sign-in:address:{address}"),
            of_login: format!("sign-in:login:{login}"),
            of_both,
        }
    }

    /// The address comes first: one that is shut out touches no login's counts.
    async fn begin(&self, cache: &Cache) -> Result<(), Duration> {
        cache.pass(&self.of_address, TRIES_OF_ADDRESS).await?;
        let is_under_attack = cache.get(&self.of_login).await.is_some();
        for (key, mut limit) in self.of_both.iter().zip(TRIES) {
            if is_under_attack && limit.within == QUARTER {
                limit.times = 1;
            }
            cache.pass(key, limit).await?;
        }
        Ok(())
    }

    async fn failed(&self, cache: &Cache) {
        if cache.pass(&self.of_login, TRIES_OF_LOGIN).await.is_err() {
            cache.put(&self.of_login, "1", TRIES_OF_LOGIN.within).await;
        }
    }

    async fn succeeded(&self, cache: &Cache) {
        cache.give_back(&self.of_address).await;
        for key in &self.of_both {
            cache.clear_limit(key).await;
        }
    }
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

/// Begins a sign-in by the platform: the `state` to send along. `browser` is a cookie value of this browser, `address`
/// what limits go by.
///
/// # Errors
/// `TooMany` after 60 of an address in 10 minutes: anybody may ask, and each leaves a row for a while.
pub async fn begin_oauth(
    app: &App,
    corp: CorpId,
    browser: &str,
    return_to: &str,
    address: &str,
) -> Result<String> {
    let by_address = format!("oauth:address:{address}");
    if let Err(wait) = app.cache.pass(&by_address, OAUTH_OF_ADDRESS).await {
        return Err(Error::TooMany {
            retry_after_s: wait.as_secs() + 1,
        });
    }
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
    let (me, last_seen_at) = read(app, token).await?;
    let now = app.now();
    if now.0 - last_seen_at.0 > SEEN_GRAIN_MS {
        let tx = app.db.begin().await?;
        store::touch_session(&tx, &me.session, now).await?;
        tx.commit().await?;
    }
    Ok(me)
}

/// The same for a page that asks by itself: it keeps no session alive.
pub async fn onlooker(app: &App, token: &str) -> Result<Operator> {
    Ok(read(app, token).await?.0)
}

/// The operator, and when the session was last used.
async fn read(app: &App, token: &str) -> Result<(Operator, Timestamp)> {
    if token.len() != TOKEN_LENGTH {
        return Err(Error::SignedOut);
    }
    let hash = fingerprint(token);
    let row = store::session(&app.db, &hash).await?.ok_or(Error::SignedOut)?;
    let role = Role::parse(&row.role).ok_or(Error::SignedOut)?;
    let now = app.now();
    if row.is_shut_out
        || row.session_epoch != row.auth_epoch
        || has_run_out(role, row.created_at, row.last_seen_at, now)
    {
        return Err(Error::SignedOut);
    }
    let scope = scope_of(&app.db, row.corp_id, role, &row.place()).await?;
    let me = Operator {
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
    };
    Ok((me, row.last_seen_at))
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
async fn scope_of(conn: &impl Conn, corp: CorpId, role: Role, place: &store::Place) -> Result<Scope> {
    let reach = match role {
        Role::Admin | Role::Marketer => Reach::Whole,
        Role::Regional => match place.region_id {
            Some(region) => Reach::Stores(directory::stores_of_region(conn, corp, region).await?),
            None => Reach::Stores(Vec::new()),
        },
        Role::Manager => Reach::Stores(place.store_id.into_iter().collect()),
        Role::Associate => place.associate_id.map_or(Reach::Stores(Vec::new()), Reach::Own),
    };
    Ok(Scope { corp, reach })
}

/// What somebody may see at this moment, for work that goes on after they asked for it; `None`: nothing any more.
pub async fn scope_now(conn: &impl Conn, corp: CorpId, by: Actor, now: Timestamp) -> Result<Option<Scope>> {
    match by {
        Actor::Operator(id) => {
            let Some(standing) = store::standing(conn, corp, id).await? else {
                return Ok(None);
            };
            match Role::parse(&standing.role) {
                Some(role) => scope_of(conn, corp, role, &standing.place()).await.map(Some),
                None => Ok(None),
            }
        }
        Actor::ApiKey(id) => Ok(store::is_key_live(conn, corp, id, now)
            .await?
            .then(|| Scope::whole(corp))),
        Actor::Platform | Actor::System | Actor::Rule(_) => Ok(Some(Scope::whole(corp))),
    }
}

/// Ends one session.
pub async fn sign_out(app: &App, me: &Operator) -> Result<()> {
    let tx = app.db.begin().await?;
    store::end_session(&tx, &me.session, app.now()).await?;
    tx.commit().await
}

/// Deletes a corp's sessions and sign-ins that cannot be used any more.
pub async fn sweep(tx: &Tx, corp: CorpId, now: Timestamp) -> Result<()> {
    store::sweep_attempts(tx, corp, now.plus_ms(-OAUTH_MS)).await?;
    store::sweep_sessions(tx, corp, now.plus_ms(-LONGEST_MS)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fits_uses_up_no_tries() {
        let cache = Cache::memory();
        let tries = Tries::new("chen", "9.9.9.9");
        for number in 0..200 {
            assert!(tries.begin(&cache).await.is_ok(), "{number}");
            tries.succeeded(&cache).await;
        }
    }

    #[tokio::test]
    async fn an_address_that_is_shut_out_counts_against_no_login() {
        let cache = Cache::memory();
        for number in 0..50 {
            let tries = Tries::new(&format!("login-{number}"), "6.6.6.6");
            assert!(tries.begin(&cache).await.is_ok());
            tries.failed(&cache).await;
        }
        let chen = Tries::new("chen", "6.6.6.6");
        for _ in 0..50 {
            assert!(chen.begin(&cache).await.is_err());
        }
        for key in &chen.of_both {
            assert!(cache.pass(key, TRIES[0]).await.is_ok());
        }
        assert!(Tries::new("chen", "9.9.9.9").begin(&cache).await.is_ok());
    }

    #[tokio::test]
    async fn strangers_lock_nobody_out() {
        let cache = Cache::memory();
        let fail = async |address: &str| {
            let tries = Tries::new("chen", address);
            let begun = tries.begin(&cache).await;
            if begun.is_ok() {
                tries.failed(&cache).await;
            }
            begun
        };
        for _ in 0..5 {
            assert!(fail("6.6.6.6").await.is_ok());
        }
        assert!(fail("6.6.6.6").await.is_err());
        for number in 0..60 {
            assert!(fail(&format!("6.6.7.{number}")).await.is_ok());
        }
        // From now on every address has one try, and the owner's is one of them.
        assert!(fail("6.6.8.1").await.is_ok());
        assert!(fail("6.6.8.1").await.is_err());
        let owner = Tries::new("chen", "9.9.9.9");
        for _ in 0..3 {
            assert!(owner.begin(&cache).await.is_ok());
            owner.succeeded(&cache).await;
        }
    }
}
