//! The way in: the public address and the callbacks that come by it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_that_leads_elsewhere_or_nowhere_is_named() {
    let clinic = Clinic::open().await;
    let (listener, elsewhere) = port().await;
    let other = axum::Router::new().fallback(|| async { "ok\n" });
    tokio::spawn(async move { axum::serve(listener, other).await });
    let platform = clinic.app.config.wecom_base_url.clone();
    for (url, words) in [
        (elsewhere.as_str(), ["not this installation", "DIANYU_PUBLIC_URL"]),
        ("http://127.0.0.1:1", ["cannot be reached", "dianyu serve"]),
    ] {
        let patient = clinic.with(config(url, &platform), Ok(clinic.app.cache.clone()));
        let report = doctor::examine(&patient, None).await;
        names(cause(&report), "public_address", &words);
        assert_eq!(because(&report, "callback_address"), Some("public_address"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_token_that_is_not_the_consoles_is_named() {
    let clinic = Clinic::open().await;
    assert_eq!(clinic.sends_callback("OtherToken2026", KEY).await, 403);
    clinic.refusal_is_noted().await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "callback_address",
        &["another Token", "--callback-token"],
    );
    // One that is accepted shows that all is well again.
    assert_eq!(clinic.sends_callback(TOKEN, KEY).await, 200);
    clinic
        .shop
        .run("update inbox set received_at = received_at + 1")
        .await;
    let report = clinic.examine().await;
    assert!(!report.has_failed(), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_key_that_is_not_the_consoles_is_named() {
    let clinic = Clinic::open().await;
    assert_eq!(clinic.sends_callback(TOKEN, OTHER_KEY).await, 403);
    clinic.refusal_is_noted().await;
    let report = clinic.examine().await;
    names(
        cause(&report),
        "callback_address",
        &["EncodingAESKey", "--callback-aes-key"],
    );
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
