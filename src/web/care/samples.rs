//! Invented follow-ups for the tests of these pages.

use super::*;
use crate::ids::AssociateId;
use crate::web::samples::NOW;

/// Due so many days from now.
pub fn sample(number: i64, what: &str, days: i64) -> FollowUp {
    FollowUp {
        id: FollowUpId(1_300 + number),
        contact_id: ContactId(100 + number),
        contact_name: "王莉<b>".into(),
        associate_id: AssociateId(31),
        associate_name: "林晓雯".into(),
        what: what.into(),
        due_day: NOW.day(chrono_tz::Asia::Shanghai).plus(days),
        state: "open".into(),
        created_at: NOW,
        ended_at: None,
    }
}

impl FollowUpsPage {
    pub fn samples(shell: &Shell) -> Vec<(&'static str, Self)> {
        let page = |state, due, items: Vec<FollowUp>, next: Option<&str>| {
            let next = next.map(str::to_owned);
            Self::new(shell.clone(), state, due, Page { items, next })
        };
        let some = || {
            vec![
                sample(1, "问她羊绒大衣要不要留 M 码", -3),
                sample(2, "生日送小样", 0),
                sample(3, "新款到店叫她来试", 1),
                sample(4, "回访", 40),
            ]
        };
        let done = || FollowUp {
            state: "done".into(),
            ended_at: Some(NOW),
            ..sample(5, "已经问过尺码", 0)
        };
        let long = "写满一百个字的一件事".repeat(10);
        let mut wrong = page(State::Open, 2, some(), None);
        wrong.problems = vec![FieldProblem {
            field: String::new(),
            message: shell.t("refused-follow-up-no-day"),
        }];
        vec![
            ("typical", page(State::Open, 2, some(), None)),
            ("empty", page(State::Open, 0, vec![], None)),
            ("none-done", page(State::Done, 0, vec![], None)),
            ("done", page(State::Done, 0, vec![done()], None)),
            (
                "crowded",
                page(
                    State::Open,
                    30,
                    (1..=ROWS).map(|number| sample(number, &long, -400)).collect(),
                    Some("WzFd"),
                ),
            ),
            ("refused", wrong),
        ]
    }
}
