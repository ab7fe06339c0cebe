//! Access tokens: one a corp's app, the same while it lives, gone when the secret is reset.

use std::collections::HashMap;

use rand::RngExt;
use serde_json::json;

use super::Sandbox;
use super::gate::{Answer, Refusal};
use super::world::{Token, World};
use crate::time::{HOUR_MS, Timestamp};

/// Failing calls in an hour after which `gettoken` is shut for its rest.
const FAILURES_AN_HOUR: u32 = 2_000;

/// Answers `gettoken`.
pub fn give(world: &mut World, sandbox: &Sandbox, query: &HashMap<String, String>) -> Answer {
    let now = sandbox.now();
    if now.0 - world.failed_tokens.since_ms >= HOUR_MS {
        world.failed_tokens.since_ms = now.0;
        world.failed_tokens.count = 0;
    }
    if world.failed_tokens.count >= FAILURES_AN_HOUR {
        return Err(Refusal::new(45009));
    }
    let given = identify(world, query);
    if given.is_err() {
        world.failed_tokens.count += 1;
    }
    let corpid = given?;
    let life_s = sandbox.rules().knobs.token_life_s;
    let (token, expires_at) = live_token(world, &corpid, now, life_s);
    Ok(json!({"access_token": token, "expires_in": expires_at.seconds() - now.seconds()}))
}

fn identify(world: &World, query: &HashMap<String, String>) -> Result<String, Refusal> {
    let corpid = query.get("corpid").ok_or_else(|| Refusal::new(41002))?;
    let secret = query.get("corpsecret").ok_or_else(|| Refusal::new(41004))?;
    let corp = world.corps.get(corpid).ok_or_else(|| Refusal::new(40013))?;
    if corp.app.secret != *secret {
        return Err(Refusal::said(40001, "invalid credential"));
    }
    Ok(corpid.clone())
}

fn live_token(world: &mut World, corpid: &str, now: Timestamp, life_s: i64) -> (String, Timestamp) {
    if let Some(name) = world.current_tokens.get(corpid)
        && let Some(token) = world.tokens.get(name)
        && token.expires_at > now
    {
        return (name.clone(), token.expires_at);
    }
    let name = format!(
        "tok_{:032x}{:032x}",
        rand::rng().random::<u128>(),
        rand::rng().random::<u128>()
    );
    let expires_at = now.plus_ms(life_s * 1_000);
    let token = Token {
        corpid: corpid.to_owned(),
        expires_at,
    };
    world.tokens.insert(name.clone(), token);
    world.current_tokens.insert(corpid.to_owned(), name.clone());
    (name, expires_at)
}

/// Whose call it is.
pub fn check(world: &World, token: Option<&str>, now: Timestamp) -> Result<String, Refusal> {
    let token = token
        .filter(|token| !token.is_empty())
        .ok_or_else(|| Refusal::new(41001))?;
    let token = world.tokens.get(token).ok_or_else(|| Refusal::new(40014))?;
    if token.expires_at <= now {
        return Err(Refusal::new(42001));
    }
    Ok(token.corpid.clone())
}

/// Forgets a corp's tokens: from now on they are 40014.
pub fn revoke(world: &mut World, corpid: &str) {
    world.tokens.retain(|_, token| token.corpid != corpid);
    world.current_tokens.remove(corpid);
}

/// Ends a corp's tokens before their time: from now on they are 42001.
pub fn expire(world: &mut World, corpid: &str, now: Timestamp) {
    for token in world.tokens.values_mut().filter(|token| token.corpid == corpid) {
        token.expires_at = token.expires_at.min(now);
    }
}
