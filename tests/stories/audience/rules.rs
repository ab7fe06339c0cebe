//! Rules made of chance: every leaf, as deep as a rule may be.

use dianyu::ids::{AssociateId, FieldId, LinkId, RegionId, StoreId, TagId};
use dianyu::segments::{Clicked, Gender, Messaged, Ordered, OwnField, Rfm, Rule, Stage, Within};
use rand::RngExt as _;
use rand::rngs::StdRng;

pub fn any(chance: &mut StdRng, depth: usize) -> Rule {
    if depth <= 1 || chance.random_ratio(2, 5) {
        return leaf(chance);
    }
    let parts = |chance: &mut StdRng| {
        let many = chance.random_range(1..4);
        (0..many).map(|_| any(chance, depth - 1)).collect()
    };
    match chance.random_range(0..3) {
        0 => Rule::All(parts(chance)),
        1 => Rule::Any(parts(chance)),
        _ => Rule::Not(Box::new(any(chance, depth - 1))),
    }
}

fn days(chance: &mut StdRng) -> i64 {
    [1, 7, 8, 30, 31, 90, 91, 400][chance.random_range(0..8)]
}

fn maybe<T>(chance: &mut StdRng, value: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    chance.random_ratio(1, 2).then(|| value(chance))
}

fn scores(chance: &mut StdRng) -> Vec<i64> {
    (1..=5).filter(|_| chance.random_ratio(2, 5)).collect()
}

fn leaf(chance: &mut StdRng) -> Rule {
    match chance.random_range(0..15) {
        0 => Rule::Tag(TagId(chance.random_range(39..48))),
        1 => Rule::Store(StoreId(chance.random_range(21..25))),
        2 => Rule::Region(RegionId(chance.random_range(11..14))),
        3 => Rule::Associate(AssociateId(chance.random_range(31..37))),
        4 => Rule::Channel(["spring", "door", "none"][chance.random_range(0..3)].into()),
        5 => Rule::Added(Within {
            within_days: days(chance),
        }),
        6 => Rule::Ordered(Ordered {
            within_days: days(chance),
            at_least: maybe(chance, |chance| chance.random_range(1..4)),
            category: maybe(chance, |chance| {
                ["dress", "shoes"][chance.random_range(0..2)].into()
            }),
            net_fen_at_least: maybe(chance, |chance| chance.random_range(1..90_000)),
        }),
        7 => Rule::Clicked(Clicked {
            within_days: days(chance),
            link: maybe(chance, |chance| LinkId(chance.random_range(5..8))),
        }),
        8 => {
            let at_least = maybe(chance, |chance| chance.random_range(1..3));
            let at_most = chance.random_range(0..4);
            Rule::Messaged(Messaged {
                within_days: days(chance),
                at_least,
                at_most: at_least.is_none_or(|least| least <= at_most).then_some(at_most),
            })
        }
        9 => {
            let stages = [
                Stage::New,
                Stage::Active,
                Stage::Cooling,
                Stage::Dormant,
                Stage::Lost,
            ];
            Rule::Stage(stages[chance.random_range(0..5)])
        }
        10 => Rule::Rfm(Rfm {
            r: scores(chance),
            f: scores(chance),
            m: vec![chance.random_range(1..=5)],
        }),
        11 => Rule::Gender([Gender::Unknown, Gender::Male, Gender::Female][chance.random_range(0..3)]),
        12 => Rule::Birthday(Within {
            within_days: days(chance),
        }),
        _ => own_field(chance),
    }
}

/// The fields of the crowd: a number, a choice, a text and a day, each with what may be known in it.
pub const FIELDS: [(FieldId, &str, [&str; 4]); 4] = [
    (FieldId(61), "number", ["-2", "9", "36", "38.5"]),
    (FieldId(62), "choice", ["金卡", "银卡", "铜卡", "黑卡"]),
    (FieldId(63), "text", ["10", "火锅", "面", "it's"]),
    (
        FieldId(64),
        "date",
        ["2025-12-31", "2026-01-01", "2026-03-08", "2026-11-23"],
    ),
];

fn own_field(chance: &mut StdRng) -> Rule {
    let (id, kind, values) = FIELDS[chance.random_range(0..4)];
    let is_measured = ["number", "date"].contains(&kind);
    let (first, last) = (chance.random_range(0..4), chance.random_range(0..4));
    let limit = |chance: &mut StdRng, place: usize| {
        maybe(chance, |_| values[place].to_owned()).filter(|_| is_measured)
    };
    let (from, to) = (limit(chance, first.min(last)), limit(chance, first.max(last)));
    let picked = values
        .iter()
        .filter(|_| !is_measured && chance.random_ratio(2, 5));
    Rule::Field(OwnField {
        id,
        is: picked.map(|value| (*value).to_owned()).collect(),
        from,
        to,
    })
}
