//! The rule as tables: what is known about an order, and who earns it.

use super::*;

const HOUR: i64 = HOUR_MS;
const DAY: i64 = DAY_MS;
const PAID: Timestamp = Timestamp(1_000 * DAY_MS);
const OWN: StoreId = StoreId(1);

fn sold(lines: &[(i64, Option<i64>)]) -> Sold {
    Sold {
        paid_at: PAID,
        store: OWN,
        lines: lines
            .iter()
            .map(|(paid, by)| SoldLine {
                paid: Fen(*paid),
                by: by.map(|by| (AssociateId(by), Some(StoreId(by * 10)))),
            })
            .collect(),
    }
}

/// A touch by associate `by` of store `by * 10`, so many milliseconds before payment.
fn touch(source: Source, by: i64, before_ms: i64) -> Candidate {
    let mut touch = Candidate::new(source, Some(PAID.plus_ms(-before_ms)));
    touch.touch = Some(by);
    touch.associate = Some(AssociateId(by));
    touch.store = Some(StoreId(by * 10));
    touch.link = source.is_by_link().then_some(LinkId(by));
    touch
}

fn home(store: i64) -> Candidate {
    let mut home = Candidate::new(Source::HomeStore, None);
    home.store = Some(StoreId(store));
    home
}

/// `source associate store fen` of each credit.
fn credits(decision: &Decision) -> Vec<String> {
    let show = |credit: &Credit| {
        let associate = credit.associate.map_or(0, |associate| associate.0);
        format!(
            "{} {associate} {} {}",
            credit.source.as_str(),
            credit.store,
            credit.paid.0
        )
    };
    decision.credits.iter().map(show).collect()
}

fn verdicts(decision: &Decision) -> Vec<String> {
    let show = |(candidate, verdict): &(Candidate, &str)| format!("{} {verdict}", candidate.source.as_str());
    decision.candidates.iter().map(show).collect()
}

#[test]
fn the_first_rule_that_fits_earns() {
    use Source::*;
    let delivery_earns = AttributionRule {
        delivery_earns: true,
        ..AttributionRule::default()
    };
    let rule = AttributionRule::default();
    let cases: Vec<(&str, Vec<Candidate>, AttributionRule, &str)> = vec![
        ("nothing known", vec![], rule, "default_store 0 1 900"),
        ("home store", vec![home(7)], rule, "home_store 0 7 900"),
        (
            "binding over home",
            vec![home(7), touch(Binding, 5, DAY)],
            rule,
            "binding 5 50 900",
        ),
        (
            "binding on its last day",
            vec![touch(Binding, 5, 30 * DAY - 1)],
            rule,
            "binding 5 50 900",
        ),
        (
            "binding that ended",
            vec![touch(Binding, 5, 30 * DAY), home(7)],
            rule,
            "home_store 0 7 900",
        ),
        (
            "delivery only assists",
            vec![touch(Delivery, 4, HOUR), home(7)],
            rule,
            "home_store 0 7 900",
        ),
        (
            "delivery where enabled",
            vec![touch(Delivery, 4, HOUR), home(7)],
            delivery_earns,
            "delivery 4 40 900",
        ),
        (
            "delivery at 24 h",
            vec![touch(Delivery, 4, 24 * HOUR)],
            delivery_earns,
            "delivery 4 40 900",
        ),
        (
            "delivery past 24 h",
            vec![touch(Delivery, 4, 24 * HOUR + 1)],
            delivery_earns,
            "default_store 0 1 900",
        ),
        (
            "click at 7 days",
            vec![touch(Click, 3, 7 * DAY)],
            rule,
            "click 3 30 900",
        ),
        (
            "click past 7 days",
            vec![touch(Click, 3, 7 * DAY + 1)],
            rule,
            "default_store 0 1 900",
        ),
        (
            "click after payment",
            vec![touch(Click, 3, -1)],
            rule,
            "default_store 0 1 900",
        ),
        (
            "the later click",
            vec![touch(Click, 3, 3 * HOUR), touch(Click, 8, HOUR)],
            rule,
            "click 8 80 900",
        ),
        (
            "click over binding",
            vec![touch(Binding, 5, DAY), touch(Click, 3, DAY)],
            rule,
            "click 3 30 900",
        ),
        (
            "link over a later click",
            vec![touch(Click, 3, HOUR), touch(Link, 2, 9 * DAY)],
            rule,
            "link 2 20 900",
        ),
        (
            "a link nobody knows",
            vec![Candidate::new(Link, None), home(7)],
            rule,
            "home_store 0 7 900",
        ),
    ];
    for (name, candidates, rule, earns) in cases {
        let decision = decide(&sold(&[(900, None)]), candidates, &rule);
        assert_eq!(credits(&decision), [earns], "{name}");
    }
}

#[test]
fn lines_with_an_associate_go_first_and_the_rest_by_the_next_rule() {
    let click = || vec![touch(Source::Click, 3, HOUR)];
    let cases: Vec<(&str, Sold, Vec<&str>)> = vec![
        (
            "all by one",
            sold(&[(500, Some(2)), (400, Some(2))]),
            vec!["line 2 20 900"],
        ),
        (
            "two people and a rest",
            sold(&[(500, Some(2)), (300, None), (100, Some(4))]),
            vec!["line 2 20 500", "line 4 40 100", "click 3 30 300"],
        ),
        (
            "a gift earns nothing",
            sold(&[(500, Some(2)), (0, Some(4)), (0, None)]),
            vec!["line 2 20 500"],
        ),
        (
            "all given away",
            sold(&[(0, Some(2)), (0, Some(4))]),
            vec!["line 2 20 0"],
        ),
        ("given away by nobody", sold(&[(0, None)]), vec!["click 3 30 0"]),
    ];
    for (name, sold, earns) in cases {
        let decision = decide(&sold, click(), &AttributionRule::default());
        assert_eq!(credits(&decision), earns, "{name}");
        let paid: Fen = sold.lines.iter().map(|line| line.paid).sum();
        let credited: Fen = decision.credits.iter().map(|credit| credit.paid).sum();
        assert_eq!(credited, paid, "{name}");
    }
}

#[test]
fn every_candidate_is_kept_with_its_verdict() {
    use Source::*;
    let candidates = vec![
        home(7),
        touch(Delivery, 4, HOUR),
        touch(Click, 3, 3 * HOUR),
        touch(Click, 3, -5),
        touch(Click, 3, 2 * HOUR),
        touch(Click, 3, 8 * DAY),
        touch(Binding, 5, DAY),
    ];
    let decision = decide(&sold(&[(900, None)]), candidates, &AttributionRule::default());
    assert_eq!(
        verdicts(&decision),
        [
            "click after_payment",
            "click won",
            "click later_touch",
            "click outside_window",
            "delivery not_enabled",
            "binding lower_rule",
            "home_store lower_rule",
            "default_store lower_rule",
        ]
    );
}

#[test]
fn a_touch_without_a_store_earns_for_the_orders_own() {
    let mut link = touch(Source::Link, 2, HOUR);
    (link.store, link.associate) = (None, None);
    let decision = decide(&sold(&[(900, None)]), vec![link], &AttributionRule::default());
    assert_eq!(credits(&decision), ["link 0 1 900"]);
}
