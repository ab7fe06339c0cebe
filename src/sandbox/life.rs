//! Life for the demo: people come, confirm, look, buy, send back, like and leave, at a believable pace.
//!
//! Everything the product learns it learns over HTTP: callbacks from the platform's side, clicks and orders from the
//! store's. One agenda, one deed at a time; a deed that fails is logged and life goes on.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Sandbox;
use super::shop::{Line, MiniStore, Product, Sale, Teller, buyer_of, tracked_code};
use super::world::{Corp, Customer, Standing};

pub struct LifeOptions {
    pub product_url: String,
    /// A key that may write orders and clicks.
    pub api_key: String,
    pub corpid: String,
    /// Which store a member belongs to: userid to store code.
    pub stores: HashMap<String, String>,
    pub products: Vec<Product>,
    /// 1.0 is the demo's: a new contact about every 20 s. 2.0 is twice as fast.
    pub pace: f64,
    pub seed: u64,
    pub stop: CancellationToken,
}

/// Orders remembered for refunds.
const ORDERS_KEPT: usize = 200;
/// Messages remembered for those who look at them late.
const LINKS_KEPT: usize = 200;

#[derive(Debug, Clone)]
enum Deed {
    Arrive,
    Confirm,
    Publish,
    Leave,
    BuyAtTill,
    BuyUnasked,
    SendBack,
    LookAgain,
    Open(Seen),
    Buy(Visit),
    Like(Post),
    Comment(Post),
}

/// A message or a post with a link that somebody saw.
#[derive(Debug, Clone)]
struct Seen {
    customer: String,
    member: String,
    code: String,
}

/// Somebody in the store; by which link, if by one.
#[derive(Debug, Clone)]
struct Visit {
    customer: String,
    member: String,
    token: Option<String>,
}

#[derive(Debug, Clone)]
struct Post {
    moment_id: String,
    member: String,
    customer: String,
}

/// What happens over and over: seconds between, at least and at most.
const HABITS: [(Deed, u64, u64); 8] = [
    (Deed::Arrive, 12, 26),
    (Deed::Confirm, 3, 6),
    (Deed::Publish, 5, 10),
    (Deed::LookAgain, 7, 15),
    (Deed::BuyAtTill, 12, 28),
    (Deed::BuyUnasked, 25, 60),
    (Deed::SendBack, 50, 110),
    (Deed::Leave, 45, 100),
];

struct Life {
    sandbox: Sandbox,
    corpid: String,
    stores: HashMap<String, String>,
    products: Vec<Product>,
    pace: f64,
    teller: Teller,
    rng: StdRng,
    agenda: BTreeMap<(Instant, u64), Deed>,
    noted: u64,
    clicks: u64,
    orders: VecDeque<(String, i64)>,
    links: VecDeque<Seen>,
}

/// Lives until `stop`.
pub async fn live(sandbox: Sandbox, options: LifeOptions) {
    let teller = match Teller::new(&options.product_url, &options.api_key) {
        Ok(teller) => teller,
        Err(error) => return tracing::error!(error = format!("{error:#}"), "nothing lives in the sandbox"),
    };
    let store = MiniStore {
        product_url: options.product_url,
        api_key: options.api_key,
        stores: options.stores.clone(),
        products: options.products.clone(),
    };
    sandbox.set_mini_store(&options.corpid, store);
    let mut life = Life {
        sandbox,
        corpid: options.corpid,
        stores: options
            .stores
            .into_iter()
            .map(|(userid, store)| (userid.to_lowercase(), store))
            .collect(),
        products: options.products,
        pace: options.pace.max(0.01),
        teller,
        rng: StdRng::seed_from_u64(options.seed),
        agenda: BTreeMap::new(),
        noted: 0,
        clicks: 0,
        orders: VecDeque::new(),
        links: VecDeque::new(),
    };
    life.remember_past();
    for (deed, at_least, _) in HABITS {
        life.note(at_least, at_least + 2, deed);
    }
    options.stop.run_until_cancelled(life.go_on()).await;
}

impl Life {
    async fn go_on(&mut self) {
        while let Some(((due, _), deed)) = self.agenda.pop_first() {
            tokio::time::sleep_until(due).await;
            let habit = HABITS
                .iter()
                .find(|(habit, ..)| std::mem::discriminant(habit) == std::mem::discriminant(&deed));
            if let Some((habit, at_least, at_most)) = habit {
                self.note(*at_least, *at_most, habit.clone());
            }
            let what = format!("{deed:?}");
            if let Err(error) = self.do_one(deed).await {
                tracing::warn!(deed = what, error = format!("{error:#}"), "life: a deed failed");
            }
        }
    }

    /// Puts a deed on the agenda, so many seconds ahead (at pace 1).
    fn note(&mut self, at_least: u64, at_most: u64, deed: Deed) {
        let ms = self
            .rng
            .random_range(at_least * 1_000..=at_most.max(at_least) * 1_000);
        let ahead = Duration::from_secs_f64(ms as f64 / 1_000.0 / self.pace);
        self.noted += 1;
        self.agenda.insert((Instant::now() + ahead, self.noted), deed);
    }

    async fn do_one(&mut self, deed: Deed) -> anyhow::Result<()> {
        match deed {
            Deed::Arrive => self.arrive(),
            Deed::Confirm => self.confirm(),
            Deed::Publish => self.publish(),
            Deed::Leave => self.leave(),
            Deed::BuyAtTill => self.buy_at_till().await,
            Deed::BuyUnasked => self.buy_unasked().await,
            Deed::SendBack => self.send_back().await,
            Deed::LookAgain => {
                let again = self
                    .links
                    .iter()
                    .collect::<Vec<_>>()
                    .choose(&mut self.rng)
                    .map(|seen| (*seen).clone());
                match again {
                    Some(seen) => self.open(seen).await,
                    None => Ok(()),
                }
            }
            Deed::Open(seen) => self.open(seen).await,
            Deed::Buy(visit) => self.buy(visit).await,
            Deed::Like(post) => {
                self.sandbox
                    .customer_likes(&self.corpid, &post.moment_id, &post.member, &post.customer)
            }
            Deed::Comment(post) => {
                self.sandbox
                    .customer_comments(&self.corpid, &post.moment_id, &post.member, &post.customer)
            }
        }
    }

    /// Messages of an earlier run are looked at again too.
    fn remember_past(&mut self) {
        let past = self.sandbox.with_corp(&self.corpid, |corp, _| {
            let sent = corp
                .broadcast_tasks
                .values()
                .rev()
                .filter(|task| task.sent_at.is_some())
                .take(LINKS_KEPT);
            Ok(sent
                .filter_map(|task| first_reached(corp, task))
                .collect::<VecDeque<Seen>>())
        });
        self.links = past.unwrap_or_default();
    }

    fn arrive(&mut self) -> anyhow::Result<()> {
        let Some(member) = self.some_member() else {
            return Ok(());
        };
        let name = new_name(&mut self.rng);
        let gender = self.rng.random_range(1..=2);
        let store = self.stores.get(&member).cloned().unwrap_or_default();
        let door = ["cashier", "fitting", "parcel"]
            .choose(&mut self.rng)
            .unwrap_or(&"cashier");
        let customer = self.sandbox.with_corp(&self.corpid, |corp, _| {
            let customer = Customer {
                external_userid: corp.new_id("wm", 32),
                unionid: corp.new_id("oSim", 28),
                name,
                gender,
                ..Customer::default()
            };
            let id = customer.external_userid.clone();
            corp.put_customer(customer);
            Ok(id)
        })?;
        self.sandbox
            .scan(&self.corpid, &customer, &member, &format!("{store}_{door}"))?;
        if self.rng.random_bool(0.3) {
            self.note(
                20,
                90,
                Deed::Buy(Visit {
                    customer,
                    member,
                    token: None,
                }),
            );
        }
        Ok(())
    }

    fn confirm(&mut self) -> anyhow::Result<()> {
        let Some((msgid, member)) = self.sandbox.waiting_broadcasts(&self.corpid).into_iter().next() else {
            return Ok(());
        };
        let confirmed = self
            .sandbox
            .member_confirms_broadcast(&self.corpid, &msgid, &member)?;
        if let Some(code) = tracked_code(&confirmed.message) {
            self.interest(&confirmed.reached, &member, &code);
        }
        Ok(())
    }

    /// Some of those who got a link open it, soon or later.
    fn interest(&mut self, reached: &[String], member: &str, code: &str) {
        let most = (reached.len() / 8).clamp(1, 5);
        let some: Vec<String> = reached.sample(&mut self.rng, most).cloned().collect();
        for customer in some {
            let seen = Seen {
                customer,
                member: member.to_owned(),
                code: code.to_owned(),
            };
            if self.links.len() == LINKS_KEPT {
                self.links.pop_front();
            }
            self.links.push_back(seen.clone());
            self.note(2, 40, Deed::Open(seen));
        }
    }

    fn publish(&mut self) -> anyhow::Result<()> {
        let Some((moment_id, member)) = self.sandbox.waiting_moments(&self.corpid).into_iter().next() else {
            return Ok(());
        };
        let visible = self
            .sandbox
            .member_publishes_moment(&self.corpid, &moment_id, &member)?;
        let message = self.sandbox.with_corp(&self.corpid, |corp, _| {
            Ok(corp.moments.get(&moment_id).map(|moment| moment.message.clone()))
        })?;
        if let Some(code) = message.as_ref().and_then(tracked_code) {
            self.interest(&visible, &member, &code);
        }
        let most = (visible.len() / 6).min(8);
        let some: Vec<String> = visible.sample(&mut self.rng, most).cloned().collect();
        for customer in some {
            let post = Post {
                moment_id: moment_id.clone(),
                member: member.clone(),
                customer,
            };
            if self.rng.random_bool(0.25) {
                self.note(10, 90, Deed::Comment(post.clone()));
            }
            self.note(3, 60, Deed::Like(post));
        }
        Ok(())
    }

    fn leave(&mut self) -> anyhow::Result<()> {
        let Some((member, customer)) = self.some_pair()? else {
            return Ok(());
        };
        if self.rng.random_bool(0.9) {
            self.sandbox.customer_deletes(&self.corpid, &customer, &member)
        } else {
            self.sandbox.member_deletes(&self.corpid, &member, &customer)
        }
    }

    /// Opens the link as a browser, and the store names the visitor.
    async fn open(&mut self, seen: Seen) -> anyhow::Result<()> {
        let Some(token) = self.teller.open(&seen.code).await? else {
            return Ok(());
        };
        let unionid = self.sandbox.with_corp(&self.corpid, |corp, _| {
            Ok(corp
                .customers
                .get(&seen.customer)
                .map(|customer| customer.unionid.clone()))
        })?;
        if let Some(unionid) = unionid {
            self.teller.click(&seen.code, &token, &unionid).await?;
        }
        self.clicks += 1;
        // The first visitor buys, so that a demo has its order within minutes.
        if self.clicks == 1 || self.rng.random_bool(0.3) {
            let visit = Visit {
                customer: seen.customer,
                member: seen.member,
                token: Some(token),
            };
            self.note(4, 30, Deed::Buy(visit));
        }
        Ok(())
    }

    async fn buy(&mut self, visit: Visit) -> anyhow::Result<()> {
        let buyer = self
            .sandbox
            .with_corp(&self.corpid, |corp, _| Ok(unionid_buyer(corp, &visit.customer)))?;
        self.sell("mini_store", &visit.member, None, buyer, visit.token.as_deref())
            .await
    }

    async fn buy_unasked(&mut self) -> anyhow::Result<()> {
        let Some((member, customer)) = self.some_pair()? else {
            return Ok(());
        };
        self.buy(Visit {
            customer,
            member,
            token: None,
        })
        .await
    }

    async fn buy_at_till(&mut self) -> anyhow::Result<()> {
        let Some((member, customer)) = self.some_pair()? else {
            return Ok(());
        };
        let is_known = self.rng.random_bool(0.7);
        let buyer = match is_known {
            true => self
                .sandbox
                .with_corp(&self.corpid, |corp, _| Ok(buyer_of(corp, &member, &customer)))?,
            false => Value::Null,
        };
        let associate = self.rng.random_bool(0.5).then(|| member.clone());
        self.sell("till", &member, associate.as_deref(), buyer, None)
            .await
    }

    async fn sell(
        &mut self,
        channel: &'static str,
        member: &str,
        associate: Option<&str>,
        buyer: Value,
        token: Option<&str>,
    ) -> anyhow::Result<()> {
        let Some(store_code) = self.stores.get(member).cloned() else {
            return Ok(());
        };
        let count = self.rng.random_range(1..=3).min(self.products.len());
        let products: Vec<Product> = self.products.sample(&mut self.rng, count).cloned().collect();
        let lines: Vec<Line<'_>> = products
            .iter()
            .map(|product| bought(&mut self.rng, product))
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        let order_no = self
            .sandbox
            .with_corp(&self.corpid, |corp, _| Ok(corp.new_id("SO", 20)))?;
        let sale = Sale {
            order_no,
            store_code: &store_code,
            channel,
            paid_at: self.sandbox.now(),
            buyer,
            associate,
            link_code: token,
            lines,
        };
        self.teller.order(&sale).await?;
        if self.orders.len() == ORDERS_KEPT {
            self.orders.pop_front();
        }
        self.orders.push_back((sale.order_no.clone(), sale.paid_fen()));
        Ok(())
    }

    async fn send_back(&mut self) -> anyhow::Result<()> {
        if self.orders.is_empty() {
            return Ok(());
        }
        let at = self.rng.random_range(0..self.orders.len());
        let Some((order_no, paid_fen)) = self.orders.remove(at) else {
            return Ok(());
        };
        let refund_fen = if self.rng.random_bool(0.6) {
            paid_fen
        } else {
            (paid_fen / 2).max(1)
        };
        self.teller
            .refund(&order_no, self.sandbox.now(), refund_fen)
            .await
    }

    /// Somebody who works in a store and has customers.
    fn some_member(&mut self) -> Option<String> {
        let mut members: Vec<&String> = self.stores.keys().collect();
        members.sort();
        members.choose(&mut self.rng).map(|member| (*member).clone())
    }

    fn some_pair(&mut self) -> anyhow::Result<Option<(String, String)>> {
        let Some(member) = self.some_member() else {
            return Ok(None);
        };
        let friends: Vec<String> = self.sandbox.with_corp(&self.corpid, |corp, _| {
            let friends = corp
                .customers_of(&member, None)
                .filter(|pair| pair.standing == Standing::Friend);
            Ok(friends.map(|pair| pair.external_userid.clone()).collect())
        })?;
        Ok(friends
            .choose(&mut self.rng)
            .map(|customer| (member, customer.clone())))
    }
}

fn first_reached(corp: &Corp, task: &super::world::BroadcastTask) -> Option<Seen> {
    let reached = task.recipients.iter().find(|recipient| recipient.status == 1)?;
    let code = tracked_code(&corp.broadcasts.get(&task.msgid)?.message)?;
    Some(Seen {
        customer: reached.external_userid.clone(),
        member: task.userid.clone(),
        code,
    })
}

fn unionid_buyer(corp: &Corp, customer: &str) -> Value {
    match corp.customers.get(customer) {
        Some(customer) if !customer.unionid.is_empty() => json!({"unionid": customer.unionid}),
        _ => Value::Null,
    }
}

/// One or two of a product, now and then with something off.
fn bought<'a>(rng: &mut StdRng, product: &'a Product) -> Line<'a> {
    let quantity = if rng.random_bool(0.15) { 2 } else { 1 };
    let percent = *[100, 100, 100, 95, 90, 80].choose(rng).unwrap_or(&100);
    Line {
        product,
        quantity,
        paid_fen: product.price_fen * quantity * percent / 100,
    }
}

/// A nickname as people choose them.
pub(super) fn new_name(rng: &mut StdRng) -> String {
    const FIRST: [&str; 12] = [
        "小", "阿", "晴", "云", "南", "橙", "夏", "木", "星", "禾", "安", "柚",
    ];
    const SECOND: [&str; 12] = [
        "鱼", "朵", "风", "糖", "舟", "离", "朝", "宁", "满", "棠", "屿", "一",
    ];
    const THIRD: [&str; 8] = ["", "", "子", "儿", "同学", "_77", "酱", "🌿"];
    let mut part = |parts: &[&'static str]| *parts.choose(rng).unwrap_or(&"");
    format!("{}{}{}", part(&FIRST), part(&SECOND), part(&THIRD))
}
