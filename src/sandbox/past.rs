//! What reads still see: with a lag set, `list`, `get` and `batch` answer pairs as they were that long ago.

use std::collections::{BTreeMap, VecDeque};

use super::world::Relation;
use crate::time::Timestamp;

/// Former states of pairs, oldest first. Changes are remembered only while a lag is set.
#[derive(Default)]
pub struct Past {
    now_ms: i64,
    lag_ms: i64,
    formers: VecDeque<Former>,
}

struct Former {
    member: String,
    customer: String,
    /// When it stopped being so.
    until: Timestamp,
    /// `None`: there was no such pair.
    was: Option<Relation>,
}

impl Past {
    /// Says when the next changes happen, and how far reads are behind.
    pub fn begin(&mut self, now: Timestamp, lag_ms: i64) {
        self.now_ms = now.0;
        self.lag_ms = lag_ms;
    }

    pub fn is_kept(&self) -> bool {
        self.lag_ms > 0
    }

    pub fn keep(&mut self, member: &str, customer: &str, was: Option<Relation>) {
        while self
            .formers
            .front()
            .is_some_and(|former| former.until.0 + self.lag_ms <= self.now_ms)
        {
            self.formers.pop_front();
        }
        self.formers.push_back(Former {
            member: member.to_owned(),
            customer: customer.to_owned(),
            until: Timestamp(self.now_ms),
            was,
        });
    }

    /// A member's pairs that were otherwise at that time, by customer.
    pub fn of_member(&self, member: &str, at: Timestamp) -> BTreeMap<&str, Option<&Relation>> {
        let of_this = |former: &&Former| former.member == member;
        self.at(at, of_this, |former| former.customer.as_str())
    }

    /// A customer's pairs that were otherwise at that time, by member.
    pub fn of_customer(&self, customer: &str, at: Timestamp) -> BTreeMap<&str, Option<&Relation>> {
        let of_this = |former: &&Former| former.customer == customer;
        self.at(at, of_this, |former| former.member.as_str())
    }

    /// The oldest state that ended after `at` is the one of then.
    fn at<'a>(
        &'a self,
        at: Timestamp,
        wanted: impl Fn(&&'a Former) -> bool,
        key: impl Fn(&'a Former) -> &'a str,
    ) -> BTreeMap<&'a str, Option<&'a Relation>> {
        let mut states = BTreeMap::new();
        let later = self.formers.iter().filter(|former| former.until > at);
        for former in later.filter(wanted) {
            states.entry(key(former)).or_insert(former.was.as_ref());
        }
        states
    }
}
