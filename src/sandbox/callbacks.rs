//! Callbacks: what people did, told to the app in encrypted XML, from a queue, three attempts, then lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use utoipa::ToSchema;

use super::apps::Callback;
use super::crowd::new_id;
use super::faults::Knobs;
use super::oddities;
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
    /// Elements that hold `Item`s.
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

    /// The member it is about.
    pub fn member(&self) -> Option<&str> {
        let field = self.fields.iter().find(|(field, _)| *field == "UserID");
        field.map(|(_, userid)| userid.as_str())
    }

    fn xml(&self, outgoing: &Outgoing, rng: &mut StdRng) -> String {
        // `]]>` inside a value would end the section: cut it in two.
        let text = |field: &str, value: &str| {
            let value = value.replace("]]>", "]]]]><![CDATA[>");
            format!("<{field}><![CDATA[{value}]]></{field}>")
        };
        let step_s = outgoing.knobs.callback_time_step_s.max(1);
        let time = outgoing.at.seconds().div_euclid(step_s) * step_s;
        let mut fields = vec![
            text("ToUserName", &outgoing.corpid),
            text("FromUserName", "sys"),
            format!("<CreateTime>{time}</CreateTime>"),
            text("MsgType", "event"),
            text("Event", self.event),
            text("ChangeType", self.change),
        ];
        fields.extend(self.fields.iter().map(|(field, value)| text(field, value)));
        fields.extend(self.lists.iter().map(|(field, items)| {
            let items: String = items.iter().map(|item| text("Item", item)).collect();
            format!("<{field}>{items}</{field}>")
        }));
        if outgoing.knobs.from_the_future {
            fields.push(oddities::EVENT_FIELDS.to_owned());
        }
        if outgoing.knobs.callback_fields_shuffled {
            fields.shuffle(rng);
        }
        format!("<xml>{}</xml>", fields.concat())
    }
}

/// An event on its way to an app.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub corpid: String,
    pub agent_id: i64,
    /// `None`: nobody listens; it is recorded as lost.
    pub to: Option<Callback>,
    pub event: Event,
    pub at: Timestamp,
    pub knobs: Arc<Knobs>,
}

/// An event written out, with what chance has decided about it. That is decided when it is posted, not when it is
/// delivered: the same acts from the same seed lose the same events, however fast the app answers.
#[derive(Debug, Clone)]
struct Letter {
    corpid: String,
    agent_id: i64,
    to: Option<Callback>,
    xml: String,
    at: Timestamp,
    knobs: Arc<Knobs>,
    is_dropped: bool,
    is_doubled: bool,
    /// Comes so much late, out of order.
    late_ms: Option<u64>,
    /// Makes the nonces of this letter's attempts.
    seed: u64,
}

/// What became of a callback.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Delivery {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub corpid: String,
    pub agent_id: i64,
    pub xml: String,
    pub attempts: u32,
    pub is_delivered: bool,
    /// Why not, or why it went out of the ordinary: `no address`, `dropped`, `doubled`, what the last attempt met.
    pub note: String,
}

/// The queue and what became of what was in it.
#[derive(Clone)]
pub struct Postman {
    queue: mpsc::UnboundedSender<Letter>,
    desk: Arc<Desk>,
    rng: Arc<Mutex<StdRng>>,
}

struct Desk {
    client: reqwest::Client,
    deliveries: Mutex<VecDeque<Delivery>>,
    under_way: AtomicUsize,
    idle: Notify,
}

impl Postman {
    /// Starts the task that delivers; it ends when the last sender is gone.
    pub fn start(seed: u64) -> anyhow::Result<Self> {
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
        Ok(Self {
            queue,
            desk,
            rng: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))),
        })
    }

    /// Puts an event in the queue. Called in the order things happened.
    pub fn post(&self, outgoing: Outgoing) {
        let letter = written(outgoing, &mut self.rng());
        self.desk.under_way.fetch_add(1, Ordering::AcqRel);
        if self.queue.send(letter).is_err() {
            self.desk.done();
        }
    }

    fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The same, which are remembered no longer.
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        self.desk.locked().drain(..).collect()
    }

    /// Asks the address to prove that it holds the secrets: it must answer the echo, and nothing else, within a second.
    pub async fn verify(&self, corpid: &str, callback: &Callback, at: Timestamp) -> anyhow::Result<()> {
        let crypto = CallbackCrypto::new(&callback.token, &callback.aes_key, corpid)?;
        let (echo, mut rng) = {
            let mut rng = self.rng();
            (
                rng.random::<u64>().to_string(),
                StdRng::seed_from_u64(rng.random()),
            )
        };
        let (query, encrypted) = sign(&crypto, &echo, at, &mut rng);
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
    fn locked(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, letter: &Letter, attempts: u32, is_delivered: bool, note: &str) {
        let mut deliveries = self.locked();
        if deliveries.len() == KEPT {
            deliveries.pop_front();
        }
        deliveries.push_back(Delivery {
            at: letter.at,
            corpid: letter.corpid.clone(),
            agent_id: letter.agent_id,
            xml: letter.xml.clone(),
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

fn written(outgoing: Outgoing, rng: &mut StdRng) -> Letter {
    let xml = outgoing.event.xml(&outgoing, rng);
    let knobs = outgoing.knobs;
    let mut chance = |percent: u32| rng.random_range(0..100) < percent;
    let (is_dropped, is_doubled) = (chance(knobs.callbacks_dropped), chance(knobs.callbacks_doubled));
    let is_shuffled = chance(knobs.callbacks_shuffled);
    Letter {
        corpid: outgoing.corpid,
        agent_id: outgoing.agent_id,
        to: outgoing.to,
        xml,
        at: outgoing.at,
        is_dropped,
        is_doubled,
        late_ms: is_shuffled.then(|| rng.random_range(50..500)),
        seed: rng.random(),
        knobs,
    }
}

/// First attempts go one after the other, so what happened first is usually heard first; retries go on their own.
async fn deliver_all(mut waiting: mpsc::UnboundedReceiver<Letter>, desk: Arc<Desk>) {
    while let Some(letter) = waiting.recv().await {
        if letter.is_dropped {
            desk.record(&letter, 0, false, "dropped");
            desk.done();
            continue;
        }
        if letter.is_doubled {
            desk.under_way.fetch_add(1, Ordering::AcqRel);
            let mut double = letter.clone();
            double.seed = !double.seed;
            let desk = desk.clone();
            tokio::spawn(async move { deliver(&desk, double, "doubled").await });
        }
        if let Some(late_ms) = letter.late_ms {
            let desk = desk.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(late_ms)).await;
                deliver(&desk, letter, "shuffled").await;
            });
            continue;
        }
        deliver(&desk, letter, "").await;
    }
}

async fn deliver(desk: &Arc<Desk>, letter: Letter, note: &'static str) {
    // A sleep of nothing still waits for the timer's next tick.
    if letter.knobs.callback_delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(letter.knobs.callback_delay_ms)).await;
    }
    let Some(callback) = &letter.to else {
        desk.record(&letter, 0, false, "no address");
        return desk.done();
    };
    match attempt(desk, &letter, callback, 1).await {
        Ok(()) => {
            desk.record(&letter, 1, true, note);
            desk.done();
        }
        Err(_) => drop(tokio::spawn(try_again(desk.clone(), letter))),
    }
}

async fn try_again(desk: Arc<Desk>, letter: Letter) {
    let mut last = String::new();
    for number in 2..=ATTEMPTS {
        tokio::time::sleep(Duration::from_millis(letter.knobs.callback_retry_pause_ms)).await;
        let callback = letter
            .to
            .as_ref()
            .expect("only what has an address is tried again");
        match attempt(&desk, &letter, callback, number).await {
            Ok(()) => {
                desk.record(&letter, number, true, "");
                return desk.done();
            }
            Err(error) => last = format!("{error:#}"),
        }
    }
    desk.record(&letter, ATTEMPTS, false, &last);
    desk.done();
}

async fn attempt(desk: &Desk, letter: &Letter, callback: &Callback, number: u32) -> anyhow::Result<()> {
    let crypto = CallbackCrypto::new(&callback.token, &callback.aes_key, &letter.corpid)?;
    let mut rng = StdRng::seed_from_u64(letter.seed.wrapping_add(u64::from(number)));
    let (query, encrypted) = sign(&crypto, &letter.xml, letter.at, &mut rng);
    let body = format!(
        "<xml><ToUserName><![CDATA[{}]]></ToUserName><AgentID><![CDATA[{}]]></AgentID>\
         <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>",
        letter.corpid, letter.agent_id
    );
    let request = desk
        .client
        .post(&callback.url)
        .query(&query)
        .header("Content-Type", "text/xml")
        .body(body);
    let timeout = Duration::from_millis(letter.knobs.callback_timeout_ms);
    let answer = request.timeout(timeout).send().await?;
    anyhow::ensure!(answer.status() == 200, "answered {}", answer.status());
    Ok(())
}

/// Fresh random bytes, timestamp and nonce for every attempt, as the platform does.
fn sign(
    crypto: &CallbackCrypto,
    text: &str,
    at: Timestamp,
    rng: &mut StdRng,
) -> ([(&'static str, String); 3], String) {
    let encrypted = crypto.encrypt(rng.random(), text);
    let timestamp = at.seconds().to_string();
    let nonce = rng.random_range(100_000_000..u64::from(u32::MAX)).to_string();
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

/// Secrets as the console makes them: a token, and 43 letters and digits that hold 32 bytes. The last letter has two bits
/// to spare, which the console often sets; `has_spare_bits` says which kind is wanted.
pub fn new_secrets(rng: &mut StdRng, has_spare_bits: bool) -> (String, String) {
    // A letter's place in base64 is its six bits; these are the letters with the two lowest clear, or set somehow.
    let last: &[u8] = if has_spare_bits {
        b"BCDFGHJKLNOPRSTVWXZabdefhijlmnpqrtuvxyz1235679"
    } else {
        b"AEIMQUYcgkosw048"
    };
    let mut key = new_id(rng, "", 42);
    key.push(char::from(last[rng.random_range(0..last.len())]));
    (new_id(rng, "", 24), key)
}
