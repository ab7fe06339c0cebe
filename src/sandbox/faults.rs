//! What goes wrong, on demand: faults for a number of calls, and knobs for how slow, patchy or strict the platform is.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::time::{DAY_MS, MINUTE_MS, Timestamp};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// A fault for the next `times` calls of an API (`externalcontact/get`), or of any (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    pub token_life_s: i64,
    /// For so long after an add the customer cannot be read (84061).
    pub read_lag_ms: i64,
    /// For so long after its creation a broadcast answers 41063.
    pub dispatch_ms: i64,
    /// How long the job that creates a moment takes.
    pub moment_job_ms: i64,
    /// Every other page of a list holds fewer items than asked for, as visibility filtering leaves them.
    pub short_pages: bool,
    /// Calls of one API by one corp in a minute; the next ones get 45009 for 60 s.
    pub calls_per_minute: u32,
    pub corp_tag_ceiling: usize,
    pub customers_per_member: usize,
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
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            token_life_s: 7_200,
            read_lag_ms: 0,
            dispatch_ms: 1_000,
            moment_job_ms: 1_000,
            short_pages: false,
            calls_per_minute: 10_000,
            corp_tag_ceiling: 3_000,
            customers_per_member: 20_000,
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
    pub knobs: Knobs,
    pub plans: Vec<Plan>,
    windows: HashMap<(String, &'static str), Window>,
}

/// Calls of one API by one corp in the running minute.
#[derive(Default)]
struct Window {
    minute: i64,
    calls: u32,
    blocked_until: i64,
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

    /// Counts a call; `false` when the corp calls this API too often.
    pub fn admits(&mut self, corpid: &str, api: &'static str, now: Timestamp) -> bool {
        let limit = self.knobs.calls_per_minute;
        let window = self.windows.entry((corpid.to_owned(), api)).or_default();
        if now.0 < window.blocked_until {
            return false;
        }
        let minute = now.0.div_euclid(MINUTE_MS);
        if window.minute != minute {
            *window = Window {
                minute,
                ..Window::default()
            };
        }
        window.calls += 1;
        if window.calls > limit {
            window.blocked_until = now.0 + MINUTE_MS;
        }
        window.calls <= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_minute_too_busy_is_blocked_for_sixty_seconds() {
        let mut rules = Rules::default();
        rules.knobs.calls_per_minute = 2;
        let at = |s| Timestamp::from_seconds(s);
        assert!(rules.admits("ww", "user/get", at(0)));
        assert!(rules.admits("ww", "user/get", at(1)));
        assert!(!rules.admits("ww", "user/get", at(2)));
        assert!(!rules.admits("ww", "user/get", at(61)));
        assert!(rules.admits("ww", "user/list", at(2)));
        assert!(rules.admits("ww", "user/get", at(62)));
    }
}
