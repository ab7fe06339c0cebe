//! What a row must be before anything is looked up. Pure.

use std::fmt::Display;

use super::{Buyer, NewLine, NewOrder, NewProduct, NewRefund};
use crate::contacts::phone_digits;
use crate::error::Problem;
use crate::time::{DAY_MS, Timestamp};

/// 2015-01-01 in Shanghai: nothing we record is older.
pub const EARLIEST: Timestamp = Timestamp(1_420_041_600_000);
/// Ten billion yuan: any sum of a thousand chains' years still fits 64 bits.
const MAX_FEN: i64 = 1_000_000_000_000;
const MAX_QUANTITY: i64 = 1_000_000;
const MAX_LINES: usize = 500;

/// Problems found so far; each `check` adds one where its condition does not hold.
struct Problems(Vec<Problem>);

impl Problems {
    fn check(&mut self, holds: bool, pointer: impl Display, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Problem::new(pointer.to_string(), message()));
        }
    }

    fn length(&mut self, text: &str, at_least: usize, at_most: usize, pointer: impl Display) {
        let length = text.chars().count();
        self.check((at_least..=at_most).contains(&length), pointer, || {
            format!("has {length} characters; give {at_least} to {at_most}")
        });
    }

    fn amount(&mut self, fen: i64, pointer: impl Display) {
        self.check((0..=MAX_FEN).contains(&fen), pointer, || {
            format!("`{fen}` is not an amount; give fen from 0 to {MAX_FEN}")
        });
    }

    fn quantity(&mut self, quantity: i64, at_least: i64, pointer: impl Display) {
        self.check((at_least..=MAX_QUANTITY).contains(&quantity), pointer, || {
            format!("`{quantity}` is not between {at_least} and {MAX_QUANTITY}")
        });
    }

    fn instant(&mut self, at: Timestamp, now: Timestamp, pointer: impl Display) {
        self.check(at >= EARLIEST, &pointer, || {
            "lies before 2015; check the year".into()
        });
        self.check(at <= now.plus_ms(DAY_MS), &pointer, || {
            "lies more than a day ahead; check the zone and the clock".into()
        });
    }
}

pub(super) fn order(new: &NewOrder, now: Timestamp) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    problems.length(&new.order_no, 1, 64, "/order_no");
    problems.check(is_channel(&new.channel), "/channel", || {
        format!("`{}` is not a channel; give `mini_store` or `till`", new.channel)
    });
    problems.instant(new.paid_at, now, "/paid_at");
    problems.amount(new.paid_fen, "/paid_fen");
    if let Some(link_code) = &new.link_code {
        problems.length(link_code, 1, 64, "/link_code");
    }
    if let Some(buyer) = &new.buyer {
        check_buyer(&mut problems, buyer);
    }
    problems.check((1..=MAX_LINES).contains(&new.lines.len()), "/lines", || {
        format!("{} lines; give 1 to {MAX_LINES}", new.lines.len())
    });
    for (index, line) in new.lines.iter().enumerate() {
        check_line(&mut problems, line, index);
    }
    if problems.0.is_empty() {
        let sum: i64 = new.lines.iter().map(|line| line.paid_fen).sum();
        problems.check(sum == new.paid_fen, "/paid_fen", || {
            format!("`{}` is not the sum of the lines, {sum}", new.paid_fen)
        });
    }
    problems.0
}

fn is_channel(text: &str) -> bool {
    matches!(text, "mini_store" | "till")
}

fn check_line(problems: &mut Problems, line: &NewLine, index: usize) {
    let at = |field: &str| format!("/lines/{index}/{field}");
    problems.length(&line.sku, 1, 64, at("sku"));
    problems.length(&line.name, 0, 200, at("name"));
    problems.length(&line.category, 0, 100, at("category"));
    problems.quantity(line.quantity, 1, at("quantity"));
    problems.amount(line.paid_fen, at("paid_fen"));
    problems.amount(line.list_fen, at("list_fen"));
}

/// A buyer told without an order.
pub(super) fn buyer(buyer: &Buyer) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    check_buyer(&mut problems, buyer);
    problems.0
}

fn check_buyer(problems: &mut Problems, buyer: &Buyer) {
    let given: Vec<(&str, &String)> = kinds(buyer).collect();
    problems.check(given.len() == 1, "/buyer", || {
        format!(
            "{} ways to tell the buyer; give exactly one of external_userid, unionid, openid, phone, contact_id",
            given.len()
        )
    });
    for (kind, value) in given {
        problems.length(value, 1, 128, format!("/buyer/{kind}"));
        if kind == "phone" {
            problems.check(phone_digits(value).is_some(), "/buyer/phone", || {
                "is not a phone number; give its 5 to 15 digits".into()
            });
        }
    }
}

/// The ways of telling the buyer that are given.
pub(super) fn kinds(buyer: &Buyer) -> impl Iterator<Item = (&'static str, &String)> {
    [
        ("external_userid", &buyer.external_userid),
        ("unionid", &buyer.unionid),
        ("openid", &buyer.openid),
        ("phone", &buyer.phone),
        ("contact_id", &buyer.contact_id),
    ]
    .into_iter()
    .filter_map(|(kind, value)| value.as_ref().map(|value| (kind, value)))
}

pub(super) fn refund(new: &NewRefund, now: Timestamp) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    problems.length(&new.refund_no, 1, 64, "/refund_no");
    problems.length(&new.order_no, 1, 64, "/order_no");
    problems.instant(new.refunded_at, now, "/refunded_at");
    problems.amount(new.refund_fen, "/refund_fen");
    problems.check(new.lines.len() <= MAX_LINES, "/lines", || {
        format!("{} lines; give at most {MAX_LINES}", new.lines.len())
    });
    for (index, line) in new.lines.iter().enumerate() {
        let at = |field: &str| format!("/lines/{index}/{field}");
        problems.length(&line.sku, 1, 64, at("sku"));
        problems.quantity(line.quantity, 0, at("quantity"));
        problems.amount(line.refund_fen, at("refund_fen"));
    }
    if problems.0.is_empty() && !new.lines.is_empty() {
        let sum: i64 = new.lines.iter().map(|line| line.refund_fen).sum();
        problems.check(sum == new.refund_fen, "/refund_fen", || {
            format!("`{}` is not the sum of the lines, {sum}", new.refund_fen)
        });
    }
    problems.0
}

pub(super) fn product(new: &NewProduct) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    problems.length(&new.sku, 1, 64, "/sku");
    problems.length(&new.name, 1, 200, "/name");
    problems.length(&new.category, 0, 100, "/category");
    problems.length(&new.page, 0, 512, "/page");
    problems.amount(new.price_fen, "/price_fen");
    if let Some(status) = &new.status {
        problems.check(matches!(status.as_str(), "on" | "off"), "/status", || {
            format!("`{status}` is not `on` or `off`")
        });
    }
    problems.0
}
