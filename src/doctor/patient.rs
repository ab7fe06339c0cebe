//! What is examined, as far as it can be reached.

use std::time::Duration;

use crate::app::App;
use crate::cache::Cache;
use crate::config::Config;
use crate::db::{self, Closed, Db};
use crate::ids::{Ids, random_base62};
use crate::time::Clock;

/// How long the database may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// An installation, from settings that cannot be read up to a program that runs.
pub struct Patient {
    pub(super) ground: Ground,
    /// Why Redis does not answer, where it is wanted.
    pub(super) redis: Option<String>,
    /// It is the program that serves, and knows what only that knows.
    pub(super) is_server: bool,
}

pub(super) enum Ground {
    NoSettings(String),
    NoDatabase { config: Box<Config>, why: NoDatabase },
    Whole(App),
}

/// Why the database cannot be opened.
#[derive(Debug)]
pub enum NoDatabase {
    /// Nobody opens where it should be.
    Closed(Closed),
    /// In its own words, or in ours.
    Told(String),
}

impl Patient {
    /// The program this runs in.
    pub fn of(app: &App) -> Self {
        Self {
            ground: Ground::Whole(app.clone()),
            redis: None,
            is_server: true,
        }
    }

    /// What the settings lead to. Nothing is migrated and no node number leased: a look changes nothing.
    pub async fn meet(settings: Result<Config, String>) -> Self {
        let config = match settings {
            Ok(config) => config,
            Err(why) => {
                return Self {
                    ground: Ground::NoSettings(why),
                    redis: None,
                    is_server: false,
                };
            }
        };
        let redis = match &config.redis_url {
            Some(url) => Cache::redis(url, "dianyu")
                .await
                .map_err(|error| error.to_string()),
            None => Ok(Cache::memory()),
        };
        let database = database(&config.database_url).await;
        Self::put_together(config, database, redis, Clock::System)
    }

    /// The same from what was connected already.
    pub fn put_together(
        config: Config,
        database: Result<Db, NoDatabase>,
        redis: Result<Cache, String>,
        clock: Clock,
    ) -> Self {
        let (cache, redis) = match redis {
            Ok(cache) => (cache, None),
            Err(why) => (Cache::memory(), Some(why)),
        };
        let ground = match database {
            // No id is made on a look; the number is nobody's.
            Ok(db) => {
                let ids = Ids::new(0, clock.now());
                Ground::Whole(App::new(config, db, cache, clock, ids))
            }
            Err(why) => Ground::NoDatabase {
                config: Box::new(config),
                why,
            },
        };
        Self {
            ground,
            redis,
            is_server: false,
        }
    }
}

async fn database(url: &str) -> Result<Db, NoDatabase> {
    // Opening a SQLite file makes it: a look must not.
    if let Some(path) = file_of(url)
        && !std::path::Path::new(path).exists()
    {
        return Err(NoDatabase::Told(format!("there is no file `{path}`")));
    }
    db::knock(url).await.map_err(NoDatabase::Closed)?;
    match tokio::time::timeout(PATIENCE, Db::connect(url)).await {
        Ok(connected) => connected.map_err(|error| NoDatabase::Told(error.to_string())),
        Err(_) => Err(NoDatabase::Told("no answer within 5 s".to_owned())),
    }
}

fn file_of(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or(path);
    (path != ":memory:").then_some(path)
}

/// Something nobody has asked before.
pub(super) fn question() -> String {
    random_base62(22)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_at_a_database_that_is_not_there_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.sqlite");
        let url = format!("sqlite://{}", path.display());
        let Err(NoDatabase::Told(why)) = database(&url).await else {
            panic!("there is no database")
        };
        assert!(why.contains("none.sqlite"), "{why}");
        assert!(!path.exists());
        assert_eq!(file_of("postgres://host/db"), None);
        assert_eq!(file_of("sqlite::memory:"), None);
    }
}
