//! How fast contacts come in: contact, pair, ten tags, period, binding, history and the day's figures, from readings of
//! the platform; and how fast a reading that changes nothing goes through.
//!
//! `cargo bench --bench contacts -- --contacts 100000`, on a SQLite file of its own, or on what `BENCH_DATABASE_URL`
//! names. The product takes pages as a sync does, fifty a transaction. The limit writes the same rows into the same
//! tables, made ready beforehand: PostgreSQL by `COPY`, SQLite by statements of 128 rows. For what changes nothing it
//! joins what was read with what is there and notes that it was seen. Both fill from empty, one after the other, in
//! parts that alternate. Prints `question | size | database | product | limit | ratio | goal`.

mod parts;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use dianyu::contacts::{Reading, Shown};
use dianyu::db::{self, Db, Tx};
use dianyu::directory::{self, Corp, NewCorp};
use dianyu::ids::{AssociateId, ContactId, ExternalUserId, FollowId, Ids, StoreId, TagId, UserId};
use dianyu::scope::{Act, Actor};
use dianyu::seal::Sealer;
use dianyu::time::{Clock, DAY_MS, Timestamp};
use dianyu::wecom::contact::{ContactOfMember, ExternalContact, FollowUser};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sea_orm::Value;
use sea_orm::sqlx::{self, PgPool};

const TOGETHER: usize = 5_000;
const OF_AN_ASSOCIATE: usize = 240;
const ASSOCIATES_OF_A_STORE: usize = 20;
const TAGS: usize = 200;
const TAGS_EACH: usize = 10;

fn main() -> anyhow::Result<()> {
    let contacts = parts::number("--contacts", 100_000)? as usize;
    parts::two_cores()?.block_on(run(contacts))
}

async fn run(contacts: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::of(contacts);
    let ours = Side::open(&folder, "product", &world).await?;
    let bare = Side::open(&folder, "limit", &world).await?;
    let pages: Vec<Vec<ContactOfMember>> = (0..contacts)
        .collect::<Vec<_>>()
        .chunks(TOGETHER)
        .map(|part| part.iter().map(|contact| world.shown(*contact)).collect())
        .collect();
    println!("question | size | database | product | limit | ratio | goal");
    let database = ours.db_name();
    for (question, is_first) in [("contacts in", true), ("a reading that changes nothing", false)] {
        let (mut product, mut limit) = (Duration::ZERO, Duration::ZERO);
        for (number, page) in pages.iter().enumerate() {
            let began = Instant::now();
            let changed = ours.take(page).await?;
            product += began.elapsed();
            let rows = bare.rows(number * TOGETHER, page);
            let began = Instant::now();
            let written = if is_first {
                bare.write(rows).await?
            } else {
                bare.compare(rows).await?
            };
            limit += began.elapsed();
            anyhow::ensure!(
                changed == written,
                "the product changed {changed}, the limit {written}"
            );
        }
        let rate = |time: Duration| contacts as f64 / time.as_secs_f64();
        println!(
            "{question} | {contacts} | {database} | {:.0}/s | {:.0}/s | {:.2} | >= 0.7",
            rate(product),
            rate(limit),
            limit.as_secs_f64() / product.as_secs_f64()
        );
    }
    let (mine, theirs) = (ours.held().await?, bare.held().await?);
    anyhow::ensure!(mine == theirs, "the tables differ: {mine:?} and {theirs:?}");
    println!(
        "rows of each table: {mine:?}; memory: {}",
        parts::memory_of("self")
    );
    Ok(())
}

/// Who is shown, the same every time.
struct World {
    seed: u64,
    now: Timestamp,
    contacts: usize,
}

impl World {
    fn of(contacts: usize) -> Self {
        Self {
            seed: 7,
            now: Clock::System.now(),
            contacts,
        }
    }

    fn associates(&self) -> usize {
        self.contacts.div_ceil(OF_AN_ASSOCIATE)
    }

    fn stores(&self) -> usize {
        self.associates().div_ceil(ASSOCIATES_OF_A_STORE)
    }

    fn shown(&self, contact: usize) -> ContactOfMember {
        let mut random =
            StdRng::seed_from_u64(self.seed ^ (contact as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let letters: u128 = random.random();
        let back = random.random_range(0..365 * DAY_MS);
        let mut tags: Vec<usize> = Vec::with_capacity(TAGS_EACH);
        while tags.len() < TAGS_EACH {
            // The first tags are the common ones.
            let tag = random.random_range(0..TAGS).min(random.random_range(0..TAGS));
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        ContactOfMember {
            contact: ExternalContact {
                external_userid: ExternalUserId(format!("wm{letters:030x}")),
                name: format!("顾客 {contact}"),
                avatar: "http://wx.qlogo.cn/mmhead/0".to_owned(),
                kind: 1,
                gender: random.random_range(0..3),
                unionid: Some(format!("o{:026x}", letters >> 8)),
            },
            follow: FollowUser {
                userid: UserId(format!("guide{}", contact / OF_AN_ASSOCIATE)),
                remark: String::new(),
                description: String::new(),
                createtime: (self.now.0 - back) / 1_000,
                tag_ids: tags.iter().map(|tag| format!("et{tag}")).collect(),
                remark_mobiles: Vec::new(),
                add_way: 1,
                state: String::new(),
                oper_userid: String::new(),
            },
        }
    }
}

/// One database with directory and tags, and no contacts.
struct Side {
    db: Db,
    corp: Corp,
    ids: Ids,
    sealer: Sealer,
    tags: Vec<TagId>,
    /// Where a bulk copy goes: past the product's connections.
    pool: Option<PgPool>,
}

type Rows = Vec<(&'static str, &'static str, Vec<Vec<Value>>)>;

impl Side {
    async fn open(folder: &tempfile::TempDir, name: &str, world: &World) -> anyhow::Result<Self> {
        let schema = format!("bench_{name}_{}", dianyu::ids::random_base62(6).to_lowercase());
        let (db, pool) = match std::env::var("BENCH_DATABASE_URL") {
            Ok(url) => {
                let db = Db::connect_postgres(&url, Some(&schema)).await?;
                let options: sqlx::postgres::PgConnectOptions = url.parse().context("BENCH_DATABASE_URL")?;
                let options = options.options([("search_path", schema.as_str())]);
                (db, Some(PgPool::connect_with(options).await?))
            }
            Err(_) => {
                let url = format!("sqlite://{}/{name}.sqlite", folder.path().display());
                (Db::connect(&url).await?, None)
            }
        };
        db::migrate::up(&db, Clock::System.now()).await?;
        let ids = Ids::new(1, world.now);
        let key = dianyu::config::MasterKey::generate();
        let sealer = Sealer::new(&key);
        let tx = db.begin().await?;
        let act = Act {
            now: world.now,
            ids: &ids,
            by: Actor::System,
            sealer: &sealer,
        };
        let corp = NewCorp {
            corpid: "ww7d1a0c5e93b84f26".to_owned(),
            name: "bench".to_owned(),
            zone: chrono_tz::Asia::Shanghai,
            agent_id: 1_000_002,
            secret: "bench-secret".into(),
            callback_token: "BenchToken2026".into(),
            callback_aes_key: "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU".into(),
            link_hosts: vec!["shop.example.com".to_owned()],
            mini_store: None,
        };
        let corp = directory::add_corp(&tx, &act, &sealer, corp).await?;
        let tags = people(&tx, corp.0, world, &ids).await?;
        tx.commit().await?;
        let corp = directory::find_corp(&db, corp).await?;
        Ok(Self {
            db,
            corp,
            ids,
            sealer,
            tags,
            pool,
        })
    }

    fn db_name(&self) -> &'static str {
        if self.pool.is_some() {
            "PostgreSQL"
        } else {
            "SQLite"
        }
    }

    /// The product's way.
    async fn take(&self, page: &[ContactOfMember]) -> anyhow::Result<u64> {
        let read_at = Clock::System.now();
        let tx = self.db.begin().await?;
        let act = Act {
            now: read_at,
            ids: &self.ids,
            by: Actor::Platform,
            sealer: &self.sealer,
        };
        let shown: Vec<Shown<'_>> = page
            .iter()
            .map(|item| Shown {
                contact: &item.contact,
                follow: &item.follow,
                read_at,
            })
            .collect();
        let reading = Reading {
            corp: &self.corp,
            sealer: &self.sealer,
            read_at,
        };
        let mirrored = reading.of_pairs(&tx, &act, &shown).await?;
        tx.commit().await?;
        Ok(mirrored.changed)
    }

    /// The rows that a page makes, ready to be written.
    fn rows(&self, first: usize, page: &[ContactOfMember]) -> Rows {
        let (corp, now, zone) = (self.corp.id, Clock::System.now(), self.corp.zone);
        let mut contacts = Vec::new();
        let mut follows = Vec::new();
        let mut periods = Vec::new();
        let mut bindings = Vec::new();
        let mut timeline = Vec::new();
        let mut stores: std::collections::BTreeMap<(i64, String), i64> = std::collections::BTreeMap::new();
        let mut associates: std::collections::BTreeMap<(i64, i64, String), i64> =
            std::collections::BTreeMap::new();
        for (index, item) in page.iter().enumerate() {
            let associate = AssociateId(((first + index) / OF_AN_ASSOCIATE) as i64 + 1);
            let store = StoreId((associate.0 - 1) / ASSOCIATES_OF_A_STORE as i64 + 1);
            let contact = ContactId(self.ids.next(now));
            let at = Timestamp::from_seconds(item.follow.createtime);
            let day = at.day(zone).to_string();
            let person = &item.contact;
            contacts.push(dianyu::args![
                corp,
                contact,
                person.external_userid.0.clone(),
                person.unionid.clone(),
                person.name.clone(),
                person.avatar.clone(),
                person.kind,
                person.gender,
                None::<String>,
                None::<String>,
                store,
                now,
                now
            ]);
            let mut tags = String::from(" ");
            let mut carried: Vec<i64> = item
                .follow
                .tag_ids
                .iter()
                .filter_map(|tag| Some(self.tags[tag[2..].parse::<usize>().ok()?].0))
                .collect();
            carried.sort_unstable();
            for tag in carried {
                let _ = write!(tags, "{tag} ");
            }
            follows.push(dianyu::args![
                corp,
                FollowId(self.ids.next(now)),
                contact,
                associate,
                store,
                "active",
                "",
                "",
                1i64,
                "",
                tags,
                at,
                day.clone(),
                now
            ]);
            periods.push(dianyu::args![
                corp,
                FollowId(self.ids.next(now)),
                contact,
                associate,
                store,
                at,
                day.clone(),
                "scan"
            ]);
            bindings.push(dianyu::args![
                corp,
                contact,
                at,
                associate,
                at.plus_ms(30 * DAY_MS)
            ]);
            timeline.push(dianyu::args![
                corp,
                FollowId(self.ids.next(now)),
                contact,
                associate,
                store,
                at,
                day.clone(),
                "added",
                r#"{"kind":"added","cause":"scan","channel":""}"#
            ]);
            *stores.entry((store.0, day.clone())).or_default() += 1;
            *associates.entry((store.0, associate.0, day)).or_default() += 1;
        }
        let stores = stores
            .into_iter()
            .map(|((store, day), value)| dianyu::args![corp, store, day, "new_relations", value]);
        let associates = associates.into_iter().map(|((store, associate, day), value)| {
            dianyu::args![corp, store, associate, day, "new_relations", value]
        });
        vec![
            ("contact", CONTACT, contacts),
            ("follow", FOLLOW, follows),
            ("follow_period", PERIOD, periods),
            ("binding", BINDING, bindings),
            ("timeline", TIMELINE, timeline),
            (
                "store_day",
                "corp_id, store_id, day, code, value",
                stores.collect::<Vec<_>>(),
            ),
            (
                "associate_day",
                "corp_id, store_id, associate_id, day, code, value",
                associates.collect::<Vec<_>>(),
            ),
        ]
    }

    /// The limit's first load.
    async fn write(&self, rows: Rows) -> anyhow::Result<u64> {
        let mut pairs = 0;
        match &self.pool {
            Some(pool) => {
                let mut tx = pool.begin().await?;
                for (table, columns, rows) in rows {
                    let key = added_up(table);
                    if table == "follow" {
                        pairs = rows.len() as u64;
                    }
                    let into = if key.is_some() { "coming" } else { table };
                    if key.is_some() {
                        let make = format!("create temporary table coming (like {table}) on commit drop");
                        sqlx::raw_sql(sqlx::AssertSqlSafe(make)).execute(&mut *tx).await?;
                    }
                    let mut copy = tx
                        .copy_in_raw(&format!("copy {into} ({columns}) from stdin"))
                        .await?;
                    copy.send(copied(rows).into_bytes()).await?;
                    copy.finish().await?;
                    if let Some(key) = key {
                        let add = format!(
                            "insert into {table} ({columns}) select {columns} from coming
                             on conflict ({key}) do update set value = {table}.value + excluded.value;
                             drop table coming"
                        );
                        sqlx::raw_sql(sqlx::AssertSqlSafe(add)).execute(&mut *tx).await?;
                    }
                }
                tx.commit().await?;
            }
            None => {
                let tx = self.db.begin().await?;
                for (table, columns, rows) in rows {
                    let tail = added_up(table).map_or_else(String::new, |key| {
                        format!("on conflict ({key}) do update set value = {table}.value + excluded.value")
                    });
                    if table == "follow" {
                        pairs = rows.len() as u64;
                    }
                    let head = format!("insert into {table} ({columns})");
                    db::insert_many(&tx, &head, rows, &tail).await?;
                }
                tx.commit().await?;
            }
        }
        Ok(pairs)
    }

    /// The limit's look at what is there already; answers how many pairs differ.
    async fn compare(&self, rows: Rows) -> anyhow::Result<u64> {
        let corp = self.corp.id;
        let (people, pairs) = (&rows[0].2, &rows[1].2);
        let coming = people.iter().zip(pairs).map(|(person, pair)| {
            let mut row = vec![
                person[2].clone(),
                person[3].clone(),
                person[4].clone(),
                pair[3].clone(),
            ];
            row.extend([
                pair[6].clone(),
                pair[7].clone(),
                pair[9].clone(),
                pair[10].clone(),
            ]);
            row
        });
        let coming: Vec<Vec<Value>> = coming.collect();
        let make = "create temporary table coming (external_userid TEXT, unionid TEXT, name TEXT, associate_id BIGINT,
                      remark TEXT, description TEXT, channel TEXT, tags TEXT)";
        // A cross join is taken in this order by SQLite, too.
        let known = "create temporary table known as
            select f.id, c.name <> n.name or c.unionid <> n.unionid or f.remark <> n.remark
               or f.description <> n.description or f.channel <> n.channel or f.tags <> n.tags as differs
              from coming n cross join contact c cross join follow f
             where c.corp_id = $1 and c.external_userid = n.external_userid
               and f.corp_id = $1 and f.contact_id = c.id and f.associate_id = n.associate_id";
        let known = known.replace("$1", &corp.0.to_string());
        let differ = "select (select count(*) from coming) - (select count(*) from known where not differs)";
        let seen = "update follow set seen_at = $2 where corp_id = $1 and id in (select id from known)";
        let now = Clock::System.now();
        let differing = match &self.pool {
            Some(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{make} on commit drop")))
                    .execute(&mut *tx)
                    .await?;
                let mut copy = tx.copy_in_raw("copy coming from stdin").await?;
                copy.send(copied(coming).into_bytes()).await?;
                copy.finish().await?;
                sqlx::raw_sql(sqlx::AssertSqlSafe(known))
                    .execute(&mut *tx)
                    .await?;
                let differing: i64 = sqlx::query_scalar(differ).fetch_one(&mut *tx).await?;
                sqlx::query(seen)
                    .bind(corp.0)
                    .bind(now.0)
                    .execute(&mut *tx)
                    .await?;
                sqlx::raw_sql("drop table known").execute(&mut *tx).await?;
                tx.commit().await?;
                differing
            }
            None => {
                let tx = self.db.begin().await?;
                db::run(&tx, make, vec![]).await?;
                db::insert_many(&tx, "insert into coming", coming, "").await?;
                db::run(&tx, &known, vec![]).await?;
                let differing = db::count(&tx, differ, vec![]).await?;
                db::run(&tx, seen, dianyu::args![corp, now]).await?;
                db::run(&tx, "drop table known", vec![]).await?;
                db::run(&tx, "drop table coming", vec![]).await?;
                tx.commit().await?;
                differing
            }
        };
        Ok(differing as u64)
    }

    async fn held(&self) -> anyhow::Result<Vec<i64>> {
        let mut held = Vec::new();
        for table in [
            "contact",
            "follow",
            "follow_period",
            "binding",
            "timeline",
            "store_day",
            "associate_day",
        ] {
            held.push(db::count(&self.db, &format!("select count(*) from {table}"), vec![]).await?);
        }
        Ok(held)
    }
}

const CONTACT: &str = "corp_id, id, external_userid, unionid, name, avatar, kind, gender, phone_blind, phone_last4, \
                       home_store_id, created_at, updated_at";
const FOLLOW: &str = "corp_id, id, contact_id, associate_id, store_id, state, remark, description, add_way, channel, \
                      tags, added_at, added_day, seen_at";
const PERIOD: &str = "corp_id, id, contact_id, associate_id, store_id, from_at, from_day, from_cause";
const BINDING: &str = "corp_id, contact_id, from_at, associate_id, until_at";
const TIMELINE: &str = "corp_id, id, contact_id, associate_id, store_id, at, day, kind, detail";

/// What rows of a table of figures are one by.
fn added_up(table: &str) -> Option<&'static str> {
    match table {
        "store_day" => Some("corp_id, store_id, day, code"),
        "associate_day" => Some("corp_id, store_id, associate_id, day, code"),
        _ => None,
    }
}

/// Rows as `COPY` reads them; nothing in them needs escaping.
fn copied(rows: Vec<Vec<Value>>) -> String {
    let mut text = String::new();
    for row in rows {
        for (index, value) in row.into_iter().enumerate() {
            if index > 0 {
                text.push('\t');
            }
            match value {
                Value::BigInt(Some(number)) => {
                    let _ = write!(text, "{number}");
                }
                Value::String(Some(word)) => text.push_str(&word),
                _ => text.push_str("\\N"),
            }
        }
        text.push('\n');
    }
    text
}

/// Stores, associates and tags.
async fn people(tx: &Tx, corp: i64, world: &World, ids: &Ids) -> anyhow::Result<Vec<TagId>> {
    let long_ago = world.now.plus_ms(-500 * DAY_MS);
    let stores = (1..=world.stores() as i64).map(|store| {
        let (code, name) = (format!("S{store}"), format!("店 {store}"));
        dianyu::args![
            corp,
            store,
            code,
            name,
            1i64,
            "Asia/Shanghai",
            "open",
            store,
            long_ago
        ]
    });
    db::insert_many(
        tx,
        "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at)",
        stores.collect::<Vec<_>>(),
        "",
    )
    .await?;
    let store_of = |associate: i64| (associate - 1) / ASSOCIATES_OF_A_STORE as i64 + 1;
    let associates = (1..=world.associates() as i64).map(|associate| {
        let userid = format!("guide{}", associate - 1);
        dianyu::args![
            corp,
            associate,
            userid.clone(),
            userid,
            store_of(associate),
            "active",
            long_ago,
            world.now
        ]
    });
    db::insert_many(
        tx,
        "insert into associate (corp_id, id, userid, name, store_id, status, created_at, seen_at)",
        associates.collect::<Vec<_>>(),
        "",
    )
    .await?;
    let memberships = (1..=world.associates() as i64)
        .map(|associate| dianyu::args![corp, associate, long_ago, store_of(associate)]);
    db::insert_many(
        tx,
        "insert into store_membership (corp_id, associate_id, from_at, store_id)",
        memberships.collect::<Vec<_>>(),
        "",
    )
    .await?;
    let tags: Vec<TagId> = (0..TAGS).map(|_| TagId(ids.next(world.now))).collect();
    let rows = tags.iter().enumerate().map(|(index, tag)| {
        dianyu::args![
            corp,
            *tag,
            1i64,
            format!("et{index}"),
            format!("标签 {index}"),
            0i64,
            long_ago
        ]
    });
    db::insert_many(
        tx,
        "insert into tag (corp_id, id, group_id, platform_id, name, sort, created_at)",
        rows,
        "",
    )
    .await?;
    Ok(tags)
}
