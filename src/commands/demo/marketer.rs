//! Headquarters in the demo: now and then somebody schedules a campaign or a moment, over the API as any client would.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::files::Printed;

/// The first campaign goes out at once, so that there is something to confirm; the next ones at this pace.
const EVERY: Duration = Duration::from_secs(420);

const TEXTS: [(&str, &str); 4] = [
    (
        "冬日连衣裙 · 会员先享",
        "上次你挑的那条连衣裙出了加绒款，会员提前两天选，要不要先给你留一件？",
    ),
    ("初雪穿搭", "外面裹严，里面穿裙子。我搭了两套，点开看看喜欢哪套。"),
    ("羊绒围巾到店", "羊绒围巾新色到了，礼盒装送人也体面。"),
    ("大衣码数补齐", "双面羊绒大衣码数补齐了，你常穿的码还有。"),
];

pub async fn work(printed: Printed, stop: CancellationToken) {
    let http = match reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
    {
        Ok(http) => http,
        Err(error) => {
            tracing::warn!(%error, "nobody schedules campaigns in this demo");
            return;
        }
    };
    let desk = Desk { http, printed };
    for round in 0usize.. {
        if let Err(error) = desk.campaign(round).await {
            tracing::warn!(
                error = format!("{error:#}"),
                "the demo's campaign was not scheduled"
            );
        }
        if round % 2 == 0
            && let Err(error) = desk.moment(round).await
        {
            tracing::warn!(error = format!("{error:#}"), "the demo's moment was not planned");
        }
        if stop
            .run_until_cancelled(tokio::time::sleep(EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

struct Desk {
    http: reqwest::Client,
    printed: Printed,
}

impl Desk {
    /// To one store's people with a tag, another store and tag each time.
    async fn campaign(&self, round: usize) -> anyhow::Result<()> {
        let stores = self.get("/stores?limit=200").await?;
        let tags = self.get("/tag-groups").await?;
        let store = nth(&stores["items"], round)?["id"].clone();
        let group = nth(&tags["items"], 1)?;
        let tag = nth(&group["tags"], round)?["id"].clone();
        let (name, text) = TEXTS[round % TEXTS.len()];
        let body = json!({
            "name": name,
            "audience": { "rule": { "all": [{ "store": store }, { "any": [{ "tag": tag }, { "added": { "within_days": 30 } }] }] } },
            "content": { "text": text },
            "holdout_percent": 10,
        });
        let campaign = self.post("/campaigns", &body).await?;
        let id = campaign["id"].as_str().unwrap_or_default();
        self.post(&format!("/campaigns/{id}/schedule"), &json!({}))
            .await?;
        Ok(())
    }

    async fn moment(&self, round: usize) -> anyhow::Result<()> {
        let stores = self.get("/stores?limit=200").await?;
        let store = nth(&stores["items"], round)?["id"].clone();
        let body = json!({
            "text": TEXTS[(round + 1) % TEXTS.len()].1,
            "attachments": [],
            "senders": { "store_ids": [store] },
        });
        self.post("/moments", &body).await?;
        Ok(())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}/api/v1{path}", self.printed.url));
        self.answer(request).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}/api/v1{path}", self.printed.url))
            .json(body);
        let key = dianyu::ids::random_base62(20);
        self.answer(request.header("Idempotency-Key", key)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.bearer_auth(&self.printed.api_key).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(status.is_success(), "{status}: {text}");
        Ok(if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text)?
        })
    }
}

fn nth(list: &Value, place: usize) -> anyhow::Result<&Value> {
    let list = list
        .as_array()
        .filter(|list| !list.is_empty())
        .ok_or_else(|| anyhow::anyhow!("an empty list"))?;
    Ok(&list[place % list.len()])
}
