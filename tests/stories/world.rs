//! A small known world: one corp, two regions, three stores, five associates, a dozen contacts.
//!
//! Ids are small numbers, so a story can name them: regions 11 (east) and 12 (north); stores 21 (east, code S1),
//! 22 (east, S2), 23 (north, S3); associates 31 `li` and 32 `wu` in store 21, 33 `zhao` in 22, 34 `qian` and 35 `sun`
//! in 23; contacts 101–112, of whom 101–104 follow `li`, 105–106 `wu`, 107–109 `zhao`, 110–111 `qian`, 112 `sun`;
//! contact 101 is also followed by `zhao`. The clock stands at 2026-11-23 10:00 in Shanghai.

use dianyu::app::App;
use dianyu::cache::Cache;
use dianyu::config::Config;
use dianyu::db::{Conn, Db, Tx, migrate};
use dianyu::ids::{AssociateId, ContactId, CorpId, Ids, StoreId};
use dianyu::scope::{Act, Actor, Reach, Scope};
use dianyu::time::{Clock, Timestamp};
use sea_orm::ConnectionTrait;

pub const CORPID: &str = "ww1a2b3c4d5e6f7a8b";
/// The corp's clock.
pub const ZONE: chrono_tz::Tz = chrono_tz::Asia::Shanghai;
pub const NOW: &str = "2026-11-23T10:00:00+08:00";

pub struct World {
    pub app: App,
    pub corp: CorpId,
    /// Holds the SQLite file; gone with the world.
    _folder: tempfile::TempDir,
}

impl World {
    /// The world described above, with nothing sold and nothing sent.
    pub async fn open() -> Self {
        Self::at("http://127.0.0.1:1").await
    }

    /// The same, with the platform at `wecom_base_url`.
    pub async fn at(wecom_base_url: &str) -> Self {
        Self::at_with(wecom_base_url, Clock::fixed(start())).await
    }

    /// The same, on a clock that somebody else reads too.
    pub async fn at_with(wecom_base_url: &str, clock: Clock) -> Self {
        Self::kept_in(
            tempfile::tempdir().expect("a temporary folder"),
            wecom_base_url,
            clock,
        )
        .await
    }

    /// The same, with SQLite's file in this folder.
    pub async fn kept_in(folder: tempfile::TempDir, wecom_base_url: &str, clock: Clock) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let db = database(&folder).await;
        migrate::up(&db, start()).await.expect("migrations apply");
        let mut config = config(wecom_base_url);
        config.data_dir = Some(folder.path().to_path_buf());
        let cache = match std::env::var("TEST_REDIS_URL") {
            Ok(url) => Cache::redis(&url, &unique_name()).await.expect("Redis answers"),
            Err(_) => Cache::memory(),
        };
        let app = App::new(config, db, cache, clock, Ids::new(1, Timestamp(0)));
        let world = Self {
            app,
            corp: CorpId(1),
            _folder: folder,
        };
        world.furnish().await;
        world
    }

    pub fn now(&self) -> Timestamp {
        self.app.now()
    }

    pub fn act(&self) -> Act<'_> {
        self.app.act(Actor::System)
    }

    pub fn whole(&self) -> Scope {
        Scope::whole(self.corp)
    }

    pub fn of_store(&self, store: i64) -> Scope {
        Scope {
            corp: self.corp,
            reach: Reach::Stores(vec![StoreId(store)]),
        }
    }

    pub fn of_associate(&self, associate: i64) -> Scope {
        Scope {
            corp: self.corp,
            reach: Reach::Own(AssociateId(associate)),
        }
    }

    /// Runs a statement as it stands, on the writing connection.
    pub async fn run(&self, sql: &str) {
        let tx = self.begin().await;
        tx.raw()
            .execute_unprepared(sql)
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        // No verb did this, so nobody knows whose facts it changed.
        tx.note_all(self.corp);
        tx.commit().await.expect("it commits");
    }

    pub async fn begin(&self) -> Tx {
        self.app.db.begin().await.expect("a transaction begins")
    }

    /// A number the database answers: `select count(*) …`.
    pub async fn number(&self, sql: &str) -> i64 {
        dianyu::db::scalar::<i64>(&self.app.db, sql, vec![])
            .await
            .unwrap_or_else(|error| panic!("{error}: {sql}"))
            .unwrap_or(0)
    }

    async fn furnish(&self) {
        let key = |place: &str, secret: &str| self.app.sealer.seal(&format!("1|corp|{place}|1"), secret);
        self.run(&format!(
            "insert into corp (id, corpid, name, zone, agent_id, secret_sealed, callback_token_sealed, callback_key_sealed,
               quota_mode, approval_over, link_hosts, mini_store, status, created_at)
             values (1, '{CORPID}', '禾与 HEYU', 'Asia/Shanghai', 1000002, '{}', '{}', '{}', 'month_days', null,
               'shop.example.com', '{{\"kind\":\"web\",\"url\":\"https://shop.example.com/home\"}}', 'active', 0)",
            key("secret_sealed", "sandbox-secret"),
            key("callback_token_sealed", "SimToken2026"),
            key("callback_key_sealed", "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU"),
        ))
        .await;
        self.run(
            "insert into region (corp_id, id, name, department_id) values (1, 11, '华东', 11), (1, 12, '华北', 12)",
        )
        .await;
        self.run(
            "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at) values
             (1, 21, 'S1', '静安嘉里店', 11, 'Asia/Shanghai', 'open', 21, 0),
             (1, 22, 'S2', '杭州湖滨店', 11, 'Asia/Shanghai', 'open', 22, 0),
             (1, 23, 'S3', '北京三里屯店', 12, 'Asia/Shanghai', 'open', 23, 0)",
        )
        .await;
        let associates = [
            (31, "li", "李晓雯", 21),
            (32, "wu", "吴桐", 21),
            (33, "zhao", "赵颖", 22),
            (34, "qian", "钱薇", 23),
            (35, "sun", "孙蕾", 23),
        ];
        for (id, userid, name, store) in associates {
            self.run(&format!(
                "insert into associate (corp_id, id, userid, name, store_id, status, created_at, left_at, seen_at)
                 values (1, {id}, '{userid}', '{name}', {store}, 'active', 0, null, 0)"
            ))
            .await;
            self.run(&format!(
                "insert into store_membership (corp_id, associate_id, from_at, store_id, until_at) values (1, {id}, 0, {store}, null)"
            ))
            .await;
        }
        let follows = [
            (101, 31, 21),
            (102, 31, 21),
            (103, 31, 21),
            (104, 31, 21),
            (105, 32, 21),
            (106, 32, 21),
            (107, 33, 22),
            (108, 33, 22),
            (109, 33, 22),
            (110, 34, 23),
            (111, 34, 23),
            (112, 35, 23),
            (101, 33, 22),
        ];
        for (contact, associate, store) in follows {
            self.run(&format!(
                "insert into contact (corp_id, id, external_userid, unionid, name, avatar, kind, gender, home_store_id, created_at, updated_at)
                 values (1, {contact}, 'wmSim{contact}', 'union{contact}', '客户{contact}', '', 1, 2, {store}, 0, 0)
                 on conflict do nothing"
            ))
            .await;
            let added = start().plus_ms(-30 * dianyu::time::DAY_MS).0;
            self.run(&format!(
                "insert into follow (corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, tags, added_at, added_day, seen_at)
                 values (1, {contact}{associate}, {contact}, {associate}, {store}, 'active', '', '', 1, '', ' ', {added}, '2026-10-24', 0)"
            ))
            .await;
            self.run(&format!(
                "insert into follow_period (corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause)
                 values (1, {contact}{associate}, {contact}, {associate}, {store}, {added}, '2026-10-24', 'scan')"
            ))
            .await;
        }
    }
}

pub fn contact(number: i64) -> ContactId {
    ContactId(number)
}

pub fn start() -> Timestamp {
    Timestamp::parse(NOW).expect("the start is a time")
}

fn config(wecom_base_url: &str) -> Config {
    let base = wecom_base_url.to_owned();
    Config::read(None, |name| match name {
        "DIANYU_MASTER_KEY" => Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
        "DIANYU_WECOM_BASE_URL" | "DIANYU_WECOM_OAUTH_URL" | "DIANYU_WECOM_LOGIN_URL" => Some(base.clone()),
        "DIANYU_PUBLIC_URL" => Some("http://127.0.0.1:8080".into()),
        _ => None,
    })
    .expect("the settings are right")
}

async fn database(folder: &tempfile::TempDir) -> Db {
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => Db::connect_postgres(&url, Some(&unique_name()))
            .await
            .expect("PostgreSQL answers"),
        Err(_) => Db::connect(&format!("sqlite://{}/world.sqlite", folder.path().display()))
            .await
            .expect("SQLite opens"),
    }
}

fn unique_name() -> String {
    format!("world_{}", dianyu::ids::random_base62(12).to_lowercase())
}
