//! The rule as a pure function: candidates and a rule version in, credits and verdicts out. No database.

use crate::ids::{AssociateId, CampaignId, LinkId, MomentId, StoreId};
use crate::money::Fen;
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// A version of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributionRule {
    pub version: i64,
    pub click_days: i64,
    pub delivery_hours: i64,
    pub delivery_earns: bool,
    pub binding_days: i64,
}

impl Default for AttributionRule {
    fn default() -> Self {
        Self {
            version: 1,
            click_days: 7,
            delivery_hours: 24,
            delivery_earns: false,
            binding_days: 30,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Line,
    Link,
    Click,
    Delivery,
    Binding,
    HomeStore,
    DefaultStore,
}

impl Source {
    pub const ALL: [Self; 7] = [
        Self::Line,
        Self::Link,
        Self::Click,
        Self::Delivery,
        Self::Binding,
        Self::HomeStore,
        Self::DefaultStore,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Link => "link",
            Self::Click => "click",
            Self::Delivery => "delivery",
            Self::Binding => "binding",
            Self::HomeStore => "home_store",
            Self::DefaultStore => "default_store",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// Whether the mini-store link brought the buyer.
    pub fn is_by_link(self) -> bool {
        matches!(self, Self::Link | Self::Click)
    }
}

/// Something that could have earned the order. `store` is the associate's at touch time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub source: Source,
    pub touch: Option<i64>,
    pub associate: Option<AssociateId>,
    pub store: Option<StoreId>,
    pub link: Option<LinkId>,
    pub campaign: Option<CampaignId>,
    pub moment: Option<MomentId>,
    /// When it happened; of a binding, when it was last renewed.
    pub at: Option<Timestamp>,
}

impl Candidate {
    /// One that names nobody yet.
    pub fn new(source: Source, at: Option<Timestamp>) -> Self {
        Self {
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
}

/// The order as the rule sees it.
#[derive(Debug, Clone)]
pub struct Sold {
    pub paid_at: Timestamp,
    pub store: StoreId,
    pub lines: Vec<SoldLine>,
}

/// A line: what was paid and, if the till said so, by whom (with the store at that time).
#[derive(Debug, Clone, Copy)]
pub struct SoldLine {
    pub paid: Fen,
    pub by: Option<(AssociateId, Option<StoreId>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    pub source: Source,
    pub touch: Option<i64>,
    pub associate: Option<AssociateId>,
    pub store: StoreId,
    pub link: Option<LinkId>,
    pub campaign: Option<CampaignId>,
    pub moment: Option<MomentId>,
    pub paid: Fen,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Add up to what was paid.
    pub credits: Vec<Credit>,
    /// In the order of the rule, each with its verdict.
    pub candidates: Vec<(Candidate, &'static str)>,
}

/// Why a candidate won or did not, as kept with the order.
pub mod verdict {
    pub const WON: &str = "won";
    pub const AFTER_PAYMENT: &str = "after_payment";
    pub const OUTSIDE_WINDOW: &str = "outside_window";
    pub const EXPIRED: &str = "expired";
    pub const NOT_ENABLED: &str = "not_enabled";
    pub const UNKNOWN_LINK: &str = "unknown_link";
    /// A later touch of the same kind won.
    pub const LATER_TOUCH: &str = "later_touch";
    /// A rule above had credited everything.
    pub const LOWER_RULE: &str = "lower_rule";
    pub const NOTHING_PAID: &str = "nothing_paid";
}

/// First match wins, in the order of [`Source`]; within a source the latest touch before payment. A touch that
/// names no store earns for the order's own store.
pub fn decide(sold: &Sold, candidates: Vec<Candidate>, rule: &AttributionRule) -> Decision {
    let (mut credits, mut judged) = by_line(sold);
    let rest: Fen = lines_without_associate(sold).sum();
    let is_open = rest > Fen::ZERO || credits.is_empty();
    let mut winner: Option<Candidate> = None;
    for candidate in in_order(sold, candidates) {
        let verdict = match refusal(sold, &candidate, rule) {
            Some(reason) => reason,
            None if !is_open => verdict::LOWER_RULE,
            None => match &winner {
                None => {
                    winner = Some(candidate.clone());
                    verdict::WON
                }
                Some(winner) if winner.source == candidate.source => verdict::LATER_TOUCH,
                Some(_) => verdict::LOWER_RULE,
            },
        };
        judged.push((candidate, verdict));
    }
    credits.extend(winner.map(|winner| credit(&winner, sold.store, rest)));
    Decision {
        credits,
        candidates: judged,
    }
}

fn lines_without_associate(sold: &Sold) -> impl Iterator<Item = Fen> {
    sold.lines
        .iter()
        .filter(|line| line.by.is_none())
        .map(|line| line.paid)
}

/// The lines the till gave to somebody, one credit a person. A gift earns nothing unless nothing at all was paid.
fn by_line(sold: &Sold) -> (Vec<Credit>, Vec<(Candidate, &'static str)>) {
    let mut earned: Vec<(Candidate, Fen)> = Vec::new();
    for line in &sold.lines {
        let Some((associate, store)) = line.by else {
            continue;
        };
        match earned
            .iter_mut()
            .find(|(known, _)| known.associate == Some(associate))
        {
            Some((_, sum)) => *sum += line.paid,
            None => {
                let mut candidate = Candidate::new(Source::Line, Some(sold.paid_at));
                candidate.associate = Some(associate);
                candidate.store = store;
                earned.push((candidate, line.paid));
            }
        }
    }
    let is_free = sold.lines.iter().all(|line| line.paid == Fen::ZERO);
    let mut credits = Vec::new();
    let mut judged = Vec::new();
    for (candidate, paid) in earned {
        let earns = paid > Fen::ZERO || (is_free && credits.is_empty());
        if earns {
            credits.push(credit(&candidate, sold.store, paid));
        }
        let verdict = if earns {
            verdict::WON
        } else {
            verdict::NOTHING_PAID
        };
        judged.push((candidate, verdict));
    }
    (credits, judged)
}

/// Rule by rule, the latest first; the order's own store comes last and always fits.
fn in_order(sold: &Sold, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut default = Candidate::new(Source::DefaultStore, None);
    default.store = Some(sold.store);
    candidates.push(default);
    candidates.sort_by_key(|candidate| {
        (
            candidate.source,
            std::cmp::Reverse((candidate.at, candidate.touch)),
        )
    });
    candidates
}

fn refusal(sold: &Sold, candidate: &Candidate, rule: &AttributionRule) -> Option<&'static str> {
    if candidate.at.is_some_and(|at| at > sold.paid_at) {
        return Some(verdict::AFTER_PAYMENT);
    }
    let age_ms = candidate.at.map_or(0, |at| sold.paid_at.0 - at.0);
    match candidate.source {
        Source::Link if candidate.link.is_none() => Some(verdict::UNKNOWN_LINK),
        Source::Click if age_ms > rule.click_days * DAY_MS => Some(verdict::OUTSIDE_WINDOW),
        Source::Delivery if age_ms > rule.delivery_hours * HOUR_MS => Some(verdict::OUTSIDE_WINDOW),
        Source::Delivery if !rule.delivery_earns => Some(verdict::NOT_ENABLED),
        Source::Binding if age_ms >= rule.binding_days * DAY_MS => Some(verdict::EXPIRED),
        _ => None,
    }
}

fn credit(candidate: &Candidate, own_store: StoreId, paid: Fen) -> Credit {
    Credit {
        source: candidate.source,
        touch: candidate.touch,
        associate: candidate.associate,
        store: candidate.store.unwrap_or(own_store),
        link: candidate.link,
        campaign: candidate.campaign,
        moment: candidate.moment,
        paid,
    }
}

#[cfg(test)]
mod tests;
