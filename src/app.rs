//! App: what the program holds, built once. Only handlers and jobs take it whole.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cache;
use crate::config::Config;
use crate::db::{Db, node};
use crate::error::Result;
use crate::ids::{CorpId, Ids};
use crate::scope::{Act, Actor};
use crate::seal::Sealer;
use crate::time::{Clock, Timestamp};
use crate::wecom::crypto::CallbackCrypto;
use crate::wecom::{Client, Platform};

/// Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    pub db: Db,
    pub cache: Cache,
    pub clock: Clock,
    pub ids: Ids,
    pub sealer: Sealer,
    pub wecom: Platform,
    pub secrets: Secrets,
    pub shelf: Shelf,
    /// A stop is coming: `/readyz` says so while everything else is still served.
    pub leaving: tokio_util::sync::CancellationToken,
    /// Rises at every stop: long-lived answers end when it is cancelled.
    pub stopping: tokio_util::sync::CancellationToken,
}

/// What domains keep in the process for as long as it runs: one of each type, made when it is first asked for. The
/// floor does not know them.
#[derive(Default)]
pub struct Shelf(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shelf {
    pub fn of<T: Any + Send + Sync + Default>(&self) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(T::default()));
        entry
            .clone()
            .downcast()
            .expect("what is kept under a type is of that type")
    }
}

/// What opened secrets make, kept in process for a while. Whoever replaces them may be another program, which reaches
/// nothing here.
pub struct Secrets {
    /// For a minute, so a changed one is used soon: the platform refuses the old one itself.
    pub clients: moka::future::Cache<CorpId, Client>,
    /// For a second: a token or key that was replaced must open nothing any more.
    /// By corpid, as the callback's address has it.
    pub callbacks: moka::future::Cache<String, (CorpId, CallbackCrypto)>,
    /// Corps whose callback secrets were read anew within the last second.
    pub renewed: moka::future::Cache<String, ()>,
}

fn kept_for<K, V>(seconds: u64) -> moka::future::Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    moka::future::Cache::builder()
        .max_capacity(1_000)
        .time_to_live(std::time::Duration::from_secs(seconds))
        .build()
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            clients: kept_for(60),
            callbacks: kept_for(1),
            renewed: kept_for(1),
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub fn new(config: Config, db: Db, cache: Cache, clock: Clock, ids: Ids) -> Self {
        let sealer = Sealer::new(&config.master_key);
        let wecom = Platform::new(&config.wecom_base_url, cache.clone()).on_clock(clock.clone());
        Self(Arc::new(Parts {
            config,
            db,
            cache,
            clock,
            ids,
            sealer,
            wecom,
            secrets: Secrets::default(),
            shelf: Shelf::default(),
            leaving: Default::default(),
            stopping: Default::default(),
        }))
    }

    /// Connects everything the settings name and leases a node number. Does not migrate.
    pub async fn connect(config: Config) -> Result<(Self, node::Node)> {
        let db = Db::connect(&config.database_url).await?;
        let cache = match &config.redis_url {
            Some(url) => Cache::redis(url, "dianyu").await?,
            None => Cache::memory(),
        };
        crate::db::migrate::up(&db, Clock::System.now()).await?;
        let (node, ids) = node::lease(&db, Clock::System.now()).await?;
        Ok((Self::new(config, db, cache, Clock::System, ids), node))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A change made now, by `by`.
    pub fn act(&self, by: Actor) -> Act<'_> {
        Act {
            now: self.now(),
            ids: &self.ids,
            by,
            sealer: &self.sealer,
        }
    }
}

#[cfg(test)]
impl App {
    /// For unit tests: an empty database in memory, reached over TLS.
    pub async fn in_memory() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let key = crate::config::MasterKey::generate().to_base64();
        let config = Config::read(None, |name| match name {
            "DIANYU_MASTER_KEY" => Some(key.clone()),
            "DIANYU_PUBLIC_URL" => Some("https://crm.example.com".into()),
            _ => None,
        });
        let db = Db::connect("sqlite::memory:").await.expect("SQLite opens");
        crate::db::migrate::up(&db, Timestamp(0))
            .await
            .expect("migrations apply");
        let ids = Ids::new(1, Timestamp(0));
        Self::new(
            config.expect("the settings are right"),
            db,
            Cache::memory(),
            Clock::System,
            ids,
        )
    }
}
