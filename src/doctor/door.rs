//! The way in: whether the public address leads here, and whether callbacks can come in by it.

use std::time::{Duration, Instant};

use super::away::{Address, away};
use super::mirror::CALLBACK_OLD_MS;
use super::model::Line;
use super::patient::question;
use crate::app::App;
use crate::config::{Config, is_loopback};
use crate::contacts::inbox::{self, Refused};
use crate::directory::{self, Corp};
use crate::error::{Result, Said, said};
use crate::seal::Sealer;
use crate::time::Timestamp;
use crate::wecom::{Away, beginning_of};

const PATIENCE: Duration = Duration::from_millis(4_500);
const CONNECT: Duration = Duration::from_secs(3);
/// Of an answer no more is read: whatever stands there may send without end.
const MAX_ANSWER: usize = 64 * 1024;

/// What came back from our own address.
struct Answer {
    status: u16,
    body: String,
}

async fn fetch(url: &str, query: &[(&str, String)]) -> Result<Answer, Away> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none());
    if url.starts_with("http://") {
        // As for the sandbox: nothing in between, and no certificates needed.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    let why = |error: reqwest::Error| Away::of(&error);
    let client = builder.build().map_err(why)?;
    let answer = client.get(url).query(query).send().await.map_err(why)?;
    let status = answer.status().as_u16();
    let body = beginning_of(answer, MAX_ANSWER).await?;
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).trim().to_owned(),
    })
}

fn address(url: &str) -> Address<'_> {
    Address {
        url,
        setting: "DIANYU_PUBLIC_URL",
        start: said!(
            "doctor-public-start-way",
            "start `dianyu serve` and the proxy in front of it, or correct host and port in `DIANYU_PUBLIC_URL`"
        ),
    }
}

/// Asks the public address what only we can answer.
pub async fn public_address(config: &Config) -> Line {
    let url = config.public_url.as_str();
    let question = question();
    let started = Instant::now();
    let answer = fetch(&format!("{url}/healthz/{question}"), &[]).await;
    let ms = started.elapsed().as_millis() as i64;
    let expected = Sealer::new(&config.master_key).proof(&question);
    match answer {
        Err(why) => away("public_address", address(url), &why),
        Ok(answer) if answer.body != expected => Line::failed(
            "public_address",
            said!(
                "doctor-public-elsewhere",
                "`{url}` leads to something that is not this installation (HTTP {status})",
                url = url,
                status = answer.status.to_string()
            ),
            said!(
                "doctor-public-elsewhere-way",
                "correct `DIANYU_PUBLIC_URL`, or where the proxy sends it; every instance has the same `DIANYU_MASTER_KEY`"
            ),
        ),
        Ok(_) => reached(config, ms),
    }
}

/// It is us; whether everybody else can come in safely is another question.
fn reached(config: &Config, ms: i64) -> Line {
    let url = config.public_url.as_str();
    let is_trial = is_loopback(url) && is_loopback(&config.wecom_base_url);
    if config.is_https() || is_trial {
        return Line::ok(
            "public_address",
            said!(
                "doctor-public-ok",
                "`{url}` leads here, in {ms} ms",
                url = url,
                ms = ms
            ),
        );
    }
    let (finding, way) = if is_loopback(url) {
        (
            said!(
                "doctor-public-local",
                "`{url}` leads here, but from this machine only",
                url = url
            ),
            said!(
                "doctor-public-local-way",
                "set `DIANYU_PUBLIC_URL` to the `https://` address that people and the platform can reach"
            ),
        )
    } else {
        (
            said!(
                "doctor-public-plain",
                "`{url}` leads here without TLS: passwords and sessions can be read on the way",
                url = url
            ),
            said!(
                "doctor-public-plain-way",
                "put a proxy with a certificate in front and set `DIANYU_PUBLIC_URL` to its `https://` address"
            ),
        )
    };
    Line::warning("public_address", finding, way)
}

/// Asks as the platform asks when the address is saved in its console; then looks whether it was refused lately.
pub async fn callback_address(app: &App, corp: &Corp) -> Result<Line> {
    let url = format!("{}/wecom/{}/callback", app.config.public_url, corp.corpid);
    let (_, crypto) = directory::callback_crypto(app, &corp.corpid).await?;
    let plain = question();
    let encrypted = crypto.encrypt(rand::random(), &plain);
    // By this the answering side knows that it is us who ask.
    let nonce = app.sealer.proof(&plain);
    let timestamp = app.now().seconds().to_string();
    let query = [
        ("msg_signature", crypto.signature(&timestamp, &nonce, &encrypted)),
        ("timestamp", timestamp),
        ("nonce", nonce),
        ("echostr", encrypted),
    ];
    let failed = |finding: Said| {
        let way = said!(
            "doctor-callback-way",
            "let the proxy pass `/wecom/…` with its query unchanged to `dianyu serve`"
        );
        Line::failed("callback_address", finding, way)
    };
    match fetch(&url, &query).await {
        Err(why) => Ok(away("callback_address", address(&url), &why)),
        Ok(answer) if answer.status != 200 || answer.body != plain => Ok(failed(said!(
            "doctor-callback-wrong",
            "`{url}` does not answer the platform's question (HTTP {status})",
            url = url.as_str(),
            status = answer.status.to_string()
        ))),
        Ok(_) => refused_lately(app, corp, &url).await,
    }
}

/// What was refused after the last callback that came in. Anybody may send anything here, so it is a failure only
/// where callbacks stay away as well.
async fn refused_lately(app: &App, corp: &Corp, url: &str) -> Result<Line> {
    let arrived = inbox::last_arrived(&app.db, corp.id).await?;
    let refused = inbox::last_refused(&app.db, corp.id).await?;
    let refused = refused.filter(|(at, _)| *at >= arrived.unwrap_or(Timestamp(0)));
    let Some((at, why)) = refused else {
        return Ok(Line::ok(
            "callback_address",
            said!(
                "doctor-callback-ok",
                "`{url}` answers the platform's question",
                url = url
            ),
        ));
    };
    let at = super::run::clock_time(at, corp.zone);
    let corpid = corp.corpid.as_str();
    let (finding, way) = match why {
        Refused::Signature => (
            said!(
                "doctor-callback-token",
                "something sent here at {at} was signed with another Token than ours and refused; no callback has come since",
                at = at
            ),
            said!(
                "doctor-callback-token-way",
                "if it was the platform: console › the app › 接收消息 (receive messages): copy the Token, then `dianyu corp set --corpid {corpid} --callback-token`; if not, the next callback settles it",
                corpid = corpid
            ),
        ),
        Refused::Body => (
            said!(
                "doctor-callback-key",
                "something sent here at {at} could not be opened with our EncodingAESKey and was refused; no callback has come since",
                at = at
            ),
            said!(
                "doctor-callback-key-way",
                "console › the app › 接收消息 (receive messages): copy the EncodingAESKey, then `dianyu corp set --corpid {corpid} --callback-aes-key`",
                corpid = corpid
            ),
        ),
    };
    let comes_in = arrived.is_some_and(|arrived| app.now().0 - arrived.0 <= CALLBACK_OLD_MS);
    Ok(if comes_in {
        Line::warning("callback_address", finding, way)
    } else {
        Line::failed("callback_address", finding, way)
    })
}
