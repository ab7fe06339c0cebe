//! The simulator as a whole: its world, its rules, its ledger, its journal, and the server in front of them.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::apps::{App, AppChange, Callback};
use super::callbacks::{Delivery, Outgoing, Postman};
use super::faults::{Knobs, Plan, Rules};
use super::gate::{self, LedgerEntry};
use super::index::fold;
use super::journal::{self, Journal};
use super::shop::MiniStore;
use super::world::{Corp, Customer, Department, Kind, Member, Relation, TagGroup, World};
use super::{control, handover, login, phone, shop, token};
use crate::time::{Clock, Timestamp};

/// Calls remembered for checks.
const LEDGER_KEPT: usize = 50_000;
const FLUSH_EVERY: Duration = Duration::from_millis(250);
/// Above the largest file the platform takes.
const MAX_BODY: usize = 24 * 1024 * 1024;

pub struct SandboxOptions {
    pub clock: Clock,
    pub seed: u64,
    /// The journal's file; `None`: memory only.
    pub data: Option<PathBuf>,
}

/// A corp to begin with. Ids are the caller's.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorpSeed {
    pub corpid: String,
    pub name: String,
    pub secret: String,
    pub agent_id: i64,
    #[serde(default)]
    pub departments: Vec<Department>,
    #[serde(default)]
    pub members: Vec<Member>,
    #[serde(default)]
    pub customers: Vec<Customer>,
    #[serde(default)]
    pub relations: Vec<Relation>,
    #[serde(default)]
    pub tag_groups: Vec<TagGroup>,
}

/// The simulated platform. Clones share one world.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    seed: u64,
    is_fresh: bool,
    world: RwLock<World>,
    /// What no corp's own chance decides: hints, and which page comes twice.
    chance: Mutex<StdRng>,
    rules: Mutex<Rules>,
    ledger: Mutex<VecDeque<LedgerEntry>>,
    stores: Mutex<HashMap<String, MiniStore>>,
    journal: Option<Journal>,
    postman: Postman,
}

impl Sandbox {
    /// Opens the world, as the journal left it if there is one. Needs a running tokio.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub async fn open(options: SandboxOptions) -> anyhow::Result<Self> {
        // A world that goes on must not make the ids of its first run again.
        let seed = match &options.data {
            Some(path) if path.exists() => options.seed ^ options.clock.now().0.unsigned_abs(),
            _ => options.seed,
        };
        let (journal, world) = match options.data {
            None => (None, World::new(seed)),
            Some(path) => {
                let (journal, world) =
                    tokio::task::spawn_blocking(move || Journal::open(&path, seed)).await??;
                (Some(journal), world)
            }
        };
        let inner = Inner {
            clock: options.clock,
            seed,
            is_fresh: world.corps.is_empty(),
            world: RwLock::new(world),
            chance: Mutex::new(StdRng::seed_from_u64(seed)),
            rules: Mutex::default(),
            ledger: Mutex::default(),
            stores: Mutex::default(),
            journal,
            postman: Postman::start(seed)?,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Whether the journal held no world: nothing has been seeded yet.
    pub fn is_fresh(&self) -> bool {
        self.inner.is_fresh
    }

    /// Adds a corp with everybody in it.
    pub fn add_corp(&self, seed: CorpSeed) {
        let app = App {
            corpid: seed.corpid.clone(),
            name: seed.name,
            secret: seed.secret,
            agent_id: seed.agent_id,
            ..App::default()
        };
        let mut corp = Corp::new(app, self.inner.seed ^ fold(&seed.corpid));
        corp.is_journaled = self.inner.journal.is_some();
        corp.touch(Kind::App, "app");
        for department in seed.departments {
            corp.touch(Kind::Department, department.id.to_string());
            corp.departments.insert(department.id, department);
        }
        seed.members
            .into_iter()
            .for_each(|member| corp.put_member(member));
        seed.customers
            .into_iter()
            .for_each(|customer| corp.put_customer(customer));
        seed.relations
            .into_iter()
            .for_each(|relation| corp.put_relation(relation));
        seed.tag_groups
            .into_iter()
            .for_each(|group| corp.put_group(group));
        self.with_world(|world| world.corps.insert(seed.corpid, corp));
    }

    /// Everything the simulator answers.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/cgi-bin/{*path}", any(gate::call))
            .merge(login::routes())
            .merge(control::routes())
            .merge(phone::routes())
            .merge(shop::routes())
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.clone())
    }

    /// Serves until `stop`, writing the journal every quarter of a second and once more at the end.
    pub async fn serve(&self, listener: tokio::net::TcpListener, stop: CancellationToken) {
        // Calls name the address they come from: an app may trust only some.
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let flusher = async {
            while stop
                .run_until_cancelled(tokio::time::sleep(FLUSH_EVERY))
                .await
                .is_some()
            {
                self.tick();
                self.flush().await;
            }
        };
        let (served, ()) = tokio::join!(async { server.await }, flusher);
        if let Err(error) = served {
            tracing::error!(%error, "the sandbox's server stopped");
        }
        self.flush().await;
    }

    /// Lets happen what time alone brings: transfers nobody refused. Every call does it too; this is for quiet hours.
    pub fn tick(&self) {
        self.with_world(|_| ());
    }

    /// Writes what has changed to the journal.
    pub async fn flush(&self) {
        if self.inner.journal.is_none() {
            return;
        }
        let sandbox = self.clone();
        let written = tokio::task::spawn_blocking(move || sandbox.flush_now()).await;
        if let Err(error) = written.map_err(anyhow::Error::from).and_then(|written| written) {
            tracing::error!(
                error = format!("{error:#}"),
                "the sandbox's journal was not written"
            );
        }
    }

    fn flush_now(&self) -> anyhow::Result<()> {
        let Some(journal) = &self.inner.journal else {
            return Ok(());
        };
        // The file's order must be the world's: the next flush waits until this one is on the disk.
        journal.append_with(|| journal::take_changes(&mut self.write()))
    }

    /// Where the app of a corp hears of what people do.
    pub fn set_callback(&self, corpid: &str, url: &str, token: &str, aes_key: &str) {
        let callback = Callback {
            url: url.to_owned(),
            token: token.to_owned(),
            aes_key: aes_key.to_owned(),
        };
        self.with_world(|world| {
            if let Some(corp) = world.corps.get_mut(corpid) {
                corp.app.callback = Some(callback);
                corp.touch(Kind::App, "app");
            }
        });
    }

    /// Asks the callback's address for its echo, as the console does before it saves one.
    ///
    /// # Errors
    /// When nothing is set, or the address does not prove that it holds the secrets.
    pub async fn verify_callback(&self, corpid: &str) -> anyhow::Result<()> {
        let callback = self.look_at(corpid, |corp, _| Ok(corp.app.callback.clone()))?;
        let callback = callback.ok_or_else(|| anyhow::anyhow!("`{corpid}` has no callback"))?;
        self.verify_address(corpid, &callback).await
    }

    /// The same for an address that is not saved yet.
    ///
    /// # Errors
    /// When it does not prove that it holds the secrets.
    pub async fn verify_address(&self, corpid: &str, callback: &Callback) -> anyhow::Result<()> {
        self.inner.postman.verify(corpid, callback, self.now()).await
    }

    /// Waits until every callback is delivered or lost.
    pub async fn callbacks_settled(&self) {
        self.inner.postman.idle().await;
    }

    /// What became of each callback.
    pub fn callbacks(&self) -> Vec<Delivery> {
        self.inner.postman.deliveries()
    }

    /// The same, of what happened since the last time.
    pub fn take_callbacks(&self) -> Vec<Delivery> {
        self.inner.postman.take_deliveries()
    }

    /// Every call that reached the platform, oldest first.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        locked(&self.inner.ledger).iter().cloned().collect()
    }

    pub fn forget_ledger(&self) {
        locked(&self.inner.ledger).clear();
    }

    pub fn set_knobs(&self, knobs: Knobs) {
        self.rules().knobs = Arc::new(knobs);
    }

    pub fn knobs(&self) -> Knobs {
        Knobs::clone(&self.rules().knobs)
    }

    /// Makes the next calls of an API go wrong.
    pub fn plan(&self, plan: Plan) {
        self.rules().plans.push(plan);
    }

    pub fn forget_plans(&self) {
        self.rules().plans.clear();
    }

    /// Tells the mini-store of a corp where the product is and what is on sale.
    pub fn set_mini_store(&self, corpid: &str, store: MiniStore) {
        locked(&self.inner.stores).insert(corpid.to_owned(), store);
    }

    /// Replaces the first app's secret: tokens made with the old one are invalid at once (40014).
    ///
    /// # Errors
    /// When the corp is not there.
    pub fn reset_secret(&self, corpid: &str, secret: &str) -> anyhow::Result<()> {
        let agent_id = self.look_at(corpid, |corp, _| Ok(corp.app.agent_id))?;
        let change = AppChange {
            secret: Some(secret.to_owned()),
            ..AppChange::default()
        };
        self.set_app(corpid, agent_id, change)
    }

    /// Ends the corp's tokens before their time (42001).
    pub fn expire_tokens(&self, corpid: &str) {
        let now = self.now();
        self.with_world(|world| token::expire(world, corpid, now));
    }
}

/// For the areas.
impl Sandbox {
    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Never ask for the world while holding these.
    pub(super) fn rules(&self) -> MutexGuard<'_, Rules> {
        locked(&self.inner.rules)
    }

    pub(super) fn mini_store(&self, corpid: &str) -> Option<MiniStore> {
        locked(&self.inner.stores).get(corpid).cloned()
    }

    /// Reads the world, side by side with other readers.
    pub(super) fn look<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        let world = self.read();
        if !self.is_due(&world) {
            return read(&world);
        }
        drop(world);
        self.tick();
        read(&self.read())
    }

    fn read(&self) -> RwLockReadGuard<'_, World> {
        self.inner.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same within a corp.
    ///
    /// # Errors
    /// The reader's own, or that there is no such corp.
    pub(super) fn look_at<T>(
        &self,
        corpid: &str,
        read: impl FnOnce(&Corp, Timestamp) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let now = self.now();
        self.look(|world| {
            let corp = world.corps.get(corpid);
            read(corp.ok_or_else(|| anyhow::anyhow!("no corp `{corpid}`"))?, now)
        })
    }

    fn write(&self) -> RwLockWriteGuard<'_, World> {
        self.inner.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the world; what it makes known goes to the postman in the order it happened.
    pub(super) fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.write();
        self.settle(&mut world);
        let result = act(&mut world);
        let news = world.corps.iter_mut().filter(|(_, corp)| !corp.events.is_empty());
        for (corpid, corp) in news {
            self.tell(corpid, corp);
        }
        result
    }

    /// Gives a corp's news to the postman: once for every app that listens and sees the member it is about.
    fn tell(&self, corpid: &str, corp: &mut Corp) {
        let (now, knobs) = (self.now(), self.rules().knobs.clone());
        for event in std::mem::take(&mut corp.events) {
            let about = event.member().map(str::to_lowercase);
            let sees = |app: &&App| {
                !app.is_disabled && about.as_deref().is_none_or(|key| corp.sees(app.agent_id, key))
            };
            let mut listeners: Vec<&App> = corp
                .apps()
                .filter(|app| app.callback.is_some())
                .filter(sees)
                .collect();
            if listeners.is_empty() {
                // Recorded as lost.
                listeners.push(&corp.app);
            }
            for app in listeners {
                self.inner.postman.post(Outgoing {
                    corpid: corpid.to_owned(),
                    agent_id: app.agent_id,
                    to: app.callback.clone().filter(|_| sees(&app)),
                    event: event.clone(),
                    at: now,
                    knobs: knobs.clone(),
                });
            }
        }
    }

    fn is_due(&self, world: &World) -> bool {
        let now = self.now();
        world.corps.values().any(|corp| handover::is_due(corp, now))
    }

    /// What was to happen by now happens before anything else is looked at.
    fn settle(&self, world: &mut World) {
        if !self.is_due(world) {
            return;
        }
        let (now, knobs) = (self.now(), self.rules().knobs.clone());
        for corp in world.corps.values_mut() {
            corp.past.begin(now, knobs.read_lag_ms);
            handover::settle(corp, now, &knobs);
        }
    }

    /// The same within a corp.
    ///
    /// # Errors
    /// The act's own, or that there is no such corp.
    pub(super) fn with_corp<T>(
        &self,
        corpid: &str,
        act: impl FnOnce(&mut Corp, Timestamp) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (now, lag_ms) = (self.now(), self.rules().knobs.read_lag_ms);
        self.with_world(|world| {
            let corp = world.corps.get_mut(corpid);
            let corp = corp.ok_or_else(|| anyhow::anyhow!("no corp `{corpid}`"))?;
            corp.past.begin(now, lag_ms);
            act(corp, now)
        })
    }

    /// The corp and the app a token was given to, whether it still lives or not.
    pub(super) fn owner_of(&self, token: &str) -> Option<(String, i64)> {
        self.look(|world| {
            let token = world.tokens.get(token)?;
            Some((token.corpid.clone(), token.agent_id))
        })
    }

    /// Throws the dice: true so many times of a hundred.
    pub(super) fn chance(&self, percent: u32) -> bool {
        percent > 0 && locked(&self.inner.chance).random_range(0..100) < percent
    }

    /// The number that an error's hint ends in.
    pub(super) fn hint(&self) -> u128 {
        locked(&self.inner.chance).random()
    }

    pub(super) fn write_down(&self, entry: LedgerEntry) {
        let mut ledger = locked(&self.inner.ledger);
        let oldest = if ledger.len() == LEDGER_KEPT {
            ledger.pop_front()
        } else {
            None
        };
        ledger.push_back(entry);
        // Freed by the caller alone, not while others wait.
        drop(ledger);
        drop(oldest);
    }
}

/// A lock that was held by a task that panicked is taken all the same: the world is plain data.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
