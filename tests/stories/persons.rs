//! Persons: a customer whom the platform gave another id is one again, everywhere, until somebody takes it back.

mod faces;
mod rows;

use dianyu::contacts::{self, ContactFilter};
use dianyu::error::{Error, Result};
use dianyu::ids::{ContactId, ExternalUserId, MergeId, TagId};
use dianyu::orders::{Buyer, NewOrder};
use dianyu::page::PageOf;
use dianyu::persons;
use dianyu::sandbox::Customer;
use dianyu::segments::{self, Ordered, Rule};
use dianyu::sync::Outcome;
use dianyu::tags;
use dianyu::time::{HOUR_MS, SECOND_MS};

use crate::orders::{by, order, sell};
use crate::sending::{ADD, confirm_all, figures_hold, later, launch, progress};
use crate::street::Street;
use crate::world::{CORPID, World, ZONE, contact};

/// The id by which the platform knows contact 102 anew.
const ANEW: &str = "wmAnew";

impl World {
    pub async fn merge(&self, kept: ContactId, merged: ContactId) -> Result<MergeId> {
        let tx = self.begin().await;
        let id = persons::merge(&tx, &self.act(), &self.whole(), &self.app.sealer, kept, merged).await?;
        tx.commit().await?;
        Ok(id)
    }

    pub async fn unmerge(&self, id: MergeId) -> Result<()> {
        let tx = self.begin().await;
        persons::undo(&tx, &self.act(), &self.whole(), id).await?;
        tx.commit().await
    }

    pub async fn contact_of(&self, external: &str) -> ContactId {
        let external = ExternalUserId::from(external);
        contacts::ids_of(&self.app.db, self.corp, std::slice::from_ref(&external))
            .await
            .unwrap()[&external]
    }

    async fn listed(&self) -> (i64, Vec<ContactId>) {
        let (db, scope, all) = (&self.app.db, self.whole(), ContactFilter::default());
        let page = contacts::list(db, &scope, &all, ZONE, &PageOf::first(100))
            .await
            .unwrap();
        let count = contacts::count(db, &scope, &all, ZONE).await.unwrap();
        (count, page.items.iter().map(|row| row.id).collect())
    }

    async fn whoever(&self, rule: Rule) -> Vec<ContactId> {
        segments::people(&self.app.db, &self.whole(), &rule, ZONE, self.now())
            .await
            .unwrap()
    }
}

impl Street {
    /// The platform gives contact 102 another id: `li` and `wu` follow her by it.
    async fn given_anew(&self) -> ContactId {
        let customer = Customer {
            external_userid: ANEW.into(),
            name: "客户102".into(),
            gender: 2,
            unionid: "union102".into(),
            ..Customer::default()
        };
        self.sandbox.add_customer(CORPID, customer).unwrap();
        self.sandbox.scan(CORPID, ANEW, "li", "spring").unwrap();
        self.sandbox.scan(CORPID, ANEW, "wu", "").unwrap();
        self.settle().await;
        self.shop.contact_of(ANEW).await
    }

    /// A full sync; answers how many pairs it changed.
    async fn synced(&self) -> i64 {
        let run = self.shop.start_run().await;
        assert_eq!(self.shop.carry_on(run).await.unwrap(), Outcome::Done);
        self.shop.sync_run(run).await.corrections()
    }

    /// External ids that calls of this kind named, in order.
    fn named_in(&self, api: &str) -> Vec<String> {
        let ledger = self.sandbox.ledger();
        let of_kind = ledger.iter().filter(|entry| entry.api == api);
        of_kind
            .filter_map(|entry| Some(entry.request["external_userid"].as_str()?.to_owned()))
            .collect()
    }
}

fn named(number: &str, buyer: Buyer) -> NewOrder {
    NewOrder {
        buyer: Some(buyer),
        ..order(number, 100)
    }
}

#[tokio::test]
async fn a_person_is_one_in_list_detail_count_rule_order_and_quota() {
    let street = Street::open().await;
    let shop = &street.shop;
    let anew = street.given_anew().await;
    sell(shop, &by(order("A1", 20_000), 102)).await;
    sell(shop, &by(order("A2", 30_000), anew.0)).await;
    for (who, used) in [(102, 1), (anew.0, 3)] {
        shop.run(&format!(
            "insert into quota_use (corp_id, contact_id, window_key, used) values (1, {who}, '2026-11', {used})"
        ))
        .await;
    }
    let found = persons::duplicates(&shop.app.db, &shop.whole(), &PageOf::first(9))
        .await
        .unwrap()
        .items;
    assert_eq!(found.len(), 1);
    let shown: Vec<_> = found[0]
        .contacts
        .iter()
        .map(|twin| (twin.id, twin.orders))
        .collect();
    assert_eq!(shown, [(anew, 1), (contact(102), 1)], "added last is proposed");
    let bought_twice = || {
        Rule::Ordered(Ordered {
            within_days: 30,
            at_least: Some(2),
            category: None,
            net_fen_at_least: None,
        })
    };
    assert_eq!(shop.whoever(bought_twice()).await, []);
    let (before, _) = shop.listed().await;

    shop.merge(contact(102), anew).await.unwrap();
    let (count, listed) = shop.listed().await;
    assert_eq!(count, before - 1);
    assert_eq!(listed.iter().filter(|id| **id == contact(102)).count(), 1);
    assert!(!listed.contains(&anew));
    let card = contacts::find(&shop.app.db, &shop.whole(), contact(102))
        .await
        .unwrap();
    assert_eq!((card.orders_365, card.spent_365_fen.0), (2, 50_000));
    let mut followers: Vec<&str> = card
        .follows
        .iter()
        .map(|follow| follow.associate_name.as_str())
        .collect();
    followers.sort_unstable();
    assert_eq!(
        followers,
        ["吴桐", "李晓雯", "李晓雯"],
        "each pair of the platform's"
    );
    assert!(matches!(
        contacts::find(&shop.app.db, &shop.whole(), anew).await,
        Err(Error::NotFound)
    ));
    assert_eq!(shop.whoever(bought_twice()).await, [contact(102)]);
    assert_eq!(
        shop.number("select used from quota_use where contact_id = 102 and window_key = '2026-11'")
            .await,
        4
    );
    let left = persons::duplicates(&shop.app.db, &shop.whole(), &PageOf::first(9))
        .await
        .unwrap();
    assert!(left.items.is_empty());

    // Whatever names the other one from now on means her.
    for (number, buyer) in [
        (
            "B1",
            Buyer {
                external_userid: Some(ANEW.into()),
                ..Buyer::default()
            },
        ),
        (
            "B2",
            Buyer {
                unionid: Some("union102".into()),
                ..Buyer::default()
            },
        ),
        (
            "B3",
            Buyer {
                contact_id: Some(anew.to_string()),
                ..Buyer::default()
            },
        ),
    ] {
        sell(shop, &named(number, buyer)).await;
        let whose = format!("select contact_id from sale where order_no = '{number}'");
        assert_eq!(shop.number(&whose).await, 102, "{number}");
    }
    figures_hold(&street).await;
    street.settle().await;
}

#[tokio::test]
async fn what_the_platform_says_of_either_id_arrives_at_the_kept_one() {
    let street = Street::open().await;
    let shop = &street.shop;
    let anew = street.given_anew().await;
    street.synced().await;
    shop.merge(contact(102), anew).await.unwrap();
    let pairs = "select count(*) from follow where contact_id = 102 and state = 'active'";
    assert_eq!(shop.number(pairs).await, 3);
    street.after(HOUR_MS);
    let before = shop.rows().await;
    assert_eq!(
        street.synced().await,
        0,
        "a sync after a merge finds nothing to do"
    );
    assert_eq!(shop.rows().await, before);

    street.sandbox.customer_deletes(CORPID, ANEW, "wu").unwrap();
    street.settle().await;
    let lost = "select count(*) from follow where contact_id = 102 and state = 'lost' and alias = 'wmAnew' and associate_id = 32";
    assert_eq!((shop.number(lost).await, shop.number(pairs).await), (1, 2));
    // Gone by one id, she is still followed by the other.
    street.sandbox.member_deletes(CORPID, "li", "wmSim102").unwrap();
    street.after(HOUR_MS);
    street.settle().await;
    assert_eq!(street.synced().await, 0);
    let live = "select count(*) from follow where contact_id = 102 and state = 'active' and alias = 'wmAnew' and associate_id = 31";
    assert_eq!((shop.number(live).await, shop.number(pairs).await), (1, 1));
    assert_eq!(
        shop.number("select count(*) from follow_period where contact_id = 102 and until_at is null")
            .await,
        1
    );
    assert_eq!(shop.number("select count(*) from contact").await, 12);
    street.sandbox.scan(CORPID, ANEW, "zhao", "").unwrap();
    street.settle().await;
    assert_eq!(shop.number(pairs).await, 2);
    figures_hold(&street).await;
}

#[tokio::test]
async fn each_pair_is_addressed_by_its_own_id() {
    let street = Street::open().await;
    let shop = &street.shop;
    let anew = street.given_anew().await;
    shop.merge(contact(102), anew).await.unwrap();
    street.sandbox.forget_ledger();
    let marked = tags::mark(
        &shop.app,
        &shop.act(),
        &shop.whole(),
        &[contact(102)],
        &[TagId(51)],
        &[],
    )
    .await
    .unwrap();
    assert!(marked.iter().all(|one| one.contact_id == contact(102)));
    let mut told = street.named_in("externalcontact/mark_tag");
    told.sort();
    assert_eq!(told, [ANEW, ANEW, "wmSim102"]);
    assert_eq!(
        shop.number("select count(*) from follow where contact_id = 102 and tags = ' 51 '")
            .await,
        3
    );
    let li = shop.of_associate(31);
    contacts::remark(&shop.app, &shop.act(), &li, contact(102), Some("老顾客"), None)
        .await
        .unwrap();
    assert_eq!(street.named_in("externalcontact/remark"), [ANEW]);

    let id = launch(&street).await;
    let asked: Vec<_> = street
        .sandbox
        .ledger()
        .into_iter()
        .filter(|entry| entry.api == ADD)
        .flat_map(|entry| entry.request["external_userid"].as_array().unwrap().clone())
        .filter(|id| [ANEW, "wmSim102"].contains(&id.as_str().unwrap()))
        .collect();
    assert_eq!(asked, [ANEW], "one message, by the pair that was added last");
    confirm_all(&street);
    later(&street, 20 * SECOND_MS).await;
    assert_eq!(progress(&street, id).await.sent, 9);
    assert_eq!(
        shop.number("select count(*) from delivery where contact_id = 102 and state = 'sent'")
            .await,
        1
    );
    figures_hold(&street).await;
}

#[tokio::test]
async fn a_message_that_is_under_way_when_two_are_merged_is_counted_for_each() {
    let street = Street::open().await;
    let shop = &street.shop;
    let anew = street.given_anew().await;
    let id = launch(&street).await;
    assert_eq!(progress(&street, id).await.tasked, 10);
    let merge = shop.merge(contact(102), anew).await.unwrap();
    confirm_all(&street);
    later(&street, 20 * SECOND_MS).await;
    assert_eq!(progress(&street, id).await.sent, 10);
    figures_hold(&street).await;
    shop.unmerge(merge).await.unwrap();
    for who in [contact(102), anew] {
        let sent = format!("select count(*) from delivery where contact_id = {who} and state = 'sent'");
        assert_eq!(shop.number(&sent).await, 1, "{who}");
    }
    figures_hold(&street).await;
}
