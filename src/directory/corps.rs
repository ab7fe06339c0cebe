//! Corps: add one, open its secrets.

use secrecy::{ExposeSecret, SecretString};

use super::store::corps::{self as store, SealedSecrets};
use super::{Corp, NewCorp, SecretChange};
use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Problem, Result};
use crate::ids::CorpId;
use crate::scope::Act;
use crate::seal::Sealer;
use crate::wecom::Credentials;
use crate::wecom::crypto::CallbackCrypto;

/// Connects a corp: its secrets are sealed before they reach the database.
///
/// # Errors
/// `Invalid` for a corpid, token, key or host that cannot be right, and for a corpid that is there already.
pub async fn add_corp(tx: &Tx, act: &Act<'_>, sealer: &Sealer, new: NewCorp) -> Result<CorpId> {
    let problems = problems(&new);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let id = CorpId::new(act.ids, act.now);
    let seal = |column: &str, secret: &SecretString| sealer.seal(&place(id, column), secret.expose_secret());
    let sealed = SealedSecrets {
        secret: seal("secret_sealed", &new.secret),
        callback_token: seal("callback_token_sealed", &new.callback_token),
        callback_key: seal("callback_key_sealed", &new.callback_aes_key),
    };
    let added = store::insert_corp(tx, id, &new, sealed, act.now).await;
    let taken = format!("`{}` is connected already", new.corpid);
    added.map_err(|error| error.on_conflict("/corpid", taken))?;
    Ok(id)
}

/// Replaces secrets of a corp. Programs that run use the new ones within a minute.
///
/// # Errors
/// `Invalid` for one that cannot be right.
pub async fn change_secrets(tx: &Tx, sealer: &Sealer, corp: &Corp, change: &SecretChange) -> Result<()> {
    let given = [
        ("secret_sealed", &change.secret),
        ("callback_token_sealed", &change.callback_token),
        ("callback_key_sealed", &change.callback_aes_key),
    ];
    let problems = problems_of(change, &corp.corpid);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    for (column, secret) in given {
        if let Some(secret) = secret {
            let sealed = sealer.seal(&place(corp.id, column), secret.expose_secret());
            store::set_secret(tx, corp.id, column, sealed).await?;
        }
    }
    Ok(())
}

/// What is wrong with secrets; absent ones are not.
fn problems_of(change: &SecretChange, corpid: &str) -> Vec<Problem> {
    let text = |secret: &Option<SecretString>, otherwise: &str| {
        let secret = secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        secret.unwrap_or_else(|| otherwise.to_owned())
    };
    let new = NewCorp {
        corpid: corpid.to_owned(),
        name: "x".into(),
        zone: chrono_tz::Asia::Shanghai,
        agent_id: 1,
        secret: text(&change.secret, "x").into(),
        callback_token: text(&change.callback_token, "x").into(),
        callback_aes_key: text(&change.callback_aes_key, &"A".repeat(43)).into(),
        link_hosts: Vec::new(),
        mini_store: None,
    };
    problems(&new)
}

fn problems(new: &NewCorp) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |is_wrong: bool, pointer: &str, message: String| {
        if is_wrong {
            problems.push(Problem::new(pointer, message));
        }
    };
    let plain = |text: &str| text.chars().all(|character| character.is_ascii_alphanumeric());
    let corpid = &new.corpid;
    let is_corpid = corpid.starts_with("ww") && (10..=64).contains(&corpid.len()) && plain(corpid);
    refuse(
        !is_corpid,
        "/corpid",
        format!(
            "`{corpid}` is not a corpid; it starts with `ww` and stands under 我的企业 in the admin console"
        ),
    );
    let name = new.name.trim().chars().count();
    refuse(
        !(1..=60).contains(&name),
        "/name",
        format!("a name has 1 to 60 characters, not {name}"),
    );
    refuse(
        new.agent_id <= 0,
        "/agent_id",
        format!("`{}` is not an agent id such as `1000002`", new.agent_id),
    );
    refuse(
        new.secret.expose_secret().trim().is_empty(),
        "/secret",
        "the app's secret is empty".into(),
    );
    let token = new.callback_token.expose_secret();
    refuse(
        token.is_empty() || token.len() > 32 || !plain(token),
        "/callback_token",
        "a callback token is 1 to 32 letters and digits".into(),
    );
    refuse(
        CallbackCrypto::new(token, new.callback_aes_key.expose_secret(), corpid).is_err(),
        "/callback_aes_key",
        "an EncodingAESKey is 43 characters of base64; copy it whole from the callback settings".into(),
    );
    for (index, host) in new.link_hosts.iter().enumerate() {
        refuse(
            !is_host(host),
            &format!("/link_hosts/{index}"),
            format!("`{host}` is not a host such as `shop.example.com`; leave out scheme and path"),
        );
    }
    let is_target = new.mini_store.as_deref().is_none_or(|target| {
        serde_json::from_str::<serde_json::Value>(target).is_ok_and(|json| json.is_object())
    });
    refuse(
        !is_target,
        "/mini_store",
        r#"the mini-store is a JSON object such as `{"kind":"web","url":"https://shop.example.com"}`"#.into(),
    );
    problems
}

fn is_host(host: &str) -> bool {
    let (name, port) = host
        .split_once(':')
        .map_or((host, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// Where a corp's secret is sealed.
fn place(corp: CorpId, column: &str) -> String {
    format!("{corp}|corp|{column}|{corp}")
}

/// The platform client of a corp's app. Kept for a minute, so a changed secret is used soon.
pub async fn platform(app: &App, corp: CorpId) -> Result<crate::wecom::Client> {
    if let Some(client) = app.secrets.clients.get(&corp).await {
        return Ok(client);
    }
    let row = store::sealed(&app.db, corp).await?;
    let client = app.wecom.client(Credentials {
        corp,
        corpid: row.corpid,
        agent_id: row.agent_id,
        secret: app
            .sealer
            .open(&place(corp, "secret_sealed"), &row.secret_sealed)?,
    });
    app.secrets.clients.insert(corp, client.clone()).await;
    Ok(client)
}

/// What opens a corp's callbacks. Kept for a second.
pub async fn callback_crypto(app: &App, corpid: &str) -> Result<(CorpId, CallbackCrypto)> {
    if let Some(kept) = app.secrets.callbacks.get(corpid).await {
        return Ok(kept);
    }
    read_callback_crypto(app, corpid).await
}

/// The same read anew, for a callback that the kept ones do not open: they may have been replaced since. `None`: that
/// was tried within the last second, and whoever sends us junk must not have us read on and on.
pub async fn renewed_callback_crypto(app: &App, corpid: &str) -> Result<Option<(CorpId, CallbackCrypto)>> {
    let tried = app.secrets.renewed.entry_by_ref(corpid).or_insert(()).await;
    if !tried.is_fresh() {
        return Ok(None);
    }
    read_callback_crypto(app, corpid).await.map(Some)
}

/// Lets go of what a corp's secrets made: what is looked at next is what is stored.
pub async fn forget_secrets(app: &App, corp: &Corp) {
    app.secrets.clients.invalidate(&corp.id).await;
    app.secrets.callbacks.invalidate(&corp.corpid).await;
}

async fn read_callback_crypto(app: &App, corpid: &str) -> Result<(CorpId, CallbackCrypto)> {
    let row = store::sealed_by_corpid(&app.db, corpid).await?;
    let open = |column: &str, sealed: &str| app.sealer.open(&place(row.id, column), sealed);
    let token = open("callback_token_sealed", &row.callback_token_sealed)?;
    let key = open("callback_key_sealed", &row.callback_key_sealed)?;
    let crypto = CallbackCrypto::new(token.expose_secret(), key.expose_secret(), corpid)
        .map_err(|error| Error::internal(format!("the callback key of `{corpid}` is unusable: {error}")))?;
    let kept = (row.id, crypto);
    app.secrets
        .callbacks
        .insert(corpid.to_owned(), kept.clone())
        .await;
    Ok(kept)
}
