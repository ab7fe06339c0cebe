//! The chain, grown in memory from a number.

use chrono_tz::Tz;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{names, outreach, people, sales};
use crate::ids::*;
use crate::links::LinkTarget;
use crate::orders::attribution::{AttributionRule, Decision};
use crate::time::{DAY_MS, Day, HOUR_MS, MINUTE_MS, Timestamp};

/// How large, how long, from which number.
#[derive(Debug, Clone)]
pub struct ChainOptions {
    pub seed: u64,
    pub stores: usize,
    pub associates: usize,
    pub contacts: usize,
    /// Days of past.
    pub days: i64,
    /// Groups of twenty tags beside those of the demo; each contact carries at most one of a group.
    pub more_tag_groups: usize,
    /// The past ends here.
    pub until: Timestamp,
    pub zone: Tz,
    /// Where the mini-store is.
    pub mini_store: LinkTarget,
}

impl ChainOptions {
    /// Three regions, 12 stores, 120 associates, 20,000 contacts, 90 days.
    pub fn demo(until: Timestamp, mini_store: LinkTarget) -> Self {
        Self {
            seed: 20_261_123,
            stores: 12,
            associates: 120,
            contacts: 20_000,
            days: 90,
            more_tag_groups: 0,
            until,
            zone: chrono_tz::Asia::Shanghai,
            mini_store,
        }
    }
}

/// Everything the chain is and did. References between parts are ids.
pub struct Chain {
    pub options: ChainOptions,
    pub regions: Vec<RegionSeed>,
    pub stores: Vec<StoreSeed>,
    pub associates: Vec<AssociateSeed>,
    pub tag_groups: Vec<TagGroupGrown>,
    pub contacts: Vec<ContactSeed>,
    pub periods: Vec<PeriodSeed>,
    pub links: Vec<LinkSeed>,
    pub campaigns: Vec<CampaignSeed>,
    pub moments: Vec<MomentSeed>,
    pub clicks: Vec<ClickSeed>,
    pub orders: Vec<OrderSeed>,
    pub refunds: Vec<RefundSeed>,
    pub rule: AttributionRule,
}

pub struct RegionSeed {
    pub id: RegionId,
    pub name: String,
    pub department: i64,
}

pub struct StoreSeed {
    pub id: StoreId,
    pub code: String,
    pub name: String,
    pub region: RegionId,
    pub region_department: i64,
    pub department: i64,
}

pub struct AssociateSeed {
    pub id: AssociateId,
    pub userid: String,
    pub name: String,
    /// Index into `stores`.
    pub store: usize,
}

pub struct TagGroupGrown {
    pub id: TagGroupId,
    pub platform_id: String,
    pub name: String,
    pub tags: Vec<TagGrown>,
}

pub struct TagGrown {
    pub id: TagId,
    pub platform_id: String,
    pub name: String,
}

pub struct ContactSeed {
    pub id: ContactId,
    pub external_userid: String,
    pub unionid: String,
    pub name: String,
    pub gender: i64,
    pub birthday: Option<String>,
    pub phone: Option<String>,
    pub created_at: Timestamp,
    /// Ids of tags, on each live pair.
    pub tags: Vec<TagId>,
    /// Index into `stores`: of the first follow.
    pub home_store: usize,
}

/// One stretch of following; the last one of a pair is its present state.
pub struct PeriodSeed {
    pub id: i64,
    /// The pair's.
    pub follow: FollowId,
    /// Indexes.
    pub contact: usize,
    pub associate: usize,
    pub from: Timestamp,
    pub cause: &'static str,
    pub until: Option<(Timestamp, &'static str)>,
    pub channel: String,
    pub remark: String,
    pub is_last: bool,
}

pub struct LinkSeed {
    pub id: LinkId,
    pub code: String,
    pub title: String,
    /// Indexes into `stores` and `associates`.
    pub store: usize,
    pub associate: Option<usize>,
    pub campaign: Option<CampaignId>,
    pub moment: Option<MomentId>,
    pub created_at: Timestamp,
}

pub struct CampaignSeed {
    pub id: CampaignId,
    pub name: String,
    pub text: String,
    pub tag: TagId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub batches: Vec<BatchSeed>,
    pub deliveries: Vec<DeliverySeed>,
}

pub struct BatchSeed {
    pub id: BatchId,
    pub associate: usize,
    /// Index into `links`.
    pub link: usize,
    pub contacts: i64,
    pub msgid: String,
    pub confirmed_at: Option<Timestamp>,
}

pub struct DeliverySeed {
    pub contact: usize,
    pub associate: usize,
    /// Index into the campaign's batches; `None`: excluded.
    pub batch: Option<usize>,
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub sent_at: Option<Timestamp>,
}

pub struct MomentSeed {
    pub id: MomentId,
    pub text: String,
    pub starts_at: Timestamp,
    pub tasks: Vec<MomentTaskSeed>,
    /// Associate, contact, `like` or `comment`, when.
    pub interactions: Vec<(usize, usize, &'static str, Timestamp)>,
}

pub struct MomentTaskSeed {
    pub associate: usize,
    /// Index into `links`.
    pub link: usize,
    pub published_at: Option<Timestamp>,
    pub visible: i64,
}

pub struct ClickSeed {
    pub id: ClickId,
    /// Index into `links`.
    pub link: usize,
    pub token: String,
    pub contact: Option<usize>,
    pub at: Timestamp,
    /// `person`, `repeat` or `preview`.
    pub kind: &'static str,
}

pub struct OrderSeed {
    pub id: OrderId,
    pub order_no: String,
    /// Index into `stores`.
    pub store: usize,
    pub is_online: bool,
    pub paid_at: Timestamp,
    pub contact: Option<usize>,
    /// Index into `clicks`, when it was bought through a link.
    pub click: Option<usize>,
    /// Index into `associates`, where the till said who sold it.
    pub seller: Option<usize>,
    pub lines: Vec<LineSeed>,
    pub decision: Decision,
}

impl OrderSeed {
    pub fn paid_fen(&self) -> i64 {
        self.lines.iter().map(|line| line.paid_fen).sum()
    }
}

pub struct LineSeed {
    /// Index into [`names::PRODUCTS`].
    pub product: usize,
    pub quantity: i64,
    pub paid_fen: i64,
    pub list_fen: i64,
}

pub struct RefundSeed {
    pub id: RefundId,
    pub refund_no: String,
    /// Index into `orders`.
    pub order: usize,
    pub refunded_at: Timestamp,
    pub refund_fen: i64,
}

/// What grows: chance, ids, and the chain so far.
pub(super) struct Growing {
    pub random: StdRng,
    ids: Ids,
    start: Timestamp,
}

impl Growing {
    /// The next id. All of a seeded chain's ids lie before the first real one: their clock stands at the beginning.
    pub fn id(&self) -> i64 {
        self.ids.next(self.start)
    }

    pub fn percent(&mut self, of_hundred: u32) -> bool {
        self.random.random_range(0..100) < of_hundred
    }

    pub fn text(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| char::from(LETTERS[self.random.random_range(0..LETTERS.len())]))
            .collect()
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.random.random_range(0..of.len())]
    }

    /// An instant in a day's shopping hours (10 to 22), never after `until`.
    pub fn shopping_time(&mut self, day: Day, zone: Tz, until: Timestamp) -> Timestamp {
        // Evenings and late afternoons are busiest.
        const HOURS: [u8; 24] = [
            10, 11, 12, 12, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18, 18, 19, 19, 19, 19, 20, 20, 21, 21,
        ];
        let hour = i64::from(*self.pick(&HOURS));
        let within = self.random.random_range(0..HOUR_MS);
        let at = day.start(zone).plus_ms(hour * HOUR_MS + within);
        if at < until {
            at
        } else {
            until.plus_ms(-self.random.random_range(MINUTE_MS..HOUR_MS))
        }
    }
}

impl Chain {
    /// Grows the whole chain: the same options give the same chain.
    pub fn grow(options: ChainOptions) -> Self {
        let start = options.until.plus_ms(-(options.days + 400) * DAY_MS);
        let mut growing = Growing {
            random: StdRng::seed_from_u64(options.seed),
            ids: Ids::new(0, start),
            start,
        };
        let mut chain = Self {
            regions: Vec::new(),
            stores: Vec::new(),
            associates: Vec::new(),
            tag_groups: Vec::new(),
            contacts: Vec::new(),
            periods: Vec::new(),
            links: Vec::new(),
            campaigns: Vec::new(),
            moments: Vec::new(),
            clicks: Vec::new(),
            orders: Vec::new(),
            refunds: Vec::new(),
            rule: AttributionRule::default(),
            options,
        };
        people::grow(&mut chain, &mut growing);
        outreach::grow(&mut chain, &mut growing);
        sales::grow(&mut chain, &mut growing);
        chain
    }

    pub fn first_day(&self) -> Day {
        self.last_day().plus(-self.options.days)
    }

    pub fn last_day(&self) -> Day {
        self.options.until.day(self.options.zone)
    }

    pub fn store_of(&self, associate: usize) -> &StoreSeed {
        &self.stores[self.associates[associate].store]
    }

    pub fn tag(&self, name: &str) -> &TagGrown {
        self.tag_groups
            .iter()
            .flat_map(|group| &group.tags)
            .find(|tag| tag.name == name)
            .unwrap_or_else(|| panic!("`{name}` is one of the seed's tags"))
    }

    /// Periods of each contact that are still running, by contact index.
    pub(super) fn live_periods(&self) -> Vec<Vec<usize>> {
        let mut live = vec![Vec::new(); self.contacts.len()];
        for (index, period) in self.periods.iter().enumerate() {
            if period.until.is_none() {
                live[period.contact].push(index);
            }
        }
        live
    }

    pub(super) fn product_price(index: usize) -> i64 {
        names::PRODUCTS[index].price_fen
    }
}
