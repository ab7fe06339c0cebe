//! Operators: add, and what ends their sessions.

use secrecy::ExposeSecret;

use super::model::{NewOperator, Role};
use super::{password, store};
use crate::db::Tx;
use crate::error::{Error, Problem, Result};
use crate::ids::{AssociateId, CorpId, OperatorId};
use crate::scope::Act;

/// Shortest password, in characters.
pub const MIN_PASSWORD: usize = 12;
/// Longest password, in characters: more only costs time to hash.
pub const MAX_PASSWORD: usize = 128;

/// # Errors
/// `Invalid` for a login in use, a short password, a role without its store, region or associate.
pub async fn add_operator(tx: &Tx, act: &Act<'_>, corp: CorpId, new: NewOperator) -> Result<OperatorId> {
    let problems = problems(&new);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let login = fold_login(&new.login);
    let hash = match &new.password {
        Some(password) => Some(password::hash(password.clone()).await?),
        None => None,
    };
    let id = OperatorId::new(act.ids, act.now);
    store::insert_operator(tx, corp, id, &new, &login, hash, act.now)
        .await
        .map_err(|error| {
            error.on_conflict(
                "/login",
                format!("`{login}` is in use, or this associate has a login already"),
            )
        })?;
    let detail = serde_json::json!({ "role": new.role.as_str() });
    super::audit::append(tx, act, corp, "operator.add", &format!("operator:{id}"), &detail).await?;
    Ok(id)
}

fn problems(new: &NewOperator) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |pointer: &str, message: &str| problems.push(Problem::new(pointer, message));
    let login = new.login.trim();
    if !(2..=64).contains(&login.chars().count())
        || login.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        refuse("/login", "a login has 2 to 64 characters and no spaces");
    }
    if !(1..=40).contains(&new.name.trim().chars().count()) {
        refuse("/name", "a name has 1 to 40 characters");
    }
    if let Some(password) = &new.password {
        let length = password.expose_secret().chars().count();
        if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&length) {
            refuse("/password", "a password has 12 to 128 characters");
        } else if password::is_common(password.expose_secret()) {
            refuse(
                "/password",
                "this password is on every list of guesses; take another",
            );
        }
    } else if new.associate.is_none() {
        refuse(
            "/password",
            "give a password, or a member of the platform to sign in by",
        );
    }
    match new.role {
        Role::Manager if new.store.is_none() => refuse("/store", "a manager has a store"),
        Role::Regional if new.region.is_none() => refuse("/region", "a regional manager has a region"),
        Role::Associate if new.associate.is_none() => {
            refuse("/userid", "an associate is a member of the platform")
        }
        _ => {}
    }
    problems
}

/// Ends every session of an associate who left, at once.
pub async fn end_associate(tx: &Tx, act: &Act<'_>, corp: CorpId, associate: AssociateId) -> Result<()> {
    if store::shut_operator(tx, corp, associate).await? {
        let subject = format!("associate:{associate}");
        super::audit::append(tx, act, corp, "operator.shut", &subject, &serde_json::json!({})).await?;
    }
    Ok(())
}

/// Ends every session of members who are disabled on the platform. Their logins stay: enabled again, they sign in.
pub async fn end_disabled(tx: &Tx, act: &Act<'_>, corp: CorpId) -> Result<()> {
    for operator in store::end_disabled(tx, corp, act.now).await? {
        let subject = format!("operator:{operator}");
        super::audit::append(
            tx,
            act,
            corp,
            "operator.sign_out",
            &subject,
            &serde_json::json!({}),
        )
        .await?;
    }
    Ok(())
}

/// Logins are compared without letter case.
pub(super) fn fold_login(login: &str) -> String {
    login.trim().to_lowercase()
}
