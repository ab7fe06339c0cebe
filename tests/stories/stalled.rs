//! Something we stand on does not answer: a callback is answered all the same, with what is true.

use std::time::Duration;

use axum::http::StatusCode;
use dianyu::contacts::inbox::{self, Arrived};
use dianyu::db::{Backend, Conn as _};
use dianyu::jobs;
use dianyu::sandbox::{Fault, Plan};
use dianyu::time::MINUTE_MS;
use dianyu::wecom::crypto::CallbackCrypto;
use sea_orm::ConnectionTrait;

use crate::street::Street;
use crate::world::CORPID;

/// The platform gives up after five.
const PLATFORM_WAITS: Duration = Duration::from_secs(5);

/// Sends an event as the platform does; answers the status, if one came while the platform would still listen.
async fn deliver(street: &Street, key: &str) -> Option<StatusCode> {
    let crypto = CallbackCrypto::new(
        "SimToken2026",
        "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        CORPID,
    )
    .unwrap();
    let event = format!(
        "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><FromUserName><![CDATA[li]]></FromUserName>\
         <CreateTime>1719830401</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[enter_agent]]></Event>\
         <EventKey><![CDATA[{key}]]></EventKey></xml>"
    );
    let encrypted = crypto.encrypt(*b"0123456789abcdef", &event);
    let timestamp = (street.shop.now().0 / 1_000).to_string();
    let signature = crypto.signature(&timestamp, "n", &encrypted);
    let envelope = format!(
        "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID>\
         <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    );
    let address = format!(
        "{}?msg_signature={signature}&timestamp={timestamp}&nonce=n",
        street.url
    );
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = tokio::time::timeout(PLATFORM_WAITS, http.post(address).body(envelope).send()).await;
    answer.ok().map(|answer| answer.unwrap().status())
}

#[tokio::test]
async fn a_callback_the_database_does_not_take_is_not_acknowledged_and_its_repeat_is_kept_once() {
    let street = Street::open().await;
    assert_eq!(deliver(&street, "before").await, Some(StatusCode::OK));

    let holder = street.shop.begin().await;
    if holder.backend() == Backend::Postgres {
        let lock = "lock table inbox in access exclusive mode";
        holder.raw().execute_unprepared(lock).await.unwrap();
    }
    let refused = deliver(&street, "meanwhile").await;
    assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
    holder.rollback().await.unwrap();

    assert_eq!(deliver(&street, "meanwhile").await, Some(StatusCode::OK));
    assert_eq!(street.shop.number("select count(*) from inbox").await, 2);
    street.settle().await;
    let read = "select count(*) from inbox where state = 'read'";
    assert_eq!(street.shop.number(read).await, 2);
}

#[tokio::test]
async fn a_callback_does_not_wait_for_the_platform() {
    let street = Street::open().await;
    let customer = street.passer_by("wmStalled1");
    street.sandbox.plan(Plan {
        api: "*".into(),
        fault: Fault::DelayMs(60_000),
        times: 1_000,
    });
    street.sandbox.scan(CORPID, customer.as_str(), "li", "").unwrap();
    street.sandbox.callbacks_settled().await;
    let app = street.shop.app.clone();
    let fetching = tokio::spawn(async move { jobs::settle(&app).await });
    let asking = "select count(*) from job where kind = 'contacts.fetch' and state = 'running'";
    while street.shop.number(asking).await == 0 {
        assert!(!fetching.is_finished(), "nothing asked the platform");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(deliver(&street, "meanwhile").await, Some(StatusCode::OK));
    assert!(!fetching.is_finished(), "the platform answered before its time");
    fetching.abort();
}

#[tokio::test]
async fn a_callback_that_cannot_be_read_does_not_hold_up_those_that_came_with_it() {
    let street = Street::open().await;
    // Only one fetch can be written, so the events of three people cannot be read together.
    let only_one = "create unique index only_one on job (kind) where kind = 'contacts.fetch'";
    street.shop.run(only_one).await;
    for who in ["wmStuck1", "wmStuck2", "wmStuck3"] {
        let customer = street.passer_by(who);
        street.sandbox.scan(CORPID, customer.as_str(), "li", "").unwrap();
    }
    street.sandbox.callbacks_settled().await;
    let of_state = async |state: &str| {
        let sql = format!("select count(*) from inbox where state = '{state}'");
        street.shop.number(&sql).await
    };
    assert_eq!(of_state("new").await, 3);
    let pairs = street.shop.live_pairs().await;

    assert_eq!(jobs::inbox::read_new(&street.shop.app).await.unwrap(), 3);
    assert_eq!(of_state("queued").await, 3);
    street.settle().await;
    assert_eq!((of_state("read").await, of_state("queued").await), (1, 2));
    assert_eq!(street.shop.live_pairs().await, pairs + 1);

    street.shop.run("drop index only_one").await;
    street.after(MINUTE_MS);
    street.settle().await;
    assert_eq!(of_state("read").await, 3);
    assert_eq!(street.shop.live_pairs().await, pairs + 3);
}

#[tokio::test]
async fn a_member_whose_leaving_is_told_late_is_shut_out_and_let_in_again() {
    let street = Street::open().await;
    let shop = &street.shop;
    let here = "select count(*) from associate where userid = 'li' and left_at is null";
    assert_eq!(shop.number(here).await, 1);
    let event = format!(
        "<xml><ToUserName><![CDATA[{CORPID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
         <CreateTime>1719830401</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_contact]]></Event>\
         <ChangeType><![CDATA[delete_user]]></ChangeType><UserID><![CDATA[li]]></UserID></xml>"
    );
    let told = Arrived {
        corp: shop.corp,
        body: event,
        received_at: shop.now(),
    };
    inbox::keep(&shop.app.db, &[told]).await.unwrap();
    street.settle().await;
    assert_eq!(shop.number(here).await, 0);
    street.after(MINUTE_MS);
    street.settle().await;
    assert_eq!(shop.number(here).await, 1, "the platform still has the member");
}
