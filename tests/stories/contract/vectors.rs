//! The test vectors of the callback's crypto, opened, posted, and used by a corp.

use dianyu::wecom::callback::encrypted_part;
use dianyu::wecom::crypto::CallbackCrypto;

use crate::street::Street;
use crate::world::CORPID;

/// Token, EncodingAESKey and receiver of V1 to V4, something of the message, timestamp, nonce and signature; the
/// envelopes are seeds of the fuzz targets.
const VECTORS: [(&str, &str, &str, &str, &str, &str, &str); 4] = [
    (
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        CORPID,
        "1616140317555161061",
        "1719830400",
        "nonce20260701",
        "477eef15fbb084b9187b96da893a1c4500b951b6",
    ),
    (
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        CORPID,
        "add_external_contact",
        "1719830401",
        "482913",
        "59bd75b24131c7a537ffb10eec5e28613902ce13",
    ),
    (
        "t0k",
        "p6qQKPhAYmPDLRkBlxYfhpTLnBCPhhB2WAAam1I1n6U",
        "wwcorp0000000001x",
        "导购小王：您好!!!!!!",
        "1700000000",
        "n",
        "44a882ba2ef4d1abdf992bcbe351d5881b6b6aae",
    ),
    (
        "SimToken2026",
        "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        CORPID,
        "trailing-bits",
        "1719830402",
        "42",
        "7b7ade2799c94b60bba8f4f1e98e399280803900",
    ),
];

#[tokio::test]
async fn the_vectors_open_and_their_secrets_work_at_our_door() {
    let envelope = |number: usize| std::fs::read_to_string(format!("fuzz/seeds/outer/v{number}")).unwrap();
    for (number, (token, key, receiver, message, timestamp, nonce, signature)) in (1..).zip(VECTORS) {
        let crypto = CallbackCrypto::new(token, key, receiver).unwrap();
        let encrypted = encrypted_part(&envelope(number)).unwrap();
        let opened = crypto.open(signature, timestamp, nonce, &encrypted).unwrap();
        assert!(opened.contains(message), "V{number}: {opened}");
        let random = *b"0123456789abcdef";
        if number == 1 {
            assert_eq!(crypto.encrypt(random, &opened), encrypted);
        }
    }
    // V2 as the platform would post it.
    let street = Street::open().await;
    let (_, _, _, _, timestamp, nonce, signature) = VECTORS[1];
    let query = [
        ("msg_signature", signature),
        ("timestamp", timestamp),
        ("nonce", nonce),
    ];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let posted = http.post(&street.url).query(&query).body(envelope(2));
    assert_eq!(posted.send().await.unwrap().status(), 200);
    assert_eq!(street.shop.number("select count(*) from inbox").await, 1);
    // V4's key, whose last letter has bits to spare, as a corp's own: its address is proved and its events are heard.
    let street = Street::open().await;
    let (token, key, ..) = VECTORS[3];
    let sealed = street.shop.app.sealer.seal("1|corp|callback_key_sealed|1", key);
    street
        .shop
        .run(&format!("update corp set callback_key_sealed = '{sealed}'"))
        .await;
    street.sandbox.set_callback(CORPID, &street.url, token, key);
    street.sandbox.verify_callback(CORPID).await.unwrap();
    street.comes("wmAn", "li");
    street.settle().await;
    assert_eq!(street.live("li", "wmAn").await, 1);
}
