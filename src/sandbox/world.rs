//! The world the simulator keeps: corps with their people, relations, tags, tasks. Plain data, indexed, no HTTP.
//!
//! Members are keyed by their userid in lower case, as the platform compares them. Every change of something that
//! outlives a restart marks its key in [`Corp::changed`], from which the journal is written.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::acquisition::Link;
use super::album::AlbumItem;
use super::callbacks::Event;
use super::contact_ways::ContactWay;
use super::group_welcomes::GroupWelcome;
use super::groups::Group;
use super::handover::Transfer;
use super::join_ways::JoinWay;
use super::statistics::Behaviour;
use crate::time::Timestamp;

/// The self-built app of a corp and how it hears of changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct App {
    pub corpid: String,
    pub name: String,
    pub secret: String,
    pub agent_id: i64,
    #[serde(default)]
    pub callback: Option<Callback>,
    #[serde(default)]
    pub quota: QuotaMode,
    /// Hosts (with port) a sign-in may return to; none listed: any.
    #[serde(default)]
    pub trusted_hosts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    pub url: String,
    pub token: String,
    pub aes_key: String,
}

/// How many broadcasts a customer may get, counted over the whole corp when a member confirms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaMode {
    /// As many in a month as the month has days.
    #[default]
    MonthDays,
    PerWeek(usize),
    PerDay(usize),
    /// Four a month, the rule of earlier years.
    Legacy,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Department {
    pub id: i64,
    pub name: String,
    #[serde(default)]
    pub parentid: i64,
    #[serde(default)]
    pub order: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub userid: String,
    pub name: String,
    pub department: Vec<i64>,
    #[serde(default)]
    pub position: String,
    #[serde(default)]
    pub is_leader: bool,
    /// 1 activated, 2 disabled, 4 not activated, 5 left; 0 in a seed means 1.
    #[serde(default)]
    pub status: i64,
    /// Not configured for customer contact (84074).
    #[serde(default)]
    pub is_unconfigured: bool,
    /// Has not verified the real name (40098).
    #[serde(default)]
    pub is_unverified: bool,
    /// When a member of status 5 left, in seconds.
    #[serde(default)]
    pub left_at: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    pub external_userid: String,
    pub name: String,
    #[serde(default)]
    pub avatar: String,
    #[serde(default)]
    pub gender: i64,
    #[serde(default)]
    pub unionid: String,
    /// When broadcasts reached the customer, in seconds; the last month or so.
    #[serde(default)]
    pub received: Vec<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    #[default]
    Friend,
    /// The customer deleted the member; the pair can still be read.
    OneWay,
    /// The customer asked; the member has not accepted.
    Pending,
}

/// A member and a customer. A pair the member deleted is not there at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    pub userid: String,
    pub external_userid: String,
    #[serde(default)]
    pub standing: Standing,
    /// Seconds.
    pub createtime: i64,
    #[serde(default)]
    pub tag_ids: Vec<String>,
    #[serde(default)]
    pub add_way: i64,
    /// The channel of the code that was scanned.
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub remark: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub remark_company: String,
    #[serde(default)]
    pub remark_mobiles: Vec<String>,
    /// Last message between the two, in milliseconds; no welcome code for people who have chatted.
    #[serde(default)]
    pub chatted_at: Option<i64>,
    /// The welcome message that arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub welcome: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TagGroup {
    pub group_id: String,
    pub group_name: String,
    #[serde(default)]
    pub create_time: i64,
    #[serde(default)]
    pub order: i64,
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Made in the console: the app may not edit or delete it (40068).
    #[serde(default)]
    pub is_console_made: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub create_time: i64,
    #[serde(default)]
    pub order: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broadcast {
    pub msgid: String,
    /// Milliseconds.
    pub created_at: i64,
    /// `text` and `attachments` as they were given.
    pub message: Value,
    pub is_cancelled: bool,
    pub reminded_at: Vec<i64>,
    /// To customer groups: its recipients are chat_ids.
    #[serde(default)]
    pub is_to_groups: bool,
    /// Key of the member who made it; empty: the app.
    #[serde(default)]
    pub creator: String,
}

/// One member's part of a broadcast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BroadcastTask {
    pub msgid: String,
    pub userid: String,
    /// Seconds; `None` while the member has not confirmed.
    pub sent_at: Option<i64>,
    pub recipients: Vec<Recipient>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// Or a chat_id.
    pub external_userid: String,
    /// 0 not sent, 1 sent, 2 not a friend, 3 quota used.
    pub status: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    pub moment_id: String,
    pub jobid: String,
    /// Milliseconds.
    pub created_at: i64,
    pub message: Value,
    /// Everybody the member knows may see it, or only customers with certain tags.
    pub is_public: bool,
    pub is_cancelled: bool,
    pub invalid_senders: Vec<String>,
    pub invalid_departments: Vec<i64>,
    pub invalid_tags: Vec<String>,
    /// Key of the member who made it; empty: the app.
    #[serde(default)]
    pub creator: String,
}

/// One member's part of a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MomentTask {
    pub moment_id: String,
    pub userid: String,
    /// Milliseconds; `None` until the member publishes.
    pub published_at: Option<i64>,
    /// Customers chosen to see it; after publishing, those who really can.
    pub customers: Vec<String>,
    /// Who and when, in seconds.
    pub likes: Vec<(String, i64)>,
    pub comments: Vec<(String, i64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    pub media_id: String,
    pub kind: String,
    /// Made by `upload_attachment` for moments; the two sorts cannot stand for each other.
    pub is_for_moments: bool,
    /// Milliseconds.
    pub created_at: i64,
}

/// A welcome code, alive for 20 s.
#[derive(Debug, Clone)]
pub struct Welcome {
    pub userid: String,
    pub external_userid: String,
    pub issued_at: Timestamp,
    pub is_used: bool,
}

/// A sign-in code: one use, 5 minutes.
#[derive(Debug, Clone)]
pub struct Code {
    pub person: String,
    pub issued_at: Timestamp,
    pub is_used: bool,
    pub wants_details: bool,
}

/// What the app sent to a member.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    pub at: Timestamp,
    pub msgid: String,
    pub body: Value,
}

/// What is written to the journal, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    App,
    Department,
    Member,
    Customer,
    Relation,
    TagGroup,
    Broadcast,
    BroadcastTask,
    Moment,
    MomentTask,
    Media,
    ContactWay,
    AcquisitionLink,
    Group,
    JoinWay,
    GroupWelcome,
    Transfer,
    Behaviour,
    AlbumItem,
}

/// Kind and id within a corp; pairs have a space between.
pub type Key = (Kind, String);

/// A member and a customer, or a task and a member.
pub type Pair = (String, String);

pub struct Corp {
    pub app: App,
    pub departments: BTreeMap<i64, Department>,
    pub members: BTreeMap<String, Member>,
    pub customers: HashMap<String, Customer>,
    relations: BTreeMap<Pair, Relation>,
    followers: HashMap<String, BTreeSet<String>>,
    pub tag_groups: BTreeMap<String, TagGroup>,
    pub broadcasts: BTreeMap<String, Broadcast>,
    pub broadcast_tasks: BTreeMap<Pair, BroadcastTask>,
    pub moments: BTreeMap<String, Moment>,
    pub moment_tasks: BTreeMap<Pair, MomentTask>,
    pub media: HashMap<String, Media>,
    pub contact_ways: BTreeMap<String, ContactWay>,
    pub links: BTreeMap<String, Link>,
    pub groups: BTreeMap<String, Group>,
    pub join_ways: BTreeMap<String, JoinWay>,
    pub group_welcomes: BTreeMap<String, GroupWelcome>,
    /// By customer and number.
    pub transfers: BTreeMap<Pair, Transfer>,
    /// Transfers that wait, by the moment they take effect in milliseconds.
    pub transfers_due: BTreeSet<(i64, Pair)>,
    /// By member and day.
    pub behaviour: BTreeMap<Pair, Behaviour>,
    pub album: BTreeMap<String, AlbumItem>,
    pub welcomes: HashMap<String, Welcome>,
    pub codes: HashMap<String, Code>,
    /// Whose details a `user_ticket` opens, and since when.
    pub tickets: HashMap<String, (String, Timestamp)>,
    pub notices: HashMap<String, VecDeque<Notice>>,
    /// Callbacks to send once the world is let go of.
    pub events: Vec<Event>,
    pub changed: BTreeSet<Key>,
    pub rng: StdRng,
}

impl Corp {
    pub fn new(app: App, seed: u64) -> Self {
        Self {
            app,
            departments: BTreeMap::new(),
            members: BTreeMap::new(),
            customers: HashMap::new(),
            relations: BTreeMap::new(),
            followers: HashMap::new(),
            tag_groups: BTreeMap::new(),
            broadcasts: BTreeMap::new(),
            broadcast_tasks: BTreeMap::new(),
            moments: BTreeMap::new(),
            moment_tasks: BTreeMap::new(),
            media: HashMap::new(),
            contact_ways: BTreeMap::new(),
            links: BTreeMap::new(),
            groups: BTreeMap::new(),
            join_ways: BTreeMap::new(),
            group_welcomes: BTreeMap::new(),
            transfers: BTreeMap::new(),
            transfers_due: BTreeSet::new(),
            behaviour: BTreeMap::new(),
            album: BTreeMap::new(),
            welcomes: HashMap::new(),
            codes: HashMap::new(),
            tickets: HashMap::new(),
            notices: HashMap::new(),
            events: Vec::new(),
            changed: BTreeSet::new(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    pub fn touch(&mut self, kind: Kind, id: impl Into<String>) {
        self.changed.insert((kind, id.into()));
    }

    pub fn put_member(&mut self, mut member: Member) {
        if member.status == 0 {
            member.status = 1;
        }
        let key = member.userid.to_lowercase();
        self.touch(Kind::Member, &key);
        self.members.insert(key, member);
    }

    pub fn put_customer(&mut self, customer: Customer) {
        self.touch(Kind::Customer, &customer.external_userid);
        self.customers.insert(customer.external_userid.clone(), customer);
    }

    pub fn put_group(&mut self, group: TagGroup) {
        self.touch(Kind::TagGroup, &group.group_id);
        self.tag_groups.insert(group.group_id.clone(), group);
    }

    pub fn put_relation(&mut self, mut relation: Relation) {
        relation.userid = relation.userid.to_lowercase();
        let pair = (relation.userid.clone(), relation.external_userid.clone());
        self.touch(Kind::Relation, join(&pair));
        self.followers
            .entry(pair.1.clone())
            .or_default()
            .insert(pair.0.clone());
        self.relations.insert(pair, relation);
    }

    pub fn remove_relation(&mut self, member: &str, customer: &str) -> Option<Relation> {
        let pair = (member.to_owned(), customer.to_owned());
        let relation = self.relations.remove(&pair)?;
        if let Some(followers) = self.followers.get_mut(customer) {
            followers.remove(member);
        }
        self.touch(Kind::Relation, join(&pair));
        Some(relation)
    }

    /// The pair as the member and the customer stand now, whatever the standing.
    pub fn relation(&self, member: &str, customer: &str) -> Option<&Relation> {
        self.relations.get(&(member.to_owned(), customer.to_owned()))
    }

    /// The same, to be changed: it is written to the journal afterwards.
    pub fn relation_mut(&mut self, member: &str, customer: &str) -> Option<&mut Relation> {
        let pair = (member.to_owned(), customer.to_owned());
        let relation = self.relations.get_mut(&pair)?;
        self.changed.insert((Kind::Relation, join(&pair)));
        Some(relation)
    }

    pub fn is_friend(&self, member: &str, customer: &str) -> bool {
        self.relation(member, customer)
            .is_some_and(|relation| relation.standing == Standing::Friend)
    }

    /// A member's pairs that the platform shows, in the order of ids, after the given customer.
    pub fn customers_of<'a>(
        &'a self,
        member: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Relation> + use<'a> {
        let member = member.to_owned();
        let from = (member.clone(), after.unwrap_or_default().to_owned());
        let after = after.map(str::to_owned);
        self.relations
            .range(from..)
            .take_while(move |(pair, _)| pair.0 == member)
            .filter(move |(pair, _)| after.as_deref() != Some(pair.1.as_str()))
            .map(|(_, relation)| relation)
            .filter(|relation| relation.standing != Standing::Pending)
    }

    /// A customer's pairs that the platform shows.
    pub fn followers_of<'a>(&'a self, customer: &'a str) -> impl Iterator<Item = &'a Relation> {
        self.followers
            .get(customer)
            .into_iter()
            .flatten()
            .filter_map(move |member| self.relation(member, customer))
            .filter(|relation| relation.standing != Standing::Pending)
    }

    pub fn tag(&self, id: &str) -> Option<(&TagGroup, &Tag)> {
        self.tag_groups
            .values()
            .find_map(|group| group.tags.iter().find(|tag| tag.id == id).map(|tag| (group, tag)))
    }

    /// Takes tags off every pair that carries them.
    pub fn untag_everybody(&mut self, tag_ids: &[String]) {
        for (pair, relation) in &mut self.relations {
            let before = relation.tag_ids.len();
            relation.tag_ids.retain(|id| !tag_ids.contains(id));
            if relation.tag_ids.len() != before {
                self.changed.insert((Kind::Relation, join(pair)));
            }
        }
    }

    /// Parts of a task, one a member.
    pub fn tasks_of<'a, T>(
        tasks: &'a BTreeMap<Pair, T>,
        id: &str,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let id = id.to_owned();
        tasks
            .range((id.clone(), String::new())..)
            .take_while(move |(pair, _)| pair.0 == id)
            .map(|(_, task)| task)
    }

    /// A random id: the prefix, then letters and digits up to `length` characters.
    pub fn new_id(&mut self, prefix: &str, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let rest = length.saturating_sub(prefix.len());
        let letters = (0..rest).map(|_| char::from(LETTERS[self.rng.random_range(0..LETTERS.len())]));
        prefix.chars().chain(letters).collect()
    }
}

pub fn join(pair: &Pair) -> String {
    format!("{} {}", pair.0, pair.1)
}

fn split(id: &str) -> Option<Pair> {
    let (left, right) = id.split_once(' ')?;
    Some((left.to_owned(), right.to_owned()))
}

/// To and from the journal.
impl Corp {
    /// An entity as JSON; `None` when it is gone.
    pub fn value(&self, kind: Kind, id: &str) -> Option<Value> {
        fn json<T: Serialize>(entity: Option<&T>) -> Option<Value> {
            entity.map(|entity| serde_json::to_value(entity).expect("plain data is JSON"))
        }
        match kind {
            Kind::App => json(Some(&self.app)),
            Kind::Department => json(id.parse().ok().and_then(|id: i64| self.departments.get(&id))),
            Kind::Member => json(self.members.get(id)),
            Kind::Customer => json(self.customers.get(id)),
            Kind::Relation => json(split(id).and_then(|pair| self.relations.get(&pair))),
            Kind::TagGroup => json(self.tag_groups.get(id)),
            Kind::Broadcast => json(self.broadcasts.get(id)),
            Kind::BroadcastTask => json(split(id).and_then(|pair| self.broadcast_tasks.get(&pair))),
            Kind::Moment => json(self.moments.get(id)),
            Kind::MomentTask => json(split(id).and_then(|pair| self.moment_tasks.get(&pair))),
            Kind::Media => json(self.media.get(id)),
            Kind::ContactWay => json(self.contact_ways.get(id)),
            Kind::AcquisitionLink => json(self.links.get(id)),
            Kind::Group => json(self.groups.get(id)),
            Kind::JoinWay => json(self.join_ways.get(id)),
            Kind::GroupWelcome => json(self.group_welcomes.get(id)),
            Kind::Transfer => json(split(id).and_then(|pair| self.transfers.get(&pair))),
            Kind::Behaviour => json(split(id).and_then(|pair| self.behaviour.get(&pair))),
            Kind::AlbumItem => json(self.album.get(id)),
        }
    }

    /// Puts an entity back as the journal holds it.
    ///
    /// # Errors
    /// When the value is not of its kind.
    pub fn restore(&mut self, kind: Kind, id: &str, value: Value) -> anyhow::Result<()> {
        use serde_json::from_value;
        let pair = || split(id).ok_or_else(|| anyhow::anyhow!("`{id}` is not a pair"));
        match kind {
            Kind::App => self.app = from_value(value)?,
            Kind::Department => {
                self.departments.insert(id.parse()?, from_value(value)?);
            }
            Kind::Member => {
                self.members.insert(id.to_owned(), from_value(value)?);
            }
            Kind::Customer => {
                self.customers.insert(id.to_owned(), from_value(value)?);
            }
            Kind::Relation => self.put_relation(from_value(value)?),
            Kind::TagGroup => {
                self.tag_groups.insert(id.to_owned(), from_value(value)?);
            }
            Kind::Broadcast => {
                self.broadcasts.insert(id.to_owned(), from_value(value)?);
            }
            Kind::BroadcastTask => {
                self.broadcast_tasks.insert(pair()?, from_value(value)?);
            }
            Kind::Moment => {
                self.moments.insert(id.to_owned(), from_value(value)?);
            }
            Kind::MomentTask => {
                self.moment_tasks.insert(pair()?, from_value(value)?);
            }
            Kind::Media => {
                self.media.insert(id.to_owned(), from_value(value)?);
            }
            Kind::ContactWay => {
                self.contact_ways.insert(id.to_owned(), from_value(value)?);
            }
            Kind::AcquisitionLink => {
                self.links.insert(id.to_owned(), from_value(value)?);
            }
            Kind::Group => {
                self.groups.insert(id.to_owned(), from_value(value)?);
            }
            Kind::JoinWay => {
                self.join_ways.insert(id.to_owned(), from_value(value)?);
            }
            Kind::GroupWelcome => {
                self.group_welcomes.insert(id.to_owned(), from_value(value)?);
            }
            Kind::Transfer => self.put_transfer(from_value(value)?),
            Kind::Behaviour => {
                self.behaviour.insert(pair()?, from_value(value)?);
            }
            Kind::AlbumItem => {
                self.album.insert(id.to_owned(), from_value(value)?);
            }
        }
        Ok(())
    }
}

/// A token of a corp's app.
#[derive(Debug, Clone)]
pub struct Token {
    pub corpid: String,
    pub expires_at: Timestamp,
}

#[derive(Default)]
pub struct World {
    pub corps: HashMap<String, Corp>,
    pub tokens: HashMap<String, Token>,
    /// The token `gettoken` gives out now, by corp.
    pub current_tokens: HashMap<String, String>,
    pub failed_tokens: FailedTokens,
}

/// Failed `gettoken` calls of the running hour: 2,000 of them close the door for the rest of it.
#[derive(Default)]
pub struct FailedTokens {
    pub since_ms: i64,
    pub count: u32,
}
