//! The way in: the public address and the callbacks that come by it.

use dianyu::contacts::inbox;
use dianyu::directory::{self, SecretChange};

use super::*;

impl Clinic {
    /// As `dianyu corp set` does it, which the server does not hear of.
    async fn replace_callback_secrets(&self, token: &str, key: &str) {
        let corp = directory::find_corp(&self.app.db, self.shop.corp).await.unwrap();
        let change = SecretChange {
            secret: None,
            callback_token: Some(token.to_owned().into()),
            callback_aes_key: Some(key.to_owned().into()),
        };
        let tx = self.shop.begin().await;
        inbox::replace_secrets(&tx, &self.app.sealer, &corp, &change)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

/// Serves this at an address of its own.
async fn stranger(router: axum::Router) -> String {
    let (listener, url) = port().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_that_leads_elsewhere_or_nowhere_is_named() {
    let clinic = Clinic::open().await;
    let elsewhere = stranger(axum::Router::new().fallback(|| async { "ok\n" })).await;
    // Whatever it sends, we stop reading.
    let endless = stranger(axum::Router::new().fallback(|| async {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 16 * 1024]));
        axum::body::Body::from_stream(chunks)
    }))
    .await;
    let (_listener, silent) = port().await;
    let nameless = format!("http://{}.example", "a".repeat(70));
    let tls = elsewhere.replace("http://", "https://");
    for (url, words) in [
        (elsewhere.as_str(), ["not this installation", "DIANYU_PUBLIC_URL"]),
        (&endless, ["not this installation", "DIANYU_PUBLIC_URL"]),
        ("http://127.0.0.1:1", ["nothing listens there", "dianyu serve"]),
        (&nameless, ["is not found", "DNS"]),
        (&tls, ["no secure connection", "certificate"]),
        (&silent, ["does not answer in time", "hangs"]),
    ] {
        let mut settings = clinic.app.config.clone();
        settings.public_url = url.to_owned();
        let report = clinic.examined_with(settings, Ok(clinic.app.cache.clone())).await;
        names(cause(&report), "public_address", &words);
        assert_eq!(because(&report, "callback_address"), Some("public_address"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_token_that_is_not_the_consoles_is_named() {
    let clinic = Clinic::open().await;
    clinic.callback_came(HOUR_MS).await;
    assert_eq!(clinic.sends_callback("OtherToken2026", KEY).await, 403);
    clinic.refusals_noted(1).await;
    // Callbacks came until an hour ago: it may have been anybody.
    let words = [
        "another Token",
        "if it was the platform",
        "`dianyu corp set --corpid ww1a2b3c4d5e6f7a8b --callback-token`",
    ];
    names(worry(&clinic.examine().await), "callback_address", &words);
    clinic.shop.run("delete from inbox").await;
    let report = clinic.examine().await;
    names(cause(&report), "callback_address", &words);
    assert_eq!(because(&report, "callbacks"), Some("callback_address"));
    // One that is accepted shows that all is well again.
    assert_eq!(clinic.sends_callback(TOKEN, KEY).await, 200);
    clinic
        .shop
        .run("update inbox set received_at = received_at + 1")
        .await;
    sound(&clinic.examine().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_key_that_is_not_the_consoles_is_named() {
    let clinic = Clinic::open().await;
    clinic.callback_came(2 * DAY_MS).await;
    assert_eq!(clinic.sends_callback(TOKEN, OTHER_KEY).await, 403);
    clinic.refusals_noted(1).await;
    names(
        cause(&clinic.examine().await),
        "callback_address",
        &["EncodingAESKey", "--callback-aes-key`"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_sends_is_no_callback_that_was_refused() {
    let clinic = Clinic::open().await;
    clinic.callback_came(HOUR_MS).await;
    let hour_s = HOUR_MS / 1_000;
    for (to, ago_s) in [
        ("", 0),
        ("wwffffffffffffffff", 0),
        (CORPID, hour_s),
        (CORPID, -hour_s),
    ] {
        let answer = clinic.somebody_sends("OtherToken2026", KEY, to, ago_s).await;
        assert_eq!(answer, 403, "{to} {ago_s}");
    }
    assert_eq!(clinic.asks_whose_address("OtherToken2026", KEY).await, 403);
    // This one counts. It is let through because none before it was.
    assert_eq!(clinic.sends_callback(TOKEN, OTHER_KEY).await, 403);
    clinic.refusals_noted(1).await;
    let junk = "select count(*) from callback_refusal where reason = 'signature'";
    assert_eq!(clinic.shop.number(junk).await, 0);
    // The doctor's own question is answered and settles nothing; the platform's does.
    names(
        worry(&clinic.examine().await),
        "callback_address",
        &["EncodingAESKey"],
    );
    clinic.refusals_noted(1).await;
    assert_eq!(clinic.asks_whose_address(TOKEN, KEY).await, 200);
    clinic.refusals_noted(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_callback_secrets_are_used_at_once_and_nothing_of_the_old_ones_is_held_against_them() {
    let clinic = Clinic::open().await;
    clinic.callback_came(HOUR_MS).await;
    assert_eq!(clinic.sends_callback("NewToken2026", OTHER_KEY).await, 403);
    clinic.refusals_noted(1).await;
    clinic.replace_callback_secrets("NewToken2026", OTHER_KEY).await;
    // The server has kept the old ones, for a second. Another program looks.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let report = clinic
        .examined_with(clinic.app.config.clone(), Ok(clinic.app.cache.clone()))
        .await;
    sound(&report);
    assert_eq!(clinic.sends_callback("NewToken2026", OTHER_KEY).await, 200);
    assert_eq!(clinic.sends_callback(TOKEN, KEY).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_callback_secrets_open_nothing_any_more_though_nothing_came_under_the_new_ones() {
    let clinic = Clinic::open().await;
    assert_eq!(clinic.sends_callback(TOKEN, KEY).await, 200);
    clinic.replace_callback_secrets("NewToken2026", OTHER_KEY).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(clinic.sends_callback(TOKEN, KEY).await, 403);
    assert_eq!(clinic.sends_callback("NewToken2026", OTHER_KEY).await, 200);
}

#[tokio::test]
async fn a_question_to_our_address_is_answered_by_nobody_else() {
    let shop = World::open().await;
    let mut visitor = Visitor::new(&shop);
    let question = random_base62(22);
    let answer = visitor.get(&format!("/healthz/{question}")).await;
    assert_eq!(answer.text.trim(), shop.app.sealer.proof(&question));
    for odd in ["short", "with-a-dash-in-it", &"x".repeat(65)] {
        let answer = visitor.get(&format!("/healthz/{odd}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{odd}");
    }
}
