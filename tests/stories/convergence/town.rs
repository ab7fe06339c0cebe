//! The place where histories happen: one simulator, one product, a corp a history, one clock.

use std::collections::{BTreeMap, BTreeSet};

use dianyu::app::App;
use dianyu::contacts::inbox::{self, Arrived};
use dianyu::ids::CorpId;
use dianyu::jobs;
use dianyu::sandbox::{
    CorpSeed, Customer, Delivery, Department, Knobs, Member, Sandbox, SandboxOptions, Tag, TagGroup,
};
use dianyu::scope::Actor;
use dianyu::sync::{self, Kind};
use dianyu::time::{Clock, DAY_MS, Timestamp};
use dianyu::wecom::callback::{Event, read_event};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::world::{World, start};

/// Of 100 callbacks.
const LOST: u32 = 10;
const DOUBLED: u32 = 10;
const LATE: u32 = 20;

pub struct Town {
    pub shop: World,
    pub sandbox: Sandbox,
    _stop: DropGuard,
}

/// One corp and what happened in it.
pub struct History {
    pub seed: u64,
    pub corp: CorpId,
    pub corpid: String,
    pub chance: StdRng,
    log: Vec<String>,
    /// Callbacks on their way: the step in which they arrive.
    underway: BTreeMap<(usize, usize), String>,
    sent: usize,
    /// Pairs (member, customer) whose customer deleted the member, and we were told.
    pub known_lost: BTreeSet<(String, String)>,
    problems: Vec<String>,
}

impl Town {
    pub async fn open() -> Self {
        let clock = Clock::fixed(start());
        let options = SandboxOptions {
            clock: clock.clone(),
            seed: 7,
            data: None,
        };
        let sandbox = Sandbox::open(options).await.unwrap();
        let stop = CancellationToken::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (served, until) = (sandbox.clone(), stop.clone());
        tokio::spawn(async move { served.serve(listener, until).await });
        // In memory where the system offers it: what is proven here has nothing to do with disks.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            shop: World::kept_in(folder.unwrap(), &base, clock).await,
            sandbox,
            _stop: stop.drop_guard(),
        }
    }

    pub fn app(&self) -> &App {
        &self.shop.app
    }

    pub fn after(&self, ms: i64) {
        self.app().clock.advance(ms);
    }

    /// A batch has its own day, so that it is the same whatever went before.
    pub fn begin(&self, batch: u64, lag_ms: i64) {
        let day = start().plus_ms(batch as i64 * DAY_MS);
        self.after(day.0 - self.app().now().0);
        self.sandbox.set_knobs(Knobs {
            read_lag_ms: lag_ms,
            group_lag_ms: lag_ms,
            ..Knobs::default()
        });
    }

    /// Founds a corp a seed, there and here alike: two stores, three associates, four customers whom nobody knows yet.
    pub async fn found(&self, seeds: &[u64]) -> Vec<History> {
        let histories: Vec<History> = seeds.iter().map(|seed| History::new(*seed)).collect();
        let mut rows = Vec::new();
        for history in &histories {
            self.sandbox.add_corp(seed_of(&history.corpid));
            rows.extend(rows_of(history, self.app()));
        }
        self.shop.run(&rows.join(";\n")).await;
        histories
    }

    /// Decides what becomes of the callbacks of the last acts, and lets those in whose time has come.
    pub async fn deliver(&self, histories: &mut [History], step: usize) {
        self.sandbox.callbacks_settled().await;
        let news = self.sandbox.take_callbacks();
        let mut arrived = Vec::new();
        for history in histories {
            let of_this = |callback: &&Delivery| callback.corpid == history.corpid;
            for callback in news.iter().filter(of_this).collect::<Vec<_>>() {
                history.send(&callback.xml, step);
            }
            let due: Vec<_> = history
                .underway
                .range(..=(step, usize::MAX))
                .map(|(key, _)| *key)
                .collect();
            for key in due {
                let body = history.underway.remove(&key).unwrap();
                arrived.push(Arrived {
                    corp: history.corp,
                    body,
                    received_at: self.app().now(),
                });
            }
        }
        inbox::keep(&self.app().db, &arrived).await.unwrap();
    }

    pub async fn settle(&self) {
        jobs::settle_corps(self.app()).await;
    }

    /// Starts a sync of every corp; settling works on it.
    pub async fn sweep(&self, histories: &[History]) {
        let tx = self.shop.begin().await;
        let act = self.app().act(Actor::System);
        for history in histories {
            sync::start(&tx, &act, history.corp, Kind::Nightly).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Looks that wait do not come: what follows must do without them.
    pub async fn forget_looks(&self) {
        self.shop.run("delete from job").await;
    }
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            corp: CorpId(1_000 + seed as i64),
            corpid: format!("wwHistory{seed:08}"),
            chance: StdRng::seed_from_u64(seed),
            log: Vec::new(),
            underway: BTreeMap::new(),
            sent: 0,
            known_lost: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    pub fn note(&mut self, now: Timestamp, what: &str) {
        let second = (now.0 - start().0).rem_euclid(DAY_MS) as f64 / 1_000.0;
        self.log.push(format!("  {second:>8.3} s  {what}"));
    }

    pub fn is_wrong(&mut self, what: String) {
        self.problems.push(what);
    }

    /// The sentence about a history that went wrong.
    pub fn wrong(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| {
            format!(
                "history {} (DIANYU_HISTORY={}):\n{}\n{}",
                self.seed,
                self.seed,
                self.log.join("\n"),
                self.problems.join("\n")
            )
        })
    }

    fn is_chosen(&mut self, percent: u32) -> bool {
        self.chance.random_range(0..100) < percent
    }

    /// A callback is lost, comes twice, comes late, or comes.
    fn send(&mut self, xml: &str, step: usize) {
        let (is_lost, is_doubled, is_late) = (
            self.is_chosen(LOST),
            self.is_chosen(DOUBLED),
            self.is_chosen(LATE),
        );
        let late = if is_late {
            self.chance.random_range(1..5)
        } else {
            0
        };
        let again = self.chance.random_range(0..4);
        let event = read_event(xml).expect("an event that can be read").event;
        let fate = match (is_lost, is_late, is_doubled) {
            (true, ..) => "lost".to_owned(),
            (_, _, true) => format!("{late} steps late, and {again} steps after that"),
            _ => format!("{late} steps late"),
        };
        self.log.push(format!("               {event:?}: {fate}"));
        if let Event::ContactLost {
            userid,
            external_userid,
        } = event
        {
            let pair = (userid.folded().0, external_userid.0);
            if is_lost {
                self.known_lost.remove(&pair);
            } else {
                self.known_lost.insert(pair);
            }
        }
        if is_lost {
            return;
        }
        let first = step.saturating_add(late);
        let times = [Some(first), is_doubled.then(|| first.saturating_add(again))];
        for at in times.into_iter().flatten() {
            self.sent += 1;
            self.underway.insert((at, self.sent), xml.to_owned());
        }
    }
}

pub const MEMBERS: [(&str, &str, i64); 3] = [("li", "李晓雯", 21), ("wu", "吴桐", 21), ("zhao", "赵颖", 22)];

fn seed_of(corpid: &str) -> CorpSeed {
    let department = |(id, parentid, name): (i64, i64, &str)| Department {
        id,
        parentid,
        name: name.into(),
        order: 0,
    };
    // The console welcomes the customers: codes for a welcome have nothing to do with the mirror.
    let member = |(userid, name, department): (&str, &str, i64)| Member {
        userid: userid.into(),
        name: name.into(),
        department: vec![department],
        has_console_welcome: true,
        ..Member::default()
    };
    let customer = |number: i64| Customer {
        external_userid: format!("wm{number}"),
        name: format!("客户{number}"),
        unionid: format!("o{corpid}{number}"),
        ..Customer::default()
    };
    let tag = |(id, name): (&str, &str)| Tag {
        id: id.into(),
        name: name.into(),
        ..Tag::default()
    };
    CorpSeed {
        corpid: corpid.into(),
        name: corpid.into(),
        secret: "sandbox-secret".into(),
        agent_id: 1_000_002,
        departments: [(1, 0, "禾与"), (21, 1, "一店"), (22, 1, "二店")]
            .map(department)
            .to_vec(),
        members: MEMBERS.map(member).to_vec(),
        customers: (1..=4).map(customer).collect(),
        relations: vec![],
        tag_groups: vec![TagGroup {
            group_id: "etLevel".into(),
            group_name: "等级".into(),
            tags: [("etGold", "金卡"), ("etSilver", "银卡")].map(tag).to_vec(),
            ..TagGroup::default()
        }],
    }
}

/// The same as the mirror has it: a corp that was synced long ago.
fn rows_of(history: &History, app: &App) -> Vec<String> {
    let (corp, corpid) = (history.corp, &history.corpid);
    let sealed =
        |column: &str, secret: &str| app.sealer.seal(&format!("{corp}|corp|{column}|{corp}"), secret);
    let members: Vec<String> = (31..)
        .zip(MEMBERS)
        .map(|(id, (userid, name, store))| {
            format!("({corp}, {id}, '{userid}', '{name}', {store}, 'active', 0, null, 0)")
        })
        .collect();
    let places: Vec<String> = (31..)
        .zip(MEMBERS)
        .map(|(id, (_, _, store))| format!("({corp}, {id}, 0, {store}, null)"))
        .collect();
    vec![
        format!(
            "insert into corp (id, corpid, name, zone, agent_id, secret_sealed, callback_token_sealed,
               callback_key_sealed, quota_mode, approval_over, link_hosts, mini_store, status, created_at)
             values ({corp}, '{corpid}', '{corpid}', 'Asia/Shanghai', 1000002, '{}', '{}', '{}', 'month_days', null,
               'shop.example.com', '{{\"kind\":\"web\",\"url\":\"https://shop.example.com/home\"}}', 'active', 0)",
            sealed("secret_sealed", "sandbox-secret"),
            sealed("callback_token_sealed", "SimToken2026"),
            sealed("callback_key_sealed", "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU"),
        ),
        format!(
            "insert into department (corp_id, id, parent_id, name, sort, seen_at) values ({corp}, 1, 0, '禾与', 0, 0),
             ({corp}, 21, 1, '一店', 0, 0), ({corp}, 22, 1, '二店', 0, 0)"
        ),
        format!("insert into region (corp_id, id, name, department_id) values ({corp}, 11, '禾与', 1)"),
        format!(
            "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at) values
             ({corp}, 21, 'D21', '一店', 11, 'Asia/Shanghai', 'open', 21, 0),
             ({corp}, 22, 'D22', '二店', 11, 'Asia/Shanghai', 'open', 22, 0)"
        ),
        format!(
            "insert into associate (corp_id, id, userid, name, store_id, status, created_at, left_at, seen_at) values {}",
            members.join(", ")
        ),
        format!(
            "insert into store_membership (corp_id, associate_id, from_at, store_id, until_at) values {}",
            places.join(", ")
        ),
        format!(
            "insert into tag_group (corp_id, id, platform_id, name, sort, created_at, deleted_at)
             values ({corp}, 50, 'etLevel', '等级', 0, 0, null)"
        ),
        format!(
            "insert into tag (corp_id, id, group_id, platform_id, name, sort, created_at, deleted_at) values
             ({corp}, 51, 50, 'etGold', '金卡', 0, 0, null), ({corp}, 52, 50, 'etSilver', '银卡', 0, 0, null)"
        ),
    ]
}
