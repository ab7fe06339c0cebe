//! A browser by the WebDriver protocol: only what these checks need.

use std::path::Path;

use base64::Engine as _;
use serde_json::{Value, json};

pub struct Browser {
    http: reqwest::Client,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub async fn open(driver: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--lang=zh-CN",
        ];
        let mut arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            // A phone's width: desktop windows are never narrower than 500 px.
            "goog:chromeOptions": { "args": arguments },
        } } });
        let mut tries = 0;
        let answer = loop {
            match http.post(format!("{driver}/session")).json(&wanted).send().await {
                Ok(answer) => break answer,
                Err(_) if tries < 50 => {
                    tries += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
                Err(error) => panic!("the driver does not answer: {error}"),
            }
        };
        let answer: Value = answer.json().await.unwrap();
        let id = answer["value"]["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("no browser: {answer}"));
        Self {
            session: format!("{driver}/session/{id}"),
            http,
            _profile: profile,
        }
    }

    pub async fn go(&mut self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    pub async fn address(&self) -> String {
        let answer: Value = self
            .http
            .get(format!("{}/url", self.session))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        answer["value"].as_str().unwrap_or_default().to_owned()
    }

    pub async fn window(&mut self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the browser calls itself from now on.
    pub async fn agent(&mut self, name: &str) {
        self.devtools("Emulation.setUserAgentOverride", json!({ "userAgent": name }))
            .await;
    }

    /// No cookies, as a new visitor.
    pub async fn forget(&mut self) {
        self.devtools("Network.clearBrowserCookies", json!({})).await;
    }

    pub async fn cookie(&mut self, url: &str, name: &str, value: &str) {
        self.devtools(
            "Network.setCookie",
            json!({ "url": url, "name": name, "value": value }),
        )
        .await;
    }

    pub async fn fill(&mut self, field: &str, text: &str) {
        self.fill_in(&format!("[name={field}]"), text).await;
    }

    pub async fn fill_in(&mut self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("/element/{element}/clear"), json!({})).await;
        self.post(&format!("/element/{element}/value"), json!({ "text": text }))
            .await;
    }

    pub async fn press(&mut self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Presses what leads to another page and waits until that page is there. A driver waits for a page only when the
    /// browser has begun to leave by the time the press is answered; a busy machine begins later.
    pub async fn follow(&mut self, selector: &str) {
        self.run("window.isOld = true").await;
        self.press(selector).await;
        self.settle(selector).await;
    }

    /// Waits for a page that is not the one with `window.isOld`.
    pub async fn settle(&mut self, why: &str) {
        let is_there =
            json!({ "script": "return !window.isOld && document.readyState === 'complete'", "args": [] });
        for _ in 0..300 {
            // Between two pages there is nothing to ask: the driver answers an error.
            if self.ask("/execute/sync", &is_there).await["value"] == true {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{why}: no other page within 30 s");
    }

    /// The first link in the page's content whose address goes on after `part` with an id.
    pub async fn link_with(&mut self, part: &str) -> Option<String> {
        let script = "const part = arguments[0];
            const links = [...document.querySelectorAll('main a[href], .main a[href], body a[href]')];
            const found = links.find(a => { const path = new URL(a.href).pathname;
                return path.startsWith(part) && /^[0-9]/.test(path.slice(part.length)); });
            return found ? found.href : null";
        let answer = self
            .post("/execute/sync", json!({ "script": script, "args": [part] }))
            .await;
        answer.as_str().map(str::to_owned)
    }

    pub async fn run(&mut self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
            .await
    }

    /// What stands there; nothing where there is no such place.
    pub async fn text(&mut self, selector: &str) -> String {
        let script =
            "const place = document.querySelector(arguments[0]); return place ? place.innerText : ''";
        let said = self
            .post("/execute/sync", json!({ "script": script, "args": [selector] }))
            .await;
        said.as_str().unwrap_or_default().to_owned()
    }

    /// Bytes of this page's markup before compression.
    pub async fn html_size(&mut self) -> u64 {
        let entry = "return performance.getEntriesByType('navigation')[0].decodedBodySize";
        self.run(entry).await.as_u64().unwrap_or_default()
    }

    pub async fn console_errors(&mut self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Addresses asked for since the last call.
    pub async fn requests(&mut self) -> Vec<String> {
        let log = self.post("/se/log", json!({ "type": "performance" })).await;
        let entries = log.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok())
            .filter(|event| event["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|event| {
                event["message"]["params"]["request"]["url"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect()
    }

    /// The whole page, not only what the window shows.
    pub async fn picture(&mut self, file: &Path) {
        let answer = self
            .devtools(
                "Page.captureScreenshot",
                json!({ "format": "png", "captureBeyondViewport": true }),
            )
            .await;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap_or_default());
        std::fs::write(file, bytes.unwrap()).unwrap();
    }

    pub async fn close(self) {
        let _ = self.http.delete(&self.session).send().await;
    }

    async fn element(&self, selector: &str) -> String {
        let found = self
            .post("/element", json!({ "using": "css selector", "value": selector }))
            .await;
        let found = found
            .as_object()
            .and_then(|found| found.values().next())
            .and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no {selector} on the page"))
            .to_owned()
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params }))
            .await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let mut answer = self.ask(path, &body).await;
        assert!(
            answer["value"]["error"].is_null(),
            "{path}: {}",
            answer["value"]["message"]
        );
        answer["value"].take()
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = self
            .http
            .post(format!("{}{path}", self.session))
            .json(body)
            .send()
            .await
            .unwrap();
        answer.json().await.unwrap()
    }
}
