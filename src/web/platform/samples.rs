//! Invented states of the pages about the platform.

use super::sync::SyncPage;
use super::{ChecksPage, Shell};
use crate::doctor::{Kept, Line, Report};
use crate::error::said;
use crate::ids::{SyncRunId, UserId};
use crate::sync::{Run, StepState, Unread};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::web::samples::NOW;

const CHECKS: [&str; 24] = [
    "settings",
    "database",
    "migrations",
    "redis",
    "clock",
    "public_address",
    "platform",
    "master_key",
    "callback_address",
    "credentials",
    "trusted_ip",
    "permission.directory",
    "permission.follow_users",
    "permission.contacts",
    "permission.tags",
    "permission.broadcasts",
    "permission.groups",
    "permission.contact_ways",
    "permission.handover",
    "permission.statistics",
    "permission.acquisition",
    "permission.album",
    "visible_range",
    "headroom",
];

fn lines() -> Vec<Line> {
    let ok = |check: &&str| {
        Line::ok(
            check,
            said!("doctor-permission-ok", "the platform lets us read it"),
        )
    };
    let mut lines: Vec<Line> = CHECKS.iter().map(ok).collect();
    lines.push(Line::failed(
        "permission.moments",
        said!(
            "doctor-refused-permission",
            "app {agent} may not do this ({number})",
            agent = "1000002",
            number = "48002"
        ),
        said!(
            "doctor-refused-permission-way",
            "console › 客户与上下游 › 客户联系 › API › 可调用接口的应用 (apps that may call the customer-contact APIs): add app {agent} and this permission",
            agent = "1000002"
        ),
    ));
    lines.push(Line::warning(
        "callbacks",
        said!(
            "doctor-callbacks-last",
            "the last callback came at {at}, {hours} hours ago",
            at = "2026-11-21 21:04",
            hours = 37i64
        ),
        said!(
            "doctor-callbacks-way",
            "console › the app › 接收消息 (receive messages): save `{url}/wecom/{corpid}/callback` and switch customer and directory changes on",
            url = "https://crm.example.com",
            corpid = "ww1a2b3c4d5e6f7a8b"
        ),
    ));
    lines.push(Line::skipped("sweep", "callbacks"));
    lines
}

fn step(step: &str, state: &str, seen: i64, done: i64, total: i64, changed: i64) -> StepState {
    StepState {
        step: step.into(),
        state: state.into(),
        done,
        total,
        seen,
        changed,
        closed: changed / 4,
        failed: 0,
        started_at: (state != "waiting").then_some(NOW.plus_ms(-8 * MINUTE_MS)),
        ended_at: (state == "done").then_some(NOW.plus_ms(-7 * MINUTE_MS)),
        problem: None,
    }
}

fn run(id: i64, state: &str, started_at: Timestamp, steps: Vec<StepState>) -> Run {
    Run {
        id: SyncRunId(id),
        kind: if state == "running" { "asked" } else { "nightly" }.into(),
        state: state.into(),
        started_at,
        ended_at: (state != "running").then_some(started_at.plus_ms(HOUR_MS)),
        steps,
    }
}

fn whole(id: i64, days: i64, changed: i64) -> Run {
    let steps = vec![
        step("people", "done", 1_204, 0, 0, 0),
        step("tags", "done", 88, 0, 0, 2),
        step("contacts", "done", 412_880, 1_204, 1_204, changed),
        step("groups", "done", 3_410, 0, 0, 4),
    ];
    run(id, "done", NOW.plus_ms(-days * DAY_MS - 6 * HOUR_MS), steps)
}

fn under_way() -> Run {
    let mut contacts = step("contacts", "running", 184_201, 531, 1_204, 48);
    contacts.failed = 3;
    contacts.problem =
        Some("platform refused with 84074: `externalcontact/batch/get_by_user`: no permission".into());
    let steps = vec![
        step("people", "done", 1_204, 0, 0, 0),
        step("tags", "done", 88, 0, 0, 2),
        contacts,
        step("groups", "waiting", 0, 0, 0, 0),
    ];
    run(9, "running", NOW.plus_ms(-9 * MINUTE_MS), steps)
}

impl ChecksPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let runs = [whole(8, 0, 210), whole(7, 1, 40)];
        let found = Kept {
            report: Some(Report {
                checked_at: NOW.plus_ms(-MINUTE_MS),
                lines: lines(),
            }),
            is_under_way: false,
        };
        let never = Kept {
            report: None,
            is_under_way: true,
        };
        vec![
            ("typical", Self::new(shell.clone(), &found, &runs)),
            ("empty", Self::new(shell.clone(), &never, &[])),
            ("first", Self::new(shell.clone(), &found, &runs[1..])),
        ]
    }
}

impl SyncPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let unread = [
            Unread {
                members: vec![UserId("zhou.min".into())],
                problem: "platform refused with 84074: `externalcontact/batch/get_by_user`: no permission"
                    .into(),
            },
            Unread {
                members: vec![UserId("lin".into())],
                problem: "platform refused with 60011: `externalcontact/batch/get_by_user`: no privilege"
                    .into(),
            },
        ];
        let mut failed = whole(6, 2, 0);
        failed.state = "failed".into();
        let runs = [under_way(), whole(8, 0, 210), whole(7, 1, 40), failed];
        vec![
            ("running", Self::new(shell.clone(), &runs, &unread, 3)),
            ("done", Self::new(shell.clone(), &runs[1..], &[], 0)),
            ("empty", Self::new(shell.clone(), &[], &[], 0)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_agrees_with_the_rule_for_truth() {
        let runs = [under_way(), whole(8, 0, 210), whole(7, 1, 40)];
        let truth = crate::doctor::truth(&runs).unwrap();
        assert_eq!((truth.corrected, truth.failed), (Some(269), 0));
    }
}
