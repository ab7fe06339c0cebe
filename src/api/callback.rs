//! The platform's callbacks: check the signature, decrypt, store, answer. Nothing else happens before the answer.
//!
//! Every refusal looks the same from outside; the reason is in our log. The platform tries again on anything but
//! 200, so 200 is said only of what is stored.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::future::BoxFuture;
use serde::Deserialize;

use crate::app::App;
use crate::auth::Policy;
use crate::cache::Limit;
use crate::contacts::inbox::{self, Arrived, Refused};
use crate::db::group::Group;
use crate::directory;
use crate::error::Error;
use crate::ids::CorpId;
use crate::routes::{Entry, Routes};
use crate::time::{MINUTE_MS, Timestamp};
use crate::wecom::callback::{MAX_BODY, addressee, encrypted_part};
use crate::wecom::crypto::CryptoError;

/// An older timestamp is worth a line in the log: a late repeat, or somebody playing one back. The inbox drops both.
const OLD_MS: i64 = 10 * MINUTE_MS;
/// Within this every callback is answered, while the platform still listens. What is stored later is no harm: the repeat
/// is dropped.
const ANSWER: Duration = Duration::from_millis(4_500);

#[derive(Clone)]
pub struct CallbackState {
    pub app: App,
    pub inbox: Group<Arrived>,
}

/// The callback's own router, and its lines in the table of routes.
pub fn router(app: App) -> (axum::Router, Vec<Entry>) {
    let inbox = inbox::writer(app.db.clone(), app.cache.clone());
    let (router, table) = routes().into_parts();
    (router.with_state(CallbackState { app, inbox }), table)
}

pub fn routes() -> Routes<CallbackState> {
    Routes::new(by_signature)
        .get("/wecom/{corp}/callback", Policy::OwnProof, verify)
        .post("/wecom/{corp}/callback", Policy::OwnProof, receive)
}

/// The signature is the proof, and each handler checks it first.
fn by_signature(policy: Policy, request: Request, next: Next) -> BoxFuture<'static, Response> {
    Box::pin(async move {
        if policy == Policy::OwnProof {
            next.run(request).await
        } else {
            refused()
        }
    })
}

/// Where a callback came in and what its address carries. Whatever cannot be read is refused like the rest.
struct Call {
    corpid: String,
    signed: Signed,
}

/// What is missing is as wrong as what is there and does not fit.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Signed {
    msg_signature: String,
    timestamp: String,
    nonce: String,
    echostr: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let query = Query::<Signed>::from_request_parts(parts, state).await;
        match (path, query) {
            (Ok(Path(corpid)), Ok(Query(signed))) if is_corpid(&corpid) => Ok(Self { corpid, signed }),
            _ => Err(refuse("", "the address cannot be read")),
        }
    }
}

fn is_corpid(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The platform asks whether this address is ours: the decrypted `echostr` is the answer, and nothing around it.
///
/// The signature of an event fits here as well. Whoever caught one must not have it read out, so an old question and
/// an answer that is an event are refused.
async fn verify(State(state): State<CallbackState>, call: Call) -> Response {
    let (corp, plain) = match open(&state.app, &call, &call.signed.echostr, "").await {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    if age_ms(&call, state.app.now()).is_none_or(|age| age > OLD_MS) {
        return refuse(&call.corpid, "the question is old");
    }
    if plain.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return refuse(&call.corpid, "the question holds an event");
    }
    // Our own question to ourselves proves nothing about the console.
    if call.signed.nonce != state.app.sealer.proof(&plain) {
        forget_refused(&state.app, corp);
    }
    plain.into_response()
}

/// One deadline for body, secrets and storing together.
async fn receive(State(state): State<CallbackState>, call: Call, request: Request) -> Response {
    let corpid = call.corpid.clone();
    in_time(ANSWER, &corpid, take(state, call, request)).await
}

async fn in_time(at_most: Duration, corpid: &str, taking: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(at_most, taking).await {
        Ok(answer) => answer,
        Err(_) => {
            tracing::error!(
                corpid,
                "a callback took too long; the platform will send it again"
            );
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn take(state: CallbackState, call: Call, request: Request) -> Response {
    let Ok(body) = to_bytes(request.into_body(), MAX_BODY).await else {
        return refuse(&call.corpid, "the body is too large or broke off");
    };
    let body = std::str::from_utf8(&body).unwrap_or_default();
    let Some(encrypted) = encrypted_part(body) else {
        return refuse(&call.corpid, "the body is no envelope");
    };
    let (corp, plain) = match open(&state.app, &call, &encrypted, body).await {
        Ok(opened) => opened,
        Err(answer) => return answer,
    };
    let received_at = state.app.now();
    note_age(&call, received_at);
    if plain.contains('\0') {
        return refuse(&call.corpid, "the event holds a NUL, which no database text can");
    }
    let arrived = Arrived {
        corp,
        body: plain,
        received_at,
    };
    if let Err(error) = state.inbox.store(arrived).await {
        tracing::error!(corpid = call.corpid, %error, "a callback could not be stored; the platform will send it again");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    StatusCode::OK.into_response()
}

/// Signature first, then decryption. `envelope` is what it came in; a question has none.
async fn open(app: &App, call: &Call, encrypted: &str, envelope: &str) -> Result<(CorpId, String), Response> {
    let corpid = call.corpid.as_str();
    let (corp, crypto) = match directory::callback_crypto(app, corpid).await {
        Ok(found) => found,
        Err(Error::NotFound) => return Err(refuse(corpid, "no such corp")),
        Err(error) => {
            tracing::error!(corpid, %error, "the secrets of a callback could not be read");
            return Err(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
    };
    let Signed {
        msg_signature,
        timestamp,
        nonce,
        ..
    } = &call.signed;
    let mut opened = crypto.open(msg_signature, timestamp, nonce, encrypted);
    let is_of_today = age_ms(call, app.now()).is_some_and(|age| age.abs() <= OLD_MS);
    if opened.is_err()
        && is_of_today
        && let Ok(Some((_, renewed))) = directory::renewed_callback_crypto(app, corpid).await
    {
        opened = renewed.open(msg_signature, timestamp, nonce, encrypted);
    }
    opened.map(|plain| (corp, plain)).map_err(|error| {
        if is_of_today && addressee(envelope).as_deref() == Some(corpid) {
            note_refused(app, corp, error);
        }
        refuse(corpid, &error.to_string())
    })
}

/// Remembers that somebody sent what is not for our token or key, for whoever looks why callbacks stay away. Anybody
/// may send anything here: only what is fresh and names the corp counts, at most once a minute, and the answer does
/// not wait for it.
fn note_refused(app: &App, corp: CorpId, error: CryptoError) {
    let why = match error {
        CryptoError::Signature => Refused::Signature,
        _ => Refused::Body,
    };
    let app = app.clone();
    tokio::spawn(async move {
        let once = Limit {
            times: 1,
            within: Duration::from_secs(60),
        };
        let key = format!("callback-refused:{corp}:{}", why.as_str());
        if app.cache.pass(&key, once).await.is_err() {
            return;
        }
        let noted = async {
            let tx = app.db.begin().await?;
            inbox::note_refused(&tx, corp, why, app.now()).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(corp.id = %corp, %error, "a refused callback could not be noted");
        }
    });
}

/// The platform has just been answered: what was refused before says nothing any more. Callbacks that come in say the
/// same by their time, without a write each.
fn forget_refused(app: &App, corp: CorpId) {
    let app = app.clone();
    tokio::spawn(async move {
        let forgotten = async {
            let tx = app.db.begin().await?;
            inbox::forget_refused(&tx, corp).await?;
            tx.commit().await
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(corp.id = %corp, %error, "a refused callback could not be forgotten");
        }
    });
}

fn note_age(call: &Call, now: Timestamp) {
    let age_ms = age_ms(call, now);
    if age_ms.is_none_or(|age| age > OLD_MS) {
        tracing::warn!(corpid = call.corpid, age_ms, "a callback came late");
    }
}

/// How long ago a callback was sent by its own word; `None`: it does not say.
fn age_ms(call: &Call, now: Timestamp) -> Option<i64> {
    let sent = call.signed.timestamp.parse::<i64>().ok()?;
    Some(now.0.saturating_sub(sent.saturating_mul(1_000)))
}

fn refuse(corpid: &str, reason: &str) -> Response {
    let corpid: String = corpid.chars().take(64).collect();
    tracing::warn!(corpid, reason, "refused a callback");
    refused()
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, "refused\n").into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let taking = async {
            let _ = to_bytes(Body::from_stream(never), MAX_BODY).await;
            StatusCode::OK.into_response()
        };
        let answer = in_time(Duration::from_millis(1), "ww1", taking).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
