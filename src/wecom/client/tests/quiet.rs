//! Tokens and secrets travel in URLs, so no log may hold one, at whatever level, ours or a library's.

use std::io::Write;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::*;
use crate::wecom::ticket::Ticket;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_holds_a_token_or_a_secret() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    // One thread runs this test and what it spawns: the guard covers all of it, and records of `log` besides.
    let _guard = subscriber.set_default();

    let (fake, client) = fake().await;
    fake.tell(
        "get_jsapi_ticket",
        &[r#"{"ticket":"ticket-of-the-corp","expires_in":7200}"#],
    );
    let refusals = [
        "502",
        r#"{"errcode":50003,"errmsg":"app of tok0 is disabled, hint: [1_2_3]"}"#,
        r#"{"errcode":48002,"errmsg":"api forbidden for tok0, hint: [1_2_3], from ip: 1.2.3.4"}"#,
        r#"{"errcode":0,"errmsg":"ok. Warning: wrong json format. "}"#,
        r#"{"errcode":0,"departm"#,
    ];
    fake.tell("department/list", &refusals);
    let mut said = String::new();
    for _ in 0..4 {
        if let Err(error) = client.departments().await {
            said.push_str(&format!("{error} {error:?}"));
        }
    }
    fake.kill_token();
    client.tags().await.unwrap();
    client.add_broadcast("{}").await.unwrap_err();
    client
        .sign_page(Ticket::Config, "https://crm.example.com/", Timestamp(0))
        .await
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let alone = Platform::new(&nowhere, client.cache().clone()).client(credentials("right"));
    for outcome in [
        alone.departments().await.map(drop),
        alone.add_broadcast("{}").await.map(drop),
    ] {
        said.push_str(&format!("{:?}", outcome.unwrap_err()));
    }

    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(
        logged.contains("a platform call failed") && logged.contains("TRACE"),
        "{logged}"
    );
    assert!(logged.contains("hyper"), "the libraries' records are not seen");
    for place in [&logged, &said] {
        for secret in [
            "tok0",
            "tok1",
            "corpsecret",
            "access_token=",
            "ticket-of-the-corp",
        ] {
            let line = place.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "`{secret}` was logged");
        }
    }
}
