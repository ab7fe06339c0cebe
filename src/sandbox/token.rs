//! Access tokens: one an app, the same while it lives, gone when the app's secret is reset.

use std::collections::HashMap;

use serde_json::json;

use super::Sandbox;
use super::crowd::new_id;
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
    let (corpid, agent_id) = given?;
    let (life_s, cut_s) = {
        let rules = sandbox.rules();
        (rules.knobs.token_life_s, rules.knobs.token_cut_s)
    };
    let (token, expires_at) = live_token(world, corpid, agent_id, now, (life_s, cut_s));
    Ok(json!({"access_token": token, "expires_in": expires_at.seconds() - now.seconds()}))
}

fn identify(world: &World, query: &HashMap<String, String>) -> Result<(String, i64), Refusal> {
    let corpid = query.get("corpid").ok_or_else(|| Refusal::new(41002))?;
    let secret = query.get("corpsecret").ok_or_else(|| Refusal::new(41004))?;
    let corp = world.corps.get(corpid).ok_or_else(|| Refusal::new(40013))?;
    let app = corp.apps().find(|app| app.secret == *secret);
    let app = app.ok_or_else(|| Refusal::said(40001, "invalid credential"))?;
    Ok((corpid.clone(), app.agent_id))
}

fn live_token(
    world: &mut World,
    corpid: String,
    agent_id: i64,
    now: Timestamp,
    (life_s, cut_s): (i64, i64),
) -> (String, Timestamp) {
    let owner = (corpid, agent_id);
    if let Some(name) = world.current_tokens.get(&owner)
        && let Some(token) = world.tokens.get(name)
        && token.dies_at > now
    {
        return (name.clone(), token.expires_at);
    }
    let name = new_id(&mut world.rng, "tok_", 68);
    let expires_at = now.plus_ms(life_s * 1_000);
    let token = Token {
        corpid: owner.0.clone(),
        agent_id,
        expires_at,
        dies_at: expires_at.plus_ms(-cut_s * 1_000),
    };
    world.tokens.insert(name.clone(), token);
    world.current_tokens.insert(owner, name.clone());
    (name, expires_at)
}

/// Whose call it is: corp and app.
pub fn check<'w>(world: &'w World, token: Option<&str>, now: Timestamp) -> Result<&'w Token, Refusal> {
    let token = token
        .filter(|token| !token.is_empty())
        .ok_or_else(|| Refusal::new(41001))?;
    let token = world.tokens.get(token).ok_or_else(|| Refusal::new(40014))?;
    if token.dies_at <= now {
        return Err(Refusal::new(42001));
    }
    Ok(token)
}

/// Forgets an app's tokens, or those of the whole corp: from now on they are 40014.
pub fn revoke(world: &mut World, corpid: &str, agent_id: Option<i64>) {
    let is_meant =
        |corp: &str, agent: i64| corp == corpid && agent_id.is_none_or(|agent_id| agent_id == agent);
    world
        .tokens
        .retain(|_, token| !is_meant(&token.corpid, token.agent_id));
    world
        .current_tokens
        .retain(|(corp, agent), _| !is_meant(corp, *agent));
}

/// Ends a corp's tokens before their time: from now on they are 42001.
pub fn expire(world: &mut World, corpid: &str, now: Timestamp) {
    for token in world.tokens.values_mut().filter(|token| token.corpid == corpid) {
        token.dies_at = token.dies_at.min(now);
    }
}
