//! What goes wrong, on demand: faults for a number of calls, and knobs for how slow, patchy or strict the platform is.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The platform refuses with this errcode and does nothing.
    Errcode(i64),
    /// A bare HTTP status, nothing done.
    Status(u16),
    /// HTTP 200 with a page instead of JSON, nothing done.
    Html,
    /// Waits before the call is looked at. Goes together with one other fault.
    DelayMs(u64),
    /// The connection breaks; nothing was done.
    DropBefore,
    /// The call has its effect; then the connection breaks.
    EffectThenDrop,
    /// The call has its effect; then a bare HTTP status.
    EffectThenStatus(u16),
    /// The call has its effect; the JSON is cut in half.
    Truncated,
    /// The page's cursor leads back to it: the next call gets the same page again.
    RepeatedCursor,
}

/// A fault for the next `times` calls of an API (`externalcontact/get`), or of any (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub api: String,
    pub fault: Fault,
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

/// How the platform behaves when nothing special was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    pub token_life_s: i64,
    /// Tokens given out from now on end so much earlier than they say.
    pub token_cut_s: i64,
    /// `list`, `get` and `batch/get_by_user` answer pairs as they were so long ago: 84061 after an add, a pair still
    /// listed after it was deleted. Counts for what happens while it is set.
    pub read_lag_ms: i64,
    /// How long every call takes.
    pub answer_ms: u64,
    /// For so long after its creation a broadcast answers 41063.
    pub dispatch_ms: i64,
    /// How long the job that creates a moment takes.
    pub moment_job_ms: i64,
    /// Jobs that make moments at a time; more are refused (41078).
    pub moment_jobs: usize,
    /// Moments of the corp that one customer is shown in a day. The platform's number is not published.
    pub moments_shown_a_day: usize,
    /// Every other page of a list holds fewer items than asked for, as visibility filtering leaves them.
    pub short_pages: bool,
    /// After every page that is not the last comes one with nothing in it, and a cursor that goes on.
    pub empty_pages: bool,
    /// Answers and events as a later platform may give them: fields nobody knows, and a number nobody knows wherever a
    /// kind or a state stands.
    pub from_the_future: bool,
    /// Times of answers come as text.
    pub times_as_text: bool,
    /// Of 100 pages that are not the last, how many have a cursor that leads back to them.
    pub repeated_cursors: u32,
    /// Calls of one API by one corp in a minute; the next ones get 45009 for 60 s.
    pub calls_per_minute: u32,
    /// The same in an hour; the next ones get 45009 for 60 minutes.
    pub calls_per_hour: u32,
    /// The same for one address, all corps together.
    pub calls_per_minute_of_address: u32,
    pub calls_per_hour_of_address: u32,
    /// APIs with an hour of their own.
    pub calls_per_hour_of: BTreeMap<String, u32>,
    /// App messages to one member; more are accepted and never shown.
    pub messages_per_minute: usize,
    pub messages_per_hour: usize,
    /// Calls of one API by one corp at a time; more get 45033. Those not listed have no limit.
    pub concurrency: BTreeMap<String, u32>,
    pub corp_tag_ceiling: usize,
    pub customers_per_member: usize,
    /// Pairs of the whole corp.
    pub customers_per_corp: usize,
    /// Contact ways and join ways of a corp together.
    pub ways_ceiling: usize,
    /// Customers that acquisition links may bring, all in all.
    pub acquisition_quota: usize,
    /// People in a customer group, and how many may have come by its code.
    pub group_ceiling: usize,
    pub group_code_ceiling: usize,
    /// For so long after a change a group is read as it was.
    pub group_lag_ms: i64,
    /// Groups one member may be given in a day.
    pub groups_handed_a_day: usize,
    /// How long a customer is asked before a transfer takes effect.
    pub transfer_wait_ms: i64,
    /// Transfers of a customer in 90 days.
    pub transfers_in_90_days: usize,
    /// A transfer that fails is not told.
    pub transfer_fail_untold: bool,
    /// How long after a member left the customers are listed as unassigned.
    pub unassigned_after_ms: i64,
    /// Hour of the day (in Shanghai) from which yesterday's statistics are there.
    pub statistics_ready_hour: u32,
    /// Of 100 callbacks, how many are lost, come twice, come late and out of order.
    pub callbacks_dropped: u32,
    pub callbacks_doubled: u32,
    pub callbacks_shuffled: u32,
    /// Waits before every callback.
    pub callback_delay_ms: u64,
    pub callback_timeout_ms: u64,
    pub callback_retry_pause_ms: u64,
    /// The fields of an event come in any order.
    pub callback_fields_shuffled: bool,
    /// `CreateTime` is rounded down to so many seconds: events of a minute look like one second's.
    pub callback_time_step_s: i64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            token_life_s: 7_200,
            token_cut_s: 0,
            read_lag_ms: 0,
            answer_ms: 0,
            dispatch_ms: 1_000,
            moment_job_ms: 1_000,
            moment_jobs: 100,
            moments_shown_a_day: usize::MAX,
            short_pages: false,
            empty_pages: false,
            from_the_future: false,
            times_as_text: false,
            repeated_cursors: 0,
            calls_per_minute: 10_000,
            calls_per_hour: 150_000,
            calls_per_minute_of_address: 20_000,
            calls_per_hour_of_address: 600_000,
            calls_per_hour_of: BTreeMap::from([
                ("get_jsapi_ticket".to_owned(), 400),
                ("ticket/get".to_owned(), 100),
            ]),
            messages_per_minute: 30,
            messages_per_hour: 1_000,
            concurrency: BTreeMap::from([("externalcontact/mark_tag".to_owned(), 5)]),
            corp_tag_ceiling: 3_000,
            customers_per_member: 20_000,
            customers_per_corp: 10_000_000,
            ways_ceiling: 500_000,
            acquisition_quota: 10_000,
            group_ceiling: 500,
            group_code_ceiling: 200,
            group_lag_ms: 0,
            groups_handed_a_day: 300,
            transfer_wait_ms: DAY_MS,
            transfers_in_90_days: 2,
            transfer_fail_untold: false,
            unassigned_after_ms: 60_000,
            statistics_ready_hour: 10,
            callbacks_dropped: 0,
            callbacks_doubled: 0,
            callbacks_shuffled: 0,
            callback_delay_ms: 0,
            callback_timeout_ms: 5_000,
            callback_retry_pause_ms: 1_000,
            callback_fields_shuffled: false,
            callback_time_step_s: 1,
        }
    }
}

/// What a call meets on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    pub delay_ms: u64,
    pub fault: Option<Fault>,
}

#[derive(Default)]
pub struct Rules {
    pub knobs: Arc<Knobs>,
    pub plans: Vec<Plan>,
    windows: HashMap<String, HashMap<&'static str, Windows>>,
    /// The same by address.
    windows_of: HashMap<IpAddr, HashMap<&'static str, Windows>>,
    /// Calls under way, by corp and API, of the APIs whose number is limited.
    under_way: HashMap<(String, String), u32>,
}

/// Calls of one API by one corp, or from one address.
#[derive(Default)]
struct Windows {
    minute: Window,
    hour: Window,
}

impl Windows {
    fn admit(&mut self, a_minute: u32, an_hour: u32, now: Timestamp) -> bool {
        self.minute.admits(a_minute, MINUTE_MS, now) && self.hour.admits(an_hour, HOUR_MS, now)
    }
}

/// Calls in the running minute or hour.
#[derive(Default)]
struct Window {
    number: i64,
    calls: u32,
    blocked_until: i64,
}

impl Window {
    /// Counts a call; over the limit the door is shut for a whole length.
    fn admits(&mut self, limit: u32, length_ms: i64, now: Timestamp) -> bool {
        if now.0 < self.blocked_until {
            return false;
        }
        let number = now.0.div_euclid(length_ms);
        if self.number != number {
            *self = Self {
                number,
                ..Self::default()
            };
        }
        self.calls += 1;
        if self.calls > limit {
            self.blocked_until = now.0 + length_ms;
        }
        self.calls <= limit
    }
}

impl Rules {
    /// Takes what was planned for a call of this API: every delay, and the first other fault.
    pub fn take(&mut self, api: &str) -> Fate {
        let mut fate = Fate::default();
        for plan in &mut self.plans {
            if plan.times == 0 || (plan.api != "*" && plan.api != api) {
                continue;
            }
            match plan.fault {
                Fault::DelayMs(ms) => fate.delay_ms += ms,
                other if fate.fault.is_none() => fate.fault = Some(other),
                _ => continue,
            }
            plan.times -= 1;
        }
        self.plans.retain(|plan| plan.times > 0);
        fate
    }

    /// Counts a call; `false` when the corp calls this API too often, or everybody at this address together.
    pub fn admits(&mut self, corpid: &str, from: IpAddr, api: &'static str, now: Timestamp) -> bool {
        let of_address = self.windows_of.entry(from).or_default().entry(api).or_default();
        let (a_minute, an_hour) = (
            self.knobs.calls_per_minute_of_address,
            self.knobs.calls_per_hour_of_address,
        );
        if !of_address.admit(a_minute, an_hour, now) {
            return false;
        }
        let an_hour = self.knobs.calls_per_hour_of.get(api);
        let an_hour = *an_hour.unwrap_or(&self.knobs.calls_per_hour);
        let a_minute = self.knobs.calls_per_minute;
        if !self.windows.contains_key(corpid) {
            self.windows.insert(corpid.to_owned(), HashMap::new());
        }
        let Some(of_corp) = self.windows.get_mut(corpid) else {
            return true;
        };
        of_corp.entry(api).or_default().admit(a_minute, an_hour, now)
    }

    /// Counts a call as under way. `None`: this API has no limit; else whether there are too many, this one included.
    pub fn enter(&mut self, corpid: &str, api: &str) -> Option<bool> {
        let limit = *self.knobs.concurrency.get(api)?;
        let key = (corpid.to_owned(), api.to_owned());
        let calls = self.under_way.entry(key).or_default();
        *calls += 1;
        Some(*calls > limit)
    }

    /// The call is over.
    pub fn leave(&mut self, corpid: &str, api: &str) {
        let key = (corpid.to_owned(), api.to_owned());
        if let Some(calls) = self.under_way.get_mut(&key) {
            *calls = calls.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_plan_is_used_up_and_delays_go_with_another_fault() {
        let plan = |fault, times| Plan {
            api: "user/get".into(),
            fault,
            times,
        };
        let mut rules = Rules {
            plans: vec![
                plan(Fault::DelayMs(5), 2),
                plan(Fault::Errcode(-1), 1),
                plan(Fault::Html, 1),
            ],
            ..Rules::default()
        };
        assert_eq!(rules.take("user/list"), Fate::default());
        assert_eq!(
            rules.take("user/get"),
            Fate {
                delay_ms: 5,
                fault: Some(Fault::Errcode(-1))
            }
        );
        assert_eq!(
            rules.take("user/get"),
            Fate {
                delay_ms: 5,
                fault: Some(Fault::Html)
            }
        );
        assert_eq!(rules.take("user/get"), Fate::default());
    }

    #[test]
    fn an_address_has_a_limit_of_its_own_whichever_corp_calls() {
        let mut rules = Rules {
            knobs: Arc::new(Knobs {
                calls_per_minute_of_address: 2,
                calls_per_hour_of: BTreeMap::from([("ticket/get".to_owned(), 1)]),
                ..Knobs::default()
            }),
            ..Rules::default()
        };
        let (at, there) = (Timestamp::from_seconds, IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)));
        assert!(rules.admits("ww1", HERE, "user/get", at(0)));
        assert!(rules.admits("ww2", HERE, "user/get", at(0)));
        assert!(!rules.admits("ww3", HERE, "user/get", at(1)));
        assert!(rules.admits("ww3", there, "user/get", at(1)));
        assert!(rules.admits("ww1", HERE, "user/get", at(61)));
        assert!(rules.admits("ww1", there, "ticket/get", at(0)));
        assert!(!rules.admits("ww1", there, "ticket/get", at(70)));
    }

    #[test]
    fn a_minute_too_busy_is_blocked_for_sixty_seconds() {
        let mut rules = Rules {
            knobs: Arc::new(Knobs {
                calls_per_minute: 2,
                calls_per_hour: 3,
                ..Knobs::default()
            }),
            ..Rules::default()
        };
        let at = |s| Timestamp::from_seconds(s);
        assert!(rules.admits("ww", HERE, "user/get", at(0)));
        assert!(rules.admits("ww", HERE, "user/get", at(1)));
        assert!(!rules.admits("ww", HERE, "user/get", at(2)));
        assert!(!rules.admits("ww", HERE, "user/get", at(61)));
        assert!(rules.admits("ww", HERE, "user/list", at(2)));
        assert!(rules.admits("ww", HERE, "user/get", at(62)));
        // The fourth in the hour: those that the minute refused do not count.
        assert!(!rules.admits("ww", HERE, "user/get", at(63)));
        assert!(!rules.admits("ww", HERE, "user/get", at(3_600)));
    }
}
