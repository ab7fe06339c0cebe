//! A crowd: a chain's departments, members, tags and millions of customers, grown from a number straight into the world.
//!
//! The journal keeps the number, not the people: a second start grows the same crowd and then applies what changed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Sandbox;
use super::life::new_name;
use super::world::{Corp, Customer, Department, Kind, Member, Relation, Standing, Tag, TagGroup};
use crate::time::Timestamp;

/// What a crowd is grown from; the same values give the same people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    pub seed: u64,
    /// At least 1.
    pub associates: usize,
    pub contacts: usize,
    /// The last of them was added then, in seconds.
    pub until: i64,
}

impl Crowd {
    /// A crowd whose past ends with the day before `now`, so that starts of one day agree.
    pub fn before(now: Timestamp, seed: u64, associates: usize, contacts: usize) -> Self {
        let zone = chrono_tz::Asia::Shanghai;
        Self {
            seed,
            associates,
            contacts,
            until: now.day(zone).start(zone).seconds(),
        }
    }
}

const REGIONS: [&str; 5] = ["华东", "华南", "华北", "西南", "华中"];
const ASSOCIATES_A_STORE: usize = 20;
const TAG_GROUPS: [&str; 10] = [
    "会员等级",
    "来源",
    "年龄",
    "身高",
    "风格",
    "爱买",
    "价位",
    "生日月",
    "活动",
    "门店印象",
];
const TAGS_A_GROUP: usize = 20;
const DAYS: i64 = 450;
/// Of 100 customers, how many a second associate follows too.
const FOLLOWED_TWICE: u32 = 20;

impl Sandbox {
    /// Grows a crowd in a corp that has nobody yet.
    ///
    /// # Errors
    /// When the corp is not there or has people already.
    pub fn grow_crowd(&self, corpid: &str, crowd: Crowd) -> anyhow::Result<()> {
        anyhow::ensure!(crowd.associates > 0, "a crowd needs at least one associate");
        self.with_corp(corpid, |corp, _| {
            anyhow::ensure!(
                corp.members.is_empty() && corp.customers.len() == 0,
                "`{corpid}` has people already"
            );
            corp.touch(Kind::Crowd, "crowd");
            corp.grow(crowd);
            Ok(())
        })
    }
}

impl Corp {
    /// Puts the crowd in; none of it counts as changed.
    pub fn grow(&mut self, crowd: Crowd) {
        let was_journaled = std::mem::replace(&mut self.is_journaled, false);
        let mut growing = Growing {
            rng: StdRng::seed_from_u64(crowd.seed),
            tags: Vec::new(),
            crowd: crowd.clone(),
        };
        growing.places(self);
        growing.members(self);
        growing.tags(self);
        growing.customers(self);
        self.crowd = Some(crowd);
        self.is_journaled = was_journaled;
    }
}

struct Growing {
    rng: StdRng,
    crowd: Crowd,
    /// Ids, a list a group.
    tags: Vec<Vec<String>>,
}

impl Growing {
    fn percent(&mut self, of_hundred: u32) -> bool {
        self.rng.random_range(0..100) < of_hundred
    }

    /// Most often one of the first: somebody has worked longest, some tag is everybody's.
    fn early(&mut self, of: usize) -> usize {
        self.rng.random_range(0..of).min(self.rng.random_range(0..of))
    }

    fn stores(&self) -> usize {
        self.crowd.associates.div_ceil(ASSOCIATES_A_STORE)
    }

    fn places(&self, corp: &mut Corp) {
        let mut put = |id: i64, name: String, parentid: i64| {
            let department = Department {
                id,
                name,
                parentid,
                order: 0,
            };
            corp.departments.insert(id, department);
        };
        put(1, "总部".to_owned(), 0);
        for (index, name) in REGIONS.iter().enumerate() {
            put(2 + index as i64, (*name).to_owned(), 1);
        }
        for store in 0..self.stores() {
            let region = store % REGIONS.len();
            put(
                store_department(store),
                format!("{}第 {} 店", REGIONS[region], store / REGIONS.len() + 1),
                2 + region as i64,
            );
        }
    }

    fn userid(&self, associate: usize) -> String {
        let (store, nth) = (associate % self.stores(), associate / self.stores());
        format!("s{:04}_g{:02}", store + 1, nth + 1)
    }

    fn members(&mut self, corp: &mut Corp) {
        for associate in 0..self.crowd.associates {
            corp.put_member(Member {
                userid: self.userid(associate),
                name: new_name(&mut self.rng),
                department: vec![store_department(associate % self.stores())],
                position: "导购".to_owned(),
                ..Member::default()
            });
        }
    }

    fn tags(&mut self, corp: &mut Corp) {
        let create_time = self.crowd.until - DAYS * 86_400;
        for (place, name) in TAG_GROUPS.iter().enumerate() {
            let mut tags = Vec::with_capacity(TAGS_A_GROUP);
            for nth in 1..=TAGS_A_GROUP {
                tags.push(Tag {
                    id: new_id(&mut self.rng, "et", 32),
                    name: format!("{name}{nth}"),
                    create_time,
                    order: (TAGS_A_GROUP - nth) as i64,
                    ..Tag::default()
                });
            }
            self.tags.push(tags.iter().map(|tag| tag.id.clone()).collect());
            corp.put_group(TagGroup {
                group_id: new_id(&mut self.rng, "et", 32),
                group_name: (*name).to_owned(),
                create_time,
                order: 100 - place as i64,
                tags,
                ..TagGroup::default()
            });
        }
    }

    fn customers(&mut self, corp: &mut Corp) {
        let contacts = self.crowd.contacts;
        let pairs = contacts + contacts * FOLLOWED_TWICE as usize / 100;
        corp.customers.reserve(contacts);
        let mut relations = std::mem::take(&mut corp.relations);
        let mut left = contacts;
        let mut waiting = Vec::new();
        let one_by_one = std::iter::from_fn(|| {
            if waiting.is_empty() && left > 0 {
                left -= 1;
                self.customer(corp, &mut waiting);
            }
            waiting.pop()
        });
        relations.load(one_by_one, pairs);
        corp.relations = relations;
    }

    fn customer(&mut self, corp: &mut Corp, pairs: &mut Vec<Relation>) {
        let customer = Customer {
            external_userid: new_id(&mut self.rng, "wm", 32),
            unionid: new_id(&mut self.rng, "o", 28),
            name: new_name(&mut self.rng),
            gender: self.rng.random_range(0..=2),
            ..Customer::default()
        };
        let associate = self.early(self.crowd.associates);
        pairs.push(self.pair(corp, &customer, associate));
        let second = self.rng.random_range(0..self.crowd.associates);
        if self.percent(FOLLOWED_TWICE) && second != associate {
            pairs.push(self.pair(corp, &customer, second));
        }
        corp.customers.put(customer);
    }

    fn pair(&mut self, corp: &mut Corp, customer: &Customer, associate: usize) -> Relation {
        let ago = self.early(DAYS as usize) as i64 * 86_400 + self.rng.random_range(0..86_400);
        let is_by_code = self.percent(80);
        let mut tag_ids = Vec::with_capacity(TAG_GROUPS.len());
        for group in 0..TAG_GROUPS.len() {
            if self.percent(50) {
                let place = self.early(TAGS_A_GROUP);
                tag_ids.push(corp.word(&self.tags[group][place]));
            }
        }
        tag_ids.shrink_to_fit();
        Relation {
            userid: self.userid(associate),
            external_userid: customer.external_userid.clone(),
            standing: if self.percent(5) {
                Standing::OneWay
            } else {
                Standing::Friend
            },
            createtime: self.crowd.until - ago,
            tag_ids,
            add_way: if is_by_code { 1 } else { 2 },
            state: if is_by_code {
                format!("s{:04}_cashier", associate % self.stores() + 1)
            } else {
                String::new()
            },
            remark: if self.percent(20) {
                format!("{}-VIP", customer.name)
            } else {
                String::new()
            },
            remark_mobiles: if self.percent(20) {
                vec![format!("13{:09}", self.rng.random_range(0..1_000_000_000u32))]
            } else {
                Vec::new()
            },
            ..Relation::default()
        }
    }
}

fn store_department(store: usize) -> i64 {
    100 + store as i64
}

/// A random id: the prefix, then letters and digits up to `length` characters.
pub fn new_id(rng: &mut StdRng, prefix: &str, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut id = String::with_capacity(length);
    id.push_str(prefix);
    for _ in prefix.len()..length {
        id.push(char::from(LETTERS[rng.random_range(0..LETTERS.len())]));
    }
    id
}
