//! The world and the platform around it: the simulator knows the same departments, members, customers and pairs, and
//! sends its callbacks to our door over HTTP. One clock for both.

use dianyu::api::callback;
use dianyu::ids::ExternalUserId;
use dianyu::jobs;
use dianyu::sandbox::{
    CorpSeed, Customer, Department, Member, Relation, Sandbox, SandboxOptions, Tag, TagGroup,
};
use dianyu::time::{Clock, DAY_MS};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::world::{CORPID, World, start};

pub struct Street {
    pub shop: World,
    pub sandbox: Sandbox,
    /// Where callbacks come in.
    pub url: String,
    /// Ends both servers with the street.
    _stop: DropGuard,
}

impl Street {
    pub async fn open() -> Self {
        let stop = CancellationToken::new();
        let clock = Clock::fixed(start());
        let options = SandboxOptions {
            clock: clock.clone(),
            seed: 7,
            data: None,
        };
        let sandbox = Sandbox::open(options).await.expect("the sandbox opens");
        sandbox.add_corp(seed());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (served, until) = (sandbox.clone(), stop.clone());
        tokio::spawn(async move { served.serve(listener, until).await });

        let shop = World::at_with(&base, clock).await;
        shop.tags().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!(
            "http://{}/wecom/{CORPID}/callback",
            listener.local_addr().expect("it is bound")
        );
        let (router, _) = callback::router(shop.app.clone());
        let until = stop.clone();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(until.cancelled_owned())
                .await
                .expect("it serves");
        });
        sandbox.set_callback(
            CORPID,
            &url,
            "SimToken2026",
            "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        );
        Self {
            shop,
            sandbox,
            url,
            _stop: stop.drop_guard(),
        }
    }

    /// Lets callbacks arrive and every job that is due run.
    pub async fn settle(&self) {
        self.sandbox.callbacks_settled().await;
        jobs::settle(&self.shop.app).await;
        assert_eq!(
            self.shop
                .number("select count(*) from job where state = 'dead'")
                .await,
            0
        );
    }

    pub fn after(&self, ms: i64) {
        self.shop.app.clock.advance(ms);
    }

    /// Somebody who may come by.
    pub fn passer_by(&self, external_userid: &str) -> ExternalUserId {
        let customer = Customer {
            external_userid: external_userid.into(),
            name: "晴天".into(),
            unionid: format!("o{external_userid}"),
            ..Customer::default()
        };
        self.sandbox
            .add_customer(CORPID, customer)
            .expect("a new customer");
        external_userid.into()
    }

    pub fn calls_of(&self, api: &str) -> usize {
        self.sandbox
            .ledger()
            .iter()
            .filter(|entry| entry.api == api)
            .count()
    }
}

/// The world's people as the platform has them.
/// The corp as the platform has it to begin with.
pub fn seed() -> CorpSeed {
    let department = |(id, parentid, name): (i64, i64, &str)| Department {
        id,
        name: name.into(),
        parentid,
        order: 0,
    };
    let member = |(userid, name, department): (&str, &str, i64)| Member {
        userid: userid.into(),
        name: name.into(),
        department: vec![department],
        ..Member::default()
    };
    let customer = |number: i64| Customer {
        external_userid: format!("wmSim{number}"),
        name: format!("客户{number}"),
        gender: 2,
        unionid: format!("union{number}"),
        ..Customer::default()
    };
    let relation = |(number, userid): (i64, &str)| Relation {
        userid: userid.into(),
        external_userid: format!("wmSim{number}"),
        createtime: start().plus_ms(-30 * DAY_MS).seconds(),
        add_way: 1,
        ..Relation::default()
    };
    let pairs = [
        (101, "li"),
        (102, "li"),
        (103, "li"),
        (104, "li"),
        (105, "wu"),
        (106, "wu"),
        (107, "zhao"),
        (108, "zhao"),
        (109, "zhao"),
        (110, "qian"),
        (111, "qian"),
        (112, "sun"),
        (101, "zhao"),
    ];
    let tag = |(id, name, order): (&str, &str, i64)| Tag {
        id: id.into(),
        name: name.into(),
        order,
        ..Tag::default()
    };
    CorpSeed {
        corpid: CORPID.into(),
        name: "禾与 HEYU".into(),
        secret: "sandbox-secret".into(),
        agent_id: 1_000_002,
        departments: [
            (1, 0, "禾与"),
            (11, 1, "华东"),
            (12, 1, "华北"),
            (21, 11, "静安嘉里店"),
            (22, 11, "杭州湖滨店"),
            (23, 12, "北京三里屯店"),
        ]
        .map(department)
        .to_vec(),
        members: [
            ("li", "李晓雯", 21),
            ("wu", "吴桐", 21),
            ("zhao", "赵颖", 22),
            ("qian", "钱薇", 23),
            ("sun", "孙蕾", 23),
        ]
        .map(member)
        .to_vec(),
        customers: (101..=112).map(customer).collect(),
        relations: pairs.map(relation).to_vec(),
        tag_groups: vec![TagGroup {
            group_id: "etLevel".into(),
            group_name: "会员等级".into(),
            order: 1,
            tags: [("etGold", "金卡", 2), ("etSilver", "银卡", 1)].map(tag).to_vec(),
            ..TagGroup::default()
        }],
    }
}
