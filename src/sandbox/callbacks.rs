//! Callbacks: what people did, told to the app in encrypted XML, from a queue, three attempts, then lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rand::RngExt;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use super::faults::Knobs;
use super::world::Callback;
use crate::time::Timestamp;
use crate::wecom::crypto::CallbackCrypto;

const ATTEMPTS: u32 = 3;
/// Deliveries remembered for checks.
const KEPT: usize = 20_000;

/// An event without its envelope: the fields after `ChangeType`, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    event: &'static str,
    change: &'static str,
    fields: Vec<(&'static str, String)>,
    /// Elements that hold `Item`s; they come last.
    lists: Vec<(&'static str, Vec<String>)>,
}

impl Event {
    pub fn new(event: &'static str, change: &'static str) -> Self {
        Self {
            event,
            change,
            fields: Vec::new(),
            lists: Vec::new(),
        }
    }

    pub fn tag(change: &'static str, id: &str, kind: &str) -> Self {
        Self::new("change_external_tag", change)
            .with("Id", id)
            .with("TagType", kind)
    }

    pub fn with(mut self, field: &'static str, value: &str) -> Self {
        self.fields.push((field, value.to_owned()));
        self
    }

    pub fn listing(mut self, field: &'static str, items: Vec<String>) -> Self {
        self.lists.push((field, items));
        self
    }

    pub fn xml(&self, corpid: &str, at: Timestamp) -> String {
        let mut xml = format!(
            "<xml><ToUserName><![CDATA[{corpid}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
             <CreateTime>{}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{}]]></Event>\
             <ChangeType><![CDATA[{}]]></ChangeType>",
            at.seconds(),
            self.event,
            self.change
        );
        for (field, value) in &self.fields {
            // `]]>` inside a value would end the section: cut it in two.
            let value = value.replace("]]>", "]]]]><![CDATA[>");
            xml.push_str(&format!("<{field}><![CDATA[{value}]]></{field}>"));
        }
        for (field, items) in &self.lists {
            // Ids: nothing in them could end the section.
            let items: String = items
                .iter()
                .map(|item| format!("<Item><![CDATA[{item}]]></Item>"))
                .collect();
            xml.push_str(&format!("<{field}>{items}</{field}>"));
        }
        xml.push_str("</xml>");
        xml
    }
}

/// An event on its way to an app.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub corpid: String,
    pub agent_id: i64,
    /// `None`: nobody listens; it is recorded as lost.
    pub to: Option<Callback>,
    pub xml: String,
    pub at: Timestamp,
    pub knobs: Knobs,
}

/// What became of a callback.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub at: Timestamp,
    pub corpid: String,
    pub xml: String,
    pub attempts: u32,
    pub is_delivered: bool,
    /// Why not, or why it went out of the ordinary: `no address`, `dropped`, `doubled`, what the last attempt met.
    pub note: String,
}

/// The queue and what became of what was in it.
#[derive(Clone)]
pub struct Postman {
    queue: mpsc::UnboundedSender<Outgoing>,
    desk: Arc<Desk>,
}

struct Desk {
    client: reqwest::Client,
    deliveries: Mutex<VecDeque<Delivery>>,
    under_way: AtomicUsize,
    idle: Notify,
}

impl Postman {
    /// Starts the task that delivers; it ends when the last sender is gone.
    pub fn start() -> anyhow::Result<Self> {
        // A second installation fails and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("build the client that sends callbacks")?;
        let (queue, waiting) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            client,
            deliveries: Mutex::default(),
            under_way: AtomicUsize::new(0),
            idle: Notify::new(),
        });
        tokio::spawn(deliver_all(waiting, desk.clone()));
        Ok(Self { queue, desk })
    }

    pub fn post(&self, outgoing: Outgoing) {
        self.desk.under_way.fetch_add(1, Ordering::AcqRel);
        if self.queue.send(outgoing).is_err() {
            self.desk.done();
        }
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        loop {
            let notified = self.desk.idle.notified();
            if self.desk.under_way.load(Ordering::Acquire) == 0 {
                return;
            }
            notified.await;
        }
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.desk.locked().iter().cloned().collect()
    }

    /// Asks the address to prove that it holds the secrets: it must answer the echo, and nothing else, within a second.
    pub async fn verify(&self, corpid: &str, callback: &Callback, at: Timestamp) -> anyhow::Result<()> {
        let crypto = CallbackCrypto::new(&callback.token, &callback.aes_key, corpid)?;
        let echo = rand::rng().random::<u64>().to_string();
        let (query, encrypted) = sign(&crypto, &echo, at);
        let request = self
            .desk
            .client
            .get(&callback.url)
            .query(&query)
            .query(&[("echostr", &encrypted)]);
        let answer = request
            .timeout(Duration::from_secs(1))
            .send()
            .await
            .context("no answer within a second")?;
        let body = answer.text().await.context("the answer broke off")?;
        anyhow::ensure!(body == echo, "the address answered something other than the echo");
        Ok(())
    }
}

impl Desk {
    fn locked(&self) -> std::sync::MutexGuard<'_, VecDeque<Delivery>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, outgoing: &Outgoing, attempts: u32, is_delivered: bool, note: &str) {
        let mut deliveries = self.locked();
        if deliveries.len() == KEPT {
            deliveries.pop_front();
        }
        deliveries.push_back(Delivery {
            at: outgoing.at,
            corpid: outgoing.corpid.clone(),
            xml: outgoing.xml.clone(),
            attempts,
            is_delivered,
            note: note.to_owned(),
        });
    }

    fn done(&self) {
        if self.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }
}

/// First attempts go one after the other, so what happened first is usually heard first; retries go on their own.
async fn deliver_all(mut waiting: mpsc::UnboundedReceiver<Outgoing>, desk: Arc<Desk>) {
    while let Some(outgoing) = waiting.recv().await {
        let chance = |percent: u32| rand::rng().random_range(0..100) < percent;
        if chance(outgoing.knobs.callbacks_dropped) {
            desk.record(&outgoing, 0, false, "dropped");
            desk.done();
            continue;
        }
        if chance(outgoing.knobs.callbacks_doubled) {
            desk.under_way.fetch_add(1, Ordering::AcqRel);
            let (desk, outgoing) = (desk.clone(), outgoing.clone());
            tokio::spawn(async move { deliver(&desk, outgoing, "doubled").await });
        }
        if chance(outgoing.knobs.callbacks_shuffled) {
            let late = Duration::from_millis(rand::rng().random_range(50..500));
            let desk = desk.clone();
            tokio::spawn(async move {
                tokio::time::sleep(late).await;
                deliver(&desk, outgoing, "shuffled").await;
            });
            continue;
        }
        deliver(&desk, outgoing, "").await;
    }
}

async fn deliver(desk: &Arc<Desk>, outgoing: Outgoing, note: &'static str) {
    tokio::time::sleep(Duration::from_millis(outgoing.knobs.callback_delay_ms)).await;
    let Some(callback) = &outgoing.to else {
        desk.record(&outgoing, 0, false, "no address");
        return desk.done();
    };
    match attempt(desk, &outgoing, callback).await {
        Ok(()) => {
            desk.record(&outgoing, 1, true, note);
            desk.done();
        }
        Err(_) => drop(tokio::spawn(try_again(desk.clone(), outgoing))),
    }
}

async fn try_again(desk: Arc<Desk>, outgoing: Outgoing) {
    let mut last = String::new();
    for number in 2..=ATTEMPTS {
        tokio::time::sleep(Duration::from_millis(outgoing.knobs.callback_retry_pause_ms)).await;
        let callback = outgoing
            .to
            .as_ref()
            .expect("only what has an address is tried again");
        match attempt(&desk, &outgoing, callback).await {
            Ok(()) => {
                desk.record(&outgoing, number, true, "");
                return desk.done();
            }
            Err(error) => last = format!("{error:#}"),
        }
    }
    desk.record(&outgoing, ATTEMPTS, false, &last);
    desk.done();
}

async fn attempt(desk: &Desk, outgoing: &Outgoing, callback: &Callback) -> anyhow::Result<()> {
    let crypto = CallbackCrypto::new(&callback.token, &callback.aes_key, &outgoing.corpid)?;
    let (query, encrypted) = sign(&crypto, &outgoing.xml, outgoing.at);
    let body = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName><AgentID><![CDATA[{}]]></AgentID>\
         <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>",
        outgoing.corpid, outgoing.agent_id
    );
    let request = desk
        .client
        .post(&callback.url)
        .query(&query)
        .header("Content-Type", "text/xml")
        .body(body);
    let timeout = Duration::from_millis(outgoing.knobs.callback_timeout_ms);
    let answer = request.timeout(timeout).send().await?;
    anyhow::ensure!(answer.status() == 200, "answered {}", answer.status());
    Ok(())
}

/// Fresh random bytes, timestamp and nonce for every attempt, as the platform does.
fn sign(crypto: &CallbackCrypto, text: &str, at: Timestamp) -> ([(&'static str, String); 3], String) {
    let encrypted = crypto.encrypt(rand::rng().random(), text);
    let timestamp = at.seconds().to_string();
    let nonce = rand::rng()
        .random_range(100_000_000..u64::from(u32::MAX))
        .to_string();
    let signature = crypto.signature(&timestamp, &nonce, &encrypted);
    (
        [
            ("msg_signature", signature),
            ("timestamp", timestamp),
            ("nonce", nonce),
        ],
        encrypted,
    )
}
