//! What was sold and what came back; each order credited by the product's own rule.

use rand::RngExt;

use super::chain::*;
use super::names;
use crate::ids::*;
use crate::money::Fen;
use crate::orders::attribution::{Candidate, Decision, Sold, SoldLine, Source, decide};
use crate::time::{DAY_MS, Day, HOUR_MS, MINUTE_MS, Timestamp};

/// Orders a store takes on an ordinary day.
const ORDERS_A_DAY: f64 = 19.0;

pub(super) fn grow(chain: &mut Chain, growing: &mut Growing) {
    let touches = Touches::of(chain);
    let from_links = bought_through_links(chain, growing);
    for (click, at) in from_links {
        let contact = chain.clicks[click].contact;
        let link = &chain.links[chain.clicks[click].link];
        let store = link.store;
        order(
            chain,
            growing,
            &touches,
            Wanted {
                store,
                is_online: true,
                at,
                contact,
                click: Some(click),
                seller: None,
            },
        );
    }
    let live = chain.live_periods();
    let mut regulars: Vec<Vec<usize>> = vec![Vec::new(); chain.stores.len()];
    for (index, contact) in chain.contacts.iter().enumerate() {
        if !live[index].is_empty() {
            regulars[contact.home_store].push(index);
        }
    }
    for day in chain.first_day().through(chain.last_day()).collect::<Vec<Day>>() {
        for (store, regulars) in regulars.iter().enumerate() {
            ordinary_day(chain, growing, &touches, regulars, store, day);
        }
    }
    chain.orders.sort_by_key(|order| order.paid_at);
    refunds(chain, growing);
}

/// Clicks and deliveries of each contact, for the rule's candidates.
struct Touches {
    clicks: Vec<Vec<usize>>,
    deliveries: Vec<Vec<(usize, Timestamp, CampaignId)>>,
    first_follow: Vec<Option<usize>>,
}

impl Touches {
    fn of(chain: &Chain) -> Self {
        let mut touches = Self {
            clicks: vec![Vec::new(); chain.contacts.len()],
            deliveries: vec![Vec::new(); chain.contacts.len()],
            first_follow: vec![None; chain.contacts.len()],
        };
        for (index, click) in chain.clicks.iter().enumerate() {
            if let Some(contact) = click.contact {
                touches.clicks[contact].push(index);
            }
        }
        for campaign in &chain.campaigns {
            for delivery in &campaign.deliveries {
                if let Some(at) = delivery.sent_at {
                    touches.deliveries[delivery.contact].push((delivery.associate, at, campaign.id));
                }
            }
        }
        for (index, period) in chain.periods.iter().enumerate() {
            let first = &mut touches.first_follow[period.contact];
            if first.is_none_or(|first| chain.periods[first].from > period.from) {
                *first = Some(index);
            }
        }
        touches
    }
}

struct Wanted {
    store: usize,
    is_online: bool,
    at: Timestamp,
    contact: Option<usize>,
    click: Option<usize>,
    seller: Option<usize>,
}

/// One identified click in five leads to an order within two days.
fn bought_through_links(chain: &Chain, growing: &mut Growing) -> Vec<(usize, Timestamp)> {
    let mut bought = Vec::new();
    for (index, click) in chain.clicks.iter().enumerate() {
        if click.contact.is_some() && growing.percent(21) {
            let at = click
                .at
                .plus_ms(growing.random.random_range(3 * MINUTE_MS..40 * HOUR_MS));
            if at < chain.options.until {
                bought.push((index, at));
            }
        }
    }
    bought
}

fn ordinary_day(
    chain: &mut Chain,
    growing: &mut Growing,
    touches: &Touches,
    regulars: &[usize],
    store: usize,
    day: Day,
) {
    const WEEK: [f64; 7] = [0.8, 0.8, 0.85, 0.9, 1.1, 1.5, 1.35];
    let age = chain.last_day().since(day) as f64 / chain.options.days.max(1) as f64;
    let size = 0.7 + 0.6 * ((store * 7 % 12) as f64 / 12.0);
    // The last day is only as old as the clock says.
    let part = if day == chain.last_day() {
        day_passed(chain)
    } else {
        1.0
    };
    let wanted = ORDERS_A_DAY * WEEK[day.weekday() as usize] * size * (1.12 - 0.2 * age) * part;
    let spread = growing.random.random_range(0.75..1.25);
    for _ in 0..(wanted * spread).round() as i64 {
        let at = growing.shopping_time(day, chain.options.zone, chain.options.until);
        let is_online = growing.percent(14);
        let knows = growing.percent(if is_online { 90 } else { 45 }) && !regulars.is_empty();
        let contact = knows.then(|| *growing.pick(regulars)).filter(|contact| {
            touches.first_follow[*contact].is_some_and(|period| chain.periods[period].from < at)
        });
        let seller = (!is_online && growing.percent(55)).then(|| {
            let team = chain.associates.len() / chain.stores.len();
            store + chain.stores.len() * growing.random.random_range(0..team.max(1))
        });
        order(
            chain,
            growing,
            touches,
            Wanted {
                store,
                is_online,
                at,
                contact,
                click: None,
                seller,
            },
        );
    }
}

fn day_passed(chain: &Chain) -> f64 {
    let start = chain.last_day().start(chain.options.zone);
    let open = (chain.options.until.0 - start.0 - 10 * HOUR_MS) as f64 / (12 * HOUR_MS) as f64;
    open.clamp(0.0, 1.0)
}

fn order(chain: &mut Chain, growing: &mut Growing, touches: &Touches, wanted: Wanted) {
    let id = OrderId(growing.id());
    let lines = basket(growing);
    let decision = credit(chain, touches, &wanted, &lines);
    let day = wanted.at.day(chain.options.zone).to_string().replace('-', "");
    let order_no = format!(
        "{}{day}{:06}",
        if wanted.is_online { "M" } else { "T" },
        chain.orders.len()
    );
    let Wanted {
        store,
        is_online,
        at,
        contact,
        click,
        seller,
    } = wanted;
    chain.orders.push(OrderSeed {
        id,
        order_no,
        store,
        is_online,
        paid_at: at,
        contact,
        click,
        seller,
        lines,
        decision,
    });
}

fn basket(growing: &mut Growing) -> Vec<LineSeed> {
    let count = if growing.percent(68) {
        1
    } else {
        growing.random.random_range(2..=3)
    };
    let mut lines: Vec<LineSeed> = Vec::with_capacity(count);
    while lines.len() < count {
        let product = growing.random.random_range(0..names::PRODUCTS.len());
        if lines.iter().any(|line| line.product == product) {
            continue;
        }
        let quantity = if growing.percent(93) { 1 } else { 2 };
        let list_fen = Chain::product_price(product) * quantity;
        let discount = *growing.pick(&[100i64, 100, 100, 95, 90, 85, 80]);
        lines.push(LineSeed {
            product,
            quantity,
            paid_fen: list_fen * discount / 100,
            list_fen,
        });
    }
    lines
}

/// The candidates as the product gathers them, decided by the product's rule.
fn credit(chain: &Chain, touches: &Touches, wanted: &Wanted, lines: &[LineSeed]) -> Decision {
    let store_of = |associate: usize| chain.store_of(associate).id;
    let seller = wanted
        .seller
        .map(|seller| (chain.associates[seller].id, Some(store_of(seller))));
    let sold = Sold {
        paid_at: wanted.at,
        store: chain.stores[wanted.store].id,
        lines: lines
            .iter()
            .map(|line| SoldLine {
                paid: Fen(line.paid_fen),
                by: seller,
            })
            .collect(),
    };
    let mut candidates = Vec::new();
    if let Some(click) = wanted.click {
        candidates.push(click_candidate(chain, click, Source::Link));
    }
    if let Some(contact) = wanted.contact {
        let near = |at: Timestamp, days: i64| at <= wanted.at && wanted.at.0 - at.0 <= days * DAY_MS;
        candidates.extend(
            touches.clicks[contact]
                .iter()
                .filter(|click| near(chain.clicks[**click].at, 30))
                .map(|click| click_candidate(chain, *click, Source::Click)),
        );
        candidates.extend(
            touches.deliveries[contact]
                .iter()
                .filter(|(_, at, _)| near(*at, 7))
                .map(|(associate, at, campaign)| Candidate {
                    associate: Some(chain.associates[*associate].id),
                    store: Some(store_of(*associate)),
                    campaign: Some(*campaign),
                    ..bare(Source::Delivery, Some(*at))
                }),
        );
        if let Some(period) = touches.first_follow[contact].map(|period| &chain.periods[period])
            && near(period.from, chain.rule.binding_days)
        {
            candidates.push(Candidate {
                associate: Some(chain.associates[period.associate].id),
                store: Some(store_of(period.associate)),
                ..bare(Source::Binding, Some(period.from))
            });
        }
        let home = chain.stores[chain.contacts[contact].home_store].id;
        candidates.push(Candidate {
            store: Some(home),
            ..bare(Source::HomeStore, None)
        });
    }
    decide(&sold, candidates, &chain.rule)
}

fn click_candidate(chain: &Chain, index: usize, source: Source) -> Candidate {
    let click = &chain.clicks[index];
    let link = &chain.links[click.link];
    Candidate {
        touch: Some(click.id.0),
        associate: link.associate.map(|associate| chain.associates[associate].id),
        store: Some(chain.stores[link.store].id),
        link: Some(link.id),
        campaign: link.campaign,
        moment: link.moment,
        ..bare(source, Some(click.at))
    }
}

fn bare(source: Source, at: Option<Timestamp>) -> Candidate {
    Candidate {
        source,
        touch: None,
        associate: None,
        store: None,
        link: None,
        campaign: None,
        moment: None,
        at,
    }
}

fn refunds(chain: &mut Chain, growing: &mut Growing) {
    for index in 0..chain.orders.len() {
        let order = &chain.orders[index];
        if !growing.percent(if order.is_online { 6 } else { 2 }) {
            continue;
        }
        let refunded_at = order
            .paid_at
            .plus_ms(growing.random.random_range(6 * HOUR_MS..9 * DAY_MS));
        if refunded_at >= chain.options.until {
            continue;
        }
        let first = order.lines[0].paid_fen;
        let refund_fen = if growing.percent(60) {
            order.paid_fen()
        } else {
            first
        };
        let refund_no = format!("R{}", order.order_no);
        let id = RefundId(growing.id());
        chain.refunds.push(RefundSeed {
            id,
            refund_no,
            order: index,
            refunded_at,
            refund_fen,
        });
    }
}
