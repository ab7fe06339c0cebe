//! What happens to people, each through the product's own verbs.

use dianyu::contacts::{self, EndCause, Ending, Learned, NamedTag, Reading};
use dianyu::db::Conn as _;
use dianyu::db::changes::Fact;
use dianyu::directory::{self, Corp, StoreChange};
use dianyu::ids::{AssociateId, ClickId, ContactId, FieldId, RegionId, StoreId, TagId, UserId};
use dianyu::links::click::{self, Visit};
use dianyu::links::{self, LinkTarget, NewLink, Resolved};
use dianyu::orders::{self, Buyer, NewOrder, RowResult};
use dianyu::page::PageOf;
use dianyu::persons;
use dianyu::scope::Actor;
use dianyu::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use dianyu::wecom::contact::{ContactDetail, ExternalContact, FollowUser};
use rand::RngExt as _;
use rand::rngs::StdRng;
use sea_orm::ConnectionTrait as _;

use super::{PEOPLE, SHANGHAI, rules};
use crate::orders::{by, order, refund};
use crate::world::{World, start};

const MEMBERS: [(&str, i64, i64); 5] = [
    ("li", 31, 21),
    ("wu", 32, 21),
    ("zhao", 33, 22),
    ("qian", 34, 23),
    ("sun", 35, 23),
];

/// Some instant of the last year, or before it; seldom in the future.
pub fn some_time(chance: &mut StdRng) -> Timestamp {
    let days = [
        0, 0, 1, 6, 7, 8, 29, 30, 31, 60, 89, 90, 91, 200, 364, 365, 366, 400,
    ][chance.random_range(0..18)];
    start().plus_ms(-days * DAY_MS - chance.random_range(0..10) * HOUR_MS)
}

fn value_of(field: FieldId, chance: &mut StdRng) -> String {
    let (.., values) = rules::FIELDS.into_iter().find(|(id, ..)| *id == field).unwrap();
    values[chance.random_range(0..4)].to_owned()
}

pub struct Stage<'a> {
    shop: &'a World,
    corp: Corp,
    link: Resolved,
}

impl<'a> Stage<'a> {
    pub async fn set(shop: &'a World) -> Self {
        let corp = directory::find_corp(&shop.app.db, shop.corp).await.unwrap();
        let new = NewLink {
            title: "新品".into(),
            target: LinkTarget::Web {
                url: "https://shop.example.com/new".into(),
            },
            store: Some(StoreId(21)),
            associate: Some(AssociateId(31)),
            campaign: None,
            moment: None,
            contact: None,
        };
        let tx = shop.begin().await;
        let made = links::create(&tx, &shop.act(), &shop.whole(), &corp, vec![new])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let link = links::resolve(&shop.app.db, &made[0].1).await.unwrap();
        Self { shop, corp, link }
    }

    pub async fn act(&self, chance: &mut StdRng) {
        self.shop.app.clock.advance(2 * MINUTE_MS);
        match chance.random_range(0..18) {
            0..3 => self.tags(chance).await,
            3 => self.tag_is_gone(chance).await,
            4 => self.shown(chance).await,
            5 => self.lost(chance).await,
            6..8 => self.orders(chance).await,
            8 => self.takes_back(chance).await,
            9 => self.clicks(chance).await,
            10 => self.moves(chance).await,
            11..13 => self.knows(chance).await,
            13 => self.learns(chance).await,
            14 => self.field_is_gone(chance).await,
            15 => self.merges(chance).await,
            16 => self.unmerges(chance).await,
            _ => self.sent(chance).await,
        }
    }

    fn anybody(&self, chance: &mut StdRng) -> ContactId {
        ContactId(200 + chance.random_range(0..PEOPLE))
    }

    /// The same, as whoever they are now.
    async fn somebody(&self, chance: &mut StdRng) -> ContactId {
        let who = self.anybody(chance);
        let now = contacts::kept_of(&self.shop.app.db, self.shop.corp, who)
            .await
            .unwrap();
        now.unwrap_or(who)
    }

    /// Two turn out to be one person. Three neighbours often do, so that merges are merged.
    async fn merges(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let first = 200 + chance.random_range(0..PEOPLE / 3) * 3;
        let (kept, merged) = (
            first + chance.random_range(0..3),
            first + chance.random_range(0..3),
        );
        let tx = shop.begin().await;
        let sql = format!("update contact set unionid = 'one{first}' where id in ({kept}, {merged})");
        tx.raw().execute_unprepared(&sql).await.unwrap();
        let (kept, merged) = (ContactId(kept), ContactId(merged));
        let (act, sealer) = (shop.act(), &shop.app.sealer);
        match persons::merge(&tx, &act, &shop.whole(), sealer, kept, merged).await {
            Ok(_) => tx.commit().await.unwrap(),
            // The same one, or merged already.
            Err(_) => tx.rollback().await.unwrap(),
        }
    }

    async fn unmerges(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let done = persons::done(&shop.app.db, &shop.whole(), &PageOf::first(200))
            .await
            .unwrap();
        let mut open = done
            .items
            .iter()
            .filter(|merge| merge.undone_at.is_none() && merge.undo_first.is_none());
        let Some(merge) = open.nth(chance.random_range(0..3)) else {
            return;
        };
        let tx = shop.begin().await;
        persons::undo(&tx, &shop.act(), &shop.whole(), merge.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn tags(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let pairs = contacts::pairs(&shop.app.db, &shop.whole(), &[self.somebody(chance).await])
            .await
            .unwrap();
        let Some(pair) = pairs.first() else { return };
        let tag = TagId(chance.random_range(40..48));
        let named = [NamedTag {
            id: tag,
            name: "标签".into(),
        }];
        let (add, remove): (&[NamedTag], &[NamedTag]) = if pair.tag_ids().contains(&tag) {
            (&[], &named)
        } else {
            (&named, &[])
        };
        let tx = shop.begin().await;
        contacts::change_tags(&tx, &shop.act(), &self.corp, pair, add, remove, "operator".into())
            .await
            .unwrap();
        if chance.random_ratio(1, 6) {
            // What is taken back never happened.
            tx.rollback().await.unwrap();
        } else {
            tx.commit().await.unwrap();
        }
    }

    async fn tag_is_gone(&self, chance: &mut StdRng) {
        let tx = self.shop.begin().await;
        let tag = TagId(chance.random_range(44..48));
        contacts::drop_tag(&tx, &self.shop.act(), self.shop.corp, tag, "platform".into())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// The platform shows a person, known or new, with some who follow them and without others.
    async fn shown(&self, chance: &mut StdRng) {
        let external = if chance.random_ratio(1, 2) {
            format!("wmMany{}", self.anybody(chance))
        } else {
            format!("wmNew{}", chance.random_range(0..8))
        };
        let mut follow_users = Vec::new();
        for (userid, ..) in MEMBERS {
            if chance.random_ratio(1, 2) {
                follow_users.push(FollowUser {
                    userid: UserId::from(userid),
                    remark: String::new(),
                    description: String::new(),
                    createtime: some_time(chance).seconds(),
                    tag_ids: vec![],
                    remark_mobiles: vec![],
                    add_way: 1,
                    state: ["spring", "door", ""][chance.random_range(0..3)].into(),
                    oper_userid: userid.into(),
                });
            }
        }
        let detail = ContactDetail {
            contact: ExternalContact {
                external_userid: external.as_str().into(),
                name: "晴天".into(),
                avatar: String::new(),
                kind: 1,
                gender: chance.random_range(0..3),
                unionid: Some(format!("union-{external}")),
            },
            follow_users,
        };
        self.read(&external, Some(&detail), None).await;
        // Orders that were placed before anybody knew the buyer are now theirs.
        let tx = self.shop.begin().await;
        let ids = contacts::ids_of(&tx, self.shop.corp, &[external.as_str().into()])
            .await
            .unwrap();
        for contact in ids.values() {
            orders::adopt(&tx, &self.shop.act(), self.shop.corp, *contact)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn lost(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let pairs = contacts::pairs(&shop.app.db, &shop.whole(), &[self.somebody(chance).await])
            .await
            .unwrap();
        let Some(pair) = pairs.first() else { return };
        let cause = [EndCause::Contact, EndCause::Associate][chance.random_range(0..2)];
        let ending = Ending {
            userid: pair.userid.clone(),
            cause,
            at: shop.now(),
        };
        let tx = shop.begin().await;
        let external = std::slice::from_ref(&pair.external_userid);
        let whose = contacts::whose(&tx, shop.corp, external).await.unwrap();
        let whose = &whose[&pair.external_userid];
        contacts::end(&tx, &shop.act(), &self.corp, whose, &ending)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn read(&self, external: &str, detail: Option<&ContactDetail>, ending: Option<&Ending>) {
        let reading = Reading {
            corp: &self.corp,
            sealer: &self.shop.app.sealer,
            read_at: self.shop.now(),
        };
        let tx = self.shop.begin().await;
        let act = self.shop.app.act(Actor::Platform);
        let detail = detail.filter(|detail| !detail.follow_users.is_empty());
        reading
            .of_contact(&tx, &act, &external.into(), detail, ending)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// A new order, or one that is told anew with another buyer or amount.
    async fn orders(&self, chance: &mut StdRng) {
        let number = chance.random_range(0..40);
        let mut new = order(&format!("X{number}"), chance.random_range(1_000..90_000));
        new.paid_at = some_time(chance);
        new.lines[0].category = ["dress", "shoes"][chance.random_range(0..2)].into();
        let new = match chance.random_range(0..6) {
            0 => new,
            1 => NewOrder {
                buyer: Some(Buyer {
                    external_userid: Some(format!("wmNew{}", chance.random_range(0..8))),
                    ..Buyer::default()
                }),
                ..new
            },
            _ => by(new, self.anybody(chance).0),
        };
        let shop = self.shop;
        let told = orders::record_orders(&shop.app, &shop.act(), shop.corp, &[new])
            .await
            .unwrap();
        // An order that would be paid less than was given back is refused, as it should be.
        if let RowResult::Refused(problems) = &told[0] {
            assert!(
                problems.iter().all(|problem| problem.pointer == "/0/paid_fen"),
                "{problems:?}"
            );
        }
    }

    /// Of an order that is known, or will be.
    async fn takes_back(&self, chance: &mut StdRng) {
        let number = chance.random_range(0..40);
        let new = refund(
            &format!("XR{number}"),
            &format!("X{number}"),
            chance.random_range(100..900),
        );
        let shop = self.shop;
        orders::record_refunds(&shop.app, &shop.act(), shop.corp, &[new])
            .await
            .unwrap();
    }

    async fn clicks(&self, chance: &mut StdRng) {
        let (shop, who) = (self.shop, self.somebody(chance).await);
        let id = ClickId::new(&shop.app.ids, shop.now());
        let token = format!("t{id}");
        if chance.random_ratio(1, 2) {
            let visit = Visit {
                id,
                link: self.link.clone(),
                token: token.clone(),
                visitor: format!("v{}", chance.random_range(0..3)),
                at: shop.now(),
                is_preview: chance.random_ratio(1, 4),
            };
            click::writer(shop.app.db.clone()).store(visit).await.unwrap();
            let tx = shop.begin().await;
            click::identify(&tx, &shop.act(), shop.corp, SHANGHAI, &token, who)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        } else {
            let tx = shop.begin().await;
            click::opened(&tx, &shop.act(), &self.link, &token, who, some_time(chance))
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// An associate changes store with everybody, or a store its region.
    async fn moves(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let tx = shop.begin().await;
        if chance.random_ratio(1, 3) {
            let store = StoreId(chance.random_range(21..24));
            let change = StoreChange {
                region_id: Some(RegionId(chance.random_range(11..13))),
                ..StoreChange::default()
            };
            directory::change_store(&tx, &shop.whole(), store, change)
                .await
                .unwrap();
        } else {
            let (_, associate, home) = MEMBERS[chance.random_range(0..5)];
            let stores = [21, 22, 23];
            let (from, to) = (home, stores[chance.random_range(0..3)]);
            let (from, to) = if chance.random_ratio(1, 2) {
                (from, to)
            } else {
                (to, from)
            };
            let (associate, from, to) = (AssociateId(associate), StoreId(from), StoreId(to));
            contacts::rehome(&tx, &shop.act(), shop.corp, associate, Some(from), to, shop.now())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Somebody writes what they know of one, or takes it away.
    async fn knows(&self, chance: &mut StdRng) {
        let (shop, who) = (self.shop, self.anybody(chance));
        let there = contacts::fields(&shop.app.db, shop.corp).await.unwrap();
        let given = there.iter().filter(|_| chance.random_ratio(1, 2));
        let given: Vec<FieldId> = given.map(|field| field.id).collect();
        let given = given.into_iter().map(|field| {
            let value = value_of(field, chance);
            (field, Some(value).filter(|_| chance.random_ratio(2, 3)))
        });
        let given = given.collect();
        let tx = shop.begin().await;
        match contacts::set_values(&tx, &shop.act(), &shop.whole(), who, &given).await {
            Ok(()) => tx.commit().await.unwrap(),
            // Nobody follows them any more.
            Err(_) => tx.rollback().await.unwrap(),
        }
    }

    /// What a file says of some.
    async fn learns(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let there = contacts::fields(&shop.app.db, shop.corp).await.unwrap();
        let learned: Vec<Learned> = (0..5)
            .map(|place| Learned {
                contact: ContactId(200 + (chance.random_range(0..PEOPLE / 5) * 5) + place),
                birthday: None,
                phone: None,
                opted_out: None,
                values: there
                    .iter()
                    .map(|field| (field.id, value_of(field.id, chance)))
                    .collect(),
            })
            .collect();
        let tx = shop.begin().await;
        contacts::learn(&tx, &shop.act(), shop.corp, &learned)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// What was known in it goes with it.
    async fn field_is_gone(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let there = contacts::fields(&shop.app.db, shop.corp).await.unwrap();
        let Some(field) = there.first().filter(|_| chance.random_ratio(1, 4)) else {
            return;
        };
        let tx = shop.begin().await;
        contacts::delete_field(&tx, &shop.act(), shop.corp, field.id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// A message arrives: what a campaign's poll writes, without the campaign.
    async fn sent(&self, chance: &mut StdRng) {
        let shop = self.shop;
        let (who, at) = (self.somebody(chance).await, some_time(chance));
        let campaign = shop.app.ids.next(shop.now());
        let tx = shop.begin().await;
        let sql = format!(
            "insert into delivery (corp_id, campaign_id, contact_id, state, sent_at, updated_at)
             values (1, {campaign}, {who}, 'sent', {}, 0)",
            at.0
        );
        tx.raw().execute_unprepared(&sql).await.unwrap();
        tx.note(shop.corp, Fact::Message, [who.0]);
        tx.commit().await.unwrap();
    }
}
