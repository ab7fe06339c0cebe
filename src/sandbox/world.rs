//! The world the simulator keeps: corps with their people, relations, tags, tasks. Plain data, indexed, no HTTP.
//!
//! Members are keyed by their userid in lower case, as the platform compares them. Every change of something that
//! outlives a restart marks its key in [`Corp::changed`], from which the journal is written.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::acquisition::Link;
use super::album::AlbumItem;
use super::apps::App;
use super::callbacks::Event;
use super::contact_ways::ContactWay;
use super::crowd::{Crowd, new_id};
use super::group_welcomes::GroupWelcome;
use super::groups::Group;
use super::handover::Transfer;
use super::join_ways::JoinWay;
use super::media::Files;
use super::pairs::Pairs;
use super::past::Past;
use super::people::People;
use super::statistics::Behaviour;
use super::word::{Word, Words};
use crate::time::Timestamp;

/// How many broadcasts a customer may get, counted over the whole corp when a member confirms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Department {
    pub id: i64,
    pub name: String,
    #[serde(default)]
    pub parentid: i64,
    #[serde(default)]
    pub order: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// The console welcomes this member's customers: events carry no welcome code.
    #[serde(default)]
    pub has_console_welcome: bool,
    /// Has not verified the real name (40098).
    #[serde(default)]
    pub is_unverified: bool,
    /// Banned (40143), or has not signed in for a year (40205): cannot be given customers.
    #[serde(default)]
    pub is_banned: bool,
    #[serde(default)]
    pub is_long_away: bool,
    /// The userid was changed, which is possible once.
    #[serde(default)]
    pub is_renamed: bool,
    /// When a member of status 5 left, in seconds.
    #[serde(default)]
    pub left_at: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    #[default]
    Friend,
    /// The customer deleted the member; the pair can still be read.
    OneWay,
    /// The customer asked; the member has not accepted.
    Pending,
    /// The customer added the member, who has not taken it up; the app has heard of it but cannot read it.
    Half,
}

impl Standing {
    /// Whether `list` and `get` show such a pair.
    pub fn is_readable(self) -> bool {
        matches!(self, Self::Friend | Self::OneWay)
    }
}

/// A member and a customer. A pair the member deleted is not there at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Relation {
    pub userid: String,
    pub external_userid: String,
    #[serde(default)]
    pub standing: Standing,
    /// Seconds.
    pub createtime: i64,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub tag_ids: Vec<Word>,
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
    pub welcome: Option<Box<Value>>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TagGroup {
    pub group_id: String,
    pub group_name: String,
    #[serde(default)]
    pub create_time: i64,
    #[serde(default)]
    pub order: i64,
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Made in the console: no app may edit or delete it (40068).
    #[serde(default)]
    pub is_console_made: bool,
    /// The app that made it: no other may edit or delete it (40068). Unknown: any may.
    #[serde(default)]
    pub made_by: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tag {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub create_time: i64,
    #[serde(default)]
    pub order: i64,
    /// As for a group; a tag and its group may have different makers.
    #[serde(default)]
    pub is_console_made: bool,
    #[serde(default)]
    pub made_by: Option<i64>,
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
    /// The member may leave some of the customers out.
    #[serde(default)]
    pub may_choose: bool,
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
    /// When, and by which app.
    pub used: Option<(Timestamp, i64)>,
    /// An app that came at the same instant has been told so (41096).
    pub was_contested: bool,
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
    Crowd,
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
    /// The first app. The corp's own settings (id, name, quota) stand with it.
    pub app: App,
    pub more_apps: Vec<App>,
    /// Those who were there from the beginning, grown from a number; the journal holds only the number.
    pub crowd: Option<Crowd>,
    pub departments: BTreeMap<i64, Department>,
    pub members: BTreeMap<String, Member>,
    pub customers: People,
    pub(super) relations: Pairs,
    pub past: Past,
    words: Words,
    pub tag_groups: BTreeMap<String, TagGroup>,
    /// The group of each tag.
    grouped: HashMap<String, String>,
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
    /// When an app's messages reached a member, in milliseconds: those of the last hour.
    pub noticed: HashMap<(i64, String), VecDeque<i64>>,
    pub files: Files,
    /// Callbacks to send once the world is let go of.
    pub events: Vec<Event>,
    pub changed: BTreeSet<Key>,
    /// Whether there is a journal that wants to know of changes.
    pub is_journaled: bool,
    pub rng: StdRng,
}

impl Corp {
    pub fn new(app: App, seed: u64) -> Self {
        Self {
            app,
            more_apps: Vec::new(),
            crowd: None,
            departments: BTreeMap::new(),
            members: BTreeMap::new(),
            customers: People::default(),
            relations: Pairs::default(),
            past: Past::default(),
            words: Words::default(),
            tag_groups: BTreeMap::new(),
            grouped: HashMap::new(),
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
            noticed: HashMap::new(),
            files: Files::default(),
            events: Vec::new(),
            changed: BTreeSet::new(),
            is_journaled: true,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    pub fn touch(&mut self, kind: Kind, id: impl Into<String>) {
        if self.is_journaled {
            self.changed.insert((kind, id.into()));
        }
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
        self.customers.put(customer);
    }

    pub fn put_group(&mut self, group: TagGroup) {
        self.touch(Kind::TagGroup, &group.group_id);
        for tag in &group.tags {
            self.grouped.insert(tag.id.clone(), group.group_id.clone());
        }
        self.tag_groups.insert(group.group_id.clone(), group);
    }

    pub fn remove_group(&mut self, id: &str) {
        self.touch(Kind::TagGroup, id);
        self.tag_groups.remove(id);
    }

    /// The one copy of a text that many pairs hold.
    pub fn word(&mut self, text: &str) -> Word {
        self.words.keep(text)
    }

    pub fn put_relation(&mut self, mut relation: Relation) {
        relation.userid = relation.userid.to_lowercase();
        for tag in &mut relation.tag_ids {
            *tag = self.words.keep(tag);
        }
        self.remember(&relation.userid, &relation.external_userid);
        self.touch(
            Kind::Relation,
            pair_id(&relation.userid, &relation.external_userid),
        );
        self.relations.put(relation);
    }

    pub fn remove_relation(&mut self, member: &str, customer: &str) -> Option<Relation> {
        self.remember(member, customer);
        let relation = self.relations.remove(member, customer)?;
        self.touch(Kind::Relation, pair_id(member, customer));
        Some(relation)
    }

    /// Keeps how a pair stands before a change, for reads that lag.
    fn remember(&mut self, member: &str, customer: &str) {
        if self.past.is_kept() {
            let was = self.relations.get(member, customer).cloned();
            self.past.keep(member, customer, was);
        }
    }

    /// The pair as the member and the customer stand now, whatever the standing.
    pub fn relation(&self, member: &str, customer: &str) -> Option<&Relation> {
        self.relations.get(member, customer)
    }

    /// The same, to be changed: it is written to the journal afterwards.
    pub fn relation_mut(&mut self, member: &str, customer: &str) -> Option<&mut Relation> {
        self.remember(member, customer);
        if self.is_journaled && self.relations.get(member, customer).is_some() {
            self.changed.insert((Kind::Relation, pair_id(member, customer)));
        }
        self.relations.get_mut(member, customer)
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
        self.relations
            .of_member(member, after)
            .filter(|relation| relation.standing.is_readable())
    }

    /// A customer's pairs that the platform shows, in the order of members.
    pub fn followers_of<'a>(&'a self, customer: &'a str) -> impl Iterator<Item = &'a Relation> {
        let pairs = self.relations.of_customer(customer);
        let mut shown: Vec<&Relation> = pairs.filter(|relation| relation.standing.is_readable()).collect();
        shown.sort_unstable_by_key(|relation| relation.userid.as_str());
        shown.into_iter()
    }

    /// [`Self::customers_of`] as it was at that time.
    pub fn customers_at<'a>(
        &'a self,
        member: &str,
        after: Option<&str>,
        at: Timestamp,
    ) -> Box<dyn Iterator<Item = &'a Relation> + 'a> {
        let formers = self.past.of_member(member, at);
        if formers.is_empty() {
            return Box::new(self.customers_of(member, after));
        }
        let now = self.relations.of_member(member, after);
        let mut pairs: BTreeMap<&str, Option<&Relation>> = now
            .map(|pair| (pair.external_userid.as_str(), Some(pair)))
            .collect();
        pairs.extend(
            formers
                .into_iter()
                .filter(|(id, _)| after.is_none_or(|after| *id > after)),
        );
        Box::new(
            pairs
                .into_values()
                .flatten()
                .filter(|pair| pair.standing.is_readable()),
        )
    }

    /// [`Self::followers_of`] as it was at that time.
    pub fn followers_at<'a>(&'a self, customer: &'a str, at: Timestamp) -> Vec<&'a Relation> {
        let formers = self.past.of_customer(customer, at);
        if formers.is_empty() {
            return self.followers_of(customer).collect();
        }
        let now = self.relations.of_customer(customer);
        let mut pairs: BTreeMap<&str, Option<&Relation>> =
            now.map(|pair| (pair.userid.as_str(), Some(pair))).collect();
        pairs.extend(formers);
        let shown = pairs.into_values().flatten();
        shown.filter(|pair| pair.standing.is_readable()).collect()
    }

    pub fn tag(&self, id: &str) -> Option<(&TagGroup, &Tag)> {
        let group = self.tag_groups.get(self.grouped.get(id)?)?;
        let tag = group.tags.iter().find(|tag| tag.id == id)?;
        Some((group, tag))
    }

    /// Takes tags off every pair that carries them.
    pub fn untag_everybody(&mut self, tag_ids: &[String]) {
        for relation in self.relations.values_mut() {
            let before = relation.tag_ids.len();
            relation
                .tag_ids
                .retain(|id| !tag_ids.iter().any(|gone| *id == *gone));
            if relation.tag_ids.len() != before && self.is_journaled {
                let id = pair_id(&relation.userid, &relation.external_userid);
                self.changed.insert((Kind::Relation, id));
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
        new_id(&mut self.rng, prefix, length)
    }
}

pub fn join(pair: &Pair) -> String {
    pair_id(&pair.0, &pair.1)
}

fn pair_id(left: &str, right: &str) -> String {
    format!("{left} {right}")
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
            Kind::Crowd => json(self.crowd.as_ref()),
            Kind::App => json(self.app_by_id(id)),
            Kind::Department => json(id.parse().ok().and_then(|id: i64| self.departments.get(&id))),
            Kind::Member => json(self.members.get(id)),
            Kind::Customer => json(self.customers.get(id)),
            Kind::Relation => {
                json(split(id).and_then(|(member, customer)| self.relations.get(&member, &customer)))
            }
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
            Kind::Crowd => self.grow(from_value(value)?),
            Kind::App => self.restore_app(id, from_value(value)?),
            Kind::Department => {
                self.departments.insert(id.parse()?, from_value(value)?);
            }
            Kind::Member => {
                self.members.insert(id.to_owned(), from_value(value)?);
            }
            Kind::Customer => self.customers.put(from_value(value)?),
            Kind::Relation => self.put_relation(from_value(value)?),
            Kind::TagGroup => self.put_group(from_value(value)?),
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

/// Takes away what an earlier line of the journal put there.
impl Corp {
    pub fn forget(&mut self, kind: Kind, id: &str) {
        let pair = split(id).unwrap_or_default();
        match kind {
            Kind::Crowd => self.crowd = None,
            Kind::App => self.more_apps.retain(|app| app.agent_id.to_string() != id),
            Kind::Department => self.departments.retain(|held, _| held.to_string() != id),
            Kind::Member => drop(self.members.remove(id)),
            // Customers are never taken out.
            Kind::Customer => {}
            Kind::Relation => drop(self.relations.remove(&pair.0, &pair.1)),
            Kind::TagGroup => drop(self.tag_groups.remove(id)),
            Kind::Broadcast => drop(self.broadcasts.remove(id)),
            Kind::BroadcastTask => drop(self.broadcast_tasks.remove(&pair)),
            Kind::Moment => drop(self.moments.remove(id)),
            Kind::MomentTask => drop(self.moment_tasks.remove(&pair)),
            Kind::Media => drop(self.media.remove(id)),
            Kind::ContactWay => drop(self.contact_ways.remove(id)),
            Kind::AcquisitionLink => drop(self.links.remove(id)),
            Kind::Group => drop(self.groups.remove(id)),
            Kind::JoinWay => drop(self.join_ways.remove(id)),
            Kind::GroupWelcome => drop(self.group_welcomes.remove(id)),
            // What was handed over stays on record.
            Kind::Transfer => {}
            Kind::Behaviour => drop(self.behaviour.remove(&pair)),
            Kind::AlbumItem => drop(self.album.remove(id)),
        }
    }
}

/// A token of an app.
#[derive(Debug, Clone)]
pub struct Token {
    pub corpid: String,
    pub agent_id: i64,
    /// As it was said when it was given out.
    pub expires_at: Timestamp,
    /// As it really is: the platform may end a token early.
    pub dies_at: Timestamp,
}

pub struct World {
    pub corps: HashMap<String, Corp>,
    pub tokens: HashMap<String, Token>,
    /// The token `gettoken` gives out now, by corp and app.
    pub current_tokens: HashMap<(String, i64), String>,
    pub failed_tokens: FailedTokens,
    pub rng: StdRng,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            corps: HashMap::new(),
            tokens: HashMap::new(),
            current_tokens: HashMap::new(),
            failed_tokens: FailedTokens::default(),
            rng: StdRng::seed_from_u64(seed),
        }
    }
}

/// Failed `gettoken` calls of the running hour: 2,000 of them close the door for the rest of it.
#[derive(Default)]
pub struct FailedTokens {
    pub since_ms: i64,
    pub count: u32,
}
