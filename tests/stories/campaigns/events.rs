//! Live progress: a stream tells where a campaign stands, follows it to its end, and ends with its key.

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use dianyu::{api, auth};
use futures_util::StreamExt as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

/// A program that listens.
struct Listener {
    shop: World,
    key: String,
}

/// An open stream, and what of it was not read yet.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Listener {
    async fn open() -> Self {
        let shop = World::open().await;
        let tx = shop.begin().await;
        let scopes = ["campaigns:read".to_owned()];
        let (_, key) = auth::add_key(&tx, &shop.act(), shop.corp, "board", &scopes, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let key = key.expose_secret().to_owned();
        Self { shop, key }
    }

    async fn listen(&self, id: CampaignId, last: Option<&str>) -> Events {
        let mut request = Request::get(format!("/api/v1/campaigns/{id}/events"))
            .header("authorization", format!("Bearer {}", self.key));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = api::router(self.shop.app.clone())
            .0
            .oneshot(request)
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }
}

impl Events {
    /// The next event's name and data; heartbeats are passed over. `None`: the stream has ended.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            while let Some((one, rest)) = self.text.split_once("\n\n") {
                let (one, rest) = (one.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let line = one.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start().to_owned())
                };
                if let (Some(event), Some(data)) = (field("event:"), field("data:")) {
                    return Some((event, data));
                }
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn progress(&mut self) -> Value {
        let (event, data) = self.next().await.expect("the stream goes on");
        assert_eq!(event, "progress");
        serde_json::from_str(&data).unwrap()
    }
}

#[tokio::test]
async fn a_stream_follows_a_campaign_to_its_end() {
    let board = Listener::open().await;
    let shop = &board.shop;
    let id = running(shop, of_zhao()).await;
    let mut events = board.listen(id, None).await;
    let first = events.progress().await;
    assert_eq!(first["campaign_id"], id.to_string());
    assert_eq!(first["state"], "running");
    assert_eq!(first["planned"], 3);

    let batch = hand(shop, id, 33).await;
    let mut now = events.progress().await;
    while now["tasked"] != 3 {
        now = events.progress().await;
    }
    assert_eq!(now["planned"], 0);

    let sent = [107, 108, 109].map(|contact| (contact, ResultStatus::Sent));
    see(shop, &batch, &sent).await;
    while now["state"] != "finished" {
        now = events.progress().await;
    }
    assert_eq!(now["sent"], 3);
    assert_eq!(events.next().await, Some(("end".into(), "finished".into())));
    assert_eq!(events.next().await, None, "nothing follows the end");

    // Each stream begins with where it stands, so one that comes back has missed nothing.
    let mut again = board.listen(id, Some("1")).await;
    assert_eq!(again.progress().await, now);
    assert_eq!(again.next().await, Some(("end".into(), "finished".into())));
    assert_eq!(again.next().await, None);
}

#[tokio::test]
async fn r28_a_stream_ends_with_its_key() {
    let board = Listener::open().await;
    let id = running(&board.shop, of_zhao()).await;
    for revoked in [
        "update api_key set scopes = 'orders:read'",
        "update api_key set revoked_at = 1",
    ] {
        let mut events = board.listen(id, None).await;
        events.progress().await;
        board.shop.run(revoked).await;
        // What happens from here on is not told any more.
        board.shop.run("update delivery set state = 'tasked'").await;
        assert_eq!(events.next().await, None, "{revoked}");
        board
            .shop
            .run("update api_key set scopes = 'campaigns:read', revoked_at = null")
            .await;
        board.shop.run("update delivery set state = 'planned'").await;
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_program_stops() {
    let board = Listener::open().await;
    let id = running(&board.shop, of_zhao()).await;
    let mut events = board.listen(id, None).await;
    events.progress().await;
    board.shop.app.stopping.cancel();
    assert_eq!(events.next().await, None);
}
