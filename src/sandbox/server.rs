//! The simulator as a whole: its world, its rules, its ledger, its journal, and the server in front of them.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::callbacks::{Delivery, Outgoing, Postman};
use super::faults::{Knobs, Plan, Rules};
use super::gate::{self, LedgerEntry};
use super::journal::{self, Journal};
use super::shop::MiniStore;
use super::world::{App, Callback, Corp, Customer, Department, Kind, Member, Relation, TagGroup, World};
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
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    world: Mutex<World>,
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
            None => (None, World::default()),
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
            world: Mutex::new(world),
            rules: Mutex::default(),
            ledger: Mutex::default(),
            stores: Mutex::default(),
            journal,
            postman: Postman::start()?,
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
        let server =
            axum::serve(listener, self.router()).with_graceful_shutdown(stop.clone().cancelled_owned());
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
        journal.append_with(|| journal::take_changes(&mut locked(&self.inner.world)))
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
        let callback = self.with_corp(corpid, |corp, _| Ok(corp.app.callback.clone()))?;
        let callback = callback.ok_or_else(|| anyhow::anyhow!("`{corpid}` has no callback"))?;
        self.inner.postman.verify(corpid, &callback, self.now()).await
    }

    /// Waits until every callback is delivered or lost.
    pub async fn callbacks_settled(&self) {
        self.inner.postman.idle().await;
    }

    /// What became of each callback.
    pub fn callbacks(&self) -> Vec<Delivery> {
        self.inner.postman.deliveries()
    }

    /// Every call that reached the platform, oldest first.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        locked(&self.inner.ledger).iter().cloned().collect()
    }

    pub fn forget_ledger(&self) {
        locked(&self.inner.ledger).clear();
    }

    pub fn set_knobs(&self, knobs: Knobs) {
        self.rules().knobs = knobs;
    }

    pub fn knobs(&self) -> Knobs {
        self.rules().knobs.clone()
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

    /// Replaces the app's secret: tokens made with the old one are invalid at once (40014).
    ///
    /// # Errors
    /// When the corp is not there.
    pub fn reset_secret(&self, corpid: &str, secret: &str) -> anyhow::Result<()> {
        self.with_corp(corpid, |corp, _| {
            secret.clone_into(&mut corp.app.secret);
            corp.touch(Kind::App, "app");
            Ok(())
        })?;
        self.with_world(|world| token::revoke(world, corpid));
        Ok(())
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

    /// Does something to the world; what it makes known goes to the postman in the order it happened.
    pub(super) fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let mut world = locked(&self.inner.world);
        self.settle(&mut world);
        let result = act(&mut world);
        for (corpid, corp) in &mut world.corps {
            for event in std::mem::take(&mut corp.events) {
                self.inner.postman.post(Outgoing {
                    corpid: corpid.clone(),
                    agent_id: corp.app.agent_id,
                    to: corp.app.callback.clone(),
                    xml: event.xml(corpid, self.now()),
                    at: self.now(),
                    knobs: self.knobs(),
                });
            }
        }
        result
    }

    /// What was to happen by now happens before anything else is looked at.
    fn settle(&self, world: &mut World) {
        let now = self.now();
        for corp in world
            .corps
            .values_mut()
            .filter(|corp| handover::is_due(corp, now))
        {
            handover::settle(corp, now, &self.knobs());
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
        let now = self.now();
        self.with_world(|world| {
            let corp = world.corps.get_mut(corpid);
            act(corp.ok_or_else(|| anyhow::anyhow!("no corp `{corpid}`"))?, now)
        })
    }

    pub(super) fn corp_of_token(&self, token: &str) -> Option<String> {
        locked(&self.inner.world)
            .tokens
            .get(token)
            .map(|token| token.corpid.clone())
    }

    pub(super) fn write_down(&self, entry: LedgerEntry) {
        let mut ledger = locked(&self.inner.ledger);
        if ledger.len() == LEDGER_KEPT {
            ledger.pop_front();
        }
        ledger.push_back(entry);
    }
}

/// A lock that was held by a task that panicked is taken all the same: the world is plain data.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number for a name, so that two corps of one seed differ.
fn fold(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
